/*
 * A new port: each function here does nothing yet, and says so by an error. Fill them in from the top; the self-test (boards/app/selftest.h)
 * names the first that is missing. boards/netduinoplus2/ is a port to silicon, boards/posix/ one to an operating system.
 */
#include "board.h"

#include <stdio.h>

#include "ipa/err.h"

/* Clocks, pins, interrupts, UARTs. Never wait for a ready bit without a bound. */
void board_init(void) {
}

/* 1. A timer that counts milliseconds and wraps at 2^32. */
uint32_t board_now_ms(void *ctx) {
    (void)ctx;
    return 0;
}

/* 2. Until an interrupt, at most ms; the watchdog of the board must allow a second. */
void board_sleep(void *ctx, uint32_t ms) {
    (void)ctx;
    (void)ms;
}

/* 3. len octets from a true random source; IPA_ERR_ENTROPY when it is out of order. */
int board_entropy(void *ctx, uint8_t *p, size_t len) {
    (void)ctx;
    (void)p;
    (void)len;
    return IPA_ERR_ENTROPY;
}

/* 4. Lines for people; leave it out (NULL) where there is no second serial line. */
void board_console(void *ctx, const char *text) {
    (void)ctx;
    (void)fputs(text, stdout);
}

/* 5. Flash: blocks that are erased whole and programmed in units. Read back what was programmed. */
static int read_flash(void *ctx, uint32_t block, uint32_t off, void *p, size_t len) {
    (void)ctx;
    (void)block;
    (void)off;
    (void)p;
    (void)len;
    return IPA_ERR_STORE;
}

static int program_flash(void *ctx, uint32_t block, uint32_t off, const void *p, size_t len) {
    (void)ctx;
    (void)block;
    (void)off;
    (void)p;
    (void)len;
    return IPA_ERR_STORE;
}

static int erase_flash(void *ctx, uint32_t block) {
    (void)ctx;
    (void)block;
    return IPA_ERR_STORE;
}

const struct ipa_store board_flash = {
    .read = read_flash, .prog = program_flash, .erase = erase_flash, .prog_size = 4, .block_size = 4096, .block_count = 2, .erased = 0xFF,
};

/* 6. The modem's line. */
static size_t read_uart(void *ctx, uint8_t *p, size_t cap) {
    (void)ctx;
    (void)p;
    (void)cap;
    return 0;
}

static size_t write_uart(void *ctx, const uint8_t *p, size_t len) {
    (void)ctx;
    (void)p;
    (void)len;
    return 0;
}

const struct ipa_uart board_uart = {.read = read_uart, .write = write_uart};

/* 7. Where the agent stands. */
const uint8_t *const board_image = NULL;
const size_t board_image_len = 0;
