#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sodium.h>
#include <stdlib.h>

#include "node/peer/big_endian.h"
#include "node/peer/link_crypto.h"
#include "proto/check.h"
#include "proto/status.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct key_pair {
    uint8_t public_key[LINK_PUBLIC_KEY_BYTES], secret_key[LINK_SECRET_KEY_BYTES];
};

/* Nodes 1 and 2, and a stranger. */
static struct key_pair keys[3];

static int make_keys(void **state) {
    (void)state;
    check(sodium_init() >= 0);
    for (size_t i = 0; i < COUNT(keys); i++)
        crypto_sign_keypair(keys[i].public_key, keys[i].secret_key);
    return 0;
}

static struct link_options options_of(uint64_t self) {
    return (struct link_options){.self = self,
                                 .peer = 3 - self,
                                 .secret_key = keys[self - 1].secret_key,
                                 .peer_public_key = keys[2 - self].public_key,
                                 .oldest = 1,
                                 .newest = 1,
                                 .ciphers = link_ciphers_available()};
}

struct side {
    struct link_crypto *link;
    struct buffer plain, answer;
    struct link_opened opened;
};

static void side_open_with(struct side *side, const struct link_options *options) {
    *side = (struct side){.link = link_crypto_new(options)};
    buffer_init(&side->plain);
    buffer_init(&side->answer);
}

static void side_open(struct side *side, uint64_t self) {
    struct link_options options = options_of(self);
    side_open_with(side, &options);
}

static void side_close(struct side *side) {
    link_crypto_free(side->link);
    buffer_close(&side->plain);
    buffer_close(&side->answer);
}

static enum link_result receive(struct side *side, struct bytes message, uint64_t now_ms) {
    side->answer.size = 0;
    return link_crypto_receive(side->link, message, now_ms, &side->plain, &side->opened, &side->answer);
}

/* A message of its own, to be freed with buffer_close. */
static struct buffer sealed_by(struct side *side, const char *text) {
    struct buffer message;
    uint64_t counter;
    buffer_init(&message);
    uint8_t *sealed = buffer_reserve(&message, strlen(text) + LINK_SEALED_OVERHEAD_BYTES);
    assert_int_equal(link_crypto_seal(side->link, bytes_of_text(text), sealed, &counter), STATUS_OK);
    buffer_added(&message, strlen(text) + LINK_SEALED_OVERHEAD_BYTES);
    return message;
}

static struct buffer hello_of(struct side *side, uint64_t now_ms) {
    struct buffer hello;
    buffer_init(&hello);
    link_crypto_tick(side->link, now_ms, &hello);
    assert_true(hello.size > 0);
    return hello;
}

static struct buffer copy_of(const struct buffer *buffer) {
    struct buffer copy;
    buffer_init(&copy);
    buffer_append_bytes(&copy, buffer_bytes(buffer));
    return copy;
}

/* Carries answers to and fro until there are none. */
static void converse(struct side *from, struct side *to, uint64_t now_ms) {
    for (int i = 0; from->answer.size > 0; i++) {
        assert_true(i < 10);
        struct buffer message = copy_of(&from->answer);
        from->answer.size = 0;
        receive(to, buffer_bytes(&message), now_ms);
        buffer_close(&message);
        struct side *swapped = from;
        from = to;
        to = swapped;
    }
}

static void connect_sides(struct side *a, struct side *b, uint64_t now_ms) {
    struct buffer hello = hello_of(a, now_ms);
    receive(b, buffer_bytes(&hello), now_ms);
    converse(b, a, now_ms);
    buffer_close(&hello);
    assert_true(link_crypto_session(a->link) != 0);
    assert_true(link_crypto_session(a->link) == link_crypto_session(b->link));
}

static void assert_delivers(struct side *from, struct side *to, const char *text, uint64_t now_ms) {
    struct buffer message = sealed_by(from, text);
    assert_int_equal(receive(to, buffer_bytes(&message), now_ms), LINK_OPENED);
    assert_true(bytes_equal_text(to->opened.plain, text));
    buffer_close(&message);
}

