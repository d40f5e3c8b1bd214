/* Calls that come in on one node and belong to another: they find it, are served there once, and their answers come
 * back as if there were one node only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/forwarded_call.h"
#include "tests/lib/two_gateways.h"

static struct two_gateways all;

static int open_apart(void **state) {
    (void)state;
    two_open(&all, false);
    return 0;
}

static int open_replicated(void **state) {
    (void)state;
    two_open(&all, true);
    return 0;
}

static int close_both(void **state) {
    (void)state;
    two_close(&all);
    return 0;
}

static struct client_answer expect(struct client_answer answer, int status) {
    if (answer.status != status)
        fail_msg("%d was expected, this came:\n%s", status, answer.text == NULL ? "nothing" : answer.text);
    return answer;
}

static const char *target_of(const char *format, ...) {
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    return arena_text(&all.arena, bytes_of_text(text));
}

static struct client_answer call(unsigned at, const struct two_user *user, const char *method, const char *target,
                                 const char *body) {
    return two_call(&all, &all.arena, at, user, method, target, "", body);
}

/* ---- threads ---- */

static struct client_answer create(unsigned at, const struct two_user *user, struct bytes repeatability_id,
                                   const struct two_user *other) {
    const char *header = target_of("repeatability-request-id: %.*s\r\n", BYTES_ARG(repeatability_id));
    const char *body = target_of("{\"topic\":\"plans\",\"participants\":[{\"communicationIdentifier\":{\"rawId\":"
                                 "\"%.*s\"}}]}",
                                 BYTES_ARG(other->id));
    return two_call(&all, &all.arena, at, user, "POST", "/chat/threads?" API, header, body);
}

/* Made at the node that leads it, so that nothing has wandered yet. */
static const char *thread_new(const struct two_user *user, unsigned leader, const struct two_user *other) {
    struct bytes repeatability_id = two_repeatability_id(&all, user, leader);
    struct client_answer answer = expect(create(leader, user, repeatability_id, other), 201);
    return arena_text(&all.arena, two_member(answer.text, "id"));
}

static struct id_hash thread_hash(const char *thread) {
    return fixture_hash(&all.nodes[0].store, bytes_of_text(thread));
}

static struct client_answer message_send(unsigned at, const struct two_user *user, const char *thread,
                                         const char *content) {
    return call(at, user, "POST", target_of("/chat/threads/%s/messages?" API, thread),
                target_of("{\"content\":\"%s\"}", content));
}

static struct client_answer messages_list(unsigned at, const struct two_user *user, const char *thread) {
    return expect(call(at, user, "GET", target_of("/chat/threads/%s/messages?" API, thread), ""), 200);
}

static void everything_is_done_to_a_thread(unsigned at, unsigned leader, unsigned users) {
    struct two_user alice = two_user(&all, users);
    struct two_user bob = two_user(&all, 1 - users);
    struct client_answer answer = expect(create(at, &alice, two_repeatability_id(&all, &alice, leader), &bob), 201);
    const char *thread = arena_text(&all.arena, two_member(answer.text, "id"));
    struct id_hash hash = thread_hash(thread);
    assert_int_equal(two_leader_of(&all, &hash), leader);
    assert_non_null(strstr(answer.text, target_of("location: http://node-%u.example/chat/threads/19%%3A", at)));
    assert_non_null(strstr(answer.text, "x-weft-durability: disk+1"));
    assert_null(strstr(answer.text, "invalidParticipants"));

    answer = expect(message_send(at, &alice, thread, "one"), 201);
    assert_non_null(strstr(answer.text, "x-weft-durability: disk+1"));
    const char *message = arena_text(&all.arena, two_member(answer.text, "id"));
    expect(message_send(at, &bob, thread, "two"), 201);
    expect(call(at, &alice, "PATCH", target_of("/chat/threads/%s/messages/%s?" API, thread, message),
                "{\"content\":\"edited\"}"),
           204);
    answer = expect(call(at, &bob, "GET", target_of("/chat/threads/%s/messages/%s?" API, thread, message), ""), 200);
    assert_non_null(strstr(answer.text, "edited"));
    expect(call(at, &alice, "PATCH", target_of("/chat/threads/%s?" API, thread), "{\"topic\":\"other\"}"), 204);
    answer = expect(call(at, &bob, "GET", target_of("/chat/threads/%s?" API, thread), ""), 200);
    assert_non_null(strstr(answer.text, "\"topic\":\"other\""));

    int notices = atomic_load(&all.nodes[leader].notices);
    expect(call(at, &bob, "POST", target_of("/chat/threads/%s/typing?" API, thread), "{}"), 200);
    assert_int_equal(atomic_load(&all.nodes[leader].notices), notices + 1);
    expect(call(at, &bob, "POST", target_of("/chat/threads/%s/readReceipts?" API, thread),
                target_of("{\"chatMessageId\":\"%s\"}", message)),
           200);
    answer = expect(call(at, &alice, "GET", target_of("/chat/threads/%s/readReceipts?" API, thread), ""), 200);
    assert_non_null(strstr(answer.text, message));
    answer = expect(call(at, &alice, "GET", target_of("/chat/threads/%s/participants?" API, thread), ""), 200);
    assert_int_equal(two_count(answer.text, "\"rawId\""), 2);

    expect(call(at, &alice, "DELETE", target_of("/chat/threads/%s/messages/%s?" API, thread, message), ""), 204);
    expect(call(at, &alice, "POST", target_of("/chat/threads/%s/participants/:remove?" API, thread),
                target_of("{\"rawId\":\"%.*s\"}", BYTES_ARG(bob.id))),
           204);
    expect(message_send(at, &bob, thread, "three"), 403);
    expect(call(at, &alice, "DELETE", target_of("/chat/threads/%s?" API, thread), ""), 204);
    expect(call(at, &alice, "GET", target_of("/chat/threads/%s?" API, thread), ""), 404);
}

