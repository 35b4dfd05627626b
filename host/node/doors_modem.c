/* The AT driver of the C host as N-API functions; see doors.c. */
#include "node/doors.h"

#include <stdlib.h>
#include <string.h>

#include "ipa/err.h"
#include "modem/uicc_at.h"

enum busy { FREE, UICC_OPEN, UICC_TRANSMIT, UICC_CLOSE, UICC_RESET, BEARER };

static const struct {
    const char *name;
    const struct ipa_modem_family *family;
} known[] = {
    {"quectel", &ipa_family_quectel}, {"ublox", &ipa_family_ublox}, {"simcom", &ipa_family_simcom}, {"nordic", &ipa_family_nordic}, {"generic", &ipa_family_generic},
};

/* ---- life ---- */

void ipa_node_modem_hold(struct ipa_node_modem *m) { m->users++; }

void ipa_node_modem_drop(struct ipa_node_modem *m) {
    if (--m->users > 0) return;
    ipa_uart_posix_close(&m->line);
    free(m->apn);
    free(m->psm);
    free(m->edrx);
    free(m);
}

static void end(struct ipa_node_modem *m) {
    m->closed = 1;
    m->kind = 0;
    ipa_uart_posix_close(&m->line);
}

static void finalize(napi_env env, void *data, void *hint) {
    struct ipa_node_modem *m = data;
    (void)env;
    (void)hint;
    if (!m->closed) end(m);
    ipa_node_modem_drop(m);
}

/* The one that was named, else all of them: the modem tells which it is. */
static int choose_families(napi_env env, napi_value options, struct ipa_node_modem *m) {
    char *name = ipa_node_text(env, ipa_node_option(env, options, "family"));
    size_t count = 0;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (name == NULL || strcmp(name, known[i].name) == 0) m->families[count++] = known[i].family;
    }
    free(name);
    return count > 0 ? IPA_OK : IPA_ERR_NOT_FOUND;
}

static int open_line(napi_env env, napi_value options, struct ipa_node_modem *m) {
    uint32_t baud = 115200, flow = 0;
    char *path = ipa_node_text(env, ipa_node_option(env, options, "path"));
    ipa_node_option_u32(env, options, "baud", &baud);
    ipa_node_option_u32(env, options, "flow", &flow);
    int failed = path == NULL ? -1 : ipa_uart_posix_open(&m->line, path, baud, flow != 0);
    free(path);
    return failed;
}

static void start(napi_env env, napi_value options, struct ipa_node_modem *m) {
    uint32_t cid = m->families[0] == &ipa_family_nordic ? 0 : 1;
    ipa_node_option_u32(env, options, "cid", &cid);
    m->apn = ipa_node_text(env, ipa_node_option(env, options, "apn"));
    m->psm = ipa_node_text(env, ipa_node_option(env, options, "psm"));
    m->edrx = ipa_node_text(env, ipa_node_option(env, options, "edrx"));
    m->config = (struct ipa_modem_config){.uart = ipa_uart_posix(&m->line), .now_ms = ipa_node_now_ms, .families = m->families, .apn = m->apn, .psm = m->psm, .edrx = m->edrx, .cid = (uint8_t)cid};
    ipa_modem_init(&m->modem, &m->config);
    m->uicc = ipa_modem_uicc(&m->modem.agent);
}

napi_value ipa_node_modem_make(napi_env env, napi_callback_info info) {
    napi_value options, handle = NULL;
    size_t n = 1;
    struct ipa_node_modem *m = calloc(1, sizeof *m);
    if (m == NULL) return ipa_node_fail(env, IPA_ERR_NO_MEM, NULL);
    m->kind = IPA_NODE_MODEM;
    m->users = 1;
    m->line.fd = -1;
    napi_get_cb_info(env, info, &n, &options, NULL, NULL);
    int err = choose_families(env, options, m), failed = err == IPA_OK ? open_line(env, options, m) : 0;
    if (err == IPA_OK && failed == 0) {
        start(env, options, m);
        if (napi_create_external(env, m, finalize, NULL, &handle) == napi_ok) return handle;
    }
    m->line.fd = failed == 0 ? m->line.fd : -1;
    ipa_node_fail(env, err == IPA_OK ? IPA_ERR_DRIVER + failed : err, err == IPA_OK ? strerror(-failed) : "no such family of modems");
    ipa_node_modem_drop(m);
    return NULL;
}

