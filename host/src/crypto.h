/* What the host core needs of cryptography; crypto_mbedtls.c does it with Mbed TLS, an OEM may do it with hardware. */
#ifndef IPA_CRYPTO_H
#define IPA_CRYPTO_H

#include <stddef.h>
#include <stdint.h>

#include "ipa/err.h"

/* SHA-256 (FIPS 180-4) of len octets. IPA_OK, or a negative error of the implementation. */
int ipa_sha256(const uint8_t *p, size_t len, uint8_t hash[32]);
/*
 * ECDSA on P-256 over a SHA-256 (FIPS 186-4): point 04 X Y, sig r s. What it needs of memory it takes from scratch
 * (aligned to 8), which is free again when it returns. IPA_OK, IPA_ERR_TRUST (the signature doesn't hold), IPA_ERR_NO_MEM.
 */
int ipa_ecdsa_p256_verify(const uint8_t point[65], const uint8_t hash[32], const uint8_t sig[64], void *scratch, size_t scratch_len);

#endif
