/* The whole device on this board; with IPA_CFG_SELFTEST the port self-test in its place. */
#include "app/device.h"
#include "app/product.h"
#include "app/selftest.h"
#include "board.h"

/* The one instance of this firmware. */
static struct device device;
static uint64_t agent_memory[IPA_CFG_AGENT_ARENA / 8], link_memory[IPA_CFG_LINK_ARENA / 8];

int main(void) {
    const struct device_board board = {
        .name = "template", .options = "", .uart = board_uart, .store = &board_flash, .now_ms = board_now_ms, .entropy = board_entropy, .sleep = board_sleep, .console = board_console,
        .agent_memory = agent_memory, .agent_memory_len = sizeof agent_memory, .link_memory = link_memory, .link_memory_len = sizeof link_memory,
    };
    const struct device_settings settings = {.image = {board_image}, .image_len = {board_image_len}, PRODUCT_SETTINGS};
    board_init();
    device_init(&device, &board, &settings);
#if IPA_CFG_SELFTEST
    return device_selftest(&device);
#else
    for (;;) board_sleep(NULL, device_step(&device));
#endif
}
