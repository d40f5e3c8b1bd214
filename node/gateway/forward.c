#include "node/gateway/forward.h"

#include <sodium.h>
#include <stdlib.h>

#include "node/gateway/acting.h"
#include "node/gateway/chat_calls.h"
#include "proto/check.h"
#include "proto/identity_json.h"
#include "proto/limits.h"
#include "proto/question.h"

#define REQUEST_ID_HEADER "x-ms-client-request-id"

/* A call of a client on its way; in the call's arena. */
struct forwarding {
    struct gateway_worker *worker;
    struct http_call *call;
    const struct http_route *route;
    struct authentication authentication;
    struct id_hash subject;
};

/* A forwarded call that waits for its answer. */
struct forward_ask {
    struct gateway_ask ask;
    struct http_call *call;
};

/* ---- whom is it about? ---- */

static void subject_set(struct forwarding *self, struct bytes raw_id) {
    self->subject = gateway_hash(self->worker->gateway, raw_id);
}

/* A call that makes something chooses its id first, so that the same is made in every attempt. */
static void new_subject_choose(struct forwarding *self) {
    struct http_call *call = self->call;
    uint8_t entropy[USER_ID_ENTROPY_BYTES];
    if (bytes_is_present(call->operation_id)) {
        /* chosen where the call came in */
    } else if (self->route->subject == HTTP_SUBJECT_NEW_THREAD) {
        call->operation_id = chat_thread_id_choose(self->worker, &call->arena, call->caller,
                                                   http_call_find_header(call, "repeatability-request-id"));
    } else {
        randombytes_buf(entropy, sizeof(entropy));
        call->operation_id =
            user_id_make(&call->arena, bytes_of_text(self->worker->gateway->settings->resource_id), entropy);
    }
    subject_set(self, call->operation_id);
}

/* What the body names stands where a path would have it. */
static bool named_user_find(struct forwarding *self) {
    struct http_call *call = self->call;
    struct problem ignored = {0};
    struct bytes user_id = BYTES_ABSENT;
    if (named_user_read(&call->arena, call->body, &user_id, &ignored) != STATUS_OK)
        return false;
    call->captures_count = bytes_is_present(user_id) ? 1 : 0;
    call->captures[0] = user_id;
    if (bytes_is_present(user_id))
        subject_set(self, user_id);
    else
        new_subject_choose(self);
    return true;
}

/* False: nobody whom a node could lead; the handler refuses what is malformed. */
static bool subject_find(struct forwarding *self) {
    const struct http_call *call = self->call;
    switch (self->route->subject) {
    case HTTP_SUBJECT_NONE:
        return false;
    case HTTP_SUBJECT_CALLER:
        self->subject = call->caller->hash;
        return true;
    case HTTP_SUBJECT_USER:
    case HTTP_SUBJECT_THREAD:
        if (call->captures[0].size > LIMIT_RAW_ID_BYTES_MAX)
            return false;
        subject_set(self, call->captures[0]);
        return true;
    case HTTP_SUBJECT_NAMED_USER:
        return named_user_find(self);
    case HTTP_SUBJECT_NEW_USER:
    case HTTP_SUBJECT_NEW_THREAD:
        new_subject_choose(self);
        return true;
    }
    return false;
}

/* ---- to another node ---- */

static void question_write(struct forwarding *self, struct gateway_ask *ask) {
    struct http_call *call = self->call;
    const struct caller *caller = call->caller;
    struct forwarded_header header = {BYTES_LITERAL(REQUEST_ID_HEADER), http_call_find_header(call, REQUEST_ID_HEADER)};
    struct forwarded_call forwarded = {.method = call->method,
                                       .target = call->raw_target,
                                       .headers = &header,
                                       .headers_count = bytes_is_present(header.value) ? 1 : 0,
                                       .body = call->body,
                                       .origin = http_call_public_origin(call),
                                       .client_address = call->client_address,
                                       .operation_id = call->operation_id};
    if (caller != NULL) {
        forwarded.user_id = caller->user_id;
        forwarded.scopes = caller->scopes;
        forwarded.token_issued_s = caller->token_issued_s;
        forwarded.token_expires_s = caller->token_expires_s;
    }
    question_of_call_encode(&forwarded, ask->deadline_ms, &ask->body);
}

