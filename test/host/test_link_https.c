/*
 * The HTTPS link (host/link/link_https.c, link.c) and TLS 1.2 below it (host/link/tls_mbedtls.c) against a server in the same process:
 * ESipa and ES9+ (sgp32-transport 2.1, 6), connections that stay and connections that close, trust, max_fragment_length.
 *
 * sources: host/link/coap.c host/link/coap_block.c host/link/coap_msg.c host/link/http.c host/link/link.c host/link/link_coaps.c host/link/link_https.c
 * sources: host/link/tls_mbedtls.c host/link/dtls_mbedtls.c host/link/tls_verify.c host/link/tls_heap.c host/link/trust.c
 * needs: mbedtls
 * flags: -DIPA_CFG_TLS_SERVER=1
 */
#include "check.h"

#include "link/links.h"
#include "tls_kit.h"

static struct kit k;
static struct ipa_link link;
static struct ipa_link_config config;
static uint8_t memory[30000];

/* What the server got, and what it says: {} stands for the request's own body. */
static char request[40000];
static size_t request_len;
static const char *response;
static unsigned requests;

/* Head and body of a request are complete: length of the head, or 0. */
static size_t complete(size_t *body) {
    request[request_len] = '\0';
    const char *end = strstr(request, "\r\n\r\n"), *length = strstr(request, "Content-Length: ");
    if (end == NULL || length == NULL) return 0;
    *body = strtoul(length + 16, NULL, 10);
    size_t head = (size_t)(end + 4 - request);
    return request_len >= head + *body ? head : 0;
}

static size_t serve(struct kit *kit, const uint8_t *in, size_t len, uint8_t *out, size_t cap) {
    size_t body, n = 0;
    (void)kit;
    if (request_len == 0 || complete(&body) > 0) request_len = 0;
    memcpy(request + request_len, in, len);
    request_len += len;
    size_t head = complete(&body);
    if (head == 0) return 0;
    requests++;
    for (const char *p = response; *p != '\0'; p++) {
        if (p[0] != '{' || p[1] != '}') {
            out[n++] = (uint8_t)*p;
            continue;
        }
        memcpy(out + n, request + head, body);
        n += body;
        p++;
    }
    CHECK(n <= cap);
    return n;
}

static uint8_t a6[600];
static struct ipa_endpoint to;

static void trust_certificate(const uint8_t *der, size_t len) {
    size_t inner = len - 4;
    const uint8_t head[8] = {0xA6, 0x82, (uint8_t)((inner + 4) >> 8), (uint8_t)(inner + 4), 0xA1, 0x82, (uint8_t)(inner >> 8), (uint8_t)inner};
    memcpy(a6, head, 8);
    memcpy(a6 + 8, der + 4, inner);
    to.trust = a6;
    to.trust_len = inner + 8;
}

static void start(const uint8_t *der, size_t len) {
    kit_init(&k, 1, der, len, NULL, NULL, 0, NULL);
    k.answer = serve;
    requests = 0;
    request_len = 0;
    response = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    memset(&config, 0, sizeof config);
    ipa_link_defaults(&config);
    config.net = k.net;
    config.entropy = kit_entropy;
    config.now_ms = kit_now_ms;
    config.ctx = &k;
    CHECK_INT(ipa_link_init(&link, &config, memory, sizeof memory), IPA_OK);
    to = (struct ipa_endpoint){IPA_PEER_EIM, IPA_ESIPA_HTTPS, "eim.example.com", 15, NULL, 0};
    trust_certificate(ca_der, sizeof ca_der);
}

#define CERT(name) name##_der, sizeof name##_der
#define WAIT 60000u
#define DRIVE(err, call) do { \
        for (int turn_ = 0; turn_ < 3000 && ((err) = (call)) == IPA_AGAIN; turn_++) \
            if (!kit_turn(&k) && k.to_client.count == 0) k.now += 500; \
    } while (0)

