/* Who is told what, and once: live changes, joining, leaving, gaps and goings-on between two looks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/gateway/listening.h"
#include "node/gateway/subscription.h"
#include "tests/lib/gateway_fixture.h"

#define THREAD BYTES_LITERAL("19:acsV1_unit@thread.v2")
#define ALICE BYTES_LITERAL("8:acs:r_alice")
#define BOB BYTES_LITERAL("8:acs:r_bob")
#define CAROL BYTES_LITERAL("8:acs:r_carol")

static struct gateway_fixture fixture;

static int setup(void **state) {
    (void)state;
    gateway_fixture_open(&fixture);
    gateway_fixture_user(&fixture, ALICE);
    gateway_fixture_user(&fixture, BOB);
    gateway_fixture_user(&fixture, CAROL);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    gateway_fixture_close(&fixture);
    return 0;
}

static struct id_hash thread_hash(void) {
    return fixture_hash(&fixture.store, THREAD);
}

static struct command command_of(enum command_kind kind) {
    return (struct command){.kind = kind, .subject = thread_hash(), .actor_id = ALICE};
}

static struct participants one(struct bytes user_id) {
    struct participant *item = ARENA_NEW(&fixture.store.arena, struct participant);
    *item = (struct participant){.user_id = user_id, .display_name = BYTES_LITERAL("name")};
    return (struct participants){item, 1};
}

static void create(void) {
    struct command command = command_of(COMMAND_THREAD_CREATE);
    command.properties = (struct thread_properties){.id = THREAD, .topic = BYTES_LITERAL("topic")};
    command.participants = one(BOB);
    command.wrapped_key = fixture_key(&fixture.store, &command.subject);
    assert_int_equal(gateway_fixture_do(&fixture, &command), STATUS_OK);
}

static struct command send_command(void) {
    struct command command = command_of(COMMAND_MESSAGE_SEND);
    command.message_type = MESSAGE_TEXT;
    command.content = BYTES_LITERAL("hello");
    command.display_name = BYTES_LITERAL("");
    return command;
}

static void send_message(void) {
    struct command command = send_command();
    assert_int_equal(gateway_fixture_do(&fixture, &command), STATUS_OK);
}

static void send_unheard(void) {
    struct command command = send_command();
    assert_int_equal(fixture_apply(&fixture.store, &command), STATUS_OK);
}

static void add(struct bytes user_id) {
    struct command command = command_of(COMMAND_PARTICIPANTS_ADD);
    command.participants = one(user_id);
    assert_int_equal(gateway_fixture_do(&fixture, &command), STATUS_OK);
}

static void remove_participant(struct bytes user_id) {
    struct command command = command_of(COMMAND_PARTICIPANT_REMOVE);
    command.user_id = user_id;
    assert_int_equal(gateway_fixture_do(&fixture, &command), STATUS_OK);
}

static struct listener *listening(struct bytes user_id) {
    struct listener *listener = gateway_fixture_listener(&fixture, user_id);
    assert_int_equal(listening_start(&listener->session), 0);
    return listener;
}

static struct subscription *subscription_of(struct listener *listener) {
    struct id_hash thread = thread_hash();
    return subscription_find(session_table_audiences(fixture.gateway_worker.sessions), &listener->session, &thread);
}

static void expect_told(struct listener *listener, size_t index, enum change_kind kind, uint64_t offset) {
    assert_in_range(index, 0, listener->told_count - 1);
    assert_int_equal(listener->told[index].kind, kind);
    assert_int_equal(listener->told[index].offset, offset);
}

static void a_participant_is_told_every_change_from_her_beginning_on(void **state) {
    (void)state;
    create();
    send_message();
    struct listener *bob = listening(BOB);
    send_message();
    send_message();
    assert_int_equal(bob->told_count, 2);
    expect_told(bob, 0, CHANGE_MESSAGE_RECEIVED, 4);
    expect_told(bob, 1, CHANGE_MESSAGE_RECEIVED, 5);
}

static void a_change_that_the_session_has_seen_in_the_store_is_not_told_again(void **state) {
    (void)state;
    create();
    send_unheard();
    struct outcome_change *late = fixture.store.outcome.changes;
    struct listener *bob = listening(BOB);
    gateway_fixture_tell(&fixture, &late->change);
    assert_int_equal(bob->told_count, 0);
    send_message();
    assert_int_equal(bob->told_count, 1);
}

static void strangers_are_told_nothing(void **state) {
    (void)state;
    struct listener *carol = listening(CAROL);
    create();
    send_message();
    assert_int_equal(carol->told_count, 0);
}

static void whoever_is_connected_when_a_thread_is_created_is_told_once(void **state) {
    (void)state;
    struct listener *bob = listening(BOB);
    struct listener *tablet = listening(BOB);
    create();
    send_message();
    struct listener *both[] = {bob, tablet};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(both[i]->told_count, 2);
        expect_told(both[i], 0, CHANGE_THREAD_CREATED, 2);
        expect_told(both[i], 1, CHANGE_MESSAGE_RECEIVED, 3);
    }
}

static void what_was_sent_before_the_joining_came_by_is_told_from_the_store(void **state) {
    (void)state;
    create();
    struct listener *carol = listening(CAROL);
    struct command adding = command_of(COMMAND_PARTICIPANTS_ADD);
    adding.participants = one(CAROL);
    assert_int_equal(fixture_apply(&fixture.store, &adding), STATUS_OK);
    struct outcome joined = fixture.store.outcome;
    send_message();
    send_message();
    fixture.store.outcome = joined;
    gateway_fixture_tell_outcome(&fixture);
    send_message();
    assert_int_equal(carol->told_count, 4);
    expect_told(carol, 0, CHANGE_PARTICIPANTS_ADDED, 3);
    for (size_t i = 1; i < 4; i++)
        expect_told(carol, i, CHANGE_MESSAGE_RECEIVED, 3 + i);
}

static void a_joining_too_old_to_be_remembered_is_told_from_the_store(void **state) {
    (void)state;
    create();
    struct listener *carol = listening(CAROL);
    struct command adding = command_of(COMMAND_PARTICIPANTS_ADD);
    adding.participants = one(CAROL);
    assert_int_equal(fixture_apply(&fixture.store, &adding), STATUS_OK);
    struct change joined = {
        .kind = CHANGE_USER_JOINED, .subject = fixture_hash(&fixture.store, CAROL), .thread_id = THREAD, .offset = 3};
    gateway_fixture_tell(&fixture, &joined);
    gateway_fixture_tell(&fixture, &joined);
    assert_int_equal(carol->told_count, 1);
    expect_told(carol, 0, CHANGE_PARTICIPANTS_ADDED, 3);
}

static void a_deaf_session_does_not_hear_of_joining(void **state) {
    (void)state;
    struct listener *bob = listening(BOB);
    bob->session.is_deaf = true;
    create();
    assert_int_equal(bob->told_count, 0);
    assert_null(subscription_of(bob));
}

static void a_removed_participant_hears_so_and_then_nothing(void **state) {
    (void)state;
    create();
    struct listener *alice = listening(ALICE);
    struct listener *bob = listening(BOB);
    remove_participant(BOB);
    send_message();
    assert_int_equal(bob->told_count, 1);
    expect_told(bob, 0, CHANGE_PARTICIPANTS_REMOVED, 3);
    assert_null(subscription_of(bob));
    assert_int_equal(alice->told_count, 2);
}

static void who_is_added_again_hears_the_thread_again(void **state) {
    (void)state;
    create();
    struct listener *bob = listening(BOB);
    remove_participant(BOB);
    send_message();
    add(BOB);
    send_message();
    assert_int_equal(bob->told_count, 3);
    expect_told(bob, 1, CHANGE_PARTICIPANTS_ADDED, 5);
    expect_told(bob, 2, CHANGE_MESSAGE_RECEIVED, 6);
}

static void a_removal_from_before_the_session_began_does_not_silence_it(void **state) {
    (void)state;
    create();
    struct command removal = command_of(COMMAND_PARTICIPANT_REMOVE);
    removal.user_id = BOB;
    assert_int_equal(fixture_apply(&fixture.store, &removal), STATUS_OK);
    struct change late = fixture.store.outcome.changes->change;
    add(BOB);
    struct listener *bob = listening(BOB);
    gateway_fixture_tell(&fixture, &late);
    assert_non_null(subscription_of(bob));
    assert_int_equal(bob->told_count, 0);
}

static void the_end_of_a_thread_is_told_and_nobody_listens_any_more(void **state) {
    (void)state;
    create();
    struct listener *bob = listening(BOB);
    struct command deletion = command_of(COMMAND_THREAD_DELETE);
    deletion.reason = BYTES_LITERAL("deletedByUser");
    assert_int_equal(gateway_fixture_do(&fixture, &deletion), STATUS_OK);
    assert_int_equal(bob->told_count, 1);
    expect_told(bob, 0, CHANGE_THREAD_DELETED, 3);
    struct id_hash thread = thread_hash();
    assert_null(audience_find(session_table_audiences(fixture.gateway_worker.sessions), &thread));
}

static void a_jump_in_offsets_asks_the_store_instead(void **state) {
    (void)state;
    create();
    struct listener *bob = listening(BOB);
    send_unheard();
    send_message();
    assert_int_equal(bob->told_count, 0);
    assert_int_equal(bob->catch_ups, 1);
}

static void no_listen(void *core, const struct id_hash *subject, uint64_t next_offset) {
    (void)core;
    (void)subject;
    (void)next_offset;
}

static void tell_in_cluster(enum change_kind kind, uint64_t from_offset, uint64_t offset) {
    struct change change = {.kind = kind, .subject = thread_hash(), .thread_id = THREAD, .offset = offset};
    struct broadcast *broadcast = broadcast_new(&change, 0, 1);
    broadcast_covers_from(broadcast, from_offset);
    fanout_deliver(&fixture.gateway_worker, broadcast);
    broadcast_release(broadcast);
}

static void offsets_that_were_overtaken_are_skipped_with_a_word(void **state) {
    struct id_hash thread = thread_hash();
    struct listener *bob = gateway_fixture_listener(&fixture, BOB);
    (void)state;
    fixture.gateway.listen = no_listen;
    subscription_add(session_table_audiences(fixture.gateway_worker.sessions), &bob->session, &thread, 1);
    tell_in_cluster(CHANGE_THREAD_CREATED, 1, 2);
    tell_in_cluster(CHANGE_MESSAGE_RECEIVED, 3, 3);
    assert_int_equal(bob->skips, 0);
    tell_in_cluster(CHANGE_MESSAGE_RECEIVED, 4, 7);
    assert_int_equal(bob->skips, 1);
    tell_in_cluster(CHANGE_MESSAGE_EDITED, 4, 7);
    tell_in_cluster(CHANGE_MESSAGE_EDITED, 9, 9); /* something has not come by yet */
    tell_in_cluster(CHANGE_MESSAGE_EDITED, 7, 8);
    assert_int_equal(bob->skips, 1);
    assert_int_equal(bob->told_count, 4);
    expect_told(bob, 3, CHANGE_MESSAGE_EDITED, 8);
    fixture.gateway.listen = NULL;
}