static void reply_pass_on(struct http_call *call, struct bytes encoded) {
    struct forwarded_reply reply;
    int rc = forwarded_reply_decode(encoded, &call->arena, &reply);
    if (rc != STATUS_OK || reply.headers_count > HTTP_HEADERS_MAX) {
        http_call_refuse_status(call, STATUS_INTERNAL_ERROR);
        return;
    }
    for (size_t i = 0; i < reply.headers_count; i++)
        http_call_set_header(call, arena_text(&call->arena, reply.headers[i].name), reply.headers[i].value);
    http_call_reply(call, (int)reply.status, reply.body);
}

static void on_answer(struct gateway_worker *worker, struct gateway_ask *ask) {
    struct http_call *call = ((struct forward_ask *)ask)->call;
    (void)worker;
    if (ask->rc == STATUS_OK)
        reply_pass_on(call, buffer_bytes(&ask->reply));
    else
        http_call_refuse_status(call, STATUS_SERVICE_UNAVAILABLE);
    gateway_ask_free(ask);
}

static uint32_t left_ms_of(const struct forwarding *self) {
    uint64_t now_ms = worker_now_ms(self->worker->worker);
    return self->call->deadline_ms > now_ms ? (uint32_t)(self->call->deadline_ms - now_ms) : 0;
}

static void ask_elsewhere(struct forwarding *self) {
    struct gateway *gateway = self->worker->gateway;
    struct forward_ask *waiting = calloc(1, sizeof(*waiting));
    check(waiting != NULL);
    waiting->call = self->call;
    waiting->ask.subject = self->subject;
    waiting->ask.deadline_ms = left_ms_of(self);
    waiting->ask.worker = self->worker->worker->index;
    waiting->ask.on_answer = on_answer;
    buffer_init(&waiting->ask.body);
    buffer_init(&waiting->ask.reply);
    question_write(self, &waiting->ask);
    self->call->hooks = NULL;
    int rc = gateway->ask(gateway->core, &waiting->ask);
    if (rc == STATUS_OK)
        return;
    http_call_refuse_status(self->call, rc);
    gateway_ask_free(&waiting->ask);
}

/* This node lost the range while the handler was at it. What it proposed may have been committed or not; the other node
 * recognises it by the operation's id. */
static bool on_refusal(struct http_call *call, int rc) {
    struct forwarding *self = call->hooks_context;
    if (rc != STATUS_NOT_PRIMARY || !http_call_is_awaited(call))
        return false;
    call->reply_headers_count = 0;
    ask_elsewhere(self);
    return true;
}

static const struct http_call_hooks client_hooks = {.on_refusal = on_refusal};

/* ---- here ---- */

static bool is_writing(const struct http_call *call) {
    return !bytes_equal_text(call->method, "GET") && !bytes_equal_text(call->method, "HEAD");
}

static void operation_name(struct forwarding *self) {
    struct http_call *call = self->call;
    uint8_t entropy[16];
    char name[37];
    if (!is_writing(call) || bytes_is_present(call->operation_id))
        return;
    randombytes_buf(entropy, sizeof(entropy));
    uuid_format(entropy, name);
    call->operation_id = arena_copy(&call->arena, bytes_of_text(name));
}

static void serve_or_forward(struct forwarding *self) {
    const struct gateway *gateway = self->worker->gateway;
    struct http_call *call = self->call;
    bool has_subject = subject_find(self);
    if (gateway->place != NULL && has_subject) {
        operation_name(self);
        if (!gateway_is_here(gateway, &self->subject)) {
            ask_elsewhere(self);
            return;
        }
        call->hooks = &client_hooks;
        call->hooks_context = self;
    }
    self->route->handle(self->worker->worker, call);
}

