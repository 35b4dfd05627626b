/*
 * For tests of the CoAP client by hand-made messages: one client on a virtual clock, what it sends, what it is fed.
 * Include check.h first.
 */
#ifndef COAP_BENCH_H
#define COAP_BENCH_H

#include "coap_kit.h"

static struct ipa_answer about;
static uint8_t got[4096];

static struct ipa_coap_config config = {
    "gsma/rsp2/asn1", -1, 2000, 1500, 4, 90000, 3600000, 100000, 6, 1, 0,
};

static struct ipa_coap c;
static uint32_t now;
static uint8_t sent[1400];
static size_t sent_len;

static inline void begin(uint32_t total) {
    now = 0xFFFFF000u;    /* the clock wraps while the tests run */
    ipa_coap_init(&c, &config, 0x1234);
    c.next_mid = 0x0101;
    c.next_token = 0xA1;
    CHECK_INT(ipa_coap_begin(&c, "", 0, total, now), IPA_OK);
}

static inline void fill(uint32_t total, uint8_t first) {
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
static inline size_t out(void) {
    const uint8_t *p = ipa_coap_output(&c, &sent_len, now);
    if (p == NULL) return sent_len = 0;
    memcpy(sent, p, sent_len);
    ipa_coap_sent(&c, now);
    return sent_len;
}

static inline void expect(const char *hex) {
    uint8_t want[1400];
    size_t len = unhex(hex, want);
    out();
    CHECK_BYTES(sent, sent_len, want, len);
}

static inline void feed(const char *hex) {
    size_t cap = 0;
    uint8_t *buffer = ipa_coap_input_buffer(&c, &cap);
    CHECK(buffer != NULL);
    if (buffer != NULL) ipa_coap_input(&c, unhex(hex, buffer), now);
}

static inline int failure(void) {
    uint8_t octet;
    struct ipa_answer about;
    return ipa_coap_read(&c, &octet, 1, &about);
}

static inline int answer(void) {
    return ipa_coap_read(&c, got, sizeof got, &about);
}

/* A small request on its way: MID 0101, token A1. */
static inline void ask(void) {
    begin(2);
    fill(2, 0x55);
    CHECK(out() > 0);
}

/* A request of 3 blocks of 16 octets and 8 more, its first block on its way. */
static struct ipa_coap_config small = {"a/bc", 42, 2000, 1500, 4, 90000, 3600000, 100000, 0, 1, 0};
static inline void ask_blocks(uint32_t total) {
    now = 5;
    ipa_coap_init(&c, &small, 0x1234);
    c.next_mid = 0x0101;
    c.next_token = 0xA1;
    CHECK_INT(ipa_coap_begin(&c, "eim.example", 11, total, now), IPA_OK);
    fill(total, '0');
}

static inline uint32_t option_of(const struct ipa_coap_msg *m, uint16_t number, size_t *len) {
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

#endif
