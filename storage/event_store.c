#include "storage/event_store.h"

#include "proto/status.h"
#include "storage/range_log.h"
#include "storage/sealed_row.h"

#define REMOVED_PER_ROUND 64

/* ---- events ---- */

int event_put(const struct event_store *self, uint64_t offset, const struct event_row *row) {
    struct key key = key_of_row_number(&self->thread, ROW_EVENT, offset);
    return sealed_row_put(self->transaction, self->master, STORE_STATE, &key, &EVENT_ROW_TABLE, row);
}

int events_visit(const struct event_store *self, uint64_t offset, event_visitor visit, void *context) {
    struct store_cursor *cursor = NULL;
    struct key first = key_of_row_number(&self->thread, ROW_EVENT, offset);
    struct bytes key;
    struct bytes sealed;
    int rc = store_cursor_open(self->transaction, STORE_STATE, &cursor);
    if (rc != STATUS_OK)
        return rc;
    rc = store_cursor_seek(cursor, key_bytes(&first), &key, &sealed);
    while (rc == STATUS_OK && key_is_of_row(key, &self->thread, ROW_EVENT)) {
        struct event_row row;
        uint64_t found = key_suffix_number(key);
        rc = sealed_row_open(self->master, STORE_STATE, key, sealed, &EVENT_ROW_TABLE, self->arena, &row);
        if (rc != STATUS_OK || !visit(context, found, &row))
            break;
        rc = store_cursor_next(cursor, &key, &sealed);
    }
    store_cursor_close(cursor);
    return rc == STATUS_STORE_MISSING ? STATUS_OK : rc;
}

static int offset_of_found(const struct event_store *self, int rc, struct bytes key, uint64_t *offset) {
    if (rc == STATUS_OK && !key_is_of_row(key, &self->thread, ROW_EVENT))
        rc = STATUS_STORE_MISSING;
    if (rc == STATUS_OK)
        *offset = key_suffix_number(key);
    return rc;
}

int event_oldest(const struct event_store *self, uint64_t *offset) {
    struct store_cursor *cursor = NULL;
    struct key first = key_of_row_number(&self->thread, ROW_EVENT, 0);
    struct bytes key;
    struct bytes sealed;
    int rc = store_cursor_open(self->transaction, STORE_STATE, &cursor);
    if (rc != STATUS_OK)
        return rc;
    rc = store_cursor_seek(cursor, key_bytes(&first), &key, &sealed);
    rc = offset_of_found(self, rc, key, offset);
    store_cursor_close(cursor);
    return rc;
}

int event_newest(const struct event_store *self, uint64_t *offset) {
    struct store_cursor *cursor = NULL;
    struct key behind = key_of_row_number(&self->thread, ROW_EVENT, UINT64_MAX);
    struct bytes key;
    struct bytes sealed;
    int rc = store_cursor_open(self->transaction, STORE_STATE, &cursor);
    if (rc != STATUS_OK)
        return rc;
    rc = store_cursor_seek(cursor, key_bytes(&behind), &key, &sealed);
    if (rc == STATUS_OK)
        rc = store_cursor_previous(cursor, &key, &sealed);
    else if (rc == STATUS_STORE_MISSING)
        rc = store_cursor_last(cursor, &key, &sealed);
    rc = offset_of_found(self, rc, key, offset);
    store_cursor_close(cursor);
    return rc;
}

struct first_event {
    uint64_t offset;
    int64_t time_ms;
    bool is_found;
};

static bool first_take(void *context, uint64_t offset, const struct event_row *row) {
    struct first_event *first = context;
    *first = (struct first_event){.offset = offset, .time_ms = row->time_ms, .is_found = true};
    return false;
}

static int first_from(const struct event_store *self, uint64_t offset, struct first_event *first) {
    *first = (struct first_event){.is_found = false};
    return events_visit(self, offset, first_take, first);
}

int event_newest_before(const struct event_store *self, int64_t time_ms, uint64_t *offset) {
    struct first_event first;
    uint64_t last;
    int rc = event_newest(self, &last);
    if (rc == STATUS_OK)
        rc = first_from(self, 0, &first);
    if (rc != STATUS_OK || first.time_ms >= time_ms)
        return rc == STATUS_OK ? STATUS_STORE_MISSING : rc;
    *offset = first.offset; /* one that is before; the one that is sought lies there or up to `last` */
    while (*offset < last) {
        uint64_t middle = *offset + (last - *offset + 1) / 2;
        rc = first_from(self, middle, &first);
        if (rc != STATUS_OK)
            return rc;
        if (first.is_found && first.offset <= last && first.time_ms < time_ms)
            *offset = first.offset;
        else
            last = middle - 1;
    }
    return STATUS_OK;
}

/* Collects first: removing under a cursor would invalidate what it borrowed. */
static int offsets_find(const struct event_store *self, uint64_t offset, size_t offsets_max, uint64_t *found,
                        size_t *count) {
    struct store_cursor *cursor = NULL;
    struct key first = key_of_row_number(&self->thread, ROW_EVENT, 0);
    struct bytes key;
    struct bytes sealed;
    *count = 0;
    int rc = store_cursor_open(self->transaction, STORE_STATE, &cursor);
    if (rc != STATUS_OK)
        return rc;
    rc = store_cursor_seek(cursor, key_bytes(&first), &key, &sealed);
    while (rc == STATUS_OK && *count < offsets_max && key_is_of_row(key, &self->thread, ROW_EVENT) &&
           key_suffix_number(key) <= offset) {
        found[(*count)++] = key_suffix_number(key);
        rc = store_cursor_next(cursor, &key, &sealed);
    }
    store_cursor_close(cursor);
    return rc == STATUS_STORE_MISSING ? STATUS_OK : rc;
}

