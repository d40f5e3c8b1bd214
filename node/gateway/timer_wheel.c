#include "node/gateway/timer_wheel.h"

#include "proto/check.h"

static void link_first(struct wheel_timer **head, struct wheel_timer *timer) {
    timer->next = *head;
    timer->link = head;
    if (timer->next != NULL)
        timer->next->link = &timer->next;
    *head = timer;
}

static void unlink_timer(struct wheel_timer *timer) {
    *timer->link = timer->next;
    if (timer->next != NULL)
        timer->next->link = timer->link;
    timer->next = NULL;
    timer->link = NULL;
}

void timer_wheel_init(struct timer_wheel *wheel, uint64_t now_ms) {
    *wheel = (struct timer_wheel){.tick = now_ms / TIMER_WHEEL_TICK_MS};
}

void wheel_timer_start(struct timer_wheel *wheel, struct wheel_timer *timer, uint64_t now_ms, uint64_t delay_ms,
                       void (*fire)(struct wheel_timer *timer, void *owner)) {
    wheel_timer_stop(wheel, timer);
    uint64_t due_tick = (now_ms + delay_ms + TIMER_WHEEL_TICK_MS - 1) / TIMER_WHEEL_TICK_MS;
    /* A tick that has been turned already comes by again only after a whole round. */
    timer->due_tick = due_tick > wheel->tick ? due_tick : wheel->tick + 1;
    timer->fire = fire;
    link_first(&wheel->slots[timer->due_tick % TIMER_WHEEL_SLOTS], timer);
    wheel->running++;
}

void wheel_timer_stop(struct timer_wheel *wheel, struct wheel_timer *timer) {
    if (!wheel_timer_is_running(timer))
        return;
    unlink_timer(timer);
    wheel->running--;
}

bool wheel_timer_is_running(const struct wheel_timer *timer) {
    return timer->link != NULL;
}

static void gather_due(struct timer_wheel *wheel, struct wheel_timer *timer) {
    while (timer != NULL) {
        struct wheel_timer *next = timer->next;
        if (timer->due_tick <= wheel->tick) {
            unlink_timer(timer);
            link_first(&wheel->firing, timer);
        }
        timer = next;
    }
}

void timer_wheel_turn(struct timer_wheel *wheel, uint64_t now_ms, void *owner) {
    check(wheel->firing == NULL);
    uint64_t now_tick = now_ms / TIMER_WHEEL_TICK_MS;
    if (now_tick <= wheel->tick)
        return;
    uint64_t passed = now_tick - wheel->tick;
    uint64_t first = wheel->tick + 1;
    wheel->tick = now_tick;
    for (uint64_t i = 0; i < passed && i < TIMER_WHEEL_SLOTS; i++)
        gather_due(wheel, wheel->slots[(first + i) % TIMER_WHEEL_SLOTS]);
    /* Gathered first and fired from a list of its own, so that a firing timer may stop any other. */
    while (wheel->firing != NULL) {
        struct wheel_timer *timer = wheel->firing;
        unlink_timer(timer);
        wheel->running--;
        timer->fire(timer, owner);
    }
}
