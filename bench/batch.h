#pragma once
/* The same REST call for many things, a bounded number at a time, each repeated while the server asks for patience. */
#include "bench/http.h"
#include "proto/arena.h"

#define BATCH_PARALLEL 32

struct batch {
    const char *label; /* for the progress bar and complaints */
    size_t count;
    long wanted_status;
    /* Fills the call for one thing; on_done and context are the batch's. What it points to may live in the arena. */
    void (*prepare)(void *context, size_t index, struct arena *arena, struct http_call *call);
    /* Takes the body of the wanted answer. False: it lacks what it must have. */
    bool (*take)(void *context, size_t index, struct bytes body);
    void *context;
};

/* STATUS_OK when all are done; STATUS_SERVICE_UNAVAILABLE with the first refusal, or the last of too many repetitions,
 * in `reason`. Runs the loop meanwhile. */
int batch_run(const struct batch *batch, struct http *http, char *reason, size_t reason_size);
