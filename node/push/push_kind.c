#include "node/push/push_kind.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "node/gateway/serve.h"
#include "node/log.h"
#include "node/push/push_key.h"
#include "node/push/push_payload.h"
#include "node/push/push_rests.h"
#include "node/push/push_since.h"
#include "proto/check.h"
#include "proto/limits.h"
#include "proto/question.h"
#include "proto/status.h"

#define NAME "push:devices" /* which nobody else can be called */
#define ASK_MS 20000
#define AGAIN_MS 2000
#define AGAIN_DOUBLED_MAX 4
#define UNABLE_ATTEMPTS_MAX 7 /* two minutes, in which the lead may go to a node that can */
#define WARNING_AGAIN_MS 60000
#define CONTENT_BYTES_MAX 4096 /* no payload has room for more */

/* A change that has been handed to some nodes, and waits for what they say. */
struct handing {
    struct attempt attempt;
    struct handing *next;
    uint64_t number;
    size_t asks; /* that are not answered */
    unsigned attempts_made;
    size_t given_up;       /* users */
    int unable_rc;         /* what was said of them */
    struct push_rest rest; /* of the users: whom nobody has taken over */
};

/* What one of them said; on its way from a worker to delivery's thread. */
struct said {
    struct said *next;
    uint64_t handing;
    int rc;
    size_t users_count; /* whom the node has not taken over */
    struct id_hash users[];
};

struct push_kind {
    struct consumer_kind kind;
    struct push_kind_options options;
    struct handing *handings; /* delivery's thread only */
    struct push_rests rests;  /* as well */
    uint64_t number;
    int64_t warned_ms;
    pthread_mutex_t mutex;
    struct said *said;
};

static struct push_kind *kind_of(const struct consumer_kind *kind) {
    return (struct push_kind *)(uintptr_t)kind;
}

static int load(const struct consumer_kind *kind, const uint8_t *hash_key, struct consumers *into) {
    const struct push_kind_options *options = &kind_of(kind)->options;
    struct push_key key;
    int64_t since_ms;
    int rc = push_key_get(options->coordinator, options->gateway->master, worker_wall_ms(), &key);
    if (rc == STATUS_RECORD_CORRUPT) {
        log_error("push/vapid cannot be read, so nothing is sent to devices");
        return STATUS_OK;
    }
    if (rc == STATUS_OK)
        rc = push_since_get(options->coordinator, worker_wall_ms(), &since_ms);
    if (rc != STATUS_OK)
        return rc;
    struct consumer consumer = {.kind = kind,
                                .id = id_hash_make(hash_key, BYTES_LITERAL(NAME)),
                                .serial = (uint64_t)key.created_ms,
                                .since_ms = since_ms,
                                .is_active = true};
    consumers_add(into, &consumer);
    return STATUS_OK;
}

static size_t steps(const struct consumer *consumer, const struct event_source *source) {
    static const struct push_registration any = {.transport = PUSH_WEB};
    (void)consumer;
    return push_payload_is_for(&any, source->change) ? 1 : 0;
}

/* ---- what is said ---- */

/* `users` of a question, and what was answered. */
static void said_add(struct push_kind *self, uint64_t handing, int rc, const struct id_hash *users, size_t count) {
    size_t left = rc == STATUS_OK ? 0 : count;
    struct said *said = calloc(1, sizeof(*said) + left * sizeof(*users));
    check(said != NULL);
    said->handing = handing;
    said->rc = rc;
    said->users_count = left;
    if (left > 0)
        memcpy(said->users, users, left * sizeof(*users));
    pthread_mutex_lock(&self->mutex);
    said->next = self->said;
    self->said = said;
    pthread_mutex_unlock(&self->mutex);
    self->options.wake(self->options.context);
}

static struct handing **handing_find(struct push_kind *self, uint64_t number) {
    struct handing **link = &self->handings;
    while (*link != NULL && (*link)->number != number)
        link = &(*link)->next;
    return link;
}

static void unable_log(struct push_kind *self, const struct handing *handing) {
    int64_t now_ms = worker_wall_ms();
    if (now_ms < self->warned_ms + WARNING_AGAIN_MS)
        return;
    self->warned_ms = now_ms;
    log_warning(
        "devices of %zu users are not told of a message, as the nodes that lead these users cannot (%s): push is "
        "to be on at every node, and every node of a version that knows it",
        handing->given_up, status_name(handing->unable_rc));
}

