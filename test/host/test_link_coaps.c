/*
 * The CoAPS link (host/link/link_coaps.c, link.c) against a server in the same process: bodies, loss, sessions that outlive sockets, RAM and
 * power cuts. decisions.md 5: no epoch and sequence number is ever used twice, wherever the power goes.
 *
 * sources: host/link/coap.c host/link/coap_block.c host/link/coap_msg.c host/link/http.c host/link/link.c host/link/link_coaps.c host/link/link_https.c
 * sources: host/link/tls_mbedtls.c host/link/dtls_mbedtls.c host/link/tls_verify.c host/link/tls_heap.c host/link/trust.c
 * needs: mbedtls
 * flags: -DIPA_CFG_TLS_SERVER=1
 */
#include "check.h"

#include <setjmp.h>

#include "coap_kit.h"
#include "link/links.h"
#include "tls_kit.h"

static struct kit k;
static const uint8_t psk[16] = "0123456789abcdef";

static int silent(struct kit *kit, int to_server, uint8_t *data, size_t *len) {
    (void)kit, (void)to_server, (void)data, (void)len;
    return 0;
}

static struct ipa_link link;
static struct ipa_link_config links;
static struct echo_server coap;
static uint8_t link_memory[24000], coap_body[40000];

/* The journal: one record, and where the power may go. */
static uint8_t journal[IPA_LINK_SESSION_MAX];
static size_t journal_len;
static unsigned saves, loads;
static int keeps_records;       /* the defect that the nonce test must see: invalidate does nothing */

static jmp_buf power;
static unsigned steps, cut_at;

static void step(struct kit *kit) {
    (void)kit;
    if (++steps == cut_at) longjmp(power, 1);
}

static int load(void *ctx, uint8_t *record, size_t cap) {
    (void)ctx;
    step(&k);
    if (journal_len == 0 || journal_len > cap) return IPA_ERR_NOT_FOUND;
    memcpy(record, journal, journal_len);
    loads++;
    return (int)journal_len;
}

static int save(void *ctx, const uint8_t *record, size_t len) {
    (void)ctx;
    step(&k);
    memcpy(journal, record, len);
    journal_len = len;
    saves++;
    step(&k);
    return IPA_OK;
}

static int invalidate(void *ctx) {
    (void)ctx;
    step(&k);
    if (!keeps_records) journal_len = 0;
    step(&k);
    return IPA_OK;
}

/* Every protected record of the client, by connection id, epoch and number. */
static uint8_t records[20000][12];
static unsigned record_count, repeated;

static int recorder(struct kit *kit, int to_server, uint8_t *data, size_t *len) {
    (void)kit;
    for (size_t at = 0; to_server && at + 17 <= *len;) {
        uint8_t *r = data + at;
        size_t body = r[0] == 25 ? 15u : 11u;
        if (r[0] == 25) {
            uint8_t id[12];
            memcpy(id, r + 3, 8);
            memcpy(id + 8, r + 11, 4);
            for (unsigned i = 0; i < record_count; i++) repeated += memcmp(records[i], id, 12) == 0;
            if (record_count < 20000) memcpy(records[record_count++], id, 12);
        }
        at += body + 2 + (size_t)(r[body] << 8 | r[body + 1]);
    }
    return 1;
}

static size_t serve_coap(struct kit *kit, const uint8_t *in, size_t len, uint8_t *out, size_t cap) {
    (void)kit;
    return echo_serve(&coap, in, len, out, cap < 1200 ? cap : 1200);
}

static void link_server(void) {
    kit_init(&k, 0, NULL, 0, "dev1", psk, sizeof psk, NULL);
    k.answer = serve_coap;
    k.hook = recorder;
    memset(&coap, 0, sizeof coap);
    coap.szx = coap.szx_down = 6;
    coap.body = coap_body;
    coap.cap = sizeof coap_body;
    journal_len = saves = loads = record_count = repeated = 0;
    keeps_records = 0;
    steps = cut_at = 0;
}

