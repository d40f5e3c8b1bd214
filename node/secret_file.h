#pragma once
/* Small files of the data folder that only their owner may read: the master key, and what tools need to reach the node.
 */
#include "proto/bytes.h"
#include "storage/seal.h"

/* Reads the master key (64 hexadecimal digits), or makes the file with a new one, mode 0600, synced. STATUS_CONFLICT:
 * the file is there but holds no key, or others may read it; STATUS_STORAGE_FAILED otherwise. `reason` says what. */
int master_key_load(const char *folder, struct seal_key *key, const char **reason);

/* Replaces folder/name by `content` and a line end, mode 0600, all or nothing; nothing is written
 * when it is so already. STATUS_STORAGE_FAILED. */
int secret_file_write(const char *folder, const char *name, struct bytes content);
