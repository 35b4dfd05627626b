/*
 * The whole device as one super-loop: first the modem tells its IMEI, then the agent is set up with it and runs; the application runs
 * beside it from the start. What fails as a whole (no modem, image refused, journal broken) is said on the console and tried again later.
 */
#include "app/device.h"

#include <string.h>

#include "app/console.h"
#include "modem/net_at.h"
#include "modem/uicc_at.h"

enum { LONGEST_SLEEP_MS = 1000, AT_WORK_MS = 10, AGAIN_MS = 60000, BEARER_MS = 30000 };
enum { SESSION_KEY = 65 };
enum { TAG_PROTOCOLS = 0x8B, TAG_IMEI = 0x8C, TAG_FEATURES = 0x92, HTTPS = 1, COAPS = 2, FEATURES = 0x70, DIRECT = 0x80, POLL_ENDED = 4 };

/* ---- Doors of the agent: one context, this device ---- */

static uint32_t now_ms(void *ctx) {
    const struct device *d = ctx;
    return d->board->now_ms(d->board->ctx);
}

static uint32_t utc_s(void *ctx) {
    const struct device *d = ctx;
    return d->board->utc_s(d->board->ctx);
}

static int entropy(void *ctx, uint8_t *p, size_t len) {
    const struct device *d = ctx;
    return d->board->entropy(d->board->ctx, p, len);
}

static int modem_power(void *ctx, enum ipa_modem_power what) {
    const struct device *d = ctx;
    return d->board->power(d->board->ctx, what);
}

static void watchdog(void *ctx) {
    const struct device *d = ctx;
    if (d->board->watchdog != NULL) d->board->watchdog(d->board->ctx);
}

static int bearer(void *ctx, int restart, uint32_t wait_ms, uint8_t plmn[3], size_t *plmn_len) {
    struct device *d = ctx;
    return ipa_modem_bearer(&d->modem.agent, restart, wait_ms, plmn, plmn_len);
}

static void figure(const struct device *d, const char *name, uint32_t value) {
    console_text(d, name);
    console_number(d, (int32_t)value);
}

/* What it took so far, in octets: stack, memory of agent and links as given, Mbed TLS's part at its most. */
static void tell_idle(const struct device *d) {
    console_text(d, "idle");
    if (d->board->stack_used != NULL) figure(d, " stack ", d->board->stack_used(d->board->ctx));
    figure(d, " agent ", (uint32_t)ipa_arena_need(&d->config));
    figure(d, " links ", (uint32_t)ipa_link_need());
    figure(d, " tls ", (uint32_t)ipa_link_heap_peak(&d->config.link));
    console_text(d, "\r\n");
}

static void idle(void *ctx, int is_idle) {
    struct device *d = ctx;
    d->idle = (uint8_t)is_idle;
    ipa_modem_idle(&d->modem.agent, is_idle);
    if (is_idle) tell_idle(d);
}

static void report(void *ctx, const struct ipa_report *what) {
    struct device *d = ctx;
    if (what->code == POLL_ENDED) d->polls++;
    if (d->board->report != NULL) d->board->report(d->board->ctx, what);
    console_report(d, what);
}

/* ---- One saved DTLS session, in the agent's journal ---- */

static int session_load(void *ctx, uint8_t *record, size_t cap) {
    struct device *d = ctx;
    return ipa_record_read(d->ipa, SESSION_KEY, record, cap);
}

static int session_save(void *ctx, const uint8_t *record, size_t len) {
    struct device *d = ctx;
    return ipa_record_write(d->ipa, SESSION_KEY, record, len);
}

static int session_invalidate(void *ctx) {
    struct device *d = ctx;
    return ipa_record_write(d->ipa, SESSION_KEY, NULL, 0);
}

/* ---- Set-up ---- */

