#include "proto/identifier_json.h"

#include "proto/check.h"
#include "proto/ids.h"
#include "proto/limits.h"

#define QUOTED_BYTES_MAX 100 /* of a refused identifier that the refusal quotes */

/* Reading */

static int refuse_format(const struct json_reader *reader, const char *target, struct bytes raw_id) {
    int quoted = raw_id.size < QUOTED_BYTES_MAX ? (int)raw_id.size : QUOTED_BYTES_MAX;
    return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, target,
                       "Identifier format is invalid (%.*s).", quoted, (const char *)raw_id.data);
}

static bool is_printable_ascii(struct bytes text) {
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] <= ' ' || text.data[i] > '~')
            return false;
    }
    return true;
}

/* "<digits>:<something>": whatever kind it is, known or not. */
static bool has_type_prefix(struct bytes raw_id) {
    size_t digits = 0;
    while (digits < raw_id.size && raw_id.data[digits] >= '0' && raw_id.data[digits] <= '9')
        digits++;
    return digits > 0 && digits + 1 < raw_id.size && raw_id.data[digits] == ':';
}

bool identifier_is_well_formed(struct bytes raw_id) {
    static const char *const strict_prefixes[] = {"8:acs:", "8:gcch-acs:", "8:dod-acs:"};
    if (raw_id.size > LIMIT_RAW_ID_BYTES_MAX || !is_printable_ascii(raw_id) || !has_type_prefix(raw_id))
        return false;
    bool is_unknown = identifier_parse(raw_id).kind == IDENTIFIER_UNKNOWN;
    for (size_t i = 0; i < sizeof(strict_prefixes) / sizeof(strict_prefixes[0]); i++) {
        if (is_unknown && bytes_starts_with(raw_id, strict_prefixes[i]))
            return false;
    }
    return true;
}

enum cloud { CLOUD_PUBLIC, CLOUD_DOD, CLOUD_GCCH, CLOUDS };

static const char *const CLOUD_NAMES[CLOUDS] = {"public", "dod", "gcch"};

static int cloud_read(const struct json_reader *reader, const json_t *nested, enum cloud *cloud) {
    struct bytes name;
    int rc = json_text_read(reader, nested, "cloud", LIMIT_RAW_ID_BYTES_MAX, &name);
    *cloud = CLOUD_PUBLIC;
    if (rc != 0 || !bytes_is_present(name))
        return rc;
    for (int i = 0; i < CLOUDS; i++) {
        if (bytes_equal_text(name, CLOUD_NAMES[i])) {
            *cloud = (enum cloud)i;
            return 0;
        }
    }
    return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, "cloud",
                       "cloud must be \"public\", \"dod\" or \"gcch\", not \"%.*s\".", BYTES_ARG(name));
}

static int id_read(const struct json_reader *reader, const json_t *nested, const char *name, struct bytes *id) {
    return json_text_require(reader, nested, name, LIMIT_RAW_ID_BYTES_MAX, id);
}

static int communication_user_read(const struct json_reader *reader, const json_t *nested, struct bytes *raw_id) {
    return id_read(reader, nested, "id", raw_id);
}

static int phone_number_read(const struct json_reader *reader, const json_t *nested, struct bytes *raw_id) {
    struct bytes value;
    int rc = id_read(reader, nested, "value", &value);
    if (rc == 0)
        *raw_id = arena_printf(reader->arena, "4:%.*s", BYTES_ARG(value));
    return rc;
}

static int teams_user_read(const struct json_reader *reader, const json_t *nested, struct bytes *raw_id) {
    static const char *const prefixes[CLOUDS] = {"8:orgid:", "8:dod:", "8:gcch:"};
    struct bytes user_id;
    enum cloud cloud;
    int rc = id_read(reader, nested, "userId", &user_id);
    if (rc == 0)
        rc = cloud_read(reader, nested, &cloud);
    if (rc != 0)
        return rc;
    bool is_anonymous = json_is_true(json_object_get(nested, "isAnonymous"));
    *raw_id =
        arena_printf(reader->arena, "%s%.*s", is_anonymous ? "8:teamsvisitor:" : prefixes[cloud], BYTES_ARG(user_id));
    return 0;
}

static int teams_app_read(const struct json_reader *reader, const json_t *nested, struct bytes *raw_id) {
    static const char *const prefixes[CLOUDS] = {"28:orgid:", "28:dod:", "28:gcch:"};
    struct bytes app_id;
    enum cloud cloud;
    int rc = id_read(reader, nested, "appId", &app_id);
    if (rc == 0)
        rc = cloud_read(reader, nested, &cloud);
    if (rc == 0)
        *raw_id = arena_printf(reader->arena, "%s%.*s", prefixes[cloud], BYTES_ARG(app_id));
    return rc;
}

static int teams_extension_user_read(const struct json_reader *reader, const json_t *nested, struct bytes *raw_id) {
    static const char *const prefixes[CLOUDS] = {"8:acs:", "8:dod-acs:", "8:gcch-acs:"};
    struct bytes user_id, tenant_id, resource_id;
    enum cloud cloud;
    int rc = id_read(reader, nested, "userId", &user_id);
    if (rc == 0)
        rc = id_read(reader, nested, "tenantId", &tenant_id);
    if (rc == 0)
        rc = id_read(reader, nested, "resourceId", &resource_id);
    if (rc == 0)
        rc = cloud_read(reader, nested, &cloud);
    if (rc == 0)
        *raw_id = arena_printf(reader->arena, "%s%.*s_%.*s_%.*s", prefixes[cloud], BYTES_ARG(resource_id),
                               BYTES_ARG(tenant_id), BYTES_ARG(user_id));
    return rc;
}

