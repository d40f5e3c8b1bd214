#include <inttypes.h>
#include <stdio.h>

#include "proto/json_tree.h"
#include "proto/rfc3339.h"
#include "proto/trouter.h"

/* The SDK's events (contract 10.1, real-time protocol 7.1). A push's body is a JSON text inside the frame's JSON; some
 * of its members are JSON texts once more. */

struct push_writer {
    struct arena *arena;
    const char *cv;
};

/* Members */

static void time_set(json_t *body, const char *name, int64_t time_ms) {
    char text[RFC3339_TEXT_BYTES];
    rfc3339_format_ms(time_ms, text);
    json_text_set(body, name, bytes_of_text(text));
}

static void decimal_set(json_t *body, const char *name, uint64_t value) {
    json_member_set(body, name, json_decimal_new(value));
}

/* A member that is JSON as text. Takes `value`. */
static void inner_json_set(const struct push_writer *writer, json_t *body, const char *name, json_t *value) {
    json_text_set(body, name, json_text_take(writer->arena, value));
}

/* The SDK runs JavaScript's unescape() over these members before it parses them, so each % is sent as %25 and
 * everything else as it is (protocol 7.1, percent trap). Takes `value`. */
static void unescaped_json_set(const struct push_writer *writer, json_t *body, const char *name, json_t *value) {
    struct bytes text = json_text_take(writer->arena, value);
    uint8_t *escaped = arena_alloc(writer->arena, text.size * 3);
    size_t size = 0;
    for (size_t i = 0; i < text.size; i++) {
        escaped[size++] = text.data[i];
        if (text.data[i] == '%') {
            escaped[size++] = '2';
            escaped[size++] = '5';
        }
    }
    json_text_set(body, name, bytes_of(escaped, size));
}

static json_t *participant_new(const struct push_writer *writer, const struct participant *participant) {
    json_t *object = json_object_new();
    json_text_set(object, "participantId", participant->user_id);
    json_text_set(object, "displayName", participant->display_name);
    time_set(object, "shareHistoryTime", participant->share_history_ms);
    if (participant->metadata.is_present)
        inner_json_set(writer, object, "memberMetaData", json_metadata_new(&participant->metadata));
    return object;
}

static json_t *participants_new(const struct push_writer *writer, const struct participants *participants) {
    json_t *array = json_array_new();
    for (size_t i = 0; i < participants->count; i++)
        json_item_add(array, participant_new(writer, &participants->items[i]));
    return array;
}

static void actor_set(const struct push_writer *writer, json_t *body, const char *name, const struct change *change) {
    if (!bytes_is_present(change->actor_id))
        return;
    struct participant actor = {.user_id = change->actor_id,
                                .display_name = change->actor_display_name,
                                .share_history_ms = change->actor_share_history_ms};
    unescaped_json_set(writer, body, name, participant_new(writer, &actor));
}

static json_t *retention_new(const struct retention *retention) {
    char days[32];
    json_t *policy = json_object_new();
    snprintf(days, sizeof(days), "%" PRIu32 ".00:00:00", retention->days);
    json_text_set(policy, "retentionPolicyType", BYTES_LITERAL("DeleteAfterCreationTime"));
    json_text_set(policy, "executeAfter", bytes_of_text(days));
    return policy;
}

static void properties_set(const struct push_writer *writer, json_t *body, const struct thread_properties *properties) {
    json_t *object = json_object_new();
    json_text_set(object, "topic", properties->topic);
    inner_json_set(writer, object, "acsChatThreadMetadata", json_metadata_new(&properties->metadata));
    if (properties->retention.kind == RETENTION_THREAD_CREATION_DATE)
        inner_json_set(writer, object, "retentionPolicy", retention_new(&properties->retention));
    unescaped_json_set(writer, body, "properties", object);
}

/* Bodies. The event's number is not in them: it is written in front. */

