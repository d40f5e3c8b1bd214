/* The one writer of the store, on its own thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>

#include "node/disk.h"
#include "proto/limits.h"
#include "tests/lib/store_fixture.h"

#define MB ((size_t)1 << 20)
#define THREAD BYTES_LITERAL("19:t@thread.v2")
#define ALICE BYTES_LITERAL("8:acs:r_alice")
#define DEADLINE_S 120 /* far beyond what any batch takes */
#define RANGES 200

static struct fixture fixture;
static struct disk *disk;
static uint64_t next_index;
static size_t log_bytes_kept;

/* What the disk's thread hands back. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t arrival = PTHREAD_COND_INITIALIZER;
static struct batch *arrived;

static void on_done(void *context, struct batch *batch) {
    assert_ptr_equal(context, &fixture);
    pthread_mutex_lock(&mutex);
    check(arrived == NULL);
    arrived = batch;
    pthread_cond_signal(&arrival);
    pthread_mutex_unlock(&mutex);
}

static void disk_open(void) {
    struct disk_options options = {.writer = {.store = fixture.store,
                                              .master = &fixture.master,
                                              .hash_key = fixture.hash_key,
                                              .range_count = RANGES,
                                              .log_bytes_kept = log_bytes_kept},
                                   .on_done = on_done,
                                   .context = &fixture};
    check(disk_start(&options, &disk) == STATUS_OK);
}

static struct batch *batch_new(size_t count) {
    struct batch *batch = calloc(1, sizeof(*batch));
    check(batch != NULL);
    arena_init(&batch->arena);
    batch->items = ARENA_NEW_ARRAY(&batch->arena, struct batch_item, count);
    return batch;
}

static struct entry *batch_add(struct batch *batch, enum command_kind kind) {
    struct entry *entry = entry_new(ENTRY_OF_CLIENT);
    entry->command.kind = kind;
    entry->command.subject = fixture_hash(&fixture, THREAD);
    entry->command.actor_id = ALICE;
    entry->command.time_ms = ++fixture.now_ms;
    entry->place = (struct log_place){.range = 3, .epoch = 1, .index = next_index + batch->count};
    batch->items[batch->count++] = (struct batch_item){.entry = entry, .is_append = true, .is_apply = true};
    return entry;
}

static void batch_add_send(struct batch *batch, size_t content_bytes) {
    struct entry *entry = batch_add(batch, COMMAND_MESSAGE_SEND);
    uint8_t *content = arena_alloc(&entry->arena, content_bytes);
    memset(content, 'x', content_bytes);
    entry->command.message_type = MESSAGE_TEXT;
    entry->command.content = bytes_of(content, content_bytes);
}

static struct batch *batch_wait(void) {
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += DEADLINE_S;
    pthread_mutex_lock(&mutex);
    while (arrived == NULL)
        check(pthread_cond_timedwait(&arrival, &mutex, &deadline) == 0);
    struct batch *batch = arrived;
    arrived = NULL;
    pthread_mutex_unlock(&mutex);
    return batch;
}

static void batch_free(struct batch *batch) {
    for (size_t i = 0; i < batch->count; i++)
        entry_free(batch->items[i].entry);
    arena_close(&batch->arena);
    free(batch);
}

/* Writes, waits, and as the core gives the places out again when the disk refused. */
static int batch_write_and_wait(struct batch *batch) {
    disk_write(disk, batch);
    assert_ptr_equal(batch_wait(), batch);
    int rc = batch->rc;
    if (rc == STATUS_OK)
        next_index += batch->count;
    return rc;
}

static int send_many(size_t count, size_t content_bytes) {
    struct batch *batch = batch_new(count);
    for (size_t i = 0; i < count; i++)
        batch_add_send(batch, content_bytes);
    int rc = batch_write_and_wait(batch);
    batch_free(batch);
    return rc;
}

