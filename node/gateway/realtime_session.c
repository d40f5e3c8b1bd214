#include "node/gateway/realtime_session.h"

#include <stdlib.h>

#include "node/gateway/listening.h"
#include "node/gateway/looking.h"
#include "node/gateway/realtime_login.h"
#include "node/gateway/realtime_operations.h"
#include "node/gateway/realtime_requests.h"
#include "node/log.h"
#include "proto/check.h"

#define CONNECT_MS 10000               /* how long a client may take to say who it is */
#define EXPIRY_TOLD_MS (5 * 60 * 1000) /* how long before its end a token's expiry is told */
#define RETRY_AFTER_MS 1000
#define PROTOCOL_JSON "weft.v1.json"
#define PROTOCOL_MSGPACK "weft.v1.msgpack"

static enum realtime_format format_of(const struct realtime_session *self) {
    return (enum realtime_format)self->format;
}

/* ---- writing ---- */

static void sent_or_drop(struct realtime_session *self, int rc) {
    if (rc == STATUS_OVERLOADED)
        websocket_drop(self->websocket, REALTIME_CLOSE_TOO_SLOW, "The reader is too slow; connect again and resume.");
}

void realtime_send(struct realtime_session *self, struct bytes payload) {
    enum websocket_opcode opcode = format_of(self) == REALTIME_JSON ? WEBSOCKET_TEXT : WEBSOCKET_BINARY;
    sent_or_drop(self, websocket_queue_copy(self->websocket, opcode, payload, WEBSOCKET_NEEDED));
}

void realtime_send_close(struct realtime_session *self, struct buffer *payload) {
    realtime_send(self, buffer_bytes(payload));
    buffer_close(payload);
}

void realtime_refuse(struct realtime_session *self, struct bytes id, struct bytes thread_id,
                     const struct problem *problem) {
    struct buffer frame;
    buffer_init(&frame);
    realtime_error_encode(format_of(self), id, thread_id, problem,
                          status_is_temporary(problem->rc) ? RETRY_AFTER_MS : 0, &frame);
    realtime_send_close(self, &frame);
}

static void told_note(const struct realtime_session *self, const struct broadcast *broadcast, int rc) {
    const struct id_hash *thread = broadcast_subject(broadcast);
    bool is_repeated = self->resume != NULL && resume_has(self->resume, thread);
    if (rc == STATUS_OK || rc == STATUS_OVERLOADED)
        session_note(&self->session,
                     rc != STATUS_OK ? TRACE_DROPPED
                     : is_repeated   ? TRACE_REPEATED
                                     : TRACE_TOLD,
                     thread, broadcast_offset(broadcast));
}

static void realtime_tell(struct session *session, struct broadcast *broadcast) {
    struct realtime_session *self = (struct realtime_session *)session;
    struct shared_bytes *frame = broadcast_realtime_frame(broadcast, format_of(self));
    if (frame == NULL)
        return;
    struct bytes view = shared_bytes_view(frame);
    struct websocket_segment segment = {frame, view.data, view.size};
    bool is_passing = broadcast_kind(broadcast) == CHANGE_TYPING;
    int rc = websocket_queue(self->websocket, &segment, 1, is_passing ? WEBSOCKET_DROPPABLE : WEBSOCKET_NEEDED);
    told_note(self, broadcast, rc);
    sent_or_drop(self, rc);
}

static void realtime_skip(struct session *session, struct broadcast *broadcast) {
    struct realtime_session *self = (struct realtime_session *)session;
    struct change change;
    struct arena arena;
    struct buffer frame;
    arena_init(&arena);
    broadcast_decode(broadcast, &arena, &change);
    buffer_init(&frame);
    realtime_complete_encode(format_of(self), change.thread_id, change.offset - 1, &frame);
    realtime_send_close(self, &frame);
    arena_close(&arena);
}

static void realtime_catch_up(struct session *session, const struct id_hash *thread, uint64_t offset) {
    resume_gap((struct realtime_session *)session, thread, offset);
}

