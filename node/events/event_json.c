#include "node/events/event_json.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>

#include "proto/check.h"
#include "proto/identifier_json.h"
#include "proto/rfc3339.h"

/* One event of many that a change gives. */
struct rendering {
    const struct event_source *source;
    const struct change *change;
    enum event_type type;
    const struct participant *concerned; /* who was added or removed; otherwise NULL */
    const struct typing_notice *typing;
    const struct participant *recipient; /* NULL: of the thread */
    struct arena *arena;
};

/* ---- members ---- */

static void time_set(json_t *data, const char *name, int64_t time_ms) {
    char text[RFC3339_TEXT_BYTES];
    rfc3339_format_ms(time_ms, text);
    json_text_set(data, name, bytes_of_text(text));
}

static void number_set(json_t *data, const char *name, uint64_t value) {
    json_member_set(data, name, json_integer((json_int_t)value));
}

static void metadata_set(json_t *data, const struct metadata *metadata) {
    json_member_set(data, "metadata", json_metadata_new(metadata));
}

static json_t *participant_new(const struct participant *participant) {
    json_t *object = json_object_new();
    json_text_set_present(object, "displayName", participant->display_name);
    json_member_set(object, "participantCommunicationIdentifier", identifier_to_json(participant->user_id));
    if (participant->metadata.is_present)
        metadata_set(object, &participant->metadata);
    return object;
}

static void transaction_set(const struct rendering *self, json_t *data);

/* Of every event. */
static void base_set(const struct rendering *self, json_t *data) {
    transaction_set(self, data);
    json_text_set(data, "threadId", self->change->thread_id);
}

static int64_t thread_created_ms(const struct rendering *self) {
    int64_t created_ms = self->change->properties.created_ms;
    return created_ms != 0 ? created_ms : self->source->thread_created_ms;
}

/* Of events about the thread as a whole. */
static void thread_set(const struct rendering *self, json_t *data) {
    base_set(self, data);
    time_set(data, "createTime", thread_created_ms(self));
    number_set(data, "version", self->change->version);
}

/* Who did it, and as the vendor's user-level events repeat it. Nothing when the system did. */
static void actor_set(const struct rendering *self, json_t *data, const char *identifier, const char *legacy) {
    if (!bytes_is_present(self->change->actor_id))
        return;
    json_member_set(data, identifier, identifier_to_json(self->change->actor_id));
    if (self->recipient != NULL && legacy != NULL)
        json_text_set(data, legacy, self->change->actor_id);
}

static void properties_set(const struct rendering *self, json_t *data) {
    json_t *properties = json_object_new();
    json_text_set(properties, "topic", self->change->properties.topic);
    json_member_set(data, "properties", properties);
    metadata_set(data, &self->change->properties.metadata);
}

/* ---- data ---- */

static void message_set(const struct rendering *self, json_t *data) {
    const struct message *message = &self->change->message;
    base_set(self, data);
    json_member_set(data, "messageId", json_decimal_new(message->id));
    json_member_set(data, "senderCommunicationIdentifier", identifier_to_json(message->actor_id));
    json_text_set(data, "senderDisplayName", message->display_name);
    time_set(data, "composeTime", message->created_ms);
    json_text_set(data, "type", bytes_of_text(message->type == MESSAGE_HTML ? "RichText/Html" : "Text"));
    number_set(data, "version", message->version);
    if (self->recipient != NULL)
        json_text_set(data, "senderId", message->actor_id);
}

static void message_received_set(const struct rendering *self, json_t *data) {
    message_set(self, data);
    json_text_set(data, "messageBody", self->change->message.content);
    metadata_set(data, &self->change->message.metadata);
}

static void message_edited_set(const struct rendering *self, json_t *data) {
    message_received_set(self, data);
    time_set(data, "editTime", self->change->message.edited_ms);
}

static void message_deleted_set(const struct rendering *self, json_t *data) {
    message_set(self, data);
    time_set(data, "deleteTime", self->change->message.deleted_ms);
}

static void members_set(const struct rendering *self, json_t *data) {
    const struct participants *all = &self->change->participants;
    json_t *participants = json_array_new();
    json_t *legacy = json_array_new();
    for (size_t i = 0; i < all->count; i++) {
        json_t *member = json_object_new();
        json_text_set(member, "displayName", all->items[i].display_name);
        json_text_set(member, "memberId", all->items[i].user_id);
        json_item_add(legacy, member);
        json_item_add(participants, participant_new(&all->items[i]));
    }
    json_member_set(data, "participants", participants);
    if (self->recipient != NULL)
        json_member_set(data, "members", legacy);
    else
        json_decref(legacy);
}

