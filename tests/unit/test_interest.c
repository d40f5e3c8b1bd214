/* Who is told of which change: each rule by itself, and all of them over a bad network with nodes that restart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/core/interest.h"
#include "proto/limits.h"
#include "proto/told_change.h"
#include "tests/lib/lossy_network.h"

#define NODES 3
#define THREADS 5
#define USERS 3
#define SUBJECTS (THREADS + USERS) /* threads first */
#define CHANGES_MAX 20000
#define PENDING_MAX 256
#define REPEAT_CHANGES_MAX 4

/* What is in the store of every replica. */
struct subject {
    uint64_t newest; /* a thread's offset, a user's version */
    bool is_overtaken[CHANGES_MAX];
    size_t padding; /* bytes by which its changes are larger */
    uint64_t owner;
    uint64_t epoch;
    bool is_unready; /* the owner has begun an epoch in which it does not lead yet */
    bool is_led_lately;
};

struct pending_repeat {
    struct interest_repeat asked;
    int64_t read_ms, done_ms;
    bool is_read;
    uint64_t newest;
};

/* Of one subject, as a node's sessions know it. */
struct known {
    bool is_listened;
    uint64_t next_offset; /* 0: not known */
    uint64_t version;     /* of a user */
    size_t handed_on, notices, announced, looks;
    unsigned copies;
};

struct node {
    uint64_t id;
    uint64_t start;
    struct interest *interest;
    uint64_t map[SUBJECTS];
    struct known known[SUBJECTS];
    struct pending_repeat repeats[PENDING_MAX];
    size_t repeats_count;
    size_t repeats_asked;
    uint64_t published[SUBJECTS]; /* the store is ahead of what was published */
    int repeat_rc;
};

static struct subject subjects[SUBJECTS];
static struct node nodes[NODES + 1]; /* by id, from 1 */
static struct lossy_network network;
static int64_t now_ms;
static size_t packets_sent[PACKET_CHANGES_SEEN + 1];
static bool is_slow; /* the store, and publishing */

static size_t index_of(const struct id_hash *hash) {
    return hash->bytes[0];
}

static struct id_hash hash_of(size_t subject) {
    return (struct id_hash){{(uint8_t)subject, 1}};
}

/* ---- hooks ---- */

static uint64_t on_primary_of(void *context, const struct id_hash *subject) {
    const struct node *node = context;
    return node->map[index_of(subject)];
}

static bool on_is_primary(void *context, const struct id_hash *subject) {
    const struct node *node = context;
    const struct subject *self = &subjects[index_of(subject)];
    return self->owner == node->id && !self->is_unready;
}

static uint64_t on_epoch_of(void *context, const struct id_hash *subject) {
    (void)context;
    return subjects[index_of(subject)].epoch;
}

static bool on_leads_lately(void *context, const struct id_hash *subject) {
    return on_is_primary(context, subject) && subjects[index_of(subject)].is_led_lately;
}

static void on_send(void *context, uint64_t to, const struct packet *packet) {
    const struct node *node = context;
    assert_int_not_equal(to, node->id);
    packets_sent[packet->kind] += packet->kind != PACKET_CHANGES || packet->link_sequence != 0;
    network_send(&network, node->id, to, packet, now_ms);
}

static void on_hand_on(void *context, const struct change *change, uint64_t from_offset, unsigned copies) {
    struct node *node = context;
    struct known *known = &node->known[index_of(&change->subject)];
    assert_true(known->is_listened);
    known->copies = copies;
    if (change->kind == CHANGE_USER_REVOKED) {
        known->version = change->version > known->version ? change->version : known->version;
        return;
    }
    if (change->offset == 0) {
        known->notices++;
        return;
    }
    /* Once, in order, and nothing left out. */
    if (known->next_offset != 0) {
        assert_true(change->offset >= known->next_offset);
        assert_true(from_offset <= known->next_offset);
    }
    assert_true(change->offset == change->version);
    known->next_offset = change->offset + 1;
    known->handed_on++;
}

static void on_listening(void *context, const struct id_hash *thread, uint64_t next_offset) {
    struct node *node = context;
    struct known *known = &node->known[index_of(thread)];
    known->announced++;
    if (known->next_offset == 0)
        known->next_offset = next_offset;
}

static void on_look_again(void *context, const struct id_hash *user) {
    struct node *node = context;
    node->known[index_of(user)].version = subjects[index_of(user)].newest;
    node->known[index_of(user)].looks++;
}

static void on_repeat(void *context, const struct interest_repeat *repeat) {
    struct node *node = context;
    check(node->repeats_count < PENDING_MAX);
    unsigned delay = is_slow ? chance_below(&network.chance, 300) : 0;
    node->repeats_asked++;
    node->repeats[node->repeats_count++] =
        (struct pending_repeat){.asked = *repeat, .read_ms = now_ms + delay / 2, .done_ms = now_ms + 1 + delay};
}

/* ---- nodes ---- */

static void node_start(uint64_t id) {
    struct node *node = &nodes[id];
    struct interest_hooks hooks = {node,    on_primary_of, on_epoch_of,  on_is_primary, on_leads_lately,
                                   on_send, on_hand_on,    on_listening, on_look_again, on_repeat};
    node->id = id;
    node->start = chance_next(&network.chance) | 1;
    node->interest = interest_new(id, node->start, LIMIT_LINK_UNSEEN_BYTES_MAX, &hooks);
    node->repeats_count = 0;
    for (size_t i = 0; i < SUBJECTS; i++) {
        node->map[i] = subjects[i].owner;
        node->published[i] = subjects[i].newest;
    }
}

static void listen(struct node *node, size_t subject, uint64_t next_offset) {
    struct id_hash hash = hash_of(subject);
    struct known *known = &node->known[subject];
    *known = (struct known){.is_listened = true, .next_offset = next_offset == INTEREST_FROM_NOW ? 0 : next_offset};
    if (subject < THREADS)
        interest_listen(node->interest, &hash, next_offset);
    else
        interest_listen_user(node->interest, &hash);
}

