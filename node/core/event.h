#pragma once
/* Everything that can happen to a node. Both clocks come with every event; the core never asks for them. */
#include "node/core/batch.h"
#include "node/core/interest.h"
#include "node/core/replication.h"

enum event_kind {
    EVENT_START,      /* the log's end and the outbox as found on disk; first of all */
    EVENT_PROPOSE,    /* somebody wants a command in the log */
    EVENT_NOTICE,     /* something to tell that is never stored: typing */
    EVENT_BATCH_DONE, /* the disk worker hands a batch back */
    EVENT_TICK,       /* time passes; every CORE_TICK_MS */
    EVENT_RECORD,     /* the coordinator says who holds a range, at start and when it changes */
    EVENT_PLACEMENT,  /* and who should hold it; told again it changes nothing */
    EVENT_SWAPPED,    /* how an ACTION_SWAP ended */
    EVENT_RANGES, /* how many ranges there should be: those that this node leads are split until they are so small */
    EVENT_NODES,  /* the nodes that are alive */
    EVENT_LEAVE,  /* this node is about to stop: what it leads is handed over, and it wants to be out of sync */
    EVENT_PACKET, /* from another node */
    EVENT_CHUNK_READ, /* what an ACTION_READ_CHUNK gave */
    EVENT_CHUNK_GONE, /* it asks for rows of a snapshot that are not kept any more */
    EVENT_ASK,        /* somebody here has a question for the node that leads `subject` */
    EVENT_SERVED,     /* what an ACTION_SERVE gave */
    EVENT_LISTEN,     /* sessions here listen to `subject`: a thread from `offset` on, or with offset 0 a user */
    EVENT_UNLISTEN,   /* ends one EVENT_LISTEN */
    EVENT_REPEATED,   /* what an ACTION_REPEAT gave */
    EVENT_OUTBOX      /* what an ACTION_READ_OUTBOX gave */
};

#define CORE_TICK_MS 50

struct start_outbox_row {
    struct id_hash subject;
    uint64_t number;
    struct outbox_row row;
};

/* An entry of the log's end; `command` is encoded. */
struct start_entry {
    uint64_t epoch;
    struct bytes command;
};

/* What the disk holds of one range: at least every entry that is not applied. */
struct start_range {
    struct range_marks marks;
    struct bounds bounds;            /* not said: as the cluster was created */
    bool is_void;                    /* a snapshot was being taken: nothing of it counts */
    uint64_t base_index, base_epoch; /* of the entry before the first */
    const struct start_entry *entries;
    size_t entries_count;
};

struct event {
    enum event_kind kind;
    int64_t now_ms;                        /* unix time */
    int64_t mono_ms;                       /* monotonic: leases and patience */
    struct entry *entry;                   /* PROPOSE: taken */
    const struct change *notice;           /* NOTICE: borrowed */
    struct batch *batch;                   /* BATCH_DONE: the one lent by ACTION_WRITE */
    const struct start_range *ranges;      /* START: one per range, borrowed */
    uint32_t ranges_count;                 /* START: 0: those of the cluster's beginning, else more; RANGES */
    const struct start_outbox_row *outbox; /* START, for a node alone; OUTBOX: borrowed */
    size_t outbox_count;
    const struct range_record *other; /* SWAPPED: the range that a split has made, with the same version; or NULL */
    bool is_number_taken; /* SWAPPED: the record was as the swap of a split named it, but the new range is there */
    const struct range_record *record; /* RECORD, SWAPPED: as it is at the coordinator now; borrowed */
    const struct placement *placement; /* PLACEMENT: without holders: nothing is wished any more; borrowed */
    uint64_t version;                  /* RECORD, SWAPPED, PLACEMENT: older ones than known are left out */
    uint32_t range;                    /* SWAPPED, CHUNK_READ, CHUNK_GONE, OUTBOX */
    int rc;                        /* SWAPPED: 0, STATUS_CONFLICT, or not known; OUTBOX (not 0: asked again), SERVED */
    const struct id_hash *subject; /* ASK, LISTEN, UNLISTEN: borrowed */
    uint64_t offset;               /* LISTEN */
    struct bytes body;             /* ASK, SERVED: borrowed */
    void *reply_to;                /* ASK: comes back with ACTION_REPLY, exactly once */
    unsigned worker;               /* ASK */
    int64_t deadline_ms;           /* ASK: from now on */
    uint64_t token;                /* SERVED */
    const uint64_t *nodes;         /* NODES: rising, this one included; borrowed */
    size_t nodes_count;
    uint64_t from;                         /* PACKET */
    const struct packet *packet;           /* PACKET: borrowed */
    uint64_t to;                           /* CHUNK_READ, CHUNK_GONE; ASK: 0, or the one node to ask */
    const struct replication_chunk *chunk; /* CHUNK_READ; GONE: which it was; borrowed */
    struct interest_repeated *repeated;    /* REPEATED: borrowed; the core fills in `copies` */
};
