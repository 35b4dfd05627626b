/*
 * The in-place engine, full validation: WebAssembly core specification 2.0, chapter 3 and appendix "Validation Algorithm", for the
 * integer subset (host/tool/opcodes.ts); and the side table, made from what validation knows. One walk over the module serves
 * both: with IPA_CFG_WASM_VALIDATE each load makes the table anew, function by function, and compares it with the one given;
 * ipa_wasm_inplace_make() (install time) gives it to a sink. What is refused is named.
 *
 * Left to install time (wasm_inplace_strict.c): names, limits, section ends, unused types. None of them can harm the host.
 */
#include <string.h>

#include "ipa/err.h"
#include "wasm_inplace_check.h"

/* br, br_if, br_table: each target takes its own type, and all of br_table one number of values. */
static void branches(struct check *c, uint32_t op)
{
    uint32_t from = here(c), more = 0, type = VOID, i;
    if (op != 0x0c) pop(c, I32);
    if (op == 0x0e) {
        more = u32(c);
        from = here(c);
    }
    for (i = 0; i <= more && c->problem == NULL && !c->r.bad; i++) {
        struct label *label = label_at(c, u32(c));
        uint32_t wanted = label_type(label), got;
        expect(c, i == 0 || (wanted == VOID) == (type == VOID), TEXT("br_table with targets of different results"));
        type = wanted;
        got = pop(c, type);
        if (op == 0x0d) got = type;
        push(c, got);
        jump_to(c, label, from);
    }
    if (op != 0x0d) die(c);
}

/* Instructions. */

static void call(struct check *c)
{
    uint32_t at = function_type(c, u32(c)), n, i, result;
    struct wasm_reader r, types;
    if (c->problem != NULL) return;
    r = reader_at(c, at);
    n = ipa_wasm_u32(&r);
    types = r;
    r.p += n;
    for (i = n; i-- != 0;) pop(c, types.p[i]);
    list_words(c, &r, &result);
    push(c, result);
}

static void note_width(struct check *c, uint32_t type)
{
    int wide = type == I64 && !c->label->dead;
    c->wide |= wide;
    if (c->f.flags & FN_WIDE) plain_entry(c, (uint32_t)wide);
}

static void select(struct check *c)
{
    uint32_t a, b;
    pop(c, I32);
    a = pop(c, ANY);
    b = pop(c, a);
    if (a == ANY) a = b;
    push(c, a);
    note_width(c, a);
}

static void local(struct check *c, uint32_t op)
{
    uint32_t offset, type = local_at(c, u32(c), &offset);
    if (type == 0) {
        fail(c, TEXT("no such local"));
        return;
    }
    if (op != 0x20) pop(c, type);
    if (op != 0x21) push(c, type);
}

static void global(struct check *c, uint32_t op)
{
    uint32_t index = u32(c), slot = index < c->w->fast_globals && op == 0x23 ? 0 : ipa_wasm_global_slot(c->w, index, NULL);
    uint32_t type = slot & GLOBAL_WIDE ? I64 : I32;
    if (slot >= GLOBALS_END) {
        fail(c, TEXT("no such global"));
    } else if (op == 0x23) {
        push(c, type);
    } else {
        pop(c, type);
        expect(c, (slot & GLOBAL_MUTABLE) != 0, TEXT("global is immutable"));
    }
}

static void need_memory(struct check *c)
{
    expect(c, c->w->has_memory, TEXT("no memory"));
}

static void access(struct check *c, uint32_t op)
{
    uint32_t type = ipa_wasm_accesses[op - 0x28] & ACCESS_WIDE ? I64 : I32;
    need_memory(c);
    expect(c, u32(c) <= (ipa_wasm_accesses[op - 0x28] & 3u), TEXT("alignment larger than natural"));
    u32(c);
    if (op >= 0x36) pop(c, type);
    pop(c, I32);
    if (op < 0x36) push(c, type);
}

static void prefixed(struct check *c)
{
    uint32_t op = u32(c);
    if (op != 10 && op != 11) {
        fail(c, op < 8 ? "floating point" : op < 10 ? "memory.init or data.drop" : op < 18 ? "table instruction" : "unknown instruction");
        return;
    }
    need_memory(c);
    if (op == 10) expect(c, u8(c) == 0, TEXT("memory index that is not 0"));
    expect(c, u8(c) == 0, TEXT("memory index that is not 0"));
    for (op = 0; op < 3; op++) pop(c, I32);
}

