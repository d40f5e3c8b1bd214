#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>

#include "proto/problem.h"
#include "tests/lib/arena_fixture.h"

static void a_problem_says_field_limit_and_value(void **state) {
    struct problem problem;
    int rc =
        problem_set(&problem, *state, STATUS_VALIDATION_ERROR, "topic", "topic is %d bytes; the limit is %d.", 7, 5);
    assert_int_equal(rc, STATUS_VALIDATION_ERROR);
    assert_int_equal(problem.rc, STATUS_VALIDATION_ERROR);
    assert_true(
        bytes_equal_text(problem_body(*state, &problem),
                         "{\"error\":{\"code\":\"ValidationError\",\"message\":\"topic is 7 bytes; the limit is "
                         "5.\",\"target\":\"topic\"}}"));
}

static void a_problem_without_words_says_the_sentence_of_its_status(void **state) {
    struct problem problem = {.rc = STATUS_THREAD_NOT_FOUND};
    assert_true(
        bytes_equal_text(problem_body(*state, &problem),
                         "{\"error\":{\"code\":\"NotFound\",\"message\":\"The specified thread id was not found.\"}}"));
}

static void a_problem_without_target_has_no_target(void **state) {
    struct problem problem;
    problem_set(&problem, *state, STATUS_BAD_REQUEST, NULL, "No.");
    assert_false(bytes_is_present(problem.target));
    assert_true(
        bytes_equal_text(problem_body(*state, &problem), "{\"error\":{\"code\":\"BadRequest\",\"message\":\"No.\"}}"));
}

static void whatever_is_quoted_the_body_is_json(void **state) {
    const struct {
        struct bytes quoted;
        const char *read_back;
    } rows[] = {
        {BYTES_LITERAL("\"\\/\b\n\x7f"), "\"\\/\b\n\x7f"},
        {BYTES_LITERAL("\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"), "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
        {BYTES_LITERAL("cut \xe2\x82"), "cut \xef\xbf\xbd\xef\xbf\xbd"},
        {BYTES_LITERAL("\x80\xff"), "\xef\xbf\xbd\xef\xbf\xbd"},
        {BYTES_LITERAL("\xc0\xaf"), "\xef\xbf\xbd\xef\xbf\xbd"},
        {BYTES_LITERAL("\xed\xa0\x80"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {BYTES_LITERAL("\xf4\x90\x80\x80"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct problem problem;
        problem_set(&problem, *state, STATUS_BAD_REQUEST, NULL, "%.*s", BYTES_ARG(rows[i].quoted));
        struct bytes body = problem_body(*state, &problem);
        json_t *json = json_loadb((const char *)body.data, body.size, 0, NULL);
        assert_non_null(json);
        assert_string_equal(json_string_value(json_object_get(json_object_get(json, "error"), "message")),
                            rows[i].read_back);
        json_decref(json);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_problem_says_field_limit_and_value, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(a_problem_without_words_says_the_sentence_of_its_status, open_arena,
                                        close_arena),
        cmocka_unit_test_setup_teardown(a_problem_without_target_has_no_target, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(whatever_is_quoted_the_body_is_json, open_arena, close_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
