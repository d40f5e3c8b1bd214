#pragma once
/* Bytes that never change, held by any number of holders on any workers: a frame that is encoded once and written to
 * many sockets. Freed by the last release. */
#include "proto/buffer.h"

struct shared_bytes;

/* Holds one reference, the caller's. The buffer's memory is taken, the buffer is empty again. */
struct shared_bytes *shared_bytes_take(struct buffer *buffer);
/* Holds one reference, the caller's. */
struct shared_bytes *shared_bytes_copy(struct bytes value);

/* One more reference. NULL is allowed and does nothing, for bytes that live forever. Any thread. */
void shared_bytes_hold(struct shared_bytes *shared);
void shared_bytes_release(struct shared_bytes *shared);

/* Borrowed as long as a reference is held. */
struct bytes shared_bytes_view(const struct shared_bytes *shared);
