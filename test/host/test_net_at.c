/*
 * Sockets, bearer and turns: the same story of a datagram and of a stream for each family, cut at every octet of what the modem
 * says; registration; who may use the modem when.
 *
 * sources: host/modem/at.c host/modem/modem.c host/modem/net_at.c host/modem/uicc_at.c host/modem/quirks/generic.c host/modem/quirks/quectel.c
 * sources: host/modem/quirks/ublox.c host/modem/quirks/simcom.c host/modem/quirks/nordic.c
 */
#include "modem_fake.h"

#define CONTENT "a\r\nOK\r\n"

static struct phone p;

static int open_to(enum ipa_net_kind kind, const char *host) {
    struct ipa_net_peer to = { .kind = kind, .host = host, .host_len = strlen(host), .port = 5684 };
    int result;
    FAKE_AWAIT(&p.fake, result, p.net.open(p.net.ctx, &to));
    return result;
}

static int send_to(int socket, const char *text, size_t len) {
    int result;
    FAKE_AWAIT(&p.fake, result, p.net.send(p.net.ctx, socket, (const uint8_t *)text, len));
    return result;
}

static int receive(int socket, uint8_t *buf, size_t cap, uint32_t most_ms) {
    uint32_t since = p.fake.now;
    int result;
    while ((result = p.net.receive(p.net.ctx, socket, buf, cap)) == IPA_AGAIN && p.fake.now - since < most_ms) p.fake.now++;
    return result;
}

static int hang_up(int socket) {
    int result;
    uint32_t since;
    FAKE_AWAIT(&p.fake, result, p.net.close(p.net.ctx, socket));
    /* The caller is done with it; the modem is told from the main loop. */
    for (since = p.fake.now; ipa_net_doomed(&p.modem) && p.fake.now - since < 400000; p.fake.now++) ipa_modem_poll(&p.modem);
    CHECK(!ipa_net_doomed(&p.modem));
    return result;
}

/* Opens, sends "ping", gets CONTENT, then nothing, and closes. */
struct dialogue {
    const struct ipa_modem_family *family;
    enum ipa_net_kind kind;
    struct fake_step steps[12];
    size_t count;
};

#define D(family, kind, ...) { &ipa_family_##family, IPA_NET_##kind, { __VA_ARGS__ }, sizeof((struct fake_step[]){ __VA_ARGS__ }) / sizeof(struct fake_step) }