/* That a range has no leader, or a node too much to do, says nothing of the other ranges: they go on. */
static void handing_end(struct push_kind *self, struct handing *handing) {
    unsigned doubled = handing->attempts_made < AGAIN_DOUBLED_MAX ? handing->attempts_made : AGAIN_DOUBLED_MAX;
    if (handing->given_up > 0)
        unable_log(self, handing);
    if (handing->rest.count == 0) {
        attempt_end(&handing->attempt, handing->given_up > 0 ? ATTEMPT_REFUSED : ATTEMPT_DELIVERED, 0);
        push_rest_close(&handing->rest);
    } else {
        push_rests_keep(&self->rests, &handing->rest);
        attempt_end(&handing->attempt, ATTEMPT_LATER, (int64_t)AGAIN_MS << doubled);
    }
    free(handing);
}

/* The node does not send to devices, or does not know what that is; it is not another attempt that changes that. */
static bool is_unable(const struct handing *handing, int rc) {
    return (rc == STATUS_NOT_IMPLEMENTED || rc == STATUS_MALFORMED) && handing->attempts_made >= UNABLE_ATTEMPTS_MAX;
}

static void said_take(struct push_kind *self, const struct said *said) {
    struct handing **link = handing_find(self, said->handing);
    struct handing *handing = *link;
    if (handing == NULL)
        return; /* broken off */
    if (is_unable(handing, said->rc)) {
        handing->given_up += said->users_count;
        handing->unable_rc = said->rc;
    } else {
        push_rest_add(&handing->rest, said->users, said->users_count);
    }
    if (--handing->asks > 0)
        return;
    *link = handing->next;
    handing_end(self, handing);
}

static void turn(struct consumer_kind *kind) {
    struct push_kind *self = kind_of(kind);
    pthread_mutex_lock(&self->mutex);
    struct said *said = self->said;
    self->said = NULL;
    pthread_mutex_unlock(&self->mutex);
    for (struct said *next; said != NULL; said = next) {
        next = said->next;
        said_take(self, said);
        free(said);
    }
}

/* ---- asking ---- */

struct push_ask {
    struct gateway_ask ask;
    struct push_kind *kind;
    uint64_t handing;
    size_t users_count;
    struct id_hash users[];
};

static void on_answer(struct gateway_worker *worker, struct gateway_ask *ask) {
    const struct push_ask *self = (struct push_ask *)ask;
    (void)worker;
    said_add(self->kind, self->handing, ask->rc, self->users, self->users_count);
    gateway_ask_free(ask);
}

/* Of a node alone, on a worker's thread. */
static void on_served(void *context, int rc, struct bytes reply) {
    struct push_ask *self = context;
    (void)reply;
    said_add(self->kind, self->handing, rc, self->users, self->users_count);
    free(self);
}

/* It may have been served, and `ask` be gone, before this returns. */
static int here_ask(const struct gateway *gateway, struct push_ask *ask) {
    struct buffer body = ask->ask.body;
    buffer_init(&ask->ask.body);
    int rc = gateway_serve(&gateway->workers[ask->ask.worker], &body, ask, on_served);
    if (rc != STATUS_OK)
        buffer_close(&body);
    return rc;
}

static int ask_start(struct push_kind *self, struct push_ask *ask) {
    const struct gateway *gateway = self->options.gateway;
    ask->ask.worker = (unsigned)(ask->handing % gateway->workers_count);
    if (gateway->ask == NULL)
        return here_ask(gateway, ask);
    ask->ask.deadline_ms = ASK_MS;
    ask->ask.on_answer = on_answer;
    return gateway->ask(gateway->core, &ask->ask);
}

static void range_ask(struct push_kind *self, struct handing *handing, struct bytes change,
                      struct question_subject *users, size_t count) {
    struct question question = {
        .kind = QUESTION_PUSH, .left_ms = ASK_MS, .call = change, .subjects = users, .subjects_count = count};
    struct push_ask *ask = calloc(1, sizeof(*ask) + count * sizeof(*ask->users));
    check(ask != NULL);
    ask->users_count = count;
    for (size_t i = 0; i < count; i++)
        ask->users[i] = users[i].hash;
    ask->kind = self;
    ask->handing = handing->number;
    ask->ask.subject = users[0].hash;
    buffer_init(&ask->ask.body);
    buffer_init(&ask->ask.reply);
    question_encode(&question, &ask->ask.body);
    handing->asks++;
    int rc = ask_start(self, ask);
    if (rc == STATUS_OK)
        return;
    said_add(self, handing->number, rc, ask->users, count);
    gateway_ask_free(&ask->ask);
}

