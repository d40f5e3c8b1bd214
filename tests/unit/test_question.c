/* Questions between nodes and the facts that answer them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/question.h"
#include "proto/status.h"
#include "tests/lib/arena_fixture.h"

static int question_there_and_back(const struct question *question, struct question *back) {
    struct buffer encoded;
    buffer_init(&encoded);
    question_encode(question, &encoded);
    int rc = question_decode(arena_copy(&test_arena, buffer_bytes(&encoded)), &test_arena, back);
    buffer_close(&encoded);
    return rc;
}

static void questions_come_out_as_they_went_in(void **state) {
    (void)state;
    struct question_subject subjects[QUESTION_SUBJECTS_MAX];
    struct question back;
    memset(subjects, 7, sizeof(subjects));
    struct question call = {.kind = QUESTION_CALL, .left_ms = 9000, .call = BYTES_LITERAL("call")};
    assert_int_equal(question_there_and_back(&call, &back), 0);
    assert_int_equal(back.kind, QUESTION_CALL);
    assert_int_equal(back.left_ms, 9000);
    assert_true(bytes_equal_text(back.call, "call"));
    struct question users = {.kind = QUESTION_USERS, .subjects = subjects, .subjects_count = QUESTION_SUBJECTS_MAX};
    assert_int_equal(question_there_and_back(&users, &back), 0);
    assert_int_equal(back.kind, QUESTION_USERS);
    assert_int_equal(back.subjects_count, QUESTION_SUBJECTS_MAX);
    assert_memory_equal(back.subjects, subjects, sizeof(subjects));
}

static void questions_about_one_user_come_out_as_they_went_in(void **state) {
    (void)state;
    struct question_subject subjects[2] = {{{{1}}}, {{{2}}}};
    const struct question questions[] = {
        {.kind = QUESTION_VIEWS, .user_id = BYTES_LITERAL("u"), .subjects = subjects, .subjects_count = 2},
        {.kind = QUESTION_MEMBERSHIPS, .subjects = subjects, .subjects_count = 1},
        {.kind = QUESTION_TRACE_MEMORY, .subjects = subjects, .subjects_count = 1, .call = BYTES_LITERAL("request")},
        {.kind = QUESTION_MISSED,
         .user_id = BYTES_LITERAL("u"),
         .from_offset = UINT64_MAX,
         .subjects = subjects,
         .subjects_count = 1},
    };
    struct question back;
    for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
        assert_int_equal(question_there_and_back(&questions[i], &back), 0);
        assert_int_equal(back.kind, questions[i].kind);
        assert_int_equal(back.subjects_count, questions[i].subjects_count);
        assert_memory_equal(back.subjects, subjects, back.subjects_count * sizeof(subjects[0]));
        assert_true(back.from_offset == questions[i].from_offset);
        assert_true(bytes_equal(back.user_id, questions[i].user_id));
    }
}

static void questions_about_nothing_or_too_much_are_refused(void **state) {
    (void)state;
    struct question_subject subjects[QUESTION_SUBJECTS_MAX + 1] = {{{{0}}}};
    const struct question questions[] = {
        {.kind = 0, .call = BYTES_LITERAL("call")},
        {.kind = QUESTION_CALL},
        {.kind = QUESTION_USERS},
        {.kind = QUESTION_THREADS, .call = BYTES_LITERAL("call")},
        {.kind = QUESTION_THREADS, .subjects = subjects, .subjects_count = QUESTION_SUBJECTS_MAX + 1},
        {.kind = QUESTION_VIEWS, .subjects = subjects, .subjects_count = 1}, /* of nobody */
        {.kind = QUESTION_MISSED, .subjects = subjects, .subjects_count = 1},
        {.kind = QUESTION_MISSED, .user_id = BYTES_LITERAL("u"), .subjects = subjects, .subjects_count = 2},
        {.kind = QUESTION_MEMBERSHIPS, .subjects = subjects, .subjects_count = 2},
        {.kind = QUESTION_TRACE_SUBJECT, .subjects = subjects, .subjects_count = 1},
        {.kind = QUESTION_TRACE_MEMORY, .subjects = subjects, .subjects_count = 2, .call = BYTES_LITERAL("request")},
        {.kind = QUESTION_MISSED + 1, .user_id = BYTES_LITERAL("u"), .subjects = subjects, .subjects_count = 1},
    };
    struct question back;
    for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++)
        assert_int_equal(question_there_and_back(&questions[i], &back), STATUS_MALFORMED);
}

static void facts_come_out_as_they_went_in(void **state) {
    (void)state;
    struct fact items[] = {{.is_there = true, .valid_from_s = 5},
                           {.is_there = false},
                           {.is_there = true, .topic = BYTES_LITERAL("t"), .last_message_ms = 1700000000000}};
    struct fact_list facts = {items, 3};
    struct fact_list back;
    struct buffer encoded;
    buffer_init(&encoded);
    facts_encode(&facts, &encoded);
    assert_int_equal(facts_decode(buffer_bytes(&encoded), &test_arena, &back), 0);
    assert_int_equal(back.count, 3);
    assert_true(back.items[0].is_there);
    assert_int_equal(back.items[0].valid_from_s, 5);
    assert_false(back.items[1].is_there);
    assert_true(bytes_equal_text(back.items[2].topic, "t"));
    assert_int_equal(back.items[2].last_message_ms, 1700000000000);
    buffer_close(&encoded);
}

static void joined_threads_come_out_as_they_went_in(void **state) {
    (void)state;
    struct joined_thread threads[] = {{.thread = {{1}}, .offset = 0}, {.thread = {{2}}, .offset = UINT64_MAX}};
    struct joined_threads joined = {.is_there = true, .valid_from_s = 5};
    struct joined_threads back;
    struct buffer items, encoded;
    buffer_init(&items);
    buffer_init(&encoded);
    for (size_t i = 0; i < 2; i++)
        joined_thread_add(&items, &threads[i]);
    joined.items = buffer_bytes(&items);
    joined_threads_encode(&joined, &encoded);
    assert_int_equal(joined_threads_decode(buffer_bytes(&encoded), &test_arena, &back), 0);
    assert_true(back.is_there);
    assert_int_equal(back.valid_from_s, 5);
    assert_int_equal(joined_threads_count(&back), 2);
    for (size_t i = 0; i < 2; i++) {
        struct joined_thread item = joined_threads_at(&back, i);
        assert_true(id_hash_equal(&item.thread, &threads[i].thread));
        assert_true(item.offset == threads[i].offset);
    }
    buffer_close(&items);
    buffer_close(&encoded);
}

static void joined_threads_that_end_in_the_middle_of_one_are_refused(void **state) {
    (void)state;
    struct joined_threads joined = {.is_there = true, .items = BYTES_LITERAL("a thread without an offset")};
    struct joined_threads back;
    struct buffer encoded;
    buffer_init(&encoded);
    joined_threads_encode(&joined, &encoded);
    assert_int_equal(joined_threads_decode(buffer_bytes(&encoded), &test_arena, &back), STATUS_MALFORMED);
    buffer_close(&encoded);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(questions_come_out_as_they_went_in, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(questions_about_nothing_or_too_much_are_refused, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(questions_about_one_user_come_out_as_they_went_in, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(facts_come_out_as_they_went_in, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(joined_threads_come_out_as_they_went_in, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(joined_threads_that_end_in_the_middle_of_one_are_refused, open_arena,
                                        close_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
