/*
 * Unit tests of host/src/ops.c and of what agent.c does when rules are broken: a hand-made agent (puppet.h) asks for each op.
 * sources: host/src/agent.c host/src/ops.c host/src/container.c host/src/crypto_mbedtls.c host/src/err.c host/src/wasm_wasm3.c
 * sources: host/store/flash_journal.c host/link/tls_heap.c
 * needs: wasm3 mbedtls
 * flags: -DIPA_CFG_DTLS=0 -DIPA_CFG_TLS=0
 */
#include "agent_kit.h"

TEST(start_carries_entropy_and_the_oem_s_configuration) {
    static const uint8_t tlv[] = { 0x82, 0x02, 0x0E, 0x10 };
    use_puppet();
    config.agent_config = tlv;
    config.agent_config_len = sizeof tlv;
    struct ipa *ipa = asleep();
    const uint8_t *event = ipa_wasm_memory(ipa->wasm, PUPPET_EVENT, IPA_MB_PAYLOAD + 1024);
    CHECK_INT(event[IPA_MB_KIND], IPA_EVENT_START);
    CHECK_INT(number(event, IPA_MB_LENGTH), 34 + sizeof tlv);
    CHECK_INT(event[24], 0x80);
    CHECK_INT(event[25], 32);
    CHECK_INT(event[26 + 5], 5 * 7 + 1);
    CHECK_BYTES(event + 24 + 34, sizeof tlv, tlv, sizeof tlv);
}

TEST(records_are_written_read_at_an_offset_and_removed) {
    struct ipa *ipa = puppet();
    uint8_t record[1024];
    for (size_t i = 0; i < sizeof record; i++) record[i] = (uint8_t)(i * 31);
    CHECK_INT(status(ask(ipa, IPA_OP_STORE_READ, 0, 0, 3, 0, NULL, 0)), IPA_ERR_NOT_FOUND);
    CHECK_INT(fake_reported(&fake, IPA_REPORT_OP_FAILED, NULL), 0);
    CHECK_INT(status(ask(ipa, IPA_OP_STORE_WRITE, 0, 0, 3, 0, record, sizeof record)), IPA_OK);
    const uint8_t *done = ask(ipa, IPA_OP_STORE_READ, 0, 0, 3, 1000, NULL, 0);
    CHECK_INT(done[IPA_MB_FLAGS], IPA_FLAG_LAST);
    CHECK_INT(number(done, IPA_MB_REF), 77);
    CHECK_BYTES(done + 24, number(done, IPA_MB_LENGTH), record + 1000, 24);
    CHECK_INT(status(ask(ipa, IPA_OP_STORE_WRITE, 0, 0, 3, 0, NULL, 0)), IPA_OK);
    CHECK_INT(status(ask(ipa, IPA_OP_STORE_READ, 0, 0, 3, 0, NULL, 0)), IPA_ERR_NOT_FOUND);
}

TEST(a_long_record_of_the_manufacturer_is_read_piece_by_piece) {
    struct ipa *ipa = puppet();
    uint8_t record[3072];
    for (size_t i = 0; i < sizeof record; i++) record[i] = (uint8_t)(i * 31 + i / 256);
    CHECK_INT(ipa_journal_write(&ipa->journal, IPA_KEY_PROVISION, record, sizeof record), IPA_OK);
    for (uint32_t at = 0; at < sizeof record; at += 1024) {
        const uint8_t *done = ask(ipa, IPA_OP_STORE_READ, 0, 0, IPA_KEY_PROVISION, at, NULL, 0);
        CHECK_INT(status(done), IPA_OK);
        CHECK_INT(done[IPA_MB_FLAGS], at == 2048 ? IPA_FLAG_LAST : 0);
        CHECK_BYTES(done + 24, number(done, IPA_MB_LENGTH), record + at, 1024);
    }
    CHECK_INT(status(ask(ipa, IPA_OP_STORE_WRITE, 0, 0, IPA_KEY_PROVISION, 0, record, 5)), IPA_ERR_ABI);
}

