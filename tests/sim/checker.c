/* Asks after each step whether the guarantees hold. It sees what reaches disks, and looks into the cores without
 * touching them. */
#include <stdlib.h>

#include "node/core/node_core_parts.h"
#include "proto/check.h"
#include "proto/status.h"
#include "tests/sim/model.h"

/* Who has led an epoch: a node may do so in one life only, or places in the log are used twice. */
struct leader {
    uint64_t node;
    uint64_t life;
};

struct checked_range {
    struct entry_marks history; /* what is committed, as the first disk to apply it had it */
    uint64_t newest_epoch;      /* in which anything was committed */
    uint64_t acknowledged;      /* the highest index that a client was told of */
    struct leader *leaders;     /* by epoch */
    uint64_t leaders_capacity;
};

struct checker {
    struct checked_range ranges[RANGES_MAX];
    char reason[200];
};

void checker_begin(struct world *world) {
    world->checker = calloc(1, sizeof(*world->checker));
    check(world->checker != NULL);
}

void checker_free(struct world *world) {
    for (uint32_t i = 0; i < RANGES_MAX; i++) {
        free(world->checker->ranges[i].history.items);
        free(world->checker->ranges[i].leaders);
    }
    free(world->checker);
}

static const struct range *range_of(const struct machine *machine, uint32_t range) {
    return &machine->core->ranges[range];
}

static const struct replication *replication_of(const struct machine *machine, uint32_t range) {
    return &range_of(machine, range)->replication;
}

static unsigned long long number(uint64_t value) {
    return value;
}

static void replication_print(const struct replication *self) {
    static const char *const roles[] = {"none", "replica", "taking over", "primary"};
    fprintf(stderr,
            "    %s, epoch %llu version %llu, window %llu to %llu, durable %llu committed %llu matched %llu%s\n",
            roles[self->role], number(self->record.epoch), number(self->version), number(self->window.base_index),
            number(window_last_index(&self->window)), number(self->durable), number(self->committed),
            number(self->matched), self->is_swap_wanted ? ", swap wanted" : "");
    for (size_t i = 0; i < self->replicas_count; i++)
        fprintf(stderr, "      %llu: %s durable %llu next %llu snapshot %llu chunk %llu of %llu%s\n",
                number(self->replicas[i].node), self->replicas[i].is_matched ? "matched" : "unmatched",
                number(self->replicas[i].durable), number(self->replicas[i].next), number(self->replicas[i].snapshot),
                number(self->replicas[i].chunk), number(self->replicas[i].chunks),
                self->replicas[i].is_joining ? " joining" : "");
}

void checker_print(const struct world *world) {
    for (uint32_t r = 0; r < world->range_count; r++) {
        const struct range_record *record = &world->coordinator.records[r];
        fprintf(stderr, "range %u: epoch %llu version %llu primary %llu; in sync", r, number(record->epoch),
                number(world->coordinator.versions[r]), number(record->primary));
        for (size_t i = 0; i < record->in_sync_count; i++)
            fprintf(stderr, " %llu", number(record->in_sync[i]));
        fprintf(stderr, "; learners");
        for (size_t i = 0; i < record->learners_count; i++)
            fprintf(stderr, " %llu", number(record->learners[i]));
        fprintf(stderr, "; committed %llu in epoch %llu, acknowledged %llu\n",
                number(world->checker->ranges[r].history.count), number(world->checker->ranges[r].newest_epoch),
                number(world->checker->ranges[r].acknowledged));
        for (unsigned i = 0; i < world->machines_count; i++) {
            const struct machine *machine = &world->machines[i];
            const struct disk_range *disk = &machine->disk[r];
            fprintf(stderr, "  node %llu%s%s: disk has %llu, applied %llu%s\n", number(machine->id),
                    machine->is_up      ? ""
                    : machine->is_there ? " (down)"
                                        : " (destroyed)",
                    machine->paused_until_us > world->now_us ? " (paused)" : "", number(disk->log.count),
                    number(disk->applied), disk->is_void ? ", void" : "");
            if (machine->is_up)
                replication_print(replication_of(machine, r));
        }
    }
}

/* ---- what is on disks ---- */

