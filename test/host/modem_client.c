/*
 * The AT driver as a program, for tests against the simulated modem: reads commands from its arguments, prints one line for each result.
 *
 *     modem_client LINE FAMILY COMMAND...
 *     LINE     unix:PATH or a device;  FAMILY  auto, generic, quectel, ublox, simcom, nordic
 *     COMMAND  imei | bearer | restart | open | open-fixed | apdu=HEX | basic=HEX | close | reset | refresh=MS | was-reset
 *              udp=HOST:PORT | tcp=HOST:PORT | dtls=HOST:PORT,IDENTITY,HEX | tls=... | send=TEXT | fill=N | receive | until=TEXT | hang-up
 *              command=AT | idle | pause=MS | app (what follows is the application's) | agent
 *
 * sources: host/modem/at.c host/modem/modem.c host/modem/net_at.c host/modem/uicc_at.c host/modem/quirks/generic.c host/modem/quirks/quectel.c
 * sources: host/modem/quirks/ublox.c host/modem/quirks/simcom.c host/modem/quirks/nordic.c host/src/err.c boards/posix/uart_posix.c
 * flags: -D_POSIX_C_SOURCE=200809L -Iboards/posix -DIPA_CFG_APDU_S=4 -DIPA_CFG_APDU_LONG_S=4
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "modem/net_at.h"
#include "modem/uicc_at.h"
#include "uart_posix.h"

static const uint8_t isdr[16] = { 0xa0, 0x00, 0x00, 0x05, 0x59, 0x10, 0x10, 0xff, 0xff, 0xff, 0xff, 0x89, 0x00, 0x00, 0x01, 0x00 };

static const struct {
    const char *name;
    const struct ipa_modem_family *const families[6];
} choices[] = {
    { "generic", { &ipa_family_generic } },
    { "quectel", { &ipa_family_quectel } },
    { "ublox", { &ipa_family_ublox } },
    { "simcom", { &ipa_family_simcom } },
    { "nordic", { &ipa_family_nordic } },
    { "auto", { &ipa_family_quectel, &ipa_family_ublox, &ipa_family_simcom, &ipa_family_nordic, &ipa_family_generic } },
};

struct client {
    struct ipa_uart_posix line;
    struct ipa_modem modem;
    struct ipa_modem_user *user;
    struct ipa_uicc uicc;
    struct ipa_net net;
    int socket;
    uint8_t buffer[4096];
};

static uint32_t now_ms(void *ctx) {
    struct timespec now;
    (void)ctx;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint32_t)(now.tv_sec * 1000 + now.tv_nsec / 1000000);
}

static size_t from_hex(const char *text, uint8_t *out, size_t cap) {
    size_t len = 0;
    unsigned octet;
    for (; len < cap && sscanf(text, "%2x", &octet) == 1 && text[1] != 0; text += 2) out[len++] = (uint8_t)octet;
    return len;
}

static void print(const char *what, int result, const uint8_t *data, size_t len) {
    printf("%s %s", what, result < 0 ? ipa_err_name(result) : "ok");
    if (result > 0) printf(" %d", result);
    if (result <= IPA_ERR_CME) printf(" %d", result);
    if (len > 0) printf(" ");
    for (size_t i = 0; i < len; i++) printf("%02X", data[i]);
    printf("\n");
    fflush(stdout);
}

/* Calls it until it is done, as a main loop does. */
#define AWAIT(result, call) while ((result = (call)) == IPA_AGAIN && !c->line.broken) ipa_uart_posix_wait(&c->line, 2)

static void do_open(struct client *c, uint32_t flags) {
    struct ipa_uicc_open how = { .aid = isdr, .aid_len = 16, .flags = flags, .fci = c->buffer, .fci_cap = 256 };
    int result;
    AWAIT(result, c->uicc.open(c->uicc.ctx, &how));
    printf("open %s channel %d sw %04X fci ", result < 0 ? ipa_err_name(result) : "ok", how.channel, how.sw);
    for (size_t i = 0; i < how.fci_len; i++) printf("%02X", how.fci[i]);
    printf("\n");
}

