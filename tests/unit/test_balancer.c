#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/balancer_fixture.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NODES 6

/* ---- tables: nodes and one range before, its wish after one call ---- */

/* How a node is: a letter each. */
enum { ALIVE = 'a', SILENT = 's', GONE = 'g', DRAINING = 'd', STUCK = 'x', ABSENT = '-' };

struct row {
    const char *name;
    const char *nodes;       /* a letter for each of the nodes 1 to 6 */
    const char *zones;       /* a digit for each, 0 or shorter: none */
    uint64_t in_sync[NODES]; /* the first leads */
    uint64_t learners[NODES];
    uint64_t wished[NODES]; /* the first is to lead; none: nothing is wished */
    bool is_manual;
    size_t min_in_sync;       /* 0: 2 */
    uint64_t expected[NODES]; /* none: nothing is written */
    uint64_t primary;
    size_t blocked;
};

static const struct row REPAIRS[] = {
    {.name = "what is without a wish is wished",
     .nodes = "aaa",
     .in_sync = {2, 1, 3},
     .expected = {2, 1, 3},
     .primary = 2},
    {.name = "nothing is done where all is well", .nodes = "aaa", .in_sync = {1, 2, 3}, .wished = {1, 2, 3}},
    {.name = "a gone node is replaced",
     .nodes = "aaga",
     .in_sync = {1, 2},
     .wished = {1, 2, 3},
     .expected = {1, 2, 4},
     .primary = 1},
    {.name = "an unknown node is replaced",
     .nodes = "aa-a",
     .in_sync = {1, 2, 3},
     .wished = {1, 2, 3},
     .expected = {1, 2, 4},
     .primary = 1},
    {.name = "a copy that a node does not get on with goes to another one",
     .nodes = "aaxa",
     .in_sync = {1, 2},
     .learners = {3},
     .wished = {1, 2, 3},
     .expected = {1, 2, 4},
     .primary = 1},
    {.name = "a move to a node that does not get on is taken back",
     .nodes = "aaax",
     .in_sync = {1, 2, 3},
     .learners = {4},
     .wished = {1, 2, 4},
     .expected = {1, 2, 3},
     .primary = 1},
    {.name = "also when it was to lead",
     .nodes = "aaax",
     .in_sync = {1, 2, 3},
     .learners = {4},
     .wished = {4, 2, 3},
     .expected = {1, 2, 3},
     .primary = 2},
    {.name = "and when an operator wished it",
     .nodes = "aaax",
     .in_sync = {1, 2, 3},
     .learners = {4},
     .wished = {1, 2, 4},
     .is_manual = true,
     .expected = {1, 2, 3},
     .primary = 1},
    {.name = "a node that does not get on with others keeps what it has",
     .nodes = "aaxa",
     .in_sync = {3, 1, 2},
     .wished = {3, 1, 2}},
    {.name = "a node that does not get on is waited for where nobody else is",
     .nodes = "aax",
     .in_sync = {1, 2},
     .learners = {3},
     .wished = {1, 2, 3}},
    {.name = "and keeps a node from being emptied",
     .nodes = "aadx",
     .in_sync = {1, 2, 3},
     .learners = {4},
     .wished = {1, 2, 4},
     .blocked = 1},
    {.name = "no copy goes to a node that does not get on", .nodes = "aax", .in_sync = {1, 2}, .wished = {1, 2}},
    {.name = "a silent node is waited for", .nodes = "aasa", .in_sync = {1, 2}, .learners = {3}, .wished = {1, 2, 3}},
    {.name = "a gone node keeps its place where nobody can take it",
     .nodes = "aag",
     .in_sync = {1, 2},
     .wished = {1, 2, 3}},
    {.name = "a gone primary's place and lead are taken",
     .nodes = "gaaa",
     .in_sync = {2, 3},
     .wished = {1, 2, 3},
     .expected = {4, 2, 3},
     .primary = 2},
    {.name = "a gone primary without a replacement does not stay the wished one",
     .nodes = "gaa",
     .in_sync = {2, 3},
     .wished = {1, 2, 3},
     .expected = {1, 2, 3},
     .primary = 2},
    {.name = "a range that nobody alive has is let be", .nodes = "gaaa", .in_sync = {1}, .wished = {1, 2, 3}},
    {.name = "a node that is to be emptied is replaced",
     .nodes = "aada",
     .in_sync = {1, 2, 3},
     .wished = {1, 2, 3},
     .expected = {1, 2, 4},
     .primary = 1},
    {.name = "a primary that is to be emptied hands over to who has it",
     .nodes = "daaa",
     .in_sync = {1, 2, 3},
     .wished = {1, 2, 3},
     .expected = {4, 2, 3},
     .primary = 2},
    {.name = "three nodes become two",
     .nodes = "aad",
     .in_sync = {1, 2, 3},
     .wished = {1, 2, 3},
     .expected = {1, 2},
     .primary = 1},
    {.name = "two nodes do not become one where two are asked for",
     .nodes = "ad",
     .in_sync = {1, 2},
     .wished = {1, 2},
     .blocked = 1},
    {.name = "two nodes become one where one is enough",
     .nodes = "da",
     .in_sync = {1, 2},
     .wished = {1, 2},
     .min_in_sync = 1,
     .expected = {2},
     .primary = 2},
    {.name = "who cannot be replaced hands over at least",
     .nodes = "da",
     .in_sync = {1, 2},
     .wished = {1, 2},
     .expected = {1, 2},
     .primary = 2,
     .blocked = 1},
    {.name = "all are to be emptied", .nodes = "ddd", .in_sync = {1, 2, 3}, .wished = {1, 2, 3}, .blocked = 3},
    {.name = "a copy is missing",
     .nodes = "aaa",
     .in_sync = {1, 2},
     .wished = {1, 2},
     .expected = {1, 2, 3},
     .primary = 1},
    {.name = "two copies are missing",
     .nodes = "aaa",
     .in_sync = {2},
     .wished = {2},
     .expected = {2, 1, 3},
     .primary = 2},
    {.name = "a copy is too much",
     .nodes = "aaaa",
     .in_sync = {1, 2, 3, 4},
     .wished = {1, 2, 3, 4},
     .expected = {1, 3, 4},
     .primary = 1},
    {.name = "the copy too much is the one of a gone node",
     .nodes = "aaag",
     .in_sync = {1, 2, 3},
     .wished = {1, 2, 3, 4},
     .expected = {1, 2, 3},
     .primary = 1},
    {.name = "the copy too much is one of two in a zone",
     .nodes = "aaaa",
     .zones = "1223",
     .in_sync = {4, 2, 3, 1},
     .wished = {4, 2, 3, 1},
     .expected = {4, 3, 1},
     .primary = 4},
    {.name = "two copies in a zone are parted",
     .nodes = "aaaa",
     .zones = "1123",
     .in_sync = {1, 2, 3},
     .wished = {1, 2, 3},
     .expected = {1, 4, 3},
     .primary = 1},
    {.name = "two copies in a zone stay where no other zone is",
     .nodes = "aaaa",
     .zones = "1212",
     .in_sync = {1, 2, 3},
     .wished = {1, 2, 3}},
    {.name = "the replacement comes from a zone without a copy",
     .nodes = "aagaa",
     .zones = "12312",
     .in_sync = {1, 2},
     .wished = {1, 2, 3},
     .expected = {1, 2, 4},
     .primary = 1},
    {.name = "another zone comes before one that has a copy",
     .nodes = "aagaaa",
     .zones = "122123",
     .in_sync = {1, 2},
     .wished = {1, 2, 3},
     .expected = {1, 2, 6},
     .primary = 1},
    {.name = "a range under way is let be",
     .nodes = "aaaa",
     .zones = "1123",
     .in_sync = {1, 2, 3},
     .learners = {4},
     .wished = {1, 2, 4}},
    {.name = "the target of a move is gone: back to who has it",
     .nodes = "aaaga",
     .in_sync = {1, 2, 3},
     .learners = {4},
     .wished = {1, 2, 4},
     .expected = {1, 2, 3},
     .primary = 1},
    {.name = "the target of a move is to be emptied, and so is the source: on to another",
     .nodes = "aadda",
     .in_sync = {1, 2, 3},
     .learners = {4},
     .wished = {1, 2, 4},
     .expected = {1, 2, 5},
     .primary = 1},
    {.name = "who learns it already goes on",
     .nodes = "aagaa",
     .in_sync = {1, 2},
     .learners = {5},
     .wished = {1, 2, 3},
     .expected = {1, 2, 5},
     .primary = 1},
    {.name = "a manual wish is kept", .nodes = "aaaa", .in_sync = {1, 2, 3}, .wished = {1, 2, 3, 4}, .is_manual = true},
    {.name = "a manual wish that cannot be is not",
     .nodes = "aaag",
     .in_sync = {1, 2, 3},
     .wished = {1, 2, 4},
     .is_manual = true,
     .expected = {1, 2, 3},
     .primary = 1},
    {.name = "a learner that is lost holds nothing up",
     .nodes = "aa-",
     .in_sync = {1, 2},
     .learners = {3},
     .expected = {1, 2},
     .primary = 1},
    {.name = "a wish that leaves too few is filled up",
     .nodes = "aaa",
     .in_sync = {1, 2, 3},
     .wished = {1},
     .expected = {1, 2, 3},
     .primary = 1},
    {.name = "what a range does by itself is let be", .nodes = "aaa", .in_sync = {1, 2}, .learners = {3}},
    {.name = "nobody is alive", .nodes = "ggg", .in_sync = {1, 2, 3}, .wished = {1, 2, 3}},
};

