#include "node/bots/bot_streams.h"

#include <pthread.h>
#include <stdlib.h>

#include "proto/check.h"

#define SLOTS 1024 /* messages that are being written at the same time */

/* How far a message is. */
struct progress {
    uint64_t number; /* of the edit */
    uint64_t sequence;
    bool is_over; /* the last piece has come */
};

struct slot {
    struct id_hash caller;
    struct id_hash thread;
    uint64_t message_id;
    struct progress newest;
    struct progress done;
    uint64_t due_ms;
    size_t unsettled; /* edits; as long as there are any, the slot is nobody else's */
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
    return slot->message_id == edit->message_id && id_hash_equal(&slot->thread, &edit->thread) &&
           id_hash_equal(&slot->caller, &edit->caller);
}

static struct slot *slot_of(struct bot_streams *self, const struct bot_edit *edit) {
    uint64_t position = (uint64_t)id_hash_position(&edit->thread) + id_hash_position(&edit->caller) + edit->message_id;
    return &self->slots[position % SLOTS];
}

/* NULL: it is another one's, who needs it. */
static struct slot *slot_take(struct bot_streams *self, const struct bot_edit *edit) {
    struct slot *slot = slot_of(self, edit);
    if (is_of(slot, edit))
        return slot;
    if (slot->unsettled > 0)
        return NULL;
    *slot = (struct slot){.caller = edit->caller, .thread = edit->thread, .message_id = edit->message_id};
    return slot;
}

/* A piece that a newer one has overtaken. */
static bool is_stale(const struct slot *slot, const struct bot_edit *edit) {
    return edit->sequence != 0 && !edit->is_last && (slot->newest.is_over || edit->sequence <= slot->newest.sequence);
}

static void progress_make(struct progress *progress, const struct bot_edit *edit) {
    progress->number = edit->number;
    progress->is_over = edit->is_last;
    if (edit->sequence > progress->sequence)
        progress->sequence = edit->sequence;
}

static enum bot_edit_turn slot_turn(struct slot *slot, const struct bot_edit *edit, uint64_t now_ms,
                                    uint64_t *wait_ms) {
    if (!edit->is_last && now_ms < slot->due_ms) {
        *wait_ms = slot->due_ms - now_ms;
        return BOT_EDIT_LATER;
    }
    slot->due_ms = now_ms + BOT_EDIT_INTERVAL_MS;
    return BOT_EDIT_NOW;
}

static enum bot_edit_turn edit_take(struct bot_streams *self, struct slot *slot, struct bot_edit *edit, uint64_t now_ms,
                                    uint64_t *wait_ms) {
    if (is_stale(slot, edit))
        return BOT_EDIT_NEVER;
    edit->number = ++self->edits;
    progress_make(&slot->newest, edit);
    slot->unsettled++;
    return slot_turn(slot, edit, now_ms, wait_ms);
}

enum bot_edit_turn bot_streams_ask(struct bot_streams *self, struct bot_edit *edit, uint64_t now_ms,
                                   uint64_t *wait_ms) {
    *wait_ms = 0;
    edit->number = 0;
    pthread_mutex_lock(&self->mutex);
    struct slot *slot = slot_take(self, edit);
    enum bot_edit_turn turn = slot == NULL ? BOT_EDIT_NOW : edit_take(self, slot, edit, now_ms, wait_ms);
    pthread_mutex_unlock(&self->mutex);
    return turn;
}

/* What is newer than this one may still fail: until it is done, this one is not needless. */
static enum bot_edit_turn edit_take_again(struct slot *slot, const struct bot_edit *edit, uint64_t now_ms,
                                          uint64_t *wait_ms) {
    if (edit->number < slot->done.number) {
        slot->unsettled--;
        return BOT_EDIT_NEVER;
    }
    if (edit->number < slot->newest.number) {
        *wait_ms = BOT_EDIT_INTERVAL_MS;
        return BOT_EDIT_LATER;
    }
    progress_make(&slot->newest, edit);
    slot->due_ms = now_ms + BOT_EDIT_INTERVAL_MS;
    return BOT_EDIT_NOW;
}

enum bot_edit_turn bot_streams_ask_again(struct bot_streams *self, const struct bot_edit *edit, uint64_t now_ms,
                                         uint64_t *wait_ms) {
    *wait_ms = 0;
    pthread_mutex_lock(&self->mutex);
    struct slot *slot = slot_of(self, edit);
    check(is_of(slot, edit) && slot->unsettled > 0);
    enum bot_edit_turn turn = edit_take_again(slot, edit, now_ms, wait_ms);
    pthread_mutex_unlock(&self->mutex);
    return turn;
}

static void slot_settle(struct slot *slot, const struct bot_edit *edit, bool is_done) {
    slot->unsettled--;
    if (is_done && edit->number > slot->done.number)
        progress_make(&slot->done, edit);
    if (!is_done && edit->number == slot->newest.number) {
        slot->newest = slot->done;
        slot->due_ms = 0;
    }
}

void bot_streams_settle(struct bot_streams *self, const struct bot_edit *edit, bool is_done) {
    if (edit->number == 0)
        return;
    pthread_mutex_lock(&self->mutex);
    struct slot *slot = slot_of(self, edit);
    check(is_of(slot, edit) && slot->unsettled > 0);
    slot_settle(slot, edit, is_done);
    pthread_mutex_unlock(&self->mutex);
}
