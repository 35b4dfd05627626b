/*
 * Unit tests of host/src/container.c: every way in which a container can be wrong has its code.
 * sources: host/src/container.c host/src/crypto_mbedtls.c host/link/tls_heap.c
 * needs: mbedtls
 * flags: -DIPA_CFG_DTLS=0 -DIPA_CFG_TLS=0
 */
#include <stdlib.h>

#include "check.h"
#include "image_maker.h"
#include "puppet.h"
#include "src/container.h"
#include "src/crypto.h"

enum { LEN = IMAGE_HEADER + sizeof puppet_wasm };

static struct image_maker maker, stranger;
static struct ipa_image_key keys[2];
static uint64_t scratch[1024];
static uint8_t good[LEN], bad[LEN + 64];

/* Made by host/tool/container.ts (key and signature by OpenSSL, through Node) over the puppet, version 1.2.3; a throw-away key. */
static const uint8_t node_point[65] = {
    0x04, 0x3e, 0xfb, 0x2a, 0x1c, 0x14, 0xba, 0x80, 0x01, 0x33, 0x0b, 0x63, 0xbb, 0x75, 0xae, 0x89, 0xca, 0x82, 0xcf, 0x5d, 0xcf, 0xe4, 0x98, 0xc2,
    0x72, 0xed, 0xaf, 0x05, 0x1d, 0xc3, 0x66, 0xdb, 0x02, 0x61, 0xf3, 0x5b, 0x42, 0xa6, 0x7c, 0xee, 0x46, 0x76, 0x17, 0x8e, 0xb0, 0x76, 0xa1, 0x8f,
    0xa3, 0x56, 0xc2, 0xf1, 0x27, 0xa9, 0x1d, 0x21, 0x02, 0x3b, 0x89, 0x10, 0xfe, 0x29, 0x3f, 0xb2, 0x7c,
};
static const uint8_t node_header[IMAGE_HEADER] = {
    0x74, 0x49, 0x50, 0x41, 0x01, 0x00, 0x98, 0x00, 0x84, 0x01, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x03, 0x00, 0x02, 0x01, 0x00, 0x10, 0x00, 0x00,
    0x00, 0x08, 0x00, 0x00, 0x0e, 0x0f, 0x1b, 0x19, 0x7b, 0x17, 0xb6, 0xa4, 0x71, 0xa8, 0x5e, 0xf1, 0x7c, 0x57, 0x17, 0x7b, 0x43, 0xbb, 0xa0, 0xfe,
    0x73, 0x5f, 0x94, 0xc4, 0x51, 0x37, 0x56, 0x4a, 0xc8, 0xf5, 0x6c, 0x36, 0x82, 0x47, 0x69, 0xc7, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x01, 0x00, 0x00, 0x00, 0x98, 0x00, 0x00, 0x00, 0xec, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xa6, 0xa0, 0xb7, 0x67, 0x6d, 0xf0, 0x4e, 0xa7,
    0x7a, 0x1b, 0x4c, 0x63, 0xec, 0x1b, 0x02, 0x2a, 0xa9, 0x62, 0x84, 0x85, 0xa1, 0xde, 0x4c, 0x5c, 0xf9, 0x27, 0x1e, 0xe0, 0x24, 0xeb, 0x4c, 0x1d,
    0x8d, 0x45, 0xb4, 0xae, 0x66, 0x67, 0xcd, 0xfd, 0x32, 0x54, 0xe3, 0xfe, 0x8e, 0x00, 0x53, 0x38, 0xe9, 0x29, 0x58, 0x97, 0xb1, 0x1c, 0x14, 0x3e,
    0x7a, 0xb2, 0x90, 0x40, 0x70, 0x85, 0xa1, 0x71,
};

static int check(const uint8_t *at, size_t len) {
    struct ipa_image image;
    int r = ipa_container_read(&image, at, len);
    return r < 0 ? r : ipa_container_verify(&image, keys, 2, scratch, sizeof scratch);
}

static uint8_t *mutant(void) {
    memcpy(bad, good, LEN);
    return bad;
}

/* A header that says `value` at `off`, signed all the same: only its form can be refused. */
static int signed_with(uint32_t off, uint32_t value) {
    image_put32(mutant() + off, value);
    image_sign(&maker, bad, LEN);
    return check(bad, LEN);
}

