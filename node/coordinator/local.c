#include "node/coordinator/local.h"

#include <stdio.h>
#include <stdlib.h>

#include "node/coordinator/background.h"
#include "node/log.h"
#include "proto/check.h"
#include "proto/status.h"
#include "storage/keys.h"

#define KEY_PREFIX "coordinator/"
#define REMOVED_PREFIX                                                                                                 \
    "coordinator-removed/" /* when a name went, so that versions go on rising, for watches as well                     \
                            */

/* What this process announces: it goes with the process, so the store has no row of it. */
struct announcement {
    struct announcement *next;
    char name[COORDINATOR_NAME_BYTES_MAX];
    struct buffer value;
    uint64_t version;
};

struct local_watch {
    struct local_watch *next;
    char prefix[COORDINATOR_NAME_BYTES_MAX];
    coordinator_on_change *on_change;
    void *context;
    uint64_t told; /* revision */
    uint64_t tried;
};

struct coordinator_local {
    struct coordinator coordinator;
    struct store *store;
    const struct seal_key *master;
    pthread_mutex_t mutex; /* of everything below */
    pthread_cond_t news;
    uint64_t revision; /* 0: not counted yet */
    struct announcement *announcements;
    struct local_watch *watches;
    pthread_t thread; /* tells the watches */
    bool has_thread;
    bool is_closing;
};

static struct key key_behind(const char *prefix, const char *name) {
    struct key key = {.size = 0};
    int size = snprintf((char *)key.data, sizeof(key.data), "%s%s", prefix, name);
    check(size > 0 && (size_t)size < sizeof(key.data));
    key.size = (size_t)size;
    return key;
}

static struct key key_of_name(const char *name) {
    return key_behind(KEY_PREFIX, name);
}

static void name_copy(char copy[COORDINATOR_NAME_BYTES_MAX], const char *name) {
    check(strlen(name) < COORDINATOR_NAME_BYTES_MAX);
    snprintf(copy, COORDINATOR_NAME_BYTES_MAX, "%s", name);
}

/* Stored form: version (8) | value. */
static int row_get(struct coordinator_local *self, struct store_transaction *transaction, struct bytes key,
                   struct arena *arena, struct bytes *value, uint64_t *version) {
    struct bytes plain;
    int rc = sealed_get(transaction, self->master, STORE_META, key, arena, &plain);
    if (rc != STATUS_OK)
        return rc;
    if (plain.size < 8)
        return STATUS_RECORD_CORRUPT;
    *version = number_decode(plain.data);
    *value = bytes_of(plain.data + 8, plain.size - 8);
    return STATUS_OK;
}

static const struct announcement *announcement_find(const struct coordinator_local *self, const char *name) {
    for (const struct announcement *at = self->announcements; at != NULL; at = at->next)
        if (strcmp(at->name, name) == 0)
            return at;
    return NULL;
}

/* ---- lists ---- */

struct item_list {
    struct arena *arena;
    struct coordinator_item *items;
    size_t count;
    size_t capacity;
};

static void item_add(struct item_list *list, struct bytes name, struct bytes value, uint64_t version) {
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? 64 : list->capacity * 2;
        struct coordinator_item *items = ARENA_NEW_ARRAY(list->arena, struct coordinator_item, capacity);
        if (list->count > 0)
            memcpy(items, list->items, list->count * sizeof(*items));
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] =
        (struct coordinator_item){.name = arena_copy(list->arena, name), .value = value, .version = version};
}

/* Those that are there, or with REMOVED_PREFIX those that were, without a value. */
static int rows_add(struct coordinator_local *self, struct store_transaction *transaction, const char *key_prefix,
                    const char *prefix, struct item_list *list) {
    struct store_cursor *cursor = NULL;
    struct key start = key_behind(key_prefix, prefix);
    bool is_there = strcmp(key_prefix, KEY_PREFIX) == 0;
    struct bytes key;
    struct bytes sealed;
    int rc = store_cursor_open(transaction, STORE_META, &cursor);
    if (rc != STATUS_OK)
        return rc;
    for (rc = store_cursor_seek(cursor, key_bytes(&start), &key, &sealed);
         rc == STATUS_OK && key.size >= start.size && memcmp(key.data, start.data, start.size) == 0;
         rc = store_cursor_next(cursor, &key, &sealed)) {
        struct bytes value;
        uint64_t version = 0;
        rc = row_get(self, transaction, key, list->arena, &value, &version);
        if (rc != STATUS_OK)
            break;
        size_t prefix_size = strlen(key_prefix);
        item_add(list, bytes_of(key.data + prefix_size, key.size - prefix_size), is_there ? value : BYTES_ABSENT,
                 version);
    }
    store_cursor_close(cursor);
    return rc == STATUS_STORE_MISSING ? STATUS_OK : rc;
}

