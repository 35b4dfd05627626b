/* The firmware of the micro:bit: the whole device (boards/app) on this board's parts. What came of it stands in board_told, for a debugger. */
#include "app/device.h"
#include "app/product.h"
#include "board.h"

extern const uint8_t _slot_a[], _slot_size[];

/* The one instance of this firmware. */
static struct device device;
static uint64_t agent_memory[IPA_CFG_AGENT_ARENA / 8], link_memory[IPA_CFG_LINK_ARENA / 8];

volatile struct board_told board_told;

static int read_key(void *ctx) {
    int key = (int)board_told.key - 1;
    (void)ctx;
    board_told.key = 0;
    return key;
}

static void tell(void) {
    if (device.idle && !board_told.idle) {
        board_told.stack = board_stack_used();
        board_told.idles++;
    }
    board_told.idle = device.idle;
    board_told.polls = device.polls;
    board_told.resting = device.resting;
}

static void keep_report(void *ctx, const struct ipa_report *what) {
    (void)ctx;
    board_told.report = what->code;
    board_told.detail = what->detail;
    if (what->code >= IPA_REPORT_TRAP && what->detail < 0) board_told.error = what->detail;
}

int main(void) {
    const struct device_board board = {
        .name = "microbit", .options = "", .uart = modem_uart, .store = &board_journal, .now_ms = board_now_ms, .entropy = board_entropy,
        .agent_memory = agent_memory, .agent_memory_len = sizeof agent_memory, .link_memory = link_memory, .link_memory_len = sizeof link_memory,
        .watchdog = board_watchdog, .report = keep_report, .key = read_key,
    };
    /* The size of the slot is the linker's symbol: its address is the number. */
    const struct device_settings settings = {.image = {_slot_a}, .image_len = {(size_t)(uintptr_t)_slot_size}, PRODUCT_SETTINGS};
    board_init();
    device_init(&device, &board, &settings);
    for (;;) {
        uint32_t since = board_now_ms(NULL), wait_ms = device_step(&device), turn = board_now_ms(NULL) - since;
        if (turn > board_told.longest) board_told.longest = turn;
        tell();
        board_sleep(wait_ms);
    }
}
