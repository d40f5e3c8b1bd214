#include "node/core/replication_parts.h"

#include <string.h>

#include "proto/check.h"
#include "proto/status.h"

/* ---- who is who ---- */

void replication_init(struct replication *self, uint32_t range, uint64_t node, bool is_alone, bool is_void,
                      uint64_t applied, int64_t mono_ms) {
    struct window window = self->window;
    *self = (struct replication){
        .range = range, .self = node, .is_alone = is_alone, .is_void = is_void, .window = window, .heard_ms = mono_ms};
    self->durable = window_last_index(&window);
    self->committed = applied;
    self->applied = applied;
}

void replication_close(struct replication *self) {
    window_close(&self->window);
}

bool replication_is_leading(const struct replication *self) {
    return self->role == REPLICATION_TAKING_OVER || self->role == REPLICATION_PRIMARY;
}

bool replication_is_in_sync(const struct replication *self) {
    return range_record_has_in_sync(&self->record, self->self);
}

bool replication_is_named(const struct replication *self) {
    return replication_is_in_sync(self) || range_record_has_learner(&self->record, self->self);
}

struct replica *replica_find(struct replication *self, uint64_t node) {
    for (size_t i = 0; i < self->replicas_count; i++)
        if (self->replicas[i].node == node)
            return &self->replicas[i];
    return NULL;
}

/* While it is open which of two records holds, both count. */
bool replica_is_required(const struct replication *self, const struct replica *replica) {
    return replica->is_joining || range_record_has_in_sync(&self->record, replica->node) ||
           (self->is_swap_wanted && range_record_has_in_sync(&self->wanted, replica->node));
}

/* Who has asked to lead must not lengthen another's lease while the answer is open. */
bool replication_is_from_primary(const struct replication *self, uint64_t from, const struct packet *packet) {
    return self->role == REPLICATION_REPLICA && !self->is_swap_wanted && packet->epoch == self->record.epoch &&
           from == self->record.primary;
}

bool replication_is_given_away(const struct replication *self) {
    return self->is_swap_wanted && self->wanted.primary != self->self;
}

bool replication_role_set(struct replication *self, enum replication_role role) {
    bool has_changed = self->role != role;
    self->role = role;
    return has_changed;
}

struct packet *replication_packet_add(const struct replication *self, const struct replication_step *step, uint64_t to,
                                      enum packet_kind kind) {
    struct packet *packet = ARENA_NEW(step->arena, struct packet);
    struct action *action = action_add(step->actions, ACTION_SEND);
    packet->kind = kind;
    packet->range = self->range;
    packet->epoch = self->record.epoch;
    action->to = to;
    action->packet = packet;
    return packet;
}

/* ---- the record ---- */

static void replica_keep(struct replication *self, const struct replica *old, size_t old_count, uint64_t node,
                         int64_t mono_ms) {
    if (node == self->self)
        return;
    struct replica *replica = &self->replicas[self->replicas_count++];
    *replica = (struct replica){.node = node,
                                .since = self->version,
                                .next = window_last_index(&self->window) + 1,
                                .heard_ms = mono_ms,
                                .progress_ms = mono_ms};
    for (size_t i = 0; i < old_count; i++)
        if (old[i].node == node)
            *replica = old[i];
    bool is_in_sync = range_record_has_in_sync(&self->record, node);
    replica->is_joining = replica->is_joining && !is_in_sync;
    replica->has_lost_log = replica->has_lost_log && is_in_sync;
}

/* The replicas of the record; those that were known stay as they are, unless the epoch is new. */
static void replicas_set(struct replication *self, bool is_new_epoch, int64_t mono_ms) {
    struct replica old[RANGE_REPLICAS_MAX];
    size_t old_count = is_new_epoch ? 0 : self->replicas_count;
    memcpy(old, self->replicas, sizeof(old));
    self->replicas_count = 0;
    for (size_t i = 0; i < self->record.in_sync_count; i++)
        replica_keep(self, old, old_count, self->record.in_sync[i], mono_ms);
    for (size_t i = 0; i < self->record.learners_count; i++)
        replica_keep(self, old, old_count, self->record.learners[i], mono_ms);
}

/* We lead an epoch that we have asked for ourselves, or one in which nobody else can have our log. Whatever our log has
 * is the truth from now on; it is committed when all in sync have it. */
static bool lead(struct replication *self, const struct replication_step *step) {
    replicas_set(self, true, step->mono_ms);
    self->needs_rows = false;
    self->ready_at = window_last_index(&self->window);
    return replication_role_set(self, REPLICATION_TAKING_OVER);
}

