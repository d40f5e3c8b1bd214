#pragma once
/* Numbers that are decided by a seed. Not for secrets. */
#include <stdint.h>

/* A state to begin with, never 0. */
uint64_t chance_seed(uint64_t seed);
/* The next number; `*state` is not 0. */
uint64_t chance_next(uint64_t *state);
