#include "node/wish_writing.h"

#include <stdio.h>

#include "proto/check.h"
#include "proto/status.h"

#define PAUSED_NAME "balancing/paused"
#define SPLITS_NAME "splits/ranges" /* a decimal number */

void node_path_format(const char *folder, uint64_t node, char path[NODE_PATH_BYTES]) {
    char id[NODE_ID_TEXT_BYTES];
    node_id_format(node, id);
    int size = snprintf(path, NODE_PATH_BYTES, "%s/%s", folder, id);
    check(size > 0 && size < NODE_PATH_BYTES);
}

int placement_write(struct coordinator *coordinator, const struct placement *placement, uint64_t version) {
    char name[sizeof("placements/") + 8];
    struct buffer encoded;
    snprintf(name, sizeof(name), "placements/%05u", (unsigned)(placement->range % 100000));
    buffer_init(&encoded);
    placement_encode(placement, &encoded);
    int rc = coordinator_swap(coordinator, name, version, buffer_bytes(&encoded), NULL);
    buffer_close(&encoded);
    return rc;
}

int name_remove(struct coordinator *coordinator, const char *name) {
    struct arena arena;
    struct bytes value;
    uint64_t version;
    arena_init(&arena);
    int rc = coordinator_get(coordinator, name, &arena, &value, &version);
    arena_close(&arena);
    if (rc == STATUS_OK)
        rc = coordinator_remove(coordinator, name, version);
    return rc == STATUS_STORE_MISSING ? STATUS_OK : rc;
}

static int name_make(struct coordinator *coordinator, const char *name) {
    int rc = coordinator_swap(coordinator, name, 0, BYTES_LITERAL("1"), NULL);
    return rc == STATUS_CONFLICT ? STATUS_OK : rc;
}

/* Who holds it in sync now is whom the record can be led back to in one step. */
static int range_give_up(struct coordinator *coordinator, const struct cluster_range *range) {
    struct placement back = {.range = range->record.range, .primary = range->record.primary};
    for (size_t i = 0; i < range->record.in_sync_count; i++)
        back.holders[back.holders_count++] = range->record.in_sync[i];
    return placement_write(coordinator, &back, range->placement_version);
}

static int cancel(struct coordinator *coordinator, const struct cluster_facts *facts) {
    int rc = name_make(coordinator, PAUSED_NAME);
    for (size_t i = 0; i < facts->ranges_count && rc == STATUS_OK; i++)
        if (cluster_range_is_under_way(&facts->ranges[i]))
            rc = range_give_up(coordinator, &facts->ranges[i]);
    return rc;
}

static int splits_write(struct coordinator *coordinator, uint32_t ranges) {
    struct arena arena;
    struct bytes value;
    uint64_t version = 0;
    arena_init(&arena);
    int rc = coordinator_get(coordinator, SPLITS_NAME, &arena, &value, &version);
    if (rc == STATUS_OK || rc == STATUS_STORE_MISSING)
        rc = coordinator_swap(coordinator, SPLITS_NAME, version, arena_printf(&arena, "%u", (unsigned)ranges), NULL);
    arena_close(&arena);
    return rc;
}

int operator_wish_perform(struct coordinator *coordinator, const struct cluster_facts *facts,
                          const struct operator_wish *wish) {
    char path[NODE_PATH_BYTES];
    node_path_format("drains", wish->node, path);
    switch (wish->kind) {
    case WISH_PAUSE:
        return name_make(coordinator, PAUSED_NAME);
    case WISH_RESUME:
        return name_remove(coordinator, PAUSED_NAME);
    case WISH_CANCEL:
        return cancel(coordinator, facts);
    case WISH_MOVE:
        return placement_write(coordinator, &wish->placement, facts->ranges[wish->range].placement_version);
    case WISH_DRAIN:
        return name_make(coordinator, path);
    case WISH_STAY:
        return name_remove(coordinator, path);
    case WISH_SPLIT:
        return splits_write(coordinator, wish->ranges);
    }
    check(false);
    return STATUS_INTERNAL_ERROR;
}
