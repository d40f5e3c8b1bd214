#include "node/cluster_keys.h"

#include <sodium.h>

#include "proto/check.h"
#include "proto/msgpack_codec.h"
#include "proto/status.h"

#define MASTER_KEY_NAME "master-key"
#define FORMAT 1
#define KDF_CONTEXT "weftclus"

_Static_assert(sizeof(KDF_CONTEXT) - 1 == crypto_kdf_CONTEXTBYTES, "libsodium wants it that long");

/* The stored form. */
struct master_row {
    uint32_t format;
    struct bytes salt;
    struct bytes sealed; /* as a record of the table of meta rows */
};

static const struct codec_field master_fields[] = {
    CODEC_MEMBER(1, CODEC_U32, struct master_row, format),
    CODEC_MEMBER(2, CODEC_BYTES, struct master_row, salt),
    CODEC_MEMBER(3, CODEC_BYTES, struct master_row, sealed),
};
static const struct codec_table MASTER_TABLE = CODEC_TABLE(struct master_row, master_fields);

enum subkey { SUBKEY_SEAL = 1, SUBKEY_ADMISSION = 2 };

/* Fills the admission key, and gives the key that seals the master key. */
static int secret_derive(struct bytes secret, const uint8_t salt[crypto_pwhash_SALTBYTES], struct cluster_keys *keys,
                         struct seal_key *seal, const char **reason) {
    uint8_t root[crypto_kdf_KEYBYTES];
    if (crypto_pwhash(root, sizeof(root), (const char *)secret.data, secret.size, salt,
                      crypto_pwhash_OPSLIMIT_INTERACTIVE, crypto_pwhash_MEMLIMIT_INTERACTIVE,
                      crypto_pwhash_ALG_ARGON2ID13) != 0) {
        *reason = "there are no 64 MB of memory to derive the keys of the cluster secret";
        return STATUS_INTERNAL_ERROR;
    }
    check(crypto_kdf_derive_from_key(seal->bytes, sizeof(seal->bytes), SUBKEY_SEAL, KDF_CONTEXT, root) == 0);
    check(crypto_kdf_derive_from_key(keys->admission_key, sizeof(keys->admission_key), SUBKEY_ADMISSION, KDF_CONTEXT,
                                     root) == 0);
    sodium_memzero(root, sizeof(root));
    return STATUS_OK;
}

static int row_open(struct bytes stored, struct bytes secret, struct arena *arena, struct cluster_keys *keys,
                    const char **reason) {
    struct master_row row;
    struct seal_key seal;
    struct bytes plain = BYTES_ABSENT;
    *reason = "the master key in the coordinator is damaged";
    if (codec_decode(&MASTER_TABLE, stored, arena, &row) != STATUS_OK || row.salt.size != crypto_pwhash_SALTBYTES)
        return STATUS_RECORD_CORRUPT;
    if (row.format != FORMAT) {
        *reason = "the master key in the coordinator was written by a newer version";
        return STATUS_CONFLICT;
    }
    int rc = secret_derive(secret, row.salt.data, keys, &seal, reason);
    if (rc != STATUS_OK)
        return rc;
    rc = seal_open(&seal, STORE_META, BYTES_LITERAL(MASTER_KEY_NAME), row.sealed, arena, &plain);
    sodium_memzero(&seal, sizeof(seal));
    if (rc != STATUS_OK || plain.size != sizeof(keys->master.bytes)) {
        *reason = "the secret in cluster_secret_file is not the one of this cluster";
        return STATUS_CONFLICT;
    }
    memcpy(keys->master.bytes, plain.data, plain.size);
    return STATUS_OK;
}

static int row_make(struct bytes secret, const struct seal_key *own, struct cluster_keys *keys, struct buffer *encoded,
                    const char **reason) {
    uint8_t salt[crypto_pwhash_SALTBYTES];
    struct seal_key seal;
    struct buffer sealed;
    randombytes_buf(salt, sizeof(salt));
    randombytes_buf(keys->master.bytes, sizeof(keys->master.bytes));
    if (own != NULL)
        keys->master = *own;
    int rc = secret_derive(secret, salt, keys, &seal, reason);
    if (rc != STATUS_OK)
        return rc;
    buffer_init(&sealed);
    seal_record(&seal, STORE_META, BYTES_LITERAL(MASTER_KEY_NAME),
                bytes_of(keys->master.bytes, sizeof(keys->master.bytes)), &sealed);
    struct master_row row = {.format = FORMAT, .salt = bytes_of(salt, sizeof(salt)), .sealed = buffer_bytes(&sealed)};
    codec_encode(&MASTER_TABLE, &row, encoded);
    buffer_close(&sealed);
    sodium_memzero(&seal, sizeof(seal));
    return STATUS_OK;
}

/* STATUS_CONFLICT: somebody else was faster, or we were and did not hear of it. */
static int keys_publish(struct coordinator *coordinator, struct bytes secret, const struct seal_key *own,
                        struct cluster_keys *keys, const char **reason) {
    struct buffer encoded;
    buffer_init(&encoded);
    int rc = row_make(secret, own, keys, &encoded, reason);
    if (rc == STATUS_OK) {
        *reason = "the master key cannot be stored in the coordinator";
        rc = coordinator_swap(coordinator, MASTER_KEY_NAME, 0, buffer_bytes(&encoded), NULL);
    }
    buffer_close(&encoded);
    return rc;
}

static int keys_get(struct coordinator *coordinator, struct bytes secret, const struct seal_key *own,
                    struct arena *arena, struct cluster_keys *keys, const char **reason) {
    struct bytes stored;
    uint64_t version;
    int rc = coordinator_get(coordinator, MASTER_KEY_NAME, arena, &stored, &version);
    *reason = rc == STATUS_FORBIDDEN ? "the coordinator does not let this node in" : "the coordinator does not answer";
    if (rc != STATUS_OK)
        return rc;
    rc = row_open(stored, secret, arena, keys, reason);
    if (rc == STATUS_OK && own != NULL && sodium_memcmp(own->bytes, keys->master.bytes, sizeof(own->bytes)) != 0) {
        *reason = "master.key is not the one of this cluster; a node with data of its own cannot join another";
        rc = STATUS_CONFLICT;
    }
    return rc;
}

int cluster_keys_open(struct coordinator *coordinator, struct bytes secret, const struct seal_key *own,
                      struct cluster_keys *keys, const char **reason) {
    struct arena arena;
    check(secret.size >= CLUSTER_SECRET_CHARACTERS_MIN);
    arena_init(&arena);
    int rc = keys_get(coordinator, secret, own, &arena, keys, reason);
    if (rc == STATUS_STORE_MISSING) {
        rc = keys_publish(coordinator, secret, own, keys, reason);
        /* The one who came first, who may be us, has made the key. */
        if (rc == STATUS_CONFLICT)
            rc = keys_get(coordinator, secret, own, &arena, keys, reason);
    }
    arena_close(&arena);
    if (rc != STATUS_OK)
        cluster_keys_close(keys);
    return rc;
}

void cluster_keys_close(struct cluster_keys *keys) {
    sodium_memzero(keys, sizeof(*keys));
}
