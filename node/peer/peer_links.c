#include "node/peer/peer_links.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "node/log.h"
#include "node/peer/credit_window.h"
#include "node/peer/datagram.h"
#include "node/peer/link_crypto.h"
#include "node/peer/packet_batch.h"
#include "node/peer/send_queue.h"
#include "proto/check.h"
#include "proto/status.h"

#define TICK_MS 50
#define PAUSE_MS 1000                /* between two ticks: it was this node that stood still, not its peers */
#define MESSAGES_PER_TURN 256        /* then others on the loop get their turn */
#define SEND_BUFFER_MESSAGES 1024    /* twice what credit lets through: the rest is hellos, keepalives, reports */
#define RECEIVE_BUFFER_MESSAGES 4096 /* all of eight peers' credit, should the loop stand still */
#define MESSAGE_BYTES_MAX                                                                                              \
    (PEER_LINKS_PACKET_BYTES_MAX + PACKET_BATCH_HEAD_BYTES + PACKET_BATCH_ITEM_BYTES + LINK_SEALED_OVERHEAD_BYTES)

_Static_assert(SEND_BUFFER_MESSAGES >= 2 * CREDIT_WINDOW_MESSAGES, "credit stays below what nng drops");

/* Outlets are kept for the next peer when theirs is removed. */
struct spare_outlet {
    struct spare_outlet *next;
    struct datagram_outlet *outlet;
};

struct peer {
    struct peer *next;
    struct peer *next_removed;
    struct peer_links *links;
    uint64_t id;
    char address[DATAGRAM_ADDRESS_BYTES_MAX];
    uint8_t public_key[IDENTITY_PUBLIC_KEY_BYTES];
    struct datagram_outlet *outlet;
    struct link_crypto *crypto;
    struct send_queue queue;
    struct credit_window window;

    uint64_t session;                             /* what the four below are about */
    uint64_t taken;                               /* the highest counter that was opened */
    uint64_t credited;                            /* the highest counter of ours that the peer said to have taken */
    size_t unreported_bytes, unreported_messages; /* with packets, taken since the peer was last told */

    uint64_t unreported_since_ms;
    uint64_t sent_ms;
    uint64_t progress_ms; /* when the peer last confirmed something new, or the connection was made anew */
    uint64_t incompatible_said_ms, forged_said_ms, dial_said_ms; /* 0: never */
    bool is_up, is_removed;
    struct peer_link_statistics statistics;
};

struct peer_links {
    struct peer_links_options options;
    struct identity identity;
    struct datagram_inlet *inlet;
    uv_poll_t poll;
    uv_timer_t timer;
    uv_prepare_t prepare;
    unsigned open_handles;
    struct peer *peers, *removed;
    struct spare_outlet *spare_outlets;
    struct buffer encoded, batch, plain, answer;
    struct arena arena;
    uint64_t strangers;
    uint64_t ticked_ms;
    bool is_closing;
    void (*on_closed)(void *context);
    void *closed_context;
};

static uint64_t now_ms(const struct peer_links *links) {
    return uv_now(links->options.loop);
}

static struct peer *peer_find(const struct peer_links *links, uint64_t id) {
    struct peer *peer = links->peers;
    while (peer != NULL && peer->id != id)
        peer = peer->next;
    return peer;
}

static bool complaint_is_due(uint64_t now, uint64_t *said_ms) {
    if (*said_ms != 0 && now - *said_ms < PEER_LINKS_COMPLAINT_MS)
        return false;
    *said_ms = now == 0 ? 1 : now;
    return true;
}

/* ---- sending to a peer ---- */

static void datagram_send(struct peer *peer, struct datagram *datagram) {
    peer->statistics.messages_sent++;
    peer->statistics.bytes_sent += datagram_bytes(datagram).size;
    datagram_outlet_send(peer->outlet, datagram);
}

static void hello_send(struct peer *peer, struct bytes hello) {
    struct datagram *datagram = datagram_new(hello.size);
    memcpy(datagram_body(datagram), hello.data, hello.size);
    datagram_send(peer, datagram);
}

