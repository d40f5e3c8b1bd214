#include "node/gateway/endpoint_message.h"

#include "proto/limits.h"
#include "proto/msgpack_codec.h"
#include "proto/question.h"
#include "proto/status.h"

static const struct codec_field HOLDER_FIELDS[] = {
    CODEC_MEMBER(1, CODEC_U64, struct endpoint_holder, node),
    CODEC_MEMBER(2, CODEC_U32, struct endpoint_holder, worker),
    CODEC_MEMBER(3, CODEC_U64, struct endpoint_holder, session),
};
static const struct codec_table HOLDER_TABLE = CODEC_TABLE(struct endpoint_holder, HOLDER_FIELDS);

static const struct codec_field PUSH_FIELDS[] = {
    CODEC_MEMBER(1, CODEC_BYTES, struct endpoint_message_push, before),
    CODEC_MEMBER(2, CODEC_BYTES, struct endpoint_message_push, after),
    CODEC_MEMBER(3, CODEC_ID_HASH, struct endpoint_message_push, thread),
    CODEC_MEMBER(4, CODEC_U64, struct endpoint_message_push, offset),
};
static const struct codec_table PUSH_TABLE = CODEC_TABLE(struct endpoint_message_push, PUSH_FIELDS);

static const struct codec_field ENDPOINT_FIELDS[] = {
    CODEC_MEMBER(1, CODEC_ID_HASH, struct endpoint_message, endpoint),
    CODEC_MEMBER_RECORD(2, struct endpoint_message, giver, &HOLDER_TABLE),
    CODEC_MEMBER_RECORD(3, struct endpoint_message, taker, &HOLDER_TABLE),
    CODEC_MEMBER(4, CODEC_BOOL, struct endpoint_message, is_renewal),
    CODEC_MEMBER(5, CODEC_BOOL, struct endpoint_message, is_found),
    CODEC_MEMBER_LIST(6, struct endpoint_message, pushes, pushes_count, &PUSH_TABLE),
    CODEC_MEMBER(7, CODEC_BYTES, struct endpoint_message, positions),
    CODEC_MEMBER(8, CODEC_U64, struct endpoint_message, turn),
    CODEC_MEMBER(9, CODEC_BOOL, struct endpoint_message, is_unsure),
    CODEC_MEMBER(10, CODEC_BOOL, struct endpoint_message, is_search),
};
static const struct codec_table ENDPOINT_TABLE = CODEC_TABLE(struct endpoint_message, ENDPOINT_FIELDS);

void endpoint_message_encode(const struct endpoint_message *message, struct buffer *out) {
    codec_encode(&ENDPOINT_TABLE, message, out);
}

static bool is_sound(const struct endpoint_message *message) {
    struct joined_threads positions = {.items = message->positions};
    if (message->positions.size != joined_threads_count(&positions) * JOINED_THREAD_BYTES)
        return false;
    for (size_t i = 0; i < message->pushes_count; i++)
        if (!bytes_is_present(message->pushes[i].before) || !bytes_is_present(message->pushes[i].after))
            return false;
    return message->pushes_count <= LIMIT_SESSION_UNANSWERED_MAX;
}

int endpoint_message_decode(struct bytes encoded, struct arena *arena, struct endpoint_message *message) {
    int rc = codec_decode(&ENDPOINT_TABLE, encoded, arena, message);
    if (rc != STATUS_OK)
        return rc;
    return is_sound(message) ? STATUS_OK : STATUS_MALFORMED;
}