static void unlisten(struct node *node, size_t subject) {
    struct id_hash hash = hash_of(subject);
    node->known[subject].is_listened = false;
    interest_unlisten(node->interest, &hash);
}

/* What its sessions know stays with the clients, who come back. */
static void node_restart(uint64_t id) {
    struct node *node = &nodes[id];
    interest_free(node->interest);
    node_start(id);
    for (size_t i = 0; i < SUBJECTS; i++)
        if (node->known[i].is_listened)
            listen(node, i, node->known[i].next_offset == 0 ? INTEREST_FROM_NOW : node->known[i].next_offset);
}

static void owner_set(size_t subject, uint64_t owner) {
    uint64_t former = subjects[subject].owner;
    if (owner == former)
        return;
    subjects[subject].owner = owner;
    subjects[subject].epoch++;
    for (uint64_t id = 1; id <= NODES; id++)
        if (id == owner || id == former) {
            nodes[id].map[subject] = owner;
            nodes[id].published[subject] = subjects[subject].newest;
            interest_map_changed(nodes[id].interest, now_ms);
        }
}

static void map_learn(uint64_t id) {
    for (size_t i = 0; i < SUBJECTS; i++)
        nodes[id].map[i] = subjects[i].owner;
    interest_map_changed(nodes[id].interest, now_ms);
}

static struct change change_of(size_t subject, uint64_t version, uint8_t *padding) {
    bool is_user = subject >= THREADS;
    return (struct change){.kind = is_user ? CHANGE_USER_REVOKED : CHANGE_MESSAGE_RECEIVED,
                           .subject = hash_of(subject),
                           .offset = is_user ? 77 : version,
                           .version = version,
                           .message.content = bytes_of(padding, subjects[subject].padding)};
}

static uint8_t padding_bytes[LIMIT_LINK_UNSEEN_BYTES_MAX];

static void publish_what_is_stored(size_t subject) {
    struct node *owner = &nodes[subjects[subject].owner];
    while (owner->published[subject] < subjects[subject].newest) {
        struct change change = change_of(subject, ++owner->published[subject], padding_bytes);
        interest_publish(owner->interest, &change, 2);
    }
}

static void store_change(size_t subject) {
    struct subject *self = &subjects[subject];
    check(self->newest + 1 < CHANGES_MAX);
    self->newest++;
    self->is_overtaken[self->newest] = false;
    if (is_slow && self->newest > 1 && chance_below(&network.chance, 3) == 0)
        self->is_overtaken[1 + chance_below(&network.chance, (unsigned)self->newest - 1)] = true;
}

static void change(size_t subject) {
    store_change(subject);
    publish_what_is_stored(subject);
}

static void repeat_finish(struct node *node, struct pending_repeat *pending) {
    size_t subject = index_of(&pending->asked.thread);
    struct change changes[REPEAT_CHANGES_MAX];
    struct interest_repeated repeated = {
        .asked = pending->asked, .rc = node->repeat_rc, .changes = changes, .copies = 1};
    uint64_t offset = pending->asked.from_offset;
    if (offset == INTEREST_FROM_NOW)
        offset = pending->newest + 1;
    for (; offset <= pending->newest && repeated.changes_count < REPEAT_CHANGES_MAX; offset++)
        if (!subjects[subject].is_overtaken[offset])
            changes[repeated.changes_count++] = change_of(subject, offset, padding_bytes);
    repeated.next_offset = offset;
    repeated.is_complete = offset > pending->newest;
    interest_repeated(node->interest, &repeated, now_ms);
}

static void repeats_go_on(struct node *node) {
    for (size_t i = 0; i < node->repeats_count;) {
        struct pending_repeat *pending = &node->repeats[i];
        if (!pending->is_read && pending->read_ms <= now_ms) {
            pending->is_read = true;
            pending->newest = subjects[index_of(&pending->asked.thread)].newest;
        }
        if (pending->done_ms <= now_ms) {
            struct pending_repeat done = *pending;
            node->repeats[i] = node->repeats[--node->repeats_count];
            repeat_finish(node, &done);
        } else {
            i++;
        }
    }
}

static void deliver_due(void) {
    struct flying_packet *flying;
    while ((flying = network_take(&network, now_ms)) != NULL) {
        struct arena arena;
        struct packet packet;
        arena_init(&arena);
        check(packet_decode(buffer_bytes(&flying->encoded), &arena, &packet) == 0);
        interest_on_packet(nodes[flying->to].interest, flying->from, &packet, now_ms);
        arena_close(&arena);
        flying_packet_free(flying);
    }
}

static void pass(int64_t ms) {
    for (int64_t end_ms = now_ms + ms; now_ms < end_ms; now_ms++) {
        deliver_due();
        for (uint64_t id = 1; id <= NODES; id++) {
            repeats_go_on(&nodes[id]);
            if (now_ms % 50 == 0)
                interest_tick(nodes[id].interest, now_ms);
            interest_flush(nodes[id].interest, now_ms);
            interest_done(nodes[id].interest);
        }
    }
}

static int set_up(void **state) {
    (void)state;
    network = (struct lossy_network){.chance = 1, .delay_ms_max = 1};
    memset(subjects, 0, sizeof(subjects));
    memset(nodes, 0, sizeof(nodes));
    memset(packets_sent, 0, sizeof(packets_sent));
    now_ms = 1000;
    is_slow = false;
    for (size_t i = 0; i < SUBJECTS; i++)
        subjects[i].owner = 2;
    for (uint64_t id = 1; id <= NODES; id++)
        node_start(id);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    for (uint64_t id = 1; id <= NODES; id++)
        interest_free(nodes[id].interest);
    network_close(&network);
    return 0;
}

static bool is_up_to_date(const struct node *node, size_t subject) {
    const struct known *known = &node->known[subject];
    if (!known->is_listened)
        return true;
    return subject < THREADS ? known->next_offset == subjects[subject].newest + 1
                             : known->version == subjects[subject].newest;
}

