#include "proto/chat_json.h"
#include "proto/ids.h"
#include "proto/json_msgpack.h"
#include "proto/json_tree.h"
#include "proto/limits.h"
#include "proto/realtime.h"

#define QUOTED_BYTES_MAX 100 /* of a refused value that the refusal quotes */
#define TYPE_BYTES_MAX 32    /* the longest is "connect" */

static int refuse_frame(const struct json_reader *reader, const char *sentence) {
    return problem_set(reader->problem, reader->arena, STATUS_MALFORMED, NULL, "%s", sentence);
}

/* Why a JSON text is refused is already in the problem; here it is a frame that is wrong, not a body. */
static int json_frame_load(const struct json_reader *reader, struct bytes frame, json_t **root) {
    if (frame.size == 0)
        return refuse_frame(reader, "The frame is empty.");
    if (json_body_load(reader, frame, root) == 0)
        return 0;
    reader->problem->rc = STATUS_MALFORMED;
    return STATUS_MALFORMED;
}

static int msgpack_frame_load(const struct json_reader *reader, struct bytes frame, json_t **root) {
    json_t *tree = json_tree_from_msgpack(frame);
    if (tree == NULL)
        return refuse_frame(reader, "The frame is not one sound MessagePack value with texts in UTF-8.");
    if (!json_is_object(tree)) {
        json_decref(tree);
        return refuse_frame(reader, "The frame must be a map.");
    }
    *root = tree;
    return 0;
}

static int frame_load(const struct json_reader *reader, enum realtime_format format, struct bytes frame,
                      json_t **root) {
    if (frame.size > LIMIT_FRAME_BYTES_MAX)
        return problem_set(reader->problem, reader->arena, STATUS_MALFORMED, NULL,
                           "The frame has %zu bytes; at most %d are allowed.", frame.size, LIMIT_FRAME_BYTES_MAX);
    return format == REALTIME_JSON ? json_frame_load(reader, frame, root) : msgpack_frame_load(reader, frame, root);
}

/* Members */

static int id_read(const struct json_reader *reader, const json_t *frame, struct bytes *id) {
    int rc = json_text_read(reader, frame, "id", LIMIT_CLIENT_MESSAGE_ID_BYTES_MAX, id);
    if (rc != 0 || !bytes_is_present(*id) || id->size > 0)
        return rc;
    *id = BYTES_ABSENT;
    return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, "id",
                       "id has 0 bytes; it must have 1 to %d.", LIMIT_CLIENT_MESSAGE_ID_BYTES_MAX);
}

static int refuse_thread(const struct json_reader *reader, const char *field, struct bytes thread_id) {
    int quoted = thread_id.size < QUOTED_BYTES_MAX ? (int)thread_id.size : QUOTED_BYTES_MAX;
    return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, field,
                       "%s names no thread id of the form 19:…@thread.v2: \"%.*s\".", field, quoted,
                       (const char *)thread_id.data);
}

static bool thread_id_is_acceptable(struct bytes thread_id) {
    return thread_id.size <= LIMIT_RAW_ID_BYTES_MAX && thread_id_is_valid(thread_id);
}

static int thread_read(const struct json_reader *reader, const json_t *frame, struct bytes *thread_id) {
    int rc = json_text_require(reader, frame, "thread", LIMIT_RAW_ID_BYTES_MAX, thread_id);
    if (rc == 0 && !thread_id_is_acceptable(*thread_id))
        rc = refuse_thread(reader, "thread", *thread_id);
    return rc;
}

static int token_read(const struct json_reader *reader, const json_t *frame, struct bytes *token) {
    return json_text_require(reader, frame, "token", LIMIT_FRAME_BYTES_MAX, token);
}

static int position_read(const struct json_reader *reader, const char *field, struct bytes thread_id,
                         const json_t *offset, struct realtime_position *position) {
    if (!thread_id_is_acceptable(thread_id))
        return refuse_thread(reader, field, thread_id);
    if (!json_is_integer(offset) || json_integer_value(offset) < 0)
        return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, field,
                           "%s must map thread ids to offsets, whole numbers from 0; \"%.*s\" has another value.",
                           field, BYTES_ARG(thread_id));
    position->thread_id = arena_copy(reader->arena, thread_id);
    position->offset = (uint64_t)json_integer_value(offset);
    return 0;
}

/* `map` may be NULL: no positions. */
static int positions_read(const struct json_reader *reader, const char *field, json_t *map,
                          struct realtime_request *out) {
    if (map == NULL)
        return 0;
    if (!json_is_object(map))
        return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, field,
                           "%s must be an object, not %s.", field, json_type_text(map));
    size_t count = json_object_size(map);
    if (count > LIMIT_RESUME_THREADS_MAX)
        return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, field,
                           "%s names %zu threads; at most %d are allowed.", field, count, LIMIT_RESUME_THREADS_MAX);
    out->positions = ARENA_NEW_ARRAY(reader->arena, struct realtime_position, count);
    for (void *i = json_object_iter(map); i != NULL; i = json_object_iter_next(map, i)) {
        struct bytes thread_id = bytes_of(json_object_iter_key(i), json_object_iter_key_len(i));
        int rc =
            position_read(reader, field, thread_id, json_object_iter_value(i), &out->positions[out->positions_count]);
        if (rc != 0)
            return rc;
        out->positions_count++;
    }
    return 0;
}

