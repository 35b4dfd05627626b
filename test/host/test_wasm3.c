/*
 * Unit tests of host/src/wasm_wasm3.c: the built agent, and a hand-made module that does what its step is told.
 * sources: host/src/wasm_wasm3.c host/src/err.c
 * needs: wasm3
 */
#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "ipa/err.h"
#include "src/wasm.h"

/*
 * Step: 1 unreachable; 2 loads octet 4095, 3 octet 4096; 4 divides by 0; 5 recurses without end; 6 memory.grow(1); 7 fills beyond the
 * memory, 8 stores across its end; 9 adds 1 to a global that begins at 7, and overwrites the data at 200; 10 loads that;
 * 100 + n recurses n deep and returns n; else -5.
 */
static const uint8_t trouble[] = {
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x0a, 0x02, 0x60, 0x00, 0x01, 0x7f, 0x60, 0x01, 0x7f, 0x01, 0x7f, 0x03, 0x07, 0x06, 0x00,
    0x00, 0x00, 0x00, 0x01, 0x01, 0x05, 0x04, 0x01, 0x01, 0x01, 0x01, 0x06, 0x06, 0x01, 0x7f, 0x01, 0x41, 0x07, 0x0b, 0x07, 0x49, 0x06, 0x06, 0x6d,
    0x65, 0x6d, 0x6f, 0x72, 0x79, 0x02, 0x00, 0x07, 0x69, 0x70, 0x61, 0x5f, 0x61, 0x62, 0x69, 0x00, 0x00, 0x0b, 0x69, 0x70, 0x61, 0x5f, 0x6d, 0x61,
    0x69, 0x6c, 0x62, 0x6f, 0x78, 0x00, 0x01, 0x0c, 0x69, 0x70, 0x61, 0x5f, 0x63, 0x61, 0x70, 0x61, 0x63, 0x69, 0x74, 0x79, 0x00, 0x02, 0x0a, 0x69,
    0x70, 0x61, 0x5f, 0x6d, 0x65, 0x6d, 0x6f, 0x72, 0x79, 0x00, 0x03, 0x08, 0x69, 0x70, 0x61, 0x5f, 0x73, 0x74, 0x65, 0x70, 0x00, 0x05, 0x0c, 0x01,
    0x01, 0x0a, 0xe5, 0x01, 0x06, 0x06, 0x00, 0x41, 0x80, 0x80, 0x04, 0x0b, 0x05, 0x00, 0x41, 0xc0, 0x00, 0x0b, 0x05, 0x00, 0x41, 0x80, 0x08, 0x0b,
    0x05, 0x00, 0x41, 0x80, 0x20, 0x0b, 0x14, 0x00, 0x20, 0x00, 0x04, 0x7f, 0x41, 0x01, 0x20, 0x00, 0x41, 0x01, 0x6b, 0x10, 0x04, 0x6a, 0x05, 0x41,
    0x00, 0x0b, 0x0b, 0xb4, 0x01, 0x00, 0x20, 0x00, 0x41, 0x01, 0x46, 0x04, 0x40, 0x00, 0x0b, 0x20, 0x00, 0x41, 0x02, 0x46, 0x04, 0x40, 0x41, 0xff,
    0x1f, 0x2d, 0x00, 0x00, 0x0f, 0x0b, 0x20, 0x00, 0x41, 0x03, 0x46, 0x04, 0x40, 0x41, 0x80, 0x20, 0x2d, 0x00, 0x00, 0x0f, 0x0b, 0x20, 0x00, 0x41,
    0x04, 0x46, 0x04, 0x40, 0x41, 0x01, 0x20, 0x00, 0x41, 0x04, 0x6b, 0x6e, 0x0f, 0x0b, 0x20, 0x00, 0x41, 0x05, 0x46, 0x04, 0x40, 0x41, 0x7f, 0x10,
    0x04, 0x0f, 0x0b, 0x20, 0x00, 0x41, 0x06, 0x46, 0x04, 0x40, 0x41, 0x01, 0x40, 0x00, 0x0f, 0x0b, 0x20, 0x00, 0x41, 0x07, 0x46, 0x04, 0x40, 0x41,
    0xa0, 0x1f, 0x41, 0x01, 0x41, 0xe1, 0x00, 0xfc, 0x0b, 0x00, 0x0b, 0x20, 0x00, 0x41, 0x08, 0x46, 0x04, 0x40, 0x41, 0xfd, 0x1f, 0x41, 0x01, 0x36,
    0x02, 0x00, 0x0b, 0x20, 0x00, 0x41, 0x09, 0x46, 0x04, 0x40, 0x23, 0x00, 0x41, 0x01, 0x6a, 0x24, 0x00, 0x41, 0xc8, 0x01, 0x41, 0x00, 0x36, 0x02,
    0x00, 0x23, 0x00, 0x0f, 0x0b, 0x20, 0x00, 0x41, 0x0a, 0x46, 0x04, 0x40, 0x41, 0xc8, 0x01, 0x28, 0x02, 0x00, 0x0f, 0x0b, 0x20, 0x00, 0x41, 0xe4,
    0x00, 0x4b, 0x04, 0x40, 0x20, 0x00, 0x41, 0xe4, 0x00, 0x6b, 0x10, 0x04, 0x0f, 0x0b, 0x41, 0x7b, 0x0b, 0x0b, 0x0b, 0x01, 0x00, 0x41, 0xc8, 0x01,
    0x0b, 0x04, 0x64, 0x61, 0x74, 0x61,
};
enum { UNREACHABLE = 1, INSIDE, OUTSIDE, DIVIDE, RECURSE, GROW, FILL, STORE, COUNT, DATA, DEEP = 100 };

