#pragma once
/* How one range is replicated: epochs, who is in sync, acknowledgements, the lease, taking over, reconciling the tail
 * of the log. Primary and backup as in PacificA (Lin et al., MSR-TR-2008-25), with the record of who holds the range at
 * the coordinator. It decides and asks; entries reach the disk, the state and clients through range.c and node_core.c.
 *
 *  committed  durable on every replica that is in sync, or about to be: nothing that happens later can lose it
 *  lease      while every in-sync backup has echoed an append that was sent less than LEASE_MS ago, nobody else can
 * have become primary, because a backup waits longer than that after the last append it received
 *
 * Time here is monotonic milliseconds; clocks of different nodes are never compared. */
#include "node/core/action.h"
#include "node/core/chunk_budget.h"
#include "node/core/window.h"
#include "proto/packet.h"
#include "proto/placement.h"
#include "proto/range_record.h"

#define REPLICATION_HEARTBEAT_MS 200
#define REPLICATION_LEASE_MS 1500
#define REPLICATION_TAKEOVER_MS 2200        /* the lease, and room for clocks that run differently fast */
#define REPLICATION_TAKEOVER_STAGGER_MS 300 /* between the backups, in the record's order */
#define REPLICATION_SILENT_MS 1500          /* a backup that has not answered for so long is taken out of sync */
#define REPLICATION_LAST_SILENT_MS 5500     /* the last ones of min_in_sync have time to take over before */
#define REPLICATION_STUCK_MS 5000           /* so is one that answers, but whose disk does not get on */
#define REPLICATION_LET_GO_MS 1500          /* after the lease: the silent one is out of sync, or somebody else leads */
#define REPLICATION_RESEND_MS 100
#define REPLICATION_CHUNK_RESEND_MS 1000
#define REPLICATION_SWAP_RETRY_MS 500
#define REPLICATION_HANDING_MS 1000       /* so long a hand-over may keep writes waiting before it is given up */
#define REPLICATION_HANDING_PAUSE_MS 5000 /* from one that a placement asked for to the next try */
#define REPLICATION_IN_FLIGHT_BYTES_MAX (1024 * 1024) /* sent to one replica and not yet acknowledged */
#define REPLICATION_PACKET_BYTES_MAX (128 * 1024)     /* of entries in one packet, but for a single larger one */
#define REPLICATION_LEARNER_GAP_MAX 100               /* entries a learner may lack to be taken in */
#define REPLICATION_WINDOW_BYTES_MAX (4 * 1024 * 1024)
#define REPLICATION_WINDOW_LEARNING_BYTES_MAX (32 * 1024 * 1024) /* while rows are on their way, as clients go on */

/*          the record names us primary            the log is committed and applied
 *   REPLICA ──in the epoch we asked for──▶ TAKING_OVER ───────────────────────▶ PRIMARY
 *     ▲ ▲                                       │                                 │
 *     │ └── another primary, or our disk failed ┴─────────────────────────────────┘
 *   NONE  the record does not name us, or is not known
 */
enum replication_role {
    REPLICATION_NONE,
    REPLICATION_REPLICA, /* backup or learner: the record says which */
    REPLICATION_TAKING_OVER,
    REPLICATION_PRIMARY
};

/* Another node, as the primary sees it. */
struct replica {
    uint64_t node;
    bool is_joining;        /* a learner that is about to be in sync: nothing commits without it any more */
    bool is_asked;          /* was sent something in this epoch */
    bool is_matched;        /* has answered in this epoch */
    bool is_leaving;        /* it is about to stop, or its disk refuses */
    bool is_full;           /* as it told last */
    uint64_t since;         /* it has held the range without a break since this version of the record; what it said
                               before may have gone with a copy that it dropped, so that does not count */
    bool has_lost_log;      /* in sync, and lacks what it had: nothing can commit with it */
    uint64_t durable;       /* on its disk, and matching our log */
    uint64_t matched;       /* on its way there, as it told last */
    uint64_t next;          /* what is sent next */
    size_t in_flight_bytes; /* about */
    int64_t heard_ms;
    int64_t progress_ms; /* when `durable` last rose, or there was nothing to do */
    int64_t sent_ms;
    int64_t lease_ms;    /* when the append was sent that it echoed last */
    uint64_t snapshot;   /* 0: the log is enough. Otherwise it gets the rows of the range first */
    uint64_t reading;    /* the one that chunks of it come from; 0: none has come yet */
    uint64_t chunk;      /* the one it needs next */
    uint64_t chunks;     /* how many there are; 0: the last one has not been sent yet */
    uint64_t chunks_all; /* how many there are, as the first one that was read says */
    uint64_t bytes_all;  /* of all of them */
    bool is_chunk_due;   /* it has to wait for its turn */
    uint64_t promise;    /* as it told last */
    uint64_t rows_for;   /* its newest promise when the snapshot was begun: it is for who has promised nothing since */
    uint64_t promise_void; /* rows have gone out for who has promised no more than that, so it may have nothing of it */
    uint64_t rows_index;   /* the rows are those after this entry */
    int64_t snapshot_ms;   /* when that was asked for or sent */
};

