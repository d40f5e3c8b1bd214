#include "node/gateway/trace_json.h"

#include <stdio.h>
#include <stdlib.h>

#include "node/gateway/admin_json.h"
#include "proto/change.h"
#include "proto/identifier_json.h"

static void number_set(json_t *object, const char *name, uint64_t number) {
    json_member_set(object, name, json_integer((json_int_t)number));
}

/* Nothing for 0, which no time is. */
static void time_set(json_t *object, const char *name, int64_t time) {
    if (time != 0)
        json_member_set(object, name, json_integer(time));
}

/* ---- whose it is ---- */

static json_t *owner_new(const struct tracing *tracing) {
    uint32_t parts = tracing->worker->gateway->settings->range_count;
    json_t *owner = json_object_new();
    for (size_t i = 0; i < tracing->facts.ranges_count; i++) {
        const struct range_record *record = &tracing->facts.ranges[i].record;
        struct bounds bounds = admin_range_bounds(record, parts);
        if (record->epoch == 0 || !bounds_have(&bounds, id_hash_position(&tracing->thread)))
            continue;
        number_set(owner, "range", record->range);
        number_set(owner, "epoch", record->epoch);
        json_member_set(owner, "primary", admin_id_new(record->primary));
        json_member_set(owner, "inSync", admin_ids_new(record->in_sync, record->in_sync_count));
        json_member_set(owner, "learners", admin_ids_new(record->learners, record->learners_count));
        break;
    }
    return owner;
}

static const char *type_name(enum message_type type) {
    static const char *const names[] = {"", "text", "html", "topicUpdated", "participantAdded", "participantRemoved"};
    return type <= MESSAGE_PARTICIPANT_REMOVED ? names[type] : "";
}

static json_t *message_new(const struct message *message) {
    json_t *object = json_object_new();
    json_member_set(object, "id", json_decimal_new(message->id));
    json_member_set(object, "type", json_string(type_name(message->type)));
    json_member_set(object, "sequenceId", json_decimal_new(message->sequence));
    number_set(object, "offset", message->offset);
    number_set(object, "createdOffset", message->created_offset);
    time_set(object, "createdAt", message->created_ms);
    time_set(object, "editedAt", message->edited_ms);
    time_set(object, "deletedAt", message->deleted_ms);
    if (bytes_is_present(message->actor_id))
        json_member_set(object, "sender", identifier_to_json(message->actor_id));
    return object;
}

/* ---- who was asked ---- */

static json_t *node_new(const struct traced_node *node) {
    static const char *const answers[] = {"none", "silent", "remembers"};
    const struct trace_memory *memory = &node->memory;
    bool is_off = node->answer == TRACED_REMEMBERS && memory->is_off;
    json_t *object = json_object_new();
    json_member_set(object, "id", admin_id_new(node->node->id));
    json_text_set(object, "name", bytes_of_text(node->node->name));
    json_member_set(object, "answer", json_string(is_off ? "off" : answers[node->answer]));
    if (node->answer != TRACED_REMEMBERS)
        return object;
    json_member_set(object, "aheadUs", json_integer(node->ahead_us));
    json_member_set(object, "uncertainUs", json_integer(node->uncertain_us));
    json_member_set(object, "isCut", json_boolean(memory->is_cut));
    if (!is_off) {
        time_set(object, "logFromUs", memory->log_from_us - node->ahead_us);
        time_set(object, "toldFromUs", memory->told_from_us - node->ahead_us);
    }
    return object;
}

static json_t *nodes_new(const struct tracing *tracing) {
    json_t *array = json_array_new();
    for (size_t i = 0; i < tracing->facts.nodes_count; i++)
        json_item_add(array, node_new(&tracing->nodes[i]));
    return array;
}

/* ---- what became of a change ---- */

