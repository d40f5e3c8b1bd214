#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/status.h"

#define STATUS_CODE(code, number, name, http, sentence) number,
static const int codes[] = {STATUS_TABLE(STATUS_CODE)};
#define CODES_COUNT (sizeof(codes) / sizeof(codes[0]))

static void every_code_is_negative_and_unique(void **state) {
    (void)state;
    for (size_t i = 0; i < CODES_COUNT; i++) {
        assert_true(codes[i] < 0);
        for (size_t j = 0; j < i; j++)
            assert_int_not_equal(codes[i], codes[j]);
    }
}

static void every_code_has_a_name_without_spaces_a_sentence_and_an_error_status(void **state) {
    (void)state;
    for (size_t i = 0; i < CODES_COUNT; i++) {
        const char *name = status_name(codes[i]);
        const char *sentence = status_sentence(codes[i]);
        assert_string_not_equal(name, "Unknown");
        assert_null(strchr(name, ' '));
        assert_int_equal(sentence[strlen(sentence) - 1], '.');
        assert_in_range(status_http(codes[i]), 400, 503);
    }
}

static void codes_have_the_names_and_statuses_of_the_contract(void **state) {
    (void)state;
    const struct {
        int rc;
        const char *name;
        int http;
        bool is_temporary;
    } rows[] = {
        {STATUS_OK, "OK", 200, false},
        {STATUS_BAD_REQUEST, "BadRequest", 400, false},
        {STATUS_VALIDATION_ERROR, "ValidationError", 400, false},
        {STATUS_UNAUTHORIZED, "Unauthorized", 401, false},
        {STATUS_IDENTITY_NOT_OWNED, "IdentityNotOwned", 401, false},
        {STATUS_FORBIDDEN, "Forbidden", 403, false},
        {STATUS_THREAD_NOT_FOUND, "NotFound", 404, false},
        {STATUS_REQUEST_ENTITY_TOO_LARGE, "RequestEntityTooLarge", 413, false},
        {STATUS_TOO_MANY_REQUESTS, "TooManyRequests", 429, true},
        {STATUS_INTERNAL_ERROR, "InternalServerError", 500, false},
        {STATUS_SERVICE_UNAVAILABLE, "ServiceUnavailable", 503, true},
        {STATUS_STORAGE_FULL, "StorageFull", 503, true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_string_equal(status_name(rows[i].rc), rows[i].name);
        assert_int_equal(status_http(rows[i].rc), rows[i].http);
        assert_int_equal(status_is_temporary(rows[i].rc), rows[i].is_temporary);
    }
}

static void a_number_without_a_row_is_an_unknown_server_error(void **state) {
    (void)state;
    assert_string_equal(status_name(-9999), "Unknown");
    assert_string_equal(status_sentence(1), "An unknown condition.");
    assert_int_equal(status_http(-9999), 500);
    assert_false(status_is_temporary(-9999));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_is_negative_and_unique),
        cmocka_unit_test(every_code_has_a_name_without_spaces_a_sentence_and_an_error_status),
        cmocka_unit_test(codes_have_the_names_and_statuses_of_the_contract),
        cmocka_unit_test(a_number_without_a_row_is_an_unknown_server_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
