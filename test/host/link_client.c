/*
 * The links on this computer's sockets, for tests against other people's servers: opens one endpoint, does exchanges, prints what happened.
 *
 *     link_client KEY=VALUE...
 *       to=HOST[:PORT]  binding=coaps|https|es9p|es11  at=PORT (connect to 127.0.0.1:PORT instead)
 *       trust=FILE (whole A6 data object)  ca=FILE (DER certificates)  psk=ID:HEX  utc=SECONDS  fn=N
 *       body=FILE  out=FILE (answers, one behind the other)  count=N  piece=N (octets a piece, both ways)  pause=MS (between exchanges)
 *       ack=MS  retries=N  szx=N  path=a/b  method=CODE  handshake=MS  wait=MS  format=N  memory=OCTETS  mtu=OCTETS  max=OCTETS  plain=1
 *       park=1 (close and open between exchanges)  sleep=1 (the same, through a saved session)
 *
 * One line for each exchange: "answer CODE OCTETS retry_after=N"; at the end "ok", or "error NAME"; on stderr "heap N".
 *
 * sources: host/link/coap.c host/link/coap_block.c host/link/coap_msg.c host/link/http.c host/link/link.c host/link/link_coaps.c host/link/link_https.c
 * sources: host/link/tls_mbedtls.c host/link/dtls_mbedtls.c host/link/tls_verify.c host/link/tls_heap.c host/link/trust.c host/src/err.c boards/posix/net_posix.c
 * needs: mbedtls
 * flags: -DIPA_CFG_LAB_PLAIN_COAP=1 -Iboards/posix
 */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "link/links.h"
#include "net_posix.h"

struct options {
    const char *to, *binding, *body, *out;
    uint32_t count, piece, wait, fn, park, sleep, pause, memory, mtu;
};

struct file {
    uint8_t *data;
    size_t len;
};

static struct net_posix net;
static struct file saved;
static uint32_t utc;

static int random_octets(void *ctx, uint8_t *p, size_t len) {
    FILE *f = fopen("/dev/urandom", "rb");
    (void)ctx;
    size_t got = f == NULL ? 0 : fread(p, 1, len, f);
    if (f != NULL) fclose(f);
    return got == len ? IPA_OK : IPA_ERR_ENTROPY;
}

static uint32_t now_ms(void *ctx) {
    struct timespec t;
    (void)ctx;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint32_t)((uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000);
}

static uint32_t utc_s(void *ctx) {
    (void)ctx;
    return utc;
}

static int load(void *ctx, uint8_t *record, size_t cap) {
    (void)ctx;
    if (saved.len == 0 || saved.len > cap) return IPA_ERR_NOT_FOUND;
    memcpy(record, saved.data, saved.len);
    return (int)saved.len;
}

static int save(void *ctx, const uint8_t *record, size_t len) {
    (void)ctx;
    saved.data = realloc(saved.data, len);
    memcpy(saved.data, record, len);
    saved.len = len;
    fprintf(stderr, "saved %zu\n", len);
    return IPA_OK;
}

static int invalidate(void *ctx) {
    (void)ctx;
    saved.len = 0;
    return IPA_OK;
}

static struct file read_file(const char *path) {
    struct file file = {NULL, 0};
    FILE *f = fopen(path, "rb");
    if (f == NULL) {
        perror(path);
        exit(2);
    }
    file.data = malloc(1 << 22);
    file.len = fread(file.data, 1, 1 << 22, f);
    fclose(f);
    return file;
}

static void set_psk(struct ipa_link_config *c, char *value) {
    static uint8_t key[64];
    char *colon = strrchr(value, ':');
    if (colon == NULL) exit(2);
    *colon = '\0';
    for (char *p = colon + 1; p[0] != '\0' && p[1] != '\0' && c->psk_len < sizeof key; p += 2) {
        unsigned octet;
        if (sscanf(p, "%2x", &octet) != 1) exit(2);
        key[c->psk_len++] = (uint8_t)octet;
    }
    c->psk_identity = value;
    c->psk = key;
}

static void option(struct ipa_link_config *c, struct options *o, struct ipa_endpoint *to, const char *key, char *value) {
    uint32_t number = (uint32_t)strtoul(value, NULL, 10);
    struct file file;
    struct { const char *name; uint32_t *at; } numbers[] = {
        {"count", &o->count}, {"piece", &o->piece}, {"wait", &o->wait}, {"fn", &o->fn}, {"park", &o->park}, {"sleep", &o->sleep}, {"pause", &o->pause}, {"memory", &o->memory},
        {"ack", &c->coap.ack_timeout_ms}, {"retries", &c->coap.max_retransmit}, {"utc", &utc}, {"max", &c->coap.body_max}, {"mtu", &o->mtu},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (strcmp(key, numbers[i].name) == 0) {
            *numbers[i].at = number;
            return;
        }
    }
    if (strcmp(key, "to") == 0) o->to = value;
    else if (strcmp(key, "binding") == 0) o->binding = value;
    else if (strcmp(key, "at") == 0) { net.instead = "127.0.0.1"; net.instead_port = (uint16_t)number; }
    else if (strcmp(key, "body") == 0) o->body = value;
    else if (strcmp(key, "out") == 0) o->out = value;
    else if (strcmp(key, "psk") == 0) set_psk(c, value);
    else if (strcmp(key, "path") == 0) c->coap.path = value;
    else if (strcmp(key, "method") == 0) c->coap.method = (uint8_t)number;
    else if (strcmp(key, "szx") == 0) c->coap.szx = (uint8_t)number;
    else if (strcmp(key, "format") == 0) c->coap.content_format = (int32_t)number;
    else if (strcmp(key, "handshake") == 0) { c->handshake_min_ms = number; c->handshake_max_ms = number * 4; }
    else if (strcmp(key, "plain") == 0) { c->lab_plain_coap = 1; c->coap.token_min = 4; }
    else if (strcmp(key, "trust") == 0) { file = read_file(value); to->trust = file.data; to->trust_len = file.len; }
    else if (strcmp(key, "ca") == 0) { file = read_file(value); c->ca = file.data; c->ca_len = file.len; }
    else { fprintf(stderr, "unknown key %s\n", key); exit(2); }
}

