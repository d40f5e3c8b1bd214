#pragma once
/* One epoll loop: descriptors that become ready, and a handful of timers. Single-threaded, nothing allocated per event,
 * so that the generator stays cheap. */
#include <stddef.h>
#include <stdint.h>

typedef void loop_on_ready(void *context, uint32_t events); /* EPOLLIN, EPOLLOUT, … */
typedef void loop_on_time(void *context, int64_t now_ns);

struct loop_slot {
    loop_on_ready *on_ready; /* NULL: the descriptor is not watched */
    void *context;
    uint32_t events;
};

struct loop_timer {
    int64_t at_ns; /* 0: off */
    loop_on_time *on_time;
    void *context;
    struct loop_timer *next;
};

struct loop {
    int epoll_fd;
    struct loop_slot *slots; /* by descriptor */
    size_t slots_count;
    struct loop_timer *timers;
};

/* Nanoseconds of the monotonic clock. */
int64_t loop_now_ns(void);

void loop_init(struct loop *loop);
void loop_close(struct loop *loop);

/* Watches a descriptor, or changes what it is watched for. */
void loop_watch(struct loop *loop, int fd, uint32_t events, loop_on_ready *on_ready, void *context);
/* Before the descriptor is closed. Nothing is called for it afterwards. */
void loop_forget(struct loop *loop, int fd);

/* The timer is the caller's memory and must outlive the loop. Added once, set as often as wanted. */
void loop_timer_add(struct loop *loop, struct loop_timer *timer, loop_on_time *on_time, void *context);

/* One turn: waits until something is ready, a timer is due, or `until_ns` has come, and calls whom it concerns. */
void loop_turn(struct loop *loop, int64_t until_ns);