TEST(a_good_container_says_what_is_in_it) {
    struct ipa_image image;
    CHECK_INT(check(good, LEN), IPA_OK);
    CHECK_INT(ipa_container_read(&image, good, LEN), IPA_OK);
    CHECK_INT(image.version, 3);
    CHECK_INT(image.wasm.memory_len, PUPPET_MEMORY);
    CHECK_INT(image.wasm.stack_len, 2048);
    CHECK(image.wasm.wasm == good + IMAGE_HEADER);
    CHECK_INT(image.wasm.wasm_len, sizeof puppet_wasm);
    CHECK(image.wasm.side == NULL);
}

TEST(a_container_of_the_tool_is_the_same_format) {
    struct ipa_image image;
    memcpy(bad, node_header, sizeof node_header);
    memcpy(bad + IMAGE_HEADER, puppet_wasm, sizeof puppet_wasm);
    CHECK_INT(ipa_container_read(&image, bad, LEN), IPA_OK);
    CHECK_INT(image.version, 0x01020003);
    CHECK_INT(image.wasm.memory_len, PUPPET_MEMORY);
    struct ipa_image_key key = { image.key_id, node_point };
    CHECK_INT(ipa_container_verify(&image, &key, 1, scratch, sizeof scratch), IPA_OK);
    CHECK_INT(check(bad, LEN), IPA_ERR_IMAGE_KEY);
}

TEST(octets_behind_it_do_not_matter_for_a_slot_is_larger) {
    memset(bad, 0xFF, sizeof bad);
    memcpy(bad, good, LEN);
    CHECK_INT(check(bad, sizeof bad), IPA_OK);
}

TEST(an_empty_slot_has_no_magic) {
    memset(bad, 0xFF, sizeof bad);
    CHECK_INT(check(bad, sizeof bad), IPA_ERR_IMAGE_MAGIC);
    CHECK_INT(check(bad, 0), IPA_ERR_IMAGE_MAGIC);
    CHECK_INT(check(NULL, 100), IPA_ERR_IMAGE_MAGIC);
    CHECK_INT(check(good, 3), IPA_ERR_IMAGE_MAGIC);
}

TEST(every_truncation_is_refused_by_its_form) {
    for (size_t len = 4; len < LEN; len++) {
        uint8_t *exact = malloc(len);   /* so that a read behind it is seen */
        memcpy(exact, good, len);
        CHECK_INT(check(exact, len), IPA_ERR_IMAGE_FORMAT);
        free(exact);
    }
}

TEST(every_turned_bit_is_refused) {
    for (size_t bit = 0; bit < LEN * 8; bit++) {
        int r;
        mutant()[bit / 8] ^= (uint8_t)(1u << bit % 8);
        /* The signature takes a while: every bit of the header's form, some of the rest. */
        if (bit > 84 * 8 && bit % 37 != 0) continue;
        r = check(bad, LEN);
        size_t at = bit / 8;
        if (at < 4) CHECK_INT(r, IPA_ERR_IMAGE_MAGIC);
        else if (at >= 28 && at < 32) CHECK_INT(r, IPA_ERR_IMAGE_KEY);
        else if (at >= 32 && at < 64) CHECK_INT(r, IPA_ERR_IMAGE_HASH);
        else if (at >= IMAGE_HEADER) CHECK_INT(r, IPA_ERR_IMAGE_HASH);
        else if (at >= 84) CHECK_INT(r, IPA_ERR_IMAGE_SIGNATURE);
        else CHECK(r == IPA_ERR_IMAGE_FORMAT || r == IPA_ERR_IMAGE_ABI || r == IPA_ERR_IMAGE_SIGNATURE || r == IPA_ERR_IMAGE_HASH);
    }
}

TEST(form_is_checked_although_it_is_signed) {
    CHECK_INT(signed_with(4, 2 | (uint32_t)IMAGE_HEADER << 16), IPA_ERR_IMAGE_FORMAT);   /* format version */
    CHECK_INT(signed_with(8, LEN + 1), IPA_ERR_IMAGE_FORMAT);
    CHECK_INT(signed_with(8, IMAGE_HEADER - 1), IPA_ERR_IMAGE_FORMAT);
    CHECK_INT(signed_with(20, 0), IPA_ERR_IMAGE_FORMAT);
    CHECK_INT(signed_with(20, 65537), IPA_ERR_IMAGE_FORMAT);
    CHECK_INT(signed_with(24, 65537), IPA_ERR_IMAGE_FORMAT);
    CHECK_INT(signed_with(64, 0), IPA_ERR_IMAGE_FORMAT);
    CHECK_INT(signed_with(64, 2), IPA_ERR_IMAGE_FORMAT);
    CHECK_INT(signed_with(64, 0x10000001), IPA_ERR_IMAGE_FORMAT);
    CHECK_INT(signed_with(68, 1), IPA_ERR_IMAGE_FORMAT);
    CHECK_INT(signed_with(72, 2), IPA_ERR_IMAGE_FORMAT);                /* a side table, but no wasm */
    CHECK_INT(signed_with(72, 9), IPA_ERR_IMAGE_FORMAT);
    CHECK_INT(signed_with(76, IMAGE_HEADER + 4), IPA_ERR_IMAGE_FORMAT);
    CHECK_INT(signed_with(76, IMAGE_HEADER - 8), IPA_ERR_IMAGE_FORMAT);
    CHECK_INT(signed_with(76, 0xFFFFFFF8), IPA_ERR_IMAGE_FORMAT);
    CHECK_INT(signed_with(80, sizeof puppet_wasm + 1), IPA_ERR_IMAGE_FORMAT);
    CHECK_INT(signed_with(80, 0xFFFFFFFF), IPA_ERR_IMAGE_FORMAT);
    CHECK_INT(signed_with(80, 0), IPA_ERR_IMAGE_FORMAT);
}

