/* What the writer does with a batch: entries that are applied later, truncations, ranges taken over from another node,
 * and what is left of all that after a crash. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/core/batch_write.h"
#include "proto/limits.h"
#include "storage/fsck.h"
#include "storage/snapshot.h"
#include "storage/store_memory.h"
#include "tests/lib/store_dump.h"
#include "tests/lib/store_fixture.h"

#define RANGES 3
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ALICE BYTES_LITERAL("8:acs:r_alice")

static const enum store_table STATE_TABLES[] = {STORE_STATE, STORE_OUTBOX};
static const enum store_table ALL_TABLES[] = {STORE_STATE, STORE_OUTBOX, STORE_LOG, STORE_META};

static struct fixture fixture; /* its store is the one over LMDB */

/* One node: a store and its writer. */
struct node {
    struct store *store;
    struct batch_writer *writer;
    size_t log_bytes_kept;
    bool is_lmdb;
};

static void node_begin(struct node *node) {
    struct batch_writer_options options = {.store = node->store,
                                           .master = &fixture.master,
                                           .hash_key = fixture.hash_key,
                                           .range_count = RANGES,
                                           .log_bytes_kept = node->log_bytes_kept};
    assert_int_equal(batch_writer_open(&options, &node->writer), STATUS_OK);
}

static struct node memory_node(size_t log_bytes_kept) {
    struct node node = {.store = store_memory_new(&(struct store_memory_options){0}), .log_bytes_kept = log_bytes_kept};
    node_begin(&node);
    return node;
}

static struct node lmdb_node(size_t log_bytes_kept) {
    struct node node = {.store = fixture.store, .log_bytes_kept = log_bytes_kept, .is_lmdb = true};
    node_begin(&node);
    return node;
}

static void node_end(struct node *node) {
    batch_writer_close(node->writer);
    if (!node->is_lmdb)
        store_memory_free(node->store);
}

/* Kills the node and starts it again with what is durable. */
static void node_restart(struct node *node) {
    batch_writer_close(node->writer);
    if (node->is_lmdb) {
        store_lmdb_close(fixture.store);
        fixture_store_open(&fixture, 16 << 20, 0);
        node->store = fixture.store;
    }
    node_begin(node);
}

static int set_up(void **state) {
    (void)state;
    fixture_open(&fixture);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    fixture_close(&fixture);
    return 0;
}

/* ---- batches ---- */

static struct batch *batch_new(void) {
    struct batch *batch = calloc(1, sizeof(*batch));
    check(batch != NULL);
    arena_init(&batch->arena);
    batch->items = ARENA_NEW_ARRAY(&batch->arena, struct batch_item, 2000);
    batch->truncations = ARENA_NEW_ARRAY(&batch->arena, struct log_truncation, RANGES);
    batch->takings = ARENA_NEW_ARRAY(&batch->arena, struct batch_taking, RANGES);
    batch->births = ARENA_NEW_ARRAY(&batch->arena, struct batch_birth, RANGES);
    return batch;
}

static int batch_free(struct batch *batch) {
    int rc = batch->rc;
    for (size_t i = 0; i < batch->count; i++)
        entry_free(batch->items[i].entry);
    arena_close(&batch->arena);
    free(batch);
    return rc;
}

static int run(struct node *node, struct batch *batch) {
    batch_write(node->writer, batch);
    return batch_free(batch);
}

enum step { APPEND = 1, APPLY = 2, BOTH = 3 };

/* The command is borrowed. */
static struct entry *batch_add(struct batch *batch, enum step step, uint32_t range, uint64_t epoch, uint64_t index,
                               const struct command *command) {
    struct entry *entry = entry_new(ENTRY_OF_CLIENT);
    entry->place = (struct log_place){.range = range, .epoch = epoch, .index = index};
    if (command != NULL)
        entry->command = *command;
    else
        entry->encoded = BYTES_LITERAL("");
    batch->items[batch->count++] =
        (struct batch_item){.entry = entry, .is_append = (step & APPEND) != 0, .is_apply = (step & APPLY) != 0};
    return entry;
}

static void batch_truncate(struct batch *batch, uint32_t range, uint64_t from) {
    batch->truncations[batch->truncations_count++] = (struct log_truncation){.range = range, .from = from};
}

static int append_or_apply(struct node *node, enum step step, uint64_t index, const struct command *command) {
    struct batch *batch = batch_new();
    batch_add(batch, step, 0, 1, index, command);
    return run(node, batch);
}

/* ---- commands ---- */

static uint32_t range_of(const struct id_hash *subject) {
    return bounds_part_of(id_hash_position(subject), RANGES);
}

/* The `number`th thread of those that lie in a range. */
static struct bytes thread_id(uint32_t range, unsigned number) {
    for (unsigned i = 0;; i++) {
        struct bytes id = arena_printf(&fixture.arena, "19:t%u@thread.v2", i);
        struct id_hash hash = fixture_hash(&fixture, id);
        if (range_of(&hash) == range && number-- == 0)
            return id;
    }
}

static struct command command_on(struct bytes id, enum command_kind kind) {
    struct command command = {.kind = kind, .subject = fixture_hash(&fixture, id), .actor_id = ALICE};
    command.time_ms = ++fixture.now_ms;
    command.message_type = MESSAGE_TEXT;
    command.content = BYTES_LITERAL("content");
    command.display_name = BYTES_LITERAL("");
    if (kind == COMMAND_THREAD_CREATE) {
        command.properties.id = id;
        command.wrapped_key = fixture_key(&fixture, &command.subject);
    }
    return command;
}

static bool has_key_row(struct node *node, struct bytes id) {
    struct id_hash subject = fixture_hash(&fixture, id);
    struct store_transaction *transaction = NULL;
    struct seal_key key;
    check(store_begin_read(node->store, &transaction) == STATUS_OK);
    int rc = subject_key_get(transaction, &fixture.master, &subject, &key);
    store_abort(transaction);
    return rc == STATUS_OK;
}

static bool has_waiting_key(struct node *node, struct bytes id) {
    struct id_hash subject = fixture_hash(&fixture, id);
    struct key key = key_of_waiting_key(&subject);
    struct store_transaction *transaction = NULL;
    struct bytes value;
    check(store_begin_read(node->store, &transaction) == STATUS_OK);
    int rc = store_get(transaction, STORE_META, key_bytes(&key), &value);
    store_abort(transaction);
    return rc == STATUS_OK;
}

