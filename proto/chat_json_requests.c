#include <inttypes.h>

#include "proto/chat_json.h"
#include "proto/identifier_json.h"
#include "proto/ids.h"
#include "proto/json_tree.h"
#include "proto/limits.h"
#include "proto/rfc3339.h"

#define QUOTED_BYTES_MAX 100 /* of a refused value that the refusal quotes */
#define ENUM_BYTES_MAX 64    /* names of types and kinds are shorter */

static int refuse(const struct json_reader *reader, const char *field, const char *sentence) {
    return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, field, "%s %s", field, sentence);
}

/* Topic and retention */

static int topic_read(const struct json_reader *reader, const json_t *object, struct bytes *topic) {
    int rc = json_text_read(reader, object, "topic", LIMIT_TOPIC_BYTES_MAX, topic);
    if (rc == 0 && bytes_is_present(*topic) && topic->size == 0)
        rc = refuse(reader, "topic", "must not be empty.");
    return rc;
}

static int retention_days_read(const struct json_reader *reader, const json_t *policy, uint32_t *days) {
    const char *name = "deleteThreadAfterDays";
    const json_t *value = json_member_find(policy, name);
    if (value == NULL)
        return refuse(reader, name, "is required with the kind \"threadCreationDate\".");
    if (!json_is_integer(value))
        return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, name,
                           "%s must be a whole number, not %s.", name,
                           json_is_real(value) ? "a fraction" : json_type_text(value));
    json_int_t number = json_integer_value(value);
    if (number < LIMIT_RETENTION_DAYS_MIN || number > LIMIT_RETENTION_DAYS_MAX)
        return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, name,
                           "%s is %" JSON_INTEGER_FORMAT "; it must be between %d and %d.", name, number,
                           LIMIT_RETENTION_DAYS_MIN, LIMIT_RETENTION_DAYS_MAX);
    *days = (uint32_t)number;
    return 0;
}

/* Absent leaves RETENTION_NOT_GIVEN. */
int retention_read(const struct json_reader *reader, const json_t *object, struct retention *retention) {
    const char *name = "retentionPolicy";
    const json_t *policy = json_member_find(object, name);
    struct bytes kind;
    *retention = (struct retention){0};
    if (policy == NULL)
        return 0;
    if (!json_is_object(policy))
        return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, name,
                           "%s must be an object, not %s.", name, json_type_text(policy));
    int rc = json_text_require(reader, policy, "kind", ENUM_BYTES_MAX, &kind);
    if (rc != 0)
        return rc;
    if (bytes_equal_text(kind, "none")) {
        retention->kind = RETENTION_NONE;
        return 0;
    }
    if (!bytes_equal_text(kind, "threadCreationDate"))
        return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, name,
                           "The kind of %s must be \"none\" or \"threadCreationDate\", not \"%.*s\".", name,
                           BYTES_ARG(kind));
    retention->kind = RETENTION_THREAD_CREATION_DATE;
    return retention_days_read(reader, policy, &retention->days);
}

/* Participants */

static int share_history_read(const struct json_reader *reader, const json_t *object, int64_t *time_ms) {
    const char *name = "shareHistoryTime";
    struct bytes text;
    int rc = json_text_read(reader, object, name, ENUM_BYTES_MAX, &text);
    *time_ms = 0;
    if (rc != 0 || !bytes_is_present(text))
        return rc;
    if (!rfc3339_parse(text, time_ms))
        return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, name,
                           "%s is not an RFC 3339 time: \"%.*s\".", name, BYTES_ARG(text));
    /* Clients say "everything" with their smallest date, which lies before the epoch. */
    if (*time_ms < 0)
        *time_ms = 0;
    return 0;
}

int participant_read(const struct json_reader *reader, const json_t *object, struct participant *participant) {
    const char *name = "communicationIdentifier";
    if (!json_is_object(object))
        return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, "participants",
                           "participants must hold objects, not %s.", json_type_text(object));
    const json_t *identifier = json_member_find(object, name);
    if (identifier == NULL)
        return refuse(reader, name, "is required in every participant.");
    int rc = identifier_from_json(reader, identifier, name, &participant->user_id);
    if (rc == 0)
        rc = json_text_read(reader, object, "displayName", LIMIT_DISPLAY_NAME_BYTES_MAX, &participant->display_name);
    if (rc == 0)
        rc = share_history_read(reader, object, &participant->share_history_ms);
    if (rc == 0)
        rc = json_metadata_read(reader, object, METADATA_WHOLE, LIMIT_METADATA_BYTES_MAX, &participant->metadata);
    return rc;
}

/* Who is named twice is taken once, as last described. */
static void participants_put(struct participants *participants, const struct participant *participant) {
    for (size_t i = 0; i < participants->count; i++) {
        if (bytes_equal(participants->items[i].user_id, participant->user_id)) {
            participants->items[i] = *participant;
            return;
        }
    }
    participants->items[participants->count++] = *participant;
}

