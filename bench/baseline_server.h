#pragma once
/* The floor under every fan-out server: reads a message from one socket and writes it to all of its thread, with epoll
 * and nothing else; the sends of a message may go by io_uring. Runs in a process of its own so that its CPU time can be
 * told apart. */
#include <stddef.h>
#include <stdint.h>

/* What a message begins with on the wire, in both directions; filler follows up to the agreed size. */
struct baseline_head {
    uint8_t websocket[4];
    uint32_t thread;
    int64_t intended_ns;
};

enum baseline_mode {
    BASELINE_SEND,
    BASELINE_COALESCE, /* what waits for a connection goes out in one write per loop turn */
    BASELINE_TOGETHER, /* io_uring: the sends of a message in one system call */
};

struct baseline_load {
    uint32_t threads;
    uint32_t participants; /* connections per thread */
    size_t request_bytes;  /* of a message to the server, head included */
    size_t frame_bytes;    /* of a message from the server, head included */
    enum baseline_mode mode;
};

/* 0, or the negative errno with which the system refuses what the mode needs. */
int baseline_server_try(enum baseline_mode mode);

/* Accepts threads × participants connections, thread by thread in the order they come, and serves them. One byte on
 * `control_fd` is answered with the CPU time used so far (int64_t, nanoseconds); its end ends the server. Never
 * returns. */
_Noreturn void baseline_server_run(int listen_fd, int control_fd, const struct baseline_load *load);
