#pragma once
/* This node's part in balancing, on a thread of its own, because the coordinator may keep it waiting. It announces the
 * node's load, brings operators' wishes to the coordinator, and stands for election; elected, it asks the balancer each
 * second what should be and writes that, and removes what is left of nodes that were emptied and have ended. */
#include "node/cluster_view.h"
#include "node/operator_wish.h"

struct coordinator;

struct balancing;

#define BALANCING_LOAD_MS 2000 /* between two announcements of a node's load */
#define BALANCING_STEP_MS 1000
/* Between two announcements of a node that sends ranges, so that people see how far they are. A record grows with the
 * ranges, and all that are written stay in the coordinator's history for a while: with many it is not sent more often.
 */
int64_t balancing_load_ms(bool is_sending, size_t ranges_count);

/* Put it first in your own struct. */
struct balancing_wish {
    struct balancing_wish *next; /* balancing's, until it answers */
    struct operator_wish wish;
    int rc;
    void (*compute)(struct balancing_wish *wish); /* on the thread of balancing; NULL: `wish` is performed */
    void (*on_done)(struct balancing_wish *wish); /* on the thread of balancing; the memory is yours again */
};

struct balancing_options {
    struct cluster_view *view;       /* borrowed, as everything here */
    struct coordinator *coordinator; /* NULL: a node alone, whose load only its own view has */
    uint64_t node;
    struct cluster_moves_options moves;
    bool may_be_elected;
    /* Fills the record but for `node`; lists in the arena. On the thread of balancing. */
    void (*measure)(void *context, struct arena *arena, struct load_record *record);
    /* Once, on the thread of balancing: this node was to be emptied and is. */
    void (*on_emptied)(void *context);
    void *context;
};

/* NULL: there is no room for a thread. */
struct balancing *balancing_start(const struct balancing_options *options);
/* From any thread: checked and performed, then `on_done`. STATUS_SHUTTING_DOWN: not taken, still yours. */
int balancing_wish(struct balancing *balancing, struct balancing_wish *wish);
/* Waits for what is under way; wishes that are left are answered with STATUS_SHUTTING_DOWN. */
void balancing_stop(struct balancing *balancing);
