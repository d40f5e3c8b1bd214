/* Questions for whoever leads a range, asked at any machine: the newest offset of a thread, or to do what a client
 * wants. Each is answered once, and says nothing older than what was acknowledged before it was asked. */
#include <stdlib.h>

#include "proto/check.h"
#include "proto/status.h"
#include "storage/thread_store.h"
#include "tests/sim/model.h"

#define PADDING_MAX 300000 /* of some, so that they go in parts */
#define THREAD_IS_GONE UINT64_MAX
#define DEADLINE_MS_MAX 8000
#define ANSWER_US_MAX (2 * SECOND_US) /* after the deadline, and with a clock that is slow */

struct inquiry {
    unsigned machine; /* that was asked */
    uint64_t life;
    unsigned thread;
    uint64_t request; /* 0: what is the newest offset? */
    size_t padding;
    uint64_t offset_before; /* that was acknowledged before it was asked */
    bool is_after_deletion;
    bool is_delivered, is_answered;
    int64_t deadline_us;
    unsigned servings;
    uint64_t served_in[MACHINES_MAX]; /* which life of each did it, or is about to; 0: none */
};

struct inquiries {
    struct inquiry *items; /* number - 1 */
    size_t count, capacity;
};

/* What a body begins with; then comes padding. */
struct body {
    uint64_t question;
    uint64_t value; /* of a reply: the offset, or the request that was served */
};

/* On its way between a core and what serves. */
struct serving {
    uint64_t token;
    uint64_t question;
    int rc;
    uint64_t value;
};

void inquiries_begin(struct world *world) {
    world->inquiries = calloc(1, sizeof(*world->inquiries));
    check(world->inquiries != NULL);
}

void inquiries_free(struct world *world) {
    free(world->inquiries->items);
    free(world->inquiries);
}

static struct inquiry *inquiry_get(struct world *world, uint64_t number) {
    check(number > 0 && number <= world->inquiries->count);
    return &world->inquiries->items[number - 1];
}

void inquiries_ask(struct world *world, const struct machine *machine, unsigned thread, const struct id_hash *subject,
                   uint64_t request) {
    struct inquiries *inquiries = world->inquiries;
    const struct thread_model *model = &clients_model(world)->threads[thread];
    if (inquiries->count == inquiries->capacity) {
        inquiries->capacity = inquiries->capacity == 0 ? 256 : inquiries->capacity * 2;
        inquiries->items = realloc(inquiries->items, inquiries->capacity * sizeof(*inquiries->items));
        check(inquiries->items != NULL);
    }
    bool is_large = chance_below(&world->chance, 40) == 0;
    inquiries->items[inquiries->count++] =
        (struct inquiry){.machine = machine->number,
                         .life = machine->life,
                         .thread = thread,
                         .request = request,
                         .padding = (size_t)chance_below(&world->chance, is_large ? PADDING_MAX : 100),
                         .offset_before = model->newest_offset,
                         .is_after_deletion = model->is_deleted};
    struct id_hash *kept = malloc(sizeof(*kept));
    check(kept != NULL);
    *kept = *subject;
    world_plan(world, chance_between(&world->chance, 50, 3000),
               &(struct happening){.kind = HAPPEN_ASK,
                                   .machine = machine->number,
                                   .life = machine->life,
                                   .number = inquiries->count,
                                   .data = kept});
}

/* ---- bodies ---- */

static struct bytes body_make(struct arena *arena, uint64_t number, uint64_t value, size_t padding) {
    uint8_t *bytes = arena_alloc(arena, sizeof(struct body) + padding);
    memset(bytes, (int)(number & 0xff), sizeof(struct body) + padding);
    memcpy(bytes, &(struct body){number, value}, sizeof(struct body));
    return bytes_of(bytes, sizeof(struct body) + padding);
}

static struct body body_check(struct world *world, struct bytes bytes) {
    struct body body = {0};
    if (bytes.size < sizeof(body))
        world_fail(world, "a question or its answer is cut short");
    memcpy(&body, bytes.data, sizeof(body));
    if (bytes.size != sizeof(body) + inquiry_get(world, body.question)->padding)
        world_fail(world, "question %llu or its answer has another length", (unsigned long long)body.question);
    for (size_t i = sizeof(body); i < bytes.size; i++)
        if (bytes.data[i] != (body.question & 0xff))
            world_fail(world, "question %llu or its answer has been mixed up", (unsigned long long)body.question);
    return body;
}

