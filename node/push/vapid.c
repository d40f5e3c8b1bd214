#include "node/push/vapid.h"

#include "node/push/json_web_token.h"
#include "proto/json_tree.h"

#define VALID_S (12 * 3600) /* RFC 8292, section 2: 24 h at most */

struct bytes vapid_origin(struct bytes url) {
    size_t slashes = 0, size = 0;
    for (; size < url.size; size++) {
        slashes += url.data[size] == '/';
        if (slashes == 3 || url.data[size] == '?' || url.data[size] == '#')
            break;
    }
    return bytes_of(url.data, size);
}

struct bytes vapid_authorization(const struct elliptic_key *key, struct bytes endpoint, struct bytes contact,
                                 int64_t now_s, struct arena *arena) {
    json_t *claims = json_object_new();
    json_text_set(claims, "aud", vapid_origin(endpoint));
    json_member_set(claims, "exp", json_integer(now_s + VALID_S));
    if (contact.size > 0)
        json_text_set(claims, "sub", contact);
    struct bytes token = json_web_token_es256(key, BYTES_ABSENT, claims, arena);
    struct bytes point = base64url_encode(bytes_of(key->point, sizeof(key->point)), arena);
    return arena_printf(arena, "vapid t=%.*s, k=%.*s", BYTES_ARG(token), BYTES_ARG(point));
}
