#pragma once
/* The inside of the core, for the files that make it: node_core.c (events), pipeline.c (what goes to the disk and comes
 * back), follow_ups.c (what threads still have to tell users' ranges). Nobody else includes it. */
#include "node/core/coalesce.h"
#include "node/core/follow_up.h"
#include "node/core/node_core.h"
#include "node/core/range.h"
#include "node/core/requests.h"

/* Entries in the order they were proposed. */
struct entry_queue {
    struct entry *first;
    struct entry **end;
    size_t count;
};

struct follow_up_queue {
    struct follow_up *first;
    struct follow_up *last;
};

struct listened;

/* Something to tell that another node has accepted; of one step. */
struct noticed {
    struct noticed *next;
    uint64_t token;
    int rc;
    struct change change;
};

/* A thread that has events, until the step ends. */
struct eventful {
    struct eventful *next;
    struct id_hash subject;
};

struct node_core {
    struct node_core_options options;
    struct cluster_map map;
    uint32_t ranges_wished; /* how many there should be by splits; 0: no more */
    uint32_t parts;         /* that the ring was cut into when the cluster was created */
    struct range *ranges;   /* options.range_count of them, which grows; they never move */
    struct range nowhere;   /* stands for the range of a position that no known range has */
    struct range *busy;     /* to be looked at when the step ends */
    uint64_t *live;         /* nodes */
    size_t live_count;
    bool has_map_changed; /* in this step */
    bool is_leaving;
    struct chunk_budget chunk_budget;
    bool may_drop; /* rows of a range that is dropped, once with each tick: clients' writes have the disk too */

    struct entry_queue waiting; /* of clients: without a place yet */
    struct follow_up_queue queues[FOLLOW_UP_QUEUES];
    size_t entries_ready;   /* what the ready ones have to give; an entry is made when a batch takes it */
    struct batch *lent;     /* the batch that is on disk, if any */
    struct batch *returned; /* what the last step's actions borrow */
    struct entry *done;     /* freed when the actions have been performed */
    enum node_core_disk disk;
    int disk_rc;      /* how the last batch that came to nothing ended */
    int64_t probe_ms; /* the disk is not asked before that, monotonic */

    struct requests *requests; /* NULL: alone */
    struct entry *carried;     /* to other nodes, by requests; linked as in a range */
    struct noticed *noticed;   /* from other nodes, until the step ends */
    struct eventful *eventful; /* likewise */
    size_t eventful_count;
    struct interest *interest; /* NULL: alone */
    struct listened *listened; /* threads and users of this node's sessions */
    const struct step *step;   /* the one under way, for what requests call back */
    struct coalescer *coalescer;
    struct arena step_arena;
    struct follow_up *follow_ups;
    size_t follow_ups_count;
    size_t tellings; /* follow-ups that are no purges */
    size_t retries;  /* follow-ups with a retry_ms */
    uint64_t applied;
    uint64_t batches;
    struct durations held; /* of writes, until a hand-over came about or was given up */
    struct durations given;
    struct durations stalled;
};

/* One step: the event's times, and where its actions go. */
struct step {
    struct action_list *actions;
    int64_t now_ms;
    int64_t mono_ms;
};

/* ---- node_core.c ---- */

/* What the disk holds of a range. */
void core_range_start(struct node_core *core, const struct step *step, uint32_t id, const struct start_range *found);
void core_role_changed(struct node_core *core, const struct step *step, struct range *range);
/* Never NULL: `nowhere` when nobody is known to have it. */
struct range *core_range_of(struct node_core *core, const struct id_hash *subject);
struct replication_step core_replication_step(struct node_core *core, const struct step *step);
/* The range is looked at when the step ends: what it sends, what it commits, what the next batch does for it. */
void core_touch(struct node_core *core, struct range *range);
/* To another node; the packet is borrowed, what it points to lasts until node_core_done. */
void core_packet_send(struct node_core *core, uint64_t to, const struct packet *packet);
void core_answer(const struct step *step, void *reply_to, unsigned worker, const struct command_result *result,
                 unsigned copies);
