/* What watched commands leave for those outside, and what becomes of it, over a real store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/limits.h"
#include "storage/event_store.h"
#include "storage/keys.h"
#include "tests/lib/store_fixture.h"

#define THREAD BYTES_LITERAL("19:acsV1_unit@thread.v2")
#define ALICE BYTES_LITERAL("8:acs:r_alice")
#define BOB BYTES_LITERAL("8:acs:r_bob")
#define CAROL BYTES_LITERAL("8:acs:r_carol")

static struct fixture fixture;
static const struct id_hash WEBHOOK = {{1}};
static const struct id_hash PUSH = {{2}};

static struct command command_of(enum command_kind kind, struct bytes actor, bool is_watched) {
    return (struct command){.kind = kind,
                            .subject = fixture_hash(&fixture, THREAD),
                            .actor_id = actor,
                            .message_type = MESSAGE_TEXT,
                            .content = BYTES_LITERAL("hello"),
                            .is_watched = is_watched};
}

static void apply(struct command command) {
    assert_int_equal(fixture_apply(&fixture, &command), STATUS_OK);
}

static void change_member(enum command_kind kind, struct bytes user_id) {
    struct participant item = {.user_id = user_id, .display_name = BYTES_LITERAL("name")};
    struct command command = command_of(kind, ALICE, true);
    command.user_id = user_id;
    command.participants = (struct participants){&item, 1};
    apply(command);
}

/* Offsets 1 and 2; nobody watches yet. */
static int set_up(void **state) {
    struct participant bob = {.user_id = BOB};
    (void)state;
    fixture_open(&fixture);
    struct command command = command_of(COMMAND_THREAD_CREATE, ALICE, false);
    command.properties = (struct thread_properties){.id = THREAD, .topic = BYTES_LITERAL("topic")};
    command.participants = (struct participants){&bob, 1};
    command.wrapped_key = fixture_key(&fixture, &command.subject);
    apply(command);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    fixture_close(&fixture);
    return 0;
}

static struct event_store events_open(void) {
    return (struct event_store){.transaction = fixture_read(&fixture),
                                .arena = &fixture.arena,
                                .master = &fixture.master,
                                .thread = fixture_hash(&fixture, THREAD)};
}

struct found {
    enum change_kind kinds[16];
    uint64_t offsets[16];
    size_t count;
};

static bool find(void *context, uint64_t offset, const struct event_row *row) {
    struct found *found = context;
    struct change change;
    assert_int_equal(change_decode(row->change, &fixture.arena, &change), STATUS_OK);
    assert_int_equal(change.offset, offset);
    assert_true(row->time_ms > 1700000000000 && row->time_ms <= fixture.now_ms);
    assert_int_equal(row->thread_created_ms, 1700000000001);
    found->kinds[found->count] = change.kind;
    found->offsets[found->count++] = offset;
    return true;
}

static struct found events_found(void) {
    struct found found = {.count = 0};
    struct event_store events = events_open();
    assert_int_equal(events_visit(&events, 0, find, &found), STATUS_OK);
    store_abort(events.transaction);
    return found;
}

static bool is_marked(void) {
    bool marked = false;
    struct event_store events = events_open();
    assert_int_equal(event_mark_get(&events, &marked), STATUS_OK);
    store_abort(events.transaction);
    return marked;
}

static size_t members_at(uint64_t offset) {
    struct participants members;
    struct event_store events = events_open();
    assert_int_equal(event_members_at(&events, offset, &members), STATUS_OK);
    store_abort(events.transaction);
    return members.count;
}

static struct event_cursors_row cursors(void) {
    struct event_cursors_row row;
    struct event_store events = events_open();
    assert_int_equal(event_cursors_get(&events, &row), STATUS_OK);
    store_abort(events.transaction);
    return row;
}

static void done_up_to(uint64_t webhook, uint64_t push) {
    struct event_cursor given[] = {{WEBHOOK, webhook, 7}, {PUSH, push, 0}};
    struct command command = command_of(COMMAND_EVENTS_DONE, BYTES_ABSENT, false);
    command.cursors = given;
    command.cursors_count = push == 0 ? 1 : 2;
    apply(command);
}

