#include "storage/fsck.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/change.h"
#include "proto/check.h"
#include "proto/status.h"
#include "storage/keys.h"
#include "storage/range_log.h"
#include "storage/rows.h"
#include "storage/thread_store.h"

struct fsck {
    struct store_transaction *transaction;
    const struct seal_key *master;
    struct fsck_report *report;
    struct buffer *lines;
    struct arena arena; /* reset for every record */
    struct id_hash subject;
    struct seal_key subject_key;
    int subject_rc;
    bool has_subject;
    bool is_purge_due; /* the subject was deleted and its rows are still to go */
    bool has_events;   /* that not everyone has got: they outlive the subject */
    bool is_partial;   /* its range is being taken over or wiped: nothing that is here of it counts */
    uint32_t range_count;
    uint32_t parts;
    uint32_t ranges_here;          /* of which anything is or was */
    uint64_t *applied;             /* of each range, as the marks so far say */
    struct range_progress *ranges; /* as the whole log says */
};

static const char *const table_names[STORE_TABLES] = {"state", "log", "outbox", "meta"};

static void complain(struct fsck *fsck, enum store_table table, struct bytes key, const char *what) {
    if (fsck->report->corrupt + fsck->report->misindexed > FSCK_LINES_MAX)
        return;
    buffer_printf(fsck->lines, "%s ", table_names[table]);
    for (size_t i = 0; i < key.size; i++)
        buffer_printf(fsck->lines, "%02x", key.data[i]);
    buffer_printf(fsck->lines, ": %s\n", what);
}

static void corrupt(struct fsck *fsck, enum store_table table, struct bytes key, const char *what) {
    fsck->report->corrupt++;
    complain(fsck, table, key, what);
}

static bool may_have(const struct fsck *fsck, uint32_t range, uint64_t position) {
    const struct bounds *bounds = &fsck->ranges[range].bounds;
    if (bounds_are_said(bounds))
        return bounds_have(bounds, position);
    return range < fsck->parts && bounds_part_of(position, fsck->parts) == range;
}

/* What was split off has the position as well as the range that it was split off. */
static bool is_partial(const struct fsck *fsck, const struct id_hash *subject) {
    uint64_t position = id_hash_position(subject);
    bool is_here = false, is_begun = false;
    for (uint32_t i = 0; i < fsck->ranges_here; i++) {
        const struct range_marks *marks = &fsck->ranges[i].marks;
        bool has_it = may_have(fsck, i, position);
        is_begun = is_begun || (has_it && marks->is_incomplete);
        is_here = is_here || (has_it && !marks->is_incomplete && marks->applied > 0);
    }
    return is_begun && !is_here;
}

/* What is kept of a deleted thread opens with the key in its tombstone. STATUS_STORE_MISSING: nothing is kept. */
static int kept_key_find(struct fsck *fsck, const struct id_hash *subject) {
    struct tombstone_row tombstone;
    int rc = subject_tombstone_get(fsck->transaction, &fsck->arena, fsck->master, subject, &tombstone);
    if (rc != STATUS_OK || !bytes_is_present(tombstone.wrapped_key))
        return STATUS_STORE_MISSING; /* a tombstone that does not open is reported where it lies */
    return seal_key_unwrap(fsck->master, subject, tombstone.wrapped_key, &fsck->subject_key);
}

/* Rows of a subject lie together, so its key is unwrapped once. */
static int subject_key_find(struct fsck *fsck, const struct id_hash *subject) {
    if (!fsck->has_subject || !id_hash_equal(&fsck->subject, subject)) {
        fsck->subject = *subject;
        fsck->has_subject = true;
        fsck->is_partial = is_partial(fsck, subject);
        fsck->subject_rc = subject_key_get(fsck->transaction, fsck->master, subject, &fsck->subject_key);
        if (fsck->subject_rc == STATUS_STORE_MISSING)
            fsck->subject_rc = kept_key_find(fsck, subject);
        outbox_has(fsck->transaction, subject, OUTBOX_PURGE_NUMBER, &fsck->is_purge_due);
        outbox_has(fsck->transaction, subject, OUTBOX_EVENTS_NUMBER, &fsck->has_events);
    }
    return fsck->subject_rc;
}

