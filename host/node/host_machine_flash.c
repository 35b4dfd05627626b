/*
 * Emulated flash of the C host as a machine (host_machine.h), and cuts of power in the journal's writes. Programs clear what was erased, in
 * whole units; what a cut leaves is a beginning of the program, or of the erase. Left out: cells that are half charged, wear.
 */
#include <string.h>

#include "node/host_machine_parts.h"
#include "src/crypto.h"

/* Places in each program that a cut is tried at. */
enum { TORN = 4 };

/* How many octets get done of `len`. */
static size_t power_for(struct ipa_machine *machine, size_t len) {
    if (machine->refuses) return 0;
    machine->programs++;
    if (machine->programs_left == 0 || --machine->programs_left > 0) return len;
    machine->refuses = 1;
    return machine->torn % len;
}

static int flash_read(void *ctx, uint32_t block, uint32_t off, void *p, size_t len) {
    struct ipa_machine *machine = ctx;
    if (block >= BLOCKS || off + len > BLOCK) return ipa_machine_wrong(machine, "flash read outside");
    memcpy(p, machine->flash + block * BLOCK + off, len);
    return IPA_OK;
}

static int flash_prog(void *ctx, uint32_t block, uint32_t off, const void *p, size_t len) {
    struct ipa_machine *machine = ctx;
    uint8_t *at = machine->flash + block * BLOCK + off;
    if (block >= BLOCKS || off + len > BLOCK || off % PROG != 0 || len % PROG != 0) return ipa_machine_wrong(machine, "flash programmed outside, or no whole units");
    for (size_t i = 0; i < len; i++) if (at[i] != ERASED) return ipa_machine_wrong(machine, "flash programmed twice");
    size_t done = power_for(machine, len);
    memcpy(at, p, done);
    return done == len ? IPA_OK : IPA_ERR_STORE;
}

static int flash_erase(void *ctx, uint32_t block) {
    struct ipa_machine *machine = ctx;
    if (block >= BLOCKS) return ipa_machine_wrong(machine, "flash erased outside");
    size_t done = power_for(machine, BLOCK);
    memset(machine->flash + block * BLOCK, ERASED, done);
    return done == BLOCK ? IPA_OK : IPA_ERR_STORE;
}

struct ipa_store ipa_machine_store(struct ipa_machine *machine) {
    return (struct ipa_store){ flash_read, flash_prog, flash_erase, NULL, machine, PROG, BLOCK, BLOCKS, ERASED };
}

const uint8_t *ipa_machine_mailbox(const struct ipa_machine *machine) {
    const struct ipa *ipa = machine->ipa;
    return ipa_wasm_memory(ipa->wasm, ipa->mailbox + IPA_MB_PAYLOAD, ipa->op.length);
}

int ipa_machine_digest(struct ipa_machine *machine, uint8_t key, uint8_t digest[32]) {
    uint8_t record[RECORD];
    uint32_t total = 0;
    int r = ipa_journal_read(&machine->ipa->journal, key, 0, record, sizeof record, &total);
    if (r == IPA_ERR_NOT_FOUND) r = 0;
    if (r < 0 || total > sizeof record) return ipa_machine_wrong(machine, "the journal does not give a record");
    return ipa_sha256(record, (size_t)r, digest);
}

/* Writes the record in hand; the power goes in the programs_left-th program or erase (0: it stays), of which some octets get done. How many there were. */
static uint32_t write_torn(struct ipa_machine *machine, uint32_t programs_left, uint32_t torn) {
    struct ipa *ipa = machine->ipa;
    uint32_t before = machine->programs;
    machine->programs_left = programs_left;
    machine->torn = torn;
    (void)ipa_journal_write(&ipa->journal, (uint8_t)ipa->op.arg0, ipa_machine_mailbox(machine), ipa->op.length);
    machine->programs_left = 0;
    machine->refuses = 0;
    return machine->programs - before;
}

/* Power is back: the record is the old one or the new one, every other one is as it was. */
static int check_torn(struct ipa_machine *machine, uint8_t digest[32]) {
    struct ipa *ipa = machine->ipa;
    uint8_t key = (uint8_t)ipa->op.arg0, wanted[32];
    int r = ipa_journal_open(&ipa->journal, &machine->config.store);
    for (uint8_t other = 1; other < KEYS && r == IPA_OK; other++) {
        r = ipa_machine_digest(machine, other, digest);
        if (r == IPA_OK && other != key && memcmp(digest, machine->digest[other], 32) != 0) r = ipa_machine_wrong(machine, "a cut of power changes another record than the one that is written");
    }
    if (r == IPA_OK) r = ipa_sha256(ipa_machine_mailbox(machine), ipa->op.length, wanted);
    if (r == IPA_OK) r = ipa_machine_digest(machine, key, digest);
    if (r < 0) return r;
    if (memcmp(digest, wanted, 32) == 0 || memcmp(digest, machine->digest[key], 32) == 0) return IPA_OK;
    return ipa_machine_wrong(machine, "a cut of power leaves a record that is neither the old nor the new one");
}

/* What a try changes. */
struct before {
    uint8_t flash[BLOCKS * BLOCK];
    struct ipa_journal journal;
};

static void undo(struct ipa_machine *machine, const struct before *before) {
    memcpy(machine->flash, before->flash, sizeof machine->flash);
    machine->ipa->journal = before->journal;
}

static int try_torn(struct ipa_machine *machine, uint32_t programs_left, uint32_t torn, uint8_t digest[32]) {
    (void)write_torn(machine, programs_left, torn);
    return check_torn(machine, digest);
}

/* Each program and erase is tried, torn in several places; one by chance stands. */
int ipa_machine_tear(struct ipa_machine *machine) {
    struct before before = { .journal = machine->ipa->journal };
    uint32_t chance = (machine->cuts * 2654435761u) ^ (machine->ref * 2246822519u);
    uint8_t digest[32];
    int r = IPA_OK;
    chance ^= chance >> 15;
    memcpy(before.flash, machine->flash, sizeof before.flash);
    uint32_t programs = write_torn(machine, 0, 0);
    undo(machine, &before);
    for (uint32_t i = 0; i < TORN * programs && r == IPA_OK; i++) {
        r = try_torn(machine, 1 + i / TORN, (chance >> 4) + 13 * (i % TORN), digest);
        undo(machine, &before);
    }
    if (r == IPA_OK) r = try_torn(machine, 1 + chance % (programs + 1), chance >> 8, digest);
    if (r == IPA_OK) memcpy(machine->digest[machine->ipa->op.arg0], digest, 32);
    return r;
}
