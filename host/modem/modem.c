/*
 * The modem as a whole: boot, detection of its family, whose turn it is, registration and bearer (27.007 7, 10), power saving,
 * identity. What families do otherwise: quirks/. Left out: PIN and PUK, choice of network by hand, APN with password.
 */
#include "modem/modem.h"

#include <string.h>

#include "modem/net_at.h"

enum boot { BOOT_POWER, BOOT_FIRST, BOOT_FAMILY, BOOT_APN, BOOT_RADIO, BOOT_AWAKE, BOOT_DONE, BOOT_RESET };
enum sleep { AWAKE, DROWSY, ASLEEP };
enum { TRY = IPA_AT_TRY, LAST = IPA_AT_LAST };

static const struct ipa_at_row first_rows[] = {
    { "E0", NULL, TRY, 0 },
    { "V1", NULL, TRY, 0 },
    { "+CMEE=1", NULL, TRY, 0 },
    { "+CGSN", NULL, TRY, 0 },
    { "+CGMM", NULL, TRY, 0 },
    { "+CEREG=0", NULL, TRY, 0 },
    { "+COPS=3,2", NULL, TRY | LAST, 0 },
};
static const struct ipa_at_row apn_row = { "+CGDCONT=%c,\"IP\",\"%h\"", NULL, TRY, 0 };
static const struct ipa_at_row radio_row = { "+CFUN=1", NULL, TRY, 90 };
static const struct ipa_at_row awake_rows[] = {
    { "+CPSMS=0", NULL, TRY, 0 },
    { "+CEDRXS=0", NULL, TRY | LAST, 0 },
};
static const struct ipa_at_row sleep_rows[] = {
    { "+CPSMS=1,,,%h", NULL, TRY, 0 },
    { "+CEDRXS=1,%H", NULL, TRY | LAST, 0 },
};
static const struct ipa_at_row registered_rows[] = {
    { "+CEREG?", "+CEREG: %_,%u", IPA_AT_OPTIONAL, 0 },
    { "+CGREG?", "+CGREG: %_,%u", TRY, 0 },
};
/* Its answer is read by on_line: the name of the network is its number here. */
static const struct ipa_at_row operator_row = { "+COPS?", NULL, TRY, 0 };

static const struct ipa_modem_urc common_urcs[] = {
    { "RDY", IPA_EVENT_BOOT },
    { "APP RDY", IPA_EVENT_BOOTED },
    { "POWERED DOWN", IPA_EVENT_BOOT },
    { "NORMAL POWER DOWN", IPA_EVENT_BOOT },
    { "UNDER_VOLTAGE", IPA_EVENT_BOOT },
    { "+CPIN: READY", IPA_EVENT_CARD },
    { "+CGEV: NW DETACH", IPA_EVENT_DOWN },
    { "+CGEV: ME DETACH", IPA_EVENT_DOWN },
    { NULL, 0 },
};

void ipa_modem_stage(struct ipa_modem *m, uint8_t stage) {
    m->stage = stage;
    m->pause = 0;
}

/* ---- Lines that nobody asked for ---- */

/* Sockets don't survive this. `gone`: the modem doesn't even know them any more. */
static void down(struct ipa_modem *m, uint8_t gone) {
    m->attached = 0;
    for (struct ipa_modem_socket *s = m->sockets; s < m->sockets + IPA_CFG_MODEM_SOCKETS; s++) {
        if (s->state & IPA_SOCKET_DOOMED && gone) s->state = 0;
        if (s->state != 0) s->state |= IPA_SOCKET_BROKEN | gone;
    }
}

void ipa_modem_restarted(struct ipa_modem *m) {
    m->booted = m->at.now;
    m->boots++;
    m->boot = BOOT_FIRST;
    m->row = NULL;
    m->open = m->session = m->swept = m->card_known = 0;
    memset(m->trusted, 0, sizeof m->trusted);
    m->card_reset = 1;
    down(m, IPA_SOCKET_GONE);
    ipa_at_fail(&m->at, IPA_ERR_MODEM_RESET);
    ipa_at_lost(&m->at, IPA_CFG_AT_BOOT_SYNC);
}

void ipa_modem_offline(struct ipa_modem *m) {
    down(m, 0);
    m->open = m->session = 0;
    m->card_reset = 1;
}

static void on_socket(struct ipa_modem *m, uint8_t state) {
    for (size_t i = 0; i < IPA_CFG_MODEM_SOCKETS; i++)
        if (m->sockets[i].state != 0 && !(m->sockets[i].state & IPA_SOCKET_GONE) && m->sockets[i].handle == m->at.event_socket) m->sockets[i].state |= state;
}

