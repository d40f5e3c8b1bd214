#include "node/core/thread.h"

#include "node/core/metadata.h"
#include "node/core/retention.h"
#include "node/core/thread_events.h"
#include "proto/check.h"
#include "proto/limits.h"
#include "proto/status.h"
#include "storage/range_log.h"
#include "storage/thread_store.h"

/* One command on its way through the rules. */
struct rule {
    const struct apply_context *context;
    const struct command *command;
    struct outcome *outcome;
    struct thread_store store;
    struct thread_properties properties;
    struct thread_counters counters;
    struct participant_row actor;
    struct message message;           /* the one an edit, a deletion or a receipt is about */
    struct participant_list everyone; /* whom a deletion of the thread concerns */
    bool is_held;                     /* nothing of it may be removed */
    bool is_settled;                  /* nothing is left to write: a duplicate, or no effect */
};

static struct id_hash hash_of(const struct rule *rule, struct bytes raw_id) {
    return id_hash_make(rule->context->hash_key, raw_id);
}

/* Errors of the disk end the batch; everything else is an answer to the author. */
static bool is_storage_failure(int rc) {
    return rc == STATUS_STORAGE_FULL || rc == STATUS_STORAGE_FAILED;
}

static int missing_means(int rc, int meaning) {
    return rc == STATUS_STORE_MISSING ? meaning : rc;
}

/* ---- checks: reading only ---- */

static int thread_load(struct rule *rule) {
    int rc = thread_store_open(&rule->store, rule->context->transaction, rule->context->arena, rule->context->master,
                               &rule->command->subject);
    if (rc == STATUS_OK)
        rc = missing_means(thread_properties_get(&rule->store, &rule->properties), STATUS_THREAD_NOT_FOUND);
    if (rc == STATUS_OK)
        rc = missing_means(thread_counters_get(&rule->store, &rule->counters), STATUS_RECORD_CORRUPT);
    return rc;
}

static int actor_load(struct rule *rule) {
    struct id_hash actor = hash_of(rule, rule->command->actor_id);
    int rc = thread_participant_get(&rule->store, &actor, &rule->actor);
    if (rc == STATUS_OK && rule->actor.removed_offset != 0)
        return STATUS_FORBIDDEN;
    return missing_means(rc, STATUS_FORBIDDEN);
}

static int message_load(struct rule *rule) {
    int rc = thread_message_find(&rule->store, rule->command->message_id, &rule->message);
    return missing_means(rc, STATUS_MESSAGE_NOT_FOUND);
}

static int own_message_load(struct rule *rule) {
    int rc = message_load(rule);
    if (rc != STATUS_OK)
        return rc;
    bool is_own = bytes_equal(rule->message.actor_id, rule->command->actor_id);
    return message_type_is_system(rule->message.type) || !is_own ? STATUS_FORBIDDEN : STATUS_OK;
}

static void result_of_earlier(struct rule *rule, const struct sent_row *sent) {
    struct command_result *result = &rule->outcome->result;
    result->message_id = sent->message_id;
    result->sequence = sent->sequence;
    result->offset = sent->offset;
    result->version = sent->message_id;
    result->time_ms = sent->time_ms;
    result->is_duplicate = true;
    rule->is_settled = true;
}

/* Who asks with which id, as one hash: no separator can be forged because the author's part has a fixed length. */
static struct id_hash asker_hash(struct rule *rule) {
    struct id_hash author = hash_of(rule, rule->command->actor_id);
    struct bytes id = rule->command->idempotency_id;
    uint8_t *joined = arena_alloc(rule->context->arena, sizeof(author.bytes) + id.size);
    memcpy(joined, author.bytes, sizeof(author.bytes));
    memcpy(joined + sizeof(author.bytes), id.data, id.size);
    return id_hash_make(rule->context->hash_key, bytes_of(joined, sizeof(author.bytes) + id.size));
}

