#pragma once
/* Two nodes' gateways with real workers and sockets in one process, each over its own store, and between them a core
 * that is none: ranges are led by whom the test says, commands are applied at once, questions go over by memory. For
 * tests of how calls find their node. */
#include <arpa/inet.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

#include "node/gateway/authentication.h"
#include "node/gateway/chat_api.h"
#include "node/gateway/chat_calls.h"
#include "node/gateway/endpoint_registry.h"
#include "node/gateway/forward.h"
#include "node/gateway/identity_api.h"
#include "node/gateway/looking.h"
#include "node/gateway/presence.h"
#include "node/gateway/realtime_session.h"
#include "node/gateway/serve.h"
#include "node/gateway/session.h"
#include "node/gateway/trouter_api.h"
#include "proto/bounds.h"
#include "tests/lib/store_fixture.h"

#define GATEWAYS 2
#define RANGES 16
#define NOBODY GATEWAYS
#define CLIENT_DEADLINE_S 20
#define ANSWER_BYTES_MAX (256 * 1024)
#define API "api-version=2025-03-15"
#define IDENTITY_API "api-version=2025-06-30"

struct two_gateways;

/* A thread that sessions of a node listen to, or a user. */
struct two_listened {
    struct two_listened *next;
    struct id_hash subject;
    unsigned count;
    uint64_t next_offset; /* of what is told there next; 0: a user */
};

struct gateway_node {
    struct two_gateways *all;
    unsigned index;
    struct fixture store;
    struct config config;
    struct settings settings;
    struct gateway gateway;
    struct worker worker;
    struct gateway_worker gateway_worker;
    bool is_stopped;
    atomic_int notices;
    atomic_int asked;       /* questions of this node's clients */
    atomic_bool is_mute;    /* keeps what is proposed and never answers */
    atomic_int late_looks;  /* so often it takes what the other node leads for its own: it looked before, and slept */
    atomic_bool loses_next; /* applies the next proposal, but loses the range before it can say so */
    struct entry *kept;
    struct two_listened *listened;
};

/* A question on its way; lives until its answer. */
struct carried {
    struct carried *next;
    struct two_gateways *all;
    struct gateway_node *asker;
    struct gateway_ask *ask;
};

struct two_gateways {
    pthread_mutex_t mutex; /* of the stores' writers, of `parked`, of the arenas */
    struct gateway_node nodes[GATEWAYS];
    atomic_uint leaders[RANGES];
    atomic_ullong epochs[RANGES];
    atomic_bool is_restless;  /* whoever leads a range has only just begun to */
    bool is_replicated;       /* both stores have everything */
    bool is_listening;        /* sessions are told what changes */
    bool is_far;              /* nobody says to listeners that they are told until two_in_force; under the mutex */
    atomic_int misdirections; /* so many questions go to the wrong node first */
    atomic_int not_primary;   /* how often a node said that it does not lead */
    atomic_int held;          /* questions of this kind wait until two_release; 0: none */
    struct carried *parked;   /* nobody leads what they are about, or they are held */
    atomic_int parked_count;
    struct arena arena; /* the test's own */
};

static inline uint32_t two_range_of(const struct id_hash *subject) {
    return bounds_part_of(id_hash_position(subject), RANGES);
}

static inline unsigned two_leader_of(struct two_gateways *all, const struct id_hash *subject) {
    return atomic_load(&all->leaders[two_range_of(subject)]);
}

/* ---- what stands for the core ---- */

static inline bool two_count_down(atomic_int *count) {
    int left = atomic_load(count);
    while (left > 0)
        if (atomic_compare_exchange_weak(count, &left, left - 1))
            return true;
    return false;
}

static inline uint32_t two_hook_range_of(void *core, const struct id_hash *subject) {
    (void)core;
    return two_range_of(subject);
}

static inline enum gateway_place two_place(void *core, const struct id_hash *subject) {
    struct gateway_node *node = core;
    unsigned leader = two_leader_of(node->all, subject);
    if (leader != node->index && two_count_down(&node->late_looks))
        return GATEWAY_HERE;
    return leader == NOBODY ? GATEWAY_NOWHERE : leader == node->index ? GATEWAY_HERE : GATEWAY_ELSEWHERE;
}

static inline bool two_reign(void *core, const struct id_hash *subject, struct gateway_reign *reign) {
    struct gateway_node *node = core;
    reign->epoch = atomic_load(&node->all->epochs[two_range_of(subject)]);
    reign->lasts_ms = atomic_load(&node->all->is_restless) ? 0 : INT64_MAX;
    return two_place(core, subject) == GATEWAY_HERE;
}

