#include "node/ctl/dump_write.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "node/ctl/fields.h"
#include "proto/check.h"

/* Takes the object. */
static void line_write(FILE *file, json_t *object) {
    json_dumpf(object, file, JSON_COMPACT);
    fputc('\n', file);
    json_decref(object);
}

static json_t *line_new(const char *kind) {
    return json_pack("{s:s}", "kind", kind);
}

static void time_now(char out[static 32]) {
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &utc);
}

void dump_write_header(FILE *file, const char *endpoint) {
    char now[32];
    time_now(now);
    line_write(file, json_pack("{s:s, s:s, s:i, s:s, s:s}", "kind", "header", "format", DUMP_FORMAT, "version",
                               DUMP_VERSION, "exportedOn", now, "endpoint", endpoint));
}

void dump_write_user(FILE *file, const char *id, enum source_user_state state) {
    json_t *line = line_new("user");
    json_object_set_new(line, "id", json_string(id));
    if (state == SOURCE_USER_GONE)
        json_object_set_new(line, "isGone", json_true());
    if (state == SOURCE_USER_FOREIGN)
        json_object_set_new(line, "isForeign", json_true());
    line_write(file, line);
}

void dump_write_deleted_thread(FILE *file, const json_t *item) {
    json_t *line = line_new("deletedThread");
    json_object_update(line, (json_t *)item);
    line_write(file, line);
}

void dump_write_end(FILE *file, const struct dump_counts *counts) {
    line_write(file, json_pack("{s:s, s:I, s:I, s:I, s:I}", "kind", "end", "users", (json_int_t)counts->users,
                               "threads", (json_int_t)counts->threads, "messages", (json_int_t)counts->messages,
                               "deletedThreads", (json_int_t)counts->deleted_threads));
}

/* ---- who was in a thread, as its system messages say ---- */

struct history {
    json_t *people;       /* by raw id: participant objects with joinedOffset, and removedOffset of those who are out */
    json_t *topic;        /* as it is at the message that is looked at; NULL: not known */
    json_t *last_message; /* when the newest message until then was created */
    dump_on_user *on_user;
    void *context;
};

static void text_keep(json_t **kept, json_t *text) {
    json_decref(*kept);
    *kept = json_incref(text);
}

static void on_added(struct history *history, const json_t *participant, size_t offset) {
    const char *id = source_raw_id(field_object(participant, "communicationIdentifier"));
    json_t *person = json_copy((json_t *)participant);
    json_object_set_new(person, "joinedOffset", json_integer((json_int_t)offset));
    json_object_set_new(history->people, id, person);
}

static void on_removed(struct history *history, const json_t *participant, size_t offset) {
    const char *id = source_raw_id(field_object(participant, "communicationIdentifier"));
    json_t *person = json_object_get(history->people, id);
    if (person == NULL) {
        person = json_copy((json_t *)participant);
        json_object_set_new(history->people, id, person);
    }
    json_object_set_new(person, "removedOffset", json_integer((json_int_t)offset));
    if (history->topic != NULL)
        json_object_set(person, "topic", history->topic);
    if (history->last_message != NULL)
        json_object_set(person, "lastMessageReceivedOn", history->last_message);
}

static void follow_system_message(struct history *history, const json_t *message, size_t offset) {
    const json_t *content = field_object(message, "content"), *named = field_array(content, "participants");
    const char *type = field_text(message, "type");
    json_t *participant;
    size_t i;
    if (strcmp(type, "topicUpdated") == 0)
        text_keep(&history->topic, json_object_get(content, "topic"));
    json_array_foreach(named, i, participant) {
        history->on_user(history->context, source_raw_id(field_object(participant, "communicationIdentifier")));
        if (strcmp(type, "participantAdded") == 0)
            on_added(history, participant, offset);
        else
            on_removed(history, participant, offset);
    }
}

