#include "node/coordinator/etcd.h"

#include <pthread.h>
#include <stdlib.h>

#include "node/coordinator/etcd_announcement.h"
#include "node/coordinator/etcd_client.h"
#include "node/coordinator/etcd_json.h"
#include "node/coordinator/etcd_watch.h"
#include "node/log.h"
#include "proto/check.h"
#include "proto/status.h"

#define CALL_MS_MAX 4500 /* with a sign-in at its end still within COORDINATOR_CALL_MS_MAX */

_Static_assert(CALL_MS_MAX + ETCD_TRY_MS_MAX <= COORDINATOR_CALL_MS_MAX, "calls keep their bound");

struct etcd_watches {
    struct etcd_watches *next;
    struct etcd_watch *watch;
};

struct etcd_announcements {
    struct etcd_announcements *next;
    struct etcd_announcement *announcement;
};

struct coordinator_etcd {
    struct coordinator coordinator;
    struct arena arena;
    struct bytes root; /* "weft/" */
    struct etcd_client *client;
    pthread_mutex_t mutex; /* of the lists */
    struct etcd_watches *watches;
    struct etcd_announcements *announcements;
};

static struct bytes key_of_name(const struct coordinator_etcd *self, struct arena *arena, const char *name) {
    check(strlen(name) < COORDINATOR_NAME_BYTES_MAX);
    return arena_printf(arena, "%.*s%s", BYTES_ARG(self->root), name);
}

/* What etcd answered makes no sense: better no answer than a wrong one. */
static int decoded(int rc, const char *path) {
    if (rc == STATUS_OK)
        return rc;
    log_error("what etcd answers to %s is not understood", path);
    return STATUS_SERVICE_UNAVAILABLE;
}

static int range_get(struct coordinator_etcd *self, struct bytes body, struct arena *arena, struct etcd_range *range) {
    struct buffer answer;
    struct etcd_call call = {.path = "/v3/kv/range", .body = body, .ms_max = CALL_MS_MAX};
    buffer_init(&answer);
    int rc = etcd_client_call(self->client, NULL, &call, &answer);
    if (rc == STATUS_OK)
        rc = decoded(etcd_range_decode(buffer_bytes(&answer), self->root, arena, range), call.path);
    buffer_close(&answer);
    return rc;
}

static int etcd_get(struct coordinator *coordinator, const char *name, struct arena *arena, struct bytes *value,
                    uint64_t *version) {
    struct coordinator_etcd *self = (struct coordinator_etcd *)coordinator;
    struct buffer body;
    struct etcd_range range = {0};
    buffer_init(&body);
    etcd_get_encode(&body, key_of_name(self, arena, name));
    int rc = range_get(self, buffer_bytes(&body), arena, &range);
    if (rc == STATUS_OK && range.count == 0)
        rc = STATUS_STORE_MISSING;
    if (rc == STATUS_OK) {
        *value = range.items[0].value;
        *version = range.items[0].version;
    }
    buffer_close(&body);
    return rc;
}

static int etcd_list(struct coordinator *coordinator, const char *prefix, struct arena *arena,
                     struct coordinator_item **items, size_t *count, uint64_t *revision) {
    struct coordinator_etcd *self = (struct coordinator_etcd *)coordinator;
    struct buffer body;
    struct etcd_range range = {0};
    struct etcd_range_request request = {.prefix = key_of_name(self, arena, prefix)};
    buffer_init(&body);
    etcd_range_encode(&body, &request);
    int rc = range_get(self, buffer_bytes(&body), arena, &range);
    *items = range.items;
    *count = range.count;
    *revision = range.revision;
    buffer_close(&body);
    return rc;
}

/* A change under a condition. STATUS_CONFLICT: it is not met. */
static int transact(struct coordinator_etcd *self, struct bytes body, uint64_t *revision) {
    struct buffer answer;
    bool is_done = false;
    struct etcd_call call = {.path = "/v3/kv/txn", .body = body, .must_not_repeat = true, .ms_max = CALL_MS_MAX};
    buffer_init(&answer);
    int rc = etcd_client_call(self->client, NULL, &call, &answer);
    if (rc == STATUS_OK)
        rc = decoded(etcd_swap_decode(buffer_bytes(&answer), &is_done, revision), call.path);
    buffer_close(&answer);
    return rc == STATUS_OK && !is_done ? STATUS_CONFLICT : rc;
}

static int etcd_swap_all(struct coordinator *coordinator, const struct coordinator_swap *swaps, size_t count,
                         uint64_t *new_version) {
    struct coordinator_etcd *self = (struct coordinator_etcd *)coordinator;
    struct arena arena;
    struct buffer body;
    uint64_t revision = 0;
    arena_init(&arena);
    buffer_init(&body);
    struct etcd_swap *encoded = ARENA_NEW_ARRAY(&arena, struct etcd_swap, count);
    for (size_t i = 0; i < count; i++)
        encoded[i] = (struct etcd_swap){
            .key = key_of_name(self, &arena, swaps[i].name), .version = swaps[i].version, .value = swaps[i].value};
    etcd_swap_encode(&body, encoded, count);
    int rc = transact(self, buffer_bytes(&body), &revision);
    if (rc == STATUS_OK && new_version != NULL)
        *new_version = revision;
    buffer_close(&body);
    arena_close(&arena);
    return rc;
}

