/* Links of the C host as N-API functions; see doors.c. */
#include "node/doors.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ipa/err.h"
#include "link/links.h"
#include "modem/net_at.h"
#include "net_posix.h"

#define HEAP 20000u     /* Mbed TLS on a computer of 64 bits: links.h, and room to spare */
#define PIECE_MAX 4096u

enum busy { FREE, OPENING, SENDING, RECEIVING };

struct link {
    uint32_t kind;
    enum busy busy;
    struct ipa_link door;
    struct ipa_link_config config;
    void *memory;
    char *psk_identity;
    uint8_t *psk, *ca;
    int64_t utc_s;                  /* -1: this computer's */
    struct net_posix posix;
    struct ipa_node_modem *modem;   /* whose sockets are used; NULL: posix */
    struct ipa_net net;             /* what is below: the posix sockets, or the modem's */
    /* Arguments, kept while an endpoint is open or a function under way. */
    struct ipa_endpoint to;
    char *fqdn, *host;              /* host: connect there instead, NULL: where the name leads */
    uint8_t *trust;
    uint16_t port;
    struct ipa_request how;
    uint32_t wait_ms;
    size_t len, cap;
    uint8_t piece[PIECE_MAX];
};

/* ---- doors below the link ---- */

static int entropy(void *ctx, uint8_t *p, size_t len) {
    (void)ctx;
    for (size_t at = 0; at < len; at += 256) {
        if (getentropy(p + at, len - at < 256 ? len - at : 256) != 0) return IPA_ERR_ENTROPY;
    }
    return IPA_OK;
}

static uint32_t utc_s(void *ctx) {
    const struct link *l = ctx;
    return l->utc_s < 0 ? (uint32_t)time(NULL) : (uint32_t)l->utc_s;
}

static int net_gone(const struct link *l) { return l->modem != NULL && (l->modem->closed || l->modem->line.broken != 0); }

static int net_open(void *ctx, const struct ipa_net_peer *to) {
    struct link *l = ctx;
    struct ipa_net_peer at = *to;
    if (net_gone(l)) return IPA_ERR_LINK;
    if (l->host != NULL) {
        at.host = l->host;
        at.host_len = strlen(l->host);
        at.port = l->port;
    }
    return l->net.open(l->net.ctx, &at);
}

static int net_send(void *ctx, int socket, const uint8_t *data, size_t len) {
    struct link *l = ctx;
    return net_gone(l) ? IPA_ERR_LINK : l->net.send(l->net.ctx, socket, data, len);
}

static int net_receive(void *ctx, int socket, uint8_t *data, size_t cap) {
    struct link *l = ctx;
    return net_gone(l) ? IPA_ERR_LINK : l->net.receive(l->net.ctx, socket, data, cap);
}

static int net_close(void *ctx, int socket) {
    struct link *l = ctx;
    return net_gone(l) ? IPA_OK : l->net.close(l->net.ctx, socket);
}

/* ---- life ---- */

static void free_endpoint(struct link *l) {
    free(l->fqdn);
    free(l->host);
    free(l->trust);
    l->fqdn = l->host = NULL;
    l->trust = NULL;
}

static void end(struct link *l) {
    if (l->door.ctx != NULL) ipa_link_stop(&l->door);   /* it was begun */
    for (int i = 0; i < NET_POSIX_SOCKETS && l->modem == NULL; i++) (void)l->net.close(l->net.ctx, i);
    if (l->modem != NULL) ipa_node_modem_drop(l->modem);
    free_endpoint(l);
    free(l->memory);
    free(l->psk_identity);
    free(l->psk);
    free(l->ca);
    memset(l, 0, sizeof *l);
}

static void finalize(napi_env env, void *data, void *hint) {
    struct link *l = data;
    (void)env;
    (void)hint;
    if (l->kind != 0) end(l);
    free(l);
}

static void read_numbers(napi_env env, napi_value options, struct link *l) {
    struct ipa_link_config *c = &l->config;
    uint32_t szx = c->coap.szx;
    ipa_node_option_u32(env, options, "ackTimeoutMs", &c->coap.ack_timeout_ms);
    ipa_node_option_u32(env, options, "maxRetransmit", &c->coap.max_retransmit);
    ipa_node_option_u32(env, options, "responseMs", &c->coap.response_ms);
    ipa_node_option_u32(env, options, "exchangeMs", &c->coap.exchange_ms);
    ipa_node_option_u32(env, options, "handshakeMinMs", &c->handshake_min_ms);
    ipa_node_option_u32(env, options, "handshakeMaxMs", &c->handshake_max_ms);
    ipa_node_option_u32(env, options, "bodyMax", &c->http_body_max);
    ipa_node_option_u32(env, options, "szx", &szx);
    /* A block of 1024 with the heads of CoAP and DTLS must fit one datagram of the modem. */
    c->coap.szx = (uint8_t)(szx > 5 && l->net.send_max < 1184 ? 5 : szx);
    c->coap.body_max = c->http_body_max;
}

