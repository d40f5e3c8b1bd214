#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "node/events/event_filter.h"
#include "tests/lib/arena_fixture.h"
#include "tests/lib/assert_text.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ENVELOPE                                                                                                       \
    "{\"subject\":\"thread/T/sender/A\",\"data\":{\"type\":\"Text\",\"version\":1767323060456,\"messageBody\":"        \
    "\"Hello World\",\"isOdd\":true,\"none\":null,\"metadata\":{\"tag\":\"Red\"}}}"

static json_t *parse(const char *text) {
    json_error_t error;
    json_t *json = json_loads(text, JSON_DECODE_ANY, &error);
    if (json == NULL)
        fail_msg("%s: %s", text, error.text);
    return json;
}

static int choice_read(struct arena *arena, const char *filter, struct event_choice *choice, struct problem *problem) {
    const struct json_reader reader = {arena, problem};
    json_t *object = json_object_new();
    *problem = (struct problem){0};
    json_member_set(object, "filter", parse(filter));
    int rc = event_choice_read(&reader, object, choice);
    json_decref(object);
    return rc;
}

static bool wants(struct arena *arena, const char *filter) {
    struct server_event event = {.type = EVENT_TYPE_MESSAGE_RECEIVED_IN_THREAD,
                                 .subject = BYTES_LITERAL("thread/T/sender/A")};
    struct event_choice choice;
    struct problem problem;
    json_t *envelope = parse(ENVELOPE);
    if (choice_read(arena, filter, &choice, &problem) != STATUS_OK)
        fail_msg("%s: %.*s", filter, BYTES_ARG(problem.message));
    bool is_wanted = event_choice_wants(&choice, &event, envelope);
    json_decref(envelope);
    return is_wanted;
}

