/*
 * The eUICC behind struct ipa_uicc over a modem: +CCHO, +CGLA, +CCHC (27.007 8.45 to 8.47), or +CSIM (8.17) with MANAGE CHANNEL and SELECT
 * (TS 102 221 11.1). Left out: LPAs of modems, QMI, proactive commands (the modem's toolkit answers REFRESH).
 */
#ifndef IPA_MODEM_UICC_AT_H
#define IPA_MODEM_UICC_AT_H

#include "modem/modem.h"

/* The door of the agent. A card that was reset by REFRESH shows by its dead channel: was_reset tells. */
struct ipa_uicc ipa_modem_uicc(struct ipa_modem_user *user);

#endif
