/* What is said to etcd, and what of its answers is believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/coordinator/etcd_json.h"
#include "proto/status.h"

#define ROOT BYTES_LITERAL("w/")
/* "w/a", "w/b", "x/a", "hello" */
#define W_A "dy9h"
#define W_B "dy9i"
#define X_A "eC9h"
#define HELLO "aGVsbG8="

static struct arena arena;
static struct buffer out;

static int set_up(void **state) {
    (void)state;
    arena_init(&arena);
    buffer_init(&out);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    buffer_close(&out);
    arena_close(&arena);
    return 0;
}

static void expect_out(const char *text) {
    buffer_append(&out, "", 1);
    assert_string_equal((const char *)out.data, text);
    out.size = 0;
}

static void requests_are_as_the_gateway_wants_them(void **state) {
    struct etcd_range_request range = {.prefix = ROOT};
    (void)state;
    etcd_get_encode(&out, BYTES_LITERAL("w/a"));
    expect_out("{\"key\":\"" W_A "\"}");
    etcd_range_encode(&out, &range);
    expect_out("{\"key\":\"dy8=\",\"range_end\":\"dzA=\"}"); /* "w/" to "w0" */
    range.revision = UINT64_MAX;
    range.is_keys_only = true;
    etcd_range_encode(&out, &range);
    expect_out("{\"key\":\"dy8=\",\"range_end\":\"dzA=\",\"revision\":\"18446744073709551615\",\"keys_only\":true}");
    range = (struct etcd_range_request){.prefix = BYTES_LITERAL("w/ranges/0"), .is_count_only = true};
    etcd_range_encode(&out, &range);
    expect_out("{\"key\":\"dy9yYW5nZXMvMA==\",\"range_end\":\"dy9yYW5nZXMvMQ==\",\"count_only\":true}");
    const struct etcd_swap swaps[] = {{BYTES_LITERAL("w/a"), 7, BYTES_LITERAL("hello")},
                                      {BYTES_LITERAL("w/a"), 0, BYTES_LITERAL("hello")}};
    etcd_swap_encode(&out, swaps, 1);
    expect_out("{\"compare\":[{\"key\":\"" W_A "\",\"target\":\"MOD\",\"result\":\"EQUAL\",\"mod_revision\":\"7\"}],"
               "\"success\":[{\"request_put\":{\"key\":\"" W_A "\",\"value\":\"" HELLO "\"}}]}");
    etcd_swap_encode(&out, swaps, 2);
    expect_out("{\"compare\":[{\"key\":\"" W_A "\",\"target\":\"MOD\",\"result\":\"EQUAL\",\"mod_revision\":\"7\"},"
               "{\"key\":\"" W_A "\",\"target\":\"MOD\",\"result\":\"EQUAL\",\"mod_revision\":\"0\"}],"
               "\"success\":[{\"request_put\":{\"key\":\"" W_A "\",\"value\":\"" HELLO "\"}},"
               "{\"request_put\":{\"key\":\"" W_A "\",\"value\":\"" HELLO "\"}}]}");
    etcd_remove_encode(&out, BYTES_LITERAL("w/a"), 7);
    expect_out("{\"compare\":[{\"key\":\"" W_A "\",\"target\":\"MOD\",\"result\":\"EQUAL\",\"mod_revision\":\"7\"}],"
               "\"success\":[{\"request_delete_range\":{\"key\":\"" W_A "\"}}]}");
    etcd_create_encode(&out, BYTES_LITERAL("w/a"), BYTES_LITERAL("hello"), 9);
    expect_out("{\"compare\":[{\"key\":\"" W_A "\",\"target\":\"MOD\",\"result\":\"EQUAL\",\"mod_revision\":\"0\"}],"
               "\"success\":[{\"request_put\":{\"key\":\"" W_A "\",\"value\":\"" HELLO "\",\"lease\":\"9\"}}]}");
    etcd_put_encode(&out, BYTES_LITERAL("w/a"), BYTES_LITERAL(""), 9);
    expect_out("{\"key\":\"" W_A "\",\"value\":\"\",\"lease\":\"9\"}");
    etcd_lease_grant_encode(&out, 5);
    expect_out("{\"TTL\":\"5\"}");
    etcd_lease_encode(&out, 1418812017693266699);
    expect_out("{\"ID\":\"1418812017693266699\"}");
    etcd_watch_encode(&out, ROOT, 8);
    expect_out("{\"create_request\":{\"key\":\"dy8=\",\"range_end\":\"dzA=\",\"start_revision\":\"8\","
               "\"progress_notify\":true}}");
    etcd_login_encode(&out, "a\"b", "c\\d");
    expect_out("{\"name\":\"a\\\"b\",\"password\":\"c\\\\d\"}");
}

