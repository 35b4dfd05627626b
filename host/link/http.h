/*
 * HTTP/1.1 client messages (RFC 9110, 9112), strict and streaming: the head of a request is written, a response is read from pieces
 * of any split. No I/O. Both bodies pass by without being kept. Redirects are not followed: their status is the answer.
 * Leaves out: HTTP/2, compression (none is offered), trailers (skipped), Retry-After as a date (there may be no clock).
 */
#ifndef IPA_HTTP_H
#define IPA_HTTP_H

#include <stddef.h>
#include <stdint.h>

#include "ipa/config_default.h"
#include "ipa/err.h"

struct ipa_http_request {
    const char *path;
    const char *host;           /* not terminated */
    size_t host_len;
    uint16_t port;              /* 443 is not named in Host */
    const char *user_agent;
    const char *admin_protocol; /* X-Admin-Protocol */
    const char *content_type;
    uint32_t total;             /* Content-Length */
};

/* Writes a POST's head. Octets, or IPA_ERR_NO_MEM. */
int ipa_http_head(char *out, size_t cap, const struct ipa_http_request *request);

enum ipa_http_state {
    IPA_HTTP_STATUS, IPA_HTTP_HEADER, IPA_HTTP_LENGTH, IPA_HTTP_UNTIL_CLOSE, IPA_HTTP_CHUNK_SIZE, IPA_HTTP_CHUNK, IPA_HTTP_CHUNK_END, IPA_HTTP_TRAILER,
    IPA_HTTP_DONE, IPA_HTTP_BROKEN
};

struct ipa_http {
    enum ipa_http_state state;
    uint16_t code;
    uint32_t retry_after_s;
    uint8_t close;              /* the connection ends with this response */
    uint8_t old;                /* HTTP/1.0 */
    uint8_t has_length, chunked;
    uint8_t cut;                /* the line is longer than kept */
    uint8_t cr;
    uint32_t left;              /* of the body or of the chunk */
    uint32_t body_left;         /* most octets of body that may still come */
    uint32_t head;              /* octets of head so far */
    uint16_t line_len;
    char line[IPA_CFG_HTTP_LINE];
    /* Octets that came and were not looked at yet, for link_https.c. */
    uint16_t in_at, in_end;
    uint8_t in[IPA_CFG_HTTP_IN];
};

/* Begins a response. */
void ipa_http_begin(struct ipa_http *h, uint32_t body_max);
/*
 * Reads octets of a response; puts what is body to `body`. Returns how many of `in` were used; all of them unless body is full or the
 * response is complete (state IPA_HTTP_DONE). IPA_ERR_PROTOCOL, IPA_ERR_TOO_LARGE.
 */
int ipa_http_feed(struct ipa_http *h, const uint8_t *in, size_t len, uint8_t *body, size_t cap, size_t *body_len);
/* The connection was closed by the server. IPA_OK when that is how this response ends, else IPA_ERR_CLOSED. */
int ipa_http_closed(struct ipa_http *h);

#endif
