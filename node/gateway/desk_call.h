#pragma once
/* A call whose work is done on the desk, and which is answered on its worker. */
#include "node/gateway/desk.h"
#include "node/gateway/gateway.h"

/* This first in a struct of its own. What is copied from the call goes into the arena here: the call may have ended
 * when the work is done. */
struct desk_call {
    struct desk_job job;
    struct arena arena;
    struct gateway *gateway;
    unsigned worker;
    struct http_call *call; /* the worker's */
    /* On a thread of the desk: fills in the following. */
    void (*work)(struct desk_call *self, const atomic_bool *is_stopping);
    int status;             /* of HTTP, if it was not refused */
    struct bytes answer;    /* JSON, in the arena; absent: none */
    struct problem problem; /* rc not 0: refused */
};

/* Zeroed but for what stands above, `size` bytes. */
void *desk_call_new(size_t size, struct worker *worker, struct http_call *call,
                    void (*work)(struct desk_call *self, const atomic_bool *is_stopping));
/* Takes it. */
void desk_call_ask(struct desk_call *self);
