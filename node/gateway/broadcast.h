#pragma once
/* One change on its way to the sockets of this node: encoded once for the hand-over, once per wire format for the
 * clients, shared by all workers. Frames are made when the first session asks for them; any worker may ask at the same
 * time. It knows neither sessions nor sockets. */
#include "node/gateway/shared_bytes.h"
#include "node/mailbox.h"
#include "proto/change.h"
#include "proto/realtime.h"

struct broadcast;

/* Copies what it needs from the change. Holds one reference per worker's delivery, at least one. */
struct broadcast *broadcast_new(const struct change *change, unsigned copies, size_t workers);
/* The parcel to post to worker `index`; delivering it calls fanout_deliver and releases the reference. */
struct parcel *broadcast_parcel(struct broadcast *broadcast, size_t index);
/* Before it is handed over: what changed from there on is overtaken by this change. */
void broadcast_covers_from(struct broadcast *broadcast, uint64_t from_offset);
void broadcast_hold(struct broadcast *broadcast);
/* Also for a parcel that could not be posted. */
void broadcast_release(struct broadcast *broadcast);

enum change_kind broadcast_kind(const struct broadcast *broadcast);
/* The thread, or the user for CHANGE_USER_*. */
const struct id_hash *broadcast_subject(const struct broadcast *broadcast);
uint64_t broadcast_offset(const struct broadcast *broadcast); /* 0: none */
uint64_t broadcast_from_offset(const struct broadcast *broadcast);
int64_t broadcast_time_ms(const struct broadcast *broadcast);
/* The whole change again; it borrows from the broadcast and from `arena`. */
void broadcast_decode(const struct broadcast *broadcast, struct arena *arena, struct change *change);

/* A WebSocket frame with its header, for every session of that format alike. Borrowed. NULL: this change is not told
 * in Weft's own real time. */
struct shared_bytes *broadcast_realtime_frame(struct broadcast *broadcast, enum realtime_format format);

/* The shared parts of a push to the official SDK; see trouter.h. Borrowed as long as the broadcast. */
struct broadcast_push {
    struct shared_bytes *before;
    struct shared_bytes *after;
    struct bytes excluded_user_id; /* absent: everyone gets it */
};
/* Returns their number; 0: the SDK is not told. */
size_t broadcast_pushes(struct broadcast *broadcast, const struct broadcast_push **pushes);
