#include "node/gateway/websocket.h"

#include <stdlib.h>
#include <string.h>

#include "node/gateway/websocket_parts.h"
#include "proto/check.h"
#include "proto/limits.h"

#define PING_INTERVAL_MS_DEFAULT 25000
#define CLOSE_TIMEOUT_MS 5000
#define DROP_TIMEOUT_MS 60000 /* a reader that has stopped is to learn why, should it go on */
#define CODE_GOING_AWAY 1001

void websocket_mark_dirty(struct websocket *websocket) {
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

void websocket_set_state(struct websocket *websocket, enum websocket_state state) {
    check(state > websocket->state);
    websocket->state = state;
    if (state == WEBSOCKET_CLOSING || state == WEBSOCKET_ENDING)
        start_timer(websocket, websocket->is_dropped ? DROP_TIMEOUT_MS : CLOSE_TIMEOUT_MS);
    if (state == WEBSOCKET_ENDED && websocket->socket != NULL)
        h2o_socket_read_stop(websocket->socket);
    websocket_mark_dirty(websocket);
}

void websocket_end(struct websocket *websocket) {
    if (websocket->state != WEBSOCKET_ENDED)
        websocket_set_state(websocket, WEBSOCKET_ENDED);
}

/* ---- Time ---- */

static void ping_or_end(struct websocket *websocket) {
    static const uint8_t ping[] = {0x80 | WEBSOCKET_PING, 0};
    uint64_t silent_ms = uv_now(websocket->group->loop) - websocket->last_input_ms;
    uint64_t interval_ms = websocket->ping_interval_ms;
    if (silent_ms >= 2 * interval_ms) {
        websocket_end(websocket);
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
        websocket_end(websocket);
}

/* ---- The beginning ---- */

struct websocket *websocket_new(struct websocket_group *group, const struct websocket_options *options) {
    struct websocket *websocket = NULL;
    check(posix_memalign((void **)&websocket, CACHE_LINE_BYTES, sizeof(*websocket)) == 0);
    memset(websocket, 0, sizeof(*websocket));
    websocket->group = group;
    websocket->callbacks = options->callbacks;
    websocket->user = options->user;
    websocket->queue_bytes_max =
        options->queue_bytes_max == 0 ? LIMIT_SESSION_QUEUE_BYTES_MAX : options->queue_bytes_max;
    websocket->ping_interval_ms = options->ping_interval_ms == 0 ? PING_INTERVAL_MS_DEFAULT : options->ping_interval_ms;
    websocket->closed_code = WEBSOCKET_CODE_ABNORMAL;
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

/* ---- Queueing ---- */

static size_t queued_cost(const struct websocket *websocket) {
    return websocket->pending.cost + websocket->in_flight.cost + websocket->in_flight_tls;
}

bool websocket_is_over_half(const struct websocket *websocket) {
    return queued_cost(websocket) > websocket->queue_bytes_max / 2;
}

static void queue_always(struct websocket *websocket, const struct websocket_segment *segments, size_t count) {
    websocket_queue_append(&websocket->pending, segments, count);
    websocket_mark_dirty(websocket);
}

int websocket_queue(struct websocket *websocket, const struct websocket_segment *segments, size_t count,
                    enum websocket_priority priority) {
    if (websocket->is_close_queued || websocket->state >= WEBSOCKET_ENDING)
        return STATUS_SHUTTING_DOWN;
    if (priority == WEBSOCKET_DROPPABLE && websocket_is_over_half(websocket)) {
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

void websocket_queue_close_frame(struct websocket *websocket, uint16_t code, const char *reason) {
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
    websocket_queue_close_frame(websocket, code, reason);
    websocket_set_state(websocket, WEBSOCKET_CLOSING);
}

void websocket_drop(struct websocket *websocket, uint16_t code, const char *reason) {
    if (websocket->is_close_queued || websocket->state >= WEBSOCKET_CLOSING)
        return;
    websocket_queue_clear(&websocket->pending);
    websocket->is_dropped = true;
    websocket_close(websocket, code, reason);
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

struct websocket_group *websocket_group_new(struct worker *worker, struct timer_wheel *wheel, uv_loop_t *loop,
                                            bool may_use_io_uring) {
    struct websocket_group *group = calloc(1, sizeof(*group));
    check(group != NULL);
    group->worker = worker;
    group->wheel = wheel;
    group->loop = loop;
    group->output = websocket_output_new(may_use_io_uring);
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
    websocket_parser_free(group->spare);
    websocket_output_free(group->output);
    free(group);
}
