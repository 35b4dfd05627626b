/* Doors of the C host as a machine (host_machine.h): each writes down what it was asked as an op, and gives the answer when it is called again. */
#include <string.h>

#include "node/host_machine_parts.h"

static uint32_t get32(const uint8_t *p) {
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void put32(uint8_t *p, uint32_t value) {
    for (int i = 0; i < 4; i++) p[i] = (uint8_t)(value >> 8 * i);
}

/* Messages. */

void ipa_message_begin(struct ipa_message *message, uint8_t kind, uint32_t flags, uint32_t aux, uint32_t wait_ms, uint32_t arg0, uint32_t arg1) {
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

void ipa_message_add(struct ipa_message *message, const void *p, size_t len) {
    if (len == 0 || len > sizeof message->octets - message->len) return;
    memcpy(message->octets + message->len, p, len);
    message->len += len;
    put32(message->octets + IPA_MB_LENGTH, (uint32_t)(message->len - IPA_MB_PAYLOAD));
}

uint32_t ipa_machine_answered(const struct ipa_machine *machine, unsigned at) {
    return get32(machine->answer.octets + at);
}

void ipa_machine_ask(struct ipa_machine *machine, const struct ipa_message *message) {
    machine->asked = *message;
    put32(machine->asked.octets + IPA_MB_REF, ++machine->ref);
}

/* A door was called: IPA_AGAIN until the answer is there, then its status. */
static int call(struct ipa_machine *machine, struct ipa_message *message) {
    if (machine->called) return ipa_machine_wrong(machine, "two doors called in one poll");
    if (!machine->answered) {
        machine->called = 1;
        ipa_machine_ask(machine, message);
        return IPA_AGAIN;
    }
    put32(message->octets + IPA_MB_REF, machine->ref);
    if (message->len != machine->asked.len || memcmp(message->octets, machine->asked.octets, message->len) != 0) return ipa_machine_wrong(machine, "a door called again with other arguments");
    machine->answered = 0;
    return (int32_t)ipa_machine_answered(machine, IPA_MB_STATUS);
}

int ipa_machine_payload_to(const struct ipa_machine *machine, uint8_t *to, size_t cap) {
    size_t len = machine->answer.len - IPA_MB_PAYLOAD;
    if (len > cap) return IPA_ERR_TOO_LARGE;
    memcpy(to, machine->answer.octets + IPA_MB_PAYLOAD, len);
    return (int)len;
}

/* Doors. */

static int uicc_open(void *ctx, struct ipa_uicc_open *how) {
    struct ipa_machine *machine = ctx;
    struct ipa_message message;
    ipa_message_begin(&message, IPA_OP_UICC_OPEN, how->flags, 0, 0, 0, 0);
    ipa_message_add(&message, how->aid, how->aid_len);
    int r = call(machine, &message);
    if (r == IPA_AGAIN) return r;
    how->sw = (uint16_t)ipa_machine_answered(machine, IPA_MB_ARG1);
    if (r < 0) return r;
    how->channel = (uint8_t)ipa_machine_answered(machine, IPA_MB_ARG0);
    r = ipa_machine_payload_to(machine, how->fci, how->fci_cap);
    how->fci_len = r < 0 ? 0 : (size_t)r;
    return r < 0 ? r : IPA_OK;
}

static int uicc_transmit(void *ctx, uint8_t *buf, size_t len, size_t cap, uint32_t flags) {
    struct ipa_message message;
    ipa_message_begin(&message, IPA_OP_UICC_TRANSMIT, flags, 0, 0, 0, 0);
    ipa_message_add(&message, buf, len);
    int r = call(ctx, &message);
    return r < 0 ? r : ipa_machine_payload_to(ctx, buf, cap);
}

static int uicc_close(void *ctx) {
    struct ipa_message message;
    ipa_message_begin(&message, IPA_OP_UICC_CLOSE, 0, 0, 0, 0, 0);
    return call(ctx, &message);
}

static int uicc_reset(void *ctx, uint32_t flags, uint32_t wait_ms) {
    struct ipa_message message;
    ipa_message_begin(&message, IPA_OP_UICC_RESET, flags, 0, wait_ms, 0, 0);
    return call(ctx, &message);
}

static int uicc_was_reset(void *ctx) {
    struct ipa_machine *machine = ctx;
    int was = machine->was_reset;
    machine->was_reset = 0;
    return was;
}

static int bearer(void *ctx, int restart, uint32_t wait_ms, uint8_t plmn[3], size_t *plmn_len) {
    struct ipa_message message;
    ipa_message_begin(&message, IPA_OP_BEARER, restart ? IPA_FLAG_RESTART : 0, 0, wait_ms, 0, 0);
    int r = call(ctx, &message);
    if (r < 0) return r;
    r = ipa_machine_payload_to(ctx, plmn, 3);
    *plmn_len = r < 0 ? 0 : (size_t)r;
    return r < 0 ? r : IPA_OK;
}

static int link_open(void *ctx, const struct ipa_endpoint *to, uint32_t wait_ms) {
    struct ipa_message message;
    ipa_message_begin(&message, IPA_OP_LINK_OPEN, 0, (uint32_t)to->peer | (uint32_t)to->binding << 8, wait_ms, 0, 0);
    if (to->fqdn_len > 0) {
        uint8_t head[3] = { 0x80, 0x81, (uint8_t)to->fqdn_len };
        ipa_message_add(&message, head, to->fqdn_len < 0x80 ? 1 : 2);
        ipa_message_add(&message, head + 2, 1);
        ipa_message_add(&message, to->fqdn, to->fqdn_len);
    }
    ipa_message_add(&message, to->trust, to->trust_len);
    return call(ctx, &message);
}

static int link_send(void *ctx, const struct ipa_request *how, const uint8_t *piece, size_t len, uint32_t wait_ms) {
    struct ipa_message message;
    ipa_message_begin(&message, IPA_OP_LINK_SEND, (how->first ? IPA_FLAG_FIRST : 0u) | (how->last ? IPA_FLAG_LAST : 0u), how->function, wait_ms, how->total, 0);
    ipa_message_add(&message, piece, len);
    return call(ctx, &message);
}

static int link_receive(void *ctx, uint8_t *piece, size_t cap, struct ipa_answer *about, uint32_t wait_ms) {
    struct ipa_machine *machine = ctx;
    struct ipa_message message;
    ipa_message_begin(&message, IPA_OP_LINK_RECEIVE, 0, 0, wait_ms, (uint32_t)cap, 0);
    int r = call(machine, &message);
    if (r < 0) return r;
    about->code = (uint16_t)ipa_machine_answered(machine, IPA_MB_ARG0);
    about->retry_after_s = ipa_machine_answered(machine, IPA_MB_ARG1);
    about->last = (machine->answer.octets[IPA_MB_FLAGS] & IPA_FLAG_LAST) != 0;
    return ipa_machine_payload_to(machine, piece, cap);
}

static int link_close(void *ctx) {
    struct ipa_message message;
    ipa_message_begin(&message, IPA_OP_LINK_CLOSE, 0, 0, 0, 0, 0);
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
    struct ipa_message message;
    ipa_message_begin(&message, IPA_OP_REPORT, 0, 0, 0, report->code, (uint32_t)report->detail);
    ipa_message_add(&message, report->payload, report->payload_len);
    put32(message.octets + IPA_MB_REF, machine->ref);
    if (report->code == IPA_REPORT_OP_FAILED && report->detail != (int32_t)ipa_machine_answered(machine, IPA_MB_STATUS)) ipa_machine_wrong(machine, "the C host fails an op that the world has carried out");
    if (report->code == IPA_REPORT_TRAP) machine->problem = "the agent trapped";
    if (report->code >= IPA_REPORT_TRAP) return;
    if (message.len != machine->asked.len || memcmp(message.octets, machine->asked.octets, message.len) != 0) ipa_machine_wrong(machine, "the report door tells something else than the agent");
}

void ipa_machine_doors(struct ipa_machine *machine) {
    struct ipa_config *config = &machine->config;
    config->uicc = (struct ipa_uicc){ uicc_open, uicc_transmit, uicc_close, uicc_reset, uicc_was_reset, machine };
    config->link = (struct ipa_link){ link_open, link_send, link_receive, link_close, machine };
    config->bearer = bearer;
    config->entropy = entropy;
    config->now_ms = now_ms;
    config->report = report;
    config->idle = set_idle;
    config->ctx = machine;
}
