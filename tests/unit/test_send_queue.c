#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/peer/send_queue.h"

#define LARGE_BYTES (SEND_QUEUE_SMALL_BYTES + 1)
#define COST(size) ((size) + SEND_QUEUE_OVERHEAD_BYTES)
#define NO_BOUND SIZE_MAX

/* A packet that begins with `name`. */
static size_t push(struct send_queue *queue, char name, size_t size, size_t bytes_max) {
    uint8_t packet[LARGE_BYTES] = {(uint8_t)name};
    return send_queue_push(queue, bytes_of(packet, size), bytes_max);
}

static void assert_holds(struct send_queue *queue, const char *names) {
    struct bytes packet;
    assert_int_equal(queue->count, strlen(names));
    for (; *names != '\0'; names++) {
        assert_true(send_queue_peek(queue, &packet));
        assert_int_equal(packet.data[0], *names);
        send_queue_pop(queue);
    }
    assert_false(send_queue_peek(queue, &packet));
    assert_int_equal(queue->bytes, 0);
}

static void packets_leave_in_the_order_they_came(void **state) {
    struct send_queue queue;
    (void)state;
    send_queue_init(&queue);
    push(&queue, 'a', 10, NO_BOUND);
    push(&queue, 'B', LARGE_BYTES, NO_BOUND);
    push(&queue, 'c', 10, NO_BOUND);
    push(&queue, 'D', LARGE_BYTES, NO_BOUND);
    assert_int_equal(queue.bytes, 2 * COST(10) + 2 * COST(LARGE_BYTES));
    assert_holds(&queue, "aBcD");
    push(&queue, 'E', LARGE_BYTES, NO_BOUND);
    assert_holds(&queue, "E");
}

static void the_oldest_large_packets_are_dropped_first(void **state) {
    struct send_queue queue;
    (void)state;
    send_queue_init(&queue);
    for (const char *name = "aBCdE"; *name != '\0'; name++)
        push(&queue, *name, *name < 'a' ? LARGE_BYTES : SEND_QUEUE_SMALL_BYTES, NO_BOUND);
    assert_int_equal(send_queue_trim(&queue, queue.bytes), 0);
    assert_int_equal(send_queue_trim(&queue, queue.bytes - 1), 1);
    assert_int_equal(send_queue_trim(&queue, queue.bytes - COST(LARGE_BYTES)), 1);
    assert_holds(&queue, "adE");
}

static void small_packets_go_when_there_are_no_large_ones(void **state) {
    struct send_queue queue;
    (void)state;
    send_queue_init(&queue);
    const size_t bound = 2 * COST(10);
    assert_int_equal(push(&queue, 'a', 10, bound), 0);
    assert_int_equal(push(&queue, 'b', 10, bound), 0);
    assert_int_equal(push(&queue, 'c', 10, bound), 1);
    assert_int_equal(push(&queue, 'D', LARGE_BYTES, bound), 1); /* itself */
    assert_holds(&queue, "bc");
}

static void many_tiny_packets_are_bounded_too(void **state) {
    struct send_queue queue;
    (void)state;
    send_queue_init(&queue);
    for (int i = 0; i < 10000; i++)
        push(&queue, 'x', 0, 100 * COST(0));
    assert_int_equal(queue.count, 100);
    send_queue_close(&queue);
    assert_int_equal(queue.count, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_leave_in_the_order_they_came),
        cmocka_unit_test(the_oldest_large_packets_are_dropped_first),
        cmocka_unit_test(small_packets_go_when_there_are_no_large_ones),
        cmocka_unit_test(many_tiny_packets_are_bounded_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
