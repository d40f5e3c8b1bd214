/* What one user may read of a thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/limits.h"
#include "storage/keys.h"
#include "tests/lib/store_fixture.h"

#define THREAD BYTES_LITERAL("19:t@thread.v2")
#define ALICE BYTES_LITERAL("8:acs:r_alice")
#define BOB BYTES_LITERAL("8:acs:r_bob")
#define CAROL BYTES_LITERAL("8:acs:r_carol")
#define STRANGER BYTES_LITERAL("8:acs:r_stranger")

static struct fixture fixture;

static struct command command_of(enum command_kind kind, struct bytes actor) {
    return (struct command){.kind = kind, .subject = fixture_hash(&fixture, THREAD), .actor_id = actor};
}

static struct participants one(struct bytes user_id, int64_t share_history_ms) {
    struct participant *item = ARENA_NEW(&fixture.arena, struct participant);
    *item = (struct participant){
        .user_id = user_id, .display_name = BYTES_LITERAL("name"), .share_history_ms = share_history_ms};
    return (struct participants){item, 1};
}

/* Offsets 1 and 2: Alice and Bob are there, and the topic. */
static int set_up(void **state) {
    (void)state;
    fixture_open(&fixture);
    struct command command = command_of(COMMAND_THREAD_CREATE, ALICE);
    command.properties = (struct thread_properties){.id = THREAD, .topic = BYTES_LITERAL("topic")};
    command.participants = one(BOB, 0);
    command.wrapped_key = fixture_key(&fixture, &command.subject);
    return fixture_apply(&fixture, &command);
}

static int tear_down(void **state) {
    (void)state;
    fixture_close(&fixture);
    return 0;
}

static uint64_t message_send(struct bytes actor, const char *content) {
    struct command command = command_of(COMMAND_MESSAGE_SEND, actor);
    command.message_type = MESSAGE_TEXT;
    command.content = bytes_of_text(content);
    assert_int_equal(fixture_apply(&fixture, &command), STATUS_OK);
    return fixture.outcome.result.message_id;
}

static void edit(struct bytes actor, uint64_t message_id, const char *content) {
    struct command command = command_of(COMMAND_MESSAGE_EDIT, actor);
    command.message_id = message_id;
    command.content = bytes_of_text(content);
    assert_int_equal(fixture_apply(&fixture, &command), STATUS_OK);
}

static void add(struct bytes user_id, int64_t share_history_ms) {
    struct command command = command_of(COMMAND_PARTICIPANTS_ADD, ALICE);
    command.participants = one(user_id, share_history_ms);
    assert_int_equal(fixture_apply(&fixture, &command), STATUS_OK);
}

static void remove_user(struct bytes user_id) {
    struct command command = command_of(COMMAND_PARTICIPANT_REMOVE, ALICE);
    command.user_id = user_id;
    assert_int_equal(fixture_apply(&fixture, &command), STATUS_OK);
}

static void rename_to(const char *topic) {
    struct command command = command_of(COMMAND_THREAD_UPDATE, ALICE);
    command.properties.topic = bytes_of_text(topic);
    assert_int_equal(fixture_apply(&fixture, &command), STATUS_OK);
}

static void metadata_set(const char *value) {
    struct command command = command_of(COMMAND_THREAD_UPDATE, BOB);
    struct metadata_pair *pair = ARENA_NEW(&fixture.arena, struct metadata_pair);
    *pair = (struct metadata_pair){BYTES_LITERAL("k"), bytes_of_text(value)};
    command.properties.metadata = (struct metadata){.pairs = pair, .count = 1, .is_present = true};
    assert_int_equal(fixture_apply(&fixture, &command), STATUS_OK);
}

static struct store_transaction *transaction;
static struct thread_view view;

