#pragma once
/* Records with secrets in them at the coordinator: the values of one folder's names, sealed under the cluster's master
 * key, each for its own name. Everything may take as long as the coordinator does, and gives its codes. */
#include "node/coordinator/coordinator.h"
#include "storage/seal.h"

struct sealed_items {
    struct coordinator *coordinator; /* borrowed, as everything here */
    const struct seal_key *master;
    const char *folder; /* "bots/" */
};

/* Names are checked by the caller: with the folder they are shorter than COORDINATOR_NAME_BYTES_MAX. */

/* STATUS_STORE_MISSING; STATUS_RECORD_CORRUPT, with the version. */
int sealed_item_get(const struct sealed_items *self, struct bytes name, struct arena *arena, struct bytes *plain,
                    uint64_t *version);
/* `*version` is what it has now, 0 if it is new, and becomes what it has then. STATUS_CONFLICT: it has another one. */
int sealed_item_put(const struct sealed_items *self, struct bytes name, struct bytes plain, uint64_t *version);
int sealed_item_remove(const struct sealed_items *self, struct bytes name, uint64_t version);
/* In the order of their names, opened. One that does not open is left out, and logged. */
int sealed_items_list(const struct sealed_items *self, struct arena *arena, struct coordinator_item **items,
                      size_t *count);