/* Of all events about messages, typing and receipts. */
static json_t *flat_body_new(const struct push_writer *writer, struct bytes thread_id, struct bytes sender_id,
                             struct bytes display_name, const char *message_type, uint64_t message_id) {
    json_t *body = json_object_new();
    json_text_set(body, "senderId", sender_id);
    json_text_set(body, "transactionId", bytes_of_text(writer->cv));
    json_text_set(body, "groupId", thread_id);
    decimal_set(body, "messageId", message_id);
    decimal_set(body, "collapseId", message_id);
    json_text_set(body, "messageType", bytes_of_text(message_type));
    json_text_set(body, "senderDisplayName", display_name);
    json_text_set(body, "clientMessageId", BYTES_LITERAL(""));
    json_text_set(body, "priority", BYTES_LITERAL(""));
    return body;
}

static json_t *message_body_new(const struct push_writer *writer, const struct change *change) {
    const struct message *message = &change->message;
    const char *type = message->type == MESSAGE_HTML ? "RichText/Html" : "Text";
    json_t *body =
        flat_body_new(writer, change->thread_id, message->actor_id, message->display_name, type, message->id);
    decimal_set(body, "version", message->version);
    time_set(body, "originalArrivalTime", message->created_ms);
    return body;
}

static void content_set(const struct push_writer *writer, json_t *body, const struct message *message) {
    json_text_set(body, "messageBody", message->content);
    inner_json_set(writer, body, "acsChatMessageMetadata", json_metadata_new(&message->metadata));
    json_text_set(body, "attachments", BYTES_LITERAL(""));
}

static json_t *message_received_new(const struct push_writer *writer, const struct change *change) {
    json_t *body = message_body_new(writer, change);
    content_set(writer, body, &change->message);
    return body;
}

static json_t *message_edited_new(const struct push_writer *writer, const struct change *change) {
    json_t *body = message_body_new(writer, change);
    content_set(writer, body, &change->message);
    time_set(body, "edittime", change->message.edited_ms);
    time_set(body, "composetime", change->message.created_ms);
    return body;
}

static json_t *message_deleted_new(const struct push_writer *writer, const struct change *change) {
    json_t *body = message_body_new(writer, change);
    time_set(body, "deletetime", change->message.deleted_ms);
    return body;
}

static json_t *typing_new(const struct push_writer *writer, const struct change *change,
                          const struct typing_notice *notice) {
    uint64_t moment = (uint64_t)notice->time_ms;
    json_t *body =
        flat_body_new(writer, change->thread_id, notice->user_id, notice->display_name, "Control/Typing", moment);
    decimal_set(body, "version", moment);
    time_set(body, "originalArrivalTime", notice->time_ms);
    return body;
}

static json_t *consumption_new(const struct receipt *receipt) {
    char horizon[64];
    json_t *object = json_object_new();
    snprintf(horizon, sizeof(horizon), "%" PRIu64 ";%" PRId64 ";0", receipt->message_id, receipt->read_ms);
    json_text_set(object, "user", receipt->user_id);
    json_text_set(object, "consumptionhorizon", bytes_of_text(horizon));
    json_member_set(object, "messageVisibilityTime", json_integer((json_int_t)receipt->message_id));
    decimal_set(object, "version", (uint64_t)receipt->read_ms);
    return object;
}

static json_t *receipt_new(const struct push_writer *writer, const struct change *change,
                           const struct receipt *receipt) {
    json_t *body = flat_body_new(writer, change->thread_id, receipt->user_id, BYTES_LITERAL(""),
                                 "ThreadActivity/MemberConsumptionHorizonUpdate", receipt->message_id);
    decimal_set(body, "version", (uint64_t)receipt->read_ms);
    time_set(body, "originalArrivalTime", receipt->read_ms);
    inner_json_set(writer, body, "messageBody", consumption_new(receipt));
    return body;
}

static json_t *thread_body_new(const struct change *change, const char *time_member, int64_t time_ms) {
    json_t *body = json_object_new();
    json_text_set(body, "threadId", change->thread_id);
    decimal_set(body, "version", change->version);
    time_set(body, time_member, time_ms);
    return body;
}

static json_t *thread_created_new(const struct push_writer *writer, const struct change *change) {
    json_t *body = thread_body_new(change, "createTime", change->properties.created_ms);
    actor_set(writer, body, "createdBy", change);
    unescaped_json_set(writer, body, "members", participants_new(writer, &change->participants));
    properties_set(writer, body, &change->properties);
    return body;
}

