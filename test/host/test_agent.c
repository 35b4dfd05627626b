/*
 * Unit tests of host/src/agent.c: the built agent against fake doors, slots, versions, several instances.
 * sources: host/src/agent.c host/src/ops.c host/src/container.c host/src/crypto_mbedtls.c host/src/err.c host/src/wasm_wasm3.c
 * sources: host/store/flash_journal.c host/link/tls_heap.c
 * needs: wasm3 mbedtls
 * flags: -DIPA_CFG_DTLS=0 -DIPA_CFG_TLS=0
 */
#include "agent_kit.h"

static const char *const whole_poll =
    "basic open apdu apdu apdu apdu apdu bearer link send receive drop close ";

TEST(agent_polls_its_eim_through_the_doors_and_sleeps) {
    use_agent();
    struct ipa *ipa = asleep();
    int32_t detail = -1;
    CHECK(strcmp(fake.log, whole_poll) == 0);
    CHECK_INT(fake_reported(&fake, 1, &detail), 1);
    CHECK_INT(detail, 65536);
    CHECK_INT(fake_reported(&fake, IPA_REPORT_POLL_ENDED, &detail), 1);
    CHECK_INT(detail, 0);
    CHECK_BYTES(fake.last_report, fake.last_report_len, "eim.example.com", 15);
    CHECK_INT(fake.idle, 1);
    CHECK(fake.watchdog > 20);
    ipa_stop(ipa);
}

TEST(what_the_link_gets_is_what_the_eim_configuration_says) {
    use_agent();
    asleep();
    uint8_t request[64];
    size_t len = fake_hex("BF4F175A1089049032123451234512345678901235820300F110", request);
    CHECK_BYTES(fake.sent, fake.sent_len, request, len);
    CHECK(strcmp(fake.fqdn, "eim.example.com") == 0);
    CHECK_INT(fake.to.peer, IPA_PEER_EIM);
    CHECK_INT(fake.to.binding, IPA_ESIPA_HTTPS);
    CHECK_INT(fake.trust[0], 0xA6);
    CHECK_INT(fake.to.trust_len, 0x5B + 2);
}

TEST(doors_that_need_time_change_nothing_but_time) {
    use_agent();
    fake.busy = 3;
    asleep();
    CHECK(strcmp(fake.log, whole_poll) == 0);
    CHECK(fake.now >= 3 * 13 * IPA_CFG_BUSY_MS);
}

TEST(same_inputs_give_the_same_flash) {
    use_agent();
    asleep();
    static struct flash first;
    first = fake.flash;
    use_agent();
    asleep();
    CHECK(memcmp(&first, &fake.flash, sizeof first) == 0);
}

TEST(application_ends_the_sleep_and_the_next_poll_comes) {
    uint32_t wait;
    use_agent();
    struct ipa *ipa = asleep();
    CHECK_INT(ipa_poll(ipa, &wait), IPA_OK);
    CHECK(wait > 3600000);
    ipa_wake(ipa, IPA_WAKE_POLL, 0);
    CHECK_INT(ipa_poll(ipa, &wait), IPA_OK);
    CHECK_INT(fake.idle, 0);
    CHECK_INT(run(ipa, 1000), IPA_OK);
    CHECK_INT(fake_reported(&fake, IPA_REPORT_POLL_ENDED, NULL), 2);
}

TEST(sleep_is_over_when_its_time_is) {
    uint32_t wait;
    use_agent();
    struct ipa *ipa = asleep();
    fake.now -= 10;   /* the clock wraps in between, too */
    CHECK_INT(ipa_poll(ipa, &wait), IPA_OK);
    fake.now = ipa->op.since_ms + ipa->op.wait_ms;
    CHECK_INT(ipa_poll(ipa, &wait), IPA_OK);
    CHECK_INT(run(ipa, 1000), IPA_OK);
    CHECK_INT(fake_reported(&fake, IPA_REPORT_POLL_ENDED, NULL), 2);
}

