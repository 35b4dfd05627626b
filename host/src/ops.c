/*
 * Each op of the agent (host/README.md, "Ops") through the doors of struct ipa_config. A function is called again with the
 * same op while it returns IPA_AGAIN. An op that breaks its form is refused as IPA_ERR_ABI: that is a defect of the agent.
 */
#include <string.h>

#include "abi.h"
#include "agent.h"
#include "crypto.h"

enum { AID_MIN = 5, AID_MAX = 16, C_APDU_MIN = 4, C_APDU_MAX = 261, R_APDU_MIN = 2, R_APDU_MAX = 258, PLMN = 3 };

static int uicc_reset(struct ipa *ipa, uint8_t *payload, struct ipa_done *done) {
    const struct ipa_uicc *uicc = &ipa->config->uicc;
    (void)payload, (void)done;
    int r = uicc->reset(uicc->ctx, ipa->op.flags & IPA_UICC_AFTER_REFRESH, ipa->op.wait_ms);
    if (r == IPA_AGAIN) return r;
    ipa->uicc_open = 0;
    if (r >= 0) ipa->uicc_broken = 0;
    return r;
}

static int uicc_open(struct ipa *ipa, uint8_t *payload, struct ipa_done *done) {
    const struct ipa_uicc *uicc = &ipa->config->uicc;
    struct ipa_uicc_open *how = &ipa->open;
    uint32_t len = ipa->op.length;
    if (len < AID_MIN || len > AID_MAX) return IPA_ERR_ABI;
    if (ipa->uicc_broken) return IPA_ERR_NO_CARD;
    how->aid = payload;
    how->aid_len = len;
    how->flags = ipa->op.flags;
    how->fci = payload + AID_MAX;
    how->fci_cap = ipa->capacity - AID_MAX;
    int r = uicc->open(uicc->ctx, how);
    if (r == IPA_AGAIN) return r;
    done->arg1 = how->sw;
    if (r < 0) return r;
    if (how->fci_len > how->fci_cap) return IPA_ERR_TOO_LARGE;
    ipa->uicc_open = 1;
    done->arg0 = how->channel;
    done->length = (uint32_t)how->fci_len;
    memmove(payload, how->fci, how->fci_len);
    return IPA_OK;
}

static int uicc_transmit(struct ipa *ipa, uint8_t *payload, struct ipa_done *done) {
    const struct ipa_uicc *uicc = &ipa->config->uicc;
    if (ipa->op.length < C_APDU_MIN || ipa->op.length > C_APDU_MAX) return IPA_ERR_ABI;
    if (ipa->uicc_broken) return IPA_ERR_NO_CARD;
    int r = uicc->transmit(uicc->ctx, payload, ipa->op.length, ipa->capacity, ipa->op.flags & IPA_UICC_BASIC);
    if (r < 0) return r;
    if (r < R_APDU_MIN || r > R_APDU_MAX) return IPA_ERR_MODEM;
    done->length = (uint32_t)r;
    return IPA_OK;
}

static int uicc_close(struct ipa *ipa, uint8_t *payload, struct ipa_done *done) {
    const struct ipa_uicc *uicc = &ipa->config->uicc;
    (void)payload, (void)done;
    int r = uicc->close(uicc->ctx);
    if (r != IPA_AGAIN) ipa->uicc_open = 0;
    return r;
}

static int bearer(struct ipa *ipa, uint8_t *payload, struct ipa_done *done) {
    const struct ipa_config *config = ipa->config;
    size_t len = 0;
    int r = config->bearer(config->ctx, ipa->op.flags & IPA_FLAG_RESTART, ipa->op.wait_ms, payload, &len);
    if (r >= 0 && (len == 0 || len == PLMN)) done->length = (uint32_t)len;
    return r;
}

/* Takes a data object `tag` from the payload: its content, or with `whole` all of it; NULL when it doesn't come next. */
static const uint8_t *take_object(const uint8_t **at, const uint8_t *end, uint8_t tag, int whole, size_t *len) {
    const uint8_t *begin = *at, *p = begin;
    *len = 0;
    if (end - p < 2 || p[0] != tag) return NULL;
    size_t length = p[1];
    p += 2;
    if (length >= 0x80) {
        size_t octets = length & 0x7F;
        if (octets == 0 || octets > 2 || (size_t)(end - p) < octets) return NULL;
        for (length = 0; octets > 0; octets--) length = length << 8 | *p++;
    }
    if (length > (size_t)(end - p)) return NULL;
    *at = p + length;
    *len = whole ? (size_t)(*at - begin) : length;
    return whole ? begin : p;
}

