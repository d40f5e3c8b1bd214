#include "node/events/delivery.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <time.h>

#include "node/coordinator/background.h"
#include "node/events/consumers.h"
#include "node/events/event_post.h"
#include "node/events/retry_schedule.h"
#include "node/log.h"
#include "proto/check.h"
#include "storage/event_store.h"

#include <sodium.h>

#define LOOKS_PER_TURN 64
#define TURN_MS 250
#define PLACES_MAX 1024 /* threads times receivers that are under way or wait; the others stay in the feed */
#define ROWS_PER_LOOK 64
#define TELL_EVERY 100 /* offsets: what a node that dies has sent for nothing */

/* How far one receiver has come with one thread, beyond what the store says. */
struct place {
    struct place *next;
    struct id_hash thread;
    struct id_hash consumer;
    uint64_t done; /* everything up to this offset */
    size_t number; /* and so many events of the next change */
    unsigned attempts;
    uint64_t told;           /* what the log was last told */
    int64_t due_ms;          /* of the next attempt */
    struct webhook *webhook; /* NULL: nothing is under way */
    json_t *envelope;        /* what is; of the change at … */
    uint64_t offset;
    int64_t happened_ms;
    uint64_t begun; /* which the consumer was then */
};

struct delivery {
    struct delivery_options options;
    pthread_t thread;
    atomic_bool is_stopping;
    atomic_bool is_stale; /* subscriptions have changed */
    CURLM *multi;
    struct consumers consumers;
    bool are_consumers_known;
    struct place *places;
    size_t places_count;
};

static const struct retry_policy policy = {RETRY_ATTEMPTS_MAX, (int64_t)RETRY_LIVES_MINUTES_MAX * 60000};

static int64_t wall_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- places ---- */

static struct place *place_find(const struct delivery *self, const struct id_hash *thread,
                                const struct id_hash *consumer) {
    struct place *place = self->places;
    while (place != NULL && !(id_hash_equal(&place->thread, thread) && id_hash_equal(&place->consumer, consumer)))
        place = place->next;
    return place;
}

static void place_free(struct delivery *self, struct place *gone);

/* One that only waits for the store to say the same. */
static bool place_forget(struct delivery *self) {
    struct place *place = self->places;
    while (place != NULL && (place->webhook != NULL || place->attempts > 0 || place->told < place->done))
        place = place->next;
    if (place != NULL)
        place_free(self, place);
    return place != NULL;
}

/* NULL: there is no room now. */
static struct place *place_make(struct delivery *self, const struct id_hash *thread, const struct consumer *consumer,
                                uint64_t done) {
    if (self->places_count >= PLACES_MAX && !place_forget(self))
        return NULL;
    struct place *place = calloc(1, sizeof(*place));
    check(place != NULL);
    *place = (struct place){.next = self->places,
                            .thread = *thread,
                            .consumer = consumer->id,
                            .done = done,
                            .begun = (uint64_t)consumer->subscription->created_ms};
    self->places = place;
    self->places_count++;
    return place;
}

static void place_abandon(struct delivery *self, struct place *place) {
    struct consumer *consumer = consumers_find(&self->consumers, &place->consumer);
    if (place->webhook != NULL) {
        curl_multi_remove_handle(self->multi, webhook_easy(place->webhook));
        webhook_free(place->webhook);
        if (consumer != NULL)
            consumer->requests--;
    }
    json_decref(place->envelope);
    place->webhook = NULL;
    place->envelope = NULL;
}

static void place_free(struct delivery *self, struct place *gone) {
    struct place **link = &self->places;
    while (*link != gone)
        link = &(*link)->next;
    *link = gone->next;
    self->places_count--;
    place_abandon(self, gone);
    free(gone);
}

/* Of consumers that are none any more, or others of the same name. */
static void places_tidy(struct delivery *self) {
    for (struct place *place = self->places, *next; place != NULL; place = next) {
        const struct consumer *consumer = consumers_find(&self->consumers, &place->consumer);
        next = place->next;
        if (consumer == NULL || (uint64_t)consumer->subscription->created_ms != place->begun)
            place_free(self, place);
    }
}

