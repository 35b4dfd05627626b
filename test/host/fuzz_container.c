/*
 * Fuzz target of host/src/container.c: any octets, and a good container with some octets changed. Nothing outside the octets
 * is read (AddressSanitizer), every section lies inside, and nothing that was changed is taken for signed. Hash and signature are
 * stand-ins, a million times as fast: Mbed TLS is not what is tried here (test_container.c has the real ones).
 * sources: host/src/container.c
 */
#include <stdlib.h>
#include <string.h>

#include "puppet.h"
#include "src/container.h"
#include "src/crypto.h"

enum { HEADER = 72 + 2 * 12 + 64, LEN = HEADER + 8 + sizeof puppet_wasm };

static uint8_t good[LEN];

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int ipa_sha256(const uint8_t *p, size_t len, uint8_t hash[32]) {
    uint64_t state = 14695981039346656037u;
    while (len-- > 0) state = (state ^ *p++) * 1099511628211u;
    for (int i = 0; i < 32; i++) hash[i] = (uint8_t)(state >> i % 8 * 8);
    return IPA_OK;
}

int ipa_ecdsa_p256_verify(const uint8_t point[65], const uint8_t hash[32], const uint8_t sig[64], void *scratch, size_t scratch_len) {
    (void)scratch, (void)scratch_len;
    return memcmp(sig, hash, 32) == 0 && memcmp(sig + 32, point + 1, 32) == 0 ? IPA_OK : IPA_ERR_TRUST;
}

static void put32(uint8_t *p, uint32_t value) {
    for (int i = 0; i < 4; i++) p[i] = (uint8_t)(value >> 8 * i);
}

/* A side table of 5 octets, and the puppet. */
int LLVMFuzzerInitialize(int *argc, char ***argv) {
    static const uint32_t words[][2] = { { 8, LEN }, { 12, 0x10000 }, { 16, 3 }, { 20, 4096 }, { 24, 2048 }, { 28, 7 }, { 64, 2 }, { 72, 2 }, { 76, HEADER }, { 80, 5 }, { 84, 1 }, { 88, HEADER + 8 }, { 92, sizeof puppet_wasm } };
    (void)argc, (void)argv;
    memcpy(good, "tIPA", 4);
    good[4] = 1;
    good[6] = HEADER;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) put32(good + words[i][0], words[i][1]);
    memcpy(good + HEADER + 8, puppet_wasm, sizeof puppet_wasm);
    ipa_sha256(good + HEADER, LEN - HEADER, good + 32);
    ipa_sha256(good, HEADER - 64, good + HEADER - 64);
    memset(good + HEADER - 32, 0x55, 32);
    return 0;
}

static void is_inside(const uint8_t *p, size_t p_len, const uint8_t *at, size_t len) {
    if (p != NULL && (p < at || p_len == 0 || p_len > len || (size_t)(p - at) > len - p_len)) abort();
}

/* Reads it from memory of just its size; 1 when it is taken for signed. */
static int take(const uint8_t *p, size_t len) {
    struct ipa_image image;
    uint8_t point[65];
    const struct ipa_image_key key = { 7, point };
    uint8_t *exact = malloc(len > 0 ? len : 1);
    if (exact == NULL) return 0;
    memset(point, 0x55, sizeof point);
    if (len > 0) memcpy(exact, p, len);
    int r = ipa_container_read(&image, exact, len);
    if (r == IPA_OK) {
        is_inside(image.wasm.wasm, image.wasm.wasm_len, exact, len);
        is_inside(image.wasm.side, image.wasm.side_len, exact, len);
        if (image.wasm.wasm == NULL || image.len > len) abort();
        r = ipa_container_verify(&image, &key, 1, NULL, 0);
    }
    free(exact);
    return r == IPA_OK;
}

/* Triples: offset (2), value (1). */
static void change(uint8_t *container, const uint8_t *data, size_t size) {
    for (; size >= 3; data += 3, size -= 3) container[(data[0] | data[1] << 8) % LEN] = data[2];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t container[LEN];
    if (size == 0) return 0;
    if (data[0] % 4 == 0) {
        (void)take(data + 1, size - 1);
        return 0;
    }
    memcpy(container, good, LEN);
    change(container, data + 1, size - 1);
    size_t len = data[0] % 4 == 1 ? (size_t)data[0] / 4 * 7 % (LEN + 1) : LEN;
    int same = len == LEN && memcmp(container, good, LEN) == 0;
    if (take(container, len) != same) abort();
    /* Signed by who has the key: the form is all that protects. */
    if (len < LEN) return 0;
    if (container[6] == HEADER && container[7] == 0) {
        ipa_sha256(container + HEADER, LEN - HEADER, container + 32);
        ipa_sha256(container, HEADER - 64, container + HEADER - 64);
        memset(container + HEADER - 32, 0x55, 32);
    }
    (void)take(container, len);
    return 0;
}
