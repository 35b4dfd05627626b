/* Sockets of a modem; see net_at.h. The commands are the family's scripts. */
#include "modem/net_at.h"

#include <string.h>

enum { RUN = IPA_MODEM_STAGE, CLEAN, TRUST };
enum { LEAST_CERTIFICATE = 256 };
#define ATTACH_MS 150000u

static int is_datagram(const struct ipa_modem_socket *s) { return s->kind == IPA_NET_UDP || s->kind == IPA_NET_DTLS; }
static int is_secure(const struct ipa_modem_socket *s) { return s->kind >= IPA_NET_DTLS; }

void ipa_net_cut(struct ipa_modem *m, uint8_t slot) {
    struct ipa_modem_socket *s = &m->sockets[slot];
    if ((m->owner & 0x7f) != IPA_OP_NET_OPEN) {
        if (!is_datagram(s)) s->state |= IPA_SOCKET_BROKEN;
    } else if (m->stage < RUN || m->stage == TRUST) {
        s->state = 0; /* the modem has no socket yet */
    } else {
        int taken = 0;
        s->handle = m->at.arg.socket;
        /* A handle that the modem had not given yet may be another socket's. */
        for (size_t i = 0; i < IPA_CFG_MODEM_SOCKETS; i++) taken |= &m->sockets[i] != s && m->sockets[i].state != 0 && m->sockets[i].handle == s->handle;
        s->state = taken ? 0 : IPA_SOCKET_DOOMED;
    }
}

static struct ipa_modem_socket *socket_of(struct ipa_modem_user *user, int socket) {
    return socket < 0 || socket >= IPA_CFG_MODEM_SOCKETS || user->modem->sockets[socket].state == 0 || user->modem->sockets[socket].state & IPA_SOCKET_DOOMED ? NULL : &user->modem->sockets[socket];
}

static const struct ipa_at_row *script(struct ipa_modem *m, const struct ipa_modem_socket *s, enum ipa_modem_script plain, enum ipa_modem_script datagram, enum ipa_modem_script secure) {
    const struct ipa_at_row *rows = NULL;
    if (is_secure(s)) rows = ipa_modem_script(m, secure);
    if (rows == NULL && is_datagram(s)) rows = ipa_modem_script(m, datagram);
    return rows != NULL ? rows : ipa_modem_script(m, plain);
}

static const struct ipa_at_row *closing(struct ipa_modem *m, const struct ipa_modem_socket *s) { return script(m, s, IPA_SCRIPT_CLOSE, IPA_SCRIPT_CLOSE, IPA_SCRIPT_SECURE_CLOSE); }

static uint8_t doomed(const struct ipa_modem *m) {
    uint8_t slot = 0;
    while (slot < IPA_CFG_MODEM_SOCKETS && !(m->sockets[slot].state & IPA_SOCKET_DOOMED)) slot++;
    return slot;
}

int ipa_net_doomed(const struct ipa_modem *m) { return doomed(m) < IPA_CFG_MODEM_SOCKETS; }

int ipa_net_sweep(struct ipa_modem *m) {
    for (;;) {
        if (m->row == NULL) {
            m->slot = doomed(m);
            if (m->slot == IPA_CFG_MODEM_SOCKETS) return IPA_OK;
            m->at.arg.socket = m->sockets[m->slot].handle;
        }
        int result = ipa_modem_run(m, closing(m, &m->sockets[m->slot]));
        if (result == IPA_AGAIN) return result;
        m->sockets[m->slot].state = 0;
    }
}

/* A certificate that the server or a CA above it has: checked by the modem, together with the name. */
static int by_certificate(const struct ipa_modem *m, const struct ipa_net_peer *to) {
    if (to->trust == NULL && to->certificate == NULL) return IPA_ERR_TRUST_NONE;
    if (to->certificate == NULL || to->certificate_len < LEAST_CERTIFICATE || to->certificate_len > 0xfff0) return IPA_ERR_TRUST_FORM;
    return to->kind == IPA_NET_DTLS && ipa_modem_script(m, IPA_SCRIPT_TRUST) != NULL ? IPA_OK : IPA_ERR_TRUST_FORM;
}

