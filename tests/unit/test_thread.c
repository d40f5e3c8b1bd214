/* The rules of a thread, command by command, over a real store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/core/retention.h"
#include "proto/limits.h"
#include "storage/keys.h"
#include "tests/lib/store_fixture.h"

#define THREAD BYTES_LITERAL("19:acsV1_unit@thread.v2")
#define ALICE BYTES_LITERAL("8:acs:r_alice")
#define BOB BYTES_LITERAL("8:acs:r_bob")
#define CAROL BYTES_LITERAL("8:acs:r_carol")
#define TEA BYTES_LITERAL("8:orgid:tea")
#define TED BYTES_LITERAL("8:orgid:ted")
#define DAY_MS (24LL * 60 * 60 * 1000)
#define STRANGER BYTES_LITERAL("8:acs:r_stranger")

static struct fixture fixture;

static struct command command_of(enum command_kind kind, struct bytes actor) {
    return (struct command){.kind = kind, .subject = fixture_hash(&fixture, THREAD), .actor_id = actor};
}

static struct participants one(struct bytes user_id) {
    struct participant *item = ARENA_NEW(&fixture.arena, struct participant);
    *item = (struct participant){.user_id = user_id, .display_name = BYTES_LITERAL("name")};
    return (struct participants){item, 1};
}

static int create(void) {
    struct command command = command_of(COMMAND_THREAD_CREATE, ALICE);
    command.properties = (struct thread_properties){.id = THREAD, .topic = BYTES_LITERAL("topic")};
    command.participants = one(BOB);
    command.wrapped_key = fixture_key(&fixture, &command.subject);
    return fixture_apply(&fixture, &command);
}

static int act(struct bytes actor, enum command_kind kind, uint64_t message_id, const char *content) {
    struct command command = command_of(kind, actor);
    command.message_id = message_id;
    command.message_type = MESSAGE_TEXT;
    command.content = bytes_of_text(content);
    command.display_name = BYTES_LITERAL("");
    return fixture_apply(&fixture, &command);
}

static uint64_t send_as(struct bytes actor, const char *content) {
    assert_int_equal(act(actor, COMMAND_MESSAGE_SEND, 0, content), STATUS_OK);
    return fixture.outcome.result.message_id;
}

static int change_member(enum command_kind kind, struct bytes actor, struct bytes user_id) {
    struct command command = command_of(kind, actor);
    command.user_id = user_id;
    command.participants = one(user_id);
    return fixture_apply(&fixture, &command);
}

static size_t changes_told(void) {
    size_t count = 0;
    for (struct outcome_change *told = fixture.outcome.changes; told != NULL; told = told->next)
        count++;
    return count;
}

/* What a user sees, newest change first. */
static struct message_page seen_by(struct bytes user_id, int expected) {
    struct thread_view view;
    struct message_page page = {0};
    struct store_transaction *transaction = fixture_read(&fixture);
    struct apply_context context = fixture_context(&fixture, transaction);
    struct id_hash thread = fixture_hash(&fixture, THREAD);
    int rc = thread_view_open(&view, &context, &thread, user_id);
    assert_int_equal(rc, expected);
    if (rc == STATUS_OK)
        assert_int_equal(thread_view_messages(&view, UINT64_MAX, 0, 100, &page), STATUS_OK);
    store_abort(transaction);
    return page;
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

static void creation_writes_two_system_messages_and_tells_every_participants_list(void **state) {
    (void)state;
    struct outcome_follow_up *follow_up = fixture.outcome.follow_ups;
    assert_int_equal(changes_told(), 1);
    assert_int_equal(fixture.outcome.changes->change.kind, CHANGE_THREAD_CREATED);
    assert_int_equal(fixture.outcome.changes->change.offset, 2);
    assert_non_null(follow_up);
    assert_int_equal(follow_up->row.users_count, 2);
    assert_int_equal(follow_up->row.membership, MEMBERSHIP_JOINED);
    struct message_page page = seen_by(BOB, STATUS_OK);
    assert_int_equal(page.count, 2);
    assert_int_equal(page.messages[0].type, MESSAGE_TOPIC_UPDATED);
    assert_int_equal(page.messages[0].sequence, 2);
    assert_int_equal(page.messages[1].type, MESSAGE_PARTICIPANT_ADDED);
    assert_int_equal(page.messages[1].participants.count, 2);
    assert_true(bytes_equal(page.messages[1].participants.items[0].user_id, ALICE));
}

static void creating_the_same_thread_again_gives_the_first_one(void **state) {
    (void)state;
    assert_int_equal(create(), STATUS_OK);
    assert_true(fixture.outcome.result.is_duplicate);
    assert_int_equal(changes_told(), 0);
    assert_int_equal(seen_by(ALICE, STATUS_OK).count, 2);
}

static void messages_have_contiguous_offsets_and_rising_ids(void **state) {
    (void)state;
    uint64_t last = 0;
    for (uint64_t i = 0; i < 20; i++) {
        fixture.now_ms -= 5; /* a clock that runs backwards */
        uint64_t id = send_as(i % 2 == 0 ? ALICE : BOB, "x");
        assert_true(id > last);
        last = id;
        assert_int_equal(fixture.outcome.result.offset, 3 + i);
        assert_int_equal(fixture.outcome.result.sequence, 3 + i);
    }
}

struct refusal {
    const char *name;
    enum command_kind kind;
    int by_author, by_other, by_stranger;
};

static void only_authors_change_messages_and_only_participants_act(void **state) {
    (void)state;
    static const struct refusal refusals[] = {
        {"send", COMMAND_MESSAGE_SEND, STATUS_OK, STATUS_OK, STATUS_FORBIDDEN},
        {"edit", COMMAND_MESSAGE_EDIT, STATUS_OK, STATUS_FORBIDDEN, STATUS_FORBIDDEN},
        {"receipt", COMMAND_RECEIPT_SEND, STATUS_OK, STATUS_OK, STATUS_FORBIDDEN},
        {"update", COMMAND_THREAD_UPDATE, STATUS_OK, STATUS_OK, STATUS_FORBIDDEN},
        {"add", COMMAND_PARTICIPANTS_ADD, STATUS_OK, STATUS_OK, STATUS_FORBIDDEN},
        {"remove", COMMAND_PARTICIPANT_REMOVE, STATUS_OK, STATUS_OK, STATUS_FORBIDDEN},
        {"delete message", COMMAND_MESSAGE_DELETE, STATUS_OK, STATUS_FORBIDDEN, STATUS_FORBIDDEN},
    };
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        const struct refusal *refusal = &refusals[i];
        uint64_t id = send_as(ALICE, "mine");
        assert_int_equal(act(STRANGER, refusal->kind, id, "new"), refusal->by_stranger);
        assert_int_equal(act(BOB, refusal->kind, id, "new"), refusal->by_other);
        assert_int_equal(act(ALICE, refusal->kind, id, "new"), refusal->by_author);
    }
}

