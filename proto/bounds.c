#include "proto/bounds.h"

#include "proto/check.h"

/* The lowest position whose product with the count, shifted by 64 bits, is `part`. */
static uint64_t first_of_part(uint32_t part, uint32_t parts) {
    unsigned __int128 product = ((unsigned __int128)part << 64) + (parts - 1);
    return (uint64_t)(product / parts);
}

struct bounds bounds_of_part(uint32_t part, uint32_t parts) {
    check(part < parts);
    bool is_last = part + 1 == parts;
    return (struct bounds){.first = first_of_part(part, parts),
                           .last = is_last ? UINT64_MAX : first_of_part(part + 1, parts) - 1};
}

uint32_t bounds_part_of(uint64_t position, uint32_t parts) {
    return (uint32_t)((unsigned __int128)position * parts >> 64);
}

struct bounds bounds_of_all(void) {
    return bounds_of_part(0, 1);
}

bool bounds_are_said(const struct bounds *bounds) {
    return bounds->last != 0;
}

bool bounds_have(const struct bounds *bounds, uint64_t position) {
    return position >= bounds->first && position <= bounds->last;
}

bool bounds_equal(const struct bounds *a, const struct bounds *b) {
    return a->first == b->first && a->last == b->last;
}
