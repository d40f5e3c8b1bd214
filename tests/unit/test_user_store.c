/* Where the rows of a user lie, over a real store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "storage/keys.h"
#include "storage/user_store.h"
#include "tests/lib/store_fixture.h"

static struct fixture fixture;
static struct store_transaction *transaction;
static struct user_store store;
static const struct id_hash USER = {{5}};
static const struct id_hash NEIGHBOUR = {{6}};

static struct user_store store_make(const struct id_hash *user) {
    struct user_store made;
    assert_int_equal(
        user_store_open_new(&made, transaction, &fixture.arena, &fixture.master, user, fixture_key(&fixture, user)), 0);
    return made;
}

static int set_up(void **state) {
    (void)state;
    fixture_open(&fixture);
    check(store_begin_write(fixture.store, &transaction) == STATUS_OK);
    store = store_make(&USER);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    store_abort(transaction);
    fixture_close(&fixture);
    return 0;
}

static void a_user_without_data_key_is_missing(void **state) {
    struct user_store other;
    (void)state;
    assert_int_equal(user_store_open(&other, transaction, &fixture.arena, &fixture.master, &NEIGHBOUR),
                     STATUS_STORE_MISSING);
    assert_int_equal(user_store_open(&other, transaction, &fixture.arena, &fixture.master, &USER), 0);
    assert_int_equal(subject_key_remove(transaction, &USER), 0);
    assert_int_equal(user_store_open(&other, transaction, &fixture.arena, &fixture.master, &USER),
                     STATUS_STORE_MISSING);
}

static void opening_a_new_user_twice_keeps_the_first_key(void **state) {
    (void)state;
    struct user_row row = {.user_id = BYTES_LITERAL("8:acs:r_1"), .created_ms = 3};
    assert_int_equal(user_row_put(&store, &row), 0);
    struct user_store again = store_make(&USER);
    assert_int_equal(user_row_get(&again, &row), 0);
}

static void the_record_of_a_user_comes_back(void **state) {
    struct user_row row;
    (void)state;
    assert_int_equal(user_row_get(&store, &row), STATUS_STORE_MISSING);
    row = (struct user_row){.user_id = BYTES_LITERAL("8:acs:r_1"), .created_ms = 3, .valid_from_s = 4};
    assert_int_equal(user_row_put(&store, &row), 0);
    row = (struct user_row){0};
    assert_int_equal(user_row_get(&store, &row), 0);
    assert_true(bytes_equal_text(row.user_id, "8:acs:r_1"));
    assert_int_equal(row.created_ms, 3);
    assert_int_equal(row.valid_from_s, 4);
}

struct seen {
    struct id_hash threads[8];
    struct membership_row rows[8];
    size_t count;
    size_t max;
};

static bool see(void *context, const struct id_hash *thread, const struct membership_row *row) {
    struct seen *seen = context;
    seen->threads[seen->count] = *thread;
    seen->rows[seen->count] = *row;
    return ++seen->count < seen->max;
}

static struct seen memberships(struct user_store *of, size_t max, int expected) {
    struct seen seen = {.max = max};
    assert_int_equal(user_memberships_visit(of, see, &seen), expected);
    return seen;
}

static void membership_put(struct user_store *of, uint8_t thread, uint64_t offset) {
    struct id_hash hash = {{thread}};
    struct membership_row row = {
        .thread_id = BYTES_LITERAL("19:t@thread.v2"), .membership = MEMBERSHIP_JOINED, .offset = offset};
    assert_int_equal(user_membership_put(of, &hash, &row), 0);
}

static void threads_are_visited_once_each_and_only_the_users_own(void **state) {
    struct user_store neighbour = store_make(&NEIGHBOUR);
    struct id_hash thread = {{7}};
    struct membership_row row;
    (void)state;
    assert_int_equal(memberships(&store, 8, 0).count, 0);
    membership_put(&neighbour, 1, 1);
    membership_put(&store, 9, 3);
    membership_put(&store, 7, 1);
    membership_put(&store, 7, 2);
    struct seen seen = memberships(&store, 8, 0);
    assert_int_equal(seen.count, 2);
    assert_int_equal(seen.threads[0].bytes[0], 7);
    assert_int_equal(seen.rows[0].offset, 2);
    assert_int_equal(seen.threads[1].bytes[0], 9);
    assert_int_equal(memberships(&store, 1, 0).count, 1);
    assert_int_equal(user_membership_get(&store, &thread, &row), 0);
    assert_int_equal(row.offset, 2);
    assert_int_equal(user_membership_get(&store, &NEIGHBOUR, &row), STATUS_STORE_MISSING);
}

static void a_membership_that_does_not_open_is_never_given_out(void **state) {
    struct id_hash thread = {{8}};
    struct key key = key_of_row_hash(&USER, ROW_MEMBERSHIP, &thread);
    struct membership_row row;
    (void)state;
    membership_put(&store, 7, 1);
    assert_int_equal(store_put(transaction, STORE_STATE, key_bytes(&key), BYTES_LITERAL("damaged")), 0);
    assert_int_equal(user_membership_get(&store, &thread, &row), STATUS_RECORD_CORRUPT);
    assert_int_equal(memberships(&store, 8, STATUS_RECORD_CORRUPT).count, 1);
}

int main(void) {
#define STORED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        STORED(a_user_without_data_key_is_missing),
        STORED(opening_a_new_user_twice_keeps_the_first_key),
        STORED(the_record_of_a_user_comes_back),
        STORED(threads_are_visited_once_each_and_only_the_users_own),
        STORED(a_membership_that_does_not_open_is_never_given_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
