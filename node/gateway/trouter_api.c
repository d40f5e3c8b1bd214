#include "node/gateway/trouter_api.h"

#include <sodium.h>

#include "node/gateway/trouter_session.h"
#include "node/gateway/websocket.h"
#include "proto/chat_json.h"
#include "proto/limits.h"
#include "proto/node_record.h"

#define PURPOSE_ALLOCATE "allocate"
#define PURPOSE_SOCKET "socket"
#define ALLOCATE_TICKET_MS (24 * 60 * 60 * 1000) /* the SDK throws away what ends within the hour */
#define SOCKET_TICKET_MS 30000
#define CLIENT_TIMEOUT_S 180 /* the client gives up a socket that is silent this long (section 5.3) */

static int scope_check(struct http_call *call, struct problem *problem) {
    if ((call->caller->scopes & TOKEN_SCOPE_ANY_CHAT) != 0)
        return 0;
    return problem_set(problem, &call->arena, STATUS_FORBIDDEN, NULL, "The access token has no chat scope.");
}

static int draining_check(struct gateway_worker *worker, struct problem *problem) {
    if (!atomic_load(&worker->gateway->is_draining))
        return 0;
    *problem = (struct problem){.rc = STATUS_SHUTTING_DOWN};
    return STATUS_SHUTTING_DOWN;
}

static int endpoint_id_read(struct http_call *call, struct bytes *endpoint_id, struct problem *problem) {
    *endpoint_id = http_call_query(call, "epid");
    if (endpoint_id->size > 0 && endpoint_id->size <= LIMIT_RAW_ID_BYTES_MAX)
        return 0;
    return problem_set(problem, &call->arena, STATUS_BAD_REQUEST, "epid", "epid has %zu bytes; 1 to %d are needed.",
                       endpoint_id->size, LIMIT_RAW_ID_BYTES_MAX);
}

/* ---- configuration ---- */

static void configuration_get(struct worker *worker, struct http_call *call) {
    struct problem problem;
    (void)worker;
    if (scope_check(call, &problem) != 0)
        http_call_refuse(call, &problem);
    else
        http_call_reply(call, 200, realtime_configuration_encode(&call->arena, http_call_public_origin(call)));
}

/* ---- allocate ---- */

/* Where the socket is to be. Who drains names another node, for clients that know this address only. */
static int socket_origin_find(struct gateway_worker *worker, struct http_call *call, struct bytes *origin,
                              struct problem *problem) {
    const struct gateway *gateway = worker->gateway;
    char elsewhere[NODE_ADDRESS_BYTES_MAX + 1];
    *origin = http_call_public_origin(call);
    if (draining_check(worker, problem) == 0)
        return 0;
    if (gateway->elsewhere == NULL || !gateway->elsewhere(gateway->core, randombytes_random(), elsewhere))
        return STATUS_SHUTTING_DOWN;
    *origin = arena_copy(&call->arena, bytes_of_text(elsewhere));
    return 0;
}

static struct trouter_ticket ticket_make(const struct caller *caller, struct bytes endpoint_id, int64_t life_ms) {
    int64_t now_ms = worker_wall_ms();
    struct trouter_ticket ticket = {.user_id = caller->user_id,
                                    .endpoint_id = endpoint_id,
                                    .issued_ms = now_ms,
                                    .expires_ms = now_ms + life_ms,
                                    .token_expires_ms = caller->token_expires_s * 1000,
                                    .token_issued_ms = caller->token_issued_s * 1000};
    randombytes_buf(ticket.nonce, sizeof(ticket.nonce));
    return ticket;
}

static int brake_check(struct gateway_worker *worker, struct http_call *call, struct bytes endpoint_id,
                       struct problem *problem) {
    struct gateway *gateway = worker->gateway;
    struct id_hash endpoint = trouter_endpoint_hash(gateway, call->caller->user_id, endpoint_id);
    if (allocation_allow(gateway->endpoints, &endpoint, worker_now_ms(worker->worker)))
        return 0;
    return problem_set(problem, &call->arena, STATUS_SERVICE_UNAVAILABLE, "epid",
                       "This endpoint allocated more than %d times within %d s; try again.", ALLOCATIONS_MAX,
                       ALLOCATIONS_WINDOW_MS / 1000);
}

