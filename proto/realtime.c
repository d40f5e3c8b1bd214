#include "proto/realtime.h"

#include "proto/chat_json.h"
#include "proto/check.h"
#include "proto/json_msgpack.h"
#include "proto/json_tree.h"

/* Every frame is built as one tree and written in the session's format. */

static json_t *frame_new(const char *type) {
    json_t *frame = json_object_new();
    json_text_set(frame, "type", bytes_of_text(type));
    return frame;
}

static void frame_take(enum realtime_format format, json_t *frame, struct buffer *out) {
    if (format == REALTIME_JSON) {
        json_append_take(out, frame);
        return;
    }
    json_tree_to_msgpack(frame, out);
    json_decref(frame);
}

static void number_set(json_t *frame, const char *name, uint64_t value) {
    json_t *number = json_integer((json_int_t)value);
    check(number != NULL);
    json_member_set(frame, name, number);
}

static void decimal_set_present(json_t *frame, const char *name, uint64_t value) {
    if (value != 0)
        json_member_set(frame, name, json_decimal_new(value));
}

/* Changes */

static const char *change_type_text(enum change_kind kind) {
    switch (kind) {
    case CHANGE_MESSAGE_RECEIVED:
        return "message";
    case CHANGE_MESSAGE_EDITED:
        return "messageEdited";
    case CHANGE_MESSAGE_DELETED:
        return "messageDeleted";
    case CHANGE_THREAD_CREATED:
        return "threadCreated";
    case CHANGE_THREAD_UPDATED:
        return "threadUpdated";
    case CHANGE_THREAD_DELETED:
        return "threadDeleted";
    case CHANGE_PARTICIPANTS_ADDED:
        return "participantsAdded";
    case CHANGE_PARTICIPANTS_REMOVED:
        return "participantsRemoved";
    case CHANGE_TYPING:
        return "typing";
    case CHANGE_RECEIPTS:
        return "receipts";
    case CHANGE_USER_JOINED:
    case CHANGE_USER_REVOKED:
        return NULL;
    }
    return NULL;
}

static void message_set_present(json_t *frame, const struct change *change) {
    if (change->message.type != 0)
        json_member_set(frame, "message", message_to_json(&change->message, JSON_TIMES_MS));
}

static void properties_set(json_t *frame, const struct change *change) {
    json_member_set(frame, "properties", thread_properties_to_json(&change->properties, JSON_TIMES_MS));
}

static void participants_set(json_t *frame, const struct change *change) {
    json_t *participants = json_array_new();
    for (size_t i = 0; i < change->participants.count; i++)
        json_item_add(participants, participant_to_json(&change->participants.items[i], JSON_TIMES_MS));
    json_member_set(frame, "participants", participants);
}

static void typing_users_set(json_t *frame, const struct change *change) {
    json_t *users = json_array_new();
    for (size_t i = 0; i < change->typing_count; i++) {
        json_t *user = json_object_new();
        json_text_set(user, "user", change->typing[i].user_id);
        if (change->typing[i].display_name.size > 0)
            json_text_set(user, "displayName", change->typing[i].display_name);
        json_time_set(user, "at", change->typing[i].time_ms, JSON_TIMES_MS);
        json_item_add(users, user);
    }
    json_member_set(frame, "users", users);
}

static void receipts_set(json_t *frame, const struct change *change) {
    json_t *receipts = json_array_new();
    for (size_t i = 0; i < change->receipts_count; i++) {
        json_t *receipt = json_object_new();
        json_text_set(receipt, "user", change->receipts[i].user_id);
        json_member_set(receipt, "messageId", json_decimal_new(change->receipts[i].message_id));
        json_time_set(receipt, "readOn", change->receipts[i].read_ms, JSON_TIMES_MS);
        json_item_add(receipts, receipt);
    }
    json_member_set(frame, "receipts", receipts);
}

static void change_members_set(json_t *frame, const struct change *change) {
    switch (change->kind) {
    case CHANGE_MESSAGE_RECEIVED:
    case CHANGE_MESSAGE_EDITED:
    case CHANGE_MESSAGE_DELETED:
        message_set_present(frame, change);
        break;
    case CHANGE_THREAD_CREATED:
        properties_set(frame, change);
        participants_set(frame, change);
        json_text_set_present(frame, "by", change->actor_id);
        break;
    case CHANGE_THREAD_UPDATED:
        properties_set(frame, change);
        json_text_set_present(frame, "by", change->actor_id);
        message_set_present(frame, change);
        break;
    case CHANGE_THREAD_DELETED:
        json_time_set(frame, "deletedOn", change->time_ms, JSON_TIMES_MS);
        json_text_set_present(frame, "reason", change->reason);
        json_text_set_present(frame, "by", change->actor_id);
        break;
    case CHANGE_PARTICIPANTS_ADDED:
    case CHANGE_PARTICIPANTS_REMOVED:
        participants_set(frame, change);
        json_text_set_present(frame, "by", change->actor_id);
        message_set_present(frame, change);
        break;
    case CHANGE_TYPING:
        typing_users_set(frame, change);
        break;
    case CHANGE_RECEIPTS:
        receipts_set(frame, change);
        break;
    case CHANGE_USER_JOINED:
    case CHANGE_USER_REVOKED:
        break;
    }
}

void realtime_change_encode(enum realtime_format format, const struct change *change, const char *durability,
                            struct buffer *out) {
    const char *type = change_type_text(change->kind);
    if (type == NULL)
        return;
    json_t *frame = frame_new(type);
    json_text_set(frame, "thread", change->thread_id);
    /* What is stored has a place in the thread's order and says what holds it. */
    if (change->kind != CHANGE_TYPING && change->kind != CHANGE_RECEIPTS) {
        number_set(frame, "offset", change->offset);
        json_text_set_present(frame, "durability", bytes_of_text(durability));
    }
    change_members_set(frame, change);
    frame_take(format, frame, out);
}

