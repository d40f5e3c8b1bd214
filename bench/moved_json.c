#include <math.h>

#include "bench/json_out.h"
#include "bench/moved.h"

static json_t *shares_json(const struct movements *movements, double before_s) {
    const struct share_sample *sample = movements_shares_before(movements, before_s);
    json_t *row = json_object(), *nodes = json_object();
    for (size_t i = 0; sample != NULL && i < movements->nodes_count; i++)
        if (sample->shares[i] >= 0)
            json_out_real(nodes, movements_node_name(movements, i), sample->shares[i]);
    json_out_set(row, "nodes", nodes);
    json_out_real(row, "furthestFromEven", sample == NULL ? 0 : share_sample_furthest(sample));
    return row;
}

static json_t *happenings_json(const struct moved *moved) {
    json_t *array = json_array();
    for (size_t i = 0; i < moved->happenings_count; i++) {
        const struct happening *happening = &moved->happenings[i];
        json_t *row = json_object();
        json_out_set(row, "command", json_string(happening->command));
        json_out_real(row, "at", happening->at_s);
        json_out_real(row, "until", happening->until_s);
        json_out_set(row, "sharesBefore", shares_json(&moved->movements, happening->at_s));
        json_out_count(row, "exitStatus", (uint64_t)happening->exit_status);
        const char *text = happening->output.size > 0 ? (const char *)happening->output.data : "";
        /* What is no text cannot be JSON. */
        json_t *output = json_stringn(text, happening->output.size);
        json_out_set(row, "output", output != NULL ? output : json_null());
        json_array_append_new(array, row);
    }
    return array;
}

static json_t *clients_json(const struct moved *moved) {
    json_t *clients = json_object();
    json_out_count(clients, "reconnects", moved->reconnects);
    json_out_count(clients, "toldToGo", moved->goaways);
    json_out_count(clients, "sendsRepeated", moved->repeats);
    json_out_count(clients, "toldAgain", moved->told_again);
    json_out_count(clients, "jumps", moved->jumps);
    json_out_count(clients, "gaps", moved->gaps);
    json_out_set(clients, "awayMs", json_out_histogram(&moved->away));
    json_out_set(clients, "broken", json_out_names(&moved->breaks));
    json_out_set(clients, "notConnected", json_out_names(&moved->refused_connections));
    return clients;
}

static json_t *stall_json(const struct stall *stall) {
    json_t *row = json_object();
    json_out_real(row, "ms", (double)stall->duration_ns / 1e6);
    json_out_real(row, "at", stall->at_s);
    json_out_count(row, "thread", stall->thread);
    json_out_count(row, "sender", stall->participant);
    json_out_set(row, "repeated", json_boolean(stall->is_repeated));
    return row;
}

static json_t *hand_overs_json(const struct moved *moved) {
    const struct movements *movements = &moved->movements;
    json_t *array = json_array();
    for (size_t i = 0; i < movements->hand_overs_count; i++) {
        const struct hand_over *hand_over = &movements->hand_overs[i];
        json_t *row = json_object();
        json_out_count(row, "range", hand_over->range);
        json_out_count(row, "epoch", hand_over->epoch);
        json_out_set(row, "from", json_string(movements_node_name(movements, hand_over->from)));
        json_out_set(row, "to", json_string(movements_node_name(movements, hand_over->to)));
        json_out_real(row, "after", hand_over->after_s);
        json_out_real(row, "until", hand_over->until_s);
        json_out_set(row, "longestWrite", stall_json(&moved->stalls.hand_overs[i]));
        json_array_append_new(array, row);
    }
    return array;
}

static json_t *moves_json(const struct movements *movements) {
    json_t *array = json_array();
    for (size_t i = 0; i < movements->moves_count; i++) {
        const struct move *move = &movements->moves[i];
        json_t *row = json_object();
        json_out_count(row, "range", move->range);
        json_out_set(row, "kind", json_string(move->kind));
        json_out_set(row, "from", json_string(movements_node_name(movements, move->from)));
        json_out_set(row, "to", json_string(movements_node_name(movements, move->to)));
        json_out_real(row, "at", move->from_s);
        json_out_real(row, "until", move->until_s);
        json_out_count(row, "bytes", move->bytes);
        json_array_append_new(array, row);
    }
    return array;
}

