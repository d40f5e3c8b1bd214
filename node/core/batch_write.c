#include "node/core/batch_write.h"

#include <stdlib.h>

#include "node/core/apply.h"
#include "proto/check.h"
#include "proto/limits.h"
#include "proto/status.h"
#include "storage/snapshot.h"

/* Beyond as many as a batch adds, so that a log that grew too large shrinks, but no batch waits for long. */
#define TRIM_RECORDS_BESIDE 500
/* A trim takes this share more than it must: it writes a row for each range whose marks it takes, so small batches had
 * better not trim each time. */
#define TRIM_SHARE_BESIDE 64

#define PROBE_KEY BYTES_LITERAL("probe")
#define PROBE_BYTES (256 * 1024) /* about what a batch needs of the pages that it changes */
#define PROBE_RESERVE_BYTES (32 * 1024)

/* Where the log ends, and each range with it. */
struct position {
    uint64_t next_number;
    size_t log_bytes;
    struct range_progress *ranges;
};

/* A range on its way in. Only a life that began with the wiping knows it, so after a crash it is wiped again. */
struct arrival {
    bool is_wiped;
    uint64_t snapshot;
    uint64_t chunks; /* that have been put */
};

struct batch_writer {
    struct batch_writer_options options;
    uint32_t ranges_count; /* with numbers below that; not more than were ever here */
    struct position position;
    struct arrival *arrivals;
    struct buffer encoded;
};

/* One batch in its transaction. What it changes of the writer is kept aside until it is durable. */
struct writing {
    uint32_t ranges_count;
    struct batch_writer *writer;
    struct batch *batch;
    enum store_access access;
    struct store_transaction *transaction;
    struct apply_context context;
    struct position position;
    struct arrival *arrivals;
    bool *is_touched; /* of each range: its marks have changed */
    struct log_shredding *shreddings;
    size_t shreddings_count;
};

static struct range_progress *progress_of(const struct writing *writing, uint32_t range) {
    check(range < writing->ranges_count);
    return &writing->position.ranges[range];
}

/* ---- truncations ---- */

static int log_truncate(struct writing *writing) {
    const struct batch *batch = writing->batch;
    size_t removed_bytes = 0;
    for (size_t i = 0; i < batch->truncations_count; i++) {
        const struct log_truncation *truncation = &batch->truncations[i];
        check(truncation->from > progress_of(writing, truncation->range)->marks.applied);
    }
    if (batch->truncations_count == 0)
        return STATUS_OK;
    int rc = range_log_truncate(writing->transaction, writing->writer->options.master, writing->position.ranges,
                                batch->truncations, batch->truncations_count, &removed_bytes);
    writing->position.log_bytes -= removed_bytes;
    for (size_t i = 0; i < batch->truncations_count; i++) {
        struct range_progress *progress = progress_of(writing, batch->truncations[i].range);
        if (progress->last_index >= batch->truncations[i].from)
            progress->last_index = batch->truncations[i].from - 1;
        writing->is_touched[batch->truncations[i].range] = true; /* behind what went, or its numbers would come again */
    }
    return rc;
}

/* ---- births ---- */

static int bounds_set(struct writing *writing, uint32_t range, const struct bounds *bounds) {
    struct range_progress *progress = progress_of(writing, range);
    if (bounds_equal(&progress->bounds, bounds))
        return STATUS_OK;
    progress->bounds = *bounds;
    return range_bounds_put(writing->transaction, writing->context.master, range, bounds);
}

/* Nothing that is here of the range counts any more, whatever happens to its rows. */
static void make_void(struct writing *writing, uint32_t range) {
    struct range_progress *progress = progress_of(writing, range);
    if (progress->marks.is_incomplete)
        return;
    progress->marks = (struct range_marks){.is_incomplete = true};
    progress->void_below = writing->position.next_number;
    progress->last_index = 0;
    writing->is_touched[range] = true;
}

static int child_bear(struct writing *writing, const struct batch_birth *birth) {
    const struct range_marks *parent = &progress_of(writing, birth->parent)->marks;
    struct range_progress *child = progress_of(writing, birth->child);
    check(birth->child_marks.is_incomplete ||
          (!parent->is_incomplete && parent->applied >= birth->child_marks.applied));
    child->marks = birth->child_marks;
    child->last_index = birth->child_marks.applied;
    child->void_below = birth->child_marks.is_incomplete ? writing->position.next_number : 0;
    writing->is_touched[birth->child] = true;
    return bounds_set(writing, birth->child, &birth->child_bounds);
}

