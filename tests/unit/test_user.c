/* The rules of a user, command by command, over a real store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/limits.h"
#include "storage/user_store.h"
#include "tests/lib/store_fixture.h"

#define ALICE BYTES_LITERAL("8:acs:r_alice")
#define THREAD BYTES_LITERAL("19:t@thread.v2")

static struct fixture fixture;

static struct command command_of(enum command_kind kind) {
    return (struct command){.kind = kind, .subject = fixture_hash(&fixture, ALICE)};
}

static int create(void) {
    struct command command = command_of(COMMAND_USER_CREATE);
    command.user_id = ALICE;
    command.wrapped_key = fixture_key(&fixture, &command.subject);
    return fixture_apply(&fixture, &command);
}

static int set_up(void **state) {
    (void)state;
    fixture_open(&fixture);
    return create();
}

static int tear_down(void **state) {
    (void)state;
    fixture_close(&fixture);
    return 0;
}

static int user_read(struct user_row *row) {
    struct store_transaction *transaction = fixture_read(&fixture);
    struct user_store store;
    struct id_hash alice = fixture_hash(&fixture, ALICE);
    int rc = user_store_open(&store, transaction, &fixture.arena, &fixture.master, &alice);
    if (rc == STATUS_OK)
        rc = user_row_get(&store, row);
    store_abort(transaction);
    return rc;
}

static struct membership_row membership_read(void) {
    struct store_transaction *transaction = fixture_read(&fixture);
    struct user_store store;
    struct membership_row row = {0};
    struct id_hash alice = fixture_hash(&fixture, ALICE);
    struct id_hash thread = fixture_hash(&fixture, THREAD);
    check(user_store_open(&store, transaction, &fixture.arena, &fixture.master, &alice) == STATUS_OK);
    int rc = user_membership_get(&store, &thread, &row);
    check(rc == STATUS_OK || rc == STATUS_STORE_MISSING);
    store_abort(transaction);
    return row;
}

static const struct change *only_change(enum change_kind kind) {
    assert_non_null(fixture.outcome.changes);
    assert_null(fixture.outcome.changes->next);
    assert_int_equal(fixture.outcome.changes->change.kind, kind);
    return &fixture.outcome.changes->change;
}

static void a_user_is_created_once(void **state) {
    struct user_row row;
    (void)state;
    assert_int_equal(user_read(&row), STATUS_OK);
    assert_true(bytes_equal(row.user_id, ALICE));
    assert_true(row.created_ms == fixture.now_ms);
    assert_int_equal(row.valid_from_s, 0);
    int64_t created_ms = row.created_ms;
    assert_int_equal(create(), STATUS_CONFLICT);
    assert_int_equal(user_read(&row), STATUS_OK);
    assert_true(row.created_ms == created_ms);
}

static void nothing_happens_to_a_user_that_is_not_there(void **state) {
    static const enum command_kind kinds[] = {COMMAND_USER_DELETE, COMMAND_USER_REVOKE,   COMMAND_USER_THREAD,
                                              COMMAND_USER_FORGET, COMMAND_USER_PUSH_SET, COMMAND_USER_PUSH_REMOVE};
    struct store_lmdb_statistics before;
    struct store_lmdb_statistics after;
    (void)state;
    store_lmdb_statistics(fixture.store, &before);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct command command = command_of(kinds[i]);
        command.subject = fixture_hash(&fixture, BYTES_LITERAL("8:acs:r_nobody"));
        command.membership = MEMBERSHIP_JOINED;
        assert_int_equal(fixture_apply(&fixture, &command), STATUS_IDENTITY_NOT_OWNED);
        assert_null(fixture.outcome.changes);
        assert_null(fixture.outcome.follow_ups);
    }
    store_lmdb_statistics(fixture.store, &after);
    assert_int_equal(before.records, after.records);
}

static void a_revocation_voids_older_tokens_and_never_goes_back(void **state) {
    struct command command = command_of(COMMAND_USER_REVOKE);
    struct user_row row;
    (void)state;
    command.valid_from_s = 1000;
    assert_int_equal(fixture_apply(&fixture, &command), STATUS_OK);
    assert_true(only_change(CHANGE_USER_REVOKED)->time_ms == 1000 * 1000);
    assert_int_equal(user_read(&row), STATUS_OK);
    assert_int_equal(row.valid_from_s, 1000);
    command.valid_from_s = 500;
    assert_int_equal(fixture_apply(&fixture, &command), STATUS_OK);
    assert_int_equal(user_read(&row), STATUS_OK);
    assert_true(row.valid_from_s > 1000);
    assert_true(only_change(CHANGE_USER_REVOKED)->time_ms == row.valid_from_s * 1000);
}

static void a_revocation_that_comes_again_voids_nothing_newer(void **state) {
    struct command command = command_of(COMMAND_USER_REVOKE);
    struct user_row row;
    (void)state;
    command.idempotency = IDEMPOTENCY_OPERATION;
    command.idempotency_id = BYTES_LITERAL("one");
    command.valid_from_s = 1000;
    assert_int_equal(fixture_apply(&fixture, &command), STATUS_OK);
    assert_false(fixture.outcome.result.is_duplicate);
    command.valid_from_s = 1005; /* as of the attempt */
    assert_int_equal(fixture_apply(&fixture, &command), STATUS_OK);
    assert_true(fixture.outcome.result.is_duplicate);
    assert_null(fixture.outcome.changes);
    assert_int_equal(user_read(&row), STATUS_OK);
    assert_int_equal(row.valid_from_s, 1000);
    command.idempotency_id = BYTES_LITERAL("another");
    assert_int_equal(fixture_apply(&fixture, &command), STATUS_OK);
    assert_int_equal(user_read(&row), STATUS_OK);
    assert_int_equal(row.valid_from_s, 1005);
}

