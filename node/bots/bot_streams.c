#include "node/bots/bot_streams.h"

#include <pthread.h>
#include <stdlib.h>

#include "proto/check.h"

#define SLOTS 1024 /* messages that are being written at the same time */

struct slot {
    struct id_hash thread;
    uint64_t message_id;
    uint64_t newest; /* edit */
    uint64_t sequence;
    uint64_t due_ms;
    bool is_over; /* the last piece has come */
};

struct bot_streams {
    pthread_mutex_t mutex;
    uint64_t edits;
    struct slot slots[SLOTS];
};

struct bot_streams *bot_streams_new(void) {
    struct bot_streams *self = calloc(1, sizeof(*self));
    check(self != NULL && pthread_mutex_init(&self->mutex, NULL) == 0);
    return self;
}

void bot_streams_free(struct bot_streams *self) {
    pthread_mutex_destroy(&self->mutex);
    free(self);
}

static bool is_of(const struct slot *slot, const struct bot_edit *edit) {
    return slot->message_id == edit->message_id && id_hash_equal(&slot->thread, &edit->thread);
}

static struct slot *slot_of(struct bot_streams *self, const struct bot_edit *edit) {
    return &self->slots[(id_hash_position(&edit->thread) + edit->message_id) % SLOTS];
}

static struct slot *slot_take(struct bot_streams *self, const struct bot_edit *edit) {
    struct slot *slot = slot_of(self, edit);
    if (!is_of(slot, edit))
        *slot = (struct slot){.thread = edit->thread, .message_id = edit->message_id};
    return slot;
}

/* A piece that a newer one has overtaken. */
static bool is_stale(const struct slot *slot, const struct bot_edit *edit) {
    return edit->sequence != 0 && !edit->is_last && (slot->is_over || edit->sequence <= slot->sequence);
}

static enum bot_edit_turn edit_take(struct bot_streams *self, struct slot *slot, struct bot_edit *edit, uint64_t now_ms,
                                    uint64_t *wait_ms) {
    edit->number = slot->newest = ++self->edits;
    slot->is_over = edit->is_last;
    if (edit->sequence > slot->sequence)
        slot->sequence = edit->sequence;
    if (!edit->is_last && now_ms < slot->due_ms) {
        *wait_ms = slot->due_ms - now_ms;
        return BOT_EDIT_LATER;
    }
    slot->due_ms = now_ms + BOT_EDIT_INTERVAL_MS;
    return BOT_EDIT_NOW;
}

enum bot_edit_turn bot_streams_ask(struct bot_streams *self, struct bot_edit *edit, uint64_t now_ms,
                                   uint64_t *wait_ms) {
    *wait_ms = 0;
    pthread_mutex_lock(&self->mutex);
    struct slot *slot = slot_take(self, edit);
    enum bot_edit_turn turn = is_stale(slot, edit) ? BOT_EDIT_NEVER : edit_take(self, slot, edit, now_ms, wait_ms);
    pthread_mutex_unlock(&self->mutex);
    return turn;
}

enum bot_edit_turn bot_streams_ask_again(struct bot_streams *self, const struct bot_edit *edit, uint64_t now_ms) {
    pthread_mutex_lock(&self->mutex);
    struct slot *slot = slot_of(self, edit);
    bool is_known = is_of(slot, edit);
    enum bot_edit_turn turn = is_known && slot->newest != edit->number ? BOT_EDIT_NEVER : BOT_EDIT_NOW;
    if (is_known && turn == BOT_EDIT_NOW)
        slot->due_ms = now_ms + BOT_EDIT_INTERVAL_MS;
    pthread_mutex_unlock(&self->mutex);
    return turn;
}

void bot_streams_failed(struct bot_streams *self, const struct bot_edit *edit) {
    pthread_mutex_lock(&self->mutex);
    struct slot *slot = slot_of(self, edit);
    if (is_of(slot, edit) && slot->newest == edit->number)
        *slot = (struct slot){.thread = edit->thread, .message_id = edit->message_id};
    pthread_mutex_unlock(&self->mutex);
}
