#include "node/core/outcome.h"

#include "storage/range_log.h"

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
