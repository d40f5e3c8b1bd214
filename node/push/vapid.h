#pragma once
/* How a cluster shows push services of browsers that it is the one a browser has subscribed to (RFC 8292). Pure. */
#include "node/push/elliptic.h"

/* "https://host[:port]" of a URL; borrowed from it. */
struct bytes vapid_origin(struct bytes url);

/* The value of the header Authorization, for requests to an endpoint within the next hours. `contact`: mailto: or
 * https: of who answers for them; may be empty. */
struct bytes vapid_authorization(const struct elliptic_key *key, struct bytes endpoint, struct bytes contact,
                                 int64_t now_s, struct arena *arena);
