#pragma once
/* The same work for many items, some at a time: what a resource's REST interface is read with. */
#include <curl/curl.h>
#include <stddef.h>

#define SIDE_BY_SIDE_MAX 32

/* Called on a thread of its own, with a line to call on. Gives an exit status; other than EXIT_DONE ends the whole. */
typedef int side_by_side_work(void *context, size_t item, CURL *line);
/* Called on the caller's thread, some times a second and at the end; `done` items are done. */
typedef void side_by_side_tick(void *context, size_t done);

/* The first status that is not EXIT_DONE, after all that were begun have ended. `beside`: 1 to SIDE_BY_SIDE_MAX. */
int side_by_side(size_t count, size_t beside, side_by_side_work *work, side_by_side_tick *tick, void *context);
