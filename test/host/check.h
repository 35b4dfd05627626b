/*
 * Unit tests of the C modules: a test is a function, a claim is CHECK(...). One line for each test: `ok NAME` or `not ok NAME`,
 * with the claim that failed, its file and line. Exit code 1 when one failed.
 *
 *     TEST(at_rejects_long_line) { CHECK(at_feed(...) == IPA_ERR_TOO_LARGE); }
 *     int main(void) { RUN(at_rejects_long_line); return check_end(); }
 */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <string.h>

static int check_tests, check_bad, check_this;

#define TEST(name) static void name(void)
#define RUN(name) (check_this = 0, check_tests++, name(), check_report(#name))
#define CHECK(claim) ((claim) ? (void)0 : check_failed(__FILE__, __LINE__, #claim))
#define CHECK_INT(got, expected) check_int(__FILE__, __LINE__, #got, (long long)(got), (long long)(expected))
#define CHECK_BYTES(got, got_len, expected, expected_len) check_bytes(__FILE__, __LINE__, #got, got, got_len, expected, expected_len)

static void check_failed(const char *file, int line, const char *claim) {
    check_this++;
    printf("# %s:%d: %s\n", file, line, claim);
}

static inline void check_int(const char *file, int line, const char *what, long long got, long long expected) {
    if (got == expected) return;
    check_this++;
    printf("# %s:%d: %s is %lld, expected %lld\n", file, line, what, got, expected);
}

static inline void check_bytes(const char *file, int line, const char *what, const void *got, size_t got_len, const void *expected, size_t expected_len) {
    if (got_len == expected_len && (got_len == 0 || memcmp(got, expected, got_len) == 0)) return;
    check_this++;
    printf("# %s:%d: %s is (%zu) ", file, line, what, got_len);
    for (size_t i = 0; i < got_len && i < 64; i++) printf("%02x", ((const unsigned char *)got)[i]);
    printf(", expected (%zu) ", expected_len);
    for (size_t i = 0; i < expected_len && i < 64; i++) printf("%02x", ((const unsigned char *)expected)[i]);
    printf("\n");
}

static void check_report(const char *name) {
    printf("%s %s\n", check_this == 0 ? "ok" : "not ok", name);
    if (check_this != 0) check_bad++;
    fflush(stdout);
}

static int check_end(void) {
    if (check_tests == 0) printf("# no test ran\n");
    return check_bad == 0 && check_tests > 0 ? 0 : 1;
}

#endif
