#pragma once
/* Tells a client of Weft's own real time what it missed, one thread after the other, at the pace at which it reads:
 * changes from the store, the receipts, then `complete` or `gap` (proto/README.md). Meanwhile live changes of that
 * thread are held back, since the store has them too. */
#include "proto/ids.h"
#include "proto/realtime.h"

struct realtime_session;
struct resume;

/* Adds threads with the offsets the client has; a thread that is there already starts anew. Goes on at once. Borrowed
 * until return. */
void resume_add(struct realtime_session *self, const struct realtime_position *positions, size_t count);

/* Live changes of the thread from `offset` on did not come by. */
void resume_gap(struct realtime_session *self, const struct id_hash *thread, uint64_t offset);

/* In a cluster, when the session has begun to listen: what is being resumed is not told live yet. */
void resume_begin(struct realtime_session *self);
/* The client has read, or may be told now; go on. */
void resume_go_on(struct realtime_session *self);

/* The thread waits for it, or is at it. NULL is allowed. */
bool resume_has(const struct resume *resume, const struct id_hash *thread);

void resume_free(struct resume *resume); /* NULL is allowed */
