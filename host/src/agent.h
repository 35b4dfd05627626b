/* What agent.c (life of an instance) and ops.c (one op through the doors) share. Nothing here is for an OEM. */
#ifndef IPA_AGENT_H
#define IPA_AGENT_H

#include "container.h"
#include "ipa/config_default.h"
#include "ipa/ipa.h"
#include "store/flash_journal.h"
#include "wasm.h"

/* The op in the mailbox, as the agent left it. */
struct ipa_op {
    uint8_t kind;
    uint8_t flags;
    uint16_t aux;
    uint32_t length;
    uint32_t wait_ms;
    uint32_t ref;
    uint32_t arg0;
    uint32_t arg1;
    uint32_t since_ms;     /* when it was taken */
};

/* What its Done carries besides. */
struct ipa_done {
    uint8_t flags;
    uint32_t length;
    uint32_t arg0;
    uint32_t arg1;
};

enum ipa_state { IPA_RESTS, IPA_TIDIES, IPA_STARTS, IPA_WORKS, IPA_SLEEPS, IPA_ENDED };

struct ipa {
    const struct ipa_config *config;
    struct ipa_image image;
    struct ipa_wasm *wasm;
    struct ipa_journal journal;
    uint32_t mailbox;        /* address in linear memory */
    uint32_t capacity;
    struct ipa_op op;
    enum ipa_state state;
    int ended;               /* why */
    uint32_t since_ms;       /* RESTS, TIDIES */
    uint32_t rest_ms;
    uint32_t traps;          /* since the last good poll */
    uint32_t proven;         /* newest version that ended a poll well, as the journal has it */
    uint8_t slot;
    uint8_t link_open;
    uint8_t link_broken;     /* its door was given up: nothing but close */
    uint8_t uicc_open;
    uint8_t uicc_broken;     /* the same: nothing but reset */
    uint8_t idle;
    /* One octet for each reason: others only set them, ipa_poll only clears them, so that no lock is needed. */
    volatile uint8_t wake[4];
    volatile uint32_t cause;
    struct ipa_uicc_open open;
    struct ipa_endpoint endpoint;
    struct ipa_answer answer;
    uint8_t endpoint_data[IPA_CFG_ENDPOINT];
};

/* Carries out ipa->op, or a part of it: IPA_AGAIN, or the status of its Done. payload: capacity octets of the mailbox. */
int ipa_op_run(struct ipa *ipa, uint8_t *payload, struct ipa_done *done);
/* The door was not done in time: what that means for the next ops. */
void ipa_op_given_up(struct ipa *ipa);
/* How long an op may take, in ms. */
uint32_t ipa_op_limit_ms(const struct ipa_op *op);
/* Closes what is open; IPA_AGAIN or IPA_OK. */
int ipa_op_tidy(struct ipa *ipa);

void ipa_tell(const struct ipa *ipa, uint32_t code, int32_t detail, const uint8_t *payload, size_t payload_len);
/* The agent reported that a poll ended well: the image is proven, older ones are refused from now on. */
int ipa_image_proven(struct ipa *ipa);

#endif
