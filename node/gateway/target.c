#include "node/gateway/target.h"

#include "proto/status.h"

static int hex_digit(uint8_t c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int target_decode(struct arena *arena, struct bytes text, struct bytes *out) {
    uint8_t *decoded = arena_alloc(arena, text.size + 1);
    size_t size = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] != '%') {
            decoded[size++] = text.data[i];
            continue;
        }
        if (text.size - i < 3)
            return STATUS_BAD_REQUEST;
        int high = hex_digit(text.data[i + 1]);
        int low = hex_digit(text.data[i + 2]);
        if (high < 0 || low < 0 || (high == 0 && low == 0))
            return STATUS_BAD_REQUEST;
        decoded[size++] = (uint8_t)(high * 16 + low);
        i += 2;
    }
    *out = bytes_of(decoded, size);
    return 0;
}

static struct bytes skip(struct bytes text, size_t count) {
    return bytes_of(text.data + count, text.size - count);
}

static size_t find_byte(struct bytes text, uint8_t wanted) {
    const uint8_t *found = text.size == 0 ? NULL : memchr(text.data, wanted, text.size);
    return found == NULL ? text.size : (size_t)(found - text.data);
}

static struct bytes skip_absolute_form(struct bytes text) {
    size_t scheme = bytes_starts_with(text, "https://") ? 8 : bytes_starts_with(text, "http://") ? 7 : 0;
    if (scheme == 0)
        return text;
    struct bytes rest = skip(text, scheme);
    return skip(rest, find_byte(rest, '/'));
}

static int add_segment(struct arena *arena, struct bytes text, struct target *target) {
    if (target->segments_count == TARGET_SEGMENTS_MAX)
        return STATUS_BAD_REQUEST;
    struct bytes decoded;
    int rc = target_decode(arena, text, &decoded);
    if (rc != 0)
        return rc;
    if (bytes_equal_text(decoded, ".") || bytes_equal_text(decoded, ".."))
        return STATUS_BAD_REQUEST;
    target->segments[target->segments_count++] = decoded;
    return 0;
}

int target_parse(struct arena *arena, struct bytes text, struct target *target) {
    *target = (struct target){.query = BYTES_ABSENT};
    text = skip_absolute_form(text);
    size_t path_size = find_byte(text, '?');
    if (path_size < text.size)
        target->query = skip(text, path_size + 1);
    struct bytes path = bytes_of(text.data, path_size);
    if (path.size == 0 || path.data[0] != '/')
        return STATUS_BAD_REQUEST;
    while (path.size > 0 && path.data[0] == '/')
        path = skip(path, 1);
    if (path.size > 0 && path.data[path.size - 1] == '/')
        path.size--;
    while (path.size > 0) {
        size_t size = find_byte(path, '/');
        int rc = add_segment(arena, bytes_of(path.data, size), target);
        if (rc != 0)
            return rc;
        if (size == path.size)
            break;
        path = skip(path, size + 1);
        if (path.size == 0)
            return add_segment(arena, BYTES_LITERAL(""), target);
    }
    return 0;
}

static struct bytes decoded_or_absent(struct arena *arena, struct bytes text) {
    struct bytes decoded;
    return target_decode(arena, text, &decoded) == 0 ? decoded : BYTES_ABSENT;
}

bool target_query_next(struct arena *arena, const struct target *target, size_t *cursor, struct bytes *name,
                       struct bytes *value) {
    while (bytes_is_present(target->query) && *cursor < target->query.size) {
        struct bytes rest = skip(target->query, *cursor);
        struct bytes pair = bytes_of(rest.data, find_byte(rest, '&'));
        *cursor += pair.size + 1;
        if (pair.size == 0)
            continue;
        size_t name_size = find_byte(pair, '=');
        *name = decoded_or_absent(arena, bytes_of(pair.data, name_size));
        *value = name_size == pair.size ? BYTES_LITERAL("") : decoded_or_absent(arena, skip(pair, name_size + 1));
        return true;
    }
    return false;
}

struct bytes target_query_find(struct arena *arena, const struct target *target, const char *name) {
    size_t cursor = 0;
    struct bytes found_name;
    struct bytes found_value;
    while (target_query_next(arena, target, &cursor, &found_name, &found_value)) {
        if (bytes_is_present(found_name) && bytes_equal_text(found_name, name))
            return found_value;
    }
    return BYTES_ABSENT;
}
