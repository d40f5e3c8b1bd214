#include "proto/import_json.h"

#include <inttypes.h>

#include "proto/chat_json.h"
#include "proto/identifier_json.h"
#include "proto/ids.h"
#include "proto/limits.h"
#include "proto/rfc3339.h"

#define TEXT_BYTES_MAX 64           /* of times, types and numbers */
#define PLACE_MAX 1000000000000     /* beyond any thread's offsets */
#define VERSION_MAX 253402300799999 /* the last millisecond of the year 9999: ids and versions are times */

/* ---- members ---- */

static int refuse(const struct json_reader *reader, const char *field, const char *sentence) {
    return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, field, "%s %s", field, sentence);
}

static int place_read(const struct json_reader *reader, const json_t *object, const char *name, uint64_t *place) {
    const json_t *value = json_member_find(object, name);
    *place = 0;
    if (value == NULL)
        return 0;
    if (!json_is_integer(value) || json_integer_value(value) < 0 || json_integer_value(value) > PLACE_MAX)
        return refuse(reader, name, "must be a whole number that is not negative.");
    *place = (uint64_t)json_integer_value(value);
    return 0;
}

static int number_require(const struct json_reader *reader, const json_t *object, const char *name, uint64_t most,
                          uint64_t *number) {
    struct bytes text;
    int rc = json_text_require(reader, object, name, TEXT_BYTES_MAX, &text);
    if (rc == 0 && (!decimal_parse(text, number) || *number > most))
        rc = problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, name,
                         "%s must be a decimal number up to %" PRIu64 ", not \"%.*s\".", name, most, BYTES_ARG(text));
    return rc;
}

/* 0 if it is not there. */
static int time_read(const struct json_reader *reader, const json_t *object, const char *name, int64_t *time_ms) {
    struct bytes text;
    int rc = json_text_read(reader, object, name, TEXT_BYTES_MAX, &text);
    *time_ms = 0;
    if (rc != 0 || !bytes_is_present(text))
        return rc;
    if (!rfc3339_parse(text, time_ms) || *time_ms < 0)
        return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, name,
                           "%s is not an RFC 3339 time from 1970 on: \"%.*s\".", name, BYTES_ARG(text));
    return 0;
}

static int time_require(const struct json_reader *reader, const json_t *object, const char *name, int64_t *time_ms) {
    int rc = time_read(reader, object, name, time_ms);
    return rc == 0 && json_member_find(object, name) == NULL ? refuse(reader, name, "is required.") : rc;
}

/* REST tells whole seconds, ids and versions the milliseconds of the same moment. */
static int64_t with_milliseconds(int64_t time_ms, uint64_t exact_ms) {
    bool is_same_second = time_ms != 0 && (uint64_t)time_ms / 1000 == exact_ms / 1000;
    return is_same_second ? (int64_t)exact_ms : time_ms;
}

/* Absent if it is not there. */
static int user_read(const struct json_reader *reader, const json_t *object, const char *name, struct bytes *user_id) {
    const json_t *identifier = json_member_find(object, name);
    *user_id = BYTES_ABSENT;
    return identifier == NULL ? 0 : identifier_from_json(reader, identifier, name, user_id);
}

/* NULL and a count of 0 if it is not there. */
static int array_find(const struct json_reader *reader, const json_t *object, const char *name, const json_t **array,
                      size_t *count) {
    *array = json_member_find(object, name);
    *count = json_array_size(*array);
    if (*array != NULL && !json_is_array(*array))
        return refuse(reader, name, "must be an array.");
    if (*count > LIMIT_LIST_ITEMS_MAX)
        return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, name,
                           "%s has %zu items; at most %d are taken.", name, *count, LIMIT_LIST_ITEMS_MAX);
    return 0;
}

/* ---- a thread ---- */

static int member_read(const struct json_reader *reader, const json_t *object, struct import_member *member) {
    int rc = participant_read(reader, object, &member->participant);
    if (rc == 0)
        rc = place_read(reader, object, "joinedOffset", &member->joined_offset);
    if (rc == 0)
        rc = place_read(reader, object, "removedOffset", &member->removed_offset);
    if (rc == 0)
        rc = json_text_read(reader, object, "topic", LIMIT_TOPIC_BYTES_MAX, &member->topic);
    if (rc == 0)
        rc = time_read(reader, object, "lastMessageReceivedOn", &member->last_message_ms);
    return rc;
}