static const struct dialogue dialogues[] = {
    D(quectel, UDP, STEP("AT+QICLOSE=0\r", OKAY), STEP("AT+QIOPEN=1,0,\"UDP\",\"eim.example\",5684,0,0\r", OKAY "\r\n+QIOPEN: 0,0\r\n"), STEP("AT+QISEND=0,4\r", "\r\n> "),
      STEP("ping", "\r\nSEND OK\r\n\r\n+QIURC: \"recv\",0\r\n"), STEP("AT+QIRD=0,1500\r", "\r\n+QIRD: 7\r\n" CONTENT "\r\n" OKAY), STEP("AT+QIRD=0,1500\r", "\r\n+QIRD: 0\r\n" OKAY), STEP("AT+QICLOSE=0\r", OKAY)),
    D(quectel, TCP, STEP("AT+QICLOSE=0\r", OKAY), STEP("AT+QIOPEN=1,0,\"TCP\",\"eim.example\",5684,0,0\r", OKAY "\r\n+QIOPEN: 0,0\r\n"), STEP("AT+QISEND=0,4\r", "\r\n> "),
      STEP("ping", "\r\nSEND OK\r\n\r\n+QIURC: \"recv\",0\r\n"), STEP("AT+QIRD=0,64\r", "\r\n+QIRD: 7\r\n" CONTENT "\r\n" OKAY), STEP("AT+QIRD=0,64\r", "\r\n+QIRD: 0\r\n" OKAY), STEP("AT+QICLOSE=0\r", OKAY)),
    D(ublox, UDP, STEP("AT+USOCR=17\r", "\r\n+USOCR: 3\r\n" OKAY), STEP("AT+USOCO=3,\"eim.example\",5684\r", OKAY), STEP("AT+USOWR=3,4\r", "\r\n@"), STEP("ping", "\r\n+USOWR: 3,4\r\n" OKAY "\r\n+UUSORD: 3,7\r\n"),
      STEP("AT+USORD=3,1024\r", "\r\n+USORD: 3,7,\"" CONTENT "\"\r\n" OKAY), STEP("AT+USORD=3,1024\r", "\r\n+USORD: 3,\"\"\r\n" OKAY), STEP("AT+USOCL=3\r", OKAY)),
    D(ublox, TCP, STEP("AT+USOCR=6\r", "\r\n+USOCR: 0\r\n" OKAY), STEP("AT+USOCO=0,\"eim.example\",5684\r", OKAY), STEP("AT+USOWR=0,4\r", "\r\n@"), STEP("ping", "\r\n+USOWR: 0,4\r\n" OKAY "\r\n+UUSORD: 0,7\r\n"),
      STEP("AT+USORD=0,64\r", "\r\n+USORD: 0,7,\"" CONTENT "\"\r\n" OKAY), STEP("AT+USORD=0,64\r", "\r\n+CME ERROR: 3\r\n"), STEP("AT+USOCL=0\r", OKAY)),
    D(simcom, UDP, STEP("AT+CACLOSE=0\r", "\r\nERROR\r\n"), STEP("AT+CAOPEN=0,0,\"UDP\",\"eim.example\",5684\r", "\r\n+CAOPEN: 0,0\r\n" OKAY), STEP("AT+CASEND=0,4\r", "\r\n>"), STEP("ping", OKAY "\r\n+CASEND: 0,0,4\r\n\r\n+CADATAIND: 0\r\n"),
      STEP("AT+CARECV=0,1459\r", "\r\n+CARECV: 7," CONTENT "\r\n" OKAY), STEP("AT+CARECV=0,1459\r", "\r\n+CARECV: 0\r\n" OKAY), STEP("AT+CACLOSE=0\r", OKAY)),
    D(simcom, TCP, STEP("AT+CACLOSE=0\r", "\r\nERROR\r\n"), STEP("AT+CAOPEN=0,0,\"TCP\",\"eim.example\",5684\r", OKAY "\r\n+CAOPEN: 0,0\r\n"), STEP("AT+CASEND=0,4\r", "\r\n>"), STEP("ping", OKAY "\r\n+CADATAIND: 0\r\n"),
      STEP("AT+CARECV=0,64\r", "\r\n+CARECV: 7," CONTENT "\r\n" OKAY), STEP("AT+CARECV=0,64\r", "\r\n+CARECV: 0\r\n" OKAY), STEP("AT+CACLOSE=0\r", OKAY)),
    D(nordic, UDP, STEP("AT#XSOCKET=1,2,0\r", "\r\n#XSOCKET: 2,2,17\r\n" OKAY), STEP("AT#XCONNECT=2,\"eim.example\",5684\r", "\r\n#XCONNECT: 2,1\r\n" OKAY), STEP("AT#XAPOLL=2,1,1\r", OKAY),
      STEP("AT#XSEND=2,1,0,\"70696E67\"\r", "\r\n#XSEND: 2,0,4\r\n" OKAY "\r\n#XAPOLL: 2,1\r\n"), STEP("AT#XRECV=2,0,64,0,2048\r", "\r\n#XRECV: 2,0,7\r\n" CONTENT "\r\n" OKAY), STEP("AT#XRECV=2,0,64,0,2048\r", "\r\nERROR\r\n"), STEP("AT#XCLOSE=2\r", "\r\n#XCLOSE: 2,0\r\n" OKAY)),
    D(nordic, TCP, STEP("AT#XSOCKET=1,1,0\r", "\r\n#XSOCKET: 0,1,6\r\n" OKAY), STEP("AT#XCONNECT=0,\"eim.example\",5684\r", "\r\n#XCONNECT: 0,1\r\n" OKAY), STEP("AT#XAPOLL=0,1,1\r", "\r\nERROR\r\n"),
      STEP("AT#XSEND=0,1,0,\"70696E67\"\r", "\r\n#XSEND: 0,0,4\r\n" OKAY "\r\n#XAPOLL: 0,1\r\n"), STEP("AT#XRECV=0,0,64,0,64\r", "\r\n#XRECV: 0,0,7\r\n" CONTENT "\r\n" OKAY), STEP("AT#XRECV=0,0,64,0,64\r", "\r\nERROR\r\n"), STEP("AT#XCLOSE=0\r", OKAY)),
};

