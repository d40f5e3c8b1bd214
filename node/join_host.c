#include "node/join_host.h"

#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "node/log.h"
#include "proto/check.h"
#include "proto/status.h"

#define CHALLENGE_RANDOM_BYTES 16
#define CHALLENGE_MAC_BYTES 16
#define CHALLENGE_SAID_BYTES (JOIN_CHALLENGE_BYTES - CHALLENGE_MAC_BYTES)
#define ADDRESS_BUCKETS 256 /* addresses share them by chance; whoever has very many gets no more than all of these */

_Static_assert(CHALLENGE_SAID_BYTES == 8 + CHALLENGE_RANDOM_BYTES, "a challenge is its end, chance and a hash");

struct used_challenge {
    uint8_t bytes[JOIN_CHALLENGE_BYTES];
    int64_t until_ms; /* 0: none is here */
};

/* How many wrong proofs of its addresses may still be looked at. */
struct bucket {
    double left;
    int64_t filled_ms;
};

struct join_host {
    const struct config *config;
    struct join_keys keys;
    uint8_t fingerprint[JOIN_FINGERPRINT_BYTES];
    uint8_t own_key[crypto_generichash_KEYBYTES]; /* of this process: challenges, and which bucket an address has */
    pthread_mutex_t mutex;                        /* guards what follows */
    struct used_challenge used[JOIN_ANSWERS_MAX];
    struct bucket buckets[ADDRESS_BUCKETS];
};

int join_host_new(const struct config *config, struct bytes secret, const struct seal_key *master,
                  struct join_host **out) {
    struct join_host *host = calloc(1, sizeof(*host));
    check(host != NULL);
    *out = NULL;
    host->config = config;
    int rc = join_keys_derive(secret, &host->keys);
    if (rc != STATUS_OK) {
        free(host);
        return rc;
    }
    join_fingerprint(master->bytes, host->fingerprint);
    randombytes_buf(host->own_key, sizeof(host->own_key));
    check(pthread_mutex_init(&host->mutex, NULL) == 0);
    for (size_t i = 0; i < ADDRESS_BUCKETS; i++)
        host->buckets[i].left = JOIN_WRONG_BURST;
    *out = host;
    return STATUS_OK;
}

void join_host_free(struct join_host *host) {
    if (host == NULL)
        return;
    pthread_mutex_destroy(&host->mutex);
    sodium_memzero(host, sizeof(*host));
    free(host);
}

/* ---- challenges ---- */

static void own_hash(const struct join_host *host, struct bytes message, uint8_t *hash, size_t size) {
    check(crypto_generichash(hash, size, message.data, message.size, host->own_key, sizeof(host->own_key)) == 0);
}

static void challenge_make(const struct join_host *host, int64_t now_ms, uint8_t challenge[JOIN_CHALLENGE_BYTES]) {
    uint64_t until_ms = (uint64_t)now_ms + JOIN_CHALLENGE_MS;
    for (size_t i = 0; i < 8; i++)
        challenge[i] = (uint8_t)(until_ms >> (56 - 8 * i));
    randombytes_buf(challenge + 8, CHALLENGE_RANDOM_BYTES);
    own_hash(host, bytes_of(challenge, CHALLENGE_SAID_BYTES), challenge + CHALLENGE_SAID_BYTES, CHALLENGE_MAC_BYTES);
}

static int64_t challenge_until_ms(const uint8_t challenge[JOIN_CHALLENGE_BYTES]) {
    uint64_t until_ms = 0;
    for (size_t i = 0; i < 8; i++)
        until_ms = until_ms << 8 | challenge[i];
    return (int64_t)until_ms;
}

static bool challenge_is_good(const struct join_host *host, const uint8_t challenge[JOIN_CHALLENGE_BYTES],
                              int64_t now_ms) {
    uint8_t mac[CHALLENGE_MAC_BYTES];
    own_hash(host, bytes_of(challenge, CHALLENGE_SAID_BYTES), mac, sizeof(mac));
    return sodium_memcmp(mac, challenge + CHALLENGE_SAID_BYTES, sizeof(mac)) == 0 &&
           challenge_until_ms(challenge) > now_ms;
}

