/* Who should hold the range and lead it, and how it comes there: by one swap of the record after the other, each of
 * which is right by itself, so the wish may change or go at any moment. */
#include "node/core/replication_parts.h"

void replication_on_placement(struct replication *self, const struct placement *placement, uint64_t version) {
    if (version <= self->placement_version)
        return;
    self->placement = *placement;
    self->placement_version = version;
}

bool wishes_has(const struct replication *self) {
    return self->placement.holders_count > 0;
}

bool wishes_may_learn(const struct replication *self, uint64_t node) {
    return !wishes_has(self) || placement_has(&self->placement, node);
}

static bool has_room(const struct range_record *record) {
    return record->in_sync_count + record->learners_count < RANGE_REPLICAS_MAX;
}

static bool is_named_in(const struct range_record *record, uint64_t node) {
    return range_record_has_in_sync(record, node) || range_record_has_learner(record, node);
}

/* One that is not alive could only wait there for nothing; but who learns already stays, because it has something. */
static void want_learners(const struct replication *self, const uint64_t *live, size_t live_count,
                          struct range_record *wanted) {
    for (size_t i = wanted->learners_count; i > 0; i--)
        if (!placement_has(&self->placement, wanted->learners[i - 1]))
            holders_remove(wanted->learners, &wanted->learners_count, wanted->learners[i - 1]);
    for (size_t i = 0; i < self->placement.holders_count && has_room(wanted); i++) {
        uint64_t node = self->placement.holders[i];
        if (!is_named_in(wanted, node) && holders_are_among(live, live_count, node))
            wanted->learners[wanted->learners_count++] = node;
    }
}

/* And keep up: otherwise a copy would be given up for one that is about to be out of sync again. */
static bool all_wished_are_in_sync(struct replication *self, int64_t mono_ms) {
    for (size_t i = 0; i < self->placement.holders_count; i++) {
        uint64_t node = self->placement.holders[i];
        const struct replica *replica = replica_find(self, node);
        if (node != self->self && (replica == NULL || !holders_may_inherit(self, replica, mono_ms)))
            return false;
    }
    return true;
}

static bool lacks_room(const struct replication *self) {
    for (size_t i = 0; i < self->placement.holders_count; i++)
        if (!is_named_in(&self->record, self->placement.holders[i]))
            return self->record.in_sync_count == RANGE_REPLICAS_MAX;
    return false;
}

/* They are out of the record altogether, and throw their copies away when they hear of it. Until the outcome is known
 * both records count, so nothing is committed without them before. */
static void want_fewer_in_sync(const struct replication *self, size_t most, struct range_record *wanted) {
    for (size_t i = wanted->in_sync_count; i > 0 && most > 0; i--) {
        uint64_t node = wanted->in_sync[i - 1];
        if (node == self->self || placement_has(&self->placement, node) || wanted->in_sync_count <= self->min_in_sync)
            continue;
        holders_remove(wanted->in_sync, &wanted->in_sync_count, node);
        most--;
    }
}

void wishes_want(struct replication *self, const struct replication_step *step, const uint64_t *live, size_t live_count,
                 struct range_record *wanted) {
    want_learners(self, live, live_count, wanted);
    if (self->role == REPLICATION_PRIMARY && all_wished_are_in_sync(self, step->mono_ms))
        want_fewer_in_sync(self, RANGE_REPLICAS_MAX, wanted);
    else if (self->role == REPLICATION_PRIMARY && lacks_room(self))
        want_fewer_in_sync(self, 1, wanted);
}

/* ---- who should lead ---- */

static bool rows_are_on_their_way(const struct replication *self, int64_t mono_ms) {
    for (size_t i = 0; i < self->replicas_count; i++) {
        const struct replica *replica = &self->replicas[i];
        if (replica->snapshot != 0 && placement_has(&self->placement, replica->node) &&
            mono_ms - replica->heard_ms <= REPLICATION_SILENT_MS)
            return true;
    }
    return false;
}

static bool should_lead(const struct replication *self, uint64_t node) {
    return self->placement.primary == 0 ? placement_has(&self->placement, node) : self->placement.primary == node;
}

uint64_t replication_wished_heir(const struct replication *self, int64_t mono_ms) {
    if (self->role != REPLICATION_PRIMARY || !wishes_has(self) || should_lead(self, self->self) ||
        (self->handing_ms != 0 && mono_ms - self->handing_ms < REPLICATION_HANDING_PAUSE_MS) ||
        rows_are_on_their_way(self, mono_ms))
        return 0;
    for (size_t i = 0; i < self->replicas_count; i++)
        if (should_lead(self, self->replicas[i].node) && holders_may_inherit(self, &self->replicas[i], mono_ms))
            return self->replicas[i].node;
    return 0;
}
