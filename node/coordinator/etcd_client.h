#pragma once
/* The members of an etcd cluster as one: which of them to ask, who we are to them, what their refusals mean. Used by
 * etcd.c and the threads of watches and announcements, from any thread. Says in the log when etcd stops and begins to
 * answer. */
#include "node/coordinator/etcd.h"
#include "node/coordinator/etcd_http.h"

#define ETCD_CONNECT_MS_MAX 1000
#define ETCD_TRY_MS_MAX 1500  /* a member that needs longer is left for the next one */
#define ETCD_SWAP_MS_MAX 3000 /* asking again is no option, so a slow disk is waited for */

struct etcd_client;

/* Everything is copied. */
struct etcd_client *etcd_client_new(const struct etcd_options *options);
void etcd_client_free(struct etcd_client *client);

/* A connection of one's own, for a thread. */
struct etcd_http *etcd_client_connection(struct etcd_client *client);

/* The member that answered last, or the next one to try. */
const char *etcd_client_endpoint(struct etcd_client *client);
/* The member did not answer, or has no leader: another one is asked from now on. */
void etcd_client_leave(struct etcd_client *client, const char *endpoint, const char *why);
void etcd_client_heard(struct etcd_client *client, const char *endpoint);

/* No member has answered since all of them were asked. */
bool etcd_client_is_silent(struct etcd_client *client);
/* From now on calls end when nobody answers the try that is under way. */
void etcd_client_hurry(struct etcd_client *client);

/* The token to send to etcd (a copy in the arena); NULL: none is needed. Asks for one when there is none. */
int etcd_client_token(struct etcd_client *client, struct etcd_http *http, struct arena *arena, const char **token);
/* etcd did not know the token; the next call of etcd_client_token asks for a new one. True: asking is of use. */
bool etcd_client_token_expire(struct etcd_client *client, const char *token);

enum etcd_refusal {
    ETCD_REFUSED,         /* as asked, it cannot be */
    ETCD_REFUSED_TOKEN,   /* with a new token it may work */
    ETCD_REFUSED_LEADER,  /* another member may do it; this one did nothing */
    ETCD_REFUSED_UNKNOWN, /* it may have been done, or not */
    ETCD_REFUSED_COMPACTED,
    ETCD_REFUSED_MISSING, /* no such lease */
    ETCD_REFUSED_ACCESS   /* user, password or permissions */
};
enum etcd_refusal etcd_refusal_of(struct bytes message, uint64_t code);

struct etcd_call {
    const char *path;
    struct bytes body;
    bool must_not_repeat; /* what is asked for may happen once only */
    int64_t ms_max;       /* of all tries */
};

/* Asks one member after the other until one answers, or `ms_max` is over. `http`: NULL borrows a connection. STATUS_OK
 * with the answer's body; STATUS_CONFLICT: compacted; STATUS_STORE_MISSING: no such lease; STATUS_FORBIDDEN;
 * STATUS_SERVICE_UNAVAILABLE; STATUS_SHUTTING_DOWN: interrupted. */
int etcd_client_call(struct etcd_client *client, struct etcd_http *http, const struct etcd_call *call,
                     struct buffer *answer);
