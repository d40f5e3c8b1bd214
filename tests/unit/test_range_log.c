/* The log of all ranges, the marks and the outbox, over a real store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "storage/keys.h"
#include "tests/lib/store_fixture.h"

#define ENTRY_OVERHEAD_BYTES (41 + SEAL_OVERHEAD_BYTES)
#define RANGES 100

static struct fixture fixture;
static const struct id_hash ALICE = {{1}};
static const struct id_hash BOB = {{2}};

static int set_up(void **state) {
    (void)state;
    fixture_open(&fixture);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    fixture_close(&fixture);
    return 0;
}

static struct store_transaction *begin_write(void) {
    struct store_transaction *transaction = NULL;
    assert_int_equal(store_begin_write(fixture.store, &transaction), 0);
    return transaction;
}

static int append(struct store_transaction *transaction, uint64_t number, const struct id_hash *subject,
                  struct bytes wrapped, struct bytes command, size_t *bytes) {
    struct log_place place = {.range = (uint32_t)(number % 3), .epoch = 1, .index = number};
    return range_log_append(transaction, &fixture.master, number, &place, subject, wrapped, command, bytes);
}

static void append_all(uint64_t first, uint64_t last) {
    struct store_transaction *transaction = begin_write();
    size_t bytes;
    for (uint64_t number = first; number <= last; number++) {
        struct bytes command = arena_printf(&fixture.arena, "command %04u", (unsigned)number);
        struct bytes wrapped = number == 1 ? fixture_key(&fixture, &ALICE) : BYTES_ABSENT;
        assert_int_equal(append(transaction, number, &ALICE, wrapped, command, &bytes), 0);
        if (number == 1)
            assert_int_equal(subject_key_put(transaction, &ALICE, wrapped), 0); /* as its creation is applied */
        assert_int_equal(bytes, ENTRY_OVERHEAD_BYTES + command.size);
    }
    assert_int_equal(store_commit(transaction), 0);
}

struct visited {
    struct log_entry entries[16];
    size_t count;
    size_t max;
    size_t bytes;
};

static bool visit(void *context, const struct log_entry *entry, size_t stored_bytes) {
    struct visited *visited = context;
    visited->entries[visited->count++] = *entry;
    visited->bytes += stored_bytes;
    return visited->count < visited->max;
}

static struct visited visit_from(uint64_t number, size_t max, int expected) {
    struct visited visited = {.max = max};
    struct store_transaction *transaction = fixture_read(&fixture);
    assert_int_equal(range_log_visit(transaction, &fixture.master, &fixture.arena, number, visit, &visited), expected);
    store_abort(transaction);
    return visited;
}

static uint64_t next_number(void) {
    uint64_t number = 0;
    struct store_transaction *transaction = fixture_read(&fixture);
    assert_int_equal(range_log_next_number(transaction, &number), 0);
    store_abort(transaction);
    return number;
}

static size_t log_size(void) {
    size_t bytes = 99;
    struct store_transaction *transaction = fixture_read(&fixture);
    assert_int_equal(range_log_size(transaction, &bytes), 0);
    store_abort(transaction);
    return bytes;
}

static void an_empty_log_begins_with_number_one(void **state) {
    (void)state;
    assert_int_equal(next_number(), 1);
    assert_int_equal(log_size(), 0);
    assert_int_equal(visit_from(0, 16, 0).count, 0);
}

static void entries_are_visited_in_order_from_a_number_on(void **state) {
    (void)state;
    append_all(1, 10);
    struct visited visited = visit_from(4, 16, 0);
    assert_int_equal(visited.count, 7);
    for (size_t i = 0; i < visited.count; i++) {
        const struct log_entry *entry = &visited.entries[i];
        assert_int_equal(entry->number, 4 + i);
        assert_int_equal(entry->place.index, 4 + i);
        assert_int_equal(entry->place.range, (4 + i) % 3);
        assert_int_equal(entry->place.epoch, 1);
        assert_true(id_hash_equal(&entry->subject, &ALICE));
    }
    assert_true(bytes_equal_text(visited.entries[0].command, "command 0004"));
    assert_int_equal(visit_from(4, 2, 0).count, 2);
    assert_int_equal(visit_from(11, 16, 0).count, 0);
    assert_int_equal(next_number(), 11);
    assert_int_equal(log_size(), visit_from(0, 16, 0).bytes);
}