static int compare_names(const void *a, const void *b) {
    const struct coordinator_item *left = a;
    const struct coordinator_item *right = b;
    size_t shorter = left->name.size < right->name.size ? left->name.size : right->name.size;
    int order = memcmp(left->name.data, right->name.data, shorter);
    return order != 0 ? order : (left->name.size > right->name.size) - (left->name.size < right->name.size);
}

static int compare_versions(const void *a, const void *b) {
    const struct coordinator_item *left = a;
    const struct coordinator_item *right = b;
    return (left->version > right->version) - (left->version < right->version);
}

enum listed { WHAT_IS_THERE, WHAT_WAS_REMOVED_TOO };

/* Rows and announcements in the order of their names; needs the mutex. */
static int list_locked(struct coordinator_local *self, const char *prefix, enum listed listed, struct item_list *list) {
    struct store_transaction *transaction = NULL;
    int rc = store_begin_read(self->store, &transaction);
    if (rc != STATUS_OK)
        return rc;
    rc = rows_add(self, transaction, KEY_PREFIX, prefix, list);
    if (rc == STATUS_OK && listed == WHAT_WAS_REMOVED_TOO)
        rc = rows_add(self, transaction, REMOVED_PREFIX, prefix, list);
    store_abort(transaction);
    if (rc != STATUS_OK)
        return rc;
    for (const struct announcement *at = self->announcements; at != NULL; at = at->next)
        if (strncmp(at->name, prefix, strlen(prefix)) == 0)
            item_add(list, bytes_of_text(at->name), arena_copy(list->arena, buffer_bytes(&at->value)), at->version);
    if (list->count > 0)
        qsort(list->items, list->count, sizeof(*list->items), compare_names);
    return STATUS_OK;
}

/* Counts on from the highest version there is. Needs the mutex. */
static int revision_know(struct coordinator_local *self) {
    struct arena arena;
    if (self->revision > 0)
        return STATUS_OK;
    arena_init(&arena);
    struct item_list list = {.arena = &arena};
    int rc = list_locked(self, "", WHAT_WAS_REMOVED_TOO, &list);
    for (size_t i = 0; rc == STATUS_OK && i < list.count; i++)
        if (list.items[i].version > self->revision)
            self->revision = list.items[i].version;
    arena_close(&arena);
    return rc;
}

static int local_list(struct coordinator *coordinator, const char *prefix, struct arena *arena,
                      struct coordinator_item **items, size_t *count, uint64_t *revision) {
    struct coordinator_local *self = (struct coordinator_local *)coordinator;
    struct item_list list = {.arena = arena};
    pthread_mutex_lock(&self->mutex);
    int rc = revision_know(self);
    if (rc == STATUS_OK)
        rc = list_locked(self, prefix, WHAT_IS_THERE, &list);
    *items = list.items;
    *count = list.count;
    *revision = self->revision;
    pthread_mutex_unlock(&self->mutex);
    return rc;
}

/* ---- get and swap ---- */

static int local_get(struct coordinator *coordinator, const char *name, struct arena *arena, struct bytes *value,
                     uint64_t *version) {
    struct coordinator_local *self = (struct coordinator_local *)coordinator;
    struct store_transaction *transaction = NULL;
    struct key key = key_of_name(name);
    pthread_mutex_lock(&self->mutex);
    const struct announcement *announcement = announcement_find(self, name);
    if (announcement != NULL) {
        *value = arena_copy(arena, buffer_bytes(&announcement->value));
        *version = announcement->version;
    }
    pthread_mutex_unlock(&self->mutex);
    if (announcement != NULL)
        return STATUS_OK;
    int rc = store_begin_read(self->store, &transaction);
    if (rc != STATUS_OK)
        return rc;
    rc = row_get(self, transaction, key_bytes(&key), arena, value, version);
    store_abort(transaction);
    return rc;
}

static int row_put(struct coordinator_local *self, struct store_transaction *transaction, struct bytes key,
                   struct arena *arena, struct bytes value, uint64_t version) {
    uint8_t *plain = arena_alloc(arena, value.size + 8);
    number_encode(plain, version);
    if (value.size > 0)
        memcpy(plain + 8, value.data, value.size);
    return sealed_put(transaction, self->master, STORE_META, key, bytes_of(plain, value.size + 8));
}

