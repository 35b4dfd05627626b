/*
 * CoAP messages on UDP: reading and writing (RFC 7252 3; option numbers of RFC 7959, 9175). Strict: what RFC 7252 calls a message
 * format error is refused. Leaves out: RFC 8323 (TCP), RFC 8974 (long tokens), OSCORE.
 */
#ifndef IPA_COAP_MSG_H
#define IPA_COAP_MSG_H

#include <stddef.h>
#include <stdint.h>

enum ipa_coap_type { IPA_COAP_CON = 0, IPA_COAP_NON = 1, IPA_COAP_ACK = 2, IPA_COAP_RST = 3 };

#define IPA_COAP_CODE(class, detail) ((uint8_t)((class) << 5 | (detail)))
enum {
    IPA_COAP_EMPTY = 0,
    IPA_COAP_POST = IPA_COAP_CODE(0, 2),
    IPA_COAP_CONTINUE = IPA_COAP_CODE(2, 31),
    IPA_COAP_UNAUTHORIZED = IPA_COAP_CODE(4, 1),
    IPA_COAP_INCOMPLETE = IPA_COAP_CODE(4, 8),
    IPA_COAP_TOO_LARGE = IPA_COAP_CODE(4, 13),
    IPA_COAP_TOO_MANY = IPA_COAP_CODE(4, 29),
    IPA_COAP_UNAVAILABLE = IPA_COAP_CODE(5, 3)
};

enum ipa_coap_number {
    IPA_COAP_URI_HOST = 3,
    IPA_COAP_ETAG = 4,
    IPA_COAP_URI_PATH = 11,
    IPA_COAP_CONTENT_FORMAT = 12,
    IPA_COAP_MAX_AGE = 14,
    IPA_COAP_BLOCK2 = 23,
    IPA_COAP_BLOCK1 = 27,
    IPA_COAP_SIZE2 = 28,
    IPA_COAP_SIZE1 = 60,
    IPA_COAP_ECHO = 252,
    IPA_COAP_REQUEST_TAG = 292
};

/* Block1 or Block2 (RFC 7959 2.2): offset = num << (szx + 4). */
struct ipa_coap_block {
    uint32_t num;
    uint8_t more;
    uint8_t szx;    /* 0 to 6 */
};

/* A message, pointing into its datagram. */
struct ipa_coap_msg {
    uint8_t type;
    uint8_t code;
    uint16_t mid;
    uint8_t token_len;
    const uint8_t *token;
    const uint8_t *options;
    size_t options_len;
    const uint8_t *payload;
    size_t payload_len;
};

/*
 * IPA_OK; IPA_ERR_UNSUPPORTED: another version, or no header: ignore it; IPA_ERR_PROTOCOL: a format error, type and mid
 * are set, so that a CON can be answered with RST.
 */
int ipa_coap_parse(struct ipa_coap_msg *msg, const uint8_t *data, size_t len);

struct ipa_coap_option {
    uint16_t number;
    const uint8_t *value;
    size_t len;
    /* Where the next one begins. Set next = msg->options, number = 0, end = next + options_len to begin. */
    const uint8_t *next;
    const uint8_t *end;
};
void ipa_coap_options(struct ipa_coap_option *at, const struct ipa_coap_msg *msg);
/* 1: there is one; 0: no more; IPA_ERR_PROTOCOL. */
int ipa_coap_next(struct ipa_coap_option *at);
/* Value of a uint option of up to 4 octets. 0, or IPA_ERR_PROTOCOL when it is longer than max. */
int ipa_coap_uint(const struct ipa_coap_option *option, size_t max, uint32_t *value);
int ipa_coap_block(const struct ipa_coap_option *option, struct ipa_coap_block *block);

/* Writes a message; the first thing that doesn't fit sets failed, later calls do nothing. Options go in rising order. */
struct ipa_coap_writer {
    uint8_t *data;
    size_t cap;
    size_t len;
    uint16_t number;
    uint8_t failed;
};
void ipa_coap_write_header(struct ipa_coap_writer *w, uint8_t type, uint8_t code, uint16_t mid, const uint8_t *token, uint8_t token_len);
void ipa_coap_write_option(struct ipa_coap_writer *w, uint16_t number, const void *value, size_t len);
void ipa_coap_write_uint(struct ipa_coap_writer *w, uint16_t number, uint32_t value);
void ipa_coap_write_block(struct ipa_coap_writer *w, uint16_t number, const struct ipa_coap_block *block);
void ipa_coap_write_payload(struct ipa_coap_writer *w, const void *data, size_t len);

#endif
