/* A process at one end of a link, or in the middle of one, for peer_links.mjs.
 *
 * peer-links-driver peer self=1 peer=2 listen=PORT dial=PORT count=N bytes=N window=N state=FILE [send_buffer=N]
 * [receive_buffer=N]: sends `count` packets of up to `bytes` to the other end until it has acknowledged each, and takes
 * its packets in order; how far it got is in FILE, which survives the process. Ends by SIGTERM with status 0; a packet
 * that nobody sent: status 3.
 *
 * peer-links-driver middle listen=PORT dial=PORT listen_back=PORT dial_back=PORT seed=N: carries messages, most of the
 * time; loses, repeats, reorders, changes, cuts, forges and replays some.
 *
 * Prints one line of JSON ten times a second. */
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "node/peer/big_endian.h"
#include "node/peer/datagram.h"
#include "node/peer/peer_links.h"
#include "proto/check.h"
#include "proto/status.h"

#define TICK_MS 5
#define PRINT_MS 100
#define RESEND_MS 200
#define WINDOW_MIN 32
#define CONTENT_HEAD_BYTES 16
#define PACKET_BYTES_MAX 65536

static const char *argument(int count, char **arguments, const char *name) {
    size_t size = strlen(name);
    for (int i = 2; i < count; i++)
        if (strncmp(arguments[i], name, size) == 0 && arguments[i][size] == '=')
            return arguments[i] + size + 1;
    return "";
}

static uint64_t number(int count, char **arguments, const char *name) {
    return strtoull(argument(count, arguments, name), NULL, 10);
}

static void address_of(char address[32], uint64_t port) {
    snprintf(address, 32, "127.0.0.1:%" PRIu64, port);
}

/* ---- one end ---- */

struct end {
    uv_loop_t loop;
    uv_timer_t ticker;
    uv_check_t check;
    uv_signal_t on_term;
    struct peer_links *links;
    uint64_t self, peer;
    uint64_t count, bytes, window, window_max;
    uint64_t *received; /* in the state file: packets taken in order */
    uint64_t acknowledged, sent;
    uint64_t resends, downs;
    uint64_t moved_ms, printed_ms, rewound_ms;
    bool owes_acknowledgement;
};

static void identity_of(uint64_t node, struct identity *identity) {
    uint8_t seed[crypto_sign_SEEDBYTES] = {0};
    store_u64(seed, node);
    crypto_sign_seed_keypair(identity->public_key, identity->secret_key, seed);
}

/* What packet `which` of `from` holds: its size and every byte follow from the two numbers. */
static struct bytes content_of(const struct end *end, uint64_t from, uint64_t which, uint8_t *content) {
    uint64_t state = from * 0x9e3779b97f4a7c15u + which;
    store_u64(content, from);
    store_u64(content + 8, which);
    size_t size = CONTENT_HEAD_BYTES + (size_t)(state * 0xd1342543de82ef95u >> 33) % end->bytes;
    for (size_t i = CONTENT_HEAD_BYTES; i < size; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        content[i] = (uint8_t)(state >> 56);
    }
    return bytes_of(content, size);
}

static void send_number(struct end *end, uint64_t which) {
    static uint8_t content[PACKET_BYTES_MAX];
    struct packet_change change = {.change = content_of(end, end->self, which, content)};
    struct packet packet = {.kind = PACKET_CHANGES, .link_sequence = which, .changes = &change, .changes_count = 1};
    check(peer_links_send(end->links, end->peer, &packet) == STATUS_OK);
}

static void send_window(struct end *end) {
    while (end->sent < end->count && end->sent < end->acknowledged + end->window)
        send_number(end, ++end->sent);
}

static void rewind_to_acknowledged(struct end *end, uint64_t now) {
    end->resends += end->sent - end->acknowledged;
    end->sent = end->acknowledged;
    end->rewound_ms = end->moved_ms = now;
    end->window = end->window / 2 > WINDOW_MIN ? end->window / 2 : WINDOW_MIN;
}

