/*
 * Mutated modules and side tables on the in-place engine: whatever they hold, no access outside linear memory, stack, globals, code
 * and table. Run under AddressSanitizer and UndefinedBehaviorSanitizer; the copies have exactly the length they need, and the gaps
 * between the parts of the arena are poisoned.
 *
 *     mutate_inplace SEED COUNT (WASM SIDE)...      each COUNT mutants in turn from the pairs; prints what became of them
 *
 * flags: -DIPA_CFG_WASM_GAP=64 -DIPA_CFG_WASM_TEXTS=1
 * sources: host/src/wasm_inplace.c host/src/wasm_inplace_load.c host/src/wasm_inplace_check.c host/src/wasm_inplace_strict.c
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sanitizer/asan_interface.h>

#include "ipa/err.h"
#include "src/wasm_inplace_parts.h"

#define PAIRS 64
#define FUEL 2000

struct octets { uint8_t *p; uint32_t len; };

static uint32_t state[2];
static uint32_t opened, refused, finished, trapped, made, steps[9];

static uint32_t chance(uint32_t below)
{
    uint64_t product;
    state[0] = 36969 * (state[0] & 0xffff) + (state[0] >> 16);
    state[1] = 18000 * (state[1] & 0xffff) + (state[1] >> 16);
    product = (uint64_t)((state[0] << 16) + state[1]) * below;
    return (uint32_t)(product >> 32);
}

static struct octets read_file(const char *path)
{
    struct octets file = {malloc(1 << 20), 0};
    FILE *in = fopen(path, "rb");
    if (in == NULL || file.p == NULL) exit(2);
    file.len = (uint32_t)fread(file.p, 1, 1 << 20, in);
    fclose(in);
    return file;
}

/* A copy of just its length, which the sanitizer watches. */
static struct octets copy(struct octets from)
{
    struct octets to = {malloc(from.len + (from.len == 0)), from.len};
    memcpy(to.p, from.p, from.len);
    return to;
}

/* Numbers at the edges of what a field may hold, and instructions. */
static const uint8_t edges[] = {0, 1, 2, 0x0b, 0x0c, 0x0d, 0x0e, 0x10, 0x1a, 0x1b, 0x20, 0x21, 0x22, 0x23, 0x24, 0x28, 0x36, 0x37, 0x41, 0x42, 0x7e, 0x7f, 0x80, 0xfc, 0xff};

static void mutate(struct octets *it, uint32_t from, uint32_t times)
{
    for (; times != 0 && it->len > from; times--) {
        uint32_t at = from + chance(it->len - from), n;
        switch (chance(6)) {
        case 0: it->p[at] ^= (uint8_t)(1u << chance(8)); break;
        case 1: it->p[at] = (uint8_t)chance(256); break;
        case 2: it->p[at] = edges[chance(sizeof edges)]; break;
        case 3: /* a run of one octet: many pushes or pops in a row */
            for (n = chance(40); n != 0 && at < it->len; n--, at++) it->p[at] = edges[chance(3) == 0 ? chance(sizeof edges) : 8 + (at & 1)];
            break;
        case 4: /* another part of itself */
            n = chance(16);
            if (at + n <= it->len && it->len > n) memmove(it->p + at, it->p + chance(it->len - n), n);
            break;
        default: it->p[at] = (uint8_t)(it->p[at] + 1 - 2 * chance(2)); break;
        }
    }
    if (chance(40) == 0 && it->len > from + 1) it->len = from + chance(it->len - from);
}

/* Nobody may touch what lies between the parts. */
static void poison_gaps(struct ipa_wasm *w, const uint8_t *end)
{
    uint8_t *globals_end = (uint8_t *)(w->globals + w->global_words), *memory_end = w->memory + w->memory_len, *stack_end = (uint8_t *)w->stack_end;
    ASAN_POISON_MEMORY_REGION(w + 1, IPA_CFG_WASM_GAP);
    ASAN_POISON_MEMORY_REGION(globals_end, (size_t)(w->memory - globals_end));
    ASAN_POISON_MEMORY_REGION(memory_end, (size_t)((uint8_t *)w->stack - memory_end));
    ASAN_POISON_MEMORY_REGION(stack_end, (size_t)(end - stack_end));
}

