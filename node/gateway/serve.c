#include "node/gateway/serve.h"

#include <stdlib.h>

#include "node/gateway/authentication.h"
#include "node/gateway/endpoint_claim.h"
#include "node/gateway/handover.h"
#include "node/gateway/looking.h"
#include "node/gateway/missed.h"
#include "node/gateway/trace_reading.h"
#include "proto/check.h"
#include "proto/forwarded_call.h"
#include "proto/question.h"

/* A question on its way to the worker, and until its answer. */
struct serving {
    struct parcel parcel;
    struct buffer body;
    void *context;
    gateway_served on_done;
};

static void serving_end(struct serving *self, int rc, struct bytes reply) {
    self->on_done(self->context, rc, reply);
    buffer_close(&self->body);
    free(self);
}

/* ---- calls ---- */

/* The call and its handler live on, but answer nobody. */
static void call_let_go(struct http_call *call, int rc, struct bytes reply) {
    struct serving *self = call->hooks_context;
    call->hooks = NULL;
    serving_end(self, rc, reply);
}

/* Another node can still do what this one cannot do any more. */
static bool on_refusal(struct http_call *call, int rc) {
    if (rc == STATUS_NOT_PRIMARY || rc == STATUS_SHUTTING_DOWN)
        call_let_go(call, STATUS_NOT_PRIMARY, BYTES_ABSENT);
    return false;
}

static void on_answer(struct http_call *call, const struct http_answer *answer) {
    struct forwarded_header headers[HTTP_HEADERS_MAX];
    struct buffer encoded;
    for (size_t i = 0; i < answer->headers_count; i++)
        headers[i] = (struct forwarded_header){answer->headers[i].name, answer->headers[i].value};
    struct forwarded_reply reply = {.status = (uint32_t)answer->status,
                                    .headers = headers,
                                    .headers_count = answer->headers_count,
                                    .body = answer->body};
    buffer_init(&encoded);
    forwarded_reply_encode(&reply, &encoded);
    call_let_go(call, STATUS_OK, buffer_bytes(&encoded));
    buffer_close(&encoded);
}

static void on_stop(struct http_call *call) {
    call_let_go(call, STATUS_NOT_PRIMARY, BYTES_ABSENT);
}

static const struct http_call_hooks serving_hooks = {
    .on_refusal = on_refusal, .on_answer = on_answer, .on_stop = on_stop};

static struct caller *caller_of(struct gateway_worker *worker, struct arena *arena,
                                const struct forwarded_call *forwarded) {
    if (!bytes_is_present(forwarded->user_id))
        return NULL;
    struct caller *caller = ARENA_NEW(arena, struct caller);
    *caller = (struct caller){.user_id = forwarded->user_id,
                              .hash = gateway_hash(worker->gateway, forwarded->user_id),
                              .scopes = forwarded->scopes,
                              .token_issued_s = forwarded->token_issued_s,
                              .token_expires_s = forwarded->token_expires_s};
    return caller;
}

static void headers_fill(struct http_call *call, const struct forwarded_call *forwarded) {
    struct http_header *headers = ARENA_NEW_ARRAY(&call->arena, struct http_header, forwarded->headers_count);
    for (size_t i = 0; i < forwarded->headers_count; i++)
        headers[i] = (struct http_header){forwarded->headers[i].name, forwarded->headers[i].value};
    call->headers = headers;
    call->headers_count = forwarded->headers_count;
}

static struct bytes present(struct bytes value) {
    return bytes_is_present(value) ? value : BYTES_LITERAL("");
}

static int call_fill(struct gateway_worker *worker, struct http_call *call, const struct question *question) {
    struct forwarded_call forwarded;
    int rc = forwarded_call_decode(arena_copy(&call->arena, question->call), &call->arena, &forwarded);
    if (rc != STATUS_OK)
        return rc;
    call->is_forwarded = true;
    call->method = forwarded.method;
    call->raw_target = forwarded.target;
    call->body = present(forwarded.body);
    call->client_address = present(forwarded.client_address);
    call->public_origin = forwarded.origin;
    call->caller = caller_of(worker, &call->arena, &forwarded);
    call->operation_id = forwarded.operation_id;
    call->deadline_ms = worker_now_ms(worker->worker) + question->left_ms;
    headers_fill(call, &forwarded);
    return target_parse(&call->arena, call->raw_target, &call->target);
}

static void call_serve(struct gateway_worker *worker, struct serving *self, const struct question *question) {
    struct http_call *call = worker_call_new(worker->worker);
    if (call == NULL) {
        serving_end(self, STATUS_NOT_PRIMARY, BYTES_ABSENT);
        return;
    }
    call->hooks = &serving_hooks;
    call->hooks_context = self;
    if (call_fill(worker, call, question) == STATUS_OK)
        worker_call_run(worker->worker, call);
    else
        http_call_refuse_status(call, STATUS_MALFORMED);
}

/* ---- facts ---- */

static void facts_serve(struct gateway_worker *worker, struct serving *self, struct arena *arena,
                        const struct question *question) {
    struct fact_list facts = {ARENA_NEW_ARRAY(arena, struct fact, question->subjects_count), question->subjects_count};
    struct buffer encoded;
    buffer_init(&encoded);
    int rc = facts_read(worker, arena, question, facts.items);
    if (rc == STATUS_OK)
        facts_encode(&facts, &encoded);
    serving_end(self, rc, buffer_bytes(&encoded));
    buffer_close(&encoded);
}

/* ---- a user's threads ---- */

