#include "storage/range_progress.h"

#include "proto/status.h"
#include "storage/log_record.h"
#include "storage/range_log.h"
#include "storage/sealed_row.h"

/* Zero when no marks of this range were trimmed. */
static int trimmed_marks_get(struct store_transaction *transaction, const struct seal_key *master, struct arena *arena,
                             uint32_t range, struct range_marks *marks) {
    struct key key = key_of_range_marks(range);
    *marks = (struct range_marks){0};
    int rc = sealed_row_get(transaction, master, STORE_META, &key, &RANGE_MARKS_TABLE, arena, marks);
    return rc == STATUS_STORE_MISSING ? STATUS_OK : rc;
}

static int bounds_get(struct store_transaction *transaction, const struct seal_key *master, struct arena *arena,
                      uint32_t range, struct bounds *bounds) {
    struct key key = key_of_range_bounds(range);
    *bounds = (struct bounds){0};
    int rc = sealed_row_get(transaction, master, STORE_META, &key, &BOUNDS_TABLE, arena, bounds);
    return rc == STATUS_STORE_MISSING ? STATUS_OK : rc;
}

int range_bounds_find(struct store_transaction *transaction, const struct seal_key *master, uint32_t range,
                      struct bounds *bounds) {
    struct arena arena;
    arena_init(&arena);
    int rc = bounds_get(transaction, master, &arena, range, bounds);
    arena_close(&arena);
    return rc;
}

int range_bounds_put(struct store_transaction *transaction, const struct seal_key *master, uint32_t range,
                     const struct bounds *bounds) {
    struct key key = key_of_range_bounds(range);
    return sealed_row_put(transaction, master, STORE_META, &key, &BOUNDS_TABLE, bounds);
}

struct loading {
    const struct seal_key *master;
    struct arena *arena;
    struct range_progress *ranges;
    uint32_t range_count;
};

static int marks_take(const struct loading *loading, const struct range_marks_of *mark, uint64_t number) {
    if (mark->range >= loading->range_count)
        return STATUS_RECORD_CORRUPT;
    struct range_progress *range = &loading->ranges[mark->range];
    range->marks =
        (struct range_marks){.epoch = mark->epoch, .applied = mark->applied, .is_incomplete = mark->is_incomplete};
    if (mark->is_incomplete) {
        range->void_below = number;
        range->last_index = 0;
    }
    return STATUS_OK;
}

static int record_take(const struct loading *loading, struct bytes key, struct bytes stored) {
    struct marks_record record;
    struct log_header header;
    if (stored.size > 0 && stored.data[0] <= LOG_ENTRY_UNDER_MASTER) {
        bool is_ours = log_header_decode(stored, &header) == STATUS_OK && header.place.range < loading->range_count;
        if (is_ours)
            loading->ranges[header.place.range].last_index = header.place.index;
        return STATUS_OK;
    }
    int rc = log_marks_open(loading->master, loading->arena, key, stored, &record);
    for (size_t i = 0; rc == STATUS_OK && i < record.marks_count; i++)
        rc = marks_take(loading, &record.marks[i], key_suffix_number(key));
    arena_reset(loading->arena);
    return rc;
}

static int log_take(struct store_transaction *transaction, const struct loading *loading) {
    struct store_cursor *cursor = NULL;
    struct key first = key_of_log(0);
    struct bytes key;
    struct bytes stored;
    int rc = store_cursor_open(transaction, STORE_LOG, &cursor);
    if (rc != STATUS_OK)
        return rc;
    rc = store_cursor_seek(cursor, key_bytes(&first), &key, &stored);
    while (rc == STATUS_OK) {
        rc = record_take(loading, key, stored);
        if (rc == STATUS_OK)
            rc = store_cursor_next(cursor, &key, &stored);
    }
    store_cursor_close(cursor);
    return rc == STATUS_STORE_MISSING ? STATUS_OK : rc;
}