/* FQDN and trust move out of the mailbox: they must stay as they are until the link is closed. */
static int take_endpoint(struct ipa *ipa, const uint8_t *payload) {
    struct ipa_endpoint *to = &ipa->endpoint;
    unsigned peer = ipa->op.aux & 0xFF, binding = ipa->op.aux >> 8;
    if (peer < IPA_PEER_EIM || peer > IPA_PEER_SMDS || binding < IPA_ESIPA_HTTPS || binding > IPA_ES9P_HTTPS) return IPA_ERR_ABI;
    if (ipa->op.length > sizeof ipa->endpoint_data) return IPA_ERR_TOO_LARGE;
    memcpy(ipa->endpoint_data, payload, ipa->op.length);
    const uint8_t *at = ipa->endpoint_data, *end = at + ipa->op.length;
    to->peer = (enum ipa_peer)peer;
    to->binding = (enum ipa_binding)binding;
    to->fqdn = (const char *)take_object(&at, end, 0x80, 0, &to->fqdn_len);
    if (to->fqdn == NULL) to->fqdn = "";
    to->trust = take_object(&at, end, 0xA6, 1, &to->trust_len);
    return at == end ? IPA_OK : IPA_ERR_ABI;
}

static int link_open(struct ipa *ipa, uint8_t *payload, struct ipa_done *done) {
    const struct ipa_link *link = &ipa->config->link;
    (void)done;
    if (ipa->link_open == 1) {
        /* One connection at a time: an agent that opens another means to drop this one. */
        if (link->close(link->ctx) == IPA_AGAIN) return IPA_AGAIN;
        ipa->link_open = 0;
    }
    if (ipa->link_open == 0) {
        int r = take_endpoint(ipa, payload);
        if (r < 0) return r;
        ipa->link_open = 2;
    }
    int r = link->open(link->ctx, &ipa->endpoint, ipa->op.wait_ms);
    if (r == IPA_AGAIN) return r;
    ipa->link_broken = 0;
    ipa->link_open = r >= 0;
    return r;
}

static int link_send(struct ipa *ipa, uint8_t *payload, struct ipa_done *done) {
    const struct ipa_link *link = &ipa->config->link;
    struct ipa_request how = {
        .total = ipa->op.arg0,
        .function = (uint8_t)ipa->op.aux,
        .first = ipa->op.flags & IPA_FLAG_FIRST,
        .last = (ipa->op.flags & IPA_FLAG_LAST) != 0,
    };
    (void)done;
    if (ipa->op.aux > 5) return IPA_ERR_ABI;
    if (!ipa->link_open || ipa->link_broken) return IPA_ERR_LINK;
    return link->send(link->ctx, &how, payload, ipa->op.length, ipa->op.wait_ms);
}

static int link_receive(struct ipa *ipa, uint8_t *payload, struct ipa_done *done) {
    const struct ipa_link *link = &ipa->config->link;
    struct ipa_answer *about = &ipa->answer;
    uint32_t cap = ipa->op.arg0 < ipa->capacity ? ipa->op.arg0 : ipa->capacity;
    if (cap == 0) return IPA_ERR_ABI;
    if (!ipa->link_open || ipa->link_broken) return IPA_ERR_LINK;
    int r = link->receive(link->ctx, payload, cap, about, ipa->op.wait_ms);
    if (r < 0) return r;
    if ((uint32_t)r > cap || (r == 0 && !about->last)) return IPA_ERR_PROTOCOL;
    done->flags = about->last ? IPA_FLAG_LAST : 0;
    done->length = (uint32_t)r;
    done->arg0 = about->code;
    done->arg1 = about->retry_after_s;
    return IPA_OK;
}

static int link_close(struct ipa *ipa, uint8_t *payload, struct ipa_done *done) {
    const struct ipa_link *link = &ipa->config->link;
    (void)payload, (void)done;
    if (!ipa->link_open) return IPA_OK;
    int r = link->close(link->ctx);
    if (r != IPA_AGAIN) ipa->link_open = ipa->link_broken = 0;
    return r;
}

