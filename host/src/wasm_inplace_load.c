/*
 * The in-place engine, loading: sections of the module (WebAssembly core specification 2.0, chapter 5), the side table's frame,
 * the layout of the caller's memory, instantiation and calls. Nothing of the module is copied: what a reset needs is read again.
 *
 * The caller's memory, upwards: struct ipa_wasm | globals, one word or two each | linear memory | stack.
 *
 * Checked in both builds: every section and segment lies in the module, no imports, tables, element segments or start
 * function, one memory, constant initialisers, data inside the memory that is backed; the table belongs to a module of this
 * length and number of functions, each of its functions starts and ends in the code section, at an octet `end`, and its
 * stack bound fits. Instructions, types and branch entries are left to IPA_CFG_WASM_VALIDATE, and without it to run time.
 */
#include <string.h>

#include "ipa/err.h"
#include "wasm_inplace_parts.h"

enum { OP_END = 0x0b, OP_CONST = 0x41, OP_CONST64 = 0x42, TYPE_I32 = 0x7f, TYPE_I64 = 0x7e };

static const char malformed[] = "malformed module";
static const char stack_size[] = "stack size";
static const char wrong_side[] = "wrong side table";

uint32_t ipa_wasm_u8(struct wasm_reader *r)
{
    if (r->p < r->end) return *r->p++;
    r->bad = 1;
    return 0;
}

uint64_t ipa_wasm_number(struct wasm_reader *r, uint32_t sign)
{
    const uint8_t *from = r->p, *at;
    uint64_t value;
    uint32_t b;
    do b = ipa_wasm_u8(r);
    while (b >= 0x80 && r->p - from < 10);
    value = b & sign ? ~(uint64_t)0 : 0;
    for (at = r->p; at != from;) value = value << 7 | (*--at & 0x7f);
    return value;
}

uint32_t ipa_wasm_u32(struct wasm_reader *r)
{
    return (uint32_t)ipa_wasm_number(r, 0);
}

uint32_t ipa_wasm_section(const struct ipa_wasm *w, uint32_t id, struct wasm_reader *r)
{
    r->p = w->wasm + w->sections[id];
    r->end = w->wasm + w->wasm_len;
    r->bad = 0;
    return w->sections[id] == 0 ? 0 : ipa_wasm_u32(r);
}

static int refuse(struct ipa_wasm *w, const char *what)
{
    w->problem = what;
    return IPA_ERR_WASM_REFUSED;
}

/* A constant expression: one constant of the type. */
static uint64_t constant(struct wasm_reader *r, uint32_t type)
{
    uint32_t op = ipa_wasm_u8(r);
    uint64_t value = ipa_wasm_number(r, 0x40);
    if ((type | 1) != TYPE_I32 || op + type != OP_CONST + TYPE_I32 || ipa_wasm_u8(r) != OP_END) r->bad = 1; /* 0x42 goes with 0x7e */
    return value;
}

uint32_t ipa_wasm_global_slot(const struct ipa_wasm *w, uint32_t index, uint32_t *fill)
{
    struct wasm_reader r;
    uint32_t at = 0, n = ipa_wasm_section(w, SECTION_GLOBAL, &r);
    for (; n != 0 && !r.bad; n--) {
        uint32_t type = ipa_wasm_u8(&r), mutable = ipa_wasm_u8(&r) & 1, slot = at;
        uint64_t value = constant(&r, type);
        if (fill != NULL) fill[at] = (uint32_t)value;
        at++;
        if (type == TYPE_I64) {
            if (fill != NULL) fill[at] = (uint32_t)(value >> 32);
            at++;
        }
        if (index-- == 0) return slot | mutable * GLOBAL_MUTABLE | (at - slot - 1) * GLOBAL_WIDE;
        if (at > MODULE_MAX) r.bad = 1;
    }
    return r.bad ? GLOBALS_BAD : GLOBALS_END | at;
}

