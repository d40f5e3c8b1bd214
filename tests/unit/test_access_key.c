#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/access_key.h"
#include "proto/status.h"
#include "tests/lib/arena_fixture.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
/* The worked example and the vectors of contract 2.1. */
#define KEY "0123456789abcdef0123456789abcdef"
#define DATE "Fri, 02 Jan 2026 03:04:05 GMT"
#define NOW_MS 1767323045000
#define SKEW_MS (15 * 60 * 1000)
#define CREATE "/identities?api-version=2023-10-01"
#define CREATE_BODY "{\"createTokenWithScopes\":[\"chat\"],\"expiresInMinutes\":60}"
#define CREATE_HASH "kET9vD/6sAVRB6ISkrpOL44L0M1olvugZ/QYxlSQK9k="
#define CREATE_SIGNATURE "n/mbvYioAWgkFV2FIS1WbBLt0wF7sgkwSgj6ylS/FoA="
#define OTHER_ORDER_SIGNATURE "u6rK23ohXqMTjDMpQu2S9MXvHcsAMf+kmY0bVnqtRxo="
/* Over the host three times in place of the three headers. */
#define HOSTS_SIGNATURE "eGqn+P2T4eadi0b9+QglQ0mM3LJ7QNh4hsTnSKWGXmU="
/* The example with ";contoso;8:orgid:ann" behind it, computed apart from this code. */
#define BRIDGE_SIGNATURE "ETiOwHCc1TxjcdHLAkC5rAuXdx7jdH92MX3yji+qIdY="
#define EMPTY_HASH "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
#define DELETE_TARGET                                                                                                  \
    "/identities/8%3Aacs%3A11111111-2222-3333-4444-555555555555_00000010-aaaa-bbbb-cccc-000000000001"                  \
    "?api-version=2023-10-01"
#define SIGNED_AS "HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature="
#define SIGNED_BY_BRIDGE                                                                                               \
    "HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256;x-weft-bridge;x-weft-acting-as&Signature="

static const struct access_keys keys = {.primary = {(const uint8_t *)KEY, sizeof(KEY) - 1}};

static struct signed_request example(void) {
    return (struct signed_request){.method = BYTES_LITERAL("POST"),
                                   .target = BYTES_LITERAL(CREATE),
                                   .authorization = BYTES_LITERAL(SIGNED_AS CREATE_SIGNATURE),
                                   .date = BYTES_LITERAL(DATE),
                                   .host = BYTES_LITERAL("localhost:8443"),
                                   .content_sha256 = BYTES_LITERAL(CREATE_HASH),
                                   .body = BYTES_LITERAL(CREATE_BODY)};
}

static int verify(const struct signed_request *request) {
    const char *reason = NULL;
    int rc = access_key_verify(&keys, request, NOW_MS, SKEW_MS, &reason);
    if (rc == 0)
        assert_null(reason);
    else
        assert_int_equal(reason[strlen(reason) - 1], '.');
    return rc;
}

static const struct {
    const char *method;
    const char *target;
    const char *host;
    const char *body;
    const char *hash;
    const char *signature;
} vectors[] = {
    {"POST", CREATE, "localhost:8443", CREATE_BODY, CREATE_HASH, CREATE_SIGNATURE},
    {"POST", CREATE, "localhost:8443", "", EMPTY_HASH, "3IJtwvcEurZOivyYxHXamTRKqXm3vqHzW31xN69y4Bo="},
    {"DELETE", DELETE_TARGET, "chat.example.org", "", EMPTY_HASH, "zA/U7GSGvd3rsWQny8/EA1oO9H2GodcZr9ZY7wMCF1E="},
};

static void every_vector_of_the_contract_is_signed_alike(void **state) {
    for (size_t i = 0; i < COUNT(vectors); i++) {
        struct request_signature signature;
        access_key_sign(*state, keys.primary, bytes_of_text(vectors[i].method), bytes_of_text(vectors[i].target),
                        bytes_of_text(vectors[i].host), bytes_of_text(vectors[i].body), NOW_MS, &signature);
        assert_true(bytes_equal_text(signature.date, DATE));
        assert_true(bytes_equal_text(signature.content_sha256, vectors[i].hash));
        assert_true(
            bytes_equal(signature.authorization, arena_printf(*state, "%s%s", SIGNED_AS, vectors[i].signature)));
    }
}

