/* What users may do to threads: scopes, refusals before the log, who can take part, repeated requests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/gateway/chat_calls.h"
#include "proto/limits.h"
#include "tests/lib/gateway_fixture.h"

#define ALICE BYTES_LITERAL("8:acs:r_alice")
#define BOB BYTES_LITERAL("8:acs:r_bob")
#define CAROL BYTES_LITERAL("8:acs:r_carol")

static struct gateway_fixture fixture;
static struct caller caller;
static struct reply reply;
static struct problem problem;
static struct chat_call call;
static struct bytes thread_id;

static void be(struct bytes user_id, unsigned scopes) {
    caller = gateway_fixture_caller(&fixture, user_id);
    caller.scopes = scopes;
}

/* What was proposed is applied. */
static void apply(void) {
    assert_non_null(fixture.proposed);
    assert_int_equal(gateway_fixture_do(&fixture, &fixture.proposed->command), STATUS_OK);
}

static struct participants participants_of(const struct bytes *user_ids, size_t count) {
    struct participant *items = ARENA_NEW_ARRAY(&fixture.store.arena, struct participant, count);
    for (size_t i = 0; i < count; i++)
        items[i].user_id = user_ids[i];
    return (struct participants){items, count};
}

static int create(struct bytes repeatability_id, struct participants participants, struct created_thread *created) {
    struct create_thread_request request = {.topic = BYTES_LITERAL("topic"), .participants = participants};
    struct bytes id = chat_thread_id_choose(call.worker, call.arena, call.caller, repeatability_id);
    return chat_thread_create(&call, id, &request, created);
}

static int send_as(enum message_type type, struct bytes content, struct bytes client_id) {
    struct send_message_request request = {.content = content, .display_name = BYTES_LITERAL(""), .type = type};
    struct send_identity identity = {.kind = IDEMPOTENCY_CLIENT_MESSAGE_ID, .id = client_id};
    return chat_message_send(&call, thread_id, &request, &identity);
}

static int setup(void **state) {
    struct created_thread created;
    (void)state;
    gateway_fixture_open(&fixture);
    gateway_fixture_user(&fixture, ALICE);
    gateway_fixture_user(&fixture, BOB);
    gateway_fixture_user(&fixture, CAROL);
    call = (struct chat_call){.worker = &fixture.gateway_worker,
                              .arena = &fixture.store.arena,
                              .caller = &caller,
                              .reply = &reply,
                              .problem = &problem};
    be(ALICE, TOKEN_SCOPE_CHAT);
    assert_int_equal(create(BYTES_ABSENT, participants_of(&BOB, 1), &created), 0);
    thread_id = created.properties.id;
    apply();
    return 0;
}

static int teardown(void **state) {
    (void)state;
    gateway_fixture_close(&fixture);
    return 0;
}

/* ---- scopes ---- */

static int do_create(void) {
    struct created_thread created;
    return create(BYTES_ABSENT, participants_of(&BOB, 1), &created);
}

static int do_update(void) {
    struct update_thread_request request = {.topic = BYTES_LITERAL("new")};
    return chat_thread_update(&call, thread_id, &request);
}

static int do_delete(void) {
    return chat_thread_delete(&call, thread_id);
}

static int do_add(void) {
    struct resolved_participants resolved;
    struct participants participants = participants_of(&CAROL, 1);
    return chat_participants_add(&call, thread_id, &participants, &resolved);
}

static int do_remove(void) {
    return chat_participant_remove(&call, thread_id, BOB);
}

static int do_send(void) {
    return send_as(MESSAGE_TEXT, BYTES_LITERAL("x"), BYTES_LITERAL("scope"));
}

static int do_type(void) {
    return chat_typing_send(&call, thread_id, BYTES_LITERAL(""));
}

static void each_operation_needs_its_scope(void **state) {
    (void)state;
    static const unsigned all = TOKEN_SCOPE_CHAT | TOKEN_SCOPE_CHAT_JOIN | TOKEN_SCOPE_CHAT_JOIN_LIMITED;
    static const struct {
        int (*operation)(void);
        unsigned scopes; /* that allow it */
    } rows[] = {{do_create, TOKEN_SCOPE_CHAT},
                {do_update, TOKEN_SCOPE_CHAT},
                {do_delete, TOKEN_SCOPE_CHAT},
                {do_add, TOKEN_SCOPE_CHAT | TOKEN_SCOPE_CHAT_JOIN},
                {do_remove, TOKEN_SCOPE_CHAT | TOKEN_SCOPE_CHAT_JOIN},
                {do_send, all},
                {do_type, all}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (unsigned scope = TOKEN_SCOPE_CHAT; scope <= TOKEN_SCOPE_VOIP; scope <<= 1) {
            be(ALICE, scope);
            int rc = rows[i].operation();
            if ((scope & rows[i].scopes) != 0)
                assert_in_range(rc, 0, CHAT_CALL_SETTLED);
            else
                assert_int_equal(rc, STATUS_FORBIDDEN);
        }
    }
}

