#include "node/ctl/reading.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/ctl/admin.h"
#include "node/ctl/exit_status.h"
#include "node/ctl/fields.h"
#include "proto/check.h"

#define VERSION "api-version=2025-03-15"
#define TARGET_BYTES_MAX (ADMIN_PATH_BYTES_MAX + 100)
#define EVERYTHING "1970-01-01T00:00:00Z" /* as a share-history time */

/* One thread being read. */
struct taking {
    struct source *source;
    CURL *line;
    char path[ADMIN_PATH_BYTES_MAX + 20];
    size_t *viewers;
    size_t viewers_count;
    struct reading *reading;
};

uint64_t reading_number(const json_t *object, const char *name) {
    const char *text = field_text(object, name);
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    bool is_decimal = text[0] >= '0' && text[0] <= '9' && *end == 0 && errno == 0;
    return is_decimal ? number : 0;
}

bool reading_add(struct reading *reading, const json_t *message) {
    struct reading_message added = {.id = reading_number(message, "id"),
                                    .version = reading_number(message, "version"),
                                    .sequence = reading_number(message, "sequenceId")};
    size_t count = reading->messages_count;
    const char *type = field_text(message, "type");
    if (added.id == 0 || added.version == 0 || added.sequence == 0)
        return false;
    added.is_system = strcmp(type, "text") != 0 && strcmp(type, "html") != 0;
    added.text = json_dumps(message, JSON_COMPACT);
    check(added.text != NULL);
    if ((count & (count - 1)) == 0) {
        reading->messages = realloc(reading->messages, (count == 0 ? 1 : count * 2) * sizeof *reading->messages);
        check(reading->messages != NULL);
    }
    reading->messages[reading->messages_count++] = added;
    return true;
}

void reading_close(struct reading *reading) {
    for (size_t i = 0; i < reading->messages_count; i++)
        free(reading->messages[i].text);
    free(reading->messages);
    json_decref(reading->properties);
    json_decref(reading->participants);
    json_decref(reading->receipts);
}

/* ---- each message once, in the order of changes ---- */

static int by_id_newest_first(const void *left, const void *right) {
    const struct reading_message *a = left, *b = right;
    if (a->id != b->id)
        return a->id < b->id ? -1 : 1;
    return a->version > b->version ? -1 : a->version < b->version;
}

static int by_change(const void *left, const void *right) {
    const struct reading_message *a = left, *b = right;
    if (a->version != b->version)
        return a->version < b->version ? -1 : 1;
    return a->sequence < b->sequence ? -1 : a->sequence > b->sequence;
}

static void put_in_order(struct reading *reading) {
    struct reading_message *messages = reading->messages;
    size_t kept = 0;
    if (reading->messages_count == 0)
        return;
    qsort(messages, reading->messages_count, sizeof *messages, by_id_newest_first);
    for (size_t i = 0; i < reading->messages_count; i++) {
        if (kept > 0 && messages[kept - 1].id == messages[i].id)
            free(messages[i].text);
        else
            messages[kept++] = messages[i];
    }
    reading->messages_count = kept;
    qsort(messages, kept, sizeof *messages, by_change);
}

uint64_t reading_unseen(const struct reading *reading) {
    uint64_t last = 0;
    for (size_t i = 0; i < reading->messages_count; i++)
        last = reading->messages[i].sequence > last ? reading->messages[i].sequence : last;
    return last > reading->messages_count ? last - reading->messages_count : 0;
}

/* ---- asking ---- */

static void on_message(void *context, json_t *message) {
    reading_add(context, message);
}

static void on_value(void *context, json_t *value) {
    json_array_append(context, value);
}

/* EXIT_DONE also when this viewer may not: then *is_allowed is false. */
static int ask_pages(struct taking *taking, size_t viewer, const char *what, source_on_value *take, void *context,
                     bool *is_allowed) {
    char target[TARGET_BYTES_MAX];
    long refusal;
    snprintf(target, sizeof target, "%s/%s?maxPageSize=200&" VERSION, taking->path, what);
    int rc = source_ask_pages(taking->source, taking->line, viewer, target, &refusal, take, context);
    *is_allowed = rc == EXIT_DONE && refusal == 0;
    bool is_expected = refusal == 0 || refusal == 401 || refusal == 403 || refusal == 404;
    if (rc == EXIT_DONE && !is_expected)
        rc = source_fail(taking->source, EXIT_REFUSED, "GET %s/%s: status %ld", taking->path, what, refusal);
    return rc;
}

static int ask_properties(struct taking *taking, size_t viewer) {
    char target[TARGET_BYTES_MAX];
    struct rest_answer answer;
    snprintf(target, sizeof target, "%s?" VERSION, taking->path);
    int rc = source_ask(taking->source, taking->line, viewer, target, &answer);
    if (rc == EXIT_DONE && answer.json != NULL) {
        json_decref(taking->reading->properties);
        taking->reading->properties = json_incref(answer.json);
    }
    rest_answer_close(&answer);
    return rc;
}

