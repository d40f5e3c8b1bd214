#pragma once
/* The one place where configuration is decided: small named values, changed only by compare-and-swap, and watched by
 * whoever acts on them. Alone, a table in the node's own store (local.h); in a cluster, etcd (etcd.h) behind the same
 * interface. Names are paths: "ranges/00007". Versions and revisions count changes of the whole store: every change
 * gives its name a version higher than any before. Functions other than close may be called from any thread; those that
 * ask etcd return within COORDINATOR_CALL_MS_MAX. */
#include "proto/arena.h"
#include "proto/bytes.h"

#define COORDINATOR_CALL_MS_MAX 6000
#define COORDINATOR_NAME_BYTES_MAX 64

struct coordinator;

struct coordinator_item {
    struct bytes name;
    struct bytes value; /* absent in a change: the name was removed */
    uint64_t version;   /* what a swap has to name; of a removal: when it was seen */
};

/* On the coordinator's own thread, one change at a time; the change is borrowed until return. It may get and swap, but
 * not close. */
typedef void coordinator_on_change(void *context, const struct coordinator_item *change);

/* One of several swaps that are done together. */
struct coordinator_swap {
    const char *name;
    uint64_t version;
    struct bytes value;
};

/* Those that may fail give STATUS_SERVICE_UNAVAILABLE when the store cannot be reached, STATUS_FORBIDDEN when it does
 * not let this node in (the log says why), and local ones what storage says. */
struct coordinator_methods {
    int (*get)(struct coordinator *self, const char *name, struct arena *arena, struct bytes *value, uint64_t *version);
    int (*swap_all)(struct coordinator *self, const struct coordinator_swap *swaps, size_t count,
                    uint64_t *new_version);
    int (*list)(struct coordinator *self, const char *prefix, struct arena *arena, struct coordinator_item **items,
                size_t *count, uint64_t *revision);
    int (*watch)(struct coordinator *self, const char *prefix, uint64_t revision, coordinator_on_change *on_change,
                 void *context);
    int (*announce)(struct coordinator *self, const char *name, struct bytes value, unsigned ttl_s);
    int (*stand)(struct coordinator *self, const char *name, struct bytes value, unsigned ttl_s);
    int (*remove)(struct coordinator *self, const char *name, uint64_t version);
    bool (*is_silent)(struct coordinator *self); /* NULL: it never is */
    void (*hurry)(struct coordinator *self);     /* NULL: there is nothing to wait for */
    void (*close)(struct coordinator *self);
};

struct coordinator {
    const struct coordinator_methods *methods;
};

/* STATUS_STORE_MISSING. The value is in the arena. Never an older one than a swap that ended before. */
static inline int coordinator_get(struct coordinator *self, const char *name, struct arena *arena, struct bytes *value,
                                  uint64_t *version) {
    return self->methods->get(self, name, arena, value, version);
}

/* Version 0: only if the name is not there yet. STATUS_CONFLICT: the version is another one, nothing was changed.
 * STATUS_SERVICE_UNAVAILABLE: it may have been changed or not, or may be yet; ask with get. `new_version` may be NULL.
 */
static inline int coordinator_swap(struct coordinator *self, const char *name, uint64_t version, struct bytes value,
                                   uint64_t *new_version) {
    const struct coordinator_swap swap = {.name = name, .version = version, .value = value};
    return self->methods->swap_all(self, &swap, 1, new_version);
}

/* All of these swaps, or none: STATUS_CONFLICT when any of the versions is another one. No name twice. They get one
 * version. */
static inline int coordinator_swap_all(struct coordinator *self, const struct coordinator_swap *swaps, size_t count,
                                       uint64_t *new_version) {
    return self->methods->swap_all(self, swaps, count, new_version);
}

/* What begins with `prefix` ("": everything), in the order of the names, all as of `revision`. Everything is in the
 * arena. */
static inline int coordinator_list(struct coordinator *self, const char *prefix, struct arena *arena,
                                   struct coordinator_item **items, size_t *count, uint64_t *revision) {
    return self->methods->list(self, prefix, arena, items, count, revision);
}

/* Tells from now until close what changes under `prefix` after `revision`, which comes from coordinator_list; 0: tells
 * everything there is first. Each name's changes are told in order and none twice; of several changes of one name that
 * come while the store cannot be reached only the last may be told, and a name that came and went meanwhile not at all.
 * What was told adds up to what the store holds. STATUS_CONFLICT: the store does not remember that revision any more;
 * list again. On an error nothing is watched. */
static inline int coordinator_watch(struct coordinator *self, const char *prefix, uint64_t revision,
                                    coordinator_on_change *on_change, void *context) {
    return self->methods->watch(self, prefix, revision, on_change, context);
}

/* Keeps `name` at `value` as long as this process lives: until close, or until the store has not heard from it for
 * `ttl_s` seconds (2 to 3600); then the name goes. When the store hears from it again, it comes back. Returns at once;
 * the name appears as soon as the store can be reached. At most one announcement per name; not swapped by anybody. */
static inline int coordinator_announce(struct coordinator *self, const char *name, struct bytes value, unsigned ttl_s) {
    return self->methods->announce(self, name, value, ttl_s);
}

/* Stands for election: `name` gets `value` when nobody has it, for as long as this process lives, as with announce; as
 * long as somebody else has it, this one waits and tries again. Who is elected is what get and watch tell. Whoever has
 * lost the name learns it late, so what it does must be safe beside its successor. Returns at once. */
static inline int coordinator_stand(struct coordinator *self, const char *name, struct bytes value, unsigned ttl_s) {
    return self->methods->stand(self, name, value, ttl_s);
}

/* The name goes, if its version is still this one, which is not 0; codes as of swap. */
static inline int coordinator_remove(struct coordinator *self, const char *name, uint64_t version) {
    return self->methods->remove(self, name, version);
}

/* True: the store could not be reached when it was asked last. */
static inline bool coordinator_is_silent(struct coordinator *self) {
    return self->methods->is_silent != NULL && self->methods->is_silent(self);
}

/* The process is about to end: a store that cannot be reached is not asked again and again any more. Calls end when the
 * member that they ask now has not answered in time, and new ones fail at once. */
static inline void coordinator_hurry(struct coordinator *self) {
    if (self->methods->hurry != NULL)
        self->methods->hurry(self);
}

/* Takes announcements back, if the store can be reached. No change is told any more when it returns. No other call may
 * be under way. */
static inline void coordinator_close(struct coordinator *self) {
    self->methods->close(self);
}
