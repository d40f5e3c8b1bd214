#pragma once
/* Which nodes are told what changes in which threads, both sides of it. Soft state over a network that loses, doubles
 * and reorders; nothing of it is stored.
 *
 *  listening  this node has sessions that listen to a thread. It tells the thread's primary so, again every 10 s and
 *             whenever the primary is another one, with the offset up to which it has everything. Changes are handed
 *             on once and in the thread's order; where one is missing, the primary is asked from there.
 *  owning     this node is a thread's primary. It tells each node that listens, one packet per node and step. A node
 *             that lacks something, or does not keep up, is told from the store before it is told what is new. What is
 *             of the moment is in no store: a new primary keeps it for those who do not know of it yet.
 *
 * Users are listened to in the same way. What concerns them has no offsets, so where something may be missing the user
 * is looked at again. If this node itself is the primary, it tells itself directly. Time is monotonic milliseconds.
 * Hooks must not call back. */
#include "proto/change.h"
#include "proto/packet.h"

#define INTEREST_RENEW_MS 10000
#define INTEREST_EXPIRES_MS 30000          /* three renewals may be lost */
#define INTEREST_RETRY_MS 500              /* a LISTEN that was not acknowledged */
#define INTEREST_MOVING_MS 5000            /* so long it may take until all who listen know a new primary */
#define INTEREST_RESEND_MS 200             /* changes that were not acknowledged … */
#define INTEREST_RESEND_MS_MAX 1600        /* … by a node that says nothing at all */
#define INTEREST_REPEAT_BYTES 65536        /* read from the store at a time, for one thread and node */
#define INTEREST_PACKET_BYTES (128 * 1024) /* of changes in one packet, but for a single larger one */
#define INTEREST_FROM_NOW PACKET_FROM_NOW

/* Changes to be read from the store: those at and above `from_offset`, oldest first, about `bytes_max` of them;
 * INTEREST_FROM_NOW: none, only where the thread is now. */
struct interest_repeat {
    uint64_t number; /* of this call */
    struct id_hash thread;
    uint64_t node;
    uint64_t from_offset;
    size_t bytes_max;
};

/* What came of it. */
struct interest_repeated {
    struct interest_repeat asked;
    int rc; /* not 0: could not be read; the node will ask again */
    const struct change *changes;
    size_t changes_count;
    uint64_t next_offset; /* everything below has been read; if complete: one above the newest */
    bool is_complete;
    unsigned copies; /* how many other nodes hold the changes durably */
};

struct interest_hooks {
    void *context;
    /* Who leads the subject's range by the map as it is now; 0: nobody known. May be this node. */
    uint64_t (*primary_of)(void *context, const struct id_hash *subject);
    /* By the same map: who led it in another epoch may know of other listeners, and of fewer changes. */
    uint64_t (*epoch_of)(void *context, const struct id_hash *subject);
    /* This node leads it and is ready to. */
    bool (*is_primary)(void *context, const struct id_hash *subject);
    /* It is about to lead it, or has done so for less than INTEREST_MOVING_MS. */
    bool (*leads_lately)(void *context, const struct id_hash *subject);
    /* The packet itself is borrowed; what it points to lasts until interest_done. */
    void (*send)(void *context, uint64_t to, const struct packet *packet);
    /* For the sessions of this node. What changed from `from_offset` to below the change is overtaken by it. The change
     * lasts until interest_done (as long as the publisher's own, if it was published here). */
    void (*hand_on)(void *context, const struct change *change, uint64_t from_offset, unsigned copies);
    /* From now on everything from this offset on is handed on. Once per interest_listen. */
    void (*listening)(void *context, const struct id_hash *thread, uint64_t next_offset);
    /* From now on everything is handed on, but before something may have been missed. At least once per
     * interest_listen_user. */
    void (*look_again)(void *context, const struct id_hash *user);
    /* Answered by interest_repeated, later and always. */
    void (*repeat)(void *context, const struct interest_repeat *repeat);
};

struct interest_statistics {
    size_t listened;     /* threads and users this node listens to */
    size_t unsettled;    /* of these, not confirmed by a primary now */
    size_t watched;      /* threads and users of ours that somebody listens to */
    size_t links_bytes;  /* told to others and not acknowledged */
    uint64_t sent_again; /* packets of changes, because nobody said they had come */
    uint64_t repeats;    /* read from the store for a node that lacked them */
};

struct interest;

/* `start` is another one for each life of the node, and not 0. `link_bytes_max`: changes told to one node that has not
 * said it has them. */
struct interest *interest_new(uint64_t node, uint64_t start, size_t link_bytes_max, const struct interest_hooks *hooks);
void interest_free(struct interest *interest);

/* ---- listening ---- */

/* INTEREST_FROM_NOW: what is there already is not of interest. Nothing happens if the thread is listened to already.
 */
void interest_listen(struct interest *interest, const struct id_hash *thread, uint64_t next_offset);
void interest_listen_user(struct interest *interest, const struct id_hash *user);
void interest_unlisten(struct interest *interest, const struct id_hash *subject);

/* ---- owning ---- */

/* A change of a thread or user that this node leads, in order. Borrowed. */
void interest_publish(struct interest *interest, const struct change *change, unsigned copies);
/* The nodes that are told of it; at most `nodes_max` are written. */
size_t interest_listeners(struct interest *interest, const struct id_hash *subject, uint64_t *nodes, size_t nodes_max);
void interest_repeated(struct interest *interest, const struct interest_repeated *repeated, int64_t mono_ms);

/* ---- both ---- */

/* PACKET_LISTEN, PACKET_CHANGES and PACKET_CHANGES_SEEN from another node. */
void interest_on_packet(struct interest *interest, uint64_t from, const struct packet *packet, int64_t mono_ms);

/* The map, or what this node leads, has changed. Must be called before this node leads again what it has lost. */
void interest_map_changed(struct interest *interest, int64_t mono_ms);

void interest_tick(struct interest *interest, int64_t mono_ms);
/* No node that is there lacks anything that it was told. */
bool interest_has_told_all(const struct interest *interest, int64_t mono_ms);
/* At the end of each step: sends what has gathered. */
void interest_flush(struct interest *interest, int64_t mono_ms);
/* What the hooks were given has been used. */
void interest_done(struct interest *interest);

struct interest_statistics interest_statistics(const struct interest *interest);
