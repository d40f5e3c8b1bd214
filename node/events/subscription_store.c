#include "node/events/subscription_store.h"

#include "node/coordinator/sealed_items.h"
#include "node/log.h"
#include "proto/check.h"
#include "proto/status.h"

#define FOLDER "subscriptions/"

_Static_assert(sizeof(FOLDER) - 1 + SUBSCRIPTION_NAME_BYTES_MAX < COORDINATOR_NAME_BYTES_MAX, "names fit");

static struct sealed_items items_of(const struct subscription_store *self) {
    return (struct sealed_items){.coordinator = self->coordinator, .master = self->master, .folder = FOLDER};
}

int subscription_store_get(const struct subscription_store *self, struct bytes name, struct arena *arena,
                           struct event_subscription *subscription, uint64_t *version) {
    const struct sealed_items items = items_of(self);
    struct bytes plain;
    check(event_subscription_name_is_valid(name));
    int rc = sealed_item_get(&items, name, arena, &plain, version);
    if (rc == STATUS_OK && event_subscription_decode(plain, arena, subscription) != STATUS_OK)
        rc = STATUS_RECORD_CORRUPT;
    return rc;
}

int subscription_store_put(const struct subscription_store *self, const struct event_subscription *subscription,
                           struct arena *arena, uint64_t *version) {
    const struct sealed_items items = items_of(self);
    check(event_subscription_name_is_valid(subscription->name));
    return sealed_item_put(&items, subscription->name, event_subscription_encode(subscription, arena), version);
}

int subscription_store_remove(const struct subscription_store *self, struct bytes name, uint64_t version) {
    const struct sealed_items items = items_of(self);
    check(event_subscription_name_is_valid(name));
    return sealed_item_remove(&items, name, version);
}

int subscription_store_list(const struct subscription_store *self, struct arena *arena,
                            struct event_subscription **subscriptions, size_t *count) {
    const struct sealed_items items = items_of(self);
    struct coordinator_item *records;
    size_t records_count;
    *count = 0;
    int rc = sealed_items_list(&items, arena, &records, &records_count);
    if (rc != STATUS_OK)
        return rc;
    *subscriptions = ARENA_NEW_ARRAY(arena, struct event_subscription, records_count);
    for (size_t i = 0; i < records_count; i++) {
        if (event_subscription_decode(records[i].value, arena, &(*subscriptions)[*count]) == STATUS_OK)
            ++*count;
        else
            log_error("the record %.*s cannot be read", BYTES_ARG(records[i].name));
    }
    return STATUS_OK;
}
