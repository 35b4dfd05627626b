/*
 * A secure connection on Mbed TLS 3.6: TLS 1.2 over TCP, and DTLS 1.2 over UDP (RFC 5246, 6347, 9146; RFC 7925 profile; sgp32-transport 1).
 * Client only, server authentication only, non-blocking: a function that needs time returns IPA_AGAIN.
 *
 * Offered: TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, in DTLS also ..._CCM_8 and, with a PSK, TLS_PSK_WITH_AES_128_CCM_8 and
 * ..._GCM_SHA256; secp256r1, ecdsa_secp256r1_sha256, extended master secret, SNI; TLS: max_fragment_length 1024; DTLS: a connection id
 * for what we send. Nothing older or weaker is ever accepted.
 * Leaves out: TLS 1.3, RSA, client certificates, raw public keys, resumption by id or ticket, revocation. The extended master secret is
 * offered, not demanded: without renegotiation, resumption and client certificates nothing hangs on it.
 * An ECDSA handshake computes for 1 to 3 s on a Cortex-M4 at 64 MHz, in single calls of up to a third of that.
 */
#ifndef IPA_TLS_MBEDTLS_H
#define IPA_TLS_MBEDTLS_H

#include <stddef.h>
#include <stdint.h>

#include "ipa/config_default.h"
#include "ipa/err.h"
#include "ipa/net.h"
#include "link/tls_heap.h"
#include "link/trust.h"

#if IPA_CFG_DTLS || IPA_CFG_TLS
#include "mbedtls/ctr_drbg.h"
#include "mbedtls/ssl.h"
#endif
#if defined(MBEDTLS_X509_CRT_PARSE_C)
#include "mbedtls/x509_crt.h"
#endif

/* What does not change from one connection to the next; must outlive the connection. */
struct ipa_tls_config {
    const struct ipa_net *net;
    int (*entropy)(void *ctx, uint8_t *p, size_t len);  /* len octets from a true random source; IPA_OK */
    uint32_t (*now_ms)(void *ctx);                      /* monotonic, wraps */
    uint32_t (*utc_s)(void *ctx);                       /* seconds since 1970, 0: not known now; NULL: no clock. Then no dates are checked. */
    void *ctx;
    const char *psk_identity;                           /* up to 128 octets of UTF-8, or NULL */
    const uint8_t *psk;
    size_t psk_len;                                     /* up to 64 */
    uint32_t handshake_min_ms;                          /* DTLS: first wait for an answer, doubled up to ... (RFC 7925: 9000) */
    uint32_t handshake_max_ms;                          /* ... this (60000) */
};

struct ipa_tls_peer {
    const char *host;
    size_t host_len;
    uint16_t port;
    struct ipa_trust trust;
    const uint8_t *ca;      /* IPA_TRUST_CA: DER certificates, one behind the other */
    size_t ca_len;
    uint8_t role;           /* IPA_TRUST_CA: role that the server's certificate needs under an RSP CI: last arc of its policy, 0: none */
    uint8_t datagram;       /* 1: DTLS */
};

/* Roles below 2.23.146.1.2.1 (SGP.22 4.5.2.1). */
enum { IPA_ROLE_CI = 0, IPA_ROLE_DP_TLS = 3, IPA_ROLE_DS_TLS = 6 };

enum ipa_tls_state { IPA_TLS_CLOSED = 0, IPA_TLS_CONNECTING, IPA_TLS_HANDSHAKE, IPA_TLS_UP };

struct ipa_tls {
    const struct ipa_tls_config *config;
    struct ipa_tls_heap heap;
#if IPA_CFG_DTLS || IPA_CFG_TLS
    mbedtls_ctr_drbg_context drbg;
    mbedtls_ssl_context ssl;
    mbedtls_ssl_config conf;
#endif
#if defined(MBEDTLS_X509_CRT_PARSE_C)
    mbedtls_x509_crt ca;
#endif
    struct ipa_trust trust;
    enum ipa_tls_state state;
    uint8_t datagram;
    uint8_t seeded;
    int socket;             /* -1: none */
    int net_error;          /* what a socket said to Mbed TLS's callback */
    /* What the checks of the certificates found (tls_verify.c). */
    int why;
    uint32_t flags;
    uint8_t expired;
    uint8_t role;
    uint8_t under_ci;       /* the chain ends at an RSP CI */
    /* Timer of DTLS flights, and an alert in the clear that is not believed yet (dtls_mbedtls.c). */
    uint8_t timing;
    uint8_t alert;          /* its description + 1; 0: none */
    uint32_t timer_start, timer_int, timer_fin;
};

