#pragma once
/* The tables of one user inside a transaction: the identity's record, its list of threads, its devices. As
 * thread_store.h in every habit; the rules are in node/core/user.c. */
#include "storage/rows.h"
#include "storage/seal.h"

struct user_store {
    struct store_transaction *transaction;
    struct arena *arena;
    struct id_hash user;
    struct seal_key key;
};

/* STATUS_STORE_MISSING: no such user, or it was deleted. */
int user_store_open(struct user_store *self, struct store_transaction *transaction, struct arena *arena,
                    const struct seal_key *master, const struct id_hash *user);
int user_store_open_new(struct user_store *self, struct store_transaction *transaction, struct arena *arena,
                        const struct seal_key *master, const struct id_hash *user, struct bytes wrapped);

int user_row_get(struct user_store *self, struct user_row *row);
int user_row_put(struct user_store *self, const struct user_row *row);

int user_membership_get(struct user_store *self, const struct id_hash *thread, struct membership_row *row);
int user_membership_put(struct user_store *self, const struct id_hash *thread, const struct membership_row *row);
int user_membership_remove(struct user_store *self, const struct id_hash *thread);

/* Visits the user's threads in the order of their hashes until `visit` returns false. */
typedef bool (*user_membership_visitor)(void *context, const struct id_hash *thread, const struct membership_row *row);
int user_memberships_visit(struct user_store *self, user_membership_visitor visit, void *context);

/* The user's devices, by the hash of their ids; at most LIMIT_PUSH_REGISTRATIONS_MAX. */
struct push_row {
    struct id_hash hash;
    struct push_registration registration;
};
int user_push_put(struct user_store *self, const struct id_hash *hash, const struct push_registration *registration);
int user_push_get(struct user_store *self, const struct id_hash *hash, struct push_registration *registration);
int user_push_remove(struct user_store *self, const struct id_hash *hash);
/* All of them, in the arena. */
int user_push_list(struct user_store *self, struct push_row **rows, size_t *count);
