/*
 * A modem made of a script, for unit tests of the AT driver: what it expects octet by octet, and what it says then. Its clock moves
 * 1 ms with each call. Commands of the driver's boot are answered unasked. A reply may come in two pieces, cut anywhere.
 */
#ifndef AT_FAKE_H
#define AT_FAKE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ipa/err.h"
#include "ipa/uart.h"

struct fake_step {
    const char *expect;   /* NULL: said unasked, when the step before is over */
    const char *reply;
    size_t expect_len, reply_len;
};

#define STEP(expect, reply) { expect, reply, sizeof(expect) - 1, sizeof(reply) - 1 }
#define SAY(reply) { NULL, reply, 0, sizeof(reply) - 1 }
#define FAKE(steps) { .script = steps, .count = sizeof(steps) / sizeof *(steps), .cut = (size_t)-1, .write_max = 7 }

struct fake {
    const struct fake_step *script;
    size_t count, step;
    const char *const *boot;   /* pairs of command and answer, ended by NULL */
    size_t cut;                /* octet of all replies before which a pause is made */
    unsigned pause_ms;
    size_t write_max;
    /* State. */
    uint32_t now, hold;
    char heard[4096], say[16384];
    size_t heard_len, say_len, said;
    char wrong[256];
};

static inline void fake_say(struct fake *f, const char *text, size_t len) {
    if (f->say_len + len > sizeof f->say) return;
    memcpy(f->say + f->say_len, text, len);
    f->say_len += len;
}

static inline void fake_unasked(struct fake *f) {
    while (f->step < f->count && f->script[f->step].expect == NULL) {
        fake_say(f, f->script[f->step].reply, f->script[f->step].reply_len);
        f->step++;
    }
}

static inline int fake_boot(struct fake *f) {
    for (const char *const *pair = f->boot; pair != NULL && *pair != NULL; pair += 2) {
        if (strlen(*pair) != f->heard_len || memcmp(*pair, f->heard, f->heard_len) != 0) continue;
        fake_say(f, pair[1], strlen(pair[1]));
        return 1;
    }
    return 0;
}

static inline void fake_hear(struct fake *f) {
    const struct fake_step *step = f->step < f->count ? &f->script[f->step] : NULL;
    if (step != NULL && step->expect != NULL && f->heard_len == step->expect_len && memcmp(f->heard, step->expect, f->heard_len) == 0) {
        f->heard_len = 0;
        f->step++;
        fake_say(f, step->reply, step->reply_len);
        fake_unasked(f);
    } else if (step != NULL && step->expect != NULL && f->heard_len < step->expect_len && memcmp(f->heard, step->expect, f->heard_len) == 0) {
        return; /* so far so good */
    } else if (f->heard[f->heard_len - 1] == '\r') {
        if (f->heard_len == 1) {
            f->heard_len = 0; /* an empty command */
            return;
        }
        if (!fake_boot(f) && f->wrong[0] == 0) {
            size_t len = f->heard_len < 200 ? f->heard_len : 200;
            memcpy(f->wrong, f->heard, len);
            f->wrong[len] = 0;
        }
        f->heard_len = 0;
    }
}

static inline size_t fake_write(void *ctx, const uint8_t *p, size_t len) {
    struct fake *f = ctx;
    if (len > f->write_max) len = f->write_max;
    for (size_t i = 0; i < len; i++) {
        if (f->heard_len < sizeof f->heard) f->heard[f->heard_len++] = (char)p[i];
        fake_hear(f);
    }
    return len;
}

static inline size_t fake_read(void *ctx, uint8_t *p, size_t cap) {
    struct fake *f = ctx;
    size_t end = f->say_len;
    if (f->hold != 0 && f->now < f->hold) return 0;
    f->hold = 0;
    if (f->said < f->cut && end > f->cut) end = f->cut;
    if (cap > end - f->said) cap = end - f->said;
    memcpy(p, f->say + f->said, cap);
    f->said += cap;
    if (f->said == f->cut && cap > 0) f->hold = f->now + f->pause_ms;
    return cap;
}

static inline uint32_t fake_now(void *ctx) {
    struct fake *f = ctx;
    return f->now++;
}

static inline struct ipa_uart fake_uart(struct fake *f) {
    struct ipa_uart uart = { fake_read, fake_write, NULL, f };
    return uart;
}

/* Calls it until it is done, as a main loop does; 400 s of the modem's time at most. */
#define FAKE_AWAIT(f, result, call) \
    do { \
        uint32_t fake_since = (f)->now; \
        while (((result) = (call)) == IPA_AGAIN && (f)->now - fake_since < 400000) (f)->now++; \
    } while (0)

#endif
