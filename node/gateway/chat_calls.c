#include "node/gateway/chat_calls.h"

#include <sodium.h>

#include "node/core/thread.h"
#include "proto/check.h"
#include "proto/limits.h"
#include "proto/sanitize.h"
#include "storage/user_store.h"

#define BODY_HASH_BYTES 16

/* Contract 2.4. */
#define SCOPES_MANAGE TOKEN_SCOPE_CHAT
#define SCOPES_INVITE (TOKEN_SCOPE_CHAT | TOKEN_SCOPE_CHAT_JOIN)
#define SCOPES_TAKE_PART TOKEN_SCOPE_ANY_CHAT

static int refuse(const struct chat_call *call, int rc) {
    *call->problem = (struct problem){.rc = rc};
    return rc;
}

static int scope_check(const struct chat_call *call, unsigned wanted) {
    if ((call->caller->scopes & wanted) != 0)
        return 0;
    return problem_set(call->problem, call->arena, STATUS_FORBIDDEN, NULL,
                       "The access token does not have a scope that allows this operation.");
}

static int thread_id_check(const struct chat_call *call, struct bytes thread_id) {
    if (thread_id.size <= LIMIT_RAW_ID_BYTES_MAX && thread_id_is_valid(thread_id))
        return 0;
    return problem_set(call->problem, call->arena, STATUS_BAD_REQUEST, "chatThreadId",
                       "The thread id does not have the form 19:…@thread.v2.");
}

/* Scope and form; on success the command names thread and actor. */
static int command_begin(const struct chat_call *call, enum command_kind kind, unsigned scopes, struct bytes thread_id,
                         struct command *command) {
    int rc = scope_check(call, scopes);
    if (rc == 0)
        rc = thread_id_check(call, thread_id);
    if (rc != 0)
        return rc;
    *command = (struct command){.kind = kind,
                                .subject = gateway_hash(call->worker->gateway, thread_id),
                                .time_ms = worker_wall_ms(),
                                .actor_id = call->caller->user_id};
    return 0;
}

/* The same for what must not be done again when another node tries it after this one. */
static int change_begin(const struct chat_call *call, enum command_kind kind, unsigned scopes, struct bytes thread_id,
                        struct command *command) {
    int rc = command_begin(call, kind, scopes, thread_id, command);
    if (rc == 0 && bytes_is_present(call->operation_id)) {
        command->idempotency = IDEMPOTENCY_OPERATION;
        command->idempotency_id = call->operation_id;
    }
    return rc;
}

static int settle(const struct chat_call *call, const struct command_result *result) {
    call->reply->result = *result;
    call->reply->copies = 0;
    return CHAT_CALL_SETTLED;
}

static int settle_without_effect(const struct chat_call *call) {
    return settle(call, &(struct command_result){.time_ms = worker_wall_ms()});
}

static int propose(const struct chat_call *call, const struct command *command) {
    struct gateway *gateway = call->worker->gateway;
    struct entry *entry =
        gateway_entry_new(call->worker, command->kind, &command->subject, command->actor_id, call->reply);
    entry_command_copy(entry, command);
    int rc = gateway->propose(gateway->core, entry);
    if (rc == 0)
        return 0;
    entry_free(entry);
    return refuse(call, rc);
}

/* Asks the rules on what is stored now; the log decides again when the command is applied. */
static int rules_check(const struct chat_call *call, const struct gateway_read *read, const struct command *command) {
    struct outcome outcome;
    int rc = thread_check(&read->context, command, &outcome);
    if (rc == 0)
        rc = outcome.result.rc;
    if (rc != 0)
        return refuse(call, rc);
    if (!outcome.result.is_duplicate)
        return 0;
    rc = settle(call, &outcome.result);
    call->reply->copies = gateway_copies(call->worker->gateway, &command->subject);
    return rc;
}

static int read_begin(const struct chat_call *call, const struct command *command, struct gateway_read *read) {
    int rc = gateway_read_begin_of(call->worker, call->arena, &command->subject, read);
    return rc == 0 ? 0 : refuse(call, rc);
}

static int check_and_propose(const struct chat_call *call, const struct command *command) {
    struct gateway_read read;
    int rc = read_begin(call, command, &read);
    if (rc != 0)
        return rc;
    rc = rules_check(call, &read, command);
    gateway_read_end(&read);
    return rc == 0 ? propose(call, command) : rc;
}

