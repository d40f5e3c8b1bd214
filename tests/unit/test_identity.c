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

#include "node/peer/identity.h"
#include "proto/status.h"

static char folder[] = "/tmp/weft-identity-XXXXXX";
static char path[sizeof(folder) + 16];

static int make_folder(void **state) {
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/weft-identity-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/node.key", folder);
    return 0;
}

static int remove_folder(void **state) {
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void write_file(const char *text, mode_t mode) {
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, mode);
    assert_true(fd >= 0 && fchmod(fd, mode) == 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void an_identity_is_made_once_and_stays(void **state) {
    struct identity first, second;
    const char *reason;
    struct stat status;
    (void)state;
    assert_int_equal(identity_load(folder, &first, &reason), STATUS_OK);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(identity_load(folder, &second, &reason), STATUS_OK);
    assert_memory_equal(&first, &second, sizeof(first));
    unlink(path);
    assert_int_equal(identity_load(folder, &second, &reason), STATUS_OK);
    assert_memory_not_equal(first.public_key, second.public_key, sizeof(first.public_key));
}

static void a_key_that_others_may_read_or_that_is_none_is_refused_by_name(void **state) {
    struct identity identity;
    const char *reason = "";
    (void)state;
    write_file("not a key\n", 0600);
    assert_int_equal(identity_load(folder, &identity, &reason), STATUS_CONFLICT);
    assert_string_equal(reason, "node.key does not hold 64 hexadecimal digits");
    write_file("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n", 0640);
    assert_int_equal(identity_load(folder, &identity, &reason), STATUS_CONFLICT);
    assert_string_equal(reason, "node.key may be read by others; give it mode 0600");
    write_file("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n", 0600);
    assert_int_equal(identity_load(folder, &identity, &reason), STATUS_OK);
    assert_int_equal(identity_load("/nonexistent", &identity, &reason), STATUS_STORAGE_FAILED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_identity_is_made_once_and_stays, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_key_that_others_may_read_or_that_is_none_is_refused_by_name, make_folder,
                                        remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
