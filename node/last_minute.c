#include "node/last_minute.h"

uint64_t last_minute_look(struct last_minute *minute, uint64_t counter, int64_t mono_ms) {
    int64_t slot = mono_ms / LAST_MINUTE_SLOT_MS;
    int64_t passed = slot - minute->slot < LAST_MINUTE_SLOTS ? slot - minute->slot : LAST_MINUTE_SLOTS;
    uint64_t sum = 0;
    for (int64_t i = 0; i < passed; i++)
        minute->counts[(slot - i) % LAST_MINUTE_SLOTS] = 0;
    minute->counts[slot % LAST_MINUTE_SLOTS] += counter - minute->counter;
    minute->slot = slot;
    minute->counter = counter;
    for (int i = 0; i < LAST_MINUTE_SLOTS; i++)
        sum += minute->counts[i];
    return sum;
}