static int view_open(struct bytes user_id) {
    struct id_hash thread = fixture_hash(&fixture, THREAD);
    transaction = fixture_read(&fixture);
    struct apply_context context = fixture_context(&fixture, transaction);
    return thread_view_open(&view, &context, &thread, user_id);
}

static void view_close(void) {
    store_abort(transaction);
}

/* The offsets of what a page shows, as "5 4 2". */
static void expect_page(struct bytes user_id, uint64_t from, int64_t start_ms, size_t size_max, const char *expected,
                        bool has_more) {
    struct message_page page;
    char text[256] = "";
    assert_int_equal(view_open(user_id), STATUS_OK);
    assert_int_equal(thread_view_messages(&view, from, start_ms, size_max, &page), STATUS_OK);
    for (size_t i = 0; i < page.count; i++) {
        size_t size = strlen(text);
        snprintf(text + size, sizeof(text) - size, i == 0 ? "%u" : " %u", (unsigned)page.messages[i].offset);
    }
    assert_string_equal(text, expected);
    assert_int_equal(page.has_more, has_more);
    view_close();
}

static void strangers_and_missing_threads_are_told_apart(void **state) {
    struct id_hash other = fixture_hash(&fixture, BYTES_LITERAL("19:other@thread.v2"));
    (void)state;
    assert_int_equal(view_open(STRANGER), STATUS_FORBIDDEN);
    struct apply_context context = fixture_context(&fixture, transaction);
    assert_int_equal(thread_view_open(&view, &context, &other, ALICE), STATUS_THREAD_NOT_FOUND);
    view_close();
    assert_int_equal(view_open(ALICE), STATUS_OK);
    assert_true(view.is_active);
    view_close();
}

static void pages_go_from_the_newest_change_downwards(void **state) {
    (void)state;
    uint64_t first = message_send(ALICE, "a"); /* 3 */
    message_send(BOB, "b");                    /* 4 */
    metadata_set("v");                         /* 5: no message */
    edit(ALICE, first, "a2");                  /* 3 → 6 */
    expect_page(BOB, UINT64_MAX, 0, 10, "6 4 2 1", false);
    expect_page(BOB, UINT64_MAX, 0, 4, "6 4 2 1", false);
    expect_page(BOB, UINT64_MAX, 0, 3, "6 4 2", true);
    expect_page(BOB, 1, 0, 3, "1", false);
    expect_page(BOB, 5, 0, 1, "4", true);
    expect_page(BOB, 0, 0, 3, "", false);
}

static void a_page_of_long_messages_ends_early(void **state) {
    enum { LONG = LIMIT_MESSAGE_BYTES_MAX, COUNT = LIMIT_PAGE_BYTES_MAX / LONG };
    static char text[LONG + 1];
    struct message_page page;
    (void)state;
    memset(text, 'x', LONG);
    for (size_t i = 0; i < COUNT + 3; i++)
        message_send(ALICE, text);
    assert_int_equal(view_open(BOB), STATUS_OK);
    assert_int_equal(thread_view_messages(&view, UINT64_MAX, 0, LIMIT_PAGE_SIZE_MAX, &page), STATUS_OK);
    assert_true(page.has_more);
    assert_in_range(page.count, COUNT - 1, COUNT);
    uint64_t next = page.messages[page.count - 1].offset - 1;
    assert_int_equal(thread_view_messages(&view, next, 0, LIMIT_PAGE_SIZE_MAX, &page), STATUS_OK);
    assert_false(page.has_more);
    assert_int_equal(page.messages[0].offset, next);
    view_close();
}

static void a_start_time_ends_the_list(void **state) {
    (void)state;
    message_send(ALICE, "a");
    int64_t between = (int64_t)message_send(ALICE, "b");
    message_send(ALICE, "c");
    expect_page(BOB, UINT64_MAX, between, 10, "5 4", false);
    expect_page(BOB, UINT64_MAX, between, 2, "5 4", false);
    expect_page(BOB, UINT64_MAX, fixture.now_ms + 100, 10, "", false);
}