static inline size_t two_others(void *core, uint64_t *nodes) {
    nodes[0] = 2 - ((struct gateway_node *)core)->index;
    return 1;
}

static inline void two_carry(struct carried *carried);

static inline void two_answer(struct carried *carried, int rc, struct bytes reply) {
    struct gateway_ask *ask = carried->ask;
    ask->rc = rc;
    buffer_append_bytes(&ask->reply, reply);
    if (worker_post(&carried->asker->worker, &ask->parcel) != STATUS_OK)
        gateway_ask_free(ask);
    free(carried);
}

static inline void two_on_served(void *context, int rc, struct bytes reply) {
    struct carried *carried = context;
    if (rc == STATUS_NOT_PRIMARY) {
        atomic_fetch_add(&carried->all->not_primary, 1);
        two_carry(carried);
        return;
    }
    two_answer(carried, rc, reply);
}

static inline void two_park(struct carried *carried) {
    struct two_gateways *all = carried->all;
    pthread_mutex_lock(&all->mutex);
    carried->next = all->parked;
    all->parked = carried;
    pthread_mutex_unlock(&all->mutex);
    atomic_fetch_add(&all->parked_count, 1);
}

static inline bool two_is_held(struct carried *carried) {
    struct question question;
    struct arena arena;
    arena_init(&arena);
    check(question_decode(buffer_bytes(&carried->ask->body), &arena, &question) == STATUS_OK);
    bool is_held = (int)question.kind == atomic_load(&carried->all->held);
    arena_close(&arena);
    return is_held;
}

static inline void two_carry(struct carried *carried) {
    struct two_gateways *all = carried->all;
    uint64_t node = carried->ask->node;
    unsigned leader = node == 0 ? two_leader_of(all, &carried->ask->subject) : (unsigned)node - 1;
    struct buffer copy;
    if (leader == NOBODY || two_is_held(carried)) {
        two_park(carried);
        return;
    }
    if (two_count_down(&all->misdirections))
        leader = 1 - leader;
    buffer_init(&copy);
    buffer_append_bytes(&copy, buffer_bytes(&carried->ask->body));
    if (gateway_serve(&all->nodes[leader].gateway_worker, &copy, carried, two_on_served) == STATUS_OK)
        return;
    buffer_close(&copy);
    two_park(carried);
}

static inline void two_on_answer_delivered(void *receiver, struct parcel *parcel) {
    struct gateway_ask *ask = (struct gateway_ask *)parcel;
    ask->on_answer(gateway_worker_of(receiver), ask);
}

static inline int two_ask(void *core, struct gateway_ask *ask) {
    struct gateway_node *node = core;
    struct carried *carried = calloc(1, sizeof(*carried));
    check(carried != NULL && ask->worker == node->worker.index);
    *carried = (struct carried){.all = node->all, .asker = node, .ask = ask};
    ask->parcel.deliver = two_on_answer_delivered;
    atomic_fetch_add(&node->asked, 1);
    two_carry(carried);
    return STATUS_OK;
}

static inline void two_parked_end(struct two_gateways *all, void (*end)(struct carried *carried)) {
    pthread_mutex_lock(&all->mutex);
    struct carried *carried = all->parked;
    all->parked = NULL;
    pthread_mutex_unlock(&all->mutex);
    while (carried != NULL) {
        struct carried *next = carried->next;
        end(carried);
        carried = next;
    }
}

static inline void two_expire_one(struct carried *carried) {
    two_answer(carried, STATUS_SERVICE_UNAVAILABLE, BYTES_ABSENT);
}

/* The deadline of every question that waits for a leader has come. */
static inline void two_expire(struct two_gateways *all) {
    two_parked_end(all, two_expire_one);
}

static inline void two_release(struct two_gateways *all) {
    atomic_store(&all->held, 0);
    two_parked_end(all, two_carry);
}

static inline void two_lead(struct two_gateways *all, const struct id_hash *subject, unsigned leader) {
    atomic_store(&all->leaders[two_range_of(subject)], leader);
    atomic_fetch_add(&all->epochs[two_range_of(subject)], 1);
    if (leader != NOBODY)
        two_parked_end(all, two_carry);
}

/* ---- what is listened to; under the mutex ---- */

