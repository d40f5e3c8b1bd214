/* Replication of one range between a few nodes, over a network, disks and a coordinator that do what a seed says: lose,
 * double, delay and reorder packets, crash and forget, cut the network in parts, keep the outcome of a swap to
 * themselves. After each event: what is committed is the same everywhere and stays, and only one node reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/core/replication.h"
#include "proto/check.h"
#include "proto/status.h"

#define NODES 4
#define INDEX_MAX 20000
#define PACKETS_MAX 4096
#define SWAPS_MAX 64
#define TICK_MS 20
#define READS_MAX 64
#define CHUNKS 3

struct disk {
    uint64_t epochs[INDEX_MAX]; /* of entry i + 1 */
    uint64_t values[INDEX_MAX];
    uint64_t last;
    uint64_t applied;
    bool is_void;
    uint64_t forgotten; /* entries up to here came as rows: their log is not there */
};

struct node {
    bool is_up;
    struct replication replication;
    struct disk disk;
    bool is_writing;
    uint64_t truncate_from, write_to; /* what is being written */
    uint64_t pending_truncate;
    int64_t written_ms;
    uint64_t snapshot_read, snapshot_index;
    int64_t skew_ms;  /* its monotonic clock began elsewhere */
    int64_t drift_pm; /* and runs differently fast, per mille */
};

struct flying {
    int64_t due_ms;
    uint64_t from, to;
    uint8_t *bytes;
    size_t size;
};

struct swap {
    int64_t due_ms; /* reaches the coordinator; then its answer travels */
    uint64_t node;
    uint64_t life;
    bool is_answer;
    int rc;
    struct range_record record;
    uint64_t version;
};

/* A snapshot is CHUNKS chunks, each of which is the index it was read at: the rows themselves are what was committed.
 */
struct chunk_read {
    int64_t due_ms;
    uint64_t node, life, to, snapshot, chunk;
};

static struct node nodes[NODES + 1]; /* by id, from 1 */
static struct chunk_read reads[READS_MAX];
static size_t reads_count;
static uint64_t lives[NODES + 1];
static struct flying flying[PACKETS_MAX];
static size_t flying_count;
static struct swap swaps[SWAPS_MAX];
static size_t swaps_count;
static struct range_record stored;
static uint64_t stored_version;
static uint64_t committed_values[INDEX_MAX];
static uint64_t committed_last;
static uint64_t committed_epoch; /* the newest in which anything was committed by its primary */
static uint64_t next_value;
static bool is_cut[NODES + 1][NODES + 1]; /* from, to */
static bool is_coordinator_up;
static unsigned loss_pm, double_pm;
static int64_t now_ms;
static uint64_t seed, chance_state;
static struct action_list actions;
static struct arena arena;
static unsigned hand_overs, takeovers, acknowledgements, crashes, snapshots;

static uint64_t chance(uint64_t bound) {
    chance_state ^= chance_state << 13;
    chance_state ^= chance_state >> 7;
    chance_state ^= chance_state << 17;
    return chance_state % bound;
}

static void world_print(void) {
    print_error("stored: epoch %llu version %llu primary %llu in sync", (unsigned long long)stored.epoch,
                (unsigned long long)stored_version, (unsigned long long)stored.primary);
    for (size_t i = 0; i < stored.in_sync_count; i++)
        print_error(" %llu", (unsigned long long)stored.in_sync[i]);
    print_error(" learners");
    for (size_t i = 0; i < stored.learners_count; i++)
        print_error(" %llu", (unsigned long long)stored.learners[i]);
    print_error("\n");
    for (uint64_t id = 1; id <= NODES; id++) {
        const struct replication *self = &nodes[id].replication;
        print_error(
            "node %llu%s: role %d epoch %llu version %llu base %llu last %llu durable %llu committed %llu applied "
            "%llu matched %llu%s%s snapshot %llu/%llu\n",
            (unsigned long long)id, nodes[id].is_up ? "" : " (down)", self->role,
            (unsigned long long)self->record.epoch, (unsigned long long)self->version,
            (unsigned long long)self->window.base_index, (unsigned long long)window_last_index(&self->window),
            (unsigned long long)self->durable, (unsigned long long)self->committed,
            (unsigned long long)nodes[id].disk.applied, (unsigned long long)self->matched,
            self->is_swap_wanted ? " swap wanted" : "", self->is_void ? " void" : "",
            (unsigned long long)self->snapshot, (unsigned long long)self->chunk);
        for (size_t i = 0; i < self->replicas_count; i++)
            print_error("  %llu: %s durable %llu next %llu snapshot %llu chunk %llu of %llu%s\n",
                        (unsigned long long)self->replicas[i].node,
                        self->replicas[i].is_matched ? "matched" : "unmatched",
                        (unsigned long long)self->replicas[i].durable, (unsigned long long)self->replicas[i].next,
                        (unsigned long long)self->replicas[i].snapshot, (unsigned long long)self->replicas[i].chunk,
                        (unsigned long long)self->replicas[i].chunks, self->replicas[i].is_joining ? " joining" : "");
    }
}

