#include "bench/fill.h"

#include "bench/batch.h"
#include "bench/chat_target.h"
#include "bench/payload.h"
#include "bench/population.h"
#include "proto/check.h"
#include "proto/ids.h"
#include "proto/status.h"

#define FILL_THREADS 512U
#define FILL_MESSAGE_BYTES 8192U

struct filling {
    struct options options; /* of the population that fills */
    struct population population;
};

/* The same for each try of the same message, so that a repetition stores nothing twice. */
static const char *request_id_header(const struct filling *filling, size_t index, struct arena *arena) {
    uint64_t parts[2] = {filling->options.seed * 0x9e3779b97f4a7c15ULL + index, index};
    char id[37];
    uuid_format((const uint8_t *)parts, id);
    return (const char *)arena_printf(arena, "x-ms-client-request-id: %s", id).data;
}

static struct bytes body_of(size_t index, struct arena *arena) {
    struct payload payload = {.number = (uint32_t)index};
    struct buffer content;
    buffer_init(&content);
    payload_encode(&payload, FILL_MESSAGE_BYTES, &content);
    struct bytes body =
        arena_printf(arena, "{\"content\":\"%.*s\",\"type\":\"text\"}", (int)content.size, (const char *)content.data);
    buffer_close(&content);
    return body;
}

static void message_prepare(void *context, size_t index, struct arena *arena, struct http_call *call) {
    const struct filling *filling = context;
    const struct session *author = &filling->population.sessions[index % filling->population.sessions_count];
    struct buffer target;
    buffer_init(&target);
    chat_target_messages(author->thread_id, &target);
    const char **headers = ARENA_NEW_ARRAY(arena, const char *, 4);
    headers[0] = (const char *)arena_printf(arena, "Authorization: Bearer %s", author->user->token).data;
    headers[1] = request_id_header(filling, index, arena);
    headers[2] = "Content-Type: application/json";
    headers[3] = NULL;
    call->method = "POST";
    call->address = author->node;
    call->target = arena_text(arena, bytes_of_text((const char *)target.data));
    call->headers = headers;
    call->body = body_of(index, arena);
    buffer_close(&target);
}

static bool message_take(void *context, size_t index, struct bytes body) {
    (void)context, (void)index, (void)body;
    return true;
}

int fill_run(const struct options *options, struct http *http, struct moved *moved, char *reason, size_t reason_size) {
    struct filling filling = {.options = *options};
    filling.options.threads = FILL_THREADS;
    filling.options.participants = 1;
    filling.options.small_threads = 0;
    filling.options.connections_per_user = 1;
    size_t count = ((size_t)options->fill_mb * 1000000 + FILL_MESSAGE_BYTES - 1) / FILL_MESSAGE_BYTES;
    if (count == 0)
        return STATUS_OK;
    int rc = population_create(&filling.population, &filling.options, http, reason, reason_size);
    if (rc == STATUS_OK) {
        struct batch batch = {"storing messages", count, 201, message_prepare, message_take, &filling};
        int64_t start_ns = loop_now_ns();
        rc = batch_run(&batch, http, reason, reason_size);
        moved->fill_s = (double)(loop_now_ns() - start_ns) / 1e9;
        moved->fill_messages = count;
        moved->fill_bytes = (double)count * FILL_MESSAGE_BYTES;
    }
    population_close(&filling.population);
    return rc;
}
