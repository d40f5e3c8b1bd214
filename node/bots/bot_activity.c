#include "node/bots/bot_activity.h"

#include <inttypes.h>

#include "proto/rfc3339.h"

/* ---- whom a change concerns ---- */

static const struct participant *member_find(const struct event_source *source, struct bytes user_id) {
    for (size_t i = 0; i < source->members_count; i++)
        if (bytes_equal(source->members[i].user_id, user_id))
            return &source->members[i];
    return NULL;
}

static bool is_of_message(const struct change *change) {
    return change->kind == CHANGE_MESSAGE_RECEIVED || change->kind == CHANGE_MESSAGE_EDITED ||
           change->kind == CHANGE_MESSAGE_DELETED;
}

static bool is_tellable(const struct change *change) {
    if (is_of_message(change))
        return !message_type_is_system(change->message.type);
    return change->kind == CHANGE_THREAD_CREATED || change->kind == CHANGE_THREAD_UPDATED ||
           change->kind == CHANGE_THREAD_DELETED || change->kind == CHANGE_PARTICIPANTS_ADDED ||
           change->kind == CHANGE_PARTICIPANTS_REMOVED;
}

static bool is_bot(const struct bot_telling *self, struct bytes user_id) {
    for (size_t i = 0; i < self->all_count; i++)
        if (bytes_equal(self->all[i].user_id, user_id))
            return true;
    return false;
}

size_t bot_activities_count(const struct bot_telling *self) {
    const struct change *change = self->source->change;
    if (change->kind == CHANGE_TYPING)
        return self->bot->wants_typing ? change->typing_count : 0;
    return bot_is_told(self) ? 1 : 0;
}

bool bot_is_told(const struct bot_telling *self) {
    const struct change *change = self->source->change;
    bool is_own = bytes_equal(change->actor_id, self->bot->user_id);
    bool is_of_bot = is_of_message(change) && is_bot(self, change->message.actor_id);
    bool is_member = member_find(self->source, self->bot->user_id) != NULL;
    if (change->kind == CHANGE_TYPING)
        return is_member && self->bot->wants_typing && !is_bot(self, change->typing[self->number].user_id);
    return is_member && is_tellable(change) && !is_own && !is_of_bot;
}

void bot_telling_id(const struct bot_telling *self, struct arena *arena, char id[37]) {
    const struct change *change = self->source->change;
    bool is_typing = change->kind == CHANGE_TYPING;
    struct bytes who = is_typing ? change->typing[self->number].user_id : BYTES_LITERAL("");
    int64_t time_ms = is_typing ? change->typing[self->number].time_ms : 0;
    struct bytes text = arena_printf(arena, "bots/%.*s/%.*s/%" PRIu64 "/%" PRId64 "/%.*s", BYTES_ARG(self->bot->name),
                                     BYTES_ARG(change->thread_id), change->offset, time_ms, BYTES_ARG(who));
    uuid_format(id_hash_make(self->source->key, text).bytes, id);
}

/* ---- members ---- */

static void time_set(json_t *object, const char *name, int64_t time_ms) {
    char text[RFC3339_TEXT_BYTES];
    rfc3339_format_ms(time_ms, text);
    json_text_set(object, name, bytes_of_text(text));
}

static json_t *account_new(const struct bot_telling *self, struct bytes user_id, struct bytes name) {
    json_t *account = json_object_new();
    json_text_set(account, "id", user_id);
    json_text_set_present(account, "name", name);
    json_text_set(account, "role", is_bot(self, user_id) ? BYTES_LITERAL("bot") : BYTES_LITERAL("user"));
    return account;
}

/* The thread itself, when nobody in it did it. */
static json_t *from_new(const struct bot_telling *self) {
    const struct change *change = self->source->change;
    const struct typing_notice *typing = change->kind == CHANGE_TYPING ? &change->typing[self->number] : NULL;
    if (typing != NULL)
        return account_new(self, typing->user_id, typing->display_name);
    struct bytes user_id = is_of_message(change) ? change->message.actor_id : change->actor_id;
    struct bytes name = is_of_message(change) ? change->message.display_name : change->actor_display_name;
    if (!bytes_is_present(user_id))
        return account_new(self, change->thread_id, change->properties.topic);
    const struct participant *member = member_find(self->source, user_id);
    if (name.size == 0 && member != NULL)
        name = member->display_name;
    return account_new(self, user_id, name);
}

