/* Names of the errors of include/ipa/err.h. */
#include "ipa/err.h"

#define NAME(e) case e: return #e

const char *ipa_err_name(int err) {
    if (err >= 0) return "IPA_OK";
    if (err <= IPA_ERR_DRIVER) return "IPA_ERR_DRIVER";
    if (err <= IPA_ERR_CME) return "IPA_ERR_CME";
    switch (err) {
        NAME(IPA_ERR_UNSUPPORTED);
        NAME(IPA_ERR_TIMEOUT);
        NAME(IPA_ERR_NOT_FOUND);
        NAME(IPA_ERR_LINK);
        NAME(IPA_ERR_NAME);
        NAME(IPA_ERR_TRUST);
        NAME(IPA_ERR_NO_CARD);
        NAME(IPA_ERR_NO_ISDR);
        NAME(IPA_ERR_CHANNEL);
        NAME(IPA_ERR_STORE);
        NAME(IPA_ERR_TOO_LARGE);
        NAME(IPA_ERR_INVALID);
        NAME(IPA_ERR_NO_MEM);
        NAME(IPA_ERR_ENTROPY);
        NAME(IPA_ERR_ABI);
        NAME(IPA_ERR_SELFTEST);
        NAME(IPA_ERR_WASM_REFUSED);
        NAME(IPA_ERR_WASM_TRAP);
        NAME(IPA_ERR_WASM_FUEL);
        NAME(IPA_ERR_WASM_STACK);
        NAME(IPA_ERR_IMAGE_MAGIC);
        NAME(IPA_ERR_IMAGE_FORMAT);
        NAME(IPA_ERR_IMAGE_ABI);
        NAME(IPA_ERR_IMAGE_KEY);
        NAME(IPA_ERR_IMAGE_HASH);
        NAME(IPA_ERR_IMAGE_SIGNATURE);
        NAME(IPA_ERR_IMAGE_OLD);
        NAME(IPA_ERR_IMAGE_MEMORY);
        NAME(IPA_ERR_TRUST_KEY);
        NAME(IPA_ERR_TRUST_CERTIFICATE);
        NAME(IPA_ERR_TRUST_CHAIN);
        NAME(IPA_ERR_TRUST_NAME);
        NAME(IPA_ERR_TRUST_EXPIRED);
        NAME(IPA_ERR_TRUST_PSK);
        NAME(IPA_ERR_TRUST_VERSION);
        NAME(IPA_ERR_TRUST_FORM);
        NAME(IPA_ERR_TRUST_NONE);
        NAME(IPA_ERR_TRUST_ROLE);
        NAME(IPA_ERR_TLS_FRAGMENT);
        NAME(IPA_ERR_TLS_ALERT);
        NAME(IPA_ERR_TLS);
        NAME(IPA_ERR_PROTOCOL);
        NAME(IPA_ERR_CLOSED);
        NAME(IPA_ERR_RESTART);
        NAME(IPA_ERR_MODEM);
        NAME(IPA_ERR_MODEM_SILENT);
        NAME(IPA_ERR_MODEM_RESET);
        NAME(IPA_ERR_NO_NETWORK);
        NAME(IPA_ERR_BUSY);
        NAME(IPA_AGAIN);
        default: return "IPA_ERR";
    }
}
