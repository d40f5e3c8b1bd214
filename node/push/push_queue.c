#include "node/push/push_queue.h"

#include <stdlib.h>
#include <string.h>

#include "proto/check.h"

#define BUCKETS 1024

struct push_holder {
    struct push_holder *next;
    struct id_hash user;
    struct push_item *first; /* the oldest */
    size_t count;
};

/* ---- one item ---- */

static const struct push_registration *device_keep(struct arena *arena, const struct push_registration *from) {
    struct push_registration *device = ARENA_NEW(arena, struct push_registration);
    *device = *from;
    device->id = arena_copy(arena, from->id);
    device->address = arena_copy(arena, from->address);
    device->public_key = arena_copy(arena, from->public_key);
    device->auth = arena_copy(arena, from->auth);
    device->aes_key = arena_copy(arena, from->aes_key);
    device->auth_key = arena_copy(arena, from->auth_key);
    device->display_name = BYTES_ABSENT;
    return device;
}

struct push_item *push_item_new(const struct push_job *job, struct bytes service, void *owner) {
    struct push_item *item = calloc(1, sizeof(*item));
    check(item != NULL);
    arena_init(&item->arena);
    item->owner = owner;
    item->job = *job;
    item->job.device = device_keep(&item->arena, job->device);
    item->job.json = arena_copy(&item->arena, job->json);
    item->job.title = arena_copy(&item->arena, job->title);
    item->job.text = arena_copy(&item->arena, job->text);
    item->service = arena_copy(&item->arena, service);
    return item;
}

void push_item_free(struct push_item *item) {
    arena_close(&item->arena);
    free(item);
}

/* ---- who has how much ---- */

static struct push_holder **bucket_of(const struct push_queue *self, const struct id_hash *user) {
    return &self->holders[id_hash_position(user) % BUCKETS];
}

static struct push_holder *holder_find(const struct push_queue *self, const struct id_hash *user) {
    struct push_holder *holder = *bucket_of(self, user);
    while (holder != NULL && !id_hash_equal(&holder->user, user))
        holder = holder->next;
    return holder;
}

static struct push_holder *holder_get(struct push_queue *self, const struct id_hash *user) {
    struct push_holder *holder = holder_find(self, user);
    if (holder != NULL)
        return holder;
    struct push_holder **bucket = bucket_of(self, user);
    holder = calloc(1, sizeof(*holder));
    check(holder != NULL);
    *holder = (struct push_holder){.next = *bucket, .user = *user};
    *bucket = holder;
    return holder;
}

static void holder_free(struct push_queue *self, struct push_holder *holder) {
    struct push_holder **link = bucket_of(self, &holder->user);
    while (*link != holder)
        link = &(*link)->next;
    *link = holder->next;
    free(holder);
}

static const struct push_holder *largest_find(const struct push_queue *self) {
    const struct push_holder *largest = NULL;
    for (size_t i = 0; i < BUCKETS; i++)
        for (const struct push_holder *holder = self->holders[i]; holder != NULL; holder = holder->next)
            if (largest == NULL || holder->count > largest->count ||
                (holder->count == largest->count && holder->first->job.happened_ms < largest->first->job.happened_ms))
                largest = holder;
    return largest;
}

/* ---- the queue ---- */

void push_queue_init(struct push_queue *self) {
    *self = (struct push_queue){.holders = calloc(BUCKETS, sizeof(struct push_holder *))};
    check(self->holders != NULL);
}

static void append(struct push_queue *self, struct push_item *item) {
    struct push_holder *holder = holder_get(self, &item->job.user);
    struct push_item **end = &holder->first;
    while (*end != NULL)
        end = &(*end)->next_of_user;
    *end = item;
    item->next_of_user = NULL;
    holder->count++;
    item->next = NULL;
    item->previous = self->last;
    *(self->last == NULL ? &self->first : &self->last->next) = item;
    self->last = item;
    self->count++;
}

void push_queue_take(struct push_queue *self, struct push_item *item) {
    struct push_holder *holder = holder_find(self, &item->job.user);
    struct push_item **link = &holder->first;
    while (*link != item)
        link = &(*link)->next_of_user;
    *link = item->next_of_user;
    if (--holder->count == 0)
        holder_free(self, holder);
    *(item->previous == NULL ? &self->first : &item->previous->next) = item->next;
    *(item->next == NULL ? &self->last : &item->next->previous) = item->previous;
    self->count--;
}

void push_queue_close(struct push_queue *self) {
    while (self->first != NULL) {
        struct push_item *item = self->first;
        push_queue_take(self, item);
        push_item_free(item);
    }
    free(self->holders);
}

static void drop(struct push_queue *self, struct push_item *item, uint64_t *counter) {
    push_queue_take(self, item);
    push_item_free(item);
    ++*counter;
}

static bool is_of_device(const struct push_item *item, const struct push_item *other) {
    return bytes_equal(item->job.device->id, other->job.device->id);
}

/* What else waits for the user of the item. */
struct rivals {
    struct push_item *same;             /* of the device and thread */
    struct push_item *oldest;           /* of the user */
    struct push_item *oldest_of_device; /* of the user's device */
    size_t count, count_of_device;
};

static struct rivals rivals_of(const struct push_queue *self, const struct push_item *item) {
    const struct push_holder *holder = holder_find(self, &item->job.user);
    struct rivals rivals = {0};
    if (holder == NULL)
        return rivals;
    rivals.oldest = holder->first;
    rivals.count = holder->count;
    for (struct push_item *other = holder->first; other != NULL; other = other->next_of_user) {
        if (!is_of_device(item, other))
            continue;
        if (id_hash_equal(&other->job.thread, &item->job.thread))
            rivals.same = other;
        if (rivals.count_of_device++ == 0)
            rivals.oldest_of_device = other;
    }
    return rivals;
}

static void drop_for_room(struct push_queue *self, const struct rivals *rivals) {
    if (rivals->count_of_device >= PUSH_WAITING_PER_DEVICE_MAX)
        drop(self, rivals->oldest_of_device, &self->displaced);
    else if (rivals->count >= PUSH_WAITING_PER_USER_MAX)
        drop(self, rivals->oldest, &self->displaced);
    else if (self->count >= PUSH_WAITING_MAX)
        drop(self, largest_find(self)->first, &self->displaced);
}

void push_queue_add(struct push_queue *self, struct push_item *item) {
    struct rivals rivals = rivals_of(self, item);
    bool is_late = rivals.same != NULL && rivals.same->job.happened_ms > item->job.happened_ms;
    if (is_late) {
        push_item_free(item);
        self->replaced++;
        return;
    }
    if (rivals.same != NULL) {
        item->due_ms = rivals.same->due_ms; /* when the service said that it may be asked again */
        drop(self, rivals.same, &self->replaced);
    } else {
        drop_for_room(self, &rivals);
    }
    append(self, item);
}

void push_queue_add_again(struct push_queue *self, struct push_item *item) {
    struct rivals rivals = rivals_of(self, item);
    bool has_room = rivals.count_of_device < PUSH_WAITING_PER_DEVICE_MAX && rivals.count < PUSH_WAITING_PER_USER_MAX &&
                    self->count < PUSH_WAITING_MAX;
    if (rivals.same == NULL && has_room) {
        append(self, item);
        return;
    }
    if (rivals.same != NULL && rivals.same->due_ms < item->due_ms)
        rivals.same->due_ms = item->due_ms;
    ++*(rivals.same != NULL ? &self->replaced : &self->displaced);
    push_item_free(item);
}
