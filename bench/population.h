#pragma once
/* The users, tokens and threads of a run, made over the public REST interfaces, and a session (still closed) for
 * every connection. */
#include "bench/session.h"

struct population {
    struct session_user *users; /* thread by thread */
    size_t users_count;
    char **thread_ids;
    size_t threads_count;
    struct session *sessions; /* user by user */
    size_t sessions_count;
    double users_s; /* how long it took to make them */
    double threads_s;
};

/* Users (with a token each) and threads with all their participants. In idle mode there are no threads.
 * STATUS_SERVICE_UNAVAILABLE: refused; `reason` says so. */
int population_create(struct population *population, const struct options *options, struct http *http, char *reason,
                      size_t reason_size);

/* Closes the sessions, too. */
void population_close(struct population *population);
