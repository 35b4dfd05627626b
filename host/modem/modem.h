/*
 * A cellular modem on a serial line: the doors ipa_uicc (uicc_at.h), ipa_net (net_at.h) and the bearer for the agent, and the same
 * modem for the application beside it. What families of modems do otherwise than 27.007 stands in const tables, quirks/.
 *
 * Sharing: agent and application are two users of one modem. An operation that was begun has the line until it is
 * over; the other user's calls return IPA_AGAIN meanwhile, without touching the line. Between operations either may
 * begin. A user that begins something else, or stays away for IPA_CFG_MODEM_TURN_MS, gives its operation up: its
 * buffers are forgotten, the modem is brought back in step. Buffers belong to the driver while it returns IPA_AGAIN.
 * Call everything from one context, ipa_modem_poll from the main loop.
 */
#ifndef IPA_MODEM_MODEM_H
#define IPA_MODEM_MODEM_H

#include "ipa/net.h"
#include "ipa/uicc.h"
#include "modem/at.h"

/* What a line that no command asked for tells. */
enum ipa_modem_event {
    IPA_EVENT_BOOT = 1,   /* the modem restarted */
    IPA_EVENT_BOOTED,     /* the same, unless that is known already */
    IPA_EVENT_CARD,       /* the card was initialised */
    IPA_EVENT_DATA,       /* %S: socket with data */
    IPA_EVENT_CLOSED,     /* %S: socket closed by the peer */
    IPA_EVENT_READY,      /* %S: socket, %u: bits of poll(), 8 16 32: closed */
    IPA_EVENT_DOWN        /* the bearer is gone, and all sockets with it */
};

struct ipa_modem_urc {
    const char *form;     /* as in at.h; NULL ends the table */
    uint8_t event;
};

enum ipa_modem_script {
    IPA_SCRIPT_INIT,      /* after each boot */
    IPA_SCRIPT_ATTACH,    /* registered already; text: APN */
    IPA_SCRIPT_DETACH,
    IPA_SCRIPT_RADIO_OFF,
    IPA_SCRIPT_CARD,      /* power off and on of the card */
    IPA_SCRIPT_RESET,     /* of the whole modem */
    IPA_SCRIPT_UDP,       /* open a socket; text: host */
    IPA_SCRIPT_TCP,
    IPA_SCRIPT_DTLS,      /* text2: PSK identity, data: PSK */
    IPA_SCRIPT_TLS,
    IPA_SCRIPT_TRUST,     /* before DTLS without a PSK; data: the certificate that the server or a CA above it has, text: host */
    IPA_SCRIPT_SEND,      /* both kinds, when there is no other for datagrams */
    IPA_SCRIPT_SEND_UDP,
    IPA_SCRIPT_RECEIVE,
    IPA_SCRIPT_RECEIVE_UDP,
    IPA_SCRIPT_CLOSE,
    IPA_SCRIPT_SECURE_SEND,
    IPA_SCRIPT_SECURE_RECEIVE,
    IPA_SCRIPT_SECURE_CLOSE,
    IPA_SCRIPT_COUNT
};

enum {
    IPA_MODEM_CSIM_FIRST = 1,     /* +CSIM before +CCHO */
    IPA_MODEM_RECEIVE_ERROR = 2,  /* ERROR to a read means that nothing is there */
    IPA_MODEM_PSK = 4,            /* secure sockets take a PSK */
    IPA_MODEM_SILENT_BOOT = 8,    /* a restart shows only by the echo that is back */
    IPA_MODEM_TRUST_OFFLINE = 16  /* IPA_SCRIPT_TRUST turns the radio off */
};

struct ipa_modem_family {
    const char *name;
    const char *models;           /* parts of the answers to +CGMM or +CGMI, separated by '|'; "" fits all */
    const struct ipa_at_row *scripts[IPA_SCRIPT_COUNT]; /* NULL: the one of ipa_family_generic, or nothing */
    const struct ipa_modem_urc *urcs;
    uint16_t send_max;            /* octets in one command */
    uint16_t receive_max;
    uint16_t name_error;          /* result of opening that means: host name not resolved */
    uint8_t gap_ms;
    uint8_t flags;
};

extern const struct ipa_modem_family ipa_family_generic, ipa_family_quectel, ipa_family_ublox, ipa_family_simcom, ipa_family_nordic;

enum ipa_modem_power {
    IPA_POWER_ON = 1,    /* once, before the first command */
    IPA_POWER_RESET = 2  /* the modem does not answer any more: reset line, or supply off and on */
};

struct ipa_modem_config {
    struct ipa_uart uart;
    uint32_t (*now_ms)(void *ctx);                                /* wraps */
    int (*power)(void *ctx, enum ipa_modem_power what);            /* may be NULL; IPA_AGAIN while it works */
    void *ctx;
    const struct ipa_modem_family *const *families;               /* NULL ends it; a single one is taken unasked */
    const char *apn;      /* NULL: the network's */
    const char *psm;      /* "\"<T3412ext>\",\"<T3324>\"", 8 bits each (TS 24.008 10.5.7.4a, 10.5.7.3); NULL: no PSM */
    const char *edrx;     /* "<AcT>,\"<4 bits>\"" (27.007 7.40); NULL: no eDRX */
    uint8_t cid;          /* PDP context, usually 1; 0 for Nordic */
};

