/* Each machine looks again and again for what is due in the ranges that it leads, and proposes it a little later. */
#include <stdlib.h>

#include "node/core/retention.h"
#include "node/core/sweep.h"
#include "proto/check.h"
#include "proto/status.h"
#include "storage/thread_store.h"
#include "tests/sim/model.h"

#define SWEEP_US_MAX (2 * SECOND_US)
#define KEPT_DAYS 5                 /* in half of the worlds what a policy has deleted is shredded later */
#define LATE_US_MAX (3 * SECOND_US) /* what waits at a busy node; much may happen before it is applied */

struct sweeper {
    struct world *world;
    struct machine *machine;
};

static bool is_ours(void *context, const struct id_hash *subject) {
    const struct sweeper *sweeper = context;
    return checker_may_read(sweeper->world, sweeper->machine, subject);
}

static int propose(void *context, const struct command *command) {
    const struct sweeper *sweeper = context;
    struct buffer encoded;
    buffer_init(&encoded);
    command_encode(command, &encoded);
    sweeper->world->statistics.swept++;
    world_plan(sweeper->world, chance_between(&sweeper->world->chance, 50, LATE_US_MAX),
               &(struct happening){.kind = HAPPEN_SWEPT,
                                   .machine = sweeper->machine->number,
                                   .life = sweeper->machine->life,
                                   .data = encoded.data,
                                   .size = encoded.size});
    return STATUS_OK;
}

void sweeps_plan(struct world *world, const struct machine *machine) {
    world_plan(world, chance_between(&world->chance, SWEEP_US_MAX / 10, SWEEP_US_MAX),
               &(struct happening){.kind = HAPPEN_SWEEP, .machine = machine->number, .life = machine->life});
}

void sweeps_on_turn(struct world *world, struct machine *machine) {
    struct sweeper sweeper = {world, machine};
    /* Lists forget nothing: days pass in a moment here, and what a thread tells them may come later yet. Events are
     * removed by consumers, who know what they have got. */
    struct sweep_options options = {.master = &world->master,
                                    .is_ours = is_ours,
                                    .propose = propose,
                                    .context = &sweeper,
                                    .undelete_ms = world->seed % 2 == 0 ? 0 : KEPT_DAYS * DAY_MS,
                                    .deleted_keep_ms = INT64_MAX,
                                    .events_keep_ms = INT64_MAX};
    struct sweep sweep = {.unreadable = 0};
    struct store_transaction *transaction = NULL;
    int rc;
    check(store_begin_read(machine->store, &transaction) == STATUS_OK);
    do
        rc = sweep_turn(&sweep, &options, transaction, machine_unix_ms(world, machine));
    while (rc == STATUS_OK);
    store_abort(transaction);
    if (rc != STATUS_STORE_MISSING || sweep.unreadable > 0)
        world_fail(world, "node %llu cannot look for what is due", (unsigned long long)machine->id);
    sweeps_plan(world, machine);
}

void sweeps_on_proposal(struct world *world, struct machine *machine, const struct happening *happening) {
    struct arena arena;
    struct command command;
    arena_init(&arena);
    check(command_decode(bytes_of(happening->data, happening->size), &arena, &command) == STATUS_OK);
    command.is_watched = command.kind == COMMAND_THREAD_DELETE && consumers_watch(world);
    machine_step(world, machine, &(struct event){.kind = EVENT_PROPOSE, .entry = entry_new_own(&command)});
    arena_close(&arena);
}

static bool outlives_its_policy(struct world *world, const struct id_hash *thread) {
    struct machine *machine = checker_reader(world, thread);
    struct thread_store store;
    struct thread_properties properties;
    struct arena arena;
    struct store_transaction *transaction = NULL;
    arena_init(&arena);
    check(store_begin_read(machine->store, &transaction) == STATUS_OK);
    bool is_there = thread_store_open(&store, transaction, &arena, &world->master, thread) == STATUS_OK &&
                    thread_properties_get(&store, &properties) == STATUS_OK;
    bool is_late = is_there && retention_is_over(&properties, machine_unix_ms(world, machine));
    store_abort(transaction);
    arena_close(&arena);
    return is_late;
}

bool sweeps_are_done(struct world *world, const char **reason) {
    const struct model *model = clients_model(world);
    for (unsigned i = 0; i < model->threads_count; i++) {
        if (!outlives_its_policy(world, &model->threads[i].hash))
            continue;
        *reason = "a thread outlives its policy";
        return false;
    }
    return true;
}