static void an_entry_of_an_unknown_subject_is_kept_under_the_master_key(void **state) {
    struct store_transaction *transaction = begin_write();
    size_t bytes;
    (void)state;
    assert_int_equal(append(transaction, 1, &BOB, BYTES_ABSENT, BYTES_LITERAL("to be refused"), &bytes), 0);
    assert_int_equal(store_commit(transaction), 0);
    struct visited visited = visit_from(1, 16, 0);
    assert_true(bytes_equal_text(visited.entries[0].command, "to be refused"));
}

/* One damaged record must not keep everybody else's commands from being written. */
static void an_entry_of_a_subject_whose_key_is_damaged_is_kept_under_the_master_key(void **state) {
    struct key row = key_of_row(&BOB, ROW_KEY);
    struct store_transaction *transaction = begin_write();
    size_t bytes;
    (void)state;
    assert_int_equal(store_put(transaction, STORE_STATE, key_bytes(&row), BYTES_LITERAL("damaged")), 0);
    assert_int_equal(append(transaction, 1, &BOB, BYTES_ABSENT, BYTES_LITERAL("to be refused"), &bytes), 0);
    assert_int_equal(store_commit(transaction), 0);
    assert_true(bytes_equal_text(visit_from(1, 16, 0).entries[0].command, "to be refused"));
}

static void shredding_a_subject_shreds_its_log(void **state) {
    (void)state;
    append_all(1, 3);
    struct store_transaction *transaction = begin_write();
    assert_int_equal(subject_key_remove(transaction, &ALICE), 0);
    assert_int_equal(store_commit(transaction), 0);
    struct visited visited = visit_from(1, 16, 0);
    assert_int_equal(visited.count, 3);
    for (size_t i = 0; i < visited.count; i++)
        assert_false(bytes_is_present(visited.entries[i].command));
}

static void the_key_that_comes_with_a_creation_does_not_replace_an_existing_one(void **state) {
    size_t bytes;
    (void)state;
    append_all(1, 2);
    struct store_transaction *transaction = begin_write();
    assert_int_equal(append(transaction, 3, &ALICE, fixture_key(&fixture, &ALICE), BYTES_LITERAL("again"), &bytes), 0);
    assert_int_equal(store_commit(transaction), 0);
    struct visited visited = visit_from(1, 16, 0);
    assert_true(bytes_equal_text(visited.entries[0].command, "command 0001"));
    assert_true(bytes_equal_text(visited.entries[2].command, "again"));
}

static void a_key_waits_for_the_creation_that_brought_it(void **state) {
    struct log_place place = {.range = 0, .epoch = 1, .index = 6};
    struct bytes wrapped[] = {fixture_key(&fixture, &BOB), fixture_key(&fixture, &BOB)};
    struct store_transaction *transaction = begin_write();
    struct seal_key brought;
    struct seal_key released;
    size_t bytes;
    (void)state;
    for (uint64_t i = 0; i < 2; i++, place.index++) /* the second one's is not taken */
        assert_int_equal(range_log_append_waiting(transaction, &fixture.master, 1 + i, &place, &BOB, wrapped[i],
                                                  BYTES_LITERAL("creation"), &bytes),
                         0);
    static const uint64_t others[] = {5, 7};
    for (size_t i = 0; i < 2; i++) {
        place.index = others[i];
        assert_int_equal(range_log_key_release(transaction, &fixture.master, &place, &BOB, &released),
                         STATUS_STORE_MISSING);
    }
    assert_int_equal(subject_key_get(transaction, &fixture.master, &BOB, &released), STATUS_STORE_MISSING);
    place.index = 6;
    assert_int_equal(range_log_key_release(transaction, &fixture.master, &place, &BOB, &released), 0);
    assert_int_equal(seal_key_unwrap(&fixture.master, &BOB, wrapped[0], &brought), 0);
    assert_memory_equal(&released, &brought, sizeof(brought));
    assert_int_equal(range_log_key_release(transaction, &fixture.master, &place, &BOB, &released),
                     STATUS_STORE_MISSING);
    store_abort(transaction);
}

