/* What a watch has told, and what a list makes it tell. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/coordinator/etcd_told.h"
#include "proto/buffer.h"

static struct etcd_told *told;
static struct arena arena;

static int set_up(void **state) {
    (void)state;
    arena_init(&arena);
    told = etcd_told_new();
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    etcd_told_free(told);
    arena_close(&arena);
    return 0;
}

static struct coordinator_item put(const char *name, uint64_t version) {
    return (struct coordinator_item){.name = bytes_of_text(name), .value = BYTES_LITERAL("v"), .version = version};
}

static struct coordinator_item removal(const char *name, uint64_t version) {
    return (struct coordinator_item){.name = bytes_of_text(name), .version = version};
}

static bool take(struct coordinator_item change) {
    return etcd_told_take(told, &change);
}

/* The changes as "a3 -b9 ". */
static void expect_compared(const struct coordinator_item *items, size_t count, const char *expected) {
    struct coordinator_item *changes;
    struct buffer text;
    buffer_init(&text);
    size_t changes_count = etcd_told_compare(told, items, count, 9, &arena, &changes);
    for (size_t i = 0; i < changes_count; i++)
        buffer_printf(&text, "%s%.*s%llu ", bytes_is_present(changes[i].value) ? "" : "-", BYTES_ARG(changes[i].name),
                      (unsigned long long)changes[i].version);
    buffer_append(&text, "", 1);
    assert_string_equal((const char *)text.data, expected);
    buffer_close(&text);
}

static void a_change_is_told_once(void **state) {
    (void)state;
    assert_true(take(put("a", 1)));
    assert_false(take(put("a", 1)));
    assert_true(take(put("b", 2)));
    assert_true(take(put("a", 3)));
    assert_false(take(put("a", 2)));
    assert_false(take(removal("a", 2)));
    assert_true(take(removal("a", 4)));
    assert_false(take(removal("a", 4)));
    assert_false(take(removal("never there", 5)));
    assert_true(take(put("a", 6)));
}

static void a_list_tells_what_was_missed(void **state) {
    struct coordinator_item items[] = {put("a", 1), put("b", 8), put("d", 5), put("e", 4)};
    (void)state;
    take(put("a", 1)); /* as it is */
    take(put("b", 2)); /* changed */
    take(put("c", 3)); /* gone */
    expect_compared(items, 4, "-c9 e4 d5 b8 ");
    /* Nothing of it was remembered. */
    expect_compared(items, 4, "-c9 e4 d5 b8 ");
    etcd_told_set(told, items, 4);
    expect_compared(items, 4, "");
    assert_false(take(put("d", 5)));
    expect_compared(NULL, 0, "-a9 -b9 -d9 -e9 ");
}

static void a_store_that_went_back_is_told_as_it_is(void **state) {
    struct coordinator_item items[] = {put("a", 1)};
    (void)state;
    take(put("a", 7));
    expect_compared(items, 1, "a1 ");
    etcd_told_set(told, items, 1);
    assert_true(take(put("a", 2)));
}

int main(void) {
#define TOLD(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TOLD(a_change_is_told_once),
        TOLD(a_list_tells_what_was_missed),
        TOLD(a_store_that_went_back_is_told_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
