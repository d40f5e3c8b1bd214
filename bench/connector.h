#pragma once
/* Opens all connections of a run, some at a time, with patience for a server that asks for it. */
#include "bench/session.h"

#define CONNECTOR_PARALLEL 64

struct connector_repeat {
    struct session *session;
    int64_t at_ns;
};

struct connector {
    struct session *sessions;
    size_t count;
    size_t started;
    size_t ready;
    size_t under_way; /* started and neither ready nor given up; those that wait to be repeated among them */
    struct connector_repeat repeats[CONNECTOR_PARALLEL];
    size_t repeats_count;
    size_t repeats_total;
    int64_t progress_ns; /* when something last succeeded */
    int rc;
    char reason[400];
};

/* The sessions have their hosts set. Their host's on_ready and on_failed must call the two functions below.
 * STATUS_SERVICE_UNAVAILABLE: one could not be opened; `connector->reason` says why. Runs the loop meanwhile. */
int connector_run(struct connector *connector, struct session *sessions, size_t count);
void connector_on_ready(struct connector *connector);
void connector_on_failed(struct connector *connector, struct session *session, bool is_temporary, const char *reason);
