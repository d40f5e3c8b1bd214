#include "node/joining.h"

#include <sodium.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "node/cluster_keys.h"
#include "node/config_learn.h"
#include "node/join_http.h"
#include "node/joined_files.h"
#include "node/log.h"
#include "node/reaching.h"
#include "node/secret_file.h"
#include "node/secret_line.h"
#include "proto/check.h"
#include "proto/join.h"

#define PAUSE_MS 500
#define PEER_PORT 8600 /* as in the documentation; another one where it is taken */
#define PATH_BYTES_MAX 512
#define SAID_BYTES_MAX 256 /* of a refusal, in the log */

struct joining {
    struct config *config;
    struct join_keys keys;
    struct arena arena; /* of the facts */
    struct join_facts facts;
};

static bool file_exists(const struct config *config, const char *name) {
    char path[PATH_BYTES_MAX];
    snprintf(path, sizeof(path), "%s/%s", config->data, name);
    return access(path, F_OK) == 0;
}

/* ---- asking ---- */

/* What a stranger says must not look like lines of our log. */
static const char *quote(const struct buffer *body, char text[SAID_BYTES_MAX]) {
    size_t size = body->size < SAID_BYTES_MAX - 1 ? body->size : SAID_BYTES_MAX - 1;
    for (size_t i = 0; i < size; i++)
        text[i] = body->data[i] >= ' ' && body->data[i] < 0x7f ? (char)body->data[i] : '?';
    text[size] = '\0';
    return text;
}

static int refusal_status(const struct join_http_answer *answer, const char *address) {
    char said[SAID_BYTES_MAX];
    switch (answer->status) {
    case 200:
        return STATUS_OK;
    case 403:
        log_error("join %s: the cluster secret of this node (cluster_secret_file) is not the one of the cluster there",
                  address);
        return STATUS_FORBIDDEN;
    case 404:
    case 405:
        log_error("join %s: nobody there knows how to join; is it the address for clients of a Weft node?", address);
        return STATUS_NOT_FOUND;
    default:
        /* A challenge that is used or too old, too many questions, a node that is just starting or ending. */
        log_warning("join %s: it answers %ld: %s", address, answer->status, quote(&answer->body, said));
        return answer->status == 409 || answer->status == 429 || answer->status >= 500 ? STATUS_SERVICE_UNAVAILABLE
                                                                                       : STATUS_BAD_REQUEST;
    }
}

static int post(struct joining *self, struct join_http *http, struct bytes body, struct join_http_answer *answer) {
    const char *address = self->config->join;
    int rc = join_http_post(http, body, answer);
    if (rc != STATUS_OK)
        log_warning("join %s: nobody answers there: %s", address, answer->error);
    return rc == STATUS_OK ? refusal_status(answer, address) : rc;
}

static int challenge_get(struct joining *self, struct join_http *http, uint8_t challenge[JOIN_CHALLENGE_BYTES]) {
    struct join_http_answer answer;
    struct buffer hello;
    join_http_answer_init(&answer);
    buffer_init(&hello);
    join_hello_encode(&hello);
    int rc = post(self, http, buffer_bytes(&hello), &answer);
    if (rc == STATUS_OK && join_challenge_decode(buffer_bytes(&answer.body), challenge) != STATUS_OK) {
        log_error("join %s: what answers there is no Weft node of this version", self->config->join);
        rc = STATUS_MALFORMED;
    }
    buffer_close(&hello);
    join_http_answer_close(&answer);
    return rc;
}

static int facts_get(struct joining *self, struct join_http *http, const struct join_request *question,
                     const uint8_t secret_key[JOIN_KEY_BYTES]) {
    struct join_http_answer answer;
    struct buffer body;
    join_http_answer_init(&answer);
    buffer_init(&body);
    join_question_encode(question, &body);
    int rc = post(self, http, buffer_bytes(&body), &answer);
    if (rc == STATUS_OK) {
        rc =
            join_answer_open(buffer_bytes(&answer.body), question, &self->keys, secret_key, &self->arena, &self->facts);
        if (rc != STATUS_OK)
            log_error("join %s: the answer is not one of a node that has this cluster secret (cluster_secret_file)",
                      self->config->join);
    }
    buffer_close(&body);
    join_http_answer_close(&answer);
    return rc;
}

