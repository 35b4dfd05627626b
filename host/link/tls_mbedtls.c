/* A secure connection on Mbed TLS (tls_mbedtls.h): context, sockets, results. DTLS's own parts: dtls_mbedtls.c. */
/* The description of a fatal alert and the length of a record that doesn't fit are told by no function of Mbed TLS 3.6. */
#define MBEDTLS_ALLOW_PRIVATE_ACCESS
#include "link/tls_mbedtls.h"

#include <string.h>

#if IPA_CFG_DTLS || IPA_CFG_TLS

#define NET_FAILED (-0x4E)    /* a socket's own error is in net_error */

/* In order of preference (RFC 7925 4.2, 4.4: CCM_8 first, it is the shortest on the air). */
#if IPA_CFG_DTLS
#if IPA_CFG_DTLS_ECDSA
static const int dtls_suites[] = {MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8, MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, 0};
#endif
#if IPA_CFG_DTLS_PSK
static const int psk_suites[] = {MBEDTLS_TLS_PSK_WITH_AES_128_CCM_8, MBEDTLS_TLS_PSK_WITH_AES_128_GCM_SHA256, 0};
#endif
#endif
#if IPA_CFG_TLS
static const int tls_suites[] = {MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, 0};
#endif

static int entropy(void *ctx, unsigned char *p, size_t len) {
    const struct ipa_tls *t = ctx;
    return t->config->entropy(t->config->ctx, p, len) == IPA_OK ? 0 : MBEDTLS_ERR_CTR_DRBG_ENTROPY_SOURCE_FAILED;
}

int ipa_tls_init(struct ipa_tls *t, const struct ipa_tls_config *config, void *memory, size_t len) {
    memset(t, 0, sizeof *t);
    t->config = config;
    t->socket = -1;
    return ipa_tls_heap_init(&t->heap, memory, len);
}

/* Once for all connections: the generator goes on. */
static int seed(struct ipa_tls *t) {
    if (t->seeded) return IPA_OK;
    mbedtls_ctr_drbg_init(&t->drbg);
    if (mbedtls_ctr_drbg_seed(&t->drbg, entropy, t, NULL, 0) != 0) return IPA_ERR_ENTROPY;
    t->seeded = 1;
    return IPA_OK;
}

static int send_callback(void *ctx, const unsigned char *data, size_t len) {
    struct ipa_tls *t = ctx;
    if (t->socket < 0) t->net_error = IPA_ERR_CLOSED;
    else t->net_error = t->config->net->send(t->config->net->ctx, t->socket, data, len);
    if (t->net_error == IPA_AGAIN) return MBEDTLS_ERR_SSL_WANT_WRITE;
    return t->net_error < 0 ? NET_FAILED : t->datagram ? (int)len : t->net_error;
}

static int receive_callback(void *ctx, unsigned char *data, size_t cap) {
    struct ipa_tls *t = ctx;
    int got = t->socket < 0 ? IPA_ERR_CLOSED : t->config->net->receive(t->config->net->ctx, t->socket, data, cap);
    if (got == IPA_AGAIN || (t->datagram && (got == 0 || got == IPA_ERR_TOO_LARGE))) return MBEDTLS_ERR_SSL_WANT_READ;
    if (got < 0) {
        t->net_error = got;
        return NET_FAILED;
    }
#if IPA_CFG_DTLS
    if (t->datagram && t->state == IPA_TLS_HANDSHAKE) {
        size_t left = ipa_dtls_filter(t, data, (size_t)got);
        return left == 0 ? MBEDTLS_ERR_SSL_WANT_READ : (int)left;
    }
#endif
    return got;
}

/* NULL: not in this image. */
static const int *suites(const struct ipa_tls *t) {
#if IPA_CFG_DTLS && IPA_CFG_DTLS_PSK
    if (t->trust.kind == IPA_TRUST_PSK) return psk_suites;
#endif
#if IPA_CFG_DTLS && IPA_CFG_DTLS_ECDSA
    if (t->datagram) return dtls_suites;
#endif
#if IPA_CFG_TLS
    if (!t->datagram) return tls_suites;
#endif
    return NULL;
}

static int set_psk(struct ipa_tls *t) {
#if IPA_CFG_DTLS && IPA_CFG_DTLS_PSK
    const struct ipa_tls_config *c = t->config;
    if (t->trust.kind != IPA_TRUST_PSK) return IPA_OK;
    if (!t->datagram || c->psk_identity == NULL || c->psk == NULL) return IPA_ERR_TRUST_FORM;
    int ret = mbedtls_ssl_conf_psk(&t->conf, c->psk, c->psk_len, (const unsigned char *)c->psk_identity, strlen(c->psk_identity));
    return ret == 0 ? IPA_OK : ret == MBEDTLS_ERR_SSL_ALLOC_FAILED ? IPA_ERR_NO_MEM : IPA_ERR_INVALID;
#else
    return t->trust.kind == IPA_TRUST_PSK ? IPA_ERR_TRUST_FORM : IPA_OK;
#endif
}

