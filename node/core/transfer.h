#pragma once
/* A body on its way through a network that loses, doubles and reorders: cut into parts, of which a few are under way at
 * a time, until the other side has said of each that it came. Knows nothing of packets; used by requests.c both ways.
 */
#include "proto/bytes.h"
#include "proto/packet.h"

#define TRANSFER_BYTES_MAX ((size_t)PACKET_PART_BYTES * PACKET_PARTS_MAX)
#define TRANSFER_IN_FLIGHT_MAX 8 /* parts: 1 MB, as much as replication has under way */
#define TRANSFER_RESEND_MS 200

struct transfer_out {
    struct bytes body; /* borrowed for as long as the transfer */
    uint32_t parts;    /* 0: there is nothing to send */
    uint64_t seen;     /* bit n: part n has come there */
    uint64_t sent;     /* and is under way, or has come */
    int64_t sent_ms;   /* when something was sent last */
};

/* At most TRANSFER_BYTES_MAX; an empty body has one part, too. */
void transfer_out_init(struct transfer_out *out, struct bytes body);
/* The next part to send now; false: none. */
bool transfer_out_next(struct transfer_out *out, int64_t mono_ms, uint32_t *part);
struct bytes transfer_out_part(const struct transfer_out *out, uint32_t part);
/* What has come there, as the other side says. What it said earlier is forgotten: it may have restarted. */
void transfer_out_seen(struct transfer_out *out, uint64_t seen);
bool transfer_out_is_done(const struct transfer_out *out);
/* Nothing was heard for a while: what has not come goes again; if everything has, the last part, as a question. */
void transfer_out_again(struct transfer_out *out);

struct transfer_in {
    uint8_t *body; /* owned */
    size_t size;   /* once complete */
    size_t capacity;
    uint32_t parts; /* 0: nothing has come yet */
    uint64_t seen;
};

void transfer_in_close(struct transfer_in *in);
/* Memory that this packet's first part would need; 0: it is not the first. */
size_t transfer_in_needs(const struct transfer_in *in, const struct packet *packet);
/* STATUS_MALFORMED when the part cannot be one of this body. A part that has come already changes nothing. */
int transfer_in_take(struct transfer_in *in, const struct packet *packet);
bool transfer_in_is_done(const struct transfer_in *in);
struct bytes transfer_in_body(const struct transfer_in *in);
