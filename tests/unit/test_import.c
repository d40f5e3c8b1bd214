/* The rules of an import over a real store: what comes is as it was, what comes again changes nothing, what contradicts
 * is refused by name, and replicas that apply the same hold the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "storage/keys.h"
#include "tests/lib/store_dump.h"
#include "tests/lib/store_fixture.h"

#define THREAD BYTES_LITERAL("19:acsV1_import@thread.v2")
#define ALICE BYTES_LITERAL("8:acs:r_alice")
#define BOB BYTES_LITERAL("8:acs:r_bob")
#define CAROL BYTES_LITERAL("8:acs:r_carol")
#define MESSAGES 6
#define T0 1600000000000

static struct fixture fixture;

static struct command thread_command(void) {
    static struct import_member members[3];
    static struct receipt receipts[] = {{BYTES_LITERAL("8:acs:r_bob"), T0 + 3, T0 + 60000}};
    members[0] = (struct import_member){.participant = {.user_id = ALICE}, .joined_offset = 1};
    members[1] =
        (struct import_member){.participant = {.user_id = BOB, .share_history_ms = T0 + 4}, .joined_offset = 2};
    members[2] = (struct import_member){.participant = {.user_id = CAROL},
                                        .joined_offset = 1,
                                        .removed_offset = 4,
                                        .topic = BYTES_LITERAL("as it was then"),
                                        .last_message_ms = T0 + 3};
    struct command command = {
        .kind = COMMAND_THREAD_IMPORT,
        .subject = fixture_hash(&fixture, THREAD),
        .properties = {.id = THREAD, .topic = BYTES_LITERAL("topic"), .created_ms = T0, .creator_id = ALICE},
        .members = members,
        .members_count = 3,
        .receipts = receipts,
        .receipts_count = 1,
        .offset = MESSAGES,
        .sequence = MESSAGES + 1, /* one is hidden from all who could be asked */
        .version = T0 + 500,
        .last_message_ms = T0 + 6};
    command.wrapped_key = fixture_key(&fixture, &command.subject);
    return command;
}

static struct message message_at(uint64_t offset) {
    bool is_edited = offset == MESSAGES;
    return (struct message){.id = T0 + offset,
                            .sequence = offset,
                            .version = is_edited ? T0 + 500 : T0 + offset,
                            .offset = offset,
                            .type = MESSAGE_TEXT,
                            .created_ms = T0 + (int64_t)offset,
                            .edited_ms = is_edited ? T0 + 500 : 0,
                            .actor_id = offset % 2 == 0 ? BOB : ALICE,
                            .display_name = BYTES_LITERAL("name"),
                            .content = BYTES_LITERAL("text")};
}

static struct command messages_command(uint64_t first, uint64_t last) {
    size_t count = (size_t)(last - first + 1);
    struct message *messages = ARENA_NEW_ARRAY(&fixture.arena, struct message, count);
    for (uint64_t offset = first; offset <= last; offset++)
        messages[offset - first] = message_at(offset);
    return (struct command){.kind = COMMAND_MESSAGES_IMPORT,
                            .subject = fixture_hash(&fixture, THREAD),
                            .messages = messages,
                            .messages_count = count};
}

static int import_thread(void) {
    struct command command = thread_command();
    return fixture_apply(&fixture, &command);
}

static int import_messages(uint64_t first, uint64_t last) {
    struct command command = messages_command(first, last);
    return fixture_apply(&fixture, &command);
}

static void import_all(void) {
    assert_int_equal(import_thread(), STATUS_OK);
    assert_int_equal(import_messages(1, 3), STATUS_OK);
    assert_int_equal(import_messages(4, MESSAGES), STATUS_OK);
}

static int set_up(void **state) {
    (void)state;
    fixture_open(&fixture);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    fixture_close(&fixture);
    return 0;
}

static struct buffer dump_of(struct fixture *of) {
    struct buffer dump;
    buffer_init(&dump);
    store_dump(of->store, &of->master, STORE_STATE, STORE_STATE, &dump);
    store_dump(of->store, &of->master, STORE_OUTBOX, STORE_OUTBOX, &dump);
    return dump;
}

