#pragma once
/* What a cluster agreed on when it was created and every node must know alike: its resource, keys, number of ranges.
 * Made at first start, kept by the coordinator, sealed under the master key. */
#include "node/coordinator/coordinator.h"
#include "proto/access_key.h"
#include "proto/ids.h"
#include "proto/token.h"
#include "proto/trouter.h"
#include "storage/seal.h"

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

/* Where settings lie: in a coordinator, sealed by it, or, with `seal`, by us: etcd keeps what it is given. */
struct settings_place {
    struct coordinator *coordinator;
    const struct seal_key *seal; /* NULL: the coordinator seals */
};

/* Loads the stored settings, or makes them at first start. Given access keys replace stored ones. STATUS_CONFLICT with
 * `reason`: another resource id than the stored one is wished. */
int settings_load(const struct settings_place *place, const struct settings_wishes *wishes, struct arena *arena,
                  struct settings *settings, const char **reason);

/* The stored number of ranges; 0 when no settings are stored or they do not open. Makes nothing. */
uint32_t settings_range_count(const struct settings_place *place);

/* For a node that becomes the first of a cluster: its settings are the cluster's, unless there are some.
 * STATUS_CONFLICT with `reason`: there are some, and they are of another cluster than the node's. */
int settings_publish(const struct settings_place *own, const struct settings_place *cluster, const char **reason);
/* Keeps the cluster's settings in the node's own store as well: for tools that look at the data folder. */
int settings_keep(const struct settings_place *cluster, const struct settings_place *own, const char **reason);