/* Operators from `first` to `last` take `n` operands of type `takes`. */
static const struct { uint8_t first, last, n, takes, gives; } operators[] = {
    {0x45, 0x45, 1, I32, I32}, {0x46, 0x4f, 2, I32, I32}, {0x50, 0x50, 1, I64, I32}, {0x51, 0x5a, 2, I64, I32},
    {0x67, 0x69, 1, I32, I32}, {0x6a, 0x78, 2, I32, I32}, {0x79, 0x7b, 1, I64, I64}, {0x7c, 0x8a, 2, I64, I64},
    {0xa7, 0xa7, 1, I64, I32}, {0xac, 0xad, 1, I32, I64}, {0xc0, 0xc1, 1, I32, I32}, {0xc2, 0xc4, 1, I64, I64}
};

/* What is refused, by the last opcode of its range. */
static const struct { uint8_t last; const char *name; } refused[] = {
    {0x0a, "exceptions"}, {0x11, "call_indirect"}, {0x15, "tail call or call by reference"}, {0x19, "exceptions"},
    {0x1c, "typed select"}, {0x1f, "exceptions"}, {0x26, "table instruction"}, {0x3e, "floating point"}, {0x40, "memory.grow"},
    {0xbf, "floating point"}, {0xcf, "unknown instruction"}, {0xd6, "reference types"}, {0xfb, "garbage collection"}, {0xfd, "SIMD"},
    {0xff, "threads"}
};

static void numeric(struct check *c, uint32_t op)
{
    uint32_t i, n;
    for (i = 0; i < sizeof operators / sizeof operators[0]; i++) {
        if (op < operators[i].first || op > operators[i].last) continue;
        for (n = operators[i].n; n != 0; n--) pop(c, operators[i].takes);
        push(c, operators[i].gives);
        return;
    }
    for (i = 0; op > refused[i].last; i++) {}
    fail(c, refused[i].name);
}

static void instruction(struct check *c)
{
    uint32_t op = u8(c);
    switch (op) {
    case 0x00: die(c); break;
    case 0x01: break;
    case BLOCK:
    case LOOP:
    case IF: begin(c, op); break;
    case ELSE: otherwise(c); break;
    case END: end_label(c); break;
    case 0x0c:
    case 0x0d:
    case 0x0e: branches(c, op); break;
    case 0x0f:
        pop(c, c->labels_end[-1].result);
        die(c);
        break;
    case 0x10: call(c); break;
    case 0x1a: note_width(c, pop(c, ANY)); break;
    case 0x1b: select(c); break;
    case 0x20:
    case 0x21:
    case 0x22: local(c, op); break;
    case 0x23:
    case 0x24: global(c, op); break;
    case 0x3f:
        need_memory(c);
        expect(c, u8(c) == 0, TEXT("memory index that is not 0"));
        push(c, I32);
        break;
    case 0x41:
        ipa_wasm_strict_number(&c->r, 32, 0x40);
        push(c, I32);
        break;
    case 0x42:
        ipa_wasm_strict_number(&c->r, 64, 0x40);
        push(c, I64);
        break;
    case 0xfc: prefixed(c); break;
    default:
        if (op >= 0x28 && op <= 0x3e && (op & 0xfe) != 0x2a && (op & 0xfe) != 0x38) access(c, op);
        else numeric(c, op);
        break;
    }
}

/* Functions. */

/* Local declarations: their words, and how many locals, parameters included, are i32 from the first on. */
static void declarations(struct check *c)
{
    struct wasm_reader r = reader_at(c, c->parameters_at);
    uint32_t n = ipa_wasm_u32(&r), words = 0, i, fast = 0, locals = n, all_fast = 1;
    for (; n != 0; n--) {
        if (ipa_wasm_u8(&r) != I32) all_fast = 0;
        fast += all_fast;
    }
    for (n = u32(c); n != 0 && !c->r.bad && c->problem == NULL; n--) {
        uint32_t count = u32(c), type = u8(c);
        expect(c, width(type) != 0, "type that is no i32 or i64");
        if (count > 255 || (words += count * width(type)) > 255) fail(c, TEXT("more than 255 words of locals"));
        if (count != 0 && type != I32) all_fast = 0;
        if (all_fast) fast += count;
        locals += count;
    }
    c->f.locals = (uint8_t)words;
    c->f.fast = (uint8_t)fast;
    if (fast > 255) fail(c, TEXT("more than 255 locals"));
    if (all_fast || c->problem != NULL) return;
    c->f.flags |= FN_MAPPED;
    plain_entry(c, locals);
    for (i = 0; i < locals; i++) {
        uint32_t offset, type = local_at(c, i, &offset);
        plain_entry(c, offset | (type == I64 ? 256 : 0));
    }
}

