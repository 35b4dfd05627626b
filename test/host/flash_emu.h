/*
 * Emulated flash behind struct ipa_store, strict about its rules, with faults by name:
 *
 *   flash_cut_at(flash, n, how)   power goes at the n-th program or erase from now on: before it, in the middle of it, or after it
 *   flash_rot(flash, ...)         one bit turns
 *   flash_wear_out(flash, block)  the block no longer erases
 *   flash_misprogram(flash, n)    the n-th program from now on takes only in part, and says nothing
 *
 * After a cut every call fails until flash_power_on. What a torn program or erase leaves is drawn from the seed, octet by
 * octet: what was there, what should be there, or anything.
 */
#ifndef FLASH_EMU_H
#define FLASH_EMU_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ipa/err.h"
#include "ipa/store.h"

enum { FLASH_MAX = 1 << 17, FLASH_BLOCKS = 64 };
enum flash_cut { FLASH_CUT_BEFORE, FLASH_CUT_TORN, FLASH_CUT_AFTER, FLASH_CUTS };
enum { FLASH_NO_POWER = IPA_ERR_DRIVER - 1, FLASH_RULE_BROKEN = IPA_ERR_DRIVER - 2 };

struct flash {
    uint32_t block_size, block_count, prog_size;
    uint8_t erased;
    uint8_t bytes[FLASH_MAX];
    uint8_t programmed[FLASH_MAX];   /* by octet, since the last erase */
    uint32_t erases[FLASH_BLOCKS];
    uint32_t programs, octets;       /* programs, and octets programmed */
    uint32_t ops;                    /* programs and erases */
    uint32_t cut_op;
    enum flash_cut how;
    int off;
    int rules_broken;
    int32_t worn;                    /* block, or -1 */
    uint32_t misprogram;             /* programs until the one that takes in part, 0: none */
    uint32_t seed;
};

static uint32_t flash_draw(struct flash *flash) {
    flash->seed = flash->seed * 1664525u + 1013904223u;
    return flash->seed >> 16;
}

static inline void flash_init(struct flash *flash, uint32_t block_size, uint32_t block_count, uint32_t prog_size, uint8_t erased, uint32_t seed) {
    memset(flash, 0, sizeof *flash);
    flash->block_size = block_size;
    flash->block_count = block_count;
    flash->prog_size = prog_size;
    flash->erased = erased;
    flash->worn = -1;
    flash->seed = seed;
    memset(flash->bytes, erased, sizeof flash->bytes);
}

static inline void flash_cut_at(struct flash *flash, uint32_t n, enum flash_cut how) {
    flash->cut_op = flash->ops + n;
    flash->how = how;
}

static inline void flash_power_on(struct flash *flash) {
    flash->off = 0;
    flash->cut_op = 0;
}

static inline void flash_rot(struct flash *flash, uint32_t block, uint32_t off, unsigned bit) {
    flash->bytes[block * flash->block_size + off] ^= (uint8_t)(1u << bit);
}

static inline void flash_wear_out(struct flash *flash, uint32_t block) {
    flash->worn = (int32_t)block;
}

static int flash_refuse(struct flash *flash) {
    flash->rules_broken++;
    return FLASH_RULE_BROKEN;
}

static inline void flash_misprogram(struct flash *flash, uint32_t n) {
    flash->misprogram = n;
}

/* Counts an op; 1 when power goes before or in it. */
static int flash_op(struct flash *flash) {
    if (++flash->ops != flash->cut_op) return 0;
    flash->off = 1;
    return flash->how != FLASH_CUT_AFTER;
}

/* What is there after power went in the middle of writing `wanted` over it. */
static uint8_t flash_torn(struct flash *flash, uint8_t was, uint8_t wanted) {
    switch (flash_draw(flash) % 3) {
        case 0: return was;
        case 1: return wanted;
        default: return (uint8_t)flash_draw(flash);
    }
}

static inline int flash_read(void *ctx, uint32_t block, uint32_t off, void *p, size_t len) {
    struct flash *flash = ctx;
    if (flash->off) return FLASH_NO_POWER;
    if (block >= flash->block_count || off > flash->block_size || len > flash->block_size - off) return flash_refuse(flash);
    memcpy(p, flash->bytes + block * flash->block_size + off, len);
    return IPA_OK;
}

static inline int flash_prog(void *ctx, uint32_t block, uint32_t off, const void *p, size_t len) {
    struct flash *flash = ctx;
    const uint8_t *from = p;
    if (flash->off) return FLASH_NO_POWER;
    if (block >= flash->block_count || off > flash->block_size || len > flash->block_size - off || len == 0) return flash_refuse(flash);
    if (off % flash->prog_size != 0 || len % flash->prog_size != 0) return flash_refuse(flash);
    uint32_t at = block * flash->block_size + off;
    /* A unit whose program was torn but took nothing reads erased: no rule is broken by programming it again. */
    for (size_t i = 0; i < len; i++) if (flash->programmed[at + i] && flash->bytes[at + i] != flash->erased) return flash_refuse(flash);
    int cut = flash_op(flash);
    if (cut && flash->how == FLASH_CUT_BEFORE) return FLASH_NO_POWER;
    int partly = flash->misprogram > 0 && --flash->misprogram == 0;
    for (size_t i = 0; i < len; i++) {
        uint8_t taken = partly && i == len / 2 ? (uint8_t)~from[i] : from[i];
        flash->bytes[at + i] = cut ? flash_torn(flash, flash->bytes[at + i], from[i]) : taken;
        flash->programmed[at + i] = 1;
    }
    flash->programs++;
    flash->octets += (uint32_t)len;
    return flash->off ? FLASH_NO_POWER : IPA_OK;
}

static inline int flash_erase(void *ctx, uint32_t block) {
    struct flash *flash = ctx;
    if (flash->off) return FLASH_NO_POWER;
    if (block >= flash->block_count) return flash_refuse(flash);
    int cut = flash_op(flash);
    if (cut && flash->how == FLASH_CUT_BEFORE) return FLASH_NO_POWER;
    flash->erases[block]++;
    uint32_t at = block * flash->block_size;
    for (uint32_t i = 0; i < flash->block_size; i++) {
        int sticks = (int32_t)block == flash->worn && i % 97 == 5;
        flash->bytes[at + i] = cut ? flash_torn(flash, flash->bytes[at + i], flash->erased) : sticks ? (uint8_t)~flash->erased : flash->erased;
        flash->programmed[at + i] = (uint8_t)cut;
    }
    return flash->off ? FLASH_NO_POWER : IPA_OK;
}

static inline struct ipa_store flash_store(struct flash *flash) {
    return (struct ipa_store){
        .read = flash_read, .prog = flash_prog, .erase = flash_erase, .sync = NULL, .ctx = flash,
        .prog_size = flash->prog_size, .block_size = flash->block_size, .block_count = flash->block_count, .erased = flash->erased,
    };
}

#endif
