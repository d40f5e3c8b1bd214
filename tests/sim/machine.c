/* A machine: the production core and batch writer over the store in memory, a disk that takes its time, and clocks of
 * its own. It performs actions as the server does. */
#include <stdlib.h>

#include "node/core/outbox_read.h"
#include "node/core/repeat_read.h"
#include "proto/check.h"
#include "proto/status.h"
#include "storage/range_log.h"
#include "tests/sim/world.h"

#define UNIX_MS 1700000000000
#define DRIFT_PPM_MAX 50000
#define QUEUE_MAX 5000
#define RESTART_US_MAX 15000000
#define READING_LOST_PER_MILLE 20

/* ---- clocks ---- */

static int64_t local_ms(const struct world *world, const struct machine *machine) {
    int64_t passed_us = world->now_us - machine->booted_us;
    return (passed_us + passed_us * machine->drift_ppm / 1000000) / 1000;
}

int64_t machine_mono_ms(const struct world *world, const struct machine *machine) {
    return machine->mono_start_ms + local_ms(world, machine);
}

int64_t machine_unix_ms(const struct world *world, const struct machine *machine) {
    return UNIX_MS + machine->unix_skew_ms + local_ms(world, machine) + world->days * DAY_MS;
}

static void clocks_set(struct world *world, struct machine *machine) {
    machine->booted_us = world->now_us;
    machine->mono_start_ms = chance_between(&world->chance, 0, chance_below(&world->chance, 2) == 0 ? 500 : 100000000);
    machine->drift_ppm = chance_between(&world->chance, -DRIFT_PPM_MAX, DRIFT_PPM_MAX);
    machine->unix_skew_ms = world->now_us / 1000 + chance_between(&world->chance, -30000, 30000);
}

/* ---- actions ---- */

static int64_t disk_time(struct world *world, const struct machine *machine) {
    return chance_between(&world->chance, 100, machine->disk_us_max);
}

static bool is_seldom(const struct batch *batch) {
    for (size_t i = 0; i < batch->count; i++)
        if (batch->items[i].is_apply && batch->items[i].entry->command.kind == COMMAND_THREAD_DELETE)
            return true;
    return batch->truncations_count > 0 || batch->takings_count > 0 || batch->births_count > 0;
}

static void lend(struct world *world, struct machine *machine, struct batch *batch) {
    check(machine->batch == NULL);
    machine->batch = batch;
    machine->is_written = false;
    clients_on_lent(world, batch);
    if (machine->is_doomed)
        world_plan(world, chance_between(&world->chance, 0, machine->disk_us_max),
                   &(struct happening){.kind = HAPPEN_CRASH, .machine = machine->number, .life = machine->life});
    /* What follows something that seldom happens is tried the least, unless it is gone for. */
    machine->is_doomed = !world->is_calm && is_seldom(batch) && chance_below(&world->chance, 8) == 0;
    world_plan(world, disk_time(world, machine),
               &(struct happening){.kind = HAPPEN_DISK_COMMIT, .machine = machine->number, .life = machine->life});
}

static void plan_chunk(struct world *world, struct machine *machine, const struct action *action) {
    struct action *asked = malloc(sizeof(*asked));
    int64_t begin_us = machine->chunk_due_us > world->now_us ? machine->chunk_due_us : world->now_us;
    check(asked != NULL);
    *asked = *action;
    machine->chunk_due_us = begin_us + chance_between(&world->chance, 100, 10000);
    world_plan(
        world, machine->chunk_due_us - world->now_us,
        &(struct happening){.kind = HAPPEN_CHUNK, .machine = machine->number, .life = machine->life, .data = asked});
}

static void plan_outbox(struct world *world, const struct machine *machine, const struct action *action) {
    struct action *asked = malloc(sizeof(*asked));
    check(asked != NULL);
    *asked = *action;
    world_plan(
        world, chance_between(&world->chance, 100, 10000),
        &(struct happening){.kind = HAPPEN_OUTBOX, .machine = machine->number, .life = machine->life, .data = asked});
}

