/*
 * Runs modules on the in-place engine for tests in TypeScript (host/tool/spec-driver.ts): one command a line on stdin, one
 * answer a line on stdout. Numbers are hexadecimal, octets are hex digits, "-" is none. Answers begin with the result code.
 *
 *     open MEMORY STACK WASM SIDE       code used problem       (SIDE "-": made here, by ipa_wasm_inplace_make)
 *     make WASM                         code SIDE problem
 *     call FUNCTION RESULTS WORD...     code fuel-left WORD... or problem
 *     step ARG                          code result problem     (ipa_wasm_call, IPA_WASM_STEP)
 *     export K                          code result problem
 *     write AT OCTETS | read AT LENGTH | hash | reset | fuel N | global INDEX | setglobal INDEX VALUE | stack
 *
 * flags: -DIPA_CFG_WASM_TEXTS=1
 * sources: host/src/wasm_inplace.c host/src/wasm_inplace_load.c host/src/wasm_inplace_check.c host/src/wasm_inplace_strict.c
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipa/err.h"
#include "src/wasm_inplace_parts.h"

#define LINE (1u << 20)
#define PAINT 0xa5

static char line[LINE];
static uint32_t wasm[16384], side[131072], scratch[131072];
static uint8_t *arena;
static size_t arena_len;
static struct ipa_wasm *instance;

static char *word(char **at)
{
    char *from = *at + strspn(*at, " \n"), *end = from + strcspn(from, " \n");
    if (*end != 0) *end++ = 0;
    *at = end;
    return from;
}

static uint32_t number(char **at)
{
    return (uint32_t)strtoul(word(at), NULL, 16);
}

static int digit(char c)
{
    return c <= '9' ? c - '0' : (c | 32) - 'a' + 10;
}

static uint32_t octets(char **at, void *to, size_t cap)
{
    const char *text = word(at);
    uint32_t n = 0;
    if (*text == '-') return 0;
    for (; text[0] != 0 && text[1] != 0; text += 2, n++) {
        if (n >= cap) exit(3);
        ((uint8_t *)to)[n] = (uint8_t)(digit(text[0]) << 4 | digit(text[1]));
    }
    return n;
}

static void print_octets(const uint8_t *p, uint32_t n)
{
    if (n == 0) putchar('-');
    for (; n != 0; n--) printf("%02x", *p++);
}

struct output { uint32_t len; };

static int take(void *ctx, const void *p, uint32_t len)
{
    struct output *out = ctx;
    if (len > sizeof side - out->len) return IPA_ERR_NO_MEM;
    memcpy((uint8_t *)side + out->len, p, len);
    out->len += len;
    return 0;
}

static int32_t make_side(uint32_t wasm_len, uint32_t stack, const char **problem)
{
    struct output out = {0};
    return ipa_wasm_inplace_make((uint8_t *)wasm, wasm_len, stack, take, &out, scratch, sizeof scratch, problem);
}

static void open_module(char *at)
{
    uint32_t memory = number(&at), stack = number(&at), wasm_len = octets(&at, wasm, sizeof wasm);
    const char *problem = "";
    int32_t side_len = (int32_t)octets(&at, side, sizeof side);
    struct ipa_wasm_image image = {NULL, 0, NULL, 0, 0, 0};
    uint8_t *exact_wasm = malloc(wasm_len + 1);
    static uint8_t *last_wasm;
    static uint32_t *last_side;
    free(last_wasm);
    free(last_side);
    free(arena);
    instance = NULL;
    if (side_len == 0) side_len = make_side(wasm_len, 0, &problem);
    last_wasm = exact_wasm;
    last_side = malloc((size_t)(side_len < 0 ? 0 : side_len) + 1);
    memcpy(exact_wasm, wasm, wasm_len);
    arena_len = sizeof(struct ipa_wasm) + 4096 + memory + stack;
    arena = malloc(arena_len);
    memset(arena, PAINT, arena_len);
    if (side_len < 0) {
        printf("%d 0 %s\n", (int)side_len, problem);
        return;
    }
    memcpy(last_side, side, (size_t)side_len);
    image.wasm = exact_wasm;
    image.wasm_len = wasm_len;
    image.side = (uint8_t *)last_side;
    image.side_len = (uint32_t)side_len;
    image.memory_len = memory;
    image.stack_len = stack;
    {
        int err = ipa_wasm_open(&instance, &image, arena, arena_len);
        printf("%d %x %s\n", err, instance == NULL || err != 0 ? 0 : (unsigned)ipa_wasm_used(instance), instance == NULL ? "" : ipa_wasm_problem(instance));
        if (err != 0) instance = NULL;
    }
}

static void call(char *at)
{
    uint32_t function = number(&at), results = number(&at), args[256], n = 0, got[4] = {0, 0, 0, 0}, i;
    int err;
    while (n < 256 && at[strspn(at, " \n")] != 0) args[n++] = number(&at);
    err = ipa_wasm_inplace_call(instance, function, args, n, got, results);
    printf("%d %x", err, (unsigned)ipa_wasm_inplace_fuel_left(instance));
    if (err != 0) printf(" %s", ipa_wasm_problem(instance));
    for (i = 0; err == 0 && i < results; i++) printf(" %x", (unsigned)got[i]);
    putchar('\n');
}

static void hash(void)
{
    uint32_t h = 0x811c9dc5u, i;
    for (i = 0; i < instance->memory_len; i++) h = (h ^ instance->memory[i]) * 0x01000193u;
    printf("0 %x\n", (unsigned)h);
}

static void stack_used(void)
{
    const uint8_t *from = (const uint8_t *)instance->stack, *end = (const uint8_t *)instance->stack_end;
    while (end > from && end[-1] == PAINT) end--;
    printf("0 %x\n", (unsigned)(end - from));
}

static void exported(enum ipa_wasm_export which, int32_t arg)
{
    int32_t result = 0;
    int err = ipa_wasm_call(instance, which, arg, &result);
    printf("%d %x %s\n", err, (unsigned)result, ipa_wasm_problem(instance));
}

static void memory_command(const char *name, char *at)
{
    uint32_t from = number(&at);
    if (name[0] == 'w') {
        uint32_t n = octets(&at, scratch, sizeof scratch);
        uint8_t *to = ipa_wasm_memory(instance, from, n);
        if (to != NULL && n != 0) memcpy(to, scratch, n);
        printf("%d\n", to == NULL ? IPA_ERR_INVALID : 0);
    } else {
        uint32_t n = number(&at);
        const uint8_t *p = ipa_wasm_memory(instance, from, n);
        printf("%d ", p == NULL ? IPA_ERR_INVALID : 0);
        if (p != NULL) print_octets(p, n);
        putchar('\n');
    }
}

static void make(char *at)
{
    uint32_t wasm_len = octets(&at, wasm, sizeof wasm), stack = number(&at);
    const char *problem = "";
    int32_t n = make_side(wasm_len, stack, &problem);
    printf("%d ", n < 0 ? (int)n : 0);
    if (n >= 0) print_octets((uint8_t *)side, (uint32_t)n);
    else printf("- %s", problem);
    putchar('\n');
}

static void command(char *at)
{
    const char *name = word(&at);
    if (strcmp(name, "open") == 0) open_module(at);
    else if (strcmp(name, "make") == 0) make(at);
    else if (instance == NULL) printf("%d 0 no instance\n", IPA_ERR_INVALID);
    else if (strcmp(name, "call") == 0) call(at);
    else if (strcmp(name, "step") == 0) exported(IPA_WASM_STEP, (int32_t)number(&at));
    else if (strcmp(name, "export") == 0) exported((enum ipa_wasm_export)number(&at), 0);
    else if (strcmp(name, "write") == 0 || strcmp(name, "read") == 0) memory_command(name, at);
    else if (strcmp(name, "hash") == 0) hash();
    else if (strcmp(name, "stack") == 0) stack_used();
    else if (strcmp(name, "reset") == 0) printf("%d\n", ipa_wasm_reset(instance));
    else if (strcmp(name, "fuel") == 0) ipa_wasm_inplace_fuel(instance, (int32_t)number(&at)), printf("0\n");
    else if (strcmp(name, "global") == 0) {
        uint32_t words[2] = {0, 0};
        int err = ipa_wasm_inplace_global(instance, number(&at), words);
        printf("%d %x %x\n", err, (unsigned)words[0], (unsigned)words[1]);
    } else if (strcmp(name, "setglobal") == 0) { /* an i32 at the front, or one behind wide ones */
        uint32_t slot = ipa_wasm_global_slot(instance, number(&at), NULL);
        if (slot < GLOBALS_END) instance->globals[slot & 0xffff] = number(&at);
        printf("%d\n", slot >= GLOBALS_END ? IPA_ERR_INVALID : 0);
    } else {
        printf("%d 0 unknown command\n", IPA_ERR_INVALID);
    }
}

int main(void)
{
    while (fgets(line, sizeof line, stdin) != NULL) {
        command(line);
        fflush(stdout);
    }
    return 0;
}