struct replication {
    uint32_t range;
    uint64_t self;
    bool is_alone; /* there is no other node, nor has been one */
    enum replication_role role;
    struct range_record record; /* epoch 0: not known since the start, and nothing is answered */
    uint64_t version;           /* of the record, for the coordinator */
    struct placement placement; /* without holders: nothing is wished */
    uint64_t placement_version;
    struct window window;
    uint64_t durable;     /* on our own disk */
    uint64_t committed;   /* as far as we know */
    uint64_t applied;     /* what the state has seen; kept by our caller */
    uint64_t alone_until; /* entries up to here may commit by our disk alone: they were lent when nobody else counted */
    size_t min_in_sync;   /* who leaves stays in sync when there are no more; set by our caller */
    bool is_leaving;      /* this node is about to stop; set by our caller */
    bool is_full;         /* our disk has only its reserve left; set by our caller */
    bool is_refusing;     /* our disk takes nothing at all; set by our caller */
    uint64_t handing_to;  /* PRIMARY: takes no writes, and asks for that one as primary when all is applied; 0: no */
    int64_t handing_ms;   /* since when */
    bool is_heir_told;    /* that all of it is committed: it applies that while the coordinator is asked */
    uint64_t ready_at;    /* TAKING_OVER: when that much is committed and applied, we serve */

    struct replica replicas[RANGE_REPLICAS_MAX]; /* TAKING_OVER, PRIMARY */
    size_t replicas_count;
    uint64_t snapshots_begun;

    uint64_t matched;     /* REPLICA: our log is the primary's up to here, in this epoch */
    uint64_t lease_heard; /* REPLICA: to be echoed */
    uint64_t snapshot;    /* REPLICA: being taken; 0: none */
    uint64_t chunk;       /* of it, on our disk */
    uint64_t promise;     /* REPLICA: the number of the last acknowledgement that said what we have */
    bool is_taking_chunk; /* one is on its way to our disk */
    bool is_void;         /* the rows are not whole: a snapshot was begun and has not ended */
    bool needs_rows; /* REPLICA: what follows what is here is not to be had from the log: rows have to replace it */
    int64_t heard_ms;

    bool is_unborn; /* it came by a split, and what is here of its parent has not come so far: nothing is answered */
    bool is_birth_pending; /* born a moment ago, and not on our disk: there are no rows to be read; set by our caller */
    bool is_splitting;     /* PRIMARY: takes no writes, and asks for the split when all is applied */
    int64_t splitting_ms;  /* since when; or when that came to nothing */
    uint64_t split_first;  /* where the new range begins */
    uint32_t split_range;  /* its number */
    bool is_expected;      /* we have asked for `wanted` when this range was split off another */

    bool is_swap_wanted; /* until its outcome is known nothing relies on either record */
    struct range_record wanted;
    struct range_record wanted_other; /* changed together with it: the new range of a split; epoch 0: none */
    int64_t swap_asked_ms;
};

/* What every call needs: where actions go, memory that lasts until they are performed, and the time. */
struct replication_step {
    struct action_list *actions;
    struct arena *arena;
    int64_t mono_ms;
    struct chunk_budget *chunk_budget; /* NULL: chunks are asked for at any pace */
};

/* At start: the window holds the log as it is on disk, `applied` is what state has seen of it. `is_void`: a snapshot
 * was being taken; the window is empty then. */