static void every_vector_of_the_contract_is_verified(void **state) {
    for (size_t i = 0; i < COUNT(vectors); i++) {
        struct signed_request request = {.method = bytes_of_text(vectors[i].method),
                                         .target = bytes_of_text(vectors[i].target),
                                         .authorization = arena_printf(*state, "%s%s", SIGNED_AS, vectors[i].signature),
                                         .date = BYTES_LITERAL(DATE),
                                         .host = bytes_of_text(vectors[i].host),
                                         .content_sha256 = bytes_of_text(vectors[i].hash),
                                         .body = bytes_of_text(vectors[i].body)};
        assert_int_equal(verify(&request), 0);
        if (request.body.size == 0) {
            request.body = BYTES_ABSENT;
            assert_int_equal(verify(&request), 0);
        }
    }
}

static void bodies_hash_as_the_contract_says(void **state) {
    const struct {
        const char *body;
        const char *hash;
    } rows[] = {
        {"", EMPTY_HASH},
        {"{}", "RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o="},
        {"{\"scopes\":[\"chat\"]}", "J+doRQjtFVYLx3qOvzptwBLjQWqy6OEWEEk1TY1+rT4="},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct request_signature signature;
        access_key_sign(*state, keys.primary, BYTES_LITERAL("POST"), BYTES_LITERAL("/"), BYTES_LITERAL("h"),
                        bytes_of_text(rows[i].body), NOW_MS, &signature);
        assert_true(bytes_equal_text(signature.content_sha256, rows[i].hash));
    }
}

static void the_scheme_and_the_names_may_have_any_case(void **state) {
    (void)state;
    struct signed_request request = example();
    request.authorization =
        BYTES_LITERAL("hmac-Sha256 signedheaders=X-Ms-Date;HOST;x-ms-Content-SHA256&SIGNATURE=" CREATE_SIGNATURE);
    assert_int_equal(verify(&request), 0);
}

/* The signature was computed apart from this code, over "POST\n<target>\n<host>;<hash>;<date>". */
static void the_order_of_signed_headers_is_the_clients(void **state) {
    (void)state;
    struct signed_request request = example();
    request.authorization =
        BYTES_LITERAL("HMAC-SHA256 SignedHeaders=host;x-ms-content-sha256;x-ms-date&Signature=" OTHER_ORDER_SIGNATURE);
    assert_int_equal(verify(&request), 0);
    request.authorization =
        BYTES_LITERAL("HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature=" OTHER_ORDER_SIGNATURE);
    assert_int_equal(verify(&request), STATUS_UNAUTHORIZED);
}

