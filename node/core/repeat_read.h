#pragma once
/* What ACTION_REPEAT asks for: the changes of a thread from an offset on, read from the state for a node that lacks
 * them. The worker that reads the store calls it, within a transaction. */
#include "node/core/interest.h"
#include "node/core/outcome.h"

/* Fills in everything of `repeated` but `asked` and `copies`; changes are in the context's arena. A thread that is gone
 * is told by its deletion. `repeated->rc` STATUS_STORE_MISSING: there has never been one. */
void repeat_read(const struct apply_context *context, struct interest_repeated *repeated);
