/* The C host as a machine of events and ops; see host_machine.h. Left out: two slots, sleep of the CPU, links of its own. */
#include "node/host_machine.h"

#include <string.h>

#include "src/abi.h"
#include "src/agent.h"
#include "src/crypto.h"

/* Two areas of 8 KiB: the journal moves often. */
enum { BLOCK = 2048, BLOCKS = 8, PROG = 4, ERASED = 0xFF };
enum { KEYS = IPA_KEY_PROVISION + 1, RECORD = 3072, PAYLOAD = 2048, ENTROPY = 32, MOST_POLLS = 100, TORN = 4 };

struct message {
    size_t len;
    uint8_t octets[IPA_MB_PAYLOAD + PAYLOAD];
};

struct ipa_machine {
    const struct ipa_machine_image *image;
    const char *problem;
    /* What stays when the power goes. */
    uint8_t flash[BLOCKS * BLOCK];
    uint8_t digest[KEYS][32];  /* SHA-256 of each record as it was last written */
    uint32_t cuts;
    /* From here on it doesn't. */
    struct ipa_config config;
    struct ipa *ipa;
    uint32_t now_ms;
    uint32_t ref;              /* of the last op */
    uint32_t programs;         /* programs and erases since power came */
    uint32_t programs_left;    /* the power goes in so many; 0: it stays */
    uint32_t torn;             /* says how many octets get done in that one */
    struct message asked;      /* the op that waits for its answer */
    struct message answer;
    uint8_t called;            /* a door has been asked */
    uint8_t answered;
    uint8_t own_asked;         /* the op in hand is the host's own, and was given out */
    uint8_t refuses;           /* flash that can't be written */
    uint8_t idle;
    uint8_t was_reset;
    uint8_t entropy[ENTROPY];
    uint8_t agent_config[PAYLOAD];
    uint32_t gathered;         /* octets of the world's copy of the record that is read */
    uint8_t record[RECORD];
    uint64_t arena[];
};

static uint32_t get32(const uint8_t *p) {
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void put32(uint8_t *p, uint32_t value) {
    for (int i = 0; i < 4; i++) p[i] = (uint8_t)(value >> 8 * i);
}

static int wrong(struct ipa_machine *machine, const char *what) {
    machine->problem = what;
    return IPA_ERR_SELFTEST;
}

/* Flash: what a cut leaves is a beginning of the program, or of the erase. */

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
    if (block >= BLOCKS || off + len > BLOCK) return wrong(machine, "flash read outside");
    memcpy(p, machine->flash + block * BLOCK + off, len);
    return IPA_OK;
}

static int flash_prog(void *ctx, uint32_t block, uint32_t off, const void *p, size_t len) {
    struct ipa_machine *machine = ctx;
    uint8_t *at = machine->flash + block * BLOCK + off;
    if (block >= BLOCKS || off + len > BLOCK || off % PROG != 0 || len % PROG != 0) return wrong(machine, "flash programmed outside, or no whole units");
    for (size_t i = 0; i < len; i++) if (at[i] != ERASED) return wrong(machine, "flash programmed twice");
    size_t done = power_for(machine, len);
    memcpy(at, p, done);
    return done == len ? IPA_OK : IPA_ERR_STORE;
}

static int flash_erase(void *ctx, uint32_t block) {
    struct ipa_machine *machine = ctx;
    if (block >= BLOCKS) return wrong(machine, "flash erased outside");
    size_t done = power_for(machine, BLOCK);
    memset(machine->flash + block * BLOCK, ERASED, done);
    return done == BLOCK ? IPA_OK : IPA_ERR_STORE;
}

/* Messages. */

static void begin(struct message *message, uint8_t kind, uint32_t flags, uint32_t aux, uint32_t wait_ms, uint32_t arg0, uint32_t arg1) {
    memset(message->octets, 0, IPA_MB_PAYLOAD);
    message->len = IPA_MB_PAYLOAD;
    message->octets[IPA_MB_KIND] = kind;
    message->octets[IPA_MB_FLAGS] = (uint8_t)flags;
    message->octets[IPA_MB_AUX] = (uint8_t)aux;
    message->octets[IPA_MB_AUX + 1] = (uint8_t)(aux >> 8);
    put32(message->octets + IPA_MB_STATUS, wait_ms);
    put32(message->octets + IPA_MB_ARG0, arg0);
    put32(message->octets + IPA_MB_ARG1, arg1);
}

