#define _GNU_SOURCE
#include "bench/stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "proto/check.h"
#include "proto/status.h"

SSL_CTX *stream_tls_new(const char *ca_file, char *reason, size_t reason_size) {
    SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
    check(tls != NULL);
    SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(tls,
                     SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    /* One system call brings many small records. */
    SSL_CTX_set_read_ahead(tls, 1);
    int ok = ca_file == NULL ? SSL_CTX_set_default_verify_paths(tls) : SSL_CTX_load_verify_file(tls, ca_file);
    if (ok == 1)
        return tls;
    const char *error = ERR_reason_error_string(ERR_peek_last_error());
    if (ca_file != NULL && access(ca_file, R_OK) != 0)
        error = strerror(errno);
    snprintf(reason, reason_size, "cannot read the CA certificate %s: %s", ca_file == NULL ? "(system)" : ca_file,
             error == NULL ? "no certificate in it" : error);
    SSL_CTX_free(tls);
    return NULL;
}

static SSL *tls_session_new(SSL_CTX *tls, const struct address *address, int fd) {
    SSL *ssl = SSL_new(tls);
    check(ssl != NULL && SSL_set_fd(ssl, fd) == 1);
    uint8_t binary[sizeof(struct in6_addr)];
    bool is_ip = inet_pton(AF_INET, address->host, binary) == 1 || inet_pton(AF_INET6, address->host, binary) == 1;
    if (is_ip) {
        check(X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), address->host) == 1);
    } else {
        check(SSL_set1_host(ssl, address->host) == 1);
        check(SSL_set_tlsext_host_name(ssl, address->host) == 1);
    }
    SSL_set_connect_state(ssl);
    return ssl;
}

int stream_open(struct stream *stream, const struct address *address, SSL_CTX *tls) {
    *stream = (struct stream){.fd = socket(address->socket.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    buffer_init(&stream->unsent);
    if (stream->fd < 0)
        return STATUS_SERVICE_UNAVAILABLE;
    int on = 1;
    setsockopt(stream->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    int rc = connect(stream->fd, (const struct sockaddr *)&address->socket, address->socket_size);
    if (rc != 0 && errno != EINPROGRESS) {
        int error = errno;
        stream_close(stream);
        errno = error;
        return STATUS_SERVICE_UNAVAILABLE;
    }
    if (address->is_tls)
        stream->ssl = tls_session_new(tls, address, stream->fd);
    return STATUS_OK;
}

void stream_close(struct stream *stream) {
    SSL_free(stream->ssl);
    if (stream->fd >= 0)
        close(stream->fd);
    buffer_close(&stream->unsent);
    *stream = (struct stream){.fd = -1};
}

static const char *tls_error(const struct stream *stream) {
    long verdict = SSL_get_verify_result(stream->ssl);
    if (verdict != X509_V_OK)
        return X509_verify_cert_error_string(verdict);
    const char *text = ERR_reason_error_string(ERR_peek_last_error());
    return text == NULL ? "the connection was closed" : text;
}

int stream_connect_step(struct stream *stream, char *reason, size_t reason_size) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) {
        snprintf(reason, reason_size, "%s", strerror(error));
        return STATUS_SERVICE_UNAVAILABLE;
    }
    if (stream->ssl == NULL) {
        stream->is_connected = true;
        return STATUS_OK;
    }
    ERR_clear_error();
    int rc = SSL_do_handshake(stream->ssl);
    stream->is_connected = rc == 1;
    int kind = rc == 1 ? SSL_ERROR_NONE : SSL_get_error(stream->ssl, rc);
    if (kind == SSL_ERROR_NONE || kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE)
        return STATUS_OK;
    snprintf(reason, reason_size, "TLS: %s", tls_error(stream));
    return STATUS_SERVICE_UNAVAILABLE;
}

static long read_tls(struct stream *stream, void *data, size_t size, bool *has_more) {
    ERR_clear_error();
    int rc = SSL_read(stream->ssl, data, size > INT32_MAX ? INT32_MAX : (int)size);
    *has_more = rc > 0 && SSL_has_pending(stream->ssl) == 1;
    if (rc > 0)
        return rc;
    int kind = SSL_get_error(stream->ssl, rc);
    return kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE ? 0 : STATUS_SERVICE_UNAVAILABLE;
}

long stream_read(struct stream *stream, void *data, size_t size, bool *has_more) {
    if (stream->ssl != NULL)
        return read_tls(stream, data, size, has_more);
    ssize_t got = recv(stream->fd, data, size, 0);
    *has_more = got == (ssize_t)size;
    if (got > 0)
        return got;
    return got < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : STATUS_SERVICE_UNAVAILABLE;
}

/* Bytes sent; 0: not now; STATUS_SERVICE_UNAVAILABLE. */
static long write_some(struct stream *stream) {
    const struct buffer *unsent = &stream->unsent;
    if (stream->ssl == NULL) {
        ssize_t sent = send(stream->fd, unsent->data, unsent->size, MSG_NOSIGNAL);
        return sent >= 0 ? sent : errno == EAGAIN || errno == EINTR ? 0 : STATUS_SERVICE_UNAVAILABLE;
    }
    ERR_clear_error();
    int rc = SSL_write(stream->ssl, unsent->data, unsent->size > INT32_MAX ? INT32_MAX : (int)unsent->size);
    if (rc > 0)
        return rc;
    int kind = SSL_get_error(stream->ssl, rc);
    return kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE ? 0 : STATUS_SERVICE_UNAVAILABLE;
}

int stream_flush(struct stream *stream) {
    while (stream->unsent.size > 0) {
        long sent = write_some(stream);
        if (sent <= 0)
            return (int)sent;
        stream->unsent.size -= (size_t)sent;
        memmove(stream->unsent.data, stream->unsent.data + sent, stream->unsent.size);
    }
    return STATUS_OK;
}

uint32_t stream_events(const struct stream *stream) {
    if (!stream->is_connected)
        return stream->ssl != NULL && SSL_want_read(stream->ssl) ? EPOLLIN : EPOLLOUT;
    return stream->unsent.size > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN;
}