static void on_event(struct ipa_modem *m, uint8_t event) {
    switch (event) {
    case IPA_EVENT_BOOTED:
        /* Behind RDY, and behind our own +CFUN=1. */
        if (m->boot != BOOT_DONE || m->owner != IPA_OP_NONE || m->at.now - m->booted < 30000) break;
        ipa_modem_restarted(m);
        break;
    case IPA_EVENT_BOOT: ipa_modem_restarted(m); break;
    case IPA_EVENT_CARD: m->card_event = 1; break;
    case IPA_EVENT_DATA: on_socket(m, IPA_SOCKET_DATA); break;
    case IPA_EVENT_CLOSED: on_socket(m, IPA_SOCKET_DATA | IPA_SOCKET_CLOSED); break;
    case IPA_EVENT_READY: on_socket(m, m->at.event_value & 56 ? IPA_SOCKET_DATA | IPA_SOCKET_CLOSED : IPA_SOCKET_DATA); break;
    default: down(m, 0);
    }
}

static int find_urc(struct ipa_modem *m, const struct ipa_modem_urc *urc) {
    for (; urc != NULL && urc->form != NULL; urc++) {
        if (!ipa_at_match(&m->at, urc->form)) continue;
        on_event(m, urc->event);
        return 1;
    }
    return 0;
}

static int contains(const char *line, const char *part, size_t len) {
    for (; *line != 0; line++)
        if (strncmp(line, part, len) == 0) return 1;
    return len == 0;
}

static int is_model(const struct ipa_modem_family *family, const char *line) {
    const char *part = family->models;
    for (;;) {
        size_t len = strcspn(part, "|");
        if (contains(line, part, len)) return 1;
        if (part[len] == 0) return 0;
        part += len + 1;
    }
}

/* A bare line of the first commands: model or IMEI. */
static void on_identity(struct ipa_modem *m, const char *line) {
    if (strlen(line) == 15 && strspn(line, "0123456789") == 15) memcpy(m->imei, line, 16);
    if (m->row == NULL || strcmp(m->row->send, "+CGMM") != 0) return;
    for (const struct ipa_modem_family *const *family = m->config->families; m->family == NULL && *family != NULL; family++)
        if (is_model(*family, line)) m->family = *family;
}

/* +COPS: 0,2,"26201",7 into TS 24.008 10.5.1.3. */
static void on_operator(struct ipa_modem *m, const char *line) {
    const char *digits = strchr(line, '"');
    size_t len = digits == NULL ? 0 : strspn(++digits, "0123456789");
    if (len != 5 && len != 6) return;
    m->plmn[0] = (uint8_t)((digits[1] & 15) << 4 | (digits[0] & 15));
    m->plmn[1] = (uint8_t)((len == 6 ? digits[5] & 15 : 15) << 4 | (digits[2] & 15));
    m->plmn[2] = (uint8_t)((digits[4] & 15) << 4 | (digits[3] & 15));
    m->plmn_len = 3;
}

static void on_line(void *ctx, struct ipa_at *at) {
    struct ipa_modem *m = ctx;
    if (find_urc(m, common_urcs)) return;
    if (m->family != NULL && find_urc(m, m->family->urcs)) return;
    if (m->boot == BOOT_FIRST) on_identity(m, at->line);
    if (strncmp(at->line, "+COPS: ", 7) == 0) on_operator(m, at->line);
    if (m->boot == BOOT_DONE && m->family->flags & IPA_MODEM_SILENT_BOOT && strncmp(at->line, "AT", 2) == 0) ipa_modem_restarted(m);
}

/* ---- Rows and scripts ---- */

const struct ipa_at_row *ipa_modem_script(const struct ipa_modem *m, enum ipa_modem_script which) {
    const struct ipa_at_row *script = m->family->scripts[which];
    return script != NULL ? script : ipa_family_generic.scripts[which];
}

int ipa_modem_row(struct ipa_modem *m, const struct ipa_at_row *row) {
    m->row = row;
    return ipa_at_run(&m->at, row);
}

int ipa_modem_run(struct ipa_modem *m, const struct ipa_at_row *script) {
    if (script == NULL) return IPA_OK;
    if (m->row == NULL) m->row = script;
    for (;;) {
        int result = ipa_at_run(&m->at, m->row);
        if (result == IPA_AGAIN) return IPA_AGAIN;
        if (result != IPA_OK || m->row->flags & IPA_AT_LAST) {
            m->row = NULL;
            return result;
        }
        m->row++;
    }
}