static uint64_t arena[1 << 17];
static uint8_t octets[65536];
static struct ipa_wasm *wasm;

static int open_with(const uint8_t *module, size_t module_len, size_t len) {
    struct ipa_wasm_image image = { module, (uint32_t)module_len, NULL, 0, 4096, 1024 };
    return ipa_wasm_open(&wasm, &image, arena, len);
}

static int step(int32_t arg, int32_t *result) {
    *result = 0x55555555;
    return ipa_wasm_call(wasm, IPA_WASM_STEP, arg, result);
}

TEST(exports_answer) {
    int32_t value;
    CHECK_INT(open_with(trouble, sizeof trouble, sizeof arena), IPA_OK);
    CHECK_INT(ipa_wasm_call(wasm, IPA_WASM_ABI, 0, &value), IPA_OK);
    CHECK_INT(value, 65536);
    CHECK_INT(ipa_wasm_call(wasm, IPA_WASM_MAILBOX, 0, &value), IPA_OK);
    CHECK_INT(value, 64);
    CHECK_INT(ipa_wasm_call(wasm, IPA_WASM_CAPACITY, 0, &value), IPA_OK);
    CHECK_INT(value, 1024);
    CHECK_INT(ipa_wasm_call(wasm, IPA_WASM_MEMORY, 0, &value), IPA_OK);
    CHECK_INT(value, 4096);
    CHECK_INT(step(0, &value), IPA_OK);
    CHECK_INT(value, -5);
    CHECK(strcmp(ipa_wasm_problem(wasm), "") == 0);
    CHECK_INT(ipa_wasm_call(wasm, (enum ipa_wasm_export)99, 0, &value), IPA_ERR_INVALID);
    ipa_wasm_close(wasm);
}