static size_t nodes_count(const uint64_t *nodes) {
    size_t count = 0;
    while (count < NODES && nodes[count] != 0)
        count++;
    return count;
}

static struct fixture *row_set(const struct row *row) {
    struct fixture *fixture = fixture_new(0, 1);
    for (size_t i = 0; row->nodes[i] != '\0'; i++) {
        if (row->nodes[i] == ABSENT)
            continue;
        fixture_join(fixture, i + 1);
        struct balancer_node *node = fixture_node(fixture, i + 1);
        node->is_alive = strchr("adx", row->nodes[i]) != NULL;
        node->is_gone = row->nodes[i] == GONE;
        node->is_draining = row->nodes[i] == DRAINING;
        node->is_stuck = row->nodes[i] == STUCK;
        if (row->zones != NULL && i < strlen(row->zones) && row->zones[i] != '0')
            fixture_zone(fixture, i + 1, (unsigned)(row->zones[i] - '0'));
    }
    if (row->min_in_sync > 0)
        fixture->settings.min_in_sync = row->min_in_sync;
    struct balancer_range *range = fixture_range(fixture, row->in_sync, nodes_count(row->in_sync));
    range->record.learners_count = nodes_count(row->learners);
    memcpy(range->record.learners, row->learners, sizeof(row->learners));
    range->placement.holders_count = nodes_count(row->wished);
    memcpy(range->placement.holders, row->wished, sizeof(row->wished));
    range->placement.primary = row->wished[0];
    range->is_manual = row->is_manual;
    return fixture;
}

