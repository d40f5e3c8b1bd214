/* What a node makes of what the coordinator tells, and the moves that people are shown of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>
#include <cmocka.h>

#include "node/cluster_moves.h"
#include "node/cluster_view.h"
#include "node/coordinator/coordinator.h"
#include "proto/check.h"
#include "proto/status.h"

#define ID_1 "0000000000000001"
#define ID_2 "0000000000000002"
#define ID_3 "0000000000000003"
#define KB 1000

static const uint8_t admission_key[NODE_ADMISSION_KEY_BYTES] = {1};
static struct cluster_view *view;
static struct arena arena;
static uint64_t version;

static int set_up(void **state) {
    const struct cluster_view_options options = {.self = 1, .range_count = 4, .admission_key = admission_key};
    (void)state;
    arena_init(&arena);
    view = cluster_view_new(&options);
    version = 0;
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    cluster_view_free(view);
    arena_close(&arena);
    return 0;
}

static struct cluster_facts facts_at(int64_t mono_ms) {
    struct cluster_facts facts;
    cluster_view_facts(view, &arena, mono_ms, &facts);
    return facts;
}

static void tell_bytes(const char *name, struct bytes value, int64_t mono_ms) {
    const struct coordinator_item item = {.name = bytes_of_text(name), .value = value, .version = ++version};
    cluster_view_take(view, &item, mono_ms);
}

static void tell(const char *name, const char *value, int64_t mono_ms) {
    tell_bytes(name, value == NULL ? BYTES_ABSENT : bytes_of_text(value), mono_ms);
}

static const char *public_url = "";

static void tell_node(uint64_t id, const char *name, const uint8_t key[NODE_ADMISSION_KEY_BYTES]) {
    char path[32];
    struct buffer encoded;
    struct node_record record = {.id = id,
                                 .name = bytes_of_text(name),
                                 .peer_address = BYTES_LITERAL("127.0.0.1:1"),
                                 .public_url = bytes_of_text(public_url),
                                 .protocol_oldest = 1,
                                 .protocol_newest = 1};
    node_record_admit(&record, key);
    buffer_init(&encoded);
    node_record_encode(&record, &encoded);
    snprintf(path, sizeof(path), "nodes/%016llx", (unsigned long long)id);
    tell_bytes(path, buffer_bytes(&encoded), 0);
    buffer_close(&encoded);
}

static void tell_range(const struct range_record *record) {
    char path[32];
    struct buffer encoded;
    buffer_init(&encoded);
    range_record_encode(record, &encoded);
    snprintf(path, sizeof(path), "ranges/%05u", (unsigned)record->range);
    tell_bytes(path, buffer_bytes(&encoded), 0);
    buffer_close(&encoded);
}

static void tell_placement(const struct placement *placement) {
    char path[32];
    struct buffer encoded;
    buffer_init(&encoded);
    placement_encode(placement, &encoded);
    snprintf(path, sizeof(path), "placements/%05u", (unsigned)placement->range);
    tell_bytes(path, buffer_bytes(&encoded), 0);
    buffer_close(&encoded);
}

static void tell_load(const struct load_record *record) {
    char path[32];
    struct buffer encoded;
    buffer_init(&encoded);
    load_record_encode(record, &encoded);
    snprintf(path, sizeof(path), "loads/%016llx", (unsigned long long)record->node);
    tell_bytes(path, buffer_bytes(&encoded), 0);
    buffer_close(&encoded);
}

/* ---- nodes ---- */

static void the_other_nodes_that_are_alive_are_known(void **state) {
    (void)state;
    uint64_t others[CLUSTER_NODES_MAX];
    assert_int_equal(cluster_view_others(view, others), 0);
    tell_node(1, "one", admission_key);
    tell_node(2, "two", admission_key);
    tell("alive/" ID_1, "1", 5);
    tell("alive/" ID_2, "1", 5);
    assert_int_equal(cluster_view_others(view, others), 1);
    assert_int_equal(others[0], 2);
    tell("alive/" ID_2, NULL, 6);
    assert_int_equal(cluster_view_others(view, others), 0);
}

static void tell_node_at(uint64_t id, const char *url) {
    public_url = url;
    tell_node(id, "n", admission_key);
}

