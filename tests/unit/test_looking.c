/* Real time on a node that does not lead the threads of its sessions: two gateways, each with its own store. */
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

/* ---- a client ---- */

struct client {
    int fd;
    char text[512 * 1024]; /* everything that has come */
    size_t size;
    size_t at; /* what was awaited lies before */
};

/* With a mask of zeros. */
static void frame_write(struct client *client, struct bytes payload) {
    uint8_t head[8] = {0x81, 0x80 | 126, (uint8_t)(payload.size >> 8), (uint8_t)payload.size};
    assert_in_range(payload.size, 126, 65535);
    two_write(client->fd, bytes_of(head, sizeof(head)));
    two_write(client->fd, payload);
}

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

/* Says who it is, and does not wait for the welcome. */
static struct client *client_begin(unsigned at, const struct two_user *user, const char *resume) {
    struct client *client = calloc(1, sizeof(*client));
    assert_non_null(client);
    client->fd = two_connect(&all.nodes[at]);
    two_write(client->fd,
              BYTES_LITERAL("GET /realtime HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"));
    await(client, "\r\n\r\n");
    frame_write(client, arena_printf(&all.arena, "{\"type\":\"connect\",\"token\":\"%.*s\"%s}", BYTES_ARG(user->token),
                                     resume));
    return client;
}

static struct client *client_open(unsigned at, const struct two_user *user, const char *resume) {
    struct client *client = client_begin(at, user, resume);
    await(client, "\"connected\"");
    return client;
}

static void client_close(struct client *client) {
    close(client->fd);
    free(client);
}

/* ---- what happens to threads ---- */

static const char *thread_new(const struct two_user *user, const struct two_user *other, unsigned leader) {
    struct bytes id = two_repeatability_id(&all, user, leader);
    const char *header =
        arena_text(&all.arena, arena_printf(&all.arena, "repeatability-request-id: %.*s\r\n", BYTES_ARG(id)));
    const char *body = arena_text(
        &all.arena, arena_printf(&all.arena,
                                 "{\"topic\":\"t\",\"participants\":[{\"communicationIdentifier\":{\"rawId\":"
                                 "\"%.*s\",\"communicationUser\":{\"id\":\"%.*s\"}}}]}",
                                 BYTES_ARG(other->id), BYTES_ARG(other->id)));
    struct client_answer answer = two_call(&all, &all.arena, leader, user, "POST", "/chat/threads?" API, header, body);
    assert_int_equal(answer.status, 201);
    return arena_text(&all.arena, two_member(answer.text, "id"));
}

static void message_send(const struct two_user *user, const char *thread, const char *content) {
    const char *target = arena_text(&all.arena, arena_printf(&all.arena, "/chat/threads/%s/messages?" API, thread));
    const char *body = arena_text(&all.arena, arena_printf(&all.arena, "{\"content\":\"%s\"}", content));
    assert_int_equal(two_call(&all, &all.arena, 0, user, "POST", target, "", body).status, 201);
}

static void participant_remove(const struct two_user *user, const char *thread, const struct two_user *removed) {
    const char *target =
        arena_text(&all.arena, arena_printf(&all.arena, "/chat/threads/%s/participants/:remove?" API, thread));
    const char *body =
        arena_text(&all.arena, arena_printf(&all.arena, "{\"rawId\":\"%.*s\",\"communicationUser\":{\"id\":\"%.*s\"}}",
                                            BYTES_ARG(removed->id), BYTES_ARG(removed->id)));
    assert_int_equal(two_call(&all, &all.arena, 0, user, "POST", target, "", body).status, 204);
}

static void participant_add(const struct two_user *user, const char *thread, const struct two_user *added) {
    const char *target =
        arena_text(&all.arena, arena_printf(&all.arena, "/chat/threads/%s/participants/:add?" API, thread));
    const char *body = arena_text(
        &all.arena,
        arena_printf(&all.arena,
                     "{\"participants\":[{\"communicationIdentifier\":{\"rawId\":\"%.*s\","
                     "\"communicationUser\":{\"id\":\"%.*s\"}},\"shareHistoryTime\":\"1970-01-01T00:00:00Z\"}]}",
                     BYTES_ARG(added->id), BYTES_ARG(added->id)));
    assert_int_equal(two_call(&all, &all.arena, 0, user, "POST", target, "", body).status, 201);
}

