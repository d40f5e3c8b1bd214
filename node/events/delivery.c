#include "node/events/delivery.h"

#include <stdlib.h>
#include <time.h>

#include "node/coordinator/background.h"
#include "node/events/delivery_facts.h"
#include "node/events/dispatch.h"
#include "node/events/unkept.h"
#include "proto/check.h"
#include "proto/status.h"

#define LOOKS_PER_TURN 64
#define TURN_MS 250
#define FRESH_MS 10 /* so that what happens in a busy thread meanwhile is looked at once */
#define ROUND_MS 50 /* between looks at what waits, while somebody takes something */

struct delivery {
    struct delivery_options options;
    struct dispatch dispatch;
    struct unkept *unkept;
    pthread_t thread;
    atomic_bool is_stopping;
    atomic_bool is_stale; /* consumers have changed */
    bool are_consumers_known;
    int64_t fresh_due_ms, round_due_ms; /* monotonic */
    size_t round_left;                  /* threads that have not been looked at in this round through all of them */
    struct delivery_facts facts;
};

/* Somebody may begin to want it just now (delivery_expect). */
static void watched_set(struct delivery *self, bool is_watched) {
    atomic_store(self->options.is_watched, is_watched);
    if (atomic_load(&self->is_stale))
        atomic_store(self->options.is_watched, true);
}

/* What cannot be known is taken to be wanted. */
static void consumers_refresh(struct delivery *self) {
    struct consumers *consumers = &self->dispatch.consumers;
    if (!atomic_exchange(&self->is_stale, false))
        return;
    if (consumers_load(consumers, self->options.kinds, self->options.kinds_count, self->options.hash_key) !=
        STATUS_OK) {
        atomic_store(&self->is_stale, true);
        atomic_store(self->options.is_watched, true);
        return;
    }
    self->are_consumers_known = true;
    places_follow(&self->dispatch.places, consumers);
    unkept_follow(self->unkept, consumers);
    watched_set(self, consumers->count > 0);
    delivery_facts_renew(&self->facts, consumers);
    self->options.on_consumers(self->options.context);
}

static void round_end(struct delivery *self) {
    struct consumers *consumers = &self->dispatch.consumers;
    for (size_t i = 0; i < consumers->count; i++)
        consumer_round_end(&consumers->items[i]);
    places_keep_led(&self->dispatch.places, self->options.is_led_here, self->options.context);
    self->round_left = feed_count(self->options.feed);
}

/* What has just happened does not wait behind what others have not taken. */
static void fresh_look(struct delivery *self) {
    struct id_hash thread;
    uint64_t serial;
    for (size_t i = 0; i < LOOKS_PER_TURN && feed_next_fresh(self->options.feed, &thread, &serial); i++)
        if (self->options.is_led_here(self->options.context, &thread))
            dispatch_thread(&self->dispatch, &thread, serial, LOOK_FRESH);
}

static void round_look(struct delivery *self) {
    struct id_hash thread;
    uint64_t serial;
    for (size_t i = 0; i < LOOKS_PER_TURN && self->round_left > 0; i++, self->round_left--)
        if (feed_next(self->options.feed, &thread, &serial) &&
            self->options.is_led_here(self->options.context, &thread))
            dispatch_thread(&self->dispatch, &thread, serial, LOOK_IN_ROUND);
    if (self->round_left == 0)
        round_end(self);
}

/* While all are left alone, what has just happened waits as the rest does. */
static bool is_anybody_ready(const struct delivery *self) {
    const struct consumers *consumers = &self->dispatch.consumers;
    struct timespec now;
    check(clock_gettime(CLOCK_REALTIME, &now) == 0);
    int64_t now_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    bool is_ready = consumers->count == 0;
    for (size_t i = 0; i < consumers->count && !is_ready; i++)
        is_ready = consumers->items[i].attempts > 0 || consumer_is_ready(&consumers->items[i], now_ms);
    return is_ready;
}

static int64_t monotonic_ms(void) {
    struct timespec now;
    check(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Gives how long there is nothing more to look at, unless something happens. */
static int feed_turn(struct delivery *self) {
    int64_t now_ms = monotonic_ms();
    bool is_ready = is_anybody_ready(self);
    if (!self->are_consumers_known)
        return TURN_MS;
    if (is_ready && now_ms >= self->fresh_due_ms) {
        fresh_look(self);
        self->fresh_due_ms = now_ms + FRESH_MS;
    }
    if (now_ms >= self->round_due_ms) {
        round_look(self);
        self->round_due_ms = now_ms + (is_ready ? ROUND_MS : TURN_MS);
    }
    delivery_facts_renew(&self->facts, &self->dispatch.consumers);
    if (is_ready && feed_has_fresh(self->options.feed))
        return FRESH_MS;
    return is_ready && feed_count(self->options.feed) > 0 ? ROUND_MS : TURN_MS;
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
        int wait_ms = feed_turn(self);
        unkept_turn(self->unkept, &self->dispatch.consumers);
        kinds_turn(self);
        webhooks_turn(self->dispatch.requests, wait_ms);
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

void delivery_expect(struct delivery *self) {
    atomic_store(&self->is_stale, true);
    atomic_store(self->options.is_watched, true);
    delivery_wake(self);
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
    const struct unkept_options unkept = {.store = options->store,
                                          .master = options->master,
                                          .hash_key = options->hash_key,
                                          .requests = self->dispatch.requests};
    self->unkept = unkept_new(&unkept);
    consumers_init(&self->dispatch.consumers);
    delivery_facts_init(&self->facts);
    consumers_refresh(self);
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
    atomic_store(&self->is_stale, true); /* what has changed since they were loaded first */
    return rc;
}

void delivery_notice(struct delivery *self, const struct change *change) {
    unkept_offer(self->unkept, change);
    delivery_wake(self);
}

bool delivery_consumers(struct delivery *self, struct arena *arena, struct delivery_fact **facts, size_t *count) {
    return delivery_facts_get(&self->facts, arena, facts, count);
}

void delivery_stop(struct delivery *self) {
    atomic_store(&self->is_stopping, true);
    webhooks_stop(self->dispatch.requests);
    check(pthread_join(self->thread, NULL) == 0);
    places_close(&self->dispatch.places);
    unkept_close(self->unkept);
}

void delivery_free(struct delivery *self) {
    consumers_close(&self->dispatch.consumers);
    delivery_facts_close(&self->facts);
    unkept_free(self->unkept);
    webhooks_free(self->dispatch.requests);
    for (size_t i = 0; i < self->options.kinds_count; i++)
        self->options.kinds[i]->free(self->options.kinds[i]);
    free(self);
}
