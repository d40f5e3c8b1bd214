#pragma once
/* All chance of a run comes from here, and from one seed. */
#include <stdbool.h>
#include <stdint.h>

struct chance {
    uint64_t state;
};

void chance_init(struct chance *chance, uint64_t seed);
/* Below `bound`, which is not 0. */
uint64_t chance_below(struct chance *chance, uint64_t bound);
/* True this many times of a thousand. */
bool chance_per_mille(struct chance *chance, unsigned per_mille);
/* From `least` to `most`, both included. */
int64_t chance_between(struct chance *chance, int64_t least, int64_t most);

/* From now on libsodium's chance is ours, too: call before seal_init. */
void chance_install(void);
/* Where libsodium's chance goes on from. */
void chance_of_sodium(uint64_t seed);