static void live_changes_wait_while_a_thread_is_resumed(void **state) {
    (void)state;
    create();
    struct listener *bob = listening(BOB);
    subscription_of(bob)->is_resuming = true;
    send_message();
    assert_int_equal(bob->told_count, 0);
    subscription_of(bob)->is_resuming = false;
    send_message();
    assert_int_equal(bob->told_count, 1);
}

static void what_has_no_offset_is_told_to_all(void **state) {
    (void)state;
    create();
    struct listener *alice = listening(ALICE);
    struct listener *bob = listening(BOB);
    struct typing_notice notice = {.user_id = ALICE, .display_name = BYTES_LITERAL("")};
    struct change typing = {
        .kind = CHANGE_TYPING, .subject = thread_hash(), .thread_id = THREAD, .typing = &notice, .typing_count = 1};
    gateway_fixture_tell(&fixture, &typing);
    assert_int_equal(alice->told_count, 1);
    assert_int_equal(bob->told_count, 1);
}

static void a_revocation_reaches_older_tokens_only(void **state) {
    (void)state;
    struct listener *old = listening(BOB);
    struct listener *new = listening(BOB);
    old->session.token_issued_s = 999;
    struct change revocation = {
        .kind = CHANGE_USER_REVOKED, .subject = fixture_hash(&fixture.store, BOB), .time_ms = 1000 * 1000};
    gateway_fixture_tell(&fixture, &revocation);
    assert_int_equal(old->token_changes, 1);
    assert_true(old->session.is_revoked);
    assert_int_equal(new->token_changes, 0);
    assert_false(new->session.is_revoked);
}