static int bear(struct writing *writing) {
    const struct batch *batch = writing->batch;
    int rc = STATUS_OK;
    for (size_t i = 0; i < batch->births_count && rc == STATUS_OK; i++) {
        const struct batch_birth *birth = &batch->births[i];
        if (birth->is_parent_void)
            make_void(writing, birth->parent);
        rc = bounds_set(writing, birth->parent, &birth->parent_bounds);
        if (rc == STATUS_OK && birth->has_child)
            rc = child_bear(writing, birth);
    }
    return rc;
}

/* ---- takings ---- */

static int chunk_check(struct writing *writing, const struct batch_taking *taking, struct snapshot_chunk *chunk) {
    const struct batch_writer_options *options = &writing->writer->options;
    const struct arrival *arrival = &writing->arrivals[taking->range];
    struct snapshot_scope scope = {
        .master = options->master, .hash_key = options->hash_key, .range = taking->range, .bounds = taking->bounds};
    int rc = snapshot_chunk_open(&scope, taking->chunk, chunk);
    if (rc != STATUS_OK)
        return rc;
    bool is_expected = arrival->is_wiped && chunk->number == arrival->chunks &&
                       (arrival->chunks == 0 || chunk->snapshot == arrival->snapshot);
    return is_expected ? STATUS_OK : STATUS_CONFLICT;
}

static int chunk_take(struct writing *writing, struct batch_taking *taking, const struct snapshot_chunk *chunk) {
    struct arrival *arrival = &writing->arrivals[taking->range];
    struct range_progress *progress = progress_of(writing, taking->range);
    int rc = snapshot_chunk_put(writing->transaction, chunk);
    arrival->snapshot = chunk->snapshot;
    arrival->chunks++;
    taking->is_done = chunk->is_last;
    if (chunk->is_last) {
        *arrival = (struct arrival){0};
        progress->marks = chunk->marks;
        progress->last_index = chunk->marks.applied;
        writing->is_touched[taking->range] = true;
    }
    return rc;
}

/* The marks say so before the first row goes. */
static int wipe(struct writing *writing, struct batch_taking *taking) {
    make_void(writing, taking->range);
    int rc = bounds_set(writing, taking->range, &taking->bounds);
    if (rc == STATUS_OK)
        rc = snapshot_wipe(writing->transaction, &taking->bounds, LIMIT_PURGE_ROWS_PER_COMMAND, &taking->is_done);
    writing->arrivals[taking->range] = (struct arrival){.is_wiped = taking->is_done};
    return rc;
}

static int take(struct writing *writing) {
    const struct batch *batch = writing->batch;
    int rc = STATUS_OK;
    for (size_t i = 0; i < batch->takings_count && rc == STATUS_OK; i++) {
        struct batch_taking *taking = &batch->takings[i];
        struct snapshot_chunk chunk;
        check(taking->range < writing->ranges_count);
        taking->is_done = false;
        bool is_chunk = bytes_is_present(taking->chunk);
        bool has_room = !is_chunk || writing->access != STORE_REMOVE;
        taking->rc = !has_room ? STATUS_STORAGE_FULL : is_chunk ? chunk_check(writing, taking, &chunk) : STATUS_OK;
        if (taking->rc != STATUS_OK)
            continue;
        rc = is_chunk ? chunk_take(writing, taking, &chunk) : wipe(writing, taking);
    }
    return rc;
}

/* ---- items ---- */

static struct bytes entry_encoded(struct batch_writer *writer, const struct entry *entry) {
    if (bytes_is_present(entry->encoded))
        return entry->encoded;
    writer->encoded.size = 0;
    command_encode(&entry->command, &writer->encoded);
    return buffer_bytes(&writer->encoded);
}