static void system_messages_are_neither_edited_nor_deleted(void **state) {
    (void)state;
    uint64_t id = seen_by(ALICE, STATUS_OK).messages[0].id;
    assert_int_equal(act(ALICE, COMMAND_MESSAGE_EDIT, id, "x"), STATUS_FORBIDDEN);
    assert_int_equal(act(ALICE, COMMAND_MESSAGE_DELETE, id, NULL), STATUS_FORBIDDEN);
}

static void an_edit_moves_the_message_to_the_newest_offset_and_keeps_its_identity(void **state) {
    (void)state;
    uint64_t first = send_as(ALICE, "first");
    send_as(BOB, "second");
    assert_int_equal(act(ALICE, COMMAND_MESSAGE_EDIT, first, "edited"), STATUS_OK);
    assert_int_equal(fixture.outcome.changes->change.kind, CHANGE_MESSAGE_EDITED);
    struct message_page page = seen_by(BOB, STATUS_OK);
    assert_int_equal(page.count, 4);
    assert_int_equal(page.messages[0].id, first);
    assert_int_equal(page.messages[0].sequence, 3);
    assert_int_equal(page.messages[0].offset, 5);
    assert_int_equal(page.messages[0].created_offset, 3);
    assert_true(bytes_equal_text(page.messages[0].content, "edited"));
    assert_true(page.messages[0].edited_ms != 0);
}

