/*
 * AT line discipline (3GPP TS 27.007, ITU-T V.250) over a serial line: one command at a time, nothing blocks, every wait has a
 * deadline. A command is a row of a const table; payload (hex of +CGLA and +CSIM, octets of sockets) goes straight
 * between the line and the caller's buffer, only the short rest of a line is kept.
 * Left out: numeric result codes (ATV0), transparent mode and its +++, XON/XOFF, finding the line's rate.
 */
#ifndef IPA_MODEM_AT_H
#define IPA_MODEM_AT_H

#include <stddef.h>
#include <stdint.h>

#include "ipa/config_default.h"
#include "ipa/err.h"
#include "ipa/uart.h"

enum {
    IPA_AT_LAST = 0x80,     /* end of a script (modem.h) */
    IPA_AT_PROMPT = 0x01,   /* the payload is sent as it is after a prompt: > @ CONNECT DOWNLOAD */
    IPA_AT_SEND_OK = 0x02,  /* final result is SEND OK; OK is not */
    IPA_AT_LATER = 0x04,    /* the answer may come behind the final result, and the row waits for it */
    IPA_AT_OPTIONAL = 0x08, /* the answer may fail to come */
    IPA_AT_BARE = 0x10,     /* the answer may come without its prefix */
    IPA_AT_TRY = 0x20       /* whatever the modem answers is success */
};

/*
 * One command. In `send` (what follows AT) and `answer`:
 *
 *   send:   %s socket   %c context id   %d number   %h text   %H second text   %p port   %i session id
 *           \\r what follows is the payload, for IPA_AT_PROMPT; %L its length when it is %H, a character, %x; %l when it is %D
 *           %D payload as a DER SEQUENCE, whose tag and length it lacks   %P the same in base64, lines of 64
 *           %x payload in hex   %n octets of payload   %N hex digits of payload   %m most octets to read   %% percent sign
 *   answer: %s this socket   %S any socket, the row's from here on   %e result, 0 is success   %u number, kept   %_ any field
 *           %n octets of payload that follow   %N the same in hex digits   %i session id, kept
 *           %b payload from here on, as it is   %x payload from here on, in hex
 *           \n end of the line; a space: any number of spaces, none too
 *
 * A row without `send` waits for `answer`; a row with neither is a pause.
 */
struct ipa_at_row {
    const char *send;
    const char *answer;
    uint8_t flags;
    uint8_t wait_s;         /* 0: IPA_CFG_AT_WAIT_S */
};

/* What the fields of a row are filled from. The caller keeps what it points to until the command is done or cancelled. */
struct ipa_at_args {
    const char *text;
    const char *text2;
    const uint8_t *data;
    uint8_t *sink;          /* where payload of the answer goes; NULL: nowhere. May be the same as data */
    uint16_t text_len;
    uint16_t text2_len;
    uint16_t data_len;
    uint16_t cap;           /* octets that sink holds */
    uint16_t most;
    uint16_t port;
    uint16_t number;
    uint8_t socket;
    uint8_t cid;
    uint8_t wait_s;         /* in place of the row's, when not 0 */
};

struct ipa_at {
    const struct ipa_uart *uart;
    /* Each line that is no part of the answer, echo among them: at->line, terminated. It may call ipa_at_fail. */
    void (*on_line)(void *ctx, struct ipa_at *at);
    void *ctx;
    const struct ipa_at_row *row;
    struct ipa_at_args arg;

    /* From the answer. */
    uint32_t value;         /* %u */
    uint16_t announced;     /* %n, %N in octets; without one: what came */
    uint16_t got;           /* octets of payload that came; those above cap were dropped */
    uint16_t tail;          /* its last two octets: the status word of an R-APDU */
    char id[IPA_CFG_AT_ID]; /* %i, terminated */

    uint8_t event_socket;   /* %S and %u of ipa_at_match */
    uint8_t event_value;

    /* Its own. */
    const char *format;
    uint32_t now, started, heard, ended;
    uint16_t position;
    int16_t result;
    uint8_t phase, reading, seen, dirty, tries, sync_tries, gap_ms, nibble;
    uint8_t out_len, out_pos, line_len;
    uint8_t out[IPA_CFG_AT_OUT];
    char line[IPA_CFG_AT_LINE];
};

void ipa_at_init(struct ipa_at *at, const struct ipa_uart *uart, void (*on_line)(void *ctx, struct ipa_at *at), void *ctx);

/* Reads and writes what the line takes, watches the deadline. now_ms wraps. Call it before ipa_at_run. */
void ipa_at_poll(struct ipa_at *at, uint32_t now_ms);

/* Octets from the modem; ipa_at_poll calls it. */
void ipa_at_feed(struct ipa_at *at, const uint8_t *p, size_t len);

/*
 * Starts the row, or goes on with it; at->arg is set before the first call. IPA_OK, IPA_AGAIN, IPA_ERR_MODEM (ERROR, or an answer
 * that is not as it says), IPA_ERR_CME - n, IPA_ERR_DRIVER - n (%e), IPA_ERR_TIMEOUT (the next command finds back to
 * the modem first), IPA_ERR_MODEM_SILENT (it did not find back), or what ipa_at_fail was given.
 */
int ipa_at_run(struct ipa_at *at, const struct ipa_at_row *row);

/* Forgets the command's buffers. What is left of it is played out with the modem, its result thrown away. */
void ipa_at_cancel(struct ipa_at *at);

/* Ends the command now. The modem is looked for anew before the next one, by up to `tries` times AT, 300 ms apart. */
void ipa_at_fail(struct ipa_at *at, int error);
void ipa_at_lost(struct ipa_at *at, uint8_t tries);

/* True when a command is under way. */
int ipa_at_busy(const struct ipa_at *at);

/* Whether `line` (terminated) has the form of an answer; %S and %u are kept as event_... */
int ipa_at_match(struct ipa_at *at, const char *form);

#endif
