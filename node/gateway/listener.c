#include "node/gateway/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "node/gateway/http_server.h"
#include "proto/check.h"

#define BACKLOG 4096
#define KEEPALIVE_S 60
/* How long written bytes may stay unacknowledged, a closed window included: cuts peers that are gone or never read. */
#define UNACKNOWLEDGED_MS_MAX 60000

struct connection_set {
    uv_loop_t *loop;
    struct http_server *http;
    struct connection *first;
    size_t count;
    atomic_size_t *total; /* of all workers */
    atomic_size_t own_total;
    size_t total_max;
    uint64_t refused;
};

struct connection {
    uv_tcp_t tcp; /* first: h2o gives the handle back when it is closed */
    struct connection_set *set;
    struct connection *next;
    struct connection **link;
};

struct listener {
    uv_tcp_t tcp;
    struct connection_set *set;
    uint16_t port;
    bool is_tls;
};

/* ---- Connections ---- */

struct connection_set *connection_set_new(uv_loop_t *loop, struct http_server *http, size_t connections_max,
                                          atomic_size_t *total) {
    struct connection_set *set = calloc(1, sizeof(*set));
    check(set != NULL);
    set->loop = loop;
    set->http = http;
    set->total = total == NULL ? &set->own_total : total;
    set->total_max = connections_max;
    return set;
}

size_t connection_set_count(const struct connection_set *set) {
    return set->count;
}

uint64_t connection_set_refused(const struct connection_set *set) {
    return set->refused;
}

void connection_set_free(struct connection_set *set) {
    check(set->count == 0);
    free(set);
}

static void shut_all(struct connection_set *set, int how) {
    for (struct connection *connection = set->first; connection != NULL; connection = connection->next) {
        uv_os_fd_t fd;
        if (uv_fileno((uv_handle_t *)&connection->tcp, &fd) == 0)
            shutdown(fd, how);
    }
}

void connection_set_stop_reading(struct connection_set *set) {
    shut_all(set, SHUT_RD);
}

void connection_set_cut(struct connection_set *set) {
    shut_all(set, SHUT_RDWR);
}

static void on_connection_closed(uv_handle_t *handle) {
    struct connection *connection = (struct connection *)handle;
    *connection->link = connection->next;
    if (connection->next != NULL)
        connection->next->link = connection->link;
    connection->set->count--;
    atomic_fetch_sub(connection->set->total, 1);
    free(connection);
}

static struct connection *connection_new(struct connection_set *set) {
    struct connection *connection = calloc(1, sizeof(*connection));
    check(connection != NULL);
    check(uv_tcp_init(set->loop, &connection->tcp) == 0);
    connection->set = set;
    connection->next = set->first;
    connection->link = &set->first;
    if (connection->next != NULL)
        connection->next->link = &connection->next;
    set->first = connection;
    set->count++;
    atomic_fetch_add(set->total, 1);
    return connection;
}

static void connection_close(struct connection *connection) {
    uv_close((uv_handle_t *)&connection->tcp, on_connection_closed);
}

static void tune(struct connection *connection) {
    uv_tcp_nodelay(&connection->tcp, 1);
    uv_tcp_keepalive(&connection->tcp, 1, KEEPALIVE_S);
    uv_os_fd_t fd;
    unsigned timeout_ms = UNACKNOWLEDGED_MS_MAX;
    if (uv_fileno((uv_handle_t *)&connection->tcp, &fd) == 0)
        setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof(timeout_ms));
}

static void serve(struct listener *listener, struct connection *connection) {
    tune(connection);
    h2o_socket_t *socket = h2o_uv_socket_create((uv_stream_t *)&connection->tcp, on_connection_closed);
    http_server_accept(listener->set->http, socket, listener->is_tls);
}

static void on_connection(uv_stream_t *stream, int status) {
    struct listener *listener = (struct listener *)stream;
    struct connection_set *set = listener->set;
    /* Out of descriptors: libuv has already accepted and closed what waited, so this does not come again at once. */
    if (status != 0) {
        set->refused++;
        return;
    }
    bool is_full = atomic_load(set->total) >= set->total_max;
    struct connection *connection = connection_new(set);
    if (uv_accept(stream, (uv_stream_t *)&connection->tcp) != 0 || is_full) {
        set->refused++;
        connection_close(connection);
        return;
    }
    serve(listener, connection);
}

/* ---- Listening ---- */

static int parse_address(const struct listen_address *address, struct sockaddr_storage *out) {
    const char *host = strcmp(address->host, "localhost") == 0 ? "127.0.0.1" : address->host;
    if (uv_ip4_addr(host, address->port, (struct sockaddr_in *)out) == 0)
        return 0;
    return uv_ip6_addr(host, address->port, (struct sockaddr_in6 *)out);
}

static bool is_loopback(const struct sockaddr_storage *address) {
    if (address->ss_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24 == 127;
    return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)address)->sin6_addr);
}