static void a_deleted_user_is_shredded_and_not_made_again(void **state) {
    struct command command = command_of(COMMAND_USER_DELETE);
    struct user_row row;
    (void)state;
    assert_int_equal(fixture_apply(&fixture, &command), STATUS_OK);
    assert_true(only_change(CHANGE_USER_REVOKED)->time_ms > fixture.now_ms);
    assert_non_null(fixture.outcome.follow_ups);
    assert_true(fixture.outcome.follow_ups->row.is_purge);
    assert_true(fixture.outcome.follow_ups->number == OUTBOX_PURGE_NUMBER);
    assert_int_equal(user_read(&row), STATUS_STORE_MISSING);
    assert_int_equal(fixture_apply(&fixture, &command), STATUS_IDENTITY_NOT_OWNED);
    command = command_of(COMMAND_THREAD_PURGE);
    assert_int_equal(fixture_apply(&fixture, &command), STATUS_OK);
    assert_true(fixture.outcome.is_purge_done);
    assert_int_equal(create(), STATUS_CONFLICT); /* that is an earlier attempt of what made her, told late */
    assert_int_equal(user_read(&row), STATUS_STORE_MISSING);
}

static int follow_up(enum membership membership, uint64_t offset, const char *topic) {
    struct command command = command_of(COMMAND_USER_THREAD);
    command.thread_hash = fixture_hash(&fixture, THREAD);
    command.thread_id = THREAD;
    command.membership = membership;
    command.offset = offset;
    command.topic = bytes_of_text(topic);
    command.last_message_ms = (int64_t)offset * 10;
    return fixture_apply(&fixture, &command);
}

static void a_deletion_that_comes_again_is_answered_as_before(void **state) {
    struct command command = command_of(COMMAND_USER_DELETE);
    (void)state;
    command.idempotency = IDEMPOTENCY_OPERATION;
    command.idempotency_id = BYTES_LITERAL("one");
    assert_int_equal(fixture_apply(&fixture, &command), STATUS_OK);
    assert_false(fixture.outcome.result.is_duplicate);
    assert_int_equal(fixture_apply(&fixture, &command), STATUS_OK);
    assert_true(fixture.outcome.result.is_duplicate);
    assert_null(fixture.outcome.changes);
    command.idempotency_id = BYTES_LITERAL("another");
    assert_int_equal(fixture_apply(&fixture, &command), STATUS_IDENTITY_NOT_OWNED);
    struct command purge = command_of(COMMAND_THREAD_PURGE);
    assert_int_equal(fixture_apply(&fixture, &purge), STATUS_OK);
    command.idempotency_id = BYTES_LITERAL("one");
    assert_int_equal(fixture_apply(&fixture, &command), STATUS_OK);
    assert_true(fixture.outcome.result.is_duplicate);
}

static int forget(uint64_t offset) {
    struct command command = command_of(COMMAND_USER_FORGET);
    command.thread_hash = fixture_hash(&fixture, THREAD);
    command.offset = offset;
    return fixture_apply(&fixture, &command);
}

static void a_list_forgets_what_was_deleted_then_and_nothing_newer(void **state) {
    (void)state;
    assert_int_equal(forget(2), STATUS_OK);
    assert_int_equal(follow_up(MEMBERSHIP_JOINED, 2, NULL), STATUS_OK);
    assert_int_equal(forget(2), STATUS_OK);
    assert_int_equal(membership_read().membership, MEMBERSHIP_JOINED);
    assert_int_equal(follow_up(MEMBERSHIP_DELETED, 9, "topic"), STATUS_OK);
    assert_int_equal(forget(2), STATUS_OK);
    assert_int_equal(membership_read().membership, MEMBERSHIP_DELETED);
    assert_int_equal(forget(9), STATUS_OK);
    assert_int_equal(membership_read().membership, 0);
    assert_int_equal(forget(9), STATUS_OK);
}

