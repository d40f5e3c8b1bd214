#include "node/bots/bot.h"

#include <ctype.h>

#include "node/log.h"
#include "proto/limits.h"
#include "proto/rfc3339.h"

#define FOLDER "bots/"

_Static_assert(sizeof(FOLDER) - 1 + BOT_NAME_BYTES_MAX < COORDINATOR_NAME_BYTES_MAX, "names fit");

bool bot_name_is_valid(struct bytes name) {
    if (name.size < 3 || name.size > BOT_NAME_BYTES_MAX)
        return false;
    for (size_t i = 0; i < name.size; i++)
        if (!(name.data[i] < 0x80 && isalnum(name.data[i])) && name.data[i] != '-')
            return false;
    return true;
}

/* ---- what an operator says ---- */

static int members_check(const struct json_reader *reader, json_t *object) {
    static const char *const known[] = {"endpoint", "userId", "displayName", "deliveryMode", "wantsTyping",
                                        "secret",   "name",   "createdOn",   "changedOn"};
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value) {
        bool is_known = false;
        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
            is_known = is_known || strcmp(name, known[i]) == 0;
        if (!is_known)
            return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, NULL,
                               "A bot has no member \"%.100s\".", name);
    }
    return STATUS_OK;
}

static int mode_read(const struct json_reader *reader, const json_t *object, bool *expects_replies) {
    struct bytes mode;
    int rc = json_text_read(reader, object, "deliveryMode", 64, &mode);
    *expects_replies = rc == STATUS_OK && bytes_equal_text(mode, "expectReplies");
    if (rc != STATUS_OK || !bytes_is_present(mode) || *expects_replies || bytes_equal_text(mode, "normal"))
        return rc;
    return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, "deliveryMode",
                       "The deliveryMode must be normal or expectReplies, not \"%.*s\".", BYTES_ARG(mode));
}

static int typing_read(const struct json_reader *reader, const json_t *object, bool *wants_typing) {
    const json_t *value = json_member_find(object, "wantsTyping");
    *wants_typing = json_is_true(value);
    if (value == NULL || json_is_boolean(value))
        return STATUS_OK;
    return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, "wantsTyping",
                       "wantsTyping must be a boolean, not %s.", json_type_text(value));
}

static int secret_read(const struct json_reader *reader, const json_t *object, struct bot *bot) {
    struct bytes text;
    int rc = json_text_read(reader, object, "secret", 256, &text);
    if (rc != STATUS_OK || !bytes_is_present(text))
        return rc;
    bot->has_secret = event_secret_parse(text, &bot->secret);
    return bot->has_secret ? STATUS_OK
                           : problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, "secret",
                                         "The secret must be %s and base64 of %d to %d bytes.", EVENT_SECRET_PREFIX,
                                         EVENT_SECRET_BYTES_MIN, EVENT_SECRET_BYTES_MAX);
}

static int operators_part_read(const struct json_reader *reader, const json_t *object, struct bot *bot) {
    int rc = json_text_require(reader, object, "endpoint", WEBHOOK_URL_BYTES_MAX, &bot->endpoint);
    if (rc == STATUS_OK)
        rc = json_text_read(reader, object, "userId", LIMIT_RAW_ID_BYTES_MAX, &bot->user_id);
    if (rc == STATUS_OK)
        rc = json_text_read(reader, object, "displayName", LIMIT_DISPLAY_NAME_BYTES_MAX, &bot->display_name);
    if (rc == STATUS_OK)
        rc = mode_read(reader, object, &bot->expects_replies);
    if (rc == STATUS_OK)
        rc = typing_read(reader, object, &bot->wants_typing);
    return rc == STATUS_OK ? secret_read(reader, object, bot) : rc;
}

int bot_parse(struct bytes body, bool may_be_private, struct arena *arena, struct bot *bot, struct problem *problem) {
    const struct json_reader reader = {arena, problem};
    json_t *root;
    *bot = (struct bot){0};
    int rc = json_body_load(&reader, body, &root);
    if (rc != STATUS_OK)
        return rc;
    rc = members_check(&reader, root);
    if (rc == STATUS_OK)
        rc = operators_part_read(&reader, root, bot);
    if (rc == STATUS_OK)
        rc = webhook_url_check(bot->endpoint, may_be_private, arena, problem);
    json_decref(root);
    return rc;
}

/* ---- as it is shown, and stored ---- */

