/* Signed containers for tests, made as host/README.md says, with a key pair drawn from a seed. */
#ifndef IMAGE_MAKER_H
#define IMAGE_MAKER_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "link/tls_heap.h"
#include "mbedtls/ecdsa.h"
#include "mbedtls/sha256.h"

enum { IMAGE_HEADER = 72 + 12 + 4 + 64, IMAGE_KEY_ID = 7 };

struct image_maker {
    mbedtls_ecp_group group;
    mbedtls_mpi d;
    mbedtls_ecp_point q;
    uint8_t point[65];
    uint64_t heap[2048];
    struct ipa_tls_heap tls;
    uint32_t seed;
};

static int image_random(void *ctx, unsigned char *p, size_t len) {
    struct image_maker *maker = ctx;
    while (len-- > 0) {
        maker->seed = maker->seed * 1664525u + 1013904223u;
        *p++ = (unsigned char)(maker->seed >> 24);
    }
    return 0;
}

static inline void image_maker_init(struct image_maker *maker, uint32_t seed) {
    size_t len = 0;
    memset(maker, 0, sizeof *maker);
    maker->seed = seed;
    ipa_tls_heap_init(&maker->tls, maker->heap, sizeof maker->heap);
    ipa_tls_heap_use(&maker->tls);
    mbedtls_ecp_group_init(&maker->group);
    mbedtls_mpi_init(&maker->d);
    mbedtls_ecp_point_init(&maker->q);
    mbedtls_ecp_group_load(&maker->group, MBEDTLS_ECP_DP_SECP256R1);
    mbedtls_ecp_gen_keypair(&maker->group, &maker->d, &maker->q, image_random, maker);
    mbedtls_ecp_point_write_binary(&maker->group, &maker->q, MBEDTLS_ECP_PF_UNCOMPRESSED, &len, maker->point, sizeof maker->point);
    ipa_tls_heap_use(NULL);
}

static void image_put32(uint8_t *p, uint32_t value) {
    for (int i = 0; i < 4; i++) p[i] = (uint8_t)(value >> 8 * i);
}

/* Hash and signature anew, after the test changed something. */
static inline void image_sign(struct image_maker *maker, uint8_t *at, size_t len) {
    size_t header = at[6] | (size_t)at[7] << 8;
    uint8_t hash[32];
    mbedtls_mpi r, s;
    mbedtls_sha256(at + header, len - header, at + 32, 0);
    mbedtls_sha256(at, header - 64, hash, 0);
    ipa_tls_heap_use(&maker->tls);
    mbedtls_mpi_init(&r);
    mbedtls_mpi_init(&s);
    mbedtls_ecdsa_sign(&maker->group, &r, &s, &maker->d, hash, sizeof hash, image_random, maker);
    mbedtls_mpi_write_binary(&r, at + header - 64, 32);
    mbedtls_mpi_write_binary(&s, at + header - 32, 32);
    mbedtls_mpi_free(&r);
    mbedtls_mpi_free(&s);
    ipa_tls_heap_use(NULL);
}

/* A container with the wasm and, where there is one, its side table; its length. */
static inline size_t image_make_with(struct image_maker *maker, uint8_t *at, uint32_t version, uint32_t memory_len, const uint8_t *wasm, size_t wasm_len, const uint8_t *side, size_t side_len) {
    size_t count = side_len > 0 ? 2 : 1, header = ((72 + 12 * count + 7) & ~(size_t)7) + 64;
    size_t side_at = (header + wasm_len + 7) & ~(size_t)7, len = side_len > 0 ? side_at + side_len : header + wasm_len;
    memset(at, 0, len);
    memcpy(at, "tIPA", 4);
    at[4] = 1;
    at[6] = (uint8_t)header;
    const uint32_t words[] = { (uint32_t)len, 0x10000, version, memory_len, 2048, IMAGE_KEY_ID };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) image_put32(at + 8 + 4 * i, words[i]);
    const uint32_t sections[] = { 1, (uint32_t)header, (uint32_t)wasm_len, 2, (uint32_t)side_at, (uint32_t)side_len };
    image_put32(at + 64, (uint32_t)count);
    for (size_t i = 0; i < 3 * count; i++) image_put32(at + 72 + 4 * i, sections[i]);
    memcpy(at + header, wasm, wasm_len);
    if (side_len > 0) memcpy(at + side_at, side, side_len);
    image_sign(maker, at, len);
    return len;
}

/* A container with one section, the wasm; its length. */
static inline size_t image_make(struct image_maker *maker, uint8_t *at, uint32_t version, uint32_t memory_len, const uint8_t *wasm, size_t wasm_len) {
    return image_make_with(maker, at, version, memory_len, wasm, wasm_len, NULL, 0);
}

/* The built agent; its length, 0 when it is not there (run in the checkout, after a build). */
static inline size_t image_read_agent(uint8_t *at, size_t cap) {
    FILE *file = fopen("dist/tinyipa.wasm", "rb");
    size_t len = file == NULL ? 0 : fread(at, 1, cap, file);
    if (file != NULL) fclose(file);
    return len;
}

#endif
