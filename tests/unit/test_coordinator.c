/* What every coordinator promises, held against the one of a node alone and against a real etcd. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <time.h>

#include "node/coordinator/local.h"
#include "tests/lib/etcd_fixture.h"
#include "tests/lib/store_fixture.h"

#define DEADLINE_S 20
#define SWAPPERS 4
#define SWAPS_EACH 10

static bool is_etcd;
static struct etcd_fixture etcd;
static struct fixture fixture;
static struct coordinator *coordinator;
static char prefix[32]; /* another cluster for each test */

static struct coordinator *coordinator_open(void) {
    return is_etcd ? etcd_fixture_coordinator(&etcd, prefix) : coordinator_local_new(fixture.store, &fixture.master);
}

static int set_up(void **state) {
    static int count;
    (void)state;
    fixture_open(&fixture);
    snprintf(prefix, sizeof(prefix), "test-%d", count++);
    coordinator = coordinator_open();
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    coordinator_close(coordinator);
    fixture_close(&fixture);
    return 0;
}

static uint64_t version_of(const char *name) {
    struct bytes value;
    uint64_t version = 0;
    int rc = coordinator_get(coordinator, name, &fixture.arena, &value, &version);
    assert_true(rc == STATUS_OK || rc == STATUS_STORE_MISSING);
    return rc == STATUS_OK ? version : 0;
}

static void expect(const char *name, const char *value, uint64_t version) {
    struct bytes found = BYTES_ABSENT;
    uint64_t found_version = 0;
    int rc = coordinator_get(coordinator, name, &fixture.arena, &found, &found_version);
    assert_int_equal(rc, value == NULL ? STATUS_STORE_MISSING : STATUS_OK);
    if (value == NULL)
        return;
    assert_true(bytes_is_present(found) && bytes_equal_text(found, value));
    assert_int_equal(found_version, version);
}

static int swap(const char *name, uint64_t version, const char *value) {
    return coordinator_swap(coordinator, name, version, bytes_of_text(value), NULL);
}

/* The new version. */
static uint64_t put(const char *name, const char *value) {
    uint64_t version = 0;
    assert_int_equal(coordinator_swap(coordinator, name, version_of(name), bytes_of_text(value), &version), STATUS_OK);
    assert_true(version > 0);
    return version;
}

/* ---- get, swap, list ---- */

static void a_value_is_swapped_only_by_whoever_knows_its_version(void **state) {
    (void)state;
    expect("a", NULL, 0);
    assert_int_equal(swap("a", 1, "too early"), STATUS_CONFLICT);
    expect("a", NULL, 0);
    uint64_t first = put("a", "one");
    expect("a", "one", first);
    assert_int_equal(swap("a", 0, "again"), STATUS_CONFLICT);
    assert_int_equal(swap("a", first + 1, "again"), STATUS_CONFLICT);
    expect("a", "one", first);
    uint64_t second = put("a", "");
    assert_true(second > first);
    expect("a", "", second);
    assert_int_equal(swap("a", first, "late"), STATUS_CONFLICT);
    expect("a", "", second);
}

static void several_values_are_swapped_together_or_not_at_all(void **state) {
    (void)state;
    uint64_t a = put("a", "one");
    uint64_t version = 0;
    struct coordinator_swap swaps[] = {{"a", a + 1, BYTES_LITERAL("two")}, {"b", 0, BYTES_LITERAL("new")}};
    assert_int_equal(coordinator_swap_all(coordinator, swaps, 2, &version), STATUS_CONFLICT);
    expect("a", "one", a);
    expect("b", NULL, 0);
    swaps[0].version = a;
    assert_int_equal(coordinator_swap_all(coordinator, swaps, 2, &version), STATUS_OK);
    assert_true(version > a);
    expect("a", "two", version);
    expect("b", "new", version);
    swaps[0].version = version; /* and the other one is there by now */
    assert_int_equal(coordinator_swap_all(coordinator, swaps, 2, NULL), STATUS_CONFLICT);
    expect("a", "two", version);
    expect("b", "new", version);
}

