#include "storage/rows.h"

static const struct codec_field counters_fields[] = {
    CODEC_MEMBER(1, CODEC_U64, struct thread_counters, offset),
    CODEC_MEMBER(2, CODEC_U64, struct thread_counters, sequence),
    CODEC_MEMBER(3, CODEC_U64, struct thread_counters, version),
    CODEC_MEMBER(4, CODEC_I64, struct thread_counters, last_message_ms),
    CODEC_MEMBER(5, CODEC_U32, struct thread_counters, participants),
    CODEC_MEMBER(6, CODEC_U64, struct thread_counters, joins),
    CODEC_MEMBER(7, CODEC_U64, struct thread_counters, properties_offset),
    CODEC_MEMBER(8, CODEC_U32, struct thread_counters, teams_users),
};
const struct codec_table THREAD_COUNTERS_TABLE = CODEC_TABLE(struct thread_counters, counters_fields);

static const struct codec_field participant_fields[] = {
    CODEC_MEMBER_RECORD(1, struct participant_row, participant, &PARTICIPANT_TABLE),
    CODEC_MEMBER(2, CODEC_U64, struct participant_row, join_number),
    CODEC_MEMBER(3, CODEC_U64, struct participant_row, joined_offset),
    CODEC_MEMBER(4, CODEC_U64, struct participant_row, removed_offset),
    CODEC_MEMBER(5, CODEC_BYTES, struct participant_row, topic),
    CODEC_MEMBER(6, CODEC_U64, struct participant_row, earlier_joined_offset),
    CODEC_MEMBER(7, CODEC_U64, struct participant_row, earlier_removed_offset),
    CODEC_MEMBER(8, CODEC_BOOL, struct participant_row, is_counted_of_teams),
};
const struct codec_table PARTICIPANT_ROW_TABLE = CODEC_TABLE(struct participant_row, participant_fields);

static const struct codec_field sent_fields[] = {
    CODEC_MEMBER(1, CODEC_U64, struct sent_row, message_id),  CODEC_MEMBER(2, CODEC_U64, struct sent_row, sequence),
    CODEC_MEMBER(3, CODEC_U64, struct sent_row, offset),      CODEC_MEMBER(4, CODEC_I64, struct sent_row, time_ms),
    CODEC_MEMBER(5, CODEC_BYTES, struct sent_row, body_hash),
};
const struct codec_table SENT_ROW_TABLE = CODEC_TABLE(struct sent_row, sent_fields);

static const struct codec_field change_row_fields[] = {
    CODEC_MEMBER_RECORD(1, struct change_row, message, &MESSAGE_TABLE),
    CODEC_MEMBER(2, CODEC_BOOL, struct change_row, is_properties_change),
    CODEC_MEMBER(3, CODEC_U64, struct change_row, version),
    CODEC_MEMBER(4, CODEC_BYTES, struct change_row, actor_id),
    CODEC_MEMBER(5, CODEC_BOOL, struct change_row, is_undeletion),
};
const struct codec_table CHANGE_ROW_TABLE = CODEC_TABLE(struct change_row, change_row_fields);

static const struct codec_field import_fields[] = {
    CODEC_MEMBER(1, CODEC_U64, struct import_row, offset),
    CODEC_MEMBER(2, CODEC_U64, struct import_row, sequence),
    CODEC_MEMBER(3, CODEC_U64, struct import_row, version),
};
const struct codec_table IMPORT_ROW_TABLE = CODEC_TABLE(struct import_row, import_fields);

static const struct codec_field user_fields[] = {
    CODEC_MEMBER(1, CODEC_BYTES, struct user_row, user_id),
    CODEC_MEMBER(2, CODEC_I64, struct user_row, created_ms),
    CODEC_MEMBER(3, CODEC_I64, struct user_row, valid_from_s),
    CODEC_MEMBER(4, CODEC_BYTES, struct user_row, revocation),
};
const struct codec_table USER_ROW_TABLE = CODEC_TABLE(struct user_row, user_fields);

static const struct codec_field membership_fields[] = {
    CODEC_MEMBER(1, CODEC_BYTES, struct membership_row, thread_id),
    CODEC_MEMBER_ENUM(2, struct membership_row, membership, MEMBERSHIP_DELETED),
    CODEC_MEMBER(3, CODEC_U64, struct membership_row, offset),
    CODEC_MEMBER(4, CODEC_BYTES, struct membership_row, topic),
    CODEC_MEMBER(5, CODEC_I64, struct membership_row, deleted_ms),
    CODEC_MEMBER(6, CODEC_I64, struct membership_row, last_message_ms),
};
const struct codec_table MEMBERSHIP_ROW_TABLE = CODEC_TABLE(struct membership_row, membership_fields);

