#pragma once
/* Which events a consumer wants: by type, by how the subject begins and ends, and by values of their data, with the
 * operators of the vendor's event subscriptions. Pure. */
#include "node/events/event_json.h"
#include "proto/json_tree.h"

#define EVENT_FILTERS_MAX 25             /* of one subscription; as the vendor's */
#define EVENT_FILTER_VALUES_MAX 25       /* of one filter */
#define EVENT_FILTER_TEXT_BYTES_MAX 2048 /* 512 characters of any script */

/*      operator, its name, what its values are, how many, holds for events that lack the key */
#define EVENT_OPERATOR_TABLE(X)                                                                                        \
    X(NUMBER_IN, "NumberIn", NUMBERS, MANY, false)                                                                     \
    X(NUMBER_NOT_IN, "NumberNotIn", NUMBERS, MANY, true)                                                               \
    X(NUMBER_LESS_THAN, "NumberLessThan", NUMBERS, ONE, false)                                                         \
    X(NUMBER_LESS_THAN_OR_EQUALS, "NumberLessThanOrEquals", NUMBERS, ONE, false)                                       \
    X(NUMBER_GREATER_THAN, "NumberGreaterThan", NUMBERS, ONE, false)                                                   \
    X(NUMBER_GREATER_THAN_OR_EQUALS, "NumberGreaterThanOrEquals", NUMBERS, ONE, false)                                 \
    X(NUMBER_IN_RANGE, "NumberInRange", RANGES, MANY, false)                                                           \
    X(NUMBER_NOT_IN_RANGE, "NumberNotInRange", RANGES, MANY, true)                                                     \
    X(BOOL_EQUALS, "BoolEquals", BOOLS, ONE, false)                                                                    \
    X(STRING_IN, "StringIn", TEXTS, MANY, false)                                                                       \
    X(STRING_NOT_IN, "StringNotIn", TEXTS, MANY, true)                                                                 \
    X(STRING_BEGINS_WITH, "StringBeginsWith", TEXTS, MANY, false)                                                      \
    X(STRING_NOT_BEGINS_WITH, "StringNotBeginsWith", TEXTS, MANY, true)                                                \
    X(STRING_ENDS_WITH, "StringEndsWith", TEXTS, MANY, false)                                                          \
    X(STRING_NOT_ENDS_WITH, "StringNotEndsWith", TEXTS, MANY, true)                                                    \
    X(STRING_CONTAINS, "StringContains", TEXTS, MANY, false)                                                           \
    X(STRING_NOT_CONTAINS, "StringNotContains", TEXTS, MANY, true)                                                     \
    X(IS_NULL_OR_UNDEFINED, "IsNullOrUndefined", NOTHING, NONE, true)                                                  \
    X(IS_NOT_NULL, "IsNotNull", NOTHING, NONE, false)

enum event_operator {
#define EVENT_OPERATOR_ENUM(operator_, name, values, how_many, if_absent) EVENT_OPERATOR_##operator_,
    EVENT_OPERATOR_TABLE(EVENT_OPERATOR_ENUM)
#undef EVENT_OPERATOR_ENUM
        EVENT_OPERATORS
};

struct event_filter_value {
    struct bytes text;
    double number;
    double end; /* of a range, inclusive */
    bool is_true;
};

struct event_filter {
    enum event_operator operator_;
    struct bytes key; /* "subject", "data.metadata.tag" */
    struct event_filter_value *values;
    size_t values_count;
};

struct event_choice {
    uint32_t types; /* a bit of each enum event_type; 0: all */
    struct bytes subject_begins_with;
    struct bytes subject_ends_with;
    bool is_subject_case_sensitive;
    struct event_filter *filters; /* all must hold */
    size_t filters_count;
};

/* The member `filter` of a subscription; missing: everything is wanted. Refuses with STATUS_VALIDATION_ERROR. */
int event_choice_read(const struct json_reader *reader, const json_t *object, struct event_choice *choice);
/* The same object; the caller owns it. */
json_t *event_choice_to_json(const struct event_choice *choice);

/* `envelope`: the event as it would be sent, whose members the filters name. */
bool event_choice_wants(const struct event_choice *choice, const struct server_event *event, const json_t *envelope);
