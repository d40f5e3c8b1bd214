#include "node/core/follow_up.h"

#include <stdlib.h>

#include "proto/check.h"

struct follow_up *follow_up_new(const struct id_hash *subject, uint64_t number, const struct outbox_row *row) {
    struct follow_up *self = calloc(1, sizeof(*self));
    check(self != NULL);
    arena_init(&self->arena);
    self->subject = *subject;
    self->number = number;
    self->row = *row;
    self->row.thread_id = arena_copy(&self->arena, row->thread_id);
    self->row.topic = arena_copy(&self->arena, row->topic);
    self->row.users = ARENA_NEW_ARRAY(&self->arena, struct outbox_user, row->users_count);
    if (row->users_count > 0)
        memcpy(self->row.users, row->users, row->users_count * sizeof(*row->users));
    self->users_done = ARENA_NEW_ARRAY(&self->arena, bool, row->users_count);
    self->users_left = row->users_count;
    return self;
}

void follow_up_free(struct follow_up *self) {
    arena_close(&self->arena);
    free(self);
}

struct entry *follow_up_user_entry(struct follow_up *self, size_t user, const struct id_hash *thread) {
    struct entry *entry = entry_new(ENTRY_OF_FOLLOW_UP);
    entry->follow_up = self;
    entry->command = (struct command){.kind = COMMAND_USER_THREAD,
                                      .subject = self->row.users[user].hash,
                                      .thread_hash = *thread,
                                      .thread_id = arena_copy(&entry->arena, self->row.thread_id),
                                      .membership = self->row.membership,
                                      .offset = self->row.offset,
                                      .topic = arena_copy(&entry->arena, self->row.topic),
                                      .last_message_ms = self->row.last_message_ms,
                                      .number = user};
    return entry;
}

struct entry *follow_up_done_entry(struct follow_up *self) {
    struct entry *entry = entry_new(ENTRY_OF_OUTBOX);
    entry->follow_up = self;
    entry->command = (struct command){.kind = COMMAND_OUTBOX_DONE, .subject = self->subject, .number = self->number};
    return entry;
}

struct entry *follow_up_purge_entry(struct follow_up *self) {
    struct entry *entry = entry_new(ENTRY_OF_PURGE);
    entry->follow_up = self;
    entry->command = (struct command){.kind = COMMAND_THREAD_PURGE, .subject = self->subject};
    return entry;
}
