#include "node/bots/bot_saying.h"

#include "proto/limits.h"

#define STREAM_ENTITY "streaminfo"

static struct bytes text_of(const json_t *value) {
    return json_is_string(value) ? bytes_of(json_string_value(value), json_string_length(value)) : BYTES_ABSENT;
}

/* ---- pieces ---- */

/* An entity, or, as older bots have it, among the channel's data. NULL: it is no piece. */
static const json_t *stream_info_find(const json_t *activity) {
    const json_t *entities = json_member_find(activity, "entities");
    const json_t *channel_data = json_member_find(activity, "channelData");
    for (size_t i = 0; i < json_array_size(entities); i++) {
        const json_t *entity = json_array_get(entities, i);
        if (bytes_equal_text(text_of(json_member_find(entity, "type")), STREAM_ENTITY))
            return entity;
    }
    return json_member_find(channel_data, "streamType") != NULL ? channel_data : NULL;
}

static int stream_type_check(const struct json_reader *reader, struct bytes type, bool is_message) {
    bool is_final = bytes_equal_text(type, "final");
    bool is_known = is_final || bytes_equal_text(type, "streaming") || bytes_equal_text(type, "informative");
    if (!is_known)
        return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, "streamType",
                           "The streamType must be informative, streaming or final, not \"%.*s\".", BYTES_ARG(type));
    if (is_final != is_message)
        return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, "streamType",
                           "A piece with the streamType %.*s must be an activity of type %s.", BYTES_ARG(type),
                           is_final ? "message" : "typing");
    return STATUS_OK;
}

static int stream_read(const struct json_reader *reader, const json_t *info, bool is_message,
                       struct bot_stream *stream) {
    struct bytes type;
    const json_t *sequence = json_member_find(info, "streamSequence");
    stream->is_part = true;
    int rc = json_text_require(reader, info, "streamType", 32, &type);
    if (rc == STATUS_OK)
        rc = stream_type_check(reader, type, is_message);
    if (rc == STATUS_OK)
        rc = json_text_read(reader, info, "streamId", LIMIT_CLIENT_MESSAGE_ID_BYTES_MAX, &stream->id);
    if (rc != STATUS_OK)
        return rc;
    stream->is_last = bytes_equal_text(type, "final");
    if (sequence == NULL)
        return STATUS_OK;
    if (!json_is_integer(sequence) || json_integer_value(sequence) < 1)
        return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, "streamSequence",
                           "The streamSequence must be an integer above 0.");
    stream->sequence = (uint64_t)json_integer_value(sequence);
    return STATUS_OK;
}

/* ---- messages ---- */

static int format_read(const struct json_reader *reader, const json_t *activity, enum message_type *type) {
    struct bytes format;
    int rc = json_text_read(reader, activity, "textFormat", 32, &format);
    bool is_html = rc == STATUS_OK && (bytes_equal_text(format, "xml") || bytes_equal_text(format, "html"));
    *type = is_html ? MESSAGE_HTML : MESSAGE_TEXT;
    if (rc != STATUS_OK || is_html || !bytes_is_present(format) || bytes_equal_text(format, "plain") ||
        bytes_equal_text(format, "markdown"))
        return rc;
    return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, "textFormat",
                       "The textFormat must be plain, markdown or xml, not \"%.*s\".", BYTES_ARG(format));
}

static int text_read(const struct json_reader *reader, const json_t *activity, size_t bytes_max, struct bytes *text) {
    int rc = json_text_read(reader, activity, "text", SIZE_MAX, text);
    if (rc == STATUS_OK && text->size == 0)
        rc = problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, "text",
                         "text is required: of an activity nothing else is shown here.");
    if (rc == STATUS_OK && text->size > bytes_max)
        rc = problem_set(reader->problem, reader->arena, STATUS_REQUEST_ENTITY_TOO_LARGE, "text",
                         "text has %zu bytes; at most %zu are allowed.", text->size, bytes_max);
    return rc;
}

