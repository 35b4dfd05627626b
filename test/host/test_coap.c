/*
 * The CoAP client (host/link/coap.h) against messages written by hand: RFC 7252 4 and 5, RFC 7959, RFC 9175; vectors V1 to V13 and the negative
 * inputs of coap-dtls 3.
 *
 * sources: host/link/coap.c host/link/coap_block.c host/link/coap_msg.c
 */
#include "check.h"
#include "coap_kit.h"

static struct ipa_coap_config config = {
    "gsma/rsp2/asn1", -1, 2000, 1500, 4, 90000, 3600000, 100000, 6, 1, 0,
};

static struct ipa_coap c;
static uint32_t now;
static uint8_t sent[1400];
static size_t sent_len;

static void begin(uint32_t total) {
    now = 0xFFFFF000u;    /* the clock wraps while the tests run */
    ipa_coap_init(&c, &config, 0x1234);
    c.next_mid = 0x0101;
    c.next_token = 0xA1;
    CHECK_INT(ipa_coap_begin(&c, "", 0, total, now), IPA_OK);
}

static void fill(uint32_t total, uint8_t first) {
    uint8_t octets[4096];
    for (size_t i = 0; i < sizeof octets; i++) octets[i] = (uint8_t)(first + i);
    uint32_t done = 0;
    while (done < total) {
        int n = ipa_coap_write(&c, octets + done, total - done);
        if (n <= 0) return;
        done += (uint32_t)n;
    }
}

/* The next datagram that goes out, as sent; 0 when there is none. */
static size_t out(void) {
    const uint8_t *p = ipa_coap_output(&c, &sent_len, now);
    if (p == NULL) return sent_len = 0;
    memcpy(sent, p, sent_len);
    ipa_coap_sent(&c, now);
    return sent_len;
}

static void expect(const char *hex) {
    uint8_t want[1400];
    size_t len = unhex(hex, want);
    out();
    CHECK_BYTES(sent, sent_len, want, len);
}

static void feed(const char *hex) {
    size_t cap = 0;
    uint8_t *buffer = ipa_coap_input_buffer(&c, &cap);
    CHECK(buffer != NULL);
    if (buffer != NULL) ipa_coap_input(&c, unhex(hex, buffer), now);
}

static int failure(void) {
    uint8_t octet;
    struct ipa_answer about;
    return ipa_coap_read(&c, &octet, 1, &about);
}

static struct ipa_answer about;
static uint8_t got[4096];
static int answer(void) {
    return ipa_coap_read(&c, got, sizeof got, &about);
}

/* A small request on its way: MID 0101, token A1. */
static void ask(void) {
    begin(2);
    fill(2, 0x55);
    CHECK(out() > 0);
}

/* A request of 3 blocks of 16 octets and 8 more, its first block on its way. */
static struct ipa_coap_config small = {"a/bc", 42, 2000, 1500, 4, 90000, 3600000, 100000, 0, 1, 0};
static void ask_blocks(uint32_t total) {
    now = 5;
    ipa_coap_init(&c, &small, 0x1234);
    c.next_mid = 0x0101;
    c.next_token = 0xA1;
    CHECK_INT(ipa_coap_begin(&c, "eim.example", 11, total, now), IPA_OK);
    fill(total, '0');
}

/* --- messages --- */

static int parses(const char *hex, struct ipa_coap_msg *m) {
    static uint8_t data[512];
    return ipa_coap_parse(m, data, unhex(hex, data));
}

static uint32_t option_of(const struct ipa_coap_msg *m, uint16_t number, size_t *len) {
    struct ipa_coap_option at;
    uint32_t value = 0;
    ipa_coap_options(&at, m);
    while (ipa_coap_next(&at) == 1) {
        if (at.number != number) continue;
        *len = at.len;
        (void)ipa_coap_uint(&at, 4, &value);
        return value;
    }
    *len = 99;
    return 0;
}

TEST(coap_reads_V1_to_V4) {
    struct ipa_coap_msg m;
    CHECK_INT(parses("41017d3471bb2e77656c6c2d6b6e6f776e04636f7265", &m), IPA_OK);
    CHECK(m.type == IPA_COAP_CON && m.code == 1 && m.mid == 0x7d34 && m.token_len == 1 && m.token[0] == 0x71 && m.payload_len == 0);
    struct ipa_coap_option at;
    ipa_coap_options(&at, &m);
    CHECK_INT(ipa_coap_next(&at), 1);
    CHECK(at.number == IPA_COAP_URI_PATH && at.len == 11 && memcmp(at.value, ".well-known", 11) == 0);
    CHECK_INT(ipa_coap_next(&at), 1);
    CHECK(at.number == IPA_COAP_URI_PATH && at.len == 4);
    CHECK_INT(ipa_coap_next(&at), 0);
    size_t len;
    CHECK_INT(parses("61457d3471c128ff3c2f613e", &m), IPA_OK);
    CHECK(m.type == IPA_COAP_ACK && m.code == IPA_COAP_CODE(2, 5) && option_of(&m, IPA_COAP_CONTENT_FORMAT, &len) == 40);
    CHECK_BYTES(m.payload, m.payload_len, "</a>", 4);
    CHECK_INT(parses("60001234", &m), IPA_OK);
    CHECK(m.type == IPA_COAP_ACK && m.code == IPA_COAP_EMPTY && m.mid == 0x1234);
    CHECK_INT(parses("70001235", &m), IPA_OK);
    CHECK(m.type == IPA_COAP_RST);
}

