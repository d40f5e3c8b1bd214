#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "node/peer/peer_links.h"
#include "proto/check.h"
#include "proto/status.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define DEADLINE_MS 20000

/* Two nodes, 1 and 2, on one loop. */
struct node {
    struct world *world;
    struct peer_links *links;
    struct identity identity;
    uint64_t received, body_bytes, last_request;
    unsigned ups, downs;
    bool removes_peer; /* with the next packet */
};

struct world {
    uv_loop_t loop;
    struct node nodes[3];
};

static struct world world;

static struct node *node(uint64_t id) {
    return &world.nodes[id];
}

static void on_packet(void *context, uint64_t from, const struct packet *packet) {
    struct node *self = context;
    self->received++;
    self->body_bytes += packet->body.size;
    self->last_request = packet->request;
    if (self->removes_peer)
        peer_links_remove_peer(self->links, from);
}

static void on_state(void *context, uint64_t peer, bool is_up) {
    struct node *self = context;
    (void)peer;
    *(is_up ? &self->ups : &self->downs) += 1;
}

static struct peer_links_options options_of(uint64_t id) {
    return (struct peer_links_options){.loop = &world.loop,
                                       .self = id,
                                       .identity = &node(id)->identity,
                                       .listen = "127.0.0.1:0",
                                       .on_packet = on_packet,
                                       .on_state = on_state,
                                       .context = node(id)};
}

static void node_open(uint64_t id, const struct peer_links_options *options) {
    const char *reason = "";
    assert_int_equal(peer_links_open(options, &node(id)->links, &reason), STATUS_OK);
}

static int open_world(void **state) {
    (void)state;
    check(sodium_init() >= 0);
    world = (struct world){0};
    check(uv_loop_init(&world.loop) == 0);
    for (size_t id = 1; id <= 2; id++)
        crypto_sign_keypair(node(id)->identity.public_key, node(id)->identity.secret_key);
    return 0;
}

static int close_world(void **state) {
    (void)state;
    for (size_t id = 1; id <= 2; id++)
        if (node(id)->links != NULL)
            peer_links_close(node(id)->links, NULL, NULL);
    uv_run(&world.loop, UV_RUN_DEFAULT);
    return uv_loop_close(&world.loop);
}

static void introduce(uint64_t to, uint64_t peer) {
    char address[32];
    snprintf(address, sizeof(address), "127.0.0.1:%u", peer_links_port(node(peer)->links));
    assert_int_equal(peer_links_set_peer(node(to)->links, peer, address, node(peer)->identity.public_key), STATUS_OK);
}

static void open_both(void) {
    for (uint64_t id = 1; id <= 2; id++) {
        struct peer_links_options options = options_of(id);
        node_open(id, &options);
    }
    introduce(1, 2);
    introduce(2, 1);
}

static struct peer_link_statistics statistics_of(uint64_t id) {
    struct peer_link_statistics statistics;
    assert_int_equal(peer_links_statistics(node(id)->links, 3 - id, &statistics), STATUS_OK);
    return statistics;
}

/* Runs the loop until `condition`, which must come true before the deadline. */
#define RUN_UNTIL(condition)                                                                                           \
    do {                                                                                                               \
        uint64_t end_ms = uv_now(&world.loop) + DEADLINE_MS;                                                           \
        while (!(condition)) {                                                                                         \
            assert_true(uv_now(&world.loop) < end_ms);                                                                 \
            uv_run(&world.loop, UV_RUN_ONCE);                                                                          \
        }                                                                                                              \
    } while (0)

static void run_until_both_are_up(void) {
    RUN_UNTIL(statistics_of(1).is_up && statistics_of(2).is_up);
}

static int send_request(uint64_t from, uint64_t to, uint64_t request, size_t body_bytes) {
    uint8_t *body = calloc(1, body_bytes + 1);
    struct packet packet = {.kind = PACKET_REQUEST, .request = request, .body = bytes_of(body, body_bytes)};
    int rc = peer_links_send(node(from)->links, to, &packet);
    free(body);
    return rc;
}

static void packets_of_one_turn_share_a_message(void **state) {
    (void)state;
    open_both();
    run_until_both_are_up();
    assert_int_equal(node(1)->ups, 1);
    assert_int_equal(statistics_of(1).version, PACKET_PROTOCOL_NEWEST);
    uint64_t before = statistics_of(1).messages_sent;
    for (uint64_t i = 1; i <= 100; i++)
        assert_int_equal(send_request(1, 2, i, 10), STATUS_OK);
    peer_links_flush(node(1)->links);
    assert_int_equal(statistics_of(1).messages_sent, before + 1);
    RUN_UNTIL(node(2)->received == 100);
    assert_int_equal(node(2)->last_request, 100);
    assert_int_equal(statistics_of(1).packets_sent, 100);
    assert_int_equal(statistics_of(2).packets_received, 100);
    RUN_UNTIL(statistics_of(1).unacknowledged_bytes == 0);
}

