/*
 * Unit tests of host/store/flash_journal.c on emulated flash: a seeded story of writes, the power cut at every program and
 * erase of it, before, in the middle and after; rot; worn blocks; wear.
 * sources: host/store/flash_journal.c
 * flags: -DIPA_CFG_JOURNAL_AREA=4096
 */
#include "check.h"
#include "flash_emu.h"
#include "store/flash_journal.h"

enum { KEYS = 7, LONGEST = 700, STORY = 120 };
static const uint8_t keys[KEYS] = { 1, 2, 3, 4, 5, 64, 254 };

/* What each record should read. */
struct model {
    uint16_t len[KEYS];
    uint8_t octets[KEYS][LONGEST];
};

static struct flash flash, before;
static struct ipa_store store;
static struct model model;

static void write_down(struct model *to, int i, const uint8_t *p, uint16_t len) {
    to->len[i] = len;
    if (len > 0) memcpy(to->octets[i], p, len);
}

static int reads_as(struct ipa_journal *journal, int i, const uint8_t *p, uint16_t len) {
    uint8_t octets[LONGEST];
    uint32_t total = 0;
    int r = ipa_journal_read(journal, keys[i], 0, octets, sizeof octets, &total);
    if (len == 0) return r == IPA_ERR_NOT_FOUND;
    return r == len && total == len && memcmp(octets, p, len) == 0;
}

static int holds(struct ipa_journal *journal, const struct model *expected) {
    for (int i = 0; i < KEYS; i++) if (!reads_as(journal, i, expected->octets[i], expected->len[i])) return 0;
    return 1;
}

/* The next write of the story: mostly short records, some long, some removals. */
static uint16_t draw(uint32_t *seed, int *i, uint8_t *p) {
    *seed = *seed * 1664525u + 1013904223u;
    uint32_t r = *seed >> 8;
    *i = (int)(r % KEYS);
    uint32_t kind = r / KEYS % 8;
    uint16_t len = (uint16_t)(kind == 0 ? 0 : kind == 1 ? 200 + r / 64 % 200 : 1 + r / 64 % 60);
    for (uint16_t k = 0; k < len; k++) p[k] = (uint8_t)((r >> 4) + k * (r | 1));
    return len;
}

static void set_up(uint32_t block_size, uint32_t block_count, uint32_t prog_size, uint8_t erased) {
    flash_init(&flash, block_size, block_count, prog_size, erased, 7);
    store = flash_store(&flash);
    memset(&model, 0, sizeof model);
}

/* One write whose op n is cut: old or new, whole; and the journal goes on, through a second cut, too. */
static int cut_once(const struct ipa_journal *was, uint32_t n, enum flash_cut how, int i, const uint8_t *p, uint16_t len) {
    struct ipa_journal journal = *was;
    struct model old = model, new = model;
    uint8_t more[LONGEST];
    flash = before;
    flash.seed += n * 31 + how;
    write_down(&new, i, p, len);
    flash_cut_at(&flash, n, how);
    int r = ipa_journal_write(&journal, keys[i], p, len);
    flash_power_on(&flash);
    if (how == FLASH_CUT_BEFORE && r >= 0) return 0;
    for (int again = 0; again < 2; again++) {
        if (ipa_journal_open(&journal, &store) != IPA_OK) return 0;
        int is_new = holds(&journal, &new);
        if (!is_new && !holds(&journal, &old)) return 0;
        if (is_new) old = new;
        else new = old;
        uint32_t seed = n + (uint32_t)again;
        int k;
        uint16_t more_len = draw(&seed, &k, more);
        write_down(&new, k, more, more_len);
        if (again == 0) flash_cut_at(&flash, 1 + n % 7, FLASH_CUT_TORN);
        r = ipa_journal_write(&journal, keys[k], more, more_len);
        if (r >= 0 && !flash.off && !holds(&journal, &new)) return 0;
        if (again == 1 && r < 0) return 0;
        flash_power_on(&flash);
    }
    return ipa_journal_open(&journal, &store) == IPA_OK && holds(&journal, &new) && flash.rules_broken == 0;
}

/* Every program and erase of the whole story is cut in three ways. */
static int every_cut(void) {
    struct ipa_journal journal, was;
    uint8_t p[LONGEST];
    uint32_t seed = 11;
    int tried = 0, i;
    if (ipa_journal_open(&journal, &store) != IPA_OK) return 0;
    for (int write = 0; write < STORY; write++) {
        uint16_t len = draw(&seed, &i, p);
        before = flash;
        was = journal;
        if (ipa_journal_write(&journal, keys[i], p, len) != IPA_OK) return 0;
        struct flash after = flash;
        for (uint32_t n = 1; n <= after.ops - before.ops; n++) {
            for (int how = 0; how < FLASH_CUTS; how++, tried++) {
                if (cut_once(&was, n, (enum flash_cut)how, i, p, len)) continue;
                printf("# write %d, op %u, cut %d: a record is neither old nor new\n", write, n, how);
                return 0;
            }
        }
        flash = after;
        write_down(&model, i, p, len);
        if (!holds(&journal, &model)) return 0;
    }
    return flash.rules_broken == 0 ? tried : 0;
}

