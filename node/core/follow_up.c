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

void follow_up_round_begin(struct follow_up *self) {
    check(self->in_flight == 0);
    bool is_telling = !self->row.is_purge && self->users_left > 0;
    self->retry_ms = 0;
    self->next_user = 0;
    self->entries_ready = is_telling ? self->users_left : 1;
}

static void user_fill(struct follow_up *self, struct command *command) {
    while (self->users_done[self->next_user])
        self->next_user++;
    *command = (struct command){.kind = COMMAND_USER_THREAD,
                                .subject = self->row.users[self->next_user].hash,
                                .thread_hash = self->subject,
                                .thread_id = self->row.thread_id,
                                .membership = self->row.membership,
                                .offset = self->row.offset,
                                .topic = self->row.topic,
                                .last_message_ms = self->row.last_message_ms,
                                .number = self->next_user};
    self->next_user++;
}

struct entry *follow_up_next_entry(struct follow_up *self) {
    bool is_telling = self->users_left > 0;
    struct entry *entry = entry_new(self->row.is_purge ? ENTRY_OF_PURGE
                                    : is_telling       ? ENTRY_OF_FOLLOW_UP
                                                       : ENTRY_OF_OUTBOX);
    check(self->entries_ready > 0);
    self->entries_ready--;
    self->in_flight++;
    entry->follow_up = self;
    if (entry->origin == ENTRY_OF_FOLLOW_UP)
        user_fill(self, &entry->command);
    else
        entry->command = (struct command){.kind = self->row.is_purge ? COMMAND_THREAD_PURGE : COMMAND_OUTBOX_DONE,
                                          .subject = self->subject,
                                          .number = self->number};
    return entry;
}
