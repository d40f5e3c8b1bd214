#pragma once
/* How one OS thread hands work to another: parcels are posted from anywhere and delivered, in the order of posting, on
 * the loop that owns the mailbox. Used by the gateway workers, the core loop and the disk worker. All parcels that are
 * waiting are delivered in one go per loop turn; what is posted meanwhile waits for the next turn. */
#include <pthread.h>
#include <stdbool.h>
#include <uv.h>

/* Put it into the struct that is handed over (intrusive, so posting never allocates). The receiver owns the parcel from
 * the moment `deliver` is called. */
struct parcel {
    struct parcel *next; /* the mailbox's */
    void (*deliver)(void *receiver, struct parcel *parcel);
};

struct mailbox {
    uv_poll_t poll; /* of the wakeup's descriptor */
    int wakeup;
    pthread_mutex_t mutex;
    struct parcel *first;
    struct parcel **end;
    void *receiver;
    bool is_open;
    void (*on_closed)(struct mailbox *mailbox);
};

/* `receiver` is given to every `deliver`. STATUS_INTERNAL_ERROR if the loop has no file descriptor left. */
int mailbox_init(struct mailbox *mailbox, uv_loop_t *loop, void *receiver);

/* From any thread. 0: taken, will be delivered. STATUS_SHUTTING_DOWN: the mailbox is closed, the parcel stays yours. */
int mailbox_post(struct mailbox *mailbox, struct parcel *parcel);

/* On the loop's own thread. Delivers what is waiting, then takes nothing more. The memory is needed until `on_closed`
 * (may be NULL) is called by the loop; afterwards call mailbox_dispose when no other thread can post. */
void mailbox_close(struct mailbox *mailbox, void (*on_closed)(struct mailbox *mailbox));
void mailbox_dispose(struct mailbox *mailbox);
