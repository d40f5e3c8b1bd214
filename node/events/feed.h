#pragma once
/* The threads of ranges led here that have events for those outside, as the core tells of them, and which of them is
 * next. Knows neither the events nor who gets them. Any OS thread may call. */
#include "proto/ids.h"

struct feed;

struct feed *feed_new(void);
void feed_free(struct feed *feed);

void feed_add(struct feed *feed, const struct id_hash *threads, size_t count);

/* One of them, and `*serial` of when it was added last. False: there is none. It comes again after the others. */
bool feed_next(struct feed *feed, struct id_hash *thread, uint64_t *serial);

/* Nothing of it is to be delivered here: unless it has been added again since, by events that who asks has not seen. */
void feed_drop(struct feed *feed, const struct id_hash *thread, uint64_t serial);

size_t feed_count(struct feed *feed);
