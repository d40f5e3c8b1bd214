/* The data folder: made, opened by one at a time, announced. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>

#include "node/data_folder.h"
#include "tests/lib/store_fixture.h"

static char root[64];
static struct config config;
static const char *reason;

static int set_up(void **state) {
    (void)state;
    seal_init();
    snprintf(root, sizeof(root), "/tmp/weft-test-XXXXXX");
    check(mkdtemp(root) != NULL);
    config_defaults(&config);
    snprintf(config.data, sizeof(config.data), "%s/var/data", root);
    config.storage_map_initial_mb = 16;
    reason = "";
    return 0;
}

static int tear_down(void **state) {
    char path[CONFIG_TEXT_MAX];
    (void)state;
    if (access(config.data, F_OK) == 0)
        fixture_folder_remove(config.data);
    snprintf(path, sizeof(path), "%s/var", root);
    rmdir(path);
    check(rmdir(root) == 0);
    return 0;
}

static void file_remove(const char *name) {
    char path[CONFIG_TEXT_MAX + 64];
    snprintf(path, sizeof(path), "%s/%s", config.data, name);
    check(unlink(path) == 0);
}

static void expect_private(const char *path, mode_t mode) {
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, mode);
}

static void a_folder_is_made_for_its_owner_only_and_opens_again_with_the_same_settings(void **state) {
    struct data_folder first;
    struct data_folder again;
    char resource_id[40];
    char path[CONFIG_TEXT_MAX + 64];
    (void)state;
    assert_int_equal(data_folder_open(&config, &first, &reason), STATUS_OK);
    snprintf(resource_id, sizeof(resource_id), "%s", first.settings.resource_id);
    expect_private(config.data, 0700);
    snprintf(path, sizeof(path), "%s/master.key", config.data);
    expect_private(path, 0600);
    snprintf(path, sizeof(path), "%s/data.mdb", config.data);
    expect_private(path, 0600);
    data_folder_close(&first);
    assert_null(first.store);
    assert_int_equal(data_folder_open(&config, &again, &reason), STATUS_OK);
    assert_string_equal(again.settings.resource_id, resource_id);
    data_folder_close(&again);
}

static void a_folder_that_is_open_is_refused(void **state) {
    struct data_folder first;
    struct data_folder second;
    (void)state;
    assert_int_equal(data_folder_open(&config, &first, &reason), STATUS_OK);
    assert_int_equal(data_folder_open(&config, &second, &reason), STATUS_CONFLICT);
    assert_true(strlen(reason) > 0);
    assert_int_equal(data_folder_open_existing(&config, &second, &reason), STATUS_CONFLICT);
    data_folder_close(&first);
}

static void a_database_without_its_master_key_is_left_alone(void **state) {
    struct data_folder folder;
    char path[CONFIG_TEXT_MAX + 64];
    (void)state;
    assert_int_equal(data_folder_open(&config, &folder, &reason), STATUS_OK);
    data_folder_close(&folder);
    file_remove("master.key");
    assert_int_equal(data_folder_open(&config, &folder, &reason), STATUS_CONFLICT);
    assert_non_null(strstr(reason, "put the key back"));
    snprintf(path, sizeof(path), "%s/master.key", config.data);
    assert_int_not_equal(access(path, F_OK), 0);
}

/* What others hold is not in there, and of the end of its log it does not know what is committed. */
static void a_node_of_a_cluster_does_not_go_on_alone(void **state) {
    struct data_folder folder;
    char path[CONFIG_TEXT_MAX + 64];
    (void)state;
    assert_int_equal(data_folder_open(&config, &folder, &reason), STATUS_OK);
    data_folder_close(&folder);
    snprintf(path, sizeof(path), "%s/node.key", config.data);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    assert_int_equal(data_folder_open(&config, &folder, &reason), STATUS_CONFLICT);
    assert_non_null(strstr(reason, "configure etcd_endpoints"));
    assert_int_equal(data_folder_open_existing(&config, &folder, &reason), STATUS_OK); /* to be looked at */
    data_folder_close(&folder);
}

/* It has told the others that it holds what was in there. */
static void a_node_that_has_lost_its_database_does_not_come_back_as_the_same(void **state) {
    struct data_folder folder;
    char path[CONFIG_TEXT_MAX + 64];
    (void)state;
    assert_int_equal(data_folder_open(&config, &folder, &reason), STATUS_OK);
    data_folder_close(&folder);
    snprintf(path, sizeof(path), "%s/node.key", config.data);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    file_remove("data.mdb");
    assert_int_equal(data_folder_open(&config, &folder, &reason), STATUS_CONFLICT);
    assert_non_null(strstr(reason, "no database"));
    assert_true(access(path, F_OK) == 0);
}

static void fsck_opens_only_what_is_there(void **state) {
    struct data_folder folder;
    (void)state;
    assert_int_equal(data_folder_open_existing(&config, &folder, &reason), STATUS_STORE_MISSING);
    assert_int_not_equal(access(config.data, F_OK), 0);
    config.range_count = 17;
    assert_int_equal(data_folder_open(&config, &folder, &reason), STATUS_OK);
    data_folder_close(&folder);
    config.range_count = 18;
    assert_int_equal(data_folder_open_existing(&config, &folder, &reason), STATUS_OK);
    assert_non_null(folder.store);
    assert_int_equal(folder.settings.range_count, 17);
    data_folder_close(&folder);
}

