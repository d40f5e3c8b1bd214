#pragma once
/* What is noted of changes on their way through this node's log and to its workers (trace_rings.h). */
#include "node/core/batch.h"
#include "node/trace_rings.h"

/* The batch goes to the disk: what the primary received, and what is committed. Before anybody is answered. */
void trace_batch_lent(struct trace_ring *ring, const struct batch *batch);
/* It was written, on the disk's thread. */
void trace_batch_written(struct trace_ring *ring, const struct batch *batch);
/* It goes to this node's workers. */
void trace_fanned_out(struct trace_ring *ring, const struct change *change);
