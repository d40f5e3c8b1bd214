#include "node/balancing.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "node/coordinator/background.h"
#include "node/log.h"
#include "proto/check.h"
#include "proto/status.h"

struct balancing {
    struct balancing_options options;
    pthread_t thread;
    pthread_mutex_t mutex; /* of what follows */
    pthread_cond_t wakeup;
    bool is_stopping;
    /* The thread's own. */
    int64_t load_due_ms; /* monotonic */
    struct buffer load_told;
    uint64_t load_version;
    bool is_load_failing;
};

/* ---- this node's load ---- */

/* Another life of this node has left a record. */
static int load_version_find(struct balancing *self, const char *name) {
    struct arena arena;
    struct bytes value;
    arena_init(&arena);
    int rc = coordinator_get(self->options.coordinator, name, &arena, &value, &self->load_version);
    if (rc == STATUS_STORE_MISSING) {
        self->load_version = 0;
        rc = STATUS_OK;
    }
    arena_close(&arena);
    return rc;
}

static void load_announce(struct balancing *self, struct bytes encoded) {
    char name[sizeof("loads/") + NODE_ID_TEXT_BYTES] = "loads/";
    node_id_format(self->options.node, name + strlen("loads/"));
    int rc = coordinator_swap(self->options.coordinator, name, self->load_version, encoded, &self->load_version);
    if (rc == STATUS_CONFLICT) {
        rc = load_version_find(self, name);
        if (rc == STATUS_OK)
            rc = coordinator_swap(self->options.coordinator, name, self->load_version, encoded, &self->load_version);
    }
    if (rc != STATUS_OK && !self->is_load_failing)
        log_warning("the load of this node cannot be announced: %s", status_sentence(rc));
    self->is_load_failing = rc != STATUS_OK;
}

static void load_tell(struct balancing *self) {
    struct arena arena;
    struct load_record record = {0};
    arena_init(&arena);
    self->options.measure(self->options.context, &arena, &record);
    record.node = self->options.node;
    if (self->options.coordinator == NULL) {
        cluster_view_take_load(self->options.view, &record);
    } else {
        self->load_told.size = 0;
        load_record_encode(&record, &self->load_told);
        load_announce(self, buffer_bytes(&self->load_told));
    }
    arena_close(&arena);
}

/* ---- the thread ---- */

/* False: it is to end. */
static bool wait_until(struct balancing *self, int64_t until_ms) {
    struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
    pthread_mutex_lock(&self->mutex);
    while (!self->is_stopping && cluster_view_clock_ms() < until_ms)
        pthread_cond_timedwait(&self->wakeup, &self->mutex, &until);
    bool goes_on = !self->is_stopping;
    pthread_mutex_unlock(&self->mutex);
    return goes_on;
}

static void *run(void *context) {
    struct balancing *self = context;
    do {
        if (cluster_view_clock_ms() >= self->load_due_ms) {
            load_tell(self);
            self->load_due_ms = cluster_view_clock_ms() + BALANCING_LOAD_MS;
        }
    } while (wait_until(self, self->load_due_ms));
    return NULL;
}

static void balancing_free(struct balancing *self) {
    buffer_close(&self->load_told);
    pthread_cond_destroy(&self->wakeup);
    pthread_mutex_destroy(&self->mutex);
    free(self);
}

struct balancing *balancing_start(const struct balancing_options *options) {
    struct balancing *self = calloc(1, sizeof(*self));
    pthread_condattr_t monotonic;
    check(self != NULL);
    self->options = *options;
    buffer_init(&self->load_told);
    pthread_mutex_init(&self->mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&self->wakeup, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (background_start(&self->thread, run, self))
        return self;
    balancing_free(self);
    return NULL;
}

void balancing_stop(struct balancing *self) {
    pthread_mutex_lock(&self->mutex);
    self->is_stopping = true;
    pthread_cond_signal(&self->wakeup);
    pthread_mutex_unlock(&self->mutex);
    check(pthread_join(self->thread, NULL) == 0);
    balancing_free(self);
}
