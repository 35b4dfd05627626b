/*
 * The in-place engine, execution: WebAssembly core specification 2.0, chapter 4, for the integer subset (host/tool/opcodes.ts),
 * straight from the module where it lies. Loading is in wasm_inplace_load.c, full validation in wasm_inplace_check.c.
 *
 * Stack, upwards: guard | parameters, locals | frame | operands, of which the last become the next function's parameters.
 * Everything is one word, an i64 two. `pc` and `end` are offsets into the module, `entry` counts side table entries.
 *
 * What keeps a wrong or hostile module or table inside its memory. In both builds: pc < end before each opcode (end is the
 * function's last instruction, checked at load to be the octet of `end`: no LEB runs past it, and reaching it means return);
 * room above before each push and call; every memory address; every function, local and global index; fuel in each branch and call.
 * Without IPA_CFG_WASM_VALIDATE, also (SURE): no operator reaches below its frame's operands, entries within the table,
 * the second immediate of an access within the module. An operator may read up to GUARD_WORDS below its operands before that
 * check, never write there.
 */
#include <string.h>

#include "ipa/err.h"
#include "wasm_inplace_parts.h"

enum trap {
    TRAP_NONE, TRAP_UNREACHABLE, TRAP_MEMORY, TRAP_DIVIDE, TRAP_OVERFLOW, TRAP_BROKEN, TRAP_OPCODE, TRAP_STACK, TRAP_FUEL
};

/* The specification's own words where it has some. */
static const char *const trap_names[] = {
    "", "unreachable", "out of bounds memory access", "integer divide by zero", "integer overflow",
    "invalid code or side table", "instruction outside the subset", "call stack exhausted", "fuel exhausted"
};

#if IPA_CFG_WASM_VALIDATE
#define SURE(holds) ((void)0)
#else
#define SURE(holds) do { if (!(holds)) goto broken; } while (0)
#endif


/* A number of three octets or more; how long it was in the upper half. None goes on behind the last `end`. */
static IPA_NOINLINE uint64_t long_number(const uint8_t *at, const uint8_t *end, uint32_t sign)
{
    struct wasm_reader r;
    uint32_t value;
    r.p = at;
    r.end = end;
    value = (uint32_t)ipa_wasm_number(&r, sign);
    return (uint64_t)(r.p - at) << 32 | value;
}

static uint64_t get64(const uint32_t *p)
{
    return (uint64_t)p[1] << 32 | p[0];
}

/* Linear memory is little-endian and without alignment. */
#if defined(__ARM_FEATURE_UNALIGNED) || defined(__x86_64__) || defined(__i386__) || defined(__aarch64__)
static uint32_t load32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, 4);
    return LE32(v);
}

static void store32(uint8_t *p, uint32_t v)
{
    v = LE32(v);
    memcpy(p, &v, 4);
}
#else
static uint32_t load32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void store32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
    p[2] = (uint8_t)(v >> 16);
    p[3] = (uint8_t)(v >> 24);
}
#endif

/* Counting goes bit by bit: small, and rare in the agent. */
static uint32_t popcnt32(uint32_t v)
{
    uint32_t n = 0;
    for (; v != 0; v &= v - 1) n++;
    return n;
}

static IPA_NOINLINE uint32_t clz32(uint32_t v)
{
    uint32_t n = 32;
    for (; v != 0; v >>= 1) n--;
    return n;
}

static uint32_t ctz32(uint32_t v)
{
    return popcnt32(~v & (v - 1));
}

/*
 * i64 operators on the operands at p (first operand, second at p + 2); the result goes to p. Apart, so that the rare wide
 * operators cost the loop no registers, and written for size: no 64-bit division of the compiler's library is linked.
 */
