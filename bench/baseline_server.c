#define _GNU_SOURCE
#include "bench/baseline_server.h"

#include <errno.h>
#include <liburing.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/process.h"
#include "proto/buffer.h"
#include "proto/check.h"

#define EVENTS_PER_TURN 256
#define READ_BYTES 65536
#define RING_ENTRIES 256U
#define CONTROL_TAG UINT32_MAX

struct connection {
    int fd;
    bool is_blocked; /* EPOLLOUT is waited for */
    bool is_pending; /* in the list of this turn */
    struct baseline_head head;
    size_t received; /* bytes of the message that is coming in */
    struct buffer unsent;
};

struct server {
    const struct baseline_load *load;
    int epoll_fd;
    struct connection *connections;
    uint32_t *pending; /* connections with something to write at the end of this turn */
    size_t pending_count;
    uint8_t *frame;
    struct io_uring ring; /* BASELINE_TOGETHER only */
};

static void watch(const struct server *server, uint32_t index, int operation, uint32_t events) {
    struct epoll_event event = {.events = events, .data.u32 = index};
    check(epoll_ctl(server->epoll_fd, operation, server->connections[index].fd, &event) == 0);
}

static void accept_all(struct server *server, int listen_fd) {
    uint32_t count = server->load->threads * server->load->participants;
    for (uint32_t i = 0; i < count; i++) {
        int on = 1;
        struct connection *connection = &server->connections[i];
        connection->fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK);
        check(connection->fd >= 0);
        setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        watch(server, i, EPOLL_CTL_ADD, EPOLLIN);
    }
    close(listen_fd);
}

