#include "node/bridges/bridge.h"

#include "proto/ids.h"
#include "proto/limits.h"
#include "proto/rfc3339.h"

static bool is_name_character(uint8_t c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
}

bool bridge_name_is_valid(struct bytes name) {
    for (size_t i = 0; i < name.size; i++)
        if (!is_name_character(name.data[i]))
            return false;
    return name.size >= 3 && name.size <= BRIDGE_NAME_BYTES_MAX;
}

/* ---- for whom ---- */

static bool is_open(struct bytes identity) {
    return identity.size > 0 && identity.data[identity.size - 1] == '*';
}

static bool is_plain(struct bytes text) {
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] <= ' ' || text.data[i] > '~' || text.data[i] == '*')
            return false;
    return true;
}

/* "8:orgid:*" is as "8:orgid:x": whatever the end becomes, it names users of Teams. */
static bool identity_is_valid(struct bytes identity, struct arena *arena) {
    struct bytes begin = is_open(identity) ? bytes_of(identity.data, identity.size - 1) : identity;
    struct bytes one = is_open(identity) ? arena_printf(arena, "%.*sx", BYTES_ARG(begin)) : identity;
    return is_plain(begin) && identifier_is_teams_user(one);
}

static bool identity_covers(struct bytes identity, struct bytes user_id) {
    if (!is_open(identity))
        return bytes_equal(identity, user_id);
    size_t size = identity.size - 1;
    return user_id.size > size && memcmp(user_id.data, identity.data, size) == 0;
}

bool bridge_may_act_for(const struct bridge *bridge, struct bytes user_id) {
    for (size_t i = 0; i < bridge->identities_count; i++)
        if (identity_covers(bridge->identities[i], user_id))
            return identifier_is_teams_user(user_id);
    return false;
}

/* ---- the record ---- */

static int identity_read(const struct json_reader *reader, const json_t *item, struct bytes *identity) {
    struct bytes text = bytes_of(json_string_value(item), json_string_length(item));
    if (!json_is_string(item) || text.size > LIMIT_RAW_ID_BYTES_MAX)
        return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, "identities",
                           "An identity must be a string of at most %d bytes.", LIMIT_RAW_ID_BYTES_MAX);
    *identity = arena_copy(reader->arena, text);
    if (identity_is_valid(*identity, reader->arena))
        return STATUS_OK;
    return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, "identities",
                       "\"%.*s\" names no users of Teams: an identity is as 8:orgid:ID, 8:dod:ID, 8:gcch:ID or "
                       "8:teamsvisitor:ID, or begins so and ends in *.",
                       BYTES_ARG(*identity));
}

static int identities_read(const struct json_reader *reader, const json_t *object, struct bridge *bridge) {
    const json_t *list = json_member_find(object, "identities");
    size_t count = json_array_size(list);
    int rc = STATUS_OK;
    if (!json_is_array(list) || count == 0 || count > BRIDGE_IDENTITIES_MAX)
        return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, "identities",
                           "identities must be an array of 1 to %d.", BRIDGE_IDENTITIES_MAX);
    bridge->identities = ARENA_NEW_ARRAY(reader->arena, struct bytes, count);
    for (; bridge->identities_count < count && rc == STATUS_OK; bridge->identities_count++)
        rc = identity_read(reader, json_array_get(list, bridge->identities_count),
                           &bridge->identities[bridge->identities_count]);
    return rc;
}

static int members_check(const struct json_reader *reader, json_t *object) {
    static const char *const known[] = {"name", "identities", "createdOn"};
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value) {
        bool is_known = false;
        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
            is_known = is_known || strcmp(name, known[i]) == 0;
        if (!is_known)
            return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, NULL,
                               "A bridge has no member \"%.100s\".", name);
    }
    return STATUS_OK;
}

int bridge_parse(struct bytes body, struct arena *arena, struct bridge *bridge, struct problem *problem) {
    const struct json_reader reader = {arena, problem};
    json_t *root;
    *bridge = (struct bridge){0};
    int rc = json_body_load(&reader, body, &root);
    if (rc != STATUS_OK)
        return rc;
    rc = members_check(&reader, root);
    if (rc == STATUS_OK)
        rc = identities_read(&reader, root, bridge);
    json_decref(root);
    return rc;
}

json_t *bridge_to_json(const struct bridge *bridge) {
    char created[RFC3339_TEXT_BYTES];
    json_t *object = json_object_new();
    json_t *identities = json_array_new();
    for (size_t i = 0; i < bridge->identities_count; i++)
        json_item_add(identities, json_text_new(bridge->identities[i]));
    rfc3339_format_ms(bridge->created_ms, created);
    json_text_set(object, "name", bridge->name);
    json_member_set(object, "identities", identities);
    json_text_set(object, "createdOn", bytes_of_text(created));
    return object;
}

static int own_part_read(const struct json_reader *reader, const json_t *object, struct bridge *bridge) {
    struct bytes created;
    int rc = json_text_require(reader, object, "name", BRIDGE_NAME_BYTES_MAX, &bridge->name);
    if (rc == STATUS_OK)
        rc = json_text_require(reader, object, "createdOn", RFC3339_TEXT_BYTES, &created);
    if (rc != STATUS_OK)
        return rc;
    bool is_sound = bridge_name_is_valid(bridge->name) && rfc3339_parse(created, &bridge->created_ms);
    return is_sound ? STATUS_OK : STATUS_MALFORMED;
}

int bridge_decode(struct bytes stored, struct arena *arena, struct bridge *bridge) {
    struct problem problem = {0};
    const struct json_reader reader = {arena, &problem};
    json_t *root;
    *bridge = (struct bridge){0};
    if (json_body_load(&reader, stored, &root) != STATUS_OK)
        return STATUS_MALFORMED;
    int rc = identities_read(&reader, root, bridge);
    if (rc == STATUS_OK)
        rc = own_part_read(&reader, root, bridge);
    json_decref(root);
    return rc == STATUS_OK ? STATUS_OK : STATUS_MALFORMED;
}
