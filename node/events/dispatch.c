#include "node/events/dispatch.h"

#include <time.h>

#include "proto/status.h"
#include "storage/event_store.h"

#define ROWS_PER_LOOK 64
#define TELL_EVERY 100 /* offsets: what a node that dies has sent for nothing */

static int64_t wall_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A thread as a look sees it. */
struct look {
    struct dispatch *self;
    struct event_store store;
    struct arena arena;
    struct event_cursors_row cursors;
    bool may_tell; /* the log how far all are */
    bool is_done;  /* nobody lacks anything, and the log was told so */
    uint64_t newest;
    int64_t now_ms;
    /* While changes are looked for. */
    struct place *place;
    struct consumer *consumer;
    size_t rows_left;
};

/* ---- one consumer ---- */

static void on_end(struct attempt *attempt, enum attempt_result result, int64_t wait_ms) {
    struct dispatch *self = attempt->context;
    struct place *place = attempt->place;
    struct id_hash thread = place->thread;
    int64_t now_ms = wall_ms();
    consumer_note(attempt->consumer, result == ATTEMPT_DELIVERED, now_ms);
    attempt->consumer->attempts--;
    place->attempt = NULL;
    place->attempts_made++;
    place->due_ms = now_ms + wait_ms;
    if (result != ATTEMPT_AGAIN) {
        place->attempts_made = 0;
        place->due_ms = 0;
        place->number++;
    }
    dispatch_thread(self, &thread, 0);
}

static void attempt_keep(struct look *look, struct attempt *attempt) {
    attempt->kind = look->consumer->kind;
    attempt->consumer = look->consumer;
    attempt->place = look->place;
    attempt->context = look->self;
    attempt->on_end = on_end;
    look->place->attempt = attempt;
    look->consumer->attempts++;
}

/* True: one of the change's steps is under way. */
static bool change_begin(struct look *look, const struct event_source *source) {
    const struct consumer_kind *kind = look->consumer->kind;
    struct place *place = look->place;
    for (size_t count = kind->steps(look->consumer, source); place->number < count; place->number++) {
        struct step step = {.consumer = look->consumer,
                            .source = source,
                            .number = place->number,
                            .attempts_made = place->attempts_made,
                            .now_ms = look->now_ms,
                            .arena = &look->arena,
                            .requests = look->self->requests};
        struct attempt *attempt = kind->begin(&step);
        if (attempt != NULL) {
            attempt_keep(look, attempt);
            return true;
        }
    }
    return false;
}

static bool on_row(void *context, uint64_t offset, const struct event_row *row) {
    struct look *look = context;
    struct change change;
    struct participants members;
    bool is_before = row->time_ms < look->consumer->since_ms;
    if (!is_before && event_members_at(&look->store, offset, &members) != STATUS_OK)
        return false;
    if (!is_before && change_decode(row->change, &look->arena, &change) == STATUS_OK) {
        struct event_source source = {.change = &change,
                                      .members = members.items,
                                      .members_count = members.count,
                                      .thread_created_ms = row->thread_created_ms,
                                      .key = look->self->hash_key};
        if (change_begin(look, &source))
            return false;
    }
    look->place->done = offset;
    look->place->number = 0;
    return --look->rows_left > 0;
}

static void next_begin(struct look *look) {
    look->rows_left = ROWS_PER_LOOK;
    if (look->place->attempt == NULL && look->now_ms >= look->place->due_ms &&
        consumer_is_ready(look->consumer, look->now_ms))
        events_visit(&look->store, look->place->done + 1, on_row, look);
}

static uint64_t stored_cursor(const struct look *look, const struct consumer *consumer) {
    for (size_t i = 0; i < look->cursors.cursors_count; i++) {
        const struct event_cursor *cursor = &look->cursors.cursors[i];
        if (id_hash_equal(&cursor->consumer, &consumer->id) && cursor->serial == consumer->serial)
            return cursor->offset;
    }
    return 0;
}

/* How far it is after whatever could be done now. */
static uint64_t consumer_serve(struct look *look, struct consumer *consumer, uint64_t stored) {
    struct places *places = &look->self->places;
    struct place *place = places_find(places, &look->store.thread, &consumer->id);
    if (place == NULL && stored < look->newest && consumer_is_ready(consumer, look->now_ms))
        place = places_add(places, &look->store.thread, consumer, stored);
    if (place == NULL)
        return stored;
    if (place->done < stored && place->attempt == NULL) {
        place->done = stored;
        place->number = 0;
    }
    look->place = place;
    look->consumer = consumer;
    if (place->done < look->newest)
        next_begin(look);
    uint64_t done = place->done;
    if (stored >= look->newest && place->attempt == NULL)
        places_remove(places, place);
    return done;
}

/* ---- all of them ---- */

static int cursors_tell(struct look *look, struct event_cursor *cursors, size_t count) {
    struct dispatch *self = look->self;
    struct command command = {.kind = COMMAND_EVENTS_DONE,
                              .subject = look->store.thread,
                              .time_ms = look->now_ms,
                              .cursors = cursors,
                              .cursors_count = count};
    int rc = self->propose(self->context, &command);
    for (size_t i = 0; i < count && rc == STATUS_OK; i++) {
        struct place *place = places_find(&self->places, &look->store.thread, &cursors[i].consumer);
        if (place != NULL)
            place->told = cursors[i].offset;
    }
    return rc;
}

static bool is_far_from_told(const struct look *look, const struct event_cursor *cursor) {
    const struct place *place = places_find(&look->self->places, &look->store.thread, &cursor->consumer);
    return place != NULL && cursor->offset >= place->told + TELL_EVERY;
}

static int consumers_serve(struct look *look) {
    struct consumers *consumers = &look->self->consumers;
    struct event_cursor *cursors = ARENA_NEW_ARRAY(&look->arena, struct event_cursor, consumers->count);
    bool are_all_done = true, is_far = false;
    for (size_t i = 0; i < consumers->count; i++) {
        struct consumer *consumer = &consumers->items[i];
        cursors[i] = (struct event_cursor){.consumer = consumer->id,
                                           .offset = consumer_serve(look, consumer, stored_cursor(look, consumer)),
                                           .serial = consumer->serial};
        are_all_done = are_all_done && cursors[i].offset >= look->newest;
        is_far = is_far || is_far_from_told(look, &cursors[i]);
    }
    if (!look->may_tell || (!are_all_done && !is_far))
        return STATUS_OK;
    int rc = cursors_tell(look, cursors, consumers->count);
    look->is_done = rc == STATUS_OK && are_all_done;
    return rc;
}

/* What has expired needs nobody any more. */
static void look_take(struct look *look) {
    int rc = store_begin_read(look->self->store, &look->store.transaction);
    if (rc != STATUS_OK)
        return;
    rc = event_cursors_get(&look->store, &look->cursors);
    if (rc == STATUS_OK)
        rc = event_newest(&look->store, &look->newest);
    look->is_done = rc == STATUS_STORE_MISSING;
    if (rc == STATUS_OK)
        consumers_serve(look);
    store_abort(look->store.transaction);
}

void dispatch_thread(struct dispatch *self, const struct id_hash *thread, uint64_t serial) {
    struct look look = {.self = self, .now_ms = wall_ms(), .may_tell = serial != 0};
    arena_init(&look.arena);
    look.store = (struct event_store){.arena = &look.arena, .master = self->master, .thread = *thread};
    look_take(&look);
    if (look.is_done)
        feed_drop(self->feed, &look.store.thread, serial);
    arena_close(&look.arena);
}
