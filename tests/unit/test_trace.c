/* What nodes tell each other of the way of a change: it is read as it was written, and what is unsound is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/status.h"
#include "proto/trace.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void events_are_read_as_they_were_written(void **state) {
    static const struct trace_event events[] = {
        {.stage = TRACE_RECEIVED, .time_us = 1764000000000123, .number = 7},
        {.stage = TRACE_APPLIED, .detail = 255, .time_us = 1, .number = TRACE_NUMBER_MAX, .about = UINT64_MAX},
        {.stage = TRACE_ANSWERED, .detail = TRACE_TROUTER, .time_us = ((int64_t)1 << 55) - 1, .number = 1, .about = 2},
    };
    struct buffer buffer;
    (void)state;
    buffer_init(&buffer);
    for (size_t i = 0; i < COUNT(events); i++)
        trace_event_add(&buffer, &events[i]);
    struct trace_memory memory = {.events = buffer_bytes(&buffer)};
    assert_int_equal(trace_events_count(&memory), COUNT(events));
    for (size_t i = 0; i < COUNT(events); i++) {
        struct trace_event event = trace_events_at(&memory, i);
        assert_true(event.stage == events[i].stage && event.detail == events[i].detail);
        assert_true(event.time_us == events[i].time_us && event.about == events[i].about);
        assert_true(event.number == events[i].number);
    }
    buffer_close(&buffer);
}

static int request_again(const struct trace_request *request, struct arena *arena, struct trace_request *again) {
    struct buffer encoded;
    buffer_init(&encoded);
    trace_request_encode(request, &encoded);
    int rc = trace_request_decode(arena_copy(arena, buffer_bytes(&encoded)), arena, again);
    buffer_close(&encoded);
    return rc;
}

static void a_request_is_for_one_thing(void **state) {
    struct trace_change changes[TRACE_CHANGES_MAX + 1], none = {.offset = 0}, far = {.offset = TRACE_NUMBER_MAX + 1};
    (void)state;
    for (size_t i = 0; i < COUNT(changes); i++)
        changes[i] = (struct trace_change){.offset = i + 1, .kind = 1};
    const struct {
        struct trace_request request;
        int rc;
    } cases[] = {
        {{.message_id = 1764000000000}, STATUS_OK},
        {{.offset = 17}, STATUS_OK},
        {{.changes = changes, .changes_count = TRACE_CHANGES_MAX}, STATUS_OK},
        {{.message_id = 0}, STATUS_MALFORMED},
        {{.message_id = 1, .offset = 1}, STATUS_MALFORMED},
        {{.offset = 1, .changes = changes, .changes_count = 1}, STATUS_MALFORMED},
        {{.changes = changes, .changes_count = TRACE_CHANGES_MAX + 1}, STATUS_MALFORMED},
        {{.changes = &none, .changes_count = 1}, STATUS_MALFORMED},
        {{.changes = &far, .changes_count = 1}, STATUS_MALFORMED},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct trace_request again;
        struct arena arena;
        arena_init(&arena);
        assert_int_equal(request_again(&cases[i].request, &arena, &again), cases[i].rc);
        if (cases[i].rc == STATUS_OK) {
            assert_int_equal(again.message_id, cases[i].request.message_id);
            assert_int_equal(again.offset, cases[i].request.offset);
            assert_int_equal(again.changes_count, cases[i].request.changes_count);
        }
        arena_close(&arena);
    }
}

static int memory_decode(struct bytes events, struct arena *arena) {
    struct trace_memory memory = {.now_us = 5, .events = events}, again;
    struct buffer encoded;
    buffer_init(&encoded);
    trace_memory_encode(&memory, &encoded);
    int rc = trace_memory_decode(arena_copy(arena, buffer_bytes(&encoded)), arena, &again);
    buffer_close(&encoded);
    return rc;
}

static void events_that_are_none_are_refused(void **state) {
    struct arena arena;
    struct buffer events;
    struct trace_event event = {.stage = TRACE_STAGES - 1, .time_us = 1, .number = 1};
    (void)state;
    arena_init(&arena);
    buffer_init(&events);
    trace_event_add(&events, &event);
    assert_int_equal(memory_decode(buffer_bytes(&events), &arena), STATUS_OK);
    assert_int_equal(memory_decode(bytes_of(events.data, TRACE_EVENT_BYTES - 1), &arena), STATUS_MALFORMED);
    for (unsigned stage = 0; stage <= TRACE_STAGES; stage += TRACE_STAGES) {
        event.stage = (enum trace_stage)stage;
        trace_event_add(&events, &event);
        assert_int_equal(
            memory_decode(bytes_of(events.data + events.size - TRACE_EVENT_BYTES, TRACE_EVENT_BYTES), &arena),
            STATUS_MALFORMED);
    }
    event.stage = TRACE_TOLD;
    buffer_close(&events);
    buffer_init(&events);
    for (size_t i = 0; i <= TRACE_EVENTS_MAX; i++)
        trace_event_add(&events, &event);
    assert_int_equal(memory_decode(bytes_of(events.data, TRACE_EVENTS_MAX * TRACE_EVENT_BYTES), &arena), STATUS_OK);
    assert_int_equal(memory_decode(buffer_bytes(&events), &arena), STATUS_MALFORMED);
    buffer_close(&events);
    arena_close(&arena);
}

static void a_subject_is_read_as_it_was_written(void **state) {
    struct trace_change changes[] = {{.offset = 3, .kind = 1}, {.offset = 9, .kind = 2}};
    struct trace_user users[] = {{.user_id = BYTES_LITERAL("8:acs:r_a")},
                                 {.user_id = BYTES_LITERAL("8:acs:r_b"), .is_gone = true}};
    struct trace_subject subject = {.has_thread = true,
                                    .has_message = true,
                                    .message = {.id = 5, .offset = 9, .created_offset = 3},
                                    .newest = 12,
                                    .changes = changes,
                                    .changes_count = COUNT(changes),
                                    .users = users,
                                    .users_count = COUNT(users)};
    struct trace_subject again;
    struct arena arena;
    struct buffer encoded;
    (void)state;
    arena_init(&arena);
    buffer_init(&encoded);
    trace_subject_encode(&subject, &encoded);
    assert_int_equal(trace_subject_decode(buffer_bytes(&encoded), &arena, &again), STATUS_OK);
    assert_true(again.has_thread && again.has_message);
    assert_int_equal(again.message.created_offset, 3);
    assert_int_equal(again.newest, 12);
    assert_int_equal(again.changes_count, COUNT(changes));
    assert_true(again.changes[1].offset == 9 && again.changes[1].kind == 2);
    assert_true(bytes_equal(again.users[1].user_id, users[1].user_id) && again.users[1].is_gone);
    buffer_close(&encoded);
    arena_close(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_are_read_as_they_were_written),
        cmocka_unit_test(a_request_is_for_one_thing),
        cmocka_unit_test(events_that_are_none_are_refused),
        cmocka_unit_test(a_subject_is_read_as_it_was_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