static void add(struct message *message, const void *p, size_t len) {
    if (len == 0 || len > sizeof message->octets - message->len) return;
    memcpy(message->octets + message->len, p, len);
    message->len += len;
    put32(message->octets + IPA_MB_LENGTH, (uint32_t)(message->len - IPA_MB_PAYLOAD));
}

static const uint8_t *payload_of(const struct message *message, size_t *len) {
    *len = message->len - IPA_MB_PAYLOAD;
    return message->octets + IPA_MB_PAYLOAD;
}

static uint32_t answered(const struct ipa_machine *machine, unsigned at) {
    return get32(machine->answer.octets + at);
}

/* Gives the op out with the next number. */
static void ask(struct ipa_machine *machine, const struct message *message) {
    machine->asked = *message;
    put32(machine->asked.octets + IPA_MB_REF, ++machine->ref);
}

/* A door was called: IPA_AGAIN until the answer is there, then its status. */
static int call(struct ipa_machine *machine, struct message *message) {
    if (machine->called) return wrong(machine, "two doors called in one poll");
    if (!machine->answered) {
        machine->called = 1;
        ask(machine, message);
        return IPA_AGAIN;
    }
    put32(message->octets + IPA_MB_REF, machine->ref);
    if (message->len != machine->asked.len || memcmp(message->octets, machine->asked.octets, message->len) != 0) return wrong(machine, "a door called again with other arguments");
    machine->answered = 0;
    return (int32_t)answered(machine, IPA_MB_STATUS);
}

/* The answer's payload; how many octets of it, or IPA_ERR_TOO_LARGE. */
static int payload_to(const struct ipa_machine *machine, uint8_t *to, size_t cap) {
    size_t len;
    const uint8_t *p = payload_of(&machine->answer, &len);
    if (len > cap) return IPA_ERR_TOO_LARGE;
    memcpy(to, p, len);
    return (int)len;
}

/* Doors. */

static int uicc_open(void *ctx, struct ipa_uicc_open *how) {
    struct ipa_machine *machine = ctx;
    struct message message;
    begin(&message, IPA_OP_UICC_OPEN, how->flags, 0, 0, 0, 0);
    add(&message, how->aid, how->aid_len);
    int r = call(machine, &message);
    if (r == IPA_AGAIN) return r;
    how->sw = (uint16_t)answered(machine, IPA_MB_ARG1);
    if (r < 0) return r;
    how->channel = (uint8_t)answered(machine, IPA_MB_ARG0);
    r = payload_to(machine, how->fci, how->fci_cap);
    how->fci_len = r < 0 ? 0 : (size_t)r;
    return r < 0 ? r : IPA_OK;
}

static int uicc_transmit(void *ctx, uint8_t *buf, size_t len, size_t cap, uint32_t flags) {
    struct message message;
    begin(&message, IPA_OP_UICC_TRANSMIT, flags, 0, 0, 0, 0);
    add(&message, buf, len);
    int r = call(ctx, &message);
    return r < 0 ? r : payload_to(ctx, buf, cap);
}

static int uicc_close(void *ctx) {
    struct message message;
    begin(&message, IPA_OP_UICC_CLOSE, 0, 0, 0, 0, 0);
    return call(ctx, &message);
}

static int uicc_reset(void *ctx, uint32_t flags, uint32_t wait_ms) {
    struct message message;
    begin(&message, IPA_OP_UICC_RESET, flags, 0, wait_ms, 0, 0);
    return call(ctx, &message);
}

static int uicc_was_reset(void *ctx) {
    struct ipa_machine *machine = ctx;
    int was = machine->was_reset;
    machine->was_reset = 0;
    return was;
}