static int earlier_find(struct rule *rule) {
    const struct command *command = rule->command;
    struct sent_row sent;
    int rc = STATUS_STORE_MISSING;
    if (command->idempotency == IDEMPOTENCY_NONE)
        return STATUS_OK;
    struct id_hash who = asker_hash(rule);
    if (command->idempotency == IDEMPOTENCY_CLIENT_MESSAGE_ID)
        rc = thread_client_id_get(&rule->store, &who, &sent);
    else
        rc = thread_request_id_get(&rule->store, &who, command->time_ms, &sent);
    /* A client that reuses a request id for another message must not be harmed. */
    bool is_same = command->idempotency != IDEMPOTENCY_REQUEST_ID ||
                   (rc == STATUS_OK && bytes_equal(sent.body_hash, command->body_hash));
    if (rc == STATUS_OK && is_same)
        result_of_earlier(rule, &sent);
    return missing_means(rc, STATUS_OK);
}

/* There is no such thread any more; was it this very deletion? */
static int earlier_deletion_find(struct rule *rule) {
    const struct apply_context *context = rule->context;
    struct tombstone_row tombstone;
    if (rule->command->idempotency != IDEMPOTENCY_OPERATION)
        return STATUS_THREAD_NOT_FOUND;
    int rc = subject_tombstone_get(context->transaction, context->arena, context->master, &rule->command->subject,
                                   &tombstone);
    if (rc != STATUS_OK)
        return missing_means(rc, STATUS_THREAD_NOT_FOUND);
    struct id_hash who = asker_hash(rule);
    if (!bytes_equal(tombstone.operation, bytes_of(who.bytes, sizeof(who.bytes))))
        return STATUS_THREAD_NOT_FOUND;
    result_of_earlier(rule, &(struct sent_row){.offset = tombstone.offset, .time_ms = tombstone.deleted_ms});
    return STATUS_OK;
}

static int metadata_bound_check(struct rule *rule, const struct metadata *stored, size_t bytes_max) {
    struct metadata merged = metadata_merge(rule->context->arena, stored, &rule->command->metadata);
    return metadata_size(&merged) > bytes_max ? STATUS_VALIDATION_ERROR : STATUS_OK;
}

static int participants_room_check(struct rule *rule) {
    size_t joining = 0;
    for (size_t i = 0; i < rule->command->participants.count; i++) {
        struct participant_row row;
        struct id_hash user = hash_of(rule, rule->command->participants.items[i].user_id);
        int rc = thread_participant_get(&rule->store, &user, &row);
        if (rc == STATUS_STORE_MISSING || (rc == STATUS_OK && row.removed_offset != 0))
            joining++;
        else if (rc != STATUS_OK)
            return rc;
    }
    bool has_room = rule->counters.participants + joining <= LIMIT_PARTICIPANTS_MAX;
    return has_room ? STATUS_OK : STATUS_TOO_MANY_PARTICIPANTS;
}

static int create_check(struct rule *rule) {
    struct tombstone_row tombstone;
    const struct apply_context *context = rule->context;
    int rc = subject_tombstone_get(context->transaction, context->arena, context->master, &rule->command->subject,
                                   &tombstone);
    if (rc != STATUS_STORE_MISSING)
        return rc == STATUS_OK ? STATUS_CONFLICT : rc;
    rc = thread_load(rule);
    if (rc == STATUS_THREAD_NOT_FOUND)
        return STATUS_OK;
    if (rc != STATUS_OK)
        return rc;
    /* Same creator and same repeatability id give the same thread id, so the thread is there already. */
    if (!bytes_equal(rule->properties.creator_id, rule->command->actor_id))
        return STATUS_CONFLICT;
    rule->outcome->result.is_duplicate = true;
    rule->outcome->result.time_ms = rule->properties.created_ms;
    rule->is_settled = true;
    return STATUS_OK;
}

static int update_check(struct rule *rule) {
    struct metadata merged =
        metadata_merge(rule->context->arena, &rule->properties.metadata, &rule->command->properties.metadata);
    return metadata_size(&merged) > LIMIT_METADATA_BYTES_MAX ? STATUS_VALIDATION_ERROR : STATUS_OK;
}

