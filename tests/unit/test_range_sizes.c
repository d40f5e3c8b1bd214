/* How many bytes each range has, as a thread measures it a few rows at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <time.h>
#include <cmocka.h>

#include "node/range_sizes.h"
#include "storage/keys.h"
#include "tests/lib/store_fixture.h"

#define RANGES 4
#define REST_MS 1
#define DEADLINE_MS 20000
#define KEY_BYTES (16 + 1 + 8)

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

/* The first two bits of the hash. */
static uint32_t range_of(void *context, const struct id_hash *subject) {
    (void)context;
    return subject->bytes[0] >> 6;
}

static struct key key_in(uint32_t range, uint64_t number) {
    struct id_hash subject = {{(uint8_t)(range << 6 | 7)}};
    return key_of_row_number(&subject, ROW_MESSAGE, number);
}

static void rows_put(uint32_t range, uint64_t count, size_t value_bytes) {
    static const uint8_t value[1000];
    struct store_transaction *transaction = NULL;
    check(store_begin_write(fixture.store, &transaction) == STATUS_OK);
    for (uint64_t i = 0; i < count; i++) {
        struct key key = key_in(range, i);
        check(store_put(transaction, STORE_STATE, key_bytes(&key), bytes_of(value, value_bytes)) == STATUS_OK);
    }
    check(store_commit(transaction) == STATUS_OK);
}

static void rows_remove(uint32_t range, uint64_t count) {
    struct store_transaction *transaction = NULL;
    check(store_begin_remove(fixture.store, &transaction) == STATUS_OK);
    for (uint64_t i = 0; i < count; i++) {
        struct key key = key_in(range, i);
        check(store_remove(transaction, STORE_STATE, key_bytes(&key)) == STATUS_OK);
    }
    check(store_commit(transaction) == STATUS_OK);
}

static struct range_sizes *sizes_start(void) {
    const struct range_sizes_options options = {
        .store = fixture.store, .range_of = range_of, .ranges_max = RANGES, .rest_ms = REST_MS};
    struct range_sizes *sizes = range_sizes_start(&options);
    assert_non_null(sizes);
    return sizes;
}

static void wait_for(struct range_sizes *sizes, uint32_t range, uint64_t expected) {
    const struct timespec moment = {.tv_nsec = 1000000};
    for (int i = 0; i < DEADLINE_MS && range_sizes_of(sizes, range) != expected; i++)
        nanosleep(&moment, NULL);
    assert_int_equal(range_sizes_of(sizes, range), expected);
}

static void each_range_has_the_bytes_of_its_rows(void **state) {
    (void)state;
    rows_put(0, 1, 100);
    rows_put(2, 3, 10);
    struct range_sizes *sizes = sizes_start();
    wait_for(sizes, 2, 3 * (KEY_BYTES + 10));
    assert_int_equal(range_sizes_of(sizes, 0), KEY_BYTES + 100);
    assert_int_equal(range_sizes_of(sizes, 1), 0);
    assert_int_equal(range_sizes_of(sizes, RANGES), 0);
    range_sizes_stop(sizes);
}

static void more_rows_than_one_step_takes_are_counted_once(void **state) {
    (void)state;
    rows_put(1, 2500, 8);
    rows_put(3, 1000, 8);
    struct range_sizes *sizes = sizes_start();
    wait_for(sizes, 3, 1000 * (KEY_BYTES + 8));
    assert_int_equal(range_sizes_of(sizes, 1), 2500 * (KEY_BYTES + 8));
    range_sizes_stop(sizes);
}

static void what_changes_is_measured_again(void **state) {
    (void)state;
    rows_put(1, 10, 100);
    struct range_sizes *sizes = sizes_start();
    wait_for(sizes, 1, 10 * (KEY_BYTES + 100));
    rows_put(2, 10, 100);
    wait_for(sizes, 2, 10 * (KEY_BYTES + 100));
    rows_remove(1, 10);
    wait_for(sizes, 1, 0);
    range_sizes_stop(sizes);
}

#define OF(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        OF(each_range_has_the_bytes_of_its_rows),
        OF(more_rows_than_one_step_takes_are_counted_once),
        OF(what_changes_is_measured_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
