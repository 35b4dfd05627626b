/* AT line discipline; see at.h. 27.007 4 (syntax), V.250 5 and 6 (lines, result codes). */
#include "modem/at.h"

#include <string.h>

enum phase { IDLE, DRAIN, SYNC, SETTLE, SENDING, WAITING, PROMPTED, PAYLOAD, DONE };
enum reading { LINE, RAW, HEX, RAW_BEHIND_LINE };
enum { SEEN = 1, FINAL = 2, SENT = 4, ORPHAN = 8, HEX_ENDS = 16, HOLD = 32, FORMATTED = 64 };
enum { ESCAPE = 2 }; /* in dirty: a prompt may be open */
enum form { NO, WHOLE, AT_RAW, AT_HEX, AT_RAW_BEHIND_LINE };

static const char *const refusals[] = { "ERROR", "SEND FAIL", "NO CARRIER", "ABORTED" };

void ipa_at_init(struct ipa_at *at, const struct ipa_uart *uart, void (*on_line)(void *ctx, struct ipa_at *at), void *ctx) {
    memset(at, 0, sizeof *at);
    at->uart = uart;
    at->on_line = on_line;
    at->ctx = ctx;
    at->gap_ms = IPA_CFG_AT_GAP_MS;
    ipa_at_lost(at, IPA_CFG_AT_SYNC);
}

void ipa_at_lost(struct ipa_at *at, uint8_t tries) {
    at->dirty |= 1;
    at->sync_tries = tries;
}

static int active(const struct ipa_at *at) { return at->phase >= SENDING && at->phase < DONE; }

int ipa_at_busy(const struct ipa_at *at) { return at->phase != IDLE && !(at->phase == DONE && (at->seen & ORPHAN)); }

static void end(struct ipa_at *at, int result) {
    at->result = (int16_t)result;
    at->phase = DONE;
    at->reading = LINE;
    at->ended = at->now;
}

void ipa_at_fail(struct ipa_at *at, int error) {
    if (active(at)) {
        if (at->row->flags & IPA_AT_PROMPT) at->dirty |= ESCAPE;
        end(at, error);
    }
    ipa_at_lost(at, IPA_CFG_AT_SYNC);
}

/* A command cut off while it is written is ended by the search for the modem; payload that was announced is padded. */
void ipa_at_cancel(struct ipa_at *at) {
    if (!active(at)) {
        if (at->phase == DONE) at->phase = IDLE;
    } else if (at->phase == SENDING || at->format != NULL) {
        ipa_at_fail(at, IPA_ERR_TIMEOUT);
        at->phase = IDLE;
    } else {
        at->seen |= ORPHAN;
    }
    at->arg.sink = NULL;
    at->arg.data = NULL;
}

/* ---- Forms of answers ---- */

struct found {
    const char *id;
    uint32_t value;
    uint16_t announced;
    int16_t result;
    uint8_t socket, id_len, has_length, has_socket;
};

