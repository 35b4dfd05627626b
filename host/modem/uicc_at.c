/* The eUICC over a modem; see uicc_at.h. SGP.32 5.9 (channel), TS 102 221 10.1 (class), 11.1 (commands). */
#include "modem/uicc_at.h"

#include <string.h>

enum path { PATH_UNKNOWN, PATH_CGLA, PATH_CSIM };
enum { TRY = IPA_AT_TRY, CME_BUSY = IPA_ERR_CME - 14 };

static const struct ipa_at_row iccid_row = { "+CRSM=176,12258,0,0,10", "+CRSM: 144,0,%x", TRY, IPA_CFG_APDU_S };
static const struct ipa_at_row cchc_number_row = { "+CCHC=%d", NULL, TRY, IPA_CFG_APDU_S };
static const struct ipa_at_row cchc_row = { "+CCHC=%i", NULL, TRY, IPA_CFG_APDU_S };
static const struct ipa_at_row ccho_row = { "+CCHO=\"%x\"", "+CCHO: %i", IPA_AT_BARE, IPA_CFG_APDU_S };
static const struct ipa_at_row cgla_row = { "+CGLA=%i,%N,\"%x\"", "+CGLA: %N,%x", IPA_AT_BARE, IPA_CFG_APDU_S };
static const struct ipa_at_row csim_row = { "+CSIM=%N,\"%x\"", "+CSIM: %N,%x", IPA_AT_BARE, IPA_CFG_APDU_S };

enum open_stage { LEFT_OPEN = 1, ICCID, SWEEP, CCHO, CHANNEL, SELECT, GET_RESPONSE, CLOSE, CHANNEL_SWEEP, REST };

/* Interindustry class of a channel; TS 102 221 10.1.1. */
static uint8_t class_of(uint8_t channel) { return (uint8_t)(channel < 4 ? channel : 0x40 + channel - 4); }

static int is_cme(int error) { return error <= IPA_ERR_CME && error > IPA_ERR_DRIVER; }

/* The card is not ready yet: busy, or not inserted as far as the modem knows. */
static int not_ready(int error) { return error == CME_BUSY || error == IPA_ERR_CME - 10; }

/* Hash of the ICCID that the modem sees, 0: it sees none. FNV-1a. */
static uint32_t iccid_hash(const struct ipa_modem *m) {
    uint32_t hash = 2166136261u;
    if (m->at.got < 10) return 0;
    for (size_t i = 0; i < 10; i++) hash = (hash ^ m->scratch[i]) * 16777619u;
    return hash | 1;
}

/* Command of the driver itself in scratch; answer to sink. */
static void command(struct ipa_modem *m, uint8_t stage, size_t len, uint8_t *sink, size_t cap) {
    struct ipa_at_args *arg = &m->at.arg;
    memset(arg, 0, sizeof *arg);
    arg->data = m->scratch;
    arg->data_len = (uint16_t)len;
    arg->sink = sink;
    arg->cap = (uint16_t)(cap > 0xffff ? 0xffff : cap);
    ipa_modem_stage(m, stage);
}

static void header(struct ipa_modem *m, uint8_t cla, uint8_t ins, uint8_t p1, uint8_t p2, uint8_t p3) {
    uint8_t *p = m->scratch;
    p[0] = cla;
    p[1] = ins;
    p[2] = p1;
    p[3] = p2;
    p[4] = p3;
}

static void read_iccid(struct ipa_modem *m, uint8_t stage) { command(m, stage, 0, m->scratch, 10); }

static void manage_channel(struct ipa_modem *m, uint8_t stage, uint8_t p1, uint8_t p2, uint8_t p3) {
    header(m, 0x00, 0x70, p1, p2, p3);
    command(m, stage, 5, m->scratch, sizeof m->scratch);
}

static void select_application(struct ipa_modem *m, const struct ipa_uicc_open *how) {
    header(m, class_of(m->channel), 0xa4, 0x04, 0x00, (uint8_t)how->aid_len);
    memcpy(m->scratch + 5, how->aid, how->aid_len);
    command(m, SELECT, 5 + how->aid_len, how->fci, how->fci_cap);
}

