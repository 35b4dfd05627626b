/*
 * Is this the server? (sgp32-transport 1; RFC 5280 6 by Mbed TLS, RFC 6125 names by dNSName.)
 *
 *     pinned key           the key of the server's certificate equals it; everything else about the certificate is ignored
 *     pinned certificate   the server's certificate equals it, octet by octet
 *     CA                   the chain ends there, dates hold where there is a clock, the name is in subjectAltName (the CN doesn't count)
 *     board's list         as CA, or the server's own certificate stands in it; an SM-DP+ or SM-DS under an RSP CI has the role of its kind
 *                          (SGP.22 4.5.2; certificatePolicies), under another CA it may have none, but no wrong one
 *
 * Mbed TLS calls back for every certificate from the top down; the verdict falls with the server's own, the last.
 */
#include "link/tls_mbedtls.h"

#include <string.h>

#if defined(MBEDTLS_X509_CRT_PARSE_C)

#include "mbedtls/oid.h"

/* Days since 1970 of a date in the proleptic Gregorian calendar; years from March, so that leap days come last. */
static uint32_t days(int year, int month, int day) {
    uint32_t y = (uint32_t)(month > 2 ? year : year - 1);
    uint32_t m = (uint32_t)(month > 2 ? month - 3 : month + 9);
    return y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + (uint32_t)day - 1 - 719468;
}

/* Seconds since 1970, held within 1970 to 2106. */
static uint32_t seconds(const mbedtls_x509_time *at) {
    if (at->year < 1970) return 0;
    if (at->year > 2105) return UINT32_MAX;
    return days(at->year, at->mon, at->day) * 86400u + (uint32_t)at->hour * 3600u + (uint32_t)at->min * 60u + (uint32_t)at->sec;
}

static int out_of_date(const struct ipa_tls *t, const mbedtls_x509_crt *crt) {
    uint32_t now = t->config->utc_s == NULL ? 0 : t->config->utc_s(t->config->ctx);
    return now != 0 && (now < seconds(&crt->valid_from) || now > seconds(&crt->valid_to));
}

static int equals(const struct ipa_trust *trust, const mbedtls_x509_buf *der) {
    size_t len = 0;
    const uint8_t *content = ipa_trust_content(der->p, der->len, &len);
    return content != NULL && len == trust->len && memcmp(content, trust->content, len) == 0;
}

/* 0, or why the chain up to a CA does not do. */
static int by_ca(const struct ipa_tls *t, const mbedtls_x509_crt *leaf) {
    uint32_t chain = t->flags & ~(uint32_t)MBEDTLS_X509_BADCERT_CN_MISMATCH;
    if (chain & MBEDTLS_X509_BADCERT_NOT_TRUSTED && t->trust.kind == IPA_TRUST_CERTIFICATE) return IPA_ERR_TRUST_CERTIFICATE;
    if (chain != 0) return IPA_ERR_TRUST_CHAIN;
    if (t->expired) return IPA_ERR_TRUST_EXPIRED;
    int named = mbedtls_x509_crt_has_ext_type(leaf, MBEDTLS_X509_EXT_SUBJECT_ALT_NAME);
    return named && !(t->flags & MBEDTLS_X509_BADCERT_CN_MISMATCH) ? 0 : IPA_ERR_TRUST_NAME;
}

/* 2.23.146.1.2.1 without its last arc. */
static const uint8_t roles[] = {0x67, 0x81, 0x12, 0x01, 0x02, 0x01};

/* 1: it has this role; 0: none of all; -1: others only. */
static int has_role(const mbedtls_x509_crt *crt, uint8_t role) {
    int result = 0;
    for (const mbedtls_x509_sequence *at = &crt->certificate_policies; at != NULL; at = at->next) {
        if (at->buf.len != sizeof roles + 1 || memcmp(at->buf.p, roles, sizeof roles) != 0) continue;
        if (at->buf.p[sizeof roles] == role) return 1;
        result = -1;
    }
    return result;
}

static int in_list(const mbedtls_x509_crt *list, const mbedtls_x509_crt *leaf) {
    for (; list != NULL; list = list->next) {
        if (list->raw.len == leaf->raw.len && memcmp(list->raw.p, leaf->raw.p, leaf->raw.len) == 0) return 1;
    }
    return 0;
}

static int by_list(const struct ipa_tls *t, const mbedtls_x509_crt *leaf) {
    int err = in_list(&t->ca, leaf) ? 0 : by_ca(t, leaf);
    int role = t->role == 0 ? 1 : has_role(leaf, t->role);
    return err != 0 ? err : role < (t->under_ci ? 1 : 0) ? IPA_ERR_TRUST_ROLE : 0;
}

static int judge(const struct ipa_tls *t, const mbedtls_x509_crt *leaf) {
    if (t->trust.kind == IPA_TRUST_KEY) return equals(&t->trust, &leaf->pk_raw) ? 0 : IPA_ERR_TRUST_KEY;
    if (t->trust.kind == IPA_TRUST_CERTIFICATE && equals(&t->trust, &leaf->raw)) return 0;
    return t->trust.kind == IPA_TRUST_CA ? by_list(t, leaf) : by_ca(t, leaf);
}

/* What the server is told (RFC 5246 7.2.2) by way of Mbed TLS's flags. */
static uint32_t as_flags(int why) {
    if (why == 0) return 0;
    if (why == IPA_ERR_TRUST_EXPIRED) return MBEDTLS_X509_BADCERT_EXPIRED;
    return why == IPA_ERR_TRUST_NAME ? MBEDTLS_X509_BADCERT_CN_MISMATCH : MBEDTLS_X509_BADCERT_NOT_TRUSTED;
}