/* ---- asking and serving ---- */

static void on_ask(struct world *world, struct machine *machine, const struct happening *happening) {
    struct inquiry *inquiry = inquiry_get(world, happening->number);
    struct arena arena;
    arena_init(&arena);
    int64_t deadline_ms = chance_between(&world->chance, 300, DEADLINE_MS_MAX);
    inquiry->is_delivered = true;
    world_say(world, "node %llu is asked question %llu, request %llu, for %lld ms", (unsigned long long)machine->id,
              (unsigned long long)happening->number, (unsigned long long)inquiry->request, (long long)deadline_ms);
    inquiry->deadline_us = world->now_us + deadline_ms * 1000;
    machine_step(world, machine,
                 &(struct event){.kind = EVENT_ASK,
                                 .subject = happening->data,
                                 .body = body_make(&arena, happening->number, 0, inquiry->padding),
                                 .reply_to = (void *)(uintptr_t)happening->number,
                                 .deadline_ms = deadline_ms});
    arena_close(&arena);
}

static void serving_plan(struct world *world, const struct machine *machine, enum happening_kind kind,
                         const struct serving *serving) {
    struct serving *kept = malloc(sizeof(*kept));
    check(kept != NULL);
    *kept = *serving;
    world_plan(world, chance_between(&world->chance, 20, 5000),
               &(struct happening){.kind = kind, .machine = machine->number, .life = machine->life, .data = kept});
}

void inquiries_on_serve(struct world *world, const struct machine *machine, const struct action *action) {
    struct body body = body_check(world, action->body);
    struct inquiry *inquiry = inquiry_get(world, body.question);
    uint64_t *served_in = &inquiry->served_in[machine->number];
    /* A copy that came while the machine stood still may be served when nobody waits any more. */
    if (*served_in == machine->life && world->now_us < inquiry->deadline_us)
        world_fail(world, "node %llu serves question %llu twice", (unsigned long long)machine->id,
                   (unsigned long long)body.question);
    *served_in = machine->life;
    serving_plan(world, machine, HAPPEN_SERVE, &(struct serving){.token = action->token, .question = body.question});
}

static uint64_t newest_offset_read(struct world *world, struct machine *machine, unsigned thread) {
    struct store_transaction *transaction = NULL;
    struct thread_store store;
    struct thread_counters counters = {.offset = THREAD_IS_GONE};
    struct arena arena;
    arena_init(&arena);
    check(store_begin_read(machine->store, &transaction) == STATUS_OK);
    int rc =
        thread_store_open(&store, transaction, &arena, &world->master, &clients_model(world)->threads[thread].hash);
    if (rc == STATUS_OK)
        rc = thread_counters_get(&store, &counters);
    check(rc == STATUS_OK || rc == STATUS_THREAD_NOT_FOUND || rc == STATUS_STORE_MISSING);
    store_abort(transaction);
    arena_close(&arena);
    return counters.offset;
}

static void on_serve(struct world *world, struct machine *machine, const struct serving *serving) {
    struct inquiry *inquiry = inquiry_get(world, serving->question);
    struct serving served = *serving;
    bool is_repeated = inquiry->servings++ > 0;
    world_say(world, "node %llu serves question %llu", (unsigned long long)machine->id,
              (unsigned long long)serving->question);
    if (inquiry->request != 0) {
        uint64_t request =
            clients_request_served(world, inquiry->request, machine, serving->token, serving->question, is_repeated);
        machine_step(world, machine, &(struct event){.kind = EVENT_PROPOSE, .entry = clients_entry(world, request)});
        return;
    }
    if (checker_may_read(world, machine, &clients_model(world)->threads[inquiry->thread].hash))
        served.value = newest_offset_read(world, machine, inquiry->thread);
    else
        served.rc = STATUS_NOT_PRIMARY;
    serving_plan(world, machine, HAPPEN_SERVED, &served);
}