static int ask_once(struct joining *self) {
    uint8_t challenge[JOIN_CHALLENGE_BYTES];
    uint8_t secret_key[JOIN_KEY_BYTES];
    struct join_request question;
    struct join_http *http = join_http_new(self->config->join);
    int rc = challenge_get(self, http, challenge);
    if (rc == STATUS_OK) {
        randombytes_buf(secret_key, sizeof(secret_key));
        join_question_make(&self->keys, challenge, secret_key, &question);
        rc = facts_get(self, http, &question, secret_key);
        sodium_memzero(secret_key, sizeof(secret_key));
    }
    join_http_free(http);
    return rc;
}

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Machines that start together start in any order. */
static int ask(struct joining *self) {
    bool may_wait = !self->config->has_joined;
    int64_t until_ms = now_ms() + JOIN_ASK_S * 1000;
    int rc = ask_once(self);
    while (rc == STATUS_SERVICE_UNAVAILABLE && may_wait && now_ms() < until_ms) {
        nanosleep(&(struct timespec){.tv_nsec = PAUSE_MS * 1000000L}, NULL);
        rc = ask_once(self);
    }
    return rc;
}

/* ---- does it fit? ---- */

/* Before anything of the folder is touched: it may be that of another cluster's node. */
static int folder_check(const struct joining *self) {
    struct seal_key master;
    uint8_t fingerprint[JOIN_FINGERPRINT_BYTES];
    const char *reason = "";
    const struct config *config = self->config;
    if (!file_exists(config, "master.key"))
        return STATUS_OK;
    int rc = master_key_load(config->data, &master, &reason);
    if (rc != STATUS_OK) {
        log_error("data folder %s: %s", config->data, reason);
        return rc;
    }
    join_fingerprint(master.bytes, fingerprint);
    sodium_memzero(&master, sizeof(master));
    if (memcmp(fingerprint, self->facts.fingerprint, sizeof(fingerprint)) == 0)
        return STATUS_OK;
    log_error("join %s: the data folder %s belongs to another cluster, or has data of a node alone; a node joins with "
              "an empty one",
              config->join, config->data);
    return STATUS_CONFLICT;
}

/* Under another name it would begin a cluster of its own beside this one. */
static int name_check(const struct joining *self) {
    const struct config *config = self->config;
    if (!config_is_given(config, "cluster_name") || bytes_equal_text(self->facts.cluster_name, config->cluster_name))
        return STATUS_OK;
    log_error("join %s: cluster_name is %s here and %.*s there; leave it out", config->join, config->cluster_name,
              BYTES_ARG(self->facts.cluster_name));
    return STATUS_CONFLICT;
}

static bool are_of_loopback(const char *endpoints) {
    for (endpoints += strspn(endpoints, " "); *endpoints != '\0'; endpoints += strspn(endpoints, " ")) {
        const char *host = strstr(endpoints, "://");
        bool is_of_loopback = host != NULL && (strncmp(host, "://127.", 7) == 0 || strncmp(host, "://[::1]", 8) == 0 ||
                                               strncmp(host, "://localhost", 12) == 0);
        if (!is_of_loopback)
            return false;
        endpoints += strcspn(endpoints, " ");
    }
    return true;
}

/* ---- taking over what was told ---- */

static int problems_log(const char *what, const struct buffer *problems) {
    if (problems->size == 0)
        return STATUS_OK;
    log_error("%s: %.*s", what, (int)problems->size - 1, (const char *)problems->data);
    return STATUS_CONFLICT;
}

/* ---- addresses ---- */

static void address_set(struct config_address *address, const char *host, uint16_t port) {
    if (!address->is_on)
        address->port = port;
    address->is_on = true;
    snprintf(address->host, sizeof(address->host), "%s", host);
}

