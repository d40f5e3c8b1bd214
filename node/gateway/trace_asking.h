#pragma once
/* Asks all nodes of the cluster for the way of a change: first who leads the thread, then everybody at once. What came
 * of it is for trace_json.c to tell. */
#include "node/cluster_facts.h"
#include "node/gateway/gateway.h"

enum traced_answer {
    TRACED_NONE,   /* it was asked, and did not answer in time or not in an understandable way */
    TRACED_SILENT, /* it is known not to be alive, so it was not asked */
    TRACED_REMEMBERS
};

struct traced_node {
    const struct cluster_node *node;
    enum traced_answer answer;
    struct trace_memory memory;
    int64_t ahead_us;     /* its clock, of ours */
    int64_t uncertain_us; /* more or less than that */
};

/* Everything lives in the call's arena. */
struct tracing {
    struct gateway_worker *worker;
    struct http_call *call;
    struct bytes thread_id;
    struct id_hash thread;
    struct trace_request request; /* a message, or an offset */
    struct cluster_facts facts;
    struct trace_subject subject;
    struct traced_node *nodes;                        /* as in the facts */
    size_t waiting;                                   /* for how many of them */
    void (*on_done)(struct tracing *tracing, int rc); /* 0, or why the thread's leader does not say anything */
};

/* on_done is called once, perhaps from within; worker, call, thread, request and on_done are filled in. */
void trace_ask(struct tracing *tracing);
