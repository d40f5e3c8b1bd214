#include "node/events/places.h"

#include <stdlib.h>

#include "proto/check.h"

struct place *places_find(const struct places *self, const struct id_hash *thread, const struct id_hash *consumer) {
    struct place *place = self->first;
    while (place != NULL && !(id_hash_equal(&place->thread, thread) && id_hash_equal(&place->consumer, consumer)))
        place = place->next;
    return place;
}

size_t places_failed(const struct places *self, const struct id_hash *consumer) {
    size_t count = 0;
    for (const struct place *place = self->first; place != NULL; place = place->next)
        count += place->attempts_made > 0 && id_hash_equal(&place->consumer, consumer);
    return count;
}

/* One that only waits for the store to say the same. */
static bool one_forget(struct places *self) {
    struct place *place = self->first;
    while (place != NULL && (place->attempt != NULL || place->attempts_made > 0 || place->told < place->done))
        place = place->next;
    if (place != NULL)
        places_remove(self, place);
    return place != NULL;
}

struct place *places_add(struct places *self, const struct id_hash *thread, const struct consumer *consumer,
                         uint64_t done) {
    if (self->count >= PLACES_MAX && !one_forget(self))
        return NULL;
    struct place *place = calloc(1, sizeof(*place));
    check(place != NULL);
    *place = (struct place){.next = self->first,
                            .thread = *thread,
                            .consumer = consumer->id,
                            .serial = consumer->serial,
                            .done = done,
                            .told = done};
    self->first = place;
    self->count++;
    return place;
}

static void attempt_break_off(struct place *place) {
    struct attempt *attempt = place->attempt;
    place->attempt = NULL;
    if (attempt->consumer != NULL)
        attempt->consumer->attempts--;
    attempt->kind->cancel(attempt);
}

void places_remove(struct places *self, struct place *gone) {
    struct place **link = &self->first;
    while (*link != gone)
        link = &(*link)->next;
    *link = gone->next;
    self->count--;
    if (gone->attempt != NULL)
        attempt_break_off(gone);
    free(gone);
}

void places_follow(struct places *self, const struct consumers *consumers) {
    for (struct place *place = self->first, *next; place != NULL; place = next) {
        struct consumer *consumer = consumers_find(consumers, &place->consumer);
        next = place->next;
        if (place->attempt != NULL)
            place->attempt->consumer = consumer;
        if (consumer == NULL || consumer->serial != place->serial)
            places_remove(self, place);
    }
}

void places_keep_led(struct places *self, bool (*is_led_here)(void *context, const struct id_hash *thread),
                     void *context) {
    for (struct place *place = self->first, *next; place != NULL; place = next) {
        next = place->next;
        if (place->attempt == NULL && !is_led_here(context, &place->thread))
            places_remove(self, place);
    }
}

void places_close(struct places *self) {
    while (self->first != NULL)
        places_remove(self, self->first);
}
