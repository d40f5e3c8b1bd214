#pragma once
/* The signed tokens by which push services know this cluster: VAPID (RFC 8292) and APNs by ES256, a Google service
 * account by RS256 (RFC 7515). Pure. */
#include <jansson.h>

#include "node/push/elliptic.h"

/* Base64url without padding, in the arena. */
struct bytes base64url_encode(struct bytes value, struct arena *arena);

/* Take `claims`. `key_id`: of the header; absent: none. */
struct bytes json_web_token_es256(const struct elliptic_key *key, struct bytes key_id, json_t *claims,
                                  struct arena *arena);
/* Absent: `pem` is no private RSA key. */
struct bytes json_web_token_rs256(struct bytes pem, struct bytes key_id, json_t *claims, struct arena *arena);
