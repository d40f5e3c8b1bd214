#pragma once
/* The world that a seed makes: machines that run the production core, a network, a coordinator, clients, and what goes
 * wrong. One process, one worker, virtual time. Time is microseconds since the world began; no machine sees it. */
#include <stdio.h>

#include "node/core/batch_write.h"
#include "node/core/node_core.h"
#include "storage/snapshot.h"
#include "storage/store_memory.h"
#include "tests/sim/chance.h"

#define MACHINES_MAX 9
#define PARTS_MAX 4   /* ranges at first */
#define RANGES_MAX 16 /* and by splits; not all numbers below are used */
#define CLIENTS_MAX 16
#define SECOND_US 1000000
#define DAY_MS 86400000LL

enum happening_kind {
    HAPPEN_TICK,
    HAPPEN_PACKET,
    HAPPEN_DISK_COMMIT, /* the batch is durable, or refused */
    HAPPEN_DISK_DONE,   /* and the core hears of it */
    HAPPEN_LIST,        /* a machine asks the coordinator for everything */
    HAPPEN_RECORD,      /* a record reaches a machine */
    HAPPEN_PLACEMENT,   /* and a wish who should hold a range */
    HAPPEN_WISH,        /* somebody wishes */
    HAPPEN_BALANCE,     /* a machine stands for election, and balances when it is elected */
    HAPPEN_WISH_SWAP,   /* what it wishes reaches the coordinator */
    HAPPEN_STRIKE,      /* a machine is killed, or the coordinator goes, at a certain step of a move */
    HAPPEN_NODES,
    HAPPEN_RANGES,  /* it is told how many ranges there should be */
    HAPPEN_SWAP,    /* a compare-and-swap reaches the coordinator */
    HAPPEN_SWAPPED, /* and its answer the machine */
    HAPPEN_CHUNK,
    HAPPEN_OUTBOX,
    HAPPEN_EVENTS,   /* a machine delivers events of a thread */
    HAPPEN_REPEAT,   /* a machine reads changes for one that lacks them */
    HAPPEN_LISTEN,   /* a session begins to listen at a machine */
    HAPPEN_UNLISTEN, /* or ends it */
    HAPPEN_LOOK,     /* a session looks which threads its user is in */
    HAPPEN_SESSION,  /* a session does something */
    HAPPEN_ASK,      /* a question reaches a machine, for whoever leads */
    HAPPEN_SERVE,    /* it is served where it has come to */
    HAPPEN_SERVED,   /* and the core hears of it */
    HAPPEN_SWEEP,    /* a machine looks for what is due */
    HAPPEN_SWEPT,    /* and proposes something of it */
    HAPPEN_PROPOSAL, /* a client's request reaches a machine */
    HAPPEN_ANSWER,
    HAPPEN_CLIENT, /* a client does something */
    HAPPEN_LEAVE,  /* a machine is told that it is going to stop */
    HAPPEN_CRASH,
    HAPPEN_RESTART,
    HAPPEN_MISCHIEF,
    HAPPENING_KINDS
};

struct happening {
    int64_t due_us;
    uint64_t serial;
    enum happening_kind kind;
    unsigned machine; /* whom it happens to; its number */
    uint64_t life;    /* 0: of whichever life; else it happens to nobody when that has ended */
    uint64_t number;  /* sender, client, request */
    void *data;       /* owned */
    size_t size;
};

/* What lies on a machine's disk of a range's log, as the simulator has seen it written. */
struct entry_mark {
    uint64_t epoch;
    uint64_t hash; /* of the encoded command */
};

struct entry_marks {
    struct entry_mark *items; /* of index i + 1 */
    uint64_t count;
    uint64_t capacity;
};

struct disk_range {
    struct entry_marks log;
    struct entry_marks dropped; /* what it had when it dropped it last */
    uint64_t applied;
    bool is_void;
};

/* A snapshot that is being sent. */
struct reading {
    uint32_t range;
    uint64_t to;
    uint64_t number; /* as the primary calls it */
    uint64_t moment; /* as the machine does */
    struct snapshot *snapshot;
};

