#include "node/core/outcome.h"

#include "proto/status.h"
#include "storage/range_log.h"

#define OUTBOX_USERS_PER_ROW 1000

void outcome_add_change(struct outcome *outcome, struct arena *arena, const struct change *change) {
    struct outcome_change **last = &outcome->changes;
    while (*last != NULL)
        last = &(*last)->next;
    *last = ARENA_NEW(arena, struct outcome_change);
    (*last)->change = *change;
}

int outcome_add_follow_up(struct outcome *outcome, const struct apply_context *context, const struct id_hash *subject,
                          uint64_t number, const struct outbox_row *row) {
    struct outcome_follow_up **last = &outcome->follow_ups;
    while (*last != NULL)
        last = &(*last)->next;
    *last = ARENA_NEW(context->arena, struct outcome_follow_up);
    **last = (struct outcome_follow_up){.subject = *subject, .number = number, .row = *row};
    return outbox_put(context->transaction, context->master, subject, number, row);
}

int outcome_tell_lists(struct outcome *outcome, const struct apply_context *context, const struct id_hash *subject,
                       uint64_t number, const struct outbox_row *row, struct outbox_user *users, size_t count) {
    for (size_t first = 0, part = 0; first < count; first += OUTBOX_USERS_PER_ROW, part++) {
        size_t left = count - first;
        struct outbox_row told = *row;
        told.users = users + first;
        told.users_count = left < OUTBOX_USERS_PER_ROW ? left : OUTBOX_USERS_PER_ROW;
        int rc = outcome_add_follow_up(outcome, context, subject, number + part, &told);
        if (rc != STATUS_OK)
            return rc;
    }
    return STATUS_OK;
}

size_t outcome_list_rows(size_t users) {
    return users / OUTBOX_USERS_PER_ROW + 1;
}
