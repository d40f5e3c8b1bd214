/* What a walk through the store finds due. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/core/retention.h"
#include "node/core/sweep.h"
#include "proto/limits.h"
#include "storage/event_store.h"
#include "storage/keys.h"
#include "tests/lib/store_fixture.h"

#define DAY_MS (24LL * 60 * 60 * 1000)
#define KEEP_DAYS 30
#define UNDELETE_MS (6LL * 60 * 60 * 1000)
#define ALICE BYTES_LITERAL("8:acs:r_alice")
#define PROPOSED_MAX 2000

static struct fixture fixture;
static struct command proposed[PROPOSED_MAX];
static size_t proposed_count;
static size_t proposed_max; /* then it is refused */
static struct id_hash not_ours;
static struct sweep sweep;
static struct sweep_consumer consumers[2];
static size_t consumers_count;
static bool are_consumers_known;

static int set_up(void **state) {
    (void)state;
    fixture_open(&fixture);
    proposed_count = 0;
    proposed_max = PROPOSED_MAX;
    not_ours = (struct id_hash){{0}};
    sweep = (struct sweep){.unreadable = 0};
    consumers_count = 0;
    are_consumers_known = true;
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    fixture_close(&fixture);
    return 0;
}

static bool is_ours(void *context, const struct id_hash *subject) {
    (void)context;
    return !id_hash_equal(subject, &not_ours);
}

static int propose(void *context, const struct command *command) {
    (void)context;
    if (proposed_count == proposed_max)
        return STATUS_OVERLOADED;
    proposed[proposed_count] = *command;
    proposed[proposed_count].reason = arena_copy(&fixture.arena, command->reason);
    proposed[proposed_count].cursors = ARENA_NEW_ARRAY(&fixture.arena, struct event_cursor, command->cursors_count);
    for (size_t i = 0; i < command->cursors_count; i++)
        proposed[proposed_count].cursors[i] = command->cursors[i];
    proposed_count++;
    return STATUS_OK;
}

static bool consumers_give(void *context, struct arena *arena, struct sweep_consumers *given) {
    struct sweep_consumer *copy = ARENA_NEW_ARRAY(arena, struct sweep_consumer, consumers_count);
    (void)context;
    memcpy(copy, consumers, consumers_count * sizeof(*copy));
    *given = (struct sweep_consumers){copy, consumers_count};
    return are_consumers_known;
}

static int turn(void) {
    struct store_transaction *transaction = fixture_read(&fixture);
    const struct sweep_options options = {.master = &fixture.master,
                                          .is_ours = is_ours,
                                          .propose = propose,
                                          .undelete_ms = UNDELETE_MS,
                                          .deleted_keep_ms = KEEP_DAYS * DAY_MS,
                                          .events_keep_ms = DAY_MS,
                                          .consumers = consumers_give};
    int rc = sweep_turn(&sweep, &options, transaction, fixture.now_ms);
    store_abort(transaction);
    return rc;
}

/* Everything once. */
static void walk(void) {
    int rc;
    sweep = (struct sweep){.unreadable = 0};
    proposed_count = 0;
    while ((rc = turn()) == STATUS_OK)
        ;
    assert_int_equal(rc, STATUS_STORE_MISSING);
}

static struct bytes thread_id(unsigned number) {
    return arena_printf(&fixture.arena, "19:thread-%u@thread.v2", number);
}

static struct id_hash thread_hash(unsigned number) {
    return fixture_hash(&fixture, thread_id(number));
}

static void thread_make(unsigned number, enum retention_kind kind, uint32_t days) {
    struct command command = {.kind = COMMAND_THREAD_CREATE, .subject = thread_hash(number), .actor_id = ALICE};
    command.properties =
        (struct thread_properties){.id = thread_id(number), .topic = BYTES_LITERAL("topic"), .retention = {kind, days}};
    command.wrapped_key = fixture_key(&fixture, &command.subject);
    assert_int_equal(fixture_apply(&fixture, &command), STATUS_OK);
}

static void user_make(void) {
    struct command command = {.kind = COMMAND_USER_CREATE, .subject = fixture_hash(&fixture, ALICE), .user_id = ALICE};
    command.wrapped_key = fixture_key(&fixture, &command.subject);
    assert_int_equal(fixture_apply(&fixture, &command), STATUS_OK);
}

