#include "node/operator_wish.h"

#include "proto/check.h"
#include "proto/limits.h"
#include "proto/status.h"

static int refuse(struct operator_wish *wish, int rc, const char *target, const char *reason) {
    wish->target = target;
    wish->reason = reason;
    return rc;
}

/* Who should hold the range as things are: as was wished last, else as it is. */
static struct placement placement_now(const struct cluster_range *range) {
    struct placement now = range->placement;
    if (now.holders_count > 0)
        return now;
    now = (struct placement){.range = range->record.range, .primary = range->record.primary};
    for (size_t i = 0; i < range->record.in_sync_count; i++)
        now.holders[now.holders_count++] = range->record.in_sync[i];
    for (size_t i = 0; i < range->record.learners_count && now.holders_count < RANGE_REPLICAS_MAX; i++)
        now.holders[now.holders_count++] = range->record.learners[i];
    return now;
}

static bool can_take(const struct cluster_facts *facts, uint64_t id) {
    const struct cluster_node *node = cluster_facts_node(facts, id);
    return node != NULL && node->has_record && node->is_alive && !node->is_draining;
}

static int copy_check(const struct cluster_facts *facts, struct operator_wish *wish) {
    struct placement *placement = &wish->placement;
    if (wish->from == 0 || wish->to == 0)
        return refuse(wish, STATUS_VALIDATION_ERROR, wish->from == 0 ? "from" : "to",
                      "A copy moves from one node to another; both have to be named.");
    if (!placement_has(placement, wish->from))
        return refuse(wish, STATUS_CONFLICT, "from", "That node has no copy of the range.");
    if (placement_has(placement, wish->to))
        return refuse(wish, STATUS_CONFLICT, "to", "That node has a copy of the range already.");
    if (!can_take(facts, wish->to))
        return refuse(wish, STATUS_CONFLICT, "to", "That node does not answer, or is to be emptied.");
    for (size_t i = 0; i < placement->holders_count; i++)
        if (placement->holders[i] == wish->from)
            placement->holders[i] = wish->to;
    if (placement->primary == wish->from)
        placement->primary = wish->to;
    return STATUS_OK;
}

static int move_check(const struct cluster_facts *facts, struct operator_wish *wish) {
    int rc = STATUS_OK;
    if (wish->range >= facts->ranges_count || facts->ranges[wish->range].record.epoch == 0)
        return refuse(wish, STATUS_NOT_FOUND, "range", "There is no such range.");
    wish->placement = placement_now(&facts->ranges[wish->range]);
    wish->placement.is_manual = true;
    if (wish->from == 0 && wish->to == 0 && wish->primary == 0)
        return refuse(wish, STATUS_VALIDATION_ERROR, "from", "Either from and to, or primary has to be named.");
    if (wish->from != 0 || wish->to != 0)
        rc = copy_check(facts, wish);
    if (rc != STATUS_OK || wish->primary == 0)
        return rc;
    if (!placement_has(&wish->placement, wish->primary))
        return refuse(wish, STATUS_CONFLICT, "primary", "That node has no copy of the range.");
    if (!can_take(facts, wish->primary))
        return refuse(wish, STATUS_CONFLICT, "primary", "That node does not answer, or is to be emptied.");
    wish->placement.primary = wish->primary;
    return STATUS_OK;
}

static int drain_check(const struct cluster_facts *facts, const struct balancer_settings *settings,
                       struct operator_wish *wish) {
    const struct cluster_node *node = cluster_facts_node(facts, wish->node);
    size_t others = 0;
    if (node == NULL || !node->has_record)
        return refuse(wish, STATUS_NOT_FOUND, "node", "There is no such node.");
    for (size_t i = 0; i < facts->nodes_count; i++)
        others += facts->nodes[i].id != wish->node && can_take(facts, facts->nodes[i].id);
    if (others < settings->min_in_sync)
        return refuse(wish, STATUS_CONFLICT, "node",
                      "Too few other nodes answer to take what it holds; writes would be refused.");
    return STATUS_OK;
}

static int stay_check(const struct cluster_facts *facts, struct operator_wish *wish) {
    const struct cluster_node *node = cluster_facts_node(facts, wish->node);
    if (node == NULL || !node->has_record)
        return refuse(wish, STATUS_NOT_FOUND, "node", "There is no such node.");
    return STATUS_OK;
}

/* Ranges are halved, so their number is doubled. */
static bool can_be_halved_to(const struct operator_wish *wish) {
    uint64_t ranges = wish->parts;
    while (ranges < wish->ranges)
        ranges *= 2;
    return ranges == wish->ranges;
}

static int split_check(const struct cluster_facts *facts, struct operator_wish *wish) {
    if (wish->ranges < facts->ranges_count)
        return refuse(wish, STATUS_CONFLICT, "ranges", "There are more ranges than that already; they are not merged.");
    if (!can_be_halved_to(wish))
        return refuse(
            wish, STATUS_VALIDATION_ERROR, "ranges",
            "Ranges are halved, so there can be twice as many as the cluster began with, or twice that, and so "
            "on.");
    return STATUS_OK;
}

int operator_wish_check(const struct cluster_facts *facts, const struct balancer_settings *settings,
                        struct operator_wish *wish) {
    wish->target = NULL;
    wish->reason = NULL;
    switch (wish->kind) {
    case WISH_PAUSE:
    case WISH_RESUME:
    case WISH_CANCEL:
        return STATUS_OK;
    case WISH_MOVE:
        return move_check(facts, wish);
    case WISH_DRAIN:
        return drain_check(facts, settings, wish);
    case WISH_STAY:
        return stay_check(facts, wish);
    case WISH_SPLIT:
        return split_check(facts, wish);
    }
    check(false);
    return STATUS_INTERNAL_ERROR;
}