static void clients_are_sent_to_another_node_that_stays_and_says_where_it_is(void **state) {
    (void)state;
    char url[NODE_ADDRESS_BYTES_MAX + 1];
    tell_node_at(1, "https://one");
    tell("alive/" ID_1, "1", 5);
    assert_false(cluster_view_elsewhere(view, 0, url));
    tell_node_at(2, "https://one");
    tell("alive/" ID_2, "1", 5);
    assert_false(cluster_view_elsewhere(view, 0, url));
    tell_node_at(2, "");
    assert_false(cluster_view_elsewhere(view, 0, url));
    tell_node_at(2, "https://two");
    assert_true(cluster_view_elsewhere(view, 0, url));
    assert_string_equal(url, "https://two");
    tell("drains/" ID_2, "1", 6);
    assert_false(cluster_view_elsewhere(view, 0, url));
    tell("drains/" ID_2, NULL, 7);
    tell("alive/" ID_2, NULL, 8);
    assert_false(cluster_view_elsewhere(view, 0, url));
    public_url = "";
}

static void a_node_is_known_by_its_record_and_alive_by_its_announcement(void **state) {
    (void)state;
    tell_node(2, "two", admission_key);
    tell("alive/" ID_2, "1", 5);
    struct cluster_facts facts = facts_at(10);
    assert_int_equal(facts.nodes_count, 1);
    assert_true(facts.nodes[0].has_record && facts.nodes[0].is_alive);
    assert_ptr_equal(cluster_facts_node_called(&facts, BYTES_LITERAL("two")), &facts.nodes[0]);
    assert_ptr_equal(cluster_facts_node_called(&facts, BYTES_LITERAL(ID_2)), &facts.nodes[0]);
    assert_null(cluster_facts_node_called(&facts, BYTES_LITERAL("three")));
    tell("alive/" ID_2, NULL, 20);
    facts = facts_at(30);
    assert_false(facts.nodes[0].is_alive);
    assert_int_equal(facts.nodes[0].silent_since_ms, 20);
}

static void who_does_not_have_the_secret_is_no_node(void **state) {
    const uint8_t wrong[NODE_ADMISSION_KEY_BYTES] = {2};
    (void)state;
    tell_node(2, "two", wrong);
    assert_int_equal(facts_at(0).nodes_count, 0);
}

static void of_two_nodes_with_one_name_none_is_called_so(void **state) {
    (void)state;
    tell_node(1, "same", admission_key);
    tell_node(2, "same", admission_key);
    struct cluster_facts facts = facts_at(0);
    assert_null(cluster_facts_node_called(&facts, BYTES_LITERAL("same")));
    assert_int_equal(cluster_facts_node_called(&facts, BYTES_LITERAL(ID_1))->id, 1);
    tell("alive/" ID_2, "1", 0);
    facts = facts_at(0);
    assert_int_equal(cluster_facts_node_called(&facts, BYTES_LITERAL("same"))->id, 2);
    tell("alive/" ID_1, "1", 0);
    facts = facts_at(0);
    assert_null(cluster_facts_node_called(&facts, BYTES_LITERAL("same")));
    tell("alive/" ID_2, NULL, 0);
    facts = facts_at(0);
    assert_int_equal(cluster_facts_node_called(&facts, BYTES_LITERAL("same"))->id, 1);
}

static void a_node_of_which_nothing_is_left_is_forgotten(void **state) {
    const struct load_record load = {.node = 2, .start = 1};
    (void)state;
    tell_node(2, "two", admission_key);
    tell("alive/" ID_2, "1", 0);
    tell("drains/" ID_2, "1", 0);
    tell_load(&load);
    assert_true(facts_at(0).nodes[0].is_draining);
    tell("alive/" ID_2, NULL, 0);
    tell("loads/" ID_2, NULL, 0);
    tell("nodes/" ID_2, NULL, 0);
    assert_int_equal(facts_at(0).nodes_count, 1);
    tell("drains/" ID_2, NULL, 0);
    assert_int_equal(facts_at(0).nodes_count, 0);
}