static void a_removed_user_sees_the_thread_as_it_was(void **state) {
    struct message message;
    (void)state;
    metadata_set("secret");                     /* 3 */
    uint64_t before = message_send(ALICE, "a"); /* 4 */
    remove_user(BOB);                           /* 5 */
    uint64_t after = message_send(ALICE, "b");  /* 6 */
    rename_to("renamed");                       /* 7 */
    expect_page(BOB, UINT64_MAX, 0, 10, "5 4 2 1", false);
    expect_page(BOB, 6, 0, 10, "5 4 2 1", false);
    expect_page(BOB, 4, 0, 10, "4 2 1", false);
    assert_int_equal(view_open(BOB), STATUS_OK);
    assert_false(view.is_active);
    assert_true(bytes_equal_text(thread_view_properties(&view).topic, "topic"));
    assert_int_equal(thread_view_properties(&view).metadata.count, 0);
    assert_int_equal(thread_view_message(&view, before, &message), STATUS_OK);
    assert_int_equal(thread_view_message(&view, after, &message), STATUS_MESSAGE_NOT_FOUND);
    view_close();
    assert_int_equal(view_open(ALICE), STATUS_OK);
    assert_true(bytes_equal_text(thread_view_properties(&view).topic, "renamed"));
    assert_int_equal(thread_view_properties(&view).metadata.count, 1);
    assert_int_equal(thread_view_message(&view, after, &message), STATUS_OK);
    assert_int_equal(thread_view_message(&view, 1, &message), STATUS_MESSAGE_NOT_FOUND);
    view_close();
}

static void whoever_comes_later_sees_from_her_share_history_time_on(void **state) {
    struct message message;
    (void)state;
    uint64_t old = message_send(ALICE, "old"); /* 3 */
    fixture.now_ms += 1000;
    add(CAROL, fixture.now_ms); /* 4 */
    message_send(ALICE, "new"); /* 5 */
    edit(ALICE, old, "edited"); /* 3 → 6, still of the old time */
    expect_page(CAROL, UINT64_MAX, 0, 10, "5 4", false);
    assert_int_equal(view_open(CAROL), STATUS_OK);
    assert_int_equal(thread_view_message(&view, old, &message), STATUS_MESSAGE_NOT_FOUND);
    view_close();
}

static void only_active_participants_are_listed_in_join_order(void **state) {
    struct participant *items;
    size_t count;
    (void)state;
    add(CAROL, 0);
    remove_user(BOB);
    assert_int_equal(view_open(ALICE), STATUS_OK);
    assert_int_equal(thread_view_participants(&view, &items, &count), STATUS_OK);
    assert_int_equal(count, 2);
    assert_true(bytes_equal(items[0].user_id, ALICE));
    assert_true(bytes_equal(items[1].user_id, CAROL));
    view_close();
    add(BOB, 0);
    assert_int_equal(view_open(ALICE), STATUS_OK);
    assert_int_equal(thread_view_participants(&view, &items, &count), STATUS_OK);
    assert_int_equal(count, 3);
    assert_true(bytes_equal(items[2].user_id, BOB));
    view_close();
}

struct expected_change {
    uint64_t offset;
    enum change_kind kind;
};

static void expect_changes(struct bytes user_id, uint64_t from, size_t max, bool is_complete, size_t expected_count,
                           const struct expected_change *expected) {
    struct change *changes;
    size_t count;
    bool is_all;
    assert_int_equal(view_open(user_id), STATUS_OK);
    assert_int_equal(thread_view_changes(&view, from, max, &changes, &count, &is_all), STATUS_OK);
    assert_int_equal(count, expected_count);
    assert_int_equal(is_all, is_complete);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(changes[i].offset, expected[i].offset);
        assert_int_equal(changes[i].kind, expected[i].kind);
        assert_true(bytes_equal(changes[i].thread_id, THREAD));
        assert_true(bytes_is_present(changes[i].actor_id));
    }
    view_close();
}