/* The line is awake and the bearer up, as after the boot. */
static void attached(const struct ipa_modem_family *family, struct fake fake) {
    const char *imei;
    int result;
    phone_on(&p, family, fake);
    FAKE_AWAIT(&p.fake, result, ipa_modem_imei(&p.modem.agent, &imei));
    CHECK_INT(result, IPA_OK);
    CHECK(strcmp(imei, "356938035643809") == 0);
    p.modem.attached = 1;
}

static void talk(const struct dialogue *d, size_t cut) {
    struct fake fake = FAKE(d->steps);
    uint8_t buf[64];
    int socket;
    fake.count = d->count;
    attached(d->family, fake);
    if (cut > 0) p.fake.cut = p.fake.said + cut;
    p.fake.pause_ms = 60;
    socket = open_to(d->kind, "eim.example");
    CHECK_INT(socket, 0);
    CHECK_INT(send_to(socket, "ping", 4), 4);
    CHECK_INT(receive(socket, buf, sizeof buf, 10000), 7);
    CHECK_BYTES(buf, 7, CONTENT, 7);
    CHECK_INT(receive(socket, buf, sizeof buf, 300), IPA_AGAIN);
    CHECK_INT(hang_up(socket), IPA_OK);
    CHECK_INT(receive(socket, buf, sizeof buf, 0), IPA_ERR_INVALID);
    phone_done(&p);
}

TEST(each_family_carries_datagrams_and_streams_wherever_the_line_cuts) {
    for (size_t i = 0; i < sizeof dialogues / sizeof *dialogues && check_this == 0; i++) {
        size_t octets = 0;
        for (size_t k = 0; k < dialogues[i].count; k++) octets += dialogues[i].steps[k].reply_len;
        for (size_t cut = 0; cut <= octets && check_this == 0; cut++) {
            talk(&dialogues[i], cut);
            if (check_this > 0) printf("# %s, dialogue %zu, cut before octet %zu\n", dialogues[i].family->name, i, cut);
        }
    }
}

TEST(a_name_that_is_not_resolved_has_its_own_error_and_the_socket_is_given_back) {
    static const struct fake_step steps[] = {
        STEP("AT+QICLOSE=0\r", OKAY), STEP("AT+QIOPEN=1,0,\"UDP\",\"no.example\",5684,0,0\r", OKAY "\r\n+QIOPEN: 0,565\r\n"), STEP("AT+QICLOSE=0\r", OKAY),
        STEP("AT+QICLOSE=0\r", OKAY), STEP("AT+QIOPEN=1,0,\"UDP\",\"no.example\",5684,0,0\r", OKAY "\r\n+QIOPEN: 0,563\r\n"), STEP("AT+QICLOSE=0\r", OKAY),
    };
    attached(&ipa_family_quectel, (struct fake)FAKE(steps));
    CHECK_INT(open_to(IPA_NET_UDP, "no.example"), IPA_ERR_NAME);
    CHECK_INT(open_to(IPA_NET_UDP, "no.example"), IPA_ERR_DRIVER - 563);
    CHECK_INT(open_to(IPA_NET_UDP, "a\",1,\"b"), IPA_ERR_NAME);
    phone_done(&p);
}

TEST(what_these_sockets_cannot_check_is_refused_by_name) {
    struct ipa_net_peer to = { .kind = IPA_NET_TLS, .host = "a", .host_len = 1, .port = 443, .trust = (const uint8_t *)"\xa6\x00", .trust_len = 2 };
    int result;
    attached(&ipa_family_quectel, (struct fake){ .cut = (size_t)-1, .write_max = 9 });
    FAKE_AWAIT(&p.fake, result, p.net.open(p.net.ctx, &to));
    CHECK_INT(result, IPA_ERR_TRUST_FORM);
    to.trust = NULL;
    FAKE_AWAIT(&p.fake, result, p.net.open(p.net.ctx, &to));
    CHECK_INT(result, IPA_ERR_TRUST_NONE);
    to.psk_identity = "tinyipa";
    to.psk = (const uint8_t *)"k";
    to.psk_len = 1; /* its TLS is not known to take one */
    FAKE_AWAIT(&p.fake, result, p.net.open(p.net.ctx, &to));
    CHECK_INT(result, IPA_ERR_TRUST_FORM);
}