static int verify(void *ctx, mbedtls_x509_crt *crt, int depth, uint32_t *flags) {
    struct ipa_tls *t = ctx;
    t->flags |= *flags;
    t->expired |= (uint8_t)out_of_date(t, crt);
    t->under_ci |= (uint8_t)(depth > 0 && has_role(crt, IPA_ROLE_CI) == 1);
    *flags = 0;
    if (depth > 0) return 0;
    t->why = judge(t, crt);
    *flags = as_flags(t->why);
    return 0;
}

/* Critical extensions that Mbed TLS doesn't know: certificatePolicies is judged above, anything else is refused. */
static int extension(void *ctx, const mbedtls_x509_crt *crt, const mbedtls_x509_buf *oid, int critical, const unsigned char *p, const unsigned char *end) {
    (void)ctx, (void)crt, (void)critical, (void)p, (void)end;
    return MBEDTLS_OID_CMP(MBEDTLS_OID_CERTIFICATE_POLICIES, oid) == 0 ? 0 : MBEDTLS_ERR_X509_FEATURE_UNAVAILABLE;
}

static int parse(mbedtls_x509_crt *chain, const uint8_t *der, size_t len, int copy) {
    return mbedtls_x509_crt_parse_der_with_ext_cb(chain, der, len, copy, extension, NULL);
}

int ipa_tls_parse_peer(mbedtls_x509_crt *chain, const unsigned char *der, size_t len) {
    return parse(chain, der, len, 0);
}

/* A certificate without its 30 and length: they are put back. */
static int add_content(struct ipa_tls *t) {
    size_t len = t->trust.len;
    uint8_t *der = len > 0xFFFF ? NULL : ipa_tls_calloc(1, len + 4);
    if (der == NULL) return IPA_ERR_NO_MEM;
    const uint8_t head[4] = {0x30, 0x82, (uint8_t)(len >> 8), (uint8_t)len};
    /* DER wants the shortest length; a certificate is always longer than 255 octets, and Mbed TLS takes either. */
    memcpy(der, head, sizeof head);
    memcpy(der + 4, t->trust.content, len);
    int ret = parse(&t->ca, der, len + 4, 1);
    ipa_tls_free(der);
    return ret != 0 ? IPA_ERR_TRUST_FORM : IPA_OK;
}

static int add_all(struct ipa_tls *t, const uint8_t *der, size_t len) {
    while (len > 0) {
        size_t whole = len < 4 || der[0] != 0x30 || der[1] != 0x82 ? 0 : (size_t)(der[2] << 8 | der[3]) + 4;
        if (whole == 0 || whole > len) return IPA_ERR_TRUST_FORM;
        if (parse(&t->ca, der, whole, 0) != 0) return IPA_ERR_TRUST_FORM;
        der += whole;
        len -= whole;
    }
    return IPA_OK;
}

/* A name of digits and dots, or with a colon, is an address: SNI has names only (RFC 6066 3). */
static int is_address(const struct ipa_tls_peer *to) {
    int digits = 1;
    for (size_t i = 0; i < to->host_len; i++) {
        if (to->host[i] == ':') return 1;
        digits &= to->host[i] == '.' || (to->host[i] >= '0' && to->host[i] <= '9');
    }
    return digits;
}

/* The name goes into SNI and is compared with the certificate's. Mbed TLS wants it terminated. */
static int set_name(struct ipa_tls *t, const struct ipa_tls_peer *to) {
    if (is_address(to) && t->trust.kind == IPA_TRUST_KEY) return mbedtls_ssl_set_hostname(&t->ssl, NULL) == 0 ? IPA_OK : IPA_ERR_NO_MEM;
    char *name = ipa_tls_calloc(1, to->host_len + 1);
    if (name == NULL) return IPA_ERR_NO_MEM;
    memcpy(name, to->host, to->host_len);
    int ret = mbedtls_ssl_set_hostname(&t->ssl, name);
    ipa_tls_free(name);
    return ret == MBEDTLS_ERR_SSL_ALLOC_FAILED ? IPA_ERR_NO_MEM : ret != 0 ? IPA_ERR_NAME : IPA_OK;
}

int ipa_tls_trust(struct ipa_tls *t, const struct ipa_tls_peer *to) {
    int err = IPA_OK;
    if (t->trust.kind == IPA_TRUST_PSK) return IPA_OK;
    if (t->trust.kind != IPA_TRUST_CA && t->trust.len == 0) return IPA_ERR_TRUST_FORM;
    if (t->trust.kind == IPA_TRUST_CERTIFICATE) err = add_content(t);
    if (t->trust.kind == IPA_TRUST_CA) err = add_all(t, to->ca, to->ca_len);
    if (err < 0) return err;
    mbedtls_ssl_conf_authmode(&t->conf, MBEDTLS_SSL_VERIFY_REQUIRED);
    /* Empty with a pinned key: Mbed TLS wants a list, the callback decides. */
    mbedtls_ssl_conf_ca_chain(&t->conf, &t->ca, NULL);
    mbedtls_ssl_conf_verify(&t->conf, verify, t);
    return set_name(t, to);
}

#elif IPA_CFG_DTLS

int ipa_tls_trust(struct ipa_tls *t, const struct ipa_tls_peer *to) {
    (void)to;
    return t->trust.kind == IPA_TRUST_PSK ? IPA_OK : IPA_ERR_TRUST_FORM;
}

#endif