static int message_read(const struct json_reader *reader, const json_t *activity, size_t bytes_max,
                        struct send_message_request *message) {
    const json_t *from = json_member_find(activity, "from");
    const json_t *channel_data = json_member_find(activity, "channelData");
    int rc = text_read(reader, activity, bytes_max, &message->content);
    if (rc == STATUS_OK)
        rc = format_read(reader, activity, &message->type);
    if (rc == STATUS_OK)
        rc = json_text_read(reader, from, "name", LIMIT_DISPLAY_NAME_BYTES_MAX, &message->display_name);
    if (rc == STATUS_OK && !bytes_is_present(message->display_name))
        message->display_name = BYTES_LITERAL("");
    if (rc == STATUS_OK)
        rc = json_metadata_read(reader, channel_data, METADATA_WHOLE, LIMIT_METADATA_BYTES_MAX, &message->metadata);
    return rc;
}

/* ---- an activity ---- */

static int kind_read(const struct json_reader *reader, const json_t *activity, enum bot_saying_kind *kind) {
    static const char *const ignored[] = {"trace", "event", "endOfConversation", "invokeResponse", "delay"};
    struct bytes type;
    int rc = json_text_require(reader, activity, "type", 64, &type);
    if (rc != STATUS_OK)
        return rc;
    *kind = bytes_equal_text(type, "typing") ? BOT_SAYS_TYPING : BOT_SAYS_MESSAGE;
    if (*kind == BOT_SAYS_TYPING || bytes_equal_text(type, "message"))
        return STATUS_OK;
    *kind = BOT_SAYS_NOTHING;
    for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
        if (bytes_equal_text(type, ignored[i]))
            return STATUS_OK;
    return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, "type",
                       "A bot can say activities of type message or typing, not \"%.*s\".", BYTES_ARG(type));
}

static int saying_read(const struct json_reader *reader, const json_t *activity, size_t bytes_max,
                       struct bot_saying *saying) {
    const json_t *info = stream_info_find(activity);
    int rc = kind_read(reader, activity, &saying->kind);
    if (rc == STATUS_OK)
        rc = json_text_read(reader, activity, "id", LIMIT_CLIENT_MESSAGE_ID_BYTES_MAX, &saying->id);
    if (rc == STATUS_OK && info != NULL && saying->kind != BOT_SAYS_NOTHING)
        rc = stream_read(reader, info, saying->kind == BOT_SAYS_MESSAGE, &saying->stream);
    if (saying->stream.is_part)
        saying->kind = BOT_SAYS_MESSAGE;
    if (rc == STATUS_OK && saying->kind == BOT_SAYS_MESSAGE)
        rc = message_read(reader, activity, bytes_max, &saying->message);
    return rc;
}

int bot_saying_parse(struct arena *arena, struct bytes body, size_t message_bytes_max, struct bot_saying *saying,
                     struct problem *problem) {
    const struct json_reader reader = {arena, problem};
    json_t *root;
    *saying = (struct bot_saying){.kind = BOT_SAYS_NOTHING};
    int rc = json_body_load(&reader, body, &root);
    if (rc != STATUS_OK)
        return rc;
    rc = saying_read(&reader, root, message_bytes_max, saying);
    if (saying->id.size == 0)
        saying->id = BYTES_ABSENT;
    json_decref(root);
    return rc;
}

/* ---- answers ---- */

static struct bytes reply_make(struct arena *arena, json_t *activity, struct bytes id, size_t number) {
    json_t *copy = json_copy(activity);
    if (text_of(json_member_find(activity, "id")).size == 0)
        json_text_set(copy, "id", arena_printf(arena, "%.*s-%zu", BYTES_ARG(id), number));
    return json_text_take(arena, copy);
}

size_t bot_replies_split(struct arena *arena, struct bytes body, struct bytes id,
                         struct bytes replies[static BOT_REPLIES_MAX]) {
    struct problem ignored = {0};
    const struct json_reader reader = {arena, &ignored};
    size_t count = 0;
    json_t *root;
    if (body.size == 0 || json_body_load(&reader, body, &root) != STATUS_OK)
        return 0;
    const json_t *activities = json_member_find(root, "activities");
    for (size_t i = 0; i < json_array_size(activities); i++) {
        json_t *activity = json_array_get(activities, i);
        if (!json_is_object(activity))
            continue;
        if (count < BOT_REPLIES_MAX)
            replies[count] = reply_make(arena, activity, id, i);
        count++;
    }
    json_decref(root);
    return count;
}
