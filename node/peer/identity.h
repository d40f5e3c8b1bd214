#pragma once
/* What makes a node known to the others: its Ed25519 key pair, kept in its data folder. proto/node_record.h has the
 * proof that whoever holds the cluster secret has admitted the public key under the node's id. */
#include "proto/bytes.h"

#define IDENTITY_PUBLIC_KEY_BYTES 32
#define IDENTITY_SECRET_KEY_BYTES 64

struct identity {
    uint8_t public_key[IDENTITY_PUBLIC_KEY_BYTES];
    uint8_t secret_key[IDENTITY_SECRET_KEY_BYTES];
};

/* Reads folder/node.key (the seed, 64 hexadecimal digits), or makes it with a new one, mode 0600, synced.
 * STATUS_CONFLICT: the file is there but holds no key, or others may read it; STATUS_STORAGE_FAILED otherwise. `reason`
 * says what. */
int identity_load(const char *folder, struct identity *identity, const char **reason);
/* Wipes the keys. */
void identity_close(struct identity *identity);