TEST(coap_reads_V11_to_V13_with_long_options) {
    struct ipa_coap_msg m;
    struct ipa_coap_option at;
    struct ipa_coap_block block;
    size_t len;
    char v11[800] = "5003ffffbe001f";
    for (int i = 0; i < 300; i++) strcat(v11, "78");
    strcat(v11, "436b3d76ff00");
    CHECK_INT(parses(v11, &m), IPA_OK);
    CHECK(m.type == IPA_COAP_NON && m.mid == 0xffff && m.payload_len == 1 && m.payload[0] == 0);
    ipa_coap_options(&at, &m);
    CHECK_INT(ipa_coap_next(&at), 1);
    CHECK(at.number == 11 && at.len == 300);
    CHECK_INT(ipa_coap_next(&at), 1);
    CHECK(at.number == 15 && at.len == 3);
    CHECK_INT(parses("42020201b1b2b161d30301388ed1fc07ffaa", &m), IPA_OK);
    ipa_coap_options(&at, &m);
    CHECK(ipa_coap_next(&at) == 1 && ipa_coap_next(&at) == 1 && at.number == IPA_COAP_BLOCK1);
    CHECK_INT(ipa_coap_block(&at, &block), IPA_OK);
    CHECK(block.num == 5000 && block.more == 1 && block.szx == 6);
    CHECK(option_of(&m, IPA_COAP_REQUEST_TAG, &len) == 7 && len == 1);
    CHECK_INT(parses("618d0202b3d10e04d2144000", &m), IPA_OK);
    CHECK(m.code == IPA_COAP_TOO_LARGE && option_of(&m, IPA_COAP_SIZE1, &len) == 16384 && option_of(&m, IPA_COAP_BLOCK1, &len) == 4);
}

TEST(coap_writes_V5_as_it_is) {
    uint8_t data[128], want[128], token = 0xA1;
    const struct ipa_coap_block block = {0, 1, 0};
    struct ipa_coap_writer w = {data, sizeof data, 0, 0, 0};
    ipa_coap_write_header(&w, IPA_COAP_CON, IPA_COAP_POST, 0x0101, &token, 1);
    ipa_coap_write_option(&w, IPA_COAP_URI_HOST, "eim.example", 11);
    ipa_coap_write_option(&w, IPA_COAP_URI_PATH, "a", 1);
    ipa_coap_write_option(&w, IPA_COAP_URI_PATH, "bc", 2);
    ipa_coap_write_uint(&w, IPA_COAP_CONTENT_FORMAT, 42);
    ipa_coap_write_block(&w, IPA_COAP_BLOCK1, &block);
    ipa_coap_write_uint(&w, IPA_COAP_SIZE1, 40);
    ipa_coap_write_payload(&w, "0123456789abcdef", 16);
    size_t len = unhex("41020101a13b65696d2e6578616d706c658161026263112ad10208d11428ff30313233343536373839616263646566", want);
    CHECK_BYTES(data, w.len, want, len);
    CHECK(!w.failed);
    for (size_t cap = 0; cap < len; cap++) {
        struct ipa_coap_writer tight = {data, cap, 0, 0, 0};
        ipa_coap_write_header(&tight, IPA_COAP_CON, IPA_COAP_POST, 0x0101, &token, 1);
        ipa_coap_write_option(&tight, IPA_COAP_URI_HOST, want, len);
        CHECK(tight.failed && tight.len <= cap);
    }
}