static void a_deleted_message_stays_listed_without_content_and_is_gone_for_edits(void **state) {
    (void)state;
    uint64_t id = send_as(ALICE, "secret");
    assert_int_equal(act(ALICE, COMMAND_MESSAGE_DELETE, id, NULL), STATUS_OK);
    struct message_page page = seen_by(BOB, STATUS_OK);
    assert_int_equal(page.messages[0].id, id);
    assert_int_equal(page.messages[0].content.size, 0);
    assert_true(page.messages[0].deleted_ms != 0);
    assert_int_equal(act(ALICE, COMMAND_MESSAGE_EDIT, id, "x"), STATUS_MESSAGE_NOT_FOUND);
    assert_int_equal(act(ALICE, COMMAND_MESSAGE_DELETE, id, NULL), STATUS_OK);
    assert_int_equal(changes_told(), 0);
}

static int send_with(enum idempotency_kind kind, struct bytes actor, const char *id, const char *body_hash) {
    struct command command = command_of(COMMAND_MESSAGE_SEND, actor);
    command.message_type = MESSAGE_TEXT;
    command.content = BYTES_LITERAL("once");
    command.display_name = BYTES_LITERAL("");
    command.idempotency = kind;
    command.idempotency_id = bytes_of_text(id);
    command.body_hash = bytes_of_text(body_hash);
    return fixture_apply(&fixture, &command);
}

static void repeating_a_client_message_id_never_makes_a_second_message(void **state) {
    (void)state;
    assert_int_equal(send_with(IDEMPOTENCY_CLIENT_MESSAGE_ID, ALICE, "id-1", NULL), STATUS_OK);
    struct command_result first = fixture.outcome.result;
    fixture.now_ms += 10LL * 365 * 86400 * 1000; /* ten years later */
    assert_int_equal(send_with(IDEMPOTENCY_CLIENT_MESSAGE_ID, ALICE, "id-1", NULL), STATUS_OK);
    assert_true(fixture.outcome.result.is_duplicate);
    assert_int_equal(fixture.outcome.result.message_id, first.message_id);
    assert_int_equal(fixture.outcome.result.offset, first.offset);
    assert_int_equal(send_with(IDEMPOTENCY_CLIENT_MESSAGE_ID, BOB, "id-1", NULL), STATUS_OK);
    assert_false(fixture.outcome.result.is_duplicate);
    assert_int_equal(seen_by(ALICE, STATUS_OK).count, 4);
}

static void a_request_id_counts_only_with_the_same_body_and_within_its_window(void **state) {
    (void)state;
    assert_int_equal(send_with(IDEMPOTENCY_REQUEST_ID, ALICE, "r", "body-hash-aaaaaa"), STATUS_OK);
    fixture.now_ms += LIMIT_REQUEST_ID_WINDOW_MS - 1000;
    assert_int_equal(send_with(IDEMPOTENCY_REQUEST_ID, ALICE, "r", "body-hash-aaaaaa"), STATUS_OK);
    assert_true(fixture.outcome.result.is_duplicate);
    assert_int_equal(send_with(IDEMPOTENCY_REQUEST_ID, ALICE, "r", "body-hash-bbbbbb"), STATUS_OK);
    assert_false(fixture.outcome.result.is_duplicate);
    fixture.now_ms += 2 * LIMIT_REQUEST_ID_WINDOW_MS;
    assert_int_equal(send_with(IDEMPOTENCY_REQUEST_ID, ALICE, "r", "body-hash-bbbbbb"), STATUS_OK);
    assert_false(fixture.outcome.result.is_duplicate);
}

static int operate(struct command command, const char *name) {
    command.idempotency = IDEMPOTENCY_OPERATION;
    command.idempotency_id = bytes_of_text(name);
    return fixture_apply(&fixture, &command);
}

static struct command change_of_message(enum command_kind kind, uint64_t message_id, const char *content) {
    struct command command = command_of(kind, ALICE);
    command.message_id = message_id;
    command.content = bytes_of_text(content);
    return command;
}

static struct command change_of_members(enum command_kind kind, struct bytes actor, struct bytes user_id) {
    struct command command = command_of(kind, actor);
    command.user_id = user_id;
    command.participants = one(user_id);
    return command;
}

