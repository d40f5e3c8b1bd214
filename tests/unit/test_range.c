/* The entries of one range on their way: placed, given to be appended and applied, popped, cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "node/core/range.h"

#define SELF 7

static struct action_list actions;
static struct arena arena;
static struct range range;

/* Alone, or with a backup that has not answered yet. */
static void range_begin(uint64_t epoch, uint64_t applied) {
    struct range_marks marks = {.epoch = epoch, .applied = applied};
    struct replication_step step = {.actions = &actions, .arena = &arena};
    struct range_record record = {.range = 5, .epoch = epoch, .primary = SELF, .in_sync = {SELF}, .in_sync_count = 1};
    memset(&range, 0, sizeof(range));
    window_init(&range.replication.window, applied, epoch);
    range_init(&range, 5, SELF, true, &marks, false, 0);
    replication_on_record(&range.replication, &step, &record, 1);
    replication_commit(&range.replication);
    actions.count = 0;
}

static struct entry *placed(int64_t now_ms) {
    struct entry *entry = entry_new(ENTRY_OF_CLIENT);
    entry->command.kind = COMMAND_MESSAGE_SEND;
    range_place(&range, entry, now_ms);
    return entry;
}

static void durable(uint64_t index) {
    struct replication_step step = {.actions = &actions, .arena = &arena};
    replication_on_durable(&range.replication, &step, index);
    replication_commit(&range.replication);
}

static int tear_down(void **state) {
    (void)state;
    range_close(&range);
    return 0;
}

static void places_go_on_where_the_marks_say(void **state) {
    (void)state;
    range_begin(3, 41);
    for (uint64_t i = 0; i < 3; i++) {
        struct entry *entry = placed(0);
        assert_int_equal(entry->place.range, 5);
        assert_int_equal(entry->place.epoch, 3);
        assert_int_equal(entry->place.index, 42 + i);
    }
    assert_int_equal(range_work(&range), 3);
}

static void times_never_fall(void **state) {
    static const struct {
        int64_t now_ms, expected_ms;
    } clock[] = {{100, 100}, {100, 100}, {99, 100}, {-5, 100}, {101, 101}, {50, 101}, {INT64_MAX, INT64_MAX}};
    (void)state;
    range_begin(1, 0);
    for (size_t i = 0; i < sizeof(clock) / sizeof(clock[0]); i++)
        assert_true(placed(clock[i].now_ms)->command.time_ms == clock[i].expected_ms);
}

static void an_entry_is_applied_only_when_it_is_durable(void **state) {
    (void)state;
    range_begin(1, 10);
    struct entry *first = placed(0);
    struct entry *second = placed(0);
    assert_true(range_commits_alone(&range));
    assert_ptr_equal(range_next_append(&range), first);
    range.append_given = 12;
    assert_null(range_next_append(&range));
    assert_null(range_next_apply(&range));
    durable(11);
    assert_ptr_equal(range_next_apply(&range), first);
    range.apply_given = 11;
    assert_null(range_next_apply(&range));
    assert_ptr_equal(range_pop(&range), first);
    entry_free(first);
    durable(12);
    assert_ptr_equal(range_next_apply(&range), second);
    assert_int_equal(range_work(&range), 1);
}

static void what_is_cut_comes_newest_first_and_its_places_are_given_again(void **state) {
    (void)state;
    range_begin(1, 10);
    struct entry *entries[4];
    for (size_t i = 0; i < 4; i++)
        entries[i] = placed(0);
    range.append_given = 14;
    durable(12);
    struct replication_step step = {.actions = &actions, .arena = &arena};
    replication_on_refused(&range.replication, &step);
    struct entry *cut = range_cut(&range, 13);
    assert_ptr_equal(cut, entries[3]);
    assert_ptr_equal(cut->next, entries[2]);
    assert_null(cut->next->next);
    assert_int_equal(range.append_given, 12);
    assert_int_equal(placed(0)->place.index, 13);
    entry_free(entries[2]);
    entry_free(entries[3]);
}

static void durabilities_have_names(void **state) {
    (void)state;
    assert_string_equal(durability_name(0), "disk");
    assert_string_equal(durability_name(1), "disk+1");
    assert_string_equal(durability_name(2), "disk+2");
    assert_string_equal(durability_name(4), "disk+4");
    assert_string_equal(durability_name(9), "disk+6");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(places_go_on_where_the_marks_say, tear_down),
        cmocka_unit_test_teardown(times_never_fall, tear_down),
        cmocka_unit_test_teardown(an_entry_is_applied_only_when_it_is_durable, tear_down),
        cmocka_unit_test_teardown(what_is_cut_comes_newest_first_and_its_places_are_given_again, tear_down),
        cmocka_unit_test(durabilities_have_names),
    };
    arena_init(&arena);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_close(&arena);
    action_list_close(&actions);
    return failed;
}