static int device_set(struct bytes id, int64_t created_ms, int64_t expires_ms) {
    struct command command = command_of(COMMAND_USER_PUSH_SET);
    command.registration = (struct push_registration){.id = id,
                                                      .transport = PUSH_APNS,
                                                      .address = BYTES_LITERAL("token"),
                                                      .created_ms = created_ms,
                                                      .expires_ms = expires_ms};
    return fixture_apply(&fixture, &command);
}

static int device_remove(struct bytes id, int64_t created_ms) {
    struct command command = command_of(COMMAND_USER_PUSH_REMOVE);
    command.registration = (struct push_registration){.id = id, .created_ms = created_ms};
    return fixture_apply(&fixture, &command);
}

/* Of all that there are. */
static size_t devices_read(struct push_row **rows) {
    struct store_transaction *transaction = fixture_read(&fixture);
    struct user_store store;
    struct id_hash alice = fixture_hash(&fixture, ALICE);
    size_t count = 0;
    int rc = user_store_open(&store, transaction, &fixture.arena, &fixture.master, &alice);
    if (rc == STATUS_OK)
        check(user_push_list(&store, rows, &count) == STATUS_OK);
    store_abort(transaction);
    return count;
}

static bool has_device(struct bytes id) {
    struct push_row *rows;
    bool is_there = false;
    for (size_t i = devices_read(&rows); i > 0; i--)
        is_there = is_there || bytes_equal(rows[i - 1].registration.id, id);
    return is_there;
}

static void a_device_registers_again_and_goes(void **state) {
    struct push_row *rows;
    (void)state;
    assert_int_equal(device_set(BYTES_LITERAL("phone"), 10, 0), STATUS_OK);
    assert_int_equal(device_set(BYTES_LITERAL("desk"), 11, 0), STATUS_OK);
    assert_int_equal(device_set(BYTES_LITERAL("phone"), 20, 0), STATUS_OK);
    assert_int_equal(devices_read(&rows), 2);
    assert_int_equal(device_remove(BYTES_LITERAL("phone"), 10), STATUS_OK);
    assert_true(has_device(BYTES_LITERAL("phone")));
    assert_int_equal(device_remove(BYTES_LITERAL("phone"), 20), STATUS_OK);
    assert_false(has_device(BYTES_LITERAL("phone")));
    assert_int_equal(device_remove(BYTES_LITERAL("phone"), 0), STATUS_OK);
    assert_int_equal(device_remove(BYTES_LITERAL("desk"), 0), STATUS_OK);
    assert_int_equal(devices_read(&rows), 0);
}

static void there_is_room_for_so_many_devices(void **state) {
    struct push_row *rows;
    (void)state;
    assert_int_equal(device_set(BYTES_LITERAL("expired"), 50, fixture.now_ms), STATUS_OK);
    for (int i = 0; i < LIMIT_PUSH_REGISTRATIONS_MAX; i++)
        assert_int_equal(device_set(arena_printf(&fixture.arena, "device %d", i), 100 + i, 0), STATUS_OK);
    assert_int_equal(devices_read(&rows), LIMIT_PUSH_REGISTRATIONS_MAX);
    assert_false(has_device(BYTES_LITERAL("expired")));
    assert_int_equal(device_set(BYTES_LITERAL("device 3"), 200, 0), STATUS_OK);
    assert_true(has_device(BYTES_LITERAL("device 0")));
    assert_int_equal(device_set(BYTES_LITERAL("newcomer"), 201, 0), STATUS_OK);
    assert_int_equal(devices_read(&rows), LIMIT_PUSH_REGISTRATIONS_MAX);
    assert_false(has_device(BYTES_LITERAL("device 0")));
    assert_true(has_device(BYTES_LITERAL("newcomer")));
}

static void devices_go_with_the_tokens_and_with_the_user(void **state) {
    struct command revoke = command_of(COMMAND_USER_REVOKE), delete = command_of(COMMAND_USER_DELETE);
    struct command purge = command_of(COMMAND_THREAD_PURGE);
    struct push_row *rows;
    (void)state;
    assert_int_equal(device_set(BYTES_LITERAL("phone"), 10, 0), STATUS_OK);
    revoke.valid_from_s = 1000;
    assert_int_equal(fixture_apply(&fixture, &revoke), STATUS_OK);
    assert_int_equal(devices_read(&rows), 0);
    assert_int_equal(device_set(BYTES_LITERAL("phone"), 20, 0), STATUS_OK);
    assert_int_equal(fixture_apply(&fixture, &delete), STATUS_OK);
    assert_int_equal(fixture_apply(&fixture, &purge), STATUS_OK);
    assert_int_equal(fixture_rows(&fixture, STORE_STATE), 1); /* what keeps her from being made again */
}