static void on_acknowledged(struct end *end, uint64_t which) {
    uint64_t now = uv_now(&end->loop);
    check(which <= end->count);
    if (which > end->acknowledged) {
        end->acknowledged = which;
        if (end->sent < which)
            end->sent = which;
        end->moved_ms = now;
        if (end->window < end->window_max)
            end->window++;
    } else if (which == end->acknowledged && end->sent > which && now - end->rewound_ms >= RESEND_MS / 4) {
        rewind_to_acknowledged(end, now); /* something is missing at the other end */
    }
    send_window(end);
}

static void on_numbered(struct end *end, uint64_t which, struct bytes content) {
    static uint8_t expected[PACKET_BYTES_MAX];
    if (!bytes_equal(content, content_of(end, end->peer, which, expected))) {
        printf("{\"corrupt\":%" PRIu64 "}\n", which);
        exit(3);
    }
    if (which == *end->received + 1)
        *end->received = which;
    end->owes_acknowledgement = true;
}

static void on_packet(void *context, uint64_t from, const struct packet *packet) {
    struct end *end = context;
    check(from == end->peer);
    if (packet->kind == PACKET_CHANGES_SEEN)
        on_acknowledged(end, packet->link_sequence);
    else
        on_numbered(end, packet->link_sequence, packet->changes_count == 1 ? packet->changes[0].change : BYTES_ABSENT);
}

static void on_state(void *context, uint64_t peer, bool is_up) {
    struct end *end = context;
    (void)peer;
    end->downs += is_up ? 0 : 1;
}

static void on_turn(uv_check_t *check) {
    struct end *end = check->data;
    if (!end->owes_acknowledgement)
        return;
    end->owes_acknowledgement = false;
    struct packet packet = {.kind = PACKET_CHANGES_SEEN, .link_sequence = *end->received};
    peer_links_send(end->links, end->peer, &packet);
}

static void print_state(struct end *end) {
    struct peer_link_statistics s;
    check(peer_links_statistics(end->links, end->peer, &s) == STATUS_OK);
    printf("{\"received\":%" PRIu64 ",\"acknowledged\":%" PRIu64 ",\"isUp\":%s,\"downs\":%" PRIu64
           ",\"resends\":%" PRIu64 ",\"queueBytes\":%zu,\"unacknowledgedBytes\":%zu,\"packetsSent\":%" PRIu64
           ",\"packetsReceived\":%" PRIu64 ",\"dropped\":%" PRIu64 ",\"packetsMalformed\":%" PRIu64
           ",\"messagesSent\":%" PRIu64 ",\"forged\":%" PRIu64 ",\"replayed\":%" PRIu64 ",\"unknown\":%" PRIu64
           ",\"malformed\":%" PRIu64 ",\"sessions\":%" PRIu64 ",\"redials\":%" PRIu64 ",\"strangers\":%" PRIu64 "}\n",
           *end->received, end->acknowledged, s.is_up ? "true" : "false", end->downs, end->resends, s.queue_bytes,
           s.unacknowledged_bytes, s.packets_sent, s.packets_received, s.packets_dropped, s.packets_malformed,
           s.messages_sent, s.messages_forged, s.messages_replayed, s.messages_unknown, s.messages_malformed,
           s.sessions, s.redials, peer_links_strangers(end->links));
    fflush(stdout);
}

static void on_tick(uv_timer_t *timer) {
    struct end *end = timer->data;
    uint64_t now = uv_now(&end->loop);
    if (end->sent > end->acknowledged && now - end->moved_ms >= RESEND_MS)
        rewind_to_acknowledged(end, now);
    send_window(end);
    if (now - end->printed_ms >= PRINT_MS) {
        end->printed_ms = now;
        print_state(end);
    }
}

static void on_term(uv_signal_t *handle, int signal) {
    struct end *end = handle->data;
    (void)signal;
    print_state(end);
    peer_links_close(end->links, NULL, NULL);
    uv_close((uv_handle_t *)&end->ticker, NULL);
    uv_close((uv_handle_t *)&end->check, NULL);
    uv_close((uv_handle_t *)&end->on_term, NULL);
}

