/* One real worker and clients with plain sockets: what no single file of the gateway can show alone. Every read has a
 * deadline, so a test that goes wrong ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/ssl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "node/gateway/certificate.h"
#include "node/gateway/router.h"
#include "node/gateway/tls.h"
#include "node/gateway/websocket.h"
#include "node/gateway/worker.h"
#include "proto/limits.h"

#define DEADLINE_S 20
#define AUDIENCE 6
#define SHARED_FRAME_BYTES 50000
#define ROUNDS_MAX 500
#define REPLY_BYTES_MAX (512 * 1024)
#define KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define UPGRADE                                                                                                        \
    "GET /socket HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"                     \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " KEY "\r\n"

struct scene {
    struct worker worker;
    uint16_t port;
    bool is_stopped;
    atomic_int handled;
    atomic_int opened;
    atomic_int closed;
    atomic_int last_close_code;
    atomic_int flood_rc;
    atomic_int droppable_rc;
    atomic_int closing_rc;
    int awaited; /* for has_closed */
    atomic_int rooms;
    atomic_int rounds;                    /* frames to all so far */
    atomic_bool is_backlogged;            /* somebody did not take one of them at once */
    struct websocket *audience[AUDIENCE]; /* those that are open; the worker's thread only */
    struct http_call *kept;               /* the worker's thread only */
    struct wheel_timer timer;
};

/* ---- The server ---- */

static struct scene *scene_of(struct worker *worker) {
    return worker->context;
}

static void echo(struct worker *worker, struct http_call *call) {
    (void)worker;
    http_call_reply(call, 200, call->body);
}

static void show(struct worker *worker, struct http_call *call) {
    (void)worker;
    http_call_set_header(call, "X-Value", http_call_query(call, "value"));
    http_call_reply_text(call, 200, "text/plain",
                         arena_printf(&call->arena, "[%.*s][%.*s][%.*s][%.*s]", BYTES_ARG(call->captures[0]),
                                      BYTES_ARG(call->raw_target), BYTES_ARG(http_call_public_origin(call)),
                                      BYTES_ARG(call->client_address)));
}

static void refuse(struct worker *worker, struct http_call *call) {
    (void)worker;
    http_call_refuse_status(call, STATUS_OVERLOADED);
}

static void no_content(struct worker *worker, struct http_call *call) {
    (void)worker;
    http_call_reply(call, 204, BYTES_ABSENT);
}

static void answer_kept(struct wheel_timer *timer, void *owner) {
    (void)timer;
    struct scene *scene = scene_of(owner);
    http_call_reply(scene->kept, 200, BYTES_LITERAL("{\"late\":true}"));
    atomic_fetch_add(&scene->handled, 1);
}

static void later(struct worker *worker, struct http_call *call) {
    struct scene *scene = scene_of(worker);
    scene->kept = call;
    wheel_timer_start(&worker->wheel, &scene->timer, worker_now_ms(worker), 300, answer_kept);
}

static void never(struct worker *worker, struct http_call *call) {
    (void)call;
    atomic_fetch_add(&scene_of(worker)->handled, 1);
}

static struct scene *scene_of_websocket(struct websocket *websocket) {
    return scene_of(websocket_worker(websocket));
}

static void flood(struct websocket *websocket) {
    static const char rest[19996];
    struct websocket_segment segments[] = {{NULL, "\x82\x7e\x4e\x1c", 4}, {NULL, rest, sizeof(rest)}};
    int rc = 0;
    while (rc == 0)
        rc = websocket_queue(websocket, segments, 2, WEBSOCKET_NEEDED);
    atomic_store(&scene_of_websocket(websocket)->flood_rc, rc);
    size_t queued = websocket_queued_bytes(websocket);
    rc = websocket_queue(websocket, segments, 2, WEBSOCKET_DROPPABLE);
    atomic_store(&scene_of_websocket(websocket)->droppable_rc,
                 queued == websocket_queued_bytes(websocket) ? rc : STATUS_INTERNAL_ERROR);
}

/* One frame that all share, as fan-out makes it: the number of the round, and zeros. */
static void send_to_all(struct scene *scene) {
    uint32_t round = (uint32_t)atomic_load(&scene->rounds);
    struct buffer frame;
    buffer_init(&frame);
    uint8_t *start = buffer_reserve(&frame, SHARED_FRAME_BYTES);
    memset(start, 0, SHARED_FRAME_BYTES);
    memcpy(start, (uint8_t[]){0x82, 0x7e, (SHARED_FRAME_BYTES - 4) >> 8, (SHARED_FRAME_BYTES - 4) & 0xff}, 4);
    memcpy(start + 4, &round, sizeof(round));
    buffer_added(&frame, SHARED_FRAME_BYTES);
    struct shared_bytes *shared = shared_bytes_take(&frame);
    struct bytes view = shared_bytes_view(shared);
    struct websocket_segment segment = {.owner = shared, .data = view.data, .size = view.size};
    for (size_t i = 0; i < AUDIENCE; i++) {
        if (scene->audience[i] == NULL)
            continue;
        if (websocket_queued_bytes(scene->audience[i]) > 0)
            atomic_store(&scene->is_backlogged, true);
        websocket_queue(scene->audience[i], &segment, 1, WEBSOCKET_NEEDED);
    }
    shared_bytes_release(shared);
    atomic_fetch_add(&scene->rounds, 1);
}