#define READINGS_MAX 256

struct machine {
    unsigned number; /* in the world */
    uint64_t id;
    bool is_there; /* false: not yet, or destroyed */
    bool is_up;
    uint64_t life;
    struct store *store;
    struct batch_writer *writer;
    struct node_core *core;
    struct action_list actions;

    struct batch *batch; /* lent to the disk */
    bool is_written;
    struct disk_range disk[RANGES_MAX];
    bool is_leaving;     /* and stops a little later */
    bool is_doomed;      /* crashes while the next batch is on its way to the disk */
    int disk_fault;      /* 0, STATUS_STORAGE_FULL, STATUS_STORAGE_FAILED */
    bool has_no_reserve; /* full, and even what removes finds no room */
    int64_t disk_us_max;

    int64_t booted_us, mono_start_ms, drift_ppm, unix_skew_ms;
    int64_t paused_until_us;
    bool is_cut_off;  /* from the coordinator */
    int64_t alive_us; /* when the coordinator heard of it last */

    int64_t chunk_due_us; /* chunks are read one after the other */
    struct reading readings[READINGS_MAX];
    size_t readings_count;
    uint64_t readings_begun;
};

enum fault_kind {
    FAULT_CRASH,
    FAULT_LEAVE,
    FAULT_WISH,
    FAULT_WISH_GONE,
    FAULT_LEARNING_ENDED,
    FAULT_CRASH_IN_DROP,
    FAULT_JOIN,
    FAULT_DRAIN,
    FAULT_DRAIN_CANCELLED,
    FAULT_BATCH_FORGOTTEN,
    FAULT_BATCH_KEPT,
    FAULT_DESTROYED,
    FAULT_PAUSE,
    FAULT_PARTITION,
    FAULT_PACKET_LOST,
    FAULT_PACKET_DOUBLED,
    FAULT_PACKET_LATE,
    FAULT_COORDINATOR_DOWN,
    FAULT_SWAP_LOST,
    FAULT_ANSWER_LOST,
    FAULT_DISK_SLOW,
    FAULT_DISK_REFUSED,
    FAULT_CLOCK_JUMP,
    FAULT_DAYS,
    FAULT_SPLIT,
    FAULT_READING_LOST,
    FAULT_KINDS
};

/* What a range goes through when it moves, and who can be away just then. */
enum move_step {
    STEP_WISHED,
    STEP_LEARNING,
    STEP_ROWS,
    STEP_IN_SYNC,
    STEP_HANDING,
    STEP_LED,
    STEP_GIVEN_UP,
    STEP_DROPPING,
    STEP_DROPPED,
    MOVE_STEPS
};
enum victim { VICTIM_SOURCE, VICTIM_TARGET, VICTIM_BALANCER, VICTIM_COORDINATOR, VICTIMS };

struct world_statistics {
    uint64_t strikes[MOVE_STEPS][VICTIMS];
    uint64_t balanced;       /* wishes of the balancer that were written */
    uint64_t refused_wishes; /* and those that somebody else was quicker than */
    uint64_t drained;        /* nodes that have left empty */
    uint64_t faults[FAULT_KINDS];
    uint64_t steps;
    uint64_t acknowledged;
    uint64_t refused;
    uint64_t committed;
    uint64_t epochs;
    uint64_t taken_back;
    uint64_t snapshots;
    uint64_t drops;
    uint64_t handed_over;
    uint64_t reads;
    uint64_t asked;
    uint64_t told;
    uint64_t repeats;
    uint64_t passed_over;
    uint64_t delivered;
    uint64_t swept;   /* proposals of what is due */
    uint64_t expired; /* threads */
};

/* What has been wished of a range, in its order; the last is what counts. */
struct wishes {
    struct placement *items;
    size_t count, capacity;
    uint64_t version;
};

struct coordinator {
    struct range_record records[RANGES_MAX]; /* epoch 0: there is no such range */
    uint64_t versions[RANGES_MAX];
    struct wishes wishes[RANGES_MAX];
    int64_t wish_us_max; /* between two wishes; 0: nobody wishes anything */
    uint64_t revision;
    uint32_t ranges_wished;
    bool is_up;
    unsigned late_per_mille;
};

