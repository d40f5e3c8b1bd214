#include "node/cluster.h"

#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "node/errands.h"
#include "node/log.h"
#include "node/peer/identity.h"
#include "node/peer/peer_links.h"
#include "node/public_address.h"
#include "proto/check.h"
#include "proto/limits.h"
#include "proto/node_record.h"
#include "proto/status.h"

#define ALIVE_TTL_S 5
#define NODES_MAX CLUSTER_NODES_MAX

struct known_node {
    uint64_t id;
    bool is_admitted;
    bool is_alive;
};

struct cluster {
    struct cluster_options options;
    uint64_t self;
    struct identity identity;
    struct peer_links *links;
    struct errands *errands;
    _Atomic uint64_t snapshot_bytes_sent; /* the loop's; others read it */
    struct known_node nodes[NODES_MAX];   /* rising ids */
    size_t nodes_count;
    bool is_closing;
    void (*on_closed)(void *context);
    void *closed_context;
};

/* The public key is the node's for as long as its data folder lives, and a new folder is a new node. */
static uint64_t id_of(const struct identity *identity) {
    uint8_t hash[crypto_generichash_BYTES_MIN];
    uint64_t id = 0;
    crypto_generichash(hash, sizeof(hash), identity->public_key, sizeof(identity->public_key), NULL, 0);
    for (size_t i = 0; i < sizeof(id); i++)
        id = id << 8 | hash[i];
    return id == 0 ? 1 : id;
}

int cluster_node_id(const struct config *config, uint64_t *id, const char **reason) {
    struct identity identity;
    int rc = identity_load(config->data, &identity, reason);
    if (rc != STATUS_OK)
        return rc;
    *id = id_of(&identity);
    identity_close(&identity);
    return STATUS_OK;
}

/* ---- news of the coordinator ---- */

struct news {
    struct parcel parcel;
    struct cluster *cluster;
    struct arena arena;
    struct coordinator_item item;
};

static struct known_node *node_find(struct cluster *self, uint64_t id) {
    for (size_t i = 0; i < self->nodes_count; i++)
        if (self->nodes[i].id == id)
            return &self->nodes[i];
    return NULL;
}

static struct known_node *node_take(struct cluster *self, uint64_t id) {
    struct known_node *found = node_find(self, id);
    if (found != NULL || self->nodes_count == NODES_MAX)
        return found;
    size_t at = self->nodes_count++;
    for (; at > 0 && self->nodes[at - 1].id > id; at--)
        self->nodes[at] = self->nodes[at - 1];
    self->nodes[at] = (struct known_node){.id = id};
    return &self->nodes[at];
}

static void nodes_tell(struct cluster *self) {
    uint64_t live[NODES_MAX];
    struct event event = {.kind = EVENT_NODES, .nodes = live};
    for (size_t i = 0; i < self->nodes_count; i++)
        if (self->nodes[i].is_alive && self->nodes[i].is_admitted)
            live[event.nodes_count++] = self->nodes[i].id;
    self->options.on_event(self->options.context, &event);
}

static void node_record_taken(struct cluster *self, const struct node_record *record) {
    struct known_node *node = node_take(self, record->id);
    char address[NODE_ADDRESS_BYTES_MAX + 1];
    if (node == NULL) {
        log_error("a node beyond the %d that a cluster may have is left out", NODES_MAX);
        return;
    }
    node->is_admitted = node_record_is_admitted(record, self->options.folder->admission_key);
    if (!node->is_admitted) {
        log_error("node %016llx is not admitted: it does not have the cluster's secret",
                  (unsigned long long)record->id);
        return;
    }
    snprintf(address, sizeof(address), "%.*s", (int)record->peer_address.size, (const char *)record->peer_address.data);
    if (record->id != self->self && peer_links_set_peer(self->links, record->id, address, record->public_key) != 0)
        log_error("node %016llx has an address that cannot be used: %s", (unsigned long long)record->id, address);
}

static void on_node_news(struct cluster *self, struct news *news) {
    struct node_record record;
    if (!bytes_is_present(news->item.value))
        return; /* it stays known: its links are cheap, and it holds nothing that its record would have to say */
    if (node_record_decode(news->item.value, &news->arena, &record) == STATUS_OK)
        node_record_taken(self, &record);
    else
        log_error("the record of a node at the coordinator is malformed");
    nodes_tell(self);
}

static void on_alive_news(struct cluster *self, const struct coordinator_item *item, size_t prefix_size) {
    uint64_t id;
    if (node_id_parse(bytes_of(item->name.data + prefix_size, item->name.size - prefix_size), &id) != STATUS_OK)
        return;
    struct known_node *node = node_take(self, id);
    if (node == NULL)
        return;
    node->is_alive = bytes_is_present(item->value);
    nodes_tell(self);
}