TEST(coap_refuses_every_negative_vector) {
    struct ipa_coap_msg m;
    CHECK_INT(parses("4001", &m), IPA_ERR_UNSUPPORTED);
    CHECK_INT(parses("490100010102030405060708ab", &m), IPA_ERR_PROTOCOL);
    CHECK_INT(parses("80010001", &m), IPA_ERR_UNSUPPORTED);
    CHECK_INT(parses("40010001ff", &m), IPA_ERR_PROTOCOL);
    CHECK_INT(parses("40010001f0", &m), IPA_ERR_PROTOCOL);
    CHECK_INT(parses("400100011f", &m), IPA_ERR_PROTOCOL);
    CHECK_INT(parses("4001000113aa", &m), IPA_ERR_PROTOCOL);
    CHECK_INT(parses("4100000011", &m), IPA_ERR_PROTOCOL);
    CHECK_INT(parses("4000000011", &m), IPA_ERR_PROTOCOL);
    CHECK_INT(parses("40200001", &m), IPA_ERR_PROTOCOL);          /* class 1 */
    CHECK_INT(parses("40c00001", &m), IPA_ERR_PROTOCOL);          /* class 6 */
    CHECK_INT(parses("40e10001", &m), IPA_ERR_PROTOCOL);          /* class 7 */
    CHECK_INT(parses("44010001aabb", &m), IPA_ERR_PROTOCOL);      /* token cut short */
    CHECK_INT(parses("40010001e0ffff", &m), IPA_ERR_PROTOCOL);    /* option number above 65535 */
    CHECK_INT(parses("40010001d0", &m), IPA_ERR_PROTOCOL);        /* extension missing */
    CHECK_INT(parses("40010001e000", &m), IPA_ERR_PROTOCOL);
}

TEST(coap_refuses_every_truncation_of_V8_or_reads_less) {
    uint8_t data[128];
    struct ipa_coap_msg m;
    size_t len = unhex("61440103a342c0de812ab10841201114ff4142434445464748494a4b4c4d4e4f50", data);
    for (size_t cut = 0; cut < len; cut++) {
        uint8_t *exact = malloc(cut == 0 ? 1 : cut);   /* the sanitizer sees an octet too far */
        memcpy(exact, data, cut);
        int err = ipa_coap_parse(&m, exact, cut);
        CHECK(err < 0 || m.payload_len < 16);
        free(exact);
    }
}

TEST(coap_refuses_a_block_of_szx_7_or_4_octets) {
    uint8_t four[4] = {0, 0, 0, 0}, seven = 0x17;
    struct ipa_coap_block block;
    struct ipa_coap_option at = {IPA_COAP_BLOCK1, &seven, 1, NULL, NULL};
    CHECK_INT(ipa_coap_block(&at, &block), IPA_ERR_PROTOCOL);
    at.value = four;
    at.len = 4;
    CHECK_INT(ipa_coap_block(&at, &block), IPA_ERR_PROTOCOL);
}

/* --- exchange --- */

/* V5, V7 and V9 with what this client adds: Request-Tag A1, and Block2 0/0/0 in the last block, since its blocks are small. */
TEST(coap_exchange_of_V5_to_V10) {
    ask_blocks(40);
    expect("41020101a13b65696d2e6578616d706c658161026263112ad10208d11428d1dba1ff303132333435363738393a3b3c3d3e3f");
    feed("615f0101a1d10e08");
    CHECK_INT(ipa_coap_write(&c, (const uint8_t *)"QQQQQQQQQQQQQQQQ", 16), 16);
    expect("41020102a23b65696d2e6578616d706c658161026263112ad10218d1fca1ff51515151515151515151515151515151");
    feed("615f0102a2d10e18");
    CHECK_INT(ipa_coap_write(&c, (const uint8_t *)"wxyzABCD", 8), 8);
    expect("41020103a33b65696d2e6578616d706c658161026263112ab04120d1fca1ff7778797a41424344");
    feed("61440103a342c0de812ab10841201114ff4142434445464748494a4b4c4d4e4f50");
    CHECK_INT(ipa_coap_read(&c, got, 10, &about), 10);
    CHECK(about.code == 204 && !about.last);
    CHECK_INT(ipa_coap_read(&c, got + 10, 10, &about), 6);
    CHECK(!about.last);
    expect("41020104a43b65696d2e6578616d706c658161026263c110e10000a1");
    feed("61440104a442c0de812ab110ff51525354");
    CHECK_INT(ipa_coap_read(&c, got + 16, 10, &about), 4);
    CHECK(about.code == 204 && about.last);
    CHECK_BYTES(got, 20, "ABCDEFGHIJKLMNOPQRST", 20);
}

TEST(coap_small_request_has_no_block_options) {
    begin(2);
    fill(2, 0x55);
    expect("41020101a1b467736d61 0472737032 0461736e31 ff5556");
    feed("61450101a1ff0102");
    CHECK_INT(answer(), 2);
    CHECK(about.code == 205 && about.last && got[0] == 1);
}

TEST(coap_request_without_body) {
    begin(0);
    expect("41020101a1b467736d61 0472737032 0461736e31");
    feed("61440101a1");
    CHECK_INT(answer(), 0);
    CHECK(about.code == 204 && about.last);
}