static void whatever_node_a_client_uses_a_thread_is_used_where_it_is_led(void **state) {
    (void)state;
    for (unsigned at = 0; at < GATEWAYS; at++)
        for (unsigned leader = 0; leader < GATEWAYS; leader++)
            for (unsigned users = 0; users < GATEWAYS; users++)
                everything_is_done_to_a_thread(at, leader, users);
    assert_int_equal(atomic_load(&all.not_primary), 0);
}

static void a_thread_is_made_wherever_its_id_falls(void **state) {
    (void)state;
    struct two_user alice = two_user(&all, 0);
    unsigned made[GATEWAYS] = {0};
    for (int i = 0; i < 40; i++) {
        struct client_answer answer = expect(call(0, &alice, "POST", "/chat/threads?" API, "{\"topic\":\"t\"}"), 201);
        struct id_hash hash = fixture_hash(&all.nodes[0].store, two_member(answer.text, "id"));
        made[two_leader_of(&all, &hash)]++;
    }
    assert_true(made[0] > 0 && made[1] > 0);
}

static void pages_go_on_at_the_address_that_the_client_used(void **state) {
    (void)state;
    struct two_user alice = two_user(&all, 0);
    struct two_user bob = two_user(&all, 1);
    const char *thread = thread_new(&alice, 1, &bob);
    const char *target = target_of("/chat/threads/%s/messages?maxPageSize=1&" API, thread);
    for (int i = 0; i < 3; i++)
        expect(message_send(0, &alice, thread, target_of("message %d", i)), 201);
    size_t seen = 0;
    for (int page = 0; page < 5; page++) {
        struct client_answer answer = expect(call(0, &bob, "GET", target, ""), 200);
        seen += two_count(answer.text, "\"sequenceId\"");
        struct bytes link = two_member(answer.text, "nextLink");
        assert_int_equal(bytes_is_present(link), page < 4);
        if (page == 4)
            break;
        assert_true(bytes_starts_with(link, "http://node-0.example/chat/threads/"));
        target = arena_text(&all.arena, link) + strlen("http://node-0.example");
    }
    assert_int_equal(seen, 5); /* and two of the system */
}

static void participants_of_other_nodes_are_asked_for_there(void **state) {
    (void)state;
    struct two_user alice = two_user(&all, 0);
    struct two_user bob = two_user(&all, 1);
    struct two_user nobody = two_user_id(&all, 1);
    const char *thread = thread_new(&alice, 0, &bob);
    struct client_answer answer =
        expect(call(0, &alice, "POST", target_of("/chat/threads/%s/participants/:add?" API, thread),
                    target_of("{\"participants\":[{\"communicationIdentifier\":{\"rawId\":\"%.*s\"}},"
                              "{\"communicationIdentifier\":{\"rawId\":\"%.*s\"}}]}",
                              BYTES_ARG(two_user(&all, 1).id), BYTES_ARG(nobody.id))),
               201);
    assert_int_equal(two_count(answer.text, "\"target\""), 1);
    assert_non_null(strstr(answer.text, arena_text(&all.arena, nobody.id)));
    answer = expect(call(1, &bob, "GET", target_of("/chat/threads/%s/participants?" API, thread), ""), 200);
    assert_int_equal(two_count(answer.text, "\"rawId\""), 3);
}

