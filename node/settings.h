#pragma once
/* What a cluster agreed on when it was created and every node must know alike: its resource, keys, number of ranges.
 * Made at first start, kept by the coordinator, sealed under the master key. */
#include "node/coordinator/coordinator.h"
#include "proto/access_key.h"
#include "proto/ids.h"
#include "proto/token.h"
#include "proto/trouter.h"

struct settings {
    char resource_id[40];
    uint32_t range_count;
    uint8_t hash_key[ID_HASH_KEY_BYTES];
    uint8_t token_seed[TOKEN_SEED_BYTES];
    uint8_t ticket_key[TROUTER_TICKET_KEY_BYTES];
    uint8_t thread_id_key[32]; /* keyed hash of creator and repeatability id gives the thread's id */
    struct bytes primary_key;  /* decoded access keys, in the arena */
    struct bytes secondary_key;
    struct bytes admin_token; /* text */
};

struct settings_wishes {
    const char *resource_id;        /* "": whatever is stored, or made */
    const char *access_key_primary; /* base64; "": likewise */
    const char *access_key_secondary;
    uint32_t range_count; /* counts at creation only */
};

/* Loads the stored settings, or makes them at first start. Given access keys replace stored ones. STATUS_CONFLICT with
 * `reason`: another resource id than the stored one is wished. */
int settings_load(struct coordinator *coordinator, const struct settings_wishes *wishes, struct arena *arena,
                  struct settings *settings, const char **reason);

/* The stored number of ranges; 0 when no settings are stored or they do not open. Makes nothing. */
uint32_t settings_range_count(struct coordinator *coordinator);
