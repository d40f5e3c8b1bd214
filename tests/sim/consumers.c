/* Those outside who want changes as events, and at each machine somebody who delivers them: whatever happens to nodes
 * and ranges, each consumer gets every change of a watched command, at least once and in the order of its thread. */
#include <stdlib.h>

#include "proto/check.h"
#include "proto/status.h"
#include "storage/event_store.h"
#include "tests/sim/model.h"

#define CONSUMERS_MAX 3
#define EVENTS_PER_TURN 6
#define TURN_US_MAX 200000

/* Somebody joins a thread or leaves it. */
struct step_of_member {
    uint64_t offset;
    unsigned user;
    bool is_in;
};

struct consumed_thread {
    uint64_t got[CONSUMERS_MAX]; /* in order, up to there */
    struct step_of_member *steps;
    size_t steps_count, steps_capacity;
    uint64_t steps_known; /* of changes up to this offset */
};

/* A machine delivers the events of a thread. */
struct delivery {
    uint64_t life; /* in which it is at it; 0: it is not */
    uint64_t at[CONSUMERS_MAX];
};

struct consumers {
    unsigned count;
    unsigned watched_per_mille; /* of commands */
    struct id_hash names[CONSUMERS_MAX];
    struct consumed_thread threads[THREADS_MAX];
    struct delivery deliveries[MACHINES_MAX][THREADS_MAX];
};

void consumers_begin(struct world *world) {
    struct consumers *consumers = calloc(1, sizeof(*consumers));
    check(consumers != NULL);
    world->consumers = consumers;
    consumers->count = (unsigned)chance_below(&world->chance, CONSUMERS_MAX + 1);
    consumers->watched_per_mille = chance_below(&world->chance, 2) == 0 ? 1000 : 700;
    for (unsigned i = 0; i < CONSUMERS_MAX; i++)
        consumers->names[i].bytes[0] = (uint8_t)(i + 1);
}

void consumers_free(struct world *world) {
    for (unsigned i = 0; i < THREADS_MAX; i++)
        free(world->consumers->threads[i].steps);
    free(world->consumers);
}

bool consumers_watch(struct world *world) {
    return world->consumers->count > 0 && chance_per_mille(&world->chance, world->consumers->watched_per_mille);
}

static unsigned thread_number(struct world *world, const struct id_hash *hash) {
    const struct model *model = clients_model(world);
    const struct thread_model *thread = model_thread_find(clients_model(world), hash);
    check(thread != NULL);
    return (unsigned)(thread - model->threads);
}

/* ---- who is in a thread ---- */

static void step_add(struct consumed_thread *thread, const struct step_of_member *step) {
    if (thread->steps_count == thread->steps_capacity) {
        thread->steps_capacity = thread->steps_capacity == 0 ? 32 : thread->steps_capacity * 2;
        thread->steps = realloc(thread->steps, thread->steps_capacity * sizeof(*thread->steps));
        check(thread->steps != NULL);
    }
    thread->steps[thread->steps_count++] = *step;
}

static unsigned user_number(struct world *world, struct bytes id) {
    const struct model *model = clients_model(world);
    for (unsigned i = 0; i < CLIENTS_MAX; i++)
        if (bytes_equal(model->users[i].id, id))
            return i;
    world_fail(world, "somebody is in a thread whom nobody knows");
}

void consumers_on_applied(struct world *world, const struct change *change) {
    bool is_in = change->kind == CHANGE_THREAD_CREATED || change->kind == CHANGE_PARTICIPANTS_ADDED;
    if (change->offset == 0 || (!is_in && change->kind != CHANGE_PARTICIPANTS_REMOVED))
        return;
    struct consumed_thread *thread = &world->consumers->threads[thread_number(world, &change->subject)];
    if (change->offset <= thread->steps_known)
        return; /* another replica was first */
    thread->steps_known = change->offset;
    for (size_t i = 0; i < change->participants.count; i++)
        step_add(thread, &(struct step_of_member){.offset = change->offset,
                                                  .user = user_number(world, change->participants.items[i].user_id),
                                                  .is_in = is_in});
}

/* Who is removed by the very change is told of it. Sets how often she has joined in all. */
static bool was_in(const struct consumed_thread *thread, unsigned user, uint64_t offset, unsigned *joins) {
    bool is_in = false;
    *joins = 0;
    for (size_t i = 0; i < thread->steps_count; i++) {
        const struct step_of_member *step = &thread->steps[i];
        if (step->user != user)
            continue;
        *joins += step->is_in;
        if (step->offset <= offset)
            is_in = step->is_in || step->offset == offset;
    }
    return is_in;
}