static void plan_repeat(struct world *world, const struct machine *machine, const struct action *action) {
    struct interest_repeat *asked = malloc(sizeof(*asked));
    check(asked != NULL);
    *asked = action->repeat;
    world->statistics.repeats++;
    world_plan(
        world, chance_between(&world->chance, 50, 10000),
        &(struct happening){.kind = HAPPEN_REPEAT, .machine = machine->number, .life = machine->life, .data = asked});
}

static void action_perform(struct world *world, struct machine *machine, const struct action *action) {
    switch (action->kind) {
    case ACTION_WRITE:
        lend(world, machine, action->batch);
        break;
    case ACTION_ANSWER:
        clients_on_answered(world, machine, action);
        break;
    case ACTION_FAN_OUT:
        sessions_on_fan_out(world, machine, action);
        break;
    case ACTION_SEND:
        network_send(world, machine, action->to, action->packet);
        break;
    case ACTION_SWAP:
        coordinator_ask_swap(world, machine, action);
        break;
    case ACTION_REPEAT:
        plan_repeat(world, machine, action);
        break;
    case ACTION_LISTENING:
        break; /* sessions know where they begin */
    case ACTION_LOOK_AGAIN:
        sessions_on_look_again(world, machine, action);
        break;
    case ACTION_SERVE:
        inquiries_on_serve(world, machine, action);
        break;
    case ACTION_REPLY:
        inquiries_on_reply(world, machine, action);
        break;
    case ACTION_EVENTS:
        consumers_on_events(world, machine, action);
        break;
    case ACTION_READ_OUTBOX:
        plan_outbox(world, machine, action);
        break;
    case ACTION_READ_CHUNK:
        plan_chunk(world, machine, action);
        break;
    }
}

void machine_step(struct world *world, struct machine *machine, struct event *event) {
    event->now_ms = machine_unix_ms(world, machine);
    event->mono_ms = machine_mono_ms(world, machine);
    machine->actions.count = 0;
    node_core_step(machine->core, event, &machine->actions);
    for (size_t i = 0; i < machine->actions.count; i++)
        action_perform(world, machine, &machine->actions.items[i]);
    checker_on_step(world, machine);
    node_core_done(machine->core);
}

/* ---- start and end ---- */

void machine_make(struct world *world, unsigned number) {
    struct machine *machine = &world->machines[number];
    check(number == world->machines_count && number < MACHINES_MAX);
    world->machines_count++;
    *machine = (struct machine){.number = number, .id = 11 + 7 * number, .is_there = true, .disk_us_max = 2000};
    machine->store = store_memory_new(&(struct store_memory_options){0});
}

/* What is known of the entry before the tail: the marks, or the first entry, which then is not part of it. */
static void tail_convert(const struct log_tail *tail, struct arena *arena, struct start_range *range) {
    const struct log_tail_entry *first = tail->first;
    size_t count = tail->count;
    *range = (struct start_range){.marks = tail->marks, .bounds = tail->bounds, .is_void = tail->marks.is_incomplete};
    if (range->is_void)
        return;
    range->base_index = tail->marks.applied;
    range->base_epoch = tail->marks.epoch;
    if (first != NULL && first->place.index == 1) {
        range->base_index = 0;
        range->base_epoch = 0;
    } else if (first != NULL && first->place.index <= tail->marks.applied) {
        range->base_index = first->place.index;
        range->base_epoch = first->place.epoch;
        first = first->next;
        count--;
    }
    struct start_entry *entries = ARENA_NEW_ARRAY(arena, struct start_entry, count);
    range->entries = entries;
    for (; first != NULL; first = first->next)
        entries[range->entries_count++] = (struct start_entry){.epoch = first->place.epoch, .command = first->command};
}

