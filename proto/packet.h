#pragma once
/* What one node says to another. The network below may lose, repeat and reorder packets, so each of them makes sense by
 * itself: it says which range and epoch it is about, or which request. MessagePack by tables; a member that a packet
 * does not need costs nothing, and one that an older node does not know is skipped (protocol versions N and N-1). */
#include "proto/arena.h"
#include "proto/buffer.h"
#include "proto/ids.h"

#define PACKET_PROTOCOL_OLDEST 1
#define PACKET_PROTOCOL_NEWEST 1

enum packet_kind {
    /* Replication of one range. */
    PACKET_APPEND = 1,         /* primary to replica: entries, or none: a heartbeat */
    PACKET_APPENDED = 2,       /* replica to primary: what is on its disk */
    PACKET_SNAPSHOT = 3,       /* primary to learner: one chunk of the range's rows */
    PACKET_SNAPSHOT_TAKEN = 4, /* learner to primary: chunks up to `chunk` are on disk */
    PACKET_RECORD = 5,         /* who led to all others: who leads now, a little before the coordinator tells them */
    /* Calls that another node has to answer. */
    PACKET_REQUEST = 10,
    PACKET_REPLY = 11,
    /* Changes of threads, to nodes that have listeners. */
    PACKET_LISTEN = 20, /* to the primary: this node listens to these threads, and has seen what is below the offsets */
    PACKET_CHANGES = 21, /* to a listening node */
    PACKET_CHANGES_SEEN = 22
};

/* A log entry on its way to a replica. Its index is that of the packet's previous entry plus its position, from 1. */
struct packet_entry {
    uint64_t epoch;
    struct bytes command; /* encoded */
};

/* A thread, or a user. */
struct packet_listener {
    struct id_hash thread;
    uint64_t next_offset; /* 0: does not listen any more; PACKET_FROM_NOW: whatever is new */
    bool is_anew;         /* LISTEN: what came before is not relied on; it is to be told from `next_offset` on */
    bool is_user;         /* LISTEN: a user, whose changes have no offsets */
    bool has_moved;       /* LISTEN: another node led it before, and was to tell it */
    uint64_t born;        /* CHANGES: names this run of being told; between two of them something may be left out */
};

struct packet_change {
    struct bytes change; /* encoded, as told_change.h has it */
};

#define PACKET_FROM_NOW UINT64_MAX

/* A body goes in parts of this size; only the last one is smaller. A set of parts is a word of bits. */
#define PACKET_PART_BYTES (128 * 1024)
#define PACKET_PARTS_MAX 64

struct packet {
    enum packet_kind kind;

    uint32_t range;
    uint64_t epoch; /* the sender's, of that range */

    /* APPEND */
    uint64_t previous_index; /* of the entry before the first; 0: there is none */
    uint64_t previous_epoch;
    uint64_t committed;  /* every entry up to here is on the disks of all replicas in sync */
    uint32_t unheard_ms; /* so long ago the sender heard of the receiver last */
    uint64_t lease;      /* APPEND: rises with every packet; APPENDED: the highest one received */
    struct packet_entry *entries;
    size_t entries_count;

    /* APPENDED */
    uint64_t durable; /* the replica's disk matches the sender's log up to here */
    uint64_t matched; /* and its memory up to here: the rest is on its way to the disk */
    uint64_t version; /* of the newest record of who holds the range that the replica knows */
    uint64_t promise; /* APPENDED: the number of the newest one that was not refused, in which the replica said what it
                         has; SNAPSHOT: the rows are for who has promised nothing since this one; APPEND: what it
                         promises from now on must have a higher number */
    bool is_leaving;  /* the replica is about to stop, or its disk refuses: it wants to be out of sync before */
    bool is_full;     /* only what is in the log already finds room on its disk, and what removes */
    bool needs_rows;  /* the replica has nothing whole of the range: only a snapshot helps */
    bool is_refused;  /* the entry before the first does not match, or the epoch is over (`epoch` is the newer one) */

    /* SNAPSHOT, SNAPSHOT_TAKEN */
    uint64_t snapshot; /* names one reading of the rows; another one starts from chunk 0 */
    uint64_t chunk;
    bool is_last_chunk;
    uint64_t index; /* SNAPSHOT: the rows are those after this entry was applied */
    uint64_t index_epoch;
    struct bytes rows; /* snapshot.h */

    /* RECORD, with its `version` */
    struct bytes record; /* range_record.h */
    uint32_t held_ms;    /* so long writes have waited for it at the sender */

    /* REQUEST, REPLY */
    uint64_t request;        /* unique for the asking node's life */
    uint64_t asker_start;    /* when the asker, or listener, started: tells its lives apart */
    uint64_t answerer_start; /* the same of the other side, as far as the asker knows it */
    uint32_t attempt;        /* rises when the asker turns to a primary again */
    uint32_t deadline_ms;    /* REQUEST: how much time is left */
    struct id_hash subject;  /* REQUEST: whose primary is meant; zeros: this node, whatever it leads */
    int64_t rc;              /* REPLY: 0, or a status; STATUS_NOT_PRIMARY: ask another node */
    uint32_t part, parts;    /* which part of how many `body` is; 0 parts: the packet only says what has come */
    uint64_t parts_seen;     /* bit n: part n of what the other side sends has come */
    uint64_t oldest_request; /* REQUEST: all below this one are over for the asker */
    struct bytes body;

    /* LISTEN, CHANGES, CHANGES_SEEN */
    struct packet_listener *listeners;
    size_t listeners_count;
    uint64_t link_sequence; /* CHANGES: of this link, 0: has no changes; CHANGES_SEEN: everything up to here has come */
    uint64_t link;          /* CHANGES: where the link stands: nothing below this sequence is ever sent again */
    uint64_t listening; /* LISTEN: rises with each of them; CHANGES: the one whose `listeners` are told from now on */
    struct packet_change *changes;
    size_t changes_count;
};

#define PACKET_ENTRIES_MAX 512
#define PACKET_LISTENERS_MAX 1000
#define PACKET_CHANGES_MAX 512

/* Lists longer than their PACKET_…_MAX are a mistake of the caller. */
void packet_encode(const struct packet *packet, struct buffer *out);
/* STATUS_MALFORMED, also for kinds that this version does not know. Everything is borrowed from `encoded` and `arena`.
 */
int packet_decode(struct bytes encoded, struct arena *arena, struct packet *packet);