TEST(coap_retransmits_the_same_datagram_with_doubled_timeouts_and_gives_up) {
    uint8_t first[64];
    ask();
    memcpy(first, sent, sent_len);
    size_t first_len = sent_len;
    uint32_t timeout = ipa_coap_wait(&c, now);
    CHECK(timeout >= 2000 && timeout <= 3000);
    for (int i = 0; i < 4; i++) {
        now += timeout - 1;
        CHECK_INT(out(), 0);
        now += 1;
        CHECK(out() > 0);
        CHECK_BYTES(sent, sent_len, first, first_len);
        timeout *= 2;
        CHECK_INT(ipa_coap_wait(&c, now), timeout);
    }
    CHECK_INT(failure(), IPA_AGAIN);
    now += timeout;
    CHECK_INT(out(), 0);
    CHECK_INT(failure(), IPA_ERR_TIMEOUT);
    CHECK_INT(ipa_coap_unheard(&c), 5);
}

TEST(coap_first_timeout_is_spread_up_to_the_random_factor) {
    uint32_t low = UINT32_MAX, high = 0;
    ipa_coap_init(&c, &config, 99);
    for (int i = 0; i < 500; i++) {
        CHECK_INT(ipa_coap_begin(&c, "", 0, 0, 0), IPA_OK);
        now = 0;
        CHECK(out() > 0);
        uint32_t timeout = ipa_coap_wait(&c, 0);
        if (timeout < low) low = timeout;
        if (timeout > high) high = timeout;
    }
    CHECK(low >= 2000 && low < 2050);
    CHECK(high <= 3000 && high > 2950);
}

TEST(coap_next_timeout_is_three_round_trips_when_they_are_long) {
    ask();
    now += 1900;
    feed("61450101a1ff01");
    CHECK_INT(answer(), 1);
    CHECK_INT(ipa_coap_begin(&c, "", 0, 0, now), IPA_OK);
    CHECK(out() > 0);
    uint32_t timeout = ipa_coap_wait(&c, now);
    CHECK(timeout >= 5700 && timeout <= 8550);
}

TEST(coap_a_retransmitted_message_measures_no_round_trip) {
    ask();
    now += 3000;
    CHECK(out() > 0);
    feed("61450101a1ff01");
    CHECK_INT(c.smoothed_rtt, 0);
}

TEST(coap_takes_a_separate_response_and_acknowledges_it_every_time) {
    ask();
    feed("60000101");
    now += 60000;
    CHECK_INT(out(), 0);
    feed("41457777a1ff09");
    expect("60007777");
    CHECK_INT(answer(), 1);
    CHECK(about.last && got[0] == 9);
    feed("41457777a1ff09");
    expect("60007777");
    feed("41457778a1ff09");
    expect("70007778");
}

TEST(coap_gives_up_when_no_separate_response_comes) {
    ask();
    feed("60000101");
    now += 89999;
    CHECK_INT(out(), 0);
    CHECK_INT(failure(), IPA_AGAIN);
    now += 1;
    out();
    CHECK_INT(failure(), IPA_ERR_TIMEOUT);
    CHECK_INT(ipa_coap_unheard(&c), 0);
}

TEST(coap_takes_a_response_that_comes_before_the_ack) {
    ask();
    feed("41457777a1ff09");
    expect("60007777");
    CHECK_INT(answer(), 1);
    feed("60000101");
    CHECK_INT(out(), 0);
}

TEST(coap_takes_a_non_confirmable_response) {
    ask();
    feed("51457777a1ff09");
    CHECK_INT(out(), 0);
    CHECK_INT(answer(), 1);
}

TEST(coap_answers_a_ping_and_whatever_it_did_not_ask_for_with_rst) {
    ask();
    feed("40005555");
    expect("70005555");
    feed("40015556");            /* a GET */
    expect("70005556");
    feed("41455557a2ff00");      /* another token */
    expect("70005557");
    feed("51455558a2ff00");
    CHECK_INT(out(), 0);
    feed("61450102a1ff00");      /* another message ID */
    feed("61450101a2ff00");      /* another token */
    feed("61450101ff00");        /* no token */
    feed("6245010100a1ff00");    /* a longer one */
    CHECK_INT(failure(), IPA_AGAIN);
    feed("61450101a1ff01");
    CHECK_INT(answer(), 1);
}

TEST(coap_rst_ends_the_exchange) {
    ask();
    feed("70000100");
    CHECK_INT(failure(), IPA_AGAIN);
    feed("70000101");
    CHECK_INT(failure(), IPA_ERR_PROTOCOL);
}

TEST(coap_malformed_con_gets_rst_and_malformed_ack_nothing) {
    const char *tails[] = {"ff", "f0", "1f", "13aa", "e0ffff", "d0"};
    for (size_t i = 0; i < 6; i++) {
        char con[32] = "41457777a1", ack[32] = "61450101a1";
        ask();
        feed(strcat(ack, tails[i]));
        CHECK_INT(out(), 0);
        feed(strcat(con, tails[i]));
        expect("70007777");
        CHECK_INT(failure(), IPA_AGAIN);
    }
    feed("81450101a1");
    feed("4145");
    CHECK_INT(out(), 0);
}

