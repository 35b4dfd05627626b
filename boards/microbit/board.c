/*
 * BBC micro:bit (nRF51822): time, entropy, watchdog, flash, the one UART (the modem's). Sections of the nRF51 Series Reference Manual 3.0.
 *
 *   P0.03 TXD   P0.02 RXD   P0.18 RTS   P0.20 CTS   to the modem: pads 0, 1, 8, 12 of the edge connector
 */
#include "board.h"

#include <string.h>

#include "ipa/config_default.h"
#include "ipa/err.h"
#include "nrf51.h"

#define READY_BOUND 1000000u
#define PAGE 1024u
#define JOURNAL 0x20000u
#define JOURNAL_PAGES 16u
#define RING ((unsigned)BOARD_RING)

static volatile uint32_t milliseconds;

/* ---- time: TIMER0 at 1 MHz, an interrupt each 10 ms, since a Cortex-M0 of nRF51 has no SysTick (18) ---- */

#define TICK_MS 10u

void timer0_handler(void) {
    TIMER_EVENT_COMPARE1 = 0;
    milliseconds += TICK_MS;
}

uint32_t board_now_ms(void *ctx) {
    (void)ctx;
    return milliseconds;
}

static void timer_init(void) {
    TIMER_BITMODE = 0;  /* 16 bits */
    TIMER_PRESCALER = 4;
    TIMER_CC1 = TICK_MS * 1000u;
    TIMER_SHORTS = 1u << 1;
    TIMER_INTENSET = 1u << 17;
    TIMER_CLEAR = 1;
    TIMER_START = 1;
    NVIC_ISER = 1u << IRQ_TIMER0;
}

void board_sleep(uint32_t ms) {
    if (ms != 0) __asm volatile("wfi");
}

/* ---- entropy: thermal noise with bias correction, 21 ---- */

int board_entropy(void *ctx, uint8_t *p, size_t len) {
    int err = 0;
    (void)ctx;
    RNG_CONFIG = 1;
    RNG_START = 1;
    while (len-- != 0 && err == 0) {
        uint32_t n = READY_BOUND;
        RNG_EVENT_VALRDY = 0;
        while (RNG_EVENT_VALRDY == 0 && --n != 0) {
        }
        if (n == 0) err = IPA_ERR_ENTROPY;
        *p++ = (uint8_t)RNG_VALUE;
    }
    RNG_STOP = 1;
    return err;
}

/* ---- watchdog: 30 s, goes on in sleep, 22 ---- */

void board_watchdog(void *ctx) {
    static uint8_t started;
    (void)ctx;
    if (!started) {
        WDT_CRV = 30u * 32768u;
        WDT_RREN = 1;
        WDT_CONFIG = 1;
        WDT_START = 1;
        started = 1;
    }
    WDT_RR0 = 0x6E524635u;
}

/* ---- journal in flash: NVMC, 6.1; the core stalls 21 ms for an erase ---- */

#if BOARD_CUT
__attribute__((section(".noinit"))) volatile struct board_cut board_cut;

static void step(void) {
    if (++board_cut.steps != board_cut.at) return;
    __asm volatile("cpsid i");
    for (;;) __asm volatile("wfi");
}
#else
static void step(void) {
}
#endif

static int nvmc(uint32_t mode) {
    uint32_t n = READY_BOUND;
    while (NVMC_READY == 0 && --n != 0) {
    }
    NVMC_CONFIG = mode;
    return n == 0 ? IPA_ERR_STORE : 0;
}

static int flash_read(void *ctx, uint32_t block, uint32_t off, void *p, size_t len) {
    (void)ctx;
    memcpy(p, (const void *)(JOURNAL + block * PAGE + off), len);
    return 0;
}

static int flash_prog(void *ctx, uint32_t block, uint32_t off, const void *p, size_t len) {
    volatile uint32_t *to = (volatile uint32_t *)(JOURNAL + block * PAGE + off);
    (void)ctx;
    for (size_t i = 0; i < len / 4; i++) {
        uint32_t word;
        int err;
        memcpy(&word, (const uint8_t *)p + 4 * i, 4);
        err = nvmc(1);
        step();
        to[i] = word;
        step();
        if (err == 0) err = nvmc(0);
        if (err != 0 || to[i] != word) return IPA_ERR_STORE;
    }
    return 0;
}

