/* What is particular to LMDB: its map, its bounds, its file. What every store promises is in test_store_contract.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "storage/keys.h"
#include "tests/lib/store_fixture.h"

#define MB ((size_t)1 << 20)
#define VALUE_BYTES 1000
#define RECORDS_OF_ITS_OWN 2 /* the guard and the version of the format */

static struct fixture fixture;
static bool has_small_disk;

static struct store_lmdb_statistics statistics(void) {
    struct store_lmdb_statistics found;
    store_lmdb_statistics(fixture.store, &found);
    return found;
}

/* Rows first … first + count - 1, each of VALUE_BYTES that say its number. */
static int rows_put(uint64_t first, uint64_t count) {
    struct store_transaction *transaction = NULL;
    uint8_t value[VALUE_BYTES] = {0};
    int rc = store_begin_write(fixture.store, &transaction);
    if (rc != STATUS_OK)
        return rc;
    for (uint64_t number = first; number < first + count && rc == STATUS_OK; number++) {
        struct key key = key_of_log(number);
        number_encode(value, number);
        rc = store_put(transaction, STORE_STATE, key_bytes(&key), bytes_of(value, sizeof(value)));
    }
    return store_commit(transaction);
}

/* As the disk worker: again when the store says that it has made room. */
static int rows_put_again(uint64_t first, uint64_t count) {
    int rc;
    while ((rc = rows_put(first, count)) == STATUS_SERVICE_UNAVAILABLE)
        ;
    return rc;
}

static int rows_remove(uint64_t first, uint64_t count) {
    struct store_transaction *transaction = NULL;
    int rc = store_begin_write(fixture.store, &transaction);
    if (rc != STATUS_OK)
        return rc;
    for (uint64_t number = first; number < first + count && rc == STATUS_OK; number++) {
        struct key key = key_of_log(number);
        rc = store_remove(transaction, STORE_STATE, key_bytes(&key));
    }
    return store_commit(transaction);
}

/* How many rows there are from number 0 on without a hole; every one of them whole. */
static uint64_t rows_count(void) {
    struct store_transaction *transaction = fixture_read(&fixture);
    struct store_cursor *cursor = NULL;
    struct bytes key;
    struct bytes value;
    uint64_t count = 0;
    check(store_cursor_open(transaction, STORE_STATE, &cursor) == STATUS_OK);
    for (int rc = store_cursor_seek(cursor, BYTES_LITERAL("\0"), &key, &value); rc == STATUS_OK;
         rc = store_cursor_next(cursor, &key, &value), count++)
        check(key_suffix_number(key) == count && value.size == VALUE_BYTES && number_decode(value.data) == count);
    store_cursor_close(cursor);
    store_abort(transaction);
    return count;
}

static int tear_down(void **state) {
    (void)state;
    fixture_close(&fixture);
    return 0;
}

static int set_up_small(void **state) {
    (void)state;
    fixture_open_with(&fixture, MB, 0);
    return 0;
}

static int set_up_bounded(void **state) {
    (void)state;
    fixture_open_with(&fixture, MB, 8 * MB);
    return 0;
}

static void the_map_grows_before_it_is_full(void **state) {
    (void)state;
    for (uint64_t number = 0; number < 20000; number += 200)
        assert_int_equal(rows_put(number, 200), STATUS_OK);
    assert_int_equal(rows_count(), 20000);
    assert_true(statistics().map_bytes > statistics().used_bytes);
    assert_int_equal(statistics().records, RECORDS_OF_ITS_OWN + 20000);
}

static void a_transaction_larger_than_the_map_succeeds_after_a_few_tries(void **state) {
    (void)state;
    assert_int_equal(rows_put(0, 30000), STATUS_SERVICE_UNAVAILABLE);
    assert_int_equal(rows_count(), 0);
    assert_int_equal(rows_put_again(0, 30000), STATUS_OK);
    assert_int_equal(rows_count(), 30000);
}

