#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/arena.h"

static bool is_all_zero(const uint8_t *memory, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (memory[i] != 0)
            return false;
    return true;
}

static void memory_is_zeroed_aligned_and_apart(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena);
    uint8_t *before = NULL;
    size_t size_before = 0;
    for (size_t size = 0; size < 20000; size = size * 2 + 1) {
        uint8_t *memory = arena_alloc(&arena, size);
        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % _Alignof(max_align_t), 0);
        assert_true(is_all_zero(memory, size));
        memset(memory, 0xff, size);
        assert_true(before == NULL || memory >= before + size_before || memory + size <= before);
        before = memory;
        size_before = size;
    }
    arena_close(&arena);
}

static void an_arena_that_was_reset_gives_zeroed_memory_again(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena);
    arena_reset(&arena);
    size_t sizes[] = {1, 100, 100000, 8192, 3};
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            uint8_t *memory = arena_alloc(&arena, sizes[i]);
            assert_true(is_all_zero(memory, sizes[i]));
            memset(memory, 0xee, sizes[i]);
        }
        arena_reset(&arena);
    }
    arena_close(&arena);
    assert_null(arena.chunks);
}

static void a_copy_is_its_own_and_ends_with_nul(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena);
    char original[] = "weft";
    struct bytes copy = arena_copy(&arena, bytes_of_text(original));
    original[0] = 'x';
    assert_int_equal(copy.size, 4);
    assert_string_equal((const char *)copy.data, "weft");
    arena_close(&arena);
}

static void an_absent_value_stays_absent_and_an_empty_one_present(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena);
    assert_false(bytes_is_present(arena_copy(&arena, BYTES_ABSENT)));
    assert_true(bytes_is_present(arena_copy(&arena, BYTES_LITERAL(""))));
    assert_string_equal(arena_text(&arena, BYTES_ABSENT), "");
    assert_string_equal(arena_text(&arena, BYTES_LITERAL("abc")), "abc");
    arena_close(&arena);
}

static void formatted_text_may_be_longer_than_a_chunk(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena);
    struct bytes text = arena_printf(&arena, "%s-%d", "a", 7);
    assert_true(bytes_equal_text(text, "a-7"));
    text = arena_printf(&arena, "%020000d", 1);
    assert_int_equal(text.size, 20000);
    assert_int_equal(text.data[19999], '1');
    assert_int_equal(text.data[20000], 0);
    arena_close(&arena);
}

static void bytes_compare_by_content(void **state) {
    (void)state;
    assert_true(bytes_equal(BYTES_ABSENT, BYTES_LITERAL("")));
    assert_true(bytes_equal(BYTES_LITERAL("a\0b"), bytes_of("a\0b", 3)));
    assert_false(bytes_equal(BYTES_LITERAL("a"), BYTES_LITERAL("ab")));
    assert_false(bytes_equal_text(BYTES_LITERAL("b"), "a"));
    assert_true(bytes_starts_with(BYTES_LITERAL("19:x"), "19:"));
    assert_false(bytes_starts_with(BYTES_LITERAL("19"), "19:"));
    assert_true(bytes_starts_with(BYTES_ABSENT, ""));
    assert_false(bytes_is_present(bytes_of_text(NULL)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed_aligned_and_apart),
        cmocka_unit_test(an_arena_that_was_reset_gives_zeroed_memory_again),
        cmocka_unit_test(a_copy_is_its_own_and_ends_with_nul),
        cmocka_unit_test(an_absent_value_stays_absent_and_an_empty_one_present),
        cmocka_unit_test(formatted_text_may_be_longer_than_a_chunk),
        cmocka_unit_test(bytes_compare_by_content),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