struct ipa_modem;

/* A user of the modem: context of its doors. */
struct ipa_modem_user {
    struct ipa_modem *modem;
    uint8_t number;
};

struct ipa_modem_socket {
    uint32_t asked;       /* when it was last read */
    uint16_t port;
    uint8_t kind, state, handle, strikes;
};

struct ipa_modem {
    const struct ipa_modem_config *config;
    const struct ipa_modem_family *family;
    struct ipa_at at;
    struct ipa_modem_user agent, application;

    /* The operation under way: whose and which, where it stands. */
    const struct ipa_at_row *row;
    uint32_t turn, since, pause, booted;
    int16_t error;
    uint8_t owner, stage, tries, slot;

    /* What is known of the modem. */
    uint8_t boot, boots, attached, sleep;
    uint8_t plmn_len, plmn[3];
    char imei[16];

    /* Card: uicc_at.c. */
    uint32_t iccid;
    uint8_t path, channel, open, session, swept, patch, card_event, card_reset, card_known, head[2];
    uint8_t scratch[24];

    /* What the modem was told by IPA_SCRIPT_TRUST since it booted: the beginning of ipa_net_peer's identity. */
    uint8_t trusted[8];
    struct ipa_modem_socket sockets[IPA_CFG_MODEM_SOCKETS];
};

/* config must outlive it. */
void ipa_modem_init(struct ipa_modem *modem, const struct ipa_modem_config *config);

/*
 * Reads what the modem has to say, closes sockets that were left, settles it to sleep. Never begins where a user is at work. IPA_OK, or
 * IPA_AGAIN while an operation is under way.
 */
int ipa_modem_poll(struct ipa_modem *modem);

/* As struct ipa_config's of the same names (ipa.h); ctx: struct ipa_modem_user. */
int ipa_modem_bearer(void *user, int restart, uint32_t wait_ms, uint8_t plmn[3], size_t *plmn_len);
void ipa_modem_idle(void *user, int idle);

/* IMEI, 15 digits, terminated; for the agent's configuration. IPA_AGAIN until the modem is there. */
int ipa_modem_imei(struct ipa_modem_user *user, const char **imei);

/*
 * The application's own AT command, `row` and `arg` as in at.h. It must not touch what the driver set (E0, V1, +CMEE, sockets of
 * the other user, +CFUN).
 */
int ipa_modem_command(struct ipa_modem_user *user, const struct ipa_at_row *row, const struct ipa_at_args *arg);

/* ---- For uicc_at.c and net_at.c ---- */

/* Operations; a user has at most one. Those of a socket are OP + socket. */
enum { IPA_OP_NONE, IPA_OP_POLL, IPA_OP_BEARER, IPA_OP_IMEI, IPA_OP_COMMAND, IPA_OP_UICC_OPEN, IPA_OP_UICC_TRANSMIT, IPA_OP_UICC_CLOSE, IPA_OP_UICC_RESET, IPA_OP_NET_OPEN, IPA_OP_SEND = 16, IPA_OP_RECEIVE = 24, IPA_OP_SOCKETS_END = 32 };

/* Begins the operation or goes on with it: IPA_OK when it has the modem, which is up. Otherwise return what it gives. */
int ipa_modem_enter(struct ipa_modem_user *user, uint8_t operation);
/* Ends it unless `result` is IPA_AGAIN; gives `result`. */
int ipa_modem_leave(struct ipa_modem *modem, int result);
/* Ends the operation under way without its result; its buffers are forgotten. */
void ipa_modem_give_up(struct ipa_modem *modem);
/* One row, a whole script, or the family's; at.arg is set before. */
int ipa_modem_row(struct ipa_modem *modem, const struct ipa_at_row *row);
int ipa_modem_run(struct ipa_modem *modem, const struct ipa_at_row *script);
const struct ipa_at_row *ipa_modem_script(const struct ipa_modem *modem, enum ipa_modem_script which);
/* Lets `ms` pass: true when they have. */
int ipa_modem_paused(struct ipa_modem *modem, uint32_t ms);
/* The modem restarts, or has. */
void ipa_modem_restarted(struct ipa_modem *modem);
/* Radio and card are off by our own hand: no bearer, no sockets, no channel. */
void ipa_modem_offline(struct ipa_modem *modem);
/* Brings the bearer up within an operation, whose stages 0 to IPA_MODEM_STAGE - 1 it uses. IPA_AGAIN, IPA_OK, or why not within `wait_ms` of the operation. */
int ipa_modem_attach(struct ipa_modem *modem, uint32_t wait_ms);
enum { IPA_MODEM_STAGE = 16 };
/* Next stage of an operation. */
void ipa_modem_stage(struct ipa_modem *modem, uint8_t stage);

#endif
