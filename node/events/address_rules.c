#include "node/events/address_rules.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* IANA's registries of special-purpose addresses: what is not globally reachable, and where clouds answer their own
 * machines. */
static const struct block4 {
    uint8_t first[4];
    unsigned bits;
    const char *what;
} blocks4[] = {
    {{0}, 8, "an address of this network (RFC 791)"},
    {{10}, 8, "a private address (RFC 1918)"},
    {{100, 64}, 10, "a shared address (RFC 6598)"},
    {{127}, 8, "a loopback address"},
    {{168, 63, 129, 16}, 32, "an address of a cloud's own services"},
    {{169, 254}, 16, "a link-local address, as of a cloud's metadata"},
    {{172, 16}, 12, "a private address (RFC 1918)"},
    {{192, 0, 0}, 24, "an address of protocols (RFC 6890)"},
    {{192, 0, 2}, 24, "an address of documentation (RFC 5737)"},
    {{192, 88, 99}, 24, "an address of 6to4 relays (RFC 7526)"},
    {{192, 168}, 16, "a private address (RFC 1918)"},
    {{198, 18}, 15, "an address of benchmarks (RFC 2544)"},
    {{198, 51, 100}, 24, "an address of documentation (RFC 5737)"},
    {{203, 0, 113}, 24, "an address of documentation (RFC 5737)"},
    {{224}, 4, "a multicast address"},
    {{240}, 4, "a reserved address (RFC 1112)"},
};

static const struct block6 {
    uint8_t first[16];
    unsigned bits;
    const char *what;
} blocks6[] = {
    {{0}, 128, "the unspecified address"},
    {{[15] = 1}, 128, "a loopback address"},
    {{0x00, 0x64, 0xff, 0x9b, 0x00, 0x01}, 48, "an address of local translation (RFC 8215)"},
    {{0x01}, 64, "a discarded address (RFC 6666)"},
    {{0x20, 0x01}, 23, "an address of protocols (RFC 2928)"},
    {{0x20, 0x01, 0x0d, 0xb8}, 32, "an address of documentation (RFC 3849)"},
    {{0x3f, 0xff}, 20, "an address of documentation (RFC 9637)"},
    {{0x5f}, 16, "an address of segment routing (RFC 9602)"},
    {{0xfc}, 7, "a unique local address (RFC 4193)"},
    {{0xfe, 0x80}, 10, "a link-local address"},
    {{0xfe, 0xc0}, 10, "a site-local address (RFC 3879)"},
    {{0xff}, 8, "a multicast address"},
};

/* IPv6 addresses that lead to an IPv4 address. */
static const struct carrier {
    uint8_t first[16];
    unsigned bits;
    size_t at; /* of the four bytes */
} carriers[] = {
    {{0}, 96, 12}, /* compatible (RFC 4291) */
    {{[10] = 0xff, [11] = 0xff}, 96, 12},
    {{[8] = 0xff, [9] = 0xff}, 96, 12}, /* translated (RFC 2765) */
    {{0x00, 0x64, 0xff, 0x9b}, 96, 12},
    {{0x20, 0x02}, 16, 2},
};

static bool is_within(const uint8_t *address, const uint8_t *first, unsigned bits) {
    unsigned rest = bits % 8;
    uint8_t mask = (uint8_t)(0xff00u >> rest);
    return memcmp(address, first, bits / 8) == 0 &&
           (rest == 0 || (address[bits / 8] & mask) == (first[bits / 8] & mask));
}

static const char *refuse4(const uint8_t address[4]) {
    for (size_t i = 0; i < sizeof(blocks4) / sizeof(blocks4[0]); i++)
        if (is_within(address, blocks4[i].first, blocks4[i].bits))
            return blocks4[i].what;
    return NULL;
}

static const char *refuse6(const uint8_t address[16]) {
    for (size_t i = 0; i < sizeof(blocks6) / sizeof(blocks6[0]); i++)
        if (is_within(address, blocks6[i].first, blocks6[i].bits))
            return blocks6[i].what;
    for (size_t i = 0; i < sizeof(carriers) / sizeof(carriers[0]); i++)
        if (is_within(address, carriers[i].first, carriers[i].bits))
            return refuse4(address + carriers[i].at);
    return (address[0] & 0xe0) == 0x20 ? NULL : "an address that nobody has (RFC 4291)";
}

const char *address_rules_refuse(const struct sockaddr *address) {
    if (address->sa_family == AF_INET)
        return refuse4((const uint8_t *)&((const struct sockaddr_in *)address)->sin_addr);
    if (address->sa_family == AF_INET6)
        return refuse6(((const struct sockaddr_in6 *)address)->sin6_addr.s6_addr);
    return "no address of the Internet";
}