static void a_map_that_has_grown_opens_with_a_smaller_beginning(void **state) {
    (void)state;
    assert_int_equal(rows_put_again(0, 30000), STATUS_OK);
    store_lmdb_close(fixture.store);
    fixture_store_open(&fixture, MB, 0);
    assert_int_equal(rows_count(), 30000);
    assert_int_equal(rows_put_again(30000, 100), STATUS_OK);
    assert_int_equal(rows_count(), 30100);
}

/* Readers that overlap all the time must neither be disturbed by the growth nor put it off for ever. */
struct load {
    atomic_bool is_over;
    atomic_uint_fast64_t written;
    atomic_uint_fast64_t reads;
};

static void *read_until_over(void *argument) {
    struct load *load = argument;
    while (!atomic_load(&load->is_over)) {
        uint64_t at_least = atomic_load(&load->written);
        check(rows_count() >= at_least);
        atomic_fetch_add(&load->reads, 1);
    }
    return NULL;
}

static void *ask_until_over(void *argument) {
    struct load *load = argument;
    while (!atomic_load(&load->is_over))
        check(statistics().map_bytes >= MB);
    return NULL;
}

static void the_map_grows_under_readers_in_other_threads(void **state) {
    struct load load = {0};
    pthread_t threads[5];
    (void)state;
    for (size_t i = 0; i < 5; i++)
        check(pthread_create(&threads[i], NULL, i == 0 ? ask_until_over : read_until_over, &load) == 0);
    size_t before = statistics().map_bytes;
    for (uint64_t number = 0; number < 40000; number += 2000) {
        assert_int_equal(rows_put_again(number, 2000), STATUS_OK);
        atomic_store(&load.written, number + 2000);
    }
    while (atomic_load(&load.reads) < 20)
        sched_yield();
    atomic_store(&load.is_over, true);
    for (size_t i = 0; i < 5; i++)
        pthread_join(threads[i], NULL);
    assert_true(statistics().map_bytes >= 4 * before);
    assert_int_equal(rows_count(), 40000);
}

/* Fills up with ever smaller batches, each until it is refused several times in a row: what an earlier transaction
 * freed is there after a refusal. Says how many rows went in. */
static uint64_t fill(void) {
    uint64_t count = 0;
    for (uint64_t batch = 256; batch >= 64; batch /= 2)
        for (int refusals = 0; refusals < 4;) {
            int rc = rows_put_again(count, batch);
            assert_true(rc == STATUS_OK || rc == STATUS_STORAGE_FULL);
            refusals = rc == STATUS_OK ? 0 : refusals + 1;
            count += rc == STATUS_OK ? batch : 0;
            assert_int_equal(rows_count(), count);
        }
    return count;
}

/* A removal needs pages of its own, so it is done piece by piece, each after a refusal or two. */
static void make_room(uint64_t count) {
    int refusals = 0;
    for (uint64_t removed = 0; removed < count / 4;) {
        uint64_t piece = count / 4 - removed < 16 ? count / 4 - removed : 16;
        int rc = rows_remove(count - removed - piece, piece);
        assert_true(rc == STATUS_OK || (rc == STATUS_STORAGE_FULL && refusals < 4));
        refusals = rc == STATUS_OK ? 0 : refusals + 1;
        removed += rc == STATUS_OK ? piece : 0;
    }
}

/* The room is found at the second try at the latest, also by something that needs most of it. */
static void goes_on_when_there_is_room(uint64_t count) {
    uint64_t left = count - count / 4;
    make_room(count);
    assert_int_equal(rows_count(), left);
    int rc = rows_put_again(left, count / 8);
    assert_true(rc == STATUS_OK || rc == STATUS_STORAGE_FULL);
    if (rc == STATUS_STORAGE_FULL)
        assert_int_equal(rows_put_again(left, count / 8), STATUS_OK);
    assert_int_equal(rows_count(), left + count / 8);
}