static void open_channel(struct ipa_modem *m, const struct ipa_uicc_open *how) {
    int fixed = how->flags & IPA_UICC_FIXED_CHANNEL ? 1 : 0;
    manage_channel(m, CHANNEL, 0x00, (uint8_t)fixed, fixed ? 0 : 1);
}

static void begin_path(struct ipa_modem *m, const struct ipa_uicc_open *how) {
    int csim = m->path == PATH_UNKNOWN ? m->family->flags & IPA_MODEM_CSIM_FIRST : m->path == PATH_CSIM;
    if (csim) {
        open_channel(m, how);
    } else if (!m->swept) {
        command(m, SWEEP, 0, NULL, 0);
        m->at.arg.number = 1;
    } else {
        command(m, CCHO, 0, NULL, 0);
        m->at.arg.data = how->aid;
        m->at.arg.data_len = (uint16_t)how->aid_len;
    }
}

static void begin_card(struct ipa_modem *m, const struct ipa_uicc_open *how) {
    if (m->card_known) begin_path(m, how);
    else read_iccid(m, ICCID);
}

static const struct ipa_at_row *close_row(const struct ipa_modem *m) { return m->path == PATH_CGLA ? &cchc_row : &csim_row; }

/* Neither way led to the card. */
static int open_refused(struct ipa_modem *m, int error) {
    if (m->error == IPA_OK || !not_ready(error)) m->error = (int16_t)error;
    if (not_ready(error) ? m->at.now - m->since >= 10000 : ++m->tries >= 3) {
        if (error == IPA_ERR_TIMEOUT || error == IPA_ERR_MODEM_SILENT) return error;
        return is_cme(error) && (not_ready(error) || error == IPA_ERR_CME - 13) ? IPA_ERR_NO_CARD : IPA_ERR_CHANNEL;
    }
    ipa_modem_stage(m, REST);
    return IPA_OK;
}

static int opened(struct ipa_modem *m, enum path path) {
    m->path = (uint8_t)path;
    m->open = m->session = 1;
    m->card_event = 0;
    return 1;
}

static int after_ccho(struct ipa_modem *m, const struct ipa_uicc_open *how, int result) {
    if (result == IPA_OK) {
        m->channel = 0;
        return opened(m, PATH_CGLA);
    }
    if (not_ready(result) || result == IPA_ERR_MODEM_RESET) return open_refused(m, result);
    open_channel(m, how);
    return IPA_OK;
}

static int after_channel(struct ipa_modem *m, struct ipa_uicc_open *how) {
    uint16_t sw = m->at.tail;
    if (sw == 0x9000) {
        m->channel = how->flags & IPA_UICC_FIXED_CHANNEL || m->at.got < 3 ? 1 : m->scratch[0];
    } else if (sw == 0x6881 || sw == 0x6d00 || sw == 0x6e00) {
        m->channel = 0; /* this modem or card has the basic channel only */
    } else if (!(m->swept & 2)) {
        m->swept |= 2;
        manage_channel(m, CHANNEL_SWEEP, 0x80, 1, 0);
        return IPA_OK;
    } else {
        how->sw = sw;
        return IPA_ERR_CHANNEL;
    }
    select_application(m, how);
    return IPA_OK;
}

static int after_select(struct ipa_modem *m, struct ipa_uicc_open *how) {
    uint16_t sw = m->at.tail;
    uint8_t sw1 = (uint8_t)(sw >> 8);
    if (sw1 == 0x61 && !(how->flags & IPA_UICC_NO_FCI)) {
        header(m, class_of(m->channel), 0xc0, 0, 0, (uint8_t)sw);
        command(m, GET_RESPONSE, 5, how->fci, how->fci_cap);
        return IPA_OK;
    }
    if (sw == 0x9000 || sw1 == 0x61 || sw1 == 0x62 || sw1 == 0x63 || sw1 == 0x91) {
        size_t len = m->at.got < 2 ? 0 : m->at.got - 2u;
        how->fci_len = len > how->fci_cap || how->flags & IPA_UICC_NO_FCI ? 0 : len;
        return opened(m, PATH_CSIM);
    }
    how->sw = sw;
    m->error = IPA_ERR_NO_ISDR;
    manage_channel(m, CLOSE, 0x80, m->channel, 0);
    return IPA_OK;
}

