#include "node/gateway/realtime_requests.h"

#include <stdlib.h>

#include "node/core/range.h"
#include "node/gateway/chat_calls.h"
#include "node/gateway/realtime_login.h"
#include "proto/check.h"
#include "proto/limits.h"

/* Who waits for an answer of the core; outlives its session, because the core knows it. */
struct realtime_reply {
    struct reply reply;
    struct realtime_session *session; /* NULL: gone */
    struct realtime_reply *next;
    struct realtime_reply **link;
    struct bytes id; /* both in `text`; the id may be absent */
    struct bytes thread_id;
    uint8_t text[];
};

static enum realtime_format format_of(const struct realtime_session *self) {
    return (enum realtime_format)self->format;
}

/* ---- answers ---- */

static void reply_unlink(struct realtime_reply *reply) {
    *reply->link = reply->next;
    if (reply->next != NULL)
        reply->next->link = reply->link;
    reply->session->replies_count--;
    reply->session = NULL;
}

/* A request without id wants no acknowledgement, but hears of a refusal. */
static void result_tell(struct realtime_session *self, struct bytes id, struct bytes thread_id,
                        const struct reply *reply) {
    struct problem problem = {.rc = reply->result.rc};
    struct buffer frame;
    if (reply->result.rc != 0) {
        realtime_refuse(self, id, thread_id, &problem);
    } else if (bytes_is_present(id)) {
        buffer_init(&frame);
        realtime_ack_encode(format_of(self), id, thread_id, &reply->result, durability_name(reply->copies), &frame);
        realtime_send_close(self, &frame);
    }
}

static void on_answer(struct gateway_worker *worker, struct reply *answered) {
    struct realtime_reply *reply = (struct realtime_reply *)answered;
    struct realtime_session *self = reply->session;
    (void)worker;
    if (self != NULL) {
        reply_unlink(reply);
        result_tell(self, reply->id, reply->thread_id, answered);
    }
    free(reply);
}

static struct bytes text_put(uint8_t *at, struct bytes value) {
    if (!bytes_is_present(value))
        return BYTES_ABSENT;
    memcpy(at, value.data, value.size);
    return bytes_of(at, value.size);
}

static struct realtime_reply *reply_new(struct realtime_session *self, const struct realtime_request *request) {
    struct realtime_reply *reply = calloc(1, sizeof(*reply) + request->id.size + request->thread_id.size + 1);
    check(reply != NULL);
    reply->reply.on_answer = on_answer;
    reply->id = text_put(reply->text, request->id);
    reply->thread_id = text_put(reply->text + request->id.size, request->thread_id);
    reply->session = self;
    reply->next = self->replies;
    reply->link = &self->replies;
    if (reply->next != NULL)
        reply->next->link = &reply->next;
    self->replies = reply;
    self->replies_count++;
    return reply;
}

void realtime_replies_forget(struct realtime_session *self) {
    while (self->replies != NULL)
        reply_unlink(self->replies);
}

/* ---- operations on threads ---- */

static int operation_call(const struct chat_call *call, const struct realtime_request *request) {
    struct send_message_request message = {.content = request->content,
                                           .display_name = request->display_name,
                                           .type = request->message_type,
                                           .metadata = request->metadata};
    struct send_identity identity = {.kind = IDEMPOTENCY_CLIENT_MESSAGE_ID, .id = request->id};
    if (request->type == REALTIME_SEND)
        return chat_message_send(call, request->thread_id, &message, &identity);
    return chat_receipt_send(call, request->thread_id, request->message_id);
}

static int room_check(const struct realtime_session *self, struct arena *arena, struct problem *problem) {
    if (self->replies_count < LIMIT_SESSION_REQUESTS_MAX)
        return 0;
    return problem_set(problem, arena, STATUS_OVERLOADED, NULL,
                       "%d requests of this connection wait for their answer; no more are taken.",
                       LIMIT_SESSION_REQUESTS_MAX);
}