void inquiries_on_done(struct world *world, const struct machine *machine, uint64_t token, uint64_t inquiry,
                       uint64_t request) {
    bool is_done = clients_request_is_done(world, request);
    serving_plan(
        world, machine, HAPPEN_SERVED,
        &(struct serving){
            .token = token, .question = inquiry, .value = request, .rc = is_done ? STATUS_OK : STATUS_NOT_PRIMARY});
}

void inquiries_on_happening(struct world *world, struct machine *machine, const struct happening *happening) {
    const struct serving *serving = happening->data;
    struct arena arena;
    if (happening->kind == HAPPEN_ASK) {
        on_ask(world, machine, happening);
        return;
    }
    if (happening->kind == HAPPEN_SERVE) {
        on_serve(world, machine, serving);
        return;
    }
    if (serving->rc == STATUS_NOT_PRIMARY)
        inquiry_get(world, serving->question)->served_in[machine->number] = 0;
    arena_init(&arena);
    struct bytes body =
        body_make(&arena, serving->question, serving->value, inquiry_get(world, serving->question)->padding);
    machine_step(world, machine,
                 &(struct event){.kind = EVENT_SERVED, .token = serving->token, .rc = serving->rc, .body = body});
    arena_close(&arena);
}

/* ---- what comes back ---- */

static void offset_check(struct world *world, const struct inquiry *inquiry, uint64_t offset) {
    const struct thread_model *thread = &clients_model(world)->threads[inquiry->thread];
    if (offset == THREAD_IS_GONE && !thread->is_deletion_tried)
        world_fail(world, "thread %u is gone, says an answer, but nobody has deleted it", inquiry->thread);
    if (offset != THREAD_IS_GONE && inquiry->is_after_deletion)
        world_fail(world, "thread %u is there, says an answer, but it was deleted before that was asked",
                   inquiry->thread);
    if (offset < inquiry->offset_before)
        world_fail(
            world,
            "the newest offset of thread %u is %llu, says an answer; %llu was acknowledged before that was asked",
            inquiry->thread, (unsigned long long)offset, (unsigned long long)inquiry->offset_before);
}

void inquiries_on_reply(struct world *world, const struct machine *machine, const struct action *action) {
    uint64_t number = (uintptr_t)action->reply_to;
    struct inquiry *inquiry = inquiry_get(world, number);
    bool is_done = false;
    if (inquiry->is_answered || inquiry->machine != machine->number || inquiry->life != machine->life)
        world_fail(world, "question %llu is answered twice, or somewhere else", (unsigned long long)number);
    inquiry->is_answered = true;
    world_say(world, "node %llu answers question %llu: %s", (unsigned long long)machine->id, (unsigned long long)number,
              action->rc == STATUS_OK ? "done" : status_sentence(action->rc));
    if (action->rc == STATUS_OK) {
        struct body body = body_check(world, action->body);
        if (body.question != number)
            world_fail(world, "question %llu is answered as question %llu", (unsigned long long)number,
                       (unsigned long long)body.question);
        is_done = inquiry->request != 0 && clients_request_is_done(world, body.value);
        if (inquiry->request == 0)
            offset_check(world, inquiry, body.value);
        world->statistics.asked++;
    }
    if (inquiry->request != 0)
        world_plan(world, chance_between(&world->chance, 50, 3000),
                   &(struct happening){.kind = HAPPEN_ANSWER, .number = inquiry->request, .size = is_done});
}

void inquiries_check_end(struct world *world) {
    for (size_t i = 0; i < world->inquiries->count; i++) {
        const struct inquiry *inquiry = &world->inquiries->items[i];
        const struct machine *machine = &world->machines[inquiry->machine];
        int64_t due_us = inquiry->deadline_us + ANSWER_US_MAX;
        bool is_due = inquiry->is_delivered && world->now_us > due_us && machine->paused_until_us < due_us;
        if (is_due && !inquiry->is_answered && machine->is_up && machine->life == inquiry->life)
            world_fail(world, "node %llu has never answered question %zu", (unsigned long long)machine->id, i + 1);
    }
}
