#pragma once
/* Requests signed with the resource's access key: HMAC-SHA256 over method, target, date, host and body hash
 * (contract 2.1). Verifies; also signs, for the bench tool and tests. */
#include "proto/arena.h"
#include "proto/bytes.h"

struct signed_request {
    struct bytes method;         /* as on the request line, upper case */
    struct bytes target;         /* raw request target, as sent: path and query, not decoded */
    struct bytes authorization;  /* header values; absent when the header is missing */
    struct bytes date;           /* x-ms-date */
    struct bytes host;           /* Host, with port when the client sent one */
    struct bytes content_sha256; /* x-ms-content-sha256 */
    struct bytes bridge;         /* x-weft-bridge and */
    struct bytes acting_as;      /* x-weft-acting-as, which must be signed, too; absent, both: neither may be */
    struct bytes body;
};

struct access_keys {
    struct bytes primary;   /* decoded bytes */
    struct bytes secondary; /* absent: only one key */
};

/* STATUS_UNAUTHORIZED with a sentence in `reason` (static text): scheme, missing header, SignedHeaders without one
 * that must be signed, body hash, date further than `skew_ms` from `now_ms`, signature. Compares in constant time. */
int access_key_verify(const struct access_keys *keys, const struct signed_request *request, int64_t now_ms,
                      int64_t skew_ms, const char **reason);

struct request_signature {
    struct bytes date; /* RFC 1123 */
    struct bytes content_sha256;
    struct bytes authorization;
};

/* Signs as the official clients do. Results are in the arena. */
void access_key_sign(struct arena *arena, struct bytes key, struct bytes method, struct bytes target, struct bytes host,
                     struct bytes body, int64_t now_ms, struct request_signature *signature);

/* "endpoint=https://host/;accesskey=<base64>", names in any case, any order. False: not of that form. Endpoint without
 * a trailing slash; the key decoded. */
bool connection_string_parse(struct arena *arena, struct bytes text, struct bytes *endpoint, struct bytes *key);