static void a_session_whose_user_is_gone_is_revoked_at_its_beginning(void **state) {
    (void)state;
    struct listener *nobody = listening(BYTES_LITERAL("8:acs:r_nobody"));
    assert_true(nobody->session.is_revoked);
    assert_int_equal(nobody->token_changes, 1);
}

static void a_session_that_goes_on_for_another_is_told_what_fell_between(void **state) {
    (void)state;
    create();
    send_message();
    struct listening_position position = {.thread = thread_hash(), .next_offset = 4};
    send_message();
    send_message();
    struct listener *bob = gateway_fixture_listener(&fixture, BOB);
    assert_int_equal(listening_resume(&bob->session, &position, 1, 256), 0);
    send_message();
    assert_int_equal(bob->told_count, 3);
    for (size_t i = 0; i < 3; i++)
        expect_told(bob, i, CHANGE_MESSAGE_RECEIVED, 4 + i);
}

static void a_thread_joined_meanwhile_is_told_from_the_joining_on(void **state) {
    (void)state;
    create();
    send_message();
    struct listener *bob = gateway_fixture_listener(&fixture, BOB);
    assert_int_equal(listening_resume(&bob->session, NULL, 0, 256), 0);
    assert_int_equal(bob->told_count, 2);
    expect_told(bob, 0, CHANGE_THREAD_CREATED, 2);
    expect_told(bob, 1, CHANGE_MESSAGE_RECEIVED, 3);
}

