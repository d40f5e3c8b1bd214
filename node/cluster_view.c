#include "node/cluster_view.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "node/coordinator/coordinator.h"
#include "proto/check.h"
#include "proto/limits.h"
#include "proto/status.h"

#define NOW_S 4.0   /* a rate follows what happens in about that time */
#define MEAN_S 30.0 /* moving costs more than half a minute of what is uneven */

struct cluster_view {
    pthread_mutex_t mutex; /* of everything below */
    struct cluster_view_options options;
    struct cluster_facts facts; /* its arrays are on the heap */
};

/* ---- what there is ---- */

static int64_t clock_ms(clockid_t clock) {
    struct timespec now;
    check(clock_gettime(clock, &now) == 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t cluster_view_clock_ms(void) {
    return clock_ms(CLOCK_MONOTONIC);
}

static struct cluster_node *node_take(struct cluster_view *self, uint64_t id, int64_t mono_ms) {
    struct cluster_facts *facts = &self->facts;
    struct cluster_node *found = cluster_facts_node(facts, id);
    if (found != NULL || facts->nodes_count == CLUSTER_NODES_MAX)
        return found;
    size_t at = facts->nodes_count++;
    for (; at > 0 && facts->nodes[at - 1].id > id; at--)
        facts->nodes[at] = facts->nodes[at - 1];
    facts->nodes[at] = (struct cluster_node){.id = id, .silent_since_ms = mono_ms};
    return &facts->nodes[at];
}

static void node_drop(struct cluster_view *self, struct cluster_node *node) {
    struct cluster_node *end = self->facts.nodes + self->facts.nodes_count--;
    free(node->loads);
    free(node->learners);
    memmove(node, node + 1, (size_t)(end - node - 1) * sizeof(*node));
}

/* A node of which nothing is said any more is gone for good. */
static void node_drop_if_empty(struct cluster_view *self, uint64_t id) {
    struct cluster_node *node = cluster_facts_node(&self->facts, id);
    if (node != NULL && !node->has_record && !node->is_alive && !node->is_draining && node->total.node == 0)
        node_drop(self, node);
}

static struct cluster_range *range_take(struct cluster_view *self, uint32_t range) {
    struct cluster_facts *facts = &self->facts;
    if (range >= LIMIT_RANGES_MAX)
        return NULL;
    if (range >= facts->ranges_count) {
        size_t count = (size_t)range + 1;
        facts->ranges = realloc(facts->ranges, count * sizeof(*facts->ranges));
        check(facts->ranges != NULL);
        for (size_t i = facts->ranges_count; i < count; i++)
            facts->ranges[i] = (struct cluster_range){.record = {.range = (uint32_t)i}};
        facts->ranges_count = count;
    }
    return &facts->ranges[range];
}

/* ---- nodes ---- */

static void text_copy(char *to, size_t size, struct bytes text) {
    snprintf(to, size, "%.*s", BYTES_ARG(text));
}

static void node_record_take(struct cluster_view *self, const struct node_record *record, int64_t mono_ms) {
    struct cluster_node *node = node_take(self, record->id, mono_ms);
    if (node == NULL)
        return;
    node->has_record = true;
    text_copy(node->name, sizeof(node->name), record->name);
    text_copy(node->zone, sizeof(node->zone), record->zone);
    text_copy(node->public_url, sizeof(node->public_url), record->public_url);
    text_copy(node->peer_address, sizeof(node->peer_address), record->peer_address);
}

static void on_node(struct cluster_view *self, uint64_t id, struct bytes value, int64_t mono_ms) {
    struct node_record record;
    struct arena arena;
    struct cluster_node *node = cluster_facts_node(&self->facts, id);
    if (!bytes_is_present(value)) {
        if (node != NULL)
            node->has_record = false;
        return;
    }
    arena_init(&arena);
    if (node_record_decode(value, &arena, &record) == STATUS_OK && record.id == id &&
        node_record_is_admitted(&record, self->options.admission_key))
        node_record_take(self, &record, mono_ms);
    arena_close(&arena);
}

static void on_alive(struct cluster_view *self, uint64_t id, struct bytes value, int64_t mono_ms) {
    struct cluster_node *node = node_take(self, id, mono_ms);
    if (node == NULL)
        return;
    node->is_alive = bytes_is_present(value);
    node->silent_since_ms = mono_ms;
}

static void on_drain(struct cluster_view *self, uint64_t id, struct bytes value, int64_t mono_ms) {
    struct cluster_node *node = node_take(self, id, mono_ms);
    if (node != NULL)
        node->is_draining = bytes_is_present(value);
}

/* ---- loads ---- */

/* An average that forgets, by what was counted in `seconds`. */
static void mean_add(double *mean, double per_s, double seconds, double memory_s) {
    *mean += (per_s - *mean) * seconds / (seconds + memory_s);
}

static double per_s_of(uint64_t before, uint64_t after, double seconds) {
    return after < before ? 0 : (double)(after - before) / seconds;
}

static void rate_add(struct cluster_rate *rate, double per_s, double seconds) {
    mean_add(&rate->now, per_s, seconds, NOW_S);
    mean_add(&rate->mean, per_s, seconds, MEAN_S);
}

static struct cluster_load load_next(const struct cluster_load *before, const struct load_range *range,
                                     double seconds) {
    struct cluster_load load = {0};
    if (before != NULL) {
        load = *before;
        rate_add(&load.writes, per_s_of(load.counted.committed, range->committed, seconds), seconds);
        rate_add(&load.deliveries, per_s_of(load.counted.told, range->told, seconds), seconds);
    }
    load.counted = *range;
    return load;
}

/* A node that began anew counts from nothing. */
static double seconds_between(const struct load_record *before, const struct load_record *after) {
    bool is_next = before->node == after->node && before->start == after->start && after->at_ms > before->at_ms;
    return is_next ? (double)(after->at_ms - before->at_ms) / 1000 : 0;
}

static void loads_take(struct cluster_node *node, const struct load_record *record, double seconds) {
    struct cluster_load *loads = calloc(record->ranges_count + 1, sizeof(*loads));
    check(loads != NULL);
    for (size_t i = 0; i < record->ranges_count; i++) {
        const struct cluster_load *before = seconds > 0 ? cluster_node_load(node, record->ranges[i].range) : NULL;
        loads[i] = load_next(before, &record->ranges[i], seconds);
    }
    free(node->loads);
    node->loads = loads;
    node->loads_count = record->ranges_count;
}

static const struct cluster_learner *learner_find(const struct cluster_node *node, const struct load_learner *at) {
    for (size_t i = 0; i < node->learners_count; i++)
        if (node->learners[i].at.range == at->range && node->learners[i].at.node == at->node)
            return &node->learners[i];
    return NULL;
}

static void learners_take(struct cluster_node *node, const struct load_record *record, double seconds) {
    struct cluster_learner *learners = calloc(record->learners_count + 1, sizeof(*learners));
    check(learners != NULL);
    for (size_t i = 0; i < record->learners_count; i++) {
        const struct load_learner *at = &record->learners[i];
        const struct cluster_learner *before = learner_find(node, at);
        learners[i] = (struct cluster_learner){.at = *at, .since_ms = clock_ms(CLOCK_REALTIME)};
        if (before == NULL || seconds <= 0)
            continue;
        learners[i].since_ms = before->since_ms;
        learners[i].bytes_per_s = before->bytes_per_s;
        mean_add(&learners[i].bytes_per_s, per_s_of(before->at.bytes_done, at->bytes_done, seconds), seconds, NOW_S);
    }
    free(node->learners);
    node->learners = learners;
    node->learners_count = record->learners_count;
}

static void load_record_take(struct cluster_node *node, const struct load_record *record) {
    double seconds = seconds_between(&node->total, record);
    if (seconds > 0)
        mean_add(&node->deliveries_per_s, per_s_of(node->total.delivered, record->delivered, seconds), seconds, NOW_S);
    else
        node->deliveries_per_s = 0;
    loads_take(node, record, seconds);
    learners_take(node, record, seconds);
    node->total = *record;
    node->total.ranges = NULL;
    node->total.learners = NULL;
}

static void load_forget(struct cluster_node *node) {
    load_record_take(node, &(struct load_record){0});
}

static void on_load(struct cluster_view *self, uint64_t id, struct bytes value, int64_t mono_ms) {
    struct cluster_node *node = node_take(self, id, mono_ms);
    struct load_record record;
    struct arena arena;
    if (node == NULL)
        return;
    if (!bytes_is_present(value)) {
        load_forget(node);
        return;
    }
    arena_init(&arena);
    if (load_record_decode(value, &arena, &record) == STATUS_OK && record.node == id)
        load_record_take(node, &record);
    arena_close(&arena);
}

/* ---- ranges ---- */

static void since_note(struct cluster_range *range) {
    if (!cluster_range_is_under_way(range))
        range->since_ms = 0;
    else if (range->since_ms == 0)
        range->since_ms = clock_ms(CLOCK_REALTIME);
}

static void on_range(struct cluster_view *self, struct bytes value) {
    struct range_record record;
    struct cluster_range *range;
    if (!bytes_is_present(value) || range_record_decode(value, &record) != STATUS_OK)
        return;
    range = range_take(self, record.range);
    if (range == NULL)
        return;
    range->record = record;
    since_note(range);
}

static void on_placement(struct cluster_view *self, uint32_t number, const struct coordinator_item *item) {
    struct placement placement = {0};
    struct cluster_range *range;
    bool is_there = bytes_is_present(item->value);
    if (is_there && (placement_decode(item->value, &placement) != STATUS_OK || placement.range != number))
        return;
    range = range_take(self, number);
    if (range == NULL)
        return;
    range->placement = placement;
    range->placement_version = is_there ? item->version : 0;
    since_note(range);
}

/* ---- by name ---- */

/* What follows the prefix; absent: another name. */
static struct bytes rest_of(struct bytes name, const char *prefix) {
    size_t size = strlen(prefix);
    if (name.size <= size || memcmp(name.data, prefix, size) != 0)
        return BYTES_ABSENT;
    return bytes_of(name.data + size, name.size - size);
}

static bool range_parse(struct bytes text, uint32_t *range) {
    *range = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        *range = *range * 10 + (uint32_t)(text.data[i] - '0');
    }
    return text.size > 0 && text.size <= 6;
}

static void node_item_take(struct cluster_view *self, const struct coordinator_item *item, int64_t mono_ms) {
    static const struct {
        const char *prefix;
        void (*take)(struct cluster_view *self, uint64_t id, struct bytes value, int64_t mono_ms);
    } kinds[] = {{"nodes/", on_node}, {"alive/", on_alive}, {"loads/", on_load}, {"drains/", on_drain}};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct bytes rest = rest_of(item->name, kinds[i].prefix);
        uint64_t id;
        if (!bytes_is_present(rest) || node_id_parse(rest, &id) != STATUS_OK)
            continue;
        kinds[i].take(self, id, item->value, mono_ms);
        node_drop_if_empty(self, id);
        return;
    }
}