TEST(a_cut_at_any_program_or_erase_leaves_each_record_old_or_new) {
    static const struct { uint32_t size, count, prog; uint8_t erased; } chips[] = {
        { 4096, 2, 1, 0xFF },    /* bare NOR */
        { 4096, 3, 4, 0xFF },    /* STM32F4, nRF52; three areas */
        { 1024, 8, 4, 0xFF },    /* nRF51: areas of four pages */
        { 4096, 2, 8, 0xFF },    /* STM32L4, with ECC */
        { 4096, 2, 16, 0xFF },   /* STM32U5 */
        { 2048, 4, 4, 0x00 },    /* STM32L1 */
        { 512, 16, 2, 0xFF },
    };
    for (size_t i = 0; i < sizeof chips / sizeof *chips; i++) {
        set_up(chips[i].size, chips[i].count, chips[i].prog, chips[i].erased);
        int tried = every_cut();
        CHECK(tried > 500);
        printf("# %u blocks of %u, prog %u: %d cuts\n", chips[i].count, chips[i].size, chips[i].prog, tried);
    }
}

TEST(virgin_flash_is_an_empty_journal_and_opening_writes_nothing) {
    struct ipa_journal journal;
    set_up(4096, 2, 4, 0xFF);
    CHECK_INT(ipa_journal_open(&journal, &store), IPA_OK);
    CHECK_INT(ipa_journal_read(&journal, 1, 0, NULL, 0, NULL), IPA_ERR_NOT_FOUND);
    CHECK_INT(ipa_journal_write(&journal, 1, NULL, 0), IPA_OK);
    CHECK_INT(flash.ops, 0);
    CHECK_INT(journal.lost, 0);
}

TEST(flash_full_of_something_else_becomes_a_journal) {
    struct ipa_journal journal;
    set_up(4096, 2, 4, 0xFF);
    for (uint32_t i = 0; i < 8192; i++) {
        flash.bytes[i] = (uint8_t)(i * 7);
        flash.programmed[i] = 1;
    }
    CHECK_INT(ipa_journal_open(&journal, &store), IPA_OK);
    CHECK_INT(ipa_journal_write(&journal, 1, "abc", 3), IPA_OK);
    CHECK(reads_as(&journal, 0, (const uint8_t *)"abc", 3));
    CHECK_INT(flash.rules_broken, 0);
}

TEST(a_record_is_read_at_any_offset) {
    struct ipa_journal journal;
    uint8_t record[3072], part[1024];
    uint32_t total = 0;
    set_up(4096, 2, 8, 0xFF);
    for (size_t i = 0; i < sizeof record; i++) record[i] = (uint8_t)(i * 131 >> 3);
    ipa_journal_open(&journal, &store);
    CHECK_INT(ipa_journal_write(&journal, 16, record, sizeof record), IPA_OK);
    for (uint32_t at = 0; at <= sizeof record; at += 193) {
        int len = ipa_journal_read(&journal, 16, at, part, sizeof part, &total);
        CHECK_BYTES(part, (size_t)len, record + at, sizeof record - at < sizeof part ? sizeof record - at : sizeof part);
        CHECK_INT(total, sizeof record);
    }
    CHECK_INT(ipa_journal_read(&journal, 16, 3072, part, sizeof part, &total), 0);
    CHECK_INT(ipa_journal_read(&journal, 16, 0xFFFFFFFF, part, sizeof part, &total), 0);
}

TEST(the_same_value_again_costs_no_flash) {
    struct ipa_journal journal;
    set_up(4096, 2, 4, 0xFF);
    ipa_journal_open(&journal, &store);
    ipa_journal_write(&journal, 1, "abc", 3);
    uint32_t ops = flash.ops;
    CHECK_INT(ipa_journal_write(&journal, 1, "abc", 3), IPA_OK);
    CHECK_INT(ipa_journal_write(&journal, 2, NULL, 0), IPA_OK);
    CHECK_INT(flash.ops, ops);
    CHECK_INT(ipa_journal_write(&journal, 1, "abd", 3), IPA_OK);
    CHECK(flash.ops > ops);
}

