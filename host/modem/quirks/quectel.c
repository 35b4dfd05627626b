/*
 * Quectel BG95, BG77 (BG96 speaks the same). Sure: +QI syntax. Likely: numbers of errors, DTLS with a PSK file, boot order.
 * Unsure: +CCHO and +CGLA on BG95 (known good on EG25, EG916Q); hence found out by trying, +CSIM is known to work.
 * Quirk: no new "recv" before the buffer was read empty.
 */
#include "modem/modem.h"

enum { TRY = IPA_AT_TRY, LAST = IPA_AT_LAST, PROMPT = IPA_AT_PROMPT, SEND_OK = IPA_AT_SEND_OK, LATER = IPA_AT_LATER };

static const struct ipa_at_row init[] = {
    { "+QSCLK=0", NULL, TRY, 0 },
    { "+QURCCFG=\"urcport\",\"uart1\"", NULL, TRY | LAST, 0 },
};
static const struct ipa_at_row attach[] = {
    { "+QIDEACT=%c", NULL, TRY, 40 },
    { "+QICSGP=%c,1,\"%h\"", NULL, TRY, 0 },
    { "+QIACT=%c", NULL, LAST, 150 },
};
static const struct ipa_at_row detach[] = { { "+QIDEACT=%c", NULL, TRY | LAST, 40 } };
static const struct ipa_at_row udp[] = {
    { "+QICLOSE=%s", NULL, TRY, 12 },
    { "+QIOPEN=%c,%s,\"UDP\",\"%h\",%p,0,0", "+QIOPEN: %s,%e", LATER | LAST, 150 },
};
static const struct ipa_at_row tcp[] = {
    { "+QICLOSE=%s", NULL, TRY, 12 },
    { "+QIOPEN=%c,%s,\"TCP\",\"%h\",%p,0,0", "+QIOPEN: %s,%e", LATER | LAST, 150 },
};
static const struct ipa_at_row send[] = { { "+QISEND=%s,%n", NULL, PROMPT | SEND_OK | LAST, 30 } };
static const struct ipa_at_row receive[] = { { "+QIRD=%s,%m", "+QIRD: %n\n%b", LAST, 120 } };
static const struct ipa_at_row close[] = { { "+QICLOSE=%s", NULL, TRY | LAST, 12 } };

/* DTLS with a PSK, from its file: the one form of trust that its DTLS is known to check. */
static const struct ipa_at_row dtls[] = {
    { "+QSSLCLOSE=%s", NULL, TRY, 12 },
    { "+QFDEL=\"1_server.psk\"", NULL, TRY, 0 },
    { "+QFUPL=\"1_server.psk\",%L,10\r%H&%x", "+QFUPL: %_", PROMPT, 15 },
    { "+QSSLCFG=\"dtls\",1,1", NULL, 0, 0 },
    { "+QSSLCFG=\"dtlsversion\",1,1", NULL, 0, 0 },
    { "+QSSLCFG=\"ciphersuite\",1," IPA_CFG_QUECTEL_DTLS_SUITE, NULL, 0, 0 },
    { "+QSSLOPEN=%c,1,%s,\"%h\",%p,0", "+QSSLOPEN: %s,%e", LATER | LAST, 150 },
};
static const struct ipa_at_row secure_send[] = { { "+QSSLSEND=%s,%n", NULL, PROMPT | SEND_OK | LAST, 30 } };
static const struct ipa_at_row secure_receive[] = { { "+QSSLRECV=%s,%m", "+QSSLRECV: %n\n%b", LAST, 120 } };
static const struct ipa_at_row secure_close[] = { { "+QSSLCLOSE=%s", NULL, TRY | LAST, 12 } };

static const struct ipa_modem_urc urcs[] = {
    { "+QIURC: \"recv\",%S", IPA_EVENT_DATA },
    { "+QIURC: \"closed\",%S", IPA_EVENT_CLOSED },
    { "+QIURC: \"pdpdeact\"", IPA_EVENT_DOWN },
    { "+QSSLURC: \"recv\",%S", IPA_EVENT_DATA },
    { "+QSSLURC: \"closed\",%S", IPA_EVENT_CLOSED },
    { "+QUSIM: 1", IPA_EVENT_CARD },
    { NULL, 0 },
};

const struct ipa_modem_family ipa_family_quectel = {
    .name = "Quectel BG95/BG77",
    .models = "BG95|BG77|BG96",
    .scripts = {
        [IPA_SCRIPT_INIT] = init,
        [IPA_SCRIPT_ATTACH] = attach,
        [IPA_SCRIPT_DETACH] = detach,
        [IPA_SCRIPT_UDP] = udp,
        [IPA_SCRIPT_TCP] = tcp,
        [IPA_SCRIPT_SEND] = send,
        [IPA_SCRIPT_RECEIVE] = receive,
        [IPA_SCRIPT_CLOSE] = close,
        [IPA_SCRIPT_DTLS] = dtls,
        [IPA_SCRIPT_SECURE_SEND] = secure_send,
        [IPA_SCRIPT_SECURE_RECEIVE] = secure_receive,
        [IPA_SCRIPT_SECURE_CLOSE] = secure_close,
    },
    .urcs = urcs,
    .send_max = 1460,
    .receive_max = 1500,
    .name_error = 565,
    .gap_ms = 50,
    .flags = IPA_MODEM_PSK,
};
