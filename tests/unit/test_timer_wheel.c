#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "node/gateway/timer_wheel.h"

#define ROUND_MS ((uint64_t)TIMER_WHEEL_TICK_MS * TIMER_WHEEL_SLOTS)

struct alarm_clock {
    struct wheel_timer timer; /* first: fire gets its address */
    uint64_t fired_at_ms;
    int fired;
    struct alarm_clock *stops;
    uint64_t again_ms;
};

struct world {
    struct timer_wheel wheel;
    uint64_t now_ms;
};

static void ring(struct wheel_timer *timer, void *owner) {
    struct world *world = owner;
    struct alarm_clock *alarm = (struct alarm_clock *)timer;
    alarm->fired++;
    alarm->fired_at_ms = world->now_ms;
    if (alarm->stops != NULL)
        wheel_timer_stop(&world->wheel, &alarm->stops->timer);
    if (alarm->again_ms != 0)
        wheel_timer_start(&world->wheel, timer, world->now_ms, alarm->again_ms, ring);
}

static void start_world(struct world *world, uint64_t now_ms) {
    world->now_ms = now_ms;
    timer_wheel_init(&world->wheel, now_ms);
}

static void advance(struct world *world, uint64_t until_ms, uint64_t step_ms) {
    while (world->now_ms < until_ms) {
        world->now_ms += step_ms;
        timer_wheel_turn(&world->wheel, world->now_ms, world);
    }
}

static void timers_fire_once_and_never_early_and_at_most_a_tick_late(void **state) {
    (void)state;
    const uint64_t delays[] = {0,    1,        99,     100,          101,          250,
                               5000, ROUND_MS, 250000, ROUND_MS - 1, ROUND_MS + 1, 3 * ROUND_MS + 57};
    for (uint64_t start_ms = 12300; start_ms < 12300 + 200; start_ms += 25) {
        for (size_t i = 0; i < sizeof(delays) / sizeof(delays[0]); i++) {
            struct world world;
            struct alarm_clock alarm = {.fired = 0};
            start_world(&world, start_ms);
            wheel_timer_start(&world.wheel, &alarm.timer, start_ms, delays[i], ring);
            advance(&world, start_ms + delays[i] + 1000, 50);
            assert_int_equal(alarm.fired, 1);
            assert_true(alarm.fired_at_ms >= start_ms + delays[i]);
            assert_true(alarm.fired_at_ms < start_ms + delays[i] + 2 * TIMER_WHEEL_TICK_MS);
            assert_int_equal(world.wheel.running, 0);
        }
    }
}

static void a_turn_that_comes_late_fires_everything_that_is_due(void **state) {
    (void)state;
    struct world world;
    struct alarm_clock alarms[50];
    memset(alarms, 0, sizeof(alarms));
    start_world(&world, 1000);
    for (size_t i = 0; i < 50; i++)
        wheel_timer_start(&world.wheel, &alarms[i].timer, 1000, i * 7919, ring);
    advance(&world, 1000 + 5 * ROUND_MS, 5 * ROUND_MS);
    for (size_t i = 0; i < 50; i++)
        assert_int_equal(alarms[i].fired, 1);
}

static void a_stopped_timer_does_not_fire_and_may_be_stopped_twice(void **state) {
    (void)state;
    struct world world;
    struct alarm_clock alarm = {.fired = 0};
    start_world(&world, 0);
    wheel_timer_stop(&world.wheel, &alarm.timer);
    wheel_timer_start(&world.wheel, &alarm.timer, 0, 500, ring);
    assert_true(wheel_timer_is_running(&alarm.timer));
    wheel_timer_stop(&world.wheel, &alarm.timer);
    wheel_timer_stop(&world.wheel, &alarm.timer);
    assert_false(wheel_timer_is_running(&alarm.timer));
    advance(&world, 2000, 100);
    assert_int_equal(alarm.fired, 0);
    assert_int_equal(world.wheel.running, 0);
}

static void starting_a_running_timer_moves_it(void **state) {
    (void)state;
    struct world world;
    struct alarm_clock alarm = {.fired = 0};
    start_world(&world, 0);
    wheel_timer_start(&world.wheel, &alarm.timer, 0, 300, ring);
    wheel_timer_start(&world.wheel, &alarm.timer, 0, 3000, ring);
    advance(&world, 2900, 100);
    assert_int_equal(alarm.fired, 0);
    advance(&world, 3100, 100);
    assert_int_equal(alarm.fired, 1);
}

static void a_firing_timer_may_stop_another_that_is_due_in_the_same_turn(void **state) {
    (void)state;
    struct world world;
    struct alarm_clock one = {.fired = 0};
    struct alarm_clock other = {.stops = &one};
    one.stops = &other;
    start_world(&world, 0);
    wheel_timer_start(&world.wheel, &one.timer, 0, 500, ring);
    wheel_timer_start(&world.wheel, &other.timer, 0, 500, ring);
    advance(&world, 1000, 100);
    assert_int_equal(one.fired + other.fired, 1);
    assert_int_equal(world.wheel.running, 0);
}

static void a_timer_may_start_itself_again(void **state) {
    (void)state;
    struct world world;
    struct alarm_clock alarm = {.again_ms = 1};
    start_world(&world, 0);
    wheel_timer_start(&world.wheel, &alarm.timer, 0, 100, ring);
    advance(&world, 1000, 100);
    assert_int_equal(alarm.fired, 10);
    wheel_timer_stop(&world.wheel, &alarm.timer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_fire_once_and_never_early_and_at_most_a_tick_late),
        cmocka_unit_test(a_turn_that_comes_late_fires_everything_that_is_due),
        cmocka_unit_test(a_stopped_timer_does_not_fire_and_may_be_stopped_twice),
        cmocka_unit_test(starting_a_running_timer_moves_it),
        cmocka_unit_test(a_firing_timer_may_stop_another_that_is_due_in_the_same_turn),
        cmocka_unit_test(a_timer_may_start_itself_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
