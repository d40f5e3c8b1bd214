/* What has to be true of every decision of the balancer, over maps and histories made by chance. WEFT_BALANCER_MAPS:
 * how many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/balancer_fixture.h"

#define MAPS_DEFAULT 1000
#define EVENTS 12
#define NODES_LIVE_MAX 12

static uint64_t maps_count(void) {
    const char *text = getenv("WEFT_BALANCER_MAPS");
    return text == NULL ? MAPS_DEFAULT : strtoull(text, NULL, 10);
}

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

/* ---- maps and loads by chance ---- */

static double part(struct fixture *fixture) {
    return ((double)fixture_below(fixture, 1000000) + 1) / 1000000;
}

/* All alike, up to twice as much, or a few that are much heavier than the others. */
enum skew { SKEW_NONE, SKEW_EVEN, SKEW_HEAVY, SKEWS };

static double weight(struct fixture *fixture, enum skew skew) {
    return skew == SKEW_NONE ? 1 : skew == SKEW_EVEN ? 2 * part(fixture) : pow(part(fixture), -0.6);
}

static void loads_choose(struct fixture *fixture, enum skew skew) {
    for (size_t i = 0; i < fixture->ranges_count; i++) {
        fixture->ranges[i].bytes = (uint64_t)(1e9 * weight(fixture, skew));
        fixture->ranges[i].writes_per_s = 1000 * weight(fixture, skew);
        fixture->ranges[i].deliveries_per_s = 10000 * weight(fixture, skew);
    }
}

static void zones_choose(struct fixture *fixture) {
    uint64_t zones = fixture_below(fixture, 5);
    for (size_t i = 0; zones > 0 && i < fixture->nodes_count; i++)
        if (fixture_below(fixture, 10) > 0)
            fixture_zone(fixture, fixture->nodes[i].id, (unsigned)fixture_below(fixture, zones));
}

static struct fixture *map_new(uint64_t seed) {
    struct fixture *fixture = fixture_new(0, seed);
    size_t nodes = 1 + fixture_below(fixture, NODES_LIVE_MAX);
    for (size_t i = 0; i < nodes; i++)
        fixture_join(fixture, i + 1);
    fixture->settings.factor = 1 + fixture_below(fixture, RANGE_REPLICAS_MAX);
    fixture->settings.min_in_sync = 1 + fixture_below(fixture, fixture->settings.factor);
    fixture->settings.moves_max = 1 + fixture_below(fixture, 6);
    zones_choose(fixture);
    fixture_ranges(fixture, 1 + fixture_below(fixture, 64), 1 + fixture_below(fixture, nodes));
    loads_choose(fixture, (enum skew)fixture_below(fixture, SKEWS));
    return fixture;
}

/* ---- what is true of every decision ---- */

static bool may_hold(struct fixture *fixture, uint64_t id) {
    const struct balancer_node *node = fixture_node(fixture, id);
    return node != NULL && node->is_alive && !node->is_draining && !node->is_gone;
}

static bool may_stay(struct fixture *fixture, uint64_t id) {
    const struct balancer_node *node = fixture_node(fixture, id);
    return node != NULL && !node->is_draining && !node->is_gone;
}

static bool is_there(struct fixture *fixture, uint64_t id) {
    const struct balancer_node *node = fixture_node(fixture, id);
    return node != NULL && !node->is_gone;
}

static size_t count_of(struct fixture *fixture, const uint64_t *nodes, size_t count,
                       bool (*is_it)(struct fixture *, uint64_t)) {
    size_t found = 0;
    for (size_t i = 0; i < count; i++)
        found += is_it(fixture, nodes[i]);
    return found;
}

static size_t staying_count(struct fixture *fixture) {
    size_t count = 0;
    for (size_t i = 0; i < fixture->nodes_count; i++)
        count += may_stay(fixture, fixture->nodes[i].id);
    return count;
}

static bool are_in_one_zone(struct fixture *fixture, uint64_t a, uint64_t b) {
    struct balancer_node *nodes[] = {fixture_node(fixture, a), fixture_node(fixture, b)};
    return a == b || (nodes[0] != NULL && nodes[1] != NULL && nodes[0]->zone.size > 0 &&
                      bytes_equal(nodes[0]->zone, nodes[1]->zone));
}