static void operation_perform(struct realtime_session *self, struct arena *arena,
                              const struct realtime_request *request) {
    struct caller caller;
    struct problem problem;
    if (room_check(self, arena, &problem) != 0) {
        realtime_refuse(self, request->id, request->thread_id, &problem);
        return;
    }
    session_caller(&self->session, &caller);
    struct realtime_reply *reply = reply_new(self, request);
    struct chat_call call = {
        .worker = self->worker, .arena = arena, .caller = &caller, .reply = &reply->reply, .problem = &problem};
    int rc = operation_call(&call, request);
    if (rc == 0)
        return;
    reply_unlink(reply);
    if (rc == CHAT_CALL_SETTLED)
        result_tell(self, request->id, request->thread_id, &reply->reply);
    else
        realtime_refuse(self, request->id, request->thread_id, &problem);
    free(reply);
}

static void typing_perform(struct realtime_session *self, struct arena *arena, const struct realtime_request *request) {
    struct caller caller;
    struct problem problem;
    struct reply reply = {.copies = 0};
    session_caller(&self->session, &caller);
    struct chat_call call = {
        .worker = self->worker, .arena = arena, .caller = &caller, .reply = &reply, .problem = &problem};
    if (chat_typing_send(&call, request->thread_id, request->display_name) != CHAT_CALL_SETTLED)
        realtime_refuse(self, request->id, request->thread_id, &problem);
}

/* ---- the connection itself ---- */

static int token_check(struct realtime_session *self, struct arena *arena, const struct caller *caller,
                       struct problem *problem) {
    int rc = 0;
    if (!bytes_equal(caller->user_id, session_user_id(&self->session)))
        rc = problem_set(problem, arena, STATUS_UNAUTHORIZED, "token", "The token is another user's.");
    if (rc == 0 && (caller->scopes & TOKEN_SCOPE_ANY_CHAT) == 0)
        rc = problem_set(problem, arena, STATUS_FORBIDDEN, "token", "The access token has no chat scope.");
    return rc;
}

static void on_login(struct realtime_session *self, struct realtime_login *login, int rc) {
    const struct caller *caller = &login->authentication.caller;
    struct problem problem = login->authentication.problem;
    struct buffer frame;
    if (rc == 0)
        rc = token_check(self, &login->arena, caller, &problem);
    if (rc != 0) {
        realtime_refuse(self, login->request.id, BYTES_ABSENT, &problem);
        return;
    }
    session_token_set(&self->session, caller);
    buffer_init(&frame);
    realtime_token_accepted_encode(format_of(self), caller->token_expires_s * 1000, &frame);
    realtime_send_close(self, &frame);
    realtime_token_watch(self);
}

static void token_perform(struct realtime_session *self, struct arena *arena, const struct realtime_request *request) {
    struct problem problem;
    if (self->login == NULL) {
        realtime_login_begin(self, request, on_login);
        return;
    }
    problem_set(&problem, arena, STATUS_OVERLOADED, NULL, "Another token of this connection is being checked.");
    realtime_refuse(self, request->id, BYTES_ABSENT, &problem);
}

static void ping_perform(struct realtime_session *self, const struct realtime_request *request) {
    struct buffer frame;
    buffer_init(&frame);
    realtime_pong_encode(format_of(self), request->id, &frame);
    realtime_send_close(self, &frame);
}

void realtime_request_perform(struct realtime_session *self, struct arena *arena,
                              const struct realtime_request *request) {
    switch (request->type) {
    case REALTIME_SEND:
    case REALTIME_RECEIPT:
        operation_perform(self, arena, request);
        break;
    case REALTIME_TYPING:
        typing_perform(self, arena, request);
        break;
    case REALTIME_RESUME:
        resume_add(self, request->positions, request->positions_count);
        break;
    case REALTIME_TOKEN:
        token_perform(self, arena, request);
        break;
    case REALTIME_PING:
        ping_perform(self, request);
        break;
    case REALTIME_CONNECT:
        check(self->state == REALTIME_CONNECTING);
        break;
    }
}
