#pragma once
/* The parts of a session of the official SDK, for the files that make it up and nobody else: trouter_session.c is the
 * socket, what is sent and when; trouter_moving.c is how the endpoint goes from one session to the next. */
#include "node/gateway/session.h"
#include "node/gateway/trouter_session.h"
#include "node/gateway/websocket.h"

#define TROUTER_NEVER UINT64_MAX

/*             hand-over arrives, or nobody held the endpoint           a newer socket
 *  WAITING ─────────────────────────────────────────────────▶ LIVE ───────────────────▶ SUPERSEDED
 *
 *  any ── the client leaves, or its token is taken back ──▶ LEAVING
 *
 * Without a socket, WAITING and LIVE go on listening for a while and keep what comes; the others end with theirs. */
enum trouter_state { TROUTER_WAITING, TROUTER_LIVE, TROUTER_SUPERSEDED, TROUTER_LEAVING };

struct trouter_session {
    struct session session;
    struct websocket *websocket; /* NULL: the client is away */
    enum trouter_state state;
    bool is_welcomed; /* pushes may be sent */
    uint64_t number;  /* its name in the endpoint registry */
    struct id_hash endpoint;
    struct shared_bytes *recipient;
    struct endpoint_buffer buffer;
    uint64_t push_id;            /* of the last push on this socket */
    uint64_t turn;               /* of its claim (endpoint_registry.h); 0: not known */
    unsigned asked;              /* WAITING: hand-overs that are still to come, */
    unsigned followed;           /* so many of them asked of whoever had got it instead */
    struct handover *successor;  /* a newer socket asked before our own hand-over arrived */
    struct endpoint_place taker; /* SUPERSEDED: of the newer socket; LIVE with `yield_ms`: who is known to be newer */
    struct wheel_timer timer;
    uint64_t heartbeat_ms; /* when the next of each is due, monotonic */
    uint64_t reconnect_ms;
    uint64_t leave_ms; /* SUPERSEDED: when the socket is closed because the node drains */
    uint64_t yield_ms; /* LIVE: when it is superseded, asked for or not */
    uint64_t away_until_ms;
};

extern const struct session_kind trouter_kind;

static inline struct worker *trouter_worker(const struct trouter_session *self) {
    return self->session.worker->worker;
}

static inline struct gateway *trouter_gateway(const struct trouter_session *self) {
    return self->session.worker->gateway;
}

static inline bool trouter_is_in_cluster(const struct trouter_session *self) {
    return trouter_gateway(self)->listen != NULL;
}

static inline bool trouter_can_send(const struct trouter_session *self) {
    return self->websocket != NULL && !websocket_is_closing(self->websocket);
}

/* trouter_session.c */
void trouter_session_end(struct trouter_session *self);
void trouter_pushes_send(struct trouter_session *self); /* those that have not been sent on this socket */
void trouter_timer_arm(struct trouter_session *self);

/* trouter_moving.c */
void trouter_endpoint_take(struct trouter_session *self); /* it is the newest: nothing is told before it is live */
void trouter_on_look(struct session *session);
void trouter_yield(struct trouter_session *self);            /* frees it if it has no socket */
void trouter_superseded_leave(struct trouter_session *self); /* the node drains, or the session has been superseded */
void trouter_pushes_leave(struct trouter_session *self);     /* what a moving client did not answer on its old socket */
