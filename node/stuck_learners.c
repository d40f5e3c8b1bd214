#include "node/stuck_learners.h"

#include <stdlib.h>

#include "node/log.h"
#include "proto/check.h"

#define uthash_fatal(message) check_failed(message, __FILE__, __LINE__)
#include <uthash.h>

#define LOOK_MS_MAX 10000 /* of a time without news: an idle node announces its load so often */

struct learner_key {
    uint64_t range;
    uint64_t node;
};

/* A copy that is learned. */
struct learner {
    UT_hash_handle hh;
    struct learner_key key;
    uint64_t teller, teller_start;
    int64_t told_ms; /* by the clock of the primary that tells */
    uint64_t chunk, bytes_done;
    int64_t still_ms; /* so long it has stayed as it is */
    uint64_t look;    /* when it was seen last */
};

struct stuck_node {
    UT_hash_handle hh;
    uint64_t id;
    int64_t until_ms;
};

struct stuck_learners {
    struct learner *learners;
    struct stuck_node *nodes;
    uint64_t look;
};

struct stuck_learners *stuck_learners_new(void) {
    struct stuck_learners *self = calloc(1, sizeof(*self));
    check(self != NULL);
    return self;
}

static void learner_remove(struct stuck_learners *self, struct learner *learner) {
    HASH_DEL(self->learners, learner);
    free(learner);
}

static void node_remove(struct stuck_learners *self, struct stuck_node *node) {
    HASH_DEL(self->nodes, node);
    free(node);
}

void stuck_learners_free(struct stuck_learners *self) {
    while (self->learners != NULL)
        learner_remove(self, self->learners);
    while (self->nodes != NULL)
        node_remove(self, self->nodes);
    free(self);
}

static struct stuck_node *node_find(const struct stuck_learners *self, uint64_t id) {
    struct stuck_node *node = NULL;
    HASH_FIND(hh, self->nodes, &id, sizeof(id), node);
    return node;
}

static void node_note(struct stuck_learners *self, const struct learner *learner, int64_t mono_ms) {
    struct stuck_node *node = node_find(self, learner->key.node);
    if (node == NULL) {
        node = calloc(1, sizeof(*node));
        check(node != NULL);
        node->id = learner->key.node;
        HASH_ADD(hh, self->nodes, id, sizeof(node->id), node);
        log_warning("node %016llx does not get on with the copy of range %llu that it learns: it gets no more for now",
                    (unsigned long long)node->id, (unsigned long long)learner->key.range);
    }
    node->until_ms = mono_ms + STUCK_LEARNERS_PAUSE_MS;
}

static struct learner *learner_get(struct stuck_learners *self, uint32_t range, uint64_t node) {
    struct learner_key key = {range, node};
    struct learner *learner = NULL;
    HASH_FIND(hh, self->learners, &key, sizeof(key), learner);
    if (learner == NULL) {
        learner = calloc(1, sizeof(*learner));
        check(learner != NULL);
        learner->key = key;
        HASH_ADD(hh, self->learners, key, sizeof(learner->key), learner);
    }
    return learner;
}

static bool has_changed(const struct learner *learner, const struct cluster_node *teller,
                        const struct load_learner *at) {
    return learner->teller != teller->id || learner->teller_start != teller->total.start ||
           learner->chunk != at->chunk || learner->bytes_done != at->bytes_done;
}

static void learner_look(struct stuck_learners *self, const struct cluster_node *teller, const struct load_learner *at,
                         int64_t mono_ms) {
    struct learner *learner = learner_get(self, at->range, at->node);
    int64_t passed_ms = teller->total.at_ms - learner->told_ms;
    if (has_changed(learner, teller, at))
        learner->still_ms = 0;
    else if (passed_ms > 0)
        learner->still_ms += passed_ms < LOOK_MS_MAX ? passed_ms : LOOK_MS_MAX;
    learner->teller = teller->id;
    learner->teller_start = teller->total.start;
    learner->told_ms = teller->total.at_ms;
    learner->chunk = at->chunk;
    learner->bytes_done = at->bytes_done;
    learner->look = self->look;
    if (learner->still_ms >= STUCK_LEARNERS_PATIENCE_MS)
        node_note(self, learner, mono_ms);
}

/* It learns by the record, and is there to do so. */
static bool is_learned(const struct cluster_facts *facts, const struct load_learner *at, uint64_t teller) {
    const struct cluster_node *node = cluster_facts_node(facts, at->node);
    return node != NULL && node->is_alive && at->range < facts->ranges_count &&
           facts->ranges[at->range].record.primary == teller &&
           range_record_has_learner(&facts->ranges[at->range].record, at->node);
}

static void what_is_over_forget(struct stuck_learners *self, int64_t mono_ms) {
    for (struct learner *learner = self->learners, *next; learner != NULL; learner = next) {
        next = learner->hh.next;
        if (learner->look != self->look)
            learner_remove(self, learner);
    }
    for (struct stuck_node *node = self->nodes, *next; node != NULL; node = next) {
        next = node->hh.next;
        if (node->until_ms <= mono_ms)
            node_remove(self, node);
    }
}

void stuck_learners_look(struct stuck_learners *self, const struct cluster_facts *facts) {
    self->look++;
    for (size_t i = 0; i < facts->nodes_count; i++) {
        const struct cluster_node *teller = &facts->nodes[i];
        for (size_t l = 0; teller->is_alive && l < teller->learners_count; l++)
            if (is_learned(facts, &teller->learners[l].at, teller->id))
                learner_look(self, teller, &teller->learners[l].at, facts->mono_ms);
    }
    what_is_over_forget(self, facts->mono_ms);
}

bool stuck_learners_have(const struct stuck_learners *self, uint64_t id, int64_t mono_ms) {
    const struct stuck_node *node = node_find(self, id);
    return node != NULL && mono_ms < node->until_ms;
}
