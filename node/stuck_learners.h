#pragma once
/* Which nodes do not get on with copies that they learn, by what the primaries of those ranges announce, look after
 * look. The node that balances keeps this, so that a move which leads nowhere does not hold its place for ever; another
 * one that is elected begins anew. */
#include "node/cluster_facts.h"

/* Rows and the log's tail come by the second, also where many ranges share a rate. */
#define STUCK_LEARNERS_PATIENCE_MS 60000
/* So long nothing more goes to such a node: what keeps it may be mended meanwhile. */
#define STUCK_LEARNERS_PAUSE_MS 600000

struct stuck_learners;

struct stuck_learners *stuck_learners_new(void);
void stuck_learners_free(struct stuck_learners *stuck);

/* Looks at what is under way. What a primary does not tell, or not for long, nobody is blamed for. */
void stuck_learners_look(struct stuck_learners *stuck, const struct cluster_facts *facts);
bool stuck_learners_have(const struct stuck_learners *stuck, uint64_t node, int64_t mono_ms);