static json_t *thread_updated_new(const struct push_writer *writer, const struct change *change) {
    json_t *body = thread_body_new(change, "editTime", change->time_ms);
    actor_set(writer, body, "editedBy", change);
    properties_set(writer, body, &change->properties);
    return body;
}

static json_t *thread_deleted_new(const struct push_writer *writer, const struct change *change) {
    json_t *body = thread_body_new(change, "deleteTime", change->time_ms);
    actor_set(writer, body, "deletedBy", change);
    json_text_set_present(body, "reason", change->reason);
    return body;
}

static json_t *participants_added_new(const struct push_writer *writer, const struct change *change) {
    json_t *body = thread_body_new(change, "time", change->time_ms);
    actor_set(writer, body, "addedBy", change);
    unescaped_json_set(writer, body, "participantsAdded", participants_new(writer, &change->participants));
    return body;
}

static json_t *participants_removed_new(const struct push_writer *writer, const struct change *change) {
    json_t *body = thread_body_new(change, "time", change->time_ms);
    actor_set(writer, body, "removedBy", change);
    unescaped_json_set(writer, body, "participantsRemoved", participants_new(writer, &change->participants));
    return body;
}

/* Frames */

/* A compact JSON text as part of a JSON string. It holds no control characters, so only these two need escaping. */
static void append_escaped(struct buffer *out, struct bytes json) {
    uint8_t *to = buffer_reserve(out, json.size * 2);
    size_t size = 0;
    for (size_t i = 0; i < json.size; i++) {
        if (json.data[i] == '"' || json.data[i] == '\\')
            to[size++] = '\\';
        to[size++] = json.data[i];
    }
    buffer_added(out, size);
}

/* The members of a compact JSON object without its braces. */
static struct bytes members_of(struct bytes object) {
    return bytes_of(object.data + 1, object.size - 2);
}

static json_t *headers_new(const struct push_writer *writer) {
    json_t *headers = json_object_new();
    json_t *request = json_object_new();
    json_text_set(headers, "Content-Type", BYTES_LITERAL("application/json"));
    json_text_set(headers, "MS-CV", arena_printf(writer->arena, "%s.0", writer->cv));
    json_text_set(request, "id", bytes_of_text(writer->cv));
    inner_json_set(writer, headers, "trouter-request", request);
    return headers;
}

static struct bytes before_make(const struct push_writer *writer, int event_id, const char *event_name) {
    struct buffer out;
    buffer_init(&out);
    buffer_printf(&out, ",\"method\":\"POST\",\"url\":\"%s%s\",\"headers\":", TROUTER_PUSH_PATH, event_name);
    json_append_take(&out, headers_new(writer));
    buffer_printf(&out, ",\"body\":\"{\\\"eventId\\\":%d,", event_id);
    struct bytes before = arena_copy(writer->arena, buffer_bytes(&out));
    buffer_close(&out);
    return before;
}

/* Takes `body`. */
static struct bytes after_take(const struct push_writer *writer, json_t *body) {
    struct buffer out;
    buffer_init(&out);
    append_escaped(&out, members_of(json_text_take(writer->arena, body)));
    buffer_append_text(&out, "}\"}");
    struct bytes after = arena_copy(writer->arena, buffer_bytes(&out));
    buffer_close(&out);
    return after;
}

static struct bytes id_without_kind(struct bytes user_id) {
    size_t prefix = bytes_starts_with(user_id, "8:") ? strlen("8:") : 0;
    return bytes_of(user_id.data + prefix, user_id.size - prefix);
}

void trouter_recipient_encode(struct buffer *out, struct bytes user_id) {
    struct arena arena;
    json_t *recipient = json_object_new();
    json_text_set(recipient, "recipientId", id_without_kind(user_id));
    json_text_set(recipient, "recipientMri", user_id);
    arena_init(&arena);
    append_escaped(out, members_of(json_text_take(&arena, recipient)));
    arena_close(&arena);
    buffer_append_text(out, ",");
}

