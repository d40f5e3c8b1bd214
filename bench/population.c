#include "bench/population.h"

#include <jansson.h>
#include <stdlib.h>
#include <time.h>

#include "bench/batch.h"
#include "bench/chat_target.h"
#include "proto/access_key.h"
#include "proto/check.h"
#include "proto/status.h"

#define IDENTITY_TARGET "/identities?api-version=2023-10-01"

/* What the batches' callbacks share. */
struct creation {
    struct population *population;
    const struct options *options;
};

static void *zeroed(size_t count, size_t size) {
    void *memory = calloc(count == 0 ? 1 : count, size);
    check(memory != NULL);
    return memory;
}

static double seconds_since(int64_t start_ns) {
    return (double)(loop_now_ns() - start_ns) / 1e9;
}

static const char *header(struct arena *arena, const char *name, struct bytes value) {
    return (const char *)arena_printf(arena, "%s: %.*s", name, BYTES_ARG(value)).data;
}

/* Users */

static void user_prepare(void *context, size_t index, struct arena *arena, struct http_call *call) {
    const struct creation *creation = context;
    const struct address *node = &creation->options->nodes[index % creation->options->nodes_count];
    struct bytes body = BYTES_LITERAL("{\"createTokenWithScopes\":[\"chat\"],\"expiresInMinutes\":1440}");
    struct request_signature signature;
    access_key_sign(arena, creation->options->access_key, BYTES_LITERAL("POST"), BYTES_LITERAL(IDENTITY_TARGET),
                    bytes_of_text(node->authority), body, (int64_t)time(NULL) * 1000, &signature);
    const char **headers = ARENA_NEW_ARRAY(arena, const char *, 5);
    headers[0] = header(arena, "x-ms-date", signature.date);
    headers[1] = header(arena, "x-ms-content-sha256", signature.content_sha256);
    headers[2] = header(arena, "Authorization", signature.authorization);
    headers[3] = "Content-Type: application/json";
    call->method = "POST";
    call->address = node;
    call->target = IDENTITY_TARGET;
    call->headers = headers;
    call->body = body;
}

static bool user_take(void *context, size_t index, struct bytes body) {
    const struct creation *creation = context;
    struct session_user *user = &creation->population->users[index];
    json_t *answer = json_loadb((const char *)body.data, body.size, 0, NULL);
    const char *id = json_string_value(json_object_get(json_object_get(answer, "identity"), "id"));
    const char *token = json_string_value(json_object_get(json_object_get(answer, "accessToken"), "token"));
    bool is_whole = id != NULL && token != NULL;
    if (is_whole) {
        user->id = strdup(id);
        user->token = strdup(token);
    }
    json_decref(answer);
    return is_whole;
}

/* Threads */

static struct bytes thread_body(const struct creation *creation, size_t index, struct arena *arena) {
    uint32_t count = options_participants(creation->options, (uint32_t)index);
    const struct session_user *users =
        &creation->population->users[options_first_user(creation->options, (uint32_t)index)];
    json_t *participants = json_array();
    for (uint32_t i = 0; i < count; i++) {
        const char *id = users[i].id;
        json_array_append_new(participants, json_pack("{s{sss{ss}}}", "communicationIdentifier", "rawId", id,
                                                      "communicationUser", "id", id));
    }
    json_t *body = json_pack("{ssso}", "topic", "weft-bench", "participants", participants);
    char *text = json_dumps(body, JSON_COMPACT);
    check(text != NULL);
    struct bytes copy = arena_copy(arena, bytes_of_text(text));
    free(text);
    json_decref(body);
    return copy;
}

static void thread_prepare(void *context, size_t index, struct arena *arena, struct http_call *call) {
    const struct creation *creation = context;
    const struct session_user *creator =
        &creation->population->users[options_first_user(creation->options, (uint32_t)index)];
    const char **headers = ARENA_NEW_ARRAY(arena, const char *, 3);
    headers[0] = (const char *)arena_printf(arena, "Authorization: Bearer %s", creator->token).data;
    headers[1] = "Content-Type: application/json";
    call->method = "POST";
    call->address = &creation->options->nodes[index % creation->options->nodes_count];
    call->target = CHAT_TARGET_THREADS;
    call->headers = headers;
    call->body = thread_body(creation, index, arena);
}

static bool thread_take(void *context, size_t index, struct bytes body) {
    const struct creation *creation = context;
    json_t *answer = json_loadb((const char *)body.data, body.size, 0, NULL);
    const char *id = json_string_value(json_object_get(json_object_get(answer, "chatThread"), "id"));
    bool is_whole = id != NULL && json_object_get(answer, "invalidParticipants") == NULL;
    if (is_whole)
        creation->population->thread_ids[index] = strdup(id);
    json_decref(answer);
    return is_whole;
}

static void sessions_of_idle(struct population *population, const struct options *options) {
    for (size_t i = 0; i < population->sessions_count; i++)
        population->sessions[i] = (struct session){.user = &population->users[i / options->connections_per_user],
                                                   .node = &options->nodes[i % options->nodes_count]};
}

static void sessions_of_thread(struct population *population, const struct options *options, uint32_t thread) {
    size_t first = (size_t)options_first_user(options, thread) * options->connections_per_user;
    for (uint32_t i = 0; i < options_readers(options, thread); i++)
        population->sessions[first + i] = (struct session){
            .user = &population->users[(first + i) / options->connections_per_user],
            .node = &options->nodes[(first + i) % options->nodes_count],
            .thread = thread,
            .participant = i / options->connections_per_user,
            .thread_id = bytes_of_text(population->thread_ids[thread]),
        };
}

int population_create(struct population *population, const struct options *options, struct http *http, char *reason,
                      size_t reason_size) {
    struct creation creation = {population, options};
    *population = (struct population){.sessions_count = options_connections(options)};
    population->threads_count = options->idle_connections > 0 ? 0 : options_threads(options);
    population->users_count = options_users(options);
    population->users = zeroed(population->users_count, sizeof *population->users);
    population->thread_ids = zeroed(population->threads_count, sizeof *population->thread_ids);
    population->sessions = zeroed(population->sessions_count, sizeof *population->sessions);
    int64_t start_ns = loop_now_ns();
    struct batch users = {"creating users", population->users_count, 201, user_prepare, user_take, &creation};
    int rc = batch_run(&users, http, reason, reason_size);
    population->users_s = seconds_since(start_ns);
    if (rc != STATUS_OK)
        return rc;
    start_ns = loop_now_ns();
    struct batch threads = {"creating threads", population->threads_count, 201, thread_prepare, thread_take, &creation};
    rc = batch_run(&threads, http, reason, reason_size);
    population->threads_s = seconds_since(start_ns);
    if (rc != STATUS_OK)
        return rc;
    if (population->threads_count == 0)
        sessions_of_idle(population, options);
    for (uint32_t i = 0; i < population->threads_count; i++)
        sessions_of_thread(population, options, i);
    return STATUS_OK;
}

void population_close(struct population *population) {
    for (size_t i = 0; i < population->sessions_count; i++) {
        session_close(&population->sessions[i]);
        tally_reader_close(&population->sessions[i].reader);
    }
    for (size_t i = 0; i < population->users_count; i++) {
        free(population->users[i].id);
        free(population->users[i].token);
    }
    for (size_t i = 0; i < population->threads_count; i++)
        free(population->thread_ids[i]);
    free(population->users);
    free(population->thread_ids);
    free(population->sessions);
    *population = (struct population){0};
}