static void marks_push(struct entry_marks *marks, const struct entry_mark *mark) {
    if (marks->count == marks->capacity) {
        marks->capacity = marks->capacity == 0 ? 256 : marks->capacity * 2;
        marks->items = realloc(marks->items, marks->capacity * sizeof(*marks->items));
        check(marks->items != NULL);
    }
    marks->items[marks->count++] = *mark;
}

static void marks_exchange(struct entry_marks *a, struct entry_marks *b) {
    struct entry_marks kept = *a;
    *a = *b;
    *b = kept;
}

static bool has_mark(const struct entry_marks *marks, uint64_t index, const struct entry_mark *mark) {
    return index <= marks->count && marks->items[index - 1].epoch == mark->epoch &&
           marks->items[index - 1].hash == mark->hash;
}

static bool has_entry(const struct disk_range *disk, uint64_t index, const struct entry_mark *mark) {
    return !disk->is_void && has_mark(&disk->log, index, mark);
}

static void on_truncated(struct world *world, struct machine *machine, const struct log_truncation *truncation) {
    struct disk_range *disk = &machine->disk[truncation->range];
    if (truncation->from <= disk->applied)
        world_fail(world, "node %llu takes back what it has applied", number(machine->id));
    if (disk->log.count < truncation->from)
        return;
    disk->log.count = truncation->from - 1;
    world->statistics.taken_back++;
}

static void on_taken(struct world *world, struct machine *machine, const struct batch_taking *taking) {
    struct disk_range *disk = &machine->disk[taking->range];
    const struct entry_marks *history = &world->checker->ranges[taking->range].history;
    if (taking->rc != STATUS_OK)
        return;
    if (range_record_has_in_sync(&world->coordinator.records[taking->range], machine->id))
        world_fail(world, "node %llu throws away what it has of range %u, where it is in sync", number(machine->id),
                   taking->range);
    if (!bytes_is_present(taking->chunk)) {
        bool is_drop = range_of(machine, taking->range)->taking.is_drop;
        world->statistics.drops += taking->is_done && is_drop;
        if (taking->is_done && is_drop)
            strikes_at(world, STEP_DROPPED, machine->id, world->coordinator.records[taking->range].primary);
        if (is_drop && disk->log.count > 0)
            marks_exchange(&disk->log, &disk->dropped);
        disk->is_void = true;
        disk->log.count = 0;
        disk->applied = 0;
        return;
    }
    if (!taking->is_done)
        return;
    struct store_transaction *transaction = NULL;
    struct range_marks marks;
    check(store_begin_read(machine->store, &transaction) == STATUS_OK);
    check(range_marks_find(transaction, &world->master, taking->range, &marks) == STATUS_OK);
    store_abort(transaction);
    if (marks.applied > history->count)
        world_fail(world, "node %llu took rows that nobody has committed", number(machine->id));
    for (uint64_t i = 0; i < marks.applied; i++)
        marks_push(&disk->log, &history->items[i]);
    disk->applied = marks.applied;
    disk->is_void = false;
    world_say(world, "node %llu has taken over range %u up to %llu", number(machine->id), taking->range,
              number(marks.applied));
}

/* Whoever leads next is one of those in sync, so each of them must have it. */
static void demand_on_all_in_sync(struct world *world, uint32_t range, uint64_t index, const struct entry_mark *mark) {
    const struct range_record *record = &world->coordinator.records[range];
    for (size_t i = 0; i < record->in_sync_count; i++)
        if (!has_entry(&world_machine(world, record->in_sync[i])->disk[range], index, mark))
            world_fail(world, "entry %llu of range %u is committed, but not on the disk of node %llu, which is in sync",
                       number(index), range, number(record->in_sync[i]));
}

