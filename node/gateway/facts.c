#include "node/gateway/facts.h"

#include <stdlib.h>

#include "proto/check.h"
#include "storage/thread_store.h"
#include "storage/user_store.h"

#define ASKS_AT_ONCE_MAX 8

/* One question about subjects of the same range. */
struct facts_ask {
    struct gateway_ask ask;
    struct facts *facts; /* NULL: cancelled */
    struct facts_ask *next;
    struct facts_ask **link;
    size_t count;
    size_t places[QUESTION_SUBJECTS_MAX]; /* of its subjects among those of the asker */
};

/* ---- asking ---- */

static uint32_t range_of(const struct facts *facts, size_t index) {
    const struct gateway *gateway = facts->worker->gateway;
    return gateway->range_of(gateway->core, &facts->subjects[index]);
}

/* Takes what lies in the range of the first subject that nobody was asked about yet. */
static struct facts_ask *ask_new(struct facts *facts) {
    struct facts_ask *self = calloc(1, sizeof(*self));
    check(self != NULL);
    self->ask.subject = facts->subjects[facts->next];
    uint32_t range = range_of(facts, facts->next);
    for (size_t i = facts->next; i < facts->count && self->count < QUESTION_SUBJECTS_MAX; i++) {
        if (facts->are_asked[i] || range_of(facts, i) != range)
            continue;
        facts->are_asked[i] = true;
        self->places[self->count++] = i;
    }
    while (facts->next < facts->count && facts->are_asked[facts->next])
        facts->next++;
    return self;
}

static uint32_t left_ms_of(const struct facts *facts) {
    uint64_t now_ms = worker_now_ms(facts->worker->worker);
    return facts->deadline_ms > now_ms ? (uint32_t)(facts->deadline_ms - now_ms) : 0;
}

static void question_write(struct facts_ask *self, const struct facts *facts) {
    struct question_subject subjects[QUESTION_SUBJECTS_MAX];
    for (size_t i = 0; i < self->count; i++)
        subjects[i].hash = facts->subjects[self->places[i]];
    struct question question = {.kind = facts->kind,
                                .left_ms = self->ask.deadline_ms,
                                .user_id = facts->user_id,
                                .subjects = subjects,
                                .subjects_count = self->count};
    buffer_init(&self->ask.body);
    buffer_init(&self->ask.reply);
    question_encode(&question, &self->ask.body);
}

static void ask_unlink(struct facts_ask *self) {
    *self->link = self->next;
    if (self->next != NULL)
        self->next->link = self->link;
    self->facts->in_flight_count--;
    self->facts = NULL;
}

static void ask_link(struct facts_ask *self, struct facts *facts) {
    self->facts = facts;
    self->next = facts->in_flight;
    self->link = &facts->in_flight;
    if (self->next != NULL)
        self->next->link = &self->next;
    facts->in_flight = self;
    facts->in_flight_count++;
}

static void on_answer(struct gateway_worker *worker, struct gateway_ask *ask);

static int ask_next(struct facts *facts) {
    struct gateway *gateway = facts->worker->gateway;
    struct facts_ask *self = ask_new(facts);
    self->ask.deadline_ms = left_ms_of(facts);
    self->ask.worker = facts->worker->worker->index;
    self->ask.on_answer = on_answer;
    question_write(self, facts);
    ask_link(self, facts);
    int rc = gateway->ask(gateway->core, &self->ask);
    if (rc == STATUS_OK)
        return STATUS_OK;
    ask_unlink(self);
    gateway_ask_free(&self->ask);
    return rc;
}

static void ask_on(struct facts *facts) {
    while (facts->rc == STATUS_OK && facts->next < facts->count && facts->in_flight_count < ASKS_AT_ONCE_MAX)
        facts->rc = ask_next(facts);
}

static int answer_take(struct facts *facts, const struct facts_ask *answered) {
    struct fact_list list;
    if (answered->ask.rc != STATUS_OK)
        return answered->ask.rc;
    int rc = facts_decode(arena_copy(facts->arena, buffer_bytes(&answered->ask.reply)), facts->arena, &list);
    if (rc == STATUS_OK && list.count != answered->count)
        rc = STATUS_MALFORMED;
    for (size_t i = 0; rc == STATUS_OK && i < list.count; i++)
        facts->items[answered->places[i]] = list.items[i];
    return rc;
}

static void on_answer(struct gateway_worker *worker, struct gateway_ask *ask) {
    struct facts_ask *self = (struct facts_ask *)ask;
    struct facts *facts = self->facts;
    (void)worker;
    if (facts != NULL) {
        ask_unlink(self);
        int rc = answer_take(facts, self);
        if (facts->rc == STATUS_OK)
            facts->rc = rc;
    }
    gateway_ask_free(ask);
    if (facts == NULL)
        return;
    ask_on(facts);
    if (facts->in_flight_count == 0)
        facts->on_done(facts, facts->rc);
}

