/*
 * SIMCom SIM7080, SIM7070, SIM7090. Sure: +CA syntax. Likely: PSK tables (+CSSLCFG). Unsure: +CCHO (SIM7600 has none), so +CSIM is tried first.
 * Quirks: the octets of +CARECV follow on the same line; +CAOPEN answers before or behind OK; with autobaud no word at boot. PDP index 0
 * goes with PDP context 1, which +CGACT must not touch.
 */
#include "modem/modem.h"

enum { TRY = IPA_AT_TRY, LAST = IPA_AT_LAST, PROMPT = IPA_AT_PROMPT, LATER = IPA_AT_LATER };

static const struct ipa_at_row init[] = { { "+CSCLK=0", NULL, TRY | LAST, 0 } };
static const struct ipa_at_row attach[] = {
    { "+CNACT=0,0", NULL, TRY, 40 },
    { "+CNCFG=0,1,\"%h\"", NULL, TRY, 0 },
    { "+CNACT=0,1", "+APP PDP: 0,ACTIVE", LATER | LAST, 150 },
};
static const struct ipa_at_row detach[] = { { "+CNACT=0,0", NULL, TRY | LAST, 40 } };
static const struct ipa_at_row udp[] = {
    { "+CACLOSE=%s", NULL, TRY, 10 },
    { "+CACID=%s", NULL, TRY, 0 },
    { "+CASSLCFG=%s,\"SSL\",0", NULL, TRY, 0 },
    { "+CAOPEN=%s,0,\"UDP\",\"%h\",%p", "+CAOPEN: %s,%e", LATER | LAST, 150 },
};
static const struct ipa_at_row tcp[] = {
    { "+CACLOSE=%s", NULL, TRY, 10 },
    { "+CACID=%s", NULL, TRY, 0 },
    { "+CASSLCFG=%s,\"SSL\",0", NULL, TRY, 0 },
    { "+CAOPEN=%s,0,\"TCP\",\"%h\",%p", "+CAOPEN: %s,%e", LATER | LAST, 150 },
};
static const struct ipa_at_row send[] = { { "+CASEND=%s,%n", NULL, PROMPT | LAST, 30 } };
static const struct ipa_at_row receive[] = { { "+CARECV=%s,%m", "+CARECV: %n,%b", LAST, 30 } };
static const struct ipa_at_row close[] = { { "+CACLOSE=%s", NULL, TRY | LAST, 10 } };
static const struct ipa_at_row reset[] = { { "+CREBOOT", NULL, TRY | LAST, 15 } };

/* DTLS with a PSK table. Its file outlives the socket, the SSL flag of the socket number does too and is taken back. */
static const struct ipa_at_row dtls[] = {
    { "+CACLOSE=%s", NULL, TRY, 10 },
    { "+CFSINIT", NULL, 0, 0 },
    { "+CFSWFILE=3,\"ipa.psk\",0,%L,5000\r%H:%x", NULL, PROMPT, 10 },
    { "+CFSTERM", NULL, 0, 0 },
    { "+CSSLCFG=\"sslversion\",0,5", NULL, 0, 0 },
    { "+CSSLCFG=\"protocol\",0,2", NULL, 0, 0 },
    { "+CSSLCFG=\"ciphersuite\",0,0,0xC0A8", NULL, 0, 0 },
    { "+CSSLCFG=\"convert\",3,\"ipa.psk\"", NULL, 0, 0 },
    { "+CACID=%s", NULL, 0, 0 },
    { "+CASSLCFG=%s,\"SSL\",1", NULL, 0, 0 },
    { "+CASSLCFG=%s,\"CRINDEX\",0", NULL, 0, 0 },
    { "+CASSLCFG=%s,\"PSKTABLE\",\"ipa.psk\"", NULL, 0, 0 },
    { "+CAOPEN=%s,0,\"UDP\",\"%h\",%p", "+CAOPEN: %s,%e", LATER | LAST, 150 },
};
static const struct ipa_at_row secure_close[] = {
    { "+CACLOSE=%s", NULL, TRY, 10 },
    { "+CACID=%s", NULL, TRY, 0 },
    { "+CASSLCFG=%s,\"SSL\",0", NULL, TRY | LAST, 0 },
};

static const struct ipa_modem_urc urcs[] = {
    { "+CADATAIND: %S", IPA_EVENT_DATA },
    { "+CASTATE: %S,0", IPA_EVENT_CLOSED },
    { "+APP PDP: 0,DEACTIVE", IPA_EVENT_DOWN },
    { "+CFUN: 1", IPA_EVENT_BOOTED },
    { "SMS Ready", IPA_EVENT_CARD },
    { NULL, 0 },
};

const struct ipa_modem_family ipa_family_simcom = {
    .name = "SIMCom SIM7080",
    .models = "SIM7080|SIM7070|SIM7090",
    .scripts = {
        [IPA_SCRIPT_INIT] = init,
        [IPA_SCRIPT_ATTACH] = attach,
        [IPA_SCRIPT_DETACH] = detach,
        [IPA_SCRIPT_RESET] = reset,
        [IPA_SCRIPT_UDP] = udp,
        [IPA_SCRIPT_TCP] = tcp,
        [IPA_SCRIPT_SEND] = send,
        [IPA_SCRIPT_RECEIVE] = receive,
        [IPA_SCRIPT_CLOSE] = close,
        [IPA_SCRIPT_DTLS] = dtls,
        [IPA_SCRIPT_SECURE_CLOSE] = secure_close,
    },
    .urcs = urcs,
    .send_max = 1459,
    .receive_max = 1459,
    .name_error = 20,
    .gap_ms = 20,
    .flags = IPA_MODEM_SILENT_BOOT | IPA_MODEM_CSIM_FIRST | IPA_MODEM_PSK,
};
