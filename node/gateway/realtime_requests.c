#include "node/gateway/realtime_requests.h"

#include "node/gateway/realtime_login.h"
#include "node/gateway/realtime_operations.h"
#include "proto/check.h"

static enum realtime_format format_of(const struct realtime_session *self) {
    return (enum realtime_format)self->format;
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
    case REALTIME_TYPING:
        realtime_operation_perform(self, arena, request);
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