static void realtime_on_drain(struct session *session, uint32_t after_ms) {
    struct realtime_session *self = (struct realtime_session *)session;
    struct buffer frame;
    buffer_init(&frame);
    realtime_goaway_encode(format_of(self), after_ms, "draining", &frame);
    realtime_send_close(self, &frame);
}

/* ---- time ---- */

static void on_timer(struct wheel_timer *timer, void *owner);

static void timer_start(struct realtime_session *self, uint64_t delay_ms) {
    struct worker *worker = self->worker->worker;
    wheel_timer_start(&worker->wheel, &self->timer, worker_now_ms(worker), delay_ms, on_timer);
}

static int64_t token_left_ms(const struct realtime_session *self) {
    return self->session.token_expires_s * 1000 - worker_wall_ms();
}

static void token_end(struct realtime_session *self) {
    websocket_close(self->websocket, REALTIME_CLOSE_UNAUTHORIZED,
                    self->session.is_revoked ? "The token was revoked." : "The token has expired.");
}

/* Nothing is told about a token that ends at once. */
static void token_look(struct realtime_session *self) {
    struct buffer frame;
    int64_t left_ms = token_left_ms(self);
    if (left_ms <= 0) {
        token_end(self);
        return;
    }
    if (left_ms <= EXPIRY_TOLD_MS && !self->is_expiry_told) {
        self->is_expiry_told = true;
        buffer_init(&frame);
        realtime_token_expiring_encode(format_of(self), self->session.token_expires_s * 1000, &frame);
        realtime_send_close(self, &frame);
    }
    timer_start(self, (uint64_t)(self->is_expiry_told ? left_ms : left_ms - EXPIRY_TOLD_MS));
}

static void on_timer(struct wheel_timer *timer, void *owner) {
    struct realtime_session *self =
        (struct realtime_session *)((char *)timer - offsetof(struct realtime_session, timer));
    (void)owner;
    if (self->state == REALTIME_CONNECTING)
        websocket_close(self->websocket, REALTIME_CLOSE_CONNECT_TIMEOUT, "There was no connect in time.");
    else
        token_look(self);
}

void realtime_token_watch(struct realtime_session *self) {
    self->is_expiry_told = false;
    token_look(self);
}

static void realtime_on_token_changed(struct session *session) {
    token_look((struct realtime_session *)session);
}

/* ---- beginning and end ---- */

static void realtime_session_free(struct realtime_session *self) {
    wheel_timer_stop(&self->worker->worker->wheel, &self->timer);
    realtime_operations_forget(self);
    realtime_login_free(self->login);
    resume_free(self->resume);
    if (self->state == REALTIME_OPEN)
        session_end(&self->session);
    free(self);
}

static void realtime_free(struct session *session) {
    realtime_session_free((struct realtime_session *)session);
}

static void welcome(struct realtime_session *self);

static void listening_failed(struct realtime_session *self, struct bytes id, int rc) {
    struct problem problem = {.rc = rc};
    realtime_refuse(self, id, BYTES_ABSENT, &problem);
}

static void realtime_on_listening(struct session *session, int rc) {
    struct realtime_session *self = (struct realtime_session *)session;
    if (websocket_is_closing(self->websocket))
        return;
    welcome(self);
    if (rc != STATUS_OK)
        listening_failed(self, BYTES_ABSENT, rc);
    resume_begin(self);
    looking_hear(session);
    resume_go_on(self);
}

static bool realtime_is_resuming(const struct session *session, const struct id_hash *thread) {
    return resume_has(((const struct realtime_session *)session)->resume, thread);
}

static const struct session_kind realtime_kind = {.protocol = TRACE_REALTIME,
                                                  .tell = realtime_tell,
                                                  .is_resuming = realtime_is_resuming,
                                                  .skip = realtime_skip,
                                                  .catch_up = realtime_catch_up,
                                                  .on_listening = realtime_on_listening,
                                                  .on_token_changed = realtime_on_token_changed,
                                                  .on_drain = realtime_on_drain,
                                                  .free = realtime_free};

