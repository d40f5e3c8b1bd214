/* Where a snapshot waits: both implementations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "proto/check.h"
#include "proto/status.h"
#include "storage/snapshot_spool.h"

static char folder[64];

static int set_up(void **state) {
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/weft-test-XXXXXX");
    return mkdtemp(folder) == NULL;
}

/* Fails unless the folder is empty. */
static int tear_down(void **state) {
    (void)state;
    return rmdir(folder);
}

static struct snapshot_spool *spool_of(int kind) {
    struct snapshot_spool *spool = NULL;
    if (kind == 0)
        return snapshot_spool_memory();
    assert_int_equal(snapshot_spool_file(folder, &spool), STATUS_OK);
    return spool;
}

static void what_is_appended_is_read_in_any_pieces(void **state) {
    uint8_t data[10000];
    uint8_t read[10000];
    (void)state;
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 7 + i / 256);
    for (int kind = 0; kind < 2; kind++) {
        struct snapshot_spool *spool = spool_of(kind);
        for (size_t at = 0, size = 0; at < sizeof(data); at += size) {
            size = at * 3 % 1000 + 1 < sizeof(data) - at ? at * 3 % 1000 + 1 : sizeof(data) - at;
            assert_int_equal(snapshot_spool_append(spool, bytes_of(data + at, size)), STATUS_OK);
        }
        for (size_t at = 0; at <= sizeof(data); at += 1111) {
            size_t size = sizeof(data) - at < 3000 ? sizeof(data) - at : 3000;
            assert_int_equal(snapshot_spool_read(spool, at, read, size), STATUS_OK);
            assert_memory_equal(read, data + at, size);
        }
        assert_int_equal(snapshot_spool_read(spool, sizeof(data), read, 0), STATUS_OK);
        snapshot_spool_close(spool);
    }
}

static void what_was_never_appended_cannot_be_read(void **state) {
    static const struct {
        uint64_t offset;
        size_t size;
    } beyond[] = {{0, 4}, {3, 1}, {4, 0}, {UINT64_MAX, 1}, {1, SIZE_MAX}, {UINT64_MAX, SIZE_MAX}};
    uint8_t read[8];
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        struct snapshot_spool *spool = spool_of(kind);
        assert_int_equal(snapshot_spool_append(spool, BYTES_LITERAL("abc")), STATUS_OK);
        for (size_t i = 0; i < sizeof(beyond) / sizeof(beyond[0]); i++)
            assert_int_equal(snapshot_spool_read(spool, beyond[i].offset, read, beyond[i].size), STATUS_STORAGE_FAILED);
        snapshot_spool_close(spool);
    }
}

static void the_file_has_no_name_that_could_be_left_behind(void **state) {
    struct snapshot_spool *spool = spool_of(1);
    (void)state;
    assert_int_equal(snapshot_spool_append(spool, BYTES_LITERAL("abc")), STATUS_OK);
    DIR *directory = opendir(folder);
    struct dirent *item;
    check(directory != NULL);
    while ((item = readdir(directory)) != NULL)
        assert_int_equal(item->d_name[0], '.');
    closedir(directory);
    snapshot_spool_close(spool);
}

static void a_folder_that_is_not_there_is_refused(void **state) {
    struct snapshot_spool *spool = NULL;
    (void)state;
    assert_int_equal(snapshot_spool_file("/nonexistent/folder", &spool), STATUS_STORAGE_FAILED);
}

/* A bound on the size of files stands for the end of the disk. */
static void a_file_that_cannot_grow_is_a_full_disk(void **state) {
    static const uint8_t data[4096];
    struct rlimit before;
    struct snapshot_spool *spool = spool_of(1);
    (void)state;
    check(getrlimit(RLIMIT_FSIZE, &before) == 0);
    struct rlimit bound = {.rlim_cur = 3 * sizeof(data), .rlim_max = before.rlim_max};
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    check(setrlimit(RLIMIT_FSIZE, &bound) == 0);
    int rcs[4];
    for (size_t i = 0; i < 4; i++)
        rcs[i] = snapshot_spool_append(spool, bytes_of(data, sizeof(data)));
    check(setrlimit(RLIMIT_FSIZE, &before) == 0);
    signal(SIGXFSZ, handler);
    assert_int_equal(rcs[2], STATUS_OK);
    assert_int_equal(rcs[3], STATUS_STORAGE_FULL);
    snapshot_spool_close(spool);
}

int main(void) {
#define SPOOLED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        SPOOLED(what_is_appended_is_read_in_any_pieces),         SPOOLED(what_was_never_appended_cannot_be_read),
        SPOOLED(the_file_has_no_name_that_could_be_left_behind), SPOOLED(a_folder_that_is_not_there_is_refused),
        SPOOLED(a_file_that_cannot_grow_is_a_full_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
