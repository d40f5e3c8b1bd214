#include "proto/operation.h"

#include "proto/limits.h"
#include "proto/status.h"

static const struct codec_field OPERATION_FIELDS[] = {
    CODEC_MEMBER_ENUM(1, struct realtime_request, type, REALTIME_RECEIPT),
    CODEC_MEMBER(2, CODEC_BYTES, struct realtime_request, id),
    CODEC_MEMBER(3, CODEC_BYTES, struct realtime_request, thread_id),
    CODEC_MEMBER(4, CODEC_BYTES, struct realtime_request, content),
    CODEC_MEMBER_ENUM(5, struct realtime_request, message_type, MESSAGE_HTML),
    CODEC_MEMBER(6, CODEC_BYTES, struct realtime_request, display_name),
    CODEC_MEMBER(7, CODEC_METADATA, struct realtime_request, metadata),
    CODEC_MEMBER(8, CODEC_U64, struct realtime_request, message_id),
};
static const struct codec_table OPERATION_TABLE = CODEC_TABLE(struct realtime_request, OPERATION_FIELDS);

static bool is_sound(const struct realtime_request *request) {
    bool is_of_a_thread =
        request->type == REALTIME_SEND || request->type == REALTIME_TYPING || request->type == REALTIME_RECEIPT;
    bool is_whole =
        request->type != REALTIME_SEND || (bytes_is_present(request->content) && request->message_type >= MESSAGE_TEXT);
    return is_of_a_thread && is_whole && bytes_is_present(request->thread_id) &&
           request->content.size <= LIMIT_MESSAGE_BYTES_MAX && request->id.size <= LIMIT_CLIENT_MESSAGE_ID_BYTES_MAX;
}

void operation_encode(const struct realtime_request *request, struct buffer *out) {
    codec_encode(&OPERATION_TABLE, request, out);
}

int operation_decode(struct bytes encoded, struct arena *arena, struct realtime_request *request) {
    int rc = codec_decode(&OPERATION_TABLE, encoded, arena, request);
    if (rc != STATUS_OK)
        return rc;
    if (!bytes_is_present(request->display_name))
        request->display_name = BYTES_LITERAL("");
    return is_sound(request) ? STATUS_OK : STATUS_MALFORMED;
}

/* As it goes over the wire. */
struct result_row {
    int64_t rc;
    uint64_t message_id;
    uint64_t offset;
    uint64_t sequence;
    uint64_t version;
    int64_t time_ms;
    bool is_duplicate;
    uint32_t copies;
    struct bytes message;
    struct bytes target;
};

static const struct codec_field RESULT_FIELDS[] = {
    CODEC_MEMBER(1, CODEC_I64, struct result_row, rc),
    CODEC_MEMBER(2, CODEC_U64, struct result_row, message_id),
    CODEC_MEMBER(3, CODEC_U64, struct result_row, offset),
    CODEC_MEMBER(4, CODEC_U64, struct result_row, sequence),
    CODEC_MEMBER(5, CODEC_U64, struct result_row, version),
    CODEC_MEMBER(6, CODEC_I64, struct result_row, time_ms),
    CODEC_MEMBER(7, CODEC_BOOL, struct result_row, is_duplicate),
    CODEC_MEMBER(8, CODEC_U32, struct result_row, copies),
    CODEC_MEMBER(9, CODEC_BYTES, struct result_row, message),
    CODEC_MEMBER(10, CODEC_BYTES, struct result_row, target),
};
static const struct codec_table RESULT_TABLE = CODEC_TABLE(struct result_row, RESULT_FIELDS);

void operation_result_encode(const struct operation_result *result, struct buffer *out) {
    struct result_row row = {.rc = result->result.rc,
                             .message_id = result->result.message_id,
                             .offset = result->result.offset,
                             .sequence = result->result.sequence,
                             .version = result->result.version,
                             .time_ms = result->result.time_ms,
                             .is_duplicate = result->result.is_duplicate,
                             .copies = result->copies,
                             .message = result->message,
                             .target = result->target};
    codec_encode(&RESULT_TABLE, &row, out);
}

int operation_result_decode(struct bytes encoded, struct arena *arena, struct operation_result *result) {
    struct result_row row;
    int rc = codec_decode(&RESULT_TABLE, encoded, arena, &row);
    if (rc == STATUS_OK && (row.rc > 0 || row.rc < INT32_MIN))
        rc = STATUS_MALFORMED;
    if (rc != STATUS_OK)
        return rc;
    *result = (struct operation_result){.result = {.rc = (int)row.rc,
                                                   .message_id = row.message_id,
                                                   .offset = row.offset,
                                                   .sequence = row.sequence,
                                                   .version = row.version,
                                                   .time_ms = row.time_ms,
                                                   .is_duplicate = row.is_duplicate},
                                        .copies = row.copies,
                                        .message = row.message,
                                        .target = row.target};
    return STATUS_OK;
}