static void on_message(struct websocket *websocket, bool is_text, struct bytes message) {
    if (bytes_equal_text(message, "flood")) {
        flood(websocket);
    } else if (bytes_equal_text(message, "close")) {
        websocket_close(websocket, 4401, "asked");
        int rc = websocket_queue_copy(websocket, WEBSOCKET_TEXT, message, WEBSOCKET_NEEDED);
        atomic_store(&scene_of_websocket(websocket)->closing_rc, rc);
    } else if (bytes_equal_text(message, "drop")) {
        websocket_queue_copy(websocket, WEBSOCKET_TEXT, message, WEBSOCKET_NEEDED);
        websocket_drop(websocket, 4413, NULL);
    } else if (bytes_equal_text(message, "to all")) {
        send_to_all(scene_of_websocket(websocket));
    } else {
        websocket_queue_copy(websocket, is_text ? WEBSOCKET_TEXT : WEBSOCKET_BINARY, message, WEBSOCKET_NEEDED);
    }
}

static void on_closed(struct websocket *websocket, uint16_t code) {
    struct scene *scene = scene_of_websocket(websocket);
    for (size_t i = 0; i < AUDIENCE; i++)
        if (scene->audience[i] == websocket)
            scene->audience[i] = NULL;
    atomic_store(&scene->last_close_code, code);
    atomic_fetch_add(&scene->closed, 1);
}

static void on_room(struct websocket *websocket) {
    atomic_fetch_add(&scene_of_websocket(websocket)->rooms, 1);
}

static void open_socket(struct worker *worker, struct http_call *call) {
    static const struct websocket_callbacks callbacks = {on_message, on_closed, on_room};
    struct websocket_options options = {.callbacks = &callbacks};
    if (websocket_list_has(websocket_offered_subprotocols(call), BYTES_LITERAL("weft.v1.json")))
        options.subprotocol = "weft.v1.json";
    struct websocket *websocket;
    if (websocket_accept(call, &options, &websocket) != 0)
        return;
    int index = atomic_fetch_add(&scene_of(worker)->opened, 1);
    if (index < AUDIENCE)
        scene_of(worker)->audience[index] = websocket;
}

static void handle(struct worker *worker, struct http_call *call) {
    static const struct http_route routes[] = {
        {"POST", "/echo", echo, HTTP_ACCESS_ANY, HTTP_SUBJECT_NONE},
        {"GET", "/show/{}", show, HTTP_ACCESS_ANY, HTTP_SUBJECT_NONE},
        {"GET", "/show/{}/:add", show, HTTP_ACCESS_ANY, HTTP_SUBJECT_NONE},
        {"GET", "/refuse", refuse, HTTP_ACCESS_ANY, HTTP_SUBJECT_NONE},
        {"DELETE", "/item/{}", no_content, HTTP_ACCESS_ANY, HTTP_SUBJECT_NONE},
        {"GET", "/item/{}", show, HTTP_ACCESS_ANY, HTTP_SUBJECT_NONE},
        {"GET", "/later", later, HTTP_ACCESS_ANY, HTTP_SUBJECT_NONE},
        {"GET", "/never", never, HTTP_ACCESS_ANY, HTTP_SUBJECT_NONE},
        {"GET", "/socket", open_socket, HTTP_ACCESS_ANY, HTTP_SUBJECT_NONE},
    };
    static const struct http_route_table tables[] = {HTTP_ROUTE_TABLE(routes)};
    router_dispatch(tables, 1, worker, call);
}

static void start(struct scene *scene, const struct worker_options *extra, SSL_CTX *tls) {
    char error[256] = "";
    struct listen_address address = {.host = "127.0.0.1", .is_tls = tls != NULL};
    struct worker_options options = *extra;
    options.context = scene;
    options.handler = handle;
    options.addresses = &address;
    options.addresses_count = 1;
    options.tls = tls;
    options.may_use_io_uring = true;
    options.stop_ms = 1000;
    assert_int_equal(worker_init(&scene->worker, &options, error, sizeof(error)), 0);
    scene->port = scene->worker.ports[0];
    assert_int_equal(worker_start(&scene->worker), 0);
}

static void stop(struct scene *scene) {
    worker_stop(&scene->worker);
    worker_join(&scene->worker);
    worker_close(&scene->worker);
    scene->is_stopped = true;
}

static int set_up(void **state) {
    struct scene *scene = calloc(1, sizeof(*scene));
    assert_non_null(scene);
    *state = scene;
    return 0;
}

static int tear_down(void **state) {
    struct scene *scene = *state;
    if (!scene->is_stopped)
        stop(scene);
    free(scene);
    return 0;
}

static int set_up_started(void **state) {
    set_up(state);
    start(*state, &(struct worker_options){0}, NULL);
    return 0;
}

/* ---- The clients ---- */

static void wait_for(const char *what, bool (*is_so)(struct scene *), struct scene *scene) {
    const struct timespec moment = {.tv_nsec = 5 * 1000 * 1000};
    time_t deadline = time(NULL) + DEADLINE_S;
    while (!is_so(scene)) {
        if (time(NULL) > deadline)
            fail_msg("never came: %s", what);
        nanosleep(&moment, NULL);
    }
}