static const char *position(const char *thread, unsigned offset) {
    return arena_text(&all.arena, arena_printf(&all.arena, ",\"resume\":{\"%s\":%u}", thread, offset));
}

/* ---- the tests ---- */

static void a_session_hears_of_threads_that_any_node_leads(void **state) {
    (void)state;
    struct two_user alice = two_user(&all, 0);
    struct two_user bob = two_user(&all, 1);
    const char *threads[] = {thread_new(&alice, &bob, 0), thread_new(&alice, &bob, 1)};
    for (unsigned at = 0; at < GATEWAYS; at++) {
        struct client *first = client_open(at, &alice, "");
        struct client *second = client_open(at, &bob, "");
        for (size_t i = 0; i < 2; i++) {
            message_send(&alice, threads[i], "news");
            await(first, "\"news\"");
            await(second, "\"news\"");
        }
        assert_int_equal(two_count(first->text, "\"news\""), 2);
        client_close(first);
        client_close(second);
    }
}

static void a_session_hears_of_threads_that_its_user_joins(void **state) {
    (void)state;
    struct two_user alice = two_user(&all, 0);
    struct two_user bob = two_user(&all, 1);
    struct client *clients[] = {client_open(0, &bob, ""), client_open(1, &bob, ""), client_open(1, &bob, "")};
    for (unsigned leader = 0; leader < GATEWAYS; leader++) {
        const char *thread = thread_new(&alice, &bob, leader);
        message_send(&alice, thread, "first");
        message_send(&alice, thread, "second");
        for (size_t i = 0; i < 3; i++) {
            await(clients[i], thread);
            await(clients[i], "\"first\"");
            await(clients[i], "\"second\"");
        }
    }
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(two_count(clients[i]->text, "\"first\""), 2);
        client_close(clients[i]);
    }
}

static void a_removed_user_hears_of_it_and_nothing_more(void **state) {
    (void)state;
    struct two_user alice = two_user(&all, 0);
    struct two_user bob = two_user(&all, 1);
    const char *left = thread_new(&alice, &bob, 0);
    const char *kept = thread_new(&alice, &bob, 0);
    struct client *client = client_open(1, &bob, "");
    participant_remove(&alice, left, &bob);
    message_send(&alice, left, "secret");
    message_send(&alice, kept, "open");
    await(client, "articipantsRemoved");
    await(client, "\"open\"");
    assert_int_equal(two_count(client->text, "secret"), 0);
    client_close(client);
}

static void what_was_missed_is_asked_of_the_node_that_leads_the_thread(void **state) {
    (void)state;
    struct two_user alice = two_user(&all, 0);
    struct two_user bob = two_user(&all, 1);
    const char *thread = thread_new(&alice, &bob, 0);
    for (unsigned i = 0; i < 150; i++)
        message_send(&alice, thread, arena_text(&all.arena, arena_printf(&all.arena, "m%u", i)));
    struct client *client = client_open(1, &bob, position(thread, 2));
    for (unsigned i = 0; i < 150; i++)
        await(client, arena_text(&all.arena, arena_printf(&all.arena, "\"m%u\"", i)));
    await(client, "omplete");
    message_send(&alice, thread, "live");
    await(client, "\"live\"");
    assert_int_equal(two_count(client->text, "\"live\""), 1);
    client_close(client);
}

static void a_stranger_misses_nothing(void **state) {
    (void)state;
    struct two_user alice = two_user(&all, 0);
    struct two_user bob = two_user(&all, 1);
    struct two_user carol = two_user(&all, 1);
    const char *thread = thread_new(&alice, &bob, 0);
    message_send(&alice, thread, "secret");
    struct client *client = client_open(1, &carol, position(thread, 1));
    await(client, "\"error\"");
    assert_int_equal(two_count(client->text, "secret"), 0);
    client_close(client);
}

static bool is_listened(unsigned at, const char *thread) {
    struct id_hash hash = fixture_hash(&all.nodes[0].store, bytes_of_text(thread));
    pthread_mutex_lock(&all.mutex);
    bool is_found = *two_listened_find(&all.nodes[at], &hash) != NULL;
    pthread_mutex_unlock(&all.mutex);
    return is_found;
}

