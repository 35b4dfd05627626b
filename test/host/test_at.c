/*
 * AT line discipline: every form of answer, cut at every octet; echo, URCs in between, prompts, payload that looks like a result;
 * and what goes wrong on a line: octets lost and garbled, silence, late answers, resets.
 *
 * sources: host/modem/at.c
 */
#include "modem/at.h"

#include "at_fake.h"
#include "check.h"

struct bench {
    struct fake fake;
    struct ipa_uart uart;
    struct ipa_at at;
    char lines[512];
    const char *boot_line;
};

static void on_line(void *ctx, struct ipa_at *at) {
    struct bench *b = ctx;
    if (strlen(b->lines) + strlen(at->line) + 2 < sizeof b->lines) {
        strcat(b->lines, at->line);
        strcat(b->lines, "|");
    }
    if (b->boot_line != NULL && strcmp(at->line, b->boot_line) == 0) ipa_at_fail(at, IPA_ERR_MODEM_RESET);
}

/* In step with the modem already, unless the test wants it otherwise. */
static void set_up(struct bench *b, struct fake fake) {
    memset(b, 0, sizeof *b);
    b->fake = fake;
    b->fake.now = 1000;
    b->uart = fake_uart(&b->fake);
    ipa_at_init(&b->at, &b->uart, on_line, b);
    b->at.dirty = 0;
    fake_unasked(&b->fake);
}

static int step(struct bench *b, const struct ipa_at_row *row) {
    ipa_at_poll(&b->at, b->fake.now);
    return ipa_at_run(&b->at, row);
}

static int run(struct bench *b, const struct ipa_at_row *row) {
    int result;
    FAKE_AWAIT(&b->fake, result, step(b, row));
    return result;
}

static const struct ipa_at_row plain = { "+CFUN=1", NULL, 0, 15 };
static const struct ipa_at_row csim = { "+CSIM=%N,\"%x\"", "+CSIM: %N,%x", IPA_AT_BARE, 10 };
static const struct ipa_at_row ccho = { "+CCHO=\"%x\"", "+CCHO: %i", IPA_AT_BARE, 10 };
static const struct ipa_at_row qiopen = { "+QIOPEN=1,%s,\"UDP\",\"%h\",%p", "+QIOPEN: %s,%e", IPA_AT_LATER, 150 };
static const struct ipa_at_row qisend = { "+QISEND=%s,%n", NULL, IPA_AT_PROMPT | IPA_AT_SEND_OK, 10 };
static const struct ipa_at_row qird = { "+QIRD=%s,%m", "+QIRD: %n\n%b", 0, 10 };
static const struct ipa_at_row carecv = { "+CARECV=%s,%m", "+CARECV: %n,%b", 0, 10 };
static const struct ipa_at_row usord = { "+USORD=%s,%m", "+USORD: %s,%n,\"%b", 0, 10 };
static const struct ipa_at_row casend = { "+CASEND=%s,%n", NULL, IPA_AT_PROMPT, 10 };
static const struct ipa_at_row cereg = { "+CEREG?", "+CEREG: %_,%u", 0, 0 };

/* One command with its answer, as it must come out. */
struct exchange {
    const char *name;
    const struct ipa_at_row *row;
    struct fake_step steps[2];
    size_t count;
    int result;
    const char *payload;   /* of the answer */
    size_t payload_len;
};

#define TRICKY "a\r\nOK\r\n+CME ERROR: 3\r\n\"b\0c"
#define EX(row, expect, reply, result, payload) { expect, row, { STEP(expect, reply) }, 1, result, payload, sizeof(payload) - 1 }

