/*
 * Sizes, each with what it costs in RAM. A board overrides them in its own ipa_config.h (found by -DIPA_CONFIG_H='"ipa_config.h"').
 */
#ifndef IPA_CONFIG_DEFAULT_H
#define IPA_CONFIG_DEFAULT_H

#ifdef IPA_CONFIG_H
#include IPA_CONFIG_H
#endif

/* Engine in place: fuel of one step of the agent, in branches and calls; no RAM. */
#ifndef IPA_CFG_FUEL
#define IPA_CFG_FUEL 4000000u
#endif
/* Engine in place: 1 = full validation at load (flash), 0 = what memory safety needs. */
#ifndef IPA_CFG_WASM_VALIDATE
#define IPA_CFG_WASM_VALIDATE 0
#endif

#endif