static inline struct two_listened **two_listened_find(struct gateway_node *node, const struct id_hash *subject) {
    struct two_listened **link = &node->listened;
    while (*link != NULL && !id_hash_equal(&(*link)->subject, subject))
        link = &(*link)->next;
    return link;
}

static inline void two_tell(struct gateway_node *node, const struct change *change, uint64_t from_offset) {
    struct broadcast *broadcast = broadcast_new(change, 1, 1);
    if (from_offset != 0)
        broadcast_covers_from(broadcast, from_offset);
    if (worker_post(&node->worker, broadcast_parcel(broadcast, 0)) != STATUS_OK)
        broadcast_release(broadcast);
}

static inline void two_publish(struct two_gateways *all, const struct outcome *outcome) {
    for (const struct outcome_change *each = outcome->changes; each != NULL; each = each->next) {
        for (unsigned i = 0; i < GATEWAYS; i++) {
            struct two_listened *listened = *two_listened_find(&all->nodes[i], &each->change.subject);
            if (listened == NULL)
                continue;
            two_tell(&all->nodes[i], &each->change, 0);
            if (listened->next_offset != 0 && each->change.offset != 0)
                listened->next_offset = each->change.offset + 1;
        }
    }
}

/* From the store of the node that leads the thread, as it is now. */
static inline void two_repeat(struct gateway_node *node, struct two_listened *listened) {
    struct fixture *store = &node->all->nodes[two_leader_of(node->all, &listened->subject)].store;
    struct store_transaction *transaction;
    struct thread_view view;
    struct change *changes;
    size_t count;
    bool is_complete;
    check(store_begin_read(store->store, &transaction) == STATUS_OK);
    struct apply_context context = fixture_context(store, transaction);
    check(thread_view_open_whole(&view, &context, &listened->subject) == STATUS_OK);
    check(thread_view_changes(&view, listened->next_offset, SIZE_MAX, &changes, &count, &is_complete) == STATUS_OK);
    for (size_t i = 0; i < count; i++) {
        two_tell(node, &changes[i], listened->next_offset);
        listened->next_offset = changes[i].offset + 1;
    }
    listened->next_offset = view.counters.offset + 1;
    store_abort(transaction);
}

static inline void two_listen(void *core, const struct id_hash *subject, uint64_t next_offset) {
    struct gateway_node *node = core;
    pthread_mutex_lock(&node->all->mutex);
    struct two_listened **link = two_listened_find(node, subject);
    bool is_new = *link == NULL;
    if (is_new) {
        *link = calloc(1, sizeof(**link));
        check(*link != NULL);
        (*link)->subject = *subject;
    }
    (*link)->count++;
    if (next_offset == 0) {
        gateway_look_again(&node->gateway_worker, subject);
    } else if (is_new || (*link)->next_offset > next_offset) {
        (*link)->next_offset = next_offset;
        two_repeat(node, *link);
    }
    if (next_offset != 0 && !node->all->is_far)
        gateway_listening(&node->gateway_worker, subject);
    pthread_mutex_unlock(&node->all->mutex);
}

static inline void two_in_force(struct two_gateways *all) {
    pthread_mutex_lock(&all->mutex);
    for (unsigned i = 0; i < GATEWAYS; i++)
        for (struct two_listened *each = all->nodes[i].listened; each != NULL; each = each->next)
            gateway_listening(&all->nodes[i].gateway_worker, &each->subject);
    all->is_far = false;
    pthread_mutex_unlock(&all->mutex);
}

static inline void two_unlisten(void *core, const struct id_hash *subject) {
    struct gateway_node *node = core;
    pthread_mutex_lock(&node->all->mutex);
    struct two_listened **link = two_listened_find(node, subject);
    struct two_listened *listened = *link;
    check(listened != NULL);
    if (--listened->count == 0) {
        *link = listened->next;
        free(listened);
    }
    pthread_mutex_unlock(&node->all->mutex);
}

static inline struct command_result two_apply(struct two_gateways *all, struct command *command) {
    struct command_result result = {.rc = STATUS_NOT_PRIMARY};
    unsigned leader = two_leader_of(all, &command->subject);
    struct outcome outcome = {0};
    for (unsigned i = 0; i < GATEWAYS; i++) {
        struct fixture *store = &all->nodes[i].store;
        if (i != leader && !all->is_replicated)
            continue;
        check(fixture_apply(store, command) == store->outcome.result.rc);
        outcome = store->outcome;
        result = outcome.result;
    }
    two_publish(all, &outcome);
    for (struct outcome_follow_up *each = outcome.follow_ups; each != NULL; each = each->next) {
        for (size_t i = 0; i < each->row.users_count && !each->row.is_purge; i++) {
            struct command told = {.kind = COMMAND_USER_THREAD,
                                   .subject = each->row.users[i].hash,
                                   .thread_hash = each->subject,
                                   .thread_id = each->row.thread_id,
                                   .membership = each->row.membership,
                                   .offset = each->row.offset,
                                   .topic = each->row.topic,
                                   .last_message_ms = each->row.last_message_ms};
            two_apply(all, &told);
        }
    }
    return result;
}