/* Said here and at the handshake: refusing the socket itself makes the SDK start over without a pause. */
static int room_check(struct gateway_worker *worker, struct http_call *call, struct problem *problem) {
    if (!session_table_is_full_for(worker->sessions, &call->caller->hash))
        return 0;
    return problem_set(problem, &call->arena, STATUS_TOO_MANY_REQUESTS, NULL, "This user has too many connections.");
}

static int allocate_check(struct gateway_worker *worker, struct http_call *call, struct bytes *endpoint_id,
                          struct bytes *origin, struct problem *problem) {
    int rc = socket_origin_find(worker, call, origin, problem);
    if (rc == 0)
        rc = scope_check(call, problem);
    if (rc == 0)
        rc = endpoint_id_read(call, endpoint_id, problem);
    if (rc == 0)
        rc = room_check(worker, call, problem);
    return rc == 0 ? brake_check(worker, call, *endpoint_id, problem) : rc;
}

static void allocate_post(struct worker *worker, struct http_call *call) {
    struct gateway_worker *self = gateway_worker_of(worker);
    struct bytes endpoint_id, origin;
    struct problem problem;
    if (allocate_check(self, call, &endpoint_id, &origin, &problem) != 0) {
        http_call_refuse(call, &problem);
        return;
    }
    const struct gateway *gateway = self->gateway;
    struct trouter_ticket ticket = ticket_make(call->caller, endpoint_id, ALLOCATE_TICKET_MS);
    struct bytes sealed = trouter_ticket_seal(&call->arena, gateway->settings->ticket_key, PURPOSE_ALLOCATE, &ticket);
    http_call_reply(
        call, 200,
        trouter_allocation_encode(&call->arena, origin, sealed, &ticket, (uint32_t)gateway->config->trouter_ttl_s));
}

/* ---- handshake ---- */

static int ticket_open(struct gateway_worker *worker, struct http_call *call, const char *purpose, struct bytes text,
                       struct trouter_ticket *ticket, struct problem *problem) {
    int rc = trouter_ticket_open(&call->arena, worker->gateway->settings->ticket_key, purpose, text, worker_wall_ms(),
                                 ticket);
    return rc == 0 ? 0 : problem_set(problem, &call->arena, rc, NULL, "The ticket is not valid; allocate another one.");
}

/* The ticket of an allocation that this user made for this endpoint. */
static int own_ticket_check(struct gateway_worker *worker, struct http_call *call, struct bytes endpoint_id,
                            struct problem *problem) {
    struct trouter_ticket ticket;
    int rc = ticket_open(worker, call, PURPOSE_ALLOCATE, http_call_query(call, "sr"), &ticket, problem);
    if (rc == 0 && bytes_equal(ticket.user_id, call->caller->user_id) && bytes_equal(ticket.endpoint_id, endpoint_id))
        return 0;
    /* Not 401, after which the SDK would ask for another token. */
    return problem_set(problem, &call->arena, STATUS_FORBIDDEN, "sr",
                       "The parameters are not those of a valid allocation for this user and endpoint.");
}

static int handshake_check(struct gateway_worker *worker, struct http_call *call, struct bytes *endpoint_id,
                           struct problem *problem) {
    int rc = draining_check(worker, problem);
    if (rc == 0)
        rc = scope_check(call, problem);
    if (rc == 0)
        rc = endpoint_id_read(call, endpoint_id, problem);
    if (rc == 0)
        rc = room_check(worker, call, problem);
    return rc == 0 ? own_ticket_check(worker, call, *endpoint_id, problem) : rc;
}

/* Three heartbeats may get lost. */
static int64_t client_timeout_s(const struct config *config) {
    int64_t heartbeats_s = 3 * config->heartbeat_ms / 1000;
    return heartbeats_s > CLIENT_TIMEOUT_S ? heartbeats_s : CLIENT_TIMEOUT_S;
}

static void handshake_get(struct worker *worker, struct http_call *call) {
    struct gateway_worker *self = gateway_worker_of(worker);
    const struct gateway *gateway = self->gateway;
    struct bytes endpoint_id;
    struct problem problem;
    if (handshake_check(self, call, &endpoint_id, &problem) != 0) {
        http_call_refuse(call, &problem);
        return;
    }
    struct trouter_ticket ticket = ticket_make(call->caller, endpoint_id, SOCKET_TICKET_MS);
    struct bytes sid = trouter_ticket_seal(&call->arena, gateway->settings->ticket_key, PURPOSE_SOCKET, &ticket);
    long long timeout_s = client_timeout_s(gateway->config);
    http_call_reply_text(call, 200, "text/plain",
                         arena_printf(&call->arena, "%.*s:%lld:%lld:websocket", BYTES_ARG(sid), timeout_s, timeout_s));
}