#define demand(condition)                                                                                              \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            print_error("seed %llu at %lld ms\n", (unsigned long long)seed, (long long)now_ms);                        \
            world_print();                                                                                             \
            assert_true(condition);                                                                                    \
        }                                                                                                              \
    } while (0)

static int64_t clock_of(const struct node *node) {
    return 1000 + node->skew_ms + now_ms + now_ms * node->drift_pm / 1000;
}

static struct replication_step step_of(const struct node *node) {
    return (struct replication_step){.actions = &actions, .arena = &arena, .mono_ms = clock_of(node)};
}

static void packet_fly(uint64_t from, uint64_t to, const struct packet *packet) {
    unsigned copies = chance(1000) < double_pm ? 2 : 1;
    for (unsigned i = 0; i < copies; i++) {
        if (is_cut[from][to] || chance(1000) < loss_pm || flying_count == PACKETS_MAX)
            continue;
        struct buffer buffer;
        buffer_init(&buffer);
        packet_encode(packet, &buffer);
        flying[flying_count++] = (struct flying){.due_ms = now_ms + 1 + (int64_t)chance(chance(20) == 0 ? 300 : 8),
                                                 .from = from,
                                                 .to = to,
                                                 .bytes = buffer.data,
                                                 .size = buffer.size};
    }
}

static void swap_add(const struct swap *swap) {
    if (swaps_count < SWAPS_MAX && chance(10) > 0) /* else: lost */
        swaps[swaps_count++] = *swap;
}

/* What every step may have changed. */
static void node_look(uint64_t id) {
    struct node *node = &nodes[id];
    struct replication *self = &node->replication;
    struct replication_step step = step_of(node);
    bool was_primary = self->role == REPLICATION_PRIMARY;
    replication_commit(self);
    takeovers += !was_primary && self->role == REPLICATION_PRIMARY;
    replication_send(self, &step);
    for (uint64_t index = node->disk.applied + 1; index <= self->committed && index <= self->durable; index++) {
        uint64_t epoch;
        demand(window_epoch_at(&self->window, index, &epoch) && epoch == node->disk.epochs[index - 1]);
        if (index > committed_last) {
            demand(self->role == REPLICATION_PRIMARY || self->role == REPLICATION_TAKING_OVER);
            committed_values[index - 1] = node->disk.values[index - 1];
            committed_last = index;
            committed_epoch = self->record.epoch;
            acknowledgements++;
        }
        demand(committed_values[index - 1] == node->disk.values[index - 1]);
        node->disk.applied = index;
    }
    self->applied = node->disk.applied;
    demand(node->disk.applied <= committed_last);
    if (replication_may_read(self, step.mono_ms))
        demand(self->record.epoch >= committed_epoch && self->committed == committed_last);
    for (size_t i = 0; i < actions.count; i++) {
        const struct action *action = &actions.items[i];
        if (action->kind == ACTION_SEND)
            packet_fly(id, action->to, action->packet);
        else if (action->kind == ACTION_READ_CHUNK && reads_count < READS_MAX)
            reads[reads_count++] = (struct chunk_read){.due_ms = now_ms + 1 + (int64_t)chance(10),
                                                       .node = id,
                                                       .life = lives[id],
                                                       .to = action->to,
                                                       .snapshot = action->snapshot,
                                                       .chunk = action->chunk};
        else if (action->kind == ACTION_SWAP)
            swap_add(&(struct swap){.due_ms = now_ms + 1 + (int64_t)chance(20),
                                    .node = id,
                                    .life = lives[id],
                                    .record = action->record,
                                    .version = action->version});
    }
    actions.count = 0;
    arena_reset(&arena);
    replication_trim(self, node->disk.applied, 400);
}

