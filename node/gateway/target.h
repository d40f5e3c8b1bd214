#pragma once
/* The target of a request line ("/chat/threads/19%3Aabc?api-version=…") taken apart. Pure: bytes in, bytes out. */
#include "proto/arena.h"

#define TARGET_SEGMENTS_MAX 16 /* the longest path of the contract has 6 */

struct target {
    struct bytes segments[TARGET_SEGMENTS_MAX]; /* decoded; an empty one is kept */
    size_t segments_count;
    struct bytes query; /* raw, without "?"; absent if there is none */
};

/* Leading slashes are collapsed (real-time protocol, section 2), one trailing slash is ignored, every segment is
 * decoded after the split at "/", so an encoded slash stays inside its segment. The absolute form (RFC 9112, 3.2.2) is
 * accepted. STATUS_BAD_REQUEST: does not begin with "/", a broken or NUL percent-escape, too many segments, a "." or
 * ".." segment. Segments are in the arena, the query is borrowed from `text`. */
int target_parse(struct arena *arena, struct bytes text, struct target *target);

/* The decoded value of the first parameter called `name`, in the arena; names compare exactly, after decoding. Absent
 * if there is none, or if its value has a broken escape. A "+" stays a plus (times have it raw). */
struct bytes target_query_find(struct arena *arena, const struct target *target, const char *name);

/* The n-th parameter; false after the last. A broken escape gives an absent value. */
bool target_query_next(struct arena *arena, const struct target *target, size_t *cursor, struct bytes *name,
                       struct bytes *value);

/* Percent-decoding (RFC 3986, 2.1). STATUS_BAD_REQUEST for a broken escape or an encoded NUL. */
int target_decode(struct arena *arena, struct bytes text, struct bytes *out);