/* Seals and sends the batch that was built; its counter. Credit in it has been reported then. */
static uint64_t batch_send(struct peer *peer) {
    struct bytes plain = buffer_bytes(&peer->links->batch);
    struct datagram *datagram = datagram_new(plain.size + LINK_SEALED_OVERHEAD_BYTES);
    uint64_t counter;
    check(link_crypto_seal(peer->crypto, plain, datagram_body(datagram), &counter) == STATUS_OK);
    datagram_send(peer, datagram);
    peer->sent_ms = now_ms(peer->links);
    peer->unreported_bytes = peer->unreported_messages = 0;
    return counter;
}

/* A message without packets: says what was taken, and that we are there. Not held back by credit, and not counted. */
static void report_send(struct peer *peer) {
    if (peer->session == 0 || !datagram_outlet_is_connected(peer->outlet))
        return;
    packet_batch_begin(&peer->links->batch, peer->taken);
    batch_send(peer);
}

/* Moves packets from the queue into the batch, as many as fit into a message and the peer's credit. */
static size_t batch_fill(struct peer *peer) {
    struct buffer *batch = &peer->links->batch;
    struct bytes packet;
    size_t packets = 0;
    packet_batch_begin(batch, peer->taken);
    while (send_queue_peek(&peer->queue, &packet)) {
        size_t size = batch->size + PACKET_BATCH_ITEM_BYTES + packet.size;
        if ((packets > 0 && size > PEER_LINKS_MESSAGE_BYTES_MAX) ||
            !credit_window_has_room(&peer->window, size + LINK_SEALED_OVERHEAD_BYTES))
            break;
        packet_batch_add(batch, packet);
        send_queue_pop(&peer->queue);
        packets++;
    }
    return packets;
}

/* Before the peer has proven to have the session, packets would be lost. */
static void peer_flush(struct peer *peer) {
    if (!peer->is_up || !link_crypto_is_proven(peer->crypto) || !datagram_outlet_is_connected(peer->outlet))
        return;
    for (;;) {
        size_t packets = batch_fill(peer);
        if (packets == 0)
            break;
        size_t size = peer->links->batch.size + LINK_SEALED_OVERHEAD_BYTES;
        credit_window_sent(&peer->window, batch_send(peer), size);
        peer->statistics.packets_sent += packets;
    }
    /* A sender that is faster than one window per tick must not wait for the tick. */
    if (peer->unreported_bytes >= CREDIT_WINDOW_BYTES / 4 || peer->unreported_messages >= CREDIT_WINDOW_MESSAGES / 4)
        report_send(peer);
}

void peer_links_flush(struct peer_links *links) {
    for (struct peer *peer = links->peers; peer != NULL; peer = peer->next)
        peer_flush(peer);
}

int peer_links_send(struct peer_links *links, uint64_t to, const struct packet *packet) {
    struct peer *peer = peer_find(links, to);
    if (peer == NULL)
        return STATUS_NOT_FOUND;
    links->encoded.size = 0;
    packet_encode(packet, &links->encoded);
    if (links->encoded.size > PEER_LINKS_PACKET_BYTES_MAX)
        return STATUS_REQUEST_ENTITY_TOO_LARGE;
    peer->statistics.packets_dropped +=
        send_queue_push(&peer->queue, buffer_bytes(&links->encoded),
                        peer->is_up ? PEER_LINKS_QUEUE_BYTES_MAX : PEER_LINKS_QUEUE_DOWN_BYTES_MAX);
    return STATUS_OK;
}

/* ---- what a peer is ---- */

/*            something opens under the session
 *     DOWN ─────────────────────────────────────▶ UP
 *       ▲                                         │ no news of what it has taken for PEER_LINKS_DOWN_MS,
 *       └─────────────────────────────────────────┘ or its key was changed */
