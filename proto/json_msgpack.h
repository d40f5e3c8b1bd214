#pragma once
/* The same tree as JSON and as MessagePack: frames of both formats are built and read as one jansson tree. */
#include "proto/json_tree.h"

/* Appends the tree as one MessagePack value. Borrows `tree`. */
void json_tree_to_msgpack(const json_t *tree, struct buffer *out);

/* NULL when `encoded` is not one sound value, nests deeper than LIMIT_MSGPACK_DEPTH_MAX, or holds what JSON has not:
 * text that is not UTF-8, keys that are not text, integers beyond 63 bits, extensions. The caller owns the result. */
json_t *json_tree_from_msgpack(struct bytes encoded);
