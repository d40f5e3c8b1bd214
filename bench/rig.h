#pragma once
/* What both kinds of run stand on: loop, REST client, TLS, looked-up nodes, population and connections. */
#include "bench/connector.h"
#include "bench/population.h"
#include "bench/result.h"

struct rig {
    struct loop loop;
    struct http http;
    struct session_host host;
    struct population population;
    struct connector connector;
    struct loop_timer ping_timer;
};

/* Makes users and threads. Addresses in `options` are looked up. On an error the rig is closed. */
int rig_open(struct rig *rig, struct options *options, const struct session_events *events, void *context, char *reason,
             size_t reason_size);
/* Opens all connections; notes times and the server's memory before and after in the result. The events' on_ready and
 * on_failed must go to the rig's connector. */
int rig_connect(struct rig *rig, struct result *result, char *reason, size_t reason_size);
void rig_close(struct rig *rig);

/* Waits until the server's memory has stopped growing, five seconds at most; false: it cannot be read. */
bool rig_memory_settled(struct rig *rig, const struct options *options, struct process_usage *usage);
