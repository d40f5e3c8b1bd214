#include "node/gateway/websocket.h"

#include <errno.h>
#include <h2o.h>
#include <h2o/http1.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <wslay/wslay.h>

#include "node/gateway/http_server.h"
#include "node/gateway/websocket_queue.h"
#include "proto/check.h"
#include "proto/limits.h"

#define PING_INTERVAL_MS_DEFAULT 25000
#define CLOSE_TIMEOUT_MS 5000
#define DROP_TIMEOUT_MS 60000 /* a reader that has stopped is to learn why, should it go on */
#define CODE_NONE 1005        /* a close frame without a code */
#define CODE_ABNORMAL 1006    /* no close frame */
#define CODE_GOING_AWAY 1001
#define CODE_PROTOCOL_ERROR 1002
#define VECTORS_MAX 1024 /* what Linux takes in one call */
/* One flattened TLS write; what is more waits for the next turn, so that one reader cannot fill memory twice. */
#define TLS_WRITE_BYTES_MAX ((size_t)256 * 1024)

/*
 *             101 is written                we close                   the peer's close frame came, or a frame
 *   OPENING ─────────────────▶ OPEN ─────────────────▶ CLOSING ──────▶ broke the protocol
 *      │                        │                          │                │
 *      │                        └──────── the same ────────┼───────────▶ ENDING
 *      │                                                   │                │ all is written, the peer is done
 *      └───────────── error, deadline ─────────────────────┴────────────────┴──▶ ENDED ──▶ on_closed, freed
 */
enum websocket_state { WEBSOCKET_OPENING, WEBSOCKET_OPEN, WEBSOCKET_CLOSING, WEBSOCKET_ENDING, WEBSOCKET_ENDED };

/* wslay's context holds over 8 KB, so it exists only while input is being parsed; and one of them is kept for the next.
 */
struct frame_parser {
    wslay_event_context_ptr context;
    struct websocket *websocket;
    const uint8_t *input;
    size_t input_size;
    uint64_t fed;      /* bytes given to wslay */
    uint64_t expected; /* bytes of the frames that have begun; equal to `fed` exactly between frames */
    bool is_message_open;
    struct buffer output; /* what wslay answers by itself: pongs, close frames */
};

struct websocket {
    struct websocket_group *group;
    h2o_socket_t *socket; /* NULL while opening */
    const struct websocket_callbacks *callbacks;
    void *user;
    struct frame_parser *parser; /* NULL between frames */
    struct wheel_timer timer;
    struct websocket_queue pending;
    struct websocket_queue in_flight;
    size_t in_flight_tls; /* cost of what is in TLS records already */
    size_t queue_bytes_max;
    uint64_t last_input_ms;
    struct websocket *next;
    struct websocket **link;
    struct websocket *next_dirty;
    int descriptor; /* the socket's; kept here because the way to it costs more than a write's share of our own work */
    uint32_t ping_interval_ms;
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
};

/* One vector for one plain socket, which is what fan-out makes: sent together with others (websocket_group_flush). */
struct plain_write {
    struct websocket *websocket;
    int descriptor;
    const void *data;
    size_t size;
    ssize_t written; /* -1: refused, for `error` */
    int error;
};

#define PLAIN_WRITES_MAX 256

struct websocket_group {
    struct worker *worker;
    struct timer_wheel *wheel;
    uv_loop_t *loop;
    struct websocket *all;
    size_t count;
    struct websocket *dirty;
    struct frame_parser *spare;
    struct iovec vectors[VECTORS_MAX];
    struct plain_write plain_writes[PLAIN_WRITES_MAX];
    size_t plain_writes_count;
    uint8_t *scratch; /* TLS_WRITE_BYTES_MAX, or the largest frame so far */
    size_t scratch_size;
    struct websocket_totals totals;
};

static void mark_dirty(struct websocket *websocket) {
    if (websocket->is_dirty)
        return;
    websocket->is_dirty = true;
    websocket->next_dirty = websocket->group->dirty;
    websocket->group->dirty = websocket;
}

static void on_timer(struct wheel_timer *timer, void *owner);

