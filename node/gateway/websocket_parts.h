#pragma once
/* The inside of a WebSocket, shared by the files that make one: websocket.c (queueing, closing, time),
 * websocket_handshake.c (how it begins), websocket_reading.c (what comes in) and websocket_writing.c (what goes out,
 * and the end). Nobody else includes it. */
#include <h2o.h>
#include <stddef.h>

#include "node/gateway/websocket.h"
#include "node/gateway/websocket_queue.h"

#define WEBSOCKET_CODE_NONE 1005     /* a close frame without a code */
#define WEBSOCKET_CODE_ABNORMAL 1006 /* no close frame */
#define WEBSOCKET_CODE_PROTOCOL_ERROR 1002

/*
 *             101 is written                we close                   the peer's close frame came, or a frame
 *   OPENING ─────────────────▶ OPEN ─────────────────▶ CLOSING ──────▶ broke the protocol
 *      │                        │                          │                │
 *      │                        └──────── the same ────────┼───────────▶ ENDING
 *      │                                                   │                │ all is written, the peer is done
 *      └───────────── error, deadline ─────────────────────┴────────────────┴──▶ ENDED ──▶ on_closed, freed
 */
enum websocket_state { WEBSOCKET_OPENING, WEBSOCKET_OPEN, WEBSOCKET_CLOSING, WEBSOCKET_ENDING, WEBSOCKET_ENDED };

struct websocket_parser;
struct websocket_output;

/* Fan-out comes to hundreds of these after another and finds each out of the caches, so what it needs lies in the first
 * two cache lines. */
struct websocket {
    struct websocket_queue pending;
    struct websocket_group *group;
    struct websocket *next_dirty;

    h2o_socket_t *socket; /* NULL while opening */
    size_t queue_bytes_max;
    size_t in_flight_tls; /* cost of what is in TLS records already */
    int descriptor;       /* the socket's */
    uint16_t closed_code;
    enum websocket_state state : 8;
    bool is_dirty : 1;
    bool is_writing : 1;
    bool is_close_queued : 1; /* nothing may follow a close frame */
    bool is_close_received : 1;
    bool is_dropped : 1;
    bool is_half_closed : 1;
    bool has_new_room : 1;
    bool is_upgrading : 1; /* h2o still holds the connection and will call back */
    bool is_plain : 1;     /* no TLS */
    struct websocket_queue in_flight;

    const struct websocket_callbacks *callbacks;
    void *user;
    struct websocket_parser *parser; /* NULL between frames */
    struct wheel_timer timer;
    uint64_t last_input_ms;
    uint32_t ping_interval_ms;
    struct websocket *next;
    struct websocket **link;
};

#define CACHE_LINE_BYTES 64
_Static_assert(offsetof(struct websocket, in_flight.cost) + sizeof(size_t) <= 2 * CACHE_LINE_BYTES,
               "what fan-out needs fits two cache lines");

struct websocket_group {
    struct worker *worker;
    struct timer_wheel *wheel;
    uv_loop_t *loop;
    struct websocket *all;
    size_t count;
    struct websocket *dirty;
    struct websocket_parser *spare;
    struct websocket_output *output;
    struct websocket_totals totals;
};

/* ---- websocket.c ---- */

/* Writes and bookkeeping are due at the next flush. */
void websocket_mark_dirty(struct websocket *websocket);
/* States only go forward. CLOSING and ENDING start their deadline. */
void websocket_set_state(struct websocket *websocket, enum websocket_state state);
/* The connection is of no more use. What follows happens at the next flush, outside of anybody's call. */
void websocket_end(struct websocket *websocket);
/* A new one of the group, in the state OPENING, with its pings. */
struct websocket *websocket_new(struct websocket_group *group, const struct websocket_options *options);
bool websocket_is_over_half(const struct websocket *websocket);
/* Whatever the bound; nothing can be queued after it. `reason` is short text or NULL. */
void websocket_queue_close_frame(struct websocket *websocket, uint16_t code, const char *reason);

/* ---- websocket_reading.c ---- */

/* Takes what h2o has read so far; to be called once when the connection opens. */
void websocket_consume_input(struct websocket *websocket);
/* h2o's callback. */
void websocket_on_read(h2o_socket_t *socket, const char *error);
void websocket_parser_free(struct websocket_parser *parser);

/* ---- websocket_writing.c ---- */

struct websocket_output *websocket_output_new(bool may_use_io_uring);
void websocket_output_free(struct websocket_output *output);
