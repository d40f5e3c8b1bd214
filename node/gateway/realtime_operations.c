#include "node/gateway/realtime_operations.h"

#include <stdlib.h>

#include "node/core/range.h"
#include "node/gateway/chat_calls.h"
#include "node/gateway/forward.h"
#include "proto/check.h"
#include "proto/limits.h"
#include "proto/operation.h"
#include "proto/question.h"

enum operation_state { OPERATION_HERE, OPERATION_ASKED, OPERATION_HELD };

/* Not answered yet; outlives its session, because the core knows it. One run of memory, so that whoever cannot deliver
 * the answer can free it. */
struct realtime_operation {
    union {
        struct reply reply;     /* HERE */
        struct gateway_ask ask; /* ASKED */
    };
    struct realtime_session *session; /* NULL: gone */
    struct realtime_operation *next;
    struct realtime_operation **link;
    struct id_hash thread; /* of typing: none, it waits for nobody */
    struct bytes id;       /* this and the following are in `text`; may be absent */
    struct bytes thread_id;
    struct bytes encoded; /* what it would take to another node; absent: everything is here */
    uint8_t state;        /* enum operation_state */
    bool is_typing;
    uint8_t text[];
};

static const struct gateway *gateway_of(const struct realtime_session *self) {
    return self->worker->gateway;
}

/* ---- answers ---- */

/* A request without id wants no acknowledgement, but hears of a refusal. */
static void result_tell(struct realtime_session *self, const struct realtime_operation *operation,
                        const struct operation_result *result) {
    struct problem problem = {.rc = result->result.rc, .message = result->message, .target = result->target};
    struct buffer frame;
    if (problem.rc != 0) {
        realtime_refuse(self, operation->id, operation->thread_id, &problem);
    } else if (bytes_is_present(operation->id) && !operation->is_typing) {
        buffer_init(&frame);
        realtime_ack_encode((enum realtime_format)self->format, operation->id, operation->thread_id, &result->result,
                            durability_name(result->copies), &frame);
        realtime_send_close(self, &frame);
    }
}

/* ---- the list of a session ---- */

static void operation_unlink(struct realtime_operation *self) {
    *self->link = self->next;
    if (self->next != NULL)
        self->next->link = self->link;
    self->session->operations_count--;
    self->session = NULL;
}

static void operation_link(struct realtime_operation *self, struct realtime_session *session) {
    self->session = session;
    self->next = session->operations;
    self->link = &session->operations;
    if (self->next != NULL)
        self->next->link = &self->next;
    session->operations = self;
    session->operations_count++;
}

void realtime_operations_forget(struct realtime_session *session) {
    while (session->operations != NULL) {
        struct realtime_operation *operation = session->operations;
        operation_unlink(operation);
        if (operation->state == OPERATION_HELD)
            free(operation);
    }
}

static struct bytes text_put(uint8_t **at, struct bytes value) {
    if (!bytes_is_present(value))
        return BYTES_ABSENT;
    struct bytes copy = bytes_of(*at, value.size);
    memcpy(*at, value.data, value.size);
    *at += value.size;
    return copy;
}

static struct realtime_operation *operation_new(struct realtime_session *session,
                                                const struct realtime_request *request) {
    struct buffer encoded;
    bool may_travel = gateway_of(session)->place != NULL;
    buffer_init(&encoded);
    if (may_travel)
        operation_encode(request, &encoded);
    struct realtime_operation *self =
        calloc(1, sizeof(*self) + request->id.size + request->thread_id.size + encoded.size + 1);
    check(self != NULL);
    uint8_t *at = self->text;
    self->id = text_put(&at, request->id);
    self->thread_id = text_put(&at, request->thread_id);
    self->encoded = text_put(&at, may_travel ? buffer_bytes(&encoded) : BYTES_ABSENT);
    self->is_typing = request->type == REALTIME_TYPING;
    if (may_travel && !self->is_typing)
        self->thread = gateway_hash(gateway_of(session), request->thread_id);
    buffer_close(&encoded);
    operation_link(self, session);
    return self;
}

static struct realtime_operation *earlier_find(const struct realtime_operation *self) {
    struct realtime_operation *earlier = self->is_typing ? NULL : self->next;
    while (earlier != NULL && (earlier->is_typing || !id_hash_equal(&earlier->thread, &self->thread)))
        earlier = earlier->next;
    return earlier;
}

static struct realtime_operation *oldest_find(const struct realtime_session *session, const struct id_hash *thread) {
    struct realtime_operation *oldest = NULL;
    for (struct realtime_operation *each = session->operations; each != NULL; each = each->next)
        if (!each->is_typing && id_hash_equal(&each->thread, thread))
            oldest = each;
    return oldest;
}

/* ---- doing ---- */

static void operation_start(struct realtime_operation *self, struct arena *arena,
                            const struct realtime_request *request);
static void operation_ask(struct realtime_operation *self);

