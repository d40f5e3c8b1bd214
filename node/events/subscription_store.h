#pragma once
/* Subscriptions at the coordinator, `subscriptions/<name>`, sealed under the cluster's master key, as they have secrets
 * in them. Everything may take as long as the coordinator does, and gives its codes. */
#include "node/coordinator/coordinator.h"
#include "node/events/event_subscription.h"
#include "storage/seal.h"

struct subscription_store {
    struct coordinator *coordinator; /* borrowed, as everything here */
    const struct seal_key *master;
};

/* STATUS_STORE_MISSING; STATUS_RECORD_CORRUPT. */
int subscription_store_get(const struct subscription_store *self, struct bytes name, struct arena *arena,
                           struct event_subscription *subscription, uint64_t *version);
/* `*version` is what it has now, 0 if it is new, and becomes what it has then. STATUS_CONFLICT: it has another one. */
int subscription_store_put(const struct subscription_store *self, const struct event_subscription *subscription,
                           struct arena *arena, uint64_t *version);
int subscription_store_remove(const struct subscription_store *self, struct bytes name, uint64_t version);
/* In the order of their names. A record that does not open is left out, and logged. */
int subscription_store_list(const struct subscription_store *self, struct arena *arena,
                            struct event_subscription **subscriptions, size_t *count);
