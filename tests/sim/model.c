#include "tests/sim/model.h"

#include <stdlib.h>

#include "node/core/retention.h"
#include "proto/check.h"
#include "proto/status.h"

void model_init(struct model *model, struct world *world) {
    *model = (struct model){0};
    arena_init(&model->arena);
    for (unsigned i = 0; i < CLIENTS_MAX; i++) {
        struct user_model *user = &model->users[i];
        user->id =
            arena_printf(&model->arena, "8:acs:00000000-0000-0000-0000-000000000001_%08x-0000-0000-0000-0000%08x", i,
                         (unsigned)chance_below(&world->chance, UINT32_MAX));
        user->hash = id_hash_make(world->hash_key, user->id);
    }
}

void model_close(struct model *model) {
    for (unsigned i = 0; i < model->threads_count; i++)
        free(model->threads[i].changes);
    free(model->messages);
    arena_close(&model->arena);
}

unsigned model_thread_add(struct model *model, struct world *world, unsigned owner) {
    struct thread_model *thread = &model->threads[model->threads_count];
    uint8_t entropy[THREAD_ID_ENTROPY_BYTES];
    check(model->threads_count < THREADS_MAX);
    for (size_t i = 0; i < sizeof(entropy); i++)
        entropy[i] = (uint8_t)chance_below(&world->chance, 256);
    *thread = (struct thread_model){.id = thread_id_make(&model->arena, entropy), .owner = owner};
    thread->hash = id_hash_make(world->hash_key, thread->id);
    return model->threads_count++;
}

size_t model_message_add(struct model *model, unsigned thread, unsigned author, uint64_t number) {
    if (model->messages_count == model->messages_capacity) {
        model->messages_capacity = model->messages_capacity == 0 ? 256 : model->messages_capacity * 2;
        model->messages = realloc(model->messages, model->messages_capacity * sizeof(*model->messages));
        check(model->messages != NULL);
    }
    model->messages[model->messages_count] =
        (struct message_model){.thread = thread, .author = author, .number = number};
    return model->messages_count++;
}

struct thread_model *model_thread_find(struct model *model, const struct id_hash *hash) {
    for (unsigned i = 0; i < model->threads_count; i++)
        if (id_hash_equal(&model->threads[i].hash, hash))
            return &model->threads[i];
    return NULL;
}

struct bytes model_contents(struct arena *arena, const struct message_model *message, unsigned edit, size_t padding) {
    return arena_printf(arena, "%u.%llu/%u %0*d", message->author, (unsigned long long)message->number, edit,
                        (int)padding, 0);
}

/* ---- attempts and answers ---- */

void model_on_attempt(struct model *model, const struct operation *operation) {
    struct thread_model *thread = &model->threads[operation->thread];
    struct message_model *message = &model->messages[operation->message];
    switch (operation->kind) {
    case OPERATION_EDIT:
        if (operation->edit > message->edits_tried)
            message->edits_tried = operation->edit;
        message->edits_unsure |= operation->attempts > 1 ? (uint64_t)1 << operation->edit : 0;
        break;
    case OPERATION_DELETE_MESSAGE:
        message->is_deletion_tried = true;
        break;
    case OPERATION_ADD:
        thread->members[operation->user].was_added = true;
        thread->members[operation->user].is_unsure |= operation->attempts > 1;
        break;
    case OPERATION_REMOVE:
        thread->members[operation->user].was_removed = true;
        thread->members[operation->user].is_unsure |= operation->attempts > 1;
        break;
    case OPERATION_DELETE_THREAD:
        thread->is_deletion_tried = true;
        break;
    default:
        break;
    }
}

static const char *const operation_names[] = {
    [OPERATION_USER] = "create a user",
    [OPERATION_THREAD] = "create a thread",
    [OPERATION_SEND] = "send",
    [OPERATION_EDIT] = "edit",
    [OPERATION_DELETE_MESSAGE] = "delete",
    [OPERATION_ADD] = "add a participant",
    [OPERATION_REMOVE] = "remove somebody",
    [OPERATION_RECEIPT] = "read",
    [OPERATION_DELETE_THREAD] = "delete a thread",
    [OPERATION_POLICY] = "set the policy",
};

const char *operation_name(enum operation_kind kind) {
    return operation_names[kind];
}