static const struct exchange exchanges[] = {
    EX(&plain, "AT+CFUN=1\r", "\r\nOK\r\n", 0, ""),
    EX(&plain, "AT+CFUN=1\r", "AT+CFUN=1\r\r\nOK\r\n", 0, ""),
    EX(&plain, "AT+CFUN=1\r", "T+CFUN=1\r\r\r\nOK\r\r\n", 0, ""),
    EX(&plain, "AT+CFUN=1\r", "\r\n+CEREG: 2\r\n\r\n\r\nOK\r\n", 0, ""),
    EX(&plain, "AT+CFUN=1\r", "\0\xff\r\nOK\r\n", 0, ""),
    EX(&plain, "AT+CFUN=1\r", "\r\nERROR\r\n", IPA_ERR_MODEM, ""),
    EX(&plain, "AT+CFUN=1\r", "\r\n+CME ERROR: 13\r\n", IPA_ERR_CME - 13, ""),
    EX(&plain, "AT+CFUN=1\r", "\r\n+CME ERROR:14\r\n", IPA_ERR_CME - 14, ""),
    EX(&plain, "AT+CFUN=1\r", "\r\n+CME ERROR: SIM busy\r\n", IPA_ERR_MODEM, ""),
    EX(&plain, "AT+CFUN=1\r", "\r\n+CMS ERROR: 310\r\n", IPA_ERR_MODEM, ""),
    EX(&csim, "AT+CSIM=4,\"0102\"\r", "\r\n+CSIM: 6,\"019000\"\r\n\r\nOK\r\n", 0, "\x01\x90\x00"),
    EX(&csim, "AT+CSIM=4,\"0102\"\r", "\r\n+CSIM: 6,\"01aBcd\"\r\n\r\n+CEREG: 5\r\n\r\nOK\r\n", 0, "\x01\xab\xcd"),
    EX(&csim, "AT+CSIM=4,\"0102\"\r", "\r\n+CSIM:6,019000\r\n\r\nOK\r\n", 0, "\x01\x90\x00"),
    EX(&csim, "AT+CSIM=4,\"0102\"\r", "\r\n6,\"019000\"\r\n\r\nOK\r\n", 0, "\x01\x90\x00"),
    EX(&csim, "AT+CSIM=4,\"0102\"\r", "AT+CSIM=4,\"0102\"\r\r\n+CSIM: 4,\"9000\"\r\n\r\nOK\r\n", 0, "\x90\x00"),
    EX(&csim, "AT+CSIM=4,\"0102\"\r", "\r\n+CSIM: 6,\"01900\"\r\n\r\nOK\r\n", IPA_ERR_MODEM, "\x01\x90"),
    EX(&csim, "AT+CSIM=4,\"0102\"\r", "\r\n+CSIM: 6,\"01#000\"\r\n\r\nOK\r\n", IPA_ERR_MODEM, "\x01"),
    EX(&csim, "AT+CSIM=4,\"0102\"\r", "\r\nOK\r\n", IPA_ERR_MODEM, ""),
    EX(&ccho, "AT+CCHO=\"0102\"\r", "\r\n+CCHO: 1\r\n\r\nOK\r\n", 0, ""),
    EX(&qird, "AT+QIRD=3,1500\r", "\r\n+QIRD: 26\r\n" TRICKY "\r\n\r\nOK\r\n", 0, TRICKY),
    EX(&qird, "AT+QIRD=3,1500\r", "\r\n+QIRD: 3\r\r\n\r\n\r\r\n\r\nOK\r\n", 0, "\r\n\r"),
    EX(&qird, "AT+QIRD=3,1500\r", "\r\n+QIRD: 0\r\n\r\nOK\r\n", 0, ""),
    EX(&carecv, "AT+CARECV=3,1500\r", "\r\n+CARECV: 26," TRICKY "\r\nOK\r\n", 0, TRICKY),
    EX(&carecv, "AT+CARECV=3,1500\r", "\r\n+CARECV: 0\r\n\r\nOK\r\n", 0, ""),
    EX(&usord, "AT+USORD=3,1500\r", "\r\n+USORD: 3,26,\"" TRICKY "\"\r\n\r\nOK\r\n", 0, TRICKY),
    EX(&usord, "AT+USORD=3,1500\r", "\r\n+UUSORD: 3,26\r\n\r\n+USORD: 3,0,\"\"\r\n\r\nOK\r\n", 0, ""),
    EX(&qiopen, "AT+QIOPEN=1,3,\"UDP\",\"host\",5684\r", "\r\nOK\r\n\r\n+QIOPEN: 4,0\r\n\r\n+QIOPEN: 3,0\r\n", 0, ""),
    EX(&qiopen, "AT+QIOPEN=1,3,\"UDP\",\"host\",5684\r", "\r\n+QIOPEN: 3,0\r\n\r\nOK\r\n", 0, ""),
    EX(&qiopen, "AT+QIOPEN=1,3,\"UDP\",\"host\",5684\r", "\r\nOK\r\n\r\n+QIOPEN: 3,566\r\n", IPA_ERR_DRIVER - 566, ""),
    EX(&qiopen, "AT+QIOPEN=1,3,\"UDP\",\"host\",5684\r", "\r\n+CME ERROR: 30\r\n", IPA_ERR_CME - 30, ""),
    EX(&cereg, "AT+CEREG?\r", "\r\n+CEREG: 5,\"1A2B\",\"01\",7\r\n\r\n+CEREG: 0,1\r\n\r\nOK\r\n", 0, ""),
    { "prompt", &qisend, { STEP("AT+QISEND=3,2\r", "\r\n> "), STEP("\x01\x02", "\r\nSEND OK\r\n") }, 2, 0, "", 0 },
    { "prompt behind echo and URC", &qisend, { STEP("AT+QISEND=3,2\r", "AT+QISEND=3,2\r\r\n+CEREG: 1\r\n\r\n>"), STEP("\x01\x02", "\r\nOK\r\n\r\nSEND OK\r\n") }, 2, 0, "", 0 },
    { "send fails", &qisend, { STEP("AT+QISEND=3,2\r", "\r\n> "), STEP("\x01\x02", "\r\nSEND FAIL\r\n") }, 2, IPA_ERR_MODEM, "", 0 },
    { "no prompt but ERROR", &qisend, { STEP("AT+QISEND=3,2\r", "\r\nERROR\r\n") }, 1, IPA_ERR_MODEM, "", 0 },
    { "prompt @", &casend, { STEP("AT+CASEND=3,2\r", "@"), STEP("\x01\x02", "\r\nOK\r\n") }, 2, 0, "", 0 },
    { "prompt CONNECT", &casend, { STEP("AT+CASEND=3,2\r", "\r\nCONNECT\r\n"), STEP("\x01\x02", "\r\nOK\r\n") }, 2, 0, "", 0 },
    { "prompt DOWNLOAD", &casend, { STEP("AT+CASEND=3,2\r", "\r\nDOWNLOAD\r\n"), STEP("\x01\x02", "\r\nOK\r\n") }, 2, 0, "", 0 },
};