static void damage_anywhere_in_an_entry_is_noticed(void **state) {
    struct key key = key_of_log(1);
    struct bytes stored;
    struct log_entry entry;
    (void)state;
    append_all(1, 1);
    struct store_transaction *transaction = fixture_read(&fixture);
    assert_int_equal(store_get(transaction, STORE_LOG, key_bytes(&key), &stored), 0);
    uint8_t *damaged = arena_alloc(&fixture.arena, stored.size);
    for (size_t i = 0; i < stored.size; i++) {
        if (i >= 25 && i < 41)
            continue; /* the subject: of another subject there is no key, which looks like a shredded one */
        memcpy(damaged, stored.data, stored.size);
        damaged[i] ^= 0x10;
        assert_int_equal(range_log_open(transaction, &fixture.master, &fixture.arena, key_bytes(&key),
                                        bytes_of(damaged, stored.size), &entry),
                         STATUS_RECORD_CORRUPT);
    }
    for (size_t size = 0; size < stored.size; size++)
        assert_int_equal(range_log_open(transaction, &fixture.master, &fixture.arena, key_bytes(&key),
                                        bytes_of(stored.data, size), &entry),
                         STATUS_RECORD_CORRUPT);
    struct key moved = key_of_log(2);
    assert_int_equal(range_log_open(transaction, &fixture.master, &fixture.arena, key_bytes(&moved), stored, &entry),
                     STATUS_RECORD_CORRUPT);
    assert_int_equal(
        range_log_open(transaction, &fixture.master, &fixture.arena, BYTES_LITERAL("short"), stored, &entry),
        STATUS_RECORD_CORRUPT);
    store_abort(transaction);
}

static size_t trim(size_t bytes, size_t entries_max) {
    struct store_transaction *transaction = begin_write();
    size_t trimmed = 99;
    assert_int_equal(range_log_trim(transaction, &fixture.master, NULL, 0, bytes, entries_max, &trimmed), 0);
    assert_int_equal(store_commit(transaction), 0);
    return trimmed;
}

static void trimming_takes_the_oldest_until_enough_is_gone(void **state) {
    size_t entry = ENTRY_OVERHEAD_BYTES + strlen("command 0001");
    (void)state;
    append_all(1, 10);
    assert_int_equal(trim(0, 100), 0);
    assert_int_equal(trim(1, 100), entry);
    assert_int_equal(visit_from(0, 1, 0).entries[0].number, 2);
    assert_int_equal(trim(2 * entry, 100), 2 * entry);
    assert_int_equal(trim(1000 * entry, 2), 2 * entry);
    assert_int_equal(visit_from(0, 1, 0).entries[0].number, 6);
    assert_int_equal(log_size(), 5 * entry);
    assert_int_equal(next_number(), 11);
    append_all(11, 12);
    assert_int_equal(visit_from(0, 16, 0).count, 7);
}

static void trimming_takes_as_many_as_it_is_allowed_to(void **state) {
    size_t entry = ENTRY_OVERHEAD_BYTES + strlen("command 0001");
    (void)state;
    append_all(1, 3000);
    assert_int_equal(trim(SIZE_MAX, 2500), 2500 * entry);
    assert_int_equal(log_size(), 500 * entry);
    assert_int_equal(trim(SIZE_MAX, SIZE_MAX), 500 * entry);
    assert_int_equal(log_size(), 0);
}

/* Appends marks of one range in a transaction of their own, at the end of the log. */
static size_t mark(uint32_t range, uint64_t epoch, uint64_t applied) {
    struct range_marks_of marks = {.range = range, .epoch = epoch, .applied = applied};
    uint64_t number = next_number();
    uint64_t expected = number + 1;
    size_t bytes = 0;
    struct store_transaction *transaction = begin_write();
    assert_int_equal(range_log_append_marks(transaction, &fixture.master, &number, &marks, 1, &bytes), 0);
    assert_int_equal(number, expected);
    assert_int_equal(store_commit(transaction), 0);
    return bytes;
}

static int load(struct range_marks marks[RANGES]) {
    struct store_transaction *transaction = fixture_read(&fixture);
    int rc = range_marks_load(transaction, &fixture.master, marks, RANGES);
    store_abort(transaction);
    return rc;
}

static void reopen(void) {
    store_lmdb_close(fixture.store);
    fixture_store_open(&fixture, 16 << 20, 0);
}

static void expect_marks(uint32_t range, uint64_t epoch, uint64_t applied) {
    struct range_marks marks[RANGES];
    reopen();
    assert_int_equal(load(marks), 0);
    assert_int_equal(marks[range].epoch, epoch);
    assert_int_equal(marks[range].applied, applied);
}

