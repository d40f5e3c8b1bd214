#pragma once
/* The rules of an import: a thread that was elsewhere, then its messages in any number of batches, as they were, with
 * ids, sequence, versions, times and authors. The first command keeps the lowest offsets, sequence and versions free
 * for them, so that the thread is in use at once and what is written here always lies above. A command that is applied
 * again changes nothing; what contradicts is refused as a whole, by name. Nobody is told of imported messages: they are
 * no news. Called by apply.c. */
#include "node/core/outcome.h"

/* As thread_apply and thread_check: non-zero only for what ends the batch. result.rc:
 *   STATUS_CONFLICTs of their own   STATUS_IMPORT_THREAD_DIFFERS, STATUS_IMPORT_THREAD_DELETED, and with
 *                                   result.message_id STATUS_IMPORT_MESSAGE_DIFFERS
 *   STATUS_THREAD_NOT_FOUND         messages of a thread that is not there
 *   STATUS_TOO_MANY_PARTICIPANTS, STATUS_VALIDATION_ERROR
 * result.is_duplicate: everything was there already. */
int import_apply(const struct apply_context *context, const struct command *command, struct outcome *outcome);
int import_check(const struct apply_context *context, const struct command *command, struct outcome *outcome);