static void exchange(struct bench *b, const struct exchange *e, size_t cut) {
    static uint8_t data[2] = { 1, 2 };
    static uint8_t sink[64];
    struct fake fake = FAKE(e->steps);
    fake.count = e->count;
    fake.cut = cut;
    fake.pause_ms = 40;
    set_up(b, fake);
    b->at.arg = (struct ipa_at_args){ .text = "host", .text_len = 4, .data = data, .data_len = 2, .sink = sink, .cap = sizeof sink, .most = 1500, .port = 5684, .socket = 3 };
    memset(sink, 0x55, sizeof sink);
    CHECK_INT(run(b, e->row), e->result);
    CHECK_BYTES(sink, b->at.got, e->payload, e->payload_len);
    CHECK_INT(b->fake.step, e->count);
    if (b->fake.wrong[0] != 0) printf("# %s: unexpected %s\n", e->name, b->fake.wrong);
}

TEST(every_answer_is_understood_wherever_the_line_cuts_it) {
    static struct bench b;
    for (size_t i = 0; i < sizeof exchanges / sizeof *exchanges; i++) {
        size_t octets = exchanges[i].steps[0].reply_len + exchanges[i].steps[1].reply_len;
        int before = check_this;
        for (size_t cut = 0; cut <= octets && check_this == before; cut++) exchange(&b, &exchanges[i], cut == 0 ? (size_t)-1 : cut);
        if (check_this != before) printf("# in %s %zu\n", exchanges[i].name, i);
    }
}

TEST(session_ids_are_kept_as_they_are_and_numbers_of_lines_too) {
    static const struct { const char *reply, *id; } forms[] = { { "\r\n+CCHO: 0001\r\n\r\nOK\r\n", "0001" }, { "\r\n1\r\n\r\nOK\r\n", "1" }, { "\r\n+CCHO: \"2\"\r\n\r\nOK\r\n", "2" }, { "\r\n+CCHO: 000000000385A7CF\r\n\r\nOK\r\n", "000000000385A7CF" } };
    static struct bench b;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct fake_step step = { "AT+CCHO=\"\"\r", forms[i].reply, 11, strlen(forms[i].reply) };
        struct fake fake = { .script = &step, .count = 1, .cut = (size_t)-1, .write_max = 100 };
        set_up(&b, fake);
        CHECK_INT(run(&b, &ccho), IPA_OK);
        CHECK_BYTES(b.at.id, strlen(b.at.id), forms[i].id, strlen(forms[i].id));
    }
}

