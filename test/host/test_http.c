/*
 * HTTP/1.1 responses and request heads (host/link/http.h; RFC 9110, 9112).
 *
 * sources: host/link/http.c
 */
#include "check.h"

#include <stdlib.h>

#include "link/http.h"

#define HEAD "HTTP/1.1 200 OK\r\n"

static struct ipa_http h;
static uint8_t body[8192];
static size_t body_len;

/* Feeds a response in pieces of `piece` octets, with room for `cap` octets of body at a time. The error, or how much was used. */
static int feed(const char *text, size_t piece, size_t cap) {
    size_t len = strlen(text), at = 0;
    memset(&h, 0, sizeof h);
    ipa_http_begin(&h, 4096);
    body_len = 0;
    while (at < len && h.state != IPA_HTTP_DONE) {
        size_t n = len - at < piece ? len - at : piece, got = 0;
        uint8_t *exact = malloc(n);
        memcpy(exact, text + at, n);
        int used = ipa_http_feed(&h, exact, n, body + body_len, cap, &got);
        free(exact);
        if (used < 0) return used;
        body_len += got;
        at += (size_t)used;
    }
    return (int)at;
}

static void whole(const char *text, uint16_t code, const char *expected) {
    for (size_t piece = 1; piece <= strlen(text); piece++) {
        for (size_t cap = 1; cap <= 40; cap += 13) {
            CHECK_INT(feed(text, piece, cap), strlen(text));
            CHECK_INT(h.state, IPA_HTTP_DONE);
            CHECK_INT(h.code, code);
            CHECK_BYTES(body, body_len, expected, strlen(expected));
        }
    }
}

static void refused(const char *text, int error) {
    CHECK_INT(feed(text, 1, 100), error);
    CHECK_INT(feed(text, 10000, 100), error);
    CHECK_INT(h.state, IPA_HTTP_BROKEN);
    size_t got;
    CHECK_INT(ipa_http_feed(&h, (const uint8_t *)"x", 1, body, 1, &got), IPA_ERR_PROTOCOL);
}

TEST(http_request_head_is_as_sgp32_transport_2_1_says) {
    char out[400];
    struct ipa_http_request r = {"/gsma/rsp2/asn1", "eim.example.com", 15, 443, "gsma-rsp-ipad", "gsma/rsp/v2.1.0", "application/x-gsma-rsp-asn1", 37};
    const char *expected = "POST /gsma/rsp2/asn1 HTTP/1.1\r\nHost: eim.example.com\r\nUser-Agent: gsma-rsp-ipad\r\n"
        "X-Admin-Protocol: gsma/rsp/v2.1.0\r\nContent-Type: application/x-gsma-rsp-asn1\r\nContent-Length: 37\r\n\r\n";
    int len = ipa_http_head(out, sizeof out, &r);
    CHECK_BYTES(out, (size_t)len, expected, strlen(expected));
    for (size_t cap = 0; cap < strlen(expected); cap++) CHECK_INT(ipa_http_head(out, cap, &r), IPA_ERR_NO_MEM);
    r.port = 8443;
    len = ipa_http_head(out, sizeof out, &r);
    CHECK(len > 0 && strstr(out, "Host: eim.example.com:8443\r\n") != NULL);
    r.host = "::1";
    r.host_len = 3;
    len = ipa_http_head(out, sizeof out - 1, &r);
    out[len < 0 ? 0 : len] = '\0';
    CHECK(strstr(out, "Host: [::1]:8443\r\n") != NULL);
}

TEST(http_content_length_at_every_split) {
    whole(HEAD "Content-Type: application/x-gsma-rsp-asn1\r\ncontent-LENGTH:  11 \r\n\r\nhello world", 200, "hello world");
}

TEST(http_chunked_at_every_split) {
    whole(HEAD "Transfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n6;a=b\r\n world\r\n0\r\n\r\n", 200, "hello world");
    whole(HEAD "Transfer-Encoding: chunked\r\n\r\n00B\r\nhello world\r\n0\r\nX-Trailer: 1\r\n\r\n", 200, "hello world");
}