static void listened_await(unsigned at, const char *thread) {
    const struct timespec moment = {.tv_nsec = 2 * 1000 * 1000};
    time_t deadline = time(NULL) + CLIENT_DEADLINE_S;
    while (!is_listened(at, thread)) {
        if (time(NULL) > deadline)
            fail_msg("node %u never listened", at);
        nanosleep(&moment, NULL);
    }
}

static void thread_delete(const struct two_user *user, const char *thread) {
    const char *target = arena_text(&all.arena, arena_printf(&all.arena, "/chat/threads/%s?" API, thread));
    assert_int_equal(two_call(&all, &all.arena, 0, user, "DELETE", target, "", "").status, 204);
}

static void who_had_a_thread_that_is_gone_is_told_of_its_end_and_nobody_else(void **state) {
    (void)state;
    for (unsigned leader = 0; leader < GATEWAYS; leader++) {
        struct two_user alice = two_user(&all, 0);
        struct two_user bob = two_user(&all, leader);
        struct two_user carol = two_user(&all, leader);
        const char *thread = thread_new(&alice, &bob, 0);
        thread_delete(&alice, thread);
        for (unsigned at = 0; at < GATEWAYS; at++) {
            struct client *client = client_open(at, &bob, position(thread, 2));
            await(client, "\"threadDeleted\"");
            await(client, "\"complete\"");
            client_close(client);
            client = client_open(at, &carol, position(thread, 2));
            await(client, "\"error\"");
            assert_int_equal(two_count(client->text, "threadDeleted"), 0);
            client_close(client);
        }
    }
}

/* The joining, and what comes after it, is told from the store like the rest. */
static void a_thread_that_is_joined_while_it_is_resumed_is_told_in_order(void **state) {
    (void)state;
    struct two_user alice = two_user(&all, 0);
    struct two_user bob = two_user(&all, 1);
    const char *thread = thread_new(&alice, &bob, 0);
    message_send(&alice, thread, "missed");
    participant_remove(&alice, thread, &bob);
    for (unsigned is_late = 0; is_late < 2; is_late++) {
        atomic_store(&all.held, QUESTION_MISSED);
        struct client *client = client_open(1, &bob, position(thread, 2));
        two_wait_for("the question", &all.parked_count, (int)is_late + 1);
        participant_add(&alice, thread, &bob);
        message_send(&alice, thread, "first");
        listened_await(1, thread);
        message_send(&alice, thread, "second");
        two_release(&all);
        const char *order[] = {"missed", "articipantsRemoved", "articipantsAdded", "first", "second"};
        for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
            await(client, order[i]);
        message_send(&alice, thread, "live");
        await(client, "\"live\"");
        assert_int_equal(two_count(client->text, "\"second\""), is_late + 1);
        participant_remove(&alice, thread, &bob);
        client_close(client);
    }
}

static void far_set(void) {
    pthread_mutex_lock(&all.mutex);
    all.is_far = true;
    pthread_mutex_unlock(&all.mutex);
}

static void a_session_is_welcomed_when_it_is_told_what_happens_and_told_nothing_before(void **state) {
    (void)state;
    struct two_user alice = two_user(&all, 0);
    struct two_user bob = two_user(&all, 1);
    const char *threads[] = {thread_new(&alice, &bob, 0), thread_new(&alice, &bob, 1)};
    far_set();
    struct client *client = client_begin(1, &bob, "");
    /* For one that comes too late to hear it live. */
    const char *positions =
        arena_text(&all.arena, arena_printf(&all.arena, ",\"resume\":{\"%s\":2,\"%s\":2}", threads[0], threads[1]));
    for (size_t i = 0; i < 2; i++) {
        listened_await(1, threads[i]);
        message_send(&alice, threads[i], "early");
    }
    struct client *resuming = client_begin(1, &bob, positions);
    assert_int_equal(recv(client->fd, &(char){0}, 1, MSG_DONTWAIT), -1);
    two_in_force(&all);
    struct client *both[] = {client, resuming};
    for (size_t at = 0; at < 2; at++) {
        await(both[at], "\"connected\"");
        await(both[at], "\"early\"");
        await(both[at], "\"early\"");
        message_send(&alice, threads[0], "late");
        await(both[at], "\"late\"");
        assert_int_equal(two_count(both[at]->text, "\"early\""), 2);
    }
    client_close(client);
    client_close(resuming);
}

