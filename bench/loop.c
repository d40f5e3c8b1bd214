#define _GNU_SOURCE
#include "bench/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "proto/check.h"

#define EVENTS_PER_TURN 256

int64_t loop_now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void loop_init(struct loop *loop) {
    *loop = (struct loop){.epoll_fd = epoll_create1(EPOLL_CLOEXEC)};
    check(loop->epoll_fd >= 0);
}

void loop_close(struct loop *loop) {
    close(loop->epoll_fd);
    free(loop->slots);
    *loop = (struct loop){.epoll_fd = -1};
}

static struct loop_slot *slot_of(struct loop *loop, int fd) {
    size_t index = (size_t)fd;
    if (index >= loop->slots_count) {
        size_t count = index * 2 + 64;
        loop->slots = realloc(loop->slots, count * sizeof *loop->slots);
        check(loop->slots != NULL);
        for (size_t i = loop->slots_count; i < count; i++)
            loop->slots[i] = (struct loop_slot){0};
        loop->slots_count = count;
    }
    return &loop->slots[index];
}

void loop_watch(struct loop *loop, int fd, uint32_t events, loop_on_ready *on_ready, void *context) {
    check(fd >= 0);
    struct loop_slot *slot = slot_of(loop, fd);
    if (slot->on_ready == NULL || slot->events != events) {
        struct epoll_event event = {.events = events, .data.fd = fd};
        int operation = slot->on_ready == NULL ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
        check(epoll_ctl(loop->epoll_fd, operation, fd, &event) == 0);
    }
    *slot = (struct loop_slot){on_ready, context, events};
}

void loop_forget(struct loop *loop, int fd) {
    struct loop_slot *slot = slot_of(loop, fd);
    if (slot->on_ready == NULL)
        return;
    /* It may be closed already by a library that told too late; then the kernel has forgotten it, too. */
    epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    *slot = (struct loop_slot){0};
}

void loop_timer_add(struct loop *loop, struct loop_timer *timer, loop_on_time *on_time, void *context) {
    *timer = (struct loop_timer){0, on_time, context, loop->timers};
    loop->timers = timer;
}

static void run_due_timers(struct loop *loop) {
    int64_t now_ns = loop_now_ns();
    for (struct loop_timer *timer = loop->timers; timer != NULL; timer = timer->next) {
        if (timer->at_ns == 0 || timer->at_ns > now_ns)
            continue;
        timer->at_ns = 0;
        timer->on_time(timer->context, now_ns);
    }
}

static struct timespec time_to_wait(const struct loop *loop, int64_t until_ns) {
    for (const struct loop_timer *timer = loop->timers; timer != NULL; timer = timer->next)
        if (timer->at_ns != 0 && timer->at_ns < until_ns)
            until_ns = timer->at_ns;
    int64_t wait_ns = until_ns - loop_now_ns();
    if (wait_ns < 0)
        wait_ns = 0;
    return (struct timespec){wait_ns / 1000000000, wait_ns % 1000000000};
}

void loop_turn(struct loop *loop, int64_t until_ns) {
    struct epoll_event events[EVENTS_PER_TURN];
    struct timespec wait = time_to_wait(loop, until_ns);
    int count = epoll_pwait2(loop->epoll_fd, events, EVENTS_PER_TURN, &wait, NULL);
    check(count >= 0 || errno == EINTR);
    for (int i = 0; i < count; i++) {
        /* An earlier event of this turn may have ended the watch. */
        struct loop_slot slot = loop->slots[events[i].data.fd];
        if (slot.on_ready != NULL)
            slot.on_ready(slot.context, events[i].events);
    }
    run_due_timers(loop);
}
