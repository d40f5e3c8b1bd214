#pragma once
/* A change as the server events that consumers get of it (contract section 11), in both schemas. Pure: the same change
 * and the same people give the same events with the same ids, wherever and however often they are made, so that who
 * gets one twice knows it. */
#include <jansson.h>

#include "node/events/event_type.h"
#include "proto/arena.h"
#include "proto/change.h"

enum event_schema { EVENT_SCHEMA_EVENT_GRID, EVENT_SCHEMA_CLOUD_EVENTS };

/* A change and to whom it happened. Everything is borrowed. */
struct event_source {
    const struct change *change;
    const struct participant *members; /* who was in the thread then; whoever the change removes is among them */
    size_t members_count;
    int64_t thread_created_ms;
    const uint8_t *key; /* ID_HASH_KEY_BYTES: of the events' ids; the cluster's */
};

struct server_event {
    enum event_type type;
    char id[37];
    struct bytes subject; /* in the arena */
    int64_t time_ms;
    json_t *data; /* the holder's: server_event_close */
};

/* How many events the change gives: those of the thread, and those of each person but the one who did it. None for
 * system messages, receipts, and what concerns a user's sessions only. */
size_t server_events_count(const struct event_source *source);
/* The one of this number, below the count: always the same one. */
void server_event_make(const struct event_source *source, size_t number, struct arena *arena,
                       struct server_event *event);
void server_event_close(struct server_event *event);

/* As it is sent: `topic` is the name of the whole that all events come from. The caller owns the result. */
json_t *server_event_envelope(const struct server_event *event, enum event_schema schema, struct bytes topic);
