#pragma once
/* What a watch has told so far: names and versions. From it follows what is left to tell when a list has to make up for
 * events that were missed. No I/O. */
#include "node/coordinator/coordinator.h"

struct etcd_told;

struct etcd_told *etcd_told_new(void);
void etcd_told_free(struct etcd_told *told);

/* These have been told, and nothing else. */
void etcd_told_set(struct etcd_told *told, const struct coordinator_item *items, size_t count);

/* Remembers a change. False: it, or a newer one of the name, is known already and need not be told. */
bool etcd_told_take(struct etcd_told *told, const struct coordinator_item *change);

/* What has to be told so that it adds up to the list: removals (with `revision` as version) first, then what is new in
 * the order of versions. `*changes` is in the arena; names and values borrow from the list. Remembers none of it. */
size_t etcd_told_compare(struct etcd_told *told, const struct coordinator_item *items, size_t count, uint64_t revision,
                         struct arena *arena, struct coordinator_item **changes);
