#include "node/bridges/bridge_table.h"

#include <pthread.h>
#include <stdlib.h>

#include "node/log.h"
#include "proto/check.h"

struct entry {
    struct entry *next;
    struct arena arena;
    struct bridge bridge;
};

struct bridge_table {
    struct coordinator *coordinator;
    pthread_mutex_t mutex; /* guards the entries */
    struct entry *entries;
};

static void entry_free(struct entry *entry) {
    arena_close(&entry->arena);
    free(entry);
}

/* Where the entry of this name hangs, or would. */
static struct entry **place_of(struct bridge_table *self, struct bytes name) {
    struct entry **place = &self->entries;
    while (*place != NULL && !bytes_equal((*place)->bridge.name, name))
        place = &(*place)->next;
    return place;
}

static void forget(struct bridge_table *self, struct bytes name) {
    struct entry **place = place_of(self, name);
    struct entry *gone = *place;
    if (gone == NULL)
        return;
    *place = gone->next;
    entry_free(gone);
}

/* A record that cannot be read takes the one before with it: what that allowed is not meant any more. */
static void learn(struct bridge_table *self, struct bytes name, struct bytes stored) {
    struct entry *entry = calloc(1, sizeof(*entry));
    check(entry != NULL);
    arena_init(&entry->arena);
    forget(self, name);
    int rc = bridge_decode(stored, &entry->arena, &entry->bridge);
    if (rc != STATUS_OK || !bytes_equal(entry->bridge.name, name)) {
        log_error("the record " BRIDGES_FOLDER "%.*s cannot be read", BYTES_ARG(name));
        entry_free(entry);
        return;
    }
    entry->next = self->entries;
    self->entries = entry;
}

static void on_change(void *context, const struct coordinator_item *change) {
    struct bridge_table *self = context;
    size_t folder = strlen(BRIDGES_FOLDER);
    struct bytes name = bytes_of(change->name.data + folder, change->name.size - folder);
    pthread_mutex_lock(&self->mutex);
    if (bytes_is_present(change->value))
        learn(self, name, change->value);
    else
        forget(self, name);
    pthread_mutex_unlock(&self->mutex);
}

/* What there is at the start is known before the first call. */
static uint64_t load(struct bridge_table *self) {
    struct bridge *bridges;
    uint64_t revision = 0;
    size_t count;
    struct arena arena;
    arena_init(&arena);
    int rc = bridge_store_list(self->coordinator, &arena, &bridges, &count, &revision);
    for (size_t i = 0; rc == STATUS_OK && i < count; i++)
        learn(self, bridges[i].name, json_text_take(&arena, bridge_to_json(&bridges[i])));
    arena_close(&arena);
    return rc == STATUS_OK ? revision : 0;
}

struct bridge_table *bridge_table_new(struct coordinator *coordinator) {
    struct bridge_table *self = calloc(1, sizeof(*self));
    check(self != NULL);
    self->coordinator = coordinator;
    check(pthread_mutex_init(&self->mutex, NULL) == 0);
    uint64_t revision = load(self);
    int rc = coordinator_watch(coordinator, BRIDGES_FOLDER, revision, on_change, self);
    if (rc == STATUS_CONFLICT)
        rc = coordinator_watch(coordinator, BRIDGES_FOLDER, 0, on_change, self);
    if (rc == STATUS_OK)
        return self;
    bridge_table_free(self);
    return NULL;
}

void bridge_table_free(struct bridge_table *self) {
    while (self->entries != NULL) {
        struct entry *entry = self->entries;
        self->entries = entry->next;
        entry_free(entry);
    }
    pthread_mutex_destroy(&self->mutex);
    free(self);
}

struct coordinator *bridge_table_coordinator(struct bridge_table *self) {
    return self->coordinator;
}

int bridge_table_check(struct bridge_table *self, struct bytes name, struct bytes user_id) {
    pthread_mutex_lock(&self->mutex);
    const struct entry *entry = *place_of(self, name);
    int rc = entry == NULL                                 ? STATUS_NOT_FOUND
             : bridge_may_act_for(&entry->bridge, user_id) ? STATUS_OK
                                                           : STATUS_FORBIDDEN;
    pthread_mutex_unlock(&self->mutex);
    return rc;
}