TEST(a_PSK_is_put_where_the_modem_s_DTLS_finds_it) {
    static const struct fake_step steps[] = {
        STEP("AT+QSSLCLOSE=0\r", OKAY), STEP("AT+QFDEL=\"1_server.psk\"\r", "\r\n+CME ERROR: 418\r\n"), STEP("AT+QFUPL=\"1_server.psk\",12,10\r", "\r\nCONNECT\r\n"), STEP("tinyipa&0102", "\r\n+QFUPL: 12,1f2e\r\n" OKAY),
        STEP("AT+QSSLCFG=\"dtls\",1,1\r", OKAY), STEP("AT+QSSLCFG=\"dtlsversion\",1,1\r", OKAY), STEP("AT+QSSLCFG=\"ciphersuite\",1,0X00AE\r", OKAY), STEP("AT+QSSLOPEN=1,1,0,\"a\",5684,0\r", OKAY "\r\n+QSSLOPEN: 0,0\r\n"),
        STEP("AT+QSSLSEND=0,2\r", "\r\n> "), STEP("hi", "\r\nSEND OK\r\n\r\n+QSSLURC: \"recv\",0\r\n"), STEP("AT+QSSLRECV=0,1500\r", "\r\n+QSSLRECV: 2\r\nho\r\n" OKAY), STEP("AT+QSSLCLOSE=0\r", OKAY),
    };
    struct ipa_net_peer to = { .kind = IPA_NET_DTLS, .host = "a", .host_len = 1, .port = 5684, .psk_identity = "tinyipa", .psk = (const uint8_t *)"\1\2", .psk_len = 2 };
    uint8_t buf[8];
    int result;
    attached(&ipa_family_quectel, (struct fake)FAKE(steps));
    FAKE_AWAIT(&p.fake, result, p.net.open(p.net.ctx, &to));
    CHECK_INT(result, 0);
    CHECK_INT(send_to(0, "hi", 2), 2);
    CHECK_INT(receive(0, buf, 8, 5000), 2);
    CHECK_INT(hang_up(0), IPA_OK);
    phone_done(&p);
    to.psk_identity = "a&b";
    FAKE_AWAIT(&p.fake, result, p.net.open(p.net.ctx, &to));
    CHECK_INT(result, IPA_ERR_TRUST_FORM);
}

TEST(without_a_bearer_there_is_no_socket_and_generic_modems_have_none) {
    attached(&ipa_family_generic, (struct fake){ .cut = (size_t)-1, .write_max = 9 });
    CHECK_INT(open_to(IPA_NET_UDP, "a"), IPA_ERR_UNSUPPORTED);
    attached(&ipa_family_quectel, (struct fake){ .cut = (size_t)-1, .write_max = 9 });
    p.modem.attached = 0;
    CHECK_INT(open_to(IPA_NET_UDP, "a"), IPA_ERR_NO_NETWORK);
}

static void opened_quectel(enum ipa_net_kind kind, const struct fake_step *steps, size_t count) {
    struct fake fake = { .script = steps, .count = count, .cut = (size_t)-1, .write_max = 9 };
    attached(&ipa_family_quectel, fake);
    CHECK_INT(open_to(kind, "h"), 0);
}

#define OPENED(kind) STEP("AT+QICLOSE=0\r", OKAY), STEP("AT+QIOPEN=1,0,\"" kind "\",\"h\",5684,0,0\r", OKAY "\r\n+QIOPEN: 0,0\r\n")
#define COUNT(a) a, sizeof(a) / sizeof *(a)

/* A caller that closes by one call, and opens again at once, as links do when they reconnect. */
TEST(a_socket_closed_by_one_call_is_given_back_before_the_next_is_opened) {
    static const struct fake_step steps[] = {
        OPENED("UDP"), STEP("AT+QICLOSE=0\r", OKAY), OPENED("UDP"), STEP("AT+QICLOSE=0\r", OKAY), OPENED("UDP"),
    };
    opened_quectel(IPA_NET_UDP, COUNT(steps));
    for (int i = 0; i < 2; i++) {
        CHECK_INT(p.net.close(p.net.ctx, 0), IPA_OK);
        CHECK_INT(open_to(IPA_NET_UDP, "h"), 0);
    }
    phone_done(&p);
}