/* The device starts: nothing in RAM is what it was. */
static void boot(void) {
    memset(link_memory, 0xA5, sizeof link_memory);
    memset(&links, 0, sizeof links);
    ipa_link_defaults(&links);
    links.net = k.net;
    links.entropy = kit_entropy;
    links.now_ms = kit_now_ms;
    links.ctx = &k;
    links.psk_identity = "dev1";
    links.psk = psk;
    links.psk_len = sizeof psk;
    links.session = (struct ipa_link_session){load, save, invalidate, NULL};
    ipa_tls_heap_use(NULL);
    CHECK_INT(ipa_link_init(&link, &links, link_memory, sizeof link_memory), IPA_OK);
    CHECK(((uint8_t *)link.ctx - link_memory) < 8);
}

#define WAIT 400000u
#define DRIVE(err, call) do { \
        for (int turn_ = 0; turn_ < 20000 && ((err) = (call)) == IPA_AGAIN; turn_++) \
            if (!kit_turn(&k) && k.to_client.count == 0) k.now += 250; \
    } while (0)

static int open_link(void) {
    const struct ipa_endpoint to = {IPA_PEER_EIM, IPA_ESIPA_COAPS, "eim.example.com", 15, NULL, 0};
    int err;
    DRIVE(err, link.open(link.ctx, &to, WAIT));
    return err;
}

static int exchange(size_t len, size_t piece) {
    static uint8_t body[20480], back[20480];
    struct ipa_request how = {(uint32_t)len, 0, 1, 0};
    struct ipa_answer about = {0, 0, 0};
    size_t put = 0, got = 0;
    int err;
    for (size_t i = 0; i < len; i++) body[i] = (uint8_t)(i * 11 + (i >> 8));
    do {
        size_t n = len - put < piece ? len - put : piece;
        how.last = put + n == len;
        DRIVE(err, link.send(link.ctx, &how, body + put, n, WAIT));
        if (err < 0) return err;
        put += n;
        how.first = 0;
    } while (!how.last);
    do {
        DRIVE(err, link.receive(link.ctx, back + got, piece < sizeof back - got ? piece : sizeof back - got, &about, WAIT));
        if (err < 0) return err;
        got += (size_t)err;
    } while (!about.last);
    return about.code == 205 && got == len && memcmp(body, back, len) == 0 ? IPA_OK : IPA_ERR_PROTOCOL;
}

TEST(coaps_20_kB_both_ways) {
    link_server();
    boot();
    CHECK_INT(open_link(), IPA_OK);
    CHECK_INT(exchange(20480, 700), IPA_OK);
    CHECK(coap.wrong == NULL);
    CHECK_INT(k.sessions, 1);
    link.close(link.ctx);
    ipa_link_stop(&link);
}

static int loses_a_tenth(struct kit *kit, int to_server, uint8_t *data, size_t *len) {
    static uint32_t state = 5;
    (void)kit, (void)to_server, (void)data, (void)len;
    return kit_random(&state) % 10 != 0;
}

/* A server that repeats its answer to a repeated request (deduplication), as RFC 7252 4.5 asks. */
static size_t serve_once(struct kit *kit, const uint8_t *in, size_t len, uint8_t *out, size_t cap) {
    static uint8_t last_in[1500], last_out[1500];
    static size_t last_in_len, last_out_len;
    if (len != last_in_len || memcmp(in, last_in, len) != 0) {
        last_out_len = serve_coap(kit, in, len, last_out, cap);
        memcpy(last_in, in, len);
        last_in_len = len;
    }
    memcpy(out, last_out, last_out_len);
    return last_out_len;
}

TEST(coaps_20_kB_both_ways_with_a_tenth_of_all_datagrams_lost) {
    link_server();
    boot();
    k.hook = loses_a_tenth;
    k.answer = serve_once;
    CHECK_INT(open_link(), IPA_OK);
    CHECK_INT(exchange(20480, 1024), IPA_OK);
    CHECK(coap.wrong == NULL);
    ipa_link_stop(&link);
}

