/*
 * ESipa and ES9+ over HTTPS (sgp32-transport 2.1, 6): POST with headers as there, one connection for many exchanges. A server that
 * closed between two of them is connected to again without telling; a request that is still whole here is then sent again, since a
 * server may close while it is on its way (ESipa takes a message twice; so does HTTPS of every other IPA).
 * Leaves out: the JSON binding of ESipa; role OIDs in certificates of SM-DP+ and SM-DS (SGP.22 4.5.2).
 */
#include "link/link_parts.h"

#include <string.h>

#if IPA_CFG_HTTPS

/* By the function of LinkSend (host/README.md). */
static const char *const paths[] = {
    "/gsma/rsp2/asn1", "/gsma/rsp2/es9plus/initiateAuthentication", "/gsma/rsp2/es9plus/authenticateClient",
    "/gsma/rsp2/es9plus/getBoundProfilePackage", "/gsma/rsp2/es9plus/handleNotification", "/gsma/rsp2/es9plus/cancelSession",
};

static const char *path_of(const struct ipa_links *l, uint8_t function) {
    int es9p = l->binding == IPA_ES9P_HTTPS;
    if (function >= sizeof paths / sizeof paths[0] || es9p != (function > 0)) return NULL;
    return paths[function];
}

static int write_head(struct ipa_links *l, const char *path, uint32_t total) {
    const struct ipa_link_config *c = l->config;
    int es9p = l->binding == IPA_ES9P_HTTPS;
    const struct ipa_http_request request = {
        path, l->peer.host, l->peer.host_len, l->peer.port, es9p ? c->es9p_user_agent : c->user_agent,
        es9p ? c->es9p_admin_protocol : c->admin_protocol, es9p ? "application/json;charset=UTF-8" : "application/x-gsma-rsp-asn1", total,
    };
    return ipa_http_head((char *)l->u.http.in, sizeof l->u.http.in, &request);
}

/* Head and what fits of the first piece go into one record. */
static int begin(struct ipa_links *l, const struct ipa_request *how, const uint8_t *piece, size_t len) {
    struct ipa_http *h = &l->u.http;
    const char *path = path_of(l, how->function);
    if (path == NULL) return IPA_ERR_UNSUPPORTED;
    int head = write_head(l, path, how->total);
    if (head < 0) return head;
    size_t room = sizeof h->in - (size_t)head;
    if (len < room) room = len;
    memcpy(h->in + head, piece, room);
    l->piece_at = room;
    h->in_at = 0;
    h->in_end = (uint16_t)((size_t)head + room);
    l->request_len = how->last && room == len ? h->in_end : 0;
    return IPA_OK;
}

/* Has the server closed, or said something that nobody asked for, since the last answer? */
static int still_there(struct ipa_links *l) {
    uint8_t octet;
    return ipa_links_up(l) && !l->broken && ipa_links_receive(l, &octet, 1) == IPA_AGAIN;
}

static int reach(struct ipa_links *l) {
    if (ipa_links_up(l)) return IPA_OK;
    l->served = l->broken = 0;
    return ipa_links_connect(l);
}

/* The buffered part of the request, from the start again when a connection that had served turns out closed. */
static int flush(struct ipa_links *l) {
    struct ipa_http *h = &l->u.http;
    int err = reach(l);
    while (err == IPA_OK && h->in_at < h->in_end) {
        int sent = ipa_links_send(l, h->in + h->in_at, (size_t)(h->in_end - h->in_at));
        if (sent == IPA_ERR_CLOSED && l->served) {
            ipa_links_drop(l);
            h->in_at = 0;
            err = reach(l);
        } else if (sent < 0) {
            err = sent;
        } else {
            h->in_at = (uint16_t)(h->in_at + sent);
        }
    }
    return err;
}

static int broken(struct ipa_links *l, int err) {
    if (err == IPA_AGAIN) return err;
    ipa_links_drop(l);
    return err;
}

int ipa_https_open(struct ipa_links *l) {
    return reach(l);
}

