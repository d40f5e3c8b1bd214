#include "node/core/replication_parts.h"

#include "proto/check.h"

/* ---- asking the coordinator ---- */

static void swap_send(struct replication *self, const struct replication_step *step) {
    struct action *action = action_add(step->actions, ACTION_SWAP);
    action->record = self->wanted;
    action->other = self->wanted_other;
    action->version = self->version;
    self->swap_asked_ms = step->mono_ms;
}

void holders_swap(struct replication *self, const struct replication_step *step, const struct range_record *wanted,
                  const struct range_record *other) {
    check(!self->is_swap_wanted);
    self->is_swap_wanted = true;
    self->wanted = *wanted;
    self->wanted_other = other == NULL ? (struct range_record){0} : *other;
    swap_send(self, step);
}

void holders_remove(uint64_t *nodes, size_t *count, uint64_t node) {
    size_t kept = 0;
    for (size_t i = 0; i < *count; i++)
        if (nodes[i] != node)
            nodes[kept++] = nodes[i];
    for (size_t i = kept; i < *count; i++)
        nodes[i] = 0;
    *count = kept;
}

bool holders_are_among(const uint64_t *nodes, size_t count, uint64_t node) {
    for (size_t i = 0; i < count; i++)
        if (nodes[i] == node)
            return true;
    return false;
}

static void take_out_of_sync(struct range_record *record, uint64_t node) {
    holders_remove(record->in_sync, &record->in_sync_count, node);
    record->learners[record->learners_count++] = node;
}

/* A primary that was silent is out of sync with the same step: everything committed is with each of the others. */
void holders_ask_to_lead(struct replication *self, const struct replication_step *step) {
    struct range_record wanted = self->record;
    wanted.epoch++;
    wanted.primary = self->self;
    wanted.is_handed_over = false;
    if (self->record.primary != self->self)
        take_out_of_sync(&wanted, self->record.primary);
    holders_swap(self, step, &wanted, NULL);
}

/* Everything committed is with each of the others; and nobody need wait for us until we are found to be stuck. */
void holders_give_away(struct replication *self, const struct replication_step *step, uint64_t heir) {
    struct range_record wanted = self->record;
    wanted.epoch++;
    wanted.primary = heir;
    wanted.is_handed_over = true;
    take_out_of_sync(&wanted, self->self);
    self->handing_ms = step->mono_ms;
    holders_swap(self, step, &wanted, NULL);
}

/* While the coordinator is away the heir may go for ever, and nobody else have what is committed. One of the two wishes
 * comes about at most, as both are for one version. */
static void swap_again(struct replication *self, const struct replication_step *step) {
    bool is_giving_away =
        self->role == REPLICATION_REPLICA && self->record.primary == self->self && self->wanted.primary != self->self;
    if (is_giving_away && step->mono_ms - self->handing_ms > REPLICATION_SILENT_MS) {
        self->is_swap_wanted = false;
        holders_ask_to_lead(self, step);
    } else {
        swap_send(self, step);
    }
}

/* ---- handing over ---- */

static bool is_lost(const struct replica *replica, int64_t mono_ms) {
    return replica->has_lost_log || mono_ms - replica->heard_ms > REPLICATION_SILENT_MS ||
           mono_ms - replica->progress_ms > REPLICATION_STUCK_MS;
}

bool holders_may_inherit(const struct replication *self, const struct replica *replica, int64_t mono_ms) {
    return range_record_has_in_sync(&self->record, replica->node) && replica->is_matched && !replica->is_leaving &&
           !is_lost(replica, mono_ms);
}

uint64_t replication_heir(const struct replication *self, size_t turn, int64_t mono_ms) {
    uint64_t heir = 0;
    for (size_t i = 0; i < self->replicas_count; i++) {
        const struct replica *replica = &self->replicas[(turn + i) % self->replicas_count];
        bool is_wished = placement_has(&self->placement, replica->node);
        bool is_better = heir == 0 || (is_wished && !placement_has(&self->placement, heir));
        if (!holders_may_inherit(self, replica, mono_ms))
            continue;
        if (replica->node == self->placement.primary)
            return replica->node;
        heir = is_better ? replica->node : heir;
    }
    return heir;
}

bool replication_hand_over(struct replication *self, uint64_t to, int64_t mono_ms) {
    const struct replica *heir = replica_find(self, to);
    if (self->role != REPLICATION_PRIMARY || self->is_swap_wanted || self->handing_to != 0 || self->is_splitting ||
        heir == NULL || !holders_may_inherit(self, heir, mono_ms))
        return false;
    self->handing_to = to;
    self->handing_ms = mono_ms;
    self->is_heir_told = false;
    return true;
}

void holders_hand_over(struct replication *self, const struct replication_step *step) {
    if (self->handing_to == 0 || replication_is_given_away(self))
        return;
    uint64_t last = window_last_index(&self->window);
    struct replica *heir = replica_find(self, self->handing_to);
    if (self->role != REPLICATION_PRIMARY || heir == NULL || !holders_may_inherit(self, heir, step->mono_ms) ||
        step->mono_ms - self->handing_ms > REPLICATION_HANDING_MS) {
        self->handing_to = 0;
        return;
    }
    if (!self->is_heir_told && self->committed >= last) {
        self->is_heir_told = true;
        sending_append(self, step, heir);
    }
    if (self->is_swap_wanted || self->committed < last || self->applied < last)
        return;
    struct range_record wanted = self->record;
    wanted.epoch++;
    wanted.primary = heir->node;
    wanted.is_handed_over = true;
    holders_swap(self, step, &wanted, NULL);
}

bool replication_may_leave(const struct replication *self, int64_t mono_ms) {
    if (replication_is_leading(self))
        return !replication_is_given_away(self) && replication_heir(self, 0, mono_ms) == 0;
    return !replication_is_in_sync(self) || self->record.in_sync_count <= self->min_in_sync;
}