/* Newest change first. */
static struct message_page seen_by(struct bytes user_id) {
    struct thread_view view;
    struct message_page page = {0};
    struct store_transaction *transaction = fixture_read(&fixture);
    struct apply_context context = fixture_context(&fixture, transaction);
    struct id_hash thread = fixture_hash(&fixture, THREAD);
    assert_int_equal(thread_view_open(&view, &context, &thread, user_id), STATUS_OK);
    assert_int_equal(thread_view_messages(&view, UINT64_MAX, 0, 100, &page), STATUS_OK);
    store_abort(transaction);
    return page;
}

static void messages_are_as_they_were(void **state) {
    (void)state;
    import_all();
    struct message_page page = seen_by(ALICE);
    assert_int_equal(page.count, MESSAGES);
    for (uint64_t offset = 1; offset <= MESSAGES; offset++) {
        struct message expected = message_at(offset);
        const struct message *message = &page.messages[MESSAGES - offset];
        assert_int_equal(message->id, expected.id);
        assert_int_equal(message->sequence, expected.sequence);
        assert_int_equal(message->version, expected.version);
        assert_int_equal(message->offset, offset);
        assert_int_equal(message->created_ms, expected.created_ms);
        assert_int_equal(message->edited_ms, expected.edited_ms);
        assert_true(bytes_equal(message->actor_id, expected.actor_id));
    }
}

static void each_sees_what_she_saw(void **state) {
    (void)state;
    import_all();
    assert_int_equal(seen_by(BOB).count, 3);   /* from her share-history time on */
    assert_int_equal(seen_by(CAROL).count, 4); /* up to her removal */
}

/* Who has left is not. */
static void users_of_teams_are_counted(void **state) {
    (void)state;
    struct thread_view view;
    struct command command = thread_command();
    command.members[1].participant.user_id = BYTES_LITERAL("8:orgid:b");
    command.members[2].participant.user_id = BYTES_LITERAL("8:orgid:c");
    assert_int_equal(fixture_apply(&fixture, &command), STATUS_OK);
    struct store_transaction *transaction = fixture_read(&fixture);
    struct apply_context context = fixture_context(&fixture, transaction);
    assert_int_equal(thread_view_open(&view, &context, &command.subject, ALICE), STATUS_OK);
    assert_int_equal(view.counters.participants, 2);
    assert_int_equal(view.counters.teams_users, 1);
    assert_true(thread_view_has_typing(&view, 1));
    assert_false(thread_view_has_receipts(&view, 20));
    store_abort(transaction);
}

static void lists_of_users_get_the_thread_as_at_a_creation(void **state) {
    (void)state;
    size_t joined = 0, left = 0;
    assert_int_equal(import_thread(), STATUS_OK);
    assert_null(fixture.outcome.changes);
    for (struct outcome_follow_up *told = fixture.outcome.follow_ups; told != NULL; told = told->next) {
        if (told->row.membership == MEMBERSHIP_JOINED) {
            joined += told->row.users_count;
            assert_int_equal(told->row.offset, MESSAGES + 1);
        } else {
            left += told->row.users_count;
            assert_int_equal(told->row.offset, 4);
            assert_true(bytes_equal_text(told->row.topic, "as it was then"));
        }
    }
    assert_int_equal(joined, 2);
    assert_int_equal(left, 1);
}

static void the_same_commands_again_change_nothing(void **state) {
    (void)state;
    import_all();
    struct buffer before = dump_of(&fixture);
    assert_int_equal(import_thread(), STATUS_OK);
    assert_true(fixture.outcome.result.is_duplicate);
    assert_null(fixture.outcome.follow_ups);
    assert_int_equal(import_messages(1, MESSAGES), STATUS_OK);
    assert_true(fixture.outcome.result.is_duplicate);
    struct buffer after = dump_of(&fixture);
    assert_true(bytes_equal(buffer_bytes(&before), buffer_bytes(&after)));
    buffer_close(&before);
    buffer_close(&after);
}

