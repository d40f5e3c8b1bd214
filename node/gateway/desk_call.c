#include "node/gateway/desk_call.h"

#include <stdlib.h>

#include "proto/check.h"
#include "proto/status.h"

static void desk_call_free(struct desk_call *self) {
    arena_close(&self->arena);
    free(self);
}

static void on_delivered(void *receiver, struct parcel *parcel) {
    struct desk_call *self = (struct desk_call *)parcel;
    (void)receiver;
    http_call_set_header(self->call, "cache-control", BYTES_LITERAL("no-store"));
    if (self->problem.rc != STATUS_OK)
        http_call_refuse(self->call, &self->problem);
    else
        http_call_reply(self->call, self->status, self->answer);
    desk_call_free(self);
}

static void work(struct desk_job *job, const atomic_bool *is_stopping) {
    struct desk_call *self = (struct desk_call *)job;
    self->work(self, is_stopping);
}

/* A worker that has stopped has answered its clients. */
static void on_done(struct desk_job *job, int rc) {
    struct desk_call *self = (struct desk_call *)job;
    if (rc != STATUS_OK)
        problem_set(&self->problem, &self->arena, rc, NULL, "%s", status_sentence(rc));
    self->job.parcel.deliver = on_delivered;
    if (worker_post(self->gateway->workers[self->worker].worker, &self->job.parcel) != STATUS_OK)
        desk_call_free(self);
}

void *desk_call_new(size_t size, struct worker *worker, struct http_call *call,
                    void (*work_)(struct desk_call *self, const atomic_bool *is_stopping)) {
    struct desk_call *self = calloc(1, size);
    check(self != NULL && size >= sizeof(*self));
    arena_init(&self->arena);
    self->job.work = work;
    self->job.on_done = on_done;
    self->gateway = gateway_worker_of(worker)->gateway;
    self->worker = worker->index;
    self->call = call;
    self->work = work_;
    return self;
}

void desk_call_ask(struct desk_call *self) {
    int rc = desk_ask(self->gateway->desk, &self->job);
    if (rc == STATUS_OK)
        return;
    http_call_refuse_status(self->call, rc);
    desk_call_free(self);
}
