/*
 * Fake doors for the agent: an eUICC with one eIM in its list, that eIM (it answers "no package"), a bearer, a clock and
 * flash. Answers are those of the simulated world. `busy`: every door says IPA_AGAIN so many times first; `hang`: one never ends.
 */
#ifndef FAKE_DOORS_H
#define FAKE_DOORS_H

#include <stdio.h>
#include <string.h>

#include "flash_emu.h"
#include "ipa/ipa.h"

enum fake_door { FAKE_NONE, FAKE_TRANSMIT, FAKE_LINK_OPEN, FAKE_RECEIVE, FAKE_BEARER, FAKE_DOORS };

struct fake {
    struct flash flash;
    uint32_t now;
    int busy, left;              /* IPA_AGAIN before each answer; how many are left of this one */
    enum fake_door hang;
    int link_error;              /* what open answers, 0: it opens */
    int was_reset;
    int resets_card;             /* each APDU ends in a reset of the card by another hand */
    int entropy_error;
    char log[8192];              /* one word for each door that ended its work */
    uint32_t codes[256];
    int32_t details[256];
    int reports;
    uint8_t last_report[256];
    size_t last_report_len;
    int watchdog, idle, idle_calls, link_closes, uicc_closes, resets;
    uint8_t plmn_len;
    uint8_t sent[2048];
    size_t sent_len;
    struct ipa_endpoint to;
    char fqdn[64];
    uint8_t trust[256];
};

static const char *const fake_es10[][2] = {
    { "BF3E", "BF3E125A10890490321234512345123456789012359000" },
    { "BF22", "BF2275810302030182030205008303010000840F810100820400068D8083040000100085030507E088020298A91604140B43658959AD9B50D3A8C68A82CF1C73D6F9B871AA1604140B43658959AD9B50D3A8C68A82CF1C73D6F9B87104030100000C0558582D5959900100B40BA0050403010200810082009000" },
    { "BF55", "BF5581E9A081E63081E3800F65696D2E6578616D706C652E636F6D810F65696D2E6578616D706C652E636F6D820102A55BA059301306072A8648CE3D020106082A8648CE3D03010703420004450FEB7F702921A9498677F14A200C78B8C97ED71BEB4E8C154393A0B88CB91F5582C0E544DCF672D720A4AA67F8082FCA3F42F8B8AC4C1E2F50FCB509DFF61BA65BA059301306072A8648CE3D020106082A8648CE3D030107034200049E3D198722E10A237642E2E8246087D6CBEDD14052C3304E79B3A9FD3E33D09716D0428DA1AFC5DCA60EBAECDEED9061A997967E8F0472120246AF7FBCE40351870207809000" },
    { "BF2B", "BF2B02A0009000" },
};
static const uint8_t fake_answer[] = { 0xBF, 0x4F, 0x03, 0x02, 0x01, 0x01 };

static void fake_log(struct fake *fake, const char *word) {
    size_t len = strlen(fake->log);
    snprintf(fake->log + len, sizeof fake->log - len, "%s ", word);
}

/* 1 while the door is still at work. */
static int fake_works(struct fake *fake, enum fake_door door, const char *word) {
    if (fake->hang == door && door != FAKE_NONE) return 1;
    if (fake->left < 0) fake->left = fake->busy;
    if (fake->left-- > 0) return 1;
    fake_log(fake, word);
    return 0;
}

static size_t fake_hex(const char *hex, uint8_t *p) {
    size_t len = strlen(hex) / 2;
    for (size_t i = 0; i < len; i++) {
        unsigned value;
        sscanf(hex + 2 * i, "%2x", &value);
        p[i] = (uint8_t)value;
    }
    return len;
}

static int fake_uicc_open(void *ctx, struct ipa_uicc_open *how) {
    struct fake *fake = ctx;
    if (fake_works(fake, FAKE_NONE, "open")) return IPA_AGAIN;
    how->fci_len = fake_hex("6F218410A0000005591010FFFFFFFF8900000100A50DE0058203020500E10480020640", how->fci);
    how->channel = 1;
    return how->aid_len == 16 && how->aid[0] == 0xA0 ? IPA_OK : IPA_ERR_NO_ISDR;
}

static int fake_transmit(void *ctx, uint8_t *buf, size_t len, size_t cap, uint32_t flags) {
    struct fake *fake = ctx;
    if (fake_works(fake, FAKE_TRANSMIT, flags & IPA_UICC_BASIC ? "basic" : "apdu")) return IPA_AGAIN;
    if (cap < 258 || len < 4) return IPA_ERR_INVALID;
    fake->was_reset |= fake->resets_card;
    if (flags & IPA_UICC_BASIC) return (int)fake_hex("9000", buf);
    for (size_t i = 0; i < sizeof fake_es10 / sizeof *fake_es10; i++) {
        uint8_t tag[2];
        fake_hex(fake_es10[i][0], tag);
        if (len > 7 && memcmp(buf + 5, tag, 2) == 0) return (int)fake_hex(fake_es10[i][1], buf);
    }
    return (int)fake_hex("6A88", buf);
}

static int fake_uicc_close(void *ctx) {
    struct fake *fake = ctx;
    if (fake_works(fake, FAKE_NONE, "close")) return IPA_AGAIN;
    fake->uicc_closes++;
    return IPA_OK;
}

