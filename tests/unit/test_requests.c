/* Requests between nodes: each rule by itself with packets carried by hand, and all of them over a bad network. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/core/requests.h"
#include "proto/limits.h"
#include "proto/status.h"
#include "tests/lib/lossy_network.h"

#define NODES 3
#define CALLS_MAX 64
#define QUESTIONS_MAX 512
#define EXECUTIONS_MAX 4096

struct pending_call {
    uint64_t token;
    uint64_t question; /* the number in its body */
    size_t size;
    int64_t due_ms;
    bool was_primary;
};

/* A node and its server. */
struct node {
    uint64_t id;
    uint64_t start;
    struct requests *requests;
    struct pending_call calls[CALLS_MAX];
    size_t calls_count;
    size_t served; /* in this life */
};

struct question {
    uint64_t asked_by;
    uint64_t asker_start;
    int64_t deadline_ms;
    size_t body_size, reply_size;
    unsigned answers;
    int rc;
    bool is_right;
};

struct execution {
    uint64_t node, start, question;
};

static struct node nodes[NODES + 1]; /* by id, from 1 */
static struct question questions[QUESTIONS_MAX];
static size_t questions_count;
static struct execution executions[EXECUTIONS_MAX];
static size_t executions_count;
static struct lossy_network network;
static uint64_t primary; /* by the map; 0: not known */
static uint64_t leader;  /* in truth */
static unsigned serving_ms_max;
static uint64_t heir; /* who may be about to lead; 0: nobody */
static int64_t now_ms;

static uint64_t on_primary_of(void *context, const struct id_hash *subject) {
    (void)context;
    (void)subject;
    return primary;
}

static void on_send(void *context, uint64_t to, const struct packet *packet) {
    struct node *node = context;
    network_send(&network, node->id, to, packet, now_ms);
}

static bool on_may_lead_soon(void *context, const struct id_hash *subject) {
    const struct node *node = context;
    (void)subject;
    return node->id == heir && leader != heir;
}

#define BODY_HEAD (2 * sizeof(uint64_t))

static uint8_t byte_at(uint64_t question, uint64_t life, size_t i) {
    return (uint8_t)(question * 31 + life + i * 7 + i / 4096);
}

/* The number of the question, the life of the node that made the body, and what follows from them: no two lives reply
 * the same. */
static uint8_t *body_make(uint64_t question, uint64_t life, size_t size) {
    uint8_t *body = malloc(size);
    check(body != NULL && size >= BODY_HEAD);
    for (size_t i = 0; i < size; i++)
        body[i] = byte_at(question, life, i);
    memcpy(body, &question, sizeof(question));
    memcpy(body + sizeof(question), &life, sizeof(life));
    return body;
}

static uint64_t body_question(struct bytes body) {
    uint64_t question;
    check(body.size >= BODY_HEAD);
    memcpy(&question, body.data, sizeof(question));
    return question;
}

static bool body_is_right(struct bytes body, uint64_t question, size_t size) {
    uint64_t life;
    if (body.size != size || body_question(body) != question)
        return false;
    memcpy(&life, body.data + sizeof(question), sizeof(life));
    for (size_t i = BODY_HEAD; i < size; i++)
        if (body.data[i] != byte_at(question, life, i))
            return false;
    return true;
}

static void on_serve(void *context, const struct requests_call *call) {
    struct node *node = context;
    uint64_t question = body_question(call->body);
    check(node->calls_count < CALLS_MAX && question < questions_count);
    check(body_is_right(call->body, question, questions[question].body_size));
    node->calls[node->calls_count++] =
        (struct pending_call){.token = call->token,
                              .question = question,
                              .due_ms = now_ms + 1 + chance_below(&network.chance, serving_ms_max),
                              .was_primary = leader == node->id};
    node->served++;
    if (leader != node->id)
        return;
    for (size_t i = 0; i < executions_count; i++) {
        const struct execution *done = &executions[i];
        assert_false(done->node == node->id && done->start == node->start && done->question == question);
    }
    check(executions_count < EXECUTIONS_MAX);
    executions[executions_count++] = (struct execution){node->id, node->start, question};
}

