#include "storage/sealed_row.h"

#include "proto/status.h"

int sealed_row_open(const struct seal_key *seal_key, enum store_table table, struct bytes key, struct bytes sealed,
                    const struct codec_table *codec, struct arena *arena, void *row) {
    struct bytes plain;
    int rc = seal_open(seal_key, table, key, sealed, arena, &plain);
    if (rc != STATUS_OK)
        return rc;
    return codec_decode(codec, plain, arena, row) == STATUS_OK ? STATUS_OK : STATUS_RECORD_CORRUPT;
}

int sealed_row_get(struct store_transaction *transaction, const struct seal_key *seal_key, enum store_table table,
                   const struct key *key, const struct codec_table *codec, struct arena *arena, void *row) {
    struct bytes sealed;
    int rc = store_get(transaction, table, key_bytes(key), &sealed);
    return rc == STATUS_OK ? sealed_row_open(seal_key, table, key_bytes(key), sealed, codec, arena, row) : rc;
}

int sealed_row_put(struct store_transaction *transaction, const struct seal_key *seal_key, enum store_table table,
                   const struct key *key, const struct codec_table *codec, const void *row) {
    struct buffer plain;
    buffer_init(&plain);
    codec_encode(codec, row, &plain);
    int rc = sealed_put(transaction, seal_key, table, key_bytes(key), buffer_bytes(&plain));
    buffer_close(&plain);
    return rc;
}
