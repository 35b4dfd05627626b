/*
 * Nordic nRF91 with the Serial Modem application, commands with handles. Sure: socket syntax. Likely: +CFUN values beyond 1. Unsure: what
 * a read that finds nothing answers (ERROR is taken for nothing). Sure: %CMNG writes with the radio off only. Left out: the older Serial LTE Modem without handles.
 * Quirks: payload is sent in hex, because data mode ends on +++; with no enabled profile everything on the card is +CME ERROR: 13.
 */
#include "modem/modem.h"

enum { TRY = IPA_AT_TRY, LAST = IPA_AT_LAST, OPTIONAL = IPA_AT_OPTIONAL };

static const struct ipa_at_row init[] = {
    { "#XCLOSE", NULL, TRY, 0 },
    { "%%XSIM=1", NULL, TRY | LAST, 0 },
};
static const struct ipa_at_row radio_off[] = { { "+CFUN=20", NULL, TRY | LAST, 90 } };
static const struct ipa_at_row udp[] = {
    { "#XSOCKET=1,2,0", "#XSOCKET: %S", 0, 0 },
    { "#XCONNECT=%s,\"%h\",%p", "#XCONNECT: %s,1", 0, 150 },
    { "#XAPOLL=%s,1,1", NULL, TRY | LAST, 0 },
};
static const struct ipa_at_row tcp[] = {
    { "#XSOCKET=1,1,0", "#XSOCKET: %S", 0, 0 },
    { "#XCONNECT=%s,\"%h\",%p", "#XCONNECT: %s,1", 0, 150 },
    { "#XAPOLL=%s,1,1", NULL, TRY | LAST, 0 },
};
/*
 * DTLS checks a chain up to the certificate under a security tag, and the name. The tag is written anew after each boot, by the price of
 * an absence from the network: what stands there could be anybody's. Likely: the card loses its power too.
 */
static const struct ipa_at_row trust[] = {
    { "+CFUN=4", NULL, TRY, 90 },
    { "%%CMNG=3," IPA_CFG_NORDIC_SECURITY_TAG ",0", NULL, TRY, 0 },
    { "%%CMNG=0," IPA_CFG_NORDIC_SECURITY_TAG ",0,\"-----BEGIN CERTIFICATE-----\n%P\n-----END CERTIFICATE-----\"", NULL, LAST, 30 },
};
static const struct ipa_at_row dtls[] = {
    { "#XSSOCKET=1,2,0," IPA_CFG_NORDIC_SECURITY_TAG ",2", "#XSSOCKET: %S", 0, 0 },
    { "#XSSOCKETOPT=%s,1,2,\"%h\"", NULL, 0, 0 },
    { "#XCONNECT=%s,\"%h\",%p", "#XCONNECT: %s,1", 0, 150 },
    { "#XAPOLL=%s,1,1", NULL, TRY | LAST, 0 },
};
static const struct ipa_at_row send[] = { { "#XSEND=%s,1,0,\"%x\"", "#XSEND: %s,%_,%u", LAST, 30 } };
static const struct ipa_at_row receive[] = { { "#XRECV=%s,0,64,0,%m", "#XRECV: %s,%_,%n\n%b", OPTIONAL | LAST, 30 } };
static const struct ipa_at_row close[] = { { "#XCLOSE=%s", NULL, TRY | LAST, 10 } };
static const struct ipa_at_row reset[] = { { "#XRESET", NULL, TRY | LAST, 15 } };

static const struct ipa_modem_urc urcs[] = {
    { "Ready", IPA_EVENT_BOOT },
    { "#XAPOLL: %S,%u", IPA_EVENT_READY },
    { "%%XSIM: 1", IPA_EVENT_CARD },
    { NULL, 0 },
};

const struct ipa_modem_family ipa_family_nordic = {
    .name = "Nordic nRF91 serial modem",
    .models = "nRF91",
    .scripts = {
        [IPA_SCRIPT_INIT] = init,
        [IPA_SCRIPT_RADIO_OFF] = radio_off,
        [IPA_SCRIPT_RESET] = reset,
        [IPA_SCRIPT_UDP] = udp,
        [IPA_SCRIPT_TCP] = tcp,
        [IPA_SCRIPT_DTLS] = dtls,
        [IPA_SCRIPT_TRUST] = trust,
        [IPA_SCRIPT_SEND] = send,
        [IPA_SCRIPT_RECEIVE] = receive,
        [IPA_SCRIPT_CLOSE] = close,
    },
    .urcs = urcs,
    .send_max = 1400,
    .receive_max = 2048,
    .gap_ms = 20,
    .flags = IPA_MODEM_RECEIVE_ERROR | IPA_MODEM_TRUST_OFFLINE,
};
