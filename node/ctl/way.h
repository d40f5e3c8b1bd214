#pragma once
/* The way of a change as GET /admin/trace tells of it: what each node's log and each reader's connection saw of it, and
 * when. Texts live as long as the answer. Times are microseconds of Unix time; 0: not known. */
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct way_node {
    const char *id;
    double received_us, written_us, committed_us, applied_us, arrived_us;
};

struct way_delivery {
    const char *node;
    const char *recipient; /* "": the user is not in the thread any more */
    const char *protocol;
    double connection;
    double told_us, repeated_us, kept_us, dropped_us, answered_us;
};

struct way {
    const char *kind; /* "messageReceived" and so on; "": not known */
    double offset;
    double began_us; /* when the primary received it, else the first of all times */
    struct way_node *nodes;
    size_t nodes_count;
    struct way_delivery *deliveries; /* by time */
    size_t deliveries_count;
    const json_t *untold; /* identifiers of users in the thread of whom no connection was told */
};

void way_take(const json_t *object, struct way *way);
void way_close(struct way *way);

/* When the delivery was put on its connection, live or later; 0: it was not. */
double way_delivered_us(const struct way_delivery *delivery);
/* When the first thing became of it. */
double way_first_us(const struct way_delivery *delivery);
/* A user's raw id in a CommunicationIdentifier. */
const char *way_user(const json_t *identifier);
