/* The signed container of the agent: host/README.md, "Signed container". Everything here reads it where it lies, in flash. */
#ifndef IPA_CONTAINER_H
#define IPA_CONTAINER_H

#include <stddef.h>
#include <stdint.h>

#include "ipa/ipa.h"
#include "wasm.h"

struct ipa_image {
    struct ipa_wasm_image wasm;
    uint32_t version;        /* of the agent; compared as a number */
    uint32_t key_id;
    const uint8_t *at;       /* the container */
    uint32_t header_len;
    uint32_t len;
};

/* Reads the header and checks its form; nothing of what it says is trusted yet. IPA_ERR_IMAGE_MAGIC, _FORMAT, _ABI. */
int ipa_container_read(struct ipa_image *out, const uint8_t *at, size_t len);
/* Checks hash and signature. scratch: see crypto.h. IPA_ERR_IMAGE_KEY, _HASH, _SIGNATURE, IPA_ERR_NO_MEM. */
int ipa_container_verify(const struct ipa_image *image, const struct ipa_image_key *keys, size_t key_count, void *scratch, size_t scratch_len);

#endif
