#include "node/mailbox.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

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

static void on_wakeup(uv_poll_t *poll, int status, int events) {
    struct mailbox *mailbox = poll->data;
    uint64_t wakeups;
    (void)status;
    (void)events;
    if (read(mailbox->wakeup, &wakeups, sizeof(wakeups)) < 0)
        check(errno == EAGAIN || errno == EINTR);
    deliver_all(mailbox);
}

/* An eventfd of our own rather than uv_async: whoever is woken by that one waits, spinning, until its waker has got out
 * of the call, which on few cores takes the time of several deliveries. */
int mailbox_init(struct mailbox *mailbox, uv_loop_t *loop, void *receiver) {
    *mailbox = (struct mailbox){.receiver = receiver, .is_open = true};
    mailbox->end = &mailbox->first;
    mailbox->wakeup = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (mailbox->wakeup < 0)
        return STATUS_INTERNAL_ERROR;
    if (uv_poll_init(loop, &mailbox->poll, mailbox->wakeup) != 0) {
        close(mailbox->wakeup);
        return STATUS_INTERNAL_ERROR;
    }
    mailbox->poll.data = mailbox;
    check(uv_poll_start(&mailbox->poll, UV_READABLE, on_wakeup) == 0);
    check(pthread_mutex_init(&mailbox->mutex, NULL) == 0);
    return 0;
}

int mailbox_post(struct mailbox *mailbox, struct parcel *parcel) {
    check(parcel->deliver != NULL);
    parcel->next = NULL;
    int rc = STATUS_SHUTTING_DOWN;
    bool was_empty = false;
    pthread_mutex_lock(&mailbox->mutex);
    if (mailbox->is_open) {
        was_empty = mailbox->first == NULL;
        *mailbox->end = parcel;
        mailbox->end = &parcel->next;
        rc = 0;
    }
    pthread_mutex_unlock(&mailbox->mutex);
    /* Once per batch: whoever finds the list non-empty knows that a wakeup is on its way. Outside the mutex, which the
     * woken one wants at once; the descriptor lives until mailbox_dispose. */
    uint64_t one = 1;
    if (was_empty)
        check(write(mailbox->wakeup, &one, sizeof(one)) == sizeof(one));
    return rc;
}

static void on_poll_closed(uv_handle_t *handle) {
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
    uv_close((uv_handle_t *)&mailbox->poll, on_poll_closed);
}

void mailbox_dispose(struct mailbox *mailbox) {
    check(mailbox->first == NULL);
    pthread_mutex_destroy(&mailbox->mutex);
    close(mailbox->wakeup);
}
