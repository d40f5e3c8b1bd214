#include "node/gateway/desk.h"

#include <stdlib.h>

#include "node/coordinator/background.h"
#include "proto/check.h"
#include "proto/status.h"

#define THREADS 4

struct desk {
    atomic_bool is_stopping;
    pthread_t threads[THREADS];
    size_t threads_count;
    pthread_mutex_t mutex; /* of what follows */
    pthread_cond_t wakeup;
    struct desk_job *first;
    struct desk_job **end;
    size_t waiting;
};

static struct desk_job *job_take(struct desk *self) {
    struct desk_job *job = self->first;
    if (job == NULL)
        return NULL;
    self->first = job->next;
    if (self->first == NULL)
        self->end = &self->first;
    self->waiting--;
    return job;
}

/* NULL: the desk closes. */
static struct desk_job *job_wait(struct desk *self) {
    pthread_mutex_lock(&self->mutex);
    while (self->first == NULL && !atomic_load(&self->is_stopping))
        pthread_cond_wait(&self->wakeup, &self->mutex);
    struct desk_job *job = atomic_load(&self->is_stopping) ? NULL : job_take(self);
    pthread_mutex_unlock(&self->mutex);
    return job;
}

static void *run(void *context) {
    struct desk *self = context;
    struct desk_job *job;
    while ((job = job_wait(self)) != NULL) {
        job->work(job, &self->is_stopping);
        job->on_done(job, STATUS_OK);
    }
    return NULL;
}

struct desk *desk_start(void) {
    struct desk *self = calloc(1, sizeof(*self));
    check(self != NULL);
    self->end = &self->first;
    pthread_mutex_init(&self->mutex, NULL);
    background_cond_init(&self->wakeup);
    while (self->threads_count < THREADS && background_start(&self->threads[self->threads_count], run, self))
        self->threads_count++;
    if (self->threads_count == THREADS)
        return self;
    desk_stop(self);
    return NULL;
}

int desk_ask(struct desk *self, struct desk_job *job) {
    int rc = STATUS_OK;
    job->next = NULL;
    pthread_mutex_lock(&self->mutex);
    if (atomic_load(&self->is_stopping)) {
        rc = STATUS_SHUTTING_DOWN;
    } else if (self->waiting >= DESK_JOBS_MAX) {
        rc = STATUS_OVERLOADED;
    } else {
        *self->end = job;
        self->end = &job->next;
        self->waiting++;
        pthread_cond_signal(&self->wakeup);
    }
    pthread_mutex_unlock(&self->mutex);
    return rc;
}

void desk_stop(struct desk *self) {
    struct desk_job *job;
    pthread_mutex_lock(&self->mutex);
    atomic_store(&self->is_stopping, true);
    pthread_cond_broadcast(&self->wakeup);
    pthread_mutex_unlock(&self->mutex);
    for (size_t i = 0; i < self->threads_count; i++)
        check(pthread_join(self->threads[i], NULL) == 0);
    while ((job = job_take(self)) != NULL)
        job->on_done(job, STATUS_SHUTTING_DOWN);
    pthread_cond_destroy(&self->wakeup);
    pthread_mutex_destroy(&self->mutex);
    free(self);
}
