/* An endpoint of the official SDK whose sockets are on different nodes: two gateways, each with its own store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/two_gateways.h"

static struct two_gateways all;

static int open_both(void **state) {
    (void)state;
    two_open_with(&all, false, true);
    return 0;
}

static int close_both(void **state) {
    (void)state;
    two_close(&all);
    for (unsigned i = 0; i < GATEWAYS; i++)
        if (all.nodes[i].listened != NULL)
            fail_msg("a node listens to something for nobody");
    return 0;
}

/* ---- the official client ---- */

struct client {
    int fd;
    char text[128 * 1024]; /* everything that has come */
    size_t size;
    size_t at; /* what was awaited lies before */
};

/* In this order. */
static void await(struct client *client, const char *wanted) {
    const char *found;
    while ((found = strstr(client->text + client->at, wanted)) == NULL) {
        size_t room = sizeof(client->text) - 1 - client->size;
        ssize_t received = room == 0 ? 0 : recv(client->fd, client->text + client->size, room, 0);
        if (received <= 0)
            fail_msg("'%s' never came, but:\n%s", wanted, client->text + client->at);
        /* Headers of frames may hold zeros. */
        for (ssize_t i = 0; i < received; i++, client->size++)
            if (client->text[client->size] == '\0')
                client->text[client->size] = ' ';
        client->text[client->size] = '\0';
    }
    client->at = (size_t)(found - client->text) + strlen(wanted);
}

/* With a mask of zeros. */
static void packet_write(struct client *client, struct bytes packet) {
    uint8_t head[6] = {0x81, (uint8_t)(0x80 | packet.size)};
    assert_in_range(packet.size, 1, 125);
    two_write(client->fd, bytes_of(head, sizeof(head)));
    two_write(client->fd, packet);
}

static void ping(struct client *client) {
    packet_write(client, BYTES_LITERAL("5:1+::{\"name\":\"ping\"}"));
    await(client, "6:::1+[]");
}

static const char *token_header(const struct two_user *user) {
    return arena_text(&all.arena, arena_printf(&all.arena, "X-Skypetoken: %.*s\r\n", BYTES_ARG(user->token)));
}

/* A step of the way to the socket, at that node. */
static struct client_answer step(const struct two_user *user, unsigned at, const char *method, struct bytes target) {
    struct client_answer answer =
        two_call(&all, &all.arena, at, user, method, arena_text(&all.arena, target), token_header(user), "");
    assert_int_equal(answer.status, 200);
    return answer;
}

