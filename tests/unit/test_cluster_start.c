/* Data folders of nodes that start with etcd: the first makes the cluster, others join, strangers are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/stat.h>

#include "node/data_folder.h"
#include "tests/lib/etcd_fixture.h"
#include "tests/lib/store_fixture.h"

#define SECRET "0123456789abcdef0123456789abcdef"
#define NODES 3

static struct etcd_fixture etcd;
static char root[64];
static struct config configs[NODES];
static const char *reason;

static void secret_write(struct config *config, const char *secret) {
    snprintf(config->cluster_secret_file, sizeof(config->cluster_secret_file), "%s/secret-%s", root, secret);
    FILE *file = fopen(config->cluster_secret_file, "we");
    check(file != NULL && fprintf(file, "%s\n", secret) > 0 && fclose(file) == 0);
    check(chmod(config->cluster_secret_file, 0600) == 0);
}

static int set_up(void **state) {
    static int count;
    (void)state;
    seal_init();
    count++;
    snprintf(root, sizeof(root), "/tmp/weft-test-XXXXXX");
    check(mkdtemp(root) != NULL);
    for (size_t i = 0; i < NODES; i++) {
        config_defaults(&configs[i]);
        snprintf(configs[i].data, sizeof(configs[i].data), "%s/node-%zu", root, i);
        snprintf(configs[i].etcd_endpoints, sizeof(configs[i].etcd_endpoints), "%s", etcd.endpoint);
        snprintf(configs[i].cluster_name, sizeof(configs[i].cluster_name), "test-%d", count);
        configs[i].storage_map_initial_mb = 16;
        secret_write(&configs[i], SECRET);
    }
    reason = "";
    return 0;
}

static int tear_down(void **state) {
    char command[96];
    (void)state;
    snprintf(command, sizeof(command), "rm -rf '%s'", root);
    check(system(command) == 0);
    return 0;
}

static void leave_cluster(struct config *config) {
    config->etcd_endpoints[0] = '\0';
}

static void expect_equal(const struct data_folder *a, const struct data_folder *b) {
    assert_string_equal(a->settings.resource_id, b->settings.resource_id);
    assert_int_equal(a->settings.range_count, b->settings.range_count);
    assert_memory_equal(a->settings.hash_key, b->settings.hash_key, sizeof(a->settings.hash_key));
    assert_memory_equal(a->settings.token_seed, b->settings.token_seed, sizeof(a->settings.token_seed));
    assert_true(bytes_equal(a->settings.primary_key, b->settings.primary_key));
    assert_true(bytes_equal(a->settings.admin_token, b->settings.admin_token));
    assert_memory_equal(a->master.bytes, b->master.bytes, sizeof(a->master.bytes));
}

static int open_and_close(const struct config *config) {
    struct data_folder folder;
    int rc = data_folder_open(config, &folder, &reason);
    if (rc == STATUS_OK)
        data_folder_close(&folder);
    return rc;
}

static void the_first_node_makes_the_cluster_and_others_join_it(void **state) {
    struct data_folder folders[NODES];
    struct data_folder again;
    (void)state;
    configs[0].range_count = 17;
    for (size_t i = 0; i < NODES; i++)
        assert_int_equal(data_folder_open(&configs[i], &folders[i], &reason), STATUS_OK);
    assert_true(folders[0].is_in_cluster);
    assert_int_equal(folders[2].settings.range_count, 17);
    for (size_t i = 1; i < NODES; i++) {
        expect_equal(&folders[0], &folders[i]);
        assert_memory_equal(folders[0].admission_key, folders[i].admission_key, NODE_ADMISSION_KEY_BYTES);
    }
    data_folder_close(&folders[1]);
    assert_int_equal(data_folder_open(&configs[1], &again, &reason), STATUS_OK);
    expect_equal(&folders[0], &again);
    data_folder_close(&again);
    data_folder_close(&folders[0]);
    data_folder_close(&folders[2]);
}

static void nodes_of_a_cluster_share_a_coordinator(void **state) {
    struct data_folder folders[2];
    struct bytes value;
    uint64_t version = 0;
    (void)state;
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(data_folder_open(&configs[i], &folders[i], &reason), STATUS_OK);
    assert_int_equal(coordinator_swap(folders[0].coordinator, "ranges/00001", 0, BYTES_LITERAL("x"), &version),
                     STATUS_OK);
    assert_int_equal(coordinator_get(folders[1].coordinator, "ranges/00001", &folders[1].arena, &value, &version),
                     STATUS_OK);
    assert_true(bytes_equal_text(value, "x"));
    for (size_t i = 0; i < 2; i++)
        data_folder_close(&folders[i]);
}

static void a_node_that_was_alone_becomes_the_first_of_a_cluster_as_it_was(void **state) {
    struct config alone = configs[0];
    struct data_folder before;
    struct data_folder first;
    struct data_folder second;
    (void)state;
    leave_cluster(&alone);
    assert_int_equal(data_folder_open(&alone, &before, &reason), STATUS_OK);
    assert_false(before.is_in_cluster);
    /* Its store is closed, its settings are kept for comparing. */
    coordinator_close(before.coordinator);
    store_lmdb_close(before.store);
    before.coordinator = NULL;
    before.store = NULL;
    assert_int_equal(data_folder_open(&configs[0], &first, &reason), STATUS_OK);
    expect_equal(&before, &first);
    assert_int_equal(data_folder_open(&configs[1], &second, &reason), STATUS_OK);
    expect_equal(&before, &second);
    data_folder_close(&first);
    data_folder_close(&second);
    data_folder_close(&before);
}

