#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "bench/movements.h"

/* Two nodes, two ranges and at most one move, told again and again with changes. */
static struct movements movements;
static struct cluster_node nodes[2];
static struct cluster_range ranges[2];
static struct cluster_move move;
static struct cluster_state cluster;

static int begin(void **state) {
    (void)state;
    movements = (struct movements){0};
    nodes[0] = (struct cluster_node){.id = "a", .name = "node-1", .is_alive = true, .share = 1, .primaries = 2};
    nodes[1] = (struct cluster_node){.id = "b", .is_alive = true};
    for (uint32_t i = 0; i < 2; i++)
        ranges[i] = (struct cluster_range){.range = i, .epoch = 1, .primary = "a"};
    move = (struct cluster_move){.range = 1, .kind = "copy", .from = "a", .to = "b"};
    cluster =
        (struct cluster_state){.nodes = nodes, .nodes_count = 1, .ranges = ranges, .ranges_count = 2, .moves = &move};
    return 0;
}

static int end(void **state) {
    (void)state;
    movements_close(&movements);
    return 0;
}

static void note(double asked_before_s, double answered_s) {
    movements_note(&movements, &cluster, asked_before_s, answered_s);
}

static void a_new_primary_is_a_hand_over_between_two_looks(void **state) {
    (void)state;
    cluster.nodes_count = 2;
    note(0, 0.1);
    note(0, 0.3);
    assert_int_equal(movements.hand_overs_count, 0);
    ranges[1] = (struct cluster_range){.range = 1, .epoch = 2, .primary = "b"};
    note(0.25, 0.6);
    assert_int_equal(movements.hand_overs_count, 1);
    const struct hand_over *hand_over = &movements.hand_overs[0];
    assert_int_equal(hand_over->range, 1);
    assert_int_equal(hand_over->epoch, 2);
    assert_string_equal(movements_node_name(&movements, hand_over->from), "node-1");
    assert_string_equal(movements_node_name(&movements, hand_over->to), "b");
    assert_true(hand_over->after_s == 0.25 && hand_over->until_s == 0.6);
}

static void what_a_node_tells_that_lags_is_passed_over(void **state) {
    (void)state;
    cluster.nodes_count = 2;
    ranges[0] = (struct cluster_range){.range = 0, .epoch = 5, .primary = "b"};
    note(0, 1);
    ranges[0] = (struct cluster_range){.range = 0, .epoch = 4, .primary = "a"};
    note(1, 2);
    assert_int_equal(movements.hand_overs_count, 0);
}

static void other_changes_of_a_record_are_no_hand_over(void **state) {
    (void)state;
    note(0, 1);
    ranges[0].epoch = 9;
    note(1, 2);
    assert_int_equal(movements.hand_overs_count, 0);
}

static void a_move_lasts_from_its_first_look_to_its_last(void **state) {
    (void)state;
    cluster.nodes_count = 2;
    note(0, 1);
    cluster.moves_count = 1;
    move.bytes_done = 10;
    note(1, 2);
    move.bytes_done = 30;
    note(2, 3);
    cluster.moves_count = 0;
    note(3, 4);
    assert_int_equal(movements.moves_count, 1);
    assert_true(movements.moves[0].from_s == 1 && movements.moves[0].until_s == 3);
    assert_int_equal(movements.moves[0].bytes, 30);
    assert_false(movements.moves[0].is_under_way);
    cluster.moves_count = 1;
    note(4, 5);
    assert_int_equal(movements.moves_count, 2);
}

static void nodes_are_known_before_and_after(void **state) {
    (void)state;
    note(0, 1);
    cluster.nodes_count = 2;
    nodes[0].share = 0.25;
    nodes[0].primaries = 1;
    nodes[1].share = 0.75;
    note(1, 2);
    assert_int_equal(movements.nodes_count, 2);
    assert_true(movements.nodes[0].was_there_before && movements.nodes[0].is_there_after);
    assert_true(movements.nodes[0].share_before == 1 && movements.nodes[0].share_after == 0.25);
    assert_int_equal(movements.nodes[0].primaries_before, 2);
    assert_int_equal(movements.nodes[0].primaries_after, 1);
    assert_true(!movements.nodes[1].was_there_before && movements.nodes[1].is_there_after);
    nodes[0].is_alive = false;
    note(2, 3);
    assert_false(movements.nodes[0].is_there_after);
}

static void shares_are_sampled_once_a_second(void **state) {
    (void)state;
    note(0, 0);
    note(0, 0.5);
    cluster.nodes_count = 2;
    note(0.5, 1.0);
    nodes[0].is_alive = false;
    note(1.0, 2.2);
    assert_int_equal(movements.samples_count, 3);
    assert_true(movements.samples[0].shares[0] == 1);
    assert_true(movements.samples[0].shares[1] < 0);
    assert_true(movements.samples[1].shares[1] >= 0);
    assert_true(movements.samples[2].shares[0] < 0);
}

static void ranges_and_nodes_that_cannot_be_are_passed_over(void **state) {
    (void)state;
    ranges[0].range = UINT32_MAX;
    strcpy(ranges[1].primary, "nobody knows");
    note(0, 1);
    ranges[1] = (struct cluster_range){.range = 1, .epoch = 2, .primary = "a"};
    note(1, 2);
    assert_int_equal(movements.hand_overs_count, 1);
    assert_string_equal(movements_node_name(&movements, movements.hand_overs[0].from), "nobody");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

static void shares_are_those_of_nodes_that_are_to_stay(void **state) {
    (void)state;
    cluster.nodes_count = 2;
    nodes[0].share = 0.75;
    nodes[1].share = 0.25;
    note(0, 1);
    nodes[1].is_draining = true;
    note(2, 3);
    assert_null(movements_shares_before(&movements, 0.5));
    const struct share_sample *sample = movements_shares_before(&movements, 2.9);
    assert_true(sample->at_s == 1 && sample->shares[1] == 0.25 && sample->shares[2] < 0);
    assert_true(share_sample_furthest(sample) == 0.5);
    sample = movements_shares_before(&movements, INFINITY);
    assert_true(sample->at_s == 3 && sample->shares[1] < 0);
    assert_true(share_sample_furthest(sample) == 0.25);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_new_primary_is_a_hand_over_between_two_looks),
        TEST(what_a_node_tells_that_lags_is_passed_over),
        TEST(other_changes_of_a_record_are_no_hand_over),
        TEST(a_move_lasts_from_its_first_look_to_its_last),
        TEST(nodes_are_known_before_and_after),
        TEST(shares_are_sampled_once_a_second),
        TEST(shares_are_those_of_nodes_that_are_to_stay),
        TEST(ranges_and_nodes_that_cannot_be_are_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