static int configure(struct ipa_tls *t) {
    if (suites(t) == NULL) return IPA_ERR_TRUST_FORM;
    int transport = t->datagram ? MBEDTLS_SSL_TRANSPORT_DATAGRAM : MBEDTLS_SSL_TRANSPORT_STREAM;
    if (mbedtls_ssl_config_defaults(&t->conf, MBEDTLS_SSL_IS_CLIENT, transport, MBEDTLS_SSL_PRESET_DEFAULT) != 0) return IPA_ERR_NO_MEM;
    mbedtls_ssl_conf_rng(&t->conf, mbedtls_ctr_drbg_random, &t->drbg);
    mbedtls_ssl_conf_ciphersuites(&t->conf, suites(t));
    mbedtls_ssl_conf_min_tls_version(&t->conf, MBEDTLS_SSL_VERSION_TLS1_2);
    mbedtls_ssl_conf_max_tls_version(&t->conf, MBEDTLS_SSL_VERSION_TLS1_2);
#if IPA_CFG_TLS
    if (!t->datagram && mbedtls_ssl_conf_max_frag_len(&t->conf, MBEDTLS_SSL_MAX_FRAG_LEN_1024) != 0) return IPA_ERR_INVALID;
#endif
    return set_psk(t);
}

int ipa_tls_setup(struct ipa_tls *t, const struct ipa_tls_peer *to) {
    int err = seed(t);
    if (err < 0) return err;
    t->trust = to->trust;
    t->datagram = to->datagram;
    t->why = 0;
    t->flags = 0;
    t->expired = 0;
    t->role = to->role;
    t->under_ci = 0;
    t->alert = 0;
    t->timing = 0;
    if (t->trust.kind == IPA_TRUST_NOTHING) return IPA_ERR_TRUST_NONE;
    mbedtls_ssl_init(&t->ssl);
    mbedtls_ssl_config_init(&t->conf);
#if defined(MBEDTLS_X509_CRT_PARSE_C)
    mbedtls_x509_crt_init(&t->ca);
#endif
    t->state = IPA_TLS_CONNECTING;
    err = configure(t);
    if (err == IPA_OK && mbedtls_ssl_setup(&t->ssl, &t->conf) != 0) err = IPA_ERR_NO_MEM;
    if (err == IPA_OK) err = ipa_tls_trust(t, to);
    if (err < 0) return err;
    mbedtls_ssl_set_bio(&t->ssl, t, send_callback, receive_callback, NULL);
#if IPA_CFG_DTLS
    if (t->datagram) ipa_dtls_setup(t);
#endif
    return IPA_OK;
}

int ipa_tls_connect(struct ipa_tls *t, const struct ipa_tls_peer *to) {
    struct ipa_net_peer peer;
    memset(&peer, 0, sizeof peer);
    peer.kind = to->datagram ? IPA_NET_UDP : IPA_NET_TCP;
    peer.host = to->host;
    peer.host_len = to->host_len;
    peer.port = to->port;
    int socket = t->config->net->open(t->config->net->ctx, &peer);
    if (socket < 0) return socket;
    t->socket = socket;
    return IPA_OK;
}

static int shake(struct ipa_tls *t) {
#if IPA_CFG_DTLS
    if (t->datagram && ipa_dtls_alerted(t)) return ipa_tls_error(t, MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE);
#endif
    int ret = mbedtls_ssl_handshake(&t->ssl);
    if (ret == 0) t->state = IPA_TLS_UP;
    return ret == 0 ? IPA_OK : ipa_tls_error(t, ret);
}

static int open_step(struct ipa_tls *t, const struct ipa_tls_peer *to) {
    int err = IPA_OK;
    if (t->state == IPA_TLS_CLOSED) err = ipa_tls_setup(t, to);
    if (err == IPA_OK && t->state == IPA_TLS_CONNECTING) {
        err = ipa_tls_connect(t, to);
        if (err == IPA_OK) t->state = IPA_TLS_HANDSHAKE;
    }
    return err == IPA_OK ? shake(t) : err;
}

int ipa_tls_open(struct ipa_tls *t, const struct ipa_tls_peer *to) {
    struct ipa_tls_heap *before = ipa_tls_heap_use(&t->heap);
    if (t->state == IPA_TLS_CLOSED) t->heap.refused = 0;
    int err = open_step(t, to);
    ipa_tls_heap_use(before);
    if (err == IPA_OK || err == IPA_AGAIN) return err;
    ipa_tls_drop(t);
    /* Mbed TLS has many words for it, "not trusted" among them. */
    return t->heap.refused > 0 ? IPA_ERR_NO_MEM : err;
}