/* The tail of range 0, checked against its marks. */
static struct log_tail tail_of(struct node *node, uint64_t applied, uint64_t last) {
    struct log_tail tails[RANGES];
    struct store_transaction *transaction = NULL;
    check(store_begin_read(node->store, &transaction) == STATUS_OK);
    assert_int_equal(range_log_load_tail(transaction, &fixture.master, &fixture.arena, tails, RANGES, 1 << 20), 0);
    store_abort(transaction);
    assert_int_equal(tails[0].marks.applied, applied);
    uint64_t index = last - tails[0].count;
    for (const struct log_tail_entry *entry = tails[0].first; entry != NULL; entry = entry->next)
        assert_int_equal(entry->place.index, ++index);
    assert_int_equal(index, last);
    return tails[0];
}

static void expect_no_corruption(struct node *node) {
    struct fsck_report report;
    struct buffer lines;
    buffer_init(&lines);
    assert_int_equal(store_fsck(node->store, &fixture.master, RANGES, RANGES, &report, &lines), STATUS_OK);
    if (report.corrupt + report.misindexed > 0)
        print_error("%.*s\n", (int)lines.size, (const char *)lines.data);
    assert_int_equal(report.corrupt, 0);
    assert_int_equal(report.misindexed, 0);
    buffer_close(&lines);
}

/* ---- entries that are applied later ---- */

static void state_knows_nothing_of_what_is_not_applied(void **state) {
    struct node node = lmdb_node(0);
    struct bytes id = thread_id(0, 0);
    struct command create = command_on(id, COMMAND_THREAD_CREATE);
    struct command send = command_on(id, COMMAND_MESSAGE_SEND);
    (void)state;
    assert_int_equal(append_or_apply(&node, APPEND, 1, &create), STATUS_OK);
    assert_int_equal(append_or_apply(&node, APPEND, 2, &send), STATUS_OK);
    assert_int_equal(fixture_rows(&fixture, STORE_STATE) + fixture_rows(&fixture, STORE_OUTBOX), 0);
    assert_true(has_waiting_key(&node, id));
    node_restart(&node);
    struct log_tail tail = tail_of(&node, 0, 2);
    assert_int_equal(tail.count, 2);
    struct command decoded;
    assert_int_equal(command_decode(tail.first->command, &fixture.arena, &decoded), STATUS_OK);
    assert_true(bytes_equal(decoded.wrapped_key, create.wrapped_key));
    assert_int_equal(append_or_apply(&node, APPLY, 1, &create), STATUS_OK);
    assert_true(has_key_row(&node, id) && !has_waiting_key(&node, id));
    assert_int_equal(append_or_apply(&node, APPLY, 2, &send), STATUS_OK);
    assert_int_equal(tail_of(&node, 2, 2).count, 2);
    expect_no_corruption(&node);
    node_end(&node);
}

static void a_command_applied_later_has_the_outcome_of_one_applied_at_once(void **state) {
    struct node later = memory_node(0);
    struct node at_once = memory_node(0);
    struct bytes id = thread_id(0, 0);
    struct command commands[] = {command_on(id, COMMAND_THREAD_CREATE), command_on(id, COMMAND_MESSAGE_SEND),
                                 command_on(id, COMMAND_THREAD_DELETE), command_on(id, COMMAND_MESSAGE_SEND)};
    const int expected[] = {STATUS_OK, STATUS_OK, STATUS_OK, STATUS_THREAD_NOT_FOUND};
    (void)state;
    for (uint64_t i = 0; i < COUNT(commands); i++)
        assert_int_equal(append_or_apply(&later, APPEND, i + 1, &commands[i]), STATUS_OK);
    for (uint64_t i = 0; i < COUNT(commands); i++) {
        struct batch *batches[2] = {batch_new(), batch_new()};
        struct command_result results[2];
        batch_add(batches[0], APPLY, 0, 1, i + 1, &commands[i]);
        batch_add(batches[1], BOTH, 0, 1, i + 1, &commands[i]);
        batch_write(later.writer, batches[0]);
        batch_write(at_once.writer, batches[1]);
        for (size_t j = 0; j < 2; j++) {
            results[j] = batches[j]->items[0].entry->outcome.result;
            assert_int_equal(batch_free(batches[j]), STATUS_OK);
        }
        assert_int_equal(results[0].rc, expected[i]);
        assert_memory_equal(&results[0], &results[1], sizeof(results[0]));
        assert_true(
            stores_hold_the_same(later.store, at_once.store, &fixture.master, STATE_TABLES, COUNT(STATE_TABLES)));
    }
    node_end(&later);
    node_end(&at_once);
}

/* The deletion is applied while the entries behind it are not: they are needed after a crash, by whoever leads then. */
static void entries_behind_a_deletion_survive_the_shredding_until_they_are_applied(void **state) {
    struct node node = memory_node(0);
    struct bytes id = thread_id(0, 0);
    struct bytes other = thread_id(0, 1);
    struct command commands[] = {command_on(id, COMMAND_THREAD_CREATE),    command_on(other, COMMAND_THREAD_CREATE),
                                 command_on(id, COMMAND_MESSAGE_SEND),     command_on(id, COMMAND_THREAD_DELETE),
                                 command_on(other, COMMAND_MESSAGE_SEND),  command_on(id, COMMAND_MESSAGE_SEND),
                                 command_on(id, COMMAND_PARTICIPANTS_ADD), command_on(id, COMMAND_THREAD_CREATE)};
    (void)state;
    for (uint64_t i = 0; i < COUNT(commands); i++)
        assert_int_equal(append_or_apply(&node, APPEND, i + 1, &commands[i]), STATUS_OK);
    struct batch *batch = batch_new();
    for (uint64_t i = 0; i < 4; i++)
        batch_add(batch, APPLY, 0, 1, i + 1, &commands[i]);
    assert_int_equal(run(&node, batch), STATUS_OK);
    assert_false(has_key_row(&node, id));
    node_restart(&node);
    assert_int_equal(tail_of(&node, 4, 8).count, 4); /* the deletion itself is shredded */
    for (uint64_t i = 4; i < COUNT(commands); i++)
        assert_int_equal(append_or_apply(&node, APPLY, i + 1, &commands[i]), STATUS_OK);
    assert_false(has_key_row(&node, id) || has_waiting_key(&node, id));
    assert_int_equal(tail_of(&node, 8, 8).count, 4);
    expect_no_corruption(&node);
    node_end(&node);
}

