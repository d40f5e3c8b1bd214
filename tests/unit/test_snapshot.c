/* A range out and in: which rows, in which chunks, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "storage/keys.h"
#include "storage/range_log.h"
#include "storage/snapshot.h"
#include "storage/store_memory.h"
#include "tests/lib/store_fixture.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define RANGE_COUNT 5

static struct fixture fixture; /* for its keys and its arena */
static struct store *store;

static int set_up(void **state) {
    (void)state;
    fixture_open(&fixture);
    store = store_memory_new(&(struct store_memory_options){0});
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    store_memory_free(store);
    fixture_close(&fixture);
    return 0;
}

static struct store_transaction *begin(struct store *of, bool is_write) {
    struct store_transaction *transaction = NULL;
    check((is_write ? store_begin_write(of, &transaction) : store_begin_read(of, &transaction)) == STATUS_OK);
    return transaction;
}

static struct snapshot_scope scope_of(uint32_t range) {
    return (struct snapshot_scope){.master = &fixture.master,
                                   .hash_key = fixture.hash_key,
                                   .range = range,
                                   .bounds = bounds_of_part(range, RANGE_COUNT)};
}

static struct id_hash hash_at(uint64_t position) {
    struct id_hash hash = {{0}};
    number_encode(hash.bytes, position);
    return hash;
}

static void put(enum store_table table, uint64_t position, uint64_t number, size_t value_bytes) {
    struct id_hash subject = hash_at(position);
    struct key key =
        table == STORE_OUTBOX ? key_of_outbox(&subject, number) : key_of_row_number(&subject, ROW_MESSAGE, number);
    if (table == STORE_META)
        key = key_of_waiting_key(&subject);
    uint8_t *value = arena_alloc(&fixture.arena, value_bytes);
    memset(value, (int)(number & 0xff), value_bytes);
    struct store_transaction *transaction = begin(store, true);
    check(store_put(transaction, table, key_bytes(&key), bytes_of(value, value_bytes)) == STATUS_OK);
    check(store_commit(transaction) == STATUS_OK);
}

static void mark(uint32_t range, uint64_t applied, bool is_incomplete) {
    struct range_marks_of marks = {.range = range, .epoch = 3, .applied = applied, .is_incomplete = is_incomplete};
    uint64_t number;
    size_t bytes;
    struct store_transaction *transaction = begin(store, true);
    check(range_log_next_number(transaction, &number) == STATUS_OK);
    check(range_log_append_marks(transaction, &fixture.master, &number, &marks, 1, &bytes) == STATUS_OK);
    check(store_commit(transaction) == STATUS_OK);
}

static struct snapshot *read_range(uint32_t range, size_t chunk_bytes) {
    struct snapshot_scope scope = scope_of(range);
    struct snapshot *snapshot = NULL;
    assert_int_equal(snapshot_read(store, &scope, 9, chunk_bytes, snapshot_spool_memory(), &snapshot), STATUS_OK);
    return snapshot;
}

/* Puts all chunks into a store of their own and checks what each says of itself. */
static struct store *put_all(struct snapshot *snapshot, uint32_t range) {
    struct store *into = store_memory_new(&(struct store_memory_options){0});
    struct snapshot_scope scope = scope_of(range);
    struct buffer encoded;
    uint64_t bytes = 0;
    buffer_init(&encoded);
    for (uint64_t i = 0; i < snapshot_facts(snapshot)->chunks; i++) {
        struct snapshot_chunk chunk;
        assert_int_equal(snapshot_chunk_read(snapshot, i, &encoded), STATUS_OK);
        assert_int_equal(snapshot_chunk_open(&scope, buffer_bytes(&encoded), &chunk), STATUS_OK);
        assert_int_equal(chunk.number, i);
        assert_int_equal(chunk.snapshot, 9);
        assert_int_equal(chunk.is_last, i + 1 == snapshot_facts(snapshot)->chunks);
        assert_memory_equal(&chunk.marks, &snapshot_facts(snapshot)->marks, sizeof(chunk.marks));
        struct store_transaction *transaction = begin(into, true);
        assert_int_equal(snapshot_chunk_put(transaction, &chunk), STATUS_OK);
        assert_int_equal(store_commit(transaction), STATUS_OK);
        bytes += encoded.size;
    }
    assert_int_equal(bytes, snapshot_facts(snapshot)->bytes);
    buffer_close(&encoded);
    return into;
}