static int bearer(void *ctx, int restart, uint32_t wait_ms, uint8_t plmn[3], size_t *plmn_len) {
    struct message message;
    begin(&message, IPA_OP_BEARER, restart ? IPA_FLAG_RESTART : 0, 0, wait_ms, 0, 0);
    int r = call(ctx, &message);
    if (r < 0) return r;
    r = payload_to(ctx, plmn, 3);
    *plmn_len = r < 0 ? 0 : (size_t)r;
    return r < 0 ? r : IPA_OK;
}

static int link_open(void *ctx, const struct ipa_endpoint *to, uint32_t wait_ms) {
    struct message message;
    begin(&message, IPA_OP_LINK_OPEN, 0, (uint32_t)to->peer | (uint32_t)to->binding << 8, wait_ms, 0, 0);
    if (to->fqdn_len > 0) {
        uint8_t head[3] = { 0x80, 0x81, (uint8_t)to->fqdn_len };
        add(&message, head, to->fqdn_len < 0x80 ? 1 : 2);
        add(&message, head + 2, 1);
        add(&message, to->fqdn, to->fqdn_len);
    }
    add(&message, to->trust, to->trust_len);
    return call(ctx, &message);
}

static int link_send(void *ctx, const struct ipa_request *how, const uint8_t *piece, size_t len, uint32_t wait_ms) {
    struct message message;
    begin(&message, IPA_OP_LINK_SEND, (how->first ? IPA_FLAG_FIRST : 0u) | (how->last ? IPA_FLAG_LAST : 0u), how->function, wait_ms, how->total, 0);
    add(&message, piece, len);
    return call(ctx, &message);
}

static int link_receive(void *ctx, uint8_t *piece, size_t cap, struct ipa_answer *about, uint32_t wait_ms) {
    struct ipa_machine *machine = ctx;
    struct message message;
    begin(&message, IPA_OP_LINK_RECEIVE, 0, 0, wait_ms, (uint32_t)cap, 0);
    int r = call(machine, &message);
    if (r < 0) return r;
    about->code = (uint16_t)answered(machine, IPA_MB_ARG0);
    about->retry_after_s = answered(machine, IPA_MB_ARG1);
    about->last = (machine->answer.octets[IPA_MB_FLAGS] & IPA_FLAG_LAST) != 0;
    return payload_to(machine, piece, cap);
}

static int link_close(void *ctx) {
    struct message message;
    begin(&message, IPA_OP_LINK_CLOSE, 0, 0, 0, 0, 0);
    return call(ctx, &message);
}

static int entropy(void *ctx, uint8_t *p, size_t len) {
    const struct ipa_machine *machine = ctx;
    if (len != ENTROPY) return IPA_ERR_ENTROPY;
    memcpy(p, machine->entropy, len);
    return IPA_OK;
}

static uint32_t now_ms(void *ctx) {
    return ((const struct ipa_machine *)ctx)->now_ms;
}

static void set_idle(void *ctx, int idle) {
    ((struct ipa_machine *)ctx)->idle = (uint8_t)idle;
}

/* The agent's own reports were given out as ops; the host's say what it holds wrong. */
static void report(void *ctx, const struct ipa_report *report) {
    struct ipa_machine *machine = ctx;
    struct message message;
    begin(&message, IPA_OP_REPORT, 0, 0, 0, report->code, (uint32_t)report->detail);
    add(&message, report->payload, report->payload_len);
    put32(message.octets + IPA_MB_REF, machine->ref);
    if (report->code == IPA_REPORT_OP_FAILED && report->detail != (int32_t)answered(machine, IPA_MB_STATUS)) wrong(machine, "the C host fails an op that the world has carried out");
    if (report->code == IPA_REPORT_TRAP) machine->problem = "the agent trapped";
    if (report->code >= IPA_REPORT_TRAP) return;
    if (message.len != machine->asked.len || memcmp(message.octets, machine->asked.octets, message.len) != 0) wrong(machine, "the report door tells something else than the agent");
}

/* What the host does by itself: its op comes from the mailbox. */

static const uint8_t *mailbox(const struct ipa *ipa) {
    return ipa_wasm_memory(ipa->wasm, ipa->mailbox + IPA_MB_PAYLOAD, ipa->op.length);
}