static void memberships_serve(struct gateway_worker *worker, struct serving *self, struct arena *arena,
                              const struct question *question) {
    struct joined_threads joined = {.is_there = false};
    struct buffer items, encoded;
    buffer_init(&items);
    buffer_init(&encoded);
    int rc = joined_threads_read(worker, arena, &question->subjects[0].hash, &items, &joined);
    if (rc == STATUS_OK)
        joined_threads_encode(&joined, &encoded);
    serving_end(self, rc, buffer_bytes(&encoded));
    buffer_close(&items);
    buffer_close(&encoded);
}

static void membership_serve(struct gateway_worker *worker, struct serving *self, struct arena *arena,
                             const struct question *question) {
    struct fact fact;
    struct fact_list facts = {&fact, 1};
    struct buffer encoded;
    buffer_init(&encoded);
    int rc = membership_fact_read(worker, arena, question, &fact);
    if (rc == STATUS_OK)
        facts_encode(&facts, &encoded);
    serving_end(self, rc, buffer_bytes(&encoded));
    buffer_close(&encoded);
}

static void missed_serve(struct gateway_worker *worker, struct serving *self, struct arena *arena,
                         const struct question *question) {
    struct missed missed;
    struct buffer encoded;
    buffer_init(&encoded);
    int rc = missed_read(worker, arena, question, &missed);
    if (rc == STATUS_OK)
        missed_encode(&missed, &encoded);
    serving_end(self, rc, buffer_bytes(&encoded));
    buffer_close(&encoded);
}

/* ---- the way of a change ---- */

static void trace_subject_serve(struct gateway_worker *worker, struct serving *self, struct arena *arena,
                                const struct question *question) {
    struct trace_subject subject;
    struct buffer encoded;
    buffer_init(&encoded);
    int rc = trace_subject_read(worker, arena, question, &subject);
    if (rc == STATUS_OK)
        trace_subject_encode(&subject, &encoded);
    serving_end(self, rc, buffer_bytes(&encoded));
    buffer_close(&encoded);
}

static void trace_memory_serve(struct gateway_worker *worker, struct serving *self, struct arena *arena,
                               const struct question *question) {
    struct trace_memory memory;
    struct buffer encoded;
    buffer_init(&encoded);
    int rc = trace_memory_read(worker, arena, question, &memory);
    if (rc == STATUS_OK)
        trace_memory_encode(&memory, &encoded);
    serving_end(self, rc, buffer_bytes(&encoded));
    buffer_close(&encoded);
}

/* ---- endpoints of the official SDK ---- */

static void claim_serve(struct gateway_worker *worker, struct serving *self, const struct question *question) {
    struct buffer answer;
    buffer_init(&answer);
    int rc = endpoint_claim_serve(worker->gateway, question, &answer);
    serving_end(self, rc, buffer_bytes(&answer));
    buffer_close(&answer);
}

static void on_handover_given(void *asked_from, struct bytes encoded) {
    serving_end(asked_from, STATUS_OK, encoded);
}

static void take_over_serve(struct gateway_worker *worker, struct serving *self, const struct question *question) {
    int rc = handover_serve(worker->gateway, question, self, on_handover_given);
    if (rc != STATUS_OK)
        serving_end(self, rc, BYTES_ABSENT);
}

/* ---- devices ---- */

static void push_serve(struct gateway_worker *worker, struct serving *self, struct arena *arena,
                       const struct question *question) {
    const struct gateway *gateway = worker->gateway;
    int rc = gateway->push == NULL ? STATUS_NOT_IMPLEMENTED : gateway->push(worker, arena, question);
    serving_end(self, rc, BYTES_LITERAL(""));
}

/* ---- all of them ---- */

static void question_serve(struct gateway_worker *worker, struct serving *self, struct arena *arena,
                           const struct question *question) {
    switch (question->kind) {
    case QUESTION_CALL:
        call_serve(worker, self, question);
        break;
    case QUESTION_MEMBERSHIPS:
        memberships_serve(worker, self, arena, question);
        break;
    case QUESTION_MEMBERSHIP:
        membership_serve(worker, self, arena, question);
        break;
    case QUESTION_MISSED:
        missed_serve(worker, self, arena, question);
        break;
    case QUESTION_ENDPOINT:
        claim_serve(worker, self, question);
        break;
    case QUESTION_HANDOVER:
        take_over_serve(worker, self, question);
        break;
    case QUESTION_PUSHES:
        serving_end(self, handover_pushes_serve(worker->gateway, question), BYTES_ABSENT);
        break;
    case QUESTION_TRACE_SUBJECT:
        trace_subject_serve(worker, self, arena, question);
        break;
    case QUESTION_TRACE_MEMORY:
        trace_memory_serve(worker, self, arena, question);
        break;
    case QUESTION_PUSH:
        push_serve(worker, self, arena, question);
        break;
    case QUESTION_USERS:
    case QUESTION_THREADS:
    case QUESTION_VIEWS:
        facts_serve(worker, self, arena, question);
        break;
    }
}

static void on_question(void *receiver, struct parcel *parcel) {
    struct gateway_worker *worker = gateway_worker_of(receiver);
    struct serving *self = (struct serving *)parcel;
    struct question question;
    struct arena arena;
    arena_init(&arena);
    int rc = question_decode(buffer_bytes(&self->body), &arena, &question);
    if (rc != STATUS_OK)
        serving_end(self, rc, BYTES_ABSENT);
    else
        question_serve(worker, self, &arena, &question);
    arena_close(&arena);
}

int gateway_serve(struct gateway_worker *worker, struct buffer *body, void *context, gateway_served on_done) {
    struct serving *self = calloc(1, sizeof(*self));
    check(self != NULL);
    self->parcel.deliver = on_question;
    self->body = *body;
    self->context = context;
    self->on_done = on_done;
    int rc = worker_post(worker->worker, &self->parcel);
    if (rc == STATUS_OK)
        buffer_init(body);
    else
        free(self);
    return rc;
}
