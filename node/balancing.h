#pragma once
/* This node's part in balancing, on a thread of its own, because the coordinator may keep it waiting: it announces the
 * node's load. */
#include "node/cluster_view.h"

struct balancing;

#define BALANCING_LOAD_MS 2000 /* between two announcements of a node's load */

struct balancing_options {
    struct cluster_view *view;       /* borrowed, as everything here */
    struct coordinator *coordinator; /* NULL: a node alone, whose load only its own view has */
    uint64_t node;
    /* Fills the record but for `node`; lists in the arena. On the thread of balancing. */
    void (*measure)(void *context, struct arena *arena, struct load_record *record);
    void *context;
};

/* NULL: there is no room for a thread. */
struct balancing *balancing_start(const struct balancing_options *options);
/* Waits for what is under way. */
void balancing_stop(struct balancing *balancing);