/* ---- participants ---- */

static bool is_own_identity(const struct gateway *gateway, struct bytes user_id) {
    return identifier_parse(user_id).kind == IDENTIFIER_COMMUNICATION_USER &&
           user_id_is_of_resource(user_id, bytes_of_text(gateway->settings->resource_id));
}

size_t chat_users_elsewhere(const struct gateway *gateway, struct arena *arena, const struct participants *given,
                            struct id_hash **hashes) {
    size_t count = 0;
    if (gateway->place == NULL)
        return 0;
    *hashes = ARENA_NEW_ARRAY(arena, struct id_hash, given->count);
    for (size_t i = 0; i < given->count; i++) {
        struct id_hash hash = gateway_hash(gateway, given->items[i].user_id);
        if (is_own_identity(gateway, given->items[i].user_id) && !gateway_is_here(gateway, &hash))
            (*hashes)[count++] = hash;
    }
    return count;
}

static const struct fact *fact_find(const struct known_users *known, const struct id_hash *user) {
    for (size_t i = 0; i < known->count; i++)
        if (id_hash_equal(&known->hashes[i], user))
            return &known->facts[i];
    return NULL;
}

static int identity_check(const struct chat_call *call, const struct gateway_read *read, struct bytes user_id) {
    const struct gateway *gateway = call->worker->gateway;
    struct user_store store;
    struct id_hash hash = gateway_hash(gateway, user_id);
    const struct fact *fact = fact_find(&call->known, &hash);
    if (fact != NULL)
        return fact->is_there ? 0 : STATUS_NOT_FOUND;
    int rc = user_store_open(&store, read->context.transaction, call->arena, gateway->master, &hash);
    return rc == STATUS_STORE_MISSING ? STATUS_NOT_FOUND : rc;
}

/* Whom the vendor does not let take part either: of Skype and of personal accounts nothing is known but that they are
 * called "8:" as all people are. */
static enum participant_refusal refusal_of(const struct gateway *gateway, struct bytes user_id) {
    enum identifier_kind kind = identifier_parse(user_id).kind;
    if (identifier_is_bot(user_id))
        return REFUSAL_BOT;
    if (kind == IDENTIFIER_UNKNOWN && bytes_starts_with(user_id, "8:"))
        return REFUSAL_PERSONAL_ACCOUNT;
    if (kind == IDENTIFIER_COMMUNICATION_USER && !is_own_identity(gateway, user_id))
        return REFUSAL_OTHER_RESOURCE;
    return REFUSAL_NONE;
}

/* Identities of this resource must exist; of Teams users and phone numbers nothing is known here. */
static int participant_check(const struct chat_call *call, const struct gateway_read *read, struct bytes user_id,
                             enum participant_refusal *refusal) {
    *refusal = refusal_of(call->worker->gateway, user_id);
    if (*refusal != REFUSAL_NONE)
        return STATUS_FORBIDDEN;
    bool is_own = identifier_parse(user_id).kind == IDENTIFIER_COMMUNICATION_USER;
    return is_own ? identity_check(call, read, user_id) : 0;
}

static int participants_resolve(const struct chat_call *call, const struct gateway_read *read,
                                const struct participants *given, struct resolved_participants *out) {
    *out = (struct resolved_participants){.valid.items = ARENA_NEW_ARRAY(call->arena, struct participant, given->count),
                                          .invalid =
                                              ARENA_NEW_ARRAY(call->arena, struct invalid_participant, given->count)};
    for (size_t i = 0; i < given->count; i++) {
        struct bytes user_id = given->items[i].user_id;
        enum participant_refusal refusal;
        int rc = participant_check(call, read, user_id, &refusal);
        if (rc == 0)
            out->valid.items[out->valid.count++] = given->items[i];
        else if (rc == STATUS_FORBIDDEN || rc == STATUS_NOT_FOUND)
            out->invalid[out->invalid_count++] = (struct invalid_participant){user_id, rc, refusal};
        else
            return refuse(call, rc);
    }
    return 0;
}

/* ---- threads ---- */