static void what_is_not_understood_changes_nothing(void **state) {
    const char *const names[] = {"nodes/",       "nodes/x",     "alive/0",          "ranges/00000", "placements/x",
                                 "placements/1", "loads/" ID_1, "drains/" ID_1 "0", "balancers"};
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        tell(names[i], "no record", 0);
    struct cluster_facts facts = facts_at(0);
    for (size_t i = 0; i < facts.nodes_count; i++)
        assert_false(facts.nodes[i].has_record || facts.nodes[i].is_alive || facts.nodes[i].is_draining);
    for (size_t i = 0; i < facts.ranges_count; i++)
        assert_true(facts.ranges[i].record.epoch == 0 && facts.ranges[i].placement.holders_count == 0);
}

static void who_balances_and_whether_it_is_paused_is_told(void **state) {
    (void)state;
    assert_int_equal(facts_at(0).balancer, 0);
    tell("balancer", ID_2, 0);
    tell("balancing/paused", "1", 0);
    assert_int_equal(facts_at(0).balancer, 2);
    assert_true(facts_at(0).is_paused);
    tell("balancer", NULL, 0);
    tell("balancing/paused", NULL, 0);
    assert_int_equal(facts_at(0).balancer, 0);
    assert_false(facts_at(0).is_paused);
}

/* ---- loads ---- */

static void rates_come_of_two_records_of_one_life(void **state) {
    struct load_range range = {.range = 3, .stored_bytes = 7 * KB, .committed = 100};
    struct load_record load = {.node = 2, .start = 1, .at_ms = 1000, .ranges = &range, .ranges_count = 1};
    (void)state;
    tell_load(&load);
    struct cluster_facts facts = facts_at(0);
    assert_true(cluster_facts_writes(&facts, 3).now == 0);
    for (int i = 0; i < 60; i++) {
        load.at_ms += 2000;
        range.committed += 40;
        tell_load(&load);
    }
    facts = facts_at(0);
    assert_true(cluster_facts_writes(&facts, 3).now > 19 && cluster_facts_writes(&facts, 3).now < 21);
    assert_true(cluster_facts_writes(&facts, 3).mean > 15 && cluster_facts_writes(&facts, 3).mean < 21);
    assert_true(cluster_facts_writes(&facts, 2).now == 0);
    load.start = 2;
    load.at_ms += 2000;
    range.committed = 3;
    tell_load(&load);
    facts = facts_at(0);
    assert_true(cluster_facts_writes(&facts, 3).now == 0);
}

static void the_bytes_of_a_range_are_its_primarys_or_the_most_that_anybody_has(void **state) {
    struct load_range range = {.range = 1, .stored_bytes = 7 * KB};
    const struct load_record first = {.node = 1, .start = 1, .ranges = &range, .ranges_count = 1};
    const struct load_record second = {.node = 2, .start = 1, .ranges = &range, .ranges_count = 1};
    const struct range_record record = {.range = 1, .epoch = 1, .primary = 1, .in_sync = {1, 2}, .in_sync_count = 2};
    (void)state;
    tell_range(&record);
    tell_load(&second);
    struct cluster_facts facts = facts_at(0);
    assert_int_equal(cluster_facts_bytes(&facts, &facts.ranges[1]), 7 * KB);
    range.stored_bytes = 5 * KB;
    tell_load(&first);
    facts = facts_at(0);
    assert_int_equal(cluster_facts_bytes(&facts, &facts.ranges[1]), 5 * KB);
}

/* ---- ranges and moves ---- */

static void ranges_that_are_as_they_should_be_do_not_move(void **state) {
    const struct range_record record = {.range = 1, .epoch = 1, .primary = 1, .in_sync = {1, 2}, .in_sync_count = 2};
    const struct placement wish = {.range = 1, .holders = {2, 1}, .holders_count = 2, .primary = 1};
    struct cluster_move *moves;
    size_t count;
    (void)state;
    tell_range(&record);
    tell_placement(&wish);
    struct cluster_facts facts = facts_at(0);
    cluster_moves_list(&facts, &arena, &moves, &count);
    assert_int_equal(count, 0);
    assert_true(facts.ranges[1].since_ms == 0);
    assert_false(cluster_facts_holds_nothing(&facts, 3)); /* the other ranges are not known */
    struct cluster_holdings holdings = cluster_facts_holdings(&facts, 1);
    assert_true(holdings.primary == 1 && holdings.in_sync == 1 && holdings.learning == 0);
}