void replication_init(struct replication *replication, uint32_t range, uint64_t self, bool is_alone, bool is_void,
                      uint64_t applied, int64_t mono_ms);
void replication_close(struct replication *replication);

/* The coordinator's record, at start and whenever it changes. Older ones are ignored. True: the role has changed. */
bool replication_on_record(struct replication *replication, const struct replication_step *step,
                           const struct range_record *record, uint64_t version);

/* Who should hold it: the range's primary makes it so. Older ones are ignored. */
void replication_on_placement(struct replication *replication, const struct placement *placement, uint64_t version);

/* How a swap ended: STATUS_OK or STATUS_CONFLICT with the record as it is now; anything else: not known, asked again.
 */
bool replication_on_swapped(struct replication *replication, const struct replication_step *step, int rc,
                            const struct range_record *record, uint64_t version);

/* The next entry of the log, by its primary. Returns its index; the caller brings it to the disk. */
uint64_t replication_propose(struct replication *replication, struct bytes command);

/* What an APPEND changed of our log: entries from `truncate_from` on are gone (0: none), and those from `first` to
 * `last` are new (0: none); both are to be done on disk. */
struct replication_intake {
    uint64_t truncate_from;
    uint64_t first;
    uint64_t last;
};
struct replication_intake replication_on_append(struct replication *replication, const struct replication_step *step,
                                                uint64_t from, const struct packet *packet);
/* An APPEND that we cannot take, because only the rows would bring us further: every one is refused until they come. */
void replication_ask_rows(struct replication *replication, const struct replication_step *step, uint64_t from,
                          const struct packet *packet);
/* True: the role has changed (we are not primary any more). */
bool replication_on_appended(struct replication *replication, const struct replication_step *step, uint64_t from,
                             const struct packet *packet);

/* ---- snapshots: for a learner that lacks entries which have left the window ----
 * The primary asks its node for a chunk (ACTION_READ_CHUNK), sends it, and asks for the next one when the learner's
 * disk has it. A chunk that is not acknowledged is read and sent again. */
struct replication_chunk {
    uint64_t snapshot; /* as the primary calls what it sends; rises */
    uint64_t reading;  /* as its node calls the moment at which the rows were read; not 0 */
    uint64_t chunk;    /* from 0 */
    bool is_last;
    uint64_t chunks;    /* how many there are */
    uint64_t bytes_all; /* of all of them; both are for who looks on */
    uint64_t index;     /* the rows are those after this entry */
    uint64_t epoch;     /* of that entry */
    struct bytes rows;
};
/* What was read; `chunk` borrowed until the actions have been performed. */
void replication_on_chunk_read(struct replication *replication, const struct replication_step *step, uint64_t to,
                               const struct replication_chunk *chunk);
/* It cannot be read any more, as that reading of the rows is not kept: they begin anew with another. */
void replication_on_chunk_gone(struct replication *replication, const struct replication_step *step, uint64_t to,
                               const struct replication_chunk *chunk);
/* True: the chunk is to be put on our disk (chunk 0 wipes the range first; the last one makes it whole), then
 * replication_on_chunk_durable. Everything of our log is void from chunk 0 on. */
bool replication_on_snapshot(struct replication *replication, const struct replication_step *step, uint64_t from,
                             const struct packet *packet, struct replication_chunk *chunk);
void replication_on_chunk_durable(struct replication *replication, const struct replication_step *step,
                                  const struct replication_chunk *chunk);
/* Our disk refused it: it will come again. */
void replication_on_chunk_refused(struct replication *replication);
void replication_on_snapshot_taken(struct replication *replication, const struct replication_step *step, uint64_t from,
                                   const struct packet *packet);

/* Our own disk has everything up to `index`. A replica acknowledges. */
void replication_on_durable(struct replication *replication, const struct replication_step *step, uint64_t index);
/* Our disk refuses. What is not durable leaves our log; a primary gives the range to a replica in sync, if one can take
 * it. If none can, and replicas may have what has left our log, it takes a new epoch first. True: the role has changed.
 */
bool replication_on_refused(struct replication *replication, const struct replication_step *step);

/* Recomputes `committed`. True: it rose, or the role has changed. */
bool replication_commit(struct replication *replication);

/* Sends what replicas lack; once at the end of each step. */
void replication_send(struct replication *replication, const struct replication_step *step);

