#pragma once
/* The admin interface of the cluster: one call at a time, to the first node that answers. */
#include <curl/curl.h>
#include <jansson.h>

#include "node/ctl/access.h"

#define COMPLAINT_BYTES_MAX 2048

struct admin {
    struct access *access; /* kept */
    CURL *easy;
    size_t current;                      /* the endpoint that answered last, asked first */
    char complaint[COMPLAINT_BYTES_MAX]; /* why the last call failed, with what to do about it; a sentence or some lines
                                          */
};

enum { ADMIN_PATH_BYTES_MAX = 1024 };

void admin_init(struct admin *admin, struct access *access);
void admin_close(struct admin *admin);

/* `path` is sent as it is; `body` may be NULL, borrowed. Gives an exit status; not EXIT_DONE leaves `complaint` and
 * *answer NULL. The answer is an object, the caller's. */
int admin_call(struct admin *admin, const char *method, const char *path, const json_t *body, json_t **answer);

/* Text as one segment of a path. */
char *admin_segment(const char *text, char out[static ADMIN_PATH_BYTES_MAX]);
