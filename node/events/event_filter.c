#include "node/events/event_filter.h"

#include <strings.h>

#include "proto/check.h"

#define KEY_DEPTH_MAX 3 /* data.key1.key2, as the vendor's */

enum value_kind { VALUE_NUMBERS, VALUE_RANGES, VALUE_BOOLS, VALUE_TEXTS, VALUE_NOTHING };
enum value_count { VALUES_ONE, VALUES_MANY, VALUES_NONE };

static const struct operator_row {
    const char *name;
    enum value_kind kind;
    enum value_count how_many;
    bool holds_if_absent;
} operators[EVENT_OPERATORS] = {
#define EVENT_OPERATOR_ROW(operator_, name, values, how_many, if_absent)                                               \
    {name, VALUE_##values, VALUES_##how_many, if_absent},
    EVENT_OPERATOR_TABLE(EVENT_OPERATOR_ROW)
#undef EVENT_OPERATOR_ROW
};

/* ---- from JSON ---- */

static int type_read(const struct json_reader *reader, const json_t *item, uint32_t *types) {
    enum event_type type;
    if (!json_is_string(item))
        return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, "filter.includedEventTypes",
                           "An event type must be a string, not %s.", json_type_text(item));
    struct bytes name = bytes_of(json_string_value(item), json_string_length(item));
    if (!event_type_find(name, &type))
        return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, "filter.includedEventTypes",
                           "There is no event type \"%.*s\".", (int)(name.size < 100 ? name.size : 100),
                           (const char *)name.data);
    *types |= UINT32_C(1) << type;
    return STATUS_OK;
}

static int types_read(const struct json_reader *reader, const json_t *object, uint32_t *types) {
    const json_t *list = json_member_find(object, "includedEventTypes");
    int rc = STATUS_OK;
    if (list != NULL && !json_is_array(list))
        return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, "filter.includedEventTypes",
                           "includedEventTypes must be an array, not %s.", json_type_text(list));
    for (size_t i = 0; i < json_array_size(list) && rc == STATUS_OK; i++)
        rc = type_read(reader, json_array_get(list, i), types);
    return rc;
}

static int refuse_value(const struct json_reader *reader, const struct event_filter *filter, const char *wanted,
                        const json_t *value) {
    return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, "filter.advancedFilters",
                       "A value of %s for %.*s must be %s, not %s.", operators[filter->operator_].name,
                       BYTES_ARG(filter->key), wanted, json_type_text(value));
}

static int range_read(const struct json_reader *reader, const struct event_filter *filter, const json_t *json,
                      struct event_filter_value *value) {
    const json_t *from = json_array_get(json, 0), *to = json_array_get(json, 1);
    if (json_array_size(json) != 2 || !json_is_number(from) || !json_is_number(to))
        return refuse_value(reader, filter, "a pair of numbers, as [1, 5]", json);
    value->number = json_number_value(from);
    value->end = json_number_value(to);
    return STATUS_OK;
}

static int text_read(const struct json_reader *reader, const struct event_filter *filter, const json_t *json,
                     struct event_filter_value *value) {
    if (!json_is_string(json))
        return refuse_value(reader, filter, "a string", json);
    if (json_string_length(json) > EVENT_FILTER_TEXT_BYTES_MAX)
        return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, "filter.advancedFilters",
                           "A value of %s for %.*s has %zu bytes; the limit is %d.", operators[filter->operator_].name,
                           BYTES_ARG(filter->key), json_string_length(json), EVENT_FILTER_TEXT_BYTES_MAX);
    value->text = arena_copy(reader->arena, bytes_of(json_string_value(json), json_string_length(json)));
    return STATUS_OK;
}

static int value_read(const struct json_reader *reader, const struct event_filter *filter, const json_t *json,
                      struct event_filter_value *value) {
    switch (operators[filter->operator_].kind) {
    case VALUE_RANGES:
        return range_read(reader, filter, json, value);
    case VALUE_TEXTS:
        return text_read(reader, filter, json, value);
    case VALUE_BOOLS:
        value->is_true = json_is_true(json);
        return json_is_boolean(json) ? STATUS_OK : refuse_value(reader, filter, "true or false", json);
    default:
        value->number = json_number_value(json);
        return json_is_number(json) ? STATUS_OK : refuse_value(reader, filter, "a number", json);
    }
}