static void list_tell(unsigned thread, enum membership membership, uint64_t offset) {
    struct command command = {.kind = COMMAND_USER_THREAD,
                              .subject = fixture_hash(&fixture, ALICE),
                              .thread_hash = thread_hash(thread),
                              .thread_id = thread_id(thread),
                              .membership = membership,
                              .offset = offset};
    assert_int_equal(fixture_apply(&fixture, &command), STATUS_OK);
}

static bool is_proposed(unsigned thread) {
    struct id_hash hash = thread_hash(thread);
    size_t count = 0;
    for (size_t i = 0; i < proposed_count; i++)
        count += proposed[i].kind == COMMAND_THREAD_DELETE && id_hash_equal(&proposed[i].subject, &hash);
    assert_true(count <= 1);
    return count == 1;
}

static void threads_whose_time_has_come_are_to_be_deleted_by_policy_and_no_others(void **state) {
    (void)state;
    user_make();
    thread_make(1, RETENTION_THREAD_CREATION_DATE, 30);
    thread_make(2, RETENTION_THREAD_CREATION_DATE, 31);
    thread_make(3, RETENTION_NONE, 0);
    thread_make(4, RETENTION_NOT_GIVEN, 0);
    walk();
    assert_int_equal(proposed_count, 0);
    fixture.now_ms += 30 * DAY_MS;
    walk();
    assert_int_equal(proposed_count, 1);
    assert_true(is_proposed(1));
    assert_true(bytes_equal_text(proposed[0].reason, RETENTION_REASON));
    assert_false(bytes_is_present(proposed[0].actor_id));
    fixture.now_ms += DAY_MS;
    walk();
    assert_int_equal(proposed_count, 2);
    assert_true(is_proposed(2));
}

static void what_is_proposed_is_done_once_and_not_proposed_again(void **state) {
    (void)state;
    thread_make(1, RETENTION_THREAD_CREATION_DATE, 30);
    fixture.now_ms += 30 * DAY_MS;
    walk();
    assert_int_equal(proposed_count, 1);
    struct command deletion = proposed[0];
    assert_int_equal(fixture_apply(&fixture, &deletion), STATUS_OK);
    assert_int_equal(fixture_apply(&fixture, &deletion), STATUS_THREAD_NOT_FOUND);
    walk();
    assert_int_equal(proposed_count, 0);
}

static void what_another_node_leads_is_left_to_it(void **state) {
    (void)state;
    thread_make(1, RETENTION_THREAD_CREATION_DATE, 30);
    thread_make(2, RETENTION_THREAD_CREATION_DATE, 30);
    fixture.now_ms += 30 * DAY_MS;
    not_ours = thread_hash(1);
    walk();
    assert_int_equal(proposed_count, 1);
    assert_true(is_proposed(2));
}

static void many_threads_take_several_turns_and_each_is_seen_once(void **state) {
    unsigned count = 2 * SWEEP_SUBJECTS_PER_TURN + 7;
    (void)state;
    for (unsigned i = 0; i < count; i++)
        thread_make(i, RETENTION_THREAD_CREATION_DATE, 30);
    fixture.now_ms += 30 * DAY_MS;
    assert_int_equal(turn(), STATUS_OK);
    assert_int_equal(proposed_count, SWEEP_SUBJECTS_PER_TURN);
    walk();
    assert_int_equal(proposed_count, count);
    for (unsigned i = 0; i < count; i++)
        assert_true(is_proposed(i));
}

static void a_turn_that_is_refused_goes_on_where_it_was(void **state) {
    (void)state;
    for (unsigned i = 0; i < 10; i++)
        thread_make(i, RETENTION_THREAD_CREATION_DATE, 30);
    fixture.now_ms += 30 * DAY_MS;
    proposed_max = 4;
    assert_int_equal(turn(), STATUS_OVERLOADED);
    assert_int_equal(turn(), STATUS_OVERLOADED);
    proposed_max = PROPOSED_MAX;
    assert_int_equal(turn(), STATUS_STORE_MISSING);
    assert_int_equal(proposed_count, 10);
    for (unsigned i = 0; i < 10; i++)
        assert_true(is_proposed(i));
}