static void a_folder_that_cannot_be_made_is_named(void **state) {
    struct data_folder folder;
    (void)state;
    snprintf(config.data, sizeof(config.data), "/proc/weft/data");
    assert_int_equal(data_folder_open(&config, &folder, &reason), STATUS_STORAGE_FAILED);
    assert_true(strlen(reason) > 0);
}

static void the_connection_string_names_an_endpoint_that_clients_reach(void **state) {
    static const struct {
        const char *listen, *public_url, *expected;
    } endpoints[] = {
        {"127.0.0.1", "", "endpoint=https://127.0.0.1:7443/;accesskey="},
        {"0.0.0.0", "", "endpoint=https://127.0.0.1:7443/;accesskey="},
        {"::", "", "endpoint=https://[::1]:7443/;accesskey="},
        {"192.0.2.7", "", "endpoint=https://192.0.2.7:7443/;accesskey="},
        {"2001:db8::7", "", "endpoint=https://[2001:db8::7]:7443/;accesskey="},
        {"0.0.0.0", "https://chat.example.org", "endpoint=https://chat.example.org/;accesskey="},
    };
    struct data_folder folder;
    (void)state;
    assert_int_equal(data_folder_open(&config, &folder, &reason), STATUS_OK);
    for (size_t i = 0; i < sizeof(endpoints) / sizeof(endpoints[0]); i++) {
        struct buffer line;
        char path[CONFIG_TEXT_MAX + 64];
        snprintf(config.listen.host, sizeof(config.listen.host), "%s", endpoints[i].listen);
        snprintf(config.public_url, sizeof(config.public_url), "%s", endpoints[i].public_url);
        assert_int_equal(data_folder_announce(&folder, &config, 7443, &reason), STATUS_OK);
        buffer_init(&line);
        assert_int_equal(data_folder_read_connection_string(&config, &line, &reason), STATUS_OK);
        assert_true(bytes_starts_with(buffer_bytes(&line), endpoints[i].expected));
        assert_int_equal(line.size, strlen(endpoints[i].expected) + 88); /* 64 bytes in base64 */
        buffer_close(&line);
        snprintf(path, sizeof(path), "%s/connection-string", config.data);
        expect_private(path, 0600);
        snprintf(path, sizeof(path), "%s/admin-token", config.data);
        expect_private(path, 0600);
    }
    data_folder_close(&folder);
}

static void a_folder_without_connection_string_says_so(void **state) {
    struct buffer line;
    (void)state;
    buffer_init(&line);
    assert_int_equal(data_folder_read_connection_string(&config, &line, &reason), STATUS_STORE_MISSING);
    assert_true(strlen(reason) > 0);
    assert_int_equal(line.size, 0);
    buffer_close(&line);
}

static void the_public_host_is_the_host_of_the_public_url(void **state) {
    static const struct {
        const char *url, *host;
    } urls[] = {
        {"", NULL},
        {"chat.example.org", NULL},
        {"https://", NULL},
        {"https://:443", NULL},
        {"https://[]", NULL},
        {"https://chat.example.org", "chat.example.org"},
        {"https://chat.example.org:8443", "chat.example.org"},
        {"https://chat.example.org/path", "chat.example.org"},
        {"https://[2001:db8::7]:8443", "2001:db8::7"},
        {"https://a-name-that-is-too-long-for-it.example.org", NULL},
    };
    char host[32];
    (void)state;
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        snprintf(config.public_url, sizeof(config.public_url), "%s", urls[i].url);
        assert_int_equal(data_folder_public_host(&config, host, sizeof(host)), urls[i].host != NULL);
        if (urls[i].host != NULL)
            assert_string_equal(host, urls[i].host);
    }
}

static void a_node_that_has_left_is_known_by_its_folder_until_it_starts_again(void **state) {
    struct data_folder folder;
    char path[CONFIG_TEXT_MAX + 64];
    (void)state;
    snprintf(path, sizeof(path), "%s/left", config.data);
    assert_int_equal(data_folder_open(&config, &folder, &reason), STATUS_OK);
    assert_int_equal(data_folder_announce(&folder, &config, 8443, &reason), STATUS_OK);
    assert_int_equal(access(path, F_OK), -1);
    data_folder_note_left(&config);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(data_folder_announce(&folder, &config, 8443, &reason), STATUS_OK);
    assert_int_equal(access(path, F_OK), -1);
    data_folder_close(&folder);
}

int main(void) {
#define FOLDER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        FOLDER(a_folder_is_made_for_its_owner_only_and_opens_again_with_the_same_settings),
        FOLDER(a_folder_that_is_open_is_refused),
        FOLDER(a_database_without_its_master_key_is_left_alone),
        FOLDER(a_node_of_a_cluster_does_not_go_on_alone),
        FOLDER(a_node_that_has_lost_its_database_does_not_come_back_as_the_same),
        FOLDER(fsck_opens_only_what_is_there),
        FOLDER(a_folder_that_cannot_be_made_is_named),
        FOLDER(a_node_that_has_left_is_known_by_its_folder_until_it_starts_again),
        FOLDER(the_connection_string_names_an_endpoint_that_clients_reach),
        FOLDER(a_folder_without_connection_string_says_so),
        FOLDER(the_public_host_is_the_host_of_the_public_url),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
