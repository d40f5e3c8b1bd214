/* The core of a node whose ranges come and go: copies that are dropped, some rows with each tick, and ranges that it
 * gives away. The disk does what the test says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "node/core/node_core.h"
#include "proto/limits.h"
#include "proto/status.h"

#define RANGES 6
#define SELF 5
#define PRIMARY 2
#define LAST 5 /* index of what is on disk */
#define HAND_OVERS_MAX 4

static struct node_core *core;
static struct action_list actions;
static int64_t mono_ms;
static struct batch *written;
static size_t swaps_count;
static struct range_record wanted[RANGES];
static struct packet answer;              /* the last APPENDED */
static uint64_t told[RANGE_REPLICAS_MAX]; /* whom a RECORD went to */
static size_t told_count;
static struct range_record told_record; /* of the last one */
static uint32_t told_held_ms;
static size_t appends_to_heir;
static struct packet heir_told; /* the last APPEND to PRIMARY */

static void action_perform(const struct action *action) {
    if (action->kind == ACTION_WRITE) {
        written = action->batch;
    } else if (action->kind == ACTION_SWAP) {
        wanted[action->record.range] = action->record;
        swaps_count++;
    } else if (action->kind == ACTION_SEND && action->packet->kind == PACKET_APPENDED) {
        answer = *action->packet;
    } else if (action->kind == ACTION_SEND && action->packet->kind == PACKET_APPEND && action->to == PRIMARY) {
        heir_told = *action->packet;
        appends_to_heir++;
    } else if (action->kind == ACTION_SEND && action->packet->kind == PACKET_RECORD) {
        assert_int_equal(action->packet->version, 40);
        assert_int_equal(range_record_decode(action->packet->record, &told_record), STATUS_OK);
        told_held_ms = action->packet->held_ms;
        told[told_count++] = action->to;
    }
}

static void step(struct event event) {
    event.now_ms = mono_ms;
    event.mono_ms = mono_ms;
    node_core_step(core, &event, &actions);
    for (size_t i = 0; i < actions.count; i++)
        action_perform(&actions.items[i]);
    actions.count = 0;
    node_core_done(core);
}

static void tick(void) {
    mono_ms += CORE_TICK_MS;
    step((struct event){.kind = EVENT_TICK});
}

static void batch_done(int rc, bool is_wiped) {
    struct batch *batch = written;
    assert_non_null(batch);
    written = NULL;
    batch->rc = rc;
    for (size_t i = 0; i < batch->takings_count; i++)
        batch->takings[i].is_done = is_wiped;
    step((struct event){.kind = EVENT_BATCH_DONE, .batch = batch});
}

static struct range_record record_of(uint32_t range, uint64_t third) {
    return (struct range_record){.range = range,
                                 .epoch = 2,
                                 .primary = PRIMARY,
                                 .in_sync = {PRIMARY, 4, third},
                                 .in_sync_count = third == 0 ? 2 : 3};
}

static void record_tell(const struct range_record *record, uint64_t version) {
    step((struct event){.kind = EVENT_RECORD, .range = record->range, .record = record, .version = version});
}

static void give_up(uint32_t range, uint64_t version) {
    struct range_record record = record_of(range, 0);
    record_tell(&record, version);
}

static void learn_again(uint32_t range, uint64_t version) {
    struct range_record record = record_of(range, 0);
    record.learners[record.learners_count++] = SELF;
    record_tell(&record, version);
}

static void start(bool is_void) {
    struct node_core_options options = {
        .range_count = RANGES, .start = 1, .self = SELF, .replication_factor = 3, .min_in_sync = 1, .queue_max = 100};
    struct start_range ranges[RANGES];
    uint64_t nodes[] = {PRIMARY, 4, SELF};
    mono_ms = 1000;
    swaps_count = 0;
    told_count = 0;
    memset(wanted, 0, sizeof(wanted));
    for (size_t i = 0; i < RANGES; i++)
        ranges[i] =
            is_void ? (struct start_range){.is_void = true}
                    : (struct start_range){.marks = {.epoch = 1, .applied = LAST}, .base_index = LAST, .base_epoch = 1};
    core = node_core_new(&options);
    step((struct event){.kind = EVENT_START, .ranges = ranges});
    step((struct event){.kind = EVENT_NODES, .nodes = nodes, .nodes_count = 3});
}

static int set_up(void **state) {
    (void)state;
    start(false);
    for (uint32_t i = 0; i < RANGES; i++) {
        struct range_record record = record_of(i, SELF);
        record_tell(&record, 1 + i);
    }
    return 0;
}