static json_t *conversation_new(const struct change *change) {
    json_t *conversation = json_object_new();
    json_text_set(conversation, "id", change->thread_id);
    json_member_set(conversation, "isGroup", json_true());
    json_text_set_present(conversation, "name", change->properties.topic);
    return conversation;
}

static void accounts_set(const struct bot_telling *self, json_t *activity, const char *name) {
    const struct participants *all = &self->source->change->participants;
    json_t *accounts = json_array_new();
    for (size_t i = 0; i < all->count; i++)
        json_item_add(accounts, account_new(self, all->items[i].user_id, all->items[i].display_name));
    json_member_set(activity, name, accounts);
}

/* Html is called xml there. */
static void text_set(const struct change *change, json_t *activity) {
    json_text_set(activity, "text", change->message.content);
    json_text_set(activity, "textFormat",
                  change->message.type == MESSAGE_HTML ? BYTES_LITERAL("xml") : BYTES_LITERAL("plain"));
}

/* What the framework has no member for. */
static json_t *channel_data_new(const struct change *change) {
    json_t *data = json_object_new();
    json_member_set(data, "offset", json_decimal_new(change->offset));
    if (is_of_message(change))
        json_member_set(data, "sequenceId", json_decimal_new(change->message.sequence));
    if (is_of_message(change) && change->message.metadata.is_present)
        json_member_set(data, "metadata", json_metadata_new(&change->message.metadata));
    json_text_set_present(data, "reason", change->reason);
    return data;
}

/* ---- the activity ---- */

static const char *type_of(const struct change *change) {
    switch (change->kind) {
    case CHANGE_MESSAGE_RECEIVED:
        return "message";
    case CHANGE_MESSAGE_EDITED:
        return "messageUpdate";
    case CHANGE_MESSAGE_DELETED:
        return "messageDelete";
    case CHANGE_THREAD_DELETED:
        return "endOfConversation";
    case CHANGE_TYPING:
        return "typing";
    default:
        return "conversationUpdate";
    }
}

static void happening_set(const struct bot_telling *self, json_t *activity) {
    const struct change *change = self->source->change;
    if (change->kind == CHANGE_MESSAGE_RECEIVED || change->kind == CHANGE_MESSAGE_EDITED)
        text_set(change, activity);
    else if (change->kind == CHANGE_THREAD_CREATED || change->kind == CHANGE_PARTICIPANTS_ADDED)
        accounts_set(self, activity, "membersAdded");
    else if (change->kind == CHANGE_PARTICIPANTS_REMOVED)
        accounts_set(self, activity, "membersRemoved");
    else if (change->kind == CHANGE_THREAD_UPDATED)
        json_text_set_present(activity, "topicName", change->properties.topic);
    else if (change->kind == CHANGE_THREAD_DELETED)
        json_text_set(activity, "code", BYTES_LITERAL("completedSuccessfully"));
}

/* A message has its own id, by which it is answered and edited. */
static void id_set(const struct bot_telling *self, json_t *activity, struct arena *arena) {
    char id[37];
    bot_telling_id(self, arena, id);
    if (is_of_message(self->source->change))
        json_member_set(activity, "id", json_decimal_new(self->source->change->message.id));
    else
        json_text_set(activity, "id", bytes_of_text(id));
}

json_t *bot_activity_make(const struct bot_telling *self, struct arena *arena) {
    const struct change *change = self->source->change;
    json_t *activity = json_object_new();
    json_text_set(activity, "type", bytes_of_text(type_of(change)));
    id_set(self, activity, arena);
    time_set(activity, "timestamp", change->time_ms);
    json_text_set(activity, "serviceUrl", self->service_url);
    json_text_set(activity, "channelId", BYTES_LITERAL(BOT_CHANNEL));
    json_member_set(activity, "from", from_new(self));
    json_member_set(activity, "conversation", conversation_new(change));
    json_member_set(activity, "recipient", account_new(self, self->bot->user_id, self->bot->display_name));
    json_text_set(activity, "deliveryMode",
                  self->bot->expects_replies ? BYTES_LITERAL("expectReplies") : BYTES_LITERAL("normal"));
    happening_set(self, activity);
    json_member_set(activity, "channelData", channel_data_new(change));
    return activity;
}
