#pragma once
/* What the nodes of a cluster have in common through its secret: the master key, which lies in the coordinator as
 * `master-key`, sealed under a key derived from the secret, and the key by which nodes are admitted. So a joining node
 * needs only the coordinator and the secret, and whoever reads the coordinator's data has neither. The derivation is
 * Argon2id with a salt of the cluster (libsodium's crypto_pwhash, interactive limits: 64 MB, some 0.1 s), because
 * secrets are sometimes made by people. */
#include "node/coordinator/coordinator.h"
#include "proto/node_record.h"
#include "storage/seal.h"

#define CLUSTER_SECRET_CHARACTERS_MIN 32

struct cluster_keys {
    struct seal_key master;
    uint8_t admission_key[NODE_ADMISSION_KEY_BYTES]; /* node_record_admit */
};

/* The keys of the cluster. When it has no master key yet, ours becomes it (`own`; NULL: a new one of chance), so that a
 * node that was alone is the first of a cluster without losing anything. `secret` has at least
 * CLUSTER_SECRET_CHARACTERS_MIN bytes. STATUS_CONFLICT: the secret is not that of the cluster, or our master key is
 * another one; what the coordinator says otherwise. `reason` says what, in static text. */
int cluster_keys_open(struct coordinator *coordinator, struct bytes secret, const struct seal_key *own,
                      struct cluster_keys *keys, const char **reason);

/* Wipes them. */
void cluster_keys_close(struct cluster_keys *keys);