static void on_applied(struct world *world, struct machine *machine, const struct log_place *place) {
    struct checked_range *range = &world->checker->ranges[place->range];
    struct disk_range *disk = &machine->disk[place->range];
    uint64_t epoch = replication_of(machine, place->range)->record.epoch;
    if (place->index != disk->applied + 1 || place->index > disk->log.count)
        world_fail(world, "node %llu applies entry %llu of range %u after %llu of %llu", number(machine->id),
                   number(place->index), place->range, number(disk->applied), number(disk->log.count));
    disk->applied++;
    const struct entry_mark *mark = &disk->log.items[place->index - 1];
    if (place->index > range->history.count) {
        demand_on_all_in_sync(world, place->range, place->index, mark);
        marks_push(&range->history, mark);
        world->statistics.committed++;
        if (epoch > range->newest_epoch)
            range->newest_epoch = epoch;
        return;
    }
    if (!has_entry(disk, place->index, &range->history.items[place->index - 1]))
        world_fail(world, "node %llu applies another entry %llu of range %u than was committed", number(machine->id),
                   number(place->index), place->range);
}

static void on_appended(struct world *world, struct machine *machine, const struct entry *entry) {
    struct disk_range *disk = &machine->disk[entry->place.range];
    if (entry->place.index != disk->log.count + 1)
        world_fail(world, "node %llu appends entry %llu of range %u behind %llu", number(machine->id),
                   number(entry->place.index), entry->place.range, number(disk->log.count));
    marks_push(&disk->log, &(struct entry_mark){entry->place.epoch, hash_of_bytes(entry->encoded)});
}

static void in_sync_check(struct world *world, const struct machine *machine, const struct batch_birth *birth) {
    const struct range_record *records = world->coordinator.records;
    if (birth->is_parent_void && range_record_has_in_sync(&records[birth->parent], machine->id))
        world_fail(world, "node %llu throws away what it has of range %u, where it is in sync", number(machine->id),
                   birth->parent);
    if ((!birth->has_child || birth->child_marks.is_incomplete) && !machine->disk[birth->child].log.count &&
        records[birth->child].bounds.last != 0 && range_record_has_in_sync(&records[birth->child], machine->id))
        world_fail(world, "node %llu makes nothing of range %u, where it is in sync", number(machine->id),
                   birth->child);
}

/* The log of the new range is that of the old one, up to where it was split. */
static void on_born(struct world *world, struct machine *machine, const struct batch_birth *birth) {
    struct disk_range *parent = &machine->disk[birth->parent];
    struct disk_range *child = &machine->disk[birth->child];
    uint64_t applied = birth->child_marks.applied;
    in_sync_check(world, machine, birth);
    if (birth->is_parent_void) {
        parent->is_void = true;
        parent->log.count = 0;
        parent->applied = 0;
    }
    if (!birth->has_child)
        return;
    child->log.count = 0;
    child->applied = applied;
    child->is_void = birth->child_marks.is_incomplete;
    if (child->is_void)
        return;
    if (parent->is_void || parent->applied < applied)
        world_fail(world, "node %llu makes range %u of range %u, which has applied %llu of %llu", number(machine->id),
                   birth->child, birth->parent, number(parent->applied), number(applied));
    for (uint64_t i = 0; i < applied; i++)
        marks_push(&child->log, &parent->log.items[i]);
    world_say(world, "node %llu has range %u of range %u, up to %llu", number(machine->id), birth->child, birth->parent,
              number(applied));
}

static void change_applied(struct world *world, const struct change *change, bool is_watched) {
    model_on_applied(world, clients_model(world), change, is_watched);
    consumers_on_applied(world, change);
}

void checker_on_written(struct world *world, struct machine *machine, const struct batch *batch) {
    for (size_t i = 0; i < batch->births_count; i++)
        on_born(world, machine, &batch->births[i]);
    for (size_t i = 0; i < batch->truncations_count; i++)
        on_truncated(world, machine, &batch->truncations[i]);
    for (size_t i = 0; i < batch->takings_count; i++)
        on_taken(world, machine, &batch->takings[i]);
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->items[i].is_append)
            on_appended(world, machine, batch->items[i].entry);
        if (!batch->items[i].is_apply)
            continue;
        on_applied(world, machine, &batch->items[i].entry->place);
        for (const struct outcome_change *told = batch->items[i].entry->outcome.changes; told != NULL;
             told = told->next)
            change_applied(world, &told->change, batch->items[i].entry->command.is_watched);
    }
}

