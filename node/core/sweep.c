#include "node/core/sweep.h"

#include "node/core/keeping.h"
#include "node/core/retention.h"
#include "proto/limits.h"
#include "proto/status.h"
#include "storage/event_store.h"
#include "storage/keys.h"
#include "storage/thread_store.h"
#include "storage/user_store.h"

#define EXPIRIES_PER_WALK 16 /* of one thread; the rest has to wait for the next walk */

/* One thread or user, as visitors see it. */
struct sweep_sight {
    const struct sweep_options *options;
    struct store_transaction *transaction;
    struct arena *arena;
    struct id_hash subject;
    int64_t now_ms;
};

static int propose(const struct sweep_sight *sight, const struct command *command) {
    return sight->options->propose(sight->options->context, command);
}

static int propose_unless_held(const struct sweep_sight *sight, const struct command *command) {
    struct hold_row hold;
    int rc = subject_hold_get(sight->transaction, sight->arena, sight->options->master, &sight->subject, &hold);
    return rc == STATUS_STORE_MISSING ? propose(sight, command) : rc;
}

/* ---- threads whose policy deletes them ---- */

static int retention_visit(const struct sweep_sight *sight) {
    struct thread_store store;
    struct thread_properties properties;
    struct command deletion = {.kind = COMMAND_THREAD_DELETE,
                               .subject = sight->subject,
                               .reason = BYTES_LITERAL(RETENTION_REASON),
                               .keep_ms = sight->options->undelete_ms};
    int rc = thread_store_open(&store, sight->transaction, sight->arena, sight->options->master, &sight->subject);
    if (rc == STATUS_OK)
        rc = thread_properties_get(&store, &properties);
    if (rc != STATUS_OK) /* one that is gone, or a user */
        return rc == STATUS_THREAD_NOT_FOUND || rc == STATUS_STORE_MISSING ? STATUS_OK : rc;
    return retention_is_over(&properties, sight->now_ms) ? propose_unless_held(sight, &deletion) : STATUS_OK;
}

/* ---- deleted threads that are kept, and need not be any more ---- */

static int kept_visit(const struct sweep_sight *sight) {
    struct apply_context context = {
        .transaction = sight->transaction, .arena = sight->arena, .master = sight->options->master};
    struct tombstone_row tombstone;
    struct command shredding = {.kind = COMMAND_THREAD_SHRED, .subject = sight->subject};
    int rc = keeping_find(&context, &sight->subject, &tombstone);
    if (rc != STATUS_OK)
        return rc == STATUS_STORE_MISSING ? STATUS_OK : rc;
    return tombstone.kept_until_ms <= sight->now_ms ? propose_unless_held(sight, &shredding) : STATUS_OK;
}

/* ---- deleted threads in users' lists ---- */

struct list_look {
    const struct sweep_sight *sight;
    int rc;
};

static bool item_look(void *context, const struct id_hash *thread, const struct membership_row *row) {
    struct list_look *look = context;
    const struct sweep_sight *sight = look->sight;
    struct command forgetting = {
        .kind = COMMAND_USER_FORGET, .subject = sight->subject, .thread_hash = *thread, .offset = row->offset};
    if (row->membership == MEMBERSHIP_DELETED && sight->now_ms - row->deleted_ms >= sight->options->deleted_keep_ms)
        look->rc = propose(sight, &forgetting);
    return look->rc == STATUS_OK;
}

static int list_visit(const struct sweep_sight *sight) {
    struct user_store store;
    struct list_look look = {.sight = sight};
    int rc = user_store_open(&store, sight->transaction, sight->arena, sight->options->master, &sight->subject);
    if (rc == STATUS_OK)
        rc = user_memberships_visit(&store, item_look, &look);
    if (rc != STATUS_OK) /* a thread, or a user that is gone */
        return rc == STATUS_STORE_MISSING ? STATUS_OK : rc;
    return look.rc;
}

/* ---- events that are too old ---- */

/* One command removes a bounded number of them. */
static int expiry_propose(const struct sweep_sight *sight, uint64_t oldest, uint64_t last) {
    const struct command expiry = {.kind = COMMAND_EVENTS_EXPIRE, .subject = sight->subject, .offset = last};
    uint64_t commands = 1 + (last - oldest) / LIMIT_PURGE_ROWS_PER_COMMAND;
    int rc = STATUS_OK;
    for (uint64_t i = 0; rc == STATUS_OK && i < commands && i < EXPIRIES_PER_WALK; i++)
        rc = propose(sight, &expiry);
    return rc;
}

/* Also of a thread that is deleted. */
static int expiry_visit(const struct sweep_sight *sight) {
    struct event_store events = {.transaction = sight->transaction,
                                 .arena = sight->arena,
                                 .master = sight->options->master,
                                 .thread = sight->subject};
    uint64_t oldest, last;
    int rc = event_oldest(&events, &oldest);
    if (rc == STATUS_OK)
        rc = event_newest_before(&events, sight->now_ms - sight->options->events_keep_ms, &last);
    if (rc != STATUS_OK)
        return rc == STATUS_STORE_MISSING ? STATUS_OK : rc;
    return expiry_propose(sight, oldest, last);
}

/* ---- the walk ---- */

static int (*const visitors[])(const struct sweep_sight *sight) = {retention_visit, kept_visit, list_visit,
                                                                   expiry_visit};

static int subject_visit(const struct sweep_sight *sight) {
    int rc = STATUS_OK;
    for (size_t i = 0; rc == STATUS_OK && i < sizeof(visitors) / sizeof(visitors[0]); i++)
        rc = visitors[i](sight);
    return rc;
}

/* False: there is none behind it. */
static bool subject_step(struct id_hash *subject) {
    for (size_t i = sizeof(subject->bytes); i-- > 0;)
        if (++subject->bytes[i] != 0)
            return true;
    return false;
}

/* Its rows are not walked through: a visitor reads those that it needs. */
static int subject_find(struct store_transaction *transaction, const struct id_hash *from, struct id_hash *found) {
    struct store_cursor *cursor = NULL;
    struct bytes key;
    struct bytes value;
    int rc = store_cursor_open(transaction, STORE_STATE, &cursor);
    if (rc != STATUS_OK)
        return rc;
    rc = store_cursor_seek(cursor, bytes_of(from->bytes, sizeof(from->bytes)), &key, &value);
    if (rc == STATUS_OK)
        *found = key_subject(key);
    store_cursor_close(cursor);
    return rc;
}

static int next_visit(struct sweep *sweep, struct sweep_sight *sight) {
    int rc = subject_find(sight->transaction, &sweep->next, &sight->subject);
    if (rc != STATUS_OK)
        return rc;
    sweep->next = sight->subject;
    if (sight->options->is_ours(sight->options->context, &sight->subject))
        rc = subject_visit(sight);
    if (rc == STATUS_RECORD_CORRUPT) {
        sweep->unreadable++;
        rc = STATUS_OK;
    }
    if (rc == STATUS_OK && !subject_step(&sweep->next))
        rc = STATUS_STORE_MISSING;
    return rc;
}

int sweep_turn(struct sweep *sweep, const struct sweep_options *options, struct store_transaction *transaction,
               int64_t now_ms) {
    struct arena arena;
    struct sweep_sight sight = {.options = options, .transaction = transaction, .arena = &arena, .now_ms = now_ms};
    int rc = STATUS_OK;
    arena_init(&arena);
    for (size_t i = 0; rc == STATUS_OK && i < SWEEP_SUBJECTS_PER_TURN; i++) {
        rc = next_visit(sweep, &sight);
        arena_reset(&arena);
    }
    arena_close(&arena);
    return rc;
}
