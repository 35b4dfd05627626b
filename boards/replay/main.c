/*
 * The agent alone in an engine on the STM32F405 (or its emulation), for measuring: recorded events come over the modem's UART, ops go
 * back, and the time inside ipa_step is counted. No doors, no modem, no journal; the container's signature is not checked here.
 *
 *   out   u32 0, when it is ready
 *   in    u32 length, u32 now_ms, event (mailbox header and payload)       length 0: the figures, then the next recording
 *   out   u32 length, op (mailbox header and payload); a negative length is the status or error that came instead
 *         figures: u32 ticks low, u32 ticks high, u32 steps, u32 most ticks of a step, u32 stack used, u32 arena used, u32 ticks of opening
 *
 * Ticks are the core's clock. Under `qemu -icount shift=0` an instruction is 1 ns, and a tick 1000 / 168 instructions.
 */
#include <string.h>

#include "ipa/err.h"
#include "netduinoplus2/board.h"
#include "netduinoplus2/stm32f405.h"
#include "src/wasm.h"

#ifndef REPLAY_ARENA
#define REPLAY_ARENA 16384
#endif
#define HEADER 24u

/* Laid into flash by replay.S: u32 wasm_len, side_len, memory_len, stack_len, wasm, padding to 4, side table. */
extern const uint32_t replay_image[];

static uint8_t arena[REPLAY_ARENA] __attribute__((aligned(16)));
static struct ipa_wasm *wasm;
static uint32_t mailbox, capacity, most, steps, opening;
static uint64_t ticks;

/* SysTick runs down from 2^24; a step must be shorter than that. */
static uint32_t clock_now(void) {
    return 0xFFFFFFu - SYSTICK->val;
}

static void get(uint8_t *p, size_t len) {
    while (len != 0) {
        size_t n = modem_uart.read(modem_uart.ctx, p, len);
        p += n;
        len -= n;
    }
}

static void put(const void *data, size_t len) {
    const uint8_t *p = data;
    while (len != 0) {
        size_t n = modem_uart.write(modem_uart.ctx, p, len);
        p += n;
        len -= n;
    }
}

static void put_number(uint32_t number) {
    put(&number, sizeof number);
}

static int number_of(enum ipa_wasm_export fn, uint32_t *out) {
    int32_t value = 0;
    int err = ipa_wasm_call(wasm, fn, 0, &value);
    *out = (uint32_t)value;
    return err;
}

static int open_agent(void) {
    const uint8_t *code = (const uint8_t *)(replay_image + 4);
    uint32_t side_at = (replay_image[0] + 3u) & ~3u;
    struct ipa_wasm_image image = {code, replay_image[0], replay_image[1] == 0 ? NULL : code + side_at, replay_image[1], replay_image[2], replay_image[3]};
    static struct ipa_wasm_image kept;
    uint32_t t = clock_now();
    kept = image;
    int err = ipa_wasm_open(&wasm, &kept, arena, sizeof arena);
    opening = (clock_now() - t) & 0xFFFFFFu;
    if (err == 0) err = number_of(IPA_WASM_MAILBOX, &mailbox);
    if (err == 0) err = number_of(IPA_WASM_CAPACITY, &capacity);
    return err;
}

static void step(uint32_t length, uint32_t now_ms) {
    int32_t kind = 0;
    uint8_t *at = ipa_wasm_memory(wasm, mailbox, HEADER + capacity);
    get(at, length);
    uint32_t t = clock_now();
    int err = ipa_wasm_call(wasm, IPA_WASM_STEP, (int32_t)now_ms, &kind);
    t = (clock_now() - t) & 0xFFFFFFu;
    ticks += t;
    if (t > most) most = t;
    steps++;
    if (err != 0 || kind < 0) {
        put_number((uint32_t)(err != 0 ? err : kind));
        return;
    }
    uint32_t len;
    memcpy(&len, at + 4, 4);
    put_number(HEADER + len);
    put(at, HEADER + len);
}

static void figures(void) {
    put_number((uint32_t)ticks);
    put_number((uint32_t)(ticks >> 32));
    put_number(steps);
    put_number(most);
    put_number(board_stack_used());
    put_number(wasm == NULL ? 0 : (uint32_t)ipa_wasm_used(wasm));
    put_number(opening);
    ticks = 0;
    steps = most = 0;
}

int main(void) {
    board_init();
    SYSTICK->load = 0xFFFFFFu; /* the time base is not needed: count the whole width */
    SYSTICK->val = 0;
    SYSTICK->ctrl = 5u;
    int err = open_agent();
    console_write(err == 0 ? "replay: ready\r\n" : "replay: ");
    if (err != 0) {
        console_write(ipa_err_name(err));
        console_write(wasm == NULL ? "" : " ");
        console_write(wasm == NULL ? "" : ipa_wasm_problem(wasm));
        console_write("\r\n");
        for (;;) board_sleep(1000);
    }
    put_number(0);
    for (;;) {
        uint32_t head[2];
        get((uint8_t *)head, sizeof head);
        if (head[0] == 0) figures();
        else if (head[0] <= HEADER + capacity) step(head[0], head[1]);
        else put_number((uint32_t)IPA_ERR_INVALID);
    }
}
