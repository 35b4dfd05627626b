/*
 * The CoAP client (host/link/coap.h) against any server: the input is a script of datagrams, time steps and reads. So that it gets
 * beyond matching, a datagram may borrow message ID and token of the request on its way.
 *
 * sources: host/link/coap.c host/link/coap_block.c host/link/coap_msg.c
 */
#include <stdlib.h>
#include <string.h>

#include "link/coap.h"
#include "link/coap_msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void claim(int holds) {
    if (!holds) abort();
}

struct script {
    const uint8_t *at;
    size_t left;
};

static uint32_t next(struct script *s, size_t octets) {
    uint32_t value = 0;
    for (; octets > 0; octets--) {
        value = value << 8 | (s->left > 0 ? *s->at : 0u);
        if (s->left > 0) s->at++, s->left--;
    }
    return value;
}

/* Type and code from the script; message ID and token of the message on its way. */
static size_t matching(const struct ipa_coap *c, struct script *s, uint8_t *to, size_t len) {
    to[0] = (uint8_t)(1 << 6 | (next(s, 1) & 3) << 4 | c->token_len);
    to[1] = (uint8_t)next(s, 1);
    to[2] = (uint8_t)(c->mid >> 8);
    to[3] = (uint8_t)c->mid;
    memcpy(to + 4, c->token, c->token_len);
    if (len > s->left) len = s->left;
    memcpy(to + 4 + c->token_len, s->at, len);
    s->at += len;
    s->left -= len;
    return 4 + c->token_len + len;
}

static void receive(struct ipa_coap *c, struct script *s, int match, uint32_t now) {
    size_t cap, len = next(s, 2) % 1100;
    uint8_t *buffer = ipa_coap_input_buffer(c, &cap);
    if (buffer == NULL) return;
    claim(cap >= 1100 + 12);
    if (match) {
        len = matching(c, s, buffer, len);
    } else {
        if (len > s->left) len = s->left;
        memcpy(buffer, s->at, len);
        s->at += len;
        s->left -= len;
    }
    ipa_coap_input(c, len, now);
}

static void send_all(struct ipa_coap *c, uint32_t now) {
    struct ipa_coap_msg m;
    size_t len;
    const uint8_t *p;
    while ((p = ipa_coap_output(c, &len, now)) != NULL) {
        claim(len >= 4 && len <= sizeof c->tx && ipa_coap_parse(&m, p, len) == IPA_OK);
        ipa_coap_sent(c, now);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct ipa_coap c;
    static const uint8_t body[4096];
    struct script s = {data, size};
    struct ipa_coap_config config = {"gsma/rsp2/asn1", -1, 2000, 1500, 2, 9000, 100000, 5000, 6, 1, 0};
    struct ipa_answer about = {0, 0, 0};
    uint8_t piece[300];
    uint32_t now = next(&s, 1) << 24, written = 0, got = 0, total = next(&s, 2) % 4097;
    config.szx = (uint8_t)(next(&s, 1) % 7);
    ipa_coap_init(&c, &config, next(&s, 1));
    claim(ipa_coap_begin(&c, "eim.example.com", 15, total, now) == IPA_OK);
    while (s.left > 0) {
        int n;
        uint32_t what = next(&s, 1);
        switch (what & 7) {
            case 0: now += next(&s, 2); break;
            case 1: receive(&c, &s, 0, now); break;
            case 2:
                n = ipa_coap_read(&c, piece, what >> 3 << 3, &about);
                if (n > 0) got += (uint32_t)n;
                claim(got <= config.body_max);
                break;
            case 3:
                if (ipa_coap_unheard(&c) > 0) ipa_coap_again(&c);
                break;
            default: receive(&c, &s, 1, now); break;
        }
        n = ipa_coap_write(&c, body, total - written);
        if (n > 0) written += (uint32_t)n;
        claim(written <= total && c.body_sent + c.fill <= total);
        send_all(&c, now);
    }
    return 0;
}