int ipa_tls_send(struct ipa_tls *t, const uint8_t *data, size_t len) {
    if (t->state != IPA_TLS_UP) return IPA_ERR_CLOSED;
    struct ipa_tls_heap *before = ipa_tls_heap_use(&t->heap);
    int ret = mbedtls_ssl_write(&t->ssl, data, len);
    /* The one thing that can be wrong with the argument: a datagram above the MTU. */
    int err = ret >= 0 ? ret : t->datagram && ret == MBEDTLS_ERR_SSL_BAD_INPUT_DATA ? IPA_ERR_TOO_LARGE : ipa_tls_error(t, ret);
    ipa_tls_heap_use(before);
    return err;
}

/* What is left of a datagram that was too large for the caller. */
static int discard(struct ipa_tls *t) {
    uint8_t rest[32];
    while (mbedtls_ssl_get_bytes_avail(&t->ssl) > 0 && mbedtls_ssl_read(&t->ssl, rest, sizeof rest) > 0) continue;
    return IPA_ERR_TOO_LARGE;
}

int ipa_tls_receive(struct ipa_tls *t, uint8_t *data, size_t cap) {
    if (t->state != IPA_TLS_UP) return IPA_ERR_CLOSED;
    struct ipa_tls_heap *before = ipa_tls_heap_use(&t->heap);
    int ret = mbedtls_ssl_read(&t->ssl, data, cap);
    int err = ret > 0 ? ret : ipa_tls_error(t, ret == 0 ? MBEDTLS_ERR_SSL_CONN_EOF : ret);
    if (ret > 0 && t->datagram && mbedtls_ssl_get_bytes_avail(&t->ssl) > 0) err = discard(t);
    ipa_tls_heap_use(before);
    return err;
}

static void forget(struct ipa_tls *t) {
    mbedtls_ssl_free(&t->ssl);
    mbedtls_ssl_config_free(&t->conf);
#if defined(MBEDTLS_X509_CRT_PARSE_C)
    mbedtls_x509_crt_free(&t->ca);
#endif
    t->state = IPA_TLS_CLOSED;
}

void ipa_tls_drop(struct ipa_tls *t) {
    struct ipa_tls_heap *before = ipa_tls_heap_use(&t->heap);
    if (t->state != IPA_TLS_CLOSED) forget(t);
    ipa_tls_heap_use(before);
    if (t->socket >= 0) (void)t->config->net->close(t->config->net->ctx, t->socket);
    t->socket = -1;
}

int ipa_tls_close(struct ipa_tls *t) {
    struct ipa_tls_heap *before = ipa_tls_heap_use(&t->heap);
    int ret = t->state == IPA_TLS_UP && t->socket >= 0 ? mbedtls_ssl_close_notify(&t->ssl) : 0;
    ipa_tls_heap_use(before);
    if (ret == MBEDTLS_ERR_SSL_WANT_WRITE) return IPA_AGAIN;
    ipa_tls_drop(t);
    return IPA_OK;
}

/* RFC 5246 7.2.2, RFC 4279 2. Before the ServerHello a refusal is about version and suites. */
static int alert_error(const struct ipa_tls *t, uint8_t description) {
    int psk = t->trust.kind == IPA_TRUST_PSK;
    switch (description) {
        case MBEDTLS_SSL_ALERT_MSG_CLOSE_NOTIFY:
            return IPA_ERR_CLOSED;
        case MBEDTLS_SSL_ALERT_MSG_PROTOCOL_VERSION:
        case MBEDTLS_SSL_ALERT_MSG_INSUFFICIENT_SECURITY:
            return IPA_ERR_TRUST_VERSION;
        case MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE:
            return t->ssl.state <= MBEDTLS_SSL_SERVER_HELLO ? IPA_ERR_TRUST_VERSION : psk ? IPA_ERR_TRUST_PSK : IPA_ERR_TLS_ALERT;
        case MBEDTLS_SSL_ALERT_MSG_UNKNOWN_PSK_IDENTITY:
            return IPA_ERR_TRUST_PSK;
        default:
            return psk && t->state == IPA_TLS_HANDSHAKE && t->ssl.state > MBEDTLS_SSL_SERVER_HELLO ? IPA_ERR_TRUST_PSK : IPA_ERR_TLS_ALERT;
    }
}

static int fatal_alert(const struct ipa_tls *t) {
    if (t->datagram && t->alert != 0) return alert_error(t, (uint8_t)(t->alert - 1));
    return t->ssl.in_msg != NULL ? alert_error(t, t->ssl.in_msg[1]) : IPA_ERR_TLS_ALERT;
}

/*
 * TLS: a record whose header says more than our buffer holds, because the server ignores max_fragment_length (RFC 6066 4); a handshake
 * message, put together from records that do fit, that is too long: IPA_CFG_TLS_IN is too small for this server's chain. 0: neither.
 */