static void an_epoch_begins_with_an_entry_that_changes_nothing(void **state) {
    struct node node = memory_node(0);
    (void)state;
    assert_int_equal(append_or_apply(&node, APPEND, 1, NULL), STATUS_OK);
    node_restart(&node);
    struct log_tail tail = tail_of(&node, 0, 1);
    assert_true(bytes_is_present(tail.first->command));
    assert_int_equal(tail.first->command.size, 0);
    assert_int_equal(append_or_apply(&node, APPLY, 1, NULL), STATUS_OK);
    assert_int_equal(append_or_apply(&node, BOTH, 2, NULL), STATUS_OK);
    assert_int_equal(tail_of(&node, 2, 2).count, 2);
    expect_no_corruption(&node);
    node_end(&node);
}

static void what_came_encoded_is_written_as_it_came(void **state) {
    struct node node = memory_node(0);
    struct command create = command_on(thread_id(0, 0), COMMAND_THREAD_CREATE);
    struct batch *batch = batch_new();
    (void)state;
    batch_add(batch, APPEND, 0, 1, 1, &create)->encoded = BYTES_LITERAL("of a newer version");
    assert_int_equal(run(&node, batch), STATUS_OK);
    assert_true(bytes_equal_text(tail_of(&node, 0, 1).first->command, "of a newer version"));
    node_end(&node);
}

/* ---- truncations ---- */

static void a_truncated_entry_is_gone_with_the_key_it_brought(void **state) {
    struct node node = lmdb_node(0);
    struct bytes ids[] = {thread_id(0, 0), thread_id(0, 1), thread_id(0, 2)};
    struct command creates[3];
    (void)state;
    for (uint64_t i = 0; i < 3; i++)
        creates[i] = command_on(ids[i], COMMAND_THREAD_CREATE);
    struct command again = command_on(ids[1], COMMAND_THREAD_CREATE);
    struct command create_applied = command_on(ids[0], COMMAND_THREAD_CREATE);
    struct command elsewhere = command_on(thread_id(1, 0), COMMAND_THREAD_CREATE);
    assert_int_equal(append_or_apply(&node, BOTH, 1, &creates[0]), STATUS_OK);
    struct batch *batch = batch_new();
    batch_add(batch, APPEND, 0, 1, 2, &creates[1]);
    batch_add(batch, APPEND, 0, 1, 3, &again);
    batch_add(batch, APPEND, 0, 1, 4, &creates[2]);
    batch_add(batch, APPEND, 1, 1, 1, &elsewhere);
    batch_add(batch, APPEND, 0, 1, 5, &create_applied);
    assert_int_equal(run(&node, batch), STATUS_OK);

    batch = batch_new();
    batch_truncate(batch, 0, 3);
    assert_int_equal(run(&node, batch), STATUS_OK);
    assert_int_equal(tail_of(&node, 1, 2).count, 2);
    assert_true(has_key_row(&node, ids[0]) && !has_waiting_key(&node, ids[0]));
    assert_true(has_waiting_key(&node, ids[1])); /* the one that entry 2 brought */
    assert_false(has_waiting_key(&node, ids[2]));
    node_restart(&node);
    assert_int_equal(tail_of(&node, 1, 2).count, 2);

    batch = batch_new();
    batch_truncate(batch, 0, 2);
    batch_add(batch, APPEND, 0, 2, 2, NULL);
    assert_int_equal(run(&node, batch), STATUS_OK);
    assert_false(has_waiting_key(&node, ids[1]));
    assert_true(has_waiting_key(&node, thread_id(1, 0)));
    struct log_tail tail = tail_of(&node, 1, 2);
    assert_int_equal(tail.first->next->place.epoch, 2);
    size_t log_bytes = 0;
    struct store_transaction *transaction = fixture_read(&fixture);
    assert_int_equal(range_log_size(transaction, &log_bytes), STATUS_OK);
    store_abort(transaction);
    assert_int_equal(batch_writer_log_bytes(node.writer), log_bytes);
    expect_no_corruption(&node);
    node_end(&node);
}

static void a_truncation_of_nothing_changes_nothing(void **state) {
    struct node node = memory_node(0);
    struct command create = command_on(thread_id(0, 0), COMMAND_THREAD_CREATE);
    (void)state;
    assert_int_equal(append_or_apply(&node, BOTH, 1, &create), STATUS_OK);
    struct batch *batch = batch_new();
    batch_truncate(batch, 0, 2);
    batch_truncate(batch, 1, 1);
    batch_truncate(batch, 2, UINT64_MAX);
    assert_int_equal(run(&node, batch), STATUS_OK);
    assert_int_equal(tail_of(&node, 1, 1).count, 1);
    node_end(&node);
}

/* ---- trimming ---- */

static void nothing_is_trimmed_that_is_not_applied(void **state) {
    struct node node = memory_node(1);
    struct bytes id = thread_id(0, 0);
    struct command create = command_on(id, COMMAND_THREAD_CREATE);
    struct command send = command_on(id, COMMAND_MESSAGE_SEND);
    struct command other = command_on(thread_id(1, 0), COMMAND_THREAD_CREATE);
    (void)state;
    assert_int_equal(append_or_apply(&node, BOTH, 1, &create), STATUS_OK);
    assert_int_equal(tail_of(&node, 1, 1).count, 0);
    assert_int_equal(batch_writer_log_bytes(node.writer), 0);
    assert_int_equal(append_or_apply(&node, APPEND, 2, &send), STATUS_OK);
    for (uint64_t i = 1; i <= 5; i++) {
        struct batch *batch = batch_new();
        batch_add(batch, BOTH, 1, 1, i, &other);
        assert_int_equal(run(&node, batch), STATUS_OK);
        assert_int_equal(tail_of(&node, 1, 2).count, 1);
        node_restart(&node);
    }
    size_t log_bytes = batch_writer_log_bytes(node.writer);
    assert_true(log_bytes > 0);
    assert_int_equal(append_or_apply(&node, APPLY, 2, &send), STATUS_OK);
    assert_int_equal(batch_writer_log_bytes(node.writer), 0);
    assert_int_equal(tail_of(&node, 2, 2).count, 0);
    node_end(&node);
}

/* ---- splits ---- */

/* The upper half of the range becomes the child's, behind the entry. */
static struct batch_birth split_of(uint32_t range, uint64_t epoch, uint32_t child, uint64_t index) {
    struct batch_birth birth = {.parent = range, .parent_bounds = bounds_of_part(range, RANGES), .child = child};
    uint64_t middle = birth.parent_bounds.first + (birth.parent_bounds.last - birth.parent_bounds.first) / 2;
    birth.has_child = true;
    birth.child_bounds = (struct bounds){.first = middle + 1, .last = birth.parent_bounds.last};
    birth.child_marks = (struct range_marks){.epoch = epoch, .applied = index};
    birth.parent_bounds.last = middle;
    return birth;
}

