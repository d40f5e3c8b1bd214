#include "node/gateway/broadcast.h"

#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "node/core/range.h"
#include "node/gateway/fanout.h"
#include "node/gateway/websocket_frame.h"
#include "proto/check.h"
#include "proto/limits.h"
#include "proto/trouter.h"

#define CV_ENTROPY_BYTES 16 /* 22 characters of base64 */
#define BASE64 sodium_base64_VARIANT_ORIGINAL_NO_PADDING

struct broadcast_parcel {
    struct parcel parcel;
    struct broadcast *broadcast;
};

/* The shared parts of all pushes of a change. */
struct push_set {
    size_t count;
    struct broadcast_push pushes[LIMIT_COALESCE_PER_TICK_MAX];
    uint8_t *excluded; /* the ids that the pushes name */
};

struct broadcast {
    atomic_uint references;
    enum change_kind kind;
    unsigned copies;
    struct id_hash subject;
    uint64_t offset;
    uint64_t from_offset;
    int64_t time_ms;
    struct buffer encoded;
    /* Made under the mutex, read without it once they are there. */
    pthread_mutex_t mutex;
    _Atomic(struct shared_bytes *) frames[REALTIME_FORMATS];
    _Atomic(struct push_set *) pushes;
    struct broadcast_parcel parcels[];
};

/* ---- life ---- */

static void on_delivered(void *receiver, struct parcel *parcel) {
    struct broadcast *broadcast = ((struct broadcast_parcel *)parcel)->broadcast;
    fanout_deliver(gateway_worker_of(receiver), broadcast);
    broadcast_release(broadcast);
}

struct broadcast *broadcast_new(const struct change *change, unsigned copies, size_t workers) {
    struct broadcast *broadcast = calloc(1, sizeof(*broadcast) + workers * sizeof(broadcast->parcels[0]));
    check(broadcast != NULL);
    atomic_init(&broadcast->references, workers == 0 ? 1 : (unsigned)workers);
    broadcast->kind = change->kind;
    broadcast->copies = copies;
    broadcast->subject = change->subject;
    broadcast->offset = change->offset;
    broadcast->from_offset = change->offset;
    broadcast->time_ms = change->time_ms;
    buffer_init(&broadcast->encoded);
    change_encode(change, &broadcast->encoded);
    check(pthread_mutex_init(&broadcast->mutex, NULL) == 0);
    for (size_t i = 0; i < workers; i++) {
        broadcast->parcels[i].parcel.deliver = on_delivered;
        broadcast->parcels[i].broadcast = broadcast;
    }
    return broadcast;
}

struct parcel *broadcast_parcel(struct broadcast *broadcast, size_t index) {
    return &broadcast->parcels[index].parcel;
}

void broadcast_covers_from(struct broadcast *broadcast, uint64_t from_offset) {
    broadcast->from_offset = from_offset;
}

void broadcast_hold(struct broadcast *broadcast) {
    atomic_fetch_add_explicit(&broadcast->references, 1, memory_order_relaxed);
}

static void push_set_free(struct push_set *set) {
    if (set == NULL)
        return;
    for (size_t i = 0; i < set->count; i++) {
        shared_bytes_release(set->pushes[i].before);
        shared_bytes_release(set->pushes[i].after);
    }
    free(set->excluded);
    free(set);
}

void broadcast_release(struct broadcast *broadcast) {
    /* The last one must see all that the others made before it frees it. */
    if (atomic_fetch_sub_explicit(&broadcast->references, 1, memory_order_acq_rel) > 1)
        return;
    for (size_t i = 0; i < REALTIME_FORMATS; i++)
        shared_bytes_release(atomic_load(&broadcast->frames[i]));
    push_set_free(atomic_load(&broadcast->pushes));
    pthread_mutex_destroy(&broadcast->mutex);
    buffer_close(&broadcast->encoded);
    free(broadcast);
}

/* ---- what it says ---- */

enum change_kind broadcast_kind(const struct broadcast *broadcast) {
    return broadcast->kind;
}

const struct id_hash *broadcast_subject(const struct broadcast *broadcast) {
    return &broadcast->subject;
}

uint64_t broadcast_offset(const struct broadcast *broadcast) {
    return broadcast->offset;
}

uint64_t broadcast_from_offset(const struct broadcast *broadcast) {
    return broadcast->from_offset;
}

int64_t broadcast_time_ms(const struct broadcast *broadcast) {
    return broadcast->time_ms;
}