/* Reads one body, the reader at its local declarations. */
static void body(struct check *c, uint32_t index)
{
    struct wasm_reader r;
    uint32_t words, result;
    c->parameters_at = function_type(c, index);
    r = reader_at(c, c->parameters_at);
    words = list_words(c, &r, &result);
    if (words > 255) fail(c, TEXT("more than 255 words of parameters"));
    c->f.params = (uint8_t)words;
    list_words(c, &r, &result);
    if (result == 1) fail(c, "multi-value");
    c->f.entry = (uint16_t)c->entries;
    c->f.flags = (uint8_t)(width(result) | (c->f.flags & FN_WIDE));
    c->n_jumps = c->n_operands = c->words = c->n_labels = 0;
    c->label = c->labels_end;
    c->wide = 0;
    c->locals_at = here(c);
    declarations(c);
    c->f.start = (uint16_t)here(c);
    c->f.end = (uint16_t)(c->r.end - c->w->wasm - 1);
    open_label(c, BLOCK, result);
    while (c->n_labels != 0 && c->problem == NULL && !c->r.bad) instruction(c);
    if (c->r.bad) fail(c, TEXT("malformed instruction, or a body without end"));
    expect(c, c->r.p == c->r.end, TEXT("octets behind the end of a body"));
}

#if IPA_CFG_WASM_MAKE
static void give(struct check *c, const void *p, uint32_t len)
{
    int err;
    if (c->problem != NULL) return;
    c->size += len;
    err = c->sink(c->ctx, p, len);
    if (err < 0) {
        c->err = err;
        c->problem = "the side table could not be written";
    }
}

#endif

/* The entry in its short form; 0x80000000 + number of the long one when it doesn't fit. */
static uint32_t encoded(struct check *c, uint32_t index, uint32_t out[3])
{
    const struct jump *jump = c->jumps + index;
    int32_t octets = (int32_t)jump->to - jump->from, skip = (int32_t)jump->to_entry - (int32_t)(c->entries + index);
    if (jump->plain) return jump->to;
    if (octets >= -8192 && octets < 8192 && skip >= -2048 && skip < 2048 && jump->drop < 8) {
        return ((uint32_t)octets & 0x3fff) | ((uint32_t)skip & 0xfff) << 14 | (uint32_t)jump->drop << 26 | (uint32_t)jump->keep << 29;
    }
    out[0] = LE32((uint32_t)octets);
    out[1] = LE32((uint32_t)skip);
    out[2] = LE32((uint32_t)jump->drop | (uint32_t)jump->keep << 16);
    return 0x80000000u + c->longs++;
}

static void compare_entry(struct check *c, uint32_t at, uint32_t entry, const uint32_t far[3])
{
    uint32_t number = entry & 0x7fffffffu;
    int same = at < c->w->n_entries && LE32(c->w->entries[at]) == entry;
    if (same && entry >> 31) {
        same = number < c->w->n_longs
            && memcmp(c->w->entries + c->w->n_entries + number * (LONG_ENTRY / 4), far, LONG_ENTRY) == 0;
    }
    expect(c, same, TEXT("side table: branch entry differs from the code"));
}

static void finish(struct check *c, uint32_t index)
{
    uint32_t i, far[3] = {0, 0, 0};
    struct wasm_fn f = c->f;
    for (i = 0; i < c->n_jumps && c->problem == NULL; i++) {
        uint32_t entry = encoded(c, i, far);
#if IPA_CFG_WASM_MAKE
        uint32_t octets = LE32(entry);
#endif
        if (c->pass == PASS_COMPARE) compare_entry(c, c->entries + i, entry, far);
#if IPA_CFG_WASM_MAKE
        if (c->pass == PASS_ENTRIES) give(c, &octets, 4);
        if (c->pass == PASS_LONGS && entry >> 31) give(c, far, LONG_ENTRY);
#endif
    }
    c->entries += c->n_jumps;
    if (c->entries > MODULE_MAX) fail(c, TEXT("more than 65535 places to branch from"));
    f.start = LE16(f.start);
    f.end = LE16(f.end);
    f.entry = LE16(f.entry);
#if IPA_CFG_WASM_MAKE
    if (c->pass == PASS_FUNCTIONS) give(c, &f, sizeof f);
#endif
    if (c->pass == PASS_COMPARE) expect(c, memcmp(&f, c->w->functions + index, sizeof f) == 0, TEXT("side table: function differs from the code"));
}

