/* The C host as a machine of events and ops; see host_machine.h. Left out: two slots, sleep of the CPU, links of its own. */
#include "node/host_machine.h"

#include <string.h>

#include "node/host_machine_parts.h"
#include "src/crypto.h"

enum { MOST_POLLS = 100 };

int ipa_machine_wrong(struct ipa_machine *machine, const char *what) {
    machine->problem = what;
    return IPA_ERR_SELFTEST;
}

/* What the host does by itself: its op comes from the mailbox. */

static int is_own(const struct ipa *ipa) {
    uint8_t kind = ipa->op.kind;
    return ipa->state == IPA_WORKS && (kind >= IPA_OP_STORE_READ || (kind == IPA_OP_LINK_CLOSE && !ipa->link_open));
}

/* Gives out the op in hand when it is the host's own and was not given out yet: 1. */
static int ask_own(struct ipa_machine *machine) {
    const struct ipa_op *op = &machine->ipa->op;
    struct ipa_message message;
    if (!is_own(machine->ipa) || machine->own_asked) return 0;
    machine->own_asked = 1;
    if (op->kind == IPA_OP_STORE_READ && op->arg1 > 0) return 0; /* it was read at offset 0, to its end */
    ipa_message_begin(&message, op->kind, op->flags, op->aux, op->wait_ms, op->arg0, op->arg1);
    ipa_message_add(&message, ipa_machine_mailbox(machine), op->length);
    ipa_machine_ask(machine, &message);
    return 1;
}

/* The world's copy of a record is there: the journal has what was last written, and takes over what the world has put there itself. */
static int compare_record(struct ipa_machine *machine, uint8_t key) {
    uint8_t digest[32], world[32];
    int r = ipa_machine_digest(machine, key, digest);
    if (r < 0) return r;
    if (memcmp(digest, machine->digest[key], 32) != 0) return ipa_machine_wrong(machine, "a record of the journal is not as it was written");
    r = ipa_sha256(machine->record, machine->gathered, world);
    if (r < 0 || memcmp(world, digest, 32) == 0) return r;
    memcpy(machine->digest[key], world, 32);
    return ipa_journal_write(&machine->ipa->journal, key, machine->record, machine->gathered);
}

/* Takes a part of the world's copy; asks for the next one: 1. */
static int take_part(struct ipa_machine *machine) {
    uint32_t key = machine->ipa->op.arg0;
    int32_t status = (int32_t)ipa_machine_answered(machine, IPA_MB_STATUS);
    struct ipa_message message;
    if (key >= KEYS || (status < 0 && status != IPA_ERR_NOT_FOUND)) return ipa_machine_wrong(machine, "no such record in the world's store");
    int r = ipa_machine_payload_to(machine, machine->record + machine->gathered, RECORD - machine->gathered);
    if (r < 0) return r;
    machine->gathered += (uint32_t)r;
    if (status == IPA_OK && !(machine->answer.octets[IPA_MB_FLAGS] & IPA_FLAG_LAST)) {
        ipa_message_begin(&message, IPA_OP_STORE_READ, 0, 0, 0, key, machine->gathered);
        ipa_machine_ask(machine, &message);
        return 1;
    }
    r = compare_record(machine, (uint8_t)key);
    machine->gathered = 0;
    return r;
}

/* The world has done the same; 1: there is another op to give out first. */
static int settle_own(struct ipa_machine *machine) {
    const struct ipa_op *op = &machine->ipa->op;
    if (op->kind == IPA_OP_STORE_READ) return take_part(machine);
    if (op->kind != IPA_OP_STORE_WRITE) return IPA_OK;
    machine->refuses = (int32_t)ipa_machine_answered(machine, IPA_MB_STATUS) < 0;
    if (machine->refuses || op->arg0 >= KEYS) return IPA_OK;
    return ipa_sha256(ipa_machine_mailbox(machine), op->length, machine->digest[op->arg0]);
}

/* Steps. */

static void configure(struct ipa_machine *machine) {
    struct ipa_config *config = &machine->config;
    config->image[0] = machine->image->container;
    config->image_len[0] = machine->image->container_len;
    config->keys = &machine->image->key;
    config->key_count = 1;
    config->arena = machine->arena;
    config->arena_len = ipa_arena_need(config);
    config->store = ipa_machine_store(machine);
    ipa_machine_doors(machine);
    config->agent_config = machine->agent_config;
}

static void power_off(struct ipa_machine *machine) {
    size_t from = offsetof(struct ipa_machine, config);
    memset((uint8_t *)machine + from, 0, ipa_machine_len(machine->image) - from);
}

/* Start: its payload begins with 80 entropy, which is the entropy door's; the rest is the OEM's configuration. */
static int start(struct ipa_machine *machine, uint32_t now) {
    struct ipa_message event = machine->answer;
    const uint8_t *p = event.octets + IPA_MB_PAYLOAD;
    size_t len = event.len - IPA_MB_PAYLOAD;
    if (len < 2 + ENTROPY || p[0] != 0x80 || p[1] != ENTROPY) return ipa_machine_wrong(machine, "Start without 32 octets of entropy in front");
    power_off(machine);
    machine->now_ms = now;
    memcpy(machine->entropy, p + 2, ENTROPY);
    memcpy(machine->agent_config, p + 2 + ENTROPY, len - 2 - ENTROPY);
    machine->config.agent_config_len = len - 2 - ENTROPY;
    configure(machine);
    return ipa_init(&machine->ipa, &machine->config);
}

