#include "node/events/consumers.h"

#include "proto/status.h"

#define ATTEMPTS_MAX 8 /* at one consumer, of different threads */
#define FAILURES_MAX 3 /* in a row, before it is left alone */
#define REST_MS 10000
#define RESTS_DOUBLED_MAX 5 /* 5 minutes */
#define ROOM_FIRST 8

void consumers_init(struct consumers *self) {
    *self = (struct consumers){0};
    arena_init(&self->arena);
}

void consumers_close(struct consumers *self) {
    arena_close(&self->arena);
}

struct consumer *consumers_find(const struct consumers *self, const struct id_hash *id) {
    for (size_t i = 0; i < self->count; i++)
        if (id_hash_equal(&self->items[i].id, id))
            return &self->items[i];
    return NULL;
}

void consumers_add(struct consumers *self, const struct consumer *consumer) {
    if (self->count == self->room) {
        self->room = self->room == 0 ? ROOM_FIRST : self->room * 2;
        struct consumer *items = ARENA_NEW_ARRAY(&self->arena, struct consumer, self->room);
        if (self->count > 0)
            memcpy(items, self->items, self->count * sizeof(*items));
        self->items = items;
    }
    self->items[self->count++] = *consumer;
}

static void health_keep(struct consumer *consumer, const struct consumer *known) {
    consumer->failures = known->failures;
    consumer->rests_until_ms = known->rests_until_ms;
    consumer->attempts = known->attempts;
    consumer->counts = known->counts;
}

int consumers_load(struct consumers *self, struct consumer_kind *const *kinds, size_t kinds_count,
                   const uint8_t *hash_key) {
    struct consumers loaded;
    int rc = STATUS_OK;
    consumers_init(&loaded);
    for (size_t i = 0; i < kinds_count && rc == STATUS_OK; i++)
        rc = kinds[i]->load(kinds[i], hash_key, &loaded);
    if (rc != STATUS_OK) {
        consumers_close(&loaded);
        return rc;
    }
    for (size_t i = 0; i < loaded.count; i++) {
        const struct consumer *known = consumers_find(self, &loaded.items[i].id);
        if (known != NULL)
            health_keep(&loaded.items[i], known);
    }
    consumers_close(self);
    *self = loaded;
    return STATUS_OK;
}

bool consumer_is_ready(const struct consumer *consumer, int64_t now_ms) {
    unsigned most = consumer->failures == 0 ? ATTEMPTS_MAX : 1;
    return consumer->is_active && consumer->attempts < most && now_ms >= consumer->rests_until_ms;
}

void consumer_note(struct consumer *consumer, bool has_taken, int64_t now_ms) {
    if (has_taken) {
        consumer->failures = 0;
        consumer->rests_until_ms = 0;
        return;
    }
    if (now_ms < consumer->rests_until_ms)
        return; /* it was under way when the others had failed, and says nothing new */
    consumer->failures++;
    if (consumer->failures < FAILURES_MAX)
        return;
    unsigned doubled = consumer->failures - FAILURES_MAX;
    consumer->rests_until_ms =
        now_ms + ((int64_t)REST_MS << (doubled < RESTS_DOUBLED_MAX ? doubled : RESTS_DOUBLED_MAX));
}

void consumer_lacks(struct consumer *consumer, uint64_t changes, int64_t since_ms) {
    struct consumer_counts *counts = &consumer->counts;
    counts->pending_so_far += changes;
    if (counts->oldest_so_far_ms == 0 || since_ms < counts->oldest_so_far_ms)
        counts->oldest_so_far_ms = since_ms;
}

void consumer_round_end(struct consumer *consumer) {
    struct consumer_counts *counts = &consumer->counts;
    counts->pending = counts->pending_so_far;
    counts->oldest_ms = counts->oldest_so_far_ms;
    counts->pending_so_far = 0;
    counts->oldest_so_far_ms = 0;
}