/* Absent `value`: the name goes. */
static int row_change(struct coordinator_local *self, struct store_transaction *transaction, const char *name,
                      struct arena *arena, struct bytes value) {
    struct key key = key_of_name(name);
    struct key removed = key_behind(REMOVED_PREFIX, name);
    bool is_there = bytes_is_present(value);
    int rc = store_remove(transaction, STORE_META, is_there ? key_bytes(&removed) : key_bytes(&key));
    if (rc != STATUS_OK && rc != STATUS_STORE_MISSING)
        return rc;
    return is_there ? row_put(self, transaction, key_bytes(&key), arena, value, self->revision + 1)
                    : row_put(self, transaction, key_bytes(&removed), arena, BYTES_LITERAL(""), self->revision + 1);
}

/* Needs the mutex. */
static int row_swap(struct coordinator_local *self, struct store_transaction *transaction,
                    const struct coordinator_swap *swap, struct arena *arena) {
    struct key key = key_of_name(swap->name);
    struct bytes stored;
    uint64_t stored_version = 0;
    check(announcement_find(self, swap->name) == NULL);
    int rc = row_get(self, transaction, key_bytes(&key), arena, &stored, &stored_version);
    if (rc == STATUS_STORE_MISSING)
        rc = STATUS_OK;
    if (rc == STATUS_OK && stored_version != swap->version)
        rc = STATUS_CONFLICT;
    return rc == STATUS_OK ? row_change(self, transaction, swap->name, arena, swap->value) : rc;
}

/* Needs the mutex. */
static int swap_locked(struct coordinator_local *self, const struct coordinator_swap *swaps, size_t count,
                       struct arena *arena) {
    struct store_transaction *transaction = NULL;
    int rc = store_begin_write(self->store, &transaction);
    if (rc != STATUS_OK)
        return rc;
    for (size_t i = 0; i < count && rc == STATUS_OK; i++)
        rc = row_swap(self, transaction, &swaps[i], arena);
    if (rc == STATUS_OK)
        return store_commit(transaction);
    store_abort(transaction);
    return rc;
}

/* Absent values: those names go. */
static int change(struct coordinator_local *self, const struct coordinator_swap *swaps, size_t count,
                  uint64_t *new_version) {
    struct arena arena;
    for (size_t i = 0; i < count; i++)
        check(strlen(swaps[i].name) < COORDINATOR_NAME_BYTES_MAX);
    arena_init(&arena);
    pthread_mutex_lock(&self->mutex);
    int rc = revision_know(self);
    if (rc == STATUS_OK)
        rc = swap_locked(self, swaps, count, &arena);
    if (rc == STATUS_OK) {
        self->revision++;
        if (new_version != NULL)
            *new_version = self->revision;
        pthread_cond_signal(&self->news);
    }
    pthread_mutex_unlock(&self->mutex);
    arena_close(&arena);
    return rc;
}

static int local_swap_all(struct coordinator *coordinator, const struct coordinator_swap *swaps, size_t count,
                          uint64_t *new_version) {
    return change((struct coordinator_local *)coordinator, swaps, count, new_version);
}

static int local_remove(struct coordinator *coordinator, const char *name, uint64_t version) {
    const struct coordinator_swap removal = {.name = name, .version = version, .value = BYTES_ABSENT};
    return change((struct coordinator_local *)coordinator, &removal, 1, NULL);
}

/* ---- watches ---- */

static struct local_watch *watch_with_news(const struct coordinator_local *self) {
    struct local_watch *watch = self->watches;
    while (watch != NULL && watch->tried >= self->revision)
        watch = watch->next;
    return watch;
}

/* Needs the mutex, and gives it up while telling. */
static void watch_tell(struct coordinator_local *self, struct local_watch *watch) {
    struct arena arena;
    arena_init(&arena);
    struct item_list list = {.arena = &arena};
    uint64_t revision = self->revision;
    watch->tried = revision;
    /* Who has been told nothing yet need not hear of what is gone. */
    int rc = list_locked(self, watch->prefix, watch->told == 0 ? WHAT_IS_THERE : WHAT_WAS_REMOVED_TOO, &list);
    pthread_mutex_unlock(&self->mutex);
    if (rc != STATUS_OK)
        log_error("changes of %s cannot be read: %s", watch->prefix, status_sentence(rc));
    if (rc == STATUS_OK && list.count > 0)
        qsort(list.items, list.count, sizeof(*list.items), compare_versions);
    for (size_t i = 0; rc == STATUS_OK && i < list.count; i++)
        if (list.items[i].version > watch->told)
            watch->on_change(watch->context, &list.items[i]);
    if (rc == STATUS_OK)
        watch->told = revision;
    arena_close(&arena);
    pthread_mutex_lock(&self->mutex);
}

