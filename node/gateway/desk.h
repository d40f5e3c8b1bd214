#pragma once
/* A few threads for what takes longer than a worker may: asking the coordinator, or somebody outside who may himself
 * call back meanwhile. Jobs are begun in the order in which they come. */
#include <stdatomic.h>

#include "node/mailbox.h"

struct desk;

/* Heap memory, whoever asks'; this first in a struct of its own. */
struct desk_job {
    struct parcel parcel; /* for whoever asked, to bring it back by */
    struct desk_job *next;
    /* On a thread of the desk. What is still under way when the desk stops should end soon. */
    void (*work)(struct desk_job *job, const atomic_bool *is_stopping);
    /* Afterwards, likewise, with 0. STATUS_SHUTTING_DOWN: the desk has stopped, no work was done. */
    void (*on_done)(struct desk_job *job, int rc);
};

#define DESK_JOBS_MAX 64 /* that wait */

/* NULL: there is no room for the threads. */
struct desk *desk_start(void);
/* From any thread. STATUS_OVERLOADED, STATUS_SHUTTING_DOWN: not taken, still yours. */
int desk_ask(struct desk *desk, struct desk_job *job);
/* Jobs that wait are refused. */
void desk_stop(struct desk *desk);
