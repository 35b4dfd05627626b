/*
 * The card behind +CCHO/+CGLA and +CSIM: channels, strategies and their order, refusals by name, resets and REFRESH.
 *
 * sources: host/modem/at.c host/modem/modem.c host/modem/net_at.c host/modem/uicc_at.c host/modem/quirks/generic.c host/modem/quirks/quectel.c
 * sources: host/modem/quirks/ublox.c host/modem/quirks/simcom.c host/modem/quirks/nordic.c
 */
#include "modem_fake.h"

#define AID "A0000005591010FFFFFFFF8900000100"
#define ICCID(digits) STEP("AT+CRSM=176,12258,0,0,10\r", "\r\n+CRSM: 144,0,\"" digits "\"\r\n" OKAY)
#define OLD "980001010000000010F9"
#define NEW "980001010000000020F9"
#define NO_ICCID STEP("AT+CRSM=176,12258,0,0,10\r", "\r\n+CME ERROR: 3\r\n")
#define SWEEP STEP("AT+CCHC=1\r", "\r\n+CME ERROR: 21\r\n"), STEP("AT+CCHC=2\r", "\r\nERROR\r\n"), STEP("AT+CCHC=3\r", OKAY)
#define CCHO(answer) STEP("AT+CCHO=\"" AID "\"\r", answer)
#define CGLA_EID "AT+CGLA=1,22,\"80E2910006BF3E035C015A\"\r"
#define CHANNEL(answer) STEP("AT+CSIM=10,\"0070000001\"\r", "\r\n+CSIM: " answer "\r\n" OKAY)
#define SELECT_1 "AT+CSIM=42,\"01A4040010" AID "\"\r"

static const uint8_t isdr[16] = { 0xa0, 0x00, 0x00, 0x05, 0x59, 0x10, 0x10, 0xff, 0xff, 0xff, 0xff, 0x89, 0x00, 0x00, 0x01, 0x00 };
static const uint8_t get_eid[11] = { 0x80, 0xe2, 0x91, 0x00, 0x06, 0xbf, 0x3e, 0x03, 0x5c, 0x01, 0x5a };
static struct phone p;
static uint8_t fci[256];
static struct ipa_uicc_open how;

static int open_isdr(uint32_t flags) {
    int result;
    memset(&how, 0, sizeof how);
    how.aid = isdr;
    how.aid_len = 16;
    how.flags = flags;
    how.fci = fci;
    how.fci_cap = sizeof fci;
    FAKE_AWAIT(&p.fake, result, p.uicc.open(p.uicc.ctx, &how));
    return result;
}

static int transmit(uint8_t *buf, const uint8_t *command, size_t len, size_t cap) {
    int result;
    memcpy(buf, command, len);
    FAKE_AWAIT(&p.fake, result, p.uicc.transmit(p.uicc.ctx, buf, len, cap, 0));
    return result;
}

static int reset(uint32_t flags, uint32_t wait_ms) {
    int result;
    FAKE_AWAIT(&p.fake, result, p.uicc.reset(p.uicc.ctx, flags, wait_ms));
    return result;
}

static void story(size_t cut) {
    static const struct fake_step steps[] = {
        ICCID(OLD), SWEEP, CCHO("\r\n+CCHO: 1\r\n" OKAY),
        STEP(CGLA_EID, "\r\n+CEREG: 2\r\n\r\n+CGLA: 4,\"6115\"\r\n" OKAY),
        STEP("AT+CGLA=1,10,\"00C0000015\"\r", "\r\n+CGLA: 46,\"BF3E125A10890490321234512345123456789012359000\"\r\n" OKAY),
        STEP("AT+CCHC=1\r", "\r\n+CCHC\r\n" OKAY),
    };
    static const uint8_t get_response[5] = { 0x00, 0xc0, 0x00, 0x00, 0x15 };
    struct fake fake = FAKE(steps);
    uint8_t buf[258];
    int result;
    fake.cut = cut;
    fake.pause_ms = 60;
    phone_on(&p, &ipa_family_generic, fake);
    CHECK_INT(open_isdr(0), IPA_OK);
    CHECK_INT(how.channel, 0);
    CHECK_INT(transmit(buf, get_eid, sizeof get_eid, sizeof buf), 2);
    CHECK_BYTES(buf, 2, "\x61\x15", 2);
    CHECK_INT(transmit(buf, get_response, 5, sizeof buf), 23);
    CHECK_BYTES(buf, 7, "\xbf\x3e\x12\x5a\x10\x89\x04", 7);
    FAKE_AWAIT(&p.fake, result, p.uicc.close(p.uicc.ctx));
    CHECK_INT(result, IPA_OK);
    phone_done(&p);
}

