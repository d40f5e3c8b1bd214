#include <jansson.h>

#include "proto/change.h"
#include "proto/check.h"
#include "proto/limits.h"
#include "proto/msgpack_check.h"
#include "proto/realtime.h"
#include "proto/trouter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_is_json(struct bytes text) {
    json_t *tree = json_loadb((const char *)text.data, text.size, JSON_ALLOW_NUL, NULL);
    check(tree != NULL);
    json_decref(tree);
}

static void write_frames(const struct change *change, struct buffer *out) {
    realtime_change_encode(REALTIME_JSON, change, "disk", out);
    if (out->size > 0)
        check_is_json(buffer_bytes(out));
    out->size = 0;
    realtime_change_encode(REALTIME_MSGPACK, change, "disk", out);
    check(out->size == 0 || msgpack_is_sound(buffer_bytes(out), LIMIT_MSGPACK_DEPTH_MAX));
    out->size = 0;
}

static void write_pushes(struct arena *arena, const struct change *change, struct buffer *out) {
    struct trouter_push pushes[LIMIT_COALESCE_PER_TICK_MAX];
    size_t count = trouter_pushes_encode(arena, change, "cv", pushes, LIMIT_COALESCE_PER_TICK_MAX);
    check(count <= LIMIT_COALESCE_PER_TICK_MAX);
    for (size_t i = 0; i < count; i++) {
        buffer_append_text(out, "{\"id\":1");
        buffer_append_bytes(out, pushes[i].before);
        trouter_recipient_encode(out, bytes_is_present(change->actor_id) ? change->actor_id : BYTES_LITERAL("8:x"));
        buffer_append_bytes(out, pushes[i].after);
        check_is_json(buffer_bytes(out));
        out->size = 0;
    }
}

/* Whatever decodes can be written again as the same, and told to every kind of client. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena arena;
    struct buffer first, second;
    struct change change;
    arena_init(&arena);
    buffer_init(&first);
    buffer_init(&second);
    if (change_decode(bytes_of(data, size), &arena, &change) == 0) {
        change_encode(&change, &first);
        check(change_decode(buffer_bytes(&first), &arena, &change) == 0);
        write_frames(&change, &second);
        write_pushes(&arena, &change, &second);
        change_encode(&change, &second);
        check(bytes_equal(buffer_bytes(&first), buffer_bytes(&second)));
    }
    buffer_close(&first);
    buffer_close(&second);
    arena_close(&arena);
    return 0;
}
