#include "proto/ids.h"

#include <sodium.h>

_Static_assert(crypto_shorthash_siphashx24_BYTES == sizeof(struct id_hash), "an id hash is a whole SipHash-2-4-128");
_Static_assert(crypto_shorthash_siphashx24_KEYBYTES == ID_HASH_KEY_BYTES, "the cluster's key is a SipHash key");

#define DECIMAL_DIGITS_MAX 19 /* the longest that always fits 64 bits */
#define UUID_TEXT_BYTES 36

struct id_hash id_hash_make(const uint8_t key[ID_HASH_KEY_BYTES], struct bytes raw_id) {
    struct id_hash hash;
    crypto_shorthash_siphashx24(hash.bytes, raw_id.data, raw_id.size, key);
    return hash;
}

bool id_hash_equal(const struct id_hash *a, const struct id_hash *b) {
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

uint64_t id_hash_position(const struct id_hash *hash) {
    uint64_t position = 0;
    for (size_t i = 0; i < sizeof(position); i++)
        position = position << 8 | hash->bytes[i];
    return position;
}

static bool is_digit(uint8_t c) {
    return c >= '0' && c <= '9';
}

static bool is_hex(uint8_t c) {
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_base64url(uint8_t c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-';
}

static struct bytes bytes_from(struct bytes b, size_t start) {
    return bytes_of(b.data + start, b.size - start);
}

static bool bytes_ends_with(struct bytes b, const char *suffix) {
    size_t size = strlen(suffix);
    return b.size >= size && memcmp(b.data + b.size - size, suffix, size) == 0;
}

bool thread_id_is_valid(struct bytes raw_id) {
    static const char prefix[] = "19:";
    static const char suffix[] = "@thread.v2";
    size_t frame = strlen(prefix) + strlen(suffix);
    if (raw_id.size <= frame || !bytes_starts_with(raw_id, prefix) || !bytes_ends_with(raw_id, suffix))
        return false;
    for (size_t i = strlen(prefix); i < raw_id.size - strlen(suffix); i++)
        if (!is_base64url(raw_id.data[i]))
            return false;
    return true;
}

struct bytes thread_id_make(struct arena *arena, const uint8_t entropy[THREAD_ID_ENTROPY_BYTES]) {
    char text[sodium_base64_ENCODED_LEN(THREAD_ID_ENTROPY_BYTES, sodium_base64_VARIANT_URLSAFE_NO_PADDING)];
    sodium_bin2base64(text, sizeof(text), entropy, THREAD_ID_ENTROPY_BYTES, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    return arena_printf(arena, "19:acsV1_%s1@thread.v2", text);
}

static void format_in_uuid_groups(const uint8_t value[16], char text[UUID_TEXT_BYTES + 1]) {
    static const char digits[] = "0123456789abcdef";
    char *to = text;
    for (size_t i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *to++ = '-';
        *to++ = digits[value[i] >> 4];
        *to++ = digits[value[i] & 15];
    }
    *to = '\0';
}

struct bytes user_id_make(struct arena *arena, struct bytes resource_id, const uint8_t entropy[USER_ID_ENTROPY_BYTES]) {
    char text[UUID_TEXT_BYTES + 1];
    format_in_uuid_groups(entropy, text);
    return arena_printf(arena, "8:acs:%.*s_%s", BYTES_ARG(resource_id), text);
}

bool user_id_is_of_resource(struct bytes raw_id, struct bytes resource_id) {
    static const char prefix[] = "8:acs:";
    if (!bytes_starts_with(raw_id, prefix))
        return false;
    struct bytes rest = bytes_from(raw_id, strlen(prefix));
    if (rest.size <= resource_id.size + 1 || !bytes_equal(bytes_of(rest.data, resource_id.size), resource_id) ||
        rest.data[resource_id.size] != '_')
        return false;
    for (size_t i = resource_id.size + 1; i < rest.size; i++)
        if (!is_base64url(rest.data[i]) || rest.data[i] == '_')
            return false;
    return true;
}

void uuid_format(const uint8_t entropy[16], char text[37]) {
    uint8_t value[16];
    memcpy(value, entropy, sizeof(value));
    value[6] = (uint8_t)(0x40 | (value[6] & 0x0f));
    value[8] = (uint8_t)(0x80 | (value[8] & 0x3f));
    format_in_uuid_groups(value, text);
}

bool uuid_is_valid(struct bytes text) {
    if (text.size != UUID_TEXT_BYTES)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        bool is_dash_place = i == 8 || i == 13 || i == 18 || i == 23;
        if (is_dash_place ? text.data[i] != '-' : !is_hex(text.data[i]))
            return false;
    }
    return true;
}

bool decimal_parse(struct bytes text, uint64_t *value) {
    if (text.size == 0 || text.size > DECIMAL_DIGITS_MAX)
        return false;
    uint64_t sum = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (!is_digit(text.data[i]))
            return false;
        sum = sum * 10 + (uint64_t)(text.data[i] - '0');
    }
    *value = sum;
    return true;
}

struct identifier_form {
    const char *prefix;
    enum identifier_kind kind;
    const char *cloud;
    bool is_anonymous;
};

static const struct identifier_form identifier_forms[] = {
    {"8:acs:", IDENTIFIER_COMMUNICATION_USER, "public", false},
    {"8:gcch-acs:", IDENTIFIER_COMMUNICATION_USER, "gcch", false},
    {"8:dod-acs:", IDENTIFIER_COMMUNICATION_USER, "dod", false},
    {"8:spool:", IDENTIFIER_COMMUNICATION_USER, NULL, false},
    {"8:orgid:", IDENTIFIER_TEAMS_USER, "public", false},
    {"8:dod:", IDENTIFIER_TEAMS_USER, "dod", false},
    {"8:gcch:", IDENTIFIER_TEAMS_USER, "gcch", false},
    {"8:teamsvisitor:", IDENTIFIER_TEAMS_USER, "public", true},
    {"28:orgid:", IDENTIFIER_TEAMS_APP, "public", false},
    {"28:dod:", IDENTIFIER_TEAMS_APP, "dod", false},
    {"28:gcch:", IDENTIFIER_TEAMS_APP, "gcch", false},
};

/* Gives false unless `text` has two or three parts and none of them is empty. */
static bool split_at_underscores(struct bytes text, struct bytes parts[3], size_t *count) {
    *count = 0;
    size_t start = 0;
    for (size_t i = 0; i <= text.size; i++) {
        if (i < text.size && text.data[i] != '_')
            continue;
        if (i == start || *count == 3)
            return false;
        parts[(*count)++] = bytes_of(text.data + start, i - start);
        start = i + 1;
    }
    return *count >= 2;
}

/* "<resource>_<user>" or "<resource>_<tenant>_<user>"; a spool user has a free form. */
static bool identifier_parse_user(struct bytes suffix, const struct identifier_form *form, struct identifier *out) {
    struct bytes parts[3];
    size_t count;
    out->value = out->raw_id;
    if (form->cloud == NULL)
        return true;
    if (!split_at_underscores(suffix, parts, &count))
        return false;
    if (count == 3) {
        out->kind = IDENTIFIER_TEAMS_EXTENSION_USER;
        out->cloud = form->cloud;
        out->resource_id = parts[0];
        out->tenant_id = parts[1];
        out->value = parts[2];
    }
    return true;
}

/* "+1555_<asserted id>": what follows the last underscore. */
static struct bytes asserted_id_of(struct bytes value) {
    size_t start = value.size;
    while (start > 0 && value.data[start - 1] != '_')
        start--;
    return start > 1 && start < value.size ? bytes_from(value, start) : BYTES_ABSENT;
}

static struct identifier identifier_parse_phone_number(struct bytes raw_id) {
    struct bytes value = bytes_from(raw_id, strlen("4:"));
    return (struct identifier){.kind = IDENTIFIER_PHONE_NUMBER,
                               .raw_id = raw_id,
                               .value = value,
                               .asserted_id = asserted_id_of(value),
                               .is_anonymous = bytes_equal_text(value, "anonymous")};
}

static const struct identifier_form *identifier_form_find(struct bytes raw_id) {
    for (size_t i = 0; i < sizeof(identifier_forms) / sizeof(identifier_forms[0]); i++)
        if (bytes_starts_with(raw_id, identifier_forms[i].prefix))
            return &identifier_forms[i];
    return NULL;
}

struct identifier identifier_parse(struct bytes raw_id) {
    struct identifier unknown = {.kind = IDENTIFIER_UNKNOWN, .raw_id = raw_id};
    if (bytes_starts_with(raw_id, "4:"))
        return identifier_parse_phone_number(raw_id);
    const struct identifier_form *form = identifier_form_find(raw_id);
    if (form == NULL)
        return unknown;
    struct bytes suffix = bytes_from(raw_id, strlen(form->prefix));
    if (suffix.size == 0 || memchr(suffix.data, ':', suffix.size) != NULL)
        return unknown;
    struct identifier out = {.kind = form->kind, .raw_id = raw_id, .value = suffix};
    if (form->kind == IDENTIFIER_COMMUNICATION_USER)
        return identifier_parse_user(suffix, form, &out) ? out : unknown;
    out.cloud = form->cloud;
    out.is_anonymous = form->is_anonymous;
    return out;
}

bool identifier_is_teams_user(struct bytes raw_id) {
    return identifier_parse(raw_id).kind == IDENTIFIER_TEAMS_USER;
}

bool identifier_is_bot(struct bytes raw_id) {
    return bytes_starts_with(raw_id, "28:");
}