static void welcome(struct realtime_session *self) {
    const struct config *config = self->worker->gateway->config;
    struct buffer frame;
    buffer_init(&frame);
    realtime_connected_encode(format_of(self), session_user_id(&self->session), self->session.token_expires_s * 1000,
                              (uint32_t)config->heartbeat_ms, bytes_of_text(config->node_name), &frame);
    realtime_send_close(self, &frame);
}

static void refuse_and_close(struct realtime_session *self, struct bytes id, const struct problem *problem) {
    realtime_refuse(self, id, BYTES_ABSENT, problem);
    websocket_close(self->websocket, REALTIME_CLOSE_UNAUTHORIZED, "The token is not valid for chat.");
}

/* Nobody knows now whether the token is valid, so the client may come again with it. */
static void refuse_for_now(struct realtime_session *self, struct bytes id, const struct problem *problem) {
    realtime_refuse(self, id, BYTES_ABSENT, problem);
    websocket_close(self->websocket, REALTIME_CLOSE_CONNECT_TIMEOUT, "The token could not be checked in time.");
}

/* Listening begins before anything else is told, so that nothing falls between. */
static void on_login(struct realtime_session *self, struct realtime_login *login, int rc) {
    const struct caller *caller = &login->authentication.caller;
    const struct realtime_request *request = &login->request;
    struct problem problem = login->authentication.problem;
    if (rc == 0 && (caller->scopes & TOKEN_SCOPE_ANY_CHAT) == 0)
        rc = problem_set(&problem, &login->arena, STATUS_FORBIDDEN, NULL, "The access token has no chat scope.");
    if (rc != 0 && status_is_temporary(rc)) {
        refuse_for_now(self, request->id, &problem);
        return;
    }
    if (rc != 0) {
        refuse_and_close(self, request->id, &problem);
        return;
    }
    if (session_table_is_full_for(self->worker->sessions, &caller->hash)) {
        problem = (struct problem){.rc = STATUS_TOO_MANY_REQUESTS};
        realtime_refuse(self, request->id, BYTES_ABSENT, &problem);
        websocket_close(self->websocket, REALTIME_CLOSE_TOO_MANY, "This user has too many connections.");
        return;
    }
    session_begin(&self->session, &realtime_kind, self->worker, caller);
    self->state = REALTIME_OPEN;
    self->session.is_quiet = self->worker->gateway->listen != NULL;
    if (!self->session.is_quiet)
        welcome(self);
    rc = listening_start(&self->session);
    if (rc != 0) {
        log_error("a session cannot listen to all of its threads: %s", status_sentence(rc));
        listening_failed(self, request->id, rc);
    }
    realtime_token_watch(self);
    resume_add(self, request->positions, request->positions_count);
}

/* ---- reading ---- */

static void request_take(struct realtime_session *self, struct arena *arena, const struct realtime_request *request) {
    struct problem problem;
    bool is_connect = request->type == REALTIME_CONNECT;
    if (self->state == REALTIME_OPEN && !is_connect) {
        realtime_request_perform(self, arena, request);
    } else if (self->state == REALTIME_CONNECTING && is_connect) {
        realtime_login_begin(self, request, on_login);
    } else if (is_connect) {
        problem_set(&problem, arena, STATUS_BAD_REQUEST, "type", "This socket is connected already.");
        realtime_refuse(self, request->id, BYTES_ABSENT, &problem);
    } else {
        problem_set(&problem, arena, STATUS_UNAUTHORIZED, "type", "The first frame must be connect, with a token.");
        refuse_and_close(self, request->id, &problem);
    }
}

static void frame_take(struct realtime_session *self, struct arena *arena, struct bytes message) {
    struct realtime_request request;
    struct problem problem;
    size_t bytes_max = (size_t)self->worker->gateway->config->message_bytes_max;
    int rc = realtime_request_parse(arena, format_of(self), message, bytes_max, &request, &problem);
    if (rc == 0) {
        request_take(self, arena, &request);
    } else if (rc == STATUS_MALFORMED) {
        websocket_close(self->websocket, REALTIME_CLOSE_MALFORMED, arena_text(arena, problem.message));
    } else if (self->state == REALTIME_CONNECTING) {
        refuse_and_close(self, request.id, &problem);
    } else {
        realtime_refuse(self, request.id, request.thread_id, &problem);
    }
}

