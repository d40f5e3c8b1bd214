#define _GNU_SOURCE
#include "bench/session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "bench/chance.h"
#include "bench/native.h"
#include "bench/sdk.h"
#include "proto/check.h"
#include "proto/status.h"

#define READ_BYTES ((size_t)256 * 1024)

void session_host_init(struct session_host *host) {
    host->read_buffer = malloc(READ_BYTES);
    check(host->read_buffer != NULL && host->chance != 0);
    buffer_init(&host->scratch);
}

void session_host_close(struct session_host *host) {
    free(host->read_buffer);
    buffer_close(&host->scratch);
}

uint64_t session_host_chance(struct session_host *host) {
    return chance_next(&host->chance);
}

void session_open(struct session *session) {
    check(session->state == SESSION_CLOSED);
    buffer_init(&session->unread);
    buffer_init(&session->pieces);
    session->stream.fd = -1;
    if (session->host->wire == WIRE_SDK)
        sdk_open(session);
    else
        native_open(session);
}

void session_close(struct session *session) {
    if (session->state == SESSION_CLOSED)
        return;
    if (session->stream.fd >= 0) {
        loop_forget(session->host->loop, session->stream.fd);
        stream_close(&session->stream);
    }
    sdk_close(session);
    buffer_close(&session->unread);
    buffer_close(&session->pieces);
    session->state = SESSION_CLOSED;
}

void session_fail(struct session *session, bool is_temporary, const char *reason) {
    if (session->state == SESSION_CLOSED)
        return;
    bool was_ready = session->state == SESSION_READY;
    session_close(session);
    if (was_ready)
        session->host->events->on_closed(session, reason);
    else
        session->host->events->on_failed(session, is_temporary, reason);
}

void session_became_ready(struct session *session) {
    session->state = SESSION_READY;
    session->host->events->on_ready(session);
}

void session_deliver(struct session *session, const struct payload *payload, bool is_whole, uint64_t position,
                     size_t size, int64_t now_ns) {
    session->host->delivery_bytes += size + (size < 126 ? 2 : size < 65536 ? 4 : 10);
    session->host->events->on_delivery(session, is_whole && position != 0, payload, position, now_ns);
}

uint64_t session_scan_number(struct bytes text, const char *mark, size_t mark_size) {
    const uint8_t *at = memmem(text.data, text.size, mark, mark_size);
    if (at == NULL)
        return 0;
    const uint8_t *end = text.data + text.size;
    uint64_t value = 0;
    for (at += mark_size; at < end && *at >= '0' && *at <= '9' && value < UINT64_MAX / 10 - 1; at++)
        value = value * 10 + (uint64_t)(*at - '0');
    return value;
}

void session_queue(struct session *session, enum websocket_opcode opcode, struct bytes payload) {
    websocket_frame_encode(opcode, payload, (uint32_t)session_host_chance(session->host), &session->stream.unsent);
}

static void fail_of_close_frame(struct session *session, struct bytes payload) {
    char reason[200];
    unsigned code = payload.size >= 2 ? (unsigned)payload.data[0] << 8 | payload.data[1] : 1005;
    struct bytes text = payload.size > 2 ? bytes_of(payload.data + 2, payload.size - 2) : BYTES_LITERAL("");
    snprintf(reason, sizeof reason, "the server closed with %u %.*s", code, BYTES_ARG(text));
    session_fail(session, false, reason);
}

static void on_message(struct session *session, struct bytes message, int64_t now_ns) {
    if (session->host->wire == WIRE_SDK)
        sdk_on_message(session, message, now_ns);
    else
        native_on_message(session, message, now_ns);
}

static void on_fragment(struct session *session, const struct websocket_frame *frame, int64_t now_ns) {
    if (session->pieces.size + frame->payload.size > WEBSOCKET_MESSAGE_BYTES_MAX) {
        session_fail(session, false, "the server sent a message above 1 MiB");
        return;
    }
    buffer_append_bytes(&session->pieces, frame->payload);
    if (!frame->is_final)
        return;
    struct buffer whole = session->pieces;
    buffer_init(&session->pieces);
    on_message(session, buffer_bytes(&whole), now_ns);
    buffer_close(&whole);
}

static void on_frame(struct session *session, const struct websocket_frame *frame, int64_t now_ns) {
    if (frame->opcode == WEBSOCKET_PING)
        session_queue(session, WEBSOCKET_PONG, frame->payload);
    else if (frame->opcode == WEBSOCKET_CLOSE)
        fail_of_close_frame(session, frame->payload);
    else if (frame->opcode == WEBSOCKET_CONTINUATION || !frame->is_final)
        on_fragment(session, frame, now_ns);
    else if (frame->opcode != WEBSOCKET_PONG)
        on_message(session, frame->payload, now_ns);
}

