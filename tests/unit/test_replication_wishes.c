/* What a primary asks for on the way from who holds a range to who should, and when a copy is dropped. Node ids are
 * digits; the primary is 1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "node/core/replication.h"
#include "proto/status.h"

#define SELF 1
#define VERSION 7
#define LAST 5 /* index */

static struct action_list actions;
static struct arena arena;
static struct replication primary;
static struct replication_step step;

/* ---- nodes as text ---- */

static size_t nodes_of(const char *digits, uint64_t *nodes) {
    size_t count = 0;
    for (; digits != NULL && *digits != '\0'; digits++)
        nodes[count++] = (uint64_t)(*digits - '0');
    return count;
}

static struct range_record record_of(const char *in_sync, const char *learners) {
    struct range_record record = {.epoch = 3, .primary = SELF};
    record.in_sync_count = nodes_of(in_sync, record.in_sync);
    record.learners_count = nodes_of(learners, record.learners);
    return record;
}

static struct placement placement_of(const char *holders, uint64_t who_leads) {
    struct placement placement = {.primary = who_leads};
    placement.holders_count = nodes_of(holders, placement.holders);
    return placement;
}

static void nodes_print(const uint64_t *nodes, size_t count, char *out) {
    for (size_t i = 0; i < count; i++)
        *out++ = (char)('0' + nodes[i]);
    *out = '\0';
}

/* ---- a primary whose replicas have everything ---- */

static void primary_init(const char *in_sync, const char *learners) {
    struct range_record record = record_of(in_sync, learners);
    memset(&primary, 0, sizeof(primary));
    step = (struct replication_step){.actions = &actions, .arena = &arena, .mono_ms = 100000};
    window_init(&primary.window, 0, 0);
    for (uint64_t i = 1; i <= LAST; i++)
        window_append(&primary.window, 2, BYTES_LITERAL("entry"));
    replication_init(&primary, 0, SELF, false, false, LAST, 0);
    primary.record = (struct range_record){.epoch = 2, .primary = 9};
    primary.is_swap_wanted = true;
    primary.wanted = record; /* it has asked for the epoch itself */
    replication_on_record(&primary, &step, &record, VERSION);
    for (size_t i = 0; i < primary.replicas_count; i++) {
        struct packet answer = {.kind = PACKET_APPENDED,
                                .epoch = 3,
                                .version = VERSION,
                                .durable = LAST,
                                .matched = LAST,
                                .lease = (uint64_t)step.mono_ms,
                                .promise = 100};
        replication_on_appended(&primary, &step, primary.replicas[i].node, &answer);
    }
    replication_commit(&primary);
    assert_int_equal(primary.role, REPLICATION_PRIMARY);
}

static void primary_close(void) {
    replication_close(&primary);
    actions.count = 0;
    arena_reset(&arena);
}

static struct replica *replica_of(uint64_t node) {
    for (size_t i = 0; i < primary.replicas_count; i++)
        if (primary.replicas[i].node == node)
            return &primary.replicas[i];
    fail_msg("there is no replica %d", (int)node);
    return NULL;
}

/* "in sync|learners" as asked for; "": nothing is. */
static void asked_for(char *out) {
    out[0] = '\0';
    for (size_t i = 0; i < actions.count; i++) {
        const struct range_record *record = &actions.items[i].record;
        if (actions.items[i].kind != ACTION_SWAP)
            continue;
        nodes_print(record->in_sync, record->in_sync_count, out);
        strcat(out, "|");
        nodes_print(record->learners, record->learners_count, out + strlen(out));
    }
}

static void tick(const char *live) {
    uint64_t nodes[10];
    size_t count = nodes_of(live, nodes);
    replication_tick(&primary, &step, nodes, count, 3);
}

/* ---- the record's way ---- */

