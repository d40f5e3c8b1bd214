#include "proto/msgpack_check.h"

/* What is left to read. */
struct walk {
    const uint8_t *at;
    size_t left;
};

static bool walk_skip(struct walk *walk, uint64_t size) {
    if (size > walk->left)
        return false;
    walk->at += size;
    walk->left -= (size_t)size;
    return true;
}

/* A big-endian number of 1, 2 or 4 bytes. */
static bool walk_number(struct walk *walk, size_t size, uint32_t *number) {
    if (size > walk->left)
        return false;
    *number = 0;
    for (size_t i = 0; i < size; i++)
        *number = *number << 8 | walk->at[i];
    return walk_skip(walk, size);
}

static bool walk_value(struct walk *walk, unsigned depth_left);

/* Each value takes at least a byte, so a count beyond what is left is refused before it is believed. */
static bool walk_values(struct walk *walk, uint64_t count, unsigned depth_left) {
    if (depth_left == 0 || count > walk->left)
        return false;
    for (uint64_t i = 0; i < count; i++)
        if (!walk_value(walk, depth_left - 1))
            return false;
    return true;
}

/* `extra` is what follows the length beside the payload: the type byte of an extension. */
static bool walk_sized(struct walk *walk, size_t length_bytes, uint64_t extra) {
    uint32_t size;
    return walk_number(walk, length_bytes, &size) && walk_skip(walk, size + extra);
}

static bool walk_container(struct walk *walk, size_t length_bytes, unsigned values_each, unsigned depth_left) {
    uint32_t count;
    return walk_number(walk, length_bytes, &count) && walk_values(walk, (uint64_t)count * values_each, depth_left);
}

/* The formats 0xc0 to 0xdf: one type byte, then what the MessagePack specification says. */
static bool walk_typed(struct walk *walk, uint8_t type, unsigned depth_left) {
    switch (type) {
    case 0xc0: /* nil */
    case 0xc2: /* false */
    case 0xc3: /* true */
        return true;
    case 0xc4: /* bin 8, 16, 32 */
    case 0xc5:
    case 0xc6:
        return walk_sized(walk, (size_t)1 << (type - 0xc4), 0);
    case 0xc7: /* ext 8, 16, 32 */
    case 0xc8:
    case 0xc9:
        return walk_sized(walk, (size_t)1 << (type - 0xc7), 1);
    case 0xca: /* float 32, 64 */
    case 0xcb:
        return walk_skip(walk, (uint64_t)4 << (type - 0xca));
    case 0xcc: /* uint 8 to 64 */
    case 0xcd:
    case 0xce:
    case 0xcf:
        return walk_skip(walk, (uint64_t)1 << (type - 0xcc));
    case 0xd0: /* int 8 to 64 */
    case 0xd1:
    case 0xd2:
    case 0xd3:
        return walk_skip(walk, (uint64_t)1 << (type - 0xd0));
    case 0xd4: /* fixext 1 to 16 */
    case 0xd5:
    case 0xd6:
    case 0xd7:
    case 0xd8:
        return walk_skip(walk, ((uint64_t)1 << (type - 0xd4)) + 1);
    case 0xd9: /* str 8, 16, 32 */
    case 0xda:
    case 0xdb:
        return walk_sized(walk, (size_t)1 << (type - 0xd9), 0);
    case 0xdc: /* array 16, 32 */
    case 0xdd:
        return walk_container(walk, (size_t)2 << (type - 0xdc), 1, depth_left);
    case 0xde: /* map 16, 32 */
    case 0xdf:
        return walk_container(walk, (size_t)2 << (type - 0xde), 2, depth_left);
    default: /* 0xc1 is never used */
        return false;
    }
}

static bool walk_value(struct walk *walk, unsigned depth_left) {
    if (walk->left == 0)
        return false;
    uint8_t type = *walk->at;
    walk_skip(walk, 1);
    if (type <= 0x7f || type >= 0xe0) /* a number of its own */
        return true;
    if (type <= 0x8f)
        return walk_values(walk, 2 * (uint64_t)(type & 0x0f), depth_left);
    if (type <= 0x9f)
        return walk_values(walk, type & 0x0f, depth_left);
    if (type <= 0xbf)
        return walk_skip(walk, type & 0x1f);
    return walk_typed(walk, type, depth_left);
}

bool msgpack_is_sound(struct bytes encoded, unsigned depth_max) {
    struct walk walk = {encoded.data, encoded.size};
    return walk_value(&walk, depth_max) && walk.left == 0;
}
