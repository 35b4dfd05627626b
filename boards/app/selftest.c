/* See selftest.h. The record of the flash test has a key of the host's own (ipa.h), so that a journal in use is not disturbed. */
#include "app/selftest.h"

#include <string.h>

#include "app/console.h"
#include "modem/uicc_at.h"
#include "store/flash_journal.h"

enum { RECORD = 254, LONGEST_MS = 60000, TURNS = 1000000 };

static const uint8_t isdr[] = {0xA0, 0x00, 0x00, 0x05, 0x59, 0x10, 0x10, 0xFF, 0xFF, 0xFF, 0xFF, 0x89, 0x00, 0x00, 0x01, 0x00};

static uint32_t now_ms(const struct device *d) {
    return d->board->now_ms(d->board->ctx);
}

static int tell(const struct device *d, const char *what, int result) {
    console_text(d, "selftest ");
    console_text(d, what);
    console_text(d, " ");
    console_text(d, result == IPA_OK ? "ok" : ipa_err_name(result));
    console_text(d, "\r\n");
    return result != IPA_OK;
}

static int clock_moves(const struct device *d) {
    uint32_t from = now_ms(d), n = TURNS;
    while (now_ms(d) == from && --n != 0) d->board->sleep(d->board->ctx, 1);
    return n != 0 ? IPA_OK : IPA_ERR_SELFTEST;
}

static int entropy_differs(const struct device *d) {
    uint8_t a[16], b[16];
    int err = d->board->entropy(d->board->ctx, a, sizeof a);
    if (err == IPA_OK) err = d->board->entropy(d->board->ctx, b, sizeof b);
    return err != IPA_OK ? err : memcmp(a, b, sizeof a) != 0 ? IPA_OK : IPA_ERR_SELFTEST;
}

static int flash_keeps(const struct device *d) {
    struct ipa_journal journal;
    uint8_t starts = 0, back = 0;
    int err = ipa_journal_open(&journal, d->board->store);
    if (err == IPA_OK) err = ipa_journal_read(&journal, RECORD, 0, &starts, 1, NULL);
    if (err != 1 && err != IPA_ERR_NOT_FOUND) return err < 0 ? err : IPA_ERR_SELFTEST;
    starts++;
    err = ipa_journal_write(&journal, RECORD, &starts, 1);
    if (err == IPA_OK) err = ipa_journal_open(&journal, d->board->store);
    if (err == IPA_OK) err = ipa_journal_read(&journal, RECORD, 0, &back, 1, NULL);
    if (err < 0) return err;
    console_text(d, "selftest flash starts ");
    console_number(d, back);
    console_text(d, "\r\n");
    return back == starts ? IPA_OK : IPA_ERR_SELFTEST;
}

/* Lets the driver go on; IPA_ERR_TIMEOUT when it took too long. */
static int turn(struct device *d, uint32_t since) {
    if (d->board->watchdog != NULL) d->board->watchdog(d->board->ctx);
    (void)ipa_modem_poll(&d->modem);
    d->board->sleep(d->board->ctx, 10);
    return now_ms(d) - since < LONGEST_MS ? IPA_OK : IPA_ERR_TIMEOUT;
}

static int modem_answers(struct device *d) {
    const char *imei = "";
    uint32_t since = now_ms(d);
    int err;
    while ((err = ipa_modem_imei(&d->modem.agent, &imei)) == IPA_AGAIN) {
        if (turn(d, since) != IPA_OK) return IPA_ERR_TIMEOUT;
    }
    if (err != IPA_OK) return err;
    console_text(d, "selftest modem imei ");
    console_text(d, imei);
    console_text(d, "\r\n");
    return IPA_OK;
}

static int isdr_answers(struct device *d) {
    struct ipa_uicc uicc = ipa_modem_uicc(&d->modem.agent);
    struct ipa_uicc_open how;
    uint8_t fci[256];
    uint32_t since = now_ms(d);
    int err, closed;
    memset(&how, 0, sizeof how);
    how.aid = isdr;
    how.aid_len = sizeof isdr;
    how.fci = fci;
    how.fci_cap = sizeof fci;
    while ((err = uicc.open(uicc.ctx, &how)) == IPA_AGAIN) {
        if (turn(d, since) != IPA_OK) return IPA_ERR_TIMEOUT;
    }
    if (err != IPA_OK) return err;
    while ((closed = uicc.close(uicc.ctx)) == IPA_AGAIN) {
        if (turn(d, since) != IPA_OK) return IPA_ERR_TIMEOUT;
    }
    return closed;
}

int device_selftest(struct device *d) {
    int failed = tell(d, "clock", clock_moves(d));
    if (failed != 0) return failed;
    failed += tell(d, "entropy", entropy_differs(d));
    failed += tell(d, "flash", flash_keeps(d));
    int modem = tell(d, "modem", modem_answers(d));
    failed += modem + (modem != 0 ? 0 : tell(d, "eUICC", isdr_answers(d)));
    console_text(d, "selftest failed ");
    console_number(d, failed);
    console_text(d, "\r\n");
    return failed;
}
