#include "node/events/delivery_facts.h"

#include <stdlib.h>

#include "proto/check.h"

void delivery_facts_init(struct delivery_facts *self) {
    *self = (struct delivery_facts){.are_known = false};
    check(pthread_mutex_init(&self->mutex, NULL) == 0);
}

void delivery_facts_close(struct delivery_facts *self) {
    pthread_mutex_destroy(&self->mutex);
    free(self->items);
}

static void room_make(struct delivery_facts *self, size_t count) {
    if (count <= self->room)
        return;
    self->items = realloc(self->items, count * sizeof(*self->items));
    check(self->items != NULL);
    self->room = count;
}

static void fact_set(struct delivery_fact *fact, const struct consumer *consumer) {
    *fact = (struct delivery_fact){
        .id = consumer->id, .serial = consumer->serial, .since_ms = consumer->since_ms, .counts = consumer->counts};
    if (consumer->name.size > 0 && consumer->name.size < sizeof(fact->name))
        memcpy(fact->name, consumer->name.data, consumer->name.size);
}

void delivery_facts_renew(struct delivery_facts *self, const struct consumers *consumers) {
    pthread_mutex_lock(&self->mutex);
    room_make(self, consumers->count);
    for (size_t i = 0; i < consumers->count; i++)
        fact_set(&self->items[i], &consumers->items[i]);
    self->count = consumers->count;
    self->are_known = true;
    pthread_mutex_unlock(&self->mutex);
}

bool delivery_facts_get(struct delivery_facts *self, struct arena *arena, struct delivery_fact **facts, size_t *count) {
    pthread_mutex_lock(&self->mutex);
    *facts = ARENA_NEW_ARRAY(arena, struct delivery_fact, self->count);
    *count = self->count;
    if (self->count > 0)
        memcpy(*facts, self->items, self->count * sizeof(**facts));
    bool are_known = self->are_known;
    pthread_mutex_unlock(&self->mutex);
    return are_known;
}
