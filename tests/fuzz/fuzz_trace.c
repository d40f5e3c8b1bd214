#include "proto/trace.h"
#include "tests/fuzz/again.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

AGAIN(trace_request, struct trace_request)
AGAIN(trace_subject, struct trace_subject)
AGAIN(trace_memory, struct trace_memory)

/* Whatever decodes can be written again, and then reads as the same; and its events can be. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct trace_memory memory;
    struct buffer events;
    struct arena arena;
    arena_init(&arena);
    buffer_init(&events);
    trace_request_again(&arena, bytes_of(data, size));
    trace_subject_again(&arena, bytes_of(data, size));
    trace_memory_again(&arena, bytes_of(data, size));
    if (trace_memory_decode(bytes_of(data, size), &arena, &memory) == 0) {
        for (size_t i = 0; i < trace_events_count(&memory); i++) {
            struct trace_event event = trace_events_at(&memory, i);
            trace_event_add(&events, &event);
        }
        check(events.size == memory.events.size);
        check(events.size == 0 || memcmp(events.data, memory.events.data, events.size) == 0);
    }
    buffer_close(&events);
    arena_close(&arena);
    return 0;
}