static void on_answer(void *context, const struct requests_answer *answer) {
    struct question *question = answer->reply_to;
    (void)context;
    question->answers++;
    question->rc = answer->rc;
    question->is_right =
        answer->rc == STATUS_OK && body_is_right(answer->body, (uint64_t)(question - questions), question->reply_size);
    assert_int_equal(answer->worker, 7);
}

static void node_start(uint64_t id) {
    struct node *node = &nodes[id];
    struct requests_hooks hooks = {node, on_primary_of, on_send, on_serve, on_answer, on_may_lead_soon};
    node->id = id;
    node->start = chance_next(&network.chance);
    node->requests = requests_new(id, node->start, &hooks);
    node->calls_count = 0;
    node->served = 0;
}

static int set_up(void **state) {
    (void)state;
    network = (struct lossy_network){.chance = 1, .delay_ms_max = 1};
    questions_count = executions_count = 0;
    now_ms = 1000;
    primary = leader = 2;
    serving_ms_max = 100;
    heir = 0;
    for (uint64_t id = 1; id <= NODES; id++)
        node_start(id);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    for (uint64_t id = 1; id <= NODES; id++)
        requests_free(nodes[id].requests);
    network_close(&network);
    return 0;
}

/* `of` 0: of the primary. */
static struct question *ask_of(uint64_t node, uint64_t of, size_t body_size, size_t reply_size, int64_t time_ms) {
    check(questions_count < QUESTIONS_MAX);
    struct question *question = &questions[questions_count];
    *question = (struct question){.asked_by = node,
                                  .asker_start = nodes[node].start,
                                  .deadline_ms = now_ms + time_ms,
                                  .body_size = body_size,
                                  .reply_size = reply_size};
    uint8_t *body = body_make(questions_count++, nodes[node].start, body_size);
    struct requests_question asked = {.subject = {{1}},
                                      .node = of,
                                      .body = bytes_of(body, body_size),
                                      .reply_to = question,
                                      .worker = 7,
                                      .deadline_ms = question->deadline_ms};
    assert_int_equal(requests_ask(nodes[node].requests, &asked, now_ms), STATUS_OK);
    free(body);
    return question;
}

static struct question *ask(uint64_t node, size_t body_size, size_t reply_size, int64_t time_ms) {
    return ask_of(node, 0, body_size, reply_size, time_ms);
}

static void call_finish(struct node *node, size_t i) {
    struct pending_call call = node->calls[i];
    node->calls[i] = node->calls[--node->calls_count];
    if (!call.was_primary) {
        requests_served(node->requests, call.token, STATUS_NOT_PRIMARY, BYTES_ABSENT, now_ms);
        return;
    }
    size_t size = questions[call.question].reply_size;
    uint8_t *reply = body_make(call.question, node->start, size);
    requests_served(node->requests, call.token, STATUS_OK, bytes_of(reply, size), now_ms);
    free(reply);
}

static void serve_due(struct node *node) {
    for (size_t i = 0; i < node->calls_count;)
        if (node->calls[i].due_ms <= now_ms)
            call_finish(node, i);
        else
            i++;
}

static void deliver_due(void) {
    struct flying_packet *flying;
    while ((flying = network_take(&network, now_ms)) != NULL) {
        struct arena arena;
        struct packet packet;
        arena_init(&arena);
        check(packet_decode(buffer_bytes(&flying->encoded), &arena, &packet) == 0);
        requests_on_packet(nodes[flying->to].requests, flying->from, &packet, now_ms);
        arena_close(&arena);
        flying_packet_free(flying);
    }
}

static void pass(int64_t ms) {
    for (int64_t end_ms = now_ms + ms; now_ms < end_ms; now_ms++) {
        deliver_due();
        for (uint64_t id = 1; id <= NODES; id++) {
            serve_due(&nodes[id]);
            if (now_ms % REQUESTS_TICK_MS == 0)
                requests_tick(nodes[id].requests, now_ms);
            requests_done(nodes[id].requests);
        }
    }
}

static void map_set(uint64_t node) {
    primary = node;
    for (uint64_t id = 1; id <= NODES; id++)
        requests_map_changed(nodes[id].requests, now_ms);
}

/* ---- each rule ---- */