static void thread_create(void) {
    struct batch *batch = batch_new(1);
    struct entry *entry = batch_add(batch, COMMAND_THREAD_CREATE);
    entry->command.properties.id = THREAD;
    entry->command.wrapped_key = fixture_key(&fixture, &entry->command.subject);
    assert_int_equal(batch_write_and_wait(batch), STATUS_OK);
    assert_int_equal(entry->outcome.result.rc, STATUS_OK);
    assert_non_null(entry->outcome.changes);
    batch_free(batch);
}

static void start_with(size_t map_bytes, size_t bytes_max) {
    fixture_open_with(&fixture, map_bytes, bytes_max);
    next_index = 1;
    disk_open();
    thread_create();
}

static int set_up(void **state) {
    (void)state;
    log_bytes_kept = 0;
    start_with(16 * MB, 0);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    disk_stop(disk);
    fixture_close(&fixture);
    return 0;
}

static uint64_t rows_of(enum store_table table) {
    return fixture_rows(&fixture, table);
}

static struct range_marks marks_of(uint32_t range) {
    static struct range_marks marks[RANGES];
    struct store_transaction *transaction = fixture_read(&fixture);
    check(range < RANGES && range_marks_load(transaction, &fixture.master, marks, RANGES) == STATUS_OK);
    store_abort(transaction);
    return marks[range];
}

static struct range_marks marks_read(void) {
    return marks_of(3);
}

static void reopen(void) {
    disk_stop(disk);
    store_lmdb_close(fixture.store);
    fixture_store_open(&fixture, 16 * MB, 0);
    disk_open();
}

static size_t log_size(void) {
    size_t size;
    struct store_transaction *transaction = fixture_read(&fixture);
    check(range_log_size(transaction, &size) == STATUS_OK);
    store_abort(transaction);
    return size;
}

static void a_batch_is_appended_applied_and_marked(void **state) {
    (void)state;
    struct batch *batch = batch_new(3);
    for (int i = 0; i < 3; i++)
        batch_add_send(batch, 10);
    batch->items[1].entry->command.actor_id = BYTES_LITERAL("8:acs:r_stranger");
    assert_int_equal(batch_write_and_wait(batch), STATUS_OK);
    assert_int_equal(batch->items[0].entry->outcome.result.offset, 3);
    assert_int_equal(batch->items[1].entry->outcome.result.rc, STATUS_FORBIDDEN);
    assert_int_equal(batch->items[2].entry->outcome.result.offset, 4);
    assert_int_equal(batch->items[2].entry->outcome.changes->change.kind, CHANGE_MESSAGE_RECEIVED);
    assert_int_equal(rows_of(STORE_LOG), 4 + 2); /* entries, and the marks of two batches */
    assert_int_equal(rows_of(STORE_META), 1);    /* the format */
    assert_int_equal(marks_read().applied, 4);
    assert_int_equal(marks_read().epoch, 1);
    struct disk_statistics statistics = disk_statistics(disk);
    assert_int_equal(statistics.batches, 2);
    assert_int_equal(statistics.entries, 4);
    assert_int_equal(statistics.failures, 0);
    batch_free(batch);
}

struct log_seen {
    uint64_t records;
    uint64_t entries;
    uint64_t marks;
};

static bool records_see(void *context, const struct log_entry *entry, size_t stored_bytes) {
    struct log_seen *seen = context;
    (void)stored_bytes;
    assert_int_equal(entry->number, ++seen->records);
    if (entry->marks_count > 0) {
        assert_int_equal(entry->marks_count, 1);
        assert_int_equal(entry->marks[0].applied, seen->entries);
        seen->marks++;
    } else {
        assert_int_equal(entry->place.index, ++seen->entries);
    }
    return true;
}

static void the_log_goes_on_where_it_ended_after_a_restart(void **state) {
    struct log_seen seen = {0};
    (void)state;
    assert_int_equal(send_many(10, 10), STATUS_OK);
    size_t log_bytes = disk_statistics(disk).log_bytes;
    reopen();
    assert_int_equal(send_many(5, 10), STATUS_OK);
    assert_true(disk_statistics(disk).log_bytes > log_bytes);
    struct store_transaction *transaction = fixture_read(&fixture);
    assert_int_equal(range_log_visit(transaction, &fixture.master, &fixture.arena, 0, records_see, &seen), STATUS_OK);
    store_abort(transaction);
    assert_int_equal(seen.entries, 16);
    assert_int_equal(seen.marks, 3);
}

