#include "node/gateway/identity_api.h"

#include <stdlib.h>

#include "node/core/range.h"
#include "node/core/user.h"
#include "node/gateway/authentication.h"
#include "node/gateway/rate_limit.h"
#include "proto/check.h"
#include "proto/identity_json.h"
#include "proto/limits.h"
#include "storage/user_store.h"

/* A call that waits for its command. */
struct identity_wait {
    struct reply reply;
    struct http_call *call;
    struct bytes user_id; /* in the call's arena */
    unsigned scopes;
    uint32_t expires_in_minutes;
    int64_t issued_s;
};

static const char *const versions[] = {"2021-03-07", "2022-06-01", "2022-10-01", "2023-10-01", "2025-06-30"};
static const char *const access_versions[] = {"2025-03-02-preview", "2025-06-30"};

static int version_check(struct http_call *call, const char *const *known, size_t count, struct problem *problem) {
    struct bytes version = http_call_query(call, "api-version");
    if (!bytes_is_present(version))
        return problem_set(problem, &call->arena, STATUS_BAD_REQUEST, "api-version",
                           "The query parameter api-version is missing.");
    for (size_t i = 0; i < count; i++)
        if (bytes_equal_text(version, known[i]))
            return STATUS_OK;
    return problem_set(problem, &call->arena, STATUS_BAD_REQUEST, "api-version",
                       "The api-version '%.*s' is not supported.", BYTES_ARG(version));
}

static int admit(struct http_call *call, struct problem *problem) {
    return version_check(call, versions, sizeof(versions) / sizeof(versions[0]), problem);
}

static int rate_check(struct gateway_worker *worker, struct http_call *call, enum rate_operation operation,
                      struct problem *problem) {
    uint32_t retry_after_s = 0;
    if (rate_limiter_admit(worker->gateway->limiter, operation, NULL, NULL, worker_wall_ms(), &retry_after_s))
        return STATUS_OK;
    http_call_set_header(call, "retry-after", arena_printf(&call->arena, "%u", (unsigned)retry_after_s));
    return problem_set(problem, &call->arena, STATUS_TOO_MANY_REQUESTS, NULL, "%s",
                       status_sentence(STATUS_TOO_MANY_REQUESTS));
}

static struct bytes token_for(struct gateway_worker *worker, struct arena *arena, struct bytes user_id, unsigned scopes,
                              uint32_t minutes, int64_t issued_s, int64_t *expires_ms) {
    const struct settings *settings = worker->gateway->settings;
    struct token_claims claims = {.user_id = user_id,
                                  .resource_id = bytes_of_text(settings->resource_id),
                                  .scopes = scopes,
                                  .issued_s = issued_s,
                                  .expires_s = worker_wall_ms() / 1000 + (int64_t)minutes * 60};
    *expires_ms = claims.expires_s * 1000;
    return token_mint(arena, &worker->gateway->token_key, &claims);
}

static struct identity_wait *wait_new(struct http_call *call,
                                      void (*on_answer)(struct gateway_worker *worker, struct reply *reply)) {
    struct identity_wait *wait = calloc(1, sizeof(*wait));
    check(wait != NULL);
    wait->call = call;
    wait->reply.on_answer = on_answer;
    return wait;
}

static void entry_propose(struct gateway_worker *worker, struct identity_wait *wait, struct entry *entry) {
    int rc = worker->gateway->propose(worker->gateway->core, entry);
    if (rc == STATUS_OK)
        return;
    entry_free(entry);
    http_call_refuse_status(wait->call, rc);
    free(wait);
}

/* As for changes of threads (chat_api.c). */
static void durability_tell(struct identity_wait *wait) {
    http_call_set_header(wait->call, "x-weft-durability", bytes_of_text(durability_name(wait->reply.copies)));
}

static void on_created(struct gateway_worker *worker, struct reply *reply) {
    struct identity_wait *wait = (struct identity_wait *)reply;
    struct http_call *call = wait->call;
    struct bytes token = BYTES_ABSENT;
    int64_t expires_ms = 0;
    /* The id is one in 2^128, so who has it already is an earlier attempt of this call. */
    bool is_there = reply->result.rc == STATUS_OK || reply->result.rc == STATUS_CONFLICT;
    if (!is_there) {
        http_call_refuse_status(call, reply->result.rc);
    } else {
        durability_tell(wait);
        if (wait->scopes != 0)
            token = token_for(worker, &call->arena, wait->user_id, wait->scopes, wait->expires_in_minutes,
                              worker_wall_ms() / 1000, &expires_ms);
        http_call_reply(call, 201, create_identity_response_encode(&call->arena, wait->user_id, token, expires_ms));
    }
    free(wait);
}