static void a_range_gives_names_values_and_versions(void **state) {
    struct etcd_range range;
    (void)state;
    assert_int_equal(
        etcd_range_decode(BYTES_LITERAL("{\"header\":{\"revision\":\"12\"},\"kvs\":["
                                        "{\"key\":\"" W_A "\",\"mod_revision\":\"9\",\"value\":\"" HELLO "\"},"
                                        "{\"key\":\"" W_B "\",\"mod_revision\":\"12\"}],\"count\":\"2\"}"),
                          ROOT, &arena, &range),
        STATUS_OK);
    assert_int_equal(range.revision, 12);
    assert_int_equal(range.count, 2);
    assert_true(bytes_equal_text(range.items[0].name, "a") && bytes_equal_text(range.items[0].value, "hello"));
    assert_int_equal(range.items[0].version, 9);
    assert_true(bytes_equal_text(range.items[1].name, "b"));
    assert_true(bytes_is_present(range.items[1].value) && range.items[1].value.size == 0);
    assert_int_equal(etcd_range_decode(BYTES_LITERAL("{\"header\":{\"revision\":\"3\"}}"), ROOT, &arena, &range),
                     STATUS_OK);
    assert_int_equal(range.count, 0);
}

static void a_swap_says_whether_it_happened(void **state) {
    bool is_swapped = false;
    uint64_t revision = 0;
    (void)state;
    assert_int_equal(etcd_swap_decode(BYTES_LITERAL("{\"header\":{\"revision\":\"12\"},\"succeeded\":true}"),
                                      &is_swapped, &revision),
                     STATUS_OK);
    assert_true(is_swapped);
    assert_int_equal(revision, 12);
    assert_int_equal(etcd_swap_decode(BYTES_LITERAL("{\"header\":{\"revision\":\"12\"}}"), &is_swapped, &revision),
                     STATUS_OK);
    assert_false(is_swapped);
    assert_int_equal(etcd_swap_decode(BYTES_LITERAL("{\"succeeded\":true}"), &is_swapped, &revision), STATUS_MALFORMED);
}

static void leases_are_granted_kept_and_gone(void **state) {
    uint64_t lease;
    unsigned ttl_s;
    (void)state;
    assert_int_equal(etcd_lease_decode(BYTES_LITERAL("{\"header\":{},\"ID\":\"1418812017693266699\",\"TTL\":\"5\"}"),
                                       &lease, &ttl_s),
                     STATUS_OK);
    assert_true(lease == 1418812017693266699 && ttl_s == 5);
    assert_int_equal(
        etcd_lease_decode(BYTES_LITERAL("{\"result\":{\"header\":{},\"ID\":\"123\",\"TTL\":\"4\"}}"), &lease, &ttl_s),
        STATUS_OK);
    assert_true(lease == 123 && ttl_s == 4);
    assert_int_equal(etcd_lease_decode(BYTES_LITERAL("{\"result\":{\"header\":{},\"ID\":\"123\"}}"), &lease, &ttl_s),
                     STATUS_OK);
    assert_int_equal(ttl_s, 0);
    assert_int_equal(etcd_lease_decode(BYTES_LITERAL("{\"ID\":\"1\",\"TTL\":\"4294967296\"}"), &lease, &ttl_s),
                     STATUS_MALFORMED);
    assert_int_equal(etcd_lease_decode(BYTES_LITERAL("{\"ID\":\"1\",\"TTL\":\"-1\"}"), &lease, &ttl_s),
                     STATUS_MALFORMED);
}

static void a_watch_tells_puts_and_removals_in_order(void **state) {
    struct etcd_watch_news news;
    (void)state;
    assert_int_equal(etcd_watch_decode(BYTES_LITERAL("{\"result\":{\"header\":{\"revision\":\"3\"},\"created\":true}}"),
                                       ROOT, &arena, &news),
                     STATUS_OK);
    assert_true(news.is_created && !news.is_canceled);
    assert_int_equal(news.synced_revision, 0);
    assert_int_equal(
        etcd_watch_decode(BYTES_LITERAL("{\"result\":{\"header\":{\"revision\":\"9\"},\"events\":["
                                        "{\"kv\":{\"key\":\"" W_A "\",\"mod_revision\":\"7\",\"value\":\"" HELLO "\"}},"
                                        "{\"type\":\"DELETE\",\"kv\":{\"key\":\"" W_B "\",\"mod_revision\":\"8\"}}]}}"),
                          ROOT, &arena, &news),
        STATUS_OK);
    assert_int_equal(news.events_count, 2);
    assert_true(bytes_equal_text(news.events[0].value, "hello") && news.events[0].version == 7);
    assert_true(bytes_equal_text(news.events[1].name, "b") && !bytes_is_present(news.events[1].value));
    assert_int_equal(news.events[1].version, 8);
    /* The store's revision may be ahead of the events that were sent. */
    assert_int_equal(news.synced_revision, 0);
    assert_int_equal(
        etcd_watch_decode(BYTES_LITERAL("{\"result\":{\"header\":{\"revision\":\"20\"}}}"), ROOT, &arena, &news),
        STATUS_OK);
    assert_int_equal(news.synced_revision, 20);
}