/* With other replicas an entry is appended in one batch and applied in a later one. */
static void what_is_applied_later_than_it_is_appended_is_marked_when_it_is_applied(void **state) {
    struct batch *batch = batch_new(2);
    (void)state;
    for (int i = 0; i < 2; i++) {
        batch_add_send(batch, 10);
        batch->items[i].is_apply = false;
    }
    assert_int_equal(batch_write_and_wait(batch), STATUS_OK);
    assert_int_equal(rows_of(STORE_LOG), 2 + 2);
    assert_int_equal(disk_statistics(disk).log_bytes, log_size());
    reopen();
    assert_int_equal(marks_read().applied, 1);
    for (int i = 0; i < 2; i++)
        batch->items[i] = (struct batch_item){.entry = batch->items[i].entry, .is_apply = true};
    disk_write(disk, batch);
    assert_ptr_equal(batch_wait(), batch);
    assert_int_equal(batch->rc, STATUS_OK);
    assert_int_equal(rows_of(STORE_LOG), 2 + 2 + 1);
    assert_int_equal(disk_statistics(disk).log_bytes, log_size());
    batch_free(batch);
    reopen();
    assert_int_equal(marks_read().applied, 3);
    assert_int_equal(send_many(1, 10), STATUS_OK);
    assert_int_equal(marks_read().applied, 4);
}

/* More ranges than one record of marks holds. */
static void a_batch_marks_every_range_that_it_applies_to(void **state) {
    struct batch *batch = batch_new(2 * RANGES);
    (void)state;
    for (uint32_t i = 0; i < 2 * RANGES; i++) {
        batch_add_send(batch, 10);
        batch->items[i].entry->place = (struct log_place){.range = i % RANGES, .epoch = 2, .index = 10 + i};
    }
    assert_int_equal(batch_write_and_wait(batch), STATUS_OK);
    assert_int_equal(rows_of(STORE_LOG),
                     2 + 2 * RANGES + (RANGES + RANGE_MARKS_PER_RECORD - 1) / RANGE_MARKS_PER_RECORD);
    assert_int_equal(disk_statistics(disk).log_bytes, log_size());
    batch_free(batch);
    reopen();
    for (uint32_t range = 0; range < RANGES; range++) {
        assert_int_equal(marks_of(range).epoch, 2);
        assert_int_equal(marks_of(range).applied, 10 + RANGES + range);
    }
}

/* A range that goes quiet is marked only in records that are trimmed one day. */
static void marks_outlive_the_part_of_the_log_that_held_them(void **state) {
    (void)state;
    log_bytes_kept = MB / 8;
    reopen();
    struct batch *batch = batch_new(1);
    batch_add_send(batch, 10);
    batch->items[0].entry->place = (struct log_place){.range = 7, .epoch = 5, .index = 70};
    assert_int_equal(batch_write_and_wait(batch), STATUS_OK);
    batch_free(batch);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(send_many(3, 1000), STATUS_OK);
        assert_true(disk_statistics(disk).log_bytes <= log_bytes_kept);
        assert_int_equal(marks_of(7).applied, 70);
        assert_int_equal(marks_read().applied, next_index - 1);
        if (i % 10 != 0)
            continue;
        reopen();
        assert_int_equal(marks_of(7).applied, 70);
        assert_int_equal(marks_read().applied, next_index - 1);
    }
    assert_int_equal(disk_statistics(disk).log_bytes, log_size());
    assert_true(rows_of(STORE_LOG) < 200);
    assert_int_equal(rows_of(STORE_META), 1 + 2);
    assert_int_equal(marks_of(7).epoch, 5);
}