static int try_connect(uint16_t port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    struct timeval deadline = {.tv_sec = DEADLINE_S};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof(deadline));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &deadline, sizeof(deadline));
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    close(fd);
    return -1;
}

static int connect_to(uint16_t port) {
    int fd = try_connect(port);
    assert_true(fd >= 0);
    return fd;
}

static void send_all(int fd, const void *data, size_t size) {
    const char *at = data;
    while (size > 0) {
        ssize_t sent = send(fd, at, size, MSG_NOSIGNAL);
        assert_true(sent > 0);
        at += sent;
        size -= (size_t)sent;
    }
}

static void send_text(int fd, const char *text) {
    send_all(fd, text, strlen(text));
}

static void receive_exactly(int fd, void *out, size_t size) {
    char *at = out;
    while (size > 0) {
        ssize_t received = recv(fd, at, size, 0);
        assert_true(received > 0);
        at += received;
        size -= (size_t)received;
    }
}

static void expect_end(int fd) {
    char byte;
    assert_int_equal(recv(fd, &byte, 1, 0), 0);
}

/* Everything until the server closes; static memory, NUL-terminated. */
static const char *receive_all(int fd) {
    static char reply[REPLY_BYTES_MAX + 1];
    size_t size = 0;
    ssize_t received;
    while (size < REPLY_BYTES_MAX && (received = recv(fd, reply + size, REPLY_BYTES_MAX - size, 0)) > 0)
        size += (size_t)received;
    reply[size] = '\0';
    return reply;
}

static const char *ask(uint16_t port, const char *request) {
    int fd = connect_to(port);
    send_text(fd, request);
    const char *reply = receive_all(fd);
    close(fd);
    return reply;
}

/* The head of an answer, up to the empty line, which is read too. */
static void receive_head(int fd, char *out, size_t size) {
    size_t at = 0;
    while (at < 4 || memcmp(out + at - 4, "\r\n\r\n", 4) != 0) {
        assert_true(at + 1 < size);
        receive_exactly(fd, out + at, 1);
        at++;
    }
    out[at] = '\0';
}