/* Gives the event to the host; 1: there is an op to give out first. */
static int deliver(struct ipa_machine *machine, uint32_t now) {
    uint8_t kind = machine->answer.octets[IPA_MB_KIND];
    if (kind == IPA_EVENT_START) return start(machine, now);
    if (machine->ipa == NULL) return ipa_machine_wrong(machine, "not started");
    machine->now_ms = now;
    machine->was_reset |= (machine->answer.octets[IPA_MB_FLAGS] & IPA_FLAG_CARD_RESET) != 0;
    if ((kind == IPA_EVENT_WAKE) != (machine->ipa->state == IPA_SLEEPS)) return ipa_machine_wrong(machine, "an event that does not fit the op");
    if (kind == IPA_EVENT_WAKE) {
        ipa_wake(machine->ipa, ipa_machine_answered(machine, IPA_MB_ARG0), ipa_machine_answered(machine, IPA_MB_ARG1));
        return IPA_OK;
    }
    if (ipa_machine_answered(machine, IPA_MB_REF) != machine->ref) return ipa_machine_wrong(machine, "an answer to another op");
    if (is_own(machine->ipa)) return settle_own(machine);
    machine->answered = 1;
    return IPA_OK;
}

/* Sleeps: what ipa_poll said is the op. */
static void ask_sleep(struct ipa_machine *machine, uint32_t wait_ms) {
    struct ipa_message message;
    ipa_message_begin(&message, IPA_OP_SLEEP, machine->idle ? IPA_FLAG_IDLE : 0, 0, wait_ms, 0, 0);
    ipa_machine_ask(machine, &message);
}

static int run(struct ipa_machine *machine) {
    for (int i = 0; i < MOST_POLLS; i++) {
        uint32_t wait_ms = 0;
        if (ask_own(machine)) return IPA_OK;
        machine->called = 0;
        int r = ipa_poll(machine->ipa, &wait_ms);
        machine->refuses = 0;
        if (machine->problem != NULL) return machine->ipa->state == IPA_RESTS ? IPA_ERR_WASM_TRAP : IPA_ERR_SELFTEST;
        if (r < 0) return r;
        if (machine->called) return IPA_OK;
        machine->own_asked = 0;
        if (wait_ms == 0) continue;
        if (machine->ipa->state != IPA_SLEEPS) return ipa_machine_wrong(machine, "the C host waits, and asked for nothing");
        ask_sleep(machine, wait_ms);
        return IPA_OK;
    }
    return ipa_machine_wrong(machine, "the C host asks for nothing");
}

int ipa_machine_step(struct ipa_machine *machine, const uint8_t *event, size_t len, uint32_t now, const uint8_t **op, size_t *op_len) {
    machine->problem = NULL;
    if (len < IPA_MB_PAYLOAD || len > sizeof machine->answer.octets) return ipa_machine_wrong(machine, "an event with too much payload");
    memcpy(machine->answer.octets, event, len);
    machine->answer.len = len;
    int r = deliver(machine, now);
    if (r == IPA_OK) r = run(machine);
    *op = machine->asked.octets;
    *op_len = machine->asked.len;
    return r < 0 ? r : IPA_OK;
}

int ipa_machine_cut(struct ipa_machine *machine) {
    const struct ipa *ipa = machine->ipa;
    int r = IPA_OK;
    machine->problem = NULL;
    machine->cuts++;
    if (ipa != NULL && is_own(ipa) && ipa->op.kind == IPA_OP_STORE_WRITE && ipa->op.arg0 < KEYS) r = ipa_machine_tear(machine);
    power_off(machine);
    return r;
}

size_t ipa_machine_len(const struct ipa_machine_image *image) {
    struct ipa_config config = { .image = { image->container }, .image_len = { image->container_len } };
    size_t need = ipa_arena_need(&config);
    return need == 0 ? 0 : sizeof(struct ipa_machine) + need;
}

int ipa_machine_init(struct ipa_machine *machine, const struct ipa_machine_image *image, uint32_t *capacity, uint32_t *memory_len) {
    memset(machine, 0, ipa_machine_len(image));
    machine->image = image;
    memset(machine->flash, ERASED, sizeof machine->flash);
    for (int key = 0; key < KEYS; key++) if (ipa_sha256(machine->flash, 0, machine->digest[key]) < 0) return IPA_ERR_SELFTEST;
    configure(machine);
    int r = ipa_init(&machine->ipa, &machine->config);
    if (r < 0) return r;
    *capacity = machine->ipa->capacity;
    *memory_len = machine->ipa->image.wasm.memory_len;
    power_off(machine);
    return *capacity <= PAYLOAD ? IPA_OK : IPA_ERR_TOO_LARGE;
}

const char *ipa_machine_problem(const struct ipa_machine *machine) {
    return machine->problem == NULL ? "" : machine->problem;
}
