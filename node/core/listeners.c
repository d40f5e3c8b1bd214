/* Who is told what changes. A node alone hands it to its own sessions. In a cluster interest.c takes it to the nodes
 * that listen, this one among them; here is said what this node's sessions listen to, counted over its workers. */
#include <stdlib.h>

#include "node/core/node_core_parts.h"
#include "proto/check.h"

#define uthash_fatal(message) check_failed(message, __FILE__, __LINE__)
#include <uthash.h>

struct listened {
    UT_hash_handle hh;
    struct id_hash subject;
    size_t count;
    bool is_looked_for; /* a user, whose sessions have been told to look */
    bool is_in_force;   /* a thread, of which its primary has said that it tells us */
    uint64_t position;  /* a thread: everything from there on is still to be handed on */
};

static struct listened *listened_find(struct node_core *core, const struct id_hash *subject) {
    struct listened *found = NULL;
    HASH_FIND(hh, core->listened, subject, sizeof(*subject), found);
    return found;
}

static void fan_out(const struct step *step, const struct change *change, uint64_t from_offset, unsigned copies) {
    struct action *action = action_add(step->actions, ACTION_FAN_OUT);
    action->change = change;
    action->from_offset = from_offset;
    action->copies = copies;
}

static void look_again_add(const struct step *step, const struct id_hash *user) {
    action_add(step->actions, ACTION_LOOK_AGAIN)->subject = *user;
}

static void listening_add(const struct step *step, const struct id_hash *thread) {
    action_add(step->actions, ACTION_LISTENING)->subject = *thread;
}

/* ---- what interest asks for ---- */

static uint64_t primary_of(void *context, const struct id_hash *subject) {
    struct node_core *core = context;
    return core_range_of(core, subject)->replication.record.primary;
}

static uint64_t epoch_of(void *context, const struct id_hash *subject) {
    struct node_core *core = context;
    return core_range_of(core, subject)->replication.record.epoch;
}

static bool is_primary(void *context, const struct id_hash *subject) {
    struct node_core *core = context;
    return core_range_of(core, subject)->replication.role == REPLICATION_PRIMARY;
}

static bool leads_lately(void *context, const struct id_hash *subject) {
    struct node_core *core = context;
    const struct range *range = core_range_of(core, subject);
    bool is_recent = core->step->mono_ms - range->led_ms < INTEREST_MOVING_MS;
    return range->replication.role == REPLICATION_TAKING_OVER ||
           (range->replication.role == REPLICATION_PRIMARY && is_recent);
}

static void packet_send(void *context, uint64_t to, const struct packet *packet) {
    core_packet_send(context, to, packet);
}

static void hand_on(void *context, const struct change *change, uint64_t from_offset, unsigned copies) {
    struct node_core *core = context;
    struct listened *listened = listened_find(core, &change->subject);
    bool is_of_user = change->kind == CHANGE_USER_JOINED || change->kind == CHANGE_USER_REVOKED;
    if (listened == NULL)
        return;
    if (change->offset != 0 && !is_of_user)
        listened->position = change->offset + 1;
    fan_out(core->step, change, from_offset, copies);
}

/* Sessions know where they begin, so where the interest begins is no news; that it is in force is. */
static void listening(void *context, const struct id_hash *thread, uint64_t next_offset) {
    struct node_core *core = context;
    struct listened *listened = listened_find(core, thread);
    (void)next_offset;
    if (listened == NULL)
        return;
    listened->is_in_force = true;
    listening_add(core->step, thread);
}

static void look_again(void *context, const struct id_hash *user) {
    struct node_core *core = context;
    struct listened *listened = listened_find(core, user);
    if (listened == NULL)
        return;
    listened->is_looked_for = true;
    look_again_add(core->step, user);
}

static void repeat(void *context, const struct interest_repeat *repeat) {
    struct node_core *core = context;
    action_add(core->step->actions, ACTION_REPEAT)->repeat = *repeat;
}

void listeners_open(struct node_core *core, uint64_t start) {
    struct interest_hooks hooks = {.context = core,
                                   .primary_of = primary_of,
                                   .epoch_of = epoch_of,
                                   .is_primary = is_primary,
                                   .leads_lately = leads_lately,
                                   .send = packet_send,
                                   .hand_on = hand_on,
                                   .listening = listening,
                                   .look_again = look_again,
                                   .repeat = repeat};
    core->interest = interest_new(core->options.self, start, core->options.link_bytes_max, &hooks);
}

