#include "node/public_address.h"

#include <stdio.h>
#include <string.h>

static bool is_every(const char *host) {
    return strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

/* With or without a port behind it. */
static bool is_here(const char *host) {
    static const char *const beginnings[] = {"127.", "localhost", "::1", "[::1]"};
    for (size_t i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++)
        if (strncmp(host, beginnings[i], strlen(beginnings[i])) == 0)
            return true;
    return false;
}

/* An operator sends the admin token to these addresses: of a cluster on several machines a loopback one is whoever
 * listens there on the operator's own. */
static bool is_reachable(const struct config *config) {
    const char *peer = config->peer_address[0] != '\0' ? config->peer_address : config->peer_listen.host;
    return !is_every(config->listen.host) && (!is_here(config->listen.host) || is_here(peer));
}

void public_address_make(const struct config *config, uint16_t port, char address[NODE_ADDRESS_BYTES_MAX + 1]) {
    const char *host = config->listen.host;
    bool is_ipv6 = strchr(host, ':') != NULL;
    address[0] = '\0';
    if (config->public_url[0] != '\0')
        snprintf(address, NODE_ADDRESS_BYTES_MAX + 1, "%s", config->public_url);
    else if (is_reachable(config))
        snprintf(address, NODE_ADDRESS_BYTES_MAX + 1, "https://%s%s%s:%u", is_ipv6 ? "[" : "", host, is_ipv6 ? "]" : "",
                 port);
}