static void a_replay_tells_what_happened_after_an_offset(void **state) {
    (void)state;
    uint64_t first = message_send(ALICE, "a"); /* 3 */
    message_send(BOB, "b");                    /* 4 */
    add(CAROL, 0);                             /* 5 */
    rename_to("renamed");                      /* 6 */
    metadata_set("v");                         /* 7 */
    edit(ALICE, first, "a2");                  /* 3 → 8 */
    remove_user(BOB);                          /* 9 */
    message_send(CAROL, "c");                  /* 10 */
    const struct expected_change all[] = {
        {2, CHANGE_THREAD_CREATED},       {4, CHANGE_MESSAGE_RECEIVED},  {5, CHANGE_PARTICIPANTS_ADDED},
        {6, CHANGE_THREAD_UPDATED},       {7, CHANGE_THREAD_UPDATED},    {8, CHANGE_MESSAGE_RECEIVED},
        {9, CHANGE_PARTICIPANTS_REMOVED}, {10, CHANGE_MESSAGE_RECEIVED},
    };
    const struct expected_change later[] = {
        {7, CHANGE_THREAD_UPDATED}, {8, CHANGE_MESSAGE_EDITED}, {9, CHANGE_PARTICIPANTS_REMOVED}};
    expect_changes(ALICE, 1, 100, true, 8, all);
    expect_changes(ALICE, 2, 100, true, 8, all);
    expect_changes(ALICE, 1, 8, true, 8, all);
    expect_changes(ALICE, 1, 7, false, 7, all);
    expect_changes(ALICE, 1, 0, false, 0, all);
    expect_changes(ALICE, 7, 3, false, 3, later);
    expect_changes(ALICE, 11, 100, true, 0, all);
    expect_changes(ALICE, UINT64_MAX, SIZE_MAX, true, 0, all);
    expect_changes(BOB, 1, 100, true, 7, all); /* up to her own removal */
    expect_changes(BOB, 7, 100, true, 3, later);
}

static void a_replay_hides_what_the_page_hides(void **state) {
    (void)state;
    message_send(ALICE, "old"); /* 3 */
    fixture.now_ms += 1000;
    add(CAROL, fixture.now_ms); /* 4 */
    message_send(ALICE, "new"); /* 5 */
    const struct expected_change seen[] = {{4, CHANGE_PARTICIPANTS_ADDED}, {5, CHANGE_MESSAGE_RECEIVED}};
    expect_changes(CAROL, 1, 100, true, 2, seen);
}

static void a_replay_tells_the_metadata_of_who_was_added(void **state) {
    (void)state;
    struct metadata_pair pair = {BYTES_LITERAL("k"), BYTES_LITERAL("v")};
    struct command command = command_of(COMMAND_PARTICIPANTS_ADD, ALICE);
    struct change *changes;
    size_t count;
    bool is_complete;
    command.participants = one(CAROL, 0);
    command.participants.items[0].metadata = (struct metadata){.pairs = &pair, .count = 1, .is_present = true};
    assert_int_equal(fixture_apply(&fixture, &command), STATUS_OK);
    struct change told = fixture.outcome.changes->change;
    assert_int_equal(view_open(ALICE), STATUS_OK);
    assert_int_equal(thread_view_changes(&view, told.offset, 1, &changes, &count, &is_complete), STATUS_OK);
    assert_int_equal(count, 1);
    assert_int_equal(changes[0].message.participants.items[0].metadata.count, 0);
    assert_int_equal(changes[0].participants.count, told.participants.count);
    assert_int_equal(changes[0].participants.items[0].metadata.count, 1);
    assert_true(bytes_equal_text(changes[0].participants.items[0].metadata.pairs[0].value, "v"));
    view_close();
}

