#include "proto/chat_json.h"

#include "proto/check.h"
#include "proto/identifier_json.h"
#include "proto/json_tree.h"
#include "proto/rfc3339.h"

/* The nouns */

void json_time_set(json_t *object, const char *name, int64_t time_ms, enum json_times times) {
    char text[RFC3339_TEXT_BYTES];
    if (times == JSON_TIMES_MS)
        rfc3339_format_ms(time_ms, text);
    else
        rfc3339_format_seconds(time_ms, text);
    json_text_set(object, name, bytes_of_text(text));
}

static void time_set_present(json_t *object, const char *name, int64_t time_ms, enum json_times times) {
    if (time_ms != 0)
        json_time_set(object, name, time_ms, times);
}

static void metadata_set_present(json_t *object, const struct metadata *metadata) {
    if (metadata->is_present)
        json_member_set(object, "metadata", json_metadata_new(metadata));
}

static void identifier_set_present(json_t *object, const char *name, struct bytes raw_id) {
    if (bytes_is_present(raw_id))
        json_member_set(object, name, identifier_to_json(raw_id));
}

static const char *message_type_text(enum message_type type) {
    switch (type) {
    case MESSAGE_TEXT:
        return "text";
    case MESSAGE_HTML:
        return "html";
    case MESSAGE_TOPIC_UPDATED:
        return "topicUpdated";
    case MESSAGE_PARTICIPANT_ADDED:
        return "participantAdded";
    case MESSAGE_PARTICIPANT_REMOVED:
        return "participantRemoved";
    }
    return "text";
}

/* As participants stand in a system message: without metadata (contract 5). */
static json_t *participant_without_metadata(const struct participant *participant, enum json_times times) {
    json_t *object = json_object_new();
    json_member_set(object, "communicationIdentifier", identifier_to_json(participant->user_id));
    json_text_set_present(object, "displayName", participant->display_name);
    json_time_set(object, "shareHistoryTime", participant->share_history_ms, times);
    return object;
}

json_t *participant_to_json(const struct participant *participant, enum json_times times) {
    json_t *object = participant_without_metadata(participant, times);
    metadata_set_present(object, &participant->metadata);
    return object;
}

static json_t *system_content(const struct message *message, enum json_times times) {
    json_t *content = json_object_new();
    if (message->type == MESSAGE_TOPIC_UPDATED) {
        json_text_set(content, "topic", message->topic);
    } else {
        json_t *participants = json_array_new();
        for (size_t i = 0; i < message->participants.count; i++)
            json_item_add(participants, participant_without_metadata(&message->participants.items[i], times));
        json_member_set(content, "participants", participants);
    }
    identifier_set_present(content, "initiatorCommunicationIdentifier", message->actor_id);
    return content;
}

static json_t *user_content(const struct message *message) {
    json_t *content = json_object_new();
    bool is_deleted = message->deleted_ms != 0;
    json_text_set(content, "message", is_deleted ? BYTES_LITERAL("") : message->content);
    json_member_set(content, "attachments", json_array_new());
    return content;
}

static void user_members_set(json_t *object, const struct message *message, enum json_times times) {
    json_text_set(object, "senderDisplayName", message->display_name);
    json_time_set(object, "createdOn", message->created_ms, times);
    identifier_set_present(object, "senderCommunicationIdentifier", message->actor_id);
    if (message->deleted_ms != 0) {
        json_time_set(object, "deletedOn", message->deleted_ms, times);
        return;
    }
    time_set_present(object, "editedOn", message->edited_ms, times);
    metadata_set_present(object, &message->metadata);
}

json_t *message_to_json(const struct message *message, enum json_times times) {
    json_t *object = json_object_new();
    bool is_system = message_type_is_system(message->type);
    json_member_set(object, "id", json_decimal_new(message->id));
    json_text_set(object, "type", bytes_of_text(message_type_text(message->type)));
    json_member_set(object, "sequenceId", json_decimal_new(message->sequence));
    json_member_set(object, "version", json_decimal_new(message->version));
    json_member_set(object, "content", is_system ? system_content(message, times) : user_content(message));
    if (is_system)
        json_time_set(object, "createdOn", message->created_ms, times);
    else
        user_members_set(object, message, times);
    return object;
}

static json_t *retention_to_json(const struct retention *retention) {
    json_t *object = json_object_new();
    if (retention->kind == RETENTION_THREAD_CREATION_DATE) {
        json_member_set(object, "deleteThreadAfterDays", json_integer(retention->days));
        json_text_set(object, "kind", BYTES_LITERAL("threadCreationDate"));
    } else {
        json_text_set(object, "kind", BYTES_LITERAL("none"));
    }
    return object;
}

json_t *thread_properties_to_json(const struct thread_properties *properties, enum json_times times) {
    json_t *object = json_object_new();
    json_text_set(object, "id", properties->id);
    json_text_set(object, "topic", properties->topic);
    json_time_set(object, "createdOn", properties->created_ms, times);
    identifier_set_present(object, "createdByCommunicationIdentifier", properties->creator_id);
    time_set_present(object, "deletedOn", properties->deleted_ms, times);
    metadata_set_present(object, &properties->metadata);
    if (properties->retention.kind != RETENTION_NOT_GIVEN)
        json_member_set(object, "retentionPolicy", retention_to_json(&properties->retention));
    return object;
}

static json_t *thread_item_to_json(const struct thread_item *item) {
    json_t *object = json_object_new();
    json_text_set(object, "id", item->id);
    json_text_set(object, "topic", item->topic);
    time_set_present(object, "deletedOn", item->deleted_ms, JSON_TIMES_SECONDS);
    time_set_present(object, "lastMessageReceivedOn", item->last_message_ms, JSON_TIMES_SECONDS);
    return object;
}

