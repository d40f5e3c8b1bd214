#pragma once
/* A token that a client of Weft's own real time gave, while it is being checked: that may take a question to the node
 * that leads the user's range. Frames that follow a connect wait for it. */
#include "node/gateway/authentication.h"
#include "proto/realtime.h"

struct realtime_session;

struct realtime_login {
    struct authentication authentication; /* caller, or problem */
    struct realtime_request request;      /* id, token, positions; in the arena */
    struct arena arena;

    /* Private. */
    struct realtime_session *session;
    void (*on_done)(struct realtime_session *session, struct realtime_login *login, int rc);
    struct buffer held; /* frames, each after its size */
};

/* Checks the token of the request, which is borrowed until return. `on_done` may be called at once. The session has at
 * most one login. */
void realtime_login_begin(struct realtime_session *session, const struct realtime_request *request,
                          void (*on_done)(struct realtime_session *session, struct realtime_login *login, int rc));

/* Keeps a frame for realtime_frame_take after on_done. STATUS_OVERLOADED: there is no room. */
int realtime_login_hold(struct realtime_login *login, struct bytes frame);

/* on_done is not called any more. NULL is allowed. */
void realtime_login_free(struct realtime_login *login);