static void a_deleted_thread_is_told_by_the_change_that_ended_it(void **state) {
    struct change change;
    struct id_hash thread = fixture_hash(&fixture, THREAD);
    (void)state;
    transaction = fixture_read(&fixture);
    struct apply_context context = fixture_context(&fixture, transaction);
    assert_int_equal(thread_deletion_view(&context, &thread, &change), STATUS_STORE_MISSING);
    store_abort(transaction);

    message_send(ALICE, "last");
    struct command command = command_of(COMMAND_THREAD_DELETE, BOB);
    command.reason = BYTES_LITERAL("deletedByUser");
    assert_int_equal(fixture_apply(&fixture, &command), STATUS_OK);
    struct change told = fixture.outcome.changes->change;

    transaction = fixture_read(&fixture);
    context = fixture_context(&fixture, transaction);
    assert_int_equal(thread_deletion_view(&context, &thread, &change), STATUS_OK);
    store_abort(transaction);
    assert_int_equal(change.kind, CHANGE_THREAD_DELETED);
    assert_int_equal(change.offset, 4);
    assert_int_equal(change.offset, told.offset);
    assert_int_equal(change.version, told.version);
    assert_int_equal(change.time_ms, told.time_ms);
    assert_true(bytes_equal(change.thread_id, THREAD));
    assert_true(bytes_equal(change.actor_id, BOB));
    assert_true(bytes_equal(change.actor_display_name, told.actor_display_name));
    assert_true(bytes_equal_text(change.reason, "deletedByUser"));
}

static void a_damaged_row_is_named_and_nothing_of_it_given_out(void **state) {
    struct id_hash thread = fixture_hash(&fixture, THREAD);
    struct id_hash bob = fixture_hash(&fixture, BOB);
    struct key message = key_of_row_number(&thread, ROW_MESSAGE, 2);
    struct key participant = key_of_row_hash(&thread, ROW_PARTICIPANT, &bob);
    struct store_transaction *writing = NULL;
    struct message_page page;
    struct participant *items;
    struct change *changes;
    size_t count;
    bool is_complete;
    (void)state;
    check(store_begin_write(fixture.store, &writing) == STATUS_OK);
    check(store_put(writing, STORE_STATE, key_bytes(&message), BYTES_LITERAL("damaged")) == STATUS_OK);
    check(store_put(writing, STORE_STATE, key_bytes(&participant), BYTES_LITERAL("damaged")) == STATUS_OK);
    check(store_commit(writing) == STATUS_OK);
    assert_int_equal(view_open(BOB), STATUS_RECORD_CORRUPT);
    view_close();
    assert_int_equal(view_open(ALICE), STATUS_OK);
    assert_int_equal(thread_view_messages(&view, UINT64_MAX, 0, 10, &page), STATUS_RECORD_CORRUPT);
    assert_int_equal(thread_view_participants(&view, &items, &count), STATUS_RECORD_CORRUPT);
    assert_int_equal(thread_view_changes(&view, 1, 10, &changes, &count, &is_complete), STATUS_RECORD_CORRUPT);
    view_close();
}

int main(void) {
#define VIEW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        VIEW(strangers_and_missing_threads_are_told_apart),
        VIEW(pages_go_from_the_newest_change_downwards),
        VIEW(a_page_of_long_messages_ends_early),
        VIEW(a_start_time_ends_the_list),
        VIEW(a_removed_user_sees_the_thread_as_it_was),
        VIEW(whoever_comes_later_sees_from_her_share_history_time_on),
        VIEW(only_active_participants_are_listed_in_join_order),
        VIEW(a_replay_tells_what_happened_after_an_offset),
        VIEW(a_replay_hides_what_the_page_hides),
        VIEW(a_replay_tells_the_metadata_of_who_was_added),
        VIEW(a_deleted_thread_is_told_by_the_change_that_ended_it),
        VIEW(a_damaged_row_is_named_and_nothing_of_it_given_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
