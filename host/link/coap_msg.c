/* CoAP messages (coap_msg.h; RFC 7252 3, 3.1). */
#include "link/coap_msg.h"

#include <string.h>

#include "ipa/err.h"

#define MARKER 0xFF

/* Reads a nibble's extension (RFC 7252 3.1): 13 adds an octet, 14 two. -1: reserved, or cut short. */
static int32_t extended(const uint8_t **at, const uint8_t *end, uint8_t nibble) {
    if (nibble < 13) return nibble;
    if (nibble == 15 || end - *at < (nibble == 13 ? 1 : 2)) return -1;
    int32_t value = *(*at)++;
    if (nibble == 13) return value + 13;
    return (value << 8 | *(*at)++) + 269;
}

void ipa_coap_options(struct ipa_coap_option *at, const struct ipa_coap_msg *msg) {
    at->number = 0;
    at->value = NULL;
    at->len = 0;
    at->next = msg->options;
    at->end = msg->options + msg->options_len;
}

int ipa_coap_next(struct ipa_coap_option *at) {
    if (at->next == at->end || *at->next == MARKER) return 0;
    uint8_t first = *at->next++;
    int32_t delta = extended(&at->next, at->end, first >> 4);
    int32_t len = delta < 0 ? -1 : extended(&at->next, at->end, first & 15);
    if (len < 0 || len > at->end - at->next || at->number + delta > 0xFFFF) return IPA_ERR_PROTOCOL;
    at->number = (uint16_t)(at->number + delta);
    at->value = at->next;
    at->len = (size_t)len;
    at->next += len;
    return 1;
}

/* Walks all options, so that whoever reads them later meets none that is malformed. */
static int split_payload(struct ipa_coap_msg *msg) {
    struct ipa_coap_option at;
    ipa_coap_options(&at, msg);
    int got = ipa_coap_next(&at);
    while (got == 1) got = ipa_coap_next(&at);
    if (got < 0) return got;
    msg->options_len = (size_t)(at.next - msg->options);
    if (at.next == at.end) return IPA_OK;
    msg->payload = at.next + 1;
    msg->payload_len = (size_t)(at.end - msg->payload);
    return msg->payload_len == 0 ? IPA_ERR_PROTOCOL : IPA_OK;
}

int ipa_coap_parse(struct ipa_coap_msg *msg, const uint8_t *data, size_t len) {
    memset(msg, 0, sizeof *msg);
    if (len < 4 || data[0] >> 6 != 1) return IPA_ERR_UNSUPPORTED;
    msg->type = data[0] >> 4 & 3;
    msg->code = data[1];
    msg->mid = (uint16_t)(data[2] << 8 | data[3]);
    msg->token_len = data[0] & 15;
    uint8_t class = msg->code >> 5;
    if (msg->code == IPA_COAP_EMPTY) return len == 4 && msg->token_len == 0 ? IPA_OK : IPA_ERR_PROTOCOL;
    if (msg->token_len > 8 || msg->token_len > len - 4 || class == 1 || class >= 6) return IPA_ERR_PROTOCOL;
    msg->token = data + 4;
    msg->options = msg->token + msg->token_len;
    msg->options_len = len - 4 - msg->token_len;
    return split_payload(msg);
}

int ipa_coap_uint(const struct ipa_coap_option *option, size_t max, uint32_t *value) {
    if (option->len > max) return IPA_ERR_PROTOCOL;
    *value = 0;
    for (size_t i = 0; i < option->len; i++) *value = *value << 8 | option->value[i];
    return IPA_OK;
}

int ipa_coap_block(const struct ipa_coap_option *option, struct ipa_coap_block *block) {
    uint32_t value;
    if (ipa_coap_uint(option, 3, &value) < 0 || (value & 7) == 7) return IPA_ERR_PROTOCOL;
    block->num = value >> 4;
    block->more = value >> 3 & 1;
    block->szx = value & 7;
    return IPA_OK;
}

static uint8_t *room(struct ipa_coap_writer *w, size_t len) {
    if (w->failed || len > w->cap - w->len) {
        w->failed = 1;
        return NULL;
    }
    w->len += len;
    return w->data + w->len - len;
}

static void put(struct ipa_coap_writer *w, const void *data, size_t len) {
    uint8_t *at = room(w, len);
    if (at != NULL && len > 0) memcpy(at, data, len);
}

void ipa_coap_write_header(struct ipa_coap_writer *w, uint8_t type, uint8_t code, uint16_t mid, const uint8_t *token, uint8_t token_len) {
    uint8_t head[4] = {(uint8_t)(1 << 6 | type << 4 | token_len), code, (uint8_t)(mid >> 8), (uint8_t)mid};
    w->number = 0;
    put(w, head, sizeof head);
    put(w, token, token_len);
}

/* Nibble for a delta or a length; its extension goes to ext. */
static uint8_t nibble(size_t value, uint8_t *ext, size_t *ext_len) {
    if (value < 13) return (uint8_t)value;
    if (value < 269) {
        ext[(*ext_len)++] = (uint8_t)(value - 13);
        return 13;
    }
    ext[(*ext_len)++] = (uint8_t)((value - 269) >> 8);
    ext[(*ext_len)++] = (uint8_t)(value - 269);
    return 14;
}

void ipa_coap_write_option(struct ipa_coap_writer *w, uint16_t number, const void *value, size_t len) {
    uint8_t head[5];
    size_t head_len = 1;
    uint8_t high = nibble((size_t)(number - w->number), head, &head_len);
    uint8_t low = nibble(len, head, &head_len);
    head[0] = (uint8_t)(high << 4 | low);
    w->number = number;
    put(w, head, head_len);
    put(w, value, len);
}

void ipa_coap_write_uint(struct ipa_coap_writer *w, uint16_t number, uint32_t value) {
    uint8_t octets[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8), (uint8_t)value};
    size_t skip = 0;
    while (skip < 4 && octets[skip] == 0) skip++;
    ipa_coap_write_option(w, number, octets + skip, 4 - skip);
}

void ipa_coap_write_block(struct ipa_coap_writer *w, uint16_t number, const struct ipa_coap_block *block) {
    ipa_coap_write_uint(w, number, block->num << 4 | (uint32_t)block->more << 3 | block->szx);
}

void ipa_coap_write_payload(struct ipa_coap_writer *w, const void *data, size_t len) {
    const uint8_t marker = MARKER;
    if (len == 0) return;
    put(w, &marker, 1);
    put(w, data, len);
}