static void strangers_are_refused_before_the_log(void **state) {
    (void)state;
    int (*const operations[])(void) = {do_update, do_delete, do_add, do_remove, do_send, do_type};
    be(CAROL, TOKEN_SCOPE_CHAT);
    entry_free(fixture.proposed);
    fixture.proposed = NULL;
    for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
        assert_int_equal(operations[i](), STATUS_FORBIDDEN);
    assert_null(fixture.proposed);
    assert_int_equal(fixture.notices, 0);
}

static void a_thread_id_of_another_form_is_a_bad_request(void **state) {
    (void)state;
    thread_id = BYTES_LITERAL("19:no");
    assert_int_equal(do_send(), STATUS_BAD_REQUEST);
    assert_true(bytes_equal_text(problem.target, "chatThreadId"));
}

/* ---- creating and adding ---- */

static void unknown_and_foreign_participants_are_reported_and_left_out(void **state) {
    (void)state;
    const struct bytes given[] = {BOB,
                                  BYTES_LITERAL("8:acs:r_nobody"),
                                  BYTES_LITERAL("8:acs:other_x"),
                                  BYTES_LITERAL("28:bot"),
                                  BYTES_LITERAL("28:orgid:app"),
                                  BYTES_LITERAL("8:live:someone"),
                                  BYTES_LITERAL("8:someone"),
                                  BYTES_LITERAL("8:orgid:someone"),
                                  BYTES_LITERAL("8:teamsvisitor:v"),
                                  BYTES_LITERAL("4:+123")};
    static const struct {
        int rc;
        enum participant_refusal refusal;
    } invalid[] = {{STATUS_NOT_FOUND, REFUSAL_NONE},
                   {STATUS_FORBIDDEN, REFUSAL_OTHER_RESOURCE},
                   {STATUS_FORBIDDEN, REFUSAL_BOT},
                   {STATUS_FORBIDDEN, REFUSAL_BOT},
                   {STATUS_FORBIDDEN, REFUSAL_PERSONAL_ACCOUNT},
                   {STATUS_FORBIDDEN, REFUSAL_PERSONAL_ACCOUNT}};
    struct created_thread created;
    assert_int_equal(create(BYTES_ABSENT, participants_of(given, 10), &created), 0);
    assert_int_equal(created.participants.valid.count, 4);
    assert_int_equal(created.participants.invalid_count, 6);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(created.participants.invalid[i].rc, invalid[i].rc);
        assert_int_equal(created.participants.invalid[i].refusal, invalid[i].refusal);
        assert_true(bytes_equal(created.participants.invalid[i].user_id, given[1 + i]));
    }
    assert_int_equal(fixture.proposed->command.participants.count, 4);
}

static void a_repeated_creation_gives_the_same_thread(void **state) {
    (void)state;
    struct created_thread first, again, other, foreign;
    struct bytes id = BYTES_LITERAL("0d7d7a3e-0000-4000-8000-000000000000");
    assert_int_equal(create(id, participants_of(&BOB, 1), &first), 0);
    apply();
    assert_int_equal(create(id, participants_of(&CAROL, 1), &again), CHAT_CALL_SETTLED);
    assert_true(bytes_equal(first.properties.id, again.properties.id));
    assert_int_equal(again.properties.created_ms, fixture.store.outcome.result.time_ms);
    assert_int_equal(create(BYTES_LITERAL("another"), participants_of(&BOB, 1), &other), 0);
    assert_false(bytes_equal(first.properties.id, other.properties.id));
    be(BOB, TOKEN_SCOPE_CHAT);
    assert_int_equal(create(id, participants_of(&BOB, 1), &foreign), 0);
    assert_false(bytes_equal(first.properties.id, foreign.properties.id));
}

static void a_thread_has_room_for_its_creator_too(void **state) {
    (void)state;
    struct created_thread created;
    struct bytes ids[LIMIT_PARTICIPANTS_MAX];
    for (size_t i = 0; i < LIMIT_PARTICIPANTS_MAX; i++)
        ids[i] = arena_printf(&fixture.store.arena, "8:orgid:%zu", i);
    assert_int_equal(create(BYTES_ABSENT, participants_of(ids, LIMIT_PARTICIPANTS_MAX), &created),
                     STATUS_TOO_MANY_PARTICIPANTS);
    ids[0] = ALICE;
    assert_int_equal(create(BYTES_ABSENT, participants_of(ids, LIMIT_PARTICIPANTS_MAX), &created), 0);
}

