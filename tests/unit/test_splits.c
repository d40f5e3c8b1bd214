/* What a replica makes of a range that was split elsewhere. The disk does what the test says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/core/node_core.h"
#include "proto/status.h"

#define SELF 5
#define PRIMARY 2
#define LAST 5 /* index of what is on disk, where there is something */

static struct node_core *core;
static struct action_list actions;
static int64_t mono_ms;
static struct batch *written;
static struct packet answer; /* the last APPENDED about range 0 */

static const struct bounds whole = {0, UINT64_MAX};
static const struct bounds lower = {0, UINT64_MAX / 2};
static const struct bounds upper = {UINT64_MAX / 2 + 1, UINT64_MAX};

static void step(struct event event) {
    event.now_ms = mono_ms;
    event.mono_ms = mono_ms;
    node_core_step(core, &event, &actions);
    for (size_t i = 0; i < actions.count; i++) {
        const struct action *action = &actions.items[i];
        if (action->kind == ACTION_WRITE)
            written = action->batch;
        if (action->kind == ACTION_SEND && action->packet->kind == PACKET_APPENDED && action->packet->range == 0)
            answer = *action->packet;
    }
    actions.count = 0;
    node_core_done(core);
}

static void batch_done(void) {
    struct batch *batch = written;
    assert_non_null(batch);
    written = NULL;
    step((struct event){.kind = EVENT_BATCH_DONE, .batch = batch});
}

static void record_tell(const struct range_record *record, uint64_t version) {
    step((struct event){.kind = EVENT_RECORD, .range = record->range, .record = record, .version = version});
}

static struct range_record record_of(uint32_t range, struct bounds bounds, uint64_t epoch) {
    return (struct range_record){.range = range,
                                 .bounds = bounds,
                                 .epoch = epoch,
                                 .primary = PRIMARY,
                                 .in_sync = {PRIMARY, SELF},
                                 .in_sync_count = 2};
}

/* One range; `last` entries of it are here and applied. */
static void start(uint64_t last) {
    struct node_core_options options = {.range_count = 1,
                                        .ranges_max = 2,
                                        .start = 1,
                                        .self = SELF,
                                        .replication_factor = 2,
                                        .min_in_sync = 1,
                                        .queue_max = 100};
    struct start_range ranges[1] = {
        {.marks = {.epoch = last > 0, .applied = last}, .base_index = last, .base_epoch = last > 0}};
    mono_ms = 1000;
    written = NULL;
    core = node_core_new(&options);
    step((struct event){.kind = EVENT_START, .ranges = ranges, .ranges_count = 1});
}

static int tear_down(void **state) {
    (void)state;
    node_core_free(core);
    action_list_close(&actions);
    return 0;
}

/* Behind entry LAST. Who is named where says the caller. */
static void split(const struct range_record *old, const struct range_record *new) {
    struct range_record child = *new;
    child.has_parent = true;
    child.parent_index = LAST;
    child.parent_epoch = 1;
    child.parent_next = 3;
    record_tell(old, 10);
    record_tell(&child, 11);
}

static void heartbeat_come(void) {
    struct packet packet = {.kind = PACKET_APPEND, .epoch = 3};
    answer = (struct packet){0};
    step((struct event){.kind = EVENT_PACKET, .from = PRIMARY, .packet = &packet});
}

static void append_come(uint64_t previous, uint8_t first_byte_of_subject) {
    struct command command = {.kind = COMMAND_USER_CREATE, .subject = {{first_byte_of_subject}}};
    struct buffer encoded;
    buffer_init(&encoded);
    command_encode(&command, &encoded);
    struct packet_entry entry = {.epoch = 1, .command = buffer_bytes(&encoded)};
    struct packet packet = {.kind = PACKET_APPEND,
                            .epoch = 3,
                            .previous_index = previous,
                            .previous_epoch = previous > 0,
                            .entries = &entry,
                            .entries_count = 1};
    step((struct event){.kind = EVENT_PACKET, .from = PRIMARY, .packet = &packet});
    buffer_close(&encoded);
}

static void who_has_all_that_it_was_split_behind_has_both(void **state) {
    (void)state;
    start(LAST);
    struct range_record before = record_of(0, whole, 2);
    record_tell(&before, 9);
    struct range_record old = record_of(0, lower, 3), new = record_of(1, upper, 1);
    split(&old, &new);
    assert_non_null(written);
    assert_int_equal(written->births_count, 1);
    const struct batch_birth birth = written->births[0];
    assert_true(birth.has_child && !birth.is_parent_void && !birth.child_marks.is_incomplete);
    assert_true(bounds_equal(&birth.parent_bounds, &lower) && bounds_equal(&birth.child_bounds, &upper));
    assert_int_equal(birth.child_marks.applied, LAST);
    batch_done();
    assert_int_equal(node_core_range_status(core, 1).last_index, LAST);
    assert_false(node_core_range_status(core, 1).is_empty);
    assert_null(written);
}

static void who_has_nothing_of_it_has_nothing_of_either(void **state) {
    (void)state;
    start(0);
    struct range_record old = record_of(0, lower, 3), new = record_of(1, upper, 1);
    split(&old, &new);
    assert_non_null(written);
    assert_int_equal(written->births_count, 1);
    assert_false(written->births[0].has_child);
    assert_true(bounds_equal(&written->births[0].parent_bounds, &lower));
    batch_done();
    assert_true(node_core_range_status(core, 1).is_empty);
}

/* What it was before the split speaks of both halves. Rows of the upper one would be there for ever. And if a
 * heartbeat were taken as though the log were enough, the primary would send all of it again, and again. */
static void who_begins_anew_takes_no_entries_of_the_other_half(void **state) {
    (void)state;
    start(0);
    struct range_record old = record_of(0, lower, 3), new = record_of(1, upper, 1);
    split(&old, &new);
    assert_non_null(written); /* the new bounds are on their way to the disk */
    append_come(0, 0xc0);
    assert_true(answer.is_refused && answer.needs_rows);
    assert_int_equal(node_core_range_status(core, 0).last_index, 0);
    batch_done();
    append_come(0, 0xc0);
    assert_true(answer.is_refused && answer.needs_rows);
    heartbeat_come();
    assert_true(answer.is_refused && answer.needs_rows);
    assert_null(written);
}

static void tick(void) {
    mono_ms += CORE_TICK_MS;
    step((struct event){.kind = EVENT_TICK});
}

/* The news of the upper half may come later, or after a crash: until then the disk must know that its rows are here. */
static void what_is_dropped_goes_whole_also_when_it_is_split_meanwhile(void **state) {
    (void)state;
    start(LAST);
    struct range_record before = record_of(0, whole, 2), old = record_of(0, lower, 3);
    before.in_sync[1] = old.in_sync[1] = 4; /* not this node */
    record_tell(&before, 9);
    tick();
    tick();
    for (int i = 0; i < 3; i++) {
        assert_non_null(written);
        assert_int_equal(written->takings_count, 1);
        assert_true(bounds_equal(&written->takings[0].bounds, &whole));
        record_tell(&old, 10);
        batch_done();
        tick();
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(who_has_all_that_it_was_split_behind_has_both, tear_down),
        cmocka_unit_test_teardown(who_has_nothing_of_it_has_nothing_of_either, tear_down),
        cmocka_unit_test_teardown(what_is_dropped_goes_whole_also_when_it_is_split_meanwhile, tear_down),
        cmocka_unit_test_teardown(who_begins_anew_takes_no_entries_of_the_other_half, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