static bool has_row_of(uint32_t range) {
    struct store_transaction *transaction = fixture_read(&fixture);
    struct key key = key_of_range_marks(range);
    struct bytes sealed;
    int rc = store_get(transaction, STORE_META, key_bytes(&key), &sealed);
    store_abort(transaction);
    assert_true(rc == STATUS_OK || rc == STATUS_STORE_MISSING);
    return rc == STATUS_OK;
}

static void the_newest_marks_of_each_range_count(void **state) {
    (void)state;
    expect_marks(0, 0, 0);
    mark(7, 3, 44);
    mark(RANGES - 1, 1, 5);
    append_all(3, 5);
    expect_marks(7, 3, 44);
    mark(7, 4, 45);
    expect_marks(7, 4, 45);
    expect_marks(RANGES - 1, 1, 5);
    expect_marks(8, 0, 0);
    struct visited visited = visit_from(0, 16, 0);
    assert_int_equal(visited.count, 6);
    assert_int_equal(visited.entries[0].marks_count, 1);
    assert_int_equal(visited.entries[0].marks[0].range, 7);
    assert_int_equal(visited.entries[2].marks_count, 0);
    assert_int_equal(visited.entries[5].marks[0].applied, 45);
    assert_int_equal(visited.entries[5].number, 6);
    assert_int_equal(visited.bytes, log_size());
}

static void marks_of_many_ranges_take_as_few_records_as_hold_them(void **state) {
    struct range_marks_of marks[3 * RANGE_MARKS_PER_RECORD + 1];
    struct range_marks loaded[3 * RANGE_MARKS_PER_RECORD + 1];
    size_t counts[] = {0, 1, RANGE_MARKS_PER_RECORD, RANGE_MARKS_PER_RECORD + 1, 3 * RANGE_MARKS_PER_RECORD + 1};
    uint64_t records[] = {0, 1, 1, 2, 4};
    (void)state;
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        uint64_t first = next_number();
        uint64_t number = first;
        size_t bytes = 99;
        size_t before = log_size();
        for (size_t j = 0; j < counts[i]; j++)
            marks[j] = (struct range_marks_of){.range = (uint32_t)j, .epoch = UINT64_MAX, .applied = UINT64_MAX - i};
        struct store_transaction *transaction = begin_write();
        assert_int_equal(range_log_append_marks(transaction, &fixture.master, &number, marks, counts[i], &bytes), 0);
        assert_int_equal(store_commit(transaction), 0);
        assert_int_equal(number - first, records[i]);
        assert_int_equal(next_number(), number);
        assert_int_equal(log_size() - before, bytes);
        assert_true(bytes <= records[i] * 2000);
        transaction = fixture_read(&fixture);
        assert_int_equal(range_marks_load(transaction, &fixture.master, loaded, 3 * RANGE_MARKS_PER_RECORD + 1), 0);
        store_abort(transaction);
        for (size_t j = 0; j < counts[i]; j++)
            assert_true(loaded[j].epoch == UINT64_MAX && loaded[j].applied == UINT64_MAX - i);
    }
}

static void marks_survive_the_trimming_of_their_record(void **state) {
    (void)state;
    mark(7, 3, 44);
    mark(8, 1, 10);
    mark(7, 3, 46);
    append_all(4, 6);
    assert_int_equal(log_size(), visit_from(0, 16, 0).bytes);
    trim(SIZE_MAX, 1); /* newer ones of 7 are left in the log */
    expect_marks(7, 3, 46);
    expect_marks(8, 1, 10);
    trim(SIZE_MAX, 1); /* the only ones of 8 */
    assert_true(has_row_of(8));
    expect_marks(7, 3, 46);
    expect_marks(8, 1, 10);
    trim(SIZE_MAX, SIZE_MAX);
    assert_int_equal(log_size(), 0);
    expect_marks(7, 3, 46);
    expect_marks(8, 1, 10);
    mark(7, 4, 47); /* what is in the log is newer than any row */
    expect_marks(7, 4, 47);
    expect_marks(8, 1, 10);
    trim(SIZE_MAX, SIZE_MAX);
    expect_marks(7, 4, 47);
    expect_marks(8, 1, 10);
    assert_false(has_row_of(9));
}