/* As bounds_of_part says. */
static uint32_t range_of(const struct id_hash *subject) {
    return (uint32_t)((unsigned __int128)id_hash_position(subject) * RANGE_COUNT >> 64);
}

static size_t rows_of(struct store *of, enum store_table table, uint32_t range) {
    struct store_cursor *cursor;
    struct bytes key;
    struct bytes value;
    size_t count = 0;
    struct store_transaction *transaction = begin(of, false);
    check(store_cursor_open(transaction, table, &cursor) == STATUS_OK);
    for (int rc = store_cursor_seek(cursor, BYTES_LITERAL("\0"), &key, &value); rc == STATUS_OK;
         rc = store_cursor_next(cursor, &key, &value)) {
        size_t prefix = table == STORE_META ? strlen("key") : 0;
        struct id_hash subject = key_subject(bytes_of(key.data + prefix, key.size - prefix));
        count += range == RANGE_COUNT || range_of(&subject) == range;
    }
    store_cursor_close(cursor);
    store_abort(transaction);
    return count;
}

/* Rows at the first and the last position of each range, and beside them. */
static uint64_t fill_borders(void) {
    uint64_t rows = 0;
    for (uint64_t range = 0; range < RANGE_COUNT; range++) {
        uint64_t border = (uint64_t)((((unsigned __int128)range << 64) + RANGE_COUNT - 1) / RANGE_COUNT);
        for (int beside = -2; beside <= 2; beside++, rows++) {
            put(STORE_STATE, border + (uint64_t)(int64_t)beside, 1, 30);
            put(STORE_OUTBOX, border + (uint64_t)(int64_t)beside, 1, 30);
            put(STORE_META, border + (uint64_t)(int64_t)beside, 1, 30);
        }
    }
    return rows;
}

static void a_range_is_what_the_map_says(void **state) {
    uint64_t rows = fill_borders();
    uint64_t seen = 0;
    (void)state;
    for (uint32_t range = 0; range < RANGE_COUNT; range++) {
        struct snapshot *snapshot = read_range(range, 1000);
        struct store *into = put_all(snapshot, range);
        assert_int_equal(rows_of(into, STORE_STATE, range), rows_of(store, STORE_STATE, range));
        assert_int_equal(rows_of(into, STORE_STATE, RANGE_COUNT), rows_of(store, STORE_STATE, range));
        assert_int_equal(rows_of(into, STORE_OUTBOX, RANGE_COUNT), rows_of(store, STORE_OUTBOX, range));
        assert_int_equal(rows_of(into, STORE_META, RANGE_COUNT), 0); /* what is not applied stays behind */
        seen += rows_of(into, STORE_STATE, RANGE_COUNT);
        store_memory_free(into);
        snapshot_close(snapshot);
    }
    assert_int_equal(seen, rows);
}

static void wiping_takes_the_range_and_nothing_else(void **state) {
    static const enum store_table tables[] = {STORE_STATE, STORE_OUTBOX, STORE_META};
    fill_borders();
    (void)state;
    for (uint32_t range = 0; range < RANGE_COUNT; range++) {
        size_t before[3];
        bool is_done = false;
        for (size_t i = 0; i < COUNT(tables); i++)
            before[i] = rows_of(store, tables[i], RANGE_COUNT) - rows_of(store, tables[i], range);
        for (int step = 0; !is_done; step++) {
            const struct bounds bounds = bounds_of_part(range, RANGE_COUNT);
            struct store_transaction *transaction = begin(store, true);
            assert_int_equal(snapshot_wipe(transaction, &bounds, 4, &is_done), STATUS_OK);
            assert_int_equal(store_commit(transaction), STATUS_OK);
            assert_true(step < 10);
        }
        for (size_t i = 0; i < COUNT(tables); i++) {
            assert_int_equal(rows_of(store, tables[i], range), 0);
            assert_int_equal(rows_of(store, tables[i], RANGE_COUNT), before[i]);
        }
    }
    assert_int_equal(store_memory_bytes(store), 0);
}

