/* The outbox read for the core, over a real store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/core/outbox_read.h"
#include "storage/keys.h"
#include "tests/lib/store_fixture.h"

#define ROWS 300

static struct fixture fixture;

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

/* Three of four are in the last quarter of all positions, the others in the first. */
static struct id_hash subject_of(unsigned i) {
    return (struct id_hash){{i % 4 == 0 ? 0x00 : 0xC0, (uint8_t)(i / 256), (uint8_t)i}};
}

static struct store_transaction *rows_put(unsigned count) {
    struct store_transaction *transaction = NULL;
    check(store_begin_write(fixture.store, &transaction) == STATUS_OK);
    for (unsigned i = 0; i < count; i++) {
        struct outbox_row row = {.thread_id = BYTES_LITERAL("19:t@thread.v2"), .offset = 1000 + i};
        struct id_hash subject = subject_of(i);
        check(outbox_put(transaction, &fixture.master, &subject, i, &row) == STATUS_OK);
    }
    return transaction;
}

static void each_range_gets_its_own_rows_and_the_whole_ring_all(void **state) {
    const struct {
        struct bounds bounds;
        size_t expected;
    } cases[] = {{bounds_of_all(), ROWS},
                 {bounds_of_part(0, 4), ROWS / 4},
                 {bounds_of_part(1, 4), 0},
                 {bounds_of_part(2, 4), 0},
                 {bounds_of_part(3, 4), ROWS - ROWS / 4}};
    struct store_transaction *transaction = rows_put(ROWS);
    (void)state;
    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        struct event event = {0};
        assert_int_equal(outbox_read(transaction, &fixture.master, &cases[c].bounds, &fixture.arena, &event),
                         STATUS_OK);
        assert_int_equal(event.outbox_count, cases[c].expected);
    }
    store_abort(transaction);
}

static void rows_come_whole_and_each_once(void **state) {
    struct store_transaction *transaction = rows_put(ROWS);
    const struct bounds all = bounds_of_all();
    struct event event = {0};
    bool was_seen[ROWS] = {false};
    (void)state;
    assert_int_equal(outbox_read(transaction, &fixture.master, &all, &fixture.arena, &event), STATUS_OK);
    store_abort(transaction);
    assert_int_equal(event.outbox_count, ROWS);
    for (size_t i = 0; i < event.outbox_count; i++) {
        const struct start_outbox_row *row = &event.outbox[i];
        struct id_hash subject = subject_of((unsigned)row->number);
        assert_in_range(row->number, 0, ROWS - 1);
        assert_false(was_seen[row->number]);
        was_seen[row->number] = true;
        assert_true(id_hash_equal(&row->subject, &subject));
        assert_int_equal(row->row.offset, 1000 + row->number);
        assert_true(bytes_equal(row->row.thread_id, BYTES_LITERAL("19:t@thread.v2")));
    }
}

static void what_comes_before_a_damaged_row_is_there(void **state) {
    struct store_transaction *transaction = rows_put(8);
    struct id_hash subject = subject_of(1);
    struct key key = key_of_outbox(&subject, 1);
    const struct bounds all = bounds_of_all();
    struct event event = {0};
    (void)state;
    assert_int_equal(store_put(transaction, STORE_OUTBOX, key_bytes(&key), BYTES_LITERAL("damaged")), 0);
    assert_int_equal(outbox_read(transaction, &fixture.master, &all, &fixture.arena, &event), STATUS_RECORD_CORRUPT);
    assert_int_equal(event.outbox_count, 2);
    store_abort(transaction);
}

int main(void) {
#define STORED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        STORED(each_range_gets_its_own_rows_and_the_whole_ring_all),
        STORED(rows_come_whole_and_each_once),
        STORED(what_comes_before_a_damaged_row_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
