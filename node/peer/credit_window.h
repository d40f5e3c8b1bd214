#pragma once
/* How much a peer has been sent that it has not said to have taken. Below these bounds nothing is dropped on the way:
 * neither nng's buffers nor the peer's overflow. Lost messages weigh until a later one is taken, as counters rise. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CREDIT_WINDOW_BYTES (1024 * 1024)
#define CREDIT_WINDOW_MESSAGES 512 /* nng counts messages, not bytes */

struct credit_window {
    struct {
        uint64_t counter;
        size_t size;
    } sent[CREDIT_WINDOW_MESSAGES]; /* a ring */
    size_t first, count;
    size_t bytes;
};

void credit_window_clear(struct credit_window *window);

/* Whether a message of that size may go now. One that is larger than the window goes when nothing else is under way. */
bool credit_window_has_room(const struct credit_window *window, size_t size);
/* Counters rise. */
void credit_window_sent(struct credit_window *window, uint64_t counter, size_t size);
/* The peer has taken, or will never see, everything up to `counter`. Returns whether that was news. */
bool credit_window_taken(struct credit_window *window, uint64_t counter);
