#include "node/coordinator/background.h"

#include <signal.h>
#include <time.h>

#include "proto/check.h"

bool background_start(pthread_t *thread, void *(*run)(void *context), void *context) {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(thread, NULL, run, context);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error == 0;
}

void background_cond_init(pthread_cond_t *condition) {
    pthread_condattr_t monotonic;
    check(pthread_condattr_init(&monotonic) == 0);
    check(pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0);
    check(pthread_cond_init(condition, &monotonic) == 0);
    pthread_condattr_destroy(&monotonic);
}
