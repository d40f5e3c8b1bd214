#pragma once
/* What the workers of a node have to agree on about endpoints of the official SDK, since one client's calls and sockets
 * reach any of them: who holds an endpoint, which tickets were used, how often one asks for another. And what the nodes
 * have to agree on: which of them holds the endpoints of the users that this one leads. Any thread. Times are monotonic
 * milliseconds. */
#include "proto/ids.h"

struct endpoint_registry;

struct endpoint_registry *endpoint_registry_new(void);
void endpoint_registry_free(struct endpoint_registry *registry);

/* ---- who holds an endpoint: the session of its newest socket, or what waits for its return ---- */

struct endpoint_holder {
    uint64_t node;    /* 0: a node alone */
    uint32_t worker;  /* of that node */
    uint64_t session; /* unique in the node, its other lives included; 0: nobody */
};

bool endpoint_holder_equal(const struct endpoint_holder *a, const struct endpoint_holder *b);

/* `worker` of `node`, which is this one, holds the endpoint from now on, under the session number that is returned.
 * `*previous` held it before, of those of this node. */
uint64_t endpoint_claim(struct endpoint_registry *registry, const struct id_hash *endpoint, uint64_t node,
                        uint32_t worker, struct endpoint_holder *previous);
struct endpoint_holder endpoint_holder_find(struct endpoint_registry *registry, const struct id_hash *endpoint);
/* Nothing happens if another session holds it by now. */
void endpoint_release(struct endpoint_registry *registry, const struct id_hash *endpoint, uint64_t session);

/* ---- in a cluster: who holds the endpoints of users that this node leads ---- */

struct endpoint_place {
    struct endpoint_holder holder;
    uint64_t
        turn; /* of two claims of an endpoint the later one has the higher, whoever led the user then; 0: unknown */
};

/* `holder` holds the endpoint from now on. `epoch`: of the user's range. `*previous` did before, if anybody has said
 * since the epoch began; what was said earlier is not known any more, because others have led since. Returns the
 * claim's turn. */
uint64_t endpoint_place_claim(struct endpoint_registry *registry, const struct id_hash *endpoint,
                              const struct endpoint_holder *holder, uint64_t epoch, struct endpoint_holder *previous);

/* Its holder says that it still holds it, which counts for nothing if a later one is known. Returns who holds it. */
struct endpoint_place endpoint_place_renew(struct endpoint_registry *registry, const struct id_hash *endpoint,
                                           const struct endpoint_place *place, uint64_t epoch);

/* ---- tickets and the brake ---- */

/* True the first time; `until_ms`: afterwards the ticket is refused for its age anyway. */
bool ticket_use(struct endpoint_registry *registry, const uint8_t nonce[16], uint64_t now_ms, uint64_t until_ms);

/* A client that cannot keep its socket starts over at once and for ever (real-time protocol, section 8), so an endpoint
 * gets at most ALLOCATIONS_MAX allocations within ALLOCATIONS_WINDOW_MS. */
#define ALLOCATIONS_MAX 10
#define ALLOCATIONS_WINDOW_MS 10000
bool allocation_allow(struct endpoint_registry *registry, const struct id_hash *endpoint, uint64_t now_ms);
