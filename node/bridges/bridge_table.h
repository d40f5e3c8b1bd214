#pragma once
/* The bridges as the coordinator had them last, for workers to look up: in memory, told of every change. Any thread. */
#include "node/bridges/bridge_store.h"

struct bridge_table;

/* The coordinator is borrowed, and tells of changes until it is closed; the table has to live longer. NULL: it cannot
 * be watched. */
struct bridge_table *bridge_table_new(struct coordinator *coordinator);
void bridge_table_free(struct bridge_table *self);
struct coordinator *bridge_table_coordinator(struct bridge_table *self);

/* May the bridge of this name act for a user? STATUS_NOT_FOUND: there is no such bridge. STATUS_FORBIDDEN: not for her.
 */
int bridge_table_check(struct bridge_table *self, struct bytes name, struct bytes user_id);
