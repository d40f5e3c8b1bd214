#include "node/gateway/endpoint_registry.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "proto/check.h"

#define uthash_fatal(message) check_failed(message, __FILE__, __LINE__)
#include <uthash.h>

struct held_endpoint {
    UT_hash_handle hh;
    struct id_hash endpoint;
    struct endpoint_holder holder;
};

#define NOTES_MAX 100000 /* of each kind; beyond it the oldest are forgotten, so that nothing grows freely */

/* A used ticket, or the allocations of an endpoint: remembered for a while. uthash walks in the order of adding, and
 * all notes of one table are kept equally long, so the oldest are always the first. */
struct note {
    UT_hash_handle hh;
    uint8_t key[16];
    uint64_t until_ms;
    unsigned count;
};

struct endpoint_registry {
    pthread_mutex_t mutex;
    struct held_endpoint *held;
    struct note *tickets;
    struct note *allocations;
    uint64_t sessions;
};

_Static_assert(sizeof(struct id_hash) == sizeof(((struct note *)0)->key), "an endpoint's hash is a note's key");

struct endpoint_registry *endpoint_registry_new(void) {
    struct endpoint_registry *registry = calloc(1, sizeof(*registry));
    check(registry != NULL);
    check(pthread_mutex_init(&registry->mutex, NULL) == 0);
    return registry;
}

static void note_remove(struct note **notes, struct note *note) {
    HASH_DEL(*notes, note);
    free(note);
}

void endpoint_registry_free(struct endpoint_registry *registry) {
    while (registry->held != NULL) {
        struct held_endpoint *held = registry->held;
        HASH_DEL(registry->held, held);
        free(held);
    }
    while (registry->tickets != NULL)
        note_remove(&registry->tickets, registry->tickets);
    while (registry->allocations != NULL)
        note_remove(&registry->allocations, registry->allocations);
    pthread_mutex_destroy(&registry->mutex);
    free(registry);
}

static struct held_endpoint *held_find(struct endpoint_registry *registry, const struct id_hash *endpoint) {
    struct held_endpoint *held;
    HASH_FIND(hh, registry->held, endpoint, sizeof(*endpoint), held);
    return held;
}

uint64_t endpoint_claim(struct endpoint_registry *registry, const struct id_hash *endpoint, unsigned worker,
                        struct endpoint_holder *previous) {
    pthread_mutex_lock(&registry->mutex);
    struct held_endpoint *held = held_find(registry, endpoint);
    if (held == NULL) {
        held = calloc(1, sizeof(*held));
        check(held != NULL);
        held->endpoint = *endpoint;
        HASH_ADD(hh, registry->held, endpoint, sizeof(held->endpoint), held);
    }
    *previous = held->holder;
    uint64_t session = ++registry->sessions;
    held->holder = (struct endpoint_holder){.worker = worker, .session = session};
    pthread_mutex_unlock(&registry->mutex);
    return session;
}

struct endpoint_holder endpoint_holder_find(struct endpoint_registry *registry, const struct id_hash *endpoint) {
    pthread_mutex_lock(&registry->mutex);
    const struct held_endpoint *held = held_find(registry, endpoint);
    struct endpoint_holder holder = held == NULL ? (struct endpoint_holder){0} : held->holder;
    pthread_mutex_unlock(&registry->mutex);
    return holder;
}

void endpoint_release(struct endpoint_registry *registry, const struct id_hash *endpoint, uint64_t session) {
    pthread_mutex_lock(&registry->mutex);
    struct held_endpoint *held = held_find(registry, endpoint);
    if (held != NULL && held->holder.session == session) {
        HASH_DEL(registry->held, held);
        free(held);
    }
    pthread_mutex_unlock(&registry->mutex);
}

/* The note of a key, made if need be; what has become too old is removed on the way. */
static struct note *note_get(struct note **notes, const uint8_t key[16], uint64_t now_ms, uint64_t until_ms) {
    struct note *note;
    while (*notes != NULL && ((*notes)->until_ms <= now_ms || HASH_COUNT(*notes) > NOTES_MAX))
        note_remove(notes, *notes);
    HASH_FIND(hh, *notes, key, sizeof(note->key), note);
    if (note != NULL)
        return note;
    note = calloc(1, sizeof(*note));
    check(note != NULL);
    memcpy(note->key, key, sizeof(note->key));
    note->until_ms = until_ms;
    HASH_ADD(hh, *notes, key, sizeof(note->key), note);
    return note;
}

bool ticket_use(struct endpoint_registry *registry, const uint8_t nonce[16], uint64_t now_ms, uint64_t until_ms) {
    pthread_mutex_lock(&registry->mutex);
    bool is_first = note_get(&registry->tickets, nonce, now_ms, until_ms)->count++ == 0;
    pthread_mutex_unlock(&registry->mutex);
    return is_first;
}

bool allocation_allow(struct endpoint_registry *registry, const struct id_hash *endpoint, uint64_t now_ms) {
    pthread_mutex_lock(&registry->mutex);
    struct note *note = note_get(&registry->allocations, endpoint->bytes, now_ms, now_ms + ALLOCATIONS_WINDOW_MS);
    bool is_allowed = note->count < ALLOCATIONS_MAX;
    if (is_allowed)
        note->count++;
    pthread_mutex_unlock(&registry->mutex);
    return is_allowed;
}
