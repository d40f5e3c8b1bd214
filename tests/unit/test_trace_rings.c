/* What a node remembers: the newest events of each ring, of the thread and the changes that are asked for, while others
 * are noted. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/trace_rings.h"

#define RINGS 3
#define EVENTS 8
#define EVENTS_OVERWRITTEN 256 /* many that the writer may come upon while they are read */

static const struct id_hash THREAD = {{1, 2, 3, 4, 5, 6, 7, 8}}, OTHER = {{1, 2, 3, 4, 5, 6, 7, 9}};

static void note(struct trace *trace, size_t ring, const struct id_hash *thread, enum trace_stage stage,
                 uint64_t number, uint64_t about) {
    trace_note(trace_ring(trace, ring), thread,
               &(struct trace_event){.stage = stage, .time_us = trace_now_us(), .number = number, .about = about});
}

static size_t recall(struct trace *trace, uint64_t offset, struct arena *arena, struct trace_memory *memory) {
    struct trace_change change = {.offset = offset};
    trace_recall(trace, &THREAD, &change, 1, arena, memory);
    return trace_events_count(memory);
}

/* Index 40 of the log is offset 7 of the thread. */
static void change_note(struct trace *trace) {
    note(trace, TRACE_RING_CORE, &THREAD, TRACE_RECEIVED, 40, 0);
    note(trace, TRACE_RING_DISK, &THREAD, TRACE_WRITTEN, 40, 0);
    note(trace, TRACE_RING_DISK, &THREAD, TRACE_WRITTEN, 41, 0);
    note(trace, TRACE_RING_DISK, &THREAD, TRACE_APPLIED, 7, 40);
    note(trace, TRACE_RING_WORKERS, &THREAD, TRACE_TOLD, 7, 99);
    note(trace, TRACE_RING_WORKERS, &THREAD, TRACE_TOLD, 8, 99);
    note(trace, TRACE_RING_WORKERS, &OTHER, TRACE_TOLD, 7, 99);
}

static void what_is_asked_for_is_recalled_and_nothing_else(void **state) {
    static const enum trace_stage stages[] = {TRACE_APPLIED, TRACE_TOLD, TRACE_RECEIVED, TRACE_WRITTEN};
    struct trace *trace = trace_new(RINGS, EVENTS);
    struct trace_memory memory;
    struct arena arena;
    (void)state;
    arena_init(&arena);
    int64_t before_us = trace_unix_us();
    change_note(trace);
    assert_int_equal(recall(trace, 7, &arena, &memory), 4);
    for (size_t i = 0; i < 4; i++) {
        struct trace_event event = trace_events_at(&memory, i);
        assert_int_equal(event.stage, stages[i]);
        assert_true(event.time_us >= before_us - 1000000 && event.time_us <= memory.now_us + 1);
    }
    assert_int_equal(recall(trace, 6, &arena, &memory), 0);
    assert_false(memory.is_off);
    arena_close(&arena);
    trace_free(trace);
}

static void the_oldest_events_are_forgotten_and_it_is_known_since_when(void **state) {
    struct trace *trace = trace_new(RINGS, EVENTS - 1);
    struct trace_memory memory;
    struct arena arena;
    (void)state;
    arena_init(&arena);
    change_note(trace);
    recall(trace, 7, &arena, &memory);
    int64_t told_from_us = memory.told_from_us, log_from_us = memory.log_from_us;
    int64_t later_us = trace_now_us() + 2000;
    while (trace_now_us() < later_us)
        ;
    for (size_t i = 0; i < EVENTS; i++)
        note(trace, TRACE_RING_WORKERS, &THREAD, TRACE_TOLD, 100 + i, 1);
    assert_int_equal(recall(trace, 7, &arena, &memory), 3);
    assert_in_range(memory.log_from_us, log_from_us - 1000, log_from_us + 1000);
    assert_true(memory.told_from_us > told_from_us + 1000);
    assert_int_equal(recall(trace, 100 + EVENTS - 1, &arena, &memory), 1);
    arena_close(&arena);
    trace_free(trace);
}

static void changes_of_a_message_are_found_in_order_and_once(void **state) {
    static const uint64_t offsets[] = {9, 4, 9, 6};
    struct trace *trace = trace_new(RINGS, EVENTS);
    struct trace_change changes[TRACE_CHANGES_MAX];
    (void)state;
    for (size_t i = 0; i < 4; i++)
        note(trace, TRACE_RING_DISK, &THREAD, TRACE_MESSAGE, offsets[i], 1764);
    note(trace, TRACE_RING_DISK, &THREAD, TRACE_MESSAGE, 5, 1765);
    note(trace, TRACE_RING_DISK, &OTHER, TRACE_MESSAGE, 3, 1764);
    assert_int_equal(trace_changes_of(trace, &THREAD, 1764, changes), 3);
    assert_true(changes[0].offset == 4 && changes[1].offset == 6 && changes[2].offset == 9);
    assert_int_equal(trace_changes_of(NULL, &THREAD, 1764, changes), 0);
    trace_free(trace);
}

static void who_remembers_nothing_says_so(void **state) {
    struct trace *trace = trace_new(RINGS, 0);
    struct trace_memory memory;
    struct arena arena;
    (void)state;
    arena_init(&arena);
    assert_null(trace);
    assert_null(trace_ring(trace, TRACE_RING_DISK));
    change_note(trace);
    assert_int_equal(recall(trace, 7, &arena, &memory), 0);
    assert_true(memory.is_off);
    arena_close(&arena);
    trace_free(trace);
}

struct noting {
    struct trace *trace;
    atomic_bool is_over;
};

/* Each event says the same in all its words. */
static void *note_on(void *context) {
    struct noting *noting = context;
    for (uint64_t i = 1; !atomic_load(&noting->is_over); i++)
        trace_note(
            trace_ring(noting->trace, TRACE_RING_WORKERS), &THREAD,
            &(struct trace_event){
                .stage = TRACE_TOLD, .detail = (uint8_t)i, .time_us = (int64_t)i, .number = 1 + i % 4, .about = i});
    return NULL;
}

static void what_is_overwritten_meanwhile_is_left_out(void **state) {
    struct noting noting = {.trace = trace_new(RINGS, EVENTS_OVERWRITTEN)};
    pthread_t thread;
    size_t seen = 0;
    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, note_on, &noting), 0);
    for (size_t i = 0; i < 20000 || seen == 0; i++) {
        struct trace_memory memory;
        struct arena arena;
        arena_init(&arena);
        size_t count = recall(noting.trace, 1, &arena, &memory);
        int64_t to_unix_us = 0;
        for (size_t j = 0; j < count; j++) {
            struct trace_event event = trace_events_at(&memory, j);
            assert_int_equal(event.about % 4, 0);
            assert_int_equal(event.detail, (uint8_t)event.about);
            int64_t apart = event.time_us - (int64_t)event.about; /* the same for all, in unix time */
            to_unix_us = j == 0 ? apart : to_unix_us;
            assert_true(apart == to_unix_us);
        }
        seen += count;
        arena_close(&arena);
    }
    atomic_store(&noting.is_over, true);
    pthread_join(thread, NULL);
    trace_free(noting.trace);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_asked_for_is_recalled_and_nothing_else),
        cmocka_unit_test(the_oldest_events_are_forgotten_and_it_is_known_since_when),
        cmocka_unit_test(changes_of_a_message_are_found_in_order_and_once),
        cmocka_unit_test(who_remembers_nothing_says_so),
        cmocka_unit_test(what_is_overwritten_meanwhile_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
