#pragma once
/* What other nodes know of users or threads: asks the node that leads each of their ranges, a few at a time, and calls
 * back when all have answered. */
#include "node/gateway/gateway.h"
#include "proto/question.h"

struct facts_ask;

struct facts {
    /* Set by the asker; everything is needed until on_done. */
    struct gateway_worker *worker;
    struct arena *arena; /* gets the answers */
    enum question_kind kind;
    struct bytes user_id; /* QUESTION_VIEWS */
    const struct id_hash *subjects;
    size_t count;
    uint64_t deadline_ms; /* of the worker's clock */
    void *context;
    void (*on_done)(struct facts *facts, int rc); /* 0: `items` are there; otherwise somebody could not be asked */

    /* The answers, one for each subject. */
    struct fact *items;

    /* Private. */
    bool *are_asked;
    size_t next; /* all before it are asked */
    struct facts_ask *in_flight;
    size_t in_flight_count;
    int rc;
};

/* 0: on_done will be called, on the worker's thread and never from within this call. Otherwise nobody was asked. */
int facts_ask(struct facts *facts);

/* on_done is not called any more. Nothing happens if it was called already, or nobody was asked. */
void facts_cancel(struct facts *facts);

/* What this node's own store knows. `items` has room for as many as there are subjects; texts are in the arena.
 * STATUS_NOT_PRIMARY: another node leads one of them. */
int facts_read(struct gateway_worker *worker, struct arena *arena, const struct question *question, struct fact *items);
/* The one fact of QUESTION_MEMBERSHIP. */
int membership_fact_read(struct gateway_worker *worker, struct arena *arena, const struct question *question,
                         struct fact *fact);