static void a_list_of_threads_shows_what_the_nodes_know_that_lead_them(void **state) {
    (void)state;
    struct two_user alice = two_user(&all, 0);
    struct two_user bob = two_user(&all, 1);
    const char *threads[8];
    for (unsigned i = 0; i < 8; i++)
        threads[i] = thread_new(&alice, i % 2, &bob);
    const char *renamed = threads[3];
    expect(call(0, &alice, "PATCH", target_of("/chat/threads/%s?" API, renamed), "{\"topic\":\"renamed\"}"), 204);
    expect(call(0, &alice, "DELETE", target_of("/chat/threads/%s?" API, threads[5]), ""), 204);
    for (unsigned at = 0; at < GATEWAYS; at++) {
        struct client_answer answer = expect(call(at, &bob, "GET", "/chat/threads?" API, ""), 200);
        assert_int_equal(two_count(answer.text, "\"topic\":\"plans\""), 7); /* the deleted one among them */
        assert_int_equal(two_count(answer.text, "\"topic\":\"renamed\""), 1);
        assert_int_equal(two_count(answer.text, "\"deletedOn\""), 1);
        assert_int_equal(two_count(answer.text, "\"lastMessageReceivedOn\""), 8);
    }
    const char *target = "/chat/threads?maxPageSize=3&" API;
    size_t seen = 0;
    size_t pages = 0;
    while (target != NULL) {
        struct client_answer answer = expect(call(1, &alice, "GET", target, ""), 200);
        seen += two_count(answer.text, "\"topic\"");
        pages++;
        struct bytes link = two_member(answer.text, "nextLink");
        target = bytes_is_present(link) ? arena_text(&all.arena, link) + strlen("http://node-1.example") : NULL;
    }
    assert_int_equal(seen, 8);
    assert_int_equal(pages, 3);
}

/* ---- tokens and identities ---- */

static void identities_are_made_and_served_where_they_are_led(void **state) {
    (void)state;
    unsigned made[GATEWAYS] = {0};
    for (unsigned i = 0; i < 20; i++) {
        unsigned at = i % GATEWAYS;
        struct client_answer answer =
            expect(two_service_call(&all, at, "POST", BYTES_LITERAL("/identities?" IDENTITY_API), "{}"), 201);
        struct bytes id = two_member(answer.text, "id");
        struct id_hash hash = fixture_hash(&all.nodes[0].store, id);
        made[two_leader_of(&all, &hash)]++;
        assert_non_null(strstr(answer.text, "x-weft-durability: disk+1"));
        struct bytes target =
            arena_printf(&all.arena, "/identities/%.*s/:issueAccessToken?" IDENTITY_API, BYTES_ARG(id));
        answer = expect(two_service_call(&all, 1 - at, "POST", target, "{\"scopes\":[\"chat\"]}"), 200);
        struct two_user user = {.id = id, .hash = hash, .token = two_member(answer.text, "token")};
        expect(call(at, &user, "GET", "/chat/threads?" API, ""), 200);
        target = arena_printf(&all.arena, "/identities/%.*s?" IDENTITY_API, BYTES_ARG(id));
        expect(two_service_call(&all, at, "DELETE", target, ""), 204);
        expect(call(0, &user, "GET", "/chat/threads?" API, ""), 401);
        expect(call(1, &user, "GET", "/chat/threads?" API, ""), 401);
    }
    assert_true(made[0] > 0 && made[1] > 0);
}

static void tokens_revoke(const struct two_user *user) {
    struct bytes target =
        arena_printf(&all.arena, "/identities/%.*s/:revokeAccessTokens?" IDENTITY_API, BYTES_ARG(user->id));
    expect(two_service_call(&all, 0, "POST", target, ""), 204);
}

static void a_revoked_token_is_void_on_every_node_at_once(void **state) {
    (void)state;
    struct two_user alice = two_user(&all, 1);
    expect(call(0, &alice, "GET", "/chat/config/realTimeNotifications?" API, ""), 200);
    tokens_revoke(&alice);
    for (unsigned at = 0; at < GATEWAYS; at++) {
        struct client_answer answer =
            expect(call(at, &alice, "GET", "/chat/config/realTimeNotifications?" API, ""), 401);
        assert_non_null(strstr(answer.text, "TokenRevoked"));
    }
}

static void what_a_node_said_of_a_token_counts_as_long_as_a_revocation_may_be_late(void **state) {
    (void)state;
    struct two_user alice = two_user(&all, 1);
    all.nodes[0].config.token_revocation_grace_s = 900;
    for (int i = 0; i < 3; i++)
        expect(call(0, &alice, "GET", "/chat/config/realTimeNotifications?" API, ""), 200);
    assert_int_equal(atomic_load(&all.nodes[0].asked), 1);
}

static void a_forged_token_bothers_no_other_node(void **state) {
    (void)state;
    struct two_user alice = two_user(&all, 1);
    alice.token = arena_printf(&all.arena, "%.*sA", BYTES_ARG(alice.token));
    expect(call(0, &alice, "GET", "/chat/threads?" API, ""), 401);
    assert_int_equal(atomic_load(&all.nodes[0].asked), 0);
}

/* ---- takeovers ---- */

struct background_call {
    pthread_t thread;
    const struct two_user *user;
    const char *method;
    const char *target;
    const char *headers;
    const char *body;
    struct arena arena;
    struct client_answer answer;
};

static void *background_run(void *argument) {
    struct background_call *self = argument;
    self->answer = two_call(&all, &self->arena, 0, self->user, self->method, self->target, self->headers, self->body);
    return NULL;
}

