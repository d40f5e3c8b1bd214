#pragma once
/* What waits to be sent to devices, in bounded memory, and so that nobody keeps others out: of each device and thread
 * only the newest, of each device and user so much and no more; and where all is taken, who comes takes the room of the
 * oldest that is of whoever has most. No threads: its owner takes turns. */
#include "node/push/push_request.h"

#define PUSH_WAITING_MAX 4096 /* about 25 MB of the longest */
#define PUSH_WAITING_PER_USER_MAX 128
#define PUSH_WAITING_PER_DEVICE_MAX 32 /* threads */

/* What one device is to be told. */
struct push_item {
    struct push_item *next, *previous; /* the queue's */
    struct push_item *next_of_user;    /* the queue's */
    struct arena arena;
    struct push_job job; /* copied */
    struct bytes service;
    unsigned attempts;
    int64_t due_ms;
    /* The owner's. */
    struct sent_webhook *request;
    void *owner;
};

struct push_item *push_item_new(const struct push_job *job, struct bytes service, void *owner);
void push_item_free(struct push_item *item);

struct push_holder;

struct push_queue {
    struct push_item *first, *last; /* in the order in which they are begun */
    size_t count;
    struct push_holder **holders; /* users of whom something waits */
    uint64_t replaced;            /* by something newer */
    uint64_t displaced;           /* for want of room */
};

void push_queue_init(struct push_queue *self);
void push_queue_close(struct push_queue *self);

/* The item is the queue's: it is at the end, or freed, as something newer waits. */
void push_queue_add(struct push_queue *self, struct push_item *item);
/* As above, but for one that was begun before: it displaces nobody. */
void push_queue_add_again(struct push_queue *self, struct push_item *item);
/* Out of the queue; it is the caller's. */
void push_queue_take(struct push_queue *self, struct push_item *item);