static void open_sides(struct side *a, struct side *b) {
    side_open(a, 1);
    side_open(b, 2);
    connect_sides(a, b, 1000);
}

static void two_nodes_agree_and_understand_each_other(void **state) {
    struct side a, b;
    (void)state;
    open_sides(&a, &b);
    assert_int_equal(link_crypto_version(a.link), 1);
    assert_false(link_crypto_is_proven(a.link));
    assert_delivers(&a, &b, "to b", 1001);
    assert_true(link_crypto_is_proven(b.link));
    assert_delivers(&b, &a, "to a", 1001);
    assert_delivers(&b, &a, "", 1001);
    assert_int_equal(a.opened.counter, 2);
    assert_true(a.opened.session == link_crypto_session(a.link));
    side_close(&a);
    side_close(&b);
}

static void nothing_is_sealed_before_there_is_a_session(void **state) {
    struct side a;
    uint8_t sealed[LINK_SEALED_OVERHEAD_BYTES + 1];
    uint64_t counter;
    (void)state;
    side_open(&a, 1);
    assert_int_equal(link_crypto_seal(a.link, BYTES_LITERAL("x"), sealed, &counter), STATUS_SERVICE_UNAVAILABLE);
    assert_true(link_crypto_session(a.link) == 0 && link_crypto_version(a.link) == 0);
    side_close(&a);
}

static void hellos_that_cross_make_one_session(void **state) {
    struct side a, b;
    (void)state;
    side_open(&a, 1);
    side_open(&b, 2);
    struct buffer from_a = hello_of(&a, 1000), from_b = hello_of(&b, 1000);
    assert_int_equal(receive(&a, buffer_bytes(&from_b), 1001), LINK_HEARD);
    assert_int_equal(receive(&b, buffer_bytes(&from_a), 1001), LINK_HEARD);
    struct buffer answer_a = copy_of(&a.answer), answer_b = copy_of(&b.answer);
    receive(&a, buffer_bytes(&answer_b), 1002);
    receive(&b, buffer_bytes(&answer_a), 1002);
    assert_true(link_crypto_session(a.link) != 0);
    assert_true(link_crypto_session(a.link) == link_crypto_session(b.link));
    converse(&a, &b, 1003);
    converse(&b, &a, 1003);
    assert_true(link_crypto_session(a.link) == link_crypto_session(b.link));
    assert_delivers(&a, &b, "x", 1004);
    buffer_close(&from_a);
    buffer_close(&from_b);
    buffer_close(&answer_a);
    buffer_close(&answer_b);
    side_close(&a);
    side_close(&b);
}

static void versions_and_ciphers_are_the_best_that_both_have(void **state) {
    const uint8_t plain = LINK_CIPHER_XCHACHA20_POLY1305, all = link_ciphers_available();
    const struct {
        struct link_versions a, b;
        uint8_t ciphers_a, ciphers_b;
        uint16_t version; /* 0: none in common */
    } rows[] = {{{1, 1}, {1, 1}, all, all, 1},   {{1, 2}, {1, 1}, all, all, 1},     {{1, 2}, {2, 3}, all, plain, 2},
                {{2, 3}, {1, 2}, plain, all, 2}, {{1, 9}, {3, 5}, plain, plain, 5}, {{1, 1}, {2, 3}, all, all, 0},
                {{4, 255}, {1, 3}, all, all, 0}};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct side a, b;
        struct link_options options_a = options_of(1), options_b = options_of(2);
        options_a.oldest = rows[i].a.oldest, options_a.newest = rows[i].a.newest;
        options_b.oldest = rows[i].b.oldest, options_b.newest = rows[i].b.newest;
        options_a.ciphers = rows[i].ciphers_a, options_b.ciphers = rows[i].ciphers_b;
        side_open_with(&a, &options_a);
        side_open_with(&b, &options_b);
        if (rows[i].version == 0) {
            struct buffer hello = hello_of(&a, 1000);
            assert_int_equal(receive(&b, buffer_bytes(&hello), 1000), LINK_INCOMPATIBLE);
            assert_int_equal(b.answer.size, 0);
            assert_int_equal(link_crypto_peer_versions(b.link).oldest, rows[i].a.oldest);
            assert_int_equal(link_crypto_peer_versions(b.link).newest, rows[i].a.newest);
            buffer_close(&hello);
        } else {
            connect_sides(&a, &b, 1000);
            assert_int_equal(link_crypto_version(a.link), rows[i].version);
            assert_int_equal(link_crypto_version(b.link), rows[i].version);
            assert_delivers(&a, &b, "x", 1001);
            assert_delivers(&b, &a, "y", 1001);
        }
        side_close(&a);
        side_close(&b);
    }
}