/* ---- functions ---- */

/* The handle; *fresh: the function begins. One that another was begun behind is given up, as the driver does it. */
static struct ipa_node_modem *enter(napi_env env, napi_callback_info info, enum busy busy, napi_value *args, size_t count, int *fresh) {
    struct ipa_node_modem *m = ipa_node_handle(env, info, IPA_NODE_MODEM, args, count);
    if (m == NULL) return NULL;
    *fresh = m->busy != busy;
    m->busy = (uint8_t)busy;
    return m;
}

/* A line that broke brings no answer any more. */
static napi_value leave(napi_env env, struct ipa_node_modem *m, int result) {
    if (result == IPA_AGAIN && m->line.broken != 0) result = IPA_ERR_MODEM_SILENT;
    if (result != IPA_AGAIN) m->busy = FREE;
    return ipa_node_number(env, result);
}

static napi_value opened(napi_env env, const struct ipa_uicc_open *how, int result) {
    napi_value object = NULL;
    napi_create_object(env, &object);
    if (result < 0) {
        napi_set_named_property(env, object, "result", ipa_node_number(env, result));
        napi_set_named_property(env, object, "sw", ipa_node_number(env, how->sw));
    } else {
        napi_set_named_property(env, object, "channel", ipa_node_number(env, how->channel));
        napi_set_named_property(env, object, "fci", ipa_node_new_bytes(env, how->fci, how->fci_len));
    }
    return object;
}

napi_value ipa_node_modem_open(napi_env env, napi_callback_info info) {
    napi_value args[3];
    uint8_t *aid = NULL;
    size_t len = 0;
    int fresh;
    struct ipa_node_modem *m = enter(env, info, UICC_OPEN, args, 3, &fresh);
    if (m == NULL) return NULL;
    if (fresh) {
        if (!ipa_node_bytes(env, args[1], &aid, &len) || len > sizeof m->aid) return leave(env, m, IPA_ERR_INVALID);
        memcpy(m->aid, aid, len);
        m->open = (struct ipa_uicc_open){.aid = m->aid, .aid_len = len, .flags = ipa_node_u32(env, args[2]), .fci = m->fci, .fci_cap = sizeof m->fci};
    }
    int result = m->uicc.open(m->uicc.ctx, &m->open);
    napi_value number = leave(env, m, result);
    return result == IPA_AGAIN || (result < 0 && m->open.sw == 0) ? number : opened(env, &m->open, result);
}

napi_value ipa_node_modem_transmit(napi_env env, napi_callback_info info) {
    napi_value args[3];
    uint8_t *apdu = NULL;
    int fresh;
    struct ipa_node_modem *m = enter(env, info, UICC_TRANSMIT, args, 3, &fresh);
    if (m == NULL) return NULL;
    if (fresh) {
        if (!ipa_node_bytes(env, args[1], &apdu, &m->apdu_len) || m->apdu_len > 261) return leave(env, m, IPA_ERR_INVALID);
        memcpy(m->apdu, apdu, m->apdu_len);
        m->number = ipa_node_u32(env, args[2]);
    }
    int result = m->uicc.transmit(m->uicc.ctx, m->apdu, m->apdu_len, sizeof m->apdu, m->number);
    napi_value number = leave(env, m, result);
    return result < 0 ? number : ipa_node_new_bytes(env, m->apdu, (size_t)result);
}

napi_value ipa_node_modem_close(napi_env env, napi_callback_info info) {
    napi_value args[1];
    int fresh;
    struct ipa_node_modem *m = enter(env, info, UICC_CLOSE, args, 1, &fresh);
    return m == NULL ? NULL : leave(env, m, m->uicc.close(m->uicc.ctx));
}

