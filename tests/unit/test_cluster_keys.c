/* What the nodes of a cluster have in common through its secret, over any coordinator. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sodium.h>
#include <sys/stat.h>

#include "node/cluster_keys.h"
#include "node/coordinator/local.h"
#include "node/secret_line.h"
#include "proto/msgpack_codec.h"
#include "tests/lib/store_fixture.h"

#define SECRET BYTES_LITERAL("0123456789abcdef0123456789abcdef")
#define OTHER_SECRET BYTES_LITERAL("0123456789abcdef0123456789abcdeF")

static struct fixture fixture;
static struct coordinator *coordinator;
static const char *reason;

static int set_up(void **state) {
    (void)state;
    fixture_open(&fixture);
    coordinator = coordinator_local_new(fixture.store, &fixture.master);
    reason = "";
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    coordinator_close(coordinator);
    fixture_close(&fixture);
    return 0;
}

static int keys_open(struct bytes secret, const struct seal_key *own, struct cluster_keys *keys) {
    return cluster_keys_open(coordinator, secret, own, keys, &reason);
}

static void the_first_node_makes_the_master_key_and_others_get_it(void **state) {
    struct cluster_keys first;
    struct cluster_keys second;
    (void)state;
    assert_int_equal(keys_open(SECRET, NULL, &first), STATUS_OK);
    assert_false(sodium_is_zero(first.master.bytes, sizeof(first.master.bytes)));
    assert_memory_not_equal(first.master.bytes, first.admission_key, sizeof(first.master.bytes));
    assert_int_equal(keys_open(SECRET, NULL, &second), STATUS_OK);
    assert_memory_equal(&first, &second, sizeof(first));
    assert_int_equal(keys_open(SECRET, &first.master, &second), STATUS_OK);
    assert_memory_equal(&first, &second, sizeof(first));
}

static void a_node_that_was_alone_gives_its_master_key_to_the_cluster(void **state) {
    struct seal_key own;
    struct cluster_keys keys;
    (void)state;
    memset(own.bytes, 0x5a, sizeof(own.bytes));
    assert_int_equal(keys_open(SECRET, &own, &keys), STATUS_OK);
    assert_memory_equal(keys.master.bytes, own.bytes, sizeof(own.bytes));
    assert_int_equal(keys_open(SECRET, NULL, &keys), STATUS_OK);
    assert_memory_equal(keys.master.bytes, own.bytes, sizeof(own.bytes));
}

static void another_secret_is_refused_by_name(void **state) {
    struct cluster_keys keys;
    (void)state;
    assert_int_equal(keys_open(SECRET, NULL, &keys), STATUS_OK);
    assert_int_equal(keys_open(OTHER_SECRET, NULL, &keys), STATUS_CONFLICT);
    assert_non_null(strstr(reason, "cluster_secret_file"));
    assert_true(sodium_is_zero((const uint8_t *)&keys, sizeof(keys)));
}

static void another_master_key_is_refused_by_name(void **state) {
    struct seal_key own;
    struct cluster_keys keys;
    (void)state;
    memset(own.bytes, 0x5a, sizeof(own.bytes));
    assert_int_equal(keys_open(SECRET, NULL, &keys), STATUS_OK);
    assert_int_equal(keys_open(SECRET, &own, &keys), STATUS_CONFLICT);
    assert_non_null(strstr(reason, "master.key"));
    assert_true(sodium_is_zero((const uint8_t *)&keys, sizeof(keys)));
}

static void what_the_coordinator_holds_shows_neither_key_nor_secret(void **state) {
    struct seal_key own;
    struct cluster_keys keys;
    struct bytes stored;
    uint64_t version;
    (void)state;
    memset(own.bytes, 0x5a, sizeof(own.bytes));
    assert_int_equal(keys_open(SECRET, &own, &keys), STATUS_OK);
    assert_int_equal(coordinator_get(coordinator, "master-key", &fixture.arena, &stored, &version), STATUS_OK);
    assert_true(stored.size < 150);
    for (size_t i = 0; i + 8 <= stored.size; i++) {
        assert_memory_not_equal(stored.data + i, own.bytes, 8);
        assert_memory_not_equal(stored.data + i, SECRET.data, 8);
        assert_memory_not_equal(stored.data + i, keys.admission_key, 8);
    }
}

static void two_clusters_with_one_secret_share_nothing(void **state) {
    struct fixture other;
    struct cluster_keys ours;
    struct cluster_keys theirs;
    (void)state;
    fixture_open(&other);
    struct coordinator *another = coordinator_local_new(other.store, &other.master);
    assert_int_equal(keys_open(SECRET, NULL, &ours), STATUS_OK);
    assert_int_equal(cluster_keys_open(another, SECRET, NULL, &theirs, &reason), STATUS_OK);
    assert_memory_not_equal(ours.master.bytes, theirs.master.bytes, sizeof(ours.master.bytes));
    assert_memory_not_equal(ours.admission_key, theirs.admission_key, sizeof(ours.admission_key));
    coordinator_close(another);
    fixture_close(&other);
}

/* As cluster_keys.c writes it. */
struct row {
    uint32_t format;
    struct bytes salt;
    struct bytes sealed;
};
static const struct codec_field row_fields[] = {
    CODEC_MEMBER(1, CODEC_U32, struct row, format),
    CODEC_MEMBER(2, CODEC_BYTES, struct row, salt),
    CODEC_MEMBER(3, CODEC_BYTES, struct row, sealed),
};
static const struct codec_table ROW_TABLE = CODEC_TABLE(struct row, row_fields);