static IPA_NOINLINE void wide_unary(uint32_t op, uint32_t *p)
{
    uint32_t low = p[0], high = p[1];
    switch (op) {
    case 0x79: low = high != 0 ? clz32(high) : 32 + clz32(low); break;
    case 0x7a: low = low != 0 ? ctz32(low) : 32 + ctz32(high); break;
    case 0x7b: low = popcnt32(low) + popcnt32(high); break;
    case 0xc2: low = (uint32_t)(int32_t)(int8_t)low; break;
    case 0xc3: low = (uint32_t)(int32_t)(int16_t)low; break;
    default: break; /* 0xc4, and 0xac: i64.extend_i32_s */
    }
    p[0] = low;
    p[1] = (uint32_t)((int32_t)low >> 31); /* 0 behind the first three */
}

/* div_s 0x7f, div_u 0x80, rem_s 0x81, rem_u 0x82. */
static IPA_NOINLINE enum trap wide_divide(uint32_t op, uint64_t *result, uint64_t b)
{
    uint64_t a = *result, rest = 0;
    uint32_t n, sign = 0;
    if (b == 0) return TRAP_DIVIDE;
    if (op & 1) {
        if ((int64_t)a < 0) {
            a = -a;
            sign = 3; /* of the quotient 1, of the rest 2 */
        }
        if ((int64_t)b < 0) {
            b = -b;
            sign ^= 1;
        }
        if (op == 0x7f && sign == 2 && b == 1 && (int64_t)a < 0) return TRAP_OVERFLOW;
    }
    for (n = 64; n != 0; n--) {
        uint32_t over = (uint32_t)(rest >> 63);
        rest = rest << 1 | a >> 63;
        a <<= 1;
        if (over || rest >= b) {
            rest -= b;
            a |= 1;
        }
    }
    if (op > 0x80) {
        a = rest;
        sign >>= 1;
    }
    *result = sign & 1 ? -a : a;
    return TRAP_NONE;
}

static IPA_NOINLINE enum trap wide_binary(uint32_t op, uint32_t *p)
{
    uint64_t a = get64(p), b = get64(p + 2);
    uint32_t n;
    enum trap trap = TRAP_NONE;
    switch (op) {
    case 0x7c: a += b; break;
    case 0x7d: a -= b; break;
    case 0x7e: a *= b; break;
    case 0x83: a &= b; break;
    case 0x84: a |= b; break;
    case 0x85: a ^= b; break;
    case 0x7f:
    case 0x80:
    case 0x81:
    case 0x82: trap = wide_divide(op, &a, b); break;
    default: /* shifts and rotations, bit by bit */
        for (n = (uint32_t)b & 63; n != 0; n--) {
            uint64_t top = a >> 63, bottom = a << 63;
            if (op == 0x86 || op == 0x89) a = a << 1 | (op == 0x89 ? top : 0);
            else a = a >> 1 | (op == 0x8a ? bottom : op == 0x87 ? top << 63 : 0);
        }
        break;
    }
    p[0] = (uint32_t)a;
    p[1] = (uint32_t)(a >> 32);
    return trap;
}

/* Operator 0x51 is eq, then ne, lt_s, lt_u, gt_s, gt_u, le_s, le_u, ge_s, ge_u. */
static IPA_NOINLINE uint32_t wide_compare(uint32_t op, const uint32_t *p)
{
    uint64_t a = get64(p), b = get64(p + 2);
    uint32_t less;
    if (op <= 0x52) return (a == b) == (op == 0x51);
    if (op & 1) { /* signed: lt_s is 0x53 */
        a ^= (uint64_t)1 << 63;
        b ^= (uint64_t)1 << 63;
    }
    op = (op - 0x53) >> 1; /* lt, gt, le, ge */
    less = op == 0 || op == 3 ? a < b : b < a;
    return less ^ (op >> 1);
}