static void peer_set_up(struct peer *peer, bool is_up) {
    struct peer_links *links = peer->links;
    if (peer->is_up == is_up)
        return;
    peer->is_up = is_up;
    if (is_up)
        log_info("peer %016" PRIx64 " is up, protocol version %u", peer->id, link_crypto_version(peer->crypto));
    else
        log_info("peer %016" PRIx64 " is down", peer->id);
    if (!is_up)
        peer->statistics.packets_dropped += send_queue_trim(&peer->queue, PEER_LINKS_QUEUE_DOWN_BYTES_MAX);
    if (links->options.on_state != NULL)
        links->options.on_state(links->options.context, peer->id, is_up);
}

/* Counters and credit are those of a session. Whoever has a new one says something at once, so that the other side
 * knows that it is shared. */
static void session_follow(struct peer *peer) {
    uint64_t session = link_crypto_session(peer->crypto);
    if (session == peer->session)
        return;
    peer->session = session;
    peer->taken = peer->credited = 0;
    peer->unreported_bytes = peer->unreported_messages = 0;
    credit_window_clear(&peer->window);
    if (session == 0)
        return;
    peer->statistics.sessions++;
    report_send(peer);
}

static struct link_crypto *crypto_new(const struct peer_links *links, uint64_t peer, const uint8_t *public_key) {
    const struct peer_links_options *options = &links->options;
    return link_crypto_new(&(struct link_options){.self = options->self,
                                                  .peer = peer,
                                                  .secret_key = links->identity.secret_key,
                                                  .peer_public_key = public_key,
                                                  .oldest = options->protocol_oldest,
                                                  .newest = options->protocol_newest,
                                                  .ciphers = options->ciphers});
}

static void peer_rekey(struct peer *peer, const uint8_t *public_key) {
    link_crypto_free(peer->crypto);
    memcpy(peer->public_key, public_key, sizeof(peer->public_key));
    peer->crypto = crypto_new(peer->links, peer->id, public_key);
    session_follow(peer);
    peer_set_up(peer, false);
}

static int peer_dial(struct peer *peer) {
    peer->progress_ms = now_ms(peer->links);
    return datagram_outlet_dial(peer->outlet, peer->address);
}

static void peer_redial(struct peer *peer) {
    peer->statistics.redials++;
    if (peer_dial(peer) != STATUS_OK && complaint_is_due(now_ms(peer->links), &peer->dial_said_ms))
        log_error("peer %016" PRIx64 " cannot be dialled at %s", peer->id, peer->address);
}

static struct datagram_outlet *outlet_get(struct peer_links *links) {
    struct spare_outlet *spare = links->spare_outlets;
    if (spare == NULL)
        return datagram_outlet_new(links->options.send_buffer_messages);
    struct datagram_outlet *outlet = spare->outlet;
    links->spare_outlets = spare->next;
    free(spare);
    return outlet;
}

static void outlet_keep(struct peer_links *links, struct datagram_outlet *outlet) {
    struct spare_outlet *spare = malloc(sizeof(*spare));
    check(spare != NULL);
    datagram_outlet_hang_up(outlet);
    *spare = (struct spare_outlet){.next = links->spare_outlets, .outlet = outlet};
    links->spare_outlets = spare;
}

static int peer_add(struct peer_links *links, uint64_t id, const uint8_t *public_key, struct peer **added) {
    struct datagram_outlet *outlet = outlet_get(links);
    if (outlet == NULL)
        return STATUS_INTERNAL_ERROR;
    struct peer *peer = calloc(1, sizeof(*peer));
    check(peer != NULL);
    peer->links = links;
    peer->id = id;
    peer->outlet = outlet;
    memcpy(peer->public_key, public_key, sizeof(peer->public_key));
    peer->crypto = crypto_new(links, id, public_key);
    send_queue_init(&peer->queue);
    peer->next = links->peers;
    links->peers = peer;
    *added = peer;
    return STATUS_OK;
}

