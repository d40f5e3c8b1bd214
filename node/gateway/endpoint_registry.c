#include "node/gateway/endpoint_registry.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "proto/check.h"

#define uthash_fatal(message) check_failed(message, __FILE__, __LINE__)
#include <uthash.h>

struct held_endpoint {
    UT_hash_handle hh;
    struct id_hash endpoint;
    struct endpoint_holder holder;
    uint64_t turn;  /* of places */
    uint64_t epoch; /* of places: in which it was said last */
};

#define PLACES_MAX 200000 /* some 20 MB; beyond it those who claimed theirs longest ago are forgotten */
#define NOTES_MAX 100000  /* of each kind; beyond it the oldest are forgotten, so that nothing grows freely */

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
    struct held_endpoint *places; /* in the order of claiming */
    struct note *tickets;
    struct note *allocations;
    uint64_t sessions;
    uint32_t claims;
};

_Static_assert(sizeof(struct id_hash) == sizeof(((struct note *)0)->key), "an endpoint's hash is a note's key");

struct endpoint_registry *endpoint_registry_new(void) {
    struct endpoint_registry *registry = calloc(1, sizeof(*registry));
    check(registry != NULL);
    check(pthread_mutex_init(&registry->mutex, NULL) == 0);
    randombytes_buf(&registry->sessions, sizeof(registry->sessions));
    return registry;
}

static void note_remove(struct note **notes, struct note *note) {
    HASH_DEL(*notes, note);
    free(note);
}

static void held_remove(struct held_endpoint **table, struct held_endpoint *held) {
    HASH_DEL(*table, held);
    free(held);
}

void endpoint_registry_free(struct endpoint_registry *registry) {
    while (registry->held != NULL)
        held_remove(&registry->held, registry->held);
    while (registry->places != NULL)
        held_remove(&registry->places, registry->places);
    while (registry->tickets != NULL)
        note_remove(&registry->tickets, registry->tickets);
    while (registry->allocations != NULL)
        note_remove(&registry->allocations, registry->allocations);
    pthread_mutex_destroy(&registry->mutex);
    free(registry);
}

static struct held_endpoint *held_find(struct held_endpoint *table, const struct id_hash *endpoint) {
    struct held_endpoint *held;
    HASH_FIND(hh, table, endpoint, sizeof(*endpoint), held);
    return held;
}

static struct held_endpoint *held_add(struct held_endpoint **table, const struct id_hash *endpoint) {
    struct held_endpoint *held = calloc(1, sizeof(*held));
    check(held != NULL);
    held->endpoint = *endpoint;
    HASH_ADD(hh, *table, endpoint, sizeof(held->endpoint), held);
    return held;
}

static struct endpoint_holder holder_of(const struct held_endpoint *held) {
    return held == NULL ? (struct endpoint_holder){0} : held->holder;
}

uint64_t endpoint_claim(struct endpoint_registry *registry, const struct id_hash *endpoint, uint64_t node,
                        uint32_t worker, struct endpoint_holder *previous) {
    pthread_mutex_lock(&registry->mutex);
    struct held_endpoint *held = held_find(registry->held, endpoint);
    *previous = holder_of(held);
    if (held == NULL)
        held = held_add(&registry->held, endpoint);
    if (++registry->sessions == 0)
        registry->sessions++;
    uint64_t session = registry->sessions;
    held->holder = (struct endpoint_holder){.node = node, .worker = worker, .session = session};
    pthread_mutex_unlock(&registry->mutex);
    return session;
}

struct endpoint_holder endpoint_holder_find(struct endpoint_registry *registry, const struct id_hash *endpoint) {
    pthread_mutex_lock(&registry->mutex);
    struct endpoint_holder holder = holder_of(held_find(registry->held, endpoint));
    pthread_mutex_unlock(&registry->mutex);
    return holder;
}

void endpoint_release(struct endpoint_registry *registry, const struct id_hash *endpoint, uint64_t session) {
    pthread_mutex_lock(&registry->mutex);
    struct held_endpoint *held = held_find(registry->held, endpoint);
    if (held != NULL && held->holder.session == session)
        held_remove(&registry->held, held);
    pthread_mutex_unlock(&registry->mutex);
}

static void place_put(struct endpoint_registry *registry, const struct id_hash *endpoint,
                      const struct endpoint_place *place, uint64_t epoch) {
    struct held_endpoint *held = held_find(registry->places, endpoint);
    if (held != NULL)
        held_remove(&registry->places, held);
    if (HASH_COUNT(registry->places) >= PLACES_MAX)
        held_remove(&registry->places, registry->places);
    held = held_add(&registry->places, endpoint);
    held->holder = place->holder;
    held->turn = place->turn;
    held->epoch = epoch;
}

/* NULL: nobody has said so in this epoch. */
static struct held_endpoint *place_find(struct endpoint_registry *registry, const struct id_hash *endpoint,
                                        uint64_t epoch) {
    struct held_endpoint *held = held_find(registry->places, endpoint);
    return held != NULL && held->epoch == epoch ? held : NULL;
}

bool endpoint_holder_equal(const struct endpoint_holder *a, const struct endpoint_holder *b) {
    return a->node == b->node && a->session == b->session;
}

/* Whoever claims again did not hear the answer, which may have been given in another epoch too. */
uint64_t endpoint_place_claim(struct endpoint_registry *registry, const struct id_hash *endpoint,
                              const struct endpoint_holder *holder, uint64_t epoch, struct endpoint_holder *previous) {
    struct endpoint_place place = {.holder = *holder};
    pthread_mutex_lock(&registry->mutex);
    *previous = holder_of(place_find(registry, endpoint, epoch));
    if (endpoint_holder_equal(previous, holder))
        *previous = (struct endpoint_holder){0};
    place.turn = epoch << 32 | ++registry->claims;
    place_put(registry, endpoint, &place, epoch);
    pthread_mutex_unlock(&registry->mutex);
    return place.turn;
}

struct endpoint_place endpoint_place_renew(struct endpoint_registry *registry, const struct id_hash *endpoint,
                                           const struct endpoint_place *place, uint64_t epoch) {
    pthread_mutex_lock(&registry->mutex);
    const struct held_endpoint *held = place_find(registry, endpoint, epoch);
    struct endpoint_place newest = *place;
    if (held != NULL && held->turn >= place->turn)
        newest = (struct endpoint_place){.holder = held->holder, .turn = held->turn};
    else
        place_put(registry, endpoint, place, epoch);
    pthread_mutex_unlock(&registry->mutex);
    return newest;
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
