#pragma once
/* Messages stored before a run, in threads of their own all over the hash ring, so that there is something to move. */
#include "bench/http.h"
#include "bench/moved.h"

/* --fill-mb megabytes of content, by many threads at a time; notes in `moved` what was stored.
 * STATUS_SERVICE_UNAVAILABLE: refused; `reason` says so. Runs the loop meanwhile. */
int fill_run(const struct options *options, struct http *http, struct moved *moved, char *reason, size_t reason_size);
