#pragma once
/* A range out and in, chunk by chunk: its rows of state and outbox as they are stored, sealed, with the marks of the
 * entry they are the result of. What is not state stays behind: the log, and keys of creations not applied yet.
 *
 * Out: LMDB's map cannot grow while a read transaction is open, and the rows must be those of one moment, so they are
 * read in one pass into a spool (snapshot_spool.h: a file, or memory), and the chunks are sent from there at whatever
 * pace the network has. In: the range is wiped, chunks are put in their order, and the marks come with the last one;
 * until then they say that the range is incomplete, whatever happens between (node/core/batch_write.h).
 *
 * A chunk: form (1) | flags (1) | cluster (16) | range (8) | first and last position (8 each) | snapshot (8) | chunk
 * (8) | epoch (8) | index (8), then rows: table (1) | size of the key (1) | size of the value (4) | key | value, then a
 * keyed hash of all that (16). Numbers are big-endian. */
#include "proto/bounds.h"
#include "storage/rows.h"
#include "storage/seal.h"
#include "storage/snapshot_spool.h"

/* A chunk has at least one row, so it is larger when a row is: a message that adds 250 participants has 300 KB. */
#define SNAPSHOT_CHUNK_BYTES_MIN 256

/* Which range of which cluster. Everything is borrowed. */
struct snapshot_scope {
    const struct seal_key *master;
    const uint8_t *hash_key; /* ID_HASH_KEY_BYTES */
    uint32_t range;
    struct bounds bounds; /* of its rows */
};

/* ---- out ---- */

/* One reading of a range. */
struct snapshot;

struct snapshot_facts {
    uint64_t number;          /* as given */
    uint64_t chunks;          /* at least 1 */
    uint64_t bytes;           /* of all chunks */
    struct range_marks marks; /* the rows are those after this entry was applied */
};

/* Reads the range's rows into `spool`, which is taken, in one read transaction. `number` names this reading;
 * `chunk_bytes` is the size of a chunk. STATUS_STORE_MISSING: the range is incomplete here, or has other
 * bounds. STATUS_RECORD_CORRUPT: its
 * marks do not open. STATUS_STORAGE_FULL, STATUS_STORAGE_FAILED: also of the spool. */
int snapshot_read(struct store *store, const struct snapshot_scope *scope, uint64_t number, size_t chunk_bytes,
                  struct snapshot_spool *spool, struct snapshot **snapshot);
const struct snapshot_facts *snapshot_facts(const struct snapshot *snapshot);
/* Puts chunk `chunk` (below `chunks`) into `out`, which is emptied first. STATUS_STORAGE_FAILED. */
int snapshot_chunk_read(struct snapshot *snapshot, uint64_t chunk, struct buffer *out);
void snapshot_close(struct snapshot *snapshot);

/* ---- in ---- */

struct snapshot_chunk {
    uint64_t snapshot; /* which reading */
    uint64_t number;   /* of the chunk, from 0 */
    bool is_last;
    struct range_marks marks;
    struct bytes rows; /* borrowed from the encoded chunk; every row is one of the range */
};

/* STATUS_RECORD_CORRUPT: damaged, or of another form. STATUS_CONFLICT: of another cluster (its master key or its hash
 * key), another range, or one with other bounds. */
int snapshot_chunk_open(const struct snapshot_scope *scope, struct bytes encoded, struct snapshot_chunk *chunk);
/* Puts the rows of an opened chunk. */
int snapshot_chunk_put(struct store_transaction *transaction, const struct snapshot_chunk *chunk);

/* Removes up to `rows_max` rows within the bounds, keys that wait among them; `*is_done` when none is left. The log
 * stays. */
int snapshot_wipe(struct store_transaction *transaction, const struct bounds *bounds, size_t rows_max, bool *is_done);