/* Chaining of GET RESPONSE is the agent's; this one stands in for it. */
static void do_apdu(struct client *c, const char *hex, uint32_t flags) {
    uint8_t whole[1024];
    size_t len = from_hex(hex, c->buffer, 261), got = 0;
    int result;
    /* 80 on a channel of +CSIM. */
    if (!(flags & IPA_UICC_BASIC)) c->buffer[0] |= c->modem.channel;
    for (;;) {
        AWAIT(result, c->uicc.transmit(c->uicc.ctx, c->buffer, len, 300, flags));
        if (result < 2) break;
        memcpy(whole + got, c->buffer, (size_t)result);
        got += (size_t)result;
        if (whole[got - 2] != 0x61 || got > 600) break;
        got -= 2;
        uint8_t get[5] = { flags & IPA_UICC_BASIC ? 0 : c->modem.channel, 0xc0, 0, 0, whole[got + 1] };
        memcpy(c->buffer, get, len = 5);
    }
    print("apdu", result, whole, result < 0 ? 0 : got);
}

static void do_bearer(struct client *c, int restart) {
    uint8_t plmn[3];
    size_t len = 0;
    int result;
    AWAIT(result, ipa_modem_bearer(c->user, restart, 60000, plmn, &len));
    print("bearer", result, plmn, result < 0 ? 0 : len);
}

static void do_connect(struct client *c, enum ipa_net_kind kind, const char *text) {
    static char host[256], identity[64];
    static uint8_t key[64];
    const char *colon = strrchr(text, ':'), *comma = strchr(text, ',');
    struct ipa_net_peer to = { .kind = kind, .host = host };
    int result;
    if (comma != NULL) {
        size_t len = strcspn(comma + 1, ",");
        snprintf(identity, sizeof identity, "%.*s", (int)len, comma + 1);
        to.psk_identity = identity;
        to.psk = key;
        to.psk_len = comma[1 + len] == ',' ? from_hex(comma + 2 + len, key, sizeof key) : 0;
    }
    to.host_len = (size_t)(colon - text);
    memcpy(host, text, to.host_len);
    to.port = (uint16_t)atoi(colon + 1);
    AWAIT(result, c->net.open(c->net.ctx, &to));
    c->socket = result;
    print("connect", result < 0 ? result : 0, NULL, 0);
}

static int send_all(struct client *c, const uint8_t *data, size_t len) {
    size_t sent = 0;
    int result = 0;
    while (sent < len) {
        AWAIT(result, c->net.send(c->net.ctx, c->socket, data + sent, len - sent));
        if (result <= 0) return result;
        sent += (size_t)result;
    }
    return (int)sent;
}

static void do_receive(struct client *c) {
    uint32_t start = now_ms(NULL);
    int result;
    while ((result = c->net.receive(c->net.ctx, c->socket, c->buffer, sizeof c->buffer)) == IPA_AGAIN && now_ms(NULL) - start < 20000 && !c->line.broken) ipa_uart_posix_wait(&c->line, 2);
    printf("receive ");
    if (result < 0) printf("%s\n", result == IPA_AGAIN ? "nothing" : ipa_err_name(result));
    else printf("%d %.*s\n", result, result, (char *)c->buffer);
}

/* n octets of which each tells its place; comes back as `count` octets right, from a server that echoes. */
static void do_fill(struct client *c, size_t n, int datagram) {
    static uint8_t out[65536];
    uint32_t start = now_ms(NULL);
    size_t got = 0, wrong = 0;
    int result;
    for (size_t i = 0; i < n; i++) out[i] = (uint8_t)(i * 7 + i / 251);
    result = send_all(c, out, n);
    while (result >= 0 && got < n && now_ms(NULL) - start < 60000 && !c->line.broken) {
        result = c->net.receive(c->net.ctx, c->socket, c->buffer, datagram ? sizeof c->buffer : 700);
        if (result == IPA_AGAIN) {
            result = 0;
            ipa_uart_posix_wait(&c->line, 2);
            continue;
        }
        for (int i = 0; i < result; i++) wrong += c->buffer[i] != out[got + (size_t)i];
        got += result < 0 ? 0 : (size_t)result;
    }
    printf("fill %s got %zu wrong %zu\n", result < 0 ? ipa_err_name(result) : "ok", got, wrong);
}

static void use(struct client *c, struct ipa_modem_user *user) {
    c->user = user;
    c->net = ipa_modem_net(user);
    c->uicc = ipa_modem_uicc(user);
    c->socket = -1;
}

static void do_command(struct client *c, const char *text) {
    struct ipa_at_row row = { text, NULL, IPA_AT_LAST, 10 };
    int result;
    AWAIT(result, ipa_modem_command(c->user, &row, NULL));
    print("command", result, NULL, 0);
}

