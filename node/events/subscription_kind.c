#include "node/events/subscription_kind.h"

#include <sodium.h>
#include <stdlib.h>
#include <time.h>

#include "node/events/event_post.h"
#include "node/events/retry_schedule.h"
#include "node/log.h"
#include "proto/check.h"
#include "proto/rfc3339.h"
#include "proto/status.h"

struct subscription_kind {
    struct consumer_kind kind;
    struct subscription_kind_options options;
};

/* Events on their way. */
struct sending {
    struct attempt attempt;
    struct webhooks *requests;
    struct sent_webhook *request; /* NULL: they have not set out yet */
    json_t *envelopes;
    size_t bytes;           /* of them all */
    char id[37];            /* of the only one, or made of all */
    int64_t happened_ms;    /* the first of them */
    unsigned attempts_made; /* before this one */
    int64_t now_ms;
    bool is_passing;
};

static const struct subscription_kind *kind_of(const struct consumer_kind *kind) {
    return (const struct subscription_kind *)kind;
}

static int64_t wall_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static struct retry_policy policy_of(const struct consumer_kind *kind, const struct event_subscription *subscription) {
    int64_t lives_ms = (int64_t)subscription->terms.lives_minutes * 60000;
    int64_t keep_ms = kind_of(kind)->options.keep_ms;
    return (struct retry_policy){subscription->terms.attempts_max, lives_ms < keep_ms ? lives_ms : keep_ms};
}

static int load(const struct consumer_kind *kind, const uint8_t *hash_key, struct consumers *into) {
    struct event_subscription *subscriptions;
    size_t count;
    int rc = subscription_store_list(&kind_of(kind)->options.store, &into->arena, &subscriptions, &count);
    for (size_t i = 0; rc == STATUS_OK && i < count; i++) {
        struct consumer consumer = {.kind = kind,
                                    .record = &subscriptions[i],
                                    .id = id_hash_make(hash_key, subscriptions[i].name),
                                    .serial = subscriptions[i].serial,
                                    .since_ms = subscriptions[i].from_ms,
                                    .lives_ms = policy_of(kind, &subscriptions[i]).lives_ms,
                                    .name = subscriptions[i].name,
                                    .is_active = subscriptions[i].is_validated};
        consumers_add(into, &consumer);
    }
    return rc;
}

static size_t steps(const struct consumer *consumer, const struct event_source *source) {
    (void)consumer;
    return server_events_count(source);
}

/* ---- the end of an attempt ---- */

static void sending_free(struct sending *self) {
    json_decref(self->envelopes);
    free(self);
}

static void letters_keep(const struct consumer *consumer, const struct dead_letter *letters, size_t count) {
    const struct event_subscription *subscription = consumer->record;
    int rc = dead_letters_add(&kind_of(consumer->kind)->options.dead_letters, subscription->name, letters, count);
    log_warning("%zu events of %.*s are given up: %s%s", count, BYTES_ARG(subscription->name), letters->reason,
                rc == STATUS_OK ? "" : ", and cannot be kept");
}

static int64_t envelope_time(const json_t *envelope) {
    const json_t *grid = json_object_get(envelope, "eventTime");
    const json_t *time = grid != NULL ? grid : json_object_get(envelope, "time");
    int64_t time_ms;
    check(rfc3339_parse(bytes_of(json_string_value(time), json_string_length(time)), &time_ms));
    return time_ms;
}

static void give_up(const struct sending *self, const char *reason, long status, int64_t now_ms) {
    size_t count = json_array_size(self->envelopes);
    struct dead_letter *letters = calloc(count, sizeof(*letters));
    check(letters != NULL);
    for (size_t i = 0; i < count; i++) {
        const json_t *envelope = json_array_get(self->envelopes, i);
        letters[i] = (struct dead_letter){.envelope = envelope,
                                          .reason = reason,
                                          .outcome = retry_outcome_name(status),
                                          .attempts = self->attempts_made + 1,
                                          .happened_ms = envelope_time(envelope),
                                          .last_attempt_ms = now_ms};
    }
    letters_keep(self->attempt.consumer, letters, count);
    free(letters);
}

/* It is the event that is refused, not whoever sends it. */
static bool is_of_event(long status) {
    return status == 400 || status == 413;
}

static void on_answer(void *context, const struct webhook_answer *answer) {
    struct sending *self = context;
    const struct consumer *consumer = self->attempt.consumer;
    int64_t now_ms = wall_ms();
    struct retry_policy policy = policy_of(consumer->kind, consumer->record);
    struct retry_state state = {
        .attempts = self->attempts_made + 1, .happened_ms = self->happened_ms, .now_ms = now_ms};
    struct retry_decision decision = retry_decide(&policy, &state, answer->status, randombytes_random());
    if (event_post_is_delivered(answer)) {
        attempt_end(&self->attempt, ATTEMPT_DELIVERED, 0);
    } else if (decision.reason == NULL && !self->is_passing) {
        attempt_end(&self->attempt, ATTEMPT_AGAIN, decision.wait_ms);
    } else {
        if (!self->is_passing)
            give_up(self, decision.reason, answer->status, now_ms);
        attempt_end(&self->attempt, is_of_event(answer->status) ? ATTEMPT_REFUSED : ATTEMPT_GIVEN_UP, 0);
    }
    sending_free(self);
}

