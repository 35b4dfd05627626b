/*
 * ESipa over CoAPS (SGP.32 6.1; sgp32-transport 3; coap-dtls 5.3, 6): POST coaps://<eimFqdn>/gsma/rsp2/asn1 on the CoAP client of coap.c.
 *
 * One DTLS session serves as long as it can: over close and open when the server gave a connection id, over a planned sleep by its
 * record. A server that has forgotten it says nothing; so after IPA_CFG_DTLS_RESUME_TRIES messages without an answer there is a new
 * handshake, and the first block, which is still here, is sent again.
 */
#include "link/link_parts.h"

#include <string.h>

#define RECORD_VERSION 1
#define RECORD_HEAD (1 + 32 + 4 + 2)    /* version, identity of the endpoint, next token, next message ID */

static uint32_t entropy32(const struct ipa_links *l) {
    uint8_t p[4] = {0};
    return l->config->entropy(l->config->ctx, p, sizeof p) == IPA_OK ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3] : 0;
}

/* What DTLS adds to a message at its worst: header, connection id, type, nonce, tag (RFC 9146 4, RFC 5288). */
#define DTLS_OVERHEAD (13 + 16 + 1 + 8 + 16)

static void ready(struct ipa_links *l) {
    size_t most = l->config->net.send_max;
    if (!l->coap_ready) ipa_coap_init(&l->u.coap, &l->config->coap, entropy32(l));
    l->coap_ready = 1;
    if (most == 0 || most > IPA_CFG_DTLS_MTU) most = IPA_CFG_DTLS_MTU;
    ipa_coap_limit(&l->u.coap, most - DTLS_OVERHEAD);
}

#if IPA_CFG_DTLS
/* A record is used once: from the moment it is invalidated it exists in RAM only. */
static int restore(struct ipa_links *l) {
    const struct ipa_link_session *s = &l->config->session;
    uint8_t record[IPA_LINK_SESSION_MAX];
    int len = s->load == NULL ? IPA_ERR_NOT_FOUND : s->load(s->ctx, record, sizeof record);
    if (len < RECORD_HEAD || record[0] != RECORD_VERSION || memcmp(record + 1, l->identity, 32) != 0) return IPA_ERR_NOT_FOUND;
    int err = s->invalidate(s->ctx);
    if (err == IPA_OK) err = ipa_dtls_restore(&l->tls, &l->peer, record + RECORD_HEAD, (size_t)len - RECORD_HEAD);
    if (err == IPA_OK) {
        const uint8_t *p = record + 33;
        l->u.coap.next_token = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
        l->u.coap.next_mid = (uint16_t)(p[4] << 8 | p[5]);
    }
    memset(record, 0, sizeof record);
    return err;
}

int ipa_coaps_retire(struct ipa_links *l) {
    const struct ipa_link_session *s = &l->config->session;
    uint8_t record[IPA_LINK_SESSION_MAX];
    if (s->save == NULL || !l->healthy || !ipa_dtls_has_cid(&l->tls)) {
        (void)ipa_tls_close(&l->tls);
        ipa_links_drop(l);
        return IPA_OK;
    }
    uint32_t token = l->u.coap.next_token;
    const uint8_t counters[6] = {(uint8_t)(token >> 24), (uint8_t)(token >> 16), (uint8_t)(token >> 8), (uint8_t)token, (uint8_t)(l->u.coap.next_mid >> 8), (uint8_t)l->u.coap.next_mid};
    record[0] = RECORD_VERSION;
    memcpy(record + 1, l->identity, 32);
    memcpy(record + 33, counters, sizeof counters);
    int len = ipa_dtls_save(&l->tls, record + RECORD_HEAD, sizeof record - RECORD_HEAD);
    int err = len < 0 ? len : s->save(s->ctx, record, RECORD_HEAD + (size_t)len);
    memset(record, 0, sizeof record);
    return err;
}
#else
static int restore(struct ipa_links *l) {
    (void)l;
    return IPA_ERR_NOT_FOUND;
}

int ipa_coaps_retire(struct ipa_links *l) {
    ipa_links_drop(l);
    return IPA_OK;
}
#endif

int ipa_coaps_open(struct ipa_links *l, int fresh) {
    ready(l);
    if (fresh) {
        l->healthy = 1;
        l->unproven = !ipa_links_raw(l) && (l->tls.state == IPA_TLS_UP || restore(l) == IPA_OK);
    }
#if IPA_CFG_DTLS
    if (l->unproven) return ipa_dtls_unpark(&l->tls, &l->peer);
#endif
    return ipa_links_connect(l);
}

/* The server has forgotten the session, or closed it: a new one, and the message again. */
static void reconnect(struct ipa_links *l) {
    l->unproven = 0;
    ipa_links_drop(l);
    if (l->u.coap.phase == IPA_COAP_ASKING || l->u.coap.phase == IPA_COAP_FAILED) ipa_coap_again(&l->u.coap);
}

