/* Who holds an endpoint, which tickets were used, how often one allocates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/gateway/endpoint_registry.h"

static struct endpoint_registry *registry;

static int setup(void **state) {
    (void)state;
    registry = endpoint_registry_new();
    return 0;
}

static int teardown(void **state) {
    (void)state;
    endpoint_registry_free(registry);
    return 0;
}

static const struct id_hash PHONE = {{1}};
static const struct id_hash TABLET = {{2}};

static void the_newest_socket_holds_the_endpoint(void **state) {
    (void)state;
    struct endpoint_holder previous;
    uint64_t first = endpoint_claim(registry, &PHONE, 0, 0, &previous);
    assert_int_equal(previous.session, 0);
    uint64_t second = endpoint_claim(registry, &PHONE, 0, 1, &previous);
    assert_int_equal(previous.session, first);
    assert_int_equal(previous.worker, 0);
    assert_int_not_equal(second, first);
    struct endpoint_holder holder = endpoint_holder_find(registry, &PHONE);
    assert_int_equal(holder.session, second);
    assert_int_equal(holder.worker, 1);
}

static void endpoints_do_not_mix(void **state) {
    (void)state;
    struct endpoint_holder previous;
    endpoint_claim(registry, &PHONE, 0, 0, &previous);
    endpoint_claim(registry, &TABLET, 0, 0, &previous);
    assert_int_equal(previous.session, 0);
}

static void only_the_holder_releases(void **state) {
    (void)state;
    struct endpoint_holder previous;
    uint64_t first = endpoint_claim(registry, &PHONE, 0, 0, &previous);
    uint64_t second = endpoint_claim(registry, &PHONE, 0, 1, &previous);
    endpoint_release(registry, &PHONE, first);
    assert_int_equal(endpoint_holder_find(registry, &PHONE).session, second);
    endpoint_release(registry, &PHONE, second);
    assert_int_equal(endpoint_holder_find(registry, &PHONE).session, 0);
    endpoint_release(registry, &PHONE, second);
}

static void a_ticket_is_used_once_and_forgotten_when_it_is_too_old_anyway(void **state) {
    (void)state;
    const uint8_t one[16] = {1}, other[16] = {2};
    assert_true(ticket_use(registry, one, 0, 30000));
    assert_false(ticket_use(registry, one, 1, 30001));
    assert_true(ticket_use(registry, other, 2, 30002));
    assert_false(ticket_use(registry, one, 29999, 59999));
    assert_true(ticket_use(registry, one, 30000, 60000));
}

static void whoever_allocates_too_often_is_braked_for_a_while(void **state) {
    (void)state;
    for (uint64_t i = 0; i < ALLOCATIONS_MAX; i++)
        assert_true(allocation_allow(registry, &PHONE, 100 + i));
    assert_false(allocation_allow(registry, &PHONE, 200));
    assert_true(allocation_allow(registry, &TABLET, 200));
    assert_false(allocation_allow(registry, &PHONE, 100 + ALLOCATIONS_WINDOW_MS - 1));
    assert_true(allocation_allow(registry, &PHONE, 100 + ALLOCATIONS_WINDOW_MS));
}

static void what_is_remembered_is_bounded(void **state) {
    (void)state;
    uint8_t nonce[16] = {0};
    for (uint32_t i = 0; i < 150000; i++) {
        memcpy(nonce, &i, sizeof(i));
        assert_true(ticket_use(registry, nonce, 0, 30000));
    }
    assert_false(ticket_use(registry, nonce, 0, 30000));
    memset(nonce, 0, sizeof(nonce));
    assert_true(ticket_use(registry, nonce, 0, 30000));
}

static void the_node_that_leads_a_user_knows_who_held_her_endpoint_before(void **state) {
    (void)state;
    const struct endpoint_holder here = {.node = 1, .worker = 2, .session = 3};
    const struct endpoint_holder there = {.node = 2, .worker = 1, .session = 3};
    assert_int_equal(endpoint_place_claim(registry, &PHONE, &here, false).session, 0);
    assert_int_equal(endpoint_place_claim(registry, &TABLET, &there, false).session, 0);
    struct endpoint_holder previous = endpoint_place_claim(registry, &PHONE, &there, false);
    assert_int_equal(previous.node, here.node);
    assert_int_equal(previous.worker, here.worker);
    assert_int_equal(previous.session, here.session);
    assert_int_equal(endpoint_place_claim(registry, &PHONE, &here, false).node, 2);
}

static void saying_again_who_holds_an_endpoint_takes_it_from_nobody(void **state) {
    (void)state;
    const struct endpoint_holder older = {.node = 1, .session = 3};
    const struct endpoint_holder newer = {.node = 2, .session = 4};
    assert_int_equal(endpoint_place_claim(registry, &PHONE, &older, true).session, 0);
    assert_int_equal(endpoint_place_claim(registry, &PHONE, &newer, false).session, 3);
    assert_int_equal(endpoint_place_claim(registry, &PHONE, &older, true).session, 4);
    assert_int_equal(endpoint_place_claim(registry, &PHONE, &older, false).session, 4);
}

static void of_two_lives_of_a_node_no_session_has_the_same_number(void **state) {
    (void)state;
    struct endpoint_holder previous;
    struct endpoint_registry *other = endpoint_registry_new();
    assert_int_not_equal(endpoint_claim(registry, &PHONE, 0, 0, &previous),
                         endpoint_claim(other, &PHONE, 0, 0, &previous));
    endpoint_registry_free(other);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_newest_socket_holds_the_endpoint),
        TEST(endpoints_do_not_mix),
        TEST(only_the_holder_releases),
        TEST(a_ticket_is_used_once_and_forgotten_when_it_is_too_old_anyway),
        TEST(whoever_allocates_too_often_is_braked_for_a_while),
        TEST(what_is_remembered_is_bounded),
        TEST(the_node_that_leads_a_user_knows_who_held_her_endpoint_before),
        TEST(saying_again_who_holds_an_endpoint_takes_it_from_nobody),
        TEST(of_two_lives_of_a_node_no_session_has_the_same_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