static const struct codec_field tombstone_fields[] = {
    CODEC_MEMBER(1, CODEC_I64, struct tombstone_row, deleted_ms),
    CODEC_MEMBER(2, CODEC_U64, struct tombstone_row, offset),
    CODEC_MEMBER(3, CODEC_BYTES, struct tombstone_row, thread_id),
    CODEC_MEMBER(4, CODEC_BYTES, struct tombstone_row, actor_id),
    CODEC_MEMBER(5, CODEC_BYTES, struct tombstone_row, actor_display_name),
    CODEC_MEMBER(6, CODEC_BYTES, struct tombstone_row, reason),
    CODEC_MEMBER(7, CODEC_BYTES, struct tombstone_row, operation),
    CODEC_MEMBER(8, CODEC_BYTES, struct tombstone_row, wrapped_key),
    CODEC_MEMBER(9, CODEC_I64, struct tombstone_row, kept_until_ms),
};
const struct codec_table TOMBSTONE_ROW_TABLE = CODEC_TABLE(struct tombstone_row, tombstone_fields);

static const struct codec_field hold_fields[] = {
    CODEC_MEMBER(1, CODEC_BYTES, struct hold_row, reason),
    CODEC_MEMBER(2, CODEC_I64, struct hold_row, since_ms),
};
const struct codec_table HOLD_ROW_TABLE = CODEC_TABLE(struct hold_row, hold_fields);

static const struct codec_field outbox_user_fields[] = {
    CODEC_MEMBER(1, CODEC_ID_HASH, struct outbox_user, hash),
};
static const struct codec_table OUTBOX_USER_TABLE = CODEC_TABLE(struct outbox_user, outbox_user_fields);

static const struct codec_field outbox_fields[] = {
    CODEC_MEMBER(1, CODEC_BOOL, struct outbox_row, is_purge),
    CODEC_MEMBER(2, CODEC_BYTES, struct outbox_row, thread_id),
    CODEC_MEMBER_ENUM(3, struct outbox_row, membership, MEMBERSHIP_DELETED),
    CODEC_MEMBER(4, CODEC_U64, struct outbox_row, offset),
    CODEC_MEMBER(5, CODEC_I64, struct outbox_row, time_ms),
    CODEC_MEMBER(6, CODEC_BYTES, struct outbox_row, topic),
    CODEC_MEMBER(7, CODEC_I64, struct outbox_row, last_message_ms),
    CODEC_MEMBER_LIST(8, struct outbox_row, users, users_count, &OUTBOX_USER_TABLE),
};
const struct codec_table OUTBOX_ROW_TABLE = CODEC_TABLE(struct outbox_row, outbox_fields);

static const struct codec_field event_fields[] = {
    CODEC_MEMBER(1, CODEC_I64, struct event_row, time_ms),
    CODEC_MEMBER(2, CODEC_I64, struct event_row, thread_created_ms),
    CODEC_MEMBER(3, CODEC_BYTES, struct event_row, change),
};
const struct codec_table EVENT_ROW_TABLE = CODEC_TABLE(struct event_row, event_fields);

static const struct codec_field event_cursors_fields[] = {
    CODEC_MEMBER_LIST(1, struct event_cursors_row, cursors, cursors_count, &EVENT_CURSOR_TABLE),
};
const struct codec_table EVENT_CURSORS_TABLE = CODEC_TABLE(struct event_cursors_row, event_cursors_fields);

static const struct codec_field marks_fields[] = {
    CODEC_MEMBER(1, CODEC_U64, struct range_marks, epoch),
    CODEC_MEMBER(2, CODEC_U64, struct range_marks, applied),
    CODEC_MEMBER(3, CODEC_BOOL, struct range_marks, is_incomplete),
};
const struct codec_table RANGE_MARKS_TABLE = CODEC_TABLE(struct range_marks, marks_fields);

static const struct codec_field marks_of_fields[] = {
    CODEC_MEMBER(1, CODEC_U32, struct range_marks_of, range),
    CODEC_MEMBER(2, CODEC_U64, struct range_marks_of, epoch),
    CODEC_MEMBER(3, CODEC_U64, struct range_marks_of, applied),
    CODEC_MEMBER(4, CODEC_BOOL, struct range_marks_of, is_incomplete),
};
static const struct codec_table MARKS_OF_TABLE = CODEC_TABLE(struct range_marks_of, marks_of_fields);

static const struct codec_field marks_record_fields[] = {
    CODEC_MEMBER_LIST(1, struct marks_record, marks, marks_count, &MARKS_OF_TABLE),
};
const struct codec_table MARKS_RECORD_TABLE = CODEC_TABLE(struct marks_record, marks_record_fields);

static const struct codec_field bounds_fields[] = {
    CODEC_MEMBER(1, CODEC_U64, struct bounds, first),
    CODEC_MEMBER(2, CODEC_U64, struct bounds, last),
};
const struct codec_table BOUNDS_TABLE = CODEC_TABLE(struct bounds, bounds_fields);

static const struct codec_field waiting_key_fields[] = {
    CODEC_MEMBER(1, CODEC_U64, struct waiting_key_row, index),
    CODEC_MEMBER(2, CODEC_BYTES, struct waiting_key_row, wrapped),
};
const struct codec_table WAITING_KEY_TABLE = CODEC_TABLE(struct waiting_key_row, waiting_key_fields);

static bool was_in(uint64_t joined, uint64_t removed, uint64_t offset) {
    return joined != 0 && joined <= offset && (removed == 0 || offset <= removed);
}

bool participant_row_was_in(const struct participant_row *row, uint64_t offset) {
    return was_in(row->joined_offset, row->removed_offset, offset) ||
           was_in(row->earlier_joined_offset, row->earlier_removed_offset, offset);
}