static int may_reconnect(const struct ipa_links *l) {
    enum ipa_coap_phase phase = l->u.coap.phase;
    return phase == IPA_COAP_IDLE || (phase == IPA_COAP_FILLING && l->u.coap.body_sent == 0) || ipa_coap_unheard(&l->u.coap) > 0;
}

/* IPA_OK, or the error of the socket. IPA_AGAIN: it takes nothing now. */
static int put_out(struct ipa_links *l) {
    size_t len;
    const uint8_t *datagram;
    while ((datagram = ipa_coap_output(&l->u.coap, &len, ipa_links_now(l))) != NULL) {
        if (l->unproven && ipa_coap_unheard(&l->u.coap) > IPA_CFG_DTLS_RESUME_TRIES) return IPA_ERR_CLOSED;
        int sent = ipa_links_send(l, datagram, len);
        if (sent < 0) return sent;
        ipa_coap_sent(&l->u.coap, ipa_links_now(l));
    }
    return IPA_OK;
}

static int take_in(struct ipa_links *l) {
    size_t cap;
    uint8_t *buffer;
    while ((buffer = ipa_coap_input_buffer(&l->u.coap, &cap)) != NULL) {
        int got = ipa_links_receive(l, buffer, cap);
        if (got == IPA_ERR_TOO_LARGE && l->u.coap.phase == IPA_COAP_ASKING) ipa_coap_fail(&l->u.coap, got);
        if (got == IPA_ERR_TOO_LARGE) continue;
        if (got < 0) return got == IPA_AGAIN ? IPA_OK : got;
        ipa_coap_input(&l->u.coap, (size_t)got, ipa_links_now(l));
        if (l->u.coap.heard) l->unproven = 0;
    }
    return IPA_OK;
}

/* Moves datagrams both ways. IPA_OK, IPA_AGAIN while it connects anew, or why it can't go on. */
static int pump(struct ipa_links *l) {
    if (!ipa_links_up(l)) {
        int err = ipa_links_connect(l);
        if (err < 0) return err;
    }
    int err = put_out(l);
    /* A socket of a modem that is still sending would give the datagram up for a read. */
    if (err == IPA_OK) err = take_in(l);
    if (err == IPA_OK) err = put_out(l);
    if (err != IPA_ERR_CLOSED) return err == IPA_AGAIN ? IPA_OK : err;
    if (!may_reconnect(l)) return IPA_ERR_CLOSED;
    reconnect(l);
    return IPA_AGAIN;
}

static int failed(struct ipa_links *l, int err) {
    if (err == IPA_AGAIN) return err;
    /* Those three say nothing against the session. */
    l->healthy = err == IPA_ERR_RESTART || err == IPA_ERR_TOO_LARGE || err == IPA_ERR_PROTOCOL;
    ipa_coap_fail(&l->u.coap, err);
    return err;
}

int ipa_coaps_send(struct ipa_links *l, const struct ipa_request *how, const uint8_t *piece, size_t len, int fresh) {
    struct ipa_coap *c = &l->u.coap;
    if (how->function != 0) return IPA_ERR_UNSUPPORTED;
    if (fresh && how->first) {
        int err = ipa_coap_begin(c, l->peer.host, l->peer.host_len, how->total, ipa_links_now(l));
        if (err < 0) return err;
    }
    int err = pump(l);
    while (err == IPA_OK && l->piece_at < len) {
        int taken = ipa_coap_write(c, piece + l->piece_at, len - l->piece_at);
        if (taken < 0) return failed(l, taken);
        l->piece_at += (size_t)taken;
        err = pump(l);
    }
    if (err < 0 && l->piece_at < len) return failed(l, err);
    return err < 0 && err != IPA_AGAIN ? failed(l, err) : how->last && c->phase != IPA_COAP_FAILED && c->written != c->total ? IPA_ERR_INVALID : IPA_OK;
}

int ipa_coaps_receive(struct ipa_links *l, uint8_t *piece, size_t cap, struct ipa_answer *about) {
    int err = pump(l);
    if (err < 0) return failed(l, err);
    int got = ipa_coap_read(&l->u.coap, piece, cap, about);
    if (got < 0) return failed(l, got);
    /* The next block is asked for while the caller works on this one. */
    if (!about->last) (void)put_out(l);
    return got;
}

int ipa_coaps_close(struct ipa_links *l) {
#if IPA_CFG_DTLS
    int silent = l->u.coap.phase == IPA_COAP_ASKING && !l->u.coap.heard;
    if (l->healthy && !silent && ipa_dtls_has_cid(&l->tls)) {
        ipa_dtls_park(&l->tls);
        return IPA_OK;
    }
#endif
    return ipa_tls_close(&l->tls);
}
