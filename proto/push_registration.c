#include "proto/push_registration.h"

#include <sodium.h>

#include "proto/check.h"
#include "proto/json_tree.h"
#include "proto/limits.h"
#include "proto/rfc3339.h"
#include "proto/status.h"

#define CRYPTO_METHOD "0x70"
#define ENDPOINT_HASH_BYTES 16

static const char *const transport_names[] = {[PUSH_WEB] = "web", [PUSH_FCM] = "fcm", [PUSH_APNS] = "apns"};

static const struct codec_field FIELDS[] = {
    CODEC_MEMBER(1, CODEC_BYTES, struct push_registration, id),
    CODEC_MEMBER_ENUM(2, struct push_registration, transport, PUSH_APNS),
    CODEC_MEMBER(3, CODEC_BYTES, struct push_registration, address),
    CODEC_MEMBER(4, CODEC_BYTES, struct push_registration, public_key),
    CODEC_MEMBER(5, CODEC_BYTES, struct push_registration, auth),
    CODEC_MEMBER(6, CODEC_BYTES, struct push_registration, aes_key),
    CODEC_MEMBER(7, CODEC_BYTES, struct push_registration, auth_key),
    CODEC_MEMBER(8, CODEC_I64, struct push_registration, created_ms),
    CODEC_MEMBER(9, CODEC_I64, struct push_registration, expires_ms),
    CODEC_MEMBER(10, CODEC_BYTES, struct push_registration, display_name),
};
const struct codec_table PUSH_REGISTRATION_TABLE = CODEC_TABLE(struct push_registration, FIELDS);

/* ---- as it is kept ---- */

static bool is_sized(struct bytes value, size_t size) {
    return bytes_is_present(value) && value.size == size;
}

static bool has_keys(const struct push_registration *registration) {
    if (registration->transport == PUSH_WEB)
        return is_sized(registration->public_key, PUSH_PUBLIC_KEY_BYTES) &&
               is_sized(registration->auth, PUSH_AUTH_BYTES);
    if (!bytes_is_present(registration->aes_key))
        return !bytes_is_present(registration->auth_key);
    return is_sized(registration->aes_key, PUSH_MOBILE_KEY_BYTES) &&
           is_sized(registration->auth_key, PUSH_MOBILE_KEY_BYTES);
}

int push_registration_check(const struct push_registration *registration) {
    bool is_sound = registration->transport != 0 && registration->id.size > 0 &&
                    registration->id.size <= PUSH_ID_BYTES_MAX && registration->address.size > 0 &&
                    registration->address.size <= PUSH_ENDPOINT_BYTES_MAX &&
                    registration->display_name.size <= LIMIT_DISPLAY_NAME_BYTES_MAX;
    return is_sound && has_keys(registration) ? STATUS_OK : STATUS_MALFORMED;
}

/* ---- texts ---- */

/* base64url without padding, which some clients add, or plain base64 from others. */
static bool base64_decode(struct arena *arena, struct bytes text, struct bytes *value) {
    uint8_t *decoded = arena_alloc(arena, text.size);
    size_t size = 0;
    while (text.size > 0 && text.data[text.size - 1] == '=')
        text.size--;
    bool is_url = memchr(text.data, '+', text.size) == NULL && memchr(text.data, '/', text.size) == NULL;
    int variant = is_url ? sodium_base64_VARIANT_URLSAFE_NO_PADDING : sodium_base64_VARIANT_ORIGINAL_NO_PADDING;
    const char *end = NULL;
    if (sodium_base642bin(decoded, text.size, (const char *)text.data, text.size, NULL, &size, &end, variant) != 0 ||
        end != (const char *)text.data + text.size)
        return false;
    *value = bytes_of(decoded, size);
    return true;
}

static int key_read(const struct json_reader *reader, const json_t *object, const char *name, size_t size,
                    struct bytes *key) {
    struct bytes text;
    int rc = json_text_require(reader, object, name, 4 * PUSH_PUBLIC_KEY_BYTES, &text);
    if (rc != STATUS_OK)
        return rc;
    if (base64_decode(reader->arena, text, key) && key->size == size)
        return STATUS_OK;
    /* What was given is a secret, so it is not quoted. */
    return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, name, "%s must be base64 of %zu bytes.",
                       name, size);
}

