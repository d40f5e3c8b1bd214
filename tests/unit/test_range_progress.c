/* What a node finds of its ranges when it starts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "storage/keys.h"
#include "storage/range_log.h"
#include "storage/store_memory.h"
#include "tests/lib/store_fixture.h"

#define RANGES 4
#define COMMAND_BYTES 100
#define STORED_BYTES (41 + SEAL_OVERHEAD_BYTES + COMMAND_BYTES)

static const struct id_hash ALICE = {{1}};
static const struct id_hash BOB = {{2}};

static struct store *store;
static struct seal_key master;
static struct arena arena;
static uint64_t next_number;

static struct store_transaction *begin(bool is_write) {
    struct store_transaction *transaction = NULL;
    check((is_write ? store_begin_write(store, &transaction) : store_begin_read(store, &transaction)) == STATUS_OK);
    return transaction;
}

static void subject_make(const struct id_hash *subject) {
    uint8_t wrapped[WRAPPED_KEY_BYTES];
    struct store_transaction *transaction = begin(true);
    seal_key_make(&master, subject, wrapped);
    check(subject_key_put(transaction, subject, bytes_of(wrapped, sizeof(wrapped))) == STATUS_OK);
    check(store_commit(transaction) == STATUS_OK);
}

static int set_up(void **state) {
    (void)state;
    seal_init();
    arena_init(&arena);
    memset(master.bytes, 7, sizeof(master.bytes));
    store = store_memory_new(&(struct store_memory_options){0});
    next_number = 1;
    subject_make(&ALICE);
    subject_make(&BOB);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    store_memory_free(store);
    arena_close(&arena);
    return 0;
}

static void append(uint32_t range, uint64_t index, const struct id_hash *subject) {
    struct log_place place = {.range = range, .epoch = 1 + index / 10, .index = index};
    uint8_t command[COMMAND_BYTES];
    size_t bytes;
    struct store_transaction *transaction = begin(true);
    memset(command, (int)index, sizeof(command));
    check(range_log_append_waiting(transaction, &master, next_number++, &place, subject, BYTES_ABSENT,
                                   bytes_of(command, sizeof(command)), &bytes) == STATUS_OK);
    check(bytes == STORED_BYTES);
    check(store_commit(transaction) == STATUS_OK);
}

static void append_all(uint32_t range, uint64_t first, uint64_t last) {
    for (uint64_t index = first; index <= last; index++)
        append(range, index, &ALICE);
}

static void mark(uint32_t range, uint64_t applied, bool is_incomplete) {
    struct range_marks_of marks = {.range = range, .epoch = 1, .applied = applied, .is_incomplete = is_incomplete};
    size_t bytes;
    struct store_transaction *transaction = begin(true);
    check(range_log_append_marks(transaction, &master, &next_number, &marks, 1, &bytes) == STATUS_OK);
    check(store_commit(transaction) == STATUS_OK);
}

static struct log_tail tails[RANGES];

static int load(size_t bytes_max) {
    struct store_transaction *transaction = begin(false);
    int rc = range_log_load_tail(transaction, &master, &arena, tails, RANGES, bytes_max);
    store_abort(transaction);
    return rc;
}

/* Entries `first` to `last` and no others; none when `first` is above. */
static void expect(uint32_t range, uint64_t applied, uint64_t first, uint64_t last) {
    const struct log_tail *tail = &tails[range];
    uint64_t index = first;
    assert_int_equal(tail->marks.applied, applied);
    assert_int_equal(tail->count, last + 1 - first);
    assert_int_equal(tail->bytes, tail->count * COMMAND_BYTES);
    for (const struct log_tail_entry *entry = tail->first; entry != NULL; entry = entry->next, index++) {
        assert_int_equal(entry->place.index, index);
        assert_int_equal(entry->place.range, range);
        assert_int_equal(entry->place.epoch, 1 + index / 10);
        assert_int_equal(entry->command.size, COMMAND_BYTES);
        assert_int_equal(entry->command.data[0], index);
    }
    assert_int_equal(index, last + 1);
}

static void a_tail_has_what_is_not_applied_and_before_it_what_has_room(void **state) {
    (void)state;
    append_all(1, 1, 20);
    mark(1, 15, false);
    append_all(2, 1, 3);
    append_all(1, 21, 25);
    assert_int_equal(load(0), STATUS_OK);
    expect(1, 15, 16, 25);
    expect(2, 0, 1, 3);
    expect(3, 0, 1, 0);
    assert_int_equal(load(SIZE_MAX / 2), STATUS_OK);
    expect(1, 15, 1, 25);
    /* Ten are needed, and with what they take there is room for some more. */
    assert_int_equal(load(10 * COMMAND_BYTES + 3 * STORED_BYTES), STATUS_OK);
    assert_true(tails[1].count > 10 && tails[1].count < 20);
    expect(1, 15, tails[1].first->place.index, 25);
}

