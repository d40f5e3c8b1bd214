#include "node/gateway/trouter_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "node/gateway/looking.h"
#include "node/log.h"
#include "proto/check.h"
#include "proto/limits.h"

#define PING_INTERVAL_MS 45000    /* twice that without a frame is dead (section 6) */
#define RECONNECT_AHEAD_MS 300000 /* how long before the end of its time to live a client is asked to move */
#define ASK_AGAIN_MS 1000         /* on a node that drains, until the client has its new socket */
#define HEAD_BYTES_MAX (WEBSOCKET_HEADER_BYTES_MAX + 40)
#define CODE_NORMAL 1000
#define CODE_GOING_AWAY 1001
#define CODE_TOO_SLOW 4413

void trouter_session_end(struct trouter_session *self) {
    wheel_timer_stop(&trouter_worker(self)->wheel, &self->timer);
    endpoint_release(trouter_gateway(self)->endpoints, &self->endpoint, self->number);
    if (self->successor != NULL)
        handover_give(self->successor);
    session_end(&self->session);
    endpoint_buffer_close(&self->buffer);
    shared_bytes_release(self->recipient);
    free(self);
}

/* ---- writing ---- */

/* The client comes back and gets what it did not answer. */
static void sent_or_drop(struct trouter_session *self, int rc) {
    if (rc == STATUS_OVERLOADED)
        websocket_drop(self->websocket, CODE_TOO_SLOW, "the reader is too slow");
}

static void packet_send(struct trouter_session *self, struct bytes packet) {
    if (trouter_can_send(self))
        sent_or_drop(self, websocket_queue_copy(self->websocket, WEBSOCKET_TEXT, packet, WEBSOCKET_NEEDED));
}

static void packet_send_close(struct trouter_session *self, struct buffer *packet) {
    packet_send(self, buffer_bytes(packet));
    buffer_close(packet);
}

static int push_send(struct trouter_session *self, uint64_t id, struct shared_bytes *before, struct shared_bytes *after,
                     enum websocket_priority priority) {
    char start[32];
    uint8_t head[HEAD_BYTES_MAX];
    struct bytes parts[] = {shared_bytes_view(before), shared_bytes_view(self->recipient), shared_bytes_view(after)};
    size_t start_size = (size_t)snprintf(start, sizeof(start), "3:::{\"id\":%" PRIu64, id);
    size_t payload_size = start_size + parts[0].size + parts[1].size + parts[2].size;
    size_t head_size = websocket_frame_header(head, WEBSOCKET_TEXT, payload_size);
    memcpy(head + head_size, start, start_size);
    struct shared_bytes *own = shared_bytes_copy(bytes_of(head, head_size + start_size));
    struct websocket_segment segments[] = {
        {own, shared_bytes_view(own).data, head_size + start_size},
        {before, parts[0].data, parts[0].size},
        {self->recipient, parts[1].data, parts[1].size},
        {after, parts[2].data, parts[2].size},
    };
    int rc = websocket_queue(self->websocket, segments, sizeof(segments) / sizeof(segments[0]), priority);
    shared_bytes_release(own);
    return rc;
}

static void push_note(const struct trouter_session *self, const struct endpoint_push *push, enum trace_stage stage) {
    session_note(&self->session, stage, &push->of.thread, push->of.offset);
}

/* `stage` is what it means if it can be sent. */
static void kept_push_send(struct trouter_session *self, struct endpoint_push *push, enum trace_stage stage) {
    if (!trouter_can_send(self) || !self->is_welcomed) {
        if (stage == TRACE_TOLD)
            push_note(self, push, TRACE_KEPT);
        return;
    }
    int rc = push_send(self, ++self->push_id, push->before, push->after, WEBSOCKET_NEEDED);
    if (rc == 0)
        push->id = self->push_id;
    if (rc == 0 || rc == STATUS_OVERLOADED)
        push_note(self, push, rc == 0 ? stage : TRACE_DROPPED);
    sent_or_drop(self, rc);
}

