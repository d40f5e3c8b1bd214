#pragma once
/* What other threads may know of delivery: who gets events from this node, how that goes, and how much is pending. A
 * copy that delivery's thread renews. */
#include <pthread.h>

#include "node/events/consumers.h"

#define DELIVERY_FACT_NAME_BYTES 64

struct delivery_fact {
    struct id_hash id;
    uint64_t serial;
    int64_t since_ms;
    char name[DELIVERY_FACT_NAME_BYTES]; /* empty: not to be told in metrics */
    struct consumer_counts counts;
};

struct delivery_facts {
    pthread_mutex_t mutex; /* of what follows */
    bool are_known;        /* consumers have been loaded */
    struct delivery_fact *items;
    size_t count;
    size_t room;
};

void delivery_facts_init(struct delivery_facts *self);
void delivery_facts_close(struct delivery_facts *self);
void delivery_facts_renew(struct delivery_facts *self, const struct consumers *consumers);
/* In the arena. False: nobody has been loaded yet. */
bool delivery_facts_get(struct delivery_facts *self, struct arena *arena, struct delivery_fact **facts, size_t *count);
