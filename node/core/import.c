#include "node/core/import.h"

#include "proto/limits.h"
#include "proto/status.h"
#include "storage/thread_store.h"

/* One import on its way through the rules. */
struct importing {
    const struct apply_context *context;
    const struct command *command;
    struct outcome *outcome;
    struct thread_store store;
    struct import_row row;
    struct thread_properties properties;
    bool *is_there; /* MESSAGES_IMPORT: which ones need no writing */
};

static bool is_storage_failure(int rc) {
    return rc == STATUS_STORAGE_FULL || rc == STATUS_STORAGE_FAILED;
}

/* ---- checks: reading only ---- */

static int thread_open(struct importing *self) {
    const struct apply_context *context = self->context;
    int rc =
        thread_store_open(&self->store, context->transaction, context->arena, context->master, &self->command->subject);
    if (rc == STATUS_OK)
        rc = thread_properties_get(&self->store, &self->properties);
    if (rc == STATUS_OK) {
        rc = thread_import_get(&self->store, &self->row);
        return rc == STATUS_STORE_MISSING ? STATUS_IMPORT_THREAD_DIFFERS : rc;
    }
    return rc == STATUS_STORE_MISSING ? STATUS_THREAD_NOT_FOUND : rc;
}

/* It may have been changed here since; what never changes says whether it is the same. */
static bool is_same_thread(const struct importing *self) {
    const struct command *command = self->command;
    return self->row.offset == command->offset && self->row.sequence == command->sequence &&
           self->row.version == command->version && self->properties.created_ms == command->properties.created_ms &&
           bytes_equal(self->properties.creator_id, command->properties.creator_id);
}

static int members_check(const struct command *command) {
    size_t active = 0, former = 0;
    for (size_t i = 0; i < command->members_count; i++) {
        const struct import_member *member = &command->members[i];
        *(member->removed_offset == 0 ? &active : &former) += 1;
        if (member->joined_offset > command->offset || member->removed_offset > command->offset)
            return STATUS_VALIDATION_ERROR;
    }
    /* Each removal left a message, and each gets a row in the outbox of its own, by a number that no later change has.
     */
    if (former > command->offset)
        return STATUS_VALIDATION_ERROR;
    return active > LIMIT_PARTICIPANTS_MAX ? STATUS_TOO_MANY_PARTICIPANTS : STATUS_OK;
}

static int thread_import_check(struct importing *self) {
    struct tombstone_row tombstone;
    const struct apply_context *context = self->context;
    int rc = subject_tombstone_get(context->transaction, context->arena, context->master, &self->command->subject,
                                   &tombstone);
    if (rc != STATUS_STORE_MISSING)
        return rc == STATUS_OK ? STATUS_IMPORT_THREAD_DELETED : rc;
    rc = thread_open(self);
    if (rc == STATUS_THREAD_NOT_FOUND)
        return members_check(self->command);
    if (rc == STATUS_OK && !is_same_thread(self))
        rc = STATUS_IMPORT_THREAD_DIFFERS;
    self->outcome->result.is_duplicate = rc == STATUS_OK;
    return rc;
}

static bool fits_the_room(const struct import_row *row, const struct message *message) {
    return message->offset >= 1 && message->offset <= row->offset && message->sequence >= 1 &&
           message->sequence <= row->sequence && message->id >= 1 && message->id <= row->version &&
           message->version <= row->version;
}

/* Edits and deletions of later leave alone what is compared here. */
static bool is_same_message(const struct message *stored, const struct message *given) {
    return stored->sequence == given->sequence && stored->created_offset == given->offset &&
           stored->created_ms == given->created_ms && stored->type == given->type &&
           bytes_equal(stored->actor_id, given->actor_id);
}

static int message_check(struct importing *self, const struct message *given, bool *is_there) {
    struct message stored;
    struct change_row slot;
    if (!fits_the_room(&self->row, given))
        return STATUS_IMPORT_MESSAGE_DIFFERS;
    int rc = thread_message_find(&self->store, given->id, &stored);
    *is_there = rc == STATUS_OK;
    if (rc == STATUS_OK)
        return is_same_message(&stored, given) ? STATUS_OK : STATUS_IMPORT_MESSAGE_DIFFERS;
    if (rc == STATUS_STORE_MISSING)
        rc = thread_change_get(&self->store, given->offset, &slot);
    if (rc == STATUS_OK)
        return STATUS_IMPORT_MESSAGE_DIFFERS;
    return rc == STATUS_STORE_MISSING ? STATUS_OK : rc;
}