static int hold_find(struct rule *rule) {
    const struct apply_context *context = rule->context;
    struct hold_row hold;
    int rc = subject_hold_get(context->transaction, context->arena, context->master, &rule->command->subject, &hold);
    rule->is_held = rc == STATUS_OK;
    return missing_means(rc, STATUS_OK);
}

/* The policy may have changed since the deletion was proposed, and there may be a hold. */
static int delete_check(struct rule *rule) {
    bool is_by_policy = bytes_equal_text(rule->command->reason, RETENTION_REASON);
    int rc = hold_find(rule);
    if (rc != STATUS_OK)
        return rc;
    if (is_by_policy && (rule->is_held || !retention_is_over(&rule->properties, rule->command->time_ms)))
        return STATUS_CONFLICT;
    return thread_participants_list(&rule->store, &rule->everyone);
}

static int edit_check(struct rule *rule) {
    int rc = own_message_load(rule);
    if (rc == STATUS_OK && rule->message.deleted_ms != 0)
        rc = STATUS_MESSAGE_NOT_FOUND;
    return rc == STATUS_OK ? metadata_bound_check(rule, &rule->message.metadata, LIMIT_MESSAGE_BYTES_MAX) : rc;
}

static int delete_message_check(struct rule *rule) {
    int rc = own_message_load(rule);
    rule->is_settled = rc == STATUS_OK && rule->message.deleted_ms != 0;
    return rc;
}

static int remove_check(struct rule *rule) {
    struct participant_row row;
    struct id_hash user = hash_of(rule, rule->command->user_id);
    int rc = thread_participant_get(&rule->store, &user, &row);
    rule->is_settled = rc == STATUS_STORE_MISSING || (rc == STATUS_OK && row.removed_offset != 0);
    return missing_means(rc, STATUS_OK);
}

static int receipt_check(struct rule *rule) {
    struct receipt stored;
    struct id_hash actor = hash_of(rule, rule->command->actor_id);
    int rc = message_load(rule);
    if (rc != STATUS_OK)
        return rc;
    rc = thread_receipt_get(&rule->store, &actor, &stored);
    rule->is_settled = rc == STATUS_OK && stored.message_id > rule->command->message_id;
    return missing_means(rc, STATUS_OK);
}

static int rule_check(struct rule *rule) {
    if (rule->command->kind == COMMAND_THREAD_CREATE)
        return create_check(rule);
    int rc = thread_load(rule);
    if (rc == STATUS_THREAD_NOT_FOUND && rule->command->kind == COMMAND_THREAD_DELETE)
        return earlier_deletion_find(rule);
    if (rc == STATUS_OK)
        rc = earlier_find(rule);
    /* What is done already may have taken from the actor the right to do it: leaving a thread does. */
    if (rc == STATUS_OK && !rule->is_settled && bytes_is_present(rule->command->actor_id))
        rc = actor_load(rule);
    if (rc != STATUS_OK || rule->is_settled)
        return rc;
    switch (rule->command->kind) {
    case COMMAND_THREAD_UPDATE:
        return update_check(rule);
    case COMMAND_THREAD_DELETE:
        return delete_check(rule);
    case COMMAND_MESSAGE_EDIT:
        return edit_check(rule);
    case COMMAND_MESSAGE_DELETE:
        return delete_message_check(rule);
    case COMMAND_PARTICIPANTS_ADD:
        return participants_room_check(rule);
    case COMMAND_PARTICIPANT_REMOVE:
        return remove_check(rule);
    case COMMAND_RECEIPT_SEND:
        return receipt_check(rule);
    default:
        return STATUS_OK;
    }
}

/* ---- writes ---- */

/* Every stored change takes the next offset and a version that rises strictly, even when the clock does not. */
static void change_begin(struct rule *rule) {
    uint64_t now = rule->command->time_ms < 0 ? 0 : (uint64_t)rule->command->time_ms;
    rule->counters.offset++;
    rule->counters.version = now > rule->counters.version ? now : rule->counters.version + 1;
}