/* Each trim writes rows of marks. */
static void small_batches_do_not_trim_each_time(void **state) {
    int trims = 0;
    (void)state;
    log_bytes_kept = MB;
    reopen();
    while (disk_statistics(disk).log_bytes + 2000 < log_bytes_kept)
        assert_int_equal(send_many(1, 1000), STATUS_OK);
    for (int i = 0; i < 60; i++) {
        size_t before = disk_statistics(disk).log_bytes;
        assert_int_equal(send_many(1, 1000), STATUS_OK);
        trims += disk_statistics(disk).log_bytes < before;
    }
    assert_in_range(trims, 2, 6);
}

/* The bound is smaller than one batch: the marks of that very batch are trimmed with it. */
static void marks_outlive_a_log_that_is_trimmed_to_nothing(void **state) {
    (void)state;
    log_bytes_kept = 1;
    reopen();
    for (int i = 0; i < 5; i++) {
        assert_int_equal(send_many(3, 1000), STATUS_OK);
        assert_int_equal(rows_of(STORE_LOG), 0);
        reopen();
        assert_int_equal(marks_read().applied, next_index - 1);
    }
}

static void a_batch_far_larger_than_the_map_is_written(void **state) {
    (void)state;
    disk_stop(disk);
    fixture_close(&fixture);
    start_with(MB, 0);
    assert_int_equal(send_many(600, LIMIT_MESSAGE_BYTES_MAX), STATUS_OK);
    assert_int_equal(rows_of(STORE_LOG), 601 + 2);
    assert_int_equal(disk_statistics(disk).failures, 0);
}

static void a_batch_for_which_there_is_no_room_leaves_nothing_and_smaller_ones_go_on(void **state) {
    (void)state;
    disk_stop(disk);
    fixture_close(&fixture);
    start_with(MB, 16 * MB);
    uint64_t log_rows = rows_of(STORE_LOG);
    uint64_t state_rows = rows_of(STORE_STATE);
    size_t log_bytes = disk_statistics(disk).log_bytes;
    assert_int_equal(send_many(600, LIMIT_MESSAGE_BYTES_MAX), STATUS_STORAGE_FULL);
    assert_int_equal(rows_of(STORE_LOG), log_rows);
    assert_int_equal(rows_of(STORE_STATE), state_rows);
    assert_int_equal(marks_read().applied, 1);
    assert_int_equal(disk_statistics(disk).failures, 1);
    assert_int_equal(send_many(100, LIMIT_MESSAGE_BYTES_MAX), STATUS_OK);
    assert_int_equal(rows_of(STORE_LOG), log_rows + 100 + 1);
    assert_int_equal(marks_read().applied, 101);
    assert_true(disk_statistics(disk).log_bytes > log_bytes + 100 * LIMIT_MESSAGE_BYTES_MAX);
}

/* A log of short entries that is as large as it may be: a batch of many has to take as many away. */
static void the_log_does_not_outgrow_its_bound_whatever_the_size_of_batches(void **state) {
    struct store_transaction *transaction = NULL;
    struct id_hash nobody = {{1}};
    static uint8_t command[1000];
    (void)state;
    disk_stop(disk);
    uint64_t number = 3;
    for (uint64_t bytes = 0; bytes < (uint64_t)LIMIT_LOG_BYTES_KEPT; number++) {
        struct log_place place = {.range = 1, .epoch = 1, .index = number};
        size_t stored_bytes;
        if (transaction == NULL)
            check(store_begin_write(fixture.store, &transaction) == STATUS_OK);
        check(range_log_append(transaction, &fixture.master, number, &place, &nobody, BYTES_ABSENT,
                               bytes_of(command, sizeof(command)), &stored_bytes) == STATUS_OK);
        bytes += stored_bytes;
        if (number % 2000 == 0) {
            check(store_commit(transaction) == STATUS_OK);
            transaction = NULL;
        }
    }
    struct range_marks_of marks = {.range = 1, .epoch = 1, .applied = number - 1};
    size_t stored;
    check(transaction != NULL || store_begin_write(fixture.store, &transaction) == STATUS_OK);
    check(range_log_append_marks(transaction, &fixture.master, &number, &marks, 1, &stored) == STATUS_OK);
    check(store_commit(transaction) == STATUS_OK);
    disk_open();
    for (int i = 0; i < 4; i++) {
        assert_int_equal(send_many(LIMIT_DISK_BATCH_MAX, sizeof(command)), STATUS_OK);
        assert_true(disk_statistics(disk).log_bytes <= (size_t)LIMIT_LOG_BYTES_KEPT);
    }
    assert_int_equal(log_size(), disk_statistics(disk).log_bytes);
}

