/*
 * What only the in-place engine offers, for tests, the spec runner and the install-time maker of side tables.
 * Firmware needs nothing of this: wasm.h is enough.
 */
#ifndef IPA_WASM_INPLACE_H
#define IPA_WASM_INPLACE_H

#include "wasm.h"

/* Calls the function `index` (there are no imports, so this counts defined functions). Words are 32 bits; an i64 is
 * two, low one first. args_len and results_len must be what the function's type says, else IPA_ERR_INVALID.
 * Returns as ipa_wasm_call. */
int ipa_wasm_inplace_call(struct ipa_wasm *wasm, uint32_t index, const uint32_t *args, uint32_t args_len,
                          uint32_t *results, uint32_t results_len);

/* Fuel of each later call, in branches and calls; memory.copy and memory.fill cost one per 16 octets. */
void ipa_wasm_inplace_fuel(struct ipa_wasm *wasm, int32_t fuel);

/* Fuel left after the last call. */
int32_t ipa_wasm_inplace_fuel_left(const struct ipa_wasm *wasm);

/* Value of a global, as two words; 0, or IPA_ERR_INVALID when there is no such global. */
int ipa_wasm_inplace_global(const struct ipa_wasm *wasm, uint32_t index, uint32_t words[2]);

/* Takes the next octets of a side table; 0, or a negative ipa_err, which ends the making. */
typedef int ipa_wasm_sink(void *ctx, const void *p, uint32_t len);

/*
 * Makes the side table at install time (wasm_inplace_check.c): validates the whole module and gives the table to the sink
 * from its first octet to its last, in pieces of 4 to 24 octets. The module is read five times, and the table is never
 * in RAM. scratch, aligned to 4, holds what is known of one function: 10 octets for each of its branches, 16 for each nested block
 * and, in a thirty-second part of it, one for each operand. stack_need goes into the header as it is (0: not known), since only a
 * tool with room for the call graph computes it. Returns the octets of the table, or what the sink gave, or
 * IPA_ERR_WASM_REFUSED or IPA_ERR_NO_MEM with *problem set.
 */
int32_t ipa_wasm_inplace_make(const uint8_t *wasm, uint32_t wasm_len, uint32_t stack_need, ipa_wasm_sink *sink, void *ctx,
                              void *scratch, size_t scratch_len, const char **problem);

#endif
