#pragma once
/* A client of Weft's own real time (proto/README.md): one WebSocket, its frames, its token's time. What the frames ask
 * for is done in realtime_requests.c, what was missed is told in resume.c. */
#include "node/gateway/resume.h"
#include "node/gateway/router.h"
#include "node/gateway/session.h"
#include "node/gateway/websocket.h"

extern const struct http_route_table realtime_routes;

/* Close codes beyond RFC 6455 (proto/README.md). */
enum realtime_close {
    REALTIME_CLOSE_UNSUPPORTED = 1003,
    REALTIME_CLOSE_MALFORMED = 4400,
    REALTIME_CLOSE_UNAUTHORIZED = 4401,
    REALTIME_CLOSE_CONNECT_TIMEOUT = 4408,
    REALTIME_CLOSE_TOO_SLOW = 4413,
    REALTIME_CLOSE_TOO_MANY = 4429
};

struct realtime_login;
struct realtime_operation;

/*  CONNECTING ── connect with a valid token ──▶ OPEN
 *      └── 10 s, or anything else ──▶ closed */
enum realtime_state { REALTIME_CONNECTING, REALTIME_OPEN };

struct realtime_session {
    struct session session; /* in the table once it is open */
    struct websocket *websocket;
    uint8_t format; /* enum realtime_format */
    uint8_t state;  /* enum realtime_state */
    bool is_expiry_told;
    struct gateway_worker *worker;
    struct realtime_operation *operations; /* not answered yet, newest first */
    struct resume *resume;                 /* NULL: nothing is being resumed */
    struct realtime_login *login;          /* a token is being checked; NULL: none */
    struct wheel_timer timer;              /* for `connect`, then for the token */
    uint16_t operations_count;
};

/* Sends a frame; drops a client that is too slow. */
void realtime_send(struct realtime_session *self, struct bytes payload);
/* The same, and closes the buffer. */
void realtime_send_close(struct realtime_session *self, struct buffer *payload);
void realtime_refuse(struct realtime_session *self, struct bytes id, struct bytes thread_id,
                     const struct problem *problem);

/* A frame that was held back until now; borrowed until return. */
void realtime_frame_take(struct realtime_session *self, struct bytes message);

/* The token was taken over into the session: its end is awaited from now on. */
void realtime_token_watch(struct realtime_session *self);