static void a_full_store_refuses_by_name_and_goes_on_after_rows_are_removed(void **state) {
    (void)state;
    uint64_t count = fill();
    assert_true(count > 4000);
    assert_true(statistics().map_bytes <= 8 * MB);
    goes_on_when_there_is_room(count);
}

/* As a purge does it: thousands of rows in one transaction, when the last page has been given out. */
static void a_removal_finds_room_in_a_store_that_is_full_for_others(void **state) {
    struct store_transaction *transaction = NULL;
    (void)state;
    uint64_t count = fill();
    check(store_begin_remove(fixture.store, &transaction) == STATUS_OK);
    for (uint64_t number = count / 2; number < count; number++) {
        struct key key = key_of_log(number);
        assert_int_equal(store_remove(transaction, STORE_STATE, key_bytes(&key)), STATUS_OK);
    }
    assert_int_equal(store_commit(transaction), STATUS_OK);
    assert_int_equal(rows_count(), count / 2);
    assert_true(statistics().map_bytes <= 8 * MB + STORE_RESERVE_BYTES);
    int rc = rows_put_again(count / 2, count / 4);
    assert_true(rc == STATUS_OK || rc == STATUS_STORAGE_FULL);
    if (rc == STATUS_STORAGE_FULL)
        assert_int_equal(rows_put_again(count / 2, count / 4), STATUS_OK);
}

static void a_store_that_was_closed_full_opens_again(void **state) {
    (void)state;
    uint64_t count = fill();
    store_lmdb_close(fixture.store);
    fixture_store_open(&fixture, MB, 8 * MB);
    assert_int_equal(rows_count(), count);
    store_lmdb_close(fixture.store);
    fixture_store_open(&fixture, MB, 32 * MB);
    assert_int_equal(rows_put_again(count, 100), STATUS_OK);
}

/* A disk that is full for a long time must not use up the address space. */
static void stays_full_without_growing(uint64_t count) {
    size_t map_bytes = statistics().map_bytes;
    for (int i = 0; i < 60; i++)
        assert_int_equal(rows_put(count, 300), STATUS_STORAGE_FULL);
    assert_true(statistics().map_bytes <= 2 * map_bytes);
    assert_int_equal(rows_count(), count);
}

/* A disk of 4 MB over the fixture's folder. Only root may mount one. */
static int set_up_small_disk(void **state) {
    (void)state;
    fixture_open_with(&fixture, MB, 0);
    store_lmdb_close(fixture.store);
    has_small_disk = mount("tmpfs", fixture.folder, "tmpfs", 0, "size=4m") == 0;
    fixture_store_open(&fixture, MB, 0);
    return 0;
}

static int tear_down_small_disk(void **state) {
    (void)state;
    store_lmdb_close(fixture.store);
    if (has_small_disk)
        check(umount(fixture.folder) == 0);
    fixture_store_open(&fixture, MB, 0);
    fixture_close(&fixture);
    return 0;
}

static void a_full_disk_refuses_by_name_and_goes_on_when_there_is_room(void **state) {
    (void)state;
    if (!has_small_disk)
        skip();
    uint64_t count = fill();
    assert_in_range(count, 1000, 4000);
    stays_full_without_growing(count);
    goes_on_when_there_is_room(count);
}

static void limit_set(int resource, rlim_t limit) {
    struct rlimit both;
    check(getrlimit((__rlimit_resource_t)resource, &both) == 0);
    both.rlim_cur = limit < both.rlim_max ? limit : both.rlim_max;
    check(setrlimit((__rlimit_resource_t)resource, &both) == 0);
}

static int tear_down_limits(void **state) {
    limit_set(RLIMIT_FSIZE, RLIM_INFINITY);
    limit_set(RLIMIT_AS, RLIM_INFINITY);
    return tear_down(state);
}