static int values_read(const struct json_reader *reader, const json_t *object, struct event_filter *filter) {
    const struct operator_row *row = &operators[filter->operator_];
    const char *member = row->how_many == VALUES_MANY ? "values" : "value";
    const json_t *given = json_member_find(object, member);
    bool is_one = row->how_many == VALUES_ONE;
    if (row->how_many == VALUES_NONE)
        return STATUS_OK;
    size_t count = is_one ? given != NULL : json_array_size(given);
    if (count == 0 || count > EVENT_FILTER_VALUES_MAX)
        return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, "filter.advancedFilters",
                           is_one ? "%s for %.*s needs %s." : "%s for %.*s needs %s, an array of 1 to %d.", row->name,
                           BYTES_ARG(filter->key), member, EVENT_FILTER_VALUES_MAX);
    filter->values = ARENA_NEW_ARRAY(reader->arena, struct event_filter_value, count);
    int rc = STATUS_OK;
    for (; filter->values_count < count && rc == STATUS_OK; filter->values_count++)
        rc = value_read(reader, filter, is_one ? given : json_array_get(given, filter->values_count),
                        &filter->values[filter->values_count]);
    return rc;
}

static int operator_read(const struct json_reader *reader, const json_t *object, enum event_operator *operator_) {
    struct bytes name;
    int rc = json_text_require(reader, object, "operatorType", 64, &name);
    if (rc != STATUS_OK)
        return rc;
    for (unsigned i = 0; i < EVENT_OPERATORS; i++) {
        if (name.size != strlen(operators[i].name) ||
            strncasecmp((const char *)name.data, operators[i].name, name.size) != 0)
            continue;
        *operator_ = (enum event_operator)i;
        return STATUS_OK;
    }
    return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, "filter.advancedFilters",
                       "There is no operatorType \"%.*s\".", BYTES_ARG(name));
}

static int key_read(const struct json_reader *reader, const json_t *object, struct bytes *key) {
    int rc = json_text_require(reader, object, "key", EVENT_FILTER_TEXT_BYTES_MAX, key);
    size_t depth = 1;
    for (size_t i = 0; rc == STATUS_OK && i < key->size; i++)
        depth += key->data[i] == '.';
    if (rc == STATUS_OK && (key->size == 0 || depth > KEY_DEPTH_MAX))
        rc = problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, "filter.advancedFilters",
                         "The key \"%.*s\" must name a member as subject, data.type or data.metadata.tag do.",
                         BYTES_ARG(*key));
    return rc;
}

static int filter_read(const struct json_reader *reader, const json_t *object, struct event_filter *filter) {
    if (!json_is_object(object))
        return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, "filter.advancedFilters",
                           "A filter must be an object, not %s.", json_type_text(object));
    int rc = key_read(reader, object, &filter->key);
    if (rc == STATUS_OK)
        rc = operator_read(reader, object, &filter->operator_);
    return rc == STATUS_OK ? values_read(reader, object, filter) : rc;
}

static int filters_read(const struct json_reader *reader, const json_t *object, struct event_choice *choice) {
    const json_t *list = json_member_find(object, "advancedFilters");
    size_t count = json_array_size(list);
    int rc = STATUS_OK;
    if (list != NULL && (!json_is_array(list) || count > EVENT_FILTERS_MAX))
        return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, "filter.advancedFilters",
                           "advancedFilters must be an array of at most %d.", EVENT_FILTERS_MAX);
    choice->filters = ARENA_NEW_ARRAY(reader->arena, struct event_filter, count);
    for (; choice->filters_count < count && rc == STATUS_OK; choice->filters_count++)
        rc = filter_read(reader, json_array_get(list, choice->filters_count), &choice->filters[choice->filters_count]);
    return rc;
}

static int case_read(const struct json_reader *reader, const json_t *object, bool *is_sensitive) {
    const json_t *value = json_member_find(object, "isSubjectCaseSensitive");
    *is_sensitive = json_is_true(value);
    return value == NULL || json_is_boolean(value)
               ? STATUS_OK
               : problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, "filter.isSubjectCaseSensitive",
                             "isSubjectCaseSensitive must be true or false, not %s.", json_type_text(value));
}

