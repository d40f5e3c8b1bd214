#include "node/coordinator/etcd_announcement.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "node/coordinator/background.h"
#include "node/coordinator/etcd_json.h"
#include "node/log.h"
#include "proto/check.h"
#include "proto/status.h"

#define CALL_MS_MAX 3000
#define REVOKE_MS_MAX 1500 /* somebody waits for the end of the process */
#define PAUSE_AFTER_FAILURE_MS 300

struct etcd_announcement {
    struct etcd_client *client;
    struct buffer key;
    struct buffer value;
    unsigned ttl_s;
    bool is_election;
    pthread_t thread;
    atomic_bool is_ending;
    struct etcd_http *http;
    uint64_t lease; /* of the thread; 0: none */
};

/* `body` is closed. The lease that the answer names and how long it has; other answers have neither. */
static int lease_call(struct etcd_announcement *announcement, struct etcd_http *http, const char *path,
                      struct buffer *body, int64_t ms_max, uint64_t *lease, unsigned *ttl_s) {
    struct buffer answer;
    struct etcd_call call = {.path = path, .body = buffer_bytes(body), .ms_max = ms_max};
    buffer_init(&answer);
    int rc = etcd_client_call(announcement->client, http, &call, &answer);
    if (rc == STATUS_OK && etcd_lease_decode(buffer_bytes(&answer), lease, ttl_s) != STATUS_OK)
        rc = STATUS_SERVICE_UNAVAILABLE;
    buffer_close(&answer);
    buffer_close(body);
    return rc;
}

static int lease_grant(struct etcd_announcement *announcement, uint64_t *lease) {
    struct buffer body;
    unsigned ttl_s = 0;
    buffer_init(&body);
    etcd_lease_grant_encode(&body, announcement->ttl_s);
    int rc = lease_call(announcement, announcement->http, "/v3/lease/grant", &body, CALL_MS_MAX, lease, &ttl_s);
    return rc == STATUS_OK && *lease == 0 ? STATUS_SERVICE_UNAVAILABLE : rc;
}

static int key_put(struct etcd_announcement *announcement, uint64_t lease) {
    struct buffer body;
    uint64_t ignored;
    unsigned ttl_s;
    buffer_init(&body);
    etcd_put_encode(&body, buffer_bytes(&announcement->key), buffer_bytes(&announcement->value), lease);
    return lease_call(announcement, announcement->http, "/v3/kv/put", &body, CALL_MS_MAX, &ignored, &ttl_s);
}

static void lease_revoke(struct etcd_announcement *announcement, struct etcd_http *http, uint64_t lease) {
    struct buffer body;
    uint64_t ignored;
    unsigned ttl_s;
    buffer_init(&body);
    etcd_lease_encode(&body, lease);
    lease_call(announcement, http, "/v3/lease/revoke", &body, REVOKE_MS_MAX, &ignored, &ttl_s);
}

/* STATUS_CONFLICT: somebody else has it. */
static int key_create(struct etcd_announcement *announcement, uint64_t lease) {
    struct buffer body;
    struct buffer answer;
    bool is_created = false;
    uint64_t revision;
    buffer_init(&body);
    buffer_init(&answer);
    etcd_create_encode(&body, buffer_bytes(&announcement->key), buffer_bytes(&announcement->value), lease);
    struct etcd_call call = {
        .path = "/v3/kv/txn", .body = buffer_bytes(&body), .must_not_repeat = true, .ms_max = CALL_MS_MAX};
    int rc = etcd_client_call(announcement->client, announcement->http, &call, &answer);
    if (rc == STATUS_OK && etcd_swap_decode(buffer_bytes(&answer), &is_created, &revision) != STATUS_OK)
        rc = STATUS_SERVICE_UNAVAILABLE;
    buffer_close(&answer);
    buffer_close(&body);
    return rc == STATUS_OK && !is_created ? STATUS_CONFLICT : rc;
}