static bool is_printable(struct bytes text) {
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] <= 0x20 || text.data[i] >= 0x7f)
            return false;
    return true;
}

static int plain_text_read(const struct json_reader *reader, const json_t *object, const char *name, size_t bytes_max,
                           struct bytes *text) {
    int rc = json_text_require(reader, object, name, bytes_max, text);
    if (rc != STATUS_OK || (text->size > 0 && is_printable(*text)))
        return rc;
    return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, name,
                       "%s must have 1 to %zu printable characters, and no spaces.", name, bytes_max);
}

/* ---- browsers ---- */

static struct bytes id_of_endpoint(struct arena *arena, struct bytes endpoint) {
    uint8_t hash[ENDPOINT_HASH_BYTES];
    char text[2 * ENDPOINT_HASH_BYTES + 1];
    crypto_generichash(hash, sizeof(hash), endpoint.data, endpoint.size, NULL, 0);
    sodium_bin2hex(text, sizeof(text), hash, sizeof(hash));
    return arena_copy(arena, bytes_of_text(text));
}

static int expiration_read(const struct json_reader *reader, const json_t *object, int64_t now_ms,
                           int64_t *expires_ms) {
    const json_t *time = json_member_find(object, "expirationTime");
    *expires_ms = 0;
    if (time == NULL)
        return STATUS_OK;
    double value = json_number_value(time);
    bool is_sound = json_is_number(time) && value > (double)now_ms && value < 1e15;
    *expires_ms = is_sound ? (int64_t)value : 0;
    return is_sound ? STATUS_OK
                    : problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, "expirationTime",
                                  "expirationTime must be null, or a moment to come in ms since 1970.");
}

static int subscription_read(const struct json_reader *reader, const json_t *root, int64_t now_ms,
                             struct push_registration *registration) {
    const json_t *keys = json_member_find(root, "keys");
    int rc = plain_text_read(reader, root, "endpoint", PUSH_ENDPOINT_BYTES_MAX, &registration->address);
    if (rc == STATUS_OK)
        rc = expiration_read(reader, root, now_ms, &registration->expires_ms);
    if (rc == STATUS_OK)
        rc = json_text_read(reader, root, "displayName", LIMIT_DISPLAY_NAME_BYTES_MAX, &registration->display_name);
    if (rc == STATUS_OK && !json_is_object(keys))
        rc = problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, "keys",
                         "keys must be an object with p256dh and auth.");
    if (rc == STATUS_OK)
        rc = key_read(reader, keys, "p256dh", PUSH_PUBLIC_KEY_BYTES, &registration->public_key);
    return rc == STATUS_OK ? key_read(reader, keys, "auth", PUSH_AUTH_BYTES, &registration->auth) : rc;
}

int push_subscription_parse(struct arena *arena, struct bytes body, int64_t now_ms,
                            struct push_registration *registration, struct problem *problem) {
    const struct json_reader reader = {arena, problem};
    json_t *root;
    *registration = (struct push_registration){.transport = PUSH_WEB, .created_ms = now_ms};
    int rc = json_body_load(&reader, body, &root);
    if (rc != STATUS_OK)
        return rc;
    rc = subscription_read(&reader, root, now_ms, registration);
    json_decref(root);
    if (rc == STATUS_OK)
        registration->id = id_of_endpoint(arena, registration->address);
    return rc;
}

/* ---- the official mobile SDKs ---- */

static int device_refuse(const struct json_reader *reader) {
    return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, "transports",
                       "transports must be {\"APNS\"|\"FCM\": [{\"ttl\", \"path\"}]} with one device.");
}

static bool is_hexadecimal(struct bytes text) {
    for (size_t i = 0; i < text.size; i++)
        if (strchr("0123456789abcdefABCDEF", text.data[i]) == NULL)
            return false;
    return true;
}

static int ttl_read(const struct json_reader *reader, const json_t *device, int64_t now_ms, int64_t *expires_ms) {
    const json_t *ttl = json_member_find(device, "ttl");
    json_int_t seconds = ttl == NULL ? PUSH_TTL_S_DEFAULT : json_integer_value(ttl);
    if ((ttl != NULL && !json_is_integer(ttl)) || seconds < 1 || seconds > PUSH_TTL_S_MAX)
        return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, "ttl",
                           "ttl must be a whole number of seconds, 1 to %d.", PUSH_TTL_S_MAX);
    *expires_ms = now_ms + (int64_t)seconds * 1000;
    return STATUS_OK;
}

