#include "proto/json_tree.h"

#include <inttypes.h>
#include <stdio.h>

#include "proto/check.h"
#include "proto/limits.h"

#define QUOTED_BYTES_MAX 100 /* of a refused value that the refusal quotes */

/* jansson recurses as deep as the text nests, so the depth is bounded before it reads. Brackets inside strings do not
 * count; what is not JSON at all is left to jansson. */
static bool depth_is_within(struct bytes text, size_t depth_max) {
    size_t depth = 0;
    bool is_in_string = false;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (is_in_string && c == '\\')
            i++;
        else if (c == '"')
            is_in_string = !is_in_string;
        else if (!is_in_string && (c == '{' || c == '[') && ++depth > depth_max)
            return false;
        else if (!is_in_string && (c == '}' || c == ']') && depth > 0)
            depth--;
    }
    return true;
}

int json_body_load(const struct json_reader *reader, struct bytes body, json_t **root) {
    if (body.size == 0)
        return problem_set(reader->problem, reader->arena, STATUS_BAD_REQUEST, NULL, "The body is missing.");
    if (!depth_is_within(body, LIMIT_JSON_DEPTH_MAX))
        return problem_set(reader->problem, reader->arena, STATUS_BAD_REQUEST, NULL,
                           "The JSON is nested deeper than %d levels.", LIMIT_JSON_DEPTH_MAX);
    json_error_t error;
    json_t *tree = json_loadb((const char *)body.data, body.size, JSON_ALLOW_NUL, &error);
    if (tree == NULL)
        return problem_set(reader->problem, reader->arena, STATUS_BAD_REQUEST, NULL,
                           "The body is not valid JSON: %s, at byte %d.", error.text, error.position);
    if (!json_is_object(tree)) {
        json_decref(tree);
        return problem_set(reader->problem, reader->arena, STATUS_BAD_REQUEST, NULL, "The body must be a JSON object.");
    }
    *root = tree;
    return 0;
}

json_t *json_member_find(const json_t *object, const char *name) {
    json_t *value = json_object_get(object, name);
    return json_is_null(value) ? NULL : value;
}

const char *json_type_text(const json_t *value) {
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
    case JSON_REAL:
        return "a number";
    case JSON_TRUE:
    case JSON_FALSE:
        return "a boolean";
    case JSON_NULL:
        return "null";
    }
    return "unknown";
}

static struct bytes string_bytes(const json_t *string) {
    return bytes_of(json_string_value(string), json_string_length(string));
}

int json_text_read(const struct json_reader *reader, const json_t *object, const char *name, size_t bytes_max,
                   struct bytes *out) {
    const json_t *value = json_member_find(object, name);
    *out = BYTES_ABSENT;
    if (value == NULL)
        return 0;
    if (!json_is_string(value))
        return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, name,
                           "%s must be a string, not %s.", name, json_type_text(value));
    struct bytes text = string_bytes(value);
    if (text.size > bytes_max)
        return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, name,
                           "%s has %zu bytes; at most %zu are allowed. It begins \"%.*s\".", name, text.size, bytes_max,
                           QUOTED_BYTES_MAX, (const char *)text.data);
    *out = arena_copy(reader->arena, text);
    return 0;
}

int json_text_require(const struct json_reader *reader, const json_t *object, const char *name, size_t bytes_max,
                      struct bytes *out) {
    int rc = json_text_read(reader, object, name, bytes_max, out);
    if (rc == 0 && !bytes_is_present(*out))
        rc = problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, name, "%s is required.", name);
    return rc;
}

size_t metadata_bytes(const struct metadata *metadata) {
    size_t sum = 0;
    for (size_t i = 0; i < metadata->count; i++)
        sum += metadata->pairs[i].key.size + metadata->pairs[i].value.size;
    return sum;
}

static int metadata_pair_read(const struct json_reader *reader, const char *key, const json_t *value,
                              enum metadata_use use, struct metadata_pair *pair) {
    pair->key = arena_copy(reader->arena, bytes_of_text(key));
    pair->value = BYTES_ABSENT;
    if (json_is_null(value))
        return 0;
    if (!json_is_string(value))
        return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, "metadata",
                           "metadata values must be strings; \"%.*s\" is %s.", QUOTED_BYTES_MAX, key,
                           json_type_text(value));
    /* An empty value in a patch removes the key as null does (contract 6.2); elsewhere it is kept. */
    if (json_string_length(value) > 0 || use == METADATA_WHOLE)
        pair->value = arena_copy(reader->arena, string_bytes(value));
    return 0;
}

