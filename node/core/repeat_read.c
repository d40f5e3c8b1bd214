#include "node/core/repeat_read.h"

#include "node/core/thread_view.h"
#include "proto/status.h"

#define CHANGES_MAX 64 /* at a time */

/* How many of the changes fit; at least one. */
static size_t changes_within(const struct change *changes, size_t count, size_t bytes_max) {
    size_t bytes = 0;
    size_t fitting = 0;
    while (fitting < count && (fitting == 0 || bytes < bytes_max)) {
        bytes += sizeof(changes[fitting]) + changes[fitting].message.content.size;
        fitting++;
    }
    return fitting;
}

static int changes_read(struct interest_repeated *repeated, struct thread_view *view) {
    uint64_t newest = view->counters.offset;
    struct change *changes;
    repeated->next_offset = newest + 1;
    repeated->is_complete = true;
    if (repeated->asked.from_offset == INTEREST_FROM_NOW)
        return STATUS_OK;
    int rc = thread_view_changes(view, repeated->asked.from_offset, CHANGES_MAX, &changes, &repeated->changes_count,
                                 &repeated->is_complete);
    size_t fitting = changes_within(changes, repeated->changes_count, repeated->asked.bytes_max);
    if (fitting < repeated->changes_count)
        repeated->is_complete = false;
    repeated->changes = changes;
    repeated->changes_count = fitting;
    if (!repeated->is_complete && fitting > 0)
        repeated->next_offset = changes[fitting - 1].offset + 1;
    return rc;
}

/* The thread is gone; that is the last that can be told of it. */
static int deletion_read(const struct apply_context *context, struct interest_repeated *repeated) {
    struct change *change = ARENA_NEW(context->arena, struct change);
    int rc = thread_deletion_view(context, &repeated->asked.thread, change);
    repeated->is_complete = true;
    if (rc == STATUS_OK) {
        repeated->changes = change;
        repeated->changes_count = 1;
        repeated->next_offset = change->offset + 1;
    }
    return rc;
}

void repeat_read(const struct apply_context *context, struct interest_repeated *repeated) {
    struct thread_view view;
    repeated->rc = thread_view_open_whole(&view, context, &repeated->asked.thread);
    if (repeated->rc == STATUS_OK)
        repeated->rc = changes_read(repeated, &view);
    else if (repeated->rc == STATUS_THREAD_NOT_FOUND)
        repeated->rc = deletion_read(context, repeated);
}
