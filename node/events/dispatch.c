#include "node/events/dispatch.h"

#include <time.h>

#include "proto/status.h"
#include "storage/event_store.h"

#define ROWS_PER_LOOK 64
#define TELL_EVERY 100       /* offsets: what a node that dies has sent for nothing */
#define FAILED_PLACES_MAX 64 /* of one consumer, so that there is room for the others */
#define TELL_AGAIN_MS 500    /* when the mark stands yet: what was proposed may be lost */

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
    enum look_kind kind;
    bool is_told; /* that nobody lacks anything; the mark is to go */
    bool is_done; /* the mark is gone */
    uint64_t newest;
    int64_t now_ms;
    /* While changes are looked for. */
    struct place *place;
    struct consumer *consumer;
    bool may_begin;
    size_t rows_left;
    size_t steps_again; /* as many as the attempt had that failed */
};

/* ---- one consumer ---- */

static void result_count(struct consumer *consumer, enum attempt_result result, size_t steps) {
    consumer->counts.delivered += result == ATTEMPT_DELIVERED ? steps : 0;
    consumer->counts.given_up += result == ATTEMPT_GIVEN_UP || result == ATTEMPT_REFUSED ? steps : 0;
    consumer->counts.failed += result != ATTEMPT_DELIVERED && result != ATTEMPT_LATER;
}

/* What is under way is over. */
static void place_advance(struct place *place) {
    place->done = place->done_then;
    place->number = place->number_then;
    place->steps = 0;
    place->attempts_made = 0;
    place->due_ms = 0;
}

