#include "node/sweeping.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "node/coordinator/background.h"
#include "node/log.h"
#include "proto/check.h"
#include "proto/status.h"

#define TURN_PAUSE_MS 10
#define OVERLOADED_PAUSE_MS 100

struct sweeping {
    struct sweeping_options options;
    pthread_t thread;
    pthread_mutex_t mutex; /* of what follows */
    pthread_cond_t wakeup;
    bool is_stopping;
    bool is_awaited; /* somebody waits for the next walk */
    /* The thread's own. */
    int failure; /* how the last walk ended; 0: well */
    size_t unreadable;
};

static int64_t clock_ms(clockid_t clock) {
    struct timespec now;
    check(clock_gettime(clock, &now) == 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

enum patience { AT_ANY_RATE, UNLESS_AWAITED };

/* False: it is to end. */
static bool pause_for(struct sweeping *self, int64_t ms, enum patience patience) {
    int64_t until_ms = clock_ms(CLOCK_MONOTONIC) + ms;
    struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
    pthread_mutex_lock(&self->mutex);
    while (!self->is_stopping && !(patience == UNLESS_AWAITED && self->is_awaited) &&
           clock_ms(CLOCK_MONOTONIC) < until_ms)
        pthread_cond_timedwait(&self->wakeup, &self->mutex, &until);
    if (patience == UNLESS_AWAITED)
        self->is_awaited = false;
    bool goes_on = !self->is_stopping;
    pthread_mutex_unlock(&self->mutex);
    return goes_on;
}

static int turn(struct sweeping *self, struct sweep *sweep) {
    struct store_transaction *transaction = NULL;
    int rc = store_begin_read(self->options.store, &transaction);
    if (rc != STATUS_OK)
        return rc;
    rc = sweep_turn(sweep, &self->options.sweep, transaction, clock_ms(CLOCK_REALTIME));
    store_abort(transaction);
    return rc;
}

/* Said once, not with every walk. */
static void failure_note(struct sweeping *self, const struct sweep *sweep, int rc) {
    if (rc != self->failure && rc != STATUS_OK)
        log_error("what is due in the store cannot be looked for: %s", status_sentence(rc));
    if (sweep->unreadable > self->unreadable)
        log_error("%zu threads or users do not open, so nobody knows what is due of them; weft-node fsck says more",
                  sweep->unreadable);
    self->failure = rc;
    self->unreadable = sweep->unreadable;
}

/* A large store is walked through without rests, when these would take too long. */
static bool rest(struct sweeping *self, int64_t began_ms, int rc) {
    bool is_late = clock_ms(CLOCK_MONOTONIC) - began_ms > self->options.interval_ms / 2;
    return pause_for(self, rc == STATUS_OVERLOADED ? OVERLOADED_PAUSE_MS : is_late ? 0 : TURN_PAUSE_MS, AT_ANY_RATE);
}

/* False: it is to end. */
static bool walk(struct sweeping *self, int64_t began_ms) {
    struct sweep sweep = {.unreadable = 0};
    int rc;
    do {
        rc = turn(self, &sweep);
        if (!rest(self, began_ms, rc))
            return false;
    } while (rc == STATUS_OK || rc == STATUS_OVERLOADED);
    failure_note(self, &sweep, rc == STATUS_STORE_MISSING ? STATUS_OK : rc);
    return true;
}

static void *run(void *context) {
    struct sweeping *self = context;
    for (;;) {
        int64_t began_ms = clock_ms(CLOCK_MONOTONIC);
        if (!walk(self, began_ms) ||
            !pause_for(self, began_ms + self->options.interval_ms - clock_ms(CLOCK_MONOTONIC), UNLESS_AWAITED))
            return NULL;
    }
}

static void sweeping_free(struct sweeping *self) {
    pthread_cond_destroy(&self->wakeup);
    pthread_mutex_destroy(&self->mutex);
    free(self);
}

struct sweeping *sweeping_start(const struct sweeping_options *options) {
    struct sweeping *self = calloc(1, sizeof(*self));
    check(self != NULL);
    self->options = *options;
    pthread_mutex_init(&self->mutex, NULL);
    background_cond_init(&self->wakeup);
    if (background_start(&self->thread, run, self))
        return self;
    sweeping_free(self);
    return NULL;
}

void sweeping_wake(struct sweeping *self) {
    pthread_mutex_lock(&self->mutex);
    self->is_awaited = true;
    pthread_cond_signal(&self->wakeup);
    pthread_mutex_unlock(&self->mutex);
}

void sweeping_stop(struct sweeping *self) {
    pthread_mutex_lock(&self->mutex);
    self->is_stopping = true;
    pthread_cond_signal(&self->wakeup);
    pthread_mutex_unlock(&self->mutex);
    check(pthread_join(self->thread, NULL) == 0);
    sweeping_free(self);
}