/* A message created by the change that has just begun (contract 8.1, 8.2: id is the creation time in milliseconds). */
static struct message message_begin(struct rule *rule, enum message_type type) {
    int64_t created_ms = (int64_t)rule->counters.version;
    rule->counters.sequence++;
    rule->counters.last_message_ms = created_ms;
    return (struct message){.id = rule->counters.version,
                            .sequence = rule->counters.sequence,
                            .version = rule->counters.version,
                            .offset = rule->counters.offset,
                            .created_offset = rule->counters.offset,
                            .type = type,
                            .created_ms = created_ms,
                            .actor_id = rule->command->actor_id};
}

static void result_set(struct rule *rule, uint64_t message_id) {
    struct command_result *result = &rule->outcome->result;
    result->message_id = message_id;
    result->sequence = rule->counters.sequence;
    result->offset = rule->counters.offset;
    result->version = rule->counters.version;
    result->time_ms = (int64_t)rule->counters.version;
}

static struct change change_of(const struct rule *rule, enum change_kind kind) {
    return (struct change){.kind = kind,
                           .subject = rule->command->subject,
                           .thread_id = rule->properties.id,
                           .offset = rule->counters.offset,
                           .version = rule->counters.version,
                           .time_ms = (int64_t)rule->counters.version,
                           .actor_id = rule->command->actor_id,
                           .actor_display_name = rule->actor.participant.display_name,
                           .actor_share_history_ms = rule->actor.participant.share_history_ms};
}

static void change_tell(struct rule *rule, const struct change *change) {
    outcome_add_change(rule->outcome, rule->context->arena, change);
}

/* `users` is kept as long as the outcome. */
static int membership_tell(struct rule *rule, enum membership membership, struct outbox_user *users, size_t count) {
    struct outbox_row row = {.thread_id = rule->properties.id,
                             .membership = membership,
                             .offset = rule->counters.offset,
                             .time_ms = (int64_t)rule->counters.version};
    /* Who has left sees the thread in her list as it was when she left. */
    if (membership != MEMBERSHIP_JOINED) {
        row.topic = rule->properties.topic;
        row.last_message_ms = rule->counters.last_message_ms;
    }
    return outcome_tell_lists(rule->outcome, rule->context, &rule->command->subject, row.offset, &row, users, count);
}

/* Participants that really join: new ones and those who had been removed. Others are updated without a word. */
struct joining {
    struct participants participants;
    struct outbox_user *users;
};

static int participant_join(struct rule *rule, const struct participant *given, struct joining *joining) {
    struct participant_row row = {0};
    struct id_hash user = hash_of(rule, given->user_id);
    int rc = thread_participant_get(&rule->store, &user, &row);
    if (rc != STATUS_OK && rc != STATUS_STORE_MISSING)
        return rc;
    bool is_joining = rc == STATUS_STORE_MISSING || row.removed_offset != 0;
    if (is_joining) {
        row = (struct participant_row){.participant = *given,
                                       .join_number = ++rule->counters.joins,
                                       .joined_offset = rule->counters.offset,
                                       .earlier_joined_offset = row.joined_offset,
                                       .earlier_removed_offset = row.removed_offset,
                                       .is_counted_of_teams = identifier_is_teams_user(given->user_id)};
        rule->counters.participants++;
        rule->counters.teams_users += row.is_counted_of_teams ? 1 : 0;
        joining->users[joining->participants.count].hash = user;
        joining->participants.items[joining->participants.count++] = *given;
    } else {
        if (bytes_is_present(given->display_name))
            row.participant.display_name = given->display_name;
        if (given->metadata.is_present)
            row.participant.metadata = given->metadata;
    }
    return thread_participant_put(&rule->store, &user, &row);
}