static json_t *receipt_to_json(const struct receipt *receipt) {
    json_t *object = json_object_new();
    json_member_set(object, "senderCommunicationIdentifier", identifier_to_json(receipt->user_id));
    json_member_set(object, "chatMessageId", json_decimal_new(receipt->message_id));
    json_time_set(object, "readOn", receipt->read_ms, JSON_TIMES_SECONDS);
    return object;
}

/* Whole bodies */

static json_t *refusal_to_json(enum participant_refusal refusal) {
    static const struct {
        const char *code;
        const char *message;
    } rows[] = {
        [REFUSAL_BOT] = {"BotUserNotSupported", "Bots (28:...) cannot take part in threads."},
        [REFUSAL_PERSONAL_ACCOUNT] = {"PersonalAccountNotSupported",
                                      "Skype users and users without an enterprise cannot take part in threads."},
        [REFUSAL_OTHER_RESOURCE] = {"IdentityNotOwned", "The identity doesn't belong to this resource."},
    };
    json_t *object = json_object_new();
    json_text_set(object, "code", bytes_of_text(rows[refusal].code));
    json_text_set(object, "message", bytes_of_text(rows[refusal].message));
    return object;
}

static json_t *invalid_participant_to_json(const struct invalid_participant *invalid) {
    json_t *object = json_object_new();
    const char *message = status_sentence(invalid->rc);
    if (invalid->rc == STATUS_FORBIDDEN)
        message = "Permissions check failed";
    else if (invalid->rc == STATUS_NOT_FOUND)
        message = "Not found";
    json_text_set(object, "target", invalid->user_id);
    json_member_set(object, "code", json_decimal_new((uint64_t)status_http(invalid->rc)));
    json_text_set(object, "message", bytes_of_text(message));
    if (invalid->refusal != REFUSAL_NONE)
        json_member_set(object, "innererror", refusal_to_json(invalid->refusal));
    return object;
}

/* Omitted when empty: a client tests that it is not there (contract 6.1). */
static void invalid_participants_set(json_t *body, const struct invalid_participant *invalid, size_t count) {
    if (count == 0)
        return;
    json_t *array = json_array_new();
    for (size_t i = 0; i < count; i++)
        json_item_add(array, invalid_participant_to_json(&invalid[i]));
    json_member_set(body, "invalidParticipants", array);
}

struct bytes create_thread_response_encode(struct arena *arena, const struct thread_properties *properties,
                                           const struct invalid_participant *invalid, size_t invalid_count) {
    json_t *body = json_object_new();
    json_member_set(body, "chatThread", thread_properties_to_json(properties, JSON_TIMES_SECONDS));
    invalid_participants_set(body, invalid, invalid_count);
    return json_text_take(arena, body);
}

struct bytes thread_properties_encode(struct arena *arena, const struct thread_properties *properties) {
    return json_text_take(arena, thread_properties_to_json(properties, JSON_TIMES_SECONDS));
}

struct bytes add_participants_response_encode(struct arena *arena, const struct invalid_participant *invalid,
                                              size_t invalid_count) {
    json_t *body = json_object_new();
    invalid_participants_set(body, invalid, invalid_count);
    return json_text_take(arena, body);
}

struct bytes send_message_response_encode(struct arena *arena, uint64_t message_id) {
    json_t *body = json_object_new();
    json_member_set(body, "id", json_decimal_new(message_id));
    return json_text_take(arena, body);
}

struct bytes message_encode(struct arena *arena, const struct message *message) {
    return json_text_take(arena, message_to_json(message, JSON_TIMES_SECONDS));
}

static struct bytes page_take(struct arena *arena, json_t *items, struct bytes next_link) {
    json_t *page = json_object_new();
    json_member_set(page, "value", items);
    json_text_set_present(page, "nextLink", next_link);
    return json_text_take(arena, page);
}

struct bytes message_page_encode(struct arena *arena, const struct message *messages, size_t count,
                                 struct bytes next_link) {
    json_t *array = json_array_new();
    for (size_t i = 0; i < count; i++)
        json_item_add(array, message_to_json(&messages[i], JSON_TIMES_SECONDS));
    return page_take(arena, array, next_link);
}

struct bytes thread_page_encode(struct arena *arena, const struct thread_item *items, size_t count,
                                struct bytes next_link) {
    json_t *array = json_array_new();
    for (size_t i = 0; i < count; i++)
        json_item_add(array, thread_item_to_json(&items[i]));
    return page_take(arena, array, next_link);
}

struct bytes participant_page_encode(struct arena *arena, const struct participant *items, size_t count,
                                     struct bytes next_link) {
    json_t *array = json_array_new();
    for (size_t i = 0; i < count; i++)
        json_item_add(array, participant_to_json(&items[i], JSON_TIMES_SECONDS));
    return page_take(arena, array, next_link);
}

struct bytes receipt_page_encode(struct arena *arena, const struct receipt *items, size_t count,
                                 struct bytes next_link) {
    json_t *array = json_array_new();
    for (size_t i = 0; i < count; i++)
        json_item_add(array, receipt_to_json(&items[i]));
    return page_take(arena, array, next_link);
}

struct bytes realtime_configuration_encode(struct arena *arena, struct bytes origin) {
    json_t *body = json_object_new();
    json_text_set(body, "trouterServiceUrl", origin);
    json_text_set(body, "registrarServiceUrl", origin);
    json_text_set(body, "cloudType", BYTES_LITERAL("Public"));
    return json_text_take(arena, body);
}