static size_t zones_count(struct fixture *fixture, const uint64_t *nodes, size_t count) {
    size_t zones = 0;
    for (size_t i = 0; i < count; i++) {
        size_t j = 0;
        while (j < i && !are_in_one_zone(fixture, nodes[i], nodes[j]))
            j++;
        zones += j == i;
    }
    return zones;
}

static struct placement wish_before(const struct balancer_range *range) {
    struct placement wish = range->placement;
    if (wish.holders_count > 0)
        return wish;
    wish = (struct placement){.range = range->record.range, .primary = range->record.primary};
    for (size_t i = 0; i < range->record.in_sync_count; i++)
        wish.holders[wish.holders_count++] = range->record.in_sync[i];
    for (size_t i = 0; i < range->record.learners_count; i++)
        wish.holders[wish.holders_count++] = range->record.learners[i];
    return wish;
}

static void demand_sound(struct fixture *fixture, const struct placement *wish) {
    const struct placement before = wish_before(&fixture->ranges[wish->range]);
    assert_in_range(wish->holders_count, 1, RANGE_REPLICAS_MAX);
    assert_true(placement_has(wish, wish->primary));
    for (size_t i = 0; i < wish->holders_count; i++) {
        for (size_t j = 0; j < i; j++)
            assert_int_not_equal(wish->holders[i], wish->holders[j]);
        if (!placement_has(&before, wish->holders[i]))
            assert_true(may_hold(fixture, wish->holders[i]));
    }
}

/* Copies become fewer only when there are more than asked for, or no nodes for them; zones when there are fewer nodes.
 */
static void demand_no_less(struct fixture *fixture, const struct placement *wish) {
    const struct placement before = wish_before(&fixture->ranges[wish->range]);
    size_t staying = count_of(fixture, wish->holders, wish->holders_count, may_stay);
    size_t staying_before = count_of(fixture, before.holders, before.holders_count, may_stay);
    size_t wanted = smaller(fixture->settings.factor, staying_count(fixture));
    assert_true(staying >= smaller(wanted, staying_before));
    assert_true(
        count_of(fixture, wish->holders, wish->holders_count, is_there) >=
        smaller(fixture->settings.min_in_sync, count_of(fixture, before.holders, before.holders_count, is_there)));
    if (staying_before == before.holders_count && wish->holders_count >= before.holders_count)
        assert_true(zones_count(fixture, wish->holders, wish->holders_count) >=
                    zones_count(fixture, before.holders, before.holders_count));
}

static size_t places_needed(const struct range_record *record, const struct placement *wish) {
    size_t count = record->in_sync_count;
    for (size_t i = 0; i < wish->holders_count; i++)
        count += !range_record_has_in_sync(record, wish->holders[i]);
    return count;
}

/* Room in the record for everyone who has it and everyone who is to have it, or no less than before. A full one gives
 * up a copy first. */
static void demand_room(struct fixture *fixture, const struct placement *wish) {
    const struct range_record *record = &fixture->ranges[wish->range].record;
    struct placement before = wish_before(&fixture->ranges[wish->range]);
    size_t needed = places_needed(record, wish);
    if (needed > places_needed(record, &before))
        assert_in_range(needed, 1, RANGE_REPLICAS_MAX + (record->in_sync_count == RANGE_REPLICAS_MAX));
}

static bool is_as_wished(const struct balancer_range *range, const struct placement *wish) {
    return placement_is_reached(wish, &range->record);
}

static void demand_few(struct fixture *fixture) {
    size_t begun = 0;
    for (size_t i = 0; i < fixture->decision.placements_count; i++) {
        const struct placement *wish = &fixture->decision.placements[i];
        const struct balancer_range *range = &fixture->ranges[wish->range];
        struct placement before = wish_before(range);
        begun += !is_as_wished(range, wish) && is_as_wished(range, &before);
    }
    if (begun > 0)
        assert_true(begun + fixture->decision.under_way_count <= fixture->settings.moves_max);
}