static void batches_may_overlap_and_come_in_any_order(void **state) {
    (void)state;
    assert_int_equal(import_thread(), STATUS_OK);
    assert_int_equal(import_messages(4, MESSAGES), STATUS_OK);
    assert_int_equal(import_messages(1, 5), STATUS_OK);
    assert_false(fixture.outcome.result.is_duplicate);
    assert_int_equal(seen_by(ALICE).count, MESSAGES);
}

static int apply_to(struct fixture *replica, struct command *command, int64_t time_ms) {
    replica->now_ms = time_ms - 1;
    return fixture_apply(replica, command);
}

static void replicas_that_apply_the_same_hold_the_same(void **state) {
    (void)state;
    struct fixture other;
    fixture_open(&other);
    /* Data keys are made by chance, by the proposer: the command carries one for all. */
    struct command commands[] = {thread_command(), messages_command(1, 3), messages_command(4, MESSAGES),
                                 messages_command(2, 5)};
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        assert_int_equal(apply_to(&fixture, &commands[i], T0 * 2 + (int64_t)i), STATUS_OK);
        assert_int_equal(apply_to(&other, &commands[i], T0 * 2 + (int64_t)i), STATUS_OK);
    }
    struct buffer here = dump_of(&fixture), there = dump_of(&other);
    assert_true(bytes_equal(buffer_bytes(&here), buffer_bytes(&there)));
    buffer_close(&here);
    buffer_close(&there);
    fixture_close(&other);
}

static void what_is_written_later_lies_above(void **state) {
    (void)state;
    struct command send = {.kind = COMMAND_MESSAGE_SEND,
                           .subject = fixture_hash(&fixture, THREAD),
                           .actor_id = ALICE,
                           .message_type = MESSAGE_TEXT,
                           .content = BYTES_LITERAL("here")};
    fixture.now_ms = T0 - 1000; /* a clock behind that of where the thread was */
    assert_int_equal(import_thread(), STATUS_OK);
    assert_int_equal(fixture_apply(&fixture, &send), STATUS_OK);
    assert_true(fixture.outcome.result.message_id > T0 + 500);
    assert_int_equal(fixture.outcome.result.sequence, MESSAGES + 2);
    assert_int_equal(fixture.outcome.result.offset, MESSAGES + 2);
    assert_int_equal(import_messages(1, MESSAGES), STATUS_OK);
    assert_int_equal(seen_by(ALICE).count, MESSAGES + 1);
}

static void an_edit_here_stays_when_the_message_comes_again(void **state) {
    (void)state;
    struct command edit = {.kind = COMMAND_MESSAGE_EDIT,
                           .subject = fixture_hash(&fixture, THREAD),
                           .actor_id = ALICE,
                           .message_id = T0 + 3,
                           .content = BYTES_LITERAL("edited here")};
    import_all();
    assert_int_equal(fixture_apply(&fixture, &edit), STATUS_OK);
    assert_int_equal(import_messages(1, MESSAGES), STATUS_OK);
    assert_true(fixture.outcome.result.is_duplicate);
    assert_true(bytes_equal_text(seen_by(ALICE).messages[0].content, "edited here"));
}

/* Each changes one thing of what is there. */
static void other_author(struct message *message) {
    message->actor_id = CAROL;
}
static void other_sequence(struct message *message) {
    message->sequence = MESSAGES + 1;
}
static void other_time(struct message *message) {
    message->created_ms += 1000;
}
static void other_id_at_its_place(struct message *message) {
    message->id = T0 + 400;
    message->sequence = MESSAGES + 1;
}
static void no_room_for_the_offset(struct message *message) {
    message->offset = MESSAGES + 1;
}
static void no_room_for_the_version(struct message *message) {
    message->version = T0 + 501;
}
static void no_sequence(struct message *message) {
    message->sequence = 0;
}