void realtime_frame_take(struct realtime_session *self, struct bytes message) {
    struct arena arena;
    arena_init(&arena);
    frame_take(self, &arena, message);
    arena_close(&arena);
}

static void frame_hold(struct realtime_session *self, struct bytes message) {
    struct problem problem = {.rc = realtime_login_hold(self->login, message)};
    if (problem.rc != 0)
        realtime_refuse(self, BYTES_ABSENT, BYTES_ABSENT, &problem);
}

static void on_message(struct websocket *websocket, bool is_text, struct bytes message) {
    struct realtime_session *self = websocket_user(websocket);
    if (is_text != (format_of(self) == REALTIME_JSON)) {
        websocket_close(websocket, REALTIME_CLOSE_UNSUPPORTED, "This subprotocol has the other kind of frame.");
        return;
    }
    if (self->state == REALTIME_CONNECTING && self->login != NULL)
        frame_hold(self, message);
    else
        realtime_frame_take(self, message);
}

static void on_closed(struct websocket *websocket, uint16_t code) {
    (void)code;
    realtime_session_free(websocket_user(websocket));
}

static void on_room(struct websocket *websocket) {
    resume_go_on(websocket_user(websocket));
}

static const struct websocket_callbacks realtime_callbacks = {
    .on_message = on_message, .on_closed = on_closed, .on_room = on_room};

/* ---- upgrade ---- */

static int upgrade_check(struct gateway_worker *worker, struct http_call *call, const char **subprotocol,
                         struct problem *problem) {
    struct bytes offered = websocket_offered_subprotocols(call);
    *subprotocol = NULL;
    if (atomic_load(&worker->gateway->is_draining)) {
        *problem = (struct problem){.rc = STATUS_SHUTTING_DOWN};
        return STATUS_SHUTTING_DOWN;
    }
    if (!bytes_is_present(offered))
        return 0;
    if (websocket_list_has(offered, BYTES_LITERAL(PROTOCOL_JSON)))
        *subprotocol = PROTOCOL_JSON;
    else if (websocket_list_has(offered, BYTES_LITERAL(PROTOCOL_MSGPACK)))
        *subprotocol = PROTOCOL_MSGPACK;
    else
        return problem_set(problem, &call->arena, STATUS_BAD_REQUEST, "Sec-WebSocket-Protocol",
                           "The subprotocols offered here are " PROTOCOL_JSON " and " PROTOCOL_MSGPACK ".");
    return 0;
}

static void session_open(struct gateway_worker *worker, struct http_call *call, const char *subprotocol) {
    const struct config *config = worker->gateway->config;
    struct realtime_session *self = calloc(1, sizeof(*self));
    check(self != NULL);
    self->worker = worker;
    self->format = subprotocol != NULL && strcmp(subprotocol, PROTOCOL_MSGPACK) == 0 ? REALTIME_MSGPACK : REALTIME_JSON;
    struct websocket_options options = {.callbacks = &realtime_callbacks,
                                        .user = self,
                                        .subprotocol = subprotocol,
                                        .queue_bytes_max = (size_t)config->session_queue_bytes_max,
                                        .ping_interval_ms = (uint32_t)config->heartbeat_ms};
    if (websocket_accept(call, &options, &self->websocket) != 0)
        free(self);
    else
        timer_start(self, CONNECT_MS);
}

static void realtime_get(struct worker *worker, struct http_call *call) {
    struct gateway_worker *self = gateway_worker_of(worker);
    struct problem problem;
    const char *subprotocol;
    if (upgrade_check(self, call, &subprotocol, &problem) == 0)
        session_open(self, call, subprotocol);
    else
        http_call_refuse(call, &problem);
}

static const struct http_route routes[] = {
    {"GET", "/realtime", realtime_get, HTTP_ACCESS_ANY, HTTP_SUBJECT_NONE},
    {"POST", REALTIME_OPERATION_PATH "{}", realtime_operation_serve, HTTP_ACCESS_NODE, HTTP_SUBJECT_THREAD},
};

const struct http_route_table realtime_routes = HTTP_ROUTE_TABLE(routes);