static int etcd_remove(struct coordinator *coordinator, const char *name, uint64_t version) {
    struct coordinator_etcd *self = (struct coordinator_etcd *)coordinator;
    struct arena arena;
    struct buffer body;
    uint64_t revision;
    check(version != 0); /* a condition that is met when there is nothing */
    arena_init(&arena);
    buffer_init(&body);
    etcd_remove_encode(&body, key_of_name(self, &arena, name), version);
    int rc = transact(self, buffer_bytes(&body), &revision);
    buffer_close(&body);
    arena_close(&arena);
    return rc;
}

static int etcd_watch(struct coordinator *coordinator, const char *prefix, uint64_t revision,
                      coordinator_on_change *on_change, void *context) {
    struct coordinator_etcd *self = (struct coordinator_etcd *)coordinator;
    struct etcd_watch_options options = {.client = self->client,
                                         .root = self->root,
                                         .prefix = bytes_of_text(prefix),
                                         .revision = revision,
                                         .on_change = on_change,
                                         .context = context};
    struct etcd_watches *watch = calloc(1, sizeof(*watch));
    check(watch != NULL);
    int rc = etcd_watch_start(&options, &watch->watch);
    if (rc != STATUS_OK) {
        free(watch);
        return rc;
    }
    pthread_mutex_lock(&self->mutex);
    watch->next = self->watches;
    self->watches = watch;
    pthread_mutex_unlock(&self->mutex);
    return STATUS_OK;
}

static int announcement_add(struct coordinator_etcd *self, const char *name, struct bytes value, unsigned ttl_s,
                            bool is_election) {
    struct arena arena;
    struct etcd_announcements *announcement = calloc(1, sizeof(*announcement));
    check(announcement != NULL && ttl_s >= 2 && ttl_s <= 3600);
    arena_init(&arena);
    announcement->announcement =
        etcd_announcement_start(self->client, key_of_name(self, &arena, name), value, ttl_s, is_election);
    arena_close(&arena);
    if (announcement->announcement == NULL) {
        free(announcement);
        return STATUS_SERVICE_UNAVAILABLE;
    }
    pthread_mutex_lock(&self->mutex);
    announcement->next = self->announcements;
    self->announcements = announcement;
    pthread_mutex_unlock(&self->mutex);
    return STATUS_OK;
}

static int etcd_announce(struct coordinator *coordinator, const char *name, struct bytes value, unsigned ttl_s) {
    return announcement_add((struct coordinator_etcd *)coordinator, name, value, ttl_s, false);
}

static int etcd_stand(struct coordinator *coordinator, const char *name, struct bytes value, unsigned ttl_s) {
    return announcement_add((struct coordinator_etcd *)coordinator, name, value, ttl_s, true);
}

static bool etcd_is_silent(struct coordinator *coordinator) {
    return etcd_client_is_silent(((struct coordinator_etcd *)coordinator)->client);
}

static void etcd_hurry(struct coordinator *coordinator) {
    etcd_client_hurry(((struct coordinator_etcd *)coordinator)->client);
}

static void etcd_close(struct coordinator *coordinator) {
    struct coordinator_etcd *self = (struct coordinator_etcd *)coordinator;
    for (struct etcd_watches *at = self->watches; at != NULL; at = at->next)
        etcd_watch_interrupt(at->watch);
    for (struct etcd_announcements *at = self->announcements; at != NULL; at = at->next)
        etcd_announcement_interrupt(at->announcement);
    while (self->watches != NULL) {
        struct etcd_watches *next = self->watches->next;
        etcd_watch_join(self->watches->watch);
        free(self->watches);
        self->watches = next;
    }
    while (self->announcements != NULL) {
        struct etcd_announcements *next = self->announcements->next;
        etcd_announcement_join(self->announcements->announcement);
        free(self->announcements);
        self->announcements = next;
    }
    etcd_client_free(self->client);
    pthread_mutex_destroy(&self->mutex);
    arena_close(&self->arena);
    free(self);
}

static const struct coordinator_methods etcd_methods = {.get = etcd_get,
                                                        .swap_all = etcd_swap_all,
                                                        .list = etcd_list,
                                                        .watch = etcd_watch,
                                                        .announce = etcd_announce,
                                                        .stand = etcd_stand,
                                                        .remove = etcd_remove,
                                                        .is_silent = etcd_is_silent,
                                                        .hurry = etcd_hurry,
                                                        .close = etcd_close};

struct coordinator *coordinator_etcd_new(const struct etcd_options *options) {
    struct coordinator_etcd *self = calloc(1, sizeof(*self));
    check(self != NULL);
    self->coordinator.methods = &etcd_methods;
    arena_init(&self->arena);
    self->root = arena_printf(&self->arena, "%s/", options->prefix);
    self->client = etcd_client_new(options);
    pthread_mutex_init(&self->mutex, NULL);
    return &self->coordinator;
}