static void every_changed_bit_is_refused(void **state) {
    struct side a, b;
    (void)state;
    open_sides(&a, &b);
    struct buffer message = sealed_by(&a, "pay ten");
    for (size_t bit = 0; bit < message.size * 8; bit++) {
        message.data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        assert_int_not_equal(receive(&b, buffer_bytes(&message), 1000), LINK_OPENED);
        message.data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    for (size_t size = 0; size < message.size; size++)
        assert_int_not_equal(receive(&b, bytes_of(message.data, size), 1000), LINK_OPENED);
    assert_int_equal(receive(&b, buffer_bytes(&message), 1000), LINK_OPENED);
    buffer_close(&message);
    side_close(&a);
    side_close(&b);
}

static void every_changed_bit_of_a_hello_is_refused(void **state) {
    struct side a, b;
    (void)state;
    side_open(&a, 1);
    side_open(&b, 2);
    struct buffer hello = hello_of(&a, 1000);
    for (size_t bit = 0; bit < hello.size * 8; bit++) {
        hello.data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        assert_int_not_equal(receive(&b, buffer_bytes(&hello), 1000 + bit * 1000), LINK_HEARD);
        assert_int_equal(b.answer.size, 0);
        hello.data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    assert_int_equal(receive(&b, buffer_bytes(&hello), 10000000), LINK_HEARD);
    assert_true(b.answer.size > 0);
    buffer_close(&hello);
    side_close(&a);
    side_close(&b);
}

static void a_hello_of_a_later_version_may_be_longer(void **state) {
    struct side b;
    uint8_t hello[LINK_HELLO_BYTES_MIN + 8] = {0};
    struct side a;
    (void)state;
    side_open(&a, 1);
    side_open(&b, 2);
    struct buffer ours = hello_of(&a, 1000);
    size_t signed_size = sizeof(hello) - crypto_sign_BYTES;
    memcpy(hello, ours.data, LINK_HELLO_BYTES_MIN - crypto_sign_BYTES);
    crypto_sign_detached(hello + signed_size, NULL, hello, signed_size, keys[0].secret_key);
    assert_int_equal(receive(&b, bytes_of(hello, sizeof(hello)), 1000), LINK_HEARD);
    hello[LINK_HELLO_BYTES_MIN - crypto_sign_BYTES] ^= 1; /* what was added is signed, too */
    assert_int_equal(receive(&b, bytes_of(hello, sizeof(hello)), 1000), LINK_FORGED);
    buffer_close(&ours);
    side_close(&a);
    side_close(&b);
}

static void a_stranger_with_our_id_is_refused(void **state) {
    struct side impostor, b;
    struct link_options options = options_of(1);
    (void)state;
    options.secret_key = keys[2].secret_key;
    side_open_with(&impostor, &options);
    side_open(&b, 2);
    struct buffer hello = hello_of(&impostor, 1000);
    assert_int_equal(receive(&b, buffer_bytes(&hello), 1000), LINK_FORGED);
    assert_int_equal(b.answer.size, 0);
    buffer_close(&hello);
    side_close(&impostor);
    side_close(&b);
}

static void messages_between_other_nodes_are_malformed(void **state) {
    struct side a, b;
    (void)state;
    open_sides(&a, &b);
    struct buffer to_b = sealed_by(&a, "x");
    assert_int_equal(receive(&a, buffer_bytes(&to_b), 1000), LINK_MALFORMED); /* sent back to its sender */
    uint64_t sender, receiver;
    assert_int_equal(link_message_nodes(buffer_bytes(&to_b), &sender, &receiver), STATUS_OK);
    assert_true(sender == 1 && receiver == 2);
    assert_int_equal(link_message_nodes(bytes_of(to_b.data, LINK_HEADER_BYTES - 1), &sender, &receiver),
                     STATUS_MALFORMED);
    assert_int_equal(link_message_nodes(BYTES_ABSENT, &sender, &receiver), STATUS_MALFORMED);
    buffer_close(&to_b);
    side_close(&a);
    side_close(&b);
}

static void the_replay_window_takes_each_counter_once(void **state) {
    enum { MESSAGES = 3 * LINK_REPLAY_WINDOW };
    static struct buffer messages[MESSAGES + 1]; /* by counter */
    const struct {
        uint64_t counter;
        enum link_result result;
    } rows[] = {
        {1, LINK_OPENED},    {1, LINK_REPLAYED},    {3, LINK_OPENED},      {2, LINK_OPENED},      {2, LINK_REPLAYED},
        {1024, LINK_OPENED}, {4, LINK_OPENED},      {1025, LINK_OPENED},   {1, LINK_REPLAYED},    {5, LINK_OPENED},
        {1029, LINK_OPENED}, {6, LINK_OPENED},      {1030, LINK_OPENED},   {6, LINK_REPLAYED},    {7, LINK_OPENED},
        {1032, LINK_OPENED}, {1027, LINK_OPENED},   {1027, LINK_REPLAYED}, {8, LINK_REPLAYED},    {9, LINK_OPENED},
        {3000, LINK_OPENED}, {1976, LINK_REPLAYED}, {1977, LINK_OPENED},   {1977, LINK_REPLAYED}, {1032, LINK_REPLAYED},
        {2999, LINK_OPENED}, {3000, LINK_REPLAYED}, {3072, LINK_OPENED},   {2048, LINK_REPLAYED}, {2049, LINK_OPENED},
        {3071, LINK_OPENED}, {3072, LINK_REPLAYED},
    };
    struct side a, b;
    (void)state;
    open_sides(&a, &b);
    for (size_t i = 1; i <= MESSAGES; i++)
        messages[i] = sealed_by(&a, "x");
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_int_equal(receive(&b, buffer_bytes(&messages[rows[i].counter]), 1000), rows[i].result);
    for (size_t i = 1; i <= MESSAGES; i++)
        buffer_close(&messages[i]);
    side_close(&a);
    side_close(&b);
}

static void a_restarted_peer_is_recognised_and_its_old_session_refused(void **state) {
    struct side a, b;
    (void)state;
    open_sides(&a, &b);
    assert_delivers(&b, &a, "before", 1001);
    struct buffer old = sealed_by(&b, "old");
    side_close(&b);
    side_open(&b, 2);
    struct buffer lost = sealed_by(&a, "to the old life");
    assert_int_equal(receive(&b, buffer_bytes(&lost), 1100), LINK_UNKNOWN_SESSION);
    assert_true(b.answer.size > 0);
    converse(&b, &a, 1100);
    assert_true(link_crypto_session(a.link) == link_crypto_session(b.link));
    assert_delivers(&b, &a, "after", 1101);
    assert_delivers(&a, &b, "after", 1101);
    assert_int_equal(receive(&a, buffer_bytes(&old), 1102), LINK_UNKNOWN_SESSION);
    converse(&a, &b, 1102);
    assert_delivers(&b, &a, "still", 1103);
    buffer_close(&old);
    buffer_close(&lost);
    side_close(&a);
    side_close(&b);
}

static void a_lost_last_hello_is_made_up_for_by_data(void **state) {
    struct side a, b;
    (void)state;
    side_open(&a, 1);
    side_open(&b, 2);
    struct buffer hello = hello_of(&a, 1000);
    receive(&b, buffer_bytes(&hello), 1000);
    struct buffer answer = copy_of(&b.answer);
    assert_int_equal(receive(&a, buffer_bytes(&answer), 1000), LINK_HEARD); /* a agrees; what it says then is lost */
    assert_true(link_crypto_session(a.link) != 0 && link_crypto_session(b.link) == 0);
    struct buffer data = sealed_by(&a, "x");
    assert_int_equal(receive(&b, buffer_bytes(&data), 1001), LINK_UNKNOWN_SESSION);
    converse(&b, &a, 1001);
    assert_true(link_crypto_session(a.link) == link_crypto_session(b.link));
    assert_delivers(&a, &b, "y", 1002);
    buffer_close(&hello);
    buffer_close(&answer);
    buffer_close(&data);
    side_close(&a);
    side_close(&b);
}

static void recorded_hellos_change_nothing(void **state) {
    struct side a, b;
    struct buffer recorded[64];
    size_t count = 0;
    uint64_t now = 1000;
    (void)state;
    side_open(&a, 1);
    for (int life = 0; life < 4; life++, now += 5000) { /* of b, whose hellos are all recorded */
        side_open(&b, 2);
        struct buffer hello = hello_of(&b, now);
        recorded[count++] = copy_of(&hello);
        receive(&a, buffer_bytes(&hello), now);
        for (struct side *from = &a, *to = &b; from->answer.size > 0;) {
            struct buffer message = copy_of(&from->answer);
            if (from == &b)
                recorded[count++] = copy_of(&message);
            from->answer.size = 0;
            receive(to, buffer_bytes(&message), now);
            buffer_close(&message);
            struct side *swapped = from;
            from = to;
            to = swapped;
        }
        assert_delivers(&b, &a, "x", now);
        buffer_close(&hello);
        if (life < 3)
            side_close(&b);
    }
    uint64_t session = link_crypto_session(a.link);
    for (size_t i = 0; i < count; i++, now += 1000) {
        receive(&a, buffer_bytes(&recorded[i]), now);
        converse(&a, &b, now);
        assert_true(link_crypto_session(a.link) == session && link_crypto_session(b.link) == session);
        assert_delivers(&b, &a, "x", now);
        assert_delivers(&a, &b, "y", now);
    }
    for (size_t i = 0; i < count; i++)
        buffer_close(&recorded[i]);
    side_close(&a);
    side_close(&b);
}

static void hellos_are_sent_until_there_is_a_session_and_after_silence(void **state) {
    struct side a, b;
    struct buffer hello;
    (void)state;
    side_open(&a, 1);
    side_open(&b, 2);
    buffer_init(&hello);
    link_crypto_tick(a.link, 1000, &hello);
    assert_int_equal(hello.size, LINK_HELLO_BYTES_MIN);
    link_crypto_tick(a.link, 1000 + LINK_HELLO_MS - 1, &hello);
    assert_int_equal(hello.size, LINK_HELLO_BYTES_MIN);
    link_crypto_tick(a.link, 1000 + LINK_HELLO_MS, &hello);
    assert_int_equal(hello.size, 2 * LINK_HELLO_BYTES_MIN);
    connect_sides(&a, &b, 2000);
    assert_delivers(&b, &a, "x", 2500);
    hello.size = 0;
    link_crypto_tick(a.link, 2500 + LINK_SILENT_MS - 1, &hello);
    assert_int_equal(hello.size, 0);
    link_crypto_tick(a.link, 2500 + LINK_SILENT_MS, &hello);
    assert_int_equal(hello.size, LINK_HELLO_BYTES_MIN);
    buffer_close(&hello);
    side_close(&a);
    side_close(&b);
}

static void keys_are_renewed_without_losing_what_is_under_way(void **state) {
    struct side a, b;
    struct link_options options = options_of(1);
    (void)state;
    options.renew_after_bytes = 1000;
    side_open_with(&a, &options);
    side_open(&b, 2);
    connect_sides(&a, &b, 1000);
    uint64_t first = link_crypto_session(a.link);
    assert_delivers(&b, &a, "x", 1001);
    for (int i = 0; i < 20; i++)
        assert_delivers(&a, &b, "x", 1001);
    struct buffer hello = hello_of(&a, 1400), old_a = sealed_by(&a, "old a"), old_b = sealed_by(&b, "old b");
    receive(&b, buffer_bytes(&hello), 1400);
    converse(&b, &a, 1400);
    assert_true(link_crypto_session(a.link) != first && link_crypto_session(a.link) == link_crypto_session(b.link));
    assert_int_equal(receive(&a, buffer_bytes(&old_b), 1401), LINK_OPENED);
    assert_true(a.opened.session == first);
    assert_int_equal(receive(&a, buffer_bytes(&old_b), 1401), LINK_REPLAYED);
    assert_int_equal(receive(&b, buffer_bytes(&old_a), 1401), LINK_OPENED);
    struct buffer late_b = copy_of(&old_b);
    assert_delivers(&b, &a, "new", 1402);
    assert_int_equal(receive(&a, buffer_bytes(&late_b), 1403), LINK_UNKNOWN_SESSION);
    buffer_close(&hello);
    buffer_close(&old_a);
    buffer_close(&old_b);
    buffer_close(&late_b);
    side_close(&a);
    side_close(&b);
}

static void a_flood_of_forged_hellos_costs_few_signatures(void **state) {
    struct side a, b;
    size_t checked = 0;
    (void)state;
    side_open(&a, 1);
    side_open(&b, 2);
    struct buffer hello = hello_of(&a, 1000);
    hello.data[LINK_HELLO_BYTES_MIN - 1] ^= 1;
    for (uint64_t now = 1000; now < 11000; now++)
        checked += receive(&b, buffer_bytes(&hello), now) == LINK_FORGED ? 1 : 0;
    assert_in_range(checked, 1, LINK_HELLOS_BURST + 10 * LINK_HELLOS_PER_S);
    hello.data[LINK_HELLO_BYTES_MIN - 1] ^= 1;
    assert_int_equal(receive(&b, buffer_bytes(&hello), 12000), LINK_HEARD);
    buffer_close(&hello);
    side_close(&a);
    side_close(&b);
}

/* ---- two nodes over a network at its worst ---- */

enum { STEPS = 40000, LIVES_MAX = 200, FLIGHT_MAX = 64, RECORDED_MAX = 256, TEXT_BYTES = 12 };

struct network {
    uint32_t chance;
    struct {
        struct buffer message;
        int to; /* 0: there is none */
    } flight[FLIGHT_MAX];
    struct {
        struct buffer message;
        int to;
    } recorded[RECORDED_MAX];
    size_t recorded_count;
    struct side sides[3];      /* 1 and 2 */
    uint32_t life[3], sent[3]; /* what each side has sent in this life */
    uint32_t heard_life[3];    /* of the other side */
    uint8_t *delivered[3];     /* by number: to that side */
    size_t deliveries, refusals;
};

static uint32_t roll(struct network *network, uint32_t below) {
    network->chance = network->chance * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)(network->chance >> 8) * below) >> 24);
}