static void play(struct ipa_wasm *w)
{
    uint32_t n;
    ipa_wasm_inplace_fuel(w, FUEL);
    for (n = 0; n < 6; n++) {
        uint32_t index = chance(w->n_functions + 1), args[256], results[3], i;
        const struct wasm_fn *f = &w->functions[index < w->n_functions ? index : 0];
        int err;
        for (i = 0; i < 256; i++) args[i] = chance(3) == 0 ? chance(~0u) : chance(70000);
        if (n == 3) ipa_wasm_reset(w);
        if (n >= 4 && chance(2) == 0) {
            int32_t value;
            err = ipa_wasm_call(w, (enum ipa_wasm_export)chance(5), (int32_t)args[0], &value);
        } else {
            err = index < w->n_functions ? ipa_wasm_inplace_call(w, index, args, f->params, results, f->flags & FN_RESULTS)
                                         : ipa_wasm_inplace_call(w, index, args, 1, results, 1);
        }
        if (err == 0) finished++;
        else trapped++;
        if (strlen(ipa_wasm_problem(w)) > 100) abort();
        for (i = 0; err != 0 && i < 8; i++) steps[i] += strcmp(ipa_wasm_problem(w), (const char *[]){"unreachable", "out of bounds memory access", "integer divide by zero", "integer overflow", "invalid code or side table", "instruction outside the subset", "call stack exhausted", "fuel exhausted"}[i]) == 0;
    }
}

static int count_octets(void *ctx, const void *p, uint32_t len)
{
    *(uint32_t *)ctx += len;
    return p == NULL;
}

static void try_pair(struct octets wasm_base, struct octets side_base)
{
    struct octets wasm = copy(wasm_base), side = copy(side_base);
    uint32_t kind = chance(4), stack = LE32(((const side_word *)(const void *)side_base.p)[2]);
    size_t len;
    struct ipa_wasm_image image;
    struct ipa_wasm *w = NULL;
    uint8_t *arena;
    int err;
    if (kind != 0) mutate(&wasm, chance(4) == 0 ? 0 : wasm.len / 20, 1 + chance(8)); /* mostly behind the types */
    if (kind != 1) mutate(&side, chance(10) == 0 ? 0 : SIDE_HEADER, 1 + chance(12));
    if (kind == 3 && side.len >= SIDE_HEADER) { /* a bound that is wrong */
        uint32_t bound = chance(stack + 64);
        memcpy(side.p + 8, &bound, 4);
        stack = bound < 40 ? 40 : bound & ~3u;
    }
    if (stack == 0) stack = 2048;
    image.memory_len = chance(8) == 0 ? chance(70000) : chance(4) == 0 ? 8352 : 65536;
    {
        struct octets exact_wasm = copy(wasm), exact_side = copy(side); /* shortened ones too */
        image.wasm = exact_wasm.p;
        image.wasm_len = exact_wasm.len;
        image.side = exact_side.p;
        image.side_len = exact_side.len;
        image.stack_len = stack;
        len = sizeof(struct ipa_wasm) + 1024 + image.memory_len + stack;
        len = (len + 7) & ~(size_t)7;
        arena = malloc(len);
        err = ipa_wasm_open(&w, &image, arena, len);
        if (err == 0) {
            opened++;
            poison_gaps(w, arena + len);
            play(w);
            ipa_wasm_close(w);
            ASAN_UNPOISON_MEMORY_REGION(arena, len);
        } else {
            refused++;
            if (w != NULL && strlen(ipa_wasm_problem(w)) == 0) abort();
        }
        if (kind != 0 && chance(4) == 0) {
            uint32_t size = 0;
            const char *problem;
            int32_t made_len = ipa_wasm_inplace_make(image.wasm, image.wasm_len, 0, count_octets, &size, arena, len & ~(size_t)7, &problem);
            if (made_len >= 0) made++;
            if (made_len >= 0 ? (uint32_t)made_len != size : problem[0] == 0) abort();
        }
        free(exact_wasm.p);
        free(exact_side.p);
    }
    free(arena);
    free(wasm.p);
    free(side.p);
}

int main(int argc, char **argv)
{
    struct octets pairs[2 * PAIRS];
    uint32_t n = 0, count, i;
    if (argc < 5) return 2;
    state[0] = (uint32_t)strtoul(argv[1], NULL, 10) + 1;
    state[1] = 362436069u;
    count = (uint32_t)strtoul(argv[2], NULL, 10);
    for (; (int)n + 3 < argc && n < 2 * PAIRS; n++) pairs[n] = read_file(argv[n + 3]);
    for (i = 0; i < count; i++) {
        uint32_t which = chance(n / 2);
        try_pair(pairs[2 * which], pairs[2 * which + 1]);
    }
    printf("%u mutants: %u opened, %u refused; calls: %u finished, %u trapped (", (unsigned)count, (unsigned)opened, (unsigned)refused, (unsigned)finished, (unsigned)trapped);
    for (i = 0; i < 8; i++) printf("%u%s", (unsigned)steps[i], i == 7 ? "" : " ");
    printf("); %u tables made\n", (unsigned)made);
    for (i = 0; i < n; i++) free(pairs[i].p);
    return 0;
}