TEST(peer_that_is_not_trusted_is_one_number_for_the_agent_and_its_own_in_the_report) {
    int32_t detail = 0;
    use_agent();
    fake.link_error = IPA_ERR_TRUST_EXPIRED;
    asleep();
    CHECK_INT(fake_reported(&fake, IPA_REPORT_OP_FAILED, &detail) > 0, 1);
    CHECK_INT(detail, IPA_ERR_TRUST_EXPIRED);
    CHECK_INT(fake_reported(&fake, IPA_REPORT_POLL_ENDED, &detail), 1);
    CHECK_INT(detail, IPA_ERR_TRUST);
}

TEST(link_that_never_ends_is_given_up_and_closed) {
    int32_t detail = 0;
    use_agent();
    fake.hang = FAKE_RECEIVE;
    asleep();
    CHECK_INT(fake_reported(&fake, IPA_REPORT_POLL_ENDED, &detail), 1);
    CHECK_INT(detail, IPA_ERR_TIMEOUT);
    CHECK(fake.link_closes > 0);
    CHECK(fake.now >= 60000 + IPA_CFG_GRACE_MS && fake.now < 3 * (60000 + IPA_CFG_GRACE_MS));
}

TEST(card_that_never_ends_is_left_alone_until_it_is_reset) {
    uint32_t wait;
    use_agent();
    fake.hang = FAKE_TRANSMIT;
    struct ipa *ipa = asleep();
    CHECK(fake_reported(&fake, 2, NULL) > 0);
    CHECK_INT(ipa->uicc_broken, 1);
    fake.hang = FAKE_NONE;
    fake.now += ipa->op.wait_ms;
    CHECK_INT(ipa_poll(ipa, &wait), IPA_OK);
    CHECK_INT(run(ipa, 100000), IPA_OK);
    CHECK_INT(fake.resets, 1);
    CHECK_INT(fake_reported(&fake, IPA_REPORT_POLL_ENDED, NULL), 1);
}

/* Slots and versions. */

static int init(struct ipa **ipa) {
    return ipa_init(ipa, &config);
}

TEST(the_newest_valid_slot_runs) {
    struct ipa *ipa;
    use_puppet();
    use_image(1, 2, puppet_wasm, sizeof puppet_wasm, PUPPET_MEMORY);
    CHECK_INT(init(&ipa), IPA_OK);
    CHECK_INT(ipa->slot, 1);
    slots[1][300] ^= 1;
    CHECK_INT(init(&ipa), IPA_OK);
    CHECK_INT(ipa->slot, 0);
    int32_t detail = 0;
    CHECK_INT(fake_reported(&fake, IPA_REPORT_IMAGE, &detail), 1);
    CHECK_INT(detail, IPA_ERR_IMAGE_HASH);
    CHECK_INT(fake.last_report[0], 1);
    slots[0][300] ^= 1;
    CHECK_INT(init(&ipa), IPA_ERR_IMAGE_HASH);
    CHECK(ipa == NULL);
}

TEST(older_than_the_one_that_proved_itself_is_refused) {
    struct ipa *ipa;
    use_puppet();
    use_image(0, 5, puppet_wasm, sizeof puppet_wasm, PUPPET_MEMORY);
    ipa = asleep();
    CHECK_INT(status(ask(ipa, IPA_OP_REPORT, 0, 0, IPA_REPORT_POLL_ENDED, 0, NULL, 0)), IPA_OK);
    use_image(0, 4, puppet_wasm, sizeof puppet_wasm, PUPPET_MEMORY);
    CHECK_INT(init(&ipa), IPA_ERR_IMAGE_OLD);
    use_image(0, 5, puppet_wasm, sizeof puppet_wasm, PUPPET_MEMORY);
    CHECK_INT(init(&ipa), IPA_OK);
}