static int hex_value(uint8_t c) {
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A field of digits, unquoted; NULL when there is none. */
static const char *number(const char *p, uint32_t *value) {
    if (*p < '0' || *p > '9') return NULL;
    for (*value = 0; *p >= '0' && *p <= '9'; p++) *value = *value * 10 + (uint32_t)(*p - '0');
    return p;
}

static const char *skip_field(const char *p) {
    int quoted = 0;
    for (; *p != 0 && (quoted || *p != ','); p++) quoted ^= *p == '"';
    return p;
}

static const char *take_id(const char *p, struct found *found) {
    if (*p == '"') p++;
    found->id = p;
    while (hex_value((uint8_t)*p) >= 0) p++;
    found->id_len = (uint8_t)(p - found->id);
    if (*p == '"') p++;
    return found->id_len == 0 || found->id_len >= IPA_CFG_AT_ID || *p != 0 ? NULL : p;
}

/* One field after %: where the line goes on, NULL when it doesn't fit. */
static const char *field(const struct ipa_at *at, char kind, const char *p, struct found *found) {
    uint32_t value;
    if (kind == '_') return skip_field(p);
    if (kind == 'i') return take_id(p, found);
    p = number(p, &value);
    if (p == NULL) return NULL;
    switch (kind) {
    case 's': return value == at->arg.socket ? p : NULL;
    case 'S':
        found->socket = (uint8_t)value;
        found->has_socket = 1;
        break;
    case 'e': found->result = (int16_t)(value == 0 ? IPA_OK : IPA_ERR_DRIVER - (int)(value & 0x3fff)); break;
    case 'u': found->value = value; break;
    default:
        if (value > 0xffff) return NULL;
        found->announced = (uint16_t)(kind == 'N' ? value / 2 : value);
        found->has_length = 1;
    }
    return p;
}

static void keep(struct ipa_at *at, const struct found *found) {
    at->value = found->value;
    if (found->has_socket) at->arg.socket = found->socket;
    at->announced = found->announced;
    if (!found->has_length) at->seen |= HEX_ENDS;
    if (found->id == NULL) return;
    memcpy(at->id, found->id, found->id_len);
    at->id[found->id_len] = 0;
}

/* Compares the line so far with a form; `ended`: the line is complete. */
static enum form match(struct ipa_at *at, const char *form, int ended, struct found *found) {
    const char *p = at->line;
    memset(found, 0, sizeof *found);
    for (; *form != 0; form++) {
        if (*form == ' ') {
            while (*p == ' ') p++;
        } else if (*form == '%' && *++form != '%') {
            if (*form == 'b') return AT_RAW;
            if (*form == 'x') return AT_HEX;
            p = field(at, *form, p, found);
            if (p == NULL) return NO;
        } else if (*form == '\n' && *p == 0) {
            return !ended ? NO : found->announced > 0 ? AT_RAW_BEHIND_LINE : WHOLE;
        } else if (*p == *form) {
            p++;
        } else {
            /* "+CARECV: 0" has nothing behind its length. */
            return ended && *p == 0 && found->has_length && found->announced == 0 ? WHOLE : NO;
        }
    }
    return ended ? WHOLE : NO;
}

int ipa_at_match(struct ipa_at *at, const char *form) {
    struct found found;
    if (match(at, form, 1, &found) != WHOLE) return 0;
    at->event_value = (uint8_t)found.value;
    at->event_socket = found.socket;
    return 1;
}

/* ---- Lines from the modem ---- */

static void finish_when_complete(struct ipa_at *at) {
    uint8_t flags = at->row->flags;
    if (at->row->send == NULL ? !(at->seen & SEEN) : !(at->seen & FINAL)) return;
    if (at->row->answer != NULL && !(at->seen & SEEN) && !(flags & (IPA_AT_OPTIONAL | IPA_AT_TRY))) {
        if (flags & IPA_AT_LATER && at->result == IPA_OK) return;
        /* Its OK belonged to something else: out of step. */
        if (at->result == IPA_OK) ipa_at_fail(at, IPA_ERR_MODEM);
    }
    if (active(at)) end(at, flags & IPA_AT_TRY ? IPA_OK : at->result);
}

static void final(struct ipa_at *at, int result) {
    int unsent = at->row->flags & IPA_AT_PROMPT && !(at->seen & SENT);
    at->seen |= FINAL;
    if (result != IPA_OK) {
        end(at, at->row->flags & IPA_AT_TRY ? IPA_OK : result);
    } else if (unsent) {
        ipa_at_fail(at, IPA_ERR_MODEM);
    } else {
        finish_when_complete(at);
    }
}

/* A final result code of the command under way? */
static int is_final(struct ipa_at *at) {
    const char *line = at->line;
    uint32_t code;
    size_t i;
    if (at->row->send == NULL) return 0;
    if (strcmp(line, at->row->flags & IPA_AT_SEND_OK ? "SEND OK" : "OK") == 0) return final(at, IPA_OK), 1;
    for (i = 0; i < sizeof refusals / sizeof *refusals; i++)
        if (strcmp(line, refusals[i]) == 0) return final(at, IPA_ERR_MODEM), 1;
    if (strncmp(line, "+CME ERROR:", 11) != 0 && strncmp(line, "+CMS ERROR:", 11) != 0) return 0;
    line += 11;
    while (*line == ' ') line++;
    final(at, at->line[3] == 'E' && number(line, &code) != NULL && code < 1000 ? IPA_ERR_CME - (int)code : IPA_ERR_MODEM);
    return 1;
}

static void seen(struct ipa_at *at) {
    at->seen |= SEEN;
    at->reading = LINE;
    finish_when_complete(at);
}

/* The answer of the command under way, or the head of its payload? */
static int is_answer(struct ipa_at *at, int ended) {
    const char *form = at->row->answer;
    const char *bare;
    struct found found;
    enum form fits;
    if (form == NULL || at->seen & SEEN) return 0;
    fits = match(at, form, ended, &found);
    if (fits == NO && at->row->flags & IPA_AT_BARE && (bare = strchr(form, ' ')) != NULL) fits = match(at, bare + 1, ended, &found);
    if (fits == NO) return 0;
    keep(at, &found);
    if (found.result != IPA_OK) at->result = found.result;
    if (fits == AT_RAW && found.announced == 0) fits = WHOLE;
    if (fits == WHOLE) return seen(at), 1;
    at->reading = fits == AT_RAW ? RAW : fits == AT_HEX ? HEX : RAW_BEHIND_LINE;
    at->nibble = 0xff;
    at->line_len = 0;
    return 1;
}

static void prompt(struct ipa_at *at) {
    at->phase = PROMPTED;
    at->heard = at->now;
}

static int awaits_prompt(const struct ipa_at *at) { return at->phase == WAITING && at->row->flags & IPA_AT_PROMPT && !(at->seen & SENT); }

static void end_line(struct ipa_at *at) {
    at->line[at->line_len] = 0;
    at->line_len = 0;
    if (at->phase == SYNC && strcmp(at->line, "OK") == 0) {
        at->phase = SETTLE;
    } else if (awaits_prompt(at) && (strncmp(at->line, "CONNECT", 7) == 0 || strcmp(at->line, "DOWNLOAD") == 0)) {
        prompt(at);
    } else if (active(at) && at->phase != SENDING && (is_answer(at, 1) || is_final(at))) {
        return;
    } else {
        at->on_line(at->ctx, at);
    }
}

static void put(struct ipa_at *at, uint8_t octet) {
    if (at->arg.sink != NULL && at->got < at->arg.cap) at->arg.sink[at->got] = octet;
    at->got++;
    at->tail = (uint16_t)(at->tail << 8 | octet);
}

static void feed_line(struct ipa_at *at, uint8_t c) {
    if (c == '\r' || c == '\n') {
        if (at->line_len > 0) end_line(at);
        if (at->reading == RAW_BEHIND_LINE && c == '\n') at->reading = RAW;
        return;
    }
    if (c < 0x20 || c > 0x7e) return;
    if (at->line_len == 0) {
        if (c == ' ') return;
        if ((c == '>' || c == '@') && awaits_prompt(at)) {
            prompt(at);
            return;
        }
    }
    if (at->line_len < sizeof at->line - 1) at->line[at->line_len++] = (char)c;
    if ((c == ',' || c == '"') && active(at) && at->phase != SENDING) {
        at->line[at->line_len] = 0;
        is_answer(at, 0);
    }
}

static void feed_hex(struct ipa_at *at, uint8_t c) {
    int value = hex_value(c);
    if (value >= 0) {
        if (at->nibble == 0xff) {
            at->nibble = (uint8_t)value;
        } else {
            put(at, (uint8_t)(at->nibble << 4 | value));
            at->nibble = 0xff;
        }
    } else if (c != '"' || at->got > 0) {
        /* A digit lost or garbled shows in the count. */
        if (at->nibble != 0xff || (at->got != at->announced && !(at->seen & HEX_ENDS))) at->result = IPA_ERR_MODEM;
        seen(at);
    }
}

static void feed_raw(struct ipa_at *at, uint8_t c) {
    put(at, c);
    if (at->got == at->announced) seen(at);
}

void ipa_at_feed(struct ipa_at *at, const uint8_t *p, size_t len) {
    if (len > 0) at->heard = at->now;
    for (; len > 0; len--, p++) {
        if (at->reading == RAW_BEHIND_LINE && *p != '\r') {
            at->reading = RAW;
            if (*p == '\n') continue;
        }
        if (at->reading == RAW) feed_raw(at, *p);
        else if (at->reading == HEX) feed_hex(at, *p);
        else feed_line(at, *p);
    }
}

/* ---- Commands to the modem ---- */

static void put_number(struct ipa_at *at, uint32_t value) {
    uint32_t power = 1;
    while (value / power >= 10) power *= 10;
    for (; power > 0; power /= 10) at->out[at->out_len++] = (uint8_t)('0' + value / power % 10);
}

/* One character of a text, or two hex digits of the payload; 0 when that was all. */
static int put_text(struct ipa_at *at, const char *text, size_t len) {
    if (at->position >= len) return 0;
    at->out[at->out_len++] = (uint8_t)text[at->position++];
    return 1;
}

static int put_hex(struct ipa_at *at) {
    static const char digits[] = "0123456789ABCDEF";
    uint8_t octet;
    if (at->position >= at->arg.data_len) return 0;
    octet = at->arg.data[at->position++];
    at->out[at->out_len++] = (uint8_t)digits[octet >> 4];
    at->out[at->out_len++] = (uint8_t)digits[octet & 15];
    return 1;
}

/* Octet `i` of the SEQUENCE around the payload, which has 256 octets or more. */
static uint8_t sequence_octet(const struct ipa_at_args *arg, uint16_t i) {
    const uint8_t head[4] = { 0x30, 0x82, (uint8_t)(arg->data_len >> 8), (uint8_t)arg->data_len };
    return i < 4 ? head[i] : arg->data[i - 4];
}

static int put_sequence(struct ipa_at *at) {
    if (at->position >= at->arg.data_len + 4u) return 0;
    at->out[at->out_len++] = sequence_octet(&at->arg, at->position++);
    return 1;
}

/* Four characters, behind the end of a line where one is due. */
static int put_base64(struct ipa_at *at) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t left = at->arg.data_len + 4u - at->position, group = 0;
    if (at->position >= at->arg.data_len + 4u) return 0;
    if (at->position > 0 && at->position % 48 == 0) at->out[at->out_len++] = '\n';
    for (unsigned i = 0; i < 3; i++) group = group << 8 | (i < left ? sequence_octet(&at->arg, (uint16_t)(at->position + i)) : 0u);
    for (unsigned i = 0; i < 4; i++) at->out[at->out_len++] = (uint8_t)(i <= left ? digits[group >> (18 - 6 * i) & 63] : '=');
    at->position = (uint16_t)(at->position + 3);
    return 1;
}