static const struct nested_form {
    const char *member;
    int (*read)(const struct json_reader *reader, const json_t *nested, struct bytes *raw_id);
} NESTED_FORMS[] = {
    {"communicationUser", communication_user_read},    {"phoneNumber", phone_number_read},
    {"microsoftTeamsUser", teams_user_read},           {"microsoftTeamsApp", teams_app_read},
    {"teamsExtensionUser", teams_extension_user_read},
};
#define NESTED_FORMS_COUNT (sizeof(NESTED_FORMS) / sizeof(NESTED_FORMS[0]))

/* Leaves `raw_id` absent when there is no nested object. */
static int nested_read(const struct json_reader *reader, const json_t *object, const char *target,
                       struct bytes *raw_id) {
    const char *first = NULL;
    *raw_id = BYTES_ABSENT;
    for (size_t i = 0; i < NESTED_FORMS_COUNT; i++) {
        const char *member = NESTED_FORMS[i].member;
        const json_t *nested = json_member_find(object, member);
        if (nested == NULL)
            continue;
        if (first != NULL)
            return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, target,
                               "An identifier may have only one of %s and %s.", first, member);
        first = member;
        if (!json_is_object(nested))
            return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, member,
                               "%s must be an object, not %s.", member, json_type_text(nested));
        int rc = NESTED_FORMS[i].read(reader, nested, raw_id);
        if (rc != 0)
            return rc;
    }
    return 0;
}

int identifier_from_json(const struct json_reader *reader, const json_t *object, const char *target,
                         struct bytes *raw_id) {
    struct bytes given, nested;
    if (!json_is_object(object))
        return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, target,
                           "%s must be an object, not %s.", target, json_type_text(object));
    int rc = json_text_read(reader, object, "rawId", LIMIT_RAW_ID_BYTES_MAX, &given);
    if (rc == 0)
        rc = nested_read(reader, object, target, &nested);
    if (rc != 0)
        return rc;
    if (!bytes_is_present(given) && !bytes_is_present(nested))
        return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, target,
                           "An identifier needs rawId or a nested object such as communicationUser.");
    if (bytes_is_present(given) && bytes_is_present(nested) && !bytes_equal(given, nested))
        return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, target,
                           "The rawId \"%.*s\" does not agree with the nested identifier \"%.*s\".", BYTES_ARG(given),
                           BYTES_ARG(nested));
    *raw_id = bytes_is_present(given) ? given : nested;
    return identifier_is_well_formed(*raw_id) ? 0 : refuse_format(reader, target, *raw_id);
}

/* Writing */

static json_t *teams_user_new(const struct identifier *identifier) {
    json_t *nested = json_object_new();
    json_text_set(nested, "userId", identifier->value);
    json_member_set(nested, "isAnonymous", json_boolean(identifier->is_anonymous));
    json_text_set(nested, "cloud", bytes_of_text(identifier->cloud));
    return nested;
}

static json_t *teams_extension_user_new(const struct identifier *identifier) {
    json_t *nested = json_object_new();
    json_text_set(nested, "userId", identifier->value);
    json_text_set(nested, "tenantId", identifier->tenant_id);
    json_text_set(nested, "resourceId", identifier->resource_id);
    json_text_set(nested, "cloud", bytes_of_text(identifier->cloud));
    return nested;
}

static json_t *nested_new(const struct identifier *identifier, const char *member) {
    json_t *nested = json_object_new();
    json_text_set(nested, member, identifier->value);
    return nested;
}

static json_t *phone_number_new(const struct identifier *identifier) {
    json_t *nested = nested_new(identifier, "value");
    if (identifier->is_anonymous)
        json_member_set(nested, "isAnonymous", json_true());
    json_text_set_present(nested, "assertedId", identifier->asserted_id);
    return nested;
}

static json_t *teams_app_new(const struct identifier *identifier) {
    json_t *nested = nested_new(identifier, "appId");
    json_text_set(nested, "cloud", bytes_of_text(identifier->cloud));
    return nested;
}

json_t *identifier_to_json(struct bytes raw_id) {
    struct identifier identifier = identifier_parse(raw_id);
    json_t *object = json_object_new();
    json_text_set(object, "rawId", raw_id);
    switch (identifier.kind) {
    case IDENTIFIER_COMMUNICATION_USER:
        json_member_set(object, "communicationUser", nested_new(&identifier, "id"));
        break;
    case IDENTIFIER_PHONE_NUMBER:
        json_member_set(object, "phoneNumber", phone_number_new(&identifier));
        break;
    case IDENTIFIER_TEAMS_USER:
        json_member_set(object, "microsoftTeamsUser", teams_user_new(&identifier));
        break;
    case IDENTIFIER_TEAMS_APP:
        json_member_set(object, "microsoftTeamsApp", teams_app_new(&identifier));
        break;
    case IDENTIFIER_TEAMS_EXTENSION_USER:
        json_member_set(object, "teamsExtensionUser", teams_extension_user_new(&identifier));
        break;
    case IDENTIFIER_UNKNOWN:
        break;
    }
    return object;
}