/* ---- who calls? ---- */

static void on_authenticated(struct authentication *authentication, int rc) {
    struct forwarding *self = authentication->context;
    self->call->caller = &authentication->caller;
    if (rc != STATUS_OK)
        http_call_refuse(self->call, &authentication->problem);
    else if (http_call_is_awaited(self->call))
        serve_or_forward(self);
    else
        /* A client that has gone meanwhile never learns whether its call was done, so it is not. */
        http_call_refuse_status(self->call, STATUS_REQUEST_TIMEOUT);
}

static int authenticate(struct forwarding *self) {
    struct authentication *authentication = &self->authentication;
    *authentication = (struct authentication){.worker = self->worker,
                                              .arena = &self->call->arena,
                                              .deadline_ms = self->call->deadline_ms,
                                              .context = self,
                                              .on_done = on_authenticated};
    switch (self->route->access) {
    case HTTP_ACCESS_ANY:
        return STATUS_OK;
    case HTTP_ACCESS_NODE:
        return problem_set(&authentication->problem, authentication->arena, STATUS_NOT_FOUND, NULL,
                           "There is no resource at this path.");
    case HTTP_ACCESS_ADMIN:
        return authenticate_admin(self->worker, self->call, &authentication->problem);
    case HTTP_ACCESS_KEY:
        return authenticate_access_key(self->worker, self->call, &authentication->problem);
    case HTTP_ACCESS_TOKEN:
    case HTTP_ACCESS_SKYPETOKEN:
        break;
    }
    bool is_bearer = self->route->access == HTTP_ACCESS_TOKEN;
    int rc = is_bearer && acting_is_claimed(self->call)
                 ? acting_authenticate(self->worker, self->route, self->call, &authentication->caller,
                                       &authentication->problem)
                 : authenticate_call(authentication, self->call, is_bearer ? "authorization" : "x-skypetoken");
    if (rc == STATUS_OK)
        self->call->caller = &authentication->caller;
    return rc;
}

static void client_call_take(struct forwarding *self) {
    self->call->deadline_ms = worker_now_ms(self->worker->worker) + FORWARD_DEADLINE_MS;
    int rc = authenticate(self);
    if (rc == STATUS_OK)
        serve_or_forward(self);
    else if (rc != AUTHENTICATION_WAITS)
        http_call_refuse(self->call, &self->authentication.problem);
}

/* Only calls that the routes allow to wander may come from another node, with the caller that they need. */
static bool is_served_for_others(const struct forwarding *self) {
    const struct http_call *call = self->call;
    enum http_subject subject = self->route->subject;
    bool is_new = subject == HTTP_SUBJECT_NEW_USER || subject == HTTP_SUBJECT_NEW_THREAD;
    enum http_access access = self->route->access;
    bool needs_caller = access == HTTP_ACCESS_TOKEN || access == HTTP_ACCESS_SKYPETOKEN || access == HTTP_ACCESS_NODE;
    return subject != HTTP_SUBJECT_NONE && needs_caller == (call->caller != NULL) &&
           (!is_new || bytes_is_present(call->operation_id));
}

static void forwarded_call_take(struct forwarding *self) {
    if (!is_served_for_others(self))
        http_call_refuse_status(self->call, STATUS_MALFORMED);
    else if (subject_find(self) && !gateway_is_here(self->worker->gateway, &self->subject))
        http_call_refuse_status(self->call, STATUS_NOT_PRIMARY);
    else
        self->route->handle(self->worker->worker, self->call);
}

void forward_call(struct worker *worker, const struct http_route *route, struct http_call *call) {
    struct forwarding *self = ARENA_NEW(&call->arena, struct forwarding);
    self->worker = gateway_worker_of(worker);
    self->call = call;
    self->route = route;
    if (call->is_forwarded)
        forwarded_call_take(self);
    else
        client_call_take(self);
}
