#include "node/coordinator/etcd_watch.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "node/coordinator/background.h"
#include "node/coordinator/etcd_json.h"
#include "node/coordinator/etcd_told.h"
#include "node/log.h"
#include "proto/check.h"
#include "proto/status.h"

#define IDLE_MS 2000 /* a silent stream may be a dead member: it is asked whether it is there */
#define LIST_MS_MAX 5000
#define PAUSE_MS 50
#define PAUSE_AFTER_FAILURE_MS 300

/*                 created                      broken, canceled
 *   OPENING ────────────────▶ STREAMING ─────────────────────────▶ OPENING (at revision + 1)
 *      └──────── forgotten ────────┴───────▶ LISTING ── compared ──▶ OPENING (at the list's revision + 1)
 */
enum watch_state { WATCH_OPENING, WATCH_STREAMING, WATCH_LISTING };

struct etcd_watch {
    struct etcd_client *client;
    struct arena names; /* root, prefix */
    struct bytes root;
    struct bytes prefix; /* with the root */
    coordinator_on_change *on_change;
    void *context;
    pthread_t thread;
    atomic_bool is_ending;
    struct etcd_http *stream;
    struct etcd_http *probe;
    /* Of the thread. */
    enum watch_state state;
    uint64_t revision; /* everything up to here was told */
    struct etcd_told *told;
    const char *endpoint; /* of the stream */
    const char *token;
    struct arena arena; /* of one stream's opening, or one list */
};

static void tell(struct etcd_watch *watch, const struct coordinator_item *change) {
    if (!atomic_load(&watch->is_ending))
        watch->on_change(watch->context, change);
}

/* ---- lists ---- */

static int range_get(struct etcd_watch *watch, const struct etcd_range_request *request, struct etcd_range *range) {
    struct buffer body;
    struct buffer answer;
    buffer_init(&body);
    buffer_init(&answer);
    etcd_range_encode(&body, request);
    struct etcd_call call = {.path = "/v3/kv/range", .body = buffer_bytes(&body), .ms_max = LIST_MS_MAX};
    int rc = etcd_client_call(watch->client, watch->probe, &call, &answer);
    if (rc == STATUS_OK && etcd_range_decode(buffer_bytes(&answer), watch->root, &watch->arena, range) != STATUS_OK)
        rc = STATUS_SERVICE_UNAVAILABLE;
    buffer_close(&answer);
    buffer_close(&body);
    return rc;
}

/* Tells the difference between what was told and what is there. */
static int list_anew(struct etcd_watch *watch) {
    struct etcd_range_request request = {.prefix = watch->prefix};
    struct etcd_range range;
    struct coordinator_item *changes = NULL;
    int rc = range_get(watch, &request, &range);
    if (rc != STATUS_OK)
        return rc;
    size_t count = etcd_told_compare(watch->told, range.items, range.count, range.revision, &watch->arena, &changes);
    for (size_t i = 0; i < count; i++)
        tell(watch, &changes[i]);
    etcd_told_set(watch->told, range.items, range.count);
    watch->revision = range.revision;
    return STATUS_OK;
}

/* ---- the stream ---- */

static void events_tell(struct etcd_watch *watch, const struct etcd_watch_news *news) {
    uint64_t revision = news->synced_revision > watch->revision ? news->synced_revision : watch->revision;
    for (size_t i = 0; i < news->events_count; i++) {
        const struct coordinator_item *event = &news->events[i];
        if (event->version > watch->revision && etcd_told_take(watch->told, event))
            tell(watch, event);
        if (event->version > revision)
            revision = event->version;
    }
    /* Only now: a transaction's events have all the same revision. */
    watch->revision = revision;
}

/* The stream ends by the member's will. */
static void on_canceled(struct etcd_watch *watch, const struct etcd_watch_news *news) {
    if (news->is_compacted) {
        watch->state = WATCH_LISTING;
        return;
    }
    /* etcd says "permission denied" for a token that it does not know, too. */
    etcd_client_token_expire(watch->client, watch->token);
    etcd_client_leave(watch->client, watch->endpoint,
                      news->reason.size > 0 ? (const char *)news->reason.data : "it ends the watch");
    watch->state = WATCH_OPENING;
}