TEST(the_card_is_reached_over_CGLA_wherever_the_line_cuts) {
    for (size_t cut = 1; cut < 600 && check_this == 0; cut++) {
        story(cut);
        if (check_this > 0) printf("# cut before octet %zu\n", cut);
    }
}

TEST(without_CCHO_a_channel_is_opened_over_CSIM_and_that_is_remembered) {
    static const struct fake_step steps[] = {
        NO_ICCID, SWEEP, CCHO("\r\nERROR\r\n"), CHANNEL("6,\"019000\""), STEP(SELECT_1, "\r\n+CSIM: 4,\"6121\"\r\n" OKAY),
        STEP("AT+CSIM=10,\"01C0000021\"\r", "\r\n+CSIM: 10,\"6F018A9000\"\r\n" OKAY),
        STEP("AT+CSIM=22,\"81E2910006BF3E035C015A\"\r", "\r\n+CSIM: 4,\"6115\"\r\n" OKAY),
        STEP("AT+CSIM=10,\"0070800100\"\r", "\r\n+CSIM: 4,\"9000\"\r\n" OKAY),
        CHANNEL("6,\"029000\""), STEP("AT+CSIM=42,\"02A4040010" AID "\"\r", "\r\n+CSIM: 4,\"6121\"\r\n" OKAY),
    };
    uint8_t buf[258], on_channel[11];
    int result;
    phone_on(&p, &ipa_family_generic, (struct fake)FAKE(steps));
    CHECK_INT(open_isdr(0), IPA_OK);
    CHECK_INT(how.channel, 1);
    CHECK_BYTES(fci, how.fci_len, "\x6f\x01\x8a", 3);
    memcpy(on_channel, get_eid, 11);
    on_channel[0] = 0x81;
    CHECK_INT(transmit(buf, on_channel, 11, sizeof buf), 2);
    FAKE_AWAIT(&p.fake, result, p.uicc.close(p.uicc.ctx));
    CHECK_INT(result, IPA_OK);
    CHECK_INT(open_isdr(IPA_UICC_NO_FCI), IPA_OK);
    CHECK_INT(how.channel, 2);
    CHECK_INT(how.fci_len, 0);
    phone_done(&p);
}

TEST(channel_1_is_opened_by_its_number_when_the_agent_wants_it) {
    static const struct fake_step steps[] = { NO_ICCID, STEP("AT+CSIM=10,\"0070000100\"\r", "\r\n+CSIM: 4,\"9000\"\r\n" OKAY), STEP(SELECT_1, "\r\n+CSIM: 4,\"9000\"\r\n" OKAY) };
    phone_on(&p, &ipa_family_simcom, (struct fake)FAKE(steps));
    CHECK_INT(open_isdr(IPA_UICC_FIXED_CHANNEL), IPA_OK);
    CHECK_INT(how.channel, 1);
    phone_done(&p);
}

TEST(a_card_without_ISD_R_is_called_so_with_its_status_word) {
    static const struct fake_step steps[] = {
        NO_ICCID, SWEEP, CCHO("\r\n+CME ERROR: 13\r\n"), CHANNEL("6,\"019000\""), STEP(SELECT_1, "\r\n+CSIM: 4,\"6A82\"\r\n" OKAY),
        STEP("AT+CSIM=10,\"0070800100\"\r", "\r\n+CSIM: 4,\"9000\"\r\n" OKAY),
    };
    phone_on(&p, &ipa_family_generic, (struct fake)FAKE(steps));
    CHECK_INT(open_isdr(0), IPA_ERR_NO_ISDR);
    CHECK_INT(how.sw, 0x6a82);
    phone_done(&p);
}