int ipa_https_send(struct ipa_links *l, const struct ipa_request *how, const uint8_t *piece, size_t len, int fresh) {
    struct ipa_http *h = &l->u.http;
    int err = IPA_OK;
    if (fresh && how->first) {
        if (!still_there(l)) ipa_links_drop(l);
        err = begin(l, how, piece, len);
        if (err < 0) return err;
    }
    err = flush(l);
    while (err == IPA_OK && l->piece_at < len) {
        int sent = ipa_links_send(l, piece + l->piece_at, len - l->piece_at);
        if (sent < 0) err = sent;
        else l->piece_at += (size_t)sent;
    }
    if (err < 0) return broken(l, err);
    if (how->last) ipa_http_begin(h, l->config->http_body_max);
    return IPA_OK;
}

/* The connection ended before the first octet of the answer: the request once more, if it is still here. */
static int once_more(struct ipa_links *l) {
    struct ipa_http *h = &l->u.http;
    if (!l->served || l->request_len == 0 || h->state != IPA_HTTP_STATUS || h->head > 0) return 0;
    ipa_links_drop(l);
    h->in_at = 0;
    h->in_end = l->request_len;
    l->served = 0;
    return 1;
}

/* Octets from the connection into http.in. IPA_OK, IPA_AGAIN, or an error. */
static int fill(struct ipa_links *l) {
    struct ipa_http *h = &l->u.http;
    int got = ipa_links_receive(l, h->in, sizeof h->in);
    if (got == IPA_ERR_CLOSED) {
        if (once_more(l)) return IPA_AGAIN;
        l->broken = 1;
        return ipa_http_closed(h);
    }
    if (got < 0) return got;
    l->request_len = 0;
    h->in_at = 0;
    h->in_end = (uint16_t)got;
    return IPA_OK;
}

static int body(struct ipa_links *l, uint8_t *piece, size_t cap, size_t *len) {
    struct ipa_http *h = &l->u.http;
    *len = 0;
    while (*len == 0 && h->state < IPA_HTTP_DONE) {
        if (h->in_at == h->in_end) {
            int err = fill(l);
            if (err < 0) return err;
            continue;
        }
        int used = ipa_http_feed(h, h->in + h->in_at, (size_t)(h->in_end - h->in_at), piece, cap, len);
        if (used < 0) return used;
        h->in_at = (uint16_t)(h->in_at + used);
        if (cap == 0) break;
    }
    return h->state == IPA_HTTP_BROKEN ? IPA_ERR_PROTOCOL : IPA_OK;
}

int ipa_https_receive(struct ipa_links *l, uint8_t *piece, size_t cap, struct ipa_answer *about) {
    struct ipa_http *h = &l->u.http;
    size_t len = 0;
    int err = IPA_OK;
    if (!ipa_links_up(l) || (l->request_len > 0 && h->in_at < h->in_end)) err = flush(l);
    if (err == IPA_OK) err = body(l, piece, cap, &len);
    if (err < 0) return broken(l, err);
    about->code = h->code;
    about->retry_after_s = h->retry_after_s;
    about->last = h->state == IPA_HTTP_DONE;
    if (!about->last) return (int)len;
    l->served = 1;
    /* What follows an answer that nobody asked for would be taken for the next one. */
    l->broken = h->close || h->in_at < h->in_end;
    if (l->broken) ipa_links_drop(l);
    return (int)len;
}

int ipa_https_close(struct ipa_links *l) {
    return ipa_tls_close(&l->tls);
}

#else

int ipa_https_open(struct ipa_links *l) {
    (void)l;
    return IPA_ERR_UNSUPPORTED;
}

int ipa_https_send(struct ipa_links *l, const struct ipa_request *how, const uint8_t *piece, size_t len, int fresh) {
    (void)l, (void)how, (void)piece, (void)len, (void)fresh;
    return IPA_ERR_UNSUPPORTED;
}

int ipa_https_receive(struct ipa_links *l, uint8_t *piece, size_t cap, struct ipa_answer *about) {
    (void)l, (void)piece, (void)cap, (void)about;
    return IPA_ERR_UNSUPPORTED;
}

int ipa_https_close(struct ipa_links *l) {
    (void)l;
    return IPA_OK;
}

#endif
