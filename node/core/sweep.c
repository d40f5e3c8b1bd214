#include "node/core/sweep.h"

#include "node/core/keeping.h"
#include "node/core/retention.h"
#include "proto/limits.h"
#include "proto/status.h"
#include "storage/event_store.h"
#include "storage/keys.h"
#include "storage/thread_store.h"
#include "storage/user_store.h"

#define EXPIRIES_PER_WALK 16                              /* of one thread; the rest has to wait for the next walk */
#define LACKED_KEPT_MS (INT64_C(7) * 24 * 60 * 60 * 1000) /* a cluster may have been off, or a record not open */

/* One thread or user, as visitors see it. */
struct sweep_sight {
    const struct sweep_options *options;
    struct store_transaction *transaction;
    struct arena *arena;
    struct id_hash subject;
    int64_t now_ms;
    bool are_consumers_known;
    struct sweep_consumers consumers;
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

/* ---- how far consumers have come ---- */

static struct event_store events_of(const struct sweep_sight *sight) {
    return (struct event_store){.transaction = sight->transaction,
                                .arena = sight->arena,
                                .master = sight->options->master,
                                .thread = sight->subject};
}

/* NULL: the consumer has not begun with this thread, or not this time. */
static const struct event_cursor *cursor_find(const struct event_cursors_row *stored,
                                              const struct sweep_consumer *consumer) {
    for (size_t i = 0; i < stored->cursors_count; i++)
        if (id_hash_equal(&stored->cursors[i].consumer, &consumer->name))
            return stored->cursors[i].serial == consumer->serial ? &stored->cursors[i] : NULL;
    return NULL;
}

/* What is before the events that who begins wants. */
static int beginning_find(const struct event_store *events, const struct sweep_consumer *consumer, uint64_t *offset) {
    *offset = 0;
    int rc = event_newest_before(events, consumer->from_ms, offset);
    return rc == STATUS_STORE_MISSING ? STATUS_OK : rc;
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

/* What everyone has got. */
static int all_got_find(const struct sweep_sight *sight, const struct event_store *events, uint64_t *all_got) {
    struct event_cursors_row stored;
    int rc = event_cursors_get(events, &stored);
    *all_got = sight->are_consumers_known ? UINT64_MAX : 0;
    for (size_t i = 0; rc == STATUS_OK && i < sight->consumers.count; i++) {
        const struct event_cursor *cursor = cursor_find(&stored, &sight->consumers.items[i]);
        uint64_t offset = cursor == NULL ? 0 : cursor->offset;
        if (cursor == NULL)
            rc = beginning_find(events, &sight->consumers.items[i], &offset);
        *all_got = offset < *all_got ? offset : *all_got;
    }
    return rc;
}

/* Whoever delivers gives up what is too old, and says so by a cursor: what somebody lacks waits for that, but not for
 * ever. */
static int lacked_spare(const struct sweep_sight *sight, const struct event_store *events, uint64_t *last) {
    uint64_t all_got, too_old = 0;
    int rc = all_got_find(sight, events, &all_got);
    if (rc != STATUS_OK || all_got >= *last)
        return rc;
    rc = event_newest_before(events, sight->now_ms - sight->options->events_keep_ms - LACKED_KEPT_MS, &too_old);
    *last = all_got > too_old ? all_got : too_old;
    return rc == STATUS_STORE_MISSING ? STATUS_OK : rc;
}

/* Also of a thread that is deleted. */
static int expiry_visit(const struct sweep_sight *sight) {
    struct event_store events = events_of(sight);
    uint64_t oldest, last;
    bool is_marked = false;
    int rc = event_oldest(&events, &oldest);
    if (rc == STATUS_OK)
        rc = event_newest_before(&events, sight->now_ms - sight->options->events_keep_ms, &last);
    if (rc == STATUS_OK)
        rc = event_mark_get(&events, &is_marked);
    if (rc == STATUS_OK && is_marked)
        rc = lacked_spare(sight, &events, &last);
    if (rc != STATUS_OK)
        return rc == STATUS_STORE_MISSING ? STATUS_OK : rc;
    return last >= oldest ? expiry_propose(sight, oldest, last) : STATUS_OK;
}

/* ---- events that a consumer has begun to want ---- */

/* Of those who have not begun with this thread, and have something to get. */
static int cursors_of_beginners(const struct sweep_sight *sight, const struct event_store *events,
                                struct command *setting) {
    struct event_cursors_row stored;
    uint64_t newest;
    int rc = event_newest(events, &newest);
    if (rc == STATUS_OK)
        rc = event_cursors_get(events, &stored);
    for (size_t i = 0; rc == STATUS_OK && i < sight->consumers.count; i++) {
        const struct sweep_consumer *consumer = &sight->consumers.items[i];
        struct event_cursor cursor = {.consumer = consumer->name, .serial = consumer->serial};
        if (cursor_find(&stored, consumer) != NULL)
            continue;
        rc = beginning_find(events, consumer, &cursor.offset);
        if (rc == STATUS_OK && cursor.offset < newest)
            setting->cursors[setting->cursors_count++] = cursor;
    }
    return rc;
}

/* While a thread is marked, whoever delivers its events knows its consumers. */
static int beginners_visit(const struct sweep_sight *sight) {
    struct event_store events = events_of(sight);
    struct command setting = {.kind = COMMAND_EVENTS_DONE, .subject = sight->subject};
    bool is_marked = false;
    if (sight->consumers.count == 0)
        return STATUS_OK;
    setting.cursors = ARENA_NEW_ARRAY(sight->arena, struct event_cursor, sight->consumers.count);
    int rc = event_mark_get(&events, &is_marked);
    if (rc == STATUS_OK && !is_marked)
        rc = cursors_of_beginners(sight, &events, &setting);
    if (rc != STATUS_OK)
        return rc == STATUS_STORE_MISSING ? STATUS_OK : rc;
    return setting.cursors_count > 0 ? propose(sight, &setting) : STATUS_OK;
}

/* ---- the walk ---- */

static int (*const visitors[])(const struct sweep_sight *sight) = {retention_visit, kept_visit, list_visit,
                                                                   expiry_visit, beginners_visit};

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
    struct arena arena, of_turn;
    struct sweep_sight sight = {.options = options, .transaction = transaction, .arena = &arena, .now_ms = now_ms};
    int rc = STATUS_OK;
    arena_init(&arena);
    arena_init(&of_turn);
    sight.are_consumers_known =
        options->consumers == NULL || options->consumers(options->context, &of_turn, &sight.consumers);
    for (size_t i = 0; rc == STATUS_OK && i < SWEEP_SUBJECTS_PER_TURN; i++) {
        rc = next_visit(sweep, &sight);
        arena_reset(&arena);
    }
    arena_close(&of_turn);
    arena_close(&arena);
    return rc;
}