static void put(struct device *d, uint8_t tag, const void *value, size_t len) {
    if (d->config_len + 2 + len > sizeof d->agent_config) return;
    uint8_t *at = d->agent_config + d->config_len;
    at[0] = tag;
    at[1] = (uint8_t)len;
    memcpy(at + 2, value, len);
    d->config_len = (uint8_t)(d->config_len + 2 + len);
}

/* The settings' objects, what the links can do, and who the modem is. IPA_ERR_NO_MEM: more than IPA_CFG_DEVICE_CONFIG. */
static int make_agent_config(struct device *d, const char *imei) {
    const struct device_settings *s = d->settings;
    uint8_t protocols = (IPA_CFG_HTTPS ? HTTPS : 0) | (IPA_CFG_DTLS || IPA_CFG_MODEM_TLS ? COAPS : 0);
    uint8_t features = IPA_CFG_HTTPS && s->ca_len != 0 ? FEATURES | DIRECT : FEATURES;
    size_t imei_len = strlen(imei);
    if (s->agent_config_len + 3 + 3 + 2 + imei_len > sizeof d->agent_config) return IPA_ERR_NO_MEM;
    if (s->agent_config_len != 0) memcpy(d->agent_config, s->agent_config, s->agent_config_len);
    d->config_len = (uint8_t)s->agent_config_len;
    put(d, TAG_PROTOCOLS, &protocols, 1);
    put(d, TAG_FEATURES, &features, 1);
    put(d, TAG_IMEI, imei, imei_len);
    return IPA_OK;
}

static int make_links(struct device *d) {
    const struct device_settings *s = d->settings;
    struct ipa_link_config *c = &d->link_config;
    struct ipa_link_session session = {session_load, session_save, session_invalidate, d};
    if (s->lte_m) ipa_link_lte_m(c);
    else ipa_link_defaults(c);
    c->net = ipa_modem_net(&d->modem.agent);
    c->entropy = entropy;
    c->now_ms = now_ms;
    c->utc_s = d->board->utc_s == NULL ? NULL : utc_s;
    c->ctx = d;
    c->ca = s->ca;
    c->ca_len = s->ca_len;
    c->psk_identity = s->psk_identity;
    c->psk = s->psk;
    c->psk_len = s->psk_len;
    c->session = session;
    c->modem_tls = IPA_CFG_MODEM_TLS;
#if IPA_CFG_LAB_PLAIN_COAP
    c->lab_plain_coap = 1;
    c->coap.token_min = 4;
#endif
    /* A block, CoAP's header and DTLS's record in one datagram. */
    if (c->net.send_max < 1024 + 96 && c->coap.szx > 5) c->coap.szx = 5;
    return ipa_link_init(&d->config.link, c, d->board->link_memory, d->board->link_memory_len);
}

static int make_agent(struct device *d) {
    const struct device_settings *s = d->settings;
    struct ipa_config *c = &d->config;
    memcpy(c->image, s->image, sizeof c->image);
    memcpy(c->image_len, s->image_len, sizeof c->image_len);
    c->keys = s->keys;
    c->key_count = s->key_count;
    c->arena = d->board->agent_memory;
    c->arena_len = d->board->agent_memory_len;
    c->uicc = ipa_modem_uicc(&d->modem.agent);
    c->store = *d->board->store;
    c->bearer = bearer;
    c->entropy = entropy;
    c->now_ms = now_ms;
    c->report = report;
    c->watchdog = watchdog;
    c->idle = idle;
    c->ctx = d;
    c->agent_config = d->agent_config;
    c->agent_config_len = d->config_len;
    return ipa_init(&d->ipa, c);
}

static void failed(struct device *d, const char *what, int err) {
    console_error(d, what, err);
    d->resting = 1;
    d->again_at = now_ms(d) + AGAIN_MS;
}

/* ---- The loop ---- */

