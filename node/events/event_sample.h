#pragma once
/* Events of each type that nobody caused, for operators who want to see what a receiver makes of them. */
#include "node/events/event_json.h"

/* An event of the type in a thread that does not exist, of users that do not; another `now_ms` gives another id. */
void event_sample_make(enum event_type type, struct bytes resource_id, const uint8_t *key, int64_t now_ms,
                       struct arena *arena, struct server_event *event);
