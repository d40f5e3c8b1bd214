/* Clients: each wants one thing at a time, asks a node, and repeats it elsewhere until it is answered for good. */
#include <stdlib.h>

#include "node/core/node_core_parts.h"
#include "proto/check.h"
#include "proto/status.h"
#include "tests/sim/model.h"

struct request {
    struct operation operation;
    struct log_place place; /* index 0: none yet */
    unsigned machine;
    uint64_t life;
    bool is_delivered, is_answered, is_done;
    uint64_t token, inquiry; /* which it serves; 0: none */
};

struct client {
    struct operation operation;
    bool is_busy;
    uint64_t waiting; /* request; 0: none */
    int64_t deadline_us;
    uint64_t sent;
};

struct clients {
    struct model model;
    unsigned count;
    struct client items[CLIENTS_MAX];
    struct request *requests; /* number - 1 */
    size_t requests_count, requests_capacity;
    int64_t pause_us_max;
    unsigned contents_max;
};

void clients_begin(struct world *world) {
    struct clients *clients = calloc(1, sizeof(*clients));
    check(clients != NULL);
    world->clients = clients;
    model_init(&clients->model, world);
    clients->count = (unsigned)chance_between(&world->chance, 3, CLIENTS_MAX);
    clients->pause_us_max = chance_between(&world->chance, 5000, 200000);
    clients->contents_max = chance_below(&world->chance, 4) == 0 ? 3000 : 60;
    for (unsigned i = 0; i < clients->count; i++)
        world_plan(world, chance_between(&world->chance, 1, SECOND_US),
                   &(struct happening){.kind = HAPPEN_CLIENT, .number = i});
}

void clients_free(struct world *world) {
    model_close(&world->clients->model);
    free(world->clients->requests);
    free(world->clients);
}

/* ---- what to do next ---- */

static bool thread_choose(struct world *world, unsigned client, bool is_owned, unsigned *thread) {
    const struct model *model = &world->clients->model;
    if (model->threads_count == 0)
        return false;
    /* Half of all in the newest, so that much happens in one thread at a time. */
    *thread = chance_below(&world->chance, 2) == 0 ? model->threads_count - 1
                                                   : (unsigned)chance_below(&world->chance, model->threads_count);
    const struct thread_model *chosen = &model->threads[*thread];
    bool may_be_gone = chance_below(&world->chance, 20) == 0;
    return chosen->is_created && (may_be_gone || !chosen->is_deleted) && chosen->members[client].is_in &&
           (!is_owned || chosen->owner == client);
}

static bool message_choose(struct world *world, unsigned client, size_t *message) {
    const struct model *model = &world->clients->model;
    for (int i = 0; i < 8 && model->messages_count > 0; i++) {
        size_t newest = model->messages_count < 100 ? model->messages_count : 100;
        *message = model->messages_count - 1 - chance_below(&world->chance, newest);
        const struct message_model *chosen = &model->messages[*message];
        if (chosen->author == client && chosen->is_sent && !chosen->is_deletion_tried &&
            chosen->edits_tried + 1 < EDITS_MAX && !model->threads[chosen->thread].is_deletion_tried &&
            model->threads[chosen->thread].members[client].is_in)
            return true;
    }
    return false;
}

static uint32_t days_choose(struct world *world) {
    return chance_below(&world->chance, 2) == 0 ? 0 : (uint32_t)chance_between(&world->chance, 30, 90);
}

static void create_thread(struct world *world, struct operation *operation) {
    struct model *model = &world->clients->model;
    operation->kind = OPERATION_THREAD;
    operation->thread = model_thread_add(model, world, operation->client);
    operation->participants = (uint64_t)1 << operation->client;
    operation->days = days_choose(world);
    for (unsigned i = 0; i < world->clients->count; i++)
        if (model->users[i].is_created && chance_below(&world->chance, 3) > 0)
            operation->participants |= (uint64_t)1 << i;
}

static bool change_message(struct world *world, struct operation *operation, enum operation_kind kind) {
    struct model *model = &world->clients->model;
    operation->kind = kind;
    if (!message_choose(world, operation->client, &operation->message))
        return false;
    operation->thread = model->messages[operation->message].thread;
    operation->edit = model->messages[operation->message].edits_tried + 1;
    return true;
}

static bool change_members(struct world *world, struct operation *operation) {
    struct model *model = &world->clients->model;
    if (!thread_choose(world, operation->client, true, &operation->thread))
        return false;
    operation->user = (unsigned)chance_below(&world->chance, world->clients->count);
    operation->kind =
        model->threads[operation->thread].members[operation->user].is_in ? OPERATION_REMOVE : OPERATION_ADD;
    return operation->user != operation->client && model->users[operation->user].is_created;
}