static void joining_is_told_once_however_often_it_arrives(void **state) {
    (void)state;
    assert_int_equal(follow_up(MEMBERSHIP_JOINED, 2, NULL), STATUS_OK);
    const struct change *change = only_change(CHANGE_USER_JOINED);
    assert_int_equal(change->offset, 2);
    assert_true(bytes_equal(change->thread_id, THREAD));
    assert_int_equal(membership_read().membership, MEMBERSHIP_JOINED);
    assert_int_equal(follow_up(MEMBERSHIP_JOINED, 2, NULL), STATUS_OK);
    assert_null(fixture.outcome.changes);
}

struct arrival {
    enum membership membership;
    uint64_t offset;
    const char *topic;
};

/* The newest change of the thread decides, in whatever order they arrive. */
static void follow_ups_may_arrive_in_any_order(void **state) {
    static const struct {
        struct arrival arrivals[3];
        struct arrival result;
    } cases[] = {
        {{{MEMBERSHIP_JOINED, 2, NULL}, {MEMBERSHIP_LEFT, 5, "five"}}, {MEMBERSHIP_LEFT, 5, "five"}},
        {{{MEMBERSHIP_LEFT, 5, "five"}, {MEMBERSHIP_JOINED, 2, NULL}}, {MEMBERSHIP_LEFT, 5, "five"}},
        {{{MEMBERSHIP_LEFT, 5, "five"}, {MEMBERSHIP_JOINED, 7, NULL}}, {MEMBERSHIP_JOINED, 7, NULL}},
        {{{MEMBERSHIP_JOINED, 7, NULL}, {MEMBERSHIP_LEFT, 5, "five"}, {MEMBERSHIP_JOINED, 2, NULL}},
         {MEMBERSHIP_JOINED, 7, NULL}},
        {{{MEMBERSHIP_JOINED, 2, NULL}, {MEMBERSHIP_DELETED, 9, "nine"}}, {MEMBERSHIP_DELETED, 9, "nine"}},
        /* Who had left keeps the topic she knew. */
        {{{MEMBERSHIP_LEFT, 5, "five"}, {MEMBERSHIP_DELETED, 9, "nine"}}, {MEMBERSHIP_DELETED, 9, "five"}},
        {{{MEMBERSHIP_LEFT, 5, "five"}, {MEMBERSHIP_DELETED, 9, "nine"}, {MEMBERSHIP_LEFT, 11, "eleven"}},
         {MEMBERSHIP_LEFT, 11, "five"}},
        {{{MEMBERSHIP_DELETED, 9, "nine"}, {MEMBERSHIP_JOINED, 2, NULL}}, {MEMBERSHIP_DELETED, 9, "nine"}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct arrival *result = &cases[i].result;
        for (size_t j = 0; j < 3 && cases[i].arrivals[j].membership != 0; j++) {
            const struct arrival *arrival = &cases[i].arrivals[j];
            assert_int_equal(follow_up(arrival->membership, arrival->offset, arrival->topic), STATUS_OK);
        }
        struct membership_row row = membership_read();
        assert_int_equal(row.membership, result->membership);
        assert_int_equal(row.offset, result->offset);
        assert_true(bytes_equal_text(row.topic, result->topic));
        assert_int_equal(row.deleted_ms != 0, result->membership == MEMBERSHIP_DELETED);
        fixture_close(&fixture);
        fixture_open(&fixture);
        assert_int_equal(create(), STATUS_OK);
    }
}

int main(void) {
#define RULE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        RULE(a_user_is_created_once),
        RULE(nothing_happens_to_a_user_that_is_not_there),
        RULE(a_revocation_voids_older_tokens_and_never_goes_back),
        RULE(a_revocation_that_comes_again_voids_nothing_newer),
        RULE(a_deleted_user_is_shredded_and_not_made_again),
        RULE(a_deletion_that_comes_again_is_answered_as_before),
        RULE(a_list_forgets_what_was_deleted_then_and_nothing_newer),
        RULE(a_device_registers_again_and_goes),
        RULE(there_is_room_for_so_many_devices),
        RULE(devices_go_with_the_tokens_and_with_the_user),
        RULE(joining_is_told_once_however_often_it_arrives),
        RULE(follow_ups_may_arrive_in_any_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
