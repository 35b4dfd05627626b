/*
 * The flash driver of the STM32F405 against an emulated controller (RM0090 3.5, 3.6): keys, lock, PG and PSIZE, sector erase, busy and error
 * bits; and the journal over it, cut at every program and erase.
 *
 * sources: host/store/flash_journal.c host/src/err.c
 * flags: -Iboards/netduinoplus2
 */
#include <stdint.h>

static void controller_set(volatile uint32_t *reg, uint32_t value);
static uint32_t controller_status(void);
static void controller_word(volatile uint32_t *at, uint32_t word);
#define FLASH_F4_SET(reg, value) controller_set(&(reg), (value))
#define FLASH_F4_STATUS(regs) ((void)(regs), controller_status())
#define FLASH_F4_WORD(at, word) controller_word((at), (word))
#define FLASH_F4_BOUND 50u
#include "flash_f4.c"

#include "check.h"
#include "store/flash_journal.h"

enum { SECTOR = 2048, SECTORS = 2, FIRST = 1, PGSERR = 1 << 7, PGPERR = 1 << 6, ENDLESS = 1000 };

/* The controller, and its memory. */
static struct flash_regs regs;
static uint32_t words[SECTORS * SECTOR / 4];
static struct {
    int keys;            /* right ones so far */
    uint32_t busy_for;   /* reads of SR that say busy, after each operation */
    uint32_t busy;
    int ops, cut_at;     /* programs and erases; power goes at this one */
    int off;
    int stuck;           /* memory does not change */
    int wrong;           /* what silicon would have punished */
} chip;

static const struct flash_f4 driver = {&regs, (uint8_t *)words, FIRST, SECTOR};

static void reset(void) {
    int busy_for = (int)chip.busy_for;
    memset(&regs, 0, sizeof regs);
    memset(&chip, 0, sizeof chip);
    chip.busy_for = (uint32_t)busy_for;
    regs.cr = FLASH_CR_LOCK;
}

static void fresh(void) {
    chip.busy_for = 3;
    reset();
    memset(words, 0xFF, sizeof words);
}

/* True when this operation happens. */
static int happens(void) {
    if (chip.off) return 0;
    if (++chip.ops == chip.cut_at) chip.off = 1;
    chip.busy = chip.busy_for;
    return !chip.off && !chip.stuck;
}

static void unlock_by(uint32_t key) {
    static const uint32_t right[2] = {FLASH_KEY1, FLASH_KEY2};
    if (chip.keys < 2 && key == right[chip.keys]) chip.keys++;
    else chip.wrong++;
    if (chip.keys == 2) regs.cr &= ~FLASH_CR_LOCK;
}

static void erase_sector(uint32_t number) {
    if (number < FIRST || number >= FIRST + SECTORS) {
        chip.wrong++;
        return;
    }
    if (happens()) memset((uint8_t *)words + (number - FIRST) * SECTOR, 0xFF, SECTOR);
}

static void control(uint32_t value) {
    if ((regs.cr & FLASH_CR_LOCK) != 0 || chip.busy != 0) {
        chip.wrong++;
        return;
    }
    regs.cr = value & ~FLASH_CR_STRT;
    if ((value & FLASH_CR_LOCK) != 0) chip.keys = 0;
    if ((value & FLASH_CR_STRT) == 0) return;
    if ((value & FLASH_CR_SER) != 0) erase_sector(value >> 3 & 15u);
    else chip.wrong++;
}

static void controller_set(volatile uint32_t *reg, uint32_t value) {
    if (reg == &regs.keyr) unlock_by(value);
    else if (reg == &regs.sr) regs.sr &= ~value;
    else if (reg == &regs.cr) control(value);
    else chip.wrong++;
}

static uint32_t controller_status(void) {
    if (chip.busy == 0) return regs.sr;
    if (chip.busy != ENDLESS) chip.busy--;
    return regs.sr | FLASH_SR_BSY;
}

static void controller_word(volatile uint32_t *at, uint32_t word) {
    if (chip.busy != 0) chip.wrong++;
    if ((regs.cr & (FLASH_CR_LOCK | FLASH_CR_PG)) != FLASH_CR_PG) regs.sr |= PGSERR;
    else if ((regs.cr & (3u << 8)) != FLASH_CR_PSIZE_WORD) regs.sr |= PGPERR;
    else if (happens()) *at &= word;
}

static int prog(uint32_t block, uint32_t off, const char *text) {
    return flash_f4_prog((void *)&driver, block, off, text, strlen(text));
}