/* Remembers it. Only questions with a right proof come here, so nobody else can fill the table. */
static int challenge_use(struct join_host *host, const uint8_t challenge[JOIN_CHALLENGE_BYTES], int64_t now_ms) {
    struct used_challenge *room = NULL;
    for (size_t i = 0; i < JOIN_ANSWERS_MAX; i++) {
        struct used_challenge *used = &host->used[i];
        if (used->until_ms <= now_ms)
            room = used;
        else if (memcmp(used->bytes, challenge, sizeof(used->bytes)) == 0)
            return STATUS_CONFLICT;
    }
    if (room == NULL)
        return STATUS_TOO_MANY_REQUESTS;
    memcpy(room->bytes, challenge, sizeof(room->bytes));
    room->until_ms = challenge_until_ms(challenge);
    return STATUS_OK;
}

/* ---- wrong proofs ---- */

static struct bucket *bucket_find(struct join_host *host, struct bytes address, int64_t now_ms) {
    uint8_t hash[crypto_generichash_BYTES_MIN];
    own_hash(host, address, hash, sizeof(hash));
    struct bucket *bucket = &host->buckets[hash[0] % ADDRESS_BUCKETS];
    bucket->left += (double)(now_ms - bucket->filled_ms) * JOIN_WRONG_PER_MINUTE / 60000;
    if (bucket->left > JOIN_WRONG_BURST)
        bucket->left = JOIN_WRONG_BURST;
    bucket->filled_ms = now_ms;
    return bucket;
}

static int question_admit(struct join_host *host, struct bytes address, const struct join_request *question,
                          int64_t now_ms, const char **reason) {
    struct bucket *bucket = bucket_find(host, address, now_ms);
    *reason = "too many nodes ask to join, or ask with a wrong secret";
    if (bucket->left < 1)
        return STATUS_TOO_MANY_REQUESTS;
    if (!join_question_is_proven(question, &host->keys)) {
        bucket->left--;
        log_warning("a node at %.*s asks to join with another secret than this cluster's, and is refused",
                    BYTES_ARG(address));
        *reason = "the secret of the node that asks is not the one of this cluster";
        return STATUS_FORBIDDEN;
    }
    int rc = challenge_is_good(host, question->challenge, now_ms) ? challenge_use(host, question->challenge, now_ms)
                                                                  : STATUS_CONFLICT;
    if (rc == STATUS_CONFLICT) {
        log_warning("a question of a node at %.*s to join is repeated or too old, and is refused", BYTES_ARG(address));
        *reason = "the challenge is too old, was used already, or is of another node; ask again";
    }
    return rc;
}

/* ---- facts ---- */

/* A file that is not configured is empty. */
static int file_read(const char *path, struct arena *arena, struct bytes *content) {
    char *text = arena_alloc(arena, JOIN_FILE_BYTES_MAX + 1);
    *content = BYTES_LITERAL("");
    if (path[0] == '\0')
        return STATUS_OK;
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        log_error("%s cannot be read, and a node that asks to join needs it", path);
        return STATUS_INTERNAL_ERROR;
    }
    size_t size = fread(text, 1, JOIN_FILE_BYTES_MAX + 1, file);
    bool is_read = ferror(file) == 0;
    fclose(file);
    if (!is_read || size > JOIN_FILE_BYTES_MAX) {
        log_error("%s %s, and a node that asks to join needs it", path,
                  is_read ? "is longer than 32 KB" : "cannot be read");
        return STATUS_INTERNAL_ERROR;
    }
    *content = bytes_of(text, size);
    return STATUS_OK;
}

/* Clients that trust the authority of one node then trust all of them. A certificate of the operator's comes with its
 * own. */
static int authority_read(const struct config *config, struct arena *arena, struct join_facts *facts) {
    if (config->tls_cert_file[0] != '\0')
        return STATUS_OK;
    int rc = file_read(arena_text(arena, arena_printf(arena, "%s/tls/ca.pem", config->data)), arena, &facts->tls_ca);
    if (rc == STATUS_OK)
        rc = file_read(arena_text(arena, arena_printf(arena, "%s/tls/ca-key.pem", config->data)), arena,
                       &facts->tls_ca_key);
    return rc;
}