static void item_take(struct cluster_view *self, const struct coordinator_item *item, int64_t mono_ms) {
    struct bytes rest = rest_of(item->name, "placements/");
    uint32_t range;
    if (bytes_equal_text(item->name, "balancer")) {
        if (!bytes_is_present(item->value) || node_id_parse(item->value, &self->facts.balancer) != STATUS_OK)
            self->facts.balancer = 0;
    } else if (bytes_equal_text(item->name, "balancing/paused")) {
        self->facts.is_paused = bytes_is_present(item->value);
    } else if (bytes_is_present(rest_of(item->name, "ranges/"))) {
        on_range(self, item->value);
    } else if (bytes_is_present(rest) && range_parse(rest, &range)) {
        on_placement(self, range, item);
    } else {
        node_item_take(self, item, mono_ms);
    }
}

void cluster_view_take(struct cluster_view *self, const struct coordinator_item *item, int64_t mono_ms) {
    pthread_mutex_lock(&self->mutex);
    item_take(self, item, mono_ms);
    pthread_mutex_unlock(&self->mutex);
}

void cluster_view_take_node(struct cluster_view *self, const struct node_record *record, int64_t mono_ms) {
    pthread_mutex_lock(&self->mutex);
    node_record_take(self, record, mono_ms);
    on_alive(self, record->id, BYTES_LITERAL("1"), mono_ms);
    pthread_mutex_unlock(&self->mutex);
}