static int store_read(struct ipa *ipa, uint8_t *payload, struct ipa_done *done) {
    uint32_t total = 0, key = ipa->op.arg0;
    if (key == 0 || key >= IPA_KEY_READ_ONLY_END) return IPA_ERR_ABI;
    int r = ipa_journal_read(&ipa->journal, (uint8_t)key, ipa->op.arg1, payload, ipa->capacity, &total);
    if (r < 0) return r;
    done->length = (uint32_t)r;
    done->flags = ipa->op.arg1 >= total || (uint32_t)r == total - ipa->op.arg1 ? IPA_FLAG_LAST : 0;
    return IPA_OK;
}

static int store_write(struct ipa *ipa, uint8_t *payload, struct ipa_done *done) {
    (void)done;
    if (ipa->op.arg0 == 0 || ipa->op.arg0 >= IPA_KEY_PROVISION) return IPA_ERR_ABI;
    return ipa_journal_write(&ipa->journal, (uint8_t)ipa->op.arg0, payload, ipa->op.length);
}

static int report(struct ipa *ipa, uint8_t *payload, struct ipa_done *done) {
    (void)done;
    ipa_tell(ipa, ipa->op.arg0, (int32_t)ipa->op.arg1, payload, ipa->op.length);
    return ipa->op.arg0 == IPA_REPORT_POLL_ENDED && (int32_t)ipa->op.arg1 >= 0 ? ipa_image_proven(ipa) : IPA_OK;
}

static int hash(struct ipa *ipa, uint8_t *payload, struct ipa_done *done) {
    uint8_t digest[32];
    int r = ipa_sha256(payload, ipa->op.length, digest);
    if (r < 0) return r;
    memcpy(payload, digest, sizeof digest);
    done->length = sizeof digest;
    return IPA_OK;
}

int ipa_op_run(struct ipa *ipa, uint8_t *payload, struct ipa_done *done) {
    static int (*const run[])(struct ipa *, uint8_t *, struct ipa_done *) = {
        [IPA_OP_UICC_RESET] = uicc_reset, [IPA_OP_UICC_OPEN] = uicc_open, [IPA_OP_UICC_TRANSMIT] = uicc_transmit,
        [IPA_OP_UICC_CLOSE] = uicc_close, [IPA_OP_BEARER] = bearer, [IPA_OP_LINK_OPEN] = link_open,
        [IPA_OP_LINK_SEND] = link_send, [IPA_OP_LINK_RECEIVE] = link_receive, [IPA_OP_LINK_CLOSE] = link_close,
        [IPA_OP_STORE_READ] = store_read, [IPA_OP_STORE_WRITE] = store_write, [IPA_OP_REPORT] = report, [IPA_OP_HASH] = hash,
    };
    memset(done, 0, sizeof *done);
    if (ipa->op.kind >= sizeof run / sizeof *run || run[ipa->op.kind] == NULL) return IPA_ERR_UNSUPPORTED;
    int r = run[ipa->op.kind](ipa, payload, done);
    if (r < 0) done->length = 0;
    return r < 0 ? r : IPA_OK;
}

static int is_uicc(uint8_t kind) {
    return kind >= IPA_OP_UICC_RESET && kind <= IPA_OP_UICC_TRANSMIT;
}

uint32_t ipa_op_limit_ms(const struct ipa_op *op) {
    return op->wait_ms + (is_uicc(op->kind) ? IPA_CFG_OP_MS : IPA_CFG_GRACE_MS);
}

void ipa_op_given_up(struct ipa *ipa) {
    uint8_t kind = ipa->op.kind;
    if (is_uicc(kind) || kind == IPA_OP_UICC_CLOSE) ipa->uicc_broken = 1;
    if (kind < IPA_OP_LINK_OPEN || kind > IPA_OP_LINK_CLOSE) return;
    ipa->link_broken = 1;
    ipa->link_open = kind != IPA_OP_LINK_CLOSE;
}

int ipa_op_tidy(struct ipa *ipa) {
    const struct ipa_link *link = &ipa->config->link;
    const struct ipa_uicc *uicc = &ipa->config->uicc;
    if (ipa->link_open && link->close(link->ctx) == IPA_AGAIN) return IPA_AGAIN;
    ipa->link_open = 0;
    if (ipa->uicc_open && uicc->close(uicc->ctx) == IPA_AGAIN) return IPA_AGAIN;
    ipa->uicc_open = 0;
    return IPA_OK;
}
