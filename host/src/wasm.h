/*
 * The engine: runs the agent's wasm in the caller's memory. Two engines stand behind this header, chosen when linking:
 * wasm_inplace*.c (ours: executes the module where it lies, with a side table) and wasm_wasm3.c (wasm3).
 * The subset is the build gate's (host/tool/gate.ts): i32 and i64, one memory, no imports; anything else is refused by name.
 * No call blocks for longer than the fuel lasts (IPA_CFG_FUEL); nothing is allocated outside the caller's memory.
 */
#ifndef IPA_WASM_H
#define IPA_WASM_H

#include <stddef.h>
#include <stdint.h>

struct ipa_wasm; /* one instance, lives in the caller's memory */

/* What to run. Lies in flash as a rule; must outlive the instance, and nothing of it is copied or changed. */
struct ipa_wasm_image {
    const uint8_t *wasm;  /* the module, unchanged */
    uint32_t wasm_len;    /* octets */
    const uint8_t *side;  /* side table (host/tool/side-table.ts), aligned to 4; wasm3 needs none: NULL */
    uint32_t side_len;    /* octets */
    uint32_t memory_len;  /* octets of linear memory to back: what ipa_memory() returns; may be less than a page */
    uint32_t stack_len;   /* octets of value and frame stack; the side table says how much the module needs */
};

/* The agent's exported functions (host/README.md, "Exports"). */
enum ipa_wasm_export {
    IPA_WASM_ABI,
    IPA_WASM_MAILBOX,
    IPA_WASM_CAPACITY,
    IPA_WASM_MEMORY,
    IPA_WASM_STEP
};

/* Octets that ipa_wasm_open needs at most for this image; reads only the image's numbers and the head of its side table. */
size_t ipa_wasm_need(const struct ipa_wasm_image *image);

/*
 * Loads and instantiates in [at, at + len). Returns 0 and the instance in *out, or IPA_ERR_WASM_REFUSED (malformed, or
 * outside the subset), IPA_ERR_NO_MEM (len too small), IPA_ERR_WASM_STACK (stack_len below the module's need) or
 * IPA_ERR_INVALID (an argument). After a failure *out is NULL when not even the instance's own record fits in len;
 * otherwise it may only be asked for ipa_wasm_problem().
 */
int ipa_wasm_open(struct ipa_wasm **out, const struct ipa_wasm_image *image, void *at, size_t len);

/* A fresh instance of the same image, after a trap: globals and data segments as at the start, the rest of memory zero. */
int ipa_wasm_reset(struct ipa_wasm *wasm);

/*
 * Calls an export; arg is for IPA_WASM_STEP (now_ms), the others ignore it. Returns 0 and *result, or IPA_ERR_WASM_TRAP,
 * IPA_ERR_WASM_FUEL (ran longer than it may), IPA_ERR_WASM_STACK, or IPA_ERR_INVALID (no such export).
 */
int ipa_wasm_call(struct ipa_wasm *wasm, enum ipa_wasm_export fn, int32_t arg, int32_t *result);

/* [at, at + len) of linear memory; NULL when that is not wholly inside. */
uint8_t *ipa_wasm_memory(struct ipa_wasm *wasm, uint32_t at, uint32_t len);

/* What the last failure was: the kind of trap, or what was refused; "" when there was none. Stays valid for ever. */
const char *ipa_wasm_problem(const struct ipa_wasm *wasm);

/* The caller's memory is free again. */
void ipa_wasm_close(struct ipa_wasm *wasm);

/* Octets of the caller's memory in use, linear memory and stack included. */
size_t ipa_wasm_used(const struct ipa_wasm *wasm);

#endif
