#pragma once
/* Applies any command: the one door between the log and state. Called by the disk worker and the simulator. */
#include "node/core/outcome.h"

/* As thread_apply: non-zero only for STATUS_STORAGE_FULL and STATUS_STORAGE_FAILED. */
int command_apply(const struct apply_context *context, const struct command *command, struct outcome *outcome);
