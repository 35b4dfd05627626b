/*
 * Sizes of this board: 128 KiB of SRAM, of which agent, links, modem and stack take less than 32. Each with what it costs in RAM; what is
 * not named here is as in host/include/ipa/config_default.h. `npm run firmware -- netduinoplus2` prints the sums.
 */
#ifndef NETDUINOPLUS2_IPA_CONFIG_H
#define NETDUINOPLUS2_IPA_CONFIG_H

#ifdef IPA_ENGINE_WASM3
/* The agent: 4 octets for one of wasm, linear memory, the host's own record: what is left of the SRAM, and less than this agent needs. 1 octet each. */
#define IPA_CFG_AGENT_ARENA 98304
#else
/* The agent: linear memory (7 KiB), engine's stack, the host's own record: 10.2 KiB ("agent" on the console), and room for a larger one. 1 octet each. */
#define IPA_CFG_AGENT_ARENA 11264
#endif
/* Links: CoAP or HTTP (3.8 KiB, "links"), and Mbed TLS's heap ("tls" tells its peak: 7.2 KiB, more with longer chains). 1 octet each. */
#define IPA_CFG_LINK_ARENA 13312

#endif