/* The time from which on this viewer sees the thread; NULL: she is not in it. */
static const char *shared_since(struct taking *taking, size_t viewer) {
    json_t *participant;
    size_t i;
    pthread_mutex_lock(&taking->source->mutex);
    const char *id = taking->source->users[viewer].id;
    pthread_mutex_unlock(&taking->source->mutex);
    json_array_foreach(taking->reading->participants, i, participant) {
        if (strcmp(source_raw_id(field_object(participant, "communicationIdentifier")), id) == 0) {
            const char *since = field_text(participant, "shareHistoryTime");
            return since[0] != 0 ? since : EVERYTHING;
        }
    }
    return NULL;
}

/* Whoever of those in the thread sees the most of it becomes the first viewer, those who were removed the next. */
static void viewers_arrange(struct taking *taking) {
    size_t kept = 0, best = taking->viewers_count;
    const char *earliest = NULL;
    for (size_t i = 0; i < taking->viewers_count; i++) {
        const char *since = shared_since(taking, taking->viewers[i]);
        if (since != NULL && (earliest == NULL || strcmp(since, earliest) < 0)) {
            earliest = since;
            best = taking->viewers[i];
        }
    }
    size_t *arranged = calloc(taking->viewers_count + 1, sizeof *arranged);
    check(arranged != NULL);
    if (earliest != NULL)
        arranged[kept++] = best;
    for (size_t i = 0; i < taking->viewers_count; i++)
        if (shared_since(taking, taking->viewers[i]) == NULL)
            arranged[kept++] = taking->viewers[i];
    free(taking->viewers);
    taking->viewers = arranged;
    taking->viewers_count = kept;
}

static int ask_participants(struct taking *taking) {
    int rc = EXIT_DONE;
    for (size_t i = 0; rc == EXIT_DONE && !taking->reading->is_of_participant && i < taking->viewers_count; i++)
        rc = ask_pages(taking, taking->viewers[i], "participants", on_value, taking->reading->participants,
                       &taking->reading->is_of_participant);
    return rc;
}

/* One participant who sees everything is enough; otherwise those who were removed may have seen more. */
static int ask_messages(struct taking *taking) {
    const char *since = taking->viewers_count > 0 ? shared_since(taking, taking->viewers[0]) : NULL;
    bool is_whole = false, is_allowed;
    int rc = EXIT_DONE;
    for (size_t i = 0; rc == EXIT_DONE && !is_whole && i < taking->viewers_count; i++) {
        rc = ask_pages(taking, taking->viewers[i], "messages", on_message, taking->reading, &is_allowed);
        put_in_order(taking->reading);
        bool sees_all = i == 0 && since != NULL && strcmp(since, EVERYTHING) == 0;
        is_whole = is_allowed && (sees_all || (since != NULL && reading_unseen(taking->reading) == 0));
    }
    return rc;
}

static int take(struct taking *taking) {
    struct reading *reading = taking->reading;
    bool is_allowed;
    int rc = ask_participants(taking);
    if (rc != EXIT_DONE)
        return rc;
    viewers_arrange(taking);
    for (size_t i = 0; rc == EXIT_DONE && reading->properties == NULL && i < taking->viewers_count; i++)
        rc = ask_properties(taking, taking->viewers[i]);
    if (rc == EXIT_DONE && reading->is_of_participant)
        rc = ask_pages(taking, taking->viewers[0], "readReceipts", on_value, reading->receipts, &is_allowed);
    return rc == EXIT_DONE && reading->properties != NULL ? ask_messages(taking) : rc;
}

int reading_take(struct source *source, CURL *line, size_t thread, struct reading *reading) {
    char segment[ADMIN_PATH_BYTES_MAX];
    struct taking taking = {.source = source, .line = line, .reading = reading};
    *reading = (struct reading){.participants = json_array(), .receipts = json_array()};
    pthread_mutex_lock(&source->mutex);
    const struct source_thread *known = &source->threads[thread];
    snprintf(taking.path, sizeof taking.path, "/chat/threads/%s", admin_segment(known->id, segment));
    taking.viewers_count = known->viewers_count;
    taking.viewers = calloc(known->viewers_count + 1, sizeof *taking.viewers);
    check(taking.viewers != NULL);
    if (known->viewers_count > 0)
        memcpy(taking.viewers, known->viewers, known->viewers_count * sizeof *taking.viewers);
    pthread_mutex_unlock(&source->mutex);
    int rc = take(&taking);
    free(taking.viewers);
    return rc;
}
