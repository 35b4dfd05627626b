/*
 * Unit tests of the in-place engine (host/src/wasm_inplace*.c) through wasm.h, with modules made by hand: memory and stack of just the
 * size that is needed, traps that are survived, resets, two instances, what is refused by name.
 * flags: -DIPA_CFG_WASM_VALIDATE=1 -DIPA_CFG_WASM_TEXTS=1
 * sources: host/src/wasm_inplace.c host/src/wasm_inplace_load.c host/src/wasm_inplace_check.c host/src/wasm_inplace_strict.c
 */
#include <stdlib.h>

#include "check.h"
#include "ipa/err.h"
#include "src/wasm_inplace_parts.h"

/*
 * A page of memory with "\7\1" at 16, one i32 global 5, ipa_step(n): 0 counts the global and the octet at 17 up, and gives the sum;
 * 1 unreachable; 2 loads behind the memory; 3 recurses; 4 loops without end; 5 fills 8000 octets; else divides by n - 6.
 */
static const uint8_t module[] = {
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x06, 0x01, 0x60, 0x01, 0x7f, 0x01, 0x7f, 0x03, 0x02, 0x01, 0x00, 0x05, 0x04, 0x01, 0x01,
    0x01, 0x01, 0x06, 0x06, 0x01, 0x7f, 0x01, 0x41, 0x05, 0x0b, 0x07, 0x0c, 0x01, 0x08, 0x69, 0x70, 0x61, 0x5f, 0x73, 0x74, 0x65, 0x70, 0x00, 0x00,
    0x0a, 0x69, 0x01, 0x67, 0x00, 0x02, 0x40, 0x02, 0x40, 0x02, 0x40, 0x02, 0x40, 0x02, 0x40, 0x02, 0x40, 0x02, 0x40, 0x20, 0x00, 0x0e, 0x06, 0x00,
    0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0b, 0x23, 0x00, 0x41, 0x01, 0x6a, 0x24, 0x00, 0x41, 0x10, 0x41, 0x10, 0x2d, 0x00, 0x01, 0x41, 0x01, 0x6a,
    0x3a, 0x00, 0x01, 0x23, 0x00, 0x41, 0x10, 0x2d, 0x00, 0x01, 0x6a, 0x0f, 0x0b, 0x00, 0x0b, 0x41, 0xff, 0xff, 0x03, 0x28, 0x02, 0x00, 0x0f, 0x0b,
    0x20, 0x00, 0x10, 0x00, 0x0f, 0x0b, 0x03, 0x40, 0x0c, 0x00, 0x0b, 0x0b, 0x41, 0x00, 0x41, 0x01, 0x41, 0xc0, 0x3e, 0xfc, 0x0b, 0x00, 0x41, 0x09,
    0x0f, 0x0b, 0x41, 0x2a, 0x20, 0x00, 0x41, 0x06, 0x6b, 0x6d, 0x0b, 0x0b, 0x08, 0x01, 0x00, 0x41, 0x10, 0x0b, 0x02, 0x07, 0x01,
};
enum { COUNT, UNREACHABLE, OUTSIDE, RECURSE, LOOP, FILL, DIVIDE };

static uint64_t arena[1200], other_arena[1200], scratch[512];
static uint32_t side[256], side_len;
static struct ipa_wasm *wasm;

static int take(void *ctx, const void *p, uint32_t len)
{
    (void)ctx;
    if (len > sizeof side - side_len) return IPA_ERR_NO_MEM;
    memcpy((uint8_t *)side + side_len, p, len);
    side_len += len;
    return 0;
}

static void make(uint32_t stack_need)
{
    const char *problem;
    side_len = 0;
    CHECK(ipa_wasm_inplace_make(module, sizeof module, stack_need, take, NULL, scratch, sizeof scratch, &problem) > 0);
    CHECK(strcmp(problem, "") == 0);
}

static int open_in(struct ipa_wasm **at, void *memory, size_t len, uint32_t memory_len)
{
    struct ipa_wasm_image image = {module, sizeof module, (const uint8_t *)side, side_len, memory_len, 256};
    return ipa_wasm_open(at, &image, memory, len);
}

static void start(void)
{
    make(0);
    CHECK_INT(open_in(&wasm, arena, sizeof arena, 8192), IPA_OK);
}

static int step(int32_t what)
{
    int32_t result = 0;
    int err = ipa_wasm_call(wasm, IPA_WASM_STEP, what, &result);
    return err != 0 ? err : result;
}

TEST(traps_are_named_and_survived)
{
    start();
    CHECK_INT(step(UNREACHABLE), IPA_ERR_WASM_TRAP);
    CHECK(strcmp(ipa_wasm_problem(wasm), "unreachable") == 0);
    CHECK_INT(step(OUTSIDE), IPA_ERR_WASM_TRAP);
    CHECK(strcmp(ipa_wasm_problem(wasm), "out of bounds memory access") == 0);
    CHECK_INT(step(RECURSE), IPA_ERR_WASM_STACK);
    CHECK(strcmp(ipa_wasm_problem(wasm), "call stack exhausted") == 0);
    CHECK_INT(step(LOOP), IPA_ERR_WASM_FUEL);
    CHECK(strcmp(ipa_wasm_problem(wasm), "fuel exhausted") == 0);
    CHECK_INT(step(DIVIDE), IPA_ERR_WASM_TRAP);
    CHECK(strcmp(ipa_wasm_problem(wasm), "integer divide by zero") == 0);
    CHECK_INT(step(DIVIDE + 2), 21);
    CHECK(strcmp(ipa_wasm_problem(wasm), "") == 0);
}

