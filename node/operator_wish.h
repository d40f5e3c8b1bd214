#pragma once
/* What an operator wishes of the cluster: whether it is possible, and what has to be written at the coordinator for it.
 * The checks only compute; performing asks the coordinator, so it is for a thread that may wait. */
#include "node/cluster_moves.h"
#include "node/coordinator/coordinator.h"

enum operator_wish_kind {
    WISH_PAUSE, /* the balancer writes no placements */
    WISH_RESUME,
    WISH_CANCEL, /* pause, and what is under way goes back to who holds it now */
    WISH_MOVE,   /* of a range */
    WISH_DRAIN,  /* of a node: it is to be emptied, and ends when it is */
    WISH_STAY    /* the opposite */
};

struct operator_wish {
    enum operator_wish_kind kind;
    uint64_t node;    /* DRAIN, STAY */
    uint32_t range;   /* MOVE */
    uint64_t from;    /* MOVE: gives its copy up … */
    uint64_t to;      /* … to this one; both 0: nobody does */
    uint64_t primary; /* MOVE: is to lead; 0: who does, or `to` in its place */
    /* Filled by the check. */
    struct placement placement; /* MOVE */
    const char *target;         /* which field is at fault; static text, or NULL */
    const char *reason;         /* what is wrong; static text */
};

/* 0; STATUS_NOT_FOUND: no such range or node; STATUS_CONFLICT: as things are it cannot be. */
int operator_wish_check(const struct cluster_facts *facts, const struct balancer_settings *settings,
                        struct operator_wish *wish);
/* After the check. STATUS_CONFLICT: somebody changed it meanwhile; otherwise as the coordinator. */
int operator_wish_perform(struct coordinator *coordinator, const struct cluster_facts *facts,
                          const struct operator_wish *wish);

/* Writes what should be of a range in place of `version`. */
int placement_write(struct coordinator *coordinator, const struct placement *placement, uint64_t version);
/* Takes a name away, whatever it holds; one that is not there is none. */
int name_remove(struct coordinator *coordinator, const char *name);
/* "drains/<id>" and its like. */
#define NODE_PATH_BYTES 32
void node_path_format(const char *folder, uint64_t node, char path[NODE_PATH_BYTES]);