int event_choice_read(const struct json_reader *reader, const json_t *object, struct event_choice *choice) {
    const json_t *filter = json_member_find(object, "filter");
    *choice = (struct event_choice){0};
    if (filter == NULL)
        return STATUS_OK;
    if (!json_is_object(filter))
        return problem_set(reader->problem, reader->arena, STATUS_VALIDATION_ERROR, "filter",
                           "filter must be an object, not %s.", json_type_text(filter));
    int rc = types_read(reader, filter, &choice->types);
    if (rc == STATUS_OK)
        rc = json_text_read(reader, filter, "subjectBeginsWith", EVENT_FILTER_TEXT_BYTES_MAX,
                            &choice->subject_begins_with);
    if (rc == STATUS_OK)
        rc = json_text_read(reader, filter, "subjectEndsWith", EVENT_FILTER_TEXT_BYTES_MAX, &choice->subject_ends_with);
    if (rc == STATUS_OK)
        rc = case_read(reader, filter, &choice->is_subject_case_sensitive);
    return rc == STATUS_OK ? filters_read(reader, filter, choice) : rc;
}

/* ---- to JSON ---- */

static json_t *value_to_json(enum value_kind kind, const struct event_filter_value *value) {
    switch (kind) {
    case VALUE_TEXTS:
        return json_text_new(value->text);
    case VALUE_BOOLS:
        return json_boolean(value->is_true);
    case VALUE_RANGES:
        return json_pack("[f,f]", value->number, value->end);
    default:
        return json_real(value->number);
    }
}

static json_t *filter_to_json(const struct event_filter *filter) {
    const struct operator_row *row = &operators[filter->operator_];
    json_t *object = json_object_new();
    json_text_set(object, "operatorType", bytes_of_text(row->name));
    json_text_set(object, "key", filter->key);
    if (row->how_many == VALUES_ONE)
        json_member_set(object, "value", value_to_json(row->kind, filter->values));
    if (row->how_many != VALUES_MANY)
        return object;
    json_t *values = json_array_new();
    for (size_t i = 0; i < filter->values_count; i++)
        json_item_add(values, value_to_json(row->kind, &filter->values[i]));
    json_member_set(object, "values", values);
    return object;
}

json_t *event_choice_to_json(const struct event_choice *choice) {
    json_t *object = json_object_new();
    json_t *types = json_array_new();
    json_t *filters = json_array_new();
    for (unsigned i = 0; i < EVENT_TYPES; i++)
        if (choice->types == 0 || (choice->types >> i & 1) != 0)
            json_item_add(types, json_text_new(bytes_of_text(event_type_name((enum event_type)i))));
    for (size_t i = 0; i < choice->filters_count; i++)
        json_item_add(filters, filter_to_json(&choice->filters[i]));
    json_member_set(object, "includedEventTypes", types);
    json_text_set_present(object, "subjectBeginsWith", choice->subject_begins_with);
    json_text_set_present(object, "subjectEndsWith", choice->subject_ends_with);
    json_member_set(object, "isSubjectCaseSensitive", json_boolean(choice->is_subject_case_sensitive));
    json_member_set(object, "advancedFilters", filters);
    return object;
}

/* ---- whether an event is wanted ---- */

static bool is_same(struct bytes a, struct bytes b, bool is_case_sensitive) {
    if (a.size != b.size)
        return false;
    return is_case_sensitive ? bytes_equal(a, b)
                             : a.size == 0 || strncasecmp((const char *)a.data, (const char *)b.data, a.size) == 0;
}

static bool begins_with(struct bytes text, struct bytes part, bool is_case_sensitive) {
    return text.size >= part.size && is_same(bytes_of(text.data, part.size), part, is_case_sensitive);
}

static bool ends_with(struct bytes text, struct bytes part, bool is_case_sensitive) {
    return text.size >= part.size &&
           is_same(bytes_of(text.data + text.size - part.size, part.size), part, is_case_sensitive);
}

static bool contains(struct bytes text, struct bytes part) {
    for (size_t i = 0; i + part.size <= text.size; i++)
        if (is_same(bytes_of(text.data + i, part.size), part, false))
            return true;
    return false;
}