static void a_request_is_answered_by_the_primary(void **state) {
    static const struct {
        size_t body, reply;
    } rows[] = {{16, 16},      {1000, 50},   {PACKET_PART_BYTES, 16}, {PACKET_PART_BYTES + 1, 16},
                {1200000, 16}, {16, 4000000}};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct question *question = ask(1, rows[i].body, rows[i].reply, 10000);
        pass(400);
        assert_int_equal(question->answers, 1);
        assert_true(question->is_right);
        assert_int_equal(nodes[2].served, i + 1);
    }
    assert_int_equal(requests_statistics(nodes[1].requests).bytes, 0);
    assert_int_equal(requests_statistics(nodes[2].requests).bytes, 0);
}

static void a_request_of_the_primary_is_served_here(void **state) {
    (void)state;
    struct question *question = ask(2, 100, 200, 10000);
    pass(200);
    assert_int_equal(question->answers, 1);
    assert_true(question->is_right);
    assert_int_equal(network.sent, 0);
}

static void a_request_for_one_node_goes_there_whoever_leads(void **state) {
    (void)state;
    leader = 3; /* only there it is done */
    struct question *question = ask_of(1, 3, 16, 16, 2000);
    map_set(2);
    pass(200);
    map_set(1);
    pass(200);
    map_set(3);
    pass(1000);
    assert_int_equal(nodes[1].served, 0);
    assert_int_equal(nodes[2].served, 0);
    assert_int_equal(question->answers, 1);
    assert_true(question->is_right);
}

static void without_a_reply_the_deadline_answers(void **state) {
    (void)state;
    network.lost_percent = 100;
    struct question *question = ask(1, 16, 16, 1000);
    pass(999);
    assert_int_equal(question->answers, 0);
    assert_in_range(network.sent, 4, 6); /* once, and again every 200 ms */
    pass(REQUESTS_TICK_MS + 1);
    assert_int_equal(question->answers, 1);
    assert_int_equal(question->rc, STATUS_SERVICE_UNAVAILABLE);
    assert_int_equal(requests_statistics(nodes[1].requests).asked, 0);
}

static void a_repeated_request_gets_the_same_reply_and_is_served_once(void **state) {
    (void)state;
    network.lost_percent = 0;
    struct question *question = ask(1, 16, 16, 10000);
    pass(2);
    network.lost_percent = 100; /* the reply is lost, again and again */
    pass(1500);
    assert_int_equal(question->answers, 0);
    assert_int_equal(nodes[2].served, 1);
    network.lost_percent = 0;
    pass(400);
    assert_int_equal(question->answers, 1);
    assert_true(question->is_right);
    assert_int_equal(nodes[2].served, 1);
}

static void a_request_that_was_answered_is_not_served_when_it_comes_late(void **state) {
    struct arena arena;
    struct packet packet;
    (void)state;
    ask(1, 16, 16, 10000);
    struct buffer copy = {0};
    buffer_append_bytes(&copy, buffer_bytes(&network.flying->encoded));
    pass(400);
    arena_init(&arena);
    assert_int_equal(packet_decode(buffer_bytes(&copy), &arena, &packet), 0);
    for (unsigned i = 0; i < 30; i++) {
        requests_on_packet(nodes[2].requests, 1, &packet, now_ms);
        pass(200);
        if (i == 10)
            ask(1, 16, 16, 10000); /* says that the first one is over */
    }
    assert_int_equal(nodes[2].served, 2);
    arena_close(&arena);
    buffer_close(&copy);
}

static void who_is_not_the_primary_is_asked_again_later(void **state) {
    (void)state;
    leader = 3; /* the map does not know yet */
    struct question *question = ask(1, 16, 16, 10000);
    pass(3000);
    assert_int_equal(question->answers, 0);
    assert_in_range(nodes[2].served, 5, 12); /* 50, 100, 200, 400, 500, 500 … and the time it takes */
    leader = 2;
    pass(1000);
    assert_int_equal(question->answers, 1);
    assert_true(question->is_right);
    assert_int_equal(executions_count, 1);
}