static int open_websocket(uint16_t port) {
    char head[2048];
    int fd = connect_to(port);
    send_text(fd, UPGRADE "\r\n");
    receive_head(fd, head, sizeof(head));
    assert_non_null(strstr(head, "101 Switching Protocols"));
    assert_non_null(strstr(head, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    return fd;
}

/* A frame as a client sends it, with a mask of zeros; for payloads below 126 bytes. */
static void send_frame(int fd, uint8_t first, const char *payload) {
    uint8_t frame[2 + 4 + 125] = {first, (uint8_t)(0x80 | strlen(payload))};
    memcpy(frame + 6, payload, strlen(payload));
    send_all(fd, frame, 6 + strlen(payload));
}

static void expect_bytes(int fd, const char *bytes, size_t size) {
    char received[256];
    assert_true(size <= sizeof(received));
    receive_exactly(fd, received, size);
    assert_memory_equal(received, bytes, size);
}

/* ---- HTTP ---- */

#define END "Connection: close\r\n\r\n"

static void requests_get_the_answers_of_the_contract(void **state) {
    const struct {
        const char *request;
        const char *status;
        const char *has;
        const char *has_not;
    } rows[] = {
        {"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n" END "{}", "200", "application/json; charset=utf-8",
         "Retry-After"},
        {"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n" END "3\r\n[1]\r\n0\r\n\r\n", "200", "[1]",
         NULL},
        {"POST /echo HTTP/1.1\r\nHost: h\r\n" END, "200", "Content-Length: 0", NULL},
        {"GET //show/8%3Aacs%2Fx?a=%41 HTTP/1.1\r\nHost: h:8\r\n" END, "200",
         "[8:acs/x][//show/8%3Aacs%2Fx?a=%41][http://h:8][127.0.0.1]", NULL},
        {"GET /show/a/%3Aadd HTTP/1.1\r\nHost: h\r\n" END, "200", "[a]", NULL},
        {"GET /show/a?value=ok HTTP/1.1\r\nHost: h\r\n" END, "200", "X-Value: ok", NULL},
        {"GET /show/a?value=x%0D%0AEvil:1 HTTP/1.1\r\nHost: h\r\n" END, "200", "[a]", "\nEvil"},
        {"HEAD /show/a HTTP/1.1\r\nHost: h\r\n" END, "200", "Content-Length", "[a]"},
        {"DELETE /item/1 HTTP/1.1\r\nHost: h\r\n" END, "204", "MS-CV: ", "content-type"},
        {"GET /refuse HTTP/1.1\r\nHost: h\r\n" END, "503", "Retry-After: 1", NULL},
        {"GET /refuse HTTP/1.1\r\nHost: h\r\n" END, "503", "\"code\":\"Overloaded\"", NULL},
        {"GET /nowhere HTTP/1.1\r\nHost: h\r\n" END, "404", "\"code\":\"NotFound\"", NULL},
        {"GET / HTTP/1.1\r\nHost: h\r\n" END, "404", "\"code\":\"NotFound\"", NULL},
        {"GET /item/ HTTP/1.1\r\nHost: h\r\n" END, "404", "\"code\":\"NotFound\"", NULL},
        {"PUT /item/1 HTTP/1.1\r\nHost: h\r\n" END, "405", "Allow: DELETE, GET", NULL},
        {"GET /show/%zz HTTP/1.1\r\nHost: h\r\n" END, "400", "\"code\":\"BadRequest\"", NULL},
        {"GET /show/a HTTP/1.1\r\n" END, "400", "\"target\":\"Host\"", NULL},
        {"GET /show/a HTTP/1.1\r\nHost: a b\r\n" END, "400", "\"target\":\"Host\"", NULL},
        {"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\n" END, "413", "RequestEntityTooLarge", NULL},
        {"GET /socket HTTP/1.1\r\nHost: h\r\n" END, "426", "Upgrade: websocket", NULL},
        {"GET /show/a HTTP/1.1\r\nHost: h\r\nx-ms-client-request-id: id-1\r\n" END, "200",
         "x-ms-client-request-id: id-1", NULL},
        {"GET /show/a HTTP/1.1\r\nHost: h\r\nx-ms-client-request-id: a b\r\n" END, "200", "[a]", "request-id"},
        {"GET /show/a HTTP/1.1\r\nHost: h\r\nOrigin: https://page.example\r\n" END, "200",
         "Access-Control-Allow-Origin: https://page.example\r\nVary: Origin", NULL},
        {"GET /nowhere HTTP/1.1\r\nHost: h\r\n" END, "404", "Access-Control-Allow-Origin: *", NULL},
        {"OPTIONS /nowhere HTTP/1.1\r\nHost: h\r\nAccess-Control-Request-Headers: x-skypetoken\r\n" END, "204",
         "Access-Control-Allow-Headers: x-skypetoken", NULL},
        {"OPTIONS * HTTP/1.1\r\nHost: h\r\n" END, "204", "Access-Control-Allow-Methods: GET, POST", NULL},
        {"GET http://h/show/a HTTP/1.1\r\nHost: h\r\n" END, "200", "[a]", NULL},
    };
    struct scene *scene = *state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *reply = ask(scene->port, rows[i].request);
        bool is_right = strncmp(reply, "HTTP/1.1 ", 9) == 0 && strncmp(reply + 9, rows[i].status, 3) == 0 &&
                        strstr(reply, rows[i].has) != NULL &&
                        (rows[i].has_not == NULL || strstr(reply, rows[i].has_not) == NULL) &&
                        strstr(reply, "api-supported-versions: ") != NULL;
        if (!is_right)
            fail_msg("%s\ngot\n%s", rows[i].request, reply);
    }
}

static void a_body_a_little_over_the_limit_is_refused_and_the_connection_goes_on(void **state) {
    struct scene *scene = *state;
    char *body = calloc(1, LIMIT_REQUEST_BODY_BYTES_MAX + 1);
    char head[2048];
    int fd = connect_to(scene->port);
    snprintf(head, sizeof(head), "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n",
             LIMIT_REQUEST_BODY_BYTES_MAX + 1);
    send_text(fd, head);
    send_all(fd, body, LIMIT_REQUEST_BODY_BYTES_MAX + 1);
    send_text(fd, "GET /show/after HTTP/1.1\r\nHost: h\r\n" END);
    const char *reply = receive_all(fd);
    assert_non_null(strstr(reply, "HTTP/1.1 413"));
    assert_non_null(strstr(reply, "at most 1048576"));
    assert_non_null(strstr(reply, "[after]"));
    close(fd);
    free(body);
}

static void an_answer_may_come_later(void **state) {
    struct scene *scene = *state;
    assert_non_null(strstr(ask(scene->port, "GET /later HTTP/1.1\r\nHost: h\r\n" END), "{\"late\":true}"));
}

static bool has_handled_one(struct scene *scene) {
    return atomic_load(&scene->handled) == 1;
}

static void the_answer_to_a_client_that_is_gone_is_dropped(void **state) {
    struct scene *scene = *state;
    int fd = connect_to(scene->port);
    send_text(fd, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
    close(fd);
    wait_for("the late answer", has_handled_one, scene);
    assert_non_null(strstr(ask(scene->port, "GET /show/a HTTP/1.1\r\nHost: h\r\n" END), "[a]"));
}

static void slow_requests_are_cut(void **state) {
    struct scene *scene = *state;
    start(scene, &(struct worker_options){.http = {.request_timeout_ms = 300}}, NULL);
    int fd = connect_to(scene->port);
    send_text(fd, "GET /show/a HTTP/1.1\r\nHos");
    expect_end(fd);
    close(fd);
}

static void a_configured_public_url_wins(void **state) {
    struct scene *scene = *state;
    start(scene, &(struct worker_options){.http = {.public_url = "https://chat.example.org:444/"}}, NULL);
    assert_non_null(
        strstr(ask(scene->port, "GET /show/a HTTP/1.1\r\nHost: h\r\n" END), "[https://chat.example.org:444]"));
}

static void forwarded_headers_count_only_if_they_are_trusted(void **state) {
    static const char request[] = "GET /show/a HTTP/1.1\r\nHost: h\r\nX-Forwarded-Host: pub.example\r\n"
                                  "X-Forwarded-Proto: https\r\nX-Forwarded-For: 198.51.100.9, 192.0.2.1\r\n" END;
    struct scene *scene = *state;
    start(scene, &(struct worker_options){0}, NULL);
    assert_non_null(strstr(ask(scene->port, request), "[http://h][127.0.0.1]"));
    stop(scene);
    start(scene, &(struct worker_options){.http = {.is_forwarded_trusted = true}}, NULL);
    scene->is_stopped = false;
    assert_non_null(strstr(ask(scene->port, request), "[https://pub.example][192.0.2.1]"));
}

/* ---- WebSocket ---- */

static void messages_go_back_and_forth(void **state) {
    struct scene *scene = *state;
    int fd = open_websocket(scene->port);
    send_frame(fd, 0x81, "text");
    expect_bytes(fd, "\x81\x04text", 6);
    send_frame(fd, 0x82, "bin");
    expect_bytes(fd,
                 "\x82\x03"
                 "bin",
                 5);
    send_frame(fd, 0x01, "in ");
    send_frame(fd, 0x89, "?");
    expect_bytes(fd, "\x8a\x01?", 3);
    send_frame(fd, 0x00, "three ");
    send_frame(fd, 0x80, "parts");
    expect_bytes(fd, "\x81\x0ein three parts", 16);
    close(fd);
}

static bool has_closed(struct scene *scene) {
    return atomic_load(&scene->closed) == scene->awaited;
}

static void wait_for_closed(struct scene *scene, int count) {
    scene->awaited = count;
    wait_for("on_closed", has_closed, scene);
}

static void a_message_that_comes_byte_by_byte_is_read(void **state) {
    static const uint8_t frame[] = {0x81, 0x83, 1, 2, 3, 4, 'a' ^ 1, 'b' ^ 2, 'c' ^ 3};
    struct scene *scene = *state;
    int fd = open_websocket(scene->port);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < sizeof(frame); i++)
            send_all(fd, frame + i, 1);
        expect_bytes(fd,
                     "\x81\x03"
                     "abc",
                     5);
    }
    close(fd);
}

