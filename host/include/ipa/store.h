/*
 * Door to flash, for the journal (host/store/flash_journal.c): two or more blocks that are erased whole and programmed in
 * units. Power may go in any program or erase. read, prog and erase are done when they return: the internal flash of an MCU is.
 */
#ifndef IPA_STORE_H
#define IPA_STORE_H

#include <stddef.h>
#include <stdint.h>

struct ipa_store {
    int (*read)(void *ctx, uint32_t block, uint32_t off, void *p, size_t len);
    /* off and len are multiples of prog_size; the area was erased and not programmed since. */
    int (*prog)(void *ctx, uint32_t block, uint32_t off, const void *p, size_t len);
    int (*erase)(void *ctx, uint32_t block);
    int (*sync)(void *ctx);      /* may be NULL */
    void *ctx;
    uint32_t prog_size;          /* 1, 2, 4, 8 or 16 */
    uint32_t block_size;
    uint32_t block_count;        /* 2 or more */
    uint8_t erased;              /* what erased flash reads: 0xFF nearly everywhere */
};

#endif