static void a_range_is_repaired(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(REPAIRS); i++) {
        const struct row *row = &REPAIRS[i];
        struct fixture *fixture = row_set(row);
        fixture_next(fixture);
        const struct balancer_decision *decision = &fixture->decision;
        size_t count = nodes_count(row->expected);
        if (decision->placements_count != (count > 0) || decision->blocked_count != row->blocked)
            fail_msg("%s: %zu wishes, %zu blocked", row->name, decision->placements_count, decision->blocked_count);
        if (count > 0 &&
            (decision->placements[0].holders_count != count || decision->placements[0].primary != row->primary ||
             memcmp(decision->placements[0].holders, row->expected, count * sizeof(uint64_t)) != 0))
            fail_msg("%s: %zu wished, the first three %d %d %d, led by %d", row->name,
                     decision->placements[0].holders_count, (int)decision->placements[0].holders[0],
                     (int)decision->placements[0].holders[1], (int)decision->placements[0].holders[2],
                     (int)decision->placements[0].primary);
        fixture_free(fixture);
    }
}

/* ---- what comes first, and how much at a time ---- */

/* As many ranges as there are reasons to move one, on six nodes. */
static struct fixture *reasons_new(void) {
    struct fixture *fixture = fixture_new(6, 1);
    for (uint64_t i = 1; i <= 6; i++)
        fixture_zone(fixture, i, i == 2 ? 1 : (unsigned)i);
    fixture_range(fixture, (uint64_t[]){1, 2, 3}, 3); /* a zone */
    fixture_range(fixture, (uint64_t[]){1, 3}, 2);    /* the factor */
    fixture_range(fixture, (uint64_t[]){1, 3, 5}, 3); /* to be emptied */
    fixture_range(fixture, (uint64_t[]){1, 3, 6}, 3); /* gone */
    fixture_node(fixture, 5)->is_draining = true;
    fixture_lose(fixture, 6);
    for (size_t i = 0; i < 4; i++) {
        struct balancer_range *range = &fixture->ranges[i];
        range->placement = (struct placement){
            .range = (uint32_t)i, .holders_count = range->record.in_sync_count, .primary = range->record.primary};
        memcpy(range->placement.holders, range->record.in_sync, sizeof(range->record.in_sync));
    }
    return fixture;
}

