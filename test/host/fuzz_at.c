/*
 * libFuzzer target of the AT driver: the input is what the modem says, cut into pieces, while a whole card and socket story runs.
 * Each piece: one octet of length (7 bits; bit 7: a pause of 3 s before it), then its octets. When the input is out, the modem is silent.
 *
 * sources: host/modem/at.c host/modem/modem.c host/modem/net_at.c host/modem/uicc_at.c host/modem/quirks/generic.c host/modem/quirks/quectel.c
 * sources: host/modem/quirks/ublox.c host/modem/quirks/simcom.c host/modem/quirks/nordic.c
 */
#include <stdlib.h>
#include <string.h>

#include "modem/net_at.h"
#include "modem/uicc_at.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct line {
    const uint8_t *p;
    size_t left, piece;
    uint32_t now;
};

static size_t line_read(void *ctx, uint8_t *p, size_t cap) {
    struct line *line = ctx;
    if (line->piece == 0) {
        if (line->left == 0) return 0;
        line->piece = *line->p & 0x7f;
        if (*line->p & 0x80) line->now += 3000;
        line->p++;
        line->left--;
        return 0;
    }
    if (cap > line->piece) cap = line->piece;
    if (cap > line->left) cap = line->left;
    if (cap == 0) line->piece = 0;
    memcpy(p, line->p, cap);
    line->p += cap;
    line->left -= cap;
    line->piece -= cap;
    return cap;
}

static size_t line_write(void *ctx, const uint8_t *p, size_t len) {
    (void)ctx;
    (void)p;
    return len;
}

static uint32_t line_now(void *ctx) {
    struct line *line = ctx;
    line->now += line->left > 0 ? 15 : 200;
    return line->now;
}

#define AWAIT(result, call) \
    for (int calls = 0; calls < 5000 && ((result) = (call)) == IPA_AGAIN; calls++) continue

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct ipa_modem_family *const all[] = { &ipa_family_quectel, &ipa_family_ublox, &ipa_family_simcom, &ipa_family_nordic, &ipa_family_generic, NULL };
    static const uint8_t aid[16] = { 0xa0, 0, 0, 5, 0x59, 0x10, 0x10, 0xff, 0xff, 0xff, 0xff, 0x89, 0, 0, 1, 0 };
    struct line line = { .p = data, .left = size };
    const struct ipa_modem_family *one[2] = { NULL, NULL };
    struct ipa_modem_config config = { .uart = { line_read, line_write, NULL, &line }, .now_ms = line_now, .ctx = &line, .families = all, .apn = "apn", .cid = 1 };
    struct ipa_modem modem;
    struct ipa_uicc uicc;
    struct ipa_net net;
    struct ipa_net_peer peer = { .kind = IPA_NET_UDP, .host = "h", .host_len = 1, .port = 5684 };
    uint8_t *buf = malloc(258), plmn[3];
    struct ipa_uicc_open how = { .aid = aid, .aid_len = 16, .fci = buf, .fci_cap = 64 };
    size_t plmn_len;
    int result = 0;
    if (size > 0 && *line.p < 5) {
        one[0] = all[*line.p];
        config.families = one;
    }
    if (size > 0) {
        peer.kind = data[0] & 8 ? IPA_NET_TCP : IPA_NET_UDP;
        line.p++;
        line.left--;
    }
    ipa_modem_init(&modem, &config);
    uicc = ipa_modem_uicc(&modem.agent);
    net = ipa_modem_net(&modem.agent);
    AWAIT(result, uicc.open(uicc.ctx, &how));
    memcpy(buf, "\x80\xe2\x91\x00\x06\xbf\x3e\x03\x5c\x01\x5a", 11);
    AWAIT(result, uicc.transmit(uicc.ctx, buf, 11, 258, 0));
    AWAIT(result, uicc.reset(uicc.ctx, IPA_UICC_AFTER_REFRESH, 5000));
    AWAIT(result, uicc.close(uicc.ctx));
    AWAIT(result, ipa_modem_bearer(&modem.agent, 0, 20000, plmn, &plmn_len));
    modem.attached = 1;
    AWAIT(result, net.open(net.ctx, &peer));
    if (result >= 0) {
        int handle = result;
        AWAIT(result, net.send(net.ctx, handle, buf, 100));
        AWAIT(result, net.receive(net.ctx, handle, buf, 258));
        AWAIT(result, net.close(net.ctx, handle));
    }
    free(buf);
    return 0;
}
