#pragma once
/* What is done to the cluster while the load runs: commands at their times, in their order, or chosen by chance. */
#include "bench/moved.h"
#include "bench/shell_command.h"

struct happenings {
    const struct options *options;
    struct loop *loop;
    struct moved *moved;
    struct loop_timer timer;
    int64_t start_ns; /* the first message's intended time */
    int64_t end_ns;   /* churn: nothing begins from then on */
    size_t begun;     /* rebalance: of the plan */
    uint64_t chance;  /* churn: its own, so that the same seed makes the same choices */
    uint64_t period;  /* churn: the one the next command falls into */
    size_t running;
    struct running *first;
    bool (*is_balanced_since)(void *context, int64_t since_ns);
    void *context;
    int64_t ended_ns; /* when the last of those that ended did */
};

/* `is_balanced_since`: whether nothing has moved for a while, that while not having begun before `since_ns`. */
void happenings_start(struct happenings *happenings, const struct options *options, struct loop *loop,
                      struct moved *moved, int64_t start_ns, int64_t end_ns,
                      bool (*is_balanced_since)(void *context, int64_t since_ns), void *context);
/* Each was begun, and has ended. */
bool happenings_are_over(const struct happenings *happenings);
/* Ends those that still run. */
void happenings_close(struct happenings *happenings);
