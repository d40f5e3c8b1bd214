#pragma once
/* The node's own certificate authority and certificate, made at first start so that TLS works without any preparation.
 * Called once at start. Never touches certificates that were given by the operator. */
#include <stddef.h>
#include <stdint.h>

#define CERTIFICATE_PATH_MAX 4096

struct certificate_options {
    const char *folder;       /* where ca.pem, ca-key.pem, cert.pem and key.pem are; made if missing */
    const char *const *names; /* host names and addresses beside localhost, 127.0.0.1, ::1 and the host's own name */
    size_t names_count;
    const char *certificate_file; /* given by the operator, with key_file; NULL: made here */
    const char *key_file;
    int64_t now_s; /* Unix time */
};

struct certificate_files {
    char ca[CERTIFICATE_PATH_MAX]; /* what clients trust; "" when files were given */
    char certificate[CERTIFICATE_PATH_MAX];
    char key[CERTIFICATE_PATH_MAX];
};

/* EC P-256, signed with SHA-256. Keys are 0600. The leaf is made anew when it expires within 30 days, is not signed by
 * the CA, or does not have exactly the wanted names. STATUS_INTERNAL_ERROR with a sentence for people in `error`. */
int certificate_prepare(const struct certificate_options *options, struct certificate_files *files, char *error,
                        size_t error_size);