static struct range_progress progress_of(struct node *node, uint32_t range) {
    struct range_progress ranges[RANGES];
    struct store_transaction *transaction = NULL;
    check(store_begin_read(node->store, &transaction) == STATUS_OK);
    assert_int_equal(range_progress_load(transaction, &fixture.master, ranges, RANGES), STATUS_OK);
    store_abort(transaction);
    return ranges[range];
}

/* Its log goes on where that of the old one stood, at once and after a restart. */
static void a_range_that_was_split_off_goes_on_where_the_old_one_stood(void **state) {
    struct node node = memory_node(0);
    struct command create = command_on(thread_id(0, 0), COMMAND_THREAD_CREATE);
    (void)state;
    assert_int_equal(append_or_apply(&node, BOTH, 1, &create), STATUS_OK);
    struct batch *batch = batch_new();
    batch->births[batch->births_count++] = split_of(0, 1, 2, 1);
    batch_add(batch, BOTH, 2, 2, 2, NULL);
    assert_int_equal(run(&node, batch), STATUS_OK);
    struct batch_birth split = split_of(0, 1, 2, 1);
    for (int life = 0; life < 2; life++) {
        struct range_progress parent = progress_of(&node, 0);
        struct range_progress child = progress_of(&node, 2);
        assert_true(bounds_equal(&parent.bounds, &split.parent_bounds));
        assert_true(bounds_equal(&child.bounds, &split.child_bounds));
        assert_int_equal(parent.marks.applied, 1);
        assert_int_equal(child.marks.applied, 2);
        assert_int_equal(child.last_index, 2);
        assert_false(child.marks.is_incomplete);
        node_restart(&node);
    }
    node_end(&node);
}

static void what_cannot_be_split_off_is_incomplete(void **state) {
    struct node node = memory_node(0);
    struct command create = command_on(thread_id(0, 0), COMMAND_THREAD_CREATE);
    (void)state;
    assert_int_equal(append_or_apply(&node, BOTH, 1, &create), STATUS_OK);
    struct batch *batch = batch_new();
    batch->births[0] = split_of(0, 1, 2, 5);
    batch->births[0].child_marks = (struct range_marks){.is_incomplete = true};
    batch->births[0].is_parent_void = true;
    batch->births_count = 1;
    assert_int_equal(run(&node, batch), STATUS_OK);
    node_restart(&node);
    assert_true(progress_of(&node, 0).marks.is_incomplete);
    assert_true(progress_of(&node, 2).marks.is_incomplete);
    assert_int_equal(progress_of(&node, 0).last_index, 0);
    node_end(&node);
}

/* ---- failures ---- */

static void a_batch_that_is_not_durable_changes_neither_store_nor_writer(void **state) {
    static const int failures[] = {STATUS_STORAGE_FAILED, STATUS_STORAGE_FULL};
    struct node node = memory_node(0);
    struct node control = memory_node(0);
    struct bytes id = thread_id(0, 0);
    struct command create = command_on(id, COMMAND_THREAD_CREATE);
    struct command send = command_on(id, COMMAND_MESSAGE_SEND);
    (void)state;
    for (uint64_t i = 1; i <= 2; i++) {
        const struct command *command = i == 1 ? &create : &send;
        for (size_t failure = 0; failure < COUNT(failures); failure++) {
            struct batch *batch = batch_new();
            batch_add(batch, APPEND, 0, 1, i, command);
            batch_add(batch, BOTH, 1, 1, i, NULL);
            batch->takings[batch->takings_count++] =
                (struct batch_taking){.range = 2, .bounds = bounds_of_part(2, RANGES)};
            batch->births[batch->births_count++] = split_of(0, 1, 2, 0);
            store_memory_fail_commits(node.store, failures[failure], 1);
            assert_int_equal(run(&node, batch), failures[failure]);
            assert_int_equal(batch_writer_log_bytes(node.writer), batch_writer_log_bytes(control.writer));
        }
        store_memory_fail_commits(node.store, STATUS_SERVICE_UNAVAILABLE, 3); /* is tried again */
        assert_int_equal(append_or_apply(&node, APPEND, i, command), STATUS_OK);
        assert_int_equal(append_or_apply(&control, APPEND, i, command), STATUS_OK);
        assert_true(stores_hold_the_same(node.store, control.store, &fixture.master, ALL_TABLES, COUNT(ALL_TABLES)));
    }
    node_end(&node);
    node_end(&control);
}

static void a_full_store_takes_removals_from_its_reserve(void **state) {
    struct node node = memory_node(0);
    struct command create = command_on(thread_id(0, 0), COMMAND_THREAD_CREATE);
    (void)state;
    batch_writer_close(node.writer);
    store_memory_free(node.store);
    node.store = store_memory_new(&(struct store_memory_options){.bytes_max = 1, .reserve_bytes = 100000});
    node_begin(&node);
    assert_int_equal(append_or_apply(&node, BOTH, 1, &create), STATUS_STORAGE_FULL);
    struct batch *batch = batch_new();
    batch->is_removal = true;
    batch_add(batch, BOTH, 0, 1, 1, &create);
    assert_int_equal(run(&node, batch), STATUS_OK);
    node_end(&node);
}

static int try(struct node *node, struct batch *batch, bool *used_reserve) {
    batch_write(node->writer, batch);
    *used_reserve = batch->used_reserve;
    return batch_free(batch);
}

static void what_may_use_the_reserve_does_so_when_there_is_no_other_room(void **state) {
    struct node node = memory_node(0);
    struct command create = command_on(thread_id(0, 0), COMMAND_THREAD_CREATE);
    bool used_reserve;
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct batch *batch = batch_new();
        batch->may_use_reserve = true;
        batch_add(batch, APPEND, 0, 1, (uint64_t)i + 1, &create);
        if (i == 1)
            store_memory_fail_commits(node.store, STATUS_STORAGE_FULL, 1);
        assert_int_equal(try(&node, batch, &used_reserve), STATUS_OK);
        assert_int_equal(used_reserve, i == 1);
    }
    struct batch *batch = batch_new();
    batch->may_use_reserve = true;
    batch_add(batch, APPEND, 0, 1, 3, &create);
    store_memory_fail_commits(node.store, STATUS_STORAGE_FULL, 2); /* nor is there a reserve */
    assert_int_equal(try(&node, batch, &used_reserve), STATUS_STORAGE_FULL);
    node_end(&node);
}

