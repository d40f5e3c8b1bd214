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

#define EPOCH 7

static const struct endpoint_holder HERE = {.node = 1, .worker = 2, .session = 3};
static const struct endpoint_holder THERE = {.node = 2, .worker = 1, .session = 3};
static const struct endpoint_holder NOBODY = {0};

/* Returns the turn. */
static uint64_t claim_in(uint64_t epoch, const struct id_hash *endpoint, const struct endpoint_holder *holder,
                         const struct endpoint_holder *expected) {
    struct endpoint_holder previous;
    uint64_t turn = endpoint_place_claim(registry, endpoint, holder, epoch, &previous);
    assert_true(endpoint_holder_equal(&previous, expected));
    assert_int_equal(previous.worker, expected->worker);
    return turn;
}

/* Who holds it, when `holder` says that it does by the claim of that turn. */
static void renew_in(uint64_t epoch, const struct endpoint_holder *holder, uint64_t turn,
                     const struct endpoint_holder *expected) {
    struct endpoint_place place = {.holder = *holder, .turn = turn};
    place = endpoint_place_renew(registry, &PHONE, &place, epoch);
    assert_true(endpoint_holder_equal(&place.holder, expected));
}

static void the_node_that_leads_a_user_knows_who_held_her_endpoint_before(void **state) {
    (void)state;
    claim_in(EPOCH, &PHONE, &HERE, &NOBODY);
    claim_in(EPOCH, &TABLET, &THERE, &NOBODY);
    claim_in(EPOCH, &PHONE, &THERE, &HERE);
    claim_in(EPOCH, &PHONE, &HERE, &THERE);
}

static void saying_again_who_holds_an_endpoint_takes_it_from_nobody(void **state) {
    (void)state;
    uint64_t older = claim_in(EPOCH, &PHONE, &HERE, &NOBODY);
    uint64_t newer = claim_in(EPOCH, &PHONE, &THERE, &HERE);
    assert_true(older < newer);
    renew_in(EPOCH, &HERE, older, &THERE);
    renew_in(EPOCH, &THERE, newer, &THERE);
    claim_in(EPOCH, &PHONE, &HERE, &THERE);
}

static void what_was_said_before_others_led_counts_for_nothing(void **state) {
    (void)state;
    uint64_t here = claim_in(EPOCH, &PHONE, &HERE, &NOBODY);
    uint64_t there = claim_in(EPOCH + 1, &PHONE, &THERE, &NOBODY);
    assert_true(here < there);
    renew_in(EPOCH + 2, &THERE, there, &THERE);
    claim_in(EPOCH + 2, &PHONE, &HERE, &THERE);
}

static void whoever_claimed_last_holds_it_in_whatever_order_that_is_said_again(void **state) {
    (void)state;
    uint64_t older = claim_in(EPOCH, &PHONE, &HERE, &NOBODY);
    uint64_t newer = claim_in(EPOCH, &PHONE, &THERE, &HERE);
    renew_in(EPOCH + 1, &HERE, older, &HERE);
    renew_in(EPOCH + 1, &THERE, newer, &THERE);
    renew_in(EPOCH + 1, &HERE, older, &THERE);
    renew_in(EPOCH + 2, &THERE, newer, &THERE);
    renew_in(EPOCH + 2, &HERE, older, &THERE);
}

static void nobody_takes_an_endpoint_from_herself(void **state) {
    (void)state;
    claim_in(EPOCH, &PHONE, &HERE, &NOBODY);
    claim_in(EPOCH, &PHONE, &HERE, &NOBODY);
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
        TEST(what_was_said_before_others_led_counts_for_nothing),
        TEST(whoever_claimed_last_holds_it_in_whatever_order_that_is_said_again),
        TEST(nobody_takes_an_endpoint_from_herself),
        TEST(of_two_lives_of_a_node_no_session_has_the_same_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