TEST(coap_unknown_critical_option_is_rejected_and_elective_ignored) {
    ask();
    feed("61450101a191 00ff01");            /* 9 */
    CHECK_INT(failure(), IPA_ERR_PROTOCOL);
    ask();
    feed("41457777a19100ff01");
    expect("70007777");
    CHECK_INT(failure(), IPA_ERR_PROTOCOL);
    ask();
    feed("61450101a1a100ff01");             /* 10 */
    CHECK_INT(answer(), 1);
    ask();
    feed("61450101a1b100ff01");             /* Uri-Path in a response */
    CHECK_INT(failure(), IPA_ERR_PROTOCOL);
    ask();
    feed("61450101a1d10a06 0106ff01");      /* Block2 twice */
    CHECK_INT(failure(), IPA_ERR_PROTOCOL);
}

TEST(coap_error_code_and_max_age_reach_the_caller) {
    ask();
    feed("61a30101a1d10178ff6e6f");         /* 5.03, Max-Age 120 */
    CHECK_INT(answer(), 2);
    CHECK(about.code == 503 && about.retry_after_s == 120 && about.last);
    ask();
    feed("619d0101a1d1011e");               /* 4.29, Max-Age 30 */
    CHECK_INT(answer(), 0);
    CHECK(about.code == 429 && about.retry_after_s == 30);
    ask();
    feed("61840101a1d1011e");               /* 4.04: Max-Age is about caching */
    CHECK_INT(answer(), 0);
    CHECK(about.code == 404 && about.retry_after_s == 0);
}

TEST(coap_repeats_a_request_with_echo_once) {
    ask();
    feed("61810101a1dcefc0ffee00112233445566 7788");
    expect("41020102a2b467736d61 0472737032 0461736e31 dce4c0ffee001122334455667788 ff5556");
    feed("61810102a2dcefc0ffee001122334455667788");
    CHECK_INT(answer(), 0);
    CHECK_INT(about.code, 401);
}

TEST(coap_a_new_exchange_refuses_answers_to_the_old_one) {
    ask();
    CHECK_INT(ipa_coap_begin(&c, "", 0, 0, now), IPA_OK);
    CHECK(out() > 0);
    feed("61450101a1ff01");
    CHECK_INT(failure(), IPA_AGAIN);
    feed("41457777a1ff01");
    expect("70007777");
    feed("61450102a2ff01");
    CHECK_INT(answer(), 1);
}

TEST(coap_long_host_name_is_refused) {
    char host[300];
    memset(host, 'h', sizeof host);
    ipa_coap_init(&c, &config, 1);
    CHECK_INT(ipa_coap_begin(&c, host, 256, 0, 0), IPA_ERR_NO_MEM);
    CHECK_INT(ipa_coap_begin(&c, host, 80, 40, 0), IPA_OK);
    CHECK_INT(ipa_coap_begin(&c, host, 100, 40, 0), IPA_ERR_NO_MEM);
}

TEST(coap_more_body_than_announced_is_refused) {
    begin(2);
    CHECK_INT(ipa_coap_write(&c, (const uint8_t *)"abc", 3), IPA_ERR_INVALID);
}

TEST(coap_an_exchange_has_a_longest_time) {
    ask_blocks(40);
    CHECK(out() > 0);
    now += 3600001;
    out();
    CHECK_INT(failure(), IPA_ERR_TIMEOUT);
}

TEST(coap_an_unanswered_first_message_can_move_to_a_new_connection) {
    ask();
    CHECK_INT(ipa_coap_unheard(&c), 1);
    now += 3000;
    CHECK(out() > 0);
    CHECK_INT(ipa_coap_unheard(&c), 2);
    ipa_coap_again(&c);
    expect("41020102a2b467736d61 0472737032 0461736e31 ff5556");
    feed("60000102");
    CHECK_INT(ipa_coap_unheard(&c), 0);
}

/* --- Block1 --- */

static void expect_block1(uint32_t num, int more, uint8_t szx, uint32_t tag) {
    struct ipa_coap_msg m;
    size_t len;
    CHECK(out() > 0);
    CHECK_INT(ipa_coap_parse(&m, sent, sent_len), IPA_OK);
    CHECK_INT(option_of(&m, IPA_COAP_BLOCK1, &len), num << 4 | (uint32_t)more << 3 | szx);
    CHECK_INT(option_of(&m, IPA_COAP_REQUEST_TAG, &len), tag);
}

/* As many blocks of 1024 as total has; the first is on its way. */
static void ask_large(uint32_t total) {
    begin(total);
    fill(total, 0);
}

TEST(coap_goes_on_with_the_servers_smaller_szx_from_the_offset_reached) {
    ask_large(2048);
    expect_block1(0, 1, 6, 0xA1);
    feed("615f0101a1d10e0d");                /* NUM 0, M 1, SZX 5 */
    CHECK_INT(ipa_coap_write(&c, got, 1024), 512);
    expect_block1(2, 1, 5, 0xA1);
    feed("615f0102a2d10e2c");                /* NUM 2, SZX 4 */
    CHECK_INT(ipa_coap_write(&c, got, 512), 256);
    expect_block1(6, 1, 4, 0xA1);
}

