#include "node/mailbox.h"

#include "proto/check.h"
#include "proto/status.h"

static struct parcel *take_all(struct mailbox *mailbox) {
    pthread_mutex_lock(&mailbox->mutex);
    struct parcel *first = mailbox->first;
    mailbox->first = NULL;
    mailbox->end = &mailbox->first;
    pthread_mutex_unlock(&mailbox->mutex);
    return first;
}

static void deliver_all(struct mailbox *mailbox) {
    struct parcel *parcel = take_all(mailbox);
    while (parcel != NULL) {
        struct parcel *next = parcel->next;
        parcel->next = NULL;
        parcel->deliver(mailbox->receiver, parcel);
        parcel = next;
    }
}

static void on_wakeup(uv_async_t *async) {
    deliver_all(async->data);
}

int mailbox_init(struct mailbox *mailbox, uv_loop_t *loop, void *receiver) {
    *mailbox = (struct mailbox){.receiver = receiver, .is_open = true};
    mailbox->end = &mailbox->first;
    if (uv_async_init(loop, &mailbox->async, on_wakeup) != 0)
        return STATUS_INTERNAL_ERROR;
    mailbox->async.data = mailbox;
    check(pthread_mutex_init(&mailbox->mutex, NULL) == 0);
    return 0;
}

int mailbox_post(struct mailbox *mailbox, struct parcel *parcel) {
    check(parcel->deliver != NULL);
    parcel->next = NULL;
    int rc = STATUS_SHUTTING_DOWN;
    pthread_mutex_lock(&mailbox->mutex);
    if (mailbox->is_open) {
        bool was_empty = mailbox->first == NULL;
        *mailbox->end = parcel;
        mailbox->end = &parcel->next;
        /* Under the mutex, so that the handle cannot be closed in between; and once per batch, because whoever finds
         * the list non-empty knows that a wakeup is on its way. */
        if (was_empty)
            uv_async_send(&mailbox->async);
        rc = 0;
    }
    pthread_mutex_unlock(&mailbox->mutex);
    return rc;
}

static void on_async_closed(uv_handle_t *handle) {
    struct mailbox *mailbox = handle->data;
    if (mailbox->on_closed != NULL)
        mailbox->on_closed(mailbox);
}

void mailbox_close(struct mailbox *mailbox, void (*on_closed)(struct mailbox *mailbox)) {
    pthread_mutex_lock(&mailbox->mutex);
    check(mailbox->is_open);
    mailbox->is_open = false;
    pthread_mutex_unlock(&mailbox->mutex);
    deliver_all(mailbox);
    mailbox->on_closed = on_closed;
    uv_close((uv_handle_t *)&mailbox->async, on_async_closed);
}

void mailbox_dispose(struct mailbox *mailbox) {
    check(mailbox->first == NULL);
    pthread_mutex_destroy(&mailbox->mutex);
}
