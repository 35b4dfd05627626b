/*
 * Memory of Mbed TLS (host/link/tls_heap.h), and trust anchors as the eIM configuration has them (host/link/trust.h; sgp32-types 4.2).
 *
 * sources: host/link/tls_heap.c host/link/trust.c
 */
#include "check.h"

#include <stdlib.h>

#include "ipa/err.h"
#include "link/tls_heap.h"
#include "link/trust.h"

static uint8_t memory[4096];
static struct ipa_tls_heap heap;

TEST(heap_gives_zeroed_aligned_memory_inside_its_buffer) {
    memset(memory, 0xAA, sizeof memory);
    CHECK_INT(ipa_tls_heap_init(&heap, memory + 3, sizeof memory - 3), IPA_OK);
    ipa_tls_heap_use(&heap);
    uint8_t *p = ipa_tls_calloc(3, 33);
    CHECK(p >= memory && p + 99 <= memory + sizeof memory && (uintptr_t)p % 8 == 0);
    for (int i = 0; i < 99; i++) CHECK(p[i] == 0);
    ipa_tls_free(p);
    CHECK_INT(heap.used, 0);
    CHECK(heap.peak >= 99);
}

TEST(heap_joins_what_is_freed_in_any_order) {
    unsigned seed = 7;
    void *p[16] = {0};
    CHECK_INT(ipa_tls_heap_init(&heap, memory, sizeof memory), IPA_OK);
    for (int turn = 0; turn < 5000; turn++) {
        unsigned slot = (seed = seed * 1103515245u + 12345u) >> 16 & 15, size = (seed >> 8 & 255) + 1;
        if (p[slot] != NULL) {
            CHECK(((uint8_t *)p[slot])[0] == slot);
            ipa_tls_free(p[slot]);
            p[slot] = NULL;
        } else if ((p[slot] = ipa_tls_calloc(1, size)) != NULL) {
            memset(p[slot], (int)slot, size);
        }
    }
    for (int i = 0; i < 16; i++) ipa_tls_free(p[i]);
    CHECK_INT(heap.used, 0);
    CHECK(ipa_tls_calloc(1, sizeof memory - 64) != NULL);
}

TEST(heap_refuses_what_it_has_not) {
    CHECK_INT(ipa_tls_heap_init(&heap, memory, sizeof memory), IPA_OK);
    CHECK(ipa_tls_calloc(1, sizeof memory) == NULL);
    CHECK(ipa_tls_calloc(SIZE_MAX / 2, 3) == NULL);
    CHECK(ipa_tls_calloc(0, 8) == NULL);
    CHECK_INT(ipa_tls_heap_init(&heap, memory, 8), IPA_ERR_NO_MEM);
    ipa_tls_free(NULL);
    ipa_tls_heap_use(NULL);
    CHECK(ipa_tls_calloc(1, 8) == NULL);
}

TEST(heap_overwrites_what_is_freed) {
    CHECK_INT(ipa_tls_heap_init(&heap, memory, sizeof memory), IPA_OK);
    CHECK(ipa_tls_heap_use(&heap) == NULL);
    uint8_t *secret = ipa_tls_calloc(1, 32);
    memset(secret, 0x5A, 32);
    ipa_tls_free(secret);
    for (int i = 0; i < 32; i++) CHECK(secret[i] == 0);
}

/* SPKI {30 02 05 00, 03 01 00}; certificate {30 .., 30 .., 03 ..}, as far as their shape is looked at. */
static const uint8_t key[] = {0x30, 0x02, 0x05, 0x00, 0x03, 0x01, 0x00};
static const uint8_t certificate[] = {0x30, 0x00, 0x30, 0x02, 0x05, 0x00, 0x03, 0x01, 0x00};

static int read(const char *hex, struct ipa_trust *trust) {
    static uint8_t data[64];
    size_t len = 0;
    for (unsigned octet; sscanf(hex, "%2x", &octet) == 1; hex += 2) data[len++] = (uint8_t)octet;
    uint8_t *exact = malloc(len == 0 ? 1 : len);
    memcpy(exact, data, len);
    int err = ipa_trust_read(trust, exact, len);
    if (err == IPA_OK) trust->content = data + (trust->content - exact);
    free(exact);
    return err;
}

TEST(trust_is_read_from_all_four_forms) {
    struct ipa_trust t;
    CHECK_INT(read("a609a00730020500030100", &t), IPA_OK);
    CHECK_INT(t.kind, IPA_TRUST_KEY);
    CHECK_BYTES(t.content, t.len, key, sizeof key);
    CHECK_INT(read("a60ba009300730020500030100", &t), IPA_OK);
    CHECK_INT(t.kind, IPA_TRUST_KEY);
    CHECK_BYTES(t.content, t.len, key, sizeof key);
    CHECK_INT(read("a609300730020500030100", &t), IPA_OK);
    CHECK_INT(t.kind, IPA_TRUST_KEY);
    CHECK_INT(read("a60ba109300030020500030100", &t), IPA_OK);
    CHECK_INT(t.kind, IPA_TRUST_CERTIFICATE);
    CHECK_BYTES(t.content, t.len, certificate, sizeof certificate);
    CHECK_INT(read("a60da10b3009300030020500030100", &t), IPA_OK);
    CHECK_INT(t.kind, IPA_TRUST_CERTIFICATE);
    CHECK_BYTES(t.content, t.len, certificate, sizeof certificate);
    CHECK_INT(read("a60b3009300030020500030100", &t), IPA_OK);
    CHECK_INT(t.kind, IPA_TRUST_CERTIFICATE);
}

TEST(trust_refuses_every_truncation_and_what_it_does_not_know) {
    struct ipa_trust t;
    char hex[64];
    for (size_t cut = 0; cut < 22; cut += 2) {
        snprintf(hex, sizeof hex, "%.*s", (int)cut, "a609a00730020500030100");
        CHECK_INT(read(hex, &t), IPA_ERR_TRUST_FORM);
    }
    CHECK_INT(read("a609a00730020500030100aa", &t), IPA_ERR_TRUST_FORM);
    CHECK_INT(read("a609a20730020500030100", &t), IPA_ERR_TRUST_FORM);     /* A2 */
    CHECK_INT(read("a609a10730020500030100", &t), IPA_ERR_TRUST_FORM);     /* a key as certificate */
    CHECK_INT(read("a60ba009300030020500030100", &t), IPA_ERR_TRUST_FORM); /* a certificate as key */
    CHECK_INT(read("a602a000", &t), IPA_ERR_TRUST_FORM);
    CHECK_INT(read("a600", &t), IPA_ERR_TRUST_FORM);
}

int main(void) {
    RUN(heap_gives_zeroed_aligned_memory_inside_its_buffer);
    RUN(heap_joins_what_is_freed_in_any_order);
    RUN(heap_refuses_what_it_has_not);
    RUN(heap_overwrites_what_is_freed);
    RUN(trust_is_read_from_all_four_forms);
    RUN(trust_refuses_every_truncation_and_what_it_does_not_know);
    return check_end();
}
