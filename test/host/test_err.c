/*
 * Unit tests of host/src/err.c.
 * sources: host/src/err.c
 */
#include "check.h"
#include "ipa/err.h"
#include "ipa/ipa.h"
#include "ipa/net.h"
#include "ipa/uart.h"

TEST(every_kind_of_error_has_its_name) {
    CHECK(strcmp(ipa_err_name(IPA_ERR_TIMEOUT), "IPA_ERR_TIMEOUT") == 0);
    CHECK(strcmp(ipa_err_name(IPA_ERR_CME - 100), "IPA_ERR_CME") == 0);
    CHECK(strcmp(ipa_err_name(IPA_ERR_DRIVER - 7), "IPA_ERR_DRIVER") == 0);
    CHECK(strcmp(ipa_err_name(3), "IPA_OK") == 0);
}

int main(void) {
    RUN(every_kind_of_error_has_its_name);
    return check_end();
}