static void background_begin(struct background_call *self, const struct two_user *user, const char *method,
                             const char *target, const char *body) {
    *self = (struct background_call){.user = user, .method = method, .target = target, .headers = "", .body = body};
    arena_init(&self->arena);
    assert_int_equal(pthread_create(&self->thread, NULL, background_run, self), 0);
}

static void background_end(struct background_call *self, int status) {
    assert_int_equal(pthread_join(self->thread, NULL), 0);
    expect(self->answer, status);
    arena_close(&self->arena);
}

static void a_takeover_is_a_delay_only(void **state) {
    (void)state;
    struct two_user alice = two_user(&all, 0);
    struct two_user bob = two_user(&all, 0);
    const char *thread = thread_new(&alice, 1, &bob);
    struct id_hash hash = thread_hash(thread);
    for (unsigned heir = 0; heir < GATEWAYS; heir++) {
        struct background_call sending;
        int parked = atomic_load(&all.parked_count);
        two_lead(&all, &hash, NOBODY);
        background_begin(&sending, &alice, "POST", target_of("/chat/threads/%s/messages?" API, thread),
                         "{\"content\":\"hello\"}");
        two_wait_for("the call waits for a leader", &all.parked_count, parked + 1);
        two_lead(&all, &hash, heir);
        background_end(&sending, 201);
    }
    assert_int_equal(two_count(messages_list(0, &bob, thread).text, "hello"), 2);
}

static void a_call_that_came_to_the_wrong_node_goes_on_to_the_right_one(void **state) {
    (void)state;
    struct two_user alice = two_user(&all, 0);
    struct two_user bob = two_user(&all, 0);
    const char *thread = thread_new(&alice, 1, &bob);
    atomic_store(&all.misdirections, 3);
    expect(message_send(0, &alice, thread, "hello"), 201);
    assert_int_equal(atomic_load(&all.not_primary), 3);
    assert_int_equal(two_count(messages_list(0, &bob, thread).text, "hello"), 1);
}

/* It looked who leads, stood still until another node did, and only then reads: what it has by then may be old. */
static void a_node_that_stood_still_before_it_read_tells_nothing_old(void **state) {
    (void)state;
    struct two_user alice = two_user(&all, 0);
    struct two_user bob = two_user(&all, 1);
    const char *thread = thread_new(&alice, 1, &bob);
    struct {
        const char *method;
        const char *target;
        const char *body;
        int status;
    } rows[] = {
        {"POST", target_of("/chat/threads/%s/messages?" API, thread), "{\"content\":\"hello\"}", 201},
        {"GET", target_of("/chat/threads/%s?" API, thread), "", 200},
        {"GET", target_of("/chat/threads/%s/messages?" API, thread), "", 200},
        {"POST", target_of("/chat/threads/%s/typing?" API, thread), "{}", 200},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        atomic_store(&all.nodes[0].late_looks, 1);
        expect(call(0, &alice, rows[i].method, rows[i].target, rows[i].body), rows[i].status);
        assert_int_equal(atomic_load(&all.nodes[0].late_looks), 0);
    }
    atomic_store(&all.nodes[0].late_looks, 1);
    const char *issue = target_of("/identities/%.*s/:issueAccessToken?" IDENTITY_API, BYTES_ARG(bob.id));
    expect(two_service_call(&all, 0, "POST", bytes_of_text(issue), "{\"scopes\":[\"chat\"]}"), 200);
    assert_int_equal(atomic_load(&all.nodes[0].late_looks), 0);
}

/* The answer of the old leader is lost with its lead, so the call is served again by the new one. */
static void what_was_committed_before_a_takeover_is_not_done_twice(void **state) {
    (void)state;
    struct two_user alice = two_user(&all, 0);
    struct two_user bob = two_user(&all, 0);
    for (unsigned leader = 0; leader < GATEWAYS; leader++) {
        const char *thread = thread_new(&alice, leader, &bob);
        atomic_store(&all.nodes[leader].loses_next, true);
        expect(message_send(0, &alice, thread, "hello"), 201);
        struct id_hash hash = thread_hash(thread);
        assert_int_equal(two_leader_of(&all, &hash), 1 - leader);
        assert_int_equal(two_count(messages_list(0, &bob, thread).text, "hello"), 1);
        two_lead(&all, &hash, leader);

        struct bytes repeatability_id = two_repeatability_id(&all, &alice, leader);
        atomic_store(&all.nodes[leader].loses_next, true);
        expect(create(0, &alice, repeatability_id, &bob), 201);
        for (unsigned i = 0; i < RANGES; i++)
            atomic_store(&all.leaders[i], i % GATEWAYS);
    }
    atomic_store(&all.nodes[0].loses_next, true);
    atomic_store(&all.nodes[1].loses_next, true);
    expect(two_service_call(&all, 0, "POST", BYTES_LITERAL("/identities?" IDENTITY_API), "{}"), 201);
}