static void write_begin(struct node *node) {
    struct replication *self = &node->replication;
    if (node->is_writing || (node->pending_truncate == 0 && window_last_index(&self->window) <= node->disk.last))
        return;
    node->is_writing = true;
    node->truncate_from = node->pending_truncate;
    node->pending_truncate = 0;
    node->write_to = window_last_index(&self->window);
    node->written_ms = now_ms + 1 + (int64_t)chance(5);
}

/* What the window holds now of what was to be written: what has been truncated meanwhile comes again. */
static void write_end(uint64_t id) {
    struct node *node = &nodes[id];
    struct replication *self = &node->replication;
    node->is_writing = false;
    if (node->truncate_from != 0 && node->truncate_from <= node->disk.last) {
        demand(node->truncate_from > node->disk.applied);
        node->disk.last = node->truncate_from - 1;
    }
    if (node->pending_truncate != 0 && node->write_to >= node->pending_truncate)
        node->write_to = node->pending_truncate - 1;
    while (node->disk.last < node->write_to) {
        const struct window_entry *entry = window_find(&self->window, node->disk.last + 1);
        demand(entry != NULL && node->disk.last < INDEX_MAX);
        node->disk.epochs[node->disk.last] = entry->epoch;
        memcpy(&node->disk.values[node->disk.last], entry->command, sizeof(uint64_t));
        node->disk.last++;
    }
    struct replication_step step = step_of(node);
    replication_on_durable(self, &step, node->disk.last);
    node_look(id);
}

static void node_start(uint64_t id) {
    struct node *node = &nodes[id];
    uint64_t base = node->disk.applied > 50 ? node->disk.applied - 50 : 0;
    if (base < node->disk.forgotten)
        base = node->disk.forgotten;
    window_init(&node->replication.window, base, base == 0 ? 0 : node->disk.epochs[base - 1]);
    for (uint64_t i = base; i < node->disk.last; i++)
        window_append(&node->replication.window, node->disk.epochs[i],
                      bytes_of(&node->disk.values[i], sizeof(uint64_t)));
    node->skew_ms = (int64_t)chance(100000);
    node->drift_pm = (int64_t)chance(100) - 50;
    node->is_up = true;
    node->is_writing = false;
    node->pending_truncate = 0;
    lives[id]++;
    replication_init(&node->replication, 0, id, false, node->disk.is_void, node->disk.applied, clock_of(node));
    node->replication.promise = lives[id] << 20;
}

static void node_crash(uint64_t id) {
    struct node *node = &nodes[id];
    replication_close(&node->replication);
    node->is_up = false;
    crashes++;
}

static void record_tell(uint64_t id) {
    if (!nodes[id].is_up || !is_coordinator_up)
        return;
    struct replication_step step = step_of(&nodes[id]);
    replication_on_record(&nodes[id].replication, &step, &stored, stored_version);
    node_look(id);
}

static void swap_arrive(struct swap *swap) {
    bool is_up = nodes[swap->node].is_up && lives[swap->node] == swap->life;
    if (swap->is_answer) {
        if (!is_up)
            return;
        struct replication_step step = step_of(&nodes[swap->node]);
        replication_on_swapped(&nodes[swap->node].replication, &step, swap->rc, &swap->record, swap->version);
        node_look(swap->node);
        return;
    }
    if (!is_coordinator_up)
        return;
    bool is_taken = swap->version == stored_version;
    if (is_taken) {
        struct buffer buffer;
        buffer_init(&buffer);
        range_record_encode(&swap->record, &buffer);
        demand(range_record_decode(buffer_bytes(&buffer), &stored) == STATUS_OK);
        buffer_close(&buffer);
        stored_version++;
        hand_overs += stored.is_handed_over;
    }
    swap_add(&(struct swap){.due_ms = now_ms + 1 + (int64_t)chance(20),
                            .node = swap->node,
                            .life = swap->life,
                            .is_answer = true,
                            .rc = is_taken ? STATUS_OK : STATUS_CONFLICT,
                            .record = stored,
                            .version = stored_version});
}