static void next(struct fixture *fixture) {
    fixture_next(fixture);
    for (size_t i = 0; i < fixture->decision.placements_count; i++) {
        demand_sound(fixture, &fixture->decision.placements[i]);
        demand_no_less(fixture, &fixture->decision.placements[i]);
        demand_room(fixture, &fixture->decision.placements[i]);
    }
    demand_few(fixture);
}

static void write_and_carry_out(struct fixture *fixture, bool is_whole) {
    fixture_write(fixture);
    for (size_t i = 0; i < fixture->ranges_count; i++)
        if (!is_as_wished(&fixture->ranges[i], &fixture->ranges[i].placement) &&
            (is_whole || fixture_below(fixture, 2) == 0))
            fixture_advance(fixture, &fixture->ranges[i], is_whole);
}

/* Each call of a hundred brings a move further, or there are hundreds of moves. */
static size_t calls_max(const struct fixture *fixture) {
    return 100 + 40 * fixture->ranges_count;
}

static void converge(struct fixture *fixture) {
    fixture_begin(fixture);
    do {
        next(fixture);
        write_and_carry_out(fixture, true);
        if (fixture->calls >= calls_max(fixture))
            fail_msg("after %zu calls %zu ranges are under way and %zu wishes written", fixture->calls,
                     fixture->decision.under_way_count, fixture->decision.placements_count);
    } while (fixture->decision.placements_count > 0 || fixture->decision.under_way_count > 0);
    assert_true(fixture->decision.is_balanced);
}

/* ---- what goes on in a cluster ---- */

static uint64_t any_node(struct fixture *fixture) {
    return fixture->nodes[fixture_below(fixture, fixture->nodes_count)].id;
}

/* Not one without which a range would be lost, and as the primaries and the coordinator see it. */
static void silence(struct fixture *fixture, uint64_t id) {
    for (size_t i = 0; i < fixture->ranges_count; i++) {
        const struct range_record *record = &fixture->ranges[i].record;
        if (range_record_has_in_sync(record, id) && record->in_sync_count == 1)
            return;
    }
    fixture_node(fixture, id)->is_alive = false;
    for (size_t i = 0; i < fixture->ranges_count; i++)
        fixture_fall_silent(fixture, &fixture->ranges[i], id);
}

static void something_happens(struct fixture *fixture) {
    uint64_t id = any_node(fixture);
    struct balancer_node *node = fixture_node(fixture, id);
    switch (fixture_below(fixture, 7)) {
    case 0:
        if (fixture->nodes_count < NODES_LIVE_MAX + EVENTS)
            fixture_join(fixture, 100 + fixture->nodes_count);
        break;
    case 1:
        node->is_draining = !node->is_draining;
        break;
    case 2:
        silence(fixture, id);
        break;
    case 3:
        node->is_gone = !node->is_alive;
        break;
    case 4:
        node->is_alive = true;
        node->is_gone = false;
        break;
    case 5:
        loads_choose(fixture, (enum skew)fixture_below(fixture, SKEWS));
        break;
    default:
        zones_choose(fixture);
    }
}

/* ---- what is true in the end ---- */

static bool has_copy(const struct balancer_range *range, uint64_t id) {
    return range_record_has_in_sync(&range->record, id);
}

static void demand_copies(struct fixture *fixture, const struct balancer_range *range) {
    size_t wanted = smaller(fixture->settings.factor, staying_count(fixture));
    size_t staying = count_of(fixture, range->record.in_sync, range->record.in_sync_count, may_stay);
    assert_int_equal(staying, wanted);
    if (wanted < fixture->settings.min_in_sync)
        return;
    assert_int_equal(range->record.in_sync_count, wanted);
    for (size_t i = 0; i < range->record.learners_count; i++)
        assert_true(fixture_node(fixture, range->record.learners[i])->is_gone);
}

