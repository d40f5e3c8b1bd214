#include "node/events/unkept.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "proto/check.h"
#include "proto/status.h"
#include "storage/event_store.h"

#define OFFERED_MAX 64
#define UNDER_WAY_MAX 128

struct on_way {
    struct on_way *next;
    struct attempt *attempt;
    struct id_hash consumer;
};

struct unkept {
    struct unkept_options options;
    pthread_mutex_t mutex; /* of what follows */
    struct buffer offered[OFFERED_MAX];
    size_t offered_count;
    /* Delivery's thread's. */
    struct on_way *first;
    size_t count;
};

struct unkept *unkept_new(const struct unkept_options *options) {
    struct unkept *self = calloc(1, sizeof(*self));
    check(self != NULL && pthread_mutex_init(&self->mutex, NULL) == 0);
    self->options = *options;
    return self;
}

void unkept_offer(struct unkept *self, const struct change *change) {
    pthread_mutex_lock(&self->mutex);
    if (self->offered_count < OFFERED_MAX) {
        struct buffer *encoded = &self->offered[self->offered_count++];
        buffer_init(encoded);
        change_encode(change, encoded);
    }
    pthread_mutex_unlock(&self->mutex);
}

/* ---- on the way ---- */

static struct attempt *on_way_take(struct unkept *self, struct on_way **link) {
    struct on_way *gone = *link;
    struct attempt *attempt = gone->attempt;
    *link = gone->next;
    self->count--;
    free(gone);
    return attempt;
}

static void on_end(struct attempt *attempt, enum attempt_result result, int64_t wait_ms) {
    struct unkept *self = attempt->context;
    struct consumer *consumer = attempt->consumer;
    struct on_way **link = &self->first;
    (void)wait_ms;
    while ((*link)->attempt != attempt)
        link = &(*link)->next;
    on_way_take(self, link);
    consumer->counts.delivered += result == ATTEMPT_DELIVERED;
    consumer->counts.failed += result != ATTEMPT_DELIVERED;
}

void unkept_follow(struct unkept *self, const struct consumers *consumers) {
    for (struct on_way **link = &self->first; *link != NULL;) {
        struct attempt *attempt = (*link)->attempt;
        attempt->consumer = consumers_find(consumers, &(*link)->consumer);
        if (attempt->consumer != NULL) {
            link = &(*link)->next;
            continue;
        }
        on_way_take(self, link);
        attempt->kind->cancel(attempt);
    }
}

void unkept_close(struct unkept *self) {
    while (self->first != NULL) {
        struct attempt *attempt = on_way_take(self, &self->first);
        attempt->kind->cancel(attempt);
    }
}

void unkept_free(struct unkept *self) {
    for (size_t i = 0; i < self->offered_count; i++)
        buffer_close(&self->offered[i]);
    pthread_mutex_destroy(&self->mutex);
    free(self);
}

/* ---- telling ---- */

static int64_t wall_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void step_tell(struct unkept *self, const struct step *step) {
    const struct consumer_kind *kind = step->consumer->kind;
    struct attempt *attempt = kind->begin(step);
    if (attempt == NULL)
        return;
    struct on_way *on_way = calloc(1, sizeof(*on_way));
    check(on_way != NULL);
    *on_way = (struct on_way){.next = self->first, .attempt = attempt, .consumer = step->consumer->id};
    self->first = on_way;
    self->count++;
    attempt->kind = kind;
    attempt->consumer = step->consumer;
    attempt->context = self;
    attempt->on_end = on_end;
    if (kind->go != NULL)
        kind->go(attempt);
}

/* Whoever is left alone has not the time for it. */
static void consumer_tell(struct unkept *self, struct consumer *consumer, const struct event_source *source,
                          struct arena *arena) {
    struct step step = {.consumer = consumer,
                        .source = source,
                        .now_ms = wall_ms(),
                        .is_passing = true,
                        .arena = arena,
                        .requests = self->options.requests};
    bool is_well = consumer->is_active && consumer->failures == 0;
    size_t count = is_well && consumer->kind->takes_passing ? consumer->kind->steps(consumer, source) : 0;
    for (; step.number < count && self->count < UNDER_WAY_MAX; step.number++)
        step_tell(self, &step);
}

static int members_find(struct unkept *self, const struct id_hash *thread, struct arena *arena,
                        struct participants *members) {
    struct event_store events = {.arena = arena, .master = self->options.master, .thread = *thread};
    int rc = store_begin_read(self->options.store, &events.transaction);
    if (rc != STATUS_OK)
        return rc;
    rc = event_members_at(&events, UINT64_MAX, members);
    store_abort(events.transaction);
    return rc;
}

static void change_tell(struct unkept *self, struct consumers *consumers, struct bytes encoded) {
    struct change change;
    struct participants members;
    struct arena arena;
    arena_init(&arena);
    if (change_decode(encoded, &arena, &change) == STATUS_OK &&
        members_find(self, &change.subject, &arena, &members) == STATUS_OK) {
        struct event_source source = {
            .change = &change, .members = members.items, .members_count = members.count, .key = self->options.hash_key};
        for (size_t i = 0; i < consumers->count; i++)
            consumer_tell(self, &consumers->items[i], &source, &arena);
    }
    arena_close(&arena);
}

void unkept_turn(struct unkept *self, struct consumers *consumers) {
    struct buffer taken[OFFERED_MAX];
    pthread_mutex_lock(&self->mutex);
    size_t count = self->offered_count;
    memcpy(taken, self->offered, count * sizeof(*taken));
    self->offered_count = 0;
    pthread_mutex_unlock(&self->mutex);
    for (size_t i = 0; i < count; i++) {
        change_tell(self, consumers, buffer_bytes(&taken[i]));
        buffer_close(&taken[i]);
    }
}
