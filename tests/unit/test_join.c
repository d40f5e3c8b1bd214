/* The exchange by which a node joins: only who has the secret can ask and answer, and each answer is good for its
 * question alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sodium.h>

#include "proto/join.h"
#include "proto/status.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define PASSWORD "the password of etcd"

static const struct join_keys keys = {.proof = "made of the secret", .seal = "made of it, too"};
static const struct join_keys other_keys = {.proof = "made of another secret", .seal = "made of that, too"};
static const uint8_t challenge[JOIN_CHALLENGE_BYTES] = "a challenge";
static const uint8_t asking[JOIN_KEY_BYTES] = "the key of who asks";
static const uint8_t answering[JOIN_KEY_BYTES] = "the key of who answers";

static struct arena arena;
static struct buffer out;

static int set_up(void **state) {
    (void)state;
    assert_true(sodium_init() >= 0);
    arena_init(&arena);
    buffer_init(&out);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    buffer_close(&out);
    arena_close(&arena);
    return 0;
}

static struct join_facts example(void) {
    return (struct join_facts){.cluster_name = BYTES_LITERAL("weft"),
                               .etcd_endpoints = BYTES_LITERAL("https://10.0.0.1:2379 https://10.0.0.2:2379"),
                               .etcd_user = BYTES_LITERAL("weft"),
                               .etcd_password = BYTES_LITERAL(PASSWORD),
                               .etcd_ca = BYTES_LITERAL("-----BEGIN CERTIFICATE-----\n"),
                               .etcd_cert = BYTES_LITERAL(""),
                               .etcd_key = BYTES_LITERAL(""),
                               .tls_ca = BYTES_LITERAL("ca\n"),
                               .tls_ca_key = BYTES_LITERAL("key\n"),
                               .node_name = BYTES_LITERAL("node-1"),
                               .peer_address = BYTES_LITERAL("10.0.0.1:8600"),
                               .replication_factor = 5,
                               .min_in_sync = 3,
                               .fingerprint = "a fingerprint"};
}

static void assert_bytes(struct bytes a, struct bytes b) {
    assert_true(bytes_is_present(a) && bytes_equal(a, b));
}

static void assert_facts(const struct join_facts *a, const struct join_facts *b) {
    assert_bytes(a->cluster_name, b->cluster_name);
    assert_bytes(a->etcd_endpoints, b->etcd_endpoints);
    assert_bytes(a->etcd_user, b->etcd_user);
    assert_bytes(a->etcd_password, b->etcd_password);
    assert_bytes(a->etcd_ca, b->etcd_ca);
    assert_bytes(a->etcd_cert, b->etcd_cert);
    assert_bytes(a->etcd_key, b->etcd_key);
    assert_bytes(a->tls_ca, b->tls_ca);
    assert_bytes(a->tls_ca_key, b->tls_ca_key);
    assert_bytes(a->node_name, b->node_name);
    assert_bytes(a->peer_address, b->peer_address);
    assert_int_equal(a->replication_factor, b->replication_factor);
    assert_int_equal(a->min_in_sync, b->min_in_sync);
    assert_memory_equal(a->fingerprint, b->fingerprint, sizeof(a->fingerprint));
}

static struct join_request question_of(const struct join_keys *with) {
    struct join_request question;
    join_question_make(with, challenge, asking, &question);
    return question;
}

/* In the arena. */
static struct bytes question_bytes(void) {
    struct join_request question = question_of(&keys);
    out.size = 0;
    join_question_encode(&question, &out);
    return arena_copy(&arena, buffer_bytes(&out));
}

static struct bytes answer_bytes(const struct join_request *question, const struct join_keys *with) {
    struct join_facts facts = example();
    out.size = 0;
    assert_int_equal(join_answer_encode(question, with, answering, &facts, &out), STATUS_OK);
    return arena_copy(&arena, buffer_bytes(&out));
}

static int answer_open(struct bytes answer, const struct join_request *question) {
    struct join_facts facts;
    return join_answer_open(answer, question, &keys, asking, &arena, &facts);
}

/* Where it stands; NULL: nowhere. */
static uint8_t *find(struct bytes where, struct bytes what) {
    for (size_t i = 0; i + what.size <= where.size; i++)
        if (memcmp(where.data + i, what.data, what.size) == 0)
            return (uint8_t *)(uintptr_t)(where.data + i);
    return NULL;
}