static void a_deadline_without_a_leader_is_a_503_that_says_when_to_come_again(void **state) {
    (void)state;
    struct two_user alice = two_user(&all, 0);
    struct two_user bob = two_user(&all, 1);
    const char *thread = thread_new(&alice, 1, &bob);
    struct id_hash hash = thread_hash(thread);
    struct {
        const struct two_user *user;
        const struct id_hash *without_leader;
        const char *method;
        const char *target;
        const char *body;
    } rows[] = {
        {&alice, &hash, "GET", target_of("/chat/threads/%s?" API, thread), ""}, /* the thread */
        {&alice, &hash, "GET", "/chat/threads?" API, ""},                       /* a thread of the list */
        {&bob, &bob.hash, "GET", "/chat/threads?" API, ""},                     /* the token's user */
        {&alice, &bob.hash, "POST", target_of("/chat/threads/%s/participants/:add?" API, thread),
         target_of("{\"participants\":[{\"communicationIdentifier\":{\"rawId\":\"%.*s\"}}]}",
                   BYTES_ARG(bob.id))}, /* a participant */
    };
    assert_true(two_range_of(&hash) != two_range_of(&alice.hash) && two_range_of(&hash) != two_range_of(&bob.hash));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct background_call asking;
        int parked = atomic_load(&all.parked_count);
        two_lead(&all, rows[i].without_leader, NOBODY);
        background_begin(&asking, rows[i].user, rows[i].method, rows[i].target, rows[i].body);
        two_wait_for("the call waits for a leader", &all.parked_count, parked + 1);
        two_expire(&all);
        assert_int_equal(pthread_join(asking.thread, NULL), 0);
        expect(asking.answer, 503);
        assert_non_null(strstr(asking.answer.text, "Retry-After: 1"));
        assert_non_null(strstr(asking.answer.text, "\"code\":\"ServiceUnavailable\""));
        arena_close(&asking.arena);
        two_lead(&all, rows[i].without_leader, two_range_of(rows[i].without_leader) % GATEWAYS);
    }
}

/* A node that stops lets go of what it serves; what it had proposed is done by the next leader. */
static void a_node_that_stops_hands_its_calls_back(void **state) {
    (void)state;
    struct two_user alice = two_user(&all, 0);
    struct two_user bob = two_user(&all, 0);
    const char *thread = thread_new(&alice, 1, &bob);
    struct id_hash hash = thread_hash(thread);
    struct background_call sending;
    atomic_store(&all.nodes[1].is_mute, true);
    background_begin(&sending, &alice, "POST", target_of("/chat/threads/%s/messages?" API, thread),
                     "{\"content\":\"hello\"}");
    two_wait_for("the call goes over", &all.nodes[0].asked, 1);
    two_node_stop(&all.nodes[1]);
    two_wait_for("the call comes back", &all.parked_count, 1);
    two_lead(&all, &hash, 0);
    background_end(&sending, 201);
    assert_int_equal(two_count(messages_list(0, &bob, thread).text, "hello"), 1);
}

/* A client's node may stop before the answer comes; nothing waits, nothing leaks. */
static void a_node_that_stops_answers_its_own_clients_with_503(void **state) {
    (void)state;
    struct two_user alice = two_user(&all, 0);
    struct two_user bob = two_user(&all, 0);
    const char *thread = thread_new(&alice, 1, &bob);
    struct id_hash hash = thread_hash(thread);
    struct background_call sending;
    two_lead(&all, &hash, NOBODY);
    background_begin(&sending, &alice, "POST", target_of("/chat/threads/%s/messages?" API, thread),
                     "{\"content\":\"hello\"}");
    two_wait_for("the call waits for a leader", &all.parked_count, 1);
    two_node_stop(&all.nodes[0]);
    background_end(&sending, 503);
    two_lead(&all, &hash, 1);
}

/* ---- what a node is asked ---- */

struct served {
    atomic_int count;
    int rc;
    struct buffer reply;
};

static void on_served(void *context, int rc, struct bytes reply) {
    struct served *served = context;
    served->rc = rc;
    buffer_append_bytes(&served->reply, reply);
    atomic_fetch_add(&served->count, 1);
}

static int serve(unsigned at, const struct question *question, struct served *served) {
    struct buffer body;
    atomic_store(&served->count, 0);
    buffer_init(&body);
    question_encode(question, &body);
    assert_int_equal(gateway_serve(&all.nodes[at].gateway_worker, &body, served, on_served), 0);
    two_wait_for("an answer to the question", &served->count, 1);
    return served->rc;
}