/* ---- sending ---- */

/* A thread as a look sees it. */
struct look {
    struct delivery *self;
    struct event_store store;
    struct arena arena;
    struct event_cursors_row cursors;
    bool may_tell; /* the log how far all are */
    bool is_done;  /* nobody lacks anything, and the log was told so */
    uint64_t newest;
    int64_t now_ms;
    /* While events are looked for. */
    struct place *place;
    struct consumer *consumer;
    size_t rows_left;
};

static void send_event(struct look *look, const struct server_event *event, json_t *envelope, uint64_t offset) {
    struct place *place = look->place;
    const json_t *envelopes[] = {envelope};
    struct event_post post = {.subscription = look->consumer->subscription,
                              .id = bytes_of_text(event->id),
                              .attempt = place->attempts,
                              .time_s = look->now_ms / 1000,
                              .envelopes = envelopes,
                              .envelopes_count = 1};
    struct webhook_request request;
    event_post_make(&post, &look->arena, &request);
    place->webhook = webhook_new(&look->self->options.webhooks, &request);
    place->envelope = json_incref(envelope);
    place->offset = offset;
    place->happened_ms = event->time_ms;
    look->consumer->requests++;
    check(curl_multi_add_handle(look->self->multi, webhook_easy(place->webhook)) == CURLM_OK);
}

/* True: one of the change's events is under way. */
static bool change_send(struct look *look, const struct event_source *source, uint64_t offset) {
    const struct event_subscription *subscription = look->consumer->subscription;
    size_t count = server_events_count(source);
    for (size_t i = look->place->number; i < count && look->place->webhook == NULL; i++) {
        struct server_event event;
        server_event_make(source, i, &look->arena, &event);
        json_t *envelope = server_event_envelope(&event, subscription->schema, look->self->options.topic);
        look->place->number = i;
        if (event_choice_wants(&subscription->choice, &event, envelope))
            send_event(look, &event, envelope, offset);
        json_decref(envelope);
        server_event_close(&event);
    }
    return look->place->webhook != NULL;
}

static bool on_row(void *context, uint64_t offset, const struct event_row *row) {
    struct look *look = context;
    struct place *place = look->place;
    struct change change;
    struct participants members;
    bool is_before = row->time_ms < look->consumer->subscription->created_ms;
    if (!is_before && event_members_at(&look->store, offset, &members) != STATUS_OK)
        return false;
    if (!is_before && change_decode(row->change, &look->arena, &change) == STATUS_OK) {
        struct event_source source = {.change = &change,
                                      .members = members.items,
                                      .members_count = members.count,
                                      .thread_created_ms = row->thread_created_ms,
                                      .key = look->self->options.hash_key};
        if (change_send(look, &source, offset))
            return false;
    }
    place->done = offset;
    place->number = 0;
    return --look->rows_left > 0;
}

static void next_send(struct look *look) {
    look->rows_left = ROWS_PER_LOOK;
    if (look->place->webhook == NULL && look->now_ms >= look->place->due_ms &&
        consumer_is_ready(look->consumer, look->now_ms))
        events_visit(&look->store, look->place->done + 1, on_row, look);
}

/* ---- a thread ---- */

static uint64_t stored_cursor(const struct look *look, const struct consumer *consumer) {
    for (size_t i = 0; i < look->cursors.cursors_count; i++) {
        const struct event_cursor *cursor = &look->cursors.cursors[i];
        if (id_hash_equal(&cursor->consumer, &consumer->id) &&
            cursor->serial == (uint64_t)consumer->subscription->created_ms)
            return cursor->offset;
    }
    return 0;
}

/* How far it is after whatever could be done now. */
static uint64_t consumer_serve(struct look *look, struct consumer *consumer, uint64_t stored) {
    struct delivery *self = look->self;
    struct place *place = place_find(self, &look->store.thread, &consumer->id);
    if (place == NULL && stored < look->newest && consumer_is_ready(consumer, look->now_ms))
        place = place_make(self, &look->store.thread, consumer, stored);
    if (place == NULL)
        return stored;
    if (place->done < stored && place->webhook == NULL) {
        place->done = stored;
        place->number = 0;
    }
    look->place = place;
    look->consumer = consumer;
    if (place->done < look->newest)
        next_send(look);
    uint64_t done = place->done;
    if (stored >= look->newest && place->webhook == NULL)
        place_free(self, place);
    return done;
}

