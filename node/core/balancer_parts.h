#pragma once
/* What the files of the balancer share: the draft, in which decisions are taken one after the other. Each sees those
 * before it as if they were carried out. */
#include "node/core/balancer.h"

#define DRAFT_NOBODY UINT32_MAX

struct draft_node {
    uint64_t id;
    uint32_t zone; /* a number for each that is not empty, and one for each node without */
    bool is_alive, is_draining, is_gone, is_stuck;
    bool may_stay;        /* its copies are where they may be: not gone, not to be emptied */
    bool may_hold;        /* that, alive and not stuck: copies may come */
    int64_t held;         /* the load of its copies */
    int64_t led;          /* the load of the ranges that it leads */
    int64_t held_squares; /* the sum of the squares of what `held` is the sum of */
    int64_t led_squares;
    int64_t held_wavers; /* how much of the load may be chance */
    int64_t led_wavers;
    bool is_passed_over; /* no move for it was found, by the loads of that moment */
};

struct draft_range {
    unsigned givers;    /* bits: which holders may give their copy away for load's sake */
    int64_t held_offer; /* a node that holds less than this may gain by a copy of it */
    int64_t led_offer;  /* and one that leads less than this by leading it */
    const struct balancer_range *given;
    struct placement now;               /* who has it in sync, and leads it */
    struct placement wish;              /* what is decided */
    uint32_t nodes[RANGE_REPLICAS_MAX]; /* wish.holders, by their places in draft.nodes */
    uint32_t primary;
    int64_t copy;      /* load of one copy */
    int64_t lead;      /* load of leading it */
    bool is_under_way; /* from now to the wish */
    bool is_kept;      /* not moved for anything but a node that is gone or to be emptied */
    bool is_stranded;  /* nobody who has it in sync is alive: no wish can be carried out */
    bool is_changed;
};

struct draft {
    struct balancer_settings settings;
    struct draft_node *nodes; /* as given, and behind them one for all who are unknown */
    uint32_t nodes_count;     /* with that one */
    uint32_t *table;          /* by id: places in `nodes` + 1 */
    size_t table_size;        /* a power of two */
    struct draft_range *ranges;
    size_t ranges_count;
    size_t staying_count; /* nodes that may_stay */
    bool is_somebody_silent;
    size_t under_way_count;
    size_t slots;    /* ranges that may yet get under way */
    bool is_held_up; /* something has to wait for a slot */
    size_t blocked_count;
    bool is_somebody_passed_over; /* by other loads than those of now */
    bool is_busy; /* something is on its way already, so balancing goes on until it is well within the tolerance */
};

/* ---- balancer_draft.c ---- */

void draft_init(struct draft *draft, const struct balancer_input *input, struct arena *arena);
/* From now on this is wished of the range. */
void draft_wish(struct draft *draft, struct draft_range *range, const struct placement *wish);
/* What is wished of it is carried out. */
void draft_settle(struct draft_range *range);
/* Nothing is wished: each range stays as it is. */
void draft_go_back(struct draft *draft);
/* False when as many ranges are under way as may be, and this is none of them. */
bool draft_take_slot(struct draft *draft, const struct draft_range *range);
/* The holder at that place does not have it, and does not get on with it. */
bool draft_is_stuck(const struct draft *draft, const struct draft_range *range, size_t at);
bool draft_holds(const struct draft_range *range, uint32_t node);
/* Whether a holder other than the one at `but` is in the zone of the node. */
bool draft_shares_zone(const struct draft *draft, const struct draft_range *range, uint32_t node, size_t but);
/* Whether there is room in the record for one more beside those who have it and those, but the one at `but`, who are
 * to.
 */
bool draft_has_room(const struct draft_range *range, size_t but);

/* ---- balancer_load.c ---- */

/* Fills in the loads of the ranges, as parts of the whole. */
void load_weigh(struct draft *draft);

/* ---- balancer_repair.c ---- */

/* Everything but load: gone nodes, nodes to be emptied, numbers of copies, zones. */
void repair(struct draft *draft);

/* ---- balancer_even.c ---- */

/* The next move for load's sake: the range that it changes; NULL: there is none. */
struct draft_range *even_step(struct draft *draft);
