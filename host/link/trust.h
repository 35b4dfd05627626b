/*
 * By what a server is trusted: trustedPublicKeyDataTls of the eIM configuration (A6; SGP.32 EimConfigurationData, sgp32-types 4.2),
 * read from the ASN.1's own form and from the nested and bare ones seen in the field. The checks themselves: tls_verify.c.
 */
#ifndef IPA_TRUST_H
#define IPA_TRUST_H

#include <stddef.h>
#include <stdint.h>

enum ipa_trust_kind {
    IPA_TRUST_NOTHING = 0,
    IPA_TRUST_KEY,           /* A0: the server's key equals it */
    IPA_TRUST_CERTIFICATE,   /* A1: the server's certificate equals it, or it is a CA that signed the chain, and the name is right */
    IPA_TRUST_CA,            /* no A6: one of the board's own CAs signed the chain, and the name is right */
    IPA_TRUST_PSK            /* no certificates: the board's pre-shared key */
};

struct ipa_trust {
    enum ipa_trust_kind kind;
    /* Content octets of the SubjectPublicKeyInfo or Certificate: without the 30 and its length, which the ASN.1 replaces by A0, A1. */
    const uint8_t *content;
    size_t len;
};

/* Reads a whole A6 data object. IPA_OK, or IPA_ERR_TRUST_FORM. What is read points into a6. */
int ipa_trust_read(struct ipa_trust *trust, const uint8_t *a6, size_t len);

/* Content of the one DER SEQUENCE that data holds; NULL when it is something else. */
const uint8_t *ipa_trust_content(const uint8_t *data, size_t len, size_t *content_len);

#endif