static void follow_message(struct history *history, const struct reading_message *read, size_t offset) {
    json_error_t error;
    json_t *message = json_loads(read->text, 0, &error);
    check(message != NULL);
    json_t *created = json_object_get(message, "createdOn");
    const char *newest = history->last_message != NULL ? json_string_value(history->last_message) : "";
    /* Times have one form, so that their order is that of the texts. */
    if (json_is_string(created) && strcmp(json_string_value(created), newest) > 0)
        text_keep(&history->last_message, created);
    history->on_user(history->context, source_raw_id(field_object(message, "senderCommunicationIdentifier")));
    if (read->is_system)
        follow_system_message(history, message, offset);
    json_decref(message);
}

static void former_add(json_t *former, json_t *person) {
    json_int_t joined = json_integer_value(json_object_get(person, "joinedOffset"));
    if (json_object_get(person, "removedOffset") == NULL)
        json_object_set_new(person, "removedOffset", json_integer(joined));
    json_array_append(former, person);
}

/* Those who are in the thread get the offset at which they joined; whoever else was named is a former participant. If
 * nobody who is in it could be asked, those are in it whose removal nobody saw. */
static void people_divide(struct history *history, const struct reading *reading, json_t *participants,
                          json_t *former) {
    const char *id;
    json_t *participant, *person;
    size_t i;
    json_array_foreach(reading->participants, i, participant) {
        id = source_raw_id(field_object(participant, "communicationIdentifier"));
        json_t *joined = json_object_get(json_object_get(history->people, id), "joinedOffset");
        json_t *copy = json_copy(participant);
        history->on_user(history->context, id);
        if (joined != NULL)
            json_object_set(copy, "joinedOffset", joined);
        json_array_append_new(participants, copy);
        json_object_del(history->people, id);
    }
    json_object_foreach(history->people, id, person) {
        bool is_out = reading->is_of_participant || json_object_get(person, "removedOffset") != NULL;
        if (is_out)
            former_add(former, person);
        else
            json_array_append(participants, person);
    }
}

static void totals_set(json_t *line, const struct reading *reading, const struct history *history) {
    uint64_t sequence = 0, version = 0;
    char text[24];
    for (size_t i = 0; i < reading->messages_count; i++) {
        const struct reading_message *message = &reading->messages[i];
        sequence = message->sequence > sequence ? message->sequence : sequence;
        version = message->version > version ? message->version : version;
        version = message->id > version ? message->id : version;
    }
    json_object_set_new(line, "messages", json_integer((json_int_t)reading->messages_count));
    snprintf(text, sizeof text, "%" PRIu64, sequence);
    json_object_set_new(line, "sequenceId", json_string(text));
    snprintf(text, sizeof text, "%" PRIu64, version);
    json_object_set_new(line, "version", json_string(text));
    if (history->last_message != NULL)
        json_object_set(line, "lastMessageReceivedOn", history->last_message);
    if (reading_unseen(reading) > 0)
        json_object_set_new(line, "unseen", json_integer((json_int_t)reading_unseen(reading)));
}

json_t *dump_thread_of(const struct reading *reading, dump_on_user *on_user, void *context) {
    struct history history = {.people = json_object(), .on_user = on_user, .context = context};
    json_t *line = line_new("thread"), *participants = json_array(), *former = json_array();
    for (size_t i = 0; i < reading->messages_count; i++)
        follow_message(&history, &reading->messages[i], i + 1);
    json_object_update(line, reading->properties);
    people_divide(&history, reading, participants, former);
    json_object_set_new(line, "participants", participants);
    json_object_set_new(line, "formerParticipants", former);
    json_object_set(line, "receipts", reading->receipts);
    totals_set(line, reading, &history);
    json_decref(history.people);
    json_decref(history.topic);
    json_decref(history.last_message);
    return line;
}

void dump_write_thread(FILE *file, const json_t *thread, const struct reading *reading) {
    json_t *id = json_object_get(thread, "id");
    char *quoted = json_dumps(id, JSON_ENCODE_ANY);
    check(quoted != NULL);
    json_dumpf(thread, file, JSON_COMPACT);
    fputc('\n', file);
    for (size_t i = 0; i < reading->messages_count; i++)
        fprintf(file, "{\"kind\":\"message\",\"thread\":%s,\"offset\":%zu,%s\n", quoted, i + 1,
                reading->messages[i].text + 1);
    free(quoted);
}
