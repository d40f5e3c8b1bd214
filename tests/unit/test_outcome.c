/* What an apply leads to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/store_fixture.h"

static struct fixture fixture;

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

static void changes_are_told_in_the_order_they_happened(void **state) {
    struct outcome outcome = {0};
    struct change change = {.kind = CHANGE_MESSAGE_RECEIVED};
    (void)state;
    for (change.offset = 1; change.offset <= 5; change.offset++)
        outcome_add_change(&outcome, &fixture.arena, &change);
    change.offset = 0;
    uint64_t expected = 1;
    for (struct outcome_change *told = outcome.changes; told != NULL; told = told->next)
        assert_int_equal(told->change.offset, expected++);
    assert_int_equal(expected, 6);
}

static bool count(void *context, const struct id_hash *subject, uint64_t number, const struct outbox_row *row) {
    size_t *found = context;
    assert_int_equal(subject->bytes[0], 7);
    assert_int_equal(number, 10 + *found);
    assert_int_equal(row->offset, 20 + *found);
    (*found)++;
    return true;
}

static void a_follow_up_is_in_the_outbox_as_well(void **state) {
    struct outcome outcome = {0};
    struct store_transaction *transaction = NULL;
    struct id_hash subject = {{7}};
    size_t found = 0;
    (void)state;
    check(store_begin_write(fixture.store, &transaction) == STATUS_OK);
    struct apply_context context = fixture_context(&fixture, transaction);
    for (uint64_t i = 0; i < 3; i++) {
        struct outbox_row row = {.thread_id = BYTES_LITERAL("19:t@thread.v2"), .offset = 20 + i};
        assert_int_equal(outcome_add_follow_up(&outcome, &context, &subject, 10 + i, &row), STATUS_OK);
    }
    uint64_t expected = 10;
    for (struct outcome_follow_up *told = outcome.follow_ups; told != NULL; told = told->next)
        assert_int_equal(told->number, expected++);
    assert_int_equal(expected, 13);
    assert_int_equal(outbox_visit(transaction, &fixture.master, &fixture.arena, count, &found), STATUS_OK);
    assert_int_equal(found, 3);
    store_abort(transaction);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(changes_are_told_in_the_order_they_happened, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_follow_up_is_in_the_outbox_as_well, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