/* Gives the range to another replica in sync: writes are refused as by a node that is not primary, what was taken is
 * committed and applied, and from the moment the coordinator is asked nothing is read here either. False: we do not
 * lead, something else is under way, or that node is not in sync, silent or leaving. It may come to nothing; then we go
 * on leading. */
bool replication_hand_over(struct replication *replication, uint64_t to, int64_t mono_ms);
/* Who could take it, best whoever should lead or hold it; 0: nobody. `turn` chooses among equals. */
uint64_t replication_heir(const struct replication *replication, size_t turn, int64_t mono_ms);
/* Who should lead in place of us, and could now; 0: nobody. Not while rows are on their way to who should hold it, who
 * would have to begin anew. */
uint64_t replication_wished_heir(const struct replication *replication, int64_t mono_ms);
/* Splits the range: from `first` on it becomes range `range`, of which nothing must be known yet. Writes are held as
 * for a hand-over until what was taken is applied; then one swap at the coordinator changes both records or none. Reads
 * go on. False: we do not lead, something else is under way, somebody learns, is silent or leaving, or the last try is
 * not long ago. It may come to nothing, too. */
bool replication_split(struct replication *replication, uint64_t first, uint32_t range, int64_t mono_ms);
/* The split that was asked for with this version of the record can never come about. */
void replication_on_number_taken(struct replication *replication, uint64_t version);
/* Of a range that is not known yet: this is what we have asked for. */
void replication_expect(struct replication *replication, const struct range_record *record);
/* What is here of the range is what was there of its parent, up to this entry. */
void replication_born(struct replication *replication, const struct replication_step *step, uint64_t index,
                      uint64_t epoch);
/* Nothing of the range is here, though it was split off one that is: it can only learn it. */
void replication_not_born(struct replication *replication);
/* Entries behind this one that are of epochs before `next_epoch` are nobody's: they leave our log. Returns the first,
 * to be taken off the disk as well; 0: there are none. */
uint64_t replication_end_at(struct replication *replication, uint64_t index, uint64_t next_epoch);
/* The entry is committed, as the coordinator says: a range was split behind it. False: we do not have it. */
bool replication_prove(struct replication *replication, uint64_t index, uint64_t epoch);

/* Nothing would be lost or held up if this node stopped now, or nobody could take it over. */
bool replication_may_leave(const struct replication *replication, int64_t mono_ms);

/* Whether what this node has of the range is to go: the record names it no more, so everything committed is with
 * others. Not when the record may be older than what is here, and never on a node alone. */
bool replication_may_drop(const struct replication *replication);
/* It has nothing whole of the range any more. */
void replication_make_void(struct replication *replication);

/* Heartbeats, silence, taking over, and placements: who is wished learns, who is not goes as soon as all who are have
 * come in sync. `live` are the nodes that may hold replicas, ourselves included; `factor` is how
 * many a range should have. */
void replication_tick(struct replication *replication, const struct replication_step *step, const uint64_t *live,
                      size_t live_count, size_t factor);

/* The window gives up what is applied and no replica needs, beyond its bound. */
void replication_trim(struct replication *replication, uint64_t applied, size_t bytes_max);

/* Takes no writes and no reads without it. */
bool replication_has_lease(const struct replication *replication, int64_t mono_ms);
/* When the lease ends unless it is renewed; 0: we do not serve. */
int64_t replication_lease_until(const struct replication *replication);
bool replication_may_read(const struct replication *replication, int64_t mono_ms);
/* 0; STATUS_NOT_PRIMARY; STATUS_TOO_FEW_REPLICAS. */
int replication_may_write(const struct replication *replication, int64_t mono_ms, size_t min_in_sync);
/* Of our disk, or that of a replica which has to have what is written, only the reserve is left: nothing may be
 * proposed but what removes. */
bool replication_is_full(const struct replication *replication);
/* True when nothing commits by more than our own disk. Then entries up to `index` may be given to the disk to be
 * appended and applied at once; who is taken in meanwhile must have them first. */
bool replication_commits_alone(const struct replication *replication);
void replication_lend_alone(struct replication *replication, uint64_t index);
/* In-sync replicas beside this one; not those that may be gone already. */
unsigned replication_copies(const struct replication *replication);