TEST(a_peer_that_closes_is_known_when_all_is_read) {
    static const struct fake_step steps[] = { OPENED("TCP"), STEP("AT+QISEND=0,1\r", "\r\n> "), STEP("x", "\r\nSEND OK\r\n\r\n+QIURC: \"closed\",0\r\n"), STEP("AT+QIRD=0,8\r", "\r\n+QIRD: 3\r\nend\r\n" OKAY), STEP("AT+QIRD=0,8\r", "\r\n+QIRD: 0\r\n" OKAY) };
    uint8_t buf[8];
    opened_quectel(IPA_NET_TCP, COUNT(steps));
    CHECK_INT(send_to(0, "x", 1), 1);
    CHECK_INT(receive(0, buf, 8, 3000), 3);
    CHECK_INT(receive(0, buf, 8, 3000), IPA_ERR_CLOSED);
    phone_done(&p);
}

TEST(a_notice_lost_on_the_line_is_made_up_for_by_asking) {
    static const struct fake_step steps[] = { OPENED("UDP"), STEP("AT+QIRD=0,1500\r", "\r\n+QIRD: 2\r\nhi\r\n" OKAY) };
    uint8_t buf[8];
    opened_quectel(IPA_NET_UDP, COUNT(steps));
    CHECK_INT(receive(0, buf, 8, 5000), 2);
    CHECK(p.fake.now > 3000);
}

TEST(a_datagram_larger_than_the_buffer_is_an_error_and_one_lost_on_the_line_is_lost) {
    static const struct fake_step steps[] = {
        OPENED("UDP"), SAY("\r\n+QIURC: \"recv\",0\r\n"), STEP("AT+QIRD=0,1500\r", "\r\n+QIRD: 9\r\n123456789\r\n" OKAY),
        STEP("AT+QIRD=0,1500\r", "\r\n+QIRD: 9\r\n12345678"), STEP("AT+QIRD=0,1500\r", "\r\n+QIRD: 2\r\nhi\r\n" OKAY),
    };
    uint8_t buf[8];
    opened_quectel(IPA_NET_UDP, COUNT(steps));
    CHECK_INT(receive(0, buf, 8, 5000), IPA_ERR_TOO_LARGE);
    CHECK_INT(receive(0, buf, 8, 9000), 2);
    phone_done(&p);
    CHECK_INT(send_to(0, (const char *)memset(p.fake.heard, 'x', 1461), 1461), IPA_ERR_TOO_LARGE);
}

TEST(a_stream_that_may_have_lost_octets_is_broken) {
    static const struct fake_step lost[] = { OPENED("TCP"), SAY("\r\n+QIURC: \"recv\",0\r\n"), STEP("AT+QIRD=0,8\r", "\r\n+QIRD: 8\r\n1234567") };
    static const struct fake_step unsent[] = { OPENED("TCP"), STEP("AT+QISEND=0,1\r", "\r\n> "), STEP("x", "\r\nSEND FAIL\r\n") };
    static const struct fake_step down[] = { OPENED("TCP"), SAY("\r\n+QIURC: \"pdpdeact\",1\r\n") };
    uint8_t buf[8];
    opened_quectel(IPA_NET_TCP, COUNT(lost));
    CHECK_INT(receive(0, buf, 8, 9000), IPA_ERR_LINK);
    CHECK_INT(send_to(0, "x", 1), IPA_ERR_LINK);
    opened_quectel(IPA_NET_TCP, COUNT(unsent));
    CHECK_INT(send_to(0, "x", 1), IPA_ERR_LINK);
    CHECK_INT(receive(0, buf, 8, 9000), IPA_ERR_LINK);
    opened_quectel(IPA_NET_TCP, COUNT(down));
    CHECK_INT(receive(0, buf, 8, 9000), IPA_ERR_LINK);
    CHECK_INT(p.modem.attached, 0);
}