static void only_watched_changes_with_an_offset_become_events(void **state) {
    (void)state;
    apply(command_of(COMMAND_MESSAGE_SEND, ALICE, false)); /* 3 */
    assert_false(fixture.outcome.has_events);
    assert_false(is_marked());
    apply(command_of(COMMAND_MESSAGE_SEND, BOB, true)); /* 4 */
    assert_true(fixture.outcome.has_events);
    struct command receipt = command_of(COMMAND_RECEIPT_SEND, ALICE, true);
    receipt.message_id = fixture.outcome.result.message_id;
    apply(receipt);
    assert_false(fixture.outcome.has_events);
    struct command edit = command_of(COMMAND_MESSAGE_EDIT, BOB, true);
    edit.message_id = receipt.message_id;
    apply(edit);                                    /* 5 */
    change_member(COMMAND_PARTICIPANTS_ADD, CAROL); /* 6 */
    change_member(COMMAND_PARTICIPANTS_ADD, CAROL); /* nobody joins */
    struct found found = events_found();
    assert_int_equal(found.count, 3);
    assert_int_equal(found.kinds[0], CHANGE_MESSAGE_RECEIVED);
    assert_int_equal(found.kinds[1], CHANGE_MESSAGE_EDITED);
    assert_int_equal(found.offsets[1], 5);
    assert_int_equal(found.kinds[2], CHANGE_PARTICIPANTS_ADDED);
    assert_true(is_marked());
}

static void a_refused_or_repeated_command_leaves_no_event(void **state) {
    (void)state;
    struct command command = command_of(COMMAND_MESSAGE_SEND, CAROL, true);
    assert_int_equal(fixture_apply(&fixture, &command), STATUS_FORBIDDEN);
    command = command_of(COMMAND_MESSAGE_SEND, ALICE, true);
    command.idempotency = IDEMPOTENCY_CLIENT_MESSAGE_ID;
    command.idempotency_id = BYTES_LITERAL("once");
    apply(command);
    apply(command);
    assert_true(fixture.outcome.result.is_duplicate);
    assert_false(fixture.outcome.has_events);
    assert_int_equal(events_found().count, 1);
}

static void the_mark_goes_when_every_consumer_has_got_everything(void **state) {
    (void)state;
    apply(command_of(COMMAND_MESSAGE_SEND, ALICE, true)); /* 3 */
    apply(command_of(COMMAND_MESSAGE_SEND, ALICE, true)); /* 4 */
    done_up_to(4, 3);
    assert_true(is_marked());
    done_up_to(3, 4);
    assert_true(is_marked());
    done_up_to(4, 4);
    assert_false(is_marked());
    assert_int_equal(cursors().cursors_count, 2);
    assert_int_equal(cursors().cursors[0].serial, 7);
    assert_int_equal(events_found().count, 2); /* for who wants them again */
    apply(command_of(COMMAND_MESSAGE_SEND, ALICE, true));
    assert_true(is_marked());
}

static void cursors_of_who_is_not_named_are_kept_and_do_not_count(void **state) {
    (void)state;
    apply(command_of(COMMAND_MESSAGE_SEND, ALICE, true)); /* 3 */
    apply(command_of(COMMAND_MESSAGE_SEND, ALICE, true)); /* 4 */
    done_up_to(3, 3);
    done_up_to(4, 0);
    assert_false(is_marked());
    struct event_cursors_row row = cursors();
    assert_int_equal(row.cursors_count, 2);
    assert_true(id_hash_equal(&row.cursors[1].consumer, &PUSH));
    assert_int_equal(row.cursors[1].offset, 3);
}

static void who_is_set_back_gets_a_marked_thread(void **state) {
    (void)state;
    apply(command_of(COMMAND_MESSAGE_SEND, ALICE, true)); /* 3 */
    done_up_to(3, 3);
    assert_false(is_marked());
    assert_false(fixture.outcome.has_events);
    done_up_to(3, 2);
    assert_true(is_marked());
    assert_true(fixture.outcome.has_events);
    done_up_to(3, 2);
    assert_false(fixture.outcome.has_events); /* it was marked already */
}

static void where_nobody_wants_events_any_more_the_mark_goes(void **state) {
    (void)state;
    apply(command_of(COMMAND_MESSAGE_SEND, ALICE, true));
    apply(command_of(COMMAND_EVENTS_DONE, BYTES_ABSENT, false));
    assert_false(is_marked());
    assert_int_equal(cursors().cursors_count, 0);
}