static void start_timer(struct websocket *websocket, uint64_t delay_ms) {
    wheel_timer_start(websocket->group->wheel, &websocket->timer, uv_now(websocket->group->loop), delay_ms, on_timer);
}

static void set_state(struct websocket *websocket, enum websocket_state state) {
    check(state > websocket->state);
    websocket->state = state;
    if (state == WEBSOCKET_CLOSING || state == WEBSOCKET_ENDING)
        start_timer(websocket, websocket->is_dropped ? DROP_TIMEOUT_MS : CLOSE_TIMEOUT_MS);
    if (state == WEBSOCKET_ENDED && websocket->socket != NULL)
        h2o_socket_read_stop(websocket->socket);
    mark_dirty(websocket);
}

/* The connection is of no more use. What follows happens at the next flush, outside of anybody's call. */
static void end(struct websocket *websocket) {
    if (websocket->state != WEBSOCKET_ENDED)
        set_state(websocket, WEBSOCKET_ENDED);
}

/* ---- Queueing ---- */

static size_t queued_cost(const struct websocket *websocket) {
    return websocket->pending.cost + websocket->in_flight.cost + websocket->in_flight_tls;
}

static bool is_over_half(const struct websocket *websocket) {
    return queued_cost(websocket) > websocket->queue_bytes_max / 2;
}

static void queue_always(struct websocket *websocket, const struct websocket_segment *segments, size_t count) {
    websocket_queue_append(&websocket->pending, segments, count);
    mark_dirty(websocket);
}

int websocket_queue(struct websocket *websocket, const struct websocket_segment *segments, size_t count,
                    enum websocket_priority priority) {
    if (websocket->is_close_queued || websocket->state >= WEBSOCKET_ENDING)
        return STATUS_SHUTTING_DOWN;
    if (priority == WEBSOCKET_DROPPABLE && is_over_half(websocket)) {
        websocket->group->totals.dropped++;
        return 0;
    }
    size_t before = queued_cost(websocket);
    /* An empty queue takes any frame, or a frame above the bound could never be sent. */
    if (before > 0 && before + websocket_segments_cost(segments, count) > websocket->queue_bytes_max) {
        websocket->group->totals.overloaded++;
        return STATUS_OVERLOADED;
    }
    queue_always(websocket, segments, count);
    return 0;
}

static struct shared_bytes *frame_of(enum websocket_opcode opcode, struct bytes payload) {
    struct buffer frame;
    buffer_init(&frame);
    uint8_t *start = buffer_reserve(&frame, WEBSOCKET_HEADER_BYTES_MAX + payload.size);
    buffer_added(&frame, websocket_frame_header(start, opcode, payload.size));
    buffer_append_bytes(&frame, payload);
    return shared_bytes_take(&frame);
}

int websocket_queue_copy(struct websocket *websocket, enum websocket_opcode opcode, struct bytes payload,
                         enum websocket_priority priority) {
    struct shared_bytes *frame = frame_of(opcode, payload);
    struct bytes view = shared_bytes_view(frame);
    struct websocket_segment segment = {.owner = frame, .data = view.data, .size = view.size};
    int rc = websocket_queue(websocket, &segment, 1, priority);
    shared_bytes_release(frame);
    return rc;
}

static void queue_close_frame(struct websocket *websocket, uint16_t code, const char *reason) {
    uint8_t payload[WEBSOCKET_CONTROL_BYTES_MAX];
    size_t size = websocket_close_payload(payload, code, reason);
    struct shared_bytes *frame = frame_of(WEBSOCKET_CLOSE, bytes_of(payload, size));
    struct bytes view = shared_bytes_view(frame);
    queue_always(websocket, &(struct websocket_segment){.owner = frame, .data = view.data, .size = view.size}, 1);
    shared_bytes_release(frame);
    websocket->is_close_queued = true;
}

void websocket_close(struct websocket *websocket, uint16_t code, const char *reason) {
    if (websocket->is_close_queued || websocket->state >= WEBSOCKET_CLOSING)
        return;
    queue_close_frame(websocket, code, reason);
    set_state(websocket, WEBSOCKET_CLOSING);
}

