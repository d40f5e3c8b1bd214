#pragma once
/* A listening socket of one worker and the connections it has accepted. Every worker listens on the same address
 * (SO_REUSEPORT); the kernel spreads connections among them. */
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct http_server;
struct listener;
struct connection_set;

struct listen_address {
    const char *host; /* an address in numbers, or "localhost"; IPv6 without brackets */
    uint16_t port;    /* 0: any free one */
    bool is_tls;      /* false is refused unless the address is a loopback one */
    /* Refused if any other socket listens there. For the first of the workers; the others then share its port. */
    bool is_exclusive;
};

/* The connections of one worker: counted, bounded, and reachable for closing. `total` is counted for all workers
 * together and is what `connections_max` bounds; borrowed as long as the set. NULL: this set is all there is. */
struct connection_set *connection_set_new(uv_loop_t *loop, struct http_server *http, size_t connections_max,
                                          atomic_size_t *total);
size_t connection_set_count(const struct connection_set *set);
/* Connections refused because of the bound or because no file descriptor was left. */
uint64_t connection_set_refused(const struct connection_set *set);
/* Idle connections end; those with an answer on the way end after it. For websockets it is the end. */
void connection_set_stop_reading(struct connection_set *set);
/* Cuts every connection that is left; they end in the following loop turns. */
void connection_set_cut(struct connection_set *set);
void connection_set_free(struct connection_set *set);

/* Binds and listens. STATUS_BAD_REQUEST: not an address, or plain and not loopback.
 * STATUS_INTERNAL_ERROR: the address cannot be bound. `error` gets a sentence for people that names the address. */
int listener_open(struct listener **out, uv_loop_t *loop, struct connection_set *set,
                  const struct listen_address *address, char *error, size_t error_size);
uint16_t listener_port(const struct listener *listener);
/* Takes what is waiting in the backlog, then stops listening. The listener is freed by the loop. */
void listener_close(struct listener *listener);