/* The log is told when nobody lacks anything, or somebody has come far. */
static int cursors_tell(struct look *look, struct event_cursor *cursors, size_t count) {
    struct delivery *self = look->self;
    struct command command = {.kind = COMMAND_EVENTS_DONE,
                              .subject = look->store.thread,
                              .time_ms = look->now_ms,
                              .cursors = cursors,
                              .cursors_count = count};
    int rc = self->options.propose(self->options.context, &command);
    for (size_t i = 0; i < count && rc == STATUS_OK; i++) {
        struct place *place = place_find(self, &look->store.thread, &cursors[i].consumer);
        if (place != NULL)
            place->told = cursors[i].offset;
    }
    return rc;
}

static bool is_far_from_told(const struct look *look, const struct event_cursor *cursor) {
    const struct place *place = place_find(look->self, &look->store.thread, &cursor->consumer);
    return place != NULL && cursor->offset >= place->told + TELL_EVERY;
}

static int thread_serve(struct look *look) {
    struct delivery *self = look->self;
    size_t count = self->consumers.count;
    struct event_cursor *cursors = ARENA_NEW_ARRAY(&look->arena, struct event_cursor, count);
    bool are_all_done = true, is_far = false;
    for (size_t i = 0; i < count; i++) {
        struct consumer *consumer = &self->consumers.items[i];
        cursors[i] = (struct event_cursor){.consumer = consumer->id,
                                           .offset = consumer_serve(look, consumer, stored_cursor(look, consumer)),
                                           .serial = (uint64_t)consumer->subscription->created_ms};
        are_all_done = are_all_done && cursors[i].offset >= look->newest;
        is_far = is_far || is_far_from_told(look, &cursors[i]);
    }
    if (!look->may_tell || (!are_all_done && !is_far))
        return STATUS_OK;
    int rc = cursors_tell(look, cursors, count);
    look->is_done = rc == STATUS_OK && are_all_done;
    return rc;
}

/* What has expired needs nobody any more. */
static void thread_look(struct delivery *self, const struct id_hash *thread, uint64_t serial) {
    struct look look = {.self = self, .now_ms = wall_ms(), .may_tell = serial != 0};
    arena_init(&look.arena);
    look.store = (struct event_store){.arena = &look.arena, .master = self->options.master, .thread = *thread};
    int rc = store_begin_read(self->options.store, &look.store.transaction);
    if (rc == STATUS_OK) {
        rc = event_cursors_get(&look.store, &look.cursors);
        if (rc == STATUS_OK)
            rc = event_newest(&look.store, &look.newest);
        look.is_done = rc == STATUS_STORE_MISSING;
        if (rc == STATUS_OK)
            rc = thread_serve(&look);
        store_abort(look.store.transaction);
    }
    if (look.is_done)
        feed_drop(self->options.feed, &look.store.thread, serial);
    arena_close(&look.arena);
}

/* ---- answers ---- */

static void give_up(struct delivery *self, const struct place *place, const struct consumer *consumer,
                    const char *reason, long status) {
    struct dead_letter letter = {.envelope = place->envelope,
                                 .reason = reason,
                                 .outcome = retry_outcome_name(status),
                                 .attempts = place->attempts,
                                 .happened_ms = place->happened_ms,
                                 .last_attempt_ms = wall_ms()};
    struct bytes name = consumer->subscription->name;
    int rc = dead_letters_add(&self->options.dead_letters, name, &letter);
    log_warning("an event of %.*s is given up: %s%s", BYTES_ARG(name), reason,
                rc == STATUS_OK ? "" : ", and cannot be kept");
}

