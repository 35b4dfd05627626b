/*
 * The in-place engine, operators and opcodes: what wasm_inplace.c, which alone includes this file, executes with. i64 arithmetic,
 * linear memory, and the table from opcodes to their ways of execution.
 */
#ifndef IPA_WASM_INPLACE_OPS_H
#define IPA_WASM_INPLACE_OPS_H

#include <string.h>

#include "wasm_inplace_parts.h"

enum trap {
    TRAP_NONE, TRAP_UNREACHABLE, TRAP_MEMORY, TRAP_DIVIDE, TRAP_OVERFLOW, TRAP_BROKEN, TRAP_OPCODE, TRAP_STACK, TRAP_FUEL
};

/* The specification's own words where it has some. */
static const char *const trap_names[] = {
    "", "unreachable", "out of bounds memory access", "integer divide by zero", "integer overflow",
    "invalid code or side table", "instruction outside the subset", "call stack exhausted", "fuel exhausted"
};

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

#endif