/* The next piece of the field `kind`; 0: it is complete. */
static int put_field(struct ipa_at *at, char kind) {
    const struct ipa_at_args *arg = &at->arg;
    switch (kind) {
    case 'h': return put_text(at, arg->text, arg->text_len);
    case 'H': return put_text(at, arg->text2, arg->text2_len);
    case 'i': return put_text(at, at->id, strlen(at->id));
    case 'x': return put_hex(at);
    case 'D': return put_sequence(at);
    case 'P': return put_base64(at);
    case 'l': put_number(at, arg->data_len + 4u); break;
    case 's': put_number(at, arg->socket); break;
    case 'c': put_number(at, arg->cid); break;
    case 'd': put_number(at, arg->number); break;
    case 'p': put_number(at, arg->port); break;
    case 'n': put_number(at, arg->data_len); break;
    case 'N': put_number(at, arg->data_len * 2u); break;
    case 'L': put_number(at, arg->text2_len + 1u + arg->data_len * 2u); break;
    case 'm': put_number(at, arg->most); break;
    default: at->out[at->out_len++] = (uint8_t)kind;
    }
    return 0;
}

static void fill(struct ipa_at *at) {
    at->out_len = at->out_pos = 0;
    while (at->out_len + 10u <= sizeof at->out && at->format != NULL && !(at->seen & HOLD)) {
        if (*at->format == 0) {
            if (at->phase == SENDING) at->out[at->out_len++] = '\r';
            at->format = NULL;
        } else if (*at->format == '\r') {
            at->out[at->out_len++] = (uint8_t)*at->format++;
            at->seen |= HOLD;
        } else if (*at->format != '%') {
            at->out[at->out_len++] = (uint8_t)*at->format++;
        } else if (!put_field(at, at->format[1])) {
            at->format += 2;
            at->position = 0;
        }
    }
}