static void cancel(struct attempt *attempt) {
    struct sending *self = (struct sending *)attempt;
    if (self->request != NULL)
        webhooks_cancel(self->requests, self->request);
    sending_free(self);
}

/* ---- its beginning ---- */

/* The envelope is the caller's; NULL: the subscription does not want such an event. */
static json_t *wanted_make(const struct step *step, struct server_event *event) {
    const struct event_subscription *subscription = step->consumer->record;
    server_event_make(step->source, step->number, step->arena, event);
    json_t *envelope = server_event_envelope(event, subscription->schema, kind_of(step->consumer->kind)->options.topic);
    bool is_wanted = event_choice_wants(&subscription->choice, event, envelope);
    server_event_close(event);
    if (is_wanted)
        return envelope;
    json_decref(envelope);
    return NULL;
}

/* The same events have the same id, whenever they are sent. */
static void event_add(struct sending *self, const struct step *step, const char *id, json_t *envelope) {
    if (json_array_size(self->envelopes) == 0) {
        memcpy(self->id, id, sizeof(self->id));
    } else {
        struct bytes both = arena_printf(step->arena, "batch/%s/%s", self->id, id);
        struct id_hash hash = id_hash_make(step->source->key, both);
        uuid_format(hash.bytes, self->id);
    }
    self->bytes += json_dumpb(envelope, NULL, 0, JSON_COMPACT) + 1;
    json_item_add(self->envelopes, envelope);
}

static struct attempt *begin(const struct step *step) {
    struct server_event event;
    json_t *envelope = wanted_make(step, &event);
    if (envelope == NULL)
        return NULL;
    struct sending *self = calloc(1, sizeof(*self));
    check(self != NULL);
    *self = (struct sending){.requests = step->requests,
                             .envelopes = json_array_new(),
                             .happened_ms = event.time_ms,
                             .attempts_made = step->attempts_made,
                             .now_ms = step->now_ms,
                             .is_passing = step->is_passing};
    event_add(self, step, event.id, envelope);
    return &self->attempt;
}

static enum join join(struct attempt *attempt, const struct step *step) {
    struct sending *self = (struct sending *)attempt;
    const struct delivery_terms *terms = &((const struct event_subscription *)step->consumer->record)->terms;
    struct server_event event;
    if (json_array_size(self->envelopes) >= terms->batch_events)
        return JOIN_FULL;
    json_t *envelope = wanted_make(step, &event);
    if (envelope == NULL)
        return JOIN_NOT_WANTED;
    if (self->bytes + json_dumpb(envelope, NULL, 0, JSON_COMPACT) > terms->batch_kilobytes * (size_t)1024) {
        json_decref(envelope);
        return JOIN_FULL;
    }
    event_add(self, step, event.id, envelope);
    return JOIN_TAKEN;
}

static void go(struct attempt *attempt) {
    struct sending *self = (struct sending *)attempt;
    const struct consumer *consumer = attempt->consumer;
    struct event_post post = {.subscription = consumer->record,
                              .id = bytes_of_text(self->id),
                              .attempt = self->attempts_made,
                              .time_s = self->now_ms / 1000,
                              .envelopes = self->envelopes};
    struct webhook_request request;
    struct arena arena;
    arena_init(&arena);
    event_post_make(&post, &arena, &request);
    self->request =
        webhooks_begin(self->requests, &kind_of(attempt->kind)->options.webhooks, &request, on_answer, self);
    arena_close(&arena);
}

/* Nobody promised anything to a receiver that has not shown that it wants events. */
static bool expire(const struct step *step) {
    struct server_event event;
    json_t *envelope = wanted_make(step, &event);
    if (envelope == NULL)
        return false;
    struct dead_letter letter = {.envelope = envelope,
                                 .reason = RETRY_TOO_OLD,
                                 .outcome = RETRY_NOT_TRIED,
                                 .attempts = step->attempts_made,
                                 .happened_ms = event.time_ms};
    if (step->consumer->is_active)
        letters_keep(step->consumer, &letter, 1);
    json_decref(envelope);
    return true;
}

static void free_(struct consumer_kind *kind) {
    free(kind);
}

struct consumer_kind *subscription_kind_new(const struct subscription_kind_options *options) {
    struct subscription_kind *self = calloc(1, sizeof(*self));
    check(self != NULL);
    self->options = *options;
    self->kind = (struct consumer_kind){.takes_passing = true,
                                        .folder = "subscriptions/",
                                        .load = load,
                                        .steps = steps,
                                        .begin = begin,
                                        .join = join,
                                        .go = go,
                                        .expire = expire,
                                        .cancel = cancel,
                                        .free = free_};
    return &self->kind;
}
