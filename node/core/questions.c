/* What other nodes are asked, and what they ask this one: requests.c finds the primary and repeats; here is said what a
 * request is. A body begins with its kind: a command for the range of its subject, which the core itself proposes, what
 * is only to be told there, or a question that the gateway serves. */
#include <stdlib.h>

#include "node/core/node_core_parts.h"
#include "proto/check.h"
#include "proto/status.h"

#define KIND_COMMAND 'C'
#define KIND_QUESTION 'Q'
#define KIND_NOTICE 'N'
#define WORKER_CORE UINT32_MAX   /* the core itself waits for the answer */
#define COMMAND_DEADLINE_MS 5000 /* the outbox asks again */
#define NOTICE_DEADLINE_MS 5000  /* what is of the moment says nothing later */

static uint64_t primary_of(void *context, const struct id_hash *subject) {
    struct node_core *core = context;
    return core_range_of(core, subject)->replication.record.primary;
}

/* In sync, so it may inherit; or it inherits, and is not done. */
static bool may_lead_soon(void *context, const struct id_hash *subject) {
    const struct replication *replication = &core_range_of(context, subject)->replication;
    return replication->role != REPLICATION_PRIMARY &&
           range_record_has_in_sync(&replication->record, replication->self);
}

void core_packet_send(struct node_core *core, uint64_t to, const struct packet *packet) {
    struct packet *kept = ARENA_NEW(&core->step_arena, struct packet);
    struct action *action = action_add(core->step->actions, ACTION_SEND);
    *kept = *packet;
    action->to = to;
    action->packet = kept;
}

static void packet_send(void *context, uint64_t to, const struct packet *packet) {
    core_packet_send(context, to, packet);
}

/* Like a proposal of a client, whose answer goes to another node. */
static void command_take(struct node_core *core, const struct requests_call *call, struct bytes encoded) {
    struct entry *entry = entry_new(ENTRY_OF_PEER);
    entry->token = call->token;
    struct bytes copy = arena_copy(&entry->arena, encoded);
    entry->is_malformed = command_decode(copy, &entry->arena, &entry->command) != STATUS_OK ||
                          !id_hash_equal(&entry->command.subject, &call->subject);
    entry->next = NULL;
    *core->waiting.end = entry;
    core->waiting.end = &entry->next;
    core->waiting.count++;
}

/* Answered at the end of the step: who asks must not be called back while it is at it. */
static void notice_add(struct node_core *core, const struct requests_call *call) {
    struct noticed *noticed = ARENA_NEW(&core->step_arena, struct noticed);
    struct bytes encoded = bytes_of(call->body.data + 1, call->body.size - 1);
    *noticed = (struct noticed){.next = core->noticed, .token = call->token};
    noticed->rc = change_decode(arena_copy(&core->step_arena, encoded), &core->step_arena, &noticed->change);
    if (noticed->rc != STATUS_OK || !id_hash_equal(&noticed->change.subject, &call->subject) ||
        noticed->change.kind != CHANGE_TYPING || noticed->change.typing_count != 1)
        noticed->rc = STATUS_MALFORMED;
    core->noticed = noticed;
}

void questions_notices_take(struct node_core *core, const struct step *step) {
    while (core->noticed != NULL) {
        const struct noticed *noticed = core->noticed;
        const struct range *range = core_range_of(core, &noticed->change.subject);
        bool is_ours = range->replication.role == REPLICATION_PRIMARY;
        core->noticed = noticed->next;
        if (noticed->rc == STATUS_OK && is_ours)
            listeners_on_notice(core, step, &noticed->change);
        requests_served(core->requests, noticed->token,
                        noticed->rc == STATUS_OK && !is_ours ? STATUS_NOT_PRIMARY : noticed->rc, BYTES_LITERAL(""),
                        step->mono_ms);
    }
}

static void call_serve(void *context, const struct requests_call *call) {
    struct node_core *core = context;
    struct bytes body = call->body;
    uint8_t kind = body.size == 0 ? 0 : body.data[0];
    if (kind == KIND_COMMAND) {
        command_take(core, call, bytes_of(body.data + 1, body.size - 1));
        return;
    }
    if (kind == KIND_NOTICE) {
        notice_add(core, call);
        return;
    }
    struct action *action = action_add(core->step->actions, ACTION_SERVE);
    action->token = call->token;
    action->subject = call->subject;
    action->body = kind == KIND_QUESTION ? bytes_of(body.data + 1, body.size - 1) : bytes_of(body.data, 0);
}

static void carried_add(struct node_core *core, struct entry *entry) {
    entry->previous_in_range = NULL;
    entry->next_in_range = core->carried;
    if (core->carried != NULL)
        core->carried->previous_in_range = entry;
    core->carried = entry;
}

