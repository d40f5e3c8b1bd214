#include "node/coordinator/etcd_json.h"

#include <sodium.h>

#include "proto/check.h"
#include "proto/json_tree.h"
#include "proto/status.h"

#define DECIMAL_DIGITS_MAX 20

/* ---- requests ---- */

static void base64_append(struct buffer *out, struct bytes value) {
    size_t size = sodium_base64_ENCODED_LEN(value.size, sodium_base64_VARIANT_ORIGINAL);
    char *text = (char *)buffer_reserve(out, size);
    sodium_bin2base64(text, size, value.data, value.size, sodium_base64_VARIANT_ORIGINAL);
    buffer_added(out, size - 1);
}

static void member_append(struct buffer *out, const char *name, struct bytes value) {
    buffer_printf(out, "\"%s\":\"", name);
    base64_append(out, value);
    buffer_append_text(out, "\"");
}

static void number_append(struct buffer *out, const char *name, uint64_t number) {
    buffer_printf(out, "\"%s\":\"%llu\"", name, (unsigned long long)number);
}

/* `key` and `range_end`: the keys from `prefix` to the first text behind all that begin with it. */
static void prefix_append(struct buffer *out, struct bytes prefix) {
    struct buffer end;
    check(prefix.size > 0 && prefix.data[prefix.size - 1] < UINT8_MAX);
    buffer_init(&end);
    buffer_append_bytes(&end, prefix);
    end.data[end.size - 1]++;
    member_append(out, "key", prefix);
    buffer_append_text(out, ",");
    member_append(out, "range_end", buffer_bytes(&end));
    buffer_close(&end);
}

void etcd_get_encode(struct buffer *out, struct bytes key) {
    buffer_append_text(out, "{");
    member_append(out, "key", key);
    buffer_append_text(out, "}");
}

void etcd_range_encode(struct buffer *out, const struct etcd_range_request *request) {
    buffer_append_text(out, "{");
    prefix_append(out, request->prefix);
    if (request->revision > 0) {
        buffer_append_text(out, ",");
        number_append(out, "revision", request->revision);
    }
    if (request->is_keys_only)
        buffer_append_text(out, ",\"keys_only\":true");
    if (request->is_count_only)
        buffer_append_text(out, ",\"count_only\":true");
    buffer_append_text(out, "}");
}

static void version_compare_append(struct buffer *out, struct bytes key, uint64_t version) {
    buffer_append_text(out, "{");
    member_append(out, "key", key);
    buffer_append_text(out, ",\"target\":\"MOD\",\"result\":\"EQUAL\",");
    number_append(out, "mod_revision", version);
    buffer_append_text(out, "}");
}

void etcd_remove_encode(struct buffer *out, struct bytes key, uint64_t version) {
    buffer_append_text(out, "{\"compare\":[");
    version_compare_append(out, key, version);
    buffer_append_text(out, "],\"success\":[{\"request_delete_range\":{");
    member_append(out, "key", key);
    buffer_append_text(out, "}}]}");
}

/* A key that is not there has the version 0. */
void etcd_create_encode(struct buffer *out, struct bytes key, struct bytes value, uint64_t lease) {
    buffer_append_text(out, "{\"compare\":[");
    version_compare_append(out, key, 0);
    buffer_append_text(out, "],\"success\":[{\"request_put\":");
    etcd_put_encode(out, key, value, lease);
    buffer_append_text(out, "}]}");
}

static void put_append(struct buffer *out, const struct etcd_swap *swap) {
    buffer_append_text(out, "{\"request_put\":{");
    member_append(out, "key", swap->key);
    buffer_append_text(out, ",");
    member_append(out, "value", swap->value);
    buffer_append_text(out, "}}");
}

void etcd_swap_encode(struct buffer *out, const struct etcd_swap *swaps, size_t count) {
    buffer_append_text(out, "{\"compare\":[");
    for (size_t i = 0; i < count; i++) {
        buffer_append_text(out, i == 0 ? "" : ",");
        version_compare_append(out, swaps[i].key, swaps[i].version);
    }
    buffer_append_text(out, "],\"success\":[");
    for (size_t i = 0; i < count; i++) {
        buffer_append_text(out, i == 0 ? "" : ",");
        put_append(out, &swaps[i]);
    }
    buffer_append_text(out, "]}");
}

void etcd_put_encode(struct buffer *out, struct bytes key, struct bytes value, uint64_t lease) {
    buffer_append_text(out, "{");
    member_append(out, "key", key);
    buffer_append_text(out, ",");
    member_append(out, "value", value);
    buffer_append_text(out, ",");
    number_append(out, "lease", lease);
    buffer_append_text(out, "}");
}

void etcd_lease_grant_encode(struct buffer *out, unsigned ttl_s) {
    buffer_append_text(out, "{");
    number_append(out, "TTL", ttl_s);
    buffer_append_text(out, "}");
}