static int set_up_void(void **state) {
    (void)state;
    start(true);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    node_core_free(core);
    written = NULL;
    action_list_close(&actions);
    return 0;
}

static bool is_wiping(uint32_t range) {
    return written != NULL && written->takings_count == 1 && written->takings[0].range == range &&
           !bytes_is_present(written->takings[0].chunk) && written->count == 0;
}

static void append_come(uint32_t range) {
    /* of somebody in that range */
    struct command command = {.kind = COMMAND_USER_CREATE, .subject = {{(uint8_t)(range * 256 / RANGES + 1)}}};
    struct buffer encoded;
    buffer_init(&encoded);
    command_encode(&command, &encoded);
    struct packet_entry entry = {.epoch = 2, .command = buffer_bytes(&encoded)};
    struct packet packet = {.kind = PACKET_APPEND,
                            .range = range,
                            .epoch = 2,
                            .previous_index = LAST,
                            .previous_epoch = 1,
                            .committed = LAST,
                            .entries = &entry,
                            .entries_count = 1};
    step((struct event){.kind = EVENT_PACKET, .from = PRIMARY, .packet = &packet});
    buffer_close(&encoded);
}

static void rows_come(uint32_t range) {
    struct packet packet = {.kind = PACKET_SNAPSHOT,
                            .range = range,
                            .epoch = 2,
                            .snapshot = 9,
                            .promise = answer.promise,
                            .index = 3,
                            .index_epoch = 1,
                            .rows = BYTES_LITERAL("rows")};
    step((struct event){.kind = EVENT_PACKET, .from = PRIMARY, .packet = &packet});
}

/* ---- copies that are dropped ---- */

static void a_copy_goes_some_rows_with_each_tick_and_one_after_the_other(void **state) {
    (void)state;
    give_up(0, 10);
    give_up(3, 11);
    assert_null(written);
    assert_false(node_core_range_status(core, 0).is_empty);
    tick();
    tick();
    assert_true(is_wiping(0));
    assert_true(node_core_range_status(core, 0).is_dropping && node_core_range_status(core, 3).is_dropping);
    batch_done(STATUS_OK, false);
    assert_true(is_wiping(0)); /* a tick has passed meanwhile */
    batch_done(STATUS_OK, false);
    assert_null(written);
    tick();
    assert_true(is_wiping(0));
    batch_done(STATUS_OK, true);
    assert_true(node_core_range_status(core, 0).is_empty);
    assert_int_equal(node_core_range_status(core, 0).last_index, 0);
    tick();
    assert_true(is_wiping(3));
    batch_done(STATUS_OK, true);
    tick();
    assert_null(written);
    assert_false(node_core_range_status(core, 1).is_empty);
}

static void an_older_record_takes_nothing(void **state) {
    (void)state;
    learn_again(0, 12);
    give_up(0, 11);
    tick();
    assert_null(written);
    assert_false(node_core_range_status(core, 0).is_dropping);
}

static void what_is_on_its_way_to_the_disk_is_waited_for(void **state) {
    (void)state;
    append_come(0);
    assert_non_null(written);
    assert_int_equal(written->count, 1);
    give_up(0, 10);
    tick();
    assert_false(node_core_range_status(core, 0).is_dropping);
    batch_done(STATUS_OK, false);
    tick();
    tick();
    assert_true(is_wiping(0));
}

static void what_is_not_on_its_way_yet_is_forgotten(void **state) {
    (void)state;
    append_come(1);
    append_come(0); /* waits for the disk */
    give_up(0, 10);
    tick();
    batch_done(STATUS_OK, false);
    for (int i = 0; i < 3; i++) {
        tick();
        assert_true(is_wiping(0));
        batch_done(STATUS_OK, i == 2);
    }
    tick();
    assert_null(written);
}

static void who_learns_again_in_the_middle_gets_rows_once_all_is_gone(void **state) {
    (void)state;
    give_up(0, 10);
    tick();
    tick();
    assert_true(is_wiping(0));
    learn_again(0, 11);
    append_come(0);
    assert_true(answer.needs_rows);
    rows_come(0);
    batch_done(STATUS_OK, true);
    assert_null(written); /* they were not taken, and come again */
    rows_come(0);
    assert_non_null(written);
    assert_int_equal(written->takings_count, 1);
    batch_done(STATUS_OK, true);
    assert_true(bytes_is_present(written->takings[0].chunk));
    assert_false(node_core_range_status(core, 0).is_empty);
}