static void a_thread_that_does_not_open_keeps_nobody_from_the_others(void **state) {
    struct id_hash damaged = thread_hash(3);
    struct key key = key_of_row(&damaged, ROW_THREAD);
    struct store_transaction *transaction = NULL;
    (void)state;
    for (unsigned i = 0; i < 6; i++)
        thread_make(i, RETENTION_THREAD_CREATION_DATE, 30);
    assert_int_equal(store_begin_write(fixture.store, &transaction), 0);
    assert_int_equal(store_put(transaction, STORE_STATE, key_bytes(&key), BYTES_LITERAL("damaged")), 0);
    assert_int_equal(store_commit(transaction), 0);
    fixture.now_ms += 30 * DAY_MS;
    walk();
    assert_int_equal(proposed_count, 5);
    assert_false(is_proposed(3));
    assert_int_equal(sweep.unreadable, 1);
}

static int thread_change(unsigned number, enum command_kind kind, const char *reason) {
    struct command command = {.kind = kind, .subject = thread_hash(number), .reason = bytes_of_text(reason)};
    return fixture_apply(&fixture, &command);
}

static void held_threads_are_left_alone(void **state) {
    (void)state;
    thread_make(1, RETENTION_THREAD_CREATION_DATE, 30);
    assert_int_equal(thread_change(1, COMMAND_THREAD_HOLD, "case 7"), STATUS_OK);
    fixture.now_ms += 30 * DAY_MS;
    walk();
    assert_int_equal(proposed_count, 0);
    assert_int_equal(thread_change(1, COMMAND_THREAD_DELETE, "deletedByUser"), STATUS_OK);
    walk();
    assert_int_equal(proposed_count, 0);
    assert_int_equal(thread_change(1, COMMAND_THREAD_HOLD, NULL), STATUS_OK);
    walk();
    assert_int_equal(proposed_count, 1);
    assert_int_equal(proposed[0].kind, COMMAND_THREAD_SHRED);
}

static void deleted_threads_are_shredded_when_they_are_kept_no_longer(void **state) {
    (void)state;
    thread_make(1, RETENTION_THREAD_CREATION_DATE, 30);
    fixture.now_ms += 30 * DAY_MS;
    walk();
    assert_int_equal(proposed_count, 1);
    assert_int_equal(proposed[0].keep_ms, UNDELETE_MS);
    struct command deletion = proposed[0];
    assert_int_equal(fixture_apply(&fixture, &deletion), STATUS_OK);
    walk();
    assert_int_equal(proposed_count, 0);
    fixture.now_ms += UNDELETE_MS;
    walk();
    assert_int_equal(proposed_count, 1);
    struct command shredding = proposed[0];
    assert_int_equal(shredding.kind, COMMAND_THREAD_SHRED);
    assert_int_equal(fixture_apply(&fixture, &shredding), STATUS_OK);
    walk();
    assert_int_equal(proposed_count, 0);
}

static void lists_forget_deleted_threads_after_a_while_and_nothing_else(void **state) {
    struct id_hash alice = fixture_hash(&fixture, ALICE);
    struct id_hash deleted = thread_hash(2);
    (void)state;
    user_make();
    list_tell(1, MEMBERSHIP_JOINED, 2);
    list_tell(2, MEMBERSHIP_DELETED, 7);
    list_tell(3, MEMBERSHIP_LEFT, 5);
    int64_t deleted_ms = fixture.now_ms - 1;
    fixture.now_ms = deleted_ms + KEEP_DAYS * DAY_MS - 1;
    walk();
    assert_int_equal(proposed_count, 0);
    fixture.now_ms = deleted_ms + KEEP_DAYS * DAY_MS;
    walk();
    assert_int_equal(proposed_count, 1);
    assert_int_equal(proposed[0].kind, COMMAND_USER_FORGET);
    assert_true(id_hash_equal(&proposed[0].subject, &alice));
    assert_true(id_hash_equal(&proposed[0].thread_hash, &deleted));
    assert_int_equal(proposed[0].offset, 7);
    struct command forgetting = proposed[0];
    assert_int_equal(fixture_apply(&fixture, &forgetting), STATUS_OK);
    walk();
    assert_int_equal(proposed_count, 0);
}

static void message_send(unsigned thread, bool is_watched) {
    struct command command = {.kind = COMMAND_MESSAGE_SEND,
                              .subject = thread_hash(thread),
                              .actor_id = ALICE,
                              .message_type = MESSAGE_TEXT,
                              .content = BYTES_LITERAL("hello"),
                              .is_watched = is_watched};
    assert_int_equal(fixture_apply(&fixture, &command), STATUS_OK);
}