static int open_link(void) {
    int err;
    DRIVE(err, link.open(link.ctx, &to, WAIT));
    return err;
}

static char back[40000];
static struct ipa_answer about;

/* Octets of the answer, or an error. */
static int exchange(uint8_t function, const char *body, size_t len, size_t piece) {
    struct ipa_request how = {(uint32_t)len, function, 1, 0};
    size_t put = 0, got = 0;
    int err;
    do {
        size_t n = len - put < piece ? len - put : piece;
        how.last = put + n == len;
        DRIVE(err, link.send(link.ctx, &how, (const uint8_t *)body + put, n, WAIT));
        if (err < 0) return err;
        put += n;
        how.first = 0;
    } while (!how.last);
    do {
        size_t room = sizeof back - got;
        DRIVE(err, link.receive(link.ctx, (uint8_t *)back + got, piece < room ? piece : room, &about, WAIT));
        if (err < 0) return err;
        got += (size_t)err;
    } while (!about.last);
    return (int)got;
}

static void answers(const char *text, uint16_t code) {
    about.code = 0;
    int got = exchange(0, "body", 4, 3);
    if (got < 0) CHECK_INT(got, 0);
    CHECK_INT(about.code, code);
    CHECK_BYTES(back, got < 0 ? 0 : (size_t)got, text, strlen(text));
}

TEST(https_esipa_request_is_as_sgp32_transport_2_1_says) {
    start(CERT(good));
    CHECK_INT(open_link(), IPA_OK);
    answers("hello", 200);
    const char *expected = "POST /gsma/rsp2/asn1 HTTP/1.1\r\nHost: eim.example.com\r\nUser-Agent: gsma-rsp-ipad\r\nX-Admin-Protocol: gsma/rsp/v2.1.0\r\n"
        "Content-Type: application/x-gsma-rsp-asn1\r\nContent-Length: 4\r\n\r\nbody";
    CHECK_BYTES(request, request_len, expected, strlen(expected));
    link.close(link.ctx);
    printf("# heap with HTTPS: %zu\n", ipa_link_heap_peak(&link));
    CHECK(ipa_link_heap_peak(&link) < 12288);
}

TEST(https_es9p_has_five_functions_and_the_boards_cas) {
    const char *paths[] = {"initiateAuthentication", "authenticateClient", "getBoundProfilePackage", "handleNotification", "cancelSession"};
    start(CERT(good));
    config.ca = ca_der;
    config.ca_len = sizeof ca_der;
    to.peer = IPA_PEER_SMDP;
    to.binding = IPA_ES9P_HTTPS;
    to.trust = NULL;
    CHECK_INT(open_link(), IPA_OK);
    for (uint8_t i = 0; i < 5; i++) {
        char line[100];
        CHECK_INT(exchange((uint8_t)(i + 1), "{}", 2, 10), 5);
        snprintf(line, sizeof line, "POST /gsma/rsp2/es9plus/%s HTTP/1.1\r\n", paths[i]);
        CHECK(strncmp(request, line, strlen(line)) == 0);
    }
    CHECK(strstr(request, "User-Agent: gsma-rsp-lpad\r\nX-Admin-Protocol: gsma/rsp/v2.5.0\r\nContent-Type: application/json;charset=UTF-8\r\n") != NULL);
    CHECK_INT(exchange(0, "{}", 2, 10), IPA_ERR_UNSUPPORTED);
    CHECK_INT(exchange(6, "{}", 2, 10), IPA_ERR_UNSUPPORTED);
    CHECK_INT(k.opens, 1);
}

TEST(https_one_connection_carries_many_exchanges) {
    start(CERT(good));
    CHECK_INT(open_link(), IPA_OK);
    for (int i = 0; i < 5; i++) answers("hello", 200);
    response = "HTTP/1.1 204 No Content\r\n\r\n";
    answers("", 204);
    response = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{}\r\n0\r\n\r\n";
    answers("body", 200);
    CHECK_INT(k.opens, 1);
    CHECK_INT(requests, 7);
}

