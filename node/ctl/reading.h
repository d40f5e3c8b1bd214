#pragma once
/* One thread as the REST interface shows it to those who are or were in it, put together from as many views as it
 * takes: what export writes down, and what verify compares. */
#include <stdint.h>

#include "node/ctl/source.h"

struct reading_message {
    char *text; /* the ChatMessage, compact JSON */
    uint64_t id;
    uint64_t version;
    uint64_t sequence;
    bool is_system;
};

struct reading {
    json_t *properties;   /* NULL: nobody who was asked may read the thread any more */
    json_t *participants; /* those who are in it; empty if nobody who is could be asked */
    json_t *receipts;
    bool is_of_participant; /* somebody who is in it was asked: participants and receipts are known */
    struct reading_message *messages;
    size_t messages_count;
};

/* Asks those who list the thread; the messages end up in the order of their last change, each once. */
int reading_take(struct source *source, CURL *line, size_t thread, struct reading *reading);
void reading_close(struct reading *reading);

/* Adds a message; `message` is borrowed. False: it lacks id, version or sequenceId. */
bool reading_add(struct reading *reading, const json_t *message);

/* How many messages lie between the first and the last without being shown to anybody asked. */
uint64_t reading_unseen(const struct reading *reading);

/* A decimal number in a text member; 0: there is none. */
uint64_t reading_number(const json_t *object, const char *name);