TEST(coap_begins_anew_with_smaller_blocks_after_413_to_the_first) {
    uint8_t first[1024];
    ask_large(2048);
    expect_block1(0, 1, 6, 0xA1);
    memcpy(first, sent + sent_len - 1024, 1024);
    feed("618d0101a1d10e04d2144000");        /* V13 to our message: SZX 4, Size1 16384 */
    for (uint32_t i = 0; i < 4; i++) {
        char ack[32];
        expect_block1(i, 1, 4, 0xA2);
        CHECK_BYTES(sent + sent_len - 256, 256, first + 256 * i, 256);
        snprintf(ack, sizeof ack, "615f%04x%02xd10e%02x", 0x102 + i, 0xa2 + i, i << 4 | 0xc);
        feed(ack);
    }
    CHECK_INT(ipa_coap_write(&c, got, 1024), 256);
    expect_block1(4, 1, 4, 0xA2);
    /* And remembers it for the next body. */
    CHECK_INT(ipa_coap_begin(&c, "", 0, 2048, now), IPA_OK);
    fill(256, 0);
    expect_block1(0, 1, 4, 0xA7);
}

TEST(coap_413_without_a_smaller_block_is_too_large) {
    ask_large(2048);
    CHECK(out() > 0);
    feed("618d0101a1d10e06");
    CHECK_INT(failure(), IPA_ERR_TOO_LARGE);
    ask_large(2048);
    CHECK(out() > 0);
    feed("618d0101a1d10e04d21403ff");        /* smaller blocks won't help: 1023 octets in all */
    CHECK_INT(failure(), IPA_ERR_TOO_LARGE);
    ask();
    feed("618d0101a1");
    CHECK_INT(failure(), IPA_ERR_TOO_LARGE);
}

TEST(coap_408_tells_the_caller_to_begin_anew) {
    ask_large(2048);
    CHECK(out() > 0);
    feed("61880101a1");
    CHECK_INT(failure(), IPA_ERR_RESTART);
    CHECK_INT(ipa_coap_write(&c, got, 10), IPA_ERR_RESTART);
}

TEST(coap_refuses_an_answer_that_does_not_fit_the_block) {
    const char *wrong[] = {
        "615f0101a1d10e1e",      /* NUM 1 */
        "615f0101a1",            /* no Block1 */
        "61440101a1d10e0e",      /* 2.04 before the end */
        "615f0101a1d10e0f",      /* SZX 7 */
        "61450101a1ff01",
    };
    for (size_t i = 0; i < 5; i++) {
        ask_large(2048);
        CHECK(out() > 0);
        feed(wrong[i]);
        CHECK_INT(failure(), IPA_ERR_PROTOCOL);
    }
    ask_blocks(40);
    CHECK(out() > 0);
    feed("615f0101a1d10e09");    /* SZX 1, asked with 0 */
    CHECK_INT(failure(), IPA_ERR_PROTOCOL);
    ask();
    feed("615f0101a1d10e06");    /* 2.31 to the whole request */
    CHECK_INT(failure(), IPA_ERR_PROTOCOL);
}

TEST(coap_an_early_refusal_is_the_answer_and_the_rest_is_dropped) {
    ask_large(3000);
    CHECK(out() > 0);
    feed("61830101a1ff6e6f");    /* 4.03 */
    CHECK_INT(ipa_coap_write(&c, got, 1976), 1976);
    CHECK_INT(out(), 0);
    CHECK_INT(answer(), 2);
    CHECK(about.code == 403 && about.last);
}

TEST(coap_every_body_has_its_own_request_tag) {
    static uint8_t body[4096];
    struct echo_server s;
    memset(&s, 0, sizeof s);
    s.body = body;
    s.cap = sizeof body;
    s.szx = s.szx_down = 6;
    ipa_coap_init(&c, &config, 7);
    for (unsigned i = 0; i < 5; i++) {
        uint8_t reply[1400];
        CHECK_INT(ipa_coap_begin(&c, "", 0, 2048, 0), IPA_OK);
        fill(1024, 0);
        now = 0;
        CHECK(out() > 0);
        CHECK(echo_serve(&s, sent, sent_len, reply, sizeof reply) > 0);
        for (unsigned k = 0; k < i; k++) CHECK(s.tags[k] != s.tags[i]);
    }
    CHECK(s.wrong == NULL);
}

/* --- Block2 --- */

