#pragma once
/* msgpack-c's unpacker believes claimed sizes: five bytes can make it allocate 1 GiB. Every decoder asks here first. */
#include "proto/bytes.h"

/* True when `encoded` is exactly one MessagePack value, every claimed size fits what follows, and nesting stays within
 * `depth_max`. Reads each byte at most once. */
bool msgpack_is_sound(struct bytes encoded, unsigned depth_max);
