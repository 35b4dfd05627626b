/*
 * Door to the eUICC (SGP.32 ES10 over TS 102 221 APDUs). Whoever implements it (host/modem/uicc_at.c, an OEM's own card
 * driver) opens the logical channel; chaining, GET RESPONSE and ES10 are the agent's.
 * A function that needs time returns IPA_AGAIN and is called again with the same arguments.
 */
#ifndef IPA_UICC_H
#define IPA_UICC_H

#include <stddef.h>
#include <stdint.h>

enum {
    IPA_UICC_FIXED_CHANNEL = 1, /* open: channel 1 by 00 70 00 01 00, whatever the answer says */
    IPA_UICC_NO_FCI = 2,        /* open: don't fetch the answer to SELECT */
    IPA_UICC_BASIC = 1,         /* transmit: for the basic channel */
    IPA_UICC_AFTER_REFRESH = 1  /* reset: let the terminal carry out the card's REFRESH first */
};

struct ipa_uicc_open {
    const uint8_t *aid;
    size_t aid_len;      /* 5 to 16 */
    uint32_t flags;
    /* Answer. */
    uint8_t *fci;        /* caller's buffer */
    size_t fci_cap;
    size_t fci_len;
    uint8_t channel;     /* to be coded into CLA by the agent; 0 where the modem does it (+CGLA) */
    uint16_t sw;         /* status word that refused, or 0 */
};

struct ipa_uicc {
    /* Opens a logical channel and selects the AID. IPA_OK, IPA_ERR_NO_CARD, _NO_ISDR (sw set), _CHANNEL, _TIMEOUT. */
    int (*open)(void *ctx, struct ipa_uicc_open *how);
    /* In place: buf holds a C-APDU of len octets (4 to 261) and gets the R-APDU with SW1 SW2. Octets of it (2 to 258), or an error.
     * The C-APDU stays whole until the first octet of the answer is written, so that a call after IPA_AGAIN finds it. */
    int (*transmit)(void *ctx, uint8_t *buf, size_t len, size_t cap, uint32_t flags);
    int (*close)(void *ctx);
    /* With IPA_UICC_AFTER_REFRESH waits up to wait_ms for the terminal's own reset, and resets when none has come. */
    int (*reset)(void *ctx, uint32_t flags, uint32_t wait_ms);
    /* True once, after the card was reset or refreshed by any hand: every logical channel is gone. May be NULL. */
    int (*was_reset)(void *ctx);
    void *ctx;
};

#endif
