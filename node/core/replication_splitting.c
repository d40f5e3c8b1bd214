/* A range becomes two: nothing is copied, and the log of the new one goes on where that of the old one stood. */
#include "node/core/replication_parts.h"
#include "proto/check.h"

/* ---- the primary ---- */

static bool all_keep_up(const struct replication *self, int64_t mono_ms) {
    for (size_t i = 0; i < self->replicas_count; i++)
        if (!holders_may_inherit(self, &self->replicas[i], mono_ms))
            return false;
    return true;
}

bool replication_split(struct replication *self, uint64_t first, uint32_t range, int64_t mono_ms) {
    bool is_recent = self->splitting_ms != 0 && mono_ms - self->splitting_ms < REPLICATION_HANDING_PAUSE_MS;
    if (self->role != REPLICATION_PRIMARY || self->is_swap_wanted || self->handing_to != 0 || self->is_splitting ||
        is_recent || !all_keep_up(self, mono_ms))
        return false;
    check(first > self->record.bounds.first && first <= self->record.bounds.last && range != self->range);
    self->is_splitting = true;
    self->splitting_ms = mono_ms;
    self->split_first = first;
    self->split_range = range;
    return true;
}

void splitting_end(struct replication *self, bool has_ended_well) {
    if (self->is_splitting && has_ended_well)
        self->splitting_ms = 0;
    self->is_splitting = false;
}

void replication_on_number_taken(struct replication *self, uint64_t version) {
    if (version != self->version || !self->is_swap_wanted || self->wanted_other.epoch == 0)
        return;
    self->is_swap_wanted = false;
    splitting_end(self, false);
}

void replication_expect(struct replication *self, const struct range_record *record) {
    self->is_expected = self->record.epoch == 0;
    self->wanted = *record;
}

/* Everything that can be in anybody's log is committed, and what is here is the state behind it. */
static void split_ask(struct replication *self, const struct replication_step *step) {
    struct range_record lower = self->record;
    lower.epoch++;
    lower.bounds.last = self->split_first - 1;
    lower.is_handed_over = false;
    struct range_record upper = lower;
    upper.range = self->split_range;
    upper.bounds = (struct bounds){.first = self->split_first, .last = self->record.bounds.last};
    upper.has_parent = true;
    upper.parent = self->range;
    upper.parent_index = window_last_index(&self->window);
    upper.parent_epoch = window_last_epoch(&self->window);
    upper.parent_next = lower.epoch;
    holders_swap(self, step, &lower, &upper);
}

void splitting_go_on(struct replication *self, const struct replication_step *step) {
    uint64_t last = window_last_index(&self->window);
    bool is_asked = self->is_swap_wanted && self->wanted_other.epoch != 0;
    if (!self->is_splitting || is_asked)
        return;
    if (self->role != REPLICATION_PRIMARY || !all_keep_up(self, step->mono_ms) ||
        step->mono_ms - self->splitting_ms > REPLICATION_HANDING_MS) {
        splitting_end(self, false);
        return;
    }
    if (!self->is_swap_wanted && self->committed >= last && self->applied >= last)
        split_ask(self, step);
}

/* ---- a replica ---- */

bool replication_prove(struct replication *self, uint64_t index, uint64_t epoch) {
    uint64_t epoch_here = 0;
    if (self->is_void)
        return false;
    if (self->applied >= index)
        return true;
    if (self->durable < index || !window_epoch_at(&self->window, index, &epoch_here) || epoch_here != epoch)
        return false;
    if (self->committed < index)
        self->committed = index;
    return true;
}

uint64_t replication_end_at(struct replication *self, uint64_t index, uint64_t next_epoch) {
    uint64_t epoch = 0;
    if (!window_epoch_at(&self->window, index + 1, &epoch) || epoch >= next_epoch)
        return 0;
    window_truncate(&self->window, index + 1);
    self->durable = smaller(self->durable, index);
    self->matched = smaller(self->matched, index);
    return index + 1;
}

void replication_born(struct replication *self, const struct replication_step *step, uint64_t index, uint64_t epoch) {
    window_close(&self->window);
    window_init(&self->window, index, epoch);
    self->durable = index;
    self->committed = index;
    self->applied = index;
    self->is_void = false;
    self->needs_rows = false;
    self->is_unborn = false;
    self->heard_ms = step->mono_ms;
    if (self->role == REPLICATION_REPLICA && self->record.primary != self->self)
        receiving_answer(self, step, self->record.primary, true, index);
}

void replication_not_born(struct replication *self) {
    self->is_unborn = false;
    replication_make_void(self);
}
