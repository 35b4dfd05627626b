/*
 * The in-place engine, what full validation knows while it reads a function: types, operands, open blocks, places to branch from.
 * Only wasm_inplace_check.c includes this file.
 */
#ifndef IPA_WASM_INPLACE_CHECK_H
#define IPA_WASM_INPLACE_CHECK_H

#include <string.h>

#include "ipa/err.h"
#include "wasm_inplace_parts.h"

enum { DEAD_NOW = 1, DEAD_WHOLE = 2 };
enum { BLOCK = 2, LOOP = 3, IF = 4, ELSE = 5, END = 11 };
enum { VOID = 0x40, I32 = 0x7f, I64 = 0x7e, ANY = 0 };

/* Only what is outside the subset is named on devices; why a module is invalid, where flash is plenty. */
#if IPA_CFG_WASM_TEXTS
#define TEXT(specific) specific
#else
#define TEXT(specific) "invalid module or side table"
#endif

enum pass { PASS_COMPARE, PASS_COUNT, PASS_ENTRIES, PASS_LONGS, PASS_FUNCTIONS };

/* A place to branch from, until its function's end: from behind the opcode to where. Plain entries have plain = 1 and to = value.
 * While a jump leads to an end that is not yet known, `to` is the next such jump, 0xffff the last. */
struct jump {
    uint16_t from, to, to_entry, drop;
    uint8_t keep;
    uint8_t plain;
};

struct label {
    uint8_t kind, result;
    uint8_t any;  /* behind an unconditional branch: operands of any type may be taken */
    uint8_t dead; /* the code is never reached: bit 0 now, bit 1 as a whole */
    uint16_t height;    /* operands below it */
    uint16_t words;     /* words below it */
    uint16_t at, entry; /* of a loop */
    uint16_t pending;   /* jumps to its end */
    uint16_t otherwise; /* the jump of an if */
};

struct check {
    struct ipa_wasm *w;
    struct wasm_reader r;
    const char *problem;
    int err;
    struct jump *jumps;
    struct label *labels_end, *label; /* growing down */
    uint8_t *operands;
    uint32_t n_jumps, n_operands, operands_cap, n_labels, words;
    uint32_t parameters_at, locals_at; /* offsets of the function's type and of its local declarations */
    struct wasm_fn f;
    uint32_t entries, longs; /* so far */
    enum pass pass;
    int wide;    /* the function has a drop or select of an i64 */
    uint32_t size;
    ipa_wasm_sink *sink;
    void *ctx;
};

static void fail(struct check *c, const char *problem)
{
    if (c->problem == NULL) c->problem = problem;
}

static void expect(struct check *c, int holds, const char *problem)
{
    if (!holds) fail(c, problem);
}

static void no_room(struct check *c)
{
    if (c->problem == NULL) c->err = IPA_ERR_NO_MEM;
    fail(c, TEXT("function too large to be checked in this memory"));
}

static uint32_t u8(struct check *c)
{
    return ipa_wasm_u8(&c->r);
}

static uint32_t u32(struct check *c)
{
    return (uint32_t)ipa_wasm_strict_number(&c->r, 32, 0);
}

static struct wasm_reader reader_at(const struct check *c, uint32_t at)
{
    struct wasm_reader r = c->r;
    r.p = c->w->wasm + at;
    return r;
}

uint64_t ipa_wasm_strict_number(struct wasm_reader *r, uint32_t bits, uint32_t sign)
{
    const uint8_t *from = r->p;
    uint64_t value = ipa_wasm_number(r, sign);
    uint32_t len = (uint32_t)(r->p - from), most = (bits + 6) / 7, spare = 7 * most - bits;
    int32_t last;
    if (r->bad || len < most) return value;
    /* Of the last octet: none follows, and the bits above the number are 0, or like its sign. */
    last = (int32_t)((uint32_t)r->p[-1] << 25) >> (31 - spare + (sign == 0));
    if (len > most || r->p[-1] >= 0x80 || (last != 0 && (sign == 0 || last != -1))) r->bad = 1;
    return value;
}

static uint32_t width(uint32_t type)
{
    return type == I64 ? 2 : type == I32;
}

/* Types and functions. */

