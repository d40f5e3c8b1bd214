#pragma once
/* Where ranges should be: who holds what, how loaded it is, and settings go in, and the placements to write next come
 * out. A pure function: the same input gives the same output, nothing is remembered between calls and nothing is done.
 * The elected node calls it each second and writes what it says; any node calls it for a forecast.
 *
 * What is wished already counts as if it were there, so a decision is taken once. In this order: copies on nodes that
 * are gone, copies on nodes that are to be emptied, ranges with too few or too many copies, two copies in one zone, and
 * then load: first who leads, which costs nothing, then copies. A range under way is left alone, unless a node that it
 * should go to is gone, stuck or to be emptied. While a node is silent and not yet gone, nothing is moved for load's
 * sake.
 *
 * Load is measured in two ways: what a node holds (stored bytes and writes of every copy) and what it leads (writes and
 * deliveries of the ranges it is primary of). Each of the two should be even within the tolerance. Balancing
 * begins when a node is outside it, and every step of it has to bring the two nodes closer by more than loads waver; so
 * it ends, and does not turn back. Loads should be averages of a minute or so. */
#include "proto/arena.h"
#include "proto/placement.h"

#define BALANCER_TOLERANCE_PERCENT 10 /* the usual tolerance: what is within 15 % of even stays so when loads waver */
#define BALANCER_PLAN_MOVES_MAX 20000 /* a forecast ends here: more is hours of moving, and loads will be others */

struct balancer_node {
    uint64_t id;       /* not 0 */
    struct bytes zone; /* failure domain; empty: one of its own */
    bool is_alive;
    bool is_draining; /* it is to be emptied */
    bool is_gone;     /* silent for so long that it is replaced; not alive then */
    bool is_stuck;    /* alive, but does not get on with copies that it learns: they go elsewhere, and no others come */
};

struct balancer_range {
    struct range_record record;
    struct placement placement; /* what is wished; holders_count 0: nothing */
    bool is_manual;             /* an operator wished it: kept until it is reached, or cannot be any more */
    uint64_t bytes;             /* of one copy */
    double writes_per_s;
    double deliveries_per_s;
};

struct balancer_settings {
    size_t factor;              /* copies of a range where there are enough nodes; at most RANGE_REPLICAS_MAX */
    size_t min_in_sync;         /* no range is left with fewer wished holders */
    size_t moves_max;           /* ranges under way at a time */
    unsigned tolerance_percent; /* of an even share, upwards and downwards */
};

/* Borrowed for a call. A node that is not among `nodes` but holds a range counts as gone. */
struct balancer_input {
    const struct balancer_node *nodes;
    size_t nodes_count;
    const struct balancer_range *ranges; /* rising by record.range */
    size_t ranges_count;
    struct balancer_settings settings;
};

struct balancer_decision {
    struct placement *placements; /* to be written now; in the arena */
    size_t placements_count;
    size_t under_way_count; /* ranges that were under way before, towards a node that is alive */
    size_t blocked_count;   /* ranges with a copy on a node that is to be emptied, and no node to take it */
    bool is_balanced;       /* nothing is to be moved and nothing is under way; placements may still be written down */
};

/* Never allocates but in `arena`. With 256 nodes and 4096 ranges it takes 0.5 to 2 ms of a 2 GHz core, or 8 ms where a
 * few ranges are so heavy that hardly any node can be near an even share. */
void balancer_next(const struct balancer_input *input, struct arena *arena, struct balancer_decision *decision);

enum balancer_move_kind { BALANCER_COPY, BALANCER_PRIMARY, BALANCER_DROP };

struct balancer_move {
    uint32_t range;
    enum balancer_move_kind kind;
    uint64_t from;  /* COPY: the node whose copy it replaces, 0: one more; PRIMARY, DROP: who gives it up */
    uint64_t to;    /* COPY, PRIMARY; DROP: 0 */
    uint64_t bytes; /* COPY: to be sent */
};

struct balancer_forecast {
    struct balancer_move *moves; /* in the order of the decisions; in the arena */
    size_t moves_count;
    uint64_t bytes;   /* to be sent */
    double *shares;   /* of load after all of them, as balancer_shares */
    bool is_complete; /* false: more than BALANCER_PLAN_MOVES_MAX */
    bool is_blocked;  /* a node that is to be emptied cannot be */
};

/* What balancer_next would do, call after call, until nothing is left to do and if loads stay as they are; what is
 * under way included. With 256 nodes and 4096 ranges it takes up to 0.4 s, which is not for a loop that serves. */
void balancer_plan(const struct balancer_input *input, struct arena *arena, struct balancer_forecast *forecast);

/* Each node's share of load, half of it by what it holds and half by what it leads, by the records alone, in the order
 * of input->nodes; together 1, or all 0. */
void balancer_shares(const struct balancer_input *input, struct arena *arena, double *shares);