static int is_own(const struct ipa *ipa) {
    uint8_t kind = ipa->op.kind;
    return ipa->state == IPA_WORKS && (kind >= IPA_OP_STORE_READ || (kind == IPA_OP_LINK_CLOSE && !ipa->link_open));
}

/* Gives out the op in hand when it is the host's own and was not given out yet: 1. */
static int ask_own(struct ipa_machine *machine) {
    const struct ipa_op *op = &machine->ipa->op;
    struct message message;
    if (!is_own(machine->ipa) || machine->own_asked) return 0;
    machine->own_asked = 1;
    if (op->kind == IPA_OP_STORE_READ && op->arg1 > 0) return 0; /* it was read at offset 0, to its end */
    begin(&message, op->kind, op->flags, op->aux, op->wait_ms, op->arg0, op->arg1);
    add(&message, mailbox(machine->ipa), op->length);
    ask(machine, &message);
    return 1;
}

static int digest_of_record(struct ipa_machine *machine, uint8_t key, uint8_t digest[32]) {
    uint8_t record[RECORD];
    uint32_t total = 0;
    int r = ipa_journal_read(&machine->ipa->journal, key, 0, record, sizeof record, &total);
    if (r == IPA_ERR_NOT_FOUND) r = 0;
    if (r < 0 || total > sizeof record) return wrong(machine, "the journal does not give a record");
    return ipa_sha256(record, (size_t)r, digest);
}

/* The world's copy of a record is there: the journal has what was last written, and takes over what the world has put there itself. */
static int compare_record(struct ipa_machine *machine, uint8_t key) {
    uint8_t digest[32], world[32];
    int r = digest_of_record(machine, key, digest);
    if (r < 0) return r;
    if (memcmp(digest, machine->digest[key], 32) != 0) return wrong(machine, "a record of the journal is not as it was written");
    r = ipa_sha256(machine->record, machine->gathered, world);
    if (r < 0 || memcmp(world, digest, 32) == 0) return r;
    memcpy(machine->digest[key], world, 32);
    return ipa_journal_write(&machine->ipa->journal, key, machine->record, machine->gathered);
}

/* Takes a part of the world's copy; asks for the next one: 1. */
static int take_part(struct ipa_machine *machine) {
    uint32_t key = machine->ipa->op.arg0;
    int32_t status = (int32_t)answered(machine, IPA_MB_STATUS);
    struct message message;
    if (key >= KEYS || (status < 0 && status != IPA_ERR_NOT_FOUND)) return wrong(machine, "no such record in the world's store");
    int r = payload_to(machine, machine->record + machine->gathered, RECORD - machine->gathered);
    if (r < 0) return r;
    machine->gathered += (uint32_t)r;
    if (status == IPA_OK && !(machine->answer.octets[IPA_MB_FLAGS] & IPA_FLAG_LAST)) {
        begin(&message, IPA_OP_STORE_READ, 0, 0, 0, key, machine->gathered);
        ask(machine, &message);
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
    machine->refuses = (int32_t)answered(machine, IPA_MB_STATUS) < 0;
    if (machine->refuses || op->arg0 >= KEYS) return IPA_OK;
    return ipa_sha256(mailbox(machine->ipa), op->length, machine->digest[op->arg0]);
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
    config->uicc = (struct ipa_uicc){ uicc_open, uicc_transmit, uicc_close, uicc_reset, uicc_was_reset, machine };
    config->link = (struct ipa_link){ link_open, link_send, link_receive, link_close, machine };
    config->store = (struct ipa_store){ flash_read, flash_prog, flash_erase, NULL, machine, PROG, BLOCK, BLOCKS, ERASED };
    config->bearer = bearer;
    config->entropy = entropy;
    config->now_ms = now_ms;
    config->report = report;
    config->idle = set_idle;
    config->ctx = machine;
    config->agent_config = machine->agent_config;
}

static void power_off(struct ipa_machine *machine) {
    size_t from = offsetof(struct ipa_machine, config);
    memset((uint8_t *)machine + from, 0, ipa_machine_len(machine->image) - from);
}

/* Start: its payload begins with 80 entropy, which is the entropy door's; the rest is the OEM's configuration. */
static int start(struct ipa_machine *machine, uint32_t now) {
    struct message event = machine->answer;
    size_t len;
    const uint8_t *p = payload_of(&event, &len);
    if (len < 2 + ENTROPY || p[0] != 0x80 || p[1] != ENTROPY) return wrong(machine, "Start without 32 octets of entropy in front");
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
    if (machine->ipa == NULL) return wrong(machine, "not started");
    machine->now_ms = now;
    machine->was_reset |= (machine->answer.octets[IPA_MB_FLAGS] & IPA_FLAG_CARD_RESET) != 0;
    if ((kind == IPA_EVENT_WAKE) != (machine->ipa->state == IPA_SLEEPS)) return wrong(machine, "an event that does not fit the op");
    if (kind == IPA_EVENT_WAKE) {
        ipa_wake(machine->ipa, answered(machine, IPA_MB_ARG0), answered(machine, IPA_MB_ARG1));
        return IPA_OK;
    }
    if (answered(machine, IPA_MB_REF) != machine->ref) return wrong(machine, "an answer to another op");
    if (is_own(machine->ipa)) return settle_own(machine);
    machine->answered = 1;
    return IPA_OK;
}

/* Sleeps: what ipa_poll said is the op. */
static void ask_sleep(struct ipa_machine *machine, uint32_t wait_ms) {
    struct message message;
    begin(&message, IPA_OP_SLEEP, machine->idle ? IPA_FLAG_IDLE : 0, 0, wait_ms, 0, 0);
    ask(machine, &message);
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
        if (machine->ipa->state != IPA_SLEEPS) return wrong(machine, "the C host waits, and asked for nothing");
        ask_sleep(machine, wait_ms);
        return IPA_OK;
    }
    return wrong(machine, "the C host asks for nothing");
}