static void what_is_lost_comes_first_then_drains_the_factor_and_zones(void **state) {
    static const uint32_t order[] = {3, 2, 1, 0};
    (void)state;
    struct fixture *fixture = reasons_new();
    fixture->settings.moves_max = 1;
    for (size_t i = 0; i < COUNT(order); i++) {
        fixture_next(fixture);
        assert_int_equal(fixture->decision.placements_count, 1);
        assert_int_equal(fixture->decision.placements[0].range, order[i]);
        fixture_write(fixture);
        fixture_carry_out(fixture);
    }
    fixture_free(fixture);
}

static void only_so_many_ranges_are_under_way(void **state) {
    (void)state;
    for (size_t moves_max = 0; moves_max <= 3; moves_max++) {
        struct fixture *fixture = reasons_new();
        fixture->settings.moves_max = moves_max;
        fixture_next(fixture);
        assert_int_equal(fixture->decision.placements_count, moves_max);
        assert_int_equal(fixture->decision.under_way_count, 0);
        fixture_write(fixture);
        fixture_next(fixture);
        assert_int_equal(fixture->decision.placements_count, 0);
        assert_int_equal(fixture->decision.under_way_count, moves_max);
        assert_false(fixture->decision.is_balanced);
        fixture_free(fixture);
    }
}

static void a_move_that_leads_nowhere_holds_no_place(void **state) {
    (void)state;
    struct fixture *fixture = fixture_new(5, 1);
    fixture->settings.moves_max = 1;
    fixture_ranges(fixture, 2, 3);
    fixture->ranges[0].placement =
        (struct placement){.range = 0, .holders = {1, 2, 4}, .holders_count = 3, .primary = 1};
    fixture->ranges[1].placement =
        (struct placement){.range = 1, .holders = {2, 3, 1}, .holders_count = 3, .primary = 2};
    fixture_node(fixture, 3)->is_draining = true;
    fixture_next(fixture);
    assert_int_equal(fixture->decision.placements_count, 0);
    assert_int_equal(fixture->decision.under_way_count, 1);
    fixture_node(fixture, 4)->is_stuck = true;
    fixture_next(fixture);
    assert_int_equal(fixture->decision.under_way_count, 0);
    assert_int_equal(fixture->decision.placements_count, 1);
    assert_int_equal(fixture->decision.placements[0].range, 0);
    assert_true(placement_has(&fixture->decision.placements[0], 5));
    fixture_free(fixture);
}

