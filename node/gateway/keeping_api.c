#include "node/gateway/keeping_api.h"

#include <stdlib.h>

#include "node/gateway/gateway.h"
#include "proto/check.h"
#include "proto/json_tree.h"
#include "proto/limits.h"
#include "storage/thread_store.h"

/* ---- what is kept ---- */

struct kept {
    bool is_held, is_deleted;
    struct hold_row hold;
    struct tombstone_row tombstone;
};

static int live_thread_find(const struct apply_context *context, const struct id_hash *thread) {
    struct thread_store store;
    struct thread_properties properties;
    int rc = thread_store_open(&store, context->transaction, context->arena, context->master, thread);
    if (rc == STATUS_OK)
        rc = thread_properties_get(&store, &properties);
    return rc == STATUS_STORE_MISSING ? STATUS_THREAD_NOT_FOUND : rc;
}

static int tombstone_find(const struct apply_context *context, const struct id_hash *thread,
                          struct tombstone_row *tombstone) {
    int rc = subject_tombstone_get(context->transaction, context->arena, context->master, thread, tombstone);
    bool is_of_user = rc == STATUS_OK && !bytes_is_present(tombstone->thread_id);
    return rc == STATUS_STORE_MISSING || is_of_user ? STATUS_THREAD_NOT_FOUND : rc;
}

static int kept_find(const struct apply_context *context, const struct id_hash *thread, struct kept *kept) {
    *kept = (struct kept){.is_held = false};
    int rc = live_thread_find(context, thread);
    kept->is_deleted = rc == STATUS_THREAD_NOT_FOUND;
    if (kept->is_deleted)
        rc = tombstone_find(context, thread, &kept->tombstone);
    if (rc != STATUS_OK)
        return rc;
    rc = subject_hold_get(context->transaction, context->arena, context->master, thread, &kept->hold);
    kept->is_held = rc == STATUS_OK;
    return rc == STATUS_STORE_MISSING ? STATUS_OK : rc;
}

static struct bytes kept_encode(const struct kept *kept, struct bytes thread_id, struct arena *arena) {
    json_t *object = json_object_new();
    json_text_set(object, "threadId", thread_id);
    json_member_set(object, "isHeld", json_boolean(kept->is_held));
    json_member_set(object, "isDeleted", json_boolean(kept->is_deleted));
    if (kept->is_held) {
        json_text_set(object, "reason", kept->hold.reason);
        json_member_set(object, "since", json_integer(kept->hold.since_ms));
    }
    if (kept->is_deleted)
        json_member_set(object, "deletedOn", json_integer(kept->tombstone.deleted_ms));
    if (kept->is_deleted && bytes_is_present(kept->tombstone.wrapped_key))
        json_member_set(object, "keptUntil", json_integer(kept->tombstone.kept_until_ms));
    return json_text_take(arena, object);
}

static void kept_tell(struct gateway_worker *worker, struct http_call *call) {
    struct id_hash thread = gateway_hash(worker->gateway, call->captures[0]);
    struct gateway_read read;
    struct kept kept;
    int rc = gateway_read_begin_of(worker, &call->arena, &thread, &read);
    if (rc != STATUS_OK) {
        http_call_refuse_status(call, rc);
        return;
    }
    rc = kept_find(&read.context, &thread, &kept);
    gateway_read_end(&read);
    if (rc == STATUS_OK)
        http_call_reply(call, 200, kept_encode(&kept, call->captures[0], &call->arena));
    else
        http_call_refuse_status(call, rc);
}

/* ---- what is changed ---- */

struct keeping_wait {
    struct reply reply;
    struct http_call *call;
};

static void on_answer(struct gateway_worker *worker, struct reply *reply) {
    struct http_call *call = ((struct keeping_wait *)reply)->call;
    int rc = reply->result.rc;
    free(reply);
    if (rc == STATUS_OK)
        kept_tell(worker, call);
    else
        http_call_refuse_status(call, rc);
}

static void change(struct worker *self, struct http_call *call, enum command_kind kind, struct bytes reason) {
    struct gateway_worker *worker = gateway_worker_of(self);
    struct id_hash thread = gateway_hash(worker->gateway, call->captures[0]);
    struct keeping_wait *wait = calloc(1, sizeof(*wait));
    check(wait != NULL);
    *wait = (struct keeping_wait){.reply.on_answer = on_answer, .call = call};
    struct entry *entry = gateway_entry_new(worker, kind, &thread, BYTES_ABSENT, &wait->reply);
    entry->command.reason = arena_copy(&entry->arena, reason);
    int rc = worker->gateway->propose(worker->gateway->core, entry);
    if (rc == STATUS_OK)
        return;
    entry_free(entry);
    free(wait);
    http_call_refuse_status(call, rc);
}

static int reason_parse(struct http_call *call, struct bytes *reason, struct problem *problem) {
    struct json_reader reader = {&call->arena, problem};
    json_t *root;
    int rc = json_body_load(&reader, call->body, &root);
    if (rc != STATUS_OK)
        return rc;
    rc = json_text_require(&reader, root, "reason", LIMIT_HOLD_REASON_BYTES_MAX, reason);
    json_decref(root);
    if (rc == STATUS_OK && reason->size == 0)
        rc = problem_set(problem, &call->arena, STATUS_VALIDATION_ERROR, "reason",
                         "reason is empty; it must say why the thread is held.");
    return rc;
}

static bool thread_id_is_wrong(struct http_call *call) {
    struct problem problem = {0};
    if (thread_id_is_valid(call->captures[0]))
        return false;
    problem_set(&problem, &call->arena, STATUS_VALIDATION_ERROR, "threadId", "A thread's id is as 19:...@thread.v2.");
    http_call_refuse(call, &problem);
    return true;
}

static void hold_get(struct worker *self, struct http_call *call) {
    if (!thread_id_is_wrong(call))
        kept_tell(gateway_worker_of(self), call);
}

static void hold_put(struct worker *self, struct http_call *call) {
    struct problem problem = {0};
    struct bytes reason;
    if (thread_id_is_wrong(call))
        return;
    if (reason_parse(call, &reason, &problem) == STATUS_OK)
        change(self, call, COMMAND_THREAD_HOLD, reason);
    else
        http_call_refuse(call, &problem);
}

static void hold_delete(struct worker *self, struct http_call *call) {
    if (!thread_id_is_wrong(call))
        change(self, call, COMMAND_THREAD_HOLD, BYTES_ABSENT);
}

static void undelete_post(struct worker *self, struct http_call *call) {
    if (!thread_id_is_wrong(call))
        change(self, call, COMMAND_THREAD_UNDELETE, BYTES_ABSENT);
}

static const struct http_route routes[] = {
    {"GET", "/admin/threads/{}/hold", hold_get, HTTP_ACCESS_ADMIN, HTTP_SUBJECT_THREAD},
    {"PUT", "/admin/threads/{}/hold", hold_put, HTTP_ACCESS_ADMIN, HTTP_SUBJECT_THREAD},
    {"DELETE", "/admin/threads/{}/hold", hold_delete, HTTP_ACCESS_ADMIN, HTTP_SUBJECT_THREAD},
    {"POST", "/admin/threads/{}/undelete", undelete_post, HTTP_ACCESS_ADMIN, HTTP_SUBJECT_THREAD},
};
const struct http_route_table keeping_routes = HTTP_ROUTE_TABLE(routes);