static void stopping_finishes_the_batch_that_was_given(void **state) {
    (void)state;
    struct batch *batch = batch_new(50);
    for (int i = 0; i < 50; i++)
        batch_add_send(batch, 100);
    disk_write(disk, batch);
    disk_stop(disk);
    assert_ptr_equal(batch_wait(), batch);
    assert_int_equal(batch->rc, STATUS_OK);
    assert_int_equal(rows_of(STORE_LOG), 51 + 2);
    batch_free(batch);
    disk_open();
}

struct reading {
    atomic_bool is_over;
    atomic_uint reads;
};

/* What every gateway worker does meanwhile. */
static void *read_until_over(void *argument) {
    struct reading *reading = argument;
    uint64_t newest = 0;
    while (!atomic_load(&reading->is_over)) {
        struct store_transaction *transaction = NULL;
        struct arena arena;
        struct thread_view view;
        struct message_page page;
        struct id_hash thread = fixture_hash(&fixture, THREAD);
        arena_init(&arena);
        check(store_begin_read(fixture.store, &transaction) == STATUS_OK);
        struct apply_context context = {
            .transaction = transaction, .arena = &arena, .master = &fixture.master, .hash_key = fixture.hash_key};
        check(thread_view_open(&view, &context, &thread, ALICE) == STATUS_OK);
        check(thread_view_messages(&view, UINT64_MAX, 0, 20, &page) == STATUS_OK);
        check(page.count > 0 && page.messages[0].offset == view.counters.offset);
        check(page.messages[0].offset >= newest);
        newest = page.messages[0].offset;
        store_abort(transaction);
        arena_close(&arena);
        atomic_fetch_add(&reading->reads, 1);
    }
    return NULL;
}

static void readers_see_whole_batches_in_order_while_the_disk_writes(void **state) {
    struct reading reading = {0};
    pthread_t threads[3];
    (void)state;
    for (size_t i = 0; i < 3; i++)
        check(pthread_create(&threads[i], NULL, read_until_over, &reading) == 0);
    for (int i = 0; i < 60 || atomic_load(&reading.reads) < 30; i++) {
        assert_int_equal(send_many(1 + (size_t)(i * 7 % 40), 2000), STATUS_OK);
        disk_statistics(disk);
    }
    atomic_store(&reading.is_over, true);
    for (size_t i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
}

int main(void) {
#define WRITTEN(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WRITTEN(a_batch_is_appended_applied_and_marked),
        WRITTEN(the_log_goes_on_where_it_ended_after_a_restart),
        WRITTEN(what_is_applied_later_than_it_is_appended_is_marked_when_it_is_applied),
        WRITTEN(a_batch_marks_every_range_that_it_applies_to),
        WRITTEN(marks_outlive_the_part_of_the_log_that_held_them),
        WRITTEN(small_batches_do_not_trim_each_time),
        WRITTEN(marks_outlive_a_log_that_is_trimmed_to_nothing),
        WRITTEN(a_batch_far_larger_than_the_map_is_written),
        WRITTEN(a_batch_for_which_there_is_no_room_leaves_nothing_and_smaller_ones_go_on),
        WRITTEN(the_log_does_not_outgrow_its_bound_whatever_the_size_of_batches),
        WRITTEN(stopping_finishes_the_batch_that_was_given),
        WRITTEN(readers_see_whole_batches_in_order_while_the_disk_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
