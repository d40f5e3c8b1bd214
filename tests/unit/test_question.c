/* Questions between nodes and the facts that answer them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/question.h"
#include "proto/status.h"

static struct arena arena;

static int open_arena(void **state) {
    (void)state;
    arena_init(&arena);
    return 0;
}

static int close_arena(void **state) {
    (void)state;
    arena_close(&arena);
    return 0;
}

static int question_there_and_back(const struct question *question, struct question *back) {
    struct buffer encoded;
    buffer_init(&encoded);
    question_encode(question, &encoded);
    int rc = question_decode(arena_copy(&arena, buffer_bytes(&encoded)), &arena, back);
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

static void questions_about_nothing_or_too_much_are_refused(void **state) {
    (void)state;
    struct question_subject subjects[QUESTION_SUBJECTS_MAX + 1] = {{{{0}}}};
    const struct question questions[] = {
        {.kind = 0, .call = BYTES_LITERAL("call")},
        {.kind = QUESTION_CALL},
        {.kind = QUESTION_USERS},
        {.kind = QUESTION_THREADS, .call = BYTES_LITERAL("call")},
        {.kind = QUESTION_THREADS, .subjects = subjects, .subjects_count = QUESTION_SUBJECTS_MAX + 1},
        {.kind = QUESTION_THREADS + 1, .subjects = subjects, .subjects_count = 1},
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
    assert_int_equal(facts_decode(buffer_bytes(&encoded), &arena, &back), 0);
    assert_int_equal(back.count, 3);
    assert_true(back.items[0].is_there);
    assert_int_equal(back.items[0].valid_from_s, 5);
    assert_false(back.items[1].is_there);
    assert_true(bytes_equal_text(back.items[2].topic, "t"));
    assert_int_equal(back.items[2].last_message_ms, 1700000000000);
    buffer_close(&encoded);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(questions_come_out_as_they_went_in, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(questions_about_nothing_or_too_much_are_refused, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(facts_come_out_as_they_went_in, open_arena, close_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