static void a_probe_says_where_there_is_room_and_leaves_nothing(void **state) {
    static const struct {
        size_t bytes_max, reserve_bytes;
        int rc;
        bool used_reserve;
    } cases[] = {
        {400000, 0, STATUS_OK, false}, {1000, 100000, STATUS_OK, true}, {1000, 1000, STATUS_STORAGE_FULL, true}};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct store_memory_options options = {.bytes_max = cases[i].bytes_max,
                                               .reserve_bytes = cases[i].reserve_bytes};
        struct node node = {.store = store_memory_new(&options)};
        bool used_reserve;
        node_begin(&node);
        struct batch *batch = batch_new();
        batch->is_probe = true;
        batch->may_use_reserve = true;
        assert_int_equal(try(&node, batch, &used_reserve), cases[i].rc);
        assert_int_equal(used_reserve, cases[i].used_reserve);
        assert_int_equal(store_memory_bytes(node.store), 0);
        node_end(&node);
    }
}

/* ---- ranges taken over ---- */

static struct batch_taking take(struct node *node, uint32_t range, struct bytes chunk) {
    struct batch *batch = batch_new();
    batch->takings[batch->takings_count++] =
        (struct batch_taking){.range = range, .bounds = bounds_of_part(range, RANGES), .chunk = chunk};
    batch_write(node->writer, batch);
    struct batch_taking taking = batch->takings[0];
    assert_int_equal(batch_free(batch), STATUS_OK);
    return taking;
}

static int wipe(struct node *node, uint32_t range) {
    int steps = 1;
    while (!take(node, range, BYTES_ABSENT).is_done)
        steps++;
    return steps;
}

static struct snapshot *snapshot_of(struct node *node, uint32_t range, uint64_t number) {
    struct snapshot_scope scope = {.master = &fixture.master,
                                   .hash_key = fixture.hash_key,
                                   .range = range,
                                   .bounds = bounds_of_part(range, RANGES)};
    struct snapshot *snapshot = NULL;
    assert_int_equal(snapshot_read(node->store, &scope, number, 4000, snapshot_spool_memory(), &snapshot), STATUS_OK);
    return snapshot;
}

static struct bytes chunk_of(struct snapshot *snapshot, uint64_t number) {
    struct buffer chunk;
    buffer_init(&chunk);
    assert_int_equal(snapshot_chunk_read(snapshot, number, &chunk), STATUS_OK);
    struct bytes copy = arena_copy(&fixture.arena, buffer_bytes(&chunk));
    buffer_close(&chunk);
    return copy;
}

static bool is_incomplete(struct node *node, uint32_t range) {
    struct range_marks marks[RANGES];
    struct store_transaction *transaction = NULL;
    check(store_begin_read(node->store, &transaction) == STATUS_OK);
    assert_int_equal(range_marks_load(transaction, &fixture.master, marks, RANGES), STATUS_OK);
    store_abort(transaction);
    return marks[range].is_incomplete;
}

/* A thread in each range, with messages, and entries that are not applied. */
static void fill(struct node *node, uint64_t messages) {
    for (uint32_t range = 0; range < RANGES; range++) {
        struct bytes id = thread_id(range, 0);
        struct command create = command_on(id, COMMAND_THREAD_CREATE);
        struct command waiting = command_on(thread_id(range, 1), COMMAND_THREAD_CREATE);
        struct batch *batch = batch_new();
        batch_add(batch, BOTH, range, 1, 1, &create);
        struct command *sends = ARENA_NEW_ARRAY(&batch->arena, struct command, messages);
        for (uint64_t i = 0; i < messages; i++) {
            sends[i] = command_on(id, COMMAND_MESSAGE_SEND);
            batch_add(batch, BOTH, range, 1, i + 2, &sends[i]);
        }
        batch_add(batch, APPEND, range, 1, messages + 2, &waiting);
        assert_int_equal(run(node, batch), STATUS_OK);
    }
}

static void a_range_that_was_taken_over_is_as_on_the_node_it_came_from(void **state) {
    struct node from = memory_node(0);
    struct node to = lmdb_node(0);
    (void)state;
    fill(&from, 50);
    fill(&to, 20); /* of another life, with other keys */
    for (uint32_t range = 0; range < RANGES; range++) {
        struct snapshot *snapshot = snapshot_of(&from, range, 77);
        const struct snapshot_facts *facts = snapshot_facts(snapshot);
        assert_true(facts->chunks > 3);
        assert_int_equal(facts->marks.applied, 51);
        wipe(&to, range);
        assert_false(has_key_row(&to, thread_id(range, 0)) || has_waiting_key(&to, thread_id(range, 1)));
        for (uint64_t chunk = 0; chunk < facts->chunks; chunk++) {
            assert_true(is_incomplete(&to, range));
            struct batch_taking taking = take(&to, range, chunk_of(snapshot, chunk));
            assert_int_equal(taking.rc, STATUS_OK);
            assert_int_equal(taking.is_done, chunk + 1 == facts->chunks);
        }
        assert_false(is_incomplete(&to, range));
        snapshot_close(snapshot);
    }
    assert_true(stores_hold_the_same(from.store, to.store, &fixture.master, STATE_TABLES, COUNT(STATE_TABLES)));
    assert_int_equal(tail_of(&to, 51, 51).count, 0); /* what is left of the other life does not count */
    node_restart(&to);
    assert_int_equal(tail_of(&to, 51, 51).count, 0);
    struct command send = command_on(thread_id(0, 0), COMMAND_MESSAGE_SEND);
    assert_int_equal(append_or_apply(&to, APPEND, 52, &send), STATUS_OK);
    assert_int_equal(append_or_apply(&to, APPLY, 52, &send), STATUS_OK);
    assert_int_equal(tail_of(&to, 52, 52).count, 1);
    expect_no_corruption(&to);
    node_end(&to);
    node_end(&from);
}

