/* Sessions: each is somebody's at some node, is told which threads she joins, listens to one of them, and now and then
 * goes to another thread or node. Wherever it goes it has to be told every change once and in order. */
#include <stdlib.h>

#include "proto/check.h"
#include "proto/status.h"
#include "storage/user_store.h"
#include "tests/sim/model.h"

#define SESSIONS_MAX 12
#define TURN_US_MAX 1000000

struct session {
    unsigned user;
    unsigned machine;
    uint64_t life;
    bool is_there;               /* at that machine, in that life */
    bool is_heard;               /* which knows it */
    uint64_t known[THREADS_MAX]; /* the offset at which she joined last, as far as the session knows */

    bool has_thread;
    bool is_thread_heard;
    bool is_over; /* the thread's deletion was told */
    unsigned thread;
    uint64_t position; /* everything below was told, or happened before */
};

struct sessions {
    unsigned count;
    struct session items[SESSIONS_MAX];
    char reason[200];
};

/* On its way to a machine. */
struct listening {
    struct id_hash subject;
    uint64_t offset; /* 0: a user */
    unsigned session;
};

void sessions_begin(struct world *world) {
    struct sessions *sessions = calloc(1, sizeof(*sessions));
    check(sessions != NULL);
    world->sessions = sessions;
    sessions->count = (unsigned)chance_between(&world->chance, 1, SESSIONS_MAX);
    for (unsigned i = 0; i < sessions->count; i++) {
        sessions->items[i].user = (unsigned)chance_below(&world->chance, CLIENTS_MAX);
        world_plan(world, chance_between(&world->chance, 1, SECOND_US),
                   &(struct happening){.kind = HAPPEN_SESSION, .number = i});
    }
}

void sessions_free(struct world *world) {
    free(world->sessions);
}

/* ---- what it wants ---- */

/* What is planned with the same delay comes in this order. */
static void listening_send(struct world *world, const struct session *session, enum happening_kind kind,
                           const struct id_hash *subject, uint64_t offset) {
    struct listening *listening = calloc(1, sizeof(*listening));
    check(listening != NULL);
    *listening = (struct listening){*subject, offset, (unsigned)(session - world->sessions->items)};
    world_say(world, "session %u of user %u %s at node %llu, offset %llu", listening->session, session->user,
              kind == HAPPEN_LISTEN ? "listens" : "listens no more",
              (unsigned long long)world->machines[session->machine].id, (unsigned long long)offset);
    world_plan(
        world, 100,
        &(struct happening){.kind = kind, .machine = session->machine, .life = session->life, .data = listening});
}

static const struct user_model *user_of(struct world *world, const struct session *session) {
    return &clients_model(world)->users[session->user];
}

static const struct thread_model *thread_of(struct world *world, const struct session *session) {
    return &clients_model(world)->threads[session->thread];
}

static void thread_leave(struct world *world, struct session *session) {
    if (session->has_thread && session->is_there)
        listening_send(world, session, HAPPEN_UNLISTEN, &thread_of(world, session)->hash, 0);
    session->is_thread_heard = false;
    session->has_thread = false;
}

/* From the beginning, from somewhere, or from what everybody may know. */
static uint64_t position_choose(struct world *world, const struct thread_model *thread) {
    uint64_t newest = thread->newest_offset + 1;
    switch (chance_below(&world->chance, 3)) {
    case 0:
        return 1;
    case 1:
        return 1 + chance_below(&world->chance, newest);
    default:
        return newest;
    }
}

static void thread_choose(struct world *world, struct session *session) {
    const struct model *model = clients_model(world);
    if (model->threads_count == 0)
        return;
    /* Mostly where most happens. */
    session->thread = chance_below(&world->chance, 3) > 0
                          ? model->threads_count - 1
                          : (unsigned)chance_below(&world->chance, model->threads_count);
    const struct thread_model *thread = &model->threads[session->thread];
    if (!thread->is_created)
        return;
    session->has_thread = true;
    session->is_over = false;
    session->position = position_choose(world, thread);
    listening_send(world, session, HAPPEN_LISTEN, &thread->hash, session->position);
}

static void arrive(struct world *world, struct session *session) {
    const struct machine *machine = &world->machines[chance_below(&world->chance, world->machines_count)];
    if (!machine->is_up || !user_of(world, session)->is_created)
        return;
    session->machine = machine->number;
    session->life = machine->life;
    session->is_there = true;
    memset(session->known, 0, sizeof(session->known));
    listening_send(world, session, HAPPEN_LISTEN, &user_of(world, session)->hash, 0);
    if (session->has_thread && !session->is_over)
        listening_send(world, session, HAPPEN_LISTEN, &thread_of(world, session)->hash, session->position);
}

