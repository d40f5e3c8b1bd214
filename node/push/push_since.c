#include "node/push/push_since.h"

#include <inttypes.h>

#include "node/log.h"
#include "proto/status.h"

#define NAME "push/since"
#define AHEAD_MS_MAX (5 * 60 * 1000) /* as far as clocks of nodes may differ */

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

/* One that nobody can read, or that a wrong clock has made, would keep devices from being told for good. */
static bool has_to_be_made(int rc, int64_t since_ms, int64_t now_ms) {
    if (rc == STATUS_RECORD_CORRUPT)
        log_error("push/since cannot be read; devices are told of what happens from now on");
    else if (rc == STATUS_OK && since_ms > now_ms + AHEAD_MS_MAX)
        log_warning("push/since is %" PRId64 " s ahead of this node's clock; devices are told of what happens from now "
                    "on",
                    (since_ms - now_ms) / 1000);
    else
        return rc == STATUS_STORE_MISSING;
    return true;
}

int push_since_get(struct coordinator *coordinator, int64_t now_ms, int64_t *since_ms) {
    struct arena arena;
    uint64_t version;
    arena_init(&arena);
    int rc = since_read(coordinator, &arena, since_ms, &version);
    if (has_to_be_made(rc, *since_ms, now_ms)) {
        version = rc == STATUS_STORE_MISSING ? 0 : version;
        rc = coordinator_swap(coordinator, NAME, version, arena_printf(&arena, "%" PRId64, now_ms), NULL);
        if (rc == STATUS_OK)
            log_info("devices are told of what happens from now on");
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
    if (rc == STATUS_OK || rc == STATUS_RECORD_CORRUPT) {
        rc = coordinator_remove(coordinator, NAME, version);
        log_info("devices are told nothing until push is switched on again");
    }
    arena_close(&arena);
    return rc == STATUS_STORE_MISSING || rc == STATUS_CONFLICT ? STATUS_OK : rc;
}
