#include "node/gateway/gateway.h"

#include <stdlib.h>

#include "proto/status.h"

struct entry *gateway_entry_new(struct gateway_worker *worker, enum command_kind kind, const struct id_hash *subject,
                                struct bytes actor_id, struct reply *reply) {
    struct entry *entry = entry_new(ENTRY_OF_CLIENT);
    entry->reply_to = reply;
    entry->worker = worker->worker->index;
    entry->command.kind = kind;
    entry->command.subject = *subject;
    entry->command.actor_id = arena_copy(&entry->arena, actor_id);
    return entry;
}

void gateway_ask_free(struct gateway_ask *ask) {
    buffer_close(&ask->body);
    buffer_close(&ask->reply);
    free(ask);
}

int gateway_read_begin(struct gateway_worker *worker, struct arena *arena, struct gateway_read *read) {
    struct gateway *gateway = worker->gateway;
    read->context =
        (struct apply_context){.arena = arena, .master = gateway->master, .hash_key = gateway->settings->hash_key};
    return store_begin_read(gateway->store, &read->context.transaction);
}

/* It is asked who leads when the rows stand still: a worker that slept between asking and reading would tell what was
 * true before others changed it. */
int gateway_read_begin_of(struct gateway_worker *worker, struct arena *arena, const struct id_hash *subject,
                          struct gateway_read *read) {
    int rc = gateway_read_begin(worker, arena, read);
    if (rc != STATUS_OK || gateway_is_here(worker->gateway, subject))
        return rc;
    gateway_read_end(read);
    return STATUS_NOT_PRIMARY;
}

void gateway_read_end(struct gateway_read *read) {
    store_abort(read->context.transaction);
}

struct id_hash gateway_hash(const struct gateway *gateway, struct bytes raw_id) {
    return id_hash_make(gateway->settings->hash_key, raw_id);
}