static void adding_nobody_valid_changes_nothing(void **state) {
    (void)state;
    struct resolved_participants resolved;
    struct bytes nobody = BYTES_LITERAL("8:acs:r_nobody");
    struct participants participants = participants_of(&nobody, 1);
    assert_int_equal(chat_participants_add(&call, thread_id, &participants, &resolved), CHAT_CALL_SETTLED);
    assert_int_equal(resolved.invalid_count, 1);
}

/* ---- messages ---- */

static void a_repeated_send_is_settled_with_the_first_ids(void **state) {
    (void)state;
    struct bytes id = BYTES_LITERAL("m1");
    assert_int_equal(send_as(MESSAGE_TEXT, BYTES_LITERAL("x"), id), 0);
    apply();
    assert_int_equal(send_as(MESSAGE_TEXT, BYTES_LITERAL("y"), id), CHAT_CALL_SETTLED);
    assert_true(reply.result.is_duplicate);
    assert_int_equal(reply.result.message_id, fixture.store.outcome.result.message_id);
    assert_int_equal(reply.result.offset, 3);
    be(BOB, TOKEN_SCOPE_CHAT);
    assert_int_equal(send_as(MESSAGE_TEXT, BYTES_LITERAL("y"), id), 0);
}

static int leave(void) {
    return chat_participant_remove(&call, thread_id, ALICE);
}

/* Another node tries again what this one did, and did not live to answer. */
static void a_change_that_was_done_is_settled_when_its_operation_comes_again(void **state) {
    (void)state;
    int (*const operations[])(void) = {do_update, do_add, do_remove, leave, do_delete};
    fixture.store.now_ms = worker_wall_ms(); /* an operation is remembered for a while only */
    for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
        be(i < 4 ? ALICE : CAROL, TOKEN_SCOPE_CHAT);
        call.operation_id = arena_printf(&fixture.store.arena, "operation %zu", i);
        assert_int_equal(operations[i](), 0);
        apply();
        assert_int_equal(operations[i](), CHAT_CALL_SETTLED);
        assert_true(reply.result.is_duplicate);
        assert_int_equal(reply.result.offset, fixture.store.outcome.result.offset);
    }
}

static void html_is_sanitised_when_it_is_sent_and_when_it_is_edited(void **state) {
    (void)state;
    struct bytes evil = BYTES_LITERAL("<b>x</b><script>alert(1)</script>");
    assert_int_equal(send_as(MESSAGE_HTML, evil, BYTES_LITERAL("h")), 0);
    assert_true(bytes_equal_text(fixture.proposed->command.content, "<b>x</b>"));
    apply();
    struct update_message_request edit = {.content = evil};
    uint64_t id = fixture.store.outcome.result.message_id;
    assert_int_equal(chat_message_edit(&call, thread_id, id, &edit), 0);
    assert_true(bytes_equal_text(fixture.proposed->command.content, "<b>x</b>"));
}

static void text_stays_as_it_is(void **state) {
    (void)state;
    struct bytes text = BYTES_LITERAL("<script>");
    assert_int_equal(send_as(MESSAGE_TEXT, text, BYTES_LITERAL("t")), 0);
    assert_true(bytes_equal(fixture.proposed->command.content, text));
    apply();
    struct update_message_request edit = {.content = text};
    assert_int_equal(chat_message_edit(&call, thread_id, fixture.store.outcome.result.message_id, &edit), 0);
    assert_true(bytes_equal(fixture.proposed->command.content, text));
}

static void html_can_be_switched_off(void **state) {
    (void)state;
    fixture.config.html = false;
    assert_int_equal(send_as(MESSAGE_HTML, BYTES_LITERAL("x"), BYTES_LITERAL("h")), STATUS_VALIDATION_ERROR);
}

static void html_that_grows_beyond_the_bound_is_too_large(void **state) {
    (void)state;
    fixture.config.message_bytes_max = 20;
    assert_int_equal(send_as(MESSAGE_HTML, BYTES_LITERAL("&&&&&&&&&&"), BYTES_LITERAL("h")),
                     STATUS_REQUEST_ENTITY_TOO_LARGE);
}

static void a_message_of_another_is_neither_edited_nor_deleted(void **state) {
    (void)state;
    struct update_message_request edit = {.content = BYTES_LITERAL("mine")};
    assert_int_equal(do_send(), 0);
    apply();
    uint64_t id = fixture.store.outcome.result.message_id;
    be(BOB, TOKEN_SCOPE_CHAT);
    assert_int_equal(chat_message_edit(&call, thread_id, id, &edit), STATUS_FORBIDDEN);
    assert_int_equal(chat_message_delete(&call, thread_id, id), STATUS_FORBIDDEN);
    assert_int_equal(chat_message_delete(&call, thread_id, id + 1), STATUS_MESSAGE_NOT_FOUND);
}