void broadcast_decode(const struct broadcast *broadcast, struct arena *arena, struct change *change) {
    check(change_decode(buffer_bytes(&broadcast->encoded), arena, change) == 0);
}

/* ---- frames ---- */

static bool is_told(const struct broadcast *broadcast) {
    return broadcast->kind != CHANGE_USER_JOINED && broadcast->kind != CHANGE_USER_REVOKED;
}

static struct shared_bytes *realtime_frame_make(const struct broadcast *broadcast, enum realtime_format format) {
    struct arena arena;
    struct change change;
    struct buffer payload, frame;
    uint8_t header[WEBSOCKET_HEADER_BYTES_MAX];
    arena_init(&arena);
    buffer_init(&payload);
    buffer_init(&frame);
    broadcast_decode(broadcast, &arena, &change);
    realtime_change_encode(format, &change, durability_name(broadcast->copies), &payload);
    enum websocket_opcode opcode = format == REALTIME_JSON ? WEBSOCKET_TEXT : WEBSOCKET_BINARY;
    buffer_append(&frame, header, websocket_frame_header(header, opcode, payload.size));
    buffer_append_bytes(&frame, buffer_bytes(&payload));
    buffer_close(&payload);
    arena_close(&arena);
    return shared_bytes_take(&frame);
}

struct shared_bytes *broadcast_realtime_frame(struct broadcast *broadcast, enum realtime_format format) {
    if (!is_told(broadcast))
        return NULL;
    struct shared_bytes *frame = atomic_load_explicit(&broadcast->frames[format], memory_order_acquire);
    if (frame != NULL)
        return frame;
    pthread_mutex_lock(&broadcast->mutex);
    frame = atomic_load_explicit(&broadcast->frames[format], memory_order_relaxed);
    if (frame == NULL) {
        frame = realtime_frame_make(broadcast, format);
        atomic_store_explicit(&broadcast->frames[format], frame, memory_order_release);
    }
    pthread_mutex_unlock(&broadcast->mutex);
    return frame;
}

static void excluded_copy(struct push_set *set, const struct trouter_push *pushes) {
    struct buffer ids;
    size_t size;
    buffer_init(&ids);
    for (size_t i = 0; i < set->count; i++)
        buffer_append_bytes(&ids, pushes[i].excluded_user_id);
    set->excluded = buffer_take(&ids, &size);
    const uint8_t *next = set->excluded;
    for (size_t i = 0; i < set->count; i++) {
        if (!bytes_is_present(pushes[i].excluded_user_id))
            continue;
        set->pushes[i].excluded_user_id = bytes_of(next, pushes[i].excluded_user_id.size);
        next += pushes[i].excluded_user_id.size;
    }
}

static struct push_set *push_set_make(const struct broadcast *broadcast) {
    struct trouter_push pushes[LIMIT_COALESCE_PER_TICK_MAX];
    uint8_t entropy[CV_ENTROPY_BYTES];
    char cv[sodium_base64_ENCODED_LEN(CV_ENTROPY_BYTES, BASE64)];
    struct arena arena;
    struct change change;
    struct push_set *set = calloc(1, sizeof(*set));
    check(set != NULL);
    arena_init(&arena);
    broadcast_decode(broadcast, &arena, &change);
    randombytes_buf(entropy, sizeof(entropy));
    sodium_bin2base64(cv, sizeof(cv), entropy, sizeof(entropy), BASE64);
    set->count = trouter_pushes_encode(&arena, &change, cv, pushes, LIMIT_COALESCE_PER_TICK_MAX);
    for (size_t i = 0; i < set->count; i++) {
        set->pushes[i].before = shared_bytes_copy(pushes[i].before);
        set->pushes[i].after = shared_bytes_copy(pushes[i].after);
    }
    excluded_copy(set, pushes);
    arena_close(&arena);
    return set;
}

size_t broadcast_pushes(struct broadcast *broadcast, const struct broadcast_push **pushes) {
    *pushes = NULL;
    if (!is_told(broadcast))
        return 0;
    struct push_set *set = atomic_load_explicit(&broadcast->pushes, memory_order_acquire);
    if (set == NULL) {
        pthread_mutex_lock(&broadcast->mutex);
        set = atomic_load_explicit(&broadcast->pushes, memory_order_relaxed);
        if (set == NULL) {
            set = push_set_make(broadcast);
            atomic_store_explicit(&broadcast->pushes, set, memory_order_release);
        }
        pthread_mutex_unlock(&broadcast->mutex);
    }
    *pushes = set->pushes;
    return set->count;
}