int ipa_modem_paused(struct ipa_modem *m, uint32_t ms) {
    if (m->pause == 0) {
        m->pause = m->at.now | 1;
    } else if (m->at.now - m->pause + 1 >= ms) {
        m->pause = 0;
        return 1;
    }
    return 0;
}

/* ---- Boot ---- */

static void set_text(struct ipa_modem *m, const char *text, const char *text2) {
    struct ipa_at_args *arg = &m->at.arg;
    arg->text = text;
    arg->text_len = (uint16_t)(text == NULL ? 0 : strlen(text));
    arg->text2 = text2;
    arg->text2_len = (uint16_t)(text2 == NULL ? 0 : strlen(text2));
    arg->cid = m->config->cid;
}

static int power(struct ipa_modem *m, enum ipa_modem_power what) { return m->config->power == NULL ? IPA_OK : m->config->power(m->config->ctx, what); }

static int choose_family(struct ipa_modem *m) {
    const struct ipa_modem_family *const *families = m->config->families;
    if (m->family == NULL && families[1] == NULL) m->family = families[0];
    if (m->family == NULL) return IPA_ERR_UNSUPPORTED;
    m->at.gap_ms = m->family->gap_ms;
    return IPA_OK;
}

/* One step of the boot: IPA_OK when it is done. */
static int boot_step(struct ipa_modem *m) {
    int result;
    switch (m->boot) {
    case BOOT_POWER: return power(m, IPA_POWER_ON);
    case BOOT_RESET: return power(m, IPA_POWER_RESET);
    case BOOT_FIRST:
        result = ipa_modem_run(m, first_rows);
        return result != IPA_OK ? result : choose_family(m);
    case BOOT_FAMILY: return ipa_modem_run(m, ipa_modem_script(m, IPA_SCRIPT_INIT));
    case BOOT_APN:
        set_text(m, m->config->apn, NULL);
        return m->config->apn == NULL ? IPA_OK : ipa_modem_row(m, &apn_row);
    case BOOT_RADIO: return ipa_modem_row(m, &radio_row);
    default: return m->config->psm == NULL && m->config->edrx == NULL ? IPA_OK : ipa_modem_run(m, awake_rows);
    }
}

/* Modem up, its family known: IPA_OK. A modem that is silent is reset by the board once. */
static int boot(struct ipa_modem *m) {
    while (m->boot != BOOT_DONE) {
        int result = boot_step(m);
        if (result == IPA_AGAIN) return result;
        m->row = NULL;
        if (result == IPA_OK) {
            m->boot = (uint8_t)(m->boot == BOOT_RESET ? BOOT_FIRST : m->boot + 1);
        } else {
            int silent = result == IPA_ERR_MODEM_SILENT;
            int reset = silent && m->tries == 0 && m->config->power != NULL;
            int give_up = (silent && !reset) || m->boot == BOOT_RESET || ++m->tries >= 4;
            m->boot = reset ? BOOT_RESET : BOOT_FIRST;
            ipa_at_lost(&m->at, IPA_CFG_AT_BOOT_SYNC);
            if (give_up) return result;
        }
    }
    m->tries = 0;
    return IPA_OK;
}

/* ---- Sleep, and what is done between operations ---- */

void ipa_modem_idle(void *ctx, int idle) {
    struct ipa_modem *m = ((struct ipa_modem_user *)ctx)->modem;
    if (idle && m->sleep == AWAKE) m->sleep = DROWSY;
    else if (!idle && m->sleep == DROWSY) m->sleep = AWAKE;
}

static int fall_asleep(struct ipa_modem *m) {
    const struct ipa_modem_config *config = m->config;
    int result;
    if (m->stage == 0) {
        set_text(m, config->psm, config->edrx);
        ipa_modem_stage(m, 1);
    }
    if (config->psm == NULL && m->row == NULL) m->row = &sleep_rows[1];
    result = config->psm == NULL && config->edrx == NULL ? IPA_OK : ipa_modem_run(m, sleep_rows);
    if (result == IPA_AGAIN) return result;
    if (config->uart.wake != NULL) config->uart.wake(config->uart.ctx, 0);
    m->sleep = ASLEEP;
    return result;
}

/* What nobody asked for: sockets that their users have left, and falling asleep. It has the line until it is done, too. */
static void background(struct ipa_modem *m) {
    int result = IPA_OK;
    ipa_at_poll(&m->at, m->at.now);
    if (m->stage == 0) result = ipa_net_sweep(m);
    if (result == IPA_OK && m->sleep == DROWSY && m->boot == BOOT_DONE) result = fall_asleep(m);
    ipa_modem_leave(m, result);
}

