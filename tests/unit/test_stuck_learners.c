/* Who does not get on with what it learns, look after look. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/stuck_learners.h"

#define PRIMARY 1
#define LEARNER 2
#define LOOK_MS 1000
#define LOOKS (STUCK_LEARNERS_PATIENCE_MS / LOOK_MS)

static struct stuck_learners *stuck;
static struct cluster_learner learning;
static struct cluster_node nodes[2];
static struct cluster_range range;
static struct cluster_facts facts;

static int set_up(void **state) {
    (void)state;
    stuck = stuck_learners_new();
    learning = (struct cluster_learner){.at = {.range = 0, .node = LEARNER, .chunks = 10}};
    nodes[0] = (struct cluster_node){.id = PRIMARY,
                                     .is_alive = true,
                                     .total = {.node = PRIMARY, .start = 1, .at_ms = 1},
                                     .learners = &learning,
                                     .learners_count = 1};
    nodes[1] = (struct cluster_node){.id = LEARNER, .is_alive = true};
    range = (struct cluster_range){.record = {.epoch = 1,
                                              .primary = PRIMARY,
                                              .in_sync = {PRIMARY},
                                              .in_sync_count = 1,
                                              .learners = {LEARNER},
                                              .learners_count = 1}};
    facts = (struct cluster_facts){
        .nodes = nodes, .nodes_count = 2, .ranges = &range, .ranges_count = 1, .mono_ms = 1000000};
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    stuck_learners_free(stuck);
    return 0;
}

/* Time passes, and the primary tells what it sees now. */
static bool look(int64_t ms) {
    facts.mono_ms += ms;
    nodes[0].total.at_ms += ms;
    stuck_learners_look(stuck, &facts);
    return stuck_learners_have(stuck, LEARNER, facts.mono_ms);
}

static bool looks(size_t count) {
    bool is_stuck = false;
    for (size_t i = 0; i < count; i++)
        is_stuck = look(LOOK_MS);
    return is_stuck;
}

static void who_makes_no_progress_for_long_is_stuck_for_a_while(void **state) {
    (void)state;
    assert_false(looks(LOOKS));
    assert_true(look(LOOK_MS));
    range.record.learners_count = 0; /* it is not to have it any more */
    assert_true(look(STUCK_LEARNERS_PAUSE_MS - 1));
    assert_false(look(1));
}

static void who_gets_on_is_not(void **state) {
    (void)state;
    for (size_t i = 0; i < 5; i++) {
        assert_false(looks(LOOKS));
        if (i % 2 == 0)
            learning.at.chunk++;
        else
            learning.at.bytes_done += 5;
    }
}

static void who_is_told_of_by_another_primary_begins_anew(void **state) {
    (void)state;
    assert_false(looks(LOOKS));
    nodes[0].total.start++;
    assert_false(looks(LOOKS));
    nodes[0].id = range.record.primary = 7;
    assert_false(looks(LOOKS));
}

/* Nothing may have come here, as without the coordinator. */
static void a_time_without_news_counts_little(void **state) {
    (void)state;
    look(LOOK_MS);
    assert_false(look(10 * STUCK_LEARNERS_PATIENCE_MS));
    facts.mono_ms += 10 * STUCK_LEARNERS_PATIENCE_MS;
    for (size_t i = 0; i < 100; i++)
        stuck_learners_look(stuck, &facts);
    assert_false(stuck_learners_have(stuck, LEARNER, facts.mono_ms));
}

static void who_is_away_or_does_not_learn_is_not_blamed(void **state) {
    (void)state;
    nodes[1].is_alive = false;
    assert_false(looks(2 * LOOKS));
    nodes[1].is_alive = true;
    range.record.learners_count = 0;
    assert_false(looks(2 * LOOKS));
    range.record.learners_count = 1;
    learning.at.range = 1; /* that nobody knows */
    assert_false(looks(2 * LOOKS));
    learning.at.range = 0;
    nodes[0].is_alive = false;
    assert_false(looks(2 * LOOKS));
}

int main(void) {
#define LOOKED_AT(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        LOOKED_AT(who_makes_no_progress_for_long_is_stuck_for_a_while), LOOKED_AT(who_gets_on_is_not),
        LOOKED_AT(who_is_told_of_by_another_primary_begins_anew),       LOOKED_AT(a_time_without_news_counts_little),
        LOOKED_AT(who_is_away_or_does_not_learn_is_not_blamed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
