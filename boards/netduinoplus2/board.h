/* What the parts of this board share. */
#ifndef NETDUINOPLUS2_BOARD_H
#define NETDUINOPLUS2_BOARD_H

#include <stdint.h>

#include "ipa/store.h"
#include "ipa/uart.h"

/*
 * Board options, all 0 in a release. QEMU's netduinoplus2 has no RCC, no TRNG, no watchdog and no flash controller:
 *   BOARD_EMULATED         clock tree absent, core and SysTick at 168 MHz
 *   BOARD_ENTROPY_SEED     entropy from a seed in RAM that the emulator sets (_seed), not from the TRNG
 *   BOARD_JOURNAL_RAM      journal in RAM that survives a reset, not in flash
 */
#ifndef BOARD_EMULATED
#define BOARD_EMULATED 0
#endif
#ifndef BOARD_ENTROPY_SEED
#define BOARD_ENTROPY_SEED 0
#endif
#ifndef BOARD_JOURNAL_RAM
#define BOARD_JOURNAL_RAM 0
#endif
#if defined(BOARD_RELEASE) && (BOARD_EMULATED || BOARD_ENTROPY_SEED || BOARD_JOURNAL_RAM)
#error "a release image takes no emulation option"
#endif

#define STACK_PAINT 0x5AA5C33Cu

/* board.c */
void board_init(void);
uint32_t board_now_ms(void *ctx);
int board_entropy(void *ctx, uint8_t *p, size_t len);
void board_watchdog(void *ctx);
void board_sleep(uint32_t ms);
const char *board_options(void);
extern const struct ipa_store board_journal;
void systick_handler(void);

/* usart.c */
void usart_init(uint32_t pclk1_hz, uint32_t pclk2_hz);
void console_write(const char *text);
int console_read(void);   /* -1: no key */
extern const struct ipa_uart modem_uart;
uint32_t modem_overruns(void);
void usart1_handler(void);
void usart2_handler(void);

/* startup.c */
uint32_t board_stack_used(void);
void board_reset(void) __attribute__((noreturn));

#endif
