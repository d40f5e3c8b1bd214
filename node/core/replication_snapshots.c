#include "node/core/replication_parts.h"

/* ---- the primary ---- */

void snapshots_ask_chunk(struct replication *self, const struct replication_step *step, struct replica *replica) {
    bool has_budget = step->chunk_budget == NULL || chunk_budget_allows(step->chunk_budget, self->range, step->mono_ms);
    replica->is_chunk_due = self->is_birth_pending || !has_budget;
    if (replica->is_chunk_due)
        return;
    struct action *action = action_add(step->actions, ACTION_READ_CHUNK);
    action->range = self->range;
    action->bounds = self->record.bounds;
    action->to = replica->node;
    action->snapshot = replica->snapshot;
    action->chunk = replica->chunk;
    replica->snapshot_ms = step->mono_ms;
}

/* Only what is committed leaves the window, and who is in sync has that: unless its log is lost. */
void snapshots_begin(struct replication *self, const struct replication_step *step, struct replica *replica) {
    replica->is_matched = false;
    if (replica_is_required(self, replica)) {
        replica->has_lost_log = true;
        return;
    }
    replica->is_joining = false;
    replica->snapshot = ++self->snapshots_begun;
    replica->reading = 0;
    replica->chunk = 0;
    replica->chunks = 0;
    replica->chunks_all = 0;
    replica->bytes_all = 0;
    replica->rows_index = 0;
    replica->rows_for = replica->promise;
    snapshots_ask_chunk(self, step, replica);
}

/* NULL: nobody waits for it any more. */
static struct replica *who_waits(struct replication *self, uint64_t to, const struct replication_chunk *chunk) {
    struct replica *replica = replication_is_leading(self) ? replica_find(self, to) : NULL;
    bool waits = replica != NULL && replica->snapshot == chunk->snapshot && replica->chunk == chunk->chunk;
    return waits ? replica : NULL;
}

void replication_on_chunk_gone(struct replication *self, const struct replication_step *step, uint64_t to,
                               const struct replication_chunk *chunk) {
    struct replica *replica = who_waits(self, to, chunk);
    if (replica != NULL)
        snapshots_begin(self, step, replica);
}

void replication_on_chunk_read(struct replication *self, const struct replication_step *step, uint64_t to,
                               const struct replication_chunk *chunk) {
    struct replica *replica = who_waits(self, to, chunk);
    if (replica == NULL)
        return;
    if (replica->reading != 0 && replica->reading != chunk->reading) {
        snapshots_begin(self, step, replica); /* it may have the first chunk of the other already */
        return;
    }
    replica->reading = chunk->reading;
    if (step->chunk_budget != NULL)
        chunk_budget_spend(step->chunk_budget, chunk->rows.size);
    struct packet *packet = replication_packet_add(self, step, to, PACKET_SNAPSHOT);
    packet->snapshot = chunk->snapshot;
    packet->chunk = chunk->chunk;
    packet->is_last_chunk = chunk->is_last;
    packet->index = chunk->index;
    packet->index_epoch = chunk->epoch;
    packet->rows = chunk->rows;
    packet->promise = replica->rows_for;
    if (chunk->chunk == 0 && replica->rows_for > replica->promise_void)
        replica->promise_void = replica->rows_for;
    replica->snapshot_ms = step->mono_ms;
    replica->chunks = chunk->is_last ? chunk->chunk + 1 : 0;
    replica->chunks_all = chunk->chunks;
    replica->bytes_all = chunk->bytes_all;
    replica->rows_index = chunk->index;
}

void replication_on_snapshot_taken(struct replication *self, const struct replication_step *step, uint64_t from,
                                   const struct packet *packet) {
    struct replica *replica = replication_is_leading(self) ? replica_find(self, from) : NULL;
    if (replica == NULL || packet->epoch != self->record.epoch || replica->snapshot != packet->snapshot ||
        packet->chunk <= replica->chunk)
        return;
    replica->heard_ms = step->mono_ms;
    replica->chunk = packet->chunk;
    if (replica->chunks == 0 || replica->chunk < replica->chunks) {
        snapshots_ask_chunk(self, step, replica);
        return;
    }
    replica->snapshot = 0;
    replica->next = replica->rows_index + 1;
    sending_append(self, step, replica);
}

/* ---- a replica ---- */

static void taken_send(struct replication *self, const struct replication_step *step, uint64_t to) {
    struct packet *packet = replication_packet_add(self, step, to, PACKET_SNAPSHOT_TAKEN);
    packet->snapshot = self->snapshot;
    packet->chunk = self->chunk;
}

bool replication_on_snapshot(struct replication *self, const struct replication_step *step, uint64_t from,
                             const struct packet *packet, struct replication_chunk *chunk) {
    if (!replication_is_from_primary(self, from, packet) || replication_is_in_sync(self) || self->is_unborn ||
        self->is_taking_chunk)
        return false;
    /* One that comes late must not wipe what we have promised to have since. */
    bool is_for_us_now = packet->promise == self->promise;
    if (packet->chunk == 0 && packet->snapshot > self->snapshot && is_for_us_now) {
        self->snapshot = packet->snapshot;
        self->chunk = 0;
    }
    if (packet->snapshot != self->snapshot)
        return false;
    if (packet->chunk != self->chunk) {
        taken_send(self, step, from);
        return false;
    }
    if (packet->chunk == 0) /* an append must not match what we have any more */
        replication_make_void(self);
    self->is_taking_chunk = true;
    *chunk = (struct replication_chunk){.snapshot = packet->snapshot,
                                        .chunk = packet->chunk,
                                        .is_last = packet->is_last_chunk,
                                        .index = packet->index,
                                        .epoch = packet->index_epoch,
                                        .rows = packet->rows};
    return true;
}

void replication_on_chunk_durable(struct replication *self, const struct replication_step *step,
                                  const struct replication_chunk *chunk) {
    self->is_taking_chunk = false;
    if (chunk->snapshot != self->snapshot || chunk->chunk != self->chunk)
        return;
    self->chunk++;
    if (chunk->is_last) {
        self->is_void = false;
        window_init(&self->window, chunk->index, chunk->epoch);
        self->durable = chunk->index;
        self->committed = chunk->index;
    }
    if (self->role == REPLICATION_REPLICA)
        taken_send(self, step, self->record.primary);
}

void replication_on_chunk_refused(struct replication *self) {
    self->is_taking_chunk = false;
}
