#pragma once
/* Looks again and again for what is due in the ranges that this node leads (node/core/sweep.h), on a thread of its own,
 * a little at a time: no read transaction stays open for long, and what clients ask for goes before what is proposed
 * here. */
#include "node/core/sweep.h"

struct sweeping;

struct sweeping_options {
    struct store *store; /* borrowed */
    struct sweep_options sweep;
    int64_t interval_ms; /* from the beginning of one walk to that of the next, unless it takes longer */
};

/* NULL: there is no room for a thread. */
struct sweeping *sweeping_start(const struct sweeping_options *options);
/* Somebody has begun to want events: a walk begins now, or when the one that is under way ends. From any thread. */
void sweeping_wake(struct sweeping *sweeping);
void sweeping_stop(struct sweeping *sweeping);