static void core_start(struct world *world, struct machine *machine) {
    struct arena arena;
    struct store_transaction *transaction = NULL;
    struct log_tail tails[RANGES_MAX];
    struct start_range ranges[RANGES_MAX];
    arena_init(&arena);
    check(store_begin_read(machine->store, &transaction) == STATUS_OK);
    int rc = range_log_load_tail(transaction, &world->master, &arena, tails, RANGES_MAX, world->tail_bytes_max);
    if (rc != STATUS_OK)
        world_fail(world, "node %llu cannot read its log: %s", (unsigned long long)machine->id, status_sentence(rc));
    store_abort(transaction);
    for (uint32_t i = 0; i < RANGES_MAX; i++)
        tail_convert(&tails[i], &arena, &ranges[i]);
    checker_on_start(world, machine, ranges);
    uint32_t count = log_tails_count(tails, RANGES_MAX);
    if (count < world->parts)
        count = world->parts;
    machine_step(world, machine, &(struct event){.kind = EVENT_START, .ranges = ranges, .ranges_count = count});
    arena_close(&arena);
}

void machine_start(struct world *world, struct machine *machine) {
    struct batch_writer_options writer = {.store = machine->store,
                                          .master = &world->master,
                                          .hash_key = world->hash_key,
                                          .range_count = RANGES_MAX,
                                          .log_bytes_kept = world->log_bytes_kept};
    struct node_core_options options = {.range_count = world->parts,
                                        .ranges_max = RANGES_MAX,
                                        .start = machine->life + 1,
                                        .self = machine->id,
                                        .replication_factor = world->factor,
                                        .min_in_sync = world->min_in_sync,
                                        .snapshot_bytes_per_s = world->snapshot_bytes_per_s,
                                        .link_bytes_max = world->link_bytes_max,
                                        .queue_max = QUEUE_MAX};
    machine->life++;
    machine->chunk_due_us = 0;
    machine->is_up = true;
    machine->is_leaving = false;
    machine->paused_until_us = 0;
    clocks_set(world, machine);
    int rc = batch_writer_open(&writer, &machine->writer);
    if (rc != STATUS_OK)
        world_fail(world, "node %llu cannot open its log: %s", (unsigned long long)machine->id, status_sentence(rc));
    machine->core = node_core_new(&options);
    world_say(world, "node %llu starts, life %llu", (unsigned long long)machine->id, (unsigned long long)machine->life);
    core_start(world, machine);
    world_plan(world, chance_between(&world->chance, 0, CORE_TICK_MS * 1000),
               &(struct happening){.kind = HAPPEN_TICK, .machine = machine->number, .life = machine->life});
    sweeps_plan(world, machine);
    coordinator_on_list(world, machine);
    balancing_on_start(world, machine);
}

static void readings_close(struct machine *machine) {
    while (machine->readings_count > 0)
        snapshot_close(machine->readings[--machine->readings_count].snapshot);
}

static void write_now(struct world *world, struct machine *machine) {
    if (machine->disk_fault != STATUS_OK) {
        bool fails_twice = machine->disk_fault == STATUS_STORAGE_FULL && machine->has_no_reserve;
        store_memory_fail_commits(machine->store, machine->disk_fault, fails_twice ? 2 : 1);
        world->statistics.faults[FAULT_DISK_REFUSED]++;
    }
    batch_write(machine->writer, machine->batch);
    machine->is_written = true;
    if (machine->batch->rc == STATUS_OK)
        checker_on_written(world, machine, machine->batch);
}

static bool drops_something(const struct world *world, const struct machine *machine) {
    for (uint32_t i = 0; i < world->range_count; i++)
        if (i < node_core_range_count(machine->core) && node_core_range_status(machine->core, i).is_dropping)
            return true;
    return false;
}

