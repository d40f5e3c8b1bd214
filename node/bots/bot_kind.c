#include "node/bots/bot_kind.h"

#include <inttypes.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <time.h>

#include "node/bots/bot_activity.h"
#include "node/bots/bot_replies.h"
#include "node/events/event_post.h"
#include "node/events/retry_schedule.h"
#include "node/log.h"
#include "proto/check.h"

#define REPLIES_AGAIN_MS 1000

/* A chat does not wait for an answer longer. */
static const struct retry_policy policy = {.attempts_max = 10, .lives_ms = 60 * 60 * 1000};

struct bot_kind {
    struct consumer_kind kind;
    struct bot_kind_options options;
    pthread_mutex_t mutex; /* of what has been said */
    struct bot_sending *said;
    unsigned turns; /* of workers */
};

/* What a consumer's record is. */
struct bot_record {
    const struct bot *bot;
    const struct bot *all;
    size_t all_count;
};

/* An activity on its way: at the bot, then its answers at a worker. */
struct bot_sending {
    struct bot_replies replies; /* first */
    struct attempt attempt;
    struct bot_sending *next; /* in `said` */
    struct bot_kind *kind;
    struct arena arena;
    struct webhooks *requests;
    struct sent_webhook *request; /* NULL: it has answered */
    struct bytes id;
    int64_t happened_ms;
    unsigned attempts_made; /* before this one */
    bool is_passing;        /* tried once */
    bool is_cancelled;
    bool has_failed; /* not all answers were said */
};

static int64_t wall_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- who they are ---- */

static int load(const struct consumer_kind *base, const uint8_t *hash_key, struct consumers *into) {
    const struct bot_kind *self = (const struct bot_kind *)base;
    struct bot *bots;
    size_t count;
    int rc = bots_list(&self->options.items, &into->arena, &bots, &count);
    if (rc != STATUS_OK)
        return rc;
    bot_roster_set(self->options.roster, bots, count);
    struct bot_record *records = ARENA_NEW_ARRAY(&into->arena, struct bot_record, count);
    for (size_t i = 0; i < count; i++) {
        struct bytes name = arena_printf(&into->arena, "bots/%.*s", BYTES_ARG(bots[i].name));
        records[i] = (struct bot_record){&bots[i], bots, count};
        struct consumer consumer = {.kind = base,
                                    .record = &records[i],
                                    .id = id_hash_make(hash_key, name),
                                    .serial = (uint64_t)bots[i].created_ms,
                                    .since_ms = bots[i].created_ms,
                                    .name = name,
                                    .is_active = true};
        consumers_add(into, &consumer);
    }
    return STATUS_OK;
}

static struct bot_telling telling_of(const struct consumer *consumer, const struct event_source *source,
                                     size_t number) {
    const struct bot_record *record = consumer->record;
    const struct bot_kind *kind = (const struct bot_kind *)consumer->kind;
    return (struct bot_telling){.bot = record->bot,
                                .all = record->all,
                                .all_count = record->all_count,
                                .source = source,
                                .number = number,
                                .service_url = kind->options.service_url};
}

static size_t steps(const struct consumer *consumer, const struct event_source *source) {
    struct bot_telling telling = telling_of(consumer, source, 0);
    return bot_activities_count(&telling);
}

/* ---- the end of an attempt ---- */

static void sending_free(struct bot_sending *self) {
    arena_close(&self->arena);
    free(self);
}

static struct bot_sending *sending_of(struct attempt *attempt) {
    return (struct bot_sending *)((char *)attempt - offsetof(struct bot_sending, attempt));
}

static void sending_end(struct bot_sending *self, enum attempt_result result, int64_t wait_ms) {
    if (result == ATTEMPT_AGAIN && self->is_passing)
        result = ATTEMPT_GIVEN_UP;
    attempt_end(&self->attempt, result, wait_ms);
    sending_free(self);
}

static void failure_judge(struct bot_sending *self, const struct webhook_answer *answer) {
    const struct bot_record *record = self->attempt.consumer->record;
    struct retry_state state = {
        .attempts = self->attempts_made + 1, .happened_ms = self->happened_ms, .now_ms = wall_ms()};
    struct retry_decision decision = retry_decide(&policy, &state, answer->status, randombytes_random());
    if (decision.reason == NULL) {
        sending_end(self, ATTEMPT_AGAIN, decision.wait_ms);
        return;
    }
    log_warning("an activity for the bot %.*s is given up: %s, as it answers %ld", BYTES_ARG(record->bot->name),
                decision.reason, answer->status);
    bool is_refused = answer->status == 400 || answer->status == 413; /* this one, perhaps not the next */
    sending_end(self, is_refused ? ATTEMPT_REFUSED : ATTEMPT_GIVEN_UP, 0);
}

/* On a worker's thread. */
static void on_said(struct bot_replies *replies, bool has_failed) {
    struct bot_sending *self = (struct bot_sending *)replies;
    struct bot_kind *kind = self->kind;
    self->has_failed = has_failed;
    pthread_mutex_lock(&kind->mutex);
    self->next = kind->said;
    kind->said = self;
    pthread_mutex_unlock(&kind->mutex);
    kind->options.wake(kind->options.context);
}

static struct bot_sending *said_take(struct bot_kind *self) {
    pthread_mutex_lock(&self->mutex);
    struct bot_sending *all = self->said;
    self->said = NULL;
    pthread_mutex_unlock(&self->mutex);
    return all;
}