/* Several of one range in one trim and in one of its rounds, and more ranges than one record holds. */
static void the_newest_of_all_trimmed_marks_are_kept(void **state) {
    (void)state;
    for (uint64_t round = 1; round <= 3; round++)
        for (uint32_t range = 0; range < RANGES; range++)
            mark(range, round, 1000 * round + range);
    trim(SIZE_MAX, 3 * RANGES - 10);
    for (uint32_t range = 0; range < RANGES; range++)
        expect_marks(range, 3, 3000 + range);
    trim(SIZE_MAX, 10);
    for (uint32_t range = 0; range < RANGES; range++)
        expect_marks(range, 3, 3000 + range);
}

static void a_trim_that_is_not_committed_moves_no_marks(void **state) {
    struct store_transaction *transaction;
    size_t trimmed;
    (void)state;
    mark(7, 3, 44);
    transaction = begin_write();
    assert_int_equal(range_log_trim(transaction, &fixture.master, NULL, 0, SIZE_MAX, SIZE_MAX, &trimmed), 0);
    store_abort(transaction);
    assert_false(has_row_of(7));
    expect_marks(7, 3, 44);
}

static void marks_of_a_range_that_does_not_exist_are_refused(void **state) {
    struct range_marks marks[RANGES];
    (void)state;
    mark(RANGES - 1, 1, 1);
    assert_int_equal(load(marks), 0);
    mark(RANGES, 1, 1);
    assert_int_equal(load(marks), STATUS_RECORD_CORRUPT);
}

static int load_damaged(struct bytes damaged) {
    struct range_marks marks[RANGES];
    struct key key = key_of_log(1);
    struct store_transaction *transaction = begin_write();
    assert_int_equal(store_put(transaction, STORE_LOG, key_bytes(&key), damaged), 0);
    int rc = range_marks_load(transaction, &fixture.master, marks, RANGES);
    size_t trimmed;
    struct log_entry entry;
    assert_int_equal(range_log_open(transaction, &fixture.master, &fixture.arena, key_bytes(&key), damaged, &entry),
                     rc);
    if (damaged.size > 0 && damaged.data[0] == 'M')
        assert_int_equal(range_log_trim(transaction, &fixture.master, NULL, 0, 1, 1, &trimmed), rc);
    store_abort(transaction);
    return rc;
}

