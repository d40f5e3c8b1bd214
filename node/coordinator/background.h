#pragma once
/* Starts the coordinator's own threads. */
#include <pthread.h>
#include <stdbool.h>

/* A thread that gets no signals: those are for the main thread. False: the system has no room for one. */
bool background_start(pthread_t *thread, void *(*run)(void *context), void *context);
