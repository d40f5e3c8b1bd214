#pragma once
/* What is to be moved and what is under way, from the cluster's facts: the balancer's input, and the moves that people
 * watch. Only computes. */
#include "node/cluster_facts.h"
#include "node/core/balancer.h"
#include "node/stuck_learners.h"

struct cluster_moves_options {
    struct balancer_settings settings;
    int64_t replace_after_ms;           /* a node that is silent for longer is gone */
    const struct stuck_learners *stuck; /* NULL: not known who is */
};

/* In the arena; texts and records are borrowed from the facts. */
void cluster_moves_input(const struct cluster_facts *facts, const struct cluster_moves_options *options,
                         struct arena *arena, struct balancer_input *input);

enum cluster_move_state { CLUSTER_LEARNING, CLUSTER_CATCHING_UP, CLUSTER_HANDING_OVER, CLUSTER_DROPPING };
const char *cluster_move_state_name(enum cluster_move_state state);
const char *cluster_move_kind_name(enum balancer_move_kind kind);

struct cluster_move {
    uint32_t range;
    enum balancer_move_kind kind;
    uint64_t from; /* COPY: the node whose copy it replaces, else the one that sends; PRIMARY, DROP: who gives it up */
    uint64_t to;   /* DROP: 0 */
    enum cluster_move_state state;
    uint64_t bytes_done;
    uint64_t bytes_total; /* 0: nothing to send, or not known yet */
    double bytes_per_s;
    int64_t started_ms; /* unix time; 0: not known */
};

/* Everything under way, by range; not what a silent node is to get, which waits. In the arena. */
void cluster_moves_list(const struct cluster_facts *facts, struct arena *arena, struct cluster_move **moves,
                        size_t *count);