static inline void two_on_reply_delivered(void *receiver, struct parcel *parcel) {
    struct reply *reply = (struct reply *)parcel;
    reply->on_answer(gateway_worker_of(receiver), reply);
}

static inline int two_propose(void *core, struct entry *entry) {
    struct gateway_node *node = core;
    struct reply *reply = entry->reply_to;
    if (atomic_load(&node->is_mute)) {
        check(node->kept == NULL);
        node->kept = entry;
        return STATUS_OK;
    }
    pthread_mutex_lock(&node->all->mutex);
    bool leads = two_leader_of(node->all, &entry->command.subject) == node->index;
    reply->result = (struct command_result){.rc = STATUS_NOT_PRIMARY};
    if (leads)
        reply->result = two_apply(node->all, &entry->command);
    if (leads && atomic_exchange(&node->loses_next, false)) {
        reply->result = (struct command_result){.rc = STATUS_NOT_PRIMARY};
        atomic_store(&node->all->leaders[two_range_of(&entry->command.subject)], 1 - node->index);
    }
    pthread_mutex_unlock(&node->all->mutex);
    reply->copies = 1;
    reply->parcel.deliver = two_on_reply_delivered;
    if (worker_post(&node->worker, &reply->parcel) != STATUS_OK)
        free(reply);
    entry_free(entry);
    return STATUS_OK;
}

static inline int two_notice(void *core, const struct change *change) {
    (void)change;
    atomic_fetch_add(&((struct gateway_node *)core)->notices, 1);
    return STATUS_OK;
}

/* ---- the nodes ---- */

static inline void two_on_call(struct worker *worker, struct http_call *call) {
    const struct http_route_table tables[] = {chat_routes, identity_routes, trouter_routes, realtime_routes};
    const struct http_route *route = router_find(tables, sizeof(tables) / sizeof(tables[0]), call);
    if (route != NULL)
        forward_call(worker, route, call);
}

static inline void two_on_start(struct worker *worker) {
    gateway_worker_of(worker)->sessions = session_table_new();
    gateway_worker_of(worker)->tokens = token_cache_new();
}

static inline void two_on_stop(struct worker *worker) {
    session_table_free(gateway_worker_of(worker)->sessions);
    token_cache_free(gateway_worker_of(worker)->tokens);
}

static inline void two_node_open(struct two_gateways *all, unsigned index) {
    static const uint8_t seed[TOKEN_SEED_BYTES] = {5};
    struct gateway_node *node = &all->nodes[index];
    char error[256];
    node->all = all;
    node->index = index;
    fixture_open(&node->store);
    config_defaults(&node->config);
    node->settings = (struct settings){
        .resource_id = "r", .range_count = RANGES, .primary_key = BYTES_LITERAL("0123456789abcdef0123456789abcdef")};
    memcpy(node->settings.hash_key, node->store.hash_key, ID_HASH_KEY_BYTES);
    node->gateway = (struct gateway){.config = &node->config,
                                     .settings = &node->settings,
                                     .store = node->store.store,
                                     .master = &node->store.master,
                                     .access_keys = {.primary = node->settings.primary_key},
                                     .workers = &node->gateway_worker,
                                     .workers_count = 1,
                                     .node_id = index + 1,
                                     .core = node,
                                     .propose = two_propose,
                                     .notice = two_notice,
                                     .place = two_place,
                                     .reign = two_reign,
                                     .others = two_others,
                                     .range_of = two_hook_range_of,
                                     .ask = two_ask,
                                     .listen = all->is_listening ? two_listen : NULL,
                                     .unlisten = all->is_listening ? two_unlisten : NULL,
                                     .endpoints = endpoint_registry_new(),
                                     .presence = presence_new()};
    token_key_from_seed(&node->gateway.token_key, seed);
    node->gateway_worker = (struct gateway_worker){.gateway = &node->gateway, .worker = &node->worker};
    struct listen_address address = {.host = "127.0.0.1"};
    struct worker_options options = {.context = &node->gateway_worker,
                                     .handler = two_on_call,
                                     .addresses = &address,
                                     .addresses_count = 1,
                                     .stop_ms = 1000,
                                     .on_start = two_on_start,
                                     .on_stop = two_on_stop};
    check(worker_init(&node->worker, &options, error, sizeof(error)) == STATUS_OK);
    check(worker_start(&node->worker) == STATUS_OK);
}