static int transport_read(const struct json_reader *reader, const json_t *root, int64_t now_ms,
                          struct push_registration *registration) {
    const json_t *transports = json_member_find(root, "transports");
    const json_t *fcm = json_member_find(transports, "FCM"), *apns = json_member_find(transports, "APNS");
    const json_t *devices = fcm != NULL ? fcm : apns;
    const json_t *device = json_array_get(devices, 0);
    if (!json_is_object(transports) || (fcm == NULL) == (apns == NULL) || json_array_size(devices) != 1 ||
        !json_is_object(device))
        return device_refuse(reader);
    registration->transport = fcm != NULL ? PUSH_FCM : PUSH_APNS;
    int rc = plain_text_read(reader, device, "path", PUSH_TOKEN_BYTES_MAX, &registration->address);
    if (rc == STATUS_OK && apns != NULL && !is_hexadecimal(registration->address))
        rc = problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, "path",
                         "path must be the token of a device, hexadecimal, for APNS.");
    return rc == STATUS_OK ? ttl_read(reader, device, now_ms, &registration->expires_ms) : rc;
}

static int mobile_keys_read(const struct json_reader *reader, const json_t *root,
                            struct push_registration *registration) {
    const json_t *client = json_member_find(root, "clientDescription");
    struct bytes method;
    int rc = json_text_read(reader, client, "cryptoMethod", 16, &method);
    if (rc != STATUS_OK || !bytes_is_present(method))
        return rc;
    if (!bytes_equal_text(method, CRYPTO_METHOD))
        return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, "cryptoMethod",
                           "cryptoMethod must be %s, not \"%.*s\".", CRYPTO_METHOD, BYTES_ARG(method));
    rc = key_read(reader, client, "aesKey", PUSH_MOBILE_KEY_BYTES, &registration->aes_key);
    return rc == STATUS_OK ? key_read(reader, client, "authKey", PUSH_MOBILE_KEY_BYTES, &registration->auth_key) : rc;
}

int push_device_parse(struct arena *arena, struct bytes body, int64_t now_ms, struct push_registration *registration,
                      struct problem *problem) {
    const struct json_reader reader = {arena, problem};
    json_t *root;
    *registration = (struct push_registration){.created_ms = now_ms};
    int rc = json_body_load(&reader, body, &root);
    if (rc != STATUS_OK)
        return rc;
    rc = plain_text_read(&reader, root, "registrationId", PUSH_ID_BYTES_MAX, &registration->id);
    if (rc == STATUS_OK)
        rc = transport_read(&reader, root, now_ms, registration);
    if (rc == STATUS_OK)
        rc = mobile_keys_read(&reader, root, registration);
    json_decref(root);
    return rc;
}

/* ---- as its owner sees it ---- */

/* "https://host/what-only-the-owner-knows": the host. */
static struct bytes host_of(struct bytes endpoint) {
    const char *text = (const char *)endpoint.data;
    size_t from = 0;
    for (size_t i = 0; i + 2 < endpoint.size && from == 0; i++)
        if (memcmp(text + i, "://", 3) == 0)
            from = i + 3;
    size_t to = from;
    while (to < endpoint.size && text[to] != '/' && text[to] != '?')
        to++;
    return bytes_of(text + from, to - from);
}

static void moment_set(json_t *object, const char *name, int64_t time_ms) {
    char text[RFC3339_TEXT_BYTES];
    rfc3339_format_seconds(time_ms, text);
    json_text_set(object, name, bytes_of_text(text));
}

json_t *push_registration_json(const struct push_registration *registration) {
    json_t *object = json_object_new();
    check(registration->transport >= PUSH_WEB && registration->transport <= PUSH_APNS);
    json_text_set(object, "id", registration->id);
    json_text_set(object, "transport", bytes_of_text(transport_names[registration->transport]));
    if (registration->transport == PUSH_WEB)
        json_text_set(object, "host", host_of(registration->address));
    json_text_set_present(object, "displayName", registration->display_name);
    moment_set(object, "createdOn", registration->created_ms);
    if (registration->expires_ms != 0)
        moment_set(object, "expiresOn", registration->expires_ms);
    return object;
}