int range_progress_load(struct store_transaction *transaction, const struct seal_key *master,
                        struct range_progress *ranges, uint32_t range_count) {
    struct arena arena;
    struct loading loading = {.master = master, .arena = &arena, .ranges = ranges, .range_count = range_count};
    int rc = STATUS_OK;
    arena_init(&arena);
    for (uint32_t i = 0; i < range_count && rc == STATUS_OK; i++) {
        ranges[i] = (struct range_progress){0};
        rc = trimmed_marks_get(transaction, master, &arena, i, &ranges[i].marks);
        if (rc == STATUS_OK)
            rc = bounds_get(transaction, master, &arena, i, &ranges[i].bounds);
    }
    if (rc == STATUS_OK)
        rc = log_take(transaction, &loading);
    for (uint32_t i = 0; i < range_count; i++)
        if (ranges[i].last_index < ranges[i].marks.applied)
            ranges[i].last_index = ranges[i].marks.applied;
    arena_close(&arena);
    return rc;
}

static bool is_blank(const struct range_marks *marks, const struct bounds *bounds) {
    return marks->epoch == 0 && marks->applied == 0 && !marks->is_incomplete && !bounds_are_said(bounds);
}

uint32_t range_progress_count(const struct range_progress *ranges, uint32_t range_count) {
    while (range_count > 0 && ranges[range_count - 1].last_index == 0 &&
           is_blank(&ranges[range_count - 1].marks, &ranges[range_count - 1].bounds))
        range_count--;
    return range_count;
}

int range_marks_load(struct store_transaction *transaction, const struct seal_key *master, struct range_marks *marks,
                     uint32_t range_count) {
    struct arena arena;
    arena_init(&arena);
    struct range_progress *ranges = ARENA_NEW_ARRAY(&arena, struct range_progress, range_count);
    int rc = range_progress_load(transaction, master, ranges, range_count);
    for (uint32_t i = 0; i < range_count; i++)
        marks[i] = ranges[i].marks;
    arena_close(&arena);
    return rc;
}

/* ---- the marks of one range ---- */

static int marks_in_record_find(const struct loading *loading, uint32_t range, struct bytes key, struct bytes stored,
                                struct range_marks *marks) {
    struct marks_record record;
    int rc = log_marks_open(loading->master, loading->arena, key, stored, &record);
    if (rc != STATUS_OK)
        return rc;
    for (size_t i = 0; i < record.marks_count; i++) {
        const struct range_marks_of *mark = &record.marks[i];
        if (mark->range != range)
            continue;
        *marks =
            (struct range_marks){.epoch = mark->epoch, .applied = mark->applied, .is_incomplete = mark->is_incomplete};
        return STATUS_OK;
    }
    return STATUS_STORE_MISSING;
}

/* STATUS_STORE_MISSING: the log has none. The newest come first. */
static int marks_in_log_find(struct store_transaction *transaction, const struct loading *loading, uint32_t range,
                             struct range_marks *marks) {
    struct store_cursor *cursor = NULL;
    struct bytes key;
    struct bytes stored;
    int rc = store_cursor_open(transaction, STORE_LOG, &cursor);
    if (rc != STATUS_OK)
        return rc;
    rc = store_cursor_last(cursor, &key, &stored);
    while (rc == STATUS_OK) {
        int found = log_record_is_marks(stored) ? marks_in_record_find(loading, range, key, stored, marks)
                                                : STATUS_STORE_MISSING;
        arena_reset(loading->arena);
        if (found != STATUS_STORE_MISSING) {
            rc = found;
            break;
        }
        rc = store_cursor_previous(cursor, &key, &stored);
    }
    store_cursor_close(cursor);
    return rc;
}

int range_marks_find(struct store_transaction *transaction, const struct seal_key *master, uint32_t range,
                     struct range_marks *marks) {
    struct arena arena;
    struct loading loading = {.master = master, .arena = &arena};
    arena_init(&arena);
    int rc = marks_in_log_find(transaction, &loading, range, marks);
    if (rc == STATUS_STORE_MISSING)
        rc = trimmed_marks_get(transaction, master, &arena, range, marks);
    arena_close(&arena);
    return rc;
}

/* ---- tails ---- */

/* The log is read from its end, and each tail grows at its front until it is complete. */
struct tail_loading {
    struct store_transaction *transaction;
    const struct seal_key *master;
    struct arena *arena;
    const struct range_progress *ranges;
    uint32_t range_count;
    struct log_tail *tails;
    bool *is_complete;
    uint32_t left;
    size_t bytes_max;
};