static const char *const stage_names[TRACE_STAGES] = {
    [TRACE_RECEIVED] = "receivedUs", [TRACE_WRITTEN] = "writtenUs", [TRACE_COMMITTED] = "committedUs",
    [TRACE_APPLIED] = "appliedUs",   [TRACE_ARRIVED] = "arrivedUs", [TRACE_TOLD] = "toldUs",
    [TRACE_REPEATED] = "repeatedUs", [TRACE_KEPT] = "keptUs",       [TRACE_DROPPED] = "droppedUs",
    [TRACE_ANSWERED] = "answeredUs"};

/* The way of one change, with what finds users by the beginnings of their hashes. */
struct way {
    const struct tracing *tracing;
    const struct trace_change *change;
    uint64_t *positions; /* of the subject's users */
    bool *are_told;
    json_t *nodes, *deliveries;
};

/* An entry of the log that was taken back may have had the same index: the last one counts. */
static void stage_set(json_t *object, const struct traced_node *node, const struct trace_event *event) {
    time_set(object, stage_names[event->stage], event->time_us - node->ahead_us);
}

static bool is_of_change(const struct way *way, const struct trace_event *event, uint64_t index) {
    return event->stage < TRACE_APPLIED ? index != 0 && event->number == index : event->number == way->change->offset;
}

/* The change's place in the log, as this node knows it; 0: it does not. */
static uint64_t index_find(const struct way *way, const struct trace_memory *memory) {
    for (size_t i = trace_events_count(memory); i-- > 0;) {
        struct trace_event event = trace_events_at(memory, i);
        if (event.stage == TRACE_APPLIED && event.number == way->change->offset)
            return event.about;
    }
    return 0;
}

static void log_add(struct way *way, const struct traced_node *node) {
    uint64_t index = index_find(way, &node->memory);
    json_t *object = NULL;
    for (size_t i = 0; i < trace_events_count(&node->memory); i++) {
        struct trace_event event = trace_events_at(&node->memory, i);
        if (event.stage > TRACE_ARRIVED || stage_names[event.stage] == NULL || !is_of_change(way, &event, index))
            continue;
        if (object == NULL) {
            object = json_object_new();
            json_member_set(object, "node", admin_id_new(node->node->id));
            if (index != 0)
                number_set(object, "index", index);
        }
        stage_set(object, node, &event);
    }
    if (object != NULL)
        json_item_add(way->nodes, object);
}

/* By connection, then by time. */
static int by_reader(const void *left, const void *right) {
    const struct trace_event *a = left, *b = right;
    if (a->about != b->about)
        return a->about < b->about ? -1 : 1;
    return a->time_us < b->time_us ? -1 : a->time_us > b->time_us;
}

static void recipient_set(struct way *way, json_t *object, uint64_t about) {
    const struct trace_subject *subject = &way->tracing->subject;
    for (size_t i = 0; i < subject->users_count; i++) {
        if (trace_reader(way->positions[i], 0) != trace_reader(about, 0))
            continue;
        json_member_set(object, "recipient", identifier_to_json(subject->users[i].user_id));
        way->are_told[i] = true;
        return;
    }
}

static json_t *delivery_new(struct way *way, const struct traced_node *node, const struct trace_event *event) {
    json_t *object = json_object_new();
    json_member_set(object, "node", admin_id_new(node->node->id));
    recipient_set(way, object, event->about);
    json_member_set(object, "protocol", json_string(event->detail == TRACE_TROUTER ? "trouter" : "realtime"));
    number_set(object, "connection", event->about & UINT16_MAX);
    return object;
}

static void deliveries_add(struct way *way, const struct traced_node *node, struct arena *arena) {
    size_t count = 0, all = trace_events_count(&node->memory);
    struct trace_event *events = ARENA_NEW_ARRAY(arena, struct trace_event, all + 1);
    for (size_t i = 0; i < all; i++) {
        events[count] = trace_events_at(&node->memory, i);
        count += events[count].stage > TRACE_ARRIVED && events[count].number == way->change->offset;
    }
    qsort(events, count, sizeof(*events), by_reader);
    json_t *object = NULL;
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || events[i].about != events[i - 1].about) {
            object = delivery_new(way, node, &events[i]);
            json_item_add(way->deliveries, object);
        }
        if (json_object_get(object, stage_names[events[i].stage]) == NULL)
            stage_set(object, node, &events[i]);
    }
}

