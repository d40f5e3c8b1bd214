/* Holds, and deleted threads that can be undeleted, over a real store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/core/retention.h"
#include "proto/limits.h"
#include "storage/fsck.h"
#include "storage/thread_store.h"
#include "tests/lib/store_fixture.h"

#define DAY_MS (24LL * 60 * 60 * 1000)
#define THREAD BYTES_LITERAL("19:acsV1_unit@thread.v2")
#define ALICE BYTES_LITERAL("8:acs:r_alice")
#define BOB BYTES_LITERAL("8:acs:r_bob")
#define CAROL BYTES_LITERAL("8:acs:r_carol")

static struct fixture fixture;

static struct command command_of(enum command_kind kind, struct bytes actor) {
    return (struct command){.kind = kind, .subject = fixture_hash(&fixture, THREAD), .actor_id = actor};
}

static int apply(enum command_kind kind) {
    struct command command = command_of(kind, BYTES_ABSENT);
    return fixture_apply(&fixture, &command);
}

static int message_send(const char *content) {
    struct command command = command_of(COMMAND_MESSAGE_SEND, ALICE);
    command.message_type = MESSAGE_TEXT;
    command.content = bytes_of_text(content);
    return fixture_apply(&fixture, &command);
}

static int hold(const char *reason) {
    struct command command = command_of(COMMAND_THREAD_HOLD, BYTES_ABSENT);
    command.reason = bytes_of_text(reason);
    return fixture_apply(&fixture, &command);
}

static int delete_as(struct bytes actor, const char *reason, int64_t keep_ms) {
    struct command command = command_of(COMMAND_THREAD_DELETE, actor);
    command.reason = bytes_of_text(reason);
    command.keep_ms = keep_ms;
    return fixture_apply(&fixture, &command);
}

/* Alice and Bob are in it, Carol has been. */
static int set_up(void **state) {
    struct participant others[2] = {{.user_id = BOB}, {.user_id = CAROL}};
    (void)state;
    fixture_open(&fixture);
    struct command creation = command_of(COMMAND_THREAD_CREATE, ALICE);
    creation.properties = (struct thread_properties){
        .id = THREAD, .topic = BYTES_LITERAL("topic"), .retention = {RETENTION_THREAD_CREATION_DATE, 30}};
    creation.participants = (struct participants){others, 2};
    creation.wrapped_key = fixture_key(&fixture, &creation.subject);
    struct command removal = command_of(COMMAND_PARTICIPANT_REMOVE, ALICE);
    removal.user_id = CAROL;
    check(fixture_apply(&fixture, &creation) == STATUS_OK && fixture_apply(&fixture, &removal) == STATUS_OK);
    return message_send("kept");
}

static int tear_down(void **state) {
    (void)state;
    fixture_close(&fixture);
    return 0;
}

/* Messages that Bob sees; -1: none, as there is no such thread. */
static int seen(void) {
    struct thread_view view;
    struct message_page page = {0};
    struct store_transaction *transaction = fixture_read(&fixture);
    struct apply_context context = fixture_context(&fixture, transaction);
    struct id_hash thread = fixture_hash(&fixture, THREAD);
    int rc = thread_view_open(&view, &context, &thread, BOB);
    if (rc == STATUS_OK)
        assert_int_equal(thread_view_messages(&view, UINT64_MAX, 0, 100, &page), STATUS_OK);
    else
        assert_int_equal(rc, STATUS_THREAD_NOT_FOUND);
    store_abort(transaction);
    return rc == STATUS_OK ? (int)page.count : -1;
}

static bool purge_has_begun(void) {
    for (const struct outcome_follow_up *told = fixture.outcome.follow_ups; told != NULL; told = told->next)
        if (told->row.is_purge)
            return true;
    return false;
}

static const struct outcome_follow_up *list_told(enum membership membership) {
    const struct outcome_follow_up *told = fixture.outcome.follow_ups;
    while (told != NULL && (told->row.is_purge || told->row.membership != membership))
        told = told->next;
    assert_non_null(told);
    return told;
}

static void store_is_sound(void) {
    struct fsck_report report;
    struct buffer lines;
    buffer_init(&lines);
    assert_int_equal(store_fsck(fixture.store, &fixture.master, 0, 0, &report, &lines), STATUS_OK);
    buffer_append(&lines, "", 1);
    if (report.corrupt + report.misindexed > 0)
        fail_msg("%s", (const char *)lines.data);
    buffer_close(&lines);
}

