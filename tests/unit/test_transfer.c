/* Bodies in parts: what is sent when, what is taken, and that it comes together again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "node/core/transfer.h"
#include "proto/status.h"

#define PART ((size_t)PACKET_PART_BYTES)

static struct bytes body_make(size_t size) {
    uint8_t *data = malloc(size + 1);
    for (size_t i = 0; i < size; i++)
        data[i] = (uint8_t)(i * 7 + i / PART);
    return bytes_of(data, size);
}

static struct packet packet_of(const struct transfer_out *out, uint32_t part) {
    return (struct packet){.part = part, .parts = out->parts, .body = transfer_out_part(out, part)};
}

static void a_body_of_any_size_comes_together_in_any_order(void **state) {
    static const struct {
        size_t size;
        uint32_t parts;
    } rows[] = {{0, 1},
                {1, 1},
                {PART - 1, 1},
                {PART, 1},
                {PART + 1, 2},
                {3 * PART + 5, 4},
                {PACKET_PARTS_MAX * PART, PACKET_PARTS_MAX}};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct bytes body = body_make(rows[i].size);
        struct transfer_out out;
        struct transfer_in in = {0};
        transfer_out_init(&out, body);
        assert_int_equal(out.parts, rows[i].parts);
        for (uint32_t part = out.parts; part-- > 0;) {
            struct packet packet = packet_of(&out, part);
            assert_false(transfer_in_is_done(&in));
            assert_int_equal(transfer_in_take(&in, &packet), STATUS_OK);
            assert_int_equal(transfer_in_take(&in, &packet), STATUS_OK);
        }
        assert_true(transfer_in_is_done(&in));
        assert_true(bytes_equal(transfer_in_body(&in), body));
        transfer_in_close(&in);
        free((void *)body.data);
    }
}

static uint32_t send_all(struct transfer_out *out, int64_t mono_ms) {
    uint32_t count = 0, part;
    while (transfer_out_next(out, mono_ms, &part))
        count++;
    return count;
}

static void only_a_few_parts_are_under_way(void **state) {
    struct bytes body = body_make(20 * PART);
    struct transfer_out out;
    (void)state;
    transfer_out_init(&out, body);
    assert_int_equal(send_all(&out, 5), TRANSFER_IN_FLIGHT_MAX);
    assert_int_equal(out.sent_ms, 5);
    assert_int_equal(send_all(&out, 6), 0);
    transfer_out_seen(&out, 0x07);
    assert_int_equal(send_all(&out, 7), 3);
    transfer_out_again(&out);
    assert_int_equal(send_all(&out, 8), TRANSFER_IN_FLIGHT_MAX);
    transfer_out_seen(&out, UINT64_MAX);
    assert_true(transfer_out_is_done(&out));
    assert_int_equal(send_all(&out, 9), 0);
    free((void *)body.data);
}

static void when_all_has_come_the_last_part_asks_again(void **state) {
    struct bytes body = body_make(3 * PART);
    struct transfer_out out;
    uint32_t part;
    (void)state;
    transfer_out_init(&out, body);
    send_all(&out, 0);
    transfer_out_seen(&out, 0x07);
    transfer_out_again(&out);
    assert_true(transfer_out_next(&out, 1, &part));
    assert_int_equal(part, 2);
    assert_false(transfer_out_next(&out, 1, &part));
    /* The other side has restarted and says so. */
    transfer_out_seen(&out, 0x04);
    transfer_out_again(&out);
    assert_int_equal(send_all(&out, 2), 2);
    free((void *)body.data);
}

static void parts_that_cannot_be_are_refused(void **state) {
    static uint8_t data[PACKET_PART_BYTES + 1];
    static const struct {
        uint32_t part, parts;
        size_t size;
        int rc;
    } rows[] = {
        {0, 0, 1, STATUS_MALFORMED},
        {0, PACKET_PARTS_MAX + 1, PART, STATUS_MALFORMED},
        {3, 3, PART, STATUS_MALFORMED},
        {UINT32_MAX, UINT32_MAX, 1, STATUS_MALFORMED},
        {0, 3, PART - 1, STATUS_MALFORMED},
        {1, 3, PART + 1, STATUS_MALFORMED},
        {2, 3, 0, STATUS_MALFORMED},
        {2, 3, PART + 1, STATUS_MALFORMED},
        {0, 1, PART + 1, STATUS_MALFORMED},
        {0, 1, 0, STATUS_OK},
        {2, 3, 1, STATUS_OK},
        {0, 3, PART, STATUS_OK},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct transfer_in in = {0};
        struct packet packet = {.part = rows[i].part, .parts = rows[i].parts, .body = bytes_of(data, rows[i].size)};
        assert_int_equal(transfer_in_take(&in, &packet), rows[i].rc);
        transfer_in_close(&in);
    }
}

static void parts_of_another_body_are_refused(void **state) {
    struct bytes body = body_make(2 * PART);
    struct transfer_out out;
    struct transfer_in in = {0};
    (void)state;
    transfer_out_init(&out, body);
    struct packet packet = packet_of(&out, 0);
    assert_int_equal(transfer_in_needs(&in, &packet), 2 * PART);
    assert_int_equal(transfer_in_take(&in, &packet), STATUS_OK);
    assert_int_equal(transfer_in_needs(&in, &packet), 0);
    packet.parts = 3;
    assert_int_equal(transfer_in_take(&in, &packet), STATUS_MALFORMED);
    transfer_in_close(&in);
    free((void *)body.data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_of_any_size_comes_together_in_any_order),
        cmocka_unit_test(only_a_few_parts_are_under_way),
        cmocka_unit_test(when_all_has_come_the_last_part_asks_again),
        cmocka_unit_test(parts_that_cannot_be_are_refused),
        cmocka_unit_test(parts_of_another_body_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