TEST(channels_that_leaked_are_closed_before_the_card_is_given_up) {
    static const struct fake_step steps[] = {
        NO_ICCID, CHANNEL("4,\"6A81\""),
        STEP("AT+CSIM=10,\"0070800100\"\r", "\r\n+CSIM: 4,\"9000\"\r\n" OKAY), STEP("AT+CSIM=10,\"0070800200\"\r", "\r\n+CSIM: 4,\"9000\"\r\n" OKAY), STEP("AT+CSIM=10,\"0070800300\"\r", "\r\n+CSIM: 4,\"6A86\"\r\n" OKAY),
        CHANNEL("4,\"6A81\""),
    };
    phone_on(&p, &ipa_family_simcom, (struct fake)FAKE(steps));
    CHECK_INT(open_isdr(0), IPA_ERR_CHANNEL);
    CHECK_INT(how.sw, 0x6a81);
    phone_done(&p);
}

TEST(a_card_that_is_busy_is_waited_for_ten_seconds) {
    static const struct fake_step busy[] = { NO_ICCID, SWEEP, CCHO("\r\n+CME ERROR: 14\r\n"), CCHO("\r\n+CME ERROR: 14\r\n"), CCHO("\r\n+CCHO: 1\r\n" OKAY), STEP(CGLA_EID, "\r\n+CME ERROR: 14\r\n"), STEP(CGLA_EID, "\r\n+CGLA: 4,\"6115\"\r\n" OKAY) };
    uint8_t buf[258];
    phone_on(&p, &ipa_family_generic, (struct fake)FAKE(busy));
    CHECK_INT(open_isdr(0), IPA_OK);
    CHECK_INT(transmit(buf, get_eid, 11, sizeof buf), 2);
    CHECK_BYTES(buf, 2, "\x61\x15", 2);
    phone_done(&p);
    static const struct fake_step first[] = { NO_ICCID, SWEEP };
    static const char *absent[] = { "AT+CCHO=\"" AID "\"\r", "\r\n+CME ERROR: 10\r\n", NULL };
    static const char *all[sizeof fake_boot_answers / sizeof *fake_boot_answers + 3];
    memcpy(all, absent, sizeof absent);
    memcpy(all + 2, fake_boot_answers, sizeof fake_boot_answers);
    phone_on(&p, &ipa_family_generic, (struct fake)FAKE(first));
    p.fake.boot = all;
    CHECK_INT(open_isdr(0), IPA_ERR_NO_CARD);
    CHECK(p.fake.now > 11000 && p.fake.now < 15000);
}

TEST(the_session_s_number_is_tried_as_the_channel_once) {
    static const struct fake_step steps[] = {
        NO_ICCID, SWEEP, CCHO("\r\n+CCHO: 1\r\n" OKAY), STEP(CGLA_EID, "\r\n+CGLA: 4,\"6D00\"\r\n" OKAY),
        STEP("AT+CGLA=1,22,\"81E2910006BF3E035C015A\"\r", "\r\n+CGLA: 4,\"6115\"\r\n" OKAY), STEP("AT+CGLA=1,22,\"81E2910006BF3E035C015A\"\r", "\r\n+CGLA: 4,\"6985\"\r\n" OKAY),
    };
    uint8_t buf[258];
    phone_on(&p, &ipa_family_generic, (struct fake)FAKE(steps));
    CHECK_INT(open_isdr(0), IPA_OK);
    CHECK_INT(transmit(buf, get_eid, 11, sizeof buf), 2);
    CHECK_BYTES(buf, 2, "\x61\x15", 2);
    CHECK_INT(transmit(buf, get_eid, 11, sizeof buf), 2);
    CHECK_BYTES(buf, 2, "\x69\x85", 2);
    phone_done(&p);
}