static void packets_larger_than_a_message_arrive_and_too_large_ones_are_refused(void **state) {
    (void)state;
    open_both();
    run_until_both_are_up();
    size_t large = PEER_LINKS_PACKET_BYTES_MAX - 100;
    assert_int_equal(send_request(1, 2, 1, 100), STATUS_OK);
    assert_int_equal(send_request(1, 2, 2, large), STATUS_OK);
    assert_int_equal(send_request(1, 2, 3, 100), STATUS_OK);
    assert_int_equal(send_request(1, 2, 4, PEER_LINKS_PACKET_BYTES_MAX), STATUS_REQUEST_ENTITY_TOO_LARGE);
    RUN_UNTIL(node(2)->received == 3);
    assert_int_equal(node(2)->body_bytes, large + 200);
    assert_int_equal(statistics_of(1).packets_dropped, 0);
}

static void the_window_holds_back_and_the_queue_is_bounded(void **state) {
    (void)state;
    open_both();
    run_until_both_are_up();
    for (uint64_t i = 0; i < 2000; i++) /* 20 MB in one turn: nobody reads meanwhile */
        send_request(1, 2, i, 10000);
    peer_links_flush(node(1)->links);
    struct peer_link_statistics s = statistics_of(1);
    assert_true(s.packets_dropped > 0 && s.queue_bytes <= PEER_LINKS_QUEUE_BYTES_MAX);
    assert_in_range(s.unacknowledged_bytes, 512 * 1024, 1024 * 1024);
    RUN_UNTIL(statistics_of(1).queue_bytes == 0 && statistics_of(1).unacknowledged_bytes == 0);
    assert_int_equal(node(2)->received, 2000 - statistics_of(1).packets_dropped);
    assert_int_equal(node(2)->last_request, 1999);
}

static void what_waits_for_a_peer_that_is_down_is_little(void **state) {
    struct peer_links_options options = options_of(1);
    (void)state;
    node_open(1, &options);
    assert_int_equal(peer_links_set_peer(node(1)->links, 2, "127.0.0.1:9", node(2)->identity.public_key), STATUS_OK);
    for (uint64_t i = 0; i < 100; i++)
        assert_int_equal(send_request(1, 2, i, 10000), STATUS_OK);
    assert_true(statistics_of(1).queue_bytes <= PEER_LINKS_QUEUE_DOWN_BYTES_MAX);
    assert_true(statistics_of(1).packets_dropped > 50);
    assert_false(statistics_of(1).is_up);
}

static void sending_to_nobody_is_an_error(void **state) {
    struct peer_links_options options = options_of(1);
    struct peer_link_statistics statistics;
    (void)state;
    node_open(1, &options);
    assert_int_equal(send_request(1, 2, 1, 1), STATUS_NOT_FOUND);
    assert_int_equal(peer_links_statistics(node(1)->links, 2, &statistics), STATUS_NOT_FOUND);
    peer_links_remove_peer(node(1)->links, 2);
}

static void addresses_without_form_are_refused(void **state) {
    const char *const rows[] = {"",        "host",       ":1",           "host:",       "host:x", "host:1x",
                                "host:-1", "host:65536", "tcp://host:1", "host:1/path", "a b:1"};
    struct peer_links_options options = options_of(1);
    const char *reason = "";
    (void)state;
    node_open(1, &options);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct peer_links *links;
        struct peer_links_options wrong = options_of(2);
        wrong.listen = rows[i];
        assert_int_equal(peer_links_open(&wrong, &links, &reason), STATUS_BAD_REQUEST);
        assert_int_equal(peer_links_set_peer(node(1)->links, 2, rows[i], node(2)->identity.public_key),
                         STATUS_BAD_REQUEST);
    }
    assert_int_equal(peer_links_set_peer(node(1)->links, 0, "host:1", node(2)->identity.public_key),
                     STATUS_BAD_REQUEST);
    assert_int_equal(peer_links_set_peer(node(1)->links, 1, "host:1", node(2)->identity.public_key),
                     STATUS_BAD_REQUEST);
}

static void an_address_that_is_in_use_or_not_ours_is_a_conflict(void **state) {
    struct peer_links_options options = options_of(1);
    struct peer_links *links;
    const char *reason = "";
    char address[32];
    (void)state;
    node_open(1, &options);
    snprintf(address, sizeof(address), "127.0.0.1:%u", peer_links_port(node(1)->links));
    options.listen = address;
    assert_int_equal(peer_links_open(&options, &links, &reason), STATUS_CONFLICT);
    assert_string_equal(reason, "the address for other nodes is in use");
    options.listen = "192.0.2.77:1";
    assert_int_equal(peer_links_open(&options, &links, &reason), STATUS_CONFLICT);
}

