#include "proto/access_key.h"

#include <sodium.h>

#include "proto/rfc3339.h"
#include "proto/status.h"

/* Signed headers are short: the longest honest one is a host name of 253 bytes with its port. */
#define HEADER_BYTES_MAX 400
#define SIGNED_HEADERS_COUNT 3
#define SIGNED_HEADERS_MAX 5 /* when a bridge acts for somebody */
#define BASE64_VARIANT sodium_base64_VARIANT_ORIGINAL
#define SHA256_BASE64_BYTES (sodium_base64_ENCODED_LEN(crypto_hash_sha256_BYTES, BASE64_VARIANT) - 1)

static const char scheme[] = "HMAC-SHA256";

static uint8_t to_lower(uint8_t c) {
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

/* `text` is in lower case. */
static bool bytes_equal_text_in_any_case(struct bytes b, const char *text) {
    if (b.size != strlen(text))
        return false;
    for (size_t i = 0; i < b.size; i++)
        if (to_lower(b.data[i]) != (uint8_t)text[i])
            return false;
    return true;
}

/* Cuts what stands before the first `separator` off `*rest`; the whole when there is none. */
static struct bytes take_until(struct bytes *rest, char separator) {
    const uint8_t *found = rest->size == 0 ? NULL : memchr(rest->data, separator, rest->size);
    struct bytes taken = found == NULL ? *rest : bytes_of(rest->data, (size_t)(found - rest->data));
    size_t consumed = found == NULL ? rest->size : taken.size + 1;
    *rest = consumed == 0 ? *rest : bytes_of(rest->data + consumed, rest->size - consumed);
    return taken;
}

static void body_hash(struct bytes body, char text[SHA256_BASE64_BYTES + 1]) {
    uint8_t hash[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(hash, body.data, body.size);
    sodium_bin2base64(text, SHA256_BASE64_BYTES + 1, hash, sizeof(hash), BASE64_VARIANT);
}

/* In the order in which they are signed. */
struct signed_values {
    struct bytes items[SIGNED_HEADERS_MAX];
    size_t count;
};

/* Contract 2.1, steps 5 and 6: method, target and the signed values, each list with its own separator. */
static void sign(struct bytes key, struct bytes method, struct bytes target, const struct signed_values *values,
                 uint8_t signature[crypto_auth_hmacsha256_BYTES]) {
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, key.data, key.size);
    crypto_auth_hmacsha256_update(&state, method.data, method.size);
    crypto_auth_hmacsha256_update(&state, (const uint8_t *)"\n", 1);
    crypto_auth_hmacsha256_update(&state, target.data, target.size);
    for (size_t i = 0; i < values->count; i++) {
        crypto_auth_hmacsha256_update(&state, (const uint8_t *)(i == 0 ? "\n" : ";"), 1);
        crypto_auth_hmacsha256_update(&state, values->items[i].data, values->items[i].size);
    }
    crypto_auth_hmacsha256_final(&state, signature);
}

struct authorization {
    struct bytes signed_headers;
    struct bytes signature;
};

/* "HMAC-SHA256 SignedHeaders=<names>&Signature=<base64>". */
static const char *authorization_parse(struct bytes header, struct authorization *out) {
    struct bytes given = take_until(&header, ' ');
    *out = (struct authorization){0};
    if (!bytes_equal_text_in_any_case(given, "hmac-sha256"))
        return "The Authorization header does not have the scheme HMAC-SHA256.";
    while (header.size > 0) {
        struct bytes value = take_until(&header, '&');
        struct bytes name = take_until(&value, '=');
        struct bytes *place = bytes_equal_text_in_any_case(name, "signedheaders") ? &out->signed_headers
                              : bytes_equal_text_in_any_case(name, "signature")   ? &out->signature
                                                                                  : NULL;
        if (place == NULL || bytes_is_present(*place))
            return "The Authorization header does not consist of SignedHeaders and Signature.";
        *place = value;
    }
    if (!bytes_is_present(out->signed_headers) || !bytes_is_present(out->signature))
        return "The Authorization header lacks SignedHeaders or Signature.";
    return NULL;
}

static const char *names_refuse(const struct signed_values *values) {
    return values->count == SIGNED_HEADERS_MAX
               ? "SignedHeaders must name x-ms-date, host, x-ms-content-sha256, x-weft-bridge and x-weft-acting-as, "
                 "each once, and no other."
               : "SignedHeaders must name x-ms-date, host and x-ms-content-sha256, each once, and no other.";
}

/* The values in the order in which the client says it signed them. */
static const char *signed_values_gather(const struct signed_request *request, struct bytes names,
                                        struct signed_values *values) {
    const struct {
        const char *name;
        struct bytes value;
    } known[SIGNED_HEADERS_MAX] = {{"x-ms-date", request->date},
                                   {"host", request->host},
                                   {"x-ms-content-sha256", request->content_sha256},
                                   {"x-weft-bridge", request->bridge},
                                   {"x-weft-acting-as", request->acting_as}};
    bool is_taken[SIGNED_HEADERS_MAX] = {false};
    values->count = bytes_is_present(request->bridge) ? SIGNED_HEADERS_MAX : SIGNED_HEADERS_COUNT;
    for (size_t i = 0; i < values->count; i++) {
        struct bytes name = take_until(&names, ';');
        size_t which = 0;
        while (which < values->count && !bytes_equal_text_in_any_case(name, known[which].name))
            which++;
        if (which == values->count || is_taken[which])
            return names_refuse(values);
        is_taken[which] = true;
        values->items[i] = known[which].value;
    }
    return names.size == 0 ? NULL : names_refuse(values);
}

static const char *headers_check(const struct signed_request *request) {
    if (!bytes_is_present(request->authorization))
        return "The Authorization header is missing.";
    if (!bytes_is_present(request->date))
        return "The x-ms-date header is missing.";
    if (!bytes_is_present(request->host))
        return "The Host header is missing.";
    if (!bytes_is_present(request->content_sha256))
        return "The x-ms-content-sha256 header is missing.";
    if (request->authorization.size > HEADER_BYTES_MAX || request->date.size > HEADER_BYTES_MAX ||
        request->host.size > HEADER_BYTES_MAX || request->content_sha256.size > HEADER_BYTES_MAX ||
        request->bridge.size > HEADER_BYTES_MAX || request->acting_as.size > HEADER_BYTES_MAX)
        return "A signed header or the Authorization header is longer than 400 bytes.";
    return NULL;
}

static const char *date_check(struct bytes date, int64_t now_ms, int64_t skew_ms) {
    int64_t date_ms;
    if (!rfc1123_parse(date, &date_ms))
        return "The x-ms-date header is not an RFC 1123 date.";
    if (date_ms < now_ms - skew_ms || date_ms > now_ms + skew_ms)
        return "The x-ms-date header is too far from the server's time.";
    return NULL;
}

static const char *body_check(const struct signed_request *request) {
    char expected[SHA256_BASE64_BYTES + 1];
    body_hash(request->body, expected);
    return bytes_equal_text(request->content_sha256, expected)
               ? NULL
               : "The x-ms-content-sha256 header is not the hash of the body.";
}

/* An absent key signs nothing: an empty one would let anybody in. */
static bool signature_matches(struct bytes key, const struct signed_request *request,
                              const struct signed_values *values, const uint8_t given[crypto_auth_hmacsha256_BYTES]) {
    uint8_t expected[crypto_auth_hmacsha256_BYTES];
    if (key.size == 0)
        return false;
    sign(key, request->method, request->target, values, expected);
    return sodium_memcmp(expected, given, sizeof(expected)) == 0;
}

static const char *signature_check(const struct access_keys *keys, const struct signed_request *request,
                                   const struct signed_values *values, struct bytes signature) {
    uint8_t given[crypto_auth_hmacsha256_BYTES];
    size_t size = 0;
    if (sodium_base642bin(given, sizeof(given), (const char *)signature.data, signature.size, NULL, &size, NULL,
                          BASE64_VARIANT) != 0 ||
        size != sizeof(given))
        return "The signature is not 32 bytes in base64.";
    bool is_primary = signature_matches(keys->primary, request, values, given);
    bool is_secondary = signature_matches(keys->secondary, request, values, given);
    return is_primary || is_secondary ? NULL : "The signature is not that of this request with a key of this resource.";
}

static const char *access_key_refuse(const struct access_keys *keys, const struct signed_request *request,
                                     int64_t now_ms, int64_t skew_ms) {
    struct authorization authorization;
    struct signed_values values;
    const char *reason = headers_check(request);
    if (reason == NULL)
        reason = authorization_parse(request->authorization, &authorization);
    if (reason == NULL)
        reason = signed_values_gather(request, authorization.signed_headers, &values);
    if (reason == NULL)
        reason = date_check(request->date, now_ms, skew_ms);
    if (reason == NULL)
        reason = body_check(request);
    if (reason == NULL)
        reason = signature_check(keys, request, &values, authorization.signature);
    return reason;
}

int access_key_verify(const struct access_keys *keys, const struct signed_request *request, int64_t now_ms,
                      int64_t skew_ms, const char **reason) {
    *reason = access_key_refuse(keys, request, now_ms, skew_ms);
    return *reason == NULL ? 0 : STATUS_UNAUTHORIZED;
}

void access_key_sign(struct arena *arena, struct bytes key, struct bytes method, struct bytes target, struct bytes host,
                     struct bytes body, int64_t now_ms, struct request_signature *signature) {
    char date[RFC3339_TEXT_BYTES];
    char hash[SHA256_BASE64_BYTES + 1];
    char text[SHA256_BASE64_BYTES + 1];
    uint8_t mac[crypto_auth_hmacsha256_BYTES];
    rfc1123_format(now_ms, date);
    body_hash(body, hash);
    const struct signed_values values = {{bytes_of_text(date), host, bytes_of_text(hash)}, SIGNED_HEADERS_COUNT};
    sign(key, method, target, &values, mac);
    sodium_bin2base64(text, sizeof(text), mac, sizeof(mac), BASE64_VARIANT);
    signature->date = arena_printf(arena, "%s", date);
    signature->content_sha256 = arena_printf(arena, "%s", hash);
    signature->authorization =
        arena_printf(arena, "%s SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature=%s", scheme, text);
}

/* "https://host[:port]", the trailing slash cut off. Absent: not of that form. */
static struct bytes endpoint_parse(struct bytes text) {
    size_t scheme_size = bytes_starts_with(text, "https://")  ? strlen("https://")
                         : bytes_starts_with(text, "http://") ? strlen("http://")
                                                              : 0;
    while (text.size > scheme_size && text.data[text.size - 1] == '/')
        text.size--;
    if (scheme_size == 0 || text.size == scheme_size)
        return BYTES_ABSENT;
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] <= ' ' || text.data[i] >= 0x7f)
            return BYTES_ABSENT;
    return text;
}

