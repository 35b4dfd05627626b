/*
 * The in-place engine, execution: WebAssembly core specification 2.0, chapter 4, for the integer subset (host/tool/opcodes.ts),
 * straight from the module where it lies. Loading is in wasm_inplace_load.c, full validation in wasm_inplace_check.c.
 *
 * Stack, upwards: guard | parameters, locals | frame | operands, of which the last become the next function's parameters.
 * Everything is one word, an i64 two. `pc` and `end` are offsets into the module, `entry` counts side table entries.
 *
 * What keeps a wrong or hostile module or table inside its memory. In both builds:
 *   - pc < end before each opcode. `end` is where the function's last instruction lies, which the load saw to be the octet `end` in
 *     the code section: no number runs on behind it, and reaching it means return.
 *   - Before each opcode, by one comparison: two words of room above the operands, and (without full validation) as many operands as
 *     the opcode's line in KINDS says.
 *   - Every address in linear memory, every function and global index, every local's place; room for each call; fuel.
 * Without full validation, also what SURE() says: entries lie in the table, a jump or a call takes no more operands than there
 * are, so do wide select and wide binary operators, and the second immediate of an access lies in the module.
 * A drop, store or local.set of an i64 may take one word too many: it has written nothing below its frame, and the next opcode
 * stops. What lies up to GUARD_WORDS below the operands may be read, never written.
 * test/unit/inplace-checks.slow.test.ts takes out each of these checks, and mutants find it missing.
 */
#include <string.h>

#include "ipa/err.h"
#include "wasm_inplace_ops.h"

#if IPA_CFG_WASM_VALIDATE
#define SURE(holds) ((void)0)
#else
#define SURE(holds) do { if (!(holds)) goto broken; } while (0)
#endif

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
            n += LE16(f->entry) + 1u;
            if (n >= w->n_entries) goto broken;
            n = LE32(w->entries[n]);
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