static void who_was_not_the_primary_does_not_serve_what_comes_twice(void **state) {
    (void)state;
    leader = 3;
    network.doubled_percent = 100;
    ask(1, 16, 16, 10000);
    network.flying->next->due_ms = now_ms + 1000;
    network.doubled_percent = 0;
    pass(5);
    network.lost_percent = 100;
    pass(500);
    assert_int_equal(nodes[2].served, 1);
    leader = 2;
    pass(1000);
    assert_null(network.flying);
    assert_int_equal(nodes[2].served, 1);
}

static void what_was_served_is_not_served_again_when_its_asker_comes_back(void **state) {
    (void)state;
    struct question *question = ask(1, 16, 16, 10000);
    pass(2);
    network.lost_percent = 100;
    pass(500);
    map_set(3);
    pass(100);
    map_set(2);
    network.lost_percent = 0;
    pass(1000);
    assert_true(question->is_right);
    assert_int_equal(nodes[2].served, 1);
}

static void what_another_life_has_replied_counts_for_nothing(void **state) {
    struct packet seen = {
        .kind = PACKET_REQUEST, .request = 1, .asker_start = nodes[1].start, .parts_seen = UINT64_MAX};
    (void)state;
    struct question *question = ask(1, 16, 16, 10000);
    pass(2);
    network.lost_percent = 100;
    pass(500);
    seen.answerer_start = nodes[2].start - 1;
    requests_on_packet(nodes[2].requests, 1, &seen, now_ms);
    network.lost_percent = 0;
    pass(500);
    assert_true(question->is_right);
}

static void a_new_primary_is_asked_as_soon_as_the_map_names_it(void **state) {
    (void)state;
    for (uint64_t next = 1; next <= 3; next += 2) { /* also when it is the asker itself */
        leader = next;
        map_set(2);
        struct question *question = ask(1, 300000, 16, 10000);
        pass(2000);
        assert_int_equal(question->answers, 0);
        map_set(next);
        pass(300);
        assert_int_equal(question->answers, 1);
        assert_true(question->is_right);
    }
}

static void who_is_about_to_lead_holds_a_request_until_it_does(void **state) {
    (void)state;
    leader = 0;
    heir = 3;
    map_set(3); /* whoever asks has heard of it first */
    struct question *question = ask(1, 16, 16, 10000);
    pass(REQUESTS_HELD_MS - 50);
    assert_int_equal(nodes[3].served, 0);
    leader = 3;
    requests_map_changed(nodes[3].requests, now_ms);
    assert_int_equal(nodes[3].served, 1);
    pass(150);
    assert_int_equal(question->answers, 1);
    assert_true(question->is_right);
    assert_int_equal(nodes[3].served, 1);
}

static void who_does_not_come_to_lead_refuses_what_it_has_held(void **state) {
    (void)state;
    leader = 2;
    heir = 3;
    map_set(3);
    struct question *question = ask(1, 16, 16, 10000);
    pass(REQUESTS_HELD_MS + REQUESTS_TICK_MS + 110);
    assert_int_equal(nodes[3].served, 1);
    map_set(2);
    pass(150);
    assert_int_equal(question->answers, 1);
    assert_true(question->is_right);
}

static void a_request_for_one_node_is_not_held(void **state) {
    (void)state;
    leader = 2;
    heir = 3;
    ask_of(1, 3, 16, 16, 10000);
    pass(3);
    assert_int_equal(nodes[3].served, 1);
}

static void what_is_held_is_let_go_when_nobody_waits_for_it(void **state) {
    (void)state;
    leader = 2;
    heir = 3;
    map_set(3);
    struct question *question = ask(1, 16, 16, 10000);
    pass(20);
    assert_int_equal(requests_statistics(nodes[3].requests).serving, 1);
    map_set(2);
    pass(150);
    assert_true(question->is_right);
    map_set(3);
    ask(1, 16, 16, 10000); /* says that the first is over */
    pass(20);
    assert_int_equal(requests_statistics(nodes[3].requests).serving, 1);
    assert_int_equal(nodes[3].served, 0);
}