void websocket_drop(struct websocket *websocket, uint16_t code, const char *reason) {
    if (websocket->is_close_queued || websocket->state >= WEBSOCKET_CLOSING)
        return;
    websocket_queue_clear(&websocket->pending);
    websocket->is_dropped = true;
    websocket_close(websocket, code, reason);
}

/* ---- Reading ---- */

static ssize_t give_input(wslay_event_context_ptr context, uint8_t *out, size_t size, int flags, void *user) {
    (void)flags;
    struct frame_parser *parser = user;
    if (parser->input_size == 0) {
        wslay_event_set_error(context, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    size_t given = size < parser->input_size ? size : parser->input_size;
    memcpy(out, parser->input, given);
    parser->input += given;
    parser->input_size -= given;
    parser->fed += given;
    return (ssize_t)given;
}

static ssize_t take_output(wslay_event_context_ptr context, const uint8_t *data, size_t size, int flags, void *user) {
    (void)context;
    (void)flags;
    struct frame_parser *parser = user;
    buffer_append(&parser->output, data, size);
    return (ssize_t)size;
}

static void on_frame_start(wslay_event_context_ptr context, const struct wslay_event_on_frame_recv_start_arg *frame,
                           void *user) {
    (void)context;
    struct frame_parser *parser = user;
    /* Clients' frames are masked: two bytes, the longer length if there is one, four bytes of mask, the payload. */
    size_t header = 2 + 4 + (frame->payload_length > UINT16_MAX ? 8U : frame->payload_length > 125 ? 2U : 0U);
    parser->expected += header + frame->payload_length;
    if (!wslay_is_ctrl_frame(frame->opcode))
        parser->is_message_open = frame->fin == 0;
}

static void on_whole_message(wslay_event_context_ptr context, const struct wslay_event_on_msg_recv_arg *message,
                             void *user) {
    (void)context;
    struct websocket *websocket = ((struct frame_parser *)user)->websocket;
    if (websocket->state != WEBSOCKET_OPEN)
        return;
    if (message->opcode != WSLAY_TEXT_FRAME && message->opcode != WSLAY_BINARY_FRAME)
        return;
    websocket->group->totals.messages_in++;
    struct bytes payload = bytes_of(message->msg == NULL ? (const void *)"" : message->msg, message->msg_length);
    websocket->callbacks->on_message(websocket, message->opcode == WSLAY_TEXT_FRAME, payload);
}

static struct frame_parser *parser_new(void) {
    static const struct wslay_event_callbacks callbacks = {
        .recv_callback = give_input,
        .send_callback = take_output,
        .on_frame_recv_start_callback = on_frame_start,
        .on_msg_recv_callback = on_whole_message,
    };
    struct frame_parser *parser = calloc(1, sizeof(*parser));
    check(parser != NULL);
    check(wslay_event_context_server_init(&parser->context, &callbacks, parser) == 0);
    wslay_event_config_set_max_recv_msg_length(parser->context, LIMIT_FRAME_BYTES_MAX);
    return parser;
}

static void parser_free(struct frame_parser *parser) {
    if (parser == NULL)
        return;
    wslay_event_context_free(parser->context);
    buffer_close(&parser->output);
    free(parser);
}

static struct frame_parser *take_parser(struct websocket *websocket) {
    struct websocket_group *group = websocket->group;
    if (websocket->parser == NULL) {
        websocket->parser = group->spare != NULL ? group->spare : parser_new();
        group->spare = NULL;
        websocket->parser->websocket = websocket;
    }
    return websocket->parser;
}

static void drop_parser(struct websocket *websocket) {
    parser_free(websocket->parser);
    websocket->parser = NULL;
}

/* Only a parser that stands exactly between two messages is as good as a new one. */
static void give_parser_back(struct websocket *websocket) {
    struct frame_parser *parser = websocket->parser;
    if (parser->fed != parser->expected || parser->is_message_open)
        return;
    websocket->parser = NULL;
    if (websocket->group->spare != NULL) {
        parser_free(parser);
        return;
    }
    parser->fed = 0;
    parser->expected = 0;
    parser->websocket = NULL;
    websocket->group->spare = parser;
}

/* Pongs and close frames that wslay made. */
static void send_answers(struct websocket *websocket, struct frame_parser *parser) {
    struct bytes answers = buffer_bytes(&parser->output);
    if (answers.size == 0 || websocket->is_close_queued) {
        buffer_close(&parser->output);
        return;
    }
    struct shared_bytes *shared = shared_bytes_take(&parser->output);
    struct bytes view = shared_bytes_view(shared);
    struct websocket_segment segment = {.owner = shared, .data = view.data, .size = view.size};
    /* A peer that pings but does not read what it is answered is not worth keeping. */
    if (websocket_queue(websocket, &segment, 1, WEBSOCKET_NEEDED) == STATUS_OVERLOADED)
        end(websocket);
    shared_bytes_release(shared);
}

static void note_closing(struct websocket *websocket, struct frame_parser *parser) {
    if (wslay_event_get_close_received(parser->context)) {
        websocket->is_close_received = true;
        uint16_t code = wslay_event_get_status_code_received(parser->context);
        websocket->closed_code = code == 0 ? CODE_NONE : code;
    }
    if (wslay_event_get_close_sent(parser->context))
        websocket->is_close_queued = true;
    bool is_broken = !wslay_event_get_read_enabled(parser->context);
    if ((websocket->is_close_received || is_broken) && websocket->state < WEBSOCKET_ENDING)
        set_state(websocket, WEBSOCKET_ENDING);
}

/* A header that is no header: wslay would close without saying why. */
static void refuse_frame(struct websocket *websocket) {
    if (!websocket->is_close_queued)
        queue_close_frame(websocket, CODE_PROTOCOL_ERROR, "The frame is malformed.");
    set_state(websocket, WEBSOCKET_ENDING);
}

static void parse(struct websocket *websocket, struct bytes input) {
    struct frame_parser *parser = take_parser(websocket);
    parser->input = input.data;
    parser->input_size = input.size;
    if (wslay_event_recv(parser->context) != 0) {
        refuse_frame(websocket);
    } else {
        while (wslay_event_want_write(parser->context))
            check(wslay_event_send(parser->context) == 0);
        send_answers(websocket, parser);
        note_closing(websocket, parser);
    }
    if (websocket->state >= WEBSOCKET_ENDING)
        drop_parser(websocket);
    else
        give_parser_back(websocket);
}

static void consume_input(struct websocket *websocket) {
    h2o_socket_t *socket = websocket->socket;
    size_t size = socket->input->size;
    if (size > 0) {
        websocket->last_input_ms = uv_now(websocket->group->loop);
        websocket->group->totals.bytes_in += size;
        if (websocket->state == WEBSOCKET_OPEN || websocket->state == WEBSOCKET_CLOSING)
            parse(websocket, bytes_of(socket->input->bytes, size));
        h2o_buffer_consume(&socket->input, size);
    } else if (socket->input->bytes != NULL) {
        /* h2o reserves before it reads; if nothing came, an idle connection would keep the empty buffer. */
        h2o_buffer_dispose(&socket->input);
        h2o_buffer_init(&socket->input, &h2o_socket_buffer_prototype);
    }
}

static void on_read(h2o_socket_t *socket, const char *error) {
    struct websocket *websocket = socket->data;
    if (error == NULL)
        consume_input(websocket);
    else
        end(websocket);
}

/* ---- Writing ---- */

static void on_written(h2o_socket_t *socket, const char *error) {
    struct websocket *websocket = socket->data;
    bool was_over_half = is_over_half(websocket);
    websocket->is_writing = false;
    websocket->in_flight_tls = 0;
    websocket_queue_clear(&websocket->in_flight);
    websocket->has_new_room |= was_over_half && !is_over_half(websocket);
    if (error != NULL)
        end(websocket);
    mark_dirty(websocket);
}

static uint8_t *scratch_of(struct websocket_group *group, size_t size) {
    if (size > group->scratch_size) {
        size_t wanted = size > TLS_WRITE_BYTES_MAX ? size : TLS_WRITE_BYTES_MAX;
        free(group->scratch);
        group->scratch = malloc(wanted);
        check(group->scratch != NULL);
        group->scratch_size = wanted;
    }
    return group->scratch;
}

/* h2o makes at least one TLS record of every vector, so small pieces are put together first. The records are made at
 * once, and with them the shared bytes are done with. */
static void write_tls(struct websocket *websocket) {
    struct websocket_group *group = websocket->group;
    size_t bytes;
    size_t count =
        websocket_queue_vectors(&websocket->pending, group->vectors, VECTORS_MAX, TLS_WRITE_BYTES_MAX, &bytes);
    uint8_t *flat = scratch_of(group, bytes);
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        memcpy(flat + at, group->vectors[i].iov_base, group->vectors[i].iov_len);
        at += group->vectors[i].iov_len;
    }
    size_t cost_before = websocket->pending.cost;
    websocket_queue_remove(&websocket->pending, count);
    websocket->in_flight_tls = cost_before - websocket->pending.cost;
    websocket->is_writing = true;
    h2o_iovec_t vector = h2o_iovec_init(flat, bytes);
    h2o_socket_write(websocket->socket, &vector, 1, on_written);
}

static void write_rest(struct websocket *websocket) {
    struct websocket_group *group = websocket->group;
    for (size_t i = 0; i < websocket->in_flight.count; i++) {
        const struct websocket_chunk *chunk = &websocket->in_flight.chunks[i];
        group->vectors[i] = (struct iovec){.iov_base = (void *)(uintptr_t)chunk->data, .iov_len = chunk->size};
    }
    websocket->is_writing = true;
    _Static_assert(sizeof(h2o_iovec_t) == sizeof(struct iovec), "h2o's vectors are the system's");
    h2o_socket_write(websocket->socket, (h2o_iovec_t *)group->vectors, websocket->in_flight.count, on_written);
}

/* Nearly always the system takes everything, and then there is no request to keep and no completion to wait for. Only
 * what it does not take goes through h2o. */
static void plain_written(struct websocket *websocket, size_t count, size_t bytes, ssize_t written, int error) {
    if (written < 0 && error != EAGAIN && error != EWOULDBLOCK) {
        end(websocket);
        return;
    }
    size_t taken = written < 0 ? 0 : (size_t)written;
    bool was_over_half = is_over_half(websocket);
    if (taken == bytes) {
        websocket_queue_remove(&websocket->pending, count);
    } else {
        websocket_queue_move(&websocket->pending, count, taken, &websocket->in_flight);
        write_rest(websocket);
    }
    websocket->has_new_room |= was_over_half && !is_over_half(websocket);
    if (!websocket->is_writing && websocket->pending.count > 0)
        mark_dirty(websocket);
}

static void write_plain(struct websocket *websocket) {
    struct websocket_group *group = websocket->group;
    size_t bytes;
    size_t count = websocket_queue_vectors(&websocket->pending, group->vectors, VECTORS_MAX, SIZE_MAX, &bytes);
    struct msghdr message = {.msg_iov = group->vectors, .msg_iovlen = count};
    ssize_t written;
    do
        written = sendmsg(websocket->descriptor, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (written < 0 && errno == EINTR);
    plain_written(websocket, count, bytes, written, errno);
}

static void write_count(struct websocket *websocket) {
    struct websocket_totals *totals = &websocket->group->totals;
    totals->writes++;
    totals->bytes_out += websocket->pending.cost - websocket->pending.count * sizeof(struct websocket_chunk);
}

static void write_pending(struct websocket *websocket) {
    write_count(websocket);
    if (websocket->socket->ssl != NULL)
        write_tls(websocket);
    else
        write_plain(websocket);
}

/* ---- The end ---- */

static void reap(struct websocket *websocket) {
    struct websocket_group *group = websocket->group;
    wheel_timer_stop(group->wheel, &websocket->timer);
    if (websocket->socket != NULL)
        h2o_socket_close(websocket->socket);
    websocket_queue_clear(&websocket->pending);
    websocket_queue_clear(&websocket->in_flight);
    drop_parser(websocket);
    websocket->callbacks->on_closed(websocket, websocket->closed_code);
    *websocket->link = websocket->next;
    if (websocket->next != NULL)
        websocket->next->link = websocket->link;
    group->count--;
    group->totals.closed++;
    free(websocket);
}

/* All is written. A peer that has sent its close frame is done too. Otherwise its input may still be on the way, and
 * closing now would reset the connection before it has read why; so it is told "no more" and given time. */
static void finish_ending(struct websocket *websocket) {
    if (websocket->is_close_received) {
        end(websocket);
    } else if (!websocket->is_half_closed) {
        websocket->is_half_closed = true;
        shutdown(websocket->descriptor, SHUT_WR);
    }
}

static bool can_write(const struct websocket *websocket) {
    return websocket->socket != NULL && !websocket->is_writing && websocket->pending.count > 0;
}

static void after_write(struct websocket *websocket) {
    bool is_idle = websocket->socket != NULL && !websocket->is_writing && websocket->pending.count == 0;
    if (websocket->state == WEBSOCKET_ENDING && is_idle)
        finish_ending(websocket);
    if (websocket->has_new_room && websocket->state == WEBSOCKET_OPEN) {
        websocket->has_new_room = false;
        if (websocket->callbacks->on_room != NULL)
            websocket->callbacks->on_room(websocket);
    }
}

/* Nothing but the calls in the first loop: what a call leaves of the processor's caches is not lost on bookkeeping in
 * between. Bookkeeping calls nobody; what may call sessions comes last, when no write is half done. */
static void plain_writes_perform(struct websocket_group *group) {
    size_t count = group->plain_writes_count;
    for (size_t i = 0; i < count; i++) {
        struct plain_write *write = &group->plain_writes[i];
        do
            write->written = send(write->descriptor, write->data, write->size, MSG_NOSIGNAL | MSG_DONTWAIT);
        while (write->written < 0 && errno == EINTR);
        write->error = errno;
    }
    for (size_t i = 0; i < count; i++) {
        struct plain_write *write = &group->plain_writes[i];
        write_count(write->websocket);
        plain_written(write->websocket, 1, write->size, write->written, write->error);
    }
    group->plain_writes_count = 0;
    for (size_t i = 0; i < count; i++)
        if (group->plain_writes[i].websocket->state != WEBSOCKET_ENDED)
            after_write(group->plain_writes[i].websocket);
}

static bool is_plain_write(const struct websocket *websocket) {
    return can_write(websocket) && websocket->socket->ssl == NULL && websocket->pending.count == 1;
}

static void plain_write_add(struct websocket *websocket) {
    struct websocket_group *group = websocket->group;
    const struct websocket_chunk *chunk = &websocket->pending.chunks[0];
    group->plain_writes[group->plain_writes_count++] = (struct plain_write){
        .websocket = websocket, .descriptor = websocket->descriptor, .data = chunk->data, .size = chunk->size};
}

static void flush(struct websocket *websocket) {
    if (can_write(websocket))
        write_pending(websocket);
    after_write(websocket);
}

/* Whatever may call a session may end any websocket, so what has been gathered is written before. */
static void flush_or_gather(struct websocket_group *group, struct websocket *websocket) {
    bool is_ended = websocket->state == WEBSOCKET_ENDED;
    if (is_ended || !is_plain_write(websocket) || group->plain_writes_count == PLAIN_WRITES_MAX)
        plain_writes_perform(group);
    if (websocket->is_dirty)
        return; /* one of those sessions has used it: it comes with the next flush */
    if (!is_ended && is_plain_write(websocket))
        plain_write_add(websocket);
    else if (!is_ended)
        flush(websocket);
    else if (!websocket->is_upgrading)
        reap(websocket);
}

bool websocket_group_flush(struct websocket_group *group) {
    struct websocket *dirty = group->dirty;
    group->dirty = NULL;
    while (dirty != NULL) {
        struct websocket *websocket = dirty;
        dirty = websocket->next_dirty;
        websocket->is_dirty = false;
        websocket->next_dirty = NULL;
        flush_or_gather(group, websocket);
    }
    plain_writes_perform(group);
    return group->dirty != NULL;
}

/* ---- Time ---- */

static void ping_or_end(struct websocket *websocket) {
    static const uint8_t ping[] = {0x80 | WEBSOCKET_PING, 0};
    uint64_t silent_ms = uv_now(websocket->group->loop) - websocket->last_input_ms;
    uint64_t interval_ms = websocket->ping_interval_ms;
    if (silent_ms >= 2 * interval_ms) {
        end(websocket);
        return;
    }
    if (silent_ms >= interval_ms)
        websocket_queue(websocket, &(struct websocket_segment){.owner = NULL, .data = ping, .size = sizeof(ping)}, 1,
                        WEBSOCKET_NEEDED);
    start_timer(websocket, silent_ms >= interval_ms ? 2 * interval_ms - silent_ms : interval_ms - silent_ms);
}

static void on_timer(struct wheel_timer *timer, void *owner) {
    (void)owner;
    struct websocket *websocket = H2O_STRUCT_FROM_MEMBER(struct websocket, timer, timer);
    if (websocket->state == WEBSOCKET_OPEN)
        ping_or_end(websocket);
    else
        end(websocket);
}

/* ---- The handshake ---- */

bool websocket_is_requested(struct http_call *call) {
    h2o_req_t *request = http_call_request(call);
    return request != NULL && h2o_lcstris(request->upgrade.base, request->upgrade.len, H2O_STRLIT("websocket"));
}

struct bytes websocket_offered_subprotocols(struct http_call *call) {
    return http_call_find_header(call, "sec-websocket-protocol");
}

static int refuse_upgrade(struct http_call *call, const char *sentence) {
    struct problem problem = {.rc = STATUS_BAD_REQUEST, .message = bytes_of_text(sentence)};
    http_call_set_header(call, "Upgrade", BYTES_LITERAL("websocket"));
    http_call_set_header(call, "Sec-WebSocket-Version", BYTES_LITERAL("13"));
    http_call_reply(call, 426, problem_body(&call->arena, &problem));
    return STATUS_BAD_REQUEST;
}

static int refuse_handshake(struct http_call *call, const char *target, const char *sentence) {
    struct problem problem = {
        .rc = STATUS_BAD_REQUEST, .message = bytes_of_text(sentence), .target = bytes_of_text(target)};
    http_call_refuse(call, &problem);
    return STATUS_BAD_REQUEST;
}

/* Answers the call if it is not a proper handshake (RFC 6455, 4.2.1). */
static int check_handshake(struct http_call *call, char accept[WEBSOCKET_ACCEPT_BYTES]) {
    if (!websocket_is_requested(call))
        return refuse_upgrade(call, "This resource is a WebSocket; the request does not ask for an upgrade to one.");
    if (!bytes_equal_text(call->method, "GET") || http_call_request(call)->version < 0x101 || call->body.size > 0)
        return refuse_handshake(call, NULL, "A WebSocket handshake is a GET of HTTP/1.1 without a body.");
    if (!bytes_equal_text(http_call_find_header(call, "sec-websocket-version"), "13"))
        return refuse_upgrade(call, "Only version 13 of the WebSocket protocol is supported.");
    if (websocket_accept_key(http_call_find_header(call, "sec-websocket-key"), accept) != 0)
        return refuse_handshake(call, "Sec-WebSocket-Key", "Sec-WebSocket-Key must be the base64 form of 16 bytes.");
    return 0;
}

static void on_upgraded(void *user, h2o_socket_t *socket, size_t request_size) {
    struct websocket *websocket = user;
    websocket->is_upgrading = false;
    mark_dirty(websocket);
    if (socket == NULL) {
        end(websocket);
        return;
    }
    websocket->socket = socket;
    websocket->descriptor = h2o_socket_get_fd(socket);
    socket->data = websocket;
    h2o_buffer_consume(&socket->input, request_size);
    if (websocket->state == WEBSOCKET_OPENING)
        set_state(websocket, WEBSOCKET_OPEN);
    if (websocket->state == WEBSOCKET_ENDED)
        return;
    h2o_socket_read_start(socket, on_read);
    consume_input(websocket);
}

static struct websocket *websocket_new(struct websocket_group *group, const struct websocket_options *options) {
    struct websocket *websocket = calloc(1, sizeof(*websocket));
    check(websocket != NULL);
    websocket->group = group;
    websocket->callbacks = options->callbacks;
    websocket->user = options->user;
    websocket->queue_bytes_max =
        options->queue_bytes_max == 0 ? LIMIT_SESSION_QUEUE_BYTES_MAX : options->queue_bytes_max;
    websocket->ping_interval_ms = options->ping_interval_ms == 0 ? PING_INTERVAL_MS_DEFAULT : options->ping_interval_ms;
    websocket->closed_code = CODE_ABNORMAL;
    websocket->is_upgrading = true;
    websocket->last_input_ms = uv_now(group->loop);
    websocket->next = group->all;
    websocket->link = &group->all;
    if (websocket->next != NULL)
        websocket->next->link = &websocket->next;
    group->all = websocket;
    group->count++;
    group->totals.opened++;
    start_timer(websocket, websocket->ping_interval_ms);
    return websocket;
}

static void add_header(h2o_req_t *request, const char *name, const char *value, size_t size) {
    h2o_iovec_t copy = h2o_strdup(&request->pool, value, size);
    h2o_add_header_by_str(&request->pool, &request->res.headers, name, strlen(name), 0, NULL, copy.base, copy.len);
}

int websocket_accept(struct http_call *call, const struct websocket_options *options, struct websocket **out) {
    *out = NULL;
    char accept[WEBSOCKET_ACCEPT_BYTES];
    int rc = check_handshake(call, accept);
    if (rc != 0)
        return rc;
    h2o_req_t *request = http_call_request(call);
    struct websocket *websocket = websocket_new(call->server->websockets, options);
    request->res.status = 101;
    request->res.reason = "Switching Protocols";
    h2o_add_header(&request->pool, &request->res.headers, H2O_TOKEN_UPGRADE, NULL, H2O_STRLIT("websocket"));
    add_header(request, "Sec-WebSocket-Accept", accept, sizeof(accept));
    if (options->subprotocol != NULL) {
        check(websocket_list_has(websocket_offered_subprotocols(call), bytes_of_text(options->subprotocol)));
        add_header(request, "Sec-WebSocket-Protocol", options->subprotocol, strlen(options->subprotocol));
    }
    http_call_free(call);
    h2o_http1_upgrade(request, NULL, 0, on_upgraded, websocket);
    *out = websocket;
    return 0;
}

/* ---- What others ask ---- */

void *websocket_user(const struct websocket *websocket) {
    return websocket->user;
}

void websocket_set_user(struct websocket *websocket, void *user) {
    websocket->user = user;
}

struct worker *websocket_worker(const struct websocket *websocket) {
    return websocket->group->worker;
}

size_t websocket_queued_bytes(const struct websocket *websocket) {
    return queued_cost(websocket);
}

bool websocket_is_closing(const struct websocket *websocket) {
    return websocket->is_close_queued || websocket->state >= WEBSOCKET_CLOSING;
}

struct websocket_group *websocket_group_new(struct worker *worker, struct timer_wheel *wheel, uv_loop_t *loop) {
    struct websocket_group *group = calloc(1, sizeof(*group));
    check(group != NULL);
    group->worker = worker;
    group->wheel = wheel;
    group->loop = loop;
    return group;
}

void websocket_group_close_all(struct websocket_group *group, const char *reason) {
    for (struct websocket *websocket = group->all; websocket != NULL; websocket = websocket->next)
        websocket_close(websocket, CODE_GOING_AWAY, reason);
}

size_t websocket_group_count(const struct websocket_group *group) {
    return group->count;
}

struct websocket_totals websocket_group_totals(const struct websocket_group *group) {
    return group->totals;
}

void websocket_group_free(struct websocket_group *group) {
    check(group->count == 0);
    parser_free(group->spare);
    free(group->scratch);
    free(group);
}