static void a_copy_is_followed_from_its_beginning_to_the_drop_of_the_old_one(void **state) {
    struct range_record record = {.range = 1, .epoch = 1, .primary = 1, .in_sync = {1, 2}, .in_sync_count = 2};
    const struct placement wish = {.range = 1, .holders = {1, 3}, .holders_count = 2, .primary = 3};
    struct load_learner learner = {
        .range = 1, .node = 3, .chunk = 2, .chunks = 8, .bytes_done = 2 * KB, .bytes_total = 8 * KB};
    struct load_record load = {.node = 1, .start = 1, .at_ms = 1000, .learners = &learner, .learners_count = 1};
    struct cluster_move *moves;
    size_t count;
    (void)state;
    tell("alive/" ID_3, "1", 0);
    tell_range(&record);
    tell_placement(&wish);
    struct cluster_facts facts = facts_at(0);
    cluster_moves_list(&facts, &arena, &moves, &count);
    assert_int_equal(count, 1);
    assert_true(moves[0].kind == BALANCER_COPY && moves[0].from == 2 && moves[0].to == 3);
    assert_true(moves[0].state == CLUSTER_LEARNING && moves[0].bytes_done == 0 && moves[0].started_ms > 0);

    record.learners[record.learners_count++] = 3;
    tell_range(&record);
    tell_load(&load);
    load.at_ms += 2000;
    learner.chunk = 6;
    learner.bytes_done = 6 * KB;
    tell_load(&load);
    facts = facts_at(0);
    cluster_moves_list(&facts, &arena, &moves, &count);
    assert_int_equal(count, 1);
    assert_true(moves[0].state == CLUSTER_LEARNING && moves[0].bytes_done == 6 * KB && moves[0].bytes_per_s > 0);

    learner.chunk = 8;
    tell_load(&load);
    facts = facts_at(0);
    cluster_moves_list(&facts, &arena, &moves, &count);
    assert_true(count == 1 && moves[0].state == CLUSTER_CATCHING_UP);

    record.learners_count = 0;
    record.in_sync[record.in_sync_count++] = 3;
    tell_range(&record);
    facts = facts_at(0);
    cluster_moves_list(&facts, &arena, &moves, &count);
    assert_int_equal(count, 2);
    assert_true(moves[0].kind == BALANCER_PRIMARY && moves[0].from == 1 && moves[0].to == 3);
    assert_true(moves[0].state == CLUSTER_HANDING_OVER);
    assert_true(moves[1].kind == BALANCER_DROP && moves[1].from == 2 && moves[1].to == 0);
    assert_true(moves[1].state == CLUSTER_DROPPING);
}

static void what_a_silent_node_is_to_get_does_not_move(void **state) {
    struct range_record record = {.range = 1,
                                  .epoch = 2,
                                  .primary = 1,
                                  .in_sync = {1, 4},
                                  .in_sync_count = 2,
                                  .learners = {3},
                                  .learners_count = 1};
    const struct placement wish = {.range = 1, .holders = {1, 2, 3}, .holders_count = 3, .primary = 1};
    struct cluster_move *moves;
    size_t count;
    (void)state;
    tell("alive/" ID_2, "1", 0);
    tell_range(&record);
    tell_placement(&wish);
    struct cluster_facts facts = facts_at(0);
    cluster_moves_list(&facts, &arena, &moves, &count);
    assert_int_equal(count, 1); /* and the copy that is one too many stays as long as one is missing */
    assert_true(moves[0].kind == BALANCER_COPY && moves[0].to == 2);
    tell("alive/" ID_2, NULL, 0);
    facts = facts_at(0);
    cluster_moves_list(&facts, &arena, &moves, &count);
    assert_int_equal(count, 0);
    tell("alive/" ID_3, "1", 0);
    facts = facts_at(0);
    cluster_moves_list(&facts, &arena, &moves, &count);
    assert_true(count == 1 && moves[0].to == 3);
}

