/* Lines of a dump as the admin interface gets them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/import_json.h"
#include "proto/status.h"
#include "tests/lib/arena_fixture.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MESSAGE_BYTES_MAX 100
#define ID "\"id\":\"19:acsV1_x@thread.v2\","
#define CREATED "\"createdOn\":\"2026-01-02T03:04:05Z\","
#define TOTALS "\"messages\":2,\"sequenceId\":\"3\",\"version\":\"1767323060456\""
#define PERSON(name) "{\"communicationIdentifier\":{\"rawId\":\"8:acs:r_" name "\"}"
#define MESSAGE(more)                                                                                                  \
    "{\"messages\":[{\"id\":\"1767323045123\",\"sequenceId\":\"3\",\"version\":\"1767323060456\",\"offset\":2,"        \
    "\"createdOn\":\"2026-01-02T03:04:05Z\"" more "}]}"

static int thread_parse(struct arena *arena, const char *text, struct import_thread_request *out) {
    struct problem problem = {0};
    return import_thread_request_parse(arena, bytes_of_text(text), out, &problem);
}

static void a_thread_keeps_members_receipts_and_totals(void **state) {
    struct import_thread_request out;
    assert_int_equal(
        thread_parse(
            *state,
            "{" ID CREATED "\"topic\":\"t\",\"createdByCommunicationIdentifier\":{\"rawId\":\"8:acs:r_a\"},"
            "\"participants\":[" PERSON(
                "a") ",\"joinedOffset\":1,"
                     "\"shareHistoryTime\":\"2026-01-02T03:04:06Z\"}],\"formerParticipants\":[" PERSON(
                         "b") ",\"joinedOffset\":1,\"removedOffset\":2,\"topic\":\"before\"}],\"receipts\":"
                              "[{\"senderCommunicationIdentifier\":{\"rawId\":\"8:acs:r_a\"},\"chatMessageId\":\"7\","
                              "\"readOn\":\"2026-01-02T03:05:00Z\"}]," TOTALS "}",
            &out),
        STATUS_OK);
    assert_true(bytes_equal_text(out.properties.creator_id, "8:acs:r_a"));
    assert_int_equal(out.properties.created_ms, 1767323045000);
    assert_int_equal(out.members_count, 2);
    assert_int_equal(out.members[0].participant.share_history_ms, 1767323046000);
    assert_int_equal(out.members[0].removed_offset, 0);
    assert_int_equal(out.members[1].removed_offset, 2);
    assert_true(bytes_equal_text(out.members[1].topic, "before"));
    assert_int_equal(out.receipts_count, 1);
    assert_int_equal(out.receipts[0].message_id, 7);
    assert_int_equal(out.messages, 2);
    assert_int_equal(out.sequence, 3);
    assert_int_equal(out.version, 1767323060456);
}

static void threads_that_are_not_right_are_refused_with_the_field(void **state) {
    static const struct {
        const char *text, *target;
    } cases[] = {
        {"{" CREATED TOTALS "}", "id"},
        {"{\"id\":\"x\"," CREATED TOTALS "}", "id"},
        {"{" ID TOTALS "}", "createdOn"},
        {"{" ID "\"createdOn\":\"yesterday\"," TOTALS "}", "createdOn"},
        {"{" ID CREATED "\"sequenceId\":\"3\",\"version\":\"5\"}", "messages"},
        {"{" ID CREATED "\"messages\":-1,\"sequenceId\":\"3\",\"version\":\"5\"}", "messages"},
        {"{" ID CREATED "\"messages\":4,\"sequenceId\":\"3\",\"version\":\"5\"}", "sequenceId"},
        {"{" ID CREATED "\"messages\":2,\"sequenceId\":\"3\",\"version\":\"253402300800000\"}", "version"},
        {"{" ID CREATED "\"participants\":[" PERSON("a") "}," PERSON("a") "}]," TOTALS "}", "participants"},
        {"{" ID CREATED "\"participants\":[" PERSON("a") ",\"removedOffset\":1}]," TOTALS "}", "participants"},
        {"{" ID CREATED "\"formerParticipants\":[" PERSON("a") "}]," TOTALS "}", "formerParticipants"},
        {"{" ID CREATED "\"receipts\":{}," TOTALS "}", "receipts"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct import_thread_request out;
        struct problem problem = {0};
        int rc = import_thread_request_parse(*state, bytes_of_text(cases[i].text), &out, &problem);
        assert_int_equal(rc, STATUS_VALIDATION_ERROR);
        assert_true(bytes_equal_text(problem.target, cases[i].target));
    }
}

static void messages_keep_the_milliseconds_that_their_ids_know(void **state) {
    struct import_messages out;
    struct problem problem = {0};
    const char *text = MESSAGE(",\"type\":\"text\",\"editedOn\":\"2026-01-02T03:04:20Z\","
                               "\"senderCommunicationIdentifier\":{\"rawId\":\"8:acs:r_a\"},"
                               "\"content\":{\"message\":\"hello\",\"attachments\":[]}");
    assert_int_equal(import_messages_request_parse(*state, bytes_of_text(text), MESSAGE_BYTES_MAX, &out, &problem),
                     STATUS_OK);
    assert_int_equal(out.count, 1);
    assert_int_equal(out.items[0].created_ms, 1767323045123);
    assert_int_equal(out.items[0].edited_ms, 1767323060456);
    assert_int_equal(out.items[0].offset, 2);
    assert_true(bytes_equal_text(out.items[0].content, "hello"));
    assert_true(bytes_equal_text(out.items[0].actor_id, "8:acs:r_a"));
}

static void messages_that_are_not_right_are_refused_by_their_id(void **state) {
    static const struct {
        const char *text;
        int rc;
    } cases[] = {
        {"{\"messages\":[]}", STATUS_VALIDATION_ERROR},
        {"{}", STATUS_VALIDATION_ERROR},
        {"{\"messages\":[7]}", STATUS_VALIDATION_ERROR},
        {MESSAGE(""), STATUS_VALIDATION_ERROR},
        {MESSAGE(",\"type\":\"poem\""), STATUS_VALIDATION_ERROR},
        {MESSAGE(",\"type\":\"text\",\"content\":\"bare\""), STATUS_VALIDATION_ERROR},
        {MESSAGE(",\"type\":\"text\",\"editedOn\":\"later\""), STATUS_VALIDATION_ERROR},
        {MESSAGE(",\"type\":\"participantAdded\",\"content\":{\"participants\":[{}]}"), STATUS_VALIDATION_ERROR},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct import_messages out;
        struct problem problem = {0};
        int rc = import_messages_request_parse(*state, bytes_of_text(cases[i].text), MESSAGE_BYTES_MAX, &out, &problem);
        assert_int_equal(rc, cases[i].rc);
        assert_true(bytes_equal_text(problem.target, "messages"));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_thread_keeps_members_receipts_and_totals, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(threads_that_are_not_right_are_refused_with_the_field, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(messages_keep_the_milliseconds_that_their_ids_know, open_arena, close_arena),
        cmocka_unit_test_setup_teardown(messages_that_are_not_right_are_refused_by_their_id, open_arena, close_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
