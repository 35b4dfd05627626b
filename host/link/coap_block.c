/*
 * Bodies in blocks (coap.h; RFC 7959 2.3 to 2.9, 3.3; RFC 9175 2, 3). The request goes up by Block1, the answer comes down by Block2,
 * in one exchange: after the last Block1 the same POST is repeated without a body, asking for the next Block2.
 *
 *     answer to a block before the last   2.31 with this NUM            next block, with the server's SZX, from the offset reached
 *                                         4.13 to block 0, smaller SZX  anew from the start: block 0 is still here
 *                                         anything else                 the answer of the exchange, the rest is dropped
 *     any                                 4.01 with Echo                the same block with Echo, once
 *                                         4.08                          IPA_ERR_RESTART: the blocks before are gone here
 *     answer with Block2                  M=1                           next NUM, counted from the offset reached
 */
#include <string.h>

#include "link/coap_parts.h"

/* What an answer says beside its code and payload. */
struct said {
    struct ipa_coap_block block1, block2;
    uint8_t has_block1, has_block2;
    const uint8_t *etag, *echo;
    size_t etag_len, echo_len;
    uint32_t max_age, size1, size2;
};

static uint32_t block_size(uint8_t szx) {
    return 16u << szx;
}

static uint32_t least(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

static int only_once(const struct ipa_coap_option *at, uint8_t *seen, struct ipa_coap_block *block) {
    if (*seen) return IPA_ERR_PROTOCOL;
    *seen = 1;
    return ipa_coap_block(at, block);
}

/* Elective options of a wrong length count as unknown, and so do repetitions (RFC 7252 5.4.3, 5.4.5). */
static int read_option(struct said *said, const struct ipa_coap_option *at) {
    switch (at->number) {
        case IPA_COAP_BLOCK1: return only_once(at, &said->has_block1, &said->block1);
        case IPA_COAP_BLOCK2: return only_once(at, &said->has_block2, &said->block2);
        case IPA_COAP_MAX_AGE: (void)ipa_coap_uint(at, 4, &said->max_age); return IPA_OK;
        case IPA_COAP_SIZE1: (void)ipa_coap_uint(at, 4, &said->size1); return IPA_OK;
        case IPA_COAP_SIZE2: (void)ipa_coap_uint(at, 4, &said->size2); return IPA_OK;
        case IPA_COAP_ETAG:
            if (said->etag_len == 0 && at->len <= sizeof ((struct ipa_coap *)0)->etag) { said->etag = at->value; said->etag_len = at->len; }
            return IPA_OK;
        case IPA_COAP_ECHO:
            if (said->echo_len == 0 && at->len <= sizeof ((struct ipa_coap *)0)->echo) { said->echo = at->value; said->echo_len = at->len; }
            return IPA_OK;
        default: return at->number & 1 ? IPA_ERR_PROTOCOL : IPA_OK;
    }
}

static int read_options(struct said *said, const struct ipa_coap_msg *msg) {
    struct ipa_coap_option at;
    memset(said, 0, sizeof *said);
    ipa_coap_options(&at, msg);
    while (ipa_coap_next(&at) == 1) {
        int err = read_option(said, &at);
        if (err < 0) return err;
    }
    return IPA_OK;
}

static void write_path(struct ipa_coap_writer *w, const char *path) {
    while (*path != '\0') {
        size_t len = strcspn(path, "/");
        if (len > 0) ipa_coap_write_option(w, IPA_COAP_URI_PATH, path, len);
        path += len + (path[len] == '/');
    }
}

static void new_token(struct ipa_coap *c) {
    uint32_t value = c->next_token++;
    uint8_t octets[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8), (uint8_t)value};
    uint8_t skip = 0;
    while (skip < 4 - c->config->token_min && octets[skip] == 0) skip++;
    c->token_len = (uint8_t)(4 - skip);
    memcpy(c->token, octets + skip, c->token_len);
    c->mid = c->next_mid++;
}

