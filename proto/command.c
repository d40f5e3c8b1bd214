#include "proto/command.h"

#include "proto/msgpack_codec.h"
#include "proto/status.h"

#define BODY_HASH_BYTES 16

static const struct codec_field CURSOR_FIELDS[] = {
    CODEC_MEMBER(1, CODEC_ID_HASH, struct event_cursor, consumer),
    CODEC_MEMBER(2, CODEC_U64, struct event_cursor, offset),
    CODEC_MEMBER(3, CODEC_U64, struct event_cursor, serial),
};
const struct codec_table EVENT_CURSOR_TABLE = CODEC_TABLE(struct event_cursor, CURSOR_FIELDS);

static const struct codec_field IMPORT_MEMBER_FIELDS[] = {
    CODEC_MEMBER_RECORD(1, struct import_member, participant, &PARTICIPANT_TABLE),
    CODEC_MEMBER(2, CODEC_U64, struct import_member, joined_offset),
    CODEC_MEMBER(3, CODEC_U64, struct import_member, removed_offset),
    CODEC_MEMBER(4, CODEC_BYTES, struct import_member, topic),
    CODEC_MEMBER(5, CODEC_I64, struct import_member, last_message_ms),
};
static const struct codec_table IMPORT_MEMBER_TABLE = CODEC_TABLE(struct import_member, IMPORT_MEMBER_FIELDS);

static const struct codec_field COMMAND_FIELDS[] = {
    CODEC_MEMBER_ENUM(1, struct command, kind, COMMAND_MESSAGES_IMPORT),
    CODEC_MEMBER(2, CODEC_ID_HASH, struct command, subject),
    CODEC_MEMBER(3, CODEC_I64, struct command, time_ms),
    CODEC_MEMBER(4, CODEC_BYTES, struct command, actor_id),
    CODEC_MEMBER(5, CODEC_BYTES, struct command, wrapped_key),
    CODEC_MEMBER_RECORD(6, struct command, properties, &THREAD_PROPERTIES_TABLE),
    CODEC_MEMBER_LIST(7, struct command, participants.items, participants.count, &PARTICIPANT_TABLE),
    CODEC_MEMBER(8, CODEC_BYTES, struct command, user_id),
    CODEC_MEMBER(9, CODEC_BYTES, struct command, reason),
    CODEC_MEMBER(10, CODEC_U64, struct command, message_id),
    CODEC_MEMBER_ENUM(11, struct command, message_type, MESSAGE_PARTICIPANT_REMOVED),
    CODEC_MEMBER(12, CODEC_BYTES, struct command, content),
    CODEC_MEMBER(13, CODEC_BYTES, struct command, display_name),
    CODEC_MEMBER(14, CODEC_METADATA, struct command, metadata),
    CODEC_MEMBER_ENUM(15, struct command, idempotency, IDEMPOTENCY_OPERATION),
    CODEC_MEMBER(16, CODEC_BYTES, struct command, idempotency_id),
    CODEC_MEMBER(17, CODEC_BYTES, struct command, body_hash),
    CODEC_MEMBER(18, CODEC_U64, struct command, number),
    CODEC_MEMBER(19, CODEC_ID_HASH, struct command, thread_hash),
    CODEC_MEMBER(20, CODEC_BYTES, struct command, thread_id),
    CODEC_MEMBER_ENUM(21, struct command, membership, MEMBERSHIP_DELETED),
    CODEC_MEMBER(22, CODEC_U64, struct command, offset),
    CODEC_MEMBER(23, CODEC_BYTES, struct command, topic),
    CODEC_MEMBER(24, CODEC_I64, struct command, last_message_ms),
    CODEC_MEMBER(25, CODEC_I64, struct command, valid_from_s),
    CODEC_MEMBER(26, CODEC_BOOL, struct command, is_watched),
    CODEC_MEMBER_LIST(27, struct command, cursors, cursors_count, &EVENT_CURSOR_TABLE),
    CODEC_MEMBER(30, CODEC_I64, struct command, keep_ms),
    CODEC_MEMBER_RECORD(40, struct command, registration, &PUSH_REGISTRATION_TABLE),
    CODEC_MEMBER(60, CODEC_U64, struct command, sequence),
    CODEC_MEMBER(61, CODEC_U64, struct command, version),
    CODEC_MEMBER_LIST(62, struct command, members, members_count, &IMPORT_MEMBER_TABLE),
    CODEC_MEMBER_LIST(63, struct command, receipts, receipts_count, &RECEIPT_TABLE),
    CODEC_MEMBER_LIST(64, struct command, messages, messages_count, &MESSAGE_TABLE),
};
static const struct codec_table COMMAND_TABLE = CODEC_TABLE(struct command, COMMAND_FIELDS);

static bool kind_is_known(enum command_kind kind) {
    return (kind >= COMMAND_THREAD_CREATE && kind <= COMMAND_THREAD_SHRED) ||
           (kind >= COMMAND_USER_CREATE && kind <= COMMAND_USER_PUSH_REMOVE) || kind == COMMAND_THREAD_IMPORT ||
           kind == COMMAND_MESSAGES_IMPORT;
}

static bool size_is_expected(struct bytes value, size_t size) {
    return !bytes_is_present(value) || value.size == size;
}

void command_encode(const struct command *command, struct buffer *out) {
    codec_encode(&COMMAND_TABLE, command, out);
}

int command_decode(struct bytes encoded, struct arena *arena, struct command *command) {
    int rc = codec_decode(&COMMAND_TABLE, encoded, arena, command);
    if (rc != 0)
        return rc;
    if (!kind_is_known(command->kind) || !size_is_expected(command->wrapped_key, WRAPPED_KEY_BYTES) ||
        !size_is_expected(command->body_hash, BODY_HASH_BYTES))
        return STATUS_MALFORMED;
    return command->kind == COMMAND_USER_PUSH_SET ? push_registration_check(&command->registration) : 0;
}
