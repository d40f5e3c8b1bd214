#pragma once
/* The one place where configuration is decided: small named values, changed only by compare-and-swap. Alone, a table in
 * the node's own store (local.h); in a cluster, etcd behind the same interface. */
#include "proto/arena.h"
#include "proto/bytes.h"

struct coordinator;

struct coordinator_methods {
    /* STATUS_STORE_MISSING. The value is in the arena; `version` is what a swap has to name. */
    int (*get)(struct coordinator *self, const char *name, struct arena *arena, struct bytes *value, uint64_t *version);
    /* Version 0: only if the name is not there yet. STATUS_CONFLICT: somebody else was faster. */
    int (*swap)(struct coordinator *self, const char *name, uint64_t version, struct bytes value);
    void (*close)(struct coordinator *self);
};

struct coordinator {
    const struct coordinator_methods *methods;
};

static inline int coordinator_get(struct coordinator *self, const char *name, struct arena *arena, struct bytes *value,
                                  uint64_t *version) {
    return self->methods->get(self, name, arena, value, version);
}
static inline int coordinator_swap(struct coordinator *self, const char *name, uint64_t version, struct bytes value) {
    return self->methods->swap(self, name, version, value);
}
static inline void coordinator_close(struct coordinator *self) {
    self->methods->close(self);
}
