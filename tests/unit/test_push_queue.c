/* What waits for devices: who takes whose room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "node/push/push_queue.h"

static struct push_queue queue;

static int open_queue(void **state) {
    (void)state;
    push_queue_init(&queue);
    return 0;
}

static int close_queue(void **state) {
    (void)state;
    push_queue_close(&queue);
    return 0;
}

static struct id_hash hash_of(unsigned number) {
    struct id_hash hash = {{0}};
    memcpy(hash.bytes, &number, sizeof(number));
    return hash;
}

static struct push_item *item_of(unsigned user, unsigned device, unsigned thread, int64_t happened_ms) {
    char id[16];
    snprintf(id, sizeof(id), "%u", device);
    struct push_registration registration = {
        .id = bytes_of_text(id), .transport = PUSH_WEB, .address = BYTES_LITERAL("https://push.example/x")};
    struct push_job job = {
        .user = hash_of(user), .device = &registration, .thread = hash_of(thread), .happened_ms = happened_ms};
    return push_item_new(&job, BYTES_LITERAL("push.example"), NULL);
}

static void add(unsigned user, unsigned device, unsigned thread, int64_t happened_ms) {
    push_queue_add(&queue, item_of(user, device, thread, happened_ms));
}

static size_t count_of(unsigned user) {
    struct id_hash hash = hash_of(user);
    size_t count = 0;
    for (const struct push_item *item = queue.first; item != NULL; item = item->next)
        count += id_hash_equal(&item->job.user, &hash);
    return count;
}

static void of_a_device_and_thread_the_newest_waits(void **state) {
    (void)state;
    add(1, 1, 1, 10);
    queue.first->due_ms = 77;
    queue.first->attempts = 5;
    add(1, 1, 1, 20);
    assert_int_equal(queue.count, 1);
    assert_int_equal(queue.first->job.happened_ms, 20);
    assert_int_equal(queue.first->due_ms, 77);
    assert_int_equal(queue.first->attempts, 0);
    add(1, 1, 1, 15);
    assert_int_equal(queue.first->job.happened_ms, 20);
    assert_int_equal(queue.replaced, 2);
    add(1, 1, 2, 20);
    add(1, 2, 1, 20);
    add(2, 1, 1, 20);
    assert_int_equal(queue.count, 4);
    assert_int_equal(queue.replaced, 2);
}

static void what_is_begun_again_goes_to_the_end_and_displaces_nobody(void **state) {
    (void)state;
    add(1, 1, 1, 10);
    add(2, 1, 1, 20);
    struct push_item *item = queue.first;
    push_queue_take(&queue, item);
    push_queue_add_again(&queue, item);
    assert_ptr_equal(queue.last, item);
    push_queue_take(&queue, item);
    item->due_ms = 88;
    add(1, 1, 1, 30);
    push_queue_add_again(&queue, item);
    assert_int_equal(queue.last->due_ms, 88);
    assert_int_equal(queue.count, 2);
    assert_int_equal(queue.last->job.happened_ms, 30);
    for (unsigned i = 1; i < PUSH_WAITING_PER_DEVICE_MAX; i++)
        add(1, 1, 1 + i, 40);
    push_queue_add_again(&queue, item_of(1, 1, 1000, 5));
    assert_int_equal(queue.count, 1 + PUSH_WAITING_PER_DEVICE_MAX);
    assert_int_equal(queue.displaced, 1);
}

static void a_device_and_a_user_have_so_much_and_no_more(void **state) {
    (void)state;
    for (unsigned i = 0; i < 2 * PUSH_WAITING_PER_DEVICE_MAX; i++)
        add(1, 1, i, i);
    assert_int_equal(count_of(1), PUSH_WAITING_PER_DEVICE_MAX);
    assert_int_equal(queue.first->job.happened_ms, PUSH_WAITING_PER_DEVICE_MAX);
    for (unsigned i = 0; i < 2 * PUSH_WAITING_PER_USER_MAX; i++)
        add(1, i, 1000, 1000);
    assert_int_equal(count_of(1), PUSH_WAITING_PER_USER_MAX);
}

static void who_comes_takes_the_room_of_whoever_has_most(void **state) {
    (void)state;
    for (unsigned i = 0; i < PUSH_WAITING_PER_USER_MAX; i++)
        add(1, i / 16, i, 50);
    for (unsigned user = 2; queue.count < PUSH_WAITING_MAX; user++)
        add(user, 1, 1, 10);
    for (unsigned i = 0; i < PUSH_WAITING_PER_USER_MAX - 1; i++)
        add(1000000 + i, 1, 1, 60);
    assert_int_equal(queue.count, PUSH_WAITING_MAX);
    assert_int_equal(count_of(1), 1);
    assert_int_equal(count_of(2), 1);
    assert_int_equal(count_of(1000000), 1);
    assert_int_equal(queue.displaced, PUSH_WAITING_PER_USER_MAX - 1);
}

int main(void) {
#define OF(test) cmocka_unit_test_setup_teardown(test, open_queue, close_queue)
    const struct CMUnitTest tests[] = {
        OF(of_a_device_and_thread_the_newest_waits),
        OF(what_is_begun_again_goes_to_the_end_and_displaces_nobody),
        OF(a_device_and_a_user_have_so_much_and_no_more),
        OF(who_comes_takes_the_room_of_whoever_has_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