TEST(https_server_that_closes_between_two_is_reached_again_without_telling) {
    start(CERT(good));
    CHECK_INT(open_link(), IPA_OK);
    k.closes = 1;
    for (int i = 0; i < 3; i++) answers("hello", 200);
    CHECK_INT(k.opens, 3);
    response = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi";
    for (int i = 0; i < 3; i++) answers("hi", 200);
    CHECK_INT(k.opens, 6);
    response = "HTTP/1.1 200 OK\r\n\r\nuntil the end";
    answers("until the end", 200);
}

/* The server closes when the request is already on its way. */
static int closes_at;
static int closes_on_request(struct kit *kit, int to_server, uint8_t *data, size_t *len) {
    (void)data, (void)len;
    if (!to_server || --closes_at != 0) return 1;
    kit->closed = 1;
    return 0;
}

TEST(https_request_that_crosses_the_servers_close_is_sent_again) {
    start(CERT(good));
    CHECK_INT(open_link(), IPA_OK);
    answers("hello", 200);
    closes_at = 1;
    k.hook = closes_on_request;
    CHECK_INT(exchange(0, "body", 4, 5), 5);
    CHECK_INT(k.opens, 2);
    CHECK_INT(requests, 2);
}

TEST(https_a_connection_that_never_answered_is_not_tried_again) {
    start(CERT(good));
    CHECK_INT(open_link(), IPA_OK);
    closes_at = 1;
    k.hook = closes_on_request;
    CHECK_INT(exchange(0, "body", 4, 4), IPA_ERR_CLOSED);
    CHECK_INT(k.opens, 1);
}

TEST(https_answer_cut_short_is_closed) {
    start(CERT(good));
    CHECK_INT(open_link(), IPA_OK);
    response = "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello";
    k.closes = 1;
    CHECK_INT(exchange(0, "body", 4, 100), IPA_ERR_CLOSED);
}

TEST(https_octets_that_nobody_asked_for_are_not_the_next_answer) {
    start(CERT(good));
    CHECK_INT(open_link(), IPA_OK);
    response = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
    answers("hi", 200);
    response = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood";
    answers("good", 200);
    CHECK_INT(k.opens, 2);
}

TEST(https_20_kB_both_ways_in_pieces_of_any_size) {
    static char body[20480];
    for (size_t i = 0; i < sizeof body; i++) body[i] = (char)('a' + i % 23);
    const size_t pieces[] = {61, 1000, 1024, 20480};
    for (size_t i = 0; i < 4; i++) {
        start(CERT(good));
        CHECK_INT(open_link(), IPA_OK);
        response = "HTTP/1.1 200 OK\r\nContent-Length: 20480\r\n\r\n{}";
        int got = exchange(0, body, sizeof body, pieces[i]);
        CHECK_BYTES(back, got < 0 ? 0 : (size_t)got, body, sizeof body);
    }
}

TEST(https_redirects_and_errors_are_answers) {
    start(CERT(good));
    CHECK_INT(open_link(), IPA_OK);
    response = "HTTP/1.1 307 Temporary Redirect\r\nLocation: https://eim.example.org/\r\nContent-Length: 0\r\n\r\n";
    answers("", 307);
    response = "HTTP/1.1 503 Busy\r\nRetry-After: 77\r\nContent-Length: 0\r\n\r\n";
    answers("", 503);
    CHECK_INT(about.retry_after_s, 77);
    CHECK_INT(k.opens, 1);
    response = "HTTP/1.1 nonsense\r\n\r\n";
    CHECK_INT(exchange(0, "body", 4, 4), IPA_ERR_PROTOCOL);
}

TEST(https_body_larger_than_the_board_allows) {
    start(CERT(good));
    config.http_body_max = 4;
    CHECK_INT(open_link(), IPA_OK);
    CHECK_INT(exchange(0, "body", 4, 4), IPA_ERR_TOO_LARGE);
}

