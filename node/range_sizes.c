#include "node/range_sizes.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "node/coordinator/background.h"
#include "node/log.h"
#include "proto/check.h"
#include "proto/status.h"
#include "storage/keys.h"

#define STEP_ROWS 1000
#define STEP_PAUSE_MS 10
#define REST_PER_WORK 20 /* at most a twentieth of the time is spent on this */

struct range_sizes {
    struct range_sizes_options options;
    pthread_t thread;
    pthread_mutex_t mutex; /* of what follows */
    pthread_cond_t wakeup;
    bool is_stopping;
    uint64_t *measured; /* by range */
    /* The thread's own. */
    uint64_t *counted; /* so far, in this measurement */
    struct key next;   /* where it goes on */
};

static int64_t monotonic_ms(void) {
    struct timespec now;
    check(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void row_count(struct range_sizes *self, struct bytes key, struct bytes value) {
    if (key.size < sizeof(struct id_hash))
        return;
    struct id_hash subject = key_subject(key);
    uint32_t range = self->options.range_of(self->options.context, &subject);
    if (range < self->options.ranges_max)
        self->counted[range] += key.size + value.size;
}

/* The smallest key behind this one. */
static void next_set(struct range_sizes *self, struct bytes key) {
    check(key.size < sizeof(self->next.data));
    memcpy(self->next.data, key.data, key.size);
    self->next.data[key.size] = 0;
    self->next.size = key.size + 1;
}

/* Some rows. STATUS_STORE_MISSING: those were the last. */
static int step(struct range_sizes *self) {
    struct store_transaction *transaction = NULL;
    struct store_cursor *cursor = NULL;
    struct bytes key;
    struct bytes value;
    int rc = store_begin_read(self->options.store, &transaction);
    if (rc != STATUS_OK)
        return rc;
    rc = store_cursor_open(transaction, STORE_STATE, &cursor);
    if (rc == STATUS_OK) {
        rc = store_cursor_seek(cursor, key_bytes(&self->next), &key, &value);
        for (size_t i = 0; rc == STATUS_OK && i < STEP_ROWS; i++) {
            row_count(self, key, value);
            next_set(self, key);
            rc = store_cursor_next(cursor, &key, &value);
        }
        store_cursor_close(cursor);
    }
    store_abort(transaction);
    return rc;
}

/* False: it is to end. */
static bool pause_for(struct range_sizes *self, int64_t ms) {
    int64_t until_ms = monotonic_ms() + ms;
    struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
    pthread_mutex_lock(&self->mutex);
    while (!self->is_stopping && monotonic_ms() < until_ms)
        pthread_cond_timedwait(&self->wakeup, &self->mutex, &until);
    bool goes_on = !self->is_stopping;
    pthread_mutex_unlock(&self->mutex);
    return goes_on;
}

static void publish(struct range_sizes *self) {
    pthread_mutex_lock(&self->mutex);
    memcpy(self->measured, self->counted, self->options.ranges_max * sizeof(*self->measured));
    pthread_mutex_unlock(&self->mutex);
}

/* How long it worked, pauses left out; negative: it is to end. */
static int64_t measure(struct range_sizes *self) {
    int64_t worked_ms = 0;
    int rc = STATUS_OK;
    memset(self->counted, 0, self->options.ranges_max * sizeof(*self->counted));
    self->next.size = 0;
    while (rc == STATUS_OK) {
        int64_t began_ms = monotonic_ms();
        rc = step(self);
        worked_ms += monotonic_ms() - began_ms;
        if (rc == STATUS_OK && !pause_for(self, STEP_PAUSE_MS))
            return -1;
    }
    if (rc == STATUS_STORE_MISSING)
        publish(self);
    else
        log_error("the sizes of ranges cannot be measured: %s", status_sentence(rc));
    return worked_ms;
}

static void *run(void *context) {
    struct range_sizes *self = context;
    for (;;) {
        int64_t worked_ms = measure(self);
        int64_t rest_ms = worked_ms * REST_PER_WORK;
        if (worked_ms < 0 || !pause_for(self, rest_ms > self->options.rest_ms ? rest_ms : self->options.rest_ms))
            return NULL;
    }
}

static void sizes_free(struct range_sizes *self) {
    pthread_cond_destroy(&self->wakeup);
    pthread_mutex_destroy(&self->mutex);
    free(self->measured);
    free(self->counted);
    free(self);
}

struct range_sizes *range_sizes_start(const struct range_sizes_options *options) {
    struct range_sizes *self = calloc(1, sizeof(*self));
    check(self != NULL);
    self->options = *options;
    self->measured = calloc(options->ranges_max, sizeof(*self->measured));
    self->counted = calloc(options->ranges_max, sizeof(*self->counted));
    check(self->measured != NULL && self->counted != NULL);
    pthread_mutex_init(&self->mutex, NULL);
    background_cond_init(&self->wakeup);
    if (background_start(&self->thread, run, self))
        return self;
    sizes_free(self);
    return NULL;
}

void range_sizes_stop(struct range_sizes *self) {
    pthread_mutex_lock(&self->mutex);
    self->is_stopping = true;
    pthread_cond_signal(&self->wakeup);
    pthread_mutex_unlock(&self->mutex);
    check(pthread_join(self->thread, NULL) == 0);
    sizes_free(self);
}

uint64_t range_sizes_of(struct range_sizes *self, uint32_t range) {
    pthread_mutex_lock(&self->mutex);
    uint64_t size = range < self->options.ranges_max ? self->measured[range] : 0;
    pthread_mutex_unlock(&self->mutex);
    return size;
}
