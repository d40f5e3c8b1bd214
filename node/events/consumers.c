#include "node/events/consumers.h"

#define REQUESTS_MAX 8 /* of one receiver, of different threads */
#define FAILURES_MAX 3 /* in a row, before it is left alone */
#define REST_MS 10000
#define RESTS_DOUBLED_MAX 5 /* 5 minutes */

void consumers_init(struct consumers *self) {
    *self = (struct consumers){0};
    arena_init(&self->arena);
}

void consumers_close(struct consumers *self) {
    arena_close(&self->arena);
}

struct consumer *consumers_find(struct consumers *self, const struct id_hash *id) {
    for (size_t i = 0; i < self->count; i++)
        if (id_hash_equal(&self->items[i].id, id))
            return &self->items[i];
    return NULL;
}

int consumers_load(struct consumers *self, const struct subscription_store *store, const uint8_t *hash_key) {
    struct consumers loaded;
    struct event_subscription *subscriptions;
    size_t count;
    consumers_init(&loaded);
    int rc = subscription_store_list(store, &loaded.arena, &subscriptions, &count);
    if (rc != STATUS_OK) {
        consumers_close(&loaded);
        return rc;
    }
    loaded.items = ARENA_NEW_ARRAY(&loaded.arena, struct consumer, count);
    for (size_t i = 0; i < count; i++) {
        struct id_hash id = id_hash_make(hash_key, subscriptions[i].name);
        const struct consumer *known = consumers_find(self, &id);
        struct consumer *consumer = &loaded.items[loaded.count++];
        *consumer = known != NULL ? *known : (struct consumer){.id = id};
        consumer->subscription = &subscriptions[i];
    }
    consumers_close(self);
    *self = loaded;
    return STATUS_OK;
}

bool consumer_is_ready(const struct consumer *consumer, int64_t now_ms) {
    unsigned most = consumer->failures == 0 ? REQUESTS_MAX : 1;
    return consumer->subscription->is_validated && consumer->requests < most && now_ms >= consumer->rests_until_ms;
}

void consumer_note(struct consumer *consumer, bool has_taken, int64_t now_ms) {
    if (has_taken) {
        consumer->failures = 0;
        consumer->rests_until_ms = 0;
        return;
    }
    consumer->failures++;
    if (consumer->failures < FAILURES_MAX)
        return;
    unsigned doubled = consumer->failures - FAILURES_MAX;
    consumer->rests_until_ms =
        now_ms + ((int64_t)REST_MS << (doubled < RESTS_DOUBLED_MAX ? doubled : RESTS_DOUBLED_MAX));
}