/* All chunks of one snapshot are of the same moment. */
static void chunk_arrive(const struct chunk_read *read) {
    struct node *node = &nodes[read->node];
    if (!node->is_up || lives[read->node] != read->life)
        return;
    if (read->chunk == 0 || node->snapshot_read != read->snapshot) {
        node->snapshot_read = read->snapshot;
        node->snapshot_index = node->disk.applied;
    }
    struct replication_chunk chunk = {.snapshot = read->snapshot,
                                      .chunk = read->chunk,
                                      .is_last = read->chunk == CHUNKS - 1,
                                      .index = node->snapshot_index,
                                      .rows = BYTES_LITERAL("rows")};
    chunk.epoch = chunk.index == 0 ? 0 : node->disk.epochs[chunk.index - 1];
    struct replication_step step = step_of(node);
    replication_on_chunk_read(&node->replication, &step, read->to, &chunk);
    node_look(read->node);
}

static void chunk_install(uint64_t id, const struct replication_chunk *chunk) {
    struct node *node = &nodes[id];
    node->is_writing = false; /* of the log that is void now */
    node->pending_truncate = 0;
    if (chunk->chunk == 0) {
        node->disk.is_void = true;
        node->disk.last = node->disk.applied = node->disk.forgotten = 0;
    }
    if (chunk->is_last) {
        for (uint64_t i = 0; i < chunk->index; i++)
            node->disk.values[i] = committed_values[i];
        node->disk.epochs[chunk->index == 0 ? 0 : chunk->index - 1] = chunk->epoch;
        node->disk.last = node->disk.applied = node->disk.forgotten = chunk->index;
        node->disk.is_void = false;
        snapshots++;
    }
    struct replication_step step = step_of(node);
    replication_on_chunk_durable(&node->replication, &step, chunk);
}

static void packet_arrive(struct flying *flown) {
    struct node *node = &nodes[flown->to];
    struct packet packet;
    if (!node->is_up)
        return;
    demand(packet_decode(bytes_of(flown->bytes, flown->size), &arena, &packet) == STATUS_OK);
    struct replication_step step = step_of(node);
    if (packet.kind == PACKET_APPEND) {
        struct replication_intake intake = replication_on_append(&node->replication, &step, flown->from, &packet);
        if (intake.truncate_from != 0 && (node->pending_truncate == 0 || intake.truncate_from < node->pending_truncate))
            node->pending_truncate = intake.truncate_from;
    } else if (packet.kind == PACKET_APPENDED) {
        replication_on_appended(&node->replication, &step, flown->from, &packet);
    } else if (packet.kind == PACKET_SNAPSHOT_TAKEN) {
        replication_on_snapshot_taken(&node->replication, &step, flown->from, &packet);
    } else {
        struct replication_chunk chunk;
        if (replication_on_snapshot(&node->replication, &step, flown->from, &packet, &chunk))
            chunk_install(flown->to, &chunk);
    }
    node_look(flown->to);
}

