#include "node/events/subscription_store.h"

#include <stdio.h>

#include "node/log.h"
#include "proto/check.h"
#include "proto/status.h"

#define FOLDER "subscriptions/"

_Static_assert(sizeof(FOLDER) - 1 + SUBSCRIPTION_NAME_BYTES_MAX < COORDINATOR_NAME_BYTES_MAX, "names fit");

static void path_format(struct bytes name, char path[COORDINATOR_NAME_BYTES_MAX]) {
    check(event_subscription_name_is_valid(name));
    snprintf(path, COORDINATOR_NAME_BYTES_MAX, FOLDER "%.*s", BYTES_ARG(name));
}

static int record_open(const struct subscription_store *self, struct bytes path, struct bytes sealed,
                       struct arena *arena, struct event_subscription *subscription) {
    struct bytes plain;
    int rc = seal_open(self->master, STORE_META, path, sealed, arena, &plain);
    if (rc == STATUS_OK && event_subscription_decode(plain, arena, subscription) != STATUS_OK)
        rc = STATUS_RECORD_CORRUPT;
    return rc;
}

int subscription_store_get(const struct subscription_store *self, struct bytes name, struct arena *arena,
                           struct event_subscription *subscription, uint64_t *version) {
    char path[COORDINATOR_NAME_BYTES_MAX];
    struct bytes sealed;
    path_format(name, path);
    int rc = coordinator_get(self->coordinator, path, arena, &sealed, version);
    return rc == STATUS_OK ? record_open(self, bytes_of_text(path), sealed, arena, subscription) : rc;
}

int subscription_store_put(const struct subscription_store *self, const struct event_subscription *subscription,
                           struct arena *arena, uint64_t *version) {
    char path[COORDINATOR_NAME_BYTES_MAX];
    struct buffer sealed;
    path_format(subscription->name, path);
    buffer_init(&sealed);
    seal_record(self->master, STORE_META, bytes_of_text(path), event_subscription_encode(subscription, arena), &sealed);
    int rc = coordinator_swap(self->coordinator, path, *version, buffer_bytes(&sealed), version);
    buffer_close(&sealed);
    return rc;
}

int subscription_store_remove(const struct subscription_store *self, struct bytes name, uint64_t version) {
    char path[COORDINATOR_NAME_BYTES_MAX];
    path_format(name, path);
    return coordinator_remove(self->coordinator, path, version);
}

int subscription_store_list(const struct subscription_store *self, struct arena *arena,
                            struct event_subscription **subscriptions, size_t *count) {
    struct coordinator_item *items;
    size_t items_count;
    uint64_t revision;
    *count = 0;
    int rc = coordinator_list(self->coordinator, FOLDER, arena, &items, &items_count, &revision);
    if (rc != STATUS_OK)
        return rc;
    *subscriptions = ARENA_NEW_ARRAY(arena, struct event_subscription, items_count);
    for (size_t i = 0; i < items_count; i++) {
        if (record_open(self, items[i].name, items[i].value, arena, &(*subscriptions)[*count]) == STATUS_OK)
            ++*count;
        else
            log_error("the record %.*s cannot be read", BYTES_ARG(items[i].name));
    }
    return STATUS_OK;
}
