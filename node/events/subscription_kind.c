#include "node/events/subscription_kind.h"

#include <sodium.h>
#include <stdlib.h>
#include <time.h>

#include "node/events/event_post.h"
#include "node/events/retry_schedule.h"
#include "node/log.h"
#include "proto/check.h"

static const struct retry_policy policy = {RETRY_ATTEMPTS_MAX, (int64_t)RETRY_LIVES_MINUTES_MAX * 60000};

struct subscription_kind {
    struct consumer_kind kind;
    struct subscription_kind_options options;
};

/* An event on its way. */
struct sending {
    struct attempt attempt;
    struct webhooks *requests;
    struct sent_webhook *request;
    json_t *envelope;
    int64_t happened_ms;
    unsigned attempts_made; /* before this one */
};

static const struct subscription_kind *kind_of(const struct consumer_kind *kind) {
    return (const struct subscription_kind *)kind;
}

static int64_t wall_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int load(const struct consumer_kind *kind, const uint8_t *hash_key, struct consumers *into) {
    struct event_subscription *subscriptions;
    size_t count;
    int rc = subscription_store_list(&kind_of(kind)->options.store, &into->arena, &subscriptions, &count);
    for (size_t i = 0; rc == STATUS_OK && i < count; i++) {
        struct consumer consumer = {.kind = kind,
                                    .record = &subscriptions[i],
                                    .id = id_hash_make(hash_key, subscriptions[i].name),
                                    .serial = (uint64_t)subscriptions[i].created_ms,
                                    .since_ms = subscriptions[i].created_ms,
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
    json_decref(self->envelope);
    free(self);
}

static void give_up(const struct sending *self, const char *reason, long status, int64_t now_ms) {
    const struct event_subscription *subscription = self->attempt.consumer->record;
    struct dead_letter letter = {.envelope = self->envelope,
                                 .reason = reason,
                                 .outcome = retry_outcome_name(status),
                                 .attempts = self->attempts_made + 1,
                                 .happened_ms = self->happened_ms,
                                 .last_attempt_ms = now_ms};
    int rc = dead_letters_add(&kind_of(self->attempt.kind)->options.dead_letters, subscription->name, &letter);
    log_warning("an event of %.*s is given up: %s%s", BYTES_ARG(subscription->name), reason,
                rc == STATUS_OK ? "" : ", and cannot be kept");
}

static void on_answer(void *context, const struct webhook_answer *answer) {
    struct sending *self = context;
    int64_t now_ms = wall_ms();
    struct retry_state state = {
        .attempts = self->attempts_made + 1, .happened_ms = self->happened_ms, .now_ms = now_ms};
    struct retry_decision decision = retry_decide(&policy, &state, answer->status, randombytes_random());
    if (event_post_is_delivered(answer)) {
        attempt_end(&self->attempt, ATTEMPT_DELIVERED, 0);
    } else if (decision.reason == NULL) {
        attempt_end(&self->attempt, ATTEMPT_AGAIN, decision.wait_ms);
    } else {
        give_up(self, decision.reason, answer->status, now_ms);
        attempt_end(&self->attempt, ATTEMPT_GIVEN_UP, 0);
    }
    sending_free(self);
}

static void cancel(struct attempt *attempt) {
    struct sending *self = (struct sending *)attempt;
    webhooks_cancel(self->requests, self->request);
    sending_free(self);
}

/* ---- its beginning ---- */

static struct attempt *event_send(const struct step *step, const struct server_event *event, json_t *envelope) {
    const json_t *envelopes[] = {envelope};
    struct event_post post = {.subscription = step->consumer->record,
                              .id = bytes_of_text(event->id),
                              .attempt = step->attempts_made,
                              .time_s = step->now_ms / 1000,
                              .envelopes = envelopes,
                              .envelopes_count = 1};
    struct webhook_request request;
    event_post_make(&post, step->arena, &request);
    struct sending *self = calloc(1, sizeof(*self));
    check(self != NULL);
    self->requests = step->requests;
    self->envelope = json_incref(envelope);
    self->happened_ms = event->time_ms;
    self->attempts_made = step->attempts_made;
    self->request =
        webhooks_begin(step->requests, &kind_of(step->consumer->kind)->options.webhooks, &request, on_answer, self);
    return &self->attempt;
}

static struct attempt *begin(const struct step *step) {
    const struct event_subscription *subscription = step->consumer->record;
    struct attempt *attempt = NULL;
    struct server_event event;
    server_event_make(step->source, step->number, step->arena, &event);
    json_t *envelope =
        server_event_envelope(&event, subscription->schema, kind_of(step->consumer->kind)->options.topic);
    if (event_choice_wants(&subscription->choice, &event, envelope))
        attempt = event_send(step, &event, envelope);
    json_decref(envelope);
    server_event_close(&event);
    return attempt;
}

static void free_(struct consumer_kind *kind) {
    free(kind);
}

struct consumer_kind *subscription_kind_new(const struct subscription_kind_options *options) {
    struct subscription_kind *self = calloc(1, sizeof(*self));
    check(self != NULL);
    self->options = *options;
    self->kind = (struct consumer_kind){
        .folder = "subscriptions/", .load = load, .steps = steps, .begin = begin, .cancel = cancel, .free = free_};
    return &self->kind;
}
