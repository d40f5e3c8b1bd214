#include "node/push/push_api.h"

#include <stdlib.h>

#include "node/events/webhook.h"
#include "node/gateway/authentication.h"
#include "node/push/json_web_token.h"
#include "node/push/push.h"
#include "proto/check.h"
#include "proto/json_tree.h"
#include "proto/token.h"
#include "storage/user_store.h"

/* ---- who may ---- */

/* True: refused. */
static bool is_refused(struct gateway_worker *worker, struct http_call *call) {
    struct problem problem = {0};
    if (worker->gateway->pushes == NULL)
        problem_set(&problem, &call->arena, STATUS_NOT_FOUND, NULL,
                    "Nothing is sent to devices here; the operator can change that with push = on.");
    else if ((call->caller->scopes & TOKEN_SCOPE_ANY_CHAT) == 0)
        problem_set(&problem, &call->arena, STATUS_FORBIDDEN, NULL, "The access token has no chat scope.");
    if (problem.rc != STATUS_OK)
        http_call_refuse(call, &problem);
    return problem.rc != STATUS_OK;
}

static void key_get(struct worker *self, struct http_call *call) {
    struct gateway_worker *worker = gateway_worker_of(self);
    uint8_t point[PUSH_PUBLIC_KEY_BYTES];
    if (is_refused(worker, call))
        return;
    int rc = push_public_key(worker->gateway->pushes, point);
    if (rc != STATUS_OK) {
        http_call_refuse_status(call, rc);
        return;
    }
    json_t *object = json_object_new();
    json_text_set(object, "publicKey", base64url_encode(bytes_of(point, sizeof(point)), &call->arena));
    http_call_reply(call, 200, json_text_take(&call->arena, object));
}

/* ---- what is there ---- */

static int list_read(struct gateway_worker *worker, struct http_call *call, json_t *list) {
    const struct id_hash *user = &call->caller->hash;
    struct gateway_read read;
    struct user_store store;
    struct push_row *rows;
    size_t count = 0;
    int rc = gateway_read_begin_of(worker, &call->arena, user, &read);
    if (rc != STATUS_OK)
        return rc;
    rc = user_store_open(&store, read.context.transaction, &call->arena, read.context.master, user);
    if (rc == STATUS_OK)
        rc = user_push_list(&store, &rows, &count);
    for (size_t i = 0; rc == STATUS_OK && i < count; i++)
        json_item_add(list, push_registration_json(&rows[i].registration));
    gateway_read_end(&read);
    return rc == STATUS_STORE_MISSING ? STATUS_IDENTITY_NOT_OWNED : rc;
}

static void list_get(struct worker *self, struct http_call *call) {
    struct gateway_worker *worker = gateway_worker_of(self);
    if (is_refused(worker, call))
        return;
    json_t *object = json_object_new(), *list = json_array_new();
    json_member_set(object, "value", list);
    int rc = list_read(worker, call, list);
    struct bytes body = json_text_take(&call->arena, object);
    if (rc == STATUS_OK)
        http_call_reply(call, 200, body);
    else
        http_call_refuse_status(call, rc);
}

/* ---- what is changed ---- */

struct push_wait {
    struct reply reply;
    struct http_call *call;
    int status;
    struct bytes body; /* in the call's arena; absent: none */
};

static void on_answer(struct gateway_worker *worker, struct reply *reply) {
    struct push_wait *wait = (struct push_wait *)reply;
    (void)worker;
    if (reply->result.rc == STATUS_OK)
        http_call_reply(wait->call, wait->status, wait->body);
    else
        http_call_refuse_status(wait->call, reply->result.rc);
    free(wait);
}

static void registration_keep(struct arena *arena, const struct push_registration *from, struct push_registration *to) {
    *to = *from;
    to->id = arena_copy(arena, from->id);
    to->address = arena_copy(arena, from->address);
    to->public_key = arena_copy(arena, from->public_key);
    to->auth = arena_copy(arena, from->auth);
    to->aes_key = arena_copy(arena, from->aes_key);
    to->auth_key = arena_copy(arena, from->auth_key);
    to->display_name = arena_copy(arena, from->display_name);
}

static void change(struct gateway_worker *worker, struct http_call *call, enum command_kind kind,
                   const struct push_registration *registration, int status, struct bytes body) {
    struct push_wait *wait = calloc(1, sizeof(*wait));
    check(wait != NULL);
    *wait = (struct push_wait){.reply.on_answer = on_answer, .call = call, .status = status, .body = body};
    struct entry *entry = gateway_entry_new(worker, kind, &call->caller->hash, BYTES_ABSENT, &wait->reply);
    registration_keep(&entry->arena, registration, &entry->command.registration);
    int rc = worker->gateway->propose(worker->gateway->core, entry);
    if (rc == STATUS_OK)
        return;
    entry_free(entry);
    free(wait);
    http_call_refuse_status(call, rc);
}