TEST(coaps_session_is_kept_over_close_and_open) {
    link_server();
    boot();
    for (int i = 0; i < 3; i++) {
        CHECK_INT(open_link(), IPA_OK);
        CHECK_INT(exchange(30, 100), IPA_OK);
        link.close(link.ctx);
        k.now += 86400000u;
    }
    CHECK_INT(k.sessions, 1);
    CHECK_INT(k.opens, 3);
    CHECK_INT(repeated, 0);
}

TEST(coaps_session_is_kept_over_a_planned_sleep) {
    link_server();
    for (int i = 0; i < 3; i++) {
        boot();
        CHECK_INT(open_link(), IPA_OK);
        CHECK_INT(exchange(3000, 100), IPA_OK);
        link.close(link.ctx);
        CHECK_INT(ipa_link_sleep(&link), IPA_OK);
        CHECK_INT(journal_len > 0, 1);
    }
    CHECK_INT(k.sessions, 1);
    CHECK(saves == 3 && loads == 2 && repeated == 0);
    CHECK(coap.wrong == NULL);
}

/* The RAM survived the sleep after all; then comes a reset that nobody planned. */
TEST(coaps_saved_session_lives_in_its_record_only) {
    link_server();
    boot();
    for (int i = 0; i < 2; i++) {
        CHECK_INT(open_link(), IPA_OK);
        CHECK_INT(exchange(30, 100), IPA_OK);
        link.close(link.ctx);
        if (i == 0) CHECK_INT(ipa_link_sleep(&link), IPA_OK);
    }
    CHECK_INT(journal_len, 0);
    boot();
    CHECK_INT(open_link(), IPA_OK);
    CHECK_INT(exchange(30, 100), IPA_OK);
    CHECK_INT(k.sessions, 2);
    CHECK_INT(repeated, 0);
}

TEST(coaps_unplanned_reset_means_a_new_handshake) {
    link_server();
    for (int i = 0; i < 3; i++) {
        boot();
        CHECK_INT(open_link(), IPA_OK);
        CHECK_INT(exchange(30, 100), IPA_OK);
    }
    CHECK_INT(k.sessions, 3);
    CHECK_INT(repeated, 0);
}

TEST(coaps_server_that_forgot_the_session_gets_a_new_handshake_without_telling) {
    link_server();
    boot();
    CHECK_INT(open_link(), IPA_OK);
    CHECK_INT(exchange(30, 100), IPA_OK);
    link.close(link.ctx);
    k.forgetful = 1;
    CHECK_INT(open_link(), IPA_OK);
    CHECK_INT(exchange(3000, 100), IPA_OK);
    CHECK_INT(k.sessions, 2);
    CHECK(coap.wrong == NULL);
    CHECK_INT(repeated, 0);
}

TEST(coaps_record_of_another_endpoint_or_trust_is_not_used) {
    link_server();
    boot();
    CHECK_INT(open_link(), IPA_OK);
    CHECK_INT(exchange(30, 100), IPA_OK);
    link.close(link.ctx);
    CHECK_INT(ipa_link_sleep(&link), IPA_OK);
    boot();
    const struct ipa_endpoint other = {IPA_PEER_EIM, IPA_ESIPA_COAPS, "eim.example.org", 15, NULL, 0};
    int err;
    DRIVE(err, link.open(link.ctx, &other, WAIT));
    CHECK_INT(err, IPA_OK);
    CHECK_INT(exchange(30, 100), IPA_OK);
    CHECK_INT(k.sessions, 2);
    CHECK_INT(repeated, 0);
}

/* The device's life: five turns of open, exchange, close, planned sleep. What a cut interrupts is begun anew. */
static unsigned turns_done;

