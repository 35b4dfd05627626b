/*
 * Door to the eIM, SM-DP+ and SM-DS: one connection at a time, on it any number of request/answer pairs, bodies in pieces
 * (host/README.md, ops LinkOpen to LinkClose; bindings of SGP.32 6.1 and SGP.22 6.5). Implemented by host/link/.
 * A function that needs time returns IPA_AGAIN and is called again with the same arguments.
 */
#ifndef IPA_LINK_H
#define IPA_LINK_H

#include <stddef.h>
#include <stdint.h>

enum ipa_peer { IPA_PEER_EIM = 1, IPA_PEER_SMDP = 2, IPA_PEER_SMDS = 3 };
enum ipa_binding { IPA_ESIPA_HTTPS = 1, IPA_ESIPA_COAPS = 2, IPA_ES9P_HTTPS = 3 };

struct ipa_endpoint {
    enum ipa_peer peer;
    enum ipa_binding binding;
    const char *fqdn;       /* FQDN[:port] as the eIM configuration or the activation code has it, not terminated; may be empty */
    size_t fqdn_len;
    const uint8_t *trust;   /* whole trustedPublicKeyDataTls data object (A6, SGP.32 EimConfigurationData), or NULL */
    size_t trust_len;
};

struct ipa_request {
    uint32_t total;         /* octets of the whole body, the same in every piece */
    uint8_t function;       /* host/README.md, op LinkSend, aux */
    uint8_t first;
    uint8_t last;
};

struct ipa_answer {
    uint16_t code;          /* HTTP status, or CoAP class * 100 + detail */
    uint32_t retry_after_s; /* Retry-After, Max-Age of 5.03; 0 when none */
    uint8_t last;
};

struct ipa_link {
    /* What `to` points to stays as it is until close. */
    int (*open)(void *ctx, const struct ipa_endpoint *to, uint32_t wait_ms);
    /* The piece is the link's until it returns something else than IPA_AGAIN. */
    int (*send)(void *ctx, const struct ipa_request *how, const uint8_t *piece, size_t len, uint32_t wait_ms);
    /* Octets written to piece (1 to cap; 0 only with about->last), or an error. */
    int (*receive)(void *ctx, uint8_t *piece, size_t cap, struct ipa_answer *about, uint32_t wait_ms);
    int (*close)(void *ctx);
    void *ctx;
};

#endif
