/*
 * The links of this host: struct ipa_link (ipa/link.h) for ESipa over CoAPS, ESipa over HTTPS and ES9+ over HTTPS (SGP.32 6.1, sgp32-transport
 * 1, 2.1, 3, 6), on the sockets of struct ipa_net. Everything is kept in memory that the caller gives.
 *
 * Trust: A6 of the eIM configuration; without it, and for SM-DP+ and SM-DS, the CAs below; CoAPS with a PSK when one is
 * configured (then nothing else is accepted). A server that fails a check is refused by its own IPA_ERR_TRUST_...
 * A DTLS session with a connection id is kept over close and open, and saved by ipa_link_sleep.
 */
#ifndef IPA_LINKS_H
#define IPA_LINKS_H

#include <stddef.h>
#include <stdint.h>

#include "ipa/config_default.h"
#include "ipa/err.h"
#include "ipa/link.h"
#include "ipa/net.h"
#include "link/coap.h"

/*
 * Where one saved DTLS session is kept; all NULL: nowhere. Each function is durable when it returns IPA_OK. A record is invalidated
 * before it is used, so that a reset behind that can't use it again: sequence numbers, and with them nonces, would repeat.
 */
struct ipa_link_session {
    int (*load)(void *ctx, uint8_t *record, size_t cap);         /* octets, or IPA_ERR_NOT_FOUND */
    int (*save)(void *ctx, const uint8_t *record, size_t len);   /* up to IPA_LINK_SESSION_MAX */
    int (*invalidate)(void *ctx);
    void *ctx;
};
#define IPA_LINK_SESSION_MAX 384

struct ipa_link_config {
    struct ipa_net net;
    int (*entropy)(void *ctx, uint8_t *p, size_t len);   /* true random; IPA_OK */
    uint32_t (*now_ms)(void *ctx);                       /* monotonic, wraps */
    uint32_t (*utc_s)(void *ctx);                        /* seconds since 1970, 0: unknown; NULL: no clock, dates of certificates are not checked */
    void *ctx;
    const uint8_t *ca;              /* CAs of SM-DP+, SM-DS, and of eIMs without A6: DER certificates, one behind the other */
    size_t ca_len;
    const char *psk_identity;       /* CoAPS by PSK, or NULL */
    const uint8_t *psk;
    size_t psk_len;
    uint32_t handshake_min_ms;      /* DTLS: 9000 */
    uint32_t handshake_max_ms;      /* 60000 */
    struct ipa_coap_config coap;
    struct ipa_link_session session;
    const char *admin_protocol;     /* X-Admin-Protocol of ESipa, e.g. "gsma/rsp/v2.1.0" */
    const char *es9p_admin_protocol; /* of ES9+, "gsma/rsp/v2.5.0" */
    const char *user_agent;         /* of ESipa: "gsma-rsp-ipad" */
    const char *es9p_user_agent;    /* of ES9+: "gsma-rsp-lpad" */
    uint32_t http_body_max;         /* longest answer over HTTPS */
    uint8_t modem_tls;              /* 1: TLS and DTLS are the modem's (IPA_NET_TLS, IPA_NET_DTLS), and so are the checks */
    uint8_t lab_plain_coap;         /* with IPA_CFG_LAB_PLAIN_COAP only: CoAP without DTLS */
};

/* Values that fit NB-IoT and, where they are not about time, everything (coap-dtls 4). Doors, trust and clock are the caller's. */
void ipa_link_defaults(struct ipa_link_config *config);
/* The same with the timers of LTE-M. */
void ipa_link_lte_m(struct ipa_link_config *config);

/* Octets of memory that the links need beside Mbed TLS; add 6 KiB for DTLS with PSK, 10 KiB for certificates, 14 KiB for HTTPS. */
size_t ipa_link_need(void);
/* config must outlive the links. IPA_OK, IPA_ERR_NO_MEM, or IPA_ERR_INVALID. */
int ipa_link_init(struct ipa_link *door, const struct ipa_link_config *config, void *memory, size_t len);
/* Before a sleep in which the RAM is lost, with the link closed: saves the DTLS session, if there is one worth it. IPA_OK, IPA_AGAIN while it closes, or why it could not. */
int ipa_link_sleep(struct ipa_link *door);
/* Ends the kept session too. */
void ipa_link_stop(struct ipa_link *door);
/* Most octets of memory that Mbed TLS has used so far. */
size_t ipa_link_heap_peak(const struct ipa_link *door);

#endif
