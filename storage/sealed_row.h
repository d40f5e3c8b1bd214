#pragma once
/* A struct as a sealed row: its MessagePack (msgpack_codec.h) under a data key (seal.h). What every table of a thread,
 * of a user and of the log is made of. */
#include "proto/msgpack_codec.h"
#include "storage/keys.h"
#include "storage/seal.h"

/* STATUS_STORE_MISSING, STATUS_RECORD_CORRUPT, or what the store says. The row borrows from the arena. */
int sealed_row_get(struct store_transaction *transaction, const struct seal_key *seal_key, enum store_table table,
                   const struct key *key, const struct codec_table *codec, struct arena *arena, void *row);
int sealed_row_put(struct store_transaction *transaction, const struct seal_key *seal_key, enum store_table table,
                   const struct key *key, const struct codec_table *codec, const void *row);

/* A row that a cursor found. STATUS_RECORD_CORRUPT. */
int sealed_row_open(const struct seal_key *seal_key, enum store_table table, struct bytes key, struct bytes sealed,
                    const struct codec_table *codec, struct arena *arena, void *row);
