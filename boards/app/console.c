/* Console lines of a device: what the agent reports, in a line each, with the names of host/README.md. */
#include "app/console.h"

#if IPA_CFG_DEVICE_NAMES
static const char *const agent_reports[] = {
    "0", "started", "card-failed", "no-eim", "poll-ended", "package-executed", "result-accepted", "profile-changed", "rolled-back", "rollback-refused",
    "eim-refuses", "notification-parked", "eims-associated", "association-refused", "loop-guard", "profile-installed", "download-failed",
};
static const char *const host_reports[] = {"trap", "op-failed", "journal", "image"};

static const char *name_of(uint32_t code) {
    if (code < sizeof agent_reports / sizeof *agent_reports) return agent_reports[code];
    if (code - IPA_REPORT_TRAP < sizeof host_reports / sizeof *host_reports) return host_reports[code - IPA_REPORT_TRAP];
    return NULL;
}
#endif

void console_text(const struct device *d, const char *text) {
    if (d->board->console != NULL) d->board->console(d->board->ctx, text);
}

void console_number(const struct device *d, int32_t number) {
    char text[12], *at = text + sizeof text - 1;
    uint32_t rest = number < 0 ? 0u - (uint32_t)number : (uint32_t)number;
    *at = '\0';
    do *--at = (char)('0' + rest % 10);
    while ((rest /= 10) != 0);
    if (number < 0) *--at = '-';
    console_text(d, at);
}

void console_hex(const struct device *d, const uint8_t *p, size_t len) {
    static const char digits[] = "0123456789ABCDEF";
    for (; len != 0; len--, p++) {
        char pair[3] = {digits[*p >> 4], digits[*p & 15], '\0'};
        console_text(d, pair);
    }
}

/* A detail below 0 is an error of the host, or a status of the agent. */
static void detail(const struct device *d, int32_t number) {
#if IPA_CFG_DEVICE_NAMES
    const char *name = number < 0 && number > IPA_AGAIN ? ipa_err_name(number) : "IPA_ERR";
    if (name[7] != '\0') { /* just "IPA_ERR": it has none */
        console_text(d, name);
        return;
    }
#endif
    console_number(d, number);
}

void console_report(const struct device *d, const struct ipa_report *report) {
    size_t len = report->payload_len < IPA_CFG_DEVICE_SHOWN ? report->payload_len : IPA_CFG_DEVICE_SHOWN;
    console_text(d, "report ");
#if IPA_CFG_DEVICE_NAMES
    const char *name = name_of(report->code);
    if (name != NULL) console_text(d, name);
    else
#endif
        console_number(d, (int32_t)report->code);
    console_text(d, " ");
    detail(d, report->detail);
    if (len != 0) console_text(d, " ");
    console_hex(d, report->payload, len);
    console_text(d, "\r\n");
}

void console_error(const struct device *d, const char *what, int err) {
    console_text(d, "error ");
    console_text(d, what);
    console_text(d, " ");
    detail(d, err);
    console_text(d, "\r\n");
}
