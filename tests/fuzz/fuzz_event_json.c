#include "node/events/event_json.h"
#include "proto/check.h"
#include "proto/status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define EVENTS_MAX 64 /* of one input; participants times participants */

/* Whatever a change says, its events can be made, and made again as the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const uint8_t key[ID_HASH_KEY_BYTES] = {1};
    struct change change;
    struct arena arena;
    arena_init(&arena);
    if (change_decode(bytes_of(data, size), &arena, &change) == STATUS_OK) {
        struct event_source source = {.change = &change,
                                      .members = change.participants.items,
                                      .members_count = change.participants.count,
                                      .key = key};
        size_t count = server_events_count(&source);
        for (size_t i = 0; i < count && i < EVENTS_MAX; i++) {
            struct server_event event, again;
            server_event_make(&source, i, &arena, &event);
            server_event_make(&source, i, &arena, &again);
            json_t *envelope = server_event_envelope(&event, EVENT_SCHEMA_EVENT_GRID, BYTES_LITERAL("/topic"));
            check(strcmp(event.id, again.id) == 0 && json_equal(event.data, again.data) && json_is_object(envelope));
            json_decref(envelope);
            server_event_close(&event);
            server_event_close(&again);
        }
    }
    arena_close(&arena);
    return 0;
}