/* ---- each rule ---- */

static void every_listener_is_told_each_change_once(void **state) {
    (void)state;
    for (uint64_t id = 1; id <= NODES; id++)
        listen(&nodes[id], 0, 1);
    pass(20);
    for (unsigned i = 0; i < 5; i++) {
        change(0);
        change(1); /* nobody listens */
        pass(5);
    }
    for (uint64_t id = 1; id <= NODES; id++) {
        assert_int_equal(nodes[id].known[0].handed_on, 5);
        assert_int_equal(nodes[id].known[0].announced, 1);
        assert_int_equal(nodes[id].known[0].copies, 2);
    }
    assert_int_equal(interest_statistics(nodes[2].interest).watched, 1);
    assert_int_equal(interest_statistics(nodes[1].interest).unsettled, 0);
}

static void changes_of_one_step_go_in_one_packet_per_node(void **state) {
    (void)state;
    for (uint64_t id = 1; id <= NODES; id++)
        for (size_t i = 0; i < SUBJECTS; i++)
            listen(&nodes[id], i, 1);
    pass(20);
    packets_sent[PACKET_CHANGES] = 0;
    for (unsigned i = 0; i < 10; i++)
        for (size_t subject = 0; subject < SUBJECTS; subject++)
            change(subject);
    pass(20);
    assert_int_equal(packets_sent[PACKET_CHANGES], NODES - 1);
    for (uint64_t id = 1; id <= NODES; id++)
        for (size_t i = 0; i < SUBJECTS; i++)
            assert_true(is_up_to_date(&nodes[id], i));
}

static void large_changes_are_spread_over_packets(void **state) {
    (void)state;
    listen(&nodes[1], 0, 1);
    pass(20);
    packets_sent[PACKET_CHANGES] = 0;
    subjects[0].padding = INTEREST_PACKET_BYTES / 2 - 200;
    for (unsigned i = 0; i < 6; i++)
        change(0);
    pass(20);
    assert_int_equal(packets_sent[PACKET_CHANGES], 3);
    assert_int_equal(nodes[1].known[0].handed_on, 6);
}

static void who_is_behind_is_told_from_the_store_before_what_is_new(void **state) {
    (void)state;
    for (uint64_t id = 1; id <= 2; id++) { /* another node, and the owner itself */
        for (unsigned i = 0; i < 10; i++)
            change(0);
        is_slow = true; /* the store takes its time, and changes go on */
        listen(&nodes[id], 0, 3);
        for (unsigned i = 0; i < 10; i++) {
            pass(30);
            change(0);
        }
        pass(1000);
        is_slow = false;
        assert_int_equal(nodes[id].known[0].next_offset, subjects[0].newest + 1);
    }
    assert_true(nodes[2].repeats_asked > 2);
}

static void from_now_on_is_from_the_newest_on(void **state) {
    (void)state;
    for (unsigned i = 0; i < 10; i++)
        change(0);
    for (uint64_t id = 1; id <= 2; id++) {
        listen(&nodes[id], 0, INTEREST_FROM_NOW);
        pass(20);
        assert_int_equal(nodes[id].known[0].announced, 1);
        assert_int_equal(nodes[id].known[0].next_offset, 11);
        assert_int_equal(nodes[id].known[0].handed_on, 0);
    }
    change(0);
    pass(20);
    assert_int_equal(nodes[1].known[0].handed_on, 1);
    assert_int_equal(nodes[2].known[0].handed_on, 1);
}

static void interest_is_renewed_and_runs_out_without(void **state) {
    (void)state;
    listen(&nodes[1], 0, 1);
    listen(&nodes[2], 1, 1);
    pass(INTEREST_RENEW_MS - 100);
    assert_int_equal(packets_sent[PACKET_LISTEN], 1);
    pass(300);
    assert_int_equal(packets_sent[PACKET_LISTEN], 2);
    assert_int_equal(interest_statistics(nodes[2].interest).watched, 2);
    network.lost_percent = 100;
    pass(INTEREST_EXPIRES_MS - 1000);
    assert_int_equal(interest_statistics(nodes[2].interest).watched, 2);
    change(0);
    pass(2000);
    assert_int_equal(interest_statistics(nodes[2].interest).watched, 1);
    pass(INTEREST_MOVING_MS);
    assert_int_equal(interest_statistics(nodes[2].interest).links_bytes, 0);
    change(0);
    network.lost_percent = 0;
    pass(1000);
    assert_true(is_up_to_date(&nodes[1], 0));
}

static void a_listen_that_is_lost_is_said_again(void **state) {
    (void)state;
    network.lost_percent = 100;
    listen(&nodes[1], 0, 1);
    pass(INTEREST_RETRY_MS * 3);
    assert_int_equal(packets_sent[PACKET_LISTEN], 3);
    change(0);
    network.lost_percent = 0;
    pass(INTEREST_RETRY_MS + 50);
    assert_true(is_up_to_date(&nodes[1], 0));
    assert_int_equal(nodes[1].known[0].announced, 1);
}

static void who_is_not_the_primary_takes_no_listeners(void **state) {
    (void)state;
    for (uint64_t id = 1; id <= NODES; id++)
        nodes[id].map[0] = 3;
    listen(&nodes[1], 0, 1);
    listen(&nodes[3], 0, 1);
    pass(3000);
    assert_int_equal(nodes[1].known[0].announced + nodes[3].known[0].announced, 0);
    assert_int_equal(interest_statistics(nodes[3].interest).watched, 0);
    change(0);
    owner_set(0, 3);
    pass(INTEREST_RETRY_MS + 50);
    assert_true(is_up_to_date(&nodes[1], 0));
    assert_true(is_up_to_date(&nodes[3], 0));
}

