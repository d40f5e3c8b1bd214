/* Merging of metadata, as tables: what is stored, the patch, what comes out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/core/metadata.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* "k=v" sets, "k=" has an empty value, "k" has none at all. */
static struct metadata metadata_of(struct arena *arena, const char *const *texts, size_t count) {
    struct metadata metadata = {
        .pairs = ARENA_NEW_ARRAY(arena, struct metadata_pair, count), .count = count, .is_present = true};
    for (size_t i = 0; i < count; i++) {
        size_t key_size = strcspn(texts[i], "=");
        metadata.pairs[i].key = bytes_of(texts[i], key_size);
        metadata.pairs[i].value = texts[i][key_size] == '=' ? bytes_of_text(texts[i] + key_size + 1) : BYTES_ABSENT;
    }
    return metadata;
}

#define PAIRS_MAX 4

struct merge_case {
    const char *stored[PAIRS_MAX];
    const char *patch[PAIRS_MAX];
    const char *merged[PAIRS_MAX];
    bool is_not_given;
    bool is_cleared;
};

static size_t pairs_count(const char *const *texts) {
    size_t count = 0;
    while (count < PAIRS_MAX && texts[count] != NULL)
        count++;
    return count;
}

static void a_patch_sets_keeps_and_removes(void **state) {
    static const struct merge_case cases[] = {
        {.stored = {"a=1"}, .is_not_given = true, .merged = {"a=1"}},
        {.is_not_given = true},
        {.stored = {"a=1"}, .merged = {"a=1"}},
        {.stored = {"a=1", "b=2"}, .patch = {"c=3"}, .merged = {"a=1", "b=2", "c=3"}},
        {.stored = {"a=1", "b=2"}, .patch = {"a=9"}, .merged = {"b=2", "a=9"}},
        {.stored = {"a=1", "b=2"}, .patch = {"a"}, .merged = {"b=2"}},
        {.stored = {"a=1", "b=2"}, .patch = {"a="}, .merged = {"b=2"}},
        {.stored = {"a=1"}, .patch = {"a"}},
        {.stored = {"a=1"}, .patch = {"b", "c="}, .merged = {"a=1"}},
        {.stored = {"a=1", "b=2"}, .is_cleared = true},
        {.stored = {"a=1", "b=2"}, .patch = {"b=3"}, .is_cleared = true, .merged = {"b=3"}},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct merge_case *c = &cases[i];
        struct arena arena;
        arena_init(&arena);
        struct metadata stored = metadata_of(&arena, c->stored, pairs_count(c->stored));
        struct metadata patch = metadata_of(&arena, c->patch, pairs_count(c->patch));
        struct metadata expected = metadata_of(&arena, c->merged, pairs_count(c->merged));
        stored.is_present = stored.count > 0;
        patch.is_present = !c->is_not_given;
        patch.is_cleared = c->is_cleared;
        struct metadata merged = metadata_merge(&arena, &stored, &patch);
        assert_int_equal(merged.count, expected.count);
        assert_int_equal(merged.is_present, expected.count > 0);
        assert_false(merged.is_cleared);
        for (size_t j = 0; j < merged.count; j++) {
            assert_true(bytes_equal(merged.pairs[j].key, expected.pairs[j].key));
            assert_true(bytes_equal(merged.pairs[j].value, expected.pairs[j].value));
        }
        arena_close(&arena);
    }
}

static void the_size_is_that_of_keys_and_values(void **state) {
    static const char *const texts[] = {"key=value", "a=", "b"};
    struct arena arena;
    (void)state;
    arena_init(&arena);
    struct metadata metadata = metadata_of(&arena, texts, COUNT(texts));
    assert_int_equal(metadata_size(&metadata), 3 + 5 + 1 + 1);
    metadata.count = 0;
    assert_int_equal(metadata_size(&metadata), 0);
    arena_close(&arena);
}

static void a_copy_does_not_need_the_original(void **state) {
    char text[] = "key=value";
    const char *const texts[] = {text};
    struct arena original;
    struct arena arena;
    (void)state;
    arena_init(&original);
    arena_init(&arena);
    struct metadata metadata = metadata_of(&original, texts, 1);
    struct metadata copy = metadata_copy(&arena, &metadata);
    memset(text, 'x', sizeof(text));
    arena_close(&original);
    assert_int_equal(copy.count, 1);
    assert_true(copy.is_present);
    assert_true(bytes_equal_text(copy.pairs[0].key, "key"));
    assert_true(bytes_equal_text(copy.pairs[0].value, "value"));
    arena_close(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_patch_sets_keeps_and_removes),
        cmocka_unit_test(the_size_is_that_of_keys_and_values),
        cmocka_unit_test(a_copy_does_not_need_the_original),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
