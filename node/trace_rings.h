#pragma once
/* What happened to changes of threads lately, in memory only: rings of fixed size, one for each thread of the process
 * that has something to note, so that noting takes no lock, no allocation and some tens of nanoseconds. Who asks reads
 * all of them meanwhile, from any thread; what is overwritten under its eyes is left out. */
#include "proto/ids.h"
#include "proto/trace.h"

struct trace;
struct trace_ring;

/* Whose a ring is; those of the gateway's workers follow. */
enum { TRACE_RING_CORE, TRACE_RING_DISK, TRACE_RING_WORKERS };

#define TRACE_RING_EVENT_BYTES 32 /* of memory */

/* `events` for each ring, made a power of two. NULL: 0 events, nothing is remembered. */
struct trace *trace_new(size_t rings_count, size_t events);
void trace_free(struct trace *trace);

/* NULL for a NULL trace. */
struct trace_ring *trace_ring(struct trace *trace, size_t index);

/* Microseconds on the clock that events are noted by: monotonic. */
int64_t trace_now_us(void);
/* Of unix time. */
int64_t trace_unix_us(void);

/* By the one thread whose ring it is. Nothing happens if `ring` is NULL. The event's time is trace_now_us. */
void trace_note(struct trace_ring *ring, const struct id_hash *thread, const struct trace_event *event);

/* What is remembered of these changes of a thread, in unix time; in the arena. `trace` may be NULL. */
void trace_recall(struct trace *trace, const struct id_hash *thread, const struct trace_change *changes, size_t count,
                  struct arena *arena, struct trace_memory *memory);

/* The changes of one message, rising; at most TRACE_CHANGES_MAX. */
size_t trace_changes_of(struct trace *trace, const struct id_hash *thread, uint64_t message_id,
                        struct trace_change changes[static TRACE_CHANGES_MAX]);