static void a_joined_folder_can_be_looked_at_and_opened_without_etcd(void **state) {
    struct config alone = configs[1];
    struct data_folder joined;
    struct data_folder looked_at;
    (void)state;
    configs[0].range_count = 17;
    assert_int_equal(open_and_close(&configs[0]), STATUS_OK);
    assert_int_equal(data_folder_open(&configs[1], &joined, &reason), STATUS_OK);
    coordinator_close(joined.coordinator);
    store_lmdb_close(joined.store);
    joined.coordinator = NULL;
    joined.store = NULL;
    leave_cluster(&alone);
    assert_int_equal(data_folder_open_existing(&alone, &looked_at, &reason), STATUS_OK);
    assert_int_equal(looked_at.settings.range_count, 17);
    data_folder_close(&looked_at);
    assert_int_equal(data_folder_open(&alone, &looked_at, &reason), STATUS_OK);
    expect_equal(&joined, &looked_at);
    data_folder_close(&looked_at);
    data_folder_close(&joined);
}

static void a_node_with_data_of_its_own_cannot_join_another_cluster(void **state) {
    struct config alone = configs[1];
    (void)state;
    leave_cluster(&alone);
    assert_int_equal(open_and_close(&alone), STATUS_OK);
    assert_int_equal(open_and_close(&configs[0]), STATUS_OK);
    assert_int_equal(open_and_close(&configs[1]), STATUS_CONFLICT);
    assert_non_null(strstr(reason, "master.key is not the one of this cluster"));
    /* And is as it was. */
    assert_int_equal(open_and_close(&alone), STATUS_OK);
}

static void settings_of_another_cluster_are_refused_even_under_the_same_master_key(void **state) {
    struct config alone = configs[1];
    char from[CONFIG_TEXT_MAX + 64];
    char command[1024];
    (void)state;
    leave_cluster(&alone);
    assert_int_equal(open_and_close(&configs[0]), STATUS_OK);
    snprintf(from, sizeof(from), "%s/master.key", configs[0].data);
    snprintf(command, sizeof(command), "mkdir -m 700 '%s' && cp -p '%s' '%s'", alone.data, from, alone.data);
    check(system(command) == 0);
    assert_int_equal(open_and_close(&alone), STATUS_OK);
    assert_int_equal(open_and_close(&configs[1]), STATUS_CONFLICT);
    assert_non_null(strstr(reason, "another cluster"));
}

static void another_secret_is_refused_and_leaves_no_key_behind(void **state) {
    char path[CONFIG_TEXT_MAX + 64];
    (void)state;
    assert_int_equal(open_and_close(&configs[0]), STATUS_OK);
    secret_write(&configs[1], "another secret of the same length");
    assert_int_equal(open_and_close(&configs[1]), STATUS_CONFLICT);
    assert_non_null(strstr(reason, "cluster_secret_file"));
    snprintf(path, sizeof(path), "%s/master.key", configs[1].data);
    assert_int_not_equal(access(path, F_OK), 0);
    secret_write(&configs[1], SECRET);
    assert_int_equal(open_and_close(&configs[1]), STATUS_OK);
}

static void a_secret_that_is_missing_or_short_is_refused(void **state) {
    (void)state;
    secret_write(&configs[0], "too short");
    assert_int_equal(open_and_close(&configs[0]), STATUS_CONFLICT);
    assert_non_null(strstr(reason, "secret"));
    snprintf(configs[0].cluster_secret_file, sizeof(configs[0].cluster_secret_file), "%s/nowhere", root);
    assert_int_equal(open_and_close(&configs[0]), STATUS_STORAGE_FAILED);
    assert_non_null(strstr(reason, "secret"));
}

static void another_resource_id_than_the_clusters_is_refused(void **state) {
    (void)state;
    assert_int_equal(open_and_close(&configs[0]), STATUS_OK);
    snprintf(configs[1].resource_id, sizeof(configs[1].resource_id), "0a1b2c3d-0000-4000-8000-000000000001");
    assert_int_equal(open_and_close(&configs[1]), STATUS_CONFLICT);
    assert_non_null(strstr(reason, "resource_id"));
}

static void etcd_is_installed(void **state) {
    (void)state;
    skip();
}

int main(void) {
#define STARTED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        STARTED(the_first_node_makes_the_cluster_and_others_join_it),
        STARTED(nodes_of_a_cluster_share_a_coordinator),
        STARTED(a_node_that_was_alone_becomes_the_first_of_a_cluster_as_it_was),
        STARTED(a_joined_folder_can_be_looked_at_and_opened_without_etcd),
        STARTED(a_node_with_data_of_its_own_cannot_join_another_cluster),
        STARTED(settings_of_another_cluster_are_refused_even_under_the_same_master_key),
        STARTED(another_secret_is_refused_and_leaves_no_key_behind),
        STARTED(a_secret_that_is_missing_or_short_is_refused),
        STARTED(another_resource_id_than_the_clusters_is_refused),
    };
    const struct CMUnitTest without_etcd[] = {cmocka_unit_test(etcd_is_installed)};
    if (!etcd_fixture_is_possible())
        return cmocka_run_group_tests(without_etcd, NULL, NULL);
    etcd_fixture_open(&etcd);
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    etcd_fixture_close(&etcd);
    return failures;
}
