/*
 * Journal over struct ipa_store. The blocks form two or more areas of the same size; one is in use, the others rest:
 *
 *   area    header, record, record, ... erased
 *   header  "ipaJ", seq (4), blocks of an area (4), CRC (4)                                         padded to a unit
 *   record  key (1), check (1), length (2), CRC (4), payload                                        padded to a unit
 *
 * Little-endian; a unit is prog_size or 8, whichever is more. A record's CRC-32 begins with the area's seq and the record's offset, so that
 * nothing left from before can pass for one; check is the lowest octet of the same CRC over key, length and place. The newest record
 * of a key counts; one without payload says that there is none. When the area is full, the newest of each key move to the next area
 * (round robin, which spreads the wear), and its header, written last, makes it the one in use.
 *
 * Cut of power: a torn record has nothing behind it, and its key keeps its old value; after one, or after a program that reads back
 * wrong, nothing more is written into that area: the next write moves. A torn erase or copy has no valid header, and the old area
 * stands. Rot: unreadable octets are counted in `lost` and passed over; a record that rots gives way to the one before it.
 * Not covered: octets that read differently from one time to the next (a cut so late in a program that cells are half charged).
 */
#include "flash_journal.h"

#include <string.h>

#include "ipa/config_default.h"

enum { HEADER = 8, AREA_HEADER = 16, CHUNK = 64 };

/* A place in the log, and what lies there. */
struct record {
    uint32_t at;
    uint32_t len;
    uint32_t next;
    uint8_t key;
};

/* Writes a record octet by octet in units. */
struct writer {
    struct ipa_journal *journal;
    uint32_t area;
    uint32_t at;
    uint32_t fill;
    uint8_t chunk[CHUNK];
};

static const uint8_t magic[4] = { 'i', 'p', 'a', 'J' };