/* What does not go is kept for when the socket is writable again. */
static void keep_rest(const struct server *server, uint32_t index, ssize_t sent) {
    struct connection *connection = &server->connections[index];
    size_t size = server->load->frame_bytes;
    size_t gone = sent > 0 ? (size_t)sent : 0;
    if (gone == size)
        return;
    buffer_append(&connection->unsent, server->frame + gone, size - gone);
    if (!connection->is_blocked)
        watch(server, index, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
    connection->is_blocked = true;
}

static void write_or_keep(const struct server *server, uint32_t index) {
    const struct connection *connection = &server->connections[index];
    size_t size = server->load->frame_bytes;
    keep_rest(server, index, connection->is_blocked ? 0 : send(connection->fd, server->frame, size, MSG_NOSIGNAL));
}

static int ring_open(struct io_uring *ring) {
    unsigned flags = IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
    return io_uring_queue_init(RING_ENTRIES, ring, flags);
}

static unsigned submissions_make(struct server *server, uint32_t first, uint32_t end) {
    unsigned count = 0;
    for (uint32_t i = first; i < end; i++) {
        if (server->connections[i].is_blocked) {
            keep_rest(server, i, 0);
            continue;
        }
        struct io_uring_sqe *entry = io_uring_get_sqe(&server->ring);
        check(entry != NULL);
        io_uring_prep_send(entry, server->connections[i].fd, server->frame, server->load->frame_bytes,
                           MSG_NOSIGNAL | MSG_DONTWAIT);
        entry->user_data = i;
        count++;
    }
    return count;
}

static void send_together(struct server *server, uint32_t first, uint32_t end) {
    struct io_uring_cqe *result;
    unsigned head, count = submissions_make(server, first, end);
    check(io_uring_submit_and_wait(&server->ring, count) == (int)count && io_uring_cq_ready(&server->ring) == count);
    io_uring_for_each_cqe(&server->ring, head, result) keep_rest(server, (uint32_t)result->user_data, result->res);
    io_uring_cq_advance(&server->ring, count);
}

static void merge(struct server *server, uint32_t index) {
    struct connection *connection = &server->connections[index];
    buffer_append(&connection->unsent, server->frame, server->load->frame_bytes);
    if (!connection->is_pending)
        server->pending[server->pending_count++] = index;
    connection->is_pending = true;
}

static void fan_out(struct server *server, uint32_t thread, const struct baseline_head *head) {
    uint32_t first = thread * server->load->participants;
    uint32_t end = first + server->load->participants;
    memcpy(server->frame, head, sizeof *head);
    switch (server->load->mode) {
    case BASELINE_SEND:
        for (uint32_t i = first; i < end; i++)
            write_or_keep(server, i);
        break;
    case BASELINE_COALESCE:
        for (uint32_t i = first; i < end; i++)
            merge(server, i);
        break;
    case BASELINE_TOGETHER:
        for (uint32_t i = first; i < end; i += RING_ENTRIES)
            send_together(server, i, end - i < RING_ENTRIES ? end : i + RING_ENTRIES);
        break;
    }
}

static void flush(const struct server *server, uint32_t index) {
    struct connection *connection = &server->connections[index];
    struct buffer unsent = connection->unsent;
    if (unsent.size == 0)
        return;
    ssize_t sent = send(connection->fd, unsent.data, unsent.size, MSG_NOSIGNAL);
    size_t gone = sent > 0 ? (size_t)sent : 0;
    memmove(unsent.data, unsent.data + gone, unsent.size - gone);
    connection->unsent.size -= gone;
    bool is_blocked = connection->unsent.size > 0;
    if (is_blocked != connection->is_blocked)
        watch(server, index, EPOLL_CTL_MOD, is_blocked ? EPOLLIN | EPOLLOUT : EPOLLIN);
    connection->is_blocked = is_blocked;
}

static void take_bytes(struct server *server, uint32_t index, const uint8_t *data, size_t size) {
    struct connection *connection = &server->connections[index];
    while (size > 0) {
        size_t rest = server->load->request_bytes - connection->received;
        size_t step = size < rest ? size : rest;
        if (connection->received < sizeof connection->head) {
            size_t room = sizeof connection->head - connection->received;
            memcpy((uint8_t *)&connection->head + connection->received, data, step < room ? step : room);
        }
        connection->received += step;
        data += step;
        size -= step;
        if (connection->received < server->load->request_bytes)
            continue;
        connection->received = 0;
        fan_out(server, index / server->load->participants, &connection->head);
    }
}

static void on_readable(struct server *server, uint32_t index) {
    uint8_t data[READ_BYTES];
    ssize_t size = recv(server->connections[index].fd, data, sizeof data, 0);
    if (size > 0)
        take_bytes(server, index, data, (size_t)size);
    else if (size == 0 || errno != EAGAIN)
        _exit(0);
}

static void on_control(int control_fd) {
    uint8_t byte;
    if (read(control_fd, &byte, 1) != 1)
        _exit(0);
    int64_t cpu_ns = process_own_cpu_ns();
    check(write(control_fd, &cpu_ns, sizeof cpu_ns) == (ssize_t)sizeof cpu_ns);
}

static void turn(struct server *server, int control_fd) {
    struct epoll_event events[EVENTS_PER_TURN];
    int count = epoll_wait(server->epoll_fd, events, EVENTS_PER_TURN, -1);
    for (int i = 0; i < count; i++) {
        uint32_t index = events[i].data.u32;
        if (index == CONTROL_TAG) {
            on_control(control_fd);
            continue;
        }
        if (events[i].events & EPOLLOUT)
            flush(server, index);
        if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
            on_readable(server, index);
    }
    for (size_t i = 0; i < server->pending_count; i++) {
        server->connections[server->pending[i]].is_pending = false;
        if (!server->connections[server->pending[i]].is_blocked)
            flush(server, server->pending[i]);
    }
    server->pending_count = 0;
}

int baseline_server_try(enum baseline_mode mode) {
    struct io_uring ring;
    if (mode != BASELINE_TOGETHER)
        return 0;
    int rc = ring_open(&ring);
    if (rc == 0)
        io_uring_queue_exit(&ring);
    return rc;
}

_Noreturn void baseline_server_run(int listen_fd, int control_fd, const struct baseline_load *load) {
    size_t count = (size_t)load->threads * load->participants;
    struct server server = {
        .load = load,
        .epoll_fd = epoll_create1(0),
        .connections = calloc(count, sizeof *server.connections),
        .pending = calloc(count, sizeof *server.pending),
        .frame = calloc(1, load->frame_bytes),
    };
    check(server.epoll_fd >= 0 && server.connections != NULL && server.pending != NULL && server.frame != NULL);
    check(load->mode != BASELINE_TOGETHER || ring_open(&server.ring) == 0);
    accept_all(&server, listen_fd);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = CONTROL_TAG};
    check(epoll_ctl(server.epoll_fd, EPOLL_CTL_ADD, control_fd, &event) == 0);
    for (;;)
        turn(&server, control_fd);
}