/* What executes the opcodes 0x00 to 0xc4, in their order. */
#define LABELS(L) \
    L(unreachable) L(nop) L(block) L(block) L(if) L(else) L(bad) L(bad) L(bad) L(bad) L(bad) L(nop) L(br) L(br_if) L(br_table) L(return) \
    L(call) L(bad) L(bad) L(bad) L(bad) L(bad) L(bad) L(bad) L(bad) L(bad) L(drop) L(select) L(bad) L(bad) L(bad) L(bad) \
    L(local_get) L(local_set) L(local_set) L(global_get) L(global_set) L(bad) L(bad) L(bad) \
    L(load) L(load) L(bad) L(bad) L(load) L(load) L(load) L(load) L(load) L(load) L(load) L(load) L(load) L(load) \
    L(store) L(store) L(bad) L(bad) L(store) L(store) L(store) L(store) L(store) L(memory_size) \
    L(bad) L(const) L(const64) L(bad) L(bad) L(eqz) \
    L(eq) L(ne) L(lt_s) L(lt_u) L(gt_s) L(gt_u) L(le_s) L(le_u) L(ge_s) L(ge_u) \
    L(eqz64) L(compare) L(compare) L(compare) L(compare) L(compare) L(compare) L(compare) L(compare) L(compare) L(compare) \
    L(bad) L(bad) L(bad) L(bad) L(bad) L(bad) L(bad) L(bad) L(bad) L(bad) L(bad) L(bad) \
    L(clz) L(ctz) L(popcnt) L(add) L(sub) L(mul) L(divide) L(divide) L(divide) L(divide) L(and) L(or) L(xor) L(shl) L(shr_s) L(shr_u) L(rotl) L(rotr) \
    L(unary) L(unary) L(unary) \
    L(binary) L(binary) L(binary) L(binary) L(binary) L(binary) L(binary) L(binary) L(binary) L(binary) L(binary) L(binary) L(binary) L(binary) L(binary) \
    L(bad) L(bad) L(bad) L(bad) L(bad) L(bad) L(bad) L(bad) L(bad) L(bad) L(bad) L(bad) L(bad) L(bad) L(bad) L(bad) L(bad) L(bad) L(bad) L(bad) L(bad) L(bad) L(bad) L(bad) L(bad) L(bad) L(bad) L(bad) \
    L(wrap) L(bad) L(bad) L(bad) L(bad) L(extend_s) L(extend_u) \
    L(bad) L(bad) L(bad) L(bad) L(bad) L(bad) L(bad) L(bad) L(bad) L(bad) L(bad) L(bad) L(bad) L(bad) L(bad) L(bad) L(bad) L(bad) \
    L(extend8) L(extend16) L(unary) L(unary) L(unary)

/* Every way to execute, with the operand words that must be there at least. Those with a number behind the opcode come first. */
#define KINDS(L) \
    L(load, 1) L(store, 2) L(br_table, 1) L(call, 0) L(local_get, 0) L(local_set, 1) L(global_get, 0) L(global_set, 1) L(const, 0) L(prefix, 3) \
    L(unreachable, 0) L(nop, 0) L(block, 0) L(if, 1) L(else, 0) L(br, 0) L(br_if, 1) L(return, 0) L(drop, 1) L(select, 3) L(memory_size, 0) \
    L(const64, 0) L(eqz, 1) L(eq, 2) L(ne, 2) L(lt_s, 2) L(lt_u, 2) L(gt_s, 2) L(gt_u, 2) L(le_s, 2) L(le_u, 2) L(ge_s, 2) L(ge_u, 2) \
    L(eqz64, 2) L(compare, 3) L(clz, 1) L(ctz, 1) L(popcnt, 1) L(add, 2) L(sub, 2) L(mul, 2) L(divide, 2) L(and, 2) L(or, 2) L(xor, 2) \
    L(shl, 2) L(shr_s, 2) L(shr_u, 2) L(rotl, 2) L(rotr, 2) L(unary, 2) L(binary, 3) L(wrap, 2) L(extend_s, 1) L(extend_u, 1) \
    L(extend8, 1) L(extend16, 1) L(bad, 0)