/* Each position is in one range and no other. */
static void demand_whole_ring(struct world *world) {
    const struct coordinator *coordinator = &world->coordinator;
    struct cluster_map map;
    cluster_map_init(&map);
    for (uint32_t i = 0; i < world->range_count; i++) {
        const struct range_record *record = &coordinator->records[i];
        if (record->epoch != 0 && !cluster_map_may_set(&map, i, &record->bounds))
            world_fail(world, "range %u has positions of another", i);
        if (record->epoch != 0)
            cluster_map_set(&map, i, &record->bounds);
    }
    if (!cluster_map_is_whole(&map))
        world_fail(world, "there are positions that no range has");
    cluster_map_close(&map);
}

/* Nothing of the old range that is committed may be missing in the new one. */
void checker_on_split(struct world *world, const struct range_record *upper) {
    const struct checked_range *parent = &world->checker->ranges[upper->parent];
    struct checked_range *child = &world->checker->ranges[upper->range];
    if (upper->parent_index != parent->history.count)
        world_fail(world, "range %u is split behind entry %llu, and %llu are committed", upper->parent,
                   number(upper->parent_index), number(parent->history.count));
    for (uint64_t i = 0; i < upper->parent_index; i++)
        marks_push(&child->history, &parent->history.items[i]);
    child->newest_epoch = parent->newest_epoch;
    demand_whole_ring(world);
}

/* What a node finds on its disk is what was written there. */
void checker_on_start(struct world *world, struct machine *machine, const struct start_range *ranges) {
    for (uint32_t r = 0; r < RANGES_MAX; r++) {
        const struct disk_range *disk = &machine->disk[r];
        const struct start_range *range = &ranges[r];
        if (range->is_void != disk->is_void)
            world_fail(world, "node %llu forgets whether range %u is whole", number(machine->id), r);
        if (range->is_void)
            continue;
        if (range->marks.applied != disk->applied || range->base_index + range->entries_count != disk->log.count)
            world_fail(world, "node %llu finds range %u up to %llu, applied %llu; written were %llu, %llu",
                       number(machine->id), r, number(range->base_index + range->entries_count),
                       number(range->marks.applied), number(disk->log.count), number(disk->applied));
        for (size_t i = 0; i < range->entries_count; i++) {
            struct entry_mark found = {range->entries[i].epoch, hash_of_bytes(range->entries[i].command)};
            if (!has_entry(disk, range->base_index + 1 + i, &found))
                world_fail(world, "node %llu finds another entry %llu of range %u than was written",
                           number(machine->id), number(range->base_index + 1 + i), r);
        }
    }
    log_check(world, machine);
}

static bool may_read(const struct world *world, const struct machine *machine, uint32_t range) {
    return machine->is_up && replication_may_read(replication_of(machine, range), machine_mono_ms(world, machine));
}

/* ---- what is told ---- */

void checker_on_answered(struct world *world, struct machine *machine, const struct log_place *place, unsigned copies) {
    struct checked_range *range = &world->checker->ranges[place->range];
    unsigned others = 0;
    if (place->index == 0 || place->index > range->history.count)
        world_fail(world, "node %llu acknowledges entry %llu of range %u, which is not committed", number(machine->id),
                   number(place->index), place->range);
    const struct entry_mark *mark = &range->history.items[place->index - 1];
    if (mark->epoch != place->epoch)
        world_fail(world, "node %llu acknowledges entry %llu of range %u, but another was committed there",
                   number(machine->id), number(place->index), place->range);
    /* Who leads no more may not have heard yet of copies that were given up since. */
    bool may_be_late = !may_read(world, machine, place->range);
    for (unsigned i = 0; i < world->machines_count; i++) {
        const struct disk_range *disk = &world->machines[i].disk[place->range];
        others += &world->machines[i] != machine && (has_entry(disk, place->index, mark) ||
                                                     (may_be_late && has_mark(&disk->dropped, place->index, mark)));
    }
    if (others < copies)
        world_fail(world, "node %llu says that entry %llu of range %u is on %u other disks; it is on %u",
                   number(machine->id), number(place->index), place->range, copies, others);
    if (place->index > range->acknowledged)
        range->acknowledged = place->index;
}

/* ---- after each step ---- */