static void carried_remove(struct node_core *core, struct entry *entry) {
    if (entry->previous_in_range != NULL)
        entry->previous_in_range->next_in_range = entry->next_in_range;
    else
        core->carried = entry->next_in_range;
    if (entry->next_in_range != NULL)
        entry->next_in_range->previous_in_range = entry->previous_in_range;
}

static void answer_take(void *context, const struct requests_answer *answer) {
    struct node_core *core = context;
    if (answer->worker == WORKER_CORE && answer->reply_to == NULL)
        return; /* a notice, which nobody waits for */
    if (answer->worker == WORKER_CORE) {
        struct entry *entry = answer->reply_to;
        carried_remove(core, entry);
        if (answer->rc == STATUS_OK)
            follow_ups_on_applied(core, core->step, entry);
        else
            follow_ups_on_refused(core, core->step, entry);
        core_entry_done(core, entry);
        return;
    }
    struct action *action = action_add(core->step->actions, ACTION_REPLY);
    action->reply_to = answer->reply_to;
    action->worker = answer->worker;
    action->rc = answer->rc;
    action->body = answer->body;
}

void questions_open(struct node_core *core, uint64_t start) {
    struct requests_hooks hooks = {.context = core,
                                   .primary_of = primary_of,
                                   .send = packet_send,
                                   .serve = call_serve,
                                   .answer = answer_take,
                                   .may_lead_soon = may_lead_soon};
    core->requests = requests_new(core->options.self, start, &hooks);
}

static int ask(struct node_core *core, const struct step *step, struct requests_question *question, char kind,
               struct bytes rest) {
    struct buffer body;
    buffer_init(&body);
    buffer_append(&body, &kind, 1);
    buffer_append_bytes(&body, rest);
    question->body = buffer_bytes(&body);
    int rc = requests_ask(core->requests, question, step->mono_ms);
    buffer_close(&body);
    return rc;
}

static bool is_alive(const struct node_core *core, uint64_t node) {
    for (size_t i = 0; i < core->live_count; i++)
        if (core->live[i] == node)
            return true;
    return false;
}

void questions_ask(struct node_core *core, const struct step *step, const struct event *event) {
    struct requests_question question = {.subject = *event->subject,
                                         .node = event->to,
                                         .reply_to = event->reply_to,
                                         .worker = event->worker,
                                         .deadline_ms = step->mono_ms + event->deadline_ms};
    int rc = STATUS_SERVICE_UNAVAILABLE;
    if (event->to == 0 || is_alive(core, event->to))
        rc = ask(core, step, &question, KIND_QUESTION, event->body);
    if (rc == STATUS_OK)
        return;
    struct action *action = action_add(step->actions, ACTION_REPLY);
    action->reply_to = event->reply_to;
    action->worker = event->worker;
    action->rc = rc;
}

bool questions_carry(struct node_core *core, const struct step *step, struct entry *entry) {
    const struct range *range = core_range_of(core, &entry->command.subject);
    uint64_t primary = range->replication.record.primary;
    if (core->requests == NULL || entry->origin != ENTRY_OF_FOLLOW_UP || primary == 0 || primary == core->options.self)
        return false;
    struct requests_question question = {.subject = entry->command.subject,
                                         .reply_to = entry,
                                         .worker = WORKER_CORE,
                                         .deadline_ms = step->mono_ms + COMMAND_DEADLINE_MS};
    struct buffer encoded;
    buffer_init(&encoded);
    command_encode(&entry->command, &encoded);
    int rc = ask(core, step, &question, KIND_COMMAND, buffer_bytes(&encoded));
    buffer_close(&encoded);
    if (rc == STATUS_OK)
        carried_add(core, entry);
    return rc == STATUS_OK;
}

void questions_carry_notice(struct node_core *core, const struct step *step, const struct change *notice) {
    struct requests_question question = {
        .subject = notice->subject, .worker = WORKER_CORE, .deadline_ms = step->mono_ms + NOTICE_DEADLINE_MS};
    struct buffer encoded;
    buffer_init(&encoded);
    change_encode(notice, &encoded);
    ask(core, step, &question, KIND_NOTICE, buffer_bytes(&encoded));
    buffer_close(&encoded);
}

void questions_close(struct node_core *core) {
    if (core->requests != NULL)
        requests_free(core->requests);
    for (struct entry *entry = core->carried, *next; entry != NULL; entry = next) {
        next = entry->next_in_range;
        entry_free(entry);
    }
}

void questions_command_done(struct node_core *core, const struct step *step, const struct entry *entry, int rc) {
    requests_served(core->requests, entry->token, rc, BYTES_LITERAL(""), step->mono_ms);
}