/* Options in rising order of their numbers. len: octets of the request in this message. */
static void write_message(struct ipa_coap *c, struct ipa_coap_writer *w, uint32_t len, int more) {
    const struct ipa_coap_block block1 = {c->body_sent >> (c->szx1 + 4), (uint8_t)more, c->szx1};
    const struct ipa_coap_block block2 = {c->body_got >> (c->szx2 + 4), 0, c->szx2};
    uint8_t method = c->config->method == 0 ? IPA_COAP_POST : c->config->method;
    ipa_coap_write_header(w, IPA_COAP_CON, method, c->mid, c->token, c->token_len);
    if (c->host_len > 0) ipa_coap_write_option(w, IPA_COAP_URI_HOST, c->host, c->host_len);
    write_path(w, c->config->path);
    if (len > 0 && c->config->content_format >= 0) ipa_coap_write_uint(w, IPA_COAP_CONTENT_FORMAT, (uint32_t)c->config->content_format);
    if (c->uploaded || (!more && c->szx2 < 6)) ipa_coap_write_block(w, IPA_COAP_BLOCK2, &block2);
    if (c->blockwise && !c->uploaded) ipa_coap_write_block(w, IPA_COAP_BLOCK1, &block1);
    if (c->blockwise && !c->uploaded && c->body_sent == 0) ipa_coap_write_uint(w, IPA_COAP_SIZE1, c->total);
    if (c->echo_len > 0) ipa_coap_write_option(w, IPA_COAP_ECHO, c->echo, c->echo_len);
    if (c->blockwise) ipa_coap_write_uint(w, IPA_COAP_REQUEST_TAG, c->request_tag);
    if (len > 0) ipa_coap_write_payload(w, "", 0);
}

void ipa_coap_body_message(struct ipa_coap *c) {
    struct ipa_coap_writer w = {c->tx, IPA_CFG_COAP_HEADER - 1, 0, 0, 0};
    uint32_t len = c->uploaded ? 0 : least(c->fill, block_size(c->szx1));
    new_token(c);
    write_message(c, &w, len, !c->uploaded && c->body_sent + len < c->total);
    if (w.failed) {
        ipa_coap_fail(c, IPA_ERR_NO_MEM);
        return;
    }
    if (len > 0) c->tx[w.len++] = 0xFF;
    c->head_at = IPA_CFG_COAP_HEADER - w.len;
    memmove(c->tx + c->head_at, c->tx, w.len);
    c->sent_len = len;
    c->phase = IPA_COAP_ASKING;
    c->due = 1;
    c->acked = 0;
    c->timed = 0;
    c->retransmits = 0;
}

void ipa_coap_body_next(struct ipa_coap *c) {
    uint32_t need = least(block_size(c->szx1), c->total - c->body_sent);
    c->phase = IPA_COAP_FILLING;
    if (c->fill >= need) ipa_coap_body_message(c);
}

static void body_restart(struct ipa_coap *c) {
    c->request_tag = c->next_token;
    c->blockwise = c->total > block_size(c->szx1);
    c->echo_len = 0;
    c->echoed = 0;
}

/* Largest block with which a message fits the way; everything but name, path and Echo takes up to 40 octets. */
static uint8_t fitting_szx(const struct ipa_coap *c) {
    uint8_t szx = c->config->szx;
    size_t head = c->host_len + strlen(c->config->path) + 40;
    while (szx > 0 && c->datagram > 0 && block_size(szx) + head > c->datagram) szx--;
    return szx;
}

int ipa_coap_body_begin(struct ipa_coap *c) {
    /* Name, path, and about 96 octets of everything else at its longest. */
    if (c->host_len > 255 || c->host_len + strlen(c->config->path) + 96 > IPA_CFG_COAP_HEADER) return IPA_ERR_NO_MEM;
    c->szx_max = fitting_szx(c);
    c->szx1 = c->szx_start < c->szx_max ? c->szx_start : c->szx_max;
    c->szx2 = c->szx_max;
    body_restart(c);
    ipa_coap_body_next(c);
    return IPA_OK;
}

/* 2.31 to a block that is not the last. */
static int block_taken(struct ipa_coap *c, const struct said *said) {
    if (!said->has_block1 || said->block1.num != c->body_sent >> (c->szx1 + 4) || said->block1.szx > c->szx1) return IPA_ERR_PROTOCOL;
    c->body_sent += c->sent_len;
    c->fill -= c->sent_len;
    memmove(c->tx + IPA_CFG_COAP_HEADER, c->tx + IPA_CFG_COAP_HEADER + c->sent_len, c->fill);
    c->szx1 = c->szx_start = said->block1.szx;
    c->echo_len = 0;
    c->echoed = 0;
    ipa_coap_body_next(c);
    return IPA_OK;
}

/* 4.13: smaller blocks, or too large in all (RFC 7959 2.9.3). */
static int too_large(struct ipa_coap *c, const struct said *said) {
    int smaller = said->has_block1 && said->block1.szx < c->szx1 && (said->size1 == 0 || said->size1 >= c->total);
    if (smaller) c->szx_start = said->block1.szx;
    if (!smaller || c->body_sent > 0) {
        ipa_coap_fail(c, smaller ? IPA_ERR_RESTART : IPA_ERR_TOO_LARGE);
        return IPA_OK;
    }
    c->szx1 = said->block1.szx;
    body_restart(c);
    ipa_coap_body_next(c);
    return IPA_OK;
}