static void read_trust(napi_env env, napi_value options, struct link *l) {
    struct ipa_link_config *c = &l->config;
    napi_value utc = ipa_node_option(env, options, "utc");
    napi_valuetype type = napi_undefined;
    l->psk_identity = ipa_node_text(env, ipa_node_option(env, options, "pskIdentity"));
    l->psk = ipa_node_copy(env, ipa_node_option(env, options, "psk"), &c->psk_len);
    l->ca = ipa_node_copy(env, ipa_node_option(env, options, "ca"), &c->ca_len);
    napi_typeof(env, utc, &type);
    l->utc_s = type == napi_number ? (int64_t)ipa_node_u32(env, utc) : -1;
    c->psk_identity = l->psk_identity;
    c->psk = l->psk;
    c->ca = l->ca;
}

static int take_modem(napi_env env, napi_value options, struct link *l) {
    napi_value modem = ipa_node_option(env, options, "modem");
    napi_valuetype type = napi_undefined;
    struct ipa_node_modem *m = NULL;
    napi_typeof(env, modem, &type);
    if (type != napi_external) return type == napi_undefined ? IPA_OK : IPA_ERR_INVALID;
    napi_get_value_external(env, modem, (void **)&m);
    if (m->kind != IPA_NODE_MODEM) return IPA_ERR_INVALID;
    ipa_node_modem_hold(m);
    l->modem = m;
    l->net = ipa_modem_net(&m->modem.agent);
    if (m->modem.family != NULL) l->net.send_max = m->modem.family->send_max;
    return IPA_OK;
}

static int make(napi_env env, napi_value options, struct link *l) {
    uint32_t lte = 0;
    ipa_node_option_u32(env, options, "lteM", &lte);
    if (lte) ipa_link_lte_m(&l->config);
    else ipa_link_defaults(&l->config);
    net_posix_init(&l->posix, &l->net);
    int err = take_modem(env, options, l);
    if (err < 0) return err;
    read_numbers(env, options, l);
    read_trust(env, options, l);
    l->config.net = (struct ipa_net){net_open, net_send, net_receive, net_close, l->net.send_max, l};
    l->config.entropy = entropy;
    l->config.now_ms = ipa_node_now_ms;
    l->config.utc_s = utc_s;
    l->config.ctx = l;
    size_t size = ipa_link_need() + HEAP;
    l->memory = malloc(size);
    err = l->memory == NULL ? IPA_ERR_NO_MEM : ipa_link_init(&l->door, &l->config, l->memory, size);
    if (err < 0) l->door.ctx = NULL;
    return err;
}

napi_value ipa_node_link_make(napi_env env, napi_callback_info info) {
    napi_value options, handle = NULL;
    size_t n = 1;
    struct link *l = calloc(1, sizeof *l);
    if (l == NULL) return ipa_node_fail(env, IPA_ERR_NO_MEM, NULL);
    l->kind = IPA_NODE_LINK;
    napi_get_cb_info(env, info, &n, &options, NULL, NULL);
    int err = make(env, options, l);
    if (err == IPA_OK && napi_create_external(env, l, finalize, NULL, &handle) == napi_ok) return handle;
    ipa_node_fail(env, err == IPA_OK ? IPA_ERR_NO_MEM : err, "the link");
    finalize(env, l, NULL);
    return NULL;
}

/* ---- functions ---- */

/* The handle, when `busy` may begin or go on; *fresh: it begins. */
static struct link *enter(napi_env env, napi_callback_info info, enum busy busy, napi_value *args, size_t count, int *fresh) {
    struct link *l = ipa_node_handle(env, info, IPA_NODE_LINK, args, count);
    if (l == NULL) return NULL;
    *fresh = l->busy == FREE;
    if (l->busy != FREE && l->busy != busy) {
        ipa_node_fail(env, IPA_ERR_INVALID, "another function of this link is under way");
        return NULL;
    }
    l->busy = busy;
    return l;
}

