/*
 * The settings of one firmware as constants: what host/tool/firmware.mjs was told, in product_values.h, which it writes beside the
 * objects. A product with a configuration of its own fills struct device_settings itself.
 */
#ifndef APP_PRODUCT_H
#define APP_PRODUCT_H

#include "app/device.h"
#include "product_values.h"

/*
 * product_values.h defines: PRODUCT_KEY_ID and PRODUCT_KEY (65 octets) that images are signed with, PRODUCT_FAMILIES (pointers), PRODUCT_CID,
 * PRODUCT_APN, PRODUCT_PSM, PRODUCT_EDRX, PRODUCT_PSK_IDENTITY (each a string or NULL), PRODUCT_PSK_LEN and PRODUCT_PSK, PRODUCT_CA_LEN and
 * PRODUCT_CA, PRODUCT_AGENT_CONFIG_LEN and PRODUCT_AGENT_CONFIG (octets; one 0 where the length is 0), PRODUCT_LTE_M, PRODUCT_SENSOR_HOST,
 * PRODUCT_SENSOR_PORT, PRODUCT_SENSOR_PERIOD_MS.
 */
static const uint8_t product_key_point[65] = PRODUCT_KEY;
static const struct ipa_image_key product_key = {PRODUCT_KEY_ID, product_key_point};
static const struct ipa_modem_family *const product_families[] = {PRODUCT_FAMILIES, NULL};
static const uint8_t product_psk[] = PRODUCT_PSK, product_ca[] = PRODUCT_CA, product_agent_config[] = PRODUCT_AGENT_CONFIG;

#define PRODUCT_SETTINGS \
    .keys = &product_key, .key_count = 1, .families = product_families, .apn = PRODUCT_APN, .psm = PRODUCT_PSM, .edrx = PRODUCT_EDRX, .cid = PRODUCT_CID, \
    .lte_m = PRODUCT_LTE_M, .psk_identity = PRODUCT_PSK_IDENTITY, .psk = product_psk, .psk_len = PRODUCT_PSK_LEN, .ca = product_ca, .ca_len = PRODUCT_CA_LEN, \
    .agent_config = product_agent_config, .agent_config_len = PRODUCT_AGENT_CONFIG_LEN, \
    .sensor_host = PRODUCT_SENSOR_HOST, .sensor_port = PRODUCT_SENSOR_PORT, .sensor_period_ms = PRODUCT_SENSOR_PERIOD_MS

#endif