int ipa_modem_poll(struct ipa_modem *m) {
    int work = m->boot == BOOT_DONE && (m->sleep == DROWSY || (m->sleep == AWAKE && ipa_net_doomed(m)));
    if (m->owner != IPA_OP_NONE && m->owner != IPA_OP_POLL) return IPA_AGAIN;
    m->at.now = m->config->now_ms(m->config->ctx);
    if (m->owner == IPA_OP_NONE) {
        ipa_at_poll(&m->at, m->at.now);
        if (!work || ipa_at_busy(&m->at)) return IPA_OK;
        m->owner = IPA_OP_POLL;
        m->row = NULL;
        ipa_modem_stage(m, 0);
    }
    background(m);
    return m->owner == IPA_OP_POLL ? IPA_AGAIN : IPA_OK;
}

/* ---- Turns ---- */

void ipa_modem_give_up(struct ipa_modem *m) {
    if (ipa_at_busy(&m->at)) {
        uint8_t operation = m->owner & 0x7f;
        /* A stream has lost octets. */
        if (operation >= IPA_OP_SEND && operation < IPA_OP_SOCKETS_END) ipa_net_cut(m, operation & 7);
        ipa_at_cancel(&m->at);
    }
    if ((m->owner & 0x7f) == IPA_OP_NET_OPEN) ipa_net_cut(m, m->slot);
    m->owner = IPA_OP_NONE;
    m->row = NULL;
}

static void wake(struct ipa_modem *m) {
    const struct ipa_uart *uart = &m->config->uart;
    if (m->sleep == ASLEEP) {
        if (uart->wake != NULL) uart->wake(uart->ctx, 1);
        ipa_at_lost(&m->at, IPA_CFG_AT_BOOT_SYNC);
        if (m->boot == BOOT_DONE) m->boot = BOOT_AWAKE;
    }
    m->sleep = AWAKE;
}

int ipa_modem_enter(struct ipa_modem_user *user, uint8_t operation) {
    struct ipa_modem *m = user->modem;
    uint8_t owner = (uint8_t)(operation | user->number << 7);
    uint32_t now = m->config->now_ms(m->config->ctx);
    int result;
    if (m->owner == IPA_OP_POLL) {
        m->at.now = now;
        background(m);
        if (m->owner == IPA_OP_POLL) return IPA_AGAIN;
    }
    if (m->owner != IPA_OP_NONE && m->owner != owner) {
        if ((m->owner ^ owner) & 0x80 && now - m->turn < IPA_CFG_MODEM_TURN_MS) return IPA_AGAIN;
        ipa_modem_give_up(m);
    }
    ipa_at_poll(&m->at, now);
    if (m->owner == IPA_OP_NONE) {
        if (ipa_at_busy(&m->at)) return IPA_AGAIN;
        m->owner = owner;
        m->row = NULL;
        m->since = now;
        m->tries = 0;
        ipa_modem_stage(m, 0);
    }
    m->turn = now;
    wake(m);
    if (m->boot == BOOT_DONE) return IPA_OK;
    if (m->stage != 0 && operation != IPA_OP_UICC_RESET && operation != IPA_OP_BEARER) return ipa_modem_leave(m, IPA_ERR_MODEM_RESET);
    if (m->stage == 0) memset(&m->at.arg, 0, sizeof m->at.arg);
    result = boot(m);
    return result == IPA_OK ? IPA_OK : ipa_modem_leave(m, result);
}

int ipa_modem_leave(struct ipa_modem *m, int result) {
    if (result == IPA_AGAIN) return result;
    ipa_at_cancel(&m->at);
    m->owner = IPA_OP_NONE;
    m->row = NULL;
    memset(&m->at.arg, 0, sizeof m->at.arg);
    return result;
}

void ipa_modem_init(struct ipa_modem *m, const struct ipa_modem_config *config) {
    memset(m, 0, sizeof *m);
    m->config = config;
    m->agent.modem = m->application.modem = m;
    m->application.number = 1;
    ipa_at_init(&m->at, &config->uart, on_line, m);
    m->at.now = config->now_ms(config->ctx);
    ipa_at_lost(&m->at, IPA_CFG_AT_BOOT_SYNC);
}

/* ---- Identity, application ---- */

int ipa_modem_imei(struct ipa_modem_user *user, const char **imei) {
    struct ipa_modem *m = user->modem;
    int result = ipa_modem_enter(user, IPA_OP_IMEI);
    if (result != IPA_OK) return result;
    *imei = m->imei;
    return ipa_modem_leave(m, m->imei[0] != 0 ? IPA_OK : IPA_ERR_NOT_FOUND);
}