/* Within a batch each message is a change of its own, in the thread's order. */
static bool follows(const struct message *before, const struct message *message) {
    return message->offset > before->offset && message->version >= before->version && message->id != before->id &&
           message->sequence != before->sequence;
}

static int messages_import_check(struct importing *self) {
    const struct command *command = self->command;
    struct command_result *result = &self->outcome->result;
    int rc = thread_open(self);
    self->is_there = ARENA_NEW_ARRAY(self->context->arena, bool, command->messages_count);
    result->is_duplicate = true;
    for (size_t i = 0; rc == STATUS_OK && i < command->messages_count; i++) {
        const struct message *message = &command->messages[i];
        rc = i == 0 || follows(message - 1, message) ? STATUS_OK : STATUS_IMPORT_MESSAGE_DIFFERS;
        if (rc == STATUS_OK)
            rc = message_check(self, message, &self->is_there[i]);
        result->is_duplicate = result->is_duplicate && rc == STATUS_OK && self->is_there[i];
        if (rc == STATUS_IMPORT_MESSAGE_DIFFERS)
            result->message_id = message->id;
    }
    return rc;
}

static int check_command(struct importing *self) {
    int rc = self->command->kind == COMMAND_THREAD_IMPORT ? thread_import_check(self) : messages_import_check(self);
    self->outcome->result.is_duplicate = self->outcome->result.is_duplicate && rc == STATUS_OK;
    return rc;
}

/* ---- writes ---- */

static bool is_counted_of_teams(const struct import_member *member) {
    return member->removed_offset == 0 && identifier_is_teams_user(member->participant.user_id);
}

static int member_write(struct importing *self, const struct import_member *member, uint64_t join_number) {
    struct id_hash user = id_hash_make(self->context->hash_key, member->participant.user_id);
    struct participant_row row = {.participant = member->participant,
                                  .join_number = join_number,
                                  .joined_offset = member->joined_offset,
                                  .removed_offset = member->removed_offset,
                                  .topic = member->topic,
                                  .is_counted_of_teams = is_counted_of_teams(member)};
    return thread_participant_put(&self->store, &user, &row);
}

static int members_write(struct importing *self, struct thread_counters *counters) {
    for (size_t i = 0; i < self->command->members_count; i++) {
        const struct import_member *member = &self->command->members[i];
        int rc = member_write(self, member, ++counters->joins);
        if (rc != STATUS_OK)
            return rc;
        counters->participants += member->removed_offset == 0 ? 1 : 0;
        counters->teams_users += is_counted_of_teams(member) ? 1 : 0;
    }
    return STATUS_OK;
}

static int receipts_write(struct importing *self) {
    for (size_t i = 0; i < self->command->receipts_count; i++) {
        const struct receipt *receipt = &self->command->receipts[i];
        struct id_hash user = id_hash_make(self->context->hash_key, receipt->user_id);
        int rc = thread_receipt_put(&self->store, &user, receipt);
        if (rc != STATUS_OK)
            return rc;
    }
    return STATUS_OK;
}

/* Her list shows who left the thread as it was then. */
static int leaving_tell(struct importing *self, const struct import_member *member, uint64_t number) {
    struct outbox_user *user = ARENA_NEW(self->context->arena, struct outbox_user);
    user->hash = id_hash_make(self->context->hash_key, member->participant.user_id);
    struct outbox_row row = {.thread_id = self->command->properties.id,
                             .membership = MEMBERSHIP_LEFT,
                             .offset = member->removed_offset,
                             .time_ms = self->command->time_ms,
                             .topic = member->topic,
                             .last_message_ms = member->last_message_ms,
                             .users = user,
                             .users_count = 1};
    return outcome_add_follow_up(self->outcome, self->context, &self->command->subject, number, &row);
}

