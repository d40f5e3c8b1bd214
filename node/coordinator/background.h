#pragma once
/* Threads that do what takes long, such as asking the coordinator, and what they wait by. */
#include <pthread.h>
#include <stdbool.h>

/* A thread that gets no signals: those are for the main thread. False: the system has no room for one. */
bool background_start(pthread_t *thread, void *(*run)(void *context), void *context);

/* A condition that is waited for by the monotonic clock. */
void background_cond_init(pthread_cond_t *condition);