static bool has_one_row(const struct snapshot_chunk *chunk) {
    const uint8_t *row = chunk->rows.data;
    return chunk->rows.size ==
           6 + row[1] + ((size_t)row[2] << 24 | (size_t)row[3] << 16 | (size_t)row[4] << 8 | row[5]);
}

static void chunks_are_as_large_as_they_may_be_and_rows_are_whole(void **state) {
    static const size_t sizes[] = {SNAPSHOT_CHUNK_BYTES_MIN, 300, 1000, 1001, 1015, 2000, 5000, 1 << 20};
    struct snapshot_scope scope = scope_of(0);
    (void)state;
    for (uint64_t i = 0; i < 60; i++)
        put(i % 2 == 0 ? STORE_STATE : STORE_OUTBOX, i, i, (size_t)(i * i * 7 % 900));
    mark(0, 44, false);
    for (size_t i = 0; i < COUNT(sizes); i++) {
        struct snapshot *snapshot = read_range(0, sizes[i]);
        const struct snapshot_facts *facts = snapshot_facts(snapshot);
        struct buffer chunk;
        buffer_init(&chunk);
        for (uint64_t number = 0; number < facts->chunks; number++) {
            assert_int_equal(snapshot_chunk_read(snapshot, number, &chunk), STATUS_OK);
            struct snapshot_chunk opened;
            assert_int_equal(snapshot_chunk_open(&scope, buffer_bytes(&chunk), &opened), STATUS_OK);
            assert_true(chunk.size <= sizes[i] || has_one_row(&opened));
        }
        assert_true(facts->chunks <= 2 * facts->bytes / sizes[i] + 1);
        assert_int_equal(facts->marks.applied, 44);
        assert_int_equal(facts->marks.epoch, 3);
        buffer_close(&chunk);
        struct store *into = put_all(snapshot, 0);
        assert_int_equal(rows_of(into, STORE_STATE, 0), 30);
        assert_int_equal(rows_of(into, STORE_OUTBOX, 0), 30);
        store_memory_free(into);
        snapshot_close(snapshot);
    }
}

static void an_empty_range_is_one_chunk(void **state) {
    (void)state;
    struct snapshot *snapshot = read_range(4, 1000);
    assert_int_equal(snapshot_facts(snapshot)->chunks, 1);
    assert_int_equal(snapshot_facts(snapshot)->marks.applied, 0);
    struct store *into = put_all(snapshot, 4);
    assert_int_equal(store_memory_bytes(into), 0);
    store_memory_free(into);
    snapshot_close(snapshot);
}

static void the_chunks_are_those_of_one_moment(void **state) {
    (void)state;
    for (uint64_t i = 0; i < 50; i++)
        put(STORE_STATE, i, 1, 100);
    struct snapshot *snapshot = read_range(0, 1000);
    for (uint64_t i = 0; i < 50; i++)
        put(STORE_STATE, i, 2, 100);
    struct store *into = put_all(snapshot, 0);
    assert_int_equal(rows_of(into, STORE_STATE, 0), 50);
    store_memory_free(into);
    snapshot_close(snapshot);
}

static void an_incomplete_range_is_not_given_away(void **state) {
    struct snapshot_scope scope = scope_of(0);
    struct snapshot *snapshot = NULL;
    (void)state;
    mark(0, 0, true);
    assert_int_equal(snapshot_read(store, &scope, 9, 1000, snapshot_spool_memory(), &snapshot), STATUS_STORE_MISSING);
    mark(0, 7, false);
    mark(1, 0, true);
    snapshot = read_range(0, 1000);
    assert_int_equal(snapshot_facts(snapshot)->marks.applied, 7);
    snapshot_close(snapshot);
}

static struct bytes first_chunk(void) {
    struct buffer chunk;
    buffer_init(&chunk);
    struct snapshot *snapshot = read_range(1, 1000);
    assert_int_equal(snapshot_chunk_read(snapshot, 0, &chunk), STATUS_OK);
    struct bytes copy = arena_copy(&fixture.arena, buffer_bytes(&chunk));
    buffer_close(&chunk);
    snapshot_close(snapshot);
    return copy;
}