struct bytes chat_thread_id_choose(const struct gateway_worker *worker, struct arena *arena,
                                   const struct caller *caller, struct bytes repeatability_id) {
    uint8_t entropy[THREAD_ID_ENTROPY_BYTES];
    const struct settings *settings = worker->gateway->settings;
    if (!bytes_is_present(repeatability_id)) {
        randombytes_buf(entropy, sizeof(entropy));
        return thread_id_make(arena, entropy);
    }
    crypto_generichash_state state;
    crypto_generichash_init(&state, settings->thread_id_key, sizeof(settings->thread_id_key), sizeof(entropy));
    crypto_generichash_update(&state, caller->hash.bytes, sizeof(caller->hash.bytes));
    crypto_generichash_update(&state, repeatability_id.data, repeatability_id.size);
    crypto_generichash_final(&state, entropy, sizeof(entropy));
    return thread_id_make(arena, entropy);
}

/* The creator takes part, listed or not. */
static int creation_room_check(const struct chat_call *call, const struct participants *valid) {
    size_t count = 1;
    for (size_t i = 0; i < valid->count; i++)
        count += !bytes_equal(valid->items[i].user_id, call->caller->user_id);
    if (count <= LIMIT_PARTICIPANTS_MAX)
        return 0;
    return problem_set(call->problem, call->arena, STATUS_TOO_MANY_PARTICIPANTS, "participants",
                       "The thread would have %zu participants, the caller among them; at most %d are allowed.", count,
                       LIMIT_PARTICIPANTS_MAX);
}

/* A repeated creation is answered with the thread that is there. */
static int existing_thread_read(const struct chat_call *call, const struct gateway_read *read,
                                const struct command *command, struct thread_properties *properties) {
    struct thread_view view;
    int rc = thread_view_open(&view, &read->context, &command->subject, call->caller->user_id);
    if (rc != 0)
        return refuse(call, rc);
    *properties = view.properties;
    return CHAT_CALL_SETTLED;
}

static int creation_check(const struct chat_call *call, const struct participants *given, struct command *command,
                          struct created_thread *created) {
    struct gateway_read read;
    int rc = read_begin(call, command, &read);
    if (rc != 0)
        return rc;
    rc = participants_resolve(call, &read, given, &created->participants);
    if (rc == 0)
        rc = creation_room_check(call, &created->participants.valid);
    command->participants = created->participants.valid;
    if (rc == 0)
        rc = rules_check(call, &read, command);
    if (rc == CHAT_CALL_SETTLED)
        rc = existing_thread_read(call, &read, command, &created->properties);
    gateway_read_end(&read);
    return rc;
}

/* What the operator wants for threads of which nobody says anything. */
static struct retention retention_of(const struct config *config, const struct retention *given) {
    if (given->kind != RETENTION_NOT_GIVEN || config->retention_days == 0)
        return *given;
    return (struct retention){RETENTION_THREAD_CREATION_DATE, (uint32_t)config->retention_days};
}

int chat_thread_create(const struct chat_call *call, struct bytes thread_id,
                       const struct create_thread_request *request, struct created_thread *created) {
    uint8_t wrapped_key[WRAPPED_KEY_BYTES];
    struct command command;
    *created = (struct created_thread){
        .properties = {.id = thread_id,
                       .topic = request->topic,
                       .creator_id = call->caller->user_id,
                       .metadata = request->metadata,
                       .retention = retention_of(call->worker->gateway->config, &request->retention)}};
    int rc = command_begin(call, COMMAND_THREAD_CREATE, SCOPES_MANAGE, created->properties.id, &command);
    if (rc != 0)
        return rc;
    command.properties = created->properties;
    rc = creation_check(call, &request->participants, &command, created);
    if (rc != 0)
        return rc;
    seal_key_make(call->worker->gateway->master, &command.subject, wrapped_key);
    command.wrapped_key = bytes_of(wrapped_key, sizeof(wrapped_key));
    return propose(call, &command);
}

int chat_thread_update(const struct chat_call *call, struct bytes thread_id,
                       const struct update_thread_request *request) {
    struct command command;
    int rc = change_begin(call, COMMAND_THREAD_UPDATE, SCOPES_MANAGE, thread_id, &command);
    if (rc != 0)
        return rc;
    command.properties.topic = request->topic;
    command.properties.metadata = request->metadata;
    command.properties.retention = request->retention;
    return check_and_propose(call, &command);
}