static void a_new_primary_is_listened_to_at_once(void **state) {
    static const uint64_t owners[] = {3, 1, 2, 1, 3, 2};
    (void)state;
    for (uint64_t id = 1; id <= NODES; id++)
        listen(&nodes[id], 0, 1);
    pass(20);
    for (size_t i = 0; i < sizeof(owners) / sizeof(owners[0]); i++) {
        store_change(0); /* the old primary did not get round to telling it */
        owner_set(0, owners[i]);
        for (uint64_t id = 1; id <= NODES; id++)
            map_learn(id);
        pass(10);
        change(0);
        pass(10);
        for (uint64_t id = 1; id <= NODES; id++)
            assert_int_equal(nodes[id].known[0].next_offset, subjects[0].newest + 1);
    }
}

/* The map names it already, to the others and to itself; it becomes ready to lead later. */
static void who_is_to_lead_tells_its_listeners_as_soon_as_it_does(void **state) {
    (void)state;
    for (uint64_t id = 1; id <= NODES; id++)
        listen(&nodes[id], 0, 1);
    pass(20);
    subjects[0].owner = 0;
    for (uint64_t id = 1; id <= NODES; id++) {
        nodes[id].map[0] = 3;
        interest_map_changed(nodes[id].interest, now_ms);
    }
    pass(INTEREST_RETRY_MS / 2);
    store_change(0);
    subjects[0].owner = 3;
    interest_map_changed(nodes[3].interest, now_ms);
    pass(10);
    for (uint64_t id = 1; id <= NODES; id++)
        assert_true(is_up_to_date(&nodes[id], 0));
    assert_int_equal(interest_statistics(nodes[1].interest).unsettled, 0);
}

static void what_waits_for_who_is_to_lead_is_taken_in_its_order(void **state) {
    (void)state;
    for (unsigned is_listening = 0; is_listening <= 1; is_listening++) {
        subjects[0].owner = 2;
        nodes[1].map[0] = 3;
        listen(&nodes[1], 0, 1);
        pass(10);
        unlisten(&nodes[1], 0);
        pass(10);
        if (is_listening)
            listen(&nodes[1], 0, 1);
        pass(10);
        owner_set(0, 3);
        assert_int_equal(interest_statistics(nodes[3].interest).watched, is_listening);
    }
}

static void a_listen_does_not_wait_for_ever(void **state) {
    (void)state;
    nodes[1].map[0] = 3;
    listen(&nodes[1], 0, 1);
    pass(20);
    network.lost_percent = 100;
    pass(INTEREST_RETRY_MS + 50);
    owner_set(0, 3);
    assert_int_equal(interest_statistics(nodes[3].interest).watched, 0);
}

static void what_an_earlier_life_said_does_not_wait(void **state) {
    (void)state;
    nodes[1].map[0] = 3;
    listen(&nodes[1], 0, 1);
    pass(20);
    unlisten(&nodes[1], 0);
    node_restart(1);
    listen(&nodes[1], 1, 1);
    nodes[1].map[1] = 3;
    pass(20);
    owner_set(0, 3);
    assert_int_equal(interest_statistics(nodes[3].interest).watched, 0);
    owner_set(1, 3);
    assert_int_equal(interest_statistics(nodes[3].interest).watched, 1);
}

static void what_is_lost_is_sent_again_and_handed_on_once(void **state) {
    (void)state;
    listen(&nodes[1], 0, 1);
    pass(20);
    network.lost_percent = 100;
    change(0);
    pass(100);
    network.lost_percent = 0;
    network.doubled_percent = 100;
    change(0); /* comes before what was lost */
    pass(INTEREST_RESEND_MS + 200);
    assert_int_equal(nodes[1].known[0].handed_on, 2);
    assert_int_equal(nodes[2].repeats_asked, 1); /* when the interest began */
    assert_int_equal(interest_statistics(nodes[2].interest).links_bytes, 0);
}

static void an_owner_that_restarts_is_listened_to_again(void **state) {
    (void)state;
    listen(&nodes[1], 0, 1);
    listen(&nodes[1], 1, 1);
    listen(&nodes[1], THREADS, 0);
    pass(20);
    change(0);
    pass(20);
    node_restart(2);
    change(0);
    pass(INTEREST_RENEW_MS);
    assert_true(is_up_to_date(&nodes[1], 0));
    assert_int_equal(nodes[1].known[THREADS].looks, 2);
}

static void the_first_word_of_an_owner_that_has_restarted_is_enough(void **state) {
    (void)state;
    listen(&nodes[1], 0, 1);
    listen(&nodes[1], THREADS, 0);
    pass(20);
    change(0);
    pass(5000);
    node_restart(2);
    listen(&nodes[1], 1, 1);
    change(0);
    change(THREADS);
    pass(10);
    change(1);
    pass(50);
    assert_true(is_up_to_date(&nodes[1], 0));
    assert_true(is_up_to_date(&nodes[1], THREADS));
}

static void a_listener_that_restarts_begins_where_its_clients_are(void **state) {
    (void)state;
    listen(&nodes[1], 0, 1);
    pass(20);
    change(0);
    pass(20);
    network.lost_percent = 100;
    change(0);
    pass(20);
    network.lost_percent = 0;
    node_restart(1);
    pass(50);
    assert_true(is_up_to_date(&nodes[1], 0));
    change(0);
    pass(50);
    assert_true(is_up_to_date(&nodes[1], 0));
}

static void a_node_that_does_not_keep_up_is_told_from_the_store_later(void **state) {
    (void)state;
    listen(&nodes[1], 0, 1);
    listen(&nodes[3], 0, 1);
    listen(&nodes[1], THREADS, 0);
    subjects[0].padding = 10000;
    pass(20);
    nodes[1].known[THREADS].looks = 0;
    network.lost_percent = 100;
    for (unsigned i = 0; i < 300; i++)
        change(0);
    change(THREADS);
    change(THREADS);
    struct typing_notice typing = {.time_ms = 1};
    struct change notice = {.kind = CHANGE_TYPING, .subject = hash_of(0), .typing = &typing, .typing_count = 1};
    interest_publish(nodes[2].interest, &notice, 0);
    pass(20);
    size_t bytes = interest_statistics(nodes[2].interest).links_bytes;
    assert_in_range(bytes, 2 * LIMIT_LINK_UNSEEN_BYTES_MAX, 2 * LIMIT_LINK_UNSEEN_BYTES_MAX + 50000);
    network.lost_percent = 0;
    pass(5000);
    assert_int_equal(nodes[1].known[0].next_offset, 301);
    assert_int_equal(nodes[3].known[0].next_offset, 301);
    assert_int_equal(nodes[1].known[0].notices, 0);
    assert_int_equal(nodes[1].known[THREADS].looks, 1);
    assert_true(is_up_to_date(&nodes[1], THREADS));
    assert_int_equal(interest_statistics(nodes[2].interest).links_bytes, 0);
}

