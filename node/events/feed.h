#pragma once
/* The threads of ranges led here that have events for those outside, as the core tells of them, and which of them is
 * next. Knows neither the events nor who gets them. Any OS thread may call. */
#include "proto/ids.h"

struct feed;

struct feed *feed_new(void);
void feed_free(struct feed *feed);

void feed_add(struct feed *feed, const struct id_hash *threads, size_t count);

/* One that has been added since it came last, the one that waits longest, and `*serial` of when it was added last.
 * False: there is none. */
bool feed_next_fresh(struct feed *feed, struct id_hash *thread, uint64_t *serial);

/* One of all, and its serial. False: there is none. It comes again after the others. */
bool feed_next(struct feed *feed, struct id_hash *thread, uint64_t *serial);

/* The same for whoever looks which are still led here: in another order than feed_next. */
bool feed_next_to_tidy(struct feed *feed, struct id_hash *thread, uint64_t *serial);

/* Nothing of it is to be delivered here: unless it has been added again since, by events that who asks has not seen. */
void feed_drop(struct feed *feed, const struct id_hash *thread, uint64_t serial);

/* Nothing is to be done with it before then, unless it is added again: the same condition. */
void feed_rest(struct feed *feed, const struct id_hash *thread, uint64_t serial, int64_t until_ms);
bool feed_is_at_rest(struct feed *feed, const struct id_hash *thread, int64_t now_ms);

bool feed_has_fresh(struct feed *feed);
size_t feed_count(struct feed *feed);