static int same_etag(const struct ipa_coap *c, const struct said *said) {
    return said->etag_len == c->etag_len && (c->etag_len == 0 || memcmp(said->etag, c->etag, c->etag_len) == 0);
}

/* A further Block2: 0, or why the exchange ends. */
static int continues(const struct ipa_coap *c, const struct said *said, uint16_t code) {
    if (code != c->answer_code) return code >= 400 ? IPA_ERR_RESTART : IPA_ERR_PROTOCOL;
    if (!said->has_block2) return IPA_ERR_PROTOCOL;
    return same_etag(c, said) ? IPA_OK : IPA_ERR_RESTART;
}

static int fits(const struct ipa_coap *c, const struct said *said, size_t len) {
    const struct ipa_coap_block *block = &said->block2;
    if (said->has_block2) {
        uint32_t size = block_size(block->szx);
        if (block->szx > c->szx2 || len > size || (block->more && len != size)) return IPA_ERR_PROTOCOL;
        if ((uint64_t)block->num << (block->szx + 4) != c->body_got) return IPA_ERR_PROTOCOL;
    }
    return len > c->config->body_max - c->body_got || said->size2 > c->config->body_max ? IPA_ERR_TOO_LARGE : IPA_OK;
}

static void take(struct ipa_coap *c, const struct said *said, const struct ipa_coap_msg *msg, uint16_t code) {
    c->payload_at = msg->payload_len == 0 ? 0 : (size_t)(msg->payload - c->rx);
    c->payload_end = c->payload_at + msg->payload_len;
    c->body_got += (uint32_t)msg->payload_len;
    c->more = said->has_block2 && said->block2.more;
    if (said->has_block2) c->szx2 = said->block2.szx;
    if (c->answer_code == 0 && said->etag_len > 0) memcpy(c->etag, said->etag, said->etag_len);
    if (c->answer_code == 0) c->etag_len = (uint8_t)said->etag_len;
    if (msg->code == IPA_COAP_UNAVAILABLE || msg->code == IPA_COAP_TOO_MANY) c->retry_after_s = said->max_age;
    c->answer_code = code;
    c->uploaded = 1;
    c->echo_len = 0;
    c->echoed = 0;
    c->phase = IPA_COAP_ANSWERED;
}

static int answer(struct ipa_coap *c, const struct said *said, const struct ipa_coap_msg *msg) {
    uint16_t code = (uint16_t)((msg->code >> 5) * 100 + (msg->code & 31));
    int err = c->answer_code == 0 ? IPA_OK : continues(c, said, code);
    if (err == IPA_OK) err = fits(c, said, msg->payload_len);
    if (err == IPA_OK) take(c, said, msg, code);
    else ipa_coap_fail(c, err);
    return IPA_OK;
}

static int repeat_with_echo(struct ipa_coap *c, const struct said *said) {
    memcpy(c->echo, said->echo, said->echo_len);
    c->echo_len = (uint8_t)said->echo_len;
    c->echoed = 1;
    ipa_coap_body_message(c);
    return IPA_OK;
}

int ipa_coap_body_answer(struct ipa_coap *c, const struct ipa_coap_msg *msg) {
    struct said said;
    if (read_options(&said, msg) < 0 || msg->code >> 5 == 3) return IPA_ERR_PROTOCOL;
    if (msg->code == IPA_COAP_UNAUTHORIZED && said.echo_len > 0 && !c->echoed) return repeat_with_echo(c, &said);
    if (c->uploaded) return answer(c, &said, msg);
    if (msg->code == IPA_COAP_INCOMPLETE) {
        ipa_coap_fail(c, IPA_ERR_RESTART);
        return IPA_OK;
    }
    if (msg->code == IPA_COAP_TOO_LARGE) return too_large(c, &said);
    if (msg->code >> 5 != 2) return answer(c, &said, msg);
    if (c->body_sent + c->sent_len < c->total) return msg->code == IPA_COAP_CONTINUE ? block_taken(c, &said) : IPA_ERR_PROTOCOL;
    if (msg->code == IPA_COAP_CONTINUE || (said.has_block1 && said.block1.num != c->body_sent >> (c->szx1 + 4))) return IPA_ERR_PROTOCOL;
    return answer(c, &said, msg);
}