static void rows_that_wait_for_the_disk_are_given_up(void **state) {
    (void)state;
    learn_again(0, 10);
    append_come(1); /* the disk is busy */
    rows_come(0);
    give_up(0, 11);
    tick();
    batch_done(STATUS_OK, false);
    tick();
    assert_true(is_wiping(0));
    batch_done(STATUS_OK, true);
    tick();
    assert_null(written);
    assert_true(node_core_range_status(core, 0).is_empty);
    learn_again(0, 12);
    append_come(0);
    rows_come(0);
    assert_non_null(written);
}

static void what_the_disk_refuses_is_tried_again(void **state) {
    (void)state;
    give_up(0, 10);
    tick();
    tick();
    batch_done(STATUS_STORAGE_FAILED, false);
    assert_true(node_core_range_status(core, 0).is_dropping);
    while (written == NULL)
        tick();
    assert_true(written->is_probe); /* nothing else is tried before */
    batch_done(STATUS_OK, false);
    tick();
    assert_true(is_wiping(0));
    assert_true(written->may_use_reserve);
}

static void what_a_crash_left_is_wiped_unless_it_is_to_be_filled_anew(void **state) {
    (void)state;
    give_up(0, 10);
    learn_again(1, 11);
    tick();
    tick();
    assert_true(is_wiping(0));
    batch_done(STATUS_OK, true);
    tick();
    assert_null(written); /* of the others it is not known who holds them */
}

/* ---- ranges that are given away ---- */

static void lead(uint32_t range) {
    struct range_record record = record_of(range, SELF);
    struct packet acknowledgement = {.kind = PACKET_APPENDED,
                                     .range = range,
                                     .epoch = 3,
                                     .version = 20,
                                     .durable = LAST,
                                     .matched = LAST,
                                     .lease = (uint64_t)mono_ms,
                                     .promise = 1};
    record.epoch = 3;
    record.primary = SELF;
    record.is_handed_over = true;
    record_tell(&record, 20);
    for (size_t i = 0; i < 2; i++)
        step((struct event){.kind = EVENT_PACKET, .from = record.in_sync[i], .packet = &acknowledgement});
    assert_int_equal(node_core_range_status(core, range).role, REPLICATION_PRIMARY);
}

static void wish(uint32_t range) {
    struct placement placement = {
        .range = range, .holders = {PRIMARY, 4, SELF}, .holders_count = 3, .primary = PRIMARY};
    step((struct event){.kind = EVENT_PLACEMENT, .placement = &placement, .version = 30});
}

static void a_few_ranges_at_a_time_are_given_to_who_should_lead_them(void **state) {
    (void)state;
    for (uint32_t i = 0; i < RANGES; i++)
        lead(i);
    for (uint32_t i = 0; i < RANGES; i++)
        wish(i);
    assert_int_equal(swaps_count, HAND_OVERS_MAX);
    for (uint32_t i = 0; i < HAND_OVERS_MAX; i++) {
        assert_true(node_core_range_status(core, i).is_handing_over);
        assert_true(wanted[i].primary == PRIMARY && wanted[i].is_handed_over);
    }
    step((struct event){.kind = EVENT_SWAPPED, .range = 1, .record = &wanted[1], .version = 40});
    assert_int_equal(swaps_count, HAND_OVERS_MAX + 1);
    assert_int_equal(node_core_range_status(core, 1).role, REPLICATION_REPLICA);
}

static void who_gives_a_range_away_tells_the_others_at_once(void **state) {
    (void)state;
    lead(1);
    wish(1);
    assert_int_equal(told_count, 0); /* it is not given away yet */
    mono_ms += 7;
    step((struct event){.kind = EVENT_SWAPPED, .range = 1, .record = &wanted[1], .version = 40});
    assert_int_equal(told_count, 2);
    assert_true(told[0] == PRIMARY && told[1] == 4);
    assert_true(told_record.range == 1 && told_record.primary == PRIMARY && told_record.epoch == 4);
    assert_int_equal(told_held_ms, 7);
}

/* What it lacks is its own disk's work, and may as well be done while the coordinator is asked. */
static void the_heir_is_told_at_once_that_all_is_committed(void **state) {
    (void)state;
    lead(1);
    appends_to_heir = 0;
    wish(1);
    assert_true(node_core_range_status(core, 1).is_handing_over);
    assert_int_equal(appends_to_heir, 1);
    assert_true(heir_told.range == 1 && heir_told.committed == LAST && heir_told.entries_count == 0);
    mono_ms += 1;
    step((struct event){.kind = EVENT_TICK});
    assert_int_equal(appends_to_heir, 1);
}