/* Some refusals are right, given what else has been tried. */
static bool may_be_refused(const struct model *model, const struct operation *operation, int rc) {
    const struct thread_model *thread = &model->threads[operation->thread];
    if (operation->kind == OPERATION_USER)
        return rc == STATUS_CONFLICT;
    if (rc == STATUS_THREAD_NOT_FOUND)
        return thread->is_deletion_tried;
    /* Attempts that came late. */
    if (operation->kind == OPERATION_THREAD)
        return rc == STATUS_CONFLICT && thread->is_deletion_tried;
    if (rc == STATUS_MESSAGE_NOT_FOUND)
        return model->messages[operation->message].is_deletion_tried;
    return rc == STATUS_FORBIDDEN && thread->members[operation->client].was_removed;
}

static void on_refused(struct world *world, struct model *model, const struct operation *operation, int rc) {
    if (!may_be_refused(model, operation, rc))
        world_fail(world, "client %u cannot %s in thread %u (message %zu): %s", operation->client,
                   operation_name(operation->kind), operation->thread, operation->message, status_sentence(rc));
    if (operation->kind == OPERATION_USER)
        model->users[operation->client].is_created = true;
    if (operation->kind == OPERATION_DELETE_THREAD && rc == STATUS_THREAD_NOT_FOUND)
        model->threads[operation->thread].is_deleted = true;
}

static void on_sent(struct world *world, struct message_model *message, const struct command_result *result) {
    if (message->is_sent && (message->id != result->message_id || message->offset != result->offset))
        world_fail(world, "message %u.%llu was acknowledged at offset %llu, and again at %llu", message->author,
                   (unsigned long long)message->number, (unsigned long long)message->offset,
                   (unsigned long long)result->offset);
    message->is_sent = true;
    message->id = result->message_id;
    message->offset = result->offset;
}

static void offset_check(struct world *world, struct thread_model *thread, const struct operation *operation,
                         const struct command_result *result) {
    if (operation->is_after_deletion)
        world_fail(world, "client %u could %s in thread %u after its deletion was acknowledged", operation->client,
                   operation_name(operation->kind), operation->thread);
    if (result->offset == 0)
        return;
    if (result->offset <= operation->offset_before)
        world_fail(world, "client %u could %s in thread %u at offset %llu, but %llu had been acknowledged before",
                   operation->client, operation_name(operation->kind), operation->thread,
                   (unsigned long long)result->offset, (unsigned long long)operation->offset_before);
    if (result->offset > thread->newest_offset)
        thread->newest_offset = result->offset;
}

void model_on_answered(struct world *world, struct model *model, const struct operation *operation,
                       const struct command_result *result) {
    struct thread_model *thread = &model->threads[operation->thread];
    struct message_model *message = &model->messages[operation->message];
    if (result->rc != STATUS_OK) {
        on_refused(world, model, operation, result->rc);
        return;
    }
    if (operation->kind != OPERATION_USER && operation->kind != OPERATION_RECEIPT)
        offset_check(world, thread, operation, result);
    switch (operation->kind) {
    case OPERATION_USER:
        model->users[operation->client].is_created = true;
        break;
    case OPERATION_THREAD:
        for (unsigned i = 0; i < CLIENTS_MAX && !thread->is_created; i++)
            if (operation->participants >> i & 1)
                thread->members[i].is_in = true;
        thread->is_created = true;
        break;
    case OPERATION_SEND:
        on_sent(world, message, result);
        break;
    case OPERATION_EDIT:
        if (operation->edit > message->edits_done)
            message->edits_done = operation->edit;
        break;
    case OPERATION_DELETE_MESSAGE:
        message->is_deleted = true;
        break;
    case OPERATION_ADD:
        thread->members[operation->user].is_in = true;
        break;
    case OPERATION_REMOVE:
        thread->members[operation->user].is_in = false;
        break;
    case OPERATION_DELETE_THREAD:
        thread->is_deleted = true;
        break;
    case OPERATION_RECEIPT:
    case OPERATION_POLICY:
        break;
    }
}

/* ---- what is told ---- */

static struct told *told_get(struct thread_model *thread, uint64_t offset) {
    if (offset >= thread->changes_capacity) {
        size_t capacity = (size_t)offset * 2;
        thread->changes = realloc(thread->changes, capacity * sizeof(*thread->changes));
        check(thread->changes != NULL);
        memset(thread->changes + thread->changes_capacity, 0,
               (capacity - thread->changes_capacity) * sizeof(*thread->changes));
        thread->changes_capacity = capacity;
    }
    return &thread->changes[offset];
}