static struct bytes key_parse(struct arena *arena, struct bytes text) {
    uint8_t *key = arena_alloc(arena, text.size);
    size_t size = 0;
    if (text.size == 0 ||
        sodium_base642bin(key, text.size, (const char *)text.data, text.size, NULL, &size, NULL, BASE64_VARIANT) != 0)
        return BYTES_ABSENT;
    return size == 0 ? BYTES_ABSENT : bytes_of(key, size);
}

bool connection_string_parse(struct arena *arena, struct bytes text, struct bytes *endpoint, struct bytes *key) {
    *endpoint = BYTES_ABSENT;
    *key = BYTES_ABSENT;
    while (text.size > 0) {
        struct bytes value = take_until(&text, ';');
        struct bytes name = take_until(&value, '=');
        bool is_endpoint = bytes_equal_text_in_any_case(name, "endpoint");
        if (name.size == 0 && value.size == 0)
            continue;
        if (!is_endpoint && !bytes_equal_text_in_any_case(name, "accesskey"))
            return false;
        struct bytes *place = is_endpoint ? endpoint : key;
        if (bytes_is_present(*place))
            return false;
        *place = is_endpoint ? arena_copy(arena, endpoint_parse(value)) : key_parse(arena, value);
        if (!bytes_is_present(*place))
            return false;
    }
    return bytes_is_present(*endpoint) && bytes_is_present(*key);
}