/* ---- socket ---- */

static void caller_of_ticket(const struct gateway *gateway, const struct trouter_ticket *ticket,
                             struct caller *caller) {
    *caller = (struct caller){.user_id = ticket->user_id,
                              .hash = gateway_hash(gateway, ticket->user_id),
                              .scopes = TOKEN_SCOPE_ANY_CHAT,
                              .token_issued_s = ticket->token_issued_ms / 1000,
                              .token_expires_s = ticket->token_expires_ms / 1000};
}

static int socket_check(struct gateway_worker *worker, struct http_call *call, struct trouter_arrival *arrival,
                        struct problem *problem) {
    struct trouter_ticket ticket;
    uint64_t now_ms = worker_now_ms(worker->worker);
    int rc = ticket_open(worker, call, PURPOSE_SOCKET, call->captures[0], &ticket, problem);
    if (rc != 0)
        return rc;
    if (!websocket_is_requested(call))
        return problem_set(problem, &call->arena, STATUS_BAD_REQUEST, NULL, "This path is for WebSockets only.");
    caller_of_ticket(worker->gateway, &ticket, &arrival->caller);
    if (session_table_is_crowded_for(worker->sessions, &arrival->caller.hash))
        return problem_set(problem, &call->arena, STATUS_TOO_MANY_REQUESTS, NULL,
                           "This user has too many connections.");
    if (!ticket_use(worker->gateway->endpoints, ticket.nonce, now_ms, now_ms + SOCKET_TICKET_MS))
        return problem_set(problem, &call->arena, STATUS_UNAUTHORIZED, NULL, "The ticket has been used before.");
    arrival->endpoint_id = ticket.endpoint_id;
    return 0;
}

static void socket_get(struct worker *worker, struct http_call *call) {
    struct gateway_worker *self = gateway_worker_of(worker);
    struct trouter_arrival arrival;
    struct problem problem;
    if (socket_check(self, call, &arrival, &problem) == 0)
        trouter_session_open(self, call, &arrival);
    else
        http_call_refuse(call, &problem);
}

/* ---- registrar ---- */

/* What is pushed depends on the socket alone, so a registration is only checked (section 5.5). */
static void registration_post(struct worker *worker, struct http_call *call) {
    struct bytes registration_id;
    struct problem problem;
    (void)worker;
    if (scope_check(call, &problem) == 0 &&
        trouter_registration_parse(&call->arena, call->body, &registration_id, &problem) == 0)
        http_call_reply(call, 202, BYTES_ABSENT);
    else
        http_call_refuse(call, &problem);
}

static void registration_delete(struct worker *worker, struct http_call *call) {
    struct problem problem;
    (void)worker;
    if (scope_check(call, &problem) == 0)
        http_call_reply(call, 202, BYTES_ABSENT);
    else
        http_call_refuse(call, &problem);
}

bool trouter_probe(struct http_call *call) {
    if (!bytes_is_present(http_call_query(call, "check")))
        return false;
    http_call_reply_text(call, 200, "text/plain", BYTES_LITERAL("Trouter"));
    return true;
}

static const struct http_route routes[] = {
    {"GET", "/chat/config/realTimeNotifications", configuration_get, HTTP_ACCESS_TOKEN, HTTP_SUBJECT_NONE},
    {"POST", "/v4/a", allocate_post, HTTP_ACCESS_SKYPETOKEN, HTTP_SUBJECT_NONE},
    {"GET", "/socket.io/1", handshake_get, HTTP_ACCESS_SKYPETOKEN, HTTP_SUBJECT_NONE},
    {"GET", "/socket.io/1/websocket/{}", socket_get, HTTP_ACCESS_ANY, HTTP_SUBJECT_NONE},
    {"POST", "/v3/registrations", registration_post, HTTP_ACCESS_SKYPETOKEN, HTTP_SUBJECT_NONE},
    {"DELETE", "/v3/registrations/{}", registration_delete, HTTP_ACCESS_SKYPETOKEN, HTTP_SUBJECT_NONE},
};

const struct http_route_table trouter_routes = HTTP_ROUTE_TABLE(routes);