/* Takes `body`. */
static struct trouter_push push_take(const struct push_writer *writer, int event_id, const char *event_name,
                                     json_t *body) {
    return (struct trouter_push){.before = before_make(writer, event_id, event_name),
                                 .after = after_take(writer, body),
                                 .excluded_user_id = BYTES_ABSENT};
}

static size_t typing_pushes(const struct push_writer *writer, const struct change *change, struct trouter_push *pushes,
                            size_t pushes_max) {
    size_t count = change->typing_count < pushes_max ? change->typing_count : pushes_max;
    for (size_t i = 0; i < count; i++)
        pushes[i] = push_take(writer, 245, "typingIndicatorReceived", typing_new(writer, change, &change->typing[i]));
    return count;
}

static size_t receipt_pushes(const struct push_writer *writer, const struct change *change, struct trouter_push *pushes,
                             size_t pushes_max) {
    size_t count = change->receipts_count < pushes_max ? change->receipts_count : pushes_max;
    for (size_t i = 0; i < count; i++) {
        pushes[i] = push_take(writer, 246, "readReceiptReceived", receipt_new(writer, change, &change->receipts[i]));
        pushes[i].excluded_user_id = arena_copy(writer->arena, change->receipts[i].user_id);
    }
    return count;
}

static const struct event_form {
    enum change_kind kind;
    int event_id;
    const char *event_name;
    json_t *(*body_new)(const struct push_writer *writer, const struct change *change);
} EVENT_FORMS[] = {
    {CHANGE_MESSAGE_RECEIVED, 200, "chatMessageReceived", message_received_new},
    {CHANGE_MESSAGE_EDITED, 247, "chatMessageEdited", message_edited_new},
    {CHANGE_MESSAGE_DELETED, 248, "chatMessageDeleted", message_deleted_new},
    {CHANGE_THREAD_CREATED, 257, "chatThreadCreated", thread_created_new},
    {CHANGE_THREAD_UPDATED, 258, "chatThreadPropertiesUpdated", thread_updated_new},
    {CHANGE_THREAD_DELETED, 259, "chatThreadDeleted", thread_deleted_new},
    {CHANGE_PARTICIPANTS_ADDED, 260, "participantsAdded", participants_added_new},
    {CHANGE_PARTICIPANTS_REMOVED, 261, "participantsRemoved", participants_removed_new},
};

static const struct event_form *event_form_find(const struct change *change) {
    /* The SDK learns of system messages by the events that caused them. */
    bool is_message = change->kind <= CHANGE_MESSAGE_DELETED;
    if (is_message && message_type_is_system(change->message.type))
        return NULL;
    for (size_t i = 0; i < sizeof(EVENT_FORMS) / sizeof(EVENT_FORMS[0]); i++) {
        if (EVENT_FORMS[i].kind == change->kind)
            return &EVENT_FORMS[i];
    }
    return NULL;
}

struct bytes trouter_body_encode(struct arena *arena, const struct change *change, struct bytes recipient_id,
                                 const char *cv, int *event_id) {
    const struct push_writer writer = {arena, cv};
    const struct event_form *form = event_form_find(change);
    *event_id = form == NULL ? 0 : form->event_id;
    if (form == NULL)
        return BYTES_ABSENT;
    json_t *body = form->body_new(&writer, change);
    json_member_set(body, "eventId", json_integer(form->event_id));
    json_text_set(body, "recipientId", id_without_kind(recipient_id));
    json_text_set(body, "recipientMri", recipient_id);
    return json_text_take(arena, body);
}

size_t trouter_pushes_encode(struct arena *arena, const struct change *change, const char *cv,
                             struct trouter_push *pushes, size_t pushes_max) {
    const struct push_writer writer = {arena, cv};
    if (change->kind == CHANGE_TYPING)
        return typing_pushes(&writer, change, pushes, pushes_max);
    if (change->kind == CHANGE_RECEIPTS)
        return receipt_pushes(&writer, change, pushes, pushes_max);
    const struct event_form *form = event_form_find(change);
    if (form == NULL || pushes_max == 0)
        return 0;
    pushes[0] = push_take(&writer, form->event_id, form->event_name, form->body_new(&writer, change));
    return 1;
}
