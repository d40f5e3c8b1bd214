#include "node/core/outbox_read.h"

#include <string.h>

#include "storage/range_log.h"

#define FIRST_CAPACITY 64

struct gathering {
    const struct bounds *bounds;
    struct arena *arena;
    struct start_outbox_row *rows;
    size_t count;
    size_t capacity;
};

static void rows_grow(struct gathering *gathering) {
    size_t capacity = gathering->capacity == 0 ? FIRST_CAPACITY : gathering->capacity * 2;
    struct start_outbox_row *rows = ARENA_NEW_ARRAY(gathering->arena, struct start_outbox_row, capacity);
    if (gathering->count > 0)
        memcpy(rows, gathering->rows, gathering->count * sizeof(*rows));
    gathering->rows = rows;
    gathering->capacity = capacity;
}

static bool gather(void *context, const struct id_hash *subject, uint64_t number, const struct outbox_row *row) {
    struct gathering *gathering = context;
    if (!bounds_have(gathering->bounds, id_hash_position(subject)))
        return true;
    if (gathering->count == gathering->capacity)
        rows_grow(gathering);
    gathering->rows[gathering->count++] = (struct start_outbox_row){.subject = *subject, .number = number, .row = *row};
    return true;
}

int outbox_read(struct store_transaction *transaction, const struct seal_key *master, const struct bounds *bounds,
                struct arena *arena, struct event *event) {
    struct gathering gathering = {.bounds = bounds, .arena = arena};
    int rc = outbox_visit(transaction, master, arena, gather, &gathering);
    event->outbox = gathering.rows;
    event->outbox_count = gathering.count;
    return rc;
}