TEST(hash_is_sha_256) {
    struct ipa *ipa = puppet();
    uint8_t expected[32];
    fake_hex("BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD", expected);
    const uint8_t *done = ask(ipa, IPA_OP_HASH, 0, 0, 0, 0, "abc", 3);
    CHECK_INT(status(done), IPA_OK);
    CHECK_BYTES(done + 24, number(done, IPA_MB_LENGTH), expected, sizeof expected);
}

TEST(ill_formed_ops_are_refused_and_reported) {
    struct ipa *ipa = puppet();
    static const uint8_t bad_endpoint[] = { 0x80, 0x05, 'a', 'b' };
    uint8_t octets[300] = { 0 };
    int32_t detail = 0;
    CHECK_INT(status(ask(ipa, IPA_OP_UICC_OPEN, 0, 0, 0, 0, octets, 4)), IPA_ERR_ABI);
    CHECK_INT(status(ask(ipa, IPA_OP_UICC_OPEN, 0, 0, 0, 0, octets, 17)), IPA_ERR_ABI);
    CHECK_INT(status(ask(ipa, IPA_OP_UICC_TRANSMIT, 0, 0, 0, 0, octets, 3)), IPA_ERR_ABI);
    CHECK_INT(status(ask(ipa, IPA_OP_UICC_TRANSMIT, 0, 0, 0, 0, octets, 262)), IPA_ERR_ABI);
    CHECK_INT(status(ask(ipa, IPA_OP_LINK_OPEN, 0, 0x0101, 0, 0, bad_endpoint, sizeof bad_endpoint)), IPA_ERR_ABI);
    CHECK_INT(status(ask(ipa, IPA_OP_LINK_OPEN, 0, 0x0104, 0, 0, NULL, 0)), IPA_ERR_ABI);
    CHECK_INT(status(ask(ipa, IPA_OP_LINK_OPEN, 0, 0x0401, 0, 0, NULL, 0)), IPA_ERR_ABI);
    CHECK_INT(status(ask(ipa, IPA_OP_LINK_SEND, 0, 6, 0, 0, octets, 4)), IPA_ERR_ABI);
    CHECK_INT(status(ask(ipa, IPA_OP_LINK_RECEIVE, 0, 0, 0, 0, NULL, 0)), IPA_ERR_ABI);
    CHECK_INT(status(ask(ipa, IPA_OP_STORE_READ, 0, 0, IPA_KEY_IMAGE, 0, NULL, 0)), IPA_ERR_ABI);
    CHECK_INT(status(ask(ipa, IPA_OP_STORE_WRITE, 0, 0, IPA_KEY_IMAGE, 0, octets, 4)), IPA_ERR_ABI);
    CHECK_INT(fake_reported(&fake, IPA_REPORT_OP_FAILED, &detail), 11);
    CHECK_INT(status(ask(ipa, 15, 0, 0, 0, 0, NULL, 0)), IPA_ERR_UNSUPPORTED);
    CHECK_INT(status(ask(ipa, 0, 0, 0, 0, 0, NULL, 0)), IPA_ERR_UNSUPPORTED);
    CHECK_INT(fake_reported(&fake, IPA_REPORT_OP_FAILED, &detail), 13);
    CHECK_INT(fake.last_report[0], 0);
    CHECK(strcmp(fake.log, "") == 0);
}

TEST(link_without_open_is_no_link) {
    struct ipa *ipa = puppet();
    CHECK_INT(status(ask(ipa, IPA_OP_LINK_SEND, 3, 0, 4, 0, "abcd", 4)), IPA_ERR_LINK);
    CHECK_INT(status(ask(ipa, IPA_OP_LINK_RECEIVE, 0, 0, 1024, 0, NULL, 0)), IPA_ERR_LINK);
    CHECK_INT(status(ask(ipa, IPA_OP_LINK_CLOSE, 0, 0, 0, 0, NULL, 0)), IPA_OK);
    CHECK(strcmp(fake.log, "") == 0);
}