static void events_that_are_too_old_are_to_expire(void **state) {
    struct id_hash thread = thread_hash(1);
    (void)state;
    thread_make(1, RETENTION_NOT_GIVEN, 0);
    thread_make(2, RETENTION_NOT_GIVEN, 0);
    message_send(1, true); /* 3 */
    message_send(1, true); /* 4 */
    message_send(2, false);
    int64_t sent_ms = fixture.now_ms - 1;
    message_send(1, true); /* 5 */
    struct command deletion = {.kind = COMMAND_THREAD_DELETE, .subject = thread, .actor_id = ALICE};
    for (int is_deleted = 0; is_deleted < 2; is_deleted++) {
        fixture.now_ms = sent_ms + DAY_MS - 1;
        walk();
        assert_int_equal(proposed_count, 0);
        fixture.now_ms = sent_ms + DAY_MS + 1;
        walk();
        assert_int_equal(proposed_count, 1);
        assert_int_equal(proposed[0].kind, COMMAND_EVENTS_EXPIRE);
        assert_true(id_hash_equal(&proposed[0].subject, &thread));
        assert_int_equal(proposed[0].offset, 4);
        if (!is_deleted)
            assert_int_equal(fixture_apply(&fixture, &deletion), STATUS_OK);
    }
    struct command expiry = proposed[0];
    assert_int_equal(fixture_apply(&fixture, &expiry), STATUS_OK);
    walk();
    assert_int_equal(proposed_count, 0);
}

static void many_events_expire_by_several_commands(void **state) {
    struct event_store events = {.arena = &fixture.arena, .master = &fixture.master, .thread = thread_hash(1)};
    struct event_row row = {.time_ms = fixture.now_ms};
    (void)state;
    thread_make(1, RETENTION_NOT_GIVEN, 0);
    assert_int_equal(store_begin_write(fixture.store, &events.transaction), 0);
    for (uint64_t i = 0; i < LIMIT_PURGE_ROWS_PER_COMMAND + 10; i++)
        assert_int_equal(event_put(&events, 3 + i, &row), 0);
    assert_int_equal(store_commit(events.transaction), 0);
    fixture.now_ms += DAY_MS + 1;
    walk();
    assert_int_equal(proposed_count, 2);
    for (size_t i = 0; i < 2; i++) {
        struct command expiry = proposed[i];
        assert_int_equal(fixture_apply(&fixture, &expiry), STATUS_OK);
    }
    walk();
    assert_int_equal(proposed_count, 0);
}

static void done_up_to(unsigned thread, uint64_t offset) {
    struct event_cursor cursor = {.consumer = consumers[0].name, .offset = offset, .serial = consumers[0].serial};
    struct command done = {
        .kind = COMMAND_EVENTS_DONE, .subject = thread_hash(thread), .cursors = &cursor, .cursors_count = 1};
    assert_int_equal(fixture_apply(&fixture, &done), STATUS_OK);
}

static void proposal_apply(void) {
    struct command command = proposed[0];
    assert_int_equal(fixture_apply(&fixture, &command), STATUS_OK);
    assert_true(fixture.outcome.has_events);
}

static void who_begins_to_want_events_gets_those_since_then_of_threads_that_rest(void **state) {
    (void)state;
    consumers[0] = (struct sweep_consumer){.name = {{1}}, .serial = 1};
    consumers_count = 1;
    thread_make(1, RETENTION_NOT_GIVEN, 0);
    thread_make(2, RETENTION_NOT_GIVEN, 0);
    message_send(1, true); /* 3 */
    message_send(2, true);
    int64_t before_ms = fixture.now_ms + 1;
    message_send(1, true); /* 4 */
    done_up_to(1, 4);
    done_up_to(2, 3);
    walk();
    assert_int_equal(proposed_count, 0);
    consumers[1] = (struct sweep_consumer){.name = {{2}}, .serial = 7, .from_ms = before_ms};
    consumers_count = 2;
    walk();
    struct id_hash thread = thread_hash(1);
    assert_int_equal(proposed_count, 1);
    assert_int_equal(proposed[0].kind, COMMAND_EVENTS_DONE);
    assert_true(id_hash_equal(&proposed[0].subject, &thread));
    assert_int_equal(proposed[0].cursors_count, 1);
    assert_true(id_hash_equal(&proposed[0].cursors[0].consumer, &consumers[1].name));
    assert_int_equal(proposed[0].cursors[0].offset, 3);
    assert_int_equal(proposed[0].cursors[0].serial, 7);
    proposal_apply();
    walk(); /* it is marked, so somebody delivers */
    assert_int_equal(proposed_count, 0);
}