TEST(flash_f4_programs_words_and_leaves_the_controller_locked) {
    char back[8];
    fresh();
    CHECK_INT(prog(1, 8, "abcdefgh"), IPA_OK);
    CHECK_INT(flash_f4_read((void *)&driver, 1, 8, back, 8), IPA_OK);
    CHECK_BYTES(back, 8, "abcdefgh", 8);
    CHECK_INT(regs.cr & FLASH_CR_LOCK, FLASH_CR_LOCK);
    CHECK_INT(chip.wrong, 0);
    CHECK_INT(chip.ops, 2);
}

TEST(flash_f4_programming_what_was_not_erased_is_an_error) {
    fresh();
    CHECK_INT(prog(0, 0, "aaaa"), IPA_OK);
    CHECK_INT(prog(0, 0, "bbbb"), IPA_ERR_STORE);
    CHECK_INT(regs.cr & FLASH_CR_LOCK, FLASH_CR_LOCK);
}

TEST(flash_f4_erases_its_sector_only) {
    fresh();
    CHECK_INT(prog(0, 0, "here"), IPA_OK);
    CHECK_INT(prog(1, 0, "stay"), IPA_OK);
    CHECK_INT(flash_f4_erase((void *)&driver, 0), IPA_OK);
    CHECK_INT(words[0], 0xFFFFFFFF);
    CHECK_BYTES(&words[SECTOR / 4], 4, "stay", 4);
    CHECK_INT(chip.wrong, 0);
}

TEST(flash_f4_an_error_bit_is_an_error_and_the_next_call_clears_it) {
    fresh();
    regs.sr = PGSERR;
    CHECK_INT(prog(0, 0, "aaaa"), IPA_OK);
    chip.stuck = 1;
    CHECK_INT(prog(0, 4, "aaaa"), IPA_ERR_STORE);
    CHECK_INT(prog(0, 8, "aaaa"), IPA_ERR_STORE);
    chip.stuck = 0;
    CHECK_INT(prog(0, 12, "aaaa"), IPA_OK);
}

TEST(flash_f4_a_sector_that_does_not_erase_is_an_error) {
    fresh();
    CHECK_INT(prog(0, 0, "here"), IPA_OK);
    chip.stuck = 1;
    CHECK_INT(flash_f4_erase((void *)&driver, 0), IPA_ERR_STORE);
}

TEST(flash_f4_a_controller_that_stays_busy_is_given_up) {
    fresh();
    chip.busy = ENDLESS;
    CHECK_INT(prog(0, 0, "aaaa"), IPA_ERR_STORE);
    CHECK_INT(flash_f4_erase((void *)&driver, 0), IPA_ERR_STORE);
}

static const struct ipa_store store = {flash_f4_read, flash_f4_prog, flash_f4_erase, NULL, (void *)&driver, 4, SECTOR, SECTORS, 0xFF};

/* Writes the values 1..n in turn until power goes; how many were said to be durable. */
static uint32_t write_values(uint32_t n) {
    struct ipa_journal journal;
    uint8_t record[64] = {0};
    uint32_t done = 0;
    if (ipa_journal_open(&journal, &store) != IPA_OK) return 0;
    for (uint32_t i = 1; i <= n; i++) {
        memcpy(record, &i, 4);
        if (ipa_journal_write(&journal, 1, record, sizeof record) != IPA_OK) break;
        done = i;
    }
    return done;
}

TEST(flash_f4_journal_keeps_the_old_record_or_the_new_one_at_any_cut) {
    enum { VALUES = 80 };
    fresh();
    (void)write_values(VALUES);
    int ops = chip.ops;
    CHECK(ops > 80 * 2);
    for (int cut = 1; cut <= ops; cut++) {
        struct ipa_journal journal;
        uint32_t done, kept = 0;
        fresh();
        chip.cut_at = cut;
        done = write_values(VALUES);
        reset();
        CHECK_INT(ipa_journal_open(&journal, &store), IPA_OK);
        int r = ipa_journal_read(&journal, 1, 0, &kept, 4, NULL);
        CHECK(r == 4 || (r == IPA_ERR_NOT_FOUND && done == 0));
        CHECK(kept == done || kept == done + 1);
        CHECK_INT(chip.wrong, 0);
        if (check_this != 0) return;
    }
}

int main(void) {
    RUN(flash_f4_programs_words_and_leaves_the_controller_locked);
    RUN(flash_f4_programming_what_was_not_erased_is_an_error);
    RUN(flash_f4_erases_its_sector_only);
    RUN(flash_f4_an_error_bit_is_an_error_and_the_next_call_clears_it);
    RUN(flash_f4_a_sector_that_does_not_erase_is_an_error);
    RUN(flash_f4_a_controller_that_stays_busy_is_given_up);
    RUN(flash_f4_journal_keeps_the_old_record_or_the_new_one_at_any_cut);
    return check_end();
}
