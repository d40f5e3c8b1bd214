#pragma once
/* Requests signed with a resource's access key, as a trusted service signs them (contract 2.1): what weftctl needs to
 * get tokens for the users whose threads it reads. */
#include <curl/curl.h>
#include <stddef.h>
#include <time.h>

#define CONNECTION_ENDPOINT_BYTES_MAX 300
#define CONNECTION_KEY_BYTES_MAX 256

struct connection {
    char endpoint[CONNECTION_ENDPOINT_BYTES_MAX]; /* scheme://host[:port], no slash behind it */
    char host[CONNECTION_ENDPOINT_BYTES_MAX];     /* as the Host header has it */
    unsigned char key[CONNECTION_KEY_BYTES_MAX];
    size_t key_bytes;
};

/* "endpoint=https://host/;accesskey=<base64>", names in any case and order. NULL, or what is wrong with it (static). */
const char *connection_parse(const char *text, struct connection *connection);

/* Adds the headers that sign a request at `now`; `target` is path and query as sent. Returns the longer list. */
struct curl_slist *signing_headers(const struct connection *connection, struct curl_slist *headers, const char *method,
                                   const char *target, const char *body, time_t now);