static void on_error(struct etcd_watch *watch, const struct etcd_error *error) {
    enum etcd_refusal refusal = etcd_refusal_of(error->message, error->code);
    if (refusal == ETCD_REFUSED_COMPACTED) {
        watch->state = WATCH_LISTING;
        return;
    }
    if (refusal == ETCD_REFUSED_TOKEN)
        etcd_client_token_expire(watch->client, watch->token);
    else
        etcd_client_leave(watch->client, watch->endpoint, (const char *)error->message.data);
    watch->state = WATCH_OPENING;
}

static bool line_take(struct etcd_watch *watch, struct bytes line, struct arena *arena) {
    struct etcd_watch_news news;
    struct etcd_error error;
    if (etcd_error_decode(line, arena, &error) == STATUS_OK && error.message.size > 0) {
        on_error(watch, &error);
        return false;
    }
    if (etcd_watch_decode(line, watch->root, arena, &news) != STATUS_OK) {
        etcd_client_leave(watch->client, watch->endpoint, "it says what is none of etcd");
        watch->state = WATCH_OPENING;
        return false;
    }
    if (news.is_canceled) {
        on_canceled(watch, &news);
        return false;
    }
    if (news.is_created) {
        watch->state = WATCH_STREAMING;
        etcd_client_heard(watch->client, watch->endpoint);
    }
    events_tell(watch, &news);
    return true;
}

static bool on_line(void *context, struct bytes line) {
    struct etcd_watch *watch = context;
    struct arena arena;
    arena_init(&arena);
    bool goes_on = line_take(watch, line, &arena);
    arena_close(&arena);
    return goes_on;
}

/* The answer to a probe tells whether the member is there and has a leader, as it asks the leader. */
static bool probe_is_good(struct etcd_watch *watch, const struct etcd_http_answer *answer, struct arena *arena) {
    struct etcd_range range;
    struct etcd_error error;
    struct bytes body = buffer_bytes(&answer->body);
    if (answer->status != 200) {
        bool is_about_token = etcd_error_decode(body, arena, &error) == STATUS_OK &&
                              etcd_refusal_of(error.message, error.code) == ETCD_REFUSED_TOKEN;
        return is_about_token;
    }
    if (etcd_range_decode(body, watch->root, arena, &range) != STATUS_OK)
        return false;
    /* Another etcd under the same address, or one set back to a backup: its stream would begin in the future. */
    if (range.revision < watch->revision)
        watch->state = WATCH_LISTING;
    return true;
}

static bool on_idle(void *context) {
    struct etcd_watch *watch = context;
    struct arena arena;
    struct buffer body;
    struct etcd_http_answer answer;
    struct etcd_range_request request = {.prefix = watch->prefix, .is_count_only = true};
    arena_init(&arena);
    buffer_init(&body);
    etcd_http_answer_init(&answer);
    etcd_range_encode(&body, &request);
    struct etcd_http_request post = {.endpoint = watch->endpoint,
                                     .path = "/v3/kv/range",
                                     .token = watch->token,
                                     .body = buffer_bytes(&body),
                                     .connect_ms_max = ETCD_CONNECT_MS_MAX,
                                     .ms_max = ETCD_TRY_MS_MAX};
    int rc = etcd_http_post(watch->probe, &post, &answer);
    bool is_good = rc == STATUS_OK && probe_is_good(watch, &answer, &arena);
    if (!is_good && rc != STATUS_SHUTTING_DOWN) {
        etcd_client_leave(watch->client, watch->endpoint,
                          answer.error[0] != '\0' ? answer.error : "it is silent, and refuses when asked");
        watch->state = WATCH_OPENING;
    }
    etcd_http_answer_close(&answer);
    buffer_close(&body);
    arena_close(&arena);
    return is_good && watch->state != WATCH_LISTING;
}

/* An answer without lines: the member refused to begin. */
static void on_refused(struct etcd_watch *watch, const struct etcd_http_answer *answer) {
    struct etcd_error error;
    if (etcd_error_decode(buffer_bytes(&answer->body), &watch->arena, &error) == STATUS_OK && error.message.size > 0)
        on_error(watch, &error);
    else
        etcd_client_leave(watch->client, watch->endpoint, "it does not begin a watch");
}