static void thread_created_set(const struct rendering *self, json_t *data) {
    thread_set(self, data);
    actor_set(self, data, "createdByCommunicationIdentifier", "createdBy");
    properties_set(self, data);
    members_set(self, data);
}

static void thread_updated_set(const struct rendering *self, json_t *data) {
    thread_set(self, data);
    actor_set(self, data, "editedByCommunicationIdentifier", "editedBy");
    time_set(data, "editTime", self->change->time_ms);
    properties_set(self, data);
}

static void thread_deleted_set(const struct rendering *self, json_t *data) {
    thread_set(self, data);
    actor_set(self, data, "deletedByCommunicationIdentifier", "deletedBy");
    time_set(data, "deleteTime", self->change->time_ms);
    json_text_set_present(data, "reason", self->change->reason);
}

/* The thread-level ones have no createTime (contract 11). */
static void concerned_set(const struct rendering *self, json_t *data) {
    if (self->recipient != NULL) {
        thread_set(self, data);
    } else {
        base_set(self, data);
        number_set(data, "version", self->change->version);
    }
    time_set(data, "time", self->change->time_ms);
}

static void participant_added_set(const struct rendering *self, json_t *data) {
    concerned_set(self, data);
    actor_set(self, data, "addedByCommunicationIdentifier", NULL);
    json_member_set(data, "participantAdded", participant_new(self->concerned));
}

static void participant_removed_set(const struct rendering *self, json_t *data) {
    concerned_set(self, data);
    actor_set(self, data, "removedByCommunicationIdentifier", NULL);
    json_member_set(data, "participantRemoved", participant_new(self->concerned));
}

/* The schema wants the members of a message, which nobody has written yet. */
static void typing_set(const struct rendering *self, json_t *data) {
    const struct typing_notice *typing = self->typing;
    base_set(self, data);
    json_member_set(data, "messageId", json_decimal_new((uint64_t)typing->time_ms));
    json_member_set(data, "senderCommunicationIdentifier", identifier_to_json(typing->user_id));
    json_text_set(data, "senderDisplayName", typing->display_name);
    time_set(data, "composeTime", typing->time_ms);
    json_text_set(data, "type", BYTES_LITERAL("Text"));
    number_set(data, "version", (uint64_t)typing->time_ms);
    json_text_set(data, "messageBody", BYTES_LITERAL(""));
    json_member_set(data, "metadata", json_object_new());
}

/* ---- which events a change gives ---- */

/* What lies between the thread and the person in a subject. */
static const struct form {
    enum change_kind kind;
    enum event_type of_thread;
    enum event_type of_user;
    const char *subject;      /* of both, up to whose it is */
    const char *user_subject; /* of user level, where that is another one */
    void (*data_set)(const struct rendering *self, json_t *data);
} forms[] = {
    {CHANGE_MESSAGE_RECEIVED, EVENT_TYPE_MESSAGE_RECEIVED_IN_THREAD, EVENT_TYPE_MESSAGE_RECEIVED, "sender", NULL,
     message_received_set},
    {CHANGE_MESSAGE_EDITED, EVENT_TYPE_MESSAGE_EDITED_IN_THREAD, EVENT_TYPE_MESSAGE_EDITED, "sender", NULL,
     message_edited_set},
    {CHANGE_MESSAGE_DELETED, EVENT_TYPE_MESSAGE_DELETED_IN_THREAD, EVENT_TYPE_MESSAGE_DELETED, "sender", NULL,
     message_deleted_set},
    {CHANGE_THREAD_CREATED, EVENT_TYPE_THREAD_CREATED, EVENT_TYPE_THREAD_CREATED_WITH_USER, "createdBy", NULL,
     thread_created_set},
    {CHANGE_THREAD_UPDATED, EVENT_TYPE_THREAD_PROPERTIES_UPDATED, EVENT_TYPE_THREAD_PROPERTIES_UPDATED_PER_USER,
     "editedBy", NULL, thread_updated_set},
    {CHANGE_THREAD_DELETED, EVENT_TYPE_THREAD_DELETED, EVENT_TYPE_THREAD_WITH_USER_DELETED, "deletedBy", NULL,
     thread_deleted_set},
    {CHANGE_PARTICIPANTS_ADDED, EVENT_TYPE_THREAD_PARTICIPANT_ADDED, EVENT_TYPE_PARTICIPANT_ADDED_TO_THREAD_WITH_USER,
     "participantadded", "participantAdded", participant_added_set},
    {CHANGE_PARTICIPANTS_REMOVED, EVENT_TYPE_THREAD_PARTICIPANT_REMOVED,
     EVENT_TYPE_PARTICIPANT_REMOVED_FROM_THREAD_WITH_USER, "participantremoved", "participantRemoved",
     participant_removed_set},
    {CHANGE_TYPING, EVENT_TYPES, EVENT_TYPE_TYPING_INDICATOR_RECEIVED_IN_THREAD, "sender", NULL, typing_set},
};