/* Makes the user whose id was chosen with the call. */
static void identity_create(struct gateway_worker *worker, struct identity_wait *wait) {
    uint8_t wrapped[WRAPPED_KEY_BYTES];
    wait->user_id = wait->call->operation_id;
    struct id_hash hash = gateway_hash(worker->gateway, wait->user_id);
    struct entry *entry = gateway_entry_new(worker, COMMAND_USER_CREATE, &hash, BYTES_ABSENT, &wait->reply);
    seal_key_make(worker->gateway->master, &hash, wrapped);
    entry->command.user_id = arena_copy(&entry->arena, wait->user_id);
    entry->command.wrapped_key = arena_copy(&entry->arena, bytes_of(wrapped, sizeof(wrapped)));
    entry_propose(worker, wait, entry);
}

static void create_identity(struct worker *self, struct http_call *call) {
    struct gateway_worker *worker = gateway_worker_of(self);
    struct create_identity_request request;
    struct problem problem = {0};
    if (admit(call, &problem) != STATUS_OK ||
        create_identity_request_parse(&call->arena, call->body, &request, &problem) != STATUS_OK ||
        rate_check(worker, call, request.scopes == 0 ? RATE_IDENTITY_CREATE : RATE_IDENTITY_CREATE_WITH_TOKEN,
                   &problem) != STATUS_OK) {
        http_call_refuse(call, &problem);
        return;
    }
    struct identity_wait *wait = wait_new(call, on_created);
    wait->scopes = request.scopes;
    wait->expires_in_minutes = request.expires_in_minutes;
    identity_create(worker, wait);
}

/* The identity named in the path: of this resource and not deleted. */
static int identity_find(struct gateway_worker *worker, struct http_call *call, struct id_hash *hash,
                         struct user_row *row, struct problem *problem) {
    struct bytes user_id = call->captures[0];
    struct gateway_read read;
    struct user_store store;
    if (identifier_parse(user_id).kind != IDENTIFIER_COMMUNICATION_USER)
        return problem_set(problem, &call->arena, STATUS_VALIDATION_ERROR, "id", "Identifier format is invalid (%.*s).",
                           (int)(user_id.size < LIMIT_RAW_ID_BYTES_MAX ? user_id.size : LIMIT_RAW_ID_BYTES_MAX),
                           (const char *)user_id.data);
    *hash = gateway_hash(worker->gateway, user_id);
    int rc = gateway_read_begin_of(worker, &call->arena, hash, &read);
    if (rc == STATUS_OK) {
        rc = user_store_open(&store, read.context.transaction, &call->arena, read.context.master, hash);
        if (rc == STATUS_OK)
            rc = user_row_get(&store, row);
        gateway_read_end(&read);
    }
    if (rc == STATUS_STORE_MISSING)
        rc = STATUS_IDENTITY_NOT_OWNED;
    return rc == STATUS_OK ? rc : problem_set(problem, &call->arena, rc, NULL, "%s", status_sentence(rc));
}

/* A token issued right after a revocation must not fall under it. */
static struct bytes token_of_row(struct gateway_worker *worker, struct http_call *call, const struct user_row *row,
                                 const struct issue_token_request *request, int64_t *expires_ms) {
    int64_t now_s = worker_wall_ms() / 1000;
    int64_t issued_s = now_s > row->valid_from_s ? now_s : row->valid_from_s;
    return token_for(worker, &call->arena, row->user_id, request->scopes, request->expires_in_minutes, issued_s,
                     expires_ms);
}

