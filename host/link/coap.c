/* CoAP client: messages, retransmission, matching, deduplication (coap.h; RFC 7252 4 and 5.3). Bodies: coap_block.c. */
#include "link/coap.h"

#include <string.h>

#include "link/coap_parts.h"

static int past(uint32_t now, uint32_t at) {
    return (int32_t)(now - at) >= 0;
}

/* xorshift: jitter needs no more, and tokens are counters. */
static uint32_t next_random(struct ipa_coap *c) {
    c->random ^= c->random << 13;
    c->random ^= c->random >> 17;
    c->random ^= c->random << 5;
    return c->random;
}

void ipa_coap_init(struct ipa_coap *c, const struct ipa_coap_config *config, uint32_t entropy) {
    memset(c, 0, sizeof *c);
    c->config = config;
    c->random = entropy == 0 ? 1 : entropy;
    c->next_mid = (uint16_t)next_random(c);
    c->next_token = config->token_min < 4 ? 0 : next_random(c);
    c->szx_start = config->szx;
}

void ipa_coap_limit(struct ipa_coap *c, size_t datagram) {
    c->datagram = datagram;
}

void ipa_coap_fail(struct ipa_coap *c, int error) {
    c->phase = IPA_COAP_FAILED;
    c->error = error;
    c->due = 0;
}

int ipa_coap_begin(struct ipa_coap *c, const char *host, size_t host_len, uint32_t total, uint32_t now) {
    c->host = host;
    c->host_len = host_len;
    c->total = total;
    c->begun = now;
    c->body_sent = c->fill = c->written = c->body_got = 0;
    c->uploaded = c->heard = 0;
    c->answer_code = 0;
    c->retry_after_s = 0;
    c->payload_at = c->payload_end = 0;
    c->more = c->etag_len = 0;
    return ipa_coap_body_begin(c);
}

int ipa_coap_write(struct ipa_coap *c, const uint8_t *piece, size_t len) {
    if (c->phase == IPA_COAP_FAILED) return c->error;
    if (c->phase == IPA_COAP_IDLE || len > c->total - c->written) return IPA_ERR_INVALID;
    if (!c->uploaded) {
        if (c->phase != IPA_COAP_FILLING) return len == 0 ? 0 : IPA_AGAIN;
        uint32_t room = (16u << c->szx1) - c->fill;
        if (len > room) len = room;
        memcpy(c->tx + IPA_CFG_COAP_HEADER + c->fill, piece, len);
        c->fill += (uint32_t)len;
        ipa_coap_body_next(c);
    }
    c->written += (uint32_t)len;
    return (int)len;
}

int ipa_coap_read(struct ipa_coap *c, uint8_t *piece, size_t cap, struct ipa_answer *about) {
    if (c->phase == IPA_COAP_FAILED) return c->error;
    if (c->phase != IPA_COAP_ANSWERED) return c->phase == IPA_COAP_ASKING ? IPA_AGAIN : IPA_ERR_INVALID;
    size_t len = c->payload_end - c->payload_at;
    if (len > cap) len = cap;
    memcpy(piece, c->rx + c->payload_at, len);
    c->payload_at += len;
    about->code = c->answer_code;
    about->retry_after_s = c->retry_after_s;
    about->last = c->payload_at == c->payload_end && !c->more;
    if (about->last) c->phase = IPA_COAP_IDLE;
    else if (c->payload_at == c->payload_end) ipa_coap_body_message(c);
    return (int)len;
}

/* First timeout: uniform between ACK_TIMEOUT and that x ACK_RANDOM_FACTOR (RFC 7252 4.2), and not below 3 round trips. */
static uint32_t first_timeout(struct ipa_coap *c) {
    uint32_t base = c->config->ack_timeout_ms;
    if (3 * c->smoothed_rtt > base) base = 3 * c->smoothed_rtt;
    uint32_t spread = c->config->random_permille > 1000 ? c->config->random_permille - 1000 : 0;
    return base + (uint32_t)((uint64_t)base * spread / 1000 * (next_random(c) & 0xFFFF) / 0xFFFF);
}

/* Looks at the timers: a message that must be sent again, or an exchange that has lasted too long. */
static void watch(struct ipa_coap *c, uint32_t now) {
    if (c->phase != IPA_COAP_ASKING) return;
    if (now - c->begun > c->config->exchange_ms) {
        ipa_coap_fail(c, IPA_ERR_TIMEOUT);
    } else if (c->timed && !c->due && past(now, c->timer_at)) {
        if (c->acked || c->retransmits >= c->config->max_retransmit) {
            ipa_coap_fail(c, IPA_ERR_TIMEOUT);
            return;
        }
        c->retransmits++;
        c->timeout *= 2;
        c->due = 1;
    }
}

const uint8_t *ipa_coap_output(struct ipa_coap *c, size_t *len, uint32_t now) {
    watch(c, now);
    if (c->reply_count > 0) {
        *len = sizeof c->replies[0];
        return c->replies[0];
    }
    if (c->phase != IPA_COAP_ASKING || !c->due) return NULL;
    *len = IPA_CFG_COAP_HEADER - c->head_at + c->sent_len;
    return c->tx + c->head_at;
}