static void each_step_of_the_record_leads_to_what_is_wished(void **state) {
    static const struct {
        const char *what, *in_sync, *learners;
        const char *wish; /* "": nothing */
        const char *behind, *silent, *leaving, *live;
        size_t min_in_sync;
        const char *asked;
    } rows[] = {
        {"nothing is wished", "12", "", "", "", "", "", "12345", 2, "12|3"},
        {"nothing is wished: a lost learner waits for others", "12", "4", "", "", "4", "", "12", 2, ""},
        {"nothing is wished: others come in its place", "12", "4", "", "4", "4", "", "125", 2, "12|5"},
        {"it is as it should be", "123", "", "123", "", "", "", "12345", 2, ""},
        {"whoever is wished learns", "123", "", "145", "", "", "", "12345", 2, "123|45"},
        {"who is not alive does not begin", "123", "", "145", "", "", "", "1235", 2, "123|5"},
        {"but who learns stays though it is gone", "123", "4", "124", "4", "4", "", "123", 2, ""},
        {"who learns and is not wished goes", "123", "4", "123", "4", "", "", "12345", 2, "123|"},
        {"though it has everything", "123", "4", "123", "", "", "", "12345", 2, "123|"},
        {"both at once", "123", "4", "125", "4", "", "", "12345", 2, "123|5"},
        {"a learner that has everything comes in sync", "12", "3", "123", "", "", "", "123", 2, "123|"},
        {"one that has not does not", "12", "3", "123", "3", "", "", "123", 2, ""},
        {"who is not wished goes when all who are are in sync", "12345", "", "145", "", "", "", "12345", 2, "145|"},
        {"not before", "1234", "5", "145", "5", "", "", "12345", 2, ""},
        {"not while one of them is silent", "12345", "", "145", "", "5", "", "12345", 2, "1234|5"},
        {"not while one of them is about to stop", "12345", "", "145", "", "", "5", "12345", 2, "1234|5"},
        {"not below the least", "123", "", "1", "", "", "", "123", 2, "12|"},
        {"the primary stays until it has handed over", "1234", "", "34", "", "", "", "1234", 2, "134|"},
        {"all are wished away: others learn first", "123", "", "456", "", "", "", "123456", 2, "123|456"},
        {"and then the old ones go but for the primary", "123456", "", "456", "", "", "", "123456", 2, "1456|"},
        {"a silent one that is not wished is out of sync first", "1234", "", "134", "", "2", "", "1234", 2, "134|2"},
        {"and then goes", "134", "2", "134", "2", "2", "", "1234", 2, "134|"},
        {"there is no room: one makes it", "1234567", "", "12348", "", "", "", "12345678", 2, "123456|"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t nodes[10];
        char asked[40];
        struct placement placement = placement_of(rows[i].wish, 0);
        primary_init(rows[i].in_sync, rows[i].learners);
        primary.min_in_sync = rows[i].min_in_sync;
        for (size_t n = nodes_of(rows[i].behind, nodes); n > 0; n--)
            replica_of(nodes[n - 1])->is_matched = false;
        for (size_t n = nodes_of(rows[i].silent, nodes); n > 0; n--)
            replica_of(nodes[n - 1])->heard_ms = step.mono_ms - REPLICATION_SILENT_MS - 1;
        for (size_t n = nodes_of(rows[i].leaving, nodes); n > 0; n--)
            replica_of(nodes[n - 1])->is_leaving = true;
        replication_on_placement(&primary, &placement, 1);
        tick(rows[i].live);
        asked_for(asked);
        if (strcmp(asked, rows[i].asked) != 0)
            fail_msg("%s: \"%s\" is asked for, not \"%s\"", rows[i].what, asked, rows[i].asked);
        primary_close();
    }
}

static void a_wish_that_changes_takes_back_what_was_begun(void **state) {
    char asked[40];
    struct placement placement = placement_of("124", 0);
    (void)state;
    primary_init("12", "4");
    replica_of(4)->durable = 0; /* nothing commits without it any more, but it lacks what was committed before */
    replication_on_placement(&primary, &placement, 1);
    tick("124");
    assert_true(replica_of(4)->is_joining);
    assert_false(replication_commits_alone(&primary));
    placement = placement_of("12", 0);
    replication_on_placement(&primary, &placement, 2);
    tick("124");
    assert_false(replica_of(4)->is_joining);
    asked_for(asked);
    assert_string_equal(asked, "12|");
    primary_close();
}

static void an_older_wish_is_left_out_and_one_that_is_gone_is_no_wish(void **state) {
    char asked[40];
    struct placement placement = placement_of("12", 0);
    (void)state;
    primary_init("123", "");
    replication_on_placement(&primary, &placement, 9);
    placement = placement_of("13", 0);
    replication_on_placement(&primary, &placement, 8);
    assert_true(placement_has(&primary.placement, 2));
    replication_on_placement(&primary, &(struct placement){.range = 0}, 10);
    tick("123");
    asked_for(asked);
    assert_string_equal(asked, "");
    primary_close();
}

/* ---- who should lead ---- */

static void whoever_should_lead_is_given_the_range_when_it_can_lead(void **state) {
    static const struct {
        const char *what, *in_sync, *learners, *wish;
        uint64_t who_leads;
        const char *silent, *leaving, *gets_rows;
        uint64_t heir, heir_of_who_leaves;
    } rows[] = {
        {"nothing is wished", "123", "", "", 0, "", "", "", 0, 2},
        {"it leads already", "123", "", "123", 1, "", "", "", 0, 2},
        {"it may as well as others", "123", "", "123", 0, "", "", "", 0, 2},
        {"another should", "123", "", "123", 3, "", "", "", 3, 3},
        {"another should, and learns yet", "12", "3", "123", 3, "", "", "", 0, 2},
        {"another should, and is silent", "123", "", "123", 3, "3", "", "", 0, 2},
        {"another should, and is about to stop", "123", "", "123", 3, "", "3", "", 0, 2},
        {"it should not hold it", "123", "", "23", 0, "", "", "", 2, 2},
        {"a holder comes before others", "123", "", "3", 0, "", "", "", 3, 3},
        {"not while rows are on their way", "123", "4", "234", 3, "", "", "4", 0, 3},
        {"unless they are for nobody", "123", "4", "234", 3, "4", "", "4", 3, 3},
        {"or for one that should not have them", "123", "4", "23", 3, "", "", "4", 3, 3},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t nodes[10];
        struct placement placement = placement_of(rows[i].wish, rows[i].who_leads);
        primary_init(rows[i].in_sync, rows[i].learners);
        for (size_t n = nodes_of(rows[i].silent, nodes); n > 0; n--)
            replica_of(nodes[n - 1])->heard_ms = step.mono_ms - REPLICATION_SILENT_MS - 1;
        for (size_t n = nodes_of(rows[i].leaving, nodes); n > 0; n--)
            replica_of(nodes[n - 1])->is_leaving = true;
        for (size_t n = nodes_of(rows[i].gets_rows, nodes); n > 0; n--)
            replica_of(nodes[n - 1])->snapshot = 1;
        replication_on_placement(&primary, &placement, 1);
        uint64_t heir = replication_wished_heir(&primary, step.mono_ms);
        uint64_t other = replication_heir(&primary, 0, step.mono_ms);
        if (heir != rows[i].heir || other != rows[i].heir_of_who_leaves)
            fail_msg("%s: the heir is %d, and of who leaves %d", rows[i].what, (int)heir, (int)other);
        primary_close();
    }
}

static void what_could_not_be_handed_over_serves_for_a_while_before_the_next_try(void **state) {
    struct placement placement = placement_of("12", 2);
    (void)state;
    primary_init("12", "");
    replication_on_placement(&primary, &placement, 1);
    assert_true(replication_hand_over(&primary, 2, step.mono_ms));
    replication_propose(&primary, BYTES_LITERAL("not committed")); /* taken before */
    step.mono_ms += REPLICATION_HANDING_MS + 1;
    replica_of(2)->heard_ms = step.mono_ms;
    replication_send(&primary, &step);
    assert_int_equal(primary.handing_to, 0);
    assert_int_equal(replication_wished_heir(&primary, step.mono_ms), 0);
    step.mono_ms += REPLICATION_HANDING_PAUSE_MS;
    replica_of(2)->heard_ms = step.mono_ms;
    replica_of(2)->progress_ms = step.mono_ms;
    assert_int_equal(replication_wished_heir(&primary, step.mono_ms), 2);
    primary_close();
}

/* ---- while the outcome is open ---- */

static void nothing_commits_without_one_that_is_given_up_before_the_outcome_is_known(void **state) {
    struct placement placement = placement_of("12", 0);
    struct range_record outcome = record_of("12", "");
    (void)state;
    primary_init("123", "");
    replication_on_placement(&primary, &placement, 1);
    assert_int_equal(replication_copies(&primary), 2);
    tick("123");
    assert_int_equal(replication_copies(&primary), 1); /* it may have dropped its copy already */
    uint64_t index = replication_propose(&primary, BYTES_LITERAL("entry"));
    replication_on_durable(&primary, &step, index);
    replica_of(2)->durable = index;
    replication_commit(&primary);
    assert_int_equal(primary.committed, LAST);
    replication_on_swapped(&primary, &step, STATUS_OK, &outcome, VERSION + 1);
    replication_commit(&primary);
    assert_int_equal(primary.committed, index);
    assert_int_equal(replication_copies(&primary), 1);
    primary_close();
}

static void what_a_node_said_before_it_was_given_up_does_not_count_when_it_learns_again(void **state) {
    struct packet late = {
        .kind = PACKET_APPENDED, .epoch = 3, .version = VERSION, .durable = LAST, .matched = LAST, .promise = 101};
    struct range_record without = record_of("12", "");
    struct range_record again = record_of("12", "3");
    (void)state;
    primary_init("123", "");
    replication_on_record(&primary, &step, &without, VERSION + 1);
    replication_on_record(&primary, &step, &again, VERSION + 2);
    for (late.version = VERSION; late.version < VERSION + 2; late.version++)
        replication_on_appended(&primary, &step, 3, &late);
    assert_false(replica_of(3)->is_matched);
    replication_on_appended(&primary, &step, 3, &late);
    assert_true(replica_of(3)->is_matched);
    primary_close();
}

/* ---- copies that are dropped ---- */

static void a_copy_is_dropped_only_when_the_newest_record_names_it_no_more(void **state) {
    static const struct {
        const char *what;
        const char *in_sync, *learners; /* NULL: no record is known */
        uint64_t epoch;
        bool is_alone, may_drop;
    } rows[] = {
        {"nothing is known", NULL, NULL, 0, false, false},
        {"it is in sync", "245", "", 3, false, false},
        {"it learns", "24", "5", 3, false, false},
        {"it is not named", "24", "", 3, false, true},
        {"nor in the epoch of what it has", "24", "", 2, false, true},
        {"the record is older than what it has", "24", "", 1, false, false},
        {"it is alone", "24", "", 3, true, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct replication self = {0};
        struct range_record record = record_of(rows[i].in_sync, rows[i].learners);
        record.epoch = rows[i].epoch;
        record.primary = 2;
        step = (struct replication_step){.actions = &actions, .arena = &arena, .mono_ms = 1000};
        window_init(&self.window, LAST, 2);
        replication_init(&self, 0, 5, rows[i].is_alone, false, LAST, 0);
        if (rows[i].in_sync != NULL)
            replication_on_record(&self, &step, &record, VERSION);
        if (replication_may_drop(&self) != rows[i].may_drop)
            fail_msg("%s: it %s", rows[i].what, rows[i].may_drop ? "is kept" : "is dropped");
        replication_close(&self);
        actions.count = 0;
        arena_reset(&arena);
    }
}

/* In one and the same epoch; and what comes late of the time between changes nothing. */
static void who_is_not_named_any_more_obeys_nobody_and_needs_rows_when_it_is_again(void **state) {
    struct range_record records[] = {record_of("125", ""), record_of("12", ""), record_of("12", "5")};
    struct packet append = {
        .kind = PACKET_APPEND, .epoch = 3, .previous_index = LAST, .previous_epoch = 2, .committed = LAST};
    struct replication self = {0};
    (void)state;
    step = (struct replication_step){.actions = &actions, .arena = &arena, .mono_ms = 1000};
    window_init(&self.window, LAST, 2);
    replication_init(&self, 0, 5, false, false, LAST, 0);
    replication_on_record(&self, &step, &records[0], VERSION);
    assert_int_equal(self.role, REPLICATION_REPLICA);
    assert_true(replication_on_record(&self, &step, &records[1], VERSION + 1));
    assert_int_equal(self.role, REPLICATION_NONE);
    replication_make_void(&self);
    actions.count = 0;
    replication_on_append(&self, &step, SELF, &append);
    assert_int_equal(actions.count, 0);
    replication_on_record(&self, &step, &records[0], VERSION);
    assert_int_equal(self.role, REPLICATION_NONE);
    replication_on_record(&self, &step, &records[2], VERSION + 2);
    assert_int_equal(self.role, REPLICATION_REPLICA);
    actions.count = 0;
    replication_on_append(&self, &step, SELF, &append);
    assert_int_equal(actions.count, 1);
    assert_true(actions.items[0].packet->is_refused && actions.items[0].packet->needs_rows);
    assert_int_equal(actions.items[0].packet->version, VERSION + 2);
    replication_close(&self);
    actions.count = 0;
    arena_reset(&arena);
}

/* ---- rows at a pace ---- */

static size_t chunks_asked_for(void) {
    size_t count = 0;
    for (size_t i = 0; i < actions.count; i++)
        count += actions.items[i].kind == ACTION_READ_CHUNK;
    return count;
}

static void a_chunk_that_has_to_wait_is_asked_for_with_a_later_tick(void **state) {
    struct packet needy = {.kind = PACKET_APPENDED, .epoch = 3, .version = VERSION, .is_refused = true, .promise = 101};
    struct chunk_budget budget;
    (void)state;
    primary_init("12", "3");
    chunk_budget_init(&budget, 100000);
    assert_true(chunk_budget_allows(&budget, 0, step.mono_ms));
    chunk_budget_spend(&budget, 60000);
    step.chunk_budget = &budget;
    needy.needs_rows = true;
    replication_on_appended(&primary, &step, 3, &needy);
    assert_int_equal(chunks_asked_for(), 0);
    for (int64_t end_ms = step.mono_ms + 600; chunks_asked_for() == 0 && step.mono_ms < end_ms; step.mono_ms += 50) {
        chunk_budget_begin_round(&budget);
        tick("123");
    }
    assert_int_equal(chunks_asked_for(), 1);
    assert_true(step.mono_ms >= 100000 + 500);
    primary_close();
}

static void rows_that_cannot_be_read_any_more_are_sent_anew(void **state) {
    struct packet needy = {.kind = PACKET_APPENDED, .epoch = 3, .version = VERSION, .is_refused = true, .promise = 101};
    struct replication_chunk gone = {.snapshot = 1, .chunk = 1};
    struct packet taken = {.kind = PACKET_SNAPSHOT_TAKEN, .epoch = 3, .snapshot = 1, .chunk = 1};
    (void)state;
    primary_init("12", "3");
    needy.needs_rows = true;
    replication_on_appended(&primary, &step, 3, &needy);
    replication_on_chunk_read(&primary, &step, 3, &(struct replication_chunk){.snapshot = 1, .chunks = 9, .index = 3});
    replication_on_snapshot_taken(&primary, &step, 3, &taken);
    actions.count = 0;
    replication_on_chunk_gone(&primary, &step, 3, &(struct replication_chunk){.snapshot = 1, .chunk = 0});
    assert_int_equal(chunks_asked_for(), 0); /* it waits for another by now */
    replication_on_chunk_gone(&primary, &step, 3, &gone);
    assert_int_equal(chunks_asked_for(), 1);
    assert_int_equal(actions.items[actions.count - 1].snapshot, 2);
    assert_int_equal(actions.items[actions.count - 1].chunk, 0);
    replication_on_chunk_gone(&primary, &step, 3, &gone);
    assert_int_equal(chunks_asked_for(), 1);
    primary_close();
}

/* The learner may have the first chunk of one, and gets no second one of another moment. */
static void chunks_of_two_readings_are_not_mixed(void **state) {
    struct packet needy = {.kind = PACKET_APPENDED, .epoch = 3, .version = VERSION, .is_refused = true, .promise = 101};
    struct replication_chunk first = {.snapshot = 1, .reading = 8, .chunks = 9, .index = 3};
    struct replication_chunk other = {.snapshot = 1, .reading = 9, .chunks = 9, .index = 4};
    (void)state;
    primary_init("12", "3");
    needy.needs_rows = true;
    replication_on_appended(&primary, &step, 3, &needy);
    replication_on_chunk_read(&primary, &step, 3, &first);
    actions.count = 0;
    replication_on_chunk_read(&primary, &step, 3, &first);
    assert_int_equal(actions.count, 1);
    assert_int_equal(actions.items[0].packet->kind, PACKET_SNAPSHOT);
    actions.count = 0;
    replication_on_chunk_read(&primary, &step, 3, &other);
    assert_int_equal(actions.count, 1);
    assert_int_equal(actions.items[0].kind, ACTION_READ_CHUNK);
    assert_int_equal(actions.items[0].snapshot, 2);
    primary_close();
}

/* Or they would have left it when the rows are there, and other rows had to follow. */
static void what_clients_write_while_rows_are_on_their_way_stays_in_the_window(void **state) {
    struct packet needy = {.kind = PACKET_APPENDED, .epoch = 3, .version = VERSION, .is_refused = true, .promise = 101};
    struct replication_chunk chunk = {.snapshot = 1, .chunks = 9, .index = 3, .epoch = 2};
    (void)state;
    primary_init("12", "3");
    needy.needs_rows = true;
    replication_on_appended(&primary, &step, 3, &needy);
    replication_on_chunk_read(&primary, &step, 3, &chunk);
    assert_int_equal(replica_of(3)->chunks_all, 9);
    replication_trim(&primary, LAST, 0);
    assert_non_null(window_find(&primary.window, 4));
    assert_null(window_find(&primary.window, 3));
    replica_of(3)->snapshot = 0;
    replication_trim(&primary, LAST, 0);
    assert_null(window_find(&primary.window, 4));
    primary_close();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_step_of_the_record_leads_to_what_is_wished),
        cmocka_unit_test(a_wish_that_changes_takes_back_what_was_begun),
        cmocka_unit_test(an_older_wish_is_left_out_and_one_that_is_gone_is_no_wish),
        cmocka_unit_test(whoever_should_lead_is_given_the_range_when_it_can_lead),
        cmocka_unit_test(what_could_not_be_handed_over_serves_for_a_while_before_the_next_try),
        cmocka_unit_test(nothing_commits_without_one_that_is_given_up_before_the_outcome_is_known),
        cmocka_unit_test(what_a_node_said_before_it_was_given_up_does_not_count_when_it_learns_again),
        cmocka_unit_test(a_copy_is_dropped_only_when_the_newest_record_names_it_no_more),
        cmocka_unit_test(who_is_not_named_any_more_obeys_nobody_and_needs_rows_when_it_is_again),
        cmocka_unit_test(a_chunk_that_has_to_wait_is_asked_for_with_a_later_tick),
        cmocka_unit_test(rows_that_cannot_be_read_any_more_are_sent_anew),
        cmocka_unit_test(chunks_of_two_readings_are_not_mixed),
        cmocka_unit_test(what_clients_write_while_rows_are_on_their_way_stays_in_the_window),
    };
    arena_init(&arena);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_close(&arena);
    action_list_close(&actions);
    return failed;
}
