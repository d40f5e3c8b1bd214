#pragma once
/* The files of the web page, embedded in the binary by the build from node/ops/console and the folders in it (*.html
 * *.js *.css *.svg). Constant for the life of the process; may be read by any worker. */
#include "proto/bytes.h"

struct asset {
    const char *path;         /* in that folder: "chat/index.html" */
    const char *content_type; /* as for the header: "text/html; charset=utf-8" */
    const char *etag;         /* with its quotes; equal bytes have equal tags */
    struct bytes body;
};

/* Ends with a row whose path is NULL. Written by the build. */
extern const struct asset asset_table[];

/* By path in the folder, without a leading slash. NULL: there is no such file. */
const struct asset *asset_find(struct bytes path);