int chat_thread_delete(const struct chat_call *call, struct bytes thread_id) {
    struct command command;
    int rc = change_begin(call, COMMAND_THREAD_DELETE, SCOPES_MANAGE, thread_id, &command);
    if (rc != 0)
        return rc;
    command.reason = BYTES_LITERAL("deletedByUser");
    command.keep_ms = call->worker->gateway->config->undelete_hours * 60 * 60 * 1000;
    return check_and_propose(call, &command);
}

/* ---- messages ---- */

/* Sanitising may make a text longer, since it escapes what is no html. */
static int html_sanitise(const struct chat_call *call, struct bytes *content) {
    struct buffer safe;
    size_t bytes_max = (size_t)call->worker->gateway->config->message_bytes_max;
    buffer_init(&safe);
    sanitize_html(*content, &safe);
    *content = arena_copy(call->arena, buffer_bytes(&safe));
    buffer_close(&safe);
    if (content->size <= bytes_max)
        return 0;
    return problem_set(call->problem, call->arena, STATUS_REQUEST_ENTITY_TOO_LARGE, "content",
                       "content has %zu bytes as sanitised html; at most %zu are allowed.", content->size, bytes_max);
}

static int html_allow(const struct chat_call *call, struct bytes *content) {
    if (call->worker->gateway->config->html)
        return html_sanitise(call, content);
    return problem_set(call->problem, call->arena, STATUS_VALIDATION_ERROR, "type",
                       "Messages of type html are switched off on this server.");
}

int chat_message_send(const struct chat_call *call, struct bytes thread_id, const struct send_message_request *request,
                      const struct send_identity *identity) {
    uint8_t body_hash[BODY_HASH_BYTES];
    struct command command;
    int rc = command_begin(call, COMMAND_MESSAGE_SEND, SCOPES_TAKE_PART, thread_id, &command);
    if (rc != 0)
        return rc;
    command.message_type = request->type;
    command.content = request->content;
    command.display_name = request->display_name;
    command.metadata = request->metadata;
    command.idempotency = identity->kind;
    command.idempotency_id = identity->id;
    if (identity->kind == IDEMPOTENCY_REQUEST_ID) {
        crypto_generichash(body_hash, sizeof(body_hash), identity->body.data, identity->body.size, NULL, 0);
        command.body_hash = bytes_of(body_hash, sizeof(body_hash));
    }
    if (request->type == MESSAGE_HTML)
        rc = html_allow(call, &command.content);
    return rc == 0 ? check_and_propose(call, &command) : rc;
}

/* An edit does not say the type, the stored message does. */
static int edited_type_find(const struct chat_call *call, const struct gateway_read *read,
                            const struct command *command, enum message_type *type) {
    struct thread_store store;
    struct message message;
    int rc = thread_store_open(&store, read->context.transaction, call->arena, read->context.master, &command->subject);
    if (rc == 0)
        rc = thread_message_find(&store, command->message_id, &message);
    if (rc != 0)
        return refuse(call, rc == STATUS_STORE_MISSING ? STATUS_MESSAGE_NOT_FOUND : rc);
    *type = message.type;
    return 0;
}

static int edit_check(const struct chat_call *call, struct command *command) {
    struct gateway_read read;
    enum message_type type = MESSAGE_TEXT;
    int rc = read_begin(call, command, &read);
    if (rc != 0)
        return rc;
    rc = rules_check(call, &read, command);
    if (rc == 0 && bytes_is_present(command->content))
        rc = edited_type_find(call, &read, command, &type);
    gateway_read_end(&read);
    return rc == 0 && type == MESSAGE_HTML ? html_sanitise(call, &command->content) : rc;
}

int chat_message_edit(const struct chat_call *call, struct bytes thread_id, uint64_t message_id,
                      const struct update_message_request *request) {
    struct command command;
    int rc = change_begin(call, COMMAND_MESSAGE_EDIT, SCOPES_TAKE_PART, thread_id, &command);
    if (rc != 0)
        return rc;
    command.message_id = message_id;
    command.content = request->content;
    command.metadata = request->metadata;
    rc = edit_check(call, &command);
    return rc == 0 ? propose(call, &command) : rc;
}