/* ---- load ---- */

static void pinned(struct fixture *fixture) {
    size_t moves_max = fixture->settings.moves_max;
    fixture->settings.moves_max = 0;
    assert_true(fixture_converge(fixture, 100));
    fixture->settings.moves_max = moves_max;
    fixture_begin(fixture);
}

static void a_hot_node_hands_over_and_copies_nothing(void **state) {
    (void)state;
    struct fixture *fixture = fixture_new(3, 1);
    for (size_t i = 0; i < 60; i++)
        fixture_range(fixture, (uint64_t[]){1, 2, 3}, 3);
    pinned(fixture);
    assert_true(fixture_unevenness(fixture) > 0.9);
    assert_true(fixture_converge(fixture, 100));
    assert_int_equal(fixture->copies, 0);
    assert_true(fixture->hand_overs >= 36 && fixture->hand_overs <= 40);
    assert_true(fixture_unevenness(fixture) < 0.1);
    fixture_free(fixture);
}

static void deliveries_weigh_where_they_are_made(void **state) {
    (void)state;
    struct fixture *fixture = fixture_new(3, 1);
    fixture_ranges(fixture, 30, 3);
    for (size_t i = 0; i < 30; i += 3)
        fixture->ranges[i].deliveries_per_s = 10000; /* all of them led by node 1 */
    pinned(fixture);
    assert_true(fixture_converge(fixture, 100));
    assert_int_equal(fixture->copies, 0);
    assert_true(fixture->hand_overs > 0);
    assert_true(fixture_unevenness(fixture) < 0.15);
    fixture_free(fixture);
}

/* Changes told, of a cluster with 200 of them in a second; of the node that is furthest from even. */
static double told_unevenness(const struct fixture *fixture) {
    double told[4] = {0}, sum = 0, furthest = 0;
    for (size_t i = 0; i < fixture->ranges_count; i++) {
        told[fixture->ranges[i].record.primary] += fixture->ranges[i].deliveries_per_s;
        sum += fixture->ranges[i].deliveries_per_s;
    }
    for (size_t node = 1; node <= 3; node++)
        furthest = fmax(furthest, fabs(told[node] * 3 / sum - 1));
    return furthest;
}

static void a_few_changes_a_second_are_a_load(void **state) {
    (void)state;
    struct fixture *fixture = fixture_new(3, 1);
    fixture_ranges(fixture, 60, 3);
    for (size_t i = 0; i < 60; i++)
        fixture->ranges[i].writes_per_s = fixture->ranges[i].deliveries_per_s = i % 3 == 0 ? 6 : 2;
    pinned(fixture);
    assert_true(told_unevenness(fixture) > 0.7);
    assert_true(fixture_converge(fixture, 100));
    assert_true(fixture->copies == 0 && told_unevenness(fixture) < 0.15);
    fixture_free(fixture);
}

static void stored_bytes_weigh_on_every_copy(void **state) {
    (void)state;
    struct fixture *fixture = fixture_new(6, 1);
    fixture_ranges(fixture, 60, 6);
    for (size_t i = 0; i < 60; i += 6)
        fixture->ranges[i].bytes = 1000000000; /* on nodes 1, 2 and 3 */
    pinned(fixture);
    assert_true(fixture_converge(fixture, 100));
    assert_true(fixture->copies > 0 && fixture->copies < 30);
    assert_true(fixture_unevenness(fixture) < 0.15);
    fixture_free(fixture);
}

