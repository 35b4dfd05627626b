/* What link.c, link_coaps.c and link_https.c give each other. */
#ifndef IPA_LINK_PARTS_H
#define IPA_LINK_PARTS_H

#include "link/http.h"
#include "link/links.h"
#include "link/tls_mbedtls.h"

struct ipa_links {
    const struct ipa_link_config *config;
    struct ipa_tls_config tls_config;
    struct ipa_tls tls;
    struct ipa_tls_peer peer;
    const uint8_t *a6;             /* of the endpoint, for a modem that checks it */
    size_t a6_len;
    enum ipa_binding binding;      /* 0: closed */
    int raw;                       /* socket without Mbed TLS below it (modem_tls, lab_plain_coap); -1: none */
    uint8_t identity[32];          /* of the endpoint that tls is for */
    uint8_t opened;
    uint8_t closing;
    /* One op at a time may be waiting. */
    uint8_t waiting;
    uint32_t since;
    size_t piece_at;
    /* CoAPS: the session was kept, and the server has not answered on it yet. */
    uint8_t unproven;
    uint8_t coap_ready;
    uint8_t healthy;
    /* HTTPS. */
    uint8_t served;                /* an answer came on this connection */
    uint8_t broken;                /* it can't carry another exchange */
    uint16_t request_len;          /* octets of a request that is still whole in http.in; 0: it is not */
    union {
        struct ipa_coap coap;
        struct ipa_http http;
    } u;
};

uint32_t ipa_links_now(const struct ipa_links *l);
/* Below: TLS or DTLS of ours, or a socket that needs none. As ipa_tls_... */
int ipa_links_connect(struct ipa_links *l);
int ipa_links_send(struct ipa_links *l, const uint8_t *data, size_t len);
int ipa_links_receive(struct ipa_links *l, uint8_t *data, size_t cap);
void ipa_links_drop(struct ipa_links *l);
int ipa_links_up(const struct ipa_links *l);
/* True where nothing of ours secures the socket. */
int ipa_links_raw(const struct ipa_links *l);

/* link_coaps.c. `fresh`: the first call of this op. */
int ipa_coaps_open(struct ipa_links *l, int fresh);
int ipa_coaps_send(struct ipa_links *l, const struct ipa_request *how, const uint8_t *piece, size_t len, int fresh);
int ipa_coaps_receive(struct ipa_links *l, uint8_t *piece, size_t cap, struct ipa_answer *about);
int ipa_coaps_close(struct ipa_links *l);
/* Saves the session if it is worth it, and ends it here in any case. */
int ipa_coaps_retire(struct ipa_links *l);

/* link_https.c */
int ipa_https_open(struct ipa_links *l);
int ipa_https_send(struct ipa_links *l, const struct ipa_request *how, const uint8_t *piece, size_t len, int fresh);
int ipa_https_receive(struct ipa_links *l, uint8_t *piece, size_t cap, struct ipa_answer *about);
int ipa_https_close(struct ipa_links *l);

#endif