/* True when all of `out` is on the line. */
static int flush(struct ipa_at *at) {
    if (at->out_pos < at->out_len) at->out_pos = (uint8_t)(at->out_pos + at->uart->write(at->uart->ctx, at->out + at->out_pos, (size_t)(at->out_len - at->out_pos)));
    return at->out_pos >= at->out_len;
}

/* True when the format is on the line, or its part before the prompt. */
static int send_format(struct ipa_at *at) {
    while (flush(at)) {
        if (at->format == NULL || at->seen & HOLD) return 1;
        fill(at);
    }
    return 0;
}

static void send_payload(struct ipa_at *at) {
    static const uint8_t padding[8];
    int formatted = at->seen & FORMATTED;
    if (formatted && !send_format(at)) return;
    while (!formatted && at->position < at->arg.data_len) {
        size_t left = (size_t)(at->arg.data_len - at->position);
        const uint8_t *from = at->arg.data == NULL ? padding : at->arg.data + at->position;
        size_t taken = at->uart->write(at->uart->ctx, from, at->arg.data == NULL && left > sizeof padding ? sizeof padding : left);
        if (taken == 0) return;
        at->position = (uint16_t)(at->position + taken);
    }
    at->seen |= SENT;
    at->phase = WAITING;
}

static void begin(struct ipa_at *at, const struct ipa_at_row *row) {
    at->row = row;
    at->seen = 0;
    at->result = IPA_OK;
    at->value = 0;
    at->announced = at->got = at->tail = at->position = 0;
    at->started = at->now;
    at->format = row->send;
    at->phase = row->send == NULL ? WAITING : SENDING;
    at->out_pos = 0;
    at->out_len = row->send == NULL ? 0 : 2;
    memcpy(at->out, "AT", 2);
}

