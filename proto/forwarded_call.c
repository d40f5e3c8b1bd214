#include "proto/forwarded_call.h"

#include "proto/limits.h"
#include "proto/status.h"

#define METHOD_BYTES_MAX 16
#define HEADER_NAME_BYTES_MAX 64
#define ORIGIN_BYTES_MAX 512
#define ADDRESS_BYTES_MAX 64
#define HTTP_STATUS_MIN 200
#define HTTP_STATUS_MAX 599

static const struct codec_field HEADER_FIELDS[] = {
    CODEC_MEMBER(1, CODEC_BYTES, struct forwarded_header, name),
    CODEC_MEMBER(2, CODEC_BYTES, struct forwarded_header, value),
};
static const struct codec_table HEADER_TABLE = CODEC_TABLE(struct forwarded_header, HEADER_FIELDS);

static const struct codec_field CALL_FIELDS[] = {
    CODEC_MEMBER(1, CODEC_BYTES, struct forwarded_call, method),
    CODEC_MEMBER(2, CODEC_BYTES, struct forwarded_call, target),
    CODEC_MEMBER_LIST(3, struct forwarded_call, headers, headers_count, &HEADER_TABLE),
    CODEC_MEMBER(4, CODEC_BYTES, struct forwarded_call, body),
    CODEC_MEMBER(5, CODEC_BYTES, struct forwarded_call, origin),
    CODEC_MEMBER(6, CODEC_BYTES, struct forwarded_call, client_address),
    CODEC_MEMBER(7, CODEC_BYTES, struct forwarded_call, user_id),
    CODEC_MEMBER(8, CODEC_U32, struct forwarded_call, scopes),
    CODEC_MEMBER(9, CODEC_I64, struct forwarded_call, token_issued_s),
    CODEC_MEMBER(10, CODEC_I64, struct forwarded_call, token_expires_s),
    CODEC_MEMBER(11, CODEC_BYTES, struct forwarded_call, operation_id),
};
static const struct codec_table CALL_TABLE = CODEC_TABLE(struct forwarded_call, CALL_FIELDS);

static const struct codec_field REPLY_FIELDS[] = {
    CODEC_MEMBER(1, CODEC_U32, struct forwarded_reply, status),
    CODEC_MEMBER_LIST(2, struct forwarded_reply, headers, headers_count, &HEADER_TABLE),
    CODEC_MEMBER(3, CODEC_BYTES, struct forwarded_reply, body),
};
static const struct codec_table REPLY_TABLE = CODEC_TABLE(struct forwarded_reply, REPLY_FIELDS);

static bool has_size(struct bytes value, size_t least, size_t most) {
    return value.size >= least && value.size <= most;
}

static bool headers_are_sound(const struct forwarded_header *headers, size_t count) {
    if (count > FORWARDED_HEADERS_MAX)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!has_size(headers[i].name, 1, HEADER_NAME_BYTES_MAX) || !bytes_is_present(headers[i].value) ||
            headers[i].value.size > FORWARDED_HEADER_BYTES_MAX)
            return false;
    }
    return true;
}

static bool call_is_sound(const struct forwarded_call *call) {
    return has_size(call->method, 1, METHOD_BYTES_MAX) && has_size(call->target, 1, FORWARDED_TARGET_BYTES_MAX) &&
           has_size(call->body, 0, FORWARDED_CALL_BODY_MAX) && has_size(call->origin, 0, ORIGIN_BYTES_MAX) &&
           has_size(call->client_address, 0, ADDRESS_BYTES_MAX) && has_size(call->user_id, 0, LIMIT_RAW_ID_BYTES_MAX) &&
           has_size(call->operation_id, 0, LIMIT_RAW_ID_BYTES_MAX) &&
           headers_are_sound(call->headers, call->headers_count);
}

static bool reply_is_sound(const struct forwarded_reply *reply) {
    return reply->status >= HTTP_STATUS_MIN && reply->status <= HTTP_STATUS_MAX &&
           has_size(reply->body, 0, FORWARDED_REPLY_BODY_MAX) &&
           headers_are_sound(reply->headers, reply->headers_count);
}

void forwarded_call_encode(const struct forwarded_call *call, struct buffer *out) {
    codec_encode(&CALL_TABLE, call, out);
}

int forwarded_call_decode(struct bytes encoded, struct arena *arena, struct forwarded_call *call) {
    int rc = codec_decode(&CALL_TABLE, encoded, arena, call);
    if (rc != STATUS_OK)
        return rc;
    return call_is_sound(call) ? STATUS_OK : STATUS_MALFORMED;
}

void forwarded_reply_encode(const struct forwarded_reply *reply, struct buffer *out) {
    codec_encode(&REPLY_TABLE, reply, out);
}

int forwarded_reply_decode(struct bytes encoded, struct arena *arena, struct forwarded_reply *reply) {
    int rc = codec_decode(&REPLY_TABLE, encoded, arena, reply);
    if (rc != STATUS_OK)
        return rc;
    return reply_is_sound(reply) ? STATUS_OK : STATUS_MALFORMED;
}
