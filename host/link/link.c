/* The door struct ipa_link: which link an endpoint wants, by what it is trusted, how long an op may take (links.h). */
#include "link/link_parts.h"

#include <string.h>

#include "mbedtls/sha256.h"

/* Longest time for a last word to the server. */
#define CLOSE_MS 3000u

#define ALIGNED(n) (((n) + 7u) / 8u * 8u)

void ipa_link_defaults(struct ipa_link_config *config) {
    config->handshake_min_ms = 9000;
    config->handshake_max_ms = 60000;
    config->admin_protocol = "gsma/rsp/v2.1.0";
    config->es9p_admin_protocol = "gsma/rsp/v2.5.0";
    config->user_agent = "gsma-rsp-ipad";
    config->es9p_user_agent = "gsma-rsp-lpad";
    config->http_body_max = 1u << 20;
    config->coap.path = "gsma/rsp2/asn1";
    config->coap.content_format = -1;
    config->coap.ack_timeout_ms = 10000;
    config->coap.random_permille = 1500;
    config->coap.max_retransmit = 3;
    config->coap.response_ms = 90000;
    config->coap.exchange_ms = 3600000;
    config->coap.body_max = 1u << 20;
    config->coap.szx = IPA_CFG_COAP_SZX;
    config->coap.token_min = 1;
}

void ipa_link_lte_m(struct ipa_link_config *config) {
    ipa_link_defaults(config);
    config->coap.ack_timeout_ms = 4000;
    config->coap.max_retransmit = 4;
}

uint32_t ipa_links_now(const struct ipa_links *l) {
    return l->config->now_ms(l->config->ctx);
}

/* --- below: TLS of ours, or a socket that needs none --- */

static int plain_coap(const struct ipa_links *l) {
    return IPA_CFG_LAB_PLAIN_COAP && l->config->lab_plain_coap && l->binding == IPA_ESIPA_COAPS;
}

int ipa_links_raw(const struct ipa_links *l) {
    return l->config->modem_tls || plain_coap(l);
}

static int raw_connect(struct ipa_links *l) {
    const struct ipa_link_config *c = l->config;
    struct ipa_net_peer to;
    memset(&to, 0, sizeof to);
    to.kind = plain_coap(l) ? IPA_NET_UDP : l->peer.datagram ? IPA_NET_DTLS : IPA_NET_TLS;
    to.host = l->peer.host;
    to.host_len = l->peer.host_len;
    to.port = l->peer.port;
    to.trust = l->a6;
    to.trust_len = l->a6_len;
    if (l->peer.trust.kind == IPA_TRUST_PSK) {
        to.psk_identity = c->psk_identity;
        to.psk = c->psk;
        to.psk_len = c->psk_len;
    }
    if (l->peer.trust.kind == IPA_TRUST_CERTIFICATE) {
        to.certificate = l->peer.trust.content;
        to.certificate_len = l->peer.trust.len;
    } else if (l->peer.trust.kind == IPA_TRUST_CA) {
        /* One CA is a certificate as above; of several the modem is told nothing that it could check. */
        to.trust = c->ca;
        to.trust_len = c->ca_len;
        to.certificate = ipa_trust_content(c->ca, c->ca_len, &to.certificate_len);
    }
    to.identity = l->identity;
    int socket = l->raw >= 0 ? l->raw : c->net.open(c->net.ctx, &to);
    if (socket >= 0) l->raw = socket;
    return socket >= 0 ? IPA_OK : socket;
}

int ipa_links_connect(struct ipa_links *l) {
    return ipa_links_raw(l) ? raw_connect(l) : ipa_tls_open(&l->tls, &l->peer);
}

int ipa_links_send(struct ipa_links *l, const uint8_t *data, size_t len) {
    if (!ipa_links_raw(l)) return ipa_tls_send(&l->tls, data, len);
    int sent = l->config->net.send(l->config->net.ctx, l->raw, data, len);
    return sent < 0 ? sent : l->peer.datagram ? (int)len : sent;
}