void core_answer_refusal(const struct step *step, const struct entry *entry, int rc);
/* Frees the entry after this step's actions have been performed. */
void core_entry_done(struct node_core *core, struct entry *entry);
/* Whoever waits for these entries, linked by `next`, hears that they came to nothing. */
void core_entries_refuse(struct node_core *core, const struct step *step, struct entry *entries, int rc);

/* ---- records.c ---- */

/* EVENT_RECORD, EVENT_SWAPPED. */
void records_on_event(struct node_core *core, const struct step *step, const struct event *event);
/* PACKET_RECORD, of a range that is known: what its primary was told by the coordinator when it gave it away. Only of
 * who leads as far as this node knows, and not where the range was split meanwhile: the coordinator says all of it. */
void records_on_packet(struct node_core *core, const struct step *step, const struct event *event);
/* EVENT_PLACEMENT; it may come before the record of a range that a split has made. */
void records_on_placement(struct node_core *core, const struct step *step, const struct event *event);

/* ---- splits.c ---- */

/* What the disk has of the range, if anything, is what its record says. */
bool splits_are_settled(const struct range *range);
/* What the disk has beyond the record is made the range's that has come of it, as soon as can be. */
void splits_settle(struct node_core *core, const struct step *step, struct range *parent);
/* Before the record of a range is taken: what has come by a split may lie here already. */
void splits_on_child(struct node_core *core, const struct step *step, struct range *child,
                     const struct range_record *record);
void splits_births_add(struct range *range, struct batch *batch);
void splits_births_take_back(struct node_core *core, const struct step *step, const struct batch *batch);
/* Ranges that this node leads and that are larger than they should be, a few at a time. */
void splits_begin(struct node_core *core, const struct step *step);

/* ---- pipeline.c ---- */

void pipeline_write_next(struct node_core *core, const struct step *step);
void pipeline_on_batch_done(struct node_core *core, const struct step *step, struct batch *batch);
void pipeline_batch_free(struct batch *batch);
/* This node leads the range no more: what is in its log may still be committed by another, and nobody here knows. */
void pipeline_range_lost(struct node_core *core, const struct step *step, struct range *range);
/* On every tick: when this node has led without a lease for long, nobody knows when the log goes on, so that authors
 * are told that it does not lead. They ask again, wherever the range is led then. */
void pipeline_authors_let_go(struct node_core *core, const struct step *step, struct range *range);

/* Our disk refuses: what is not on it leaves the log of the range, and if another node can lead it, that does. */
void pipeline_range_refused(struct node_core *core, const struct step *step, struct range *range, int rc);

/* ---- eventful.c ---- */

/* The thread has events to be delivered. */
void eventful_add(struct node_core *core, const struct id_hash *thread);
/* At the end of a step: of these the ones whose range is led here. */
void eventful_tell(struct node_core *core, const struct step *step);

/* ---- disk_state.c ---- */

void disk_state_on_batch(struct node_core *core, const struct step *step, const struct batch *batch);
/* On every tick: who leads ranges and cannot write gives them away. */
void disk_state_tick(struct node_core *core, const struct step *step);
/* 0, or why this entry is not to be tried. */
int disk_state_refusal(const struct node_core *core, const struct range *range, const struct entry *entry);
/* Nothing but a probe is to go to the disk now, if that. */
bool disk_state_is_closed(const struct node_core *core);
bool disk_state_wants_probe(const struct node_core *core, const struct step *step);
/* What came for a range that only learns must not take the room that others need. */
bool disk_state_spares(const struct range *range);
void disk_state_tell(const struct node_core *core, struct range *range);
/* Commands after which the store holds less, or will when they are followed up. */
bool disk_state_is_removal(const struct entry *entry);

