/*
 * CoAP client for one request at a time, a POST with a body of any size both ways (RFC 7252; RFC 7959 Block1 and Block2 in one
 * exchange; RFC 9175 Request-Tag, Echo, counter tokens; coap-dtls 1, 2, 6). No I/O in here: datagrams go in and out through the
 * caller, time is an argument in milliseconds that wraps at 2^32. Bodies stream in pieces of any size; memory: one block each way.
 *
 *     ipa_coap_begin -> ipa_coap_write ... -> ipa_coap_read ... (last)
 *     meanwhile, whenever something may have happened: ipa_coap_output / ipa_coap_sent, ipa_coap_input, ipa_coap_wait
 *
 * Leaves out: Observe, Q-Block (RFC 9177), other methods, answering requests (they get RST).
 */
#ifndef IPA_COAP_H
#define IPA_COAP_H

#include <stddef.h>
#include <stdint.h>

#include "ipa/config_default.h"
#include "ipa/err.h"
#include "ipa/link.h"

struct ipa_coap_config {
    const char *path;            /* Uri-Path segments, separated by '/', e.g. "gsma/rsp2/asn1" */
    int32_t content_format;      /* of the request; -1: left out */
    uint32_t ack_timeout_ms;     /* ACK_TIMEOUT: NB-IoT 10000, LTE-M 4000 */
    uint32_t random_permille;    /* ACK_RANDOM_FACTOR x 1000: 1500 */
    uint32_t max_retransmit;     /* MAX_RETRANSMIT: NB-IoT 3, LTE-M 4 */
    uint32_t response_ms;        /* longest wait for a separate response behind an empty ACK: an eIM may relay to an SM-DP+ */
    uint32_t exchange_ms;        /* longest exchange in all */
    uint32_t body_max;           /* longest answer that is taken */
    uint8_t szx;                 /* largest block: 6 is 1024 octets, 5 is 512; at most IPA_CFG_COAP_SZX */
    uint8_t token_min;           /* 1 inside DTLS; 4 without, so that a token can't be guessed */
    uint8_t method;              /* code of the request; 0: POST */
};

#define IPA_COAP_BLOCK (1u << (IPA_CFG_COAP_SZX + 4))

enum ipa_coap_phase { IPA_COAP_IDLE, IPA_COAP_FILLING, IPA_COAP_ASKING, IPA_COAP_ANSWERED, IPA_COAP_FAILED };

/* Private to coap.c and coap_block.c, but for the two counters, which a saved DTLS session takes along. */
struct ipa_coap {
    uint32_t next_token;         /* counter, never used twice in a DTLS session (RFC 9175 4.2) */
    uint16_t next_mid;

    const struct ipa_coap_config *config;
    const char *host;
    size_t host_len;
    size_t datagram;             /* largest message that the way takes; 0: any */
    uint32_t random;             /* state of a small generator: jitter, Request-Tags */

    enum ipa_coap_phase phase;
    int error;                   /* of IPA_COAP_FAILED */
    uint32_t begun;              /* when the exchange began */

    /* The request: body_sent octets are at the server, `fill` more are in tx behind the header. */
    uint32_t total;
    uint32_t body_sent;
    uint32_t fill;
    uint32_t request_tag;        /* of this body: the token counter's value when it began */
    uint32_t written;            /* octets taken from the caller */
    uint8_t szx1;                /* of Block1 now */
    uint8_t szx_start;           /* what the server took last time */
    uint8_t szx_max;             /* what the way and the configuration allow */
    uint8_t blockwise;           /* Block1 in use: Request-Tag in every message */
    uint8_t uploaded;            /* the server has the whole request, or has answered before it had */

    /* The answer: body_got octets were taken over, payload_at..payload_end of rx are unread. */
    uint32_t body_got;
    size_t payload_at;
    size_t payload_end;
    uint16_t answer_code;        /* class * 100 + detail; 0: none yet */
    uint32_t retry_after_s;
    uint8_t szx2;
    uint8_t more;
    uint8_t etag_len;
    uint8_t etag[8];