/* A socket at that node, which another one has allocated. */
static struct client *client_open(unsigned at, const struct two_user *user, const char *endpoint) {
    struct arena *arena = &all.arena;
    struct client *client = calloc(1, sizeof(*client));
    assert_non_null(client);
    struct client_answer allocated = step(user, 1 - at, "POST", arena_printf(arena, "/v4/a?epid=%s", endpoint));
    struct bytes ticket = two_member(allocated.text, "sr");
    struct client_answer shaken =
        step(user, at, "GET", arena_printf(arena, "/socket.io/1/?epid=%s&sr=%.*s", endpoint, BYTES_ARG(ticket)));
    const char *sid = strstr(shaken.text, "\r\n\r\n") + 4;
    client->fd = two_connect(&all.nodes[at]);
    two_write(client->fd,
              arena_printf(arena,
                           "GET /socket.io/1/websocket/%.*s?epid=%s HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\n"
                           "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                           (int)strcspn(sid, ":"), sid, endpoint));
    await(client, "1::");
    await(client, "trouter.connected");
    return client;
}

static void client_close(struct client *client) {
    close(client->fd);
    free(client);
}

/* ---- what happens to threads ---- */

static const char *thread_new(const struct two_user *user) {
    struct bytes id = two_repeatability_id(&all, user, 0);
    const char *header =
        arena_text(&all.arena, arena_printf(&all.arena, "repeatability-request-id: %.*s\r\n", BYTES_ARG(id)));
    struct client_answer answer =
        two_call(&all, &all.arena, 0, user, "POST", "/chat/threads?" API, header, "{\"topic\":\"t\"}");
    assert_int_equal(answer.status, 201);
    return arena_text(&all.arena, two_member(answer.text, "id"));
}

static void message_send(const struct two_user *user, const char *thread, const char *content) {
    const char *target = arena_text(&all.arena, arena_printf(&all.arena, "/chat/threads/%s/messages?" API, thread));
    const char *body = arena_text(&all.arena, arena_printf(&all.arena, "{\"content\":\"%s\"}", content));
    assert_int_equal(two_call(&all, &all.arena, 0, user, "POST", target, "", body).status, 201);
}

/* Reads until both messages have come, and says how often each did. */
static void each_came_once(struct client *client, const char *first, const char *second) {
    await(client, first);
    await(client, second);
    ping(client);
    assert_int_equal(two_count(client->text, first), 1);
    assert_int_equal(two_count(client->text, second), 1);
}

/* ---- the tests ---- */

static void what_an_endpoint_did_not_answer_comes_again_at_another_node(void **state) {
    (void)state;
    for (unsigned leader = 0; leader < GATEWAYS; leader++) {
        struct two_user user = two_user(&all, leader);
        const char *thread = thread_new(&user);
        struct client *client = client_open(0, &user, "phone");
        message_send(&user, thread, "first");
        await(client, "first");
        client_close(client);
        message_send(&user, thread, "second");
        client = client_open(1, &user, "phone");
        each_came_once(client, "first", "second");
        /* And back again, with something new. */
        client_close(client);
        client = client_open(0, &user, "phone");
        each_came_once(client, "first", "second");
        message_send(&user, thread, "third");
        await(client, "third");
        client_close(client);
    }
}

static void only_the_newest_socket_of_an_endpoint_is_told_whatever_its_node(void **state) {
    (void)state;
    struct two_user user = two_user(&all, 0);
    const char *thread = thread_new(&user);
    struct client *older = client_open(0, &user, "phone");
    struct client *tablet = client_open(0, &user, "tablet");
    struct client *newer = client_open(1, &user, "phone");
    message_send(&user, thread, "first");
    message_send(&user, thread, "second");
    each_came_once(newer, "first", "second");
    each_came_once(tablet, "first", "second");
    ping(older);
    assert_int_equal(two_count(older->text, "first"), 0);
    client_close(older);
    client_close(newer);
    client_close(tablet);
}

static void on_move(void *receiver, struct parcel *parcel) {
    (void)parcel;
    session_table_drain(gateway_worker_of(receiver), 0);
}

static void what_a_moving_client_leaves_on_its_old_socket_follows_it(void **state) {
    (void)state;
    struct two_user user = two_user(&all, 1);
    const char *thread = thread_new(&user);
    struct client *older = client_open(0, &user, "phone");
    message_send(&user, thread, "first");
    await(older, "first");
    struct parcel move = {.deliver = on_move};
    assert_int_equal(worker_post(&all.nodes[0].worker, &move), STATUS_OK);
    await(older, "trouter.reconnect");
    struct client *newer = client_open(1, &user, "phone");
    ping(newer);
    assert_int_equal(two_count(newer->text, "first"), 0);
    client_close(older);
    await(newer, "first");
    message_send(&user, thread, "second");
    await(newer, "second");
    ping(newer);
    assert_int_equal(two_count(newer->text, "first"), 1);
    client_close(newer);
}

static void a_client_that_has_moved_does_not_keep_its_old_node(void **state) {
    (void)state;
    struct two_user user = two_user(&all, 1);
    const char *thread = thread_new(&user);
    struct client *older = client_open(0, &user, "phone");
    struct client *newer = client_open(1, &user, "phone");
    message_send(&user, thread, "first");
    await(newer, "first");
    atomic_store(&all.nodes[0].gateway.is_draining, true);
    struct parcel move = {.deliver = on_move};
    assert_int_equal(worker_post(&all.nodes[0].worker, &move), STATUS_OK);
    await(older, "The client has moved.");
    message_send(&user, thread, "second");
    await(newer, "second");
    client_close(older);
    client_close(newer);
}

static void who_leads_the_user_next_is_told_who_holds_her_endpoint(void **state) {
    (void)state;
    two_close(&all);
    two_open_with(&all, true, true);
    struct two_user user = two_user(&all, 0);
    const char *thread = thread_new(&user);
    struct client *client = client_open(0, &user, "phone");
    message_send(&user, thread, "first");
    await(client, "first");
    int asked = atomic_load(&all.nodes[0].asked);
    two_lead(&all, &user.hash, 1);
    gateway_look_again(&all.nodes[0].gateway_worker, &user.hash);
    two_wait_for("a renewal and a look", &all.nodes[0].asked, asked + 2);
    client_close(client);
    client = client_open(1, &user, "phone");
    message_send(&user, thread, "second");
    each_came_once(client, "first", "second");
    client_close(client);
}

int main(void) {
#define BETWEEN_BOTH(test) cmocka_unit_test_setup_teardown(test, open_both, close_both)
    const struct CMUnitTest tests[] = {
        BETWEEN_BOTH(what_an_endpoint_did_not_answer_comes_again_at_another_node),
        BETWEEN_BOTH(only_the_newest_socket_of_an_endpoint_is_told_whatever_its_node),
        BETWEEN_BOTH(what_a_moving_client_leaves_on_its_old_socket_follows_it),
        BETWEEN_BOTH(a_client_that_has_moved_does_not_keep_its_old_node),
        BETWEEN_BOTH(who_leads_the_user_next_is_told_who_holds_her_endpoint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