static int too_long(const struct ipa_tls *t) {
    const uint8_t *header = t->ssl.in_hdr;
    if (t->datagram || header == NULL) return 0;
    int is_record = header[0] >= 20 && header[0] <= 23 && header[1] == 3;
    if (is_record && (header[3] << 8 | header[4]) > MBEDTLS_SSL_IN_CONTENT_LEN) return IPA_ERR_TLS_FRAGMENT;
    return t->state == IPA_TLS_HANDSHAKE && t->ssl.in_hslen > MBEDTLS_SSL_IN_CONTENT_LEN ? IPA_ERR_NO_MEM : 0;
}

int ipa_tls_timed_out(const struct ipa_tls *t) {
    if (t->state != IPA_TLS_HANDSHAKE) return IPA_ERR_TIMEOUT;
    if (t->datagram && t->alert != 0) return fatal_alert(t);
    return t->trust.kind == IPA_TRUST_PSK && t->ssl.state > MBEDTLS_SSL_CLIENT_FINISHED ? IPA_ERR_TRUST_PSK : IPA_ERR_TIMEOUT;
}

int ipa_tls_error(struct ipa_tls *t, int ret) {
    int long_one = ret == MBEDTLS_ERR_SSL_INVALID_RECORD || ret == MBEDTLS_ERR_SSL_BAD_INPUT_DATA || ret == MBEDTLS_ERR_SSL_BUFFER_TOO_SMALL ? too_long(t) : 0;
    if (long_one != 0) return long_one;
    int hello = t->state == IPA_TLS_HANDSHAKE && t->ssl.state <= MBEDTLS_SSL_SERVER_KEY_EXCHANGE;
    switch (ret) {
        case MBEDTLS_ERR_SSL_WANT_READ:
        case MBEDTLS_ERR_SSL_WANT_WRITE:
            return IPA_AGAIN;
        case NET_FAILED:
            return t->net_error;
        case MBEDTLS_ERR_SSL_CONN_EOF:
        case MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY:
            return IPA_ERR_CLOSED;
        case MBEDTLS_ERR_SSL_TIMEOUT:
            return ipa_tls_timed_out(t);
#if defined(MBEDTLS_X509_CRT_PARSE_C)
        case MBEDTLS_ERR_X509_CERT_VERIFY_FAILED:
            return t->why != 0 ? t->why : IPA_ERR_TRUST_CHAIN;
#endif
        case MBEDTLS_ERR_SSL_BAD_CERTIFICATE:
            return IPA_ERR_TRUST_CHAIN;
        case MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE:
            return fatal_alert(t);
        case MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION:
            return IPA_ERR_TRUST_VERSION;
        case MBEDTLS_ERR_SSL_ILLEGAL_PARAMETER:
        case MBEDTLS_ERR_SSL_HANDSHAKE_FAILURE:
        case MBEDTLS_ERR_SSL_BAD_INPUT_DATA:      /* a suite that it doesn't know */
            return hello ? IPA_ERR_TRUST_VERSION : IPA_ERR_TLS;
        case MBEDTLS_ERR_SSL_ALLOC_FAILED:
        case MBEDTLS_ERR_MPI_ALLOC_FAILED:
            return IPA_ERR_NO_MEM;
        case MBEDTLS_ERR_CTR_DRBG_ENTROPY_SOURCE_FAILED:
            return IPA_ERR_ENTROPY;
        default:
            return IPA_ERR_TLS;
    }
}

#else

/* No TLS of ours: the modem has it (links.h, modem_tls). */
int ipa_tls_timed_out(const struct ipa_tls *t) {
    (void)t;
    return IPA_ERR_TIMEOUT;
}

int ipa_tls_init(struct ipa_tls *t, const struct ipa_tls_config *config, void *memory, size_t len) {
    (void)memory, (void)len;
    memset(t, 0, sizeof *t);
    t->config = config;
    t->socket = -1;
    return IPA_OK;
}

int ipa_tls_open(struct ipa_tls *t, const struct ipa_tls_peer *to) {
    (void)t, (void)to;
    return IPA_ERR_UNSUPPORTED;
}

int ipa_tls_send(struct ipa_tls *t, const uint8_t *data, size_t len) {
    (void)t, (void)data, (void)len;
    return IPA_ERR_CLOSED;
}

int ipa_tls_receive(struct ipa_tls *t, uint8_t *data, size_t cap) {
    (void)t, (void)data, (void)cap;
    return IPA_ERR_CLOSED;
}

int ipa_tls_close(struct ipa_tls *t) {
    (void)t;
    return IPA_OK;
}

void ipa_tls_drop(struct ipa_tls *t) {
    (void)t;
}

#endif
