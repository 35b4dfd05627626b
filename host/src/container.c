/*
 * The signed container (host/README.md, "Signed container"): form, hash, signature. The engine sees no octet of it before
 * ipa_container_verify has said IPA_OK. Which slot runs, and what is too old, is agent.c's.
 */
#include "container.h"

#include <string.h>

#include "abi.h"
#include "crypto.h"

enum { SECTIONS = 72, SECTION = 12, SIGNATURE = 64, MOST_SECTIONS = 8, PAGE = 65536 };
enum { SECTION_WASM = 1, SECTION_SIDE_TABLE = 2 };

static const uint8_t magic[4] = { 't', 'I', 'P', 'A' };

static uint32_t get32(const uint8_t *p) {
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Takes one entry of the section table: inside the body, aligned to 8; a kind that this firmware doesn't know is passed over. */
static int take_section(struct ipa_image *out, const uint8_t *entry) {
    uint32_t kind = get32(entry), off = get32(entry + 4), len = get32(entry + 8);
    if (off % 8 != 0 || off < out->header_len || off > out->len || len > out->len - off) return IPA_ERR_IMAGE_FORMAT;
    const uint8_t **at = kind == SECTION_WASM ? &out->wasm.wasm : &out->wasm.side;
    if (kind != SECTION_WASM && kind != SECTION_SIDE_TABLE) return IPA_OK;
    if (*at != NULL || len == 0) return IPA_ERR_IMAGE_FORMAT;
    *at = out->at + off;
    *(kind == SECTION_WASM ? &out->wasm.wasm_len : &out->wasm.side_len) = len;
    return IPA_OK;
}

int ipa_container_read(struct ipa_image *out, const uint8_t *at, size_t len) {
    memset(out, 0, sizeof *out);
    if (at == NULL || len < sizeof magic || memcmp(at, magic, sizeof magic) != 0) return IPA_ERR_IMAGE_MAGIC;
    if (len < SECTIONS + SECTION + SIGNATURE || (at[4] | at[5] << 8) != 1) return IPA_ERR_IMAGE_FORMAT;
    uint32_t count = get32(at + 64), abi = get32(at + 12);
    out->at = at;
    out->header_len = at[6] | (uint32_t)at[7] << 8;
    out->len = get32(at + 8);
    out->version = get32(at + 16);
    out->wasm.memory_len = get32(at + 20);
    out->wasm.stack_len = get32(at + 24);
    out->key_id = get32(at + 28);
    if (count == 0 || count > MOST_SECTIONS || out->header_len != ((SECTIONS + count * SECTION + 7) & ~7u) + SIGNATURE) return IPA_ERR_IMAGE_FORMAT;
    if (out->len > len || out->len < out->header_len || get32(at + 68) != 0) return IPA_ERR_IMAGE_FORMAT;
    if (out->wasm.memory_len == 0 || out->wasm.memory_len > PAGE || out->wasm.stack_len > PAGE) return IPA_ERR_IMAGE_FORMAT;
    for (uint32_t i = 0; i < count; i++) {
        int r = take_section(out, at + SECTIONS + i * SECTION);
        if (r < 0) return r;
    }
    if (out->wasm.wasm == NULL) return IPA_ERR_IMAGE_FORMAT;
    return abi >> 16 == IPA_ABI_VERSION >> 16 && abi <= IPA_ABI_VERSION ? IPA_OK : IPA_ERR_IMAGE_ABI;
}

int ipa_container_verify(const struct ipa_image *image, const struct ipa_image_key *keys, size_t key_count, void *scratch, size_t scratch_len) {
    uint8_t hash[32];
    size_t key = 0;
    while (key < key_count && keys[key].id != image->key_id) key++;
    if (key == key_count) return IPA_ERR_IMAGE_KEY;
    int r = ipa_sha256(image->at + image->header_len, image->len - image->header_len, hash);
    if (r < 0) return r;
    if (memcmp(hash, image->at + 32, sizeof hash) != 0) return IPA_ERR_IMAGE_HASH;
    const uint8_t *signature = image->at + image->header_len - SIGNATURE;
    r = ipa_sha256(image->at, image->header_len - SIGNATURE, hash);
    if (r == IPA_OK) r = ipa_ecdsa_p256_verify(keys[key].point, hash, signature, scratch, scratch_len);
    return r == IPA_OK || r == IPA_ERR_NO_MEM ? r : IPA_ERR_IMAGE_SIGNATURE;
}
