#pragma once
/* The rules of a user: the identity, when its tokens were revoked, its list of threads (contract sections 3 and 6.1).
 * As thread.h in every habit. */
#include "node/core/outcome.h"

int user_apply(const struct apply_context *context, const struct command *command, struct outcome *outcome);

/* Whether this very operation has deleted the user that is not there: 0, or STATUS_STORE_MISSING. */
int user_deletion_find(const struct apply_context *context, const struct command *command);