static void tail_complete(struct tail_loading *loading, uint32_t range) {
    loading->is_complete[range] = true;
    loading->left--;
}

static void tail_grow(struct tail_loading *loading, struct log_tail *tail, const struct log_entry *entry) {
    struct log_tail_entry *first = ARENA_NEW(loading->arena, struct log_tail_entry);
    *first = (struct log_tail_entry){
        .next = tail->first, .place = entry->place, .subject = entry->subject, .command = entry->command};
    tail->first = first;
    tail->count++;
    tail->bytes += entry->command.size;
}

/* Whatever is wrong ends the tail; whether it then has all that is needed is seen at the end. */
static int tail_take(struct tail_loading *loading, struct bytes key, struct bytes stored,
                     const struct log_header *header) {
    uint32_t id = header->place.range;
    const struct range_progress *range = &loading->ranges[id];
    struct log_tail *tail = &loading->tails[id];
    struct log_entry entry = {0};
    uint64_t expected = tail->first == NULL ? range->last_index : tail->first->place.index - 1;
    bool is_next = header->place.index == expected && key_suffix_number(key) >= range->void_below;
    bool has_room = expected > range->marks.applied || tail->bytes + stored.size <= loading->bytes_max;
    int rc = STATUS_OK;
    if (is_next && has_room)
        rc = range_log_open(loading->transaction, loading->master, loading->arena, key, stored, &entry);
    if (rc != STATUS_OK && rc != STATUS_RECORD_CORRUPT)
        return rc;
    if (rc == STATUS_OK && bytes_is_present(entry.command))
        tail_grow(loading, tail, &entry);
    else
        tail_complete(loading, id);
    return STATUS_OK;
}

static int tails_take(struct tail_loading *loading) {
    struct store_cursor *cursor = NULL;
    struct bytes key;
    struct bytes stored;
    int rc = store_cursor_open(loading->transaction, STORE_LOG, &cursor);
    if (rc != STATUS_OK)
        return rc;
    rc = store_cursor_last(cursor, &key, &stored);
    while (rc == STATUS_OK && loading->left > 0) {
        struct log_header header;
        bool is_wanted = log_header_decode(stored, &header) == STATUS_OK && header.place.range < loading->range_count &&
                         !loading->is_complete[header.place.range];
        if (is_wanted)
            rc = tail_take(loading, key, stored, &header);
        if (rc == STATUS_OK)
            rc = store_cursor_previous(cursor, &key, &stored);
    }
    store_cursor_close(cursor);
    return rc == STATUS_STORE_MISSING ? STATUS_OK : rc;
}

static bool tail_reaches_applied(const struct range_progress *range, const struct log_tail *tail) {
    uint64_t first = tail->first == NULL ? range->last_index + 1 : tail->first->place.index;
    return first <= range->marks.applied + 1;
}

int range_log_load_tail(struct store_transaction *transaction, const struct seal_key *master, struct arena *arena,
                        struct log_tail *tails, uint32_t range_count, size_t bytes_max) {
    struct range_progress *ranges = ARENA_NEW_ARRAY(arena, struct range_progress, range_count);
    int rc = range_progress_load(transaction, master, ranges, range_count);
    if (rc != STATUS_OK)
        return rc;
    struct tail_loading loading = {.transaction = transaction,
                                   .master = master,
                                   .arena = arena,
                                   .ranges = ranges,
                                   .range_count = range_count,
                                   .tails = tails,
                                   .is_complete = ARENA_NEW_ARRAY(arena, bool, range_count),
                                   .left = range_count,
                                   .bytes_max = bytes_max};
    for (uint32_t i = 0; i < range_count; i++)
        tails[i] = (struct log_tail){.marks = ranges[i].marks, .bounds = ranges[i].bounds};
    rc = tails_take(&loading);
    for (uint32_t i = 0; i < range_count && rc == STATUS_OK; i++)
        if (!tail_reaches_applied(&ranges[i], &tails[i]))
            rc = STATUS_RECORD_CORRUPT;
    return rc;
}

uint32_t log_tails_count(const struct log_tail *tails, uint32_t range_count) {
    while (range_count > 0 && tails[range_count - 1].count == 0 &&
           is_blank(&tails[range_count - 1].marks, &tails[range_count - 1].bounds))
        range_count--;
    return range_count;
}
