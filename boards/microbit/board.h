/* What the parts of this board share. */
#ifndef MICROBIT_BOARD_H
#define MICROBIT_BOARD_H

#include <stdint.h>

#include "ipa/store.h"
#include "ipa/uart.h"

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

/* Programs and erases since the start; a test that cuts the power at the n-th one reads and sets a stop here (over the gdb stub). */
extern volatile uint32_t board_flash_writes;

uint32_t board_stack_used(void);
void board_reset(void) __attribute__((noreturn));

#endif
