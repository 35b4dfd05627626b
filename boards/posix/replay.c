/* See replay.h. */
#include "replay.h"

#include <stdio.h>
#include <string.h>

enum { HEADER = 24 };

struct session {
    struct ipa_wasm *wasm;
    uint8_t *mailbox;
    uint32_t capacity;
    uint32_t steps;
};

static void put32(uint32_t number) {
    for (int i = 0; i < 4; i++) putchar((int)(number >> 8 * i & 255));
}

static int get32(uint32_t *number) {
    uint8_t octets[4];
    if (fread(octets, 1, 4, stdin) != 4) return 0;
    *number = octets[0] | (uint32_t)octets[1] << 8 | (uint32_t)octets[2] << 16 | (uint32_t)octets[3] << 24;
    return 1;
}

static int open_agent(struct session *s, const struct ipa_image *image, void *arena, size_t len) {
    int32_t mailbox = 0, capacity = 0;
    int err = ipa_wasm_open(&s->wasm, &image->wasm, arena, len);
    if (err == IPA_OK) err = ipa_wasm_call(s->wasm, IPA_WASM_MAILBOX, 0, &mailbox);
    if (err == IPA_OK) err = ipa_wasm_call(s->wasm, IPA_WASM_CAPACITY, 0, &capacity);
    if (err != IPA_OK) return err;
    s->capacity = (uint32_t)capacity;
    s->mailbox = ipa_wasm_memory(s->wasm, (uint32_t)mailbox, HEADER + s->capacity);
    return s->mailbox == NULL ? IPA_ERR_ABI : IPA_OK;
}

static void step(struct session *s, uint32_t now_ms) {
    int32_t kind = 0;
    int err = ipa_wasm_call(s->wasm, IPA_WASM_STEP, (int32_t)now_ms, &kind);
    s->steps++;
    if (err != IPA_OK || kind < 0) {
        put32((uint32_t)(err != IPA_OK ? err : kind));
        return;
    }
    uint32_t len = s->mailbox[4] | (uint32_t)s->mailbox[5] << 8;
    put32(HEADER + len);
    fwrite(s->mailbox, 1, HEADER + len, stdout);
}

static void figures(struct session *s) {
    const uint32_t numbers[7] = {0, 0, s->steps, 0, 0, (uint32_t)ipa_wasm_used(s->wasm), 0};
    for (int i = 0; i < 7; i++) put32(numbers[i]);
    s->steps = 0;
}

int replay(const struct ipa_image *image, void *arena, size_t len) {
    struct session s = {NULL, NULL, 0, 0};
    uint32_t length, now_ms;
    int err = open_agent(&s, image, arena, len);
    if (err != IPA_OK) {
        fprintf(stderr, "replay: %s %s\n", ipa_err_name(err), s.wasm == NULL ? "" : ipa_wasm_problem(s.wasm));
        return 1;
    }
    put32(0);
    fflush(stdout);
    while (get32(&length) && get32(&now_ms)) {
        if (length == 0) figures(&s);
        else if (length < HEADER || length > HEADER + s.capacity || fread(s.mailbox, 1, length, stdin) != length) put32((uint32_t)IPA_ERR_INVALID);
        else step(&s, now_ms);
        fflush(stdout);
    }
    ipa_wasm_close(s.wasm);
    return 0;
}