static void the_end_of_a_watch_says_why(void **state) {
    struct etcd_watch_news news;
    (void)state;
    assert_int_equal(etcd_watch_decode(BYTES_LITERAL("{\"result\":{\"header\":{},\"canceled\":true,"
                                                     "\"compact_revision\":\"3\"}}"),
                                       ROOT, &arena, &news),
                     STATUS_OK);
    assert_true(news.is_canceled && news.is_compacted);
    assert_int_equal(etcd_watch_decode(BYTES_LITERAL("{\"result\":{\"header\":{},\"created\":true,\"canceled\":true,"
                                                     "\"cancel_reason\":\"no\"}}"),
                                       ROOT, &arena, &news),
                     STATUS_OK);
    assert_true(news.is_canceled && !news.is_compacted);
    assert_true(bytes_equal_text(news.reason, "no"));
}

static void errors_are_recognised_in_both_their_forms(void **state) {
    struct etcd_error error;
    (void)state;
    assert_int_equal(
        etcd_error_decode(BYTES_LITERAL("{\"error\":\"a\",\"message\":\"etcdserver: b\",\"code\":5}"), &arena, &error),
        STATUS_OK);
    assert_true(bytes_equal_text(error.message, "etcdserver: b") && error.code == 5);
    assert_int_equal(etcd_error_decode(BYTES_LITERAL("{\"error\":{\"grpc_code\":14,\"http_code\":503,"
                                                     "\"message\":\"etcdserver: no leader\"}}"),
                                       &arena, &error),
                     STATUS_OK);
    assert_true(bytes_equal_text(error.message, "etcdserver: no leader") && error.code == 14);
    assert_int_equal(etcd_error_decode(BYTES_LITERAL("{\"result\":{}}"), &arena, &error), STATUS_OK);
    assert_false(bytes_is_present(error.message));
    assert_int_equal(etcd_error_decode(BYTES_LITERAL("Not Found\n"), &arena, &error), STATUS_MALFORMED);
}

static void what_etcd_does_not_send_is_refused(void **state) {
    static const char *const ranges[] = {
        "",
        "[]",
        "{",
        "{\"kvs\":{}}",
        "{\"kvs\":[1]}",
        "{\"header\":{\"revision\":\"x\"}}",
        "{\"header\":{\"revision\":\"\"}}",
        "{\"header\":{\"revision\":-1}}",
        "{\"header\":{\"revision\":\"18446744073709551616\"}}",
        "{\"header\":{\"revision\":\"000000000000000000001\"}}",
        "{\"kvs\":[{\"key\":\"" W_A "\"}]}",                                        /* no version */
        "{\"kvs\":[{\"key\":\"" X_A "\",\"mod_revision\":\"1\"}]}",                 /* not ours */
        "{\"kvs\":[{\"key\":\"dw==\",\"mod_revision\":\"1\"}]}",                    /* shorter than the root */
        "{\"kvs\":[{\"key\":\"dy9\",\"mod_revision\":\"1\"}]}",                     /* half a base64 */
        "{\"kvs\":[{\"key\":\"" W_A "\",\"mod_revision\":\"1\",\"value\":\"*\"}]}", /* none */
        "{\"kvs\":[{\"key\":\"" W_A "\",\"mod_revision\":\"1\",\"value\":7}]}",
    };
    static const char *const lines[] = {
        "{}", "{\"result\":[]}", "{\"result\":{\"events\":{}}}", "{\"result\":{\"events\":[{}]}}",
        "{\"result\":{\"events\":[{\"type\":\"DELETED\",\"kv\":{\"key\":\"" W_A "\",\"mod_revision\":\"1\"}}]}}"};
    static const char *const logins[] = {"{}", "{\"token\":\"\"}", "{\"token\":\"a\\r\\nb\"}", "{\"token\":7}"};
    struct etcd_range range;
    struct etcd_watch_news news;
    char *token;
    (void)state;
    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
        assert_int_equal(etcd_range_decode(bytes_of_text(ranges[i]), ROOT, &arena, &range), STATUS_MALFORMED);
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        assert_int_equal(etcd_watch_decode(bytes_of_text(lines[i]), ROOT, &arena, &news), STATUS_MALFORMED);
    for (size_t i = 0; i < sizeof(logins) / sizeof(logins[0]); i++)
        assert_int_equal(etcd_login_decode(bytes_of_text(logins[i]), &arena, &token), STATUS_MALFORMED);
    assert_int_equal(etcd_login_decode(BYTES_LITERAL("{\"header\":{},\"token\":\"ab.9\"}"), &arena, &token), STATUS_OK);
    assert_string_equal(token, "ab.9");
}

int main(void) {
#define JSON(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        JSON(requests_are_as_the_gateway_wants_them),    JSON(a_range_gives_names_values_and_versions),
        JSON(a_swap_says_whether_it_happened),           JSON(leases_are_granted_kept_and_gone),
        JSON(a_watch_tells_puts_and_removals_in_order),  JSON(the_end_of_a_watch_says_why),
        JSON(errors_are_recognised_in_both_their_forms), JSON(what_etcd_does_not_send_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
