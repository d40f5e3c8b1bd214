#pragma once
/* What `GET /admin/cluster` says: nodes, ranges, moves. Pure: bytes in, structs out. */
#include <stdbool.h>

#include "proto/arena.h"

#define CLUSTER_ID_BYTES 32
#define CLUSTER_NAME_BYTES 64

struct cluster_node {
    char id[CLUSTER_ID_BYTES];
    char name[CLUSTER_NAME_BYTES];
    bool is_alive;
    bool is_draining;
    double share; /* of the cluster's load, 0..1 */
    uint64_t primaries;
    uint64_t stored_bytes;
};

struct cluster_range {
    uint32_t range;
    uint64_t epoch;
    char primary[CLUSTER_ID_BYTES]; /* "": nobody */
    uint64_t first, last;           /* positions that it has */
};

struct cluster_move {
    uint32_t range;
    char kind[16]; /* copy, primary, drop */
    char from[CLUSTER_ID_BYTES];
    char to[CLUSTER_ID_BYTES];
    uint64_t bytes_done;
};

struct cluster_state {
    bool is_balanced; /* says the balancer, and no range moves */
    struct cluster_node *nodes;
    size_t nodes_count;
    struct cluster_range *ranges;
    size_t ranges_count;
    struct cluster_move *moves;
    size_t moves_count;
};

/* The arrays live in the arena. STATUS_MALFORMED: this is no such answer; `*reason` (static) says what is missing. */
int cluster_state_parse(struct arena *arena, struct bytes answer, struct cluster_state *state, const char **reason);