static void a_node_serves_only_what_it_leads(void **state) {
    (void)state;
    struct two_user alice = two_user(&all, 0);
    struct two_user bob = two_user(&all, 1);
    const char *thread = thread_new(&alice, 0, &bob);
    struct forwarded_call forwarded = {.method = BYTES_LITERAL("GET"),
                                       .target = bytes_of_text(target_of("/chat/threads/%s?" API, thread)),
                                       .origin = BYTES_LITERAL("http://h"),
                                       .user_id = alice.id,
                                       .scopes = TOKEN_SCOPE_CHAT};
    struct question_subject subjects[] = {{alice.hash}, {bob.hash}};
    struct question users = {.kind = QUESTION_USERS, .subjects = subjects, .subjects_count = 1};
    struct served served = {.count = 0};
    struct buffer encoded;
    buffer_init(&encoded);
    buffer_init(&served.reply);
    forwarded_call_encode(&forwarded, &encoded);
    struct question question = {.kind = QUESTION_CALL, .left_ms = 1000, .call = buffer_bytes(&encoded)};
    assert_int_equal(serve(0, &question, &served), STATUS_OK);
    assert_int_equal(serve(1, &question, &served), STATUS_NOT_PRIMARY);
    assert_int_equal(serve(0, &users, &served), STATUS_OK);
    assert_int_equal(serve(1, &users, &served), STATUS_NOT_PRIMARY);
    users.subjects_count = 2;
    assert_int_equal(serve(0, &users, &served), STATUS_NOT_PRIMARY);
    assert_int_equal(atomic_load(&all.nodes[0].asked) + atomic_load(&all.nodes[1].asked), 1); /* about bob */
    buffer_close(&served.reply);
    buffer_close(&encoded);
}

static void calls_that_no_other_node_may_send_are_refused(void **state) {
    (void)state;
    struct two_user alice = two_user(&all, 0);
    static const struct {
        const char *method;
        const char *target;
        bool has_caller;
        uint32_t status;
    } rows[] = {
        {"GET", "/realtime", true, 400},                  /* has no connection here */
        {"GET", "/socket.io/1/websocket/x", true, 400},   /* likewise */
        {"POST", "/v4/a", true, 400},                     /* served where it comes in */
        {"GET", "/chat/threads?" API, false, 400},        /* of nobody */
        {"POST", "/identities?" IDENTITY_API, true, 400}, /* of a user, and without an id */
        {"POST", "/chat/threads?" API, true, 400},        /* without an id */
        {"GET", "/nowhere", true, 404},                   /* no route */
        {"GET", "chat", true, 400},                       /* no path */
        {"PUT", "/chat/threads?" API, true, 405},         /* no such method */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct forwarded_call forwarded = {.method = bytes_of_text(rows[i].method),
                                           .target = bytes_of_text(rows[i].target),
                                           .origin = BYTES_LITERAL("http://h"),
                                           .user_id = rows[i].has_caller ? alice.id : BYTES_ABSENT};
        struct forwarded_reply reply;
        struct served served = {.count = 0};
        struct buffer encoded;
        buffer_init(&encoded);
        buffer_init(&served.reply);
        forwarded_call_encode(&forwarded, &encoded);
        struct question question = {.kind = QUESTION_CALL, .left_ms = 1000, .call = buffer_bytes(&encoded)};
        assert_int_equal(serve(0, &question, &served), STATUS_OK);
        assert_int_equal(forwarded_reply_decode(buffer_bytes(&served.reply), &all.arena, &reply), 0);
        if (reply.status != rows[i].status)
            fail_msg("%s %s got %u", rows[i].method, rows[i].target, reply.status);
        buffer_close(&served.reply);
        buffer_close(&encoded);
    }
}

static void a_question_that_is_none_is_answered_by_name(void **state) {
    (void)state;
    struct served served = {.count = 0};
    struct buffer body;
    buffer_init(&served.reply);
    buffer_init(&body);
    buffer_append_text(&body, "nonsense");
    assert_int_equal(gateway_serve(&all.nodes[0].gateway_worker, &body, &served, on_served), 0);
    two_wait_for("an answer to the question", &served.count, 1);
    assert_int_equal(served.rc, STATUS_MALFORMED);
    struct question question = {.kind = QUESTION_CALL, .call = BYTES_LITERAL("nonsense")};
    assert_int_equal(serve(0, &question, &served), STATUS_OK);
    struct forwarded_reply reply;
    assert_int_equal(forwarded_reply_decode(buffer_bytes(&served.reply), &all.arena, &reply), 0);
    assert_int_equal(reply.status, 400);
    buffer_close(&served.reply);
}

/* ---- real time ---- */

/* With a mask of zeros. */
static void frame_write(int fd, struct bytes payload) {
    uint8_t small[6] = {0x81, (uint8_t)(0x80 | payload.size)};
    uint8_t large[8] = {0x81, 0x80 | 126, (uint8_t)(payload.size >> 8), (uint8_t)payload.size};
    assert_in_range(payload.size, 1, 65535);
    two_write(fd, payload.size < 126 ? bytes_of(small, sizeof(small)) : bytes_of(large, sizeof(large)));
    two_write(fd, payload);
}

static void read_until(int fd, const char *wanted) {
    char text[16384] = "";
    size_t size = 0;
    while (strstr(text, wanted) == NULL && size < sizeof(text) - 1) {
        ssize_t received = recv(fd, text + size, sizeof(text) - 1 - size, 0);
        if (received <= 0)
            fail_msg("'%s' never came", wanted);
        /* Headers of frames may hold zeros. */
        for (ssize_t i = 0; i < received; i++, size++)
            if (text[size] == '\0')
                text[size] = ' ';
    }
    assert_non_null(strstr(text, wanted));
}

