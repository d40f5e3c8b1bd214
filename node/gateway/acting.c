#include "node/gateway/acting.h"

#include "node/log.h"
#include "proto/identifier_json.h"

#define SHOWN_BYTES_MAX 128 /* of what a client says, in refusals and the log */

struct acting {
    struct gateway_worker *worker;
    struct http_call *call;
    struct problem *problem;
    struct bytes bridge;
    struct bytes user_id;
};

bool acting_is_claimed(struct http_call *call) {
    return bytes_is_present(http_call_find_header(call, ACTING_BRIDGE_HEADER)) ||
           bytes_is_present(http_call_find_header(call, ACTING_USER_HEADER));
}

/* What may be in a header need not be fit for a line of the log. */
static struct bytes shown(struct arena *arena, struct bytes text) {
    size_t size = text.size < SHOWN_BYTES_MAX ? text.size : SHOWN_BYTES_MAX;
    uint8_t *copy = arena_alloc(arena, size);
    for (size_t i = 0; i < size; i++)
        copy[i] = text.data[i] > ' ' && text.data[i] <= '~' ? text.data[i] : '?';
    return bytes_of(copy, size);
}

static int headers_read(struct acting *self) {
    self->bridge = http_call_find_header(self->call, ACTING_BRIDGE_HEADER);
    self->user_id = http_call_find_header(self->call, ACTING_USER_HEADER);
    const char *missing = !bytes_is_present(self->bridge)    ? ACTING_BRIDGE_HEADER
                          : !bytes_is_present(self->user_id) ? ACTING_USER_HEADER
                                                             : NULL;
    if (missing == NULL)
        return STATUS_OK;
    return problem_set(self->problem, &self->call->arena, STATUS_BAD_REQUEST, missing,
                       "The header %s is missing: who acts for a user says both who it is and for whom.", missing);
}

static int credentials_check(struct acting *self) {
    struct problem reason = {0};
    struct bytes given = http_call_find_header(self->call, "authorization");
    bool is_signed = bytes_is_present(given) && bytes_starts_with(given, "HMAC-");
    int rc = is_signed ? authenticate_bridge(self->worker, self->call, self->bridge, self->user_id, &reason)
                       : authenticate_admin(self->worker, self->call, &reason);
    if (rc == STATUS_OK)
        return rc;
    return problem_set(self->problem, &self->call->arena, rc, "authorization",
                       "A bridge shows the access key, by a signature, or the admin token: %.*s",
                       BYTES_ARG(reason.message));
}

static int right_check(struct acting *self) {
    const struct gateway *gateway = self->worker->gateway;
    struct arena *arena = &self->call->arena;
    struct bytes bridge = shown(arena, self->bridge);
    struct bytes user_id = shown(arena, self->user_id);
    if (!identifier_is_well_formed(self->user_id) || !identifier_is_teams_user(self->user_id))
        return problem_set(self->problem, arena, STATUS_FORBIDDEN, ACTING_USER_HEADER,
                           "A bridge acts for users of Teams only, and \"%.*s\" is none.", BYTES_ARG(user_id));
    int rc = gateway->bridge_check(gateway->core, self->bridge, self->user_id);
    if (rc == STATUS_NOT_FOUND)
        return problem_set(self->problem, arena, STATUS_FORBIDDEN, ACTING_BRIDGE_HEADER, "There is no bridge \"%.*s\".",
                           BYTES_ARG(bridge));
    if (rc == STATUS_FORBIDDEN)
        return problem_set(self->problem, arena, STATUS_FORBIDDEN, ACTING_USER_HEADER,
                           "The bridge \"%.*s\" may not act for %.*s.", BYTES_ARG(bridge), BYTES_ARG(user_id));
    return STATUS_OK;
}

/* What is asked, by its route and its thread: paths may hold anything. */
static struct bytes what_is_asked(struct acting *self, const struct http_route *route) {
    struct arena *arena = &self->call->arena;
    struct bytes thread = self->call->captures_count > 0 ? shown(arena, self->call->captures[0]) : BYTES_LITERAL("-");
    return arena_printf(arena, "%s %s of %.*s, from %.*s", route->method, route->pattern, BYTES_ARG(thread),
                        BYTES_ARG(self->call->client_address));
}

static void note(struct acting *self, const struct http_route *route, int rc) {
    struct arena *arena = &self->call->arena;
    struct bytes bridge = shown(arena, self->bridge);
    struct bytes user_id = shown(arena, self->user_id);
    struct bytes what = what_is_asked(self, route);
    /* Anybody can claim to be a bridge: only who has shown it is worth a line. */
    if (rc == STATUS_OK)
        log_info("the bridge %.*s acts for %.*s: %.*s", BYTES_ARG(bridge), BYTES_ARG(user_id), BYTES_ARG(what));
    else if (rc == STATUS_FORBIDDEN)
        log_warning("the bridge %.*s is refused to act for %.*s: %.*s", BYTES_ARG(bridge), BYTES_ARG(user_id),
                    BYTES_ARG(what));
}

int acting_authenticate(struct gateway_worker *worker, const struct http_route *route, struct http_call *call,
                        struct caller *caller, struct problem *problem) {
    struct acting self = {.worker = worker, .call = call, .problem = problem};
    int rc = headers_read(&self);
    if (rc == STATUS_OK)
        rc = credentials_check(&self);
    if (rc == STATUS_OK)
        rc = right_check(&self);
    note(&self, route, rc);
    int64_t now_s = worker_wall_ms() / 1000;
    *caller = (struct caller){.user_id = self.user_id,
                              .hash = gateway_hash(worker->gateway, self.user_id),
                              .scopes = TOKEN_SCOPE_CHAT,
                              .token_issued_s = now_s,
                              .token_expires_s = now_s};
    return rc;
}
