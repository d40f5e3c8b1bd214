/* What a cluster agreed on: made once, loaded alike, access keys replaceable. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sodium.h>

#include "node/coordinator/local.h"
#include "node/settings.h"
#include "storage/keys.h"
#include "tests/lib/store_fixture.h"

#define RESOURCE "0a1b2c3d-0000-4000-8000-000000000001"
#define OTHER_RESOURCE "0a1b2c3d-0000-4000-8000-000000000002"

static struct fixture fixture;
static struct coordinator *coordinator;
static const char *reason;

static int set_up(void **state) {
    (void)state;
    fixture_open(&fixture);
    coordinator = coordinator_local_new(fixture.store, &fixture.master);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    coordinator_close(coordinator);
    fixture_close(&fixture);
    return 0;
}

static int load(const char *resource_id, const char *primary, const char *secondary, struct settings *settings) {
    struct settings_wishes wishes = {.resource_id = resource_id,
                                     .access_key_primary = primary,
                                     .access_key_secondary = secondary,
                                     .range_count = 64};
    struct settings_place place = {.coordinator = coordinator};
    reason = "";
    return settings_load(&place, &wishes, &fixture.arena, settings, &reason);
}

static void expect_equal(const struct settings *a, const struct settings *b) {
    assert_string_equal(a->resource_id, b->resource_id);
    assert_int_equal(a->range_count, b->range_count);
    assert_memory_equal(a->hash_key, b->hash_key, sizeof(a->hash_key));
    assert_memory_equal(a->token_seed, b->token_seed, sizeof(a->token_seed));
    assert_memory_equal(a->ticket_key, b->ticket_key, sizeof(a->ticket_key));
    assert_memory_equal(a->thread_id_key, b->thread_id_key, sizeof(a->thread_id_key));
    assert_true(bytes_equal(a->primary_key, b->primary_key));
    assert_true(bytes_equal(a->secondary_key, b->secondary_key));
    assert_true(bytes_equal(a->admin_token, b->admin_token));
}

static void settings_are_made_once_and_loaded_alike(void **state) {
    struct settings made;
    struct settings loaded;
    (void)state;
    assert_int_equal(load("", "", "", &made), STATUS_OK);
    assert_true(uuid_is_valid(bytes_of_text(made.resource_id)));
    assert_int_equal(made.range_count, 64);
    assert_int_equal(made.primary_key.size, 64);
    assert_int_equal(made.secondary_key.size, 64);
    assert_false(bytes_equal(made.primary_key, made.secondary_key));
    assert_int_equal(made.admin_token.size, 43);
    assert_false(sodium_is_zero(made.token_seed, sizeof(made.token_seed)));
    assert_int_equal(load("", "", "", &loaded), STATUS_OK);
    expect_equal(&made, &loaded);
}

static void two_clusters_share_nothing(void **state) {
    struct fixture other;
    struct settings ours;
    struct settings theirs;
    (void)state;
    fixture_open(&other);
    assert_int_equal(load("", "", "", &ours), STATUS_OK);
    struct settings_wishes wishes = {
        .resource_id = "", .access_key_primary = "", .access_key_secondary = "", .range_count = 64};
    struct coordinator *another = coordinator_local_new(other.store, &other.master);
    struct settings_place place = {.coordinator = another};
    assert_int_equal(settings_load(&place, &wishes, &other.arena, &theirs, &reason), STATUS_OK);
    assert_string_not_equal(ours.resource_id, theirs.resource_id);
    assert_memory_not_equal(ours.hash_key, theirs.hash_key, sizeof(ours.hash_key));
    assert_memory_not_equal(ours.token_seed, theirs.token_seed, sizeof(ours.token_seed));
    assert_memory_not_equal(ours.ticket_key, theirs.ticket_key, sizeof(ours.ticket_key));
    assert_memory_not_equal(ours.thread_id_key, theirs.thread_id_key, sizeof(ours.thread_id_key));
    assert_false(bytes_equal(ours.primary_key, theirs.primary_key));
    assert_false(bytes_equal(ours.admin_token, theirs.admin_token));
    coordinator_close(another);
    fixture_close(&other);
}

static void a_wished_resource_is_taken_and_another_one_refused(void **state) {
    struct settings settings;
    (void)state;
    assert_int_equal(load(RESOURCE, "", "", &settings), STATUS_OK);
    assert_string_equal(settings.resource_id, RESOURCE);
    assert_int_equal(load(RESOURCE, "", "", &settings), STATUS_OK);
    assert_int_equal(load("", "", "", &settings), STATUS_OK);
    assert_string_equal(settings.resource_id, RESOURCE);
    assert_int_equal(load(OTHER_RESOURCE, "", "", &settings), STATUS_CONFLICT);
    assert_non_null(strstr(reason, "resource_id"));
}

static void given_access_keys_replace_the_stored_ones_and_stay(void **state) {
    struct settings made;
    struct settings loaded;
    (void)state;
    assert_int_equal(load("", "", "", &made), STATUS_OK);
    assert_int_equal(load("", "Zmlyc3Q=", "", &loaded), STATUS_OK);
    assert_true(bytes_equal_text(loaded.primary_key, "first"));
    assert_true(bytes_equal(loaded.secondary_key, made.secondary_key));
    assert_int_equal(load("", "", "c2Vjb25k", &loaded), STATUS_OK);
    assert_int_equal(load("", "", "", &loaded), STATUS_OK);
    assert_true(bytes_equal_text(loaded.primary_key, "first"));
    assert_true(bytes_equal_text(loaded.secondary_key, "second"));
    made.primary_key = loaded.primary_key;
    made.secondary_key = loaded.secondary_key;
    expect_equal(&made, &loaded);
}

static void settings_are_written_only_when_something_changed(void **state) {
    struct settings settings;
    struct bytes value;
    uint64_t version = 0;
    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(load("", "Zmlyc3Q=", "", &settings), STATUS_OK);
        assert_int_equal(coordinator_get(coordinator, "settings", &fixture.arena, &value, &version), STATUS_OK);
        assert_int_equal(version, 1);
    }
}

static void another_master_key_and_damage_are_named(void **state) {
    struct settings_place place = {.coordinator = coordinator};
    struct settings settings;
    (void)state;
    assert_int_equal(settings_range_count(&place), 0);
    assert_int_equal(load("", "", "", &settings), STATUS_OK);
    assert_int_equal(settings_range_count(&place), settings.range_count);
    fixture.master.bytes[0] ^= 1;
    assert_int_equal(settings_range_count(&place), 0);
    assert_int_equal(load("", "", "", &settings), STATUS_RECORD_CORRUPT);
    assert_true(strlen(reason) > 0);
    fixture.master.bytes[0] ^= 1;
    assert_int_equal(coordinator_swap(coordinator, "settings", 1, BYTES_LITERAL("not a map"), NULL), STATUS_OK);
    assert_int_equal(load("", "", "", &settings), STATUS_RECORD_CORRUPT);
    assert_int_equal(coordinator_swap(coordinator, "settings", 2, BYTES_LITERAL("\x80"), NULL), STATUS_OK);
    assert_int_equal(load("", "", "", &settings), STATUS_RECORD_CORRUPT);
}

int main(void) {
#define SETTLED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        SETTLED(settings_are_made_once_and_loaded_alike),
        SETTLED(two_clusters_share_nothing),
        SETTLED(a_wished_resource_is_taken_and_another_one_refused),
        SETTLED(given_access_keys_replace_the_stored_ones_and_stay),
        SETTLED(settings_are_written_only_when_something_changed),
        SETTLED(another_master_key_and_damage_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