static int participants_read(const struct json_reader *reader, const json_t *object, size_t count_max,
                             struct participants *participants) {
    const char *name = "participants";
    const json_t *array = json_member_find(object, name);
    *participants = (struct participants){0};
    if (array == NULL)
        return 0;
    if (!json_is_array(array))
        return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, name,
                           "%s must be an array, not %s.", name, json_type_text(array));
    size_t count = json_array_size(array);
    if (count > count_max)
        return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, name,
                           "%s has %zu items; at most %zu are allowed in one call.", name, count, count_max);
    participants->items = ARENA_NEW_ARRAY(reader->arena, struct participant, count);
    for (size_t i = 0; i < count; i++) {
        struct participant participant = {0};
        int rc = participant_read(reader, json_array_get(array, i), &participant);
        if (rc != 0)
            return rc;
        participants_put(participants, &participant);
    }
    return 0;
}

/* Messages */

static int content_read(const struct json_reader *reader, const json_t *object, size_t message_bytes_max,
                        struct bytes *content) {
    const json_t *value = json_member_find(object, "content");
    if (json_is_string(value) && json_string_length(value) > message_bytes_max)
        return problem_set(reader->problem, reader->arena, STATUS_REQUEST_ENTITY_TOO_LARGE, "content",
                           "content has %zu bytes; at most %zu are allowed.", json_string_length(value),
                           message_bytes_max);
    return json_text_read(reader, object, "content", message_bytes_max, content);
}

/* A message's metadata counts toward its size; a full message may still carry what a thread's metadata may. */
static int message_metadata_read(const struct json_reader *reader, const json_t *object, enum metadata_use use,
                                 size_t content_size, size_t message_bytes_max, struct metadata *metadata) {
    size_t bytes_max = message_bytes_max + LIMIT_METADATA_BYTES_MAX - content_size;
    int rc = json_metadata_read(reader, object, use, SIZE_MAX, metadata);
    if (rc == 0 && metadata_bytes(metadata) > bytes_max)
        rc = problem_set(reader->problem, reader->arena, STATUS_REQUEST_ENTITY_TOO_LARGE, "metadata",
                         "metadata has %zu bytes; at most %zu are allowed beside this content.",
                         metadata_bytes(metadata), bytes_max);
    return rc;
}

static int message_type_read(const struct json_reader *reader, const json_t *object, const char *member,
                             enum message_type *type) {
    struct bytes name;
    int rc = json_text_read(reader, object, member, ENUM_BYTES_MAX, &name);
    *type = MESSAGE_TEXT;
    if (rc != 0 || !bytes_is_present(name) || bytes_equal_text(name, "text"))
        return rc;
    *type = MESSAGE_HTML;
    if (bytes_equal_text(name, "html"))
        return 0;
    return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, member,
                       "%s must be \"text\" or \"html\", not \"%.*s\".", member, BYTES_ARG(name));
}

static int display_name_read(const struct json_reader *reader, const json_t *object, struct bytes *display_name) {
    int rc = json_text_read(reader, object, "senderDisplayName", LIMIT_DISPLAY_NAME_BYTES_MAX, display_name);
    if (rc == 0 && !bytes_is_present(*display_name))
        *display_name = BYTES_LITERAL("");
    return rc;
}

int send_message_read(const struct json_reader *reader, const json_t *object, const char *type_member,
                      size_t message_bytes_max, struct send_message_request *out) {
    int rc = content_read(reader, object, message_bytes_max, &out->content);
    if (rc == 0 && !bytes_is_present(out->content))
        rc = refuse(reader, "content", "is required.");
    if (rc == 0)
        rc = message_type_read(reader, object, type_member, &out->type);
    if (rc == 0)
        rc = display_name_read(reader, object, &out->display_name);
    if (rc == 0)
        rc =
            message_metadata_read(reader, object, METADATA_WHOLE, out->content.size, message_bytes_max, &out->metadata);
    return rc;
}

int message_id_read(const struct json_reader *reader, const json_t *object, const char *member, uint64_t *id) {
    struct bytes text;
    int rc = json_text_require(reader, object, member, ENUM_BYTES_MAX, &text);
    if (rc == 0 && !decimal_parse(text, id))
        rc = problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, member,
                         "Value for MessageId (%.*s) is not valid.", BYTES_ARG(text));
    return rc;
}

/* Whole bodies: each reads a tree, and the entry point below gives the tree back. */