static void a_removal_meanwhile_is_told_and_ends_the_listening(void **state) {
    (void)state;
    create();
    struct listening_position position = {.thread = thread_hash(), .next_offset = 3};
    remove_participant(BOB);
    send_message();
    struct listener *bob = gateway_fixture_listener(&fixture, BOB);
    assert_int_equal(listening_resume(&bob->session, &position, 1, 256), 0);
    assert_int_equal(bob->told_count, 1);
    expect_told(bob, 0, CHANGE_PARTICIPANTS_REMOVED, 3);
    assert_null(subscription_of(bob));
}

static void of_many_missed_changes_the_newest_are_told(void **state) {
    (void)state;
    create();
    struct listening_position position = {.thread = thread_hash(), .next_offset = 3};
    for (size_t i = 0; i < 100; i++)
        send_message();
    struct listener *bob = gateway_fixture_listener(&fixture, BOB);
    assert_int_equal(listening_resume(&bob->session, &position, 1, 70), 0);
    assert_int_equal(bob->told_count, 70);
    expect_told(bob, 0, CHANGE_MESSAGE_RECEIVED, 33);
    expect_told(bob, 69, CHANGE_MESSAGE_RECEIVED, 102);
}

static void every_session_is_told_to_move_at_a_drain(void **state) {
    (void)state;
    struct listener *listeners[20];
    for (size_t i = 0; i < 20; i++)
        listeners[i] = listening(i % 2 == 0 ? ALICE : BOB);
    session_table_drain(&fixture.gateway_worker, 0);
    for (size_t i = 0; i < 20; i++)
        assert_int_equal(listeners[i]->drains, 1);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_participant_is_told_every_change_from_her_beginning_on),
        TEST(a_change_that_the_session_has_seen_in_the_store_is_not_told_again),
        TEST(strangers_are_told_nothing),
        TEST(whoever_is_connected_when_a_thread_is_created_is_told_once),
        TEST(what_was_sent_before_the_joining_came_by_is_told_from_the_store),
        TEST(a_joining_too_old_to_be_remembered_is_told_from_the_store),
        TEST(a_deaf_session_does_not_hear_of_joining),
        TEST(a_removed_participant_hears_so_and_then_nothing),
        TEST(who_is_added_again_hears_the_thread_again),
        TEST(a_removal_from_before_the_session_began_does_not_silence_it),
        TEST(the_end_of_a_thread_is_told_and_nobody_listens_any_more),
        TEST(a_jump_in_offsets_asks_the_store_instead),
        TEST(offsets_that_were_overtaken_are_skipped_with_a_word),
        TEST(live_changes_wait_while_a_thread_is_resumed),
        TEST(what_has_no_offset_is_told_to_all),
        TEST(a_revocation_reaches_older_tokens_only),
        TEST(a_session_whose_user_is_gone_is_revoked_at_its_beginning),
        TEST(a_session_that_goes_on_for_another_is_told_what_fell_between),
        TEST(a_thread_joined_meanwhile_is_told_from_the_joining_on),
        TEST(a_removal_meanwhile_is_told_and_ends_the_listening),
        TEST(of_many_missed_changes_the_newest_are_told),
        TEST(every_session_is_told_to_move_at_a_drain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