/* The number of the command just done is the next one's; false when channels 1 to 3 are closed. */
static int next_sweep(struct ipa_modem *m, const struct ipa_uicc_open *how) {
    if (m->stage == SWEEP) {
        m->row = NULL;
        if (++m->at.arg.number <= 3) return 1;
        m->swept |= 1;
        begin_path(m, how);
        return 0;
    }
    if (m->slot++ < 3) manage_channel(m, CHANNEL_SWEEP, 0x80, m->slot, 0);
    else open_channel(m, how);
    return 0;
}

static const struct ipa_at_row *open_row(const struct ipa_modem *m) {
    switch (m->stage) {
    case LEFT_OPEN: return close_row(m);
    case ICCID: return &iccid_row;
    case SWEEP: return &cchc_number_row;
    case CCHO: return &ccho_row;
    default: return &csim_row;
    }
}

/* IPA_OK: go on, 1: open. */
static int open_step(struct ipa_modem *m, struct ipa_uicc_open *how) {
    int result;
    if (m->stage == 0) {
        m->error = IPA_OK;
        m->open = 0;
        m->slot = 1;
        if (m->session) manage_channel(m, LEFT_OPEN, 0x80, m->channel, 0);
        else begin_card(m, how);
    }
    if (m->stage == REST) {
        if (!ipa_modem_paused(m, not_ready(m->error) ? 250 : 1000)) return IPA_AGAIN;
        m->error = IPA_OK;
        begin_path(m, how);
    }
    result = ipa_modem_row(m, open_row(m));
    if (result == IPA_AGAIN) return result;
    switch (m->stage) {
    case LEFT_OPEN:
        m->session = 0;
        begin_card(m, how);
        return IPA_OK;
    case ICCID:
        m->iccid = iccid_hash(m);
        m->card_known = 1;
        begin_path(m, how);
        return IPA_OK;
    case SWEEP:
    case CHANNEL_SWEEP:
        next_sweep(m, how);
        return IPA_OK;
    case CCHO: return after_ccho(m, how, result);
    case CLOSE: return m->error;
    case GET_RESPONSE:
        how->fci_len = result == IPA_OK && m->at.tail == 0x9000 && m->at.got - 2u <= how->fci_cap ? m->at.got - 2u : 0;
        return opened(m, PATH_CSIM);
    default:
        if (result != IPA_OK) return open_refused(m, result);
        return m->stage == CHANNEL ? after_channel(m, how) : after_select(m, how);
    }
}

static int uicc_open(void *ctx, struct ipa_uicc_open *how) {
    struct ipa_modem_user *user = ctx;
    struct ipa_modem *m = user->modem;
    int result = how->aid_len >= 5 && how->aid_len <= 16 ? ipa_modem_enter(user, IPA_OP_UICC_OPEN) : IPA_ERR_INVALID;
    if (result == IPA_OK && m->stage == 0) {
        how->fci_len = 0;
        how->sw = 0;
    }
    if (result != IPA_OK) return result;
    while (result == IPA_OK) result = open_step(m, how);
    if (result == 1) {
        how->channel = m->channel;
        result = IPA_OK;
    }
    return ipa_modem_leave(m, result);
}

/* ---- APDUs ---- */

/* The modem and the card want case 1 with P3, and case 4 without Le. */
static size_t shape(uint8_t *buf, size_t len, size_t cap) {
    if (len == 4 && cap > 4) buf[len++] = 0;
    return len > 5 && len == (size_t)buf[4] + 6 ? len - 1 : len;
}

/* The session id as a channel number 1 to 3, 0: it is none. */
static uint8_t session_channel(const struct ipa_modem *m) {
    const char *id = m->at.id;
    while (*id == '0') id++;
    return (uint8_t)(id[0] >= '1' && id[0] <= '3' && id[1] == 0 ? id[0] - '0' : 0);
}

