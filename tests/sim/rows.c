/* What a replica holds of a range, opened: rows are sealed with other nonces on each. */
#include "proto/check.h"
#include "proto/status.h"
#include "storage/keys.h"
#include "storage/range_log.h"
#include "tests/sim/world.h"

struct scan {
    struct world *world;
    struct machine *machine;
    struct store_transaction *transaction;
    struct store_cursor *cursor;
    enum store_table table;
    struct bounds bounds;
    struct arena arena;
    struct bytes key, plain;
    bool is_begun;
};

static void scan_open(struct scan *scan, struct world *world, struct machine *machine, enum store_table table,
                      uint32_t range) {
    *scan = (struct scan){.world = world, .machine = machine, .table = table};
    arena_init(&scan->arena);
    scan->bounds = world->coordinator.records[range].bounds;
    check(store_begin_read(machine->store, &scan->transaction) == STATUS_OK);
    check(store_cursor_open(scan->transaction, table, &scan->cursor) == STATUS_OK);
}

static void scan_close(struct scan *scan) {
    store_cursor_close(scan->cursor);
    store_abort(scan->transaction);
    arena_close(&scan->arena);
}

static bool scan_next(struct scan *scan, uint64_t *key_hash, uint64_t *value_hash) {
    struct bytes value;
    struct id_hash subject;
    arena_reset(&scan->arena);
    do {
        int rc = scan->is_begun ? store_cursor_next(scan->cursor, &scan->key, &value)
                                : store_cursor_seek(scan->cursor, BYTES_LITERAL("\0"), &scan->key, &value);
        scan->is_begun = true;
        if (rc != STATUS_OK)
            return false;
        subject = key_subject(scan->key);
    } while (!bounds_have(&scan->bounds, id_hash_position(&subject)));
    struct bytes plain = value;
    struct seal_key key;
    bool is_state = scan->table == STORE_STATE;
    bool is_sealed = !is_state || key_row_kind(scan->key) != ROW_KEY;
    if (is_sealed &&
        seal_open(&scan->world->master, scan->table, scan->key, value, &scan->arena, &plain) != STATUS_OK) {
        int rc = subject_key_get(scan->transaction, &scan->world->master, &subject, &key);
        if (rc == STATUS_STORE_MISSING)
            plain = BYTES_LITERAL(""); /* shredded, and still to be swept */
        else if (rc != STATUS_OK || seal_open(&key, scan->table, scan->key, value, &scan->arena, &plain) != STATUS_OK)
            world_fail(scan->world, "a row of node %llu does not open", (unsigned long long)scan->machine->id);
    }
    scan->plain = plain;
    *key_hash = hash_of_bytes(scan->key);
    *value_hash = hash_of_bytes(plain);
    return true;
}

uint64_t rows_digest(struct world *world, struct machine *machine, uint32_t range) {
    uint64_t digest = 1;
    static const enum store_table tables[] = {STORE_STATE, STORE_OUTBOX};
    for (size_t i = 0; i < 2; i++) {
        struct scan scan;
        uint64_t key, value;
        scan_open(&scan, world, machine, tables[i], range);
        while (scan_next(&scan, &key, &value))
            digest = (digest ^ key) * 0x100000001b3u + value;
        scan_close(&scan);
    }
    return digest;
}

static void row_print(struct machine *machine, const struct scan *scan) {
    fprintf(stderr, "  node %llu, table %d, key ", (unsigned long long)machine->id, scan->table);
    for (size_t i = 0; i < scan->key.size; i++)
        fprintf(stderr, i == 16 && scan->table == STORE_STATE ? "|%c|" : "%02x", scan->key.data[i]);
    fputs(": ", stderr);
    for (size_t i = 0; i < scan->plain.size; i++)
        fprintf(stderr, "%02x", scan->plain.data[i]);
    fputc('\n', stderr);
}

void rows_print_difference(struct world *world, struct machine *a, struct machine *b, uint32_t range) {
    static const enum store_table tables[] = {STORE_STATE, STORE_OUTBOX};
    for (size_t i = 0; i < 2; i++) {
        struct scan scans[2];
        uint64_t key[2] = {0}, value[2] = {0};
        bool has[2] = {true, true};
        scan_open(&scans[0], world, a, tables[i], range);
        scan_open(&scans[1], world, b, tables[i], range);
        while (has[0] && has[1] && key[0] == key[1] && value[0] == value[1])
            for (int n = 0; n < 2; n++)
                has[n] = scan_next(&scans[n], &key[n], &value[n]);
        for (int n = 0; n < 2 && (has[0] || has[1]); n++)
            if (has[n])
                row_print(n == 0 ? a : b, &scans[n]);
        scan_close(&scans[0]);
        scan_close(&scans[1]);
    }
}

static size_t rows_of(struct world *world, struct machine *machine, enum store_table table, uint32_t range) {
    struct scan scan;
    uint64_t key, value;
    size_t count = 0;
    scan_open(&scan, world, machine, table, range);
    while (scan_next(&scan, &key, &value))
        count++;
    scan_close(&scan);
    return count;
}

size_t rows_count(struct world *world, struct machine *machine, uint32_t range) {
    return rows_of(world, machine, STORE_STATE, range) + rows_of(world, machine, STORE_OUTBOX, range);
}

size_t rows_of_outbox(struct world *world, struct machine *machine, uint32_t range) {
    return rows_of(world, machine, STORE_OUTBOX, range);
}