int chat_message_delete(const struct chat_call *call, struct bytes thread_id, uint64_t message_id) {
    struct command command;
    int rc = change_begin(call, COMMAND_MESSAGE_DELETE, SCOPES_TAKE_PART, thread_id, &command);
    if (rc != 0)
        return rc;
    command.message_id = message_id;
    return check_and_propose(call, &command);
}

/* ---- participants of a thread ---- */

static int addition_check(const struct chat_call *call, const struct participants *given, struct command *command,
                          struct resolved_participants *resolved) {
    struct gateway_read read;
    int rc = read_begin(call, command, &read);
    if (rc != 0)
        return rc;
    rc = participants_resolve(call, &read, given, resolved);
    command->participants = resolved->valid;
    if (rc == 0)
        rc = rules_check(call, &read, command);
    gateway_read_end(&read);
    return rc;
}

int chat_participants_add(const struct chat_call *call, struct bytes thread_id, const struct participants *given,
                          struct resolved_participants *resolved) {
    struct command command;
    int rc = change_begin(call, COMMAND_PARTICIPANTS_ADD, SCOPES_INVITE, thread_id, &command);
    if (rc == 0)
        rc = addition_check(call, given, &command, resolved);
    if (rc == 0 && resolved->valid.count == 0)
        return settle_without_effect(call);
    return rc == 0 ? propose(call, &command) : rc;
}

int chat_participant_remove(const struct chat_call *call, struct bytes thread_id, struct bytes user_id) {
    struct command command;
    int rc = change_begin(call, COMMAND_PARTICIPANT_REMOVE, SCOPES_INVITE, thread_id, &command);
    if (rc != 0)
        return rc;
    command.user_id = user_id;
    return check_and_propose(call, &command);
}

/* ---- typing and receipts ---- */

/* What of typing and receipts is told in a thread of this size and with these people. */
typedef bool feature(const struct thread_view *view, int64_t participants_max);

/* May the caller type and read here, and would anybody be told? */
static int feature_check(const struct chat_call *call, const struct command *command, feature *has_feature,
                         bool *is_told) {
    struct gateway_read read;
    struct thread_view view;
    int rc = read_begin(call, command, &read);
    if (rc != 0)
        return rc;
    rc = thread_view_open(&view, &read.context, &command->subject, call->caller->user_id);
    gateway_read_end(&read);
    if (rc == 0 && !view.is_active)
        rc = STATUS_FORBIDDEN;
    if (rc != 0)
        return refuse(call, rc);
    *is_told = has_feature(&view, call->worker->gateway->config->feature_participants_max);
    return 0;
}

int chat_typing_send(const struct chat_call *call, struct bytes thread_id, struct bytes display_name) {
    struct gateway *gateway = call->worker->gateway;
    struct command command;
    bool is_told = false;
    int rc = command_begin(call, COMMAND_RECEIPT_SEND, SCOPES_TAKE_PART, thread_id, &command);
    if (rc == 0)
        rc = feature_check(call, &command, thread_view_has_typing, &is_told);
    if (rc != 0)
        return rc;
    /* Of Teams users the vendor tells no name here. */
    if (identifier_is_teams_user(call->caller->user_id))
        display_name = BYTES_LITERAL("");
    struct typing_notice notice = {
        .user_id = call->caller->user_id, .display_name = display_name, .time_ms = command.time_ms};
    struct change change = {.kind = CHANGE_TYPING,
                            .subject = command.subject,
                            .thread_id = thread_id,
                            .time_ms = command.time_ms,
                            .actor_id = call->caller->user_id,
                            .typing = &notice,
                            .typing_count = 1};
    if (is_told)
        rc = gateway->notice(gateway->core, &change);
    return rc == 0 ? settle_without_effect(call) : refuse(call, rc);
}

int chat_receipt_send(const struct chat_call *call, struct bytes thread_id, uint64_t message_id) {
    struct command command;
    bool is_told = false;
    int rc = command_begin(call, COMMAND_RECEIPT_SEND, SCOPES_TAKE_PART, thread_id, &command);
    if (rc == 0)
        rc = feature_check(call, &command, thread_view_has_receipts, &is_told);
    if (rc != 0)
        return rc;
    command.message_id = message_id;
    return is_told ? check_and_propose(call, &command) : settle_without_effect(call);
}
