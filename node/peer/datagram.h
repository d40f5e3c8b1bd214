#pragma once
/* Messages to other nodes, as nng carries them: lossy, whole or not at all; the only file that knows nng. Used by
 * peer_links, on its loop's thread. One listening SUB socket with the empty topic, and one dialling PUB socket for each
 * peer. PUB never waits: what its buffer does not hold is dropped, oldest first, without a word. nng's other patterns
 * leak or lock up when peers die again and again; these two do not, as long as sockets are only closed at the end. */
#include "proto/bytes.h"

/* One message; its size does not change. */
struct datagram;

struct datagram *datagram_new(size_t size);
uint8_t *datagram_body(struct datagram *datagram);
struct bytes datagram_bytes(struct datagram *datagram);
void datagram_free(struct datagram *datagram);

struct datagram_inlet;

/* `address`: "host:port", port 0: any; `size_max`: longer messages end the connection; `messages_max`: not yet
 * received, beyond it the oldest are dropped. STATUS_CONFLICT, STATUS_BAD_REQUEST, STATUS_INTERNAL_ERROR; `reason` says
 * what. */
int datagram_inlet_open(const char *address, size_t size_max, int messages_max, struct datagram_inlet **inlet,
                        const char **reason);
void datagram_inlet_close(struct datagram_inlet *inlet);
/* Readable as long as a message waits; the inlet's own. */
int datagram_inlet_descriptor(const struct datagram_inlet *inlet);
uint16_t datagram_inlet_port(const struct datagram_inlet *inlet);
/* The next message, which is the caller's to free; NULL: none waits. */
struct datagram *datagram_inlet_receive(struct datagram_inlet *inlet);

struct datagram_outlet;

/* `messages_max`: sent but not yet taken by the connection. NULL: no descriptor is left. */
struct datagram_outlet *datagram_outlet_new(int messages_max);
void datagram_outlet_free(struct datagram_outlet *outlet);
/* Connects, again and again until it works, after every loss, and until the next dial or hang_up; does not wait. To be
 * called again when a connection hangs, half open or being made: the system would take minutes to give it up.
 * STATUS_BAD_REQUEST: the address has no proper form; STATUS_INTERNAL_ERROR. */
int datagram_outlet_dial(struct datagram_outlet *outlet, const char *address);
void datagram_outlet_hang_up(struct datagram_outlet *outlet);
/* Whether what is sent now has somewhere to go. */
bool datagram_outlet_is_connected(const struct datagram_outlet *outlet);
/* Takes the datagram. */
void datagram_outlet_send(struct datagram_outlet *outlet, struct datagram *datagram);

/* "host:port", as this file takes it. */
#define DATAGRAM_ADDRESS_BYTES_MAX 272 /* with its end; a host name has up to 253 characters */
bool datagram_address_is_sound(const char *address);