void etcd_lease_encode(struct buffer *out, uint64_t lease) {
    buffer_append_text(out, "{");
    number_append(out, "ID", lease);
    buffer_append_text(out, "}");
}

void etcd_watch_encode(struct buffer *out, struct bytes prefix, uint64_t start_revision) {
    buffer_append_text(out, "{\"create_request\":{");
    prefix_append(out, prefix);
    buffer_append_text(out, ",");
    number_append(out, "start_revision", start_revision);
    buffer_append_text(out, ",\"progress_notify\":true}}");
}

void etcd_login_encode(struct buffer *out, const char *user, const char *password) {
    json_t *tree = json_object_new();
    json_text_set(tree, "name", bytes_of_text(user));
    json_text_set(tree, "password", bytes_of_text(password));
    json_append_take(out, tree);
}

/* ---- answers ---- */

static int tree_load(struct bytes text, json_t **tree) {
    *tree = json_loadb((const char *)text.data, text.size, 0, NULL);
    if (json_is_object(*tree))
        return STATUS_OK;
    json_decref(*tree);
    return STATUS_MALFORMED;
}

/* Absent is 0, as zeros are left out. */
static int number_read(const json_t *object, const char *name, uint64_t *number) {
    const json_t *member = json_member_find(object, name);
    *number = 0;
    if (member == NULL)
        return STATUS_OK;
    if (json_is_integer(member) && json_integer_value(member) >= 0) {
        *number = (uint64_t)json_integer_value(member);
        return STATUS_OK;
    }
    const char *text = json_string_value(member);
    if (text == NULL || *text == '\0' || strlen(text) > DECIMAL_DIGITS_MAX)
        return STATUS_MALFORMED;
    for (; *text != '\0'; text++) {
        uint64_t digit = (uint64_t)(*text - '0');
        if (*text < '0' || *text > '9' || *number > (UINT64_MAX - digit) / 10)
            return STATUS_MALFORMED;
        *number = *number * 10 + digit;
    }
    return STATUS_OK;
}

/* An absent member is an empty value. */
static int base64_read(const json_t *object, const char *name, struct arena *arena, struct bytes *value) {
    const json_t *member = json_member_find(object, name);
    *value = BYTES_LITERAL("");
    if (member == NULL)
        return STATUS_OK;
    if (!json_is_string(member))
        return STATUS_MALFORMED;
    size_t text_size = json_string_length(member);
    size_t size = 0;
    uint8_t *decoded = arena_alloc(arena, text_size / 4 * 3 + 3);
    if (sodium_base642bin(decoded, text_size / 4 * 3 + 3, json_string_value(member), text_size, NULL, &size, NULL,
                          sodium_base64_VARIANT_ORIGINAL) != 0)
        return STATUS_MALFORMED;
    *value = bytes_of(decoded, size);
    return STATUS_OK;
}

/* A key-value pair of etcd without the cluster's prefix. */
static int item_read(const json_t *pair, struct bytes prefix, struct arena *arena, struct coordinator_item *item) {
    struct bytes key;
    int rc = base64_read(pair, "key", arena, &key);
    if (rc == STATUS_OK)
        rc = base64_read(pair, "value", arena, &item->value);
    if (rc == STATUS_OK)
        rc = number_read(pair, "mod_revision", &item->version);
    if (rc != STATUS_OK)
        return rc;
    if (key.size < prefix.size || memcmp(key.data, prefix.data, prefix.size) != 0 || item->version == 0)
        return STATUS_MALFORMED;
    item->name = bytes_of(key.data + prefix.size, key.size - prefix.size);
    return STATUS_OK;
}

static int revision_read(const json_t *answer, uint64_t *revision) {
    return number_read(json_member_find(answer, "header"), "revision", revision);
}

static int range_read(const json_t *tree, struct bytes prefix, struct arena *arena, struct etcd_range *range) {
    const json_t *pairs = json_member_find(tree, "kvs");
    int rc = revision_read(tree, &range->revision);
    if (rc != STATUS_OK || (pairs != NULL && !json_is_array(pairs)))
        return STATUS_MALFORMED;
    range->count = json_array_size(pairs);
    range->items = ARENA_NEW_ARRAY(arena, struct coordinator_item, range->count);
    for (size_t i = 0; i < range->count && rc == STATUS_OK; i++)
        rc = item_read(json_array_get(pairs, i), prefix, arena, &range->items[i]);
    return rc;
}

int etcd_range_decode(struct bytes answer, struct bytes prefix, struct arena *arena, struct etcd_range *range) {
    json_t *tree = NULL;
    *range = (struct etcd_range){0};
    int rc = tree_load(answer, &tree);
    if (rc != STATUS_OK)
        return rc;
    rc = range_read(tree, prefix, arena, range);
    json_decref(tree);
    return rc;
}