struct network {
    bool is_cut[MACHINES_MAX][MACHINES_MAX]; /* from, to */
    unsigned loss_per_mille;
    unsigned double_per_mille;
    unsigned late_per_mille;
    int64_t delay_us_max;
};

struct model;     /* what clients may rely on: model.c */
struct clients;   /* clients.c */
struct sessions;  /* sessions.c */
struct inquiries; /* inquiries.c */
struct consumers; /* consumers.c */
struct checker;   /* checker.c */
struct balancing; /* balancing.c */

/* The next blow: when a range is at this step of a move. */
struct strike {
    bool is_armed;
    enum move_step step;
    enum victim victim;
};

struct world {
    uint64_t seed;
    int64_t seconds;
    bool is_verbose;
    struct chance chance;
    int64_t now_us;
    uint64_t hash; /* of everything that has happened */

    struct happening *queue; /* a heap */
    size_t queue_count, queue_capacity;
    uint64_t serial;

    unsigned machines_count;
    unsigned machines_at_first;
    struct machine machines[MACHINES_MAX];
    uint32_t parts;       /* ranges at first */
    uint32_t range_count; /* their numbers are below that */
    size_t factor;
    size_t min_in_sync;
    struct seal_key master;
    uint8_t hash_key[ID_HASH_KEY_BYTES];
    size_t log_bytes_kept;
    size_t tail_bytes_max;
    size_t chunk_bytes;
    uint64_t snapshot_bytes_per_s;
    size_t link_bytes_max;

    struct coordinator coordinator;
    struct network network;
    int64_t mischief_us_max;
    int64_t days; /* that have passed for everybody, beside the time in which things happen */
    bool is_calm; /* everything has healed: nothing goes wrong any more */
    struct clients *clients;
    struct sessions *sessions;
    struct inquiries *inquiries;
    struct consumers *consumers;
    struct checker *checker;
    struct balancing *balancing; /* NULL: nobody balances */
    struct strike strike;
    struct world_statistics statistics;
};

/* ---- world.c ---- */

struct world *world_new(uint64_t seed, int64_t seconds, bool is_verbose);
void world_free(struct world *world);
void world_run(struct world *world);
/* Plans a copy of `happening`, whose data is taken. */
void world_plan(struct world *world, int64_t delay_us, const struct happening *happening);
void world_mix(struct world *world, uint64_t value);
uint64_t hash_of_bytes(struct bytes bytes);
/* Prints where we are when --verbose. */
void world_say(const struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A guarantee is broken: prints it with the seed and ends the process. */
_Noreturn void world_fail(const struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));
struct machine *world_machine(struct world *world, uint64_t id);

/* ---- machine.c ---- */

void machine_make(struct world *world, unsigned number);
void machine_start(struct world *world, struct machine *machine);
/* It starts again after a while. */
void machine_crash(struct world *world, struct machine *machine);
void machine_destroy(struct world *world, struct machine *machine);
/* It has nothing any more, and never comes back. */
void machine_leave(struct world *world, struct machine *machine);
void machine_free(struct machine *machine);
void machine_step(struct world *world, struct machine *machine, struct event *event);
void machine_happen(struct world *world, struct happening *happening);
int64_t machine_mono_ms(const struct world *world, const struct machine *machine);
int64_t machine_unix_ms(const struct world *world, const struct machine *machine);

/* ---- network.c ---- */

void network_send(struct world *world, const struct machine *from, uint64_t to, const struct packet *packet);

/* ---- coordinator.c ---- */

void coordinator_begin(struct world *world);
/* The range that has the subject by the newest records. */
uint32_t coordinator_range_of(const struct world *world, const struct id_hash *subject);
void coordinator_ask_swap(struct world *world, const struct machine *machine, const struct action *action);
void coordinator_on_swap(struct world *world, struct happening *happening);
void coordinator_on_list(struct world *world, struct machine *machine);
struct told_record {
    struct range_record record;
    struct range_record other; /* epoch 0: none */
    uint64_t version;
    int rc;
    bool is_number_taken;
};
int64_t coordinator_delay(struct world *world);
bool coordinator_reaches(const struct world *world, const struct machine *machine);

