#pragma once
/* Reads and opens every record of a store and reports what does not open: `weft-node fsck`. Changes nothing. */
#include "proto/buffer.h"
#include "storage/seal.h"

#define FSCK_LINES_MAX 1000

struct fsck_report {
    uint64_t records[STORE_TABLES];
    uint64_t shredded;  /* log entries whose thread or user was deleted */
    uint64_t leftovers; /* rows of deleted subjects that are still to be purged, log of wiped ranges to be trimmed, rows
                           of a range on its way in or out when the node ended, which it begins anew with */
    uint64_t corrupt;   /* does not open, does not decode, belongs to nobody, or contradicts older marks */
    uint64_t misindexed; /* an index row that names another row than the one there, or a message that none names */
};

/* `range_count`: of the cluster; marks of another range are corrupt. 0: not known, marks are only opened. `parts`: how
 * many ranges it was created with. A line for each bad record goes to `lines` (the first FSCK_LINES_MAX). 0 also when
 * something is corrupt: ask the report. */
int store_fsck(struct store *store, const struct seal_key *master, uint32_t range_count, uint32_t parts,
               struct fsck_report *report, struct buffer *lines);
