/* What the parts of this board share. */
#ifndef MICROBIT_BOARD_H
#define MICROBIT_BOARD_H

#include <stdint.h>

#include "ipa/store.h"
#include "ipa/uart.h"

/*
 * Board option, 0 in a release: the power goes at a write of the flash that the emulator orders (board_cut), so that a test sees
 * each of them.
 */
#ifndef BOARD_CUT
#define BOARD_CUT 0
#endif
#if defined(BOARD_RELEASE) && BOARD_CUT
#error "a release image takes no emulation option"
#endif

#define STACK_PAINT 0x5AA5C33Cu

void board_init(void);
uint32_t board_now_ms(void *ctx);
int board_entropy(void *ctx, uint8_t *p, size_t len);
void board_watchdog(void *ctx);
void board_sleep(uint32_t ms);
extern const struct ipa_store board_journal;
extern const struct ipa_uart modem_uart;
void uart_handler(void);
void timer0_handler(void);

/* How the device is, for a debugger: this board's one UART is the modem's. */
struct board_told {
    uint32_t idles;     /* how often the agent has come to rest with nothing in hand */
    uint32_t polls;     /* polls that ended */
    uint32_t stack;     /* most octets of stack when it came to rest */
    uint32_t report;    /* the newest report: its code and detail (host/README.md) */
    int32_t detail;
    int32_t error;      /* the newest error of the host (enum ipa_err), 0: none */
    uint32_t longest;   /* longest turn of the main loop in ms: the check of the agent's signature */
    uint8_t idle;       /* it is at rest */
    uint8_t resting;    /* something failed as a whole, and is tried again later */
    uint8_t key;        /* in: a key + 1, e.g. 'p' + 1: poll now */
};
extern volatile struct board_told board_told;

#if BOARD_CUT
/* Outlives a reset. Each program and each erase is two steps, before and behind it; at step `at` the core stops for good. */
struct board_cut {
    uint32_t at, steps;
};
extern volatile struct board_cut board_cut;
#endif

uint32_t board_stack_used(void);
void board_reset(void) __attribute__((noreturn));

#endif