static int participants_join(struct rule *rule, const struct participants *given, struct joining *joining) {
    joining->participants.items = ARENA_NEW_ARRAY(rule->context->arena, struct participant, given->count);
    joining->users = ARENA_NEW_ARRAY(rule->context->arena, struct outbox_user, given->count);
    for (size_t i = 0; i < given->count; i++) {
        int rc = participant_join(rule, &given->items[i], joining);
        if (rc != STATUS_OK)
            return rc;
    }
    return STATUS_OK;
}

static struct participants participants_for_message(struct rule *rule, const struct participants *given) {
    struct participants copy = {ARENA_NEW_ARRAY(rule->context->arena, struct participant, given->count), given->count};
    for (size_t i = 0; i < given->count; i++) {
        copy.items[i] = given->items[i];
        copy.items[i].metadata = (struct metadata){0}; /* contract 5: system messages carry no metadata */
    }
    return copy;
}

/* The creator takes part even if not listed, and comes first. */
static struct participants initial_participants(struct rule *rule) {
    const struct participants *given = &rule->command->participants;
    struct participants all = {ARENA_NEW_ARRAY(rule->context->arena, struct participant, given->count + 1), 1};
    all.items[0] = (struct participant){.user_id = rule->command->actor_id};
    for (size_t i = 0; i < given->count; i++) {
        if (bytes_equal(given->items[i].user_id, rule->command->actor_id))
            all.items[0] = given->items[i];
        else
            all.items[all.count++] = given->items[i];
    }
    return all;
}

static int create_write(struct rule *rule) {
    const struct command *command = rule->command;
    const struct apply_context *context = rule->context;
    struct participants initial = initial_participants(rule);
    struct joining joining = {0};
    int rc = thread_store_open_new(&rule->store, context->transaction, context->arena, context->master,
                                   &command->subject, command->wrapped_key);
    if (rc != STATUS_OK)
        return rc;

    change_begin(rule);
    rule->properties = command->properties;
    rule->properties.creator_id = command->actor_id;
    rule->properties.created_ms = (int64_t)rule->counters.version;
    rule->actor.participant = initial.items[0];
    rc = participants_join(rule, &initial, &joining);
    if (rc != STATUS_OK)
        return rc;
    struct message added = message_begin(rule, MESSAGE_PARTICIPANT_ADDED);
    added.participants = participants_for_message(rule, &joining.participants);
    change_begin(rule);
    struct message topic = message_begin(rule, MESSAGE_TOPIC_UPDATED);
    topic.topic = rule->properties.topic;

    struct change change = change_of(rule, CHANGE_THREAD_CREATED);
    change.properties = rule->properties;
    change.participants = joining.participants;
    change_tell(rule, &change);
    result_set(rule, 0);
    rule->outcome->result.time_ms = rule->properties.created_ms;
    if ((rc = thread_message_put(&rule->store, &added)) != STATUS_OK ||
        (rc = thread_message_put(&rule->store, &topic)) != STATUS_OK ||
        (rc = thread_properties_put(&rule->store, &rule->properties)) != STATUS_OK ||
        (rc = thread_counters_put(&rule->store, &rule->counters)) != STATUS_OK)
        return rc;
    return membership_tell(rule, MEMBERSHIP_JOINED, joining.users, joining.participants.count);
}

static int properties_mark(struct rule *rule) {
    if (rule->counters.properties_offset != 0) {
        int rc = thread_change_remove(&rule->store, rule->counters.properties_offset);
        if (rc != STATUS_OK && rc != STATUS_STORE_MISSING)
            return rc;
    }
    rule->counters.properties_offset = rule->counters.offset;
    return thread_properties_change_put(&rule->store, rule->counters.offset, rule->counters.version,
                                        rule->command->actor_id);
}

