/*
 * The life of one agent: ipa.h over the engine (wasm.h) and the doors (ops.c).
 *
 *   RESTS --over--> TIDIES --closed--> STARTS --Start--> WORKS <--Done, Wake--> SLEEPS
 *     ^                                                    |                       |
 *     +------------------------ trap, fuel, broken ABI ----+-----------------------+
 *
 * A trap costs the instance, never the device: the agent begins anew from the journal, after a wait that doubles with each one.
 * An image that never ended a poll well gives way, after IPA_CFG_TRAPS of them, to the one in the other slot.
 */
#include <string.h>

#include "abi.h"
#include "agent.h"

enum { ENTROPY = 32, LEAST_CAPACITY = 512, CRYPTO_SCRATCH = 8192 };

static const enum ipa_wake reasons_of[] = { IPA_WAKE_TIMER, IPA_WAKE_POLL, IPA_WAKE_STATE_CHANGED, IPA_WAKE_BEARER };
enum { REASONS = sizeof reasons_of / sizeof *reasons_of };

static uint32_t get32(const uint8_t *p) {
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void put32(uint8_t *p, uint32_t value) {
    for (int i = 0; i < 4; i++) p[i] = (uint8_t)(value >> 8 * i);
}

static uint32_t now_ms(const struct ipa *ipa) {
    return ipa->config->now_ms(ipa->config->ctx);
}

void ipa_tell(const struct ipa *ipa, uint32_t code, int32_t detail, const uint8_t *payload, size_t payload_len) {
    struct ipa_report report = { .code = code, .detail = detail, .payload = payload, .payload_len = payload_len };
    if (ipa->config->report != NULL) ipa->config->report(ipa->config->ctx, &report);
}

/* Images. */

/* The slots whose header is in order, the newer one first; how many. *why: what is wrong with the last that isn't. */
static int candidates(const struct ipa_config *config, struct ipa_image image[2], uint8_t slot[2], int *why) {
    int count = 0;
    *why = IPA_ERR_IMAGE_MAGIC;
    for (uint8_t i = 0; i < 2; i++) {
        if (config->image[i] == NULL) continue;
        int r = ipa_container_read(&image[count], config->image[i], config->image_len[i]);
        if (r == IPA_OK) slot[count++] = i;
        else if (*why == IPA_ERR_IMAGE_MAGIC) *why = r;
    }
    if (count == 2 && image[1].version > image[0].version) {
        struct ipa_image newer = image[1];
        image[1] = image[0];
        image[0] = newer;
        slot[0] = 1;
        slot[1] = 0;
    }
    return count;
}

static void *behind(struct ipa *ipa, size_t *len) {
    size_t head = (sizeof *ipa + 7) & ~(size_t)7;
    *len = ipa->config->arena_len - head;
    return (uint8_t *)ipa + head;
}

static int open_engine(struct ipa *ipa) {
    size_t len;
    void *at = behind(ipa, &len);
    int32_t abi, mailbox, capacity, memory;
    if (ipa->image.wasm.memory_len > len) return IPA_ERR_IMAGE_MEMORY;
    int r = ipa_wasm_open(&ipa->wasm, &ipa->image.wasm, at, len);
    if (r == IPA_OK) r = ipa_wasm_call(ipa->wasm, IPA_WASM_ABI, 0, &abi);
    if (r == IPA_OK) r = ipa_wasm_call(ipa->wasm, IPA_WASM_MAILBOX, 0, &mailbox);
    if (r == IPA_OK) r = ipa_wasm_call(ipa->wasm, IPA_WASM_CAPACITY, 0, &capacity);
    if (r == IPA_OK) r = ipa_wasm_call(ipa->wasm, IPA_WASM_MEMORY, 0, &memory);
    if (r != IPA_OK) return r;
    if ((uint32_t)abi >> 16 != IPA_ABI_VERSION >> 16 || (uint32_t)abi > IPA_ABI_VERSION) return IPA_ERR_IMAGE_ABI;
    if ((uint32_t)memory > ipa->image.wasm.memory_len) return IPA_ERR_IMAGE_MEMORY;
    ipa->mailbox = (uint32_t)mailbox;
    ipa->capacity = (uint32_t)capacity;
    if (ipa->capacity < LEAST_CAPACITY || ipa->capacity > UINT16_MAX) return IPA_ERR_ABI;
    if (ipa_wasm_memory(ipa->wasm, ipa->mailbox, IPA_MB_PAYLOAD + ipa->capacity) == NULL) return IPA_ERR_ABI;
    return ipa->config->agent_config_len + 2 + ENTROPY <= ipa->capacity ? IPA_OK : IPA_ERR_TOO_LARGE;
}

/* Opens the newest image that is signed, not too old, and loads; not the one of slot `but`. The engine sees none that is not. */
static int open_image(struct ipa *ipa, int but) {
    struct ipa_image image[2];
    uint8_t slot[2];
    size_t len;
    void *scratch = behind(ipa, &len);
    int r, count = candidates(ipa->config, image, slot, &r);
    for (int i = 0; i < count; i++) {
        if (slot[i] == but) continue;
        r = image[i].version < ipa->proven ? IPA_ERR_IMAGE_OLD : ipa_container_verify(&image[i], ipa->config->keys, ipa->config->key_count, scratch, len);
        if (r == IPA_OK) {
            ipa->image = image[i];
            ipa->slot = slot[i];
            r = open_engine(ipa);
        }
        if (r == IPA_OK) return r;
        ipa_tell(ipa, IPA_REPORT_IMAGE, r, &slot[i], 1);
    }
    return r;
}

int ipa_image_proven(struct ipa *ipa) {
    uint8_t record[4];
    ipa->traps = 0;
    if (ipa->image.version <= ipa->proven) return IPA_OK;
    put32(record, ipa->image.version);
    int r = ipa_journal_write(&ipa->journal, IPA_KEY_IMAGE, record, sizeof record);
    if (r == IPA_OK) ipa->proven = ipa->image.version;
    return r;
}

/* Begin and end. */

size_t ipa_arena_need(const struct ipa_config *config) {
    struct ipa_image image[2];
    uint8_t slot[2];
    int why, count = candidates(config, image, slot, &why);
    size_t most = CRYPTO_SCRATCH;
    for (int i = 0; i < count; i++) {
        size_t need = ipa_wasm_need(&image[i].wasm);
        if (need > most) most = need;
    }
    return count == 0 ? 0 : ((sizeof(struct ipa) + 7) & ~(size_t)7) + ((most + 7) & ~(size_t)7);
}

static int is_complete(const struct ipa_config *config) {
    const struct ipa_uicc *uicc = &config->uicc;
    const struct ipa_link *link = &config->link;
    return uicc->open != NULL && uicc->transmit != NULL && uicc->close != NULL && uicc->reset != NULL
        && link->open != NULL && link->send != NULL && link->receive != NULL && link->close != NULL
        && config->store.read != NULL && config->store.prog != NULL && config->store.erase != NULL
        && config->bearer != NULL && config->entropy != NULL && config->now_ms != NULL
        && config->arena != NULL && (uintptr_t)config->arena % 8 == 0;
}

static int open_journal(struct ipa *ipa) {
    uint8_t record[4];
    int r = ipa_journal_open(&ipa->journal, &ipa->config->store);
    if (r < 0) return r;
    if (ipa->journal.lost > 0) ipa_tell(ipa, IPA_REPORT_JOURNAL, (int32_t)ipa->journal.lost, NULL, 0);
    r = ipa_journal_read(&ipa->journal, IPA_KEY_IMAGE, 0, record, sizeof record, NULL);
    if (r == sizeof record) ipa->proven = get32(record);
    return r < 0 && r != IPA_ERR_NOT_FOUND ? r : IPA_OK;
}

int ipa_init(struct ipa **out, const struct ipa_config *config) {
    *out = NULL;
    if (!is_complete(config)) return IPA_ERR_INVALID;
    if (config->arena_len < sizeof(struct ipa) + 8) return IPA_ERR_NO_MEM;
    struct ipa *ipa = config->arena;
    memset(ipa, 0, sizeof *ipa);
    ipa->config = config;
    ipa->state = IPA_TIDIES;
    int r = open_journal(ipa);
    if (r == IPA_OK) r = open_image(ipa, -1);
    if (r == IPA_OK) *out = ipa;
    return r;
}

void ipa_stop(struct ipa *ipa) {
    (void)ipa_op_tidy(ipa); /* as far as it goes at once */
    ipa_wasm_close(ipa->wasm);
    ipa->state = IPA_ENDED;
    ipa->ended = IPA_ERR_INVALID;
}

static int end(struct ipa *ipa, int why) {
    ipa->state = IPA_ENDED;
    ipa->ended = why;
    return why;
}

/* Steps. */

static uint8_t *mailbox(struct ipa *ipa) {
    return ipa_wasm_memory(ipa->wasm, ipa->mailbox, IPA_MB_PAYLOAD + ipa->capacity);
}

/* The agent is lost: a new instance, after a rest. */
static int trapped(struct ipa *ipa, int why) {
    const char *words = ipa_wasm_problem(ipa->wasm);
    ipa_tell(ipa, IPA_REPORT_TRAP, why, (const uint8_t *)words, strlen(words));
    ipa->rest_ms = IPA_CFG_TRAP_MS;
    for (uint32_t i = 0; i < ipa->traps && ipa->rest_ms < IPA_CFG_TRAP_MAX_MS; i++) ipa->rest_ms *= 2;
    if (ipa->rest_ms > IPA_CFG_TRAP_MAX_MS) ipa->rest_ms = IPA_CFG_TRAP_MAX_MS;
    ipa->traps++;
    ipa->state = IPA_RESTS;
    ipa->since_ms = now_ms(ipa);
    int other = ipa->slot ^ 1, r = IPA_ERR_IMAGE_MAGIC;
    if (ipa->traps == IPA_CFG_TRAPS && ipa->image.version > ipa->proven && ipa->config->image[other] != NULL) r = open_image(ipa, ipa->slot);
    if (r == IPA_OK) return r;
    r = ipa->traps == IPA_CFG_TRAPS ? open_image(ipa, -1) : ipa_wasm_reset(ipa->wasm);
    return r == IPA_OK ? r : end(ipa, r);
}

static int card_flag(struct ipa *ipa) {
    const struct ipa_uicc *uicc = &ipa->config->uicc;
    if (uicc->was_reset == NULL || !uicc->was_reset(uicc->ctx)) return 0;
    ipa->uicc_open = 0;
    return IPA_FLAG_CARD_RESET;
}

/* Takes the op that the agent left. */
static int take_op(struct ipa *ipa, int32_t kind) {
    const uint8_t *mb = mailbox(ipa);
    struct ipa_op *op = &ipa->op;
    op->kind = mb[IPA_MB_KIND];
    op->flags = mb[IPA_MB_FLAGS];
    op->aux = (uint16_t)(mb[IPA_MB_AUX] | mb[IPA_MB_AUX + 1] << 8);
    op->length = get32(mb + IPA_MB_LENGTH);
    op->wait_ms = get32(mb + IPA_MB_STATUS);
    op->ref = get32(mb + IPA_MB_REF);
    op->arg0 = get32(mb + IPA_MB_ARG0);
    op->arg1 = get32(mb + IPA_MB_ARG1);
    op->since_ms = now_ms(ipa);
    if (kind != op->kind || op->length > ipa->capacity || op->wait_ms > INT32_MAX) return IPA_ERR_ABI;
    memset(&ipa->open, 0, sizeof ipa->open);
    memset(&ipa->answer, 0, sizeof ipa->answer);
    ipa->state = op->kind == IPA_OP_SLEEP ? IPA_SLEEPS : IPA_WORKS;
    return IPA_OK;
}

/* Hands over the event whose payload is in place; what the agent wants then is in ipa->op. */
static int step(struct ipa *ipa, enum ipa_event_kind kind, int status, const struct ipa_done *event, uint32_t ref) {
    uint8_t *mb = mailbox(ipa);
    int32_t op = 0;
    mb[IPA_MB_KIND] = (uint8_t)kind;
    mb[IPA_MB_FLAGS] = event->flags;
    mb[IPA_MB_AUX] = mb[IPA_MB_AUX + 1] = 0;
    put32(mb + IPA_MB_LENGTH, event->length);
    put32(mb + IPA_MB_STATUS, (uint32_t)status);
    put32(mb + IPA_MB_REF, ref);
    put32(mb + IPA_MB_ARG0, event->arg0);
    put32(mb + IPA_MB_ARG1, event->arg1);
    int r = ipa_wasm_call(ipa->wasm, IPA_WASM_STEP, (int32_t)now_ms(ipa), &op);
    if (r == IPA_OK && op < 0 && kind == IPA_EVENT_START) return end(ipa, IPA_ERR_INVALID); /* the OEM's configuration is no TLV */
    if (r == IPA_OK) r = op < 0 ? IPA_ERR_ABI : take_op(ipa, op);
    if (r < 0) return trapped(ipa, r);
    int idle = ipa->state == IPA_SLEEPS && (ipa->op.flags & IPA_FLAG_IDLE);
    if (idle != ipa->idle && ipa->config->idle != NULL) ipa->config->idle(ipa->config->ctx, idle);
    ipa->idle = (uint8_t)idle;
    return IPA_OK;
}

static int tidy(struct ipa *ipa, uint32_t *wait_ms) {
    if (ipa_op_tidy(ipa) == IPA_AGAIN && now_ms(ipa) - ipa->since_ms < IPA_CFG_GRACE_MS) {
        *wait_ms = IPA_CFG_BUSY_MS;
        return IPA_OK;
    }
    ipa->link_open = ipa->link_broken = ipa->uicc_open = ipa->uicc_broken = 0;
    ipa->state = IPA_STARTS;
    return IPA_OK;
}

/* A source that gives the same octet again and again is dead. */
static int is_dead(const uint8_t *entropy) {
    for (int i = 1; i < ENTROPY; i++) if (entropy[i] != entropy[0]) return 0;
    return 1;
}

static int begin(struct ipa *ipa, uint32_t *wait_ms) {
    const struct ipa_config *config = ipa->config;
    uint8_t *payload = mailbox(ipa) + IPA_MB_PAYLOAD;
    int r = config->entropy(config->ctx, payload + 2, ENTROPY);
    if (r == IPA_AGAIN) {
        *wait_ms = IPA_CFG_BUSY_MS;
        return IPA_OK;
    }
    if (r < 0 || is_dead(payload + 2)) return end(ipa, IPA_ERR_ENTROPY);
    payload[0] = 0x80;
    payload[1] = ENTROPY;
    if (config->agent_config_len > 0) memcpy(payload + 2 + ENTROPY, config->agent_config, config->agent_config_len);
    struct ipa_done event = { .length = (uint32_t)(2 + ENTROPY + config->agent_config_len) };
    (void)card_flag(ipa);
    return step(ipa, IPA_EVENT_START, 0, &event, 0);
}

/* What goes to the agent as a status: it knows one number for every failed check of a peer. */
static int status_of(int r) {
    return (r <= IPA_ERR_TRUST_KEY && r >= IPA_ERR_TRUST_NONE) || r == IPA_ERR_TRUST_ROLE ? IPA_ERR_TRUST : r;
}

static int work(struct ipa *ipa, uint32_t *wait_ms) {
    struct ipa_done done;
    uint8_t kind = ipa->op.kind;
    int r = ipa_op_run(ipa, mailbox(ipa) + IPA_MB_PAYLOAD, &done);
    if (r == IPA_AGAIN) {
        if (now_ms(ipa) - ipa->op.since_ms < ipa_op_limit_ms(&ipa->op)) {
            *wait_ms = IPA_CFG_BUSY_MS;
            return IPA_OK;
        }
        ipa_op_given_up(ipa);
        r = IPA_ERR_TIMEOUT;
    }
    if (r < 0 && !(r == IPA_ERR_NOT_FOUND && kind == IPA_OP_STORE_READ)) ipa_tell(ipa, IPA_REPORT_OP_FAILED, r, &kind, 1);
    done.flags |= (uint8_t)card_flag(ipa);
    return step(ipa, IPA_EVENT_DONE, status_of(r), &done, ipa->op.ref);
}

static int sleep_on(struct ipa *ipa, uint32_t *wait_ms) {
    struct ipa_done event = { .flags = 0 };
    uint32_t slept = now_ms(ipa) - ipa->op.since_ms;
    for (int i = 0; i < REASONS; i++) {
        if (!ipa->wake[i]) continue;
        ipa->wake[i] = 0; /* before anything is done about it: what is set from here on counts for the next sleep */
        event.arg0 |= (uint32_t)reasons_of[i];
    }
    if (slept >= ipa->op.wait_ms) event.arg0 |= IPA_WAKE_TIMER;
    if (event.arg0 == 0) {
        *wait_ms = ipa->op.wait_ms - slept;
        return IPA_OK;
    }
    if (event.arg0 & IPA_WAKE_STATE_CHANGED) event.arg1 = ipa->cause;
    if (ipa->idle && ipa->config->idle != NULL) ipa->config->idle(ipa->config->ctx, 0);
    ipa->idle = 0;
    event.flags = (uint8_t)card_flag(ipa);
    return step(ipa, IPA_EVENT_WAKE, 0, &event, 0);
}

int ipa_poll(struct ipa *ipa, uint32_t *wait_ms) {
    *wait_ms = 0;
    if (ipa->config->watchdog != NULL) ipa->config->watchdog(ipa->config->ctx);
    switch (ipa->state) {
        case IPA_RESTS: {
            uint32_t rested = now_ms(ipa) - ipa->since_ms;
            if (rested < ipa->rest_ms) {
                *wait_ms = ipa->rest_ms - rested;
                return IPA_OK;
            }
            ipa->since_ms += rested;
            ipa->state = IPA_TIDIES;
            return IPA_OK;
        }
        case IPA_TIDIES: return tidy(ipa, wait_ms);
        case IPA_STARTS: return begin(ipa, wait_ms);
        case IPA_WORKS: return work(ipa, wait_ms);
        case IPA_SLEEPS: return sleep_on(ipa, wait_ms);
        default: return ipa->ended;
    }
}

void ipa_wake(struct ipa *ipa, uint32_t reasons, uint32_t cause) {
    if (reasons & IPA_WAKE_STATE_CHANGED) ipa->cause = cause;
    for (int i = 0; i < REASONS; i++) if (reasons & (uint32_t)reasons_of[i]) ipa->wake[i] = 1;
}

/* Records of the host. */

int ipa_record_read(struct ipa *ipa, uint8_t key, void *p, size_t cap) {
    return key < IPA_KEY_HOST ? IPA_ERR_INVALID : ipa_journal_read(&ipa->journal, key, 0, p, cap, NULL);
}

int ipa_record_write(struct ipa *ipa, uint8_t key, const void *p, size_t len) {
    return key <= IPA_KEY_IMAGE ? IPA_ERR_INVALID : ipa_journal_write(&ipa->journal, key, p, len);
}