static int item_append(struct writing *writing, const struct batch_item *item) {
    const struct entry *entry = item->entry;
    const struct command *command = &entry->command;
    struct range_progress *progress = progress_of(writing, entry->place.range);
    struct bytes encoded = entry_encoded(writing->writer, entry);
    size_t bytes = 0;
    int (*append)(struct store_transaction *, const struct seal_key *, uint64_t, const struct log_place *,
                  const struct id_hash *, struct bytes, struct bytes, size_t *) =
        item->is_apply ? range_log_append : range_log_append_waiting;
    check(!progress->marks.is_incomplete);
    int rc = append(writing->transaction, writing->context.master, writing->position.next_number++, &entry->place,
                    &command->subject, command->wrapped_key, encoded, &bytes);
    writing->position.log_bytes += bytes;
    progress->last_index = entry->place.index;
    return rc;
}

static bool command_shreds(const struct command *command) {
    return command->kind == COMMAND_THREAD_DELETE || command->kind == COMMAND_USER_DELETE;
}

/* The key that opens entries of the subject before the command is applied, and perhaps not after. A key that waits for
 * this very command waits no longer. STATUS_STORE_MISSING: there is no such key. */
static int key_before(struct writing *writing, const struct batch_item *item, struct seal_key *key) {
    const struct command *command = &item->entry->command;
    if (command_shreds(command))
        return subject_key_get(writing->transaction, writing->context.master, &command->subject, key);
    if (!item->is_append && bytes_is_present(command->wrapped_key))
        return range_log_key_release(writing->transaction, writing->context.master, &item->entry->place,
                                     &command->subject, key);
    return STATUS_STORE_MISSING;
}

static int shredding_note(struct writing *writing, const struct entry *entry, const struct seal_key *key) {
    struct seal_key after;
    int rc = subject_key_get(writing->transaction, writing->context.master, &entry->command.subject, &after);
    if (rc == STATUS_STORE_MISSING)
        writing->shreddings[writing->shreddings_count++] =
            (struct log_shredding){.place = entry->place, .subject = entry->command.subject, .key = *key};
    return rc == STATUS_STORE_MISSING || rc == STATUS_RECORD_CORRUPT ? STATUS_OK : rc;
}

static int item_apply(struct writing *writing, const struct batch_item *item) {
    struct entry *entry = item->entry;
    struct range_progress *progress = progress_of(writing, entry->place.range);
    struct seal_key key;
    check(entry->place.index > progress->marks.applied && !progress->marks.is_incomplete);
    progress->marks = (struct range_marks){.epoch = entry->place.epoch, .applied = entry->place.index};
    writing->is_touched[entry->place.range] = true;
    entry->outcome = (struct outcome){0};
    int before = key_before(writing, item, &key);
    if (before != STATUS_OK && before != STATUS_STORE_MISSING && before != STATUS_RECORD_CORRUPT)
        return before;
    int rc = command_apply(&writing->context, &entry->command, &entry->outcome);
    return rc == STATUS_OK && before == STATUS_OK ? shredding_note(writing, entry, &key) : rc;
}

static int items_write(struct writing *writing) {
    const struct batch *batch = writing->batch;
    int rc = STATUS_OK;
    for (size_t i = 0; i < batch->count && rc == STATUS_OK; i++) {
        const struct batch_item *item = &batch->items[i];
        if (item->is_append)
            rc = item_append(writing, item);
        if (rc == STATUS_OK && item->is_apply)
            rc = item_apply(writing, item);
    }
    return rc;
}

/* Only entries that are not applied yet are concerned; with one replica there are none. */
static int reseal(struct writing *writing) {
    size_t count = 0;
    for (size_t i = 0; i < writing->shreddings_count; i++) {
        const struct log_place *place = &writing->shreddings[i].place;
        if (progress_of(writing, place->range)->last_index > place->index)
            writing->shreddings[count++] = writing->shreddings[i];
    }
    return range_log_reseal(writing->transaction, writing->context.master, writing->shreddings, count);
}

/* ---- the log's two ends ---- */

