/*
 * Bodies in blocks (host/link/coap_block.c; RFC 7959, RFC 9175 3): what a server may answer to each block, and bodies of any size in
 * pieces of any size.
 *
 * sources: host/link/coap.c host/link/coap_block.c host/link/coap_msg.c
 */
#include "check.h"
#include "coap_bench.h"

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

TEST(coap_blocks_fit_the_largest_datagram_of_the_way) {
    begin(2048);
    ipa_coap_limit(&c, 970);
    CHECK_INT(ipa_coap_begin(&c, "eim.example.com", 15, 2048, now), IPA_OK);
    fill(2048, 0);
    expect_block1(0, 1, 5, 0xA1);
    CHECK(sent_len <= 970);
    ipa_coap_limit(&c, 1200);
    CHECK_INT(ipa_coap_begin(&c, "eim.example.com", 15, 2048, now), IPA_OK);
    fill(2048, 0);
    expect_block1(0, 1, 6, 0xA2);
    CHECK(sent_len <= 1200);
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

int main(void) {
    RUN(coap_goes_on_with_the_servers_smaller_szx_from_the_offset_reached);
    RUN(coap_begins_anew_with_smaller_blocks_after_413_to_the_first);
    RUN(coap_413_without_a_smaller_block_is_too_large);
    RUN(coap_408_tells_the_caller_to_begin_anew);
    RUN(coap_refuses_an_answer_that_does_not_fit_the_block);
    RUN(coap_an_early_refusal_is_the_answer_and_the_rest_is_dropped);
    RUN(coap_blocks_fit_the_largest_datagram_of_the_way);
    RUN(coap_every_body_has_its_own_request_tag);
    RUN(coap_asks_for_the_next_block_with_the_servers_smaller_szx);
    RUN(coap_refuses_a_wrong_first_block);
    RUN(coap_refuses_a_wrong_further_block);
    RUN(coap_bounds_the_size_of_an_answer);
    RUN(coap_waits_in_the_socket_while_an_answer_is_unread);
    RUN(coap_bodies_arrive_whole_at_every_block_size_and_split);
    return check_end();
}