TEST(memory_ends_where_the_image_says) {
    int32_t value;
    CHECK_INT(open_with(trouble, sizeof trouble, sizeof arena), IPA_OK);
    ipa_wasm_memory(wasm, 4095, 1)[0] = 77;
    CHECK_INT(step(INSIDE, &value), IPA_OK);
    CHECK_INT(value, 77);
    CHECK_INT(step(OUTSIDE, &value), IPA_ERR_WASM_TRAP);
    CHECK_INT(step(FILL, &value), IPA_ERR_WASM_TRAP);
    CHECK_INT(step(STORE, &value), IPA_ERR_WASM_TRAP);
    CHECK(ipa_wasm_memory(wasm, 0, 4096) != NULL);
    CHECK(ipa_wasm_memory(wasm, 4096, 0) != NULL);
    CHECK(ipa_wasm_memory(wasm, 0, 4097) == NULL);
    CHECK(ipa_wasm_memory(wasm, 4096, 1) == NULL);
    CHECK(ipa_wasm_memory(wasm, 1, 0xFFFFFFFF) == NULL);
    CHECK(ipa_wasm_memory(wasm, 0xFFFFFFFF, 2) == NULL);
    ipa_wasm_close(wasm);
}

TEST(traps_are_told_in_words_and_end_only_the_call) {
    int32_t value;
    CHECK_INT(open_with(trouble, sizeof trouble, sizeof arena), IPA_OK);
    CHECK_INT(step(UNREACHABLE, &value), IPA_ERR_WASM_TRAP);
    CHECK(strstr(ipa_wasm_problem(wasm), "unreachable") != NULL);
    CHECK_INT(step(DIVIDE, &value), IPA_ERR_WASM_TRAP);
    CHECK(strstr(ipa_wasm_problem(wasm), "divide by zero") != NULL);
    CHECK_INT(step(0, &value), IPA_OK);
    ipa_wasm_close(wasm);
}

TEST(endless_recursion_ends_in_a_trap_whatever_the_vm_stack) {
    int32_t value;
    struct ipa_wasm_image image = { trouble, sizeof trouble, NULL, 0, 4096, 1024 };
    CHECK_INT(open_with(trouble, sizeof trouble, sizeof arena), IPA_OK);
    CHECK_INT(step(DEEP + 20, &value), IPA_OK);
    CHECK_INT(value, 20);
    CHECK_INT(step(RECURSE, &value), IPA_ERR_WASM_STACK);
    ipa_wasm_close(wasm);
    image.stack_len = 600000;           /* more than the native stack that a call may take: its floor is what ends it */
    CHECK_INT(ipa_wasm_open(&wasm, &image, arena, sizeof arena), IPA_OK);
    CHECK_INT(step(RECURSE, &value), IPA_ERR_WASM_STACK);
    CHECK_INT(step(DEEP + 20, &value), IPA_OK);
    ipa_wasm_close(wasm);
}

TEST(memory_does_not_grow) {
    int32_t value;
    CHECK_INT(open_with(trouble, sizeof trouble, sizeof arena), IPA_OK);
    CHECK_INT(step(GROW, &value), IPA_OK);
    CHECK_INT(value, -1);
    CHECK(ipa_wasm_memory(wasm, 4096, 1) == NULL);
    ipa_wasm_close(wasm);
}

TEST(reset_is_as_after_open_and_takes_no_more_memory) {
    int32_t value, first;
    CHECK_INT(open_with(trouble, sizeof trouble, sizeof arena), IPA_OK);
    size_t used = ipa_wasm_used(wasm);
    CHECK_INT(step(DATA, &first), IPA_OK);
    for (int i = 0; i < 100; i++) {
        CHECK_INT(step(COUNT, &value), IPA_OK);
        CHECK_INT(value, 8);
        ipa_wasm_memory(wasm, 3000, 1)[0] = 1;
        CHECK_INT(step(i % 2 ? UNREACHABLE : RECURSE, &value), i % 2 ? IPA_ERR_WASM_TRAP : IPA_ERR_WASM_STACK);
        CHECK_INT(ipa_wasm_reset(wasm), IPA_OK);
        CHECK_INT(ipa_wasm_memory(wasm, 3000, 1)[0], 0);
        CHECK_INT(step(DATA, &value), IPA_OK);
        CHECK_INT(value, first);
    }
    CHECK_INT(ipa_wasm_used(wasm), used);
    ipa_wasm_close(wasm);
}

