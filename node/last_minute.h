#pragma once
/* How much a counter grew in the last minute, by looks at it now and then. */
#include <stdint.h>

#define LAST_MINUTE_SLOT_MS 5000
#define LAST_MINUTE_SLOTS 12

/* Zeroed memory is a counter that has always been 0. */
struct last_minute {
    uint64_t counter; /* as last seen */
    int64_t slot;     /* of that look, by the clock */
    uint64_t counts[LAST_MINUTE_SLOTS];
};

/* What was added within the last 55 to 60 s. Looks come in the order of time, at any distance; the counter never falls.
 */
uint64_t last_minute_look(struct last_minute *minute, uint64_t counter, int64_t mono_ms);
