#include "node/push/push_since.h"

#include <inttypes.h>

#include "proto/status.h"

#define NAME "push/since"

static int since_read(struct coordinator *coordinator, struct arena *arena, int64_t *since_ms, uint64_t *version) {
    struct bytes value;
    uint64_t number = 0;
    int rc = coordinator_get(coordinator, NAME, arena, &value, version);
    for (size_t i = 0; rc == STATUS_OK && i < value.size; i++) {
        bool is_digit = value.data[i] >= '0' && value.data[i] <= '9' && number < INT64_MAX / 100;
        if (!is_digit)
            return STATUS_RECORD_CORRUPT;
        number = number * 10 + (uint64_t)(value.data[i] - '0');
    }
    *since_ms = (int64_t)number;
    return rc;
}

int push_since_get(struct coordinator *coordinator, int64_t now_ms, int64_t *since_ms) {
    struct arena arena;
    uint64_t version;
    arena_init(&arena);
    int rc = since_read(coordinator, &arena, since_ms, &version);
    if (rc == STATUS_STORE_MISSING) {
        rc = coordinator_swap(coordinator, NAME, 0, arena_printf(&arena, "%" PRId64, now_ms), NULL);
        if (rc == STATUS_OK || rc == STATUS_CONFLICT) /* somebody else was first */
            rc = since_read(coordinator, &arena, since_ms, &version);
    }
    arena_close(&arena);
    return rc;
}

int push_since_forget(struct coordinator *coordinator) {
    struct arena arena;
    int64_t since_ms;
    uint64_t version;
    arena_init(&arena);
    int rc = since_read(coordinator, &arena, &since_ms, &version);
    if (rc == STATUS_OK || rc == STATUS_RECORD_CORRUPT)
        rc = coordinator_remove(coordinator, NAME, version);
    arena_close(&arena);
    return rc == STATUS_STORE_MISSING || rc == STATUS_CONFLICT ? STATUS_OK : rc;
}
