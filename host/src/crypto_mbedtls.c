/* host/src/crypto.h with Mbed TLS 3.6, configured by link/mbedtls_config.h; its memory comes from the caller's scratch. */
#include "crypto.h"

#include "link/tls_heap.h"
#include "mbedtls/ecdsa.h"
#include "mbedtls/sha256.h"

int ipa_sha256(const uint8_t *p, size_t len, uint8_t hash[32]) {
    return mbedtls_sha256(p, len, hash, 0) == 0 ? IPA_OK : IPA_ERR_TRUST;
}

static int verify(mbedtls_ecp_group *group, mbedtls_ecp_point *key, mbedtls_mpi *r, mbedtls_mpi *s, const uint8_t point[65], const uint8_t hash[32], const uint8_t sig[64]) {
    int e = mbedtls_ecp_group_load(group, MBEDTLS_ECP_DP_SECP256R1);
    if (e == 0) e = mbedtls_ecp_point_read_binary(group, key, point, 65);
    if (e == 0) e = mbedtls_ecp_check_pubkey(group, key);
    if (e == 0) e = mbedtls_mpi_read_binary(r, sig, 32);
    if (e == 0) e = mbedtls_mpi_read_binary(s, sig + 32, 32);
    return e == 0 ? mbedtls_ecdsa_verify(group, hash, 32, key, r, s) : e;
}

int ipa_ecdsa_p256_verify(const uint8_t point[65], const uint8_t hash[32], const uint8_t sig[64], void *scratch, size_t scratch_len) {
    struct ipa_tls_heap heap;
    mbedtls_ecp_group group;
    mbedtls_ecp_point key;
    mbedtls_mpi r, s;
    if (ipa_tls_heap_init(&heap, scratch, scratch_len) != IPA_OK) return IPA_ERR_NO_MEM;
    struct ipa_tls_heap *before = ipa_tls_heap_use(&heap);
    mbedtls_ecp_group_init(&group);
    mbedtls_ecp_point_init(&key);
    mbedtls_mpi_init(&r);
    mbedtls_mpi_init(&s);
    int e = verify(&group, &key, &r, &s, point, hash, sig);
    mbedtls_mpi_free(&s);
    mbedtls_mpi_free(&r);
    mbedtls_ecp_point_free(&key);
    mbedtls_ecp_group_free(&group);
    ipa_tls_heap_use(before);
    return e == 0 ? IPA_OK : e == MBEDTLS_ERR_MPI_ALLOC_FAILED || e == MBEDTLS_ERR_ECP_ALLOC_FAILED ? IPA_ERR_NO_MEM : IPA_ERR_TRUST;
}
