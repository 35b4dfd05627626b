/* What host_machine.c (events and ops), host_machine_doors.c and host_machine_flash.c share. */
#ifndef IPA_NODE_HOST_MACHINE_PARTS_H
#define IPA_NODE_HOST_MACHINE_PARTS_H

#include "node/host_machine.h"
#include "src/abi.h"
#include "src/agent.h"

/* Two areas of 8 KiB: the journal moves often. */
enum { BLOCK = 2048, BLOCKS = 8, PROG = 4, ERASED = 0xFF };
enum { KEYS = IPA_KEY_PROVISION + 1, RECORD = 3072, PAYLOAD = 2048, ENTROPY = 32 };

struct ipa_message {
    size_t len;
    uint8_t octets[IPA_MB_PAYLOAD + PAYLOAD];
};

struct ipa_machine {
    const struct ipa_machine_image *image;
    const char *problem;
    /* What stays when the power goes. */
    uint8_t flash[BLOCKS * BLOCK];
    uint8_t digest[KEYS][32];  /* SHA-256 of each record as it was last written */
    uint32_t cuts;
    /* From here on it doesn't. */
    struct ipa_config config;
    struct ipa *ipa;
    uint32_t now_ms;
    uint32_t ref;              /* of the last op */
    uint32_t programs;         /* programs and erases since power came */
    uint32_t programs_left;    /* the power goes in so many; 0: it stays */
    uint32_t torn;             /* says how many octets get done in that one */
    struct ipa_message asked;  /* the op that waits for its answer */
    struct ipa_message answer;
    uint8_t called;            /* a door has been asked */
    uint8_t answered;
    uint8_t own_asked;         /* the op in hand is the host's own, and was given out */
    uint8_t refuses;           /* flash that can't be written */
    uint8_t idle;
    uint8_t was_reset;
    uint8_t entropy[ENTROPY];
    uint8_t agent_config[PAYLOAD];
    uint32_t gathered;         /* octets of the world's copy of the record that is read */
    uint8_t record[RECORD];
    uint64_t arena[];
};

/* Ends the step with IPA_ERR_SELFTEST, and why. */
int ipa_machine_wrong(struct ipa_machine *machine, const char *what);

/* Messages (host_machine_doors.c). */
void ipa_message_begin(struct ipa_message *message, uint8_t kind, uint32_t flags, uint32_t aux, uint32_t wait_ms, uint32_t arg0, uint32_t arg1);
void ipa_message_add(struct ipa_message *message, const void *p, size_t len);
/* Gives the op out with the next number. */
void ipa_machine_ask(struct ipa_machine *machine, const struct ipa_message *message);
/* A number of the answer, by its offset in the mailbox. */
uint32_t ipa_machine_answered(const struct ipa_machine *machine, unsigned at);
/* The answer's payload; how many octets of it, or IPA_ERR_TOO_LARGE. */
int ipa_machine_payload_to(const struct ipa_machine *machine, uint8_t *to, size_t cap);
/* Every door of the configuration but the store. */
void ipa_machine_doors(struct ipa_machine *machine);

/* Flash and journal (host_machine_flash.c). */
struct ipa_store ipa_machine_store(struct ipa_machine *machine);
/* Payload of the op in hand. */
const uint8_t *ipa_machine_mailbox(const struct ipa_machine *machine);
/* SHA-256 of a record as the journal gives it; of nothing when there is none. */
int ipa_machine_digest(struct ipa_machine *machine, uint8_t key, uint8_t digest[32]);
/* The power goes in the StoreWrite in hand. */
int ipa_machine_tear(struct ipa_machine *machine);

#endif
