#pragma once
/* Which part of the ring of 2^64 hash positions a range has. */
#include <stdbool.h>
#include <stdint.h>

struct bounds {
    uint64_t first;
    uint64_t last; /* inclusive; with `first` 0 as well: not said */
};

/* Part `part` of `parts` equal ones: those that a cluster is created with. */
struct bounds bounds_of_part(uint32_t part, uint32_t parts);
/* Which part has the position. */
uint32_t bounds_part_of(uint64_t position, uint32_t parts);
/* All of the ring. */
struct bounds bounds_of_all(void);

bool bounds_are_said(const struct bounds *bounds);
bool bounds_have(const struct bounds *bounds, uint64_t position);
bool bounds_equal(const struct bounds *a, const struct bounds *b);
