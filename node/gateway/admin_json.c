#include "node/gateway/admin_json.h"

#include <stdio.h>

#include "proto/json_tree.h"

/* ---- parts ---- */

json_t *admin_id_new(uint64_t id) {
    char text[NODE_ID_TEXT_BYTES] = "";
    if (id != 0)
        node_id_format(id, text);
    return json_string(text);
}

static json_t *position_new(uint64_t position) {
    char text[17];
    snprintf(text, sizeof(text), "%016llx", (unsigned long long)position);
    return json_string(text);
}

static void number_set(json_t *object, const char *name, uint64_t number) {
    json_member_set(object, name, json_integer((json_int_t)number));
}

static void real_set(json_t *object, const char *name, double number) {
    json_member_set(object, name, json_real(number));
}

static void flag_set(json_t *object, const char *name, bool flag) {
    json_member_set(object, name, json_boolean(flag));
}

json_t *admin_ids_new(const uint64_t *ids, size_t count) {
    json_t *array = json_array_new();
    for (size_t i = 0; i < count; i++)
        json_item_add(array, admin_id_new(ids[i]));
    return array;
}

static json_t *target_new(const struct placement *placement) {
    json_t *target = json_object_new();
    json_member_set(target, "holders", admin_ids_new(placement->holders, placement->holders_count));
    json_member_set(target, "primary", admin_id_new(placement->primary));
    return target;
}

/* ---- nodes ---- */

static double share_of(const struct balancer_input *input, const double *shares, uint64_t node) {
    for (size_t i = 0; i < input->nodes_count; i++)
        if (input->nodes[i].id == node)
            return shares[i];
    return 0;
}

static json_t *load_new(const struct cluster_node *node, double share) {
    json_t *load = json_object_new();
    double writes_per_s = 0;
    uint64_t stored_bytes = 0;
    for (size_t i = 0; i < node->loads_count; i++) {
        writes_per_s += node->loads[i].writes.now;
        stored_bytes += node->loads[i].counted.stored_bytes;
    }
    number_set(load, "storedBytes", stored_bytes);
    number_set(load, "databaseBytes", node->total.stored_bytes);
    number_set(load, "connections", node->total.connections);
    number_set(load, "sessions", node->total.sessions);
    real_set(load, "deliveriesPerSecond", node->deliveries_per_s);
    real_set(load, "writesPerSecond", writes_per_s);
    real_set(load, "commitMsP50", (double)node->total.commit_us_p50 / 1000);
    real_set(load, "commitMsP99", (double)node->total.commit_us_p99 / 1000);
    number_set(load, "slowClients", node->total.slow);
    real_set(load, "share", share);
    return load;
}

static json_t *node_new(const struct cluster_facts *facts, const struct cluster_node *node, double share) {
    json_t *object = json_object_new();
    json_t *ranges = json_object_new();
    struct cluster_holdings holdings = cluster_facts_holdings(facts, node->id);
    json_member_set(object, "id", admin_id_new(node->id));
    json_text_set(object, "name", bytes_of_text(node->name));
    json_text_set(object, "zone", bytes_of_text(node->zone));
    json_text_set(object, "publicUrl", bytes_of_text(node->public_url));
    json_text_set(object, "peerAddress", bytes_of_text(node->peer_address));
    flag_set(object, "isAlive", node->is_alive);
    flag_set(object, "isDraining", node->is_draining);
    flag_set(object, "isThisNode", node->id == facts->self);
    number_set(ranges, "primary", holdings.primary);
    number_set(ranges, "inSync", holdings.in_sync);
    number_set(ranges, "learning", holdings.learning);
    json_member_set(object, "ranges", ranges);
    json_member_set(object, "load", load_new(node, share));
    return object;
}

/* ---- ranges ---- */

struct bounds admin_range_bounds(const struct range_record *record, uint32_t parts) {
    bool is_said = bounds_are_said(&record->bounds) || record->range >= parts;
    return is_said ? record->bounds : bounds_of_part(record->range, parts);
}

static json_t *range_new(const struct cluster_facts *facts, const struct cluster_range *range, uint32_t parts) {
    const struct range_record *record = &range->record;
    const struct bounds bounds = admin_range_bounds(record, parts);
    json_t *object = json_object_new();
    number_set(object, "range", record->range);
    number_set(object, "epoch", record->epoch);
    json_member_set(object, "first", position_new(bounds.first));
    json_member_set(object, "last", position_new(bounds.last));
    json_member_set(object, "primary", admin_id_new(record->primary));
    json_member_set(object, "inSync", admin_ids_new(record->in_sync, record->in_sync_count));
    json_member_set(object, "learners", admin_ids_new(record->learners, record->learners_count));
    number_set(object, "storedBytes", cluster_facts_bytes(facts, range));
    real_set(object, "writesPerSecond", cluster_facts_writes(facts, record->range).now);
    real_set(object, "deliveriesPerSecond", cluster_facts_deliveries(facts, record->range).now);
    if (cluster_range_is_under_way(range))
        json_member_set(object, "target", target_new(&range->placement));
    return object;
}

