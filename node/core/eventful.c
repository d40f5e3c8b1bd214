/* Threads that have events for those outside: whoever delivers them is told once a step. */
#include "node/core/node_core_parts.h"

void eventful_add(struct node_core *core, const struct id_hash *thread) {
    struct eventful *eventful = ARENA_NEW(&core->step_arena, struct eventful);
    *eventful = (struct eventful){.next = core->eventful, .subject = *thread};
    core->eventful = eventful;
    core->eventful_count++;
}

void eventful_tell(struct node_core *core, const struct step *step) {
    struct id_hash *subjects = ARENA_NEW_ARRAY(&core->step_arena, struct id_hash, core->eventful_count);
    size_t count = 0;
    for (const struct eventful *each = core->eventful; each != NULL; each = each->next)
        if (core_range_of(core, &each->subject)->replication.role == REPLICATION_PRIMARY)
            subjects[count++] = each->subject;
    core->eventful = NULL;
    core->eventful_count = 0;
    if (count == 0)
        return;
    struct action *action = action_add(step->actions, ACTION_EVENTS);
    action->subjects = subjects;
    action->subjects_count = count;
}