#define AS_ENUM(name, words) K_##name,
enum kind { KINDS(AS_ENUM) K_COUNT };
#define AS_NEED(name, words) NEED_##name = (words) << 6,
enum { KINDS(AS_NEED) NEED_MASK = 0xc0 };

static const uint8_t kinds[] = {
#define AS_KIND(name) (uint8_t)K_##name | (uint8_t)NEED_##name,
    LABELS(AS_KIND)
};

const uint8_t ipa_wasm_accesses[23] = {
    2, 3 | ACCESS_WIDE, 0, 0, 0 | ACCESS_SIGNED, 0, 1 | ACCESS_SIGNED, 1,
    0 | ACCESS_SIGNED | ACCESS_WIDE, 0 | ACCESS_WIDE, 1 | ACCESS_SIGNED | ACCESS_WIDE, 1 | ACCESS_WIDE, 2 | ACCESS_SIGNED | ACCESS_WIDE, 2 | ACCESS_WIDE,
    2, 3 | ACCESS_WIDE, 0, 0, 0, 1, 0 | ACCESS_WIDE, 1 | ACCESS_WIDE, 2 | ACCESS_WIDE
};

#if IPA_CFG_WASM_GOTO
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wpointer-arith"
#ifdef __thumb__
typedef int16_t label_offset;
#else
typedef int32_t label_offset;
#endif
#define OP(name) L_##name
#define NEXT goto next
#else
#define OP(name) case K_##name
#define NEXT continue
#endif

#define AS_OCTETS(difference) ((uint32_t)(difference) * 4u)

