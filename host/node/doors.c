/*
 * Node binding of the C host's doors: its links (host/link on the sockets of this computer or of a modem) and its AT driver (host/modem on a
 * serial line). No function waits: each gives the C result, IPA_AGAIN included, and is then called again; arguments of calls behind the
 * first one are not looked at. test/sim/agent/native-doors.ts is the typed side. Of Node only N-API 8 is used.
 *
 *   errName(result) -> string
 *   link({psk?, ca?, utc?, modem?, ...}) -> handle                                     utc: seconds since 1970, 0: unknown; default: now
 *   linkOpen(link, peer, binding, fqdn, trust | null, host | null, port, waitMs) -> result     host, port: where to connect instead
 *   linkSend(link, piece, first, last, total, function, waitMs) -> result
 *   linkReceive(link, max, waitMs) -> result | {code, retryAfter, last, payload}
 *   linkClose(link) -> result     linkHeap(link) -> octets     linkEnd(link)
 *   modem({path, baud?, flow?, family?, apn?, psm?, edrx?, cid?}) -> handle
 *   uiccOpen(modem, aid, flags) -> result | {channel, fci} | {result, sw}              sw: status word that refused
 *   uiccTransmit(modem, apdu, flags) -> result | Uint8Array                            uiccClose(modem) -> result
 *   uiccReset(modem, flags, waitMs) -> result     uiccWasReset(modem) -> boolean
 *   bearer(modem, restart, waitMs) -> result | Uint8Array (PLMN)     imei(modem) -> result | string
 *   idle(modem, boolean)     poll(modem) -> result     state(modem) -> {family, broken}     modemEnd(modem)
 *
 * A handle whose owner has ended it (linkEnd, modemEnd) throws; one that is forgotten is freed with its last reference. A modem lives
 * until the last link on its sockets has ended. Leaves out: names are resolved by getaddrinfo, which blocks; saved DTLS sessions;
 * secure sockets of modems; the application's own AT commands.
 */
#include "node/doors.h"

#include <string.h>
#include <time.h>

#include "ipa/err.h"

uint32_t ipa_node_now_ms(void *ctx) {
    struct timespec t;
    (void)ctx;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint32_t)((uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000);
}

void *ipa_node_handle(napi_env env, napi_callback_info info, enum ipa_node_kind kind, napi_value *args, size_t count) {
    size_t n = count;
    uint32_t *handle = NULL;
    napi_valuetype type = napi_undefined;
    napi_get_cb_info(env, info, &n, args, NULL, NULL);
    if (n >= count) napi_typeof(env, args[0], &type);
    if (type == napi_external) napi_get_value_external(env, args[0], (void **)&handle);
    if (handle != NULL && *handle == (uint32_t)kind) return handle;
    napi_throw_type_error(env, NULL, handle != NULL && *handle == 0 ? "the handle was ended" : "expected a handle and the arguments of host/node/doors.c");
    return NULL;
}

napi_value ipa_node_option(napi_env env, napi_value options, const char *name) {
    napi_value value = NULL;
    if (napi_get_named_property(env, options, name, &value) != napi_ok) napi_get_undefined(env, &value);
    return value;
}

void ipa_node_option_u32(napi_env env, napi_value options, const char *name, uint32_t *value) {
    napi_value given = ipa_node_option(env, options, name);
    napi_valuetype type = napi_undefined;
    napi_typeof(env, given, &type);
    if (type == napi_number) *value = ipa_node_u32(env, given);
}

static napi_value err_name(napi_env env, napi_callback_info info) {
    napi_value arg = NULL, text = NULL;
    size_t n = 1;
    napi_get_cb_info(env, info, &n, &arg, NULL, NULL);
    napi_create_string_utf8(env, ipa_err_name((int32_t)ipa_node_u32(env, arg)), NAPI_AUTO_LENGTH, &text);
    return text;
}

NAPI_MODULE_INIT() {
    static const struct ipa_node_function functions[] = {
        {"errName", err_name},
        {"link", ipa_node_link_make}, {"linkOpen", ipa_node_link_open}, {"linkSend", ipa_node_link_send}, {"linkReceive", ipa_node_link_receive},
        {"linkClose", ipa_node_link_close}, {"linkHeap", ipa_node_link_heap}, {"linkEnd", ipa_node_link_end},
        {"modem", ipa_node_modem_make}, {"uiccOpen", ipa_node_modem_open}, {"uiccTransmit", ipa_node_modem_transmit}, {"uiccClose", ipa_node_modem_close},
        {"uiccReset", ipa_node_modem_reset}, {"uiccWasReset", ipa_node_modem_was_reset}, {"bearer", ipa_node_modem_bearer}, {"imei", ipa_node_modem_imei},
        {"idle", ipa_node_modem_idle}, {"poll", ipa_node_modem_poll}, {"state", ipa_node_modem_state}, {"modemEnd", ipa_node_modem_end},
    };
    ipa_node_export(env, exports, functions, sizeof functions / sizeof functions[0]);
    return exports;
}