static void names_are_kept_apart_and_versions_rise_over_all_of_them(void **state) {
    (void)state;
    uint64_t a = put("a", "1");
    uint64_t ab = put("ab", "2");
    uint64_t b = put("ranges/b", "3");
    assert_true(a < ab && ab < b);
    expect("a", "1", a);
    expect("ab", "2", ab);
    expect("ranges/b", "3", b);
    expect("b", NULL, 0);
    assert_true(put("a", "4") > b);
}

static void a_value_may_hold_any_bytes(void **state) {
    uint8_t all[256 * 40];
    struct bytes found;
    uint64_t version;
    (void)state;
    for (size_t i = 0; i < sizeof(all); i++)
        all[i] = (uint8_t)(i * 7 + i / 256);
    assert_int_equal(coordinator_swap(coordinator, "all", 0, bytes_of(all, sizeof(all)), NULL), STATUS_OK);
    assert_int_equal(coordinator_get(coordinator, "all", &fixture.arena, &found, &version), STATUS_OK);
    assert_true(bytes_equal(found, bytes_of(all, sizeof(all))));
}

static void values_survive_closing_and_opening(void **state) {
    (void)state;
    uint64_t version = put("a", "1");
    coordinator_close(coordinator);
    if (!is_etcd) {
        store_lmdb_close(fixture.store);
        fixture_store_open(&fixture, 16 << 20, 0);
    }
    coordinator = coordinator_open();
    expect("a", "1", version);
    assert_true(put("b", "2") > version);
}

static void a_list_holds_what_begins_with_the_prefix_in_the_order_of_names(void **state) {
    struct coordinator_item *items = NULL;
    size_t count = 9;
    uint64_t revision = 0;
    (void)state;
    assert_int_equal(coordinator_list(coordinator, "", &fixture.arena, &items, &count, &revision), STATUS_OK);
    assert_int_equal(count, 0);
    put("ranges/2", "two");
    put("ranges/1", "");
    uint64_t one = put("ranges/1", "one");
    put("rangez", "behind");
    uint64_t last = put("nodes/1", "other");
    assert_int_equal(coordinator_list(coordinator, "ranges/", &fixture.arena, &items, &count, &revision), STATUS_OK);
    assert_int_equal(count, 2);
    assert_true(bytes_equal_text(items[0].name, "ranges/1") && bytes_equal_text(items[1].name, "ranges/2"));
    assert_true(bytes_equal_text(items[0].value, "one") && bytes_equal_text(items[1].value, "two"));
    assert_int_equal(items[0].version, one);
    assert_int_equal(revision, last);
    assert_int_equal(coordinator_list(coordinator, "", &fixture.arena, &items, &count, &revision), STATUS_OK);
    assert_int_equal(count, 4);
    assert_true(bytes_equal_text(items[0].name, "nodes/1"));
}

static int name_remove(const char *name, uint64_t version) {
    return coordinator_remove(coordinator, name, version);
}

static void a_name_is_removed_only_by_whoever_knows_its_version(void **state) {
    struct coordinator_item *items = NULL;
    size_t count = 9;
    uint64_t revision = 0;
    (void)state;
    assert_int_equal(name_remove("a", 1), STATUS_CONFLICT);
    uint64_t first = put("a", "1");
    uint64_t second = put("a", "2");
    assert_int_equal(name_remove("a", first), STATUS_CONFLICT);
    expect("a", "2", second);
    assert_int_equal(name_remove("a", second), STATUS_OK);
    expect("a", NULL, 0);
    assert_int_equal(name_remove("a", second), STATUS_CONFLICT);
    assert_int_equal(swap("a", second, "late"), STATUS_CONFLICT);
    assert_int_equal(coordinator_list(coordinator, "", &fixture.arena, &items, &count, &revision), STATUS_OK);
    assert_int_equal(count, 0);
    assert_true(revision > second);
}

static void versions_go_on_rising_after_a_removal(void **state) {
    (void)state;
    put("b", "1");
    uint64_t last = put("a", "2");
    assert_int_equal(name_remove("a", last), STATUS_OK);
    coordinator_close(coordinator);
    coordinator = coordinator_open();
    uint64_t again = put("a", "3");
    assert_true(again > last + 1);
    expect("a", "3", again);
}

struct swapper {
    pthread_t thread;
    struct arena arena;
    unsigned wins;
};

