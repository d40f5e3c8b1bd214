#include "node/cluster_facts.h"

#include <string.h>

#include "proto/status.h"

#define COPY(arena, type, items, count) memcpy(ARENA_NEW_ARRAY(arena, type, count), items, (count) * sizeof(type))

void cluster_facts_copy(const struct cluster_facts *from, struct arena *arena, struct cluster_facts *to) {
    *to = *from;
    if (from->nodes_count > 0)
        to->nodes = COPY(arena, struct cluster_node, from->nodes, from->nodes_count);
    if (from->ranges_count > 0)
        to->ranges = COPY(arena, struct cluster_range, from->ranges, from->ranges_count);
    for (size_t i = 0; i < to->nodes_count; i++) {
        struct cluster_node *node = &to->nodes[i];
        if (node->loads_count > 0)
            node->loads = COPY(arena, struct cluster_load, node->loads, node->loads_count);
        if (node->learners_count > 0)
            node->learners = COPY(arena, struct cluster_learner, node->learners, node->learners_count);
    }
}

struct cluster_node *cluster_facts_node(const struct cluster_facts *facts, uint64_t id) {
    for (size_t i = 0; i < facts->nodes_count; i++)
        if (facts->nodes[i].id == id)
            return &facts->nodes[i];
    return NULL;
}

const struct cluster_node *cluster_facts_node_called(const struct cluster_facts *facts, struct bytes name) {
    const struct cluster_node *found = NULL;
    uint64_t id;
    if (node_id_parse(name, &id) == STATUS_OK && cluster_facts_node(facts, id) != NULL)
        return cluster_facts_node(facts, id);
    for (size_t i = 0; i < facts->nodes_count; i++) {
        const struct cluster_node *node = &facts->nodes[i];
        if (!node->has_record || !bytes_equal_text(name, node->name) ||
            (found != NULL && found->is_alive && !node->is_alive))
            continue;
        if (found != NULL && found->is_alive == node->is_alive)
            return NULL;
        found = node;
    }
    return found;
}

const struct cluster_load *cluster_node_load(const struct cluster_node *node, uint32_t range) {
    size_t low = 0;
    size_t high = node->loads_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (node->loads[middle].counted.range < range)
            low = middle + 1;
        else
            high = middle;
    }
    return low < node->loads_count && node->loads[low].counted.range == range ? &node->loads[low] : NULL;
}

uint64_t cluster_facts_bytes(const struct cluster_facts *facts, const struct cluster_range *range) {
    uint64_t most = 0;
    for (size_t i = 0; i < facts->nodes_count; i++) {
        const struct cluster_load *load = cluster_node_load(&facts->nodes[i], range->record.range);
        if (load == NULL || load->counted.stored_bytes == 0)
            continue;
        if (facts->nodes[i].id == range->record.primary)
            return load->counted.stored_bytes;
        if (load->counted.stored_bytes > most && range_record_has_in_sync(&range->record, facts->nodes[i].id))
            most = load->counted.stored_bytes;
    }
    return most;
}

static void rate_add(struct cluster_rate *sum, const struct cluster_rate *rate) {
    sum->now += rate->now;
    sum->mean += rate->mean;
}

struct cluster_rate cluster_facts_writes(const struct cluster_facts *facts, uint32_t range) {
    struct cluster_rate sum = {0};
    for (size_t i = 0; i < facts->nodes_count; i++) {
        const struct cluster_load *load = cluster_node_load(&facts->nodes[i], range);
        if (load != NULL)
            rate_add(&sum, &load->writes);
    }
    return sum;
}

struct cluster_rate cluster_facts_deliveries(const struct cluster_facts *facts, uint32_t range) {
    struct cluster_rate sum = {0};
    for (size_t i = 0; i < facts->nodes_count; i++) {
        const struct cluster_load *load = cluster_node_load(&facts->nodes[i], range);
        if (load != NULL)
            rate_add(&sum, &load->deliveries);
    }
    return sum;
}

struct cluster_holdings cluster_facts_holdings(const struct cluster_facts *facts, uint64_t node) {
    struct cluster_holdings holdings = {0};
    for (size_t i = 0; i < facts->ranges_count; i++) {
        const struct range_record *record = &facts->ranges[i].record;
        holdings.primary += record->primary == node;
        holdings.in_sync += range_record_has_in_sync(record, node);
        holdings.learning += range_record_has_learner(record, node);
    }
    return holdings;
}

bool cluster_facts_holds_nothing(const struct cluster_facts *facts, uint64_t node) {
    struct cluster_holdings holdings = cluster_facts_holdings(facts, node);
    for (size_t i = 0; i < facts->ranges_count; i++)
        if (facts->ranges[i].record.epoch == 0)
            return false;
    return facts->ranges_count > 0 && holdings.in_sync == 0 && holdings.learning == 0;
}

bool cluster_range_is_under_way(const struct cluster_range *range) {
    return range->placement.holders_count > 0 && range->record.epoch > 0 &&
           !placement_is_reached(&range->placement, &range->record);
}