static void issue_token(struct worker *self, struct http_call *call) {
    struct gateway_worker *worker = gateway_worker_of(self);
    struct issue_token_request request;
    struct problem problem = {0};
    struct id_hash hash;
    struct user_row row;
    int64_t expires_ms;
    if (admit(call, &problem) != STATUS_OK || rate_check(worker, call, RATE_TOKEN_ISSUE, &problem) != STATUS_OK ||
        issue_token_request_parse(&call->arena, call->body, &request, &problem) != STATUS_OK ||
        identity_find(worker, call, &hash, &row, &problem) != STATUS_OK) {
        http_call_refuse(call, &problem);
        return;
    }
    struct bytes token = token_of_row(worker, call, &row, &request, &expires_ms);
    http_call_reply(call, 200, issue_token_response_encode(&call->arena, token, expires_ms));
}

static void on_changed(struct gateway_worker *worker, struct reply *reply) {
    struct identity_wait *wait = (struct identity_wait *)reply;
    (void)worker;
    if (reply->result.rc == STATUS_OK) {
        durability_tell(wait);
        http_call_reply(wait->call, 204, BYTES_ABSENT);
    } else {
        http_call_refuse_status(wait->call, reply->result.rc);
    }
    free(wait);
}

/* Names the change, so that another node recognises it when it tries it after this one. */
static void operation_set(const struct http_call *call, struct arena *arena, struct command *command) {
    if (!bytes_is_present(call->operation_id))
        return;
    command->idempotency = IDEMPOTENCY_OPERATION;
    command->idempotency_id = arena_copy(arena, call->operation_id);
}

/* The identity is not there because an earlier attempt of this call has deleted it. */
static bool is_done_already(struct gateway_worker *worker, struct http_call *call, const struct id_hash *hash,
                            enum command_kind kind) {
    struct command command = {.kind = kind, .subject = *hash};
    struct gateway_read read;
    operation_set(call, &call->arena, &command);
    if (gateway_read_begin(worker, &call->arena, &read) != STATUS_OK)
        return false;
    int rc = user_deletion_find(&read.context, &command);
    gateway_read_end(&read);
    return rc == STATUS_OK;
}

static void identity_change(struct gateway_worker *worker, struct http_call *call, enum command_kind kind) {
    struct problem problem = {0};
    struct id_hash hash;
    struct user_row row;
    int rc = identity_find(worker, call, &hash, &row, &problem);
    if (rc == STATUS_IDENTITY_NOT_OWNED && is_done_already(worker, call, &hash, kind)) {
        http_call_reply(call, 204, BYTES_ABSENT);
        return;
    }
    if (rc != STATUS_OK) {
        http_call_refuse(call, &problem);
        return;
    }
    struct identity_wait *wait = wait_new(call, on_changed);
    struct entry *entry = gateway_entry_new(worker, kind, &hash, BYTES_ABSENT, &wait->reply);
    operation_set(call, &entry->arena, &entry->command);
    /* Tokens issued up to and within this second are void; issue_token dates new ones accordingly. */
    entry->command.valid_from_s = worker_wall_ms() / 1000 + 1;
    entry_propose(worker, wait, entry);
}

static void admitted_change(struct worker *self, struct http_call *call, enum command_kind kind) {
    struct problem problem = {0};
    if (admit(call, &problem) == STATUS_OK)
        identity_change(gateway_worker_of(self), call, kind);
    else
        http_call_refuse(call, &problem);
}

static void revoke_tokens(struct worker *self, struct http_call *call) {
    admitted_change(self, call, COMMAND_USER_REVOKE);
}

static void delete_identity(struct worker *self, struct http_call *call) {
    admitted_change(self, call, COMMAND_USER_DELETE);
}

/* ---- the same for operators: no api-version, and a user need not be there before ---- */

static void on_user_made(struct gateway_worker *worker, struct reply *reply) {
    struct identity_wait *wait = (struct identity_wait *)reply;
    int64_t expires_ms;
    bool is_there = reply->result.rc == STATUS_OK || reply->result.rc == STATUS_CONFLICT; /* as on_created */
    if (is_there) {
        struct bytes token = token_for(worker, &wait->call->arena, wait->user_id, wait->scopes,
                                       wait->expires_in_minutes, worker_wall_ms() / 1000, &expires_ms);
        durability_tell(wait);
        http_call_reply(wait->call, 201,
                        user_token_response_encode(&wait->call->arena, wait->user_id, token, expires_ms));
    } else {
        http_call_refuse_status(wait->call, reply->result.rc);
    }
    free(wait);
}

