/*
 * u-blox SARA-R4, SARA-R5. Sure: +USO syntax. Likely: +CCHO and +CGLA, +CFUN=16, +USOWR and +USORD on a UDP socket whose peer +USOCO has set.
 * Unsure: DTLS on UDP sockets (R5, newer R422); firmware without it refuses +USOSEC or the connection. It boots without a word: the echo that is back tells.
 * Quirks: octets between quotes, 50 ms behind the prompt, 1024 octets at most.
 */
#include "modem/modem.h"

enum { TRY = IPA_AT_TRY, LAST = IPA_AT_LAST, PROMPT = IPA_AT_PROMPT, OPTIONAL = IPA_AT_OPTIONAL };

static const struct ipa_at_row init[] = {
    { "+UPSV=0", NULL, TRY, 0 },
    { "+UDCONF=1,0", NULL, TRY, 0 },
    { "+USOCL=0", NULL, TRY, 0 },
    { "+USOCL=1", NULL, TRY | LAST, 0 },
};
/* R4 has its bearer with the attach, and refuses what R5 needs. */
static const struct ipa_at_row attach[] = {
    { "+CGACT=1,%c", NULL, TRY, 150 },
    { "+UPSD=0,0,0", NULL, TRY, 0 },
    { "+UPSD=0,100,1", NULL, TRY, 0 },
    { "+UPSDA=0,3", NULL, TRY | LAST, 150 },
};
static const struct ipa_at_row udp[] = {
    { "+USOCR=17", "+USOCR: %S", 0, 0 },
    { "+USOCO=%s,\"%h\",%p", NULL, LAST, 150 },
};
static const struct ipa_at_row tcp[] = {
    { "+USOCR=6", "+USOCR: %S", 0, 0 },
    { "+USOCO=%s,\"%h\",%p", NULL, LAST, 150 },
};
/* A profile that checks a chain up to the imported certificate, and the name. */
static const struct ipa_at_row trust[] = {
    { "+USECMNG=2,0,\"ipa\"", NULL, TRY, 0 },
    { "+USECMNG=0,0,\"ipa\",%l\r%D", "+USECMNG: %_", PROMPT, 15 },
    { "+USECPRF=0", NULL, 0, 0 },
    { "+USECPRF=0,0,2", NULL, 0, 0 },
    { "+USECPRF=0,1,3", NULL, 0, 0 },
    { "+USECPRF=0,3,\"ipa\"", NULL, 0, 0 },
    { "+USECPRF=0,4,\"%h\"", NULL, 0, 0 },
    { "+USECPRF=0,10,\"%h\"", NULL, TRY | LAST, 0 },
};
static const struct ipa_at_row dtls[] = {
    { "+USOCR=17", "+USOCR: %S", 0, 0 },
    { "+USOSEC=%s,1,0", NULL, 0, 0 },
    { "+USOCO=%s,\"%h\",%p", NULL, LAST, 150 },
};
static const struct ipa_at_row send[] = { { "+USOWR=%s,%n", "+USOWR: %s,%u", PROMPT | LAST, 30 } };
static const struct ipa_at_row receive[] = { { "+USORD=%s,%m", "+USORD: %s,%n,\"%b", OPTIONAL | LAST, 30 } };
static const struct ipa_at_row close[] = { { "+USOCL=%s", NULL, TRY | LAST, 120 } };
static const struct ipa_at_row reset[] = { { "+CFUN=16", NULL, TRY | LAST, 15 } };

static const struct ipa_modem_urc urcs[] = {
    { "+UUSORD: %S", IPA_EVENT_DATA },
    { "+UUSORF: %S", IPA_EVENT_DATA },
    { "+UUSOCL: %S", IPA_EVENT_CLOSED },
    { "+UUPSDD:", IPA_EVENT_DOWN },
    { NULL, 0 },
};

const struct ipa_modem_family ipa_family_ublox = {
    .name = "u-blox SARA-R4/R5",
    .models = "SARA-R4|SARA-R5",
    .scripts = {
        [IPA_SCRIPT_INIT] = init,
        [IPA_SCRIPT_ATTACH] = attach,
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
    .send_max = 1024,
    .receive_max = 1024,
    .gap_ms = 20,
    .flags = IPA_MODEM_SILENT_BOOT | IPA_MODEM_RECEIVE_ERROR,
};