static void a_file_size_limit_is_a_full_disk(void **state) {
    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    limit_set(RLIMIT_FSIZE, 4 * MB);
    uint64_t count = fill();
    stays_full_without_growing(count);
    goes_on_when_there_is_room(count);
    limit_set(RLIMIT_FSIZE, RLIM_INFINITY);
    assert_int_equal(rows_put_again(rows_count(), 5000), STATUS_OK);
}

/* LMDB gives the old map up before it has the new one, so a map that cannot be had must not even be tried. */
static void without_address_space_the_store_is_full_and_still_readable(void **state) {
    (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip(); /* their shadow memory takes more than any limit */
#endif
    assert_int_equal(rows_put_again(0, 1000), STATUS_OK);
    limit_set(RLIMIT_AS, 400 * MB);
    int rc = STATUS_OK;
    for (int i = 0; i < 10; i++) {
        rc = rows_put_again(1000, 300000);
        assert_int_equal(rows_count(), 1000);
    }
    limit_set(RLIMIT_AS, RLIM_INFINITY);
    assert_int_equal(rc, STATUS_STORAGE_FULL);
    assert_int_equal(rows_put_again(1000, 300000), STATUS_OK);
}

static int open_as(const char *folder, const char **reason) {
    struct store *other = NULL;
    struct store_lmdb_options options = {.folder = folder, .map_bytes = MB, .readers_max = 4};
    int rc = store_lmdb_open(&options, &other, reason);
    if (rc == STATUS_OK)
        store_lmdb_close(other);
    return rc;
}

static void a_second_opener_is_refused_in_this_process_and_in_another(void **state) {
    const char *reason = NULL;
    int status = 0;
    (void)state;
    assert_int_equal(open_as(fixture.folder, &reason), STATUS_CONFLICT);
    assert_true(strlen(reason) > 0);
    pid_t child = fork();
    if (child == 0)
        _exit(open_as(fixture.folder, &reason) == STATUS_CONFLICT ? 0 : 1);
    assert_true(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(rows_put(0, 10), STATUS_OK);
    assert_int_equal(rows_count(), 10);
}

static void reopening_is_refused(void) {
    const char *reason = NULL;
    store_lmdb_close(fixture.store);
    assert_int_equal(open_as(fixture.folder, &reason), STATUS_CONFLICT);
    assert_non_null(strstr(reason, "version"));
    assert_int_equal(open_as(fixture.folder, &reason), STATUS_CONFLICT);
    fixture_folder_remove(fixture.folder);
    arena_close(&fixture.arena);
    fixture_open(&fixture);
}

static void another_format_version_is_refused_and_left_alone(void **state) {
    const uint8_t version = STORE_FORMAT_VERSION + 1;
    struct store_transaction *transaction = NULL;
    (void)state;
    assert_int_equal(store_begin_write(fixture.store, &transaction), 0);
    assert_int_equal(store_put(transaction, STORE_META, BYTES_LITERAL("format"), bytes_of(&version, 1)), 0);
    assert_int_equal(store_commit(transaction), 0);
    reopening_is_refused();
}

static void records_without_a_format_version_are_refused_and_left_alone(void **state) {
    struct store_transaction *transaction = NULL;
    (void)state;
    assert_int_equal(rows_put(0, 1), STATUS_OK);
    assert_int_equal(store_begin_write(fixture.store, &transaction), 0);
    assert_int_equal(store_remove(transaction, STORE_META, BYTES_LITERAL("format")), 0);
    assert_int_equal(store_commit(transaction), 0);
    reopening_is_refused();
}

/* What a node of format 1 does first. */
static int named_tree_open(const char *folder) {
    MDB_env *environment = NULL;
    MDB_txn *txn = NULL;
    MDB_dbi tree;
    check(mdb_env_create(&environment) == 0 && mdb_env_set_maxdbs(environment, 4) == 0);
    check(mdb_env_open(environment, folder, MDB_NOTLS, 0600) == 0);
    check(mdb_txn_begin(environment, NULL, 0, &txn) == 0);
    int error = mdb_dbi_open(txn, "state", MDB_CREATE, &tree);
    mdb_txn_abort(txn);
    mdb_env_close(environment);
    return error;
}

static void a_node_of_format_1_cannot_begin_anew_in_it(void **state) {
    (void)state;
    assert_int_equal(rows_put(0, 1), STATUS_OK);
    store_lmdb_close(fixture.store);
    int error = named_tree_open(fixture.folder);
    fixture_store_open(&fixture, MB, 0);
    assert_int_equal(error, MDB_INCOMPATIBLE);
    assert_int_equal(rows_count(), 1);
}

static void a_folder_that_is_not_there_or_holds_something_else_is_refused(void **state) {
    const char *reason = "";
    char folder[96];
    char path[128];
    (void)state;
    snprintf(folder, sizeof(folder), "%s-other", fixture.folder);
    assert_int_not_equal(open_as(folder, &reason), STATUS_OK);
    assert_true(strlen(reason) > 0);
    check(mkdir(folder, 0700) == 0);
    snprintf(path, sizeof(path), "%s/data.mdb", folder);
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    char junk[16384];
    memset(junk, 'x', sizeof(junk));
    check(fd >= 0 && write(fd, junk, sizeof(junk)) == (ssize_t)sizeof(junk) && close(fd) == 0);
    assert_int_equal(open_as(folder, &reason), STATUS_STORAGE_FAILED);
    assert_true(strlen(reason) > 0);
    fixture_folder_remove(folder);
}

static void a_transaction_after_a_refused_write_commits_nothing(void **state) {
    struct store_transaction *transaction = NULL;
    (void)state;
    assert_int_equal(rows_put(0, 1), STATUS_OK);
    assert_int_equal(store_begin_write(fixture.store, &transaction), 0);
    assert_int_equal(store_append(transaction, STORE_LOG, BYTES_LITERAL("b"), BYTES_LITERAL("1")), 0);
    assert_int_not_equal(store_append(transaction, STORE_LOG, BYTES_LITERAL("a"), BYTES_LITERAL("2")), 0);
    assert_int_not_equal(store_commit(transaction), STATUS_OK);
    assert_int_equal(statistics().records, RECORDS_OF_ITS_OWN + 1);
    assert_int_equal(rows_put(1, 1), STATUS_OK);
}

int main(void) {
#define SMALL(test) cmocka_unit_test_setup_teardown(test, set_up_small, tear_down)
#define BOUNDED(test) cmocka_unit_test_setup_teardown(test, set_up_bounded, tear_down)
    const struct CMUnitTest tests[] = {
        SMALL(the_map_grows_before_it_is_full),
        SMALL(a_transaction_larger_than_the_map_succeeds_after_a_few_tries),
        SMALL(a_map_that_has_grown_opens_with_a_smaller_beginning),
        SMALL(the_map_grows_under_readers_in_other_threads),
        BOUNDED(a_full_store_refuses_by_name_and_goes_on_after_rows_are_removed),
        BOUNDED(a_removal_finds_room_in_a_store_that_is_full_for_others),
        BOUNDED(a_store_that_was_closed_full_opens_again),
        cmocka_unit_test_setup_teardown(a_full_disk_refuses_by_name_and_goes_on_when_there_is_room, set_up_small_disk,
                                        tear_down_small_disk),
        cmocka_unit_test_setup_teardown(a_file_size_limit_is_a_full_disk, set_up_small, tear_down_limits),
        cmocka_unit_test_setup_teardown(without_address_space_the_store_is_full_and_still_readable, set_up_small,
                                        tear_down_limits),
        SMALL(a_second_opener_is_refused_in_this_process_and_in_another),
        SMALL(records_without_a_format_version_are_refused_and_left_alone),
        SMALL(another_format_version_is_refused_and_left_alone),
        SMALL(a_node_of_format_1_cannot_begin_anew_in_it),
        SMALL(a_folder_that_is_not_there_or_holds_something_else_is_refused),
        SMALL(a_transaction_after_a_refused_write_commits_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
