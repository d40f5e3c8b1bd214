#include "node/gateway/import_api.h"

#include <inttypes.h>
#include <stdlib.h>

#include "node/core/import.h"
#include "node/core/range.h"
#include "node/gateway/gateway.h"
#include "proto/check.h"
#include "proto/import_json.h"
#include "proto/limits.h"
#include "proto/sanitize.h"
#include "storage/user_store.h"

#define AHEAD_MAX_MS (24LL * 60 * 60 * 1000) /* of this node's clock: later ids are made from the time */

/* Waits for a command's answer. */
struct import_wait {
    struct reply reply;
    struct http_call *call;
};

static void refuse(struct http_call *call, const struct command_result *result) {
    struct problem problem = {0};
    const char *target = result->rc == STATUS_IMPORT_MESSAGE_DIFFERS ? "messages" : NULL;
    if (result->message_id != 0)
        problem_set(&problem, &call->arena, result->rc, target, "Message %" PRIu64 ": %s", result->message_id,
                    status_sentence(result->rc));
    else
        problem_set(&problem, &call->arena, result->rc, target, "%s", status_sentence(result->rc));
    http_call_refuse(call, &problem);
}

static void reply_is_new(struct http_call *call, bool is_new, unsigned copies) {
    http_call_set_header(call, "x-weft-durability", bytes_of_text(durability_name(copies)));
    http_call_reply(call, 200, import_response_encode(&call->arena, is_new));
}

static void on_answer(struct gateway_worker *worker, struct reply *reply) {
    struct import_wait *wait = (struct import_wait *)reply;
    const struct command_result *result = &reply->result;
    (void)worker;
    /* Another call made the same user meanwhile. */
    if (result->rc == STATUS_OK || result->rc == STATUS_CONFLICT)
        reply_is_new(wait->call, result->rc == STATUS_OK && !result->is_duplicate, reply->copies);
    else
        refuse(wait->call, result);
    free(wait);
}

/* The entry takes a deep copy, by way of the command's encoding. */
static void propose(struct gateway_worker *worker, struct http_call *call, const struct command *command) {
    struct import_wait *wait = calloc(1, sizeof(*wait));
    check(wait != NULL);
    wait->call = call;
    wait->reply.on_answer = on_answer;
    struct entry *entry = gateway_entry_new(worker, command->kind, &command->subject, command->actor_id, &wait->reply);
    entry_command_copy(entry, command);
    int rc = worker->gateway->propose(worker->gateway->core, entry);
    if (rc == STATUS_OK)
        return;
    entry_free(entry);
    free(wait);
    http_call_refuse_status(call, rc);
}

/* What the rules refuse now never reaches the log, and what is there already neither. */
static void check_and_propose(struct gateway_worker *worker, struct http_call *call, const struct command *command) {
    struct gateway_read read;
    struct outcome outcome = {0};
    int rc = gateway_read_begin_of(worker, &call->arena, &command->subject, &read);
    if (rc == STATUS_OK) {
        rc = import_check(&read.context, command, &outcome);
        gateway_read_end(&read);
    }
    if (rc != STATUS_OK)
        http_call_refuse_status(call, rc);
    else if (outcome.result.rc != STATUS_OK)
        refuse(call, &outcome.result);
    else if (outcome.result.is_duplicate)
        reply_is_new(call, false, gateway_copies(worker->gateway, &command->subject));
    else
        propose(worker, call, command);
}

static struct command command_of(struct gateway_worker *worker, struct http_call *call, enum command_kind kind) {
    return (struct command){
        .kind = kind, .subject = gateway_hash(worker->gateway, call->captures[0]), .time_ms = worker_wall_ms()};
}

/* ---- users ---- */

static int user_id_check(struct gateway_worker *worker, struct http_call *call, struct problem *problem) {
    const char *resource_id = worker->gateway->settings->resource_id;
    struct bytes id = call->captures[0];
    if (id.size <= LIMIT_RAW_ID_BYTES_MAX && user_id_is_of_resource(id, bytes_of_text(resource_id)))
        return STATUS_OK;
    return problem_set(problem, &call->arena, STATUS_VALIDATION_ERROR, "id",
                       "%.*s is no identity of this resource, which is %s. The setting resource_id, given before the "
                       "first start, makes it that of the old one.",
                       (int)(id.size < LIMIT_RAW_ID_BYTES_MAX ? id.size : LIMIT_RAW_ID_BYTES_MAX),
                       (const char *)id.data, resource_id);
}

/* STATUS_CONFLICT: there is such a user. STATUS_IMPORT_USER_DELETED: not any more. STATUS_STORE_MISSING: neither. */
static int user_find(struct gateway_worker *worker, struct http_call *call, const struct id_hash *user) {
    struct gateway_read read;
    struct user_store store;
    struct tombstone_row tombstone;
    int rc = gateway_read_begin_of(worker, &call->arena, user, &read);
    if (rc != STATUS_OK)
        return rc;
    rc = user_store_open(&store, read.context.transaction, &call->arena, read.context.master, user);
    if (rc == STATUS_STORE_MISSING)
        rc = subject_tombstone_get(read.context.transaction, &call->arena, read.context.master, user, &tombstone);
    else if (rc == STATUS_OK)
        rc = STATUS_CONFLICT;
    gateway_read_end(&read);
    return rc == STATUS_OK ? STATUS_IMPORT_USER_DELETED : rc;
}