static void do_one(struct client *c, const char *command) {
    const char *value = strchr(command, '=') == NULL ? "" : strchr(command, '=') + 1;
    size_t len = strcspn(command, "=");
    int result = 0;
#define IS(name) (len == strlen(name) && strncmp(command, name, len) == 0)
    if (IS("imei")) {
        const char *imei = "";
        AWAIT(result, ipa_modem_imei(c->user, &imei));
        printf("imei %s %s\n", result < 0 ? ipa_err_name(result) : "ok", imei);
    } else if (IS("bearer") || IS("restart")) {
        do_bearer(c, IS("restart"));
    } else if (IS("open") || IS("open-fixed")) {
        do_open(c, IS("open") ? 0 : IPA_UICC_FIXED_CHANNEL);
    } else if (IS("apdu") || IS("basic")) {
        do_apdu(c, value, IS("basic") ? IPA_UICC_BASIC : 0);
    } else if (IS("close")) {
        AWAIT(result, c->uicc.close(c->uicc.ctx));
        print("close", result, NULL, 0);
    } else if (IS("reset") || IS("refresh")) {
        AWAIT(result, c->uicc.reset(c->uicc.ctx, IS("refresh") ? IPA_UICC_AFTER_REFRESH : 0, (uint32_t)atoi(value)));
        print("reset", result, NULL, 0);
    } else if (IS("was-reset")) {
        printf("was-reset %d\n", c->uicc.was_reset(c->uicc.ctx));
    } else if (IS("udp") || IS("tcp") || IS("dtls") || IS("tls")) {
        do_connect(c, IS("udp") ? IPA_NET_UDP : IS("tcp") ? IPA_NET_TCP : IS("dtls") ? IPA_NET_DTLS : IPA_NET_TLS, value);
    } else if (IS("send")) {
        print("send", send_all(c, (const uint8_t *)value, strlen(value)), NULL, 0);
    } else if (IS("fill") || IS("datagram")) {
        do_fill(c, (size_t)atoi(value), IS("datagram"));
    } else if (IS("receive")) {
        do_receive(c);
    } else if (IS("hang-up")) {
        AWAIT(result, c->net.close(c->net.ctx, c->socket));
        print("hang-up", result, NULL, 0);
    } else if (IS("command")) {
        do_command(c, value);
    } else if (IS("idle")) {
        ipa_modem_idle(c->user, 1);
        for (uint32_t start = now_ms(NULL); c->modem.sleep != 2 && now_ms(NULL) - start < 20000;) {
            ipa_modem_poll(&c->modem);
            ipa_uart_posix_wait(&c->line, 2);
        }
        printf("idle %d\n", c->modem.sleep);
    } else if (IS("pause")) {
        for (uint32_t start = now_ms(NULL); now_ms(NULL) - start < (uint32_t)atoi(value); ipa_uart_posix_wait(&c->line, 2)) ipa_modem_poll(&c->modem);
    } else if (IS("app") || IS("agent")) {
        use(c, IS("app") ? &c->modem.application : &c->modem.agent);
    } else {
        printf("unknown %s\n", command);
    }
    fflush(stdout);
}

int main(int argc, char **argv) {
    static struct client client;
    static struct ipa_modem_config config;
    struct client *c = &client;
    int error = argc < 3 ? 1 : ipa_uart_posix_open(&c->line, argv[1], 115200, 0);
    if (error != 0) {
        fprintf(stderr, "modem_client LINE FAMILY COMMAND... (%d)\n", error);
        return 2;
    }
    for (size_t i = 0; i < sizeof choices / sizeof *choices; i++)
        if (strcmp(choices[i].name, argv[2]) == 0) config.families = choices[i].families;
    if (config.families == NULL) return 2;
    config.uart = ipa_uart_posix(&c->line);
    config.now_ms = now_ms;
    config.apn = getenv("MODEM_APN");
    config.psm = getenv("MODEM_PSM");
    config.edrx = getenv("MODEM_EDRX");
    config.cid = config.families[0] == &ipa_family_nordic ? 0 : 1;
    ipa_modem_init(&c->modem, &config);
    use(c, &c->modem.agent);
    for (int i = 3; i < argc; i++) do_one(c, argv[i]);
    printf("boots %d family %s line %d\n", c->modem.boots, c->modem.family == NULL ? "none" : c->modem.family->name, c->line.broken);
    ipa_uart_posix_close(&c->line);
    return 0;
}
