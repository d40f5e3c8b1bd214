#pragma once
/* Two readings of a thread side by side: what a dump has, and what the users of a cluster see. */
#include "node/ctl/reading.h"

/* Gets a sentence for each difference. */
typedef void on_difference(void *context, const char *sentence);

/* Returns how many there are. Compared are the topic, who made the thread and when, its metadata and retention, the
 * participants with their share-history times, receipts, and of each message: sequence, version, type, author, times,
 * texts and metadata. Times count to the second, as REST tells them. Puts the messages of both into another order. */
uint64_t differences_tell(struct reading *dumped, struct reading *seen, on_difference *tell, void *context);
