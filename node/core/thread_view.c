#include "node/core/thread_view.h"

#include "proto/limits.h"
#include "proto/status.h"

static int thread_open(struct thread_view *view, const struct apply_context *context, const struct id_hash *thread) {
    view->hash_key = context->hash_key;
    int rc = thread_store_open(&view->store, context->transaction, context->arena, context->master, thread);
    if (rc == STATUS_OK)
        rc = thread_properties_get(&view->store, &view->properties);
    if (rc == STATUS_STORE_MISSING)
        return STATUS_THREAD_NOT_FOUND;
    if (rc == STATUS_OK)
        rc = thread_counters_get(&view->store, &view->counters);
    return rc == STATUS_STORE_MISSING ? STATUS_RECORD_CORRUPT : rc;
}

int thread_view_open(struct thread_view *view, const struct apply_context *context, const struct id_hash *thread,
                     struct bytes user_id) {
    struct id_hash user = id_hash_make(context->hash_key, user_id);
    int rc = thread_open(view, context, thread);
    if (rc != STATUS_OK)
        return rc;
    rc = thread_participant_get(&view->store, &user, &view->participant);
    if (rc != STATUS_OK)
        return rc == STATUS_STORE_MISSING ? STATUS_FORBIDDEN : rc;
    view->is_active = view->participant.removed_offset == 0;
    return STATUS_OK;
}

int thread_view_open_whole(struct thread_view *view, const struct apply_context *context,
                           const struct id_hash *thread) {
    view->participant = (struct participant_row){0};
    view->is_active = true;
    return thread_open(view, context, thread);
}

struct thread_properties thread_view_properties(const struct thread_view *view) {
    struct thread_properties properties = view->properties;
    if (!view->is_active) {
        properties.topic = view->participant.topic;
        properties.metadata = (struct metadata){0};
        properties.retention = (struct retention){0};
    }
    return properties;
}

bool thread_view_has_typing(const struct thread_view *view, int64_t participants_max) {
    return (int64_t)view->counters.participants - view->counters.teams_users <= participants_max;
}

bool thread_view_has_receipts(const struct thread_view *view, int64_t participants_max) {
    return view->counters.teams_users == 0 && view->counters.participants <= participants_max;
}

static bool view_reaches(const struct thread_view *view, uint64_t offset) {
    return view->is_active || offset <= view->participant.removed_offset;
}

bool thread_view_shows(const struct thread_view *view, const struct message *message) {
    return view_reaches(view, message->offset) && message->created_ms >= view->participant.participant.share_history_ms;
}

struct page_walk {
    const struct thread_view *view;
    struct message_page *page;
    size_t size_max;
    size_t bytes;
    int64_t start_ms;
};

static size_t metadata_bytes(const struct metadata *metadata) {
    size_t bytes = 0;
    for (size_t i = 0; i < metadata->count; i++)
        bytes += metadata->pairs[i].key.size + metadata->pairs[i].value.size;
    return bytes;
}

static size_t message_bytes(const struct message *message) {
    size_t bytes = message->actor_id.size + message->display_name.size + message->content.size + message->topic.size +
                   metadata_bytes(&message->metadata);
    for (size_t i = 0; i < message->participants.count; i++) {
        const struct participant *participant = &message->participants.items[i];
        bytes += participant->user_id.size + participant->display_name.size + metadata_bytes(&participant->metadata);
    }
    return bytes;
}

static bool page_visit(void *context, uint64_t offset, const struct change_row *row) {
    struct page_walk *walk = context;
    (void)offset;
    if (row->is_properties_change || !thread_view_shows(walk->view, &row->message))
        return true;
    if ((int64_t)row->message.version < walk->start_ms)
        return false;
    walk->bytes += message_bytes(&row->message);
    if (walk->page->count == walk->size_max || (walk->page->count > 0 && walk->bytes > LIMIT_PAGE_BYTES_MAX)) {
        walk->page->has_more = true;
        return false;
    }
    walk->page->messages[walk->page->count++] = row->message;
    return true;
}

int thread_view_messages(struct thread_view *view, uint64_t offset, int64_t start_ms, size_t size_max,
                         struct message_page *page) {
    struct page_walk walk = {.view = view, .page = page, .size_max = size_max, .start_ms = start_ms};
    *page = (struct message_page){.messages = ARENA_NEW_ARRAY(view->store.arena, struct message, size_max)};
    /* Nothing above the newest offset; for removed ones nothing above their removal. */
    uint64_t first = offset < view->counters.offset ? offset : view->counters.offset;
    if (!view_reaches(view, first))
        first = view->participant.removed_offset;
    return thread_changes_descend(&view->store, first, page_visit, &walk);
}

int thread_view_message(struct thread_view *view, uint64_t message_id, struct message *message) {
    int rc = thread_message_find(&view->store, message_id, message);
    if (rc == STATUS_STORE_MISSING || (rc == STATUS_OK && !thread_view_shows(view, message)))
        return STATUS_MESSAGE_NOT_FOUND;
    return rc;
}

int thread_view_participants(struct thread_view *view, struct participant **items, size_t *count) {
    struct participant_list list;
    int rc = thread_participants_list(&view->store, &list);
    if (rc != STATUS_OK)
        return rc;
    *count = 0;
    *items = ARENA_NEW_ARRAY(view->store.arena, struct participant, list.count);
    for (size_t i = 0; i < list.count && list.rows[i].removed_offset == 0; i++)
        (*items)[(*count)++] = list.rows[i].participant;
    return STATUS_OK;
}