int ipa_wasm_run(struct ipa_wasm *w, uint32_t index)
{
#if IPA_CFG_WASM_GOTO
#define AS_LABEL(name, words) &&L_##name - &&next,
    static const label_offset to[] = { KINDS(AS_LABEL) };
#endif
    const uint8_t *const code = w->wasm;
    const struct wasm_fn *f = w->functions;
    uint32_t *sp = w->stack + GUARD_WORDS, *locals = sp, *base = sp, *place;
    uint32_t room, pc = 0, end = 0, entry = 0, caller = 0xffff;
    uint32_t op, kind, n, a, b;
    int32_t fuel = w->fuel;
    enum trap trap;

    n = index;
    sp += w->functions[n].params;
    goto enter;

    /* Results of one word: in the place of two operands, of one, or beside them. */
two:
    sp--;
one:
    sp--;
push:
    *sp++ = b;
#if IPA_CFG_WASM_GOTO
next:
#else
    for (;;) {
#endif
    if (pc >= end) goto leave;
    op = code[pc++];
    kind = op < sizeof kinds ? kinds[op] : op == 0xfc ? (uint8_t)K_prefix | (uint8_t)NEED_prefix : K_bad;
    /* One comparison for both ends: too few operands give a huge number. */
#if IPA_CFG_WASM_VALIDATE
    if (AS_OCTETS(sp - base) > room) goto overflow;
#else
    if (AS_OCTETS(sp - base) - (kind >> 4 & 12) > room) goto overflow;
#endif
    kind &= 63;
    if (kind <= K_prefix) {
        if (kind <= K_store) pc++; /* alignment */
        SURE(pc <= end);
        n = code[pc++];
        a = 25; /* spare bits above a number of one octet, then of two */
        if (n >= 0x80 && code[pc] < 0x80) {
            n = (n & 0x7f) | (uint32_t)code[pc++] << 7;
            a = 18;
        }
        if (n >= 0x80 && a == 25) {
            uint64_t both = long_number(code + pc - 1, code + end, op == 0x41 ? 0x40 : 0);
            pc = (uint32_t)(both >> 32) + pc - 1;
            n = (uint32_t)both;
        } else if (op == 0x41) {
            n = (uint32_t)((int32_t)(n << a) >> a);
        }
    }
    a = sp[-2];
    b = sp[-1];
#if IPA_CFG_WASM_GOTO
    goto *(&&next + to[kind]);
#else
    switch (kind) {
#endif
    OP(unreachable):
        trap = TRAP_UNREACHABLE;
        goto stop;
    OP(block):
        pc++;
    OP(nop):
        NEXT;
    OP(if):
        sp--;
        if (b == 0) goto branch;
        pc++;
        entry++;
        NEXT;
    OP(br_if):
        sp--;
        if (b != 0) goto branch;
        entry++;
        while (code[pc++] >= 0x80) {}
        NEXT;
    OP(br_table):
        sp--;
        entry += b < n ? b : n;
        goto branch;
    OP(else):
    OP(br):
    branch: {
        uint32_t e, keep;
        if (--fuel < 0) goto exhausted;
        SURE(entry < w->n_entries);
        e = LE32(w->entries[entry]);
        if (e >> 31 == 0) {
            pc += (uint32_t)((int32_t)(e << 18) >> 18);
            entry += (uint32_t)((int32_t)(e << 6) >> 20);
            keep = e >> 29;
            e = e >> 26 & 7;
        } else {
            const side_word *far = w->entries + w->n_entries;
            e &= 0x7fffffffu;
            SURE(e < w->n_longs);
            far += e * (LONG_ENTRY / 4);
            pc += LE32(far[0]);
            entry += LE32(far[1]);
            keep = LE32(far[2]);
            e = keep & 0xffff;
            keep >>= 16;
        }
        if (e != 0) { /* words to drop */
            SURE((uint32_t)(sp - base) >= e + keep);
            sp -= keep;
            for (place = sp - e; keep != 0; keep--) *place++ = *sp++;
            sp = place;
        }
        NEXT;
    }
    OP(return):
    leave: {
        const uint32_t *from;
        n = f->flags & FN_RESULTS;
        SURE((uint32_t)(sp - base) >= n);
        pc = base[-2];
        caller = base[-1];
        from = sp - n;
        for (sp = locals; n != 0; n--) *sp++ = *from++;
        entry = pc >> 16;
        pc &= 0xffff;
        locals = w->stack + (caller >> 16);
        caller &= 0xffff;
        if (caller == 0xffff) {
            w->fuel_left = fuel;
            return 0;
        }
        f = &w->functions[caller];
        base = locals + f->params + f->locals + FRAME_WORDS;
        goto entered;
    }
    OP(call):
        if (n >= w->n_functions) goto broken;
        if (--fuel < 0) goto exhausted;
        SURE((uint32_t)(sp - base) >= w->functions[n].params);
        caller = (uint32_t)(f - w->functions);
    enter:
        f = &w->functions[n];
        n = f->locals;
        if ((uint32_t)(w->stack_end - sp) < n + FRAME_WORDS + SPARE_WORDS) goto exhausted_stack;
        place = sp - f->params;
        for (; n != 0; n--) *sp++ = 0;
        *sp++ = pc | entry << 16;
        *sp++ = caller | (uint32_t)(locals - w->stack) << 16;
        locals = place;
        base = sp;
        pc = LE16(f->start);
        entry = LE16(f->entry);
        if (f->flags & FN_MAPPED) {
            SURE(entry < w->n_entries);
            entry += LE32(w->entries[entry]) + 1;
        }
    entered:
        end = LE16(f->end);
        room = AS_OCTETS(w->stack_end - base) - SPARE_WORDS * 4;
        NEXT;
    OP(drop):
    OP(select):
        n = 0;
        if (f->flags & FN_WIDE) {
            SURE(entry < w->n_entries);
            n = LE32(w->entries[entry++]) & 1;
        }
        if (kind == K_drop) {
            SURE((uint32_t)(sp - base) > n);
            sp -= 1 + n;
            NEXT;
        }
        sp -= 2 + n;
        SURE(sp > base + n);
        if (b == 0) {
            sp[-1] = sp[n];
            if (n != 0) {
                sp[-2] = sp[0];
            }
        }
        NEXT;
    OP(local_get):
    OP(local_set):
        if (n >= f->fast) { /* not one of the i32 at the front: where it is says the table */
            a = LE16(f->entry);
            if (!(f->flags & FN_MAPPED) || a >= w->n_entries || n >= LE32(w->entries[a]) || n >= w->n_entries - a - 1) goto broken;
            n = LE32(w->entries[a + 1 + n]);
        }
        a = n >> 8 & 1;
        n &= 0xff;
        if (n + a >= (uint32_t)f->params + f->locals) goto broken;
        place = locals + n;
        goto transfer;
    OP(global_get):
    OP(global_set):
        a = 0;
        if (n >= w->fast_globals) {
            n = ipa_wasm_global_slot(w, n, NULL);
            if (n >= GLOBALS_END) goto broken;
            a = n / GLOBAL_WIDE;
        }
        place = w->globals + (n & 0xffff);
    transfer: /* a: 1 for an i64 */
        if (op == 0x20 || op == 0x23) {
            b = place[0];
            if (a == 0) goto push;
            *sp++ = b;
            b = place[1];
            goto push;
        }
        SURE((uint32_t)(sp - base) > a);
        sp -= 1 + a;
        place[0] = sp[0];
        if (a != 0) place[1] = sp[1];
        if (op == 0x22) sp += 1 + a;
        NEXT;
    OP(const):
        b = n;
        goto push;
    OP(const64): {
        struct wasm_reader r;
        uint64_t v;
        r.p = code + pc;
        r.end = code + end;
        v = ipa_wasm_number(&r, 0x40);
        pc = (uint32_t)(r.p - code);
        *sp++ = (uint32_t)v;
        b = (uint32_t)(v >> 32);
        goto push;
    }
    OP(memory_size):
        pc++;
        b = w->pages;
        goto push;
    OP(store):
    OP(load): {
        uint8_t *p;
        kind = ipa_wasm_accesses[op - 0x28];
        if (op >= 0x36) {
            place = sp -= kind & ACCESS_WIDE ? 2 : 1;
            sp--;
            SURE(sp >= base);
            b = *sp;
        }
        b += n;
        a = 1u << (kind & 3);
        if (b < n || b > w->memory_len || w->memory_len - b < a) goto outside;
        p = w->memory + b;
        if (op >= 0x36) {
            b = *place;
            if (a == 1) {
                p[0] = (uint8_t)b;
            } else if (a == 2) {
                p[0] = (uint8_t)b;
                p[1] = (uint8_t)(b >> 8);
            } else {
                store32(p, b);
                if (a == 8) store32(p + 4, place[1]);
            }
            NEXT;
        }
        if (a == 1) b = (kind & ACCESS_SIGNED) != 0 ? (uint32_t)(int32_t)(int8_t)*p : *p;
        else if (a == 2) b = (kind & ACCESS_SIGNED) != 0 ? (uint32_t)(int32_t)(int16_t)(p[0] | p[1] << 8) : p[0] | (uint32_t)p[1] << 8;
        else b = load32(p);
        if ((kind & ACCESS_WIDE) == 0) goto one;
        sp[-1] = b;
        b = a == 8 ? load32(p + 4) : (kind & ACCESS_SIGNED) != 0 ? (uint32_t)((int32_t)b >> 31) : 0;
        goto push;
    }
    OP(prefix):
        a = n == 10; /* memory.copy; 11 is memory.fill */
        if (n - 10 > 1) goto unknown;
        pc += 1 + a;
        sp -= 3;
        if (sp[0] > w->memory_len || b > w->memory_len - sp[0]) goto outside;
        if (a != 0 && (sp[1] > w->memory_len || b > w->memory_len - sp[1])) goto outside;
        fuel -= (int32_t)(b >> 4);
        if (fuel < 0) goto exhausted;
        if (b == 0) NEXT;
        if (a != 0) memmove(w->memory + sp[0], w->memory + sp[1], b);
        else memset(w->memory + sp[0], (int)(sp[1] & 0xff), b);
        NEXT;
    OP(eqz): b = b == 0; goto one;
    OP(eq): b = a == b; goto two;
    OP(ne): b = a != b; goto two;
    OP(lt_s): b = (int32_t)a < (int32_t)b; goto two;
    OP(lt_u): b = a < b; goto two;
    OP(gt_s): b = (int32_t)a > (int32_t)b; goto two;
    OP(gt_u): b = a > b; goto two;
    OP(le_s): b = (int32_t)a <= (int32_t)b; goto two;
    OP(le_u): b = a <= b; goto two;
    OP(ge_s): b = (int32_t)a >= (int32_t)b; goto two;
    OP(ge_u): b = a >= b; goto two;
    OP(add): b = a + b; goto two;
    OP(sub): b = a - b; goto two;
    OP(mul): b = a * b; goto two;
    OP(and): b = a & b; goto two;
    OP(or): b = a | b; goto two;
    OP(xor): b = a ^ b; goto two;
    OP(shl): b = a << (b & 31); goto two;
    OP(shr_s): b = (uint32_t)((int32_t)a >> (b & 31)); goto two;
    OP(shr_u): b = a >> (b & 31); goto two;
    OP(rotl): b = a << (b & 31) | a >> (-b & 31); goto two;
    OP(rotr): b = a >> (b & 31) | a << (-b & 31); goto two;
    OP(clz): b = clz32(b); goto one;
    OP(ctz): b = ctz32(b); goto one;
    OP(popcnt): b = popcnt32(b); goto one;
    OP(extend8): b = (uint32_t)(int32_t)(int8_t)b; goto one;
    OP(extend16): b = (uint32_t)(int32_t)(int16_t)b; goto one;
    OP(divide): { /* div_s 0x6d, div_u, rem_s, rem_u: as i64; only INT32_MIN / -1 doesn't fit then */
        uint64_t wide = op & 1 ? (uint64_t)(int64_t)(int32_t)a : a;
        trap = wide_divide(op + 0x12, &wide, op & 1 ? (uint64_t)(int64_t)(int32_t)b : b);
        b = (uint32_t)wide;
        if (op == 0x6d && wide == 0x80000000u) trap = TRAP_OVERFLOW;
        if (trap != TRAP_NONE) goto stop;
        goto two;
    }
    OP(unary):
        wide_unary(op, sp - 2);
        NEXT;
    OP(eqz64):
        b = (a | b) == 0;
        goto two;
    OP(binary):
    OP(compare):
        SURE((uint32_t)(sp - base) >= 4);
        sp -= 2;
        if (kind == K_compare) {
            b = wide_compare(op, sp - 2);
            goto two;
        }
        trap = wide_binary(op, sp - 2);
        if (trap != TRAP_NONE) goto stop;
        NEXT;
    OP(wrap):
        sp--;
        NEXT;
    OP(extend_s):
    OP(extend_u):
        b = op == 0xac ? (uint32_t)((int32_t)b >> 31) : 0;
        goto push;
    OP(bad):
        goto unknown;
#if !IPA_CFG_WASM_GOTO
    default: goto unknown;
    }
    }
#endif
unknown:
    trap = TRAP_OPCODE;
    goto stop;
overflow: /* of the operands, at either end */
    if (sp <= w->stack_end - SPARE_WORDS) goto broken;
exhausted_stack:
    trap = TRAP_STACK;
    goto stop;
broken:
    trap = TRAP_BROKEN;
    goto stop;
exhausted:
    trap = TRAP_FUEL;
    goto stop;
outside:
    trap = TRAP_MEMORY;
stop:
    w->problem = trap_names[trap];
    w->fuel_left = fuel < 0 ? 0 : fuel;
    return trap == TRAP_FUEL ? IPA_ERR_WASM_FUEL : trap == TRAP_STACK ? IPA_ERR_WASM_STACK : IPA_ERR_WASM_TRAP;
}

#if IPA_CFG_WASM_GOTO
#pragma GCC diagnostic pop
#endif
