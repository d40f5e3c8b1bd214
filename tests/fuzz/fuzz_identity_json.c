/* Identity bodies: what is accepted lies within the contract's limits, what is refused gives a body that is JSON. */
#include <jansson.h>
#include <stdlib.h>

#include "proto/identity_json.h"
#include "proto/limits.h"

#define SCOPES_ALL 31u

#define EXPECT(condition)                                                                                              \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            abort();                                                                                                   \
    } while (0)

static void expect_json(struct bytes body) {
    json_t *json = json_loadb((const char *)body.data, body.size, 0, NULL);
    EXPECT(json_is_string(json_object_get(json_object_get(json, "error"), "message")));
    json_decref(json);
}

static void expect_within_limits(int rc, unsigned scopes, uint32_t minutes, struct arena *arena,
                                 const struct problem *problem) {
    if (rc == 0)
        EXPECT(scopes <= SCOPES_ALL && minutes >= LIMIT_TOKEN_MINUTES_MIN && minutes <= LIMIT_TOKEN_MINUTES_MAX);
    else
        expect_json(problem_body(arena, problem));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct bytes body = bytes_of(data, size);
    struct create_identity_request create;
    struct issue_token_request issue;
    struct problem problem = {0};
    struct arena arena;
    arena_init(&arena);
    int rc = create_identity_request_parse(&arena, body, &create, &problem);
    expect_within_limits(rc, create.scopes, create.expires_in_minutes, &arena, &problem);
    rc = issue_token_request_parse(&arena, body, &issue, &problem);
    expect_within_limits(rc, issue.scopes, issue.expires_in_minutes, &arena, &problem);
    EXPECT(rc != 0 || issue.scopes != 0);
    arena_close(&arena);
    return 0;
}