static bool is_named(const struct import_thread_request *out, struct bytes user_id) {
    for (size_t i = 0; i < out->members_count; i++)
        if (bytes_equal(out->members[i].participant.user_id, user_id))
            return true;
    return false;
}

/* Whether somebody is in the thread still is said by the list she stands in. */
static int members_read(const struct json_reader *reader, const json_t *array, size_t count, bool are_in_it,
                        struct import_thread_request *out) {
    const char *name = are_in_it ? "participants" : "formerParticipants";
    for (size_t i = 0; i < count; i++) {
        struct import_member member = {0};
        int rc = member_read(reader, json_array_get(array, i), &member);
        if (rc != 0)
            return rc;
        if ((member.removed_offset == 0) != are_in_it)
            return refuse(reader, name,
                          are_in_it ? "must not have been removed." : "must have the offset of their removal.");
        if (is_named(out, member.participant.user_id))
            return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, name, "%s names %.*s twice.",
                               name, BYTES_ARG(member.participant.user_id));
        out->members[out->members_count++] = member;
    }
    return 0;
}

static int all_members_read(const struct json_reader *reader, const json_t *object, struct import_thread_request *out) {
    const json_t *present, *former;
    size_t present_count, former_count;
    int rc = array_find(reader, object, "participants", &present, &present_count);
    if (rc == 0)
        rc = array_find(reader, object, "formerParticipants", &former, &former_count);
    if (rc == 0 && present_count + former_count > LIMIT_LIST_ITEMS_MAX)
        rc = problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, "formerParticipants",
                         "participants and formerParticipants are %zu; at most %d are taken.",
                         present_count + former_count, LIMIT_LIST_ITEMS_MAX);
    if (rc != 0)
        return rc;
    out->members = ARENA_NEW_ARRAY(reader->arena, struct import_member, present_count + former_count);
    rc = members_read(reader, present, present_count, true, out);
    return rc == 0 ? members_read(reader, former, former_count, false, out) : rc;
}

static int receipt_read(const struct json_reader *reader, const json_t *object, struct receipt *receipt) {
    if (!json_is_object(object))
        return refuse(reader, "receipts", "must hold objects.");
    int rc = user_read(reader, object, "senderCommunicationIdentifier", &receipt->user_id);
    if (rc == 0 && !bytes_is_present(receipt->user_id))
        rc = refuse(reader, "senderCommunicationIdentifier", "is required in every receipt.");
    if (rc == 0)
        rc = number_require(reader, object, "chatMessageId", VERSION_MAX, &receipt->message_id);
    return rc == 0 ? time_require(reader, object, "readOn", &receipt->read_ms) : rc;
}

static int receipts_read(const struct json_reader *reader, const json_t *object, struct import_thread_request *out) {
    const json_t *array;
    size_t count;
    int rc = array_find(reader, object, "receipts", &array, &count);
    if (rc != 0)
        return rc;
    out->receipts = ARENA_NEW_ARRAY(reader->arena, struct receipt, count);
    for (; rc == 0 && out->receipts_count < count; out->receipts_count++)
        rc = receipt_read(reader, json_array_get(array, out->receipts_count), &out->receipts[out->receipts_count]);
    return rc;
}

static int properties_read(const struct json_reader *reader, const json_t *object, struct thread_properties *out) {
    int rc = json_text_require(reader, object, "id", LIMIT_RAW_ID_BYTES_MAX, &out->id);
    if (rc == 0 && !thread_id_is_valid(out->id))
        rc = refuse(reader, "id", "does not have the form 19:...@thread.v2.");
    if (rc == 0)
        rc = json_text_read(reader, object, "topic", LIMIT_TOPIC_BYTES_MAX, &out->topic);
    if (rc == 0 && !bytes_is_present(out->topic))
        out->topic = BYTES_LITERAL("");
    if (rc == 0)
        rc = time_require(reader, object, "createdOn", &out->created_ms);
    if (rc == 0)
        rc = user_read(reader, object, "createdByCommunicationIdentifier", &out->creator_id);
    if (rc == 0)
        rc = json_metadata_read(reader, object, METADATA_WHOLE, LIMIT_METADATA_BYTES_MAX, &out->metadata);
    return rc == 0 ? retention_read(reader, object, &out->retention) : rc;
}