/* Whoever applies it first has applied what was before. */
static void expiry_check(struct world *world, const struct model *model, const struct thread_model *thread,
                         const struct change *change) {
    if (!retention_is_over(&thread->properties, change->time_ms))
        world_fail(world, "thread %u is deleted by a policy of %u days after %lld ms",
                   (unsigned)(thread - model->threads), thread->properties.retention.days,
                   (long long)(change->time_ms - thread->properties.created_ms));
    world->statistics.expired++;
}

static void newest_take(struct world *world, const struct model *model, struct thread_model *thread,
                        const struct change *change) {
    bool is_expiry = change->kind == CHANGE_THREAD_DELETED && bytes_equal_text(change->reason, RETENTION_REASON);
    if (is_expiry)
        expiry_check(world, model, thread, change);
    thread->is_deletion_tried |= is_expiry;
    thread->newest_change = change->offset;
    if (change->kind == CHANGE_THREAD_CREATED || change->kind == CHANGE_THREAD_UPDATED) {
        thread->properties.created_ms = change->properties.created_ms;
        thread->properties.retention = change->properties.retention;
    }
}

void model_on_applied(struct world *world, struct model *model, const struct change *change, bool is_watched) {
    struct thread_model *thread = model_thread_find(model, &change->subject);
    struct buffer encoded;
    if (thread == NULL || change->offset == 0)
        return;
    buffer_init(&encoded);
    change_encode(change, &encoded);
    struct told told = {.kind = change->kind,
                        .message_id = change->message.id,
                        .content_hash = hash_of_bytes(change->message.content),
                        .hash = hash_of_bytes(buffer_bytes(&encoded)),
                        .is_watched = is_watched};
    buffer_close(&encoded);
    struct told *known = told_get(thread, change->offset);
    if (known->kind != 0 && known->hash != told.hash)
        world_fail(world, "replicas make different changes of thread %u at offset %llu",
                   (unsigned)(thread - model->threads), (unsigned long long)change->offset);
    *known = told;
    if (change->offset > thread->newest_change)
        newest_take(world, model, thread, change);
}

static bool is_of_message(enum change_kind kind) {
    return kind == CHANGE_MESSAGE_RECEIVED || kind == CHANGE_MESSAGE_EDITED || kind == CHANGE_MESSAGE_DELETED;
}

static bool is_same(const struct told *known, const struct change *change) {
    if (!is_of_message(known->kind))
        return known->kind == change->kind;
    /* Who learns of an edit has perhaps not seen the message before. */
    return is_of_message(change->kind) && known->message_id == change->message.id &&
           (known->kind == CHANGE_MESSAGE_DELETED) == (change->kind == CHANGE_MESSAGE_DELETED) &&
           (known->kind == CHANGE_MESSAGE_DELETED || known->content_hash == hash_of_bytes(change->message.content));
}

void model_check_told(struct world *world, struct model *model, const struct change *change) {
    struct thread_model *thread = model_thread_find(model, &change->subject);
    unsigned number = (unsigned)(thread - model->threads);
    if (change->offset > thread->newest_change || thread->changes[change->offset].kind == 0)
        world_fail(world, "a change of thread %u is told at offset %llu, where nothing has happened", number,
                   (unsigned long long)change->offset);
    if (!is_same(&thread->changes[change->offset], change))
        world_fail(world, "another change of thread %u is told at offset %llu than has happened there", number,
                   (unsigned long long)change->offset);
}

/* The newest says all that there is to say of it. */
static bool is_of_same(const struct told *told, const struct told *later) {
    if (told->kind == CHANGE_THREAD_UPDATED)
        return later->kind == CHANGE_THREAD_UPDATED;
    return is_of_message(told->kind) && is_of_message(later->kind) && later->message_id == told->message_id;
}

/* What lies at an offset is told later yet: the message, or the thread's properties, have changed since. */
static bool comes_later(const struct thread_model *thread, uint64_t offset) {
    for (uint64_t i = offset + 1; i <= thread->newest_change; i++)
        if (is_of_same(&thread->changes[offset], &thread->changes[i]))
            return true;
    return false;
}

bool model_may_pass_over(const struct thread_model *thread, uint64_t from, const struct change *change) {
    for (uint64_t i = from; i < change->offset && change->kind != CHANGE_THREAD_DELETED; i++)
        if (thread->changes[i].kind != 0 && !comes_later(thread, i))
            return false;
    return true;
}