TEST(endpoint_outlives_the_mailbox_and_a_second_open_drops_the_first_link) {
    static const uint8_t first[] = { 0x80, 0x03, 'o', 'n', 'e', 0xA6, 0x02, 0xA0, 0x00 };
    static const uint8_t second[] = { 0xA6, 0x00 };
    struct ipa *ipa = puppet();
    CHECK_INT(status(ask(ipa, IPA_OP_LINK_OPEN, 0, 0x0201, 0, 0, first, sizeof first)), IPA_OK);
    CHECK_INT(status(ask(ipa, IPA_OP_HASH, 0, 0, 0, 0, slots[0], 1024)), IPA_OK);
    CHECK_BYTES(fake.to.fqdn, fake.to.fqdn_len, "one", 3);
    CHECK_BYTES(fake.to.trust, fake.to.trust_len, first + 5, 4);
    CHECK_INT(fake.to.binding, IPA_ESIPA_COAPS);
    CHECK_INT(fake.link_closes, 0);
    CHECK_INT(status(ask(ipa, IPA_OP_LINK_OPEN, 0, 0x0101, 0, 0, second, sizeof second)), IPA_OK);
    CHECK_INT(fake.link_closes, 1);
    CHECK_INT(fake.to.fqdn_len, 0);
}

TEST(card_reset_by_another_hand_is_flagged_once) {
    struct ipa *ipa = puppet();
    uint8_t select[16] = { 0xA0 };
    const uint8_t *done = ask(ipa, IPA_OP_UICC_OPEN, 0, 0, 0, 0, select, sizeof select);
    CHECK_INT(done[IPA_MB_FLAGS], 0);
    CHECK_INT(done[IPA_MB_ARG0], 1);
    uint32_t wait;
    fake.was_reset = 1;
    fake.now += 1000;
    CHECK_INT(ipa_poll(ipa, &wait), IPA_OK);
    done = ipa_wasm_memory(ipa->wasm, PUPPET_EVENT, IPA_MB_PAYLOAD);
    CHECK_INT(done[IPA_MB_KIND], IPA_EVENT_WAKE);
    CHECK_INT(done[IPA_MB_FLAGS], IPA_FLAG_CARD_RESET);
    CHECK_INT(ipa->uicc_open, 0);
    fake.resets_card = 1;
    done = ask(ipa, IPA_OP_UICC_TRANSMIT, 0, 0, 0, 0, select, 5);
    CHECK_INT(done[IPA_MB_KIND], IPA_EVENT_DONE);
    CHECK_INT(done[IPA_MB_FLAGS], IPA_FLAG_CARD_RESET);
    fake.resets_card = 0;
    done = ask(ipa, IPA_OP_UICC_TRANSMIT, 0, 0, 0, 0, select, 5);
    CHECK_INT(done[IPA_MB_FLAGS], 0);
}

TEST(a_door_that_was_given_up_is_asked_only_to_close_or_reset) {
    static const uint8_t to[] = { 0x80, 0x03, 'o', 'n', 'e' };
    uint8_t select[16] = { 0xA0 };
    struct ipa *ipa = puppet();
    CHECK_INT(status(ask(ipa, IPA_OP_LINK_OPEN, 0, 0x0101, 0, 0, to, sizeof to)), IPA_OK);
    fake.hang = FAKE_RECEIVE;
    CHECK_INT(status(ask(ipa, IPA_OP_LINK_RECEIVE, 0, 0, 1024, 0, NULL, 0)), IPA_ERR_TIMEOUT);
    fake.hang = FAKE_TRANSMIT;
    CHECK_INT(status(ask(ipa, IPA_OP_UICC_TRANSMIT, 0, 0, 0, 0, select, 5)), IPA_ERR_TIMEOUT);
    fake.hang = FAKE_NONE;
    CHECK(strcmp(fake.log, "link ") == 0);
    CHECK_INT(status(ask(ipa, IPA_OP_LINK_SEND, 3, 0, 4, 0, "abcd", 4)), IPA_ERR_LINK);
    CHECK_INT(status(ask(ipa, IPA_OP_LINK_RECEIVE, 0, 0, 1024, 0, NULL, 0)), IPA_ERR_LINK);
    CHECK_INT(status(ask(ipa, IPA_OP_UICC_OPEN, 0, 0, 0, 0, select, sizeof select)), IPA_ERR_NO_CARD);
    CHECK_INT(status(ask(ipa, IPA_OP_UICC_TRANSMIT, 0, 0, 0, 0, select, 5)), IPA_ERR_NO_CARD);
    CHECK(strcmp(fake.log, "link ") == 0);
    CHECK_INT(status(ask(ipa, IPA_OP_LINK_CLOSE, 0, 0, 0, 0, NULL, 0)), IPA_OK);
    CHECK_INT(status(ask(ipa, IPA_OP_UICC_RESET, 0, 0, 0, 0, NULL, 0)), IPA_OK);
    CHECK_INT(status(ask(ipa, IPA_OP_LINK_OPEN, 0, 0x0101, 0, 0, to, sizeof to)), IPA_OK);
    CHECK_INT(status(ask(ipa, IPA_OP_LINK_RECEIVE, 0, 0, 1024, 0, NULL, 0)), IPA_OK);
    CHECK_INT(status(ask(ipa, IPA_OP_UICC_OPEN, 0, 0, 0, 0, select, sizeof select)), IPA_OK);
}