static void a_user_is_looked_at_whenever_something_may_be_missing(void **state) {
    (void)state;
    listen(&nodes[1], THREADS, 0);
    listen(&nodes[2], THREADS, 0);
    pass(20);
    assert_int_equal(nodes[1].known[THREADS].looks, 1);
    assert_int_equal(nodes[2].known[THREADS].looks, 1);
    change(THREADS);
    pass(20);
    assert_true(is_up_to_date(&nodes[1], THREADS));
    assert_true(is_up_to_date(&nodes[2], THREADS));
    assert_int_equal(nodes[1].known[THREADS].looks, 1);
    store_change(THREADS);
    owner_set(THREADS, 3);
    map_learn(1);
    pass(20);
    assert_int_equal(nodes[1].known[THREADS].looks, 2);
    assert_int_equal(nodes[2].known[THREADS].looks, 2);
    pass(2 * INTEREST_RENEW_MS); /* renewing finds nothing missing */
    assert_int_equal(nodes[1].known[THREADS].looks, 2);
    network.lost_percent = 100;
    pass(INTEREST_EXPIRES_MS);
    change(THREADS);
    network.lost_percent = 0;
    pass(INTEREST_RENEW_MS);
    assert_true(is_up_to_date(&nodes[1], THREADS));
    assert_int_equal(nodes[1].known[THREADS].looks, 3);
}

static void notice_publish(uint64_t node) {
    struct typing_notice typing = {.time_ms = 1};
    struct change notice = {.kind = CHANGE_TYPING, .subject = hash_of(0), .typing = &typing, .typing_count = 1};
    interest_publish(nodes[node].interest, &notice, 0);
}

static void notices_are_passed_on(void **state) {
    (void)state;
    listen(&nodes[1], 0, 1);
    listen(&nodes[2], 0, 1);
    pass(20);
    notice_publish(2);
    pass(20);
    assert_int_equal(nodes[1].known[0].notices, 1);
    assert_int_equal(nodes[2].known[0].notices, 1);
}

static void a_new_primary_keeps_notices_for_those_who_do_not_know_of_it_yet(void **state) {
    (void)state;
    for (uint64_t id = 1; id <= NODES; id++)
        listen(&nodes[id], 0, 1);
    pass(20);
    owner_set(0, 3);
    subjects[0].is_led_lately = true;
    notice_publish(3);
    pass(INTEREST_RETRY_MS);
    notice_publish(3);
    pass(20);
    assert_int_equal(nodes[1].known[0].notices, 0);
    assert_int_equal(nodes[2].known[0].notices, 2);
    assert_int_equal(nodes[3].known[0].notices, 2);
    map_learn(1);
    pass(20);
    notice_publish(3);
    pass(2 * INTEREST_RENEW_MS); /* whoever is registered has had them */
    for (uint64_t id = 1; id <= NODES; id++)
        assert_int_equal(nodes[id].known[0].notices, 3);
}

static void notices_are_kept_for_nobody_once_all_know_the_primary(void **state) {
    (void)state;
    listen(&nodes[1], 0, 1);
    pass(20);
    owner_set(0, 3);
    notice_publish(3);
    subjects[0].is_led_lately = true;
    notice_publish(3);
    subjects[0].is_led_lately = false;
    pass(100);
    map_learn(1);
    pass(20);
    assert_int_equal(nodes[1].known[0].notices, 0);
}

static void who_begins_to_listen_has_no_part_in_notices_of_before(void **state) {
    (void)state;
    listen(&nodes[1], 0, 1);
    pass(20);
    subjects[0].is_led_lately = true;
    notice_publish(2);
    pass(20);
    listen(&nodes[2], 0, 1);
    listen(&nodes[3], 0, 1);
    pass(20);
    assert_int_equal(nodes[1].known[0].notices, 1);
    assert_int_equal(nodes[2].known[0].notices, 0);
    assert_int_equal(nodes[3].known[0].notices, 0);
}

static void notices_that_are_kept_are_bounded(void **state) {
    (void)state;
    static uint8_t name[100000];
    struct typing_notice typing = {.display_name = bytes_of(name, sizeof(name)), .time_ms = 1};
    struct change notice = {.kind = CHANGE_TYPING, .typing = &typing, .typing_count = 1};
    for (size_t thread = 0; thread < 2; thread++) {
        owner_set(thread, 3);
        listen(&nodes[2], thread, 1);
    }
    pass(20);
    for (size_t thread = 0; thread < 2; thread++) {
        owner_set(thread, 2);
        subjects[thread].is_led_lately = true;
    }
    for (size_t i = 0; i < 20; i++) {
        notice.subject = hash_of(0);
        interest_publish(nodes[2].interest, &notice, 0);
    }
    for (size_t i = 0; i < LIMIT_PASSED_BYTES_MAX / sizeof(name) - 10; i++) {
        notice.subject = hash_of(1);
        interest_publish(nodes[2].interest, &notice, 0);
    }
    pass(20);
    assert_int_equal(nodes[2].known[0].notices, 0); /* the oldest thread made room */
    assert_int_equal(nodes[2].known[1].notices, LIMIT_PASSED_BYTES_MAX / sizeof(name) - 10);
}

