/*
 * DTLS 1.2 (host/link/tls_mbedtls.h, dtls_mbedtls.c, tls_verify.c) against a server in the same process: trust in all its forms and
 * refusals, downgrade, alerts in the clear, loss, replay, memory.
 *
 * sources: host/link/tls_mbedtls.c host/link/dtls_mbedtls.c host/link/tls_verify.c host/link/tls_heap.c host/link/trust.c
 * needs: mbedtls
 * flags: -DIPA_CFG_TLS_SERVER=1
 */
#include "check.h"

#include "link/tls_mbedtls.h"
#include "tls_kit.h"

static struct kit k;
static struct ipa_tls t;
static struct ipa_tls_config config;
static struct ipa_tls_peer peer;
static uint8_t memory[24000];
static uint32_t utc;
static const uint8_t psk[16] = "0123456789abcdef", other_psk[16] = "fedcba9876543210";

static int no_entropy(void *ctx, uint8_t *p, size_t len) {
    (void)ctx, (void)p, (void)len;
    return IPA_ERR_ENTROPY;
}

static uint32_t utc_s(void *ctx) {
    (void)ctx;
    return utc;
}

static size_t echo(struct kit *kit, const uint8_t *in, size_t len, uint8_t *out, size_t cap) {
    (void)kit;
    memcpy(out, in, len < cap ? len : cap);
    return len;
}

/* Content of a DER object: what stands in A0 or A1. */
static struct ipa_trust anchor(enum ipa_trust_kind kind, const uint8_t *der, size_t len) {
    struct ipa_trust trust = {kind, NULL, 0};
    trust.content = der == NULL ? NULL : ipa_trust_content(der, len, &trust.len);
    return trust;
}

/* SubjectPublicKeyInfo of all test servers. */
static struct ipa_trust key_anchor(void) {
    static const uint8_t head[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01};
    for (size_t i = 0; i + 91 <= sizeof good_der; i++) {
        if (memcmp(good_der + i, head, sizeof head) == 0) return anchor(IPA_TRUST_KEY, good_der + i, 91);
    }
    abort();
}

static void server(const uint8_t *der, size_t len) {
    kit_init(&k, 0, der, len, NULL, NULL, 0, NULL);
    k.answer = echo;
}

static void client(struct ipa_trust trust) {
    memset(&config, 0, sizeof config);
    config.net = &k.net;
    config.entropy = kit_entropy;
    config.now_ms = kit_now_ms;
    config.ctx = &k;
    config.utc_s = utc_s;
    config.handshake_min_ms = 9000;
    config.handshake_max_ms = 60000;
    utc = 0;
    memset(&peer, 0, sizeof peer);
    peer.host = "eim.example.com";
    peer.host_len = 15;
    peer.port = 5684;
    peer.trust = trust;
    peer.datagram = 1;
    CHECK_INT(ipa_tls_init(&t, &config, memory, sizeof memory), IPA_OK);
}

/* Time goes on only when nobody has anything to do. */
static int open_all(void) {
    int err = IPA_AGAIN;
    for (int turn = 0; turn < 4000 && err == IPA_AGAIN; turn++) {
        err = ipa_tls_open(&t, &peer);
        if (!kit_turn(&k) && k.to_client.count == 0) k.now += 500;
    }
    return err;
}

static int says(const char *text) {
    uint8_t back[64];
    CHECK_INT(ipa_tls_send(&t, (const uint8_t *)text, strlen(text)), strlen(text));
    kit_turn(&k);
    int got = ipa_tls_receive(&t, back, sizeof back);
    return got == (int)strlen(text) && memcmp(back, text, (size_t)got) == 0;
}

static void accepted(struct ipa_trust trust, const uint8_t *der, size_t len) {
    server(der, len);
    client(trust);
    CHECK_INT(open_all(), IPA_OK);
    CHECK(says("hello"));
    CHECK_INT(ipa_tls_receive(&t, memory, 1), IPA_AGAIN);
    ipa_tls_close(&t);
    CHECK_INT(t.heap.used, 0);
}

