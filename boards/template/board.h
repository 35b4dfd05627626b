/* What main.c needs of this board: fill it in, in board.c. device.h says what each function must do. */
#ifndef TEMPLATE_BOARD_H
#define TEMPLATE_BOARD_H

#include <stddef.h>
#include <stdint.h>

#include "ipa/store.h"
#include "ipa/uart.h"

void board_init(void);
uint32_t board_now_ms(void *ctx);
void board_sleep(void *ctx, uint32_t ms);
int board_entropy(void *ctx, uint8_t *p, size_t len);
void board_console(void *ctx, const char *text);

/* The modem's serial line: interrupt-fed, with a ring buffer each way, and RTS/CTS where the modem has it. */
extern const struct ipa_uart board_uart;
/* Two or more blocks of flash that nothing else uses. */
extern const struct ipa_store board_flash;
/* The signed container with the agent: where the linker's script puts section .agent. */
extern const uint8_t *const board_image;
extern const size_t board_image_len;

#endif