void cluster_view_take_load(struct cluster_view *self, const struct load_record *record) {
    pthread_mutex_lock(&self->mutex);
    struct cluster_node *node = cluster_facts_node(&self->facts, record->node);
    if (node != NULL)
        load_record_take(node, record);
    pthread_mutex_unlock(&self->mutex);
}

/* ---- life ---- */

static void ranges_lead_alone(struct cluster_view *self) {
    self->facts.balancer = self->options.self;
    for (size_t i = 0; i < self->facts.ranges_count; i++)
        self->facts.ranges[i].record = (struct range_record){.range = (uint32_t)i,
                                                             .epoch = 1,
                                                             .primary = self->options.self,
                                                             .in_sync = {self->options.self},
                                                             .in_sync_count = 1};
}

struct cluster_view *cluster_view_new(const struct cluster_view_options *options) {
    struct cluster_view *self = calloc(1, sizeof(*self));
    check(self != NULL && options->range_count > 0);
    pthread_mutex_init(&self->mutex, NULL);
    self->options = *options;
    self->facts.self = options->self;
    self->facts.nodes = calloc(CLUSTER_NODES_MAX, sizeof(*self->facts.nodes));
    check(self->facts.nodes != NULL);
    range_take(self, options->range_count - 1);
    if (options->admission_key == NULL)
        ranges_lead_alone(self);
    return self;
}

