#include "node/push/push_key.h"

#include <sodium.h>

#include "proto/msgpack_codec.h"
#include "proto/status.h"

#define NAME "push/vapid"

/* What is stored. */
struct record {
    struct bytes secret;
    int64_t created_ms;
};

static const struct codec_field FIELDS[] = {
    CODEC_MEMBER(1, CODEC_BYTES, struct record, secret),
    CODEC_MEMBER(2, CODEC_I64, struct record, created_ms),
};
static const struct codec_table RECORD_TABLE = CODEC_TABLE(struct record, FIELDS);

static int key_read(struct coordinator *coordinator, const struct seal_key *master, struct arena *arena,
                    struct push_key *key) {
    struct bytes sealed, plain;
    struct record record;
    uint64_t version;
    int rc = coordinator_get(coordinator, NAME, arena, &sealed, &version);
    if (rc == STATUS_OK)
        rc = seal_open(master, STORE_META, BYTES_LITERAL(NAME), sealed, arena, &plain);
    if (rc != STATUS_OK)
        return rc;
    rc = codec_decode(&RECORD_TABLE, plain, arena, &record);
    bool is_key = rc == STATUS_OK && record.secret.size == ELLIPTIC_SECRET_BYTES &&
                  elliptic_from_secret(record.secret.data, &key->vapid);
    key->created_ms = record.created_ms;
    return is_key ? STATUS_OK : STATUS_RECORD_CORRUPT;
}

static int key_make(struct coordinator *coordinator, const struct seal_key *master, int64_t now_ms) {
    struct elliptic_key made;
    struct buffer plain, sealed;
    elliptic_make(&made);
    struct record record = {.secret = bytes_of(made.secret, sizeof(made.secret)), .created_ms = now_ms};
    buffer_init(&plain);
    buffer_init(&sealed);
    codec_encode(&RECORD_TABLE, &record, &plain);
    seal_record(master, STORE_META, BYTES_LITERAL(NAME), buffer_bytes(&plain), &sealed);
    int rc = coordinator_swap(coordinator, NAME, 0, buffer_bytes(&sealed), NULL);
    buffer_close(&sealed);
    sodium_memzero(plain.data, plain.size);
    buffer_close(&plain);
    sodium_memzero(&made, sizeof(made));
    return rc == STATUS_CONFLICT ? STATUS_OK : rc; /* somebody else was first */
}

int push_key_get(struct coordinator *coordinator, const struct seal_key *master, int64_t now_ms, struct push_key *key) {
    struct arena arena;
    arena_init(&arena);
    int rc = key_read(coordinator, master, &arena, key);
    if (rc == STATUS_STORE_MISSING) {
        rc = key_make(coordinator, master, now_ms);
        if (rc == STATUS_OK)
            rc = key_read(coordinator, master, &arena, key);
    }
    arena_close(&arena);
    return rc;
}
