#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "node/gateway/send_batch.h"
#include "node/gateway/websocket_parts.h"
#include "proto/check.h"

#define VECTORS_MAX 1024 /* what Linux takes in one call */
/* One flattened TLS write; what is more waits for the next turn, so that one reader cannot fill memory twice. */
#define TLS_WRITE_BYTES_MAX ((size_t)256 * 1024)

struct websocket_output {
    struct iovec vectors[VECTORS_MAX];
    struct send_batch *batch; /* one piece each for plain sockets, which is what fan-out makes */
    uint8_t *scratch;         /* TLS_WRITE_BYTES_MAX, or the largest frame so far */
    size_t scratch_size;
};

static void on_written(h2o_socket_t *socket, const char *error) {
    struct websocket *websocket = socket->data;
    bool was_over_half = websocket_is_over_half(websocket);
    websocket->is_writing = false;
    websocket->in_flight_tls = 0;
    websocket_queue_clear(&websocket->in_flight);
    websocket->has_new_room |= was_over_half && !websocket_is_over_half(websocket);
    if (error != NULL)
        websocket_end(websocket);
    websocket_mark_dirty(websocket);
}

static uint8_t *scratch_of(struct websocket_output *output, size_t size) {
    if (size > output->scratch_size) {
        size_t wanted = size > TLS_WRITE_BYTES_MAX ? size : TLS_WRITE_BYTES_MAX;
        free(output->scratch);
        output->scratch = malloc(wanted);
        check(output->scratch != NULL);
        output->scratch_size = wanted;
    }
    return output->scratch;
}

/* h2o makes at least one TLS record of every vector, so small pieces are put together first. The records are made at
 * once, and with them the shared bytes are done with. */
static void write_tls(struct websocket *websocket) {
    struct websocket_output *output = websocket->group->output;
    size_t bytes;
    size_t count =
        websocket_queue_vectors(&websocket->pending, output->vectors, VECTORS_MAX, TLS_WRITE_BYTES_MAX, &bytes);
    uint8_t *flat = scratch_of(output, bytes);
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        memcpy(flat + at, output->vectors[i].iov_base, output->vectors[i].iov_len);
        at += output->vectors[i].iov_len;
    }
    size_t cost_before = websocket->pending.cost;
    websocket_queue_remove(&websocket->pending, count);
    websocket->in_flight_tls = cost_before - websocket->pending.cost;
    websocket->is_writing = true;
    h2o_iovec_t vector = h2o_iovec_init(flat, bytes);
    h2o_socket_write(websocket->socket, &vector, 1, on_written);
}

static void write_rest(struct websocket *websocket) {
    struct websocket_output *output = websocket->group->output;
    for (size_t i = 0; i < websocket->in_flight.count; i++) {
        const struct websocket_chunk *chunk = &websocket->in_flight.chunks[i];
        output->vectors[i] = (struct iovec){.iov_base = (void *)(uintptr_t)chunk->data, .iov_len = chunk->size};
    }
    websocket->is_writing = true;
    _Static_assert(sizeof(h2o_iovec_t) == sizeof(struct iovec), "h2o's vectors are the system's");
    h2o_socket_write(websocket->socket, (h2o_iovec_t *)output->vectors, websocket->in_flight.count, on_written);
}

/* Nearly always the system takes everything, and then there is no request to keep and no completion to wait for. Only
 * what it does not take goes through h2o. `result`: the bytes taken, or a negative errno. */
static void plain_written(struct websocket *websocket, size_t count, size_t bytes, ssize_t result) {
    if (result < 0 && result != -EAGAIN && result != -EWOULDBLOCK) {
        websocket_end(websocket);
        return;
    }
    size_t taken = result < 0 ? 0 : (size_t)result;
    bool was_over_half = websocket_is_over_half(websocket);
    if (taken == bytes) {
        websocket_queue_remove(&websocket->pending, count);
    } else {
        websocket_queue_move(&websocket->pending, count, taken, &websocket->in_flight);
        write_rest(websocket);
    }
    websocket->has_new_room |= was_over_half && !websocket_is_over_half(websocket);
    if (!websocket->is_writing && websocket->pending.count > 0)
        websocket_mark_dirty(websocket);
}

