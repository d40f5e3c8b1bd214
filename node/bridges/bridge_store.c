#include "node/bridges/bridge_store.h"

#include <stdio.h>

#include "node/log.h"
#include "proto/check.h"

_Static_assert(sizeof(BRIDGES_FOLDER) - 1 + BRIDGE_NAME_BYTES_MAX < COORDINATOR_NAME_BYTES_MAX, "names fit");

static void path_format(struct bytes name, char path[COORDINATOR_NAME_BYTES_MAX]) {
    check(bridge_name_is_valid(name));
    snprintf(path, COORDINATOR_NAME_BYTES_MAX, BRIDGES_FOLDER "%.*s", BYTES_ARG(name));
}

int bridge_store_get(struct coordinator *coordinator, struct bytes name, struct arena *arena, struct bridge *bridge,
                     uint64_t *version) {
    char path[COORDINATOR_NAME_BYTES_MAX];
    struct bytes stored;
    path_format(name, path);
    int rc = coordinator_get(coordinator, path, arena, &stored, version);
    if (rc == STATUS_OK && bridge_decode(stored, arena, bridge) != STATUS_OK)
        rc = STATUS_RECORD_CORRUPT;
    return rc;
}

int bridge_store_put(struct coordinator *coordinator, const struct bridge *bridge, struct arena *arena,
                     uint64_t version) {
    char path[COORDINATOR_NAME_BYTES_MAX];
    path_format(bridge->name, path);
    return coordinator_swap(coordinator, path, version, json_text_take(arena, bridge_to_json(bridge)), NULL);
}

int bridge_store_remove(struct coordinator *coordinator, struct bytes name, uint64_t version) {
    char path[COORDINATOR_NAME_BYTES_MAX];
    path_format(name, path);
    return coordinator_remove(coordinator, path, version);
}

int bridge_store_list(struct coordinator *coordinator, struct arena *arena, struct bridge **bridges, size_t *count,
                      uint64_t *revision) {
    struct coordinator_item *items;
    size_t items_count;
    *count = 0;
    int rc = coordinator_list(coordinator, BRIDGES_FOLDER, arena, &items, &items_count, revision);
    if (rc != STATUS_OK)
        return rc;
    *bridges = ARENA_NEW_ARRAY(arena, struct bridge, items_count);
    for (size_t i = 0; i < items_count; i++) {
        if (bridge_decode(items[i].value, arena, &(*bridges)[*count]) == STATUS_OK)
            ++*count;
        else
            log_error("the record %.*s cannot be read", BYTES_ARG(items[i].name));
    }
    return STATUS_OK;
}