static void put(struct network *network, struct bytes message, int to) {
    if (roll(network, 100) < 15) /* lost */
        return;
    for (int copies = roll(network, 100) < 10 ? 2 : 1; copies > 0; copies--) {
        size_t place =
            roll(network, FLIGHT_MAX); /* takes over somebody's place: that one is lost, the rest reordered */
        network->flight[place].message.size = 0;
        buffer_append_bytes(&network->flight[place].message, message);
        network->flight[place].to = to;
    }
    size_t record =
        network->recorded_count++ < RECORDED_MAX ? network->recorded_count - 1 : roll(network, RECORDED_MAX);
    network->recorded[record].message.size = 0;
    buffer_append_bytes(&network->recorded[record].message, message);
    network->recorded[record].to = to;
}

/* The text names the sender's life and number; each may be delivered once, and only to the other side. */
static void assert_genuine(struct network *network, int to, struct bytes plain) {
    int from = 3 - to;
    assert_int_equal(plain.size, TEXT_BYTES);
    assert_int_equal(load_u32(plain.data), (uint32_t)from);
    uint32_t life = load_u32(plain.data + 4), number = load_u32(plain.data + 8);
    assert_in_range(life, network->heard_life[to], network->life[from]); /* never back to an earlier one */
    network->heard_life[to] = life;
    assert_true(life < LIVES_MAX && number < STEPS && network->delivered[to][life * STEPS + number] == 0);
    network->delivered[to][life * STEPS + number] = 1;
    network->deliveries++;
}