static napi_value leave(napi_env env, struct link *l, int result) {
    if (result != IPA_AGAIN) l->busy = FREE;
    return ipa_node_number(env, result);
}

napi_value ipa_node_link_open(napi_env env, napi_callback_info info) {
    napi_value args[8];
    int fresh;
    struct link *l = enter(env, info, OPENING, args, 8, &fresh);
    if (l == NULL) return NULL;
    if (fresh) {
        (void)l->door.close(l->door.ctx);
        free_endpoint(l);
        memset(&l->to, 0, sizeof l->to);
        l->to.peer = (enum ipa_peer)ipa_node_u32(env, args[1]);
        l->to.binding = (enum ipa_binding)ipa_node_u32(env, args[2]);
        l->to.fqdn = l->fqdn = ipa_node_text(env, args[3]);
        l->to.fqdn_len = l->fqdn == NULL ? 0 : strlen(l->fqdn);
        l->to.trust = l->trust = ipa_node_copy(env, args[4], &l->to.trust_len);
        l->host = ipa_node_text(env, args[5]);
        l->port = (uint16_t)ipa_node_u32(env, args[6]);
        l->wait_ms = ipa_node_u32(env, args[7]);
    }
    return leave(env, l, l->fqdn == NULL ? IPA_ERR_NAME : l->door.open(l->door.ctx, &l->to, l->wait_ms));
}

napi_value ipa_node_link_send(napi_env env, napi_callback_info info) {
    napi_value args[7];
    uint8_t *data = NULL;
    int fresh;
    struct link *l = enter(env, info, SENDING, args, 7, &fresh);
    if (l == NULL) return NULL;
    if (fresh) {
        if (!ipa_node_bytes(env, args[1], &data, &l->len) || l->len > sizeof l->piece) return leave(env, l, IPA_ERR_INVALID);
        if (l->len > 0) memcpy(l->piece, data, l->len);
        l->how = (struct ipa_request){ipa_node_u32(env, args[4]), (uint8_t)ipa_node_u32(env, args[5]), ipa_node_u32(env, args[2]) != 0, ipa_node_u32(env, args[3]) != 0};
        l->wait_ms = ipa_node_u32(env, args[6]);
    }
    return leave(env, l, l->door.send(l->door.ctx, &l->how, l->piece, l->len, l->wait_ms));
}

static napi_value answer(napi_env env, const struct ipa_answer *about, const uint8_t *piece, size_t len) {
    napi_value object = NULL, last = NULL;
    napi_create_object(env, &object);
    napi_get_boolean(env, about->last != 0, &last);
    napi_set_named_property(env, object, "code", ipa_node_number(env, about->code));
    napi_set_named_property(env, object, "retryAfter", ipa_node_number(env, about->retry_after_s));
    napi_set_named_property(env, object, "last", last);
    napi_set_named_property(env, object, "payload", ipa_node_new_bytes(env, piece, len));
    return object;
}

napi_value ipa_node_link_receive(napi_env env, napi_callback_info info) {
    napi_value args[3];
    struct ipa_answer about;
    int fresh;
    struct link *l = enter(env, info, RECEIVING, args, 3, &fresh);
    if (l == NULL) return NULL;
    if (fresh) {
        l->cap = ipa_node_u32(env, args[1]);
        if (l->cap > sizeof l->piece) l->cap = sizeof l->piece;
        l->wait_ms = ipa_node_u32(env, args[2]);
    }
    int result = l->door.receive(l->door.ctx, l->piece, l->cap, &about, l->wait_ms);
    napi_value number = leave(env, l, result);
    return result < 0 ? number : answer(env, &about, l->piece, (size_t)result);
}

napi_value ipa_node_link_close(napi_env env, napi_callback_info info) {
    napi_value args[1];
    struct link *l = ipa_node_handle(env, info, IPA_NODE_LINK, args, 1);
    if (l == NULL) return NULL;
    l->busy = FREE;
    return ipa_node_number(env, l->door.close(l->door.ctx));
}

napi_value ipa_node_link_heap(napi_env env, napi_callback_info info) {
    napi_value args[1];
    struct link *l = ipa_node_handle(env, info, IPA_NODE_LINK, args, 1);
    return l == NULL ? NULL : ipa_node_number(env, (double)ipa_link_heap_peak(&l->door));
}

napi_value ipa_node_link_end(napi_env env, napi_callback_info info) {
    napi_value args[1];
    struct link *l = ipa_node_handle(env, info, IPA_NODE_LINK, args, 1);
    if (l != NULL) end(l);
    return NULL;
}