/* What was on its way to the disk may have reached it, or not. */
void machine_crash(struct world *world, struct machine *machine) {
    world->statistics.faults[FAULT_CRASH]++;
    world_say(world, "node %llu crashes", (unsigned long long)machine->id);
    if (machine->batch != NULL && !machine->is_written) {
        bool is_kept = chance_below(&world->chance, 2) == 0;
        world->statistics.faults[is_kept ? FAULT_BATCH_KEPT : FAULT_BATCH_FORGOTTEN]++;
        if (is_kept)
            write_now(world, machine);
    }
    machine->batch = NULL;
    world->statistics.faults[FAULT_CRASH_IN_DROP] += drops_something(world, machine);
    readings_close(machine);
    node_core_free(machine->core);
    batch_writer_close(machine->writer);
    machine->core = NULL;
    machine->writer = NULL;
    machine->is_up = false;
    machine->is_doomed = false;
    world_plan(world,
               chance_between(&world->chance, 10000,
                              chance_below(&world->chance, 4) == 0 ? RESTART_US_MAX : RESTART_US_MAX / 8),
               &(struct happening){.kind = HAPPEN_RESTART, .machine = machine->number});
}

void machine_destroy(struct world *world, struct machine *machine) {
    if (machine->is_up)
        machine_crash(world, machine);
    world_say(world, "node %llu is destroyed", (unsigned long long)machine->id);
    world->statistics.faults[FAULT_DESTROYED]++;
    machine->is_there = false;
}

void machine_leave(struct world *world, struct machine *machine) {
    world_say(world, "node %llu is empty and leaves", (unsigned long long)machine->id);
    machine_crash(world, machine);
    machine->is_there = false;
}

void machine_free(struct machine *machine) {
    readings_close(machine);
    if (machine->core != NULL)
        node_core_free(machine->core);
    if (machine->writer != NULL)
        batch_writer_close(machine->writer);
    action_list_close(&machine->actions);
    for (uint32_t i = 0; i < RANGES_MAX; i++) {
        free(machine->disk[i].log.items);
        free(machine->disk[i].dropped.items);
    }
    store_memory_free(machine->store);
}

/* ---- what happens to it ---- */

static void reading_forget(struct machine *machine, size_t i) {
    snapshot_close(machine->readings[i].snapshot);
    machine->readings[i] = machine->readings[--machine->readings_count];
}

/* Nobody says when one is not needed any more. */
static struct reading *reading_add(struct world *world, struct machine *machine) {
    if (machine->readings_count == READINGS_MAX)
        reading_forget(machine, (size_t)chance_below(&world->chance, READINGS_MAX));
    return &machine->readings[machine->readings_count++];
}

static struct reading *reading_open(struct world *world, struct machine *machine, const struct action *asked) {
    struct snapshot_scope scope = {
        .master = &world->master, .hash_key = world->hash_key, .range = asked->range, .bounds = asked->bounds};
    struct reading *reading = NULL;
    for (size_t i = 0; i < machine->readings_count; i++)
        if (machine->readings[i].range == asked->range && machine->readings[i].to == asked->to)
            reading = &machine->readings[i];
    if (reading != NULL && reading->number == asked->snapshot)
        return reading;
    if (asked->chunk != 0)
        return NULL;
    struct snapshot *snapshot = NULL;
    int rc =
        snapshot_read(machine->store, &scope, asked->snapshot, world->chunk_bytes, snapshot_spool_memory(), &snapshot);
    if (rc != STATUS_OK)
        return NULL;
    world->statistics.snapshots++;
    if (reading != NULL)
        snapshot_close(reading->snapshot);
    else
        reading = reading_add(world, machine);
    *reading = (struct reading){asked->range, asked->to, asked->snapshot, ++machine->readings_begun, snapshot};
    return reading;
}

/* As it is when nobody could ask for it for long. */
static void readings_lose(struct world *world, struct machine *machine) {
    if (world->is_calm || machine->readings_count == 0 || !chance_per_mille(&world->chance, READING_LOST_PER_MILLE))
        return;
    reading_forget(machine, (size_t)chance_below(&world->chance, machine->readings_count));
    world->statistics.faults[FAULT_READING_LOST]++;
}

static void on_chunk_gone(struct world *world, struct machine *machine, const struct action *asked) {
    struct replication_chunk chunk = {.snapshot = asked->snapshot, .chunk = asked->chunk};
    machine_step(world, machine,
                 &(struct event){.kind = EVENT_CHUNK_GONE, .range = asked->range, .to = asked->to, .chunk = &chunk});
}