static void a_damaged_master_key_is_refused_by_name(void **state) {
    struct row rows[] = {
        {.format = 1, .salt = BYTES_LITERAL("short"), .sealed = BYTES_LITERAL("x")},
        {.format = 1, .sealed = BYTES_LITERAL("x")},
        {.format = 2, .salt = BYTES_LITERAL("0123456789abcdef"), .sealed = BYTES_LITERAL("x")},
        {.format = 1, .salt = BYTES_LITERAL("0123456789abcdef"), .sealed = BYTES_LITERAL("x")},
        {.format = 1, .salt = BYTES_LITERAL("0123456789abcdef")},
    };
    struct cluster_keys keys;
    struct bytes stored;
    uint64_t version = 0;
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buffer encoded;
        buffer_init(&encoded);
        codec_encode(&ROW_TABLE, &rows[i], &encoded);
        assert_int_equal(coordinator_swap(coordinator, "master-key", version, buffer_bytes(&encoded), &version),
                         STATUS_OK);
        buffer_close(&encoded);
        reason = "";
        int rc = keys_open(SECRET, NULL, &keys);
        assert_true(rc == STATUS_RECORD_CORRUPT || rc == STATUS_CONFLICT);
        assert_true(strlen(reason) > 0);
    }
    assert_int_equal(coordinator_swap(coordinator, "master-key", version, BYTES_LITERAL("no map"), NULL), STATUS_OK);
    assert_int_equal(keys_open(SECRET, NULL, &keys), STATUS_RECORD_CORRUPT);
    /* Nothing of it was replaced. */
    assert_int_equal(coordinator_get(coordinator, "master-key", &fixture.arena, &stored, &version), STATUS_OK);
    assert_true(bytes_equal_text(stored, "no map"));
}

/* ---- the file of the secret ---- */

static int line_read(const char *content, mode_t mode, struct bytes *line) {
    char path[96];
    snprintf(path, sizeof(path), "%s/secret", fixture.folder);
    FILE *file = fopen(path, "we");
    check(file != NULL && fputs(content, file) >= 0 && fclose(file) == 0 && chmod(path, mode) == 0);
    reason = "";
    return secret_line_read(path, 8, &fixture.arena, line, &reason);
}

static void a_secret_is_the_first_line_of_a_file_for_its_owner_only(void **state) {
    struct bytes line;
    char path[96];
    char longest[1100];
    (void)state;
    assert_int_equal(line_read("12345678\n", 0600, &line), STATUS_OK);
    assert_true(bytes_equal_text(line, "12345678"));
    assert_int_equal(line_read("12345678 9", 0400, &line), STATUS_OK);
    assert_true(bytes_equal_text(line, "12345678 9"));
    assert_int_equal(line_read("12345678\r\nmore\n", 0600, &line), STATUS_OK);
    assert_true(bytes_equal_text(line, "12345678"));
    assert_int_equal(line_read("1234567\n", 0600, &line), STATUS_CONFLICT);
    assert_non_null(strstr(reason, "too short"));
    assert_int_equal(line_read("", 0600, &line), STATUS_CONFLICT);
    assert_non_null(strstr(reason, "too short"));
    assert_int_equal(line_read("12345678\n", 0640, &line), STATUS_CONFLICT);
    assert_non_null(strstr(reason, "0600"));
    memset(longest, 'x', sizeof(longest));
    longest[1024] = '\0';
    assert_int_equal(line_read(longest, 0600, &line), STATUS_OK);
    assert_int_equal(line.size, 1024);
    longest[1024] = 'x';
    longest[1025] = '\0';
    assert_int_equal(line_read(longest, 0600, &line), STATUS_CONFLICT);
    assert_non_null(strstr(reason, "too long"));
    assert_int_equal(secret_line_read(fixture.folder, 8, &fixture.arena, &line, &reason), STATUS_CONFLICT);
    snprintf(path, sizeof(path), "%s/nowhere", fixture.folder);
    assert_int_equal(secret_line_read(path, 8, &fixture.arena, &line, &reason), STATUS_STORAGE_FAILED);
    assert_true(strlen(reason) > 0);
}

int main(void) {
#define KEYS(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        KEYS(the_first_node_makes_the_master_key_and_others_get_it),
        KEYS(a_node_that_was_alone_gives_its_master_key_to_the_cluster),
        KEYS(another_secret_is_refused_by_name),
        KEYS(another_master_key_is_refused_by_name),
        KEYS(what_the_coordinator_holds_shows_neither_key_nor_secret),
        KEYS(two_clusters_with_one_secret_share_nothing),
        KEYS(a_damaged_master_key_is_refused_by_name),
        KEYS(a_secret_is_the_first_line_of_a_file_for_its_owner_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
