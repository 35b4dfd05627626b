/*
 * tinyipa for OEMs: an IPA (SGP.32 IPAd) as a library. Fill one struct ipa_config, give an arena, call ipa_poll whenever its
 * wait is over. No thread is assumed, none is forbidden; instances don't know of each other; nothing is allocated
 * outside the arena. The agent inside is a signed WebAssembly image (host/README.md); a trap of it is an expected
 * error: it starts anew and goes on from the journal.
 */
#ifndef IPA_IPA_H
#define IPA_IPA_H

#include <stddef.h>
#include <stdint.h>

#include "ipa/err.h"
#include "ipa/link.h"
#include "ipa/store.h"
#include "ipa/uicc.h"

enum ipa_wake {
    IPA_WAKE_TIMER = 1,
    IPA_WAKE_POLL = 2,           /* the application wants a poll now */
    IPA_WAKE_STATE_CHANGED = 8,  /* profiles changed by another hand; cause: stateChangeCause (SGP.32 5.14.5) */
    IPA_WAKE_BEARER = 16         /* connectivity is back */
};

/* Report codes: host/README.md. The payload is gone when the call returns. */
struct ipa_report {
    uint32_t code;
    int32_t detail;
    const uint8_t *payload;
    size_t payload_len;
};

/* Codes of the host itself, above the agent's. */
enum {
    IPA_REPORT_TRAP = 0x100,     /* detail: enum ipa_err, payload: the engine's words; the agent starts anew */
    IPA_REPORT_OP_FAILED = 0x101, /* detail: the error, payload: kind of the op, 1 octet */
    IPA_REPORT_JOURNAL = 0x102,  /* detail: octets of the journal that were unreadable: a cut of power, or rot */
    IPA_REPORT_IMAGE = 0x103     /* an image was refused; detail: enum ipa_err, payload: its slot, 1 octet */
};

/* A key that images may be signed with. */
struct ipa_image_key {
    uint32_t id;
    const uint8_t *point;        /* 65 octets: 04 X Y, P-256 */
};

struct ipa_config {
    /* Signed containers (host/src/container.h); the newest valid one runs. The second slot may be empty. */
    const uint8_t *image[2];
    size_t image_len[2];
    const struct ipa_image_key *keys;
    size_t key_count;

    /* Memory of this instance: ipa_arena_need() says how much. Aligned to 8. */
    void *arena;
    size_t arena_len;

    /* Doors. */
    struct ipa_uicc uicc;
    struct ipa_link link;
    struct ipa_store store;
    /* Bearer: up within wait_ms; restart: down first. plmn: 3 octets as in TS 24.008, set *plmn_len to 3 or 0. */
    int (*bearer)(void *ctx, int restart, uint32_t wait_ms, uint8_t plmn[3], size_t *plmn_len);
    /* len octets from a true random source. */
    int (*entropy)(void *ctx, uint8_t *p, size_t len);
    /* Monotonic, wraps at 2^32. */
    uint32_t (*now_ms)(void *ctx);
    void (*report)(void *ctx, const struct ipa_report *report);   /* may be NULL */
    void (*watchdog)(void *ctx);                                  /* called at least once in each ipa_poll; may be NULL */
    /* The agent sleeps with nothing in hand: card and modem may be off until it wakes. May be NULL. */
    void (*idle)(void *ctx, int idle);
    void *ctx;

    /* Configuration of the agent: BER-TLV without 80 entropy, which the host adds (host/README.md). */
    const uint8_t *agent_config;
    size_t agent_config_len;
};

struct ipa;

/* Octets of arena that this configuration needs with the engine that was built in; 0 when no slot holds a valid image. */
size_t ipa_arena_need(const struct ipa_config *config);
/* Verifies the image, places everything in the arena. config must outlive it. IPA_ERR_IMAGE_..., IPA_ERR_NO_MEM, IPA_ERR_STORE. */
int ipa_init(struct ipa **out, const struct ipa_config *config);
/* Carries out at most one op, or a part of it. *wait_ms: how long the caller may sleep. IPA_OK, or an error that ended this instance. */
int ipa_poll(struct ipa *ipa, uint32_t *wait_ms);
/* Ends the agent's sleep at the next poll; any context may call it, an interrupt too. reasons: enum ipa_wake. */
void ipa_wake(struct ipa *ipa, uint32_t reasons, uint32_t cause);
void ipa_stop(struct ipa *ipa);

/*
 * The journal for records of the host itself, e.g. a saved DTLS session: keys 65 to 254 (64 is the image's). read: octets
 * of the record, at most cap, or IPA_ERR_NOT_FOUND; write: durable when it returns, len 0 removes it.
 */
int ipa_record_read(struct ipa *ipa, uint8_t key, void *p, size_t cap);
int ipa_record_write(struct ipa *ipa, uint8_t key, const void *p, size_t len);

#endif
