#include "node/gateway/missed.h"

#define CHANGES_MAX 64
#define BYTES_MAX (256 * 1024)

static const struct codec_field CHANGE_FIELDS[] = {
    CODEC_MEMBER(1, CODEC_BYTES, struct missed_change, encoded),
};
static const struct codec_table CHANGE_TABLE = CODEC_TABLE(struct missed_change, CHANGE_FIELDS);

static const struct codec_field MISSED_FIELDS[] = {
    CODEC_MEMBER(1, CODEC_I64, struct missed, rc),
    CODEC_MEMBER(2, CODEC_BYTES, struct missed, thread_id),
    CODEC_MEMBER_LIST(3, struct missed, changes, changes_count, &CHANGE_TABLE),
    CODEC_MEMBER(4, CODEC_BOOL, struct missed, is_complete),
    CODEC_MEMBER(5, CODEC_U64, struct missed, newest),
    CODEC_MEMBER(6, CODEC_BOOL, struct missed, is_active),
    CODEC_MEMBER(7, CODEC_BOOL, struct missed, is_deleted),
    CODEC_MEMBER(8, CODEC_BYTES, struct missed, receipts),
    CODEC_MEMBER(9, CODEC_U32, struct missed, copies),
};
static const struct codec_table MISSED_TABLE = CODEC_TABLE(struct missed, MISSED_FIELDS);

static struct bytes change_pack(struct arena *arena, const struct change *change) {
    struct buffer buffer;
    buffer_init(&buffer);
    change_encode(change, &buffer);
    struct bytes packed = arena_copy(arena, buffer_bytes(&buffer));
    buffer_close(&buffer);
    return packed;
}

static void changes_pack(struct arena *arena, struct missed *missed, const struct change *changes, size_t count) {
    size_t bytes = 0;
    missed->changes = ARENA_NEW_ARRAY(arena, struct missed_change, count + 1);
    for (size_t i = 0; i < count && (i == 0 || bytes < BYTES_MAX); i++) {
        missed->changes[i].encoded = change_pack(arena, &changes[i]);
        bytes += missed->changes[i].encoded.size;
        missed->changes_count++;
    }
    if (missed->changes_count < count)
        missed->is_complete = false;
}

static int receipts_pack(struct arena *arena, struct missed *missed, struct thread_view *view) {
    struct change change = {.kind = CHANGE_RECEIPTS, .subject = view->store.thread, .thread_id = view->properties.id};
    int rc = thread_receipts_list(&view->store, &change.receipts, &change.receipts_count);
    if (rc == STATUS_OK && change.receipts_count > 0)
        missed->receipts = change_pack(arena, &change);
    return rc;
}

static int view_read(struct gateway_worker *worker, struct arena *arena, struct thread_view *view, uint64_t from_offset,
                     struct missed *missed) {
    struct change *changes;
    size_t count;
    bool has_receipts = thread_view_has_receipts(view, worker->gateway->config->feature_participants_max);
    missed->thread_id = arena_copy(arena, view->properties.id);
    missed->is_active = view->is_active;
    missed->newest = view->is_active ? view->counters.offset : view->participant.removed_offset;
    int rc = thread_view_changes(view, from_offset, CHANGES_MAX, &changes, &count, &missed->is_complete);
    if (rc != STATUS_OK)
        return rc;
    changes_pack(arena, missed, changes, count);
    return missed->is_complete && view->is_active && has_receipts ? receipts_pack(arena, missed, view) : STATUS_OK;
}

static int deletion_read(struct arena *arena, const struct apply_context *context, const struct id_hash *thread,
                         struct missed *missed) {
    struct change change;
    int rc = thread_deletion_view(context, thread, &change);
    if (rc != STATUS_OK)
        return rc == STATUS_STORE_MISSING ? STATUS_THREAD_NOT_FOUND : rc;
    missed->thread_id = arena_copy(arena, change.thread_id);
    missed->newest = change.offset;
    missed->is_complete = true;
    missed->is_deleted = true;
    changes_pack(arena, missed, &change, 1);
    return STATUS_OK;
}

int missed_read(struct gateway_worker *worker, struct arena *arena, const struct question *question,
                struct missed *missed) {
    const struct id_hash *thread = &question->subjects[0].hash;
    struct gateway_read read;
    struct thread_view view;
    *missed = (struct missed){.copies = gateway_copies(worker->gateway, thread)};
    int rc = gateway_read_begin_of(worker, arena, thread, &read);
    if (rc != STATUS_OK)
        return rc;
    rc = thread_view_open(&view, &read.context, thread, question->user_id);
    if (rc == STATUS_OK)
        rc = view_read(worker, arena, &view, question->from_offset, missed);
    else if (rc == STATUS_THREAD_NOT_FOUND)
        rc = deletion_read(arena, &read.context, thread, missed);
    gateway_read_end(&read);
    if (rc == STATUS_THREAD_NOT_FOUND || rc == STATUS_FORBIDDEN) {
        *missed = (struct missed){.rc = rc};
        return STATUS_OK;
    }
    return rc;
}

void missed_encode(const struct missed *missed, struct buffer *out) {
    codec_encode(&MISSED_TABLE, missed, out);
}

/* What says neither that nothing may be told nor of what it tells cannot be told. */
static bool is_sound(const struct missed *missed) {
    if (missed->rc != STATUS_OK)
        return missed->rc < 0 && missed->rc >= INT32_MIN;
    return bytes_is_present(missed->thread_id);
}

int missed_decode(struct bytes encoded, struct arena *arena, struct missed *missed) {
    int rc = codec_decode(&MISSED_TABLE, encoded, arena, missed);
    if (rc != STATUS_OK)
        return rc;
    return is_sound(missed) ? STATUS_OK : STATUS_MALFORMED;
}