/* ---- moves ---- */

static json_t *move_new(const struct cluster_move *move) {
    json_t *object = json_object_new();
    number_set(object, "range", move->range);
    json_text_set(object, "kind", bytes_of_text(cluster_move_kind_name(move->kind)));
    json_member_set(object, "from", admin_id_new(move->from));
    json_member_set(object, "to", admin_id_new(move->to));
    json_text_set(object, "state", bytes_of_text(cluster_move_state_name(move->state)));
    number_set(object, "bytesDone", move->bytes_done);
    number_set(object, "bytesTotal", move->bytes_total);
    real_set(object, "bytesPerSecond", move->bytes_per_s);
    number_set(object, "startedAt", (uint64_t)move->started_ms);
    return object;
}

static json_t *moves_new(const struct cluster_facts *facts, struct arena *arena) {
    json_t *array = json_array_new();
    struct cluster_move *moves;
    size_t count;
    cluster_moves_list(facts, arena, &moves, &count);
    for (size_t i = 0; i < count; i++)
        json_item_add(array, move_new(&moves[i]));
    return array;
}

/* ---- the bodies ---- */

static json_t *balancer_new(const struct cluster_facts *facts, const struct admin_cluster *cluster, bool is_balanced) {
    json_t *object = json_object_new();
    json_member_set(object, "node", admin_id_new(facts->balancer));
    flag_set(object, "isPaused", facts->is_paused);
    number_set(object, "movesMax", cluster->moves_max);
    flag_set(object, "isBalanced", is_balanced);
    return object;
}

struct bytes admin_cluster_encode(const struct cluster_facts *facts, const struct admin_cluster *cluster,
                                  const struct balancer_input *input, const double *shares, bool is_balanced,
                                  struct arena *arena) {
    json_t *tree = json_object_new();
    json_t *nodes = json_array_new();
    json_t *ranges = json_array_new();
    json_text_set(tree, "cluster", bytes_of_text(cluster->cluster_name));
    number_set(tree, "rangeCount", facts->ranges_count);
    number_set(tree, "replicationFactor", cluster->replication_factor);
    number_set(tree, "minInSync", cluster->min_in_sync);
    json_member_set(tree, "balancer", balancer_new(facts, cluster, is_balanced));
    for (size_t i = 0; i < facts->nodes_count; i++)
        if (facts->nodes[i].has_record)
            json_item_add(nodes, node_new(facts, &facts->nodes[i], share_of(input, shares, facts->nodes[i].id)));
    json_member_set(tree, "nodes", nodes);
    for (size_t i = 0; i < facts->ranges_count; i++)
        if (facts->ranges[i].record.epoch > 0)
            json_item_add(ranges, range_new(facts, &facts->ranges[i], cluster->parts));
    json_member_set(tree, "ranges", ranges);
    json_member_set(tree, "moves", moves_new(facts, arena));
    return json_text_take(arena, tree);
}

static json_t *planned_new(const struct cluster_facts *facts, const struct balancer_move *move) {
    json_t *object = json_object_new();
    bool has_giver = move->from != 0 || move->range >= facts->ranges_count;
    number_set(object, "range", move->range);
    json_text_set(object, "kind", bytes_of_text(cluster_move_kind_name(move->kind)));
    json_member_set(object, "from", admin_id_new(has_giver ? move->from : facts->ranges[move->range].record.primary));
    json_member_set(object, "to", admin_id_new(move->to));
    number_set(object, "bytes", move->bytes);
    return object;
}

static json_t *shares_new(const struct balancer_input *input, const double *shares) {
    json_t *object = json_object_new();
    for (size_t i = 0; i < input->nodes_count; i++) {
        char id[NODE_ID_TEXT_BYTES];
        node_id_format(input->nodes[i].id, id);
        real_set(object, id, shares[i]);
    }
    return object;
}

struct bytes admin_plan_encode(const struct cluster_facts *facts, const struct balancer_input *input,
                               const struct balancer_forecast *forecast, const double *before, double seconds,
                               struct arena *arena) {
    json_t *tree = json_object_new();
    json_t *moves = json_array_new();
    for (size_t i = 0; i < forecast->moves_count; i++)
        json_item_add(moves, planned_new(facts, &forecast->moves[i]));
    json_member_set(tree, "moves", moves);
    number_set(tree, "bytes", forecast->bytes);
    real_set(tree, "seconds", seconds);
    json_member_set(tree, "before", shares_new(input, before));
    json_member_set(tree, "after", shares_new(input, forecast->shares));
    flag_set(tree, "isComplete", forecast->is_complete);
    flag_set(tree, "isBlocked", forecast->is_blocked);
    return json_text_take(arena, tree);
}

struct bytes admin_position_encode(uint64_t position, struct arena *arena) {
    json_t *tree = json_object_new();
    json_member_set(tree, "position", position_new(position));
    return json_text_take(arena, tree);
}

struct bytes admin_target_encode(const struct placement *placement, struct arena *arena) {
    json_t *tree = json_object_new();
    json_member_set(tree, "target", target_new(placement));
    return json_text_take(arena, tree);
}
