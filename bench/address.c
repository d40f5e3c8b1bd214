#define _GNU_SOURCE
#include "bench/address.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "proto/ids.h"

static struct bytes without_prefix(struct bytes text, size_t size) {
    return bytes_of(text.data + size, text.size - size);
}

static bool port_is_valid(struct bytes port) {
    uint64_t value;
    return port.size <= 5 && decimal_parse(port, &value) && value >= 1 && value <= 65535;
}

/* "host", "host:port", "[v6]" or "[v6]:port"; the port absent when there is none. */
static bool authority_split(struct bytes authority, struct bytes *host, struct bytes *port) {
    *port = BYTES_ABSENT;
    const uint8_t *end = authority.data + authority.size;
    const uint8_t *host_end;
    if (bytes_starts_with(authority, "[")) {
        const uint8_t *bracket = memchr(authority.data, ']', authority.size);
        if (bracket == NULL)
            return false;
        *host = bytes_of(authority.data + 1, (size_t)(bracket - authority.data) - 1);
        host_end = bracket + 1;
    } else {
        const uint8_t *colon = memchr(authority.data, ':', authority.size);
        host_end = colon == NULL ? end : colon;
        *host = bytes_of(authority.data, (size_t)(host_end - authority.data));
    }
    if (host_end == end)
        return true;
    if (*host_end != ':')
        return false;
    *port = bytes_of(host_end + 1, (size_t)(end - host_end) - 1);
    return true;
}

bool address_parse(struct bytes text, struct address *address, const char **reason) {
    *address = (struct address){.is_tls = bytes_starts_with(text, "https://")};
    *reason = "an address starts with https:// or http://";
    if (!address->is_tls && !bytes_starts_with(text, "http://"))
        return false;
    struct bytes authority = without_prefix(text, address->is_tls ? 8 : 7);
    if (authority.size > 0 && authority.data[authority.size - 1] == '/')
        authority.size--;
    *reason = "an address has no path, query or user";
    if (authority.size > 0 &&
        (memchr(authority.data, '/', authority.size) || memchr(authority.data, '?', authority.size) ||
         memchr(authority.data, '@', authority.size)))
        return false;
    struct bytes host, port;
    *reason = "an address is https://host or https://host:port";
    if (!authority_split(authority, &host, &port) || host.size == 0 || host.size >= ADDRESS_HOST_BYTES_MAX)
        return false;
    *reason = "a port is a number from 1 to 65535";
    if (bytes_is_present(port) && !port_is_valid(port))
        return false;
    const char *usual = address->is_tls ? "443" : "80";
    bool is_v6 = memchr(host.data, ':', host.size) != NULL;
    snprintf(address->host, sizeof address->host, "%.*s", BYTES_ARG(host));
    snprintf(address->port, sizeof address->port, "%.*s", port.size > 0 ? (int)port.size : (int)strlen(usual),
             port.size > 0 ? (const char *)port.data : usual);
    snprintf(address->authority, sizeof address->authority, "%s%s%s%s%s", is_v6 ? "[" : "", address->host,
             is_v6 ? "]" : "", strcmp(address->port, usual) == 0 ? "" : ":",
             strcmp(address->port, usual) == 0 ? "" : address->port);
    snprintf(address->origin, sizeof address->origin, "%s://%s", address->is_tls ? "https" : "http",
             address->authority);
    return true;
}

const char *address_resolve(struct address *address) {
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    int rc = getaddrinfo(address->host, address->port, &hints, &found);
    if (rc != 0)
        return gai_strerror(rc);
    memcpy(&address->socket, found->ai_addr, found->ai_addrlen);
    address->socket_size = found->ai_addrlen;
    freeaddrinfo(found);
    return NULL;
}
