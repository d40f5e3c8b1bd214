#pragma once
/* Where the cluster is and what admits us: from the options, else from the environment. */
#include "node/ctl/arguments.h"

#define ACCESS_ENDPOINTS_MAX 64
#define ACCESS_ENDPOINT_BYTES_MAX 300
#define ACCESS_TOKEN_BYTES_MAX 1024

struct access {
    char endpoints[ACCESS_ENDPOINTS_MAX][ACCESS_ENDPOINT_BYTES_MAX]; /* scheme://host[:port], no slash behind it */
    size_t endpoints_count;
    char token[ACCESS_TOKEN_BYTES_MAX];
    const char *ca_file; /* NULL: the system's authorities. Of the options or the environment */
};

/* 0; EXIT_USAGE or EXIT_NOT_ADMITTED (no token) after saying on standard error what is missing and how to give it. */
int access_choose(const struct arguments *arguments, struct access *access);

/* Only who signed certificates: for what is not asked of the admin interface. */
int access_choose_authorities(const struct arguments *arguments, struct access *access);

/* NULL, or what is wrong with it (static text). `out` gets scheme, host and port: "https://host:8443". */
const char *access_endpoint_read(const char *text, char *out, size_t out_bytes);

/* Adds an endpoint of which the cluster itself told, unless it is known, is none that the token may be sent to, or
 * there are too many. */
void access_learn(struct access *access, const char *endpoint);
