/* Rows of all ranges together keep to a pace, and nobody waits for ever. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/core/chunk_budget.h"

#define RANGES 5
#define CHUNK 64000

/* Every range has more to send. Each millisecond brings what waits for the next round no further; a round is each
 * 50 ms. */
static uint64_t sent_in(struct chunk_budget *budget, int64_t ms, unsigned chunks[RANGES]) {
    uint64_t bytes = 0;
    for (int64_t now_ms = 0; now_ms < ms; now_ms++) {
        uint32_t first = now_ms % 50 == 0 ? chunk_budget_begin_round(budget) : 0;
        for (uint32_t i = 0; i < RANGES; i++) {
            uint32_t range = (first + i) % RANGES;
            if (!chunk_budget_allows(budget, range, now_ms))
                continue;
            chunk_budget_spend(budget, CHUNK);
            chunks[range]++;
            bytes += CHUNK;
        }
    }
    return bytes;
}

static void without_a_bound_everybody_goes_on(void **state) {
    struct chunk_budget budget;
    unsigned chunks[RANGES] = {0};
    (void)state;
    chunk_budget_init(&budget, 0);
    assert_int_equal(sent_in(&budget, 100, chunks), 100 * RANGES * CHUNK);
}

static void rows_keep_to_the_pace_and_ranges_take_turns(void **state) {
    static const uint64_t rates[] = {1000, 100000, 1000000, 32000000};
    (void)state;
    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        struct chunk_budget budget;
        unsigned chunks[RANGES] = {0};
        chunk_budget_init(&budget, rates[i]);
        uint64_t bytes = sent_in(&budget, 1000000, chunks);
        uint64_t due = rates[i] * 1000;
        assert_in_range(bytes, due * 9 / 10, due * 11 / 10 + CHUNK);
        for (size_t range = 1; range < RANGES; range++)
            assert_in_range(chunks[range], chunks[0] * 8 / 10, chunks[0] * 12 / 10 + 1);
    }
}

static void what_was_not_used_is_not_made_up_for(void **state) {
    struct chunk_budget budget;
    (void)state;
    chunk_budget_init(&budget, 1000000);
    assert_true(chunk_budget_allows(&budget, 0, 3600000));
    chunk_budget_spend(&budget, 100000);
    assert_true(chunk_budget_allows(&budget, 0, 3600000));
    chunk_budget_spend(&budget, 2);
    assert_false(chunk_budget_allows(&budget, 0, 3600000));
}

static void who_waited_first_is_first_in_the_next_round(void **state) {
    struct chunk_budget budget;
    (void)state;
    chunk_budget_init(&budget, 1000);
    assert_true(chunk_budget_allows(&budget, 0, 1));
    chunk_budget_spend(&budget, 200);
    assert_false(chunk_budget_allows(&budget, 3, 2));
    assert_false(chunk_budget_allows(&budget, 1, 1000)); /* there would be room, but another waits */
    assert_int_equal(chunk_budget_begin_round(&budget), 3);
    assert_true(chunk_budget_allows(&budget, 3, 1000));
    assert_int_equal(chunk_budget_begin_round(&budget), 0);
}

static void while_it_rests_nobody_goes_on(void **state) {
    static const uint64_t rates[] = {0, 1000000};
    (void)state;
    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        struct chunk_budget budget;
        chunk_budget_init(&budget, rates[i]);
        chunk_budget_rest(&budget, 1080);
        chunk_budget_rest(&budget, 1100);
        assert_true(chunk_budget_rests(&budget, 1149));
        assert_false(chunk_budget_allows(&budget, 2, 1149));
        assert_int_equal(chunk_budget_begin_round(&budget), 2);
        assert_false(chunk_budget_rests(&budget, 1150));
        assert_true(chunk_budget_allows(&budget, 2, 1150));
    }
}

static void rests_that_follow_each_other_come_to_an_end(void **state) {
    struct chunk_budget budget;
    int64_t allowed_ms = 0;
    (void)state;
    chunk_budget_init(&budget, 0);
    for (int64_t now_ms = 100000; now_ms < 110000; now_ms++) {
        if (now_ms % 10 == 0)
            chunk_budget_rest(&budget, now_ms);
        allowed_ms += chunk_budget_allows(&budget, 0, now_ms) ? 1 : 0;
    }
    assert_in_range(allowed_ms,
                    10000 * CHUNK_WORK_MS / (CHUNK_RESTS_MS_MAX + CHUNK_REST_MS + CHUNK_WORK_MS) - CHUNK_WORK_MS, 5000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_bound_everybody_goes_on),
        cmocka_unit_test(rows_keep_to_the_pace_and_ranges_take_turns),
        cmocka_unit_test(what_was_not_used_is_not_made_up_for),
        cmocka_unit_test(who_waited_first_is_first_in_the_next_round),
        cmocka_unit_test(while_it_rests_nobody_goes_on),
        cmocka_unit_test(rests_that_follow_each_other_come_to_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
