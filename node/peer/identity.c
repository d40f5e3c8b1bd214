#include "node/peer/identity.h"

#include <sodium.h>

#include "node/peer/big_endian.h"
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

void identity_admission_make(struct bytes secret, uint64_t node, const uint8_t public_key[IDENTITY_PUBLIC_KEY_BYTES],
                             uint8_t admission[IDENTITY_ADMISSION_BYTES]) {
    static const char purpose[] = "weft admission of a node";
    uint8_t key[crypto_generichash_KEYBYTES];
    uint8_t id[8];
    crypto_generichash_state hash;
    check(secret.size > 0);
    /* Hashed first: a secret may be longer than a key can be. */
    check(crypto_generichash(key, sizeof(key), secret.data, secret.size, NULL, 0) == 0);
    store_u64(id, node);
    crypto_generichash_init(&hash, key, sizeof(key), IDENTITY_ADMISSION_BYTES);
    crypto_generichash_update(&hash, (const uint8_t *)purpose, sizeof(purpose));
    crypto_generichash_update(&hash, id, sizeof(id));
    crypto_generichash_update(&hash, public_key, IDENTITY_PUBLIC_KEY_BYTES);
    crypto_generichash_final(&hash, admission, IDENTITY_ADMISSION_BYTES);
    sodium_memzero(key, sizeof(key));
    sodium_memzero(&hash, sizeof(hash));
}

bool identity_is_admitted(struct bytes secret, uint64_t node, const uint8_t public_key[IDENTITY_PUBLIC_KEY_BYTES],
                          struct bytes admission) {
    uint8_t expected[IDENTITY_ADMISSION_BYTES];
    if (admission.size != sizeof(expected))
        return false;
    identity_admission_make(secret, node, public_key, expected);
    return sodium_memcmp(expected, admission.data, sizeof(expected)) == 0;
}