/* Answers and notices */

void realtime_connected_encode(enum realtime_format format, struct bytes user_id, int64_t expires_ms,
                               uint32_t heartbeat_ms, struct bytes node, struct buffer *out) {
    json_t *frame = frame_new("connected");
    json_text_set(frame, "user", user_id);
    json_time_set(frame, "expiresOn", expires_ms, JSON_TIMES_MS);
    number_set(frame, "heartbeatMs", heartbeat_ms);
    json_text_set(frame, "node", node);
    frame_take(format, frame, out);
}

void realtime_ack_encode(enum realtime_format format, struct bytes id, struct bytes thread_id,
                         const struct command_result *result, const char *durability, struct buffer *out) {
    json_t *frame = frame_new("ack");
    json_text_set_present(frame, "id", id);
    json_text_set(frame, "thread", thread_id);
    decimal_set_present(frame, "messageId", result->message_id);
    decimal_set_present(frame, "sequenceId", result->sequence);
    if (result->offset != 0)
        number_set(frame, "offset", result->offset);
    decimal_set_present(frame, "version", result->version);
    if (result->time_ms != 0)
        json_time_set(frame, "createdOn", result->time_ms, JSON_TIMES_MS);
    json_text_set_present(frame, "durability", bytes_of_text(durability));
    if (result->is_duplicate)
        json_member_set(frame, "duplicate", json_true());
    frame_take(format, frame, out);
}

void realtime_error_encode(enum realtime_format format, struct bytes id, struct bytes thread_id,
                           const struct problem *problem, uint32_t retry_after_ms, struct buffer *out) {
    json_t *frame = frame_new("error");
    json_text_set_present(frame, "id", id);
    json_text_set(frame, "code", bytes_of_text(status_name(problem->rc)));
    json_text_set(frame, "message",
                  bytes_is_present(problem->message) ? problem->message : bytes_of_text(status_sentence(problem->rc)));
    json_text_set_present(frame, "thread", thread_id);
    if (retry_after_ms != 0)
        number_set(frame, "retryAfterMs", retry_after_ms);
    frame_take(format, frame, out);
}

void realtime_complete_encode(enum realtime_format format, struct bytes thread_id, uint64_t offset,
                              struct buffer *out) {
    json_t *frame = frame_new("complete");
    json_text_set(frame, "thread", thread_id);
    number_set(frame, "offset", offset);
    frame_take(format, frame, out);
}

void realtime_gap_encode(enum realtime_format format, struct bytes thread_id, uint64_t from, uint64_t to,
                         struct buffer *out) {
    json_t *frame = frame_new("gap");
    json_text_set(frame, "thread", thread_id);
    number_set(frame, "from", from);
    number_set(frame, "to", to);
    frame_take(format, frame, out);
}

void realtime_goaway_encode(enum realtime_format format, uint32_t after_ms, const char *reason, struct buffer *out) {
    json_t *frame = frame_new("goaway");
    number_set(frame, "afterMs", after_ms);
    json_text_set(frame, "reason", bytes_of_text(reason));
    frame_take(format, frame, out);
}

void realtime_pong_encode(enum realtime_format format, struct bytes id, struct buffer *out) {
    json_t *frame = frame_new("pong");
    json_text_set_present(frame, "id", id);
    frame_take(format, frame, out);
}

static void expiry_encode(enum realtime_format format, const char *type, int64_t expires_ms, struct buffer *out) {
    json_t *frame = frame_new(type);
    json_time_set(frame, "expiresOn", expires_ms, JSON_TIMES_MS);
    frame_take(format, frame, out);
}

void realtime_token_accepted_encode(enum realtime_format format, int64_t expires_ms, struct buffer *out) {
    expiry_encode(format, "tokenAccepted", expires_ms, out);
}

void realtime_token_expiring_encode(enum realtime_format format, int64_t expires_ms, struct buffer *out) {
    expiry_encode(format, "tokenExpiring", expires_ms, out);
}

/* Requests */

static json_t *positions_json(const struct realtime_position *positions, size_t count) {
    json_t *object = json_object_new();
    for (size_t i = 0; i < count; i++)
        check(json_object_setn_new(object, (const char *)positions[i].thread_id.data, positions[i].thread_id.size,
                                   json_integer((json_int_t)positions[i].offset)) == 0);
    return object;
}

void realtime_connect_request_encode(enum realtime_format format, struct bytes token,
                                     const struct realtime_position *positions, size_t positions_count,
                                     struct buffer *out) {
    json_t *frame = frame_new("connect");
    json_text_set(frame, "token", token);
    if (positions_count > 0)
        json_member_set(frame, "resume", positions_json(positions, positions_count));
    frame_take(format, frame, out);
}

void realtime_resume_request_encode(enum realtime_format format, const struct realtime_position *positions,
                                    size_t positions_count, struct buffer *out) {
    json_t *frame = frame_new("resume");
    json_member_set(frame, "threads", positions_json(positions, positions_count));
    frame_take(format, frame, out);
}

void realtime_send_request_encode(enum realtime_format format, struct bytes id, struct bytes thread_id,
                                  struct bytes content, struct buffer *out) {
    json_t *frame = frame_new("send");
    json_text_set(frame, "id", id);
    json_text_set(frame, "thread", thread_id);
    json_text_set(frame, "content", content);
    frame_take(format, frame, out);
}
