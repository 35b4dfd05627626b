/* trustedPublicKeyDataTls (trust.h). */
#include "link/trust.h"

#include <string.h>

#include "ipa/err.h"

struct tlv {
    uint8_t tag;
    const uint8_t *value;
    size_t len;
    size_t whole;    /* with tag and length */
};

/* One data object with a tag of one octet and a length of up to three more. 0, or -1. */
static int read_tlv(struct tlv *out, const uint8_t *p, size_t len) {
    if (len < 2 || (p[0] & 0x1F) == 0x1F) return -1;
    size_t more = p[1] < 0x80 ? 0 : p[1] & 0x7Fu;
    if (more > 3 || p[1] == 0x80 || len < 2 + more) return -1;
    out->tag = p[0];
    out->len = more == 0 ? p[1] : 0;
    for (size_t i = 0; i < more; i++) out->len = out->len << 8 | p[2 + i];
    if (out->len > len - 2 - more) return -1;
    out->value = p + 2 + more;
    out->whole = 2 + more + out->len;
    return 0;
}

const uint8_t *ipa_trust_content(const uint8_t *data, size_t len, size_t *content_len) {
    struct tlv tlv;
    if (read_tlv(&tlv, data, len) < 0 || tlv.tag != 0x30 || tlv.whole != len) return NULL;
    *content_len = tlv.len;
    return tlv.value;
}

/* Second child: 03 in a SubjectPublicKeyInfo, 30 in a Certificate. */
static enum ipa_trust_kind by_shape(const uint8_t *content, size_t len) {
    struct tlv first, second;
    if (read_tlv(&first, content, len) < 0 || read_tlv(&second, content + first.whole, len - first.whole) < 0) return IPA_TRUST_NOTHING;
    return second.tag == 0x03 ? IPA_TRUST_KEY : second.tag == 0x30 ? IPA_TRUST_CERTIFICATE : IPA_TRUST_NOTHING;
}

int ipa_trust_read(struct ipa_trust *trust, const uint8_t *a6, size_t len) {
    struct tlv outer, inner;
    memset(trust, 0, sizeof *trust);
    if (read_tlv(&outer, a6, len) < 0 || outer.whole != len || read_tlv(&inner, outer.value, outer.len) < 0 || inner.whole != outer.len) return IPA_ERR_TRUST_FORM;
    if (inner.tag != 0x30 && inner.tag != 0xA0 && inner.tag != 0xA1) return IPA_ERR_TRUST_FORM;
    trust->content = inner.value;
    trust->len = inner.len;
    /* Nested: the complete object inside A0 or A1. */
    const uint8_t *nested = inner.tag == 0x30 ? NULL : ipa_trust_content(inner.value, inner.len, &trust->len);
    if (nested != NULL) trust->content = nested;
    else trust->len = inner.len;
    trust->kind = by_shape(trust->content, trust->len);
    if (trust->kind == IPA_TRUST_NOTHING) return IPA_ERR_TRUST_FORM;
    if (inner.tag != 0x30 && trust->kind != (inner.tag == 0xA0 ? IPA_TRUST_KEY : IPA_TRUST_CERTIFICATE)) return IPA_ERR_TRUST_FORM;
    return IPA_OK;
}