static int fake_reset(void *ctx, uint32_t flags, uint32_t wait_ms) {
    struct fake *fake = ctx;
    (void)flags, (void)wait_ms;
    if (fake_works(fake, FAKE_NONE, "reset")) return IPA_AGAIN;
    fake->resets++;
    return IPA_OK;
}

static int fake_was_reset(void *ctx) {
    struct fake *fake = ctx;
    int was = fake->was_reset;
    fake->was_reset = 0;
    return was;
}

static int fake_link_open(void *ctx, const struct ipa_endpoint *to, uint32_t wait_ms) {
    struct fake *fake = ctx;
    (void)wait_ms;
    if (fake_works(fake, FAKE_LINK_OPEN, "link")) return IPA_AGAIN;
    fake->to = *to;
    snprintf(fake->fqdn, sizeof fake->fqdn, "%.*s", (int)to->fqdn_len, to->fqdn);
    if (to->trust_len > 0 && to->trust_len <= sizeof fake->trust) memcpy(fake->trust, to->trust, to->trust_len);
    fake->sent_len = 0;
    return fake->link_error;
}

static int fake_send(void *ctx, const struct ipa_request *how, const uint8_t *piece, size_t len, uint32_t wait_ms) {
    struct fake *fake = ctx;
    (void)wait_ms, (void)how;
    if (fake_works(fake, FAKE_NONE, "send")) return IPA_AGAIN;
    if (fake->sent_len + len > sizeof fake->sent) return IPA_ERR_TOO_LARGE;
    memcpy(fake->sent + fake->sent_len, piece, len);
    fake->sent_len += len;
    return IPA_OK;
}

static int fake_receive(void *ctx, uint8_t *piece, size_t cap, struct ipa_answer *about, uint32_t wait_ms) {
    struct fake *fake = ctx;
    (void)wait_ms;
    if (fake_works(fake, FAKE_RECEIVE, "receive")) return IPA_AGAIN;
    if (cap < sizeof fake_answer) return IPA_ERR_TOO_LARGE;
    memcpy(piece, fake_answer, sizeof fake_answer);
    about->code = 200;
    about->last = 1;
    return sizeof fake_answer;
}

static int fake_link_close(void *ctx) {
    struct fake *fake = ctx;
    if (fake_works(fake, FAKE_NONE, "drop")) return IPA_AGAIN;
    fake->link_closes++;
    return IPA_OK;
}

static int fake_bearer(void *ctx, int restart, uint32_t wait_ms, uint8_t plmn[3], size_t *plmn_len) {
    struct fake *fake = ctx;
    (void)wait_ms;
    if (fake_works(fake, FAKE_BEARER, restart ? "restart" : "bearer")) return IPA_AGAIN;
    *plmn_len = fake_hex("00F110", plmn);
    return IPA_OK;
}

static int fake_entropy(void *ctx, uint8_t *p, size_t len) {
    struct fake *fake = ctx;
    for (size_t i = 0; i < len; i++) p[i] = (uint8_t)(fake->entropy_error ? 0x55 : i * 7 + 1);
    return IPA_OK;
}

static uint32_t fake_now(void *ctx) {
    return ((struct fake *)ctx)->now;
}

static void fake_report(void *ctx, const struct ipa_report *report) {
    struct fake *fake = ctx;
    if (fake->reports == 256) return;
    fake->codes[fake->reports] = report->code;
    fake->details[fake->reports++] = report->detail;
    fake->last_report_len = report->payload_len < sizeof fake->last_report ? report->payload_len : sizeof fake->last_report;
    if (fake->last_report_len > 0) memcpy(fake->last_report, report->payload, fake->last_report_len);
}

static void fake_watchdog(void *ctx) {
    ((struct fake *)ctx)->watchdog++;
}

static void fake_idle(void *ctx, int idle) {
    struct fake *fake = ctx;
    fake->idle = idle;
    fake->idle_calls++;
}

/* How often this code was reported; *detail: that of the last time. */
static inline int fake_reported(const struct fake *fake, uint32_t code, int32_t *detail) {
    int count = 0;
    for (int i = 0; i < fake->reports; i++) {
        if (fake->codes[i] != code) continue;
        count++;
        if (detail != NULL) *detail = fake->details[i];
    }
    return count;
}

static inline void fake_init(struct fake *fake, struct ipa_config *config) {
    memset(fake, 0, sizeof *fake);
    fake->left = -1;
    flash_init(&fake->flash, 4096, 4, 4, 0xFF, 1);
    memset(config, 0, sizeof *config);
    config->uicc = (struct ipa_uicc){ .open = fake_uicc_open, .transmit = fake_transmit, .close = fake_uicc_close, .reset = fake_reset, .was_reset = fake_was_reset, .ctx = fake };
    config->link = (struct ipa_link){ .open = fake_link_open, .send = fake_send, .receive = fake_receive, .close = fake_link_close, .ctx = fake };
    config->store = flash_store(&fake->flash);
    config->bearer = fake_bearer;
    config->entropy = fake_entropy;
    config->now_ms = fake_now;
    config->report = fake_report;
    config->watchdog = fake_watchdog;
    config->idle = fake_idle;
    config->ctx = fake;
}

#endif