static bool send_message(struct world *world, struct operation *operation) {
    struct clients *clients = world->clients;
    operation->kind = OPERATION_SEND;
    if (!thread_choose(world, operation->client, false, &operation->thread))
        return false;
    operation->message = model_message_add(&clients->model, operation->thread, operation->client,
                                           ++clients->items[operation->client].sent);
    return true;
}

/* Of any thread, as policies are over in old ones. */
static bool change_policy(struct world *world, struct operation *operation) {
    const struct model *model = &world->clients->model;
    operation->kind = OPERATION_POLICY;
    operation->days = days_choose(world);
    operation->thread = (unsigned)chance_below(&world->chance, model->threads_count);
    const struct thread_model *chosen = &model->threads[operation->thread];
    return chosen->is_created && !chosen->is_deleted && chosen->owner == operation->client;
}

static bool operation_choose(struct world *world, struct operation *operation) {
    struct model *model = &world->clients->model;
    uint64_t dice = chance_below(&world->chance, 100);
    if (!model->users[operation->client].is_created) {
        operation->kind = OPERATION_USER;
        return true;
    }
    if (model->threads_count < 3 || (dice < 5 && model->threads_count < THREADS_MAX)) {
        create_thread(world, operation);
        return true;
    }
    if (dice < 12)
        return change_message(world, operation, OPERATION_EDIT);
    if (dice < 16)
        return change_message(world, operation, OPERATION_DELETE_MESSAGE);
    if (dice < 20)
        return change_message(world, operation, OPERATION_RECEIPT);
    if (dice < 32)
        return change_members(world, operation);
    if (dice < 34) {
        operation->kind = OPERATION_DELETE_THREAD;
        return thread_choose(world, operation->client, true, &operation->thread);
    }
    if (dice < 40)
        return change_policy(world, operation);
    return send_message(world, operation);
}

static void operation_begin(struct world *world, struct client *client, unsigned number) {
    struct operation operation = {.client = number,
                                  .padding = (size_t)chance_below(&world->chance, world->clients->contents_max)};
    if (!operation_choose(world, &operation))
        return;
    const struct thread_model *thread = &world->clients->model.threads[operation.thread];
    if (operation.kind != OPERATION_USER) {
        operation.offset_before = thread->newest_offset;
        operation.is_after_deletion = thread->is_deleted;
    }
    client->operation = operation;
    client->is_busy = true;
}

/* ---- asking ---- */

static const struct id_hash *subject_of(const struct world *world, const struct operation *operation) {
    const struct model *model = &world->clients->model;
    return operation->kind == OPERATION_USER ? &model->users[operation->client].hash
                                             : &model->threads[operation->thread].hash;
}

static struct machine *machine_choose(struct world *world, const struct id_hash *subject) {
    if (chance_below(&world->chance, 4) > 0)
        return world_machine(world, world->coordinator.records[coordinator_range_of(world, subject)].primary);
    return &world->machines[chance_below(&world->chance, world->machines_count)];
}

static uint64_t request_add(struct world *world, const struct operation *operation, const struct machine *machine) {
    struct clients *clients = world->clients;
    if (clients->requests_count == clients->requests_capacity) {
        clients->requests_capacity = clients->requests_capacity == 0 ? 1024 : clients->requests_capacity * 2;
        clients->requests = realloc(clients->requests, clients->requests_capacity * sizeof(*clients->requests));
        check(clients->requests != NULL);
    }
    clients->requests[clients->requests_count++] =
        (struct request){.operation = *operation, .machine = machine->number, .life = machine->life};
    return clients->requests_count;
}

static void attempt(struct world *world, struct client *client) {
    struct machine *machine = machine_choose(world, subject_of(world, &client->operation));
    if (!machine->is_up)
        return;
    client->operation.attempts++;
    model_on_attempt(&world->clients->model, &client->operation);
    client->waiting = request_add(world, &client->operation, machine);
    world_say(world, "client %u asks node %llu to %s, thread %u, message %zu, user %u: request %llu",
              client->operation.client, (unsigned long long)machine->id, operation_name(client->operation.kind),
              client->operation.thread, client->operation.message, client->operation.user,
              (unsigned long long)client->waiting);
    client->deadline_us = world->now_us + chance_between(&world->chance, 500000, 4000000);
    if (chance_below(&world->chance, 3) == 0)
        inquiries_ask(world, machine, client->operation.thread, subject_of(world, &client->operation), client->waiting);
    else
        world_plan(
            world, chance_between(&world->chance, 50, 3000),
            &(struct happening){
                .kind = HAPPEN_PROPOSAL, .machine = machine->number, .life = machine->life, .number = client->waiting});
}