static void who_asks_with_the_secret_is_told_everything(void **state) {
    struct join_request heard;
    struct join_facts facts;
    struct join_facts expected = example();
    uint8_t said[JOIN_CHALLENGE_BYTES];
    (void)state;
    join_hello_encode(&out);
    assert_int_equal(join_request_decode(buffer_bytes(&out), &heard), STATUS_OK);
    assert_int_equal(heard.kind, JOIN_HELLO);
    out.size = 0;
    join_challenge_encode(challenge, &out);
    assert_int_equal(join_challenge_decode(buffer_bytes(&out), said), STATUS_OK);
    assert_memory_equal(said, challenge, sizeof(said));
    struct join_request question = question_of(&keys);
    assert_int_equal(join_request_decode(question_bytes(), &heard), STATUS_OK);
    assert_memory_equal(&heard, &question, sizeof(heard));
    assert_true(join_question_is_proven(&heard, &keys));
    struct bytes answer = answer_bytes(&heard, &keys);
    assert_true(answer.size <= JOIN_ANSWER_BYTES_MAX);
    assert_int_equal(join_answer_open(answer, &question, &keys, asking, &arena, &facts), STATUS_OK);
    assert_facts(&facts, &expected);
}

static void a_question_with_another_secret_is_not_proven(void **state) {
    struct join_request question = question_of(&other_keys);
    struct join_keys half = {0};
    (void)state;
    assert_false(join_question_is_proven(&question, &keys));
    memcpy(half.seal, keys.seal, sizeof(half.seal));
    question = question_of(&half);
    assert_false(join_question_is_proven(&question, &keys));
}

static void an_answer_with_another_secret_does_not_open(void **state) {
    struct join_request question = question_of(&keys);
    struct join_keys half = keys;
    (void)state;
    assert_int_equal(answer_open(answer_bytes(&question, &other_keys), &question), STATUS_FORBIDDEN);
    memset(half.seal, 0, sizeof(half.seal));
    assert_int_equal(answer_open(answer_bytes(&question, &half), &question), STATUS_FORBIDDEN);
}

static void a_recorded_answer_opens_for_no_other_question(void **state) {
    struct join_request question = question_of(&keys);
    struct bytes answer = answer_bytes(&question, &keys);
    struct join_request later;
    struct join_facts facts;
    uint8_t other_challenge[JOIN_CHALLENGE_BYTES] = "another challenge";
    uint8_t other_key[JOIN_KEY_BYTES] = "another key of who asks";
    (void)state;
    assert_int_equal(answer_open(answer, &question), STATUS_OK);
    join_question_make(&keys, other_challenge, asking, &later);
    assert_int_equal(answer_open(answer, &later), STATUS_FORBIDDEN);
    join_question_make(&keys, challenge, other_key, &later);
    assert_int_equal(join_answer_open(answer, &later, &keys, other_key, &arena, &facts), STATUS_FORBIDDEN);
    /* Who has the secret and the recording, but not the key of the question, learns nothing either. */
    assert_int_equal(join_answer_open(answer, &question, &keys, other_key, &arena, &facts), STATUS_FORBIDDEN);
}

static void a_message_sent_back_is_no_other_message(void **state) {
    struct join_request question = question_of(&keys);
    struct join_request request;
    uint8_t said[JOIN_CHALLENGE_BYTES];
    struct bytes asked = question_bytes();
    struct bytes answer = answer_bytes(&question, &keys);
    (void)state;
    assert_int_equal(answer_open(asked, &question), STATUS_MALFORMED);
    assert_int_equal(join_challenge_decode(asked, said), STATUS_MALFORMED);
    assert_int_equal(join_challenge_decode(answer, said), STATUS_MALFORMED);
    assert_int_equal(join_request_decode(answer, &request), STATUS_MALFORMED);
    out.size = 0;
    join_challenge_encode(challenge, &out);
    assert_int_equal(join_request_decode(buffer_bytes(&out), &request), STATUS_MALFORMED);
    assert_int_equal(answer_open(buffer_bytes(&out), &question), STATUS_MALFORMED);
}

