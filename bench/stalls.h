#pragma once
/* How long writes stood still: the longest time between a send and its acknowledgement, of each thread, of each sender,
 * and around each hand-over. Pure. */
#include "bench/histogram.h"
#include "bench/movements.h"
#include "bench/options.h"
#include "bench/tally.h"

struct stall {
    int64_t duration_ns; /* 0: nothing was acknowledged there */
    double at_s;         /* when the message was sent, from the first message */
    uint32_t thread;
    uint32_t participant; /* who sent it */
    bool is_repeated;     /* its sender had to connect again meanwhile */
};

struct stalls {
    struct stall *threads;
    size_t threads_count;
    struct stall *senders; /* by user */
    size_t senders_count;
    /* By hand-over: the longest of the writes to the range that were under way then, but for those whose sender had to
     * connect again. Where it is not known which range a thread is in, it is that of any thread, and an upper bound. */
    struct stall *hand_overs;
    size_t hand_overs_count;
    struct histogram of_threads;
    struct histogram of_senders;
    struct histogram of_hand_overs;
};

/* A state of the cluster may be told a little late: writes that end this much before it count, too. */
#define STALLS_MARGIN_S 0.25

/* `tallies` by thread, and `positions`, which may be NULL. `start_ns`: of the first message. */
void stalls_find(struct stalls *stalls, const struct tally *tallies, const struct options *options, int64_t start_ns,
                 const struct movements *movements, const uint64_t *positions);
void stalls_close(struct stalls *stalls);

/* Fills `longest` with the `wanted` longest of them, longest first. How many there are. */
size_t stalls_longest(const struct stall *stalls, size_t count, const struct stall **longest, size_t wanted);