static void half_a_frame_of_one_peer_does_not_meet_the_frame_of_another(void **state) {
    struct scene *scene = *state;
    int one = open_websocket(scene->port);
    int other = open_websocket(scene->port);
    for (int round = 0; round < 3; round++) {
        send_all(one, "\x81\x84\0\0", 4);
        send_frame(other, 0x81, "other");
        expect_bytes(other, "\x81\x05other", 7);
        send_all(one, "\0\0on", 4);
        send_frame(other, 0x01, "not ");
        send_all(one, "e1", 2);
        expect_bytes(one, "\x81\x04one1", 6);
        send_frame(one, 0x81, "whole");
        expect_bytes(one, "\x81\x05whole", 7);
        send_frame(other, 0x80, "mixed");
        expect_bytes(other, "\x81\x09not mixed", 11);
    }
    close(one);
    close(other);
}

static void what_the_peer_breaks_is_named_by_a_close_code(void **state) {
    const struct {
        const char *bytes;
        size_t size;
        uint16_t code;
    } rows[] = {
        {"\x81\x01x", 3, 1002},                                          /* no mask */
        {"\x81\x82\0\0\0\0\xff\xfe", 8, 1007},                           /* not UTF-8 */
        {"\xc1\x81\0\0\0\0x", 7, 1002},                                  /* a reserved bit */
        {"\x83\x81\0\0\0\0x", 7, 1002},                                  /* an unknown opcode */
        {"\x80\x81\0\0\0\0x", 7, 1002},                                  /* continues nothing */
        {"\x09\x81\0\0\0\0x", 7, 1002},                                  /* a ping in fragments */
        {"\x81\xfe\x00\x05\0\0\0\0xxxxx", 13, 1002},                     /* not the shortest length */
        {"\x81\xff\x00\x00\x00\x00\x00\x04\x00\x01\0\0\0\0x", 15, 1009}, /* one byte over the limit */
        {"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0x", 15, 1009},
    };
    struct scene *scene = *state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int fd = open_websocket(scene->port);
        uint8_t head[4];
        send_all(fd, rows[i].bytes, rows[i].size);
        receive_exactly(fd, head, sizeof(head));
        assert_int_equal(head[0], 0x88);
        assert_int_equal(head[2] << 8 | head[3], rows[i].code);
        receive_all(fd);
        close(fd);
    }
    wait_for_closed(scene, sizeof(rows) / sizeof(rows[0]));
}

static void the_peers_close_is_answered_and_its_code_told(void **state) {
    struct scene *scene = *state;
    int fd = open_websocket(scene->port);
    send_frame(fd, 0x88,
               "\x0f\xa3"
               "bye");
    expect_bytes(fd,
                 "\x88\x05\x0f\xa3"
                 "bye",
                 7);
    expect_end(fd);
    close(fd);
    wait_for_closed(scene, 1);
    assert_int_equal(atomic_load(&scene->last_close_code), 4003);
}

static void a_peer_that_vanishes_is_told_as_1006(void **state) {
    struct scene *scene = *state;
    close(open_websocket(scene->port));
    wait_for_closed(scene, 1);
    assert_int_equal(atomic_load(&scene->last_close_code), 1006);
}

