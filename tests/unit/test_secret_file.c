/* The files that only their owner may read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node/secret_file.h"
#include "tests/lib/store_fixture.h"

#define DIGITS "0123456789abcdef0123456789ABCDEF0123456789abcdef0123456789ABCDEF"

static char folder[64];

static int set_up(void **state) {
    (void)state;
    seal_init();
    snprintf(folder, sizeof(folder), "/tmp/weft-test-XXXXXX");
    return mkdtemp(folder) == NULL;
}

static void path_of(char path[256], const char *name) {
    snprintf(path, 256, "%s/%s", folder, name);
}

static int tear_down(void **state) {
    (void)state;
    fixture_folder_remove(folder);
    return 0;
}

static void file_make(const char *name, const char *content, mode_t mode) {
    char path[256];
    path_of(path, name);
    unlink(path);
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);
    check(fd >= 0 && write(fd, content, strlen(content)) == (ssize_t)strlen(content));
    check(fchmod(fd, mode) == 0 && close(fd) == 0);
}

static void expect_file(const char *name, const char *content) {
    char path[256];
    char found[256] = "";
    struct stat status;
    path_of(path, name);
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    ssize_t size = read(fd, found, sizeof(found) - 1);
    assert_true(fstat(fd, &status) == 0 && size >= 0);
    close(fd);
    assert_string_equal(found, content);
    assert_int_equal(status.st_mode & 07777, 0600);
}

static size_t files_count(void) {
    size_t count = 0;
    DIR *directory = opendir(folder);
    check(directory != NULL);
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count - 2; /* . and .. */
}

static void a_file_is_written_for_its_owner_only_and_replaced_as_a_whole(void **state) {
    (void)state;
    mode_t before = umask(0);
    assert_int_equal(secret_file_write(folder, "token", BYTES_LITERAL("first")), STATUS_OK);
    expect_file("token", "first\n");
    file_make("token", "something longer that others can read\n", 0644);
    assert_int_equal(secret_file_write(folder, "token", BYTES_LITERAL("second")), STATUS_OK);
    expect_file("token", "second\n");
    file_make("token", "second\n", 0644);
    assert_int_equal(secret_file_write(folder, "token", BYTES_LITERAL("second")), STATUS_OK);
    expect_file("token", "second\n");
    umask(before);
    assert_int_equal(files_count(), 1);
}

static void a_file_that_cannot_be_written_leaves_nothing(void **state) {
    char nowhere[256];
    char long_name[5000];
    (void)state;
    path_of(nowhere, "missing");
    assert_int_equal(secret_file_write(nowhere, "token", BYTES_LITERAL("x")), STATUS_STORAGE_FAILED);
    memset(long_name, 'x', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = '\0';
    assert_int_equal(secret_file_write(folder, long_name, BYTES_LITERAL("x")), STATUS_STORAGE_FAILED);
    assert_int_equal(files_count(), 0);
}

static void the_master_key_is_made_once_and_read_again(void **state) {
    struct seal_key made;
    struct seal_key read_again;
    const char *reason = "";
    struct stat status;
    char path[256];
    (void)state;
    assert_int_equal(master_key_load(folder, &made, &reason), STATUS_OK);
    path_of(path, "master.key");
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(status.st_size, 65);
    assert_int_equal(master_key_load(folder, &read_again, &reason), STATUS_OK);
    assert_memory_equal(made.bytes, read_again.bytes, SEAL_KEY_BYTES);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(master_key_load(folder, &read_again, &reason), STATUS_OK);
    assert_memory_not_equal(made.bytes, read_again.bytes, SEAL_KEY_BYTES);
}

static void a_master_key_is_64_digits_in_a_file_of_its_owner(void **state) {
    static const struct {
        const char *content;
        mode_t mode;
        int expected;
    } files[] = {
        {DIGITS, 0600, STATUS_OK},
        {DIGITS "\n", 0600, STATUS_OK},
        {DIGITS "\n", 0400, STATUS_OK},
        {DIGITS "\n", 0640, STATUS_CONFLICT},
        {DIGITS "\n", 0604, STATUS_CONFLICT},
        {DIGITS "\n", 0601, STATUS_CONFLICT},
        {DIGITS "0", 0600, STATUS_CONFLICT},
        {DIGITS "\n\n", 0600, STATUS_CONFLICT},
        {DIGITS "\n" DIGITS, 0600, STATUS_CONFLICT},
        {"", 0600, STATUS_CONFLICT},
        {"0123", 0600, STATUS_CONFLICT},
        {"g123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", 0600, STATUS_CONFLICT},
        {"0123456789abcdef 123456789abcdef0123456789abcdef0123456789abcdef", 0600, STATUS_CONFLICT},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        struct seal_key key;
        const char *reason = "";
        file_make("master.key", files[i].content, files[i].mode);
        assert_int_equal(master_key_load(folder, &key, &reason), files[i].expected);
        assert_int_equal(strlen(reason) > 0, files[i].expected != STATUS_OK);
        if (files[i].expected == STATUS_OK)
            assert_int_equal(key.bytes[1], 0x23);
    }
}

static void a_folder_that_is_not_there_is_named(void **state) {
    struct seal_key key;
    const char *reason = "";
    char nowhere[256];
    (void)state;
    path_of(nowhere, "missing");
    assert_int_equal(master_key_load(nowhere, &key, &reason), STATUS_STORAGE_FAILED);
    assert_true(strlen(reason) > 0);
}

int main(void) {
#define SECRET(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        SECRET(a_file_is_written_for_its_owner_only_and_replaced_as_a_whole),
        SECRET(a_file_that_cannot_be_written_leaves_nothing),
        SECRET(the_master_key_is_made_once_and_read_again),
        SECRET(a_master_key_is_64_digits_in_a_file_of_its_owner),
        SECRET(a_folder_that_is_not_there_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