TEST(a_trap_restarts_the_agent_after_a_wait_that_doubles) {
    uint32_t wait, waits[5];
    struct ipa *ipa = puppet();
    for (int i = 0; i < 5; i++) {
        ipa_wasm_memory(ipa->wasm, PUPPET_OP, 1)[0] = PUPPET_TRAP;
        ipa_wake(ipa, IPA_WAKE_POLL, 0);
        CHECK_INT(ipa_poll(ipa, &wait), IPA_OK);
        CHECK_INT(ipa->state, IPA_RESTS);
        CHECK_INT(ipa_poll(ipa, &waits[i]), IPA_OK);
        CHECK_INT(run(ipa, 10), IPA_OK);            /* the data segment is back, and it sleeps again */
    }
    CHECK_INT(fake_reported(&fake, IPA_REPORT_TRAP, (int32_t *)&wait), 5);
    CHECK_INT((int32_t)wait, IPA_ERR_WASM_TRAP);
    for (int i = 0; i < 5; i++) CHECK_INT(waits[i], IPA_CFG_TRAP_MS << i);
}

#ifdef TEST_INPLACE
TEST(an_endless_loop_ends_when_its_fuel_does) {
    uint32_t wait;
    int32_t detail = 0;
    struct ipa *ipa = puppet();
    ipa_wasm_memory(ipa->wasm, PUPPET_OP, 1)[0] = PUPPET_LOOP;
    ipa_wake(ipa, IPA_WAKE_POLL, 0);
    CHECK_INT(ipa_poll(ipa, &wait), IPA_OK);
    CHECK_INT(fake_reported(&fake, IPA_REPORT_TRAP, &detail), 1);
    CHECK_INT(detail, IPA_ERR_WASM_FUEL);
    CHECK_INT(run(ipa, 10), IPA_OK);
}
#endif

TEST(trap_closes_what_the_old_instance_had_open) {
    static const uint8_t to[] = { 0x80, 0x03, 'o', 'n', 'e' };
    uint32_t wait;
    uint8_t select[16] = { 0xA0 };
    struct ipa *ipa = puppet();
    CHECK_INT(status(ask(ipa, IPA_OP_LINK_OPEN, 0, 0x0101, 0, 0, to, sizeof to)), IPA_OK);
    CHECK_INT(status(ask(ipa, IPA_OP_UICC_OPEN, 0, 0, 0, 0, select, sizeof select)), IPA_OK);
    ipa_wasm_memory(ipa->wasm, PUPPET_OP, 1)[0] = PUPPET_TRAP;
    ipa_wake(ipa, IPA_WAKE_POLL, 0);
    CHECK_INT(ipa_poll(ipa, &wait), IPA_OK);
    CHECK_INT(ipa->state, IPA_RESTS);
    CHECK_INT(fake.link_closes + fake.uicc_closes, 0);
    fake.busy = 2;
    CHECK_INT(run(ipa, 20), IPA_OK);
    CHECK_INT(fake.link_closes, 1);
    CHECK_INT(fake.uicc_closes, 1);
}