/* It is refused by a node that has learned meanwhile that it leads. */
static void who_is_refused_asks_again_at_once_if_the_map_has_changed(void **state) {
    (void)state;
    leader = 1;
    map_set(3);
    struct question *question = ask(3, 16, 16, 10000);
    for (unsigned i = 0; i < 3; i++)
        pass(300); /* it is refused again and again, and waits ever longer */
    map_set(2);
    pass(1);
    map_set(3);
    while (nodes[3].calls_count == 0)
        pass(1);
    leader = 3;
    map_set(3);
    size_t served = nodes[3].served;
    call_finish(&nodes[3], 0);
    assert_int_equal(nodes[3].served, served + 1);
    pass(110);
    assert_int_equal(question->answers, 1);
    assert_true(question->is_right);
}

/* As when a node gives all its ranges away: each map asks again, and says nothing about the time that it takes. */
static void many_maps_in_a_row_make_no_request_wait_longer(void **state) {
    (void)state;
    leader = 0;
    serving_ms_max = 5;
    struct question *question = ask(1, 16, 16, 10000);
    for (unsigned i = 0; i < 40; i++) {
        map_set(2);
        pass(REQUESTS_BACKOFF_MS / 2);
    }
    assert_int_equal(question->answers, 0);
    leader = 2;
    pass(2 * REQUESTS_BACKOFF_MS + REQUESTS_TICK_MS);
    assert_int_equal(question->answers, 1);
    assert_true(question->is_right);
}

static void a_primary_that_is_silent_is_left_when_the_map_names_another(void **state) {
    (void)state;
    network.lost_percent = 100;
    struct question *question = ask(1, 16, 16, 10000);
    pass(1000);
    network.lost_percent = 0;
    leader = 3;
    map_set(3);
    pass(200);
    assert_int_equal(question->answers, 1);
    assert_true(question->is_right);
    assert_int_equal(nodes[3].served, 1);
}

static void with_no_primary_known_a_request_waits(void **state) {
    (void)state;
    map_set(0);
    struct question *question = ask(1, 16, 16, 10000);
    pass(1000);
    assert_int_equal(network.sent, 0);
    map_set(2);
    pass(200);
    assert_int_equal(question->answers, 1);
    assert_true(question->is_right);
}

static void an_answer_after_the_deadline_is_not_given_twice(void **state) {
    (void)state;
    for (uint64_t node = 1; node <= 2; node++) { /* the other node serves it, and this one itself */
        struct question *question = ask(node, 16, 16, 20000);
        pass(2);
        assert_int_equal(nodes[2].calls_count, 1);
        nodes[2].calls[0].due_ms = now_ms + 25000;
        pass(21000);
        assert_int_equal(question->answers, 1);
        assert_int_equal(question->rc, STATUS_SERVICE_UNAVAILABLE);
        pass(6000);
        assert_int_equal(nodes[2].calls_count, 0);
        assert_int_equal(question->answers, 1);
        assert_int_equal(requests_statistics(nodes[node].requests).bytes, 0);
    }
}

static void a_server_that_restarts_serves_again(void **state) {
    (void)state;
    struct question *question = ask(1, 400000, 400000, 10000);
    pass(12);
    assert_int_equal(nodes[2].served, 1);
    requests_free(nodes[2].requests);
    node_start(2);
    pass(1500);
    assert_int_equal(question->answers, 1);
    assert_true(question->is_right);
    assert_int_equal(nodes[2].served, 1);
}

static void replies_to_an_earlier_life_are_ignored(void **state) {
    (void)state;
    ask(1, 16, 16, 10000);
    requests_free(nodes[1].requests);
    node_start(1);
    pass(13000);
    assert_int_equal(questions[0].answers, 0);
    assert_int_equal(nodes[2].served, 1);
    assert_int_equal(requests_statistics(nodes[2].requests).kept, 0);
}