static void depart(struct world *world, struct session *session) {
    listening_send(world, session, HAPPEN_UNLISTEN, &user_of(world, session)->hash, 0);
    if (session->has_thread && !session->is_over)
        listening_send(world, session, HAPPEN_UNLISTEN, &thread_of(world, session)->hash, 0);
    session->is_there = false;
    session->is_heard = false;
    session->is_thread_heard = false;
}

static bool is_cut_off(const struct world *world, const struct session *session) {
    const struct machine *machine = &world->machines[session->machine];
    return session->is_there && (!machine->is_up || machine->life != session->life);
}

void sessions_on_turn(struct world *world, unsigned number) {
    struct session *session = &world->sessions->items[number];
    uint64_t dice = world->is_calm ? UINT64_MAX : chance_below(&world->chance, 30);
    if (is_cut_off(world, session)) {
        session->is_there = false;
        session->is_heard = false;
        session->is_thread_heard = false;
    }
    if (!session->is_there)
        arrive(world, session);
    else if (dice == 0)
        depart(world, session);
    else if (dice <= 2 && session->has_thread && !session->is_over)
        thread_leave(world, session);
    else if ((!session->has_thread || session->is_over) && !world->is_calm)
        thread_choose(world, session);
    world_plan(world, chance_between(&world->chance, 1000, TURN_US_MAX),
               &(struct happening){.kind = HAPPEN_SESSION, .number = number});
}

void sessions_on_listen(struct world *world, struct machine *machine, const struct happening *happening) {
    const struct listening *listening = happening->data;
    struct session *session = &world->sessions->items[listening->session];
    bool is_here = session->is_there && session->machine == machine->number && session->life == machine->life;
    bool is_thread = listening->offset != 0;
    if (happening->kind == HAPPEN_UNLISTEN) {
        machine_step(world, machine, &(struct event){.kind = EVENT_UNLISTEN, .subject = &listening->subject});
        return;
    }
    if (is_here && !is_thread)
        session->is_heard = true;
    if (is_here && is_thread && session->has_thread &&
        id_hash_equal(&thread_of(world, session)->hash, &listening->subject))
        session->is_thread_heard = true;
    machine_step(world, machine,
                 &(struct event){.kind = EVENT_LISTEN, .subject = &listening->subject, .offset = listening->offset});
}

/* ---- what it is told ---- */

static bool is_told_at(const struct session *session, const struct machine *machine) {
    return session->is_there && session->machine == machine->number && session->life == machine->life;
}

static void session_tell(struct world *world, struct session *session, const struct action *action) {
    const struct change *change = action->change;
    const struct thread_model *thread = thread_of(world, session);
    uint64_t from = action->from_offset == 0 ? change->offset : action->from_offset;
    if (change->offset < session->position || from > session->position)
        return; /* it knows it, or what is missing comes by later, and this one then again */
    if (!model_may_pass_over(thread, session->position, change))
        world_fail(world, "a session of user %u that knows thread %u below offset %llu is told offset %llu next",
                   session->user, session->thread, (unsigned long long)session->position,
                   (unsigned long long)change->offset);
    world_say(world, "session %u is told thread %u from %llu to %llu", (unsigned)(session - world->sessions->items),
              session->thread, (unsigned long long)from, (unsigned long long)change->offset);
    world->statistics.told++;
    world->statistics.passed_over += change->offset > session->position;
    session->position = change->offset + 1;
    session->is_over = change->kind == CHANGE_THREAD_DELETED;
    if (session->is_over)
        listening_send(world, session, HAPPEN_UNLISTEN, &thread->hash, 0);
}

static void joining_tell(struct world *world, const struct machine *machine, const struct change *change) {
    struct model *model = clients_model(world);
    struct id_hash hash = id_hash_make(world->hash_key, change->thread_id);
    const struct thread_model *thread = model_thread_find(model, &hash);
    check(thread != NULL);
    for (unsigned i = 0; i < world->sessions->count; i++) {
        struct session *session = &world->sessions->items[i];
        uint64_t *known = &session->known[thread - model->threads];
        if (is_told_at(session, machine) && session->is_heard &&
            id_hash_equal(&user_of(world, session)->hash, &change->subject) && change->offset > *known)
            *known = change->offset;
    }
}