static bool serves_position(const struct world *world, const struct machine *machine, uint64_t position) {
    uint32_t range = machine->is_up ? cluster_map_range_at(&machine->core->map, position) : CLUSTER_MAP_NOBODY;
    return range != CLUSTER_MAP_NOBODY && may_read(world, machine, range);
}

bool checker_leads(const struct machine *machine, const struct id_hash *subject) {
    uint32_t range = cluster_map_range_of(&machine->core->map, subject);
    return range != CLUSTER_MAP_NOBODY && replication_of(machine, range)->role == REPLICATION_PRIMARY;
}

bool checker_may_read(const struct world *world, const struct machine *machine, const struct id_hash *subject) {
    return serves_position(world, machine, id_hash_position(subject));
}

static struct machine *reader_at(struct world *world, uint64_t position) {
    for (unsigned i = 0; i < world->machines_count; i++)
        if (serves_position(world, &world->machines[i], position))
            return &world->machines[i];
    return NULL;
}

struct machine *checker_reader(struct world *world, const struct id_hash *subject) {
    return reader_at(world, id_hash_position(subject));
}

/* Though they may know other maps. */
static void demand_one_server(struct world *world, uint64_t position) {
    const struct machine *server = NULL;
    for (unsigned i = 0; i < world->machines_count; i++) {
        const struct machine *machine = &world->machines[i];
        if (!serves_position(world, machine, position))
            continue;
        if (server != NULL)
            world_fail(world, "nodes %llu and %llu both may serve position %016llx", number(server->id),
                       number(machine->id), number(position));
        server = machine;
    }
}

static void demand_one_leader(struct world *world, struct machine *machine, uint32_t id) {
    struct checked_range *range = &world->checker->ranges[id];
    const struct replication *self = replication_of(machine, id);
    uint64_t epoch = self->record.epoch;
    if (self->role != REPLICATION_PRIMARY && self->role != REPLICATION_TAKING_OVER)
        return;
    if (epoch >= range->leaders_capacity) {
        uint64_t capacity = epoch * 2;
        range->leaders = realloc(range->leaders, capacity * sizeof(*range->leaders));
        check(range->leaders != NULL);
        memset(range->leaders + range->leaders_capacity, 0,
               (capacity - range->leaders_capacity) * sizeof(*range->leaders));
        range->leaders_capacity = capacity;
    }
    struct leader *leader = &range->leaders[epoch];
    if (leader->node == 0)
        *leader = (struct leader){machine->id, machine->life};
    if (leader->node != machine->id || leader->life != machine->life)
        world_fail(world, "epoch %llu of range %u is led by node %llu, life %llu, and by node %llu, life %llu",
                   number(epoch), id, number(leader->node), number(leader->life), number(machine->id),
                   number(machine->life));
}

static void demand_one_reader(struct world *world, uint32_t id) {
    const struct checked_range *range = &world->checker->ranges[id];
    const struct machine *reader = NULL;
    for (unsigned i = 0; i < world->machines_count; i++) {
        const struct machine *machine = &world->machines[i];
        if (!may_read(world, machine, id))
            continue;
        if (reader != NULL)
            world_fail(world, "nodes %llu and %llu both may serve range %u", number(reader->id), number(machine->id),
                       id);
        reader = machine;
        const struct replication *self = replication_of(machine, id);
        if (self->record.epoch < range->newest_epoch)
            world_fail(world, "node %llu may serve range %u in epoch %llu, but epoch %llu has committed",
                       number(machine->id), id, number(self->record.epoch), number(range->newest_epoch));
        if (machine->disk[id].applied < range->acknowledged)
            world_fail(world, "node %llu may serve range %u, but has applied %llu and %llu is acknowledged",
                       number(machine->id), id, number(machine->disk[id].applied), number(range->acknowledged));
    }
}

void checker_on_step(struct world *world, struct machine *machine) {
    for (uint32_t i = 0; i < world->range_count; i++) {
        if (world->coordinator.records[i].epoch == 0)
            continue;
        demand_one_leader(world, machine, i);
        demand_one_reader(world, i);
        if (replication_of(machine, i)->handing_to != 0)
            strikes_at(world, STEP_HANDING, machine->id, replication_of(machine, i)->handing_to);
        if (range_of(machine, i)->taking.is_drop)
            strikes_at(world, STEP_DROPPING, machine->id, world->coordinator.records[i].primary);
        if (world->range_count > world->parts)
            demand_one_server(world, world->coordinator.records[i].bounds.last);
    }
}