static void arrive(struct network *network, int to, struct bytes message, bool is_changed, uint64_t now) {
    struct side *side = &network->sides[to];
    enum link_result result = receive(side, message, now);
    if (result == LINK_OPENED) {
        assert_false(is_changed);
        assert_genuine(network, to, side->opened.plain);
    } else if (result != LINK_HEARD) {
        network->refusals++;
    }
    if (is_changed)
        assert_int_not_equal(result, LINK_HEARD);
    if (side->answer.size > 0)
        put(network, buffer_bytes(&side->answer), 3 - to);
}

static void send_something(struct network *network, int from) {
    uint8_t text[TEXT_BYTES], sealed[TEXT_BYTES + LINK_SEALED_OVERHEAD_BYTES];
    uint64_t counter;
    store_u32(text, (uint32_t)from);
    store_u32(text + 4, network->life[from]);
    store_u32(text + 8, network->sent[from]);
    if (link_crypto_seal(network->sides[from].link, bytes_of(text, sizeof(text)), sealed, &counter) != STATUS_OK)
        return;
    network->sent[from]++;
    put(network, bytes_of(sealed, sizeof(sealed)), 3 - from);
}

static void deliver_something(struct network *network, uint64_t now) {
    size_t place = roll(network, FLIGHT_MAX);
    int to = network->flight[place].to;
    if (to == 0)
        return;
    struct buffer message = copy_of(&network->flight[place].message);
    network->flight[place].to = 0;
    bool is_changed = roll(network, 100) < 10;
    if (is_changed)
        message.data[roll(network, (uint32_t)message.size)] ^= (uint8_t)(1u << roll(network, 8));
    arrive(network, to, buffer_bytes(&message), is_changed, now);
    buffer_close(&message);
}