static void *watches_run(void *argument) {
    struct coordinator_local *self = argument;
    pthread_mutex_lock(&self->mutex);
    while (!self->is_closing) {
        struct local_watch *watch = watch_with_news(self);
        if (watch != NULL)
            watch_tell(self, watch);
        else
            pthread_cond_wait(&self->news, &self->mutex);
    }
    pthread_mutex_unlock(&self->mutex);
    return NULL;
}

static int local_watch(struct coordinator *coordinator, const char *prefix, uint64_t revision,
                       coordinator_on_change *on_change, void *context) {
    struct coordinator_local *self = (struct coordinator_local *)coordinator;
    pthread_mutex_lock(&self->mutex);
    int rc = revision_know(self);
    if (rc == STATUS_OK && !self->has_thread) {
        self->has_thread = background_start(&self->thread, watches_run, self);
        rc = self->has_thread ? STATUS_OK : STATUS_SERVICE_UNAVAILABLE;
    }
    if (rc == STATUS_OK) {
        struct local_watch *watch = calloc(1, sizeof(*watch));
        check(watch != NULL);
        name_copy(watch->prefix, prefix);
        watch->on_change = on_change;
        watch->context = context;
        watch->told = revision;
        watch->tried = revision;
        watch->next = self->watches;
        self->watches = watch;
        pthread_cond_signal(&self->news);
    }
    pthread_mutex_unlock(&self->mutex);
    return rc;
}

/* ---- announcements, and the end ---- */

static int local_announce(struct coordinator *coordinator, const char *name, struct bytes value, unsigned ttl_s) {
    struct coordinator_local *self = (struct coordinator_local *)coordinator;
    (void)ttl_s;
    pthread_mutex_lock(&self->mutex);
    int rc = revision_know(self);
    check(announcement_find(self, name) == NULL);
    if (rc == STATUS_OK) {
        struct announcement *announcement = calloc(1, sizeof(*announcement));
        check(announcement != NULL);
        name_copy(announcement->name, name);
        buffer_init(&announcement->value);
        buffer_append_bytes(&announcement->value, value);
        announcement->version = ++self->revision;
        announcement->next = self->announcements;
        self->announcements = announcement;
        pthread_cond_signal(&self->news);
    }
    pthread_mutex_unlock(&self->mutex);
    return rc;
}

static void thread_end(struct coordinator_local *self) {
    pthread_mutex_lock(&self->mutex);
    self->is_closing = true;
    pthread_cond_signal(&self->news);
    pthread_mutex_unlock(&self->mutex);
    pthread_join(self->thread, NULL);
}

static void local_close(struct coordinator *coordinator) {
    struct coordinator_local *self = (struct coordinator_local *)coordinator;
    if (self->has_thread)
        thread_end(self);
    while (self->watches != NULL) {
        struct local_watch *next = self->watches->next;
        free(self->watches);
        self->watches = next;
    }
    while (self->announcements != NULL) {
        struct announcement *next = self->announcements->next;
        buffer_close(&self->announcements->value);
        free(self->announcements);
        self->announcements = next;
    }
    pthread_cond_destroy(&self->news);
    pthread_mutex_destroy(&self->mutex);
    free(self);
}

static const struct coordinator_methods local_methods = {.get = local_get,
                                                         .swap_all = local_swap_all,
                                                         .list = local_list,
                                                         .watch = local_watch,
                                                         .announce = local_announce,
                                                         .stand = local_announce, /* nobody else is there */
                                                         .remove = local_remove,
                                                         .close = local_close};

struct coordinator *coordinator_local_new(struct store *store, const struct seal_key *master) {
    struct coordinator_local *self = calloc(1, sizeof(*self));
    check(self != NULL);
    self->coordinator.methods = &local_methods;
    self->store = store;
    self->master = master;
    pthread_mutex_init(&self->mutex, NULL);
    pthread_cond_init(&self->news, NULL);
    return &self->coordinator;
}