static void a_chunk_of_another_cluster_or_range_is_refused_by_name(void **state) {
    static const uint8_t other_hash_key[ID_HASH_KEY_BYTES] = {1};
    struct seal_key other_master = {{1}};
    struct snapshot_scope ours = scope_of(1);
    struct snapshot_scope others[] = {ours, ours, ours, ours, ours};
    struct snapshot_chunk chunk;
    struct bytes encoded = first_chunk();
    (void)state;
    others[0].master = &other_master;
    others[1].hash_key = other_hash_key;
    others[2].range = 2;
    others[3].bounds.first++;
    others[4].bounds.last--;
    assert_int_equal(snapshot_chunk_open(&ours, encoded, &chunk), STATUS_OK);
    for (size_t i = 0; i < COUNT(others); i++)
        assert_int_equal(snapshot_chunk_open(&others[i], encoded, &chunk), STATUS_CONFLICT);
}

static void damage_anywhere_in_a_chunk_is_noticed(void **state) {
    struct snapshot_scope scope = scope_of(1);
    struct snapshot_chunk chunk;
    (void)state;
    put(STORE_STATE, UINT64_MAX / 10 * 3, 1, 20);
    struct bytes sound = first_chunk();
    assert_int_equal(snapshot_chunk_open(&scope, sound, &chunk), STATUS_OK);
    for (size_t bit = 0; bit < sound.size * 8; bit++) {
        struct bytes damaged = arena_copy(&fixture.arena, sound);
        ((uint8_t *)(uintptr_t)damaged.data)[bit / 8] ^= (uint8_t)(1 << bit % 8);
        bool is_cluster = bit / 8 >= 2 && bit / 8 < 18;
        assert_int_equal(snapshot_chunk_open(&scope, damaged, &chunk),
                         is_cluster ? STATUS_CONFLICT : STATUS_RECORD_CORRUPT);
    }
    for (size_t size = 0; size < sound.size; size++) {
        struct bytes cut = arena_copy(&fixture.arena, bytes_of(sound.data, size));
        assert_int_equal(snapshot_chunk_open(&scope, cut, &chunk), STATUS_RECORD_CORRUPT);
    }
}

/* Reads from LMDB into a file, as a node does. */
static void a_node_reads_a_range_into_a_file_while_it_goes_on_writing(void **state) {
    struct snapshot_scope scope = scope_of(0);
    struct snapshot_spool *spool = NULL;
    struct snapshot *snapshot = NULL;
    (void)state;
    store_memory_free(store);
    store = fixture.store;
    for (uint64_t i = 0; i < 20; i++)
        put(STORE_STATE, i, 1, 1000);
    assert_int_equal(snapshot_spool_file(fixture.folder, &spool), STATUS_OK);
    assert_int_equal(snapshot_read(store, &scope, 9, 4000, spool, &snapshot), STATUS_OK);
    for (uint64_t i = 0; i < 20; i++)
        put(STORE_STATE, i, 1, 2000);
    struct store *into = put_all(snapshot, 0);
    assert_int_equal(rows_of(into, STORE_STATE, 0), 20);
    assert_true(store_memory_bytes(into) < 20 * 1100);
    store_memory_free(into);
    snapshot_close(snapshot);
    store = store_memory_new(&(struct store_memory_options){0});
}

int main(void) {
#define TAKEN(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TAKEN(a_range_is_what_the_map_says),
        TAKEN(wiping_takes_the_range_and_nothing_else),
        TAKEN(chunks_are_as_large_as_they_may_be_and_rows_are_whole),
        TAKEN(an_empty_range_is_one_chunk),
        TAKEN(the_chunks_are_those_of_one_moment),
        TAKEN(an_incomplete_range_is_not_given_away),
        TAKEN(a_chunk_of_another_cluster_or_range_is_refused_by_name),
        TAKEN(damage_anywhere_in_a_chunk_is_noticed),
        TAKEN(a_node_reads_a_range_into_a_file_while_it_goes_on_writing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
