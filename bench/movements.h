#pragma once
/* What moved during a run, seen by comparing the cluster's states one after the other: who led which range, which moves
 * were under way from when to when, and each node's share of the load. Pure: states and times come in, in seconds from
 * the first message. */
#include "bench/cluster_state.h"

#define MOVEMENTS_NODES_MAX 64
#define MOVEMENTS_NOBODY MOVEMENTS_NODES_MAX

/* A range's primary changed between two states. */
struct hand_over {
    uint32_t range;
    uint64_t epoch; /* of the new primary */
    uint64_t first; /* positions that the range has */
    uint64_t last;
    size_t from; /* index of a node, or MOVEMENTS_NOBODY */
    size_t to;
    double after_s;
    double until_s;
};

struct move {
    uint32_t range;
    char kind[16];
    size_t from;
    size_t to;
    double from_s;
    double until_s; /* the last state that had it, or the first that had it no more */
    uint64_t bytes;
    bool is_under_way;
};

struct node_track {
    char id[CLUSTER_ID_BYTES];
    char name[CLUSTER_NAME_BYTES];
    bool was_there_before; /* in the first state, and alive */
    bool is_there_after;   /* in the last one, and alive */
    bool is_leaving;       /* there, but it is to be emptied */
    double share_before, share_after;
    uint64_t primaries_before, primaries_after;
    uint64_t stored_before, stored_after;
};

/* The shares at one time; negative: the node is not there, or is to be emptied. */
struct share_sample {
    double at_s;
    double shares[MOVEMENTS_NODES_MAX];
};

struct movements {
    struct hand_over *hand_overs;
    size_t hand_overs_count, hand_overs_capacity;
    struct move *moves;
    size_t moves_count, moves_capacity;
    struct node_track nodes[MOVEMENTS_NODES_MAX];
    size_t nodes_count;
    struct share_sample *samples;
    size_t samples_count, samples_capacity;
    struct cluster_range *leads; /* the newest known of each range, by its number */
    size_t leads_count;
    uint64_t states; /* how many were compared */
};

void movements_close(struct movements *movements);

/* The cluster's next state: it is of a time between `asked_s` and `answered_s`, the one before of a time not before
 * `asked_before_s`. A record older than what is known, as a node that lags may tell it, is passed over. */
void movements_note(struct movements *movements, const struct cluster_state *state, double asked_before_s,
                    double answered_s);

/* The last one that was taken before; NULL: there is none. */
const struct share_sample *movements_shares_before(const struct movements *movements, double at_s);

/* How far the node that is furthest from an even share is from it, as a part of that share. 0: there are no nodes. */
double share_sample_furthest(const struct share_sample *sample);

/* The node's name, or its id, or "nobody". */
const char *movements_node_name(const struct movements *movements, size_t node);