static void everything_due(void) {
    for (size_t i = 0; i < flying_count; i++) {
        if (flying[i].due_ms > now_ms)
            continue;
        struct flying flown = flying[i];
        flying[i--] = flying[--flying_count];
        packet_arrive(&flown);
        free(flown.bytes);
    }
    for (size_t i = 0; i < reads_count; i++) {
        if (reads[i].due_ms > now_ms)
            continue;
        struct chunk_read read = reads[i];
        reads[i--] = reads[--reads_count];
        chunk_arrive(&read);
    }
    for (size_t i = 0; i < swaps_count; i++) {
        if (swaps[i].due_ms > now_ms)
            continue;
        struct swap swap = swaps[i];
        swaps[i--] = swaps[--swaps_count];
        swap_arrive(&swap);
    }
    for (uint64_t id = 1; id <= NODES; id++)
        if (nodes[id].is_up && nodes[id].is_writing && nodes[id].written_ms <= now_ms)
            write_end(id);
    for (uint64_t id = 1; id <= NODES; id++)
        if (nodes[id].is_up)
            write_begin(&nodes[id]);
}

static void clients_propose(void) {
    for (uint64_t id = 1; id <= NODES; id++) {
        struct node *node = &nodes[id];
        if (!node->is_up || replication_may_write(&node->replication, clock_of(node), 2) != STATUS_OK ||
            window_last_index(&node->replication.window) + 10 >= INDEX_MAX)
            continue;
        next_value++;
        replication_propose(&node->replication, bytes_of(&next_value, sizeof(next_value)));
        node_look(id);
    }
}

static void ticks(void) {
    static const uint64_t all[NODES] = {1, 2, 3, 4};
    for (uint64_t id = 1; id <= NODES; id++) {
        if (!nodes[id].is_up || (now_ms + (int64_t)id) % TICK_MS != 0)
            continue;
        struct replication_step step = step_of(&nodes[id]);
        replication_tick(&nodes[id].replication, &step, all, 3, 3);
        node_look(id);
        if (chance(10) == 0)
            record_tell(id);
    }
}

static void mischief(void) {
    uint64_t id = 1 + chance(NODES);
    uint64_t other = 1 + chance(NODES);
    switch (chance(11)) {
    case 0:
    case 1:
        if (nodes[id].is_up)
            node_crash(id);
        break;
    case 2:
    case 3:
        if (!nodes[id].is_up)
            node_start(id);
        break;
    case 4:
        is_cut[id][other] = id != other;
        break;
    case 5:
        memset(is_cut, 0, sizeof(is_cut));
        break;
    case 6:
        is_coordinator_up = chance(3) > 0;
        break;
    case 7:
        loss_pm = chance(3) == 0 ? 300 : (unsigned)chance(50);
        double_pm = (unsigned)chance(100);
        break;
    case 8:
    case 9: /* whoever leads hands over to anybody */
        for (uint64_t i = 1; i <= NODES; i++)
            if (nodes[i].is_up)
                replication_hand_over(&nodes[i].replication, other, clock_of(&nodes[i]));
        break;
    default: /* one node alone */
        for (uint64_t i = 1; i <= NODES; i++)
            is_cut[id][i] = is_cut[i][id] = i != id;
    }
}

static void world_begin(void) {
    now_ms = 0;
    memset(nodes, 0, sizeof(nodes));
    memset(is_cut, 0, sizeof(is_cut));
    committed_last = 0;
    committed_epoch = 0;
    next_value = 0;
    loss_pm = 10;
    double_pm = 10;
    is_coordinator_up = true;
    stored = (struct range_record){.range = 0, .epoch = 1, .primary = 1, .in_sync = {1, 2, 3}, .in_sync_count = 3};
    stored_version = 1;
    for (uint64_t id = 1; id <= NODES; id++)
        node_start(id);
}

static void world_end(void) {
    for (uint64_t id = 1; id <= NODES; id++)
        if (nodes[id].is_up)
            replication_close(&nodes[id].replication);
    while (flying_count > 0)
        free(flying[--flying_count].bytes);
    swaps_count = 0;
    reads_count = 0;
    arena_reset(&arena);
}

static void turn(bool is_calm) {
    now_ms++;
    everything_due();
    ticks();
    if (now_ms % 7 == 0)
        clients_propose();
    if (!is_calm && chance(400) == 0)
        mischief();
}