TEST(http_204_and_length_0_have_no_body) {
    whole("HTTP/1.1 204 No Content\r\nServer: x\r\n\r\n", 204, "");
    whole(HEAD "Content-Length: 0\r\n\r\n", 200, "");
    whole("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", 304, "");
}

TEST(http_octets_behind_the_response_are_left_alone) {
    CHECK_INT(feed(HEAD "Content-Length: 2\r\n\r\nhiHTTP/1.1", 1000, 100), strlen(HEAD "Content-Length: 2\r\n\r\nhi"));
    CHECK_BYTES(body, body_len, "hi", 2);
}

TEST(http_interim_responses_are_skipped) {
    whole("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\n" HEAD "Content-Length: 2\r\n\r\nhi", 200, "hi");
    refused("HTTP/1.1 101 Switching Protocols\r\n\r\n", IPA_ERR_PROTOCOL);
}

TEST(http_without_length_the_body_ends_with_the_connection) {
    feed(HEAD "\r\nhello", 3, 100);
    CHECK_BYTES(body, body_len, "hello", 5);
    CHECK(h.close);
    CHECK_INT(ipa_http_closed(&h), IPA_OK);
    CHECK_INT(h.state, IPA_HTTP_DONE);
}

TEST(http_a_body_cut_short_is_closed) {
    feed(HEAD "Content-Length: 9\r\n\r\nhello", 100, 100);
    CHECK_INT(ipa_http_closed(&h), IPA_ERR_CLOSED);
    feed(HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", 100, 100);
    CHECK_INT(ipa_http_closed(&h), IPA_ERR_CLOSED);
    feed("HTTP/1.1 2", 100, 100);
    CHECK_INT(ipa_http_closed(&h), IPA_ERR_CLOSED);
}

TEST(http_redirect_is_an_answer) {
    whole("HTTP/1.1 302 Found\r\nLocation: https://elsewhere/\r\nContent-Length: 0\r\n\r\n", 302, "");
}

TEST(http_retry_after_in_seconds) {
    feed("HTTP/1.1 503 Busy\r\nRetry-After: 120\r\nContent-Length: 0\r\n\r\n", 7, 1);
    CHECK(h.code == 503 && h.retry_after_s == 120);
    feed("HTTP/1.1 503 Busy\r\nRetry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\nContent-Length: 0\r\n\r\n", 7, 1);
    CHECK(h.code == 503 && h.retry_after_s == 0);
}

TEST(http_connection_close_and_http_1_0_end_the_connection) {
    feed(HEAD "Connection: keep-alive\r\nContent-Length: 0\r\n\r\n", 100, 1);
    CHECK(!h.close);
    feed(HEAD "Connection: foo, Close\r\nContent-Length: 0\r\n\r\n", 100, 1);
    CHECK(h.close);
    feed("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", 100, 1);
    CHECK(h.close);
}

TEST(http_refuses_what_could_be_read_in_two_ways) {
    refused(HEAD "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", IPA_ERR_PROTOCOL);
    refused(HEAD "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", IPA_ERR_PROTOCOL);
    refused(HEAD "Content-Length: 5, 5\r\n\r\n", IPA_ERR_PROTOCOL);
    refused(HEAD "Content-Length: -1\r\n\r\n", IPA_ERR_PROTOCOL);
    refused(HEAD "Content-Length: +5\r\n\r\n", IPA_ERR_PROTOCOL);
    refused(HEAD "Content-Length: 0x5\r\n\r\n", IPA_ERR_PROTOCOL);
    refused(HEAD "Content-Length: 4294967301\r\n\r\n", IPA_ERR_PROTOCOL);
    refused(HEAD "Content-Length:\r\n\r\n", IPA_ERR_PROTOCOL);
    refused(HEAD "Transfer-Encoding: gzip, chunked\r\n\r\n", IPA_ERR_PROTOCOL);
    refused(HEAD "Transfer-Encoding: identity\r\n\r\n", IPA_ERR_PROTOCOL);
    refused(HEAD "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", IPA_ERR_PROTOCOL);
    refused("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", IPA_ERR_PROTOCOL);
    refused(HEAD "Content-Length : 5\r\n\r\n", IPA_ERR_PROTOCOL);
    refused(HEAD " Content-Length: 5\r\n\r\n", IPA_ERR_PROTOCOL);
    refused(HEAD "X: 1\r\n\tfolded: 2\r\n\r\n", IPA_ERR_PROTOCOL);
    refused(HEAD ": 5\r\n\r\n", IPA_ERR_PROTOCOL);
    refused(HEAD "no colon\r\n\r\n", IPA_ERR_PROTOCOL);
    refused(HEAD "A: 1\n\r\n", IPA_ERR_PROTOCOL);
    refused(HEAD "A: 1\rB: 2\r\n\r\n", IPA_ERR_PROTOCOL);
    refused(HEAD "A: \001\r\n\r\n", IPA_ERR_PROTOCOL);
}

TEST(http_refuses_wrong_status_lines) {
    const char *wrong[] = {"HTTP/2.0 200 OK\r\n", "HTTP/1.1 20 OK\r\n", "HTTP/1.1 2000 OK\r\n", "HTTP/1.1  200 OK\r\n", "http/1.1 200 OK\r\n", "ICY 200 OK\r\n", "\r\n", "HTTP/1.1 099 X\r\n", "HTTP/1.1 600 X\r\n", "HTTP/1.2 200 OK\r\n"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) refused(wrong[i], IPA_ERR_PROTOCOL);
    whole("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 200, "");
    whole("HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", 200, "");
}

TEST(http_refuses_wrong_chunks) {
    const char *wrong[] = {"\r\n", "g\r\n", "-1\r\n", "5\r\nhelloX\r\n", "5\r\nhello\n", "12345678\r\n", "5 x;\nhello", "0x5\r\n"};
    char text[200];
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        snprintf(text, sizeof text, HEAD "Transfer-Encoding: chunked\r\n\r\n%s", wrong[i]);
        refused(text, IPA_ERR_PROTOCOL);
    }
}

TEST(http_bounds_body_and_head) {
    refused(HEAD "Content-Length: 4097\r\n\r\n", IPA_ERR_TOO_LARGE);
    refused(HEAD "Transfer-Encoding: chunked\r\n\r\n1001\r\n", IPA_ERR_TOO_LARGE);
    static char text[20000];
    strcpy(text, HEAD "\r\n");
    memset(text + strlen(text), 'x', 4097);
    CHECK_INT(feed(text, 100, 5000), IPA_ERR_TOO_LARGE);
    memset(text, 0, sizeof text);
    strcpy(text, HEAD);
    while (strlen(text) < IPA_CFG_HTTP_HEAD) strcat(text, "X-Filler: 0123456789\r\n");
    refused(text, IPA_ERR_TOO_LARGE);
}

TEST(http_long_lines_are_skipped_unless_they_frame_the_body) {
    char text[600];
    snprintf(text, sizeof text, HEAD "Set-Cookie: %0300d\r\n%0200d: 1\r\nContent-Length: 2\r\n\r\nhi", 1, 2);
    whole(text, 200, "hi");
    snprintf(text, sizeof text, HEAD "Content-Length: %0200d\r\n\r\nhi", 2);
    refused(text, IPA_ERR_PROTOCOL);
}

int main(void) {
    RUN(http_request_head_is_as_sgp32_transport_2_1_says);
    RUN(http_content_length_at_every_split);
    RUN(http_chunked_at_every_split);
    RUN(http_204_and_length_0_have_no_body);
    RUN(http_octets_behind_the_response_are_left_alone);
    RUN(http_interim_responses_are_skipped);
    RUN(http_without_length_the_body_ends_with_the_connection);
    RUN(http_a_body_cut_short_is_closed);
    RUN(http_redirect_is_an_answer);
    RUN(http_retry_after_in_seconds);
    RUN(http_connection_close_and_http_1_0_end_the_connection);
    RUN(http_refuses_what_could_be_read_in_two_ways);
    RUN(http_refuses_wrong_status_lines);
    RUN(http_refuses_wrong_chunks);
    RUN(http_bounds_body_and_head);
    RUN(http_long_lines_are_skipped_unless_they_frame_the_body);
    return check_end();
}
