#include "node/coordinator/local.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto/check.h"
#include "proto/status.h"
#include "storage/keys.h"

struct coordinator_local {
    struct coordinator coordinator;
    struct store *store;
    const struct seal_key *master;
};

static struct key key_of_name(const char *name) {
    struct key key = {.size = 0};
    int size = snprintf((char *)key.data, sizeof(key.data), "coordinator/%s", name);
    check(size > 0 && (size_t)size < sizeof(key.data));
    key.size = (size_t)size;
    return key;
}

/* Stored form: version (8) | value. */
static int row_get(struct coordinator_local *self, struct store_transaction *transaction, const char *name,
                   struct arena *arena, struct bytes *value, uint64_t *version) {
    struct key key = key_of_name(name);
    struct bytes plain;
    int rc = sealed_get(transaction, self->master, STORE_META, key_bytes(&key), arena, &plain);
    if (rc != STATUS_OK)
        return rc;
    if (plain.size < 8)
        return STATUS_RECORD_CORRUPT;
    *version = number_decode(plain.data);
    *value = bytes_of(plain.data + 8, plain.size - 8);
    return STATUS_OK;
}

static int local_get(struct coordinator *coordinator, const char *name, struct arena *arena, struct bytes *value,
                     uint64_t *version) {
    struct coordinator_local *self = (struct coordinator_local *)coordinator;
    struct store_transaction *transaction = NULL;
    int rc = store_begin_read(self->store, &transaction);
    if (rc != STATUS_OK)
        return rc;
    rc = row_get(self, transaction, name, arena, value, version);
    store_abort(transaction);
    return rc;
}

static int local_swap(struct coordinator *coordinator, const char *name, uint64_t version, struct bytes value) {
    struct coordinator_local *self = (struct coordinator_local *)coordinator;
    struct store_transaction *transaction = NULL;
    struct arena arena;
    struct bytes stored;
    uint64_t stored_version = 0;
    arena_init(&arena);
    int rc = store_begin_write(self->store, &transaction);
    if (rc != STATUS_OK)
        goto close_arena;
    rc = row_get(self, transaction, name, &arena, &stored, &stored_version);
    if (rc == STATUS_STORE_MISSING)
        rc = STATUS_OK;
    if (rc == STATUS_OK && stored_version != version)
        rc = STATUS_CONFLICT;
    if (rc == STATUS_OK) {
        struct key key = key_of_name(name);
        uint8_t *plain = arena_alloc(&arena, value.size + 8);
        number_encode(plain, version + 1);
        if (value.size > 0)
            memcpy(plain + 8, value.data, value.size);
        rc = sealed_put(transaction, self->master, STORE_META, key_bytes(&key), bytes_of(plain, value.size + 8));
    }
    if (rc == STATUS_OK)
        rc = store_commit(transaction);
    else
        store_abort(transaction);
close_arena:
    arena_close(&arena);
    return rc;
}

static void local_close(struct coordinator *coordinator) {
    free(coordinator);
}

static const struct coordinator_methods local_methods = {.get = local_get, .swap = local_swap, .close = local_close};

struct coordinator *coordinator_local_new(struct store *store, const struct seal_key *master) {
    struct coordinator_local *self = calloc(1, sizeof(*self));
    check(self != NULL);
    self->coordinator.methods = &local_methods;
    self->store = store;
    self->master = master;
    return &self->coordinator;
}