/* Applies the data segments; with no memory given, checks them only. */
static int data_segments(struct ipa_wasm *w, uint8_t *memory)
{
    struct wasm_reader r;
    uint32_t n = ipa_wasm_section(w, SECTION_DATA, &r);
    for (; n != 0; n--) {
        uint32_t at, len;
        if (ipa_wasm_u32(&r) != 0) return refuse(w, "kind of data segment");
        at = (uint32_t)constant(&r, TYPE_I32);
        len = ipa_wasm_u32(&r);
        if (r.bad || len > (uint32_t)(r.end - r.p)) return refuse(w, malformed);
        if (at > w->memory_len || len > w->memory_len - at) return refuse(w, "data outside memory");
        if (memory != NULL && len != 0) memcpy(memory + at, r.p, len);
        r.p += len;
    }
    return 0;
}

/* Which functions are the agent's, by their names behind "ipa_"; the gate has seen that there are no others. */
static int take_exports(struct ipa_wasm *w)
{
    static const char names[] = "abi" "mailbox" "capacity" "memory" "step";
    static const uint8_t lengths[] = {3, 7, 8, 6, 4};
    struct wasm_reader r;
    uint32_t n = ipa_wasm_section(w, SECTION_EXPORT, &r);
    for (; n != 0; n--) {
        uint32_t len = ipa_wasm_u32(&r), kind, index, i;
        const uint8_t *text = r.p;
        const char *name = names;
        if (r.bad || len > (uint32_t)(r.end - r.p)) return refuse(w, malformed);
        r.p += len;
        kind = ipa_wasm_u8(&r);
        index = ipa_wasm_u32(&r);
        for (i = 0; i < 5; name += lengths[i++]) {
            if (kind == 0 && len == 4u + lengths[i] && memcmp(text + 4, name, lengths[i]) == 0) w->exports[i] = (uint16_t)index;
        }
    }
    return 0;
}

/* Notes where each section's content is. */
static int find_sections(struct ipa_wasm *w)
{
    struct wasm_reader r;
    if (w->wasm_len > MODULE_MAX) return refuse(w, "module too long");
    ipa_wasm_section(w, 0, &r);
    if (w->wasm_len < 8 || memcmp(w->wasm, "\0asm\1\0\0", 8) != 0) return refuse(w, "no WebAssembly module");
    r.p += 8;
    while (r.p < r.end) {
        uint32_t id = ipa_wasm_u8(&r), len = ipa_wasm_u32(&r);
        if (r.bad || id >= SECTIONS || len > (uint32_t)(r.end - r.p)) return refuse(w, malformed);
        if (id != 0) w->sections[id] = (uint16_t)(r.p - w->wasm);
        r.p += len;
        if (id == SECTION_CODE) w->code_end = (uint16_t)(r.p - w->wasm);
    }
    return 0;
}

int ipa_wasm_sections(struct ipa_wasm *w)
{
    struct wasm_reader r;
    uint32_t n;
    int err = find_sections(w);
    if (err != 0) return err;
    if (ipa_wasm_section(w, SECTION_IMPORT, &r) != 0) return refuse(w, "import");
    if (ipa_wasm_section(w, SECTION_TABLE, &r) != 0) return refuse(w, "table");
    if (ipa_wasm_section(w, SECTION_ELEMENT, &r) != 0) return refuse(w, "element segment");
    if (w->sections[SECTION_START] != 0) return refuse(w, "start function");
    w->n_functions = ipa_wasm_section(w, SECTION_FUNCTION, &r);
    n = ipa_wasm_section(w, SECTION_MEMORY, &r);
    if (n != 0) {
        if (n > 1 || ipa_wasm_u8(&r) > 1) return refuse(w, "kind of memory");
        w->has_memory = 1;
        n = ipa_wasm_u32(&r);
        if (n > 0x7fff) return refuse(w, "kind of memory");
        w->pages = (uint16_t)n;
    }
    n = ipa_wasm_global_slot(w, ~0u, NULL);
    if (n == GLOBALS_BAD) return refuse(w, "kind of global");
    w->global_words = (uint16_t)n;
    if (ipa_wasm_section(w, SECTION_GLOBAL, &r) == w->global_words) w->fast_globals = w->global_words;
    if (r.bad || ipa_wasm_section(w, SECTION_CODE, &r) != w->n_functions) return refuse(w, malformed);
    return take_exports(w);
}