static void write_plain(struct websocket *websocket) {
    struct websocket_output *output = websocket->group->output;
    size_t bytes;
    size_t count = websocket_queue_vectors(&websocket->pending, output->vectors, VECTORS_MAX, SIZE_MAX, &bytes);
    struct msghdr message = {.msg_iov = output->vectors, .msg_iovlen = count};
    ssize_t written;
    do
        written = sendmsg(websocket->descriptor, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (written < 0 && errno == EINTR);
    plain_written(websocket, count, bytes, written < 0 ? -errno : written);
}

static void write_count(struct websocket *websocket) {
    struct websocket_totals *totals = &websocket->group->totals;
    totals->writes++;
    totals->bytes_out += websocket->pending.cost - websocket->pending.count * sizeof(struct websocket_chunk);
}

static void write_pending(struct websocket *websocket) {
    write_count(websocket);
    if (websocket->is_plain)
        write_plain(websocket);
    else
        write_tls(websocket);
}

/* ---- The end ---- */

static void reap(struct websocket *websocket) {
    struct websocket_group *group = websocket->group;
    wheel_timer_stop(group->wheel, &websocket->timer);
    if (websocket->socket != NULL)
        h2o_socket_close(websocket->socket);
    websocket_queue_clear(&websocket->pending);
    websocket_queue_clear(&websocket->in_flight);
    websocket_parser_free(websocket->parser);
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
        websocket_end(websocket);
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

/* Bookkeeping calls nobody; what may call sessions comes last, when no write is half done. */
static void batch_perform(struct websocket_group *group) {
    size_t count;
    const struct send_batch_item *items = send_batch_perform(group->output->batch, &count);
    for (size_t i = 0; i < count; i++) {
        struct websocket *websocket = items[i].user;
        write_count(websocket);
        plain_written(websocket, 1, items[i].size, items[i].result);
    }
    for (size_t i = 0; i < count; i++) {
        struct websocket *websocket = items[i].user;
        if (websocket->state != WEBSOCKET_ENDED)
            after_write(websocket);
    }
}

static bool is_for_batch(const struct websocket *websocket) {
    return can_write(websocket) && websocket->is_plain && websocket->pending.count == 1;
}

static void batch_add(struct websocket *websocket) {
    const struct websocket_chunk *chunk = &websocket->pending.chunks[0];
    send_batch_add(websocket->group->output->batch, websocket->descriptor, chunk->data, chunk->size, websocket);
}

static void flush(struct websocket *websocket) {
    if (can_write(websocket))
        write_pending(websocket);
    after_write(websocket);
}

/* Whatever may call a session may end any websocket, so what has been gathered is written before. */
static void flush_or_gather(struct websocket_group *group, struct websocket *websocket) {
    bool is_ended = websocket->state == WEBSOCKET_ENDED;
    if (is_ended || !is_for_batch(websocket) || send_batch_is_full(group->output->batch))
        batch_perform(group);
    if (websocket->is_dirty)
        return; /* one of those sessions has used it: it comes with the next flush */
    if (!is_ended && is_for_batch(websocket))
        batch_add(websocket);
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
    batch_perform(group);
    return group->dirty != NULL;
}

struct websocket_output *websocket_output_new(bool may_use_io_uring) {
    struct websocket_output *output = calloc(1, sizeof(*output));
    check(output != NULL);
    output->batch = send_batch_new(may_use_io_uring);
    return output;
}

void websocket_output_free(struct websocket_output *output) {
    send_batch_free(output->batch);
    free(output->scratch);
    free(output);
}
