/* What the parts of the second Node binding (doors.c) share: handles of links and modems. */
#ifndef IPA_NODE_DOORS_H
#define IPA_NODE_DOORS_H

#include "ipa/net.h"
#include "modem/modem.h"
#include "node/values.h"
#include "uart_posix.h"

enum ipa_node_kind { IPA_NODE_LINK = 0x4c4e4b31, IPA_NODE_MODEM = 0x4d444d31 };

struct ipa_node_modem {
    uint32_t kind;            /* enum ipa_node_kind, first in every handle */
    uint32_t users;           /* its handle, and each link on its sockets: the last one frees it */
    uint8_t closed;
    uint8_t busy;             /* function under way, 0: none */
    struct ipa_uart_posix line;
    struct ipa_modem modem;
    struct ipa_modem_config config;
    const struct ipa_modem_family *families[6];
    char *apn, *psm, *edrx;
    struct ipa_uicc uicc;
    /* Arguments of the function under way. */
    struct ipa_uicc_open open;
    uint8_t aid[16], fci[256], apdu[320], plmn[3];
    size_t apdu_len, plmn_len;
    uint32_t number, wait_ms;
};

/* The handle in args[0]; NULL, with an exception, when it is none of that kind, was closed, or arguments are missing. */
void *ipa_node_handle(napi_env env, napi_callback_info info, enum ipa_node_kind kind, napi_value *args, size_t count);
/* options[name], or undefined. */
napi_value ipa_node_option(napi_env env, napi_value options, const char *name);
/* The same as a number, *value as it was when it is undefined. */
void ipa_node_option_u32(napi_env env, napi_value options, const char *name, uint32_t *value);
uint32_t ipa_node_now_ms(void *ctx);

void ipa_node_modem_hold(struct ipa_node_modem *m);
void ipa_node_modem_drop(struct ipa_node_modem *m);

napi_value ipa_node_link_make(napi_env env, napi_callback_info info);
napi_value ipa_node_link_open(napi_env env, napi_callback_info info);
napi_value ipa_node_link_send(napi_env env, napi_callback_info info);
napi_value ipa_node_link_receive(napi_env env, napi_callback_info info);
napi_value ipa_node_link_close(napi_env env, napi_callback_info info);
napi_value ipa_node_link_heap(napi_env env, napi_callback_info info);
napi_value ipa_node_link_end(napi_env env, napi_callback_info info);

napi_value ipa_node_modem_make(napi_env env, napi_callback_info info);
napi_value ipa_node_modem_open(napi_env env, napi_callback_info info);
napi_value ipa_node_modem_transmit(napi_env env, napi_callback_info info);
napi_value ipa_node_modem_close(napi_env env, napi_callback_info info);
napi_value ipa_node_modem_reset(napi_env env, napi_callback_info info);
napi_value ipa_node_modem_was_reset(napi_env env, napi_callback_info info);
napi_value ipa_node_modem_bearer(napi_env env, napi_callback_info info);
napi_value ipa_node_modem_imei(napi_env env, napi_callback_info info);
napi_value ipa_node_modem_idle(napi_env env, napi_callback_info info);
napi_value ipa_node_modem_poll(napi_env env, napi_callback_info info);
napi_value ipa_node_modem_state(napi_env env, napi_callback_info info);
napi_value ipa_node_modem_end(napi_env env, napi_callback_info info);

#endif
