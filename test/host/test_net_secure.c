/*
 * Trust of a modem's own DTLS sockets (host/modem/net_at.c): which form each family checks, how a certificate gets into the modem, and that
 * everything else is refused by name before a command is said.
 *
 * sources: host/modem/at.c host/modem/modem.c host/modem/net_at.c host/modem/uicc_at.c host/modem/quirks/generic.c host/modem/quirks/quectel.c
 * sources: host/modem/quirks/ublox.c host/modem/quirks/simcom.c host/modem/quirks/nordic.c
 */
#include "modem_fake.h"

enum { CERTIFICATE = 301, PEM_MOST = 700 };

static struct phone p;
static uint8_t certificate[CERTIFICATE];
static uint8_t identity[32] = "eim.example, by its certificate";

static void attached(const struct ipa_modem_family *family, const struct fake_step *steps, size_t count) {
    const char *imei;
    int result;
    phone_on(&p, family, (struct fake){ .script = steps, .count = count, .cut = (size_t)-1, .write_max = 7 });
    FAKE_AWAIT(&p.fake, result, ipa_modem_imei(&p.modem.agent, &imei));
    CHECK_INT(result, IPA_OK);
    p.modem.attached = 1;
}

static struct ipa_net_peer by_certificate(void) {
    for (size_t i = 0; i < sizeof certificate; i++) certificate[i] = (uint8_t)(7 * i);
    return (struct ipa_net_peer){
        .kind = IPA_NET_DTLS, .host = "eim.example", .host_len = 11, .port = 5684, .trust = certificate, .trust_len = sizeof certificate,
        .certificate = certificate, .certificate_len = sizeof certificate, .identity = identity,
    };
}

static int open_to(const struct ipa_net_peer *to) {
    int result;
    FAKE_AWAIT(&p.fake, result, p.net.open(p.net.ctx, to));
    return result;
}

static void hang_up(int socket) {
    int result;
    FAKE_AWAIT(&p.fake, result, p.net.close(p.net.ctx, socket));
    for (unsigned i = 0; i < 5000; i++, p.fake.now++) ipa_modem_poll(&p.modem);
}

/* Base64 by bits, one after the other; lines of 64. */
static size_t pem_of(char *out, const uint8_t *der, size_t len) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t n = 0, chars = (len + 2) / 3 * 4;
    for (size_t c = 0; c < chars; c++) {
        unsigned value = 0;
        for (size_t bit = 6 * c; bit < 6 * c + 6; bit++) value = value << 1 | (bit / 8 < len ? der[bit / 8] >> (7 - bit % 8) & 1u : 0u);
        if (c > 0 && c % 64 == 0) out[n++] = '\n';
        out[n++] = 6 * c < 8 * len ? digits[value] : '=';
    }
    return n;
}

static struct fake_step write_to_tag(char *text) {
    static const char head[] = "AT%CMNG=0,7322,0,\"-----BEGIN CERTIFICATE-----\n", tail[] = "\n-----END CERTIFICATE-----\"\r";
    uint8_t der[4 + CERTIFICATE] = { 0x30, 0x82, CERTIFICATE >> 8, CERTIFICATE & 0xff };
    size_t n = sizeof head - 1;
    memcpy(der + 4, certificate, sizeof certificate);
    memcpy(text, head, n);
    n += pem_of(text + n, der, sizeof der);
    memcpy(text + n, tail, sizeof tail);
    return (struct fake_step){ text, OKAY, n + sizeof tail - 1, sizeof OKAY - 1 };
}

#define NORDIC_OPEN \
    STEP("AT#XSSOCKET=1,2,0,7322,2\r", "\r\n#XSSOCKET: 1,2,273\r\n" OKAY), STEP("AT#XSSOCKETOPT=1,1,2,\"eim.example\"\r", OKAY), STEP("AT#XCONNECT=1,\"eim.example\",5684\r", "\r\n#XCONNECT: 1,1\r\n" OKAY), \
    STEP("AT#XAPOLL=1,1,1\r", OKAY)
#define NORDIC_AWAY STEP("AT+CFUN=4\r", OKAY), STEP("AT%CMNG=3,7322,0\r", "\r\n+CME ERROR: 513\r\n")
#define REGISTERED STEP("AT+CEREG?\r", "\r\n+CEREG: 0,1\r\n" OKAY), STEP("AT+CGACT=1,1\r", OKAY), STEP("AT+COPS?\r", "\r\n+COPS: 0,2,\"26201\",7\r\n" OKAY)
#define NORDIC_CLOSE STEP("AT#XCLOSE=1\r", OKAY)

TEST(nordic_gets_a_certificate_while_its_radio_is_off_once_for_each_peer_and_boot) {
    static char text[PEM_MOST];
    struct fake_step steps[] = {
        NORDIC_AWAY, STEP("", ""), REGISTERED, NORDIC_OPEN, NORDIC_CLOSE, NORDIC_OPEN, NORDIC_CLOSE,
        NORDIC_AWAY, STEP("", ""), REGISTERED, NORDIC_OPEN, NORDIC_CLOSE, SAY("\r\nReady\r\n"),
    };
    struct ipa_net_peer to = by_certificate(), other = to;
    uint8_t others[32] = "another one";
    enum { FIRST = 2, SECOND = 18 };
    other.identity = others;
    steps[FIRST] = steps[SECOND] = write_to_tag(text);
    attached(&ipa_family_nordic, steps, sizeof steps / sizeof *steps);
    CHECK_INT(open_to(&to), 0);
    CHECK_INT(p.modem.attached, 1);
    CHECK_INT(p.uicc.was_reset(p.uicc.ctx), 1); /* the card was without power meanwhile */
    hang_up(0);
    CHECK_INT(open_to(&to), 0);
    hang_up(0);
    CHECK_INT(open_to(&other), 0);
    CHECK(memcmp(p.modem.trusted, others, sizeof p.modem.trusted) == 0);
    hang_up(0);
    CHECK_INT(p.modem.trusted[0], 0); /* it restarted: what it was told counts no more */
    phone_done(&p);
}