int peer_links_set_peer(struct peer_links *links, uint64_t id, const char *address,
                        const uint8_t public_key[IDENTITY_PUBLIC_KEY_BYTES]) {
    if (id == 0 || id == links->options.self || !datagram_address_is_sound(address))
        return STATUS_BAD_REQUEST;
    struct peer *peer = peer_find(links, id);
    if (peer == NULL) {
        int rc = peer_add(links, id, public_key, &peer);
        if (rc != STATUS_OK)
            return rc;
    } else if (memcmp(peer->public_key, public_key, sizeof(peer->public_key)) != 0) {
        peer_rekey(peer, public_key);
    }
    if (strcmp(peer->address, address) == 0)
        return STATUS_OK;
    snprintf(peer->address, sizeof(peer->address), "%s", address);
    return peer_dial(peer);
}

void peer_links_remove_peer(struct peer_links *links, uint64_t id) {
    struct peer **place = &links->peers;
    while (*place != NULL && (*place)->id != id)
        place = &(*place)->next;
    struct peer *peer = *place;
    if (peer == NULL)
        return;
    *place = peer->next;
    peer->is_removed = true;
    peer->next_removed = links->removed;
    links->removed = peer;
}

/* Later than its removal, which may have come from a callback about this very peer. */
static void removed_free(struct peer_links *links) {
    while (links->removed != NULL) {
        struct peer *peer = links->removed;
        links->removed = peer->next_removed;
        outlet_keep(links, peer->outlet);
        link_crypto_free(peer->crypto);
        send_queue_close(&peer->queue);
        free(peer);
    }
}

/* ---- receiving ---- */

static void on_incompatible(struct peer *peer) {
    struct link_versions theirs = link_crypto_peer_versions(peer->crypto);
    const struct peer_links_options *options = &peer->links->options;
    if (complaint_is_due(now_ms(peer->links), &peer->incompatible_said_ms))
        log_error("peer %016" PRIx64 " speaks protocol versions %u to %u, this node %u to %u: there is none in common",
                  peer->id, theirs.oldest, theirs.newest, options->protocol_oldest, options->protocol_newest);
}

static void on_forged(struct peer *peer) {
    peer->statistics.messages_forged++;
    if (complaint_is_due(now_ms(peer->links), &peer->forged_said_ms))
        log_warning("refused a message in the name of peer %016" PRIx64 ": it is not signed or sealed with its key",
                    peer->id);
}

static void packet_receive(struct peer *peer, struct bytes encoded) {
    struct peer_links *links = peer->links;
    struct packet packet;
    arena_reset(&links->arena);
    if (packet_decode(encoded, &links->arena, &packet) != STATUS_OK) {
        peer->statistics.packets_malformed++;
        return;
    }
    peer->statistics.packets_received++;
    links->options.on_packet(links->options.context, peer->id, &packet);
}

static void credit_receive(struct peer *peer, uint64_t counter, const struct packet_batch *batch, size_t size) {
    uint64_t now = now_ms(peer->links);
    bool is_first = peer->taken == 0;
    if (counter > peer->taken) {
        peer->statistics.messages_missed += counter - peer->taken - 1;
        peer->taken = counter;
    }
    if (batch->rest.size > 0) {
        if (peer->unreported_messages++ == 0)
            peer->unreported_since_ms = now;
        peer->unreported_bytes += size;
    }
    credit_window_taken(&peer->window, batch->credit);
    if (batch->credit > peer->credited || is_first) {
        peer->credited = batch->credit;
        peer->progress_ms = now;
        peer_set_up(peer, true);
    }
}

static void on_opened(struct peer *peer, const struct link_opened *opened, size_t size) {
    struct peer_links *links = peer->links;
    struct packet_batch batch;
    struct bytes packet;
    peer->statistics.messages_received++;
    peer->statistics.bytes_received += size;
    if (packet_batch_open(opened->plain, &batch) != STATUS_OK) {
        peer->statistics.messages_malformed++;
        return;
    }
    if (opened->session == peer->session)
        credit_receive(peer, opened->counter, &batch, size);
    while (!peer->is_removed && !links->is_closing && packet_batch_next(&batch, &packet))
        packet_receive(peer, packet);
}