static void replay_something(struct network *network, uint64_t now) {
    size_t count = network->recorded_count < RECORDED_MAX ? network->recorded_count : RECORDED_MAX;
    if (count == 0)
        return;
    size_t record = roll(network, (uint32_t)count);
    struct buffer message = copy_of(&network->recorded[record].message);
    arrive(network, network->recorded[record].to, buffer_bytes(&message), false, now);
    buffer_close(&message);
}

static void restart(struct network *network, int which) {
    struct link_options options = options_of((uint64_t)which);
    side_close(&network->sides[which]);
    options.renew_after_bytes = 20000;
    side_open_with(&network->sides[which], &options);
    network->life[which]++;
    network->sent[which] = 0;
}

static void step(struct network *network, uint64_t now) {
    int side = 1 + (int)roll(network, 2);
    uint32_t what = roll(network, 1000);
    struct buffer hello;
    buffer_init(&hello);
    link_crypto_tick(network->sides[side].link, now, &hello);
    if (hello.size > 0)
        put(network, buffer_bytes(&hello), 3 - side);
    buffer_close(&hello);
    if (what < 400)
        send_something(network, side);
    else if (what < 950)
        deliver_something(network, now);
    else if (what < 999)
        replay_something(network, now);
    else
        restart(network, side);
}