/* No zone has two copies while a node in a zone without one is there. */
static void demand_zones(struct fixture *fixture, const struct balancer_range *range) {
    const struct range_record *record = &range->record;
    size_t zones = zones_count(fixture, record->in_sync, record->in_sync_count);
    for (size_t n = 0; zones < record->in_sync_count && n < fixture->nodes_count; n++) {
        uint64_t with[RANGE_REPLICAS_MAX + 1] = {0};
        memcpy(with, record->in_sync, sizeof(record->in_sync));
        with[record->in_sync_count] = fixture->nodes[n].id;
        if (may_hold(fixture, fixture->nodes[n].id) && !has_copy(range, fixture->nodes[n].id))
            assert_int_equal(zones_count(fixture, with, record->in_sync_count + 1), zones);
    }
}

static void everybody_returns_or_is_gone(struct fixture *fixture) {
    for (size_t i = 0; i < fixture->nodes_count; i++)
        if (!fixture->nodes[i].is_alive && !fixture->nodes[i].is_gone)
            fixture->nodes[i].is_alive = true;
}

static void demand_end(struct fixture *fixture) {
    for (size_t i = 0; i < fixture->ranges_count; i++) {
        demand_copies(fixture, &fixture->ranges[i]);
        if (staying_count(fixture) >= fixture->settings.min_in_sync)
            demand_zones(fixture, &fixture->ranges[i]);
    }
}

static void whatever_happens_every_range_has_its_copies_in_the_end(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= maps_count(); seed++) {
        struct fixture *fixture = map_new(seed);
        for (size_t event = 0; event < EVENTS; event++) {
            something_happens(fixture);
            for (uint64_t calls = fixture_below(fixture, 6); calls > 0; calls--) {
                next(fixture);
                write_and_carry_out(fixture, false);
            }
        }
        everybody_returns_or_is_gone(fixture);
        converge(fixture);
        if (staying_count(fixture) > 0)
            demand_end(fixture);
        fixture_free(fixture);
    }
}

static void the_same_input_gives_the_same_decision(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= maps_count(); seed++) {
        struct fixture *fixture = map_new(seed);
        struct balancer_decision again;
        struct balancer_input input = fixture_input(fixture);
        fixture_join(fixture, 50);
        fixture_next(fixture);
        input = fixture_input(fixture);
        balancer_next(&input, &fixture->arena, &again);
        assert_int_equal(again.placements_count, fixture->decision.placements_count);
        for (size_t i = 0; i < again.placements_count; i++)
            assert_true(placement_equal(&again.placements[i], &fixture->decision.placements[i]));
        fixture_free(fixture);
    }
}

/* ---- nodes come and go ---- */

static void grown_map_new(struct fixture **fixture, size_t nodes, size_t ranges, enum skew skew, uint64_t seed) {
    *fixture = fixture_new(nodes, seed);
    fixture_ranges(*fixture, ranges, nodes);
    loads_choose(*fixture, skew);
    converge(*fixture);
}

/* The share of the whole that moves is the share of the new node, and a little. */
static void a_join_moves_what_the_new_node_should_hold(void **state) {
    (void)state;
    for (size_t nodes = 3; nodes <= 12; nodes++) {
        for (enum skew skew = SKEW_NONE; skew <= SKEW_EVEN; skew++) {
            struct fixture *fixture = NULL;
            grown_map_new(&fixture, nodes, 128, skew, nodes);
            fixture_join(fixture, 100);
            converge(fixture);
            double fair = 3.0 * 128 / (double)(nodes + 1);
            assert_in_range(fixture->copies, (uint64_t)(fair * 0.5), (uint64_t)(fair * 1.25) + 1);
            assert_true(fixture->hand_overs <= 2 * (128 / (nodes + 1)) + 4);
            assert_int_equal(fixture->copies, fixture_copies_on(fixture, 100));
            fixture_free(fixture);
        }
    }
}