/* Some modems do not put the channel into CLA: found out at the first refusal of a session, by trying it once. */
static int retry_with_channel(struct ipa_modem *m, uint8_t *buf) {
    uint16_t sw = m->at.tail;
    int refused = sw == 0x6e00 || sw == 0x6d00 || sw == 0x6881 || sw == 0x6985;
    if (m->open == 2 && m->patch != 0) {
        if (refused) m->patch = 0;
        m->open = 3;
        return 0;
    }
    if (!refused || m->open != 1 || m->patch != 0 || m->at.got != 2 || session_channel(m) == 0) {
        m->open = 3;
        return 0;
    }
    m->patch = session_channel(m);
    m->open = 2;
    buf[0] = (uint8_t)(m->head[0] | m->patch);
    buf[1] = m->head[1];
    return 1;
}

static void transmit_begin(struct ipa_modem *m, uint8_t *buf, size_t len, size_t cap, int cgla) {
    struct ipa_at_args *arg = &m->at.arg;
    memset(arg, 0, sizeof *arg);
    arg->data_len = (uint16_t)shape(buf, len, cap);
    m->head[0] = buf[0];
    m->head[1] = buf[1];
    if (cgla) buf[0] |= m->patch;
    arg->data = arg->sink = buf;
    arg->cap = (uint16_t)(cap > 0xffff ? 0xffff : cap);
    if (buf[1] == 0xe2) arg->wait_s = IPA_CFG_APDU_LONG_S;
    ipa_modem_stage(m, 1);
}

static int transmit_failed(struct ipa_modem *m, int error) {
    int dead = error == IPA_ERR_CME - 3 || error == IPA_ERR_CME - 13 || error == IPA_ERR_CME - 22;
    if (dead || (is_cme(error) && m->card_event)) {
        m->card_reset = 1;
        m->open = 0;
    }
    return error == IPA_ERR_CME - 10 ? IPA_ERR_NO_CARD : error;
}

static int uicc_transmit(void *ctx, uint8_t *buf, size_t len, size_t cap, uint32_t flags) {
    struct ipa_modem_user *user = ctx;
    struct ipa_modem *m = user->modem;
    int cgla = m->path == PATH_CGLA && !(flags & IPA_UICC_BASIC);
    int result = len < 4 || len > 261 ? IPA_ERR_INVALID : ipa_modem_enter(user, IPA_OP_UICC_TRANSMIT);
    if (result != IPA_OK) return result;
    if (m->stage == 0) {
        if (!m->open && !(flags & IPA_UICC_BASIC)) return ipa_modem_leave(m, IPA_ERR_CHANNEL);
        transmit_begin(m, buf, len, cap, cgla);
    }
    if (m->stage == 2) {
        if (!ipa_modem_paused(m, 250)) return IPA_AGAIN;
        m->stage = 1;
    }
    do {
        result = ipa_modem_row(m, cgla ? &cgla_row : &csim_row);
        if (result == CME_BUSY && m->at.now - m->since < 10000) {
            ipa_modem_stage(m, 2);
            return IPA_AGAIN;
        }
        if (result != IPA_OK) return result == IPA_AGAIN ? result : ipa_modem_leave(m, transmit_failed(m, result));
    } while (cgla && retry_with_channel(m, buf));
    if (m->at.tail == 0x6881 && m->card_event) m->card_reset = 1;
    return ipa_modem_leave(m, m->at.got < 2 ? IPA_ERR_MODEM : m->at.got > cap ? IPA_ERR_TOO_LARGE : m->at.got);
}

static int uicc_close(void *ctx) {
    struct ipa_modem_user *user = ctx;
    struct ipa_modem *m = user->modem;
    int result = m->open ? ipa_modem_enter(user, IPA_OP_UICC_CLOSE) : IPA_OK;
    if (!m->open && result == IPA_OK) return IPA_OK;
    if (result != IPA_OK) return result;
    if (m->stage == 0) manage_channel(m, 1, 0x80, m->channel, 0);
    result = ipa_modem_row(m, close_row(m));
    if (result != IPA_AGAIN) m->open = m->session = 0;
    return ipa_modem_leave(m, result);
}

