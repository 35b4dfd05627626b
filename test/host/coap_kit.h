/*
 * For tests of the CoAP client: octets in hexadecimal, and a server that echoes bodies in blocks (RFC 7959 3.3), written apart from coap_block.c.
 */
#ifndef COAP_KIT_H
#define COAP_KIT_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "link/coap.h"
#include "link/coap_msg.h"

static inline size_t unhex(const char *hex, uint8_t *out) {
    size_t len = 0;
    unsigned octet;
    for (; hex[0] != '\0' && hex[1] != '\0'; hex += 2) {
        if (*hex == ' ') { hex--; continue; }
        sscanf(hex, "%2x", &octet);
        out[len++] = (uint8_t)octet;
    }
    return len;
}

/* Answers each request with its own body: in blocks of szx up, of szx_down down. */
struct echo_server {
    uint8_t szx, szx_down;
    uint8_t *body;
    size_t len, cap;
    uint32_t tag;          /* Request-Tag of the body in hand; UINT32_MAX: none */
    unsigned requests, bodies;
    uint32_t tags[64];     /* of each body */
    const char *wrong;     /* first thing that a strict server would refuse; NULL: nothing */
};

static inline size_t echo_serve(struct echo_server *s, const uint8_t *in, size_t len, uint8_t *out, size_t cap) {
    struct ipa_coap_msg m;
    struct ipa_coap_option at;
    struct ipa_coap_block b1 = {0, 0, 0}, b2 = {0, 0, 6};
    int has1 = 0, has2 = 0;
    uint32_t tag = UINT32_MAX, size1 = 0;
    s->requests++;
    if (ipa_coap_parse(&m, in, len) != IPA_OK || m.type != IPA_COAP_CON || m.code != IPA_COAP_POST) { s->wrong = "not a POST"; return 0; }
    for (ipa_coap_options(&at, &m); ipa_coap_next(&at) == 1;) {
        if (at.number == IPA_COAP_BLOCK1) { has1 = 1; ipa_coap_block(&at, &b1); }
        if (at.number == IPA_COAP_BLOCK2) { has2 = 1; ipa_coap_block(&at, &b2); }
        if (at.number == IPA_COAP_REQUEST_TAG) ipa_coap_uint(&at, 4, &tag);
        if (at.number == IPA_COAP_SIZE1) ipa_coap_uint(&at, 4, &size1);
    }
    struct ipa_coap_writer w = {out, cap, 0, 0, 0};
    uint8_t code = IPA_COAP_CODE(2, 5);
    size_t from = 0;
    if (has1 || b2.num == 0) {
        size_t offset = (size_t)b1.num << (b1.szx + 4);
        if (offset == 0) {
            s->tags[s->bodies++ % 64] = tag;
            s->tag = tag;
            s->len = 0;
            if (has1 && (tag == UINT32_MAX || size1 == 0)) s->wrong = "Block1 without Request-Tag or Size1";
        }
        if (tag != s->tag) s->wrong = "another Request-Tag";
        if (offset != s->len) s->wrong = "a gap in Block1";
        if (has1 && b1.more && m.payload_len != 16u << b1.szx) s->wrong = "a block of the wrong length";
        if (s->len + m.payload_len > s->cap) { s->wrong = "too much"; return 0; }
        if (m.payload_len > 0) memcpy(s->body + s->len, m.payload, m.payload_len);
        s->len += m.payload_len;
        if (b1.more) code = IPA_COAP_CONTINUE;
        if (b1.szx > s->szx) b1.szx = s->szx;
    } else {
        from = (size_t)b2.num << (b2.szx + 4);
        if (m.payload_len > 0 || tag != s->tag) s->wrong = "Block2 with a payload or another tag";
        if (from >= s->len) s->wrong = "Block2 behind the end";
    }
    uint8_t etag[2] = {(uint8_t)s->bodies, 0xEE};
    if (b2.szx > s->szx_down) b2.szx = s->szx_down;
    size_t part = 16u << b2.szx, left = s->len - from;
    struct ipa_coap_block answer = {(uint32_t)(from >> (b2.szx + 4)), left > part, b2.szx};
    ipa_coap_write_header(&w, IPA_COAP_ACK, code, m.mid, m.token, m.token_len);
    if (code != IPA_COAP_CONTINUE) ipa_coap_write_option(&w, IPA_COAP_ETAG, etag, 2);
    if (code != IPA_COAP_CONTINUE && (has2 || from > 0 || left > part)) ipa_coap_write_block(&w, IPA_COAP_BLOCK2, &answer);
    if (has1) ipa_coap_write_block(&w, IPA_COAP_BLOCK1, &b1);
    if (code != IPA_COAP_CONTINUE) ipa_coap_write_payload(&w, s->body + from, left > part ? part : left);
    return w.failed ? 0 : w.len;
}

#endif