static uint32_t range_of(const struct push_kind *self, const struct id_hash *user) {
    const struct gateway *gateway = self->options.gateway;
    return gateway->range_of == NULL ? 0 : gateway->range_of(gateway->core, user);
}

/* One question for the users of each range. */
static void users_ask(struct push_kind *self, struct handing *handing, struct bytes change, struct id_hash *users,
                      size_t count) {
    struct question_subject subjects[QUESTION_SUBJECTS_MAX];
    while (count > 0) {
        uint32_t range = range_of(self, &users[0]);
        size_t taken = 0, left = 0;
        for (size_t i = 0; i < count; i++) {
            if (taken < QUESTION_SUBJECTS_MAX && range_of(self, &users[i]) == range)
                subjects[taken++].hash = users[i];
            else
                users[left++] = users[i];
        }
        /* The map may have changed in between. */
        if (taken == 0)
            subjects[taken++].hash = users[--left];
        range_ask(self, handing, change, subjects, taken);
        count = left;
    }
}

static struct bytes change_shorten(const struct change *change, struct arena *arena) {
    struct change shorter = *change;
    struct buffer encoded;
    shorter.message.content = push_payload_cut(change->message.content, CONTENT_BYTES_MAX);
    buffer_init(&encoded);
    change_encode(&shorter, &encoded);
    struct bytes copy = arena_copy(arena, buffer_bytes(&encoded));
    buffer_close(&encoded);
    return copy;
}

/* Everyone but who has done it. */
static struct id_hash *users_gather(const struct step *step, size_t *count) {
    const struct event_source *source = step->source;
    struct id_hash *users = ARENA_NEW_ARRAY(step->arena, struct id_hash, source->members_count);
    *count = 0;
    for (size_t i = 0; i < source->members_count; i++)
        if (!bytes_equal(source->members[i].user_id, source->change->message.actor_id))
            users[(*count)++] = id_hash_make(source->key, source->members[i].user_id);
    return users;
}

static struct attempt *begin(const struct step *step) {
    struct push_kind *self = kind_of(step->consumer->kind);
    const struct change *change = step->source->change;
    size_t count;
    struct id_hash *users = users_gather(step, &count);
    if (count == 0 || step->now_ms >= change->time_ms + self->options.ttl_ms)
        return NULL;
    push_rests_take(&self->rests, &change->subject, change->offset, users, &count);
    struct handing *handing = calloc(1, sizeof(*handing));
    check(handing != NULL);
    push_rest_init(&handing->rest, &change->subject, change->offset);
    handing->attempts_made = step->attempts_made;
    handing->number = ++self->number;
    handing->next = self->handings;
    self->handings = handing;
    users_ask(self, handing, change_shorten(change, step->arena), users, count);
    return &handing->attempt;
}

static void cancel(struct attempt *attempt) {
    struct handing *handing = (struct handing *)attempt;
    struct handing **link = handing_find(kind_of(attempt->kind), handing->number);
    *link = handing->next;
    push_rest_close(&handing->rest);
    free(handing);
}

static void kind_free(struct consumer_kind *kind) {
    struct push_kind *self = kind_of(kind);
    for (struct said *said = self->said, *next; said != NULL; said = next) {
        next = said->next;
        free(said);
    }
    push_rests_close(&self->rests);
    pthread_mutex_destroy(&self->mutex);
    free(self);
}

struct consumer_kind *push_kind_new(const struct push_kind_options *options) {
    struct push_kind *self = calloc(1, sizeof(*self));
    check(self != NULL && pthread_mutex_init(&self->mutex, NULL) == 0);
    self->options = *options;
    self->kind = (struct consumer_kind){
        .load = load, .steps = steps, .begin = begin, .cancel = cancel, .turn = turn, .free = kind_free};
    return &self->kind;
}
