#include "node/gateway/realtime_login.h"

#include <stdlib.h>

#include "node/gateway/forward.h"
#include "node/gateway/realtime_session.h"
#include "proto/check.h"
#include "proto/limits.h"

static struct realtime_request request_copy(struct arena *arena, const struct realtime_request *request) {
    struct realtime_request copy = {.type = request->type,
                                    .id = arena_copy(arena, request->id),
                                    .token = arena_copy(arena, request->token),
                                    .positions =
                                        ARENA_NEW_ARRAY(arena, struct realtime_position, request->positions_count),
                                    .positions_count = request->positions_count};
    for (size_t i = 0; i < copy.positions_count; i++) {
        copy.positions[i].thread_id = arena_copy(arena, request->positions[i].thread_id);
        copy.positions[i].offset = request->positions[i].offset;
    }
    return copy;
}

static void held_frames_take(struct realtime_login *self) {
    size_t at = 0;
    while (at < self->held.size && !websocket_is_closing(self->session->websocket)) {
        size_t size;
        memcpy(&size, self->held.data + at, sizeof(size));
        realtime_frame_take(self->session, bytes_of(self->held.data + at + sizeof(size), size));
        at += sizeof(size) + size;
    }
}

static void on_authenticated(struct authentication *authentication, int rc) {
    struct realtime_login *self = authentication->context;
    self->session->login = NULL;
    if (!websocket_is_closing(self->session->websocket))
        self->on_done(self->session, self, rc);
    held_frames_take(self);
    realtime_login_free(self);
}

void realtime_login_begin(struct realtime_session *session, const struct realtime_request *request,
                          void (*on_done)(struct realtime_session *session, struct realtime_login *login, int rc)) {
    struct realtime_login *self = calloc(1, sizeof(*self));
    check(self != NULL && session->login == NULL);
    arena_init(&self->arena);
    buffer_init(&self->held);
    self->session = session;
    self->on_done = on_done;
    self->request = request_copy(&self->arena, request);
    self->authentication =
        (struct authentication){.worker = session->worker,
                                .arena = &self->arena,
                                .deadline_ms = worker_now_ms(session->worker->worker) + FORWARD_DEADLINE_MS,
                                .context = self,
                                .on_done = on_authenticated};
    session->login = self;
    int rc = authenticate_token(&self->authentication, self->request.token);
    if (rc != AUTHENTICATION_WAITS)
        on_authenticated(&self->authentication, rc);
}

int realtime_login_hold(struct realtime_login *self, struct bytes frame) {
    if (self->held.size + frame.size > LIMIT_FRAME_BYTES_MAX)
        return STATUS_OVERLOADED;
    buffer_append(&self->held, &frame.size, sizeof(frame.size));
    buffer_append_bytes(&self->held, frame);
    return STATUS_OK;
}

void realtime_login_free(struct realtime_login *self) {
    if (self == NULL)
        return;
    authentication_cancel(&self->authentication);
    buffer_close(&self->held);
    arena_close(&self->arena);
    free(self);
}
