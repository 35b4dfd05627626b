/*
 * ESipa over CoAP on a modem's own secure socket (host/link/link.c with modem_tls), as an image without TLS of its own has it: what the socket
 * is told to trust, and that nothing of a datagram is given up by another call.
 *
 * sources: host/link/coap.c host/link/coap_block.c host/link/coap_msg.c host/link/http.c host/link/link.c host/link/link_coaps.c host/link/link_https.c
 * sources: host/link/tls_mbedtls.c host/link/dtls_mbedtls.c host/link/tls_verify.c host/link/tls_heap.c host/link/trust.c
 * needs: mbedtls
 * flags: -DIPA_CFG_DTLS=0 -DIPA_CFG_TLS=0 -DIPA_CFG_HTTPS=0 -DIPA_CFG_COAP_SZX=5
 */
#include "check.h"

#include "coap_kit.h"
#include "link/links.h"

/* A socket that takes three calls for each datagram, like an AT driver, and takes amiss what comes between them. */
static struct {
    struct ipa_net_peer peer;
    unsigned opens, sending, rudeness;
    int refusal;
    uint8_t answer[1500];
    size_t answer_len;
} net;

static struct ipa_link link;
static struct ipa_link_config config;
static struct echo_server server;
static uint8_t memory[4096], body[8000];
static uint32_t clock_ms;

static int net_open(void *ctx, const struct ipa_net_peer *to) {
    (void)ctx;
    net.peer = *to;
    net.opens++;
    return net.refusal != 0 ? net.refusal : 0;
}

static int net_send(void *ctx, int socket, const uint8_t *data, size_t len) {
    (void)ctx, (void)socket;
    if (++net.sending < 3) return IPA_AGAIN;
    net.sending = 0;
    net.answer_len = echo_serve(&server, data, len, net.answer, sizeof net.answer);
    return (int)len;
}

static int net_receive(void *ctx, int socket, uint8_t *data, size_t cap) {
    size_t len = net.answer_len;
    (void)ctx, (void)socket;
    if (net.sending > 0) net.rudeness++;
    if (len == 0) return IPA_AGAIN;
    net.answer_len = 0;
    if (len > cap) return IPA_ERR_TOO_LARGE;
    memcpy(data, net.answer, len);
    return (int)len;
}

static int net_close(void *ctx, int socket) {
    (void)ctx, (void)socket;
    return IPA_OK;
}

static int entropy(void *ctx, uint8_t *p, size_t len) {
    (void)ctx;
    memset(p, 0x5a, len);
    return IPA_OK;
}

static uint32_t now_ms(void *ctx) {
    (void)ctx;
    return clock_ms += 5;
}

static void set_up(void) {
    static const struct ipa_net door = { net_open, net_send, net_receive, net_close, 1400, NULL };
    memset(&net, 0, sizeof net);
    memset(&config, 0, sizeof config);
    memset(&server, 0, sizeof server);
    server.szx = server.szx_down = 6;
    server.body = body;
    server.cap = sizeof body;
    ipa_link_defaults(&config);
    config.net = door;
    config.entropy = entropy;
    config.now_ms = now_ms;
    config.modem_tls = 1;
}

static int open_with(const uint8_t *a6, size_t len) {
    const struct ipa_endpoint to = { .peer = IPA_PEER_EIM, .binding = IPA_ESIPA_COAPS, .fqdn = "eim.example", .fqdn_len = 11, .trust = a6, .trust_len = len };
    int result;
    CHECK_INT(ipa_link_init(&link, &config, memory, sizeof memory), IPA_OK);
    while ((result = link.open(link.ctx, &to, 60000)) == IPA_AGAIN) { }
    return result;
}

/* trustedPublicKeyDataTls with a content whose second child has this tag: 03 for a key, 30 for a certificate. */
static size_t a6_with(uint8_t *a6, uint8_t outer, uint8_t second) {
    const uint8_t whole[] = { 0xa6, 8, outer, 6, 0x30, 1, 0, second, 1, 0 };
    memcpy(a6, whole, sizeof whole);
    return sizeof whole;
}