TEST(a_command_goes_out_without_Le_and_case_1_with_P3) {
    static const struct fake_step steps[] = { NO_ICCID, SWEEP, CCHO("\r\n+CCHO: 1\r\n" OKAY), STEP(CGLA_EID, "\r\n+CGLA: 4,\"9000\"\r\n" OKAY), STEP("AT+CGLA=1,10,\"8012000000\"\r", "\r\n+CGLA: 4,\"9000\"\r\n" OKAY) };
    uint8_t buf[258], with_le[12] = { 0 };
    phone_on(&p, &ipa_family_generic, (struct fake)FAKE(steps));
    memcpy(with_le, get_eid, 11);
    CHECK_INT(open_isdr(0), IPA_OK);
    CHECK_INT(transmit(buf, with_le, 12, sizeof buf), 2);
    CHECK_INT(transmit(buf, (const uint8_t *)"\x80\x12\x00\x00", 4, sizeof buf), 2);
    phone_done(&p);
}

TEST(an_answer_larger_than_the_buffer_is_an_error) {
    static const struct fake_step steps[] = { NO_ICCID, SWEEP, CCHO("\r\n+CCHO: 1\r\n" OKAY), STEP(CGLA_EID, "\r\n+CGLA: 32,\"000102030405060708090A0B0C0D9000\"\r\n" OKAY) };
    uint8_t buf[16];
    phone_on(&p, &ipa_family_generic, (struct fake)FAKE(steps));
    CHECK_INT(open_isdr(0), IPA_OK);
    memset(buf, 0x55, sizeof buf);
    CHECK_INT(transmit(buf, get_eid, 11, 12), IPA_ERR_TOO_LARGE);
    CHECK_BYTES(buf + 12, 4, "\x55\x55\x55\x55", 4);
}

TEST(a_card_reset_by_REFRESH_shows_at_the_dead_session) {
    static const struct fake_step steps[] = { NO_ICCID, SWEEP, CCHO("\r\n+CCHO: 1\r\n" OKAY), STEP(CGLA_EID, "\r\n+CME ERROR: 3\r\n"), STEP("AT+CCHC=1\r", "\r\nERROR\r\n"), CCHO("\r\n+CCHO: 1\r\n" OKAY) };
    uint8_t buf[258];
    phone_on(&p, &ipa_family_generic, (struct fake)FAKE(steps));
    CHECK_INT(open_isdr(0), IPA_OK);
    p.uicc.was_reset(p.uicc.ctx);
    CHECK_INT(transmit(buf, get_eid, 11, sizeof buf), IPA_ERR_CME - 3);
    CHECK(p.uicc.was_reset(p.uicc.ctx));
    CHECK(!p.uicc.was_reset(p.uicc.ctx));
    CHECK_INT(transmit(buf, get_eid, 11, sizeof buf), IPA_ERR_CHANNEL);
    CHECK_INT(open_isdr(0), IPA_OK);
    phone_done(&p);
}

TEST(a_modem_that_restarts_in_the_middle_is_set_up_anew) {
    static const struct fake_step steps[] = { NO_ICCID, SWEEP, CCHO("\r\n+CCHO: 1\r\n" OKAY), STEP(CGLA_EID, "\r\n+CGLA: 46,\"BF3E12\r\nRDY\r\n"), NO_ICCID, SWEEP, CCHO("\r\n+CCHO: 2\r\n" OKAY) };
    uint8_t buf[258];
    phone_on(&p, &ipa_family_generic, (struct fake)FAKE(steps));
    CHECK_INT(open_isdr(0), IPA_OK);
    CHECK_INT(transmit(buf, get_eid, 11, sizeof buf), IPA_ERR_MODEM_RESET);
    CHECK(p.uicc.was_reset(p.uicc.ctx));
    CHECK_INT(open_isdr(0), IPA_OK);
    CHECK_INT(p.modem.boots, 1);
    phone_done(&p);
}

