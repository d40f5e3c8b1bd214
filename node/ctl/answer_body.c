#include "node/ctl/answer_body.h"

#include <stdlib.h>
#include <string.h>

#include "proto/check.h"

size_t answer_body_take(char *data, size_t size, size_t count, void *context) {
    struct answer_body *body = context;
    size_t more = size * count;
    if (body->size + more > ANSWER_BODY_BYTES_MAX)
        return 0;
    body->data = realloc(body->data, body->size + more + 1);
    check(body->data != NULL);
    memcpy(body->data + body->size, data, more);
    body->size += more;
    return more;
}