static void listened_remove(struct node_core *core, struct listened *listened) {
    HASH_DEL(core->listened, listened);
    free(listened);
}

void listeners_close(struct node_core *core) {
    while (core->listened != NULL)
        listened_remove(core, core->listened);
    if (core->interest != NULL)
        interest_free(core->interest);
}

/* ---- what happens ---- */

void listeners_tell(struct node_core *core, const struct step *step, const struct change *change, unsigned copies) {
    if (core->interest == NULL)
        fan_out(step, change, 0, copies);
    else
        interest_publish(core->interest, change, copies);
}

static void gathered_tell(struct node_core *core, const struct step *step, const struct change *gathered) {
    struct change *kept = ARENA_NEW(&core->step_arena, struct change);
    *kept = *gathered;
    listeners_tell(core, step, kept, 0);
}

void listeners_tell_due(struct node_core *core, const struct step *step) {
    struct change due;
    while (coalescer_due(core->coalescer, step->now_ms, &core->step_arena, &due))
        gathered_tell(core, step, &due);
}

struct leaving {
    struct node_core *core;
    const struct range *range;
};

static bool is_of_range(void *context, const struct id_hash *thread) {
    const struct leaving *leaving = context;
    return core_range_of(leaving->core, thread) == leaving->range;
}

void listeners_range_lost(struct node_core *core, const struct step *step, const struct range *range) {
    struct leaving leaving = {core, range};
    struct change gathered;
    while (coalescer_leave(core->coalescer, is_of_range, &leaving, &core->step_arena, &gathered))
        gathered_tell(core, step, &gathered);
}

/* It was accepted while this node led the range. */
void listeners_on_notice(struct node_core *core, const struct step *step, const struct change *notice) {
    bool is_ours = core_range_of(core, &notice->subject)->replication.role == REPLICATION_PRIMARY;
    if (!is_ours && core->requests != NULL)
        questions_carry_notice(core, step, notice);
    else if (coalescer_offer(core->coalescer, notice, step->now_ms))
        listeners_tell(core, step, notice, 0);
}

static struct listened *listened_new(struct node_core *core, const struct id_hash *subject) {
    struct listened *listened = calloc(1, sizeof(*listened));
    check(listened != NULL);
    listened->subject = *subject;
    HASH_ADD(hh, core->listened, subject, sizeof(listened->subject), listened);
    return listened;
}

static void user_listen(struct node_core *core, const struct step *step, struct listened *listened) {
    if (listened->is_looked_for)
        look_again_add(step, &listened->subject);
    else if (listened->count == 1)
        interest_listen_user(core->interest, &listened->subject);
}

/* Who begins further back than what the others were told has it told again; they know what they have. */
static void thread_listen(struct node_core *core, const struct step *step, struct listened *listened, uint64_t offset) {
    if (listened->count > 1 && listened->position <= offset) {
        if (listened->is_in_force)
            listening_add(step, &listened->subject);
        return;
    }
    if (listened->count > 1)
        interest_unlisten(core->interest, &listened->subject);
    interest_listen(core->interest, &listened->subject, offset);
    listened->is_in_force = false;
    listened->position = offset;
}

void listeners_on_listen(struct node_core *core, const struct step *step, const struct event *event) {
    struct listened *listened = listened_find(core, event->subject);
    if (listened == NULL)
        listened = listened_new(core, event->subject);
    listened->count++;
    if (event->offset == 0)
        user_listen(core, step, listened);
    else
        thread_listen(core, step, listened, event->offset);
}

void listeners_on_unlisten(struct node_core *core, const struct id_hash *subject) {
    struct listened *listened = listened_find(core, subject);
    if (listened == NULL || --listened->count > 0)
        return;
    interest_unlisten(core->interest, subject);
    listened_remove(core, listened);
}

size_t node_core_listeners(const struct node_core *core, const struct id_hash *subject, uint64_t *nodes,
                           size_t nodes_max) {
    return core->interest == NULL ? 0 : interest_listeners(core->interest, subject, nodes, nodes_max);
}

void listeners_on_repeated(struct node_core *core, const struct step *step, struct interest_repeated *repeated) {
    repeated->copies = replication_copies(&core_range_of(core, &repeated->asked.thread)->replication);
    interest_repeated(core->interest, repeated, step->mono_ms);
}