/* ---- who holds it ---- */

static size_t position_in_sync(const struct replication *self) {
    size_t i = 0;
    while (i < self->record.in_sync_count && self->record.in_sync[i] != self->self)
        i++;
    return i;
}

static void take_over_if_silent(struct replication *self, const struct replication_step *step) {
    int64_t patience_ms = REPLICATION_TAKEOVER_MS + (int64_t)position_in_sync(self) * REPLICATION_TAKEOVER_STAGGER_MS;
    if (self->is_refusing) /* whoever can write comes first; but if there is nobody else, it can be read at least */
        patience_ms += REPLICATION_STUCK_MS;
    if (replication_is_in_sync(self) && !self->is_void && !self->is_unborn &&
        step->mono_ms - self->heard_ms > patience_ms)
        holders_ask_to_lead(self, step);
}

static bool is_caught_up(const struct replication *self, const struct replica *replica) {
    return replica->is_matched && replica->snapshot == 0 &&
           window_last_index(&self->window) - replica->durable <= REPLICATION_LEARNER_GAP_MAX;
}

/* Without the last of min_in_sync nothing could be written. And if it is we who are deaf, it is about to lead instead.
 */
static bool may_take_over(const struct replica *replica, int64_t mono_ms) {
    int64_t silent_ms = mono_ms - replica->heard_ms;
    return !replica->has_lost_log && silent_ms > REPLICATION_SILENT_MS && silent_ms <= REPLICATION_LAST_SILENT_MS;
}

static bool wants_fewer_or_more_in_sync(struct replication *self, int64_t mono_ms, struct range_record *wanted) {
    for (size_t i = 0; i < self->replicas_count; i++) {
        struct replica *replica = &self->replicas[i];
        bool is_learner = range_record_has_learner(&self->record, replica->node);
        bool may_join = wishes_may_learn(self, replica->node) && !replica->is_full;
        bool is_spare = is_learner || wanted->in_sync_count > self->min_in_sync;
        bool is_gone = is_lost(replica, mono_ms);
        if (is_gone || (replica->is_leaving && is_spare)) {
            replica->is_joining = false;
            if (is_learner || (!is_spare && may_take_over(replica, mono_ms)))
                continue;
            take_out_of_sync(wanted, replica->node);
            return true;
        }
        /* First nothing commits without it any more; when it has all that was committed before, it may be taken in. Not
         * while taking over: what the last primary committed is not known then. */
        replica->is_joining = replica->is_joining && may_join;
        if (is_learner && may_join && self->role == REPLICATION_PRIMARY && is_caught_up(self, replica))
            replica->is_joining = true;
        if (replica->is_joining && is_caught_up(self, replica) && replica->durable >= self->committed &&
            replica->durable >= self->alone_until) {
            holders_remove(wanted->learners, &wanted->learners_count, replica->node);
            wanted->in_sync[wanted->in_sync_count++] = replica->node;
            return true;
        }
    }
    return false;
}

static void gone_learners_remove(const uint64_t *live, size_t live_count, struct range_record *wanted) {
    for (size_t i = wanted->learners_count; i > 0; i--)
        if (!holders_are_among(live, live_count, wanted->learners[i - 1]))
            holders_remove(wanted->learners, &wanted->learners_count, wanted->learners[i - 1]);
}

/* Nothing is wished: live nodes in place of learners that are gone, or in addition. A learner that is gone is not given
 * up before others are there, because who is not named throws its copy away. */
static void want_learners(const struct replication *self, const uint64_t *live, size_t live_count, size_t factor,
                          struct range_record *wanted) {
    size_t holders = wanted->in_sync_count;
    for (size_t i = 0; i < wanted->learners_count; i++)
        holders += holders_are_among(live, live_count, wanted->learners[i]);
    for (size_t i = 0; i < live_count && holders < factor; i++) {
        uint64_t node = live[(i + self->range) % live_count];
        if (range_record_has_in_sync(wanted, node) || range_record_has_learner(wanted, node))
            continue;
        if (wanted->in_sync_count + wanted->learners_count == RANGE_REPLICAS_MAX)
            gone_learners_remove(live, live_count, wanted);
        if (wanted->in_sync_count + wanted->learners_count == RANGE_REPLICAS_MAX)
            return;
        wanted->learners[wanted->learners_count++] = node;
        holders++;
    }
    if (holders >= factor)
        gone_learners_remove(live, live_count, wanted);
}

static bool wants_others(struct replication *self, const struct replication_step *step, const uint64_t *live,
                         size_t live_count, size_t factor, struct range_record *wanted) {
    if (wishes_has(self))
        wishes_want(self, step, live, live_count, wanted);
    else
        want_learners(self, live, live_count, factor, wanted);
    return !range_record_equal(wanted, &self->record);
}

void replication_tick(struct replication *self, const struct replication_step *step, const uint64_t *live,
                      size_t live_count, size_t factor) {
    if (self->is_swap_wanted) {
        if (step->mono_ms - self->swap_asked_ms > REPLICATION_SWAP_RETRY_MS)
            swap_again(self, step);
    } else if (self->role == REPLICATION_REPLICA) {
        take_over_if_silent(self, step);
    } else if (replication_is_leading(self)) {
        struct range_record wanted = self->record;
        if (wants_fewer_or_more_in_sync(self, step->mono_ms, &wanted) ||
            wants_others(self, step, live, live_count, factor, &wanted))
            holders_swap(self, step, &wanted, NULL);
    }
    for (size_t i = 0; replication_is_leading(self) && i < self->replicas_count; i++)
        sending_tick(self, step, &self->replicas[i]);
}
