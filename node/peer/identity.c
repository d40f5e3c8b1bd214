#include "node/peer/identity.h"

#include <sodium.h>

#include "node/secret_file.h"
#include "proto/check.h"
#include "proto/status.h"

_Static_assert(crypto_sign_SEEDBYTES == SECRET_KEY_BYTES, "the file holds the seed");
_Static_assert(IDENTITY_PUBLIC_KEY_BYTES == crypto_sign_PUBLICKEYBYTES &&
                   IDENTITY_SECRET_KEY_BYTES == crypto_sign_SECRETKEYBYTES,
               "keys are libsodium's");

static const struct secret_key_file NODE_KEY_FILE = SECRET_KEY_FILE("node.key");

int identity_load(const char *folder, struct identity *identity, const char **reason) {
    uint8_t seed[SECRET_KEY_BYTES];
    check(sodium_init() >= 0);
    int rc = secret_key_load(folder, &NODE_KEY_FILE, seed, reason);
    if (rc == STATUS_OK)
        check(crypto_sign_seed_keypair(identity->public_key, identity->secret_key, seed) == 0);
    sodium_memzero(seed, sizeof(seed));
    return rc;
}

void identity_close(struct identity *identity) {
    sodium_memzero(identity, sizeof(*identity));
}