/* Checks the type section; with an index, the offset of that type's parameters, or 0. */
static uint32_t type_at(struct check *c, uint32_t index)
{
    struct wasm_reader r;
    uint32_t n = ipa_wasm_section(c->w, SECTION_TYPE, &r), part, at;
    for (; n != 0 && !r.bad; n--) {
        if (ipa_wasm_u8(&r) != 0x60) r.bad = 1;
        at = (uint32_t)(r.p - c->w->wasm);
        if (index-- == 0) return at;
        for (part = 0; part < 2; part++) {
            uint32_t count = ipa_wasm_u32(&r);
            if (count > (uint32_t)(r.end - r.p)) r.bad = 1;
            else r.p += count;
        }
    }
    if (r.bad) fail(c, TEXT("malformed type section"));
    return 0;
}

/* Offset of the parameters in the type of a function; 0 with a failure when there is none. */
static uint32_t function_type(struct check *c, uint32_t index)
{
    struct wasm_reader r;
    uint32_t at;
    if (index >= c->w->n_functions) {
        fail(c, TEXT("no such function"));
        return 0;
    }
    for (ipa_wasm_section(c->w, SECTION_FUNCTION, &r); index != 0 && r.p < r.end; r.p++) index -= *r.p < 0x80;
    at = type_at(c, ipa_wasm_u32(&r));
    if (at == 0 || r.bad) fail(c, TEXT("no such type"));
    return at;
}

/* The type of a list at r, read to its end: words of all; refuses what is no integer. */
static uint32_t list_words(struct check *c, struct wasm_reader *r, uint32_t *only)
{
    uint32_t n = ipa_wasm_u32(r), words = 0, type;
    *only = n == 0 ? VOID : n == 1 ? ANY : 1;
    for (; n != 0 && !r->bad; n--) {
        type = ipa_wasm_u8(r);
        expect(c, width(type) != 0, "type that is no i32 or i64");
        if (*only == ANY) *only = type;
        words += width(type);
    }
    if (r->bad) fail(c, TEXT("malformed type section"));
    return words;
}

/* Type of a local and its word offset; 0 when there is none. */
static uint32_t local_at(const struct check *c, uint32_t index, uint32_t *offset)
{
    struct wasm_reader r = reader_at(c, c->parameters_at);
    uint32_t n = ipa_wasm_u32(&r), type;
    *offset = 0;
    for (; n != 0; n--) {
        type = ipa_wasm_u8(&r);
        if (index-- == 0) return type;
        *offset += width(type);
    }
    r = reader_at(c, c->locals_at);
    for (n = ipa_wasm_u32(&r); n != 0 && !r.bad; n--) {
        uint32_t count = ipa_wasm_u32(&r);
        type = ipa_wasm_u8(&r);
        if (index < count) {
            *offset += index * width(type);
            return type;
        }
        *offset += count * width(type);
        index -= count;
    }
    return 0;
}

/* Operands. */

static void push(struct check *c, uint32_t type)
{
    if (type == VOID) return;
    if (c->n_operands >= c->operands_cap) {
        no_room(c);
        return;
    }
    c->operands[c->n_operands++] = (uint8_t)type;
    c->words += width(type);
}

static uint32_t pop(struct check *c, uint32_t type)
{
    uint32_t got;
    if (type == VOID) return VOID;
    if (c->n_operands == c->label->height) {
        if (!c->label->any) fail(c, TEXT("operand missing"));
        return ANY;
    }
    got = c->operands[--c->n_operands];
    c->words -= width(got);
    if (got != type && got != ANY && type != ANY) fail(c, TEXT("operand of another type"));
    return got;
}

static void cut(struct check *c)
{
    c->n_operands = c->label->height;
    c->words = c->label->words;
}

static void die(struct check *c)
{
    cut(c);
    c->label->any = 1;
    c->label->dead |= DEAD_NOW;
}

/* Entries. */

static uint32_t here(const struct check *c)
{
    return (uint32_t)(c->r.p - c->w->wasm);
}

static struct jump *reserve(struct check *c)
{
    struct jump *jump = c->jumps + c->n_jumps;
    if ((uint8_t *)(jump + 1) > (uint8_t *)c->label || c->n_jumps >= MODULE_MAX - 1) {
        no_room(c);
        jump = c->jumps;
    } else {
        c->n_jumps++;
    }
    memset(jump, 0, sizeof *jump);
    jump->plain = 1;
    return jump;
}

