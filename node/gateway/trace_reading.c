#include "node/gateway/trace_reading.h"

#include "proto/change.h"
#include "proto/limits.h"
#include "proto/status.h"

struct reading {
    const struct gateway *gateway;
    struct arena *arena;
    struct thread_store store;
    struct trace_subject *subject;
};

/* Who asks where a message is does not learn what it says. */
static void message_take(struct trace_subject *subject, const struct message *message) {
    subject->has_message = true;
    subject->message = *message;
    subject->message.content = subject->message.topic = subject->message.display_name = BYTES_ABSENT;
    subject->message.participants = (struct participants){0};
    subject->message.metadata = (struct metadata){0};
}

static void change_add(struct trace_subject *subject, uint64_t offset, uint32_t kind) {
    size_t at = subject->changes_count;
    while (at > 0 && subject->changes[at - 1].offset > offset)
        at--;
    bool is_known = at > 0 && subject->changes[at - 1].offset == offset;
    if (is_known || offset == 0 || offset > TRACE_NUMBER_MAX || subject->changes_count == TRACE_CHANGES_MAX)
        return;
    memmove(subject->changes + at + 1, subject->changes + at,
            (subject->changes_count - at) * sizeof(subject->changes[0]));
    subject->changes[at] = (struct trace_change){.offset = offset, .kind = kind};
    subject->changes_count++;
}

static uint32_t first_kind(const struct message *message) {
    switch (message->type) {
    case MESSAGE_TOPIC_UPDATED:
        return CHANGE_THREAD_UPDATED;
    case MESSAGE_PARTICIPANT_ADDED:
        return CHANGE_PARTICIPANTS_ADDED;
    case MESSAGE_PARTICIPANT_REMOVED:
        return CHANGE_PARTICIPANTS_REMOVED;
    default:
        return CHANGE_MESSAGE_RECEIVED;
    }
}

static uint32_t last_kind(const struct message *message) {
    return message->offset == message->created_offset ? first_kind(message)
           : message->deleted_ms != 0                 ? CHANGE_MESSAGE_DELETED
                                                      : CHANGE_MESSAGE_EDITED;
}

/* Where it lay first and where it lies now says the store; where it lay meanwhile, what is remembered. */
static int of_message_read(struct reading *self, uint64_t message_id) {
    struct trace_subject *subject = self->subject;
    struct message message;
    subject->changes_count = trace_changes_of(self->gateway->trace, &self->store.thread, message_id, subject->changes);
    int rc = thread_message_find(&self->store, message_id, &message);
    if (rc != STATUS_OK)
        return rc == STATUS_STORE_MISSING ? STATUS_OK : rc;
    message_take(subject, &message);
    change_add(subject, message.created_offset, first_kind(&message));
    change_add(subject, message.offset, last_kind(&message));
    return STATUS_OK;
}

static int of_offset_read(struct reading *self, uint64_t offset) {
    struct trace_subject *subject = self->subject;
    struct change_row row;
    if (offset > subject->newest)
        return STATUS_OK;
    int rc = thread_change_get(&self->store, offset, &row);
    bool has_message = rc == STATUS_OK && row.message.id != 0;
    if (has_message)
        message_take(subject, &row.message);
    change_add(subject, offset, has_message ? last_kind(&row.message) : 0);
    return rc == STATUS_STORE_MISSING ? STATUS_OK : rc;
}

static int users_read(struct reading *self) {
    struct participant_list list;
    int rc = thread_participants_list(&self->store, &list);
    if (rc != STATUS_OK)
        return rc;
    size_t count = list.count < LIMIT_LIST_ITEMS_MAX ? list.count : LIMIT_LIST_ITEMS_MAX;
    self->subject->users = ARENA_NEW_ARRAY(self->arena, struct trace_user, count + 1);
    for (size_t i = 0; i < count; i++)
        self->subject->users[self->subject->users_count++] = (struct trace_user){
            .user_id = list.rows[i].participant.user_id, .is_gone = list.rows[i].removed_offset != 0};
    return STATUS_OK;
}

static int subject_read(struct reading *self, const struct trace_request *request) {
    struct trace_subject *subject = self->subject;
    struct thread_counters counters;
    int rc = thread_counters_get(&self->store, &counters);
    if (rc != STATUS_OK)
        return rc;
    subject->has_thread = true;
    subject->newest = counters.offset;
    subject->changes = ARENA_NEW_ARRAY(self->arena, struct trace_change, TRACE_CHANGES_MAX);
    rc = request->offset != 0 ? of_offset_read(self, request->offset) : of_message_read(self, request->message_id);
    return rc == STATUS_OK ? users_read(self) : rc;
}

int trace_subject_read(struct gateway_worker *worker, struct arena *arena, const struct question *question,
                       struct trace_subject *subject) {
    const struct id_hash *thread = &question->subjects[0].hash;
    struct reading self = {.gateway = worker->gateway, .arena = arena, .subject = subject};
    struct trace_request request;
    struct gateway_read read;
    *subject = (struct trace_subject){.has_thread = false};
    int rc = trace_request_decode(question->call, arena, &request);
    if (rc == STATUS_OK && request.changes_count > 0)
        rc = STATUS_MALFORMED;
    if (rc == STATUS_OK)
        rc = gateway_read_begin_of(worker, arena, thread, &read);
    if (rc != STATUS_OK)
        return rc;
    rc = thread_store_open(&self.store, read.context.transaction, arena, read.context.master, thread);
    if (rc == STATUS_OK)
        rc = subject_read(&self, &request);
    gateway_read_end(&read);
    return rc == STATUS_THREAD_NOT_FOUND ? STATUS_OK : rc;
}

int trace_memory_read(struct gateway_worker *worker, struct arena *arena, const struct question *question,
                      struct trace_memory *memory) {
    struct trace_request request;
    int rc = trace_request_decode(question->call, arena, &request);
    if (rc == STATUS_OK && request.changes_count == 0)
        rc = STATUS_MALFORMED;
    if (rc == STATUS_OK)
        trace_recall(worker->gateway->trace, &question->subjects[0].hash, request.changes, request.changes_count, arena,
                     memory);
    return rc;
}