static void peer_receive(struct peer *peer, struct bytes message) {
    struct peer_links *links = peer->links;
    struct link_opened opened;
    links->answer.size = 0;
    enum link_result result =
        link_crypto_receive(peer->crypto, message, now_ms(links), &links->plain, &opened, &links->answer);
    if (links->answer.size > 0 && datagram_outlet_is_connected(peer->outlet))
        hello_send(peer, buffer_bytes(&links->answer));
    session_follow(peer);
    switch (result) {
    case LINK_OPENED:
        on_opened(peer, &opened, message.size);
        break;
    case LINK_HEARD:
        peer->statistics.messages_received++;
        peer->statistics.bytes_received += message.size;
        break;
    case LINK_INCOMPATIBLE:
        on_incompatible(peer);
        break;
    case LINK_FORGED:
        on_forged(peer);
        break;
    case LINK_REPLAYED:
        peer->statistics.messages_replayed++;
        break;
    case LINK_UNKNOWN_SESSION:
        peer->statistics.messages_unknown++;
        break;
    case LINK_MALFORMED:
    case LINK_TOO_MANY_HELLOS:
        peer->statistics.messages_malformed++;
        break;
    }
}

static void message_receive(struct peer_links *links, struct bytes message) {
    uint64_t sender, receiver;
    struct peer *peer = NULL;
    if (link_message_nodes(message, &sender, &receiver) == STATUS_OK && receiver == links->options.self)
        peer = peer_find(links, sender);
    if (peer == NULL)
        links->strangers++;
    else
        peer_receive(peer, message);
}

static void on_readable(uv_poll_t *poll, int status, int events) {
    struct peer_links *links = poll->data;
    (void)status;
    (void)events;
    for (int i = 0; i < MESSAGES_PER_TURN && !links->is_closing; i++) {
        struct datagram *datagram = datagram_inlet_receive(links->inlet);
        if (datagram == NULL)
            return;
        message_receive(links, datagram_bytes(datagram));
        datagram_free(datagram);
    }
}

/* ---- the clock ---- */

static void hello_tick(struct peer *peer, uint64_t now) {
    struct buffer *hello = &peer->links->answer;
    if (!datagram_outlet_is_connected(peer->outlet))
        return;
    hello->size = 0;
    link_crypto_tick(peer->crypto, now, hello);
    if (hello->size > 0)
        hello_send(peer, buffer_bytes(hello));
}

static void peer_tick(struct peer *peer, uint64_t now, bool is_after_pause) {
    if (is_after_pause && peer->is_up)
        peer->progress_ms = now;
    hello_tick(peer, now);
    if ((peer->unreported_messages > 0 && now - peer->unreported_since_ms >= PEER_LINKS_CREDIT_MS) ||
        now - peer->sent_ms >= PEER_LINKS_KEEPALIVE_MS)
        report_send(peer);
    if (now - peer->progress_ms >= PEER_LINKS_DOWN_MS)
        peer_set_up(peer, false);
    if (now - peer->progress_ms >= PEER_LINKS_REDIAL_MS)
        peer_redial(peer);
}

static void on_tick(uv_timer_t *timer) {
    struct peer_links *links = timer->data;
    uint64_t now = now_ms(links);
    bool is_after_pause = now - links->ticked_ms >= PAUSE_MS;
    links->ticked_ms = now;
    for (struct peer *peer = links->peers; peer != NULL && !links->is_closing; peer = peer->next)
        if (!peer->is_removed)
            peer_tick(peer, now, is_after_pause);
}

static void on_prepare(uv_prepare_t *prepare) {
    struct peer_links *links = prepare->data;
    removed_free(links);
    peer_links_flush(links);
}

/* ---- open and close ---- */

static int handles_open(struct peer_links *links, const char **reason) {
    uv_loop_t *loop = links->options.loop;
    if (uv_poll_init(loop, &links->poll, datagram_inlet_descriptor(links->inlet)) != 0) {
        *reason = "no descriptor is left for the links to other nodes";
        return STATUS_INTERNAL_ERROR;
    }
    check(uv_timer_init(loop, &links->timer) == 0 && uv_prepare_init(loop, &links->prepare) == 0);
    links->poll.data = links->timer.data = links->prepare.data = links;
    links->open_handles = 3;
    links->ticked_ms = uv_now(loop);
    check(uv_poll_start(&links->poll, UV_READABLE, on_readable) == 0);
    check(uv_timer_start(&links->timer, on_tick, TICK_MS, TICK_MS) == 0);
    check(uv_prepare_start(&links->prepare, on_prepare) == 0);
    return STATUS_OK;
}

