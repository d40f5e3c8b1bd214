/* Keys: the order of bytes is the order of meaning, and what was put in comes out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "storage/keys.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct id_hash LOW = {{0x01}};
static const struct id_hash HIGH = {{0x01, 0x00, 0x01}};

static int key_compare(const struct key *a, const struct key *b) {
    size_t size = a->size < b->size ? a->size : b->size;
    int order = memcmp(a->data, b->data, size);
    return order != 0 ? order : (a->size > b->size) - (a->size < b->size);
}

static void numbers_keep_their_order_and_value(void **state) {
    static const uint64_t numbers[] = {0, 1, 0xff, 0x100, 0xffff, 1ULL << 32, 1ULL << 63, UINT64_MAX};
    (void)state;
    for (size_t i = 0; i < COUNT(numbers); i++) {
        uint8_t bytes[8];
        uint8_t next[8];
        number_encode(bytes, numbers[i]);
        assert_true(number_decode(bytes) == numbers[i]);
        if (i + 1 == COUNT(numbers))
            break;
        number_encode(next, numbers[i + 1]);
        assert_true(memcmp(bytes, next, sizeof(bytes)) < 0);
    }
}

static void rows_of_a_subject_lie_together_and_changes_in_the_order_of_their_offsets(void **state) {
    const struct key keys[] = {
        key_of_request_id(&LOW, 1, &HIGH),
        key_of_request_id(&LOW, 2, &LOW),
        key_of_row(&LOW, ROW_HOLD),
        key_of_row_number(&LOW, ROW_MESSAGE_OFFSET, 7),
        key_of_row_number(&LOW, ROW_MESSAGE_OFFSET, UINT64_MAX),
        key_of_row(&LOW, ROW_COUNTERS),
        key_of_row(&LOW, ROW_KEY),
        key_of_row_number(&LOW, ROW_MESSAGE, 0),
        key_of_row_number(&LOW, ROW_MESSAGE, 255),
        key_of_row_number(&LOW, ROW_MESSAGE, 256),
        key_of_row_number(&LOW, ROW_MESSAGE, UINT64_MAX),
        key_of_row_hash(&LOW, ROW_PARTICIPANT, &LOW),
        key_of_row_hash(&LOW, ROW_PARTICIPANT, &HIGH),
        key_of_row(&LOW, ROW_TOMBSTONE),
        key_of_row_hash(&LOW, ROW_CLIENT_ID, &LOW),
        key_of_request_id(&HIGH, 0, &LOW),
    };
    (void)state;
    for (size_t i = 0; i + 1 < COUNT(keys); i++)
        assert_true(key_compare(&keys[i], &keys[i + 1]) < 0);
}

static void the_parts_of_a_key_come_out_again(void **state) {
    struct key message = key_of_row_number(&HIGH, ROW_MESSAGE, 0x0102030405060708);
    struct key participant = key_of_row_hash(&HIGH, ROW_PARTICIPANT, &LOW);
    struct key outbox = key_of_outbox(&HIGH, UINT64_MAX);
    struct id_hash subject = key_subject(key_bytes(&message));
    struct id_hash suffix = key_suffix_hash(key_bytes(&participant));
    (void)state;
    assert_true(id_hash_equal(&subject, &HIGH));
    assert_true(id_hash_equal(&suffix, &LOW));
    assert_int_equal(key_row_kind(key_bytes(&message)), ROW_MESSAGE);
    assert_true(key_suffix_number(key_bytes(&message)) == 0x0102030405060708);
    assert_true(key_suffix_number(key_bytes(&outbox)) == UINT64_MAX);
    subject = key_subject(key_bytes(&outbox));
    assert_true(id_hash_equal(&subject, &HIGH));
}

static void a_key_belongs_to_its_subject_and_kind_only(void **state) {
    struct key key = key_of_row_number(&LOW, ROW_MESSAGE, 3);
    (void)state;
    assert_true(key_is_of_subject(key_bytes(&key), &LOW));
    assert_false(key_is_of_subject(key_bytes(&key), &HIGH));
    assert_true(key_is_of_row(key_bytes(&key), &LOW, ROW_MESSAGE));
    assert_false(key_is_of_row(key_bytes(&key), &LOW, ROW_MESSAGE_OFFSET));
    assert_false(key_is_of_row(key_bytes(&key), &HIGH, ROW_MESSAGE));
    assert_false(key_is_of_subject(bytes_of(LOW.bytes, sizeof(LOW.bytes)), &LOW)); /* no kind of row: no row */
    assert_false(key_is_of_subject(bytes_of(LOW.bytes, 3), &LOW));
    assert_false(key_is_of_row(BYTES_ABSENT, &LOW, ROW_MESSAGE));
}

static void marks_of_different_ranges_have_different_keys(void **state) {
    struct key first = key_of_range_marks(1);
    struct key other = key_of_range_marks(256);
    (void)state;
    assert_true(key_compare(&first, &other) < 0);
    assert_true(bytes_starts_with(key_bytes(&first), "range"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_keep_their_order_and_value),
        cmocka_unit_test(rows_of_a_subject_lie_together_and_changes_in_the_order_of_their_offsets),
        cmocka_unit_test(the_parts_of_a_key_come_out_again),
        cmocka_unit_test(a_key_belongs_to_its_subject_and_kind_only),
        cmocka_unit_test(marks_of_different_ranges_have_different_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