static void who_leads_what_a_node_that_is_alive_learns_sends(void **state) {
    struct range_record record = {.range = 1,
                                  .epoch = 2,
                                  .primary = 2,
                                  .in_sync = {1, 2},
                                  .in_sync_count = 2,
                                  .learners = {3},
                                  .learners_count = 1};
    size_t count;
    (void)state;
    tell("alive/" ID_3, "1", 0);
    tell_range(&record);
    assert_false(cluster_view_is_sending(view, &count));
    assert_int_equal(count, 4);
    record.primary = 1;
    tell_range(&record);
    assert_true(cluster_view_is_sending(view, &count));
    tell("alive/" ID_3, NULL, 0);
    assert_false(cluster_view_is_sending(view, &count));
    tell("alive/" ID_3, "1", 0);
    record.learners_count = 0;
    tell_range(&record);
    assert_false(cluster_view_is_sending(view, &count));
}

static void a_silent_node_is_not_handed_a_range(void **state) {
    const struct range_record record = {.range = 1, .epoch = 1, .primary = 1, .in_sync = {1, 2}, .in_sync_count = 2};
    const struct placement wish = {.range = 1, .holders = {1, 2}, .holders_count = 2, .primary = 2};
    struct cluster_move *moves;
    size_t count;
    (void)state;
    tell_range(&record);
    tell_placement(&wish);
    struct cluster_facts facts = facts_at(0);
    cluster_moves_list(&facts, &arena, &moves, &count);
    assert_int_equal(count, 0);
    tell("alive/" ID_2, "1", 0);
    facts = facts_at(0);
    cluster_moves_list(&facts, &arena, &moves, &count);
    assert_true(count == 1 && moves[0].kind == BALANCER_PRIMARY);
}

static void a_silent_node_is_gone_after_its_time(void **state) {
    const struct cluster_moves_options options = {.replace_after_ms = 1000};
    struct balancer_input input;
    (void)state;
    tell_node(2, "two", admission_key);
    tell("alive/" ID_2, "1", 0);
    tell("alive/" ID_2, NULL, 5000);
    struct cluster_facts facts = facts_at(6000);
    cluster_moves_input(&facts, &options, &arena, &input);
    assert_true(input.nodes_count == 1 && !input.nodes[0].is_alive && !input.nodes[0].is_gone);
    facts = facts_at(6001);
    cluster_moves_input(&facts, &options, &arena, &input);
    assert_true(input.nodes[0].is_gone);
    assert_int_equal(input.ranges_count, 0);
}

static void a_placement_that_is_taken_away_wishes_for_nothing(void **state) {
    const struct placement wish = {.range = 1, .holders = {1, 3}, .holders_count = 2};
    (void)state;
    tell_placement(&wish);
    struct cluster_facts facts = facts_at(0);
    assert_true(facts.ranges[1].placement.holders_count == 2 && facts.ranges[1].placement_version == version);
    tell("placements/00001", NULL, 0);
    facts = facts_at(0);
    assert_true(facts.ranges[1].placement.holders_count == 0 && facts.ranges[1].placement_version == 0);
}

#define OF(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        OF(the_other_nodes_that_are_alive_are_known),
        OF(clients_are_sent_to_another_node_that_stays_and_says_where_it_is),
        OF(a_node_is_known_by_its_record_and_alive_by_its_announcement),
        OF(who_does_not_have_the_secret_is_no_node),
        OF(of_two_nodes_with_one_name_none_is_called_so),
        OF(a_node_of_which_nothing_is_left_is_forgotten),
        OF(what_is_not_understood_changes_nothing),
        OF(who_balances_and_whether_it_is_paused_is_told),
        OF(rates_come_of_two_records_of_one_life),
        OF(the_bytes_of_a_range_are_its_primarys_or_the_most_that_anybody_has),
        OF(ranges_that_are_as_they_should_be_do_not_move),
        OF(a_copy_is_followed_from_its_beginning_to_the_drop_of_the_old_one),
        OF(what_a_silent_node_is_to_get_does_not_move),
        OF(who_leads_what_a_node_that_is_alive_learns_sends),
        OF(a_silent_node_is_not_handed_a_range),
        OF(a_silent_node_is_gone_after_its_time),
        OF(a_placement_that_is_taken_away_wishes_for_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