static void side_set(json_t *row, const char *name, bool is_there, double share, uint64_t primaries, uint64_t stored) {
    json_t *side = json_object();
    json_out_real(side, "share", share);
    json_out_count(side, "primaries", primaries);
    json_out_count(side, "storedBytes", stored);
    if (is_there)
        json_out_set(row, name, side);
    else
        json_decref(side);
}

static json_t *nodes_json(const struct movements *movements) {
    json_t *array = json_array();
    for (size_t i = 0; i < movements->nodes_count; i++) {
        const struct node_track *node = &movements->nodes[i];
        json_t *row = json_object();
        json_out_set(row, "id", json_string(node->id));
        json_out_set(row, "name", json_string(node->name));
        side_set(row, "before", node->was_there_before, node->share_before, node->primaries_before,
                 node->stored_before);
        side_set(row, "after", node->is_there_after, node->share_after, node->primaries_after, node->stored_after);
        json_array_append_new(array, row);
    }
    return array;
}

static json_t *writes_json(const struct stalls *stalls) {
    json_t *writes = json_object();
    json_t *threads = json_array();
    for (size_t i = 0; i < stalls->threads_count; i++)
        json_array_append_new(threads, stall_json(&stalls->threads[i]));
    json_out_set(writes, "ofHandOversMs", json_out_histogram(&stalls->of_hand_overs));
    json_out_set(writes, "ofThreadsMs", json_out_histogram(&stalls->of_threads));
    json_out_set(writes, "ofSendersMs", json_out_histogram(&stalls->of_senders));
    json_out_set(writes, "threads", threads);
    return writes;
}

static json_t *hold_json(const struct hold *hold) {
    const struct counter_histogram *seconds = &hold->seconds;
    json_t *row = json_object();
    json_out_real(row, "count", seconds->bounds_count == 0 ? 0 : seconds->counts[seconds->bounds_count - 1]);
    json_out_real(row, "p50", hold_quantile_ms(hold, 0.5));
    json_out_real(row, "p99", hold_quantile_ms(hold, 0.99));
    json_out_real(row, "max", hold->longest_s * 1e3);
    return row;
}

json_t *moved_json(const struct result *result) {
    const struct moved *moved = result->moved;
    json_t *root = json_object();
    json_out_set(root, "happenings", happenings_json(moved));
    json_out_count(root, "neverBegun", moved->never_begun);
    json_out_count(root, "filledMessages", moved->fill_messages);
    json_out_real(root, "filledBytes", moved->fill_bytes);
    json_out_real(root, "filledSeconds", moved->fill_s);
    json_out_set(root, "clients", clients_json(moved));
    json_out_set(root, "longestWrites", writes_json(&moved->stalls));
    json_out_set(root, "handOversToldApart", json_boolean(moved->are_hand_overs_told_apart));
    json_out_set(root, "handOverHeldMs", hold_json(&moved->holds[HOLDS_GIVEN]));
    json_out_set(root, "handOverTakenMs", hold_json(&moved->holds[HOLDS_TAKEN]));
    json_out_set(root, "handOverStallMs", hold_json(&moved->holds[HOLDS_TOGETHER]));
    if (moved->watch_problem[0] != 0)
        json_out_set(root, "watchProblem", json_string(moved->watch_problem));
    json_out_set(root, "balancedAtEnd", json_boolean(moved->is_balanced_at_end));
    json_out_set(root, "sharesAfter", shares_json(&moved->movements, INFINITY));
    json_out_set(root, "nodes", nodes_json(&moved->movements));
    json_out_set(root, "handOvers", hand_overs_json(moved));
    json_out_set(root, "moves", moves_json(&moved->movements));
    if (moved->transfers[TRANSFERS_ALL].is_known)
        json_out_real(root, "peerBytes", moved->transfers[TRANSFERS_ALL].bytes);
    if (moved->transfers[TRANSFERS_COPIES].is_known)
        json_out_real(root, "copiedBytes", moved->transfers[TRANSFERS_COPIES].bytes);
    return root;
}