static struct command change_of_topic(const char *topic) {
    struct command command = command_of(COMMAND_THREAD_UPDATE, ALICE);
    command.properties.topic = bytes_of_text(topic);
    return command;
}

/* Each changes the state so that the same command without its name would be refused, or would change it again. */
static void an_operation_that_comes_again_is_answered_as_before_and_changes_nothing(void **state) {
    uint64_t edited = send_as(ALICE, "first");
    uint64_t deleted = send_as(ALICE, "deleted");
    (void)state;
    struct {
        const char *name;
        struct command command;
        struct command meanwhile;
    } rows[] = {
        {"edit", change_of_message(COMMAND_MESSAGE_EDIT, edited, "one"),
         change_of_message(COMMAND_MESSAGE_EDIT, edited, "two")},
        {"delete", change_of_message(COMMAND_MESSAGE_DELETE, deleted, ""), change_of_topic("a")},
        {"topic", change_of_topic("b"), change_of_topic("c")},
        {"add", change_of_members(COMMAND_PARTICIPANTS_ADD, ALICE, CAROL),
         change_of_members(COMMAND_PARTICIPANT_REMOVE, ALICE, CAROL)},
        {"leave", change_of_members(COMMAND_PARTICIPANT_REMOVE, BOB, BOB), change_of_topic("d")},
        {"end", command_of(COMMAND_THREAD_DELETE, ALICE), change_of_topic("e")},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(operate(rows[i].command, rows[i].name), STATUS_OK);
        assert_false(fixture.outcome.result.is_duplicate);
        uint64_t offset = fixture.outcome.result.offset;
        bool is_over = i + 1 == sizeof(rows) / sizeof(rows[0]);
        assert_int_equal(fixture_apply(&fixture, &rows[i].meanwhile), is_over ? STATUS_THREAD_NOT_FOUND : STATUS_OK);
        assert_int_equal(operate(rows[i].command, rows[i].name), STATUS_OK);
        assert_true(fixture.outcome.result.is_duplicate);
        assert_int_equal(fixture.outcome.result.offset, offset);
        assert_int_equal(changes_told(), 0);
    }
}

static void another_operation_or_actor_is_not_taken_for_one_that_was_done(void **state) {
    (void)state;
    assert_int_equal(operate(change_of_members(COMMAND_PARTICIPANT_REMOVE, BOB, BOB), "leave"), STATUS_OK);
    assert_int_equal(operate(change_of_members(COMMAND_PARTICIPANT_REMOVE, BOB, BOB), "again"), STATUS_FORBIDDEN);
    assert_int_equal(operate(command_of(COMMAND_THREAD_UPDATE, BOB), "leave"), STATUS_OK); /* his operation's answer */
    assert_int_equal(operate(command_of(COMMAND_THREAD_UPDATE, CAROL), "leave"), STATUS_FORBIDDEN);
    assert_int_equal(operate(command_of(COMMAND_THREAD_DELETE, ALICE), "end"), STATUS_OK);
    assert_int_equal(operate(command_of(COMMAND_THREAD_DELETE, ALICE), "another"), STATUS_THREAD_NOT_FOUND);
    assert_int_equal(operate(command_of(COMMAND_THREAD_DELETE, CAROL), "end"), STATUS_THREAD_NOT_FOUND);
    struct command nameless = command_of(COMMAND_THREAD_DELETE, ALICE);
    assert_int_equal(fixture_apply(&fixture, &nameless), STATUS_THREAD_NOT_FOUND);
}

static void a_removed_participant_reads_what_was_before_and_nothing_later(void **state) {
    (void)state;
    uint64_t before = send_as(ALICE, "before");
    assert_int_equal(change_member(COMMAND_PARTICIPANT_REMOVE, ALICE, BOB), STATUS_OK);
    struct id_hash bob = fixture_hash(&fixture, BOB);
    assert_int_equal(fixture.outcome.follow_ups->row.membership, MEMBERSHIP_LEFT);
    assert_int_equal(fixture.outcome.follow_ups->row.users_count, 1);
    assert_true(id_hash_equal(&fixture.outcome.follow_ups->row.users[0].hash, &bob));
    send_as(ALICE, "after");
    assert_int_equal(act(ALICE, COMMAND_MESSAGE_EDIT, before, "edited after"), STATUS_OK);
    struct message_page page = seen_by(BOB, STATUS_OK);
    assert_int_equal(page.count, 3); /* the edit took "before" away, the removal itself is the last thing she sees */
    assert_int_equal(page.messages[0].type, MESSAGE_PARTICIPANT_REMOVED);
    assert_int_equal(act(BOB, COMMAND_MESSAGE_SEND, 0, "no"), STATUS_FORBIDDEN);
    assert_int_equal(change_member(COMMAND_PARTICIPANT_REMOVE, ALICE, BOB), STATUS_OK);
    assert_int_equal(changes_told(), 0);
    assert_int_equal(change_member(COMMAND_PARTICIPANTS_ADD, ALICE, BOB), STATUS_OK);
    assert_int_equal(changes_told(), 1);
    assert_int_equal(seen_by(BOB, STATUS_OK).count, 6);
}

