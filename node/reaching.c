#include "node/reaching.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proto/status.h"

static bool address_split(const char *address, char host[256], char port[8]) {
    const char *colon = strrchr(address, ':');
    bool is_bracketed = address[0] == '[' && colon != NULL && colon > address && colon[-1] == ']';
    const char *start = is_bracketed ? address + 1 : address;
    size_t size = colon == NULL ? 0 : (size_t)(colon - start) - (is_bracketed ? 1 : 0);
    if (size == 0 || size >= 256 || strlen(colon + 1) >= 8)
        return false;
    memcpy(host, start, size);
    host[size] = '\0';
    strcpy(port, colon + 1);
    return true;
}

/* Connecting a datagram socket only asks the table of routes. */
static bool source_find(const struct addrinfo *to, struct reached *reached) {
    struct sockaddr_storage from;
    socklen_t size = sizeof(from);
    char there[sizeof(reached->from)];
    int fd = socket(to->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool is_found = fd >= 0 && connect(fd, to->ai_addr, to->ai_addrlen) == 0 &&
                    getsockname(fd, (struct sockaddr *)&from, &size) == 0 &&
                    getnameinfo((struct sockaddr *)&from, size, reached->from, sizeof(reached->from), NULL, 0,
                                NI_NUMERICHOST) == 0 &&
                    getnameinfo(to->ai_addr, to->ai_addrlen, there, sizeof(there), NULL, 0, NI_NUMERICHOST) == 0;
    if (fd >= 0)
        close(fd);
    if (is_found)
        reached->is_this_machine = strcmp(reached->from, there) == 0 || strncmp(there, "127.", 4) == 0;
    return is_found;
}

int reach(const char *address, struct reached *reached) {
    char host[256];
    char port[8];
    struct addrinfo hints = {.ai_socktype = SOCK_DGRAM};
    struct addrinfo *found = NULL;
    *reached = (struct reached){0};
    if (!address_split(address, host, port) || getaddrinfo(host, port, &hints, &found) != 0)
        return STATUS_NOT_FOUND;
    int rc = STATUS_NOT_FOUND;
    for (const struct addrinfo *at = found; at != NULL && rc != STATUS_OK; at = at->ai_next)
        rc = source_find(at, reached) ? STATUS_OK : STATUS_NOT_FOUND;
    freeaddrinfo(found);
    return rc;
}