int facts_ask(struct facts *facts) {
    check(facts->count > 0);
    facts->items = ARENA_NEW_ARRAY(facts->arena, struct fact, facts->count);
    facts->are_asked = ARENA_NEW_ARRAY(facts->arena, bool, facts->count);
    facts->next = 0;
    facts->in_flight = NULL;
    facts->in_flight_count = 0;
    facts->rc = STATUS_OK;
    ask_on(facts);
    /* If only a later question was not taken, the answers of the earlier ones bring the news. */
    return facts->in_flight_count > 0 ? STATUS_OK : facts->rc;
}

void facts_cancel(struct facts *facts) {
    while (facts->in_flight != NULL)
        ask_unlink(facts->in_flight);
}

/* ---- answering ---- */

static int user_read(const struct apply_context *context, const struct id_hash *user, struct fact *fact) {
    struct user_store store;
    struct user_row row;
    int rc = user_store_open(&store, context->transaction, context->arena, context->master, user);
    if (rc == STATUS_OK)
        rc = user_row_get(&store, &row);
    if (rc == STATUS_OK)
        *fact = (struct fact){.is_there = true, .valid_from_s = row.valid_from_s};
    return rc == STATUS_STORE_MISSING ? STATUS_OK : rc;
}

static int thread_read(const struct apply_context *context, const struct id_hash *thread, struct fact *fact) {
    struct thread_store store;
    struct thread_properties properties;
    struct thread_counters counters;
    int rc = thread_store_open(&store, context->transaction, context->arena, context->master, thread);
    if (rc == STATUS_OK)
        rc = thread_properties_get(&store, &properties);
    if (rc == STATUS_OK)
        rc = thread_counters_get(&store, &counters);
    if (rc == STATUS_OK)
        *fact = (struct fact){.is_there = true, .topic = properties.topic, .last_message_ms = counters.last_message_ms};
    return rc == STATUS_THREAD_NOT_FOUND || rc == STATUS_STORE_MISSING ? STATUS_OK : rc;
}

static int view_read(const struct apply_context *context, const struct id_hash *thread, struct bytes user_id,
                     struct fact *fact) {
    struct thread_view view;
    int rc = thread_view_open(&view, context, thread, user_id);
    if (rc == STATUS_OK)
        *fact = (struct fact){.is_there = view.is_active, .offset = view.counters.offset};
    return rc == STATUS_THREAD_NOT_FOUND || rc == STATUS_FORBIDDEN ? STATUS_OK : rc;
}

static int fact_read(const struct apply_context *context, const struct question *question,
                     const struct id_hash *subject, struct fact *fact) {
    if (question->kind == QUESTION_USERS)
        return user_read(context, subject, fact);
    if (question->kind == QUESTION_VIEWS)
        return view_read(context, subject, question->user_id, fact);
    return thread_read(context, subject, fact);
}

int facts_read(struct gateway_worker *worker, struct arena *arena, const struct question *question,
               struct fact *items) {
    struct gateway_read read;
    int rc = gateway_read_begin(worker, arena, &read);
    if (rc != STATUS_OK)
        return rc;
    for (size_t i = 0; rc == STATUS_OK && i < question->subjects_count; i++) {
        const struct id_hash *subject = &question->subjects[i].hash;
        items[i] = (struct fact){0};
        rc = gateway_is_here(worker->gateway, subject) ? fact_read(&read.context, question, subject, &items[i])
                                                       : STATUS_NOT_PRIMARY;
    }
    gateway_read_end(&read);
    return rc;
}

int membership_fact_read(struct gateway_worker *worker, struct arena *arena, const struct question *question,
                         struct fact *fact) {
    struct gateway_read read;
    struct user_store store;
    struct membership_row row;
    *fact = (struct fact){.is_there = false};
    int rc = gateway_read_begin_of(worker, arena, &question->subjects[0].hash, &read);
    if (rc != STATUS_OK)
        return rc;
    rc = user_store_open(&store, read.context.transaction, arena, read.context.master, &question->subjects[0].hash);
    if (rc == STATUS_OK)
        rc = user_membership_get(&store, &question->subjects[1].hash, &row);
    if (rc == STATUS_OK)
        fact->is_there = row.membership != MEMBERSHIP_LEFT;
    gateway_read_end(&read);
    return rc == STATUS_STORE_MISSING ? STATUS_OK : rc;
}
