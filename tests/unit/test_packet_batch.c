#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/peer/packet_batch.h"
#include "proto/status.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void packets_come_out_as_they_went_in(void **state) {
    const struct bytes packets[] = {BYTES_LITERAL("one"), BYTES_LITERAL(""), BYTES_LITERAL("three")};
    struct buffer encoded;
    struct packet_batch batch;
    struct bytes packet;
    (void)state;
    buffer_init(&encoded);
    buffer_append_text(&encoded, "what was there before");
    packet_batch_begin(&encoded, UINT64_MAX - 1);
    for (size_t i = 0; i < COUNT(packets); i++)
        packet_batch_add(&encoded, packets[i]);
    assert_int_equal(encoded.size, PACKET_BATCH_HEAD_BYTES + 3 * PACKET_BATCH_ITEM_BYTES + 8);
    assert_int_equal(packet_batch_open(buffer_bytes(&encoded), &batch), STATUS_OK);
    assert_true(batch.credit == UINT64_MAX - 1);
    for (size_t i = 0; i < COUNT(packets); i++) {
        assert_true(packet_batch_next(&batch, &packet));
        assert_true(bytes_equal(packet, packets[i]));
    }
    assert_false(packet_batch_next(&batch, &packet));
    buffer_close(&encoded);
}

static void a_batch_without_packets_is_one(void **state) {
    struct packet_batch batch;
    struct bytes packet;
    (void)state;
    assert_int_equal(packet_batch_open(BYTES_LITERAL("\0\0\0\0\0\0\0\5"), &batch), STATUS_OK);
    assert_true(batch.credit == 5);
    assert_false(packet_batch_next(&batch, &packet));
}

static void what_is_cut_off_or_claims_too_much_is_refused(void **state) {
    const struct bytes rows[] = {
        BYTES_ABSENT,
        BYTES_LITERAL(""),
        BYTES_LITERAL("\0\0\0\0\0\0\0"),
        BYTES_LITERAL("\0\0\0\0\0\0\0\5\0"),
        BYTES_LITERAL("\0\0\0\0\0\0\0\5\0\0\0\1"),
        BYTES_LITERAL("\0\0\0\0\0\0\0\5\0\0\0\1a\0\0\0\2b"),
        BYTES_LITERAL("\0\0\0\0\0\0\0\5\377\377\377\377a"),
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct packet_batch batch;
        assert_int_equal(packet_batch_open(rows[i], &batch), STATUS_MALFORMED);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_come_out_as_they_went_in),
        cmocka_unit_test(a_batch_without_packets_is_one),
        cmocka_unit_test(what_is_cut_off_or_claims_too_much_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