/* What these sockets can check is a PSK or a certificate, where the family has that; everything else is refused by name. */
static int trust(const struct ipa_modem *m, const struct ipa_net_peer *to) {
    if (to->kind < IPA_NET_DTLS) return IPA_OK;
    if (to->psk_identity == NULL || to->psk_len == 0) return by_certificate(m, to);
    if (!(m->family->flags & IPA_MODEM_PSK) || ipa_modem_script(m, (enum ipa_modem_script)(IPA_SCRIPT_UDP + to->kind)) == NULL) return IPA_ERR_TRUST_FORM;
    return strcspn(to->psk_identity, "\"\r\n&:") == strlen(to->psk_identity) ? IPA_OK : IPA_ERR_TRUST_FORM;
}

static void open_args(struct ipa_modem *m, const struct ipa_net_peer *to) {
    struct ipa_at_args *arg = &m->at.arg;
    int psk = to->psk_identity != NULL;
    arg->socket = m->slot;
    arg->cid = m->config->cid;
    arg->text = to->host;
    arg->text_len = (uint16_t)to->host_len;
    arg->port = to->port;
    arg->text2 = to->psk_identity;
    arg->text2_len = (uint16_t)(psk ? strlen(to->psk_identity) : 0);
    arg->data = psk ? to->psk : to->certificate;
    arg->data_len = (uint16_t)(psk ? to->psk_len : to->certificate_len);
}

/* The modem has another certificate than this peer's, or may have. */
static int is_untold(const struct ipa_modem *m, const struct ipa_net_peer *to) {
    if (to->kind != IPA_NET_DTLS || to->psk_identity != NULL) return 0;
    return to->identity == NULL || memcmp(m->trusted, to->identity, sizeof m->trusted) != 0;
}

static int open_begin(struct ipa_modem *m, const struct ipa_net_peer *to) {
    uint8_t slot = 0;
    int result = trust(m, to);
    if (result != IPA_OK) return result;
    if (ipa_modem_script(m, (enum ipa_modem_script)(IPA_SCRIPT_UDP + to->kind)) == NULL) return IPA_ERR_UNSUPPORTED;
    if (memchr(to->host, '"', to->host_len) != NULL || memchr(to->host, '\r', to->host_len) != NULL) return IPA_ERR_NAME;
    if (!m->attached) return IPA_ERR_NO_NETWORK;
    while (slot < IPA_CFG_MODEM_SOCKETS && m->sockets[slot].state != 0) slot++;
    if (slot == IPA_CFG_MODEM_SOCKETS) return IPA_ERR_BUSY;
    m->slot = slot;
    memset(&m->sockets[slot], 0, sizeof m->sockets[slot]);
    m->sockets[slot].kind = (uint8_t)to->kind;
    m->sockets[slot].state = IPA_SOCKET_OPEN;
    m->sockets[slot].handle = slot;
    m->sockets[slot].asked = m->at.now;
    open_args(m, to);
    ipa_modem_stage(m, is_untold(m, to) ? TRUST : RUN);
    return IPA_OK;
}

/* Tells the modem whom to trust; then the radio comes back, where that had to go. IPA_OK: on to RUN. */
static int tell_trust(struct ipa_modem *m, const struct ipa_net_peer *to) {
    int result;
    if (m->stage == TRUST) {
        memset(m->trusted, 0, sizeof m->trusted);
        result = ipa_modem_run(m, ipa_modem_script(m, IPA_SCRIPT_TRUST));
        if (result == IPA_AGAIN) return result;
        if (m->family->flags & IPA_MODEM_TRUST_OFFLINE) ipa_modem_offline(m);
        if (result != IPA_OK) return result;
        if (to->identity != NULL) memcpy(m->trusted, to->identity, sizeof m->trusted);
        m->sockets[m->slot].state = IPA_SOCKET_OPEN;
        ipa_modem_stage(m, m->attached ? RUN : 0);
    }
    if (m->stage < RUN) {
        result = ipa_modem_attach(m, ATTACH_MS);
        if (result != IPA_OK) return result;
        open_args(m, to);
        ipa_modem_stage(m, RUN);
    }
    return IPA_OK;
}

