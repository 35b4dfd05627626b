/* The firmware of the Netduino Plus 2: the whole device (boards/app) on this board's parts. */
#include "app/device.h"
#include "app/product.h"
#include "app/selftest.h"
#include "board.h"

extern const uint8_t _slot_a[], _slot_b[], _slot_size[];

/* The one instance of this firmware. */
static struct device device;
static uint64_t agent_memory[IPA_CFG_AGENT_ARENA / 8], link_memory[IPA_CFG_LINK_ARENA / 8];

static void write_console(void *ctx, const char *text) {
    (void)ctx;
    console_write(text);
}

static int read_console(void *ctx) {
    (void)ctx;
    return console_read();
}

static void sleep_ms(void *ctx, uint32_t ms) {
    (void)ctx;
    board_sleep(ms);
}

static uint32_t stack_used(void *ctx) {
    (void)ctx;
    return board_stack_used();
}

int main(void) {
    const struct device_board board = {
        .name = "netduinoplus2", .options = board_options(), .uart = modem_uart, .store = &board_journal, .now_ms = board_now_ms, .entropy = board_entropy, .sleep = sleep_ms,
        .agent_memory = agent_memory, .agent_memory_len = sizeof agent_memory, .link_memory = link_memory, .link_memory_len = sizeof link_memory,
        .watchdog = board_watchdog, .console = write_console, .key = read_console, .stack_used = stack_used,
    };
    /* The size of a slot is the linker's symbol: its address is the number. */
    const size_t slot = (size_t)(uintptr_t)_slot_size;
    const struct device_settings settings = {.image = {_slot_a, _slot_b}, .image_len = {slot, slot}, PRODUCT_SETTINGS};
    board_init();
    device_init(&device, &board, &settings);
#if IPA_CFG_SELFTEST
    (void)device_selftest(&device);
#endif
    for (;;) board_sleep(device_step(&device));
}
