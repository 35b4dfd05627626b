/*
 * The far end for tests of DTLS and TLS, in the same process and in virtual time: a network whose datagrams can be lost, doubled,
 * altered and recorded, and a server on Mbed TLS's own server side (RFC 6347, 5246, 9146), which keeps every session that it ever had.
 */
#ifndef TLS_KIT_H
#define TLS_KIT_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipa/err.h"
#include "ipa/net.h"
#include "link/tls_heap.h"
#include "mbedtls/pk.h"
#include "mbedtls/ssl.h"
#include "mbedtls/x509_crt.h"
#include "tls_certificates.h"

#define QUEUE 64
#define SESSIONS 96

struct kit_packet {
    uint8_t data[1500];
    size_t len;
};

struct kit_queue {
    struct kit_packet packet[QUEUE];
    unsigned head, count;
};

struct kit_session {
    mbedtls_ssl_context ssl;
    uint8_t used, over, hello[32], cid[4];
};

struct kit {
    uint32_t now;
    struct ipa_net net;
    struct kit_queue to_server, to_client;
    unsigned opens, sends;
    /* Asked for each packet: 0 lost, 1 delivered, 2 delivered twice. It may alter the packet. */
    int (*hook)(struct kit *k, int to_server, uint8_t *data, size_t *len);
    void *hook_ctx;
    /* Called before each thing that the client does to the world: tests cut the power there. */
    void (*step)(struct kit *k);
    int stream;                   /* TLS over TCP */
    int closed;                   /* TCP: the server has closed */
    int closes;                   /* it does so behind each answer */
    /* Octets that the client sent, decrypted; gives how many octets of `out` are the answer. */
    size_t (*answer)(struct kit *k, const uint8_t *in, size_t len, uint8_t *out, size_t cap);
    void *answer_ctx;
    mbedtls_ssl_config conf;
    mbedtls_x509_crt crt;
    mbedtls_pk_context key;
    struct ipa_tls_heap heap;
    struct kit_session session[SESSIONS];
    unsigned sessions;
    struct kit_session *current;
    struct kit_packet *reading;
    size_t read_at;
    uint32_t random, client_random;
    int forgetful;                /* the server knows no session: it answers ClientHellos only */
    int error;                    /* Mbed TLS's, of the session that failed last */
    uint8_t memory[1 << 20];
};