int ipa_links_receive(struct ipa_links *l, uint8_t *data, size_t cap) {
    return ipa_links_raw(l) ? l->config->net.receive(l->config->net.ctx, l->raw, data, cap) : ipa_tls_receive(&l->tls, data, cap);
}

void ipa_links_drop(struct ipa_links *l) {
    if (l->raw >= 0) (void)l->config->net.close(l->config->net.ctx, l->raw);
    l->raw = -1;
    ipa_tls_drop(&l->tls);
}

int ipa_links_up(const struct ipa_links *l) {
    return ipa_links_raw(l) ? l->raw >= 0 : l->tls.state == IPA_TLS_UP;
}

/* --- endpoint --- */

/* host[:port], [v6]:port. IPA_OK, or IPA_ERR_NAME. */
static int split_address(struct ipa_tls_peer *peer, const char *fqdn, size_t len, uint16_t port) {
    const char *bracket = len > 0 && fqdn[0] == '[' ? memchr(fqdn, ']', len) : NULL;
    const char *colon = memchr(bracket == NULL ? fqdn : bracket, ':', bracket == NULL ? len : len - (size_t)(bracket - fqdn));
    size_t host_len = colon == NULL ? len : (size_t)(colon - fqdn);
    uint32_t number = 0;
    for (size_t i = host_len + 1; i < len; i++) {
        if (fqdn[i] < '0' || fqdn[i] > '9' || number > 65535) return IPA_ERR_NAME;
        number = number * 10 + (uint32_t)(fqdn[i] - '0');
    }
    if (colon != NULL && (number == 0 || number > 65535)) return IPA_ERR_NAME;
    peer->host = bracket == NULL ? fqdn : fqdn + 1;
    peer->host_len = bracket == NULL ? host_len : (size_t)(bracket - fqdn) - 1;
    peer->port = colon == NULL ? port : (uint16_t)number;
    return peer->host_len == 0 || peer->host_len > 253 ? IPA_ERR_NAME : IPA_OK;
}

/* By what the server will be measured. */
static int choose_trust(struct ipa_links *l, const struct ipa_endpoint *to) {
    const struct ipa_link_config *c = l->config;
    struct ipa_trust *trust = &l->peer.trust;
    memset(trust, 0, sizeof *trust);
    l->a6 = to->peer == IPA_PEER_EIM ? to->trust : NULL;
    l->a6_len = l->a6 == NULL ? 0 : to->trust_len;
    l->peer.ca = c->ca;
    l->peer.ca_len = c->ca_len;
    l->peer.role = to->peer == IPA_PEER_SMDP ? IPA_ROLE_DP_TLS : to->peer == IPA_PEER_SMDS ? IPA_ROLE_DS_TLS : 0;
    if (plain_coap(l)) return IPA_OK;
    if (to->binding == IPA_ESIPA_COAPS && c->psk_identity != NULL) {
        trust->kind = IPA_TRUST_PSK;
        return IPA_OK;
    }
    if (l->a6 != NULL) return ipa_trust_read(trust, l->a6, l->a6_len);
    trust->kind = c->ca_len > 0 ? IPA_TRUST_CA : IPA_TRUST_NOTHING;
    return trust->kind == IPA_TRUST_NOTHING && !c->modem_tls ? IPA_ERR_TRUST_NONE : IPA_OK;
}

/* Name, port, trust: a session belongs to all of it. */
static void identify(const struct ipa_links *l, uint8_t identity[32]) {
    const struct ipa_tls_peer *p = &l->peer;
    const uint8_t head[5] = {(uint8_t)p->trust.kind, (uint8_t)(p->port >> 8), (uint8_t)p->port, (uint8_t)p->host_len, p->datagram};
    mbedtls_sha256_context sha;
    mbedtls_sha256_init(&sha);
    (void)mbedtls_sha256_starts(&sha, 0);
    (void)mbedtls_sha256_update(&sha, head, sizeof head);
    (void)mbedtls_sha256_update(&sha, (const uint8_t *)p->host, p->host_len);
    if (p->trust.kind == IPA_TRUST_PSK) {
        (void)mbedtls_sha256_update(&sha, (const uint8_t *)l->config->psk_identity, strlen(l->config->psk_identity) + 1);
        (void)mbedtls_sha256_update(&sha, l->config->psk, l->config->psk_len);
    } else if (p->trust.kind == IPA_TRUST_CA) {
        (void)mbedtls_sha256_update(&sha, p->ca, p->ca_len);
    } else if (p->trust.kind != IPA_TRUST_NOTHING) {
        (void)mbedtls_sha256_update(&sha, p->trust.content, p->trust.len);
    }
    (void)mbedtls_sha256_finish(&sha, identity);
    mbedtls_sha256_free(&sha);
}

