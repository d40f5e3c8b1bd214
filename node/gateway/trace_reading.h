#pragma once
/* What this node answers when it is asked for the way of a change (proto/trace.h). */
#include "node/gateway/gateway.h"
#include "proto/question.h"

/* As the leader of the thread, which is the question's one subject; everything in the arena. STATUS_NOT_PRIMARY:
 * another node leads it. STATUS_MALFORMED: the question has no such request. */
int trace_subject_read(struct gateway_worker *worker, struct arena *arena, const struct question *question,
                       struct trace_subject *subject);
/* As any node. */
int trace_memory_read(struct gateway_worker *worker, struct arena *arena, const struct question *question,
                      struct trace_memory *memory);