static void what_was_told_before_the_last_range_went_still_arrives(void **state) {
    (void)state;
    listen(&nodes[1], 0, 1);
    pass(20);
    network.lost_percent = 100;
    notice_publish(2);
    pass(20);
    owner_set(0, 3);
    map_learn(1);
    network.lost_percent = 0;
    assert_false(interest_has_told_all(nodes[2].interest, now_ms));
    pass(1000);
    assert_int_equal(nodes[1].known[0].notices, 1);
    assert_true(interest_has_told_all(nodes[2].interest, now_ms));
}

static void nobody_waits_for_a_node_that_is_silent(void **state) {
    (void)state;
    listen(&nodes[1], 0, 1);
    pass(20);
    network.lost_percent = 100;
    notice_publish(2);
    pass(2000);
    assert_true(interest_has_told_all(nodes[2].interest, now_ms));
}

/* As it is when a range is split, or led anew after the disk has failed. */
static void who_listens_to_a_primary_that_begins_another_epoch_need_not_say_so_again(void **state) {
    (void)state;
    for (uint64_t id = 1; id <= 2; id++) {
        listen(&nodes[id], 0, 1);
        listen(&nodes[id], THREADS, 0);
    }
    pass(20);
    for (size_t i = 0; i < SUBJECTS; i++) {
        subjects[i].epoch++;
        subjects[i].is_unready = true;
    }
    interest_map_changed(nodes[2].interest, now_ms);
    store_change(0); /* perhaps another led meanwhile */
    store_change(THREADS);
    nodes[2].published[0]++;
    nodes[2].published[THREADS]++;
    pass(20);
    for (size_t i = 0; i < SUBJECTS; i++)
        subjects[i].is_unready = false;
    interest_map_changed(nodes[2].interest, now_ms);
    notice_publish(2);
    change(0);
    pass(20);
    for (uint64_t id = 1; id <= 2; id++) {
        assert_int_equal(nodes[id].known[0].notices, 1);
        assert_true(is_up_to_date(&nodes[id], 0));
        assert_true(is_up_to_date(&nodes[id], THREADS));
    }
}

static void notices_are_passed_on_while_changes_are_missing(void **state) {
    struct typing_notice typing = {.time_ms = 1};
    struct change notice = {.kind = CHANGE_TYPING, .subject = hash_of(0), .typing = &typing, .typing_count = 1};
    (void)state;
    for (uint64_t id = 1; id <= 2; id++) {
        for (unsigned i = 0; i < 10; i++)
            change(0);
        is_slow = true;
        listen(&nodes[id], 0, 1);
        for (unsigned i = 1; i <= 10; i++) {
            pass(10);
            interest_publish(nodes[2].interest, &notice, 0);
            pass(3);
            assert_int_equal(nodes[id].known[0].notices, i);
        }
        pass(2000);
        assert_int_equal(nodes[id].known[0].notices, 10);
        assert_true(is_up_to_date(&nodes[id], 0));
        unlisten(&nodes[id], 0);
        is_slow = false;
    }
}

static void who_does_not_listen_any_more_is_not_told(void **state) {
    (void)state;
    listen(&nodes[1], 0, 1);
    listen(&nodes[2], 0, 1);
    pass(20);
    change(0);
    unlisten(&nodes[1], 0);
    unlisten(&nodes[2], 0);
    pass(20);
    assert_int_equal(interest_statistics(nodes[2].interest).watched, 0);
    assert_int_equal(interest_statistics(nodes[1].interest).listened, 0);
    change(0);
    pass(20);
    listen(&nodes[1], 0, 2); /* and again, before that has been said */
    unlisten(&nodes[1], 0);
    listen(&nodes[1], 0, 1);
    pass(20);
    assert_int_equal(nodes[1].known[0].handed_on, 2);
}

static void a_store_that_fails_is_asked_again(void **state) {
    (void)state;
    change(0);
    nodes[2].repeat_rc = -1;
    listen(&nodes[1], 0, 1);
    listen(&nodes[2], 0, 1);
    pass(3000);
    assert_in_range(nodes[2].repeats_asked, 2, 10);
    assert_int_equal(nodes[2].known[0].handed_on, 0);
    nodes[2].repeat_rc = 0;
    pass(INTEREST_RENEW_MS);
    assert_true(is_up_to_date(&nodes[1], 0));
    assert_true(is_up_to_date(&nodes[2], 0));
}

/* As a link that lost something without knowing would do it. */
static void changes_come(uint64_t from, uint64_t to, uint64_t sequence, size_t thread, uint64_t offset) {
    struct change change = change_of(thread, offset, padding_bytes);
    struct buffer inner = {0}, outer = {0};
    change_encode(&change, &inner);
    struct told_change told = {
        .subject = hash_of(thread), .from_offset = offset, .next_offset = offset + 1, .change = buffer_bytes(&inner)};
    told_change_encode(&told, &outer);
    struct packet_change item = {buffer_bytes(&outer)};
    struct packet packet = {.kind = PACKET_CHANGES,
                            .asker_start = nodes[to].start,
                            .answerer_start = nodes[from].start,
                            .link_sequence = sequence,
                            .link = 1,
                            .changes = &item,
                            .changes_count = 1};
    interest_on_packet(nodes[to].interest, from, &packet, now_ms);
    buffer_close(&inner);
    buffer_close(&outer);
}

static void a_jump_in_a_thread_is_asked_for(void **state) {
    (void)state;
    listen(&nodes[1], 0, 1);
    pass(20);
    for (unsigned i = 0; i < 5; i++)
        store_change(0);
    packets_sent[PACKET_LISTEN] = 0;
    changes_come(3, 1, 1, 0, 5);
    changes_come(3, 1, 2, 0, 5); /* asking once is enough */
    pass(20);
    assert_int_equal(nodes[1].known[0].handed_on, 0);
    assert_int_equal(packets_sent[PACKET_LISTEN], 1);
    publish_what_is_stored(0);
    pass(20);
    assert_int_equal(nodes[1].known[0].handed_on, 5);
}