static void one_history(void) {
    world_begin();
    while (now_ms < 30000)
        turn(false);
    memset(is_cut, 0, sizeof(is_cut));
    is_coordinator_up = true;
    loss_pm = 0;
    for (uint64_t id = 1; id <= NODES; id++)
        if (!nodes[id].is_up)
            node_start(id);
    while (now_ms < 45000)
        turn(true);
    uint64_t before = committed_last;
    while (now_ms < 47000)
        turn(true);
    demand(committed_last > before);
    demand(stored.in_sync_count == 3);
    world_end();
}

/* It is heard, and hears nobody. */
static void a_deaf_primary_is_replaced_by_one_that_hears(void **state) {
    (void)state;
    for (seed = 1; seed <= 20; seed++) {
        chance_state = seed * 0x9E3779B97F4A7C15u + 1;
        world_begin();
        for (uint64_t id = 1; id <= NODES; id++)
            nodes[id].replication.min_in_sync = 2;
        while (now_ms < 6000)
            turn(true);
        uint64_t deaf = stored.primary;
        demand(stored.in_sync_count == 3);
        for (uint64_t id = 1; id <= NODES; id++)
            is_cut[id][deaf] = id != deaf;
        while (now_ms < 18000)
            turn(true);
        demand(stored.primary != deaf && stored.in_sync_count >= 2);
        uint64_t before = committed_last;
        while (now_ms < 19000)
            turn(true);
        demand(committed_last > before);
        world_end();
    }
}

static void whatever_happens_nothing_committed_is_lost_and_nobody_reads_what_is_old(void **state) {
    const char *wanted = getenv("SEED");
    const char *count = getenv("SEEDS");
    uint64_t first = wanted == NULL ? 1 : strtoull(wanted, NULL, 10);
    uint64_t seeds = wanted != NULL ? 1 : count == NULL ? 40 : strtoull(count, NULL, 10);
    (void)state;
    takeovers = hand_overs = acknowledgements = crashes = snapshots = 0;
    for (seed = first; seed < first + seeds; seed++) {
        chance_state = seed * 0x9E3779B97F4A7C15u + 1;
        one_history();
    }
    print_message("%u takeovers, %u hand-overs, %u acknowledgements, %u crashes, %u snapshots\n", takeovers, hand_overs,
                  acknowledgements, crashes, snapshots);
    assert_true(wanted != NULL || (takeovers > seeds && hand_overs > seeds / 2 && acknowledgements > 1000 * seeds &&
                                   crashes > 5 * seeds && snapshots > 0));
}

/* ---- rows for who turns out not to need them ---- */

#define PRIMARY 1
#define LEARNER 2

struct pair {
    struct replication primary, learner;
    struct replication_step step;
};

/* Both have five entries, and the primary one more. */
static void pair_init(struct pair *pair) {
    struct range_record record = {.epoch = 3,
                                  .primary = PRIMARY,
                                  .in_sync = {PRIMARY},
                                  .in_sync_count = 1,
                                  .learners = {LEARNER},
                                  .learners_count = 1};
    struct replication *both[] = {&pair->primary, &pair->learner};
    pair->step = (struct replication_step){.actions = &actions, .arena = &arena, .mono_ms = 1000};
    for (uint64_t i = 0; i < 2; i++) {
        memset(both[i], 0, sizeof(*both[i]));
        window_init(&both[i]->window, 0, 0);
        for (uint64_t index = 1; index <= 6 - i; index++)
            window_append(&both[i]->window, 2, BYTES_LITERAL("entry"));
        replication_init(both[i], 0, PRIMARY + i, false, false, 5, 0);
        both[i]->promise = 100;
    }
    /* It has asked for the epoch itself. */
    pair->primary.record = (struct range_record){.epoch = 2, .primary = 9};
    pair->primary.is_swap_wanted = true;
    pair->primary.wanted = record;
    replication_on_record(&pair->primary, &pair->step, &record, 7);
    replication_on_record(&pair->learner, &pair->step, &record, 7);
    replication_commit(&pair->primary);
    assert_int_equal(pair->primary.role, REPLICATION_TAKING_OVER);
    assert_int_equal(pair->learner.role, REPLICATION_REPLICA);
}

static void pair_close(struct pair *pair) {
    replication_close(&pair->primary);
    replication_close(&pair->learner);
    actions.count = 0;
    arena_reset(&arena);
}

