/*
 * What the tests of host/src/agent.c and ops.c share: an instance with fake doors, its image the built agent or the puppet. With TEST_INPLACE
 * (test_*_inplace.c) the image has the side table that the in-place engine wants.
 */
#ifndef AGENT_KIT_H
#define AGENT_KIT_H

#include "check.h"
#include "fake_doors.h"
#include "image_maker.h"
#include "puppet.h"
#include "src/abi.h"
#include "src/agent.h"

static struct image_maker maker;
static struct ipa_image_key key;
static struct fake fake;
static struct ipa_config config;
static uint64_t arena[65536];
static uint8_t agent_wasm[65536], slots[2][70000];
static size_t agent_len;

#ifdef TEST_INPLACE
#include "src/wasm_inplace.h"

static struct { uint8_t octets[16384]; size_t len; } side;

static inline int take_side(void *ctx, const void *p, uint32_t len) {
    (void)ctx;
    if (len > sizeof side.octets - side.len) return IPA_ERR_NO_MEM;
    memcpy(side.octets + side.len, p, len);
    side.len += len;
    return IPA_OK;
}

/* The in-place engine wants a side table. */
static inline void use_image(int slot, uint32_t version, const uint8_t *wasm, size_t len, uint32_t memory) {
    static uint64_t scratch[2048];
    const char *problem = "";
    side.len = 0;
    int32_t r = ipa_wasm_inplace_make(wasm, (uint32_t)len, 0, take_side, NULL, scratch, sizeof scratch, &problem);
    CHECK_INT(r, (int32_t)side.len);
    config.image[slot] = slots[slot];
    config.image_len[slot] = image_make_with(&maker, slots[slot], version, memory, wasm, len, side.octets, side.len);
}
#else
static inline void use_image(int slot, uint32_t version, const uint8_t *wasm, size_t len, uint32_t memory) {
    config.image[slot] = slots[slot];
    config.image_len[slot] = image_make(&maker, slots[slot], version, memory, wasm, len);
}
#endif

static inline void set_up(void) {
    fake_init(&fake, &config);
    key.id = IMAGE_KEY_ID;
    key.point = maker.point;
    config.keys = &key;
    config.key_count = 1;
    config.arena = arena;
    config.arena_len = sizeof arena;
}

static inline void use_agent(void) {
    set_up();
    use_image(0, 1, agent_wasm, agent_len, 9216);
}

static inline void use_puppet(void) {
    set_up();
    use_image(0, 1, puppet_wasm, sizeof puppet_wasm, PUPPET_MEMORY);
}

/* Polls until the agent sleeps, or `most` times; time passes as the poll says. */
static inline int run(struct ipa *ipa, int most) {
    uint32_t wait = 0;
    for (int i = 0; i < most; i++) {
        int r = ipa_poll(ipa, &wait);
        if (r < 0) return r;
        if (ipa->state == IPA_SLEEPS) return IPA_OK;
        fake.now += wait;
    }
    return 1;
}

static inline struct ipa *started(void) {
    struct ipa *ipa = NULL;
    CHECK_INT(ipa_init(&ipa, &config), IPA_OK);
    return ipa;
}

static inline struct ipa *asleep(void) {
    struct ipa *ipa = started();
    CHECK_INT(run(ipa, 100000), IPA_OK);
    return ipa;
}

static inline struct ipa *puppet(void) {
    use_puppet();
    return asleep();
}

/* Lets the puppet ask for this op and has it carried out; the Done that it got lies at PUPPET_EVENT. */
static inline const uint8_t *ask(struct ipa *ipa, uint8_t kind, uint8_t flags, uint16_t aux, uint32_t arg0, uint32_t arg1, const void *payload, uint32_t len) {
    uint32_t wait;
    uint8_t *op = ipa_wasm_memory(ipa->wasm, PUPPET_OP, IPA_MB_PAYLOAD + 1024);
    memset(op, 0, IPA_MB_PAYLOAD);
    op[IPA_MB_KIND] = kind;
    op[IPA_MB_FLAGS] = flags;
    op[IPA_MB_AUX] = (uint8_t)aux;
    op[IPA_MB_AUX + 1] = (uint8_t)(aux >> 8);
    image_put32(op + IPA_MB_LENGTH, len);
    image_put32(op + IPA_MB_REF, 77);
    image_put32(op + IPA_MB_ARG0, arg0);
    image_put32(op + IPA_MB_ARG1, arg1);
    if (len > 0 && len <= 1024) memcpy(op + IPA_MB_PAYLOAD, payload, len);
    ipa_wake(ipa, IPA_WAKE_POLL, 0);
    CHECK_INT(ipa_poll(ipa, &wait), IPA_OK);      /* the puppet leaves it */
    op[IPA_MB_KIND] = IPA_OP_SLEEP;               /* what it wants next */
    image_put32(op + IPA_MB_LENGTH, 0);
    image_put32(op + IPA_MB_STATUS, 1000);
    CHECK_INT(run(ipa, 100000), IPA_OK);
    return ipa_wasm_memory(ipa->wasm, PUPPET_EVENT, IPA_MB_PAYLOAD + 1024);
}

static inline int32_t status(const uint8_t *event) {
    return (int32_t)(event[8] | (uint32_t)event[9] << 8 | (uint32_t)event[10] << 16 | (uint32_t)event[11] << 24);
}

static inline uint32_t number(const uint8_t *event, unsigned at) {
    return event[at] | (uint32_t)event[at + 1] << 8 | (uint32_t)event[at + 2] << 16 | (uint32_t)event[at + 3] << 24;
}

/* Key pair and agent; 0 when the agent is not built. */
static inline int kit_init(void) {
    image_maker_init(&maker, 1);
    agent_len = image_read_agent(agent_wasm, sizeof agent_wasm);
    if (agent_len == 0) printf("not ok dist/tinyipa.wasm is built\n");
    return agent_len > 0;
}

#endif