void trouter_pushes_send(struct trouter_session *self) {
    struct endpoint_push *push;
    uint32_t cursor = 0;
    while ((push = endpoint_buffer_next(&self->buffer, &cursor)) != NULL)
        if (push->id == 0)
            kept_push_send(self, push, TRACE_REPEATED);
}

/* What is only of the moment is neither kept nor repeated. */
static void passing_push_send(struct trouter_session *self, const struct broadcast_push *push) {
    if (trouter_can_send(self) && self->is_welcomed)
        sent_or_drop(self, push_send(self, ++self->push_id, push->before, push->after, WEBSOCKET_DROPPABLE));
}

/* A change may be told by several pushes, of which the first says when. */
static void lasting_push_send(struct trouter_session *self, struct broadcast *broadcast,
                              const struct broadcast_push *told, bool is_first) {
    struct endpoint_push *push = endpoint_buffer_add(&self->buffer, told->before, told->after);
    if (is_first)
        push->of = (struct endpoint_push_of){*broadcast_subject(broadcast), broadcast_offset(broadcast)};
    kept_push_send(self, push, TRACE_TOLD);
}

static void trouter_tell(struct session *session, struct broadcast *broadcast) {
    struct trouter_session *self = (struct trouter_session *)session;
    const struct broadcast_push *pushes;
    bool is_first = true;
    size_t count = broadcast_pushes(broadcast, &pushes);
    for (size_t i = 0; i < count; i++) {
        if (bytes_is_present(pushes[i].excluded_user_id) &&
            bytes_equal(pushes[i].excluded_user_id, session_user_id(session)))
            continue;
        if (broadcast_kind(broadcast) == CHANGE_TYPING)
            passing_push_send(self, &pushes[i]);
        else
            lasting_push_send(self, broadcast, &pushes[i], is_first);
        is_first = false;
    }
}

static void trouter_catch_up(struct session *session, const struct id_hash *thread, uint64_t offset) {
    int rc = listening_catch_up(session, thread, offset, LIMIT_SESSION_UNANSWERED_MAX);
    if (rc != 0)
        log_error("a session cannot catch up: %s", status_sentence(rc));
}

/* ---- welcome ---- */

static void welcome(struct trouter_session *self) {
    struct buffer packet;
    buffer_init(&packet);
    trouter_connected_encode(&packet, (uint32_t)trouter_gateway(self)->config->trouter_ttl_s);
    packet_send_close(self, &packet);
    self->is_welcomed = true;
    trouter_pushes_send(self);
}

/* An app that is told that it is connected relies on hearing what happens from then on. */
static void trouter_on_listening(struct session *session, int rc) {
    (void)rc; /* tried again; waiting longer would make the SDK give the socket up */
    welcome((struct trouter_session *)session);
}

/* ---- time ---- */

static void on_timer(struct wheel_timer *timer, void *owner);