uint64_t clients_request_served(struct world *world, uint64_t number, const struct machine *machine, uint64_t token,
                                uint64_t inquiry, bool is_repeated) {
    struct operation operation = world->clients->requests[number - 1].operation;
    operation.attempts += is_repeated;
    if (is_repeated)
        model_on_attempt(&world->clients->model, &operation);
    uint64_t served = request_add(world, &operation, machine);
    world->clients->requests[served - 1].token = token;
    world->clients->requests[served - 1].inquiry = inquiry;
    return served;
}

bool clients_request_is_done(const struct world *world, uint64_t request) {
    return world->clients->requests[request - 1].is_done;
}

static void read_something(struct world *world) {
    struct model *model = &world->clients->model;
    if (model->threads_count == 0)
        return;
    unsigned thread = (unsigned)chance_below(&world->chance, model->threads_count);
    struct machine *machine = &world->machines[chance_below(&world->chance, world->machines_count)];
    if (machine->is_up && model->threads[thread].is_created && chance_below(&world->chance, 4) == 0)
        inquiries_ask(world, machine, thread, &model->threads[thread].hash, 0);
    else if (machine->paused_until_us <= world->now_us &&
             checker_may_read(world, machine, &model->threads[thread].hash))
        model_read(world, model, machine, thread);
}

void clients_on_turn(struct world *world, unsigned number) {
    struct client *client = &world->clients->items[number];
    if (chance_below(&world->chance, 4) == 0)
        read_something(world);
    if (client->waiting != 0 && world->now_us >= client->deadline_us)
        client->waiting = 0;
    if (!client->is_busy && !world->is_calm)
        operation_begin(world, client, number);
    if (client->is_busy && client->waiting == 0)
        attempt(world, client);
    world_plan(world, chance_between(&world->chance, 1000, world->clients->pause_us_max),
               &(struct happening){.kind = HAPPEN_CLIENT, .number = number});
}

/* ---- the command ---- */

static struct bytes key_make(struct world *world, struct arena *arena, const struct id_hash *subject) {
    uint8_t *wrapped = arena_alloc(arena, WRAPPED_KEY_BYTES);
    seal_key_make(&world->master, subject, wrapped);
    return bytes_of(wrapped, WRAPPED_KEY_BYTES);
}

static void participants_fill(const struct model *model, struct arena *arena, uint64_t users, struct command *command) {
    command->participants.items = ARENA_NEW_ARRAY(arena, struct participant, CLIENTS_MAX);
    for (unsigned i = 0; i < CLIENTS_MAX; i++)
        if (users >> i & 1)
            command->participants.items[command->participants.count++] =
                (struct participant){.user_id = model->users[i].id, .display_name = BYTES_LITERAL("somebody")};
}

static struct retention policy_of(const struct operation *operation) {
    return operation->days == 0 ? (struct retention){.kind = RETENTION_NONE}
                                : (struct retention){RETENTION_THREAD_CREATION_DATE, operation->days};
}

static void command_fill(struct world *world, struct arena *arena, const struct operation *operation,
                         struct command *command) {
    static const enum command_kind kinds[] = {
        [OPERATION_USER] = COMMAND_USER_CREATE,
        [OPERATION_THREAD] = COMMAND_THREAD_CREATE,
        [OPERATION_SEND] = COMMAND_MESSAGE_SEND,
        [OPERATION_EDIT] = COMMAND_MESSAGE_EDIT,
        [OPERATION_DELETE_MESSAGE] = COMMAND_MESSAGE_DELETE,
        [OPERATION_ADD] = COMMAND_PARTICIPANTS_ADD,
        [OPERATION_REMOVE] = COMMAND_PARTICIPANT_REMOVE,
        [OPERATION_RECEIPT] = COMMAND_RECEIPT_SEND,
        [OPERATION_DELETE_THREAD] = COMMAND_THREAD_DELETE,
        [OPERATION_POLICY] = COMMAND_THREAD_UPDATE,
    };
    const struct model *model = &world->clients->model;
    const struct thread_model *thread = &model->threads[operation->thread];
    const struct message_model *message = &model->messages[operation->message];
    const struct user_model *user = &model->users[operation->client];
    *command = (struct command){.kind = kinds[operation->kind], .subject = thread->hash, .actor_id = user->id};
    switch (operation->kind) {
    case OPERATION_USER:
        command->subject = user->hash;
        command->user_id = user->id;
        command->wrapped_key = key_make(world, arena, &user->hash);
        break;
    case OPERATION_THREAD:
        command->properties = (struct thread_properties){.id = thread->id, .topic = BYTES_LITERAL("topic")};
        command->wrapped_key = key_make(world, arena, &thread->hash);
        command->properties.retention = policy_of(operation);
        participants_fill(model, arena, operation->participants, command);
        break;
    case OPERATION_POLICY:
        command->properties.retention = policy_of(operation);
        break;
    case OPERATION_SEND:
        command->message_type = MESSAGE_TEXT;
        command->content = model_contents(arena, message, 0, operation->padding);
        command->display_name = BYTES_LITERAL("somebody");
        command->idempotency = IDEMPOTENCY_CLIENT_MESSAGE_ID;
        command->idempotency_id = arena_printf(arena, "message %llu", (unsigned long long)message->number);
        break;
    case OPERATION_EDIT:
        command->content = model_contents(arena, message, operation->edit, operation->padding);
        break;
    case OPERATION_ADD:
        participants_fill(model, arena, (uint64_t)1 << operation->user, command);
        break;
    case OPERATION_REMOVE:
        command->user_id = model->users[operation->user].id;
        break;
    default:
        break;
    }
    if (operation->kind == OPERATION_EDIT || operation->kind == OPERATION_DELETE_MESSAGE ||
        operation->kind == OPERATION_RECEIPT)
        command->message_id = message->id;
}