static int marks_write(struct writing *writing) {
    uint32_t range_count = writing->ranges_count;
    struct range_marks_of *marks = ARENA_NEW_ARRAY(&writing->batch->arena, struct range_marks_of, range_count);
    size_t count = 0;
    size_t bytes = 0;
    for (uint32_t i = 0; i < range_count; i++) {
        const struct range_marks *now = &writing->position.ranges[i].marks;
        if (writing->is_touched[i])
            marks[count++] = (struct range_marks_of){
                .range = i, .epoch = now->epoch, .applied = now->applied, .is_incomplete = now->is_incomplete};
    }
    int rc = range_log_append_marks(writing->transaction, writing->context.master, &writing->position.next_number,
                                    marks, count, &bytes);
    writing->position.log_bytes += bytes;
    return rc;
}

static int log_trim(struct writing *writing) {
    const struct batch_writer *writer = writing->writer;
    size_t kept = writer->options.log_bytes_kept;
    size_t records_appended = (size_t)(writing->position.next_number - writer->position.next_number);
    size_t trimmed_bytes = 0;
    if (writing->position.log_bytes <= kept)
        return STATUS_OK;
    int rc = range_log_trim(writing->transaction, writing->context.master, writing->position.ranges,
                            writing->ranges_count, writing->position.log_bytes - kept + kept / TRIM_SHARE_BESIDE,
                            records_appended + TRIM_RECORDS_BESIDE, &trimmed_bytes);
    writing->position.log_bytes -= trimmed_bytes;
    return rc;
}

/* ---- all of it ---- */

static uint32_t larger(uint32_t a, uint32_t b) {
    return a > b ? a : b;
}

/* Ranges that come with this batch. */
static uint32_t ranges_needed(const struct batch_writer *writer, const struct batch *batch) {
    uint32_t count = writer->ranges_count;
    for (size_t i = 0; i < batch->births_count; i++)
        count = larger(count, larger(batch->births[i].parent, batch->births[i].child) + 1);
    for (size_t i = 0; i < batch->truncations_count; i++)
        count = larger(count, batch->truncations[i].range + 1);
    for (size_t i = 0; i < batch->takings_count; i++)
        count = larger(count, batch->takings[i].range + 1);
    for (size_t i = 0; i < batch->count; i++)
        count = larger(count, batch->items[i].entry->place.range + 1);
    check(count <= writer->options.range_count);
    return count;
}

static void writing_begin(struct writing *writing, struct batch_writer *writer, struct batch *batch) {
    const struct batch_writer_options *options = &writer->options;
    uint32_t range_count = ranges_needed(writer, batch);
    *writing =
        (struct writing){.ranges_count = range_count,
                         .writer = writer,
                         .batch = batch,
                         .context = {.arena = &batch->arena, .master = options->master, .hash_key = options->hash_key},
                         .position = writer->position,
                         .is_touched = ARENA_NEW_ARRAY(&batch->arena, bool, range_count),
                         .shreddings = ARENA_NEW_ARRAY(&batch->arena, struct log_shredding, batch->count)};
    writing->position.ranges = ARENA_NEW_ARRAY(&batch->arena, struct range_progress, range_count);
    writing->arrivals = ARENA_NEW_ARRAY(&batch->arena, struct arrival, range_count);
    memcpy(writing->position.ranges, writer->position.ranges, range_count * sizeof(*writing->position.ranges));
    memcpy(writing->arrivals, writer->arrivals, range_count * sizeof(*writing->arrivals));
}

/* What was kept aside becomes the writer's. */
static void writing_end(const struct writing *writing) {
    struct batch_writer *writer = writing->writer;
    uint32_t range_count = writing->ranges_count;
    writer->ranges_count = range_count;
    writer->position.next_number = writing->position.next_number;
    writer->position.log_bytes = writing->position.log_bytes;
    memcpy(writer->position.ranges, writing->position.ranges, range_count * sizeof(*writing->position.ranges));
    memcpy(writer->arrivals, writing->arrivals, range_count * sizeof(*writing->arrivals));
}

static int begin(struct batch_writer *writer, enum store_access access, struct store_transaction **transaction) {
    return access == STORE_REMOVE ? store_begin_remove(writer->options.store, transaction)
                                  : store_begin_write(writer->options.store, transaction);
}