static void answer_take(struct delivery *self, struct place *place, struct consumer *consumer,
                        const struct webhook_answer *answer) {
    int64_t now_ms = wall_ms();
    bool is_delivered = event_post_is_delivered(answer);
    consumer_note(consumer, is_delivered, now_ms);
    place->attempts++;
    struct retry_state state = {.attempts = place->attempts, .happened_ms = place->happened_ms, .now_ms = now_ms};
    struct retry_decision decision = retry_decide(&policy, &state, answer->status, randombytes_random());
    if (!is_delivered && decision.reason == NULL) {
        place->due_ms = now_ms + decision.wait_ms;
        return;
    }
    if (!is_delivered)
        give_up(self, place, consumer, decision.reason, answer->status);
    place->attempts = 0;
    place->due_ms = 0;
    place->number++;
}

static void on_answer(struct delivery *self, CURL *easy, CURLcode code) {
    struct webhook_answer answer;
    struct arena arena;
    struct place *place = self->places;
    while (place != NULL && (place->webhook == NULL || webhook_easy(place->webhook) != easy))
        place = place->next;
    check(place != NULL);
    struct consumer *consumer = consumers_find(&self->consumers, &place->consumer);
    check(consumer != NULL);
    arena_init(&arena);
    curl_multi_remove_handle(self->multi, easy);
    webhook_end(place->webhook, (int)code, &arena, &answer);
    place->webhook = NULL;
    consumer->requests--;
    answer_take(self, place, consumer, &answer);
    place_abandon(self, place);
    arena_close(&arena);
    struct id_hash thread = place->thread;
    thread_look(self, &thread, 0);
}

/* ---- the thread ---- */

static void consumers_refresh(struct delivery *self) {
    if (!atomic_exchange(&self->is_stale, false))
        return;
    if (consumers_load(&self->consumers, &self->options.subscriptions, self->options.hash_key) != STATUS_OK) {
        atomic_store(&self->is_stale, true);
        return;
    }
    self->are_consumers_known = true;
    places_tidy(self);
    atomic_store(self->options.is_watched, self->consumers.count > 0);
}

static void feed_look(struct delivery *self) {
    size_t count = self->are_consumers_known ? feed_count(self->options.feed) : 0;
    struct id_hash thread;
    uint64_t serial;
    for (size_t i = 0; i < count && i < LOOKS_PER_TURN && feed_next(self->options.feed, &thread, &serial); i++)
        if (self->options.is_led_here(self->options.context, &thread))
            thread_look(self, &thread, serial);
}

static void answers_take(struct delivery *self) {
    CURLMsg *message;
    int running, left;
    curl_multi_perform(self->multi, &running);
    while ((message = curl_multi_info_read(self->multi, &left)) != NULL)
        if (message->msg == CURLMSG_DONE)
            on_answer(self, message->easy_handle, message->data.result);
}

static void *run(void *context) {
    struct delivery *self = context;
    while (!atomic_load(&self->is_stopping)) {
        consumers_refresh(self);
        feed_look(self);
        answers_take(self);
        curl_multi_poll(self->multi, NULL, 0, TURN_MS, NULL);
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
    curl_multi_wakeup(self->multi);
}

struct delivery *delivery_start(const struct delivery_options *options) {
    struct delivery *self = calloc(1, sizeof(*self));
    check(self != NULL);
    check(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
    self->options = *options;
    self->options.webhooks.is_stopping = &self->is_stopping;
    self->is_stale = true;
    self->multi = curl_multi_init();
    check(self->multi != NULL);
    consumers_init(&self->consumers);
    if (!background_start(&self->thread, run, self)) {
        delivery_free(self);
        return NULL;
    }
    if (coordinator_watch(options->subscriptions.coordinator, "subscriptions/", 0, on_change, self) == STATUS_OK)
        return self;
    delivery_stop(self);
    delivery_free(self);
    return NULL;
}

void delivery_stop(struct delivery *self) {
    atomic_store(&self->is_stopping, true);
    delivery_wake(self);
    check(pthread_join(self->thread, NULL) == 0);
}

void delivery_free(struct delivery *self) {
    while (self->places != NULL)
        place_free(self, self->places);
    consumers_close(&self->consumers);
    curl_multi_cleanup(self->multi);
    curl_global_cleanup();
    free(self);
}