napi_value ipa_node_modem_reset(napi_env env, napi_callback_info info) {
    napi_value args[3];
    int fresh;
    struct ipa_node_modem *m = enter(env, info, UICC_RESET, args, 3, &fresh);
    if (m == NULL) return NULL;
    if (fresh) {
        m->number = ipa_node_u32(env, args[1]);
        m->wait_ms = ipa_node_u32(env, args[2]);
    }
    return leave(env, m, m->uicc.reset(m->uicc.ctx, m->number, m->wait_ms));
}

napi_value ipa_node_modem_was_reset(napi_env env, napi_callback_info info) {
    napi_value args[1], was = NULL;
    struct ipa_node_modem *m = ipa_node_handle(env, info, IPA_NODE_MODEM, args, 1);
    if (m != NULL) napi_get_boolean(env, m->uicc.was_reset(m->uicc.ctx) != 0, &was);
    return was;
}

napi_value ipa_node_modem_bearer(napi_env env, napi_callback_info info) {
    napi_value args[3];
    int fresh;
    struct ipa_node_modem *m = enter(env, info, BEARER, args, 3, &fresh);
    if (m == NULL) return NULL;
    if (fresh) {
        m->number = ipa_node_u32(env, args[1]);
        m->wait_ms = ipa_node_u32(env, args[2]);
        m->plmn_len = 0;
    }
    int result = ipa_modem_bearer(&m->modem.agent, m->number != 0, m->wait_ms, m->plmn, &m->plmn_len);
    napi_value number = leave(env, m, result);
    return result < 0 ? number : ipa_node_new_bytes(env, m->plmn, m->plmn_len);
}

napi_value ipa_node_modem_imei(napi_env env, napi_callback_info info) {
    napi_value args[1], text = NULL;
    const char *imei = NULL;
    struct ipa_node_modem *m = ipa_node_handle(env, info, IPA_NODE_MODEM, args, 1);
    if (m == NULL) return NULL;
    int result = ipa_modem_imei(&m->modem.agent, &imei);
    if (result < 0) return leave(env, m, result);
    napi_create_string_utf8(env, imei, NAPI_AUTO_LENGTH, &text);
    return text;
}

napi_value ipa_node_modem_idle(napi_env env, napi_callback_info info) {
    napi_value args[2];
    struct ipa_node_modem *m = ipa_node_handle(env, info, IPA_NODE_MODEM, args, 2);
    if (m != NULL) ipa_modem_idle(&m->modem.agent, ipa_node_u32(env, args[1]) != 0);
    return NULL;
}

napi_value ipa_node_modem_poll(napi_env env, napi_callback_info info) {
    napi_value args[1];
    struct ipa_node_modem *m = ipa_node_handle(env, info, IPA_NODE_MODEM, args, 1);
    return m == NULL ? NULL : ipa_node_number(env, ipa_modem_poll(&m->modem));
}

/* broken: errno of what broke the line, -1 at its end, 0: it is whole. */
napi_value ipa_node_modem_state(napi_env env, napi_callback_info info) {
    napi_value args[1], object = NULL, family = NULL;
    struct ipa_node_modem *m = ipa_node_handle(env, info, IPA_NODE_MODEM, args, 1);
    if (m == NULL) return NULL;
    napi_create_object(env, &object);
    napi_create_string_utf8(env, m->modem.family == NULL ? "" : m->modem.family->name, NAPI_AUTO_LENGTH, &family);
    napi_set_named_property(env, object, "family", family);
    napi_set_named_property(env, object, "broken", ipa_node_number(env, m->line.broken));
    return object;
}

napi_value ipa_node_modem_end(napi_env env, napi_callback_info info) {
    napi_value args[1];
    struct ipa_node_modem *m = ipa_node_handle(env, info, IPA_NODE_MODEM, args, 1);
    if (m != NULL) end(m);
    return NULL;
}
