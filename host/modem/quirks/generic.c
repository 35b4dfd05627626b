/*
 * What every modem of 3GPP TS 27.007 does; other families name only what differs. No sockets: 27.007 has none.
 * Sure: syntax. Likely: +CFUN=4 keeps the card powered, +CFUN=0 does not.
 */
#include "modem/modem.h"

enum { TRY = IPA_AT_TRY, LAST = IPA_AT_LAST };

static const struct ipa_at_row attach[] = { { "+CGACT=1,%c", NULL, TRY | LAST, 150 } };
static const struct ipa_at_row detach[] = { { "+CGACT=0,%c", NULL, TRY | LAST, 60 } };
static const struct ipa_at_row radio_off[] = { { "+CFUN=4", NULL, TRY | LAST, 90 } };
static const struct ipa_at_row card[] = {
    { "+CFUN=0", NULL, TRY, 90 },
    { NULL, NULL, 0, 1 },
    { "+CFUN=1", NULL, TRY | LAST, 90 },
};
static const struct ipa_at_row reset[] = { { "+CFUN=1,1", NULL, TRY | LAST, 15 } };

const struct ipa_modem_family ipa_family_generic = {
    .name = "generic 27.007",
    .models = "",
    .scripts = {
        [IPA_SCRIPT_ATTACH] = attach,
        [IPA_SCRIPT_DETACH] = detach,
        [IPA_SCRIPT_RADIO_OFF] = radio_off,
        [IPA_SCRIPT_CARD] = card,
        [IPA_SCRIPT_RESET] = reset,
    },
    .send_max = 1024,
    .receive_max = 1500,
    .gap_ms = 20,
};