int etcd_swap_decode(struct bytes answer, bool *is_swapped, uint64_t *revision) {
    json_t *tree = NULL;
    int rc = tree_load(answer, &tree);
    if (rc != STATUS_OK)
        return rc;
    *is_swapped = json_is_true(json_member_find(tree, "succeeded"));
    rc = revision_read(tree, revision);
    if (rc == STATUS_OK && *revision == 0)
        rc = STATUS_MALFORMED;
    json_decref(tree);
    return rc;
}

int etcd_lease_decode(struct bytes answer, uint64_t *lease, unsigned *ttl_s) {
    json_t *tree = NULL;
    uint64_t ttl = 0;
    int rc = tree_load(answer, &tree);
    if (rc != STATUS_OK)
        return rc;
    /* Keeping alive is a stream of answers, granting is one. */
    const json_t *result = json_member_find(tree, "result");
    rc = number_read(result == NULL ? tree : result, "ID", lease);
    if (rc == STATUS_OK)
        rc = number_read(result == NULL ? tree : result, "TTL", &ttl);
    if (rc == STATUS_OK && ttl > INT32_MAX)
        rc = STATUS_MALFORMED;
    *ttl_s = (unsigned)ttl;
    json_decref(tree);
    return rc;
}

int etcd_login_decode(struct bytes answer, struct arena *arena, char **token) {
    json_t *tree = NULL;
    int rc = tree_load(answer, &tree);
    if (rc != STATUS_OK)
        return rc;
    const char *text = json_string_value(json_member_find(tree, "token"));
    if (text != NULL && strpbrk(text, "\r\n") == NULL && *text != '\0')
        *token = arena_text(arena, bytes_of_text(text));
    else
        rc = STATUS_MALFORMED;
    json_decref(tree);
    return rc;
}

static int event_read(const json_t *event, struct bytes prefix, struct arena *arena, struct coordinator_item *item) {
    const char *type = json_string_value(json_member_find(event, "type"));
    int rc = item_read(json_member_find(event, "kv"), prefix, arena, item);
    if (type != NULL && strcmp(type, "DELETE") == 0)
        item->value = BYTES_ABSENT;
    else if (type != NULL && strcmp(type, "PUT") != 0)
        rc = STATUS_MALFORMED;
    return rc;
}

static int news_read(const json_t *result, struct bytes prefix, struct arena *arena, struct etcd_watch_news *news) {
    const json_t *events = json_member_find(result, "events");
    const char *reason = json_string_value(json_member_find(result, "cancel_reason"));
    uint64_t compact_revision = 0;
    uint64_t revision = 0;
    int rc = number_read(result, "compact_revision", &compact_revision);
    if (rc == STATUS_OK)
        rc = revision_read(result, &revision);
    if (rc != STATUS_OK || (events != NULL && !json_is_array(events)))
        return STATUS_MALFORMED;
    news->is_created = json_is_true(json_member_find(result, "created"));
    news->is_canceled = json_is_true(json_member_find(result, "canceled"));
    news->is_compacted = news->is_canceled && compact_revision > 0;
    news->reason = arena_copy(arena, bytes_of_text(reason));
    news->events_count = json_array_size(events);
    news->events = ARENA_NEW_ARRAY(arena, struct coordinator_item, news->events_count);
    for (size_t i = 0; i < news->events_count && rc == STATUS_OK; i++)
        rc = event_read(json_array_get(events, i), prefix, arena, &news->events[i]);
    /* With nothing else in it, it is a progress notice: all events up to its revision have been sent. */
    if (!news->is_created && !news->is_canceled && news->events_count == 0)
        news->synced_revision = revision;
    return rc;
}

int etcd_watch_decode(struct bytes line, struct bytes prefix, struct arena *arena, struct etcd_watch_news *news) {
    json_t *tree = NULL;
    *news = (struct etcd_watch_news){0};
    int rc = tree_load(line, &tree);
    if (rc != STATUS_OK)
        return rc;
    const json_t *result = json_member_find(tree, "result");
    rc = json_is_object(result) ? news_read(result, prefix, arena, news) : STATUS_MALFORMED;
    json_decref(tree);
    return rc;
}

int etcd_error_decode(struct bytes answer, struct arena *arena, struct etcd_error *error) {
    json_t *tree = NULL;
    *error = (struct etcd_error){0};
    int rc = tree_load(answer, &tree);
    if (rc != STATUS_OK)
        return rc;
    /* A stream's error is an object, other errors are the answer itself. */
    const json_t *nested = json_member_find(tree, "error");
    bool is_of_stream = json_is_object(nested);
    const json_t *holder = is_of_stream ? nested : tree;
    if (nested != NULL) {
        const char *message = json_string_value(json_member_find(holder, "message"));
        error->message = arena_copy(arena, bytes_of_text(message == NULL ? "an error without message" : message));
        rc = number_read(holder, is_of_stream ? "grpc_code" : "code", &error->code);
    }
    json_decref(tree);
    return rc;
}