static void record_come(const struct range_record *record, uint32_t range, uint64_t from, uint64_t version) {
    struct packet packet = {
        .kind = PACKET_RECORD, .range = range, .epoch = record->epoch, .version = version, .held_ms = 6};
    struct buffer encoded;
    buffer_init(&encoded);
    range_record_encode(record, &encoded);
    packet.record = buffer_bytes(&encoded);
    step((struct event){.kind = EVENT_PACKET, .from = from, .packet = &packet});
    buffer_close(&encoded);
}

static void who_is_told_by_the_last_primary_leads_before_the_coordinator_says_so(void **state) {
    (void)state;
    struct range_record record = record_of(1, SELF), halved;
    record.bounds = node_core_range_status(core, 1).record.bounds;
    record.epoch = 3;
    record.primary = SELF;
    record.is_handed_over = true;
    halved = record;
    halved.bounds.last--;
    record_come(&record, 1, 4, 40);       /* by one that does not lead it */
    record_come(&record, 2, PRIMARY, 40); /* of another range */
    record_come(&record, 1, PRIMARY, 2);  /* older than what is known */
    record_come(&halved, 1, PRIMARY, 40); /* it has been split */
    step((struct event){.kind = EVENT_PACKET,
                        .from = PRIMARY,
                        .packet = &(struct packet){.kind = PACKET_RECORD, .range = 1, .version = 40}});
    assert_int_equal(node_core_range_status(core, 1).role, REPLICATION_REPLICA);
    record_come(&record, 1, PRIMARY, 40);
    assert_int_equal(node_core_range_status(core, 1).role, REPLICATION_PRIMARY);
    assert_int_equal(node_core_range_status(core, 1).version, 40);
    record_tell(&record, 40);
    assert_int_equal(node_core_range_status(core, 1).role, REPLICATION_PRIMARY);
}

static void it_is_counted_how_long_writes_are_held_up(void **state) {
    (void)state;
    struct range_record record = record_of(0, SELF);
    record.epoch = 3;
    record.primary = SELF;
    record.is_handed_over = true;
    mono_ms += REPLICATION_LEASE_MS;
    record_tell(&record, 19);
    mono_ms += 4;
    lead(0);
    struct durations given = node_core_statistics(core).given;
    assert_int_equal(given.longest_ms, 4);
    assert_int_equal(given.counts[2], 1);
    wish(0);
    mono_ms += 9;
    tick();
    assert_int_equal(node_core_statistics(core).held.sum_ms, 0);
    step((struct event){.kind = EVENT_SWAPPED, .range = 0, .record = &wanted[0], .version = 40});
    struct durations held = node_core_statistics(core).held;
    assert_true(held.longest_ms == 9 + CORE_TICK_MS && held.sum_ms == held.longest_ms);
    assert_int_equal(node_core_statistics(core).given.sum_ms, 4);
}

static void leases_come(uint32_t range, uint64_t epoch) {
    struct packet acknowledgement = {.kind = PACKET_APPENDED,
                                     .range = range,
                                     .epoch = epoch,
                                     .version = 40,
                                     .durable = LAST,
                                     .matched = LAST,
                                     .lease = (uint64_t)mono_ms,
                                     .promise = 1};
    step((struct event){.kind = EVENT_PACKET, .from = PRIMARY, .packet = &acknowledgement});
    step((struct event){.kind = EVENT_PACKET, .from = 4, .packet = &acknowledgement});
}

static void a_stall_is_what_was_held_there_and_what_it_took_here(void **state) {
    (void)state;
    struct range_record record = record_of(1, SELF);
    record.bounds = node_core_range_status(core, 1).record.bounds;
    record.epoch = 3;
    record.primary = SELF;
    record.is_handed_over = true;
    mono_ms += REPLICATION_LEASE_MS;
    record_come(&record, 1, PRIMARY, 40);
    mono_ms += 5;
    leases_come(1, 3);
    record_come(&record, 1, PRIMARY, 40); /* again */
    assert_int_equal(node_core_statistics(core).stalled.sum_ms, 6 + 5);

    record.range = 2; /* of which the coordinator tells first */
    record.bounds = node_core_range_status(core, 2).record.bounds;
    record_tell(&record, 40);
    mono_ms += 8;
    leases_come(2, 3);
    assert_int_equal(node_core_statistics(core).stalled.sum_ms, 6 + 5);
    record_come(&record, 2, PRIMARY, 40);
    assert_int_equal(node_core_statistics(core).stalled.sum_ms, 6 + 5 + 6 + 8);
}