static int flash_erase(void *ctx, uint32_t block) {
    int err = nvmc(2);
    (void)ctx;
    step();
    NVMC_ERASEPAGE = JOURNAL + block * PAGE;
    step();
    if (err == 0) err = nvmc(0);
    return err;
}

const struct ipa_store board_journal = {flash_read, flash_prog, flash_erase, 0, 0, 4, PAGE, JOURNAL_PAGES, 0xFF};

/* ---- UART, 29: six octets of hardware FIFO, then the ring, then RTS ---- */

static volatile uint16_t head, tail;
static uint8_t ring[RING];
static volatile uint8_t sending;

static void take_octets(void) {
    while ((uint16_t)(head - tail) < RING && UART_EVENT_RXDRDY != 0) {
        UART_EVENT_RXDRDY = 0;
        ring[head++ & (RING - 1u)] = (uint8_t)UART_RXD;
    }
}

/* From both sides: QEMU 7.2 raises no interrupt for an octet that had to wait for its reader. */
static void sent(void) {
    if (UART_EVENT_TXDRDY == 0) return;
    UART_EVENT_TXDRDY = 0;
    sending = 0;
}

void uart_handler(void) {
    take_octets();
    if (UART_EVENT_RXDRDY != 0) REG(UART_BASE + 0x308u) = UART_RXDRDY_BIT; /* full: the FIFO fills, and RTS stops the modem */
    if (UART_EVENT_ERROR != 0) {
        UART_EVENT_ERROR = 0;
        UART_ERRORSRC = UART_ERRORSRC;
    }
    sent();
}

static size_t uart_read(void *ctx, uint8_t *p, size_t cap) {
    size_t n = 0;
    (void)ctx;
    while (n < cap && (uint16_t)(head - tail) != 0) p[n++] = ring[tail++ & (RING - 1u)];
    if (n != 0) UART_INTENSET = UART_RXDRDY_BIT;
    return n;
}

static size_t uart_write(void *ctx, const uint8_t *p, size_t len) {
    size_t n = 0;
    (void)ctx;
    if (sending) sent();
    for (; n < len && !sending; n++) {
        sending = 1;
        UART_TXD = p[n];
    }
    return n;
}

const struct ipa_uart modem_uart = {uart_read, uart_write, 0, 0};

enum { TXD = 3, RXD = 2, RTS = 18, CTS = 20 };

static void uart_init(void) {
    /* The pins as the UART wants them before it is enabled: outputs at rest, inputs that don't float. (29.2) */
    GPIO_OUTSET = 1u << TXD | 1u << RTS;
    GPIO_DIRSET = 1u << TXD | 1u << RTS;
    GPIO_PIN_CNF(RXD) = GPIO_INPUT_PULLUP;
    GPIO_PIN_CNF(CTS) = GPIO_INPUT;
    UART_PSELTXD = TXD;
    UART_PSELRXD = RXD;
    UART_PSELRTS = RTS;
    UART_PSELCTS = CTS;
    UART_BAUDRATE = 0x01D7E000u; /* 115200 */
    UART_CONFIG = 1;             /* flow control */
    UART_ENABLE = 4;
    UART_INTENSET = UART_RXDRDY_BIT | UART_TXDRDY_BIT | UART_ERROR_BIT;
    UART_STARTRX = 1;
    UART_STARTTX = 1;
    NVIC_ISER = 1u << IRQ_UART;
}

void board_init(void) {
    /* The crystal: the RC oscillator's 1.5 % is too much for a UART at the edge of its range. (13.1) */
    CLOCK_EVENT_HFCLKSTARTED = 0;
    CLOCK_HFCLKSTART = 1;
    for (uint32_t n = READY_BOUND; CLOCK_EVENT_HFCLKSTARTED == 0 && n != 0; n--) {
    }
    timer_init();
    uart_init();
}