/* Without faults any more, data of both sides come through within a few seconds. */
static void assert_heals(struct network *network, uint64_t now) {
    struct side *a = &network->sides[1], *b = &network->sides[2];
    for (uint64_t end = now + 5000; now < end; now += 50) {
        for (int from = 1; from <= 2; from++) {
            struct side *sender = &network->sides[from], *receiver = &network->sides[3 - from];
            link_crypto_tick(sender->link, now, &sender->answer);
            converse(sender, receiver, now);
            if (link_crypto_session(sender->link) == 0)
                continue;
            struct buffer message = sealed_by(sender, "is anybody there");
            receive(receiver, buffer_bytes(&message), now);
            converse(receiver, sender, now);
            buffer_close(&message);
        }
    }
    assert_delivers(a, b, "to b", now);
    assert_delivers(b, a, "to a", now);
}

static void run_network(uint32_t seed) {
    static struct network network;
    network = (struct network){.chance = seed};
    for (int side = 1; side <= 2; side++) {
        side_open(&network.sides[side], (uint64_t)side);
        network.delivered[side] = calloc(STEPS, LIVES_MAX);
        assert_non_null(network.delivered[side]);
    }
    uint64_t now = 1000;
    for (size_t i = 0; i < STEPS; i++, now += roll(&network, 8))
        step(&network, now);
    print_message("seed %u: %zu delivered, %zu refused, %u lives\n", seed, network.deliveries, network.refusals,
                  network.life[1] + network.life[2] + 2);
    assert_true(network.deliveries > STEPS / 50 && network.refusals > STEPS / 50);
    assert_heals(&network, now + 1000);
    for (int side = 1; side <= 2; side++) {
        side_close(&network.sides[side]);
        free(network.delivered[side]);
    }
    for (size_t i = 0; i < FLIGHT_MAX; i++)
        buffer_close(&network.flight[i].message);
    for (size_t i = 0; i < RECORDED_MAX; i++)
        buffer_close(&network.recorded[i].message);
}