int events_remove(const struct event_store *self, uint64_t offset, size_t rows_max) {
    uint64_t found[REMOVED_PER_ROUND];
    size_t count = 1;
    while (count > 0 && rows_max > 0) {
        size_t most = rows_max < REMOVED_PER_ROUND ? rows_max : REMOVED_PER_ROUND;
        int rc = offsets_find(self, offset, most, found, &count);
        for (size_t i = 0; rc == STATUS_OK && i < count; i++) {
            struct key key = key_of_row_number(&self->thread, ROW_EVENT, found[i]);
            rc = store_remove(self->transaction, STORE_STATE, key_bytes(&key));
        }
        if (rc != STATUS_OK)
            return rc;
        rows_max -= count;
    }
    return STATUS_OK;
}

/* ---- how far consumers have come ---- */

int event_cursors_get(const struct event_store *self, struct event_cursors_row *row) {
    struct key key = key_of_row(&self->thread, ROW_EVENT_CURSORS);
    *row = (struct event_cursors_row){0};
    int rc = sealed_row_get(self->transaction, self->master, STORE_STATE, &key, &EVENT_CURSORS_TABLE, self->arena, row);
    return rc == STATUS_STORE_MISSING ? STATUS_OK : rc;
}

int event_cursors_put(const struct event_store *self, const struct event_cursors_row *row) {
    struct key key = key_of_row(&self->thread, ROW_EVENT_CURSORS);
    if (row->cursors_count > 0)
        return sealed_row_put(self->transaction, self->master, STORE_STATE, &key, &EVENT_CURSORS_TABLE, row);
    int rc = store_remove(self->transaction, STORE_STATE, key_bytes(&key));
    return rc == STATUS_STORE_MISSING ? STATUS_OK : rc;
}

int event_mark_get(const struct event_store *self, bool *is_marked) {
    return outbox_has(self->transaction, &self->thread, OUTBOX_EVENTS_NUMBER, is_marked);
}

int event_mark_put(const struct event_store *self, int64_t time_ms) {
    struct outbox_row row = {.time_ms = time_ms};
    return outbox_put(self->transaction, self->master, &self->thread, OUTBOX_EVENTS_NUMBER, &row);
}

int event_mark_remove(const struct event_store *self) {
    return outbox_remove(self->transaction, &self->thread, OUTBOX_EVENTS_NUMBER);
}

/* ---- whom an event concerns ---- */

int event_member_put(const struct event_store *self, const struct id_hash *user, const struct participant_row *row) {
    struct key key = key_of_row_hash(&self->thread, ROW_EVENT_MEMBER, user);
    return sealed_row_put(self->transaction, self->master, STORE_STATE, &key, &PARTICIPANT_ROW_TABLE, row);
}

int event_member_remove(const struct event_store *self, const struct id_hash *user) {
    struct key key = key_of_row_hash(&self->thread, ROW_EVENT_MEMBER, user);
    int rc = store_remove(self->transaction, STORE_STATE, key_bytes(&key));
    return rc == STATUS_STORE_MISSING ? STATUS_OK : rc;
}

static void member_add(struct arena *arena, struct participants *members, size_t *capacity,
                       const struct participant *member) {
    if (members->count == *capacity) {
        *capacity = *capacity == 0 ? 16 : *capacity * 2;
        struct participant *items = ARENA_NEW_ARRAY(arena, struct participant, *capacity);
        if (members->count > 0)
            memcpy(items, members->items, members->count * sizeof(*items));
        members->items = items;
    }
    members->items[members->count++] = *member;
}

static int members_gather(const struct event_store *self, enum row_kind kind, const struct seal_key *seal_key,
                          uint64_t offset, struct participants *members) {
    struct store_cursor *cursor = NULL;
    struct key first = key_of_row(&self->thread, kind);
    struct bytes key;
    struct bytes sealed;
    size_t capacity = 0;
    int rc = store_cursor_open(self->transaction, STORE_STATE, &cursor);
    if (rc != STATUS_OK)
        return rc;
    rc = store_cursor_seek(cursor, key_bytes(&first), &key, &sealed);
    while (rc == STATUS_OK && key_is_of_row(key, &self->thread, kind)) {
        struct participant_row row;
        rc = sealed_row_open(seal_key, STORE_STATE, key, sealed, &PARTICIPANT_ROW_TABLE, self->arena, &row);
        if (rc == STATUS_OK && participant_row_was_in(&row, offset))
            member_add(self->arena, members, &capacity, &row.participant);
        if (rc == STATUS_OK)
            rc = store_cursor_next(cursor, &key, &sealed);
    }
    store_cursor_close(cursor);
    return rc == STATUS_STORE_MISSING ? STATUS_OK : rc;
}

int event_members_at(const struct event_store *self, uint64_t offset, struct participants *members) {
    struct seal_key data_key;
    *members = (struct participants){0};
    int rc = subject_key_get(self->transaction, self->master, &self->thread, &data_key);
    if (rc == STATUS_OK)
        return members_gather(self, ROW_PARTICIPANT, &data_key, offset, members);
    if (rc == STATUS_STORE_MISSING)
        return members_gather(self, ROW_EVENT_MEMBER, self->master, offset, members);
    return rc;
}
