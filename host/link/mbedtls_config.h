/*
 * Configuration of Mbed TLS 3.6 for the C host, the same on an MCU and on a desktop (decisions.md 5; RFC 7925 profile). A board
 * chooses by IPA_CFG_... of ipa_config.h what is in it; the signature check of the agent's image is always there.
 *
 * Leaves out: TLS 1.3, PSA, RSA, every curve but P-256, every hash but SHA-256, renegotiation, client certificates, raw public
 * keys (Mbed TLS has none), files, sockets, clocks. Dates of certificates are checked by host/link/trust.c, since Mbed TLS
 * would want a process-wide clock.
 */
#ifndef IPA_MBEDTLS_CONFIG_H
#define IPA_MBEDTLS_CONFIG_H

#include <stddef.h>

#include "ipa/config_default.h"

/* Memory: host/link/tls_heap.c, inside a buffer of the caller. */
void *ipa_tls_calloc(size_t count, size_t size);
void ipa_tls_free(void *p);
#define MBEDTLS_PLATFORM_C
#define MBEDTLS_PLATFORM_MEMORY
#define MBEDTLS_PLATFORM_CALLOC_MACRO ipa_tls_calloc
#define MBEDTLS_PLATFORM_FREE_MACRO ipa_tls_free

/* The image's signature: ECDSA P-256 with SHA-256. */
#define MBEDTLS_ASN1_PARSE_C
#define MBEDTLS_ASN1_WRITE_C
#define MBEDTLS_BIGNUM_C
#define MBEDTLS_ECP_C
#define MBEDTLS_ECP_DP_SECP256R1_ENABLED
#define MBEDTLS_ECP_NIST_OPTIM
#define MBEDTLS_ECP_WINDOW_SIZE 2
#define MBEDTLS_ECP_FIXED_POINT_OPTIM 0
#define MBEDTLS_ECDSA_C
#define MBEDTLS_MPI_MAX_SIZE 32
#define MBEDTLS_MPI_WINDOW_SIZE 1
#define MBEDTLS_SHA256_C
#define MBEDTLS_SHA256_SMALLER
#define MBEDTLS_MD_C
#if defined(__GNUC__) && !defined(__clang__) && (defined(__arm__) || defined(__thumb__))
#define MBEDTLS_HAVE_ASM
#endif

#if IPA_CFG_DTLS || IPA_CFG_TLS

#define MBEDTLS_SSL_CLI_C
#define MBEDTLS_SSL_TLS_C
#define MBEDTLS_SSL_PROTO_TLS1_2
#define MBEDTLS_SSL_EXTENDED_MASTER_SECRET
#if IPA_CFG_TLS
#define MBEDTLS_SSL_MAX_FRAGMENT_LENGTH
#endif
#define MBEDTLS_SSL_IN_CONTENT_LEN IPA_CFG_TLS_IN
#define MBEDTLS_SSL_OUT_CONTENT_LEN IPA_CFG_TLS_OUT
#define MBEDTLS_CTR_DRBG_C
#define MBEDTLS_CTR_DRBG_USE_128_BIT_KEY
#define MBEDTLS_AES_C
#define MBEDTLS_AES_ONLY_128_BIT_KEY_LENGTH
#define MBEDTLS_AES_ROM_TABLES
#define MBEDTLS_AES_FEWER_TABLES
#define MBEDTLS_BLOCK_CIPHER_NO_DECRYPT
#define MBEDTLS_CIPHER_C
#define MBEDTLS_GCM_C

#if IPA_CFG_DTLS
#define MBEDTLS_CCM_C
#define MBEDTLS_SSL_PROTO_DTLS
#define MBEDTLS_SSL_DTLS_ANTI_REPLAY
#define MBEDTLS_SSL_DTLS_CONNECTION_ID
#define MBEDTLS_SSL_DTLS_CONNECTION_ID_COMPAT 0
#define MBEDTLS_SSL_CID_IN_LEN_MAX 0
#define MBEDTLS_SSL_CID_OUT_LEN_MAX 16
#define MBEDTLS_SSL_CID_TLS1_3_PADDING_GRANULARITY 1
#define MBEDTLS_SSL_CONTEXT_SERIALIZATION
#define MBEDTLS_SSL_DTLS_MAX_BUFFERING IPA_CFG_DTLS_REASSEMBLY
#if IPA_CFG_DTLS_PSK
#define MBEDTLS_KEY_EXCHANGE_PSK_ENABLED
#define MBEDTLS_PSK_MAX_LEN 64
#endif
#endif

#if IPA_CFG_TLS || IPA_CFG_DTLS_ECDSA
#define MBEDTLS_KEY_EXCHANGE_ECDHE_ECDSA_ENABLED
#define MBEDTLS_ECDH_C
#define MBEDTLS_SSL_SERVER_NAME_INDICATION
#define MBEDTLS_X509_USE_C
#define MBEDTLS_X509_CRT_PARSE_C
#define MBEDTLS_X509_REMOVE_INFO
#define MBEDTLS_PK_C
#define MBEDTLS_PK_PARSE_C
#define MBEDTLS_OID_C
#endif

/* The far end, for tests only: a DTLS and TLS server in the same process. */
#if IPA_CFG_TLS_SERVER
#define MBEDTLS_SSL_SRV_C
#define MBEDTLS_SSL_COOKIE_C
#define MBEDTLS_SSL_DTLS_HELLO_VERIFY
#undef MBEDTLS_SSL_CID_IN_LEN_MAX
#define MBEDTLS_SSL_CID_IN_LEN_MAX 16
#endif

#endif

#endif
