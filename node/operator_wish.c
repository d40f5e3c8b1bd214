#include "node/operator_wish.h"

#include <stdio.h>

#include "proto/check.h"
#include "proto/status.h"

#define PAUSED_NAME "balancing/paused"

/* ---- what is possible ---- */

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
    }
    check(false);
    return STATUS_INTERNAL_ERROR;
}

/* ---- at the coordinator ---- */

void node_path_format(const char *folder, uint64_t node, char path[NODE_PATH_BYTES]) {
    char id[NODE_ID_TEXT_BYTES];
    node_id_format(node, id);
    int size = snprintf(path, NODE_PATH_BYTES, "%s/%s", folder, id);
    check(size > 0 && size < NODE_PATH_BYTES);
}

int placement_write(struct coordinator *coordinator, const struct placement *placement, uint64_t version) {
    char name[sizeof("placements/") + 8];
    struct buffer encoded;
    snprintf(name, sizeof(name), "placements/%05u", (unsigned)(placement->range % 100000));
    buffer_init(&encoded);
    placement_encode(placement, &encoded);
    int rc = coordinator_swap(coordinator, name, version, buffer_bytes(&encoded), NULL);
    buffer_close(&encoded);
    return rc;
}

int name_remove(struct coordinator *coordinator, const char *name) {
    struct arena arena;
    struct bytes value;
    uint64_t version;
    arena_init(&arena);
    int rc = coordinator_get(coordinator, name, &arena, &value, &version);
    arena_close(&arena);
    if (rc == STATUS_OK)
        rc = coordinator_remove(coordinator, name, version);
    return rc == STATUS_STORE_MISSING ? STATUS_OK : rc;
}

static int name_make(struct coordinator *coordinator, const char *name) {
    int rc = coordinator_swap(coordinator, name, 0, BYTES_LITERAL("1"), NULL);
    return rc == STATUS_CONFLICT ? STATUS_OK : rc;
}

/* Who holds it in sync now is whom the record can be led back to in one step. */
static int range_give_up(struct coordinator *coordinator, const struct cluster_range *range) {
    struct placement back = {.range = range->record.range, .primary = range->record.primary};
    for (size_t i = 0; i < range->record.in_sync_count; i++)
        back.holders[back.holders_count++] = range->record.in_sync[i];
    return placement_write(coordinator, &back, range->placement_version);
}

static int cancel(struct coordinator *coordinator, const struct cluster_facts *facts) {
    int rc = name_make(coordinator, PAUSED_NAME);
    for (size_t i = 0; i < facts->ranges_count && rc == STATUS_OK; i++)
        if (cluster_range_is_under_way(&facts->ranges[i]))
            rc = range_give_up(coordinator, &facts->ranges[i]);
    return rc;
}

int operator_wish_perform(struct coordinator *coordinator, const struct cluster_facts *facts,
                          const struct operator_wish *wish) {
    char path[NODE_PATH_BYTES];
    node_path_format("drains", wish->node, path);
    switch (wish->kind) {
    case WISH_PAUSE:
        return name_make(coordinator, PAUSED_NAME);
    case WISH_RESUME:
        return name_remove(coordinator, PAUSED_NAME);
    case WISH_CANCEL:
        return cancel(coordinator, facts);
    case WISH_MOVE:
        return placement_write(coordinator, &wish->placement, facts->ranges[wish->range].placement_version);
    case WISH_DRAIN:
        return name_make(coordinator, path);
    case WISH_STAY:
        return name_remove(coordinator, path);
    }
    check(false);
    return STATUS_INTERNAL_ERROR;
}