static void more_cursors_than_a_list_may_have_are_never_kept(void **state) {
    struct event_cursor *given = ARENA_NEW_ARRAY(&fixture.arena, struct event_cursor, LIMIT_LIST_ITEMS_MAX);
    struct command command = command_of(COMMAND_EVENTS_DONE, BYTES_ABSENT, false);
    (void)state;
    apply(command_of(COMMAND_MESSAGE_SEND, ALICE, true));
    done_up_to(3, 3);
    for (unsigned i = 0; i < LIMIT_LIST_ITEMS_MAX; i++)
        given[i] = (struct event_cursor){.consumer = {{9, (uint8_t)(i / 256), (uint8_t)i}}, .offset = 3};
    command.cursors = given;
    command.cursors_count = LIMIT_LIST_ITEMS_MAX;
    apply(command);
    assert_int_equal(cursors().cursors_count, LIMIT_LIST_ITEMS_MAX);
    assert_false(is_marked());
}

static void expiry_takes_the_oldest_and_with_the_last_one_everything(void **state) {
    struct command expire = command_of(COMMAND_EVENTS_EXPIRE, BYTES_ABSENT, false);
    (void)state;
    for (int i = 0; i < 3; i++)
        apply(command_of(COMMAND_MESSAGE_SEND, ALICE, true)); /* 3 to 5 */
    done_up_to(3, 3);
    expire.offset = 4;
    apply(expire);
    assert_int_equal(events_found().count, 1);
    assert_true(is_marked());
    assert_int_equal(cursors().cursors_count, 2);
    expire.offset = 5;
    apply(expire);
    assert_int_equal(events_found().count, 0);
    assert_false(is_marked());
    assert_int_equal(cursors().cursors_count, 0);
    done_up_to(5, 5); /* it comes late */
    assert_int_equal(cursors().cursors_count, 0);
}

static void purge(void) {
    apply(command_of(COMMAND_THREAD_PURGE, BYTES_ABSENT, false));
    assert_true(fixture.outcome.is_purge_done);
}

/* Bob leaves before anything was watched, so nothing concerns him any more. */
static void a_deleted_thread_keeps_its_events_and_who_was_in_it_until_they_are_delivered(void **state) {
    (void)state;
    struct command leave = command_of(COMMAND_PARTICIPANT_REMOVE, ALICE, false);
    leave.user_id = BOB;
    apply(leave);                                          /* 3 */
    change_member(COMMAND_PARTICIPANTS_ADD, CAROL);        /* 4 */
    change_member(COMMAND_PARTICIPANT_REMOVE, CAROL);      /* 5 */
    apply(command_of(COMMAND_THREAD_DELETE, ALICE, true)); /* 6 */
    assert_true(fixture.outcome.has_events);
    purge();
    struct found found = events_found();
    assert_int_equal(found.count, 3);
    assert_int_equal(found.kinds[2], CHANGE_THREAD_DELETED);
    assert_int_equal(members_at(4), 2);
    assert_int_equal(members_at(5), 2);
    assert_int_equal(members_at(6), 1);
    assert_int_equal(fixture_rows(&fixture, STORE_STATE), 1 + 3 + 2); /* tombstone, events, members */
    done_up_to(6, 6);
    assert_int_equal(fixture.outcome.follow_ups->number, OUTBOX_PURGE_NUMBER);
    assert_true(fixture.outcome.follow_ups->row.is_purge);
    purge();
    assert_int_equal(fixture_rows(&fixture, STORE_STATE), 1);
}

static void events_that_expire_take_what_a_deleted_thread_has_left(void **state) {
    struct command expire = command_of(COMMAND_EVENTS_EXPIRE, BYTES_ABSENT, false);
    (void)state;
    apply(command_of(COMMAND_MESSAGE_SEND, ALICE, true));
    apply(command_of(COMMAND_THREAD_DELETE, ALICE, false)); /* nobody watches any more */
    purge();
    assert_int_equal(events_found().count, 1);
    assert_int_equal(members_at(3), 2);
    expire.offset = UINT64_MAX;
    apply(expire);
    assert_non_null(fixture.outcome.follow_ups);
    purge();
    assert_int_equal(fixture_rows(&fixture, STORE_STATE), 1);
}

/* Bob leaves between two deletions; what the first one kept of him must not make him one who is told of the second. */
static void who_left_after_an_undone_deletion_is_told_nothing_of_the_next_one(void **state) {
    struct command deletion = command_of(COMMAND_THREAD_DELETE, ALICE, true);
    struct command undeletion = command_of(COMMAND_THREAD_UNDELETE, BYTES_ABSENT, false);
    struct command expire = command_of(COMMAND_EVENTS_EXPIRE, BYTES_ABSENT, false);
    (void)state;
    deletion.keep_ms = 1000000;
    apply(deletion); /* 3 */
    assert_int_equal(members_at(3), 2);
    apply(undeletion);
    change_member(COMMAND_PARTICIPANT_REMOVE, BOB);
    expire.offset = UINT64_MAX;
    apply(expire);
    apply(deletion);
    assert_int_equal(members_at(fixture.outcome.result.offset), 1);
}