TEST(another_abi_is_refused) {
    CHECK_INT(signed_with(12, 0x20000), IPA_ERR_IMAGE_ABI);
    CHECK_INT(signed_with(12, 0x10001), IPA_ERR_IMAGE_ABI);
    CHECK_INT(signed_with(12, 0x00001), IPA_ERR_IMAGE_ABI);
}

TEST(a_stranger_s_signature_does_not_hold) {
    CHECK_INT(signed_with(28, 8), IPA_ERR_IMAGE_SIGNATURE);   /* says the other key, signed by the first */
    CHECK_INT(signed_with(28, 9), IPA_ERR_IMAGE_KEY);
    image_sign(&stranger, mutant(), LEN);
    CHECK_INT(check(bad, LEN), IPA_ERR_IMAGE_SIGNATURE);
    image_put32(mutant() + 28, 8);
    image_sign(&stranger, bad, LEN);
    CHECK_INT(check(bad, LEN), IPA_OK);
}

TEST(r_and_s_out_of_range_do_not_hold) {
    memset(mutant() + IMAGE_HEADER - 64, 0, 64);
    CHECK_INT(check(bad, LEN), IPA_ERR_IMAGE_SIGNATURE);
    memset(bad + IMAGE_HEADER - 64, 0xFF, 64);
    CHECK_INT(check(bad, LEN), IPA_ERR_IMAGE_SIGNATURE);
}

TEST(a_key_off_the_curve_verifies_nothing) {
    uint8_t point[65];
    struct ipa_image image;
    memcpy(point, maker.point, sizeof point);
    point[64] ^= 1;
    struct ipa_image_key key = { IMAGE_KEY_ID, point };
    CHECK_INT(ipa_container_read(&image, good, LEN), IPA_OK);
    CHECK_INT(ipa_container_verify(&image, &key, 1, scratch, sizeof scratch), IPA_ERR_IMAGE_SIGNATURE);
}

TEST(scratch_that_is_too_small_is_named) {
    struct ipa_image image;
    size_t enough = 0;
    CHECK_INT(ipa_container_read(&image, good, LEN), IPA_OK);
    for (size_t len = 0; len <= sizeof scratch && enough == 0; len += 64) {
        int r = ipa_container_verify(&image, keys, 2, scratch, len);
        if (r == IPA_OK) enough = len;
        else CHECK_INT(r, IPA_ERR_NO_MEM);
    }
    printf("# verification takes %zu octets of scratch here\n", enough);
    CHECK(enough > 0 && enough <= 8192);
}

int main(void) {
    image_maker_init(&maker, 1);
    image_maker_init(&stranger, 2);
    keys[0] = (struct ipa_image_key){ IMAGE_KEY_ID, maker.point };
    keys[1] = (struct ipa_image_key){ 8, stranger.point };
    image_make(&maker, good, 3, PUPPET_MEMORY, puppet_wasm, sizeof puppet_wasm);
    RUN(a_good_container_says_what_is_in_it);
    RUN(a_container_of_the_tool_is_the_same_format);
    RUN(octets_behind_it_do_not_matter_for_a_slot_is_larger);
    RUN(an_empty_slot_has_no_magic);
    RUN(every_truncation_is_refused_by_its_form);
    RUN(every_turned_bit_is_refused);
    RUN(form_is_checked_although_it_is_signed);
    RUN(another_abi_is_refused);
    RUN(a_stranger_s_signature_does_not_hold);
    RUN(r_and_s_out_of_range_do_not_hold);
    RUN(a_key_off_the_curve_verifies_nothing);
    RUN(scratch_that_is_too_small_is_named);
    return check_end();
}