static void a_hold_stands_from_its_first_reason_until_it_is_cleared(void **state) {
    (void)state;
    assert_int_equal(hold("case 7"), STATUS_OK);
    int64_t since_ms = fixture.outcome.result.time_ms;
    assert_true(since_ms == fixture.now_ms);
    assert_int_equal(hold("case 7 and 8"), STATUS_OK);
    assert_true(fixture.outcome.result.time_ms == since_ms);
    store_is_sound();
    assert_int_equal(apply(COMMAND_THREAD_HOLD), STATUS_OK);
    assert_int_equal(apply(COMMAND_THREAD_HOLD), STATUS_OK);
    fixture.now_ms += 30 * DAY_MS;
    assert_int_equal(delete_as(BYTES_ABSENT, RETENTION_REASON, 0), STATUS_OK);
    assert_int_equal(hold("too late"), STATUS_THREAD_NOT_FOUND);
}

static void a_held_thread_outlives_its_policy(void **state) {
    (void)state;
    assert_int_equal(hold("case 7"), STATUS_OK);
    fixture.now_ms += 30 * DAY_MS;
    assert_int_equal(delete_as(BYTES_ABSENT, RETENTION_REASON, 0), STATUS_CONFLICT);
    assert_int_equal(seen(), 4);
    assert_int_equal(apply(COMMAND_THREAD_HOLD), STATUS_OK);
    assert_int_equal(delete_as(BYTES_ABSENT, RETENTION_REASON, 0), STATUS_OK);
    assert_true(purge_has_begun());
}

static void who_deletes_a_held_thread_hides_it_until_the_hold_ends(void **state) {
    uint64_t rows;
    (void)state;
    assert_int_equal(hold("case 7"), STATUS_OK);
    rows = fixture_rows(&fixture, STORE_STATE);
    assert_int_equal(delete_as(ALICE, "deletedByUser", 0), STATUS_OK);
    assert_int_equal(fixture.outcome.changes->change.kind, CHANGE_THREAD_DELETED);
    assert_int_equal(list_told(MEMBERSHIP_DELETED)->row.users_count, 3);
    assert_false(purge_has_begun());
    assert_int_equal(seen(), -1);
    assert_int_equal(message_send("nobody is there"), STATUS_THREAD_NOT_FOUND);
    assert_int_equal(fixture_rows(&fixture, STORE_STATE), rows); /* a tombstone in place of the key */
    store_is_sound();
    assert_int_equal(apply(COMMAND_THREAD_SHRED), STATUS_CONFLICT);
    assert_int_equal(apply(COMMAND_THREAD_PURGE), STATUS_OK);
    assert_int_equal(fixture_rows(&fixture, STORE_STATE), rows);
    assert_int_equal(apply(COMMAND_THREAD_HOLD), STATUS_OK);
    assert_int_equal(apply(COMMAND_THREAD_SHRED), STATUS_OK);
    assert_true(purge_has_begun());
    assert_int_equal(apply(COMMAND_THREAD_UNDELETE), STATUS_THREAD_NOT_FOUND);
    store_is_sound();
    assert_int_equal(apply(COMMAND_THREAD_PURGE), STATUS_OK);
    assert_int_equal(fixture_rows(&fixture, STORE_STATE), 1); /* the tombstone */
}

static void what_is_kept_for_a_while_is_shredded_then_and_not_before(void **state) {
    (void)state;
    assert_int_equal(delete_as(ALICE, "deletedByUser", DAY_MS), STATUS_OK);
    assert_false(purge_has_begun());
    fixture.now_ms += DAY_MS - 2;
    assert_int_equal(apply(COMMAND_THREAD_SHRED), STATUS_CONFLICT);
    assert_int_equal(apply(COMMAND_THREAD_SHRED), STATUS_OK);
    assert_true(purge_has_begun());
    assert_int_equal(apply(COMMAND_THREAD_SHRED), STATUS_THREAD_NOT_FOUND);
    assert_int_equal(apply(COMMAND_THREAD_UNDELETE), STATUS_THREAD_NOT_FOUND);
}

