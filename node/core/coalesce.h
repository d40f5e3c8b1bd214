#pragma once
/* Typing and receipts of busy threads are gathered: the first of a thread is told at once, what follows within
 * LIMIT_COALESCE_TICK_MS is told together, at most LIMIT_COALESCE_PER_TICK_MAX users at a time and per user only the
 * newest. So a thread costs at most one telling per participant and tick, however many of them type or read. */
#include "proto/change.h"

struct coalescer;

struct coalescer *coalescer_new(void);
void coalescer_free(struct coalescer *coalescer);

/* True: tell this change now. False: it was copied and will come with coalescer_due. Only CHANGE_TYPING and
 * CHANGE_RECEIPTS with one user each. */
bool coalescer_offer(struct coalescer *coalescer, const struct change *change, int64_t now_ms);

/* The next gathered change whose time has come; false: none. It lives in `arena`. */
bool coalescer_due(struct coalescer *coalescer, int64_t now_ms, struct arena *arena, struct change *change);

/* The next gathered change of a thread of these, due or not; when there is none any more, nothing is known of them. */
bool coalescer_leave(struct coalescer *coalescer, bool (*is_left)(void *context, const struct id_hash *thread),
                     void *context, struct arena *arena, struct change *change);

size_t coalescer_threads(const struct coalescer *coalescer);