static json_t *untold_new(const struct way *way) {
    const struct trace_subject *subject = &way->tracing->subject;
    json_t *array = json_array_new();
    for (size_t i = 0; i < subject->users_count; i++)
        if (!way->are_told[i] && !subject->users[i].is_gone)
            json_item_add(array, identifier_to_json(subject->users[i].user_id));
    return array;
}

static const char *kind_name(uint32_t kind) {
    static const char *const names[] = {"",
                                        "messageReceived",
                                        "messageEdited",
                                        "messageDeleted",
                                        "threadCreated",
                                        "threadUpdated",
                                        "threadDeleted",
                                        "participantsAdded",
                                        "participantsRemoved"};
    return kind <= CHANGE_PARTICIPANTS_REMOVED ? names[kind] : "";
}

/* What the leader could not say of an offset, because a later change has taken its row, who was there may remember. */
static uint32_t kind_find(const struct way *way) {
    for (size_t i = 0; i < way->tracing->facts.nodes_count; i++) {
        const struct trace_memory *memory = &way->tracing->nodes[i].memory;
        for (size_t j = 0; way->change->kind == 0 && j < trace_events_count(memory); j++) {
            struct trace_event event = trace_events_at(memory, j);
            if (event.stage >= TRACE_APPLIED && event.stage <= TRACE_ARRIVED && event.number == way->change->offset)
                return event.detail;
        }
    }
    return way->change->kind;
}

static json_t *change_new(struct way *way, struct arena *arena) {
    json_t *object = json_object_new();
    way->nodes = json_array_new();
    way->deliveries = json_array_new();
    for (size_t i = 0; i < way->tracing->subject.users_count; i++)
        way->are_told[i] = false;
    for (size_t i = 0; i < way->tracing->facts.nodes_count; i++) {
        const struct traced_node *node = &way->tracing->nodes[i];
        if (node->answer != TRACED_REMEMBERS)
            continue;
        log_add(way, node);
        deliveries_add(way, node, arena);
    }
    number_set(object, "offset", way->change->offset);
    json_member_set(object, "kind", json_string(kind_name(kind_find(way))));
    json_member_set(object, "nodes", way->nodes);
    json_member_set(object, "deliveries", way->deliveries);
    json_member_set(object, "untold", untold_new(way));
    return object;
}

static json_t *changes_new(const struct tracing *tracing, struct arena *arena) {
    const struct trace_subject *subject = &tracing->subject;
    struct way way = {.tracing = tracing,
                      .positions = ARENA_NEW_ARRAY(arena, uint64_t, subject->users_count + 1),
                      .are_told = ARENA_NEW_ARRAY(arena, bool, subject->users_count + 1)};
    json_t *array = json_array_new();
    for (size_t i = 0; i < subject->users_count; i++) {
        struct id_hash hash = gateway_hash(tracing->worker->gateway, subject->users[i].user_id);
        way.positions[i] = id_hash_position(&hash);
    }
    for (size_t i = 0; i < subject->changes_count; i++) {
        way.change = &subject->changes[i];
        json_item_add(array, change_new(&way, arena));
    }
    return array;
}

struct bytes trace_encode(const struct tracing *tracing, struct arena *arena) {
    json_t *tree = json_object_new();
    json_text_set(tree, "thread", tracing->thread_id);
    if (tracing->subject.has_message)
        json_member_set(tree, "message", message_new(&tracing->subject.message));
    json_member_set(tree, "askedNode", admin_id_new(tracing->facts.self));
    json_member_set(tree, "owner", owner_new(tracing));
    json_member_set(tree, "nodes", nodes_new(tracing));
    json_member_set(tree, "changes", changes_new(tracing, arena));
    return json_text_take(arena, tree);
}