static void on_range_news(struct cluster *self, const struct coordinator_item *item) {
    struct range_record record;
    struct event event = {.kind = EVENT_RECORD, .record = &record, .version = item->version};
    if (!bytes_is_present(item->value) || range_record_decode(item->value, &record) != STATUS_OK ||
        record.range >= LIMIT_RANGES_MAX) {
        log_error("the record of a range at the coordinator is gone or malformed");
        return;
    }
    event.range = record.range;
    self->options.on_event(self->options.context, &event);
}

/* "placements/00007" */
static bool placement_range(const struct coordinator_item *item, uint32_t *range) {
    char text[sizeof("placements/") + 8];
    if (item->name.size >= sizeof(text))
        return false;
    snprintf(text, sizeof(text), "%.*s", BYTES_ARG(item->name));
    return sscanf(text, "placements/%5u", range) == 1;
}

/* One that is gone wishes for nothing. */
static void on_placement_news(struct cluster *self, const struct coordinator_item *item) {
    struct placement placement = {0};
    struct event event = {.kind = EVENT_PLACEMENT, .placement = &placement, .version = item->version};
    bool is_there = bytes_is_present(item->value);
    if (!placement_range(item, &event.range) || event.range >= LIMIT_RANGES_MAX ||
        (is_there && placement_decode(item->value, &placement) != STATUS_OK) ||
        (is_there && placement.range != event.range)) {
        log_error("a placement at the coordinator is malformed");
        return;
    }
    placement.range = event.range;
    self->options.on_event(self->options.context, &event);
}

/* "splits/ranges": how many ranges there should be. Gone: no more than there are. */
static void on_splits_news(struct cluster *self, const struct coordinator_item *item) {
    char text[16] = "0";
    struct event event = {.kind = EVENT_RANGES};
    if (bytes_is_present(item->value))
        snprintf(text, sizeof(text), "%.*s", BYTES_ARG(item->value));
    if (sscanf(text, "%6u", &event.ranges_count) != 1) {
        log_error("how many ranges there should be is malformed at the coordinator");
        return;
    }
    self->options.on_event(self->options.context, &event);
}

static bool has_prefix(struct bytes name, const char *prefix) {
    size_t size = strlen(prefix);
    return name.size > size && memcmp(name.data, prefix, size) == 0;
}

static void on_news_delivered(void *receiver, struct parcel *parcel) {
    struct news *news = (struct news *)parcel;
    struct cluster *self = news->cluster;
    (void)receiver;
    if (self->is_closing)
        ;
    else if (has_prefix(news->item.name, "ranges/"))
        on_range_news(self, &news->item);
    else if (has_prefix(news->item.name, "placements/"))
        on_placement_news(self, &news->item);
    else if (has_prefix(news->item.name, "splits/"))
        on_splits_news(self, &news->item);
    else if (has_prefix(news->item.name, "nodes/"))
        on_node_news(self, news);
    else if (has_prefix(news->item.name, "alive/"))
        on_alive_news(self, &news->item, strlen("alive/"));
    arena_close(&news->arena);
    free(news);
}

/* What only the view is interested in. */
static void on_sight(void *context, const struct coordinator_item *change) {
    struct cluster *self = context;
    cluster_view_take(self->options.view, change, cluster_view_clock_ms());
}

/* On the coordinator's thread. */
static void on_change(void *context, const struct coordinator_item *change) {
    struct cluster *self = context;
    on_sight(context, change);
    struct news *news = calloc(1, sizeof(*news));
    check(news != NULL);
    arena_init(&news->arena);
    news->cluster = self;
    news->item = (struct coordinator_item){.name = arena_copy(&news->arena, change->name),
                                           .value = arena_copy(&news->arena, change->value),
                                           .version = change->version};
    news->parcel.deliver = on_news_delivered;
    if (mailbox_post(self->options.mailbox, &news->parcel) != STATUS_OK) {
        arena_close(&news->arena);
        free(news);
    }
}

/* ---- what this node says ---- */