TEST(the_bearer_comes_up_when_the_modem_is_registered_and_tells_the_network) {
    static const struct fake_step steps[] = {
        STEP("AT+CFUN=1\r", OKAY), STEP("AT+CFUN=1\r", OKAY), STEP("AT+CEREG?\r", "\r\n+CEREG: 0,2\r\n" OKAY), STEP("AT+CGREG?\r", "\r\nERROR\r\n"), STEP("AT+CEREG?\r", "\r\n+CEREG: 5,\"1A2B\",\"01\",7\r\n\r\n+CEREG: 0,5\r\n" OKAY),
        STEP("AT+QIDEACT=1\r", OKAY), STEP("AT+QICSGP=1,1,\"iot\"\r", OKAY), STEP("AT+QIACT=1\r", OKAY), STEP("AT+COPS?\r", "\r\n+COPS: 0,2,\"310410\",7\r\n" OKAY),
        STEP("AT+CFUN=4\r", OKAY), STEP("AT+CFUN=1\r", OKAY), STEP("AT+CEREG?\r", "\r\n+CEREG: 0,1\r\n" OKAY), STEP("AT+QIDEACT=1\r", OKAY), STEP("AT+QICSGP=1,1,\"iot\"\r", OKAY), STEP("AT+QIACT=1\r", OKAY), STEP("AT+COPS?\r", "\r\n+COPS: 0\r\n" OKAY),
    };
    static const char *all[sizeof fake_boot_answers / sizeof *fake_boot_answers + 3] = { "AT+CGDCONT=1,\"IP\",\"iot\"\r", OKAY };
    uint8_t plmn[3];
    size_t len = 0;
    int result;
    memcpy(all + 2, fake_boot_answers, sizeof fake_boot_answers);
    phone_on(&p, &ipa_family_quectel, (struct fake)FAKE(steps));
    p.fake.boot = all;
    p.config.apn = "iot";
    FAKE_AWAIT(&p.fake, result, ipa_modem_bearer(&p.modem.agent, 0, 60000, plmn, &len));
    CHECK_INT(result, IPA_OK);
    CHECK_BYTES(plmn, len, "\x13\x00\x14", 3);
    CHECK_INT(p.modem.attached, 1);
    FAKE_AWAIT(&p.fake, result, ipa_modem_bearer(&p.modem.agent, 1, 60000, plmn, &len));
    CHECK_INT(result, IPA_OK);
    phone_done(&p);
}

TEST(no_registration_in_time_is_no_network) {
    static const char *all[sizeof fake_boot_answers / sizeof *fake_boot_answers + 5] = { "AT+CEREG?\r", "\r\n+CEREG: 0,3\r\n" OKAY, "AT+CGREG?\r", "\r\n+CGREG: 0,0\r\n" OKAY };
    uint8_t plmn[3];
    size_t len = 0;
    int result;
    memcpy(all + 4, fake_boot_answers, sizeof fake_boot_answers);
    phone_on(&p, &ipa_family_quectel, (struct fake){ .cut = (size_t)-1, .write_max = 9 });
    p.fake.boot = all;
    FAKE_AWAIT(&p.fake, result, ipa_modem_bearer(&p.modem.agent, 0, 20000, plmn, &len));
    CHECK_INT(result, IPA_ERR_NO_NETWORK);
    CHECK(p.fake.now > 21000 && p.fake.now < 25000);
}

TEST(the_family_is_found_by_the_model) {
    static const char *models[] = { "\r\nBG77\r\n" OKAY, "\r\nSARA-R510S\r\n" OKAY, "\r\nSIMCOM_SIM7080G\r\n" OKAY, "\r\nnRF9161-LACA\r\n" OKAY, "\r\nLE910C1\r\n" OKAY };
    static const struct ipa_modem_family *families[] = { &ipa_family_quectel, &ipa_family_ublox, &ipa_family_simcom, &ipa_family_nordic, &ipa_family_generic };
    for (size_t i = 0; i < 5; i++) {
        struct fake_step step = { "AT+CGMM\r", models[i], 8, strlen(models[i]) };
        struct fake fake = { .script = &step, .count = 1, .cut = (size_t)-1, .write_max = 9 };
        const char *imei;
        int result;
        phone_on(&p, NULL, fake);
        memcpy(p.families, families, sizeof families);
        CHECK_INT(ipa_modem_net(&p.modem.agent).send_max, 1024);
        p.config.apn = NULL;
        FAKE_AWAIT(&p.fake, result, ipa_modem_imei(&p.modem.agent, &imei));
        CHECK_INT(result, IPA_OK);
        CHECK(p.modem.family == families[i]);
        CHECK_INT(ipa_modem_net(&p.modem.agent).send_max, families[i]->send_max);
    }
}

TEST(an_operation_begun_has_the_line_until_it_is_over) {
    static const struct fake_step steps[] = { OPENED("UDP"), STEP("AT+QISEND=0,2\r", "\r\n> "), STEP("hi", "\r\nSEND OK\r\n"), STEP("AT+CSQ\r", "\r\n+CSQ: 20,99\r\n" OKAY) };
    static const struct ipa_at_row csq = { "+CSQ", "+CSQ: %u", 0, 0 };
    int mine = IPA_AGAIN, other = IPA_AGAIN, calls = 0;
    opened_quectel(IPA_NET_UDP, COUNT(steps));
    for (; (mine == IPA_AGAIN || other == IPA_AGAIN) && calls < 1000; calls++) {
        p.fake.now++;
        if (mine == IPA_AGAIN) mine = p.net.send(p.net.ctx, 0, (const uint8_t *)"hi", 2);
        if (other == IPA_AGAIN) other = ipa_modem_command(&p.modem.application, &csq, NULL);
        if (other != IPA_AGAIN) CHECK_INT(mine, 2);
    }
    CHECK_INT(other, IPA_OK);
    CHECK_INT(p.modem.at.value, 20);
    phone_done(&p);
}

