#include "node/events/event_subscription.h"

#include <ctype.h>
#include <strings.h>

#include "proto/rfc3339.h"

static const char *const schema_names[] = {
    [EVENT_SCHEMA_EVENT_GRID] = "EventGridSchema", [EVENT_SCHEMA_CLOUD_EVENTS] = "CloudEventSchemaV1_0"};

bool event_subscription_name_is_valid(struct bytes name) {
    if (name.size < 3 || name.size > SUBSCRIPTION_NAME_BYTES_MAX)
        return false;
    for (size_t i = 0; i < name.size; i++)
        if (!(name.data[i] < 0x80 && isalnum(name.data[i])) && name.data[i] != '-')
            return false;
    return true;
}

/* ---- what an operator says ---- */

static int schema_read(const struct json_reader *reader, const json_t *object, enum event_schema *schema) {
    struct bytes name;
    int rc = json_text_read(reader, object, "schema", 64, &name);
    *schema = EVENT_SCHEMA_EVENT_GRID;
    if (rc != STATUS_OK || !bytes_is_present(name) || bytes_equal_text(name, schema_names[EVENT_SCHEMA_EVENT_GRID]))
        return rc;
    *schema = EVENT_SCHEMA_CLOUD_EVENTS;
    return bytes_equal_text(name, schema_names[EVENT_SCHEMA_CLOUD_EVENTS])
               ? STATUS_OK
               : problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, "schema",
                             "The schema must be %s or %s, not \"%.*s\".", schema_names[EVENT_SCHEMA_EVENT_GRID],
                             schema_names[EVENT_SCHEMA_CLOUD_EVENTS], BYTES_ARG(name));
}

static bool is_header_name(struct bytes name) {
    for (size_t i = 0; i < name.size; i++)
        if (name.data[i] >= 0x80 || (!isalnum(name.data[i]) && strchr("!#$%&'*+-.^_`|~", name.data[i]) == NULL) ||
            name.data[i] == '\0')
            return false;
    return name.size > 0;
}

static bool has_controls(struct bytes value) {
    for (size_t i = 0; i < value.size; i++)
        if (value.data[i] < 0x20 || value.data[i] == 0x7f)
            return true;
    return false;
}

static bool starts_like(struct bytes name, const char *prefix) {
    size_t size = strlen(prefix);
    return name.size >= size && strncasecmp((const char *)name.data, prefix, size) == 0;
}

/* Those say what a delivery is and how it travels. */
static bool is_reserved(struct bytes name) {
    static const char *const prefixes[] = {"aeg-", "webhook-", "proxy-"};
    static const char *const names[] = {"content-type", "content-length", "host", "connection", "transfer-encoding",
                                        "expect",       "upgrade",        "te",   "trailer",    "keep-alive"};
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
        if (starts_like(name, prefixes[i]))
            return true;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (name.size == strlen(names[i]) && starts_like(name, names[i]))
            return true;
    return false;
}

static int header_read(const struct json_reader *reader, const json_t *item, struct event_subscription_header *header) {
    if (!json_is_object(item))
        return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, "headers",
                           "A header must be an object with name and value, not %s.", json_type_text(item));
    int rc = json_text_require(reader, item, "name", 256, &header->name);
    if (rc == STATUS_OK)
        rc = json_text_require(reader, item, "value", SUBSCRIPTION_HEADER_BYTES_MAX, &header->value);
    if (rc != STATUS_OK)
        return rc;
    header->is_secret = json_is_true(json_member_find(item, "isSecret"));
    if (!is_header_name(header->name) || is_reserved(header->name))
        return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, "headers",
                           "A header cannot be called \"%.*s\": that is %s.", BYTES_ARG(header->name),
                           is_header_name(header->name) ? "said by deliveries themselves" : "no name of a header");
    return has_controls(header->value)
               ? problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, "headers",
                             "The value of the header \"%.*s\" has control characters.", BYTES_ARG(header->name))
               : STATUS_OK;
}