static int create_thread_read(const struct json_reader *reader, const json_t *object,
                              struct create_thread_request *out) {
    int rc = topic_read(reader, object, &out->topic);
    if (rc == 0 && !bytes_is_present(out->topic))
        rc = refuse(reader, "topic", "is required.");
    if (rc == 0)
        rc = participants_read(reader, object, LIMIT_PARTICIPANTS_PER_CREATE_MAX, &out->participants);
    if (rc == 0)
        rc = json_metadata_read(reader, object, METADATA_WHOLE, LIMIT_METADATA_BYTES_MAX, &out->metadata);
    if (rc == 0)
        rc = retention_read(reader, object, &out->retention);
    return rc;
}

int create_thread_request_parse(struct arena *arena, struct bytes body, struct create_thread_request *out,
                                struct problem *problem) {
    const struct json_reader reader = {arena, problem};
    json_t *root;
    *out = (struct create_thread_request){0};
    int rc = json_body_load(&reader, body, &root);
    if (rc != 0)
        return rc;
    rc = create_thread_read(&reader, root, out);
    json_decref(root);
    return rc;
}

static int update_thread_read(const struct json_reader *reader, const json_t *object,
                              struct update_thread_request *out) {
    int rc = topic_read(reader, object, &out->topic);
    if (rc == 0)
        rc = json_metadata_read(reader, object, METADATA_PATCH, LIMIT_METADATA_BYTES_MAX, &out->metadata);
    if (rc == 0)
        rc = retention_read(reader, object, &out->retention);
    if (rc == 0 && json_is_null(json_object_get(object, "retentionPolicy")))
        out->retention.kind = RETENTION_NONE;
    return rc;
}

int update_thread_request_parse(struct arena *arena, struct bytes body, struct update_thread_request *out,
                                struct problem *problem) {
    const struct json_reader reader = {arena, problem};
    json_t *root;
    *out = (struct update_thread_request){0};
    int rc = json_body_load(&reader, body, &root);
    if (rc != 0)
        return rc;
    rc = update_thread_read(&reader, root, out);
    json_decref(root);
    return rc;
}

int send_message_request_parse(struct arena *arena, struct bytes body, size_t message_bytes_max,
                               struct send_message_request *out, struct problem *problem) {
    const struct json_reader reader = {arena, problem};
    json_t *root;
    *out = (struct send_message_request){0};
    int rc = json_body_load(&reader, body, &root);
    if (rc != 0)
        return rc;
    rc = send_message_read(&reader, root, "type", message_bytes_max, out);
    json_decref(root);
    return rc;
}

int update_message_request_parse(struct arena *arena, struct bytes body, size_t message_bytes_max,
                                 struct update_message_request *out, struct problem *problem) {
    const struct json_reader reader = {arena, problem};
    json_t *root;
    *out = (struct update_message_request){0};
    int rc = json_body_load(&reader, body, &root);
    if (rc != 0)
        return rc;
    rc = content_read(&reader, root, message_bytes_max, &out->content);
    if (rc == 0)
        rc = message_metadata_read(&reader, root, METADATA_PATCH, out->content.size, message_bytes_max, &out->metadata);
    json_decref(root);
    return rc;
}

int add_participants_request_parse(struct arena *arena, struct bytes body, struct participants *out,
                                   struct problem *problem) {
    const struct json_reader reader = {arena, problem};
    json_t *root;
    *out = (struct participants){0};
    int rc = json_body_load(&reader, body, &root);
    if (rc != 0)
        return rc;
    rc = participants_read(&reader, root, LIMIT_PARTICIPANTS_PER_ADD_MAX, out);
    if (rc == 0 && out->count == 0)
        rc = refuse(&reader, "participants", "must name at least one participant.");
    json_decref(root);
    return rc;
}

int remove_participant_request_parse(struct arena *arena, struct bytes body, struct bytes *user_id,
                                     struct problem *problem) {
    const struct json_reader reader = {arena, problem};
    json_t *root;
    *user_id = BYTES_ABSENT;
    int rc = json_body_load(&reader, body, &root);
    if (rc != 0)
        return rc;
    rc = identifier_from_json(&reader, root, "rawId", user_id);
    json_decref(root);
    return rc;
}

int typing_request_parse(struct arena *arena, struct bytes body, struct bytes *display_name, struct problem *problem) {
    const struct json_reader reader = {arena, problem};
    json_t *root;
    *display_name = BYTES_LITERAL("");
    if (body.size == 0)
        return 0;
    int rc = json_body_load(&reader, body, &root);
    if (rc != 0)
        return rc;
    rc = display_name_read(&reader, root, display_name);
    json_decref(root);
    return rc;
}

int read_receipt_request_parse(struct arena *arena, struct bytes body, uint64_t *message_id, struct problem *problem) {
    const struct json_reader reader = {arena, problem};
    json_t *root;
    *message_id = 0;
    int rc = json_body_load(&reader, body, &root);
    if (rc != 0)
        return rc;
    rc = message_id_read(&reader, root, "chatMessageId", message_id);
    json_decref(root);
    return rc;
}
