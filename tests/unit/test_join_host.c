/* Who is told how to join, how often, and what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node/join_host.h"
#include "node/log.h"
#include "proto/check.h"
#include "proto/status.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SECRET BYTES_LITERAL("0123456789abcdef0123456789abcdef")
#define HERE BYTES_LITERAL("192.0.2.1")
#define THERE BYTES_LITERAL("2001:db8::1")

static const struct seal_key master = {"the master key of the cluster"};
static struct join_keys keys;
static struct join_host *host;
static struct config config;
static struct arena arena;
static struct buffer answer;
static const char *reason;
static int64_t now_ms;

static void file_put(const char *name, const char *content) {
    char path[CONFIG_TEXT_MAX + 64];
    snprintf(path, sizeof(path), "%s/%s", config.data, name);
    FILE *file = fopen(path, "we");
    check(file != NULL && fputs(content, file) >= 0 && fclose(file) == 0);
}

/* Into a key of the configuration. */
static void path_put(char key[CONFIG_TEXT_MAX], const char *name) {
    check(snprintf(key, CONFIG_TEXT_MAX, "%.200s/%s", config.data, name) < CONFIG_TEXT_MAX);
}

static void file_remove(const char *name) {
    char path[CONFIG_TEXT_MAX + 64];
    snprintf(path, sizeof(path), "%s/%s", config.data, name);
    check(remove(path) == 0);
}

static int group_set_up(void **state) {
    (void)state;
    check(sodium_init() >= 0);
    log_level_set(CONFIG_LOG_ERROR);
    return join_keys_derive(SECRET, &keys);
}

static int set_up(void **state) {
    char folder[CONFIG_TEXT_MAX + 8];
    (void)state;
    config_defaults(&config);
    snprintf(config.data, sizeof(config.data), "/tmp/weft-test-XXXXXX");
    check(mkdtemp(config.data) != NULL);
    snprintf(folder, sizeof(folder), "%s/tls", config.data);
    check(mkdir(folder, 0700) == 0);
    file_put("tls/ca.pem", "authority\n");
    file_put("tls/ca-key.pem", "key of the authority\n");
    snprintf(config.etcd_endpoints, sizeof(config.etcd_endpoints), "https://10.0.0.1:2379");
    snprintf(config.etcd_user, sizeof(config.etcd_user), "weft");
    snprintf(config.etcd_password, sizeof(config.etcd_password), " a ; \"password\" ");
    config.peer_listen = (struct config_address){.is_on = true, .host = "10.0.0.1", .port = 8600};
    config.replication_factor = 5;
    arena_init(&arena);
    buffer_init(&answer);
    now_ms = 1000000;
    return join_host_new(&config, SECRET, &master, &host);
}

static int tear_down(void **state) {
    (void)state;
    join_host_free(host);
    buffer_close(&answer);
    arena_close(&arena);
    file_remove("tls/ca.pem");
    file_remove("tls/ca-key.pem");
    file_remove("tls");
    return rmdir(config.data);
}

static int say(struct bytes address, struct bytes message) {
    answer.size = 0;
    reason = "";
    return join_host_answer(host, address, message, now_ms, &answer, &reason);
}

static int ask(struct bytes address, const struct join_request *question) {
    struct buffer message;
    buffer_init(&message);
    join_question_encode(question, &message);
    int rc = say(address, buffer_bytes(&message));
    buffer_close(&message);
    assert_int_equal(answer.size > 0, rc == STATUS_OK);
    assert_int_equal(reason[0] != '\0', true);
    return rc;
}

static const uint8_t secret_key[JOIN_KEY_BYTES] = "the key of who asks";

/* With a challenge of the host, as of now. */
static struct join_request question_make(const struct join_keys *with) {
    struct buffer hello;
    struct join_request question;
    uint8_t challenge[JOIN_CHALLENGE_BYTES];
    buffer_init(&hello);
    join_hello_encode(&hello);
    assert_int_equal(say(HERE, buffer_bytes(&hello)), STATUS_OK);
    assert_int_equal(join_challenge_decode(buffer_bytes(&answer), challenge), STATUS_OK);
    buffer_close(&hello);
    join_question_make(with, challenge, secret_key, &question);
    return question;
}

static int ask_well(struct bytes address) {
    struct join_request question = question_make(&keys);
    return ask(address, &question);
}

static int ask_wrong(struct bytes address) {
    static const struct join_keys wrong = {.proof = {1}};
    struct join_request question = question_make(&wrong);
    return ask(address, &question);
}