int ipa_modem_command(struct ipa_modem_user *user, const struct ipa_at_row *row, const struct ipa_at_args *arg) {
    struct ipa_modem *m = user->modem;
    int result = ipa_modem_enter(user, IPA_OP_COMMAND);
    if (result != IPA_OK) return result;
    if (m->stage == 0) {
        if (arg != NULL) m->at.arg = *arg;
        ipa_modem_stage(m, 1);
    }
    return ipa_modem_leave(m, ipa_modem_row(m, row));
}

/* ---- Registration and bearer ---- */

enum { START = 1, OFF, ON, REGISTRATION, REGISTRATION_2G, PAUSE, ATTACH, DETACH, OPERATOR };

static int bearer_failed(struct ipa_modem *m, int error) {
    m->error = (int16_t)error;
    ipa_modem_stage(m, DETACH);
    return IPA_AGAIN;
}

static int registration(struct ipa_modem *m) {
    int result = ipa_modem_row(m, &registered_rows[m->stage == REGISTRATION ? 0 : 1]);
    if (result == IPA_AGAIN) return result;
    if (result == IPA_OK && (m->at.value == 1 || m->at.value == 5)) ipa_modem_stage(m, m->attached ? OPERATOR : ATTACH);
    else ipa_modem_stage(m, m->stage == REGISTRATION ? REGISTRATION_2G : PAUSE);
    m->row = NULL;
    return IPA_OK;
}

/* IPA_OK: go on with the next stage, 1: the bearer is up. */
static int bearer_step(struct ipa_modem *m, int restart, uint32_t wait_ms) {
    int result;
    switch (m->stage) {
    case 0:
        m->error = IPA_ERR_NO_NETWORK;
        set_text(m, m->config->apn, NULL);
        m->stage = START;
        /* fall through */
    case START:
        if (restart) down(m, 0);
        ipa_modem_stage(m, restart ? OFF : ON);
        return IPA_OK;
    case OFF:
        result = ipa_modem_run(m, ipa_modem_script(m, IPA_SCRIPT_RADIO_OFF));
        if (result != IPA_AGAIN) ipa_modem_stage(m, ON);
        return result == IPA_AGAIN ? result : IPA_OK;
    case ON:
        result = m->attached ? IPA_OK : ipa_modem_row(m, &radio_row);
        m->row = NULL;
        if (result != IPA_AGAIN) ipa_modem_stage(m, REGISTRATION);
        return result;
    case REGISTRATION:
    case REGISTRATION_2G: return registration(m);
    case PAUSE:
        if (m->at.now - m->since >= wait_ms) return m->error;
        if (!ipa_modem_paused(m, 1000)) return IPA_AGAIN;
        ipa_modem_stage(m, REGISTRATION);
        return IPA_OK;
    case ATTACH:
        result = ipa_modem_run(m, ipa_modem_script(m, IPA_SCRIPT_ATTACH));
        m->attached = result == IPA_OK;
        if (result == IPA_OK) ipa_modem_stage(m, OPERATOR);
        return result == IPA_OK || result == IPA_AGAIN ? result : bearer_failed(m, result);
    case DETACH:
        result = ipa_modem_run(m, ipa_modem_script(m, IPA_SCRIPT_DETACH));
        if (result != IPA_AGAIN) ipa_modem_stage(m, PAUSE);
        return result == IPA_AGAIN ? result : IPA_OK;
    default:
        result = ipa_modem_row(m, &operator_row);
        return result == IPA_AGAIN ? result : 1;
    }
}

int ipa_modem_attach(struct ipa_modem *m, uint32_t wait_ms) {
    int result;
    do result = bearer_step(m, 0, wait_ms);
    while (result == IPA_OK);
    if (result != IPA_AGAIN) m->row = NULL;
    return result == 1 ? IPA_OK : result;
}

int ipa_modem_bearer(void *ctx, int restart, uint32_t wait_ms, uint8_t plmn[3], size_t *plmn_len) {
    struct ipa_modem_user *user = ctx;
    struct ipa_modem *m = user->modem;
    int result = ipa_modem_enter(user, IPA_OP_BEARER);
    while (result == IPA_OK) result = bearer_step(m, restart, wait_ms);
    if (result != 1) return ipa_modem_leave(m, result);
    memcpy(plmn, m->plmn, 3);
    *plmn_len = m->plmn_len;
    return ipa_modem_leave(m, IPA_OK);
}
