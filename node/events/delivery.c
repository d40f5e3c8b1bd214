#include "node/events/delivery.h"

#include <stdlib.h>

#include "node/coordinator/background.h"
#include "node/events/dispatch.h"
#include "proto/check.h"
#include "proto/status.h"

#define LOOKS_PER_TURN 64
#define TURN_MS 250

struct delivery {
    struct delivery_options options;
    struct dispatch dispatch;
    pthread_t thread;
    atomic_bool is_stopping;
    atomic_bool is_stale; /* consumers have changed */
    bool are_consumers_known;
};

static void consumers_refresh(struct delivery *self) {
    struct consumers *consumers = &self->dispatch.consumers;
    if (!atomic_exchange(&self->is_stale, false))
        return;
    if (consumers_load(consumers, self->options.kinds, self->options.kinds_count, self->options.hash_key) !=
        STATUS_OK) {
        atomic_store(&self->is_stale, true);
        return;
    }
    self->are_consumers_known = true;
    places_follow(&self->dispatch.places, consumers);
    atomic_store(self->options.is_watched, consumers->count > 0);
}

static void feed_look(struct delivery *self) {
    size_t count = self->are_consumers_known ? feed_count(self->options.feed) : 0;
    struct id_hash thread;
    uint64_t serial;
    for (size_t i = 0; i < count && i < LOOKS_PER_TURN && feed_next(self->options.feed, &thread, &serial); i++)
        if (self->options.is_led_here(self->options.context, &thread))
            dispatch_thread(&self->dispatch, &thread, serial);
}

static void kinds_turn(struct delivery *self) {
    for (size_t i = 0; i < self->options.kinds_count; i++)
        if (self->options.kinds[i]->turn != NULL)
            self->options.kinds[i]->turn(self->options.kinds[i]);
}

static void *run(void *context) {
    struct delivery *self = context;
    while (!atomic_load(&self->is_stopping)) {
        consumers_refresh(self);
        feed_look(self);
        kinds_turn(self);
        webhooks_turn(self->dispatch.requests, TURN_MS);
    }
    return NULL;
}

static void on_change(void *context, const struct coordinator_item *change) {
    struct delivery *self = context;
    (void)change;
    atomic_store(&self->is_stale, true);
    delivery_wake(self);
}

void delivery_wake(struct delivery *self) {
    webhooks_wake(self->dispatch.requests);
}

struct delivery *delivery_start(const struct delivery_options *options) {
    struct delivery *self = calloc(1, sizeof(*self));
    check(self != NULL);
    self->options = *options;
    self->is_stale = true;
    self->dispatch = (struct dispatch){.feed = options->feed,
                                       .store = options->store,
                                       .master = options->master,
                                       .hash_key = options->hash_key,
                                       .requests = webhooks_new(),
                                       .propose = options->propose,
                                       .context = options->context};
    consumers_init(&self->dispatch.consumers);
    if (background_start(&self->thread, run, self))
        return self;
    delivery_free(self);
    return NULL;
}

int delivery_watch(struct delivery *self) {
    int rc = STATUS_OK;
    for (size_t i = 0; i < self->options.kinds_count && rc == STATUS_OK; i++) {
        const char *folder = self->options.kinds[i]->folder;
        if (folder != NULL)
            rc = coordinator_watch(self->options.coordinator, folder, 0, on_change, self);
    }
    return rc;
}

void delivery_stop(struct delivery *self) {
    atomic_store(&self->is_stopping, true);
    webhooks_stop(self->dispatch.requests);
    check(pthread_join(self->thread, NULL) == 0);
    places_close(&self->dispatch.places);
}

void delivery_free(struct delivery *self) {
    consumers_close(&self->dispatch.consumers);
    webhooks_free(self->dispatch.requests);
    for (size_t i = 0; i < self->options.kinds_count; i++)
        self->options.kinds[i]->free(self->options.kinds[i]);
    free(self);
}
