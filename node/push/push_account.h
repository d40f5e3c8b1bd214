#pragma once
/* The operator's accounts at the push services of mobile devices: a Google service account for FCM (HTTP v1), a signing
 * key of Apple's for APNs. Read from files at the start; the tokens made of them are short-lived. */
#include <jansson.h>

#include "node/push/elliptic.h"

struct push_account {
    struct bytes fcm_url; /* absent: no account; "https://host" */
    struct bytes project;
    struct bytes email;
    struct bytes key_id;
    struct bytes key; /* PEM */
    struct bytes token_url;
    struct bytes apns_url; /* absent: no account */
    struct elliptic_key apns_key;
    struct bytes apns_key_id;
    struct bytes team_id;
    struct bytes apns_topic; /* of the app */
};

struct push_account_files {
    const char *fcm_account_file, *fcm_url;
    const char *apns_key_file, *apns_url, *apns_key_id, *apns_team_id, *apns_topic; /* files: "": no account */
};

/* STATUS_VALIDATION_ERROR, and `reason` says which file is wrong and how. Everything is in the arena. */
int push_account_load(const struct push_account_files *files, struct arena *arena, struct push_account *account,
                      struct bytes *reason);

#define PUSH_FCM_TOKEN_S 3600

/* The body of the request to `token_url` for an access token (RFC 7523); absent: the key is none. */
struct bytes push_account_grant(const struct push_account *account, int64_t now_s, struct arena *arena);
/* False: the answer gives none. */
bool push_account_granted(struct bytes answer, struct arena *arena, struct bytes *token, int64_t *lasts_s);

/* What requests to APNs show; valid for an hour, and not to be made anew within 20 minutes. */
struct bytes push_account_apns_token(const struct push_account *account, int64_t now_s, struct arena *arena);