static inline void two_node_stop(struct gateway_node *node) {
    if (node->is_stopped)
        return;
    node->is_stopped = true;
    worker_stop(&node->worker);
    worker_join(&node->worker);
}

/* Must not move afterwards. Even ranges are led by the first node, odd ones by the second. */
static inline void two_open_with(struct two_gateways *all, bool is_replicated, bool is_listening) {
    memset(all, 0, sizeof(*all));
    all->is_replicated = is_replicated;
    all->is_listening = is_listening;
    arena_init(&all->arena);
    check(pthread_mutex_init(&all->mutex, NULL) == 0);
    for (unsigned i = 0; i < RANGES; i++) {
        atomic_store(&all->leaders[i], i % GATEWAYS);
        atomic_store(&all->epochs[i], 1);
    }
    for (unsigned i = 0; i < GATEWAYS; i++)
        two_node_open(all, i);
}

static inline void two_open(struct two_gateways *all, bool is_replicated) {
    two_open_with(all, is_replicated, false);
}

static inline void two_close(struct two_gateways *all) {
    for (unsigned i = 0; i < GATEWAYS; i++)
        two_node_stop(&all->nodes[i]);
    two_expire(all);
    for (unsigned i = 0; i < GATEWAYS; i++) {
        struct gateway_node *node = &all->nodes[i];
        worker_close(&node->worker);
        endpoint_registry_free(node->gateway.endpoints);
        presence_free(node->gateway.presence);
        if (node->kept != NULL) {
            free(node->kept->reply_to);
            entry_free(node->kept);
        }
        fixture_close(&node->store);
    }
    pthread_mutex_destroy(&all->mutex);
    arena_close(&all->arena);
}

static inline void two_wait_for(const char *what, atomic_int *counter, int least) {
    const struct timespec moment = {.tv_nsec = 2 * 1000 * 1000};
    time_t deadline = time(NULL) + CLIENT_DEADLINE_S;
    while (atomic_load(counter) < least) {
        if (time(NULL) > deadline) {
            fprintf(stderr, "never came: %s\n", what);
            abort();
        }
        nanosleep(&moment, NULL);
    }
}

/* ---- users ---- */

struct two_user {
    struct bytes id;
    struct id_hash hash;
    struct bytes token;
};

static inline struct bytes two_token(struct two_gateways *all, struct bytes user_id, int64_t issued_s) {
    struct token_claims claims = {.user_id = user_id,
                                  .resource_id = BYTES_LITERAL("r"),
                                  .scopes = TOKEN_SCOPE_CHAT,
                                  .issued_s = issued_s,
                                  .expires_s = worker_wall_ms() / 1000 + 3600};
    return token_mint(&all->arena, &all->nodes[0].gateway.token_key, &claims);
}

/* An id of a user, not made yet, whose range that node leads. */
static inline struct two_user two_user_id(struct two_gateways *all, unsigned leader) {
    static uint32_t number;
    uint8_t entropy[USER_ID_ENTROPY_BYTES] = {0};
    struct two_user user;
    do {
        number++;
        memcpy(entropy, &number, sizeof(number));
        user.id = user_id_make(&all->arena, BYTES_LITERAL("r"), entropy);
        user.hash = fixture_hash(&all->nodes[0].store, user.id);
    } while (two_leader_of(all, &user.hash) != leader);
    user.token = two_token(all, user.id, worker_wall_ms() / 1000);
    return user;
}

static inline struct two_user two_user(struct two_gateways *all, unsigned leader) {
    struct two_user user = two_user_id(all, leader);
    struct command command = {.kind = COMMAND_USER_CREATE, .subject = user.hash, .user_id = user.id};
    pthread_mutex_lock(&all->mutex);
    command.wrapped_key = fixture_key(&all->nodes[0].store, &user.hash);
    check(two_apply(all, &command).rc == STATUS_OK);
    pthread_mutex_unlock(&all->mutex);
    return user;
}