static void links_free(struct peer_links *links) {
    identity_close(&links->identity);
    buffer_close(&links->encoded);
    buffer_close(&links->batch);
    buffer_close(&links->plain);
    buffer_close(&links->answer);
    arena_close(&links->arena);
    free(links);
}

static struct peer_links *links_new(const struct peer_links_options *options) {
    struct peer_links *links = calloc(1, sizeof(*links));
    check(links != NULL);
    links->options = *options;
    links->options.listen = NULL; /* the caller's */
    links->options.identity = NULL;
    links->identity = *options->identity;
    if (links->options.protocol_newest == 0) {
        links->options.protocol_oldest = PACKET_PROTOCOL_OLDEST;
        links->options.protocol_newest = PACKET_PROTOCOL_NEWEST;
    }
    if (links->options.ciphers == 0)
        links->options.ciphers = link_ciphers_available();
    if (links->options.send_buffer_messages == 0)
        links->options.send_buffer_messages = SEND_BUFFER_MESSAGES;
    if (links->options.receive_buffer_messages == 0)
        links->options.receive_buffer_messages = RECEIVE_BUFFER_MESSAGES;
    arena_init(&links->arena);
    return links;
}

int peer_links_open(const struct peer_links_options *options, struct peer_links **opened, const char **reason) {
    check(options->self != 0);
    struct peer_links *links = links_new(options);
    int rc = datagram_inlet_open(options->listen, MESSAGE_BYTES_MAX, links->options.receive_buffer_messages,
                                 &links->inlet, reason);
    if (rc != STATUS_OK)
        goto free_links;
    rc = handles_open(links, reason);
    if (rc != STATUS_OK)
        goto close_inlet;
    *opened = links;
    return STATUS_OK;

close_inlet:
    datagram_inlet_close(links->inlet);
free_links:
    links_free(links);
    return rc;
}

/* The inlet owns the descriptor that is polled, so it goes last. */
static void on_handle_closed(uv_handle_t *handle) {
    struct peer_links *links = handle->data;
    if (--links->open_handles > 0)
        return;
    while (links->peers != NULL)
        peer_links_remove_peer(links, links->peers->id);
    removed_free(links);
    while (links->spare_outlets != NULL)
        datagram_outlet_free(outlet_get(links));
    datagram_inlet_close(links->inlet);
    void (*on_closed)(void *context) = links->on_closed;
    void *context = links->closed_context;
    links_free(links);
    if (on_closed != NULL)
        on_closed(context);
}

void peer_links_close(struct peer_links *links, void (*on_closed)(void *context), void *context) {
    check(!links->is_closing);
    links->is_closing = true;
    links->on_closed = on_closed;
    links->closed_context = context;
    uv_close((uv_handle_t *)&links->poll, on_handle_closed);
    uv_close((uv_handle_t *)&links->timer, on_handle_closed);
    uv_close((uv_handle_t *)&links->prepare, on_handle_closed);
}

uint16_t peer_links_port(const struct peer_links *links) {
    return datagram_inlet_port(links->inlet);
}

int peer_links_statistics(const struct peer_links *links, uint64_t id, struct peer_link_statistics *statistics) {
    const struct peer *peer = peer_find(links, id);
    if (peer == NULL)
        return STATUS_NOT_FOUND;
    *statistics = peer->statistics;
    statistics->is_up = peer->is_up;
    statistics->version = link_crypto_version(peer->crypto);
    statistics->queue_bytes = peer->queue.bytes;
    statistics->unacknowledged_bytes = peer->window.bytes;
    return STATUS_OK;
}

uint64_t peer_links_strangers(const struct peer_links *links) {
    return links->strangers;
}
