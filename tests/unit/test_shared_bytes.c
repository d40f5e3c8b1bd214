#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>

#include "node/gateway/shared_bytes.h"

#define HOLDERS 4
#define ROUNDS 20000

static void a_taken_buffer_is_empty_and_its_bytes_are_not_copied(void **state) {
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer);
    buffer_append_text(&buffer, "one frame");
    const uint8_t *memory = buffer.data;
    struct shared_bytes *shared = shared_bytes_take(&buffer);
    assert_null(buffer.data);
    assert_ptr_equal(shared_bytes_view(shared).data, memory);
    assert_true(bytes_equal_text(shared_bytes_view(shared), "one frame"));
    shared_bytes_release(shared);
}

static void an_empty_buffer_gives_present_and_empty_bytes(void **state) {
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer);
    buffer_reserve(&buffer, 10);
    struct shared_bytes *shared = shared_bytes_take(&buffer);
    assert_true(bytes_is_present(shared_bytes_view(shared)));
    assert_int_equal(shared_bytes_view(shared).size, 0);
    shared_bytes_release(shared);
}

static void a_copy_does_not_depend_on_its_source(void **state) {
    (void)state;
    char text[] = "abc";
    struct shared_bytes *shared = shared_bytes_copy(bytes_of_text(text));
    text[0] = 'x';
    assert_true(bytes_equal_text(shared_bytes_view(shared), "abc"));
    shared_bytes_release(shared);
}

static void no_owner_may_be_held_and_released(void **state) {
    (void)state;
    shared_bytes_hold(NULL);
    shared_bytes_release(NULL);
}

/* A lost count shows as a use after free, or as a leak, under the sanitizers. */
static void *hold_and_release(void *argument) {
    for (int i = 0; i < ROUNDS; i++) {
        shared_bytes_hold(argument);
        shared_bytes_release(argument);
    }
    shared_bytes_release(argument);
    return NULL;
}

static void the_last_of_many_threads_frees(void **state) {
    (void)state;
    struct shared_bytes *shared = shared_bytes_copy(BYTES_LITERAL("shared"));
    pthread_t threads[HOLDERS];
    for (int i = 0; i < HOLDERS; i++) {
        shared_bytes_hold(shared);
        assert_int_equal(pthread_create(&threads[i], NULL, hold_and_release, shared), 0);
    }
    assert_true(bytes_equal_text(shared_bytes_view(shared), "shared"));
    shared_bytes_release(shared);
    for (int i = 0; i < HOLDERS; i++)
        pthread_join(threads[i], NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_taken_buffer_is_empty_and_its_bytes_are_not_copied),
        cmocka_unit_test(an_empty_buffer_gives_present_and_empty_bytes),
        cmocka_unit_test(a_copy_does_not_depend_on_its_source),
        cmocka_unit_test(no_owner_may_be_held_and_released),
        cmocka_unit_test(the_last_of_many_threads_frees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