/* ---- wishes.c ---- */

struct told_placement {
    struct placement placement;
    uint64_t version;
};
void wishes_begin(struct world *world);
void wishes_free(struct world *world);
void wishes_on_turn(struct world *world);
void wishes_on_list(struct world *world, struct machine *machine);
/* Everything has healed: what is wished last can be had. */
void wishes_settle(struct world *world);
/* What somebody asks for who knows the wish of this version: false when it is another by now. */
bool wishes_swap(struct world *world, const struct placement *placement, uint64_t version);
/* The last one; without holders: there is none. */
const struct placement *wishes_last(const struct world *world, uint32_t range);
/* But for nodes that are lost, which the balancer may wish back where nobody else is. */
bool wishes_are_reached(struct world *world, uint32_t range);
/* Who is not in the record any more has gone because of a wish, and everybody it named is in sync. */
void wishes_check_record(struct world *world, const struct range_record *before, const struct range_record *after);

/* ---- balancing.c ---- */

/* In some worlds. After the machines are made. */
void balancing_begin(struct world *world);
void balancing_free(struct world *world);
/* A machine starts, and knows nothing. */
void balancing_on_start(struct world *world, const struct machine *machine);
/* What it is told of records, wishes and nodes. */
void balancing_on_told(struct world *world, const struct machine *machine, const struct happening *happening);
void balancing_on_turn(struct world *world, struct machine *machine);
void balancing_on_swap(struct world *world, const struct happening *happening);
/* One more machine; one that is to be emptied, or is not any more. */
void balancing_join(struct world *world);
void balancing_drain(struct world *world);
/* Everything has healed: enough nodes stay for all copies. */
void balancing_settle(struct world *world);
bool balancing_is_settled(struct world *world, const char **reason);
/* NULL: nobody is elected. */
struct machine *balancing_elected(struct world *world);

/* ---- strikes.c ---- */

/* Another blow is to be waited for. */
void strikes_arm(struct world *world);
/* A range moves from one node to another, and is at this step. */
void strikes_at(struct world *world, enum move_step step, uint64_t source, uint64_t target);
void strikes_on_record(struct world *world, const struct range_record *before, const struct range_record *after);
void strikes_on_wish(struct world *world, const struct placement *placement);
void strikes_on_turn(struct world *world, const struct happening *happening);
void strikes_print(const struct world_statistics *statistics);

/* ---- clients.c ---- */

void clients_begin(struct world *world);
void clients_free(struct world *world);
void clients_on_turn(struct world *world, unsigned client);
/* Which of their requests have got which places in the log. */
void clients_on_lent(struct world *world, const struct batch *batch);
/* The entry that goes to the core for a request. */
struct entry *clients_entry(struct world *world, uint64_t request);
void clients_on_answered(struct world *world, struct machine *machine, const struct action *action);
void clients_on_answer(struct world *world, const struct happening *happening);
struct model *clients_model(struct world *world);
/* What the request asks for is proposed at a machine that serves the question: a request of its own, whose answer goes
 * to inquiries_on_done. */
uint64_t clients_request_served(struct world *world, uint64_t request, const struct machine *machine, uint64_t token,
                                uint64_t inquiry, bool is_repeated);
/* The one that was served has been answered for good. */
bool clients_request_is_done(const struct world *world, uint64_t request);
bool clients_are_done(const struct world *world);
/* Everything acknowledged is there, on every replica in sync. */
void clients_check_end(struct world *world);

/* ---- sessions.c ---- */

void sessions_begin(struct world *world);
void sessions_free(struct world *world);
void sessions_on_turn(struct world *world, unsigned session);
/* At a machine that is up. */
void sessions_on_listen(struct world *world, struct machine *machine, const struct happening *happening);
void sessions_on_look(struct world *world, const struct happening *happening);
void sessions_on_fan_out(struct world *world, const struct machine *machine, const struct action *action);
void sessions_on_look_again(struct world *world, const struct machine *machine, const struct action *action);
/* Every session listens and has been told everything. */
bool sessions_are_told(struct world *world, const char **reason);