static void either_key_is_accepted_and_no_other(void **state) {
    (void)state;
    struct signed_request request = example();
    const char *reason;
    struct bytes right = keys.primary;
    struct bytes wrong = BYTES_LITERAL("another key");
    const struct {
        struct access_keys keys;
        int rc;
    } rows[] = {
        {{right, wrong}, 0},
        {{wrong, right}, 0},
        {{right, BYTES_ABSENT}, 0},
        {{BYTES_ABSENT, right}, 0},
        {{wrong, wrong}, STATUS_UNAUTHORIZED},
        {{BYTES_ABSENT, BYTES_ABSENT}, STATUS_UNAUTHORIZED},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_int_equal(access_key_verify(&rows[i].keys, &request, NOW_MS, SKEW_MS, &reason), rows[i].rc);
}

static void an_absent_key_does_not_verify_what_an_empty_key_signed(void **state) {
    struct request_signature signature;
    struct signed_request request = example();
    const struct access_keys no_keys[] = {{BYTES_ABSENT, BYTES_ABSENT}, {BYTES_LITERAL(""), BYTES_LITERAL("")}};
    const char *reason;
    access_key_sign(*state, BYTES_LITERAL(""), request.method, request.target, request.host, request.body, NOW_MS,
                    &signature);
    request.authorization = signature.authorization;
    for (size_t i = 0; i < COUNT(no_keys); i++)
        assert_int_equal(access_key_verify(&no_keys[i], &request, NOW_MS, SKEW_MS, &reason), STATUS_UNAUTHORIZED);
}

static void the_date_may_be_off_by_the_skew_and_no_more(void **state) {
    (void)state;
    struct signed_request request = example();
    const struct {
        int64_t now_ms;
        int rc;
    } rows[] = {
        {NOW_MS + SKEW_MS, 0},
        {NOW_MS - SKEW_MS, 0},
        {NOW_MS + SKEW_MS + 1, STATUS_UNAUTHORIZED},
        {NOW_MS - SKEW_MS - 1, STATUS_UNAUTHORIZED},
    };
    const char *reason;
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_int_equal(access_key_verify(&keys, &request, rows[i].now_ms, SKEW_MS, &reason), rows[i].rc);
}

static void a_change_of_anything_signed_is_noticed(void **state) {
    (void)state;
    struct signed_request request = example();
    request.method = BYTES_LITERAL("PUT");
    assert_int_equal(verify(&request), STATUS_UNAUTHORIZED);
    request = example();
    request.target = BYTES_LITERAL("/identities?api-version=2023-10-02");
    assert_int_equal(verify(&request), STATUS_UNAUTHORIZED);
    request = example();
    request.host = BYTES_LITERAL("localhost");
    assert_int_equal(verify(&request), STATUS_UNAUTHORIZED);
    request = example();
    request.date = BYTES_LITERAL("Fri, 02 Jan 2026 03:04:06 GMT");
    assert_int_equal(verify(&request), STATUS_UNAUTHORIZED);
    request = example();
    request.body = BYTES_LITERAL("{}");
    assert_int_equal(verify(&request), STATUS_UNAUTHORIZED);
    request.content_sha256 = BYTES_LITERAL("RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=");
    assert_int_equal(verify(&request), STATUS_UNAUTHORIZED);
}

static void the_signature_of_a_bridge_covers_who_it_is_and_for_whom_it_acts(void **state) {
    static const struct {
        const char *authorization, *bridge, *acting_as;
        int rc;
    } rows[] = {
        {SIGNED_BY_BRIDGE BRIDGE_SIGNATURE, "contoso", "8:orgid:ann", 0},
        {SIGNED_BY_BRIDGE BRIDGE_SIGNATURE, "contoso", "8:orgid:bob", STATUS_UNAUTHORIZED},
        {SIGNED_BY_BRIDGE BRIDGE_SIGNATURE, "fabrikam", "8:orgid:ann", STATUS_UNAUTHORIZED},
        {SIGNED_BY_BRIDGE BRIDGE_SIGNATURE, NULL, NULL, STATUS_UNAUTHORIZED},
        {SIGNED_AS CREATE_SIGNATURE, "contoso", "8:orgid:ann", STATUS_UNAUTHORIZED},
        {"HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256;x-weft-bridge&Signature=" CREATE_SIGNATURE,
         "contoso", "8:orgid:ann", STATUS_UNAUTHORIZED},
        {"HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256;x-weft-bridge;x-weft-bridge"
         "&Signature=" BRIDGE_SIGNATURE,
         "contoso", "contoso", STATUS_UNAUTHORIZED},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct signed_request request = example();
        request.authorization = bytes_of_text(rows[i].authorization);
        request.bridge = rows[i].bridge == NULL ? BYTES_ABSENT : bytes_of_text(rows[i].bridge);
        request.acting_as = rows[i].acting_as == NULL ? BYTES_ABSENT : bytes_of_text(rows[i].acting_as);
        assert_int_equal(verify(&request), rows[i].rc);
    }
}

static void a_missing_or_overlong_header_is_refused(void **state) {
    (void)state;
    static const uint8_t overlong[401];
    struct signed_request request = example();
    struct bytes *const headers[] = {&request.authorization, &request.date, &request.host, &request.content_sha256};
    for (size_t i = 0; i < COUNT(headers); i++) {
        request = example();
        *headers[i] = BYTES_ABSENT;
        assert_int_equal(verify(&request), STATUS_UNAUTHORIZED);
        *headers[i] = BYTES_LITERAL("");
        assert_int_equal(verify(&request), STATUS_UNAUTHORIZED);
        *headers[i] = bytes_of(overlong, sizeof(overlong));
        assert_int_equal(verify(&request), STATUS_UNAUTHORIZED);
    }
}

static void other_forms_of_authorization_are_refused(void **state) {
    (void)state;
    const char *values[] = {
        "Bearer abc",
        "HMAC-SHA256",
        "HMAC-SHA256 ",
        "HMAC-SHA512 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature=" CREATE_SIGNATURE,
        "HMAC-SHA256 Signature=" CREATE_SIGNATURE,
        "HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256",
        "HMAC-SHA256 SignedHeaders=&Signature=" CREATE_SIGNATURE,
        "HMAC-SHA256 SignedHeaders=x-ms-date;host&Signature=" CREATE_SIGNATURE,
        "HMAC-SHA256 SignedHeaders=host&Signature=" CREATE_SIGNATURE,
        "HMAC-SHA256 SignedHeaders=host;host;host&Signature=" HOSTS_SIGNATURE,
        "HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256;date&Signature=" CREATE_SIGNATURE,
        "HMAC-SHA256 SignedHeaders=x-ms-date;host;content-type&Signature=" CREATE_SIGNATURE,
        SIGNED_AS,
        SIGNED_AS "n/mbvYioAWgkFV2FIS1WbBLt0wF7sgkwSgj6ylS/FoA",
        SIGNED_AS "n/mbvYioAWgkFV2FIS1WbBLt0wF7sgkwSgj6ylS/FoB=",
        SIGNED_AS "n_mbvYioAWgkFV2FIS1WbBLt0wF7sgkwSgj6ylS_FoA=",
        SIGNED_AS CREATE_SIGNATURE "&Signature=" CREATE_SIGNATURE,
        SIGNED_AS CREATE_SIGNATURE "&Credential=x",
    };
    for (size_t i = 0; i < COUNT(values); i++) {
        struct signed_request request = example();
        request.authorization = bytes_of_text(values[i]);
        assert_int_equal(verify(&request), STATUS_UNAUTHORIZED);
    }
}

static void every_changed_byte_of_the_signature_is_noticed(void **state) {
    struct signed_request request = example();
    struct bytes right = request.authorization;
    uint8_t *changed = (uint8_t *)arena_text(*state, right);
    request.authorization = bytes_of(changed, right.size);
    for (size_t i = strlen(SIGNED_AS); i < right.size; i++) {
        changed[i] = right.data[i] == 'A' ? 'B' : 'A';
        assert_int_equal(verify(&request), STATUS_UNAUTHORIZED);
        changed[i] = right.data[i];
    }
    assert_int_equal(verify(&request), 0);
}

static void connection_strings_are_read(void **state) {
    const struct {
        const char *text;
        const char *endpoint; /* NULL: refused */
    } rows[] = {
        {"endpoint=https://host/;accesskey=MDEy", "https://host"},
        {"endpoint=https://host:8443;accesskey=MDEy", "https://host:8443"},
        {"Endpoint=https://host/;AccessKey=MDEy;", "https://host"},
        {"accesskey=MDEy;endpoint=http://127.0.0.1:8080/", "http://127.0.0.1:8080"},
        {"", NULL},
        {"endpoint=https://host/", NULL},
        {"accesskey=MDEy", NULL},
        {"endpoint=https://host/;accesskey=", NULL},
        {"endpoint=https://host/;accesskey=MDE", NULL},
        {"endpoint=https://host/;accesskey=M$Ey", NULL},
        {"endpoint=;accesskey=MDEy", NULL},
        {"endpoint=https:///;accesskey=MDEy", NULL},
        {"endpoint=ftp://host/;accesskey=MDEy", NULL},
        {"endpoint=https://ho st/;accesskey=MDEy", NULL},
        {"endpoint=https://a/;endpoint=https://b/;accesskey=MDEy", NULL},
        {"endpoint=https://a/;accesskey=MDEy;accesskey=MDEy", NULL},
        {"endpoint=https://a/;accesskey=MDEy;other=x", NULL},
        {"endpoint=x;endpoint=https://a/;accesskey=MDEy", NULL},
        {"https://host/", NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct bytes endpoint;
        struct bytes key;
        bool is_read = connection_string_parse(*state, bytes_of_text(rows[i].text), &endpoint, &key);
        assert_int_equal(is_read, rows[i].endpoint != NULL);
        if (is_read) {
            assert_true(bytes_equal_text(endpoint, rows[i].endpoint));
            assert_true(bytes_equal_text(key, "012"));
        }
    }
}

#define WITH_ARENA(test) cmocka_unit_test_setup_teardown(test, open_arena, close_arena)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_ARENA(every_vector_of_the_contract_is_signed_alike),
        WITH_ARENA(every_vector_of_the_contract_is_verified),
        WITH_ARENA(bodies_hash_as_the_contract_says),
        cmocka_unit_test(the_scheme_and_the_names_may_have_any_case),
        cmocka_unit_test(the_order_of_signed_headers_is_the_clients),
        cmocka_unit_test(either_key_is_accepted_and_no_other),
        WITH_ARENA(an_absent_key_does_not_verify_what_an_empty_key_signed),
        cmocka_unit_test(the_date_may_be_off_by_the_skew_and_no_more),
        cmocka_unit_test(a_change_of_anything_signed_is_noticed),
        cmocka_unit_test(the_signature_of_a_bridge_covers_who_it_is_and_for_whom_it_acts),
        cmocka_unit_test(a_missing_or_overlong_header_is_refused),
        cmocka_unit_test(other_forms_of_authorization_are_refused),
        WITH_ARENA(every_changed_byte_of_the_signature_is_noticed),
        WITH_ARENA(connection_strings_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