static bool follow(struct replication *self, const struct replication_step *step) {
    bool is_named = replication_is_named(self);
    self->replicas_count = 0;
    self->matched = 0;
    self->needs_rows = false;
    self->lease_heard = 0;
    self->snapshot = 0;
    self->chunk = 0;
    self->heard_ms = step->mono_ms;
    /* So that the primary need not find out by waiting when we know of its epoch. */
    if (is_named && !self->is_unborn && self->record.primary != self->self)
        receiving_answer(self, step, self->record.primary, true, window_last_index(&self->window));
    return replication_role_set(self, is_named ? REPLICATION_REPLICA : REPLICATION_NONE);
}

bool replication_on_record(struct replication *self, const struct replication_step *step,
                           const struct range_record *record, uint64_t version) {
    bool is_first = self->record.epoch == 0;
    if (!is_first && version <= self->version)
        return false;
    bool is_new_epoch = record->epoch != self->record.epoch;
    bool is_asked = self->is_swap_wanted || self->is_expected;
    bool is_ours = is_new_epoch && is_asked && range_record_equal(record, &self->wanted);
    /* Handed over while we live: no life of ours has used this epoch, and the last primary reads nothing any more. */
    bool is_given = is_new_epoch && !is_first && record->is_handed_over;
    self->record = *record;
    self->version = version;
    self->is_swap_wanted = false;
    self->is_expected = false;
    self->handing_to = 0;
    splitting_end(self, is_ours);
    if (record->primary != self->self) {
        bool goes_on = !is_new_epoch && self->role == REPLICATION_REPLICA && replication_is_named(self);
        return goes_on ? false : follow(self, step);
    }
    if (!is_new_epoch && replication_is_leading(self)) {
        replicas_set(self, false, step->mono_ms);
        return false;
    }
    if (is_ours || is_given || self->is_alone)
        return lead(self, step);
    /* An earlier life of ours led, or asked to. It may have sent entries that our disk does not have, so their places
     * are not to be used again in that epoch; and it may have lengthened another's lease just before it ended. So it is
     * as if the primary were silent: the tick asks for a new epoch when patience is over. */
    return follow(self, step);
}

bool replication_on_swapped(struct replication *self, const struct replication_step *step, int rc,
                            const struct range_record *record, uint64_t version) {
    if (rc != STATUS_OK && rc != STATUS_CONFLICT)
        return false; /* asked again by the tick */
    if (version > self->version)
        return replication_on_record(self, step, record, version);
    /* The record is as we know it already: it was refused for an older version, or we have seen its outcome. */
    return false;
}

/* ---- the log ---- */

uint64_t replication_propose(struct replication *self, struct bytes command) {
    check(self->role == REPLICATION_PRIMARY);
    window_append(&self->window, self->record.epoch, command);
    return window_last_index(&self->window);
}

bool replication_commit(struct replication *self) {
    if (!replication_is_leading(self))
        return false;
    uint64_t committed = self->durable;
    for (size_t i = 0; i < self->replicas_count; i++) {
        const struct replica *replica = &self->replicas[i];
        if (replica_is_required(self, replica) && (!replica->is_matched || replica->durable < committed))
            committed = replica->is_matched ? replica->durable : 0;
    }
    bool has_risen = committed > self->committed;
    if (has_risen)
        self->committed = committed;
    if (self->role == REPLICATION_TAKING_OVER && self->committed >= self->ready_at && self->applied >= self->ready_at)
        return replication_role_set(self, REPLICATION_PRIMARY);
    return has_risen;
}

void replication_on_durable(struct replication *self, const struct replication_step *step, uint64_t index) {
    if (self->is_void)
        return;
    if (index > self->durable)
        self->durable = smaller(index, window_last_index(&self->window));
    if (self->role == REPLICATION_REPLICA && !self->is_swap_wanted && !self->needs_rows)
        receiving_answer(self, step, self->record.primary, false, smaller(self->durable, self->matched));
}

