/*
 * A whole device, the same on every board: AT driver on the board's UART, CoAPS and HTTPS on the modem's sockets, the eUICC over the
 * modem, the journal on the board's flash, the agent, and the sensor application (sensor.h) beside it. One super-loop:
 *
 *     device_init(&device, &board, &settings);
 *     for (;;) board.sleep(board.ctx, device_step(&device));
 *
 * Sizes: each board's ipa_config.h, IPA_CFG_AGENT_ARENA and IPA_CFG_LINK_ARENA among them.
 * Trust comes from the eUICC's eIM configuration; a PSK counts only when it is configured; SM-DP+ and SM-DS by the CAs of the settings.
 * Left out: update of the second image slot (an OEM's own way in), deep sleep that loses the RAM (device_rest prepares it).
 */
#ifndef APP_DEVICE_H
#define APP_DEVICE_H

#include "app/sensor.h"
#include "ipa/ipa.h"
#include "ipa/uart.h"
#include "link/links.h"
#include "modem/modem.h"

/* 1: names of reports and errors on the console; about 2.5 KiB of flash. 0: their numbers. */
#ifndef IPA_CFG_DEVICE_NAMES
#define IPA_CFG_DEVICE_NAMES 1
#endif
/* Agent's configuration with what the device adds to it; as many octets of RAM. */
#ifndef IPA_CFG_DEVICE_CONFIG
#define IPA_CFG_DEVICE_CONFIG 96
#endif
/* Octets of a report's payload that the console shows; no RAM but stack. */
#ifndef IPA_CFG_DEVICE_SHOWN
#define IPA_CFG_DEVICE_SHOWN 32
#endif

/* What a board can do. Functions that may be NULL say so. */
struct device_board {
    const char *name;
    const char *options;                                     /* emulation and laboratory options of this build, each with a space before it; "" */
    struct ipa_uart uart;                                    /* the modem's */
    const struct ipa_store *store;                           /* the journal's flash */
    void *agent_memory;                                      /* IPA_CFG_AGENT_ARENA octets, aligned to 8 */
    size_t agent_memory_len;
    void *link_memory;                                       /* IPA_CFG_LINK_ARENA octets, aligned to 8 */
    size_t link_memory_len;
    uint32_t (*now_ms)(void *ctx);                           /* monotonic, wraps */
    uint32_t (*utc_s)(void *ctx);                            /* links.h; may be NULL: no clock */
    int (*entropy)(void *ctx, uint8_t *p, size_t len);       /* from a true random source */
    int (*power)(void *ctx, enum ipa_modem_power what);      /* of the modem; may be NULL */
    void (*sleep)(void *ctx, uint32_t ms);                   /* ends early when the UART has something */
    void (*watchdog)(void *ctx);                             /* called at least every second; may be NULL */
    void (*console)(void *ctx, const char *text);            /* pieces of lines; may be NULL */
    void (*report)(void *ctx, const struct ipa_report *what); /* the agent's and the host's, beside the console; may be NULL */
    int (*key)(void *ctx);                                   /* a key of the console, or -1: 'p' polls now; may be NULL */
    uint32_t (*stack_used)(void *ctx);                       /* most octets of stack so far; may be NULL */
    void *ctx;
};

/* What a product chooses. Everything must outlive the device. */
struct device_settings {
    const uint8_t *image[2];                                 /* signed containers (ipa.h) */
    size_t image_len[2];
    const struct ipa_image_key *keys;
    size_t key_count;
    const struct ipa_modem_family *const *families;          /* modem.h, as the six below */
    const char *apn, *psm, *edrx;
    uint8_t cid;
    uint8_t lte_m;                                           /* 1: CoAP timers of LTE-M, 0: of NB-IoT */
    const char *psk_identity;                                /* CoAPS by PSK only; NULL: by the eIM configuration's trust */
    const uint8_t *psk;
    size_t psk_len;
    const uint8_t *ca;                                       /* CAs of SM-DP+ and SM-DS, DER one behind the other: direct download. NULL: indirect only */
    size_t ca_len;
    const uint8_t *agent_config;                             /* BER-TLV (host/README.md) but for 80, 8B, 8C and 92, which the device adds */
    size_t agent_config_len;
    const char *sensor_host;                                 /* "": no readings */
    uint16_t sensor_port;
    uint32_t sensor_period_ms;
};

struct device {
    const struct device_board *board;
    const struct device_settings *settings;
    struct ipa *ipa;                    /* NULL until the modem has told its IMEI */
    struct ipa_config config;
    struct ipa_modem modem;
    struct ipa_modem_config modem_config;
    struct ipa_link_config link_config;
    struct sensor sensor;
    uint32_t again_at;                  /* when what failed is tried again, while `resting` */
    uint32_t polls;                     /* polls that ended */
    uint32_t shown;                     /* readings told of on the console */
    uint8_t resting;
    uint8_t idle;                       /* the agent sleeps with nothing in hand */
    uint8_t wanted;                     /* a poll was asked for before there was an agent */
    uint8_t config_len;
    uint8_t agent_config[IPA_CFG_DEVICE_CONFIG];
};

void device_init(struct device *device, const struct device_board *board, const struct device_settings *settings);
/* Does what is due; how long the caller may sleep, in ms. Never blocks. */
uint32_t device_step(struct device *device);
/* The application wants a poll now. */
void device_poll_now(struct device *device);
/* Before power or RAM goes on purpose, while `idle`: a DTLS session is saved. IPA_OK, or why it could not. */
int device_rest(struct device *device);

#endif