static int facts_read(const struct join_host *host, struct arena *arena, struct join_facts *facts) {
    const struct config *config = host->config;
    *facts = (struct join_facts){.cluster_name = bytes_of_text(config->cluster_name),
                                 .etcd_endpoints = bytes_of_text(config->etcd_endpoints),
                                 .etcd_user = bytes_of_text(config->etcd_user),
                                 .etcd_password = bytes_of_text(config->etcd_password),
                                 .node_name = bytes_of_text(config->node_name),
                                 .peer_address = bytes_of_text(config->peer_address),
                                 .replication_factor = (uint32_t)config->replication_factor,
                                 .min_in_sync = (uint32_t)config->min_in_sync};
    memcpy(facts->fingerprint, host->fingerprint, sizeof(facts->fingerprint));
    if (facts->peer_address.size == 0) {
        bool is_ipv6 = strchr(config->peer_listen.host, ':') != NULL;
        facts->peer_address = arena_printf(arena, "%s%s%s:%u", is_ipv6 ? "[" : "", config->peer_listen.host,
                                           is_ipv6 ? "]" : "", (unsigned)config->peer_listen.port);
    }
    int rc = file_read(config->etcd_ca_file, arena, &facts->etcd_ca);
    if (rc == STATUS_OK)
        rc = file_read(config->etcd_cert_file, arena, &facts->etcd_cert);
    if (rc == STATUS_OK)
        rc = file_read(config->etcd_key_file, arena, &facts->etcd_key);
    return rc == STATUS_OK ? authority_read(config, arena, facts) : rc;
}

/* The arena has read keys. */
static void files_wipe(struct join_facts *facts) {
    const struct bytes keys[] = {facts->etcd_key, facts->tls_ca_key};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (keys[i].size > 0)
            sodium_memzero((uint8_t *)(uintptr_t)keys[i].data, keys[i].size);
}

static int facts_tell(const struct join_host *host, const struct join_request *question, struct buffer *answer,
                      const char **reason) {
    struct arena arena;
    struct join_facts facts;
    uint8_t secret_key[JOIN_KEY_BYTES];
    arena_init(&arena);
    *reason = "the node that was asked cannot read what it would have to tell; its log says more";
    int rc = facts_read(host, &arena, &facts);
    if (rc == STATUS_OK) {
        randombytes_buf(secret_key, sizeof(secret_key));
        rc = join_answer_encode(question, &host->keys, secret_key, &facts, answer);
        sodium_memzero(secret_key, sizeof(secret_key));
        if (rc != STATUS_OK)
            *reason = "the key in the question is none";
        files_wipe(&facts);
    }
    arena_close(&arena);
    return rc == STATUS_MALFORMED ? STATUS_BAD_REQUEST : rc;
}

/* ---- messages ---- */

static int question_answer(struct join_host *host, struct bytes address, const struct join_request *question,
                           int64_t now_ms, struct buffer *answer, const char **reason) {
    pthread_mutex_lock(&host->mutex);
    int rc = question_admit(host, address, question, now_ms, reason);
    pthread_mutex_unlock(&host->mutex);
    if (rc == STATUS_OK)
        rc = facts_tell(host, question, answer, reason);
    if (rc == STATUS_OK)
        log_info("a node at %.*s was told how to join", BYTES_ARG(address));
    return rc;
}

int join_host_answer(struct join_host *host, struct bytes address, struct bytes message, int64_t now_ms,
                     struct buffer *answer, const char **reason) {
    struct join_request request;
    uint8_t challenge[JOIN_CHALLENGE_BYTES];
    *reason = "a question to join has at most 256 bytes";
    if (message.size > JOIN_REQUEST_BYTES_MAX)
        return STATUS_REQUEST_ENTITY_TOO_LARGE;
    int rc = join_request_decode(message, &request);
    if (rc != STATUS_OK) {
        *reason = rc == STATUS_NOT_IMPLEMENTED ? "the question to join is of another version of Weft"
                                               : "the body is no question to join";
        return STATUS_BAD_REQUEST;
    }
    if (request.kind == JOIN_QUESTION)
        return question_answer(host, address, &request, now_ms, answer, reason);
    challenge_make(host, now_ms, challenge);
    join_challenge_encode(challenge, answer);
    return STATUS_OK;
}