static void told(struct join_facts *facts) {
    struct join_request question = question_make(&keys);
    assert_int_equal(ask(HERE, &question), STATUS_OK);
    assert_int_equal(join_answer_open(buffer_bytes(&answer), &question, &keys, secret_key, &arena, facts), STATUS_OK);
}

static void who_has_the_secret_is_told_all_that_is_configured(void **state) {
    struct join_facts facts;
    uint8_t fingerprint[JOIN_FINGERPRINT_BYTES];
    (void)state;
    told(&facts);
    assert_true(bytes_equal_text(facts.cluster_name, "weft"));
    assert_true(bytes_equal_text(facts.etcd_endpoints, "https://10.0.0.1:2379"));
    assert_true(bytes_equal_text(facts.etcd_user, "weft"));
    assert_true(bytes_equal_text(facts.etcd_password, " a ; \"password\" "));
    assert_true(bytes_equal_text(facts.etcd_ca, ""));
    assert_true(bytes_equal_text(facts.tls_ca, "authority\n"));
    assert_true(bytes_equal_text(facts.tls_ca_key, "key of the authority\n"));
    assert_true(bytes_equal_text(facts.node_name, "node-1"));
    assert_true(bytes_equal_text(facts.peer_address, "10.0.0.1:8600"));
    assert_int_equal(facts.replication_factor, 5);
    assert_int_equal(facts.min_in_sync, 0);
    join_fingerprint(master.bytes, fingerprint);
    assert_memory_equal(facts.fingerprint, fingerprint, sizeof(fingerprint));
}

static void files_are_told_as_they_are_now(void **state) {
    struct join_facts facts;
    (void)state;
    path_put(config.etcd_ca_file, "tls/ca.pem");
    snprintf(config.peer_address, sizeof(config.peer_address), "node-1.example.org:1");
    told(&facts);
    assert_true(bytes_equal_text(facts.etcd_ca, "authority\n"));
    assert_true(bytes_equal_text(facts.peer_address, "node-1.example.org:1"));
    file_put("tls/ca.pem", "renewed\n");
    told(&facts);
    assert_true(bytes_equal_text(facts.etcd_ca, "renewed\n"));
    /* A certificate of the operator's: the authority of that is not the node's to give away. */
    snprintf(config.tls_cert_file, sizeof(config.tls_cert_file), "/etc/weft/cert.pem");
    told(&facts);
    assert_true(bytes_equal_text(facts.tls_ca, "") && bytes_equal_text(facts.tls_ca_key, ""));
}

static void a_file_that_cannot_be_told_is_said_to_be_so(void **state) {
    (void)state;
    path_put(config.etcd_key_file, "nowhere");
    assert_int_equal(ask_well(HERE), STATUS_INTERNAL_ERROR);
    path_put(config.etcd_key_file, "tls");
    assert_int_equal(ask_well(HERE), STATUS_INTERNAL_ERROR);
    char *content = calloc(1, JOIN_FILE_BYTES_MAX + 2);
    memset(content, 'x', JOIN_FILE_BYTES_MAX + 1);
    file_put("tls/ca-key.pem", content);
    config.etcd_key_file[0] = '\0';
    assert_int_equal(ask_well(HERE), STATUS_INTERNAL_ERROR);
    content[JOIN_FILE_BYTES_MAX] = '\0';
    file_put("tls/ca-key.pem", content);
    assert_int_equal(ask_well(HERE), STATUS_OK);
    free(content);
}

static void who_does_not_have_it_is_refused_by_name(void **state) {
    (void)state;
    assert_int_equal(ask_wrong(HERE), STATUS_FORBIDDEN);
    assert_non_null(strstr(reason, "secret"));
}

static void a_question_is_answered_once(void **state) {
    struct join_request question = question_make(&keys);
    (void)state;
    assert_int_equal(ask(HERE, &question), STATUS_OK);
    assert_int_equal(ask(HERE, &question), STATUS_CONFLICT);
    assert_int_equal(ask(THERE, &question), STATUS_CONFLICT);
    now_ms += JOIN_CHALLENGE_MS - 1;
    assert_int_equal(ask(HERE, &question), STATUS_CONFLICT);
    now_ms += JOIN_CHALLENGE_MS;
    assert_int_equal(ask(HERE, &question), STATUS_CONFLICT);
}