static const struct form *form_find(const struct change *change) {
    bool is_message = change->kind <= CHANGE_MESSAGE_DELETED;
    if (is_message && message_type_is_system(change->message.type))
        return NULL;
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
        if (forms[i].kind == change->kind)
            return &forms[i];
    return NULL;
}

/* How often the change happened, each time with events of its own: participants and typing come together. */
static size_t happenings(const struct change *change) {
    bool is_of_participants = change->kind == CHANGE_PARTICIPANTS_ADDED || change->kind == CHANGE_PARTICIPANTS_REMOVED;
    return is_of_participants ? change->participants.count : change->kind == CHANGE_TYPING ? change->typing_count : 1;
}

static struct bytes actor_of(const struct change *change, size_t happening) {
    return change->kind == CHANGE_TYPING ? change->typing[happening].user_id : change->actor_id;
}

static size_t recipients_count(const struct event_source *source, size_t happening) {
    struct bytes actor = actor_of(source->change, happening);
    size_t count = 0;
    for (size_t i = 0; i < source->members_count; i++)
        count += bytes_equal(source->members[i].user_id, actor) ? 0 : 1;
    return count;
}

static const struct participant *recipient_get(const struct event_source *source, size_t happening, size_t number) {
    struct bytes actor = actor_of(source->change, happening);
    for (size_t i = 0; i < source->members_count; i++) {
        if (bytes_equal(source->members[i].user_id, actor))
            continue;
        if (number-- == 0)
            return &source->members[i];
    }
    check(false);
    return NULL;
}

/* A message that an application in the thread is to see. */
static bool is_for_bots(const struct event_source *source) {
    if (source->change->kind != CHANGE_MESSAGE_RECEIVED)
        return false;
    for (size_t i = 0; i < source->members_count; i++)
        if (identifier_is_bot(source->members[i].user_id) &&
            !bytes_equal(source->members[i].user_id, source->change->actor_id))
            return true;
    return false;
}

/* Those of the thread come before those of its people. */
static size_t of_thread_count(const struct event_source *source, const struct form *form) {
    return form->of_thread == EVENT_TYPES ? 0 : is_for_bots(source) ? 2 : 1;
}

size_t server_events_count(const struct event_source *source) {
    const struct form *form = form_find(source->change);
    size_t count = 0;
    if (form == NULL)
        return 0;
    for (size_t i = 0; i < happenings(source->change); i++)
        count += of_thread_count(source, form) + recipients_count(source, i);
    return count;
}

/* ---- ids and subjects ---- */

static struct id_hash hash_of(const struct rendering *self, struct bytes what) {
    const struct change *change = self->change;
    struct bytes text =
        arena_printf(self->arena, "events/%.*s/%" PRIu64 "/%" PRId64 "/%.*s", BYTES_ARG(change->thread_id),
                     change->offset, change->offset == 0 ? change->time_ms : 0, BYTES_ARG(what));
    return id_hash_make(self->source->key, text);
}