static void types_and_subjects_choose(void **state) {
    static const struct {
        const char *filter;
        bool is_wanted;
    } cases[] = {
        {"{}", true},
        {"null", true},
        {"{\"includedEventTypes\":[]}", true},
        {"{\"includedEventTypes\":[\"Microsoft.Communication.ChatMessageReceivedInThread\"]}", true},
        {"{\"includedEventTypes\":[\"ChatThreadDeleted\",\"ChatMessageReceivedInThread\"]}", true},
        {"{\"includedEventTypes\":[\"ChatMessageReceived\"]}", false},
        {"{\"subjectBeginsWith\":\"thread/t/\"}", true},
        {"{\"subjectBeginsWith\":\"thread/t/\",\"isSubjectCaseSensitive\":true}", false},
        {"{\"subjectBeginsWith\":\"thread/T/\",\"isSubjectCaseSensitive\":true}", true},
        {"{\"subjectBeginsWith\":\"hread\"}", false},
        {"{\"subjectEndsWith\":\"/sender/a\"}", true},
        {"{\"subjectEndsWith\":\"/sender/b\"}", false},
        {"{\"subjectEndsWith\":\"and much more than there is: thread/T/sender/A\"}", false},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        if (wants(*state, cases[i].filter) != cases[i].is_wanted)
            fail_msg("%s", cases[i].filter);
}

static void operators_look_at_values(void **state) {
    static const struct {
        const char *key, *operator_, *values;
        bool is_wanted;
    } cases[] = {
        {"data.version", "NumberIn", "\"values\":[1,1767323060456]", true},
        {"data.version", "NumberIn", "\"values\":[1]", false},
        {"data.type", "NumberIn", "\"values\":[1]", false},
        {"data.version", "NumberNotIn", "\"values\":[1]", true},
        {"data.version", "NumberNotIn", "\"values\":[1767323060456]", false},
        {"data.absent", "NumberNotIn", "\"values\":[1]", true},
        {"data.version", "NumberLessThan", "\"value\":1767323060456", false},
        {"data.version", "NumberLessThan", "\"value\":1767323060457", true},
        {"data.version", "NumberLessThanOrEquals", "\"value\":1767323060456", true},
        {"data.version", "NumberGreaterThan", "\"value\":1767323060456", false},
        {"data.version", "NumberGreaterThan", "\"value\":-1.5", true},
        {"data.version", "NumberGreaterThanOrEquals", "\"value\":1767323060456", true},
        {"data.absent", "NumberGreaterThan", "\"value\":-1", false},
        {"data.version", "NumberInRange", "\"values\":[[0,1],[1767323060456,1767323060456]]", true},
        {"data.version", "NumberInRange", "\"values\":[[0,1]]", false},
        {"data.version", "NumberNotInRange", "\"values\":[[0,1]]", true},
        {"data.isOdd", "BoolEquals", "\"value\":true", true},
        {"data.isOdd", "BoolEquals", "\"value\":false", false},
        {"data.type", "BoolEquals", "\"value\":true", false},
        {"data.type", "StringIn", "\"values\":[\"x\",\"TEXT\"]", true},
        {"data.type", "stringin", "\"values\":[\"Tex\"]", false},
        {"data.type", "StringNotIn", "\"values\":[\"text\"]", false},
        {"data.absent", "StringNotIn", "\"values\":[\"text\"]", true},
        {"data.messageBody", "StringBeginsWith", "\"values\":[\"x\",\"hello\"]", true},
        {"data.messageBody", "StringNotBeginsWith", "\"values\":[\"hello\"]", false},
        {"data.messageBody", "StringEndsWith", "\"values\":[\"WORLD\"]", true},
        {"data.messageBody", "StringNotEndsWith", "\"values\":[\"WORLD\"]", false},
        {"data.messageBody", "StringContains", "\"values\":[\"lo wo\"]", true},
        {"data.messageBody", "StringContains", "\"values\":[\"Hello World and more\"]", false},
        {"data.messageBody", "StringNotContains", "\"values\":[\"lo wo\"]", false},
        {"data.metadata.tag", "StringIn", "\"values\":[\"red\"]", true},
        {"subject", "StringContains", "\"values\":[\"sender\"]", true},
        {"data", "StringContains", "\"values\":[\"sender\"]", false},
        {"data.none", "IsNullOrUndefined", "\"values\":[]", true},
        {"data.absent.tag", "IsNullOrUndefined", "\"values\":[]", true},
        {"data.type", "IsNullOrUndefined", "\"values\":[]", false},
        {"data.type", "IsNotNull", "\"values\":[]", true},
        {"data.none", "IsNotNull", "\"values\":[]", false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char filter[512];
        snprintf(filter, sizeof(filter), "{\"advancedFilters\":[{\"key\":\"%s\",\"operatorType\":\"%s\",%s}]}",
                 cases[i].key, cases[i].operator_, cases[i].values);
        if (wants(*state, filter) != cases[i].is_wanted)
            fail_msg("%s", filter);
    }
}

static void all_filters_must_hold(void **state) {
    assert_false(wants(*state, "{\"advancedFilters\":[{\"key\":\"data.type\",\"operatorType\":\"IsNotNull\"},"
                               "{\"key\":\"data.absent\",\"operatorType\":\"IsNotNull\"}]}"));
}

static void what_cannot_be_meant_is_refused_by_name(void **state) {
    static const struct {
        const char *filter, *message;
    } cases[] = {
        {"3", "filter must be an object, not a number."},
        {"{\"includedEventTypes\":3}", "includedEventTypes must be an array, not a number."},
        {"{\"includedEventTypes\":[\"Chat\"]}", "There is no event type \"Chat\"."},
        {"{\"includedEventTypes\":[null]}", "An event type must be a string, not null."},
        {"{\"isSubjectCaseSensitive\":\"yes\"}", "isSubjectCaseSensitive must be true or false, not a string."},
        {"{\"advancedFilters\":{}}", "advancedFilters must be an array of at most 25."},
        {"{\"advancedFilters\":[3]}", "A filter must be an object, not a number."},
        {"{\"advancedFilters\":[{\"key\":\"data.a.b.c\",\"operatorType\":\"IsNotNull\"}]}",
         "The key \"data.a.b.c\" must name a member as subject, data.type or data.metadata.tag do."},
        {"{\"advancedFilters\":[{\"key\":\"x\",\"operatorType\":\"Is\"}]}", "There is no operatorType \"Is\"."},
        {"{\"advancedFilters\":[{\"key\":\"x\",\"operatorType\":\"StringIn\"}]}",
         "StringIn for x needs values, an array of 1 to 25."},
        {"{\"advancedFilters\":[{\"key\":\"x\",\"operatorType\":\"BoolEquals\"}]}", "BoolEquals for x needs value."},
        {"{\"advancedFilters\":[{\"key\":\"x\",\"operatorType\":\"BoolEquals\",\"value\":1}]}",
         "A value of BoolEquals for x must be true or false, not a number."},
        {"{\"advancedFilters\":[{\"key\":\"x\",\"operatorType\":\"StringIn\",\"values\":[1]}]}",
         "A value of StringIn for x must be a string, not a number."},
        {"{\"advancedFilters\":[{\"key\":\"x\",\"operatorType\":\"NumberInRange\",\"values\":[[1]]}]}",
         "A value of NumberInRange for x must be a pair of numbers, as [1, 5], not an array."},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct event_choice choice;
        struct problem problem;
        assert_int_equal(choice_read(*state, cases[i].filter, &choice, &problem), STATUS_VALIDATION_ERROR);
        assert_text(problem.message, cases[i].message);
    }
}

static void a_choice_is_read_back_as_it_was_written(void **state) {
    struct event_choice choice, again;
    struct problem problem;
    assert_int_equal(choice_read(*state,
                                 "{\"includedEventTypes\":[\"ChatThreadDeleted\"],\"subjectEndsWith\":\"x\","
                                 "\"advancedFilters\":[{\"key\":\"a\",\"operatorType\":\"NumberInRange\",\"values\":"
                                 "[[1,2.5]]},{\"key\":\"b\",\"operatorType\":\"BoolEquals\",\"value\":true},"
                                 "{\"key\":\"c\",\"operatorType\":\"StringNotIn\",\"values\":[\"x\",\"y\"]},"
                                 "{\"key\":\"d\",\"operatorType\":\"IsNotNull\"}]}",
                                 &choice, &problem),
                     STATUS_OK);
    json_t *written = event_choice_to_json(&choice);
    char *text = json_dumps(written, JSON_COMPACT);
    assert_int_equal(choice_read(*state, text, &again, &problem), STATUS_OK);
    json_t *rewritten = event_choice_to_json(&again);
    assert_true(json_equal(written, rewritten));
    assert_int_equal(again.types, 1u << EVENT_TYPE_THREAD_DELETED);
    assert_int_equal(again.filters_count, 4);
    free(text);
    json_decref(written);
    json_decref(rewritten);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_arena, close_arena)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(types_and_subjects_choose),
        TEST(operators_look_at_values),
        TEST(all_filters_must_hold),
        TEST(what_cannot_be_meant_is_refused_by_name),
        TEST(a_choice_is_read_back_as_it_was_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