/* How uneven it may stay: what one range weighs cannot be parted. */
static double largest_range(struct fixture *fixture) {
    double sums[3] = {0}, largest = 0;
    for (size_t i = 0; i < fixture->ranges_count; i++) {
        sums[0] += (double)fixture->ranges[i].bytes;
        sums[1] += fixture->ranges[i].writes_per_s;
        sums[2] += fixture->ranges[i].deliveries_per_s;
    }
    for (size_t i = 0; i < fixture->ranges_count; i++) {
        const struct balancer_range *range = &fixture->ranges[i];
        double weighs = (double)range->bytes / sums[0] / 12 + range->writes_per_s / sums[1] / 4 +
                        range->deliveries_per_s / sums[2] / 3;
        largest = weighs > largest ? weighs : largest;
    }
    return largest * (double)fixture->nodes_count;
}

static void demand_even(struct fixture *fixture, enum skew skew) {
    double bound = skew == SKEW_HEAVY ? fmax(0.15, largest_range(fixture)) : 0.15;
    double unevenness = fixture_unevenness(fixture);
    if (unevenness > bound)
        fail_msg("a share is %.1f %% from even, %.1f %% are allowed", unevenness * 100, bound * 100);
}

static void drain_and_take_away(struct fixture *fixture, uint64_t id) {
    fixture_node(fixture, id)->is_draining = true;
    converge(fixture);
    assert_int_equal(fixture_copies_on(fixture, id), 0);
    *fixture_node(fixture, id) = fixture->nodes[--fixture->nodes_count];
}

static void three_nodes_become_four_and_five_and_three_again_and_stay_even(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= maps_count() / 10; seed++) {
        enum skew skew = (enum skew)(seed % SKEWS);
        struct fixture *fixture = NULL;
        grown_map_new(&fixture, 3, 64, skew, seed);
        demand_even(fixture, skew);
        for (uint64_t id = 4; id <= 5; id++) {
            fixture_join(fixture, id);
            converge(fixture);
            demand_even(fixture, skew);
        }
        for (uint64_t id = 1; id <= 2; id++) {
            drain_and_take_away(fixture, id);
            demand_even(fixture, skew);
        }
        fixture_free(fixture);
    }
}

static void a_forecast_is_what_happens(void **state) {
    struct balancer_forecast forecast;
    struct arena arena;
    arena_init(&arena);
    (void)state;
    for (uint64_t seed = 1; seed <= maps_count() / 10; seed++) {
        struct fixture *fixture = map_new(seed);
        double bytes = 0;
        converge(fixture);
        fixture_join(fixture, 50);
        struct balancer_input input = fixture_input(fixture);
        balancer_plan(&input, &arena, &forecast);
        assert_true(forecast.is_complete);
        converge(fixture);
        size_t copies = 0;
        for (size_t i = 0; i < forecast.moves_count; i++) {
            copies += forecast.moves[i].kind == BALANCER_COPY;
            bytes += (double)forecast.moves[i].bytes;
        }
        assert_true(fabs(bytes - (double)forecast.bytes) < 1);
        /* Where much is under way between two calls, the next begins from there. */
        assert_true(fabs((double)copies - (double)fixture->copies) <= 4 + 0.25 * (double)copies);
        arena_reset(&arena);
        fixture_free(fixture);
    }
    arena_close(&arena);
}

/* ---- loads that waver ---- */

static void loads_waver(struct fixture *fixture, const struct balancer_range *base) {
    for (size_t i = 0; i < fixture->ranges_count; i++) {
        struct balancer_range *range = &fixture->ranges[i];
        range->bytes = (uint64_t)((double)base[i].bytes * (0.8 + 0.4 * part(fixture)));
        range->writes_per_s = base[i].writes_per_s * (0.8 + 0.4 * part(fixture));
        range->deliveries_per_s = base[i].deliveries_per_s * (0.8 + 0.4 * part(fixture));
    }
}

/* How many wishes are written in so many calls, each with other loads. */
static size_t wishes_while_wavering(struct fixture *fixture, const struct balancer_range *base, size_t calls) {
    size_t wishes = 0;
    for (size_t i = 0; i < calls; i++) {
        loads_waver(fixture, base);
        next(fixture);
        wishes += fixture->decision.placements_count;
        write_and_carry_out(fixture, true);
    }
    return wishes;
}

