/* Sectors of the STM32F405's flash as a store (RM0090 3.6): erased whole, programmed by words. */
#ifndef FLASH_F4_H
#define FLASH_F4_H

#include "ipa/store.h"
#include "stm32f405.h"

struct flash_f4 {
    struct flash_regs *regs;
    uint8_t *memory;          /* where the first sector stands */
    uint8_t first_sector;
    uint32_t sector_size;
};

/* Doors of struct ipa_store; ctx: const struct flash_f4. IPA_ERR_STORE when the controller reports an error, stays busy, or did not do it. */
int flash_f4_read(void *ctx, uint32_t block, uint32_t off, void *p, size_t len);
int flash_f4_prog(void *ctx, uint32_t block, uint32_t off, const void *p, size_t len);
int flash_f4_erase(void *ctx, uint32_t block);

#endif