static void more_than_a_node_takes_is_refused_by_name(void **state) {
    static uint8_t large[TRANSFER_BYTES_MAX + 1];
    struct requests_question asked = {.body = {large, sizeof(large)}, .deadline_ms = now_ms + 1000};
    (void)state;
    assert_int_equal(requests_ask(nodes[1].requests, &asked, now_ms), STATUS_REQUEST_ENTITY_TOO_LARGE);
    primary = 0; /* they all wait */
    asked.body.size--;
    for (size_t i = 0; i < LIMIT_FORWARD_BYTES_MAX / TRANSFER_BYTES_MAX; i++)
        assert_int_equal(requests_ask(nodes[1].requests, &asked, now_ms), STATUS_OK);
    assert_int_equal(requests_ask(nodes[1].requests, &asked, now_ms), STATUS_OVERLOADED);
    requests_free(nodes[1].requests);
    node_start(1);
    asked.body.size = 0;
    for (size_t i = 0; i < LIMIT_FORWARDS_OPEN_MAX; i++)
        assert_int_equal(requests_ask(nodes[1].requests, &asked, now_ms), STATUS_OK);
    assert_int_equal(requests_ask(nodes[1].requests, &asked, now_ms), STATUS_OVERLOADED);
    requests_free(nodes[1].requests);
    node_start(1);
}

static void a_server_without_room_says_so(void **state) {
    struct packet packet = {.kind = PACKET_REQUEST,
                            .asker_start = 9,
                            .deadline_ms = 10000,
                            .parts = PACKET_PARTS_MAX,
                            .part = PACKET_PARTS_MAX - 1,
                            .body = BYTES_LITERAL("x")};
    (void)state;
    for (size_t i = 0; i < LIMIT_FORWARD_BYTES_MAX / 2 / TRANSFER_BYTES_MAX; i++) {
        packet.request++;
        requests_on_packet(nodes[2].requests, 1, &packet, now_ms);
    }
    struct question *question = ask(1, 16, 16, 10000);
    pass(100);
    assert_int_equal(question->answers, 1);
    assert_int_equal(question->rc, STATUS_OVERLOADED);
    pass(13000); /* what was never completed is forgotten */
    question = ask(1, 16, 16, 10000);
    pass(200);
    assert_true(question->is_right);
}

static void a_reply_larger_than_can_be_sent_is_an_error(void **state) {
    (void)state;
    struct question *question = ask(1, 16, TRANSFER_BYTES_MAX + 1, 10000);
    pass(200);
    assert_int_equal(question->answers, 1);
    assert_int_equal(question->rc, STATUS_INTERNAL_ERROR);
}

static void nonsense_is_ignored(void **state) {
    static const struct packet rows[] = {
        {.kind = PACKET_REQUEST, .request = 1, .parts = 1},
        {.kind = PACKET_REQUEST, .request = 1, .deadline_ms = 9, .parts = UINT32_MAX, .part = UINT32_MAX - 1},
        {.kind = PACKET_REQUEST, .request = 1, .deadline_ms = 9, .parts = 2, .part = 2},
        {.kind = PACKET_REQUEST, .request = 1, .parts_seen = UINT64_MAX},
        {.kind = PACKET_REPLY, .request = 1, .parts = UINT32_MAX},
        {.kind = PACKET_REPLY, .request = 99, .parts = 1},
        {.kind = PACKET_REPLY, .request = 1, .parts = 1, .rc = 1},
        {.kind = PACKET_REPLY, .request = 1, .parts = 1, .rc = INT64_MIN},
    };
    (void)state;
    primary = 0;
    struct question *question = ask(1, 16, 16, 10000);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct packet packet = rows[i];
        packet.asker_start = nodes[1].start;
        requests_on_packet(nodes[1].requests, 2, &packet, now_ms);
    }
    pass(100);
    assert_int_equal(question->answers, 0);
    assert_int_equal(nodes[1].served, 0);
}

/* ---- all together ---- */

static void ask_by_chance(int64_t time_ms) {
    static const size_t sizes[] = {16, 17, 500, PACKET_PART_BYTES, PACKET_PART_BYTES + 1, 1000000};
    uint64_t node = 1 + chance_below(&network.chance, NODES);
    ask(node, sizes[chance_below(&network.chance, 6)], sizes[chance_below(&network.chance, 6)], time_ms);
}

static void trouble_by_chance(void) {
    uint64_t node = 1 + chance_below(&network.chance, NODES);
    switch (chance_below(&network.chance, 4)) {
    case 0:
        leader = node; /* the map learns of it later */
        break;
    case 1:
        map_set(leader);
        break;
    case 2:
        map_set(chance_below(&network.chance, 2) == 0 ? 0 : node);
        break;
    default:
        requests_free(nodes[node].requests);
        node_start(node);
    }
}