/* In the form of the vendor's correlation vectors, the same for all events of one change. */
static void transaction_set(const struct rendering *self, json_t *data) {
    char base[32];
    struct id_hash hash = hash_of(self, BYTES_LITERAL("transaction"));
    sodium_bin2base64(base, sizeof(base), hash.bytes, sizeof(hash.bytes), sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
    json_text_set(data, "transactionId", arena_printf(self->arena, "%s.1.1", base));
}

/* A subject has no empty segments, also where the system did it: it splits into what it is made of. */
static struct bytes subject_actor(const struct rendering *self) {
    struct bytes id = self->concerned != NULL                        ? self->concerned->user_id
                      : self->typing != NULL                         ? self->typing->user_id
                      : self->change->kind <= CHANGE_MESSAGE_DELETED ? self->change->message.actor_id
                                                                     : self->change->actor_id;
    return bytes_is_present(id) ? id : BYTES_LITERAL("system");
}

static struct bytes subject_make(const struct rendering *self, const struct form *form) {
    bool is_of_user = self->recipient != NULL && form->user_subject != NULL;
    struct bytes actor = subject_actor(self);
    struct bytes subject = arena_printf(self->arena, "thread/%.*s/%s/%.*s", BYTES_ARG(self->change->thread_id),
                                        is_of_user ? form->user_subject : form->subject, BYTES_ARG(actor));
    return self->recipient == NULL ? subject
                                   : arena_printf(self->arena, "%.*s/recipient/%.*s", BYTES_ARG(subject),
                                                  BYTES_ARG(self->recipient->user_id));
}

static void id_make(const struct rendering *self, struct server_event *event) {
    struct bytes what = arena_printf(self->arena, "%s/%.*s", event_type_name(event->type), BYTES_ARG(event->subject));
    struct id_hash hash = hash_of(self, what);
    uuid_format(hash.bytes, event->id);
}

/* ---- one event ---- */

static void recipient_set(const struct rendering *self, json_t *data) {
    if (self->recipient == NULL || !event_type_is_per_user(self->type))
        return;
    json_member_set(data, "recipientCommunicationIdentifier", identifier_to_json(self->recipient->user_id));
    if (self->concerned == NULL)
        json_text_set(data, "recipientId", self->recipient->user_id);
}

/* Finds what the number means: of which happening, and whose. */
static void number_resolve(struct rendering *self, const struct form *form, size_t number) {
    const struct event_source *source = self->source;
    size_t of_thread = of_thread_count(source, form);
    size_t happening = 0;
    for (; number >= of_thread + recipients_count(source, happening); happening++)
        number -= of_thread + recipients_count(source, happening);
    check(happening < happenings(self->change));
    if (self->change->kind == CHANGE_TYPING)
        self->typing = &self->change->typing[happening];
    else if (form->user_subject != NULL)
        self->concerned = &self->change->participants.items[happening];
    if (number >= of_thread)
        self->recipient = recipient_get(source, happening, number - of_thread);
    self->type = self->recipient != NULL ? form->of_user
                 : number == 1           ? EVENT_TYPE_AZURE_BOT_COMMAND_RECEIVED_IN_THREAD
                                         : form->of_thread;
}

void server_event_make(const struct event_source *source, size_t number, struct arena *arena,
                       struct server_event *event) {
    const struct form *form = form_find(source->change);
    struct rendering self = {.source = source, .change = source->change, .arena = arena};
    check(form != NULL);
    number_resolve(&self, form, number);
    *event = (struct server_event){.type = self.type, .time_ms = source->change->time_ms, .data = json_object_new()};
    form->data_set(&self, event->data);
    recipient_set(&self, event->data);
    event->subject = subject_make(&self, form);
    id_make(&self, event);
}

void server_event_close(struct server_event *event) {
    json_decref(event->data);
    event->data = NULL;
}

json_t *server_event_envelope(const struct server_event *event, enum event_schema schema, struct bytes topic) {
    bool is_grid = schema == EVENT_SCHEMA_EVENT_GRID;
    json_t *object = json_object_new();
    json_text_set(object, "id", bytes_of_text(event->id));
    json_text_set(object, is_grid ? "topic" : "source", topic);
    if (!is_grid)
        json_text_set(object, "specversion", BYTES_LITERAL("1.0"));
    json_text_set(object, "subject", event->subject);
    json_text_set(object, is_grid ? "eventType" : "type", bytes_of_text(event_type_name(event->type)));
    time_set(object, is_grid ? "eventTime" : "time", event->time_ms);
    if (is_grid) {
        json_text_set(object, "dataVersion", BYTES_LITERAL("1.0"));
        json_text_set(object, "metadataVersion", BYTES_LITERAL("1"));
    } else {
        json_text_set(object, "datacontenttype", BYTES_LITERAL("application/json"));
    }
    json_member_set(object, "data", json_incref(event->data));
    return object;
}