static void what_contradicts_is_refused_by_name_and_writes_nothing(void **state) {
    (void)state;
    static void (*const changes[])(struct message *) = {
        other_author,           other_sequence,          other_time, other_id_at_its_place,
        no_room_for_the_offset, no_room_for_the_version, no_sequence};
    assert_int_equal(import_thread(), STATUS_OK);
    assert_int_equal(import_messages(2, 2), STATUS_OK);
    struct buffer before = dump_of(&fixture);
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        struct command command = messages_command(1, 2);
        changes[i](&command.messages[1]);
        assert_int_equal(fixture_apply(&fixture, &command), STATUS_IMPORT_MESSAGE_DIFFERS);
        assert_int_equal(fixture.outcome.result.message_id, command.messages[1].id);
    }
    struct buffer after = dump_of(&fixture);
    assert_true(bytes_equal(buffer_bytes(&before), buffer_bytes(&after)));
    buffer_close(&before);
    buffer_close(&after);
}

static void another_thread_of_the_same_id_is_refused(void **state) {
    (void)state;
    import_all();
    struct command other = thread_command();
    other.offset++;
    other.sequence++;
    assert_int_equal(fixture_apply(&fixture, &other), STATUS_IMPORT_THREAD_DIFFERS);
    other = thread_command();
    other.properties.creator_id = BOB;
    assert_int_equal(fixture_apply(&fixture, &other), STATUS_IMPORT_THREAD_DIFFERS);
}

static void a_thread_that_was_made_here_takes_no_imports(void **state) {
    (void)state;
    struct command create = {.kind = COMMAND_THREAD_CREATE,
                             .subject = fixture_hash(&fixture, THREAD),
                             .actor_id = ALICE,
                             .properties = {.id = THREAD, .topic = BYTES_LITERAL("here")}};
    create.wrapped_key = fixture_key(&fixture, &create.subject);
    assert_int_equal(import_messages(1, 2), STATUS_THREAD_NOT_FOUND);
    assert_int_equal(fixture_apply(&fixture, &create), STATUS_OK);
    assert_int_equal(import_thread(), STATUS_IMPORT_THREAD_DIFFERS);
    assert_int_equal(import_messages(1, 2), STATUS_IMPORT_THREAD_DIFFERS);
}

static void a_thread_that_was_deleted_does_not_come_back(void **state) {
    (void)state;
    struct command delete = {.kind = COMMAND_THREAD_DELETE,
                             .subject = fixture_hash(&fixture, THREAD),
                             .actor_id = ALICE,
                             .reason = BYTES_LITERAL("deletedByUser")};
    import_all();
    assert_int_equal(fixture_apply(&fixture, &delete), STATUS_OK);
    assert_int_equal(import_thread(), STATUS_IMPORT_THREAD_DELETED);
    assert_int_equal(import_messages(1, 1), STATUS_THREAD_NOT_FOUND);
}

static void places_of_members_are_checked(void **state) {
    (void)state;
    struct command command = thread_command();
    command.members[2].removed_offset = MESSAGES + 1;
    assert_int_equal(fixture_apply(&fixture, &command), STATUS_VALIDATION_ERROR);
    command = thread_command();
    command.members = ARENA_NEW_ARRAY(&fixture.arena, struct import_member, 251);
    command.members_count = 251;
    for (size_t i = 0; i < command.members_count; i++)
        command.members[i] =
            (struct import_member){.participant.user_id = arena_printf(&fixture.arena, "8:acs:r_%zu", i)};
    assert_int_equal(fixture_apply(&fixture, &command), STATUS_TOO_MANY_PARTICIPANTS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(messages_are_as_they_were, set_up, tear_down),
        cmocka_unit_test_setup_teardown(each_sees_what_she_saw, set_up, tear_down),
        cmocka_unit_test_setup_teardown(users_of_teams_are_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lists_of_users_get_the_thread_as_at_a_creation, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_same_commands_again_change_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(batches_may_overlap_and_come_in_any_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(replicas_that_apply_the_same_hold_the_same, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_written_later_lies_above, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_edit_here_stays_when_the_message_comes_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_contradicts_is_refused_by_name_and_writes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_thread_of_the_same_id_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_thread_that_was_made_here_takes_no_imports, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_thread_that_was_deleted_does_not_come_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(places_of_members_are_checked, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