static void a_crash_in_the_middle_leaves_a_range_of_which_nothing_counts(void **state) {
    struct node from = memory_node(0);
    struct node to = memory_node(0);
    (void)state;
    fill(&from, 50);
    fill(&to, 20);
    struct snapshot *snapshot = snapshot_of(&from, 0, 1);
    wipe(&to, 0);
    assert_int_equal(take(&to, 0, chunk_of(snapshot, 0)).rc, STATUS_OK);
    node_restart(&to);
    assert_true(is_incomplete(&to, 0) && !is_incomplete(&to, 1));
    assert_int_equal(tail_of(&to, 0, 0).count, 0);
    assert_int_equal(take(&to, 0, chunk_of(snapshot, 1)).rc, STATUS_CONFLICT); /* it has to be wiped again */
    assert_int_equal(take(&to, 0, chunk_of(snapshot, 0)).rc, STATUS_CONFLICT);
    wipe(&to, 0);
    for (uint64_t chunk = 0; chunk < snapshot_facts(snapshot)->chunks; chunk++)
        assert_int_equal(take(&to, 0, chunk_of(snapshot, chunk)).rc, STATUS_OK);
    assert_int_equal(tail_of(&to, 51, 51).count, 0);
    snapshot_close(snapshot);
    node_end(&from);
    node_end(&to);
}

static void chunks_that_do_not_follow_each_other_are_left_out(void **state) {
    struct node from = memory_node(0);
    struct node to = memory_node(0);
    (void)state;
    fill(&from, 50);
    struct snapshot *snapshots[] = {snapshot_of(&from, 0, 1), snapshot_of(&from, 0, 2), snapshot_of(&from, 1, 1)};
    assert_int_equal(take(&to, 0, chunk_of(snapshots[0], 0)).rc, STATUS_CONFLICT); /* not wiped */
    wipe(&to, 0);
    assert_int_equal(take(&to, 0, chunk_of(snapshots[0], 1)).rc, STATUS_CONFLICT);
    assert_int_equal(take(&to, 0, chunk_of(snapshots[2], 0)).rc, STATUS_CONFLICT); /* of another range */
    assert_int_equal(take(&to, 0, chunk_of(snapshots[0], 0)).rc, STATUS_OK);
    assert_int_equal(take(&to, 0, chunk_of(snapshots[0], 0)).rc, STATUS_CONFLICT);
    assert_int_equal(take(&to, 0, chunk_of(snapshots[1], 1)).rc, STATUS_CONFLICT); /* another reading */
    assert_int_equal(take(&to, 0, BYTES_LITERAL("damaged")).rc, STATUS_RECORD_CORRUPT);
    assert_int_equal(take(&to, 0, chunk_of(snapshots[0], 1)).rc, STATUS_OK);
    for (size_t i = 0; i < COUNT(snapshots); i++)
        snapshot_close(snapshots[i]);
    node_end(&from);
    node_end(&to);
}

static void a_step_that_is_left_out_does_not_keep_the_batch_from_being_written(void **state) {
    struct node node = memory_node(0);
    struct command create = command_on(thread_id(0, 0), COMMAND_THREAD_CREATE);
    struct batch *batch = batch_new();
    (void)state;
    batch->takings[batch->takings_count++] =
        (struct batch_taking){.range = 1, .bounds = bounds_of_part(1, RANGES), .chunk = BYTES_LITERAL("damaged")};
    batch->takings[batch->takings_count++] = (struct batch_taking){.range = 2, .bounds = bounds_of_part(2, RANGES)};
    batch_add(batch, BOTH, 0, 1, 1, &create);
    assert_int_equal(run(&node, batch), STATUS_OK);
    assert_true(has_key_row(&node, thread_id(0, 0)));
    assert_true(is_incomplete(&node, 2));
    node_end(&node);
}

static void a_large_range_is_wiped_in_bounded_steps(void **state) {
    struct node node = memory_node(0);
    (void)state;
    fill(&node, 1500);
    struct snapshot *others = snapshot_of(&node, 1, 1);
    uint64_t bytes = snapshot_facts(others)->bytes;
    snapshot_close(others);
    int steps = wipe(&node, 0);
    assert_int_equal(steps, 2);
    others = snapshot_of(&node, 1, 1);
    assert_int_equal(snapshot_facts(others)->bytes, bytes);
    snapshot_close(others);
    node_end(&node);
}

/* Entries of the former life are above `applied` of the new one, and neither read nor kept for ever. */
static void the_log_of_a_wiped_range_can_be_trimmed(void **state) {
    struct node node = memory_node(20000);
    struct command other = command_on(thread_id(1, 0), COMMAND_THREAD_CREATE);
    (void)state;
    fill(&node, 5);
    wipe(&node, 0);
    wipe(&node, 2);
    for (uint64_t i = 8; i <= 200; i++) {
        struct batch *batch = batch_new();
        if (i == 8) {
            struct command waiting = command_on(thread_id(1, 1), COMMAND_THREAD_CREATE);
            batch_add(batch, APPLY, 1, 1, 7, &waiting);
        }
        batch_add(batch, BOTH, 1, 1, i, &other);
        assert_int_equal(run(&node, batch), STATUS_OK);
        if (i % 50 == 0)
            node_restart(&node);
    }
    assert_true(batch_writer_log_bytes(node.writer) <= 20000);
    assert_true(is_incomplete(&node, 0) && is_incomplete(&node, 2));
    assert_int_equal(tail_of(&node, 0, 0).count, 0);
    node_end(&node);
}

/* A range applies what waits and goes on. */
static void go_on(struct node *node, uint32_t range, uint64_t count) {
    struct command waiting = command_on(thread_id(range, 1), COMMAND_THREAD_CREATE);
    struct command send = command_on(thread_id(range, 0), COMMAND_MESSAGE_SEND);
    for (uint64_t i = 0; i < count; i++) {
        struct batch *batch = batch_new();
        batch_add(batch, i == 0 ? APPLY : BOTH, range, 1, 7 + i, i == 0 ? &waiting : &send);
        assert_int_equal(run(node, batch), STATUS_OK);
    }
}

/* The new life has entries with the same indexes, which wait to be applied. */
static void entries_of_a_former_life_are_trimmed_before_those_of_the_new_one(void **state) {
    (void)state;
    for (int is_restarted = 0; is_restarted < 2; is_restarted++) {
        struct node node = memory_node(10000);
        struct node empty = memory_node(0);
        struct command create = command_on(thread_id(0, 0), COMMAND_THREAD_CREATE);
        struct snapshot *snapshot = snapshot_of(&empty, 0, 1);
        fill(&node, 5);
        wipe(&node, 0);
        assert_int_equal(take(&node, 0, chunk_of(snapshot, 0)).rc, STATUS_OK);
        snapshot_close(snapshot);
        go_on(&node, 2, 2);
        go_on(&node, 1, 10); /* fills the log, which begins with range 0 of the former life */
        for (uint64_t i = 1; i <= 7; i++)
            assert_int_equal(append_or_apply(&node, APPEND, i, &create), STATUS_OK);
        if (is_restarted != 0)
            node_restart(&node);
        struct batch *batch = batch_new();
        batch_add(batch, BOTH, 1, 1, 17, NULL);
        assert_int_equal(run(&node, batch), STATUS_OK);
        assert_true(batch_writer_log_bytes(node.writer) > 5000);
        for (uint64_t i = 18; i < 50; i++) {
            batch = batch_new();
            batch_add(batch, BOTH, 1, 1, i, NULL);
            assert_int_equal(run(&node, batch), STATUS_OK);
        }
        assert_true(batch_writer_log_bytes(node.writer) <= 10000);
        assert_int_equal(tail_of(&node, 0, 7).count, 7);
        node_end(&node);
        node_end(&empty);
    }
}

