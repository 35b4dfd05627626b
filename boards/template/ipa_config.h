/*
 * Sizes of this board. What is not named here is as in host/include/ipa/config_default.h, where each size says what it costs. Run the device,
 * read its "idle" line, and set the two arenas to what it says and a little more.
 */
#ifndef TEMPLATE_IPA_CONFIG_H
#define TEMPLATE_IPA_CONFIG_H

/* Memory of the agent: "agent" of the idle line; 1 octet each. */
#define IPA_CFG_AGENT_ARENA 12288
/* Memory of the links and Mbed TLS: "links" and "tls" of the idle line; 1 octet each. */
#define IPA_CFG_LINK_ARENA 16384

#endif
