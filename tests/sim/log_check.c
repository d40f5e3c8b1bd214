/* What lies in a machine's log, record by record. */
#include "proto/check.h"
#include "proto/status.h"
#include "storage/log_record.h"
#include "tests/sim/world.h"

/* Entries below a range's newest snapshot belong to what it was before. */
static void header_check(struct world *world, const struct machine *machine, const struct range_progress *ranges,
                         uint64_t number, const struct log_place *place) {
    check(place->range < RANGES_MAX);
    const struct entry_marks *log = &machine->disk[place->range].log;
    if (number < ranges[place->range].void_below)
        return;
    if (place->index == 0 || place->index > log->count || log->items[place->index - 1].epoch != place->epoch)
        world_fail(world, "node %llu still has entry %llu of range %u in epoch %llu, which was taken back",
                   (unsigned long long)machine->id, (unsigned long long)place->index, place->range,
                   (unsigned long long)place->epoch);
}

void log_check(struct world *world, struct machine *machine) {
    struct store_transaction *transaction = NULL;
    struct store_cursor *cursor = NULL;
    struct range_progress ranges[RANGES_MAX];
    struct bytes key, stored;
    struct log_header header;
    check(store_begin_read(machine->store, &transaction) == STATUS_OK);
    check(range_progress_load(transaction, &world->master, ranges, RANGES_MAX) == STATUS_OK);
    check(store_cursor_open(transaction, STORE_LOG, &cursor) == STATUS_OK);
    for (int rc = store_cursor_last(cursor, &key, &stored); rc == STATUS_OK;
         rc = store_cursor_previous(cursor, &key, &stored))
        if (log_header_decode(stored, &header) == STATUS_OK)
            header_check(world, machine, ranges, key_suffix_number(key), &header.place);
    store_cursor_close(cursor);
    store_abort(transaction);
}
