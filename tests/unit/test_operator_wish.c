#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/operator_wish.h"
#include "proto/status.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Four nodes, of which the last is dead; range 0 on 1, 2 and 3, range 1 on its way from 2 to 3, range 2 not known. */
static struct cluster_node nodes[] = {
    {.id = 1, .has_record = true, .is_alive = true},
    {.id = 2, .has_record = true, .is_alive = true},
    {.id = 3, .has_record = true, .is_alive = true},
    {.id = 4, .has_record = true},
    {.id = 5, .has_record = true, .is_alive = true, .is_draining = true},
    {.id = 6, .has_record = true, .is_alive = true},
};
static struct cluster_range ranges[] = {
    {.record = {.range = 0, .epoch = 1, .primary = 1, .in_sync = {1, 2, 3}, .in_sync_count = 3}},
    {.record = {.range = 1,
                .epoch = 1,
                .primary = 2,
                .in_sync = {1, 2},
                .in_sync_count = 2,
                .learners = {3},
                .learners_count = 1},
     .placement = {.range = 1, .holders = {1, 3}, .holders_count = 2, .primary = 3}},
    {.record = {.range = 2}},
};
static const struct cluster_facts facts = {
    .self = 1, .nodes = nodes, .nodes_count = COUNT(nodes), .ranges = ranges, .ranges_count = COUNT(ranges)};

static int check_wish(struct operator_wish *wish, size_t min_in_sync) {
    const struct balancer_settings settings = {.factor = 3, .min_in_sync = min_in_sync};
    return operator_wish_check(&facts, &settings, wish);
}

static void moves_that_are_possible_say_who_should_hold_the_range(void **state) {
    const struct {
        struct operator_wish wish;
        struct placement placement;
    } rows[] = {
        {{.kind = WISH_MOVE, .range = 0, .from = 3, .to = 6}, {.holders = {1, 2, 6}, .holders_count = 3, .primary = 1}},
        {{.kind = WISH_MOVE, .range = 0, .from = 1, .to = 6}, {.holders = {6, 2, 3}, .holders_count = 3, .primary = 6}},
        {{.kind = WISH_MOVE, .range = 0, .primary = 2}, {.holders = {1, 2, 3}, .holders_count = 3, .primary = 2}},
        {{.kind = WISH_MOVE, .range = 0, .from = 3, .to = 6, .primary = 6},
         {.holders = {1, 2, 6}, .holders_count = 3, .primary = 6}},
        /* What was wished last is what counts, not what is there yet. */
        {{.kind = WISH_MOVE, .range = 1, .from = 1, .to = 2},
         {.range = 1, .holders = {2, 3}, .holders_count = 2, .primary = 3}},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct operator_wish wish = rows[i].wish;
        assert_int_equal(check_wish(&wish, 2), STATUS_OK);
        assert_true(placement_equal(&wish.placement, &rows[i].placement));
        assert_true(wish.placement.is_manual);
    }
}

static void what_cannot_be_is_refused_by_name(void **state) {
    const struct {
        struct operator_wish wish;
        int rc;
        const char *target;
    } rows[] = {
        {{.kind = WISH_MOVE, .range = 2, .primary = 1}, STATUS_NOT_FOUND, "range"},
        {{.kind = WISH_MOVE, .range = 3, .primary = 1}, STATUS_NOT_FOUND, "range"},
        {{.kind = WISH_MOVE}, STATUS_VALIDATION_ERROR, "from"},
        {{.kind = WISH_MOVE, .from = 1}, STATUS_VALIDATION_ERROR, "to"},
        {{.kind = WISH_MOVE, .to = 6}, STATUS_VALIDATION_ERROR, "from"},
        {{.kind = WISH_MOVE, .from = 6, .to = 1}, STATUS_CONFLICT, "from"},
        {{.kind = WISH_MOVE, .from = 1, .to = 2}, STATUS_CONFLICT, "to"},
        {{.kind = WISH_MOVE, .from = 1, .to = 4}, STATUS_CONFLICT, "to"},
        {{.kind = WISH_MOVE, .from = 1, .to = 5}, STATUS_CONFLICT, "to"},
        {{.kind = WISH_MOVE, .from = 1, .to = 9}, STATUS_CONFLICT, "to"},
        {{.kind = WISH_MOVE, .primary = 6}, STATUS_CONFLICT, "primary"},
        {{.kind = WISH_MOVE, .from = 1, .to = 6, .primary = 1}, STATUS_CONFLICT, "primary"},
        {{.kind = WISH_MOVE, .range = 1, .primary = 2}, STATUS_CONFLICT, "primary"},
        {{.kind = WISH_DRAIN, .node = 9}, STATUS_NOT_FOUND, "node"},
        {{.kind = WISH_STAY, .node = 9}, STATUS_NOT_FOUND, "node"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct operator_wish wish = rows[i].wish;
        assert_int_equal(check_wish(&wish, 2), rows[i].rc);
        assert_string_equal(wish.target, rows[i].target);
        assert_non_null(wish.reason);
    }
}

static void a_node_may_be_emptied_only_if_enough_others_take_writes(void **state) {
    struct operator_wish alive = {.kind = WISH_DRAIN, .node = 1};
    struct operator_wish dead = {.kind = WISH_DRAIN, .node = 4};
    (void)state;
    assert_int_equal(check_wish(&alive, 3), STATUS_OK);
    assert_int_equal(check_wish(&alive, 4), STATUS_CONFLICT);
    assert_string_equal(alive.target, "node");
    assert_int_equal(check_wish(&dead, 4), STATUS_OK);
}

static void what_needs_nothing_is_always_possible(void **state) {
    const enum operator_wish_kind kinds[] = {WISH_PAUSE, WISH_RESUME, WISH_CANCEL};
    (void)state;
    for (size_t i = 0; i < COUNT(kinds); i++) {
        struct operator_wish wish = {.kind = kinds[i]};
        assert_int_equal(check_wish(&wish, 2), STATUS_OK);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moves_that_are_possible_say_who_should_hold_the_range),
        cmocka_unit_test(what_cannot_be_is_refused_by_name),
        cmocka_unit_test(a_node_may_be_emptied_only_if_enough_others_take_writes),
        cmocka_unit_test(what_needs_nothing_is_always_possible),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
