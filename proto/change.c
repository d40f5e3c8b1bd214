#include "proto/change.h"

#include "proto/msgpack_codec.h"
#include "proto/status.h"

static const struct codec_field TYPING_NOTICE_FIELDS[] = {
    CODEC_MEMBER(1, CODEC_BYTES, struct typing_notice, user_id),
    CODEC_MEMBER(2, CODEC_BYTES, struct typing_notice, display_name),
    CODEC_MEMBER(3, CODEC_I64, struct typing_notice, time_ms),
};
static const struct codec_table TYPING_NOTICE_TABLE = CODEC_TABLE(struct typing_notice, TYPING_NOTICE_FIELDS);

static const struct codec_field CHANGE_FIELDS[] = {
    CODEC_MEMBER_ENUM(1, struct change, kind, CHANGE_USER_REVOKED),
    CODEC_MEMBER(2, CODEC_ID_HASH, struct change, subject),
    CODEC_MEMBER(3, CODEC_BYTES, struct change, thread_id),
    CODEC_MEMBER(4, CODEC_U64, struct change, offset),
    CODEC_MEMBER(5, CODEC_U64, struct change, version),
    CODEC_MEMBER(6, CODEC_I64, struct change, time_ms),
    CODEC_MEMBER(7, CODEC_BYTES, struct change, actor_id),
    CODEC_MEMBER(8, CODEC_BYTES, struct change, actor_display_name),
    CODEC_MEMBER(9, CODEC_I64, struct change, actor_share_history_ms),
    CODEC_MEMBER_RECORD(10, struct change, message, &MESSAGE_TABLE),
    CODEC_MEMBER_RECORD(11, struct change, properties, &THREAD_PROPERTIES_TABLE),
    CODEC_MEMBER_LIST(12, struct change, participants.items, participants.count, &PARTICIPANT_TABLE),
    CODEC_MEMBER_LIST(13, struct change, typing, typing_count, &TYPING_NOTICE_TABLE),
    CODEC_MEMBER_LIST(14, struct change, receipts, receipts_count, &RECEIPT_TABLE),
    CODEC_MEMBER(15, CODEC_BYTES, struct change, reason),
};
static const struct codec_table CHANGE_TABLE = CODEC_TABLE(struct change, CHANGE_FIELDS);

void change_encode(const struct change *change, struct buffer *out) {
    codec_encode(&CHANGE_TABLE, change, out);
}

int change_decode(struct bytes encoded, struct arena *arena, struct change *change) {
    int rc = codec_decode(&CHANGE_TABLE, encoded, arena, change);
    if (rc == 0 && change->kind == 0)
        rc = STATUS_MALFORMED;
    return rc;
}