static int write_once(struct batch_writer *writer, struct batch *batch, enum store_access access) {
    static int (*const steps[])(struct writing *) = {bear,   log_truncate, take,    items_write,
                                                     reseal, marks_write,  log_trim};
    struct writing writing;
    writing_begin(&writing, writer, batch);
    writing.access = access;
    int rc = begin(writer, access, &writing.transaction);
    if (rc != STATUS_OK)
        return rc;
    writing.context.transaction = writing.transaction;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && rc == STATUS_OK; i++)
        rc = steps[i](&writing);
    if (rc != STATUS_OK && rc != STATUS_STORAGE_FULL) {
        store_abort(writing.transaction);
        return STATUS_STORAGE_FAILED;
    }
    /* A commit after a refused write fails with that write's status, and lets the map grow. */
    rc = store_commit(writing.transaction);
    if (rc == STATUS_OK)
        writing_end(&writing);
    return rc;
}

/* What was written must have been on the disk, or it says nothing of the disk. */
static int probe_once(struct batch_writer *writer, struct batch *batch, enum store_access access) {
    struct store_transaction *transaction = NULL;
    int rc = begin(writer, access, &transaction);
    if (rc != STATUS_OK)
        return rc;
    size_t size = access == STORE_REMOVE ? PROBE_RESERVE_BYTES : PROBE_BYTES;
    uint8_t *zeros = arena_alloc(&batch->arena, size);
    memset(zeros, 0, size);
    store_put(transaction, STORE_META, PROBE_KEY, bytes_of(zeros, size));
    rc = store_commit(transaction);
    if (rc != STATUS_OK)
        return rc;
    rc = begin(writer, STORE_REMOVE, &transaction);
    if (rc != STATUS_OK)
        return rc;
    store_remove(transaction, STORE_META, PROBE_KEY);
    return store_commit(transaction);
}

static int write_until_room(struct batch_writer *writer, struct batch *batch, enum store_access access) {
    int rc;
    do
        rc = batch->is_probe ? probe_once(writer, batch, access) : write_once(writer, batch, access);
    while (rc == STATUS_SERVICE_UNAVAILABLE); /* each time the store has made room */
    return rc;
}

void batch_write(struct batch_writer *writer, struct batch *batch) {
    batch->rc = write_until_room(writer, batch, batch->is_removal ? STORE_REMOVE : STORE_WRITE);
    batch->used_reserve = batch->rc == STATUS_STORAGE_FULL && batch->may_use_reserve;
    if (batch->used_reserve)
        batch->rc = write_until_room(writer, batch, STORE_REMOVE);
}

static int position_load(struct batch_writer *writer) {
    struct store_transaction *transaction = NULL;
    int rc = store_begin_read(writer->options.store, &transaction);
    if (rc != STATUS_OK)
        return rc;
    rc = range_log_next_number(transaction, &writer->position.next_number);
    if (rc == STATUS_OK)
        rc = range_log_size(transaction, &writer->position.log_bytes);
    if (rc == STATUS_OK)
        rc = range_progress_load(transaction, writer->options.master, writer->position.ranges,
                                 writer->options.range_count);
    store_abort(transaction);
    writer->ranges_count = range_progress_count(writer->position.ranges, writer->options.range_count);
    return rc;
}

int batch_writer_open(const struct batch_writer_options *options, struct batch_writer **out) {
    struct batch_writer *writer = calloc(1, sizeof(*writer));
    check(writer != NULL);
    writer->options = *options;
    if (writer->options.log_bytes_kept == 0)
        writer->options.log_bytes_kept = LIMIT_LOG_BYTES_KEPT;
    buffer_init(&writer->encoded);
    writer->position.ranges = calloc(options->range_count, sizeof(*writer->position.ranges));
    writer->arrivals = calloc(options->range_count, sizeof(*writer->arrivals));
    check(writer->position.ranges != NULL && writer->arrivals != NULL);
    int rc = position_load(writer);
    if (rc != STATUS_OK) {
        batch_writer_close(writer);
        return rc;
    }
    *out = writer;
    return STATUS_OK;
}

void batch_writer_close(struct batch_writer *writer) {
    buffer_close(&writer->encoded);
    free(writer->position.ranges);
    free(writer->arrivals);
    free(writer);
}

uint64_t batch_writer_log_next(const struct batch_writer *writer) {
    return writer->position.next_number;
}

size_t batch_writer_log_bytes(const struct batch_writer *writer) {
    return writer->position.log_bytes;
}
