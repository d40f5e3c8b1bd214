#include "proto/identity_json.h"

#include "proto/json_tree.h"
#include "proto/limits.h"
#include "proto/rfc3339.h"
#include "proto/token.h"

#define QUOTED_BYTES_MAX 100 /* of a refused value that the refusal quotes */

/* Several SDKs send no body, or a null, where every member is optional. */
static bool body_is_empty(struct bytes body) {
    for (size_t i = 0; i < body.size; i++)
        if (memchr(" \t\r\n", body.data[i], 4) == NULL)
            return false;
    return true;
}

static int expiry_read(const struct json_reader *reader, const json_t *root, uint32_t *minutes) {
    static const char name[] = "expiresInMinutes";
    const json_t *value = json_member_find(root, name);
    *minutes = LIMIT_TOKEN_MINUTES_MAX;
    if (value == NULL)
        return 0;
    if (!json_is_integer(value))
        return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, name,
                           "%s must be a whole number of minutes, not %s.", name,
                           json_is_real(value) ? "a fraction" : json_type_text(value));
    json_int_t given = json_integer_value(value);
    if (given < LIMIT_TOKEN_MINUTES_MIN || given > LIMIT_TOKEN_MINUTES_MAX)
        return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, name,
                           "%s is %lld; it must be from %d to %d.", name, (long long)given, LIMIT_TOKEN_MINUTES_MIN,
                           LIMIT_TOKEN_MINUTES_MAX);
    *minutes = (uint32_t)given;
    return 0;
}

static int scope_read(const struct json_reader *reader, const char *name, const json_t *value, unsigned *scopes) {
    if (!json_is_string(value))
        return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, name,
                           "Invalid scopes - a scope must be a string, not %s.", json_type_text(value));
    unsigned scope = token_scope_parse(bytes_of(json_string_value(value), json_string_length(value)));
    if (scope == 0)
        return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, name,
                           "Invalid scopes - \"%.*s\" is none of chat, chat.join, chat.join.limited, voip, voip.join.",
                           QUOTED_BYTES_MAX, json_string_value(value));
    *scopes |= scope;
    return 0;
}

/* 0 scopes when the list is absent or empty. */
static int scopes_read(const struct json_reader *reader, const json_t *root, const char *name, unsigned *scopes) {
    const json_t *list = json_member_find(root, name);
    *scopes = 0;
    if (list == NULL)
        return 0;
    if (!json_is_array(list))
        return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, name,
                           "%s must be an array of strings, not %s.", name, json_type_text(list));
    int rc = 0;
    for (size_t i = 0; i < json_array_size(list) && rc == 0; i++)
        rc = scope_read(reader, name, json_array_get(list, i), scopes);
    return rc;
}

int create_identity_request_parse(struct arena *arena, struct bytes body, struct create_identity_request *out,
                                  struct problem *problem) {
    struct json_reader reader = {arena, problem};
    json_t *root;
    *out = (struct create_identity_request){0, LIMIT_TOKEN_MINUTES_MAX};
    if (body_is_empty(body))
        return 0;
    int rc = json_body_load(&reader, body, &root);
    if (rc != 0)
        return rc;
    rc = scopes_read(&reader, root, "createTokenWithScopes", &out->scopes);
    if (rc == 0)
        rc = expiry_read(&reader, root, &out->expires_in_minutes);
    json_decref(root);
    return rc;
}

int issue_token_request_parse(struct arena *arena, struct bytes body, struct issue_token_request *out,
                              struct problem *problem) {
    struct json_reader reader = {arena, problem};
    json_t *root;
    *out = (struct issue_token_request){0, LIMIT_TOKEN_MINUTES_MAX};
    int rc = json_body_load(&reader, body_is_empty(body) ? BYTES_LITERAL("{}") : body, &root);
    if (rc != 0)
        return rc;
    rc = scopes_read(&reader, root, "scopes", &out->scopes);
    if (rc == 0 && out->scopes == 0)
        rc = problem_set(problem, arena, STATUS_VALIDATION_ERROR, "scopes",
                         "Invalid scopes - Scopes field is required.");
    if (rc == 0)
        rc = expiry_read(&reader, root, &out->expires_in_minutes);
    json_decref(root);
    return rc;
}

int named_user_read(struct arena *arena, struct bytes body, struct bytes *user_id, struct problem *problem) {
    struct json_reader reader = {arena, problem};
    json_t *root;
    *user_id = BYTES_ABSENT;
    int rc = json_body_load(&reader, body_is_empty(body) ? BYTES_LITERAL("{}") : body, &root);
    if (rc != 0)
        return rc;
    rc = json_text_read(&reader, root, "userId", LIMIT_RAW_ID_BYTES_MAX, user_id);
    json_decref(root);
    return rc;
}

static json_t *token_to_json(struct bytes token, int64_t expires_ms) {
    char expires_on[RFC3339_TEXT_BYTES];
    rfc3339_format_identity(expires_ms, expires_on);
    json_t *object = json_object_new();
    json_text_set(object, "token", token);
    json_text_set(object, "expiresOn", bytes_of_text(expires_on));
    return object;
}

struct bytes create_identity_response_encode(struct arena *arena, struct bytes user_id, struct bytes token,
                                             int64_t expires_ms) {
    json_t *identity = json_object_new();
    json_text_set(identity, "id", user_id);
    json_t *root = json_object_new();
    json_member_set(root, "identity", identity);
    if (bytes_is_present(token))
        json_member_set(root, "accessToken", token_to_json(token, expires_ms));
    return json_text_take(arena, root);
}

struct bytes issue_token_response_encode(struct arena *arena, struct bytes token, int64_t expires_ms) {
    return json_text_take(arena, token_to_json(token, expires_ms));
}

struct bytes user_token_response_encode(struct arena *arena, struct bytes user_id, struct bytes token,
                                        int64_t expires_ms) {
    json_t *root = token_to_json(token, expires_ms);
    json_text_set(root, "userId", user_id);
    return json_text_take(arena, root);
}