TEST(who_stays_away_loses_its_turn_and_its_stream) {
    static const struct fake_step steps[] = { OPENED("TCP"), STEP("AT+QISEND=0,2\r", "\r\n> "), STEP("\0\0", "\r\nSEND OK\r\n"), STEP("AT+CSQ\r", OKAY) };
    static const struct ipa_at_row csq = { "+CSQ", NULL, 0, 0 };
    int result;
    opened_quectel(IPA_NET_TCP, COUNT(steps));
    for (int i = 0; i < 100; i++) CHECK_INT(p.net.send(p.net.ctx, 0, (const uint8_t *)"hi", 2), IPA_AGAIN);
    FAKE_AWAIT(&p.fake, result, ipa_modem_command(&p.modem.application, &csq, NULL));
    CHECK_INT(result, IPA_OK);
    CHECK(p.fake.now > 11000);
    CHECK_INT(send_to(0, "hi", 2), IPA_ERR_LINK);
    phone_done(&p);
}

TEST(a_socket_that_was_left_is_closed_before_the_next_opening) {
    static const struct fake_step steps[] = { OPENED("UDP"), STEP("AT+QICLOSE=0\r", OKAY), OPENED("TCP"), STEP("AT+QICLOSE=1\r", OKAY), STEP("AT+QIOPEN=1,1,\"UDP\",\"h\",5684,0,0\r", OKAY "\r\n+QIOPEN: 1,0\r\n") };
    opened_quectel(IPA_NET_UDP, COUNT(steps));
    CHECK_INT(p.net.close(p.net.ctx, 0), IPA_OK);
    CHECK_INT(send_to(0, "x", 1), IPA_ERR_INVALID);
    CHECK_INT(open_to(IPA_NET_TCP, "h"), 0);
    CHECK_INT(open_to(IPA_NET_UDP, "h"), 1);
    CHECK_INT(open_to(IPA_NET_UDP, "h"), IPA_ERR_BUSY);
    phone_done(&p);
}

TEST(closing_ends_the_socket_s_operation_and_gives_the_line_back) {
    static const struct fake_step steps[] = { OPENED("UDP"), STEP("AT+QISEND=0,2\r", "\r\n> "), STEP("\0\0", "\r\nSEND OK\r\n"), STEP("AT+QICLOSE=0\r", OKAY), STEP("AT+CSQ\r", OKAY) };
    static const struct ipa_at_row csq = { "+CSQ", NULL, 0, 0 };
    uint32_t before;
    int result;
    opened_quectel(IPA_NET_UDP, COUNT(steps));
    for (int i = 0; i < 100; i++) CHECK_INT(p.net.send(p.net.ctx, 0, (const uint8_t *)"hi", 2), IPA_AGAIN);
    CHECK_INT(p.net.close(p.net.ctx, 0), IPA_OK);
    before = p.fake.now;
    for (int i = 0; i < 500; i++) ipa_modem_poll(&p.modem);
    FAKE_AWAIT(&p.fake, result, ipa_modem_command(&p.modem.application, &csq, NULL));
    CHECK_INT(result, IPA_OK);
    CHECK(p.fake.now - before < 2000);
    phone_done(&p);
}