/* Adds one to a counter as often as it wins. */
static void *swapper_run(void *context) {
    struct swapper *swapper = context;
    while (swapper->wins < SWAPS_EACH) {
        struct bytes value;
        uint64_t version = 0;
        unsigned long counter = 0;
        int rc = coordinator_get(coordinator, "counter", &swapper->arena, &value, &version);
        check(rc == STATUS_OK || rc == STATUS_STORE_MISSING);
        if (rc == STATUS_OK)
            counter = strtoul(arena_text(&swapper->arena, value), NULL, 10);
        else
            version = 0;
        struct bytes next = arena_printf(&swapper->arena, "%lu", counter + 1);
        rc = coordinator_swap(coordinator, "counter", version, next, NULL);
        check(rc == STATUS_OK || rc == STATUS_CONFLICT);
        swapper->wins += rc == STATUS_OK;
    }
    return NULL;
}

static void of_many_who_swap_at_once_one_wins(void **state) {
    struct swapper swappers[SWAPPERS] = {0};
    struct bytes value;
    uint64_t version;
    (void)state;
    for (size_t i = 0; i < SWAPPERS; i++)
        check(pthread_create(&swappers[i].thread, NULL, swapper_run, &swappers[i]) == 0);
    for (size_t i = 0; i < SWAPPERS; i++) {
        pthread_join(swappers[i].thread, NULL);
        arena_close(&swappers[i].arena);
    }
    assert_int_equal(coordinator_get(coordinator, "counter", &fixture.arena, &value, &version), STATUS_OK);
    assert_int_equal(strtoul(arena_text(&fixture.arena, value), NULL, 10), SWAPPERS * SWAPS_EACH);
}

/* ---- watches ---- */

/* What a watch has told, as "name=value name=" for a removal is "-name". */
struct witness {
    pthread_mutex_t mutex;
    pthread_cond_t news;
    struct buffer told;
    uint64_t last_version;
    bool is_in_order;
};

static void witness_open(struct witness *witness) {
    pthread_mutex_init(&witness->mutex, NULL);
    pthread_cond_init(&witness->news, NULL);
    buffer_init(&witness->told);
    witness->last_version = 0;
    witness->is_in_order = true;
}

static void witness_close(struct witness *witness) {
    buffer_close(&witness->told);
    pthread_cond_destroy(&witness->news);
    pthread_mutex_destroy(&witness->mutex);
}

static void on_change(void *context, const struct coordinator_item *change) {
    struct witness *witness = context;
    pthread_mutex_lock(&witness->mutex);
    if (bytes_is_present(change->value))
        buffer_printf(&witness->told, "%.*s=%.*s ", BYTES_ARG(change->name), BYTES_ARG(change->value));
    else
        buffer_printf(&witness->told, "-%.*s ", BYTES_ARG(change->name));
    witness->is_in_order = witness->is_in_order && change->version > witness->last_version;
    witness->last_version = change->version;
    pthread_cond_signal(&witness->news);
    pthread_mutex_unlock(&witness->mutex);
}

static bool ends_with(struct bytes text, const char *end) {
    size_t size = strlen(end);
    return text.size >= size && memcmp(text.data + text.size - size, end, size) == 0;
}

static void wait_for_end(struct witness *witness, const char *end) {
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += DEADLINE_S;
    pthread_mutex_lock(&witness->mutex);
    while (!ends_with(buffer_bytes(&witness->told), end))
        if (pthread_cond_timedwait(&witness->news, &witness->mutex, &deadline) != 0)
            fail_msg("told only: %.*s", BYTES_ARG(buffer_bytes(&witness->told)));
    assert_true(witness->is_in_order);
    pthread_mutex_unlock(&witness->mutex);
}

static void expect_told(struct witness *witness, const char *expected) {
    wait_for_end(witness, expected);
    assert_int_equal(witness->told.size, strlen(expected));
}

