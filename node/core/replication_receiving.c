#include "node/core/replication_parts.h"

#include "proto/check.h"

struct packet *receiving_answer(struct replication *self, const struct replication_step *step, uint64_t to,
                                bool is_refused, uint64_t durable) {
    struct packet *packet = replication_packet_add(self, step, to, PACKET_APPENDED);
    packet->durable = durable;
    packet->matched = is_refused ? 0 : self->matched;
    packet->lease = is_refused ? 0 : self->lease_heard;
    packet->is_refused = is_refused;
    packet->is_leaving = self->is_leaving || self->is_refusing;
    packet->is_full = self->is_full;
    packet->needs_rows = self->is_void || self->needs_rows;
    packet->snapshot = self->is_void ? self->snapshot : 0;
    self->promise += is_refused ? 0 : 1;
    packet->promise = self->promise;
    packet->version = self->version;
    return packet;
}

static bool entry_is_known(const struct replication *self, uint64_t index, uint64_t epoch, bool *is_other) {
    uint64_t known;
    if (index <= self->window.base_index)
        return true; /* applied long ago, so committed, so the same */
    bool is_there = window_epoch_at(&self->window, index, &known);
    *is_other = is_there && known != epoch;
    return is_there && known == epoch;
}

static struct replication_intake entries_take(struct replication *self, const struct packet *packet) {
    struct replication_intake intake = {0};
    for (size_t i = 0; i < packet->entries_count; i++) {
        const struct packet_entry *entry = &packet->entries[i];
        uint64_t index = packet->previous_index + 1 + i;
        bool is_other = false;
        if (entry_is_known(self, index, entry->epoch, &is_other))
            continue;
        if (is_other) {
            check(index > self->committed);
            window_truncate(&self->window, index);
            intake.truncate_from = index;
            self->durable = smaller(self->durable, index - 1);
        }
        window_append(&self->window, entry->epoch, entry->command);
        intake.first = intake.first == 0 ? index : intake.first;
        intake.last = index;
    }
    return intake;
}

/* Epochs within a packet rise, and none is above the packet's: what is in the log came from its primaries. */
static bool is_sound(const struct packet *packet) {
    uint64_t epoch = packet->previous_epoch;
    for (size_t i = 0; i < packet->entries_count; i++) {
        if (packet->entries[i].epoch < epoch || packet->entries[i].epoch > packet->epoch)
            return false;
        epoch = packet->entries[i].epoch;
    }
    return packet->previous_epoch <= packet->epoch;
}

/* Of an entry that this replica has as committed the primary knows another one: ours is no copy of this range. */
static bool is_contradicted(const struct replication *self, const struct packet *packet) {
    uint64_t known;
    for (size_t i = 0; i <= packet->entries_count; i++) {
        uint64_t index = packet->previous_index + i;
        uint64_t epoch = i == 0 ? packet->previous_epoch : packet->entries[i - 1].epoch;
        if (index <= self->committed && window_epoch_at(&self->window, index, &known) && known != epoch)
            return true;
    }
    return false;
}

void replication_ask_rows(struct replication *self, const struct replication_step *step, uint64_t from,
                          const struct packet *packet) {
    if (!replication_is_from_primary(self, from, packet) || self->is_unborn)
        return;
    self->needs_rows = true;
    receiving_answer(self, step, from, true, 0);
}

struct replication_intake replication_on_append(struct replication *self, const struct replication_step *step,
                                                uint64_t from, const struct packet *packet) {
    struct replication_intake nothing = {0};
    if (self->record.epoch == 0 || self->is_unborn || !is_sound(packet))
        return nothing;
    if (packet->epoch < self->record.epoch) {
        receiving_answer(self, step, from, true, 0);
        return nothing;
    }
    if (!replication_is_from_primary(self, from, packet))
        return nothing; /* a newer record is on its way to us */
    /* A primary that does not hear us is as good as silent: it commits nothing with us. From then on its lease must not
     * be lengthened either, or it might read when we lead. */
    if (packet->unheard_ms <= REPLICATION_SILENT_MS) {
        self->heard_ms = step->mono_ms;
        if (packet->lease > self->lease_heard)
            self->lease_heard = packet->lease;
    }
    if (packet->promise != 0 && self->promise <= packet->promise)
        self->promise = packet->promise + 1;
    self->needs_rows = self->needs_rows || is_contradicted(self, packet);
    if (self->is_void || self->needs_rows) {
        receiving_answer(self, step, from, true, 0);
        return nothing;
    }
    bool is_other = false;
    if (!entry_is_known(self, packet->previous_index, packet->previous_epoch, &is_other)) {
        uint64_t last = window_last_index(&self->window);
        uint64_t next = is_other ? packet->previous_index - 1 : smaller(last, packet->previous_index - 1);
        receiving_answer(self, step, from, true, next);
        return nothing;
    }
    struct replication_intake intake = entries_take(self, packet);
    uint64_t matched = packet->previous_index + packet->entries_count;
    if (matched > self->matched)
        self->matched = matched;
    uint64_t committed = smaller(packet->committed, self->matched);
    if (committed > self->committed)
        self->committed = committed;
    if (intake.first == 0) /* otherwise once it is on the disk */
        receiving_answer(self, step, from, false, smaller(self->durable, self->matched));
    return intake;
}