static void turn(struct consumer_kind *base) {
    for (struct bot_sending *sending = said_take((struct bot_kind *)base), *next; sending != NULL; sending = next) {
        next = sending->next;
        if (sending->is_cancelled)
            sending_free(sending);
        else if (sending->has_failed)
            sending_end(sending, ATTEMPT_AGAIN, REPLIES_AGAIN_MS);
        else
            sending_end(sending, ATTEMPT_DELIVERED, 0);
    }
}

/* What is cut off is missed by somebody, so it is not done in silence. */
static size_t replies_take(struct bot_sending *self, struct bytes body) {
    const struct bot_record *record = self->attempt.consumer->record;
    size_t count = bot_replies_split(&self->arena, body, self->id, self->replies.bodies);
    if (body.size >= WEBHOOK_ANSWER_BYTES_MAX)
        log_warning("an answer of the bot %.*s is not read: it has more than %d bytes", BYTES_ARG(record->bot->name),
                    WEBHOOK_ANSWER_BYTES_MAX);
    if (count > BOT_REPLIES_MAX)
        log_warning("of an answer of the bot %.*s only the first %d of %zu activities are said",
                    BYTES_ARG(record->bot->name), BOT_REPLIES_MAX, count);
    return count < BOT_REPLIES_MAX ? count : BOT_REPLIES_MAX;
}

static void on_answer(void *context, const struct webhook_answer *answer) {
    struct bot_sending *self = context;
    self->request = NULL;
    if (!event_post_is_delivered(answer)) {
        failure_judge(self, answer);
        return;
    }
    self->replies.count = replies_take(self, answer->body);
    if (self->replies.count == 0)
        sending_end(self, ATTEMPT_DELIVERED, 0);
    else
        bot_replies_say(&self->replies, self->kind->turns++);
}

/* What is being said comes back yet. */
static void cancel(struct attempt *attempt) {
    struct bot_sending *self = sending_of(attempt);
    self->is_cancelled = true;
    if (self->request == NULL)
        return;
    webhooks_cancel(self->requests, self->request);
    sending_free(self);
}

/* ---- its beginning ---- */

/* Signed as events are (Standard Webhooks): a bot checks it with the secret that it has anyway, and needs no keys of
 * the cluster. */
static void request_make(const struct bot *bot, struct bytes id, int64_t now_ms, struct arena *arena,
                         struct webhook_request *request) {
    int64_t now_s = now_ms / 1000;
    webhook_header_add(request, "content-type", BYTES_LITERAL("application/json; charset=utf-8"));
    webhook_header_add(request, "webhook-id", id);
    webhook_header_add(request, "webhook-timestamp", arena_printf(arena, "%" PRId64, now_s));
    webhook_header_add(request, "webhook-signature", event_signature(&bot->secret, 1, id, now_s, request->body, arena));
}

static struct bot_sending *sending_new(const struct step *step, const struct bot *bot, const char *id) {
    const struct change *change = step->source->change;
    struct bot_sending *self = calloc(1, sizeof(*self));
    check(self != NULL);
    arena_init(&self->arena);
    self->kind = (struct bot_kind *)(uintptr_t)step->consumer->kind;
    self->requests = step->requests;
    self->id = arena_copy(&self->arena, bytes_of_text(id));
    self->happened_ms = change->time_ms;
    self->attempts_made = step->attempts_made;
    self->is_passing = step->is_passing;
    self->replies.gateway = self->kind->options.gateway;
    self->replies.issued_s = bot->changed_ms / 1000;
    self->replies.user_id = arena_copy(&self->arena, bot->user_id);
    self->replies.thread_id = arena_copy(&self->arena, change->thread_id);
    self->replies.on_done = on_said;
    return self;
}

static struct attempt *begin(const struct step *step) {
    const struct bot *bot = ((const struct bot_record *)step->consumer->record)->bot;
    struct bot_telling telling = telling_of(step->consumer, step->source, step->number);
    char id[37];
    if (!bot_is_told(&telling))
        return NULL;
    bot_telling_id(&telling, step->arena, id);
    struct webhook_request request = {.method = "POST",
                                      .url = bot->endpoint,
                                      .body = json_text_take(step->arena, bot_activity_make(&telling, step->arena))};
    request_make(bot, bytes_of_text(id), step->now_ms, step->arena, &request);
    struct bot_sending *self = sending_new(step, bot, id);
    self->request = webhooks_begin(step->requests, &self->kind->options.webhooks, &request, on_answer, self);
    return &self->attempt;
}

static void free_(struct consumer_kind *base) {
    struct bot_kind *self = (struct bot_kind *)base;
    turn(base);
    pthread_mutex_destroy(&self->mutex);
    free(self);
}

struct consumer_kind *bot_kind_new(const struct bot_kind_options *options) {
    struct bot_kind *self = calloc(1, sizeof(*self));
    check(self != NULL && pthread_mutex_init(&self->mutex, NULL) == 0);
    self->options = *options;
    self->kind = (struct consumer_kind){.takes_passing = true,
                                        .folder = options->items.folder,
                                        .load = load,
                                        .steps = steps,
                                        .begin = begin,
                                        .cancel = cancel,
                                        .turn = turn,
                                        .free = free_};
    return &self->kind;
}