struct change_walk {
    struct thread_view *view;
    const uint8_t *hash_key;
    struct change *changes;
    size_t count;
    size_t changes_max;
    uint64_t from;
    bool is_complete;
    int rc;
};

/* A session that starts at the creation of a thread is told of the thread, not of its two system messages. */
static bool creation_tell(struct change_walk *walk, struct change *change) {
    struct thread_view *view = walk->view;
    change->kind = CHANGE_THREAD_CREATED;
    change->properties = thread_view_properties(view);
    change->actor_id = view->properties.creator_id;
    walk->rc = thread_view_participants(view, &change->participants.items, &change->participants.count);
    return walk->rc == STATUS_OK;
}

/* Who did it, with the name others know her by. */
static void actor_tell(struct change_walk *walk, struct change *change) {
    struct participant_row row;
    struct id_hash actor = id_hash_make(walk->hash_key, change->actor_id);
    if (!bytes_is_present(change->actor_id) || thread_participant_get(&walk->view->store, &actor, &row) != STATUS_OK)
        return;
    change->actor_display_name = row.participant.display_name;
    change->actor_share_history_ms = row.participant.share_history_ms;
}

/* The system message has no metadata (contract 5), the event has those of the participants. */
static void added_tell(struct change_walk *walk, struct change *change) {
    const struct participants *named = &change->message.participants;
    struct participant_row row;
    change->kind = CHANGE_PARTICIPANTS_ADDED;
    change->participants.items = ARENA_NEW_ARRAY(walk->view->store.arena, struct participant, named->count);
    change->participants.count = named->count;
    for (size_t i = 0; i < named->count; i++) {
        struct id_hash user = id_hash_make(walk->hash_key, named->items[i].user_id);
        change->participants.items[i] = named->items[i];
        if (thread_participant_get(&walk->view->store, &user, &row) == STATUS_OK)
            change->participants.items[i].metadata = row.participant.metadata;
    }
}

static bool change_visit(void *context, uint64_t offset, const struct change_row *row) {
    struct change_walk *walk = context;
    struct thread_view *view = walk->view;
    if (!view_reaches(view, offset))
        return false;
    if (!row->is_properties_change && !thread_view_shows(view, &row->message))
        return true;
    if (walk->count == walk->changes_max) {
        walk->is_complete = false;
        return false;
    }
    struct change *change = &walk->changes[walk->count];
    *change = (struct change){.subject = view->store.thread, .thread_id = view->properties.id, .offset = offset};
    if (row->is_properties_change) {
        change->kind = CHANGE_THREAD_UPDATED;
        change->version = row->version;
        change->time_ms = (int64_t)row->version;
        change->actor_id = row->actor_id;
        change->properties = thread_view_properties(view);
        if (row->is_undeletion && !creation_tell(walk, change))
            return false;
        actor_tell(walk, change);
        walk->count++;
        return true;
    }
    change->message = row->message;
    change->version = row->message.version;
    change->time_ms = (int64_t)row->message.version;
    change->actor_id = row->message.actor_id;
    switch (row->message.type) {
    case MESSAGE_TEXT:
    case MESSAGE_HTML:
        if (row->message.deleted_ms != 0)
            change->kind = CHANGE_MESSAGE_DELETED;
        else
            change->kind = row->message.created_offset >= walk->from ? CHANGE_MESSAGE_RECEIVED : CHANGE_MESSAGE_EDITED;
        break;
    case MESSAGE_TOPIC_UPDATED:
        change->kind = CHANGE_THREAD_UPDATED;
        change->properties = thread_view_properties(view);
        if (row->message.sequence == 2 && !creation_tell(walk, change))
            return false;
        break;
    case MESSAGE_PARTICIPANT_ADDED:
        if (row->message.sequence == 1)
            return true; /* told with the creation at the next offset */
        added_tell(walk, change);
        break;
    case MESSAGE_PARTICIPANT_REMOVED:
        change->kind = CHANGE_PARTICIPANTS_REMOVED;
        change->participants = row->message.participants;
        break;
    }
    actor_tell(walk, change);
    walk->count++;
    return true;
}

int thread_view_changes(struct thread_view *view, uint64_t offset, size_t changes_max, struct change **changes,
                        size_t *count, bool *is_complete) {
    uint64_t left = view->counters.offset < offset ? 0 : view->counters.offset - offset + 1;
    size_t room = left < changes_max ? (size_t)left : changes_max;
    struct change_walk walk = {.view = view,
                               .hash_key = view->hash_key,
                               .changes = ARENA_NEW_ARRAY(view->store.arena, struct change, room + 1),
                               .changes_max = changes_max,
                               .from = offset,
                               .is_complete = true};
    int rc = thread_changes_ascend(&view->store, offset, change_visit, &walk);
    *changes = walk.changes;
    *count = walk.count;
    *is_complete = walk.is_complete;
    return rc == STATUS_OK ? walk.rc : rc;
}

int thread_deletion_view(const struct apply_context *context, const struct id_hash *thread, struct change *change) {
    struct tombstone_row row;
    int rc = subject_tombstone_get(context->transaction, context->arena, context->master, thread, &row);
    if (rc != STATUS_OK)
        return rc;
    *change = (struct change){.kind = CHANGE_THREAD_DELETED,
                              .subject = *thread,
                              .thread_id = row.thread_id,
                              .offset = row.offset,
                              .version = row.deleted_ms < 0 ? 0 : (uint64_t)row.deleted_ms,
                              .time_ms = row.deleted_ms,
                              .actor_id = row.actor_id,
                              .actor_display_name = row.actor_display_name,
                              .reason = row.reason};
    return STATUS_OK;
}
