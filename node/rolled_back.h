#pragma once
/* A database that was put back from an older copy lacks what this node has promised to hold, and the others rely on: it
 * must neither lead nor count as in sync with it. Each node tells how far its log has come with its load
 * (proto/load_record.h); at the start that is compared. Only in a cluster, before anything is made of the store. */
#include "node/config.h"
#include "node/data_folder.h"

/* STATUS_OK; also when the database is older and every range that counts on this node is in sync on another one that is
 * alive: then nothing that is here of any range counts from now on, and all of them are learned anew. STATUS_CONFLICT:
 * it is older, and nobody else is there to learn from; STATUS_SERVICE_UNAVAILABLE, STATUS_STORAGE_FAILED and their
 * like. Errors have been logged. */
int rolled_back_look(const struct config *config, struct data_folder *folder, uint64_t node);