int json_metadata_read(const struct json_reader *reader, const json_t *object, enum metadata_use use, size_t bytes_max,
                       struct metadata *out) {
    json_t *map = json_object_get(object, "metadata");
    *out = (struct metadata){0};
    if (map == NULL || (json_is_null(map) && use == METADATA_WHOLE))
        return 0;
    out->is_present = true;
    out->is_cleared = json_is_null(map);
    if (out->is_cleared)
        return 0;
    if (!json_is_object(map))
        return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, "metadata",
                           "metadata must be an object, not %s.", json_type_text(map));
    out->pairs = ARENA_NEW_ARRAY(reader->arena, struct metadata_pair, json_object_size(map));
    const char *key;
    json_t *value;
    json_object_foreach(map, key, value) {
        if (json_is_null(value) && use == METADATA_WHOLE)
            continue;
        int rc = metadata_pair_read(reader, key, value, use, &out->pairs[out->count]);
        if (rc != 0)
            return rc;
        out->count++;
    }
    size_t size = metadata_bytes(out);
    if (size > bytes_max)
        return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, "metadata",
                           "metadata has %zu bytes of keys and values; at most %zu are allowed.", size, bytes_max);
    return 0;
}

static json_t *text_new_replacing(struct bytes text) {
    struct buffer ascii;
    buffer_init(&ascii);
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < 0x80)
            buffer_append(&ascii, &text.data[i], 1);
        else
            buffer_append_text(&ascii, "\xef\xbf\xbd");
    }
    struct bytes replaced = buffer_bytes(&ascii);
    json_t *value = json_stringn((const char *)replaced.data, replaced.size);
    buffer_close(&ascii);
    return value;
}

json_t *json_text_new(struct bytes text) {
    if (text.size == 0)
        text = BYTES_LITERAL("");
    json_t *value = json_stringn((const char *)text.data, text.size);
    if (value == NULL)
        value = text_new_replacing(text);
    check(value != NULL);
    return value;
}

json_t *json_decimal_new(uint64_t value) {
    char text[24];
    int size = snprintf(text, sizeof(text), "%" PRIu64, value);
    return json_text_new(bytes_of(text, (size_t)size));
}

json_t *json_metadata_new(const struct metadata *metadata) {
    json_t *map = json_object_new();
    for (size_t i = 0; i < metadata->count; i++) {
        struct bytes key = metadata->pairs[i].key;
        /* A key with a byte that JSON cannot carry never comes from JSON: it is left out. */
        json_t *value = json_text_new(metadata->pairs[i].value);
        if (memchr(key.data, '\0', key.size) == NULL)
            json_object_setn_new(map, (const char *)key.data, key.size, value);
        else
            json_decref(value);
    }
    return map;
}

void json_member_set(json_t *object, const char *name, json_t *value) {
    check(json_object_set_new(object, name, value) == 0);
}

void json_item_add(json_t *array, json_t *value) {
    check(json_array_append_new(array, value) == 0);
}

void json_text_set(json_t *object, const char *name, struct bytes text) {
    json_member_set(object, name, json_text_new(text));
}

void json_text_set_present(json_t *object, const char *name, struct bytes text) {
    if (bytes_is_present(text))
        json_text_set(object, name, text);
}

json_t *json_object_new(void) {
    json_t *object = json_object();
    check(object != NULL);
    return object;
}

json_t *json_array_new(void) {
    json_t *array = json_array();
    check(array != NULL);
    return array;
}

static int dump_write(const char *data, size_t size, void *out) {
    buffer_append(out, data, size);
    return 0;
}

void json_append_take(struct buffer *out, json_t *tree) {
    check(json_dump_callback(tree, dump_write, out, JSON_COMPACT) == 0);
    json_decref(tree);
}

struct bytes json_text_take(struct arena *arena, json_t *tree) {
    struct buffer out;
    buffer_init(&out);
    json_append_take(&out, tree);
    struct bytes text = arena_copy(arena, buffer_bytes(&out));
    buffer_close(&out);
    return text;
}
