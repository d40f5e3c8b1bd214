#include "node/core/user_push.h"

#include "proto/limits.h"
#include "proto/status.h"

static bool has_expired(const struct push_registration *registration, int64_t now_ms) {
    return registration->expires_ms != 0 && registration->expires_ms <= now_ms;
}

/* Of those that stay: NULL while there is room for one more. */
static const struct push_row *superfluous_find(const struct push_row *rows, size_t count) {
    const struct push_row *oldest = NULL;
    for (size_t i = 0; i < count; i++)
        if (oldest == NULL || rows[i].registration.created_ms < oldest->registration.created_ms)
            oldest = &rows[i];
    return count < LIMIT_PUSH_REGISTRATIONS_MAX ? NULL : oldest;
}

static int room_make(struct user_store *store, const struct id_hash *newcomer, int64_t now_ms) {
    struct push_row *rows;
    size_t count, staying = 0;
    int rc = user_push_list(store, &rows, &count);
    for (size_t i = 0; rc == STATUS_OK && i < count; i++) {
        if (has_expired(&rows[i].registration, now_ms))
            rc = user_push_remove(store, &rows[i].hash);
        else if (!id_hash_equal(&rows[i].hash, newcomer))
            rows[staying++] = rows[i];
    }
    const struct push_row *superfluous = rc == STATUS_OK ? superfluous_find(rows, staying) : NULL;
    return superfluous == NULL ? rc : user_push_remove(store, &superfluous->hash);
}

int user_push_set(const struct apply_context *context, const struct command *command, struct user_store *store) {
    struct id_hash hash = id_hash_make(context->hash_key, command->registration.id);
    int rc = room_make(store, &hash, command->time_ms);
    return rc == STATUS_OK ? user_push_put(store, &hash, &command->registration) : rc;
}

int user_push_unset(const struct apply_context *context, const struct command *command, struct user_store *store) {
    struct id_hash hash = id_hash_make(context->hash_key, command->registration.id);
    struct push_registration stored;
    int64_t created_ms = command->registration.created_ms;
    int rc = user_push_get(store, &hash, &stored);
    if (rc == STATUS_OK && (created_ms == 0 || stored.created_ms == created_ms))
        rc = user_push_remove(store, &hash);
    return rc == STATUS_STORE_MISSING ? STATUS_OK : rc;
}

int user_push_clear(struct user_store *store) {
    struct push_row *rows;
    size_t count;
    int rc = user_push_list(store, &rows, &count);
    for (size_t i = 0; rc == STATUS_OK && i < count; i++)
        rc = user_push_remove(store, &rows[i].hash);
    return rc;
}