/* Requests by type */

static int connect_read(const struct json_reader *reader, const json_t *frame, struct realtime_request *out) {
    int rc = token_read(reader, frame, &out->token);
    return rc != 0 ? rc : positions_read(reader, "resume", json_member_find(frame, "resume"), out);
}

static int send_read(const struct json_reader *reader, const json_t *frame, size_t message_bytes_max,
                     struct realtime_request *out) {
    struct send_message_request message = {0};
    if (!bytes_is_present(out->id))
        return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, "id",
                           "id is required in a send: the client message id, 1 to %d bytes.",
                           LIMIT_CLIENT_MESSAGE_ID_BYTES_MAX);
    int rc = thread_read(reader, frame, &out->thread_id);
    if (rc == 0)
        rc = send_message_read(reader, frame, "contentType", message_bytes_max, &message);
    out->content = message.content;
    out->message_type = message.type;
    out->display_name = message.display_name;
    out->metadata = message.metadata;
    return rc;
}

static int typing_read(const struct json_reader *reader, const json_t *frame, struct realtime_request *out) {
    int rc = thread_read(reader, frame, &out->thread_id);
    if (rc == 0)
        rc = json_text_read(reader, frame, "senderDisplayName", LIMIT_DISPLAY_NAME_BYTES_MAX, &out->display_name);
    if (rc == 0 && !bytes_is_present(out->display_name))
        out->display_name = BYTES_LITERAL("");
    return rc;
}

static int receipt_read(const struct json_reader *reader, const json_t *frame, struct realtime_request *out) {
    int rc = thread_read(reader, frame, &out->thread_id);
    return rc != 0 ? rc : message_id_read(reader, frame, "messageId", &out->message_id);
}

static int resume_read(const struct json_reader *reader, const json_t *frame, struct realtime_request *out) {
    json_t *threads = json_member_find(frame, "threads");
    if (threads == NULL)
        return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, "threads", "threads is required.");
    return positions_read(reader, "threads", threads, out);
}

static const struct {
    const char *name;
    enum realtime_request_type type;
} REQUEST_TYPES[] = {
    {"connect", REALTIME_CONNECT}, {"send", REALTIME_SEND},     {"typing", REALTIME_TYPING},
    {"receipt", REALTIME_RECEIPT}, {"resume", REALTIME_RESUME}, {"token", REALTIME_TOKEN},
    {"ping", REALTIME_PING},
};

static int type_read(const struct json_reader *reader, const json_t *frame, enum realtime_request_type *type) {
    struct bytes name;
    int rc = json_text_require(reader, frame, "type", TYPE_BYTES_MAX, &name);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < sizeof(REQUEST_TYPES) / sizeof(REQUEST_TYPES[0]); i++) {
        if (bytes_equal_text(name, REQUEST_TYPES[i].name)) {
            *type = REQUEST_TYPES[i].type;
            return 0;
        }
    }
    return problem_set(reader->problem, reader->arena, STATUS_BAD_REQUEST, "type",
                       "There is no request of type \"%.*s\".", BYTES_ARG(name));
}

static int frame_read(const struct json_reader *reader, const json_t *frame, size_t message_bytes_max,
                      struct realtime_request *out) {
    int rc = id_read(reader, frame, &out->id);
    if (rc == 0)
        rc = type_read(reader, frame, &out->type);
    if (rc != 0)
        return rc;
    switch (out->type) {
    case REALTIME_CONNECT:
        return connect_read(reader, frame, out);
    case REALTIME_SEND:
        return send_read(reader, frame, message_bytes_max, out);
    case REALTIME_TYPING:
        return typing_read(reader, frame, out);
    case REALTIME_RECEIPT:
        return receipt_read(reader, frame, out);
    case REALTIME_RESUME:
        return resume_read(reader, frame, out);
    case REALTIME_TOKEN:
        return token_read(reader, frame, &out->token);
    case REALTIME_PING:
        return 0;
    }
    return 0;
}

int realtime_request_parse(struct arena *arena, enum realtime_format format, struct bytes frame,
                           size_t message_bytes_max, struct realtime_request *out, struct problem *problem) {
    const struct json_reader reader = {arena, problem};
    json_t *root;
    *out = (struct realtime_request){0};
    int rc = frame_load(&reader, format, frame, &root);
    if (rc != 0)
        return rc;
    rc = frame_read(&reader, root, message_bytes_max, out);
    json_decref(root);
    return rc;
}
