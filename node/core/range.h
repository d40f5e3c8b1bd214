#pragma once
/* One range: gives proposals their place (epoch, index) and time, and takes the places back when the disk refuses. With
 * one replica an entry is committed as soon as its own append is durable. */
#include "node/core/entry.h"

struct range {
    uint32_t id;
    uint64_t epoch;
    uint64_t last_index; /* of the newest entry given out */
    uint64_t applied;
    int64_t last_time_ms; /* command times rise within a range */
    unsigned copies;      /* in-sync replicas beside this one */
};

void range_init(struct range *range, uint32_t id, const struct range_marks *marks);

/* The command's time: `now_ms`, but never before an earlier command's. */
void range_stamp(struct range *range, struct entry *entry, int64_t now_ms);

/* The next place of this range. */
void range_place(struct range *range, struct entry *entry);

/* True when an entry is committed by this node's own append: no other replica is in sync. */
bool range_commits_alone(const struct range *range);

/* The entry was applied; entries come in order. */
void range_applied(struct range *range, const struct entry *entry);

/* The entry was not written: its place is free again. Entries come newest first or all of a batch. */
void range_take_back(struct range *range, const struct entry *entry);

/* "disk", "disk+1", "disk+2". Static text. */
const char *durability_name(unsigned copies);