/* NULL: there is none, or it is null. */
static const json_t *member_at(const json_t *envelope, struct bytes key) {
    const json_t *value = envelope;
    while (key.size > 0 && json_is_object(value)) {
        const uint8_t *dot = memchr(key.data, '.', key.size);
        size_t size = dot == NULL ? key.size : (size_t)(dot - key.data);
        value = json_object_getn(value, (const char *)key.data, size);
        size_t taken = dot == NULL ? size : size + 1;
        key = bytes_of(key.data + taken, key.size - taken);
    }
    return key.size > 0 || json_is_null(value) ? NULL : value;
}

/* What the operator asks for, before a "not". */
static bool value_fits(enum event_operator operator_, const struct event_filter_value *value, const json_t *actual) {
    struct bytes text = bytes_of(json_string_value(actual), json_string_length(actual));
    double number = json_number_value(actual);
    switch (operator_) {
    case EVENT_OPERATOR_NUMBER_LESS_THAN:
        return number < value->number;
    case EVENT_OPERATOR_NUMBER_LESS_THAN_OR_EQUALS:
        return number <= value->number;
    case EVENT_OPERATOR_NUMBER_GREATER_THAN:
        return number > value->number;
    case EVENT_OPERATOR_NUMBER_GREATER_THAN_OR_EQUALS:
        return number >= value->number;
    case EVENT_OPERATOR_NUMBER_IN:
    case EVENT_OPERATOR_NUMBER_NOT_IN:
        return !(number < value->number) && !(number > value->number);
    case EVENT_OPERATOR_NUMBER_IN_RANGE:
    case EVENT_OPERATOR_NUMBER_NOT_IN_RANGE:
        return number >= value->number && number <= value->end;
    case EVENT_OPERATOR_BOOL_EQUALS:
        return json_is_true(actual) == value->is_true;
    case EVENT_OPERATOR_STRING_IN:
    case EVENT_OPERATOR_STRING_NOT_IN:
        return is_same(text, value->text, false);
    case EVENT_OPERATOR_STRING_BEGINS_WITH:
    case EVENT_OPERATOR_STRING_NOT_BEGINS_WITH:
        return begins_with(text, value->text, false);
    case EVENT_OPERATOR_STRING_ENDS_WITH:
    case EVENT_OPERATOR_STRING_NOT_ENDS_WITH:
        return ends_with(text, value->text, false);
    case EVENT_OPERATOR_STRING_CONTAINS:
    case EVENT_OPERATOR_STRING_NOT_CONTAINS:
        return contains(text, value->text);
    default:
        return false;
    }
}

static bool is_of_kind(enum value_kind kind, const json_t *actual) {
    return kind == VALUE_TEXTS   ? json_is_string(actual)
           : kind == VALUE_BOOLS ? json_is_boolean(actual)
                                 : json_is_number(actual);
}

/* A "not" holds for events that lack the key or have something else there; nothing else does. */
static bool filter_holds(const struct event_filter *filter, const json_t *envelope) {
    const struct operator_row *row = &operators[filter->operator_];
    const json_t *actual = member_at(envelope, filter->key);
    if (row->kind == VALUE_NOTHING)
        return (actual == NULL) == row->holds_if_absent;
    if (actual == NULL || !is_of_kind(row->kind, actual))
        return row->holds_if_absent;
    for (size_t i = 0; i < filter->values_count; i++)
        if (value_fits(filter->operator_, &filter->values[i], actual))
            return !row->holds_if_absent;
    return row->holds_if_absent;
}

bool event_choice_wants(const struct event_choice *choice, const struct server_event *event, const json_t *envelope) {
    bool is_case_sensitive = choice->is_subject_case_sensitive;
    if (choice->types != 0 && (choice->types >> event->type & 1) == 0)
        return false;
    if (!begins_with(event->subject, choice->subject_begins_with, is_case_sensitive) ||
        !ends_with(event->subject, choice->subject_ends_with, is_case_sensitive))
        return false;
    for (size_t i = 0; i < choice->filters_count; i++)
        if (!filter_holds(&choice->filters[i], envelope))
            return false;
    return true;
}
