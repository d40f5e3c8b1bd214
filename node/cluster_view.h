#pragma once
/* Keeps the cluster's facts up to date from what the coordinator tells, for whoever wants a copy: the balancer, the
 * admin API, the metrics. From any thread. */
#include "node/cluster_facts.h"

struct cluster_view;
struct coordinator_item;

struct cluster_view_options {
    uint64_t self;
    uint32_t range_count;
    const uint8_t *admission_key; /* borrowed; NULL: a node alone, which leads every range */
};

struct cluster_view *cluster_view_new(const struct cluster_view_options *options);
void cluster_view_free(struct cluster_view *view);

/* Monotonic: what the times below are of. */
int64_t cluster_view_clock_ms(void);

/* A change of a name under nodes/, alive/, ranges/, placements/, loads/, drains/ or balanc. What it does not understand
 * is left out; who takes it for more says so in the log. */
void cluster_view_take(struct cluster_view *view, const struct coordinator_item *item, int64_t mono_ms);

/* This node's own, for a node alone, whose coordinator is not told. */
void cluster_view_take_node(struct cluster_view *view, const struct node_record *record, int64_t mono_ms);
void cluster_view_take_load(struct cluster_view *view, const struct load_record *record);

/* As of now; everything in the arena. */
void cluster_view_facts(struct cluster_view *view, struct arena *arena, int64_t mono_ms, struct cluster_facts *facts);
/* The other nodes that are alive, at most CLUSTER_NODES_MAX. */
size_t cluster_view_others(struct cluster_view *view, uint64_t *nodes);
/* Where clients reach one of the other nodes that are alive and not to be emptied, if that is another address than this
 * node's own; `url` has room for NODE_ADDRESS_BYTES_MAX + 1. False: none has said so. */
bool cluster_view_elsewhere(struct cluster_view *view, uint32_t chance, char *url);
/* This node leads a range that another one, which is alive, learns. */
bool cluster_view_is_sending(struct cluster_view *view, size_t *ranges_count);
