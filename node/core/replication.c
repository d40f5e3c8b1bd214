#include "node/core/replication.h"

#include <string.h>

#include "proto/check.h"
#include "proto/status.h"

/* ---- who is who ---- */

static uint64_t smaller(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

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

static bool is_leading(const struct replication *self) {
    return self->role == REPLICATION_TAKING_OVER || self->role == REPLICATION_PRIMARY;
}

static bool is_in_sync(const struct replication *self) {
    return range_record_has_in_sync(&self->record, self->self);
}

static struct replica *replica_find(struct replication *self, uint64_t node) {
    for (size_t i = 0; i < self->replicas_count; i++)
        if (self->replicas[i].node == node)
            return &self->replicas[i];
    return NULL;
}

/* While it is open which of two records holds, both count. */
static bool is_required(const struct replication *self, const struct replica *replica) {
    return replica->is_joining || range_record_has_in_sync(&self->record, replica->node) ||
           (self->is_swap_wanted && range_record_has_in_sync(&self->wanted, replica->node));
}

static void replica_keep(struct replication *self, const struct replica *old, size_t old_count, uint64_t node,
                         int64_t mono_ms) {
    if (node == self->self)
        return;
    struct replica *replica = &self->replicas[self->replicas_count++];
    *replica = (struct replica){
        .node = node, .next = window_last_index(&self->window) + 1, .heard_ms = mono_ms, .progress_ms = mono_ms};
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

static bool role_set(struct replication *self, enum replication_role role) {
    bool has_changed = self->role != role;
    self->role = role;
    return has_changed;
}

/* ---- asking the coordinator ---- */

static void swap_send(struct replication *self, const struct replication_step *step) {
    struct action *action = action_add(step->actions, ACTION_SWAP);
    action->record = self->wanted;
    action->version = self->version;
    self->swap_asked_ms = step->mono_ms;
}

static void swap_want(struct replication *self, const struct replication_step *step,
                      const struct range_record *wanted) {
    check(!self->is_swap_wanted);
    self->is_swap_wanted = true;
    self->wanted = *wanted;
    swap_send(self, step);
}

static void node_remove(uint64_t *nodes, size_t *count, uint64_t node) {
    size_t kept = 0;
    for (size_t i = 0; i < *count; i++)
        if (nodes[i] != node)
            nodes[kept++] = nodes[i];
    for (size_t i = kept; i < *count; i++)
        nodes[i] = 0;
    *count = kept;
}

static void take_out_of_sync(struct range_record *record, uint64_t node) {
    node_remove(record->in_sync, &record->in_sync_count, node);
    record->learners[record->learners_count++] = node;
}

/* A primary that was silent is out of sync with the same step: everything committed is with each of the others. */
static void lead_wanted(struct replication *self, const struct replication_step *step) {
    struct range_record wanted = self->record;
    wanted.epoch++;
    wanted.primary = self->self;
    wanted.is_handed_over = false;
    if (self->record.primary != self->self)
        take_out_of_sync(&wanted, self->record.primary);
    swap_want(self, step, &wanted);
}

/* ---- the record ---- */

/* We lead an epoch that we have asked for ourselves, or one in which nobody else can have our log. Whatever our log has
 * is the truth from now on; it is committed when all in sync have it. */
static bool lead(struct replication *self, const struct replication_step *step) {
    replicas_set(self, true, step->mono_ms);
    self->ready_at = window_last_index(&self->window);
    return role_set(self, REPLICATION_TAKING_OVER);
}

static struct packet *appended_send(struct replication *self, const struct replication_step *step, uint64_t to,
                                    bool is_refused, uint64_t durable);

static bool follow(struct replication *self, const struct replication_step *step) {
    bool is_named = is_in_sync(self) || range_record_has_learner(&self->record, self->self);
    self->replicas_count = 0;
    self->matched = 0;
    self->lease_heard = 0;
    self->snapshot = 0;
    self->chunk = 0;
    self->heard_ms = step->mono_ms;
    /* So that the primary need not find out by waiting when we know of its epoch. */
    if (is_named && self->record.primary != self->self)
        appended_send(self, step, self->record.primary, true, window_last_index(&self->window));
    return role_set(self, is_named ? REPLICATION_REPLICA : REPLICATION_NONE);
}

bool replication_on_record(struct replication *self, const struct replication_step *step,
                           const struct range_record *record, uint64_t version) {
    bool is_first = self->record.epoch == 0;
    if (!is_first && version <= self->version)
        return false;
    bool is_new_epoch = record->epoch != self->record.epoch;
    bool is_ours = is_new_epoch && self->is_swap_wanted && range_record_equal(record, &self->wanted);
    /* Handed over while we live: no life of ours has used this epoch, and the last primary reads nothing any more. */
    bool is_given = is_new_epoch && !is_first && record->is_handed_over;
    self->record = *record;
    self->version = version;
    self->is_swap_wanted = false;
    self->handing_to = 0;
    if (record->primary != self->self)
        return is_new_epoch || is_leading(self) || self->role == REPLICATION_NONE ? follow(self, step) : false;
    if (!is_new_epoch && is_leading(self)) {
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

/* ---- the primary ---- */

uint64_t replication_propose(struct replication *self, struct bytes command) {
    check(self->role == REPLICATION_PRIMARY);
    window_append(&self->window, self->record.epoch, command);
    return window_last_index(&self->window);
}

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

static struct packet *packet_add(const struct replication_step *step, uint64_t to, enum packet_kind kind) {
    struct packet *packet = ARENA_NEW(step->arena, struct packet);
    struct action *action = action_add(step->actions, ACTION_SEND);
    packet->kind = kind;
    action->to = to;
    action->packet = packet;
    return packet;
}

static void chunk_ask(struct replication *self, const struct replication_step *step, struct replica *replica) {
    struct action *action = action_add(step->actions, ACTION_READ_CHUNK);
    action->range = self->range;
    action->to = replica->node;
    action->snapshot = replica->snapshot;
    action->chunk = replica->chunk;
    replica->snapshot_ms = step->mono_ms;
}

/* Who lacks entries that have left the window gets the rows instead. It cannot be in sync: that has all that is
 * committed, and nothing else leaves the window. */
static void snapshot_begin(struct replication *self, const struct replication_step *step, struct replica *replica) {
    replica->is_matched = false;
    if (is_required(self, replica)) {
        replica->has_lost_log = true;
        return;
    }
    replica->is_joining = false;
    replica->snapshot = ++self->snapshots_begun;
    replica->chunk = 0;
    replica->chunks = 0;
    replica->rows_index = 0;
    replica->rows_for = replica->promise;
    chunk_ask(self, step, replica);
}

static void append_send(struct replication *self, const struct replication_step *step, struct replica *replica) {
    uint64_t previous_epoch = 0;
    bool is_in_window = window_epoch_at(&self->window, replica->next - 1, &previous_epoch);
    if (!is_in_window && replica->snapshot == 0)
        snapshot_begin(self, step, replica);
    if (!is_in_window) { /* a heartbeat all the same, so that it knows its primary */
        replica->next = window_last_index(&self->window) + 1;
        check(window_epoch_at(&self->window, replica->next - 1, &previous_epoch));
    }
    struct packet *packet = packet_add(step, replica->node, PACKET_APPEND);
    packet->range = self->range;
    packet->epoch = self->record.epoch;
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

/* ---- handing over ---- */

static bool is_lost(const struct replica *replica, int64_t mono_ms) {
    return replica->has_lost_log || mono_ms - replica->heard_ms > REPLICATION_SILENT_MS ||
           mono_ms - replica->progress_ms > REPLICATION_STUCK_MS;
}

static bool may_inherit(const struct replication *self, const struct replica *replica, int64_t mono_ms) {
    return range_record_has_in_sync(&self->record, replica->node) && replica->is_matched && !replica->is_leaving &&
           !is_lost(replica, mono_ms);
}

/* The coordinator has been asked to make another one primary: it may be that already. */
static bool is_given_away(const struct replication *self) {
    return self->is_swap_wanted && self->wanted.primary != self->self;
}

uint64_t replication_heir(const struct replication *self, size_t turn, int64_t mono_ms) {
    for (size_t i = 0; i < self->replicas_count; i++) {
        const struct replica *replica = &self->replicas[(turn + i) % self->replicas_count];
        if (may_inherit(self, replica, mono_ms))
            return replica->node;
    }
    return 0;
}

bool replication_hand_over(struct replication *self, uint64_t to, int64_t mono_ms) {
    const struct replica *heir = replica_find(self, to);
    if (self->role != REPLICATION_PRIMARY || self->is_swap_wanted || self->handing_to != 0 || heir == NULL ||
        !may_inherit(self, heir, mono_ms))
        return false;
    self->handing_to = to;
    self->handing_ms = mono_ms;
    return true;
}

static void hand_over_when_ready(struct replication *self, const struct replication_step *step) {
    if (self->handing_to == 0 || is_given_away(self))
        return;
    uint64_t last = window_last_index(&self->window);
    const struct replica *heir = replica_find(self, self->handing_to);
    if (self->role != REPLICATION_PRIMARY || heir == NULL || !may_inherit(self, heir, step->mono_ms) ||
        step->mono_ms - self->handing_ms > REPLICATION_HANDING_MS) {
        self->handing_to = 0;
        return;
    }
    if (self->is_swap_wanted || self->committed < last || self->applied < last)
        return;
    struct range_record wanted = self->record;
    wanted.epoch++;
    wanted.primary = heir->node;
    wanted.is_handed_over = true;
    swap_want(self, step, &wanted);
}

bool replication_may_leave(const struct replication *self, int64_t mono_ms) {
    if (is_leading(self))
        return !is_given_away(self) && replication_heir(self, 0, mono_ms) == 0;
    return !is_in_sync(self) || self->record.in_sync_count <= self->min_in_sync;
}

/* ---- sending ---- */

/* Until it has answered in this epoch a replica gets only the question where our logs part. */
static bool has_to_send(const struct replication *self, const struct replica *replica) {
    return replica->is_matched && replica->next <= window_last_index(&self->window) &&
           replica->in_flight_bytes < REPLICATION_IN_FLIGHT_BYTES_MAX;
}

void replication_send(struct replication *self, const struct replication_step *step) {
    for (size_t i = 0; is_leading(self) && i < self->replicas_count; i++) {
        struct replica *replica = &self->replicas[i];
        while (!replica->is_asked || has_to_send(self, replica))
            append_send(self, step, replica);
    }
    hand_over_when_ready(self, step);
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
    if ((packet->is_refused || is_over) && replica->chunk == 0)
        replica->rows_for = packet->promise; /* it has started again since */
    if (is_over)
        return; /* it may have taken rows in place of what it had then */
    /* One that has started again in the middle of a snapshot has forgotten which. */
    bool is_other_snapshot = replica->chunk > 0 && packet->snapshot != replica->snapshot;
    if (packet->needs_rows && (replica->snapshot == 0 || is_other_snapshot))
        snapshot_begin(self, step, replica);
    if (!packet->needs_rows && replica->chunks > 0 && packet->durable >= replica->rows_index)
        replica->snapshot = 0; /* it has them, though it could not say so */
    if (packet->is_refused && (packet->needs_rows || replica->snapshot != 0))
        return;
    if (packet->is_refused) {
        /* It says where its log may match ours; unless it greets, or answers an earlier question. */
        bool is_news = packet->durable + 1 < replica->next;
        replica->is_matched = replica->is_matched && !is_news;
        replica->next = is_news ? packet->durable + 1 : replica->next;
        append_send(self, step, replica);
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
    if (packet->durable > replica->durable || (is_first && !is_required(self, replica)))
        replica->durable = packet->durable;
    if (is_first || replica->next <= replica->durable)
        replica->next = replica->durable + 1;
    if (replica->next == replica->durable + 1)
        replica->in_flight_bytes = 0;
}

bool replication_on_appended(struct replication *self, const struct replication_step *step, uint64_t from,
                             const struct packet *packet) {
    struct replica *replica = replica_find(self, from);
    if (!is_leading(self) || replica == NULL || packet->epoch < self->record.epoch)
        return false;
    if (packet->epoch > self->record.epoch) {
        /* Somebody else has taken over. The record will say who; until then we lead nothing. */
        self->replicas_count = 0;
        return role_set(self, REPLICATION_NONE);
    }
    acknowledged(self, step, replica, packet);
    return false;
}

bool replication_commit(struct replication *self) {
    if (!is_leading(self))
        return false;
    uint64_t committed = self->durable;
    for (size_t i = 0; i < self->replicas_count; i++) {
        const struct replica *replica = &self->replicas[i];
        if (is_required(self, replica) && (!replica->is_matched || replica->durable < committed))
            committed = replica->is_matched ? replica->durable : 0;
    }
    bool has_risen = committed > self->committed;
    if (has_risen)
        self->committed = committed;
    if (self->role == REPLICATION_TAKING_OVER && self->committed >= self->ready_at && self->applied >= self->ready_at)
        return role_set(self, REPLICATION_PRIMARY);
    return has_risen;
}

/* ---- a replica ---- */

static struct packet *appended_send(struct replication *self, const struct replication_step *step, uint64_t to,
                                    bool is_refused, uint64_t durable) {
    struct packet *packet = packet_add(step, to, PACKET_APPENDED);
    packet->range = self->range;
    packet->epoch = self->record.epoch;
    packet->durable = durable;
    packet->lease = is_refused ? 0 : self->lease_heard;
    packet->is_refused = is_refused;
    packet->is_leaving = self->is_leaving;
    packet->needs_rows = self->is_void;
    packet->snapshot = self->is_void ? self->snapshot : 0;
    self->promise += is_refused ? 0 : 1;
    packet->promise = self->promise;
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

/* Who has asked to lead must not lengthen another's lease while the answer is open. */
static bool is_from_primary(const struct replication *self, uint64_t from, const struct packet *packet) {
    return self->role == REPLICATION_REPLICA && !self->is_swap_wanted && packet->epoch == self->record.epoch &&
           from == self->record.primary;
}

struct replication_intake replication_on_append(struct replication *self, const struct replication_step *step,
                                                uint64_t from, const struct packet *packet) {
    struct replication_intake nothing = {0};
    if (self->record.epoch == 0 || !is_sound(packet))
        return nothing;
    if (packet->epoch < self->record.epoch) {
        appended_send(self, step, from, true, 0);
        return nothing;
    }
    if (!is_from_primary(self, from, packet))
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
    if (self->is_void || is_contradicted(self, packet)) {
        appended_send(self, step, from, true, 0)->needs_rows = true;
        return nothing;
    }
    bool is_other = false;
    if (!entry_is_known(self, packet->previous_index, packet->previous_epoch, &is_other)) {
        uint64_t last = window_last_index(&self->window);
        uint64_t next = is_other ? packet->previous_index - 1 : smaller(last, packet->previous_index - 1);
        appended_send(self, step, from, true, next);
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
        appended_send(self, step, from, false, smaller(self->durable, self->matched));
    return intake;
}

/* ---- snapshots ---- */

void replication_on_chunk_read(struct replication *self, const struct replication_step *step, uint64_t to,
                               const struct replication_chunk *chunk) {
    struct replica *replica = is_leading(self) ? replica_find(self, to) : NULL;
    if (replica == NULL || replica->snapshot != chunk->snapshot || replica->chunk != chunk->chunk)
        return;
    struct packet *packet = packet_add(step, to, PACKET_SNAPSHOT);
    packet->range = self->range;
    packet->epoch = self->record.epoch;
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
    replica->rows_index = chunk->index;
}

static void taken_send(struct replication *self, const struct replication_step *step, uint64_t to) {
    struct packet *packet = packet_add(step, to, PACKET_SNAPSHOT_TAKEN);
    packet->range = self->range;
    packet->epoch = self->record.epoch;
    packet->snapshot = self->snapshot;
    packet->chunk = self->chunk;
}

bool replication_on_snapshot(struct replication *self, const struct replication_step *step, uint64_t from,
                             const struct packet *packet, struct replication_chunk *chunk) {
    if (!is_from_primary(self, from, packet) || is_in_sync(self) || self->is_taking_chunk)
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
    if (packet->chunk == 0) { /* an append must not match what we have any more */
        self->is_void = true;
        window_close(&self->window);
        window_init(&self->window, 0, 0);
        self->durable = 0;
        self->matched = 0;
        self->committed = 0;
    }
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

void replication_on_snapshot_taken(struct replication *self, const struct replication_step *step, uint64_t from,
                                   const struct packet *packet) {
    struct replica *replica = is_leading(self) ? replica_find(self, from) : NULL;
    if (replica == NULL || packet->epoch != self->record.epoch || replica->snapshot != packet->snapshot ||
        packet->chunk <= replica->chunk)
        return;
    replica->heard_ms = step->mono_ms;
    replica->chunk = packet->chunk;
    if (replica->chunks == 0 || replica->chunk < replica->chunks) {
        chunk_ask(self, step, replica);
        return;
    }
    replica->snapshot = 0;
    replica->next = replica->rows_index + 1;
    append_send(self, step, replica);
}

/* ---- our own disk ---- */

void replication_on_durable(struct replication *self, const struct replication_step *step, uint64_t index) {
    if (self->is_void)
        return;
    if (index > self->durable)
        self->durable = smaller(index, window_last_index(&self->window));
    if (self->role == REPLICATION_REPLICA && !self->is_swap_wanted)
        appended_send(self, step, self->record.primary, false, smaller(self->durable, self->matched));
}

bool replication_on_refused(struct replication *self, const struct replication_step *step) {
    if (window_last_index(&self->window) > self->durable)
        window_truncate(&self->window, self->durable + 1);
    self->matched = smaller(self->matched, self->durable);
    self->alone_until = smaller(self->alone_until, self->durable);
    if (!is_leading(self) || self->is_alone)
        return false;
    bool has_changed = role_set(self, REPLICATION_REPLICA);
    self->replicas_count = 0;
    if (!self->is_swap_wanted)
        lead_wanted(self, step);
    return has_changed;
}

/* ---- time ---- */

static size_t position_in_sync(const struct replication *self) {
    size_t i = 0;
    while (i < self->record.in_sync_count && self->record.in_sync[i] != self->self)
        i++;
    return i;
}

static void take_over_if_silent(struct replication *self, const struct replication_step *step) {
    int64_t patience_ms = REPLICATION_TAKEOVER_MS + (int64_t)position_in_sync(self) * REPLICATION_TAKEOVER_STAGGER_MS;
    if (is_in_sync(self) && !self->is_void && step->mono_ms - self->heard_ms > patience_ms)
        lead_wanted(self, step);
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
        if (is_learner && self->role == REPLICATION_PRIMARY && is_caught_up(self, replica))
            replica->is_joining = true;
        if (replica->is_joining && is_caught_up(self, replica) && replica->durable >= self->committed &&
            replica->durable >= self->alone_until) {
            node_remove(wanted->learners, &wanted->learners_count, replica->node);
            wanted->in_sync[wanted->in_sync_count++] = replica->node;
            return true;
        }
    }
    return false;
}

static bool is_among(const uint64_t *nodes, size_t count, uint64_t node) {
    for (size_t i = 0; i < count; i++)
        if (nodes[i] == node)
            return true;
    return false;
}

/* A live node in place of a learner that is gone, or in addition. */
static bool wants_learners(const struct replication *self, const uint64_t *live, size_t live_count, size_t factor,
                           struct range_record *wanted) {
    size_t holders = wanted->in_sync_count;
    for (size_t i = 0; i < self->record.learners_count; i++) {
        if (is_among(live, live_count, self->record.learners[i]))
            holders++;
        else
            node_remove(wanted->learners, &wanted->learners_count, self->record.learners[i]);
    }
    for (size_t i = 0; i < live_count && holders < factor; i++) {
        uint64_t node = live[(i + self->range) % live_count];
        if (range_record_has_in_sync(wanted, node) || range_record_has_learner(wanted, node))
            continue;
        if (wanted->in_sync_count + wanted->learners_count == RANGE_REPLICAS_MAX)
            break;
        wanted->learners[wanted->learners_count++] = node;
        holders++;
    }
    return !range_record_equal(wanted, &self->record);
}

static void heartbeat(struct replication *self, const struct replication_step *step, struct replica *replica) {
    bool is_stalled = replica->is_matched && replica->next > replica->durable + 1 &&
                      step->mono_ms - replica->progress_ms > REPLICATION_RESEND_MS &&
                      step->mono_ms - replica->sent_ms > REPLICATION_RESEND_MS;
    bool is_unanswered = !replica->is_matched && step->mono_ms - replica->sent_ms > REPLICATION_RESEND_MS;
    if (is_stalled) {
        replica->next = replica->durable + 1;
        replica->in_flight_bytes = 0;
    }
    if (replica->snapshot != 0 && step->mono_ms - replica->snapshot_ms > REPLICATION_CHUNK_RESEND_MS)
        chunk_ask(self, step, replica);
    if (is_stalled || is_unanswered || step->mono_ms - replica->sent_ms >= REPLICATION_HEARTBEAT_MS)
        append_send(self, step, replica);
}

void replication_tick(struct replication *self, const struct replication_step *step, const uint64_t *live,
                      size_t live_count, size_t factor) {
    if (self->is_swap_wanted) {
        if (step->mono_ms - self->swap_asked_ms > REPLICATION_SWAP_RETRY_MS)
            swap_send(self, step);
    } else if (self->role == REPLICATION_REPLICA) {
        take_over_if_silent(self, step);
    } else if (is_leading(self)) {
        struct range_record wanted = self->record;
        if (wants_fewer_or_more_in_sync(self, step->mono_ms, &wanted) ||
            wants_learners(self, live, live_count, factor, &wanted))
            swap_want(self, step, &wanted);
    }
    for (size_t i = 0; is_leading(self) && i < self->replicas_count; i++)
        heartbeat(self, step, &self->replicas[i]);
}

void replication_trim(struct replication *self, uint64_t applied, size_t bytes_max) {
    uint64_t unneeded = smaller(applied, self->durable);
    for (size_t i = 0; i < self->replicas_count; i++)
        if (self->replicas[i].chunks != 0 && self->replicas[i].snapshot != 0)
            unneeded = smaller(unneeded, self->replicas[i].rows_index);
    window_trim(&self->window, bytes_max, unneeded);
}

/* ---- what others ask ---- */

bool replication_has_lease(const struct replication *self, int64_t mono_ms) {
    for (size_t i = 0; i < self->replicas_count; i++) {
        const struct replica *replica = &self->replicas[i];
        if (is_required(self, replica) && mono_ms - replica->lease_ms >= REPLICATION_LEASE_MS)
            return false;
    }
    return is_leading(self) && !is_given_away(self);
}

int64_t replication_lease_until(const struct replication *self) {
    int64_t until_ms = self->role == REPLICATION_PRIMARY && !is_given_away(self) ? INT64_MAX : 0;
    for (size_t i = 0; i < self->replicas_count; i++)
        if (is_required(self, &self->replicas[i]) && self->replicas[i].lease_ms + REPLICATION_LEASE_MS < until_ms)
            until_ms = self->replicas[i].lease_ms + REPLICATION_LEASE_MS;
    return until_ms;
}

bool replication_may_read(const struct replication *self, int64_t mono_ms) {
    return self->role == REPLICATION_PRIMARY && replication_has_lease(self, mono_ms);
}

int replication_may_write(const struct replication *self, int64_t mono_ms, size_t min_in_sync) {
    if (!replication_may_read(self, mono_ms) || self->handing_to != 0)
        return STATUS_NOT_PRIMARY;
    return self->record.in_sync_count < min_in_sync ? STATUS_TOO_FEW_REPLICAS : STATUS_OK;
}

bool replication_commits_alone(const struct replication *self) {
    for (size_t i = 0; i < self->replicas_count; i++)
        if (is_required(self, &self->replicas[i]))
            return false;
    return is_leading(self);
}

void replication_lend_alone(struct replication *self, uint64_t index) {
    self->alone_until = index;
}

unsigned replication_copies(const struct replication *self) {
    return (unsigned)self->record.in_sync_count - 1;
}
