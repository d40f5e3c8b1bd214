#include "node/ctl/differences.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/ctl/fields.h"
#include "proto/check.h"

#define SENTENCE_BYTES_MAX 300
#define SECONDS_CHARACTERS 19 /* "2026-01-02T03:04:05" */
#define EPOCH "1970-01-01T00:00:00Z"

struct comparing {
    on_difference *tell;
    void *context;
    uint64_t count;
};

__attribute__((format(printf, 2, 3))) static void differ(struct comparing *self, const char *format, ...) {
    char sentence[SENTENCE_BYTES_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    self->count++;
    self->tell(self->context, sentence);
}

/* ---- members ---- */

typedef bool members_equal(const json_t *a, const json_t *b, const char *name);

static bool texts_equal(const json_t *a, const json_t *b, const char *name) {
    return strcmp(field_text(a, name), field_text(b, name)) == 0;
}

static bool times_equal(const json_t *a, const json_t *b, const char *name) {
    return strncmp(field_text(a, name), field_text(b, name), SECONDS_CHARACTERS) == 0;
}

/* Who gave no time shares everything. */
static bool shared_equal(const json_t *a, const json_t *b, const char *name) {
    const char *left = field_text(a, name), *right = field_text(b, name);
    return strncmp(left[0] != 0 ? left : EPOCH, right[0] != 0 ? right : EPOCH, SECONDS_CHARACTERS) == 0;
}

static bool users_equal(const json_t *a, const json_t *b, const char *name) {
    return strcmp(source_raw_id(field_object(a, name)), source_raw_id(field_object(b, name))) == 0;
}

/* Nothing and no member at all are the same. */
static bool objects_equal(const json_t *a, const json_t *b, const char *name) {
    json_t *left = json_object_get(a, name), *right = json_object_get(b, name);
    return json_equal(left, right) != 0 || (json_object_size(left) == 0 && json_object_size(right) == 0);
}

/* "none" is what no policy means. */
static bool retentions_equal(const json_t *a, const json_t *b, const char *name) {
    const json_t *left = field_object(a, name), *right = field_object(b, name);
    const char *kinds[] = {field_text(left, "kind"), field_text(right, "kind")};
    bool are_none =
        (kinds[0][0] == 0 || strcmp(kinds[0], "none") == 0) && (kinds[1][0] == 0 || strcmp(kinds[1], "none") == 0);
    return are_none || (strcmp(kinds[0], kinds[1]) == 0 &&
                        field_number(left, "deleteThreadAfterDays") == field_number(right, "deleteThreadAfterDays"));
}

struct member {
    const char *name;
    members_equal *are_equal;
};

/* The first member that differs; NULL: none does. */
static const char *first_different(const json_t *a, const json_t *b, const struct member *members, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!members[i].are_equal(a, b, members[i].name))
            return members[i].name;
    return NULL;
}
#define FIRST_DIFFERENT(a, b, members) first_different((a), (b), (members), sizeof(members) / sizeof *(members))

/* ---- lists of users ---- */

static const json_t *item_of(const json_t *items, const char *by, const char *id) {
    const json_t *item;
    size_t i;
    json_array_foreach(items, i, item) if (strcmp(source_raw_id(field_object(item, by)), id) == 0) return item;
    return NULL;
}

static void lists_compare(struct comparing *self, const json_t *dumped, const json_t *seen, const char *what,
                          const char *by, const struct member *members, size_t members_count) {
    const json_t *item;
    size_t i;
    if (json_array_size(dumped) != json_array_size(seen))
        differ(self, "%zu %ss instead of %zu", json_array_size(seen), what, json_array_size(dumped));
    json_array_foreach(dumped, i, item) {
        const char *id = source_raw_id(field_object(item, by));
        const json_t *other = item_of(seen, by, id);
        const char *name = other != NULL ? first_different(item, other, members, members_count) : NULL;
        if (other == NULL)
            differ(self, "the %s of %.80s is lacking", what, id);
        else if (name != NULL)
            differ(self, "the %s of %.80s has another %s", what, id, name);
    }
}

static const struct member participant_members[] = {
    {"displayName", texts_equal}, {"shareHistoryTime", shared_equal}, {"metadata", objects_equal}};

/* ---- messages ---- */

