/* Places and times that one range gives out and takes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/core/range.h"

static struct range range_of(uint64_t epoch, uint64_t applied) {
    struct range_marks marks = {.epoch = epoch, .applied = applied};
    struct range range;
    range_init(&range, 5, &marks);
    return range;
}

static void a_range_that_never_wrote_begins_with_epoch_and_index_one(void **state) {
    struct range range = range_of(0, 0);
    struct entry entry = {.origin = ENTRY_OF_CLIENT};
    (void)state;
    range_place(&range, &entry);
    assert_int_equal(entry.place.range, 5);
    assert_int_equal(entry.place.epoch, 1);
    assert_int_equal(entry.place.index, 1);
    assert_true(range_commits_alone(&range));
    range.copies = 1;
    assert_false(range_commits_alone(&range));
}

static void places_go_on_where_the_marks_say(void **state) {
    struct range range = range_of(3, 41);
    struct entry entries[3] = {{.origin = ENTRY_OF_CLIENT}};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        range_place(&range, &entries[i]);
        assert_int_equal(entries[i].place.epoch, 3);
        assert_int_equal(entries[i].place.index, 42 + i);
    }
    for (size_t i = 0; i < 3; i++) {
        range_applied(&range, &entries[i]);
        assert_int_equal(range.applied, 42 + i);
    }
}

static void times_never_fall(void **state) {
    static const struct {
        int64_t now_ms, expected_ms;
    } clock[] = {{100, 100}, {100, 100}, {99, 100}, {-5, 100}, {101, 101}, {50, 101}, {INT64_MAX, INT64_MAX}};
    struct range range = range_of(1, 0);
    struct entry entry = {.origin = ENTRY_OF_CLIENT};
    (void)state;
    for (size_t i = 0; i < sizeof(clock) / sizeof(clock[0]); i++) {
        range_stamp(&range, &entry, clock[i].now_ms);
        assert_true(entry.command.time_ms == clock[i].expected_ms);
    }
}

static void places_that_are_taken_back_are_given_again_in_either_order(void **state) {
    (void)state;
    for (int is_oldest_first = 0; is_oldest_first < 2; is_oldest_first++) {
        struct range range = range_of(1, 10);
        struct entry entries[4] = {{.origin = ENTRY_OF_CLIENT}};
        for (size_t i = 0; i < 4; i++)
            range_place(&range, &entries[i]);
        range_applied(&range, &entries[0]);
        for (size_t i = 1; i < 4; i++)
            range_take_back(&range, &entries[is_oldest_first ? i : 4 - i]);
        range_place(&range, &entries[1]);
        assert_int_equal(entries[1].place.index, 12);
        range_applied(&range, &entries[1]);
    }
}

static void durabilities_have_names(void **state) {
    (void)state;
    assert_string_equal(durability_name(0), "disk");
    assert_string_equal(durability_name(1), "disk+1");
    assert_string_equal(durability_name(2), "disk+2");
    assert_string_equal(durability_name(9), "disk+2");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_range_that_never_wrote_begins_with_epoch_and_index_one),
        cmocka_unit_test(places_go_on_where_the_marks_say),
        cmocka_unit_test(times_never_fall),
        cmocka_unit_test(places_that_are_taken_back_are_given_again_in_either_order),
        cmocka_unit_test(durabilities_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
