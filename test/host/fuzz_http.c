/*
 * HTTP responses (host/link/http.h): any octets, and whatever comes of them must not depend on how they were split.
 *
 * sources: host/link/http.c
 */
#include <stdlib.h>
#include <string.h>

#include "link/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BODY_MAX 2048

struct result {
    enum ipa_http_state state;
    int error;
    uint16_t code;
    uint32_t retry_after_s;
    size_t used, len;
    uint8_t body[BODY_MAX];
};

static void claim(int holds) {
    if (!holds) abort();
}

static void read_by(struct result *r, const uint8_t *data, size_t size, size_t piece, size_t cap) {
    static struct ipa_http h;
    memset(r, 0, sizeof *r);
    memset(&h, 0, sizeof h);
    ipa_http_begin(&h, BODY_MAX);
    while (r->used < size && h.state < IPA_HTTP_DONE) {
        uint8_t part[64];
        size_t n = size - r->used < piece ? size - r->used : piece, got;
        int used = ipa_http_feed(&h, data + r->used, n, part, cap, &got);
        if (used < 0) {
            r->error = used;
            break;
        }
        claim((size_t)used <= n && got <= cap && r->len + got <= BODY_MAX && (used > 0 || got == cap));
        memcpy(r->body + r->len, part, got);
        r->len += got;
        r->used += (size_t)used;
    }
    r->state = h.state;
    r->code = h.code;
    r->retry_after_s = h.retry_after_s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct result whole, split;
    if (size < 1) return 0;
    size_t piece = (data[0] & 15u) + 1, cap = (data[0] >> 4) + 1u;
    read_by(&whole, data + 1, size - 1, size, 64);
    read_by(&split, data + 1, size - 1, piece, cap);
    claim(whole.error == split.error && whole.state == split.state);
    /* What came before an error may end at another octet of the body. */
    if (whole.error == 0) claim(whole.code == split.code && whole.retry_after_s == split.retry_after_s && whole.used == split.used && whole.len == split.len && memcmp(whole.body, split.body, whole.len) == 0);
    return 0;
}