static int record_publish(struct cluster *self) {
    const struct config *config = self->options.config;
    struct coordinator *coordinator = self->options.folder->coordinator;
    char name[sizeof("nodes/") + NODE_ID_TEXT_BYTES] = "nodes/";
    char address[sizeof(config->peer_listen.host) + 8];
    char public_address[NODE_ADDRESS_BYTES_MAX + 1];
    struct buffer encoded;
    struct arena arena;
    struct bytes old;
    uint64_t version = 0;
    snprintf(address, sizeof(address), "%s:%u", config->peer_listen.host, peer_links_port(self->links));
    public_address_make(config, self->options.port, public_address);
    struct node_record record = {.id = self->self,
                                 .name = bytes_of_text(config->node_name),
                                 .zone = bytes_of_text(config->zone),
                                 .peer_address =
                                     bytes_of_text(config->peer_address[0] != '\0' ? config->peer_address : address),
                                 .public_url = bytes_of_text(public_address),
                                 .protocol_oldest = PACKET_PROTOCOL_OLDEST,
                                 .protocol_newest = PACKET_PROTOCOL_NEWEST};
    memcpy(record.public_key, self->identity.public_key, sizeof(record.public_key));
    node_record_admit(&record, self->options.folder->admission_key);
    node_id_format(self->self, name + strlen("nodes/"));
    arena_init(&arena);
    buffer_init(&encoded);
    node_record_encode(&record, &encoded);
    int rc = coordinator_get(coordinator, name, &arena, &old, &version);
    if (rc == STATUS_STORE_MISSING)
        version = 0;
    if (rc == STATUS_OK || rc == STATUS_STORE_MISSING)
        rc = coordinator_swap(coordinator, name, version, buffer_bytes(&encoded), NULL);
    memcpy(name, "alive/", strlen("alive/"));
    if (rc == STATUS_OK)
        rc = coordinator_announce(coordinator, name, BYTES_LITERAL("1"), ALIVE_TTL_S);
    buffer_close(&encoded);
    arena_close(&arena);
    return rc;
}

/* Whoever is first makes them; the node that brings the data of a lone one into a cluster is. */
static int ranges_make(struct cluster *self) {
    struct coordinator *coordinator = self->options.folder->coordinator;
    struct coordinator_item *items;
    struct arena arena;
    size_t count;
    uint64_t revision;
    arena_init(&arena);
    int rc = coordinator_list(coordinator, "ranges/", &arena, &items, &count, &revision);
    arena_close(&arena);
    uint32_t ranges = self->options.folder->settings.range_count;
    for (uint32_t i = 0; rc == STATUS_OK && count < ranges && i < ranges; i++) {
        struct range_record record = {.range = i,
                                      .bounds = bounds_of_part(i, ranges),
                                      .epoch = 1,
                                      .primary = self->self,
                                      .in_sync = {self->self},
                                      .in_sync_count = 1};
        struct buffer encoded;
        char name[RANGE_NAME_BYTES];
        buffer_init(&encoded);
        range_name_format(i, name);
        range_record_encode(&record, &encoded);
        rc = coordinator_swap(coordinator, name, 0, buffer_bytes(&encoded), NULL);
        if (rc == STATUS_CONFLICT)
            rc = STATUS_OK;
        buffer_close(&encoded);
    }
    return rc;
}

/* ---- links ---- */

static void on_packet(void *context, uint64_t from, const struct packet *packet) {
    struct cluster *self = context;
    struct event event = {.kind = EVENT_PACKET, .from = from, .packet = packet};
    if (!self->is_closing)
        self->options.on_event(self->options.context, &event);
}

static void on_state(void *context, uint64_t peer, bool is_up) {
    (void)context;
    log_info("node %016llx %s", (unsigned long long)peer, is_up ? "is linked" : "is not to be reached");
}

static int links_open(struct cluster *self) {
    const struct config_address *listen = &self->options.config->peer_listen;
    const char *reason = "";
    char address[sizeof(listen->host) + 8];
    snprintf(address, sizeof(address), "%s:%u", listen->host, listen->port);
    struct peer_links_options options = {.loop = self->options.loop,
                                         .self = self->self,
                                         .identity = &self->identity,
                                         .listen = address,
                                         .send_buffer_messages = (int)self->options.config->peer_send_buffer_messages,
                                         .receive_buffer_messages =
                                             (int)self->options.config->peer_receive_buffer_messages,
                                         .on_packet = on_packet,
                                         .on_state = on_state,
                                         .context = self};
    int rc = peer_links_open(&options, &self->links, &reason);
    if (rc == STATUS_CONFLICT && config_may_move(self->options.config, "peer_listen")) {
        snprintf(address, sizeof(address), "%s:0", listen->host);
        rc = peer_links_open(&options, &self->links, &reason);
    }
    if (rc != STATUS_OK)
        log_error("peer_listen %s: %s", address, reason);
    return rc;
}

/* ---- life ---- */

static int errands_open(struct cluster *self) {
    struct errands_options options = {.coordinator = self->options.folder->coordinator,
                                      .store = self->options.folder->store,
                                      .master = &self->options.folder->master,
                                      .hash_key = self->options.folder->settings.hash_key,
                                      .folder = self->options.config->data,
                                      .mailbox = self->options.mailbox,
                                      .on_event = self->options.on_event,
                                      .context = self->options.context};
    return errands_start(&options, &self->errands);
}