/* At 10 % below, it would begin anew with the next change of the loads. */
static void what_has_begun_goes_on_until_it_is_well_within_the_tolerance(void **state) {
    (void)state;
    struct fixture *fixture = fixture_new(4, 1);
    fixture_ranges(fixture, 120, 3);
    assert_true(fixture_converge(fixture, 200));
    assert_in_range(fixture_copies_on(fixture, 4), 83, 90);
    fixture_free(fixture);
}

static void nothing_is_balanced_while_a_node_is_silent(void **state) {
    (void)state;
    struct fixture *fixture = fixture_new(4, 1);
    fixture_ranges(fixture, 30, 3);
    pinned(fixture);
    fixture_node(fixture, 3)->is_alive = false;
    fixture_next(fixture);
    assert_int_equal(fixture->decision.placements_count, 0);
    fixture_node(fixture, 3)->is_alive = true;
    fixture_next(fixture);
    assert_int_equal(fixture->decision.placements_count, fixture->settings.moves_max);
    fixture_free(fixture);
}

static void an_empty_cluster_is_balanced(void **state) {
    (void)state;
    struct fixture *fixture = fixture_new(0, 1);
    fixture_next(fixture);
    assert_true(fixture->decision.is_balanced);
    fixture_join(fixture, 1);
    fixture_next(fixture);
    assert_true(fixture->decision.is_balanced);
    assert_int_equal(fixture->decision.placements_count, 0);
    fixture_free(fixture);
}

/* Wishes that say what is already so are written down and move nothing. A lone node never writes any. */
static void what_is_even_and_not_wished_yet_is_balanced(void **state) {
    (void)state;
    for (uint64_t nodes = 1; nodes <= 3; nodes += 2) {
        struct fixture *fixture = fixture_new(nodes, 1);
        fixture_ranges(fixture, 12, nodes);
        fixture_next(fixture);
        assert_int_equal(fixture->decision.placements_count, 12);
        assert_true(fixture->decision.is_balanced);
        fixture_free(fixture);
    }
}

static void equal_ranges_without_load_are_spread_by_number(void **state) {
    (void)state;
    struct fixture *fixture = fixture_new(4, 1);
    fixture->settings.factor = 1;
    fixture->settings.min_in_sync = 1;
    fixture_ranges(fixture, 64, 1);
    assert_true(fixture_converge(fixture, 100));
    for (uint64_t i = 1; i <= 4; i++)
        assert_in_range(fixture_copies_on(fixture, i), 14, 18);
    fixture_free(fixture);
}

/* ---- shares and the forecast ---- */

static void shares_are_of_copies_and_of_leads(void **state) {
    double shares[3] = {0};
    (void)state;
    struct fixture *fixture = fixture_new(3, 1);
    fixture_range(fixture, (uint64_t[]){1, 2}, 2);
    fixture_range(fixture, (uint64_t[]){2, 1}, 2);
    fixture_range(fixture, (uint64_t[]){1, 2}, 2);
    fixture->ranges[0].placement = (struct placement){.holders = {3, 2}, .holders_count = 2, .primary = 3};
    struct balancer_input input = fixture_input(fixture);
    balancer_shares(&input, &fixture->arena, shares);
    assert_true(fabs(shares[0] - (0.25 + 1.0 / 3)) < 0.001);
    assert_true(fabs(shares[1] - (0.25 + 0.5 / 3)) < 0.001);
    assert_true(shares[2] == 0);
    fixture_free(fixture);
}

