/* Sealed records: they open in their own place under their own key and nowhere else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "storage/keys.h"
#include "tests/lib/store_fixture.h"

static struct fixture fixture;
static const struct seal_key KEY = {{1, 2, 3}};
static const struct id_hash SUBJECT = {{4}};
static const struct id_hash OTHER = {{5}};

static int set_up(void **state) {
    (void)state;
    fixture_open(&fixture);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    fixture_close(&fixture);
    return 0;
}

static struct bytes seal(struct bytes record_key, struct bytes plain) {
    struct buffer sealed;
    buffer_init(&sealed);
    seal_record(&KEY, STORE_STATE, record_key, plain, &sealed);
    struct bytes copy = arena_copy(&fixture.arena, buffer_bytes(&sealed));
    buffer_close(&sealed);
    return copy;
}

static void a_sealed_record_opens_to_what_was_sealed(void **state) {
    (void)state;
    for (size_t size = 0; size <= 5000; size = size * 3 + 1) {
        uint8_t *data = arena_alloc(&fixture.arena, size + 1);
        struct bytes plain = bytes_of(data, size);
        struct bytes opened;
        memset(data, 0x5a, size);
        struct bytes sealed = seal(BYTES_LITERAL("key"), plain);
        assert_int_equal(sealed.size, size + SEAL_OVERHEAD_BYTES);
        assert_int_equal(seal_open(&KEY, STORE_STATE, BYTES_LITERAL("key"), sealed, &fixture.arena, &opened), 0);
        assert_true(bytes_equal(opened, plain));
        assert_true(bytes_is_present(opened));
    }
}

static void the_same_record_sealed_twice_looks_different(void **state) {
    (void)state;
    assert_false(
        bytes_equal(seal(BYTES_LITERAL("k"), BYTES_LITERAL("x")), seal(BYTES_LITERAL("k"), BYTES_LITERAL("x"))));
}

static void a_record_opens_only_in_its_place_and_under_its_key(void **state) {
    struct bytes sealed = seal(BYTES_LITERAL("key"), BYTES_LITERAL("plain"));
    struct bytes opened;
    struct seal_key wrong = KEY;
    (void)state;
    wrong.bytes[31] ^= 1;
    assert_int_equal(seal_open(&wrong, STORE_STATE, BYTES_LITERAL("key"), sealed, &fixture.arena, &opened),
                     STATUS_RECORD_CORRUPT);
    assert_int_equal(seal_open(&KEY, STORE_OUTBOX, BYTES_LITERAL("key"), sealed, &fixture.arena, &opened),
                     STATUS_RECORD_CORRUPT);
    assert_int_equal(seal_open(&KEY, STORE_STATE, BYTES_LITERAL("kez"), sealed, &fixture.arena, &opened),
                     STATUS_RECORD_CORRUPT);
    assert_int_equal(seal_open(&KEY, STORE_STATE, BYTES_LITERAL("key1"), sealed, &fixture.arena, &opened),
                     STATUS_RECORD_CORRUPT);
}

static void every_flipped_bit_and_every_missing_byte_is_noticed(void **state) {
    struct bytes sealed = seal(BYTES_LITERAL("key"), BYTES_LITERAL("plain text"));
    struct bytes opened;
    uint8_t *damaged = arena_alloc(&fixture.arena, sealed.size);
    (void)state;
    for (size_t bit = 0; bit < sealed.size * 8; bit++) {
        memcpy(damaged, sealed.data, sealed.size);
        damaged[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(
            seal_open(&KEY, STORE_STATE, BYTES_LITERAL("key"), bytes_of(damaged, sealed.size), &fixture.arena, &opened),
            STATUS_RECORD_CORRUPT);
    }
    for (size_t size = 0; size < sealed.size; size++)
        assert_int_equal(
            seal_open(&KEY, STORE_STATE, BYTES_LITERAL("key"), bytes_of(sealed.data, size), &fixture.arena, &opened),
            STATUS_RECORD_CORRUPT);
}

static void a_key_that_is_too_long_is_corrupt_and_no_overflow(void **state) {
    uint8_t long_key[STORE_KEY_BYTES_MAX + 1] = {0};
    struct bytes sealed = seal(BYTES_LITERAL("key"), BYTES_LITERAL("plain"));
    struct bytes opened;
    (void)state;
    assert_int_equal(
        seal_open(&KEY, STORE_STATE, bytes_of(long_key, sizeof(long_key)), sealed, &fixture.arena, &opened),
        STATUS_RECORD_CORRUPT);
}

static void a_data_key_unwraps_for_its_subject_and_master_only(void **state) {
    uint8_t wrapped[WRAPPED_KEY_BYTES];
    struct seal_key first;
    struct seal_key again;
    (void)state;
    seal_key_make(&KEY, &SUBJECT, wrapped);
    assert_int_equal(seal_key_unwrap(&KEY, &SUBJECT, bytes_of(wrapped, sizeof(wrapped)), &first), 0);
    assert_int_equal(seal_key_unwrap(&KEY, &SUBJECT, bytes_of(wrapped, sizeof(wrapped)), &again), 0);
    assert_memory_equal(first.bytes, again.bytes, SEAL_KEY_BYTES);
    assert_int_equal(seal_key_unwrap(&KEY, &OTHER, bytes_of(wrapped, sizeof(wrapped)), &again), STATUS_RECORD_CORRUPT);
    assert_int_equal(seal_key_unwrap(&fixture.master, &SUBJECT, bytes_of(wrapped, sizeof(wrapped)), &again),
                     STATUS_RECORD_CORRUPT);
    for (size_t size = 0; size < sizeof(wrapped); size++)
        assert_int_equal(seal_key_unwrap(&KEY, &SUBJECT, bytes_of(wrapped, size), &again), STATUS_RECORD_CORRUPT);
    seal_key_make(&KEY, &SUBJECT, wrapped);
    assert_int_equal(seal_key_unwrap(&KEY, &SUBJECT, bytes_of(wrapped, sizeof(wrapped)), &again), 0);
    assert_memory_not_equal(first.bytes, again.bytes, SEAL_KEY_BYTES);
}

static struct store_transaction *begin_write(void) {
    struct store_transaction *transaction = NULL;
    assert_int_equal(store_begin_write(fixture.store, &transaction), 0);
    return transaction;
}

static void a_sealed_row_is_put_and_got_through_the_store(void **state) {
    struct store_transaction *transaction = begin_write();
    struct bytes plain;
    (void)state;
    assert_int_equal(sealed_put(transaction, &KEY, STORE_META, BYTES_LITERAL("a"), BYTES_LITERAL("one")), 0);
    assert_int_equal(sealed_get(transaction, &KEY, STORE_META, BYTES_LITERAL("a"), &fixture.arena, &plain), 0);
    assert_true(bytes_equal_text(plain, "one"));
    assert_int_equal(sealed_get(transaction, &KEY, STORE_META, BYTES_LITERAL("b"), &fixture.arena, &plain),
                     STATUS_STORE_MISSING);
    assert_int_equal(store_put(transaction, STORE_META, BYTES_LITERAL("b"), BYTES_LITERAL("not sealed")), 0);
    assert_int_equal(sealed_get(transaction, &KEY, STORE_META, BYTES_LITERAL("b"), &fixture.arena, &plain),
                     STATUS_RECORD_CORRUPT);
    store_abort(transaction);
}

static void the_first_data_key_of_a_subject_stays_until_it_is_removed(void **state) {
    struct store_transaction *transaction = begin_write();
    struct seal_key first;
    struct seal_key again;
    (void)state;
    assert_int_equal(subject_key_get(transaction, &fixture.master, &SUBJECT, &first), STATUS_STORE_MISSING);
    assert_int_equal(subject_key_put(transaction, &SUBJECT, fixture_key(&fixture, &SUBJECT)), 0);
    assert_int_equal(subject_key_get(transaction, &fixture.master, &SUBJECT, &first), 0);
    assert_int_equal(subject_key_put(transaction, &SUBJECT, fixture_key(&fixture, &SUBJECT)), 0);
    assert_int_equal(subject_key_get(transaction, &fixture.master, &SUBJECT, &again), 0);
    assert_memory_equal(first.bytes, again.bytes, SEAL_KEY_BYTES);
    assert_int_equal(subject_key_remove(transaction, &SUBJECT), 0);
    assert_int_equal(subject_key_get(transaction, &fixture.master, &SUBJECT, &again), STATUS_STORE_MISSING);
    assert_int_equal(subject_key_remove(transaction, &SUBJECT), 0);
    store_abort(transaction);
}

int main(void) {
#define SEALED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        SEALED(a_sealed_record_opens_to_what_was_sealed),
        SEALED(the_same_record_sealed_twice_looks_different),
        SEALED(a_record_opens_only_in_its_place_and_under_its_key),
        SEALED(every_flipped_bit_and_every_missing_byte_is_noticed),
        SEALED(a_key_that_is_too_long_is_corrupt_and_no_overflow),
        SEALED(a_data_key_unwraps_for_its_subject_and_master_only),
        SEALED(a_sealed_row_is_put_and_got_through_the_store),
        SEALED(the_first_data_key_of_a_subject_stays_until_it_is_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