static uint64_t *state_map(const char *path) {
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    check(fd >= 0 && ftruncate(fd, sizeof(uint64_t)) == 0);
    void *state = mmap(NULL, sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    check(state != MAP_FAILED);
    close(fd);
    return state;
}

static void end_start(struct end *end, int count, char **arguments) {
    struct identity ours, theirs;
    char listen[32], dial[32];
    const char *reason = "";
    identity_of(end->self, &ours);
    identity_of(end->peer, &theirs);
    address_of(listen, number(count, arguments, "listen"));
    address_of(dial, number(count, arguments, "dial"));
    struct peer_links_options options = {
        .loop = &end->loop,
        .self = end->self,
        .identity = &ours,
        .listen = listen,
        .on_packet = on_packet,
        .on_state = on_state,
        .context = end,
        .send_buffer_messages = (int)number(count, arguments, "send_buffer"),
        .receive_buffer_messages = (int)number(count, arguments, "receive_buffer"),
    };
    if (peer_links_open(&options, &end->links, &reason) != STATUS_OK) {
        fprintf(stderr, "%s\n", reason);
        exit(1);
    }
    check(peer_links_set_peer(end->links, end->peer, dial, theirs.public_key) == STATUS_OK);
}

static int end_main(int count, char **arguments) {
    static struct end end;
    end = (struct end){.self = number(count, arguments, "self"),
                       .peer = number(count, arguments, "peer"),
                       .count = number(count, arguments, "count"),
                       .bytes = number(count, arguments, "bytes"),
                       .window = number(count, arguments, "window"),
                       .window_max = number(count, arguments, "window"),
                       .received = state_map(argument(count, arguments, "state"))};
    check(end.bytes > 0 && end.bytes <= PACKET_BYTES_MAX - CONTENT_HEAD_BYTES);
    check(uv_loop_init(&end.loop) == 0);
    end_start(&end, count, arguments);
    check(uv_timer_init(&end.loop, &end.ticker) == 0 && uv_check_init(&end.loop, &end.check) == 0);
    check(uv_signal_init(&end.loop, &end.on_term) == 0);
    end.ticker.data = end.check.data = end.on_term.data = &end;
    check(uv_timer_start(&end.ticker, on_tick, TICK_MS, TICK_MS) == 0 && uv_check_start(&end.check, on_turn) == 0);
    check(uv_signal_start(&end.on_term, on_term, SIGTERM) == 0);
    uv_run(&end.loop, UV_RUN_DEFAULT);
    check(uv_loop_close(&end.loop) == 0);
    return 0;
}

/* ---- the middle ---- */

enum { RECORDED_MAX = 512, BUFFERED = 4096, SIZE_MAX_BYTES = 8 * 1024 * 1024 };

struct way {
    struct middle *middle;
    struct datagram_inlet *inlet;
    struct datagram_outlet *outlet;
    uv_poll_t poll;
    struct buffer recorded[RECORDED_MAX];
    size_t recorded_count;
    struct buffer held; /* overtaken by the next one */
    uint64_t carried;
};

struct middle {
    uv_loop_t loop;
    uint32_t chance;
    struct way ways[2];
};

static uint32_t roll(struct middle *middle, uint32_t below) {
    middle->chance = middle->chance * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)(middle->chance >> 8) * below) >> 24);
}

static void pass_on(struct way *way, struct bytes message) {
    struct datagram *datagram = datagram_new(message.size);
    memcpy(datagram_body(datagram), message.data, message.size);
    datagram_outlet_send(way->outlet, datagram);
    way->carried++;
}

static void record(struct way *way, struct bytes message) {
    size_t place = way->recorded_count < RECORDED_MAX ? way->recorded_count++ : roll(way->middle, RECORDED_MAX);
    way->recorded[place].size = 0;
    buffer_append_bytes(&way->recorded[place], message);
}

static void pass_on_changed(struct way *way, struct bytes message, bool is_cut) {
    struct buffer changed = {0};
    buffer_append_bytes(&changed, message);
    if (is_cut)
        changed.size = roll(way->middle, (uint32_t)message.size);
    else
        changed.data[roll(way->middle, (uint32_t)changed.size)] ^= (uint8_t)(1u << roll(way->middle, 8));
    pass_on(way, buffer_bytes(&changed));
    buffer_close(&changed);
}

