#pragma once
/* A device of a user that is told of messages while she has no session: as it registers, in the form of browsers'
 * PushSubscription (`{endpoint, expirationTime, keys: {p256dh, auth}}`) or in that of the official mobile SDKs
 * (contract 13), and as it goes into commands and rows. Whether anything may be sent to the endpoint is node/push's to
 * say. */
#include <jansson.h>

#include "proto/msgpack_codec.h"
#include "proto/problem.h"

#define PUSH_ENDPOINT_BYTES_MAX 2048
#define PUSH_TOKEN_BYTES_MAX 1024 /* of a device; those of FCM are below 300, of APNs 64 */
#define PUSH_ID_BYTES_MAX 128     /* a UUID is 36 */
#define PUSH_PUBLIC_KEY_BYTES 65  /* an uncompressed point of P-256 */
#define PUSH_AUTH_BYTES 16        /* RFC 8291, section 3.2 */
#define PUSH_MOBILE_KEY_BYTES 32  /* contract 13 */
#define PUSH_TTL_S_DEFAULT 2700   /* of a mobile registration; contract 13 */
#define PUSH_TTL_S_MAX 604800

enum push_transport { PUSH_WEB = 1, PUSH_FCM = 2, PUSH_APNS = 3 };

struct push_registration {
    struct bytes id; /* among the user's registrations */
    enum push_transport transport;
    struct bytes address;      /* endpoint, or token of the device */
    struct bytes public_key;   /* PUSH_WEB */
    struct bytes auth;         /* PUSH_WEB */
    struct bytes aes_key;      /* absent, as auth_key: payloads go as they are */
    struct bytes auth_key;     /* with aes_key */
    int64_t created_ms;        /* when it was made, or renewed */
    int64_t expires_ms;        /* 0: when it is refused */
    struct bytes display_name; /* how the user calls the device; may be absent */
};

extern const struct codec_table PUSH_REGISTRATION_TABLE;

/* STATUS_MALFORMED: of no kind, or with keys of other sizes than these. */
int push_registration_check(const struct push_registration *registration);

/* A browser's. The id is made of the endpoint. Refuses with STATUS_BAD_REQUEST or STATUS_VALIDATION_ERROR. Everything
 * is in the arena. */
int push_subscription_parse(struct arena *arena, struct bytes body, int64_t now_ms,
                            struct push_registration *registration, struct problem *problem);

/* A mobile SDK's; refusals as above. */
int push_device_parse(struct arena *arena, struct bytes body, int64_t now_ms, struct push_registration *registration,
                      struct problem *problem);

/* What its owner is shown: no keys, no token, and of the endpoint only the host. */
json_t *push_registration_json(const struct push_registration *registration);