static void on_end(struct attempt *attempt, enum attempt_result result, int64_t wait_ms) {
    struct dispatch *self = attempt->context;
    struct place *place = attempt->place;
    struct id_hash thread = place->thread;
    int64_t now_ms = wall_ms();
    if (result != ATTEMPT_LATER)
        consumer_note(attempt->consumer, result == ATTEMPT_DELIVERED || result == ATTEMPT_REFUSED, now_ms);
    result_count(attempt->consumer, result, place->steps);
    attempt->consumer->attempts--;
    place->attempt = NULL;
    place->attempts_made++;
    place->due_ms = now_ms + wait_ms;
    if (result != ATTEMPT_AGAIN && result != ATTEMPT_LATER)
        place_advance(place);
    dispatch_thread(self, &thread, 0, LOOK_AFTER_ATTEMPT);
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

/* ---- the steps of one change ---- */

/* False: it has to wait for the attempt to end. */
static bool step_begin(struct look *look, const struct step *step, size_t steps_max, size_t *steps) {
    const struct consumer_kind *kind = look->consumer->kind;
    struct attempt *attempt = look->place->attempt;
    enum join join = JOIN_FULL;
    if (attempt == NULL) {
        attempt = kind->begin(step);
        if (attempt != NULL)
            attempt_keep(look, attempt);
        *steps += attempt != NULL;
        return true;
    }
    if (kind->join != NULL && *steps < steps_max)
        join = kind->join(attempt, step);
    *steps += join == JOIN_TAKEN;
    return join != JOIN_FULL;
}

/* Given up, as it is too old. */
static void step_expire(struct look *look, const struct step *step) {
    struct place *place = look->place;
    bool was_wanted = look->consumer->kind->expire != NULL && look->consumer->kind->expire(step);
    look->consumer->counts.given_up += was_wanted;
    place->attempts_made = 0;
    place->steps = 0;
    place->due_ms = 0;
    look->rows_left--; /* each is written down by itself */
}

/* Where the place is when what is under way, or nothing, is over. */
static void position_set(struct place *place, uint64_t done, size_t number) {
    place->done_then = done;
    place->number_then = number;
    if (place->attempt != NULL)
        return;
    place->done = done;
    place->number = number;
}

/* False: the others have to wait. */
static bool change_begin(struct look *look, uint64_t offset, const struct event_source *source, bool is_too_old) {
    struct place *place = look->place;
    size_t steps_max = place->attempts_made > 0 ? look->steps_again : SIZE_MAX;
    size_t count = look->consumer->kind->steps(look->consumer, source);
    for (size_t i = place->attempt == NULL ? place->number : 0; i < count; i++) {
        struct step step = {.consumer = look->consumer,
                            .source = source,
                            .number = i,
                            .attempts_made = place->attempts_made,
                            .now_ms = look->now_ms,
                            .arena = &look->arena,
                            .requests = look->self->requests};
        if (is_too_old ? look->rows_left == 0 : !step_begin(look, &step, steps_max, &place->steps))
            return false;
        if (is_too_old)
            step_expire(look, &step);
        position_set(place, offset - 1, i + 1);
    }
    return true;
}

static bool is_over(const struct look *look, const struct consumer *consumer, int64_t time_ms) {
    return consumer->lives_ms > 0 && look->now_ms - time_ms > consumer->lives_ms;
}

static bool on_row(void *context, uint64_t offset, const struct event_row *row) {
    struct look *look = context;
    struct change change;
    struct participants members;
    bool is_before = row->time_ms < look->consumer->since_ms;
    bool is_too_old = is_over(look, look->consumer, row->time_ms);
    if (!is_before && (is_too_old ? look->place->attempt != NULL : !look->may_begin))
        return false;
    if (!is_before && event_members_at(&look->store, offset, &members) != STATUS_OK)
        return false;
    if (!is_before && change_decode(row->change, &look->arena, &change) == STATUS_OK) {
        struct event_source source = {.change = &change,
                                      .members = members.items,
                                      .members_count = members.count,
                                      .thread_created_ms = row->thread_created_ms,
                                      .key = look->self->hash_key};
        if (!change_begin(look, offset, &source, is_too_old))
            return false;
    }
    position_set(look->place, offset, 0);
    bool may_join = look->place->attempt == NULL || look->consumer->kind->join != NULL;
    look->rows_left -= look->rows_left > 0;
    return may_join && look->rows_left > 0;
}

static void next_begin(struct look *look) {
    struct place *place = look->place;
    const struct consumer_kind *kind = look->consumer->kind;
    look->rows_left = ROWS_PER_LOOK;
    look->may_begin = look->now_ms >= place->due_ms && consumer_is_ready(look->consumer, look->now_ms);
    if (place->attempt != NULL)
        return;
    look->steps_again = place->steps;
    place->steps = 0;
    events_visit(&look->store, place->done + 1, on_row, look);
    if (place->attempt == NULL)
        place->steps = place->attempts_made > 0 ? look->steps_again : 0;
    else if (kind->go != NULL)
        kind->go(place->attempt);
}

/* ---- what one consumer lacks ---- */

struct lacking {
    int64_t from_ms;
    int64_t since_ms; /* 0: nothing */
    size_t rows_left;
};

static bool on_lacking(void *context, uint64_t offset, const struct event_row *row) {
    struct lacking *lacking = context;
    (void)offset;
    if (row->time_ms >= lacking->from_ms)
        lacking->since_ms = row->time_ms;
    return lacking->since_ms == 0 && --lacking->rows_left > 0;
}

/* When the first event happened that it lacks; 0: none, as far as can be seen at a glance. */
static int64_t lacking_since(struct look *look, const struct consumer *consumer, uint64_t done) {
    struct lacking lacking = {.from_ms = consumer->since_ms, .rows_left = ROWS_PER_LOOK};
    if (done < look->newest)
        events_visit(&look->store, done + 1, on_lacking, &lacking);
    return lacking.since_ms;
}

static uint64_t stored_cursor(const struct look *look, const struct consumer *consumer) {
    for (size_t i = 0; i < look->cursors.cursors_count; i++) {
        const struct event_cursor *cursor = &look->cursors.cursors[i];
        if (id_hash_equal(&cursor->consumer, &consumer->id) && cursor->serial == consumer->serial)
            return cursor->offset;
    }
    return 0;
}

/* There is something that can be done, or given up. A consumer has so many threads to be tried with again. */
static bool may_have_place(struct look *look, const struct consumer *consumer, int64_t since_ms) {
    if (since_ms != 0 && is_over(look, consumer, since_ms))
        return true;
    return consumer_is_ready(consumer, look->now_ms) &&
           places_failed(&look->self->places, &consumer->id) < FAILED_PLACES_MAX;
}

static struct place *place_get(struct look *look, struct consumer *consumer, uint64_t stored) {
    struct places *places = &look->self->places;
    struct place *place = places_find(places, &look->store.thread, &consumer->id);
    uint64_t at = place != NULL && place->done > stored ? place->done : stored;
    int64_t since_ms = lacking_since(look, consumer, at);
    if (since_ms != 0 && look->kind == LOOK_IN_ROUND)
        consumer_lacks(consumer, look->newest - at, since_ms);
    if (place == NULL && stored < look->newest && may_have_place(look, consumer, since_ms))
        place = places_add(places, &look->store.thread, consumer, stored);
    if (place != NULL && place->done < stored && place->attempt == NULL) {
        place->done = stored;
        place->number = 0;
    }
    return place;
}

/* How far it is after whatever could be done now. */
static uint64_t consumer_serve(struct look *look, struct consumer *consumer, uint64_t stored) {
    struct place *place = place_get(look, consumer, stored);
    if (place == NULL)
        return stored;
    look->place = place;
    look->consumer = consumer;
    if (place->done < look->newest)
        next_begin(look);
    uint64_t done = place->done;
    if (stored >= look->newest && place->attempt == NULL)
        places_remove(&look->self->places, place);
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
    if (look->kind == LOOK_AFTER_ATTEMPT || (!are_all_done && !is_far))
        return STATUS_OK;
    int rc = cursors_tell(look, cursors, consumers->count);
    look->is_told = rc == STATUS_OK && are_all_done;
    return rc;
}

/* The places of a thread that nobody lacks anything of. */
static void places_leave(struct look *look) {
    struct dispatch *self = look->self;
    for (size_t i = 0; i < self->consumers.count; i++) {
        struct place *place = places_find(&self->places, &look->store.thread, &self->consumers.items[i].id);
        if (place != NULL && place->attempt == NULL)
            places_remove(&self->places, place);
    }
}

/* What has expired needs nobody any more. */
static void look_take(struct look *look) {
    bool is_marked = false;
    int rc = store_begin_read(look->self->store, &look->store.transaction);
    if (rc != STATUS_OK)
        return;
    rc = event_mark_get(&look->store, &is_marked);
    if (rc == STATUS_OK && is_marked)
        rc = event_cursors_get(&look->store, &look->cursors);
    if (rc == STATUS_OK && is_marked)
        rc = event_newest(&look->store, &look->newest);
    look->is_done = rc == STATUS_STORE_MISSING || (rc == STATUS_OK && !is_marked);
    if (look->is_done)
        places_leave(look);
    else if (rc == STATUS_OK)
        consumers_serve(look);
    store_abort(look->store.transaction);
}

void dispatch_thread(struct dispatch *self, const struct id_hash *thread, uint64_t serial, enum look_kind kind) {
    struct look look = {.self = self, .now_ms = wall_ms(), .kind = kind};
    if (kind != LOOK_AFTER_ATTEMPT && feed_is_at_rest(self->feed, thread, look.now_ms))
        return;
    arena_init(&look.arena);
    look.store = (struct event_store){.arena = &look.arena, .master = self->master, .thread = *thread};
    look_take(&look);
    if (look.is_done)
        feed_drop(self->feed, &look.store.thread, serial);
    else if (look.is_told)
        feed_rest(self->feed, &look.store.thread, serial, look.now_ms + TELL_AGAIN_MS);
    arena_close(&look.arena);
}