TEST(a_new_image_that_only_traps_gives_way_to_the_old_one) {
    struct ipa *ipa;
    uint32_t wait;
    use_puppet();
    ipa = asleep();
    CHECK_INT(status(ask(ipa, IPA_OP_REPORT, 0, 0, IPA_REPORT_POLL_ENDED, 0, NULL, 0)), IPA_OK);
    use_image(1, 2, puppet_wasm, sizeof puppet_wasm, PUPPET_MEMORY);
    ipa = asleep();
    CHECK_INT(ipa->slot, 1);
    for (unsigned i = 0; i < IPA_CFG_TRAPS; i++) {
        CHECK_INT(ipa->slot, 1);
        ipa_wasm_memory(ipa->wasm, PUPPET_OP, 1)[0] = PUPPET_TRAP;
        ipa_wake(ipa, IPA_WAKE_POLL, 0);
        CHECK_INT(ipa_poll(ipa, &wait), IPA_OK);
        CHECK_INT(run(ipa, 10), IPA_OK);
    }
    CHECK_INT(ipa->slot, 0);
    CHECK_INT(ipa->image.version, 1);
}

TEST(an_arena_of_the_size_asked_for_is_enough_and_one_too_small_is_named) {
    struct ipa *ipa;
    use_agent();
    config.arena_len = ipa_arena_need(&config);
    CHECK(config.arena_len > 0 && config.arena_len <= sizeof arena);
    CHECK_INT(init(&ipa), IPA_OK);
    printf("# arena: %zu octets, engine uses %zu, struct ipa %zu\n", config.arena_len, ipa_wasm_used(ipa->wasm), sizeof *ipa);
    CHECK_INT(run(ipa, 1000), IPA_OK);
    config.arena_len = sizeof(struct ipa) + 10000;
    CHECK_INT(init(&ipa), IPA_ERR_NO_MEM);
    config.arena_len = sizeof(struct ipa) + 9000;
    CHECK_INT(init(&ipa), IPA_ERR_IMAGE_MEMORY);
    config.arena_len = 64;
    CHECK_INT(init(&ipa), IPA_ERR_NO_MEM);
    config.image_len[0] = 50;
    CHECK_INT(ipa_arena_need(&config), 0);
}

TEST(two_instances_run_side_by_side) {
    static struct fake other_fake;
    static struct ipa_config other;
    static uint64_t other_arena[65536];
    uint32_t wait;
    use_agent();
    fake_init(&other_fake, &other);
    other.image[0] = config.image[0];
    other.image_len[0] = config.image_len[0];
    other.keys = config.keys;
    other.key_count = 1;
    other.arena = other_arena;
    other.arena_len = sizeof other_arena;
    struct ipa *first = started(), *second;
    CHECK_INT(ipa_init(&second, &other), IPA_OK);
    for (int i = 0; i < 100; i++) {
        CHECK_INT(ipa_poll(first, &wait), IPA_OK);
        CHECK_INT(ipa_poll(second, &wait), IPA_OK);
    }
    CHECK(strcmp(fake.log, whole_poll) == 0);
    CHECK(strcmp(other_fake.log, whole_poll) == 0);
}

TEST(missing_doors_are_refused) {
    struct ipa *ipa;
    use_agent();
    config.bearer = NULL;
    CHECK_INT(init(&ipa), IPA_ERR_INVALID);
    use_agent();
    config.store.block_count = 1;
    CHECK_INT(init(&ipa), IPA_ERR_INVALID);
}

int main(void) {
    if (!kit_init()) return 1;
    RUN(agent_polls_its_eim_through_the_doors_and_sleeps);
    RUN(what_the_link_gets_is_what_the_eim_configuration_says);
    RUN(doors_that_need_time_change_nothing_but_time);
    RUN(same_inputs_give_the_same_flash);
    RUN(application_ends_the_sleep_and_the_next_poll_comes);
    RUN(sleep_is_over_when_its_time_is);
    RUN(peer_that_is_not_trusted_is_one_number_for_the_agent_and_its_own_in_the_report);
    RUN(link_that_never_ends_is_given_up_and_closed);
    RUN(card_that_never_ends_is_left_alone_until_it_is_reset);
    RUN(the_newest_valid_slot_runs);
    RUN(older_than_the_one_that_proved_itself_is_refused);
    RUN(a_new_image_that_only_traps_gives_way_to_the_old_one);
    RUN(an_arena_of_the_size_asked_for_is_enough_and_one_too_small_is_named);
    RUN(two_instances_run_side_by_side);
    RUN(missing_doors_are_refused);
    return check_end();
}