static int watches_open(struct cluster *self) {
    static const struct {
        const char *prefix;
        coordinator_on_change *on_change;
    } watches[] = {{"nodes/", on_change},      {"alive/", on_change}, {"ranges/", on_change}, {"splits/", on_change},
                   {"placements/", on_change}, {"loads/", on_sight},  {"drains/", on_sight},  {"balanc", on_sight}};
    int rc = STATUS_OK;
    for (size_t i = 0; i < sizeof(watches) / sizeof(watches[0]) && rc == STATUS_OK; i++)
        rc = coordinator_watch(self->options.folder->coordinator, watches[i].prefix, 0, watches[i].on_change, self);
    return rc;
}

/* Whether a swap was made may not be known; what asks again looks first. */
static int try_until_answered(struct cluster *self, int (*attempt)(struct cluster *self)) {
    int rc = attempt(self);
    for (int i = 1; i < DATA_FOLDER_ETCD_TRIES && rc == STATUS_SERVICE_UNAVAILABLE; i++) {
        log_warning("etcd has not answered in time; this node, which starts, asks again");
        rc = attempt(self);
    }
    return rc;
}

int cluster_open(const struct cluster_options *options, struct cluster **out) {
    struct cluster *self = calloc(1, sizeof(*self));
    const char *reason = "";
    check(self != NULL);
    self->options = *options;
    *out = self;
    int rc = identity_load(options->config->data, &self->identity, &reason);
    if (rc != STATUS_OK) {
        log_error("data folder %s: %s", options->config->data, reason);
        return rc;
    }
    self->self = id_of(&self->identity);
    rc = links_open(self);
    if (rc == STATUS_OK)
        rc = errands_open(self);
    if (rc == STATUS_OK)
        rc = try_until_answered(self, record_publish);
    if (rc == STATUS_OK)
        rc = try_until_answered(self, ranges_make);
    if (rc == STATUS_OK)
        rc = watches_open(self);
    if (rc != STATUS_OK)
        log_error("the cluster cannot be joined: %s", status_sentence(rc));
    else
        log_info("this is node %016llx of cluster %s", (unsigned long long)self->self, options->config->cluster_name);
    return rc;
}

static void packet_send(struct cluster *self, const struct action *action) {
    if (action->packet->kind == PACKET_SNAPSHOT)
        atomic_fetch_add_explicit(&self->snapshot_bytes_sent, action->packet->rows.size, memory_order_relaxed);
    peer_links_send(self->links, action->to, action->packet);
}

/* The core may still want something while the links close; it is as if the node had ended before. */
void cluster_perform(struct cluster *self, const struct action *action) {
    if (self->is_closing)
        return;
    if (action->kind == ACTION_SEND)
        packet_send(self, action);
    else
        errands_run(self->errands, action);
}

uint64_t cluster_snapshot_bytes_sent(const struct cluster *self) {
    return atomic_load_explicit(&self->snapshot_bytes_sent, memory_order_relaxed);
}

void cluster_statistics(const struct cluster *self, struct cluster_statistics *sum) {
    *sum = (struct cluster_statistics){.snapshot_bytes_sent = cluster_snapshot_bytes_sent(self)};
    for (size_t i = 0; i < self->nodes_count && self->links != NULL; i++) {
        struct peer_link_statistics link;
        if (peer_links_statistics(self->links, self->nodes[i].id, &link) != STATUS_OK)
            continue;
        sum->peers_up += link.is_up;
        sum->messages_sent += link.messages_sent;
        sum->messages_received += link.messages_received;
        sum->messages_missed += link.messages_missed;
        sum->bytes_sent += link.bytes_sent;
        sum->bytes_received += link.bytes_received;
        sum->packets_dropped += link.packets_dropped;
    }
}

static void on_links_closed(void *context) {
    struct cluster *self = context;
    self->links = NULL;
    self->on_closed(self->closed_context);
}

void cluster_close(struct cluster *self, void (*on_closed)(void *context), void *context) {
    self->is_closing = true;
    self->on_closed = on_closed;
    self->closed_context = context;
    if (self->errands != NULL)
        errands_stop(self->errands);
    self->errands = NULL;
    if (self->links != NULL)
        peer_links_close(self->links, on_links_closed, self);
    else
        on_closed(context);
}

void cluster_free(struct cluster *self) {
    identity_close(&self->identity);
    free(self);
}

uint16_t cluster_peer_port(const struct cluster *self) {
    return peer_links_port(self->links);
}