static void life(unsigned cut) {
    link_server();
    k.step = step;
    cut_at = cut;
    turns_done = 0;
    (void)setjmp(power);
    boot();
    while (turns_done < 4) {
        int err = open_link();
        if (err == IPA_OK) err = exchange(turns_done == 2 ? 1500 : 30, 512);
        CHECK_INT(err, IPA_OK);
        turns_done++;
        link.close(link.ctx);
        CHECK_INT(ipa_link_sleep(&link), IPA_OK);
        boot();
    }
}

TEST(coaps_no_record_number_is_used_twice_wherever_the_power_is_cut) {
    life(0);
    CHECK_INT(repeated, 0);
    CHECK_INT(k.sessions, 1);
    unsigned all = steps, total = 0;
    for (unsigned cut = 1; cut <= all; cut++) {
        life(cut);
        total += record_count;
        if (repeated > 0) printf("# repeated with the power cut at step %u\n", cut);
        CHECK_INT(repeated, 0);
        CHECK_INT(turns_done, 4);
        CHECK(k.sessions <= 2);
    }
    printf("# %u cuts, %u records\n", all, total);
    CHECK(all > 40 && total > all * 6);
}

/* Two cuts, a step or a few apart: the second meets the recovery from the first. */
TEST(coaps_no_record_number_is_used_twice_when_it_is_cut_again_and_again) {
    for (volatile unsigned every = 3; every < 40; every++) {
        link_server();
        k.step = step;
        turns_done = 0;
        volatile unsigned cuts = 0;
        if (setjmp(power) != 0 && ++cuts < 12) cut_at = steps + every;
        else if (cuts == 0) cut_at = every;
        boot();
        while (turns_done < 2) {
            if (open_link() == IPA_OK && exchange(30, 512) == IPA_OK) turns_done++;
            link.close(link.ctx);
            (void)ipa_link_sleep(&link);
            boot();
        }
        CHECK_INT(repeated, 0);
    }
}

TEST(coaps_the_proof_sees_a_record_that_is_not_invalidated) {
    link_server();
    keeps_records = 1;
    for (int i = 0; i < 3; i++) {
        boot();
        CHECK_INT(open_link(), IPA_OK);
        (void)exchange(30, 100);
        link.close(link.ctx);
        if (i == 0) CHECK_INT(ipa_link_sleep(&link), IPA_OK);
    }
    CHECK(repeated > 0);
}

/* A modem: a send takes a few calls, and a read in between would give it up. */
static unsigned modem_calls, modem_given_up;

static int modem_send(void *ctx, int socket, const uint8_t *data, size_t len) {
    if (++modem_calls % 4 != 0) return IPA_AGAIN;
    return kit_send(ctx, socket, data, len);
}

static int modem_receive(void *ctx, int socket, uint8_t *data, size_t cap) {
    modem_given_up += modem_calls % 4 != 0;
    return kit_receive(ctx, socket, data, cap);
}

TEST(coaps_never_reads_while_a_send_is_under_way) {
    link_server();
    boot();
    links.net.send = modem_send;
    links.net.receive = modem_receive;
    modem_calls = modem_given_up = 0;
    CHECK_INT(open_link(), IPA_OK);
    CHECK_INT(exchange(5000, 600), IPA_OK);
    CHECK_INT(exchange(30, 100), IPA_OK);
    CHECK(coap.wrong == NULL);
    CHECK_INT(modem_given_up, 0);
}

TEST(coaps_times_out_as_the_caller_says) {
    int err;
    const struct ipa_endpoint to = {IPA_PEER_EIM, IPA_ESIPA_COAPS, "eim.example.com", 15, NULL, 0};
    link_server();
    boot();
    k.hook = silent;
    uint32_t begun = k.now;
    DRIVE(err, link.open(link.ctx, &to, 5000));
    CHECK_INT(err, IPA_ERR_TIMEOUT);
    CHECK(k.now - begun >= 5000 && k.now - begun < 6000);
    k.hook = NULL;
    CHECK_INT(open_link(), IPA_OK);
    CHECK_INT(exchange(30, 100), IPA_OK);
    k.hook = silent;
    CHECK_INT(exchange(30, 100), IPA_ERR_TIMEOUT);
    link.close(link.ctx);
    k.hook = NULL;
    CHECK_INT(open_link(), IPA_OK);
    CHECK_INT(exchange(30, 100), IPA_OK);
    CHECK_INT(k.sessions, 2);
}