/* A binding, and who speaks it. */
static int supported(const struct ipa_links *l, const struct ipa_endpoint *to) {
    int modem = l->config->modem_tls, lab = IPA_CFG_LAB_PLAIN_COAP && l->config->lab_plain_coap;
    switch (to->binding) {
        case IPA_ESIPA_COAPS: return (IPA_CFG_DTLS || modem || lab) && to->peer == IPA_PEER_EIM;
        case IPA_ESIPA_HTTPS: return IPA_CFG_HTTPS && (IPA_CFG_TLS || modem) && to->peer == IPA_PEER_EIM;
        case IPA_ES9P_HTTPS: return IPA_CFG_HTTPS && (IPA_CFG_TLS || modem) && to->peer != IPA_PEER_EIM;
        default: return 0;
    }
}

static int prepare(struct ipa_links *l, const struct ipa_endpoint *to) {
    uint8_t identity[32];
    if (!supported(l, to)) return IPA_ERR_UNSUPPORTED;
    int coaps = to->binding == IPA_ESIPA_COAPS;
    /* CoAP and HTTP share their memory, and so a kept session ends when HTTP begins. */
    enum ipa_binding kept = l->coap_ready ? IPA_ESIPA_COAPS : to->binding;
    l->binding = to->binding;
    l->peer.datagram = (uint8_t)coaps;
    int err = split_address(&l->peer, to->fqdn, to->fqdn_len, coaps ? 5684 : 443);
    if (err == IPA_OK) err = choose_trust(l, to);
    if (err < 0) return err;
    identify(l, identity);
    if (l->tls.state != IPA_TLS_CLOSED && (!coaps || memcmp(identity, l->identity, 32) != 0)) {
        if (kept == IPA_ESIPA_COAPS) (void)ipa_coaps_retire(l);
        else ipa_links_drop(l);
    }
    if (!coaps || memcmp(identity, l->identity, 32) != 0) l->coap_ready = 0;
    memcpy(l->identity, identity, 32);
    return IPA_OK;
}

/* --- the door --- */

/* True when this op has lasted as long as it may. */
static int overdue(struct ipa_links *l, uint32_t wait_ms, int *fresh) {
    *fresh = !l->waiting;
    if (*fresh) {
        l->since = ipa_links_now(l);
        l->piece_at = 0;
    }
    l->waiting = 1;
    return !*fresh && ipa_links_now(l) - l->since >= wait_ms;
}

static int ended(struct ipa_links *l, int result) {
    if (result != IPA_AGAIN) l->waiting = 0;
    return result;
}

static int timed_out(struct ipa_links *l) {
    l->healthy = 0;
    return ended(l, IPA_ERR_TIMEOUT);
}

static int close_link(void *ctx) {
    struct ipa_links *l = ctx;
    int fresh, err = IPA_OK;
    if (l->binding == 0) return IPA_OK;
    if (!l->closing) l->waiting = 0;
    l->closing = 1;
    int late = overdue(l, CLOSE_MS, &fresh);
    if (!late) err = l->binding == IPA_ESIPA_COAPS ? ipa_coaps_close(l) : ipa_https_close(l);
    if (err == IPA_AGAIN) return err;
    /* A session that was kept has no socket any more; everything else ends here. */
    if (late || l->tls.state == IPA_TLS_CLOSED) ipa_links_drop(l);
    l->binding = (enum ipa_binding)0;
    l->opened = l->waiting = l->closing = 0;
    return IPA_OK;
}