static int lists_tell(struct importing *self, uint64_t offset) {
    const struct command *command = self->command;
    struct outbox_row joined = {.thread_id = command->properties.id,
                                .membership = MEMBERSHIP_JOINED,
                                .offset = offset,
                                .time_ms = command->time_ms,
                                .users =
                                    ARENA_NEW_ARRAY(self->context->arena, struct outbox_user, command->members_count)};
    uint64_t former = 0;
    for (size_t i = 0; i < command->members_count; i++) {
        const struct import_member *member = &command->members[i];
        int rc = member->removed_offset != 0 ? leaving_tell(self, member, ++former) : STATUS_OK;
        if (rc != STATUS_OK)
            return rc;
        if (member->removed_offset == 0)
            joined.users[joined.users_count++].hash =
                id_hash_make(self->context->hash_key, member->participant.user_id);
    }
    return joined.users_count == 0
               ? STATUS_OK
               : outcome_add_follow_up(self->outcome, self->context, &command->subject, offset, &joined);
}

/* The import itself is the first change that is made here: it takes the offset behind the room for the messages, as a
 * mark, and a version above all of theirs, so that ids of what is sent next are above them. */
static struct thread_counters counters_begin(const struct command *command) {
    uint64_t now = command->time_ms < 0 ? 0 : (uint64_t)command->time_ms;
    return (struct thread_counters){.offset = command->offset + 1,
                                    .sequence = command->sequence,
                                    .version = now > command->version ? now : command->version + 1,
                                    .last_message_ms = command->last_message_ms,
                                    .properties_offset = command->offset + 1};
}

static int thread_import_write(struct importing *self) {
    const struct command *command = self->command;
    const struct apply_context *context = self->context;
    struct thread_counters counters = counters_begin(command);
    struct import_row row = {command->offset, command->sequence, command->version};
    int rc = thread_store_open_new(&self->store, context->transaction, context->arena, context->master,
                                   &command->subject, command->wrapped_key);
    if (rc != STATUS_OK || (rc = members_write(self, &counters)) != STATUS_OK ||
        (rc = receipts_write(self)) != STATUS_OK || (rc = thread_import_put(&self->store, &row)) != STATUS_OK ||
        (rc = thread_properties_put(&self->store, &command->properties)) != STATUS_OK ||
        (rc = thread_properties_change_put(&self->store, counters.offset, counters.version,
                                           command->properties.creator_id)) != STATUS_OK ||
        (rc = thread_counters_put(&self->store, &counters)) != STATUS_OK)
        return rc;
    self->outcome->result.offset = counters.offset;
    self->outcome->result.sequence = counters.sequence;
    self->outcome->result.version = counters.version;
    self->outcome->result.time_ms = (int64_t)counters.version;
    return lists_tell(self, counters.offset);
}

static int messages_import_write(struct importing *self) {
    const struct command *command = self->command;
    for (size_t i = 0; i < command->messages_count; i++) {
        struct message message = command->messages[i];
        message.created_offset = message.offset;
        int rc = self->is_there[i] ? STATUS_OK : thread_message_put(&self->store, &message);
        if (rc != STATUS_OK)
            return rc;
    }
    return STATUS_OK;
}

int import_apply(const struct apply_context *context, const struct command *command, struct outcome *outcome) {
    struct importing self = {.context = context, .command = command, .outcome = outcome};
    *outcome = (struct outcome){0};
    int rc = check_command(&self);
    if (is_storage_failure(rc))
        return rc;
    outcome->result.rc = rc;
    if (rc != STATUS_OK || outcome->result.is_duplicate)
        return STATUS_OK;
    rc = command->kind == COMMAND_THREAD_IMPORT ? thread_import_write(&self) : messages_import_write(&self);
    /* A record that does not open in the middle of writing would leave half a change behind. */
    return rc == STATUS_OK || is_storage_failure(rc) ? rc : STATUS_STORAGE_FAILED;
}

int import_check(const struct apply_context *context, const struct command *command, struct outcome *outcome) {
    struct importing self = {.context = context, .command = command, .outcome = outcome};
    *outcome = (struct outcome){0};
    int rc = check_command(&self);
    outcome->result.rc = rc;
    return is_storage_failure(rc) ? rc : STATUS_OK;
}