static void damage_anywhere_in_marks_is_noticed(void **state) {
    struct key key = key_of_log(1);
    struct bytes stored;
    (void)state;
    mark(7, 3, 44);
    struct store_transaction *transaction = fixture_read(&fixture);
    assert_int_equal(store_get(transaction, STORE_LOG, key_bytes(&key), &stored), 0);
    struct bytes sound = arena_copy(&fixture.arena, stored);
    store_abort(transaction);
    assert_int_equal(load_damaged(sound), 0);
    for (size_t bit = 0; bit < sound.size * 8; bit++) {
        struct bytes damaged = arena_copy(&fixture.arena, sound);
        ((uint8_t *)(uintptr_t)damaged.data)[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(load_damaged(damaged), STATUS_RECORD_CORRUPT);
    }
    for (size_t size = 0; size < sound.size; size++)
        assert_int_equal(load_damaged(bytes_of(sound.data, size)), STATUS_RECORD_CORRUPT);
}

static void a_damaged_row_of_marks_is_noticed(void **state) {
    struct range_marks marks[RANGES];
    struct key key = key_of_range_marks(7);
    (void)state;
    mark(7, 3, 44);
    trim(SIZE_MAX, SIZE_MAX);
    struct store_transaction *transaction = begin_write();
    assert_int_equal(store_put(transaction, STORE_META, key_bytes(&key), BYTES_LITERAL("damaged")), 0);
    assert_int_equal(store_commit(transaction), 0);
    assert_int_equal(load(marks), STATUS_RECORD_CORRUPT);
}

struct outbox_seen {
    struct id_hash subjects[8];
    uint64_t numbers[8];
    struct outbox_row rows[8];
    size_t count;
    size_t max;
};

static bool outbox_see(void *context, const struct id_hash *subject, uint64_t number, const struct outbox_row *row) {
    struct outbox_seen *seen = context;
    seen->subjects[seen->count] = *subject;
    seen->numbers[seen->count] = number;
    seen->rows[seen->count] = *row;
    return ++seen->count < seen->max;
}

static struct outbox_seen outbox_seen(struct store_transaction *transaction, size_t max, int expected) {
    struct outbox_seen seen = {.max = max};
    assert_int_equal(outbox_visit(transaction, &fixture.master, &fixture.arena, outbox_see, &seen), expected);
    return seen;
}

static void outbox_rows_wait_until_they_are_removed(void **state) {
    struct outbox_user users[2] = {{ALICE}, {BOB}};
    struct outbox_row row = {.thread_id = BYTES_LITERAL("19:t@thread.v2"),
                             .membership = MEMBERSHIP_JOINED,
                             .offset = 2,
                             .users = users,
                             .users_count = 2};
    struct outbox_row purge = {.is_purge = true};
    struct store_transaction *transaction = begin_write();
    (void)state;
    assert_int_equal(outbox_seen(transaction, 8, 0).count, 0);
    assert_int_equal(outbox_put(transaction, &fixture.master, &BOB, 2, &row), 0);
    assert_int_equal(outbox_put(transaction, &fixture.master, &BOB, OUTBOX_PURGE_NUMBER, &purge), 0);
    assert_int_equal(outbox_put(transaction, &fixture.master, &ALICE, 9, &row), 0);
    struct outbox_seen seen = outbox_seen(transaction, 8, 0);
    assert_int_equal(seen.count, 3);
    assert_true(id_hash_equal(&seen.subjects[0], &ALICE));
    assert_int_equal(seen.numbers[0], 9);
    assert_true(id_hash_equal(&seen.subjects[1], &BOB));
    assert_int_equal(seen.numbers[1], 2);
    assert_int_equal(seen.rows[1].users_count, 2);
    assert_true(id_hash_equal(&seen.rows[1].users[1].hash, &BOB));
    assert_true(seen.rows[2].is_purge);
    assert_true(seen.numbers[2] == OUTBOX_PURGE_NUMBER);
    assert_int_equal(outbox_seen(transaction, 1, 0).count, 1);
    assert_int_equal(outbox_remove(transaction, &BOB, 2), 0);
    assert_int_equal(outbox_remove(transaction, &BOB, 2), 0);
    assert_int_equal(outbox_seen(transaction, 8, 0).count, 2);
    store_abort(transaction);
}

static void a_damaged_outbox_row_is_reported(void **state) {
    struct outbox_row row = {.is_purge = true};
    struct store_transaction *transaction = begin_write();
    struct key key = key_of_outbox(&BOB, 2);
    (void)state;
    assert_int_equal(outbox_put(transaction, &fixture.master, &ALICE, 1, &row), 0);
    assert_int_equal(store_put(transaction, STORE_OUTBOX, key_bytes(&key), BYTES_LITERAL("damaged")), 0);
    assert_int_equal(outbox_seen(transaction, 8, STATUS_RECORD_CORRUPT).count, 1);
    assert_int_equal(store_remove(transaction, STORE_OUTBOX, key_bytes(&key)), 0);
    assert_int_equal(store_put(transaction, STORE_OUTBOX, BYTES_LITERAL("short key"), BYTES_LITERAL("x")), 0);
    assert_int_equal(outbox_seen(transaction, 8, STATUS_RECORD_CORRUPT).count, 1);
    store_abort(transaction);
}

int main(void) {
#define LOGGED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        LOGGED(an_empty_log_begins_with_number_one),
        LOGGED(entries_are_visited_in_order_from_a_number_on),
        LOGGED(an_entry_of_an_unknown_subject_is_kept_under_the_master_key),
        LOGGED(an_entry_of_a_subject_whose_key_is_damaged_is_kept_under_the_master_key),
        LOGGED(shredding_a_subject_shreds_its_log),
        LOGGED(the_key_that_comes_with_a_creation_does_not_replace_an_existing_one),
        LOGGED(a_key_waits_for_the_creation_that_brought_it),
        LOGGED(damage_anywhere_in_an_entry_is_noticed),
        LOGGED(trimming_takes_the_oldest_until_enough_is_gone),
        LOGGED(trimming_takes_as_many_as_it_is_allowed_to),
        LOGGED(the_newest_marks_of_each_range_count),
        LOGGED(marks_of_many_ranges_take_as_few_records_as_hold_them),
        LOGGED(marks_survive_the_trimming_of_their_record),
        LOGGED(the_newest_of_all_trimmed_marks_are_kept),
        LOGGED(a_trim_that_is_not_committed_moves_no_marks),
        LOGGED(marks_of_a_range_that_does_not_exist_are_refused),
        LOGGED(damage_anywhere_in_marks_is_noticed),
        LOGGED(a_damaged_row_of_marks_is_noticed),
        LOGGED(outbox_rows_wait_until_they_are_removed),
        LOGGED(a_damaged_outbox_row_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