static void secret_set(json_t *object, const struct event_secret *secret) {
    struct arena arena;
    arena_init(&arena);
    json_text_set(object, "secret", event_secret_format(secret, &arena));
    arena_close(&arena);
}

json_t *bot_to_json(const struct bot *bot, enum bot_showing showing) {
    char created[RFC3339_TEXT_BYTES], changed[RFC3339_TEXT_BYTES];
    json_t *object = json_object_new();
    rfc3339_format_ms(bot->created_ms, created);
    rfc3339_format_ms(bot->changed_ms, changed);
    json_text_set(object, "name", bot->name);
    json_text_set(object, "endpoint", bot->endpoint);
    json_text_set_present(object, "userId", bot->user_id);
    json_text_set_present(object, "displayName", bot->display_name);
    json_text_set(object, "deliveryMode", bytes_of_text(bot->expects_replies ? "expectReplies" : "normal"));
    json_member_set(object, "wantsTyping", json_boolean(bot->wants_typing));
    json_text_set(object, "createdOn", bytes_of_text(created));
    json_text_set(object, "changedOn", bytes_of_text(changed));
    if (showing == BOT_WITH_SECRET && bot->has_secret)
        secret_set(object, &bot->secret);
    return object;
}

struct bytes bot_encode(const struct bot *bot, struct arena *arena) {
    return json_text_take(arena, bot_to_json(bot, BOT_WITH_SECRET));
}

static int own_part_read(const struct json_reader *reader, const json_t *object, struct bot *bot) {
    struct bytes created, changed;
    int rc = json_text_require(reader, object, "name", BOT_NAME_BYTES_MAX, &bot->name);
    if (rc == STATUS_OK)
        rc = json_text_require(reader, object, "createdOn", RFC3339_TEXT_BYTES, &created);
    if (rc == STATUS_OK)
        rc = json_text_read(reader, object, "changedOn", RFC3339_TEXT_BYTES, &changed);
    if (rc == STATUS_OK && !rfc3339_parse(created, &bot->created_ms))
        rc = STATUS_MALFORMED;
    if (rc != STATUS_OK)
        return rc;
    bot->changed_ms = bot->created_ms;
    return bytes_is_present(changed) && !rfc3339_parse(changed, &bot->changed_ms) ? STATUS_MALFORMED : STATUS_OK;
}

int bot_decode(struct bytes stored, struct arena *arena, struct bot *bot) {
    struct problem problem = {0};
    const struct json_reader reader = {arena, &problem};
    json_t *root;
    *bot = (struct bot){0};
    if (json_body_load(&reader, stored, &root) != STATUS_OK)
        return STATUS_MALFORMED;
    int rc = operators_part_read(&reader, root, bot);
    if (rc == STATUS_OK)
        rc = own_part_read(&reader, root, bot);
    json_decref(root);
    bool is_whole =
        rc == STATUS_OK && bot_name_is_valid(bot->name) && bytes_is_present(bot->user_id) && bot->has_secret;
    return is_whole ? STATUS_OK : STATUS_MALFORMED;
}

/* ---- at the coordinator ---- */

struct sealed_items bot_items(struct coordinator *coordinator, const struct seal_key *master) {
    return (struct sealed_items){.coordinator = coordinator, .master = master, .folder = FOLDER};
}

int bot_get(const struct sealed_items *items, struct bytes name, struct arena *arena, struct bot *bot,
            uint64_t *version) {
    struct bytes plain;
    int rc = sealed_item_get(items, name, arena, &plain, version);
    if (rc == STATUS_OK && bot_decode(plain, arena, bot) != STATUS_OK)
        rc = STATUS_RECORD_CORRUPT;
    return rc;
}

int bots_list(const struct sealed_items *items, struct arena *arena, struct bot **bots, size_t *count) {
    struct coordinator_item *records;
    size_t records_count;
    *count = 0;
    int rc = sealed_items_list(items, arena, &records, &records_count);
    if (rc != STATUS_OK)
        return rc;
    *bots = ARENA_NEW_ARRAY(arena, struct bot, records_count);
    for (size_t i = 0; i < records_count; i++) {
        if (bot_decode(records[i].value, arena, &(*bots)[*count]) == STATUS_OK)
            ++*count;
        else
            log_error("the record %.*s cannot be read", BYTES_ARG(records[i].name));
    }
    return STATUS_OK;
}
