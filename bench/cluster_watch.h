#pragma once
/* Looks at the cluster while a run goes on: `GET /admin/cluster` four times a second, at one node until it does not
 * answer, and `GET /metrics` of every node each second. */
#include "bench/http.h"
#include "bench/moved.h"

/* A node whose counters are read. */
struct watch_target {
    struct cluster_watch *watch;
    bool has_bytes[TRANSFERS];
    double bytes[TRANSFERS]; /* as last read */
    bool has_holds;
    struct counter_histogram holds[HOLDS];
    bool is_asked;
};

struct cluster_watch {
    const struct options *options;
    struct http *http;
    struct moved *moved;
    const int64_t *start_ns; /* of the first message; set by then */
    struct loop_timer state_timer;
    struct loop_timer counters_timer;
    char authorization[600];
    struct arena arena;
    size_t node; /* which of the options' is asked */
    int64_t asked_ns;
    int64_t asked_before_ns; /* when what was told last was asked for */
    bool has_state;
    int64_t balanced_since_ns; /* 0: something moves, or nothing is known */
    size_t nodes_at_start;
    struct watch_target targets[OPTIONS_NODES_MAX]; /* as the options' nodes, which may become more */
};

/* `start_ns` is kept. Without an admin token nothing is watched, and that is said. */
void cluster_watch_start(struct cluster_watch *watch, const struct options *options, struct loop *loop,
                         struct http *http, struct moved *moved, const int64_t *start_ns);
/* Whether nothing has moved for a while that began at `since_ns` or later. */
bool cluster_watch_is_balanced_since(const struct cluster_watch *watch, int64_t since_ns);
/* Calls under way are ended by then. */
void cluster_watch_close(struct cluster_watch *watch);
