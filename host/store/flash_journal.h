/*
 * Journal: records by key in flash, safe at a cut of power in any program or erase: each write leaves the old record or the
 * new one, whole. The format is in flash_journal.c. It keeps no copy of a record in RAM; a record is read at any offset.
 */
#ifndef IPA_FLASH_JOURNAL_H
#define IPA_FLASH_JOURNAL_H

#include <stddef.h>
#include <stdint.h>

#include "ipa/err.h"
#include "ipa/store.h"

/* 40 octets of RAM. The fields are the journal's. */
struct ipa_journal {
    const struct ipa_store *store;
    uint32_t seq;          /* of the area in use; 0: none, nothing was ever written */
    uint32_t area_blocks;  /* blocks of one area */
    uint32_t area_len;     /* octets of one area */
    uint32_t areas;
    uint32_t area;         /* the one in use */
    uint32_t end;          /* where the next record goes */
    uint32_t lost;         /* octets that were unreadable when it was opened: cut or rotten; what IPA_REPORT_JOURNAL tells */
    uint8_t moved;         /* the next write goes to a new area: this one has unreadable octets */
    uint8_t rotten;        /* unreadable octets lie between records, not only behind them */
};

/* Keys 1 to 254; the longest record. */
enum { IPA_JOURNAL_KEY_MAX = 254, IPA_JOURNAL_RECORD_MAX = 65000 };

/* Finds the newest area. Virgin flash is an empty journal. IPA_ERR_INVALID (geometry), or the door's own error. Writes nothing. */
int ipa_journal_open(struct ipa_journal *journal, const struct ipa_store *store);
/* Octets of the record from `off` on, at most cap; *total (may be NULL) its whole length. IPA_ERR_NOT_FOUND; IPA_ERR_STORE: it is rotten. */
int ipa_journal_read(struct ipa_journal *journal, uint8_t key, uint32_t off, void *p, size_t cap, uint32_t *total);
/* Replaces the record, durably when it returns IPA_OK; len 0 removes it. IPA_ERR_TOO_LARGE, IPA_ERR_STORE: the old one stays. */
int ipa_journal_write(struct ipa_journal *journal, uint8_t key, const void *p, size_t len);

#endif