TEST(a_certificate_that_the_modem_does_not_take_leaves_no_socket) {
    static char text[PEM_MOST];
    struct fake_step steps[] = { NORDIC_AWAY, STEP("", "") };
    struct ipa_net_peer to = by_certificate();
    steps[2] = write_to_tag(text);
    steps[2].reply = "\r\n+CME ERROR: 515\r\n";
    steps[2].reply_len = strlen(steps[2].reply);
    attached(&ipa_family_nordic, steps, 3);
    CHECK_INT(open_to(&to), IPA_ERR_LINK);
    CHECK_INT(p.modem.sockets[0].state, 0);
    CHECK_INT(p.modem.trusted[0], 0);
    CHECK_INT(open_to(&to), IPA_ERR_NO_NETWORK); /* its radio is off: the bearer comes first */
    phone_done(&p);
}

TEST(ublox_gets_the_der_and_a_profile_that_checks_chain_and_name) {
    uint8_t der[4 + CERTIFICATE] = { 0x30, 0x82, CERTIFICATE >> 8, CERTIFICATE & 0xff };
    struct ipa_net_peer to = by_certificate();
    struct fake_step steps[] = {
        STEP("AT+USECMNG=2,0,\"ipa\"\r", "\r\n+CME ERROR: 22\r\n"), STEP("AT+USECMNG=0,0,\"ipa\",305\r", "\r\n>"), STEP("", "\r\n+USECMNG: 0,0,\"ipa\",\"77107370\"\r\n" OKAY),
        STEP("AT+USECPRF=0\r", OKAY), STEP("AT+USECPRF=0,0,2\r", OKAY), STEP("AT+USECPRF=0,1,3\r", OKAY), STEP("AT+USECPRF=0,3,\"ipa\"\r", OKAY), STEP("AT+USECPRF=0,4,\"eim.example\"\r", OKAY),
        STEP("AT+USECPRF=0,10,\"eim.example\"\r", OKAY), STEP("AT+USOCR=17\r", "\r\n+USOCR: 2\r\n" OKAY), STEP("AT+USOSEC=2,1,0\r", OKAY), STEP("AT+USOCO=2,\"eim.example\",5684\r", OKAY),
    };
    memcpy(der + 4, certificate, sizeof certificate);
    steps[2].expect = (const char *)der;
    steps[2].expect_len = sizeof der;
    attached(&ipa_family_ublox, steps, sizeof steps / sizeof *steps);
    CHECK_INT(open_to(&to), 0);
    CHECK_INT(p.modem.sockets[0].handle, 2);
    phone_done(&p);
}

TEST(a_pinned_key_is_refused_by_name_on_every_family_and_nothing_is_said) {
    static const struct ipa_modem_family *const families[] = { &ipa_family_generic, &ipa_family_quectel, &ipa_family_ublox, &ipa_family_simcom, &ipa_family_nordic };
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        struct ipa_net_peer to = by_certificate();
        attached(families[i], NULL, 0);
        to.certificate = NULL; /* what A6 holds is a key */
        CHECK_INT(open_to(&to), IPA_ERR_TRUST_FORM);
        to.trust = NULL;
        CHECK_INT(open_to(&to), IPA_ERR_TRUST_NONE);
        phone_done(&p);
    }
}

TEST(a_certificate_is_refused_by_name_where_it_cannot_be_checked) {
    static const struct ipa_modem_family *const families[] = { &ipa_family_generic, &ipa_family_quectel, &ipa_family_simcom };
    struct ipa_net_peer to = by_certificate();
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        attached(families[i], NULL, 0);
        CHECK_INT(open_to(&to), IPA_ERR_TRUST_FORM);
        phone_done(&p);
    }
    attached(&ipa_family_nordic, NULL, 0);
    to.kind = IPA_NET_TLS;
    CHECK_INT(open_to(&to), IPA_ERR_TRUST_FORM);
    to.kind = IPA_NET_DTLS;
    to.certificate_len = 255; /* no certificate is that short */
    CHECK_INT(open_to(&to), IPA_ERR_TRUST_FORM);
    phone_done(&p);
}

int main(void) {
    RUN(nordic_gets_a_certificate_while_its_radio_is_off_once_for_each_peer_and_boot);
    RUN(a_certificate_that_the_modem_does_not_take_leaves_no_socket);
    RUN(ublox_gets_the_der_and_a_profile_that_checks_chain_and_name);
    RUN(a_pinned_key_is_refused_by_name_on_every_family_and_nothing_is_said);
    RUN(a_certificate_is_refused_by_name_where_it_cannot_be_checked);
    return check_end();
}