static bool is_among(const struct participants *members, struct bytes user_id) {
    for (size_t i = 0; i < members->count; i++)
        if (bytes_equal(members->items[i].user_id, user_id))
            return true;
    return false;
}

/* The state knows of the last two times that somebody was in. */
static void members_check(struct world *world, const struct machine *machine, const struct event_store *events,
                          unsigned number, uint64_t offset) {
    const struct model *model = clients_model(world);
    struct participants members;
    int rc = event_members_at(events, offset, &members);
    if (rc != STATUS_OK)
        world_fail(world, "node %llu cannot tell who was in thread %u: %s", (unsigned long long)machine->id, number,
                   status_sentence(rc));
    for (unsigned i = 0; i < CLIENTS_MAX; i++) {
        unsigned joins;
        bool is_expected = was_in(&world->consumers->threads[number], i, offset, &joins);
        if (joins <= 2 && is_expected != is_among(&members, model->users[i].id))
            world_fail(world, "node %llu says that user %u was %sin thread %u at offset %llu",
                       (unsigned long long)machine->id, i, is_expected ? "not " : "", number,
                       (unsigned long long)offset);
    }
}

/* ---- delivering ---- */

static void turn_plan(struct world *world, const struct machine *machine, unsigned thread) {
    world_plan(world, chance_between(&world->chance, 100, TURN_US_MAX),
               &(struct happening){
                   .kind = HAPPEN_EVENTS, .machine = machine->number, .life = machine->life, .number = thread});
}

static struct event_store events_open(struct world *world, const struct machine *machine, struct arena *arena,
                                      unsigned thread) {
    struct event_store events = {
        .arena = arena, .master = &world->master, .thread = clients_model(world)->threads[thread].hash};
    check(store_begin_read(machine->store, &events.transaction) == STATUS_OK);
    return events;
}

static void cursors_load(struct world *world, const struct machine *machine, unsigned thread,
                         struct delivery *delivery) {
    struct arena arena;
    struct event_cursors_row row;
    arena_init(&arena);
    struct event_store events = events_open(world, machine, &arena, thread);
    check(event_cursors_get(&events, &row) == STATUS_OK);
    for (size_t i = 0; i < row.cursors_count; i++)
        for (unsigned c = 0; c < world->consumers->count; c++)
            if (id_hash_equal(&row.cursors[i].consumer, &world->consumers->names[c]))
                delivery->at[c] = row.cursors[i].offset;
    store_abort(events.transaction);
    arena_close(&arena);
}

void consumers_on_events(struct world *world, const struct machine *machine, const struct action *action) {
    for (size_t i = 0; i < action->subjects_count; i++) {
        unsigned thread = thread_number(world, &action->subjects[i]);
        struct delivery *delivery = &world->consumers->deliveries[machine->number][thread];
        if (!checker_leads(machine, &action->subjects[i]))
            world_fail(world, "node %llu is told to deliver events of thread %u, which it does not lead",
                       (unsigned long long)machine->id, thread);
        if (delivery->life == machine->life)
            continue;
        *delivery = (struct delivery){.life = machine->life};
        cursors_load(world, machine, thread, delivery);
        turn_plan(world, machine, thread);
    }
}

static void event_check(struct world *world, const struct machine *machine, unsigned number, unsigned consumer,
                        uint64_t offset, const struct event_row *row) {
    const struct thread_model *model = &clients_model(world)->threads[number];
    uint64_t *got = &world->consumers->threads[number].got[consumer];
    bool is_known = offset < model->changes_capacity && model->changes[offset].is_watched;
    if (!is_known || model->changes[offset].hash != hash_of_bytes(row->change))
        world_fail(world, "node %llu delivers an event of thread %u at offset %llu that never happened",
                   (unsigned long long)machine->id, number, (unsigned long long)offset);
    for (uint64_t i = *got + 1; i < offset; i++)
        if (model->changes[i].is_watched)
            world_fail(world, "consumer %u gets event %llu of thread %u before event %llu", consumer,
                       (unsigned long long)offset, number, (unsigned long long)i);
    if (offset > *got)
        *got = offset;
    world->statistics.delivered++;
}

struct reading_events {
    struct world *world;
    const struct machine *machine;
    const struct event_store *events;
    struct delivery *delivery;
    unsigned thread;
    unsigned left;
    bool is_refused[CONSUMERS_MAX]; /* its endpoint wants nothing more for now */
};

