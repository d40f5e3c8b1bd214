#pragma once
/* What an operator wishes of the cluster, and whether it is possible. Only computes; wish_writing.h performs it. */
#include "node/cluster_moves.h"

enum operator_wish_kind {
    WISH_PAUSE, /* the balancer writes no placements */
    WISH_RESUME,
    WISH_CANCEL, /* pause, and what is under way goes back to who holds it now */
    WISH_MOVE,   /* of a range */
    WISH_DRAIN,  /* of a node: it is to be emptied, and ends when it is */
    WISH_STAY,   /* the opposite */
    WISH_SPLIT   /* of ranges, until there are so many */
};

struct operator_wish {
    enum operator_wish_kind kind;
    uint64_t node;    /* DRAIN, STAY */
    uint32_t range;   /* MOVE */
    uint32_t ranges;  /* SPLIT: how many there should be */
    uint32_t parts;   /* SPLIT: how many there were when the cluster was created */
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
