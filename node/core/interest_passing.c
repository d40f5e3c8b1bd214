/* What has no offset and is told while this node is new to lead the thread. Who listens says so as soon as it knows of
 * us; until then this is kept for it, because no store has it. */
#include <stdlib.h>

#include "node/core/interest_parts.h"
#include "proto/limits.h"

static void passed_remove(struct interest *self, struct passed *passed) {
    self->passed_bytes -= passed->bytes;
    for (size_t i = 0; i < passed->count; i++)
        blob_release(self, passed->blobs[i]);
    HASH_DEL(self->passed, passed);
    free(passed->blobs);
    free(passed);
}

static struct passed *passed_find(struct interest *self, const struct id_hash *thread) {
    struct passed *passed = NULL;
    HASH_FIND(hh, self->passed, thread, sizeof(*thread), passed);
    return passed;
}

static struct passed *passed_get(struct interest *self, const struct id_hash *thread) {
    struct passed *passed = passed_find(self, thread);
    if (passed == NULL) {
        passed = calloc(1, sizeof(*passed));
        check(passed != NULL);
        passed->thread = *thread;
        HASH_ADD(hh, self->passed, thread, sizeof(passed->thread), passed);
    }
    return passed;
}

static struct blob *blob_of(const struct change *change, unsigned copies) {
    struct buffer buffer;
    buffer_init(&buffer);
    change_encode(change, &buffer);
    struct blob *blob =
        blob_make(&(struct told_change){.subject = change->subject, .copies = copies, .change = buffer_bytes(&buffer)});
    buffer_close(&buffer);
    return blob;
}

void passing_keep(struct interest *self, const struct change *change, unsigned copies) {
    if (!self->hooks.leads_lately(self->hooks.context, &change->subject))
        return;
    struct blob *blob = blob_of(change, copies);
    struct passed *passed = passed_get(self, &change->subject);
    size_t bytes = sizeof(*blob) + blob->size;
    passed->blobs = realloc(passed->blobs, (passed->count + 1) * sizeof(*passed->blobs));
    check(passed->blobs != NULL);
    passed->blobs[passed->count++] = blob;
    passed->bytes += bytes;
    self->passed_bytes += bytes;
    while (self->passed_bytes > LIMIT_PASSED_BYTES_MAX)
        passed_remove(self, self->passed);
}

static void tell(struct interest *self, struct peer *peer, struct blob *blob) {
    struct told_change told;
    if (peer->node != self->node && link_has_room(self, peer))
        link_add(peer, blob);
    else if (peer->node == self->node && told_change_decode(bytes_of(blob->data, blob->size), &self->arena, &told) == 0)
        listening_take(self, &told, NULL);
}

void passing_tell_again(struct interest *self, struct peer *peer, const struct id_hash *thread) {
    const struct passed *passed = passed_find(self, thread);
    for (size_t i = 0; passed != NULL && i < passed->count; i++)
        tell(self, peer, passed->blobs[i]);
}

void passing_tick(struct interest *self) {
    for (struct passed *passed = self->passed, *next; passed != NULL; passed = next) {
        next = passed->hh.next;
        if (!self->hooks.leads_lately(self->hooks.context, &passed->thread))
            passed_remove(self, passed);
    }
}

void passing_free(struct interest *self) {
    while (self->passed != NULL)
        passed_remove(self, self->passed);
}