static void nothing_forged_or_replayed_is_ever_delivered_and_the_link_heals(void **state) {
    (void)state;
    for (uint32_t seed = 1; seed <= 8; seed++)
        run_network(seed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_nodes_agree_and_understand_each_other),
        cmocka_unit_test(nothing_is_sealed_before_there_is_a_session),
        cmocka_unit_test(hellos_that_cross_make_one_session),
        cmocka_unit_test(versions_and_ciphers_are_the_best_that_both_have),
        cmocka_unit_test(every_changed_bit_is_refused),
        cmocka_unit_test(every_changed_bit_of_a_hello_is_refused),
        cmocka_unit_test(a_hello_of_a_later_version_may_be_longer),
        cmocka_unit_test(a_stranger_with_our_id_is_refused),
        cmocka_unit_test(messages_between_other_nodes_are_malformed),
        cmocka_unit_test(the_replay_window_takes_each_counter_once),
        cmocka_unit_test(a_restarted_peer_is_recognised_and_its_old_session_refused),
        cmocka_unit_test(a_lost_last_hello_is_made_up_for_by_data),
        cmocka_unit_test(recorded_hellos_change_nothing),
        cmocka_unit_test(hellos_are_sent_until_there_is_a_session_and_after_silence),
        cmocka_unit_test(keys_are_renewed_without_losing_what_is_under_way),
        cmocka_unit_test(a_flood_of_forged_hellos_costs_few_signatures),
        cmocka_unit_test(nothing_forged_or_replayed_is_ever_delivered_and_the_link_heals),
    };
    return cmocka_run_group_tests(tests, make_keys, NULL);
}