static void a_challenge_is_good_for_a_while_and_at_its_node_only(void **state) {
    struct join_request late = question_make(&keys);
    struct join_request other = question_make(&keys);
    struct join_request forged;
    struct join_host *first = host;
    uint8_t challenge[JOIN_CHALLENGE_BYTES] = {0x7f};
    (void)state;
    join_question_make(&keys, challenge, secret_key, &forged);
    assert_int_equal(ask(HERE, &forged), STATUS_CONFLICT);
    assert_int_equal(join_host_new(&config, SECRET, &master, &host), STATUS_OK);
    assert_int_equal(ask(HERE, &other), STATUS_CONFLICT);
    join_host_free(host);
    host = first;
    assert_int_equal(ask(HERE, &other), STATUS_OK);
    now_ms += JOIN_CHALLENGE_MS;
    assert_int_equal(ask(HERE, &late), STATUS_CONFLICT);
}

/* Addresses may have something in common by chance, one of 256. */
static size_t let_in_of_others(void) {
    size_t count = 0;
    for (unsigned i = 0; i < 8; i++) {
        struct bytes address = arena_printf(&arena, "192.0.2.%u", 100 + i);
        count += ask_well(address) == STATUS_OK;
    }
    return count;
}

static void guessing_is_slow_and_locks_nobody_else_out(void **state) {
    (void)state;
    for (size_t i = 0; i < JOIN_WRONG_BURST; i++)
        assert_int_equal(ask_wrong(HERE), STATUS_FORBIDDEN);
    assert_int_equal(ask_wrong(HERE), STATUS_TOO_MANY_REQUESTS);
    /* Not looked at: nobody learns whether it would have been right. */
    assert_int_equal(ask_well(HERE), STATUS_TOO_MANY_REQUESTS);
    assert_true(let_in_of_others() >= 4);
    now_ms += 60000 / JOIN_WRONG_PER_MINUTE;
    assert_int_equal(ask_wrong(HERE), STATUS_FORBIDDEN);
    assert_int_equal(ask_wrong(HERE), STATUS_TOO_MANY_REQUESTS);
    now_ms += 3600000;
    for (size_t i = 0; i < JOIN_WRONG_BURST; i++)
        assert_int_equal(ask_wrong(HERE), STATUS_FORBIDDEN);
    assert_int_equal(ask_wrong(HERE), STATUS_TOO_MANY_REQUESTS);
}

static void only_so_many_are_told_in_a_while(void **state) {
    (void)state;
    for (size_t i = 0; i < JOIN_ANSWERS_MAX; i++)
        assert_int_equal(ask_well(HERE), STATUS_OK);
    assert_int_equal(ask_well(THERE), STATUS_TOO_MANY_REQUESTS);
    now_ms += JOIN_CHALLENGE_MS;
    assert_int_equal(ask_well(THERE), STATUS_OK);
}

static void what_is_no_question_is_refused_by_name(void **state) {
    const struct {
        struct bytes message;
        int rc;
        const char *says;
    } rows[] = {
        {BYTES_LITERAL(""), STATUS_BAD_REQUEST, "no question"},
        {BYTES_LITERAL("{}"), STATUS_BAD_REQUEST, "no question"},
        {BYTES_LITERAL("\x82\x01\x01\x02\x02"), STATUS_BAD_REQUEST, "version"},
        {BYTES_LITERAL("\x82\x01\x03\x02\x01"), STATUS_BAD_REQUEST, "no question"},
    };
    char long_one[JOIN_REQUEST_BYTES_MAX + 1] = "";
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(say(HERE, rows[i].message), rows[i].rc);
        assert_non_null(strstr(reason, rows[i].says));
    }
    assert_int_equal(say(HERE, bytes_of(long_one, sizeof(long_one))), STATUS_REQUEST_ENTITY_TOO_LARGE);
    assert_non_null(strstr(reason, "256 bytes"));
}

int main(void) {
#define HOST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        HOST(who_has_the_secret_is_told_all_that_is_configured),
        HOST(files_are_told_as_they_are_now),
        HOST(a_file_that_cannot_be_told_is_said_to_be_so),
        HOST(who_does_not_have_it_is_refused_by_name),
        HOST(a_question_is_answered_once),
        HOST(a_challenge_is_good_for_a_while_and_at_its_node_only),
        HOST(guessing_is_slow_and_locks_nobody_else_out),
        HOST(only_so_many_are_told_in_a_while),
        HOST(what_is_no_question_is_refused_by_name),
    };
    return cmocka_run_group_tests(tests, group_set_up, NULL);
}
