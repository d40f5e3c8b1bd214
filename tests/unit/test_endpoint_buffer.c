/* What an endpoint has not answered: order, bound, answers, moving to another socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/gateway/endpoint_buffer.h"
#include "proto/limits.h"

static struct endpoint_push *add(struct endpoint_buffer *buffer, uint64_t id) {
    struct shared_bytes *bytes = shared_bytes_copy(bytes_of(&id, sizeof(id)));
    struct endpoint_push *push = endpoint_buffer_add(buffer, bytes, NULL);
    shared_bytes_release(bytes);
    push->id = id;
    return push;
}

static uint64_t name_of(const struct endpoint_push *push) {
    uint64_t name;
    memcpy(&name, shared_bytes_view(push->before).data, sizeof(name));
    return name;
}

/* The buffer holds exactly these, in this order. */
static void expect(struct endpoint_buffer *buffer, const uint64_t *names, size_t count) {
    struct endpoint_push *push;
    uint32_t cursor = 0;
    size_t seen = 0;
    while ((push = endpoint_buffer_next(buffer, &cursor)) != NULL) {
        assert_in_range(seen, 0, count - 1);
        assert_int_equal(name_of(push), names[seen++]);
    }
    assert_int_equal(seen, count);
}

static void unanswered_pushes_stay_in_order(void **state) {
    (void)state;
    struct endpoint_buffer buffer = {0};
    for (uint64_t id = 1; id <= 20; id++)
        add(&buffer, id);
    endpoint_buffer_answered(&buffer, 1);
    endpoint_buffer_answered(&buffer, 3);
    for (uint64_t id = 6; id <= 20; id++)
        endpoint_buffer_answered(&buffer, id);
    expect(&buffer, (uint64_t[]){2, 4, 5}, 3);
    endpoint_buffer_close(&buffer);
}

static void an_answer_says_which_change_it_is_about_also_after_a_move(void **state) {
    (void)state;
    struct endpoint_buffer first = {0}, second = {0};
    struct endpoint_push *push = add(&first, 3);
    push->of = (struct endpoint_push_of){.thread = {{9}}, .offset = 17};
    endpoint_buffer_move(&second, &first);
    uint32_t cursor = 0;
    endpoint_buffer_next(&second, &cursor)->id = 5;
    assert_int_equal(endpoint_buffer_answered(&second, 3).offset, 0);
    struct endpoint_push_of of = endpoint_buffer_answered(&second, 5);
    assert_int_equal(of.offset, 17);
    assert_int_equal(of.thread.bytes[0], 9);
    assert_int_equal(endpoint_buffer_answered(&second, 5).offset, 0);
    endpoint_buffer_close(&second);
}

static void answers_to_nothing_are_ignored(void **state) {
    (void)state;
    struct endpoint_buffer buffer = {0};
    endpoint_buffer_answered(&buffer, 1);
    add(&buffer, 0);
    add(&buffer, 7);
    endpoint_buffer_answered(&buffer, 0);
    endpoint_buffer_answered(&buffer, 8);
    expect(&buffer, (uint64_t[]){0, 7}, 2);
    endpoint_buffer_answered(&buffer, 7);
    endpoint_buffer_answered(&buffer, 7);
    expect(&buffer, (uint64_t[]){0}, 1);
    endpoint_buffer_close(&buffer);
}

static void beyond_the_bound_the_oldest_is_forgotten(void **state) {
    (void)state;
    struct endpoint_buffer buffer = {0};
    uint64_t names[LIMIT_SESSION_UNANSWERED_MAX];
    for (uint64_t id = 1; id <= LIMIT_SESSION_UNANSWERED_MAX + 10; id++)
        add(&buffer, id);
    for (size_t i = 0; i < LIMIT_SESSION_UNANSWERED_MAX; i++)
        names[i] = i + 11;
    expect(&buffer, names, LIMIT_SESSION_UNANSWERED_MAX);
    endpoint_buffer_close(&buffer);
}

static void room_is_used_again_after_answers(void **state) {
    (void)state;
    struct endpoint_buffer buffer = {0};
    for (uint64_t id = 1; id <= 10000; id++) {
        add(&buffer, id);
        if (id > 3)
            endpoint_buffer_answered(&buffer, id - 3);
    }
    expect(&buffer, (uint64_t[]){9998, 9999, 10000}, 3);
    assert_in_range(buffer.capacity, 1, 16);
    endpoint_buffer_close(&buffer);
}

static void what_moves_comes_behind_and_counts_as_not_sent(void **state) {
    (void)state;
    struct endpoint_buffer from = {0}, to = {0};
    struct endpoint_push *push;
    uint32_t cursor = 0;
    for (uint64_t id = 4; id <= 8; id++)
        add(&from, id);
    endpoint_buffer_answered(&from, 6);
    add(&to, 1);
    endpoint_buffer_move(&to, &from);
    expect(&to, (uint64_t[]){1, 4, 5, 7, 8}, 5);
    assert_int_equal(endpoint_buffer_next(&to, &cursor)->id, 1);
    while ((push = endpoint_buffer_next(&to, &cursor)) != NULL)
        assert_int_equal(push->id, 0);
    assert_null(from.ring);
    endpoint_buffer_close(&to);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unanswered_pushes_stay_in_order),
        cmocka_unit_test(an_answer_says_which_change_it_is_about_also_after_a_move),
        cmocka_unit_test(answers_to_nothing_are_ignored),
        cmocka_unit_test(beyond_the_bound_the_oldest_is_forgotten),
        cmocka_unit_test(room_is_used_again_after_answers),
        cmocka_unit_test(what_moves_comes_behind_and_counts_as_not_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
