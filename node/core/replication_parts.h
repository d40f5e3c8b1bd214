#pragma once
/* What the files of replication share. */
#include "node/core/replication.h"

static inline uint64_t smaller(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

/* TAKING_OVER or PRIMARY. */
bool replication_is_leading(const struct replication *replication);
bool replication_is_in_sync(const struct replication *replication);
/* In sync, or a learner. */
bool replication_is_named(const struct replication *replication);
/* A replica of the primary that we obey, in its epoch, got this from it. */
bool replication_is_from_primary(const struct replication *replication, uint64_t from, const struct packet *packet);
/* The coordinator has been asked to make another one primary: it may be that already. */
bool replication_is_given_away(const struct replication *replication);
/* True: it was another. */
bool replication_role_set(struct replication *replication, enum replication_role role);

struct replica *replica_find(struct replication *replication, uint64_t node);
/* Nothing commits without it, and the lease needs its echo. */
bool replica_is_required(const struct replication *replication, const struct replica *replica);

/* Of this range, in this epoch. */
struct packet *replication_packet_add(const struct replication *replication, const struct replication_step *step,
                                      uint64_t to, enum packet_kind kind);

/* ---- sending: the log from its primary to the others, and what they answer ---- */

/* What it lacks of the log, as much as fits a packet; nothing but a heartbeat to who has not answered in this epoch. */
void sending_append(struct replication *replication, const struct replication_step *step, struct replica *replica);
/* What is due: a heartbeat, and again what was not answered. */
void sending_tick(struct replication *replication, const struct replication_step *step, struct replica *replica);

/* ---- receiving: the log, by a replica ---- */

/* Says what we have; `is_refused`: where our log may match the primary's. The packet may be added to. */
struct packet *receiving_answer(struct replication *replication, const struct replication_step *step, uint64_t to,
                                bool is_refused, uint64_t durable);

/* ---- snapshots: the rows in place of the log ---- */

/* Who lacks entries that have left the window gets the rows instead; one in sync counts as without its log. */
void snapshots_begin(struct replication *replication, const struct replication_step *step, struct replica *replica);
/* The chunk that it needs next is to be read. */
void snapshots_ask_chunk(struct replication *replication, const struct replication_step *step, struct replica *replica);

/* ---- wishes: who should hold and lead it ---- */

bool wishes_has(const struct replication *replication);
/* Who may learn, and be taken in sync: anybody who does, if nothing is wished. */
bool wishes_may_learn(const struct replication *replication, uint64_t node);
/* The next record on the way there. */
void wishes_want(struct replication *replication, const struct replication_step *step, const uint64_t *live,
                 size_t live_count, struct range_record *wanted);

/* ---- splitting ---- */

/* `has_ended_well`: it may be split again at once. */
void splitting_end(struct replication *replication, bool has_ended_well);
/* Asks for both records once all is applied; gives up when that cannot be or takes too long. */
void splitting_go_on(struct replication *replication, const struct replication_step *step);

/* ---- holders: who is in sync, learns and leads ---- */

void holders_remove(uint64_t *nodes, size_t *count, uint64_t node);
bool holders_are_among(const uint64_t *nodes, size_t count, uint64_t node);
/* In sync, hears us, keeps up, and stays. */
bool holders_may_inherit(const struct replication *replication, const struct replica *replica, int64_t mono_ms);
/* Asks the coordinator for a new epoch with us as primary. */
void holders_ask_to_lead(struct replication *replication, const struct replication_step *step);
/* Likewise with the heir as primary, and us out of sync: our disk refuses. We serve nothing any more. */
void holders_give_away(struct replication *replication, const struct replication_step *step, uint64_t heir);
/* Asks the coordinator for this record, and together with it for `other`, unless NULL. */
void holders_swap(struct replication *replication, const struct replication_step *step,
                  const struct range_record *wanted, const struct range_record *other);
/* Asks for the heir as primary once all is applied; gives up when that cannot be or takes too long. */
void holders_hand_over(struct replication *replication, const struct replication_step *step);
