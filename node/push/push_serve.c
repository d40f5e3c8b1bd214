#include "node/push/push_serve.h"

#include "node/core/interest.h"
#include "node/gateway/presence.h"
#include "node/push/push.h"
#include "node/push/push_payload.h"
#include "proto/limits.h"
#include "storage/user_store.h"

#define TITLE_BYTES_MAX 128
#define TEXT_BYTES_MAX 256

/* Nodes that take part in a user's range say within this time whom they have. */
static bool is_known_who_is_present(const struct gateway *gateway, const struct id_hash *user) {
    struct gateway_reign reign;
    if (gateway->reign == NULL)
        return true;
    return gateway->reign(gateway->core, user, &reign) && reign.lasts_ms >= INTEREST_MOVING_MS;
}

/* Other nodes are taken at their word for as long as they keep a session for its return. */
static bool is_present(const struct gateway *gateway, const struct id_hash *user) {
    uint64_t nodes[2];
    if (presence_has(gateway->presence, user))
        return true;
    size_t count = gateway->listeners == NULL ? 0 : gateway->listeners(gateway->core, user, nodes, 2);
    return count > 1 || (count == 1 && nodes[0] != gateway->node_id);
}

struct gathering {
    struct gateway_worker *worker;
    struct arena *arena;
    const struct apply_context *context;
    struct change change;
    int64_t now_ms;
    struct push_job *jobs;
    size_t count;
    size_t room;
};

static void job_add(struct gathering *self, const struct push_job *job) {
    if (self->count == self->room) {
        self->room = self->room == 0 ? LIMIT_PUSH_REGISTRATIONS_MAX : self->room * 2;
        struct push_job *jobs = ARENA_NEW_ARRAY(self->arena, struct push_job, self->room);
        if (self->count > 0)
            memcpy(jobs, self->jobs, self->count * sizeof(*jobs));
        self->jobs = jobs;
    }
    self->jobs[self->count++] = *job;
}

static void device_gather(struct gathering *self, const struct id_hash *user, struct bytes user_id,
                          const struct push_registration *device) {
    bool has_expired = device->expires_ms != 0 && device->expires_ms <= self->now_ms;
    const struct push *push = self->worker->gateway->pushes;
    if (has_expired || !push_reaches(push, device->transport) || !push_payload_is_for(device, &self->change))
        return;
    struct push_payload payload =
        push_payload_make(&self->change, user_id, push_payload_bytes_max(device), self->arena);
    struct push_job job = {.user = *user,
                           .device = device,
                           .thread = self->change.subject,
                           .event_id = payload.event_id,
                           .json = payload.json,
                           .title = push_payload_cut(self->change.message.display_name, TITLE_BYTES_MAX),
                           .text = push_payload_text(&self->change.message, TEXT_BYTES_MAX, self->arena),
                           .happened_ms = self->change.time_ms};
    if (payload.event_id != 0)
        job_add(self, &job);
}

static int user_gather(struct gathering *self, const struct id_hash *user) {
    struct user_store store;
    struct user_row row;
    struct push_row *devices;
    size_t count = 0;
    int rc = user_store_open(&store, self->context->transaction, self->arena, self->context->master, user);
    if (rc == STATUS_OK)
        rc = user_row_get(&store, &row);
    if (rc == STATUS_OK)
        rc = user_push_list(&store, &devices, &count);
    for (size_t i = 0; rc == STATUS_OK && i < count; i++)
        device_gather(self, user, row.user_id, &devices[i].registration);
    return rc == STATUS_STORE_MISSING ? STATUS_OK : rc;
}

static int users_gather(struct gathering *self, const struct question *question) {
    const struct gateway *gateway = self->worker->gateway;
    int rc = STATUS_OK;
    for (size_t i = 0; rc == STATUS_OK && i < question->subjects_count; i++) {
        const struct id_hash *user = &question->subjects[i].hash;
        if (!gateway_is_here(gateway, user) || !is_known_who_is_present(gateway, user))
            rc = STATUS_NOT_PRIMARY;
        else if (!is_present(gateway, user))
            rc = user_gather(self, user);
    }
    return rc;
}

int push_serve(struct gateway_worker *worker, struct arena *arena, const struct question *question) {
    struct gathering gathering = {.worker = worker, .arena = arena, .now_ms = worker_wall_ms()};
    struct gateway_read read;
    int rc = change_decode(question->call, arena, &gathering.change);
    if (rc != STATUS_OK)
        return rc;
    rc = gateway_read_begin(worker, arena, &read);
    if (rc != STATUS_OK)
        return rc;
    gathering.context = &read.context;
    rc = users_gather(&gathering, question);
    gateway_read_end(&read);
    return rc == STATUS_OK && gathering.count > 0 ? push_add(worker->gateway->pushes, gathering.jobs, gathering.count)
                                                  : rc;
}