static const struct codec_table *codec_of(uint8_t kind) {
    switch (kind) {
    case ROW_THREAD:
        return &THREAD_PROPERTIES_TABLE;
    case ROW_COUNTERS:
        return &THREAD_COUNTERS_TABLE;
    case ROW_PARTICIPANT:
        return &PARTICIPANT_ROW_TABLE;
    case ROW_MESSAGE:
        return &CHANGE_ROW_TABLE;
    case ROW_CLIENT_ID:
    case ROW_REQUEST_ID:
        return &SENT_ROW_TABLE;
    case ROW_RECEIPT:
        return &RECEIPT_TABLE;
    case ROW_IMPORT:
        return &IMPORT_ROW_TABLE;
    case ROW_USER:
        return &USER_ROW_TABLE;
    case ROW_MEMBERSHIP:
        return &MEMBERSHIP_ROW_TABLE;
    case ROW_PUSH:
        return &PUSH_REGISTRATION_TABLE;
    case ROW_TOMBSTONE:
        return &TOMBSTONE_ROW_TABLE;
    case ROW_EVENT:
        return &EVENT_ROW_TABLE;
    case ROW_EVENT_CURSORS:
        return &EVENT_CURSORS_TABLE;
    case ROW_EVENT_MEMBER:
        return &PARTICIPANT_ROW_TABLE;
    case ROW_HOLD:
        return &HOLD_ROW_TABLE;
    default:
        return NULL;
    }
}

union any_row {
    struct thread_properties properties;
    struct thread_counters counters;
    struct participant_row participant;
    struct change_row change;
    struct sent_row sent;
    struct receipt receipt;
    struct import_row import;
    struct user_row user;
    struct membership_row membership;
    struct tombstone_row tombstone;
    struct event_row event;
    struct event_cursors_row event_cursors;
    struct hold_row hold;
};

static void misindexed(struct fsck *fsck, struct bytes key, const char *what) {
    fsck->report->misindexed++;
    complain(fsck, STORE_STATE, key, what);
}

/* What lies under another key of the same subject. */
static bool other_row_open(struct fsck *fsck, const struct key *key, struct bytes *plain) {
    struct bytes sealed;
    return store_get(fsck->transaction, STORE_STATE, key_bytes(key), &sealed) == STATUS_OK &&
           seal_open(&fsck->subject_key, STORE_STATE, key_bytes(key), sealed, &fsck->arena, plain) == STATUS_OK;
}

static void index_check(struct fsck *fsck, struct bytes key, struct bytes plain) {
    struct id_hash subject = key_subject(key);
    struct bytes opened;
    struct change_row row;
    if (plain.size != 8) {
        corrupt(fsck, STORE_STATE, key, "an index row of another size");
        return;
    }
    struct key target = key_of_row_number(&subject, ROW_MESSAGE, number_decode(plain.data));
    bool is_right = other_row_open(fsck, &target, &opened) &&
                    codec_decode(&CHANGE_ROW_TABLE, opened, &fsck->arena, &row) == STATUS_OK &&
                    row.message.id == key_suffix_number(key);
    if (!is_right)
        misindexed(fsck, key, "names a message that is not there");
}

static void message_check(struct fsck *fsck, struct bytes key, const struct change_row *row) {
    struct id_hash subject = key_subject(key);
    struct key index = key_of_row_number(&subject, ROW_MESSAGE_OFFSET, row->message.id);
    struct bytes opened;
    if (row->is_properties_change)
        return;
    bool is_found = other_row_open(fsck, &index, &opened) && opened.size == 8 &&
                    number_decode(opened.data) == key_suffix_number(key);
    if (!is_found)
        misindexed(fsck, key, "is a message that no index row names");
}

static void event_check(struct fsck *fsck, struct bytes key, const struct event_row *row) {
    struct change change;
    if (change_decode(row->change, &fsck->arena, &change) != STATUS_OK)
        corrupt(fsck, STORE_STATE, key, "opens, but is no change");
    else if (change.offset != key_suffix_number(key))
        corrupt(fsck, STORE_STATE, key, "is an event of another change");
}

/* `rc`: of finding the subject's data key. */
static bool may_stay(const struct fsck *fsck, uint8_t kind, int rc) {
    bool is_of_event = row_kind_is_under_master(kind) && kind != ROW_TOMBSTONE && kind != ROW_HOLD;
    return rc != STATUS_STORE_MISSING || kind == ROW_TOMBSTONE || (is_of_event && fsck->has_events);
}

