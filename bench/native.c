#define _GNU_SOURCE
#include "bench/native.h"

#include <stdio.h>

#include "proto/json_msgpack.h"
#include "proto/realtime.h"

static enum realtime_format format_of(const struct session *session) {
    return session->host->wire == WIRE_MSGPACK ? REALTIME_MSGPACK : REALTIME_JSON;
}

static enum websocket_opcode opcode_of(const struct session *session) {
    return session->host->wire == WIRE_MSGPACK ? WEBSOCKET_BINARY : WEBSOCKET_TEXT;
}

const char *native_subprotocol(enum wire wire) {
    return wire == WIRE_MSGPACK ? "weft.v1.msgpack" : "weft.v1.json";
}

void native_open(struct session *session) {
    session_connect(session, session->node, "/realtime", native_subprotocol(session->host->wire));
}

void native_on_upgraded(struct session *session) {
    struct buffer *scratch = &session->host->scratch;
    struct realtime_position position = {session->thread_id, session->reader.last_position};
    scratch->size = 0;
    realtime_connect_request_encode(format_of(session), bytes_of_text(session->user->token), &position,
                                    session->is_resuming ? 1 : 0, scratch);
    session_queue(session, opcode_of(session), buffer_bytes(scratch));
}

void native_send(struct session *session, struct bytes id, struct bytes thread_id, struct bytes content) {
    struct buffer *scratch = &session->host->scratch;
    scratch->size = 0;
    realtime_send_request_encode(format_of(session), id, thread_id, content, scratch);
    session_queue(session, opcode_of(session), buffer_bytes(scratch));
    session_flush(session);
}

void native_resume(struct session *session) {
    struct buffer *scratch = &session->host->scratch;
    struct realtime_position position = {session->thread_id, session->reader.last_position};
    scratch->size = 0;
    realtime_resume_request_encode(format_of(session), &position, 1, scratch);
    session_queue(session, opcode_of(session), buffer_bytes(scratch));
}

/* An unsigned integer of MessagePack at the start of `at`; 0 for anything else. */
static uint64_t msgpack_number(struct bytes at) {
    if (at.size == 0)
        return 0;
    unsigned head = at.data[0];
    if (head < 0x80)
        return head;
    if (head < 0xcc || head > 0xcf)
        return 0;
    size_t size = (size_t)1 << (head - 0xcc);
    if (at.size <= size)
        return 0;
    uint64_t value = 0;
    for (size_t i = 1; i <= size; i++)
        value = value << 8 | at.data[i];
    return value;
}

static uint64_t offset_of_message(const struct session *session, struct bytes message) {
    static const char json_mark[] = "\"offset\":", msgpack_mark[] = "\xa6offset";
    if (format_of(session) == REALTIME_JSON)
        return session_scan_number(message, json_mark, sizeof json_mark - 1);
    const uint8_t *at = memmem(message.data, message.size, msgpack_mark, sizeof msgpack_mark - 1);
    if (at == NULL)
        return 0;
    at += sizeof msgpack_mark - 1;
    return msgpack_number(bytes_of(at, (size_t)(message.data + message.size - at)));
}

static struct bytes member_text(const json_t *frame, const char *name) {
    return bytes_of_text(json_string_value(json_object_get(frame, name)));
}

static void answer_take(struct session *session, const json_t *frame, bool is_accepted, int64_t now_ns) {
    struct session_answer answer = {
        .is_accepted = is_accepted,
        .is_duplicate = json_is_true(json_object_get(frame, "duplicate")),
        .id = member_text(frame, "id"),
        .code = member_text(frame, "code"),
        .message = member_text(frame, "message"),
        .durability = member_text(frame, "durability"),
    };
    session->host->events->on_answer(session, &answer, now_ns);
}

static uint64_t member_number(const json_t *frame, const char *name) {
    json_int_t value = json_integer_value(json_object_get(frame, name));
    return value < 0 ? 0 : (uint64_t)value;
}

/* What a client that stays for long has to obey. */
static void guidance_take(struct session *session, const json_t *frame, struct bytes type) {
    const struct session_events *events = session->host->events;
    if (bytes_equal_text(type, "goaway") && events->on_goaway != NULL)
        events->on_goaway(session, (int64_t)member_number(frame, "afterMs"));
    else if (bytes_equal_text(type, "complete") && events->on_resumed != NULL)
        events->on_resumed(session, member_number(frame, "offset"), false);
    else if (bytes_equal_text(type, "gap") && events->on_resumed != NULL)
        events->on_resumed(session, member_number(frame, "to"), true);
}

static void greeting_take(struct session *session, const json_t *frame, struct bytes type) {
    if (bytes_equal_text(type, "connected")) {
        session_became_ready(session);
        return;
    }
    char reason[300];
    struct bytes code = member_text(frame, "code"), message = member_text(frame, "message");
    snprintf(reason, sizeof reason, "connect was answered with %.*s %.*s %.*s", BYTES_ARG(type), BYTES_ARG(code),
             BYTES_ARG(message));
    session_fail(session, bytes_equal_text(code, "Overloaded") || bytes_equal_text(code, "TooManyRequests"), reason);
}

/* Everything but deliveries: rare enough to be read in full. */
static void frame_take(struct session *session, struct bytes message, int64_t now_ns) {
    json_t *frame = format_of(session) == REALTIME_JSON
                        ? json_loadb((const char *)message.data, message.size, JSON_REJECT_DUPLICATES, NULL)
                        : json_tree_from_msgpack(message);
    struct bytes type = member_text(frame, "type");
    if (!bytes_is_present(type))
        session_fail(session, false, "the server sent a frame without type");
    else if (session->state == SESSION_JOINING)
        greeting_take(session, frame, type);
    else if (bytes_equal_text(type, "ack") || bytes_equal_text(type, "error"))
        answer_take(session, frame, bytes_equal_text(type, "ack"), now_ns);
    else
        guidance_take(session, frame, type);
    json_decref(frame);
}

void native_on_message(struct session *session, struct bytes message, int64_t now_ns) {
    struct payload payload;
    bool was_found;
    bool is_whole = payload_find(message, session->host->payload_bytes, &payload, &was_found);
    if (was_found && session->state == SESSION_READY)
        session_deliver(session, &payload, is_whole, offset_of_message(session, message), message.size, now_ns);
    else
        frame_take(session, message, now_ns);
}