/* Those whose asker still lives were answered once. */
static void answers_are_checked(bool must_be_right) {
    for (size_t i = 0; i < questions_count; i++) {
        const struct question *question = &questions[i];
        bool is_alive = nodes[question->asked_by].start == question->asker_start;
        assert_int_equal(is_alive ? question->answers : 1, 1);
        if (is_alive && must_be_right)
            assert_true(question->is_right);
        if (question->answers > 0 && question->rc != STATUS_SERVICE_UNAVAILABLE)
            assert_true(question->is_right);
    }
}

static void seed_run(uint64_t seed) {
    network.chance = seed;
    network.lost_percent = 20;
    network.doubled_percent = 20;
    network.delay_ms_max = 30;
    for (unsigned round = 0; round < 40; round++) {
        for (unsigned i = chance_below(&network.chance, 4); i > 0; i--)
            ask_by_chance(1000 + chance_below(&network.chance, 9000));
        if (chance_below(&network.chance, 3) == 0)
            trouble_by_chance();
        pass(50 + chance_below(&network.chance, 400));
    }
    leader = 1 + chance_below(&network.chance, NODES);
    map_set(leader);
    pass(11000);
    answers_are_checked(false);
    /* In quiet times everything is answered rightly, loss or not. */
    questions_count = executions_count = 0;
    for (uint64_t id = 1; id <= NODES; id++) {
        requests_free(nodes[id].requests);
        node_start(id);
    }
    for (unsigned i = 0; i < 20; i++)
        ask_by_chance(20000);
    pass(34000);
    answers_are_checked(true);
    for (uint64_t id = 1; id <= NODES; id++) {
        assert_int_equal(requests_statistics(nodes[id].requests).kept, 0);
        assert_int_equal(requests_statistics(nodes[id].requests).bytes, 0);
    }
}

static void over_a_bad_network_each_request_is_answered_once_and_served_once_per_life(void **state) {
    for (uint64_t seed = 1; seed <= 12; seed++) {
        seed_run(seed * 4711);
        tear_down(state);
        set_up(state);
    }
}

int main(void) {
#define NETWORKED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        NETWORKED(a_request_is_answered_by_the_primary),
        NETWORKED(a_request_of_the_primary_is_served_here),
        NETWORKED(a_request_for_one_node_goes_there_whoever_leads),
        NETWORKED(without_a_reply_the_deadline_answers),
        NETWORKED(a_repeated_request_gets_the_same_reply_and_is_served_once),
        NETWORKED(a_request_that_was_answered_is_not_served_when_it_comes_late),
        NETWORKED(who_is_not_the_primary_is_asked_again_later),
        NETWORKED(who_was_not_the_primary_does_not_serve_what_comes_twice),
        NETWORKED(what_was_served_is_not_served_again_when_its_asker_comes_back),
        NETWORKED(what_another_life_has_replied_counts_for_nothing),
        NETWORKED(a_new_primary_is_asked_as_soon_as_the_map_names_it),
        NETWORKED(who_is_about_to_lead_holds_a_request_until_it_does),
        NETWORKED(who_does_not_come_to_lead_refuses_what_it_has_held),
        NETWORKED(a_request_for_one_node_is_not_held),
        NETWORKED(what_is_held_is_let_go_when_nobody_waits_for_it),
        NETWORKED(who_is_refused_asks_again_at_once_if_the_map_has_changed),
        NETWORKED(many_maps_in_a_row_make_no_request_wait_longer),
        NETWORKED(a_primary_that_is_silent_is_left_when_the_map_names_another),
        NETWORKED(with_no_primary_known_a_request_waits),
        NETWORKED(an_answer_after_the_deadline_is_not_given_twice),
        NETWORKED(a_server_that_restarts_serves_again),
        NETWORKED(replies_to_an_earlier_life_are_ignored),
        NETWORKED(more_than_a_node_takes_is_refused_by_name),
        NETWORKED(a_server_without_room_says_so),
        NETWORKED(a_reply_larger_than_can_be_sent_is_an_error),
        NETWORKED(nonsense_is_ignored),
        NETWORKED(over_a_bad_network_each_request_is_answered_once_and_served_once_per_life),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
