#pragma once
/* What goes to and comes from etcd 3.4's JSON gateway (etcd's api-reference, "rpc.proto" mapped by grpc-gateway): keys
 * and values in base64, 64-bit numbers as decimal text, members that are zero left out. No I/O. */
#include "node/coordinator/coordinator.h"
#include "proto/buffer.h"

/* Bodies of requests; appended. Keys are whole: with the cluster's prefix. */
void etcd_get_encode(struct buffer *out, struct bytes key);

/* Everything that begins with `prefix`. `revision` 0: as it is now. */
struct etcd_range_request {
    struct bytes prefix;
    uint64_t revision;
    bool is_keys_only; /* names and versions, no values */
    bool is_count_only;
};
void etcd_range_encode(struct buffer *out, const struct etcd_range_request *request);

/* Puts each value if the versions of all keys are these (0: there is no such key). */
struct etcd_swap {
    struct bytes key;
    uint64_t version;
    struct bytes value;
};
void etcd_swap_encode(struct buffer *out, const struct etcd_swap *swaps, size_t count);
/* Removes the key if its version is `version`. */
void etcd_remove_encode(struct buffer *out, struct bytes key, uint64_t version);
/* Puts `value` under the lease if there is no such key. */
void etcd_create_encode(struct buffer *out, struct bytes key, struct bytes value, uint64_t lease);
void etcd_put_encode(struct buffer *out, struct bytes key, struct bytes value, uint64_t lease);
void etcd_lease_grant_encode(struct buffer *out, unsigned ttl_s);
void etcd_lease_encode(struct buffer *out, uint64_t lease); /* keep alive, revoke */
void etcd_watch_encode(struct buffer *out, struct bytes prefix, uint64_t start_revision);
void etcd_login_encode(struct buffer *out, const char *user, const char *password);

/* Answers. All decoders give STATUS_MALFORMED for what etcd does not send; texts and values are in the arena. */

/* Names lose `prefix`, which every key must have. */
struct etcd_range {
    uint64_t revision; /* of the whole store */
    struct coordinator_item *items;
    size_t count;
};
int etcd_range_decode(struct bytes answer, struct bytes prefix, struct arena *arena, struct etcd_range *range);

/* Of swap, remove and create. `revision` is the new version when it succeeded. */
int etcd_swap_decode(struct bytes answer, bool *is_swapped, uint64_t *revision);

/* The lease, and for how long it is granted from now on; 0: there is no such lease any more. */
int etcd_lease_decode(struct bytes answer, uint64_t *lease, unsigned *ttl_s);

int etcd_login_decode(struct bytes answer, struct arena *arena, char **token);

/* One line of a watch's answer. */
struct etcd_watch_news {
    bool is_created;
    bool is_canceled;
    bool is_compacted;               /* canceled because the revision it asked for is forgotten */
    struct bytes reason;             /* why canceled; absent: not said */
    uint64_t synced_revision;        /* everything up to here has been told; 0: not said */
    struct coordinator_item *events; /* in order; `value` is absent for a removal */
    size_t events_count;
};
int etcd_watch_decode(struct bytes line, struct bytes prefix, struct arena *arena, struct etcd_watch_news *news);

/* What went wrong, from any answer or line that is an error. `message` is absent when it is none. */
struct etcd_error {
    struct bytes message;
    uint64_t code; /* gRPC's (google.rpc.Code) */
};
int etcd_error_decode(struct bytes answer, struct arena *arena, struct etcd_error *error);