TEST(an_agent_that_breaks_the_abi_is_started_anew) {
    static const struct { uint32_t at, value; } lies[] = { { PUPPET_LIE, 1 }, { PUPPET_LIE, 0x80000000 }, { PUPPET_OP + IPA_MB_LENGTH, 1025 }, { PUPPET_OP + IPA_MB_STATUS, 0xFFFFFFFF } };
    struct ipa *ipa = puppet();
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        uint32_t wait;
        int32_t detail = 0;
        image_put32(ipa_wasm_memory(ipa->wasm, lies[i].at, 4), lies[i].value);
        ipa_wake(ipa, IPA_WAKE_POLL, 0);
        CHECK_INT(ipa_poll(ipa, &wait), IPA_OK);
        CHECK_INT(ipa->state, IPA_RESTS);
        CHECK_INT(fake_reported(&fake, IPA_REPORT_TRAP, &detail), (int)i + 1);
        CHECK_INT(detail, IPA_ERR_ABI);
        CHECK_INT(run(ipa, 10), IPA_OK);
    }
}

TEST(a_dead_entropy_source_ends_it) {
    uint32_t wait;
    use_puppet();
    fake.entropy_error = 1;
    struct ipa *ipa = started();
    CHECK_INT(run(ipa, 10), IPA_ERR_ENTROPY);
    CHECK_INT(ipa_poll(ipa, &wait), IPA_ERR_ENTROPY);
}

TEST(wakes_during_work_wait_for_the_next_sleep_and_carry_their_cause) {
    uint32_t wait;
    struct ipa *ipa = puppet();
    CHECK_INT(status(ask(ipa, IPA_OP_REPORT, 0, 0, 200, 5, NULL, 0)), IPA_OK);
    uint8_t *op = ipa_wasm_memory(ipa->wasm, PUPPET_OP, 24);
    op[0] = IPA_OP_SLEEP;
    image_put32(op + IPA_MB_STATUS, 1000);
    ipa_wake(ipa, IPA_WAKE_STATE_CHANGED | IPA_WAKE_BEARER, 4);
    CHECK_INT(run(ipa, 3), IPA_OK);
    CHECK_INT(ipa_poll(ipa, &wait), IPA_OK);
    const uint8_t *event = ipa_wasm_memory(ipa->wasm, PUPPET_EVENT, 24);
    CHECK_INT(event[IPA_MB_KIND], IPA_EVENT_WAKE);
    CHECK_INT(number(event, IPA_MB_ARG0), IPA_WAKE_STATE_CHANGED | IPA_WAKE_BEARER);
    CHECK_INT(number(event, IPA_MB_ARG1), 4);
    CHECK_INT(ipa_poll(ipa, &wait), IPA_OK);
    CHECK_INT(wait, 1000);
}

int main(void) {
    if (!kit_init()) return 1;
    RUN(start_carries_entropy_and_the_oem_s_configuration);
    RUN(records_are_written_read_at_an_offset_and_removed);
    RUN(a_long_record_of_the_manufacturer_is_read_piece_by_piece);
    RUN(hash_is_sha_256);
    RUN(ill_formed_ops_are_refused_and_reported);
    RUN(link_without_open_is_no_link);
    RUN(endpoint_outlives_the_mailbox_and_a_second_open_drops_the_first_link);
    RUN(card_reset_by_another_hand_is_flagged_once);
    RUN(a_door_that_was_given_up_is_asked_only_to_close_or_reset);
    RUN(a_trap_restarts_the_agent_after_a_wait_that_doubles);
#ifdef TEST_INPLACE
    RUN(an_endless_loop_ends_when_its_fuel_does);
#endif
    RUN(trap_closes_what_the_old_instance_had_open);
    RUN(an_agent_that_breaks_the_abi_is_started_anew);
    RUN(a_dead_entropy_source_ends_it);
    RUN(wakes_during_work_wait_for_the_next_sleep_and_carry_their_cause);
    return check_end();
}