static void functions(struct check *c, enum pass pass)
{
    struct wasm_reader r;
    uint32_t n = ipa_wasm_section(c->w, SECTION_CODE, &r), i;
    c->pass = pass;
    c->entries = c->longs = 0;
    for (i = 0; i < n && c->problem == NULL; i++) {
        uint32_t len = ipa_wasm_u32(&r);
        if (r.bad || len > (uint32_t)(c->w->wasm + c->w->code_end - r.p)) {
            fail(c, TEXT("function body longer than the code section"));
            return;
        }
        c->f.flags = 0;
        do {
            c->f.flags = (uint8_t)(c->wide ? FN_WIDE : 0);
            c->r = r;
            c->r.end = r.p + len;
            body(c, i);
        } while (c->wide && !(c->f.flags & FN_WIDE) && c->problem == NULL);
        c->wide = 0;
        finish(c, i);
        r.p += len;
    }
    if (n != 0) expect(c, r.p == c->w->wasm + c->w->code_end, TEXT("octets behind the last function body"));
}

static void exports(struct check *c)
{
    struct wasm_reader r;
    uint32_t n = ipa_wasm_section(c->w, SECTION_EXPORT, &r), globals;
    struct wasm_reader other;
    globals = ipa_wasm_section(c->w, SECTION_GLOBAL, &other);
    for (; n != 0 && c->problem == NULL; n--) {
        uint32_t len = ipa_wasm_u32(&r), kind, index;
        if (r.bad || len > (uint32_t)(r.end - r.p)) break;
        r.p += len;
        kind = ipa_wasm_u8(&r);
        index = ipa_wasm_u32(&r);
        expect(c, index < (kind == 0 ? c->w->n_functions : kind == 2 ? c->w->has_memory : kind == 3 ? globals : 0u), TEXT("export of what there is not"));
    }
    if (r.bad) fail(c, TEXT("malformed export section"));
}

static void start(struct check *c, struct ipa_wasm *w, void *scratch, size_t len)
{
    memset(c, 0, sizeof *c);
    c->w = w;
    c->err = IPA_ERR_WASM_REFUSED;
    c->jumps = scratch;
    c->operands_cap = (uint32_t)(len / 32);
    if (c->operands_cap > MODULE_MAX) c->operands_cap = MODULE_MAX;
    len = (len - c->operands_cap) & ~(size_t)3;
    c->operands = (uint8_t *)scratch + len;
    c->labels_end = (struct label *)(void *)c->operands;
    c->r.p = w->wasm;
    c->r.end = w->wasm + w->wasm_len;
    type_at(c, ~0u);
    exports(c);
}

#if IPA_CFG_WASM_VALIDATE
int ipa_wasm_validate(struct ipa_wasm *w, void *scratch, size_t len)
{
    struct check c;
    start(&c, w, scratch, len);
    functions(&c, PASS_COMPARE);
    expect(&c, c.entries == w->n_entries && c.longs == w->n_longs, TEXT("side table: more branch entries than the code has"));
    if (c.problem == NULL) return 0;
    w->problem = c.problem;
    return c.err;
}
#endif

#if IPA_CFG_WASM_MAKE
int32_t ipa_wasm_inplace_make(const uint8_t *wasm, uint32_t wasm_len, uint32_t stack_need, ipa_wasm_sink *sink, void *ctx,
                              void *scratch, size_t scratch_len, const char **problem)
{
    struct ipa_wasm w;
    struct check c;
    uint32_t header[6], i;
    int err;
    memset(&w, 0, sizeof w);
    w.wasm = wasm;
    w.wasm_len = wasm_len;
    err = ipa_wasm_sections(&w);
    *problem = err != 0 ? w.problem : ipa_wasm_strict(&w);
    if (*problem != NULL) return IPA_ERR_WASM_REFUSED;
    start(&c, &w, scratch, scratch_len);
    c.sink = sink;
    c.ctx = ctx;
    functions(&c, PASS_COUNT);
    header[0] = LE32(SIDE_MAGIC);
    header[1] = LE32(wasm_len);
    header[2] = LE32(stack_need);
    header[3] = LE32(c.entries);
    header[4] = LE32(c.longs);
    header[5] = LE32(w.n_functions);
    give(&c, header, sizeof header);
    for (i = PASS_ENTRIES; i <= PASS_FUNCTIONS && c.problem == NULL; i++) functions(&c, (enum pass)i);
    header[0] = 0;
    if (c.size & 3) give(&c, header, 4 - (c.size & 3));
    *problem = c.problem == NULL ? "" : c.problem;
    return c.problem == NULL ? (int32_t)c.size : c.err;
}
#endif