static void state_check(struct fsck *fsck, struct bytes key, struct bytes sealed) {
    union any_row row;
    struct bytes plain;
    if (key.size <= sizeof(struct id_hash)) {
        corrupt(fsck, STORE_STATE, key, "a key that is too short");
        return;
    }
    struct id_hash subject = key_subject(key);
    uint8_t kind = key_row_kind(key);
    const struct codec_table *codec = codec_of(kind);
    int rc = subject_key_find(fsck, &subject);
    if (fsck->is_partial || (!may_stay(fsck, kind, rc) && fsck->is_purge_due)) {
        fsck->report->leftovers++;
        return;
    }
    if (!may_stay(fsck, kind, rc)) {
        corrupt(fsck, STORE_STATE, key, "belongs to no thread or user that is known or being deleted");
        return;
    }
    if (rc != STATUS_OK && !row_kind_is_under_master(kind)) {
        corrupt(fsck, STORE_STATE, key, "the data key of this thread or user does not open");
        return;
    }
    if (kind == ROW_KEY)
        return; /* just opened */
    rc = seal_open(row_kind_is_under_master(kind) ? fsck->master : &fsck->subject_key, STORE_STATE, key, sealed,
                   &fsck->arena, &plain);
    if (rc != STATUS_OK)
        corrupt(fsck, STORE_STATE, key, "does not open with its key");
    else if (kind == ROW_MESSAGE_OFFSET)
        index_check(fsck, key, plain);
    else if (codec == NULL)
        corrupt(fsck, STORE_STATE, key, "a kind of row that this version does not know");
    else if (codec_decode(codec, plain, &fsck->arena, &row) != STATUS_OK)
        corrupt(fsck, STORE_STATE, key, "opens, but does not decode");
    else if (kind == ROW_MESSAGE)
        message_check(fsck, key, &row.change);
    else if (kind == ROW_EVENT)
        event_check(fsck, key, &row.event);
}

static void marks_check(struct fsck *fsck, enum store_table table, struct bytes key, uint64_t range,
                        const struct range_marks *marks) {
    if (fsck->range_count == 0)
        return;
    if (range >= fsck->range_count)
        corrupt(fsck, table, key, "has marks of a range that does not exist");
    else if (marks->applied < fsck->applied[range] && !marks->is_incomplete)
        corrupt(fsck, table, key, "has marks behind older ones of the same range");
    else
        fsck->applied[range] = marks->applied; /* a range that was wiped begins anew */
}

static void marks_row_check(struct fsck *fsck, struct bytes key, struct bytes plain) {
    struct range_marks marks;
    if (codec_decode(&RANGE_MARKS_TABLE, plain, &fsck->arena, &marks) != STATUS_OK)
        corrupt(fsck, STORE_META, key, "opens, but does not decode");
    else if (key.size != key_of_range_marks(0).size)
        corrupt(fsck, STORE_META, key, "a key that is too short or too long");
    else
        marks_check(fsck, STORE_META, key, key_suffix_number(key), &marks);
}

static void bounds_check(struct fsck *fsck, struct bytes key, struct bytes plain) {
    struct bounds bounds;
    if (codec_decode(&BOUNDS_TABLE, plain, &fsck->arena, &bounds) != STATUS_OK)
        corrupt(fsck, STORE_META, key, "opens, but does not decode");
    else if (key.size != key_of_range_bounds(0).size)
        corrupt(fsck, STORE_META, key, "a key that is too short or too long");
    else if (!bounds_are_said(&bounds) || bounds.first > bounds.last)
        corrupt(fsck, STORE_META, key, "has bounds the wrong way round");
}

static void waiting_key_check(struct fsck *fsck, struct bytes key, struct bytes plain) {
    struct waiting_key_row row;
    struct seal_key opened;
    bool is_sound_key = key.size == key_of_waiting_key(&(struct id_hash){0}).size;
    struct id_hash subject = is_sound_key ? key_suffix_hash(key) : (struct id_hash){0};
    if (codec_decode(&WAITING_KEY_TABLE, plain, &fsck->arena, &row) != STATUS_OK)
        corrupt(fsck, STORE_META, key, "opens, but does not decode");
    else if (!is_sound_key)
        corrupt(fsck, STORE_META, key, "a key that is too short or too long");
    else if (seal_key_unwrap(fsck->master, &subject, row.wrapped, &opened) != STATUS_OK)
        corrupt(fsck, STORE_META, key, "the data key of this thread or user does not open");
}

static void meta_check(struct fsck *fsck, struct bytes key, struct bytes sealed) {
    struct bytes plain;
    if (bytes_equal_text(key, "format") || bytes_equal_text(key, "probe"))
        return;
    if (seal_open(fsck->master, STORE_META, key, sealed, &fsck->arena, &plain) != STATUS_OK)
        corrupt(fsck, STORE_META, key, "does not open with the master key");
    else if (bytes_starts_with(key, "range"))
        marks_row_check(fsck, key, plain);
    else if (bytes_starts_with(key, "bounds"))
        bounds_check(fsck, key, plain);
    else if (bytes_starts_with(key, "key"))
        waiting_key_check(fsck, key, plain);
}

static void outbox_check(struct fsck *fsck, struct bytes key, struct bytes sealed) {
    struct outbox_row row;
    struct bytes plain;
    if (seal_open(fsck->master, STORE_OUTBOX, key, sealed, &fsck->arena, &plain) != STATUS_OK)
        corrupt(fsck, STORE_OUTBOX, key, "does not open with the master key");
    else if (codec_decode(&OUTBOX_ROW_TABLE, plain, &fsck->arena, &row) != STATUS_OK)
        corrupt(fsck, STORE_OUTBOX, key, "opens, but does not decode");
}