/* Nothing of another range's copy goes to the disk while writes wait for a hand-over, here or somewhere. */
static void copies_rest_while_a_range_is_handed_over(void **state) {
    (void)state;
    give_up(2, 20);
    tick();
    assert_true(is_wiping(2));
    batch_done(STATUS_OK, false);
    struct range_record record = record_of(1, 0); /* PRIMARY gives it to 4 */
    record.epoch = 3;
    record.primary = 4;
    record.is_handed_over = true;
    record_tell(&record, 21);
    record.epoch = 4; /* and 4 gives it back, a little later */
    record.primary = PRIMARY;
    mono_ms += CHUNK_REST_MS / 2;
    record_tell(&record, 22);
    mono_ms += CHUNK_REST_MS - 1;
    step((struct event){.kind = EVENT_TICK});
    assert_true(written == NULL || written->takings_count == 0);
    tick();
    assert_non_null(written);
    assert_int_equal(written->takings_count, 1);
}

static void who_is_told_of_no_hand_over_lets_copies_go_on(void **state) {
    (void)state;
    give_up(2, 20);
    struct range_record record = record_of(1, SELF);
    record.epoch = 3; /* somebody has taken it over */
    record.primary = 4;
    record_tell(&record, 21);
    tick();
    assert_true(is_wiping(2));
}

/* ---- a disk that refuses ---- */

static void write_fails(uint32_t range) {
    struct entry *entry = entry_new(ENTRY_OF_CLIENT);
    entry->command = (struct command){.kind = COMMAND_USER_CREATE, .subject = {{(uint8_t)(range * 256 / RANGES + 1)}}};
    step((struct event){.kind = EVENT_PROPOSE, .entry = entry});
    batch_done(STATUS_STORAGE_FAILED, false);
}

/* Its heir may be gone for ever since, with what it alone would have. */
static void who_gave_a_range_away_leads_again_when_the_coordinator_has_been_away_for_long(void **state) {
    (void)state;
    lead(1);
    write_fails(1);
    assert_int_equal(node_core_range_status(core, 1).role, REPLICATION_REPLICA);
    assert_true(wanted[1].primary != SELF && wanted[1].is_handed_over && wanted[1].in_sync_count == 2);
    uint64_t heir = wanted[1].primary;
    int64_t given_ms = mono_ms;
    while (mono_ms - given_ms < REPLICATION_SILENT_MS) {
        tick();
        assert_int_equal(wanted[1].primary, heir);
    }
    while (mono_ms - given_ms < REPLICATION_SILENT_MS + REPLICATION_SWAP_RETRY_MS + 2 * CORE_TICK_MS)
        tick();
    assert_true(wanted[1].primary == SELF && !wanted[1].is_handed_over && wanted[1].in_sync_count == 3);
    assert_int_equal(wanted[1].epoch, 4);
}

static void a_wish_for_a_range_that_there_cannot_be_changes_nothing(void **state) {
    (void)state;
    wish(RANGES);
    wish(UINT32_MAX);
    assert_int_equal(node_core_range_status(core, 0).placement.holders_count, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_copy_goes_some_rows_with_each_tick_and_one_after_the_other, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_older_record_takes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_on_its_way_to_the_disk_is_waited_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_not_on_its_way_yet_is_forgotten, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_learns_again_in_the_middle_gets_rows_once_all_is_gone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rows_that_wait_for_the_disk_are_given_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_the_disk_refuses_is_tried_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_a_crash_left_is_wiped_unless_it_is_to_be_filled_anew, set_up_void,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_few_ranges_at_a_time_are_given_to_who_should_lead_them, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_gives_a_range_away_tells_the_others_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_heir_is_told_at_once_that_all_is_committed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_is_told_by_the_last_primary_leads_before_the_coordinator_says_so, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(it_is_counted_how_long_writes_are_held_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stall_is_what_was_held_there_and_what_it_took_here, set_up, tear_down),
        cmocka_unit_test_setup_teardown(copies_rest_while_a_range_is_handed_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_is_told_of_no_hand_over_lets_copies_go_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_gave_a_range_away_leads_again_when_the_coordinator_has_been_away_for_long,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_wish_for_a_range_that_there_cannot_be_changes_nothing, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