TEST(what_does_not_fit_is_refused_and_the_old_record_stays) {
    static uint8_t record[5000];
    struct ipa_journal journal;
    set_up(4096, 2, 4, 0xFF);
    ipa_journal_open(&journal, &store);
    CHECK_INT(ipa_journal_write(&journal, 1, "abc", 3), IPA_OK);
    CHECK_INT(ipa_journal_write(&journal, 1, record, sizeof record), IPA_ERR_TOO_LARGE);
    CHECK_INT(ipa_journal_write(&journal, 2, record, 4070), IPA_ERR_TOO_LARGE);
    CHECK(reads_as(&journal, 0, (const uint8_t *)"abc", 3));
    CHECK_INT(ipa_journal_write(&journal, 2, record, 3900), IPA_OK);
    CHECK_INT(ipa_journal_write(&journal, 3, record, 3900), IPA_ERR_TOO_LARGE);
    CHECK_INT(ipa_journal_open(&journal, &store), IPA_OK);
    CHECK(reads_as(&journal, 0, (const uint8_t *)"abc", 3));
    CHECK_INT(ipa_journal_write(&journal, 0, "x", 1), IPA_ERR_INVALID);
    CHECK_INT(ipa_journal_write(&journal, 255, "x", 1), IPA_ERR_INVALID);
}

/* A story of `writes` without cuts; the journal stays open. */
static void tell(struct ipa_journal *journal, int writes) {
    uint8_t p[LONGEST];
    uint32_t seed = 5;
    int i;
    CHECK_INT(ipa_journal_open(journal, &store), IPA_OK);
    for (int write = 0; write < writes; write++) {
        uint16_t len = draw(&seed, &i, p);
        CHECK_INT(ipa_journal_write(journal, keys[i], p, len), IPA_OK);
        write_down(&model, i, p, len);
    }
}

TEST(rot_of_any_bit_spoils_no_other_record_and_is_told) {
    static struct flash whole;
    struct ipa_journal journal;
    int told = 0, spoilt = 0;
    set_up(4096, 2, 4, 0xFF);
    tell(&journal, 25);
    whole = flash;
    const struct ipa_journal was = journal;
    uint32_t area = journal.area, end = journal.end;
    for (uint32_t at = 16; at < end; at++) {
        flash = whole;
        journal = was;
        flash_rot(&flash, area, at, at % 8);
        for (int opened = 0; opened < 2; opened++) {
            /* Rotten while the journal is open, and before it is opened. */
            if (opened) CHECK_INT(ipa_journal_open(&journal, &store), IPA_OK);
            int differ = 0;
            for (int i = 0; i < KEYS; i++) differ += !reads_as(&journal, i, model.octets[i], model.len[i]);
            if (differ > 1) spoilt++;
            if (opened && journal.lost > 0) told++;
        }
        CHECK_INT(ipa_journal_write(&journal, 1, "new", 3), IPA_OK);
        CHECK(reads_as(&journal, 0, (const uint8_t *)"new", 3));
        CHECK_INT(journal.moved, 0);
        tell(&journal, 0);
        CHECK_INT(journal.lost, 0);
    }
    CHECK_INT(spoilt, 0);
    CHECK_INT(flash.rules_broken, 0);
    /* A bit of the padding says nothing. */
    printf("# %d of %u rotten bits told\n", told, end - 16);
    CHECK((uint32_t)told > (end - 16) * 9 / 10);
}

TEST(rot_of_the_header_in_use_loses_at_most_what_came_since_the_area_before) {
    struct ipa_journal journal;
    set_up(4096, 2, 4, 0xFF);
    tell(&journal, 60);
    CHECK(journal.seq > 1);
    flash_rot(&flash, journal.area, 5, 0);
    CHECK_INT(ipa_journal_open(&journal, &store), IPA_OK);
    CHECK(journal.seq != 0);
    CHECK_INT(ipa_journal_write(&journal, 1, "abc", 3), IPA_OK);
}

TEST(a_worn_block_is_passed_over_while_there_is_another) {
    struct ipa_journal journal;
    set_up(4096, 4, 4, 0xFF);
    flash_wear_out(&flash, 1);
    tell(&journal, 300);
    CHECK(holds(&journal, &model));
    CHECK_INT(ipa_journal_open(&journal, &store), IPA_OK);
    CHECK(holds(&journal, &model));
    CHECK(flash.erases[3] > 0);
    CHECK_INT(flash.rules_broken, 0);
}

TEST(when_no_block_erases_any_more_writing_fails_and_reading_goes_on) {
    struct ipa_journal journal;
    uint8_t p[200] = { 0 };
    int r = IPA_OK;
    set_up(4096, 2, 4, 0xFF);
    tell(&journal, 5);
    flash_wear_out(&flash, 1 - journal.area);
    for (int i = 0; i < 100 && r == IPA_OK; i++) {
        p[0] = (uint8_t)i;
        r = ipa_journal_write(&journal, 100, p, sizeof p);
    }
    CHECK_INT(r, IPA_ERR_STORE);
    CHECK(holds(&journal, &model));
    CHECK_INT(ipa_journal_open(&journal, &store), IPA_OK);
    CHECK(holds(&journal, &model));
}

