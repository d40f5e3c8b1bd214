#include "bench/cluster_state.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/status.h"

static void text_take(char *text, size_t size, const json_t *object, const char *name) {
    const char *value = json_string_value(json_object_get(object, name));
    snprintf(text, size, "%s", value == NULL ? "" : value);
}

static uint64_t number_of(const json_t *object, const char *name) {
    json_int_t value = json_integer_value(json_object_get(object, name));
    return value < 0 ? 0 : (uint64_t)value;
}

static void node_take(const json_t *object, struct cluster_node *node) {
    const json_t *load = json_object_get(object, "load");
    text_take(node->id, sizeof node->id, object, "id");
    text_take(node->name, sizeof node->name, object, "name");
    node->is_alive = json_is_true(json_object_get(object, "isAlive"));
    node->is_draining = json_is_true(json_object_get(object, "isDraining"));
    node->share = json_number_value(json_object_get(load, "share"));
    node->stored_bytes = number_of(load, "storedBytes");
    node->primaries = number_of(json_object_get(object, "ranges"), "primary");
}

static uint64_t position_of(const json_t *object, const char *name) {
    const char *text = json_string_value(json_object_get(object, name));
    return text == NULL ? 0 : strtoull(text, NULL, 16);
}

static void range_take(const json_t *object, struct cluster_range *range) {
    range->range = (uint32_t)number_of(object, "range");
    range->epoch = number_of(object, "epoch");
    text_take(range->primary, sizeof range->primary, object, "primary");
    range->first = position_of(object, "first");
    range->last = position_of(object, "last");
}

static void move_take(const json_t *object, struct cluster_move *move) {
    move->range = (uint32_t)number_of(object, "range");
    text_take(move->kind, sizeof move->kind, object, "kind");
    text_take(move->from, sizeof move->from, object, "from");
    text_take(move->to, sizeof move->to, object, "to");
    move->bytes_done = number_of(object, "bytesDone");
}

static void state_take(struct arena *arena, const json_t *root, struct cluster_state *state) {
    const json_t *nodes = json_object_get(root, "nodes"), *ranges = json_object_get(root, "ranges"),
                 *moves = json_object_get(root, "moves");
    *state = (struct cluster_state){.nodes_count = json_array_size(nodes),
                                    .ranges_count = json_array_size(ranges),
                                    .moves_count = json_array_size(moves)};
    state->nodes = ARENA_NEW_ARRAY(arena, struct cluster_node, state->nodes_count);
    state->ranges = ARENA_NEW_ARRAY(arena, struct cluster_range, state->ranges_count);
    state->moves = ARENA_NEW_ARRAY(arena, struct cluster_move, state->moves_count);
    for (size_t i = 0; i < state->nodes_count; i++)
        node_take(json_array_get(nodes, i), &state->nodes[i]);
    for (size_t i = 0; i < state->ranges_count; i++)
        range_take(json_array_get(ranges, i), &state->ranges[i]);
    for (size_t i = 0; i < state->moves_count; i++)
        move_take(json_array_get(moves, i), &state->moves[i]);
    state->is_balanced =
        state->moves_count == 0 && json_is_true(json_object_get(json_object_get(root, "balancer"), "isBalanced"));
}

int cluster_state_parse(struct arena *arena, struct bytes answer, struct cluster_state *state, const char **reason) {
    json_t *root = json_loadb((const char *)answer.data, answer.size, 0, NULL);
    *reason = NULL;
    if (root == NULL)
        *reason = "it is no JSON";
    else if (!json_is_array(json_object_get(root, "nodes")))
        *reason = "it has no nodes";
    else if (!json_is_array(json_object_get(root, "ranges")))
        *reason = "it has no ranges";
    else
        state_take(arena, root, state);
    json_decref(root);
    return *reason == NULL ? STATUS_OK : STATUS_MALFORMED;
}
