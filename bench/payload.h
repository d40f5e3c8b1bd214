#pragma once
/* The text that weft-bench sends: who sent it, which message of which thread, when it was meant to go, and a checksum,
 * in characters that no JSON and no html sanitiser changes. Pure. */
#include "proto/buffer.h"

/* "wb1." run "." thread "." number "." intended "." checksum "." then filler up to the wanted size. */
#define PAYLOAD_MARK "wb1."
#define PAYLOAD_BYTES_MIN 55

struct payload {
    uint32_t run;        /* tells this run's messages from any other's */
    uint32_t thread;     /* which thread, from 0 */
    uint32_t number;     /* which message of the thread, from 0 */
    int64_t intended_ns; /* monotonic clock of the generator */
};

/* Appends exactly `size` bytes; `size` is at least PAYLOAD_BYTES_MIN. */
void payload_encode(const struct payload *payload, size_t size, struct buffer *out);

/* Finds the payload inside a frame, of whatever format. False: there is none, or it is not whole: wrong size, checksum
 * or filler. `was_found` says whether the mark was there at all. */
bool payload_find(struct bytes frame, size_t size, struct payload *payload, bool *was_found);