static void our_close_comes_after_what_is_pending_and_waits_for_the_peers(void **state) {
    struct scene *scene = *state;
    int fd = open_websocket(scene->port);
    uint8_t frames[] = {0x81, 0x81, 0, 0, 0, 0, 'a', 0x81, 0x85, 0, 0, 0, 0, 'c', 'l', 'o', 's', 'e'};
    send_all(fd, frames, sizeof(frames));
    expect_bytes(fd,
                 "\x81\x01"
                 "a\x88\x07\x11\x31"
                 "asked",
                 12);
    send_frame(fd, 0x88, "\x11\x31");
    expect_end(fd);
    close(fd);
    assert_int_equal(atomic_load(&scene->closing_rc), STATUS_SHUTTING_DOWN);
}

static void a_drop_throws_away_what_is_pending(void **state) {
    struct scene *scene = *state;
    int fd = open_websocket(scene->port);
    send_frame(fd, 0x81, "drop");
    expect_bytes(fd, "\x88\x02\x11\x3d", 4);
    close(fd);
}

static bool has_flooded(struct scene *scene) {
    return atomic_load(&scene->flood_rc) != 0;
}

static bool has_room(struct scene *scene) {
    return atomic_load(&scene->rooms) > 0;
}

static void a_full_queue_refuses_and_a_half_full_one_drops_what_is_droppable(void **state) {
    struct scene *scene = *state;
    int fd = open_websocket(scene->port);
    send_frame(fd, 0x81, "flood");
    wait_for("the flood", has_flooded, scene);
    assert_int_equal(atomic_load(&scene->flood_rc), STATUS_OVERLOADED);
    assert_int_equal(atomic_load(&scene->droppable_rc), 0);
    size_t frames = LIMIT_SESSION_QUEUE_BYTES_MAX / (20000 + 64);
    char *bytes = malloc(frames * 20000);
    receive_exactly(fd, bytes, frames * 20000);
    for (size_t i = 0; i < frames; i++)
        assert_memory_equal(bytes + i * 20000, "\x82\x7e\x4e\x1c", 4);
    free(bytes);
    wait_for("room", has_room, scene);
    send_frame(fd, 0x81, "a");
    close(fd);
}

static bool is_round_queued(struct scene *scene) {
    return atomic_load(&scene->rounds) == scene->awaited;
}

/* Nobody reads until the sockets of some are full, so that every way of writing is gone: whole, in part, and later. */
static void what_goes_to_many_at_once_reaches_each_of_them_whole_and_in_order(void **state) {
    static uint8_t frame[SHARED_FRAME_BYTES];
    struct scene *scene = *state;
    int fds[AUDIENCE];
    for (size_t i = 0; i < AUDIENCE; i++)
        fds[i] = open_websocket(scene->port);
    int rounds = 0;
    while (!atomic_load(&scene->is_backlogged) && rounds < ROUNDS_MAX) {
        send_frame(fds[0], 0x81, "to all");
        scene->awaited = ++rounds;
        wait_for("the round", is_round_queued, scene);
    }
    assert_true(atomic_load(&scene->is_backlogged));
    for (size_t i = 0; i < AUDIENCE; i++) {
        for (uint32_t round = 0; round < (uint32_t)rounds; round++) {
            receive_exactly(fds[i], frame, sizeof(frame));
            assert_memory_equal(frame, "\x82\x7e\xc3\x4c", 4);
            assert_memory_equal(frame + 4, &round, sizeof(round));
        }
        close(fds[i]);
    }
    wait_for_closed(scene, AUDIENCE);
}

static void one_of_many_that_vanishes_takes_nothing_from_the_others(void **state) {
    static uint8_t frame[SHARED_FRAME_BYTES];
    struct scene *scene = *state;
    int fds[AUDIENCE];
    for (size_t i = 0; i < AUDIENCE; i++)
        fds[i] = open_websocket(scene->port);
    send_frame(fds[0], 0x81, "to all");
    scene->awaited = 1;
    wait_for("the round", is_round_queued, scene);
    receive_exactly(fds[0], frame, sizeof(frame));
    /* Not read: its socket is reset, and the next round finds it so or is told before. */
    close(fds[1]);
    send_frame(fds[0], 0x81, "to all");
    receive_exactly(fds[0], frame, sizeof(frame));
    wait_for_closed(scene, 1);
    for (size_t i = 2; i < AUDIENCE; i++) {
        receive_exactly(fds[i], frame, sizeof(frame));
        receive_exactly(fds[i], frame, sizeof(frame));
        assert_memory_equal(frame + 4, &(uint32_t){1}, sizeof(uint32_t));
        close(fds[i]);
    }
    close(fds[0]);
    wait_for_closed(scene, AUDIENCE);
}

static void a_subprotocol_is_named_in_the_answer(void **state) {
    struct scene *scene = *state;
    char head[2048];
    int fd = connect_to(scene->port);
    send_text(fd, UPGRADE
              "Sec-WebSocket-Protocol: other, weft.v1.json\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n");
    receive_head(fd, head, sizeof(head));
    assert_non_null(strstr(head, "Sec-WebSocket-Protocol: weft.v1.json\r\n"));
    assert_null(strstr(head, "permessage-deflate"));
    close(fd);
}