TEST(a_certificate_goes_to_the_socket_and_a_pinned_key_never_passes_for_one) {
    uint8_t a6[16], identity[32];
    set_up();
    CHECK_INT(open_with(a6, a6_with(a6, 0xa1, 0x30)), IPA_OK);
    CHECK_INT(net.peer.kind, IPA_NET_DTLS);
    CHECK_BYTES(net.peer.certificate, net.peer.certificate_len, a6 + 4, 6);
    CHECK(net.peer.psk_identity == NULL && net.peer.identity != NULL);
    memcpy(identity, net.peer.identity, sizeof identity);
    set_up();
    net.refusal = IPA_ERR_TRUST_FORM; /* as the socket of each modem says to what is left then */
    CHECK_INT(open_with(a6, a6_with(a6, 0xa0, 0x03)), IPA_ERR_TRUST_FORM);
    CHECK(net.peer.certificate == NULL && net.peer.trust != NULL && net.peer.psk_identity == NULL);
    set_up();
    CHECK_INT(open_with(a6, a6_with(a6, 0xa1, 0x03)), IPA_ERR_TRUST_FORM); /* a key where a certificate is due */
    CHECK_INT(open_with(a6, a6_with(a6, 0xa1, 0x30) - 1), IPA_ERR_TRUST_FORM);
    CHECK_INT(net.opens, 0);
}

TEST(one_ca_of_the_board_is_a_certificate_and_several_are_nothing_that_could_be_checked) {
    static const uint8_t two[] = { 0x30, 3, 1, 1, 0, 0x30, 3, 1, 1, 1 };
    set_up();
    config.ca = two;
    config.ca_len = 5;
    CHECK_INT(open_with(NULL, 0), IPA_OK);
    CHECK_BYTES(net.peer.certificate, net.peer.certificate_len, two + 2, 3);
    set_up();
    config.ca = two;
    config.ca_len = sizeof two;
    CHECK_INT(open_with(NULL, 0), IPA_OK);
    CHECK(net.peer.certificate == NULL && net.peer.trust != NULL);
    set_up();
    CHECK_INT(open_with(NULL, 0), IPA_OK);
    CHECK(net.peer.certificate == NULL && net.peer.trust == NULL);
}

TEST(a_psk_goes_alone) {
    uint8_t a6[16];
    set_up();
    config.psk_identity = "dev1";
    config.psk = (const uint8_t *)"0123456789abcdef";
    config.psk_len = 16;
    CHECK_INT(open_with(a6, a6_with(a6, 0xa1, 0x30)), IPA_OK);
    CHECK(net.peer.psk_identity == config.psk_identity && net.peer.psk_len == 16 && net.peer.certificate == NULL);
}

TEST(bodies_of_many_blocks_go_both_ways_and_no_call_comes_between_the_parts_of_a_send) {
    static uint8_t sent[5000], got[5000];
    struct ipa_request how = { .total = sizeof sent, .first = 1, .last = 1 };
    struct ipa_answer about = { 0 };
    size_t at = 0;
    int result;
    set_up();
    for (size_t i = 0; i < sizeof sent; i++) sent[i] = (uint8_t)(i * 7 + (i >> 8));
    CHECK_INT(open_with(NULL, 0), IPA_OK);
    while ((result = link.send(link.ctx, &how, sent, sizeof sent, 600000)) == IPA_AGAIN) { }
    CHECK_INT(result, IPA_OK);
    while (!about.last && result >= 0 && at < sizeof got) {
        while ((result = link.receive(link.ctx, got + at, sizeof got - at, &about, 600000)) == IPA_AGAIN) { }
        if (result > 0) at += (size_t)result;
    }
    CHECK_BYTES(got, at, sent, sizeof sent);
    CHECK_INT(net.rudeness, 0);
}

TEST(coap_without_dtls_is_no_setting_of_an_image_without_the_laboratory_option) {
    set_up();
    config.lab_plain_coap = 1;
    config.coap.token_min = 4;
    CHECK_INT(ipa_link_init(&link, &config, memory, sizeof memory), IPA_ERR_INVALID);
}

int main(void) {
    RUN(coap_without_dtls_is_no_setting_of_an_image_without_the_laboratory_option);
    RUN(a_certificate_goes_to_the_socket_and_a_pinned_key_never_passes_for_one);
    RUN(one_ca_of_the_board_is_a_certificate_and_several_are_nothing_that_could_be_checked);
    RUN(a_psk_goes_alone);
    RUN(bodies_of_many_blocks_go_both_ways_and_no_call_comes_between_the_parts_of_a_send);
    return check_end();
}