static int fail(int fd, const struct listen_address *address, const char *what, char *error, size_t error_size) {
    snprintf(error, error_size, "cannot listen on %s port %u: %s: %s", address->host, (unsigned)address->port, what,
             strerror(errno));
    if (fd >= 0)
        close(fd);
    return STATUS_INTERNAL_ERROR;
}

static socklen_t size_of(const struct sockaddr_storage *address) {
    return address->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

static int new_socket(int family) {
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int on = 1;
    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        /* IPv4 has an address of its own, so that "::" and "0.0.0.0" can both be listened on. */
        if (family == AF_INET6)
            setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    }
    return fd;
}

/* SO_REUSEPORT lets a second server of the same user share the port without a word, and half of the clients would reach
 * the wrong one. So the first worker tries without it. */
static int check_unused(const struct listen_address *address, const struct sockaddr_storage *wanted, char *error,
                        size_t error_size) {
    int fd = new_socket(wanted->ss_family);
    if (fd < 0)
        return fail(fd, address, "socket", error, error_size);
    if (bind(fd, (const struct sockaddr *)wanted, size_of(wanted)) != 0)
        return fail(fd, address, "bind", error, error_size);
    close(fd);
    return 0;
}

static int bind_socket(const struct listen_address *address, const struct sockaddr_storage *wanted, int *out,
                       char *error, size_t error_size) {
    int fd = new_socket(wanted->ss_family);
    if (fd < 0)
        return fail(fd, address, "socket", error, error_size);
    int on = 1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0)
        return fail(fd, address, "SO_REUSEPORT", error, error_size);
    if (bind(fd, (const struct sockaddr *)wanted, size_of(wanted)) != 0)
        return fail(fd, address, "bind", error, error_size);
    *out = fd;
    return 0;
}

static uint16_t bound_port(int fd) {
    struct sockaddr_storage bound = {0};
    socklen_t size = sizeof(bound);
    check(getsockname(fd, (struct sockaddr *)&bound, &size) == 0);
    return ntohs(bound.ss_family == AF_INET ? ((struct sockaddr_in *)&bound)->sin_port
                                            : ((struct sockaddr_in6 *)&bound)->sin6_port);
}

static void on_listener_closed(uv_handle_t *handle) {
    free(handle);
}

static int check_address(const struct listen_address *address, struct sockaddr_storage *wanted, char *error,
                         size_t error_size) {
    if (parse_address(address, wanted) != 0) {
        snprintf(error, error_size, "cannot listen on \"%s\": it is not an address in numbers", address->host);
        return STATUS_BAD_REQUEST;
    }
    if (!address->is_tls && !is_loopback(wanted)) {
        snprintf(error, error_size, "cannot listen on %s port %u without TLS: plain HTTP is for loopback only",
                 address->host, (unsigned)address->port);
        return STATUS_BAD_REQUEST;
    }
    return 0;
}

int listener_open(struct listener **out, uv_loop_t *loop, struct connection_set *set,
                  const struct listen_address *address, char *error, size_t error_size) {
    struct sockaddr_storage wanted = {0};
    int fd = -1;
    int rc = check_address(address, &wanted, error, error_size);
    if (rc == 0 && address->is_exclusive && address->port != 0)
        rc = check_unused(address, &wanted, error, error_size);
    if (rc == 0)
        rc = bind_socket(address, &wanted, &fd, error, error_size);
    if (rc != 0)
        return rc;
    struct listener *listener = calloc(1, sizeof(*listener));
    check(listener != NULL);
    listener->set = set;
    listener->is_tls = address->is_tls;
    listener->port = bound_port(fd);
    check(uv_tcp_init(loop, &listener->tcp) == 0);
    int uv_rc = uv_tcp_open(&listener->tcp, fd);
    if (uv_rc == 0)
        uv_rc = uv_listen((uv_stream_t *)&listener->tcp, BACKLOG, on_connection);
    if (uv_rc != 0) {
        errno = -uv_rc;
        rc = fail(-1, address, "listen", error, error_size);
        uv_close((uv_handle_t *)&listener->tcp, on_listener_closed);
        return rc;
    }
    *out = listener;
    return 0;
}

uint16_t listener_port(const struct listener *listener) {
    return listener->port;
}

/* Closing the socket would reset what the kernel has accepted on our behalf. */
static void serve_backlog(struct listener *listener) {
    uv_os_fd_t listening;
    if (uv_fileno((uv_handle_t *)&listener->tcp, &listening) != 0)
        return;
    while (atomic_load(listener->set->total) < listener->set->total_max) {
        int fd = accept(listening, NULL, NULL);
        if (fd < 0)
            return;
        fcntl(fd, F_SETFD, FD_CLOEXEC);
        struct connection *connection = connection_new(listener->set);
        if (uv_tcp_open(&connection->tcp, fd) == 0) {
            serve(listener, connection);
        } else {
            close(fd);
            connection_close(connection);
        }
    }
}

void listener_close(struct listener *listener) {
    serve_backlog(listener);
    uv_close((uv_handle_t *)&listener->tcp, on_listener_closed);
}