bool replication_on_refused(struct replication *self, const struct replication_step *step) {
    bool has_cut = window_last_index(&self->window) > self->durable;
    if (has_cut)
        window_truncate(&self->window, self->durable + 1);
    self->matched = smaller(self->matched, self->durable);
    self->alone_until = smaller(self->alone_until, self->durable);
    if (self->role == REPLICATION_REPLICA && !self->is_swap_wanted && !self->is_unborn && !self->is_void &&
        !self->needs_rows)
        receiving_answer(self, step, self->record.primary, false, smaller(self->durable, self->matched));
    if (!replication_is_leading(self) || self->is_alone)
        return false;
    uint64_t heir = replication_heir(self, self->range, step->mono_ms);
    if (heir == 0 && !has_cut)
        return false; /* it goes on when the disk does */
    bool has_changed = replication_role_set(self, REPLICATION_REPLICA);
    self->replicas_count = 0;
    if (!self->is_swap_wanted && heir != 0)
        holders_give_away(self, step, heir);
    else if (!self->is_swap_wanted)
        holders_ask_to_lead(self, step);
    return has_changed;
}

/* While rows are on their way it is not known whether the window can wait for their end. */
static bool needs_what_follows_its_rows(const struct replication *self, const struct replica *replica) {
    bool is_bounded = replica->chunks_all != 0 && self->window.bytes <= REPLICATION_WINDOW_LEARNING_BYTES_MAX;
    return replica->snapshot != 0 && (replica->chunks != 0 || is_bounded);
}

void replication_trim(struct replication *self, uint64_t applied, size_t bytes_max) {
    uint64_t unneeded = smaller(applied, self->durable);
    for (size_t i = 0; i < self->replicas_count; i++)
        if (needs_what_follows_its_rows(self, &self->replicas[i]))
            unneeded = smaller(unneeded, self->replicas[i].rows_index);
    window_trim(&self->window, bytes_max, unneeded);
}

/* ---- when the record names us no more ---- */

bool replication_may_drop(const struct replication *self) {
    return !self->is_alone && self->record.epoch != 0 && self->role == REPLICATION_NONE &&
           !replication_is_named(self) && self->record.epoch >= window_last_epoch(&self->window);
}

void replication_make_void(struct replication *self) {
    self->is_void = true;
    self->needs_rows = false;
    window_close(&self->window);
    window_init(&self->window, 0, 0);
    self->durable = 0;
    self->matched = 0;
    self->committed = 0;
    self->alone_until = 0;
}

/* ---- what others ask ---- */

bool replication_has_lease(const struct replication *self, int64_t mono_ms) {
    for (size_t i = 0; i < self->replicas_count; i++) {
        const struct replica *replica = &self->replicas[i];
        if (replica_is_required(self, replica) && mono_ms - replica->lease_ms >= REPLICATION_LEASE_MS)
            return false;
    }
    return replication_is_leading(self) && !replication_is_given_away(self);
}

int64_t replication_lease_until(const struct replication *self) {
    int64_t until_ms = self->role == REPLICATION_PRIMARY && !replication_is_given_away(self) ? INT64_MAX : 0;
    for (size_t i = 0; i < self->replicas_count; i++)
        if (replica_is_required(self, &self->replicas[i]) &&
            self->replicas[i].lease_ms + REPLICATION_LEASE_MS < until_ms)
            until_ms = self->replicas[i].lease_ms + REPLICATION_LEASE_MS;
    return until_ms;
}

bool replication_may_read(const struct replication *self, int64_t mono_ms) {
    return self->role == REPLICATION_PRIMARY && replication_has_lease(self, mono_ms);
}

int replication_may_write(const struct replication *self, int64_t mono_ms, size_t min_in_sync) {
    if (!replication_may_read(self, mono_ms) || self->handing_to != 0 || self->is_splitting)
        return STATUS_NOT_PRIMARY;
    return self->record.in_sync_count < min_in_sync ? STATUS_TOO_FEW_REPLICAS : STATUS_OK;
}

bool replication_is_full(const struct replication *self) {
    for (size_t i = 0; i < self->replicas_count; i++)
        if (replica_is_required(self, &self->replicas[i]) && self->replicas[i].is_full)
            return true;
    return self->is_full;
}

bool replication_commits_alone(const struct replication *self) {
    for (size_t i = 0; i < self->replicas_count; i++)
        if (replica_is_required(self, &self->replicas[i]))
            return false;
    return replication_is_leading(self);
}

void replication_lend_alone(struct replication *self, uint64_t index) {
    self->alone_until = index;
}

static bool may_be_gone(const struct replication *self, uint64_t node) {
    return self->is_swap_wanted && !range_record_has_in_sync(&self->wanted, node) &&
           !range_record_has_learner(&self->wanted, node);
}

unsigned replication_copies(const struct replication *self) {
    unsigned others = 0;
    for (size_t i = 0; i < self->record.in_sync_count; i++)
        others += self->record.in_sync[i] != self->self && !may_be_gone(self, self->record.in_sync[i]);
    return others;
}
