/*
 * Netduino Plus 2 (STM32F405RG): clocks, time, entropy, watchdog, journal. RM0090 numbers in the comments.
 * 168 MHz from the 25 MHz crystal by the PLL; from HSI (16 MHz) when the crystal does not start. No ready bit is polled without a bound.
 */
#include "board.h"

#include <string.h>

#include "flash_f4.h"
#include "ipa/err.h"
#include "stm32f405.h"

#define CORE_HZ 168000000u
#define READY_BOUND 100000u  /* HSE starts within 2 ms, the PLL locks within 300 us */

static volatile uint32_t milliseconds;

/* ---- clock ---- */

static int ready(volatile uint32_t *reg, uint32_t mask, uint32_t value) {
    for (uint32_t n = READY_BOUND; n != 0; n--) {
        if ((*reg & mask) == value) return 1;
    }
    return 0;
}

/* VCO 336 MHz from 1 MHz: SYSCLK 168 MHz (P = 2), 48 MHz for the TRNG (Q = 7); APB1 at 42 MHz, APB2 at 84 MHz. (7.3.2) */
static void clock_init(void) {
    RCC->cr |= RCC_CR_HSEON;
    int crystal = ready(&RCC->cr, RCC_CR_HSERDY, RCC_CR_HSERDY);
    RCC->pllcfgr = (crystal ? 25u | 1u << 22 : 16u) | 336u << 6 | 0u << 16 | 7u << 24;
    RCC->cr |= RCC_CR_PLLON;
    ready(&RCC->cr, RCC_CR_PLLRDY, RCC_CR_PLLRDY);
    FLASH->acr = 0x705u;  /* 5 wait states at 168 MHz and 3.3 V, caches and prefetch on (3.5.1) */
    RCC->cfgr = 5u << 10 | 4u << 13;
    RCC->cfgr |= RCC_CFGR_SW_PLL;
    ready(&RCC->cfgr, RCC_CFGR_SWS, RCC_CFGR_SW_PLL << 2);
}

void systick_handler(void) {
    milliseconds++;
}

uint32_t board_now_ms(void *ctx) {
    (void)ctx;
    return milliseconds;
}

/* Until an interrupt; with no work for long, the core sleeps from tick to tick. */
void board_sleep(uint32_t ms) {
    uint32_t since = milliseconds;
    if (ms == 0) return;
    do __asm volatile("wfi");
    while (ms > 20 && milliseconds - since < 20);
}

/* ---- entropy ---- */

#if BOARD_ENTROPY_SEED
/* The emulator puts the seed here at each reset (QEMU: -device loader); how much was taken outlives a reset, so that nothing repeats. */
__attribute__((section(".noinit"), used)) volatile uint32_t _seed;
__attribute__((section(".noinit"))) static volatile uint32_t taken;

int board_entropy(void *ctx, uint8_t *p, size_t len) {
    (void)ctx;
    while (len-- != 0) {
        /* A counter, well mixed (the finaliser of MurmurHash3). */
        uint32_t x = _seed + ++taken * 0x9E3779B9u;
        x = (x ^ x >> 16) * 0x85EBCA6Bu;
        x = (x ^ x >> 13) * 0xC2B2AE35u;
        *p++ = (uint8_t)(x >> 24);
    }
    return 0;
}
#else
static int rng_word(uint32_t *word) {
    for (uint32_t n = READY_BOUND; n != 0; n--) {
        uint32_t sr = RNG->sr;
        if ((sr & RNG_SR_FAULTS) != 0) {
            /* 24.3.2: clear, restart; the word is not to be trusted */
            RNG->sr = 0;
            RNG->cr = 0;
            RNG->cr = RNG_CR_RNGEN;
        } else if ((sr & RNG_SR_DRDY) != 0) {
            *word = RNG->dr;
            return 1;
        }
    }
    return 0;
}

int board_entropy(void *ctx, uint8_t *p, size_t len) {
    static uint32_t last;
    (void)ctx;
    while (len != 0) {
        uint32_t word = 0;
        if (!rng_word(&word) || word == last) return IPA_ERR_ENTROPY; /* FIPS 140-2 continuous test (24.3.1) */
        last = word;
        size_t n = len < 4 ? len : 4;
        memcpy(p, &word, n);
        p += n;
        len -= n;
    }
    return 0;
}
#endif

/* ---- journal ---- */

#if BOARD_JOURNAL_RAM
#define JOURNAL_BLOCK 4096u
__attribute__((section(".noinit"), used, aligned(8))) uint8_t _journal[2][JOURNAL_BLOCK];

static int ram_read(void *ctx, uint32_t block, uint32_t off, void *p, size_t len) {
    (void)ctx;
    memcpy(p, &_journal[block][off], len);
    return 0;
}

/* As flash does: programming only clears bits. */
static int ram_prog(void *ctx, uint32_t block, uint32_t off, const void *p, size_t len) {
    (void)ctx;
    for (size_t i = 0; i < len; i++) _journal[block][off + i] &= ((const uint8_t *)p)[i];
    return memcmp(&_journal[block][off], p, len) == 0 ? 0 : IPA_ERR_STORE;
}

static int ram_erase(void *ctx, uint32_t block) {
    (void)ctx;
    memset(_journal[block], 0xFF, JOURNAL_BLOCK);
    return 0;
}

const struct ipa_store board_journal = {ram_read, ram_prog, ram_erase, 0, 0, 4, JOURNAL_BLOCK, 2, 0xFF};
#else
static const struct flash_f4 journal_flash = {FLASH, (uint8_t *)0x08004000u, 1, 16384};

const struct ipa_store board_journal = {flash_f4_read, flash_f4_prog, flash_f4_erase, 0, (void *)&journal_flash, 4, 16384, 2, 0xFF};
#endif

const char *board_options(void) {
    return ""
#if BOARD_EMULATED
           " emulated-clock"
#endif
#if BOARD_ENTROPY_SEED
           " seeded-entropy"
#endif
#if BOARD_JOURNAL_RAM
           " journal-in-ram"
#endif
        ;
}

void board_init(void) {
#if !BOARD_EMULATED
    clock_init();
#endif
    RCC->ahb1enr |= 1u << 0;            /* GPIOA */
    RCC->ahb2enr |= 1u << 6;            /* RNG */
    RCC->apb1enr |= 1u << 17;           /* USART2 */
    RCC->apb2enr |= 1u << 4;            /* USART1 */
#if !BOARD_ENTROPY_SEED
    RNG->cr = RNG_CR_RNGEN;
#endif
    SYSTICK->load = CORE_HZ / 1000u - 1u;
    SYSTICK->val = 0;
    SYSTICK->ctrl = 7u;
    usart_init(CORE_HZ / 4u, CORE_HZ / 2u);
}
#if BOARD_EMULATED
/* The clock tree is still compiled, so that it does not rot. */
void (*const board_clock_init)(void) = clock_init;
#endif
