/* HTTP/1.1 client messages (http.h; RFC 9112 2 to 7; RFC 9110 8.6, 10.2.3, 15). */
#include "link/http.h"

#include <string.h>

/* --- the request's head --- */

struct text {
    char *at;
    size_t left;
    int full;
};

static void add(struct text *t, const char *s, size_t len) {
    if (t->full || len > t->left) {
        t->full = 1;
        return;
    }
    memcpy(t->at, s, len);
    t->at += len;
    t->left -= len;
}

static void say(struct text *t, const char *s) {
    add(t, s, strlen(s));
}

static void number(struct text *t, uint32_t value) {
    char digits[10];
    size_t at = sizeof digits;
    do digits[--at] = (char)('0' + value % 10);
    while ((value /= 10) != 0);
    add(t, digits + at, sizeof digits - at);
}

static void field(struct text *t, const char *name, const char *value) {
    say(t, name);
    say(t, value);
    say(t, "\r\n");
}

int ipa_http_head(char *out, size_t cap, const struct ipa_http_request *r) {
    struct text t = {out, cap, 0};
    int v6 = memchr(r->host, ':', r->host_len) != NULL;
    say(&t, "POST ");
    field(&t, r->path, " HTTP/1.1");
    say(&t, v6 ? "Host: [" : "Host: ");
    add(&t, r->host, r->host_len);
    if (v6) say(&t, "]");
    if (r->port != 443) {
        say(&t, ":");
        number(&t, r->port);
    }
    field(&t, "\r\nUser-Agent: ", r->user_agent);
    field(&t, "X-Admin-Protocol: ", r->admin_protocol);
    field(&t, "Content-Type: ", r->content_type);
    say(&t, "Content-Length: ");
    number(&t, r->total);
    say(&t, "\r\n\r\n");
    return t.full ? IPA_ERR_NO_MEM : (int)(cap - t.left);
}

/* --- the response --- */

void ipa_http_begin(struct ipa_http *h, uint32_t body_max) {
    uint16_t at = h->in_at, end = h->in_end;
    memset(h, 0, offsetof(struct ipa_http, line));
    h->in_at = at;
    h->in_end = end;
    h->body_left = body_max;
}

static char lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static int same(const char *a, size_t len, const char *b) {
    if (strlen(b) != len) return 0;
    for (size_t i = 0; i < len; i++) {
        if (lower(a[i]) != b[i]) return 0;
    }
    return 1;
}

/* 1 to 9 digits in all of s. */
static int decimal(const char *s, size_t len, uint32_t *value) {
    *value = 0;
    for (size_t i = 0; i < len; i++) {
        if (s[i] < '0' || s[i] > '9') return IPA_ERR_PROTOCOL;
        *value = *value * 10 + (uint32_t)(s[i] - '0');
    }
    return len >= 1 && len <= 9 ? IPA_OK : IPA_ERR_PROTOCOL;
}

/* HTTP/1.1 SP 3 digits SP (RFC 9112 4). */
static int status_line(struct ipa_http *h) {
    uint32_t code;
    const char *s = h->line;
    if (h->line_len < 12 || memcmp(s, "HTTP/1.", 7) != 0 || (s[7] != '0' && s[7] != '1') || s[8] != ' ' || (h->line_len > 12 && s[12] != ' ')) return IPA_ERR_PROTOCOL;
    if (decimal(s + 9, 3, &code) < 0 || code < 100 || code > 599 || code == 101) return IPA_ERR_PROTOCOL;
    h->code = (uint16_t)code;
    h->old = s[7] == '0';
    h->close = h->old;
    h->state = IPA_HTTP_HEADER;
    return IPA_OK;
}

static int listed(const char *value, size_t len, const char *word) {
    size_t at = 0;
    while (at < len) {
        size_t end = at;
        while (end < len && value[end] != ',') end++;
        size_t from = at, to = end;
        while (from < to && (value[from] == ' ' || value[from] == '\t')) from++;
        while (to > from && (value[to - 1] == ' ' || value[to - 1] == '\t')) to--;
        if (same(value + from, to - from, word)) return 1;
        at = end + 1;
    }
    return 0;
}

static int content_length(struct ipa_http *h, const char *value, size_t len) {
    if (h->has_length || decimal(value, len, &h->left) < 0) return IPA_ERR_PROTOCOL;
    h->has_length = 1;
    return IPA_OK;
}

static int transfer_encoding(struct ipa_http *h, const char *value, size_t len) {
    if (h->chunked || !same(value, len, "chunked")) return IPA_ERR_PROTOCOL;
    h->chunked = 1;
    return IPA_OK;
}

static int header_line(struct ipa_http *h) {
    const char *colon = memchr(h->line, ':', h->line_len);
    if (colon == NULL) return h->cut ? IPA_OK : IPA_ERR_PROTOCOL;
    size_t name = (size_t)(colon - h->line), from = name + 1, to = h->line_len;
    /* White space before the colon and folded lines have fooled servers into seeing two different messages. */
    if (name == 0 || h->line[name - 1] == ' ' || h->line[name - 1] == '\t' || h->line[0] == ' ' || h->line[0] == '\t') return IPA_ERR_PROTOCOL;
    while (from < to && (h->line[from] == ' ' || h->line[from] == '\t')) from++;
    while (to > from && (h->line[to - 1] == ' ' || h->line[to - 1] == '\t')) to--;
    const char *value = h->line + from;
    size_t len = to - from;
    int framing = same(h->line, name, "content-length") || same(h->line, name, "transfer-encoding");
    if (framing && h->cut) return IPA_ERR_PROTOCOL;
    if (same(h->line, name, "content-length")) return content_length(h, value, len);
    if (same(h->line, name, "transfer-encoding")) return transfer_encoding(h, value, len);
    if (same(h->line, name, "connection") && listed(value, len, "close")) h->close = 1;
    if (same(h->line, name, "retry-after") && decimal(value, len, &h->retry_after_s) < 0) h->retry_after_s = 0;
    return IPA_OK;
}