static int update_write(struct rule *rule) {
    const struct thread_properties *patch = &rule->command->properties;
    struct thread_properties *properties = &rule->properties;
    bool has_new_topic = bytes_is_present(patch->topic) && !bytes_equal(patch->topic, properties->topic);
    bool has_new_retention = patch->retention.kind != RETENTION_NOT_GIVEN;
    int rc;
    if (!has_new_topic && !has_new_retention && !patch->metadata.is_present)
        return STATUS_OK;

    change_begin(rule);
    if (has_new_topic)
        properties->topic = patch->topic;
    if (has_new_retention)
        properties->retention = patch->retention;
    properties->metadata = metadata_merge(rule->context->arena, &properties->metadata, &patch->metadata);
    struct change change = change_of(rule, CHANGE_THREAD_UPDATED);
    if (has_new_topic) {
        change.message = message_begin(rule, MESSAGE_TOPIC_UPDATED);
        change.message.topic = properties->topic;
        rc = thread_message_put(&rule->store, &change.message);
    } else {
        rc = properties_mark(rule);
    }
    change.properties = *properties;
    change_tell(rule, &change);
    result_set(rule, change.message.id);
    if (rc == STATUS_OK)
        rc = thread_properties_put(&rule->store, properties);
    return rc == STATUS_OK ? thread_counters_put(&rule->store, &rule->counters) : rc;
}

/* What is kept stays where it is, and only the tombstone knows how to open it. */
static int rows_keep(struct rule *rule, struct tombstone_row *tombstone) {
    struct bytes wrapped;
    int rc = subject_key_find_wrapped(rule->context->transaction, &rule->command->subject, &wrapped);
    if (rc != STATUS_OK)
        return rc;
    tombstone->wrapped_key = arena_copy(rule->context->arena, wrapped);
    tombstone->kept_until_ms = rule->command->time_ms + rule->command->keep_ms;
    return STATUS_OK;
}

static int rows_let_go(struct rule *rule, int64_t time_ms) {
    struct outbox_row purge = {.is_purge = true, .time_ms = time_ms};
    return outcome_add_follow_up(rule->outcome, rule->context, &rule->command->subject, OUTBOX_PURGE_NUMBER, &purge);
}

static int delete_write(struct rule *rule) {
    const struct participant_list *everyone = &rule->everyone;
    const struct apply_context *context = rule->context;
    struct id_hash who;
    int rc;
    change_begin(rule);
    struct change change = change_of(rule, CHANGE_THREAD_DELETED);
    change.reason = rule->command->reason;
    change_tell(rule, &change);
    result_set(rule, 0);

    struct outbox_user *users = ARENA_NEW_ARRAY(rule->context->arena, struct outbox_user, everyone->count);
    for (size_t i = 0; i < everyone->count; i++)
        users[i].hash = everyone->users[i];
    struct tombstone_row tombstone = {.deleted_ms = change.time_ms,
                                      .offset = change.offset,
                                      .thread_id = change.thread_id,
                                      .actor_id = change.actor_id,
                                      .actor_display_name = change.actor_display_name,
                                      .reason = change.reason};
    if (rule->command->idempotency == IDEMPOTENCY_OPERATION) {
        who = asker_hash(rule);
        tombstone.operation = bytes_of(who.bytes, sizeof(who.bytes));
    }
    bool is_kept = rule->is_held || rule->command->keep_ms > 0;
    if ((rc = membership_tell(rule, MEMBERSHIP_DELETED, users, everyone->count)) != STATUS_OK ||
        (rc = is_kept ? rows_keep(rule, &tombstone) : rows_let_go(rule, change.time_ms)) != STATUS_OK ||
        (rc = subject_tombstone_put(context->transaction, context->master, &rule->command->subject, &tombstone)) !=
            STATUS_OK)
        return rc;
    return subject_key_remove(context->transaction, &rule->command->subject);
}

static int send_write(struct rule *rule) {
    const struct command *command = rule->command;
    change_begin(rule);
    struct message message = message_begin(rule, command->message_type);
    message.display_name = command->display_name;
    message.content = command->content;
    message.metadata = command->metadata;

    struct change change = change_of(rule, CHANGE_MESSAGE_RECEIVED);
    change.message = message;
    change_tell(rule, &change);
    result_set(rule, message.id);
    int rc = thread_message_put(&rule->store, &message);
    return rc == STATUS_OK ? thread_counters_put(&rule->store, &rule->counters) : rc;
}