/* ---- inquiries.c ---- */

void inquiries_begin(struct world *world);
void inquiries_free(struct world *world);
/* Asks any machine for the newest offset of a thread; `request` 0. Or has it do a client's request where that is led.
 */
void inquiries_ask(struct world *world, const struct machine *machine, unsigned thread, const struct id_hash *subject,
                   uint64_t request);
void inquiries_on_happening(struct world *world, struct machine *machine, const struct happening *happening);
void inquiries_on_serve(struct world *world, const struct machine *machine, const struct action *action);
void inquiries_on_done(struct world *world, const struct machine *machine, uint64_t token, uint64_t inquiry,
                       uint64_t request);
void inquiries_on_reply(struct world *world, const struct machine *machine, const struct action *action);
void inquiries_check_end(struct world *world);

/* ---- consumers.c ---- */

void consumers_begin(struct world *world);
void consumers_free(struct world *world);
/* Whether the change that is about to be proposed is wanted as an event. */
bool consumers_watch(struct world *world);
/* A replica has applied it; all do the same. */
void consumers_on_applied(struct world *world, const struct change *change);
void consumers_on_events(struct world *world, const struct machine *machine, const struct action *action);
void consumers_on_turn(struct world *world, struct machine *machine, unsigned thread);
/* Everyone has got everything. */
void consumers_check_end(struct world *world);

/* ---- sweeps.c ---- */

/* The next time that the machine looks for what is due. */
void sweeps_plan(struct world *world, const struct machine *machine);
void sweeps_on_turn(struct world *world, struct machine *machine);
void sweeps_on_proposal(struct world *world, struct machine *machine, const struct happening *happening);
/* Nothing that a policy deletes is there any more. */
bool sweeps_are_done(struct world *world, const char **reason);

/* ---- checker.c ---- */

void checker_begin(struct world *world);
void checker_free(struct world *world);
void checker_on_written(struct world *world, struct machine *machine, const struct batch *batch);
void checker_on_start(struct world *world, struct machine *machine, const struct start_range *ranges);
void checker_on_answered(struct world *world, struct machine *machine, const struct log_place *place, unsigned copies);
void checker_on_step(struct world *world, struct machine *machine);
/* Every range has a primary that serves, all its replicas in sync and applied equally far; nothing is under way. */
bool checker_is_settled(struct world *world, const char **reason);
void checker_check_end(struct world *world);
/* By what the machine itself knows. */
bool checker_leads(const struct machine *machine, const struct id_hash *subject);
/* Has a lease, too. */
bool checker_may_read(const struct world *world, const struct machine *machine, const struct id_hash *subject);
struct machine *checker_reader(struct world *world, const struct id_hash *subject);
/* The coordinator has split a range. */
void checker_on_split(struct world *world, const struct range_record *upper);
void checker_print(const struct world *world);

/* ---- log_check.c ---- */

/* The records on its disk are what was written there, and nothing that was taken back. */
void log_check(struct world *world, struct machine *machine);

/* ---- rows.c ---- */

/* The rows of a range, opened, as one number; equal on replicas that have applied the same. */
uint64_t rows_digest(struct world *world, struct machine *machine, uint32_t range);
/* Prints in what two replicas differ. */
void rows_print_difference(struct world *world, struct machine *a, struct machine *b, uint32_t range);
size_t rows_count(struct world *world, struct machine *machine, uint32_t range);
size_t rows_of_outbox(struct world *world, struct machine *machine, uint32_t range);

/* ---- mischief.c ---- */

void mischief_begin(struct world *world);
void mischief_on_turn(struct world *world, const struct happening *happening);
void mischief_heal(struct world *world);
/* Whether every range has somebody else in sync who is there. */
bool mischief_may_be_lost(const struct world *world, const struct machine *machine);
void mischief_coordinator_leave(struct world *world, int64_t least_us, int64_t most_us);
const char *fault_name(enum fault_kind kind);