static void a_primary_that_was_another_meanwhile_counts_as_new(void **state) {
    (void)state;
    listen(&nodes[1], THREADS, 0);
    listen(&nodes[1], 0, 1);
    pass(20);
    owner_set(THREADS, 3);
    owner_set(0, 3);
    change(THREADS);
    change(0);
    owner_set(THREADS, 2); /* the listener has noticed nothing */
    owner_set(0, 2);
    pass(INTEREST_RENEW_MS + 100);
    assert_true(is_up_to_date(&nodes[1], THREADS));
    assert_true(is_up_to_date(&nodes[1], 0));
}

static void primaries_that_look_alike_are_told_apart(void **state) {
    (void)state;
    chance_next(&network.chance);
    uint64_t chance = network.chance;
    node_restart(2);
    network.chance = chance;
    node_restart(3);
    assert_true(nodes[2].start == nodes[3].start);
    listen(&nodes[1], THREADS, 0);
    pass(20);
    store_change(THREADS);
    owner_set(THREADS, 3);
    map_learn(1);
    pass(20);
    assert_true(is_up_to_date(&nodes[1], THREADS));
}

static void what_an_earlier_life_listened_to_is_forgotten(void **state) {
    (void)state;
    listen(&nodes[1], 0, 1);
    listen(&nodes[1], 1, 1);
    struct packet_listener late[] = {{.thread = hash_of(2), .next_offset = 1}};
    struct packet packet = {
        .kind = PACKET_LISTEN, .asker_start = nodes[1].start, .listening = 99, .listeners = late, .listeners_count = 1};
    pass(20);
    nodes[1].known[1].is_listened = false;
    node_restart(1);
    pass(20);
    assert_int_equal(interest_statistics(nodes[2].interest).watched, 1);
    interest_on_packet(nodes[2].interest, 1, &packet, now_ms); /* from that life, late */
    assert_int_equal(interest_statistics(nodes[2].interest).watched, 1);
    change(0);
    pass(20);
    assert_true(is_up_to_date(&nodes[1], 0));
}

/* An owner that knows neither life takes the one that comes later for the newer. */
static void an_earlier_life_does_not_keep_a_listener_out(void **state) {
    (void)state;
    struct packet_listener late[] = {{.thread = hash_of(2), .next_offset = 1}};
    struct packet packet = {
        .kind = PACKET_LISTEN, .asker_start = nodes[1].start, .listening = 99, .listeners = late, .listeners_count = 1};
    node_restart(1);
    listen(&nodes[1], 0, 1);
    pass(20);
    interest_on_packet(nodes[2].interest, 1, &packet, now_ms);
    change(0);
    pass(2 * INTEREST_RENEW_MS);
    change(0);
    pass(20);
    assert_true(is_up_to_date(&nodes[1], 0));
    assert_int_equal(interest_statistics(nodes[2].interest).watched, 1);
}

static void a_listen_that_was_overtaken_is_ignored(void **state) {
    struct packet_listener leaving[] = {{.thread = hash_of(0)}};
    struct packet packet = {.kind = PACKET_LISTEN,
                            .asker_start = nodes[1].start,
                            .listening = 1,
                            .listeners = leaving,
                            .listeners_count = 1};
    (void)state;
    listen(&nodes[1], 0, 1);
    pass(20);
    interest_on_packet(nodes[2].interest, 1, &packet, now_ms);
    assert_int_equal(interest_statistics(nodes[2].interest).watched, 1);
}

static void more_threads_than_a_packet_takes_are_listened_to(void **state) {
    (void)state;
    for (unsigned i = 0; i < 2500; i++) {
        struct id_hash hash = {{0, 2, (uint8_t)(i >> 8), (uint8_t)i}};
        interest_listen(nodes[1].interest, &hash, 1);
    }
    pass(100);
    assert_int_equal(packets_sent[PACKET_LISTEN], 3);
    assert_int_equal(interest_statistics(nodes[1].interest).unsettled, 0);
    assert_int_equal(interest_statistics(nodes[2].interest).watched, 2500);
}

static void nonsense_is_ignored(void **state) {
    struct packet_change changes[] = {{BYTES_LITERAL("x")}, {BYTES_ABSENT}};
    struct packet_listener listeners[] = {{.thread = {{9}}, .next_offset = 1}};
    struct packet packets[] = {
        {.kind = PACKET_LISTEN, .listeners = listeners, .listeners_count = 1},
        {.kind = PACKET_CHANGES, .link_sequence = 1, .link = 2},
        {.kind = PACKET_CHANGES, .link_sequence = 1},
        {.kind = PACKET_CHANGES, .link_sequence = UINT64_MAX, .link = 1},
        {.kind = PACKET_CHANGES, .link_sequence = 1, .link = 1, .changes = changes, .changes_count = 2},
        {.kind = PACKET_CHANGES, .listening = 1, .listeners = listeners, .listeners_count = 1},
        {.kind = PACKET_CHANGES_SEEN, .link_sequence = UINT64_MAX},
    };
    (void)state;
    listen(&nodes[1], 0, 1);
    pass(20);
    for (size_t i = 0; i < sizeof(packets) / sizeof(packets[0]); i++) {
        packets[i].answerer_start = 5;
        if (packets[i].kind != PACKET_LISTEN)
            packets[i].asker_start = nodes[1].start;
        interest_on_packet(nodes[1].interest, 3, &packets[i], now_ms);
    }
    pass(20);
    assert_int_equal(interest_statistics(nodes[1].interest).unsettled, 0);
    change(0);
    pass(20);
    assert_true(is_up_to_date(&nodes[1], 0));
}

/* ---- all together ---- */

static void publish_late(void) {
    for (size_t i = 0; i < SUBJECTS; i++)
        if (chance_below(&network.chance, 2) == 0)
            publish_what_is_stored(i);
}

