#include "node/gateway/tls.h"

#include <h2o.h>
#include <openssl/err.h>
#include <stdio.h>

#include "proto/status.h"

/* What openssl says last is the most specific. */
static const char *openssl_reason(void) {
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    return reason == NULL ? "unknown error" : reason;
}

static int fail(SSL_CTX *context, const char *what, const char *file, char *error, size_t error_size) {
    snprintf(error, error_size, "cannot %s %s: %s", what, file, openssl_reason());
    ERR_clear_error();
    SSL_CTX_free(context);
    return STATUS_INTERNAL_ERROR;
}

static void set_options(SSL_CTX *context) {
    static const unsigned char session_context[] = "weft";
    static const h2o_iovec_t protocols[] = {{H2O_STRLIT("http/1.1")}, {NULL, 0}};
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    /* An idle connection gives its record buffers back: 34 KB less for each. */
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    /* Sessions are resumed by stateless tickets; a cache would only hold memory. */
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_session_id_context(context, session_context, sizeof(session_context) - 1);
    /* No close_notify: every answer says its length and a WebSocket has its own goodbye. h2o would write the alert to a
     * connection that the peer has reset, libuv refuses that write without a callback, and the descriptor would be
     * lost. */
    SSL_CTX_set_quiet_shutdown(context, 1);
    h2o_ssl_register_alpn_protocols(context, protocols);
}

int tls_context_new(const char *certificate_file, const char *key_file, SSL_CTX **out, char *error, size_t error_size) {
    *out = NULL;
    ERR_clear_error();
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (context == NULL)
        return fail(NULL, "make", "a TLS context", error, error_size);
    set_options(context);
    if (SSL_CTX_use_certificate_chain_file(context, certificate_file) != 1)
        return fail(context, "use the certificate", certificate_file, error, error_size);
    if (SSL_CTX_use_PrivateKey_file(context, key_file, SSL_FILETYPE_PEM) != 1)
        return fail(context, "use the key", key_file, error, error_size);
    if (SSL_CTX_check_private_key(context) != 1)
        return fail(context, "use the key, it does not belong to the certificate:", key_file, error, error_size);
    *out = context;
    return 0;
}