/* ---- random histories ---- */

enum { ENTRIES_MAX = 6000, THREADS = 3, USERS = 2, SUBJECTS = THREADS + USERS };

/* What a range should be: commands by index, those up to `applied` for ever. */
struct range_model {
    struct command commands[ENTRIES_MAX + 1];
    uint64_t epochs[ENTRIES_MAX + 1];
    bool is_epoch_start[ENTRIES_MAX + 1];
    uint64_t epoch;
    uint64_t last;
    uint64_t applied;
};

struct model {
    struct range_model ranges[RANGES];
    struct store *store; /* what is applied, without any log */
};

static uint64_t seed;

static unsigned chance(unsigned below) {
    seed = seed * 6364136223846793005U + 1442695040888963407U;
    return (unsigned)(seed >> 33) % below;
}

static struct bytes subject_ids[RANGES][SUBJECTS];
static unsigned subjects_made;

static struct command any_command(uint32_t range) {
    static const enum command_kind kinds[] = {COMMAND_THREAD_CREATE,      COMMAND_THREAD_CREATE, COMMAND_MESSAGE_SEND,
                                              COMMAND_MESSAGE_SEND,       COMMAND_MESSAGE_SEND,  COMMAND_THREAD_DELETE,
                                              COMMAND_THREAD_PURGE,       COMMAND_OUTBOX_DONE,   COMMAND_THREAD_UPDATE,
                                              COMMAND_PARTICIPANT_REMOVE, COMMAND_USER_CREATE,   COMMAND_USER_CREATE,
                                              COMMAND_USER_THREAD,        COMMAND_USER_THREAD,   COMMAND_USER_DELETE,
                                              COMMAND_USER_REVOKE,        COMMAND_USER_FORGET};
    enum command_kind kind = kinds[chance(COUNT(kinds))];
    bool is_of_user = kind >= COMMAND_USER_CREATE;
    unsigned subject = is_of_user ? THREADS + chance(USERS) : chance(THREADS);
    struct bytes id = subject_ids[range][subject];
    struct command command = command_on(id, kind);
    command.content = arena_printf(&fixture.arena, "content %u", chance(100000));
    if (kind == COMMAND_THREAD_CREATE || kind == COMMAND_USER_CREATE) {
        command.properties.id = id;
        command.wrapped_key = fixture_key(&fixture, &command.subject);
    }
    command.user_id = kind == COMMAND_USER_CREATE ? id : ALICE;
    command.number = 1 + chance(3);
    command.thread_id = id;
    command.thread_hash = fixture_hash(&fixture, id);
    command.membership = (enum membership)(1 + chance(3));
    command.offset = chance(50);
    /* What is deleted never comes again, so others must come. An id of a user is of chance, and not made twice. */
    if (kind == COMMAND_USER_DELETE || (kind == COMMAND_THREAD_DELETE && chance(4) == 0))
        subject_ids[range][subject] = thread_id(range, ++subjects_made);
    return command;
}

static void model_append(struct model *model, struct batch *batch, uint32_t id, enum step step) {
    struct range_model *range = &model->ranges[id];
    uint64_t index = ++range->last;
    range->is_epoch_start[index] = chance(20) == 0;
    range->commands[index] = range->is_epoch_start[index] ? (struct command){0} : any_command(id);
    range->epochs[index] = range->epoch;
    batch_add(batch, step, id, range->epoch, index, range->is_epoch_start[index] ? NULL : &range->commands[index]);
}

static void model_apply(struct model *model, struct batch *batch, uint32_t id) {
    struct range_model *range = &model->ranges[id];
    uint64_t index = ++range->applied;
    batch_add(batch, APPLY, id, range->epochs[index], index,
              range->is_epoch_start[index] ? NULL : &range->commands[index]);
}

static void model_round(struct model *model, struct batch *batch, uint32_t id) {
    struct range_model *range = &model->ranges[id];
    if (range->last > range->applied && chance(8) == 0) {
        range->last = range->applied + chance((unsigned)(range->last - range->applied));
        range->epoch++;
        batch_truncate(batch, id, range->last + 1);
    }
    for (unsigned steps = chance(6); steps > 0; steps--) {
        bool is_alone = range->applied == range->last && chance(3) == 0;
        if (is_alone) {
            model_append(model, batch, id, BOTH);
            range->applied++;
        } else if (range->applied < range->last && chance(2) == 0) {
            model_apply(model, batch, id);
        } else {
            model_append(model, batch, id, APPEND);
        }
    }
}

/* The state that is expected: only what is applied, one command after the other. */
static void expected_state_apply(struct model *model, const struct batch *batch) {
    struct store_transaction *transaction = NULL;
    struct arena arena;
    struct outcome outcome;
    arena_init(&arena);
    check(store_begin_write(model->store, &transaction) == STATUS_OK);
    struct apply_context context = {
        .transaction = transaction, .arena = &arena, .master = &fixture.master, .hash_key = fixture.hash_key};
    for (size_t i = 0; i < batch->count; i++) {
        const struct batch_item *item = &batch->items[i];
        if (!item->is_apply || bytes_is_present(item->entry->encoded))
            continue;
        check(command_apply(&context, &item->entry->command, &outcome) == STATUS_OK);
        assert_int_equal(outcome.result.rc, item->entry->outcome.result.rc);
        assert_int_equal(outcome.result.offset, item->entry->outcome.result.offset);
    }
    check(store_commit(transaction) == STATUS_OK);
    arena_close(&arena);
}