static void refused(const uint8_t *der, size_t len, int error) {
    start(der, len);
    CHECK_INT(open_link(), error);
    CHECK_INT(requests, 0);
    struct ipa_request how = {4, 0, 1, 1};
    CHECK_INT(link.send(link.ctx, &how, (const uint8_t *)"body", 4, WAIT), IPA_ERR_LINK);
}

TEST(https_refuses_servers_by_name) {
    refused(CERT(othername), IPA_ERR_TRUST_NAME);
    refused(CERT(cnonly), IPA_ERR_TRUST_NAME);
    refused(CERT(alien), IPA_ERR_TRUST_CERTIFICATE);
    start(CERT(alien));
    config.ca = ca_der;
    config.ca_len = sizeof ca_der;
    to.trust = NULL;
    CHECK_INT(open_link(), IPA_ERR_TRUST_CHAIN);
    start(CERT(good));
    a6[4] = 0xA2;
    CHECK_INT(open_link(), IPA_ERR_TRUST_FORM);
    start(CERT(good));
    to.trust = NULL;
    CHECK_INT(open_link(), IPA_ERR_TRUST_NONE);
    CHECK_INT(k.opens, 0);
}

/* In place of the server's first octets. */
static const uint8_t *instead;
static size_t instead_len;
static int says_instead(struct kit *kit, int to_server, uint8_t *data, size_t *len) {
    (void)kit;
    if (to_server || instead == NULL) return 1;
    memcpy(data, instead, instead_len);
    *len = instead_len;
    instead = NULL;
    return *len > 1000 ? 2 : 1;
}

static void first_octets(const uint8_t *octets, size_t len, int error) {
    start(CERT(good));
    instead = octets;
    instead_len = len;
    k.hook = says_instead;
    CHECK_INT(open_link(), error);
}

TEST(tls_a_record_larger_than_max_fragment_length_has_its_own_name) {
    static const uint8_t large[] = {22, 3, 3, 0x3F, 0xFF, 2, 0, 0, 70};
    first_octets(large, sizeof large, IPA_ERR_TLS_FRAGMENT);
    /* Once it is up, too: application data, 4096 octets. */
    static const uint8_t data[] = {23, 3, 3, 0x10, 0, 1, 2, 3};
    start(CERT(good));
    CHECK_INT(open_link(), IPA_OK);
    instead = data;
    instead_len = sizeof data;
    k.hook = says_instead;
    CHECK_INT(exchange(0, "body", 4, 4), IPA_ERR_TLS_FRAGMENT);
}

TEST(tls_a_chain_larger_than_the_buffer_is_no_memory) {
    /* The first and the second record of a Certificate of 16 kB: 1391 octets each. */
    static const uint8_t chain[1396] = {22, 3, 3, 0x05, 0x6F, 11, 0, 0x40, 0};
    first_octets(chain, sizeof chain, IPA_ERR_NO_MEM);
}