static void malformed_handshakes_are_refused_by_name(void **state) {
    const struct {
        const char *request;
        const char *status;
    } rows[] = {
        {"GET /socket HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 8\r\n"
         "Sec-WebSocket-Key: " KEY "\r\n\r\n",
         "426"},
        {"GET /socket HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
         "Sec-WebSocket-Key: short\r\n\r\n",
         "400"},
        {"GET /socket HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: "
         "13\r\n\r\n",
         "400"},
        {"GET /socket HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", "426"},
    };
    struct scene *scene = *state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char head[2048];
        int fd = connect_to(scene->port);
        send_text(fd, rows[i].request);
        receive_head(fd, head, sizeof(head));
        assert_memory_equal(head + 9, rows[i].status, 3);
        close(fd);
    }
    assert_int_equal(atomic_load(&scene->opened), 0);
}

static void a_frame_in_the_same_packet_as_the_handshake_is_read(void **state) {
    struct scene *scene = *state;
    char head[2048];
    char bytes[1024];
    int fd = connect_to(scene->port);
    size_t size = (size_t)snprintf(bytes, sizeof(bytes), "%s\r\n", UPGRADE);
    memcpy(bytes + size, "\x81\x85\0\0\0\0early", 11);
    send_all(fd, bytes, size + 11);
    receive_head(fd, head, sizeof(head));
    expect_bytes(fd,
                 "\x81\x05"
                 "early",
                 7);
    close(fd);
}

/* ---- Beginning and end ---- */

static void a_drain_refuses_new_connections_and_keeps_the_old(void **state) {
    struct scene *scene = *state;
    int fd = open_websocket(scene->port);
    worker_drain(&scene->worker);
    time_t deadline = time(NULL) + DEADLINE_S;
    int other;
    while ((other = try_connect(scene->port)) >= 0 && time(NULL) < deadline)
        close(other);
    assert_int_equal(other, -1);
    send_frame(fd, 0x81, "still");
    expect_bytes(fd, "\x81\x05still", 7);
    close(fd);
}

static void a_stop_answers_waiting_calls_and_says_goodbye_to_websockets(void **state) {
    struct scene *scene = *state;
    int websocket = open_websocket(scene->port);
    int waiting = connect_to(scene->port);
    int idle = connect_to(scene->port);
    send_text(waiting, "GET /never HTTP/1.1\r\nHost: h\r\n\r\n");
    wait_for("the call", has_handled_one, scene);
    worker_stop(&scene->worker);
    const char *reply = receive_all(waiting);
    assert_non_null(strstr(reply, "HTTP/1.1 503"));
    assert_non_null(strstr(reply, "\"code\":\"ShuttingDown\""));
    uint8_t head[4];
    receive_exactly(websocket, head, sizeof(head));
    assert_int_equal(head[2] << 8 | head[3], 1001);
    send_frame(websocket, 0x88, "\x03\xe9");
    stop(scene);
    assert_int_equal(atomic_load(&scene->closed), 1);
    expect_end(idle);
    close(websocket);
    close(waiting);
    close(idle);
}

static void a_stop_cuts_clients_that_do_not_answer(void **state) {
    struct scene *scene = *state;
    int fd = open_websocket(scene->port);
    stop(scene);
    assert_int_equal(atomic_load(&scene->closed), 1);
    receive_all(fd);
    close(fd);
}

static void connections_over_the_bound_are_closed(void **state) {
    struct scene *scene = *state;
    start(scene, &(struct worker_options){.connections_max = 1}, NULL);
    int first = open_websocket(scene->port);
    int second = connect_to(scene->port);
    expect_end(second);
    send_frame(first, 0x81, "a");
    expect_bytes(first,
                 "\x81\x01"
                 "a",
                 3);
    close(first);
    close(second);
}

