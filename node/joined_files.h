#pragma once
/* What a node that has joined a cluster keeps in its data folder, readable by its owner only: what it was told
 * (CONFIG_JOINED_FILE and the certificates beside it), and where it listens (CONFIG_ADDRESSES_FILE); config_learn.h
 * reads both. Errors have been logged. */
#include "node/config.h"
#include "proto/join.h"

/* The facts as lines for config_learn. Names of files are those of the data folder, wherever it is. */
void joined_lines_write(const struct join_facts *facts, struct buffer *out);
/* The lines and the files that they name; makes the folder. STATUS_STORAGE_FAILED. */
int joined_files_write(const struct config *config, const struct join_facts *facts, struct bytes lines);

/* Where it listens, so that it is found there after its next start: first what it chose, then the ports really bound.
 * Nothing if it has not joined, or everything is configured. STATUS_STORAGE_FAILED. */
int joined_addresses_write(const struct config *config, uint16_t port, uint16_t peer_port);
