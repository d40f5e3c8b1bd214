#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "proto/buffer.h"

static void pieces_follow_each_other(void **state) {
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer);
    buffer_append(&buffer, "ab", 2);
    buffer_append_bytes(&buffer, BYTES_LITERAL("c\0d"));
    buffer_append_bytes(&buffer, BYTES_ABSENT);
    buffer_append_text(&buffer, "ef");
    buffer_printf(&buffer, "%d%s", 7, "!");
    assert_true(bytes_equal(buffer_bytes(&buffer), BYTES_LITERAL("abc\0def7!")));
    buffer_close(&buffer);
    assert_int_equal(buffer.size, 0);
}

static void an_empty_buffer_is_present_and_empty(void **state) {
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer);
    assert_true(bytes_is_present(buffer_bytes(&buffer)));
    assert_int_equal(buffer_bytes(&buffer).size, 0);
    buffer_close(&buffer);
}

static void growing_keeps_what_was_there(void **state) {
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer);
    for (unsigned i = 0; i < 5000; i++) {
        uint8_t byte = (uint8_t)(i * 7);
        buffer_append(&buffer, &byte, 1);
    }
    buffer_printf(&buffer, "%03000d", 5);
    assert_int_equal(buffer.size, 8000);
    for (unsigned i = 0; i < 5000; i++)
        assert_int_equal(buffer.data[i], (uint8_t)(i * 7));
    assert_int_equal(buffer.data[7999], '5');
    buffer_close(&buffer);
}

static void reserved_room_counts_only_when_added(void **state) {
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer);
    memset(buffer_reserve(&buffer, 1000), 'x', 1000);
    assert_int_equal(buffer.size, 0);
    buffer_added(&buffer, 3);
    assert_true(bytes_equal_text(buffer_bytes(&buffer), "xxx"));
    buffer_close(&buffer);
}

static void taken_memory_belongs_to_the_caller(void **state) {
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer);
    buffer_append_text(&buffer, "kept");
    size_t size;
    uint8_t *taken = buffer_take(&buffer, &size);
    buffer_append_text(&buffer, "new");
    buffer_close(&buffer);
    assert_int_equal(size, 4);
    assert_memory_equal(taken, "kept", 4);
    free(taken);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_follow_each_other),           cmocka_unit_test(an_empty_buffer_is_present_and_empty),
        cmocka_unit_test(growing_keeps_what_was_there),       cmocka_unit_test(reserved_room_counts_only_when_added),
        cmocka_unit_test(taken_memory_belongs_to_the_caller),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