static inline uint32_t kit_random(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static inline int kit_rng(void *ctx, unsigned char *p, size_t len) {
    for (size_t i = 0; i < len; i++) p[i] = (uint8_t)kit_random(&((struct kit *)ctx)->random);
    return 0;
}

/* Doors of the client: its own chance, the network's time. */
static inline int kit_entropy(void *ctx, uint8_t *p, size_t len) {
    for (size_t i = 0; i < len; i++) p[i] = (uint8_t)kit_random(&((struct kit *)ctx)->client_random);
    return IPA_OK;
}

static inline uint32_t kit_now_ms(void *ctx) {
    return ((struct kit *)ctx)->now;
}

static inline void kit_put(struct kit *k, struct kit_queue *q, const uint8_t *data, size_t len) {
    struct kit_packet copy;
    memcpy(copy.data, data, len);
    copy.len = len;
    int times = k->hook == NULL ? 1 : k->hook(k, q == &k->to_server, copy.data, &copy.len);
    while (times-- > 0 && q->count < QUEUE) q->packet[(q->head + q->count++) % QUEUE] = copy;
}

static inline struct kit_packet *kit_take(struct kit_queue *q) {
    if (q->count == 0) return NULL;
    struct kit_packet *p = &q->packet[q->head];
    q->head = (q->head + 1) % QUEUE;
    q->count--;
    return p;
}

/* --- the client's sockets --- */

static inline int kit_open(void *ctx, const struct ipa_net_peer *to) {
    struct kit *k = ctx;
    if (k->step != NULL) k->step(k);
    if (to->kind != (k->stream ? IPA_NET_TCP : IPA_NET_UDP)) return IPA_ERR_INVALID;
    k->opens++;
    k->to_client.count = 0;
    if (k->stream) {
        k->to_server.count = 0;
        k->current = NULL;
        k->closed = 0;
        k->read_at = 0;
        k->reading = NULL;
    }
    return 1;
}

static inline int kit_send(void *ctx, int socket, const uint8_t *data, size_t len) {
    struct kit *k = ctx;
    (void)socket;
    if (k->step != NULL) k->step(k);
    if (k->stream && k->closed == 1) return IPA_ERR_CLOSED;
    if (k->to_server.count == QUEUE) return IPA_AGAIN;
    if (len > 1500) len = 1500;
    k->sends++;
    kit_put(k, &k->to_server, data, len);
    return (int)len;
}

static inline int kit_receive(void *ctx, int socket, uint8_t *data, size_t cap) {
    struct kit *k = ctx;
    (void)socket;
    if (k->to_client.count == 0) return k->stream && k->closed == 1 ? IPA_ERR_CLOSED : IPA_AGAIN;
    if (k->step != NULL) k->step(k);
    struct kit_packet *p = &k->to_client.packet[k->to_client.head];
    size_t len = p->len < cap ? p->len : cap;
    memcpy(data, p->data, len);
    if (k->stream && len < p->len) {
        memmove(p->data, p->data + len, p->len - len);
        p->len -= len;
        return (int)len;
    }
    (void)kit_take(&k->to_client);
    return p->len > cap && !k->stream ? IPA_ERR_TOO_LARGE : (int)len;
}

static inline int kit_close(void *ctx, int socket) {
    struct kit *k = ctx;
    (void)socket;
    if (k->step != NULL) k->step(k);
    return IPA_OK;
}

/* --- the server --- */

static inline int kit_server_send(void *ctx, const unsigned char *data, size_t len) {
    struct kit *k = ctx;
    if (k->to_client.count == QUEUE) return MBEDTLS_ERR_SSL_WANT_WRITE;
    if (len > 1500) len = 1500;
    kit_put(k, &k->to_client, data, len);
    return (int)len;
}

static inline int kit_server_receive(void *ctx, unsigned char *data, size_t cap) {
    struct kit *k = ctx;
    if (k->reading == NULL && k->stream) k->reading = kit_take(&k->to_server);
    if (k->reading == NULL) return MBEDTLS_ERR_SSL_WANT_READ;
    size_t left = k->reading->len - k->read_at, len = left < cap ? left : cap;
    memcpy(data, k->reading->data + k->read_at, len);
    k->read_at += len;
    if (!k->stream || k->read_at == k->reading->len) {
        k->reading = NULL;
        k->read_at = 0;
    }
    return (int)len;
}

/* The server never repeats on its own: it answers what the client repeats. */
static inline void kit_set_timer(void *ctx, uint32_t int_ms, uint32_t fin_ms) {
    (void)ctx, (void)int_ms, (void)fin_ms;
}

static inline int kit_get_timer(void *ctx) {
    (void)ctx;
    return 0;
}

static inline struct kit_session *kit_new_session(struct kit *k) {
    if (k->sessions == SESSIONS) abort();
    struct kit_session *s = &k->session[k->sessions++];
    memset(s, 0, sizeof *s);
    mbedtls_ssl_init(&s->ssl);
    if (mbedtls_ssl_setup(&s->ssl, &k->conf) != 0) abort();
    mbedtls_ssl_set_bio(&s->ssl, k, kit_server_send, kit_server_receive, NULL);
    mbedtls_ssl_set_timer_cb(&s->ssl, k, kit_set_timer, kit_get_timer);
    memcpy(s->cid, "\xC1\xD2\xE3", 3);
    s->cid[3] = (uint8_t)k->sessions;
    if (!k->stream) mbedtls_ssl_set_cid(&s->ssl, MBEDTLS_SSL_CID_ENABLED, s->cid, sizeof s->cid);
    s->used = 1;
    return s;
}

/* Whose datagram is it: a connection id says so, a ClientHello with a new random begins a session. */
static inline struct kit_session *kit_route(struct kit *k, const struct kit_packet *p) {
    if (p->data[0] == 25) {
        for (unsigned i = 0; i < k->sessions; i++) {
            if (k->session[i].used && memcmp(k->session[i].cid, p->data + 11, 4) == 0) return k->forgetful ? NULL : &k->session[i];
        }
        return NULL;
    }
    if (p->data[0] == 22 && p->data[4] == 0 && p->data[13] == 1 && (k->current == NULL || memcmp(k->current->hello, p->data + 27, 32) != 0)) {
        k->current = kit_new_session(k);
        memcpy(k->current->hello, p->data + 27, 32);
        k->forgetful = 0;
    }
    return k->current;
}

/* What is to be read has been read, or the session is at its end. */
static inline void kit_serve(struct kit *k, struct kit_session *s) {
    static uint8_t in[20000], out[40000];
    int ret = 0;
    while (ret >= 0 && !s->over) {
        ret = mbedtls_ssl_handshake(&s->ssl);
        if (ret == 0) ret = mbedtls_ssl_read(&s->ssl, in, sizeof in);
        if (ret > 0 && k->answer != NULL) {
            size_t len = k->answer(k, in, (size_t)ret, out, sizeof out), at = 0;
            while (at < len) {
                int sent = mbedtls_ssl_write(&s->ssl, out + at, len - at);
                if (sent <= 0) break;
                at += (size_t)sent;
            }
            if (k->closes && len > 0) {
                (void)mbedtls_ssl_close_notify(&s->ssl);
                k->closed = 1;
                s->over = 1;
            }
        }
        if (ret == 0 || (ret < 0 && ret != MBEDTLS_ERR_SSL_WANT_READ && ret != MBEDTLS_ERR_SSL_WANT_WRITE)) {
            s->over = 1;
            k->error = ret;
            if (k->stream) k->closed = 1;
        }
    }
}

/* The server deals with everything that has arrived. True when there was something. */
static inline int kit_turn(struct kit *k) {
    struct ipa_tls_heap *before = ipa_tls_heap_use(&k->heap);
    int any = 0;
    if (k->stream) {
        any = k->to_server.count > 0 || k->reading != NULL;
        if (k->current == NULL && any) k->current = kit_new_session(k);
        if (any) kit_serve(k, k->current);
    } else {
        for (struct kit_packet *p; (p = kit_take(&k->to_server)) != NULL; any = 1) {
            static struct kit_packet copy;
            copy = *p;
            struct kit_session *s = kit_route(k, &copy);
            k->reading = &copy;
            k->read_at = 0;
            if (s != NULL) kit_serve(k, s);
            k->reading = NULL;
        }
    }
    ipa_tls_heap_use(before);
    return any;
}

/* der, der_len: the server's certificate, NULL: a PSK. suites: NULL: what the client offers. */
static inline void kit_init(struct kit *k, int stream, const uint8_t *der, size_t der_len, const char *psk_identity, const uint8_t *psk, size_t psk_len, const int *suites) {
    uint32_t client_random = k->client_random;
    memset(k, 0, sizeof *k);
    k->client_random = client_random + 1;
    k->now = 0xFFFFF000u;
    k->random = 7;
    k->stream = stream;
    k->net = (struct ipa_net){kit_open, kit_send, kit_receive, kit_close, 1280, k};
    if (ipa_tls_heap_init(&k->heap, k->memory, sizeof k->memory) < 0) abort();
    struct ipa_tls_heap *before = ipa_tls_heap_use(&k->heap);
    mbedtls_ssl_config_init(&k->conf);
    mbedtls_x509_crt_init(&k->crt);
    mbedtls_pk_init(&k->key);
    int ret = mbedtls_ssl_config_defaults(&k->conf, MBEDTLS_SSL_IS_SERVER, stream ? MBEDTLS_SSL_TRANSPORT_STREAM : MBEDTLS_SSL_TRANSPORT_DATAGRAM, MBEDTLS_SSL_PRESET_DEFAULT);
    mbedtls_ssl_conf_rng(&k->conf, kit_rng, k);
    if (suites != NULL) mbedtls_ssl_conf_ciphersuites(&k->conf, suites);
    mbedtls_ssl_conf_preference_order(&k->conf, MBEDTLS_SSL_SRV_CIPHERSUITE_ORDER_CLIENT);
    if (!stream) {
        mbedtls_ssl_conf_dtls_cookies(&k->conf, NULL, NULL, NULL);
        ret |= mbedtls_ssl_conf_cid(&k->conf, 4, MBEDTLS_SSL_UNEXPECTED_CID_IGNORE);
    }
    if (der != NULL) {
        ret |= mbedtls_x509_crt_parse_der(&k->crt, der, der_len);
        ret |= mbedtls_pk_parse_key(&k->key, srv_der, sizeof srv_der, NULL, 0, kit_rng, k);
        ret |= mbedtls_ssl_conf_own_cert(&k->conf, &k->crt, &k->key);
    }
    if (psk_identity != NULL) ret |= mbedtls_ssl_conf_psk(&k->conf, psk, psk_len, (const unsigned char *)psk_identity, strlen(psk_identity));
    if (ret != 0) abort();
    ipa_tls_heap_use(before);
}

#endif