static uint64_t earlier(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

void trouter_timer_arm(struct trouter_session *self) {
    uint64_t now_ms = worker_now_ms(trouter_worker(self));
    int64_t token_left_ms = self->session.token_expires_s * 1000 - worker_wall_ms();
    uint64_t due_ms = now_ms + (token_left_ms > 0 ? (uint64_t)token_left_ms : 0);
    if (self->websocket == NULL)
        due_ms = self->session.is_revoked ? earlier(due_ms, self->away_until_ms) : self->away_until_ms;
    else
        due_ms = earlier(earlier(due_ms, self->leave_ms), earlier(self->heartbeat_ms, self->reconnect_ms));
    due_ms = earlier(due_ms, self->yield_ms);
    wheel_timer_start(&trouter_worker(self)->wheel, &self->timer, now_ms, due_ms > now_ms ? due_ms - now_ms : 0,
                      on_timer);
}

static void reconnect_ask(struct trouter_session *self, const char *target) {
    struct buffer packet;
    buffer_init(&packet);
    trouter_reconnect_encode(&packet, target);
    packet_send_close(self, &packet);
    self->session.is_told_to_move = true;
    self->reconnect_ms = TROUTER_NEVER;
}

/* The SDK does not hear it on a socket that it has not registered yet, and where it moves already it does not mind. */
static void away_ask(struct trouter_session *self) {
    reconnect_ask(self, "any");
    self->reconnect_ms = worker_now_ms(trouter_worker(self)) + ASK_AGAIN_MS;
}

static bool is_draining(const struct trouter_session *self) {
    return atomic_load(&trouter_gateway(self)->is_draining);
}

/* A client whose token has merely expired comes back with another one and finds its events. */
static void unauthorized_close(struct trouter_session *self) {
    struct buffer packet;
    buffer_init(&packet);
    trouter_disconnect_encode(&packet, "unauthorized");
    packet_send_close(self, &packet);
    websocket_close(self->websocket, CODE_NORMAL, NULL);
    if (self->session.is_revoked)
        self->state = TROUTER_LEAVING;
}

static void on_timer(struct wheel_timer *timer, void *owner) {
    struct trouter_session *self = (struct trouter_session *)((char *)timer - offsetof(struct trouter_session, timer));
    uint64_t now_ms = worker_now_ms(owner);
    if (now_ms >= self->yield_ms && self->state == TROUTER_LIVE) {
        trouter_yield(self);
        return;
    }
    if (self->websocket == NULL) {
        trouter_session_end(self);
        return;
    }
    if (worker_wall_ms() >= self->session.token_expires_s * 1000) {
        unauthorized_close(self);
        return;
    }
    if (now_ms >= self->leave_ms) {
        websocket_close(self->websocket, CODE_GOING_AWAY, "The client has moved.");
        self->leave_ms = TROUTER_NEVER;
    }
    if (now_ms >= self->reconnect_ms && is_draining(self))
        away_ask(self);
    else if (now_ms >= self->reconnect_ms)
        reconnect_ask(self, "self");
    if (now_ms >= self->heartbeat_ms) {
        packet_send(self, BYTES_LITERAL("2::"));
        self->heartbeat_ms = now_ms + (uint64_t)trouter_gateway(self)->config->heartbeat_ms;
    }
    trouter_timer_arm(self);
}

static void trouter_on_token_changed(struct session *session) {
    struct trouter_session *self = (struct trouter_session *)session;
    if (trouter_can_send(self) && worker_wall_ms() >= session->token_expires_s * 1000)
        unauthorized_close(self);
    else
        trouter_timer_arm(self);
}

static void trouter_on_drain(struct session *session, uint32_t after_ms) {
    struct trouter_session *self = (struct trouter_session *)session;
    (void)after_ms;
    if (self->state <= TROUTER_LIVE) {
        away_ask(self);
        trouter_timer_arm(self);
    }
    trouter_superseded_leave(self);
}

/* ---- reading ---- */

static void packet_take(struct trouter_session *self, const struct trouter_packet *packet) {
    struct endpoint_push_of of;
    struct buffer answer;
    switch (packet->type) {
    case TROUTER_DISCONNECT:
        self->state = TROUTER_LEAVING;
        websocket_close(self->websocket, CODE_NORMAL, NULL);
        break;
    case TROUTER_EVENT:
        if (!packet->wants_ack)
            break;
        buffer_init(&answer);
        trouter_ack_encode(&answer, packet->id);
        packet_send_close(self, &answer);
        break;
    case TROUTER_MESSAGE:
        of = endpoint_buffer_answered(&self->buffer, packet->push_id);
        session_note(&self->session, TRACE_ANSWERED, &of.thread, of.offset);
        break;
    default:
        break;
    }
}

static void on_message(struct websocket *websocket, bool is_text, struct bytes message) {
    struct trouter_session *self = websocket_user(websocket);
    struct trouter_packet packet;
    struct arena arena;
    arena_init(&arena);
    /* What does not parse is left alone: closing a settled socket makes the SDK start over at once. */
    if (is_text && trouter_packet_parse(&arena, message, &packet) == 0)
        packet_take(self, &packet);
    arena_close(&arena);
}

static bool may_come_back(const struct trouter_session *self) {
    const struct gateway *gateway = trouter_gateway(self);
    return self->state <= TROUTER_LIVE && !self->session.is_revoked && gateway->config->endpoint_buffer_ms > 0 &&
           !atomic_load(&gateway->is_draining);
}

static void on_closed(struct websocket *websocket, uint16_t code) {
    struct trouter_session *self = websocket_user(websocket);
    struct endpoint_push *push;
    uint32_t cursor = 0;
    (void)code;
    self->websocket = NULL;
    if (self->state == TROUTER_SUPERSEDED)
        trouter_pushes_leave(self);
    if (!may_come_back(self)) {
        trouter_session_end(self);
        return;
    }
    while ((push = endpoint_buffer_next(&self->buffer, &cursor)) != NULL)
        push->id = 0;
    session_leave(&self->session);
    self->away_until_ms =
        worker_now_ms(trouter_worker(self)) + (uint64_t)trouter_gateway(self)->config->endpoint_buffer_ms;
    trouter_timer_arm(self);
}

/* ---- beginning ---- */

static void trouter_free(struct session *session) {
    trouter_session_end((struct trouter_session *)session);
}

const struct session_kind trouter_kind = {.protocol = TRACE_TROUTER,
                                          .tell = trouter_tell,
                                          .catch_up = trouter_catch_up,
                                          .on_listening = trouter_on_listening,
                                          .on_look = trouter_on_look,
                                          .on_token_changed = trouter_on_token_changed,
                                          .on_drain = trouter_on_drain,
                                          .free = trouter_free};

static const struct websocket_callbacks trouter_callbacks = {.on_message = on_message, .on_closed = on_closed};

struct id_hash trouter_endpoint_hash(const struct gateway *gateway, struct bytes user_id, struct bytes endpoint_id) {
    struct buffer name;
    buffer_init(&name);
    buffer_append_bytes(&name, user_id);
    buffer_append(&name, "", 1); /* a NUL, which no id holds */
    buffer_append_bytes(&name, endpoint_id);
    struct id_hash hash = gateway_hash(gateway, buffer_bytes(&name));
    buffer_close(&name);
    return hash;
}

static void clocks_start(struct trouter_session *self) {
    const struct config *config = trouter_gateway(self)->config;
    uint64_t now_ms = worker_now_ms(trouter_worker(self));
    uint64_t ttl_ms = (uint64_t)config->trouter_ttl_s * 1000;
    self->heartbeat_ms = now_ms + (uint64_t)config->heartbeat_ms;
    self->leave_ms = TROUTER_NEVER;
    self->yield_ms = TROUTER_NEVER;
    self->reconnect_ms = now_ms + (ttl_ms > 2 * RECONNECT_AHEAD_MS ? ttl_ms - RECONNECT_AHEAD_MS : ttl_ms / 2);
    if (is_draining(self)) /* all that were here have been told already */
        self->reconnect_ms = now_ms + ASK_AGAIN_MS;
    trouter_timer_arm(self);
}

static struct trouter_session *trouter_session_new(struct gateway_worker *worker,
                                                   const struct trouter_arrival *arrival) {
    struct trouter_session *self = calloc(1, sizeof(*self));
    struct buffer recipient;
    check(self != NULL);
    session_begin(&self->session, &trouter_kind, worker, &arrival->caller);
    self->endpoint = trouter_endpoint_hash(worker->gateway, arrival->caller.user_id, arrival->endpoint_id);
    buffer_init(&recipient);
    trouter_recipient_encode(&recipient, arrival->caller.user_id);
    self->recipient = shared_bytes_take(&recipient);
    return self;
}

void trouter_session_open(struct gateway_worker *worker, struct http_call *call,
                          const struct trouter_arrival *arrival) {
    struct trouter_session *self = trouter_session_new(worker, arrival);
    struct websocket_options options = {.callbacks = &trouter_callbacks,
                                        .user = self,
                                        .queue_bytes_max = (size_t)worker->gateway->config->session_queue_bytes_max,
                                        .ping_interval_ms = PING_INTERVAL_MS};
    if (websocket_accept(call, &options, &self->websocket) != 0) {
        trouter_session_end(self);
        return;
    }
    packet_send(self, BYTES_LITERAL("1::"));
    if (trouter_is_in_cluster(self))
        looking_expect(&self->session);
    else
        welcome(self);
    clocks_start(self);
    trouter_endpoint_take(self);
}
