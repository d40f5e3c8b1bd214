#define _GNU_SOURCE
#include "node/ctl/signing.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "node/ctl/access.h"
#include "proto/check.h"

#define HASH_BYTES 32
#define BASE64_BYTES(bytes) (((bytes) + 2) / 3 * 4 + 1)
#define DATE_BYTES_MAX 40
#define HEADER_BYTES_MAX 512

/* The value of "name=value" between semicolons; NULL: there is none. */
static const char *part_find(const char *text, const char *name, size_t *size) {
    size_t name_size = strlen(name);
    while (*text != 0) {
        size_t part = strcspn(text, ";");
        if (part > name_size && strncasecmp(text, name, name_size) == 0 && text[name_size] == '=') {
            *size = part - name_size - 1;
            return text + name_size + 1;
        }
        text += part + (text[part] == ';');
    }
    return NULL;
}

static bool key_decode(const char *text, size_t size, struct connection *connection) {
    unsigned char decoded[CONNECTION_KEY_BYTES_MAX + 3];
    size_t padding = size >= 2 ? (size_t)(text[size - 1] == '=') + (size_t)(text[size - 2] == '=') : 0;
    if (size == 0 || size % 4 != 0 || size / 4 * 3 > CONNECTION_KEY_BYTES_MAX)
        return false;
    int bytes = EVP_DecodeBlock(decoded, (const unsigned char *)text, (int)size);
    if (bytes < 0 || (size_t)bytes <= padding)
        return false;
    connection->key_bytes = (size_t)bytes - padding;
    memcpy(connection->key, decoded, connection->key_bytes);
    return true;
}

/* A client leaves the port out of Host when it is the scheme's own. */
static void host_set(struct connection *connection) {
    bool is_plain = strncmp(connection->endpoint, "http:", 5) == 0;
    const char *usual = is_plain ? ":80" : ":443";
    strcpy(connection->host, strstr(connection->endpoint, "://") + 3);
    size_t size = strlen(connection->host), usual_size = strlen(usual);
    if (size > usual_size && strcmp(connection->host + size - usual_size, usual) == 0)
        connection->host[size - usual_size] = 0;
}

const char *connection_parse(const char *text, struct connection *connection) {
    char url[CONNECTION_ENDPOINT_BYTES_MAX];
    size_t endpoint_size, key_size;
    const char *endpoint = part_find(text, "endpoint", &endpoint_size);
    const char *key = part_find(text, "accesskey", &key_size);
    *connection = (struct connection){.key_bytes = 0};
    if (endpoint == NULL || key == NULL)
        return "it is not of the form endpoint=https://host/;accesskey=...";
    if (endpoint_size >= sizeof url)
        return "its endpoint is too long";
    snprintf(url, sizeof url, "%.*s", (int)endpoint_size, endpoint);
    const char *wrong = access_endpoint_read(url, connection->endpoint, sizeof connection->endpoint);
    if (wrong != NULL)
        return wrong;
    if (!key_decode(key, key_size, connection))
        return "its access key is not base64";
    host_set(connection);
    return NULL;
}

static void base64(const unsigned char *data, size_t size, char *out) {
    EVP_EncodeBlock((unsigned char *)out, data, (int)size);
}

__attribute__((format(printf, 2, 3))) static struct curl_slist *header_add(struct curl_slist *headers,
                                                                           const char *format, ...) {
    char text[HEADER_BYTES_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return curl_slist_append(headers, text);
}

struct curl_slist *signing_headers(const struct connection *connection, struct curl_slist *headers, const char *method,
                                   const char *target, const char *body, time_t now) {
    unsigned char hash[HASH_BYTES];
    char content[BASE64_BYTES(HASH_BYTES)], signature[BASE64_BYTES(HASH_BYTES)], date[DATE_BYTES_MAX], *text = NULL;
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &utc);
    check(EVP_Digest(body, strlen(body), hash, NULL, EVP_sha256(), NULL) == 1);
    base64(hash, sizeof hash, content);
    int size = asprintf(&text, "%s\n%s\n%s;%s;%s", method, target, date, connection->host, content);
    check(size > 0);
    check(HMAC(EVP_sha256(), connection->key, (int)connection->key_bytes, (const unsigned char *)text, (size_t)size,
               hash, NULL) != NULL);
    free(text);
    base64(hash, sizeof hash, signature);
    headers = header_add(headers, "x-ms-date: %s", date);
    headers = header_add(headers, "x-ms-content-sha256: %s", content);
    return header_add(
        headers, "Authorization: HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature=%s", signature);
}
