#pragma once
/* Where a node listens: "https://host[:port]" taken apart and looked up once. */
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "proto/bytes.h"

#define ADDRESS_HOST_BYTES_MAX 256

struct address {
    bool is_tls;
    char host[ADDRESS_HOST_BYTES_MAX];
    char port[8];
    char authority[ADDRESS_HOST_BYTES_MAX + 16]; /* host and, unless it is the scheme's own, port: the Host header */
    char origin[ADDRESS_HOST_BYTES_MAX + 32];    /* scheme://authority, no slash behind it */
    struct sockaddr_storage socket;              /* set by address_resolve */
    socklen_t socket_size;
};

/* Takes https:// and http://, host names, IPv4, and IPv6 in brackets; a path of "/" at most. False: not of that form;
 * `*reason` (static text) says why. */
bool address_parse(struct bytes text, struct address *address, const char **reason);

/* Asks the system's resolver; NULL, or its error in words. */
const char *address_resolve(struct address *address);