/* ---- Reset of the card; SGP.22 3.2.1, TS 102 223 6.4.7 (REFRESH) ---- */

enum reset_stage { WAIT = 1, WAIT_ICCID, CYCLE, CHECK, CHECK_ICCID, FULL };

/* 1: another profile is in force. */
static int switched(struct ipa_modem *m) {
    uint32_t now = iccid_hash(m);
    if (m->card_known && m->iccid != 0) return now != 0 && now != m->iccid;
    return now != 0 || m->card_event;
}

static int reset_wait(struct ipa_modem *m, uint32_t wait_ms) {
    if (m->at.now - m->since >= wait_ms) {
        ipa_modem_stage(m, CYCLE);
        return IPA_OK;
    }
    if (!ipa_modem_paused(m, m->card_event ? 200 : 1000)) return IPA_AGAIN;
    read_iccid(m, WAIT_ICCID);
    return IPA_OK;
}

/* The card is off and on again, and comes up: does the modem see the new profile? */
static int reset_check(struct ipa_modem *m, uint32_t flags) {
    if (!(flags & IPA_UICC_AFTER_REFRESH) || !m->card_known || m->iccid == 0) return 1;
    if (m->at.now - m->since >= 10000) {
        ipa_modem_stage(m, FULL);
        return IPA_OK;
    }
    if (!ipa_modem_paused(m, 500)) return IPA_AGAIN;
    read_iccid(m, CHECK_ICCID);
    return IPA_OK;
}

static int run_away(struct ipa_modem *m, enum ipa_modem_script script) {
    int result = ipa_modem_run(m, ipa_modem_script(m, script));
    return result == IPA_AGAIN ? result : IPA_OK;
}

/* IPA_OK: go on, 1: done. */
static int reset_step(struct ipa_modem *m, uint32_t flags, uint32_t wait_ms) {
    int result;
    switch (m->stage) {
    case 0:
        m->open = 0;
        ipa_modem_stage(m, flags & IPA_UICC_AFTER_REFRESH ? WAIT : CYCLE);
        return IPA_OK;
    case WAIT: return reset_wait(m, wait_ms);
    case WAIT_ICCID:
    case CHECK_ICCID:
        result = ipa_modem_row(m, &iccid_row);
        if (result == IPA_AGAIN) return result;
        m->row = NULL;
        ipa_modem_stage(m, m->stage == WAIT_ICCID ? WAIT : CHECK);
        return switched(m);
    case CYCLE:
        result = run_away(m, IPA_SCRIPT_CARD);
        if (result == IPA_AGAIN) return result;
        m->attached = m->session = 0;
        m->since = m->at.now;
        ipa_modem_stage(m, CHECK);
        return IPA_OK;
    case CHECK: return reset_check(m, flags);
    default:
        result = run_away(m, IPA_SCRIPT_RESET);
        if (result == IPA_AGAIN) return result;
        ipa_modem_restarted(m);
        return 1;
    }
}

static int uicc_reset(void *ctx, uint32_t flags, uint32_t wait_ms) {
    struct ipa_modem_user *user = ctx;
    struct ipa_modem *m = user->modem;
    int result = ipa_modem_enter(user, IPA_OP_UICC_RESET);
    while (result == IPA_OK) result = reset_step(m, flags, wait_ms);
    if (result != 1) return ipa_modem_leave(m, result);
    m->card_reset = 1;
    m->card_known = m->card_event = 0;
    return ipa_modem_leave(m, IPA_OK);
}

static int uicc_was_reset(void *ctx) {
    struct ipa_modem *m = ((struct ipa_modem_user *)ctx)->modem;
    int was = m->card_reset;
    m->card_reset = 0;
    return was;
}

struct ipa_uicc ipa_modem_uicc(struct ipa_modem_user *user) {
    struct ipa_uicc uicc = { uicc_open, uicc_transmit, uicc_close, uicc_reset, uicc_was_reset, user };
    return uicc;
}