static void a_peer_may_be_removed_while_its_packets_are_delivered(void **state) {
    struct peer_link_statistics statistics;
    (void)state;
    open_both();
    run_until_both_are_up();
    node(2)->removes_peer = true;
    for (uint64_t i = 0; i < 10; i++)
        send_request(1, 2, i, 10);
    RUN_UNTIL(node(2)->received > 0);
    assert_int_equal(node(2)->received, 1);
    assert_int_equal(peer_links_statistics(node(2)->links, 1, &statistics), STATUS_NOT_FOUND);
    RUN_UNTIL(!statistics_of(1).is_up);
    assert_int_equal(node(1)->downs, 1);
    assert_true(peer_links_strangers(node(2)->links) > 0);
    /* And come back. */
    node(2)->removes_peer = false;
    introduce(2, 1);
    run_until_both_are_up();
    send_request(1, 2, 77, 10);
    RUN_UNTIL(node(2)->last_request == 77);
}

static void a_peer_with_another_key_is_another_one(void **state) {
    uint8_t other_key[IDENTITY_PUBLIC_KEY_BYTES], secret_key[IDENTITY_SECRET_KEY_BYTES];
    char address[32];
    (void)state;
    open_both();
    run_until_both_are_up();
    crypto_sign_keypair(other_key, secret_key);
    snprintf(address, sizeof(address), "127.0.0.1:%u", peer_links_port(node(2)->links));
    assert_int_equal(peer_links_set_peer(node(1)->links, 2, address, other_key), STATUS_OK);
    assert_int_equal(node(1)->downs, 1);
    RUN_UNTIL(statistics_of(1).messages_forged > 0);
    send_request(2, 1, 5, 10);
    RUN_UNTIL(!statistics_of(2).is_up);
    assert_int_equal(node(1)->received, 0);
    introduce(1, 2);
    run_until_both_are_up();
}

static void a_peer_that_moves_is_found_at_its_new_address(void **state) {
    struct peer_links_options options = options_of(2);
    (void)state;
    open_both();
    run_until_both_are_up();
    peer_links_close(node(2)->links, NULL, NULL);
    node_open(2, &options);
    introduce(2, 1);
    introduce(1, 2);
    RUN_UNTIL(statistics_of(1).sessions == 2);
    run_until_both_are_up();
    send_request(1, 2, 9, 10);
    RUN_UNTIL(node(2)->last_request == 9);
}

static void nodes_without_a_common_version_do_not_talk(void **state) {
    struct peer_links_options options = options_of(1), newer = options_of(2);
    (void)state;
    node_open(1, &options);
    newer.protocol_oldest = PACKET_PROTOCOL_NEWEST + 1;
    newer.protocol_newest = PACKET_PROTOCOL_NEWEST + 2;
    node_open(2, &newer);
    introduce(1, 2);
    introduce(2, 1);
    send_request(1, 2, 1, 10);
    RUN_UNTIL(statistics_of(1).messages_sent > 4 && statistics_of(2).messages_sent > 4);
    assert_int_equal(statistics_of(1).sessions + statistics_of(2).sessions, 0);
    assert_int_equal(node(2)->received, 0);
}

static size_t descriptors_count(void) {
    size_t count = 0;
    DIR *folder = opendir("/proc/self/fd");
    assert_non_null(folder);
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count;
}

static void peers_that_come_and_go_share_sockets(void **state) {
    struct peer_links_options options = options_of(1);
    (void)state;
    node_open(1, &options);
    size_t before = 0;
    for (uint64_t id = 2; id < 300; id++) {
        assert_int_equal(peer_links_set_peer(node(1)->links, id, "127.0.0.1:9", node(2)->identity.public_key),
                         STATUS_OK);
        peer_links_remove_peer(node(1)->links, id);
        uv_run(&world.loop, UV_RUN_NOWAIT);
        if (id == 10)
            before = descriptors_count();
    }
    RUN_UNTIL(descriptors_count() <= before + 5); /* connections end on nng's threads, sockets stay for the next peer */
}

int main(void) {
#define LINKS(test) cmocka_unit_test_setup_teardown(test, open_world, close_world)
    const struct CMUnitTest tests[] = {
        LINKS(packets_of_one_turn_share_a_message),
        LINKS(packets_larger_than_a_message_arrive_and_too_large_ones_are_refused),
        LINKS(the_window_holds_back_and_the_queue_is_bounded),
        LINKS(what_waits_for_a_peer_that_is_down_is_little),
        LINKS(sending_to_nobody_is_an_error),
        LINKS(addresses_without_form_are_refused),
        LINKS(an_address_that_is_in_use_or_not_ours_is_a_conflict),
        LINKS(a_peer_may_be_removed_while_its_packets_are_delivered),
        LINKS(a_peer_with_another_key_is_another_one),
        LINKS(a_peer_that_moves_is_found_at_its_new_address),
        LINKS(nodes_without_a_common_version_do_not_talk),
        LINKS(peers_that_come_and_go_share_sockets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
