#pragma once
/* Nodes that joined after the start, as the file says that `cluster-config/up` writes: lines `WEFT_ENDPOINTS=…` and
 * `WEFT_PLAIN_ENDPOINTS=…` for a shell. */
#include <time.h>

#include "bench/options.h"

struct endpoints_file {
    struct timespec changed; /* the file's time when it was last read */
};

/* Adds to the options' nodes those of the same scheme that are new there, looked up, if the file has changed since.
 * What cannot be read or found is passed over: it is tried again with the next change. */
void endpoints_file_follow(struct endpoints_file *followed, struct options *options);

/* One line of the file. How many nodes were added. */
size_t endpoints_line_take(const char *line, struct options *options);