static void a_watch_tells_what_changes_after_its_revision(void **state) {
    struct coordinator_item *items;
    struct witness witness;
    size_t count;
    uint64_t revision;
    (void)state;
    witness_open(&witness);
    put("r/before", "1");
    assert_int_equal(coordinator_list(coordinator, "r/", &fixture.arena, &items, &count, &revision), STATUS_OK);
    put("r/between", "2");
    assert_int_equal(coordinator_watch(coordinator, "r/", revision, on_change, &witness), STATUS_OK);
    wait_for_end(&witness, "r/between=2 ");
    put("other", "not watched");
    put("r/before", "3");
    wait_for_end(&witness, "r/before=3 ");
    put("r/after", "");
    expect_told(&witness, "r/between=2 r/before=3 r/after= ");
    coordinator_close(coordinator);
    witness_close(&witness);
    coordinator = coordinator_open();
}

static void a_watch_from_the_beginning_tells_everything_there_is_first(void **state) {
    struct witness witness;
    (void)state;
    witness_open(&witness);
    put("r/b", "1");
    put("r/a", "2");
    put("r/b", "3");
    assert_int_equal(coordinator_watch(coordinator, "r/", 0, on_change, &witness), STATUS_OK);
    wait_for_end(&witness, "r/b=3 ");
    put("r/c", "4");
    expect_told(&witness, "r/a=2 r/b=3 r/c=4 ");
    coordinator_close(coordinator);
    witness_close(&witness);
    coordinator = coordinator_open();
}

static void a_watch_tells_of_removals(void **state) {
    struct witness witness;
    (void)state;
    witness_open(&witness);
    put("r/gone", "0");
    assert_int_equal(name_remove("r/gone", version_of("r/gone")), STATUS_OK);
    put("r/a", "1");
    assert_int_equal(coordinator_watch(coordinator, "r/", 0, on_change, &witness), STATUS_OK);
    wait_for_end(&witness, "r/a=1 ");
    assert_int_equal(name_remove("r/a", version_of("r/a")), STATUS_OK);
    wait_for_end(&witness, "-r/a ");
    put("r/a", "2");
    expect_told(&witness, "r/a=1 -r/a r/a=2 ");
    coordinator_close(coordinator);
    witness_close(&witness);
    coordinator = coordinator_open();
}

static void several_watches_tell_each_what_is_theirs(void **state) {
    struct witness left;
    struct witness right;
    struct witness all;
    (void)state;
    witness_open(&left);
    witness_open(&right);
    witness_open(&all);
    put("x", "0");
    assert_int_equal(coordinator_watch(coordinator, "l/", 0, on_change, &left), STATUS_OK);
    assert_int_equal(coordinator_watch(coordinator, "r/", 0, on_change, &right), STATUS_OK);
    assert_int_equal(coordinator_watch(coordinator, "", 0, on_change, &all), STATUS_OK);
    wait_for_end(&all, "x=0 ");
    put("l/1", "1");
    wait_for_end(&all, "l/1=1 ");
    put("r/1", "2");
    expect_told(&left, "l/1=1 ");
    expect_told(&right, "r/1=2 ");
    expect_told(&all, "x=0 l/1=1 r/1=2 ");
    coordinator_close(coordinator);
    witness_close(&left);
    witness_close(&right);
    witness_close(&all);
    coordinator = coordinator_open();
}

static void nothing_is_told_after_closing(void **state) {
    struct witness witness;
    (void)state;
    witness_open(&witness);
    assert_int_equal(coordinator_watch(coordinator, "", 0, on_change, &witness), STATUS_OK);
    put("a", "1");
    wait_for_end(&witness, "a=1 ");
    coordinator_close(coordinator);
    coordinator = coordinator_open();
    put("a", "2");
    assert_true(bytes_equal_text(buffer_bytes(&witness.told), "a=1 "));
    witness_close(&witness);
}

/* ---- announcements ---- */

static void an_announcement_is_there_until_the_coordinator_closes(void **state) {
    struct coordinator_item *items;
    struct witness witness;
    size_t count;
    uint64_t revision;
    (void)state;
    witness_open(&witness);
    assert_int_equal(coordinator_watch(coordinator, "alive/", 0, on_change, &witness), STATUS_OK);
    assert_int_equal(coordinator_announce(coordinator, "alive/1", BYTES_LITERAL("here"), 2), STATUS_OK);
    wait_for_end(&witness, "alive/1=here ");
    expect("alive/1", "here", version_of("alive/1"));
    assert_int_equal(coordinator_announce(coordinator, "alive/2", BYTES_LITERAL(""), 2), STATUS_OK);
    wait_for_end(&witness, "alive/2= ");
    assert_int_equal(coordinator_list(coordinator, "alive/", &fixture.arena, &items, &count, &revision), STATUS_OK);
    assert_int_equal(count, 2);
    assert_true(bytes_equal_text(items[1].name, "alive/2"));
    coordinator_close(coordinator);
    witness_close(&witness);
    coordinator = coordinator_open();
    expect("alive/1", NULL, 0);
    expect("alive/2", NULL, 0);
}