/* Until the stream ends for whatever reason; the state says what is next. */
static void stream_run(struct etcd_watch *watch) {
    struct buffer body;
    struct etcd_http_answer answer;
    buffer_init(&body);
    etcd_http_answer_init(&answer);
    watch->state = WATCH_OPENING;
    watch->endpoint = etcd_client_endpoint(watch->client);
    int rc = etcd_client_token(watch->client, watch->probe, &watch->arena, &watch->token);
    if (rc != STATUS_OK)
        goto close_answer;
    etcd_watch_encode(&body, watch->prefix, watch->revision + 1);
    struct etcd_http_request request = {.endpoint = watch->endpoint,
                                        .path = "/v3/watch",
                                        .token = watch->token,
                                        .body = buffer_bytes(&body),
                                        .connect_ms_max = ETCD_CONNECT_MS_MAX,
                                        .on_line = on_line,
                                        .on_idle = on_idle,
                                        .idle_ms = IDLE_MS,
                                        .context = watch};
    rc = etcd_http_post(watch->stream, &request, &answer);
    if (rc == STATUS_OK && answer.status != 200)
        on_refused(watch, &answer);
    else if (rc == STATUS_OK)
        etcd_client_leave(watch->client, watch->endpoint, "it ends the watch");
    else if (rc == STATUS_SERVICE_UNAVAILABLE)
        etcd_client_leave(watch->client, watch->endpoint, answer.error);
close_answer:
    etcd_http_answer_close(&answer);
    buffer_close(&body);
}

/* What the state asks for; how long to wait before the next. */
static int64_t step(struct etcd_watch *watch) {
    if (watch->state == WATCH_LISTING) {
        if (list_anew(watch) != STATUS_OK)
            return PAUSE_AFTER_FAILURE_MS;
        watch->state = WATCH_OPENING;
        return 0;
    }
    stream_run(watch);
    if (watch->state == WATCH_LISTING)
        return 0;
    bool has_streamed = watch->state == WATCH_STREAMING;
    watch->state = WATCH_OPENING;
    return has_streamed ? PAUSE_MS : PAUSE_AFTER_FAILURE_MS;
}

static void *watch_run(void *context) {
    struct etcd_watch *watch = context;
    while (!atomic_load(&watch->is_ending)) {
        etcd_http_pause(watch->stream, step(watch));
        arena_reset(&watch->arena);
    }
    return NULL;
}

/* ---- beginning and end ---- */

static struct etcd_watch *watch_new(const struct etcd_watch_options *options) {
    struct etcd_watch *watch = calloc(1, sizeof(*watch));
    check(watch != NULL);
    arena_init(&watch->names);
    arena_init(&watch->arena);
    watch->client = options->client;
    watch->root = arena_copy(&watch->names, options->root);
    watch->prefix = arena_printf(&watch->names, "%.*s%.*s", BYTES_ARG(options->root), BYTES_ARG(options->prefix));
    watch->on_change = options->on_change;
    watch->context = options->context;
    watch->stream = etcd_client_connection(options->client);
    watch->probe = etcd_client_connection(options->client);
    watch->revision = options->revision;
    watch->told = etcd_told_new();
    return watch;
}

static void watch_free(struct etcd_watch *watch) {
    etcd_told_free(watch->told);
    etcd_http_free(watch->probe);
    etcd_http_free(watch->stream);
    arena_close(&watch->arena);
    arena_close(&watch->names);
    free(watch);
}

/* The names as of the revision that the caller knows, so that a list can tell later which of them are gone. */
static int told_begin(struct etcd_watch *watch) {
    struct etcd_range_request request = {.prefix = watch->prefix, .revision = watch->revision, .is_keys_only = true};
    struct etcd_range range;
    if (watch->revision == 0) {
        watch->state = WATCH_LISTING;
        return STATUS_OK;
    }
    int rc = range_get(watch, &request, &range);
    if (rc == STATUS_OK)
        etcd_told_set(watch->told, range.items, range.count);
    arena_reset(&watch->arena);
    return rc;
}

int etcd_watch_start(const struct etcd_watch_options *options, struct etcd_watch **out) {
    struct etcd_watch *watch = watch_new(options);
    int rc = told_begin(watch);
    if (rc == STATUS_OK && !background_start(&watch->thread, watch_run, watch))
        rc = STATUS_SERVICE_UNAVAILABLE;
    if (rc != STATUS_OK) {
        watch_free(watch);
        return rc;
    }
    *out = watch;
    return STATUS_OK;
}

void etcd_watch_interrupt(struct etcd_watch *watch) {
    atomic_store(&watch->is_ending, true);
    etcd_http_interrupt(watch->stream);
    etcd_http_interrupt(watch->probe);
}

void etcd_watch_join(struct etcd_watch *watch) {
    check(pthread_join(watch->thread, NULL) == 0);
    watch_free(watch);
}