/* Where users want to be written to is somebody else's, so only to addresses that are everybody's. */
static int endpoint_check(const struct gateway *gateway, const struct push_registration *browser, struct arena *arena,
                          struct problem *problem) {
    struct problem of_url = {0};
    bool may_be_private = gateway->config->push_allow_private;
    if (!bytes_is_present(push_endpoint_host(browser->address)))
        return problem_set(problem, arena, STATUS_VALIDATION_ERROR, "endpoint",
                           "The endpoint must begin with https:// and a host in lower case, as browsers give it.");
    if (webhook_url_check(browser->address, may_be_private, arena, &of_url) != STATUS_OK)
        return problem_set(problem, arena, STATUS_VALIDATION_ERROR, "endpoint",
                           "The endpoint must be an https:// address that is everybody's, without user and fragment; "
                           "others need push_allow_private = on.");
    if (!elliptic_point_is_valid(browser->public_key))
        return problem_set(problem, arena, STATUS_VALIDATION_ERROR, "p256dh", "p256dh is no point of P-256.");
    return STATUS_OK;
}

static void subscription_put(struct worker *self, struct http_call *call) {
    struct gateway_worker *worker = gateway_worker_of(self);
    struct push_registration browser;
    struct problem problem = {0};
    if (is_refused(worker, call))
        return;
    int rc = push_subscription_parse(&call->arena, call->body, worker_wall_ms(), &browser, &problem);
    if (rc == STATUS_OK)
        rc = endpoint_check(worker->gateway, &browser, &call->arena, &problem);
    if (rc == STATUS_OK)
        change(worker, call, COMMAND_USER_PUSH_SET, &browser, 200,
               json_text_take(&call->arena, push_registration_json(&browser)));
    else
        http_call_refuse(call, &problem);
}

/* As the registrar that the official mobile SDKs register at (contract 13). */
static void device_post(struct worker *self, struct http_call *call) {
    struct gateway_worker *worker = gateway_worker_of(self);
    struct push_registration device;
    struct problem problem = {0};
    if (is_refused(worker, call))
        return;
    int rc = push_device_parse(&call->arena, call->body, worker_wall_ms(), &device, &problem);
    if (rc == STATUS_OK && !push_reaches(worker->gateway->pushes, device.transport))
        rc = problem_set(&problem, &call->arena, STATUS_VALIDATION_ERROR, "transports",
                         "This server has no account at that push service; %s names one.",
                         device.transport == PUSH_FCM ? "push_fcm_account_file" : "push_apns_key_file");
    if (rc == STATUS_OK)
        change(worker, call, COMMAND_USER_PUSH_SET, &device, 202, BYTES_ABSENT);
    else
        http_call_refuse(call, &problem);
}

static void registration_remove(struct worker *self, struct http_call *call, int status) {
    struct gateway_worker *worker = gateway_worker_of(self);
    struct push_registration gone = {.id = call->captures[0]};
    struct problem problem = {0};
    if (is_refused(worker, call))
        return;
    if (gone.id.size <= PUSH_ID_BYTES_MAX) {
        change(worker, call, COMMAND_USER_PUSH_REMOVE, &gone, status, BYTES_ABSENT);
        return;
    }
    problem_set(&problem, &call->arena, STATUS_VALIDATION_ERROR, "id", "The id has %zu bytes; at most %d are allowed.",
                gone.id.size, PUSH_ID_BYTES_MAX);
    http_call_refuse(call, &problem);
}

static void subscription_delete(struct worker *self, struct http_call *call) {
    registration_remove(self, call, 204);
}

static void device_delete(struct worker *self, struct http_call *call) {
    registration_remove(self, call, 202);
}

static const struct http_route routes[] = {
    {"GET", "/push/key", key_get, HTTP_ACCESS_TOKEN, HTTP_SUBJECT_NONE},
    {"GET", "/push/registrations", list_get, HTTP_ACCESS_TOKEN, HTTP_SUBJECT_CALLER},
    {"PUT", "/push/registrations", subscription_put, HTTP_ACCESS_TOKEN, HTTP_SUBJECT_CALLER},
    {"DELETE", "/push/registrations/{}", subscription_delete, HTTP_ACCESS_TOKEN, HTTP_SUBJECT_CALLER},
    {"POST", "/v2/registrations", device_post, HTTP_ACCESS_SKYPETOKEN, HTTP_SUBJECT_CALLER},
    {"DELETE", "/v2/registrations/{}", device_delete, HTTP_ACCESS_SKYPETOKEN, HTTP_SUBJECT_CALLER},
};
const struct http_route_table push_routes = HTTP_ROUTE_TABLE(routes);