static struct thread_counters counters_now(void) {
    struct thread_view view;
    struct store_transaction *transaction = fixture_read(&fixture);
    struct apply_context context = fixture_context(&fixture, transaction);
    struct id_hash thread = fixture_hash(&fixture, THREAD);
    assert_int_equal(thread_view_open(&view, &context, &thread, ALICE), STATUS_OK);
    store_abort(transaction);
    return view.counters;
}

/* As a version wrote it that counted nobody of Teams, and a count as given. */
static void write_as_not_counted(struct bytes user_id, uint32_t teams_users) {
    struct thread_store store;
    struct participant_row row;
    struct thread_counters counters;
    struct store_transaction *transaction = NULL;
    struct id_hash thread = fixture_hash(&fixture, THREAD);
    struct id_hash user = fixture_hash(&fixture, user_id);
    assert_int_equal(store_begin_write(fixture.store, &transaction), STATUS_OK);
    assert_int_equal(thread_store_open(&store, transaction, &fixture.arena, &fixture.master, &thread), STATUS_OK);
    assert_int_equal(thread_participant_get(&store, &user, &row), STATUS_OK);
    row.is_counted_of_teams = false;
    assert_int_equal(thread_participant_put(&store, &user, &row), STATUS_OK);
    assert_int_equal(thread_counters_get(&store, &counters), STATUS_OK);
    counters.teams_users = teams_users;
    assert_int_equal(thread_counters_put(&store, &counters), STATUS_OK);
    assert_int_equal(store_commit(transaction), STATUS_OK);
}

static void who_joined_before_users_of_teams_were_counted_takes_nobody_from_the_count(void **state) {
    (void)state;
    assert_int_equal(change_member(COMMAND_PARTICIPANTS_ADD, ALICE, TEA), STATUS_OK);
    write_as_not_counted(TEA, 0);
    assert_int_equal(change_member(COMMAND_PARTICIPANTS_ADD, ALICE, TED), STATUS_OK);
    assert_int_equal(counters_now().teams_users, 1);
    assert_int_equal(change_member(COMMAND_PARTICIPANT_REMOVE, ALICE, TEA), STATUS_OK);
    assert_int_equal(counters_now().teams_users, 1);
    assert_int_equal(change_member(COMMAND_PARTICIPANTS_ADD, ALICE, TEA), STATUS_OK);
    assert_int_equal(counters_now().teams_users, 2);
    assert_int_equal(change_member(COMMAND_PARTICIPANT_REMOVE, ALICE, TED), STATUS_OK);
    assert_int_equal(change_member(COMMAND_PARTICIPANT_REMOVE, ALICE, TEA), STATUS_OK);
    assert_int_equal(counters_now().teams_users, 0);
    assert_int_equal(counters_now().participants, 2);
}

static void a_count_of_users_of_teams_that_was_dropped_stays_at_nobody(void **state) {
    (void)state;
    assert_int_equal(change_member(COMMAND_PARTICIPANTS_ADD, ALICE, TEA), STATUS_OK);
    assert_int_equal(change_member(COMMAND_PARTICIPANTS_ADD, ALICE, TED), STATUS_OK);
    write_as_not_counted(TEA, 0);
    assert_int_equal(change_member(COMMAND_PARTICIPANT_REMOVE, ALICE, TED), STATUS_OK);
    assert_int_equal(counters_now().teams_users, 0);
}