/* A repeatability id with which this user makes a thread whose range that node leads. */
static inline struct bytes two_repeatability_id(struct two_gateways *all, const struct two_user *user,
                                                unsigned leader) {
    static unsigned number;
    struct caller caller = {.user_id = user->id, .hash = user->hash};
    for (;;) {
        struct bytes id = arena_printf(&all->arena, "repeat-%u", ++number);
        struct bytes thread = chat_thread_id_choose(&all->nodes[0].gateway_worker, &all->arena, &caller, id);
        struct id_hash hash = fixture_hash(&all->nodes[0].store, thread);
        if (two_leader_of(all, &hash) == leader)
            return id;
    }
}

/* ---- clients ---- */

struct client_answer {
    int status;
    const char *text; /* head and body */
};

static inline int two_connect(struct gateway_node *node) {
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(node->worker.ports[0]), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval deadline = {.tv_sec = CLIENT_DEADLINE_S};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof(deadline));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &deadline, sizeof(deadline));
    check(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
    return fd;
}

static inline void two_write(int fd, struct bytes text) {
    for (size_t at = 0; at < text.size;) {
        ssize_t sent = send(fd, text.data + at, text.size - at, MSG_NOSIGNAL);
        check(sent > 0);
        at += (size_t)sent;
    }
}

/* Everything until the server closes. */
static inline struct client_answer two_read(struct arena *arena, int fd) {
    char *text = malloc(ANSWER_BYTES_MAX + 1);
    size_t size = 0;
    ssize_t received;
    check(text != NULL);
    while (size < ANSWER_BYTES_MAX && (received = recv(fd, text + size, ANSWER_BYTES_MAX - size, 0)) > 0)
        size += (size_t)received;
    struct bytes copy = arena_copy(arena, bytes_of(text, size));
    free(text);
    close(fd);
    struct client_answer answer = {.text = (const char *)copy.data};
    if (size < 12 || sscanf(answer.text, "HTTP/1.1 %d", &answer.status) != 1)
        answer.status = 0;
    return answer;
}

/* As the user; `headers` has whole lines. The host is "node-0.example" or "node-1.example". */
static inline struct client_answer two_call(struct two_gateways *all, struct arena *arena, unsigned at,
                                            const struct two_user *user, const char *method, const char *target,
                                            const char *headers, const char *body) {
    int fd = two_connect(&all->nodes[at]);
    two_write(fd, arena_printf(arena,
                               "%s %s HTTP/1.1\r\nHost: node-%u.example\r\nConnection: close\r\n"
                               "Authorization: Bearer %.*s\r\n%sContent-Length: %zu\r\n\r\n%s",
                               method, target, at, BYTES_ARG(user->token), headers, strlen(body), body));
    return two_read(arena, fd);
}

/* As a trusted service. */
static inline struct client_answer two_service_call(struct two_gateways *all, unsigned at, const char *method,
                                                    struct bytes target, const char *body) {
    struct request_signature signature;
    struct arena *arena = &all->arena;
    int fd = two_connect(&all->nodes[at]);
    access_key_sign(arena, all->nodes[at].settings.primary_key, bytes_of_text(method), target, BYTES_LITERAL("h"),
                    bytes_of_text(body), worker_wall_ms(), &signature);
    two_write(fd,
              arena_printf(arena,
                           "%s %.*s HTTP/1.1\r\nHost: h\r\nConnection: close\r\nx-ms-date: %.*s\r\n"
                           "x-ms-content-sha256: %.*s\r\nAuthorization: %.*s\r\nContent-Length: %zu\r\n\r\n%s",
                           method, BYTES_ARG(target), BYTES_ARG(signature.date), BYTES_ARG(signature.content_sha256),
                           BYTES_ARG(signature.authorization), strlen(body), body));
    return two_read(arena, fd);
}

/* What stands in the JSON text behind `"name":"` up to the next quotation mark; absent if it is not there. */
static inline struct bytes two_member(const char *text, const char *name) {
    char key[64];
    snprintf(key, sizeof(key), "\"%s\":\"", name);
    const char *found = text == NULL ? NULL : strstr(text, key);
    if (found == NULL)
        return BYTES_ABSENT;
    found += strlen(key);
    return bytes_of(found, strcspn(found, "\""));
}

/* How often the text has it. */
static inline size_t two_count(const char *text, const char *wanted) {
    size_t count = 0;
    for (const char *at = strstr(text, wanted); at != NULL; at = strstr(at + 1, wanted))
        count++;
    return count;
}