static void expect_tails(const struct model *model, struct node *node) {
    struct log_tail tails[RANGES];
    struct store_transaction *transaction = NULL;
    struct arena arena;
    struct buffer encoded;
    arena_init(&arena);
    buffer_init(&encoded);
    check(store_begin_read(node->store, &transaction) == STATUS_OK);
    size_t bytes_max = chance(5000);
    assert_int_equal(range_log_load_tail(transaction, &fixture.master, &arena, tails, RANGES, bytes_max), STATUS_OK);
    store_abort(transaction);
    for (uint32_t id = 0; id < RANGES; id++) {
        const struct range_model *range = &model->ranges[id];
        assert_int_equal(tails[id].marks.applied, range->applied);
        assert_true(range->applied == 0 || tails[id].marks.epoch == range->epochs[range->applied]);
        uint64_t index = range->last - tails[id].count;
        assert_true(index <= range->applied);
        for (const struct log_tail_entry *entry = tails[id].first; entry != NULL; entry = entry->next) {
            assert_int_equal(entry->place.index, ++index);
            assert_int_equal(entry->place.epoch, range->epochs[index]);
            encoded.size = 0;
            if (!range->is_epoch_start[index])
                command_encode(&range->commands[index], &encoded);
            assert_true(bytes_equal(entry->command, buffer_bytes(&encoded)));
        }
        assert_int_equal(index, range->last);
    }
    buffer_close(&encoded);
    arena_close(&arena);
}

static struct batch *batch_copy(const struct batch *batch) {
    struct batch *copy = batch_new();
    for (size_t i = 0; i < batch->truncations_count; i++)
        copy->truncations[copy->truncations_count++] = batch->truncations[i];
    for (size_t i = 0; i < batch->count; i++) {
        const struct batch_item *item = &batch->items[i];
        bool is_epoch_start = bytes_is_present(item->entry->encoded);
        enum step step = (enum step)((item->is_append ? APPEND : 0) | (item->is_apply ? APPLY : 0));
        batch_add(copy, step, item->entry->place.range, item->entry->place.epoch, item->entry->place.index,
                  is_epoch_start ? NULL : &item->entry->command);
    }
    return copy;
}

/* A crash before the commit: on one store the commit fails, the other never hears of the batch. */
static void crash(struct node *memory, struct node *lmdb, const struct batch *batch) {
    struct batch *lost = batch_copy(batch);
    store_memory_fail_commits(memory->store, STATUS_STORAGE_FAILED, 1);
    assert_int_equal(run(memory, lost), STATUS_STORAGE_FAILED);
    if (chance(2) == 0) {
        node_restart(memory);
        node_restart(lmdb);
    }
}

static void history_run(size_t log_bytes_kept, int rounds) {
    struct model *model = calloc(1, sizeof(*model));
    struct node memory = memory_node(log_bytes_kept);
    struct node lmdb = lmdb_node(log_bytes_kept);
    check(model != NULL);
    subjects_made = SUBJECTS;
    model->store = store_memory_new(&(struct store_memory_options){0});
    for (uint32_t id = 0; id < RANGES; id++) {
        model->ranges[id].epoch = 1;
        for (unsigned i = 0; i < SUBJECTS; i++)
            subject_ids[id][i] = thread_id(id, i);
    }
    for (int round = 0; round < rounds; round++) {
        struct batch *batch = batch_new();
        for (uint32_t id = 0; id < RANGES; id++)
            model_round(model, batch, id);
        if (chance(10) == 0)
            crash(&memory, &lmdb, batch);
        struct batch *copy = batch_copy(batch);
        batch_write(memory.writer, batch);
        assert_int_equal(batch->rc, STATUS_OK);
        expected_state_apply(model, batch);
        batch_free(batch);
        assert_int_equal(run(&lmdb, copy), STATUS_OK);
        if (chance(10) == 0) {
            node_restart(&memory);
            node_restart(&lmdb);
        }
        if (chance(5) != 0)
            continue;
        expect_tails(model, &memory);
        assert_true(stores_hold_the_same(memory.store, model->store, &fixture.master, STATE_TABLES, 2));
        assert_true(stores_hold_the_same(memory.store, lmdb.store, &fixture.master, ALL_TABLES, COUNT(ALL_TABLES)));
        assert_int_equal(batch_writer_log_bytes(memory.writer), batch_writer_log_bytes(lmdb.writer));
    }
    expect_no_corruption(&memory);
    expect_no_corruption(&lmdb);
    store_memory_free(model->store);
    free(model);
    node_end(&memory);
    node_end(&lmdb);
}

static void random_histories_with_crashes_give_the_state_of_what_was_applied(void **state) {
    static const size_t log_bytes_kept[] = {1, 3000, 20000, 0};
    (void)state;
    for (uint64_t i = 0; i < COUNT(log_bytes_kept); i++) {
        seed = 4711 + i;
        if (i > 0) {
            fixture_close(&fixture);
            fixture_open(&fixture);
        }
        history_run(log_bytes_kept[i], 250);
    }
}

int main(void) {
#define WRITTEN(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WRITTEN(state_knows_nothing_of_what_is_not_applied),
        WRITTEN(a_command_applied_later_has_the_outcome_of_one_applied_at_once),
        WRITTEN(entries_behind_a_deletion_survive_the_shredding_until_they_are_applied),
        WRITTEN(an_epoch_begins_with_an_entry_that_changes_nothing),
        WRITTEN(what_came_encoded_is_written_as_it_came),
        WRITTEN(a_truncated_entry_is_gone_with_the_key_it_brought),
        WRITTEN(a_truncation_of_nothing_changes_nothing),
        WRITTEN(nothing_is_trimmed_that_is_not_applied),
        WRITTEN(a_batch_that_is_not_durable_changes_neither_store_nor_writer),
        WRITTEN(a_range_that_was_split_off_goes_on_where_the_old_one_stood),
        WRITTEN(what_cannot_be_split_off_is_incomplete),
        WRITTEN(a_full_store_takes_removals_from_its_reserve),
        WRITTEN(what_may_use_the_reserve_does_so_when_there_is_no_other_room),
        WRITTEN(a_probe_says_where_there_is_room_and_leaves_nothing),
        WRITTEN(a_range_that_was_taken_over_is_as_on_the_node_it_came_from),
        WRITTEN(a_crash_in_the_middle_leaves_a_range_of_which_nothing_counts),
        WRITTEN(chunks_that_do_not_follow_each_other_are_left_out),
        WRITTEN(a_step_that_is_left_out_does_not_keep_the_batch_from_being_written),
        WRITTEN(a_large_range_is_wiped_in_bounded_steps),
        WRITTEN(the_log_of_a_wiped_range_can_be_trimmed),
        WRITTEN(entries_of_a_former_life_are_trimmed_before_those_of_the_new_one),
        WRITTEN(random_histories_with_crashes_give_the_state_of_what_was_applied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