/* What was sent last, of that kind. */
static const struct packet *sent(enum packet_kind kind) {
    for (size_t i = actions.count; i > 0; i--)
        if (actions.items[i - 1].kind == ACTION_SEND && actions.items[i - 1].packet->kind == kind)
            return actions.items[i - 1].packet;
    fail_msg("nothing of kind %d was sent", kind);
    return NULL;
}

static struct packet append_after(uint64_t index) {
    return (struct packet){
        .kind = PACKET_APPEND, .epoch = 3, .previous_index = index, .previous_epoch = 2, .committed = 5};
}

static struct packet first_rows(uint64_t promise) {
    return (struct packet){.kind = PACKET_SNAPSHOT,
                           .epoch = 3,
                           .snapshot = 1,
                           .is_last_chunk = true,
                           .index = 5,
                           .index_epoch = 2,
                           .rows = BYTES_LITERAL("rows"),
                           .promise = promise};
}

static void rows_that_come_late_do_not_take_what_was_promised(void **state) {
    (void)state;
    struct pair pair;
    struct replication_chunk chunk;
    pair_init(&pair);
    struct packet append = append_after(6);
    replication_on_append(&pair.learner, &pair.step, PRIMARY, &append);
    assert_true(sent(PACKET_APPENDED)->is_refused);
    struct packet rows = first_rows(sent(PACKET_APPENDED)->promise); /* on their way */
    append = append_after(5);
    replication_on_append(&pair.learner, &pair.step, PRIMARY, &append);
    assert_false(sent(PACKET_APPENDED)->is_refused);
    assert_int_equal(sent(PACKET_APPENDED)->durable, 5);
    assert_false(replication_on_snapshot(&pair.learner, &pair.step, PRIMARY, &rows, &chunk));
    assert_int_equal(pair.learner.durable, 5);
    rows = first_rows(sent(PACKET_APPENDED)->promise); /* for who has said so */
    assert_true(replication_on_snapshot(&pair.learner, &pair.step, PRIMARY, &rows, &chunk));
    pair_close(&pair);
}

static struct packet appended(uint64_t promise) {
    return (struct packet){.kind = PACKET_APPENDED, .epoch = 3, .version = 7, .durable = 5, .promise = promise};
}

static void what_was_promised_before_rows_were_sent_does_not_count(void **state) {
    (void)state;
    struct pair pair;
    struct replication_chunk chunk = {.snapshot = 1, .is_last = true, .index = 5, .epoch = 2};
    pair_init(&pair);
    struct packet needy = {
        .kind = PACKET_APPENDED, .epoch = 3, .version = 7, .is_refused = true, .needs_rows = true, .promise = 104};
    replication_on_appended(&pair.primary, &pair.step, LEARNER, &needy);
    replication_on_chunk_read(&pair.primary, &pair.step, LEARNER, &chunk);
    assert_int_equal(sent(PACKET_SNAPSHOT)->promise, 104);
    struct packet late = appended(104);
    replication_on_appended(&pair.primary, &pair.step, LEARNER, &late);
    assert_false(pair.primary.replicas[0].is_matched);
    late = appended(105);
    replication_on_appended(&pair.primary, &pair.step, LEARNER, &late);
    assert_true(pair.primary.replicas[0].is_matched);
    pair_close(&pair);
}

/* Rows that came in place of its log ended before what it had acknowledged. */
static void a_learner_that_has_less_than_it_had_is_sent_what_it_lacks(void **state) {
    (void)state;
    struct pair pair;
    pair_init(&pair);
    struct packet answer = appended(101);
    answer.durable = 6;
    replication_on_appended(&pair.primary, &pair.step, LEARNER, &answer);
    assert_int_equal(pair.primary.replicas[0].next, 7);
    struct packet refusal = {
        .kind = PACKET_APPENDED, .epoch = 3, .version = 7, .is_refused = true, .durable = 5, .promise = 102};
    replication_on_appended(&pair.primary, &pair.step, LEARNER, &refusal);
    answer = appended(103);
    replication_on_appended(&pair.primary, &pair.step, LEARNER, &answer);
    assert_true(pair.primary.replicas[0].is_matched);
    assert_int_equal(pair.primary.replicas[0].durable, 5);
    assert_int_equal(pair.primary.replicas[0].next, 6);
    pair_close(&pair);
}