static void an_undeleted_thread_is_there_again_with_everything_and_goes_on(void **state) {
    (void)state;
    assert_int_equal(delete_as(ALICE, "deletedByUser", DAY_MS), STATUS_OK);
    uint64_t deleted = fixture.outcome.result.offset;
    assert_int_equal(apply(COMMAND_THREAD_UNDELETE), STATUS_OK);
    uint64_t undeleted = fixture.outcome.result.offset;
    assert_true(undeleted > deleted);
    const struct change *change = &fixture.outcome.changes->change;
    assert_int_equal(change->kind, CHANGE_THREAD_CREATED);
    assert_int_equal(change->offset, undeleted);
    assert_int_equal(change->participants.count, 2);
    assert_int_equal(list_told(MEMBERSHIP_JOINED)->row.users_count, 2);
    const struct outcome_follow_up *left = list_told(MEMBERSHIP_LEFT);
    struct id_hash carol = fixture_hash(&fixture, CAROL);
    assert_int_equal(left->row.users_count, 1);
    assert_true(id_hash_equal(&left->row.users[0].hash, &carol));
    assert_true(left->number > deleted && left->number < undeleted);
    assert_int_equal(seen(), 4);
    store_is_sound();
    assert_int_equal(message_send("goes on"), STATUS_OK);
    assert_int_equal(fixture.outcome.result.offset, undeleted + 1);
    assert_int_equal(apply(COMMAND_THREAD_UNDELETE), STATUS_OK);
    assert_true(fixture.outcome.result.is_duplicate);
    assert_int_equal(delete_as(ALICE, "deletedByUser", 0), STATUS_OK);
    assert_true(purge_has_begun());
}

static void a_policy_that_is_over_does_not_delete_what_was_undeleted(void **state) {
    (void)state;
    fixture.now_ms += 30 * DAY_MS;
    assert_int_equal(delete_as(BYTES_ABSENT, RETENTION_REASON, DAY_MS), STATUS_OK);
    assert_int_equal(apply(COMMAND_THREAD_UNDELETE), STATUS_OK);
    assert_int_equal(fixture.outcome.changes->change.properties.retention.kind, RETENTION_NONE);
    assert_int_equal(delete_as(BYTES_ABSENT, RETENTION_REASON, 0), STATUS_CONFLICT);
}

static void who_learns_of_an_undeletion_later_is_told_of_a_creation(void **state) {
    struct thread_view view;
    struct change *changes;
    size_t count;
    bool is_complete;
    (void)state;
    assert_int_equal(delete_as(ALICE, "deletedByUser", DAY_MS), STATUS_OK);
    assert_int_equal(apply(COMMAND_THREAD_UNDELETE), STATUS_OK);
    uint64_t undeleted = fixture.outcome.result.offset;
    struct store_transaction *transaction = fixture_read(&fixture);
    struct apply_context context = fixture_context(&fixture, transaction);
    struct id_hash thread = fixture_hash(&fixture, THREAD);
    assert_int_equal(thread_view_open(&view, &context, &thread, BOB), STATUS_OK);
    assert_int_equal(thread_view_changes(&view, undeleted, 10, &changes, &count, &is_complete), STATUS_OK);
    store_abort(transaction);
    assert_int_equal(count, 1);
    assert_int_equal(changes[0].kind, CHANGE_THREAD_CREATED);
    assert_int_equal(changes[0].participants.count, 2);
    assert_true(bytes_equal_text(changes[0].properties.topic, "topic"));
}

static void users_are_neither_held_nor_undeleted(void **state) {
    struct command creation = {.kind = COMMAND_USER_CREATE, .subject = fixture_hash(&fixture, BOB), .user_id = BOB};
    static const enum command_kind kinds[] = {COMMAND_THREAD_HOLD, COMMAND_THREAD_UNDELETE, COMMAND_THREAD_SHRED};
    (void)state;
    creation.wrapped_key = fixture_key(&fixture, &creation.subject);
    assert_int_equal(fixture_apply(&fixture, &creation), STATUS_OK);
    uint64_t rows = fixture_rows(&fixture, STORE_STATE);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct command command = {.kind = kinds[i], .subject = creation.subject, .reason = BYTES_LITERAL("no thread")};
        assert_int_equal(fixture_apply(&fixture, &command), STATUS_THREAD_NOT_FOUND);
    }
    assert_int_equal(fixture_rows(&fixture, STORE_STATE), rows);
}

#define OF(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        OF(a_hold_stands_from_its_first_reason_until_it_is_cleared),
        OF(a_held_thread_outlives_its_policy),
        OF(who_deletes_a_held_thread_hides_it_until_the_hold_ends),
        OF(what_is_kept_for_a_while_is_shredded_then_and_not_before),
        OF(an_undeleted_thread_is_there_again_with_everything_and_goes_on),
        OF(a_policy_that_is_over_does_not_delete_what_was_undeleted),
        OF(who_learns_of_an_undeletion_later_is_told_of_a_creation),
        OF(users_are_neither_held_nor_undeleted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