struct entry *clients_entry(struct world *world, uint64_t number) {
    struct request *request = &world->clients->requests[number - 1];
    struct entry *entry = entry_new(ENTRY_OF_CLIENT);
    request->is_delivered = true;
    entry->reply_to = (void *)(uintptr_t)number;
    command_fill(world, &entry->arena, &request->operation, &entry->command);
    entry->command.is_watched = request->operation.kind != OPERATION_USER && consumers_watch(world);
    return entry;
}

/* ---- answers ---- */

void clients_on_lent(struct world *world, const struct batch *batch) {
    for (size_t i = 0; i < batch->count; i++) {
        const struct entry *entry = batch->items[i].entry;
        if (batch->items[i].is_append && entry->origin == ENTRY_OF_CLIENT && entry->reply_to != NULL)
            world->clients->requests[(uintptr_t)entry->reply_to - 1].place = entry->place;
    }
}

void clients_on_answered(struct world *world, struct machine *machine, const struct action *action) {
    uint64_t number = (uintptr_t)action->reply_to;
    struct request *request = &world->clients->requests[number - 1];
    bool is_for_good = !status_is_temporary(action->result.rc);
    if (request->is_answered)
        world_fail(world, "node %llu answers a request twice", (unsigned long long)machine->id);
    request->is_answered = true;
    request->is_done = is_for_good;
    world_say(world, "node %llu answers request %llu: %s, offset %llu, entry %llu", (unsigned long long)machine->id,
              (unsigned long long)number, action->result.rc == 0 ? "done" : status_sentence(action->result.rc),
              (unsigned long long)action->result.offset, (unsigned long long)request->place.index);
    if (is_for_good) {
        checker_on_answered(world, machine, &request->place, action->copies);
        model_on_answered(world, &world->clients->model, &request->operation, &action->result);
    }
    world->statistics.acknowledged += is_for_good;
    world->statistics.refused += !is_for_good;
    if (request->token != 0) {
        inquiries_on_done(world, machine, request->token, request->inquiry, number);
        return;
    }
    if (!world->is_calm && chance_per_mille(&world->chance, 20)) {
        world->statistics.faults[FAULT_ANSWER_LOST]++;
        return;
    }
    world_plan(world, chance_between(&world->chance, 50, 3000),
               &(struct happening){.kind = HAPPEN_ANSWER, .number = number, .size = is_for_good});
}

void clients_on_answer(struct world *world, const struct happening *happening) {
    struct client *client = &world->clients->items[world->clients->requests[happening->number - 1].operation.client];
    if (client->waiting != happening->number)
        return; /* it has given up waiting */
    client->waiting = 0;
    client->is_busy = happening->size == 0;
}

struct model *clients_model(struct world *world) {
    return &world->clients->model;
}

/* ---- the end ---- */

bool clients_are_done(const struct world *world) {
    for (unsigned i = 0; i < world->clients->count; i++)
        if (world->clients->items[i].is_busy)
            return false;
    return true;
}

void clients_check_end(struct world *world) {
    struct clients *clients = world->clients;
    for (size_t i = 0; i < clients->requests_count; i++) {
        const struct request *request = &clients->requests[i];
        const struct machine *machine = &world->machines[request->machine];
        if (request->is_delivered && !request->is_answered && machine->is_up && machine->life == request->life)
            world_fail(world, "node %llu has never answered request %zu", (unsigned long long)machine->id, i + 1);
    }
    for (unsigned i = 0; i < clients->model.threads_count; i++)
        model_check_end(world, &clients->model, checker_reader(world, &clients->model.threads[i].hash), i);
    model_check_lists(world, &clients->model);
}
