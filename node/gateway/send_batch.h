#pragma once
/* Sends to many sockets together. With io_uring all of a batch goes to the system in one call, which costs about two
 * thirds of one send() each (bench/README.md). Where the kernel has none or does not allow it (one before 6.1, the
 * sysctl kernel.io_uring_disabled, a container's filter), and for a few sockets, it is one send() each. Never waits for
 * a socket, and knows nothing of WebSockets. For one thread, which is the one that calls send_batch_perform. */
#include <stdbool.h>
#include <stddef.h>

#define SEND_BATCH_MAX 256

struct send_batch_item {
    void *user;
    int descriptor;
    const void *data; /* borrowed until send_batch_perform has returned */
    size_t size;
    /* As of send(): bytes that the system took, perhaps fewer than `size`, or a negative errno. -EIO: the system
     * failed, and nobody knows how much it took. */
    int result;
};

struct send_batch;

/* `may_use_io_uring`: false if the operator does not want it. */
struct send_batch *send_batch_new(bool may_use_io_uring);
void send_batch_free(struct send_batch *batch);

bool send_batch_is_full(const struct send_batch *batch);
/* The batch must not be full, and a descriptor must not be in it twice: the order of one batch is not promised. `size`
 * is at most INT_MAX. */
void send_batch_add(struct send_batch *batch, int descriptor, const void *data, size_t size, void *user);

/* Fills in the results. Returns the items and their number; they are the batch's own, whole until the next add. The
 * batch is empty then. */
const struct send_batch_item *send_batch_perform(struct send_batch *batch, size_t *count);