void sessions_on_fan_out(struct world *world, const struct machine *machine, const struct action *action) {
    const struct change *change = action->change;
    struct model *model = clients_model(world);
    const struct thread_model *thread = model_thread_find(model, &change->subject);
    if (change->kind == CHANGE_USER_JOINED)
        joining_tell(world, machine, change);
    if (thread == NULL || change->offset == 0)
        return;
    model_check_told(world, model, change);
    for (unsigned i = 0; i < world->sessions->count; i++) {
        struct session *session = &world->sessions->items[i];
        if (is_told_at(session, machine) && session->is_thread_heard && !session->is_over &&
            &model->threads[session->thread] == thread)
            session_tell(world, session, action);
    }
}

/* ---- looking ---- */

static void look_plan(struct world *world, const struct session *session, int64_t delay_us) {
    world_plan(world, delay_us,
               &(struct happening){.kind = HAPPEN_LOOK,
                                   .number = (uint64_t)(session - world->sessions->items),
                                   .machine = session->machine,
                                   .life = session->life});
}

void sessions_on_look_again(struct world *world, const struct machine *machine, const struct action *action) {
    for (unsigned i = 0; i < world->sessions->count; i++) {
        const struct session *session = &world->sessions->items[i];
        if (is_told_at(session, machine) && session->is_heard &&
            id_hash_equal(&user_of(world, session)->hash, &action->subject))
            look_plan(world, session, chance_between(&world->chance, 50, 5000));
    }
}

struct looking {
    struct model *model;
    uint64_t *joined; /* by thread */
};

static bool membership_look(void *context, const struct id_hash *hash, const struct membership_row *row) {
    struct looking *looking = context;
    const struct thread_model *thread = model_thread_find(looking->model, hash);
    if (thread != NULL && row->membership == MEMBERSHIP_JOINED)
        looking->joined[thread - looking->model->threads] = row->offset;
    return true;
}

/* Asks the node that leads the user's range; false: none does. */
static bool joined_read(struct world *world, const struct user_model *user, uint64_t *joined) {
    struct machine *machine = checker_reader(world, &user->hash);
    struct looking looking = {clients_model(world), joined};
    struct store_transaction *transaction = NULL;
    struct user_store store;
    struct arena arena;
    memset(joined, 0, THREADS_MAX * sizeof(*joined));
    if (machine == NULL)
        return false;
    arena_init(&arena);
    check(store_begin_read(machine->store, &transaction) == STATUS_OK);
    int rc = user_store_open(&store, transaction, &arena, &world->master, &user->hash);
    if (rc == STATUS_OK)
        check(user_memberships_visit(&store, membership_look, &looking) == STATUS_OK);
    store_abort(transaction);
    arena_close(&arena);
    return rc == STATUS_OK;
}

void sessions_on_look(struct world *world, const struct happening *happening) {
    struct session *session = &world->sessions->items[happening->number];
    uint64_t joined[THREADS_MAX];
    if (!session->is_there || session->machine != happening->machine || session->life != happening->life)
        return;
    if (!joined_read(world, user_of(world, session), joined)) {
        look_plan(world, session, SECOND_US / 4);
        return;
    }
    for (unsigned i = 0; i < THREADS_MAX; i++)
        if (joined[i] > session->known[i])
            session->known[i] = joined[i];
}

/* ---- the end ---- */

static bool is_untold(struct world *world, const char **reason, unsigned session, const char *what) {
    struct sessions *sessions = world->sessions;
    snprintf(sessions->reason, sizeof(sessions->reason), "session %u of user %u at node %llu, thread %u from %llu: %s",
             session, sessions->items[session].user,
             (unsigned long long)world->machines[sessions->items[session].machine].id, sessions->items[session].thread,
             (unsigned long long)sessions->items[session].position, what);
    *reason = sessions->reason;
    return false;
}

static bool session_is_told(struct world *world, unsigned number, const char **reason) {
    const struct session *session = &world->sessions->items[number];
    uint64_t joined[THREADS_MAX];
    if (!user_of(world, session)->is_created)
        return true;
    if (!session->is_there || !session->is_heard || is_cut_off(world, session))
        return is_untold(world, reason, number, "it is nowhere");
    if (session->has_thread && !session->is_over && session->position != thread_of(world, session)->newest_change + 1)
        return is_untold(world, reason, number, "it has not been told everything");
    if (!joined_read(world, user_of(world, session), joined))
        return is_untold(world, reason, number, "its user has no list");
    for (unsigned i = 0; i < THREADS_MAX; i++)
        if (joined[i] > session->known[i])
            return is_untold(world, reason, number, "it has not been told of a joining");
    return true;
}

bool sessions_are_told(struct world *world, const char **reason) {
    for (unsigned i = 0; i < world->sessions->count; i++)
        if (!session_is_told(world, i, reason))
            return false;
    return true;
}