static void a_session_is_welcomed_in_time_though_nobody_leads_its_thread_and_hears_later(void **state) {
    (void)state;
    struct two_user alice = two_user(&all, 0);
    struct two_user bob = two_user(&all, 1);
    const char *thread;
    struct id_hash hash;
    do {
        thread = thread_new(&alice, &bob, 0);
        hash = fixture_hash(&all.nodes[0].store, bytes_of_text(thread));
    } while (two_range_of(&hash) == two_range_of(&bob.hash)); /* or his token could not be checked either */
    atomic_store(&all.leaders[two_range_of(&hash)], NOBODY);
    struct client *client = client_open(1, &bob, position(thread, 2));
    await(client, "ServiceUnavailable");
    two_lead(&all, &hash, 0);
    await(client, "omplete");
    message_send(&alice, thread, "news");
    await(client, "\"news\"");
    client_close(client);
}

static void leaders_set(unsigned leader) {
    for (unsigned range = 0; range < RANGES; range++)
        atomic_store(&all.leaders[range], leader);
}

#define RESUMED 20
#define ASKED_AT_ONCE 8

static void many_threads_are_asked_for_at_once_and_told_one_after_the_other(void **state) {
    (void)state;
    struct two_user alice = two_user(&all, 0);
    struct two_user bob = two_user(&all, 0);
    const char *threads[RESUMED];
    struct buffer wanted;
    for (size_t i = 0; i < RESUMED; i++) {
        threads[i] = thread_new(&alice, &bob, 0);
        message_send(&alice, threads[i], "missed");
    }
    struct client *client = client_open(1, &bob, "");
    leaders_set(NOBODY);
    buffer_init(&wanted);
    for (size_t i = 0; i < RESUMED; i++)
        buffer_printf(&wanted, "%s\"%s\":2", i == 0 ? "" : ",", threads[i]);
    frame_write(client,
                arena_printf(&all.arena, "{\"type\":\"resume\",\"threads\":{%.*s}}", BYTES_ARG(buffer_bytes(&wanted))));
    buffer_close(&wanted);
    two_wait_for("questions for several threads", &all.parked_count, ASKED_AT_ONCE);
    assert_int_equal(atomic_load(&all.parked_count), ASKED_AT_ONCE);
    leaders_set(0);
    two_lead(&all, &alice.hash, 0);
    for (size_t i = 0; i < RESUMED; i++) {
        await(client, "\"missed\"");
        await(client, "\"complete\"");
        await(client, threads[i]);
    }
    for (size_t i = 0; i < RESUMED; i++) {
        message_send(&alice, threads[i], "live");
        await(client, "\"live\"");
    }
    assert_int_equal(two_count(client->text, "\"missed\""), RESUMED);
    client_close(client);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_session_hears_of_threads_that_any_node_leads, open_both, close_both),
        cmocka_unit_test_setup_teardown(a_session_hears_of_threads_that_its_user_joins, open_both, close_both),
        cmocka_unit_test_setup_teardown(a_removed_user_hears_of_it_and_nothing_more, open_both, close_both),
        cmocka_unit_test_setup_teardown(what_was_missed_is_asked_of_the_node_that_leads_the_thread, open_both,
                                        close_both),
        cmocka_unit_test_setup_teardown(a_stranger_misses_nothing, open_both, close_both),
        cmocka_unit_test_setup_teardown(who_had_a_thread_that_is_gone_is_told_of_its_end_and_nobody_else, open_both,
                                        close_both),
        cmocka_unit_test_setup_teardown(a_thread_that_is_joined_while_it_is_resumed_is_told_in_order, open_both,
                                        close_both),
        cmocka_unit_test_setup_teardown(a_session_is_welcomed_when_it_is_told_what_happens_and_told_nothing_before,
                                        open_both, close_both),
        cmocka_unit_test_setup_teardown(a_session_is_welcomed_in_time_though_nobody_leads_its_thread_and_hears_later,
                                        open_both, close_both),
        cmocka_unit_test_setup_teardown(many_threads_are_asked_for_at_once_and_told_one_after_the_other, open_both,
                                        close_both),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