static void operation_end(struct realtime_operation *self, const struct operation_result *result) {
    struct realtime_session *session = self->session;
    operation_unlink(self);
    result_tell(session, self, result);
    free(self);
}

/* An operation of the thread was answered: those that were held back behind it go on. */
static void held_go_on(struct realtime_session *session, const struct id_hash *thread) {
    struct realtime_operation *held = gateway_of(session)->place == NULL ? NULL : oldest_find(session, thread);
    while (held != NULL && held->state == OPERATION_HELD) {
        struct realtime_request request;
        struct arena arena;
        arena_init(&arena);
        check(operation_decode(held->encoded, &arena, &request) == STATUS_OK);
        operation_start(held, &arena, &request);
        arena_close(&arena);
        held = oldest_find(session, thread);
    }
}

static bool may_go_elsewhere(const struct realtime_operation *self, int rc) {
    return rc == STATUS_NOT_PRIMARY && bytes_is_present(self->encoded);
}

static void operation_hold_or_ask(struct realtime_operation *self) {
    if (earlier_find(self) == NULL)
        operation_ask(self);
    else
        self->state = OPERATION_HELD;
}

static void on_answer(struct gateway_worker *worker, struct reply *reply) {
    struct realtime_operation *self = (struct realtime_operation *)reply;
    struct realtime_session *session = self->session;
    struct operation_result result = {.result = reply->result, .copies = reply->copies};
    struct id_hash thread = self->thread;
    (void)worker;
    if (session == NULL) {
        free(self);
        return;
    }
    if (may_go_elsewhere(self, result.result.rc))
        operation_hold_or_ask(self);
    else
        operation_end(self, &result);
    held_go_on(session, &thread);
}

static int chat_operation_call(const struct chat_call *call, const struct realtime_request *request) {
    struct send_message_request message = {.content = request->content,
                                           .display_name = request->display_name,
                                           .type = request->message_type,
                                           .metadata = request->metadata};
    struct send_identity identity = {.kind = IDEMPOTENCY_CLIENT_MESSAGE_ID, .id = request->id};
    if (request->type == REALTIME_SEND)
        return chat_message_send(call, request->thread_id, &message, &identity);
    if (request->type == REALTIME_TYPING)
        return chat_typing_send(call, request->thread_id, request->display_name);
    return chat_receipt_send(call, request->thread_id, request->message_id);
}

static void operation_do(struct realtime_operation *self, struct arena *arena, const struct realtime_request *request) {
    struct caller caller;
    struct problem problem;
    session_caller(&self->session->session, &caller);
    self->state = OPERATION_HERE;
    self->reply = (struct reply){.on_answer = on_answer};
    struct chat_call call = {
        .worker = self->session->worker, .arena = arena, .caller = &caller, .reply = &self->reply, .problem = &problem};
    int rc = chat_operation_call(&call, request);
    if (rc == 0)
        return;
    if (may_go_elsewhere(self, rc)) {
        operation_hold_or_ask(self);
        return;
    }
    struct operation_result result = {.result = {.rc = rc}};
    if (rc == CHAT_CALL_SETTLED) {
        result = (struct operation_result){.result = self->reply.result, .copies = self->reply.copies};
    } else {
        result.message = problem.message;
        result.target = problem.target;
    }
    operation_end(self, &result);
}

/* ---- by another node ---- */

static void asked_result_read(const struct gateway_ask *ask, struct arena *arena, struct operation_result *result) {
    struct forwarded_reply reply;
    int rc = ask->rc == STATUS_OK ? forwarded_reply_decode(buffer_bytes(&ask->reply), arena, &reply)
                                  : STATUS_SERVICE_UNAVAILABLE;
    if (rc == STATUS_OK)
        rc = reply.status == 200 ? operation_result_decode(reply.body, arena, result) : STATUS_INTERNAL_ERROR;
    if (rc != STATUS_OK)
        *result = (struct operation_result){.result = {.rc = rc}};
}

static void on_asked(struct gateway_worker *worker, struct gateway_ask *ask) {
    struct realtime_operation *self = (struct realtime_operation *)ask;
    struct realtime_session *session = self->session;
    struct id_hash thread = self->thread;
    struct operation_result result;
    struct arena arena;
    (void)worker;
    if (session != NULL) {
        arena_init(&arena);
        asked_result_read(ask, &arena, &result);
        operation_unlink(self);
        result_tell(session, self, &result);
        arena_close(&arena);
    }
    gateway_ask_free(ask);
    if (session != NULL)
        held_go_on(session, &thread);
}

static void question_write(struct realtime_operation *self) {
    struct realtime_session *session = self->session;
    struct caller caller;
    struct buffer target;
    session_caller(&session->session, &caller);
    buffer_init(&target);
    buffer_append_text(&target, REALTIME_OPERATION_PATH);
    buffer_append_bytes(&target, self->thread_id);
    struct forwarded_call call = {.method = BYTES_LITERAL("POST"),
                                  .target = buffer_bytes(&target),
                                  .body = self->encoded,
                                  .user_id = caller.user_id,
                                  .scopes = caller.scopes,
                                  .token_issued_s = caller.token_issued_s,
                                  .token_expires_s = caller.token_expires_s};
    question_of_call_encode(&call, self->ask.deadline_ms, &self->ask.body);
    buffer_close(&target);
}