static void a_tail_begins_after_what_was_shredded_or_does_not_open(void **state) {
    struct key damaged = key_of_log(8);
    uint8_t value[STORED_BYTES];
    struct bytes stored;
    (void)state;
    append_all(1, 1, 4);
    append(1, 5, &BOB);
    append_all(1, 6, 9);
    mark(1, 9, false);
    struct store_transaction *transaction = begin(true);
    assert_int_equal(subject_key_remove(transaction, &BOB), STATUS_OK);
    assert_int_equal(store_commit(transaction), STATUS_OK);
    assert_int_equal(load(SIZE_MAX / 2), STATUS_OK);
    expect(1, 9, 6, 9);
    transaction = begin(true);
    assert_int_equal(store_get(transaction, STORE_LOG, key_bytes(&damaged), &stored), STATUS_OK);
    memcpy(value, stored.data, sizeof(value));
    value[STORED_BYTES - 1] ^= 1;
    assert_int_equal(store_put(transaction, STORE_LOG, key_bytes(&damaged), bytes_of(value, sizeof(value))), STATUS_OK);
    assert_int_equal(store_commit(transaction), STATUS_OK);
    assert_int_equal(load(SIZE_MAX / 2), STATUS_OK);
    expect(1, 9, 9, 9);
    append_all(1, 10, 11);
    assert_int_equal(load(0), STATUS_OK);
    expect(1, 9, 10, 11);
}

static void what_is_not_applied_must_be_there_and_open(void **state) {
    (void)state;
    append_all(1, 1, 4);
    mark(1, 4, false);
    append(1, 5, &BOB);
    append_all(1, 6, 7);
    assert_int_equal(load(0), STATUS_OK);
    struct store_memory_snapshot *sound = store_memory_snapshot(store);
    struct store_transaction *transaction = begin(true);
    assert_int_equal(subject_key_remove(transaction, &BOB), STATUS_OK);
    assert_int_equal(store_commit(transaction), STATUS_OK);
    assert_int_equal(load(0), STATUS_RECORD_CORRUPT);
    for (uint64_t number = 6; number <= 7; number++) { /* the first and the second of those that are needed */
        struct key gone = key_of_log(number);
        store_memory_restore(store, sound);
        transaction = begin(true);
        assert_int_equal(store_remove(transaction, STORE_LOG, key_bytes(&gone)), STATUS_OK);
        assert_int_equal(store_commit(transaction), STATUS_OK);
        assert_int_equal(load(0), STATUS_RECORD_CORRUPT);
    }
    store_memory_restore(store, sound);
    transaction = begin(true);
    for (uint64_t number = 1; number <= 6; number++) { /* the first, and everything before it */
        struct key gone = key_of_log(number);
        if (number != 5)
            assert_int_equal(store_remove(transaction, STORE_LOG, key_bytes(&gone)), STATUS_OK);
    }
    assert_int_equal(store_commit(transaction), STATUS_OK);
    assert_int_equal(load(0), STATUS_RECORD_CORRUPT);
    store_memory_snapshot_free(sound);
}

static void what_is_older_than_the_wiping_of_its_range_does_not_count(void **state) {
    struct range_progress progress[RANGES];
    (void)state;
    append_all(1, 1, 9);
    append_all(2, 1, 3);
    mark(1, 7, false);
    uint64_t wiped = next_number;
    mark(1, 0, true);
    assert_int_equal(load(SIZE_MAX / 2), STATUS_OK);
    expect(1, 0, 1, 0);
    expect(2, 0, 1, 3);
    assert_true(tails[1].marks.is_incomplete);
    mark(1, 9, false); /* whole again, with the rows of another node */
    assert_int_equal(load(SIZE_MAX / 2), STATUS_OK);
    expect(1, 9, 10, 9);
    append_all(1, 10, 11);
    assert_int_equal(load(SIZE_MAX / 2), STATUS_OK);
    expect(1, 9, 10, 11);
    struct store_transaction *transaction = begin(false);
    assert_int_equal(range_progress_load(transaction, &master, progress, RANGES), STATUS_OK);
    store_abort(transaction);
    assert_int_equal(progress[1].void_below, wiped);
    assert_int_equal(progress[1].last_index, 11);
    assert_int_equal(progress[2].void_below, 0);
    assert_int_equal(progress[2].last_index, 3);
}

/* Both ways of asking for marks, in the log and after the log was trimmed. */
static void the_marks_of_one_range_are_found_wherever_they_are(void **state) {
    struct range_progress progress[RANGES] = {{.last_index = 0}};
    (void)state;
    mark(0, 5, false);
    mark(1, 6, false);
    mark(1, 0, true);
    mark(0, 7, false);
    mark(2, 1, false);
    for (int round = 0; round < 4; round++) {
        struct range_marks all[RANGES];
        struct store_transaction *transaction = begin(true);
        size_t trimmed;
        assert_int_equal(range_marks_load(transaction, &master, all, RANGES), STATUS_OK);
        for (uint32_t range = 0; range < RANGES; range++) {
            struct range_marks found;
            assert_int_equal(range_marks_find(transaction, &master, range, &found), STATUS_OK);
            assert_int_equal(found.applied, all[range].applied);
            assert_int_equal(found.is_incomplete, all[range].is_incomplete);
        }
        assert_int_equal(all[0].applied, 7);
        assert_true(all[1].is_incomplete && all[1].applied == 0);
        assert_int_equal(range_log_trim(transaction, &master, progress, RANGES, SIZE_MAX, 2, &trimmed), STATUS_OK);
        assert_int_equal(store_commit(transaction), STATUS_OK);
    }
}

int main(void) {
#define LOADED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        LOADED(a_tail_has_what_is_not_applied_and_before_it_what_has_room),
        LOADED(a_tail_begins_after_what_was_shredded_or_does_not_open),
        LOADED(what_is_not_applied_must_be_there_and_open),
        LOADED(what_is_older_than_the_wiping_of_its_range_does_not_count),
        LOADED(the_marks_of_one_range_are_found_wherever_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