TEST(a_reset_gives_globals_data_and_zeroes_again)
{
    start();
    CHECK_INT(step(COUNT), 8); /* 6 + 2 */
    CHECK_INT(step(COUNT), 10);
    memset(ipa_wasm_memory(wasm, 0, 8192), 0xff, 8192);
    CHECK_INT(ipa_wasm_reset(wasm), IPA_OK);
    CHECK_INT(step(COUNT), 8);
    CHECK_INT(ipa_wasm_memory(wasm, 0, 8192)[0], 0);
    CHECK_INT(ipa_wasm_memory(wasm, 0, 8192)[8191], 0);
    CHECK_INT(ipa_wasm_memory(wasm, 16, 1)[0], 7);
}

TEST(two_instances_know_nothing_of_each_other)
{
    struct ipa_wasm *first;
    start();
    first = wasm;
    CHECK_INT(open_in(&wasm, other_arena, sizeof other_arena, 8192), IPA_OK);
    CHECK_INT(step(COUNT), 8);
    CHECK_INT(step(COUNT), 10);
    CHECK_INT(step(UNREACHABLE), IPA_ERR_WASM_TRAP);
    wasm = first;
    CHECK(strcmp(ipa_wasm_problem(wasm), "") == 0);
    CHECK_INT(step(COUNT), 8);
}

TEST(only_the_memory_that_is_backed_may_be_touched)
{
    make(0);
    CHECK_INT(open_in(&wasm, arena, sizeof arena, 8000), IPA_OK);
    CHECK_INT(step(FILL), 9);
    CHECK(ipa_wasm_memory(wasm, 0, 8000) != NULL);
    CHECK(ipa_wasm_memory(wasm, 8000, 0) != NULL);
    CHECK(ipa_wasm_memory(wasm, 7999, 2) == NULL);
    CHECK(ipa_wasm_memory(wasm, 1, 0xffffffffu) == NULL);
    CHECK_INT(open_in(&wasm, arena, sizeof arena, 7999), IPA_OK);
    CHECK_INT(step(FILL), IPA_ERR_WASM_TRAP);
    CHECK_INT(open_in(&wasm, arena, sizeof arena, 17), IPA_ERR_WASM_REFUSED);
    CHECK(strcmp(ipa_wasm_problem(wasm), "data outside memory") == 0);
}

TEST(the_memory_given_must_suffice_and_no_more_is_taken)
{
    size_t used;
    start();
    used = ipa_wasm_used(wasm);
    CHECK_INT(open_in(&wasm, arena, used, 8192), IPA_OK);
    CHECK_INT(open_in(&wasm, arena, used - 1, 8192), IPA_ERR_NO_MEM);
    CHECK(strcmp(ipa_wasm_problem(wasm), "memory too small") == 0);
    CHECK_INT(open_in(&wasm, arena, 8, 8192), IPA_ERR_NO_MEM);
    CHECK(wasm == NULL);
    CHECK_INT(open_in(&wasm, (uint8_t *)arena + 1, sizeof arena - 1, 8192), IPA_OK); /* it aligns itself */
    CHECK_INT(step(COUNT), 8);
}

TEST(a_stack_below_the_side_tables_bound_is_refused)
{
    make(256);
    CHECK_INT(open_in(&wasm, arena, sizeof arena, 8192), IPA_OK);
    make(257);
    CHECK_INT(open_in(&wasm, arena, sizeof arena, 8192), IPA_ERR_WASM_STACK);
}

TEST(every_changed_octet_of_the_side_table_is_refused)
{
    uint32_t at;
    make(0);
    for (at = 0; at < side_len; at++) {
        if (at >= 8 && at < 12) continue; /* the stack bound */
        if (at >= side_len - 2) continue; /* padding */
        ((uint8_t *)side)[at] ^= 0x10;
        CHECK_INT(open_in(&wasm, arena, sizeof arena, 8192), IPA_ERR_WASM_REFUSED);
        ((uint8_t *)side)[at] ^= 0x10;
    }
    side[2] = 0;
    CHECK_INT(open_in(&wasm, arena, sizeof arena, 8192), IPA_OK);
}

TEST(missing_exports_are_invalid)
{
    int32_t result;
    start();
    CHECK_INT(ipa_wasm_call(wasm, IPA_WASM_ABI, 0, &result), IPA_ERR_INVALID);
    ipa_wasm_close(wasm);
    CHECK_INT(ipa_wasm_call(wasm, IPA_WASM_STEP, 0, &result), IPA_ERR_INVALID);
    CHECK(ipa_wasm_memory(wasm, 0, 1) == NULL);
}

TEST(fuel_counts_branches_and_calls_and_octets_by_sixteen)
{
    start();
    CHECK_INT(step(FILL), 9);
    CHECK_INT((int32_t)IPA_CFG_FUEL - ipa_wasm_inplace_fuel_left(wasm), 1 + 8000 / 16);
    ipa_wasm_inplace_fuel(wasm, 500);
    CHECK_INT(step(FILL), IPA_ERR_WASM_FUEL);
    ipa_wasm_inplace_fuel(wasm, 501);
    CHECK_INT(step(FILL), 9);
}

int main(void)
{
    RUN(traps_are_named_and_survived);
    RUN(a_reset_gives_globals_data_and_zeroes_again);
    RUN(two_instances_know_nothing_of_each_other);
    RUN(only_the_memory_that_is_backed_may_be_touched);
    RUN(the_memory_given_must_suffice_and_no_more_is_taken);
    RUN(a_stack_below_the_side_tables_bound_is_refused);
    RUN(every_changed_octet_of_the_side_table_is_refused);
    RUN(missing_exports_are_invalid);
    RUN(fuel_counts_branches_and_calls_and_octets_by_sixteen);
    return check_end();
}