static bool event_deliver(void *context, uint64_t offset, const struct event_row *row) {
    struct reading_events *reading = context;
    struct world *world = reading->world;
    for (unsigned c = 0; c < world->consumers->count; c++) {
        if (reading->delivery->at[c] >= offset || reading->is_refused[c])
            continue;
        reading->is_refused[c] = !world->is_calm && chance_below(&world->chance, 8) == 0;
        if (reading->is_refused[c])
            continue;
        event_check(world, reading->machine, reading->thread, c, offset, row);
        reading->delivery->at[c] = offset;
    }
    members_check(world, reading->machine, reading->events, reading->thread, offset);
    return --reading->left > 0;
}

static uint64_t all_have_got(const struct world *world, const struct delivery *delivery) {
    uint64_t least = UINT64_MAX;
    for (unsigned c = 0; c < world->consumers->count; c++)
        least = delivery->at[c] < least ? delivery->at[c] : least;
    return least;
}

static void propose(struct world *world, struct machine *machine, const struct command *command) {
    struct entry *entry = entry_new(ENTRY_OF_CLIENT);
    entry->is_let_go = true; /* who proposes looks again */
    entry->command = *command;
    entry->command.cursors = ARENA_NEW_ARRAY(&entry->arena, struct event_cursor, command->cursors_count);
    memcpy(entry->command.cursors, command->cursors, command->cursors_count * sizeof(*command->cursors));
    machine_step(world, machine, &(struct event){.kind = EVENT_PROPOSE, .entry = entry});
}

static void progress_propose(struct world *world, struct machine *machine, unsigned thread,
                             const struct delivery *delivery) {
    struct event_cursor cursors[CONSUMERS_MAX];
    struct command done = {.kind = COMMAND_EVENTS_DONE,
                           .subject = clients_model(world)->threads[thread].hash,
                           .cursors = cursors,
                           .cursors_count = world->consumers->count};
    struct command expire = {
        .kind = COMMAND_EVENTS_EXPIRE, .subject = done.subject, .offset = all_have_got(world, delivery)};
    for (unsigned c = 0; c < world->consumers->count; c++)
        cursors[c] = (struct event_cursor){.consumer = world->consumers->names[c], .offset = delivery->at[c]};
    if (chance_below(&world->chance, 8) == 0)
        propose(world, machine, &expire);
    propose(world, machine, &done);
}

/* Whether there is more to come. */
static bool events_deliver(struct world *world, const struct machine *machine, unsigned thread,
                           struct delivery *delivery) {
    struct arena arena;
    bool is_marked = false;
    arena_init(&arena);
    struct event_store events = events_open(world, machine, &arena, thread);
    struct reading_events reading = {.world = world,
                                     .machine = machine,
                                     .events = &events,
                                     .delivery = delivery,
                                     .thread = thread,
                                     .left = EVENTS_PER_TURN};
    check(event_mark_get(&events, &is_marked) == STATUS_OK);
    int rc = events_visit(&events, all_have_got(world, delivery) + 1, event_deliver, &reading);
    store_abort(events.transaction);
    arena_close(&arena);
    if (rc != STATUS_OK)
        world_fail(world, "node %llu cannot read events: %s", (unsigned long long)machine->id, status_sentence(rc));
    return is_marked;
}

/* How far it has come is not said each time: what is lost of that is delivered again. */
void consumers_on_turn(struct world *world, struct machine *machine, unsigned thread) {
    struct delivery *delivery = &world->consumers->deliveries[machine->number][thread];
    const struct id_hash *hash = &clients_model(world)->threads[thread].hash;
    bool may_read = checker_may_read(world, machine, hash);
    if (!checker_leads(machine, hash) || (may_read && !events_deliver(world, machine, thread, delivery))) {
        delivery->life = 0;
        return;
    }
    turn_plan(world, machine, thread);
    if (may_read && chance_below(&world->chance, 3) == 0)
        progress_propose(world, machine, thread, delivery);
}

void consumers_check_end(struct world *world) {
    const struct model *model = clients_model(world);
    for (unsigned number = 0; number < model->threads_count; number++)
        for (unsigned c = 0; c < world->consumers->count; c++)
            for (uint64_t i = world->consumers->threads[number].got[c] + 1; i < model->threads[number].changes_capacity;
                 i++)
                if (model->threads[number].changes[i].is_watched)
                    world_fail(world, "consumer %u has never got event %llu of thread %u", c, (unsigned long long)i,
                               number);
}