static int take_side_table(struct ipa_wasm *w, const struct ipa_wasm_image *image)
{
    const side_word *side = (const side_word *)(const void *)image->side;
    uint32_t len = image->side_len, i;
    if (side == NULL || len < SIDE_HEADER || ((uintptr_t)side & 3) != 0) return refuse(w, "no side table");
    w->n_entries = LE32(side[3]);
    w->n_longs = LE32(side[4]);
    if (LE32(side[0]) != SIDE_MAGIC || LE32(side[1]) != w->wasm_len || LE32(side[5]) != w->n_functions
        || (w->n_entries | w->n_longs | w->n_functions) > MODULE_MAX
        || SIDE_HEADER + w->n_entries * 4 + w->n_longs * LONG_ENTRY + w->n_functions * sizeof(struct wasm_fn) > len) {
        return refuse(w, wrong_side);
    }
    w->entries = side + SIDE_HEADER / 4;
    w->functions = (const struct wasm_fn *)(const void *)(w->entries + w->n_entries + w->n_longs * (LONG_ENTRY / 4));
    for (i = 0; i < w->n_functions; i++) {
        const struct wasm_fn *f = &w->functions[i];
        uint32_t start = LE16(f->start), end = LE16(f->end);
        if (start < w->sections[SECTION_CODE] || end < start || end >= w->code_end || w->wasm[end] != OP_END || f->fast > f->params + f->locals) {
            return refuse(w, wrong_side);
        }
    }
    return 0;
}

int ipa_wasm_open(struct ipa_wasm **out, const struct ipa_wasm_image *image, void *at, size_t len)
{
    size_t skip = (size_t)(-(uintptr_t)at & (sizeof(void *) - 1)), memory, words = image->stack_len / 4;
    struct ipa_wasm *w;
    int err;
    *out = NULL;
    if (image->wasm == NULL || at == NULL) return IPA_ERR_INVALID;
    if (len < skip + sizeof *w) return IPA_ERR_NO_MEM;
    len -= skip;
    w = (struct ipa_wasm *)(void *)((uint8_t *)at + skip);
    memset(w, 0, sizeof *w);
    memset(w->exports, 0xff, sizeof w->exports);
    *out = w;
    w->wasm = image->wasm;
    w->wasm_len = image->wasm_len;
    w->fuel = (int32_t)IPA_CFG_FUEL;
    if ((err = ipa_wasm_sections(w)) != 0 || (err = take_side_table(w, image)) != 0) return err;
    w->problem = stack_size;
    if (words < STACK_LEAST || words > MODULE_MAX || image->stack_len < LE32(((const side_word *)(const void *)image->side)[2])) return IPA_ERR_WASM_STACK;
    w->memory_len = w->pages * PAGE;
    if (w->memory_len > image->memory_len) w->memory_len = image->memory_len;
    memory = (w->memory_len + 3u) & ~(size_t)3;
    w->problem = "memory too small";
    if (len - sizeof *w < (w->global_words + words) * 4 + memory + 3 * IPA_CFG_WASM_GAP) return IPA_ERR_NO_MEM;
    w->globals = (uint32_t *)(void *)((uint8_t *)(w + 1) + IPA_CFG_WASM_GAP);
    w->memory = (uint8_t *)(w->globals + w->global_words) + IPA_CFG_WASM_GAP;
    w->stack = (uint32_t *)(void *)(w->memory + memory + IPA_CFG_WASM_GAP);
    w->stack_end = w->stack + words;
    if ((err = data_segments(w, NULL)) != 0) return err;
#if IPA_CFG_WASM_VALIDATE
    err = ipa_wasm_validate(w, w->memory, (size_t)((uint8_t *)w->stack_end - w->memory)); /* both are still free */
    if (err != 0) return err;
#endif
    return ipa_wasm_reset(w);
}