void cluster_view_free(struct cluster_view *self) {
    while (self->facts.nodes_count > 0)
        node_drop(self, &self->facts.nodes[self->facts.nodes_count - 1]);
    free(self->facts.nodes);
    free(self->facts.ranges);
    pthread_mutex_destroy(&self->mutex);
    free(self);
}

void cluster_view_facts(struct cluster_view *self, struct arena *arena, int64_t mono_ms, struct cluster_facts *facts) {
    pthread_mutex_lock(&self->mutex);
    cluster_facts_copy(&self->facts, arena, facts);
    pthread_mutex_unlock(&self->mutex);
    facts->mono_ms = mono_ms;
}

size_t cluster_view_others(struct cluster_view *self, uint64_t *nodes) {
    size_t count = 0;
    pthread_mutex_lock(&self->mutex);
    for (size_t i = 0; i < self->facts.nodes_count; i++)
        if (self->facts.nodes[i].is_alive && self->facts.nodes[i].id != self->options.self)
            nodes[count++] = self->facts.nodes[i].id;
    pthread_mutex_unlock(&self->mutex);
    return count;
}

static size_t elsewhere_gather(const struct cluster_facts *facts, const struct cluster_node *found[]) {
    const struct cluster_node *own = cluster_facts_node(facts, facts->self);
    size_t count = 0;
    for (size_t i = 0; i < facts->nodes_count; i++) {
        const struct cluster_node *node = &facts->nodes[i];
        bool is_here = node == own || (own != NULL && strcmp(node->public_url, own->public_url) == 0);
        if (node->is_alive && !node->is_draining && node->public_url[0] != '\0' && !is_here)
            found[count++] = node;
    }
    return count;
}

bool cluster_view_elsewhere(struct cluster_view *self, uint32_t chance, char *url) {
    const struct cluster_node *found[CLUSTER_NODES_MAX];
    pthread_mutex_lock(&self->mutex);
    size_t count = elsewhere_gather(&self->facts, found);
    if (count > 0)
        strcpy(url, found[chance % count]->public_url);
    pthread_mutex_unlock(&self->mutex);
    return count > 0;
}

static bool is_learned(const struct cluster_facts *facts, const struct range_record *record) {
    for (size_t i = 0; i < record->learners_count; i++) {
        const struct cluster_node *node = cluster_facts_node(facts, record->learners[i]);
        if (node != NULL && node->is_alive)
            return true;
    }
    return false;
}

bool cluster_view_is_sending(struct cluster_view *self, size_t *ranges_count) {
    bool is_sending = false;
    pthread_mutex_lock(&self->mutex);
    *ranges_count = self->facts.ranges_count;
    for (size_t i = 0; i < self->facts.ranges_count && !is_sending; i++) {
        const struct range_record *record = &self->facts.ranges[i].record;
        is_sending = record->primary == self->facts.self && is_learned(&self->facts, record);
    }
    pthread_mutex_unlock(&self->mutex);
    return is_sending;
}