static void who_wants_events_again_is_set_back(void **state) {
    (void)state;
    consumers[0] = (struct sweep_consumer){.name = {{1}}, .serial = 1};
    consumers_count = 1;
    thread_make(1, RETENTION_NOT_GIVEN, 0);
    message_send(1, true); /* 3 */
    done_up_to(1, 3);
    consumers[0].serial = 2;
    walk();
    assert_int_equal(proposed_count, 1);
    assert_int_equal(proposed[0].cursors[0].offset, 0);
    proposal_apply();
}

static void assert_expiry_up_to(uint64_t offset) {
    walk();
    if (offset == 0) {
        assert_int_equal(proposed_count, 0);
        return;
    }
    assert_int_equal(proposed_count, 1);
    assert_int_equal(proposed[0].kind, COMMAND_EVENTS_EXPIRE);
    assert_int_equal(proposed[0].offset, offset);
}

/* To be given up by whoever delivers, who says so by a cursor. */
static void what_a_consumer_lacks_expires_later(void **state) {
    (void)state;
    consumers[0] = (struct sweep_consumer){.name = {{1}}, .serial = 1};
    consumers_count = 1;
    thread_make(1, RETENTION_NOT_GIVEN, 0);
    for (int i = 0; i < 3; i++)
        message_send(1, true); /* 3 to 5 */
    fixture.now_ms += DAY_MS;
    assert_expiry_up_to(0);
    done_up_to(1, 4);
    assert_expiry_up_to(4);
    consumers[0].serial = 2; /* it wants everything again */
    assert_expiry_up_to(0);
    consumers[0].from_ms = fixture.now_ms;
    assert_expiry_up_to(5);
    consumers[0].from_ms = 0;
    fixture.now_ms += 7 * DAY_MS;
    assert_expiry_up_to(5);
}

static void what_is_delivered_expires_in_time_and_the_rest_not_while_nobody_is_known(void **state) {
    (void)state;
    are_consumers_known = false;
    thread_make(1, RETENTION_NOT_GIVEN, 0);
    message_send(1, true); /* 3 */
    fixture.now_ms += DAY_MS;
    assert_expiry_up_to(0);
    done_up_to(1, 3);
    assert_expiry_up_to(3);
}

static void an_empty_store_is_walked_through_at_once(void **state) {
    (void)state;
    assert_int_equal(turn(), STATUS_STORE_MISSING);
}

static void the_last_position_of_the_ring_ends_the_walk(void **state) {
    struct id_hash last;
    struct store_transaction *transaction = NULL;
    (void)state;
    memset(last.bytes, 0xff, sizeof(last.bytes));
    struct key key = key_of_row(&last, ROW_TOMBSTONE);
    assert_int_equal(store_begin_write(fixture.store, &transaction), 0);
    assert_int_equal(store_put(transaction, STORE_STATE, key_bytes(&key), BYTES_LITERAL("of whom nothing is due")), 0);
    assert_int_equal(store_commit(transaction), 0);
    assert_int_equal(turn(), STATUS_STORE_MISSING);
}

#define OF(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        OF(threads_whose_time_has_come_are_to_be_deleted_by_policy_and_no_others),
        OF(what_is_proposed_is_done_once_and_not_proposed_again),
        OF(what_another_node_leads_is_left_to_it),
        OF(many_threads_take_several_turns_and_each_is_seen_once),
        OF(a_turn_that_is_refused_goes_on_where_it_was),
        OF(a_thread_that_does_not_open_keeps_nobody_from_the_others),
        OF(held_threads_are_left_alone),
        OF(deleted_threads_are_shredded_when_they_are_kept_no_longer),
        OF(lists_forget_deleted_threads_after_a_while_and_nothing_else),
        OF(events_that_are_too_old_are_to_expire),
        OF(many_events_expire_by_several_commands),
        OF(who_begins_to_want_events_gets_those_since_then_of_threads_that_rest),
        OF(who_wants_events_again_is_set_back),
        OF(what_a_consumer_lacks_expires_later),
        OF(what_is_delivered_expires_in_time_and_the_rest_not_while_nobody_is_known),
        OF(an_empty_store_is_walked_through_at_once),
        OF(the_last_position_of_the_ring_ends_the_walk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
