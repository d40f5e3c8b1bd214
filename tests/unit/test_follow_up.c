/* What a follow-up proposes, round by round. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/core/follow_up.h"

static const struct id_hash THREAD = {{7}};

static struct follow_up *follow_up_of(bool is_purge, size_t users_count) {
    struct outbox_user users[4] = {{{{1}}}, {{{2}}}, {{{3}}}, {{{4}}}};
    char topic[] = "topic";
    struct outbox_row row = {.is_purge = is_purge,
                             .thread_id = BYTES_LITERAL("19:t@thread.v2"),
                             .membership = MEMBERSHIP_LEFT,
                             .offset = 9,
                             .topic = bytes_of_text(topic),
                             .last_message_ms = 11,
                             .users = users,
                             .users_count = users_count};
    struct follow_up *follow_up = follow_up_new(&THREAD, 42, &row);
    memset(users, 0xff, sizeof(users)); /* the copy must not need them */
    memset(topic, 'x', sizeof(topic));
    return follow_up;
}

static struct entry *next(struct follow_up *follow_up, enum entry_origin origin, enum command_kind kind) {
    struct entry *entry = follow_up_next_entry(follow_up);
    assert_int_equal(entry->origin, origin);
    assert_int_equal(entry->command.kind, kind);
    assert_ptr_equal(entry->follow_up, follow_up);
    return entry;
}

static void every_user_gets_a_command_and_then_the_outbox_is_cleared(void **state) {
    struct follow_up *follow_up = follow_up_of(false, 3);
    (void)state;
    follow_up_round_begin(follow_up);
    assert_int_equal(follow_up->entries_ready, 3);
    for (uint8_t i = 1; i <= 3; i++) {
        struct entry *entry = next(follow_up, ENTRY_OF_FOLLOW_UP, COMMAND_USER_THREAD);
        assert_int_equal(entry->command.subject.bytes[0], i);
        assert_true(id_hash_equal(&entry->command.thread_hash, &THREAD));
        assert_true(bytes_equal_text(entry->command.thread_id, "19:t@thread.v2"));
        assert_true(bytes_equal_text(entry->command.topic, "topic"));
        assert_int_equal(entry->command.membership, MEMBERSHIP_LEFT);
        assert_int_equal(entry->command.offset, 9);
        assert_int_equal(entry->command.last_message_ms, 11);
        assert_int_equal(follow_up->in_flight, i);
        follow_up->users_done[entry->command.number] = true;
        entry_free(entry);
    }
    assert_int_equal(follow_up->entries_ready, 0);
    follow_up->in_flight = 0;
    follow_up->users_left = 0;
    follow_up_round_begin(follow_up);
    assert_int_equal(follow_up->entries_ready, 1);
    struct entry *entry = next(follow_up, ENTRY_OF_OUTBOX, COMMAND_OUTBOX_DONE);
    assert_true(id_hash_equal(&entry->command.subject, &THREAD));
    assert_int_equal(entry->command.number, 42);
    entry_free(entry);
    follow_up_free(follow_up);
}

static void a_second_round_is_only_for_those_who_have_not_got_it(void **state) {
    struct follow_up *follow_up = follow_up_of(false, 4);
    (void)state;
    follow_up->users_done[0] = true;
    follow_up->users_done[2] = true;
    follow_up->users_left = 2;
    follow_up->retry_ms = 5;
    follow_up_round_begin(follow_up);
    assert_int_equal(follow_up->retry_ms, 0);
    assert_int_equal(follow_up->entries_ready, 2);
    for (uint8_t i = 2; i <= 4; i += 2) {
        struct entry *entry = next(follow_up, ENTRY_OF_FOLLOW_UP, COMMAND_USER_THREAD);
        assert_int_equal(entry->command.subject.bytes[0], i);
        assert_int_equal(entry->command.number, i - 1);
        entry_free(entry);
    }
    follow_up_free(follow_up);
}

static void a_purge_is_one_command_each_round(void **state) {
    struct follow_up *follow_up = follow_up_of(true, 0);
    (void)state;
    for (int round = 0; round < 3; round++) {
        follow_up_round_begin(follow_up);
        assert_int_equal(follow_up->entries_ready, 1);
        struct entry *entry = next(follow_up, ENTRY_OF_PURGE, COMMAND_THREAD_PURGE);
        assert_true(id_hash_equal(&entry->command.subject, &THREAD));
        entry_free(entry);
        follow_up->in_flight = 0;
    }
    follow_up_free(follow_up);
}

static void a_row_without_users_only_clears_the_outbox(void **state) {
    struct follow_up *follow_up = follow_up_of(false, 0);
    (void)state;
    follow_up_round_begin(follow_up);
    entry_free(next(follow_up, ENTRY_OF_OUTBOX, COMMAND_OUTBOX_DONE));
    follow_up_free(follow_up);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_user_gets_a_command_and_then_the_outbox_is_cleared),
        cmocka_unit_test(a_second_round_is_only_for_those_who_have_not_got_it),
        cmocka_unit_test(a_purge_is_one_command_each_round),
        cmocka_unit_test(a_row_without_users_only_clears_the_outbox),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