static bool contents_equal(const json_t *a, const json_t *b, const char *name) {
    const json_t *left = field_object(a, name), *right = field_object(b, name);
    struct comparing named = {.count = 0};
    static const struct member members[] = {
        {"message", texts_equal}, {"topic", texts_equal}, {"initiatorCommunicationIdentifier", users_equal}};
    const json_t *people = field_array(left, "participants"), *others = field_array(right, "participants"), *person;
    size_t i;
    if (FIRST_DIFFERENT(left, right, members) != NULL || json_array_size(people) != json_array_size(others))
        return false;
    json_array_foreach(people, i, person) {
        const json_t *other =
            item_of(others, "communicationIdentifier", source_raw_id(field_object(person, "communicationIdentifier")));
        if (other == NULL || FIRST_DIFFERENT(person, other, participant_members) != NULL)
            named.count++;
    }
    return named.count == 0;
}

static void messages_equal(struct comparing *self, const struct reading_message *dumped,
                           const struct reading_message *seen) {
    static const struct member members[] = {{"sequenceId", texts_equal},
                                            {"version", texts_equal},
                                            {"type", texts_equal},
                                            {"createdOn", times_equal},
                                            {"editedOn", times_equal},
                                            {"deletedOn", times_equal},
                                            {"content", contents_equal},
                                            {"metadata", objects_equal},
                                            {"senderDisplayName", texts_equal},
                                            {"senderCommunicationIdentifier", users_equal}};
    json_error_t error;
    json_t *a = json_loads(dumped->text, 0, &error), *b = json_loads(seen->text, 0, &error);
    check(a != NULL && b != NULL);
    const char *name = FIRST_DIFFERENT(a, b, members);
    if (name != NULL)
        differ(self, "message %" PRIu64 " has another %s", dumped->id, name);
    json_decref(a);
    json_decref(b);
}

static int by_id(const void *left, const void *right) {
    const struct reading_message *a = left, *b = right;
    return a->id < b->id ? -1 : a->id > b->id;
}

static void put_in_order(struct reading *reading) {
    if (reading->messages_count > 1)
        qsort(reading->messages, reading->messages_count, sizeof *reading->messages, by_id);
}

static void messages_compare(struct comparing *self, struct reading *dumped, struct reading *seen) {
    size_t i = 0, j = 0;
    put_in_order(dumped);
    put_in_order(seen);
    if (dumped->messages_count != seen->messages_count)
        differ(self, "%zu messages instead of %zu", seen->messages_count, dumped->messages_count);
    while (i < dumped->messages_count || j < seen->messages_count) {
        const struct reading_message *a = i < dumped->messages_count ? &dumped->messages[i] : NULL;
        const struct reading_message *b = j < seen->messages_count ? &seen->messages[j] : NULL;
        if (b == NULL || (a != NULL && a->id < b->id))
            differ(self, "message %" PRIu64 " is lacking", dumped->messages[i++].id);
        else if (a == NULL || b->id < a->id)
            differ(self, "message %" PRIu64 " is not in the dump", seen->messages[j++].id);
        else
            messages_equal(self, &dumped->messages[i++], &seen->messages[j++]);
    }
}

uint64_t differences_tell(struct reading *dumped, struct reading *seen, on_difference *tell, void *context) {
    static const struct member members[] = {{"topic", texts_equal},
                                            {"createdOn", times_equal},
                                            {"createdByCommunicationIdentifier", users_equal},
                                            {"metadata", objects_equal},
                                            {"retentionPolicy", retentions_equal}};
    static const struct member receipt_members[] = {{"chatMessageId", texts_equal}, {"readOn", times_equal}};
    struct comparing self = {.tell = tell, .context = context};
    const char *name = FIRST_DIFFERENT(dumped->properties, seen->properties, members);
    if (name != NULL)
        differ(&self, "it has another %s", name);
    if (seen->is_of_participant || json_array_size(dumped->participants) == 0)
        lists_compare(&self, dumped->participants, seen->participants, "participant", "communicationIdentifier",
                      participant_members, sizeof participant_members / sizeof *participant_members);
    lists_compare(&self, dumped->receipts, seen->receipts, "receipt", "senderCommunicationIdentifier", receipt_members,
                  sizeof receipt_members / sizeof *receipt_members);
    messages_compare(&self, dumped, seen);
    return self.count;
}
