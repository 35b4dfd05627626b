/*
 * The C host turned inside out, for the simulated world: struct ipa with everything around it that a device has (flash, arena, doors), as one
 * machine that takes events and gives ops, in the form of the mailbox (host/README.md). Its doors write down what they were asked and say IPA_AGAIN
 * until the answer is given; so what is an op here is what the C host has made of it.
 *
 * The journal is the C host's own, in emulated flash. What an agent is asked for in Store ops, reports and hashes comes out as an op besides,
 * so that the world's record of events is whole and its store is a second copy, with which the journal is compared at every StoreRead: a
 * difference is a failure, but for what the world itself has put there, which goes into the journal then.
 *
 * All of a machine lies in one block of memory that refers to itself by address: it is copied out and, at the same address, in again.
 */
#ifndef IPA_NODE_HOST_MACHINE_H
#define IPA_NODE_HOST_MACHINE_H

#include <stddef.h>
#include <stdint.h>

#include "ipa/ipa.h"

/* One image and the key that it is signed with; must outlive the machine. */
struct ipa_machine_image {
    const uint8_t *container;
    size_t container_len;
    struct ipa_image_key key;
};

struct ipa_machine;

/* Octets of a machine; 0: the image is none. */
size_t ipa_machine_len(const struct ipa_machine_image *image);
/* Virgin flash, power off. at: aligned to 16. *capacity: octets of payload in the mailbox; *memory_len: of linear memory. */
int ipa_machine_init(struct ipa_machine *machine, const struct ipa_machine_image *image, uint32_t *capacity, uint32_t *memory_len);
/* Takes an event of the mailbox's form and runs on to the next op: *op is the machine's. An error of the C host, or IPA_ERR_SELFTEST. */
int ipa_machine_step(struct ipa_machine *machine, const uint8_t *event, size_t len, uint32_t now_ms, const uint8_t **op, size_t *op_len);
/*
 * The power goes: flash stays. In a StoreWrite it goes in each of the programs and erases in turn, one of which stands: the record must be the old
 * one or the new one after, and every other as it was. IPA_ERR_SELFTEST when one is not.
 */
int ipa_machine_cut(struct ipa_machine *machine);
/* What was wrong, in words; "" when nothing. */
const char *ipa_machine_problem(const struct ipa_machine *machine);

#endif