    /* The message on its way. */
    uint16_t mid;
    uint8_t token[8];
    uint8_t token_len;
    uint8_t due;                 /* to be sent now */
    uint8_t heard;               /* the server has shown a sign of life in this exchange */
    uint8_t acked;               /* empty ACK came: the response will be separate */
    uint8_t timed;               /* timer_at counts */
    uint8_t retransmits;
    uint8_t echoed;              /* Echo answered once already */
    uint8_t echo_len;
    uint8_t echo[40];
    uint32_t sent_len;           /* payload octets in it */
    uint32_t timeout;
    uint32_t timer_at;
    uint32_t first_sent_at;
    uint32_t smoothed_rtt;       /* ms; 0: not measured */

    /* Deduplication: MIDs of confirmable responses that were acknowledged. */
    uint16_t seen[IPA_CFG_COAP_SEEN];
    uint8_t seen_count;
    uint8_t seen_next;

    /* ACK and RST that wait to be sent, 4 octets each. */
    uint8_t replies[IPA_CFG_COAP_REPLIES][4];
    uint8_t reply_count;

    size_t head_at;              /* where the datagram begins in tx */
    uint8_t tx[IPA_CFG_COAP_HEADER + IPA_COAP_BLOCK];
    uint8_t rx[IPA_CFG_COAP_ANSWER_HEADER + IPA_COAP_BLOCK];
};

/* config must outlive the client. entropy: 32 random bits, for the first MID, the first tokens and jitter. */
void ipa_coap_init(struct ipa_coap *c, const struct ipa_coap_config *config, uint32_t entropy);

/* The way takes messages of up to `datagram` octets, from the next exchange on: blocks are made to fit. */
void ipa_coap_limit(struct ipa_coap *c, size_t datagram);

/*
 * Begins a POST with a body of `total` octets. host: Uri-Host, or empty; it stays where it is until the exchange ends. An exchange
 * in progress is dropped: its answers are refused from now on. IPA_OK, or IPA_ERR_NO_MEM: the host's name doesn't fit the header.
 */
int ipa_coap_begin(struct ipa_coap *c, const char *host, size_t host_len, uint32_t total, uint32_t now);

/*
 * Octets of the body that were taken (1 to len), IPA_AGAIN while the block before is on its way, or the error that ended the
 * exchange. When the server has answered early, whatever follows is taken and dropped: the answer says why.
 */
int ipa_coap_write(struct ipa_coap *c, const uint8_t *piece, size_t len);

/* Octets of the answer (0 only with about->last), IPA_AGAIN, or the error that ended the exchange. */
int ipa_coap_read(struct ipa_coap *c, uint8_t *piece, size_t cap, struct ipa_answer *about);

/* The datagram to be sent now, or NULL. When it was sent: ipa_coap_sent. The retransmission timer is looked at here. */
const uint8_t *ipa_coap_output(struct ipa_coap *c, size_t *len, uint32_t now);
void ipa_coap_sent(struct ipa_coap *c, uint32_t now);

/* Where the next datagram is to be received, or NULL while an answer is unread (it then waits in the socket). */
uint8_t *ipa_coap_input_buffer(struct ipa_coap *c, size_t *cap);
/* A datagram of len octets is in that buffer. */
void ipa_coap_input(struct ipa_coap *c, size_t len, uint32_t now);

/* Milliseconds until ipa_coap_output has something to do; UINT32_MAX: it waits for others only. */
uint32_t ipa_coap_wait(const struct ipa_coap *c, uint32_t now);

/*
 * How often the first message of the exchange was sent without any sign of life from the server; 0 once there was one. Such an
 * exchange can be moved to a new connection, even after IPA_ERR_TIMEOUT: ipa_coap_again sends that message anew.
 */
unsigned ipa_coap_unheard(const struct ipa_coap *c);
void ipa_coap_again(struct ipa_coap *c);

/* The exchange ends with this error (IPA_ERR_LINK and such). */
void ipa_coap_fail(struct ipa_coap *c, int error);

#endif