/* An edit or a deletion moves the message to the newest offset. */
static int message_move(struct rule *rule, struct message *message, enum change_kind kind) {
    struct change change = change_of(rule, kind);
    int rc = thread_change_remove(&rule->store, message->offset);
    if (rc != STATUS_OK)
        return rc == STATUS_STORE_MISSING ? STATUS_STORAGE_FAILED : rc;
    message->offset = rule->counters.offset;
    message->version = rule->counters.version;
    change.message = *message;
    change_tell(rule, &change);
    result_set(rule, message->id);
    rule->outcome->result.sequence = message->sequence;
    rc = thread_message_put(&rule->store, message);
    return rc == STATUS_OK ? thread_counters_put(&rule->store, &rule->counters) : rc;
}

static int edit_write(struct rule *rule) {
    const struct command *command = rule->command;
    struct message *message = &rule->message;
    change_begin(rule);
    if (bytes_is_present(command->content))
        message->content = command->content;
    message->metadata = metadata_merge(rule->context->arena, &message->metadata, &command->metadata);
    message->edited_ms = (int64_t)rule->counters.version;
    return message_move(rule, message, CHANGE_MESSAGE_EDITED);
}

static int delete_message_write(struct rule *rule) {
    struct message *message = &rule->message;
    change_begin(rule);
    message->content = BYTES_LITERAL("");
    message->metadata = (struct metadata){0};
    message->edited_ms = 0;
    message->deleted_ms = (int64_t)rule->counters.version;
    return message_move(rule, message, CHANGE_MESSAGE_DELETED);
}

static int add_write(struct rule *rule) {
    struct joining joining = {0};
    struct thread_counters before = rule->counters;
    change_begin(rule);
    int rc = participants_join(rule, &rule->command->participants, &joining);
    if (rc != STATUS_OK)
        return rc;
    if (joining.participants.count == 0) {
        rule->counters = before;
        return STATUS_OK;
    }
    struct change change = change_of(rule, CHANGE_PARTICIPANTS_ADDED);
    change.message = message_begin(rule, MESSAGE_PARTICIPANT_ADDED);
    change.message.participants = participants_for_message(rule, &joining.participants);
    change.participants = joining.participants;
    change_tell(rule, &change);
    result_set(rule, change.message.id);
    rc = thread_message_put(&rule->store, &change.message);
    if (rc == STATUS_OK)
        rc = thread_counters_put(&rule->store, &rule->counters);
    return rc == STATUS_OK ? membership_tell(rule, MEMBERSHIP_JOINED, joining.users, joining.participants.count) : rc;
}

/* A version that does not know the count drops it when it writes the counters. */
static void teams_user_uncount(struct rule *rule, struct participant_row *row) {
    if (row->is_counted_of_teams && rule->counters.teams_users > 0)
        rule->counters.teams_users--;
    row->is_counted_of_teams = false;
}

static int remove_write(struct rule *rule) {
    struct participant_row row;
    struct outbox_user *user = ARENA_NEW(rule->context->arena, struct outbox_user);
    user->hash = hash_of(rule, rule->command->user_id);
    int rc = thread_participant_get(&rule->store, &user->hash, &row);
    if (rc != STATUS_OK)
        return rc;
    change_begin(rule);
    row.removed_offset = rule->counters.offset;
    row.topic = rule->properties.topic;
    rule->counters.participants--;
    teams_user_uncount(rule, &row);

    struct change change = change_of(rule, CHANGE_PARTICIPANTS_REMOVED);
    change.participants = (struct participants){ARENA_NEW(rule->context->arena, struct participant), 1};
    change.participants.items[0] = row.participant;
    change.message = message_begin(rule, MESSAGE_PARTICIPANT_REMOVED);
    change.message.participants = participants_for_message(rule, &change.participants);
    change_tell(rule, &change);
    result_set(rule, change.message.id);
    if ((rc = thread_participant_put(&rule->store, &user->hash, &row)) != STATUS_OK ||
        (rc = thread_message_put(&rule->store, &change.message)) != STATUS_OK ||
        (rc = thread_counters_put(&rule->store, &rule->counters)) != STATUS_OK)
        return rc;
    return membership_tell(rule, MEMBERSHIP_LEFT, user, 1);
}

