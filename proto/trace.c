#include "proto/trace.h"

#include "proto/limits.h"
#include "proto/msgpack_codec.h"
#include "proto/status.h"

static const struct codec_field CHANGE_FIELDS[] = {
    CODEC_MEMBER(1, CODEC_U64, struct trace_change, offset),
    CODEC_MEMBER(2, CODEC_U32, struct trace_change, kind),
};
static const struct codec_table CHANGE_TABLE = CODEC_TABLE(struct trace_change, CHANGE_FIELDS);

static const struct codec_field REQUEST_FIELDS[] = {
    CODEC_MEMBER(1, CODEC_U64, struct trace_request, message_id),
    CODEC_MEMBER(2, CODEC_U64, struct trace_request, offset),
    CODEC_MEMBER_LIST(3, struct trace_request, changes, changes_count, &CHANGE_TABLE),
};
static const struct codec_table REQUEST_TABLE = CODEC_TABLE(struct trace_request, REQUEST_FIELDS);

static const struct codec_field USER_FIELDS[] = {
    CODEC_MEMBER(1, CODEC_BYTES, struct trace_user, user_id),
    CODEC_MEMBER(2, CODEC_BOOL, struct trace_user, is_gone),
};
static const struct codec_table USER_TABLE = CODEC_TABLE(struct trace_user, USER_FIELDS);

static const struct codec_field SUBJECT_FIELDS[] = {
    CODEC_MEMBER(1, CODEC_BOOL, struct trace_subject, has_thread),
    CODEC_MEMBER(2, CODEC_BOOL, struct trace_subject, has_message),
    CODEC_MEMBER_RECORD(3, struct trace_subject, message, &MESSAGE_TABLE),
    CODEC_MEMBER(4, CODEC_U64, struct trace_subject, newest),
    CODEC_MEMBER_LIST(5, struct trace_subject, changes, changes_count, &CHANGE_TABLE),
    CODEC_MEMBER_LIST(6, struct trace_subject, users, users_count, &USER_TABLE),
};
static const struct codec_table SUBJECT_TABLE = CODEC_TABLE(struct trace_subject, SUBJECT_FIELDS);

static const struct codec_field MEMORY_FIELDS[] = {
    CODEC_MEMBER(1, CODEC_I64, struct trace_memory, now_us),
    CODEC_MEMBER(2, CODEC_I64, struct trace_memory, log_from_us),
    CODEC_MEMBER(3, CODEC_I64, struct trace_memory, told_from_us),
    CODEC_MEMBER(4, CODEC_BOOL, struct trace_memory, is_off),
    CODEC_MEMBER(5, CODEC_BOOL, struct trace_memory, is_cut),
    CODEC_MEMBER(6, CODEC_BYTES, struct trace_memory, events),
};
static const struct codec_table MEMORY_TABLE = CODEC_TABLE(struct trace_memory, MEMORY_FIELDS);

/* ---- events ---- */

static void number_write(uint8_t at[sizeof(uint64_t)], uint64_t value) {
    for (size_t i = 0; i < sizeof(value); i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t number_read(const uint8_t at[sizeof(uint64_t)]) {
    uint64_t value = 0;
    for (size_t i = 0; i < sizeof(value); i++)
        value |= (uint64_t)at[i] << (8 * i);
    return value;
}

void trace_event_add(struct buffer *events, const struct trace_event *event) {
    uint8_t record[TRACE_EVENT_BYTES];
    number_write(record, (uint64_t)event->time_us << 8 | (uint8_t)event->stage);
    number_write(record + 8, event->number << 8 | event->detail);
    number_write(record + 16, event->about);
    buffer_append(events, record, sizeof(record));
}

size_t trace_events_count(const struct trace_memory *memory) {
    return memory->events.size / TRACE_EVENT_BYTES;
}

struct trace_event trace_events_at(const struct trace_memory *memory, size_t index) {
    const uint8_t *record = memory->events.data + index * TRACE_EVENT_BYTES;
    uint64_t when = number_read(record), what = number_read(record + 8);
    return (struct trace_event){.stage = (enum trace_stage)(when & UINT8_MAX),
                                .detail = (uint8_t)(what & UINT8_MAX),
                                .time_us = (int64_t)(when >> 8),
                                .number = what >> 8,
                                .about = number_read(record + 16)};
}

/* ---- what is asked and said ---- */

static bool are_sound(const struct trace_change *changes, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (changes[i].offset == 0 || changes[i].offset > TRACE_NUMBER_MAX)
            return false;
    return count <= TRACE_CHANGES_MAX;
}

static bool are_events_sound(const struct trace_memory *memory) {
    size_t count = trace_events_count(memory);
    if (memory->events.size % TRACE_EVENT_BYTES != 0 || count > TRACE_EVENTS_MAX)
        return false;
    for (size_t i = 0; i < count; i++) {
        struct trace_event event = trace_events_at(memory, i);
        if (event.stage == 0 || event.stage >= TRACE_STAGES)
            return false;
    }
    return true;
}

void trace_request_encode(const struct trace_request *request, struct buffer *out) {
    codec_encode(&REQUEST_TABLE, request, out);
}

void trace_subject_encode(const struct trace_subject *subject, struct buffer *out) {
    codec_encode(&SUBJECT_TABLE, subject, out);
}

void trace_memory_encode(const struct trace_memory *memory, struct buffer *out) {
    codec_encode(&MEMORY_TABLE, memory, out);
}

int trace_request_decode(struct bytes encoded, struct arena *arena, struct trace_request *request) {
    int rc = codec_decode(&REQUEST_TABLE, encoded, arena, request);
    if (rc != STATUS_OK)
        return rc;
    int kinds = (request->message_id != 0) + (request->offset != 0) + (request->changes_count != 0);
    return kinds == 1 && are_sound(request->changes, request->changes_count) ? STATUS_OK : STATUS_MALFORMED;
}

int trace_subject_decode(struct bytes encoded, struct arena *arena, struct trace_subject *subject) {
    int rc = codec_decode(&SUBJECT_TABLE, encoded, arena, subject);
    if (rc != STATUS_OK)
        return rc;
    return are_sound(subject->changes, subject->changes_count) ? STATUS_OK : STATUS_MALFORMED;
}

int trace_memory_decode(struct bytes encoded, struct arena *arena, struct trace_memory *memory) {
    int rc = codec_decode(&MEMORY_TABLE, encoded, arena, memory);
    if (rc != STATUS_OK)
        return rc;
    return are_events_sound(memory) ? STATUS_OK : STATUS_MALFORMED;
}
