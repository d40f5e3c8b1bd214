#pragma once
/* Where events may be sent: not to addresses of this machine or of the networks that only it is in, which a name of
 * somebody else's choice may lead to. Asked for the address that is connected to, when it is. Pure. */
#include <netinet/in.h>

/* NULL: anybody's address. Otherwise what it is, as "a private address (RFC 1918)". What is neither IPv4 nor IPv6 is
 * refused. IPv4 addresses inside IPv6 ones count as themselves. */
const char *address_rules_refuse(const struct sockaddr *address);