/* ---- the end ---- */

static bool is_unsettled(struct world *world, const char **reason, const char *what, uint32_t range) {
    snprintf(world->checker->reason, sizeof(world->checker->reason), "range %u: %s", range, what);
    *reason = world->checker->reason;
    return false;
}

static bool is_named(const struct range_record *record, uint64_t node) {
    return range_record_has_in_sync(record, node) || range_record_has_learner(record, node);
}

static bool keeps_what_it_should_not(const struct machine *machine, const struct range_record *record) {
    return !is_named(record, machine->id) && record->range < node_core_range_count(machine->core) &&
           !node_core_range_status(machine->core, record->range).is_empty;
}

static void demand_dropped(struct world *world, struct machine *machine, uint32_t range) {
    const struct disk_range *disk = &machine->disk[range];
    if (is_named(&world->coordinator.records[range], machine->id))
        return;
    if (disk->log.count > 0 && !disk->is_void)
        world_fail(world, "node %llu still has the log of range %u", number(machine->id), range);
    if (rows_count(world, machine, range) > 0)
        world_fail(world, "node %llu still has rows of range %u", number(machine->id), range);
}

static bool range_is_settled(struct world *world, uint32_t id, const char **reason) {
    const struct range_record *record = &world->coordinator.records[id];
    struct machine *reader = reader_at(world, record->bounds.last);
    if (reader == NULL)
        return is_unsettled(world, reason, "nobody leads it", id);
    if (!wishes_are_reached(world, id))
        return is_unsettled(world, reason, "it is not where it is wished", id);
    if (wishes_last(world, id)->holders_count == 0 && record->in_sync_count < world->factor)
        return is_unsettled(world, reason, "too few replicas are in sync", id);
    uint64_t last = window_last_index(&replication_of(reader, id)->window);
    for (size_t i = 0; i < record->in_sync_count; i++)
        if (world_machine(world, record->in_sync[i])->disk[id].applied != last)
            return is_unsettled(world, reason, "a replica has not applied everything", id);
    if (rows_of_outbox(world, reader, id) > 0)
        return is_unsettled(world, reason, "its outbox is not empty", id);
    for (unsigned i = 0; i < world->machines_count; i++)
        if (world->machines[i].is_up && keeps_what_it_should_not(&world->machines[i], record))
            return is_unsettled(world, reason, "a copy that is not wished has not been dropped", id);
    return true;
}

bool checker_is_settled(struct world *world, const char **reason) {
    for (uint32_t i = 0; i < world->range_count; i++)
        if (world->coordinator.records[i].epoch != 0 && !range_is_settled(world, i, reason))
            return false;
    for (unsigned i = 0; i < world->machines_count; i++) {
        const struct machine *machine = &world->machines[i];
        if (machine->is_up && (machine->batch != NULL || machine->core->waiting.count > 0))
            return is_unsettled(world, reason, "a node is busy", 0);
    }
    return true;
}

void checker_check_end(struct world *world) {
    for (unsigned i = 0; i < world->machines_count; i++)
        if (world->machines[i].is_up)
            log_check(world, &world->machines[i]);
    for (uint32_t r = 0; r < world->range_count; r++) {
        for (unsigned i = 0; i < world->machines_count; i++)
            if (world->machines[i].is_up)
                demand_dropped(world, &world->machines[i], r);
        const struct range_record *record = &world->coordinator.records[r];
        if (record->epoch == 0)
            continue;
        struct machine *first = world_machine(world, record->in_sync[0]);
        uint64_t digest = rows_digest(world, first, r);
        world_mix(world, digest);
        for (size_t i = 1; i < record->in_sync_count; i++) {
            struct machine *other = world_machine(world, record->in_sync[i]);
            if (rows_digest(world, other, r) == digest)
                continue;
            rows_print_difference(world, first, other, r);
            world_fail(world, "nodes %llu and %llu differ in range %u", number(first->id), number(other->id), r);
        }
    }
}