/* Bytes used up; with those of the upgrade's answer. */
static size_t take_upgrade(struct session *session, struct bytes data) {
    char reason[300];
    size_t size = 0;
    const char *subprotocol = session->host->wire == WIRE_SDK ? NULL : native_subprotocol(session->host->wire);
    int rc = websocket_upgrade_check(data, session->key, subprotocol, &size, reason, sizeof reason);
    if (rc < 0) {
        session_fail(session, strstr(reason, " 503") != NULL || strstr(reason, " 429") != NULL, reason);
    } else if (rc == STATUS_OK) {
        session->state = SESSION_JOINING;
        if (session->host->wire != WIRE_SDK)
            native_on_upgraded(session);
    }
    return size;
}

static size_t take_frames(struct session *session, struct bytes data, int64_t now_ns) {
    size_t used = 0;
    struct websocket_frame frame;
    while (session->state >= SESSION_JOINING) {
        int rc = websocket_frame_decode(bytes_of(data.data + used, data.size - used), &frame);
        if (rc < 0)
            session_fail(session, false, "the server sent a malformed frame");
        if (rc != STATUS_OK)
            break;
        used += frame.size;
        on_frame(session, &frame, now_ns);
    }
    return used;
}

static size_t take_bytes(struct session *session, struct bytes data, int64_t now_ns) {
    size_t used = session->state == SESSION_UPGRADING ? take_upgrade(session, data) : 0;
    return used + take_frames(session, bytes_of(data.data + used, data.size - used), now_ns);
}

/* Whole frames are used where they were read; only what is cut at the end is kept. */
static void take_read(struct session *session, struct bytes data, int64_t now_ns) {
    if (session->unread.size == 0) {
        size_t used = take_bytes(session, data, now_ns);
        if (session->state != SESSION_CLOSED && used < data.size)
            buffer_append(&session->unread, data.data + used, data.size - used);
        return;
    }
    struct buffer unread = session->unread;
    buffer_init(&session->unread);
    buffer_append_bytes(&unread, data);
    size_t used = take_bytes(session, buffer_bytes(&unread), now_ns);
    if (session->state != SESSION_CLOSED && used < unread.size)
        buffer_append(&session->unread, unread.data + used, unread.size - used);
    buffer_close(&unread);
}

static void on_readable(struct session *session) {
    bool has_more = true;
    while (has_more && session->state >= SESSION_UPGRADING) {
        long size = stream_read(&session->stream, session->host->read_buffer, READ_BYTES, &has_more);
        if (size < 0)
            session_fail(session, true, "the connection was closed");
        else if (size > 0)
            take_read(session, bytes_of(session->host->read_buffer, (size_t)size), loop_now_ns());
    }
}

static void on_connecting(struct session *session) {
    char reason[200];
    if (stream_connect_step(&session->stream, reason, sizeof reason) != STATUS_OK)
        session_fail(session, false, reason);
    else if (session->stream.is_connected)
        session->state = SESSION_UPGRADING;
}

static void on_stream_ready(void *context, uint32_t events) {
    struct session *session = context;
    if (session->state == SESSION_CONNECTING)
        on_connecting(session);
    else if (events & (EPOLLIN | EPOLLERR | EPOLLHUP))
        on_readable(session);
    session_flush(session);
}

void session_flush(struct session *session) {
    if (session->state < SESSION_CONNECTING)
        return;
    if (session->stream.is_connected && stream_flush(&session->stream) != STATUS_OK) {
        session_fail(session, true, "the connection broke while sending");
        return;
    }
    loop_watch(session->host->loop, session->stream.fd, stream_events(&session->stream), on_stream_ready, session);
}

void session_connect(struct session *session, const struct address *address, const char *target,
                     const char *subprotocol) {
    uint64_t entropy[2] = {session_host_chance(session->host), session_host_chance(session->host)};
    session->state = SESSION_CONNECTING;
    if (stream_open(&session->stream, address, session->host->tls) != STATUS_OK) {
        session_fail(session, true, strerror(errno));
        return;
    }
    websocket_key_make((const uint8_t *)entropy, session->key);
    websocket_upgrade_encode(target, address->authority, session->key, subprotocol, &session->stream.unsent);
    session_flush(session);
}
