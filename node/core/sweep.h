#pragma once
/* What is due in the store without anybody asking for it: threads whose retention is over, deleted ones that are kept
 * and what users' lists have of them, both for too long, events that are too old, and those that somebody has begun to
 * want. Walks over threads and users, some with each turn, and shows each to every visitor of a table, which says what
 * is to be proposed; the rules decide again when that is applied. Called by whoever leads ranges: the sweeping thread
 * and the simulator. */
#include "node/core/outcome.h"

/* Somebody outside who wants events, and all of those that happened since. */
struct sweep_consumer {
    struct id_hash name;
    uint64_t serial; /* of this beginning: cursors of an earlier one do not count */
    int64_t from_ms;
};

struct sweep_consumers {
    const struct sweep_consumer *items;
    size_t count;
};

struct sweep_options {
    const struct seal_key *master;
    /* What others lead they see to. */
    bool (*is_ours)(void *context, const struct id_hash *subject);
    /* The command is borrowed. Not 0: the turn ends, and the next one begins with the same thread or user. */
    int (*propose)(void *context, const struct command *command);
    void *context;
    int64_t undelete_ms;     /* how long deleted threads can be undeleted; 0: not at all */
    int64_t deleted_keep_ms; /* how long users' lists keep a deleted thread */
    int64_t events_keep_ms;  /* how long an event is kept; what somebody lacks some days longer, to be given up */
    /* Who wants events now, in the arena. False: that is not known yet. NULL: nobody wants any. */
    bool (*consumers)(void *context, struct arena *arena, struct sweep_consumers *consumers);
};

/* Where a walk stands; zeros: at the beginning. */
struct sweep {
    struct id_hash next;
    size_t unreadable; /* threads and users that were left out because a record of theirs does not open */
};

#define SWEEP_SUBJECTS_PER_TURN 256

/* One turn in a read transaction. 0: there is more. STATUS_STORE_MISSING: that was the end of the walk. Otherwise what
 * the store or `propose` said. */
int sweep_turn(struct sweep *sweep, const struct sweep_options *options, struct store_transaction *transaction,
               int64_t now_ms);