static void share_history_time_hides_what_was_created_before_it(void **state) {
    (void)state;
    send_as(ALICE, "old");
    fixture.now_ms += 1000;
    struct command command = command_of(COMMAND_PARTICIPANTS_ADD, ALICE);
    command.participants = one(CAROL);
    command.participants.items[0].share_history_ms = fixture.now_ms + 1;
    assert_int_equal(fixture_apply(&fixture, &command), STATUS_OK);
    send_as(ALICE, "new");
    assert_int_equal(seen_by(CAROL, STATUS_OK).count, 2);
    assert_int_equal(seen_by(BOB, STATUS_OK).count, 5);
}

static void the_251st_participant_is_refused_as_a_whole(void **state) {
    (void)state;
    struct command command = command_of(COMMAND_PARTICIPANTS_ADD, ALICE);
    command.participants.items = ARENA_NEW_ARRAY(&fixture.arena, struct participant, LIMIT_PARTICIPANTS_MAX);
    command.participants.count = LIMIT_PARTICIPANTS_MAX - 2;
    for (size_t i = 0; i < LIMIT_PARTICIPANTS_MAX; i++)
        command.participants.items[i].user_id = arena_printf(&fixture.arena, "8:acs:r_u%zu", i);
    assert_int_equal(fixture_apply(&fixture, &command), STATUS_OK);
    assert_int_equal(change_member(COMMAND_PARTICIPANTS_ADD, ALICE, CAROL), STATUS_TOO_MANY_PARTICIPANTS);
    assert_int_equal(change_member(COMMAND_PARTICIPANTS_ADD, ALICE, BOB), STATUS_OK);
    assert_int_equal(changes_told(), 0);
}

static void a_topic_makes_a_system_message_and_metadata_alone_none(void **state) {
    (void)state;
    struct metadata_pair pair = {BYTES_LITERAL("k"), BYTES_LITERAL("v")};
    struct command command = command_of(COMMAND_THREAD_UPDATE, BOB);
    command.properties.topic = BYTES_LITERAL("other");
    assert_int_equal(fixture_apply(&fixture, &command), STATUS_OK);
    assert_int_equal(fixture.outcome.changes->change.offset, 3);
    assert_int_equal(seen_by(ALICE, STATUS_OK).count, 3);
    for (uint64_t i = 0; i < 3; i++) {
        command = command_of(COMMAND_THREAD_UPDATE, BOB);
        command.properties.metadata = (struct metadata){.pairs = &pair, .count = 1, .is_present = true};
        assert_int_equal(fixture_apply(&fixture, &command), STATUS_OK);
        assert_int_equal(fixture.outcome.changes->change.offset, 4 + i);
        assert_true(bytes_equal_text(fixture.outcome.changes->change.properties.topic, "other"));
    }
    assert_int_equal(seen_by(ALICE, STATUS_OK).count, 3);
}

static void a_read_receipt_never_moves_backwards(void **state) {
    (void)state;
    uint64_t first = send_as(ALICE, "1");
    uint64_t second = send_as(ALICE, "2");
    assert_int_equal(act(BOB, COMMAND_RECEIPT_SEND, second, NULL), STATUS_OK);
    assert_int_equal(changes_told(), 1);
    assert_int_equal(act(BOB, COMMAND_RECEIPT_SEND, first, NULL), STATUS_OK);
    assert_int_equal(changes_told(), 0);
    assert_int_equal(act(BOB, COMMAND_RECEIPT_SEND, 12345, NULL), STATUS_MESSAGE_NOT_FOUND);
}

static void a_deleted_thread_is_shredded_purged_and_never_comes_back(void **state) {
    (void)state;
    struct command purge = command_of(COMMAND_THREAD_PURGE, BYTES_ABSENT);
    for (int i = 0; i < 5; i++)
        send_as(ALICE, "gone");
    struct command command = command_of(COMMAND_THREAD_DELETE, BOB);
    assert_int_equal(fixture_apply(&fixture, &command), STATUS_OK);
    assert_int_equal(fixture.outcome.changes->change.kind, CHANGE_THREAD_DELETED);
    seen_by(ALICE, STATUS_THREAD_NOT_FOUND);
    assert_int_equal(act(ALICE, COMMAND_MESSAGE_SEND, 0, "x"), STATUS_THREAD_NOT_FOUND);
    assert_int_equal(create(), STATUS_CONFLICT);
    seen_by(ALICE, STATUS_THREAD_NOT_FOUND);
    assert_int_equal(fixture_apply(&fixture, &purge), STATUS_OK);
    assert_true(fixture.outcome.is_purge_done);
    assert_int_equal(fixture_rows(&fixture, STORE_STATE), 1); /* the tombstone */
}