/* Memory for Mbed TLS: see README of host/ for how much. IPA_OK, IPA_ERR_NO_MEM, IPA_ERR_ENTROPY. */
int ipa_tls_init(struct ipa_tls *t, const struct ipa_tls_config *config, void *memory, size_t len);
/* Connects and shakes hands. IPA_OK, IPA_AGAIN, or why not; everything is closed then. */
int ipa_tls_open(struct ipa_tls *t, const struct ipa_tls_peer *to);
/*
 * What ipa_tls_open would say if its time were over now: IPA_ERR_TRUST_PSK when the server took our first flights and is silent about the
 * last (its key is a different one, and DTLS drops what it can't read), the refusal that an alert in the clear spoke of, or IPA_ERR_TIMEOUT.
 */
int ipa_tls_timed_out(const struct ipa_tls *t);
/* DTLS: one datagram, IPA_ERR_TOO_LARGE above the MTU. TLS: octets taken, at least 1. IPA_AGAIN: the same call again. */
int ipa_tls_send(struct ipa_tls *t, const uint8_t *data, size_t len);
/* Octets received; DTLS: of one datagram, IPA_ERR_TOO_LARGE when it exceeds cap. IPA_AGAIN, IPA_ERR_CLOSED. */
int ipa_tls_receive(struct ipa_tls *t, uint8_t *data, size_t cap);
/* Says close_notify and forgets everything. IPA_OK; IPA_AGAIN while the socket takes nothing: again, or ipa_tls_drop. */
int ipa_tls_close(struct ipa_tls *t);
/* As close, without a word: the connection is broken, or its session was saved. */
void ipa_tls_drop(struct ipa_tls *t);

/* --- DTLS sessions that outlive a socket (dtls_mbedtls.c) --- */

/* True when the server gave a connection id: the session then survives a new port and a new address of ours (RFC 9146). */
int ipa_dtls_has_cid(struct ipa_tls *t);
/* Closes the socket, keeps the session. */
void ipa_dtls_park(struct ipa_tls *t);
/* A socket again for the session that was parked or restored. IPA_OK, IPA_AGAIN, or an error; the session is still there. */
int ipa_dtls_unpark(struct ipa_tls *t, const struct ipa_tls_peer *to);
/* Writes the session to `record` and drops it here: it may live in one place only. Octets, or an error. */
int ipa_dtls_save(struct ipa_tls *t, uint8_t *record, size_t cap);
/* The session of a record, with no socket yet. Whoever calls has made sure that no record can be restored twice. */
int ipa_dtls_restore(struct ipa_tls *t, const struct ipa_tls_peer *to, const uint8_t *record, size_t len);

/* --- shared by the files of this connection --- */

/* Config, trust, context: all but the socket. */
int ipa_tls_setup(struct ipa_tls *t, const struct ipa_tls_peer *to);
int ipa_tls_connect(struct ipa_tls *t, const struct ipa_tls_peer *to);
/* Name of an Mbed TLS result in our words. */
int ipa_tls_error(struct ipa_tls *t, int ret);
/* tls_verify.c: trust anchors into t->ca, and the callback that decides. */
int ipa_tls_trust(struct ipa_tls *t, const struct ipa_tls_peer *to);
#if defined(MBEDTLS_X509_CRT_PARSE_C)
/* tls_verify.c: what Mbed TLS parses the server's certificates by; der stays where it is. */
int ipa_tls_parse_peer(mbedtls_x509_crt *chain, const unsigned char *der, size_t len);
#endif
/* dtls_mbedtls.c */
void ipa_dtls_setup(struct ipa_tls *t);
/* Cuts alerts in the clear off a datagram of the handshake; how much of it is left. */
size_t ipa_dtls_filter(struct ipa_tls *t, const uint8_t *datagram, size_t len);
/* True when an alert in the clear has stood for a whole wait: nothing better came. */
int ipa_dtls_alerted(struct ipa_tls *t);

#endif
