#include "node/core/replication_parts.h"

#include "proto/check.h"

static size_t entries_gather(const struct replication *self, const struct replica *replica, struct arena *arena,
                             struct packet *packet) {
    uint64_t last = window_last_index(&self->window);
    uint64_t most = last >= replica->next ? last - replica->next + 1 : 0;
    size_t bytes = 0;
    if (most > PACKET_ENTRIES_MAX)
        most = PACKET_ENTRIES_MAX;
    packet->entries = ARENA_NEW_ARRAY(arena, struct packet_entry, most);
    while (packet->entries_count < most) {
        const struct window_entry *entry = window_find(&self->window, replica->next + packet->entries_count);
        if (packet->entries_count > 0 && bytes + entry->size > REPLICATION_PACKET_BYTES_MAX)
            break;
        bytes += entry->size;
        packet->entries[packet->entries_count++] =
            (struct packet_entry){.epoch = entry->epoch, .command = bytes_of(entry->command, entry->size)};
    }
    return bytes;
}

void sending_append(struct replication *self, const struct replication_step *step, struct replica *replica) {
    uint64_t previous_epoch = 0;
    bool is_in_window = window_epoch_at(&self->window, replica->next - 1, &previous_epoch);
    if (!is_in_window && replica->snapshot == 0)
        snapshots_begin(self, step, replica);
    if (!is_in_window) { /* a heartbeat all the same, so that it knows its primary */
        replica->next = window_last_index(&self->window) + 1;
        check(window_epoch_at(&self->window, replica->next - 1, &previous_epoch));
    }
    struct packet *packet = replication_packet_add(self, step, replica->node, PACKET_APPEND);
    packet->previous_index = replica->next - 1;
    packet->previous_epoch = previous_epoch;
    packet->committed = self->committed;
    packet->lease = (uint64_t)step->mono_ms;
    packet->unheard_ms = (uint32_t)smaller((uint64_t)(step->mono_ms - replica->heard_ms), UINT32_MAX);
    packet->promise = replica->snapshot == 0 ? replica->promise_void : 0;
    if (replica->is_matched)
        replica->in_flight_bytes += entries_gather(self, replica, step->arena, packet);
    replica->next += packet->entries_count;
    replica->is_asked = true;
    replica->sent_ms = step->mono_ms;
}

/* What was sent may be lost: again from what it has on its disk. What has left our window it has at least in its
 * memory, or it would have refused what comes behind it; sending rows instead would not help a slow disk. */
static void go_back(const struct replication *self, struct replica *replica) {
    if (replica->durable < self->window.base_index && replica->matched > replica->durable) {
        replica->next = replica->matched + 1;
        return;
    }
    replica->next = replica->durable + 1;
    replica->in_flight_bytes = 0;
}

void sending_tick(struct replication *self, const struct replication_step *step, struct replica *replica) {
    bool is_stalled = replica->is_matched && replica->next > replica->durable + 1 &&
                      step->mono_ms - replica->progress_ms > REPLICATION_RESEND_MS &&
                      step->mono_ms - replica->sent_ms > REPLICATION_RESEND_MS;
    bool is_unanswered = !replica->is_matched && step->mono_ms - replica->sent_ms > REPLICATION_RESEND_MS;
    if (is_stalled)
        go_back(self, replica);
    bool is_chunk_late = step->mono_ms - replica->snapshot_ms > REPLICATION_CHUNK_RESEND_MS;
    if (replica->snapshot != 0 && (replica->is_chunk_due || is_chunk_late))
        snapshots_ask_chunk(self, step, replica);
    if (is_stalled || is_unanswered || step->mono_ms - replica->sent_ms >= REPLICATION_HEARTBEAT_MS)
        sending_append(self, step, replica);
}

/* Until it has answered in this epoch a replica gets only the question where our logs part. */
static bool has_to_send(const struct replication *self, const struct replica *replica) {
    return replica->is_matched && replica->next <= window_last_index(&self->window) &&
           replica->in_flight_bytes < REPLICATION_IN_FLIGHT_BYTES_MAX;
}

void replication_send(struct replication *self, const struct replication_step *step) {
    for (size_t i = 0; replication_is_leading(self) && i < self->replicas_count; i++) {
        struct replica *replica = &self->replicas[i];
        while (!replica->is_asked || has_to_send(self, replica))
            sending_append(self, step, replica);
    }
    holders_hand_over(self, step);
    splitting_go_on(self, step);
}

static void acknowledged(struct replication *self, const struct replication_step *step, struct replica *replica,
                         const struct packet *packet) {
    uint64_t last = window_last_index(&self->window);
    replica->heard_ms = step->mono_ms;
    if ((int64_t)packet->lease > replica->lease_ms && (int64_t)packet->lease <= step->mono_ms)
        replica->lease_ms = (int64_t)packet->lease;
    bool is_over = !packet->is_refused && replica->promise_void != 0 && packet->promise <= replica->promise_void;
    replica->promise = packet->promise;
    replica->is_leaving = packet->is_leaving;
    replica->is_full = packet->is_full;
    if ((packet->is_refused || is_over) && replica->chunk == 0)
        replica->rows_for = packet->promise; /* it has started again since */
    if (is_over)
        return; /* it may have taken rows in place of what it had then */
    /* One that has started again in the middle of a snapshot has forgotten which. */
    bool is_other_snapshot = replica->chunk > 0 && packet->snapshot != replica->snapshot;
    if (packet->needs_rows && (replica->snapshot == 0 || is_other_snapshot))
        snapshots_begin(self, step, replica);
    if (!packet->needs_rows && replica->chunks > 0 && packet->durable >= replica->rows_index)
        replica->snapshot = 0; /* it has them, though it could not say so */
    if (packet->is_refused && (packet->needs_rows || replica->snapshot != 0))
        return;
    if (packet->is_refused) {
        /* It says where its log may match ours; unless it greets, or answers an earlier question. */
        bool is_news = packet->durable + 1 < replica->next;
        replica->is_matched = replica->is_matched && !is_news;
        replica->next = is_news ? packet->durable + 1 : replica->next;
        sending_append(self, step, replica);
        return;
    }
    if (packet->durable > last)
        return; /* of another life */
    bool is_first = !replica->is_matched;
    replica->is_matched = true;
    replica->has_lost_log = false;
    replica->snapshot = 0; /* the log is enough after all */
    if (packet->durable > replica->durable || packet->durable == last)
        replica->progress_ms = step->mono_ms;
    /* A learner may have less than it had once: rows came in place of its log. */
    if (packet->durable > replica->durable || (is_first && !replica_is_required(self, replica)))
        replica->durable = packet->durable;
    replica->matched = packet->matched <= last ? packet->matched : 0;
    if (is_first || replica->next <= replica->durable)
        go_back(self, replica);
    if (replica->next == replica->durable + 1)
        replica->in_flight_bytes = 0;
}

bool replication_on_appended(struct replication *self, const struct replication_step *step, uint64_t from,
                             const struct packet *packet) {
    struct replica *replica = replica_find(self, from);
    if (!replication_is_leading(self) || replica == NULL || packet->epoch < self->record.epoch)
        return false;
    if (packet->epoch > self->record.epoch) {
        /* Somebody else has taken over. The record will say who; until then we lead nothing. */
        self->replicas_count = 0;
        return replication_role_set(self, REPLICATION_NONE);
    }
    if (packet->version >= replica->since)
        acknowledged(self, step, replica, packet);
    return false;
}