TEST(idle_sets_power_saving_and_the_next_operation_takes_it_back) {
    static const struct fake_step steps[] = { STEP("AT+CPSMS=1,,,\"01000011\",\"00000011\"\r", OKAY), STEP("AT+CEDRXS=1,4,\"0101\"\r", "\r\nERROR\r\n"), STEP("AT\r", OKAY), STEP("AT+CPSMS=0\r", OKAY), STEP("AT+CEDRXS=0\r", OKAY), STEP("AT+CSQ\r", OKAY) };
    static const char *all[sizeof fake_boot_answers / sizeof *fake_boot_answers + 5] = { "AT+CPSMS=0\r", OKAY, "AT+CEDRXS=0\r", OKAY };
    static const struct ipa_at_row csq = { "+CSQ", NULL, 0, 0 };
    const char *imei;
    int result;
    memcpy(all + 4, fake_boot_answers, sizeof fake_boot_answers);
    phone_on(&p, &ipa_family_quectel, (struct fake)FAKE(steps));
    p.fake.boot = all;
    p.config.psm = "\"01000011\",\"00000011\"";
    p.config.edrx = "4,\"0101\"";
    FAKE_AWAIT(&p.fake, result, ipa_modem_imei(&p.modem.agent, &imei));
    ipa_modem_idle(&p.modem.agent, 1);
    for (int i = 0; i < 1000; i++) ipa_modem_poll(&p.modem);
    FAKE_AWAIT(&p.fake, result, ipa_modem_command(&p.modem.agent, &csq, NULL));
    CHECK_INT(result, IPA_OK);
    phone_done(&p);
}

TEST(a_silent_boot_shows_by_the_echo_that_is_back) {
    static const struct fake_step steps[] = { STEP("AT+CSQ\r", "AT+CSQ\r\r\n+CSQ: 20,99\r\n" OKAY), STEP("AT+CSQ\r", "\r\n+CSQ: 20,99\r\n" OKAY) };
    static const struct ipa_at_row csq = { "+CSQ", NULL, 0, 0 };
    int result;
    attached(&ipa_family_ublox, (struct fake)FAKE(steps));
    FAKE_AWAIT(&p.fake, result, ipa_modem_command(&p.modem.agent, &csq, NULL));
    CHECK_INT(result, IPA_ERR_MODEM_RESET);
    CHECK_INT(p.modem.attached, 0);
    FAKE_AWAIT(&p.fake, result, ipa_modem_command(&p.modem.agent, &csq, NULL));
    CHECK_INT(result, IPA_OK);
    phone_done(&p);
}

static int power_calls[3];
static int power(void *ctx, enum ipa_modem_power what) {
    (void)ctx;
    power_calls[what]++;
    return IPA_OK;
}

TEST(a_modem_that_never_answers_is_reset_by_the_board_once) {
    static const char *none[] = { NULL };
    const char *imei;
    int result;
    phone_on(&p, &ipa_family_generic, (struct fake){ .cut = (size_t)-1, .write_max = 9 });
    p.fake.boot = none;
    p.config.power = power;
    FAKE_AWAIT(&p.fake, result, ipa_modem_imei(&p.modem.agent, &imei));
    CHECK_INT(result, IPA_ERR_MODEM_SILENT);
    CHECK_INT(power_calls[IPA_POWER_ON], 1);
    CHECK_INT(power_calls[IPA_POWER_RESET], 1);
}

int main(void) {
    RUN(each_family_carries_datagrams_and_streams_wherever_the_line_cuts);
    RUN(a_name_that_is_not_resolved_has_its_own_error_and_the_socket_is_given_back);
    RUN(what_these_sockets_cannot_check_is_refused_by_name);
    RUN(a_PSK_is_put_where_the_modem_s_DTLS_finds_it);
    RUN(without_a_bearer_there_is_no_socket_and_generic_modems_have_none);
    RUN(a_socket_closed_by_one_call_is_given_back_before_the_next_is_opened);
    RUN(a_peer_that_closes_is_known_when_all_is_read);
    RUN(a_notice_lost_on_the_line_is_made_up_for_by_asking);
    RUN(a_datagram_larger_than_the_buffer_is_an_error_and_one_lost_on_the_line_is_lost);
    RUN(a_stream_that_may_have_lost_octets_is_broken);
    RUN(the_bearer_comes_up_when_the_modem_is_registered_and_tells_the_network);
    RUN(no_registration_in_time_is_no_network);
    RUN(the_family_is_found_by_the_model);
    RUN(an_operation_begun_has_the_line_until_it_is_over);
    RUN(who_stays_away_loses_its_turn_and_its_stream);
    RUN(a_socket_that_was_left_is_closed_before_the_next_opening);
    RUN(closing_ends_the_socket_s_operation_and_gives_the_line_back);
    RUN(idle_sets_power_saving_and_the_next_operation_takes_it_back);
    RUN(a_silent_boot_shows_by_the_echo_that_is_back);
    RUN(a_modem_that_never_answers_is_reset_by_the_board_once);
    return check_end();
}