/* STATUS_CONFLICT: somebody has it. No lease is asked for as long as that is so. */
static int key_look(struct etcd_announcement *announcement) {
    struct buffer body;
    struct buffer answer;
    struct etcd_range range = {0};
    struct arena arena;
    buffer_init(&body);
    buffer_init(&answer);
    arena_init(&arena);
    etcd_get_encode(&body, buffer_bytes(&announcement->key));
    struct etcd_call call = {.path = "/v3/kv/range", .body = buffer_bytes(&body), .ms_max = CALL_MS_MAX};
    int rc = etcd_client_call(announcement->client, announcement->http, &call, &answer);
    if (rc == STATUS_OK && etcd_range_decode(buffer_bytes(&answer), BYTES_LITERAL(""), &arena, &range) != STATUS_OK)
        rc = STATUS_SERVICE_UNAVAILABLE;
    buffer_close(&answer);
    buffer_close(&body);
    arena_close(&arena);
    return rc == STATUS_OK && range.count > 0 ? STATUS_CONFLICT : rc;
}

/* STATUS_STORE_MISSING: it is gone. */
static int lease_keep_alive(struct etcd_announcement *announcement) {
    struct buffer body;
    uint64_t lease = 0;
    unsigned ttl_s = 0;
    buffer_init(&body);
    etcd_lease_encode(&body, announcement->lease);
    int rc = lease_call(announcement, announcement->http, "/v3/lease/keepalive", &body, CALL_MS_MAX, &lease, &ttl_s);
    return rc == STATUS_OK && ttl_s == 0 ? STATUS_STORE_MISSING : rc;
}

static int announce(struct etcd_announcement *announcement) {
    uint64_t lease = 0;
    int rc = lease_grant(announcement, &lease);
    if (rc == STATUS_OK)
        rc = key_put(announcement, lease);
    /* A lease whose key was not put ends by itself. */
    if (rc == STATUS_OK)
        announcement->lease = lease;
    return rc;
}

/* What came of a creation without an answer is not known: its lease ends by itself, and the key with it. */
static int stand(struct etcd_announcement *announcement) {
    uint64_t lease = 0;
    int rc = key_look(announcement);
    if (rc == STATUS_OK)
        rc = lease_grant(announcement, &lease);
    if (rc == STATUS_OK)
        rc = key_create(announcement, lease);
    if (rc == STATUS_OK)
        announcement->lease = lease;
    else if (lease != 0)
        lease_revoke(announcement, announcement->http, lease);
    return rc;
}

static int begin(struct etcd_announcement *announcement) {
    return announcement->is_election ? stand(announcement) : announce(announcement);
}

/* How long to wait before the next step. */
static int64_t step(struct etcd_announcement *announcement) {
    int rc = announcement->lease == 0 ? begin(announcement) : lease_keep_alive(announcement);
    if (rc == STATUS_STORE_MISSING) {
        log_warning("etcd has not heard of this node for too long; %.*s is announced again",
                    BYTES_ARG(buffer_bytes(&announcement->key)));
        announcement->lease = 0;
        return 0;
    }
    bool may_rest = rc == STATUS_OK || rc == STATUS_CONFLICT;
    return may_rest ? (int64_t)announcement->ttl_s * 1000 / 3 : PAUSE_AFTER_FAILURE_MS;
}

static void *announcement_run(void *context) {
    struct etcd_announcement *announcement = context;
    while (!atomic_load(&announcement->is_ending))
        etcd_http_pause(announcement->http, step(announcement));
    return NULL;
}

static void announcement_free(struct etcd_announcement *announcement) {
    etcd_http_free(announcement->http);
    buffer_close(&announcement->key);
    buffer_close(&announcement->value);
    free(announcement);
}

struct etcd_announcement *etcd_announcement_start(struct etcd_client *client, struct bytes key, struct bytes value,
                                                  unsigned ttl_s, bool is_election) {
    struct etcd_announcement *announcement = calloc(1, sizeof(*announcement));
    check(announcement != NULL);
    announcement->client = client;
    buffer_init(&announcement->key);
    buffer_init(&announcement->value);
    buffer_append_bytes(&announcement->key, key);
    buffer_append_bytes(&announcement->value, value);
    announcement->ttl_s = ttl_s;
    announcement->is_election = is_election;
    announcement->http = etcd_client_connection(client);
    if (background_start(&announcement->thread, announcement_run, announcement))
        return announcement;
    announcement_free(announcement);
    return NULL;
}

void etcd_announcement_interrupt(struct etcd_announcement *announcement) {
    atomic_store(&announcement->is_ending, true);
    etcd_http_interrupt(announcement->http);
}

void etcd_announcement_join(struct etcd_announcement *announcement) {
    check(pthread_join(announcement->thread, NULL) == 0);
    if (announcement->lease != 0)
        lease_revoke(announcement, NULL, announcement->lease); /* its own connection is interrupted for good */
    announcement_free(announcement);
}