static void on_chunk(struct world *world, struct machine *machine, const struct action *asked) {
    readings_lose(world, machine);
    struct reading *reading = reading_open(world, machine, asked);
    struct buffer rows;
    if (reading == NULL && asked->chunk > 0)
        on_chunk_gone(world, machine, asked);
    if (reading == NULL || asked->chunk >= snapshot_facts(reading->snapshot)->chunks)
        return;
    const struct snapshot_facts *facts = snapshot_facts(reading->snapshot);
    strikes_at(world, STEP_ROWS, machine->id, asked->to);
    buffer_init(&rows);
    check(snapshot_chunk_read(reading->snapshot, asked->chunk, &rows) == STATUS_OK);
    struct replication_chunk chunk = {.snapshot = asked->snapshot,
                                      .reading = reading->moment,
                                      .chunk = asked->chunk,
                                      .is_last = asked->chunk + 1 == facts->chunks,
                                      .chunks = facts->chunks,
                                      .bytes_all = facts->bytes,
                                      .index = facts->marks.applied,
                                      .epoch = facts->marks.epoch,
                                      .rows = buffer_bytes(&rows)};
    machine_step(world, machine,
                 &(struct event){.kind = EVENT_CHUNK_READ, .range = asked->range, .to = asked->to, .chunk = &chunk});
    buffer_close(&rows);
}

static void on_outbox(struct world *world, struct machine *machine, const struct action *asked) {
    struct arena arena;
    struct event event = {.kind = EVENT_OUTBOX, .range = asked->range};
    struct store_transaction *transaction = NULL;
    arena_init(&arena);
    check(store_begin_read(machine->store, &transaction) == STATUS_OK);
    int rc = outbox_read(transaction, &world->master, &asked->bounds, &arena, &event);
    store_abort(transaction);
    if (rc != STATUS_OK)
        world_fail(world, "node %llu cannot read its outbox: %s", (unsigned long long)machine->id, status_sentence(rc));
    machine_step(world, machine, &event);
    arena_close(&arena);
}

static void on_repeat(struct world *world, struct machine *machine, const struct interest_repeat *asked) {
    struct arena arena;
    struct apply_context context = {.arena = &arena, .master = &world->master, .hash_key = world->hash_key};
    struct interest_repeated repeated = {.asked = *asked};
    arena_init(&arena);
    check(store_begin_read(machine->store, &context.transaction) == STATUS_OK);
    repeat_read(&context, &repeated);
    store_abort(context.transaction);
    machine_step(world, machine, &(struct event){.kind = EVENT_REPEATED, .repeated = &repeated});
    arena_close(&arena);
}

static void on_packet(struct world *world, struct machine *machine, const struct happening *happening) {
    struct arena arena;
    struct packet packet;
    arena_init(&arena);
    if (packet_decode(bytes_of(happening->data, happening->size), &arena, &packet) != STATUS_OK)
        world_fail(world, "a packet does not decode");
    machine_step(world, machine, &(struct event){.kind = EVENT_PACKET, .from = happening->number, .packet = &packet});
    arena_close(&arena);
}

static void on_told(struct world *world, struct machine *machine, const struct happening *happening) {
    const struct told_record *told = happening->data;
    machine_step(world, machine,
                 &(struct event){.kind = happening->kind == HAPPEN_RECORD ? EVENT_RECORD : EVENT_SWAPPED,
                                 .range = told->record.range,
                                 .record = &told->record,
                                 .other = told->other.epoch == 0 ? NULL : &told->other,
                                 .version = told->version,
                                 .is_number_taken = told->is_number_taken,
                                 .rc = told->rc});
}

static void on_disk_commit(struct world *world, struct machine *machine) {
    write_now(world, machine);
    world_plan(world, chance_between(&world->chance, 10, 1000),
               &(struct happening){.kind = HAPPEN_DISK_DONE, .machine = machine->number, .life = machine->life});
}