TEST(the_terminal_s_own_refresh_is_waited_for) {
    static const struct fake_step steps[] = { ICCID(OLD), SWEEP, CCHO("\r\n+CCHO: 1\r\n" OKAY), ICCID(OLD), ICCID(NEW) };
    phone_on(&p, &ipa_family_generic, (struct fake)FAKE(steps));
    CHECK_INT(open_isdr(0), IPA_OK);
    CHECK_INT(reset(IPA_UICC_AFTER_REFRESH, 5000), IPA_OK);
    CHECK(p.uicc.was_reset(p.uicc.ctx));
    phone_done(&p);
}

TEST(no_refresh_a_card_off_and_on_and_at_last_the_whole_modem) {
    static const struct fake_step steps[] = {
        ICCID(OLD), SWEEP, CCHO("\r\n+CCHO: 1\r\n" OKAY), ICCID(OLD), ICCID(OLD),
        STEP("AT+CFUN=0\r", OKAY), STEP("AT+CFUN=1\r", OKAY "\r\n+CPIN: READY\r\n"), ICCID(OLD),
    };
    static const struct fake_step cured[] = { ICCID(OLD), SWEEP, CCHO("\r\n+CCHO: 1\r\n" OKAY), ICCID(OLD), ICCID(OLD), STEP("AT+CFUN=0\r", OKAY), STEP("AT+CFUN=1\r", OKAY), STEP("AT+CRSM=176,12258,0,0,10\r", "\r\n+CME ERROR: 14\r\n"), ICCID(NEW) };
    static const char *stale[] = { "AT+CRSM=176,12258,0,0,10\r", "\r\n+CRSM: 144,0,\"" OLD "\"\r\n" OKAY, "AT+CFUN=1,1\r", OKAY "\r\nRDY\r\n", NULL };
    static const char *all[sizeof fake_boot_answers / sizeof *fake_boot_answers + 4];
    phone_on(&p, &ipa_family_generic, (struct fake)FAKE(cured));
    CHECK_INT(open_isdr(0), IPA_OK);
    CHECK_INT(reset(IPA_UICC_AFTER_REFRESH, 3000), IPA_OK);
    phone_done(&p);
    memcpy(all, stale, sizeof stale);
    memcpy(all + 4, fake_boot_answers, sizeof fake_boot_answers);
    phone_on(&p, &ipa_family_generic, (struct fake)FAKE(steps));
    p.fake.boot = all;
    CHECK_INT(open_isdr(0), IPA_OK);
    CHECK_INT(reset(IPA_UICC_AFTER_REFRESH, 3000), IPA_OK);
    CHECK(p.modem.boots >= 1);
}

TEST(a_reset_without_refresh_is_a_card_off_and_on) {
    static const struct fake_step steps[] = { STEP("AT+CFUN=0\r", OKAY), STEP("AT+CFUN=1\r", OKAY) };
    phone_on(&p, &ipa_family_generic, (struct fake)FAKE(steps));
    /* The boot's own +CFUN=1 is not the script's. */
    CHECK_INT(reset(0, 0), IPA_OK);
    phone_done(&p);
}

int main(void) {
    RUN(the_card_is_reached_over_CGLA_wherever_the_line_cuts);
    RUN(without_CCHO_a_channel_is_opened_over_CSIM_and_that_is_remembered);
    RUN(channel_1_is_opened_by_its_number_when_the_agent_wants_it);
    RUN(a_card_without_ISD_R_is_called_so_with_its_status_word);
    RUN(channels_that_leaked_are_closed_before_the_card_is_given_up);
    RUN(a_card_that_is_busy_is_waited_for_ten_seconds);
    RUN(the_session_s_number_is_tried_as_the_channel_once);
    RUN(a_command_goes_out_without_Le_and_case_1_with_P3);
    RUN(an_answer_larger_than_the_buffer_is_an_error);
    RUN(a_card_reset_by_REFRESH_shows_at_the_dead_session);
    RUN(a_modem_that_restarts_in_the_middle_is_set_up_anew);
    RUN(the_terminal_s_own_refresh_is_waited_for);
    RUN(no_refresh_a_card_off_and_on_and_at_last_the_whole_modem);
    RUN(a_reset_without_refresh_is_a_card_off_and_on);
    return check_end();
}
