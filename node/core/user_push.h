#pragma once
/* The rules of a user's devices. Same state and same command give the same writes on every replica. Called by user.c;
 * return what storage says. */
#include "node/core/outcome.h"
#include "storage/user_store.h"

/* COMMAND_USER_PUSH_SET: takes the device in place of what it said before. Those that have expired go, and when there
 * is no room, the one that has not been heard of for longest. */
int user_push_set(const struct apply_context *context, const struct command *command, struct user_store *store);

/* COMMAND_USER_PUSH_REMOVE: a device that is not there, or has been heard of again since, is as good as gone. */
int user_push_unset(const struct apply_context *context, const struct command *command, struct user_store *store);

/* All of them: who takes tokens back trusts no device that has used one. */
int user_push_clear(struct user_store *store);