/* Its disk is slow, and what it writes has left the primary's memory. Rows would not help, and each of them would be
 * answered like the one before. */
static void a_learner_that_has_it_all_in_memory_is_sent_no_rows(void **state) {
    (void)state;
    struct pair pair;
    pair_init(&pair);
    window_trim(&pair.primary.window, 0, 4);
    for (uint64_t promise = 101; promise < 110; promise++) {
        struct packet answer = appended(promise);
        answer.durable = 2;
        answer.matched = 6;
        replication_on_appended(&pair.primary, &pair.step, LEARNER, &answer);
        replication_send(&pair.primary, &pair.step);
        pair.step.mono_ms += REPLICATION_HEARTBEAT_MS;
        replication_tick(&pair.primary, &pair.step, NULL, 0, 2);
    }
    for (size_t i = 0; i < actions.count; i++)
        assert_int_not_equal(actions.items[i].kind, ACTION_READ_CHUNK);
    assert_int_equal(pair.primary.replicas[0].next, 7);
    pair_close(&pair);
}

/* Or rows would be sent because of it that nobody needs. */
static void an_answer_to_an_earlier_question_is_not_counted_again(void **state) {
    (void)state;
    struct pair pair;
    pair_init(&pair);
    struct packet refusal = {
        .kind = PACKET_APPENDED, .epoch = 3, .version = 7, .is_refused = true, .durable = 5, .promise = 100};
    for (int i = 0; i < 4; i++)
        replication_on_appended(&pair.primary, &pair.step, LEARNER, &refusal);
    assert_int_equal(pair.primary.replicas[0].next, 6);
    pair_close(&pair);
}

/* Which it can only be by somebody's mistake; that must not end a node. */
static void a_replica_that_has_something_else_as_committed_asks_for_the_rows(void **state) {
    (void)state;
    struct packet_entry other = {.epoch = 3, .command = BYTES_LITERAL("other")};
    struct packet rows[] = {append_after(3), append_after(5), append_after(0)};
    rows[0].entries = &other; /* in place of the fourth */
    rows[0].entries_count = 1;
    rows[1].previous_epoch = 1; /* another fifth */
    rows[2].previous_epoch = 1; /* the logs do not begin alike */
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct pair pair;
        pair_init(&pair);
        struct replication_intake intake = replication_on_append(&pair.learner, &pair.step, PRIMARY, &rows[i]);
        assert_int_equal(intake.first, 0);
        assert_int_equal(intake.truncate_from, 0);
        assert_true(sent(PACKET_APPENDED)->is_refused && sent(PACKET_APPENDED)->needs_rows);
        assert_int_equal(window_last_index(&pair.learner.window), 5);
        struct packet heartbeat = append_after(5);
        replication_on_append(&pair.learner, &pair.step, PRIMARY, &heartbeat);
        assert_true(sent(PACKET_APPENDED)->is_refused && sent(PACKET_APPENDED)->needs_rows);
        pair_close(&pair);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_replica_that_has_something_else_as_committed_asks_for_the_rows),
        cmocka_unit_test(rows_that_come_late_do_not_take_what_was_promised),
        cmocka_unit_test(what_was_promised_before_rows_were_sent_does_not_count),
        cmocka_unit_test(a_learner_that_has_less_than_it_had_is_sent_what_it_lacks),
        cmocka_unit_test(a_learner_that_has_it_all_in_memory_is_sent_no_rows),
        cmocka_unit_test(an_answer_to_an_earlier_question_is_not_counted_again),
        cmocka_unit_test(a_deaf_primary_is_replaced_by_one_that_hears),
        cmocka_unit_test(whatever_happens_nothing_committed_is_lost_and_nobody_reads_what_is_old),
    };
    arena_init(&arena);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_close(&arena);
    action_list_close(&actions);
    return failed;
}