static int realtime_open(unsigned at, const struct two_user *user) {
    int fd = two_connect(&all.nodes[at]);
    struct bytes connecting =
        arena_printf(&all.arena, "{\"type\":\"connect\",\"token\":\"%.*s\"}", BYTES_ARG(user->token));
    two_write(fd, BYTES_LITERAL("GET /realtime HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                                "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"));
    read_until(fd, "\r\n\r\n");
    frame_write(fd, connecting);
    return fd;
}

static void a_session_opens_when_the_users_node_has_answered_and_frames_wait_for_it(void **state) {
    (void)state;
    struct two_user alice = two_user(&all, 1);
    two_lead(&all, &alice.hash, NOBODY);
    int fd = realtime_open(0, &alice);
    frame_write(fd, BYTES_LITERAL("{\"type\":\"ping\",\"id\":\"p\"}"));
    two_wait_for("the token's question waits", &all.parked_count, 1);
    two_lead(&all, &alice.hash, 1);
    read_until(fd, "pong");
    close(fd);
}

static void a_session_may_end_before_its_token_is_known(void **state) {
    (void)state;
    struct two_user alice = two_user(&all, 1);
    two_lead(&all, &alice.hash, NOBODY);
    int fd = realtime_open(0, &alice);
    two_wait_for("the token's question waits", &all.parked_count, 1);
    close(fd);
    int other = realtime_open(0, &alice);
    two_wait_for("another one waits", &all.parked_count, 2);
    two_lead(&all, &alice.hash, 1);
    read_until(other, "connected");
    close(other);
}

static void a_token_nobody_can_check_now_ends_the_session_but_may_come_again(void **state) {
    (void)state;
    struct two_user alice = two_user(&all, 1);
    two_lead(&all, &alice.hash, NOBODY);
    int fd = realtime_open(0, &alice);
    two_wait_for("the token's question waits", &all.parked_count, 1);
    two_expire(&all);
    read_until(fd, "ServiceUnavailable");
    close(fd);
}

/* ---- real-time operations ---- */

static void frame_send(int fd, const char *thread, const char *id, const char *content) {
    frame_write(fd, bytes_of_text(target_of("{\"type\":\"send\",\"id\":\"%s\",\"thread\":\"%s\",\"content\":\"%s\"}",
                                            id, thread, content)));
}

/* Each content once, the newest first. */
static void expect_messages(const struct two_user *user, const char *thread, const char *prefix, int count) {
    const char *at = messages_list(0, user, thread).text;
    for (int i = count - 1; i >= 0; i--) {
        const char *content = target_of("\"message\":\"%s-%d\"", prefix, i);
        assert_int_equal(two_count(at, content), 1);
        at = strstr(at, content);
    }
}

static void what_a_session_does_is_done_in_order_where_the_thread_is_led(void **state) {
    (void)state;
    struct two_user alice = two_user(&all, 0);
    struct two_user bob = two_user(&all, 1);
    for (unsigned leader = 0; leader < GATEWAYS; leader++) {
        const char *thread = thread_new(&alice, leader, &bob);
        int fd = realtime_open(0, &alice);
        read_until(fd, "connected");
        for (int i = 0; i < 20; i++)
            frame_send(fd, thread, target_of("id-%d", i), target_of("m-%d", i));
        read_until(fd, "\"id\":\"id-19\"");
        expect_messages(&bob, thread, "m", 20);

        struct bytes message = two_member(message_send(0, &alice, thread, "last").text, "id");
        int notices = atomic_load(&all.nodes[leader].notices);
        frame_write(fd, bytes_of_text(target_of("{\"type\":\"typing\",\"thread\":\"%s\"}", thread)));
        frame_write(fd, bytes_of_text(target_of("{\"type\":\"receipt\",\"id\":\"seen\",\"thread\":\"%s\","
                                                "\"messageId\":\"%.*s\"}",
                                                thread, BYTES_ARG(message))));
        read_until(fd, "\"id\":\"seen\"");
        two_wait_for("the typing", &all.nodes[leader].notices, notices + 1);
        close(fd);
    }
}

static void a_session_hears_why_another_node_refused(void **state) {
    (void)state;
    struct two_user alice = two_user(&all, 0);
    struct two_user bob = two_user(&all, 0);
    struct two_user carol = two_user(&all, 0);
    const char *thread = thread_new(&alice, 1, &bob);
    int fd = realtime_open(0, &carol);
    read_until(fd, "connected");
    frame_send(fd, thread, "m", "hello");
    read_until(fd, "\"Forbidden\"");
    frame_send(fd, "19:nothing@thread.v2", "m", "hello");
    read_until(fd, "\"NotFound\"");
    close(fd);
}

static void a_takeover_delays_a_session_and_keeps_its_order(void **state) {
    (void)state;
    struct two_user alice = two_user(&all, 0);
    struct two_user bob = two_user(&all, 0);
    const char *thread = thread_new(&alice, 1, &bob);
    struct id_hash hash = thread_hash(thread);
    int fd = realtime_open(0, &alice);
    read_until(fd, "connected");
    for (unsigned heir = 0; heir < GATEWAYS; heir++) {
        int parked = atomic_load(&all.parked_count);
        two_lead(&all, &hash, NOBODY);
        for (int i = 0; i < 5; i++)
            frame_send(fd, thread, target_of("id-%u-%d", heir, i), target_of("heir%u-%d", heir, i));
        two_wait_for("the first waits for a leader", &all.parked_count, parked + 1);
        two_lead(&all, &hash, heir);
        read_until(fd, target_of("\"id\":\"id-%u-4\"", heir));
        expect_messages(&bob, thread, target_of("heir%u", heir), 5);
    }
    close(fd);
}

/* The first was committed, but its answer is lost with the lead; the others were proposed in vain. */
static void a_session_whose_node_loses_the_thread_goes_on_at_the_next_leader(void **state) {
    (void)state;
    struct two_user alice = two_user(&all, 0);
    struct two_user bob = two_user(&all, 0);
    const char *thread = thread_new(&alice, 0, &bob);
    int fd = realtime_open(0, &alice);
    read_until(fd, "connected");
    atomic_store(&all.nodes[0].loses_next, true);
    for (int i = 0; i < 10; i++)
        frame_send(fd, thread, target_of("id-%d", i), target_of("m-%d", i));
    read_until(fd, "\"id\":\"id-9\"");
    expect_messages(&bob, thread, "m", 10);
    close(fd);
}

static void a_session_may_end_while_another_node_is_at_work_for_it(void **state) {
    (void)state;
    struct two_user alice = two_user(&all, 0);
    struct two_user bob = two_user(&all, 0);
    const char *thread = thread_new(&alice, 1, &bob);
    struct id_hash hash = thread_hash(thread);
    int fd = realtime_open(0, &alice);
    read_until(fd, "connected");
    two_lead(&all, &hash, NOBODY);
    for (int i = 0; i < 3; i++)
        frame_send(fd, thread, target_of("id-%d", i), target_of("m-%d", i));
    two_wait_for("the first waits for a leader", &all.parked_count, 1);
    close(fd);
    int other = realtime_open(0, &alice);
    read_until(other, "connected");
    two_lead(&all, &hash, 1);
    frame_send(other, thread, "id", "m-0");
    read_until(other, "\"id\":\"id\"");
    close(other);
}

#define APART(test) cmocka_unit_test_setup_teardown(test, open_apart, close_both)
#define REPLICATED(test) cmocka_unit_test_setup_teardown(test, open_replicated, close_both)

int main(void) {
    const struct CMUnitTest tests[] = {
        APART(whatever_node_a_client_uses_a_thread_is_used_where_it_is_led),
        APART(a_thread_is_made_wherever_its_id_falls),
        APART(pages_go_on_at_the_address_that_the_client_used),
        APART(participants_of_other_nodes_are_asked_for_there),
        APART(a_list_of_threads_shows_what_the_nodes_know_that_lead_them),
        APART(identities_are_made_and_served_where_they_are_led),
        APART(a_revoked_token_is_void_on_every_node_at_once),
        APART(what_a_node_said_of_a_token_counts_as_long_as_a_revocation_may_be_late),
        APART(a_forged_token_bothers_no_other_node),
        REPLICATED(a_takeover_is_a_delay_only),
        APART(a_call_that_came_to_the_wrong_node_goes_on_to_the_right_one),
        APART(a_node_that_stood_still_before_it_read_tells_nothing_old),
        REPLICATED(what_was_committed_before_a_takeover_is_not_done_twice),
        APART(a_deadline_without_a_leader_is_a_503_that_says_when_to_come_again),
        REPLICATED(a_node_that_stops_hands_its_calls_back),
        APART(a_node_that_stops_answers_its_own_clients_with_503),
        APART(a_node_serves_only_what_it_leads),
        APART(calls_that_no_other_node_may_send_are_refused),
        APART(a_question_that_is_none_is_answered_by_name),
        REPLICATED(a_session_opens_when_the_users_node_has_answered_and_frames_wait_for_it),
        REPLICATED(a_session_may_end_before_its_token_is_known),
        REPLICATED(a_token_nobody_can_check_now_ends_the_session_but_may_come_again),
        REPLICATED(what_a_session_does_is_done_in_order_where_the_thread_is_led),
        REPLICATED(a_session_hears_why_another_node_refused),
        REPLICATED(a_takeover_delays_a_session_and_keeps_its_order),
        REPLICATED(a_session_whose_node_loses_the_thread_goes_on_at_the_next_leader),
        REPLICATED(a_session_may_end_while_another_node_is_at_work_for_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