TEST(too_little_memory_of_any_size_is_named) {
    int32_t value;
    size_t enough = 0;
    struct ipa_wasm_image image = { trouble, sizeof trouble, NULL, 0, 4096, 1024 };
    for (size_t len = 0; enough == 0 && len < sizeof arena; len += 64) {
        /* Memory of just this size, so that an octet too many is seen. */
        void *at = malloc(len > 0 ? len : 1);
        int r = ipa_wasm_open(&wasm, &image, at, len);
        if (r == IPA_OK) enough = len;
        else CHECK_INT(r, IPA_ERR_NO_MEM);
        if (r == IPA_OK) CHECK_INT(step(0, &value), IPA_OK);
        if (len < 64) CHECK(wasm == NULL);
        free(at);
    }
    CHECK(enough >= ipa_wasm_need(&image) && enough < ipa_wasm_need(&image) + 64);
}

TEST(what_is_no_agent_is_refused) {
    static const uint8_t empty[] = { 0, 'a', 's', 'm', 1, 0, 0, 0 };
    CHECK_INT(open_with(empty, sizeof empty, sizeof arena), IPA_ERR_WASM_REFUSED);
    CHECK(strcmp(ipa_wasm_problem(wasm), "") != 0);
    CHECK_INT(open_with((const uint8_t *)"no wasm", 7, sizeof arena), IPA_ERR_WASM_REFUSED);
    memcpy(octets, trouble, sizeof trouble);
    for (size_t i = 0; i + 8 < sizeof trouble; i++) if (memcmp(octets + i, "ipa_step", 8) == 0) octets[i] = 'x';
    CHECK_INT(open_with(octets, sizeof trouble, sizeof arena), IPA_ERR_WASM_REFUSED);
    struct ipa_wasm_image image = { trouble, sizeof trouble, NULL, 0, 4096, 1024 };
    CHECK_INT(ipa_wasm_open(&wasm, &image, (uint8_t *)arena + 4, sizeof arena - 8), IPA_ERR_INVALID);
}

TEST(the_agent_runs_in_the_memory_that_it_was_said_to_need) {
    FILE *file = fopen("dist/tinyipa.wasm", "rb");
    uint32_t len = file == NULL ? 0 : (uint32_t)fread(octets, 1, sizeof octets, file);
    int32_t value = 0;
    if (file != NULL) fclose(file);
    struct ipa_wasm_image image = { octets, len, NULL, 0, 9216, 1024 };
    CHECK(len > 0);
    CHECK_INT(ipa_wasm_open(&wasm, &image, arena, ipa_wasm_need(&image)), IPA_OK);
    CHECK_INT(ipa_wasm_call(wasm, IPA_WASM_MEMORY, 0, &value), IPA_OK);
    CHECK(value > 0 && (uint32_t)value <= image.memory_len);
    CHECK_INT(step(1, &value), IPA_OK);
    CHECK(value < 0);                  /* an event of kind 0 is ill-formed */
    printf("# %u octets of wasm: %zu of memory, %zu were asked for\n", len, ipa_wasm_used(wasm), ipa_wasm_need(&image));
    ipa_wasm_close(wasm);
}

int main(void) {
    RUN(exports_answer);
    RUN(memory_ends_where_the_image_says);
    RUN(traps_are_told_in_words_and_end_only_the_call);
    RUN(endless_recursion_ends_in_a_trap_whatever_the_vm_stack);
    RUN(memory_does_not_grow);
    RUN(reset_is_as_after_open_and_takes_no_more_memory);
    RUN(too_little_memory_of_any_size_is_named);
    RUN(what_is_no_agent_is_refused);
    RUN(the_agent_runs_in_the_memory_that_it_was_said_to_need);
    return check_end();
}