static void user_put(struct worker *self, struct http_call *call) {
    struct gateway_worker *worker = gateway_worker_of(self);
    struct command command = command_of(worker, call, COMMAND_USER_CREATE);
    uint8_t wrapped[WRAPPED_KEY_BYTES];
    struct problem problem = {0};
    if (user_id_check(worker, call, &problem) != STATUS_OK) {
        http_call_refuse(call, &problem);
        return;
    }
    int rc = user_find(worker, call, &command.subject);
    if (rc == STATUS_CONFLICT) {
        reply_is_new(call, false, gateway_copies(worker->gateway, &command.subject));
    } else if (rc != STATUS_STORE_MISSING) {
        http_call_refuse_status(call, rc);
    } else {
        seal_key_make(worker->gateway->master, &command.subject, wrapped);
        command.user_id = call->captures[0];
        command.wrapped_key = bytes_of(wrapped, sizeof(wrapped));
        propose(worker, call, &command);
    }
}

/* ---- threads ---- */

static int thread_request_check(struct http_call *call, const struct import_thread_request *request, int64_t now_ms,
                                struct problem *problem) {
    if (!bytes_equal(request->properties.id, call->captures[0]))
        return problem_set(problem, &call->arena, STATUS_VALIDATION_ERROR, "id",
                           "The thread's id is another one than the path says.");
    if (request->version > (uint64_t)(now_ms + AHEAD_MAX_MS))
        return problem_set(problem, &call->arena, STATUS_VALIDATION_ERROR, "version",
                           "version is %" PRIu64 ", more than a day ahead of this node's clock.", request->version);
    return STATUS_OK;
}

static void thread_put(struct worker *self, struct http_call *call) {
    struct gateway_worker *worker = gateway_worker_of(self);
    struct command command = command_of(worker, call, COMMAND_THREAD_IMPORT);
    uint8_t wrapped[WRAPPED_KEY_BYTES];
    struct import_thread_request request;
    struct problem problem = {0};
    int rc = import_thread_request_parse(&call->arena, call->body, &request, &problem);
    if (rc == STATUS_OK)
        rc = thread_request_check(call, &request, command.time_ms, &problem);
    if (rc != STATUS_OK) {
        http_call_refuse(call, &problem);
        return;
    }
    seal_key_make(worker->gateway->master, &command.subject, wrapped);
    command.wrapped_key = bytes_of(wrapped, sizeof(wrapped));
    command.properties = request.properties;
    command.members = request.members;
    command.members_count = request.members_count;
    command.receipts = request.receipts;
    command.receipts_count = request.receipts_count;
    command.offset = request.messages;
    command.sequence = request.sequence;
    command.version = request.version;
    command.last_message_ms = request.last_message_ms;
    check_and_propose(worker, call, &command);
}

/* Nothing is taken on trust that a browser will show. */
static int html_sanitise(struct gateway_worker *worker, struct http_call *call, struct message *message,
                         struct problem *problem) {
    struct buffer safe;
    size_t bytes_max = (size_t)worker->gateway->config->message_bytes_max;
    buffer_init(&safe);
    sanitize_html(message->content, &safe);
    message->content = arena_copy(&call->arena, buffer_bytes(&safe));
    buffer_close(&safe);
    if (message->content.size <= bytes_max)
        return STATUS_OK;
    return problem_set(problem, &call->arena, STATUS_REQUEST_ENTITY_TOO_LARGE, "messages",
                       "Message %" PRIu64 " has %zu bytes as sanitised html; at most %zu are allowed.", message->id,
                       message->content.size, bytes_max);
}

static void messages_post(struct worker *self, struct http_call *call) {
    struct gateway_worker *worker = gateway_worker_of(self);
    struct command command = command_of(worker, call, COMMAND_MESSAGES_IMPORT);
    struct import_messages messages;
    struct problem problem = {0};
    size_t bytes_max = (size_t)worker->gateway->config->message_bytes_max;
    int rc = import_messages_request_parse(&call->arena, call->body, bytes_max, &messages, &problem);
    for (size_t i = 0; rc == STATUS_OK && i < messages.count; i++)
        if (messages.items[i].type == MESSAGE_HTML)
            rc = html_sanitise(worker, call, &messages.items[i], &problem);
    if (rc != STATUS_OK) {
        http_call_refuse(call, &problem);
        return;
    }
    command.messages = messages.items;
    command.messages_count = messages.count;
    check_and_propose(worker, call, &command);
}

static const struct http_route routes[] = {
    {"PUT", "/admin/import/users/{}", user_put, HTTP_ACCESS_ADMIN, HTTP_SUBJECT_USER},
    {"PUT", "/admin/import/threads/{}", thread_put, HTTP_ACCESS_ADMIN, HTTP_SUBJECT_THREAD},
    {"POST", "/admin/import/threads/{}/messages", messages_post, HTTP_ACCESS_ADMIN, HTTP_SUBJECT_THREAD},
};
const struct http_route_table import_routes = HTTP_ROUTE_TABLE(routes);
