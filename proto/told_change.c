#include "proto/told_change.h"

#include "proto/msgpack_codec.h"
#include "proto/status.h"

static const struct codec_field TOLD_FIELDS[] = {
    CODEC_MEMBER(1, CODEC_ID_HASH, struct told_change, subject),
    CODEC_MEMBER(2, CODEC_U64, struct told_change, from_offset),
    CODEC_MEMBER(3, CODEC_U64, struct told_change, next_offset),
    CODEC_MEMBER(4, CODEC_U32, struct told_change, copies),
    CODEC_MEMBER(5, CODEC_BYTES, struct told_change, change),
};
static const struct codec_table TOLD_TABLE = CODEC_TABLE(struct told_change, TOLD_FIELDS);

void told_change_encode(const struct told_change *told, struct buffer *out) {
    codec_encode(&TOLD_TABLE, told, out);
}

int told_change_decode(struct bytes encoded, struct arena *arena, struct told_change *told) {
    int rc = codec_decode(&TOLD_TABLE, encoded, arena, told);
    if (rc != STATUS_OK)
        return rc;
    return told->next_offset == 0 || told->from_offset < told->next_offset ? STATUS_OK : STATUS_MALFORMED;
}