static int open_error(const struct ipa_modem *m, int result) {
    if (result == IPA_ERR_DRIVER - (int)m->family->name_error) return IPA_ERR_NAME;
    return result == IPA_ERR_MODEM || (result <= IPA_ERR_CME && result > IPA_ERR_DRIVER) ? IPA_ERR_LINK : result;
}

static int net_open(void *ctx, const struct ipa_net_peer *to) {
    struct ipa_modem_user *user = ctx;
    struct ipa_modem *m = user->modem;
    struct ipa_modem_socket *s;
    int result = ipa_modem_enter(user, IPA_OP_NET_OPEN);
    if (result != IPA_OK) {
        if (result != IPA_AGAIN && m->stage != 0) m->sockets[m->slot].state = 0;
        return result;
    }
    if (m->stage == 0) {
        result = ipa_net_sweep(m);
        if (result == IPA_OK) result = open_begin(m, to);
    }
    if (result != IPA_OK) return ipa_modem_leave(m, result);
    s = &m->sockets[m->slot];
    if (m->stage == TRUST || m->stage < RUN) {
        result = tell_trust(m, to);
        if (result == IPA_AGAIN) return result;
        if (result != IPA_OK) {
            s->state = 0;
            return ipa_modem_leave(m, open_error(m, result));
        }
    }
    if (m->stage == RUN) {
        result = ipa_modem_run(m, ipa_modem_script(m, (enum ipa_modem_script)(IPA_SCRIPT_UDP + to->kind)));
        if (result == IPA_AGAIN) return result;
        s->handle = m->at.arg.socket;
        if (result == IPA_OK) return ipa_modem_leave(m, m->slot);
        m->error = (int16_t)open_error(m, result);
        m->stage = CLEAN;
        if (result == IPA_ERR_MODEM_RESET) {
            s->state = 0;
            return ipa_modem_leave(m, result);
        }
    }
    result = ipa_modem_run(m, closing(m, s));
    if (result == IPA_AGAIN) return result;
    s->state = 0;
    return ipa_modem_leave(m, m->error);
}

static int net_send(void *ctx, int socket, const uint8_t *data, size_t len) {
    struct ipa_modem_user *user = ctx;
    struct ipa_modem *m = user->modem;
    struct ipa_modem_socket *s = socket_of(user, socket);
    int result;
    if (s == NULL || len == 0) return IPA_ERR_INVALID;
    if (s->state & IPA_SOCKET_BROKEN) return IPA_ERR_LINK;
    result = ipa_modem_enter(user, (uint8_t)(IPA_OP_SEND + socket));
    if (result != IPA_OK) return result;
    if (m->stage == 0) {
        if (is_datagram(s) && len > m->family->send_max) return ipa_modem_leave(m, IPA_ERR_TOO_LARGE);
        m->at.arg.socket = s->handle;
        m->at.arg.data = data;
        m->at.arg.data_len = (uint16_t)(len > m->family->send_max ? m->family->send_max : len);
        ipa_modem_stage(m, 1);
    }
    result = ipa_modem_run(m, script(m, s, IPA_SCRIPT_SEND, IPA_SCRIPT_SEND_UDP, IPA_SCRIPT_SECURE_SEND));
    if (result == IPA_AGAIN) return result;
    /* A stream may have taken less than all. */
    if (result == IPA_OK) return ipa_modem_leave(m, (int)(m->at.value > 0 && m->at.value < m->at.arg.data_len && !is_datagram(s) ? m->at.value : m->at.arg.data_len));
    if (!is_datagram(s)) s->state |= IPA_SOCKET_BROKEN;
    return ipa_modem_leave(m, IPA_ERR_LINK);
}