static bool is_any_address(const char *host) {
    return strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

/* Of what is not configured: this node listens where it reaches the others from. */
static void addresses_choose(struct config *config, const struct reached *reached) {
    bool is_ipv6 = strchr(reached->from, ':') != NULL;
    if (!config_is_given(config, "listen"))
        address_set(&config->listen, reached->from, 0);
    if (!config_is_given(config, "peer_listen") || !config->peer_listen.is_on)
        address_set(&config->peer_listen, reached->from, PEER_PORT);
    if (is_any_address(config->peer_listen.host) && !config_is_given(config, "peer_address"))
        snprintf(config->peer_address, sizeof(config->peer_address), "%s%s%s:%u", is_ipv6 ? "[" : "", reached->from,
                 is_ipv6 ? "]" : "", (unsigned)config->peer_listen.port);
}

static bool is_loopback(const char *host) {
    return strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0;
}

/* Loopback addresses, of other nodes and of etcd, mean something on the machine of the node that was asked only. */
static int machine_check(const struct joining *self, const struct reached *peer, const struct reached *asked) {
    const struct config *config = self->config;
    bool is_here = is_loopback(peer->from) ? asked->is_this_machine : peer->is_this_machine;
    bool is_etcd_local = are_of_loopback(config->etcd_endpoints);
    if (is_here || (!is_loopback(peer->from) && !is_etcd_local))
        return STATUS_OK;
    if (is_etcd_local)
        log_error("join %s: the node there reaches etcd on its own machine only, at %s; set etcd_endpoints to where it "
                  "is from here",
                  config->join, config->etcd_endpoints);
    else
        log_error(
            "join %s: the node there is reached by others on its own machine only, at %.*s; change its peer_listen "
            "or peer_address",
            config->join, BYTES_ARG(self->facts.peer_address));
    return STATUS_CONFLICT;
}

static int addresses_complete(struct joining *self) {
    struct reached asked;
    struct reached peer;
    struct config *config = self->config;
    int rc = reach(config->join, &asked);
    if (rc == STATUS_OK && reach(arena_text(&self->arena, self->facts.peer_address), &peer) != STATUS_OK)
        peer = asked;
    if (rc != STATUS_OK)
        log_error("join %s: by which address of this machine it is reached cannot be found out", config->join);
    else
        rc = machine_check(self, &peer, &asked);
    if (rc == STATUS_OK)
        addresses_choose(config, &peer);
    return rc;
}

/* ---- all of it ---- */

static int keys_load(struct joining *self) {
    struct bytes secret;
    const char *reason = "";
    const char *path = self->config->cluster_secret_file;
    int rc = secret_line_read(path, CLUSTER_SECRET_CHARACTERS_MIN, &self->arena, &secret, &reason);
    if (rc != STATUS_OK) {
        log_error("cluster_secret_file %s: %s", path, reason);
        return rc;
    }
    rc = join_keys_derive(secret, &self->keys);
    sodium_memzero((uint8_t *)(uintptr_t)secret.data, secret.size);
    if (rc != STATUS_OK)
        log_error("there are no 64 MB of memory to derive the keys of the cluster secret");
    return rc;
}

/* All that can be wrong with it is found before anything is kept. */
static int told_fit(struct joining *self, struct bytes lines, struct buffer *problems) {
    int rc = folder_check(self);
    if (rc == STATUS_OK)
        rc = name_check(self);
    if (rc != STATUS_OK)
        return rc;
    config_learn(self->config, CONFIG_JOINED_FILE, lines, problems);
    rc = problems_log("what the cluster tells this node cannot be used", problems);
    if (rc == STATUS_OK)
        rc = addresses_complete(self);
    if (rc != STATUS_OK)
        return rc;
    config_check(self->config, problems);
    return problems_log("with what the cluster tells this node the configuration has mistakes", problems);
}

static int told_take(struct joining *self) {
    struct config *config = self->config;
    struct buffer lines;
    struct buffer problems;
    buffer_init(&lines);
    buffer_init(&problems);
    joined_lines_write(&self->facts, &lines);
    int rc = told_fit(self, buffer_bytes(&lines), &problems);
    if (rc == STATUS_OK)
        rc = joined_files_write(config, &self->facts, buffer_bytes(&lines));
    if (rc == STATUS_OK)
        rc = joined_addresses_write(config, config->listen.port, config->peer_listen.port);
    if (rc == STATUS_OK)
        log_info("joining cluster %s as %.*s at %s says", config->cluster_name, BYTES_ARG(self->facts.node_name),
                 config->join);
    sodium_memzero(lines.data, lines.size);
    buffer_close(&lines);
    buffer_close(&problems);
    return rc;
}

int joining_prepare(struct config *config) {
    struct joining self = {.config = config};
    if (config->join[0] == '\0')
        return STATUS_OK;
    check(sodium_init() >= 0);
    arena_init(&self.arena);
    bool was_member = config->has_joined;
    int rc = keys_load(&self);
    if (rc == STATUS_OK)
        rc = ask(&self);
    if (rc == STATUS_OK) {
        rc = told_take(&self);
    } else if (rc == STATUS_SERVICE_UNAVAILABLE && was_member) {
        log_warning("join %s: going on with what it said when this node joined", config->join);
        rc = STATUS_OK;
    } else if (rc == STATUS_SERVICE_UNAVAILABLE) {
        log_error("join %s: nobody there has said in %d s how to join", config->join, JOIN_ASK_S);
    }
    sodium_memzero(&self.keys, sizeof(self.keys));
    arena_close(&self.arena);
    return rc;
}