void ipa_coap_sent(struct ipa_coap *c, uint32_t now) {
    if (c->reply_count > 0) {
        c->reply_count--;
        memmove(c->replies[0], c->replies[1], c->reply_count * sizeof c->replies[0]);
        return;
    }
    if (c->retransmits == 0) {
        c->timeout = first_timeout(c);
        c->first_sent_at = now;
    }
    c->due = 0;
    c->timed = 1;
    c->timer_at = now + c->timeout;
}

uint32_t ipa_coap_wait(const struct ipa_coap *c, uint32_t now) {
    if (c->reply_count > 0) return 0;
    if (c->phase != IPA_COAP_ASKING) return UINT32_MAX;
    if (c->due || !c->timed || past(now, c->timer_at)) return 0;
    return c->timer_at - now;
}

uint8_t *ipa_coap_input_buffer(struct ipa_coap *c, size_t *cap) {
    if (c->phase == IPA_COAP_ANSWERED) return NULL;
    *cap = sizeof c->rx;
    return c->rx;
}

/* A reply that finds no room is lost like any datagram: the server repeats its message. */
static void reply(struct ipa_coap *c, uint8_t type, uint16_t mid) {
    if (c->reply_count == IPA_CFG_COAP_REPLIES) return;
    uint8_t *at = c->replies[c->reply_count++];
    at[0] = (uint8_t)(1 << 6 | type << 4);
    at[1] = IPA_COAP_EMPTY;
    at[2] = (uint8_t)(mid >> 8);
    at[3] = (uint8_t)mid;
}

static int was_seen(const struct ipa_coap *c, uint16_t mid) {
    for (unsigned i = 0; i < c->seen_count; i++) {
        if (c->seen[i] == mid) return 1;
    }
    return 0;
}

static void remember(struct ipa_coap *c, uint16_t mid) {
    c->seen[c->seen_next] = mid;
    c->seen_next = (uint8_t)((c->seen_next + 1) % IPA_CFG_COAP_SEEN);
    if (c->seen_count < IPA_CFG_COAP_SEEN) c->seen_count++;
}

/* Karn's rule: a message that was sent twice measures nothing. Smoothing as in RFC 6298, gain 1/8. */
static void measure(struct ipa_coap *c, uint32_t now) {
    if (c->retransmits > 0 || c->acked) return;
    uint32_t rtt = now - c->first_sent_at;
    c->smoothed_rtt = c->smoothed_rtt == 0 ? rtt : c->smoothed_rtt - c->smoothed_rtt / 8 + rtt / 8;
}

static void empty_message(struct ipa_coap *c, const struct ipa_coap_msg *msg, uint32_t now) {
    if (msg->type == IPA_COAP_CON) reply(c, IPA_COAP_RST, msg->mid);   /* a ping (RFC 7252 4.3) */
    if (c->phase != IPA_COAP_ASKING || !c->timed || msg->mid != c->mid) return;
    if (msg->type == IPA_COAP_RST) ipa_coap_fail(c, IPA_ERR_PROTOCOL);
    if (msg->type != IPA_COAP_ACK || c->acked) return;
    measure(c, now);
    c->acked = 1;
    c->heard = 1;
    c->due = 0;
    c->timer_at = now + c->config->response_ms;
}

static int is_ours(const struct ipa_coap *c, const struct ipa_coap_msg *msg) {
    if (c->phase != IPA_COAP_ASKING || !c->timed || (msg->type == IPA_COAP_ACK && msg->mid != c->mid)) return 0;
    return msg->token_len == c->token_len && memcmp(msg->token, c->token, c->token_len) == 0;
}

/* A confirmable message that isn't ours: a response that was taken before is acknowledged again, anything else is refused. */
static void not_ours(struct ipa_coap *c, const struct ipa_coap_msg *msg) {
    int response = msg->code >> 5 >= 2;
    if (msg->type == IPA_COAP_CON) reply(c, response && was_seen(c, msg->mid) ? IPA_COAP_ACK : IPA_COAP_RST, msg->mid);
}

void ipa_coap_input(struct ipa_coap *c, size_t len, uint32_t now) {
    struct ipa_coap_msg msg;
    int err = ipa_coap_parse(&msg, c->rx, len);
    if (err == IPA_ERR_PROTOCOL && msg.type == IPA_COAP_CON) reply(c, IPA_COAP_RST, msg.mid);
    if (err < 0) return;
    if (msg.code == IPA_COAP_EMPTY) {
        empty_message(c, &msg, now);
        return;
    }
    if (msg.code >> 5 < 2 || msg.type == IPA_COAP_RST || !is_ours(c, &msg)) {
        not_ours(c, &msg);
        return;
    }
    measure(c, now);
    c->heard = 1;
    if (ipa_coap_body_answer(c, &msg) < 0) {
        if (msg.type == IPA_COAP_CON) reply(c, IPA_COAP_RST, msg.mid);
        ipa_coap_fail(c, IPA_ERR_PROTOCOL);
    } else if (msg.type == IPA_COAP_CON) {
        reply(c, IPA_COAP_ACK, msg.mid);
        remember(c, msg.mid);
    }
}

unsigned ipa_coap_unheard(const struct ipa_coap *c) {
    int waits = c->phase == IPA_COAP_ASKING || (c->phase == IPA_COAP_FAILED && c->error == IPA_ERR_TIMEOUT);
    return waits && !c->heard && c->timed ? c->retransmits + 1u : 0;
}

void ipa_coap_again(struct ipa_coap *c) {
    ipa_coap_body_message(c);
}
