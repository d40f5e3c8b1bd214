#pragma once
/* One connection of one user, from opening to closing, in any of the three wires. What is common lives here: stream,
 * upgrade, frames. What the frames mean is in native.c (Weft's own real time) and sdk.c (the official SDK's). */
#include "bench/http.h"
#include "bench/options.h"
#include "bench/payload.h"
#include "bench/stream.h"
#include "bench/tally.h"
#include "bench/websocket.h"

struct session;

/* What the server said about a send. */
struct session_answer {
    bool is_accepted;
    bool is_duplicate;
    struct bytes id;         /* the client message id; absent: an error that concerns no send */
    struct bytes code;       /* of an error */
    struct bytes message;    /* of an error */
    struct bytes durability; /* of an acknowledgement; absent: the wire does not say */
};

struct session_events {
    void (*on_ready)(struct session *session);
    /* Before on_ready. `is_temporary`: trying again may help. The session is closed. */
    void (*on_failed)(struct session *session, bool is_temporary, const char *reason);
    /* After on_ready, not asked for. The session is closed. */
    void (*on_closed)(struct session *session, const char *reason);
    /* A frame with a payload's mark. `is_whole`: size, checksum and position are as they must be, and the rest counts.
     * `position`: offset or message id. */
    void (*on_delivery)(struct session *session, bool is_whole, const struct payload *payload, uint64_t position,
                        int64_t now_ns);
    void (*on_answer)(struct session *session, const struct session_answer *answer, int64_t now_ns);
    /* Weft's own wire only; NULL: nobody wants to know. */
    void (*on_goaway)(struct session *session, int64_t after_ms);
    /* Everything up to `offset` of the session's thread was told. `is_gap`: the server says that it was not. */
    void (*on_resumed)(struct session *session, uint64_t offset, bool is_gap);
};

/* What all sessions share. */
struct session_host {
    struct loop *loop;
    struct http *http;
    SSL_CTX *tls; /* NULL when no address is TLS */
    enum wire wire;
    size_t payload_bytes;
    const struct session_events *events;
    void *context;   /* the events' own */
    uint64_t chance; /* state of the generator of masks and ids; not 0 */
    uint8_t *read_buffer;
    struct buffer scratch;
    uint64_t delivery_bytes; /* of frames with deliveries, WebSocket headers included */
};

struct session_user {
    char *id;
    char *token;
};

enum session_state {
    SESSION_CLOSED = 0,
    SESSION_ALLOCATING, /* sdk: REST before the socket */
    SESSION_CONNECTING, /* TCP, TLS */
    SESSION_UPGRADING,
    SESSION_JOINING, /* the wire's own greeting */
    SESSION_READY
};

struct sdk_state;

struct session {
    struct session_host *host;
    const struct session_user *user;
    const struct address *node;
    uint32_t thread; /* whose participant the user is */
    uint32_t participant;
    bool is_resuming; /* open: ask for what came behind the reader's last position */
    struct bytes thread_id;
    enum session_state state;
    struct stream stream;
    struct buffer unread; /* the start of a frame whose end has not come yet */
    struct buffer pieces; /* of a fragmented message */
    char key[WEBSOCKET_KEY_BYTES];
    struct sdk_state *sdk; /* sdk wire only */
    struct tally_reader reader;
};

void session_host_init(struct session_host *host);
void session_host_close(struct session_host *host);
/* Not for secrets: masks, ids. */
uint64_t session_host_chance(struct session_host *host);

/* `session` has host, user, node, thread and participant set and is closed. The outcome comes as an event. */
void session_open(struct session *session);
/* Gives everything back, but the reader's book. No event. */
void session_close(struct session *session);

/* For native.c and sdk.c: */
void session_connect(struct session *session, const struct address *address, const char *target,
                     const char *subprotocol);
void session_queue(struct session *session, enum websocket_opcode opcode, struct bytes payload);
/* Sends what was queued. */
void session_flush(struct session *session);
/* on_ready; the session is READY. */
void session_became_ready(struct session *session);
/* on_failed or on_closed, whichever it is. */
void session_fail(struct session *session, bool is_temporary, const char *reason);
/* Looks for a payload in a message and reports it: `position` 0 makes it not whole. */
void session_deliver(struct session *session, const struct payload *payload, bool is_whole, uint64_t position,
                     size_t size, int64_t now_ns);

/* The digits that follow the first occurrence of `mark` in `text`; 0: no mark, or no number behind it. */
uint64_t session_scan_number(struct bytes text, const char *mark, size_t mark_size);