TEST(tls_refusals_of_the_server_have_their_names) {
    static const uint8_t version[] = {21, 3, 3, 0, 2, 2, 70}, weak[] = {21, 3, 3, 0, 2, 2, 71}, failure[] = {21, 3, 3, 0, 2, 2, 40}, internal[] = {21, 3, 3, 0, 2, 2, 80};
    static const uint8_t old[] = {22, 3, 2, 0, 42, 2, 0, 0, 38, 3, 2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 0, 0xC0, 0x2B, 0};
    static const uint8_t http[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
    first_octets(version, sizeof version, IPA_ERR_TRUST_VERSION);
    first_octets(weak, sizeof weak, IPA_ERR_TRUST_VERSION);
    first_octets(failure, sizeof failure, IPA_ERR_TRUST_VERSION);
    first_octets(internal, sizeof internal, IPA_ERR_TLS_ALERT);
    first_octets(old, sizeof old, IPA_ERR_TRUST_VERSION);
    first_octets(http, sizeof http - 1, IPA_ERR_TLS);
}

TEST(tls_server_without_our_suite_is_refused) {
    static const int only[] = {MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CCM, 0};
    start(CERT(good));
    kit_init(&k, 1, CERT(good), NULL, NULL, 0, only);
    CHECK_INT(open_link(), IPA_ERR_TRUST_VERSION);
}

static int alters_late(struct kit *kit, int to_server, uint8_t *data, size_t *len) {
    if (!to_server && kit->sends > 3 && data[0] == 23) data[*len - 1] ^= 1;
    return 1;
}

TEST(tls_altered_records_end_the_connection) {
    start(CERT(good));
    CHECK_INT(open_link(), IPA_OK);
    k.hook = alters_late;
    CHECK_INT(exchange(0, "body", 4, 4), IPA_ERR_TLS);
    k.hook = NULL;
    answers("hello", 200);
}

/* A modem takes a while for each send. */
static int slow_turns;
static int slow_send(void *ctx, int socket, const uint8_t *data, size_t len) {
    if (++slow_turns % 3 != 0) return IPA_AGAIN;
    return kit_send(ctx, socket, data, len);
}

TEST(https_close_waits_for_the_last_word_but_not_for_ever) {
    start(CERT(good));
    config.net.send = slow_send;
    CHECK_INT(open_link(), IPA_OK);
    answers("hello", 200);
    unsigned before = k.sends;
    CHECK_INT(link.close(link.ctx), IPA_AGAIN);
    CHECK_INT(link.close(link.ctx), IPA_AGAIN);
    CHECK_INT(link.close(link.ctx), IPA_OK);
    CHECK_INT(k.sends, before + 1);
    kit_turn(&k);
    CHECK_INT(k.error, MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY);
    CHECK_INT(open_link(), IPA_OK);
    slow_turns = 0;
    CHECK_INT(link.close(link.ctx), IPA_AGAIN);
    k.now += 3000;
    CHECK_INT(link.close(link.ctx), IPA_OK);
    CHECK_INT(link.close(link.ctx), IPA_OK);
}

TEST(https_silence_is_a_timeout) {
    int err;
    start(CERT(good));
    CHECK_INT(open_link(), IPA_OK);
    response = "";
    uint32_t begun = k.now;
    CHECK_INT(exchange(0, "body", 4, 4), IPA_ERR_TIMEOUT);
    CHECK(k.now - begun >= 60000 && k.now - begun <= 61000);
    link.close(link.ctx);
    instead = (const uint8_t *)"";
    instead_len = 0;
    response = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
    DRIVE(err, link.open(link.ctx, &to, WAIT));
    CHECK_INT(err, IPA_OK);
    answers("hi", 200);
}

int main(void) {
    RUN(https_esipa_request_is_as_sgp32_transport_2_1_says);
    RUN(https_es9p_has_five_functions_and_the_boards_cas);
    RUN(https_one_connection_carries_many_exchanges);
    RUN(https_server_that_closes_between_two_is_reached_again_without_telling);
    RUN(https_request_that_crosses_the_servers_close_is_sent_again);
    RUN(https_a_connection_that_never_answered_is_not_tried_again);
    RUN(https_answer_cut_short_is_closed);
    RUN(https_octets_that_nobody_asked_for_are_not_the_next_answer);
    RUN(https_20_kB_both_ways_in_pieces_of_any_size);
    RUN(https_redirects_and_errors_are_answers);
    RUN(https_body_larger_than_the_board_allows);
    RUN(https_refuses_servers_by_name);
    RUN(tls_a_record_larger_than_max_fragment_length_has_its_own_name);
    RUN(tls_a_chain_larger_than_the_buffer_is_no_memory);
    RUN(tls_refusals_of_the_server_have_their_names);
    RUN(tls_server_without_our_suite_is_refused);
    RUN(tls_altered_records_end_the_connection);
    RUN(https_close_waits_for_the_last_word_but_not_for_ever);
    RUN(https_silence_is_a_timeout);
    return check_end();
}