static int policy_set(enum retention_kind kind, uint32_t days) {
    struct command command = command_of(COMMAND_THREAD_UPDATE, ALICE);
    command.properties.retention = (struct retention){kind, days};
    return fixture_apply(&fixture, &command);
}

static int delete_by_policy(void) {
    struct command command = command_of(COMMAND_THREAD_DELETE, BYTES_ABSENT);
    command.reason = BYTES_LITERAL(RETENTION_REASON);
    return fixture_apply(&fixture, &command);
}

/* Whatever it was when somebody proposed it. */
static void a_deletion_by_policy_needs_a_policy_that_is_over_when_it_is_applied(void **state) {
    (void)state;
    assert_int_equal(delete_by_policy(), STATUS_CONFLICT);
    assert_int_equal(policy_set(RETENTION_THREAD_CREATION_DATE, 30), STATUS_OK);
    assert_int_equal(delete_by_policy(), STATUS_CONFLICT);
    fixture.now_ms += 30 * DAY_MS;
    assert_int_equal(policy_set(RETENTION_THREAD_CREATION_DATE, 31), STATUS_OK);
    assert_int_equal(delete_by_policy(), STATUS_CONFLICT);
    assert_int_equal(policy_set(RETENTION_NONE, 0), STATUS_OK);
    assert_int_equal(delete_by_policy(), STATUS_CONFLICT);
    assert_null(fixture.outcome.changes);
    send_as(ALICE, "still there");
    assert_int_equal(policy_set(RETENTION_THREAD_CREATION_DATE, 30), STATUS_OK);
    assert_int_equal(delete_by_policy(), STATUS_OK);
    seen_by(ALICE, STATUS_THREAD_NOT_FOUND);
}

static void a_deletion_by_policy_is_told_like_any_other_but_without_an_actor(void **state) {
    (void)state;
    assert_int_equal(policy_set(RETENTION_THREAD_CREATION_DATE, 30), STATUS_OK);
    fixture.now_ms += 30 * DAY_MS;
    assert_int_equal(delete_by_policy(), STATUS_OK);
    assert_int_equal(changes_told(), 1);
    const struct change *change = &fixture.outcome.changes->change;
    assert_int_equal(change->kind, CHANGE_THREAD_DELETED);
    assert_true(bytes_equal_text(change->reason, "deletedByPolicy"));
    assert_false(bytes_is_present(change->actor_id));
    const struct outcome_follow_up *lists = fixture.outcome.follow_ups;
    assert_non_null(lists);
    assert_int_equal(lists->row.membership, MEMBERSHIP_DELETED);
    assert_int_equal(lists->row.users_count, 2);
    assert_non_null(lists->next);
    assert_true(lists->next->row.is_purge);
}

/* A record that does not open is the author's answer; others of the same batch must not suffer from it. */
static void a_damaged_participant_is_the_answer_and_no_failure_of_the_disk(void **state) {
    static const enum command_kind kinds[] = {COMMAND_THREAD_DELETE, COMMAND_PARTICIPANT_REMOVE,
                                              COMMAND_PARTICIPANTS_ADD};
    struct id_hash thread = fixture_hash(&fixture, THREAD);
    struct id_hash bob = fixture_hash(&fixture, BOB);
    struct key key = key_of_row_hash(&thread, ROW_PARTICIPANT, &bob);
    struct store_transaction *transaction = NULL;
    (void)state;
    assert_int_equal(store_begin_write(fixture.store, &transaction), 0);
    assert_int_equal(store_put(transaction, STORE_STATE, key_bytes(&key), BYTES_LITERAL("damaged")), 0);
    assert_int_equal(store_commit(transaction), 0);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        assert_int_equal(change_member(kinds[i], ALICE, BOB), STATUS_RECORD_CORRUPT);
    assert_int_equal(act(BOB, COMMAND_MESSAGE_SEND, 0, "x"), STATUS_RECORD_CORRUPT);
    send_as(ALICE, "goes on");
}