TEST(a_session_id_that_is_too_long_is_no_answer) {
    static const struct fake_step steps[] = { STEP("AT+CCHO=\"\"\r", "\r\n+CCHO: 0123456789ABCDEF0123456789\r\n\r\nOK\r\n") };
    static struct bench b;
    set_up(&b, (struct fake)FAKE(steps));
    CHECK_INT(run(&b, &ccho), IPA_ERR_MODEM);
}

TEST(a_line_of_any_length_is_survived) {
    static const struct fake_step steps[] = { STEP("AT+CFUN=1\r", "") };
    static struct bench b;
    char noise[2000];
    set_up(&b, (struct fake)FAKE(steps));
    memset(noise, 'x', sizeof noise);
    for (int i = 0; i < 5; i++) CHECK_INT(step(&b, &plain), IPA_AGAIN);
    fake_say(&b.fake, noise, sizeof noise);
    fake_say(&b.fake, "\r\nOK\r\n", 6);
    CHECK_INT(run(&b, &plain), IPA_OK);
    CHECK_INT(strlen(b.lines), IPA_CFG_AT_LINE);
}

TEST(payload_beyond_the_buffer_is_dropped_and_counted) {
    static const struct fake_step steps[] = { STEP("AT+QIRD=0,0\r", "\r\n+QIRD: 10\r\n0123456789\r\n\r\nOK\r\n") };
    static struct bench b;
    uint8_t sink[6] = { 0 };
    set_up(&b, (struct fake)FAKE(steps));
    b.at.arg.sink = sink;
    b.at.arg.cap = 4;
    CHECK_INT(run(&b, &qird), IPA_OK);
    CHECK_INT(b.at.got, 10);
    CHECK_BYTES(sink, 6, "0123\0\0", 6);
    CHECK_INT(b.at.tail, '8' << 8 | '9');
}

TEST(payload_that_stops_ends_after_2_s_and_the_modem_is_found_again) {
    static const struct fake_step steps[] = { STEP("AT+QIRD=0,0\r", "\r\n+QIRD: 10\r\n012345678"), STEP("\rAT\r", "\r\nOK\r\n"), STEP("AT+CFUN=1\r", "\r\nOK\r\n") };
    static struct bench b;
    set_up(&b, (struct fake)FAKE(steps));
    CHECK_INT(run(&b, &qird), IPA_ERR_MODEM);
    CHECK(b.fake.now - 1000 >= 2000 && b.fake.now - 1000 < 2100);
    CHECK_INT(run(&b, &plain), IPA_OK);
    CHECK_INT(b.fake.step, 3);
}

TEST(a_late_answer_is_never_taken_for_the_next_command_s) {
    static const struct fake_step steps[] = {
        STEP("AT+CSIM=0,\"\"\r", ""),
        STEP("\rAT\r", "\r\n+CSIM: 4,\"6A82\"\r\n\r\nOK\r\n\r\nOK\r\n"),
        STEP("AT+CSIM=0,\"\"\r", "\r\n+CSIM: 4,\"9000\"\r\n\r\nOK\r\n"),
    };
    static struct bench b;
    set_up(&b, (struct fake)FAKE(steps));
    /* The OK of AT comes 60 ms behind the late one. */
    b.fake.cut = steps[1].reply_len - 6;
    b.fake.pause_ms = 60;
    CHECK_INT(run(&b, &csim), IPA_ERR_TIMEOUT);
    CHECK(b.fake.now - 1000 >= 10000);
    CHECK_INT(run(&b, &csim), IPA_OK);
    CHECK_INT(b.at.tail, 0x9000);
}

