#include "bench/chance.h"

uint64_t chance_seed(uint64_t seed) {
    return seed * 0x9e3779b97f4a7c15ULL | 1;
}

/* Marsaglia's xorshift64. */
uint64_t chance_next(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    /* Mixed once more, so that the low bits alone may choose among a few. */
    return (*state * 0x2545f4914f6cdd1dULL >> 8) ^ *state;
}