static void trouble_by_chance(void) {
    uint64_t id = 1 + chance_below(&network.chance, NODES);
    size_t subject = chance_below(&network.chance, SUBJECTS);
    struct known *known = &nodes[id].known[subject];
    switch (chance_below(&network.chance, 10)) {
    case 0:
        node_restart(id);
        break;
    case 1:
    case 2:
        owner_set(subject, id);
        break;
    case 3:
    case 4:
        map_learn(id);
        break;
    case 5:
        network.lost_percent = chance_below(&network.chance, 2) == 0 ? 15 : 60;
        break;
    case 6:
        subjects[subject].padding = chance_below(&network.chance, 2) == 0 ? 0 : 28000;
        break;
    case 7:
        if (known->is_listened)
            unlisten(&nodes[id], subject);
        break;
    default:
        if (!known->is_listened)
            listen(&nodes[id], subject,
                   chance_below(&network.chance, 2) == 0
                       ? INTEREST_FROM_NOW
                       : 1 + chance_below(&network.chance, (unsigned)subjects[subject].newest + 1));
    }
}

static uint64_t seed_of_run;

static void all_are_up_to_date(void) {
    for (uint64_t id = 1; id <= NODES; id++)
        for (size_t i = 0; i < SUBJECTS; i++) {
            if (!is_up_to_date(&nodes[id], i))
                print_message("seed %d, node %d, subject %zu\n", (int)seed_of_run, (int)id, i);
            assert_true(is_up_to_date(&nodes[id], i));
        }
}

static void changes_by_chance(unsigned rounds, bool is_troubled) {
    for (unsigned round = 0; round < rounds; round++) {
        for (unsigned i = chance_below(&network.chance, 8); i > 0; i--)
            store_change(chance_below(&network.chance, SUBJECTS));
        publish_late();
        if (is_troubled && chance_below(&network.chance, 3) == 0)
            trouble_by_chance();
        pass(chance_below(&network.chance, 100));
    }
    for (size_t i = 0; i < SUBJECTS; i++)
        publish_what_is_stored(i);
}

static void seed_run(uint64_t seed) {
    network = (struct lossy_network){.chance = seed, .lost_percent = 15, .doubled_percent = 15, .delay_ms_max = 40};
    seed_of_run = seed;
    is_slow = true;
    for (uint64_t id = 1; id <= NODES; id++)
        for (size_t i = 0; i < SUBJECTS; i++)
            listen(&nodes[id], i, 1);
    changes_by_chance(150, true);
    network.lost_percent = 15;
    for (uint64_t id = 1; id <= NODES; id++)
        map_learn(id);
    pass(INTEREST_RENEW_MS + 5000);
    all_are_up_to_date();
    /* Where nothing but packets is lost, nobody waits for a renewal. */
    changes_by_chance(50, false);
    pass(4000);
    all_are_up_to_date();
}

static void over_a_bad_network_every_listener_gets_every_change_once_and_in_order(void **state) {
    for (uint64_t seed = 1; seed <= 30; seed++) {
        seed_run(seed * 4711);
        tear_down(state);
        set_up(state);
    }
}

int main(void) {
#define NETWORKED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        NETWORKED(every_listener_is_told_each_change_once),
        NETWORKED(changes_of_one_step_go_in_one_packet_per_node),
        NETWORKED(large_changes_are_spread_over_packets),
        NETWORKED(who_is_behind_is_told_from_the_store_before_what_is_new),
        NETWORKED(from_now_on_is_from_the_newest_on),
        NETWORKED(interest_is_renewed_and_runs_out_without),
        NETWORKED(a_listen_that_is_lost_is_said_again),
        NETWORKED(who_is_not_the_primary_takes_no_listeners),
        NETWORKED(a_new_primary_is_listened_to_at_once),
        NETWORKED(who_is_to_lead_tells_its_listeners_as_soon_as_it_does),
        NETWORKED(what_waits_for_who_is_to_lead_is_taken_in_its_order),
        NETWORKED(a_listen_does_not_wait_for_ever),
        NETWORKED(what_an_earlier_life_said_does_not_wait),
        NETWORKED(what_is_lost_is_sent_again_and_handed_on_once),
        NETWORKED(an_owner_that_restarts_is_listened_to_again),
        NETWORKED(the_first_word_of_an_owner_that_has_restarted_is_enough),
        NETWORKED(a_listener_that_restarts_begins_where_its_clients_are),
        NETWORKED(a_node_that_does_not_keep_up_is_told_from_the_store_later),
        NETWORKED(a_user_is_looked_at_whenever_something_may_be_missing),
        NETWORKED(notices_are_passed_on),
        NETWORKED(a_new_primary_keeps_notices_for_those_who_do_not_know_of_it_yet),
        NETWORKED(notices_are_kept_for_nobody_once_all_know_the_primary),
        NETWORKED(who_begins_to_listen_has_no_part_in_notices_of_before),
        NETWORKED(notices_that_are_kept_are_bounded),
        NETWORKED(what_was_told_before_the_last_range_went_still_arrives),
        NETWORKED(nobody_waits_for_a_node_that_is_silent),
        NETWORKED(who_listens_to_a_primary_that_begins_another_epoch_need_not_say_so_again),
        NETWORKED(notices_are_passed_on_while_changes_are_missing),
        NETWORKED(who_does_not_listen_any_more_is_not_told),
        NETWORKED(a_store_that_fails_is_asked_again),
        NETWORKED(a_jump_in_a_thread_is_asked_for),
        NETWORKED(a_primary_that_was_another_meanwhile_counts_as_new),
        NETWORKED(primaries_that_look_alike_are_told_apart),
        NETWORKED(what_an_earlier_life_listened_to_is_forgotten),
        NETWORKED(an_earlier_life_does_not_keep_a_listener_out),
        NETWORKED(a_listen_that_was_overtaken_is_ignored),
        NETWORKED(more_threads_than_a_packet_takes_are_listened_to),
        NETWORKED(nonsense_is_ignored),
        NETWORKED(over_a_bad_network_every_listener_gets_every_change_once_and_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