/* The header of a real message, and noise. */
static void pass_on_forged(struct way *way, struct bytes message) {
    struct buffer forged = {0};
    size_t header = message.size < 40 ? message.size : 40;
    buffer_append(&forged, message.data, header);
    randombytes_buf(buffer_reserve(&forged, 200), 200);
    buffer_added(&forged, 200);
    pass_on(way, buffer_bytes(&forged));
    buffer_close(&forged);
}

static void carry(struct way *way, struct bytes message) {
    uint32_t what = roll(way->middle, 1000);
    record(way, message);
    if (what < 10)
        return; /* lost */
    if (what < 20)
        pass_on_changed(way, message, false);
    else if (what < 25)
        pass_on_changed(way, message, true);
    else if (what < 35)
        pass_on(way, buffer_bytes(&way->recorded[roll(way->middle, (uint32_t)way->recorded_count)]));
    else if (what < 40)
        pass_on_forged(way, message);
    else if (what < 50)
        pass_on(way, message); /* and once more */
    if (what >= 50 && what < 60 && way->held.size == 0) {
        buffer_append_bytes(&way->held, message);
        return;
    }
    pass_on(way, message);
    if (way->held.size > 0)
        pass_on(way, buffer_bytes(&way->held));
    way->held.size = 0;
}

static void on_readable(uv_poll_t *poll, int status, int events) {
    struct way *way = poll->data;
    struct datagram *datagram;
    (void)status;
    (void)events;
    while ((datagram = datagram_inlet_receive(way->inlet)) != NULL) {
        carry(way, datagram_bytes(datagram));
        datagram_free(datagram);
    }
}

static void way_open(struct middle *middle, struct way *way, uint64_t listen, uint64_t dial) {
    char address[32];
    const char *reason = "";
    way->middle = middle;
    address_of(address, listen);
    if (datagram_inlet_open(address, SIZE_MAX_BYTES, BUFFERED, &way->inlet, &reason) != STATUS_OK) {
        fprintf(stderr, "%s\n", reason);
        exit(1);
    }
    way->outlet = datagram_outlet_new(BUFFERED);
    address_of(address, dial);
    check(way->outlet != NULL && datagram_outlet_dial(way->outlet, address) == STATUS_OK);
    check(uv_poll_init(&middle->loop, &way->poll, datagram_inlet_descriptor(way->inlet)) == 0);
    way->poll.data = way;
    check(uv_poll_start(&way->poll, UV_READABLE, on_readable) == 0);
}

static void on_print(uv_timer_t *timer) {
    struct middle *middle = timer->data;
    printf("{\"carried\":%" PRIu64 "}\n", middle->ways[0].carried + middle->ways[1].carried);
    fflush(stdout);
}

static int middle_main(int count, char **arguments) {
    static struct middle middle;
    uv_timer_t printer;
    middle.chance = (uint32_t)number(count, arguments, "seed");
    check(uv_loop_init(&middle.loop) == 0 && uv_timer_init(&middle.loop, &printer) == 0);
    way_open(&middle, &middle.ways[0], number(count, arguments, "listen"), number(count, arguments, "dial"));
    way_open(&middle, &middle.ways[1], number(count, arguments, "listen_back"), number(count, arguments, "dial_back"));
    printer.data = &middle;
    check(uv_timer_start(&printer, on_print, PRINT_MS, PRINT_MS) == 0);
    return uv_run(&middle.loop, UV_RUN_DEFAULT);
}

int main(int count, char **arguments) {
    check(sodium_init() >= 0);
    if (count > 1 && strcmp(arguments[1], "peer") == 0)
        return end_main(count, arguments);
    if (count > 1 && strcmp(arguments[1], "middle") == 0)
        return middle_main(count, arguments);
    fprintf(stderr, "usage: peer-links-driver peer|middle name=value ...\n");
    return 2;
}
