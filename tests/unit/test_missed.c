/* What was missed of a thread, on its way between nodes. What is read for it stands in test_looking.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/gateway/missed.h"
#include "proto/status.h"
#include "tests/lib/arena_fixture.h"

static int there_and_back(const struct missed *missed, struct missed *back) {
    struct buffer encoded;
    buffer_init(&encoded);
    missed_encode(missed, &encoded);
    int rc = missed_decode(arena_copy(&test_arena, buffer_bytes(&encoded)), &test_arena, back);
    buffer_close(&encoded);
    return rc;
}

static void what_was_missed_comes_out_as_it_went_in(void **state) {
    struct missed_change changes[] = {{BYTES_LITERAL("one")}, {BYTES_LITERAL("two")}};
    struct missed missed = {.thread_id = BYTES_LITERAL("19:t"),
                            .changes = changes,
                            .changes_count = 2,
                            .is_complete = true,
                            .newest = UINT64_MAX,
                            .is_active = true,
                            .is_deleted = true,
                            .copies = 2,
                            .receipts = BYTES_LITERAL("receipts")};
    struct missed back;
    (void)state;
    assert_int_equal(there_and_back(&missed, &back), STATUS_OK);
    assert_int_equal(back.rc, STATUS_OK);
    assert_true(bytes_equal_text(back.thread_id, "19:t"));
    assert_int_equal(back.changes_count, 2);
    assert_true(bytes_equal_text(back.changes[0].encoded, "one"));
    assert_true(bytes_equal_text(back.changes[1].encoded, "two"));
    assert_true(back.is_complete && back.is_active && back.is_deleted);
    assert_true(back.newest == UINT64_MAX);
    assert_int_equal(back.copies, 2);
    assert_true(bytes_equal_text(back.receipts, "receipts"));
}

static void a_refusal_says_why_and_no_more(void **state) {
    struct missed missed = {.rc = STATUS_FORBIDDEN};
    struct missed back;
    (void)state;
    assert_int_equal(there_and_back(&missed, &back), STATUS_OK);
    assert_int_equal(back.rc, STATUS_FORBIDDEN);
    assert_int_equal(back.changes_count, 0);
    assert_false(bytes_is_present(back.receipts));
}

static void what_cannot_be_told_is_refused(void **state) {
    const struct missed cases[] = {
        {.rc = STATUS_OK},                          /* of no thread */
        {.rc = 1, .thread_id = BYTES_LITERAL("t")}, /* neither done nor refused */
        {.rc = INT64_MIN},
        {.rc = (int64_t)INT32_MIN - 1},
    };
    struct missed back;
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(there_and_back(&cases[i], &back), STATUS_MALFORMED);
    assert_int_equal(missed_decode(BYTES_LITERAL("\xc1"), &test_arena, &back), STATUS_MALFORMED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_missed_comes_out_as_it_went_in, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(a_refusal_says_why_and_no_more, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(what_cannot_be_told_is_refused, open_arena, close_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