/* The read failed: a stream that may have lost octets is broken, a datagram comes again or does not. */
static int receive_failed(struct ipa_modem *m, struct ipa_modem_socket *s, int error) {
    int refused = error == IPA_ERR_MODEM || (error <= IPA_ERR_CME && error > IPA_ERR_DRIVER);
    int harmless = refused && m->at.announced == 0;
    s->asked = m->at.now;
    s->state &= (uint8_t)~IPA_SOCKET_DATA;
    if (harmless && s->state & IPA_SOCKET_CLOSED) return IPA_ERR_CLOSED;
    if (harmless && m->family->flags & IPA_MODEM_RECEIVE_ERROR) return IPA_AGAIN;
    if (error == IPA_ERR_MODEM_RESET || s->strikes >= 2 || (!is_datagram(s) && !harmless)) {
        s->state |= IPA_SOCKET_BROKEN;
        return IPA_ERR_LINK;
    }
    s->strikes++;
    s->state |= IPA_SOCKET_DATA;
    return IPA_AGAIN;
}

static int received(struct ipa_modem *m, struct ipa_modem_socket *s, size_t cap) {
    s->strikes = 0;
    s->asked = m->at.now;
    if (m->at.announced == 0) {
        s->state &= (uint8_t)~IPA_SOCKET_DATA;
        return s->state & IPA_SOCKET_CLOSED ? IPA_ERR_CLOSED : IPA_AGAIN;
    }
    /* There may be more, and no notice of it comes before all is read. */
    s->state |= IPA_SOCKET_DATA;
    return m->at.got > cap ? IPA_ERR_TOO_LARGE : m->at.got;
}

static int net_receive(void *ctx, int socket, uint8_t *data, size_t cap) {
    struct ipa_modem_user *user = ctx;
    struct ipa_modem *m = user->modem;
    struct ipa_modem_socket *s = socket_of(user, socket);
    int result;
    if (s == NULL || cap == 0) return IPA_ERR_INVALID;
    if (s->state & IPA_SOCKET_BROKEN) return s->state & IPA_SOCKET_CLOSED ? IPA_ERR_CLOSED : IPA_ERR_LINK;
    if (m->owner == IPA_OP_NONE) {
        ipa_modem_poll(m);
        if (!(s->state & IPA_SOCKET_DATA) && m->at.now - s->asked < IPA_CFG_MODEM_ASK_MS) return IPA_AGAIN;
    }
    result = ipa_modem_enter(user, (uint8_t)(IPA_OP_RECEIVE + socket));
    if (result != IPA_OK) return result;
    if (m->stage == 0) {
        size_t most = is_datagram(s) || cap > m->family->receive_max ? m->family->receive_max : cap;
        m->at.arg.socket = s->handle;
        m->at.arg.sink = data;
        m->at.arg.cap = (uint16_t)(cap > 0xffff ? 0xffff : cap);
        m->at.arg.most = (uint16_t)most;
        ipa_modem_stage(m, 1);
    }
    result = ipa_modem_run(m, script(m, s, IPA_SCRIPT_RECEIVE, IPA_SCRIPT_RECEIVE_UDP, IPA_SCRIPT_SECURE_RECEIVE));
    if (result == IPA_AGAIN) return result;
    result = result == IPA_OK ? received(m, s, cap) : receive_failed(m, s, result);
    ipa_modem_leave(m, IPA_OK);
    return result;
}

static int net_close(void *ctx, int socket) {
    struct ipa_modem_user *user = ctx;
    struct ipa_modem *m = user->modem;
    struct ipa_modem_socket *s = socket_of(user, socket);
    uint8_t operation = m->owner & 0x7f;
    if (s == NULL) return IPA_OK;
    /* An operation of this user on this socket ends with it. */
    if (m->owner >> 7 == user->number && operation >= IPA_OP_SEND && (operation & 7) == socket) ipa_modem_give_up(m);
    s->state = s->state & IPA_SOCKET_GONE ? 0 : IPA_SOCKET_DOOMED;
    ipa_modem_poll(m);
    return IPA_OK;
}

struct ipa_net ipa_modem_net(struct ipa_modem_user *user) {
    struct ipa_net net = { net_open, net_send, net_receive, net_close, 0xffff, user };
    /* Before the first boot it may be any of them. */
    if (user->modem->family != NULL) net.send_max = user->modem->family->send_max;
    for (const struct ipa_modem_family *const *family = user->modem->config->families; user->modem->family == NULL && *family != NULL; family++)
        if ((*family)->send_max < net.send_max) net.send_max = (*family)->send_max;
    return net;
}
