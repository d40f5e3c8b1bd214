#include "tests/sim/chance.h"

#include <sodium.h>
#include <string.h>

/* SplitMix64 (Steele, Lea, Flood, OOPSLA 2014). */
static uint64_t next(struct chance *chance) {
    uint64_t z = chance->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

void chance_init(struct chance *chance, uint64_t seed) {
    chance->state = seed * 0xd1342543de82ef95u + 1;
    next(chance);
}

uint64_t chance_below(struct chance *chance, uint64_t bound) {
    return next(chance) % bound;
}

bool chance_per_mille(struct chance *chance, unsigned per_mille) {
    return chance_below(chance, 1000) < per_mille;
}

int64_t chance_between(struct chance *chance, int64_t least, int64_t most) {
    return least + (int64_t)chance_below(chance, (uint64_t)(most - least) + 1);
}

/* ---- libsodium ---- */

static struct chance sodium_chance;

static const char *name(void) {
    return "seeded";
}

static uint32_t number(void) {
    return (uint32_t)next(&sodium_chance);
}

static void fill(void *const out, const size_t size) {
    uint8_t *bytes = out;
    for (size_t i = 0; i < size; i += sizeof(uint64_t)) {
        uint64_t word = next(&sodium_chance);
        memcpy(bytes + i, &word, size - i < sizeof(word) ? size - i : sizeof(word));
    }
}

static struct randombytes_implementation implementation = {.implementation_name = name, .random = number, .buf = fill};

void chance_install(void) {
    randombytes_set_implementation(&implementation);
}

void chance_of_sodium(uint64_t seed) {
    chance_init(&sodium_chance, seed);
}