static int thread_read(const struct json_reader *reader, const json_t *object, struct import_thread_request *out) {
    int rc = properties_read(reader, object, &out->properties);
    if (rc == 0)
        rc = all_members_read(reader, object, out);
    if (rc == 0)
        rc = receipts_read(reader, object, out);
    if (rc == 0 && json_member_find(object, "messages") == NULL)
        rc = refuse(reader, "messages", "is required: how many there are.");
    if (rc == 0)
        rc = place_read(reader, object, "messages", &out->messages);
    if (rc == 0)
        rc = number_require(reader, object, "sequenceId", PLACE_MAX, &out->sequence);
    if (rc == 0)
        rc = number_require(reader, object, "version", VERSION_MAX, &out->version);
    if (rc == 0 && out->sequence < out->messages)
        rc = refuse(reader, "sequenceId", "must not be below the number of messages.");
    return rc == 0 ? time_read(reader, object, "lastMessageReceivedOn", &out->last_message_ms) : rc;
}

int import_thread_request_parse(struct arena *arena, struct bytes body, struct import_thread_request *out,
                                struct problem *problem) {
    const struct json_reader reader = {arena, problem};
    json_t *root;
    *out = (struct import_thread_request){.messages = 0};
    int rc = json_body_load(&reader, body, &root);
    if (rc != 0)
        return rc;
    rc = thread_read(&reader, root, out);
    json_decref(root);
    return rc;
}

/* ---- messages ---- */

static int type_read(const struct json_reader *reader, const json_t *object, enum message_type *type) {
    static const char *const names[] = {[MESSAGE_TEXT] = "text",
                                        [MESSAGE_HTML] = "html",
                                        [MESSAGE_TOPIC_UPDATED] = "topicUpdated",
                                        [MESSAGE_PARTICIPANT_ADDED] = "participantAdded",
                                        [MESSAGE_PARTICIPANT_REMOVED] = "participantRemoved"};
    struct bytes text;
    int rc = json_text_require(reader, object, "type", TEXT_BYTES_MAX, &text);
    if (rc != 0)
        return rc;
    for (enum message_type known = MESSAGE_TEXT; known <= MESSAGE_PARTICIPANT_REMOVED; known++) {
        if (bytes_equal_text(text, names[known])) {
            *type = known;
            return 0;
        }
    }
    return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, "type",
                       "type is \"%.*s\", which messages here do not have.", BYTES_ARG(text));
}

static int named_read(const struct json_reader *reader, const json_t *content, struct participants *out) {
    const json_t *array;
    size_t count;
    int rc = array_find(reader, content, "participants", &array, &count);
    if (rc != 0)
        return rc;
    out->items = ARENA_NEW_ARRAY(reader->arena, struct participant, count);
    for (; rc == 0 && out->count < count; out->count++)
        rc = participant_read(reader, json_array_get(array, out->count), &out->items[out->count]);
    return rc;
}

static int system_message_read(const struct json_reader *reader, const json_t *content, struct message *message) {
    int rc = user_read(reader, content, "initiatorCommunicationIdentifier", &message->actor_id);
    if (rc == 0 && message->type == MESSAGE_TOPIC_UPDATED)
        return json_text_read(reader, content, "topic", LIMIT_TOPIC_BYTES_MAX, &message->topic);
    return rc == 0 ? named_read(reader, content, &message->participants) : rc;
}

static int user_message_read(const struct json_reader *reader, const json_t *object, const json_t *content,
                             size_t message_bytes_max, struct message *message) {
    int rc = user_read(reader, object, "senderCommunicationIdentifier", &message->actor_id);
    if (rc == 0)
        rc = json_text_read(reader, object, "senderDisplayName", LIMIT_DISPLAY_NAME_BYTES_MAX, &message->display_name);
    if (rc == 0)
        rc = json_text_read(reader, content, "message", message_bytes_max, &message->content);
    if (rc == 0)
        rc = json_metadata_read(reader, object, METADATA_WHOLE, message_bytes_max + LIMIT_METADATA_BYTES_MAX,
                                &message->metadata);
    if (!bytes_is_present(message->display_name))
        message->display_name = BYTES_LITERAL("");
    if (!bytes_is_present(message->content))
        message->content = BYTES_LITERAL("");
    return rc;
}

