#pragma once
/* A TCP connection of the generator, plain or TLS, that never blocks. The reader's buffer is shared by all streams, so
 * an idle one costs next to nothing. */
#include <openssl/ssl.h>

#include "bench/address.h"
#include "bench/loop.h"
#include "proto/buffer.h"

struct stream {
    int fd;   /* -1: closed */
    SSL *ssl; /* NULL: plain */
    struct buffer unsent;
    bool is_connected; /* TCP, and TLS if there is any */
};

/* Trusts `ca_file`, or the system's authorities when it is NULL. NULL: it cannot be read; `reason` says so. */
SSL_CTX *stream_tls_new(const char *ca_file, char *reason, size_t reason_size);

/* Starts to connect. `tls` is needed for TLS addresses. STATUS_SERVICE_UNAVAILABLE: no socket; errno says why. */
int stream_open(struct stream *stream, const struct address *address, SSL_CTX *tls);
void stream_close(struct stream *stream);

/* To be called when the descriptor is ready, until `is_connected`. STATUS_SERVICE_UNAVAILABLE: it failed; `reason` says
 * why. */
int stream_connect_step(struct stream *stream, char *reason, size_t reason_size);

/* Bytes read into `data`; 0: nothing there now; STATUS_SERVICE_UNAVAILABLE: closed or broken. `*has_more`: call again,
 * the descriptor will not become ready for what is already here. */
long stream_read(struct stream *stream, void *data, size_t size, bool *has_more);

/* Sends what `unsent` holds, as far as it goes. STATUS_SERVICE_UNAVAILABLE: broken. */
int stream_flush(struct stream *stream);

/* What to wait for next: EPOLLIN, EPOLLOUT or both. */
uint32_t stream_events(const struct stream *stream);
