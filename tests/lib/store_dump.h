#pragma once
/* What a store holds, opened: two stores that were told the same are equal by this, while their nonces differ. */
#include "node/core/apply.h"
#include "proto/check.h"
#include "proto/status.h"
#include "storage/range_log.h"
#include "storage/sealed_row.h"
#include "storage/thread_store.h"

struct store_dumping {
    struct store_transaction *transaction;
    const struct seal_key *master;
    struct arena arena;
    struct buffer *out;
};

static inline void dump_state_row(struct store_dumping *dumping, enum store_table table, struct bytes key,
                                  struct bytes value) {
    struct seal_key data_key;
    struct bytes plain = BYTES_LITERAL("left over");
    struct id_hash subject = key_subject(key);
    bool is_under_master = table == STORE_OUTBOX || row_kind_is_under_master(key_row_kind(key));
    bool has_key =
        subject_key_get(dumping->transaction, dumping->master, &subject, &data_key) == STATUS_OK || is_under_master;
    if (has_key && !is_under_master && key_row_kind(key) == ROW_KEY)
        plain = bytes_of(data_key.bytes, sizeof(data_key.bytes));
    else if (has_key)
        check(seal_open(is_under_master ? dumping->master : &data_key, table, key, value, &dumping->arena, &plain) ==
              STATUS_OK);
    buffer_append_bytes(dumping->out, plain);
}

static inline void dump_log_record(struct store_dumping *dumping, struct bytes key, struct bytes value) {
    struct log_entry entry;
    check(range_log_open(dumping->transaction, dumping->master, &dumping->arena, key, value, &entry) == STATUS_OK);
    for (size_t i = 0; i < entry.marks_count; i++) {
        const struct range_marks_of *marks = &entry.marks[i];
        buffer_printf(dumping->out, "marks %u %lu %lu %d;", marks->range, marks->epoch, marks->applied,
                      marks->is_incomplete);
    }
    if (entry.marks_count == 0)
        buffer_printf(dumping->out, "entry %u %lu %lu %s", entry.place.range, entry.place.epoch, entry.place.index,
                      bytes_is_present(entry.command) ? "" : "shredded");
    buffer_append_bytes(dumping->out, entry.command);
}

static inline void dump_meta_row(struct store_dumping *dumping, struct bytes key, struct bytes value) {
    struct bytes plain;
    struct waiting_key_row row;
    check(seal_open(dumping->master, STORE_META, key, value, &dumping->arena, &plain) == STATUS_OK);
    if (bytes_starts_with(key, "key"))
        check(codec_decode(&WAITING_KEY_TABLE, plain, &dumping->arena, &row) == STATUS_OK);
    buffer_append_bytes(dumping->out, plain);
}

static inline void dump_row(struct store_dumping *dumping, enum store_table table, struct bytes key,
                            struct bytes value) {
    if (table == STORE_META && bytes_equal_text(key, "format"))
        return;
    buffer_printf(dumping->out, "\n%d ", (int)table);
    buffer_append_bytes(dumping->out, key);
    if (table == STORE_LOG)
        dump_log_record(dumping, key, value);
    else if (table == STORE_META)
        dump_meta_row(dumping, key, value);
    else
        dump_state_row(dumping, table, key, value);
    arena_reset(&dumping->arena);
}

/* Appends the tables from `first` to `last`. */
static inline void store_dump(struct store *store, const struct seal_key *master, enum store_table first,
                              enum store_table last, struct buffer *out) {
    struct store_dumping dumping = {.master = master, .out = out};
    struct bytes key;
    struct bytes value;
    arena_init(&dumping.arena);
    check(store_begin_read(store, &dumping.transaction) == STATUS_OK);
    for (enum store_table table = first; table <= last; table++) {
        struct store_cursor *cursor = NULL;
        check(store_cursor_open(dumping.transaction, table, &cursor) == STATUS_OK);
        for (int rc = store_cursor_seek(cursor, BYTES_LITERAL("\0"), &key, &value); rc == STATUS_OK;
             rc = store_cursor_next(cursor, &key, &value))
            dump_row(&dumping, table, key, value);
        store_cursor_close(cursor);
    }
    store_abort(dumping.transaction);
    arena_close(&dumping.arena);
}

static inline bool stores_hold_the_same(struct store *a, struct store *b, const struct seal_key *master,
                                        const enum store_table *tables, size_t tables_count) {
    struct buffer dumps[2];
    for (int i = 0; i < 2; i++) {
        buffer_init(&dumps[i]);
        for (size_t table = 0; table < tables_count; table++)
            store_dump(i == 0 ? a : b, master, tables[table], tables[table], &dumps[i]);
    }
    bool are_equal = bytes_equal(buffer_bytes(&dumps[0]), buffer_bytes(&dumps[1]));
    for (int i = 0; i < 2; i++)
        buffer_close(&dumps[i]);
    return are_equal;
}