/* Nothing of the module is read: its signature may not be checked yet. So the globals are a guess that the board can change. */
size_t ipa_wasm_need(const struct ipa_wasm_image *image)
{
    return sizeof(struct ipa_wasm) + 2 * sizeof(void *) + (IPA_CFG_WASM_GLOBALS + image->stack_len / 4 + 1) * 4 + image->memory_len + 3 * IPA_CFG_WASM_GAP;
}

int ipa_wasm_reset(struct ipa_wasm *w)
{
    w->problem = "";
    memset(w->memory, 0, w->memory_len);
    ipa_wasm_global_slot(w, ~0u, w->globals);
    return data_segments(w, w->memory);
}

/* The function is there and has this type; then its parameters go to the bottom of the stack, and its results come from there. */
static uint32_t *bottom_for(struct ipa_wasm *w, uint32_t index, uint32_t args_len, uint32_t results_len)
{
    const struct wasm_fn *f = &w->functions[index];
    w->problem = "no such function";
    return index < w->n_functions && f->params == args_len && (f->flags & FN_RESULTS) == results_len ? w->stack + GUARD_WORDS : NULL;
}

int ipa_wasm_call(struct ipa_wasm *w, enum ipa_wasm_export fn, int32_t arg, int32_t *result)
{
    uint32_t *bottom = bottom_for(w, w->exports[fn], fn == IPA_WASM_STEP, 1);
    int err;
    if (bottom == NULL) return IPA_ERR_INVALID;
    *bottom = (uint32_t)arg;
    w->problem = "";
    err = ipa_wasm_run(w, w->exports[fn]);
    *result = (int32_t)*bottom;
    return err;
}

int ipa_wasm_inplace_call(struct ipa_wasm *w, uint32_t index, const uint32_t *args, uint32_t args_len,
                          uint32_t *results, uint32_t results_len)
{
    uint32_t *bottom = bottom_for(w, index, args_len, results_len);
    int err;
    if (bottom == NULL) return IPA_ERR_INVALID;
    w->problem = stack_size;
    if (args_len + STACK_LEAST > (uint32_t)(w->stack_end - w->stack)) return IPA_ERR_WASM_STACK;
    w->problem = "";
    if (args_len != 0) memcpy(bottom, args, args_len * sizeof *args);
    err = ipa_wasm_run(w, index);
    if (err == 0 && results_len != 0) memcpy(results, bottom, results_len * sizeof *results);
    return err;
}

uint8_t *ipa_wasm_memory(struct ipa_wasm *w, uint32_t at, uint32_t len)
{
    return at <= w->memory_len && len <= w->memory_len - at ? w->memory + at : NULL;
}

const char *ipa_wasm_problem(const struct ipa_wasm *w)
{
    return w->problem;
}

void ipa_wasm_close(struct ipa_wasm *w)
{
    w->n_functions = 0; /* nothing can be called any more */
    w->memory_len = 0;
}

size_t ipa_wasm_used(const struct ipa_wasm *w)
{
    return (size_t)((const uint8_t *)w->stack_end - (const uint8_t *)w);
}

void ipa_wasm_inplace_fuel(struct ipa_wasm *w, int32_t fuel)
{
    w->fuel = fuel;
}

int32_t ipa_wasm_inplace_fuel_left(const struct ipa_wasm *w)
{
    return w->fuel_left;
}

int ipa_wasm_inplace_global(const struct ipa_wasm *w, uint32_t index, uint32_t words[2])
{
    uint32_t slot = ipa_wasm_global_slot(w, index, NULL);
    if (slot >= GLOBALS_END) return IPA_ERR_INVALID;
    words[0] = w->globals[slot & 0xffff];
    words[1] = slot & GLOBAL_WIDE ? w->globals[(slot & 0xffff) + 1] : 0;
    return 0;
}
