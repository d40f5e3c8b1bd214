#include "node/rolled_back.h"

#include "node/log.h"
#include "node/wish_writing.h"
#include "proto/limits.h"
#include "proto/load_record.h"
#include "proto/node_record.h"
#include "proto/range_record.h"
#include "proto/status.h"
#include "storage/range_log.h"

struct looking {
    const struct config *config;
    struct data_folder *folder;
    uint64_t node;
    struct arena arena;
};

/* ---- how far the log had come ---- */

/* 0: this node has not told, or not in a way that is known here. */
static int told_get(struct looking *self, uint64_t *told) {
    char name[NODE_PATH_BYTES];
    struct load_record record;
    struct bytes value;
    uint64_t version;
    *told = 0;
    node_path_format("loads", self->node, name);
    int rc = coordinator_get(self->folder->coordinator, name, &self->arena, &value, &version);
    if (rc == STATUS_OK && load_record_decode(value, &self->arena, &record) == STATUS_OK)
        *told = record.log_next;
    return rc == STATUS_STORE_MISSING ? STATUS_OK : rc;
}

static int found_get(struct looking *self, uint64_t *found) {
    struct store_transaction *transaction = NULL;
    int rc = store_begin_read(self->folder->store, &transaction);
    if (rc != STATUS_OK)
        return rc;
    rc = range_log_next_number(transaction, found);
    store_abort(transaction);
    return rc;
}

/* ---- whether others have it ---- */

static bool is_alive(const struct coordinator_item *alive, size_t count, uint64_t node) {
    char name[NODE_PATH_BYTES];
    node_path_format("alive", node, name);
    for (size_t i = 0; i < count; i++)
        if (bytes_equal_text(alive[i].name, name))
            return true;
    return false;
}

static bool is_elsewhere(const struct looking *self, const struct range_record *record,
                         const struct coordinator_item *alive, size_t count) {
    for (size_t i = 0; i < record->in_sync_count; i++)
        if (record->in_sync[i] != self->node && is_alive(alive, count, record->in_sync[i]))
            return true;
    return !range_record_has_in_sync(record, self->node);
}

static int others_look(struct looking *self) {
    struct coordinator *coordinator = self->folder->coordinator;
    struct coordinator_item *ranges, *alive;
    size_t ranges_count, alive_count;
    uint64_t revision;
    struct range_record record;
    int rc = coordinator_list(coordinator, "alive/", &self->arena, &alive, &alive_count, &revision);
    if (rc == STATUS_OK)
        rc = coordinator_list(coordinator, "ranges/", &self->arena, &ranges, &ranges_count, &revision);
    for (size_t i = 0; rc == STATUS_OK && i < ranges_count; i++) {
        if (range_record_decode(ranges[i].value, &record) != STATUS_OK ||
            is_elsewhere(self, &record, alive, alive_count))
            continue;
        log_error(
            "data folder %s: nobody else is there who has range %u; start the other nodes of the cluster first, or "
            "put the newer database back",
            self->config->data, (unsigned)record.range);
        rc = STATUS_CONFLICT;
    }
    return rc;
}

/* ---- nothing of it counts ---- */

/* Marks behind all that this node has ever told: who is started again in the middle of learning is not older. */
static int marks_put(struct looking *self, struct store_transaction *transaction, uint64_t number) {
    struct range_progress *ranges = ARENA_NEW_ARRAY(&self->arena, struct range_progress, LIMIT_RANGES_MAX);
    size_t bytes;
    int rc = range_progress_load(transaction, &self->folder->master, ranges, LIMIT_RANGES_MAX);
    if (rc != STATUS_OK)
        return rc;
    uint32_t count = range_progress_count(ranges, LIMIT_RANGES_MAX);
    if (count < self->folder->settings.range_count)
        count = self->folder->settings.range_count;
    struct range_marks_of *marks = ARENA_NEW_ARRAY(&self->arena, struct range_marks_of, count);
    for (uint32_t i = 0; i < count; i++)
        marks[i] = (struct range_marks_of){.range = i, .is_incomplete = true};
    return range_log_append_marks(transaction, &self->folder->master, &number, marks, count, &bytes);
}

static int all_make_void(struct looking *self, uint64_t number) {
    struct store_transaction *transaction = NULL;
    int rc;
    do {
        rc = store_begin_write(self->folder->store, &transaction);
        if (rc != STATUS_OK)
            return rc;
        rc = marks_put(self, transaction, number);
        if (rc == STATUS_OK)
            rc = store_commit(transaction);
        else
            store_abort(transaction);
    } while (rc == STATUS_SERVICE_UNAVAILABLE); /* the store has made room */
    return rc;
}

static int look(struct looking *self) {
    uint64_t told, found;
    int rc = told_get(self, &told);
    if (rc == STATUS_OK)
        rc = found_get(self, &found);
    if (rc != STATUS_OK || found >= told)
        return rc;
    log_error("data folder %s: the database is older than what this node has told the others: its log ends before "
              "number %llu, and had come to %llu",
              self->config->data, (unsigned long long)found, (unsigned long long)told);
    rc = others_look(self);
    if (rc == STATUS_OK)
        rc = all_make_void(self, told);
    if (rc == STATUS_OK)
        log_warning("nothing of it counts: this node learns all of its ranges anew from the others");
    return rc;
}

int rolled_back_look(const struct config *config, struct data_folder *folder, uint64_t node) {
    struct looking self = {.config = config, .folder = folder, .node = node};
    arena_init(&self.arena);
    int rc = look(&self);
    arena_close(&self.arena);
    if (rc != STATUS_OK && rc != STATUS_CONFLICT)
        log_error("data folder %s: it cannot be found out whether it is as new as it was: %s", config->data,
                  status_sentence(rc));
    return rc;
}