/* ---- typing and receipts ---- */

static void typing_and_receipts_have_no_effect_in_larger_threads(void **state) {
    (void)state;
    assert_int_equal(do_send(), 0);
    apply();
    uint64_t id = fixture.store.outcome.result.message_id;
    assert_int_equal(do_type(), CHAT_CALL_SETTLED);
    assert_int_equal(fixture.notices, 1);
    assert_int_equal(chat_receipt_send(&call, thread_id, id), 0);
    fixture.config.feature_participants_max = 1;
    assert_int_equal(do_type(), CHAT_CALL_SETTLED);
    assert_int_equal(fixture.notices, 1);
    assert_int_equal(chat_receipt_send(&call, thread_id, id), CHAT_CALL_SETTLED);
}

/* ---- users of Teams ---- */

static void add(struct bytes user_id) {
    struct resolved_participants resolved;
    struct participants participants = participants_of(&user_id, 1);
    assert_int_equal(chat_participants_add(&call, thread_id, &participants, &resolved), 0);
    apply();
}

static void users_of_teams_do_not_count_for_typing_and_end_receipts(void **state) {
    static const struct {
        const char *user;
        bool is_typing_told;
        bool are_receipts_told;
    } rows[] = {{"8:acs:r_carol", false, false},
                {"4:+123", false, false},
                {"8:orgid:t", true, false},
                {"8:dod:t", true, false},
                {"8:gcch:t", true, false},
                {"8:teamsvisitor:t", true, false},
                {NULL, true, true}};
    (void)state;
    fixture.config.feature_participants_max = 2;
    assert_int_equal(do_send(), 0);
    apply();
    uint64_t id = fixture.store.outcome.result.message_id;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t before = fixture.notices;
        if (rows[i].user != NULL)
            add(bytes_of_text(rows[i].user));
        assert_int_equal(do_type(), CHAT_CALL_SETTLED);
        assert_int_equal(fixture.notices - before, rows[i].is_typing_told);
        assert_int_equal(chat_receipt_send(&call, thread_id, id), rows[i].are_receipts_told ? 0 : CHAT_CALL_SETTLED);
        if (rows[i].user == NULL)
            continue;
        assert_int_equal(chat_participant_remove(&call, thread_id, bytes_of_text(rows[i].user)), 0);
        apply();
    }
}

static void the_name_of_a_user_of_teams_who_types_is_blank(void **state) {
    (void)state;
    be(BOB, TOKEN_SCOPE_CHAT);
    assert_int_equal(chat_typing_send(&call, thread_id, BYTES_LITERAL("Bob")), CHAT_CALL_SETTLED);
    assert_true(bytes_equal_text(fixture.typing_name, "Bob"));
    add(BYTES_LITERAL("8:orgid:t"));
    be(BYTES_LITERAL("8:orgid:t"), TOKEN_SCOPE_CHAT);
    assert_int_equal(chat_typing_send(&call, thread_id, BYTES_LITERAL("Tea")), CHAT_CALL_SETTLED);
    assert_true(bytes_is_present(fixture.typing_name));
    assert_int_equal(fixture.typing_name.size, 0);
}

static void a_receipt_for_no_message_is_not_found(void **state) {
    (void)state;
    assert_int_equal(chat_receipt_send(&call, thread_id, 1), STATUS_MESSAGE_NOT_FOUND);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(each_operation_needs_its_scope),
        TEST(strangers_are_refused_before_the_log),
        TEST(a_thread_id_of_another_form_is_a_bad_request),
        TEST(unknown_and_foreign_participants_are_reported_and_left_out),
        TEST(a_repeated_creation_gives_the_same_thread),
        TEST(a_thread_has_room_for_its_creator_too),
        TEST(adding_nobody_valid_changes_nothing),
        TEST(a_repeated_send_is_settled_with_the_first_ids),
        TEST(a_change_that_was_done_is_settled_when_its_operation_comes_again),
        TEST(html_is_sanitised_when_it_is_sent_and_when_it_is_edited),
        TEST(text_stays_as_it_is),
        TEST(html_can_be_switched_off),
        TEST(html_that_grows_beyond_the_bound_is_too_large),
        TEST(a_message_of_another_is_neither_edited_nor_deleted),
        TEST(typing_and_receipts_have_no_effect_in_larger_threads),
        TEST(users_of_teams_do_not_count_for_typing_and_end_receipts),
        TEST(the_name_of_a_user_of_teams_who_types_is_blank),
        TEST(a_receipt_for_no_message_is_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
