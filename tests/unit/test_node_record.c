/* What nodes say of themselves: there and back, refused when it makes no sense, admitted only by the secret. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/node_record.h"
#include "proto/status.h"

#define TEXT_64 "0123456789012345678901234567890123456789012345678901234567890123"

static const uint8_t secret[NODE_ADMISSION_KEY_BYTES] = "a key that comes from the secret";
static const uint8_t other_secret[NODE_ADMISSION_KEY_BYTES] = "a key that comes from another...";

static struct node_record example(void) {
    struct node_record record = {.id = 0xfedcba9876543210,
                                 .name = BYTES_LITERAL("node-1"),
                                 .zone = BYTES_LITERAL("rack-a"),
                                 .peer_address = BYTES_LITERAL("[::1]:8444"),
                                 .public_url = BYTES_LITERAL("https://chat.example.org"),
                                 .protocol_oldest = 1,
                                 .protocol_newest = 2};
    memset(record.public_key, 0xab, sizeof(record.public_key));
    node_record_admit(&record, secret);
    return record;
}

static int decode(const struct node_record *record, struct arena *arena, struct node_record *decoded) {
    struct buffer encoded;
    buffer_init(&encoded);
    node_record_encode(record, &encoded);
    int rc = node_record_decode(arena_copy(arena, buffer_bytes(&encoded)), arena, decoded);
    buffer_close(&encoded);
    return rc;
}

static void a_record_comes_back_as_it_was(void **state) {
    struct arena arena;
    struct node_record record = example();
    struct node_record decoded;
    (void)state;
    arena_init(&arena);
    assert_int_equal(decode(&record, &arena, &decoded), STATUS_OK);
    assert_true(decoded.id == record.id);
    assert_true(bytes_equal(decoded.name, record.name) && bytes_equal(decoded.zone, record.zone));
    assert_true(bytes_equal(decoded.peer_address, record.peer_address));
    assert_true(bytes_equal(decoded.public_url, record.public_url));
    assert_int_equal(decoded.protocol_oldest, 1);
    assert_int_equal(decoded.protocol_newest, 2);
    assert_memory_equal(decoded.public_key, record.public_key, sizeof(record.public_key));
    assert_true(node_record_is_admitted(&decoded, secret));
    arena_close(&arena);
}

static void texts_that_may_be_missing_are_empty(void **state) {
    struct arena arena;
    struct node_record record = example();
    struct node_record decoded;
    (void)state;
    arena_init(&arena);
    record.name = record.zone = record.public_url = BYTES_ABSENT;
    assert_int_equal(decode(&record, &arena, &decoded), STATUS_OK);
    assert_true(bytes_is_present(decoded.zone) && decoded.zone.size == 0);
    assert_true(bytes_is_present(decoded.public_url) && decoded.public_url.size == 0);
    arena_close(&arena);
}

static void a_record_that_makes_no_sense_is_refused(void **state) {
    struct arena arena;
    struct node_record decoded;
    struct node_record records[6];
    (void)state;
    arena_init(&arena);
    for (size_t i = 0; i < 6; i++)
        records[i] = example();
    records[0].id = 0;
    records[1].peer_address = BYTES_ABSENT;
    records[2].protocol_oldest = 3;
    records[3].protocol_oldest = 0;
    records[4].name = BYTES_LITERAL(TEXT_64);
    records[5].peer_address = BYTES_LITERAL("127.0.0.1\0:1");
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(decode(&records[i], &arena, &decoded), STATUS_MALFORMED);
    assert_int_equal(node_record_decode(BYTES_LITERAL(""), &arena, &decoded), STATUS_MALFORMED);
    assert_int_equal(node_record_decode(BYTES_LITERAL("\x80"), &arena, &decoded), STATUS_MALFORMED);
    /* A key of one byte. */
    assert_int_equal(
        node_record_decode(BYTES_LITERAL("\x86\x01\x07\x04\xc4\x01x\x06\x01\x07\x01\x08\xc4\x01k\x09\xc4\x01p"), &arena,
                           &decoded),
        STATUS_MALFORMED);
    arena_close(&arena);
}

static void only_the_secret_admits_and_only_this_id_with_this_key(void **state) {
    struct node_record record = example();
    (void)state;
    assert_true(node_record_is_admitted(&record, secret));
    assert_false(node_record_is_admitted(&record, other_secret));
    record.id++;
    assert_false(node_record_is_admitted(&record, secret));
    record = example();
    record.public_key[31] ^= 1;
    assert_false(node_record_is_admitted(&record, secret));
    record = example();
    record.admission[0] ^= 1;
    assert_false(node_record_is_admitted(&record, secret));
    /* The address may change without a new proof. */
    record = example();
    record.peer_address = BYTES_LITERAL("192.0.2.1:1");
    assert_true(node_record_is_admitted(&record, secret));
}

static void ids_are_sixteen_lower_case_digits(void **state) {
    static const char *const wrong[] = {"",
                                        "0",
                                        "0000000000000000",
                                        "FEDCBA9876543210",
                                        "fedcba987654321",
                                        "fedcba98765432100",
                                        "fedcba987654321g",
                                        "-edcba9876543210"};
    char text[NODE_ID_TEXT_BYTES];
    uint64_t id = 0;
    (void)state;
    node_id_format(0xfedcba9876543210, text);
    assert_string_equal(text, "fedcba9876543210");
    assert_int_equal(node_id_parse(bytes_of_text(text), &id), STATUS_OK);
    assert_true(id == 0xfedcba9876543210);
    node_id_format(1, text);
    assert_string_equal(text, "0000000000000001");
    assert_int_equal(node_id_parse(bytes_of_text(text), &id), STATUS_OK);
    assert_true(id == 1);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(node_id_parse(bytes_of_text(wrong[i]), &id), STATUS_MALFORMED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_comes_back_as_it_was),
        cmocka_unit_test(texts_that_may_be_missing_are_empty),
        cmocka_unit_test(a_record_that_makes_no_sense_is_refused),
        cmocka_unit_test(only_the_secret_admits_and_only_this_id_with_this_key),
        cmocka_unit_test(ids_are_sixteen_lower_case_digits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
