#pragma once
/* Many coarse timers for the price of one: a wheel of slots of TIMER_WHEEL_TICK_MS each, turned by the worker.
 * Starting, stopping and firing cost the same however many timers there are, so every connection can have one. Time
 * comes in; nothing here reads a clock. Not thread-safe. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIMER_WHEEL_TICK_MS 100
#define TIMER_WHEEL_SLOTS 1024 /* one round is 102 s; longer timers stay in their slot for more rounds */

/* Zeroed memory is a stopped timer. */
struct wheel_timer {
    struct wheel_timer *next;
    struct wheel_timer **link; /* what points here; NULL: stopped */
    uint64_t due_tick;
    void (*fire)(struct wheel_timer *timer, void *owner);
};

struct timer_wheel {
    struct wheel_timer *slots[TIMER_WHEEL_SLOTS];
    struct wheel_timer *firing; /* what is due in the turn that is under way */
    uint64_t tick;              /* everything up to here has fired */
    size_t running;
};

void timer_wheel_init(struct timer_wheel *wheel, uint64_t now_ms);

/* Fires once, `delay_ms` from `now_ms` or up to a tick later, never earlier. A running timer is started anew. */
void wheel_timer_start(struct timer_wheel *wheel, struct wheel_timer *timer, uint64_t now_ms, uint64_t delay_ms,
                       void (*fire)(struct wheel_timer *timer, void *owner));
/* Nothing happens if it is not running. Allowed from within `fire`, for any timer. */
void wheel_timer_stop(struct timer_wheel *wheel, struct wheel_timer *timer);
bool wheel_timer_is_running(const struct wheel_timer *timer);

/* Fires what is due; `owner` is given to `fire`. Timers started by `fire` come in a later turn at the earliest. */
void timer_wheel_turn(struct timer_wheel *wheel, uint64_t now_ms, void *owner);