TEST(coap_asks_for_the_next_block_with_the_servers_smaller_szx) {
    ask();
    char first[2200] = "61450101a1d10a0dff";      /* Block2 NUM 0 M 1 SZX 5 */
    for (int i = 0; i < 512; i++) strcat(first, "aa");
    feed(first);
    CHECK_INT(answer(), 512);
    CHECK(!about.last);
    expect("41020102a2b467736d61 0472737032 0461736e31 c115");
    char second[800] = "61450102a2d10a2cff";      /* NUM 2 M 1 SZX 4: offset 512 too */
    for (int i = 0; i < 256; i++) strcat(second, "bb");
    feed(second);
    CHECK_INT(answer(), 256);
    expect("41020103a3b467736d61 0472737032 0461736e31 c134");
    feed("61450103a3d10a34ffcc");
    CHECK_INT(answer(), 1);
    CHECK(about.last);
}

static void first_of_two(const char *options) {
    static char message[2200];
    ask();
    strcpy(message, "61450101a1");
    strcat(message, options);
    strcat(message, "ff");
    for (int i = 0; i < 16; i++) strcat(message, "aa");
    feed(message);
}

TEST(coap_refuses_a_wrong_first_block) {
    const char *wrong[] = {"d10a18" /* NUM 1 */, "d10a09" /* M 1, but 16 of 32 octets */, "d10a0f" /* SZX 7 */};
    for (size_t i = 0; i < 3; i++) {
        first_of_two(wrong[i]);
        CHECK_INT(failure(), IPA_ERR_PROTOCOL);
    }
    ask_blocks(2);
    CHECK(out() > 0);
    feed("61450101a1d10a09ffaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    CHECK_INT(failure(), IPA_ERR_PROTOCOL);         /* larger than asked for */
}

TEST(coap_refuses_a_wrong_further_block) {
    const struct { const char *message; int error; } cases[] = {
        {"61450102a242c0dfd10610ffbb", IPA_ERR_RESTART},       /* another ETag */
        {"61450102a2d10a10ffbb", IPA_ERR_RESTART},             /* none */
        {"61450102a242c0ded10620ffbb", IPA_ERR_PROTOCOL},      /* NUM 2 */
        {"61450102a242c0deffbb", IPA_ERR_PROTOCOL},            /* no Block2 */
        {"61440102a242c0ded10610ffbb", IPA_ERR_PROTOCOL},      /* 2.04 instead of 2.05 */
        {"61880102a2", IPA_ERR_RESTART},                       /* 4.08 */
        {"61a30102a2", IPA_ERR_RESTART},                       /* 5.03 */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        first_of_two("42c0ded10608");
        CHECK_INT(answer(), 16);
        CHECK(out() > 0);
        feed(cases[i].message);
        CHECK_INT(failure(), cases[i].error);
    }
    first_of_two("42c0ded10608");
    CHECK_INT(answer(), 16);
    CHECK(out() > 0);
    feed("61450102a242c0ded10610ffbb");
    CHECK_INT(answer(), 1);
}

TEST(coap_bounds_the_size_of_an_answer) {
    struct ipa_coap_config bounded = config;
    bounded.body_max = 16;
    ask();
    c.config = &bounded;
    feed("61450101a1ff0102030405060708090a0b0c0d0e0f1011");
    CHECK_INT(failure(), IPA_ERR_TOO_LARGE);
    first_of_two("");
    CHECK_INT(answer(), 16);
    ask();
    c.config = &bounded;
    feed("61450101a1d10a085111ff0102030405060708090a0b0c0d0e0f10");   /* Size2 17 */
    CHECK_INT(failure(), IPA_ERR_TOO_LARGE);
}

TEST(coap_waits_in_the_socket_while_an_answer_is_unread) {
    size_t cap;
    ask();
    feed("61450101a1ff0102");
    CHECK(ipa_coap_input_buffer(&c, &cap) == NULL);
    CHECK_INT(answer(), 2);
    CHECK(ipa_coap_input_buffer(&c, &cap) != NULL && cap == sizeof c.rx);
}

/* --- bodies of any size in pieces of any size --- */

static void round_trip(struct echo_server *s, const struct ipa_coap_config *use, size_t total, size_t piece) {
    static uint8_t request[5000], back[5000];
    size_t put = 0, taken = 0;
    for (size_t i = 0; i < total; i++) request[i] = (uint8_t)(i * 7 + (i >> 8));
    ipa_coap_init(&c, use, 3);
    CHECK_INT(ipa_coap_begin(&c, "eim.example", 11, (uint32_t)total, now), IPA_OK);
    memset(&about, 0, sizeof about);
    for (int turns = 0; turns < 20000 && !about.last; turns++) {
        if (put < total) {
            int n = ipa_coap_write(&c, request + put, total - put < piece ? total - put : piece);
            if (n > 0) put += (size_t)n;
        } else {
            int n = ipa_coap_read(&c, back + taken, piece, &about);
            if (n > 0) taken += (size_t)n;
        }
        if (out() > 0) {
            size_t cap;
            uint8_t *buffer = ipa_coap_input_buffer(&c, &cap);
            ipa_coap_input(&c, echo_serve(s, sent, sent_len, buffer, cap), now);
        }
    }
    CHECK(s->wrong == NULL);
    if (s->wrong != NULL) printf("# server: %s\n", s->wrong);
    CHECK(about.last && about.code == 205);
    CHECK_BYTES(back, taken, request, total);
}

TEST(coap_bodies_arrive_whole_at_every_block_size_and_split) {
    static uint8_t body[5000];
    const size_t totals[] = {1, 15, 16, 17, 64, 1023, 1024, 1025, 2048, 3000};
    const size_t pieces[] = {1, 7, 16, 255, 1024, 5000};
    for (uint8_t szx = 0; szx <= 6; szx++) {
        for (size_t t = 0; t < 10; t++) {
            for (size_t p = 0; p < 6; p++) {
                struct ipa_coap_config use = config;
                struct echo_server s = {szx, (uint8_t)(6 - szx), body, 0, sizeof body, UINT32_MAX, 0, 0, {0}, NULL};
                use.szx = (uint8_t)(szx % 2 == 0 ? 6 : szx);
                round_trip(&s, &use, totals[t], pieces[p]);
            }
        }
    }
}

TEST(coap_tokens_are_a_counter_of_as_many_octets_as_it_needs) {
    ipa_coap_init(&c, &config, 7);
    for (uint32_t i = 0; i < 300; i++) {
        CHECK_INT(ipa_coap_begin(&c, "", 0, 0, 0), IPA_OK);
        CHECK_INT(c.token_len, i < 256 ? 1 : 2);
        CHECK_INT(c.token[c.token_len - 1], i & 255);
    }
    struct ipa_coap_config plain = config;
    plain.token_min = 4;
    ipa_coap_init(&c, &plain, 7);
    CHECK_INT(ipa_coap_begin(&c, "", 0, 0, 0), IPA_OK);
    CHECK_INT(c.token_len, 4);
}

int main(void) {
    RUN(coap_reads_V1_to_V4);
    RUN(coap_reads_V11_to_V13_with_long_options);
    RUN(coap_writes_V5_as_it_is);
    RUN(coap_refuses_every_negative_vector);
    RUN(coap_refuses_every_truncation_of_V8_or_reads_less);
    RUN(coap_refuses_a_block_of_szx_7_or_4_octets);
    RUN(coap_exchange_of_V5_to_V10);
    RUN(coap_small_request_has_no_block_options);
    RUN(coap_request_without_body);
    RUN(coap_retransmits_the_same_datagram_with_doubled_timeouts_and_gives_up);
    RUN(coap_first_timeout_is_spread_up_to_the_random_factor);
    RUN(coap_next_timeout_is_three_round_trips_when_they_are_long);
    RUN(coap_a_retransmitted_message_measures_no_round_trip);
    RUN(coap_takes_a_separate_response_and_acknowledges_it_every_time);
    RUN(coap_gives_up_when_no_separate_response_comes);
    RUN(coap_takes_a_response_that_comes_before_the_ack);
    RUN(coap_takes_a_non_confirmable_response);
    RUN(coap_answers_a_ping_and_whatever_it_did_not_ask_for_with_rst);
    RUN(coap_rst_ends_the_exchange);
    RUN(coap_malformed_con_gets_rst_and_malformed_ack_nothing);
    RUN(coap_unknown_critical_option_is_rejected_and_elective_ignored);
    RUN(coap_error_code_and_max_age_reach_the_caller);
    RUN(coap_repeats_a_request_with_echo_once);
    RUN(coap_a_new_exchange_refuses_answers_to_the_old_one);
    RUN(coap_long_host_name_is_refused);
    RUN(coap_more_body_than_announced_is_refused);
    RUN(coap_an_exchange_has_a_longest_time);
    RUN(coap_an_unanswered_first_message_can_move_to_a_new_connection);
    RUN(coap_goes_on_with_the_servers_smaller_szx_from_the_offset_reached);
    RUN(coap_begins_anew_with_smaller_blocks_after_413_to_the_first);
    RUN(coap_413_without_a_smaller_block_is_too_large);
    RUN(coap_408_tells_the_caller_to_begin_anew);
    RUN(coap_refuses_an_answer_that_does_not_fit_the_block);
    RUN(coap_an_early_refusal_is_the_answer_and_the_rest_is_dropped);
    RUN(coap_every_body_has_its_own_request_tag);
    RUN(coap_asks_for_the_next_block_with_the_servers_smaller_szx);
    RUN(coap_refuses_a_wrong_first_block);
    RUN(coap_refuses_a_wrong_further_block);
    RUN(coap_bounds_the_size_of_an_answer);
    RUN(coap_waits_in_the_socket_while_an_answer_is_unread);
    RUN(coap_bodies_arrive_whole_at_every_block_size_and_split);
    RUN(coap_tokens_are_a_counter_of_as_many_octets_as_it_needs);
    return check_end();
}
