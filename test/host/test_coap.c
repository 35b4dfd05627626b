/*
 * The CoAP client (host/link/coap.h) against messages written by hand: RFC 7252 3 to 5, RFC 9175; vectors V1 to V13 and the negative
 * inputs of coap-dtls 3. Bodies in blocks: test_coap_block.c.
 *
 * sources: host/link/coap.c host/link/coap_block.c host/link/coap_msg.c
 */
#include "check.h"
#include "coap_bench.h"

/* --- messages --- */

static int parses(const char *hex, struct ipa_coap_msg *m) {
    static uint8_t data[512];
    return ipa_coap_parse(m, data, unhex(hex, data));
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
    RUN(coap_tokens_are_a_counter_of_as_many_octets_as_it_needs);
    return check_end();
}
