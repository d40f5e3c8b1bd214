#pragma once
/* Who gets events: the subscriptions as the coordinator had them last, and how their receivers are doing. Those that
 * are not validated yet get what happens meanwhile later. */
#include "node/events/subscription_store.h"
#include "proto/ids.h"

struct consumer {
    const struct event_subscription *subscription;
    struct id_hash id;      /* in the cursors of threads */
    unsigned failures;      /* in a row */
    int64_t rests_until_ms; /* a receiver that fails is left alone a while, longer each time */
    unsigned requests;      /* under way */
};

struct consumers {
    struct arena arena;
    struct consumer *items;
    size_t count;
};

void consumers_init(struct consumers *self);
void consumers_close(struct consumers *self);
/* What is known of receivers is kept. On an error, a code of the coordinator's, everything stays as it was. */
int consumers_load(struct consumers *self, const struct subscription_store *store, const uint8_t *hash_key);

/* NULL: it is none any more. */
struct consumer *consumers_find(struct consumers *self, const struct id_hash *id);
/* It can be sent one more event now. Whoever fails is tried with one at a time. */
bool consumer_is_ready(const struct consumer *consumer, int64_t now_ms);
void consumer_note(struct consumer *consumer, bool has_taken, int64_t now_ms);
