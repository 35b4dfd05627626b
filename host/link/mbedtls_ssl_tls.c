/*
 * Mbed TLS's own ssl_tls.c with one call turned: the server's certificates are parsed by ipa_tls_parse_peer (tls_verify.c), since certificates
 * under an RSP CI have their role in a critical certificatePolicies extension (SGP.22 4.5.2), which Mbed TLS alone refuses. It
 * offers a callback for such extensions, but no way to hand it to the handshake. Compiled in place of ssl_tls.c (host/tool/mbedtls.mjs).
 */
/* As its common.h does, before anything of Mbed TLS is included. */
#define MBEDTLS_ALLOW_PRIVATE_ACCESS
#include "mbedtls/build_info.h"

#if defined(MBEDTLS_X509_CRT_PARSE_C)
#include "mbedtls/x509_crt.h"
int ipa_tls_parse_peer(mbedtls_x509_crt *chain, const unsigned char *der, size_t len);
#define mbedtls_x509_crt_parse_der_nocopy ipa_tls_parse_peer
#endif

#include IPA_MBEDTLS_SSL_TLS
