/* An endpoint of the official SDK whose sockets are on different nodes: two gateways, each with its own store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/gateway/endpoint_message.h"
#include "node/gateway/trouter_session.h"
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

/* A socket at that node, which another one has allocated; not welcomed yet. */
static struct client *client_begin(unsigned at, const struct two_user *user, const char *endpoint) {
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
    return client;
}

static struct client *client_open(unsigned at, const struct two_user *user, const char *endpoint) {
    struct client *client = client_begin(at, user, endpoint);
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

static void who_has_not_moved_from_a_node_that_drains_is_asked_again(void **state) {
    (void)state;
    struct two_user user = two_user(&all, 1);
    struct client *client = client_open(0, &user, "phone");
    atomic_store(&all.nodes[0].gateway.is_draining, true);
    struct parcel move = {.deliver = on_move};
    assert_int_equal(worker_post(&all.nodes[0].worker, &move), STATUS_OK);
    for (int i = 0; i < 3; i++) {
        await(client, "trouter.reconnect");
        await(client, "any");
    }
    client_close(client);
}

static bool elsewhere(void *core, uint32_t chance, char *url) {
    (void)core;
    (void)chance;
    strcpy(url, "https://192.0.2.7:8443");
    return true;
}

static void who_drains_sends_new_sockets_to_another_node(void **state) {
    (void)state;
    struct two_user user = two_user(&all, 1);
    const char *token = token_header(&user);
    atomic_store(&all.nodes[0].gateway.is_draining, true);
    struct client_answer answer = two_call(&all, &all.arena, 0, &user, "POST", "/v4/a?epid=phone", token, "");
    assert_int_equal(answer.status, 503);
    all.nodes[0].gateway.elsewhere = elsewhere;
    answer = step(&user, 0, "POST", BYTES_LITERAL("/v4/a?epid=phone"));
    assert_true(bytes_equal_text(two_member(answer.text, "socketio"), "https://192.0.2.7:8443/"));
    struct bytes ticket = two_member(answer.text, "sr");
    step(&user, 1, "GET", arena_printf(&all.arena, "/socket.io/1/?epid=phone&sr=%.*s", BYTES_ARG(ticket)));
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

/* ---- while the user's range changes hands ---- */

static int open_restless(void **state) {
    (void)state;
    two_open_with(&all, true, true);
    atomic_store(&all.is_restless, true);
    return 0;
}

static void a_newcomer_that_comes_before_the_holder_is_known_takes_over_from_it(void **state) {
    (void)state;
    struct two_user user = two_user(&all, 0);
    const char *thread = thread_new(&user);
    struct client *older = client_open(0, &user, "phone");
    message_send(&user, thread, "first");
    await(older, "first");
    two_lead(&all, &user.hash, 1);
    struct client *newer = client_open(1, &user, "phone");
    message_send(&user, thread, "second");
    each_came_once(newer, "first", "second");
    ping(older);
    assert_int_equal(two_count(older->text, "second"), 0);
    client_close(older);
    client_close(newer);
}

static void a_node_that_leads_again_does_not_rely_on_what_it_knew(void **state) {
    (void)state;
    struct two_user user = two_user(&all, 0);
    const char *thread = thread_new(&user);
    client_close(client_open(0, &user, "phone"));
    two_lead(&all, &user.hash, 1);
    struct client *there = client_open(1, &user, "phone");
    message_send(&user, thread, "first");
    await(there, "first");
    two_lead(&all, &user.hash, 0);
    struct client *here = client_open(0, &user, "phone");
    message_send(&user, thread, "second");
    each_came_once(here, "first", "second");
    ping(there);
    assert_int_equal(two_count(there->text, "second"), 0);
    client_close(there);
    client_close(here);
}

static void a_first_socket_finds_nobody_and_is_told_from_then_on(void **state) {
    (void)state;
    struct two_user user = two_user(&all, 0);
    const char *thread = thread_new(&user);
    message_send(&user, thread, "earlier");
    struct client *client = client_open(1, &user, "phone");
    message_send(&user, thread, "first");
    message_send(&user, thread, "second");
    each_came_once(client, "first", "second");
    assert_int_equal(two_count(client->text, "earlier"), 0);
    client_close(client);
}

/* ---- what another node says, by hand ---- */

struct said {
    atomic_int answers;
    struct endpoint_message answer;
    struct arena arena;
};

static void on_said(void *context, int rc, struct bytes reply) {
    struct said *said = context;
    check(rc == STATUS_OK);
    arena_init(&said->arena);
    check(endpoint_message_decode(arena_copy(&said->arena, reply), &said->arena, &said->answer) == STATUS_OK);
    atomic_fetch_add(&said->answers, 1);
}

static void say(unsigned at, enum question_kind kind, const struct two_user *user, struct endpoint_message *message,
                struct said *said) {
    struct question_subject subject = {.hash = user->hash};
    struct question question = {.kind = kind, .left_ms = 1000, .subjects = &subject, .subjects_count = 1};
    struct buffer encoded, body;
    *said = (struct said){.answers = 0};
    message->endpoint = trouter_endpoint_hash(&all.nodes[at].gateway, user->id, BYTES_LITERAL("phone"));
    buffer_init(&encoded);
    buffer_init(&body);
    endpoint_message_encode(message, &encoded);
    question.call = buffer_bytes(&encoded);
    question_encode(&question, &body);
    assert_int_equal(gateway_serve(&all.nodes[at].gateway_worker, &body, said, on_said), STATUS_OK);
    buffer_close(&encoded);
}

static struct endpoint_message search_of(uint64_t session, uint64_t turn) {
    return (struct endpoint_message){
        .giver = {.node = 2}, .taker = {.node = 1, .session = session}, .turn = turn, .is_search = true};
}

static void of_two_that_ask_who_waits_itself_the_later_claim_gets_it(void **state) {
    (void)state;
    struct said earlier, later, last;
    struct two_user user = two_user(&all, 0);
    const char *thread = thread_new(&user);
    atomic_store(&all.held, QUESTION_ENDPOINT);
    struct client *client = client_begin(1, &user, "phone");
    two_wait_for("its claim", &all.parked_count, 1);
    struct endpoint_message searches[] = {search_of(8, UINT64_MAX - 2), search_of(9, UINT64_MAX - 1),
                                          search_of(7, UINT64_MAX - 3)};
    say(1, QUESTION_HANDOVER, &user, &searches[0], &earlier);
    say(1, QUESTION_HANDOVER, &user, &searches[1], &later);
    say(1, QUESTION_HANDOVER, &user, &searches[2], &last);
    two_wait_for("an answer to the earlier claim", &earlier.answers, 1);
    two_wait_for("an answer to the earliest", &last.answers, 1);
    assert_false(earlier.answer.is_found || last.answer.is_found);
    assert_int_equal(earlier.answer.giver.session, 9);
    assert_int_equal(last.answer.giver.session, 9);
    assert_int_equal(atomic_load(&later.answers), 0);
    two_release(&all);
    two_wait_for("an answer to the later claim", &later.answers, 1);
    message_send(&user, thread, "first");
    ping(client);
    assert_int_equal(two_count(client->text, "first"), 0);
    client_close(client);
    arena_close(&earlier.arena);
    arena_close(&later.arena);
    arena_close(&last.arena);
}

static void who_claimed_later_waits_for_nobody_that_claimed_before(void **state) {
    (void)state;
    struct said said;
    struct two_user user = two_user(&all, 0);
    atomic_store(&all.held, QUESTION_ENDPOINT);
    struct client *client = client_begin(1, &user, "phone");
    two_wait_for("its claim", &all.parked_count, 1);
    struct endpoint_message search = search_of(8, 1);
    say(1, QUESTION_HANDOVER, &user, &search, &said);
    two_release(&all);
    two_wait_for("an answer", &said.answers, 1);
    assert_false(said.answer.is_found);
    await(client, "trouter.connected");
    ping(client);
    client_close(client);
    arena_close(&said.arena);
}

static void who_is_asked_too_late_says_who_was_asked_before(void **state) {
    (void)state;
    struct said said;
    struct two_user user = two_user(&all, 0);
    const char *thread = thread_new(&user);
    struct client *older = client_open(0, &user, "phone");
    struct id_hash phone = trouter_endpoint_hash(&all.nodes[0].gateway, user.id, BYTES_LITERAL("phone"));
    struct endpoint_holder first = endpoint_holder_find(all.nodes[0].gateway.endpoints, &phone);
    struct client *newer = client_open(1, &user, "phone");
    struct endpoint_message asked = {.giver = first, .taker = {.node = 2, .session = 9}, .turn = UINT64_MAX};
    say(0, QUESTION_HANDOVER, &user, &asked, &said);
    two_wait_for("an answer", &said.answers, 1);
    assert_false(said.answer.is_found);
    assert_int_equal(said.answer.giver.node, 2);
    assert_int_not_equal(said.answer.giver.session, 0);
    assert_int_not_equal(said.answer.turn, 0);
    message_send(&user, thread, "first");
    await(newer, "first");
    client_close(older);
    client_close(newer);
    arena_close(&said.arena);
}

static void who_learns_of_a_newer_session_yields_to_it_though_it_never_asks(void **state) {
    (void)state;
    struct said said;
    struct two_user user = two_user(&all, 0);
    const char *thread = thread_new(&user);
    struct client *older = client_open(0, &user, "phone");
    message_send(&user, thread, "first");
    await(older, "first");
    struct endpoint_message claim = {.taker = {.node = 2, .session = 9}};
    say(0, QUESTION_ENDPOINT, &user, &claim, &said);
    two_wait_for("an answer", &said.answers, 1);
    assert_int_equal(said.answer.giver.node, 1);
    /* A renewal, a look, and what is left to the other one. */
    int asked = atomic_load(&all.nodes[0].asked);
    gateway_look_again(&all.nodes[0].gateway_worker, &user.hash);
    two_wait_for("the end of its patience", &all.nodes[0].asked, asked + 3);
    message_send(&user, thread, "second");
    ping(older);
    assert_int_equal(two_count(older->text, "second"), 0);
    client_close(older);
    arena_close(&said.arena);
}

int main(void) {
#define BETWEEN_BOTH(test) cmocka_unit_test_setup_teardown(test, open_both, close_both)
#define RESTLESS(test) cmocka_unit_test_setup_teardown(test, open_restless, close_both)
    const struct CMUnitTest tests[] = {
        BETWEEN_BOTH(what_an_endpoint_did_not_answer_comes_again_at_another_node),
        BETWEEN_BOTH(only_the_newest_socket_of_an_endpoint_is_told_whatever_its_node),
        BETWEEN_BOTH(what_a_moving_client_leaves_on_its_old_socket_follows_it),
        BETWEEN_BOTH(a_client_that_has_moved_does_not_keep_its_old_node),
        BETWEEN_BOTH(who_has_not_moved_from_a_node_that_drains_is_asked_again),
        BETWEEN_BOTH(who_drains_sends_new_sockets_to_another_node),
        BETWEEN_BOTH(who_leads_the_user_next_is_told_who_holds_her_endpoint),
        RESTLESS(a_newcomer_that_comes_before_the_holder_is_known_takes_over_from_it),
        RESTLESS(a_node_that_leads_again_does_not_rely_on_what_it_knew),
        RESTLESS(a_first_socket_finds_nobody_and_is_told_from_then_on),
        RESTLESS(of_two_that_ask_who_waits_itself_the_later_claim_gets_it),
        RESTLESS(who_claimed_later_waits_for_nobody_that_claimed_before),
        RESTLESS(who_is_asked_too_late_says_who_was_asked_before),
        RESTLESS(who_learns_of_a_newer_session_yields_to_it_though_it_never_asks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
