#include "node/gateway/send_batch.h"

#include <errno.h>
#include <liburing.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "node/log.h"
#include "proto/check.h"

/* Below that the one call costs more than it saves. */
#define TOGETHER_MIN 4
#define SEND_FLAGS (MSG_NOSIGNAL | MSG_DONTWAIT)
#define RESULT_NONE INT_MIN

/*
 *   UNTRIED ───── the first larger batch ─────▶ OPEN
 *      │                                          │ an error of the system
 *      └── not there, not allowed, not wanted ────┴──▶ CLOSED
 */
enum ring_state { RING_UNTRIED, RING_OPEN, RING_CLOSED };

struct send_batch {
    struct send_batch_item items[SEND_BATCH_MAX];
    size_t count;
    enum ring_state state;
    struct io_uring ring;
};

/* Called by the thread that sends: the kernel saves locks and wake-ups when it knows that there is only one, and that
 * it looks for results only when it asks for them. Linux knows these flags since 6.1; an older one gives EINVAL. */
static void ring_open(struct send_batch *batch) {
    struct io_uring_params params = {.flags = IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER |
                                              IORING_SETUP_DEFER_TASKRUN};
    int rc = io_uring_queue_init_params(SEND_BATCH_MAX, &batch->ring, &params);
    batch->state = rc == 0 ? RING_OPEN : RING_CLOSED;
    if (rc != 0)
        log_info("io_uring cannot be used (%s): one send for each delivery", strerror(-rc));
}

static void ring_close(struct send_batch *batch) {
    if (batch->state == RING_OPEN)
        io_uring_queue_exit(&batch->ring);
    batch->state = RING_CLOSED;
}

static void submissions_make(struct send_batch *batch) {
    for (size_t i = 0; i < batch->count; i++) {
        const struct send_batch_item *item = &batch->items[i];
        struct io_uring_sqe *entry = io_uring_get_sqe(&batch->ring);
        check(entry != NULL);
        io_uring_prep_send(entry, item->descriptor, item->data, item->size, SEND_FLAGS);
        entry->user_data = i;
    }
}

static size_t results_take(struct send_batch *batch) {
    struct io_uring_cqe *entry;
    unsigned head;
    unsigned taken = 0;
    io_uring_for_each_cqe(&batch->ring, head, entry) {
        check(entry->user_data < batch->count);
        batch->items[entry->user_data].result = entry->res;
        taken++;
    }
    io_uring_cq_advance(&batch->ring, taken);
    return taken;
}

/* Submissions are taken in their order. What is not taken is sent one by one afterwards; what is taken and has no
 * result may have gone out or not, so that its connection must not go on. */
static void give_up(struct send_batch *batch, size_t submitted) {
    for (size_t i = 0; i < submitted; i++)
        if (batch->items[i].result == RESULT_NONE)
            batch->items[i].result = -EIO;
    ring_close(batch);
}

/* Sends that do not wait have their results when the call returns, so that nothing is under way between two batches. */
static void send_together(struct send_batch *batch) {
    submissions_make(batch);
    size_t submitted = 0;
    size_t completed = 0;
    while (completed < batch->count) {
        int rc = io_uring_submit_and_wait(&batch->ring, (unsigned)(batch->count - completed));
        if (rc < 0 && rc != -EINTR) {
            log_warning("io_uring fails (%s): from now on one send for each delivery", strerror(-rc));
            give_up(batch, submitted);
            return;
        }
        submitted += rc > 0 ? (size_t)rc : 0;
        completed += results_take(batch);
    }
}

/* A send that a signal has interrupted has sent nothing. */
static bool is_unsent(const struct send_batch_item *item) {
    return item->result == RESULT_NONE || item->result == -EINTR;
}

static void send_one(struct send_batch_item *item) {
    ssize_t sent;
    do
        sent = send(item->descriptor, item->data, item->size, SEND_FLAGS);
    while (sent < 0 && errno == EINTR);
    item->result = sent < 0 ? -errno : (int)sent;
}

struct send_batch *send_batch_new(bool may_use_io_uring) {
    struct send_batch *batch = calloc(1, sizeof(*batch));
    check(batch != NULL);
    batch->state = may_use_io_uring ? RING_UNTRIED : RING_CLOSED;
    return batch;
}

void send_batch_free(struct send_batch *batch) {
    ring_close(batch);
    free(batch);
}

bool send_batch_is_full(const struct send_batch *batch) {
    return batch->count == SEND_BATCH_MAX;
}

void send_batch_add(struct send_batch *batch, int descriptor, const void *data, size_t size, void *user) {
    check(batch->count < SEND_BATCH_MAX && size <= INT_MAX);
    batch->items[batch->count++] = (struct send_batch_item){
        .user = user, .descriptor = descriptor, .data = data, .size = size, .result = RESULT_NONE};
}

/* Nothing but the calls in the loops here: what a call leaves of the processor's caches is not lost on bookkeeping in
 * between, which is the caller's, afterwards. */
const struct send_batch_item *send_batch_perform(struct send_batch *batch, size_t *count) {
    bool is_large = batch->count >= TOGETHER_MIN;
    if (is_large && batch->state == RING_UNTRIED)
        ring_open(batch);
    if (is_large && batch->state == RING_OPEN)
        send_together(batch);
    for (size_t i = 0; i < batch->count; i++)
        if (is_unsent(&batch->items[i]))
            send_one(&batch->items[i]);
    *count = batch->count;
    batch->count = 0;
    return batch->items;
}
