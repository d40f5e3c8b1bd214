#pragma once
/* When a thread's policy deletes it (contract 8.6). Asked by the sweep, which proposes, and by the rules, which decide.
 */
#include "proto/chat.h"

#define RETENTION_REASON "deletedByPolicy" /* of COMMAND_THREAD_DELETE, and what participants are told */

bool retention_is_over(const struct thread_properties *properties, int64_t now_ms);