static void a_forecast_lists_copies_hand_overs_and_drops(void **state) {
    struct balancer_forecast forecast;
    (void)state;
    struct fixture *fixture = fixture_new(4, 1);
    struct balancer_range *range = fixture_range(fixture, (uint64_t[]){1, 2, 3}, 3);
    range->bytes = 1000;
    range->placement = (struct placement){.holders = {1, 2, 3}, .holders_count = 3, .primary = 1};
    fixture_node(fixture, 1)->is_draining = true;
    struct balancer_input input = fixture_input(fixture);
    balancer_plan(&input, &fixture->arena, &forecast);
    assert_int_equal(forecast.moves_count, 3);
    assert_true(forecast.is_complete && !forecast.is_blocked);
    assert_int_equal(forecast.bytes, 1000);
    const struct balancer_move *moves = forecast.moves;
    assert_int_equal(moves[0].kind, BALANCER_COPY);
    assert_int_equal(moves[0].from, 1);
    assert_int_equal(moves[0].to, 4);
    assert_int_equal(moves[0].bytes, 1000);
    assert_int_equal(moves[1].kind, BALANCER_PRIMARY);
    assert_int_equal(moves[1].from, 1);
    assert_int_equal(moves[1].to, 2);
    assert_int_equal(moves[2].kind, BALANCER_DROP);
    assert_int_equal(moves[2].from, 1);
    assert_true(forecast.shares[0] == 0);
    fixture_free(fixture);
}

static void a_forecast_begins_with_what_is_under_way(void **state) {
    struct balancer_forecast forecast;
    (void)state;
    struct fixture *fixture = fixture_new(4, 1);
    struct balancer_range *range = fixture_range(fixture, (uint64_t[]){1, 2, 3}, 3);
    range->record.learners[0] = 4;
    range->record.learners_count = 1;
    range->placement = (struct placement){.holders = {1, 2, 4}, .holders_count = 3, .primary = 1};
    struct balancer_input input = fixture_input(fixture);
    balancer_plan(&input, &fixture->arena, &forecast);
    assert_int_equal(forecast.moves_count, 2);
    assert_int_equal(forecast.moves[0].kind, BALANCER_COPY);
    assert_int_equal(forecast.moves[0].from, 3);
    assert_int_equal(forecast.moves[0].to, 4);
    assert_int_equal(forecast.moves[1].kind, BALANCER_DROP);
    assert_int_equal(forecast.moves[1].from, 3);
    fixture_free(fixture);
}

static void a_forecast_says_that_a_drain_is_blocked(void **state) {
    struct balancer_forecast forecast;
    (void)state;
    struct fixture *fixture = fixture_new(2, 1);
    fixture_ranges(fixture, 4, 2);
    fixture_node(fixture, 2)->is_draining = true;
    struct balancer_input input = fixture_input(fixture);
    balancer_plan(&input, &fixture->arena, &forecast);
    assert_true(forecast.is_blocked && forecast.is_complete);
    fixture_free(fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_range_is_repaired),
        cmocka_unit_test(what_is_lost_comes_first_then_drains_the_factor_and_zones),
        cmocka_unit_test(only_so_many_ranges_are_under_way),
        cmocka_unit_test(a_move_that_leads_nowhere_holds_no_place),
        cmocka_unit_test(a_hot_node_hands_over_and_copies_nothing),
        cmocka_unit_test(deliveries_weigh_where_they_are_made),
        cmocka_unit_test(a_few_changes_a_second_are_a_load),
        cmocka_unit_test(stored_bytes_weigh_on_every_copy),
        cmocka_unit_test(what_has_begun_goes_on_until_it_is_well_within_the_tolerance),
        cmocka_unit_test(nothing_is_balanced_while_a_node_is_silent),
        cmocka_unit_test(an_empty_cluster_is_balanced),
        cmocka_unit_test(what_is_even_and_not_wished_yet_is_balanced),
        cmocka_unit_test(equal_ranges_without_load_are_spread_by_number),
        cmocka_unit_test(shares_are_of_copies_and_of_leads),
        cmocka_unit_test(a_forecast_lists_copies_hand_overs_and_drops),
        cmocka_unit_test(a_forecast_begins_with_what_is_under_way),
        cmocka_unit_test(a_forecast_says_that_a_drain_is_blocked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