static void marks_record_check(struct fsck *fsck, struct bytes key, const struct log_entry *record) {
    for (size_t i = 0; i < record->marks_count; i++) {
        const struct range_marks_of *mark = &record->marks[i];
        struct range_marks marks = {.applied = mark->applied, .is_incomplete = mark->is_incomplete};
        marks_check(fsck, STORE_LOG, key, mark->range, &marks);
    }
}

/* An entry from before its range was wiped, perhaps sealed under a key that never came to be. */
static bool is_void(const struct fsck *fsck, const struct log_entry *entry) {
    return entry->place.range < fsck->range_count && entry->number < fsck->ranges[entry->place.range].void_below;
}

/* Its header, if it has one, is not sealed, and says whose it is. */
static void log_corrupt(struct fsck *fsck, struct bytes key, const struct log_entry *entry) {
    char subject[2 * sizeof(struct id_hash) + 1];
    char what[200];
    if (entry->place.index == 0) {
        corrupt(fsck, STORE_LOG, key, "does not open with its key");
        return;
    }
    sodium_bin2hex(subject, sizeof(subject), entry->subject.bytes, sizeof(entry->subject.bytes));
    snprintf(what, sizeof(what),
             "does not open with its key (by its header range %" PRIu32 ", epoch %" PRIu64 ", index %" PRIu64
             ", subject %s)",
             entry->place.range, entry->place.epoch, entry->place.index, subject);
    corrupt(fsck, STORE_LOG, key, what);
}

static void log_check(struct fsck *fsck, struct bytes key, struct bytes stored) {
    struct log_entry entry;
    struct command command;
    int rc = range_log_open(fsck->transaction, fsck->master, &fsck->arena, key, stored, &entry);
    if (rc != STATUS_OK && is_void(fsck, &entry))
        fsck->report->leftovers++;
    else if (rc != STATUS_OK)
        log_corrupt(fsck, key, &entry);
    else if (entry.marks_count > 0)
        marks_record_check(fsck, key, &entry);
    else if (!bytes_is_present(entry.command))
        fsck->report->shredded++;
    else if (entry.command.size > 0 && command_decode(entry.command, &fsck->arena, &command) != STATUS_OK)
        corrupt(fsck, STORE_LOG, key, "opens, but is no command");
}

static int table_check(struct fsck *fsck, enum store_table table,
                       void (*record_check)(struct fsck *fsck, struct bytes key, struct bytes value)) {
    struct store_cursor *cursor = NULL;
    uint8_t lowest = 0;
    struct bytes key;
    struct bytes value;
    int rc = store_cursor_open(fsck->transaction, table, &cursor);
    if (rc != STATUS_OK)
        return rc;
    for (rc = store_cursor_seek(cursor, bytes_of(&lowest, 1), &key, &value); rc == STATUS_OK;
         rc = store_cursor_next(cursor, &key, &value)) {
        fsck->report->records[table]++;
        record_check(fsck, key, value);
        arena_reset(&fsck->arena);
    }
    store_cursor_close(cursor);
    return rc == STATUS_STORE_MISSING ? STATUS_OK : rc;
}

int store_fsck(struct store *store, const struct seal_key *master, uint32_t range_count, uint32_t parts,
               struct fsck_report *report, struct buffer *lines) {
    struct fsck fsck = {.master = master, .report = report, .lines = lines, .range_count = range_count, .parts = parts};
    *report = (struct fsck_report){0};
    int rc = store_begin_read(store, &fsck.transaction);
    if (rc != STATUS_OK)
        return rc;
    arena_init(&fsck.arena);
    fsck.applied = calloc(range_count, sizeof(*fsck.applied));
    fsck.ranges = calloc(range_count, sizeof(*fsck.ranges));
    check((fsck.applied != NULL && fsck.ranges != NULL) || range_count == 0);
    /* What does not open here is reported where it lies. */
    range_progress_load(fsck.transaction, master, fsck.ranges, range_count);
    fsck.ranges_here = range_progress_count(fsck.ranges, range_count);
    rc = table_check(&fsck, STORE_STATE, state_check);
    /* Marks that were trimmed from the log are older than those in it. */
    if (rc == STATUS_OK)
        rc = table_check(&fsck, STORE_META, meta_check);
    if (rc == STATUS_OK)
        rc = table_check(&fsck, STORE_LOG, log_check);
    if (rc == STATUS_OK)
        rc = table_check(&fsck, STORE_OUTBOX, outbox_check);
    free(fsck.applied);
    free(fsck.ranges);
    arena_close(&fsck.arena);
    store_abort(fsck.transaction);
    return rc;
}