TEST(coaps_wrong_psk_is_named_though_the_caller_gives_up_first) {
    static const uint8_t other[16] = "fedcba9876543210";
    const struct ipa_endpoint to = {IPA_PEER_EIM, IPA_ESIPA_COAPS, "eim.example.com", 15, NULL, 0};
    int err;
    link_server();
    boot();
    links.psk = other;
    CHECK_INT(ipa_link_init(&link, &links, link_memory, sizeof link_memory), IPA_OK);
    DRIVE(err, link.open(link.ctx, &to, 5000));
    CHECK_INT(err, IPA_ERR_TRUST_PSK);
}

TEST(coaps_refuses_wrong_addresses_and_bindings) {
    const char *wrong[] = {"", ":5684", "eim.example.com:", "eim.example.com:0", "eim.example.com:65536", "eim.example.com:5a", "[::1", "eim.example.com:99999999999"};
    link_server();
    boot();
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        const struct ipa_endpoint to = {IPA_PEER_EIM, IPA_ESIPA_COAPS, wrong[i], strlen(wrong[i]), NULL, 0};
        CHECK_INT(link.open(link.ctx, &to, WAIT), IPA_ERR_NAME);
    }
    const struct ipa_endpoint smdp = {IPA_PEER_SMDP, IPA_ESIPA_COAPS, "a", 1, NULL, 0};
    CHECK_INT(link.open(link.ctx, &smdp, WAIT), IPA_ERR_UNSUPPORTED);
    const struct ipa_endpoint es9p = {IPA_PEER_EIM, IPA_ES9P_HTTPS, "a", 1, NULL, 0};
    CHECK_INT(link.open(link.ctx, &es9p, WAIT), IPA_ERR_UNSUPPORTED);
    const struct ipa_endpoint untrusted = {IPA_PEER_EIM, IPA_ESIPA_HTTPS, "a", 1, NULL, 0};
    CHECK_INT(link.open(link.ctx, &untrusted, WAIT), IPA_ERR_TRUST_NONE);
    CHECK_INT(k.opens, 0);
    struct ipa_request how = {1, 0, 1, 1};
    CHECK_INT(link.send(link.ctx, &how, (const uint8_t *)"x", 1, WAIT), IPA_ERR_LINK);
    links.lab_plain_coap = 1;
    CHECK_INT(ipa_link_init(&link, &links, link_memory, sizeof link_memory), IPA_ERR_INVALID);
}

int main(void) {
    RUN(coaps_20_kB_both_ways);
    RUN(coaps_20_kB_both_ways_with_a_tenth_of_all_datagrams_lost);
    RUN(coaps_session_is_kept_over_close_and_open);
    RUN(coaps_session_is_kept_over_a_planned_sleep);
    RUN(coaps_saved_session_lives_in_its_record_only);
    RUN(coaps_unplanned_reset_means_a_new_handshake);
    RUN(coaps_server_that_forgot_the_session_gets_a_new_handshake_without_telling);
    RUN(coaps_record_of_another_endpoint_or_trust_is_not_used);
    RUN(coaps_no_record_number_is_used_twice_wherever_the_power_is_cut);
    RUN(coaps_no_record_number_is_used_twice_when_it_is_cut_again_and_again);
    RUN(coaps_the_proof_sees_a_record_that_is_not_invalidated);
    RUN(coaps_never_reads_while_a_send_is_under_way);
    RUN(coaps_times_out_as_the_caller_says);
    RUN(coaps_wrong_psk_is_named_though_the_caller_gives_up_first);
    RUN(coaps_refuses_wrong_addresses_and_bindings);
    return check_end();
}