/* ---- Finding back to a modem that is out of step, asleep or away ---- */

static void search(struct ipa_at *at) {
    static const char text[] = "\x1b\rAT\r";
    at->out_len = 5;
    at->out_pos = at->dirty & ESCAPE ? 0 : 1;
    memcpy(at->out, text, 5);
    at->started = at->now;
    at->phase = SYNC;
}

static void synchronise(struct ipa_at *at) {
    uint32_t quiet = at->now - at->heard;
    switch (at->phase) {
    case DRAIN:
        if (quiet >= IPA_CFG_AT_DRAIN_MS || at->now - at->started >= 5000) search(at);
        break;
    case SYNC:
        flush(at);
        if (at->now - at->started < IPA_CFG_AT_SYNC_MS) break;
        if (--at->tries > 0) search(at);
        else end(at, IPA_ERR_MODEM_SILENT);
        break;
    default:
        /* More answers may be under way, to what was sent before: their OK must not end the next command. */
        if (quiet < IPA_CFG_AT_DRAIN_MS / 2) break;
        at->phase = IDLE;
        at->dirty = 0;
        at->sync_tries = IPA_CFG_AT_SYNC;
    }
}

static void watch(struct ipa_at *at) {
    uint32_t wait_s = at->arg.wait_s != 0 ? at->arg.wait_s : at->row->wait_s;
    if (wait_s == 0) wait_s = IPA_CFG_AT_WAIT_S;
    if (at->reading != LINE && at->now - at->heard >= IPA_CFG_AT_OCTET_MS) ipa_at_fail(at, IPA_ERR_MODEM);
    else if (at->now - at->started < wait_s * 1000) return;
    else if (at->row->send == NULL && at->row->answer == NULL) end(at, IPA_OK);
    else ipa_at_fail(at, IPA_ERR_TIMEOUT);
}

static void advance(struct ipa_at *at) {
    if (at->phase >= DRAIN && at->phase <= SETTLE) synchronise(at);
    if (at->phase == SENDING && send_format(at)) at->phase = WAITING;
    if (at->phase == PROMPTED && at->now - at->heard >= IPA_CFG_AT_PROMPT_MS) {
        at->phase = PAYLOAD;
        at->position = 0;
        if (at->seen & HOLD) at->seen = (uint8_t)((at->seen & ~HOLD) | FORMATTED);
    }
    if (at->phase == PAYLOAD) send_payload(at);
    if (active(at)) watch(at);
}

void ipa_at_poll(struct ipa_at *at, uint32_t now_ms) {
    uint8_t chunk[32];
    size_t len;
    at->now = now_ms;
    while ((len = at->uart->read(at->uart->ctx, chunk, sizeof chunk)) > 0) ipa_at_feed(at, chunk, len);
    advance(at);
}

int ipa_at_run(struct ipa_at *at, const struct ipa_at_row *row) {
    /* A result that nobody fetched. */
    if (at->phase == DONE && (at->seen & ORPHAN || at->row != row)) at->phase = IDLE;
    if (at->phase == IDLE && at->dirty && row->send != NULL) {
        at->row = row;
        at->tries = at->sync_tries;
        at->started = at->now;
        at->seen = 0;
        at->phase = DRAIN;
        advance(at);
    }
    if (at->phase == IDLE && (row->send == NULL || at->now - at->ended >= at->gap_ms)) {
        begin(at, row);
        advance(at);
    }
    if (at->phase != DONE || at->seen & ORPHAN) return IPA_AGAIN;
    at->phase = IDLE;
    return at->result;
}
