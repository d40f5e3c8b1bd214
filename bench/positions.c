#include "bench/positions.h"

#include <jansson.h>
#include <stdlib.h>

#include "bench/batch.h"
#include "bench/chat_target.h"
#include "proto/check.h"
#include "proto/status.h"

#define REASON_BYTES 200

struct asking {
    const struct options *options;
    const struct population *population;
    uint64_t *positions;
};

static void position_prepare(void *context, size_t index, struct arena *arena, struct http_call *call) {
    const struct asking *asking = context;
    struct buffer target;
    buffer_init(&target);
    chat_target_position(bytes_of_text(asking->population->thread_ids[index]), &target);
    const char **headers = ARENA_NEW_ARRAY(arena, const char *, 2);
    headers[0] = (const char *)arena_printf(arena, "Authorization: Bearer %s", asking->options->admin_token).data;
    headers[1] = NULL;
    call->method = "GET";
    call->address = &asking->options->nodes[index % asking->options->nodes_count];
    call->target = arena_text(arena, bytes_of_text((const char *)target.data));
    call->headers = headers;
    buffer_close(&target);
}

static bool position_take(void *context, size_t index, struct bytes body) {
    const struct asking *asking = context;
    json_t *root = json_loadb((const char *)body.data, body.size, 0, NULL);
    const char *text = json_string_value(json_object_get(root, "position"));
    char *end = NULL;
    if (text != NULL)
        asking->positions[index] = strtoull(text, &end, 16);
    bool is_whole = text != NULL && end != text && *end == 0;
    json_decref(root);
    return is_whole;
}

uint64_t *positions_ask(const struct options *options, const struct population *population, struct http *http) {
    struct asking asking = {.options = options, .population = population};
    char reason[REASON_BYTES];
    if (options->admin_token == NULL)
        return NULL;
    asking.positions = calloc(population->threads_count + 1, sizeof *asking.positions);
    check(asking.positions != NULL);
    struct batch batch = {
        "asking where threads are", population->threads_count, 200, position_prepare, position_take, &asking};
    if (batch_run(&batch, http, reason, sizeof reason) == STATUS_OK)
        return asking.positions;
    free(asking.positions);
    return NULL;
}
