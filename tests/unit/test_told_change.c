/* A change with its place: there and back, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/status.h"
#include "proto/told_change.h"

static int encode_and_decode(const struct told_change *told, struct arena *arena, struct told_change *decoded) {
    struct buffer out;
    buffer_init(&out);
    told_change_encode(told, &out);
    int rc = told_change_decode(arena_copy(arena, buffer_bytes(&out)), arena, decoded);
    buffer_close(&out);
    return rc;
}

static void a_place_comes_back_as_it_was_said(void **state) {
    static const struct {
        struct told_change told;
        int rc;
    } rows[] = {
        {{.subject = {{1}}, .from_offset = 4, .next_offset = 9, .copies = 2, .change = {(const uint8_t *)"c", 1}}, 0},
        {{.subject = {{2}}, .from_offset = 0, .next_offset = 1}, 0},
        {{.subject = {{3}}, .change = {(const uint8_t *)"u", 1}}, 0},
        {{.subject = {{4}}, .from_offset = 9, .next_offset = 9}, STATUS_MALFORMED},
        {{.subject = {{5}}, .from_offset = UINT64_MAX, .next_offset = 1}, STATUS_MALFORMED},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct told_change *told = &rows[i].told;
        struct told_change decoded;
        struct arena arena;
        arena_init(&arena);
        assert_int_equal(encode_and_decode(told, &arena, &decoded), rows[i].rc);
        if (rows[i].rc == 0) {
            assert_true(id_hash_equal(&decoded.subject, &told->subject));
            assert_true(decoded.from_offset == told->from_offset && decoded.next_offset == told->next_offset);
            assert_int_equal(decoded.copies, told->copies);
            assert_int_equal(bytes_is_present(decoded.change), bytes_is_present(told->change));
            assert_true(bytes_equal(decoded.change, told->change));
        }
        arena_close(&arena);
    }
}

static void what_is_no_map_is_refused(void **state) {
    struct arena arena;
    struct told_change told;
    (void)state;
    arena_init(&arena);
    assert_int_equal(told_change_decode(BYTES_LITERAL(""), &arena, &told), STATUS_MALFORMED);
    assert_int_equal(told_change_decode(BYTES_LITERAL("\x93\x01\x02\x03"), &arena, &told), STATUS_MALFORMED);
    arena_close(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_place_comes_back_as_it_was_said),
        cmocka_unit_test(what_is_no_map_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