/* ---- holdings.c ---- */

/* Who stops, or should not lead, gives a few ranges at a time away. */
void holdings_hand_over(struct node_core *core, const struct step *step);
/* Somebody hands a range over, by its new record. */
void holdings_hear(struct node_core *core, const struct step *step, const struct range_record *record);
/* Begins to drop what the newest records say is with others. */
void holdings_drop(struct node_core *core, const struct step *step, struct range *range);
/* How long writes of the range are held up by hand-overs. */
void holdings_measure(struct node_core *core, const struct step *step, struct range *range);
/* So long writes waited at who handed it over to us with this epoch. */
void holdings_held_elsewhere(struct node_core *core, struct range *range, uint64_t epoch, int64_t held_ms);
/* A step of the dropping is on disk. */
void holdings_dropped(struct range *range, bool is_done);

/* ---- questions.c ---- */

void questions_open(struct node_core *core, uint64_t start);
void questions_ask(struct node_core *core, const struct step *step, const struct event *event);
/* True: the entry is of a follow-up for a range that another node leads; it is asked, and the entry is the request's.
 */
bool questions_carry(struct node_core *core, const struct step *step, struct entry *entry);
/* What is told and never stored goes to the node that leads its thread. */
void questions_carry_notice(struct node_core *core, const struct step *step, const struct change *notice);
/* At the end of a step: what other nodes have carried here. */
void questions_notices_take(struct node_core *core, const struct step *step);
/* Those that were carried and have not come back. */
void questions_close(struct node_core *core);
/* A command of another node has been applied (0), or refused. */
void questions_command_done(struct node_core *core, const struct step *step, const struct entry *entry, int rc);

/* ---- listeners.c ---- */

void listeners_open(struct node_core *core, uint64_t start);
void listeners_close(struct node_core *core);
/* To the sessions of this node and, in a cluster, of all that listen. Lasts until node_core_done. */
void listeners_tell(struct node_core *core, const struct step *step, const struct change *change, unsigned copies);
/* What is told and never stored; where another node leads by now it goes there. */
void listeners_on_notice(struct node_core *core, const struct step *step, const struct change *notice);
/* Of typing and receipts what has been gathered for its time. */
void listeners_tell_due(struct node_core *core, const struct step *step);
/* Before those who listen to it go to its new primary: what was gathered for them. */
void listeners_range_lost(struct node_core *core, const struct step *step, const struct range *range);
void listeners_on_listen(struct node_core *core, const struct step *step, const struct event *event);
void listeners_on_unlisten(struct node_core *core, const struct id_hash *subject);
void listeners_on_repeated(struct node_core *core, const struct step *step, struct interest_repeated *repeated);

/* ---- follow_ups.c ---- */

struct follow_up *follow_ups_start(struct node_core *core, const struct id_hash *subject, uint64_t number,
                                   const struct outbox_row *row);
/* The next entry of the ready ones; there must be one. */
struct entry *follow_ups_pop(struct node_core *core);
bool follow_ups_next_is_purge(const struct node_core *core);
/* An entry of a follow-up has been applied, or has come to nothing. */
void follow_ups_on_applied(struct node_core *core, const struct step *step, struct entry *entry);
void follow_ups_on_refused(struct node_core *core, const struct step *step, struct entry *entry);
/* What an entry of a follow-up tells may take long: the author of the change, which is committed, waits no longer. */
void follow_ups_author_let_go(struct node_core *core, const struct step *step, struct entry *entry);
/* The author of a change waits for its follow-ups, or is answered at once. */
void follow_ups_of_client(struct node_core *core, const struct step *step, struct entry *entry, unsigned copies);
void follow_ups_tick(struct node_core *core, const struct step *step);
/* Those of a range that this node leads no more are forgotten: its new primary finds them in the outbox. */
void follow_ups_forget(struct node_core *core, const struct step *step, const struct range *range);
void follow_ups_close(struct node_core *core);
