/* Flash of the STM32F405 as a store. The core stalls while a sector of its own bank is erased (16 KiB: 250 to 400 ms); interrupts wait. */
#include "flash_f4.h"

#include <string.h>

#include "ipa/err.h"

/* Reads of SR before a busy controller is given up: an erase takes at most 800 ms, a read of SR at least 2 cycles of 168 MHz. */
#ifndef FLASH_F4_BOUND
#define FLASH_F4_BOUND 200000000u
#endif

/* Where the driver meets the controller; a unit test puts an emulated one there. */
#ifndef FLASH_F4_SET
#define FLASH_F4_SET(reg, value) ((reg) = (value))
#define FLASH_F4_STATUS(regs) ((regs)->sr)
#define FLASH_F4_WORD(at, word) (*(at) = (word))
#endif

static int settle(struct flash_regs *regs) {
    uint32_t n = FLASH_F4_BOUND;
    while ((FLASH_F4_STATUS(regs) & FLASH_SR_BSY) != 0) {
        if (--n == 0) return IPA_ERR_STORE;
    }
    return (FLASH_F4_STATUS(regs) & FLASH_SR_ERRORS) != 0 ? IPA_ERR_STORE : 0;
}

static int unlock(struct flash_regs *regs) {
    if ((regs->cr & FLASH_CR_LOCK) != 0) {
        FLASH_F4_SET(regs->keyr, FLASH_KEY1);
        FLASH_F4_SET(regs->keyr, FLASH_KEY2);
    }
    FLASH_F4_SET(regs->sr, FLASH_SR_ERRORS); /* left by an earlier one: written to be cleared */
    return settle(regs);
}

static int lock(struct flash_regs *regs, int result) {
    FLASH_F4_SET(regs->cr, FLASH_CR_LOCK);
    return result;
}

static uint8_t *at(const struct flash_f4 *flash, uint32_t block, uint32_t off) {
    return flash->memory + block * flash->sector_size + off;
}

int flash_f4_read(void *ctx, uint32_t block, uint32_t off, void *p, size_t len) {
    memcpy(p, at(ctx, block, off), len);
    return 0;
}

int flash_f4_prog(void *ctx, uint32_t block, uint32_t off, const void *p, size_t len) {
    const struct flash_f4 *flash = ctx;
    volatile uint32_t *to = (volatile uint32_t *)(void *)at(flash, block, off);
    int err = unlock(flash->regs);
    FLASH_F4_SET(flash->regs->cr, FLASH_CR_PG | FLASH_CR_PSIZE_WORD);
    for (size_t i = 0; err == 0 && i < len / 4; i++) {
        uint32_t word;
        memcpy(&word, (const uint8_t *)p + 4 * i, 4);
        FLASH_F4_WORD(&to[i], word);
        err = settle(flash->regs);
        if (err == 0 && to[i] != word) err = IPA_ERR_STORE;
    }
    return lock(flash->regs, err);
}

int flash_f4_erase(void *ctx, uint32_t block) {
    const struct flash_f4 *flash = ctx;
    int err = unlock(flash->regs);
    if (err == 0) {
        FLASH_F4_SET(flash->regs->cr, FLASH_CR_SER | FLASH_CR_PSIZE_WORD | FLASH_CR_SNB(flash->first_sector + block));
        FLASH_F4_SET(flash->regs->cr, flash->regs->cr | FLASH_CR_STRT);
        err = settle(flash->regs);
    }
    const uint8_t *p = at(flash, block, 0);
    for (uint32_t i = 0; err == 0 && i < flash->sector_size; i++) {
        if (p[i] != 0xFF) err = IPA_ERR_STORE;
    }
    return lock(flash->regs, err);
}
