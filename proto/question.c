#include "proto/question.h"

#include "proto/limits.h"
#include "proto/status.h"

static const struct codec_field SUBJECT_FIELDS[] = {
    CODEC_MEMBER(1, CODEC_ID_HASH, struct question_subject, hash),
};
static const struct codec_table SUBJECT_TABLE = CODEC_TABLE(struct question_subject, SUBJECT_FIELDS);

static const struct codec_field QUESTION_FIELDS[] = {
    CODEC_MEMBER_ENUM(1, struct question, kind, QUESTION_PUSH),
    CODEC_MEMBER(2, CODEC_U32, struct question, left_ms),
    CODEC_MEMBER(3, CODEC_BYTES, struct question, call),
    CODEC_MEMBER_LIST(4, struct question, subjects, subjects_count, &SUBJECT_TABLE),
    CODEC_MEMBER(5, CODEC_BYTES, struct question, user_id),
    CODEC_MEMBER(6, CODEC_U64, struct question, from_offset),
};
static const struct codec_table QUESTION_TABLE = CODEC_TABLE(struct question, QUESTION_FIELDS);

static const struct codec_field FACT_FIELDS[] = {
    CODEC_MEMBER(1, CODEC_BOOL, struct fact, is_there), CODEC_MEMBER(2, CODEC_I64, struct fact, valid_from_s),
    CODEC_MEMBER(3, CODEC_BYTES, struct fact, topic),   CODEC_MEMBER(4, CODEC_I64, struct fact, last_message_ms),
    CODEC_MEMBER(5, CODEC_U64, struct fact, offset),
};
static const struct codec_table FACT_TABLE = CODEC_TABLE(struct fact, FACT_FIELDS);

static const struct codec_field FACT_LIST_FIELDS[] = {
    CODEC_MEMBER_LIST(1, struct fact_list, items, count, &FACT_TABLE),
};
static const struct codec_table FACT_LIST_TABLE = CODEC_TABLE(struct fact_list, FACT_LIST_FIELDS);

static const struct codec_field JOINED_FIELDS[] = {
    CODEC_MEMBER(1, CODEC_BOOL, struct joined_threads, is_there),
    CODEC_MEMBER(2, CODEC_I64, struct joined_threads, valid_from_s),
    CODEC_MEMBER(3, CODEC_BYTES, struct joined_threads, items),
};
static const struct codec_table JOINED_TABLE = CODEC_TABLE(struct joined_threads, JOINED_FIELDS);

_Static_assert(QUESTION_SUBJECTS_MAX <= LIMIT_LIST_ITEMS_MAX, "one list holds the subjects of a question");

static bool is_sound(const struct question *question) {
    if (question->kind == QUESTION_CALL)
        return bytes_is_present(question->call);
    bool is_of_view = question->kind == QUESTION_VIEWS || question->kind == QUESTION_MISSED;
    bool is_of_endpoint = question->kind >= QUESTION_ENDPOINT && question->kind <= QUESTION_PUSHES;
    bool is_of_trace = question->kind == QUESTION_TRACE_SUBJECT || question->kind == QUESTION_TRACE_MEMORY;
    bool is_of_one =
        question->kind == QUESTION_MEMBERSHIPS || question->kind == QUESTION_MISSED || is_of_endpoint || is_of_trace;
    if (is_of_one && question->subjects_count != 1)
        return false;
    if (question->kind == QUESTION_MEMBERSHIP && question->subjects_count != 2)
        return false;
    if ((is_of_endpoint || is_of_trace || question->kind == QUESTION_PUSH) && !bytes_is_present(question->call))
        return false;
    if (is_of_view && !bytes_is_present(question->user_id))
        return false;
    return question->subjects_count > 0 && question->subjects_count <= QUESTION_SUBJECTS_MAX;
}

void question_encode(const struct question *question, struct buffer *out) {
    codec_encode(&QUESTION_TABLE, question, out);
}

void question_of_call_encode(const struct forwarded_call *call, uint32_t left_ms, struct buffer *out) {
    struct buffer encoded;
    buffer_init(&encoded);
    forwarded_call_encode(call, &encoded);
    struct question question = {.kind = QUESTION_CALL, .left_ms = left_ms, .call = buffer_bytes(&encoded)};
    question_encode(&question, out);
    buffer_close(&encoded);
}

int question_decode(struct bytes encoded, struct arena *arena, struct question *question) {
    int rc = codec_decode(&QUESTION_TABLE, encoded, arena, question);
    if (rc != STATUS_OK)
        return rc;
    return is_sound(question) ? STATUS_OK : STATUS_MALFORMED;
}

void facts_encode(const struct fact_list *facts, struct buffer *out) {
    codec_encode(&FACT_LIST_TABLE, facts, out);
}

int facts_decode(struct bytes encoded, struct arena *arena, struct fact_list *facts) {
    int rc = codec_decode(&FACT_LIST_TABLE, encoded, arena, facts);
    if (rc != STATUS_OK)
        return rc;
    return facts->count <= QUESTION_SUBJECTS_MAX ? STATUS_OK : STATUS_MALFORMED;
}

void joined_thread_add(struct buffer *items, const struct joined_thread *joined) {
    uint8_t offset[sizeof(uint64_t)];
    for (size_t i = 0; i < sizeof(offset); i++)
        offset[i] = (uint8_t)(joined->offset >> (8 * i));
    buffer_append(items, &joined->thread, sizeof(joined->thread));
    buffer_append(items, offset, sizeof(offset));
}

size_t joined_threads_count(const struct joined_threads *joined) {
    return joined->items.size / JOINED_THREAD_BYTES;
}

struct joined_thread joined_threads_at(const struct joined_threads *joined, size_t index) {
    struct joined_thread item = {.offset = 0};
    const uint8_t *at = joined->items.data + index * JOINED_THREAD_BYTES;
    memcpy(&item.thread, at, sizeof(item.thread));
    for (size_t i = 0; i < sizeof(uint64_t); i++)
        item.offset |= (uint64_t)at[sizeof(item.thread) + i] << (8 * i);
    return item;
}

void joined_threads_encode(const struct joined_threads *joined, struct buffer *out) {
    codec_encode(&JOINED_TABLE, joined, out);
}

int joined_threads_decode(struct bytes encoded, struct arena *arena, struct joined_threads *joined) {
    int rc = codec_decode(&JOINED_TABLE, encoded, arena, joined);
    if (rc != STATUS_OK)
        return rc;
    return joined->items.size % JOINED_THREAD_BYTES == 0 ? STATUS_OK : STATUS_MALFORMED;
}