static int receipt_write(struct rule *rule) {
    struct id_hash actor = hash_of(rule, rule->command->actor_id);
    struct receipt *receipt = ARENA_NEW(rule->context->arena, struct receipt);
    *receipt = (struct receipt){
        .user_id = rule->command->actor_id, .message_id = rule->command->message_id, .read_ms = rule->command->time_ms};
    struct change change = change_of(rule, CHANGE_RECEIPTS);
    change.offset = 0;
    change.time_ms = rule->command->time_ms;
    change.receipts = receipt;
    change.receipts_count = 1;
    change_tell(rule, &change);
    rule->outcome->result.message_id = receipt->message_id;
    rule->outcome->result.time_ms = receipt->read_ms;
    return thread_receipt_put(&rule->store, &actor, receipt);
}

static int rule_write(struct rule *rule) {
    switch (rule->command->kind) {
    case COMMAND_THREAD_CREATE:
        return create_write(rule);
    case COMMAND_THREAD_UPDATE:
        return update_write(rule);
    case COMMAND_THREAD_DELETE:
        return delete_write(rule);
    case COMMAND_MESSAGE_SEND:
        return send_write(rule);
    case COMMAND_MESSAGE_EDIT:
        return edit_write(rule);
    case COMMAND_MESSAGE_DELETE:
        return delete_message_write(rule);
    case COMMAND_PARTICIPANTS_ADD:
        return add_write(rule);
    case COMMAND_PARTICIPANT_REMOVE:
        return remove_write(rule);
    case COMMAND_RECEIPT_SEND:
        return receipt_write(rule);
    default:
        return STATUS_OK;
    }
}

/* Keeps what the command came to, for when it comes again. */
static int result_keep(struct rule *rule) {
    const struct command *command = rule->command;
    const struct command_result *result = &rule->outcome->result;
    struct sent_row sent = {.message_id = result->message_id,
                            .sequence = result->sequence,
                            .offset = result->offset,
                            .time_ms = result->time_ms,
                            .body_hash = command->body_hash};
    if (command->idempotency == IDEMPOTENCY_NONE)
        return STATUS_OK;
    struct id_hash who = asker_hash(rule);
    if (command->idempotency == IDEMPOTENCY_CLIENT_MESSAGE_ID)
        return thread_client_id_put(&rule->store, &who, &sent);
    int rc = thread_request_ids_expire(&rule->store, command->time_ms);
    return rc == STATUS_OK ? thread_request_id_put(&rule->store, &who, command->time_ms, &sent) : rc;
}

int thread_apply(const struct apply_context *context, const struct command *command, struct outcome *outcome) {
    struct rule rule = {.context = context, .command = command, .outcome = outcome};
    *outcome = (struct outcome){0};
    int rc = rule_check(&rule);
    if (is_storage_failure(rc))
        return rc;
    outcome->result.rc = rc;
    if (rc != STATUS_OK || rule.is_settled)
        return STATUS_OK;
    rc = rule_write(&rule);
    if (rc == STATUS_OK && command->kind != COMMAND_THREAD_DELETE) /* of which the tombstone says it */
        rc = result_keep(&rule);
    if (rc == STATUS_OK)
        rc = thread_events_write(context, command, outcome, rule.properties.created_ms, &rule.everyone);
    /* A record that does not open in the middle of writing would leave half a change behind. */
    return rc == STATUS_OK || is_storage_failure(rc) ? rc : STATUS_STORAGE_FAILED;
}

int thread_check(const struct apply_context *context, const struct command *command, struct outcome *outcome) {
    struct rule rule = {.context = context, .command = command, .outcome = outcome};
    *outcome = (struct outcome){0};
    int rc = rule_check(&rule);
    outcome->result.rc = rc;
    return is_storage_failure(rc) ? rc : STATUS_OK;
}