TEST(a_modem_that_stays_silent_is_called_so_after_five_times_AT) {
    static const struct fake_step steps[] = { STEP("AT+CFUN=1\r", ""), STEP("\rAT\r\rAT\r\rAT\r\rAT\r\rAT\r", ""), STEP("\rAT\r", "\r\nOK\r\n"), STEP("AT+CFUN=1\r", "\r\nOK\r\n") };
    static struct bench b;
    set_up(&b, (struct fake)FAKE(steps));
    CHECK_INT(run(&b, &plain), IPA_ERR_TIMEOUT);
    CHECK_INT(run(&b, &plain), IPA_ERR_MODEM_SILENT);
    CHECK_INT(run(&b, &plain), IPA_OK);
    CHECK_INT(b.fake.step, 4);
}

TEST(a_prompt_that_may_be_open_is_left_by_escape) {
    static const struct fake_step steps[] = { STEP("AT+QISEND=0,2\r", "\r\n"), STEP("\x1b\rAT\r", "\r\nERROR\r\n\r\nOK\r\n"), STEP("AT+CFUN=1\r", "\r\nOK\r\n") };
    static struct bench b;
    uint8_t data[2] = { 1, 2 };
    set_up(&b, (struct fake)FAKE(steps));
    b.at.arg.data = data;
    b.at.arg.data_len = 2;
    CHECK_INT(run(&b, &qisend), IPA_ERR_TIMEOUT);
    CHECK_INT(run(&b, &plain), IPA_OK);
    CHECK_INT(b.fake.step, 3);
}

TEST(a_reset_ends_the_command_at_once) {
    static const struct fake_step steps[] = { STEP("AT+CSIM=0,\"\"\r", "\r\n+CSI\r\nRDY\r\n"), STEP("\rAT\r", "\r\nOK\r\n"), STEP("AT+CFUN=1\r", "\r\nOK\r\n") };
    static struct bench b;
    set_up(&b, (struct fake)FAKE(steps));
    b.boot_line = "RDY";
    CHECK_INT(run(&b, &csim), IPA_ERR_MODEM_RESET);
    CHECK(b.fake.now - 1000 < 100);
    CHECK_INT(run(&b, &plain), IPA_OK);
}

TEST(payload_of_a_cancelled_command_is_padded_and_its_result_thrown_away) {
    static const struct fake_step steps[] = { STEP("AT+QISEND=0,9\r", "\r\n> "), STEP("\0\0\0\0\0\0\0\0\0", "\r\nSEND FAIL\r\n"), STEP("AT+CFUN=1\r", "\r\nOK\r\n") };
    static struct bench b;
    uint8_t data[9] = { 1, 2, 3, 4, 5, 6, 7, 8, 9 };
    set_up(&b, (struct fake)FAKE(steps));
    b.at.arg.data = data;
    b.at.arg.data_len = 9;
    for (int i = 0; i < 20; i++) {
        b.fake.now++;
        CHECK_INT(step(&b, &qisend), IPA_AGAIN);
    }
    ipa_at_cancel(&b.at);
    CHECK(ipa_at_busy(&b.at));
    CHECK_INT(run(&b, &plain), IPA_OK);
    CHECK_INT(b.fake.step, 3);
}

TEST(a_cancelled_command_writes_nowhere) {
    static const struct fake_step steps[] = { STEP("AT+QIRD=0,0\r", "\r\n+QIRD: 4\r\n"), STEP("AT+CFUN=1\r", "\r\nOK\r\n") };
    static struct bench b;
    uint8_t sink[4] = { 0 };
    set_up(&b, (struct fake)FAKE(steps));
    b.at.arg.sink = sink;
    b.at.arg.cap = 4;
    CHECK_INT(step(&b, &qird), IPA_AGAIN);
    b.fake.now++;
    CHECK_INT(step(&b, &qird), IPA_AGAIN);
    ipa_at_cancel(&b.at);
    fake_say(&b.fake, "1234\r\n\r\nOK\r\n", 12);
    CHECK_INT(run(&b, &plain), IPA_OK);
    CHECK_BYTES(sink, 4, "\0\0\0\0", 4);
}