static void user_token_of_new(struct gateway_worker *worker, struct http_call *call,
                              const struct issue_token_request *request) {
    struct identity_wait *wait = wait_new(call, on_user_made);
    wait->scopes = request->scopes;
    wait->expires_in_minutes = request->expires_in_minutes;
    identity_create(worker, wait);
}

static void user_token_issue(struct worker *self, struct http_call *call) {
    struct gateway_worker *worker = gateway_worker_of(self);
    struct issue_token_request request;
    struct problem problem = {0};
    struct bytes named;
    struct id_hash hash;
    struct user_row row;
    int64_t expires_ms;
    int rc = named_user_read(&call->arena, call->body, &named, &problem);
    if (rc == STATUS_OK)
        rc = issue_token_request_parse(&call->arena, call->body, &request, &problem);
    if (rc == STATUS_OK && !bytes_is_present(named)) {
        user_token_of_new(worker, call, &request);
        return;
    }
    if (rc == STATUS_OK)
        rc = identity_find(worker, call, &hash, &row, &problem);
    if (rc != STATUS_OK) {
        http_call_refuse(call, &problem);
        return;
    }
    struct bytes token = token_of_row(worker, call, &row, &request, &expires_ms);
    http_call_reply(call, 200, user_token_response_encode(&call->arena, row.user_id, token, expires_ms));
}

static void user_tokens_revoke(struct worker *self, struct http_call *call) {
    identity_change(gateway_worker_of(self), call, COMMAND_USER_REVOKE);
}

/* What only the vendor's cloud can do: exchange of Teams and Entra tokens (contract 3). */
static void federation(struct worker *self, struct http_call *call) {
    struct problem problem = {0};
    (void)self;
    if (version_check(call, access_versions, sizeof(access_versions) / sizeof(access_versions[0]), &problem) !=
        STATUS_OK) {
        http_call_refuse(call, &problem);
        return;
    }
    http_call_refuse_status(call, STATUS_NOT_IMPLEMENTED);
}

static void teams_exchange(struct worker *self, struct http_call *call) {
    struct problem problem = {0};
    (void)self;
    if (admit(call, &problem) != STATUS_OK) {
        http_call_refuse(call, &problem);
        return;
    }
    problem_set(&problem, &call->arena, STATUS_UNAUTHORIZED, "token",
                "This server is not federated with Microsoft Teams, so it cannot verify the token.");
    http_call_refuse(call, &problem);
}

static const struct http_route routes[] = {
    {"POST", "/admin/tokens", user_token_issue, HTTP_ACCESS_ADMIN, HTTP_SUBJECT_NAMED_USER},
    {"DELETE", "/admin/tokens/{}", user_tokens_revoke, HTTP_ACCESS_ADMIN, HTTP_SUBJECT_USER},
    {"POST", "/identities", create_identity, HTTP_ACCESS_KEY, HTTP_SUBJECT_NEW_USER},
    {"DELETE", "/identities/{}", delete_identity, HTTP_ACCESS_KEY, HTTP_SUBJECT_USER},
    {"POST", "/identities/{}/:issueAccessToken", issue_token, HTTP_ACCESS_KEY, HTTP_SUBJECT_USER},
    {"POST", "/identities/{}/:revokeAccessTokens", revoke_tokens, HTTP_ACCESS_KEY, HTTP_SUBJECT_USER},
    {"POST", "/teamsUser/:exchangeAccessToken", teams_exchange, HTTP_ACCESS_KEY, HTTP_SUBJECT_NONE},
    {"POST", "/access/entra/:exchangeAccessToken", federation, HTTP_ACCESS_ANY, HTTP_SUBJECT_NONE},
    {"POST", "/access/teamsExtension/:exchangeAccessToken", federation, HTTP_ACCESS_ANY, HTTP_SUBJECT_NONE},
    {"GET", "/access/teamsExtension/tenants/{}/assignments/{}", federation, HTTP_ACCESS_ANY, HTTP_SUBJECT_NONE},
    {"PUT", "/access/teamsExtension/tenants/{}/assignments/{}", federation, HTTP_ACCESS_ANY, HTTP_SUBJECT_NONE},
    {"DELETE", "/access/teamsExtension/tenants/{}/assignments/{}", federation, HTTP_ACCESS_ANY, HTTP_SUBJECT_NONE},
};
const struct http_route_table identity_routes = HTTP_ROUTE_TABLE(routes);