static void every_cut_and_every_changed_bit_is_noticed(void **state) {
    struct join_request question = question_of(&keys);
    struct join_request request;
    struct bytes asked = question_bytes();
    struct bytes answer = answer_bytes(&question, &keys);
    (void)state;
    for (size_t size = 0; size < asked.size; size++)
        assert_int_equal(join_request_decode(bytes_of(asked.data, size), &request), STATUS_MALFORMED);
    for (size_t size = 0; size < answer.size; size++)
        assert_int_not_equal(answer_open(bytes_of(answer.data, size), &question), STATUS_OK);
    uint8_t *bytes = (uint8_t *)(uintptr_t)asked.data;
    for (size_t bit = 0; bit < asked.size * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        bool is_taken = join_request_decode(asked, &request) == STATUS_OK && request.kind == JOIN_QUESTION;
        assert_false(is_taken && join_question_is_proven(&request, &keys));
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    bytes = (uint8_t *)(uintptr_t)answer.data;
    for (size_t bit = 0; bit < answer.size * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        /* The highest bit of an X25519 key counts for nothing, but is part of what is hashed. */
        assert_int_not_equal(answer_open(answer, &question), STATUS_OK);
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_int_equal(answer_open(answer, &question), STATUS_OK);
}

static void nothing_of_the_facts_is_to_be_seen(void **state) {
    struct join_request question = question_of(&keys);
    struct bytes answer = answer_bytes(&question, &keys);
    (void)state;
    const char *secrets[] = {PASSWORD, "2379", "weft", "BEGIN", "fingerprint", "node-1"};
    for (size_t i = 0; i < COUNT(secrets); i++)
        assert_null(find(answer, bytes_of_text(secrets[i])));
}

static void a_key_that_agrees_with_nobody_is_refused(void **state) {
    struct join_request question = question_of(&keys);
    struct join_facts facts = example();
    struct bytes answer = answer_bytes(&question, &keys);
    (void)state;
    memset(question.public_key, 0, sizeof(question.public_key));
    assert_int_equal(join_answer_encode(&question, &keys, answering, &facts, &out), STATUS_MALFORMED);
    question = question_of(&keys);
    uint8_t public_key[JOIN_KEY_BYTES];
    crypto_scalarmult_base(public_key, answering);
    memset(find(answer, bytes_of(public_key, sizeof(public_key))), 0, sizeof(public_key));
    assert_int_equal(answer_open(answer, &question), STATUS_MALFORMED);
}

static void requests_that_are_none_are_refused(void **state) {
    const struct {
        struct bytes encoded;
        int rc;
    } rows[] = {
        {BYTES_ABSENT, STATUS_MALFORMED},
        {BYTES_LITERAL(""), STATUS_MALFORMED},
        {BYTES_LITERAL("hello"), STATUS_MALFORMED},
        {BYTES_LITERAL("\x80"), STATUS_MALFORMED},
        {BYTES_LITERAL("\x81\x01\x01"), STATUS_NOT_IMPLEMENTED},         /* no version */
        {BYTES_LITERAL("\x82\x01\x01\x02\x02"), STATUS_NOT_IMPLEMENTED}, /* version 2 */
        {BYTES_LITERAL("\x82\x01\x03\x02\x01"), STATUS_MALFORMED},       /* a question without anything */
        {BYTES_LITERAL("\x82\x01\x05\x02\x01"), STATUS_MALFORMED},       /* nothing that there is */
        {BYTES_LITERAL("\x82\x01\x03\x02\x01\x03\xc6\xff\xff\xff\xff"), STATUS_MALFORMED},
    };
    struct join_request request;
    uint8_t long_one[JOIN_REQUEST_BYTES_MAX + 1] = {0x82, 1, 1, 2, 1};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_int_equal(join_request_decode(rows[i].encoded, &request), rows[i].rc);
    assert_int_equal(join_request_decode(bytes_of(long_one, sizeof(long_one)), &request), STATUS_MALFORMED);
    assert_int_equal(join_request_decode(bytes_of(long_one, 5), &request), STATUS_OK);
}

static int facts_rc(const struct join_facts *facts) {
    struct join_facts decoded;
    out.size = 0;
    join_facts_encode(facts, &out);
    return join_facts_decode(buffer_bytes(&out), &arena, &decoded);
}

static void facts_that_cannot_be_are_refused(void **state) {
    struct join_facts rows[8];
    char text[JOIN_TEXT_BYTES_MAX + 1];
    static char file[JOIN_FILE_BYTES_MAX + 1];
    (void)state;
    memset(text, 'x', sizeof(text));
    memset(file, 'x', sizeof(file));
    for (size_t i = 0; i < COUNT(rows); i++)
        rows[i] = example();
    rows[0].cluster_name = BYTES_ABSENT;
    rows[1].etcd_endpoints = BYTES_LITERAL("");
    rows[2].peer_address = BYTES_LITERAL("");
    rows[3].etcd_password = bytes_of(text, sizeof(text));
    rows[4].etcd_user = BYTES_LITERAL("a\nb");
    rows[5].node_name = BYTES_LITERAL("a\0b");
    rows[6].etcd_key = bytes_of(file, sizeof(file));
    rows[7].tls_ca = BYTES_LITERAL("a\0b");
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_int_equal(facts_rc(&rows[i]), STATUS_MALFORMED);
    rows[3].etcd_password.size--;
    rows[6].etcd_key.size--;
    assert_int_equal(facts_rc(&rows[3]), STATUS_OK);
    assert_int_equal(facts_rc(&rows[6]), STATUS_OK);
    assert_int_equal(join_facts_decode(BYTES_LITERAL("\x80"), &arena, &rows[0]), STATUS_MALFORMED);
}

static void the_largest_facts_fit_into_an_answer(void **state) {
    static char file[JOIN_FILE_BYTES_MAX];
    char text[JOIN_TEXT_BYTES_MAX];
    struct join_request question = question_of(&keys);
    struct join_facts facts = example();
    struct join_facts told;
    (void)state;
    memset(file, 'x', sizeof(file));
    memset(text, 'x', sizeof(text));
    facts.etcd_ca = facts.etcd_cert = facts.etcd_key = facts.tls_ca = facts.tls_ca_key = bytes_of(file, sizeof(file));
    facts.cluster_name = facts.etcd_endpoints = facts.etcd_user = facts.etcd_password = facts.node_name =
        facts.peer_address = bytes_of(text, sizeof(text));
    assert_int_equal(join_answer_encode(&question, &keys, answering, &facts, &out), STATUS_OK);
    assert_true(out.size <= JOIN_ANSWER_BYTES_MAX);
    assert_int_equal(join_answer_open(buffer_bytes(&out), &question, &keys, asking, &arena, &told), STATUS_OK);
    assert_facts(&told, &facts);
}

static void each_secret_has_keys_of_its_own(void **state) {
    struct join_keys first;
    struct join_keys again;
    struct join_keys other;
    (void)state;
    assert_int_equal(join_keys_derive(BYTES_LITERAL("0123456789abcdef0123456789abcdef"), &first), STATUS_OK);
    assert_int_equal(join_keys_derive(BYTES_LITERAL("0123456789abcdef0123456789abcdef"), &again), STATUS_OK);
    assert_int_equal(join_keys_derive(BYTES_LITERAL("0123456789abcdef0123456789abcdeF"), &other), STATUS_OK);
    assert_memory_equal(&first, &again, sizeof(first));
    assert_memory_not_equal(first.proof, first.seal, sizeof(first.proof));
    assert_memory_not_equal(first.proof, other.proof, sizeof(first.proof));
    assert_memory_not_equal(first.seal, other.seal, sizeof(first.seal));
}

static void a_fingerprint_tells_clusters_apart(void **state) {
    uint8_t prints[2][JOIN_FINGERPRINT_BYTES];
    (void)state;
    join_fingerprint(asking, prints[0]);
    join_fingerprint(answering, prints[1]);
    assert_memory_not_equal(prints[0], prints[1], sizeof(prints[0]));
    join_fingerprint(asking, prints[1]);
    assert_memory_equal(prints[0], prints[1], sizeof(prints[0]));
}

int main(void) {
#define JOIN(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        JOIN(who_asks_with_the_secret_is_told_everything), JOIN(a_question_with_another_secret_is_not_proven),
        JOIN(an_answer_with_another_secret_does_not_open), JOIN(a_recorded_answer_opens_for_no_other_question),
        JOIN(a_message_sent_back_is_no_other_message),     JOIN(every_cut_and_every_changed_bit_is_noticed),
        JOIN(nothing_of_the_facts_is_to_be_seen),          JOIN(a_key_that_agrees_with_nobody_is_refused),
        JOIN(requests_that_are_none_are_refused),          JOIN(facts_that_cannot_be_are_refused),
        JOIN(the_largest_facts_fit_into_an_answer),        JOIN(each_secret_has_keys_of_its_own),
        JOIN(a_fingerprint_tells_clusters_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