static void addresses_that_cannot_be_used_are_named(void **state) {
    struct scene *scene = *state;
    start(scene, &(struct worker_options){0}, NULL);
    const struct {
        struct listen_address address;
        int rc;
        const char *says;
    } rows[] = {
        {{.host = "127.0.0.1", .port = scene->port, .is_exclusive = true}, STATUS_INTERNAL_ERROR, "in use"},
        {{.host = "0.0.0.0"}, STATUS_BAD_REQUEST, "loopback"},
        {{.host = "::"}, STATUS_BAD_REQUEST, "loopback"},
        {{.host = "chat.example.org"}, STATUS_BAD_REQUEST, "chat.example.org"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char error[256] = "";
        struct worker other;
        struct worker_options options = {.handler = handle, .addresses = &rows[i].address, .addresses_count = 1};
        assert_int_equal(worker_init(&other, &options, error, sizeof(error)), rows[i].rc);
        assert_non_null(strstr(error, rows[i].says));
    }
}

struct errand {
    struct parcel parcel;
    atomic_bool is_done;
};

static void do_errand(void *receiver, struct parcel *parcel) {
    struct errand *errand = (struct errand *)parcel;
    atomic_store(&errand->is_done, ((struct worker *)receiver)->index == 7);
}

static struct errand the_errand;

static bool is_errand_done(struct scene *scene) {
    (void)scene;
    return atomic_load(&the_errand.is_done);
}

static void parcels_are_delivered_on_the_worker(void **state) {
    struct scene *scene = *state;
    start(scene, &(struct worker_options){.index = 7}, NULL);
    the_errand = (struct errand){.parcel = {.deliver = do_errand}};
    assert_int_equal(worker_post(&scene->worker, &the_errand.parcel), 0);
    wait_for("the parcel", is_errand_done, scene);
}

/* ---- TLS ---- */

static bool has_no_connection(struct scene *scene) {
    /* A request makes the loop turn, and the totals are gathered by a turn. */
    return worker_totals(&scene->worker).connections == 0 && worker_totals(&scene->worker).requests > 0;
}

static SSL *connect_tls(SSL_CTX *context, int fd) {
    SSL *ssl = SSL_new(context);
    SSL_set_fd(ssl, fd);
    assert_int_equal(SSL_connect(ssl), 1);
    return ssl;
}

static void make_certificate(char folder[64], struct certificate_files *files) {
    char error[256];
    strcpy(folder, "/tmp/weft-worker-XXXXXX");
    assert_non_null(mkdtemp(folder));
    const struct certificate_options options = {.folder = folder, .now_s = (int64_t)time(NULL)};
    assert_int_equal(certificate_prepare(&options, files, error, sizeof(error)), 0);
}

static void remove_certificate(const char *folder, const struct certificate_files *files) {
    char path[128];
    snprintf(path, sizeof(path), "%s/ca-key.pem", folder);
    unlink(path);
    unlink(files->ca);
    unlink(files->certificate);
    unlink(files->key);
    rmdir(folder);
}

static void tls_serves_requests_and_loses_no_connection_that_is_reset(void **state) {
    struct scene *scene = *state;
    char folder[64];
    char error[256];
    struct certificate_files files;
    SSL_CTX *server;
    make_certificate(folder, &files);
    assert_int_equal(tls_context_new(files.certificate, files.key, &server, error, sizeof(error)), 0);
    SSL_CTX *client = SSL_CTX_new(TLS_client_method());
    assert_int_equal(SSL_CTX_load_verify_locations(client, files.ca, NULL), 1);
    SSL_CTX_set_verify(client, SSL_VERIFY_PEER, NULL);
    start(scene, &(struct worker_options){0}, server);
    for (int i = 0; i < 5; i++) {
        static const char request[] = "GET /show/a HTTP/1.1\r\nHost: chat.example.org\r\n\r\n";
        char reply[4096] = "";
        int fd = connect_to(scene->port);
        SSL *ssl = connect_tls(client, fd);
        assert_true(SSL_write(ssl, request, sizeof(request) - 1) > 0);
        for (size_t size = 0; strstr(reply, "[https://chat.example.org]") == NULL;) {
            int received = SSL_read(ssl, reply + size, (int)(sizeof(reply) - 1 - size));
            assert_true(received > 0);
            size += (size_t)received;
        }
        assert_non_null(strstr(reply, "Strict-Transport-Security"));
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
        close(fd);
        SSL_free(ssl);
    }
    wait_for("the end of all connections", has_no_connection, scene);
    stop(scene);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
    remove_certificate(folder, &files);
}

#define STARTED(name) cmocka_unit_test_setup_teardown(name, set_up_started, tear_down)
#define OWN(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        STARTED(requests_get_the_answers_of_the_contract),
        STARTED(a_body_a_little_over_the_limit_is_refused_and_the_connection_goes_on),
        STARTED(an_answer_may_come_later),
        STARTED(the_answer_to_a_client_that_is_gone_is_dropped),
        OWN(slow_requests_are_cut),
        OWN(a_configured_public_url_wins),
        OWN(forwarded_headers_count_only_if_they_are_trusted),
        STARTED(messages_go_back_and_forth),
        STARTED(a_message_that_comes_byte_by_byte_is_read),
        STARTED(half_a_frame_of_one_peer_does_not_meet_the_frame_of_another),
        STARTED(what_the_peer_breaks_is_named_by_a_close_code),
        STARTED(the_peers_close_is_answered_and_its_code_told),
        STARTED(a_peer_that_vanishes_is_told_as_1006),
        STARTED(our_close_comes_after_what_is_pending_and_waits_for_the_peers),
        STARTED(a_drop_throws_away_what_is_pending),
        STARTED(a_full_queue_refuses_and_a_half_full_one_drops_what_is_droppable),
        STARTED(what_goes_to_many_at_once_reaches_each_of_them_whole_and_in_order),
        STARTED(one_of_many_that_vanishes_takes_nothing_from_the_others),
        STARTED(a_subprotocol_is_named_in_the_answer),
        STARTED(malformed_handshakes_are_refused_by_name),
        STARTED(a_frame_in_the_same_packet_as_the_handshake_is_read),
        STARTED(a_drain_refuses_new_connections_and_keeps_the_old),
        STARTED(a_stop_answers_waiting_calls_and_says_goodbye_to_websockets),
        STARTED(a_stop_cuts_clients_that_do_not_answer),
        OWN(connections_over_the_bound_are_closed),
        OWN(addresses_that_cannot_be_used_are_named),
        OWN(parcels_are_delivered_on_the_worker),
        OWN(tls_serves_requests_and_loses_no_connection_that_is_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