static uint32_t get32(const uint8_t *p) {
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void put32(uint8_t *p, uint32_t value) {
    for (int i = 0; i < 4; i++) p[i] = (uint8_t)(value >> 8 * i);
}

/* CRC-32 (IEEE 802.3), by half octets: 64 octets of table. */
static uint32_t crc32(uint32_t crc, const uint8_t *p, size_t len) {
    static const uint32_t table[16] = {
        0x00000000, 0x1DB71064, 0x3B6E20C8, 0x26D930AC, 0x76DC4190, 0x6B6B51F4, 0x4DB26158, 0x5005713C,
        0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C, 0x9B64C2B0, 0x86D3D2D4, 0xA00AE278, 0xBDBDF21C,
    };
    crc = ~crc;
    while (len-- > 0) {
        crc ^= *p++;
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}

static uint32_t unit(const struct ipa_journal *journal) {
    return journal->store->prog_size > HEADER ? journal->store->prog_size : HEADER;
}

static uint32_t padded(const struct ipa_journal *journal, uint32_t len) {
    return (len + unit(journal) - 1) & ~(unit(journal) - 1);
}

/* Both may cross blocks. */
static int area_read(const struct ipa_journal *journal, uint32_t area, uint32_t at, uint8_t *p, uint32_t len) {
    const struct ipa_store *store = journal->store;
    while (len > 0) {
        uint32_t off = at % store->block_size;
        uint32_t part = store->block_size - off < len ? store->block_size - off : len;
        int r = store->read(store->ctx, area * journal->area_blocks + at / store->block_size, off, p, part);
        if (r < 0) return r;
        at += part;
        p += part;
        len -= part;
    }
    return IPA_OK;
}

/* Programs and reads back. len is at most CHUNK; a block is a multiple of a unit, so each part is one. */
static int area_prog(const struct ipa_journal *journal, uint32_t area, uint32_t at, const uint8_t *p, uint32_t len) {
    const struct ipa_store *store = journal->store;
    uint8_t back[CHUNK];
    for (uint32_t done = 0; done < len;) {
        uint32_t off = (at + done) % store->block_size;
        uint32_t part = store->block_size - off < len - done ? store->block_size - off : len - done;
        int r = store->prog(store->ctx, area * journal->area_blocks + (at + done) / store->block_size, off, p + done, part);
        if (r < 0) return r;
        done += part;
    }
    int r = area_read(journal, area, at, back, len);
    return r < 0 ? r : memcmp(back, p, len) == 0 ? IPA_OK : IPA_ERR_STORE;
}

/* 1 when the len octets at `at` are erased. */
static int is_erased(const struct ipa_journal *journal, uint32_t area, uint32_t at, uint32_t len) {
    uint8_t chunk[CHUNK];
    while (len > 0) {
        uint32_t part = len < CHUNK ? len : CHUNK;
        int r = area_read(journal, area, at, chunk, part);
        if (r < 0) return r;
        for (uint32_t i = 0; i < part; i++) if (chunk[i] != journal->store->erased) return 0;
        at += part;
        len -= part;
    }
    return 1;
}

static int area_erase(const struct ipa_journal *journal, uint32_t area) {
    const struct ipa_store *store = journal->store;
    for (uint32_t i = 0; i < journal->area_blocks; i++) {
        int r = store->erase(store->ctx, area * journal->area_blocks + i);
        if (r < 0) return r;
    }
    int r = is_erased(journal, area, 0, journal->area_len);
    return r < 0 ? r : r ? IPA_OK : IPA_ERR_STORE;
}

/* CRC over the place and the first four octets of a record's header, check left out. */
static uint32_t place_crc(uint32_t seq, uint32_t at, const uint8_t *head) {
    uint8_t place[12];
    put32(place, seq);
    put32(place + 4, at);
    memcpy(place + 8, head, 4);
    place[9] = 0;
    return crc32(0, place, sizeof place);
}

static int payload_crc(const struct ipa_journal *journal, const struct record *record, uint32_t *crc) {
    uint8_t chunk[CHUNK];
    for (uint32_t done = 0; done < record->len;) {
        uint32_t part = record->len - done < CHUNK ? record->len - done : CHUNK;
        int r = area_read(journal, journal->area, record->at + HEADER + done, chunk, part);
        if (r < 0) return r;
        *crc = crc32(*crc, chunk, part);
        done += part;
    }
    return IPA_OK;
}

/* What begins at `at`. */
enum { NOTHING, RECORD, BROKEN /* a header in order, and a payload that is not */ };

/* Reads the header there, with `whole` its payload too: one of the above, or the door's error. */
static int record_at(const struct ipa_journal *journal, uint32_t at, int whole, struct record *record) {
    uint8_t head[HEADER];
    if (at + HEADER > journal->area_len) return NOTHING;
    int r = area_read(journal, journal->area, at, head, HEADER);
    if (r < 0) return r;
    uint32_t crc = place_crc(journal->seq, at, head);
    record->at = at;
    record->key = head[0];
    record->len = head[2] | (uint32_t)head[3] << 8;
    record->next = at + padded(journal, HEADER + record->len);
    if (head[1] != (uint8_t)crc || record->next > journal->area_len) return NOTHING;
    if (!whole) return RECORD;
    r = payload_crc(journal, record, &crc);
    return r < 0 ? r : crc == get32(head + 4) ? RECORD : BROKEN;
}

/* The first record at or behind `at` and before the end: 1, 0, or an error. */
static int next_record(const struct ipa_journal *journal, uint32_t at, struct record *record) {
    while (at < journal->end) {
        int r = record_at(journal, at, journal->rotten, record);
        if (r < 0 || r == RECORD) return r;
        if (!journal->rotten) return IPA_ERR_STORE;
        at = r == BROKEN ? record->next : at + unit(journal);
    }
    return 0;
}

static int find_newest(const struct ipa_journal *journal, uint8_t key, struct record *found) {
    struct record record;
    int r, any = 0;
    for (uint32_t at = padded(journal, AREA_HEADER); (r = next_record(journal, at, &record)) > 0; at = record.next) {
        if (record.key != key) continue;
        *found = record;
        any = 1;
    }
    return r < 0 ? r : any && found->len > 0 ? IPA_OK : IPA_ERR_NOT_FOUND;
}

/* How far from `at` nothing is erased, or nothing is written: octets, or the door's error; *erased says which. */
static int stretch(const struct ipa_journal *journal, uint32_t at, int *erased) {
    uint32_t part = journal->area_len - at < CHUNK ? journal->area_len - at : CHUNK;
    *erased = is_erased(journal, journal->area, at, part);
    if (*erased == 0) *erased = is_erased(journal, journal->area, at, part = unit(journal));
    return *erased < 0 ? *erased : (int)part;
}

/* Walks the area in use from its start with every check: where it ends, and what is unreadable. */
static int survey(struct ipa_journal *journal) {
    struct record record;
    uint32_t at = padded(journal, AREA_HEADER), junk = 0;
    journal->end = at;
    journal->lost = 0;
    journal->rotten = 0;
    while (at + unit(journal) <= journal->area_len) {
        int erased = 0, r = record_at(journal, at, 1, &record);
        if (r == RECORD) {
            journal->rotten |= junk > 0;
            journal->lost += junk;
            junk = 0;
            at = journal->end = record.next;
            continue;
        }
        int len = r == BROKEN ? (int)(record.next - at) : r;
        if (r == NOTHING) len = stretch(journal, at, &erased);
        if (len < 0) return len;
        at += (uint32_t)len;
        if (!erased) junk = at - journal->end;
    }
    journal->lost += junk;
    journal->moved = journal->lost > 0;
    return IPA_OK;
}

/* Is the record as it was written? */
static int is_whole(const struct ipa_journal *journal, const struct record *record) {
    struct record same;
    int r = record_at(journal, record->at, 1, &same);
    return r < 0 ? r : r == RECORD;
}

/* The newest record of a key. What has rotted since the journal was opened is met here: then every check is made again. */
static int find(struct ipa_journal *journal, uint8_t key, struct record *found) {
    int r = find_newest(journal, key, found);
    if (r == IPA_OK) {
        int whole = is_whole(journal, found);
        if (whole != 0) return whole < 0 ? whole : IPA_OK;
    } else if (r != IPA_ERR_STORE) return r;
    r = survey(journal);
    return r < 0 ? r : find_newest(journal, key, found);
}

static void area_header(const struct ipa_journal *journal, uint32_t seq, uint8_t *head) {
    memcpy(head, magic, 4);
    put32(head + 4, seq);
    put32(head + 8, journal->area_blocks);
    put32(head + 12, crc32(0, head, 12));
}

int ipa_journal_open(struct ipa_journal *journal, const struct ipa_store *store) {
    uint32_t prog = store->prog_size;
    memset(journal, 0, sizeof *journal);
    journal->store = store;
    if (prog == 0 || prog > 16 || (prog & (prog - 1)) != 0 || store->block_count < 2 || store->block_size < CHUNK
        || store->block_size % unit(journal) != 0) return IPA_ERR_INVALID;
    uint32_t blocks = (IPA_CFG_JOURNAL_AREA + store->block_size - 1) / store->block_size;
    if (blocks > store->block_count / 2) blocks = store->block_count / 2;
    journal->area_blocks = blocks;
    journal->area_len = blocks * store->block_size;
    journal->areas = store->block_count / blocks;
    for (uint32_t area = 0; area < journal->areas; area++) {
        uint8_t head[AREA_HEADER], good[AREA_HEADER];
        int r = area_read(journal, area, 0, head, AREA_HEADER);
        if (r < 0) return r;
        area_header(journal, get32(head + 4), good);
        if (memcmp(head, good, AREA_HEADER) != 0) continue;
        if (journal->seq != 0 && (int32_t)(get32(head + 4) - journal->seq) <= 0) continue;
        journal->seq = get32(head + 4);
        journal->area = area;
    }
    return journal->seq == 0 ? IPA_OK : survey(journal);
}

int ipa_journal_read(struct ipa_journal *journal, uint8_t key, uint32_t off, void *p, size_t cap, uint32_t *total) {
    struct record record;
    int r = find(journal, key, &record);
    if (r < 0) return r;
    if (total != NULL) *total = record.len;
    if (off >= record.len) return 0;
    uint32_t part = record.len - off < cap ? record.len - off : (uint32_t)cap;
    r = area_read(journal, journal->area, record.at + HEADER + off, p, part);
    return r < 0 ? r : (int)part;
}

static int flush(struct writer *writer) {
    int r = area_prog(writer->journal, writer->area, writer->at, writer->chunk, writer->fill);
    writer->at += writer->fill;
    writer->fill = 0;
    return r;
}

static int put(struct writer *writer, const uint8_t *p, uint32_t len) {
    int r = IPA_OK;
    for (; len > 0 && r >= 0; len--) {
        writer->chunk[writer->fill++] = *p++;
        if (writer->fill == CHUNK) r = flush(writer);
    }
    return r;
}

/* Pads to a unit with what erased flash reads, and programs what is left. */
static int finish(struct writer *writer) {
    while (writer->fill % unit(writer->journal) != 0) writer->chunk[writer->fill++] = writer->journal->store->erased;
    return writer->fill > 0 ? flush(writer) : IPA_OK;
}

static int start(struct writer *writer, uint32_t seq, uint8_t key, uint32_t len, uint8_t *head, uint32_t *crc) {
    if (writer->at + padded(writer->journal, HEADER + len) > writer->journal->area_len) return IPA_ERR_TOO_LARGE;
    head[0] = key;
    head[2] = (uint8_t)len;
    head[3] = (uint8_t)(len >> 8);
    *crc = place_crc(seq, writer->at, head);
    head[1] = (uint8_t)*crc;
    return IPA_OK;
}

/* Appends a record from RAM. */
static int append(struct writer *writer, uint32_t seq, uint8_t key, const uint8_t *p, uint32_t len) {
    uint8_t head[HEADER];
    uint32_t crc;
    int r = start(writer, seq, key, len, head, &crc);
    if (r < 0) return r;
    put32(head + 4, crc32(crc, p, len));
    r = put(writer, head, HEADER);
    if (r >= 0) r = put(writer, p, len);
    return r < 0 ? r : finish(writer);
}

/* Copies a record of the area in use. */
static int copy(struct writer *writer, uint32_t seq, const struct record *record) {
    const struct ipa_journal *journal = writer->journal;
    uint8_t head[HEADER], chunk[CHUNK];
    uint32_t crc;
    int r = start(writer, seq, record->key, record->len, head, &crc);
    if (r == IPA_OK) r = payload_crc(journal, record, &crc);
    if (r < 0) return r;
    put32(head + 4, crc);
    r = put(writer, head, HEADER);
    for (uint32_t done = 0; done < record->len && r >= 0;) {
        uint32_t part = record->len - done < CHUNK ? record->len - done : CHUNK;
        r = area_read(journal, journal->area, record->at + HEADER + done, chunk, part);
        if (r >= 0) r = put(writer, chunk, part);
        done += part;
    }
    return r < 0 ? r : finish(writer);
}

/* Copies the newest record of every key but one; what is unreadable stays behind. */
static int copy_all(struct writer *writer, uint32_t seq, uint8_t but) {
    struct ipa_journal *journal = writer->journal;
    struct record record, newest;
    if (journal->seq == 0) return IPA_OK;
    int r = survey(journal);
    if (r < 0) return r;
    for (uint32_t at = padded(journal, AREA_HEADER); (r = next_record(journal, at, &record)) > 0; at = record.next) {
        if (record.key == but) continue;
        r = find_newest(journal, record.key, &newest);
        if (r == IPA_OK && newest.at == record.at) r = copy(writer, seq, &record);
        if (r < 0 && r != IPA_ERR_NOT_FOUND) return r;
    }
    return r;
}

/* Moves to another area, with the new record in it. */
static int move(struct ipa_journal *journal, uint32_t area, uint32_t seq, uint8_t key, const uint8_t *p, uint32_t len) {
    struct writer writer = { .journal = journal, .area = area, .at = padded(journal, AREA_HEADER) };
    uint8_t head[AREA_HEADER];
    int r = area_erase(journal, area);
    if (r >= 0) r = copy_all(&writer, seq, key);
    if (r >= 0 && len > 0) r = append(&writer, seq, key, p, len);
    if (r < 0) return r;
    uint32_t end = writer.at;
    writer.at = 0;
    area_header(journal, seq, head);
    r = put(&writer, head, AREA_HEADER);
    if (r >= 0) r = finish(&writer);
    if (r < 0) return r;
    journal->seq = seq;
    journal->area = area;
    journal->end = end;
    journal->moved = 0;
    journal->rotten = 0;
    return IPA_OK;
}

/* Tries the other areas in turn, each with a seq of its own: a worn one is passed over while there is another. */
static int move_on(struct ipa_journal *journal, uint8_t key, const uint8_t *p, uint32_t len) {
    int r = IPA_ERR_STORE, first = journal->seq == 0;
    for (uint32_t i = 1; i < journal->areas + (uint32_t)first && r < 0 && r != IPA_ERR_TOO_LARGE; i++) {
        uint32_t seq = journal->seq + i;
        r = move(journal, (journal->area + i - (uint32_t)first) % journal->areas, seq != 0 ? seq : 1, key, p, len);
    }
    return r;
}

/* 1 when the record already reads so, which saves the flash. */
static int is_same(struct ipa_journal *journal, uint8_t key, const uint8_t *p, uint32_t len) {
    struct record record;
    uint8_t chunk[CHUNK];
    int r = find(journal, key, &record);
    if (r < 0) return r == IPA_ERR_NOT_FOUND && len == 0;
    if (record.len != len) return 0;
    for (uint32_t done = 0; done < len; done += CHUNK) {
        uint32_t part = len - done < CHUNK ? len - done : CHUNK;
        if (area_read(journal, journal->area, record.at + HEADER + done, chunk, part) < 0 || memcmp(chunk, p + done, part) != 0) return 0;
    }
    return 1;
}

int ipa_journal_write(struct ipa_journal *journal, uint8_t key, const void *p, size_t len) {
    const struct ipa_store *store = journal->store;
    if (key == 0 || key > IPA_JOURNAL_KEY_MAX) return IPA_ERR_INVALID;
    if (len > IPA_JOURNAL_RECORD_MAX) return IPA_ERR_TOO_LARGE;
    if (is_same(journal, key, p, (uint32_t)len)) return IPA_OK;
    int r = IPA_ERR_STORE;
    if (journal->seq != 0 && !journal->moved) {
        struct writer writer = { .journal = journal, .area = journal->area, .at = journal->end };
        r = append(&writer, journal->seq, key, p, (uint32_t)len);
        if (r >= 0) journal->end = writer.at;
        else if (r != IPA_ERR_TOO_LARGE) journal->moved = 1;
    }
    if (r < 0) r = move_on(journal, key, p, (uint32_t)len);
    if (r >= 0 && store->sync != NULL) r = store->sync(store->ctx);
    return r < 0 ? r : IPA_OK;
}