/* At first a few moves may follow the loads; then nothing moves any more but by the rarest chance. */
static void loads_that_waver_do_not_keep_ranges_moving(void **state) {
    struct balancer_range *base = calloc(FIXTURE_RANGES_MAX, sizeof(*base));
    size_t late = 0, rounds = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= 6 + maps_count() / 100; seed++) {
        enum skew skew = (enum skew)(seed % SKEWS);
        struct fixture *fixture = NULL;
        grown_map_new(&fixture, 3 + seed % 4, 64, skew, seed);
        memcpy(base, fixture->ranges, fixture->ranges_count * sizeof(*base));
        size_t early = wishes_while_wavering(fixture, base, 200);
        assert_in_range(early, 0, 20);
        late += wishes_while_wavering(fixture, base, 200);
        rounds++;
        fixture_free(fixture);
    }
    assert_true(late <= 3 * rounds);
    free(base);
}

/* ---- records that make no sense ---- */

static uint64_t any_id(struct fixture *fixture) {
    return fixture_below(fixture, 3) == 0 ? fixture_below(fixture, UINT64_MAX) : fixture_below(fixture, 8);
}

static void range_garble(struct fixture *fixture, struct balancer_range *range) {
    range->record.in_sync_count = fixture_below(fixture, RANGE_REPLICAS_MAX + 1);
    range->record.learners_count = fixture_below(fixture, RANGE_REPLICAS_MAX + 1);
    range->placement.holders_count = fixture_below(fixture, RANGE_REPLICAS_MAX + 1);
    for (size_t i = 0; i < RANGE_REPLICAS_MAX; i++) {
        range->record.in_sync[i] = any_id(fixture);
        range->record.learners[i] = any_id(fixture);
        range->placement.holders[i] = any_id(fixture);
    }
    range->record.primary = any_id(fixture);
    range->placement.primary = any_id(fixture);
    range->is_manual = fixture_below(fixture, 2) == 0;
    range->bytes = fixture_below(fixture, UINT64_MAX);
    range->writes_per_s = fixture_below(fixture, 2) == 0 ? -INFINITY : NAN;
    range->deliveries_per_s = fixture_below(fixture, 2) == 0 ? INFINITY : -1;
}

static void node_garble(struct fixture *fixture, struct balancer_node *node) {
    node->id = any_id(fixture);
    node->is_alive = fixture_below(fixture, 2) == 0;
    node->is_draining = fixture_below(fixture, 3) == 0;
    node->is_gone = fixture_below(fixture, 3) == 0;
}

static void garbage_is_survived(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= maps_count(); seed++) {
        struct fixture *fixture = map_new(seed);
        struct balancer_forecast forecast;
        double shares[FIXTURE_NODES_MAX];
        fixture->settings = (struct balancer_settings){.factor = fixture_below(fixture, 10),
                                                       .min_in_sync = fixture_below(fixture, 10),
                                                       .moves_max = fixture_below(fixture, 10),
                                                       .tolerance_percent = (unsigned)fixture_below(fixture, 1000)};
        for (size_t i = 0; i < fixture->ranges_count; i++)
            if (fixture_below(fixture, 2) == 0)
                range_garble(fixture, &fixture->ranges[i]);
        for (size_t i = 0; i < fixture->nodes_count; i++)
            if (fixture_below(fixture, 2) == 0)
                node_garble(fixture, &fixture->nodes[i]);
        struct balancer_input input = fixture_input(fixture);
        fixture_next(fixture);
        balancer_plan(&input, &fixture->arena, &forecast);
        balancer_shares(&input, &fixture->arena, shares);
        fixture_free(fixture);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_happens_every_range_has_its_copies_in_the_end),
        cmocka_unit_test(the_same_input_gives_the_same_decision),
        cmocka_unit_test(a_join_moves_what_the_new_node_should_hold),
        cmocka_unit_test(three_nodes_become_four_and_five_and_three_again_and_stay_even),
        cmocka_unit_test(a_forecast_is_what_happens),
        cmocka_unit_test(loads_that_waver_do_not_keep_ranges_moving),
        cmocka_unit_test(garbage_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