/* ---- elections ---- */

static void who_stands_alone_is_elected_until_the_coordinator_closes(void **state) {
    struct witness witness;
    (void)state;
    witness_open(&witness);
    assert_int_equal(coordinator_watch(coordinator, "first", 0, on_change, &witness), STATUS_OK);
    assert_int_equal(coordinator_stand(coordinator, "first", BYTES_LITERAL("me"), 2), STATUS_OK);
    expect_told(&witness, "first=me ");
    expect("first", "me", version_of("first"));
    coordinator_close(coordinator);
    witness_close(&witness);
    coordinator = coordinator_open();
    expect("first", NULL, 0);
}

static void of_two_who_stand_one_is_elected_and_the_other_follows(void **state) {
    struct coordinator *other;
    struct witness witness;
    (void)state;
    if (!is_etcd)
        return; /* alone there is nobody else */
    other = etcd_fixture_coordinator(&etcd, prefix);
    witness_open(&witness);
    assert_int_equal(coordinator_watch(coordinator, "first", 0, on_change, &witness), STATUS_OK);
    assert_int_equal(coordinator_stand(other, "first", BYTES_LITERAL("other"), 2), STATUS_OK);
    wait_for_end(&witness, "first=other ");
    assert_int_equal(coordinator_stand(coordinator, "first", BYTES_LITERAL("me"), 2), STATUS_OK);
    coordinator_close(other);
    expect_told(&witness, "first=other -first first=me ");
    coordinator_close(coordinator);
    witness_close(&witness);
    coordinator = coordinator_open();
}

#define OF(of, test)                                                                                                   \
    { of ": " #test, test, set_up, tear_down, NULL }
#define CONTRACT(of)                                                                                                   \
    OF(of, several_values_are_swapped_together_or_not_at_all),                                                         \
        OF(of, a_value_is_swapped_only_by_whoever_knows_its_version),                                                  \
        OF(of, names_are_kept_apart_and_versions_rise_over_all_of_them), OF(of, a_value_may_hold_any_bytes),           \
        OF(of, values_survive_closing_and_opening), OF(of, a_name_is_removed_only_by_whoever_knows_its_version),       \
        OF(of, versions_go_on_rising_after_a_removal),                                                                 \
        OF(of, a_list_holds_what_begins_with_the_prefix_in_the_order_of_names),                                        \
        OF(of, of_many_who_swap_at_once_one_wins), OF(of, a_watch_tells_what_changes_after_its_revision),              \
        OF(of, a_watch_from_the_beginning_tells_everything_there_is_first), OF(of, a_watch_tells_of_removals),         \
        OF(of, several_watches_tell_each_what_is_theirs), OF(of, nothing_is_told_after_closing),                       \
        OF(of, an_announcement_is_there_until_the_coordinator_closes),                                                 \
        OF(of, who_stands_alone_is_elected_until_the_coordinator_closes),                                              \
        OF(of, of_two_who_stand_one_is_elected_and_the_other_follows)

static void etcd_is_installed(void **state) {
    (void)state;
    skip();
}

int main(void) {
    const struct CMUnitTest local_tests[] = {CONTRACT("local")};
    const struct CMUnitTest etcd_tests[] = {CONTRACT("etcd")};
    const struct CMUnitTest without_etcd[] = {cmocka_unit_test(etcd_is_installed)};
    int failures = cmocka_run_group_tests_name("local", local_tests, NULL, NULL);
    if (!etcd_fixture_is_possible())
        return failures + cmocka_run_group_tests_name("etcd", without_etcd, NULL, NULL);
    is_etcd = true;
    etcd_fixture_open(&etcd);
    failures += cmocka_run_group_tests_name("etcd", etcd_tests, NULL, NULL);
    etcd_fixture_close(&etcd);
    return failures;
}