static void refused(struct ipa_trust trust, const uint8_t *der, size_t len, int error) {
    server(der, len);
    client(trust);
    CHECK_INT(open_all(), error);
    CHECK_INT(t.state, IPA_TLS_CLOSED);
    CHECK_INT(t.heap.used, 0);
}

#define CERT(name) name##_der, sizeof name##_der
#define PINNED anchor(IPA_TRUST_CERTIFICATE, CERT(pinned))
#define CA anchor(IPA_TRUST_CERTIFICATE, CERT(ca))

/* --- trust --- */

TEST(dtls_pinned_key_whatever_the_certificate_says) {
    accepted(key_anchor(), CERT(pinned));
    accepted(key_anchor(), CERT(expired));
    accepted(key_anchor(), CERT(othername));
}

TEST(dtls_pinned_certificate_octet_by_octet) {
    accepted(PINNED, CERT(pinned));
    accepted(anchor(IPA_TRUST_CERTIFICATE, CERT(good)), CERT(good));
    refused(PINNED, CERT(good), IPA_ERR_TRUST_CERTIFICATE);
}

TEST(dtls_ca_with_the_right_name) {
    accepted(CA, CERT(good));
    refused(CA, CERT(othername), IPA_ERR_TRUST_NAME);
    refused(CA, CERT(cnonly), IPA_ERR_TRUST_NAME);
    refused(CA, CERT(alien), IPA_ERR_TRUST_CERTIFICATE);
    refused(CA, CERT(pinned), IPA_ERR_TRUST_CERTIFICATE);
}

TEST(dtls_wrong_key_is_refused) {
    struct ipa_trust key = key_anchor();
    uint8_t altered[128];
    memcpy(altered, key.content, key.len);
    altered[key.len - 1] ^= 1;
    key.content = altered;
    refused(key, CERT(pinned), IPA_ERR_TRUST_KEY);
}

TEST(dtls_boards_own_cas) {
    static uint8_t list[sizeof foreign_der + sizeof ca_der];
    memcpy(list, foreign_der, sizeof foreign_der);
    memcpy(list + sizeof foreign_der, ca_der, sizeof ca_der);
    server(CERT(good));
    client(anchor(IPA_TRUST_CA, NULL, 0));
    peer.ca = list;
    peer.ca_len = sizeof list;
    CHECK_INT(open_all(), IPA_OK);
    CHECK(says("hello"));
    ipa_tls_close(&t);
    server(CERT(good));
    client(anchor(IPA_TRUST_CA, NULL, 0));
    peer.ca = foreign_der;
    peer.ca_len = sizeof foreign_der;
    CHECK_INT(open_all(), IPA_ERR_TRUST_CHAIN);
    peer.ca_len--;
    CHECK_INT(open_all(), IPA_ERR_TRUST_FORM);
}

