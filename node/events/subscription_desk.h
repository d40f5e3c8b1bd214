#pragma once
/* Where the admin interface hands in what is asked about subscriptions (subscription_tasks.h): a few threads, as each
 * may wait half a minute for a receiver, which may itself call back meanwhile. */
#include "node/events/subscription_tasks.h"
#include "node/mailbox.h"

struct subscription_desk;

/* Heap memory, whoever asks'. */
struct subscription_job {
    struct parcel parcel; /* for whoever asked, to bring it back by */
    struct subscription_job *next;
    struct arena arena;
    struct subscription_task task;
    void (*on_done)(struct subscription_job *job); /* on a thread of the desk */
    void *context;
    unsigned worker;
    void *call;
};

#define SUBSCRIPTION_JOBS_MAX 64 /* that wait */

struct subscription_desk_options {
    struct subscription_tasks tasks; /* kept, but for webhooks.is_stopping; what it borrows stays */
};

/* NULL: there is no room for the threads. */
struct subscription_desk *subscription_desk_start(const struct subscription_desk_options *options);
/* From any thread. STATUS_OVERLOADED, STATUS_SHUTTING_DOWN: not taken, still yours. */
int subscription_desk_ask(struct subscription_desk *desk, struct subscription_job *job);
/* Requests under way are broken off; jobs that wait are refused. */
void subscription_desk_stop(struct subscription_desk *desk);