static void on_disk_done(struct world *world, struct machine *machine) {
    struct batch *batch = machine->batch;
    machine->batch = NULL;
    machine_step(world, machine, &(struct event){.kind = EVENT_BATCH_DONE, .batch = batch});
}

static void on_tick(struct world *world, struct machine *machine) {
    machine_step(world, machine, &(struct event){.kind = EVENT_TICK});
    world_plan(world, CORE_TICK_MS * 1000 + chance_between(&world->chance, 0, 5000),
               &(struct happening){.kind = HAPPEN_TICK, .machine = machine->number, .life = machine->life});
}

static void on_proposal(struct world *world, struct machine *machine, uint64_t request) {
    struct entry *entry = clients_entry(world, request);
    machine_step(world, machine, &(struct event){.kind = EVENT_PROPOSE, .entry = entry});
}

static void wait_until_resumed(struct world *world, const struct machine *machine, struct happening *happening) {
    world_plan(world, machine->paused_until_us - world->now_us, happening);
    happening->data = NULL;
}

void machine_happen(struct world *world, struct happening *happening) {
    struct machine *machine = &world->machines[happening->machine];
    if (!machine->is_up || (happening->life != 0 && happening->life != machine->life))
        return;
    if (machine->paused_until_us > world->now_us && happening->kind != HAPPEN_CRASH) {
        wait_until_resumed(world, machine, happening);
        return;
    }
    balancing_on_told(world, machine, happening);
    switch (happening->kind) {
    case HAPPEN_BALANCE:
        balancing_on_turn(world, machine);
        break;
    case HAPPEN_LEAVE:
        machine->is_leaving = true;
        machine_step(world, machine, &(struct event){.kind = EVENT_LEAVE});
        break;
    case HAPPEN_CRASH:
        machine_crash(world, machine);
        break;
    case HAPPEN_TICK:
        on_tick(world, machine);
        break;
    case HAPPEN_PACKET:
        on_packet(world, machine, happening);
        break;
    case HAPPEN_DISK_COMMIT:
        on_disk_commit(world, machine);
        break;
    case HAPPEN_DISK_DONE:
        on_disk_done(world, machine);
        break;
    case HAPPEN_LIST:
        coordinator_on_list(world, machine);
        break;
    case HAPPEN_RECORD:
    case HAPPEN_SWAPPED:
        on_told(world, machine, happening);
        break;
    case HAPPEN_PLACEMENT: {
        const struct told_placement *told = happening->data;
        machine_step(world, machine,
                     &(struct event){.kind = EVENT_PLACEMENT, .placement = &told->placement, .version = told->version});
        break;
    }
    case HAPPEN_NODES:
        machine_step(world, machine,
                     &(struct event){.kind = EVENT_NODES, .nodes = happening->data, .nodes_count = happening->size});
        break;
    case HAPPEN_RANGES:
        machine_step(world, machine,
                     &(struct event){.kind = EVENT_RANGES, .ranges_count = (uint32_t)happening->number});
        break;
    case HAPPEN_CHUNK:
        on_chunk(world, machine, happening->data);
        break;
    case HAPPEN_OUTBOX:
        on_outbox(world, machine, happening->data);
        break;
    case HAPPEN_EVENTS:
        consumers_on_turn(world, machine, (unsigned)happening->number);
        break;
    case HAPPEN_REPEAT:
        on_repeat(world, machine, happening->data);
        break;
    case HAPPEN_LISTEN:
    case HAPPEN_UNLISTEN:
        sessions_on_listen(world, machine, happening);
        break;
    case HAPPEN_ASK:
    case HAPPEN_SERVE:
    case HAPPEN_SERVED:
        inquiries_on_happening(world, machine, happening);
        break;
    case HAPPEN_SWEEP:
        sweeps_on_turn(world, machine);
        break;
    case HAPPEN_SWEPT:
        sweeps_on_proposal(world, machine, happening);
        break;
    case HAPPEN_PROPOSAL:
        on_proposal(world, machine, happening->number);
        break;
    default:
        check(false);
    }
}