static int open_link(void *ctx, const struct ipa_endpoint *to, uint32_t wait_ms) {
    struct ipa_links *l = ctx;
    int fresh, err = IPA_OK;
    if (l->opened || l->closing) {
        if (close_link(l) == IPA_AGAIN) return IPA_AGAIN;
    }
    int late = overdue(l, wait_ms, &fresh);
    if (fresh) err = prepare(l, to);
    if (late) err = ipa_tls_timed_out(&l->tls);
    else if (err == IPA_OK) err = l->binding == IPA_ESIPA_COAPS ? ipa_coaps_open(l, fresh) : ipa_https_open(l);
    if (err < 0 && err != IPA_AGAIN) {
        ipa_links_drop(l);
        l->binding = (enum ipa_binding)0;
    }
    l->opened = err == IPA_OK;
    return ended(l, err);
}

static int send_link(void *ctx, const struct ipa_request *how, const uint8_t *piece, size_t len, uint32_t wait_ms) {
    struct ipa_links *l = ctx;
    int fresh;
    if (!l->opened) return IPA_ERR_LINK;
    if (overdue(l, wait_ms, &fresh)) return timed_out(l);
    return ended(l, l->binding == IPA_ESIPA_COAPS ? ipa_coaps_send(l, how, piece, len, fresh) : ipa_https_send(l, how, piece, len, fresh));
}

static int receive_link(void *ctx, uint8_t *piece, size_t cap, struct ipa_answer *about, uint32_t wait_ms) {
    struct ipa_links *l = ctx;
    int fresh;
    memset(about, 0, sizeof *about);
    if (!l->opened) return IPA_ERR_LINK;
    if (overdue(l, wait_ms, &fresh)) return timed_out(l);
    return ended(l, l->binding == IPA_ESIPA_COAPS ? ipa_coaps_receive(l, piece, cap, about) : ipa_https_receive(l, piece, cap, about));
}

size_t ipa_link_need(void) {
    return ALIGNED(sizeof(struct ipa_links)) + 8;
}

int ipa_link_init(struct ipa_link *door, const struct ipa_link_config *config, void *memory, size_t len) {
    size_t skip = (8 - (uintptr_t)memory % 8) % 8;
    if (memory == NULL || len < ipa_link_need()) return IPA_ERR_NO_MEM;
    if (config->coap.szx > IPA_CFG_COAP_SZX || config->coap.path == NULL || config->coap.token_min < 1 || config->coap.token_min > 4) return IPA_ERR_INVALID;
    if (config->lab_plain_coap && (!IPA_CFG_LAB_PLAIN_COAP || config->coap.token_min < 4)) return IPA_ERR_INVALID;
    struct ipa_links *l = (struct ipa_links *)(void *)((uint8_t *)memory + skip);
    memset(l, 0, sizeof *l);
    l->config = config;
    l->raw = -1;
    struct ipa_tls_config *t = &l->tls_config;
    t->net = &config->net;
    t->entropy = config->entropy;
    t->now_ms = config->now_ms;
    t->utc_s = config->utc_s;
    t->ctx = config->ctx;
    t->psk_identity = config->psk_identity;
    t->psk = config->psk;
    t->psk_len = config->psk_len;
    t->handshake_min_ms = config->handshake_min_ms;
    t->handshake_max_ms = config->handshake_max_ms;
    door->open = open_link;
    door->send = send_link;
    door->receive = receive_link;
    door->close = close_link;
    door->ctx = l;
    return ipa_tls_init(&l->tls, t, (uint8_t *)memory + ipa_link_need(), len - ipa_link_need());
}

int ipa_link_sleep(struct ipa_link *door) {
    struct ipa_links *l = door->ctx;
    if (l->opened && close_link(l) == IPA_AGAIN) return IPA_AGAIN;
    return l->coap_ready && l->tls.state != IPA_TLS_CLOSED ? ipa_coaps_retire(l) : IPA_OK;
}

void ipa_link_stop(struct ipa_link *door) {
    struct ipa_links *l = door->ctx;
    (void)ipa_tls_close(&l->tls);
    ipa_links_drop(l);
}

size_t ipa_link_heap_peak(const struct ipa_link *door) {
    return ((const struct ipa_links *)door->ctx)->tls.heap.peak;
}