static uint32_t set_up(struct device *d) {
    const char *imei = "";
    int err = ipa_modem_imei(&d->modem.agent, &imei);
    if (err == IPA_AGAIN) return AT_WORK_MS;
    if (err < 0) {
        failed(d, "modem", err);
        return 0;
    }
    err = make_agent_config(d, imei);
    if (err == IPA_OK) err = make_links(d);
    if (err == IPA_OK) err = make_agent(d);
    if (err < 0) failed(d, "agent", err);
    if (err == IPA_OK && d->wanted) device_poll_now(d);
    return 0;
}

static uint32_t run_agent(struct device *d) {
    uint32_t wait_ms = 0;
    if (d->resting) {
        int32_t left = (int32_t)(d->again_at - now_ms(d));
        if (left > 0) return (uint32_t)left;
        d->resting = 0;
    }
    if (d->ipa == NULL) return set_up(d);
    int err = ipa_poll(d->ipa, &wait_ms);
    if (err == IPA_OK) return wait_ms;
    failed(d, "agent", err);
    ipa_link_stop(&d->config.link);
    ipa_stop(d->ipa);
    d->ipa = NULL;
    return 0;
}

/*
 * The agent brings the bearer up, and it stays. Where there is no agent (its image is refused), the application does it for itself, when
 * a reading is due: 1 when it may go on.
 */
static int has_bearer(struct device *d) {
    uint8_t plmn[3];
    size_t plmn_len = 0;
    if (d->ipa != NULL || !d->resting || d->modem.attached || (int32_t)(d->sensor.due - now_ms(d)) > 0) return 1;
    return ipa_modem_bearer(&d->modem.application, 0, BEARER_MS, plmn, &plmn_len) != IPA_AGAIN;
}

static uint32_t run_application(struct device *d) {
    if (d->sensor.host[0] != '\0' && !has_bearer(d)) return AT_WORK_MS;
    uint32_t wait_ms = sensor_poll(&d->sensor, now_ms(d));
    if (d->shown != d->sensor.sent + d->sensor.failed) {
        d->shown = d->sensor.sent + d->sensor.failed;
        console_text(d, "sensor sent ");
        console_number(d, (int32_t)d->sensor.sent);
        console_text(d, " failed ");
        console_number(d, (int32_t)d->sensor.failed);
        console_text(d, "\r\n");
    }
    return wait_ms;
}

static uint32_t least(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

uint32_t device_step(struct device *d) {
    uint32_t wait_ms = LONGEST_SLEEP_MS;
    watchdog(d);
    if (d->board->key != NULL && d->board->key(d->board->ctx) == 'p') device_poll_now(d);
    if (ipa_modem_poll(&d->modem) == IPA_AGAIN) wait_ms = AT_WORK_MS;
    wait_ms = least(wait_ms, run_agent(d));
    return least(wait_ms, run_application(d));
}

void device_poll_now(struct device *d) {
    d->wanted = 1;
    if (d->ipa == NULL) return;
    d->wanted = 0;
    ipa_wake(d->ipa, IPA_WAKE_POLL, 0);
}

int device_rest(struct device *d) {
    return d->ipa == NULL ? IPA_OK : ipa_link_sleep(&d->config.link);
}

void device_init(struct device *d, const struct device_board *board, const struct device_settings *settings) {
    struct ipa_modem_config *m = &d->modem_config;
    memset(d, 0, sizeof *d);
    d->board = board;
    d->settings = settings;
    m->uart = board->uart;
    m->now_ms = now_ms;
    m->power = board->power == NULL ? NULL : modem_power;
    m->ctx = d;
    m->families = settings->families;
    m->apn = settings->apn;
    m->psm = settings->psm;
    m->edrx = settings->edrx;
    m->cid = settings->cid;
    ipa_modem_init(&d->modem, m);
    sensor_init(&d->sensor, ipa_modem_net(&d->modem.application), settings->sensor_host, settings->sensor_port, settings->sensor_period_ms, now_ms(d));
    console_text(d, "tinyipa on ");
    console_text(d, board->name);
    console_text(d, board->options);
    if (IPA_CFG_LAB_PLAIN_COAP) console_text(d, " lab-plain-coap");
    console_text(d, "\r\n");
}
