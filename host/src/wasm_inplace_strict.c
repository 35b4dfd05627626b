/*
 * The in-place engine, install time: the rules of WebAssembly core specification 2.0, chapters 3 and 5, that the engine itself can do without:
 * each section is read to its very end, in order and once, names are UTF-8, no two exports have one name, limits are within
 * limits, every type, segment and count is as it must be. With wasm_inplace_check.c this is whole validation for the subset.
 */
#include <string.h>

#include "ipa/err.h"
#include "wasm_inplace_parts.h"

struct strict {
    const struct ipa_wasm *w;
    struct wasm_reader r; /* the section's content */
    const char *problem;
    uint32_t types, functions, data_count; /* data_count: 0xffffffff when there is no such section */
};

static void expect(struct strict *s, int holds, const char *problem)
{
    if (!holds && s->problem == NULL) s->problem = problem;
}

static uint32_t u32(struct strict *s)
{
    return (uint32_t)ipa_wasm_strict_number(&s->r, 32, 0);
}

/* One code point by the table of RFC 3629 section 4; 0 when it is none. */
static uint32_t utf8_len(const uint8_t *p, uint32_t left)
{
    uint32_t len = p[0] < 0x80 ? 1 : p[0] >= 0xc2 && p[0] < 0xe0 ? 2 : p[0] >= 0xe0 && p[0] < 0xf0 ? 3 : p[0] >= 0xf0 && p[0] < 0xf5 ? 4 : 0, i;
    if (len == 0 || len > left) return 0;
    for (i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80) return 0;
    }
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] >= 0xa0) || (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] >= 0x90)) return 0;
    return len;
}

/* A name; gives its place and length. */
static const uint8_t *name(struct strict *s, uint32_t *len)
{
    const uint8_t *from;
    uint32_t i, one;
    *len = u32(s);
    from = s->r.p;
    if (s->r.bad || *len > (uint32_t)(s->r.end - from)) {
        s->r.bad = 1;
        *len = 0;
        return from;
    }
    for (i = 0; i < *len; i += one) {
        one = utf8_len(from + i, *len - i);
        if (one == 0) {
            expect(s, 0, "name that is no UTF-8");
            break;
        }
    }
    s->r.p += *len;
    return from;
}

static void value_type(struct strict *s)
{
    uint32_t type = ipa_wasm_u8(&s->r);
    expect(s, type == 0x7f || type == 0x7e, "type with a value that is no i32 or i64");
}

static void types(struct strict *s)
{
    uint32_t n = s->types = u32(s), i;
    for (; n != 0 && !s->r.bad; n--) {
        expect(s, ipa_wasm_u8(&s->r) == 0x60, "type that is no function type");
        for (i = u32(s); i != 0 && !s->r.bad; i--) value_type(s);
        i = u32(s);
        expect(s, i <= 1, "type with more than one result");
        for (; i != 0 && !s->r.bad; i--) value_type(s);
    }
}

static void memories(struct strict *s)
{
    uint32_t n = u32(s), flags, least, most = PAGE;
    if (n == 0) return;
    flags = ipa_wasm_u8(&s->r);
    least = u32(s);
    if (flags & 1) most = u32(s);
    expect(s, least <= PAGE && most <= PAGE && least <= most, "memory limits");
}

static void constant(struct strict *s, uint32_t op)
{
    expect(s, ipa_wasm_u8(&s->r) == op, "initialiser that is no constant of its type");
    ipa_wasm_strict_number(&s->r, op == 0x42 ? 64 : 32, 0x40);
    expect(s, ipa_wasm_u8(&s->r) == 0x0b, "initialiser that is no constant");
}

static void globals(struct strict *s)
{
    uint32_t n = u32(s), wide;
    for (; n != 0 && !s->r.bad && s->problem == NULL; n--) {
        wide = s->r.p < s->r.end && *s->r.p == 0x7e;
        value_type(s);
        expect(s, ipa_wasm_u8(&s->r) <= 1, "mutability");
        constant(s, 0x41 + wide);
    }
}

/* Whether an export between `from` and here has this name already. */
static int named_before(const struct strict *s, struct wasm_reader from, const uint8_t *text, uint32_t len)
{
    while (from.p < s->r.p && !from.bad) {
        uint32_t other = ipa_wasm_u32(&from);
        const uint8_t *at = from.p;
        if (at == text) return 0;
        if (other == len && memcmp(at, text, len) == 0) return 1;
        from.p += other;
        ipa_wasm_u8(&from);
        ipa_wasm_u32(&from);
    }
    return 0;
}

static void exports(struct strict *s)
{
    uint32_t n = u32(s), len;
    struct wasm_reader first = s->r;
    for (; n != 0 && !s->r.bad && s->problem == NULL; n--) {
        const uint8_t *text = name(s, &len);
        expect(s, !named_before(s, first, text, len), "two exports of one name");
        ipa_wasm_u8(&s->r);
        u32(s);
    }
}

static void segments(struct strict *s)
{
    uint32_t n = u32(s), len, kind;
    expect(s, s->data_count == ~0u || s->data_count == n, "data count that differs from the data section");
    s->data_count = n;
    for (; n != 0 && !s->r.bad && s->problem == NULL; n--) {
        kind = u32(s);
        expect(s, kind == 0 || kind == 2, "passive data segment");
        if (kind == 2) expect(s, u32(s) == 0, "data segment of another memory");
        expect(s, s->w->has_memory, "data segment without memory");
        constant(s, 0x41);
        len = u32(s);
        if (s->r.bad || len > (uint32_t)(s->r.end - s->r.p)) s->r.bad = 1;
        else s->r.p += len;
    }
}

static void section(struct strict *s, uint32_t id)
{
    uint32_t n, len;
    switch (id) {
    case 0:
        name(s, &len);
        s->r.p = s->r.end; /* what follows is anybody's */
        break;
    case 1: types(s); break;
    case 3:
        for (n = s->functions = u32(s); n != 0 && !s->r.bad; n--) expect(s, u32(s) < s->types, "no such type");
        break;
    case 5: memories(s); break;
    case 6: globals(s); break;
    case 7: exports(s); break;
    case 10:
        u32(s);
        s->r.p = s->r.end; /* wasm_inplace_check.c */
        break;
    case 11: segments(s); break;
    case 12: s->data_count = u32(s); break;
    default: u32(s); break; /* imports, tables, element segments: there are none */
    }
    expect(s, !s->r.bad && s->r.p == s->r.end, "section of another length than its content");
}

const char *ipa_wasm_strict(const struct ipa_wasm *w)
{
    struct strict s = {w, {w->wasm + 8, w->wasm + w->wasm_len, 0}, NULL, 0, 0, ~0u};
    const uint8_t *end = s.r.end;
    uint32_t last = 0;
    int data = 0;
    while (s.r.p < end && s.problem == NULL) {
        uint32_t id = ipa_wasm_u8(&s.r), len = u32(&s), rank = id == 12 ? 19 : id * 2; /* data count lies before code */
        if (s.r.bad || len > (uint32_t)(end - s.r.p)) return "section longer than the module";
        expect(&s, id == 0 || rank > last, "section twice, or out of order");
        if (id != 0) last = rank;
        data |= id == 11;
        s.r.end = s.r.p + len;
        section(&s, id);
        s.r.end = end;
    }
    expect(&s, data || s.data_count == ~0u || s.data_count == 0, "data count without data section");
    expect(&s, s.functions == 0 || w->sections[SECTION_CODE] != 0, "functions without code");
    return s.problem;
}