static void operation_ask(struct realtime_operation *self) {
    const struct gateway *gateway = gateway_of(self->session);
    self->state = OPERATION_ASKED;
    self->ask = (struct gateway_ask){.subject = gateway_hash(gateway, self->thread_id),
                                     .deadline_ms = FORWARD_DEADLINE_MS,
                                     .worker = self->session->worker->worker->index,
                                     .on_answer = on_asked};
    buffer_init(&self->ask.body);
    buffer_init(&self->ask.reply);
    question_write(self);
    int rc = gateway->ask(gateway->core, &self->ask);
    if (rc == STATUS_OK)
        return;
    struct operation_result result = {.result = {.rc = rc}};
    buffer_close(&self->ask.body);
    operation_end(self, &result);
}

/* What has no proper thread id goes nowhere: it is refused here. */
static bool is_done_here(const struct realtime_operation *self) {
    const struct gateway *gateway = gateway_of(self->session);
    if (gateway->place == NULL || self->thread_id.size > LIMIT_RAW_ID_BYTES_MAX || !thread_id_is_valid(self->thread_id))
        return true;
    struct id_hash thread = gateway_hash(gateway, self->thread_id);
    return gateway_is_here(gateway, &thread);
}

static bool are_earlier_here(const struct realtime_operation *self) {
    for (const struct realtime_operation *each = earlier_find(self); each != NULL; each = earlier_find(each))
        if (each->state != OPERATION_HERE)
            return false;
    return true;
}

static void operation_start(struct realtime_operation *self, struct arena *arena,
                            const struct realtime_request *request) {
    if (!is_done_here(self))
        operation_hold_or_ask(self);
    else if (!bytes_is_present(self->encoded) || are_earlier_here(self))
        operation_do(self, arena, request);
    else
        self->state = OPERATION_HELD;
}

static int room_check(const struct realtime_session *self, struct arena *arena, struct problem *problem) {
    if (self->operations_count < LIMIT_SESSION_REQUESTS_MAX)
        return 0;
    return problem_set(problem, arena, STATUS_OVERLOADED, NULL,
                       "%d requests of this connection wait for their answer; no more are taken.",
                       LIMIT_SESSION_REQUESTS_MAX);
}

void realtime_operation_perform(struct realtime_session *self, struct arena *arena,
                                const struct realtime_request *request) {
    struct problem problem;
    if (room_check(self, arena, &problem) != 0)
        realtime_refuse(self, request->id, request->thread_id, &problem);
    else
        operation_start(operation_new(self, request), arena, request);
}

/* ---- for another node ---- */

struct served_operation {
    struct reply reply;
    struct http_call *call;
};

static void result_answer(struct http_call *call, const struct operation_result *result) {
    int rc = result->result.rc;
    struct buffer encoded;
    if (rc == STATUS_NOT_PRIMARY || rc == STATUS_SHUTTING_DOWN) {
        http_call_refuse_status(call, rc);
        return;
    }
    buffer_init(&encoded);
    operation_result_encode(result, &encoded);
    http_call_reply(call, 200, buffer_bytes(&encoded));
    buffer_close(&encoded);
}

static void on_served(struct gateway_worker *worker, struct reply *reply) {
    struct operation_result result = {.result = reply->result, .copies = reply->copies};
    (void)worker;
    result_answer(((struct served_operation *)reply)->call, &result);
    free(reply);
}

static void served_operation_do(struct gateway_worker *worker, struct http_call *call,
                                const struct realtime_request *request) {
    struct problem problem = {0};
    struct served_operation *served = calloc(1, sizeof(*served));
    check(served != NULL);
    served->call = call;
    served->reply.on_answer = on_served;
    struct chat_call chat = {
        .worker = worker, .arena = &call->arena, .caller = call->caller, .reply = &served->reply, .problem = &problem};
    int rc = chat_operation_call(&chat, request);
    if (rc == 0)
        return;
    struct operation_result result = {.result = {.rc = rc}, .message = problem.message, .target = problem.target};
    if (rc == CHAT_CALL_SETTLED)
        result = (struct operation_result){.result = served->reply.result, .copies = served->reply.copies};
    free(served);
    result_answer(call, &result);
}

void realtime_operation_serve(struct worker *worker, struct http_call *call) {
    struct realtime_request request;
    int rc = operation_decode(call->body, &call->arena, &request);
    if (rc == STATUS_OK && !bytes_equal(request.thread_id, call->captures[0]))
        rc = STATUS_MALFORMED;
    if (rc == STATUS_OK)
        served_operation_do(gateway_worker_of(worker), call, &request);
    else
        http_call_refuse_status(call, rc);
}
