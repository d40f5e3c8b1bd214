#pragma once
/* The body of an HTTP answer, as libcurl brings it. */
#include <stddef.h>

#define ANSWER_BODY_BYTES_MAX (64U * 1024 * 1024) /* many times what the largest answer of a node has */

struct answer_body {
    char *data; /* the holder's; NULL: nothing has come */
    size_t size;
};

/* A CURLOPT_WRITEFUNCTION whose context is an answer_body; one beyond the bound breaks the transfer off. */
size_t answer_body_take(char *data, size_t size, size_t count, void *context);