/* Calls again while it says IPA_AGAIN, sleeping until something arrives. */
#define UNTIL_DONE(result, call) while (((result) = (call)) == IPA_AGAIN) net_posix_wait(&net, 20)

static int exchange(struct ipa_link *link, const struct options *o, const struct file *body, FILE *out) {
    struct ipa_request how = {(uint32_t)body->len, (uint8_t)o->fn, 1, 0};
    struct ipa_answer about;
    size_t at = 0, got = 0;
    int err;
    do {
        size_t len = body->len - at < o->piece ? body->len - at : o->piece;
        how.last = at + len == body->len;
        UNTIL_DONE(err, link->send(link->ctx, &how, body->data + at, len, o->wait));
        if (err < 0) return err;
        at += len;
        how.first = 0;
    } while (!how.last);
    do {
        static uint8_t piece[4096];
        UNTIL_DONE(err, link->receive(link->ctx, piece, o->piece < sizeof piece ? o->piece : sizeof piece, &about, o->wait));
        if (err < 0) return err;
        if (out != NULL) fwrite(piece, 1, (size_t)err, out);
        got += (size_t)err;
    } while (!about.last);
    printf("answer %u %zu retry_after=%u\n", about.code, got, (unsigned)about.retry_after_s);
    fflush(stdout);
    return IPA_OK;
}

static void pause_ms(uint32_t ms) {
    struct timespec t = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
    nanosleep(&t, NULL);
}

static int run(struct ipa_link *link, const struct options *o, const struct ipa_endpoint *to) {
    struct file body = o->body == NULL ? (struct file){NULL, 0} : read_file(o->body);
    FILE *out = o->out == NULL ? NULL : fopen(o->out, "wb");
    int err;
    UNTIL_DONE(err, link->open(link->ctx, to, o->wait));
    for (uint32_t i = 0; i < o->count && err >= 0; i++) {
        if (i > 0) pause_ms(o->pause);
        if (i > 0 && (o->park || o->sleep)) {
            UNTIL_DONE(err, link->close(link->ctx));
            if (o->sleep) err = ipa_link_sleep(link);
            if (err >= 0) UNTIL_DONE(err, link->open(link->ctx, to, o->wait));
        }
        if (err >= 0) err = exchange(link, o, &body, out);
    }
    int closed;
    UNTIL_DONE(closed, link->close(link->ctx));
    if (out != NULL) fclose(out);
    free(body.data);
    return err < 0 ? err : closed;
}

int main(int argc, char **argv) {
    struct ipa_link_config config;
    struct ipa_link link;
    struct ipa_endpoint to = {IPA_PEER_EIM, IPA_ESIPA_COAPS, NULL, 0, NULL, 0};
    struct options o = {"localhost", "coaps", NULL, NULL, 1, 1024, 60000, 0, 0, 0, 0, 20000, 1280};
    memset(&config, 0, sizeof config);
    ipa_link_defaults(&config);
    net_posix_init(&net, &config.net);
    for (int i = 1; i < argc; i++) {
        char *equals = strchr(argv[i], '=');
        if (equals == NULL) return 2;
        *equals = '\0';
        option(&config, &o, &to, argv[i], equals + 1);
    }
    if (strcmp(o.binding, "https") == 0) to.binding = IPA_ESIPA_HTTPS;
    if (strcmp(o.binding, "es9p") == 0) { to.binding = IPA_ES9P_HTTPS; to.peer = IPA_PEER_SMDP; }
    if (strcmp(o.binding, "es11") == 0) { to.binding = IPA_ES9P_HTTPS; to.peer = IPA_PEER_SMDS; }
    to.fqdn = o.to;
    to.fqdn_len = strlen(o.to);
    config.net.send_max = (uint16_t)o.mtu;
    config.entropy = random_octets;
    config.now_ms = now_ms;
    config.utc_s = utc_s;
    config.session = (struct ipa_link_session){load, save, invalidate, NULL};
    uint8_t *memory = malloc(ipa_link_need() + o.memory);
    int err = ipa_link_init(&link, &config, memory, ipa_link_need() + o.memory);
    if (err == IPA_OK) {
        err = run(&link, &o, &to);
        ipa_link_stop(&link);
        fprintf(stderr, "heap %zu need %zu\n", ipa_link_heap_peak(&link), ipa_link_need());
    }
    printf(err < 0 ? "error %s\n" : "ok\n", ipa_err_name(err));
    free(memory);
    free(saved.data);
    free((void *)(uintptr_t)to.trust);
    free((void *)(uintptr_t)config.ca);
    return err < 0;
}