/* A thread that can be undeleted keeps its rows, so that who begins to want its events later may get them. */
static void who_was_in_a_thread_is_kept_as_long_as_there_are_events_of_it(void **state) {
    struct command deletion = command_of(COMMAND_THREAD_DELETE, ALICE, false);
    (void)state;
    apply(command_of(COMMAND_MESSAGE_SEND, ALICE, true)); /* 3 */
    done_up_to(3, 3);
    deletion.keep_ms = 1000000;
    apply(deletion);
    done_up_to(0, 3);
    assert_true(is_marked());
    assert_int_equal(members_at(3), 2);
}

/* Its purge, which has not come to an end, takes the events too. */
static void a_purge_that_is_under_way_is_not_begun_again(void **state) {
    (void)state;
    apply(command_of(COMMAND_THREAD_DELETE, ALICE, true));
    done_up_to(3, 3);
    assert_null(fixture.outcome.follow_ups);
    purge();
    assert_int_equal(fixture_rows(&fixture, STORE_STATE), 1);
}

static void a_thread_that_nobody_watched_leaves_nothing(void **state) {
    (void)state;
    apply(command_of(COMMAND_THREAD_DELETE, ALICE, false));
    purge();
    assert_int_equal(fixture_rows(&fixture, STORE_STATE), 1);
}

static void who_comes_back_was_in_it_before_too(void **state) {
    (void)state;
    change_member(COMMAND_PARTICIPANT_REMOVE, BOB);       /* 3 */
    apply(command_of(COMMAND_MESSAGE_SEND, ALICE, true)); /* 4 */
    change_member(COMMAND_PARTICIPANTS_ADD, BOB);         /* 5 */
    assert_int_equal(members_at(2), 2);
    assert_int_equal(members_at(3), 2); /* told of his removal */
    assert_int_equal(members_at(4), 1);
    assert_int_equal(members_at(5), 2);
}

static void damaged_cursors_are_the_answer_and_no_failure_of_the_disk(void **state) {
    struct id_hash thread = fixture_hash(&fixture, THREAD);
    struct key key = key_of_row(&thread, ROW_EVENT_CURSORS);
    struct store_transaction *transaction = NULL;
    (void)state;
    apply(command_of(COMMAND_MESSAGE_SEND, ALICE, true));
    assert_int_equal(store_begin_write(fixture.store, &transaction), 0);
    assert_int_equal(store_put(transaction, STORE_STATE, key_bytes(&key), BYTES_LITERAL("damaged")), 0);
    assert_int_equal(store_commit(transaction), 0);
    struct command done = command_of(COMMAND_EVENTS_DONE, BYTES_ABSENT, false);
    assert_int_equal(fixture_apply(&fixture, &done), STATUS_RECORD_CORRUPT);
    assert_true(is_marked());
}

int main(void) {
#define RULE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        RULE(only_watched_changes_with_an_offset_become_events),
        RULE(a_refused_or_repeated_command_leaves_no_event),
        RULE(the_mark_goes_when_every_consumer_has_got_everything),
        RULE(cursors_of_who_is_not_named_are_kept_and_do_not_count),
        RULE(who_is_set_back_gets_a_marked_thread),
        RULE(where_nobody_wants_events_any_more_the_mark_goes),
        RULE(more_cursors_than_a_list_may_have_are_never_kept),
        RULE(expiry_takes_the_oldest_and_with_the_last_one_everything),
        RULE(a_deleted_thread_keeps_its_events_and_who_was_in_it_until_they_are_delivered),
        RULE(events_that_expire_take_what_a_deleted_thread_has_left),
        RULE(who_left_after_an_undone_deletion_is_told_nothing_of_the_next_one),
        RULE(who_was_in_a_thread_is_kept_as_long_as_there_are_events_of_it),
        RULE(a_purge_that_is_under_way_is_not_begun_again),
        RULE(a_thread_that_nobody_watched_leaves_nothing),
        RULE(who_comes_back_was_in_it_before_too),
        RULE(damaged_cursors_are_the_answer_and_no_failure_of_the_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
