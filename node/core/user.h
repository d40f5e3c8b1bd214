#pragma once
/* The rules of a user: the identity, when its tokens were revoked, its list of threads (contract sections 3 and 6.1).
 * As thread.h in every habit. */
#include "node/core/outcome.h"

int user_apply(const struct apply_context *context, const struct command *command, struct outcome *outcome);
