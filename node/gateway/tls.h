#pragma once
/* The TLS settings of the gateway, shared by all workers. */
#include <openssl/ssl.h>
#include <stddef.h>

/* TLS 1.2 and 1.3, HTTP/1.1 by ALPN, stateless tickets, buffers released when idle. The files are PEM; the certificate
 * file may hold a chain. STATUS_INTERNAL_ERROR with a sentence for people in `error`. Free with SSL_CTX_free. */
int tls_context_new(const char *certificate_file, const char *key_file, SSL_CTX **out, char *error, size_t error_size);