TEST(dtls_dates_are_checked_where_there_is_a_clock) {
    const struct { uint32_t utc; int error; } cases[] = {
        {0, IPA_OK}, {1577836799, IPA_ERR_TRUST_EXPIRED}, {1577836800, IPA_OK}, {1600000000, IPA_OK}, {1609459200, IPA_OK}, {1609459201, IPA_ERR_TRUST_EXPIRED}, {1900000000, IPA_ERR_TRUST_EXPIRED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        server(CERT(expired));
        client(CA);
        utc = cases[i].utc;
        CHECK_INT(open_all(), cases[i].error);
        ipa_tls_close(&t);
    }
    server(CERT(expired));
    client(CA);
    config.utc_s = NULL;
    CHECK_INT(open_all(), IPA_OK);
    ipa_tls_close(&t);
}

TEST(dtls_no_trust_no_connection) {
    refused(anchor(IPA_TRUST_NOTHING, NULL, 0), CERT(good), IPA_ERR_TRUST_NONE);
    CHECK_INT(k.sends, 0);
    refused(anchor(IPA_TRUST_CERTIFICATE, good_der, sizeof good_der - 1), CERT(good), IPA_ERR_TRUST_FORM);
    refused(anchor(IPA_TRUST_CERTIFICATE, srv_der, sizeof srv_der), CERT(good), IPA_ERR_TRUST_FORM);
}

static void psk_server(const char *identity, const uint8_t *key) {
    kit_init(&k, 0, NULL, 0, identity, key, 16, NULL);
    k.answer = echo;
    client(anchor(IPA_TRUST_PSK, NULL, 0));
    config.psk_identity = "dev1";
    config.psk = psk;
    config.psk_len = sizeof psk;
}

TEST(dtls_psk) {
    psk_server("dev1", psk);
    CHECK_INT(open_all(), IPA_OK);
    CHECK(says("hello"));
    CHECK(strcmp(mbedtls_ssl_get_ciphersuite(&t.ssl), "TLS-PSK-WITH-AES-128-CCM-8") == 0);
    ipa_tls_close(&t);
}

TEST(dtls_wrong_psk_or_identity_is_refused) {
    psk_server("dev1", other_psk);
    CHECK_INT(open_all(), IPA_ERR_TRUST_PSK);
    psk_server("dev2", psk);
    CHECK_INT(open_all(), IPA_ERR_TRUST_PSK);
    psk_server("dev1", psk);
    config.psk_identity = NULL;
    CHECK_INT(open_all(), IPA_ERR_TRUST_FORM);
}

TEST(dtls_with_psk_configured_certificates_are_not_offered) {
    server(CERT(good));
    client(anchor(IPA_TRUST_PSK, NULL, 0));
    config.psk_identity = "dev1";
    config.psk = psk;
    config.psk_len = sizeof psk;
    CHECK_INT(open_all(), IPA_ERR_TRUST_VERSION);
}

/* --- downgrade --- */

static int to_old_version(struct kit *kit, int to_server, uint8_t *data, size_t *len) {
    (void)kit, (void)len;
    if (!to_server && data[0] == 22 && data[13] == 2) data[26] = 0xFF;     /* ServerHello says DTLS 1.0 */
    return 1;
}

static int to_weak_suite(struct kit *kit, int to_server, uint8_t *data, size_t *len) {
    (void)kit, (void)len;
    if (!to_server && data[0] == 22 && data[13] == 2) {
        size_t at = 13 + 12 + 2 + 32;
        at += 1 + data[at];
        data[at] = 0x00;
        data[at + 1] = 0x2F;                                               /* TLS_RSA_WITH_AES_128_CBC_SHA */
    }
    return 1;
}

TEST(dtls_older_version_or_another_suite_is_refused) {
    server(CERT(good));
    client(CA);
    k.hook = to_old_version;
    CHECK_INT(open_all(), IPA_ERR_TRUST_VERSION);
    server(CERT(good));
    client(CA);
    k.hook = to_weak_suite;
    CHECK_INT(open_all(), IPA_ERR_TRUST_VERSION);
}

TEST(dtls_server_without_a_common_suite_is_refused) {
    static const int only[] = {MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CCM, 0};
    kit_init(&k, 0, CERT(good), NULL, NULL, 0, only);
    client(CA);
    CHECK_INT(open_all(), IPA_ERR_TRUST_VERSION);
}

TEST(dtls_takes_gcm_when_the_server_has_no_ccm_8) {
    static const int only[] = {MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, 0};
    kit_init(&k, 0, CERT(good), NULL, NULL, 0, only);
    k.answer = echo;
    client(CA);
    CHECK_INT(open_all(), IPA_OK);
    CHECK(says("hello"));
    ipa_tls_close(&t);
}

/* --- the network --- */

static unsigned packet_number, lost_packet;

static int loses_one(struct kit *kit, int to_server, uint8_t *data, size_t *len) {
    (void)kit, (void)to_server, (void)data, (void)len;
    return packet_number++ != lost_packet;
}

TEST(dtls_handshake_survives_the_loss_of_any_datagram) {
    unsigned count = 0;
    for (lost_packet = UINT32_MAX; lost_packet == UINT32_MAX || lost_packet < count; lost_packet++) {
        server(CERT(good));
        client(CA);
        packet_number = 0;
        k.hook = loses_one;
        CHECK_INT(open_all(), IPA_OK);
        if (lost_packet == UINT32_MAX) count = packet_number;
        k.hook = NULL;
        CHECK(says("hello"));
        ipa_tls_close(&t);
    }
    CHECK(count >= 4);
}

static int doubles(struct kit *kit, int to_server, uint8_t *data, size_t *len) {
    (void)kit, (void)to_server, (void)data, (void)len;
    return 2;
}

TEST(dtls_replayed_records_are_dropped) {
    uint8_t back[32];
    server(CERT(good));
    client(CA);
    k.hook = doubles;
    CHECK_INT(open_all(), IPA_OK);
    CHECK(says("hello"));
    CHECK_INT(k.to_client.count, 1);
    CHECK_INT(ipa_tls_receive(&t, back, sizeof back), IPA_AGAIN);
    ipa_tls_close(&t);
}

static int alters(struct kit *kit, int to_server, uint8_t *data, size_t *len) {
    (void)kit;
    if (!to_server) data[*len - 1] ^= 1;
    return 1;
}

TEST(dtls_altered_records_are_dropped) {
    uint8_t back[32];
    server(CERT(good));
    client(CA);
    CHECK_INT(open_all(), IPA_OK);
    k.hook = alters;
    CHECK_INT(ipa_tls_send(&t, (const uint8_t *)"hello", 5), 5);
    kit_turn(&k);
    CHECK_INT(k.to_client.count, 1);
    CHECK_INT(ipa_tls_receive(&t, back, sizeof back), IPA_AGAIN);
    k.hook = NULL;
    CHECK(says("again"));
    ipa_tls_close(&t);
}

static const uint8_t alert[] = {21, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40};

/* In front of each of the server's datagrams stands an alert that anybody could have sent. */
static int spoofs(struct kit *kit, int to_server, uint8_t *data, size_t *len) {
    struct kit_queue *q = &kit->to_client;
    (void)data, (void)len;
    if (to_server && q->count < QUEUE) {
        struct kit_packet *p = &q->packet[(q->head + q->count++) % QUEUE];
        memcpy(p->data, alert, sizeof alert);
        p->len = sizeof alert;
    }
    return 1;
}

TEST(dtls_an_alert_in_the_clear_does_not_kill_the_handshake) {
    server(CERT(good));
    client(CA);
    k.hook = spoofs;
    CHECK_INT(open_all(), IPA_OK);
    CHECK(says("hello"));
    ipa_tls_close(&t);
}

static int only_alert(struct kit *kit, int to_server, uint8_t *data, size_t *len) {
    (void)spoofs(kit, to_server, data, len);
    return 0;
}

TEST(dtls_an_alert_that_nothing_better_follows_ends_the_handshake) {
    server(CERT(good));
    client(CA);
    uint32_t begun = k.now;
    k.hook = only_alert;
    CHECK_INT(open_all(), IPA_ERR_TRUST_VERSION);
    CHECK(k.now - begun >= 9000 && k.now - begun <= 10000);
}

static int silent(struct kit *kit, int to_server, uint8_t *data, size_t *len) {
    (void)kit, (void)to_server, (void)data, (void)len;
    return 0;
}

TEST(dtls_a_silent_server_is_a_timeout_after_9_18_36_60_seconds) {
    server(CERT(good));
    client(CA);
    uint32_t begun = k.now;
    k.hook = silent;
    CHECK_INT(open_all(), IPA_ERR_TIMEOUT);
    CHECK_INT(k.sends, 4);
    CHECK(k.now - begun >= 123000 && k.now - begun < 125000);
}

TEST(dtls_a_datagram_too_large_for_the_caller_is_dropped_whole) {
    uint8_t back[8];
    server(CERT(good));
    client(CA);
    CHECK_INT(open_all(), IPA_OK);
    CHECK_INT(ipa_tls_send(&t, (const uint8_t *)"0123456789abcdefghijklmnopqrstuvwxyz0123456789", 46), 46);
    kit_turn(&k);
    CHECK_INT(ipa_tls_receive(&t, back, sizeof back), IPA_ERR_TOO_LARGE);
    CHECK_INT(ipa_tls_receive(&t, back, sizeof back), IPA_AGAIN);
    CHECK(says("next"));
    ipa_tls_close(&t);
}

/* --- memory, chance, several instances --- */

TEST(dtls_every_size_of_memory_works_or_is_refused) {
    unsigned worked = 0, refusals = 0;
    for (size_t size = 200; size < 14000; size += 397) {
        server(CERT(good));
        client(CA);
        CHECK_INT(ipa_tls_init(&t, &config, memory, size), IPA_OK);
        int err = open_all();
        CHECK(err == IPA_OK || err == IPA_ERR_NO_MEM);
        worked += err == IPA_OK;
        refusals += err != IPA_OK;
        ipa_tls_close(&t);
        CHECK_INT(t.heap.used, 0);
    }
    CHECK(worked > 3 && refusals > 10);
}

TEST(dtls_without_entropy_there_is_no_connection) {
    server(CERT(good));
    client(CA);
    config.entropy = no_entropy;
    CHECK_INT(open_all(), IPA_ERR_ENTROPY);
    CHECK_INT(k.sends, 0);
}

TEST(dtls_heap_stays_below_10_kB) {
    accepted(CA, CERT(good));
    printf("# heap with certificates: %zu\n", t.heap.peak);
    CHECK(t.heap.peak < 10240);
    psk_server("dev1", psk);
    CHECK_INT(open_all(), IPA_OK);
    ipa_tls_close(&t);
    printf("# heap with PSK: %zu\n", t.heap.peak);
    CHECK(t.heap.peak < 8192);
}

int main(void) {
    RUN(dtls_pinned_key_whatever_the_certificate_says);
    RUN(dtls_pinned_certificate_octet_by_octet);
    RUN(dtls_ca_with_the_right_name);
    RUN(dtls_wrong_key_is_refused);
    RUN(dtls_boards_own_cas);
    RUN(dtls_dates_are_checked_where_there_is_a_clock);
    RUN(dtls_no_trust_no_connection);
    RUN(dtls_psk);
    RUN(dtls_wrong_psk_or_identity_is_refused);
    RUN(dtls_with_psk_configured_certificates_are_not_offered);
    RUN(dtls_older_version_or_another_suite_is_refused);
    RUN(dtls_server_without_a_common_suite_is_refused);
    RUN(dtls_takes_gcm_when_the_server_has_no_ccm_8);
    RUN(dtls_handshake_survives_the_loss_of_any_datagram);
    RUN(dtls_replayed_records_are_dropped);
    RUN(dtls_altered_records_are_dropped);
    RUN(dtls_an_alert_in_the_clear_does_not_kill_the_handshake);
    RUN(dtls_an_alert_that_nothing_better_follows_ends_the_handshake);
    RUN(dtls_a_silent_server_is_a_timeout_after_9_18_36_60_seconds);
    RUN(dtls_a_datagram_too_large_for_the_caller_is_dropped_whole);
    RUN(dtls_every_size_of_memory_works_or_is_refused);
    RUN(dtls_without_entropy_there_is_no_connection);
    RUN(dtls_heap_stays_below_10_kB);
    return check_end();
}