/* How long the body is (RFC 9112 6.3). */
static int head_ended(struct ipa_http *h) {
    if (h->chunked && (h->has_length || h->old)) return IPA_ERR_PROTOCOL;
    if (h->code < 200) {
        h->state = IPA_HTTP_STATUS;
        h->has_length = h->chunked = 0;
    } else if (h->code == 204 || h->code == 304 || (h->has_length && h->left == 0)) {
        h->state = IPA_HTTP_DONE;
    } else if (h->chunked) {
        h->state = IPA_HTTP_CHUNK_SIZE;
    } else if (h->has_length) {
        h->state = IPA_HTTP_LENGTH;
        return h->left > h->body_left ? IPA_ERR_TOO_LARGE : IPA_OK;
    } else {
        h->state = IPA_HTTP_UNTIL_CLOSE;
        h->close = 1;
    }
    return IPA_OK;
}

/* Hexadecimal, up to 7 digits; extensions are skipped (RFC 9112 7.1.1). */
static int chunk_size(struct ipa_http *h) {
    size_t i = 0;
    h->left = 0;
    for (; i < h->line_len; i++) {
        char c = lower(h->line[i]);
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0) break;
        h->left = h->left << 4 | (uint32_t)digit;
    }
    if (i == 0 || i > 7 || (i < h->line_len && h->line[i] != ';' && h->line[i] != ' ' && h->line[i] != '\t')) return IPA_ERR_PROTOCOL;
    h->state = h->left == 0 ? IPA_HTTP_TRAILER : IPA_HTTP_CHUNK;
    h->head = 0;
    return h->left > h->body_left ? IPA_ERR_TOO_LARGE : IPA_OK;
}

static int line_ended(struct ipa_http *h) {
    int empty = h->line_len == 0;
    switch (h->state) {
        case IPA_HTTP_STATUS: return status_line(h);
        case IPA_HTTP_HEADER: return empty ? head_ended(h) : header_line(h);
        case IPA_HTTP_CHUNK_SIZE: return chunk_size(h);
        case IPA_HTTP_CHUNK_END: h->state = IPA_HTTP_CHUNK_SIZE; return empty ? IPA_OK : IPA_ERR_PROTOCOL;
        default:
            if (empty) h->state = IPA_HTTP_DONE;
            return IPA_OK;
    }
}

/* One octet of a line. Lines end by CR LF; what is too long to be kept is counted and cut. */
static int line_octet(struct ipa_http *h, uint8_t c) {
    if (++h->head > IPA_CFG_HTTP_HEAD) return IPA_ERR_TOO_LARGE;
    if (h->cr != (c == '\n')) return IPA_ERR_PROTOCOL;
    if (c == '\n') {
        int err = line_ended(h);
        h->line_len = 0;
        h->cut = h->cr = 0;
        return err;
    }
    h->cr = c == '\r';
    if (h->cr) return IPA_OK;
    if (c < 0x20 && c != '\t') return IPA_ERR_PROTOCOL;
    if (h->line_len < sizeof h->line) h->line[h->line_len++] = (char)c;
    else h->cut = 1;
    return IPA_OK;
}

/* Octets of the body: as many as there are, as there is room for, as there may be. */
static int body_octets(struct ipa_http *h, const uint8_t *in, size_t len, uint8_t *body, size_t cap, size_t *body_len) {
    size_t n = len < cap - *body_len ? len : cap - *body_len;
    if (h->state != IPA_HTTP_UNTIL_CLOSE && n > h->left) n = h->left;
    if (n > h->body_left) return IPA_ERR_TOO_LARGE;
    memcpy(body + *body_len, in, n);
    *body_len += n;
    h->body_left -= (uint32_t)n;
    if (h->state == IPA_HTTP_UNTIL_CLOSE) return (int)n;
    h->left -= (uint32_t)n;
    if (h->left == 0) h->state = h->state == IPA_HTTP_CHUNK ? IPA_HTTP_CHUNK_END : IPA_HTTP_DONE;
    return (int)n;
}

static int in_body(const struct ipa_http *h) {
    return h->state == IPA_HTTP_LENGTH || h->state == IPA_HTTP_UNTIL_CLOSE || h->state == IPA_HTTP_CHUNK;
}

int ipa_http_feed(struct ipa_http *h, const uint8_t *in, size_t len, uint8_t *body, size_t cap, size_t *body_len) {
    size_t at = 0;
    *body_len = 0;
    while (at < len && h->state < IPA_HTTP_DONE) {
        int is_body = in_body(h);
        if (is_body && *body_len == cap) break;
        int n = is_body ? body_octets(h, in + at, len - at, body, cap, body_len) : line_octet(h, in[at]);
        if (n < 0) {
            h->state = IPA_HTTP_BROKEN;
            return n;
        }
        at += is_body ? (size_t)n : 1;
    }
    return h->state == IPA_HTTP_BROKEN ? IPA_ERR_PROTOCOL : (int)at;
}

int ipa_http_closed(struct ipa_http *h) {
    if (h->state == IPA_HTTP_DONE) return IPA_OK;
    int whole = h->state == IPA_HTTP_UNTIL_CLOSE;
    h->state = whole ? IPA_HTTP_DONE : IPA_HTTP_BROKEN;
    return whole ? IPA_OK : IPA_ERR_CLOSED;
}