static int headers_read(const struct json_reader *reader, const json_t *object,
                        struct event_subscription *subscription) {
    const json_t *list = json_member_find(object, "headers");
    size_t count = json_array_size(list);
    int rc = STATUS_OK;
    if (list != NULL && (!json_is_array(list) || count > SUBSCRIPTION_HEADERS_MAX))
        return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, "headers",
                           "headers must be an array of at most %d.", SUBSCRIPTION_HEADERS_MAX);
    subscription->headers = ARENA_NEW_ARRAY(reader->arena, struct event_subscription_header, count);
    for (; subscription->headers_count < count && rc == STATUS_OK; subscription->headers_count++)
        rc = header_read(reader, json_array_get(list, subscription->headers_count),
                         &subscription->headers[subscription->headers_count]);
    return rc;
}

static int secrets_read(const struct json_reader *reader, const json_t *object,
                        struct event_subscription *subscription) {
    const json_t *list = json_member_find(object, "secrets");
    size_t count = json_array_size(list);
    if (list != NULL && (!json_is_array(list) || count == 0 || count > EVENT_SECRETS_MAX))
        return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, "secrets",
                           "secrets must be an array of 1 or %d.", EVENT_SECRETS_MAX);
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(list, i);
        struct bytes text = bytes_of(json_string_value(item), json_string_length(item));
        if (!json_is_string(item) || !event_secret_parse(text, &subscription->secrets[i]))
            return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, "secrets",
                               "A secret must be %s and base64 of %d to %d bytes.", EVENT_SECRET_PREFIX,
                               EVENT_SECRET_BYTES_MIN, EVENT_SECRET_BYTES_MAX);
    }
    subscription->secrets_count = count;
    return STATUS_OK;
}

static int members_check(const struct json_reader *reader, json_t *object) {
    static const char *const known[] = {"endpoint",    "schema",
                                        "filter",      "headers",
                                        "secrets",     "retryPolicy",
                                        "name",        "maxEventsPerBatch",
                                        "state",       "preferredBatchSizeInKilobytes",
                                        "createdOn",   "validateUntil",
                                        "replayedFrom"};
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value) {
        bool is_known = false;
        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
            is_known = is_known || strcmp(name, known[i]) == 0;
        if (!is_known)
            return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, NULL,
                               "A subscription has no member \"%.100s\".", name);
    }
    return STATUS_OK;
}

static int operators_part_read(const struct json_reader *reader, const json_t *object,
                               struct event_subscription *subscription) {
    int rc = json_text_require(reader, object, "endpoint", WEBHOOK_URL_BYTES_MAX, &subscription->endpoint);
    if (rc == STATUS_OK)
        rc = schema_read(reader, object, &subscription->schema);
    if (rc == STATUS_OK)
        rc = event_choice_read(reader, object, &subscription->choice);
    if (rc == STATUS_OK)
        rc = headers_read(reader, object, subscription);
    if (rc == STATUS_OK)
        rc = delivery_terms_read(reader, object, &subscription->terms);
    return rc == STATUS_OK ? secrets_read(reader, object, subscription) : rc;
}

int event_subscription_parse(struct bytes body, bool may_be_private, struct arena *arena,
                             struct event_subscription *subscription, struct problem *problem) {
    const struct json_reader reader = {arena, problem};
    json_t *root;
    *subscription = (struct event_subscription){0};
    int rc = json_body_load(&reader, body, &root);
    if (rc != STATUS_OK)
        return rc;
    rc = members_check(&reader, root);
    if (rc == STATUS_OK)
        rc = operators_part_read(&reader, root, subscription);
    if (rc == STATUS_OK)
        rc = webhook_url_check(subscription->endpoint, may_be_private, arena, problem);
    json_decref(root);
    return rc;
}

/* ---- as it is shown, and stored ---- */

static json_t *headers_to_json(const struct event_subscription *subscription, enum event_subscription_showing showing) {
    json_t *list = json_array_new();
    for (size_t i = 0; i < subscription->headers_count; i++) {
        const struct event_subscription_header *header = &subscription->headers[i];
        json_t *item = json_object_new();
        json_text_set(item, "name", header->name);
        if (!header->is_secret || showing == SHOW_SECRETS)
            json_text_set(item, "value", header->value);
        json_member_set(item, "isSecret", json_boolean(header->is_secret));
        json_item_add(list, item);
    }
    return list;
}

static void secrets_set(json_t *object, const struct event_subscription *subscription) {
    json_t *list = json_array_new();
    struct arena arena;
    arena_init(&arena);
    for (size_t i = 0; i < subscription->secrets_count; i++)
        json_item_add(list, json_text_new(event_secret_format(&subscription->secrets[i], &arena)));
    json_member_set(object, "secrets", list);
    arena_close(&arena);
}