static int message_times_read(const struct json_reader *reader, const json_t *object, struct message *message) {
    int rc = time_require(reader, object, "createdOn", &message->created_ms);
    if (rc == 0)
        rc = time_read(reader, object, "editedOn", &message->edited_ms);
    if (rc == 0)
        rc = time_read(reader, object, "deletedOn", &message->deleted_ms);
    message->created_ms = with_milliseconds(message->created_ms, message->id);
    message->edited_ms = with_milliseconds(message->edited_ms, message->version);
    message->deleted_ms = with_milliseconds(message->deleted_ms, message->version);
    return rc;
}

static int message_read(const struct json_reader *reader, const json_t *object, size_t message_bytes_max,
                        struct message *message) {
    const json_t *content = json_member_find(object, "content");
    if (!json_is_object(object) || (content != NULL && !json_is_object(content)))
        return refuse(reader, "messages", "must hold objects, with an object as content.");
    int rc = number_require(reader, object, "id", VERSION_MAX, &message->id);
    if (rc == 0)
        rc = number_require(reader, object, "sequenceId", PLACE_MAX, &message->sequence);
    if (rc == 0)
        rc = number_require(reader, object, "version", VERSION_MAX, &message->version);
    if (rc == 0)
        rc = place_read(reader, object, "offset", &message->offset);
    if (rc == 0)
        rc = type_read(reader, object, &message->type);
    if (rc == 0)
        rc = message_times_read(reader, object, message);
    if (rc != 0)
        return rc;
    return message_type_is_system(message->type)
               ? system_message_read(reader, content, message)
               : user_message_read(reader, object, content, message_bytes_max, message);
}

/* Which one it is about. */
static int message_refused(const struct json_reader *reader, size_t index, const json_t *object) {
    struct problem *problem = reader->problem;
    const char *id = json_string_value(json_object_get(object, "id"));
    return problem_set(problem, reader->arena, problem->rc, "messages", "Message %zu of the batch, id %.*s: %.*s",
                       index + 1, TEXT_BYTES_MAX, id != NULL ? id : "?", BYTES_ARG(problem->message));
}

static int messages_read(const struct json_reader *reader, const json_t *object, size_t message_bytes_max,
                         struct import_messages *out) {
    const json_t *array;
    size_t count;
    int rc = array_find(reader, object, "messages", &array, &count);
    if (rc == 0 && (count == 0 || count > LIMIT_IMPORT_MESSAGES_MAX))
        rc = problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, "messages",
                         "messages has %zu items; from 1 to %d are taken in one call.", count,
                         LIMIT_IMPORT_MESSAGES_MAX);
    if (rc != 0)
        return rc;
    out->items = ARENA_NEW_ARRAY(reader->arena, struct message, count);
    for (; out->count < count; out->count++) {
        const json_t *item = json_array_get(array, out->count);
        out->items[out->count] = (struct message){.id = 0};
        if (message_read(reader, item, message_bytes_max, &out->items[out->count]) != 0)
            return message_refused(reader, out->count, item);
    }
    return 0;
}

int import_messages_request_parse(struct arena *arena, struct bytes body, size_t message_bytes_max,
                                  struct import_messages *out, struct problem *problem) {
    const struct json_reader reader = {arena, problem};
    json_t *root;
    *out = (struct import_messages){.count = 0};
    int rc = json_body_load(&reader, body, &root);
    if (rc != 0)
        return rc;
    rc = messages_read(&reader, root, message_bytes_max, out);
    json_decref(root);
    return rc;
}

struct bytes import_response_encode(struct arena *arena, bool is_new) {
    json_t *body = json_object_new();
    json_member_set(body, "isNew", json_boolean(is_new));
    return json_text_take(arena, body);
}