static void plain_entry(struct check *c, uint32_t value)
{
    reserve(c)->to = (uint16_t)value;
}

static void land(struct check *c, uint32_t index, uint32_t at)
{
    c->jumps[index].to = (uint16_t)at;
    c->jumps[index].to_entry = (uint16_t)(c->entries + c->n_jumps);
}

/* A jump to the label; an entry is made for unreachable code as well. */
static void jump_to(struct check *c, struct label *label, uint32_t from)
{
    struct jump *jump = reserve(c);
    uint32_t result = label->kind == LOOP ? 0 : width(label->result);
    if (c->label->dead || c->problem != NULL) return;
    jump->plain = 0;
    jump->from = (uint16_t)from;
    jump->drop = (uint16_t)(c->words - label->words - result);
    jump->keep = (uint8_t)(jump->drop == 0 ? 0 : result);
    if (label->kind == LOOP) {
        jump->to = label->at;
        jump->to_entry = label->entry;
    } else {
        jump->to = label->pending;
        label->pending = (uint16_t)(jump - c->jumps);
    }
}

/* Labels. */

static void open_label(struct check *c, uint32_t kind, uint32_t result)
{
    struct label *label = c->label - 1;
    if ((uint8_t *)label < (uint8_t *)(c->jumps + c->n_jumps + 1)) {
        no_room(c);
        return;
    }
    label->kind = (uint8_t)kind;
    label->result = (uint8_t)result;
    label->any = 0;
    label->dead = c->n_labels == 0 || !c->label->dead ? 0 : DEAD_WHOLE;
    label->height = (uint16_t)c->n_operands;
    label->words = (uint16_t)c->words;
    label->at = (uint16_t)here(c);
    label->entry = (uint16_t)(c->entries + c->n_jumps);
    label->pending = label->otherwise = 0xffff;
    c->label = label;
    c->n_labels++;
}

static void begin(struct check *c, uint32_t kind)
{
    uint32_t from = here(c), type = u8(c);
    expect(c, type == VOID || width(type) != 0, "block type");
    if (kind == IF) pop(c, I32);
    open_label(c, kind, type);
    if (kind == IF) {
        struct jump *jump = reserve(c);
        c->label->otherwise = (uint16_t)(jump - c->jumps);
        jump->plain = c->label->dead != 0;
        jump->from = (uint16_t)from;
        if (jump->plain) jump->from = 0;
    }
}

/* The results are there, and nothing else. */
static void close_operands(struct check *c)
{
    pop(c, c->label->result);
    expect(c, c->n_operands == c->label->height, TEXT("operands left at the end of a block"));
}

static void otherwise(struct check *c)
{
    struct label *label = c->label;
    struct jump *out;
    close_operands(c);
    expect(c, label->kind == IF, TEXT("else without if"));
    out = reserve(c);
    if (!label->dead && c->problem == NULL) {
        out->plain = 0;
        out->from = (uint16_t)here(c);
        out->to = label->pending;
        label->pending = (uint16_t)(out - c->jumps);
    }
    if (!(label->dead & DEAD_WHOLE) && c->problem == NULL) land(c, label->otherwise, here(c));
    label->kind = ELSE;
    label->any = 0;
    label->dead &= DEAD_WHOLE;
    cut(c);
}

static void end_label(struct check *c)
{
    struct label *label = c->label;
    uint32_t at = here(c) - (c->n_labels == 1), next, jump;
    close_operands(c);
    if (label->kind == IF) expect(c, label->result == VOID, TEXT("if with a result and without else"));
    for (jump = label->pending; jump != 0xffff && c->problem == NULL; jump = next) {
        next = c->jumps[jump].to;
        land(c, jump, at);
    }
    if (label->kind == IF && !(label->dead & DEAD_WHOLE) && c->problem == NULL) land(c, label->otherwise, at);
    c->n_operands = label->height;
    c->words = label->words;
    c->label++;
    if (--c->n_labels != 0) push(c, label->result);
}

static struct label *label_at(struct check *c, uint32_t depth)
{
    if (depth < c->n_labels) return c->label + depth;
    fail(c, TEXT("branch out of more blocks than there are"));
    return c->label;
}

static uint32_t label_type(const struct label *label)
{
    return label->kind == LOOP ? VOID : label->result;
}

#endif