static void time_set(json_t *object, const char *name, int64_t time_ms) {
    char text[RFC3339_TEXT_BYTES];
    rfc3339_format_ms(time_ms, text);
    json_text_set(object, name, bytes_of_text(text));
}

json_t *event_subscription_to_json(const struct event_subscription *subscription,
                                   enum event_subscription_showing showing) {
    json_t *object = json_object_new();
    json_text_set(object, "name", subscription->name);
    json_text_set(object, "endpoint", subscription->endpoint);
    json_text_set(object, "schema", bytes_of_text(schema_names[subscription->schema]));
    json_text_set(object, "state", bytes_of_text(subscription->is_validated ? "active" : "awaitingValidation"));
    time_set(object, "createdOn", subscription->created_ms);
    if (!subscription->is_validated)
        time_set(object, "validateUntil", subscription->validation_until_ms);
    if (subscription->from_ms != subscription->created_ms)
        time_set(object, "replayedFrom", subscription->from_ms);
    delivery_terms_set(object, &subscription->terms);
    json_member_set(object, "filter", event_choice_to_json(&subscription->choice));
    json_member_set(object, "headers", headers_to_json(subscription, showing));
    if (showing == SHOW_SECRETS)
        secrets_set(object, subscription);
    return object;
}

struct bytes event_subscription_encode(const struct event_subscription *subscription, struct arena *arena) {
    json_t *object = event_subscription_to_json(subscription, SHOW_SECRETS);
    json_text_set_present(object, "validationCode", subscription->validation_code);
    json_member_set(object, "serial", json_integer((json_int_t)subscription->serial));
    return json_text_take(arena, object);
}

static int time_read(const struct json_reader *reader, const json_t *object, const char *name, int64_t *time_ms) {
    struct bytes text;
    int rc = json_text_read(reader, object, name, RFC3339_TEXT_BYTES, &text);
    *time_ms = 0;
    if (rc != STATUS_OK || !bytes_is_present(text))
        return rc;
    return rfc3339_parse(text, time_ms) ? STATUS_OK : STATUS_MALFORMED;
}

/* One that was never replayed begins when it was made. */
static int beginning_read(const struct json_reader *reader, const json_t *object,
                          struct event_subscription *subscription) {
    json_int_t serial = json_integer_value(json_member_find(object, "serial"));
    int rc = time_read(reader, object, "replayedFrom", &subscription->from_ms);
    if (subscription->from_ms == 0)
        subscription->from_ms = subscription->created_ms;
    subscription->serial = serial > 0 ? (uint64_t)serial : (uint64_t)subscription->created_ms;
    return rc;
}

static int own_part_read(const struct json_reader *reader, const json_t *object,
                         struct event_subscription *subscription) {
    struct bytes state;
    int rc = json_text_require(reader, object, "name", SUBSCRIPTION_NAME_BYTES_MAX, &subscription->name);
    if (rc == STATUS_OK)
        rc = json_text_require(reader, object, "state", 64, &state);
    if (rc == STATUS_OK)
        rc = json_text_read(reader, object, "validationCode", 64, &subscription->validation_code);
    if (rc == STATUS_OK)
        rc = time_read(reader, object, "createdOn", &subscription->created_ms);
    if (rc == STATUS_OK)
        rc = time_read(reader, object, "validateUntil", &subscription->validation_until_ms);
    if (rc == STATUS_OK)
        rc = beginning_read(reader, object, subscription);
    subscription->is_validated = rc == STATUS_OK && bytes_equal_text(state, "active");
    return rc;
}

int event_subscription_decode(struct bytes stored, struct arena *arena, struct event_subscription *subscription) {
    struct problem problem = {0};
    const struct json_reader reader = {arena, &problem};
    json_t *root;
    *subscription = (struct event_subscription){0};
    if (json_body_load(&reader, stored, &root) != STATUS_OK)
        return STATUS_MALFORMED;
    int rc = operators_part_read(&reader, root, subscription);
    if (rc == STATUS_OK)
        rc = own_part_read(&reader, root, subscription);
    json_decref(root);
    return rc == STATUS_OK && event_subscription_name_is_valid(subscription->name) ? STATUS_OK : STATUS_MALFORMED;
}