TEST(a_program_that_reads_back_wrong_moves_the_journal) {
    struct ipa_journal journal;
    set_up(4096, 2, 4, 0xFF);
    tell(&journal, 5);
    uint32_t seq = journal.seq;
    flash_misprogram(&flash, 1);
    CHECK_INT(ipa_journal_write(&journal, 1, "0123456789abcdef", 16), IPA_OK);
    write_down(&model, 0, (const uint8_t *)"0123456789abcdef", 16);
    CHECK_INT(journal.seq, seq + 1);
    CHECK(holds(&journal, &model));
    CHECK_INT(ipa_journal_open(&journal, &store), IPA_OK);
    CHECK(holds(&journal, &model));
}

TEST(what_was_programmed_wrong_is_not_programmed_again) {
    struct ipa_journal journal;
    set_up(4096, 2, 4, 0xFF);
    tell(&journal, 5);
    flash_wear_out(&flash, 1 - journal.area);
    flash_misprogram(&flash, 1);
    CHECK_INT(ipa_journal_write(&journal, 1, "0123456789abcdef", 16), IPA_ERR_STORE);
    CHECK_INT(ipa_journal_write(&journal, 1, "another value", 13), IPA_ERR_STORE);
    CHECK_INT(flash.rules_broken, 0);
    CHECK(holds(&journal, &model));
}

TEST(wear_is_spread_and_erases_are_rare) {
    struct ipa_journal journal;
    set_up(4096, 4, 4, 0xFF);
    tell(&journal, 2000);
    uint32_t least = UINT32_MAX, most = 0, all = 0;
    for (uint32_t i = 0; i < 4; i++) {
        if (flash.erases[i] < least) least = flash.erases[i];
        if (flash.erases[i] > most) most = flash.erases[i];
        all += flash.erases[i];
    }
    CHECK(most - least <= 1);
    CHECK(all <= 2000 / 20);
    printf("# 2000 writes: %u erases (%u writes an erase), %u octets programmed\n", all, 2000 / all, flash.octets);
    CHECK(holds(&journal, &model));
}

TEST(seq_may_wrap) {
    struct ipa_journal journal;
    set_up(4096, 2, 4, 0xFF);
    tell(&journal, 3);
    journal.seq = 0xFFFFFFFE;      /* and the next areas go on from there */
    journal.moved = 1;
    ipa_journal_write(&journal, 1, "abc", 3);
    CHECK_INT(journal.seq, 0xFFFFFFFF);
    journal.moved = 1;
    ipa_journal_write(&journal, 1, "abd", 3);
    CHECK_INT(journal.seq, 1);
    CHECK_INT(ipa_journal_open(&journal, &store), IPA_OK);
    CHECK_INT(journal.seq, 1);
    CHECK(reads_as(&journal, 0, (const uint8_t *)"abd", 3));
}

TEST(a_geometry_that_is_none_is_refused) {
    struct ipa_journal journal;
    static const uint32_t bad[][3] = { { 4096, 1, 4 }, { 4096, 2, 3 }, { 4096, 2, 32 }, { 4096, 2, 0 }, { 32, 8, 4 }, { 4100, 2, 8 } };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        set_up(bad[i][0], bad[i][1], bad[i][2], 0xFF);
        CHECK_INT(ipa_journal_open(&journal, &store), IPA_ERR_INVALID);
    }
}

int main(void) {
    RUN(a_cut_at_any_program_or_erase_leaves_each_record_old_or_new);
    RUN(virgin_flash_is_an_empty_journal_and_opening_writes_nothing);
    RUN(flash_full_of_something_else_becomes_a_journal);
    RUN(a_record_is_read_at_any_offset);
    RUN(the_same_value_again_costs_no_flash);
    RUN(what_does_not_fit_is_refused_and_the_old_record_stays);
    RUN(rot_of_any_bit_spoils_no_other_record_and_is_told);
    RUN(rot_of_the_header_in_use_loses_at_most_what_came_since_the_area_before);
    RUN(a_worn_block_is_passed_over_while_there_is_another);
    RUN(when_no_block_erases_any_more_writing_fails_and_reading_goes_on);
    RUN(a_program_that_reads_back_wrong_moves_the_journal);
    RUN(what_was_programmed_wrong_is_not_programmed_again);
    RUN(wear_is_spread_and_erases_are_rare);
    RUN(seq_may_wrap);
    RUN(a_geometry_that_is_none_is_refused);
    return check_end();
}