int ipa_machine_step(struct ipa_machine *machine, const uint8_t *event, size_t len, uint32_t now, const uint8_t **op, size_t *op_len) {
    machine->problem = NULL;
    if (len < IPA_MB_PAYLOAD || len > sizeof machine->answer.octets) return wrong(machine, "an event with too much payload");
    memcpy(machine->answer.octets, event, len);
    machine->answer.len = len;
    int r = deliver(machine, now);
    if (r == IPA_OK) r = run(machine);
    *op = machine->asked.octets;
    *op_len = machine->asked.len;
    return r < 0 ? r : IPA_OK;
}

/* Writes the record in hand; the power goes in the programs_left-th program or erase (0: it stays), of which some octets get done. How many there were. */
static uint32_t write_torn(struct ipa_machine *machine, uint32_t programs_left, uint32_t torn) {
    struct ipa *ipa = machine->ipa;
    uint32_t before = machine->programs;
    machine->programs_left = programs_left;
    machine->torn = torn;
    (void)ipa_journal_write(&ipa->journal, (uint8_t)ipa->op.arg0, mailbox(ipa), ipa->op.length);
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
        r = digest_of_record(machine, other, digest);
        if (r == IPA_OK && other != key && memcmp(digest, machine->digest[other], 32) != 0) r = wrong(machine, "a cut of power changes another record than the one that is written");
    }
    if (r == IPA_OK) r = ipa_sha256(mailbox(ipa), ipa->op.length, wanted);
    if (r == IPA_OK) r = digest_of_record(machine, key, digest);
    if (r < 0) return r;
    if (memcmp(digest, wanted, 32) == 0 || memcmp(digest, machine->digest[key], 32) == 0) return IPA_OK;
    return wrong(machine, "a cut of power leaves a record that is neither the old nor the new one");
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

/* The power goes in the midst of a write: each program and erase is tried, torn in several places; one by chance stands. */
static int tear(struct ipa_machine *machine) {
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

int ipa_machine_cut(struct ipa_machine *machine) {
    const struct ipa *ipa = machine->ipa;
    int r = IPA_OK;
    machine->problem = NULL;
    machine->cuts++;
    if (ipa != NULL && is_own(ipa) && ipa->op.kind == IPA_OP_STORE_WRITE && ipa->op.arg0 < KEYS) r = tear(machine);
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