static struct change *changes_from(struct bytes user_id, uint64_t offset, size_t *count, bool *is_complete,
                                   size_t changes_max) {
    struct thread_view view;
    struct change *changes;
    struct store_transaction *transaction = fixture_read(&fixture);
    struct apply_context context = fixture_context(&fixture, transaction);
    struct id_hash thread = fixture_hash(&fixture, THREAD);
    assert_int_equal(thread_view_open(&view, &context, &thread, user_id), STATUS_OK);
    assert_int_equal(thread_view_changes(&view, offset, changes_max, &changes, count, is_complete), STATUS_OK);
    store_abort(transaction);
    return changes;
}

static void a_replay_tells_each_message_once_where_it_lies_now(void **state) {
    (void)state;
    size_t count;
    bool is_complete;
    uint64_t first = send_as(ALICE, "a");                                        /* offset 3 */
    uint64_t second = send_as(BOB, "b");                                         /* 4 */
    assert_int_equal(act(ALICE, COMMAND_MESSAGE_EDIT, first, "a2"), STATUS_OK);  /* 5 */
    assert_int_equal(act(BOB, COMMAND_MESSAGE_DELETE, second, NULL), STATUS_OK); /* 6 */
    struct change *changes = changes_from(BOB, 1, &count, &is_complete, 100);
    assert_true(is_complete);
    assert_int_equal(count, 3);
    assert_int_equal(changes[0].kind, CHANGE_THREAD_CREATED);
    assert_int_equal(changes[0].offset, 2);
    assert_int_equal(changes[0].participants.count, 2);
    assert_int_equal(changes[1].kind, CHANGE_MESSAGE_RECEIVED); /* never told before, so it comes as new */
    assert_int_equal(changes[1].offset, 5);
    assert_int_equal(changes[2].kind, CHANGE_MESSAGE_DELETED);
    changes = changes_from(BOB, 4, &count, &is_complete, 100);
    assert_int_equal(count, 2);
    assert_int_equal(changes[0].kind, CHANGE_MESSAGE_EDITED);
    changes_from(BOB, 1, &count, &is_complete, 2);
    assert_false(is_complete);
    assert_int_equal(count, 2);
}

int main(void) {
#define RULE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        RULE(creation_writes_two_system_messages_and_tells_every_participants_list),
        RULE(creating_the_same_thread_again_gives_the_first_one),
        RULE(messages_have_contiguous_offsets_and_rising_ids),
        RULE(only_authors_change_messages_and_only_participants_act),
        RULE(system_messages_are_neither_edited_nor_deleted),
        RULE(an_edit_moves_the_message_to_the_newest_offset_and_keeps_its_identity),
        RULE(a_deleted_message_stays_listed_without_content_and_is_gone_for_edits),
        RULE(repeating_a_client_message_id_never_makes_a_second_message),
        RULE(a_request_id_counts_only_with_the_same_body_and_within_its_window),
        RULE(an_operation_that_comes_again_is_answered_as_before_and_changes_nothing),
        RULE(another_operation_or_actor_is_not_taken_for_one_that_was_done),
        RULE(a_removed_participant_reads_what_was_before_and_nothing_later),
        RULE(who_joined_before_users_of_teams_were_counted_takes_nobody_from_the_count),
        RULE(a_count_of_users_of_teams_that_was_dropped_stays_at_nobody),
        RULE(share_history_time_hides_what_was_created_before_it),
        RULE(the_251st_participant_is_refused_as_a_whole),
        RULE(a_topic_makes_a_system_message_and_metadata_alone_none),
        RULE(a_read_receipt_never_moves_backwards),
        RULE(a_deleted_thread_is_shredded_purged_and_never_comes_back),
        RULE(a_deletion_by_policy_needs_a_policy_that_is_over_when_it_is_applied),
        RULE(a_deletion_by_policy_is_told_like_any_other_but_without_an_actor),
        RULE(a_damaged_participant_is_the_answer_and_no_failure_of_the_disk),
        RULE(a_replay_tells_each_message_once_where_it_lies_now),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
