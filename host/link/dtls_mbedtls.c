/*
 * What DTLS 1.2 has beyond TLS (tls_mbedtls.h; RFC 6347 4, RFC 9146, RFC 7925 11): timers of flights, alerts in the clear, connection
 * id, sessions that outlive a socket or, saved, the RAM.
 *
 * A session lives in one place only: saving drops it here, restoring is for the caller to do once (link_coaps.c invalidates the
 * record first). Its sequence numbers go on where they were, so that no (epoch, number), and so no CCM nonce, is used twice.
 */
#include "link/tls_mbedtls.h"

#include <string.h>

#if IPA_CFG_DTLS

#define RECORD_HEADER 13
#define ALERT 21

static void set_timer(void *ctx, uint32_t int_ms, uint32_t fin_ms) {
    struct ipa_tls *t = ctx;
    t->timing = fin_ms != 0;
    t->timer_start = t->config->now_ms(t->config->ctx);
    t->timer_int = int_ms;
    t->timer_fin = fin_ms;
    /* Stopped: a whole flight came, and with it something better than an alert. */
    if (fin_ms == 0) t->alert = 0;
}

static int get_timer(void *ctx) {
    const struct ipa_tls *t = ctx;
    if (!t->timing) return -1;
    uint32_t passed = t->config->now_ms(t->config->ctx) - t->timer_start;
    return passed >= t->timer_fin ? 2 : passed >= t->timer_int ? 1 : 0;
}

void ipa_dtls_setup(struct ipa_tls *t) {
    uint16_t mtu = t->config->net->send_max;
    mbedtls_ssl_conf_handshake_timeout(&t->conf, t->config->handshake_min_ms, t->config->handshake_max_ms);
    mbedtls_ssl_set_timer_cb(&t->ssl, t, set_timer, get_timer);
    mbedtls_ssl_set_mtu(&t->ssl, mtu == 0 || mtu > IPA_CFG_DTLS_MTU ? IPA_CFG_DTLS_MTU : mtu);
    /* Our own is empty: "I send yours, you need not send one to me" (RFC 9146 3). */
    (void)mbedtls_ssl_conf_cid(&t->conf, 0, MBEDTLS_SSL_UNEXPECTED_CID_IGNORE);
    (void)mbedtls_ssl_set_cid(&t->ssl, MBEDTLS_SSL_CID_ENABLED, (const unsigned char *)"", 0);
}

/*
 * Anybody can send an alert in the clear. It is taken out of the datagram and remembered; only when nothing better comes before
 * this flight would be sent again, the handshake ends by it.
 */
size_t ipa_dtls_filter(struct ipa_tls *t, const uint8_t *datagram, size_t len) {
    size_t at = 0;
    while (at + RECORD_HEADER <= len) {
        const uint8_t *record = datagram + at;
        size_t whole = RECORD_HEADER + (size_t)(record[11] << 8 | record[12]);
        int in_clear = record[3] == 0 && record[4] == 0;
        if (record[0] == ALERT && in_clear) {
            if (whole == RECORD_HEADER + 2 && at + whole <= len) t->alert = (uint8_t)(record[14] + 1);
            return at;
        }
        at += whole;
    }
    return len;
}

int ipa_dtls_alerted(struct ipa_tls *t) {
    return t->alert != 0 && get_timer(t) == 2;
}

int ipa_dtls_has_cid(struct ipa_tls *t) {
    int enabled = 0;
    size_t len = 0;
    uint8_t cid[MBEDTLS_SSL_CID_OUT_LEN_MAX];
    if (t->state != IPA_TLS_UP || !t->datagram) return 0;
    return mbedtls_ssl_get_peer_cid(&t->ssl, &enabled, cid, &len) == 0 && enabled == MBEDTLS_SSL_CID_ENABLED && len > 0;
}

void ipa_dtls_park(struct ipa_tls *t) {
    if (t->socket >= 0) (void)t->config->net->close(t->config->net->ctx, t->socket);
    t->socket = -1;
}

int ipa_dtls_unpark(struct ipa_tls *t, const struct ipa_tls_peer *to) {
    return t->socket >= 0 ? IPA_OK : ipa_tls_connect(t, to);
}

int ipa_dtls_save(struct ipa_tls *t, uint8_t *record, size_t cap) {
    size_t len = 0;
    if (t->state != IPA_TLS_UP || !t->datagram) return IPA_ERR_NOT_FOUND;
    struct ipa_tls_heap *before = ipa_tls_heap_use(&t->heap);
    int ret = mbedtls_ssl_context_save(&t->ssl, record, cap, &len);
    ipa_tls_heap_use(before);
    ipa_tls_drop(t);
    return ret == 0 ? (int)len : ret == MBEDTLS_ERR_SSL_BUFFER_TOO_SMALL ? IPA_ERR_NO_MEM : IPA_ERR_TLS;
}

int ipa_dtls_restore(struct ipa_tls *t, const struct ipa_tls_peer *to, const uint8_t *record, size_t len) {
    ipa_tls_drop(t);
    struct ipa_tls_heap *before = ipa_tls_heap_use(&t->heap);
    int err = ipa_tls_setup(t, to);
    if (err == IPA_OK && mbedtls_ssl_context_load(&t->ssl, record, len) != 0) err = IPA_ERR_TLS;
    if (err == IPA_OK) t->state = IPA_TLS_UP;
    ipa_tls_heap_use(before);
    if (err < 0) ipa_tls_drop(t);
    return err;
}

#endif
