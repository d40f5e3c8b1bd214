#pragma once
/* A server's WebSocket connection (RFC 6455) on one worker: handshake, reading, a bounded queue for writing, pings,
 * closing. Sessions are built on it and know nothing of sockets. Everything here is used on the worker's own thread.
 *
 * Writing: queue during the loop turn; at its end all that is pending for a socket goes out in one write that points
 * into the shared bytes. A websocket exists from websocket_accept until its on_closed has returned, which happens
 * exactly once and never inside another call of this file. */
#include "node/gateway/http.h"
#include "node/gateway/shared_bytes.h"
#include "node/gateway/timer_wheel.h"
#include "node/gateway/websocket_frame.h"

#include <uv.h>

struct websocket;

struct websocket_callbacks {
    /* A whole message; text is valid UTF-8. Borrowed until return. Not called once the socket is closing. */
    void (*on_message)(struct websocket *websocket, bool is_text, struct bytes message);
    /* The last call. `code` is what the peer's close frame said, 1005 if it said none, 1006 if there was no close
     * frame. */
    void (*on_closed)(struct websocket *websocket, uint16_t code);
    /* The queue fell below half its bound after a write; may be NULL. For senders that wait, such as a resume. */
    void (*on_room)(struct websocket *websocket);
};

struct websocket_options {
    const struct websocket_callbacks *callbacks; /* static */
    void *user;
    const char *subprotocol;   /* chosen from what the client offers, static; NULL: none */
    size_t queue_bytes_max;    /* 0: LIMIT_SESSION_QUEUE_BYTES_MAX */
    uint32_t ping_interval_ms; /* a ping after this long without input, closed after twice that; 0: 25 s */
};

enum websocket_priority {
    WEBSOCKET_NEEDED,
    WEBSOCKET_DROPPABLE /* dropped once the queue is over half its bound: typing */
};

#define WEBSOCKET_SEGMENTS_MAX 64 /* per frame; the SDK's frames need six */

struct websocket_segment {
    struct shared_bytes *owner; /* a reference is taken; NULL: the bytes live forever */
    const void *data;
    size_t size;
};

/* True if the request asks for an upgrade to websocket. */
bool websocket_is_requested(struct http_call *call);

/* The subprotocols the client offers, as the header has them; absent if there are none. */
struct bytes websocket_offered_subprotocols(struct http_call *call);

/* Answers the call with 101 and gives the connection; what is queued before the handshake has gone out waits. Otherwise
 * the call is refused by name (400; 426 for another version or no upgrade), the return is negative and *out is NULL.
 * Either way the call must not be touched afterwards. Extensions are declined. */
int websocket_accept(struct http_call *call, const struct websocket_options *options, struct websocket **out);

/* Queues whole frames, header included (websocket_frame_header). One call is all or nothing.
 * STATUS_OVERLOADED: over the bound, nothing queued. STATUS_SHUTTING_DOWN: closing, nothing queued.
 * A droppable frame that is dropped gives 0. */
int websocket_queue(struct websocket *websocket, const struct websocket_segment *segments, size_t count,
                    enum websocket_priority priority);

/* Frames and copies a payload. For control frames and answers to one client. */
int websocket_queue_copy(struct websocket *websocket, enum websocket_opcode opcode, struct bytes payload,
                         enum websocket_priority priority);

/* Sends what is pending, then a close frame, then waits a little for the peer's. `reason` is short text or NULL.
 * Nothing happens if it is closing already. */
void websocket_close(struct websocket *websocket, uint16_t code, const char *reason);

/* The same, but what is pending is thrown away first: for readers that are too slow. */
void websocket_drop(struct websocket *websocket, uint16_t code, const char *reason);

void *websocket_user(const struct websocket *websocket);
void websocket_set_user(struct websocket *websocket, void *user);
struct worker *websocket_worker(const struct websocket *websocket);
size_t websocket_queued_bytes(const struct websocket *websocket);
bool websocket_is_closing(const struct websocket *websocket);

/* ---- For worker.c ---- */

struct websocket_group;

struct websocket_totals {
    uint64_t opened, closed, messages_in, bytes_in, writes, bytes_out, dropped, overloaded;
};

/* The websockets of one worker. `wheel` is borrowed. `may_use_io_uring`: as for send_batch_new. */
struct websocket_group *websocket_group_new(struct worker *worker, struct timer_wheel *wheel, uv_loop_t *loop,
                                            bool may_use_io_uring);
/* Writes and closes all that is due; each socket once. Called twice per loop turn. True: there is more for the next
 * turn. */
bool websocket_group_flush(struct websocket_group *group);
/* Closes every websocket with 1001. */
void websocket_group_close_all(struct websocket_group *group, const char *reason);
size_t websocket_group_count(const struct websocket_group *group);
struct websocket_totals websocket_group_totals(const struct websocket_group *group);
/* When none is left. */
void websocket_group_free(struct websocket_group *group);