TEST(stray_results_between_commands_are_ignored_and_the_gap_is_kept) {
    static const struct fake_step steps[] = { SAY("\r\nOK\r\n\r\nERROR\r\n"), STEP("AT+CFUN=1\r", "\r\nERROR\r\n"), STEP("AT+CFUN=1\r", "\r\nOK\r\n") };
    static struct bench b;
    uint32_t before;
    set_up(&b, (struct fake)FAKE(steps));
    CHECK_INT(run(&b, &plain), IPA_ERR_MODEM);
    before = b.fake.now;
    CHECK_INT(run(&b, &plain), IPA_OK);
    CHECK(b.fake.now - before >= IPA_CFG_AT_GAP_MS);
}

TEST(a_pause_is_a_row_too_and_a_row_may_wait_for_a_line_only) {
    static const struct ipa_at_row pause = { NULL, NULL, 0, 2 }, wait = { NULL, "+APP PDP: 0,ACTIVE", 0, 5 };
    static struct bench b;
    static const struct fake_step steps[] = { STEP("AT+CFUN=1\r", "\r\nOK\r\n"), SAY("") };
    set_up(&b, (struct fake)FAKE(steps));
    CHECK_INT(run(&b, &pause), IPA_OK);
    CHECK(b.fake.now - 1000 >= 2000 && b.fake.now - 1000 < 2010);
    CHECK_INT(step(&b, &wait), IPA_AGAIN);
    fake_say(&b.fake, "\r\n+CEREG: 1\r\n\r\n+APP PDP: 0,ACTIVE\r\n", 36);
    CHECK_INT(run(&b, &wait), IPA_OK);
    CHECK_INT(run(&b, &wait), IPA_ERR_TIMEOUT);
}

/* Any one octet of the answer lost or garbled: an error, or the right answer; and the next command works. */
TEST(an_octet_lost_or_garbled_never_gives_a_wrong_answer_of_the_right_length) {
    static const char reply[] = "\r\n+CSIM: 12,\"BF3E00019000\"\r\n\r\nOK\r\n";
    static struct bench b;
    for (int garble = 0; garble < 2; garble++) {
        for (size_t i = 0; i < sizeof reply - 1; i++) {
            struct fake_step steps[] = { STEP("AT+CSIM=0,\"\"\r", ""), STEP("\rAT\r", "\r\nOK\r\n"), STEP("AT+CFUN=1\r", "\r\nOK\r\n") };
            struct fake fake = FAKE(steps);
            char broken[sizeof reply];
            uint8_t sink[32];
            int result;
            memcpy(broken, reply, sizeof reply);
            if (garble) broken[i] = '~';
            else memmove(broken + i, broken + i + 1, sizeof reply - i - 1);
            steps[0].reply = broken;
            steps[0].reply_len = sizeof reply - 1 - (garble ? 0 : 1);
            set_up(&b, fake);
            b.at.arg.sink = sink;
            b.at.arg.cap = sizeof sink;
            result = run(&b, &csim);
            if (result == IPA_OK) CHECK_BYTES(sink, b.at.got, "\xbf\x3e\x00\x01\x90\x00", 6);
            if (!b.at.dirty) b.fake.step = 2;
            CHECK_INT(run(&b, &plain), IPA_OK);
            if (check_this > 0) {
                printf("# octet %zu, garbled %d\n", i, garble);
                return;
            }
        }
    }
}

int main(void) {
    RUN(every_answer_is_understood_wherever_the_line_cuts_it);
    RUN(session_ids_are_kept_as_they_are_and_numbers_of_lines_too);
    RUN(a_session_id_that_is_too_long_is_no_answer);
    RUN(a_line_of_any_length_is_survived);
    RUN(payload_beyond_the_buffer_is_dropped_and_counted);
    RUN(payload_that_stops_ends_after_2_s_and_the_modem_is_found_again);
    RUN(a_late_answer_is_never_taken_for_the_next_command_s);
    RUN(a_modem_that_stays_silent_is_called_so_after_five_times_AT);
    RUN(a_prompt_that_may_be_open_is_left_by_escape);
    RUN(a_reset_ends_the_command_at_once);
    RUN(payload_of_a_cancelled_command_is_padded_and_its_result_thrown_away);
    RUN(a_cancelled_command_writes_nowhere);
    RUN(stray_results_between_commands_are_ignored_and_the_gap_is_kept);
    RUN(a_pause_is_a_row_too_and_a_row_may_wait_for_a_line_only);
    RUN(an_octet_lost_or_garbled_never_gives_a_wrong_answer_of_the_right_length);
    return check_end();
}
