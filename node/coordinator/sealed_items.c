#include "node/coordinator/sealed_items.h"

#include <stdio.h>

#include "node/log.h"
#include "proto/check.h"
#include "proto/status.h"

static void path_format(const struct sealed_items *self, struct bytes name, char path[COORDINATOR_NAME_BYTES_MAX]) {
    int size = snprintf(path, COORDINATOR_NAME_BYTES_MAX, "%s%.*s", self->folder, BYTES_ARG(name));
    check(size > 0 && size < COORDINATOR_NAME_BYTES_MAX);
}

static int item_open(const struct sealed_items *self, struct bytes path, struct bytes sealed, struct arena *arena,
                     struct bytes *plain) {
    return seal_open(self->master, STORE_META, path, sealed, arena, plain);
}

int sealed_item_get(const struct sealed_items *self, struct bytes name, struct arena *arena, struct bytes *plain,
                    uint64_t *version) {
    char path[COORDINATOR_NAME_BYTES_MAX];
    struct bytes sealed;
    path_format(self, name, path);
    int rc = coordinator_get(self->coordinator, path, arena, &sealed, version);
    return rc == STATUS_OK ? item_open(self, bytes_of_text(path), sealed, arena, plain) : rc;
}

int sealed_item_put(const struct sealed_items *self, struct bytes name, struct bytes plain, uint64_t *version) {
    char path[COORDINATOR_NAME_BYTES_MAX];
    struct buffer sealed;
    path_format(self, name, path);
    buffer_init(&sealed);
    seal_record(self->master, STORE_META, bytes_of_text(path), plain, &sealed);
    int rc = coordinator_swap(self->coordinator, path, *version, buffer_bytes(&sealed), version);
    buffer_close(&sealed);
    return rc;
}

int sealed_item_remove(const struct sealed_items *self, struct bytes name, uint64_t version) {
    char path[COORDINATOR_NAME_BYTES_MAX];
    path_format(self, name, path);
    return coordinator_remove(self->coordinator, path, version);
}

int sealed_items_list(const struct sealed_items *self, struct arena *arena, struct coordinator_item **items,
                      size_t *count) {
    struct coordinator_item *all;
    size_t all_count = 0;
    uint64_t revision;
    *count = 0;
    int rc = coordinator_list(self->coordinator, self->folder, arena, &all, &all_count, &revision);
    for (size_t i = 0; i < all_count && rc == STATUS_OK; i++) {
        struct bytes plain;
        if (item_open(self, all[i].name, all[i].value, arena, &plain) != STATUS_OK) {
            log_error("the record %.*s cannot be read", BYTES_ARG(all[i].name));
            continue;
        }
        all[*count] = all[i];
        all[(*count)++].value = plain;
    }
    *items = all;
    return rc;
}
