/* Threads with events stay in the feed while nobody else leads their ranges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "node/events/feed.h"
#include "node/server_parts.h"
#include "proto/check.h"
#include "proto/status.h"

#define SELF 5
#define OTHER 7
#define THREADS 40 /* more than are looked at in a tick */

static struct server server;

static int set_up(void **state) {
    const struct bounds all = bounds_of_all();
    struct cluster_map map;
    (void)state;
    server = (struct server){.node_id = SELF, .feed = feed_new()};
    check(routing_open(&server) == STATUS_OK);
    cluster_map_init(&map);
    cluster_map_set(&map, 0, &all);
    route_map_write(server.routes, &map);
    cluster_map_close(&map);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    feed_free(server.feed);
    free(server.leads);
    free(server.routes);
    return 0;
}

static size_t left_of(uint64_t primary) {
    struct id_hash threads[THREADS];
    struct action action = {.kind = ACTION_EVENTS, .subjects = threads, .subjects_count = THREADS};
    for (unsigned i = 0; i < THREADS; i++)
        threads[i] = (struct id_hash){{(uint8_t)(i * 6)}};
    own_events_take(&server, &action);
    atomic_store(&server.leads[0].primary, primary);
    for (unsigned i = 0; i < THREADS; i++)
        own_events_tick(&server);
    return feed_count(server.feed);
}

static void threads_that_another_node_leads_go(void **state) {
    (void)state;
    assert_int_equal(left_of(OTHER), 0);
}

static void threads_led_here_stay_also_while_nobody_may_read(void **state) {
    (void)state;
    assert_int_equal(left_of(SELF), THREADS);
    assert_int_equal(left_of(0), THREADS); /* who leads is not known */
}

static void alone_all_is_led_here(void **state) {
    struct lead *leads = server.leads;
    (void)state;
    feed_add(server.feed, &(struct id_hash){{1}}, 1);
    server.leads = NULL;
    own_events_tick(&server);
    assert_int_equal(feed_count(server.feed), 1);
    server.leads = leads;
}

int main(void) {
#define OWN(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        OWN(threads_that_another_node_leads_go),
        OWN(threads_led_here_stay_also_while_nobody_may_read),
        OWN(alone_all_is_led_here),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
